/*
 * test_reader_events.c — single events by position, when they were recorded as PERSISTED, and whether a journal still
 * holds a point.
 */
#include "tests/unit/reader_fixture.h"

SETTLE_SUITE(reader_events);

/* ---- Events by position ----------------------------------------------------------------------------------------- */

Test(reader_events, finds_every_event_by_its_position)
{
    begin_small(4);
    for (size_t i = 0; i < 2 * b.event_count; i++) {
        const struct built_event *built =
            &b.events[i < b.event_count ? b.event_count - 1 - i : stream_random(&b.stream, b.event_count)];
        struct event_records event;
        EXPECT_OK(journal_reader_event(reader, built->position, &event, &test_error));
        expect_event(&event.consumed, &event.decided, built);
        cr_assert_str_eq(event.id, built->id);
        cr_assert_eq(event.frame_position, built->frame_position);
    }
    end();
}

Test(reader_events, finds_no_event_anywhere_else)
{
    begin_small(2);
    size_t events = 0, other = 0;
    struct event_records event;
    event.frame_position = 77;
    for (uint64_t position = 0; position < 2 * SEGMENT_BYTES_MIN; position++) {
        if (events < b.event_count && b.events[events].position == position) {
            events++;
            continue;
        }
        EXPECT_STATUS(journal_reader_event(reader, position, &event, &test_error), SETTLE_E_CORRUPT);
        cr_assert_eq(event.frame_position, 77);
        other++;
    }
    cr_assert_eq(events, b.event_count);
    cr_assert_gt(other, SEGMENT_BYTES_MIN);
    static const uint64_t far[] = {2 * SEGMENT_BYTES_MIN, 2 * SEGMENT_BYTES_MIN + 512,
                                   UINT64_C(1) << 40,     INT64_MAX,
                                   UINT64_MAX - 4096,     UINT64_MAX};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        EXPECT_STATUS(journal_reader_event(reader, far[i], &event, &test_error), SETTLE_E_CORRUPT);
    end();
}

Test(reader_events, finds_every_flipped_bit_of_an_event)
{
    begin_small(2);
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    for (size_t i = 0; i < b.event_count; i += 1 + b.event_count / 6) {
        struct event_records event;
        EXPECT_OK(journal_reader_event(reader, b.events[i].position, &event, &test_error));
        size_t bytes = event.consumed.length_bytes + event.decided.length_bytes;
        const struct journal_file *file = journal_files_segment(&files, b.events[i].position / SEGMENT_BYTES_MIN);
        for (size_t bit = 0; bit < 8 * (bytes + FRAME_HEADER_BYTES); bit++) {
            bool is_header = bit / 8 >= bytes;
            uint64_t at = is_header ? b.events[i].frame_position + bit / 8 - bytes : b.events[i].position + bit / 8;
            at %= SEGMENT_BYTES_MIN;
            uint8_t changed = (uint8_t)(file->bytes[at] ^ 1u << bit % 8);
            journal_file_write(b.data_fd, file->name, at, &changed, 1);
            EXPECT_STATUS(journal_reader_event(reader, b.events[i].position, &event, &test_error), SETTLE_E_CORRUPT);
            cr_assert_not_null(strstr(test_error.file, file->name));
            journal_file_write(b.data_fd, file->name, at, &file->bytes[at], 1);
        }
    }
    journal_files_free(&files);
    end();
}

Test(reader_events, finds_no_event_without_its_decision)
{
    /* Frames whose checksums are right, and whose records are not an event. */
    begin(SEGMENT_BYTES_MIN);
    builder_close(&b);
    const settle_event event = {.type = SETTLE_DEPOSIT, .ts_ms = 5, .u.transfer = {1001, 2, 7}};
    const settle_asset asset = {1, 8, "BTC"};
    for (int second = 0; second < 4; second++) {
        uint8_t bytes[1024];
        size_t used = FRAME_HEADER_BYTES;
        struct frame frame = {.position = b.end.position,
                              .first_seq = 1,
                              .time_us = BUILDER_TIME_US,
                              .event_count = 1,
                              .record_count = 2,
                              .previous_chain = b.end.chain};
        used += record_encode_consumed(bytes + used, 0, 0, FRAME_HEADER_BYTES, &event);
        if (second == 0)
            used += record_encode_rejected(bytes + used, 0, 0, SETTLE_REASON_SELF_TRADE); /* as it must be */
        else if (second == 1)
            used += record_encode_rejected(bytes + used, 1, 0, SETTLE_REASON_SELF_TRADE);
        else if (second == 2)
            used += record_encode_asset(bytes + used, 0, &asset);
        else
            used += record_encode_consumed(bytes + used, 0, 0, FRAME_HEADER_BYTES, &event);
        frame.length_bytes = frame_length(used);
        frame_seal(&frame, bytes, used, builder_journal_id);
        journal_file_write(b.data_fd, "00000000000000000001-000000.seg", b.end.position, bytes, frame.length_bytes);
        EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
        struct event_records found;
        settle_status status = journal_reader_event(reader, b.end.position + FRAME_HEADER_BYTES, &found, &test_error);
        cr_assert_eq(status, second == 0 ? SETTLE_OK : SETTLE_E_CORRUPT, "record %d", second);
        journal_reader_close(reader);
    }
    builder_deinit(&b);
}

Test(reader_events, tells_when_each_event_was_recorded_as_PERSISTED)
{
    begin_small(4);
    size_t unrecorded = 0;
    for (size_t i = 0; i < b.event_count; i++) {
        uint64_t expected = 0, time_us = 1, seq = b.events[i].result.seq;
        for (size_t j = 0; j < b.frame_count && expected == 0; j++)
            if (b.frames[j].persisted.first_seq <= seq && seq <= b.frames[j].persisted.last_seq)
                expected = b.frames[j].persisted.time_us;
        EXPECT_OK(journal_reader_persisted(reader, b.events[i].frame_position, seq, &time_us, &test_error));
        cr_assert_eq(time_us, expected, "seq %zu", (size_t)seq);
        unrecorded += expected == 0;
    }
    cr_assert_gt(unrecorded, 0);
    cr_assert_lt(unrecorded, b.event_count / 2);
    uint64_t time_us = 7;
    for (uint64_t position = 0; position < SEGMENT_BYTES_MIN; position += 8) {
        size_t i = 0;
        while (i < b.frame_count && b.frames[i].frame.position != position)
            i++;
        if (i == b.frame_count)
            EXPECT_STATUS(journal_reader_persisted(reader, position, 1, &time_us, &test_error), SETTLE_E_CORRUPT);
    }
    EXPECT_STATUS(journal_reader_persisted(reader, UINT64_MAX - 63, 1, &time_us, &test_error), SETTLE_E_CORRUPT);
    cr_assert_eq(time_us, 7);
    end();
}

Test(reader_events, PERSISTED_behind_damage_is_not_answered)
{
    begin(SEGMENT_BYTES_MIN);
    builder_events(&b, 3);
    builder_note(&b, 512);
    builder_persisted(&b);
    builder_close(&b);
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, 0, name);
    journal_file_write(b.data_fd, name, b.frames[1].frame.position + 200, "damage", 6);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    uint64_t time_us = 7;
    EXPECT_STATUS(journal_reader_persisted(reader, b.events[0].frame_position, 1, &time_us, &test_error),
                  SETTLE_E_CORRUPT);
    cr_assert_eq(time_us, 7);
    end();
}

/* ---- Confirming ------------------------------------------------------------------------------------------------- */

Test(reader_events, confirms_every_point_it_passed_and_no_other)
{
    begin_small(3);
    struct journal_point point;
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_reader_confirm(reader, &point, &test_error));
    for (size_t i = 0; i < b.frame_count; i++) {
        EXPECT_OK(journal_reader_confirm(reader, &b.frames[i].end, &test_error));
        for (int change = 0; change < 8; change++) {
            static const int64_t moves[] = {64, -64, 1, -1, 8, SEGMENT_BYTES_MIN * 9};
            point = b.frames[i].end;
            if (change == 0)
                point.position += 64;
            else if (change == 1)
                point.chain ^= 1;
            else
                point.frame_position += (uint64_t)moves[change - 2];
            EXPECT_STATUS(journal_reader_confirm(reader, &point, &test_error), SETTLE_E_CORRUPT);
            cr_assert_eq(test_error.seq, point.next_seq - 1);
        }
    }
    /* Where not even a header has room. */
    for (uint64_t rest = 1; rest < FRAME_HEADER_BYTES; rest++) {
        point = b.frames[0].end;
        point.frame_position = SEGMENT_BYTES_MIN - rest;
        EXPECT_STATUS(journal_reader_confirm(reader, &point, &test_error), SETTLE_E_CORRUPT);
    }
    /* The frame is damaged, or gone. */
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, 0, name);
    uint64_t offset = b.frames[0].frame.position + 70;
    EXPECT_OK(journal_reader_confirm(reader, &b.frames[0].end, &test_error));
    journal_file_write(b.data_fd, name, offset, "xx", 2);
    EXPECT_STATUS(journal_reader_confirm(reader, &b.frames[0].end, &test_error), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.file, name));
    end();
}

Test(reader_events, confirms_a_stored_point_beyond_the_limit_and_reads_no_further)
{
    begin_small(2);
    for (size_t i = 1; i < b.frame_count; i++) {
        EXPECT_OK(journal_reader_limit(reader, b.frames[i].end.position - 1, &test_error));
        EXPECT_OK(journal_reader_confirm(reader, &b.frames[i - 1].end, &test_error));
        EXPECT_OK(journal_reader_confirm(reader, &b.frames[i].end, &test_error)); /* what is stored was durable */
        struct journal_point point = b.frames[i - 1].end;
        struct frame frame;
        EXPECT_STATUS(journal_reader_next(reader, &point, &frame, &test_error), SETTLE_E_END);
    }
    end();
}

/* Asked for from a frame that lies behind the answer, it has none: nothing else is taken for it. */
Test(reader_events, PERSISTED_before_the_frame_that_is_named_is_not_found)
{
    begin_small(4);
    uint64_t time_us = 1;
    size_t later = 0;
    for (size_t i = b.frame_count / 2; i < b.frame_count; i++)
        later += b.frames[i].persisted.first_seq > 1;
    cr_assert_gt(later, 0);
    EXPECT_OK(journal_reader_persisted(reader, b.frames[b.frame_count / 2].frame.position, 1, &time_us, &test_error));
    cr_assert_eq(time_us, 0);
    end();
}
