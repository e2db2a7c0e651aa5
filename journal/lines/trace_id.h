/*
 * trace_id.h — the ids that tie an event's lines and spans together, derived from its event id alone, so that any
 * program that knows the event id knows them too.
 *
 * SHA-256 of the event id's bytes, in hex: characters 1–32 are the trace id, 33–48 the root span's id (an all-zero id
 * is not valid in W3C Trace Context: it becomes …01). The span id of step n (1 CONSUMED, 2 its decision, 3 PERSISTED)
 * of the first arrival is the root's + n; that of an arrival with another seq, whose trace is the same, see
 * span_id_of(). In a shell: printf %s deposit_1001_2_1733856600000 | sha256sum | cut -c1-32
 */
#ifndef JOURNAL_TRACE_ID_H
#define JOURNAL_TRACE_ID_H

#include <stdbool.h>

#include <settle/event.h>

struct trace_id {
    uint8_t bytes[16];
    uint64_t root_span; /* its id is this number's sixteen hex digits */
    uint64_t sample;    /* uniform over all ids: what sampling compares; the digest's last eight bytes, big-endian */
};

void trace_id_of(settle_text event_id, struct trace_id *ret_trace);

/* What the spans of an arrival are counted from. */
static inline uint64_t span_base_of(uint64_t root_span, bool is_first, uint64_t seq)
{
    return is_first ? root_span : root_span ^ seq * UINT64_C(0x9e3779b97f4a7c15);
}
/*
 * The span of step 1, 2 or 3 of the arrival `seq`, or with step 0 its root span. The first arrival of an id has the
 * digest's root; a DUPLICATE or CONFLICT, which shares the trace, one that its seq moves far away. Never 0.
 */
static inline uint64_t span_id_of(uint64_t root_span, bool is_first, uint64_t seq, unsigned step)
{
    uint64_t span = span_base_of(root_span, is_first, seq) + step;
    return span != 0 ? span : 1;
}

#endif
