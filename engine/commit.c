/*
 * commit.c — the commit thread: takes the open frame, writes and syncs it, tells those who wait.
 *
 * While one frame syncs, callers fill the other, so concurrent submitters share the next commit. A frame is taken when it
 * is full, when a caller waits, or when it is commit_interval_us_max old. What a synced frame made true is recorded as
 * PERSISTED in the next frame, or after the same interval in a frame of its own. Nobody is told anything before the sync;
 * the calls that wait for it (flush, balance) stand here too.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "journal/base/status.h"

uint64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void wait_until(settle *e, uint64_t deadline_us)
{
    struct timespec at = {.tv_sec = (time_t)(deadline_us / 1000000u), .tv_nsec = (long)(deadline_us % 1000000u) * 1000};
    pthread_cond_timedwait(&e->commit_wanted, &e->mutex, &at);
}

static bool has_records(const settle *e)
{
    return (e->open->is_open && e->open->frame.record_count > 0) || e->source_open != 0;
}

/* Waits for a reason to commit. False: there will be none any more. */
static bool commit_is_due(settle *e)
{
    for (;;) {
        bool records = has_records(e), persisted_due = e->durable_seq > e->persisted_seq;
        if (e->latch.status != SETTLE_OK)
            return false;
        if (records || persisted_due) {
            if (e->is_closing || e->flushing > 0 || (records && (e->waiting > 0 || e->open_is_full)))
                return true;
            uint64_t since = records ? e->open_since_us : e->durable_since_us;
            uint64_t deadline = since + e->options.commit_interval_us_max;
            if (monotonic_us() >= deadline)
                return true;
            wait_until(e, deadline);
        } else if (e->is_closing) {
            return false;
        } else {
            pthread_cond_wait(&e->commit_wanted, &e->mutex);
        }
    }
}

/* Closes the open frame and makes the other buffer the open one. */
static struct frame_buffer *commit_take(settle *e)
{
    struct frame_buffer *buffer = e->open;
    uint64_t now = clock_now_us(&e->clock);
    if (!buffer->is_open)
        frame_begin(e->writer, buffer, e->next_seq, now);
    engine_source_record(e);
    if (e->durable_seq > e->persisted_seq) {
        struct record_persisted persisted = {e->persisted_seq + 1, e->durable_seq, now};
        frame_append(buffer, record_encode_persisted(frame_at_end(buffer), &persisted));
        e->persisted_seq = e->durable_seq;
    }
    frame_close(e->writer, buffer);
    e->inflight = buffer;
    e->open = buffer == &e->buffers[0] ? &e->buffers[1] : &e->buffers[0];
    e->open_number++;
    if (e->open_is_full)
        pthread_cond_broadcast(&e->progress); /* there is room again, while this one syncs */
    e->open_is_full = false;
    return buffer;
}

/* Takes the completions that `status` answers off the list and calls them without the mutex. */
static void complete(settle *e, settle_status status)
{
    size_t ready = 0;
    while (ready < e->pending_count && (status != SETTLE_OK || e->pending[ready].frame_number <= e->durable_number))
        ready++;
    if (ready == 0)
        return; /* there may be no list yet */
    for (size_t i = 0; i < ready; i++) {
        struct pending pending = e->pending[i];
        pthread_mutex_unlock(&e->mutex);
        if (status != SETTLE_OK)
            memset(pending.results, 0, pending.count * sizeof *pending.results);
        pending.done(pending.context, status, pending.results, pending.count);
        pthread_mutex_lock(&e->mutex);
    }
    memmove(e->pending, e->pending + ready, (e->pending_count - ready) * sizeof *e->pending);
    e->pending_count -= ready;
}

static void commit_finish(settle *e, struct frame_buffer *buffer)
{
    const struct frame *frame = &buffer->frame;
    e->inflight = NULL;
    e->durable_number = e->open_number - 1;
    e->durable_seq = frame->first_seq + frame->event_count - 1;
    e->durable_position = frame->position + frame->length_bytes;
    e->durable_since_us = monotonic_us();
    e->persisted_durable_seq = e->persisted_seq;
    pthread_cond_broadcast(&e->progress);
    if (e->durable_seq - (e->applied.next_seq - 1) >= e->options.checkpoint_events_max)
        pthread_cond_signal(&e->checkpoint_wanted);
    if (e->emitter.is_idle)
        pthread_cond_signal(&e->emitter.wanted);
    complete(e, SETTLE_OK);
}

static void *commit_main(void *argument)
{
    settle *e = argument;
    pthread_mutex_lock(&e->mutex);
    while (commit_is_due(e)) {
        struct frame_buffer *buffer = commit_take(e);
        pthread_mutex_unlock(&e->mutex);
        settle_error error = {.status = SETTLE_OK};
        settle_status status = journal_writer_commit(e->writer, buffer, &error);
        pthread_mutex_lock(&e->mutex);
        if (status == SETTLE_OK)
            commit_finish(e, buffer);
        else
            engine_latch(e, &error);
    }
    if (e->latch.status != SETTLE_OK) {
        engine_tell_latch(e);
        complete(e, SETTLE_E_LATCHED);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

settle_status commit_start(settle *engine, settle_error *error)
{
    int result = pthread_create(&engine->commit_thread, NULL, commit_main, engine);
    if (result != 0)
        return thread_failed(error, result, "starting the commit thread");
    engine->commit_is_running = true;
    return SETTLE_OK;
}

void commit_stop(settle *engine)
{
    if (!engine->commit_is_running)
        return;
    pthread_mutex_lock(&engine->mutex);
    engine->is_closing = true;
    pthread_cond_signal(&engine->commit_wanted);
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->commit_thread, NULL);
    engine->commit_is_running = false;
}

settle_status commit_wait(settle *engine, uint64_t frame_number, settle_error *error)
{
    settle *e = engine;
    /* A number that is still collecting but has collected nothing needs no commit. */
    if (frame_number == e->open_number && !has_records(e))
        frame_number--;
    settle_status status = SETTLE_OK;
    e->waiting++;
    while (e->durable_number < frame_number) {
        status = engine_check(e, error);
        if (status != SETTLE_OK)
            break;
        pthread_cond_signal(&e->commit_wanted);
        pthread_cond_wait(&e->progress, &e->mutex);
    }
    e->waiting--;
    return status;
}

settle_status settle_flush(settle *engine, settle_error *error)
{
    settle *e = engine;
    pthread_mutex_lock(&e->mutex);
    uint64_t last_seq = e->next_seq - 1;
    e->flushing++;
    settle_status status = engine_check(e, error); /* also where nothing is left to wait for */
    if (status == SETTLE_OK)
        status = commit_wait(e, e->open_number, error);
    while (status == SETTLE_OK && e->persisted_durable_seq < last_seq) {
        status = engine_check(e, error);
        if (status != SETTLE_OK)
            break;
        pthread_cond_signal(&e->commit_wanted);
        pthread_cond_wait(&e->progress, &e->mutex);
    }
    e->flushing--;
    pthread_mutex_unlock(&e->mutex);
    return status;
}

settle_status settle_balance_get(settle *engine, uint64_t user, uint32_t asset, settle_balance *ret_balance,
                                 settle_error *error)
{
    settle *e = engine;
    pthread_mutex_lock(&e->mutex);
    settle_status status = engine_check(e, error);
    const struct account *account = status == SETTLE_OK ? accounts_find(&e->accounts, user, asset) : NULL;
    if (status == SETTLE_OK && account == NULL)
        status = fail(error, SETTLE_E_NOT_FOUND, "no event ever changed this balance");
    if (status == SETTLE_OK) {
        struct account seen = *account; /* later changes may come while this one is made durable */
        if (seen.last_seq > e->durable_seq)
            status = commit_wait(e, e->open->is_open && seen.last_seq >= e->open->frame.first_seq ? e->open_number
                                                                                                 : e->open_number - 1,
                                 error);
        if (status == SETTLE_OK)
            *ret_balance = (settle_balance){seen.user, seen.asset, seen.available, seen.held, seen.version, seen.last_seq};
    }
    pthread_mutex_unlock(&e->mutex);
    return status;
}
