/*
 * store_block.c — the bytes of a block of event ids. A number is the offset of the field's first byte; the value is
 * little-endian, what is a key's is big-endian as there (store_format.c).
 *
 *   natural_ids  key   00 0x01 · 01 ts_ms u64 · 09 type u8 · 10 user u64 · 18 asset u32; the first block's: zeros from 01 on  (22)
 *   text_ids     key   00 0x02 · 01 the id's 1–64 bytes; the first block's: nothing                             (1–65)
 *   both         value 00 ids u16 · 02 bytes they take u16 · 04 zero u32 · 08 the ids · zeros · 1956 crc u32    (1960)
 *
 *   an id of natural_ids  00 its key from 01 on · 21 position u64                                               (29)
 *   an id of text_ids     00 length u8 · 01 the id · position u64                                               (10–73)
 *
 * Two blocks with keys of any length fill a page of 4096 bytes (LMDB's header 16, and for each 8 and 2), and neither is so
 * long that LMDB would give it a page of its own.
 */
#include "engine/store_block.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"

enum {
    KEY_NATURAL = 0x01,
    KEY_TEXT = 0x02,
    BLOCK_COUNT = 0,
    BLOCK_USED = 2,
    BLOCK_ZERO = 4,
    BLOCK_IDS = 8,
    BLOCK_CAPACITY = STORE_BLOCK_BYTES - BLOCK_IDS - STORE_CRC_BYTES,
    NATURAL_TAIL_BYTES = STORE_NATURAL_KEY_BYTES - 1,
    NATURAL_ID_BYTES = NATURAL_TAIL_BYTES + 8,
    TEXT_ID_BYTES = 1 + 8, /* and the text */
};

_Static_assert(2 * (8 + 2 + STORE_ID_KEY_BYTES_MAX + 1 + STORE_BLOCK_BYTES) + 16 <= 4096, "two blocks fit a page");
_Static_assert(BLOCK_CAPACITY >= 2 * (TEXT_ID_BYTES + SETTLE_EVENT_ID_BYTES_MAX), "any two ids fit a block");

size_t store_block_least_key(enum store_table table, uint8_t ret_key[STORE_ID_KEY_BYTES_MAX])
{
    assert(table == STORE_NATURAL_IDS || table == STORE_TEXT_IDS);
    if (table == STORE_TEXT_IDS) {
        ret_key[0] = KEY_TEXT;
        return 1;
    }
    memset(ret_key, 0, STORE_NATURAL_KEY_BYTES);
    ret_key[0] = KEY_NATURAL;
    return STORE_NATURAL_KEY_BYTES;
}

size_t store_block_id_bytes(enum store_table table, size_t tail_bytes)
{
    return table == STORE_NATURAL_IDS ? NATURAL_ID_BYTES : TEXT_ID_BYTES + tail_bytes;
}

size_t store_block_capacity(void)
{
    return BLOCK_CAPACITY;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------- */

const char *store_block_begin(struct store_bytes key, struct store_bytes value, struct store_block_cursor *ret_cursor)
{
    const uint8_t *v = value.at;
    if (key.count == 0 || value.count != STORE_BLOCK_BYTES)
        return "a block of event ids has the wrong length";
    const bool is_natural = *(const uint8_t *)key.at == KEY_NATURAL;
    const size_t used = get_u16(v + BLOCK_USED);
    if (used > BLOCK_CAPACITY || (is_natural && used != (size_t)get_u16(v + BLOCK_COUNT) * NATURAL_ID_BYTES))
        return "a block of event ids has an impossible count";
    *ret_cursor =
        (struct store_block_cursor){v + BLOCK_IDS, v + BLOCK_IDS + used, get_u16(v + BLOCK_COUNT), is_natural};
    return NULL;
}

size_t store_block_used(const struct store_block_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* False also where the rest is too short for an id. */
bool store_block_next(struct store_block_cursor *cursor, struct store_block_id *ret_id)
{
    const size_t left = (size_t)(cursor->end - cursor->at);
    const uint8_t *tail = cursor->at;
    size_t tail_bytes = NATURAL_TAIL_BYTES;
    if (left == 0 || cursor->left == 0)
        return false;
    if (!cursor->is_natural)
        tail_bytes = *tail++;
    if (left < (size_t)(tail - cursor->at) + tail_bytes + 8)
        return false;
    ret_id->tail = (struct store_bytes){tail, tail_bytes};
    ret_id->position = get_u64(tail + tail_bytes);
    cursor->at = tail + tail_bytes + 8;
    cursor->left--;
    return true;
}

const char *store_block_open(struct store_bytes key, struct store_bytes value, struct store_block_cursor *ret_cursor)
{
    const char *fault = store_block_begin(key, value, ret_cursor);
    if (fault != NULL)
        return fault;
    if (!store_entry_is_sealed(&(struct store_entry){key, value}))
        return "a checksum does not fit";
    struct store_block_cursor cursor = *ret_cursor;
    struct store_bytes before = {(const uint8_t *)key.at + 1, key.count - 1};
    struct store_block_id id;
    unsigned count = 0;
    while (store_block_next(&cursor, &id)) {
        const int order = store_key_order(before, id.tail);
        if (order > 0 || (order == 0 && count > 0))
            return "the event ids of a block are out of order";
        if (id.position == 0 || id.tail.count == 0 || id.tail.count > SETTLE_EVENT_ID_BYTES_MAX)
            return "a block holds an impossible event id";
        before = id.tail;
        count++;
    }
    const uint8_t *v = value.at;
    if (cursor.at != cursor.end || count != get_u16(v + BLOCK_COUNT) || get_u32(v + BLOCK_ZERO) != 0 ||
        !bytes_are_zero(cursor.end, (size_t)(v + STORE_BLOCK_BYTES - STORE_CRC_BYTES - cursor.end)))
        return "a block of event ids is not filled as it says";
    return NULL;
}

/* The first eight bytes as a number, zeros behind a shorter one: they mostly tell which of two comes first. */
static uint64_t first_bytes(const uint8_t *tail, size_t count)
{
    uint8_t bytes[8] = {0};
    if (count >= 8)
        return get_be64(tail);
    memcpy(bytes, tail, count);
    return get_be64(bytes);
}

static size_t texts_before(const struct store_block_cursor *cursor, struct store_bytes tail, unsigned *ret_count)
{
    const uint64_t wanted = first_bytes(tail.at, tail.count);
    struct store_block_cursor next = *cursor;
    struct store_block_id id;
    size_t bytes = 0;
    for (*ret_count = 0; store_block_next(&next, &id); (*ret_count)++) {
        const uint64_t first = first_bytes(id.tail.at, id.tail.count);
        if (first > wanted || (first == wanted && store_key_order(id.tail, tail) >= 0))
            break;
        bytes = (size_t)(next.at - cursor->at);
    }
    return bytes;
}

size_t store_block_before(const struct store_block_cursor *cursor, struct store_bytes tail, unsigned *ret_count)
{
    if (!cursor->is_natural)
        return texts_before(cursor, tail, ret_count);
    assert(tail.count == NATURAL_TAIL_BYTES);
    size_t first = 0, end = store_block_used(cursor) / NATURAL_ID_BYTES;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (memcmp(cursor->at + middle * NATURAL_ID_BYTES, tail.at, NATURAL_TAIL_BYTES) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    *ret_count = (unsigned)first;
    return first * NATURAL_ID_BYTES;
}

uint64_t store_block_find(const struct store_block_cursor *cursor, struct store_bytes tail)
{
    struct store_block_cursor at = *cursor;
    struct store_block_id id;
    unsigned count;
    at.at += store_block_before(cursor, tail, &count);
    at.left -= count;
    return store_block_next(&at, &id) && store_key_order(id.tail, tail) == 0 ? id.position : 0;
}

const char *store_block_id_decode(enum store_table table, const struct store_block_id *block_id,
                                  struct store_id *ret_id)
{
    const uint8_t *tail = block_id->tail.at;
    *ret_id = (struct store_id){.position = block_id->position};
    struct event_key *key = &ret_id->key;
    key->is_natural = table == STORE_NATURAL_IDS;
    if (!key->is_natural) {
        key->text_bytes = block_id->tail.count;
        memcpy(key->text, tail, key->text_bytes);
        return NULL;
    }
    key->ts_ms = get_be64(tail);
    key->type = tail[8];
    key->user = get_be64(tail + 9);
    key->asset = get_be32(tail + 17);
    return key->type == SETTLE_DEPOSIT || key->type == SETTLE_WITHDRAWAL ? NULL
                                                                         : "a natural event id has an unknown type";
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------- */

void store_block_build(struct store_block_builder *builder, struct store_bytes key)
{
    assert(key.count >= 1 && key.count <= sizeof(builder->key));
    memcpy(builder->key, key.at, key.count);
    builder->key_bytes = key.count;
    builder->is_natural = builder->key[0] == KEY_NATURAL;
    builder->used = 0;
    builder->count = 0;
}

void store_block_add(struct store_block_builder *builder, const struct store_block_id *id)
{
    const size_t bytes = id->tail.count + (builder->is_natural ? 8 : TEXT_ID_BYTES);
    assert(bytes <= BLOCK_CAPACITY - builder->used && id->position != 0);
    uint8_t *at = builder->value + BLOCK_IDS + builder->used;
    if (!builder->is_natural)
        *at++ = (uint8_t)id->tail.count;
    memcpy(at, id->tail.at, id->tail.count);
    put_u64(at + id->tail.count, id->position);
    builder->used += bytes;
    builder->count++;
}

void store_block_copy(struct store_block_builder *builder, struct store_block_cursor *cursor, size_t bytes,
                      unsigned count)
{
    assert(bytes <= BLOCK_CAPACITY - builder->used && bytes <= store_block_used(cursor));
    if (bytes == 0)
        return; /* a cursor without a block points nowhere, and memcpy(3) must not be told so */
    memcpy(builder->value + BLOCK_IDS + builder->used, cursor->at, bytes);
    cursor->at += bytes;
    cursor->left -= count;
    builder->used += bytes;
    builder->count += count;
}

struct store_entry store_block_seal(struct store_block_builder *builder)
{
    assert(builder->count > 0);
    uint8_t *value = builder->value;
    put_u16(value + BLOCK_COUNT, (uint16_t)builder->count);
    put_u16(value + BLOCK_USED, (uint16_t)builder->used);
    put_u32(value + BLOCK_ZERO, 0);
    memset(value + BLOCK_IDS + builder->used, 0, BLOCK_CAPACITY - builder->used);
    const struct store_entry entry = {{builder->key, builder->key_bytes}, {value, STORE_BLOCK_BYTES}};
    store_entry_seal(builder->key, builder->key_bytes, value, STORE_BLOCK_BYTES);
    return entry;
}
