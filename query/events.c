/* events.c — the journal's events one by one, with what decided them. Owns nothing beyond a call. */
#include <assert.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

/* False: the visitor has had enough. */
static bool visit_frame(const struct frame *frame, uint64_t since_seq, uint64_t until_seq, event_visit visit,
                        void *context)
{
    struct record consumed, decided;
    size_t offset = 0;
    while (frame_next_record(frame, &offset, &consumed)) {
        if (consumed.kind != RECORD_CONSUMED)
            continue;
        bool has_decision = frame_next_record(frame, &offset, &decided);
        assert(has_decision); /* the reader has checked it */
        if (consumed.seq < since_seq)
            continue;
        if (consumed.seq > until_seq)
            return false;
        struct journal_event event = {
            .seq = consumed.seq,
            .event = &consumed.u.consumed,
            .outcome = outcome_of_kind(decided.kind),
            .reason = decided.kind == RECORD_REJECTED ? decided.u.rejected : SETTLE_REASON_NONE,
            .legs = decided.u.validated.legs,
            .leg_count = decided.kind == RECORD_VALIDATED ? decided.u.validated.leg_count : 0,
        };
        settle_event_id_format(event.event, event.event_id);
        if (!visit(context, &event))
            return false;
    }
    return true;
}

settle_status query_events(struct query *query, uint64_t since_seq, uint64_t until_seq, event_visit visit,
                           void *context, settle_error *error)
{
    struct view *view = &query->view;
    struct journal_point point;
    struct frame frame;
    settle_status status = segment_begin_seq(view->reader, since_seq, &point, error);
    while (status == SETTLE_OK && point.next_seq <= until_seq && point.position < view->end.position) {
        status = journal_reader_next(view->reader, &point, &frame, error);
        if (status == SETTLE_OK && !visit_frame(&frame, since_seq, until_seq, visit, context))
            break;
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}
