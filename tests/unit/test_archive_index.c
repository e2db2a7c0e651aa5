/*
 * test_archive_index.c — `journal/archived`: its bytes, its order, and that every damage to it is told.
 */
#include "journal/archive_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(archive_index);

static char directory[TEMPDIR_BYTES];
static int dir_fd = -1;

static void setup(void)
{
    tempdir_make(directory);
    EXPECT_OK(dir_open(directory, false, &dir_fd, &test_error));
}

static void teardown(void)
{
    file_close(dir_fd);
    tempdir_remove(directory);
}

#define FIXTURE .init = setup, .fini = teardown

static struct archive_entry entry_of(uint64_t ordinal)
{
    struct archive_entry entry = {.segment_bytes = 16384 - 512 * ordinal, .file_bytes = 4000 + ordinal};
    entry.header = (struct segment_header){.ordinal = ordinal,
                                           .first_seq = 1 + 100 * ordinal,
                                           .segment_bytes = 16384,
                                           .created_us = 1733856600000000,
                                           .previous_chain = 77};
    memset(entry.header.journal_id, 0x5a, 16);
    return entry;
}

static void write_entries(size_t count)
{
    struct archive_index index = {.mem = &mem_libc};
    for (size_t i = 0; i < count; i++) {
        const struct archive_entry entry = entry_of(i);
        EXPECT_OK(archive_index_put(&index, &entry, &test_error));
    }
    EXPECT_OK(archive_index_write(dir_fd, &index, &test_error));
    archive_index_free(&index);
}

static uint8_t *file_bytes(size_t count)
{
    int fd = -1;
    uint64_t size = 0;
    uint8_t *bytes = malloc(count);
    EXPECT_OK(file_open_at(dir_fd, ARCHIVE_INDEX_NAME, FILE_READ, &fd, &test_error));
    EXPECT_OK(file_size(fd, ARCHIVE_INDEX_NAME, &size, &test_error));
    cr_assert_eq(size, count);
    EXPECT_OK(file_read_zeros(fd, ARCHIVE_INDEX_NAME, 0, bytes, count, &test_error));
    file_close(fd);
    return bytes;
}

static void put_file(const uint8_t *bytes, size_t count)
{
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, ARCHIVE_INDEX_NAME, FILE_CREATE_OR_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, ARCHIVE_INDEX_NAME, 0, &test_error));
    EXPECT_OK(file_write(fd, ARCHIVE_INDEX_NAME, 0, bytes, count, &test_error));
    file_close(fd);
}

Test(archive_index, a_missing_file_tells_of_none, FIXTURE)
{
    struct archive_index index = {NULL, 1, &mem_libc};
    EXPECT_OK(archive_index_read(dir_fd, &mem_libc, &index, &test_error));
    cr_assert_eq(index.count, 0);
    archive_index_free(&index);
    EXPECT_OK(archive_index_remove(dir_fd, &test_error));
}

Test(archive_index, what_is_written_is_read, FIXTURE)
{
    struct archive_index index = {.mem = &mem_libc};
    write_entries(5);
    EXPECT_OK(archive_index_read(dir_fd, &mem_libc, &index, &test_error));
    cr_assert_eq(index.count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct archive_entry expected = entry_of(i), *entry = archive_index_find(&index, i);
        cr_assert_not_null(entry);
        cr_assert_eq(entry->segment_bytes, expected.segment_bytes);
        cr_assert_eq(entry->file_bytes, expected.file_bytes);
        cr_assert_eq(entry->header.first_seq, expected.header.first_seq);
        cr_assert_eq(entry->header.previous_chain, 77);
        cr_assert_arr_eq(entry->header.journal_id, expected.header.journal_id, 16);
    }
    cr_assert_null(archive_index_find(&index, 5));
    archive_index_free(&index);
    EXPECT_OK(archive_index_remove(dir_fd, &test_error));
    EXPECT_OK(archive_index_read(dir_fd, &mem_libc, &index, &test_error));
    cr_assert_eq(index.count, 0);
    archive_index_free(&index);
}

Test(archive_index, entries_come_in_any_order_and_replace_their_like)
{
    const uint64_t ordinals[] = {3, 1, 2, 0, 2};
    struct archive_index index = {.mem = &mem_libc};
    for (size_t i = 0; i < 5; i++) {
        struct archive_entry entry = entry_of(ordinals[i]);
        entry.file_bytes = 9000 + i;
        EXPECT_OK(archive_index_put(&index, &entry, &test_error));
    }
    cr_assert_eq(index.count, 4);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(index.entries[i].header.ordinal, i);
    cr_assert_eq(archive_index_find(&index, 2)->file_bytes, 9004);
    archive_index_free(&index);
}

/* The bytes of docs/archive.md. */
Test(archive_index, the_bytes_are_those_of_the_document, FIXTURE)
{
    write_entries(2);
    uint8_t *bytes = file_bytes(64 + 2 * 544), header[SEGMENT_HEADER_BYTES];
    const struct archive_entry second = entry_of(1);
    cr_assert_arr_eq(bytes, "SETTLEA1", 8);
    cr_assert_eq(get_u32(bytes + 8), 1u, "version");
    cr_assert_eq(get_u32(bytes + 12), 2u, "entries");
    cr_assert(bytes_are_zero(bytes + 16, 44));
    cr_assert_eq(get_u32(bytes + 60), crc32c(0, bytes, 60));
    const uint8_t *entry = bytes + 64 + 544;
    segment_header_encode(&second.header, header);
    cr_assert_arr_eq(entry, header, 512);
    cr_assert_eq(get_u64(entry + 512), 16384 - 512);
    cr_assert_eq(get_u64(entry + 520), 4001);
    cr_assert(bytes_are_zero(entry + 528, 12));
    cr_assert_eq(get_u32(entry + 540), crc32c(0, entry, 540));
    free(bytes);
}

Test(archive_index, a_flipped_bit_anywhere_is_told, FIXTURE)
{
    size_t count = 64 + 2 * 544;
    write_entries(2);
    uint8_t *bytes = file_bytes(count);
    for (size_t at = 0; at < count; at++) {
        struct archive_index index = {.mem = &mem_libc};
        bytes[at] ^= (uint8_t)(1u << (at % 8));
        put_file(bytes, count);
        EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
        cr_assert_str_eq(test_error.file, "journal/archived");
        cr_assert_eq(index.count, 0);
        bytes[at] ^= (uint8_t)(1u << (at % 8));
    }
    free(bytes);
}

Test(archive_index, another_length_is_told, FIXTURE)
{
    size_t count = 64 + 2 * 544;
    write_entries(2);
    uint8_t *bytes = realloc(file_bytes(count), count + 544);
    memset(bytes + count, 0, 544);
    const size_t lengths[] = {0, 1, 63, 64, 65, 64 + 543, 64 + 544, count - 1, count + 1, count + 544};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct archive_index index = {.mem = &mem_libc};
        put_file(bytes, lengths[i]);
        EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
    }
    free(bytes);
}

Test(archive_index, a_later_version_is_refused_as_such, FIXTURE)
{
    struct archive_index index = {.mem = &mem_libc};
    write_entries(1);
    uint8_t *bytes = file_bytes(64 + 544);
    put_u32(bytes + 8, 2);
    put_u32(bytes + 60, crc32c(0, bytes, 60));
    put_file(bytes, 64 + 544);
    EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_UNSUPPORTED);
    free(bytes);
}

Test(archive_index, entries_out_of_order_or_range_are_refused, FIXTURE)
{
    struct archive_index index = {.mem = &mem_libc};
    write_entries(2);
    uint8_t *bytes = file_bytes(64 + 2 * 544), entry[544];
    memcpy(entry, bytes + 64, 544);
    memcpy(bytes + 64, bytes + 64 + 544, 544);
    memcpy(bytes + 64 + 544, entry, 544);
    put_file(bytes, 64 + 2 * 544);
    EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
    memcpy(bytes + 64 + 544, bytes + 64, 544); /* twice the same */
    put_file(bytes, 64 + 2 * 544);
    EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
    memcpy(bytes + 64, entry, 544);
    const uint64_t sizes[] = {0, 511, 16385, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) { /* of a file that is no segment */
        put_u32(bytes + 12, 1);
        put_u32(bytes + 60, crc32c(0, bytes, 60));
        put_u64(bytes + 64 + 512, sizes[i]);
        put_u32(bytes + 64 + 540, crc32c(0, bytes + 64, 540));
        put_file(bytes, 64 + 544);
        EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
    }
    put_u64(bytes + 64 + 512, 16384);
    put_u32(bytes + 64 + 540, crc32c(0, bytes + 64, 540));
    put_file(bytes, 64 + 544);
    EXPECT_OK(archive_index_read(dir_fd, &mem_libc, &index, &test_error));
    archive_index_free(&index);
    free(bytes);
}

/* Every checksum is right here: what is wrong is what they cover. */
Test(archive_index, a_head_or_an_entry_with_impossible_content_is_refused, FIXTURE)
{
    struct archive_index index = {.mem = &mem_libc};
    const struct {
        size_t at;
        uint32_t value;
        bool is_head;
    } rows[] = {
        {12, 2, true},                            /* more entries than there are bytes */
        {12, UINT32_MAX, true},                   /* more than there can be */
        {16, 1, true},                            /* reserved */
        {64 + 512 + 24 - 4, 1, false},            /* reserved, in front of the checksum */
        {64 + 512 + 8, 0, false},                 /* a file of no bytes */
        {64 + SEGMENT_CRC, 0x12345678, false},    /* the header's own checksum */
    };
    write_entries(1);
    uint8_t *bytes = file_bytes(64 + 544), *changed = malloc(64 + 544);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(changed, bytes, 64 + 544);
        put_u32(changed + rows[i].at, rows[i].value);
        put_u32(changed + 60, crc32c(0, changed, 60));
        put_u32(changed + 64 + 540, crc32c(0, changed + 64, 540));
        put_file(changed, 64 + 544);
        settle_status status = archive_index_read(dir_fd, &mem_libc, &index, &test_error);
        cr_assert_eq(status, SETTLE_E_CORRUPT, "row %zu: %d", i, status);
    }
    /* Longer than an index of all segments that there can be. */
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, ARCHIVE_INDEX_NAME, FILE_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, ARCHIVE_INDEX_NAME, UINT64_C(1) << 40, &test_error));
    file_close(fd);
    EXPECT_STATUS(archive_index_read(dir_fd, &mem_libc, &index, &test_error), SETTLE_E_CORRUPT);
    cr_assert_str_eq(test_error.text, "the index is too long");
    free(changed);
    free(bytes);
}

/* ---- In the way ---------------------------------------------------------------------------------------------------- */

Test(archive_index, a_directory_under_one_of_its_names_is_told, FIXTURE)
{
    struct archive_index index = {.mem = &mem_libc};
    const struct archive_entry entry = entry_of(0);
    EXPECT_OK(archive_index_put(&index, &entry, &test_error));
    cr_assert_eq(mkdirat(dir_fd, ARCHIVE_INDEX_NAME_NEW, 0700), 0);
    EXPECT_STATUS(archive_index_write(dir_fd, &index, &test_error), SETTLE_E_ACCESS);
    cr_assert_not(file_exists_at(dir_fd, ARCHIVE_INDEX_NAME));
    EXPECT_STATUS(archive_index_remove(dir_fd, &test_error), SETTLE_E_ACCESS);
    cr_assert_eq(archive_index_remove(dir_fd, NULL), SETTLE_E_ACCESS);
    EXPECT_OK(dir_remove_at(dir_fd, ARCHIVE_INDEX_NAME_NEW, &test_error));
    EXPECT_OK(archive_index_write(dir_fd, &index, &test_error));
    archive_index_free(&index);
}
