/*
 * digits.h — text at a pointer: each appender writes at `at` and returns the byte behind what it wrote. No terminator.
 *
 * For the lines, of which a journal has millions a second: eight digits are made in one 64-bit word, so that an
 * appender may write up to DIGITS_SLACK bytes behind the end it returns. The caller leaves that much room.
 */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include <stdbool.h>
#include <string.h>

#include "journal/base/bytes.h"

#define DIGITS_SLACK 16

#define DIGITS_U64_BYTES 20
#define DIGITS_U128_BYTES 39
#define DIGITS_AMOUNT_BYTES 41 /* a sign, 39 digits, a point; "0." and 18 decimals are shorter */
#define DIGITS_TIME_BYTES 27
/* A byte takes at most six: \u001f. And the two quotes. */
#define DIGITS_TEXT_BYTES(count) (6 * (count) + 2)

/* Integers above this are JSON strings: a reader that holds numbers as doubles would change them. */
#define DIGITS_INTEGER_MAX ((uint64_t)1 << 53)

extern const uint64_t digits_powers_of_ten[20];

/* A literal; its size is known to the compiler, which writes it in a few moves. */
#define digits_literal(at, literal) ((char *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* ---- Integers ---------------------------------------------------------------------------------------------------- */

/*
 * The eight decimal digits of a value below 10^8, the first in the lowest byte, as numbers. Halves it three times, all
 * parts of a step at once in one word; the products with 10486 and 103 are exact divisions by 100 and 10 in their
 * range.
 */
static inline uint64_t digits_eight(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds + ((fours - 100 * hundreds) << 16);
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens + ((twos - 10 * tens) << 8);
}

#define DIGITS_ZEROS UINT64_C(0x3030303030303030)

static inline void digits_put_word(char *at, uint64_t word)
{
    put_u64((uint8_t *)at, word);
}

/* All eight, zeros included. */
static inline char *digits_fixed_8(char *at, uint32_t value)
{
    digits_put_word(at, digits_eight(value) | DIGITS_ZEROS);
    return at + 8;
}

/* Below 10^8, without leading zeros. */
static inline char *digits_short(char *at, uint32_t value)
{
    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    uint64_t word = digits_eight(value);
    unsigned zeros = (unsigned)__builtin_ctzll(word | (uint64_t)1 << 56) / 8; /* at most seven: the last digit stays */
    digits_put_word(at, (word | DIGITS_ZEROS) >> (8 * zeros));
    return at + 8 - zeros;
}

static inline char *digits_u64(char *at, uint64_t value)
{
    if (value < 100000000)
        return digits_short(at, (uint32_t)value);
    uint64_t high = value / 100000000;
    uint32_t low = (uint32_t)(value % 100000000);
    if (high < 100000000)
        return digits_fixed_8(digits_short(at, (uint32_t)high), low);
    at = digits_short(at, (uint32_t)(high / 100000000));
    return digits_fixed_8(digits_fixed_8(at, (uint32_t)(high % 100000000)), low);
}

/* The last `count` decimal digits of a value below 10^count, 1 … 19, zeros included. */
char *digits_fixed(char *at, uint64_t value, unsigned count);
char *digits_u128(char *at, settle_uint128 value);

/* ---- Amounts and prices ------------------------------------------------------------------------------------------ */

/* Minor units with all `scale` decimals: 1000.500000, -0.500000. */
char *digits_amount(char *at, settle_int128 amount, uint8_t scale);
/* What stands before the point. The usual scales are divided by a constant, which is a multiplication. */
static inline uint64_t digits_whole(uint64_t amount, uint8_t scale)
{
    switch (scale) {
    case 2: return amount / 100;
    case 6: return amount / 1000000;
    case 8: return amount / 100000000;
    default: return amount / digits_powers_of_ten[scale];
    }
}
/* The same where it is not negative and fits 64 bits. */
static inline char *digits_amount_short(char *at, uint64_t amount, uint8_t scale)
{
    if (scale == 0)
        return digits_u64(at, amount);
    uint64_t whole = digits_whole(amount, scale), rest = amount - whole * digits_powers_of_ten[scale];
    at = digits_u64(at, whole);
    *at++ = '.';
    if (scale > 8)
        return digits_fixed(at, rest, scale);
    (void)digits_fixed_8(at, (uint32_t)(rest * digits_powers_of_ten[8 - scale]));
    return at + scale;
}
/* As it stands: shortest, since a price is. */
char *digits_price(char *at, settle_price price);

/* ---- Hexadecimal ------------------------------------------------------------------------------------------------- */

/* Sixteen digits at once: on a machine with vectors the compiler has one instruction for each step. */
typedef uint8_t digits_vector __attribute__((vector_size(16)));

static inline digits_vector digits_hex_of(digits_vector nibbles)
{
    return nibbles + '0' + ((digits_vector)(nibbles > 9) & ('a' - '9' - 1));
}
/* 32 */
static inline char *digits_hex_16(char *at, const uint8_t bytes[16])
{
    digits_vector all;
    memcpy(&all, bytes, sizeof all);
    const digits_vector high = digits_hex_of(all >> 4), low = digits_hex_of(all & 15);
    const digits_vector digits[] = {
        __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
        __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
    };
    return (char *)memcpy(at, digits, sizeof digits) + sizeof digits;
}
/* 16 */
static inline char *digits_hex_u64(char *at, uint64_t value)
{
    uint8_t bytes[16] = {0};
    char digits[32];
    put_be64(bytes, value);
    (void)digits_hex_16(digits, bytes);
    return (char *)memcpy(at, digits, 16) + 16;
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

/* 9999-12-31T23:59:59.999999Z: the text has no room for a fifth digit. */
#define DIGITS_TIME_LAST_US UINT64_C(253402300799999999)

/* The time formatted last: records of a batch share it, and its second serves the next ones. Zeros are a fresh one. */
struct digits_clock {
    uint64_t time_next;   /* + 1; 0: nothing is there */
    uint64_t second_next; /* the same of its second */
    uint64_t micros;      /* six digits and two zeros, as a word: read as it was written, it is there at once */
    char text[20];        /* "2024-12-10T18:50:00." */
};
void digits_clock_set(struct digits_clock *clock, uint64_t second);

/* "2024-12-10T18:50:00.000000Z", RFC 3339, UTC; proleptic Gregorian, years 1970–9999; later times are shown as the
 * last. */
static inline char *digits_time_us(char *at, uint64_t time_us, struct digits_clock *clock)
{
    if (time_us > DIGITS_TIME_LAST_US)
        time_us = DIGITS_TIME_LAST_US;
    if (time_us + 1 != clock->time_next) {
        uint64_t second = time_us / 1000000;
        if (second + 1 != clock->second_next)
            digits_clock_set(clock, second);
        clock->micros = digits_eight((uint32_t)(time_us - second * 1000000) * 100) | DIGITS_ZEROS;
        clock->time_next = time_us + 1;
    }
    memcpy(at, clock->text, sizeof clock->text);
    digits_put_word(at + sizeof clock->text, clock->micros);
    at[DIGITS_TIME_BYTES - 1] = 'Z';
    return at + DIGITS_TIME_BYTES;
}

/* ---- JSON values ------------------------------------------------------------------------------------------------- */

/* A number, above 2^53 a string. */
static inline char *digits_json_u64(char *at, uint64_t value)
{
    if (value <= DIGITS_INTEGER_MAX)
        return digits_u64(at, value);
    *at++ = '"';
    at = digits_u64(at, value);
    *at++ = '"';
    return at;
}
/* The same, or "external", "fees". */
static inline char *digits_json_user(char *at, uint64_t user)
{
    if (user <= SETTLE_USER_MAX)
        return digits_json_u64(at, user);
    if (user == SETTLE_USER_EXTERNAL)
        return digits_literal(at, "\"external\"");
    return user == SETTLE_USER_FEES ? digits_literal(at, "\"fees\"") : digits_json_u64(at, user);
}
/* How many of the bytes at `at` are one well-formed UTF-8 sequence (RFC 3629); 0: none. */
size_t digits_utf8_bytes(const uint8_t *at, size_t available);
/* Quoted; what is not UTF-8 becomes U+FFFD. */
char *digits_json_text(char *at, const char *text, size_t count);
/* Whether digits_json_text() changes nothing of it. */
bool digits_json_is_plain(const char *text, size_t count);

#endif
