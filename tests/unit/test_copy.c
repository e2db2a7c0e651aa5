/*
 * test_copy.c — a journal's beginning as a journal of its own, for every event at which it can end.
 */
#include "journal/copy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "journal/writer.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

SETTLE_SUITE(copy);

#define SEED stream_seed(1234)

static struct journal_builder b;
static struct journal_files files;
static char to_path[TEMPDIR_BYTES];
static int to_fd = -1;

/* Frames of all kinds, with PERSISTED before the events of its frame, behind them, and alone; a new one for a copy. */
static void begin(uint64_t segments)
{
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    for (int i = 0; b.end.position / SEGMENT_BYTES_MIN + 1 < segments || i % 8 != 0; i++) {
        if (i % 4 == 1)
            builder_events(&b, 4);
        else
            builder_random(&b);
    }
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
}

static void end(void)
{
    journal_files_free(&files);
    builder_deinit(&b);
}

static void target_make(void)
{
    tempdir_make(to_path);
    EXPECT_OK(dir_open(to_path, false, &to_fd, &test_error));
}

static void target_remove(void)
{
    file_close(to_fd);
    tempdir_remove(to_path);
}

static uint64_t persisted_us(struct journal_reader *reader, const struct built_event *event)
{
    uint64_t time_us = 1;
    EXPECT_OK(journal_reader_persisted(reader, event->frame_position, event->result.seq, &time_us, &test_error));
    return time_us;
}

/* ---- What every copy must be ------------------------------------------------------------------------------------ */

/* Frames that end before the event are there byte for byte, at their places, and no others of the original. */
static void expect_frames(struct journal_reader *copied, uint64_t until_seq)
{
    struct journal_point point;
    struct frame frame;
    settle_status status;
    size_t frames = 0;
    journal_reader_begin(copied, &point);
    while ((status = journal_reader_next(copied, &point, &frame, &test_error)) == SETTLE_OK) {
        const struct frame *original = frames < b.frame_count ? &b.frames[frames].frame : NULL;
        if (original != NULL && original->first_seq <= until_seq &&
            original->first_seq + original->event_count <= until_seq + 1) {
            const struct journal_file *file = journal_files_segment(&files, original->position / SEGMENT_BYTES_MIN);
            cr_assert_eq(frame.position, original->position);
            cr_assert_eq(frame.length_bytes, original->length_bytes);
            cr_assert_eq(memcmp(frame.bytes, file->bytes + frame.position % SEGMENT_BYTES_MIN, frame.length_bytes), 0);
        } else { /* the one that was cut, or a PERSISTED of its own */
            cr_assert(frame.event_count > 0 || frame.record_count == 1);
        }
        frames++;
    }
    cr_assert_eq(status, SETTLE_E_END, "until %zu: %s", (size_t)until_seq, expect_describe(&test_error));
    cr_assert_eq(point.next_seq, until_seq + 1);
    cr_assert_eq(journal_reader_tail(copied)->torn_position, 0);
}

/* The same events at the same positions, and as PERSISTED at the same times. */
static void expect_events(struct journal_reader *original, struct journal_reader *copied, uint64_t until_seq)
{
    for (size_t i = 0; i < until_seq; i++) {
        struct event_records event;
        EXPECT_OK(journal_reader_event(copied, b.events[i].position, &event, &test_error));
        cr_assert_str_eq(event.id, b.events[i].id);
        cr_assert_eq(event.consumed.seq, i + 1);
        cr_assert_eq(event.consumed.time_us, b.events[i].consumed_us);
        cr_assert_eq(event.decided.time_us, b.events[i].decided_us);
        cr_assert_eq(event.frame_position, b.events[i].frame_position);
        cr_assert_eq(persisted_us(copied, &b.events[i]), persisted_us(original, &b.events[i]),
                     "until %zu: PERSISTED of %zu", (size_t)until_seq, i + 1);
    }
    if (until_seq < b.event_count) {
        struct event_records event;
        EXPECT_STATUS(journal_reader_event(copied, b.events[until_seq].position, &event, &test_error),
                      SETTLE_E_CORRUPT);
    }
}

/* A writer goes on from it. */
static void expect_goes_on(const struct journal_point *copy_end)
{
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    struct journal_scan scan;
    const settle_asset asset = {1, 8, "BTC"};
    EXPECT_OK(journal_writer_open(to_fd, &mem_libc, copy_end, &writer, &test_error));
    cr_assert_eq(memcmp(journal_writer_id(writer), builder_journal_id, 16), 0);
    EXPECT_OK(frame_buffer_init(writer, &buffer, &test_error));
    frame_begin(writer, &buffer, copy_end->next_seq, copy_end->time_us + 1);
    frame_append(&buffer, record_encode_asset(frame_at_end(&buffer), 0, &asset));
    frame_close(writer, &buffer);
    EXPECT_OK(journal_writer_commit(writer, &buffer, &test_error));
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
    journal_scan(to_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    cr_assert_eq(scan.end.next_seq, copy_end->next_seq);
    cr_assert_gt(scan.end.position, copy_end->position);
}

static void expect_copy(uint64_t until_seq)
{
    struct journal_reader *original = NULL, *copied = NULL;
    struct journal_scan scan;
    target_make();
    EXPECT_OK(journal_copy(b.data_fd, to_fd, until_seq, &test_error));
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &original, &test_error));
    EXPECT_OK(journal_reader_open(to_fd, &mem_libc, &copied, &test_error));
    cr_assert_eq(memcmp(journal_reader_id(copied), builder_journal_id, 16), 0);
    expect_frames(copied, until_seq);
    expect_events(original, copied, until_seq);
    journal_reader_close(original);
    journal_reader_close(copied);
    journal_scan(to_fd, &scan);
    expect_goes_on(&scan.end);
    target_remove();
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

Test(copy, ends_with_any_event)
{
    begin(4);
    cr_assert_gt(b.event_count, 50);
    for (uint64_t until_seq = 0; until_seq <= b.event_count; until_seq++)
        expect_copy(until_seq);
    end();
}

Test(copy, of_everything_is_the_same_journal)
{
    static const uint64_t untils[] = {UINT64_MAX, UINT64_MAX - 1};
    begin(4);
    for (size_t i = 0; i < 2; i++) {
        struct journal_files copied;
        target_make();
        EXPECT_OK(journal_copy(b.data_fd, to_fd, untils[i], &test_error));
        journal_files_load(to_fd, &copied);
        cr_assert_null(journal_files_difference(&files, &copied), "%s", journal_files_difference(&files, &copied));
        journal_files_free(&copied);
        target_remove();
    }
    end();
}

Test(copy, of_a_copy_is_the_copy)
{
    begin(3);
    for (uint64_t until_seq = 1; until_seq <= b.event_count; until_seq += 7) {
        struct journal_files first, second;
        target_make();
        EXPECT_OK(journal_copy(b.data_fd, to_fd, until_seq, &test_error));
        journal_files_load(to_fd, &first);
        char first_path[TEMPDIR_BYTES];
        int first_fd = to_fd;
        strcpy(first_path, to_path);
        target_make();
        EXPECT_OK(journal_copy(first_fd, to_fd, until_seq, &test_error));
        journal_files_load(to_fd, &second);
        cr_assert_null(journal_files_difference(&first, &second), "until %zu", (size_t)until_seq);
        journal_files_free(&first);
        journal_files_free(&second);
        target_remove();
        file_close(first_fd);
        tempdir_remove(first_path);
    }
    end();
}

Test(copy, of_an_empty_journal_is_empty)
{
    begin(1);
    end();
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
    for (uint64_t until_seq = 0; until_seq < 2; until_seq++) {
        struct journal_scan scan;
        target_make();
        EXPECT_OK(journal_copy(b.data_fd, to_fd, until_seq == 0 ? 0 : UINT64_MAX, &test_error));
        journal_scan(to_fd, &scan);
        cr_assert_eq(scan.status, SETTLE_OK);
        cr_assert_eq(scan.frame_count, 0);
        expect_goes_on(&scan.end);
        target_remove();
    }
    end();
}

Test(copy, leaves_a_torn_tail_behind)
{
    begin(2);
    char name[SEGMENT_NAME_BYTES];
    strcpy(name, journal_files_segment(&files, b.end.position / SEGMENT_BYTES_MIN)->name);
    journal_file_write(b.data_fd, name, b.end.position % SEGMENT_BYTES_MIN, "FRM1", 4);
    struct journal_files copied;
    target_make();
    EXPECT_OK(journal_copy(b.data_fd, to_fd, UINT64_MAX, &test_error));
    journal_files_load(to_fd, &copied);
    cr_assert_null(journal_files_difference(&files, &copied));
    journal_files_free(&copied);
    target_remove();
    end();
}

Test(copy, of_a_damaged_journal_is_refused)
{
    begin(3);
    const struct frame *frame = &b.frames[b.frame_count / 2].frame;
    uint64_t ordinal = frame->position / SEGMENT_BYTES_MIN;
    journal_file_write(b.data_fd, journal_files_segment(&files, ordinal)->name,
                       frame->position % SEGMENT_BYTES_MIN + 70, "damage", 6);
    target_make();
    EXPECT_STATUS(journal_copy(b.data_fd, to_fd, UINT64_MAX, &test_error), SETTLE_E_CORRUPT);
    target_remove();
    /* What comes before is sound, and can be copied. */
    target_make();
    struct journal_scan scan;
    EXPECT_OK(journal_copy(b.data_fd, to_fd, b.frames[b.frame_count / 4].end.persisted_seq, &test_error));
    journal_scan(to_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    target_remove();
    end();
}

Test(copy, goes_nowhere_where_a_journal_is)
{
    begin(2);
    struct journal_files before, after;
    target_make();
    EXPECT_OK(journal_copy(b.data_fd, to_fd, 20, &test_error));
    journal_files_load(to_fd, &before);
    EXPECT_STATUS(journal_copy(b.data_fd, to_fd, UINT64_MAX, &test_error), SETTLE_E_EXISTS);
    journal_files_load(to_fd, &after);
    cr_assert_null(journal_files_difference(&before, &after));
    cr_assert_eq(before.count, after.count);
    journal_files_free(&before);
    journal_files_free(&after);
    target_remove();
    end();
}

Test(copy, whose_last_event_fills_its_segment)
{
    /* No room for PERSISTED behind it: a later writer says so. */
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    builder_begin(&b);
    while (builder_add_event(&b))
        ;
    while (b.buffer.limit - b.buffer.used > SOURCE_BYTES_MAX)
        builder_add_source(&b, 100);
    builder_add_source(&b, b.buffer.limit - b.buffer.used - FRAME_TRAILER_BYTES - SOURCE_NAME);
    EXPECT_OK(builder_commit(&b, &test_error));
    cr_assert_eq(b.end.position, SEGMENT_BYTES_MIN - FRAME_ALIGN);
    builder_persisted(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
    struct journal_scan scan;
    target_make();
    EXPECT_OK(journal_copy(b.data_fd, to_fd, b.event_count, &test_error));
    journal_scan(to_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.end.next_seq, b.event_count + 1);
    cr_assert_eq(scan.end.position, SEGMENT_BYTES_MIN - FRAME_ALIGN);
    expect_goes_on(&scan.end);
    target_remove();
    end();
}
