/*
 * frame_draft.h — frames in the making, record by record, with records that may break a rule; their checksums are
 * right. For the suites of frame.c.
 */
#ifndef TESTS_UNIT_FRAME_DRAFT_H
#define TESTS_UNIT_FRAME_DRAFT_H

#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/frame.h"
#include "tests/lib/expect.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define POSITION UINT64_C(0x1000040)
#define FIRST_SEQ 101
#define TIME_US UINT64_C(1733856600000000)
#define PREVIOUS_CHAIN 0xa1b2c3d4

static const uint8_t id[16] = {0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff};

/* ---- A frame in the making -------------------------------------------------------------------------------------- */

struct draft {
    struct frame frame;
    size_t used, last; /* `last`: offset of the last record */
    uint8_t bytes[16384];
};

static inline void draft_begin(struct draft *draft)
{
    memset(draft, 0, sizeof *draft);
    draft->frame = (struct frame){
        .position = POSITION, .first_seq = FIRST_SEQ, .time_us = TIME_US, .previous_chain = PREVIOUS_CHAIN};
    draft->used = FRAME_HEADER_BYTES;
}

static inline uint8_t *draft_at(struct draft *draft)
{
    return draft->bytes + draft->used;
}

static inline void draft_append(struct draft *draft, size_t bytes)
{
    draft->last = draft->used;
    draft->used += bytes;
    draft->frame.record_count++;
}

static inline void add_consumed(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    const settle_event event = {.type = SETTLE_DEPOSIT, .ts_ms = 5, .u.transfer = {1001, 2, 1000500000}};
    draft_append(draft,
                 record_encode_consumed(draft_at(draft), seq_delta, time_delta_us, (uint32_t)draft->used, &event));
}

static inline void add_validated(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    const settle_leg legs[2] = {
        {.user = 1001, .asset = 2, .version = 1, .delta_available = 1000500000, .after_available = 1000500000},
        {SETTLE_USER_EXTERNAL, 2, 7, 512, -1000500000, -((settle_int128)1 << 100), 0, 0},
    };
    draft_append(draft, record_encode_validated(draft_at(draft), seq_delta, time_delta_us, legs, 2));
}

static inline void add_rejected(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    draft_append(draft, record_encode_rejected(draft_at(draft), seq_delta, time_delta_us, SETTLE_REASON_SELF_TRADE));
}

static inline void add_repeat(struct draft *draft, uint32_t seq_delta, settle_outcome outcome)
{
    const struct record_repeat repeat = {1, 576};
    draft_append(draft, record_encode_repeat(draft_at(draft), seq_delta, 40, outcome, &repeat));
}

static inline void add_persisted(struct draft *draft, uint64_t first_seq, uint64_t last_seq, uint64_t time_us)
{
    const struct record_persisted persisted = {first_seq, last_seq, time_us};
    draft_append(draft, record_encode_persisted(draft_at(draft), &persisted));
}

static inline void add_asset(struct draft *draft, uint32_t time_delta_us)
{
    const settle_asset usdt = {2, 6, "USDT"};
    draft_append(draft, record_encode_asset(draft_at(draft), time_delta_us, &usdt));
}

static inline void add_source(struct draft *draft, const char *name)
{
    const struct record_source source = {4096, 17, {name, strlen(name)}};
    draft_append(draft, record_encode_source(draft_at(draft), &source));
}

/* A record of a kind that does not exist yet. */
static inline void add_other(struct draft *draft, uint8_t kind, uint16_t length)
{
    uint8_t *at = draft_at(draft);
    memset(at, 0xab, length);
    put_u16(at, length);
    at[2] = kind;
    at[3] = 0;
    put_u32(at + 8, 0);
    put_u32(at + 12, 0);
    draft_append(draft, length);
}

static inline void draft_seal(struct draft *draft)
{
    draft->frame.length_bytes = frame_length(draft->used);
    frame_seal(&draft->frame, draft->bytes, draft->used, id);
}

/* Three events, and one record of every other kind. */
static inline void draft_sample(struct draft *draft)
{
    draft_begin(draft);
    add_asset(draft, 1);
    add_consumed(draft, 0, 2);
    add_validated(draft, 0, 3);
    add_persisted(draft, 90, 100, TIME_US + 10);
    add_consumed(draft, 1, 11);
    add_rejected(draft, 1, 12);
    add_other(draft, 200, 24);
    add_consumed(draft, 2, 20);
    add_repeat(draft, 2, SETTLE_DUPLICATE);
    add_consumed(draft, 3, 41);
    draft_append(draft,
                 record_encode_repeat(draft_at(draft), 3, 42, SETTLE_CONFLICT, &(struct record_repeat){101, 700}));
    add_source(draft, "/var/spool/events.ndjson");
    draft->frame.event_count = 4;
    draft_seal(draft);
}

/* What a reader makes of it. */
static inline const char *fault_of(const uint8_t *bytes, struct frame *ret_frame, size_t *ret_offset, uint64_t *ret_seq)
{
    *ret_offset = 0;
    *ret_seq = FIRST_SEQ;
    const char *fault = frame_header_fault(bytes, id, POSITION, ret_frame);
    if (fault != NULL)
        return fault;
    ret_frame->bytes = bytes;
    return frame_body_fault(ret_frame, ret_offset, ret_seq);
}

static inline void expect_fault(struct draft *draft, const char *sentence, size_t offset, uint64_t seq)
{
    struct frame frame;
    size_t fault_offset;
    uint64_t fault_seq;
    const char *fault = fault_of(draft->bytes, &frame, &fault_offset, &fault_seq);
    if (sentence == NULL) {
        cr_assert_null(fault, "%s", fault);
        return;
    }
    cr_assert_not_null(fault, "not found: %s", sentence);
    cr_assert_str_eq(fault, sentence);
    cr_assert_eq(fault_offset, offset, "%s: offset %zu, expected %zu", sentence, fault_offset, offset);
    cr_assert_eq(fault_seq, seq, "%s: seq %zu, expected %zu", sentence, (size_t)fault_seq, (size_t)seq);
}

#endif
