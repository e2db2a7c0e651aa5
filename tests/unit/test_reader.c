/*
 * test_reader.c — reading frames in order, up to a limit, and with failing calls. Events by position are
 * test_reader_events.c's, readers beside a living writer test_reader_live.c's, damaged journals test_recover*.c's.
 */
#include <errno.h>

#include "tests/lib/trap.h"
#include "tests/unit/reader_fixture.h"

SETTLE_SUITE(reader);

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

/* ---- Failing ---------------------------------------------------------------------------------------------------- */

/* A sync that fails there would be told to a caller, and the engine would go on: the kernel may call lost pages clean then. */
Test(reader, of_the_writers_own_process_leaves_the_sync_to_the_writer)
{
    begin_small(2);
    journal_reader_close(reader);
    reader = NULL;
    trap_set(&(struct trap){.calls = TRAP_SYNCS});
    EXPECT_OK(journal_reader_open_own(b.data_fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    EXPECT_OK(journal_reader_limit(reader, b.end.position, &test_error));
    cr_assert_eq(trap_clear(), 0);
    end();
}

Test(reader, syncs_what_a_dead_writer_left_before_it_hands_it_out)
{
    begin_small(2);
    journal_reader_close(reader);
    reader = NULL;
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .path_end = ".seg"});
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    cr_assert_eq(trap_count(TRAP_FDATASYNCS), 1);
    cr_assert_eq(trap_count(TRAP_WRITES), 0);
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    cr_assert_eq(trap_count(TRAP_FDATASYNCS), 2);
    trap_clear();
    trap_set(&(struct trap){.calls = TRAP_FDATASYNCS, .index = 1, .error = EIO, .path_end = ".seg"});
    EXPECT_STATUS(journal_reader_refresh(reader, &test_error), SETTLE_E_IO);
    journal_reader_close(reader);
    reader = NULL;
    trap_clear();
    trap_set(&(struct trap){.calls = TRAP_FDATASYNCS, .index = 1, .error = EIO, .path_end = ".seg"});
    EXPECT_STATUS(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error), SETTLE_E_IO);
    cr_assert_null(reader);
    trap_clear();
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
        trap_set(&(struct trap){.calls = TRAP_OPENS, .index = nth, .error = EMFILE});
        settle_status status = journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error);
        if (status == SETTLE_OK) {
            journal_reader_begin(reader, &point);
            while ((status = journal_reader_next(reader, &point, &frame, &test_error)) == SETTLE_OK)
                ;
        }
        bool has_struck = trap_was_met();
        journal_reader_close(reader);
        reader = NULL;
        trap_clear();
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

/* The last one: the list that is read again has no hole, only an end. */
Test(reader, tells_a_last_segment_that_goes_missing)
{
    begin_small(3);
    struct event_records event;
    char name[SEGMENT_NAME_BYTES];
    const struct segment_list *segments = journal_reader_segments(reader);
    memcpy(name, segments->entries[segments->count - 1].name, sizeof name);
    size_t last = b.event_count - 1;
    cr_assert_eq(b.events[last].position / SEGMENT_BYTES_MIN, segments->count - 1);
    EXPECT_OK(journal_reader_event(reader, b.events[0].position, &event, &test_error));
    journal_file_remove(b.data_fd, name);
    EXPECT_STATUS(journal_reader_event(reader, b.events[last].position, &event, &test_error), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.file, name), "%s", test_error.file);
    cr_assert_not_null(strstr(test_error.text, "the segment journal/"), "%s", test_error.text);
    cr_assert_null(strstr(test_error.text, "archive"), "%s", test_error.text);
    EXPECT_OK(journal_reader_event(reader, b.events[0].position, &event, &test_error));
    end();
}
