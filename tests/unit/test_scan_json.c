/*
 * test_scan_json.c — the tokens of a line: strings, UTF-8, escapes, integers; and JSONTestSuite, where it is present.
 * The inline functions are those of this machine; test_scan_portable.c has the others.
 */
#include "ingest/scan_json.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/paths.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(scan_json);

/* One string token, from blocks of exact size. Its decoded text and fault. */
struct token {
    char text[256];
    size_t bytes;     /* of the text */
    const char *next; /* NULL: malformed */
    size_t consumed;
    struct scan_fault fault;
};

static struct token string_of(const char *written, size_t bytes)
{
    char *line = malloc(bytes), *scratch = malloc(bytes);
    CHECK(line != NULL && scratch != NULL);
    memcpy(line, written, bytes);
    struct token token;
    settle_text text = {NULL, 0};
    struct json json = {line, line + bytes, scratch, &token.fault};
    token.next = json_string(&json, line, json.end, &text);
    token.consumed = token.next == NULL ? 0 : (size_t)(token.next - line);
    CHECK(text.bytes < sizeof token.text);
    token.bytes = text.bytes;
    if (text.bytes > 0)
        memcpy(token.text, text.data, text.bytes);
    free(scratch);
    free(line);
    return token;
}

static void expect_string(const char *written, const char *meant, size_t meant_bytes)
{
    struct token token = string_of(written, strlen(written));
    cr_assert_not_null(token.next, "%s: %s", written, token.fault.reason);
    cr_assert_eq(token.consumed, strlen(written));
    cr_assert_eq(token.bytes, meant_bytes, "%s", written);
    cr_assert(memcmp(token.text, meant, meant_bytes) == 0, "%s", written);
}

static void expect_no_string(const char *written, size_t byte, const char *reason)
{
    struct token token = string_of(written, strlen(written));
    cr_assert_null(token.next, "accepted: %s", written);
    cr_assert_eq(token.fault.byte, byte, "%s: byte %zu", written, token.fault.byte);
    cr_assert_str_eq(token.fault.reason, reason);
}

Test(scan_json, strings_end_at_their_quote)
{
    expect_string("\"\"", "", 0);
    expect_string("\"a\"", "a", 1);
    expect_string("\"abcdefg\"", "abcdefg", 7);
    expect_string("\"abcdefgh\"", "abcdefgh", 8);
    expect_string("\"abcdefghijklmnopqrstuvwxyz ~!/'\x7f\"", "abcdefghijklmnopqrstuvwxyz ~!/'\x7f", 32);
    struct token token = string_of("\"ab\"\"", 5);
    cr_assert_eq(token.consumed, 4);
}

#define SUITE scan_json
#include "tests/unit/scan_plain.h"

Test(scan_json, escapes_are_those_of_rfc_8259)
{
    expect_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    expect_string("\"\\u0041\\u00e9\\u20AC\\uFFFF\\u0000\"", "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf\0", 10);
    expect_string("\"\\u007f\\u0080\\u07ff\\u0800\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8);
    expect_string("\"\\ud83d\\ude00x\"", "\xf0\x9f\x98\x80x", 5);
    expect_string("\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
    for (unsigned byte = 0x20; byte < 0x7f; byte++) {
        char written[] = {'"', '\\', (char)byte, '"', '\0'};
        if (strchr("\"\\/bfnrtu", (int)byte) == NULL)
            expect_no_string(written, 2, "unknown escape in a string");
    }
    expect_no_string("\"ab\\x41\"", 4, "unknown escape in a string");
    expect_no_string("\"\\", 3, "the line ends inside a string");
    expect_no_string("\"\\\"", 4, "the line ends inside a string");
    struct token token = string_of("\"\\\0\"", 4);
    cr_assert_null(token.next);
    cr_assert_eq(token.fault.byte, 2);
}

Test(scan_json, unicode_escapes_have_four_hexadecimal_digits)
{
    const char *reason = "\\u is not followed by four hexadecimal digits";
    expect_no_string("\"\\u\"", 2, reason);
    expect_no_string("\"\\u1\"", 2, reason);
    expect_no_string("\"\\u123\"", 2, reason);
    expect_no_string("\"\\u123", 2, reason);
    expect_no_string("\"\\u12g4\"", 2, reason);
    expect_no_string("\"\\u+123\"", 2, reason);
    expect_no_string("\"x\\u 123\"", 3, reason);
    expect_no_string("\"\\U0041\"", 2, "unknown escape in a string");
}

Test(scan_json, surrogates_come_in_pairs)
{
    const char *reason = "\\u escape of half a surrogate pair";
    expect_no_string("\"\\ud800\"", 2, reason);
    expect_no_string("\"\\udbff", 2, reason);
    expect_no_string("\"\\udc00\"", 2, reason);
    expect_no_string("\"\\udfff\\ud800\"", 2, reason);
    expect_no_string("\"\\ud83d\\ud83d\\ude00\"", 2, reason);
    expect_no_string("\"\\ud83dx\\ude00\"", 2, reason);
    expect_no_string("\"\\ud83d\\n\\ude00\"", 2, reason);
    expect_no_string("\"\\ud83d\\ude0\"", 2, reason);
    expect_no_string("\"\\ud83d\\ue000\"", 2, reason);
    expect_no_string("\"\\ud83d\\u0041\"", 2, reason);
}

Test(scan_json, control_characters_are_never_raw)
{
    for (unsigned byte = 0; byte < 0x20; byte++) {
        char written[] = {'"', 'a', (char)byte, '"'}, reason[64];
        struct token token = string_of(written, sizeof written);
        snprintf(reason, sizeof reason, "control character 0x%02x in a string", byte);
        cr_assert_null(token.next);
        cr_assert_eq(token.fault.byte, 3);
        cr_assert_str_eq(token.fault.reason, reason);
    }
}

/* All sequences of one and two bytes, and those of three and four at every border, against the table of RFC 3629. */
static bool utf8_is_valid(const unsigned char *b, size_t bytes)
{
    uint32_t code;
    if (bytes == 1)
        return b[0] < 0x80;
    for (size_t i = 1; i < bytes; i++)
        if (b[i] < 0x80 || b[i] > 0xbf)
            return false;
    if (bytes == 2 && b[0] >= 0xc0 && b[0] < 0xe0)
        return ((b[0] & 0x1fu) << 6 | (b[1] & 0x3fu)) >= 0x80;
    if (bytes == 3 && b[0] >= 0xe0 && b[0] < 0xf0) {
        code = (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
        return code >= 0x800 && (code < 0xd800 || code > 0xdfff);
    }
    if (bytes == 4 && b[0] >= 0xf0 && b[0] < 0xf8) {
        code = (b[0] & 7u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
        return code >= 0x10000 && code <= 0x10ffff;
    }
    return false;
}

Test(scan_json, utf8_is_that_of_rfc_3629)
{
    static const unsigned char ends[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0; b < 0x100; b++) {
            for (size_t c = 0; c < sizeof ends; c++) {
                for (size_t d = 0; d < sizeof ends; d++) {
                    unsigned char sequence[4] = {(unsigned char)a, (unsigned char)b, ends[c], ends[d]};
                    size_t expected = 0;
                    for (size_t bytes = 2; bytes <= 4; bytes++)
                        if (utf8_is_valid(sequence, bytes))
                            expected = bytes;
                    cr_assert_eq(json_utf8_bytes((char *)sequence, (char *)sequence + 4), expected);
                    if (expected > 0)
                        cr_assert_eq(json_utf8_bytes((char *)sequence, (char *)sequence + expected - 1), 0, "cut off");
                }
            }
        }
    }
}

Test(scan_json, invalid_utf8_is_told_where_it_begins)
{
    expect_string("\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14);
    const char *reason = "invalid UTF-8 in a string";
    expect_no_string("\"ab\xff\"", 4, reason);
    expect_no_string("\"\xc3\"", 2, reason);
    expect_no_string("\"\xc3\xa9\xc3", 4, reason);
    expect_no_string("\"\xc0\xaf\"", 2, reason);
    expect_no_string("\"\xe0\x80\xaf\"", 2, reason);
    expect_no_string("\"\xed\xa0\x80\"", 2, reason);
    expect_no_string("\"\xf4\x90\x80\x80\"", 2, reason);
    expect_no_string("\"\xf8\x88\x80\x80\x80\"", 2, reason);
    expect_no_string("\"\\u0041\x80\"", 8, reason);
}

Test(scan_json, a_string_with_everything_from_a_line_of_exact_size)
{
    /* Plain runs of every length between the parts, so that each begins at every place of a word. */
    for (int run = 0; run < 20; run++) {
        char written[128], meant[128];
        const char *plain = "abcdefghijklmnopqrstuvwxyz";
        snprintf(written, sizeof written, "\"%.*s\\n%.*s\xc3\xa9%.*s\\ud83d\\ude00%.*s\"", run, plain, run, plain, run,
                 plain, run, plain);
        snprintf(meant, sizeof meant, "%.*s\n%.*s\xc3\xa9%.*s\xf0\x9f\x98\x80%.*s", run, plain, run, plain, run, plain,
                 run, plain);
        expect_string(written, meant, strlen(meant));
    }
}

Test(scan_json, digits_of_every_length_and_neighbour)
{
    static const char digits[] = "98765432109876543210987654";
    for (size_t bytes = 0; bytes <= 25; bytes++) {
        for (size_t count = 0; count <= bytes; count++) {
            for (int neighbour = 0; neighbour < 256; neighbour++) {
                if (neighbour >= '0' && neighbour <= '9')
                    continue;
                char *line = malloc(bytes + 1);
                CHECK(line != NULL);
                memcpy(line, digits, bytes);
                if (count < bytes)
                    line[count] = (char)neighbour;
                uint64_t value = 1, expected = 0;
                for (size_t i = 0; i < count; i++)
                    expected = expected * 10 + (uint64_t)(digits[i] - '0');
                const char *next = json_digits(line, line + bytes, &value);
                cr_assert_eq(next - line, (ptrdiff_t)count, "%zu of %zu before 0x%02x", count, bytes,
                             (unsigned)neighbour);
                cr_assert_eq(value, count > 19 ? UINT64_MAX : expected, "%zu digits", count);
                free(line);
            }
        }
    }
}

/* ---- JSONTestSuite ----------------------------------------------------------------------------------------------- */

/* Unpacks the suite below `directory`; false: it is not here. */
static bool unpack_suite(const char *directory)
{
    const char *archive = test_data_path("JSONTestSuite.tar.zst");
    char command[4096];
    if (archive == NULL)
        return false;
    snprintf(command, sizeof command, "zstd -dcq '%s' 2>/dev/null | tar -xf - -C '%s' 2>/dev/null", archive, directory);
    return system(command) == 0;
}

static size_t read_whole(const char *path, char **ret_bytes)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    *ret_bytes = malloc(bytes + 1);
    CHECK(*ret_bytes != NULL && fread(*ret_bytes, 1, bytes, file) == bytes);
    (*ret_bytes)[bytes] = '\0';
    fclose(file);
    return bytes;
}

/* [TOKEN] in a file of the suite as the event_id of a deposit: is the fault one of JSON, or none? */
static bool is_refused_as_json(const char *text, size_t bytes)
{
    char line[8192];
    int length = snprintf(line, sizeof line, "{\"event_id\":%.*s", (int)bytes - 2, text + 1);
    CHECK(length > 0 && (size_t)length < sizeof line - 2);
    line[length++] = '}';
    struct scanned scanned = ingest_scan_bytes(line, (size_t)length);
    CHECK(!scanned.is_good);
    ingest_scan_free(&scanned);
    return strcmp(scanned.fault.reason, "type is missing") != 0;
}

Test(scan_json, json_test_suite)
{
    char directory[TEMPDIR_BYTES], folder[TEMPDIR_PATH_BYTES];
    tempdir_make(directory);
    bool is_here = unpack_suite(directory);
    tempdir_join(folder, directory, "test_parsing");
    DIR *entries = is_here ? opendir(folder) : NULL;
    unsigned refused = 0, strings = 0;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char path[TEMPDIR_PATH_BYTES + 300], *text;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        size_t bytes = read_whole(path, &text);
        struct scanned scanned = ingest_scan_bytes(text, bytes);
        /* A line without anything is no JSON but a blank line. */
        bool is_blank =
            strcmp(entry->d_name, "n_structure_no_data.json") == 0 || strcmp(entry->d_name, "n_single_space.json") == 0;
        cr_assert_eq(scanned.is_good, is_blank, "%s: none of them is an event", entry->d_name);
        cr_assert(is_blank || (scanned.fault.byte >= 1 && scanned.fault.byte <= bytes + 1), "%s", entry->d_name);
        ingest_scan_free(&scanned);
        refused += entry->d_name[0] == 'n';

        /* The files with one string in an array, as a value of ours. */
        bool is_string = strstr(entry->d_name, "_string_") != NULL && bytes > 4 && text[0] == '[' && text[1] == '"' &&
                         text[bytes - 1] == ']' && strlen(text) == bytes;
        if (is_string && entry->d_name[0] == 'y')
            cr_assert(!is_refused_as_json(text, bytes), "%s", entry->d_name);
        if (is_string && entry->d_name[0] == 'n')
            cr_assert(is_refused_as_json(text, bytes), "%s", entry->d_name);
        strings += is_string;
        free(text);
    }
    if (entries != NULL)
        closedir(entries);
    tempdir_remove(directory);
    if (!is_here)
        cr_skip("the JSONTestSuite archive, zstd or tar is not here");
    cr_assert_eq(refused, 188);
    cr_assert_gt(strings, 60);
}
