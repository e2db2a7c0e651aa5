/*
 * scan_json.h — the JSON tokens of one line: white space, strings, unsigned integers.
 *
 * The fast paths are inline and eight bytes at a time: they decide the scanner's speed. What is rare (escapes, UTF-8)
 * and what fails lives in scan_json.c. A function takes the place of a token and returns the place behind it; NULL
 * means that the line is malformed and that `json->fault` says why. Nothing outside [line, end) is ever read.
 */
#ifndef INGEST_SCAN_JSON_H
#define INGEST_SCAN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "ingest/ingest.h"

struct json {
    const char *line; /* the first byte */
    const char *end;  /* behind the last */
    char *scratch;    /* where the next string with escapes goes; decoding never lengthens, so the rest always fits */
    struct scan_fault *fault;
};

/* Fills the fault with the place of `at` and a sentence; NULL, so that a caller can return it. */
const char *json_fault(const struct json *json, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The rest of a string whose first byte that is not plain is `stop`: decodes it into the scratch, or fails. */
const char *json_string_rest(struct json *json, const char *at, const char *stop, settle_text *ret_text);

/* Bytes of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong form, no surrogate, at most U+10FFFF); 0:
 * none. */
size_t json_utf8_bytes(const char *at, const char *end);

#define JSON_EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes of which the first is the lowest. */
static inline uint64_t json_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/*
 * The next token at or behind `at`; there must be one (scan.c sees to it). `likely` is what it mostly is, so that the
 * caller's test of it costs nothing. White space has no newline: that cannot be in a line.
 */
static inline const char *json_token(const char *at, char likely)
{
    if (__builtin_expect(*at == likely, 1))
        return at;
    while ((unsigned char)*at <= ' ' && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/*
 * A mask with bits for the bytes at `at` that are not plain text inside a string: quote, backslash, control character,
 * not ASCII. Its lowest set bit, over JSON_BITS_A_BYTE, is the index of the first such byte.
 */
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#define JSON_STEP 16
#define JSON_BITS_A_BYTE 1
static inline uint64_t json_special(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i_u *)at);
    __m128i special = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: what is not ASCII is negative */
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(special);
}
#else
#define JSON_STEP 8
#define JSON_BITS_A_BYTE 8
static inline uint64_t json_special(const char *at)
{
    /* In each of the three the lowest bit is exact: a borrow makes wrong ones only above a right one. The flips leave
     * the high bits alone, so that one ~word serves for all. */
    uint64_t word = json_word(at);
    uint64_t quote = word ^ JSON_EACH_BYTE('"'), backslash = word ^ JSON_EACH_BYTE('\\');
    uint64_t special = (quote - JSON_EACH_BYTE(1)) | (backslash - JSON_EACH_BYTE(1)) | (word - JSON_EACH_BYTE(0x20));
    return ((special & ~word) | word) & JSON_EACH_BYTE(0x80);
}
#endif

/* To the first byte that is not plain, or the end. */
static inline const char *json_plain(const char *line, const char *at, const char *end)
{
    for (; end - at >= JSON_STEP; at += JSON_STEP) {
        uint64_t special = json_special(at);
        if (special != 0)
            return at + __builtin_ctzll(special) / JSON_BITS_A_BYTE;
    }
    if (at < end && end - line >= JSON_STEP) { /* the last step overlaps what was seen, and shifts it out */
        uint64_t special = json_special(end - JSON_STEP) >> (JSON_STEP - (end - at)) * JSON_BITS_A_BYTE;
        return special != 0 ? at + __builtin_ctzll(special) / JSON_BITS_A_BYTE : end;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80)
        at++;
    return at;
}

/* A string; `at` is its opening quote. The text is decoded and borrows the line or the scratch. */
static inline const char *json_string(struct json *json, const char *at, const char *end, settle_text *ret_text)
{
    const char *stop = json_plain(json->line, at + 1, end);
    if (__builtin_expect(stop == end || *stop != '"', 0)) {
        settle_text rest = {NULL, 0}; /* a copy: what a call is given the address of cannot stay in a register */
        const char *next = json_string_rest(json, at, stop, &rest);
        *ret_text = rest;
        return next;
    }
    ret_text->data = at + 1;
    ret_text->bytes = (size_t)(stop - at) - 1;
    return stop + 1;
}

/* The number of eight digits, each 0 … 9, the first in the lowest byte. */
static inline uint64_t json_eight_digits(uint64_t digits)
{
    digits = (digits * (1 + (10 << 8)) >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * (1 + (100 << 16)) >> 16) & UINT64_C(0x0000ffff0000ffff);
    return digits * (1 + (UINT64_C(10000) << 32)) >> 32;
}

/* The library's own table is behind its public headers. */
static const uint64_t json_powers_of_ten[19] = {
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
};

/* Behind the digits at `at` (`at` itself: there are none). *ret_value is UINT64_MAX when they are more than 19. */
static inline const char *json_digits(const char *at, const char *end, uint64_t *ret_value)
{
    const char *first = at;
    uint64_t value = 0;
    while (end - at >= 8) {
        uint64_t digits = json_word(at) ^ JSON_EACH_BYTE('0');
        uint64_t other = ((digits + JSON_EACH_BYTE(0x76)) | digits) & JSON_EACH_BYTE(0x80);
        if (other != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(other);       /* 8 × count + 7 */
            digits = json_eight_digits(digits << (70 - bit) << 1); /* the other bytes out, zeros in front */
            value = at == first ? digits : value * json_powers_of_ten[bit >> 3] + digits;
            at += bit >> 3;
            *ret_value = __builtin_expect(at - first > 19, 0) ? UINT64_MAX : value;
            return at;
        }
        value = value * 100000000 + json_eight_digits(digits);
        at += 8;
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *ret_value = at - first > 19 ? UINT64_MAX : value;
    return at;
}

#endif
