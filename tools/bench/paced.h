/*
 * paced.h — events at a fixed pace, whatever the engine does: ten every 100 µs, each submitted by itself and without
 * waiting. The time of an event runs from the tick it was due at to its completion, so a stall counts for all that
 * fell into it.
 */
#ifndef TOOLS_BENCH_PACED_H
#define TOOLS_BENCH_PACED_H

#include <stdatomic.h>

#include "tools/bench/bench.h"

#define PACED_EVENTS_A_SECOND 100000

struct paced {
    const struct bench *bench;
    settle *engine;
    uint64_t count;         /* events to submit, from event 0 on */
    uint64_t *latencies_ns; /* count of them; filled up to `completed` */
    uint64_t started_ns;
    _Atomic uint64_t completed; /* events known to be durable */
    _Atomic bool failed, is_over;
};

/* Submits all, or stops early where the bench is asked to; returns when all that was submitted is durable. */
settle_status paced_run(struct paced *paced, settle_error *error);
/* The events of a paced case; no more than there are. */
uint64_t paced_count(const struct bench *bench);

#endif
