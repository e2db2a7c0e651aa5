/*
 * case_queries.c — one thread asks for balances, then for the lives of events, while another submits 100 000
 * events/s.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"
#include "tools/bench/paced.h"
#include "tools/bench/samples.h"

#define ANSWERS_MAX 4000000

struct writer {
    struct paced paced;
    settle_status status;
    settle_error error;
};

static void *writer_main(void *context)
{
    struct writer *writer = context;
    writer->status = paced_run(&writer->paced, &writer->error);
    return NULL;
}

typedef settle_status ask(settle *engine, const settle_event *event, settle_error *error);

static settle_status ask_balance(settle *engine, const settle_event *event, settle_error *error)
{
    settle_balance balance;
    bool is_trade = event->type == SETTLE_TRADE;
    return settle_balance_get(engine, is_trade ? event->u.trade.buyer : event->u.transfer.user,
                              is_trade ? event->u.trade.quote : event->u.transfer.asset, &balance, error);
}

static settle_status ask_lifecycle(settle *engine, const settle_event *event, settle_error *error)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_lifecycle *lifecycle;
    size_t bytes = settle_event_id_format(event, id);
    settle_status status = settle_lifecycle_get(engine, (settle_text){id, bytes}, &lifecycle, error);
    if (status == SETTLE_OK)
        settle_lifecycle_free(lifecycle);
    return status;
}

/* Asks about events that are durable, until the writer is done. */
static settle_status ask_all(struct writer *writer, ask *question, uint64_t *samples, size_t *ret_count,
                             settle_error *error)
{
    uint64_t random = STREAM_SEED;
    settle_status status = SETTLE_OK;
    size_t count = 0;
    while (status == SETTLE_OK && !writer->paced.is_over && count < ANSWERS_MAX) {
        uint64_t known = atomic_load_explicit(&writer->paced.completed, memory_order_acquire);
        if (known == 0)
            continue;
        const settle_event *event = &writer->paced.bench->events[random_below(random_next(&random), known)];
        uint64_t started = bench_now_ns();
        status = question(writer->paced.engine, event, error);
        samples[count++] = bench_now_ns() - started;
    }
    *ret_count = count;
    return status;
}

static settle_status ask_beside(struct bench *bench, struct writer *writer, ask *question,
                                const enum figure_id figures[2], uint64_t *samples, settle_error *error)
{
    pthread_t thread;
    size_t count = 0;
    if (pthread_create(&thread, NULL, writer_main, writer) != 0)
        return bench_error(error, SETTLE_E_NO_MEMORY, 0, "no thread");
    uint64_t started = bench_now_ns();
    settle_status status = ask_all(writer, question, samples, &count, error);
    uint64_t elapsed = bench_now_ns() - started;
    pthread_join(thread, NULL);
    if (status == SETTLE_OK && writer->status != SETTLE_OK) {
        status = writer->status;
        *error = writer->error;
    }
    if (status == SETTLE_OK && count > 0) {
        samples_sort(samples, count);
        bench_record_rate(bench, figures[0], count, elapsed);
        bench_record(bench, figures[1], (double)samples_percentile(samples, count, 99000));
    }
    return status;
}

static settle_status measure(struct bench *bench, ask *question, const enum figure_id figures[2], settle_error *error)
{
    uint64_t count = paced_count(bench), *samples = malloc(ANSWERS_MAX * sizeof *samples);
    struct writer *writer = calloc(1, sizeof *writer);
    uint64_t *latencies = calloc((size_t)count, sizeof *latencies);
    settle_status status = SETTLE_E_NO_MEMORY;
    if (samples == NULL || writer == NULL || latencies == NULL) {
        bench_error(error, status, 0, "no memory for the samples");
    } else {
        writer->paced = (struct paced){.bench = bench, .count = count, .latencies_ns = latencies};
        status = bench_engine_open(bench, &writer->paced.engine, error);
    }
    if (status == SETTLE_OK) {
        status = ask_beside(bench, writer, question, figures, samples, error);
        settle_status close_status = settle_close(writer->paced.engine, status == SETTLE_OK ? error : NULL);
        status = status == SETTLE_OK ? close_status : status;
    }
    free(latencies);
    free(writer);
    free(samples);
    bench_remove(bench, BENCH_DATA);
    return status;
}

settle_status bench_queries(struct bench *bench, settle_error *error)
{
    static const enum figure_id balances[] = {FIGURE_BALANCE_GET, FIGURE_BALANCE_GET_P99};
    static const enum figure_id lives[] = {FIGURE_LIFECYCLE_GET, FIGURE_LIFECYCLE_GET_P99};
    settle_status status = bench_events_make(bench, STREAM_UNIFORM, error);
    if (status == SETTLE_OK)
        status = measure(bench, ask_balance, balances, error);
    return status == SETTLE_OK ? measure(bench, ask_lifecycle, lives, error) : status;
}
