/*
 * test_digits.c — numbers, amounts, times and texts against snprintf and the C library's calendar, at every edge, and
 * that nothing is written farther than DIGITS_SLACK behind the end.
 */
#include "journal/base/digits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/scan_json.h"
#include "journal/base/clock.h"
#include "tests/lib/expect.h"
#include "tests/lib/stream.h"

SETTLE_SUITE(digits);

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SEED stream_seed(1807)
#define FENCE 0x7e
#define LAST_US UINT64_C(253402300799999999)

/* Room with a fence before and behind. */
struct place {
    char bytes[1024];
};
#define BEFORE 16

static char *place_at(struct place *place)
{
    memset(place->bytes, FENCE, sizeof place->bytes);
    return place->bytes + BEFORE;
}

static void expect_text(struct place *place, const char *end, const char *expected, const char *what)
{
    const char *at = place->bytes + BEFORE;
    size_t bytes = strlen(expected);
    cr_assert_eq((size_t)(end - at), bytes, "%s: \"%.*s\", expected \"%s\"", what, (int)(end - at), at, expected);
    cr_assert_eq(memcmp(at, expected, bytes), 0, "%s: \"%.*s\", expected \"%s\"", what, (int)bytes, at, expected);
    for (size_t i = 0; i < BEFORE; i++)
        cr_assert_eq(place->bytes[i], FENCE, "%s: written before its place", what);
    for (const char *behind = end + DIGITS_SLACK; behind < place->bytes + sizeof place->bytes; behind++)
        cr_assert_eq(*behind, FENCE, "%s: written %td bytes behind its end", what, behind - end);
}

/* Digit by digit, without any of the arithmetic under test. */
static const char *naive_u128(settle_uint128 value, char ret_text[64])
{
    char digits[64];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++)
        ret_text[i] = digits[count - 1 - i];
    ret_text[count] = '\0';
    return ret_text;
}

static const char *naive_amount(settle_int128 amount, unsigned scale, char ret_text[96])
{
    char digits[64], padded[96];
    settle_uint128 magnitude = amount < 0 ? -(settle_uint128)amount : (settle_uint128)amount;
    naive_u128(magnitude, digits);
    size_t count = strlen(digits), width = count > scale ? count : scale + 1u;
    memset(padded, '0', width);
    memcpy(padded + width - count, digits, count + 1);
    snprintf(ret_text, 96, "%s%.*s%s%s", amount < 0 ? "-" : "", (int)(width - scale), padded, scale > 0 ? "." : "",
             padded + width - scale);
    return ret_text;
}

/* ---- Integers ---------------------------------------------------------------------------------------------------- */

static void expect_u64(uint64_t value)
{
    struct place place;
    char expected[64];
    snprintf(expected, sizeof expected, "%" PRIu64, value);
    expect_text(&place, digits_u64(place_at(&place), value), expected, "u64");
    expect_text(&place, digits_u128(place_at(&place), value), expected, "u128");
    if (value < 100000000) {
        expect_text(&place, digits_short(place_at(&place), (uint32_t)value), expected, "short");
        snprintf(expected, sizeof expected, "%08" PRIu64, value);
        expect_text(&place, digits_fixed_8(place_at(&place), (uint32_t)value), expected, "fixed 8");
    }
}

Test(digits, every_number_of_up_to_five_digits)
{
    for (uint64_t value = 0; value < 100000; value++)
        expect_u64(value);
}

Test(digits, numbers_around_every_power_of_ten_and_of_two)
{
    for (unsigned power = 0; power < 20; power++)
        for (uint64_t around = 0; around < 5; around++)
            expect_u64(digits_powers_of_ten[power] + around - 2);
    for (unsigned bit = 0; bit < 64; bit++)
        for (uint64_t around = 0; around < 5; around++)
            expect_u64(((uint64_t)1 << bit) + around - 2);
    expect_u64(UINT64_MAX);
    cr_assert_eq(digits_powers_of_ten[19], UINT64_C(10000000000000000000));
}

Test(digits, random_numbers_of_every_length)
{
    struct stream stream;
    stream_init(&stream, SEED);
    for (int i = 0; i < 100000; i++)
        expect_u64(stream_random(&stream, UINT64_MAX) >> stream_random(&stream, 64));
}

Test(digits, numbers_of_128_bits)
{
    struct place place;
    char expected[64];
    struct stream stream;
    stream_init(&stream, SEED);
    for (unsigned bit = 0; bit < 128; bit++)
        for (int around = -1; around <= 1; around++) {
            settle_uint128 value = ((settle_uint128)1 << bit) + (settle_uint128)around;
            expect_text(&place, digits_u128(place_at(&place), value), naive_u128(value, expected), "u128");
        }
    settle_uint128 power = 1;
    for (unsigned i = 0; i < 39; i++, power *= 10) {
        expect_text(&place, digits_u128(place_at(&place), power - 1), naive_u128(power - 1, expected), "u128");
        expect_text(&place, digits_u128(place_at(&place), power), naive_u128(power, expected), "u128");
    }
    expect_text(&place, digits_u128(place_at(&place), ~(settle_uint128)0), "340282366920938463463374607431768211455",
                "max");
    for (int i = 0; i < 20000; i++) {
        settle_uint128 value = (settle_uint128)stream_random_amount(&stream, SETTLE_AMOUNT_MAX) * 2u + 1u;
        expect_text(&place, digits_u128(place_at(&place), value), naive_u128(value, expected), "u128");
    }
}

Test(digits, a_fixed_count_of_digits)
{
    struct place place;
    char expected[64];
    struct stream stream;
    stream_init(&stream, SEED);
    for (unsigned count = 1; count <= 19; count++) {
        for (int i = 0; i < 1000; i++) {
            uint64_t value = i < 2 ? (i == 0 ? 0 : digits_powers_of_ten[count] - 1)
                                   : stream_random(&stream, digits_powers_of_ten[count]) >> stream_random(&stream, 64);
            snprintf(expected, sizeof expected, "%0*" PRIu64, (int)count, value);
            expect_text(&place, digits_fixed(place_at(&place), value, count), expected, "fixed");
        }
    }
}

/* ---- Amounts and prices ------------------------------------------------------------------------------------------ */

static void expect_amount(settle_int128 amount, uint8_t scale)
{
    struct place place;
    char expected[96];
    naive_amount(amount, scale, expected);
    expect_text(&place, digits_amount(place_at(&place), amount, scale), expected, "amount");
    cr_assert_leq(strlen(expected), DIGITS_AMOUNT_BYTES);
    if (amount >= 0 && amount <= UINT64_MAX)
        expect_text(&place, digits_amount_short(place_at(&place), (uint64_t)amount, scale), expected, "short amount");
}

Test(digits, amounts_as_they_are_written)
{
    struct place place;
    expect_text(&place, digits_amount(place_at(&place), 1000500000, 6), "1000.500000", "amount");
    expect_text(&place, digits_amount(place_at(&place), -500000, 6), "-0.500000", "amount");
    expect_text(&place, digits_amount(place_at(&place), -7, 0), "-7", "amount");
    expect_text(&place, digits_amount(place_at(&place), 0, 18), "0.000000000000000000", "amount");
    expect_text(&place, digits_amount(place_at(&place), 1, 18), "0.000000000000000001", "amount");
    expect_text(&place, digits_amount(place_at(&place), SETTLE_AMOUNT_MAX, 0),
                "170141183460469231731687303715884105727", "amount");
    expect_text(&place, digits_amount(place_at(&place), -SETTLE_AMOUNT_MAX, 18),
                "-170141183460469231731.687303715884105727", "amount");
}

Test(digits, amounts_of_every_scale_at_every_edge)
{
    for (uint8_t scale = 0; scale <= SETTLE_SCALE_MAX; scale++) {
        settle_uint128 power = 1; /* 10^38 is the last below 2^127 */
        for (unsigned i = 0; i <= 38; i++, power *= 10)
            for (int around = -1; around <= 1; around++) {
                expect_amount((settle_int128)power + around, scale);
                expect_amount(-(settle_int128)power - around, scale);
            }
        for (unsigned bit = 60; bit < 68; bit++)
            for (int around = -1; around <= 1; around++)
                expect_amount(((settle_int128)1 << bit) + around, scale);
        expect_amount(-SETTLE_AMOUNT_MAX - 1, scale);
    }
}

Test(digits, random_amounts)
{
    struct stream stream;
    stream_init(&stream, SEED);
    for (int i = 0; i < 100000; i++) {
        settle_int128 amount = stream_random_amount(&stream, SETTLE_AMOUNT_MAX);
        uint8_t scale = (uint8_t)stream_random(&stream, SETTLE_SCALE_MAX + 1);
        expect_amount(stream_random(&stream, 2) == 0 ? amount : -amount, scale);
    }
}

Test(digits, prices_as_they_are)
{
    struct place place;
    settle_uint128 longest = 1;
    for (int i = 0; i < 38; i++)
        longest *= 10;
    expect_text(&place, digits_price(place_at(&place), (settle_price){15, 1}), "1.5", "price");
    expect_text(&place, digits_price(place_at(&place), (settle_price){50000, 0}), "50000", "price");
    expect_text(&place, digits_price(place_at(&place), (settle_price){1, 18}), "0.000000000000000001", "price");
    expect_text(&place, digits_price(place_at(&place), (settle_price){longest - 1, 18}),
                "99999999999999999999.999999999999999999", "price");
}

/* ---- Hexadecimal and time ---------------------------------------------------------------------------------------- */

Test(digits, hexadecimal_is_as_printf_has_it)
{
    struct place place;
    char expected[64];
    struct stream stream;
    stream_init(&stream, SEED);
    for (unsigned nibble = 0; nibble < 16; nibble++)
        for (unsigned shift = 0; shift < 64; shift += 4) {
            uint64_t value = (uint64_t)nibble << shift;
            snprintf(expected, sizeof expected, "%016" PRIx64, value);
            expect_text(&place, digits_hex_u64(place_at(&place), value), expected, "hex");
        }
    for (int i = 0; i < 10000; i++) {
        uint8_t bytes[16];
        for (size_t b = 0; b < sizeof bytes; b++) {
            bytes[b] = (uint8_t)stream_random(&stream, 256);
            snprintf(expected + 2 * b, 3, "%02x", bytes[b]);
        }
        expect_text(&place, digits_hex_16(place_at(&place), bytes), expected, "hex of 16 bytes");
    }
}

static void expect_time(uint64_t time_us, struct digits_clock *clock)
{
    struct place place;
    char second[32], expected[64];
    struct tm tm;
    uint64_t shown = time_us < LAST_US ? time_us : LAST_US;
    time_t seconds = (time_t)(shown / 1000000);
    cr_assert_not_null(gmtime_r(&seconds, &tm));
    strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(expected, sizeof expected, "%s.%06uZ", second, (unsigned)(shown % 1000000));
    cr_assert_eq(strlen(expected), DIGITS_TIME_BYTES);
    expect_text(&place, digits_time_us(place_at(&place), time_us, clock), expected, "time");

    char text[CLOCK_TEXT_BYTES];
    clock_format_us(time_us, text);
    cr_assert_str_eq(text, expected);
}

Test(digits, times_against_the_c_librarys_calendar)
{
    struct digits_clock clock = {0};
    const uint64_t edges[] = {0,
                              1,
                              999999,
                              1000000,
                              LAST_US,
                              LAST_US + 1,
                              UINT64_MAX,
                              UINT64_C(951782399999999),
                              UINT64_C(951868800000000),
                              UINT64_C(4107542400000000),
                              UINT64_C(1733856600000000)};
    for (size_t i = 0; i < COUNT(edges); i++) {
        struct digits_clock fresh = {0};
        expect_time(edges[i], &fresh);
        expect_time(edges[i], &clock);
    }
    struct stream stream;
    stream_init(&stream, SEED);
    for (int i = 0; i < 100000; i++) {
        uint64_t time_us = stream_random(&stream, LAST_US);
        expect_time(time_us, &clock);
        expect_time(time_us + stream_random(&stream, 3000000),
                    &clock); /* the same second, the next, or the one after */
    }
}

Test(digits, a_clock_that_was_set_goes_back_too)
{
    struct digits_clock clock = {0};
    const uint64_t noon = UINT64_C(1733832000000000);
    for (int step = 0; step < 10; step++) {
        expect_time(noon + (uint64_t)step * 400000, &clock);
        expect_time(noon - (uint64_t)step * 400000, &clock);
    }
    expect_time(0, &clock);
}

/* ---- JSON values ------------------------------------------------------------------------------------------------- */

Test(digits, integers_above_2_to_the_53_are_strings)
{
    struct place place;
    const uint64_t limit = (uint64_t)1 << 53;
    expect_text(&place, digits_json_u64(place_at(&place), 0), "0", "integer");
    expect_text(&place, digits_json_u64(place_at(&place), limit), "9007199254740992", "integer");
    expect_text(&place, digits_json_u64(place_at(&place), limit + 1), "\"9007199254740993\"", "integer");
    expect_text(&place, digits_json_u64(place_at(&place), UINT64_MAX), "\"18446744073709551615\"", "integer");
    expect_text(&place, digits_json_user(place_at(&place), 1001), "1001", "user");
    expect_text(&place, digits_json_user(place_at(&place), SETTLE_USER_MAX), "\"9223372036854775807\"", "user");
    expect_text(&place, digits_json_user(place_at(&place), SETTLE_USER_EXTERNAL), "\"external\"", "user");
    expect_text(&place, digits_json_user(place_at(&place), SETTLE_USER_FEES), "\"fees\"", "user");
    expect_text(&place, digits_json_user(place_at(&place), SETTLE_USER_MAX + 1), "\"9223372036854775808\"", "user");
}

static void expect_json(const char *text, size_t bytes, const char *expected)
{
    struct place place;
    char quoted[256];
    snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    expect_text(&place, digits_json_text(place_at(&place), text, bytes), quoted, "text");
    cr_assert_leq(strlen(quoted), DIGITS_TEXT_BYTES(bytes));
    bool is_plain = strlen(expected) == bytes && memcmp(expected, text, bytes) == 0;
    if (digits_json_is_plain(text, bytes))
        cr_assert(is_plain, "\"%s\" is told plain", quoted);
}

Test(digits, every_byte_alone_is_escaped_where_json_asks_for_it)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'}, expected[32];
        const char *middle = NULL;
        char other[8];
        switch (byte) {
        case '"': middle = "\\\""; break;
        case '\\': middle = "\\\\"; break;
        case '\n': middle = "\\n"; break;
        case '\r': middle = "\\r"; break;
        case '\t': middle = "\\t"; break;
        default:
            if (byte >= 0x80)
                middle = "\xef\xbf\xbd";
            else if (byte < 0x20 || byte == 0x7f)
                snprintf(other, sizeof other, "\\u%04x", byte), middle = other;
            else
                snprintf(other, sizeof other, "%c", (int)byte), middle = other;
        }
        snprintf(expected, sizeof expected, "a%sb", middle);
        expect_json(text, 3, expected);
        cr_assert_eq(digits_json_is_plain(text, 3), strlen(expected) == 3 && byte < 0x7f, "byte %02x", byte);
    }
}

Test(digits, utf_8_stays_and_what_is_none_becomes_u_fffd)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"deposit_1001_2_1733856600000", "deposit_1001_2_1733856600000"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x92\xb0", "\xf0\x9f\x92\xb0"},
        {"\xe0\xa0\x80", "\xe0\xa0\x80"}, /* the first that needs three bytes, and the first of four */
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"}, /* the last before the surrogates, and the first behind them */
        {"\xee\x80\x80", "\xee\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x80\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
        {"a\xff\"", "a\xef\xbf\xbd\\\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_json(cases[i].text, strlen(cases[i].text), cases[i].expected);
}

Test(digits, plain_is_told_at_every_length_and_place)
{
    for (size_t bytes = 0; bytes <= 80; bytes++) {
        char text[80];
        memset(text, 'x', sizeof text);
        cr_assert(digits_json_is_plain(text, bytes));
        for (size_t i = 0; i < bytes; i++) {
            text[i] = '\x1f';
            cr_assert_not(digits_json_is_plain(text, bytes), "%zu of %zu", i, bytes);
            text[i] = 'x';
        }
    }
}

Test(digits, a_literal_is_appended_without_its_terminator)
{
    struct place place;
    expect_text(&place, digits_literal(place_at(&place), "{\"a\":"), "{\"a\":", "literal");
}

/* The program's scanner sees none of the library's tables: it has the same powers again. */
Test(digits, the_scanners_powers_of_ten_are_the_same)
{
    cr_assert_eq(COUNT(json_powers_of_ten), 19);
    for (size_t i = 0; i < COUNT(json_powers_of_ten); i++)
        cr_assert_eq(json_powers_of_ten[i], digits_powers_of_ten[i], "10^%zu", i);
}
