/* The bytes of `.settlement.position`, and replacing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/base/file.h"
#include "journal/follow/log_position.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(log_position);

static char directory[TEMPDIR_BYTES];
static int dir_fd;
static struct log_position read_back;

static void begin(void)
{
    builder_use_memory();
    tempdir_make(directory);
    EXPECT_OK(dir_open(directory, false, &dir_fd, &test_error));
}

static void end(void)
{
    log_position_deinit(&read_back, &mem_libc);
    file_close(dir_fd);
    tempdir_remove(directory);
}

static settle_asset assets[] = {{1, 8, "BTC"}, {2, 6, "USDT"}, {4294967295u, 18, "ABCDEFGHIJKLMNO"}};

static struct log_position sample(void)
{
    struct log_position position = {
        .sample_per_million = 250000,
        .restart = {0x1112131415161718, 0x2122232425262728, 0x3132333435363738, 0x4142434445464748, 0x51525354,
                    0x61626364},
        .boundary = {0x7172737475767778, 0x8182838485868788, POINT_PERSISTED_UNKNOWN, 1, 2, 3},
        .place = {0x99, LINE_DECIDED},
        .file_bytes = 0xa1a2a3a4,
        .part_day = 20067,
        .part = 12,
        .assets = assets,
        .asset_count = 3,
    };
    memcpy(position.journal_id, builder_journal_id, 16);
    return position;
}

static char *file_bytes(size_t *ret_count)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, directory, LOG_POSITION_NAME);
    return (char *)tree_read(path, ret_count);
}

static void put_bytes(const char *bytes, size_t count)
{
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, LOG_POSITION_NAME, FILE_CREATE_OR_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, LOG_POSITION_NAME, 0, &test_error));
    EXPECT_OK(file_write(fd, LOG_POSITION_NAME, 0, bytes, count, &test_error));
    file_close(fd);
}

static void expect_point(const struct journal_point *a, const struct journal_point *b)
{
    cr_assert(a->position == b->position && a->next_seq == b->next_seq && a->persisted_seq == b->persisted_seq);
    cr_assert(a->time_us == b->time_us && a->frame_position == b->frame_position && a->chain == b->chain);
}

static void expect_position(const struct log_position *a, const struct log_position *b)
{
    cr_assert(memcmp(a->journal_id, b->journal_id, 16) == 0 && a->sample_per_million == b->sample_per_million);
    expect_point(&a->restart, &b->restart);
    expect_point(&a->boundary, &b->boundary);
    cr_assert(a->place.seq == b->place.seq && a->place.step == b->place.step && a->file_bytes == b->file_bytes);
    cr_assert(a->part_day == b->part_day && a->part == b->part && a->asset_count == b->asset_count);
    for (size_t i = 0; i < a->asset_count; i++) {
        cr_assert(a->assets[i].id == b->assets[i].id && a->assets[i].scale == b->assets[i].scale);
        cr_assert_str_eq(a->assets[i].symbol, b->assets[i].symbol);
    }
}

Test(log_position, comes_back_as_it_was_written, .init = begin, .fini = end)
{
    struct log_position position = sample();
    for (size_t count = 0; count <= 3; count++) {
        position.asset_count = count;
        position.part++;
        EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
        EXPECT_OK(log_position_read(dir_fd, &mem_libc, &read_back, &test_error));
        expect_position(&position, &read_back);
    }
    position.place = (struct line_place){0};
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    EXPECT_OK(log_position_read(dir_fd, &mem_libc, &read_back, &test_error));
    expect_position(&position, &read_back);
    cr_assert(!file_exists_at(dir_fd, LOG_POSITION_NAME_NEW));
}

/* docs/json-lines.md has this table. */
Test(log_position, has_the_documented_bytes, .init = begin, .fini = end)
{
    struct log_position position = sample();
    size_t count;
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    char *text = file_bytes(&count);
    const uint8_t *bytes = (const uint8_t *)text;
    cr_assert(count == 168 + 3 * 24 + 4);
    cr_assert(memcmp(bytes, "SETTLEP1", 8) == 0 && get_u32(bytes + 8) == 1 && get_u32(bytes + 12) == count);
    cr_assert(memcmp(bytes + 16, builder_journal_id, 16) == 0);
    cr_assert(get_u32(bytes + 32) == 250000 && get_u32(bytes + 36) == 2 && get_u64(bytes + 40) == 0x99);
    cr_assert(get_u64(bytes + 48) == 0xa1a2a3a4 && get_u32(bytes + 56) == 20067 && get_u32(bytes + 60) == 12);
    static const uint64_t restart[] = {0x1112131415161718, 0x2122232425262728, 0x3132333435363738,
                                       0x4142434445464748, 0x51525354,         0x61626364};
    for (size_t i = 0; i < 6; i++)
        cr_assert(get_u64(bytes + 64 + 8 * i) == restart[i], "%zu", i);
    cr_assert(get_u64(bytes + 112) == 0x7172737475767778 && get_u64(bytes + 128) == UINT64_MAX);
    cr_assert(get_u64(bytes + 152) == 3 && get_u32(bytes + 160) == 3 && get_u32(bytes + 164) == 0);
    cr_assert(get_u32(bytes + 168) == 1 && bytes[172] == 8 &&
              memcmp(bytes + 173, "\0\0\0BTC\0\0\0\0\0\0\0\0\0\0\0\0\0", 19) == 0);
    cr_assert(get_u32(bytes + 216) == UINT32_MAX && bytes[220] == 18 &&
              memcmp(bytes + 224, "ABCDEFGHIJKLMNO\0", 16) == 0);
    cr_assert(get_u32(bytes + count - 4) == crc32c(0, bytes, count - 4));
    free(text);
}

Test(log_position, a_group_may_read_it, .init = begin, .fini = end)
{
    struct log_position position = sample();
    struct stat status;
    char path[TEMPDIR_PATH_BYTES];
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    tempdir_join(path, directory, LOG_POSITION_NAME);
    cr_assert(stat(path, &status) == 0 && (status.st_mode & 07777) == 0640);
}

Test(log_position, none_is_none, .init = begin, .fini = end)
{
    EXPECT_STATUS(log_position_read(dir_fd, &mem_libc, &read_back, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert(read_back.assets == NULL);
}

Test(log_position, every_flipped_bit_is_found, .init = begin, .fini = end)
{
    struct log_position position = sample();
    size_t count;
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    char *bytes = file_bytes(&count);
    for (size_t bit = 0; bit < count * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        put_bytes(bytes, count);
        settle_status status = log_position_read(dir_fd, &mem_libc, &read_back, &test_error);
        cr_assert(status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED, "bit %zu: %d", bit, (int)status);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    cr_assert(read_back.assets == NULL);
    free(bytes);
}

Test(log_position, every_other_length_is_found, .init = begin, .fini = end)
{
    struct log_position position = sample();
    size_t count;
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    char *bytes = realloc(file_bytes(&count), 1000);
    memset(bytes + count, 0, 1000 - count);
    for (size_t length = 0; length < 400; length++) {
        put_bytes(bytes, length);
        settle_status expected = length == count ? SETTLE_OK : SETTLE_E_CORRUPT;
        EXPECT_STATUS(log_position_read(dir_fd, &mem_libc, &read_back, &test_error), expected);
    }
    free(bytes);
}

/* With a checksum that fits. */
static void expect_refused(const char *bytes, size_t count, size_t at, uint32_t value, settle_status expected)
{
    uint8_t *copy = malloc(count);
    memcpy(copy, bytes, count);
    put_u32(copy + at, value);
    put_u32(copy + count - 4, crc32c(0, copy, count - 4));
    put_bytes((const char *)copy, count);
    EXPECT_STATUS(log_position_read(dir_fd, &mem_libc, &read_back, &test_error), expected);
    cr_assert(strstr(test_error.file, ".settlement.position") != NULL && test_error.text[0] != '\0');
    free(copy);
}

Test(log_position, members_that_contradict_each_other_are_refused, .init = begin, .fini = end)
{
    struct log_position position = sample();
    size_t count;
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    char *bytes = file_bytes(&count);
    expect_refused(bytes, count, 8, 2, SETTLE_E_UNSUPPORTED);
    expect_refused(bytes, count, 36, 4, SETTLE_E_CORRUPT);
    expect_refused(bytes, count, 36, 0, SETTLE_E_CORRUPT);
    expect_refused(bytes, count, 40, 0, SETTLE_E_CORRUPT);
    expect_refused(bytes, count, 160, 2, SETTLE_E_CORRUPT);
    expect_refused(bytes, count, 160, 0x10000003, SETTLE_E_CORRUPT);
    expect_refused(bytes, count, 116, 0, SETTLE_E_CORRUPT); /* behind the place to begin again */
    free(bytes);
}

Test(log_position, a_new_one_that_was_never_finished_is_no_obstacle, .init = begin, .fini = end)
{
    struct log_position position = sample();
    int fd = -1;
    char junk[1000];
    memset(junk, 'x', sizeof junk);
    EXPECT_OK(file_open_at(dir_fd, LOG_POSITION_NAME_NEW, FILE_CREATE, &fd, &test_error));
    EXPECT_OK(file_write(fd, LOG_POSITION_NAME_NEW, 0, junk, sizeof junk, &test_error));
    file_close(fd);
    EXPECT_STATUS(log_position_read(dir_fd, &mem_libc, &read_back, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    EXPECT_OK(log_position_read(dir_fd, &mem_libc, &read_back, &test_error));
    expect_position(&position, &read_back);
}

Test(log_position, copies_have_assets_of_their_own)
{
    struct log_position position = sample(), copy = {.asset_count = 0};
    EXPECT_OK(log_position_copy(&copy, &position, &mem_libc, &test_error));
    expect_position(&position, &copy);
    cr_assert(copy.assets != position.assets);
    position.asset_count = 1;
    EXPECT_OK(log_position_copy(&copy, &position, &mem_libc, &test_error));
    expect_position(&position, &copy);
    EXPECT_OK(log_position_reserve(&copy, 3, &mem_libc, &test_error));
    cr_assert(copy.asset_count == 1);
    log_position_set_assets(&copy, assets, 3);
    position.asset_count = 3;
    expect_position(&position, &copy);
    log_position_deinit(&copy, &mem_libc);
    cr_assert(copy.assets == NULL && copy.asset_count == 0);
}

static void *no_memory(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (bytes == 0)
        free(memory);
    return NULL;
}

Test(log_position, without_memory_nothing_changes, .init = begin, .fini = end)
{
    struct mem none = {no_memory, NULL};
    struct log_position position = sample(), copy = {.part = 7};
    EXPECT_OK(log_position_write(dir_fd, &position, &mem_libc, &test_error));
    EXPECT_STATUS(log_position_copy(&copy, &position, &none, &test_error), SETTLE_E_NO_MEMORY);
    EXPECT_STATUS(log_position_reserve(&copy, 3, &none, &test_error), SETTLE_E_NO_MEMORY);
    cr_assert(copy.part == 7 && copy.asset_count == 0);
    EXPECT_STATUS(log_position_read(dir_fd, &none, &read_back, &test_error), SETTLE_E_NO_MEMORY);
    position.part = 99;
    EXPECT_STATUS(log_position_write(dir_fd, &position, &none, &test_error), SETTLE_E_NO_MEMORY);
    EXPECT_OK(log_position_read(dir_fd, &mem_libc, &read_back, &test_error));
    cr_assert(read_back.part == 12);
}

Test(log_position, a_file_that_is_too_large_is_not_read, .init = begin, .fini = end)
{
    int fd = -1;
    EXPECT_OK(file_open_shared_at(dir_fd, LOG_POSITION_NAME, FILE_CREATE_OR_WRITE, 0640, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, LOG_POSITION_NAME, ((uint64_t)64 << 20) + 1, &test_error));
    file_close(fd);
    EXPECT_STATUS(log_position_read(dir_fd, &mem_libc, &read_back, &test_error), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.text, "a wrong length"), "%s", test_error.text);
}
