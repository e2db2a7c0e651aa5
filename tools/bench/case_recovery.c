/*
 * case_recovery.c — after a crash: a child submits every event and kills itself with the store one or two checkpoint
 * intervals behind the journal. Opened again, with the store and without; then replayed, verified and weighed.
 */
#define _GNU_SOURCE /* nftw() */
#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "query/query.h"
#include "tools/bench/bench.h"

#define GROUP 8192
#define STORE_NAME BENCH_DATA "/store"

/* Never returns. The checkpoints go by the number of events alone, so that the store lags by nearly all it may. */
static void submit_and_die(const struct bench *bench)
{
    char path[BENCH_PATH_BYTES];
    settle_options options;
    settle_error error;
    settle *engine;
    settle_options_init(&options);
    options.checkpoint_interval_ms = 3600000;
    settle_status status = settle_open(bench_path(bench, BENCH_DATA, path), &options, &engine, &error);
    for (size_t i = 0; i < STREAM_ASSETS && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &stream_assets[i], &error);
    if (status == SETTLE_OK)
        status = bench_submit_all(bench, engine, bench->events_count, GROUP, &error);
    if (status == SETTLE_OK)
        (void)kill(getpid(), SIGKILL);
    _exit(1);
}

/* The other threads of this process have all ended: nobody holds a lock the child could miss. */
static settle_status crash(const struct bench *bench, settle_error *error)
{
    int child_status = 0;
    pid_t child = fork();
    if (child == 0)
        submit_and_die(bench);
    if (child < 0)
        return bench_error(error, SETTLE_E_NO_MEMORY, errno, "no child process");
    while (waitpid(child, &child_status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFSIGNALED(child_status) || WTERMSIG(child_status) != SIGKILL)
        return bench_error(error, SETTLE_E_IO, 0, "the process that was to crash failed before it came to that");
    return SETTLE_OK;
}

static settle_status open_timed(const char *path, uint64_t *ret_elapsed_ns, settle_error *error)
{
    settle *engine;
    uint64_t started = bench_now_ns();
    settle_status status = settle_open(path, NULL, &engine, error);
    *ret_elapsed_ns = bench_now_ns() - started;
    return status == SETTLE_OK ? settle_close(engine, error) : status;
}

static settle_status recover(struct bench *bench, const char *path, settle_error *error)
{
    struct inspect_directory inspect;
    uint64_t elapsed;
    settle_status status = query_inspect(path, &inspect, error);
    if (status != SETTLE_OK)
        return status;
    uint64_t lag = inspect.last_seq - inspect.store_seq;
    inspect_free(&inspect);
    status = open_timed(path, &elapsed, error);
    if (status == SETTLE_OK) {
        bench_record(bench, FIGURE_OPEN_KILLED, (double)elapsed);
        bench_record_rate(bench, FIGURE_RECOVERY, lag, elapsed);
    }
    return status;
}

static settle_status rebuild(struct bench *bench, const char *path, settle_error *error)
{
    uint64_t elapsed;
    bench_remove(bench, STORE_NAME);
    settle_status status = open_timed(path, &elapsed, error);
    if (status == SETTLE_OK)
        bench_record_rate(bench, FIGURE_REBUILD, bench->events_count, elapsed);
    return status;
}

static settle_status replay(struct bench *bench, const char *path, settle_error *error)
{
    const struct replay_options options = {.until_seq = UINT64_MAX};
    struct replay_result result;
    uint64_t started = bench_now_ns();
    settle_status status = query_replay(path, &options, &result, error);
    if (status != SETTLE_OK)
        return status;
    bench_record_rate(bench, FIGURE_REPLAY, result.counts.events, bench_now_ns() - started);
    ledger_free(&result.ledger);
    return result.counts.events == bench->events_count
               ? SETTLE_OK
               : bench_error(error, SETTLE_E_CORRUPT, 0, "events that were durable are missing after the crash");
}

static settle_status verify(struct bench *bench, const char *path, settle_error *error)
{
    struct verify_result result;
    uint64_t started = bench_now_ns();
    settle_status status = query_verify(path, NULL, &result, error);
    if (status != SETTLE_OK)
        return status;
    if (!result.ok) {
        *error = result.fault;
        return result.fault.status != SETTLE_OK ? result.fault.status : SETTLE_E_CORRUPT;
    }
    bench_record_rate(bench, FIGURE_VERIFY, result.counts.events, bench_now_ns() - started);
    return SETTLE_OK;
}

/* nftw() has no context: the one place that needs a variable of the file. */
static uint64_t tree_bytes;

static int add_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)path, (void)place;
    if (kind == FTW_F)
        tree_bytes += (uint64_t)status->st_blocks * 512;
    return 0;
}

static settle_status weigh(struct bench *bench, const char *path, settle_error *error)
{
    char store[BENCH_PATH_BYTES];
    struct stats stats;
    settle_status status = query_stats(path, &stats, error);
    if (status != SETTLE_OK)
        return status;
    tree_bytes = 0;
    (void)nftw(bench_path(bench, STORE_NAME, store), add_entry, 16, FTW_PHYS);
    bench_record(bench, FIGURE_JOURNAL_BYTES, (double)stats.journal_bytes / (double)stats.counts.events);
    bench_record(bench, FIGURE_STORE_BYTES, (double)tree_bytes / (double)stats.counts.events);
    stats_free(&stats);
    return SETTLE_OK;
}

settle_status bench_recovery(struct bench *bench, settle_error *error)
{
    typedef settle_status step(struct bench *, const char *, settle_error *);
    static step *const steps[] = {recover, rebuild, replay, verify, weigh};
    char path[BENCH_PATH_BYTES];
    settle_status status = bench_events_make(bench, STREAM_UNIFORM, error);
    if (status == SETTLE_OK)
        status = crash(bench, error);
    bench_path(bench, BENCH_DATA, path);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == SETTLE_OK; i++)
        status = steps[i](bench, path, error);
    bench_remove(bench, BENCH_DATA);
    return status;
}
