/* case_latency.c — how long an event at 100 000 a second takes to stable storage. */
#include <stdlib.h>

#include "tools/bench/bench.h"
#include "tools/bench/paced.h"
#include "tools/bench/samples.h"

static void record(struct bench *bench, struct paced *paced)
{
    size_t count = (size_t)paced->completed;
    if (count == 0)
        return; /* it was asked to stop */
    samples_sort(paced->latencies_ns, count);
    bench_record(bench, FIGURE_PACED_P50, (double)samples_percentile(paced->latencies_ns, count, 50000));
    bench_record(bench, FIGURE_PACED_P99, (double)samples_percentile(paced->latencies_ns, count, 99000));
    bench_record(bench, FIGURE_PACED_P999, (double)samples_percentile(paced->latencies_ns, count, 99900));
    bench_record(bench, FIGURE_PACED_MAX, (double)paced->latencies_ns[count - 1]);
}

settle_status bench_latency(struct bench *bench, settle_error *error)
{
    struct paced paced = {.bench = bench, .count = paced_count(bench)};
    settle_status status = bench_events_make(bench, STREAM_UNIFORM, error);
    if (status != SETTLE_OK)
        return status;
    paced.latencies_ns = calloc((size_t)paced.count, sizeof *paced.latencies_ns);
    if (paced.latencies_ns == NULL)
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory for the samples");
    status = bench_engine_open(bench, &paced.engine, error);
    if (status == SETTLE_OK) {
        status = paced_run(&paced, error);
        settle_status close_status = settle_close(paced.engine, status == SETTLE_OK ? error : NULL);
        status = status == SETTLE_OK ? close_status : status;
    }
    if (status == SETTLE_OK)
        record(bench, &paced);
    free(paced.latencies_ns);
    bench_remove(bench, BENCH_DATA);
    return status;
}
