/*
 * writer_fixture.h — a journal under construction and what must hold of it. For the suites of writer.c; each includes
 * it once.
 */
#ifndef TESTS_UNIT_WRITER_FIXTURE_H
#define TESTS_UNIT_WRITER_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "journal/writer.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SEED stream_seed(42)
#define MIB ((uint64_t)1 << 20)

static struct journal_builder b;

static inline void begin(uint64_t segment_bytes)
{
    builder_use_memory();
    builder_init(&b, segment_bytes, SEED);
}

static inline bool exists(int data_fd)
{
    bool result = false;
    EXPECT_OK(journal_exists(data_fd, &mem_libc, &result, &test_error));
    return result;
}

static inline const char *name_of(uint64_t ordinal)
{
    static char name[SEGMENT_NAME_BYTES];
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    const struct journal_file *file = journal_files_segment(&files, ordinal);
    cr_assert_not_null(file, "no segment %zu", (size_t)ordinal);
    strcpy(name, file->name);
    journal_files_free(&files);
    return name;
}

static inline void expect_watermark(uint64_t position, bool is_appending)
{
    int journal_fd = -1;
    struct watermark watermark = {.is_known = false};
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(watermark_read(journal_fd, &watermark, &test_error));
    file_close(journal_fd);
    cr_assert(watermark.is_known);
    cr_assert_eq(watermark.position, position);
    cr_assert_eq(watermark.is_appending, is_appending);
}

/* The reader finds what was built. */
static inline void expect_built(void)
{
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, b.frame_count);
    cr_assert_eq(scan.end.position, b.end.position);
    cr_assert_eq(scan.end.next_seq, b.end.next_seq);
    cr_assert_eq(scan.end.persisted_seq, b.end.persisted_seq);
    cr_assert_eq(scan.end.time_us, b.end.time_us);
    cr_assert_eq(scan.end.frame_position, b.end.frame_position);
    cr_assert_eq(scan.end.chain, b.end.chain);
    cr_assert_eq(scan.tail.torn_position, 0);
}

#endif
