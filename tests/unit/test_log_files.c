/* Names of log files, their order, and what is in excess. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "journal/base/clock.h"
#include "journal/follow/log_files.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(log_files);

#define DAY_US UINT64_C(86400000000)

static char directory[TEMPDIR_BYTES];
static int dir_fd;

static void begin(void)
{
    builder_use_memory();
    tempdir_make(directory);
    EXPECT_OK(dir_open(directory, false, &dir_fd, &test_error));
}

static void end(void)
{
    file_close(dir_fd);
    tempdir_remove(directory);
}

static void put(const char *name, const void *bytes, size_t count)
{
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, name, FILE_CREATE, &fd, &test_error));
    EXPECT_OK(file_write(fd, name, 0, bytes, count, &test_error));
    file_close(fd);
}

/* ---- Days ------------------------------------------------------------------------------------------------------- */

Test(log_files, every_day_has_its_text_and_comes_back)
{
    for (uint32_t day = 0; day <= LOG_DAY_MAX; day++) {
        char text[CLOCK_TEXT_BYTES];
        uint32_t back = 77;
        if (day > 40000 && day < LOG_DAY_MAX - 800)
            day += 13;
        clock_format_us(day * DAY_US, text);
        cr_assert(log_day_parse(text, &back) && back == day, "%s: %u", text, back);
    }
}

Test(log_files, a_time_is_of_its_day)
{
    cr_assert(log_day_of(0) == 0 && log_day_of(DAY_US - 1) == 0 && log_day_of(DAY_US) == 1);
    cr_assert(log_day_of(UINT64_C(1733856600000000)) == 20067);
    cr_assert(log_day_of(UINT64_MAX) == LOG_DAY_MAX);
}

Test(log_files, what_is_no_date_is_none)
{
    static const char *texts[] = {"2023-02-29", "2024-02-30", "2024-00-10", "2024-13-10", "2024-12-00",
                                  "2024-12-32", "1969-12-31", "2024-1-010", "2024/12/10", "20241210xx",
                                  "2024-12-1",  "",           "2100-02-29", "2024-12-1x", "+024-12-10",
                                  "2024-1x-10", "9999-12-32"};
    uint32_t day = 77;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(!log_day_parse(texts[i], &day) && day == 77, "%s", texts[i]);
    cr_assert(log_day_parse("2024-02-29", &day) && day == 19782);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

Test(log_files, names_come_back)
{
    static const struct {
        const char *text;
        struct log_name name;
    } rows[] = {
        {"settlement.log.2024-12-10", {20067, 0, false, false}},
        {"settlement.log.2024-12-10.001", {20067, 1, false, false}},
        {"settlement.log.2024-12-10.999", {20067, 999, false, false}},
        {"settlement.log.2024-12-10.1000", {20067, 1000, false, false}},
        {"settlement.log.2024-12-10.zst", {20067, 0, true, false}},
        {"settlement.log.2024-12-10.042.zst", {20067, 42, true, false}},
        {"settlement.log.2024-12-10.042.zst.partial", {20067, 42, true, true}},
        {"settlement.log.9999-12-31", {LOG_DAY_MAX, 0, false, false}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[LOG_NAME_BYTES];
        struct log_name name;
        log_name_format(&rows[i].name, text);
        cr_assert_str_eq(text, rows[i].text);
        cr_assert(log_name_parse(text, &name));
        cr_assert(name.day == rows[i].name.day && name.part == rows[i].name.part);
        cr_assert(name.is_compressed == rows[i].name.is_compressed && name.is_partial == rows[i].name.is_partial);
    }
}

Test(log_files, names_that_are_nearly_ours_are_not)
{
    static const char *texts[] = {
        "settlement.log",
        "settlement.log.",
        "settlement.log.2024-12-10.",
        "settlement.log.2024-12-10.1",
        "settlement.log.2024-12-10.01",
        "settlement.log.2024-12-10.000",
        "settlement.log.2024-12-10.0001",
        "settlement.log.2024-12-10.1234567890",
        "settlement.log.2024-12-10.001.002",
        "settlement.log.2024-12-10.gz",
        "settlement.log.2024-12-10.zst.zst",
        "settlement.log.2024-12-10.zst.",
        "settlement.log.2024-12-10.partial",
        "settlement.log.2024-12-10.001.zst.partial2",
        "settlement.log.2024-12-10 ",
        "settlement.log.2024-12-10-001",
        "settlement.log.2024-02-30",
        "settlement.log.20241210",
        "settlement.log.1",
        "settlement.log.zst",
        "settlement.logs.2024-12-10",
        "Settlement.log.2024-12-10",
        "a-settlement.log.2024-12-10",
        "settlement.log.2024-12-10.+01",
        "settlement.log.2024-12-10.1e3",
        ".settlement.position",
        "",
    };
    struct log_name name = {.day = 77};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(!log_name_parse(texts[i], &name) && name.day == 77, "%s", texts[i]);
}

Test(log_files, parts_come_before_the_last_of_their_day)
{
    static const struct log_name order[] = {{1, 1, false, false},    {1, 2, false, false}, {1, 1000, false, false},
                                            {1, 0, false, false},    {2, 7, false, false}, {2, 0, false, false},
                                            {20067, 0, false, false}};
    size_t count = sizeof order / sizeof *order;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int result = log_name_compare(&order[i], &order[j]);
            cr_assert((result < 0) == (i < j) && (result > 0) == (i > j), "%zu and %zu", i, j);
        }
    }
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

Test(log_files, a_list_has_our_regular_files_in_order, .init = begin, .fini = end)
{
    static const char *expected[] = {"settlement.log.2024-12-09", "settlement.log.2024-12-10.001.zst",
                                     "settlement.log.2024-12-10.002", "settlement.log.2024-12-10.002.zst",
                                     "settlement.log.2024-12-10"};
    char path[TEMPDIR_PATH_BYTES], text[LOG_NAME_BYTES];
    put("settlement.log.2024-12-10", "abc", 3);
    put("settlement.log.2024-12-10.002.zst", "ab", 2);
    put("settlement.log.2024-12-10.002", "abcd", 4);
    put("settlement.log.2024-12-10.001.zst", "a", 1);
    put("settlement.log.2024-12-09", "abcde", 5);
    put("settlement.log", "current", 7);
    put("other", "x", 1);
    tempdir_join(path, directory, "settlement.log.2024-12-11");
    cr_assert(symlink("other", path) == 0);
    int fd = -1;
    EXPECT_OK(dir_open_at(dir_fd, "settlement.log.2024-12-12", true, &fd, &test_error));
    file_close(fd);
    struct log_list list;
    EXPECT_OK(log_list_read(dir_fd, &mem_libc, true, &list, &test_error));
    cr_assert(list.count == 5 && list.bytes == 15, "%zu", list.count);
    for (size_t i = 0; i < list.count; i++) {
        log_name_format(&list.files[i].name, text);
        cr_assert_str_eq(text, expected[i]);
    }
    cr_assert(log_list_newest(&list) == &list.files[4]);
    list.count = 2;
    cr_assert(log_list_newest(&list) == &list.files[0]);
    list.files[0].name.is_compressed = true;
    cr_assert(log_list_newest(&list) == NULL);
    log_list_free(&list, &mem_libc);
    cr_assert(list.files == NULL && list.count == 0);
}

static struct log_list list_of(struct log_file *files, size_t count)
{
    struct log_list list = {files, count, 0};
    for (size_t i = 0; i < count; i++)
        list.bytes += files[i].bytes;
    return list;
}

Test(log_files, the_next_name_is_nobodys)
{
    struct log_file files[] = {
        {{5, 1, true, false}, 1}, {{5, 7, false, false}, 1}, {{5, 0, true, false}, 1}, {{6, 2, false, false}, 1}};
    struct log_list list = list_of(files, 4);
    static const struct {
        uint32_t day;
        bool is_last;
        uint32_t used, expected;
    } rows[] = {{4, true, 0, 0},  {4, false, 0, 1},  {4, false, 9, 10}, {5, true, 0, 8}, {5, false, 0, 8},
                {5, false, 3, 8}, {5, true, 12, 13}, {6, true, 0, 0},   {6, false, 0, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct log_name name;
        log_list_next_name(&list, rows[i].day, rows[i].is_last, rows[i].used, &name);
        cr_assert(name.day == rows[i].day && name.part == rows[i].expected, "row %zu: %u", i, name.part);
        cr_assert(!name.is_compressed && !name.is_partial);
    }
}

Test(log_files, the_excess_is_the_oldest)
{
    struct log_file files[] = {{{10, 1, true, false}, 100},
                               {{10, 0, false, false}, 50},
                               {{12, 0, false, false}, 30},
                               {{13, 0, false, false}, 20}};
    struct log_list list = list_of(files, 4);
    static const struct {
        uint32_t newest, keep_days;
        uint64_t keep_bytes;
        size_t expected;
    } rows[] = {
        {14, 0, 0, 0},  {14, 4, 0, 0},    {14, 3, 0, 2},   {14, 2, 0, 2},   {14, 1, 0, 3},  {15, 1, 0, 4},
        {3, 5, 0, 0},   {14, 0, 200, 0},  {14, 0, 199, 1}, {14, 0, 100, 1}, {14, 0, 99, 2}, {14, 0, 20, 3},
        {14, 0, 19, 4}, {14, 3, 1000, 2}, {14, 3, 30, 3},  {14, 9, 50, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t excess = log_list_excess(&list, rows[i].newest, rows[i].keep_days, rows[i].keep_bytes);
        cr_assert(excess == rows[i].expected, "row %zu: %zu", i, excess);
    }
    list.count = 0;
    cr_assert(log_list_excess(&list, 14, 1, 1) == 0);
}

/* ---- Compression ------------------------------------------------------------------------------------------------ */

static void expect_compressed(const char *bytes, size_t count)
{
    struct log_name name = {20067, 3, false, false};
    struct log_compression *compression = NULL;
    char path[TEMPDIR_PATH_BYTES];
    bool is_done = false;
    int steps = 0;
    put("settlement.log.2024-12-10.003", bytes, count);
    EXPECT_OK(log_compression_open(dir_fd, &name, &mem_libc, &compression, &test_error));
    for (; !is_done; steps++) {
        cr_assert(file_exists_at(dir_fd, "settlement.log.2024-12-10.003"));
        EXPECT_OK(log_compression_step(compression, &is_done, &test_error));
    }
    log_compression_close(compression);
    cr_assert((size_t)steps <= count / 1000000 + 1, "%d steps", steps);
    cr_assert(!file_exists_at(dir_fd, "settlement.log.2024-12-10.003"));
    cr_assert(!file_exists_at(dir_fd, "settlement.log.2024-12-10.003.zst.partial"));
    size_t packed_count;
    tempdir_join(path, directory, "settlement.log.2024-12-10.003.zst");
    unsigned char *packed = tree_read(path, &packed_count);
    char *back = malloc(count + 1);
    cr_assert(ZSTD_decompress(back, count + 1, packed, packed_count) == count && memcmp(back, bytes, count) == 0);
    free(packed);
    free(back);
    EXPECT_OK(file_remove_at(dir_fd, "settlement.log.2024-12-10.003.zst", &test_error));
}

Test(log_files, files_of_all_sizes_are_compressed_whole, .init = begin, .fini = end)
{
    static const size_t counts[] = {0, 1, 131071, 131072, 131073, 1048575, 1048576, 1048577, 3000000};
    size_t room = 3000000;
    char *bytes = malloc(room);
    struct stream stream;
    stream_init(&stream, 3);
    for (size_t i = 0; i < room; i++)
        bytes[i] = (char)stream_random(&stream, i % 5000 < 2000 ? 256 : 3);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        expect_compressed(bytes, counts[i]);
    free(bytes);
}

Test(log_files, an_abandoned_compression_leaves_the_original, .init = begin, .fini = end)
{
    struct log_name name = {20067, 0, false, false};
    struct log_compression *compression = NULL;
    put("settlement.log.2024-12-10", "lines", 5);
    put("settlement.log.2024-12-10.zst.partial", "of another try, and longer", 26);
    EXPECT_OK(log_compression_open(dir_fd, &name, &mem_libc, &compression, &test_error));
    log_compression_close(compression);
    cr_assert(!file_exists_at(dir_fd, "settlement.log.2024-12-10.zst.partial"));
    cr_assert(file_exists_at(dir_fd, "settlement.log.2024-12-10"));
    log_compression_close(NULL);
    EXPECT_OK(file_remove_at(dir_fd, "settlement.log.2024-12-10", &test_error));
    EXPECT_STATUS(log_compression_open(dir_fd, &name, &mem_libc, &compression, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert(!file_exists_at(dir_fd, "settlement.log.2024-12-10.zst.partial"));
}
