/* paced.c — see paced.h. */
#include "tools/bench/paced.h"

#include <stdlib.h>
#include <time.h>

#define TICK_NS 100000
#define TICK_EVENTS (PACED_EVENTS_A_SECOND / (1000000000 / TICK_NS))

uint64_t paced_count(const struct bench *bench)
{
    return bench_share(bench, 1, bench->paced_seconds * PACED_EVENTS_A_SECOND);
}

static uint64_t due_ns(const struct paced *paced, uint64_t index)
{
    return paced->started_ns + index / TICK_EVENTS * TICK_NS;
}

/* Completions come in the order of submission, from the engine's commit thread alone. */
static void event_is_durable(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct paced *paced = context;
    uint64_t index = atomic_load_explicit(&paced->completed, memory_order_relaxed);
    (void)results, (void)count;
    if (status != SETTLE_OK)
        paced->failed = true;
    paced->latencies_ns[index] = bench_now_ns() - due_ns(paced, index);
    atomic_store_explicit(&paced->completed, index + 1, memory_order_release);
}

static void sleep_until(uint64_t time_ns)
{
    const struct timespec at = {(time_t)(time_ns / 1000000000u), (long)(time_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0 && bench_now_ns() < time_ns)
        continue; /* a signal came */
}

settle_status paced_run(struct paced *paced, settle_error *error)
{
    const struct bench *bench = paced->bench;
    settle_status status = SETTLE_OK;
    paced->started_ns = bench_now_ns() + TICK_NS;
    for (uint64_t i = 0; i < paced->count && status == SETTLE_OK && *bench->stop == 0; i++) {
        if (i % TICK_EVENTS == 0)
            sleep_until(due_ns(paced, i));
        status = settle_submit_async(paced->engine, &bench->events[i], 1, &bench->results[i], event_is_durable, paced,
                                     error);
    }
    if (status == SETTLE_OK)
        status = settle_flush(paced->engine, error);
    paced->is_over = true;
    return status;
}
