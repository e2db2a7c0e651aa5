/*
 * checkpoint.c — the checkpoint thread: follows the durable journal and brings the store up to it.
 *
 * It reads the journal like any other follower and shares nothing with the hot path but the durable position. So a
 * checkpoint is consistent by construction, never ahead of stable storage, and recovery is the same code with nobody else
 * running: the store is brought up to the journal's end before the engine answers.
 */
#include <assert.h>
#include <inttypes.h>
#include <time.h>

#include "engine/engine.h"
#include "journal/base/status.h"

/* Writes what the projection holds; `point` is behind it. */
static settle_status projection_store(settle *e, const struct journal_point *point, settle_error *error)
{
    const struct store_batch batch = projection_batch(&e->projection, point);
    return store_apply(e->store, &batch, error);
}

/* One batch from *point on. SETTLE_E_END when the journal's end is reached; the store then holds everything up to *point. */
static settle_status checkpoint_step(settle *e, struct journal_point *point, settle_error *error)
{
    uint64_t before = point->position;
    projection_clear(&e->projection);
    settle_status status = projection_read(&e->projection, e->follower, point, e->options.checkpoint_events_max, error);
    if ((status == SETTLE_OK || status == SETTLE_E_END) && point->position > before) {
        settle_status stored = projection_store(e, point, error);
        if (stored != SETTLE_OK)
            return stored;
    }
    return status;
}

static void applied_set(settle *e, const struct journal_point *point)
{
    e->applied = *point;
    id_bounds_join(&e->applied_bounds, &e->projection.bounds);
    engine_forget_repeats(e);
}

settle_status checkpoint_recover(settle *engine, settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK) {
        status = checkpoint_step(engine, &engine->applied, error);
        applied_set(engine, &engine->applied);
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* Up to what is durable now, and no further: who ran after a journal that keeps growing would write most pages of the store
 * several times a second. Called and returns with the mutex held. */
static void checkpoint_now(settle *e)
{
    const uint64_t limit = e->durable_position;
    while (e->latch.status == SETTLE_OK && e->applied.position < limit) {
        struct journal_point point = e->applied;
        settle_error error = {.status = SETTLE_OK};
        pthread_mutex_unlock(&e->mutex);
        settle_status status = journal_reader_limit(e->follower, limit, &error);
        if (status == SETTLE_OK)
            status = checkpoint_step(e, &point, &error);
        pthread_mutex_lock(&e->mutex);
        if (status != SETTLE_OK && status != SETTLE_E_END) {
            engine_latch(e, &error);
            return;
        }
        assert(point.position > e->applied.position);
        applied_set(e, &point);
        pthread_cond_broadcast(&e->progress);
    }
}

static bool checkpoint_is_urgent(const settle *e)
{
    return e->checkpoint_is_closing || e->latch.status != SETTLE_OK ||
           e->durable_seq - (e->applied.next_seq - 1) >= e->options.checkpoint_events_max;
}

static void *checkpoint_main(void *argument)
{
    settle *e = argument;
    pthread_mutex_lock(&e->mutex);
    while (!e->checkpoint_is_closing && e->latch.status == SETTLE_OK) {
        uint64_t deadline_us = monotonic_us() + (uint64_t)e->options.checkpoint_interval_ms * 1000u;
        struct timespec at = {.tv_sec = (time_t)(deadline_us / 1000000u),
                              .tv_nsec = (long)(deadline_us % 1000000u) * 1000};
        while (!checkpoint_is_urgent(e) && monotonic_us() < deadline_us)
            pthread_cond_timedwait(&e->checkpoint_wanted, &e->mutex, &at);
        checkpoint_now(e);
    }
    checkpoint_now(e); /* closing may have begun before the loop did */
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

settle_status checkpoint_start(settle *engine, settle_error *error)
{
    int result = pthread_create(&engine->checkpoint_thread, NULL, checkpoint_main, engine);
    if (result != 0)
        return thread_failed(error, result, "starting the checkpoint thread");
    engine->checkpoint_is_running = true;
    return SETTLE_OK;
}

void checkpoint_stop(settle *engine)
{
    if (!engine->checkpoint_is_running)
        return;
    pthread_mutex_lock(&engine->mutex);
    engine->checkpoint_is_closing = true;
    pthread_cond_signal(&engine->checkpoint_wanted);
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->checkpoint_thread, NULL);
    engine->checkpoint_is_running = false;
}
