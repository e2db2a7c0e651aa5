/*
 * digits.c — numbers, times and texts as bytes. Owns nothing; no locale, no floating point, no allocation.
 *
 * Invariants: nothing is written before `at`, nor more than DIGITS_SLACK bytes behind the end that is returned;
 * division of 128 bits happens only where a value does not fit 64.
 *
 * The digits of a word: Paul Khuong, "How to print integers really fast" (pvk.ca, 2017). The calendar is Howard
 * Hinnant's civil_from_days (howardhinnant.github.io/date_algorithms.html, public domain): days are counted from
 * 0000-03-01 in eras of 400 years, so that the leap day is the last of its year.
 */
#include "journal/base/digits.h"

#include <assert.h>

#define DIGITS_IN_64 19 /* 10^19 < 2^64 */
const uint64_t digits_powers_of_ten[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

/* ---- Integers ---------------------------------------------------------------------------------------------------- */

char *digits_fixed(char *at, uint64_t value, unsigned count)
{
    assert(count >= 1 && count <= DIGITS_IN_64);
    assert(value < digits_powers_of_ten[count]);
    char text[24];
    digits_fixed_8(text + 16, (uint32_t)(value % 100000000));
    digits_fixed_8(text + 8, (uint32_t)(value / 100000000 % 100000000));
    digits_fixed_8(text, (uint32_t)(value / 10000000000000000));
    memcpy(at, text + sizeof text - count, count);
    return at + count;
}

char *digits_u128(char *at, settle_uint128 value)
{
    if (value <= UINT64_MAX)
        return digits_u64(at, (uint64_t)value);
    const uint64_t unit = digits_powers_of_ten[DIGITS_IN_64];
    settle_uint128 high = value / unit; /* below 3.5 × 10^19: it may not fit 64 bits either */
    uint64_t low = (uint64_t)(value - high * unit);
    return digits_fixed(digits_u128(at, high), low, DIGITS_IN_64);
}

/* ---- Amounts and prices ------------------------------------------------------------------------------------------ */

static char *amount_wide(char *at, settle_uint128 magnitude, uint8_t scale)
{
    if (scale == 0)
        return digits_u128(at, magnitude);
    settle_uint128 whole = magnitude / digits_powers_of_ten[scale];
    at = digits_u128(at, whole);
    *at++ = '.';
    return digits_fixed(at, (uint64_t)(magnitude - whole * digits_powers_of_ten[scale]), scale);
}

char *digits_amount(char *at, settle_int128 amount, uint8_t scale)
{
    assert(scale <= SETTLE_SCALE_MAX);
    settle_uint128 magnitude = (settle_uint128)amount;
    if (amount < 0) {
        *at++ = '-';
        magnitude = -magnitude;
    }
    if (magnitude > UINT64_MAX)
        return amount_wide(at, magnitude, scale);
    return digits_amount_short(at, (uint64_t)magnitude, scale);
}

char *digits_price(char *at, settle_price price)
{
    assert(price.scale <= SETTLE_PRICE_DECIMALS_MAX);
    assert(price.mantissa <= (settle_uint128)SETTLE_AMOUNT_MAX);
    return digits_amount(at, (settle_int128)price.mantissa, (uint8_t)price.scale);
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static inline void put_two(char *at, uint32_t value)
{
    assert(value < 100);
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

void digits_clock_set(struct digits_clock *clock, uint64_t second)
{
    uint32_t second_of_day = (uint32_t)(second % 86400);
    uint32_t days = (uint32_t)(second / 86400) + 719468; /* from 0000-03-01 */
    uint32_t era = days / 146097;
    uint32_t day_of_era = days % 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint32_t year = year_of_era + era * 400 + (month <= 2);
    assert(day >= 1 && day <= 31 && month >= 1 && month <= 12);

    char *text = clock->text;
    memcpy(text, "0000-00-00T00:00:00.", sizeof clock->text);
    put_two(text, year / 100);
    put_two(text + 2, year % 100);
    put_two(text + 5, month);
    put_two(text + 8, day);
    put_two(text + 11, second_of_day / 3600);
    put_two(text + 14, second_of_day / 60 % 60);
    put_two(text + 17, second_of_day % 60);
    clock->second_next = second + 1;
}

/* ---- JSON values ------------------------------------------------------------------------------------------------- */

size_t digits_utf8_bytes(const uint8_t *at, size_t available)
{
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > available)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

static inline bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

bool digits_json_is_plain(const char *text, size_t count)
{
    unsigned all_plain = 1;
    for (size_t i = 0; i < count; i++)
        all_plain &= is_plain((uint8_t)text[i]);
    return all_plain != 0;
}

static char *escape(char *at, uint8_t byte)
{
    *at++ = '\\';
    switch (byte) {
    case '"':
    case '\\': *at++ = (char)byte; return at;
    case '\n': *at++ = 'n'; return at;
    case '\r': *at++ = 'r'; return at;
    case '\t': *at++ = 't'; return at;
    default: break;
    }
    at = digits_literal(at, "u00");
    *at++ = "0123456789abcdef"[byte >> 4];
    *at++ = "0123456789abcdef"[byte & 15];
    return at;
}

char *digits_json_text(char *at, const char *text, size_t count)
{
    assert(text != NULL || count == 0);
    const uint8_t *from = (const uint8_t *)text;
    *at++ = '"';
    for (size_t i = 0; i < count;) {
        size_t length = digits_utf8_bytes(from + i, count - i);
        if (length == 0) {
            at = digits_literal(at, "\xef\xbf\xbd");
            i++;
        } else if (length == 1 && !is_plain(from[i])) {
            at = escape(at, from[i++]);
        } else {
            memcpy(at, from + i, length);
            at += length;
            i += length;
        }
    }
    *at++ = '"';
    return at;
}
