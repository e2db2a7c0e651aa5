/*
 * case_api.c — events through the library: groups of 1, 100 and 8192 that wait or do not, and 32 threads of single
 * events.
 */
#include <pthread.h>
#include <stdlib.h>

#include "tools/bench/bench.h"

#define GROUP_LARGE 8192
#define SINGLE_EVENTS_MAX 10000
#define THREAD_COUNT 32
#define THREAD_EVENTS_MAX 100000

static settle_status submit_waiting(const struct bench *bench, settle *engine, uint64_t count, size_t group,
                                    settle_error *error)
{
    settle_status status = SETTLE_OK;
    for (uint64_t at = 0; at < count && status == SETTLE_OK; at += group) {
        size_t take = count - at < group ? (size_t)(count - at) : group;
        status = settle_submit(engine, &bench->events[at], take, &bench->results[at], error);
    }
    return status;
}

/* ---- Many threads ---- */

struct submitter {
    const struct bench *bench;
    settle *engine;
    uint64_t first, count; /* every THREAD_COUNTth event from `first` */
    settle_status status;
    settle_error error;
    pthread_t thread;
};

static void *submitter_main(void *context)
{
    struct submitter *s = context;
    for (uint64_t at = s->first; at < s->count && s->status == SETTLE_OK; at += THREAD_COUNT)
        s->status = settle_submit(s->engine, &s->bench->events[at], 1, &s->bench->results[at], &s->error);
    return NULL;
}

static settle_status submit_threads(const struct bench *bench, settle *engine, uint64_t count, size_t group,
                                    settle_error *error)
{
    struct submitter *submitters = calloc(THREAD_COUNT, sizeof *submitters);
    settle_status status = SETTLE_OK;
    size_t started = 0;
    (void)group;
    if (submitters == NULL)
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no memory");
    for (; started < THREAD_COUNT && status == SETTLE_OK; started++) {
        struct submitter *s = &submitters[started];
        *s = (struct submitter){.bench = bench, .engine = engine, .first = started, .count = count};
        if (pthread_create(&s->thread, NULL, submitter_main, s) != 0) {
            status = bench_error(error, SETTLE_E_NO_MEMORY, 0, "no thread");
            break;
        }
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(submitters[i].thread, NULL);
        if (submitters[i].status != SETTLE_OK && status == SETTLE_OK) {
            status = submitters[i].status;
            *error = submitters[i].error;
        }
    }
    free(submitters);
    return status;
}

/* ---- One run ---- */

typedef settle_status submit_how(const struct bench *bench, settle *engine, uint64_t count, size_t group,
                                 settle_error *error);

static settle_status measure(struct bench *bench, enum figure_id figure, submit_how *submit, size_t group,
                             uint64_t count, settle_error *error)
{
    settle *engine;
    settle_status status = bench_engine_open(bench, &engine, error);
    if (status != SETTLE_OK)
        return status;
    uint64_t started = bench_now_ns();
    status = submit(bench, engine, count, group, error);
    uint64_t elapsed = bench_now_ns() - started;
    if (status == SETTLE_OK)
        status = settle_close(engine, error);
    else
        settle_close(engine, NULL);
    if (status == SETTLE_OK)
        bench_record_rate(bench, figure, count, elapsed);
    bench_remove(bench, BENCH_DATA);
    return status;
}

static settle_status measure_groups(struct bench *bench, const enum figure_id figures[4], settle_error *error)
{
    settle_status status =
        measure(bench, figures[0], submit_waiting, 1, bench_share(bench, 50, SINGLE_EVENTS_MAX), error);
    if (status == SETTLE_OK)
        status = measure(bench, figures[1], submit_waiting, 100, bench_share(bench, 4, UINT64_MAX), error);
    if (status == SETTLE_OK)
        status = measure(bench, figures[2], submit_waiting, GROUP_LARGE, bench->events_count, error);
    if (status == SETTLE_OK)
        status = measure(bench, figures[3], bench_submit_all, GROUP_LARGE, bench->events_count, error);
    return status;
}

settle_status bench_api_uniform(struct bench *bench, settle_error *error)
{
    static const enum figure_id figures[] = {FIGURE_API_1, FIGURE_API_100, FIGURE_API_8192, FIGURE_ASYNC_8192};
    settle_status status = bench_events_make(bench, STREAM_UNIFORM, error);
    if (status == SETTLE_OK)
        status = measure_groups(bench, figures, error);
    if (status == SETTLE_OK)
        status = measure(bench, FIGURE_THREADS, submit_threads, 1, bench_share(bench, 10, THREAD_EVENTS_MAX), error);
    return status;
}

settle_status bench_api_zipf(struct bench *bench, settle_error *error)
{
    static const enum figure_id figures[] = {FIGURE_API_1_ZIPF, FIGURE_API_100_ZIPF, FIGURE_API_8192_ZIPF,
                                             FIGURE_ASYNC_8192_ZIPF};
    settle_status status = bench_events_make(bench, STREAM_ZIPF, error);
    return status == SETTLE_OK ? measure_groups(bench, figures, error) : status;
}
