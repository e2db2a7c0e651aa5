/* ours.c — see ours.h. */
#include "tools/bench/peers/ours.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ingest/ingest.h"
#include "query/query.h"
#include "tools/bench/bench.h"
#include "tools/bench/lines.h"

const char *const ours_names[OURS_COUNT] = {"settle", "settle-async", "settle-ingest", "settle-ingest-lines"};

struct ours_run {
    struct bench bench;
    settle *engine;
    size_t group;
    struct peer_counts counts;
    settle_error error;
};

static void count_result(struct peer_counts *counts, const settle_result *result)
{
    counts->accepted += result->outcome == SETTLE_ACCEPTED;
    counts->rejected += result->outcome == SETTLE_REJECTED;
    counts->duplicate += result->outcome == SETTLE_DUPLICATE;
    counts->conflict += result->outcome == SETTLE_CONFLICT;
}

static settle_status submit(struct ours_run *run, bool waits)
{
    struct bench *bench = &run->bench;
    settle_status status = SETTLE_OK;
    uint64_t started = bench_now_ns();
    for (uint64_t at = 0; waits && at < bench->events_count && status == SETTLE_OK; at += run->group) {
        uint64_t left = bench->events_count - at;
        status = settle_submit(run->engine, &bench->events[at], left < run->group ? (size_t)left : run->group,
                               &bench->results[at], &run->error);
    }
    if (!waits)
        status = bench_submit_all(bench, run->engine, bench->events_count, run->group, &run->error);
    run->counts.elapsed_ns = bench_now_ns() - started;
    for (uint64_t i = 0; i < bench->events_count; i++)
        count_result(&run->counts, &bench->results[i]);
    return status;
}

static settle_status ingest(struct ours_run *run, const char *input, bool with_lines)
{
    static const volatile sig_atomic_t goes_on;
    static struct ingest_result result; /* large */
    char path[BENCH_PATH_BYTES];
    const struct ingest_options options = {
        .paths = &input, .path_count = 1, .reject_directory = run->bench.directory, .stop = &goes_on};
    settle_status status = SETTLE_OK;
    if (with_lines)
        status = bench_lines_start(run->engine, bench_path(&run->bench, "logs", path), &run->error);
    uint64_t started = bench_now_ns();
    if (status == SETTLE_OK)
        status = ingest_run(run->engine, &options, &result, &run->error);
    if (status == SETTLE_OK && with_lines)
        status = bench_lines_finish(run->engine, &run->error);
    run->counts = (struct peer_counts){result.counts.accepted, result.counts.rejected, result.counts.duplicate,
                                       result.counts.conflict, bench_now_ns() - started};
    return status;
}

static settle_status balances_write(struct ours_run *run, const char *balances_path)
{
    char path[BENCH_PATH_BYTES];
    struct query *query;
    struct ledger ledger = {NULL, 0, NULL, 0};
    settle_status status = query_open(bench_path(&run->bench, BENCH_DATA, path), &query, &run->error);
    if (status != SETTLE_OK)
        return status;
    status = query_balances(query, 0, 0, &ledger, &run->error);
    FILE *file = status == SETTLE_OK ? fopen(balances_path, "we") : NULL;
    for (size_t i = 0; file != NULL && i < ledger.balance_count; i++) {
        const settle_balance *balance = &ledger.balances[i];
        fprintf(file, "%" PRIu64 " %" PRIu32 " %" PRId64 " %" PRIu64 "\n", balance->user, balance->asset,
                (int64_t)balance->available, balance->version);
    }
    if (status == SETTLE_OK && (file == NULL || fclose(file) != 0))
        status = bench_error(&run->error, SETTLE_E_IO, errno, balances_path);
    ledger_free(&ledger);
    query_close(query);
    return status;
}

static settle_status run_all(struct ours_run *run, enum ours how, enum stream_distribution distribution,
                             const char *balances_path)
{
    char input[BENCH_PATH_BYTES];
    struct bench *bench = &run->bench;
    bool is_submit = how == OURS_SUBMIT || how == OURS_ASYNC;
    settle_status status = SETTLE_OK;
    bench_path(bench, "events.ndjson", input);
    if (is_submit) {
        status = bench_events_init(bench, &run->error);
        if (status == SETTLE_OK)
            status = bench_events_make(bench, distribution, &run->error);
    } else {
        status = bench_input_write(bench, distribution, input, &run->error);
    }
    if (status == SETTLE_OK)
        status = bench_engine_open(bench, &run->engine, &run->error);
    if (status == SETTLE_OK)
        status = is_submit ? submit(run, how == OURS_SUBMIT) : ingest(run, input, how == OURS_LINES);
    settle_status close_status = settle_close(run->engine, status == SETTLE_OK ? &run->error : NULL);
    status = status == SETTLE_OK ? close_status : status;
    return status == SETTLE_OK ? balances_write(run, balances_path) : status;
}

bool ours_run(enum ours how, const char *directory, enum stream_distribution distribution, uint64_t count, size_t group,
              struct peer_counts *ret_counts, const char *balances_path)
{
    static struct ours_run run; /* large */
    run = (struct ours_run){.group = group};
    run.bench.directory = directory;
    run.bench.events_count = count;
    settle_status status = run_all(&run, how, distribution, balances_path);
    bench_events_deinit(&run.bench);
    *ret_counts = run.counts;
    return status == SETTLE_OK || peer_fail(ours_names[how], settle_status_name(status), run.error.text);
}
