/*
 * stuck.c — events that are durable and not recorded as PERSISTED: after a crash those of the last frames, until the next
 * writer records them. PERSISTED has no gap, so they are the last ones of the journal, and reading begins with their
 * segment or with the journal's tail.
 */
#include <assert.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

static void describe(const struct record *consumed, const struct record *decided, struct stuck_event *ret_event)
{
    struct event_key key;
    event_key_of(&consumed->u.consumed, &key);
    event_key_format(&key, ret_event->event_id);
    ret_event->seq = consumed->seq;
    ret_event->type = consumed->u.consumed.type;
    ret_event->outcome = outcome_of_kind(decided->kind);
    ret_event->time_us = decided->time_us;
}

/* False: the visitor has had enough. */
static bool visit_frame(const struct frame *frame, uint64_t first_seq, stuck_visit visit, void *context)
{
    struct record consumed, decided;
    struct stuck_event event;
    size_t offset = 0;
    while (frame_next_record(frame, &offset, &consumed)) {
        if (consumed.kind != RECORD_CONSUMED)
            continue;
        bool has_decision = frame_next_record(frame, &offset, &decided);
        assert(has_decision); /* the reader has checked it */
        if (consumed.seq < first_seq)
            continue;
        describe(&consumed, &decided, &event);
        if (!visit(context, &event))
            return false;
    }
    return true;
}

settle_status query_stuck(struct query *query, stuck_visit visit, void *context, settle_error *error)
{
    struct view *view = &query->view;
    struct journal_point point = view->tail;
    struct frame frame;
    settle_status status = SETTLE_OK;
    assert(view->end.persisted_seq != POINT_PERSISTED_UNKNOWN && view->end.persisted_seq < view->end.next_seq);
    uint64_t first_seq = view->end.persisted_seq + 1;
    if (first_seq < point.next_seq) /* in what the store has already */
        status = segment_begin_seq(view->reader, first_seq, &point, error);
    while (status == SETTLE_OK && first_seq < view->end.next_seq && point.position < view->end.position) {
        status = journal_reader_next(view->reader, &point, &frame, error);
        if (status == SETTLE_OK && !visit_frame(&frame, first_seq, visit, context))
            break;
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}
