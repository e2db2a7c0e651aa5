/*
 * case_ingest.c — NDJSON from a file to durable balances: without lines out, and until the last line of its steps is
 * out.
 */
#include <string.h>

#include "ingest/ingest.h"
#include "tools/bench/bench.h"
#include "tools/bench/lines.h"

#define INPUT_NAME "events.ndjson"
#define LINES_NAME "logs"

static settle_status ingest(const struct bench *bench, settle *engine, const char *input, settle_error *error)
{
    static struct ingest_result result; /* large */
    char rejects[BENCH_PATH_BYTES];
    const struct ingest_options options = {
        .paths = &input,
        .path_count = 1,
        .reject_directory = bench_path(bench, "rejects", rejects),
        .stop = bench->stop,
    };
    memset(&result, 0, sizeof result);
    settle_status status = ingest_run(engine, &options, &result, error);
    if (status == SETTLE_OK && *bench->stop == 0 &&
        (result.counts.malformed > 0 || result.counts.events != bench->events_count))
        status = bench_error(error, SETTLE_E_MALFORMED, 0, "ingest did not take every event");
    return status;
}

static settle_status measure(struct bench *bench, enum stream_distribution distribution, enum figure_id figure,
                             bool with_lines, settle_error *error)
{
    char input[BENCH_PATH_BYTES], lines[BENCH_PATH_BYTES];
    settle *engine = NULL;
    uint64_t started = 0;
    settle_status status = bench_input_write(bench, distribution, bench_path(bench, INPUT_NAME, input), error);
    if (status == SETTLE_OK)
        status = bench_engine_open(bench, &engine, error);
    if (status == SETTLE_OK && with_lines)
        status = bench_lines_start(engine, bench_path(bench, LINES_NAME, lines), error);
    if (status == SETTLE_OK) {
        started = bench_now_ns();
        status = ingest(bench, engine, input, error);
    }
    if (status == SETTLE_OK && with_lines)
        status = bench_lines_finish(engine, error);
    if (status == SETTLE_OK)
        bench_record_rate(bench, figure, bench->events_count, bench_now_ns() - started);
    settle_status close_status = settle_close(engine, status == SETTLE_OK ? error : NULL);
    bench_remove(bench, BENCH_DATA);
    bench_remove(bench, LINES_NAME);
    bench_remove(bench, INPUT_NAME);
    return status == SETTLE_OK ? close_status : status;
}

settle_status bench_ingest_uniform(struct bench *bench, settle_error *error)
{
    return measure(bench, STREAM_UNIFORM, FIGURE_INGEST, false, error);
}

settle_status bench_ingest_zipf(struct bench *bench, settle_error *error)
{
    return measure(bench, STREAM_ZIPF, FIGURE_INGEST_ZIPF, false, error);
}

settle_status bench_ingest_lines(struct bench *bench, settle_error *error)
{
    return measure(bench, STREAM_UNIFORM, FIGURE_INGEST_LINES, true, error);
}
