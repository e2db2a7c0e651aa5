/*
 * lifecycle.c — the whole life of an event id: its first arrival with every leg, and the duplicates and conflicts after
 * it. One answer is one block of memory, from the allocator of whoever asked.
 */
#include <assert.h>
#include <string.h>

#include "engine/engine.h"
#include "journal/base/status.h"
#include "query/internal.h"

/* Remembers the allocator, so that settle_lifecycle_free() works after the engine is gone. */
struct lifecycle_block {
    struct mem mem;
    settle_lifecycle lifecycle;
    settle_arrival repeats[];
};

void settle_lifecycle_free(settle_lifecycle *lifecycle)
{
    if (lifecycle == NULL)
        return;
    struct lifecycle_block *block =
        (struct lifecycle_block *)(void *)((char *)lifecycle - offsetof(struct lifecycle_block, lifecycle));
    struct mem mem = block->mem;
    mem_free(&mem, block);
}

settle_outcome outcome_of_kind(enum record_kind kind)
{
    switch (kind) {
    case RECORD_VALIDATED: return SETTLE_ACCEPTED;
    case RECORD_REJECTED: return SETTLE_REJECTED;
    case RECORD_DUPLICATE: return SETTLE_DUPLICATE;
    default: break;
    }
    assert(kind == RECORD_CONFLICT); /* the reader hands out nothing else as a decision */
    return SETTLE_CONFLICT;
}

settle_status arrival_read(struct journal_reader *reader, uint64_t position, struct event_records *event,
                           settle_arrival *arrival, settle_error *error)
{
    settle_status status = journal_reader_event(reader, position, event, error);
    if (status != SETTLE_OK)
        return status;
    const struct record *decided = &event->decided;
    *arrival = (settle_arrival){
        .result = {.seq = event->consumed.seq, .outcome = outcome_of_kind(decided->kind)},
        .type = event->consumed.u.consumed.type,
        .ts_ms = event->consumed.u.consumed.ts_ms,
        .consumed_us = event->consumed.time_us,
        .decided_us = decided->time_us,
    };
    if (decided->kind == RECORD_REJECTED)
        arrival->result.reason = decided->u.rejected;
    if (decided->kind == RECORD_DUPLICATE || decided->kind == RECORD_CONFLICT)
        arrival->result.first_seq = decided->u.repeat.first_seq;
    return SETTLE_OK;
}

static settle_status read_first(struct journal_reader *reader, uint64_t position, settle_lifecycle *lifecycle,
                                settle_error *error)
{
    struct event_records event;
    settle_status status = arrival_read(reader, position, &event, &lifecycle->first, error);
    if (status != SETTLE_OK)
        return status;
    memcpy(lifecycle->event_id, event.id, sizeof event.id);
    if (event.decided.kind == RECORD_VALIDATED) {
        lifecycle->leg_count = event.decided.u.validated.leg_count;
        assert(lifecycle->leg_count <= SETTLE_LEGS_MAX);
        memcpy(lifecycle->legs, event.decided.u.validated.legs, lifecycle->leg_count * sizeof(settle_leg));
    }
    return journal_reader_persisted(reader, event.frame_position, lifecycle->first.result.seq,
                                    &lifecycle->first.persisted_us, error);
}

static settle_status read_repeat(struct journal_reader *reader, uint64_t position, settle_arrival *arrival,
                                 settle_error *error)
{
    struct event_records event;
    settle_status status = arrival_read(reader, position, &event, arrival, error);
    if (status != SETTLE_OK)
        return status;
    return journal_reader_persisted(reader, event.frame_position, arrival->result.seq, &arrival->persisted_us, error);
}

/* Where an id arrived. */
struct arrivals {
    uint64_t first_position;
    uint64_t *positions; /* the later ones; whoever asked frees them */
    size_t count;
};

static settle_status read_life(struct journal_reader *reader, const struct mem *mem, const struct arrivals *arrivals,
                               settle_lifecycle **ret_lifecycle, settle_error *error)
{
    struct lifecycle_block *block = mem_alloc(mem, 1, sizeof *block + arrivals->count * sizeof block->repeats[0]);
    if (block == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the arrivals of an event");
    block->mem = *mem;
    block->lifecycle.repeat_count = arrivals->count;
    block->lifecycle.repeats = block->repeats;
    settle_status status = read_first(reader, arrivals->first_position, &block->lifecycle, error);
    for (size_t i = 0; i < arrivals->count && status == SETTLE_OK; i++)
        status = read_repeat(reader, arrivals->positions[i], &block->repeats[i], error);
    if (status == SETTLE_OK)
        *ret_lifecycle = &block->lifecycle;
    else
        settle_lifecycle_free(&block->lifecycle);
    return status;
}

static settle_status key_of(settle_text event_id, struct event_key *ret_key, settle_error *error)
{
    if (!event_id_text_is_valid(event_id, SETTLE_EVENT_ID_BYTES_MAX))
        return fail(error, SETTLE_E_NOT_FOUND,
                    "no event has this id: an id is 1 to %d bytes of letters, digits and ._:-",
                    SETTLE_EVENT_ID_BYTES_MAX);
    event_key_of_text(event_id, ret_key);
    return SETTLE_OK;
}

static settle_status fail_unknown(settle_text event_id, settle_error *error)
{
    return fail(error, SETTLE_E_NOT_FOUND, "no event has the id %.*s", (int)event_id.bytes, event_id.data);
}

/* As a view sees it. */
static settle_status view_life(struct view *view, settle_text event_id, settle_lifecycle **ret_lifecycle,
                               settle_error *error)
{
    struct event_key key;
    struct arrivals arrivals = {0, NULL, 0};
    settle_status status = key_of(event_id, &key, error);
    if (status != SETTLE_OK)
        return status;
    status = view_find_event(view, &key, &arrivals.first_position, error);
    if (status == SETTLE_OK)
        status = view_arrivals(view, arrivals.first_position, &arrivals.positions, &arrivals.count, error);
    if (status == SETTLE_E_NOT_FOUND)
        return fail_unknown(event_id, error);
    if (status == SETTLE_OK)
        status = read_life(view->reader, view->mem, &arrivals, ret_lifecycle, error);
    mem_free(view->mem, arrivals.positions);
    return status;
}

settle_status lifecycle_read(struct view *view, settle_text event_id, settle_lifecycle **ret_lifecycle,
                             settle_error *error)
{
    settle_error fault = {0};
    settle_status status = view_life(view, event_id, ret_lifecycle, &fault);
    if (store_is_to_blame(view, status, &fault)) {
        status = view_forget_store(view, &fault, error);
        return status == SETTLE_OK ? view_life(view, event_id, ret_lifecycle, error) : status;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}

settle_status query_lifecycle(struct query *query, settle_text event_id, settle_lifecycle **ret_lifecycle,
                              settle_error *error)
{
    return lifecycle_read(&query->view, event_id, ret_lifecycle, error);
}

/* As the engine knows it, without going through the journal behind the store's checkpoint. */
static settle_status engine_life(settle *engine, settle_text event_id, settle_lifecycle **ret_lifecycle,
                                 settle_error *error)
{
    struct event_key key;
    struct arrivals arrivals = {0, NULL, 0};
    struct journal_reader *reader = NULL;
    settle_status status = key_of(event_id, &key, error);
    if (status != SETTLE_OK)
        return status;
    status = engine_find_arrivals(engine, &key, &arrivals.first_position, &arrivals.positions, &arrivals.count, error);
    if (status == SETTLE_E_NOT_FOUND)
        return fail_unknown(event_id, error);
    if (status == SETTLE_OK)
        status = journal_reader_open(engine->data_fd, &engine->mem, &reader, error);
    if (status == SETTLE_OK)
        status = read_life(reader, &engine->mem, &arrivals, ret_lifecycle, error);
    journal_reader_close(reader);
    mem_free(&engine->mem, arrivals.positions);
    return status;
}

settle_status settle_lifecycle_get(settle *engine, settle_text event_id, settle_lifecycle **ret_lifecycle,
                                   settle_error *error)
{
    struct view view = {0};
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = engine_life(engine, event_id, ret_lifecycle, &fault);
    if (status != SETTLE_E_CORRUPT || strncmp(fault.file, "store", 5) != 0) {
        if (status != SETTLE_OK && error != NULL)
            *error = fault;
        return status;
    }
    /* The store is damaged: a view can do without it. */
    status = engine_view(engine, &view, error);
    if (status != SETTLE_OK)
        return status;
    status = lifecycle_read(&view, event_id, ret_lifecycle, error);
    view_close(&view);
    return status;
}
