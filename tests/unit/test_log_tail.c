/* Where a log file ends in a whole line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/file.h"
#include "journal/follow/log_tail.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"

SETTLE_SUITE(log_tail);

static char directory[TEMPDIR_BYTES];
static int dir_fd;
static struct log_tail tail;

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

#define LINE_HEAD                                                                                                      \
    "{\"timestamp\":\"2024-12-10T18:50:00.000000Z\",\"level\":\"INFO\",\"target\":\"settlement\","                     \
    "\"trace_id\":\"0123456789abcdef0123456789abcdef\",\"span_id\":\"0123456789abcdef\",\"fields\":{"

static size_t make_line(char *at, unsigned seq)
{
    return (size_t)sprintf(
        at, LINE_HEAD "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"deposit_1_2_3\",\"seq\":%u,\"user\":1}}\n", seq);
}

static void look_from(const char *bytes, size_t count, uint64_t from)
{
    int fd = -1;
    EXPECT_OK(file_open_at(dir_fd, "file", FILE_CREATE_OR_WRITE, &fd, &test_error));
    EXPECT_OK(file_truncate(fd, "file", 0, &test_error));
    EXPECT_OK(file_write(fd, "file", 0, bytes, count, &test_error));
    EXPECT_OK(log_tail_read(fd, "file", from, &mem_libc, &tail, &test_error));
    file_close(fd);
    cr_assert(tail.file_bytes == count && tail.kept_bytes <= count);
}

static void look(const char *bytes, size_t count)
{
    look_from(bytes, count, 0);
}

/* ---- One line --------------------------------------------------------------------------------------------------- */

Test(log_tail, a_line_tells_its_place_and_day)
{
    static const struct {
        const char *event;
        enum line_step step;
    } rows[] = {{"DEPOSIT_CONSUMED", LINE_CONSUMED},   {"TRADE_VALIDATED", LINE_DECIDED},
                {"WITHDRAWAL_REJECTED", LINE_DECIDED}, {"TRADE_DUPLICATE", LINE_DECIDED},
                {"DEPOSIT_CONFLICT", LINE_DECIDED},    {"TRADE_PERSISTED", LINE_PERSISTED}};
    char text[1024];
    struct log_line line;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int bytes =
            snprintf(text, sizeof text, LINE_HEAD "\"event\":\"%s\",\"event_id\":\"a\",\"seq\":7}}\n", rows[i].event);
        cr_assert(log_line_parse(text, (size_t)bytes, &line), "%s", text);
        cr_assert(line.place.seq == 7 && line.place.step == rows[i].step && line.day == 20067);
    }
    int bytes =
        snprintf(text, sizeof text,
                 LINE_HEAD "\"event\":\"TRADE_CONSUMED\",\"event_id\":\"a\",\"seq\":\"18446744073709551615\"}}\n");
    cr_assert(log_line_parse(text, (size_t)bytes, &line) && line.place.seq == UINT64_MAX);
}

Test(log_tail, what_is_not_wholly_a_line_is_none)
{
    static const char *fields[] = {
        "\"event\":\"DEPOSIT_EATEN\",\"event_id\":\"a\",\"seq\":7}}\n",
        "\"event\":\"CONSUMED\",\"event_id\":\"a\",\"seq\":7}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":0}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":-7}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":\"7}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":18446744073709551616}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\"}}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":7}\n",
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"a\",\"seq\":7}}",
    };
    char text[1024];
    struct log_line line = {.day = 77};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        int bytes = snprintf(text, sizeof text, LINE_HEAD "%s", fields[i]);
        cr_assert(!log_line_parse(text, (size_t)bytes, &line) && line.day == 77, "%s", text);
    }
    size_t bytes = make_line(text, 7);
    for (size_t count = 0; count < bytes; count++)
        cr_assert(!log_line_parse(text, count, &line), "%zu", count);
    cr_assert(log_line_parse(text, bytes, &line));
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Wherever it stops and ends as a line does: all up to the number counts, and nothing behind that is looked at. */
Test(log_tail, a_line_without_one_of_its_parts_is_none)
{
    char text[1024], cut[1024];
    struct log_line line = {.day = 77};
    size_t bytes = make_line(text, 12), number_end = (size_t)(strstr(text, "12,\"user") - text) + 2;
    for (size_t count = 12; count < number_end - 1; count++) {
        memcpy(cut, text, count);
        memcpy(cut + count, "}}\n", 4);
        cr_assert(!log_line_parse(cut, count + 3, &line) && line.day == 77, "%s", cut);
    }
    memcpy(cut, text, number_end);
    memcpy(cut + number_end, "}}\n", 4);
    cr_assert(log_line_parse(cut, number_end + 3, &line) && line.place.seq == 12);
    /* And with another byte between the values: the names and signs are all there. */
    static const char *const names[] = {"level",  "target", "settlement", "trace_id", "span_id",
                                        "fields", "event",  "event_id",   "seq"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        memcpy(cut, text, bytes + 1);
        char *name = strstr(cut, names[i]);
        cr_assert_not_null(name);
        *name = '#';
        cr_assert(!log_line_parse(cut, bytes, &line), "%s", cut);
    }
}

Test(log_tail, a_sequence_number_is_a_number)
{
    static const struct {
        const char *seq;
        bool is_good;
    } cases[] = {{"18446744073709551615", true},     {"18446744073709551616", false}, {"184467440737095516150", false},
                 {"\"18446744073709551615\"", true}, {"\"18\"", true},                {"\"18,", false},
                 {"0", false},                       {"x", false},                    {"\"\"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        struct log_line line;
        int bytes = sprintf(text, LINE_HEAD "\"event\":\"TRADE_PERSISTED\",\"event_id\":\"a\",\"seq\":%s}}\n",
                            cases[i].seq);
        cr_assert_eq(log_line_parse(text, (size_t)bytes, &line), cases[i].is_good, "%s", text);
    }
}

Test(log_tail, the_last_whole_line_is_found_at_every_length, .init = begin, .fini = end)
{
    char text[4096];
    size_t ends[6] = {0}, count = 0;
    for (unsigned i = 1; i < 6; i++)
        ends[i] = count += make_line(text + count, i);
    for (size_t length = 0, whole = 0; length <= count; length++) {
        whole += whole < 5 && length == ends[whole + 1];
        for (int trusted = 0; trusted < 2; trusted++) {
            look_from(text, length, trusted == 0 ? 0 : ends[whole]);
            cr_assert(tail.kept_bytes == ends[whole] && !tail.needs_newline, "%zu: %zu", length,
                      (size_t)tail.kept_bytes);
            cr_assert(tail.has_line == (whole > 0));
            if (whole == 0)
                continue;
            cr_assert(tail.last.place.seq == whole && tail.last.day == 20067);
            cr_assert(tail.last_bytes == ends[whole] - ends[whole - 1]);
            cr_assert(memcmp(tail.last_text, text + ends[whole - 1], tail.last_bytes) == 0);
        }
    }
}

Test(log_tail, the_first_hole_ends_the_lines, .init = begin, .fini = end)
{
    char text[8192], holed[8192];
    size_t ends[12] = {0}, count = 0;
    for (unsigned i = 1; i < 12; i++)
        ends[i] = count += make_line(text + count, i);
    for (size_t at = 0; at < count; at += 13) {
        for (size_t length = 1; at + length <= count; length += 97) {
            size_t whole = 0;
            while (ends[whole + 1] <= at)
                whole++;
            memcpy(holed, text, count);
            memset(holed + at, 0, length);
            look(holed, count);
            cr_assert(tail.kept_bytes == ends[whole], "%zu+%zu: %zu", at, length, (size_t)tail.kept_bytes);
            cr_assert(tail.has_line == (whole > 0) && (whole == 0 || tail.last.place.seq == whole));
        }
    }
}

Test(log_tail, nothing_before_what_was_synced_is_doubted, .init = begin, .fini = end)
{
    char text[4096];
    size_t first = make_line(text, 1), second = first + (size_t)sprintf(text + first, "somebody's");
    text[second++] = '\0';
    text[second++] = '\n';
    size_t count = second + make_line(text + second, 2);
    look_from(text, count, second);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == 2);
    look_from(text, count, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == 2);
    look_from(text, count, count + 1); /* another file than was synced */
    cr_assert(tail.kept_bytes == first && tail.last.place.seq == 1);
    look_from(text, count, count - 1);
    cr_assert(tail.kept_bytes == first);
}

Test(log_tail, zeros_alone_go, .init = begin, .fini = end)
{
    char *zeros = calloc(1, 700000);
    static const size_t counts[] = {1, 4096, 262143, 262144, 262145, 700000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        look(zeros, counts[i]);
        cr_assert(tail.kept_bytes == 0 && !tail.has_line && !tail.needs_newline, "%zu", counts[i]);
    }
    size_t bytes = make_line(zeros, 3);
    look(zeros, 700000);
    cr_assert(tail.kept_bytes == bytes && tail.last.place.seq == 3);
    free(zeros);
}

Test(log_tail, somebody_elses_bytes_stay, .init = begin, .fini = end)
{
    static const struct {
        const char *bytes;
        size_t count;
        bool needs_newline;
    } rows[] = {{"hello\n", 6, false},  {"hello", 5, true}, {"\n", 1, false},
                {"a\0b\n", 4, false},   {"{}\n", 3, false}, {"{\"timestamp\":1}\n", 16, false},
                {"x\n{\"a\"", 6, true}, {"", 0, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        look(rows[i].bytes, rows[i].count);
        cr_assert(tail.kept_bytes == rows[i].count && tail.needs_newline == rows[i].needs_newline, "row %zu", i);
        cr_assert(!tail.has_line);
    }
}

Test(log_tail, somebody_elses_lines_between_ours_stay, .init = begin, .fini = end)
{
    char text[4096];
    size_t count = make_line(text, 1);
    count += (size_t)sprintf(text + count, "a note\n");
    count += make_line(text + count, 2);
    look(text, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == 2);
    size_t noted = count + (size_t)sprintf(text + count, "another note");
    look(text, noted);
    cr_assert(tail.kept_bytes == noted && tail.needs_newline && tail.last.place.seq == 2);
}

Test(log_tail, a_line_longer_than_ours_is_somebody_elses, .init = begin, .fini = end)
{
    size_t room = 1500000;
    char *text = malloc(room);
    size_t count = make_line(text, 1);
    memset(text + count, 'y', 1200000);
    count += 1200000;
    look(text, count);
    cr_assert(tail.kept_bytes == count && tail.needs_newline && tail.last.place.seq == 1);
    text[count++] = '\n';
    count += make_line(text + count, 2);
    look(text, count);
    cr_assert(tail.kept_bytes == count && !tail.needs_newline && tail.last.place.seq == 2);
    look_from(text, count, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == 2);
    free(text);
}

Test(log_tail, many_lines_are_read_in_pieces, .init = begin, .fini = end)
{
    size_t room = 3000000, count = 0;
    char *text = malloc(room);
    unsigned seq = 0;
    while (count < room - 1000)
        count += make_line(text + count, ++seq);
    look(text, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == seq);
    look_from(text, count, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == seq);
    text[count] = '{';
    look_from(text, count + 1, count);
    cr_assert(tail.kept_bytes == count && tail.last.place.seq == seq);
    free(text);
}

Test(log_tail, a_failed_read_names_the_file)
{
    EXPECT_STATUS(log_tail_read(-1, "file", 0, &mem_libc, &tail, &test_error), SETTLE_E_IO);
    cr_assert_str_eq(test_error.file, "file");
}

/* Far before the byte that was synced, behind text in which no line of ours is; or nowhere. */
Test(log_tail, the_last_line_is_found_however_far_before_what_was_synced_it_lies, .init = begin, .fini = end)
{
    for (int with_line = 0; with_line < 2; with_line++) {
        char *text = malloc(700000);
        size_t count = with_line ? make_line(text, 7) : 0;
        while (count < 600000)
            count += (size_t)sprintf(text + count, "a note of somebody else's\n");
        look_from(text, count, count);
        cr_assert(tail.kept_bytes == count && !tail.needs_newline && tail.has_line == (with_line == 1));
        cr_assert(!with_line || tail.last.place.seq == 7);
        free(text);
    }
}
