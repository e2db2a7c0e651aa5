/*
 * bench.h — what the cases of `settlectl bench` share: a temporary directory, one array of events, and the table of
 * figures they fill. A case measures one thing once; cmd_bench.c calls all of them in turn, several times over.
 */
#ifndef TOOLS_BENCH_BENCH_H
#define TOOLS_BENCH_BENCH_H

#include <signal.h>

#include <settle/settle.h>

#include "tools/bench/stream.h"

/* ---- Figures ---- */

enum unit {
    UNIT_PER_SECOND,  /* of events, records or answers */
    UNIT_NANOSECONDS, /* printed as microseconds */
    UNIT_BYTES,
};

/*      id                   name                      unit         ratio to       what it is */
#define BENCH_FIGURE_MAP(X)                                                                                            \
    X(RAW, "raw", PER_SECOND, RAW, "the raw limit: records of 128 bytes, 8192 a sync")                                 \
    X(SYNC_P50, "sync-p50", NANOSECONDS, SYNC_P50, "the device's own sync, 4096 bytes: p50")                           \
    X(SYNC_P99, "sync-p99", NANOSECONDS, SYNC_P99, "  p99")                                                            \
    X(SYNC_P999, "sync-p99.9", NANOSECONDS, SYNC_P999, "  p99.9")                                                      \
    X(API_1, "api-1-uniform", PER_SECOND, RAW, "submit, groups of 1, uniform accounts")                                \
    X(API_100, "api-100-uniform", PER_SECOND, RAW, "submit, groups of 100")                                            \
    X(API_8192, "api-8192-uniform", PER_SECOND, RAW, "submit, groups of 8192")                                         \
    X(ASYNC_8192, "api-async-8192-uniform", PER_SECOND, RAW, "submit without waiting, groups of 8192")                 \
    X(THREADS, "api-32-threads", PER_SECOND, RAW, "submit, groups of 1, from 32 threads")                              \
    X(API_1_ZIPF, "api-1-zipf", PER_SECOND, RAW, "submit, groups of 1, Zipf accounts")                                 \
    X(API_100_ZIPF, "api-100-zipf", PER_SECOND, RAW, "submit, groups of 100, Zipf")                                    \
    X(API_8192_ZIPF, "api-8192-zipf", PER_SECOND, RAW, "submit, groups of 8192, Zipf")                                 \
    X(ASYNC_8192_ZIPF, "api-async-8192-zipf", PER_SECOND, RAW, "submit without waiting, groups of 8192, Zipf")         \
    X(INGEST, "ingest-uniform", PER_SECOND, RAW, "ingest of NDJSON, no lines out")                                     \
    X(INGEST_ZIPF, "ingest-zipf", PER_SECOND, RAW, "ingest of NDJSON, no lines out, Zipf")                             \
    X(INGEST_LINES, "ingest-lines-uniform", PER_SECOND, RAW, "ingest of NDJSON until all its lines are out")           \
    X(PACED_P50, "paced-p50", NANOSECONDS, SYNC_P50, "100 000 events/s, submit to durable: p50")                       \
    X(PACED_P99, "paced-p99", NANOSECONDS, SYNC_P99, "  p99")                                                          \
    X(PACED_P999, "paced-p99.9", NANOSECONDS, SYNC_P999, "  p99.9")                                                    \
    X(PACED_MAX, "paced-max", NANOSECONDS, SYNC_P999, "  the slowest")                                                 \
    X(OPEN_KILLED, "open-after-kill", NANOSECONDS, SYNC_P50, "opening after kill -9, the store behind")                \
    X(RECOVERY, "recovery", PER_SECOND, RAW, "recovery after kill -9: events applied again")                           \
    X(REBUILD, "rebuild", PER_SECOND, RAW, "opening without a store: events indexed again")                            \
    X(REPLAY, "replay", PER_SECOND, RAW, "replay")                                                                     \
    X(VERIFY, "verify", PER_SECOND, RAW, "verify")                                                                     \
    X(BALANCE_GET, "balance-get", PER_SECOND, RAW, "balances asked beside 100 000 events/s")                           \
    X(BALANCE_GET_P99, "balance-get-p99", NANOSECONDS, SYNC_P99, "  p99 of an answer")                                 \
    X(LIFECYCLE_GET, "lifecycle-get", PER_SECOND, RAW, "lives of events asked beside 100 000 events/s")                \
    X(LIFECYCLE_GET_P99, "lifecycle-get-p99", NANOSECONDS, SYNC_P99, "  p99 of an answer")                             \
    X(JOURNAL_BYTES, "journal-bytes", BYTES, RAW, "journal, an event")                                                 \
    X(STORE_BYTES, "store-bytes", BYTES, RAW, "store, an event")

enum figure_id {
#define X(id, name, unit, base, what) FIGURE_##id,
    BENCH_FIGURE_MAP(X)
#undef X
        FIGURE_COUNT,
};

#define BENCH_RUNS_MAX 99
#define BENCH_RAW_RECORD_BYTES 128

struct figure {
    const char *name, *what;
    enum unit unit;
    enum figure_id base; /* what its ratio is to, of the same run */
    double runs[BENCH_RUNS_MAX];
    unsigned run_count;
};

/* ---- A run of all cases ---- */

struct bench {
    const char *directory;  /* temporary: all that is written is below it */
    uint64_t events_count;  /* of the bulk cases; the others take a share of it */
    uint64_t paced_seconds; /* of each paced case */
    const volatile sig_atomic_t *stop;

    /* The events of one distribution, ready to be submitted. */
    enum stream_distribution distribution;
    settle_event *events;
    char (*trade_ids)[STREAM_TRADE_ID_BYTES];
    settle_result *results;

    struct figure figures[FIGURE_COUNT];
};

void bench_figures_init(struct bench *bench);
/* The median; and that of the ratios, each to the base of the same run (of bytes: to those of a raw record). A figure
 * without runs has none: false. */
bool bench_figure_median(const struct bench *bench, enum figure_id id, double *ret_median, double *ret_ratio);

settle_status bench_events_init(struct bench *bench, settle_error *error);
void bench_events_deinit(struct bench *bench);
/* Makes the events anew where they are of the other distribution. */
settle_status bench_events_make(struct bench *bench, enum stream_distribution distribution, settle_error *error);

/* Writes the assets and all events as NDJSON. */
settle_status bench_input_write(const struct bench *bench, enum stream_distribution distribution, const char *path,
                                settle_error *error);

/* ---- For the cases ---- */

/* Some share of the events that a case takes: at most `most`, at least one. */
uint64_t bench_share(const struct bench *bench, uint64_t divisor, uint64_t most);
uint64_t bench_now_ns(void); /* monotonic */
void bench_record(struct bench *bench, enum figure_id id, double value);
void bench_record_rate(struct bench *bench, enum figure_id id, uint64_t count, uint64_t elapsed_ns);

#define BENCH_PATH_BYTES 4096
/* directory/name */
const char *bench_path(const struct bench *bench, const char *name, char ret_path[BENCH_PATH_BYTES]);
/* Writes the sentence of an error and returns its status; cause_errno 0: none. */
settle_status bench_error(settle_error *error, settle_status status, int cause_errno, const char *text);
/* Removes the file or directory of the temporary directory and waits until the disk has nothing to write. */
void bench_remove(const struct bench *bench, const char *name);
/* Removes a whole tree, `path` included. */
void bench_remove_tree(const char *path);

/* An engine in directory/data, new, with the stream's assets; close it and remove "data". */
#define BENCH_DATA "data"
settle_status bench_engine_open(const struct bench *bench, settle **ret_engine, settle_error *error);
/* Submits events [0, count) in groups without waiting, then flushes. */
settle_status bench_submit_all(const struct bench *bench, settle *engine, uint64_t count, size_t group,
                               settle_error *error);

/* ---- The cases; each records its figures ---- */

typedef settle_status bench_case(struct bench *bench, settle_error *error);
bench_case bench_raw, bench_sync, bench_api_uniform, bench_api_zipf, bench_ingest_uniform, bench_ingest_zipf,
    bench_ingest_lines, bench_latency, bench_recovery, bench_queries;

#endif
