/*
 * test_archived.c — a segment file as an archived one: every byte and every range of it comes back, plain zstd reads it, and
 * whatever is damaged in it is said or does not matter.
 */
#include "journal/archived.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "journal/base/bytes.h"
#include "tests/lib/expect.h"
#include "tests/lib/stream.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(archived);

#define NAME "x.seg.zst"
#define B ARCHIVED_BLOCK_BYTES

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

/* Half noise, half something that compresses. */
static uint8_t *make_bytes(size_t count, uint64_t seed)
{
    struct stream stream;
    uint8_t *bytes = malloc(count);
    cr_assert_not_null(bytes);
    stream_init(&stream, seed);
    for (size_t i = 0; i < count; i++)
        bytes[i] = i % 64 < 8 ? (uint8_t)stream_random(&stream, 256) : (uint8_t)(i / 64);
    return bytes;
}

static void write_file(const char *name, const uint8_t *bytes, size_t count)
{
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, name, FILE_CREATE_OR_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, name, 0, &test_error));
    EXPECT_OK(file_write(fd, name, 0, bytes, count, &test_error));
    file_close(fd);
}

static uint8_t *read_file(const char *name, size_t *ret_count)
{
    int fd = -1;
    uint64_t count = 0;
    EXPECT_OK(file_open_at(dir_fd, name, FILE_READ, &fd, &test_error));
    EXPECT_OK(file_size(fd, name, &count, &test_error));
    uint8_t *bytes = malloc(count + 1);
    cr_assert_not_null(bytes);
    EXPECT_OK(file_read_zeros(fd, name, 0, bytes, (size_t)count, &test_error));
    file_close(fd);
    *ret_count = (size_t)count;
    return bytes;
}

static void pack(const uint8_t *bytes, size_t count, int level)
{
    int from = -1, to = -1;
    write_file("plain", bytes, count);
    write_file(NAME, bytes, 0);
    EXPECT_OK(file_open_at(dir_fd, "plain", FILE_READ, &from, &test_error));
    EXPECT_OK(file_open_at(dir_fd, NAME, FILE_WRITE, &to, &test_error));
    EXPECT_OK(archived_write(from, "plain", to, NAME, level, &mem_libc, &test_error));
    file_close(to);
    file_close(from);
}

static bool plain_is_equal(struct archived *archived)
{
    int fd = -1;
    bool is_equal = false;
    EXPECT_OK(file_open_at(dir_fd, "plain", FILE_READ, &fd, &test_error));
    EXPECT_OK(archived_compare(archived, fd, "plain", &mem_libc, &is_equal, &test_error));
    file_close(fd);
    return is_equal;
}

Test(archived, names_are_those_of_segments_with_zst_behind)
{
    char name[ARCHIVED_NAME_BYTES], segment[SEGMENT_NAME_BYTES];
    archived_name("00000000000000000001-000000.seg", name);
    cr_assert_str_eq(name, "00000000000000000001-000000.seg.zst");
    cr_assert(archived_name_parse(name, segment));
    cr_assert_str_eq(segment, "00000000000000000001-000000.seg");
    const char *others[] = {"",
                            ".zst",
                            "x.zst",
                            "00000000000000000001-000000.seg",
                            "00000000000000000001-000000.seg.zst.partial",
                            "0000000000000000001-000000.seg.zst",
                            "00000000000000000001-000000.seg.zsT",
                            "000000000000000000000000000000000000000000000000000000001-000000.seg.zst"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_assert_not(archived_name_parse(others[i], segment), "%s", others[i]);
}

Test(archived, every_size_comes_back_and_zstd_reads_it, FIXTURE)
{
    const size_t sizes[] = {1, 512, B - 1, B, B + 1, 2 * B, 5 * B + 777};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t count = sizes[i], packed_count = 0;
        uint8_t *bytes = make_bytes(count, i), *back = malloc(count + 1);
        struct archived *archived = NULL;
        pack(bytes, count, i % 2 == 0 ? ARCHIVED_LEVEL_MIN : ARCHIVED_LEVEL_DEFAULT);
        EXPECT_OK(archived_open(dir_fd, NAME, &mem_libc, &archived, &test_error));
        cr_assert_eq(archived_segment_bytes(archived), count);
        cr_assert(plain_is_equal(archived));
        EXPECT_OK(archived_check(archived, &mem_libc, &test_error));
        uint8_t *packed = read_file(NAME, &packed_count);
        cr_assert_eq(archived_file_bytes(archived), packed_count);
        cr_assert_eq(ZSTD_decompress(back, count, packed, packed_count), count);
        cr_assert_arr_eq(back, bytes, count);
        archived_close(archived);
        free(packed);
        free(back);
        free(bytes);
    }
}

Test(archived, any_range_comes_back_and_zeros_behind_the_end, FIXTURE)
{
    size_t count = 6 * B + 1000;
    uint8_t *bytes = make_bytes(count + 2 * B, 3), *back = malloc(3 * B);
    struct archived *archived = NULL;
    struct stream stream;
    memset(bytes + count, 0, 2 * B);
    pack(bytes, count, 1);
    stream_init(&stream, stream_seed(5));
    EXPECT_OK(archived_open(dir_fd, NAME, &mem_libc, &archived, &test_error));
    for (int i = 0; i < 3000; i++) {
        size_t from = (size_t)stream_random(&stream, count + 500);
        size_t length = (size_t)stream_random(&stream, i % 10 == 0 ? 2 * B - 500 : 3000);
        memset(back, 0xaa, length);
        EXPECT_OK(archived_read(archived, from, back, length, &test_error));
        cr_assert_arr_eq(back, bytes + from, length, "%zu bytes from %zu", length, from);
    }
    EXPECT_OK(archived_read(archived, UINT64_MAX / 2, back, 100, &test_error));
    cr_assert(bytes_are_zero(back, 100));
    archived_close(archived);
    free(back);
    free(bytes);
}

Test(archived, the_table_is_that_of_the_seekable_format, FIXTURE)
{
    size_t count = 2 * B + 5, packed_count = 0;
    uint8_t *bytes = make_bytes(count, 9);
    pack(bytes, count, 3);
    uint8_t *packed = read_file(NAME, &packed_count);
    const uint8_t *footer = packed + packed_count - 9, *table = footer - 3 * 12 - 8;
    cr_assert_eq(get_u32(footer), 3u);
    cr_assert_eq(footer[4], 0x80);
    cr_assert_eq(get_u32(footer + 5), 0x8F92EAB1u);
    cr_assert_eq(get_u32(table), 0x184D2A5Eu);
    cr_assert_eq(get_u32(table + 4), 3 * 12 + 9u);
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *entry = table + 8 + 12 * i;
        size_t block = i < 2 ? B : 5;
        cr_assert_eq(ZSTD_getFrameContentSize(packed + at, packed_count - at), block, "each frame tells its size");
        cr_assert_eq(ZSTD_findFrameCompressedSize(packed + at, packed_count - at), get_u32(entry));
        cr_assert_eq(get_u32(entry + 4), block);
        at += get_u32(entry);
        cr_assert_arr_eq(entry + 8, packed + at - 4, 4, "the checksum is the frame's own");
    }
    cr_assert_eq(at, (size_t)(table - packed));
    free(packed);
    free(bytes);
}

/* With these bytes as the file: refused with its name, or all of the content is right. *ret_refused counts. */
static void expect_no_wrong_byte(const uint8_t *packed, size_t packed_count, const uint8_t *bytes, size_t count,
                                 const char *what, size_t where, size_t *refused)
{
    struct archived *archived = NULL;
    uint8_t *back = malloc(count);
    write_file(NAME, packed, packed_count);
    test_error = (settle_error){.status = SETTLE_OK};
    settle_status status = archived_open(dir_fd, NAME, &mem_libc, &archived, &test_error);
    if (status == SETTLE_OK)
        status = archived_read(archived, 0, back, count, &test_error);
    if (status == SETTLE_OK) {
        cr_assert_eq(archived_segment_bytes(archived), count, "%s at %zu: another length", what, where);
        cr_assert_arr_eq(back, bytes, count, "%s at %zu: a wrong byte", what, where);
    } else {
        cr_assert_eq(status, SETTLE_E_CORRUPT, "%s at %zu: status %d %s", what, where, (int)status, test_error.text);
        cr_assert_str_eq(test_error.file, "archive/" NAME, "%s at %zu", what, where);
        (*refused)++;
    }
    archived_close(archived);
    free(back);
}

Test(archived, a_flipped_bit_anywhere_never_gives_a_wrong_byte, FIXTURE)
{
    size_t count = B + 300, packed_count = 0, refused = 0;
    uint8_t *bytes = malloc(count);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i % 97 == 0 ? i / 97 * 31 : 0); /* packs well: few bytes to flip */
    pack(bytes, count, 19);
    uint8_t *packed = read_file(NAME, &packed_count);
    for (size_t at = 0; at < packed_count; at++) {
        uint8_t mask = (uint8_t)(1u << (at % 8));
        packed[at] ^= mask;
        expect_no_wrong_byte(packed, packed_count, bytes, count, "a flipped bit", at, &refused);
        packed[at] ^= mask;
    }
    cr_assert_geq(refused, packed_count - 4, "%zu of %zu", refused, packed_count);
    free(packed);
    free(bytes);
}

Test(archived, every_bit_of_the_table_counts, FIXTURE)
{
    size_t count = 3 * B, packed_count = 0, refused = 0, table = 8 + 3 * 12 + 9;
    uint8_t *bytes = make_bytes(count, 4);
    pack(bytes, count, 1);
    uint8_t *packed = read_file(NAME, &packed_count);
    for (size_t bit = 0; bit < 8 * table; bit++) {
        uint8_t *at = packed + packed_count - table + bit / 8;
        *at ^= (uint8_t)(1u << (bit % 8));
        expect_no_wrong_byte(packed, packed_count, bytes, count, "a bit of the table", bit, &refused);
        *at ^= (uint8_t)(1u << (bit % 8));
    }
    cr_assert_eq(refused, 8 * table);
    free(packed);
    free(bytes);
}

Test(archived, cut_or_grown_anywhere_it_is_refused, FIXTURE)
{
    size_t count = B + 300, packed_count = 0, refused = 0, tried = 0;
    uint8_t *bytes = calloc(1, count);
    pack(bytes, count, 19);
    uint8_t *packed = read_file(NAME, &packed_count);
    packed = realloc(packed, packed_count + 64);
    memset(packed + packed_count, 0, 64);
    for (size_t length = 0; length < packed_count + 64; length++) {
        if (length == packed_count)
            continue;
        expect_no_wrong_byte(packed, length, bytes, count, "cut", length, &refused);
        tried++;
    }
    cr_assert_eq(refused, tried);
    free(packed);
    free(bytes);
}

Test(archived, blocks_that_changed_places_are_refused, FIXTURE)
{
    size_t count = 2 * B, packed_count = 0, refused = 0;
    uint8_t *bytes = make_bytes(B, 8), *twice = malloc(count);
    memcpy(twice, bytes, B);
    memcpy(twice + B, bytes, B);
    twice[B + 3] ^= 1; /* noise: it packs to as many bytes */
    pack(twice, count, 1);
    uint8_t *packed = read_file(NAME, &packed_count);
    const uint8_t *table = packed + packed_count - 9 - 24;
    size_t first = get_u32(table), second = get_u32(table + 12);
    if (first == second) {
        uint8_t *block = malloc(first);
        memcpy(block, packed, first);
        memcpy(packed, packed + first, first);
        memcpy(packed + first, block, first);
        expect_no_wrong_byte(packed, packed_count, twice, count, "swapped", 0, &refused);
        cr_assert_eq(refused, 1);
        free(block);
    }
    free(packed);
    free(twice);
    free(bytes);
}

/* ---- Trouble ------------------------------------------------------------------------------------------------------ */

static int allocations_left;

static void *reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return allocations_left-- > 0 ? realloc(memory, bytes) : NULL;
}

Test(archived, memory_that_is_missing_anywhere_is_told, FIXTURE)
{
    const struct mem mem = {reallocate, NULL};
    size_t count = 2 * B + 9;
    uint8_t *bytes = make_bytes(count, 2), back[64];
    int failed = 0;
    pack(bytes, count, 1);
    for (int limit = 0; limit < 20; limit++) {
        struct archived *archived = NULL;
        allocations_left = limit;
        settle_status status = archived_open(dir_fd, NAME, &mem, &archived, &test_error);
        if (status == SETTLE_OK)
            status = archived_read(archived, 5, back, sizeof back, &test_error);
        cr_assert(status == SETTLE_OK || status == SETTLE_E_NO_MEMORY, "%d", (int)status);
        failed += status == SETTLE_E_NO_MEMORY;
        archived_close(archived);
    }
    cr_assert_geq(failed, 4);
    cr_assert_lt(failed, 20);
    free(bytes);
}

Test(archived, what_is_no_segment_is_not_packed, FIXTURE)
{
    int from = -1, to = -1;
    write_file("plain", NULL, 0);
    write_file(NAME, NULL, 0);
    EXPECT_OK(file_open_at(dir_fd, "plain", FILE_WRITE, &from, &test_error));
    EXPECT_OK(file_open_at(dir_fd, NAME, FILE_WRITE, &to, &test_error));
    EXPECT_STATUS(archived_write(from, "plain", to, NAME, 1, &mem_libc, &test_error), SETTLE_E_CORRUPT);
    EXPECT_OK(file_truncate(from, "plain", SEGMENT_BYTES_MAX + 1, &test_error));
    EXPECT_STATUS(archived_write(from, "plain", to, NAME, 1, &mem_libc, &test_error), SETTLE_E_CORRUPT);
    file_close(from);
    file_close(to);
    struct archived *archived = NULL;
    EXPECT_STATUS(archived_open(dir_fd, "nothing", &mem_libc, &archived, &test_error), SETTLE_E_NOT_FOUND);
}

Test(archived, another_file_is_not_equal, FIXTURE)
{
    size_t count = B + 10;
    uint8_t *bytes = make_bytes(count, 6);
    struct archived *archived = NULL;
    pack(bytes, count, 1);
    EXPECT_OK(archived_open(dir_fd, NAME, &mem_libc, &archived, &test_error));
    cr_assert(plain_is_equal(archived));
    bytes[B + 9] ^= 1;
    write_file("plain", bytes, count);
    cr_assert_not(plain_is_equal(archived), "the last byte differs");
    bytes[B + 9] ^= 1;
    write_file("plain", bytes, count - 1);
    cr_assert_not(plain_is_equal(archived), "a byte is missing");
    archived_close(archived);
    free(bytes);
}

Test(archived, a_table_with_impossible_numbers_is_refused, FIXTURE)
{
    size_t count = 2 * B + 300, packed_count = 0, refused = 0;
    const size_t table = 8 + 3 * 12 + 9;
    uint8_t *bytes = make_bytes(count, 4);
    pack(bytes, count, 1);
    uint8_t *packed = read_file(NAME, &packed_count);
    const struct {
        size_t at; /* in the table */
        uint32_t value;
    } rows[] = {
        {8, 4},                   /* a block of its checksum alone */
        {8, 0},                   /* none at all */
        {8, 64 << 20},            /* more than a block can become */
        {8 + 4, (uint32_t)B - 1}, /* only the last may be short */
        {8 + 4, (uint32_t)B + 1}, /* longer than a block */
        {8 + 24 + 4, 0},          /* the last one, empty */
        {8 + 36, 0},              /* no blocks */
        {8 + 36, 2},              /* fewer */
        {8 + 36, 1 << 13},        /* more than the file has room for */
        {8 + 36, 1 << 14},        /* more than a segment has blocks */
        {8 + 36, UINT32_MAX},     /* more than a segment has */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *at = packed + packed_count - table + rows[i].at, before[4];
        memcpy(before, at, 4);
        put_u32(at, rows[i].value);
        expect_no_wrong_byte(packed, packed_count, bytes, count, "a number of the table", i, &refused);
        memcpy(at, before, 4);
    }
    cr_assert_eq(refused, sizeof rows / sizeof *rows);
    free(packed);
    free(bytes);
}

/* Of many blocks the first is damaged: nothing behind it is looked at. */
Test(archived, the_first_damaged_block_ends_a_comparison_and_a_check, FIXTURE)
{
    const struct mem mem = {reallocate, NULL};
    size_t count = 3 * B, packed_count = 0;
    uint8_t *bytes = make_bytes(count, 8);
    struct archived *archived = NULL;
    int fd = -1;
    bool is_equal = true;
    pack(bytes, count, 1);
    uint8_t *packed = read_file(NAME, &packed_count);
    packed[500] ^= 1;
    write_file(NAME, packed, packed_count);
    EXPECT_OK(archived_open(dir_fd, NAME, &mem_libc, &archived, &test_error));
    EXPECT_OK(file_open_at(dir_fd, "plain", FILE_READ, &fd, &test_error));
    EXPECT_STATUS(archived_compare(archived, fd, "plain", &mem_libc, &is_equal, &test_error), SETTLE_E_CORRUPT);
    EXPECT_STATUS(archived_check(archived, &mem_libc, &test_error), SETTLE_E_CORRUPT);
    allocations_left = 0;
    EXPECT_STATUS(archived_check(archived, &mem, &test_error), SETTLE_E_NO_MEMORY);
    EXPECT_STATUS(archived_compare(archived, fd, "plain", &mem, &is_equal, &test_error), SETTLE_E_NO_MEMORY);
    cr_assert(is_equal, "an error answers nothing");
    file_close(fd);
    archived_close(archived);
    free(packed);
    free(bytes);
}
