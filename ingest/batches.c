/*
 * batches.c — handing batches to the engine and counting what became of them.
 *
 * batch_landed() runs on the engine's commit thread; everything else on the loop's. A batch belongs to the engine from
 * settle_submit_async() to its completion, which comes exactly once, and to the loop otherwise.
 */
#include "ingest/batches.h"

#include <assert.h>

#include "ingest/error.h"

void batches_init(struct batches *batches, settle *engine)
{
    batches->engine = engine;
    pthread_mutex_init(&batches->lock, NULL);
    pthread_cond_init(&batches->landed, NULL);
    batches->status = SETTLE_OK;
    batches->counts = (struct ingest_counts){0};
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        batches->batches[i].owner = batches;
        batches->batches[i].is_in_flight = false;
    }
}

void batches_deinit(struct batches *batches)
{
    (void)batches_wait(batches, NULL);
    pthread_cond_destroy(&batches->landed);
    pthread_mutex_destroy(&batches->lock);
}

static void count_result(struct ingest_counts *counts, const settle_result *result)
{
    switch (result->outcome) {
    case SETTLE_ACCEPTED: counts->accepted++; break;
    case SETTLE_REJECTED: counts->rejected++; break;
    case SETTLE_DUPLICATE: counts->duplicate++; break;
    case SETTLE_CONFLICT: counts->conflict++; break;
    }
    if (counts->first_seq == 0 || result->seq < counts->first_seq)
        counts->first_seq = result->seq;
    if (result->seq > counts->last_seq)
        counts->last_seq = result->seq;
}

static void batch_landed(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct batch *batch = context;
    struct batches *batches = batch->owner;
    pthread_mutex_lock(&batches->lock);
    assert(batch->is_in_flight);
    if (status == SETTLE_OK)
        for (size_t i = 0; i < count; i++)
            count_result(&batches->counts, &results[i]);
    else if (batches->status == SETTLE_OK)
        batches->status = status;
    batch->is_in_flight = false;
    pthread_cond_signal(&batches->landed);
    pthread_mutex_unlock(&batches->lock);
}

/* A completion brings a status only; the engine, asked again, says the rest. */
static settle_status explain(struct batches *batches, settle_status status, settle_error *error)
{
    assert(status != SETTLE_OK);
    settle_status again = settle_flush(batches->engine, error);
    if (again != SETTLE_OK)
        return again;
    return ingest_fail(error, status, "", "a commit failed: %s", settle_status_sentence(status));
}

settle_status batches_submit(struct batches *batches, const settle_event *events, size_t count, settle_error *error)
{
    assert(count >= 1);
    assert(count <= BATCH_EVENTS_MAX);
    struct batch *batch = NULL;
    pthread_mutex_lock(&batches->lock);
    while (batches->status == SETTLE_OK && batch == NULL) {
        for (size_t i = 0; i < BATCH_COUNT && batch == NULL; i++)
            if (!batches->batches[i].is_in_flight)
                batch = &batches->batches[i];
        if (batch == NULL)
            pthread_cond_wait(&batches->landed, &batches->lock);
    }
    settle_status status = batches->status;
    if (status == SETTLE_OK)
        batch->is_in_flight = true;
    pthread_mutex_unlock(&batches->lock);
    if (status != SETTLE_OK)
        return explain(batches, status, error);

    status = settle_submit_async(batches->engine, events, count, batch->results, batch_landed, batch, error);
    if (status != SETTLE_OK) {
        pthread_mutex_lock(&batches->lock);
        batch->is_in_flight = false;
        pthread_mutex_unlock(&batches->lock);
    }
    return status;
}

static bool any_in_flight(const struct batches *batches)
{
    bool any = false;
    for (size_t i = 0; i < BATCH_COUNT; i++)
        any = any || batches->batches[i].is_in_flight;
    return any;
}

settle_status batches_wait(struct batches *batches, settle_error *error)
{
    pthread_mutex_lock(&batches->lock);
    while (any_in_flight(batches))
        pthread_cond_wait(&batches->landed, &batches->lock);
    settle_status status = batches->status;
    pthread_mutex_unlock(&batches->lock);
    return status == SETTLE_OK ? SETTLE_OK : explain(batches, status, error);
}

void batches_count(struct batches *batches, struct ingest_counts *counts)
{
    pthread_mutex_lock(&batches->lock);
    const struct ingest_counts *known = &batches->counts;
    counts->accepted += known->accepted;
    counts->rejected += known->rejected;
    counts->duplicate += known->duplicate;
    counts->conflict += known->conflict;
    counts->first_seq = known->first_seq;
    counts->last_seq = known->last_seq;
    pthread_mutex_unlock(&batches->lock);
}
