/*
 * test_scan_property.c — the scanner against a second opinion: cJSON and the slowest reading of docs/events.md.
 *
 * Random lines, most of them good, some changed in a few bytes; both must accept the same ones and make the same events
 * of them (tests/lib/opinion.h). tests/fuzz/fuzz_scan.c has the same comparison behind any bytes.
 */
#include "ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/opinion.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(scan_property);

/* ---- Random lines ------------------------------------------------------------------------------------------------ */

static uint64_t state;

static unsigned random_below(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % below);
}

static char line[2 * INGEST_LINE_BYTES_MAX];
static size_t line_bytes;

static void put(const char *text)
{
    size_t bytes = strlen(text);
    memcpy(line + line_bytes, text, bytes + 1);
    line_bytes += bytes;
}

static void put_space(void)
{
    static const char *const spaces[] = {" ", "  ", "\t", "\r", " \t"};
    if (random_below(8) == 0)
        put(spaces[random_below(5)]);
}

static void put_string(const char *text)
{
    char escape[8];
    bool with_escapes = random_below(10) == 0;
    put("\"");
    for (; *text != '\0'; text++) {
        snprintf(escape, sizeof escape, with_escapes && random_below(4) == 0 ? "\\u%04x" : "%c", (unsigned char)*text);
        put(escape);
    }
    put("\"");
}

#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
static const char *one_of(const char *const *texts, size_t count)
{
    return texts[random_below((unsigned)count)];
}

static const char *random_decimal(void)
{
    static char text[64];
    static const char digits[] = "190283746509182736450000000000000000123456789";
    unsigned whole = 1 + random_below(random_below(8) == 0 ? 22 : 5),
             decimals = random_below(random_below(8) == 0 ? 20 : 3);
    snprintf(text, sizeof text, "%.*s%s%.*s", (int)whole, digits + random_below(2), decimals > 0 ? "." : "",
             (int)decimals, digits + 1 + random_below(20));
    return text;
}

/* Values at and behind the borders of their forms. */
static void put_odd_value(const char *name)
{
    if (random_below(4) == 0)
        put(ONE_OF("null", "true", "1.5", "-1", "{}", "[1]", "\"\"", "0", "\"x y\"", "99999999999999999999999"));
    else if (opinion_is_in(name, " ts id scale "))
        put(ONE_OF("9007199254740993", "19", "4294967296", "007", "18446744073709551617"));
    else if (opinion_is_in(name, " user buyer seller "))
        put(ONE_OF("0", "9223372036854775808", "\"18446744073709551616\"", "\"012\"", "\"7x\""));
    else if (opinion_is_in(name, " asset base quote "))
        put(ONE_OF("4", "0", "\"ETH\"", "\"btc\"", "\"2\"", "\"0123456789ABCDEF\"", "4294967296"));
    else if (opinion_is_in(name, " event_id trade_id "))
        put_string(ONE_OF("x y", "0123456789012345678901234567890123456789012345678901234567890123", "", "a/b"));
    else
        put_string(ONE_OF("0", "0.0", "00", "01.5", "1.", ".5", "-1", "1e3", "170141183460469231731687303715884105727",
                          "170141183460469231731.687303715884105728", "99999999999999999999999999999999999999",
                          "99999999999999999999.9999999999999999990"));
}

static void put_value(const char *name)
{
    if (random_below(60) == 0)
        put_odd_value(name);
    else if (opinion_is_in(name, " ts id "))
        put(ONE_OF("1", "18", "1733856600", "4294967295", "6"));
    else if (opinion_is_in(name, " scale "))
        put(ONE_OF("0", "1", "18", "6"));
    else if (opinion_is_in(name, " user buyer seller ") && random_below(2) == 0)
        put(ONE_OF("1", "1001", "9223372036854775807", "12345678"));
    else if (opinion_is_in(name, " user buyer seller "))
        put_string(ONE_OF("1", "1001", "9223372036854775807", "123456789"));
    else if (opinion_is_in(name, " asset base quote ") && random_below(3) == 0)
        put(ONE_OF("1", "2", "3", "3", "5"));
    else if (opinion_is_in(name, " asset base quote "))
        put_string(ONE_OF("BTC", "USDT", "WEI", "WEI", "BTC", "USDT", "INT", "A.1"));
    else if (opinion_is_in(name, " event_id trade_id "))
        put_string(ONE_OF("a", "t-1", "deposit_1001_2_1733856600000", "A.b:c_d-9"));
    else
        put_string(random_decimal());
}

static void make_line(void)
{
    static const char *const of_type[][12] = {
        {"ts", "user", "asset", "amount", "event_id"},
        {"asset", "id", "scale"},
        {"ts", "buyer", "seller", "base", "quote", "quantity", "trade_id", "price", "quote_amount", "buyer_fee",
         "seller_fee", "event_id"},
    };
    unsigned type = random_below(8) == 0 ? 1 : random_below(2) * 2, count = 0;
    const char *members[13] = {"type"};
    for (unsigned i = 0; i < 12 && of_type[type][i] != NULL; i++)
        if (random_below(100) != 0 && (i < 6 || random_below(3) != 0 || i == 7))
            members[++count] = of_type[type][i];
    if (random_below(100) == 0)
        members[random_below(count + 1)] = opinion_members[random_below(OPINION_MEMBERS)];
    for (unsigned i = count; i > 0 && random_below(2) == 0; i--) {
        unsigned other = random_below(i + 1);
        const char *swapped = members[i];
        members[i] = members[other];
        members[other] = swapped;
    }
    line_bytes = 0;
    put_space();
    put("{");
    for (unsigned i = 0; i <= count; i++) {
        put_space();
        put_string(members[i]);
        put_space();
        put(":");
        put_space();
        if (strcmp(members[i], "type") == 0)
            put_string(type == 2 ? "trade" : type == 1 ? "asset" : random_below(2) ? "deposit" : "withdrawal");
        else
            put_value(members[i]);
        put_space();
        put(i < count ? "," : "}");
    }
    put_space();
}

/* Changes a few bytes. */
static void mutate(void)
{
    static const char *const pieces[] = {"\"",
                                         "\\",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "0",
                                         "9",
                                         ".",
                                         "-",
                                         "e",
                                         " ",
                                         "\t",
                                         "\x01",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "\xed\xa0\x80",
                                         "\xff",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "\\ud800",
                                         "\\n",
                                         "null",
                                         "\"ts\":1,",
                                         "\"foo\":1,",
                                         "00",
                                         "\xef\xbb\xbf",
                                         "\\u0000"};
    for (unsigned times = 1 + random_below(3); times > 0 && line_bytes > 0; times--) {
        size_t at = random_below((unsigned)line_bytes), take = random_below(3);
        const char *piece = random_below(3) == 0 ? "" : pieces[random_below(sizeof pieces / sizeof *pieces)];
        if (take > line_bytes - at)
            take = line_bytes - at;
        if (random_below(6) == 0)
            line[at] ^= (char)(1 << random_below(8));
        memmove(line + at + strlen(piece), line + at + take, line_bytes - at - take + 1);
        memcpy(line + at, piece, strlen(piece));
        line_bytes += strlen(piece) - take;
    }
    if (random_below(10) == 0)
        line_bytes = random_below((unsigned)line_bytes + 1);
    line[line_bytes] = '\0';
}

/* ---- Agreement --------------------------------------------------------------------------------------------------- */

static bool compare(void)
{
    struct opinion other;
    struct scanned scanned = ingest_scan_bytes(line, line_bytes);
    opinion(line, line_bytes, &other);
    cr_assert_eq(scanned.is_good, other.rule == OPINION_NONE, "the scanner says %s, the opinion %s: %s",
                 scanned.is_good ? "good" : scanned.fault.reason, opinion_rule_name(other.rule), line);
    if (!scanned.is_good) {
        cr_assert(scanned.fault.byte >= 1 && scanned.fault.byte <= line_bytes + 1, "byte %zu: %s", scanned.fault.byte,
                  line);
        cr_assert_gt(strlen(scanned.fault.reason), 3);
    } else {
        cr_assert_eq(scanned.kind, other.kind, "%s", line);
        if (scanned.kind == SCAN_EVENT)
            cr_assert(opinion_same_event(&scanned.event, &other.event), "%s", line);
        if (scanned.kind == SCAN_ASSET)
            cr_assert(scanned.asset.id == other.asset.id && scanned.asset.scale == other.asset.scale &&
                          strcmp(scanned.asset.symbol, other.asset.symbol) == 0,
                      "%s", line);
    }
    ingest_scan_free(&scanned);
    return scanned.is_good;
}

static void run(uint64_t otherwise, unsigned lines, unsigned percent_mutated, unsigned percent_good_min)
{
    const char *given = getenv("SETTLE_TEST_SEED");
    state = given != NULL && *given != '\0' ? strtoull(given, NULL, 10) | 1 : otherwise;
    fprintf(stderr, "scan_property: seed %llu\n", (unsigned long long)state);
    unsigned good = 0;
    for (unsigned i = 0; i < lines; i++) {
        make_line();
        if (random_below(100) < percent_mutated)
            mutate();
        good += compare();
    }
    cr_assert_gt(good, lines / 100 * percent_good_min, "only %u of %u lines were good", good, lines);
    cr_assert_lt(good, lines, "none was malformed");
}

Test(scan_property, random_lines_mean_the_same_to_both)
{
    run(20240131, 60000, 0, 25);
}

Test(scan_property, changed_lines_mean_the_same_to_both)
{
    run(20240201, 120000, 90, 3);
}

/* Every line that is one byte away from a good one. */
Test(scan_property, lines_with_any_byte_changed_mean_the_same_to_both)
{
    static const char *const good[] = {
        "{\"type\":\"deposit\",\"user\":1001,\"asset\":\"USDT\",\"amount\":\"1000.50\",\"ts\":1733856600000}",
        ("{\"type\":\"trade\",\"trade_id\":\"t-1\",\"ts\":5,\"buyer\":\"7\",\"seller\":8,\"base\":\"BTC\",\"quote\":2,"
         "\"quantity\":\"0.50\",\"price\":\"50000.2\",\"seller_fee\":\"0\"}"),
        "{\"type\":\"asset\",\"asset\":\"A.9\",\"id\":12,\"scale\":6}",
    };
    for (size_t g = 0; g < sizeof good / sizeof *good; g++) {
        size_t bytes = strlen(good[g]);
        for (size_t at = 0; at < bytes; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                line_bytes = bytes;
                memcpy(line, good[g], bytes + 1);
                line[at] = (char)byte;
                compare();
            }
            line_bytes = at; /* cut off */
            memcpy(line, good[g], at);
            line[at] = '\0';
            compare();
        }
    }
}
