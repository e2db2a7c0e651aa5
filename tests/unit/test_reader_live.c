/*
 * test_reader_live.c — readers beside a writer in another process: a child that holds the lock. What is handed out is
 * below its watermark, and what is on its way is neither seen nor judged.
 */
#include "journal/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

SETTLE_SUITE(reader_live);

#define SEED stream_seed(8)

static struct journal_builder b;
static struct journal_reader *reader;

/* ---- A child that is the writer --------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int to_child, from_child;
};

/* The child takes the lock, says so, does its work, and lives until it is told to end. */
static struct child child_start(void (*work)(void))
{
    int down[2], up[2];
    char byte = 'r';
    cr_assert(pipe(down) == 0 && pipe(up) == 0);
    struct child child = {child_fork(), down[1], up[0]};
    cr_assert_geq(child.pid, 0);
    if (child.pid == 0) {
        int lock_fd = -1;
        alarm(50);
        bool is_good = lock_take_at(b.data_fd, &lock_fd, NULL) == SETTLE_OK && write(up[1], &byte, 1) == 1;
        close(down[1]);
        if (is_good && work != NULL)
            work();
        _exit(is_good && read(down[0], &byte, 1) >= 0 ? 0 : 1);
    }
    close(down[0]);
    close(up[1]);
    cr_assert_eq(read(child.from_child, &byte, 1), 1);
    return child;
}

static void child_end(struct child *child)
{
    int status = 0;
    close(child->to_child);
    close(child->from_child);
    cr_assert_eq(waitpid(child->pid, &status, 0), child->pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
}

/* As documented: u64 position, u64 its complement, u64 whether the writer appends. */
static void watermark_put(uint64_t position, uint64_t is_appending)
{
    uint8_t bytes[24];
    put_u64(bytes, position);
    put_u64(bytes + 8, ~position);
    put_u64(bytes + 16, is_appending);
    journal_file_write(b.data_fd, WATERMARK_NAME, 0, bytes, sizeof bytes);
}

static void watermark_set(uint64_t position)
{
    watermark_put(position, 1);
}

static char last_segment[SEGMENT_NAME_BYTES];

static void begin(size_t frames)
{
    struct journal_files files;
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    while (b.frame_count < frames)
        builder_random(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &files);
    strcpy(last_segment, journal_files_segment(&files, b.end.position / SEGMENT_BYTES_MIN)->name);
    journal_files_free(&files);
}

/* Bytes behind the journal's end. */
static void write_behind(const void *bytes, size_t count)
{
    journal_file_write(b.data_fd, last_segment, b.end.position % SEGMENT_BYTES_MIN, bytes, count);
}

static void end(void)
{
    journal_reader_close(reader);
    reader = NULL;
    builder_deinit(&b);
}

/* Frames from *point on, all of which end at or before the limit. */
static size_t read_on(struct journal_point *point, uint64_t limit)
{
    struct frame frame;
    settle_status status;
    size_t count = 0;
    while ((status = journal_reader_next(reader, point, &frame, &test_error)) == SETTLE_OK) {
        cr_assert_leq(frame.position + frame.length_bytes, limit);
        count++;
    }
    cr_assert_eq(status, SETTLE_E_END, "%s", expect_describe(&test_error));
    return count;
}

static uint64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

Test(reader_live, hands_out_what_is_below_the_watermark_of_a_living_writer)
{
    begin(40);
    struct child child = child_start(NULL);
    for (size_t i = 0; i < b.frame_count; i++) {
        struct journal_point point;
        watermark_set(b.frames[i].end.position);
        EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
        cr_assert(journal_reader_tail(reader)->writer_is_live);
        journal_reader_begin(reader, &point);
        cr_assert_eq(read_on(&point, b.frames[i].end.position), i + 1);
        cr_assert_eq(point.position, b.frames[i].end.position);
        journal_reader_close(reader);
        reader = NULL;
    }
    child_end(&child);
    end();
}

Test(reader_live, sees_more_after_a_refresh_and_all_when_the_writer_is_gone)
{
    begin(40);
    struct child child = child_start(NULL);
    struct journal_point point;
    size_t count = 0;
    watermark_set(SEGMENT_HEADER_BYTES);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, 0), 0);
    for (size_t i = 0; i < 20; i++) {
        watermark_set(b.frames[i].end.position);
        cr_assert_eq(read_on(&point, 0), 0); /* not before it has looked again */
        EXPECT_OK(journal_reader_refresh(reader, &test_error));
        count += read_on(&point, b.frames[i].end.position);
        cr_assert_eq(count, i + 1);
    }
    child_end(&child);
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    cr_assert_not(journal_reader_tail(reader)->writer_is_live);
    cr_assert_eq(count + read_on(&point, UINT64_MAX), b.frame_count);
    end();
}

Test(reader_live, judges_nothing_behind_the_watermark)
{
    begin(10);
    uint8_t garbage[100];
    memset(garbage, 0x77, sizeof garbage);
    write_behind(garbage, sizeof garbage);
    struct journal_point point;
    struct child child = child_start(NULL);
    watermark_set(b.end.position);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, b.end.position), 10);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, 0);
    child_end(&child);
    /* The writer is gone: now it is what it is. */
    struct frame frame;
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    EXPECT_STATUS(journal_reader_next(reader, &point, &frame, &test_error), SETTLE_E_CORRUPT);
    end();
}

Test(reader_live, forgets_a_torn_tail_when_a_writer_comes)
{
    begin(5);
    write_behind("FRM1", 4);
    struct journal_point point;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, UINT64_MAX), 5);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, b.end.position);
    struct child child = child_start(NULL);
    watermark_set(b.end.position);
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    cr_assert_eq(read_on(&point, 0), 0);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, 0);
    cr_assert_eq(journal_reader_tail(reader)->torn_bytes, 0);
    child_end(&child);
    end();
}

Test(reader_live, a_writer_that_never_tells_its_watermark_is_busy)
{
    begin(3);
    struct child child = child_start(NULL);
    static const uint8_t half[WATERMARK_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            journal_file_remove(b.data_fd, WATERMARK_NAME);
        else
            journal_file_write(b.data_fd, WATERMARK_NAME, 0, half, sizeof half);
        uint64_t before = milliseconds();
        EXPECT_STATUS(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error), SETTLE_E_BUSY);
        cr_assert_lt(milliseconds() - before, 20000);
        cr_assert_null(reader);
    }
    child_end(&child);
    /* Without a writer it means nothing, whatever it is. */
    struct journal_point point;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, UINT64_MAX), 3);
    end();
}

Test(reader_live, reads_all_while_a_writer_only_recovers)
{
    begin(20);
    write_behind("FRM1", 4);
    struct child child = child_start(NULL);
    watermark_put(b.frames[3].end.position, 0);
    struct journal_point point;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    cr_assert_not(journal_reader_tail(reader)->writer_is_live);
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, UINT64_MAX), 20);
    cr_assert_eq(journal_reader_tail(reader)->torn_bytes, 4);
    /* Now it appends. */
    watermark_put(b.end.position, 1);
    write_behind("FRM1 and more", 13);
    cr_assert_eq(read_on(&point, 0), 0);
    cr_assert(journal_reader_tail(reader)->writer_is_live);
    cr_assert_eq(journal_reader_tail(reader)->torn_bytes, 0);
    child_end(&child);
    end();
}

static struct watermark watermark_get(void)
{
    int journal_fd = -1;
    struct watermark watermark = {true, 7, true};
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    file_close(journal_fd);
    return watermark;
}

static void expect_watermark(bool is_known, uint64_t position, bool is_appending)
{
    struct watermark watermark = watermark_get();
    cr_assert_eq(watermark.is_known, is_known);
    cr_assert_eq(watermark.position, position);
    cr_assert_eq(watermark.is_appending, is_appending);
}

Test(reader_live, reads_all_beside_a_writer_that_still_recovers)
{
    begin(5);
    struct child child = child_start(NULL);
    struct watermark before;
    struct journal_point point;
    watermark_set(b.frames[1].end.position); /* old, as a power cut may leave it */
    EXPECT_OK(watermark_pause(b.data_fd, &before, &test_error));
    cr_assert_eq(before.position, b.frames[1].end.position);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    cr_assert_not(journal_reader_tail(reader)->writer_is_live);
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, UINT64_MAX), 5);
    child_end(&child);
    end();
}

Test(reader_live, half_a_watermark_is_none)
{
    begin(1);
    expect_watermark(true, b.end.position, false); /* its writer has closed */
    for (size_t bytes = 0; bytes <= WATERMARK_BYTES; bytes++) {
        watermark_set(UINT64_C(0x1122334455667788));
        journal_file_resize(b.data_fd, WATERMARK_NAME, bytes);
        bool is_known = bytes >= 16;
        expect_watermark(is_known, is_known ? UINT64_C(0x1122334455667788) : 0, bytes > 16);
    }
    for (size_t bit = 0; bit < 8 * 16; bit++) {
        uint8_t bytes[16];
        put_u64(bytes, 4096);
        put_u64(bytes + 8, ~UINT64_C(4096));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        journal_file_write(b.data_fd, WATERMARK_NAME, 0, bytes, sizeof bytes);
        expect_watermark(false, 0, false);
    }
    journal_file_remove(b.data_fd, WATERMARK_NAME);
    expect_watermark(false, 0, false);
    end();
}

Test(reader_live, a_writer_that_begins_keeps_the_position_and_says_that_nobody_appends)
{
    begin(1);
    struct watermark before;
    watermark_set(4096);
    EXPECT_OK(watermark_pause(b.data_fd, &before, &test_error));
    cr_assert(before.is_known && before.is_appending);
    cr_assert_eq(before.position, 4096);
    expect_watermark(true, 4096, false);
    journal_file_remove(b.data_fd, WATERMARK_NAME);
    EXPECT_OK(watermark_pause(b.data_fd, &before, &test_error));
    cr_assert(!before.is_known && before.position == 0);
    expect_watermark(true, 0, false);
    end();
}

static void tell_late(void)
{
    usleep(300000);
    watermark_set(b.end.position);
}

Test(reader_live, waits_for_a_writer_that_has_just_begun)
{
    begin(4);
    journal_file_remove(b.data_fd, WATERMARK_NAME);
    struct child child = child_start(tell_late);
    struct journal_point point;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    cr_assert_eq(read_on(&point, b.end.position), 4);
    child_end(&child);
    end();
}

static void write_half_a_frame(void)
{
    char bytes[300];
    watermark_set(b.end.position);
    memset(bytes, 'h', sizeof bytes);
    write_behind(bytes, sizeof bytes);
}

Test(reader_live, notices_a_writer_that_begins_while_it_reads)
{
    begin(4);
    struct journal_point point;
    struct frame frame;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error));
    struct child child = child_start(write_half_a_frame);
    usleep(50000);
    cr_assert_eq(read_on(&point, b.end.position), 3); /* and no word of damage */
    cr_assert(journal_reader_tail(reader)->writer_is_live);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, 0);
    child_end(&child);
    end();
}

/* A writer at work: 300 frames over many segments, the watermark behind each sync. */
static void write_frames(void)
{
    builder_open(&b);
    for (int i = 0; i < 300; i++)
        builder_random(&b);
    builder_close(&b);
}

Test(reader_live, follows_a_writer_at_work_frame_by_frame)
{
    begin(3);
    struct journal_point point;
    struct frame frame;
    size_t frames = 0;
    struct child child = child_start(write_frames);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    for (uint64_t since = milliseconds(); frames < 303 && milliseconds() - since < 30000;) {
        settle_status status = journal_reader_next(reader, &point, &frame, &test_error);
        if (status == SETTLE_E_END)
            EXPECT_OK(journal_reader_refresh(reader, &test_error));
        else
            cr_assert_eq(status, SETTLE_OK, "after %zu frames: %s", frames, expect_describe(&test_error));
        frames += status == SETTLE_OK;
    }
    child_end(&child);
    cr_assert_eq(frames, 303);
    cr_assert_geq(journal_reader_segments(reader)->count, 5);
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.frame_count, 303);
    cr_assert_eq(scan.end.position, point.position);
    cr_assert_eq(scan.end.chain, point.chain);
    end();
}
