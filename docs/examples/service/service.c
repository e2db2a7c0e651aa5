/*
 * service.c — a small settlement service around libsettle. docs/embedding.md walks through it.
 *
 *     cc service.c request.c $(pkg-config --cflags --libs libsettle libcjson) -pthread -o settlement_service
 *     ./settlement_service data /run/settle.sock logs
 *     echo '{"type":"deposit","event_id":"D-1","ts":1733856600000,"user":1001,"asset":"USDT","amount":"10.50"}' |
 *         nc -NU /run/settle.sock
 *
 * One JSON object a line comes in over a Unix socket, one goes back for each, in the same order:
 *     deposit, withdrawal, trade (docs/events.md; event_id is required) → {"event_id":"D-1","outcome":"accepted","seq":1}
 *     {"type":"balance","user":1001,"asset":"USDT"} → {"user":1001,"asset":"USDT","available":"10.500000",…}
 *     {"type":"outcome","event_id":"D-1"}           → the outcome of its first arrival, whenever that was
 *     anything else                                 → {"error":"…"}
 *
 * An answer is sent when what it tells is on stable storage, never before. A client that has no answer, because the service was
 * killed or the line broke, sends the event again under the same id: it is settled once, and comes back as a duplicate.
 *
 * Threads: main accepts; each connection has a reader, which parses what has come into a batch and submits it without
 * waiting, and a writer, which answers the batches in order as the engine's completions report them durable. So
 * one sync serves all that came meanwhile, of all connections. A connection has at most BATCHES batches under way: who does not
 * read its answers is not read either.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cJSON.h>
#include <settle/settle.h>

#include "request.h"

enum { BATCH_REQUESTS = 128, BATCHES = 8, CONNECTIONS_MAX = 64, SEND_SECONDS_MAX = 10 };

struct batch {
    struct connection *connection;
    size_t request_count, event_count;
    struct request requests[BATCH_REQUESTS];
    settle_event events[BATCH_REQUESTS];
    size_t request_of[BATCH_REQUESTS]; /* of events[i] */
    settle_result results[BATCH_REQUESTS];
    settle_status status; /* what the completion said */
    bool is_done;         /* the writer may answer it */
};

struct connection {
    struct service *service;
    int fd; /* -1: the slot is free */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t begun, answered; /* batches; number n is batches[n % BATCHES] */
    bool is_ended;            /* nothing more will be begun */
    struct batch batches[BATCHES];
};

struct service {
    settle *engine;
    atomic_bool has_failed; /* the engine is latched */
    pthread_mutex_t mutex;  /* of what follows */
    pthread_cond_t changed;
    unsigned connection_count;
    struct connection *connections[CONNECTIONS_MAX]; /* NULL: free */
};

/* ---- Submitting ------------------------------------------------------------------------------------------------------- */

/* The engine's commit thread is here: everything in the batch is on stable storage, or never will be. Quick, and without a
 * call to the engine. */
static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct batch *batch = context;
    (void)results, (void)count; /* they are batch->results */
    pthread_mutex_lock(&batch->connection->mutex);
    batch->status = status;
    batch->is_done = true;
    pthread_cond_broadcast(&batch->connection->changed);
    pthread_mutex_unlock(&batch->connection->mutex);
}

/* Takes an event that the engine will not have out of the batch. */
static void refuse_event(struct batch *batch, size_t index, const char *why)
{
    struct request *request = &batch->requests[batch->request_of[index]];
    request->kind = FAULT;
    (void)snprintf(request->text, sizeof request->text, "%s", why);
    batch->event_count--;
    memmove(&batch->events[index], &batch->events[index + 1], (batch->event_count - index) * sizeof batch->events[0]);
    memmove(&batch->request_of[index], &batch->request_of[index + 1],
            (batch->event_count - index) * sizeof batch->request_of[0]);
}

/* "event 3 of the batch: amount is …" without the beginning, which tells a client nothing. */
static const char *why_of(const char *text)
{
    const char *colon = strstr(text, ": ");
    return strncmp(text, "event ", 6) == 0 && colon != NULL ? colon + 2 : text;
}

static void submit_batch(struct batch *batch)
{
    settle *engine = batch->connection->service->engine;
    settle_status status = SETTLE_OK;
    while (batch->event_count > 0) {
        settle_error error;
        for (size_t i = 0; i < batch->event_count; i++)
            batch->requests[batch->request_of[i]].result = i;
        status = settle_submit_async(engine, batch->events, batch->event_count, batch->results, on_done, batch, &error);
        if (status == SETTLE_OK)
            return;                     /* the rest is on_done()'s */
        if (status == SETTLE_E_INVALID) /* no event was taken; it says which one to leave out */
            refuse_event(batch, (size_t)error.offset_bytes, why_of(error.text));
        else if (status == SETTLE_E_NO_MEMORY)
            refuse_event(batch, batch->event_count - 1, "out of memory: try again");
        else
            break;
    }
    on_done(batch, batch->event_count > 0 ? status : SETTLE_OK, NULL, 0);
}

/* ---- Answering -------------------------------------------------------------------------------------------------------- */

static void answer_fault(FILE *out, const char *text)
{
    cJSON *object = cJSON_CreateObject();
    char *rendered = cJSON_AddStringToObject(object, "error", text) != NULL ? cJSON_PrintUnformatted(object) : NULL;
    fprintf(out, "%s\n", rendered != NULL ? rendered : "{\"error\":\"out of memory\"}");
    cJSON_free(rendered);
    cJSON_Delete(object);
}

static void answer_result(FILE *out, const char *id, const settle_result *result)
{
    fprintf(out, "{\"event_id\":\"%s\",\"outcome\":\"%s\"", id, settle_outcome_name(result->outcome));
    if (result->outcome == SETTLE_REJECTED)
        fprintf(out, ",\"reason\":\"%s\"", settle_reason_name(result->reason));
    fprintf(out, ",\"seq\":%" PRIu64, result->seq);
    if (result->first_seq != 0)
        fprintf(out, ",\"first_seq\":%" PRIu64, result->first_seq);
    fprintf(out, "}\n");
}

/* What is answered is durable: settle_balance_get() waits for it. */
static settle_status answer_balance(FILE *out, settle *engine, const struct request *request)
{
    settle_balance balance = {.version = 0};
    settle_error error;
    settle_status status = settle_balance_get(engine, request->user, request->asset->id, &balance, &error);
    if (status != SETTLE_OK && status != SETTLE_E_NOT_FOUND)
        return status;
    char available[SETTLE_AMOUNT_TEXT_BYTES], held[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(balance.available, request->asset->scale, available);
    settle_amount_format(balance.held, request->asset->scale, held);
    const char *quote = request->user > UINT64_C(1) << 53 ? "\"" : ""; /* JSON's numbers are doubles to many */
    fprintf(out,
            "{\"user\":%s%" PRIu64 "%s,\"asset\":\"%s\",\"available\":\"%s\",\"held\":\"%s\",\"version\":%" PRIu64
            "}\n",
            quote, request->user, quote, request->asset->symbol, available, held, balance.version);
    return SETTLE_OK;
}

static settle_status answer_outcome(FILE *out, settle *engine, const struct request *request)
{
    settle_lifecycle *life;
    settle_error error;
    settle_status status = settle_lifecycle_get(engine, (settle_text){request->id, strlen(request->id)}, &life, &error);
    if (status == SETTLE_OK) {
        answer_result(out, life->event_id, &life->first.result);
        settle_lifecycle_free(life);
    } else {
        answer_fault(out, error.text);
    }
    return status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status;
}

static settle_status answer_batch(FILE *out, const struct batch *batch)
{
    settle *engine = batch->connection->service->engine;
    settle_status status = batch->status;
    for (size_t i = 0; i < batch->request_count && status == SETTLE_OK; i++) {
        const struct request *request = &batch->requests[i];
        switch (request->kind) {
        case EVENT: answer_result(out, request->id, &batch->results[request->result]); break;
        case BALANCE: status = answer_balance(out, engine, request); break;
        case OUTCOME: status = answer_outcome(out, engine, request); break;
        case FAULT: answer_fault(out, request->text); break;
        }
    }
    return status;
}

/* The engine answers nothing any more: the service ends, and whoever restarts it has it recover. */
static void service_fail(struct service *service, settle_status status)
{
    if (!atomic_exchange(&service->has_failed, true)) {
        fprintf(stderr, "settlement_service: %s: %s\n", settle_status_name(status), settle_status_sentence(status));
        (void)kill(getpid(), SIGTERM);
    }
}

/* The next batch that may be answered; NULL: there will be none any more. */
static struct batch *next_answer(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    struct batch *batch = &connection->batches[connection->answered % BATCHES];
    while (connection->answered == connection->begun ? !connection->is_ended : !batch->is_done)
        pthread_cond_wait(&connection->changed, &connection->mutex);
    if (connection->answered == connection->begun)
        batch = NULL;
    pthread_mutex_unlock(&connection->mutex);
    return batch;
}

/* Goes on until every batch is done, also when nobody listens any more: the engine writes into them until then. */
static void *writer_main(void *context)
{
    struct connection *connection = context;
    struct batch *batch;
    while ((batch = next_answer(connection)) != NULL) {
        char *text = NULL;
        size_t bytes = 0, sent = 0;
        FILE *out = open_memstream(&text, &bytes);
        settle_status status = out != NULL ? answer_batch(out, batch) : SETTLE_E_NO_MEMORY;
        bool is_whole = out != NULL && fclose(out) == 0;
        while (is_whole && status == SETTLE_OK && sent < bytes) {
            ssize_t count = send(connection->fd, text + sent, bytes - sent, MSG_NOSIGNAL);
            if (count < 0 && errno != EINTR)
                break;
            sent += count > 0 ? (size_t)count : 0;
        }
        free(text);
        if (!is_whole || sent < bytes || status != SETTLE_OK)
            (void)shutdown(connection->fd, SHUT_RDWR); /* no answer is better than a wrong one */
        if (status != SETTLE_OK && status != SETTLE_E_NO_MEMORY)
            service_fail(connection->service, status);
        pthread_mutex_lock(&connection->mutex);
        connection->answered++;
        pthread_cond_broadcast(&connection->changed);
        pthread_mutex_unlock(&connection->mutex);
    }
    return NULL;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */

/* An empty batch, when there is one. */
static struct batch *begin_batch(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    while (connection->begun - connection->answered == BATCHES)
        pthread_cond_wait(&connection->changed, &connection->mutex);
    struct batch *batch = &connection->batches[connection->begun % BATCHES];
    pthread_mutex_unlock(&connection->mutex);
    batch->connection = connection;
    batch->request_count = batch->event_count = 0;
    batch->is_done = false;
    return batch;
}

static void end_batch(struct batch *batch)
{
    pthread_mutex_lock(&batch->connection->mutex);
    batch->connection->begun++;
    pthread_mutex_unlock(&batch->connection->mutex);
    submit_batch(batch);
}

static void add_request(struct batch *batch, const char *text)
{
    struct request *request = &batch->requests[batch->request_count];
    request_read(text, request, &batch->events[batch->event_count]);
    if (request->kind == EVENT)
        batch->request_of[batch->event_count++] = batch->request_count;
    batch->request_count++;
}

/* All whole lines of the buffer, as few batches as hold them. The number of bytes they took. */
static size_t take_lines(struct connection *connection, char *buffer, size_t bytes)
{
    struct batch *batch = NULL;
    size_t taken = 0;
    char *newline;
    while ((newline = memchr(buffer + taken, '\n', bytes - taken)) != NULL) {
        *newline = '\0';
        if (batch == NULL)
            batch = begin_batch(connection);
        add_request(batch, buffer + taken);
        taken = (size_t)(newline - buffer) + 1;
        if (batch->request_count == BATCH_REQUESTS) {
            end_batch(batch);
            batch = NULL;
        }
    }
    if (batch != NULL)
        end_batch(batch);
    return taken;
}

static void *reader_main(void *context)
{
    struct connection *connection = context;
    struct service *service = connection->service;
    static const char too_long[] = "{\"error\":\"the line is longer than 4096 bytes\"}\n";
    char buffer[16 * LINE_BYTES_MAX];
    size_t bytes = 0;
    pthread_t writer;
    bool has_writer = pthread_create(&writer, NULL, writer_main, connection) == 0;
    while (has_writer) {
        ssize_t count = recv(connection->fd, buffer + bytes, sizeof buffer - bytes, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        bytes += (size_t)count;
        size_t taken = take_lines(connection, buffer, bytes);
        bytes -= taken;
        memmove(buffer, buffer + taken, bytes);
        if (bytes > LINE_BYTES_MAX) {
            (void)send(connection->fd, too_long, sizeof too_long - 1, MSG_NOSIGNAL);
            break;
        }
    }
    pthread_mutex_lock(&connection->mutex);
    connection->is_ended = true;
    pthread_cond_broadcast(&connection->changed);
    pthread_mutex_unlock(&connection->mutex);
    if (has_writer)
        pthread_join(writer, NULL);

    pthread_mutex_lock(&service->mutex);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (service->connections[i] == connection)
            service->connections[i] = NULL;
    (void)close(connection->fd);
    service->connection_count--;
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->mutex);
    pthread_cond_destroy(&connection->changed);
    pthread_mutex_destroy(&connection->mutex);
    free(connection);
    return NULL;
}

/* ---- Connections ------------------------------------------------------------------------------------------------------ */

static void connection_open(struct service *service, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    pthread_t reader;
    size_t slot = 0;
    pthread_mutex_lock(&service->mutex);
    while (slot < CONNECTIONS_MAX && service->connections[slot] != NULL)
        slot++;
    if (connection == NULL || slot == CONNECTIONS_MAX) {
        pthread_mutex_unlock(&service->mutex);
        free(connection);
        (void)close(fd);
        return;
    }
    /* Who does not read its answers for so long is cut off. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = SEND_SECONDS_MAX},
                     sizeof(struct timeval));
    connection->service = service;
    connection->fd = fd;
    pthread_mutex_init(&connection->mutex, NULL);
    pthread_cond_init(&connection->changed, NULL);
    if (pthread_create(&reader, NULL, reader_main, connection) == 0) {
        (void)pthread_detach(reader);
        service->connections[slot] = connection;
        service->connection_count++;
        connection = NULL;
    }
    pthread_mutex_unlock(&service->mutex);
    if (connection != NULL) {
        free(connection);
        (void)close(fd);
    }
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    (void)unlink(
        path); /* one that a killed service left: the engine's lock, which we hold, says that it is not in use */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Until SIGTERM or SIGINT. What was read by then is still settled and answered. */
static void serve(struct service *service, int listener, int signals)
{
    struct pollfd wanted[] = {{.fd = signals, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    while (poll(wanted, 2, -1) >= 0 || errno == EINTR) {
        if (wanted[0].revents != 0)
            break;
        int fd = wanted[1].revents != 0 ? accept(listener, NULL, NULL) : -1;
        if (fd >= 0)
            connection_open(service, fd);
    }
    pthread_mutex_lock(&service->mutex);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (service->connections[i] != NULL)
            (void)shutdown(service->connections[i]->fd, SHUT_RD);
    while (service->connection_count > 0)
        pthread_cond_wait(&service->changed, &service->mutex);
    pthread_mutex_unlock(&service->mutex);
}

/* ---- The engine ------------------------------------------------------------------------------------------------------- */

static void on_log(void *context, settle_log_level level, const char *message)
{
    (void)context;
    if (level >= SETTLE_LOG_INFO)
        fprintf(stderr, "settlement_service: %s\n", message);
}

static settle_status engine_start(settle *engine, const char *log_directory, settle_error *error)
{
    settle_lines_options lines;
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < ASSET_COUNT && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &assets[i], error); /* again with the same values: nothing happens */
    settle_lines_options_init(&lines);
    lines.directory = log_directory;
    return status == SETTLE_OK ? settle_lines_start(engine, &lines, error) : status;
}

/* SIGTERM and SIGINT come as bytes to read; all threads inherit that nothing else happens on them. */
static int signals_open(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
}

static struct service service = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s DIRECTORY SOCKET LOG_DIRECTORY\n", argv[0]);
        return 2;
    }
    int signals = signals_open();
    settle_error error;
    settle_options options;
    settle_options_init(&options);
    options.log = on_log;
    settle_status status = settle_open(argv[1], &options, &service.engine, &error); /* recovers what a crash left */
    if (status == SETTLE_OK)
        status = engine_start(service.engine, argv[3], &error);
    int listener = status == SETTLE_OK && signals >= 0 ? listen_on(argv[2]) : -1;
    if (status == SETTLE_OK && listener < 0)
        perror(argv[2]);
    if (listener >= 0) {
        serve(&service, listener, signals);
        (void)close(listener);
        (void)unlink(argv[2]);
    }

    settle_error close_error;
    settle_status closed = settle_close(service.engine, &close_error);
    if (status == SETTLE_OK && closed != SETTLE_OK) {
        status = closed;
        error = close_error;
    }
    if (status != SETTLE_OK)
        fprintf(stderr, "settlement_service: %s: %s\n", settle_status_name(status), error.text);
    return status == SETTLE_OK && listener >= 0 && !service.has_failed ? 0 : 1;
}
