/* test_query_print.c — bytes out, JSON and tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/print.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(query_print);

/* A sink that keeps what it gets; `room` bytes, then it fails with ENOSPC. */
struct kept {
    char bytes[70000];
    size_t count, room;
    unsigned calls;
};

static bool keep(void *context, const char *bytes, size_t count)
{
    struct kept *kept = context;
    kept->calls++;
    if (count > kept->room - kept->count) {
        errno = ENOSPC;
        return false;
    }
    memcpy(kept->bytes + kept->count, bytes, count);
    kept->count += count;
    kept->bytes[kept->count] = '\0';
    return true;
}

static struct kept kept;
static struct out out;

static void start(size_t room)
{
    kept = (struct kept){.room = room};
    out_init(&out, keep, &kept);
}

static void expect_text(const char *expected)
{
    cr_assert(out_flush(&out));
    cr_assert_str_eq(kept.bytes, expected);
}

/* ---- Bytes out ---- */

Test(query_print, what_is_written_comes_out_in_order_and_only_at_the_flush)
{
    start(100);
    out_text(&out, "a");
    out_bytes(&out, "bc", 2);
    out_repeat(&out, '-', 3);
    out_u64(&out, 0);
    out_u64(&out, UINT64_MAX);
    out_format(&out, "%s=%d", "x", 7);
    cr_assert_eq(kept.calls, 0);
    expect_text("abc---018446744073709551615x=7");
    cr_assert_eq(kept.calls, 1);
}

Test(query_print, more_than_the_buffer_goes_through_whole)
{
    static char large[40000];
    start(69000);
    memset(large, 'x', sizeof large);
    out_text(&out, "<");
    out_bytes(&out, large, sizeof large);
    out_text(&out, ">");
    cr_assert(out_flush(&out));
    cr_assert_eq(kept.count, sizeof large + 2);
    cr_assert_eq(kept.bytes[0], '<');
    cr_assert_eq(kept.bytes[1], 'x');
    cr_assert_eq(kept.bytes[kept.count - 1], '>');
}

Test(query_print, small_pieces_fill_the_buffer_and_lose_nothing)
{
    start(69000);
    for (unsigned i = 0; i < 20000; i++)
        out_text(&out, i % 2 ? "ab" : "c");
    cr_assert(out_flush(&out));
    cr_assert_eq(kept.count, 30000);
    for (size_t i = 0; i < kept.count; i++)
        cr_assert_eq(kept.bytes[i], "cab"[i % 3]);
}

Test(query_print, the_first_failure_sticks_and_nothing_is_written_after_it)
{
    start(2);
    out_text(&out, "abc");
    cr_assert_not(out_flush(&out));
    cr_assert_eq(out.failed_errno, ENOSPC);
    cr_assert_eq(kept.calls, 1);
    kept.room = 100;
    out_text(&out, "d");
    cr_assert_not(out_flush(&out));
    cr_assert_eq(kept.count, 0);
    cr_assert_eq(kept.calls, 1);
}

/* ---- Small texts ---- */

Test(query_print, users_are_digits_or_the_names_of_the_system_accounts)
{
    char text[PRINT_USER_BYTES];
    cr_assert_str_eq(print_user(1, text), "1");
    cr_assert_str_eq(print_user(SETTLE_USER_MAX, text), "9223372036854775807");
    cr_assert_str_eq(print_user(SETTLE_USER_EXTERNAL, text), "external");
    cr_assert_str_eq(print_user(SETTLE_USER_FEES, text), "fees");
}

Test(query_print, seconds_have_six_decimals)
{
    char text[PRINT_SECONDS_BYTES];
    cr_assert_str_eq(print_seconds(0, text), "0.000000");
    cr_assert_str_eq(print_seconds(1, text), "0.000001");
    cr_assert_str_eq(print_seconds(12345678, text), "12.345678");
    cr_assert_str_eq(print_seconds(UINT64_MAX, text), "18446744073709.551615");
}

Test(query_print, a_time_is_rfc_3339_in_utc)
{
    char text[PRINT_TIME_BYTES];
    cr_assert_str_eq(print_time_us(UINT64_C(1733856600000000), text), "2024-12-10T18:50:00.000000Z");
}

/* ---- JSON ---- */

Test(query_print, an_object_has_commas_between_its_members_and_nowhere_else)
{
    start(1000);
    struct json json = json_on(&out);
    json_object(&json, NULL);
    json_u64(&json, "a", 1);
    json_array(&json, "b");
    json_object(&json, NULL);
    json_object_end(&json);
    json_object(&json, NULL);
    json_bool(&json, "t", true);
    json_bool(&json, "f", false);
    json_object_end(&json);
    json_string(&json, NULL, "x");
    json_array_end(&json);
    json_array(&json, "c");
    json_array_end(&json);
    json_null(&json, "d");
    json_object_end(&json);
    json_line_end(&json);
    json_object(&json, NULL);
    json_object_end(&json);
    json_line_end(&json);
    expect_text("{\"a\":1,\"b\":[{},{\"t\":true,\"f\":false},\"x\"],\"c\":[],\"d\":null}\n{}\n");
}

static void expect_u64(uint64_t value, const char *expected)
{
    start(100);
    struct json json = json_on(&out);
    json_u64(&json, NULL, value);
    expect_text(expected);
}

Test(query_print, an_integer_above_2_to_the_53_is_a_string)
{
    expect_u64(0, "0");
    expect_u64(9007199254740991, "9007199254740991");
    expect_u64(9007199254740992, "9007199254740992");
    expect_u64(9007199254740993, "\"9007199254740993\"");
    expect_u64(UINT64_MAX, "\"18446744073709551615\"");
}

Test(query_print, a_user_is_a_number_a_string_above_2_to_the_53_or_a_name)
{
    start(200);
    struct json json = json_on(&out);
    json_array(&json, NULL);
    json_user(&json, NULL, 1001);
    json_user(&json, NULL, 9007199254740993);
    json_user(&json, NULL, SETTLE_USER_EXTERNAL);
    json_user(&json, NULL, SETTLE_USER_FEES);
    json_array_end(&json);
    expect_text("[1001,\"9007199254740993\",\"external\",\"fees\"]");
}

Test(query_print, amounts_are_strings_with_all_decimals)
{
    start(400);
    struct json json = json_on(&out);
    json_array(&json, NULL);
    json_amount(&json, NULL, 990500000, 6);
    json_amount(&json, NULL, -1, 8);
    json_amount(&json, NULL, 0, 6);
    json_amount(&json, NULL, 7, 0);
    json_amount(&json, NULL, -SETTLE_AMOUNT_MAX, 18);
    json_array_end(&json);
    expect_text("[\"990.500000\",\"-0.00000001\",\"0.000000\",\"7\",\"-170141183460469231731.687303715884105727\"]");
}

static void expect_quoted(const char *bytes, size_t count, const char *expected)
{
    start(1000);
    struct json json = json_on(&out);
    json_text(&json, NULL, (settle_text){bytes, count});
    expect_text(expected);
}

Test(query_print, text_is_escaped)
{
    expect_quoted("", 0, "\"\"");
    expect_quoted("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    expect_quoted("\n\r\t\b\f\0\x1f\x7f", 8, "\"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\\u007f\"");
    expect_quoted("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

Test(query_print, bytes_that_are_no_utf_8_become_replacement_characters)
{
#define R "\xef\xbf\xbd"
    expect_quoted("a\xff z", 4, "\"a" R " z\"");
    expect_quoted("\xc3", 1, "\"" R "\"");                                        /* cut short */
    expect_quoted("\xe2\x82", 2, "\"" R R "\"");                                  /* cut short */
    expect_quoted("\xc0\xaf", 2, "\"" R R "\"");                                  /* overlong */
    expect_quoted("\xe0\x80\x80", 3, "\"" R R R "\"");                            /* overlong */
    expect_quoted("\xf0\x80\x80\x80", 4, "\"" R R R R "\"");                      /* overlong */
    expect_quoted("\xed\xa0\x80", 3, "\"" R R R "\"");                            /* a surrogate */
    expect_quoted("\xf4\x90\x80\x80", 4, "\"" R R R R "\"");                      /* above U+10FFFF */
    expect_quoted("\x80", 1, "\"" R "\"");                                        /* a continuation alone */
    expect_quoted("\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\"");                 /* U+10FFFF is fine */
    expect_quoted("\xed\x9f\xbf\xee\x80\x80", 6, "\"\xed\x9f\xbf\xee\x80\x80\""); /* beside the surrogates */
#undef R
}

Test(query_print, no_text_is_null)
{
    start(100);
    struct json json = json_on(&out);
    json_object(&json, NULL);
    json_string(&json, "a", NULL);
    json_text(&json, "b", (settle_text){NULL, 0});
    json_seconds(&json, "s", 1500000);
    json_time_us(&json, "t", 0);
    json_object_end(&json);
    expect_text("{\"a\":null,\"b\":null,\"s\":1.500000,\"t\":\"1970-01-01T00:00:00.000000Z\"}");
}

/* ---- Tables ---- */

static const struct table_column columns[] = {{"name", false}, {"count", true}, {"note", false}};

Test(query_print, columns_are_as_wide_as_they_need_and_the_last_has_no_blanks_behind_it)
{
    struct table table;
    start(1000);
    table_init(&table, columns, 3);
    const char *cells[] = {"a", "1", "first", "longer", "1234567", ""};
    for (size_t i = 0; i < 6; i++)
        table_cell(&table, cells[i]);
    EXPECT_OK(table_print(&table, &out, 2));
    expect_text("  name      count  note\n"
                "  a             1  first\n"
                "  longer  1234567  \n");
}

Test(query_print, characters_count_not_bytes_and_control_characters_are_made_harmless)
{
    struct table table;
    start(1000);
    table_init(&table, columns, 2);
    table_cell(&table, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
    table_cell(&table, "\x1b[2J\n\x7f");
    EXPECT_OK(table_print(&table, &out, 0));
    expect_text("name             count\n"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4  \\x1b[2J\\x0a\\x7f\n");
}

/* What a terminal would obey, by its kind: in a message, and in JSON, which must still mean the same. */
static const struct {
    const char *text, *visible, *json;
} specimens[] = {
    {"\x1b[31mred", "\\x1b[31mred", "\"\\u001b[31mred\""},                  /* escape sequence */
    {"\x1b]0;title\a", "\\x1b]0;title\\x07", "\"\\u001b]0;title\\u0007\""}, /* one that sets the window's title */
    {"a\r\nb\tc\b", "a\\x0d\\x0ab\\x09c\\x08", "\"a\\r\\nb\\tc\\u0008\""},
    {"\xc2\x9b"
     "31m",
     "\\u009b31m", "\"\\u009b31m\""}, /* the same in C1 */
    {"\x9b"
     "31m",
     "\\x9b31m",
     "\"\xef\xbf\xbd"
     "31m\""},                                                    /* and as a byte, for terminals without UTF-8 */
    {"abc\xe2\x80\xaegpj", "abc\\u202egpj", "\"abc\\u202egpj\""}, /* written from right to left */
    {"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069", "\"\\u2066x\\u2069\""},
    {"1\xe2\x80\x8b"
     "0",
     "1\\u200b0", "\"1\\u200b0\""},             /* no width */
    {"\xe2\x80\xa8", "\\u2028", "\"\\u2028\""}, /* ends a line in JavaScript */
    {"\xef\xbb\xbf", "\\ufeff", "\"\\ufeff\""},
    {"\xd8\x9c", "\\u061c", "\"\\u061c\""},
    {"\xf0\x9f\x92\xb6 \xe2\x82\xac", "\xf0\x9f\x92\xb6 \xe2\x82\xac", "\"\xf0\x9f\x92\xb6 \xe2\x82\xac\""}, /* plain */
    {"\xe2\x82", "\\xe2\\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* half a character at the end */
};

Test(query_print, nothing_that_a_terminal_would_obey_comes_out_of_a_text)
{
    for (size_t i = 0; i < sizeof specimens / sizeof specimens[0]; i++) {
        start(1000);
        out_visible(&out, specimens[i].text);
        expect_text(specimens[i].visible);
        start(1000);
        struct json json = json_on(&out);
        json_string(&json, NULL, specimens[i].text);
        expect_text(specimens[i].json);
    }
}

Test(query_print, a_table_without_titles_has_rows_only)
{
    static const struct table_column untitled[] = {{"", false}, {"", true}};
    struct table table;
    start(1000);
    table_init(&table, untitled, 2);
    const char *cells[] = {"lines", "10", "x", "7"};
    for (size_t i = 0; i < 4; i++)
        table_cell(&table, cells[i]);
    EXPECT_OK(table_print(&table, &out, 0));
    expect_text("lines  10\nx       7\n");
}

Test(query_print, a_table_without_rows_is_its_titles)
{
    struct table table;
    start(1000);
    table_init(&table, columns, 3);
    EXPECT_OK(table_print(&table, &out, 0));
    expect_text("name  count  note\n");
}

Test(query_print, a_large_table_keeps_every_cell)
{
    struct table table;
    char number[PRINT_U64_BYTES];
    start(69000);
    table_init(&table, columns, 2);
    for (uint64_t i = 0; i < 3000; i++) {
        table_cell(&table, "row");
        table_cell(&table, print_u64(i, number));
    }
    EXPECT_OK(table_print(&table, &out, 0));
    cr_assert(out_flush(&out));
    cr_assert_eq(kept.count, 3001 * strlen("name  count\n"));
    cr_assert_str_eq(kept.bytes + kept.count - 12, "row    2999\n");
}
