/*
 * test_frame.c — one frame's bytes: header and trailer as documented, every bit flipped once, places and limits. The
 * order of the records in it is test_frame_order.c's.
 */
#include "tests/unit/frame_draft.h"

SETTLE_SUITE(frame);

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

/* ---- Frames of our own: checksums and chain alone ---------------------------------------------------------------- */

static const char *own_fault_of(const uint8_t *bytes, struct frame *ret_frame)
{
    size_t offset;
    uint64_t seq;
    const char *fault = frame_header_fault(bytes, id, POSITION, ret_frame);
    ret_frame->bytes = bytes;
    return fault != NULL ? fault : frame_own_body_fault(ret_frame, &offset, &seq);
}

Test(frame, of_our_own_it_tells_what_the_full_check_tells)
{
    struct draft draft;
    struct frame full, own;
    size_t offset;
    uint64_t seq;
    draft_sample(&draft);
    cr_assert_null(fault_of(draft.bytes, &full, &offset, &seq));
    cr_assert_null(own_fault_of(draft.bytes, &own));
    const struct journal_point before = {.position = POSITION, .next_seq = FIRST_SEQ, .chain = PREVIOUS_CHAIN};
    struct journal_point a = frame_end_point(&full, &before), b = frame_end_point(&own, &before);
    cr_assert_eq(memcmp(&a, &b, offsetof(struct journal_point, chain) + 4), 0);
    cr_assert_eq(own.persisted_first_seq, full.persisted_first_seq);
}

Test(frame, of_our_own_every_flipped_bit_of_its_header_records_and_trailer_is_seen)
{
    struct draft draft;
    struct frame frame;
    draft_sample(&draft);
    for (size_t bit = 0; bit < 8 * draft.frame.length_bytes; bit++) {
        if (bit / 8 >= draft.used && bit / 8 < draft.frame.length_bytes - FRAME_TRAILER_BYTES)
            continue; /* padding */
        draft.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_not_null(own_fault_of(draft.bytes, &frame), "bit %zu", bit);
        draft.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_null(own_fault_of(draft.bytes, &frame));
}

/* Its records may all be there: journal_reader_persisted() told a time that the next writer cuts. */
/* The chain alone differs: no record's checksum tells. */
Test(frame, another_chain_is_seen_of_our_own_too)
{
    struct draft draft;
    struct frame frame;
    size_t offset = 0;
    uint64_t seq = 0;
    draft_begin(&draft);
    add_consumed(&draft, 0, 0);
    add_validated(&draft, 0, 1);
    draft.frame.event_count = 1;
    draft_seal(&draft);
    cr_assert_null(own_fault_of(draft.bytes, &frame));
    frame.chain ^= 1;
    cr_assert_str_eq(frame_own_body_fault(&frame, &offset, &seq), "the frame's chain value does not fit its records");
    frame.chain ^= 1;
    frame.previous_chain ^= 1;
    cr_assert_str_eq(frame_own_body_fault(&frame, &offset, &seq), "the frame's chain value does not fit its records");
    frame.previous_chain ^= 1;
    cr_assert_null(frame_own_body_fault(&frame, &offset, &seq));
    /* And of another's. */
    cr_assert_null(frame_body_fault(&frame, &offset, &seq));
    frame.chain ^= 1;
    cr_assert_str_eq(frame_body_fault(&frame, &offset, &seq), "the frame's chain value does not fit its records");
    cr_assert_eq(offset, FRAME_CHAIN);
}

Test(frame, of_our_own_one_that_is_torn_anywhere_is_seen)
{
    struct draft draft;
    struct frame frame;
    draft_sample(&draft);
    for (size_t kept = FRAME_HEADER_BYTES; kept < draft.frame.length_bytes; kept++) {
        struct draft torn = draft;
        memset(torn.bytes + kept, 0, draft.frame.length_bytes - kept);
        cr_assert_not_null(own_fault_of(torn.bytes, &frame), "torn at %zu", kept);
    }
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

/* ---- Checksums that are right over what is wrong ------------------------------------------------------------------ */

static void reseal_header(struct draft *draft)
{
    uint8_t covered[16 + 56];
    memcpy(covered, id, 16);
    memcpy(covered + 16, draft->bytes, 56);
    put_u32(draft->bytes + 56, crc32c(0, covered, sizeof covered));
}

/* The last record ends where the trailer begins, or a few bytes before: there is no room for the header of one more. */
Test(frame, a_header_that_counts_one_record_more_than_there_are_is_found)
{
    static const char name[] = "/var/spool/a-name-that-is-long-enough-to-fill-what-is-left-of-64-bytes";
    size_t full = 0;
    for (size_t count = 1; count < sizeof name; count++) {
        struct draft draft;
        struct frame frame;
        char text[sizeof name] = "";
        memcpy(text, name, count);
        draft_begin(&draft);
        add_asset(&draft, 1);
        add_source(&draft, text);
        draft_seal(&draft);
        put_u32(draft.bytes + FRAME_RECORD_COUNT, 3);
        reseal_header(&draft);
        size_t left = draft.frame.length_bytes - FRAME_TRAILER_BYTES - draft.used;
        full += left < RECORD_HEADER_BYTES;
        expect_fault(&draft, "a record's length is out of range", draft.used, FIRST_SEQ);
        cr_assert_str_eq(own_fault_of(draft.bytes, &frame), "a record's length is out of range", "%zu bytes left", left);
    }
    cr_assert_gt(full, 0);
}

/* Of our own frames only the checksums are looked at, but for what one needs to go on: PERSISTED. */
Test(frame, of_our_own_a_PERSISTED_record_that_makes_no_sense_is_found)
{
    struct draft draft;
    struct frame frame;
    draft_begin(&draft);
    add_asset(&draft, 1);
    add_persisted(&draft, 90, 100, TIME_US + 10);
    draft_seal(&draft);
    cr_assert_null(own_fault_of(draft.bytes, &frame));
    cr_assert(frame.persisted_first_seq == 90 && frame.persisted_last_seq == 100);
    put_u64(draft.bytes + draft.last + PERSISTED_FIRST_SEQ, 0);
    draft_seal(&draft);
    const char *fault = own_fault_of(draft.bytes, &frame);
    cr_assert_not_null(fault);
    expect_fault(&draft, fault, draft.last, FIRST_SEQ);
}
