/*
 * test_journal.c — the journal's writer with failing system calls: for every call of a run over several segments, and
 * for every way in which it can fail, the writer says so, nothing is told to be durable that is not, and what is left
 * on the disk is read again with every frame that was committed.
 */
#include "journal/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/copy.h"
#include "journal/recover.h"
#include "journal/watermark.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/trap.h"

SETTLE_SUITE(journal);

#define SEED stream_seed(31)
#define FRAMES 36 /* some three segments */
#define MIB ((uint64_t)1 << 20)

static struct journal_builder b;

static settle_status frame_random(settle_error *error)
{
    builder_begin(&b);
    for (uint64_t count = 1 + stream_random(&b.stream, 12); count > 0 && builder_add_event(&b); count--)
        ;
    builder_add_persisted(&b);
    return builder_commit(&b, error);
}

static settle_status frames_random(size_t count, settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (b.frame_count < count && status == SETTLE_OK)
        status = frame_random(error);
    return status;
}

static uint64_t watermark(void)
{
    int journal_fd = -1;
    struct watermark watermark;
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    file_close(journal_fd);
    return watermark.position;
}

/* What is on the disk after a failure: all that was committed, perhaps the frame on its way, and a way to go on. */
static void expect_recovery(const char *what, uint64_t number)
{
    struct journal_scan scan;
    builder_close(&b);
    trap_clear();
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s %zu: %s", what, (size_t)number, expect_describe(&scan.error));
    cr_assert(scan.frame_count == b.frame_count || scan.frame_count == b.frame_count + 1,
              "%s %zu: %zu frames, %zu were committed", what, (size_t)number, scan.frame_count, b.frame_count);
    if (scan.frame_count == b.frame_count)
        cr_assert(scan.end.position == b.end.position && scan.end.chain == b.end.chain);
    else
        cr_assert_eq(scan.end.frame_position, b.frames[b.frame_count].frame.position);
    struct journal_reader *reader = NULL;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(journal_reader_confirm(reader, &b.end, &test_error));
    if (scan.tail.torn_position > 0) {
        uint64_t offset = 0;
        char copy[SEGMENT_NAME_BYTES + 32];
        const char *segment = journal_reader_place(reader, scan.tail.torn_position, &offset);
        EXPECT_OK(journal_cut_tail(b.data_fd, segment, offset, scan.tail.torn_bytes, copy, &test_error));
    }
    journal_reader_close(reader);
    /* The next writer. */
    size_t frames = scan.frame_count;
    b.end = scan.end;
    b.next_seq = scan.end.next_seq;
    builder_open(&b);
    builder_note(&b, 1024);
    builder_note(&b, 8192);
    builder_close(&b);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s %zu: %s", what, (size_t)number, expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, frames + 2);
    cr_assert_eq(scan.tail.torn_position, 0);
}

/* ---- Calls that fail -------------------------------------------------------------------------------------------- */

static void fail_each(unsigned call, int cause_errno, settle_status expected)
{
    builder_use_memory();
    for (uint64_t nth = 1;; nth++) {
        builder_init(&b, SEGMENT_BYTES_MIN, SEED);
        trap_set(&(struct trap){.calls = call, .index = nth, .error = cause_errno});
        settle_status status = frames_random(FRAMES, &test_error);
        bool has_struck = trap_was_met();
        if (!has_struck) {
            EXPECT_OK(status);
            cr_assert_geq(b.end.position / SEGMENT_BYTES_MIN, 2, "the run is too short");
            cr_assert_gt(nth, 2);
        } else {
            cr_assert_eq(status, expected, "call %zu: status %d: %s", (size_t)nth, status,
                         expect_describe(&test_error));
            cr_assert_eq(test_error.cause_errno, cause_errno);
        }
        trap_clear();
        cr_assert_leq(watermark(), b.end.position, "call %zu: the watermark is ahead of the last sync", (size_t)nth);
        expect_recovery("failing call", nth);
        builder_deinit(&b);
        if (!has_struck)
            return;
    }
}

Test(journal, every_write_that_fails_is_told)
{
    fail_each(TRAP_WRITES, EIO, SETTLE_E_IO);
    fail_each(TRAP_WRITES, ENOSPC, SETTLE_E_NO_SPACE);
}

Test(journal, every_sync_that_fails_is_told)
{
    fail_each(TRAP_FDATASYNCS, EIO, SETTLE_E_IO);
    fail_each(TRAP_FDATASYNCS, EDQUOT, SETTLE_E_NO_SPACE);
}

Test(journal, every_call_on_the_directory_that_fails_is_told)
{
    fail_each(TRAP_FSYNCS, EIO, SETTLE_E_IO);
    fail_each(TRAP_RENAMES, EIO, SETTLE_E_IO);
    fail_each(TRAP_OPENS, ENOSPC, SETTLE_E_NO_SPACE);
}

Test(journal, every_call_at_all_that_fails_is_told)
{
    fail_each(TRAP_CHANGES | TRAP_OPENS, EIO, SETTLE_E_IO);
}

Test(journal, interrupted_calls_are_made_again)
{
    static const unsigned calls[] = {TRAP_WRITES, TRAP_FDATASYNCS, TRAP_FSYNCS, TRAP_OPENS};
    struct journal_files whole, other;
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(FRAMES, &test_error));
    journal_files_load(b.data_fd, &whole);
    builder_deinit(&b);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        bool has_struck = true;
        for (uint64_t nth = 1; has_struck; nth += 1 + nth / 8) {
            builder_init(&b, SEGMENT_BYTES_MIN, SEED);
            trap_set(&(struct trap){.calls = calls[i], .index = nth, .error = EINTR});
            EXPECT_OK(frames_random(FRAMES, &test_error));
            has_struck = trap_was_met();
            cr_assert(has_struck || nth > 1);
            trap_clear();
            journal_files_load(b.data_fd, &other);
            cr_assert_null(journal_files_difference(&whole, &other));
            journal_files_free(&other);
            builder_deinit(&b);
        }
    }
    journal_files_free(&whole);
}

/* ---- Writes that are cut short ---------------------------------------------------------------------------------- */

Test(journal, every_write_torn_anywhere_is_told_and_cut)
{
    static const size_t places[] = {1, 7, 8, 15, 63, 64, 65, 127, 511, 512, 513, 1024, 1500, 4096, 16383};
    size_t torn = 0;
    builder_use_memory();
    for (uint64_t nth = 1;; nth++) {
        bool has_struck = false;
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            builder_init(&b, SEGMENT_BYTES_MIN, SEED);
            trap_set(&(struct trap){.calls = TRAP_WRITES,
                                    .index = nth,
                                    .error = i % 2 == 0 ? EIO : ENOSPC,
                                    .action = TRAP_SHORT,
                                    .bytes = places[i]});
            settle_status status = frames_random(FRAMES, &test_error);
            has_struck = trap_has_failed();
            cr_assert_eq(status != SETTLE_OK, has_struck);
            struct journal_scan scan;
            trap_clear();
            journal_scan(b.data_fd, &scan);
            torn += scan.tail.torn_position > 0;
            cr_assert_leq(watermark(), scan.end.position); /* torn, it may be whole all the same, behind its sync */
            expect_recovery("torn write", nth);
            builder_deinit(&b);
            if (!has_struck)
                break;
        }
        if (!has_struck)
            break;
    }
    cr_assert_gt(torn, 100); /* or it was none of the frames' */
}

Test(journal, short_writes_are_completed)
{
    static const size_t sizes[] = {1, 7, 64, 100, 4095};
    struct journal_files whole, other;
    builder_use_memory();
    for (size_t i = 0; i <= sizeof sizes / sizeof *sizes; i++) {
        builder_init(&b, SEGMENT_BYTES_MIN, SEED);
        if (i > 0)
            trap_set(&(struct trap){.calls = TRAP_WRITES, .action = TRAP_SHORT_ALL, .bytes = sizes[i - 1]});
        EXPECT_OK(frames_random(FRAMES, &test_error));
        trap_clear();
        journal_files_load(b.data_fd, i == 0 ? &whole : &other);
        builder_deinit(&b);
        if (i == 0)
            continue;
        cr_assert_null(journal_files_difference(&whole, &other), "%zu bytes a write", sizes[i - 1]);
        journal_files_free(&other);
    }
    journal_files_free(&whole);
}

/* ---- Creating and opening --------------------------------------------------------------------------------------- */

Test(journal, creating_it_can_be_tried_again_after_any_failure)
{
    builder_use_memory();
    for (uint64_t nth = 1;; nth++) {
        char path[TEMPDIR_BYTES];
        int data_fd = -1;
        struct journal_scan scan;
        tempdir_make(path);
        EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
        trap_set(&(struct trap){.calls = TRAP_CHANGES | TRAP_OPENS, .index = nth, .error = EIO});
        settle_status status = journal_create_with_id(data_fd, &mem_libc, SEGMENT_BYTES_MIN, builder_journal_id,
                                                      BUILDER_TIME_US, &test_error);
        bool has_struck = trap_was_met();
        trap_clear();
        if (has_struck && status != SETTLE_OK) {
            status = journal_create_with_id(data_fd, &mem_libc, SEGMENT_BYTES_MIN, builder_journal_id, BUILDER_TIME_US,
                                            &test_error);
            cr_assert(status == SETTLE_OK || status == SETTLE_E_EXISTS, "call %zu: %d: %s", (size_t)nth, status,
                      expect_describe(&test_error));
        }
        journal_scan(data_fd, &scan);
        cr_assert_eq(scan.status, SETTLE_OK, "call %zu: %s", (size_t)nth, expect_describe(&scan.error));
        cr_assert_eq(scan.frame_count, 0);
        file_close(data_fd);
        tempdir_remove(path);
        if (!has_struck) {
            cr_assert_gt(nth, 8);
            break;
        }
    }
}

Test(journal, opening_it_can_be_tried_again_after_any_failure)
{
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(FRAMES, &test_error));
    for (uint64_t nth = 1;; nth++) {
        struct journal_files before, after;
        struct journal_writer *writer = NULL;
        builder_close(&b);
        journal_files_load(b.data_fd, &before);
        trap_set(&(struct trap){.calls = TRAP_CHANGES | TRAP_OPENS, .index = nth, .error = EIO});
        settle_status status = journal_writer_open(b.data_fd, &mem_libc, &b.end, &writer, &test_error);
        bool has_struck = trap_was_met();
        trap_clear();
        cr_assert_eq(status, has_struck ? SETTLE_E_IO : SETTLE_OK);
        cr_assert_eq(writer == NULL, has_struck);
        journal_writer_close(writer);
        journal_files_load(b.data_fd, &after);
        cr_assert_null(journal_files_difference(&before, &after));
        journal_files_free(&before);
        journal_files_free(&after);
        builder_open(&b);
        EXPECT_OK(frame_random(&test_error));
        if (!has_struck)
            break;
    }
    builder_close(&b);
    expect_recovery("open", 0);
    builder_deinit(&b);
}

/* ---- Copying ---------------------------------------------------------------------------------------------------- */

Test(journal, a_copy_that_fails_is_no_journal)
{
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(FRAMES, &test_error));
    builder_close(&b);
    for (uint64_t nth = 1;; nth++) {
        char path[TEMPDIR_BYTES];
        int to_fd = -1;
        tempdir_make(path);
        EXPECT_OK(dir_open(path, false, &to_fd, &test_error));
        trap_set(&(struct trap){.calls = TRAP_CHANGES | TRAP_OPENS, .index = nth, .error = ENOSPC});
        settle_status status = journal_copy(b.data_fd, to_fd, b.event_count - 3, &test_error);
        bool has_struck = trap_was_met();
        trap_clear();
        if (status == SETTLE_OK) {
            struct journal_scan scan;
            journal_scan(to_fd, &scan);
            cr_assert_eq(scan.status, SETTLE_OK);
            cr_assert_eq(scan.end.next_seq, b.event_count - 2);
        } else {
            struct journal_scan scan;
            cr_assert(has_struck);
            /* There is none, or, where only the last sync failed, all of it. */
            bool exists = false;
            EXPECT_OK(journal_exists(to_fd, &mem_libc, &exists, &test_error));
            if (exists) {
                journal_scan(to_fd, &scan);
                cr_assert_eq(scan.status, SETTLE_OK, "call %zu: %s", (size_t)nth, expect_describe(&scan.error));
                cr_assert_eq(scan.end.next_seq, b.event_count - 2);
            }
        }
        file_close(to_fd);
        tempdir_remove(path);
        if (!has_struck)
            break;
    }
    builder_deinit(&b);
}

/* Numbers of calls, counted from 1: the last write and sync before the rename, the rename, what came after it. */
struct copy_order {
    size_t calls, write, sync, directory_sync, rename, after;
};

static void note_copy(void *context, const struct trap_note *note)
{
    struct copy_order *order = context;
    size_t number = ++order->calls;
    switch (note->call) {
    case TRAP_WRITES: order->write = number; break;
    case TRAP_FDATASYNCS: order->sync = number; break;
    case TRAP_RENAMES: order->rename = number; break;
    case TRAP_FSYNCS:
        if (order->rename == 0)
            order->directory_sync = number;
        else
            order->after = number;
        break;
    default: break;
    }
}

Test(journal, a_copy_is_synced_before_it_has_its_name_and_that_too)
{
    char path[TEMPDIR_BYTES];
    int to_fd = -1;
    struct copy_order order = {0};
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(FRAMES, &test_error));
    builder_close(&b);
    tempdir_make(path);
    EXPECT_OK(dir_open(path, false, &to_fd, &test_error));
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_copy, .context = &order});
    EXPECT_OK(journal_copy(b.data_fd, to_fd, UINT64_MAX, &test_error));
    size_t segments = b.end.position / SEGMENT_BYTES_MIN + 1;
    cr_assert_eq(trap_count(TRAP_FDATASYNCS), segments + 1); /* and the reader's own */
    trap_clear();
    cr_assert(order.write < order.sync && order.sync < order.directory_sync);
    cr_assert(order.directory_sync < order.rename && order.rename < order.after);
    file_close(to_fd);
    tempdir_remove(path);
    builder_deinit(&b);
}

/* ---- The order of calls ----------------------------------------------------------------------------------------- */

/* What is written but not synced, by descriptor. */
struct order {
    bool is_dirty[256];      /* a segment or the spare */
    bool directory_is_dirty; /* a rename that is not synced */
    size_t watermarks, renames, frames;
    const char *fault;
};

static const char *name_of(int fd, char ret_path[512])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, ret_path, 511);
    ret_path[length < 0 ? 0 : length] = '\0';
    const char *slash = strrchr(ret_path, '/');
    return slash == NULL ? ret_path : slash + 1;
}

static void note_order(void *context, const struct trap_note *note)
{
    struct order *order = context;
    char path[512];
    const char *name = name_of(note->fd, path);
    bool is_watermark = strcmp(name, WATERMARK_NAME) == 0;
    if (note->fd < 0 || note->fd >= 256) {
        order->fault = "a descriptor out of range";
        return;
    }
    if (note->call == TRAP_OPENS)
        order->is_dirty[note->fd] = false;
    if (note->call == TRAP_FDATASYNCS)
        order->is_dirty[note->fd] = false;
    if (note->call == TRAP_FSYNCS)
        order->directory_is_dirty = false;
    bool any_dirty = order->directory_is_dirty;
    for (size_t i = 0; i < 256; i++)
        any_dirty = any_dirty || order->is_dirty[i];
    if (note->call == TRAP_RENAMES) {
        if (any_dirty)
            order->fault = "a segment is given its name before it, or the one before it, is synced";
        order->directory_is_dirty = true;
        order->renames++;
    }
    if (note->call == TRAP_WRITES && is_watermark) {
        if (any_dirty)
            order->fault = "the watermark is told before the sync";
        order->watermarks++;
    } else if (note->call == TRAP_WRITES) {
        if (order->directory_is_dirty)
            order->fault = "a frame is written into a segment whose name is not synced";
        order->is_dirty[note->fd] = true;
        order->frames += strcmp(name, SEGMENT_SPARE_NAME) != 0;
    }
}

Test(journal, nothing_is_told_or_built_upon_before_it_is_synced)
{
    struct order order = {.fault = NULL};
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_order, .context = &order});
    while (b.frame_count < 2 * FRAMES && order.fault == NULL)
        EXPECT_OK(frame_random(&test_error));
    trap_clear();
    cr_assert_null(order.fault, "%s, at frame %zu", order.fault, b.frame_count);
    cr_assert_eq(order.watermarks, b.frame_count);
    cr_assert_eq(order.frames, b.frame_count);
    cr_assert_eq(order.renames, b.end.position / SEGMENT_BYTES_MIN);
    cr_assert_geq(order.renames, 3);
    builder_deinit(&b);
}

Test(journal, a_writer_that_starts_syncs_what_a_dead_one_left_before_it_tells)
{
    struct order order = {.fault = NULL};
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(3, &test_error));
    builder_close(&b);
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_order, .context = &order});
    builder_open(&b);
    cr_assert_eq(trap_count(TRAP_FDATASYNCS), 1);
    cr_assert_eq(trap_count(TRAP_FSYNCS), 1);
    cr_assert_eq(order.watermarks, 1);
    trap_clear();
    /* The watermark comes last. */
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct journal_writer *writer = NULL;
        builder_close(&b);
        journal_file_remove(b.data_fd, WATERMARK_NAME);
        trap_set(&(struct trap){.calls = nth == 1 ? TRAP_FDATASYNCS : TRAP_FSYNCS, .index = 1, .error = EIO});
        EXPECT_STATUS(journal_writer_open(b.data_fd, &mem_libc, &b.end, &writer, &test_error), SETTLE_E_IO);
        cr_assert_eq(watermark(), 0);
        trap_clear();
        builder_open(&b);
    }
    builder_deinit(&b);
}

Test(journal, a_watermark_that_cannot_be_lowered_is_told)
{
    static const unsigned calls[] = {TRAP_OPENS, TRAP_WRITES, TRAP_FDATASYNCS};
    builder_use_memory();
    builder_init(&b, SEGMENT_BYTES_MIN, SEED);
    EXPECT_OK(frames_random(3, &test_error));
    builder_close(&b);
    const uint64_t before = watermark();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        trap_set(&(struct trap){.calls = calls[i], .index = 1, .error = EIO, .path_end = WATERMARK_NAME});
        EXPECT_STATUS(watermark_lower(b.data_fd, before - 8, &test_error), SETTLE_E_IO);
        cr_assert(trap_was_met() && strcmp(test_error.file, "journal/" WATERMARK_NAME) == 0, "%s", test_error.file);
        trap_clear();
        cr_assert_eq(watermark(), calls[i] == TRAP_FDATASYNCS ? before - 8 : before);
    }
    trap_set(&(struct trap){.calls = TRAP_OPENS, .index = 1, .error = EIO, .path_end = "journal"});
    EXPECT_STATUS(watermark_lower(b.data_fd, before - 8, &test_error), SETTLE_E_IO);
    trap_clear();
    builder_open(&b);
    builder_deinit(&b);
}

/* ---- What a thread makes ahead ---------------------------------------------------------------------------------- */

/* Frames of `step` bytes until the first segment is full, or a commit fails. */
static settle_status fill_first_segment(size_t step, settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && b.end.position < 3 * MIB) {
        builder_begin(&b);
        while (b.buffer.used < step && frame_room(&b.buffer) > SOURCE_BYTES_MAX)
            builder_add_source(&b, 4000);
        builder_add_asset(&b);
        status = builder_commit(&b, error);
    }
    return status;
}

/* The zeros behind the first segment's first MiB are a write of the journal: who cannot make it stops, whether a commit waits
 * for it or not, and what was committed is there. */
Test(journal, a_failed_growth_of_the_first_segment_stops_the_writer)
{
    static const unsigned calls[] = {TRAP_WRITES, TRAP_FDATASYNCS};
    uint64_t frames_before_growth = 0;
    builder_use_memory();
    for (size_t i = 0; i < 2 * sizeof calls / sizeof *calls; i++) {
        builder_init(&b, 3 * MIB, SEED);
        while (b.end.position < MIB / 2 - 65536) /* the next but one asks the helper */
            EXPECT_OK(frame_random(&test_error));
        frames_before_growth = b.frame_count;
        trap_set(&(struct trap){.calls = calls[i / 2], .index = i % 2 == 0 ? 3 : 10, .error = EIO, .path_end = ".seg"});
        EXPECT_STATUS(fill_first_segment(i % 2 == 0 ? 65536 : 4096, &test_error), SETTLE_E_IO);
        cr_assert(trap_was_met());
        cr_assert(strstr(test_error.file, "journal/0") != NULL && test_error.text[0] != '\0', "%s", test_error.file);
        cr_assert_geq(b.frame_count, frames_before_growth);
        expect_recovery("growth", i);
        builder_deinit(&b);
    }
}

/* The first frame is longer than what is there when a segment begins, so that its own commit makes the file longer. */
Test(journal, a_failed_growth_for_a_frame_stops_its_commit)
{
    builder_use_memory();
    builder_init(&b, 3 * MIB, SEED);
    trap_set(&(struct trap){.calls = TRAP_WRITES, .index = 1, .error = EIO, .path_end = ".seg"});
    EXPECT_STATUS(fill_first_segment(MIB + 65536, &test_error), SETTLE_E_IO);
    cr_assert(trap_was_met() && b.frame_count == 0);
    expect_recovery("frame", 0);
    builder_deinit(&b);
}

/* Nothing has failed that was to be written: the commits have the file open, and make it longer themselves. */
Test(journal, a_growth_without_a_descriptor_is_the_commits_own)
{
    builder_use_memory();
    builder_init(&b, 3 * MIB, SEED);
    trap_set(
        &(struct trap){.calls = TRAP_OPENS, .index = 1, .action = TRAP_FROM_NOW, .error = EMFILE, .path_end = ".seg"});
    EXPECT_OK(fill_first_segment(65536, &test_error));
    cr_assert(trap_was_met());
    expect_recovery("descriptor", 0);
    builder_deinit(&b);
}

Test(journal, a_spare_that_fails_once_is_made_at_the_switch)
{
    static const unsigned calls[] = {TRAP_OPENS, TRAP_WRITES, TRAP_FDATASYNCS};
    builder_use_memory();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        builder_init(&b, 3 * MIB, SEED);
        trap_set(&(struct trap){.calls = calls[i], .index = 1, .error = ENOSPC, .path_end = SEGMENT_SPARE_NAME});
        EXPECT_OK(fill_first_segment(MIB / 2, &test_error));
        cr_assert(trap_was_met());
        expect_recovery("spare", i);
        builder_deinit(&b);
    }
}
