/*
 * test_reader.c — reading frames in order up to a limit, and events by position. Readers beside a living writer are
 * test_reader_live.c's, damaged journals test_recover*.c's.
 */
#include "journal/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "tests/lib/expect.h"
#include "tests/lib/fault.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

SETTLE_SUITE(reader);

#define SEED stream_seed(4711)
#define MIB ((uint64_t)1 << 20)

static struct journal_builder b;
static struct journal_reader *reader;

static void begin(uint64_t segment_bytes)
{
    builder_use_memory();
    builder_init(&b, segment_bytes, SEED);
}

/* Random frames over so many segments of 16 KiB; the writer is closed, a reader open. */
static void begin_small(uint64_t segments)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position / SEGMENT_BYTES_MIN + 1 < segments || b.frame_count % 4 != 0)
        builder_random(&b);
    builder_close(&b);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
}

static void end(void)
{
    journal_reader_close(reader);
    reader = NULL;
    builder_deinit(&b);
}

static void expect_point(const struct journal_point *point, const struct journal_point *expected)
{
    cr_assert_eq(point->position, expected->position);
    cr_assert_eq(point->next_seq, expected->next_seq);
    cr_assert_eq(point->persisted_seq, expected->persisted_seq);
    cr_assert_eq(point->time_us, expected->time_us);
    cr_assert_eq(point->frame_position, expected->frame_position);
    cr_assert_eq(point->chain, expected->chain);
}

static void expect_frame(const struct frame *frame, const struct frame *expected)
{
    cr_assert_eq(frame->position, expected->position);
    cr_assert_eq(frame->first_seq, expected->first_seq);
    cr_assert_eq(frame->time_us, expected->time_us);
    cr_assert_eq(frame->length_bytes, expected->length_bytes);
    cr_assert_eq(frame->event_count, expected->event_count);
    cr_assert_eq(frame->record_count, expected->record_count);
    cr_assert_eq(frame->previous_chain, expected->previous_chain);
    cr_assert_eq(frame->chain, expected->chain);
    cr_assert_eq(frame->last_time_us, expected->last_time_us);
    cr_assert_eq(frame->persisted_first_seq, expected->persisted_first_seq);
    cr_assert_eq(frame->persisted_last_seq, expected->persisted_last_seq);
}

static void expect_event(const struct record *consumed, const struct record *decided, const struct built_event *built)
{
    const settle_event *event = &built->stream.event;
    cr_assert_eq(consumed->kind, RECORD_CONSUMED);
    cr_assert_eq(consumed->position, built->position);
    cr_assert_eq(consumed->time_us, built->consumed_us);
    cr_assert_eq(consumed->seq, built->result.seq);
    cr_assert(event_content_equal(&consumed->u.consumed, event));
    cr_assert_eq(decided->seq, built->result.seq);
    cr_assert_eq(decided->time_us, built->decided_us);
    cr_assert_eq(decided->position, consumed->position + consumed->length_bytes);
    if (built->result.outcome == SETTLE_ACCEPTED) {
        const settle_leg *legs = decided->u.validated.legs;
        char text[MODEL_TEXT_BYTES];
        cr_assert_eq(decided->kind, RECORD_VALIDATED);
        cr_assert(model_legs_equal(&built->legs, legs, decided->u.validated.leg_count, text), "%s", text);
        for (size_t i = 0; i < built->legs.count; i++)
            cr_assert_eq(legs[i].previous_position, built->legs.legs[i].previous_position);
    } else if (built->result.outcome == SETTLE_REJECTED) {
        cr_assert_eq(decided->kind, RECORD_REJECTED);
        cr_assert_eq(decided->u.rejected, built->result.reason);
    } else {
        bool is_duplicate = built->result.outcome == SETTLE_DUPLICATE;
        cr_assert_eq(decided->kind, is_duplicate ? RECORD_DUPLICATE : RECORD_CONFLICT);
        cr_assert_eq(decided->u.repeat.first_seq, built->result.first_seq);
        cr_assert_eq(decided->u.repeat.first_position, b.events[built->result.first_seq - 1].position);
    }
}

/* ---- Frames in order -------------------------------------------------------------------------------------------- */

Test(reader, hands_out_what_was_written)
{
    begin_small(5);
    struct journal_point point;
    struct frame frame;
    size_t frames = 0, events = 0;
    journal_reader_begin(reader, &point);
    expect_point(&point, &(struct journal_point){.position = SEGMENT_HEADER_BYTES,
                                                 .next_seq = 1,
                                                 .chain = segment_chain_genesis(builder_journal_id)});
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        struct record record, consumed = {.position = 0};
        size_t offset = 0;
        expect_frame(&frame, &b.frames[frames].frame);
        expect_point(&point, &b.frames[frames].end);
        while (frame_next_record(&frame, &offset, &record)) {
            if (record.kind == RECORD_CONSUMED)
                consumed = record;
            else if (record.kind >= RECORD_VALIDATED && record.kind <= RECORD_CONFLICT)
                expect_event(&consumed, &record, &b.events[events++]);
        }
        frames++;
    }
    cr_assert_eq(frames, b.frame_count);
    cr_assert_eq(events, b.event_count);
    EXPECT_STATUS(journal_reader_next(reader, &point, &frame, &test_error), SETTLE_E_END);
    expect_point(&point, &b.end);
    cr_assert_eq(memcmp(journal_reader_id(reader), builder_journal_id, 16), 0);
    cr_assert_eq(journal_reader_segment_bytes(reader), SEGMENT_BYTES_MIN);
    cr_assert_not(journal_reader_tail(reader)->writer_is_live);
    end();
}

/* Reads all and compares every frame's bytes with the files. */
static void expect_bytes(void)
{
    struct journal_files files;
    struct journal_point point;
    struct frame frame;
    size_t frames = 0;
    journal_files_load(b.data_fd, &files);
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        const struct journal_file *file = journal_files_segment(&files, frame.position / b.segment_bytes);
        expect_frame(&frame, &b.frames[frames++].frame);
        cr_assert_eq(memcmp(frame.bytes, file->bytes + frame.position % b.segment_bytes, frame.length_bytes), 0);
    }
    cr_assert_eq(frames, b.frame_count);
    journal_files_free(&files);
}

Test(reader, frames_of_any_size_meet_the_edges_of_its_window)
{
    begin(4 * MIB);
    for (uint64_t i = 0; b.end.position < 9 * MIB; i++) {
        /* Around 256 KiB, what it reads at once, and 1 MiB, what it has memory for at first. */
        static const uint64_t sizes[] = {128, 4096, 100000, 262144, 1048576, 2500000};
        uint64_t bytes = sizes[stream_random(&b.stream, 6)] + 64 * stream_random(&b.stream, 5);
        builder_note(&b, i % 2 == 0 ? bytes / 64 * 64 : 128 + 64 * stream_random(&b.stream, 4000));
    }
    builder_close(&b);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    expect_bytes();
    expect_bytes(); /* again with a window that is elsewhere and larger */
    end();
}

Test(reader, every_offset_of_a_frame_in_the_window)
{
    /* Frames that end, begin and have their header's end at each 64 bytes around the first 256 KiB. */
    for (uint64_t shift = 0; shift < 8; shift++) {
        begin(MIB);
        builder_note(&b, 262144 - 512 + 64 * shift);
        for (int i = 0; i < 8; i++)
            builder_note(&b, 128 + 64 * stream_random(&b.stream, 4));
        builder_close(&b);
        EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
        expect_bytes();
        end();
    }
}

Test(reader, a_frame_that_reaches_into_the_last_64_bytes_is_damage)
{
    begin(SEGMENT_BYTES_MIN);
    builder_note(&b, SEGMENT_BYTES_MIN - SEGMENT_HEADER_BYTES - 192);
    builder_close(&b);
    /* One that follows and is right in everything else. */
    uint8_t bytes[192];
    const settle_asset asset = {1, 8, "BTC"};
    struct frame frame = {.position = b.end.position,
                          .first_seq = 1,
                          .time_us = b.end.time_us,
                          .length_bytes = 192,
                          .record_count = 2,
                          .previous_chain = b.end.chain};
    for (size_t i = 0; i < 2; i++)
        record_encode_asset(bytes + FRAME_HEADER_BYTES + i * ASSET_BYTES, 0, &asset);
    frame_seal(&frame, bytes, FRAME_HEADER_BYTES + 2 * ASSET_BYTES, builder_journal_id);
    journal_file_write(b.data_fd, "00000000000000000001-000000.seg", b.end.position, bytes, sizeof bytes);
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT);
    cr_assert_eq(scan.error.offset_bytes, SEGMENT_BYTES_MIN - 192);
    builder_deinit(&b);
}

Test(reader, begins_with_any_segment)
{
    begin_small(6);
    const struct segment_list *segments = journal_reader_segments(reader);
    for (size_t i = 0; i < segments->count; i++) {
        for (uint64_t offset = 0; offset < SEGMENT_BYTES_MIN; offset += 4095) {
            struct journal_point point;
            struct frame frame;
            EXPECT_OK(journal_reader_begin_segment(reader, i * SEGMENT_BYTES_MIN + offset, &point, &test_error));
            cr_assert_eq(point.position, i * SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES);
            cr_assert_eq(point.next_seq, segments->entries[i].header.first_seq);
            cr_assert_eq(point.persisted_seq, i == 0 ? 0 : POINT_PERSISTED_UNKNOWN);
            cr_assert_eq(point.frame_position, 0);
            EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error));
            cr_assert_eq(frame.position, i * SEGMENT_BYTES_MIN + SEGMENT_HEADER_BYTES);
            while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK)
                ;
            cr_assert_eq(point.position, b.end.position);
            cr_assert_eq(point.chain, b.end.chain);
        }
    }
    struct journal_point point = {.position = 5};
    EXPECT_STATUS(journal_reader_begin_segment(reader, segments->count * SEGMENT_BYTES_MIN, &point, &test_error),
                  SETTLE_E_CORRUPT);
    EXPECT_STATUS(journal_reader_begin_segment(reader, UINT64_MAX, &point, &test_error), SETTLE_E_CORRUPT);
    cr_assert_eq(point.position, 5);
    end();
}

Test(reader, names_the_place_of_a_position)
{
    begin_small(3);
    const struct segment_list *segments = journal_reader_segments(reader);
    for (size_t i = 0; i < segments->count; i++) {
        uint64_t offset = 0;
        cr_assert_str_eq(journal_reader_place(reader, i * SEGMENT_BYTES_MIN + 600, &offset), segments->entries[i].name);
        cr_assert_eq(offset, 600);
    }
    uint64_t offset = 0;
    cr_assert_str_eq(journal_reader_place(reader, segments->count * SEGMENT_BYTES_MIN, &offset), "");
    end();
}

/* ---- The limit -------------------------------------------------------------------------------------------------- */

/* Reads on from *point; every frame must end at or before the limit, and none that does may be missing. */
static void expect_up_to(uint64_t limit, struct journal_point *point)
{
    struct frame frame;
    settle_status status;
    while ((status = journal_reader_next(reader, point, &frame, &test_error)) == SETTLE_OK)
        cr_assert_leq(frame.position + frame.length_bytes, limit);
    cr_assert_eq(status, SETTLE_E_END, "%s", expect_describe(&test_error));
    size_t frames = 0;
    while (frames < b.frame_count && b.frames[frames].end.position <= limit)
        frames++;
    struct journal_point expected;
    journal_reader_begin(reader, &expected);
    expect_point(point, frames == 0 ? &expected : &b.frames[frames - 1].end);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, 0);
}

Test(reader, hands_out_nothing_at_or_beyond_any_limit)
{
    begin_small(3);
    struct journal_point rising;
    journal_reader_begin(reader, &rising);
    uint64_t end_position = b.end.position + 64;
    for (uint64_t limit = 0; limit < end_position;
         limit += limit % 64 == 1 ? 62 : 1) { /* each multiple of 64, and ±1 */
        struct journal_point point;
        journal_reader_begin(reader, &point);
        EXPECT_OK(journal_reader_limit(reader, limit, &test_error));
        if (limit % 64 == 0)
            expect_up_to(limit, &point);
        expect_up_to(limit, &rising);
    }
    /* And down again: what was read ahead must not come back. */
    for (uint64_t limit = b.end.position; limit > 64; limit -= 64) {
        struct journal_point point;
        journal_reader_begin(reader, &point);
        EXPECT_OK(journal_reader_limit(reader, limit - limit % 64, &test_error));
        expect_up_to(limit - limit % 64, &point);
    }
    EXPECT_OK(journal_reader_limit(reader, UINT64_MAX, &test_error));
    expect_up_to(UINT64_MAX, &rising);
    end();
}

Test(reader, a_limit_beyond_the_end_says_that_something_is_missing)
{
    begin_small(1);
    struct journal_point point;
    struct frame frame;
    settle_status status;
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_reader_limit(reader, b.end.position + 64, &test_error));
    while ((status = journal_reader_next(reader, &point, &frame, &test_error)) == SETTLE_OK)
        ;
    cr_assert_eq(status, SETTLE_E_CORRUPT);
    expect_point(&point, &b.end);
    EXPECT_OK(journal_reader_limit(reader, SEGMENT_BYTES_MIN + 4096, &test_error));
    EXPECT_STATUS(journal_reader_next(reader, &point, &frame, &test_error), SETTLE_E_CORRUPT);
    end();
}

Test(reader, follows_a_writer_of_its_own_process_by_the_limit)
{
    begin(SEGMENT_BYTES_MIN);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    struct journal_point point;
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_reader_limit(reader, b.end.position, &test_error));
    for (size_t i = 0; i < 80; i++) {
        builder_random(&b);
        expect_up_to(i == 0 ? 0 : b.frames[i - 1].end.position, &point); /* the new one is not told yet */
        EXPECT_OK(journal_reader_limit(reader, b.end.position, &test_error));
        expect_up_to(b.end.position, &point);
        expect_point(&point, &b.end);
    }
    cr_assert_geq(journal_reader_segments(reader)->count, 4);
    end();
}

Test(reader, sees_nothing_of_what_is_on_its_way)
{
    /* The frame behind the limit changes between two looks: the bytes read ahead must not be used. */
    begin(SEGMENT_BYTES_MIN);
    builder_events(&b, 3);
    builder_close(&b);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    struct journal_point point;
    struct frame frame;
    journal_reader_begin(reader, &point);
    char name[SEGMENT_NAME_BYTES];
    segment_name(1, 0, name);
    uint8_t garbage[1024];
    memset(garbage, 0xff, sizeof garbage);
    journal_file_write(b.data_fd, name, b.end.position, garbage, sizeof garbage);
    EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error)); /* reads ahead */
    EXPECT_OK(journal_reader_limit(reader, b.end.position, &test_error));
    expect_up_to(b.end.position, &point);
    memset(garbage, 0, sizeof garbage);
    journal_file_write(b.data_fd, name, b.end.position, garbage, sizeof garbage);
    builder_open(&b);
    builder_events(&b, 2);
    EXPECT_STATUS(journal_reader_next(reader, &point, &frame, &test_error), SETTLE_E_END);
    EXPECT_OK(journal_reader_limit(reader, b.end.position, &test_error));
    expect_up_to(b.end.position, &point);
    end();
}

/* ---- Events by position ----------------------------------------------------------------------------------------- */

Test(reader, finds_every_event_by_its_position)
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

Test(reader, finds_no_event_anywhere_else)
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

Test(reader, finds_every_flipped_bit_of_an_event)
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

Test(reader, finds_no_event_without_its_decision)
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

Test(reader, tells_when_each_event_was_recorded_as_PERSISTED)
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

Test(reader, PERSISTED_behind_damage_is_not_answered)
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

Test(reader, confirms_every_point_it_passed_and_no_other)
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

Test(reader, confirms_a_stored_point_beyond_the_limit_and_reads_no_further)
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

/* ---- Failing ---------------------------------------------------------------------------------------------------- */

Test(reader, syncs_what_a_dead_writer_left_before_it_hands_it_out)
{
    begin_small(2);
    journal_reader_close(reader);
    reader = NULL;
    fault_reset();
    fault_only(".seg");
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    cr_assert_eq(fault_count(FAULT_FDATASYNC), 1);
    cr_assert_eq(fault_count(FAULT_PWRITE), 0);
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    cr_assert_eq(fault_count(FAULT_FDATASYNC), 2);
    fault_fail_nth(FAULT_FDATASYNC, 1, EIO);
    EXPECT_STATUS(journal_reader_refresh(reader, &test_error), SETTLE_E_IO);
    journal_reader_close(reader);
    reader = NULL;
    fault_fail_nth(FAULT_FDATASYNC, 1, EIO);
    EXPECT_STATUS(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error), SETTLE_E_IO);
    cr_assert_null(reader);
    fault_reset();
    end();
}

Test(reader, every_open_that_fails_is_an_error)
{
    begin_small(3);
    journal_reader_close(reader);
    reader = NULL;
    for (uint64_t nth = 1;; nth++) {
        struct journal_point point;
        struct frame frame;
        fault_reset();
        fault_fail_nth(FAULT_OPENAT, nth, EMFILE);
        settle_status status = journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error);
        if (status == SETTLE_OK) {
            journal_reader_begin(reader, &point);
            while ((status = journal_reader_next(reader, &point, &frame, &test_error)) == SETTLE_OK)
                ;
        }
        bool has_struck = fault_has_struck();
        journal_reader_close(reader);
        reader = NULL;
        fault_reset();
        if (!has_struck) {
            cr_assert_eq(status, SETTLE_E_END);
            cr_assert_gt(nth, 6);
            break;
        }
        /* A lock that cannot be examined counts as held, so a reader may also wait for a watermark; never as damage. */
        cr_assert(status != SETTLE_OK && status != SETTLE_E_CORRUPT, "call %zu: %d", (size_t)nth, status);
    }
    end();
}

/* An allocator that fails once, and knows what it has given. */
struct scarce {
    size_t calls, fail_at, blocks;
};

static void *scarce_reallocate(void *context, void *memory, size_t bytes)
{
    struct scarce *scarce = context;
    if (bytes == 0) {
        scarce->blocks -= memory != NULL;
        free(memory);
        return NULL;
    }
    if (++scarce->calls == scarce->fail_at)
        return NULL;
    scarce->blocks += memory == NULL;
    return realloc(memory, bytes);
}

Test(reader, every_allocation_that_fails_is_an_error)
{
    begin(4 * MIB);
    builder_events(&b, 5);
    builder_note(&b, 2 * MIB);
    builder_close(&b);
    for (size_t fail_at = 1;; fail_at++) {
        struct scarce scarce = {.fail_at = fail_at};
        const struct mem mem = {scarce_reallocate, &scarce};
        struct journal_point point;
        struct frame frame;
        settle_status status = journal_reader_open(b.data_fd, &mem, &reader, &test_error);
        if (status == SETTLE_OK) {
            journal_reader_begin(reader, &point);
            while ((status = journal_reader_next(reader, &point, &frame, &test_error)) == SETTLE_OK)
                ;
        }
        cr_assert_eq(status, scarce.calls >= fail_at ? SETTLE_E_NO_MEMORY : SETTLE_E_END);
        journal_reader_close(reader);
        reader = NULL;
        cr_assert_eq(scarce.blocks, 0);
        if (scarce.calls < fail_at)
            break;
        cr_assert_lt(fail_at, 20);
    }
    end();
}

Test(reader, a_directory_without_a_journal_is_an_error)
{
    char path[TEMPDIR_BYTES];
    int data_fd = -1;
    builder_use_memory();
    tempdir_make(path);
    EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
    EXPECT_STATUS(journal_reader_open(data_fd, &mem_libc, &reader, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_null(reader);
    journal_reader_close(NULL);
    file_close(data_fd);
    tempdir_remove(path);
}
