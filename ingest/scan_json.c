/*
 * scan_json.c — the rare half of the scanner's JSON (RFC 8259): strings with escapes or other than ASCII, and faults.
 *
 * Decoded text goes to the scratch. It never gets longer than what it was written as (an escape of 2 bytes gives 1, of
 * 6 at most 3, a pair of 12 gives 4), so a scratch as long as the longest line holds every string of a line.
 */
#include "ingest/scan_json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const char *json_fault(const struct json *json, const char *at, const char *format, ...)
{
    assert(at >= json->line);
    assert(at <= json->end);
    json->fault->byte = (size_t)(at - json->line) + 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(json->fault->reason, sizeof json->fault->reason, format, arguments);
    va_end(arguments);
    return NULL;
}

size_t json_utf8_bytes(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    size_t bytes = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (bytes == 0 || (size_t)(end - at) < bytes)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 0;
    if (bytes < 3)
        return bytes;
    unsigned char second = (unsigned char)at[1];
    bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    bool outside = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
    return overlong || outside ? 0 : bytes;
}

/* The four hexadecimal digits at `at`, or -1. */
static int32_t hex_unit(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static char *put_utf8(char *to, uint32_t code)
{
    assert(code <= 0x10ffff);
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* \uXXXX, or the pair of them that a code point above U+FFFF takes; `at` is the backslash. */
static const char *unicode_escape(const struct json *json, const char *at, char **to)
{
    int32_t unit = hex_unit(at + 2, json->end);
    if (unit < 0)
        return json_fault(json, at, "\\u is not followed by four hexadecimal digits");
    if (unit < 0xd800 || unit > 0xdfff) {
        *to = put_utf8(*to, (uint32_t)unit);
        return at + 6;
    }
    int32_t low = -1;
    if (unit < 0xdc00 && json->end - at >= 12 && at[6] == '\\' && at[7] == 'u')
        low = hex_unit(at + 8, json->end);
    if (low < 0xdc00 || low > 0xdfff)
        return json_fault(json, at, "\\u escape of half a surrogate pair");
    *to = put_utf8(*to, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
    return at + 12;
}

static const char *escape(const struct json *json, const char *at, char **to)
{
    if (json->end - at < 2)
        return json_fault(json, json->end, "the line ends inside a string");
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found = at[1] == '\0' ? NULL : strchr(written, at[1]);
    if (found != NULL) {
        *(*to)++ = meant[found - written];
        return at + 2;
    }
    if (at[1] != 'u')
        return json_fault(json, at, "unknown escape in a string");
    return unicode_escape(json, at, to);
}

/* Copies one character that is neither quote, escape nor plain: UTF-8, or else a fault. */
static const char *other_character(const struct json *json, const char *at, char **to)
{
    if ((unsigned char)*at < 0x20)
        return json_fault(json, at, "control character 0x%02x in a string", (unsigned)*at);
    size_t bytes = json_utf8_bytes(at, json->end);
    if (bytes == 0)
        return json_fault(json, at, "invalid UTF-8 in a string");
    memcpy(*to, at, bytes);
    *to += bytes;
    return at + bytes;
}

const char *json_string_rest(struct json *json, const char *at, const char *stop, settle_text *ret_text)
{
    assert(*at == '"');
    assert(stop > at);
    const char *from = at + 1;
    char *to = json->scratch;
    for (;;) {
        memcpy(to, from, (size_t)(stop - from));
        to += stop - from;
        if (stop == json->end)
            return json_fault(json, stop, "the line ends inside a string");
        if (*stop == '"')
            break;
        from = *stop == '\\' ? escape(json, stop, &to) : other_character(json, stop, &to);
        if (from == NULL)
            return NULL;
        stop = json_plain(json->line, from, json->end);
    }
    ret_text->data = json->scratch;
    ret_text->bytes = (size_t)(to - json->scratch);
    json->scratch = to;
    return stop + 1;
}
