/*
 * test_ingest.c — for ThreadSanitizer: the ingest loop reads a pipe on one thread while the engine commits on its own,
 * others ask for balances, progress is told, and at last a signal stops it.
 */
#include "ingest/ingest.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

#define EVENTS 30000

static settle *engine;
static int pipe_ends[2];
static atomic_bool is_over;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void *feed(void *unused)
{
    (void)unused;
    dprintf(pipe_ends[1], "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}\n");
    char text[8192];
    size_t bytes = 0;
    for (int i = 0; i < EVENTS; i++) {
        bytes += (size_t)snprintf(
            text + bytes, sizeof text - bytes,
            "{\"type\":\"deposit\",\"event_id\":\"e%d\",\"ts\":1,\"user\":%d,\"asset\":2,\"amount\":\"1\"}\n", i,
            1 + i % 7);
        if (bytes > sizeof text - 200 || i % 5000 == 4999) {
            CHECK(write(pipe_ends[1], text, bytes) == (ssize_t)bytes);
            bytes = 0;
        }
        if (i % 5000 == 4999)
            usleep(20000); /* a pause */
    }
    settle_balance balance = {.version = 0}; /* of the last event's user */
    while (settle_balance_get(engine, 1 + (EVENTS - 1) % 7, 2, &balance, NULL) != SETTLE_OK ||
           balance.version < (EVENTS - 1) / 7 + 1)
        usleep(1000);
    CHECK(kill(getpid(), SIGTERM) == 0); /* the pipe stays open */
    return NULL;
}

static void *ask(void *unused)
{
    (void)unused;
    uint64_t version = 0;
    while (!atomic_load(&is_over)) {
        settle_balance balance;
        if (settle_balance_get(engine, 3, 2, &balance, NULL) == SETTLE_OK) {
            CHECK(balance.version >= version);
            CHECK(balance.available == (settle_int128)balance.version * 1000000);
            version = balance.version;
        }
        usleep(500);
    }
    return NULL;
}

static void on_progress(void *context, const struct ingest_counts *counts, uint64_t bytes_total)
{
    CHECK(counts->accepted <= counts->lines);
    CHECK(bytes_total == 0);
    ++*(int *)context;
}

int main(void)
{
    char directory[TEMPDIR_BYTES], rejects[TEMPDIR_PATH_BYTES];
    tempdir_make(directory);
    tempdir_join(rejects, directory, "rejects");
    CHECK(settle_open(directory, NULL, &engine, NULL) == SETTLE_OK);
    CHECK(pipe(pipe_ends) == 0 && dup2(pipe_ends[0], STDIN_FILENO) == 0);
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);

    pthread_t feeder, asker;
    CHECK(pthread_create(&feeder, NULL, feed, NULL) == 0);
    CHECK(pthread_create(&asker, NULL, ask, NULL) == 0);
    int progress_calls = 0;
    struct ingest_options options = {
        .reject_directory = rejects, .stop = &stop, .progress = on_progress, .context = &progress_calls};
    struct ingest_result result;
    CHECK(ingest_run(engine, &options, &result, NULL) == SETTLE_OK);
    CHECK(result.counts.accepted == EVENTS);
    CHECK(result.counts.lines == EVENTS + 1);
    CHECK(result.counts.last_seq == EVENTS);
    CHECK(progress_calls >= 1);

    atomic_store(&is_over, true);
    pthread_join(feeder, NULL);
    pthread_join(asker, NULL);
    CHECK(settle_close(engine, NULL) == SETTLE_OK);
    tempdir_remove(directory);
    return 0;
}
