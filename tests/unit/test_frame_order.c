/*
 * test_frame_order.c — the records of a frame: every rule about their order and their lengths broken once, in a frame
 * whose checksums are right.
 */
#include "tests/unit/frame_draft.h"

SETTLE_SUITE(frame_order);

/* ---- The order of records: each rule broken in a frame whose checksums are right -------------------------------- */

Test(frame_order, every_event_has_its_decision_at_once)
{
    struct draft draft;
    for (uint32_t events = 0; events < 2; events++) {
        draft_begin(&draft);
        add_consumed(&draft, 0, 0);
        draft.frame.event_count = events;
        draft_seal(&draft);
        expect_fault(&draft, "the number of events is not the header's", draft.used, FIRST_SEQ);
    }

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

Test(frame_order, every_decision_has_its_event)
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

Test(frame_order, sequence_numbers_rise_by_one)
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

Test(frame_order, an_event_points_to_its_own_frame)
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

Test(frame_order, there_is_at_most_one_PERSISTED_and_it_comes_after_its_events)
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

Test(frame_order, time_never_falls_between_records)
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

Test(frame_order, the_number_of_events_is_the_headers)
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

Test(frame_order, kinds_from_128_on_are_passed_over_and_others_are_damage)
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

Test(frame_order, a_records_length_must_fit_the_frame)
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

Test(frame_order, behind_the_records_are_fewer_than_64_zeros)
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

Test(frame_order, no_64_bytes_of_a_frame_are_zeros)
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

Test(frame_order, the_chain_covers_header_and_records)
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
