/*
 * test_scan_json.c — the tokens of a line: strings, UTF-8, escapes, integers; and JSONTestSuite, where it is present.
 * The inline functions are those of this machine; test_scan_portable.c has the others.
 */
#include "ingest/scan_json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/opinion.h"
#include "tests/lib/paths.h"
#include "tests/lib/plain.h"

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

/* ---- JSONTestSuite -----------------------------------------------------------------------------------------------
 * github.com/nst/JSONTestSuite, which is not part of the project (paths.h). Its files are y_ (valid JSON), n_ (not) and i_
 * (as the parser likes). None is an event, so none may be taken; that they are judged as JSON first is seen on the strings
 * and numbers among them, each put into a line whose only other fault stands behind it.
 */

#define TAR_BLOCK 512u

struct archive {
    char *bytes;
    size_t count;
};

/* False: it is not there. */
static bool archive_read(struct archive *ret_archive)
{
    const char *path = test_data_path("JSONTestSuite.tar.zst");
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;
    if (file == NULL)
        return false;
    const size_t room = (size_t)16 << 20;
    char *packed = malloc(room);
    size_t packed_bytes = fread(packed, 1, room, file);
    fclose(file);
    struct archive archive = {malloc(room), 0};
    ZSTD_inBuffer in = {packed, packed_bytes, 0};
    ZSTD_outBuffer out = {archive.bytes, room, 0};
    ZSTD_DStream *stream = ZSTD_createDStream();
    for (size_t left = 1; left != 0 && in.pos < in.size;) {
        left = ZSTD_decompressStream(stream, &out, &in);
        cr_assert(!ZSTD_isError(left) && out.pos < out.size);
    }
    ZSTD_freeDStream(stream);
    free(packed);
    archive.count = out.pos;
    *ret_archive = archive;
    return true;
}

/* The next regular file behind *at; false at the end. */
static bool archive_next(const struct archive *archive, size_t *at, const char **ret_name, const char **ret_bytes,
                         size_t *ret_count)
{
    while (*at + TAR_BLOCK <= archive->count && archive->bytes[*at] != '\0') {
        const char *header = archive->bytes + *at;
        const char *slash = strrchr(header, '/');
        size_t count = strtoul(header + 124, NULL, 8);
        *ret_name = slash != NULL ? slash + 1 : header;
        *ret_bytes = header + TAR_BLOCK;
        *ret_count = count;
        *at += TAR_BLOCK + (count + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        if (header[156] == '0' && **ret_name != '\0')
            return true;
    }
    return false;
}

static struct archive suite;

static void open_suite(void)
{
    if (!archive_read(&suite))
        cr_skip_test("no JSONTestSuite here");
}

/* ---- Documents as lines ------------------------------------------------------------------------------------------ */

static void check_document(const char *name, const char *bytes, size_t count)
{
    struct scanned scanned = ingest_scan_bytes(bytes, count);
    struct opinion other;
    char *line = malloc(count + 1);
    memcpy(line, bytes, count);
    line[count] = '\0';
    opinion(line, count, &other);
    cr_assert_eq(scanned.is_good, other.rule == OPINION_NONE, "%s: the scanner says %s, the opinion %s", name,
                 scanned.is_good ? "good" : scanned.fault.reason, opinion_rule_name(other.rule));
    cr_assert(!scanned.is_good || scanned.kind == SCAN_BLANK, "%s was taken", name);
    if (!scanned.is_good)
        cr_assert(scanned.fault.byte >= 1 && scanned.fault.byte <= count + 1, "%s: byte %zu", name, scanned.fault.byte);
    /* What is valid JSON is refused by a rule of the contract's own, and cJSON takes it. */
    if (name[0] == 'y') {
        cr_assert_neq(other.rule, OPINION_SYNTAX, "%s", name);
        cr_assert(!scanned.is_good, "%s", name);
    }
    free(line);
    ingest_scan_free(&scanned);
}

Test(scan_json, no_document_of_json_test_suite_is_an_event)
{
    const char *name, *bytes;
    size_t at = 0, count, classes[3] = {0, 0, 0}, others = 0;
    open_suite();
    while (archive_next(&suite, &at, &name, &bytes, &count)) {
        static const char letters[] = "yni";
        const char *class = name[1] == '_' ? strchr(letters, name[0]) : NULL;
        check_document(name, bytes, count);
        if (class != NULL)
            classes[class - letters]++;
        else
            others++;
    }
    fprintf(stderr, "JSONTestSuite: %zu y_, %zu n_, %zu i_, %zu others\n", classes[0], classes[1], classes[2], others);
    cr_assert(classes[0] >= 90 && classes[1] >= 180 && classes[2] >= 30 && others >= 20);
    free(suite.bytes);
}

/* ---- Strings and numbers as values ------------------------------------------------------------------------------- */

/* What stands between the brackets of a document like ["text"]; false: it is none of these. */
static bool inside_brackets(const char *bytes, size_t count, const char **ret_value, size_t *ret_bytes)
{
    const char *from = bytes, *end = bytes + count;
    while (from < end && strchr(" \t\n\r", *from) != NULL)
        from++;
    while (end > from && strchr(" \t\n\r", end[-1]) != NULL)
        end--;
    if (end - from < 3 || *from != '[' || end[-1] != ']')
        return false;
    for (from++; *from == ' ';)
        from++;
    for (end--; end > from && strchr(" \n", end[-1]) != NULL;)
        end--;
    *ret_value = from;
    *ret_bytes = (size_t)(end - from);
    return end > from;
}

/* Whether the scanner reads the value, and finds nothing wrong before the line's type, which is always wrong. */
static bool reaches_type(const char *member, const char *value, size_t value_bytes)
{
    char line[INGEST_LINE_BYTES_MAX];
    int head = snprintf(line, sizeof line, "{\"%s\":", member);
    memcpy(line + head, value, value_bytes);
    size_t bytes = (size_t)head + value_bytes;
    bytes += (size_t)snprintf(line + bytes, sizeof line - bytes, "%s}",
                              strcmp(member, "type") == 0 ? "" : ",\"type\":\"?\"");
    struct scanned scanned = ingest_scan_bytes(line, bytes);
    cr_assert(!scanned.is_good, "%.*s", (int)bytes, line);
    bool reaches = strncmp(scanned.fault.reason, "type must be \"deposit\"", 22) == 0;
    ingest_scan_free(&scanned);
    return reaches;
}

Test(scan_json, suite_strings_are_read_where_they_are_json)
{
    const char *name, *bytes, *value;
    size_t at = 0, count, value_bytes, good = 0, bad = 0;
    open_suite();
    while (archive_next(&suite, &at, &name, &bytes, &count)) {
        if (!inside_brackets(bytes, count, &value, &value_bytes) || value[0] != '"' || value_bytes > 4000)
            continue;
        bool is_read = reaches_type("type", value, value_bytes);
        if (strncmp(name, "y_string_", 9) == 0) {
            cr_assert(is_read, "%s", name);
            good++;
        } else if (strncmp(name, "n_string_", 9) == 0) {
            cr_assert(!is_read, "%s", name);
            bad++;
        }
    }
    fprintf(stderr, "JSONTestSuite: %zu strings read, %zu refused\n", good, bad);
    cr_assert(good >= 40 && bad >= 15, "%zu %zu", good, bad);
    free(suite.bytes);
}

/* Numbers that are JSON and no integer of digits are refused as well: that is the contract's. */
Test(scan_json, suite_numbers_are_read_where_they_are_integers)
{
    const char *name, *bytes, *value;
    size_t at = 0, count, value_bytes, good = 0, bad = 0;
    open_suite();
    while (archive_next(&suite, &at, &name, &bytes, &count)) {
        bool is_valid = strncmp(name, "y_number", 8) == 0;
        if ((!is_valid && strncmp(name, "n_number", 8) != 0) || !inside_brackets(bytes, count, &value, &value_bytes) ||
            value_bytes > 4000)
            continue;
        char digits[64] = "";
        snprintf(digits, sizeof digits, "%.*s", (int)value_bytes, value);
        bool is_integer = strspn(digits, "0123456789") == value_bytes && (digits[0] != '0' || value_bytes == 1);
        cr_assert_eq(reaches_type("ts", value, value_bytes), is_integer, "%s", name);
        good += is_valid && is_integer;
        bad += !is_valid;
    }
    fprintf(stderr, "JSONTestSuite: %zu integers read, %zu numbers refused\n", good, bad);
    cr_assert(good >= 1 && bad >= 40, "%zu %zu", good, bad);
    free(suite.bytes);
}
