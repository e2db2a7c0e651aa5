/*
 * service_kill.c — docs/examples/service is killed at random moments while clients go on: who got no answer sends the event
 * again. At the end every event counts once, to the last unit.
 *
 *     service_kill SERVICE DIRECTORY KILLS SEED
 *
 * Each client has users of its own and one connection, so its events arrive in its order whatever happens, and a model of a few
 * lines knows each outcome. SERVICE works in DIRECTORY (data, logs, socket), which is there and empty. Plain main(): a
 * failure prints one sentence and ends with 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <settle/settle.h>

enum { CLIENTS = 3, EVENTS = 5000, USERS = 3, CHUNK_MAX = 24, PATIENCE_S = 60 };

static const char *socket_path;

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "service_kill.c:%d: " #condition ": ", __LINE__);                                          \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* ---- What is sent, and what must become of it ---------------------------------------------------------------------- */

enum { BTC, USDT, ASSETS };
static const char *const symbols[ASSETS] = {"BTC", "USDT"};
static const uint8_t scales[ASSETS] = {8, 6};

struct client {
    pthread_t thread;
    unsigned number;
    uint32_t random;
    bool is_repeat;                 /* everything was settled before: all are duplicates */
    int64_t balance[USERS][ASSETS]; /* by the model, when all are settled */
    bool is_accepted[EVENTS];
    char lines[EVENTS][512];
    size_t answered, connections, duplicates, rejected;
};

static uint32_t random_below(uint32_t *state, uint32_t limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % limit;
}

static void id_text(const struct client *client, size_t i, char ret_text[32])
{
    snprintf(ret_text, 32, "C%u-%zu", client->number, i);
}

static void amount_text(int64_t amount, int asset, char ret_text[SETTLE_AMOUNT_TEXT_BYTES])
{
    settle_amount_format(amount, scales[asset], ret_text);
}

static uint64_t user_of(const struct client *client, int user)
{
    return (uint64_t)client->number * 100 + (uint64_t)user + 1;
}

static void make_transfer(struct client *client, int i, int user, int asset, bool is_deposit, int64_t amount)
{
    char id[32], text[SETTLE_AMOUNT_TEXT_BYTES];
    id_text(client, (size_t)i, id);
    amount_text(amount, asset, text);
    int64_t *balance = &client->balance[user][asset];
    client->is_accepted[i] = is_deposit || *balance >= amount;
    if (client->is_accepted[i])
        *balance += is_deposit ? amount : -amount;
    snprintf(client->lines[i], sizeof client->lines[i],
             "{\"type\":\"%s\",\"event_id\":\"%s\",\"ts\":%d,\"user\":%" PRIu64
             ",\"asset\":\"%s\",\"amount\":\"%s\"}\n",
             is_deposit ? "deposit" : "withdrawal", id, i, user_of(client, user), symbols[asset], text);
}

static void make_trade(struct client *client, int i, int buyer, int seller, int64_t quantity, int64_t cost, int64_t fee)
{
    char id[32], base[SETTLE_AMOUNT_TEXT_BYTES], quote[SETTLE_AMOUNT_TEXT_BYTES], fees[SETTLE_AMOUNT_TEXT_BYTES];
    id_text(client, (size_t)i, id);
    amount_text(quantity, BTC, base);
    amount_text(cost, USDT, quote);
    amount_text(fee, USDT, fees);
    int64_t(*balance)[ASSETS] = client->balance;
    client->is_accepted[i] = balance[buyer][USDT] >= cost && balance[seller][BTC] >= quantity && fee <= cost;
    if (client->is_accepted[i]) {
        balance[buyer][USDT] -= cost;
        balance[buyer][BTC] += quantity;
        balance[seller][BTC] -= quantity;
        balance[seller][USDT] += cost - fee;
    }
    snprintf(
        client->lines[i], sizeof client->lines[i],
        "{\"type\":\"trade\",\"event_id\":\"%s\",\"ts\":%d,\"buyer\":%" PRIu64 ",\"seller\":\"%" PRIu64
        "\",\"base\":\"BTC\",\"quote\":\"USDT\",\"quantity\":\"%s\",\"quote_amount\":\"%s\",\"seller_fee\":\"%s\"}\n",
        id, i, user_of(client, buyer), user_of(client, seller), base, quote, fees);
}

static void make_events(struct client *client)
{
    for (int i = 0; i < EVENTS; i++) {
        int user = (int)random_below(&client->random, USERS), asset = (int)random_below(&client->random, ASSETS);
        int64_t amount = 1 + (int64_t)random_below(&client->random, 1000000);
        switch (random_below(&client->random, 4)) {
        case 0: make_trade(client, i, user, (user + 1) % USERS, amount, 1 + amount / 3, amount / 50); break;
        case 1: make_transfer(client, i, user, asset, false, amount); break;
        default: make_transfer(client, i, user, asset, true, amount); break;
        }
    }
}

/* ---- A client ------------------------------------------------------------------------------------------------------ */

static int connect_patiently(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    for (time_t began = time(NULL); time(NULL) - began < PATIENCE_S;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0, "%s", strerror(errno));
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    CHECK(false, "the service does not come back");
    return -1;
}

static bool send_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t count = send(fd, text, bytes, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        text += count;
        bytes -= (size_t)count;
    }
    return true;
}

/* One answer without its newline; false: the connection is gone. */
static bool read_answer(FILE *in, char *line, int line_bytes)
{
    if (fgets(line, line_bytes, in) == NULL || strchr(line, '\n') == NULL)
        return false; /* half an answer is none */
    *strchr(line, '\n') = '\0';
    return true;
}

static void take_answer(struct client *client, const char *line)
{
    size_t i = client->answered++;
    char begin[96], id[32];
    id_text(client, i, id);
    const char *outcome = client->is_accepted[i] ? "accepted" : "rejected";
    snprintf(begin, sizeof begin, "{\"event_id\":\"%s\",\"outcome\":\"duplicate\"", id);
    if (strncmp(line, begin, strlen(begin)) == 0) {
        client->duplicates++; /* it had been settled, and its answer was lost */
        return;
    }
    CHECK(!client->is_repeat, "%s is settled a second time: %s", id, line);
    snprintf(begin, sizeof begin, "{\"event_id\":\"%s\",\"outcome\":\"%s\"", id, outcome);
    CHECK(strncmp(line, begin, strlen(begin)) == 0, "%s is to be %s: %s", id, outcome, line);
    client->rejected += !client->is_accepted[i];
}

/* Sends chunks and reads their answers; false: the connection is gone, and what was not answered is to be sent again. */
static bool converse(struct client *client, int fd, FILE *in)
{
    char answer[512];
    while (client->answered < EVENTS) {
        size_t count = 1 + random_below(&client->random, CHUNK_MAX), first = client->answered;
        if (count > EVENTS - first)
            count = EVENTS - first;
        for (size_t i = first; i < first + count; i++)
            if (!send_all(fd, client->lines[i], strlen(client->lines[i])))
                return false;
        for (size_t i = 0; i < count; i++) {
            if (!read_answer(in, answer, sizeof answer))
                return false;
            take_answer(client, answer);
        }
    }
    return true;
}

static void *client_main(void *context)
{
    struct client *client = context;
    bool is_over = false;
    while (!is_over) {
        int fd = connect_patiently();
        FILE *in = fdopen(fd, "r");
        CHECK(in != NULL, "%s", strerror(errno));
        client->connections++;
        is_over = converse(client, fd, in);
        fclose(in);
    }
    return NULL;
}

static void run_clients(struct client *clients)
{
    for (int i = 0; i < CLIENTS; i++)
        CHECK(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) == 0, "thread");
}

static void join_clients(struct client *clients)
{
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
}

/* ---- The service --------------------------------------------------------------------------------------------------- */

static pid_t service_start(const char *program)
{
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        execl(program, program, "data", "socket", "logs", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void service_kill(pid_t pid)
{
    int status = 0;
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid, "kill");
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the service had ended by itself: status %d", status);
}

static void expect_balances(const struct client *clients)
{
    int fd = connect_patiently();
    FILE *in = fdopen(fd, "r");
    for (int c = 0; c < CLIENTS; c++) {
        for (int user = 0; user < USERS; user++) {
            for (int asset = 0; asset < ASSETS; asset++) {
                char line[320], expected[320], text[SETTLE_AMOUNT_TEXT_BYTES];
                amount_text(clients[c].balance[user][asset], asset, text);
                uint64_t id = user_of(&clients[c], user);
                snprintf(line, sizeof line, "{\"type\":\"balance\",\"user\":%" PRIu64 ",\"asset\":\"%s\"}\n", id,
                         symbols[asset]);
                snprintf(expected, sizeof expected, "{\"user\":%" PRIu64 ",\"asset\":\"%s\",\"available\":\"%s\",", id,
                         symbols[asset], text);
                CHECK(send_all(fd, line, strlen(line)) && read_answer(in, line, sizeof line), "asking for a balance");
                CHECK(strncmp(line, expected, strlen(expected)) == 0, "%s… expected, %s", expected, line);
            }
        }
    }
    fclose(in);
}

int main(int argc, char **argv)
{
    static struct client clients[CLIENTS];
    CHECK(argc == 5 && chdir(argv[2]) == 0, "usage: service_kill SERVICE DIRECTORY KILLS SEED");
    int kills = atoi(argv[3]);
    uint32_t random = (uint32_t)strtoul(argv[4], NULL, 10);
    socket_path = "socket";
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].number = i + 1;
        clients[i].random = random + i;
        make_events(&clients[i]);
    }

    pid_t pid = service_start(argv[1]);
    run_clients(clients);
    for (int i = 0; i < kills; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000 + (long)random_below(&random, 120) * 1000000}, NULL);
        service_kill(pid);
        pid = service_start(argv[1]);
    }
    join_clients(clients);
    expect_balances(clients);

    size_t connections = 0, duplicates = 0, rejected = 0;
    for (int i = 0; i < CLIENTS; i++) {
        connections += clients[i].connections;
        duplicates += clients[i].duplicates;
        rejected += clients[i].rejected;
        clients[i].answered = clients[i].duplicates = 0;
        clients[i].is_repeat = true;
    }
    printf("%d kills, %zu connections, %zu events settled whose answer was lost, %zu rejections\n", kills, connections,
           duplicates, rejected);
    CHECK(connections > CLIENTS && duplicates > 0 && rejected > 0, "the kills met nothing");

    run_clients(clients); /* all of it again */
    join_clients(clients);
    expect_balances(clients);
    for (int i = 0; i < CLIENTS; i++)
        CHECK(clients[i].duplicates == EVENTS, "%zu", clients[i].duplicates);

    int status = 0;
    CHECK(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid, "ending it");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    return 0;
}
