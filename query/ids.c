/*
 * ids.c — event ids by what they begin with. The store has natural ids in the order of their times and not of their text,
 * so all ids are looked at; those of the journal's tail by reading it. Owns the matches for the call.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

struct match {
    uint64_t position; /* of the id's first arrival */
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
};

struct search {
    settle_text prefix;
    struct match *matches;
    size_t count, capacity;
};

static settle_status consider(struct search *search, const struct event_key *key, uint64_t position,
                              settle_error *error)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    size_t bytes = event_key_format(key, id);
    if (bytes < search->prefix.bytes || memcmp(id, search->prefix.data, search->prefix.bytes) != 0)
        return SETTLE_OK;
    if (search->count == search->capacity) {
        size_t capacity = search->capacity == 0 ? 64 : search->capacity * 2;
        struct match *matches = realloc(search->matches, capacity * sizeof *matches);
        if (matches == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu event ids", capacity);
        search->matches = matches;
        search->capacity = capacity;
    }
    struct match *match = &search->matches[search->count++];
    match->position = position;
    memcpy(match->id, id, sizeof id);
    return SETTLE_OK;
}

static settle_status consider_stored(void *context, const struct store_id *id, settle_error *error)
{
    return consider(context, &id->key, id->position, error);
}

/* First arrivals alone: a repeat's id is among them already. */
static settle_status consider_frame(struct search *search, const struct frame *frame, settle_error *error)
{
    struct record consumed, decided;
    size_t offset = 0;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, &consumed)) {
        if (consumed.kind != RECORD_CONSUMED)
            continue;
        bool has_decision = frame_next_record(frame, &offset, &decided);
        assert(has_decision); /* the reader has checked it */
        if (decided.kind != RECORD_VALIDATED && decided.kind != RECORD_REJECTED)
            continue;
        struct event_key key;
        event_key_of(&consumed.u.consumed, &key);
        status = consider(search, &key, consumed.position, error);
    }
    return status;
}

static settle_status search_view(struct view *view, struct search *search, settle_error *error)
{
    struct journal_point point = view->tail;
    struct frame frame;
    settle_status status = SETTLE_OK;
    if (view->store != NULL)
        status = store_ids_walk(view->snapshot, consider_stored, search, error);
    while (status == SETTLE_OK && point.position < view->end.position) {
        status = journal_reader_next(view->reader, &point, &frame, error);
        if (status == SETTLE_OK)
            status = consider_frame(search, &frame, error);
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

static int compare_matches(const void *a, const void *b)
{
    return strcmp(((const struct match *)a)->id, ((const struct match *)b)->id);
}

static settle_status visit_matches(struct view *view, const struct search *search, id_visit visit, void *context,
                                   settle_error *error)
{
    for (size_t i = 0; i < search->count; i++) {
        struct event_records event;
        settle_arrival first;
        settle_status status = arrival_read(view->reader, search->matches[i].position, &event, &first, error);
        if (status != SETTLE_OK)
            return status;
        if (!visit(context, event.id, &first))
            break;
    }
    return SETTLE_OK;
}

settle_status query_ids(struct query *query, settle_text prefix, id_visit visit, void *context, settle_error *error)
{
    struct view *view = &query->view;
    struct search search = {.prefix = prefix};
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = search_view(view, &search, &fault);
    if (store_is_to_blame(view, status, &fault)) {
        search.count = 0;
        status = view_forget_store(view, &fault, &fault);
        if (status == SETTLE_OK)
            status = search_view(view, &search, &fault);
    }
    if (status == SETTLE_OK && search.count > 0) {
        qsort(search.matches, search.count, sizeof search.matches[0], compare_matches);
        status = visit_matches(view, &search, visit, context, &fault);
    }
    free(search.matches);
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}
