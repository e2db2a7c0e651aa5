/*
 * test_frame.c — one frame's bytes: the header as documented, every rule about the order of records broken once,
 * every bit flipped once.
 */
#include "journal/frame.h"

#include <stdio.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"

SETTLE_SUITE(frame);

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

static void draft_begin(struct draft *draft)
{
    memset(draft, 0, sizeof *draft);
    draft->frame = (struct frame){
        .position = POSITION, .first_seq = FIRST_SEQ, .time_us = TIME_US, .previous_chain = PREVIOUS_CHAIN};
    draft->used = FRAME_HEADER_BYTES;
}

static uint8_t *draft_at(struct draft *draft)
{
    return draft->bytes + draft->used;
}

static void draft_append(struct draft *draft, size_t bytes)
{
    draft->last = draft->used;
    draft->used += bytes;
    draft->frame.record_count++;
}

static void add_consumed(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    const settle_event event = {.type = SETTLE_DEPOSIT, .ts_ms = 5, .u.transfer = {1001, 2, 1000500000}};
    draft_append(draft,
                 record_encode_consumed(draft_at(draft), seq_delta, time_delta_us, (uint32_t)draft->used, &event));
}

static void add_validated(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    const settle_leg legs[2] = {
        {.user = 1001, .asset = 2, .version = 1, .delta_available = 1000500000, .after_available = 1000500000},
        {SETTLE_USER_EXTERNAL, 2, 7, 512, -1000500000, -((settle_int128)1 << 100), 0, 0},
    };
    draft_append(draft, record_encode_validated(draft_at(draft), seq_delta, time_delta_us, legs, 2));
}

static void add_rejected(struct draft *draft, uint32_t seq_delta, uint32_t time_delta_us)
{
    draft_append(draft, record_encode_rejected(draft_at(draft), seq_delta, time_delta_us, SETTLE_REASON_SELF_TRADE));
}

static void add_repeat(struct draft *draft, uint32_t seq_delta, settle_outcome outcome)
{
    const struct record_repeat repeat = {1, 576};
    draft_append(draft, record_encode_repeat(draft_at(draft), seq_delta, 40, outcome, &repeat));
}

static void add_persisted(struct draft *draft, uint64_t first_seq, uint64_t last_seq, uint64_t time_us)
{
    const struct record_persisted persisted = {first_seq, last_seq, time_us};
    draft_append(draft, record_encode_persisted(draft_at(draft), &persisted));
}

static void add_asset(struct draft *draft, uint32_t time_delta_us)
{
    const settle_asset usdt = {2, 6, "USDT"};
    draft_append(draft, record_encode_asset(draft_at(draft), time_delta_us, &usdt));
}

static void add_source(struct draft *draft, const char *name)
{
    const struct record_source source = {4096, 17, {name, strlen(name)}};
    draft_append(draft, record_encode_source(draft_at(draft), &source));
}

/* A record of a kind that does not exist yet. */
static void add_other(struct draft *draft, uint8_t kind, uint16_t length)
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

static void draft_seal(struct draft *draft)
{
    draft->frame.length_bytes = frame_length(draft->used);
    frame_seal(&draft->frame, draft->bytes, draft->used, id);
}

/* Three events, and one record of every other kind. */
static void draft_sample(struct draft *draft)
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
static const char *fault_of(const uint8_t *bytes, struct frame *ret_frame, size_t *ret_offset, uint64_t *ret_seq)
{
    *ret_offset = 0;
    *ret_seq = FIRST_SEQ;
    const char *fault = frame_header_fault(bytes, id, POSITION, ret_frame);
    if (fault != NULL)
        return fault;
    ret_frame->bytes = bytes;
    return frame_body_fault(ret_frame, ret_offset, ret_seq);
}

static void expect_fault(struct draft *draft, const char *sentence, size_t offset, uint64_t seq)
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

/* ---- Layout ----------------------------------------------------------------------------------------------------- */

Test(frame, lengths_are_multiples_of_64_with_room_for_the_trailer)
{
    for (size_t used = FRAME_HEADER_BYTES + 8; used < 2000; used++) {
        size_t length = frame_length(used);
        cr_assert_eq(length % 64, 0);
        cr_assert_geq(length, used + 8);
        cr_assert_lt(length, used + 8 + 64);
    }
    cr_assert_eq(frame_length(56), 64);
    cr_assert_eq(frame_length(57), 128);
    cr_assert_eq(frame_length(120), 128);
}

Test(frame, the_header_and_the_trailer_are_as_documented)
{
    struct draft draft;
    draft_begin(&draft);
    add_consumed(&draft, 0, 2);
    add_validated(&draft, 0, 3);
    add_asset(&draft, 3);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    const uint8_t *bytes = draft.bytes;
    static const uint8_t magic[] = {'F', 'R', 'M', '1'}, mark[] = {0x3c, 0xc3, 0xa5, 0x5a};
    size_t length = draft.frame.length_bytes;
    cr_assert_eq(memcmp(bytes, magic, 4), 0);
    cr_assert_eq(get_u32(bytes + 4), length);
    cr_assert_eq(get_u64(bytes + 8), FIRST_SEQ);
    cr_assert_eq(get_u32(bytes + 16), 1);
    cr_assert_eq(get_u32(bytes + 20), 3);
    cr_assert_eq(get_u64(bytes + 24), TIME_US);
    cr_assert_eq(get_u64(bytes + 32), POSITION);
    cr_assert_eq(get_u64(bytes + 40), 0);
    cr_assert_eq(get_u32(bytes + 48), PREVIOUS_CHAIN);
    uint32_t chain = crc32c(PREVIOUS_CHAIN, bytes, 48);
    for (size_t at = 64; at < draft.used; at += get_u16(bytes + at)) {
        uint8_t covered[1024];
        uint16_t record_bytes = get_u16(bytes + at);
        put_u64(covered, POSITION + at);
        memcpy(covered + 8, bytes + at, 4);
        memcpy(covered + 12, bytes + at + 8, record_bytes - 8u);
        cr_assert_eq(get_u32(bytes + at + 4), crc32c(0, covered, record_bytes + 4u));
        chain = crc32c(chain, bytes + at + 4, 4);
    }
    cr_assert_eq(get_u32(bytes + 52), chain);
    cr_assert_eq(draft.frame.chain, chain);
    uint8_t covered[16 + 56];
    memcpy(covered, id, 16);
    memcpy(covered + 16, bytes, 56);
    cr_assert_eq(get_u32(bytes + 56), crc32c(0, covered, sizeof covered));
    cr_assert_eq(memcmp(bytes + 60, mark, 4), 0);
    cr_assert(bytes_are_zero(bytes + draft.used, length - 8 - draft.used));
    cr_assert_eq(get_u32(bytes + length - 8), length);
    cr_assert_eq(memcmp(bytes + length - 4, mark, 4), 0);
}

Test(frame, what_was_sealed_comes_back)
{
    struct draft draft;
    struct frame frame;
    size_t offset;
    uint64_t seq;
    draft_sample(&draft);
    cr_assert_null(fault_of(draft.bytes, &frame, &offset, &seq));
    cr_assert_eq(frame.position, POSITION);
    cr_assert_eq(frame.first_seq, FIRST_SEQ);
    cr_assert_eq(frame.time_us, TIME_US);
    cr_assert_eq(frame.length_bytes, draft.frame.length_bytes);
    cr_assert_eq(frame.event_count, 4);
    cr_assert_eq(frame.record_count, 12);
    cr_assert_eq(frame.previous_chain, PREVIOUS_CHAIN);
    cr_assert_eq(frame.chain, draft.frame.chain);
    cr_assert_eq(frame.last_time_us, TIME_US + 42);
    cr_assert_eq(frame.persisted_first_seq, 90);
    cr_assert_eq(frame.persisted_last_seq, 100);

    static const uint8_t kinds[] = {7, 1, 2, 6, 1, 3, 200, 1, 4, 1, 5, 8};
    struct record record;
    size_t at = 0, count = 0;
    while (frame_next_record(&frame, &at, &record)) {
        cr_assert_eq(record.kind, kinds[count++]);
        cr_assert_eq(record.position + record.length_bytes, POSITION + at);
    }
    cr_assert_eq(count, COUNT(kinds));
    cr_assert_eq(at, draft.used);
    cr_assert_not(frame_next_record(&frame, &at, &record));
}

Test(frame, records_may_end_just_before_the_trailer)
{
    /* All of a frame's last 64 bytes: from as much padding as there can be to none. */
    bool is_full_seen = false;
    for (size_t name_bytes = 1; name_bytes <= 128; name_bytes++) {
        char name[129] = "";
        memset(name, 'n', name_bytes);
        struct draft draft;
        struct frame frame;
        size_t offset, at = 0, count = 0;
        uint64_t seq;
        struct record record;
        draft_begin(&draft);
        add_source(&draft, name);
        draft_seal(&draft);
        cr_assert_null(fault_of(draft.bytes, &frame, &offset, &seq));
        while (frame_next_record(&frame, &at, &record))
            count++;
        cr_assert_eq(count, 1);
        is_full_seen = is_full_seen || draft.used + 8 == draft.frame.length_bytes;
    }
    cr_assert(is_full_seen);
}

Test(frame, the_point_behind_a_frame)
{
    struct journal_point before = {.position = POSITION,
                                   .next_seq = FIRST_SEQ,
                                   .persisted_seq = 89,
                                   .time_us = 3,
                                   .frame_position = 5,
                                   .chain = PREVIOUS_CHAIN};
    struct draft draft;
    struct frame frame;
    size_t offset;
    uint64_t seq;
    draft_sample(&draft);
    cr_assert_null(fault_of(draft.bytes, &frame, &offset, &seq));
    struct journal_point end = frame_end_point(&frame, &before);
    cr_assert_eq(end.position, POSITION + frame.length_bytes);
    cr_assert_eq(end.next_seq, FIRST_SEQ + 4);
    cr_assert_eq(end.persisted_seq, 100);
    cr_assert_eq(end.frame_position, POSITION);
    cr_assert_eq(end.time_us, TIME_US + 42);
    cr_assert_eq(end.chain, frame.chain);
    frame.persisted_first_seq = frame.persisted_last_seq = 0;
    cr_assert_eq(frame_end_point(&frame, &before).persisted_seq, 89);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

Test(frame, every_flipped_bit_is_found_in_its_place)
{
    static struct draft draft;
    draft_sample(&draft);
    for (size_t bit = 0; bit < 8 * draft.frame.length_bytes; bit++) {
        struct frame frame;
        size_t offset, at = bit / 8, begin = 0;
        uint64_t seq;
        draft.bytes[at] ^= (uint8_t)(1u << bit % 8);
        const char *fault = fault_of(draft.bytes, &frame, &offset, &seq);
        draft.bytes[at] ^= (uint8_t)(1u << bit % 8);
        cr_assert_not_null(fault, "bit %zu", bit);
        /* In the header, in its record, or behind the records. */
        if (at >= FRAME_HEADER_BYTES && at < draft.used)
            for (begin = FRAME_HEADER_BYTES; begin + get_u16(draft.bytes + begin) <= at;)
                begin += get_u16(draft.bytes + begin);
        else if (at >= draft.used)
            begin = at < draft.frame.length_bytes - 8 ? draft.used : draft.frame.length_bytes - 8;
        cr_assert_eq(offset, begin, "bit %zu: found at %zu, expected %zu: %s", bit, offset, begin, fault);
    }
    expect_fault(&draft, NULL, 0, 0);
}

Test(frame, a_frame_is_bound_to_its_journal_and_its_place)
{
    struct draft draft;
    struct frame frame = {.length_bytes = 7};
    draft_sample(&draft);
    uint8_t other_id[16];
    memcpy(other_id, id, 16);
    other_id[15] ^= 0x80;
    cr_assert_str_eq(frame_header_fault(draft.bytes, other_id, POSITION, &frame),
                     "the frame header's checksum does not fit");
    cr_assert_str_eq(frame_header_fault(draft.bytes, id, POSITION + 64, &frame),
                     "the frame was written for another place");
    cr_assert_eq(frame.length_bytes, 7);
    /* Records do not fit another place either, whatever the header says. */
    put_u64(draft.bytes + 32, POSITION + 64);
    uint8_t covered[16 + 56];
    memcpy(covered, id, 16);
    memcpy(covered + 16, draft.bytes, 56);
    put_u32(draft.bytes + 56, crc32c(0, covered, sizeof covered));
    cr_assert_null(frame_header_fault(draft.bytes, id, POSITION + 64, &frame));
    frame.bytes = draft.bytes;
    size_t offset;
    uint64_t seq;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "a record's checksum does not fit");
}

Test(frame, a_header_out_of_range_is_refused)
{
    static const struct {
        size_t offset, bytes;
        uint64_t value;
        const char *sentence;
    } rows[] = {
        {0, 4, 0x324d5246, "no frame header here"},
        {60, 4, 0, "no frame header here"},
        {60, 4, 0x5aa5c33d, "no frame header here"},
        {4, 4, 0, "a field of the frame header is out of range"},
        {4, 4, 64, "a field of the frame header is out of range"},
        {4, 4, 129, "a field of the frame header is out of range"},
        {4, 4, 192 + 32, "a field of the frame header is out of range"},
        {4, 4, (8 << 20) + 64, "a field of the frame header is out of range"},
        {8, 8, 0, "a field of the frame header is out of range"},
        {16, 4, 13, "a field of the frame header is out of range"},
        {20, 4, 0, "a field of the frame header is out of range"},
        {40, 8, 1, "a field of the frame header is out of range"},
        {40, 8, UINT64_C(1) << 63, "a field of the frame header is out of range"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct draft draft;
        draft_sample(&draft);
        if (rows[i].bytes == 4)
            put_u32(draft.bytes + rows[i].offset, (uint32_t)rows[i].value);
        else
            put_u64(draft.bytes + rows[i].offset, rows[i].value);
        uint8_t covered[16 + 56];
        memcpy(covered, id, 16);
        memcpy(covered + 16, draft.bytes, 56);
        put_u32(draft.bytes + 56, crc32c(0, covered, sizeof covered));
        struct frame frame;
        const char *fault = frame_header_fault(draft.bytes, id, POSITION, &frame);
        cr_assert_not_null(fault, "row %zu", i);
        cr_assert_str_eq(fault, rows[i].sentence, "row %zu: %s", i, fault);
    }
}

Test(frame, the_largest_frame_is_in_range)
{
    uint8_t header[64];
    struct frame frame;
    struct draft draft;
    draft_sample(&draft);
    memcpy(header, draft.bytes, 64);
    put_u32(header + 4, 8 << 20);
    uint8_t covered[16 + 56];
    memcpy(covered, id, 16);
    memcpy(covered + 16, header, 56);
    put_u32(header + 56, crc32c(0, covered, sizeof covered));
    cr_assert_null(frame_header_fault(header, id, POSITION, &frame));
    cr_assert_eq(frame.length_bytes, 8 << 20);
}

Test(frame, a_frame_must_follow_the_point)
{
    const struct journal_point point = {
        .position = POSITION, .next_seq = 101, .persisted_seq = 89, .time_us = TIME_US, .chain = PREVIOUS_CHAIN};
    const struct frame frame = {.position = POSITION,
                                .first_seq = 101,
                                .time_us = TIME_US,
                                .previous_chain = PREVIOUS_CHAIN,
                                .persisted_first_seq = 90,
                                .persisted_last_seq = 100};
    struct frame other = frame;
    struct journal_point unknown = point;
    cr_assert_null(frame_order_fault(&frame, &point));
    other.first_seq = 102;
    cr_assert_str_eq(frame_order_fault(&other, &point), "events are missing before this frame");
    other.first_seq = 100;
    cr_assert_str_eq(frame_order_fault(&other, &point), "the frame repeats sequence numbers");
    other = frame;
    other.previous_chain ^= 1;
    cr_assert_str_eq(frame_order_fault(&other, &point), "the chain is broken: the frame follows another history");
    other = frame;
    other.time_us = TIME_US - 1;
    cr_assert_str_eq(frame_order_fault(&other, &point), "the frame's time is before the time already recorded");
    for (uint64_t first = 89; first <= 91; first += 2) {
        other = frame;
        other.persisted_first_seq = first;
        cr_assert_str_eq(frame_order_fault(&other, &point), "the PERSISTED records leave out events or repeat them");
        unknown.persisted_seq = POINT_PERSISTED_UNKNOWN;
        cr_assert_null(frame_order_fault(&other, &unknown));
    }
    other = frame;
    other.persisted_first_seq = other.persisted_last_seq = 0;
    cr_assert_null(frame_order_fault(&other, &point));
}

/* ---- The order of records: each rule broken in a frame whose checksums are right -------------------------------- */

Test(frame, every_event_has_its_decision_at_once)
{
    struct draft draft;
    draft_begin(&draft);
    add_consumed(&draft, 0, 0);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    expect_fault(&draft, "the number of events is not the header's", draft.used, FIRST_SEQ);

    for (int i = 0; i < 4; i++) {
        draft_begin(&draft);
        add_consumed(&draft, 0, 0);
        if (i == 0)
            add_consumed(&draft, 0, 0);
        else if (i == 1)
            add_asset(&draft, 0);
        else if (i == 2)
            add_source(&draft, "s");
        else
            add_other(&draft, 128, 16);
        size_t at = draft.last;
        add_validated(&draft, 0, 0);
        draft.frame.event_count = 1;
        draft_seal(&draft);
        expect_fault(&draft, "an event has no decision", at, FIRST_SEQ);
    }
}

Test(frame, every_decision_has_its_event)
{
    struct draft draft;
    for (int kind = 0; kind < 4; kind++) {
        draft_begin(&draft);
        if (kind == 0)
            add_validated(&draft, 0, 0);
        else if (kind == 1)
            add_rejected(&draft, 0, 0);
        else
            add_repeat(&draft, 0, kind == 2 ? SETTLE_DUPLICATE : SETTLE_CONFLICT);
        draft_seal(&draft);
        expect_fault(&draft, "a decision has no event", 64, FIRST_SEQ);
    }
    draft_begin(&draft);
    add_consumed(&draft, 0, 0);
    add_validated(&draft, 1, 0);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    expect_fault(&draft, "the decision belongs to another event", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_consumed(&draft, 0, 0);
    add_validated(&draft, 0, 0);
    add_validated(&draft, 0, 0);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    expect_fault(&draft, "a decision has no event", draft.last, FIRST_SEQ + 1);
}

Test(frame, sequence_numbers_rise_by_one)
{
    for (uint32_t delta = 0; delta <= 2; delta += 2) {
        struct draft draft;
        draft_begin(&draft);
        add_consumed(&draft, 0, 0);
        add_validated(&draft, 0, 0);
        add_consumed(&draft, delta, 0);
        size_t at = draft.last;
        add_rejected(&draft, delta, 0);
        draft.frame.event_count = 2;
        draft_seal(&draft);
        expect_fault(&draft, "the sequence number does not follow", at, FIRST_SEQ + 1);
    }
}

Test(frame, an_event_points_to_its_own_frame)
{
    struct draft draft;
    draft_begin(&draft);
    add_consumed(&draft, 0, 0);
    put_u32(draft.bytes + draft.last + CONSUMED_FRAME_BACK, (uint32_t)draft.last + 64);
    add_rejected(&draft, 0, 0);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    expect_fault(&draft, "the record points to another frame", 64, FIRST_SEQ);
}

Test(frame, there_is_at_most_one_PERSISTED_and_it_comes_after_its_events)
{
    struct draft draft;
    draft_begin(&draft);
    add_persisted(&draft, 50, 60, TIME_US);
    add_persisted(&draft, 61, 70, TIME_US);
    draft_seal(&draft);
    expect_fault(&draft, "a PERSISTED record is one too many, or ahead of its events", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_persisted(&draft, 50, FIRST_SEQ, TIME_US);
    draft_seal(&draft);
    expect_fault(&draft, "a PERSISTED record is one too many, or ahead of its events", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_persisted(&draft, 50, FIRST_SEQ - 1, TIME_US);
    draft_seal(&draft);
    expect_fault(&draft, NULL, 0, 0);
}

Test(frame, time_never_falls_between_records)
{
    struct draft draft;
    draft_begin(&draft);
    add_consumed(&draft, 0, 10);
    add_rejected(&draft, 0, 9);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    expect_fault(&draft, "time goes back between two records", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_asset(&draft, 10);
    add_persisted(&draft, 1, 2, TIME_US + 9);
    draft_seal(&draft);
    expect_fault(&draft, "time goes back between two records", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_persisted(&draft, 1, 2, TIME_US + 11);
    add_asset(&draft, 10);
    draft_seal(&draft);
    expect_fault(&draft, "time goes back between two records", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_persisted(&draft, 1, 2, TIME_US - 1);
    draft_seal(&draft);
    expect_fault(&draft, "time goes back between two records", draft.last, FIRST_SEQ);
    draft_begin(&draft);
    add_asset(&draft, 10);
    add_source(&draft, "a source has no time");
    add_other(&draft, 255, 16);
    add_asset(&draft, 10);
    draft_seal(&draft);
    expect_fault(&draft, NULL, 0, 0);
}

Test(frame, the_number_of_events_is_the_headers)
{
    for (uint32_t events = 0; events <= 2; events += 2) {
        struct draft draft;
        draft_begin(&draft);
        add_consumed(&draft, 0, 10);
        add_rejected(&draft, 0, 10);
        draft.frame.event_count = events;
        draft_seal(&draft);
        expect_fault(&draft, "the number of events is not the header's", draft.used, FIRST_SEQ + 1);
    }
}

Test(frame, kinds_from_128_on_are_passed_over_and_others_are_damage)
{
    for (int kind = 0; kind < 256; kind++) {
        struct draft draft;
        if (kind >= RECORD_CONSUMED && kind <= RECORD_SOURCE)
            continue;
        draft_begin(&draft);
        add_other(&draft, (uint8_t)kind, 64);
        draft_seal(&draft);
        expect_fault(&draft, kind >= 128 ? NULL : "unknown record kind", 64, FIRST_SEQ);
    }
}

Test(frame, a_records_length_must_fit_the_frame)
{
    static const uint16_t lengths[] = {0, 8, 15, 41, 56, 64, 1024, UINT16_MAX - 7, UINT16_MAX};
    struct draft draft;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        draft_begin(&draft);
        add_asset(&draft, 0);
        draft_seal(&draft); /* 128 bytes: 40 of the record, 16 of padding */
        put_u16(draft.bytes + 64, lengths[i]);
        bool is_in_range = lengths[i] == 56;
        expect_fault(&draft, is_in_range ? "a record's checksum does not fit" : "a record's length is out of range", 64,
                     FIRST_SEQ);
    }
    /* More records than there are. */
    draft_begin(&draft);
    add_asset(&draft, 0);
    draft_seal(&draft);
    struct frame frame;
    cr_assert_null(frame_header_fault(draft.bytes, id, POSITION, &frame));
    frame.bytes = draft.bytes;
    frame.record_count++;
    size_t offset;
    uint64_t seq;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "a record's length is out of range");
    cr_assert_eq(offset, draft.used);
}

Test(frame, behind_the_records_are_fewer_than_64_zeros)
{
    struct draft draft;
    /* Fewer records than there are: the rest is no padding. */
    draft_begin(&draft);
    add_asset(&draft, 0);
    add_asset(&draft, 0);
    draft_seal(&draft);
    struct frame frame;
    size_t offset;
    uint64_t seq;
    cr_assert_null(frame_header_fault(draft.bytes, id, POSITION, &frame));
    frame.bytes = draft.bytes;
    frame.record_count--;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "bytes behind the last record are not zero");
    cr_assert_eq(offset, 104);
    /* A frame that is 64 bytes longer than it need be. */
    draft_begin(&draft);
    add_asset(&draft, 0);
    draft_seal(&draft);
    put_u32(draft.bytes + 4, 192);
    memset(draft.bytes + 120, 0, 8);
    put_u32(draft.bytes + 184, 192);
    put_u32(draft.bytes + 188, FRAME_END_MAGIC);
    frame = draft.frame;
    frame.length_bytes = 192;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "bytes behind the last record are not zero");
}

Test(frame, no_64_bytes_of_a_frame_are_zeros)
{
    /* Of a kind that does not exist yet, with zeros in it: its checksums are made right by hand. */
    for (size_t zeros = 56; zeros <= 72; zeros += 8) {
        for (size_t before = 16; before < 128; before += 8) {
            struct draft draft;
            draft_begin(&draft);
            add_other(&draft, 130, 256);
            draft_seal(&draft);
            uint8_t *record = draft.bytes + 64;
            memset(record + before, 0, zeros);
            record_seal(record, POSITION + 64);
            struct frame frame = draft.frame;
            frame.chain = crc32c(crc32c(PREVIOUS_CHAIN, draft.bytes, 48), record + 4, 4);
            size_t offset, first = (before + 63) / 64 * 64; /* multiple of 64 in the record */
            uint64_t seq;
            const char *fault = frame_body_fault(&frame, &offset, &seq);
            if (first + 64 > before + zeros) {
                cr_assert_null(fault, "%zu zeros from %zu on: %s", zeros, before, fault);
                continue;
            }
            cr_assert_not_null(fault, "%zu zeros from %zu on", zeros, before);
            cr_assert_str_eq(fault, "64 bytes of the frame are zeros");
            cr_assert_eq(offset, 64 + first);
        }
    }
}

Test(frame, the_chain_covers_header_and_records)
{
    struct draft draft;
    draft_sample(&draft);
    struct frame frame = draft.frame;
    size_t offset;
    uint64_t seq;
    frame.chain ^= 1;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "the frame's chain value does not fit its records");
    cr_assert_eq(offset, 52);
    /* Whatever is in it, the next chain value is another one. */
    for (size_t field = 0; field < 5; field++) {
        struct draft other;
        draft_begin(&other);
        other.frame.previous_chain ^= field == 0;
        other.frame.first_seq += field == 1;
        other.frame.time_us += field == 2;
        other.frame.position += field == 3 ? 64 : 0;
        add_asset(&other, 0);
        draft_seal(&other);
        draft_begin(&draft);
        add_asset(&draft, field == 4);
        draft_seal(&draft);
        cr_assert_neq(draft.frame.chain, other.frame.chain, "field %zu", field);
    }
}
