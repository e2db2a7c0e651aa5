/* results.h — the figures of a bench shown: a table for people, NDJSON, and an SVG chart. */
#ifndef TOOLS_BENCH_RESULTS_H
#define TOOLS_BENCH_RESULTS_H

#include "query/print.h"
#include "tools/bench/bench.h"
#include "tools/bench/machine.h"

struct results {
    const struct bench *bench;
    struct machine machine;
    unsigned run_count;
};

void results_json(struct out *out, const struct results *results);
settle_status results_table(struct out *out, const struct results *results);
void results_chart(struct out *out, const struct results *results);

#endif
