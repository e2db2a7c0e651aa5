/*
 * lookup.c — where an event id arrived: in memory while the store does not have it, else in the store, and in either case
 * confirmed by the record itself. Everything here runs under the engine's mutex.
 */
#include <assert.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/positions.h"
#include "journal/base/status.h"

void engine_snapshot_let_go(settle *engine)
{
    settle *e = engine;
    if (e->snapshot_is_fresh)
        store_snapshot_rest(e->snapshot);
    e->snapshot_is_fresh = false;
}

/* ---- Looking an id up ---- */

static const struct frame_buffer *buffer_of(const settle *e, uint64_t position)
{
    if (e->open->is_open && position >= e->open->frame.position)
        return e->open;
    return e->inflight != NULL && position >= e->inflight->frame.position ? e->inflight : NULL;
}

/* The two records of an event that may still be in memory only. */
static settle_status event_read(settle *e, uint64_t position, struct event_records *ret_event, settle_error *error)
{
    const struct frame_buffer *buffer = buffer_of(e, position);
    if (buffer == NULL) {
        settle_status status = journal_reader_limit(e->lookup, position + 1, error);
        return status == SETTLE_OK ? journal_reader_event(e->lookup, position, ret_event, error) : status;
    }
    struct record_base base = {buffer->frame.first_seq, buffer->frame.time_us};
    size_t at = (size_t)(position - buffer->frame.position);
    const char *fault = record_decode(buffer->bytes + at, buffer->used - at, base, &ret_event->consumed);
    assert(fault == NULL);
    return SETTLE_OK;
}

static settle_status position_has_id(settle *e, uint64_t position, const struct event_key *key,
                                     struct event_records *ret_event, bool *ret_is_same, settle_error *error)
{
    settle_status status = event_read(e, position, ret_event, error);
    if (status != SETTLE_OK)
        return status;
    struct event_key other;
    event_key_of(&ret_event->consumed.u.consumed, &other);
    *ret_is_same = event_key_equal(key, &other);
    return SETTLE_OK;
}

/* In the store: only asked where the id may be there at all. */
static settle_status store_find(settle *e, const struct event_key *key, struct event_records *ret_event,
                                uint64_t *ret_position, settle_error *error)
{
    *ret_position = 0;
    if (id_bounds_are_passed(&e->applied_bounds, key))
        return SETTLE_OK;
    settle_status status = SETTLE_OK;
    if (!e->snapshot_is_fresh)
        status = store_snapshot_renew(e->snapshot, error);
    if (status != SETTLE_OK)
        return status;
    e->snapshot_is_fresh = true;
    uint64_t position = 0;
    status = store_id_get(e->snapshot, key, &position, error);
    if (status != SETTLE_OK)
        return status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status;
    bool is_same = false;
    status = position_has_id(e, position, key, ret_event, &is_same, error);
    if (status == SETTLE_OK && !is_same)
        status = fail_at(error, SETTLE_E_CORRUPT, "store", position, 0, "the id index points to another event");
    if (status == SETTLE_OK)
        *ret_position = position;
    return status;
}

settle_status engine_id_find(settle *engine, const struct event_key *key, uint64_t hash, struct event_records *ret_event,
                             uint64_t *ret_position, settle_error *error)
{
    settle *e = engine;
    struct ids_cursor cursor = {0, 0};
    uint64_t position;
    while ((position = ids_find(&e->ids, hash, &cursor)) != 0) {
        bool is_same = false;
        settle_status status = position_has_id(e, position, key, ret_event, &is_same, error);
        if (status != SETTLE_OK)
            return status;
        if (is_same) {
            *ret_position = position;
            return SETTLE_OK;
        }
    }
    return store_find(e, key, ret_event, ret_position, error);
}

/* ---- Duplicates and conflicts until the store has them ---- */

settle_status engine_repeat_reserve(settle *engine)
{
    settle *e = engine;
    if (e->repeat_count < e->repeat_capacity)
        return SETTLE_OK;
    size_t capacity = e->repeat_capacity == 0 ? 1024 : e->repeat_capacity * 2;
    struct store_arrival *repeats = mem_resize(&e->mem, e->repeats, capacity, sizeof *repeats);
    if (repeats == NULL)
        return SETTLE_E_NO_MEMORY;
    e->repeats = repeats;
    e->repeat_capacity = capacity;
    return SETTLE_OK;
}

void engine_forget_repeats(settle *engine)
{
    settle *e = engine;
    size_t known = 0;
    while (known < e->repeat_count && e->repeats[known].position < e->applied.position)
        known++;
    if (known == 0)
        return;
    memmove(e->repeats, e->repeats + known, (e->repeat_count - known) * sizeof *e->repeats);
    e->repeat_count -= known;
}

/* ---- Where an id arrived ---- */

/* Mutex held. */
static settle_status list_arrivals(settle *e, const struct event_key *key, uint64_t *ret_first_position,
                                   struct positions *list, settle_error *error)
{
    struct event_records first;
    settle_status status = engine_id_find(e, key, event_key_hash(key, e->id_seed), &first, ret_first_position, error);
    if (status == SETTLE_OK && *ret_first_position == 0)
        return SETTLE_E_NOT_FOUND;
    if (status == SETTLE_OK && !e->snapshot_is_fresh)
        status = store_snapshot_renew(e->snapshot, error);
    e->snapshot_is_fresh = e->snapshot_is_fresh || status == SETTLE_OK;
    if (status == SETTLE_OK)
        status = store_arrivals_walk(e->snapshot, *ret_first_position, positions_add, list, error);
    for (size_t i = 0; i < e->repeat_count && status == SETTLE_OK; i++)
        if (e->repeats[i].first_position == *ret_first_position)
            status = positions_add(list, e->repeats[i].position, error);
    return status;
}

settle_status engine_find_arrivals(settle *engine, const struct event_key *key, uint64_t *ret_first_position,
                                   uint64_t **ret_positions, size_t *ret_count, settle_error *error)
{
    settle *e = engine;
    struct positions list = {&e->mem, NULL, 0, 0};
    uint64_t first_position = 0;
    pthread_mutex_lock(&e->mutex);
    settle_status status = engine_check(e, error);
    if (status == SETTLE_OK)
        status = list_arrivals(e, key, &first_position, &list, error);
    engine_snapshot_let_go(e);
    uint64_t last = list.count > 0 ? list.at[list.count - 1] : first_position;
    if (status == SETTLE_OK && last >= e->durable_position)
        status = commit_wait(e, buffer_of(e, last) == e->open ? e->open_number : e->open_number - 1, error);
    pthread_mutex_unlock(&e->mutex);
    if (status != SETTLE_OK) {
        mem_free(&e->mem, list.at);
        return status;
    }
    *ret_first_position = first_position;
    *ret_positions = list.at;
    *ret_count = list.count;
    return SETTLE_OK;
}
