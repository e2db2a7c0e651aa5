/*
 * test_reads.c — small things of which a call fails that seldom does: the holder's pid in a lock, the watermark, the zeros ahead of
 * a frame. It is said, or done without.
 */
#include <errno.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/trap.h"

SETTLE_SUITE(reads);

static struct journal_builder b;

static void begin(void)
{
    builder_use_memory();
    builder_init(&b, (uint64_t)4 << 20, stream_seed(44));
}

static void end(void)
{
    builder_deinit(&b);
}

#define FIXTURE .init = begin, .fini = end

static void fail_next(unsigned calls, int cause)
{
    trap_set(&(struct trap){.calls = calls, .index = 1, .error = cause, .action = TRAP_ONCE});
}

Test(reads, a_lock_whose_holder_cannot_be_read_is_held_all_the_same, FIXTURE)
{
    int first = -1, second = -1;
    EXPECT_OK(lock_take_at(b.data_fd, &first, &test_error));
    EXPECT_STATUS(lock_take_at(b.data_fd, &second, &test_error), SETTLE_E_BUSY);
    cr_assert_not_null(strstr(test_error.text, "another writer (pid "), "%s", test_error.text);
    fail_next(TRAP_READS, EIO);
    EXPECT_STATUS(lock_take_at(b.data_fd, &second, &test_error), SETTLE_E_BUSY);
    cr_assert(trap_was_met());
    (void)trap_clear();
    cr_assert_str_eq(test_error.text, "another writer has the directory");
    file_close(first);
}

Test(reads, a_watermark_that_cannot_be_read_or_makes_no_sense_is_no_position, FIXTURE)
{
    struct watermark watermark = {.is_known = true};
    int journal_fd = -1;
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    cr_assert(watermark.is_known && watermark.position == b.end.position);
    fail_next(TRAP_READS, EIO);
    EXPECT_STATUS(watermark_read(journal_fd, &watermark, &test_error), SETTLE_E_IO);
    (void)trap_clear();
    cr_assert(!watermark.is_known);
    /* Neither appending nor recovering. */
    uint8_t flag[8];
    put_u64(flag, 2);
    builder_close(&b);
    journal_file_write(b.data_fd, WATERMARK_NAME, 16, flag, sizeof flag);
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    cr_assert(!watermark.is_known && watermark.position == 0);
    file_close(journal_fd);
}

/* A segment that must grow for a frame, on a disk that is full: nothing of the frame is written. */
Test(reads, a_segment_that_cannot_grow_takes_no_frame, FIXTURE)
{
    struct journal_scan scan;
    while (b.end.position < ((uint64_t)1 << 20) - 200000)
        builder_note(&b, 100032);
    const struct journal_point before = b.end;
    builder_begin(&b);
    while (b.buffer.used < 300000)
        builder_add_source(&b, 200);
    fail_next(TRAP_WRITES, ENOSPC);
    EXPECT_STATUS(builder_commit(&b, &test_error), SETTLE_E_NO_SPACE);
    cr_assert(trap_was_met());
    (void)trap_clear();
    builder_close(&b);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    cr_assert(scan.end.position == before.position && scan.end.chain == before.chain);
    cr_assert_eq(scan.tail.torn_position, 0);
}

/* It was not there when we looked, and it is when we make it. */
Test(reads, a_file_that_another_makes_between_our_two_looks_is_opened, FIXTURE)
{
    int fd = -1;
    trap_set(&(struct trap){.calls = TRAP_OPENS, .index = 2, .error = EEXIST, .action = TRAP_ONCE});
    EXPECT_OK(file_open_at(b.data_fd, "new", FILE_CREATE_OR_WRITE, &fd, &test_error));
    cr_assert(trap_was_met());
    cr_assert_eq(trap_clear(), 4);
    file_close(fd);
    cr_assert(file_exists_at(b.data_fd, "new"));
}
