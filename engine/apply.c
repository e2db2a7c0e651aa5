/*
 * apply.c — from a submitted event to its outcome: look the id up, validate, encode the steps, change the balances.
 *
 * The only file that appends events to the journal. Everything here runs under the engine's mutex. An event's records and
 * its effects in memory come into being together, after every wait and every allocation is behind: there is no way to fail
 * between them.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/parties.h"
#include "journal/base/status.h"

/* One reading of the clock serves this many events. */
#define CLOCK_EVENTS 16

struct prepared {
    struct event_key key;
    uint64_t hash;
    struct party_hashes parties;
};

/* Waits for one of the engine's threads, as a caller that wants a commit now. Others have the mutex meanwhile. */
static void progress_wait(settle *e)
{
    engine_snapshot_let_go(e);
    e->waiting++;
    pthread_cond_signal(&e->commit_wanted);
    pthread_cond_wait(&e->progress, &e->mutex);
    e->waiting--;
}

static bool frame_is_full(const settle *e, size_t bytes)
{
    return frame_room(e->open) < bytes || e->open->frame.event_count >= e->options.commit_events_max ||
           e->clock.last_us - e->open->frame.time_us > UINT32_MAX;
}

settle_status engine_frame_room(settle *engine, size_t bytes, settle_error *error)
{
    settle *e = engine;
    assert(bytes <= EVENT_BYTES_MAX + SOURCE_BYTES_MAX);
    for (;;) {
        settle_status status = engine_check(e, error);
        if (status != SETTLE_OK)
            return status;
        if (!e->open->is_open || e->open->frame.record_count == 0) {
            e->open->is_open = false;
            frame_begin(e->writer, e->open, e->next_seq, clock_now_us(&e->clock));
            e->open_since_us = monotonic_us();
            e->open_is_full = false;
            pthread_cond_signal(&e->commit_wanted);
        }
        if (!frame_is_full(e, bytes))
            return SETTLE_OK;
        assert(e->open->frame.record_count > 0 || e->source_open != 0); /* else nobody would empty it */
        e->open_is_full = true;
        progress_wait(e);
    }
}

/* Microseconds from the frame's base to the engine's time. */
static uint32_t time_delta(const settle *e)
{
    assert(e->clock.last_us >= e->open->frame.time_us);
    return (uint32_t)(e->clock.last_us - e->open->frame.time_us);
}

void engine_source_record(settle *e)
{
    if (e->source_open == 0)
        return;
    const struct source_entry *entry = &e->names.sources[e->source_open - 1];
    struct record_source source = {entry->offset_bytes, entry->line, {entry->name, entry->name_bytes}};
    frame_append(e->open, record_encode_source(frame_at_end(e->open), &source));
    e->source_open = 0;
}

/* ---- Applying one event ---- */

static void record_decision(settle *e, const struct verdict *verdict, uint64_t seq, uint64_t event_position)
{
    uint32_t seq_delta = (uint32_t)(seq - e->open->frame.first_seq);
    if (verdict->reason != SETTLE_REASON_NONE) {
        frame_append(e->open, record_encode_rejected(frame_at_end(e->open), seq_delta, time_delta(e), verdict->reason));
        return;
    }
    frame_append(e->open, record_encode_validated(frame_at_end(e->open), seq_delta, time_delta(e), verdict->legs,
                                                  verdict->leg_count));
    for (uint32_t i = 0; i < verdict->leg_count; i++) {
        const settle_leg *leg = &verdict->legs[i];
        struct account *account = verdict->accounts[i];
        if (account == NULL)
            account = accounts_upsert(&e->accounts, leg->user, leg->asset);
        assert(account_leg_fault(account, leg, true) == NULL);
        account_take_leg(account, leg, seq, event_position);
    }
}

/* CONSUMED and its decision, and what they change. first_position 0: the id is new. */
static void record_event(settle *e, const settle_event *event, const struct prepared *prepared,
                         const struct event_records *first, uint64_t first_position, settle_result *ret_result)
{
    uint64_t seq = e->next_seq, position = frame_position_at_end(e->open);
    uint32_t seq_delta = (uint32_t)(seq - e->open->frame.first_seq);
    struct verdict verdict; /* not set to zeros, which would take as long as the rules */
    if (first_position == 0) {
        struct parties parties;
        parties_find(&e->names, &e->accounts, event, &prepared->parties, &parties);
        validate(event, &parties, &verdict);
    }
    frame_append(e->open, record_encode_consumed(frame_at_end(e->open), seq_delta, time_delta(e),
                                                 (uint32_t)e->open->used, event));
    *ret_result = (settle_result){.seq = seq};
    if (first_position == 0) {
        record_decision(e, &verdict, seq, position);
        ids_insert(&e->ids, prepared->hash, position);
        ret_result->outcome = verdict.reason == SETTLE_REASON_NONE ? SETTLE_ACCEPTED : SETTLE_REJECTED;
        ret_result->reason = verdict.reason;
    } else {
        bool is_same = event_content_equal(event, &first->consumed.u.consumed);
        struct record_repeat repeat = {first->consumed.seq, first_position};
        ret_result->outcome = is_same ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
        ret_result->first_seq = repeat.first_seq;
        e->repeats[e->repeat_count++] = (struct store_arrival){first_position, position};
        frame_append(e->open, record_encode_repeat(frame_at_end(e->open), seq_delta, time_delta(e), ret_result->outcome,
                                                   &repeat));
    }
    e->open->frame.event_count++;
    e->next_seq++;
    if (e->open->frame.event_count < e->options.commit_events_max)
        return;
    e->open_is_full = true;
    pthread_cond_signal(&e->commit_wanted);
}

/* Waits until the open frame, the id table and the list of repeats can take one more event. */
static settle_status event_room(settle *e, settle_error *error)
{
    for (;;) {
        /* Whether the open source's position must be recorded first is known when the wait for room is over. */
        settle_status status = engine_frame_room(e, EVENT_BYTES_MAX + SOURCE_BYTES_MAX, error);
        if (status != SETTLE_OK)
            return status;
        uint64_t position = frame_position_at_end(e->open) + SOURCE_BYTES_MAX;
        if (ids_make_room(&e->ids, position, e->applied.position) && e->repeat_count < e->ids.generation_max)
            return SETTLE_OK;
        pthread_cond_signal(&e->checkpoint_wanted);
        progress_wait(e);
    }
}

static settle_status apply_event(settle *e, const settle_event *event, const struct prepared *prepared,
                                 settle_result *ret_result, settle_error *error)
{
    settle_status status = event_room(e, error);
    if (status == SETTLE_OK) /* other callers may have taken it while this one waited */
        status = ids_reserve(&e->ids, 1);
    if (status == SETTLE_OK)
        status = engine_repeat_reserve(e);
    if (status == SETTLE_OK)
        status = accounts_reserve(&e->accounts, SETTLE_LEGS_MAX);
    if (status != SETTLE_OK)
        return status == SETTLE_E_NO_MEMORY ? fail(error, status, "no memory for accounts and ids") : status;
    uint64_t first_position = 0;
    struct event_records first;
    status = engine_id_find(e, &prepared->key, prepared->hash, &first, &first_position, error);
    if (status != SETTLE_OK)
        return status;
    if (e->source_open != 0 && e->source_open != event->end.source)
        engine_source_record(e);
    record_event(e, event, prepared, &first, first_position, ret_result);
    if (event->end.source != 0) {
        struct source_entry *entry = &e->names.sources[event->end.source - 1];
        entry->offset_bytes = event->end.offset_bytes;
        entry->line = event->end.line;
        e->source_open = event->end.source;
    }
    return SETTLE_OK;
}

static void prepare(const settle *e, const settle_event *event, struct prepared *ret_prepared)
{
    event_key_of(event, &ret_prepared->key);
    ret_prepared->hash = event_key_hash(&ret_prepared->key, e->id_seed);
    ids_prefetch(&e->ids, ret_prepared->hash);
    party_hashes_of(event, &ret_prepared->parties);
    party_hashes_prefetch(&ret_prepared->parties, &e->accounts);
}

/* ---- Batches ---- */

static settle_status check_forms(const settle *e, const settle_event *events, size_t count, settle_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *fault = event_form_fault(&events[i]);
        if (fault == NULL && events[i].end.source > e->names.source_count)
            fault = "the source number is not one of settle_source_open()";
        if (fault != NULL)
            return fail_at(error, SETTLE_E_INVALID, NULL, i, 0, "event %zu of the batch: %s", i, fault);
    }
    return SETTLE_OK;
}

/* Mutex held. *ret_frame_number: the frame with the last event. An operating error in the middle latches: part of the batch
 * is in the open frame, and only reopening can tell how much of it counts. */
static settle_status apply_batch(settle *e, const settle_event *events, size_t count, settle_result *ret_results,
                                 uint64_t *ret_frame_number, settle_error *error)
{
    settle_status status = engine_check(e, error);
    if (status == SETTLE_OK)
        status = check_forms(e, events, count, error);
    struct prepared prepared[2 * AHEAD_EVENTS];
    settle_error cause = {.status = SETTLE_OK};
    for (size_t i = 0; i < count && i < AHEAD_EVENTS && status == SETTLE_OK; i++)
        prepare(e, &events[i], &prepared[i]);
    for (size_t i = 0; i < count && status == SETTLE_OK; i++) {
        if (i % CLOCK_EVENTS == 0)
            clock_now_us(&e->clock);
        if (count - i > AHEAD_EVENTS)
            prepare(e, &events[i + AHEAD_EVENTS], &prepared[(i + AHEAD_EVENTS) % (2 * AHEAD_EVENTS)]);
        if (count - i > AHEAD_EVENTS / 2)
            party_hashes_prefetch_accounts(&prepared[(i + AHEAD_EVENTS / 2) % (2 * AHEAD_EVENTS)].parties, &e->accounts);
        status = apply_event(e, &events[i], &prepared[i % (2 * AHEAD_EVENTS)], &ret_results[i], &cause);
        if (status == SETTLE_OK)
            continue;
        /* Nothing has happened yet where the first event's id cannot be looked up: the archive may come back. */
        bool is_archive = status == SETTLE_E_IO && strncmp(cause.file, "archive/", 8) == 0;
        if (i > 0 || (status != SETTLE_E_NO_MEMORY && !is_archive))
            status = engine_latch(e, &cause);
        if (error != NULL)
            *error = status == SETTLE_E_LATCHED ? e->latch : cause;
        if (error != NULL)
            error->status = status;
    }
    engine_snapshot_let_go(e);
    *ret_frame_number = e->open_number;
    return status;
}

settle_status settle_submit(settle *engine, const settle_event *events, size_t count, settle_result *ret_results,
                            settle_error *error)
{
    uint64_t frame_number = 0;
    if (count == 0)
        return SETTLE_OK;
    pthread_mutex_lock(&engine->mutex);
    settle_status status = apply_batch(engine, events, count, ret_results, &frame_number, error);
    if (status == SETTLE_OK)
        status = commit_wait(engine, frame_number, error);
    pthread_mutex_unlock(&engine->mutex);
    if (status != SETTLE_OK && status != SETTLE_E_INVALID)
        memset(ret_results, 0, count * sizeof *ret_results); /* nobody sees an outcome that can still be lost */
    return status;
}

/* Room on the list for one more completion than are promised; other callers may come while this one waits. */
static settle_status pending_reserve(settle *e, settle_error *error)
{
    size_t wanted = e->pending_count + e->pending_promised + 1;
    if (wanted > e->pending_capacity) {
        size_t capacity = e->pending_capacity == 0 ? 64 : e->pending_capacity * 2;
        struct pending *pending = mem_resize(&e->mem, e->pending, capacity, sizeof *pending);
        if (pending == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for pending completions");
        e->pending = pending;
        e->pending_capacity = capacity;
    }
    assert(wanted <= e->pending_capacity);
    e->pending_promised++;
    return SETTLE_OK;
}

settle_status settle_submit_async(settle *engine, const settle_event *events, size_t count, settle_result *ret_results,
                                  settle_done done, void *context, settle_error *error)
{
    if (count == 0 || done == NULL) /* without events there is no commit to tell of */
        return fail(error, SETTLE_E_INVALID, "a submission has events and a completion");
    uint64_t frame_number = 0;
    pthread_mutex_lock(&engine->mutex);
    settle_status status = engine_check(engine, error);
    if (status == SETTLE_OK) /* before an event is taken: behind that nothing may fail any more */
        status = pending_reserve(engine, error);
    if (status == SETTLE_OK) {
        status = apply_batch(engine, events, count, ret_results, &frame_number, error);
        engine->pending_promised--;
        if (status == SETTLE_OK)
            engine->pending[engine->pending_count++] = (struct pending){frame_number, done, context, ret_results, count};
    }
    pthread_mutex_unlock(&engine->mutex);
    if (status != SETTLE_OK && status != SETTLE_E_INVALID)
        memset(ret_results, 0, count * sizeof *ret_results);
    return status;
}

/* ---- Assets and sources ---- */

settle_status settle_asset_declare(settle *engine, const settle_asset *asset, settle_error *error)
{
    const char *fault = asset_form_fault(asset);
    if (fault != NULL)
        return fail(error, SETTLE_E_INVALID, "%s", fault);
    pthread_mutex_lock(&engine->mutex);
    size_t before = engine->names.asset_count;
    clock_now_us(&engine->clock);
    settle_status status = engine_frame_room(engine, ASSET_BYTES, error);
    if (status == SETTLE_OK)
        status = registry_asset_add(&engine->names, asset, error);
    if (status == SETTLE_OK && engine->names.asset_count > before) {
        frame_append(engine->open, record_encode_asset(frame_at_end(engine->open), time_delta(engine), asset));
        engine->names_number = engine->open_number;
    }
    /* Also where it was known: the declaration before may still be on its way to the disk. */
    if (status == SETTLE_OK)
        status = commit_wait(engine, engine->open_number, error);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

/* What a look-up found, once it is durable. Mutex held. */
static settle_status asset_answer(settle *e, const settle_asset *asset, settle_asset *ret_asset)
{
    settle_status status = engine_check(e, NULL);
    if (status != SETTLE_OK || asset == NULL)
        return status == SETTLE_OK ? SETTLE_E_NOT_FOUND : status;
    settle_asset found = *asset; /* the registry may grow while this waits */
    status = commit_wait(e, e->names_number, NULL);
    if (status == SETTLE_OK)
        *ret_asset = found;
    return status;
}

settle_status settle_asset_by_id(settle *engine, uint32_t id, settle_asset *ret_asset)
{
    pthread_mutex_lock(&engine->mutex);
    settle_status status = asset_answer(engine, registry_asset_by_id(&engine->names, id), ret_asset);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

settle_status settle_asset_by_symbol(settle *engine, settle_text symbol, settle_asset *ret_asset)
{
    pthread_mutex_lock(&engine->mutex);
    settle_status status = asset_answer(engine, registry_asset_by_symbol(&engine->names, symbol), ret_asset);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

settle_status settle_source_open(settle *engine, settle_text name, settle_source_position *ret_position,
                                 settle_error *error)
{
    if (name.bytes == 0 || name.bytes > SETTLE_SOURCE_NAME_BYTES_MAX || memchr(name.data, '\0', name.bytes) != NULL)
        return fail(error, SETTLE_E_INVALID, "a source name has 1 to %d bytes", SETTLE_SOURCE_NAME_BYTES_MAX);
    pthread_mutex_lock(&engine->mutex);
    settle_status status = engine_check(engine, error);
    uint32_t number = status == SETTLE_OK ? registry_source_number(&engine->names, name) : 0;
    if (number != 0) {
        const struct source_entry *entry = &engine->names.sources[number - 1];
        settle_source_position position = {number, entry->offset_bytes, entry->line};
        status = commit_wait(engine, engine->open_number, error); /* what is answered shall be durable */
        if (status == SETTLE_OK)
            *ret_position = position;
    } else if (status == SETTLE_OK) {
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a source");
    }
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

settle_status settle_source_advance(settle *engine, settle_source_position position, settle_error *error)
{
    pthread_mutex_lock(&engine->mutex);
    settle_status status = SETTLE_OK;
    if (position.source == 0 || position.source > engine->names.source_count)
        status = fail(error, SETTLE_E_INVALID, "the source number is not one of settle_source_open()");
    else
        status = engine_frame_room(engine, SOURCE_BYTES_MAX, error);
    if (status == SETTLE_OK) {
        if (engine->source_open != position.source)
            engine_source_record(engine);
        struct source_entry *entry = &engine->names.sources[position.source - 1];
        entry->offset_bytes = position.offset_bytes;
        entry->line = position.line;
        engine->source_open = position.source;
    }
    pthread_mutex_unlock(&engine->mutex);
    return status;
}
