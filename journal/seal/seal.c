/*
 * seal.c — see seal.h. A seal has one spelling: what was read is written again and compared, so that neither a number
 * with a zero before it nor another base64 of the same bytes is ever accepted.
 */
#include "journal/seal/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "journal/base/clock.h"

#define EM_DASH "\xe2\x80\x94"
#define KEY_ID_BYTES 4
#define SIGNATURE_RAW_BYTES (KEY_ID_BYTES + KEY_SIGNATURE_BYTES)
#define SIGNATURE_TEXT_BYTES ((SIGNATURE_RAW_BYTES + 2) / 3 * 4)
#define SIGNATURES_MAX 16

void seal_origin(const uint8_t journal_id[16], char ret_origin[SEAL_ORIGIN_BYTES + 1])
{
    char *at = ret_origin + sprintf(ret_origin, "settle/");
    for (size_t i = 0; i < 16; i++)
        at += sprintf(at, "%02x", journal_id[i]);
}

void seal_digest_text(const struct digest *digest, char ret_text[SEAL_DIGEST_TEXT_BYTES])
{
    int count = EVP_EncodeBlock((unsigned char *)ret_text, digest->bytes, DIGEST_BYTES);
    assert(count == SEAL_DIGEST_TEXT_BYTES - 1);
}

static void key_id_of(const char *name, const struct seal_key *key, uint8_t ret_id[KEY_ID_BYTES])
{
    const struct digest_part parts[] = {{name, strlen(name)}, {"\n\1", 2}, {key->public_bytes, KEY_PUBLIC_BYTES}};
    const struct digest digest = digest_of(parts, 3);
    memcpy(ret_id, digest.bytes, KEY_ID_BYTES);
}

void seal_verifier(const uint8_t journal_id[16], const struct seal_key *key, char ret_text[SEAL_VERIFIER_BYTES])
{
    char name[SEAL_ORIGIN_BYTES + 1], data[45];
    uint8_t id[KEY_ID_BYTES], raw[1 + KEY_PUBLIC_BYTES] = {1};
    seal_origin(journal_id, name);
    key_id_of(name, key, id);
    memcpy(raw + 1, key->public_bytes, KEY_PUBLIC_BYTES);
    (void)EVP_EncodeBlock((unsigned char *)data, raw, sizeof raw);
    snprintf(ret_text, SEAL_VERIFIER_BYTES, "%s+%02x%02x%02x%02x+%s", name, id[0], id[1], id[2], id[3], data);
}

/* What is signed: the lines before the blank one. Returns its length. */
static size_t body_encode(const struct seal *seal, char ret_text[SEAL_TEXT_BYTES_MAX + 1])
{
    char origin[SEAL_ORIGIN_BYTES + 1], root[SEAL_DIGEST_TEXT_BYTES], frames[SEAL_DIGEST_TEXT_BYTES],
        assets[SEAL_DIGEST_TEXT_BYTES], previous[SEAL_DIGEST_TEXT_BYTES] = "-", time[CLOCK_TEXT_BYTES];
    seal_origin(seal->journal_id, origin);
    seal_digest_text(&seal->root, root);
    seal_digest_text(&seal->frames, frames);
    seal_digest_text(&seal->assets, assets);
    if (seal->has_previous)
        seal_digest_text(&seal->previous, previous);
    clock_format_us(seal->time_us, time);
    int bytes = snprintf(ret_text, SEAL_TEXT_BYTES_MAX + 1,
                         "%s\n%" PRIu64 "\n%s\nposition %" PRIu64 "\nframes %s\ntime %s\nassets %s\nprevious %s\n",
                         origin, seal->size, root, seal->position, frames, time, assets, previous);
    assert(bytes > 0 && bytes < SEAL_TEXT_BYTES_MAX);
    return (size_t)bytes;
}

settle_status seal_sign(const struct seal *seal, const struct seal_key *key, struct sealed *ret_sealed,
                        settle_error *error)
{
    struct sealed sealed = {.seal = *seal};
    char name[SEAL_ORIGIN_BYTES + 1], signature[SIGNATURE_TEXT_BYTES + 1];
    uint8_t raw[SIGNATURE_RAW_BYTES];
    size_t body = body_encode(seal, sealed.text);
    seal_origin(seal->journal_id, name);
    key_id_of(name, key, raw);
    if (!key_sign(key, sealed.text, body, raw + KEY_ID_BYTES))
        return fail(error, SETTLE_E_NO_MEMORY, "OpenSSL could not sign");
    (void)EVP_EncodeBlock((unsigned char *)signature, raw, sizeof raw);
    int rest = snprintf(sealed.text + body, sizeof sealed.text - body, "\n" EM_DASH " %s %s\n", name, signature);
    assert(rest > 0 && body + (size_t)rest <= SEAL_TEXT_BYTES_MAX);
    sealed.bytes = body + (size_t)rest;
    *ret_sealed = sealed;
    return SETTLE_OK;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* A place in the text; `good` falls once and for all where something is not as it must be. */
struct cursor {
    const char *at, *end;
    bool good;
};

static void take_literal(struct cursor *cursor, const char *literal)
{
    size_t count = strlen(literal);
    cursor->good =
        cursor->good && (size_t)(cursor->end - cursor->at) >= count && memcmp(cursor->at, literal, count) == 0;
    if (cursor->good)
        cursor->at += count;
}

static uint64_t take_number(struct cursor *cursor, size_t digits_max)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; cursor->good && cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, digits++)
        cursor->good = digits < digits_max && !__builtin_mul_overflow(value, 10, &value) &&
                       !__builtin_add_overflow(value, (uint64_t)(*cursor->at - '0'), &value);
    cursor->good = cursor->good && digits > 0;
    return value;
}

/* Unpadded bits and the like are found when the text is written again. */
static struct digest take_digest(struct cursor *cursor)
{
    struct digest digest = {{0}};
    unsigned char raw[36];
    cursor->good = cursor->good && cursor->end - cursor->at >= SEAL_DIGEST_TEXT_BYTES - 1 &&
                   EVP_DecodeBlock(raw, (const unsigned char *)cursor->at, SEAL_DIGEST_TEXT_BYTES - 1) == 33;
    if (cursor->good) {
        memcpy(digest.bytes, raw, DIGEST_BYTES);
        cursor->at += SEAL_DIGEST_TEXT_BYTES - 1;
    }
    return digest;
}

static void take_journal_id(struct cursor *cursor, uint8_t ret_id[16])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < 32 && cursor->good; i++) {
        const char *digit = cursor->at < cursor->end ? memchr(hex, *cursor->at, 16) : NULL;
        cursor->good = digit != NULL;
        if (digit != NULL)
            ret_id[i / 2] = (uint8_t)(ret_id[i / 2] << 4 | (digit - hex));
        cursor->at += cursor->good;
    }
}

/* RFC 3339 with six decimals and Z, as clock_format_us() writes it. */
static uint64_t take_time(struct cursor *cursor)
{
    uint64_t year = take_number(cursor, 4);
    take_literal(cursor, "-");
    uint64_t month = take_number(cursor, 2);
    take_literal(cursor, "-");
    uint64_t day = take_number(cursor, 2);
    take_literal(cursor, "T");
    uint64_t hour = take_number(cursor, 2);
    take_literal(cursor, ":");
    uint64_t minute = take_number(cursor, 2);
    take_literal(cursor, ":");
    uint64_t second = take_number(cursor, 2);
    take_literal(cursor, ".");
    uint64_t micros = take_number(cursor, 6);
    take_literal(cursor, "Z");
    cursor->good = cursor->good && year >= 1970 && month >= 1 && month <= 12;
    if (!cursor->good)
        return 0;
    /* Days before the year that begins in March, where a leap day is the last of a year. */
    uint64_t shifted = month > 2 ? year : year - 1, since_march = (month + 9) % 12;
    uint64_t days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * since_march + 2) / 5 + day - 1;
    return ((((days - 719468) * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micros;
}

static void take_body(struct cursor *cursor, struct seal *seal)
{
    take_literal(cursor, "settle/");
    take_journal_id(cursor, seal->journal_id);
    take_literal(cursor, "\n");
    seal->size = take_number(cursor, 20);
    take_literal(cursor, "\n");
    seal->root = take_digest(cursor);
    take_literal(cursor, "\nposition ");
    seal->position = take_number(cursor, 20);
    take_literal(cursor, "\nframes ");
    seal->frames = take_digest(cursor);
    take_literal(cursor, "\ntime ");
    seal->time_us = take_time(cursor);
    take_literal(cursor, "\nassets ");
    seal->assets = take_digest(cursor);
    take_literal(cursor, "\nprevious ");
    seal->has_previous = cursor->at < cursor->end && *cursor->at != '-';
    if (seal->has_previous)
        seal->previous = take_digest(cursor);
    else
        take_literal(cursor, "-");
    take_literal(cursor, "\n");
}

/* "— NAME BASE64\n" once or more; which keys they are of is not asked. */
static void take_signatures(struct cursor *cursor)
{
    size_t count = 0;
    do {
        take_literal(cursor, EM_DASH " ");
        const char *newline = cursor->good ? memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at)) : NULL;
        const char *space = newline != NULL ? memchr(cursor->at, ' ', (size_t)(newline - cursor->at)) : NULL;
        cursor->good = space != NULL && space > cursor->at && space + 1 < newline && ++count <= SIGNATURES_MAX;
        if (cursor->good)
            cursor->at = newline + 1;
    } while (cursor->good && cursor->at < cursor->end);
}

settle_status seal_decode(const char *text, size_t bytes, const char *file, struct sealed *ret_sealed,
                          settle_error *error)
{
    struct sealed sealed = {.bytes = bytes};
    struct cursor cursor = {text, text + bytes, bytes <= SEAL_TEXT_BYTES_MAX && memchr(text, 0, bytes) == NULL};
    char body[SEAL_TEXT_BYTES_MAX + 1];
    take_body(&cursor, &sealed.seal);
    if (cursor.good && sealed.seal.size < (uint64_t)1 << 63) {
        size_t count = body_encode(&sealed.seal, body);
        cursor.good = count == (size_t)(cursor.at - text) && memcmp(body, text, count) == 0;
    } else {
        cursor.good = false;
    }
    take_literal(&cursor, "\n");
    take_signatures(&cursor);
    if (!cursor.good)
        return fail_at(error, SETTLE_E_MALFORMED, file, (uint64_t)(cursor.at - text), 0,
                       "not a seal: byte %zu is not what docs/seals.md asks for", (size_t)(cursor.at - text));
    memcpy(sealed.text, text, bytes);
    *ret_sealed = sealed;
    return SETTLE_OK;
}

/* Whether the base64 at `at` is the one spelling of a key id and a signature. */
static bool signature_decode(const char *at, size_t count, uint8_t ret_raw[SIGNATURE_RAW_BYTES])
{
    unsigned char raw[SIGNATURE_TEXT_BYTES / 4 * 3];
    char again[SIGNATURE_TEXT_BYTES + 1];
    if (count != SIGNATURE_TEXT_BYTES || EVP_DecodeBlock(raw, (const unsigned char *)at, (int)count) < 0)
        return false;
    (void)EVP_EncodeBlock((unsigned char *)again, raw, SIGNATURE_RAW_BYTES);
    memcpy(ret_raw, raw, SIGNATURE_RAW_BYTES);
    return memcmp(again, at, count) == 0;
}

bool seal_is_signed_by(const struct sealed *sealed, const struct seal_key *key)
{
    char name[SEAL_ORIGIN_BYTES + 1], body[SEAL_TEXT_BYTES_MAX + 1];
    uint8_t id[KEY_ID_BYTES], raw[SIGNATURE_RAW_BYTES];
    size_t body_bytes = body_encode(&sealed->seal, body);
    bool is_signed = false;
    seal_origin(sealed->seal.journal_id, name);
    key_id_of(name, key, id);
    const char *line = sealed->text + body_bytes + 1, *end = sealed->text + sealed->bytes;
    while (line < end) {
        const char *at = line + sizeof(EM_DASH " ") - 1, *newline = memchr(line, '\n', (size_t)(end - line));
        const char *space = memchr(at, ' ', (size_t)(newline - at));
        line = newline + 1;
        if ((size_t)(space - at) != strlen(name) || memcmp(at, name, strlen(name)) != 0 ||
            !signature_decode(space + 1, (size_t)(newline - space) - 1, raw) || memcmp(raw, id, KEY_ID_BYTES) != 0)
            continue;
        if (!key_verify(key, sealed->text, body_bytes, raw + KEY_ID_BYTES))
            return false; /* it claims to be of this key and is not: signed notes are refused then */
        is_signed = true;
    }
    return is_signed;
}

bool seal_equal(const struct seal *a, const struct seal *b)
{
    return memcmp(a->journal_id, b->journal_id, 16) == 0 && a->size == b->size && digest_equal(&a->root, &b->root) &&
           a->position == b->position && digest_equal(&a->frames, &b->frames) && a->time_us == b->time_us &&
           digest_equal(&a->assets, &b->assets);
}

struct digest seal_text_hash(const struct sealed *sealed)
{
    const struct digest_part text = {sealed->text, sealed->bytes};
    return digest_of(&text, 1);
}
