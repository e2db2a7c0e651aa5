/*
 * store_format.c — the bytes of the store's entries: the only place that knows them.
 *
 * Seven tables (named databases of LMDB, without DUPSORT). Keys are big-endian, because LMDB sorts them as bytes; values are
 * little-endian. Every value ends with a CRC32C of the key and of the value's bytes before it, so that neither a flipped bit
 * nor an entry under another's key is served. A number is the offset of the field's first byte.
 *
 *   accounts  key   00 user u64 · 08 asset u32                                                              (12 bytes)
 *             value 00 available i128 · 16 held i128 · 32 version u64 · 40 last seq u64 · 48 last position u64 ·
 *                   56 crc u32                                                                              (60)
 *   natural_ids, text_ids: blocks of ids (store_block.c)
 *   arrivals  key   00 position of the first arrival u64 · 08 position of this one u64                      (16)
 *             value 00 crc u32                                                                              (4)
 *   assets    key   00 id u32                                                                               (4)
 *             value 00 scale u8 · 01 symbol, 15 bytes, zero padded · 16 crc u32                             (20)
 *   sources   key   names up to 500 bytes: 00 0x01 · 01 the name
 *                   longer ones: 00 0x02 · 01 the first 400 bytes · 401 digest of the name u64 · 409 CRC32C of it u32 (413)
 *             value 00 offset in bytes u64 · 08 line u64 · [16 the name, where longer than 500 bytes] · crc u32
 *   meta      key   "meta"
 *             value 00 format version u32 · 04 zero u32 · 08 journal id, 16 bytes · then the point: 24 position u64 ·
 *                   32 next seq u64 · 40 persisted seq u64 · 48 time_us u64 · 56 frame position u64 · 64 chain u32 ·
 *                   68 zero u32 · 72 accounts u64 · 80 ids u64 · 88 digest of accounts u64 · 96 digest of events u64 ·
 *                   104 greatest natural ts_ms u64 · 112 greatest other id, zero padded to 64 bytes · 176 crc u32 (180)
 *
 * The digest of a table is the sum mod 2^64 of its entries' digests: it tells a lost entry, one too many, and an old one in the
 * place of a newer. An entry's is the splitmix64 finaliser over the value's first 8 bytes and the CRC, which covers all. An id
 * counts as an entry of its key in the table with its position (u64) for a value.
 */
#include "engine/store_format.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"

enum { KEY_NATURAL = 0x01, KEY_TEXT = 0x02, NAME_SHORT = 0x01, NAME_LONG = 0x02 };
enum { NAME_PREFIX_BYTES = 400, NAME_LONG_KEY_BYTES = 1 + NAME_PREFIX_BYTES + 8 + 4 };

_Static_assert((int)NAME_LONG_KEY_BYTES <= (int)STORE_SOURCE_KEY_BYTES_MAX, "one buffer holds either kind of key");
_Static_assert((int)STORE_SOURCE_KEY_BYTES_MAX <= 511, "LMDB's longest key");
_Static_assert((int)NAME_PREFIX_BYTES < (int)STORE_SOURCE_NAME_SHORT_BYTES_MAX, "a long name has its prefix");
_Static_assert(sizeof(struct journal_point) == 48 && sizeof(struct store_meta) == 168 && sizeof(struct account) == 80,
               "a new member needs its bytes here");
_Static_assert(STORE_ASSET_VALUE_BYTES == 1 + SETTLE_SYMBOL_BYTES_MAX + STORE_CRC_BYTES, "a symbol fills its field");

/* ---- CRC and digest --------------------------------------------------------------------------------------------------- */

static uint32_t entry_crc(struct store_bytes key, struct store_bytes value)
{
    assert(value.count >= STORE_CRC_BYTES);
    return crc32c(crc32c(0, key.at, key.count), value.at, value.count - STORE_CRC_BYTES);
}

void store_entry_seal(const uint8_t *key, size_t key_bytes, uint8_t *value, size_t value_bytes)
{
    struct store_bytes k = {key, key_bytes}, v = {value, value_bytes};
    put_u32(value + value_bytes - STORE_CRC_BYTES, entry_crc(k, v));
}

static bool crc_fits(struct store_bytes key, struct store_bytes value)
{
    return get_u32((const uint8_t *)value.at + value.count - STORE_CRC_BYTES) == entry_crc(key, value);
}

bool store_entry_is_sealed(const struct store_entry *entry)
{
    return entry->value.count >= STORE_CRC_BYTES && crc_fits(entry->key, entry->value);
}

int store_key_order(struct store_bytes a, struct store_bytes b)
{
    size_t shorter = a.count < b.count ? a.count : b.count;
    int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);
    return order != 0 ? order : (a.count > b.count) - (a.count < b.count);
}

/* The checks that all tables share. */
static const char *entry_fault(struct store_bytes key, size_t key_bytes, struct store_bytes value, size_t value_bytes)
{
    if (key.count != key_bytes)
        return "a key has the wrong length";
    if (value.count != value_bytes)
        return "a value has the wrong length";
    return crc_fits(key, value) ? NULL : "a checksum does not fit";
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (; count >= 8; at += 8, count -= 8)
        digest = mix(digest ^ get_u64(at));
    if (count == 0)
        return digest;
    uint8_t last[8] = {0};
    memcpy(last, at, count);
    return mix(digest ^ get_u64(last));
}

static uint64_t digest_of(uint64_t first, uint32_t crc)
{
    return mix(first ^ mix(UINT64_C(0x9e3779b97f4a7c15) + crc));
}

uint64_t store_entry_digest(struct store_bytes value)
{
    assert(value.count >= 8 + STORE_CRC_BYTES);
    const uint8_t *at = value.at;
    return digest_of(get_u64(at), get_u32(at + value.count - STORE_CRC_BYTES));
}

/* ---- Accounts --------------------------------------------------------------------------------------------------------- */

void store_account_key(uint64_t user, uint32_t asset, uint8_t ret_key[STORE_ACCOUNT_KEY_BYTES])
{
    put_be64(ret_key, user);
    put_be32(ret_key + 8, asset);
}

void store_account_encode(const struct account *account, uint8_t ret_key[STORE_ACCOUNT_KEY_BYTES],
                          uint8_t ret_value[STORE_ACCOUNT_VALUE_BYTES])
{
    assert(account->user != 0 && account->asset != 0);
    store_account_key(account->user, account->asset, ret_key);
    put_u128(ret_value, (settle_uint128)account->available);
    put_u128(ret_value + 16, (settle_uint128)account->held);
    put_u64(ret_value + 32, account->version);
    put_u64(ret_value + 40, account->last_seq);
    put_u64(ret_value + 48, account->last_position);
    store_entry_seal(ret_key, STORE_ACCOUNT_KEY_BYTES, ret_value, STORE_ACCOUNT_VALUE_BYTES);
}

const char *store_account_decode(struct store_bytes key, struct store_bytes value, struct account *ret_account)
{
    const char *fault = entry_fault(key, STORE_ACCOUNT_KEY_BYTES, value, STORE_ACCOUNT_VALUE_BYTES);
    if (fault)
        return fault;
    const uint8_t *k = key.at, *v = value.at;
    *ret_account = (struct account){
        .user = get_be64(k),
        .asset = get_be32(k + 8),
        .available = (settle_int128)get_u128(v),
        .held = (settle_int128)get_u128(v + 16),
        .version = get_u64(v + 32),
        .last_seq = get_u64(v + 40),
        .last_position = get_u64(v + 48),
    };
    return NULL;
}

uint64_t store_account_digest(const struct account *account)
{
    uint8_t key[STORE_ACCOUNT_KEY_BYTES], value[STORE_ACCOUNT_VALUE_BYTES];
    store_account_encode(account, key, value);
    return store_entry_digest((struct store_bytes){value, sizeof(value)});
}

/* ---- Event ids -------------------------------------------------------------------------------------------------------- */

size_t store_id_key(const struct event_key *key, uint8_t ret_key[STORE_ID_KEY_BYTES_MAX])
{
    if (!key->is_natural) {
        assert(key->text_bytes >= 1 && key->text_bytes <= SETTLE_EVENT_ID_BYTES_MAX);
        ret_key[0] = KEY_TEXT;
        memcpy(ret_key + 1, key->text, key->text_bytes);
        return 1 + key->text_bytes;
    }
    assert(key->type == SETTLE_DEPOSIT || key->type == SETTLE_WITHDRAWAL);
    ret_key[0] = KEY_NATURAL;
    put_be64(ret_key + 1, key->ts_ms);
    ret_key[9] = key->type;
    put_be64(ret_key + 10, key->user);
    put_be32(ret_key + 18, key->asset);
    return STORE_NATURAL_KEY_BYTES;
}

uint64_t store_id_key_digest(struct store_bytes key, uint64_t position)
{
    uint8_t entry[STORE_ID_KEY_BYTES_MAX + 8];
    memcpy(entry, key.at, key.count);
    put_u64(entry + key.count, position);
    return digest_of(position, crc32c(0, entry, key.count + 8));
}

uint64_t store_id_digest(const struct store_id *id)
{
    uint8_t key[STORE_ID_KEY_BYTES_MAX];
    return store_id_key_digest((struct store_bytes){key, store_id_key(&id->key, key)}, id->position);
}

/* ---- Bounds ----------------------------------------------------------------------------------------------------------- */

bool id_bounds_are_passed(const struct id_bounds *bounds, const struct event_key *key)
{
    if (key->is_natural)
        return key->ts_ms > bounds->natural_ts_ms;
    int order = memcmp(key->text, bounds->text, key->text_bytes);
    /* Equal so far: the one of the bounds is longer, or the same. An id has no NUL. */
    return order > 0;
}

void id_bounds_add(struct id_bounds *bounds, const struct event_key *key)
{
    if (!id_bounds_are_passed(bounds, key))
        return;
    if (key->is_natural) {
        bounds->natural_ts_ms = key->ts_ms;
        return;
    }
    memset(bounds->text, 0, sizeof(bounds->text));
    memcpy(bounds->text, key->text, key->text_bytes);
}

void id_bounds_join(struct id_bounds *bounds, const struct id_bounds *more)
{
    if (more->natural_ts_ms > bounds->natural_ts_ms)
        bounds->natural_ts_ms = more->natural_ts_ms;
    if (memcmp(more->text, bounds->text, sizeof(bounds->text)) > 0)
        memcpy(bounds->text, more->text, sizeof(bounds->text));
}

/* ---- Arrivals --------------------------------------------------------------------------------------------------------- */

void store_arrival_key(uint64_t first_position, uint64_t position, uint8_t ret_key[STORE_ARRIVAL_KEY_BYTES])
{
    put_be64(ret_key, first_position);
    put_be64(ret_key + 8, position);
}

void store_arrival_encode(const struct store_arrival *arrival, uint8_t ret_key[STORE_ARRIVAL_KEY_BYTES],
                          uint8_t ret_value[STORE_ARRIVAL_VALUE_BYTES])
{
    assert(arrival->first_position != 0 && arrival->position > arrival->first_position);
    store_arrival_key(arrival->first_position, arrival->position, ret_key);
    store_entry_seal(ret_key, STORE_ARRIVAL_KEY_BYTES, ret_value, STORE_ARRIVAL_VALUE_BYTES);
}

const char *store_arrival_decode(struct store_bytes key, struct store_bytes value, struct store_arrival *ret_arrival)
{
    const char *fault = entry_fault(key, STORE_ARRIVAL_KEY_BYTES, value, STORE_ARRIVAL_VALUE_BYTES);
    if (fault)
        return fault;
    const uint8_t *k = key.at;
    *ret_arrival = (struct store_arrival){.first_position = get_be64(k), .position = get_be64(k + 8)};
    return NULL;
}

/* ---- Assets ----------------------------------------------------------------------------------------------------------- */

void store_asset_encode(const settle_asset *asset, uint8_t ret_key[STORE_ASSET_KEY_BYTES],
                        uint8_t ret_value[STORE_ASSET_VALUE_BYTES])
{
    size_t symbol_bytes = strnlen(asset->symbol, sizeof(asset->symbol));
    assert(symbol_bytes >= 1 && symbol_bytes <= SETTLE_SYMBOL_BYTES_MAX);
    assert(asset->id != 0 && asset->scale <= SETTLE_SCALE_MAX);
    put_be32(ret_key, asset->id);
    memset(ret_value, 0, STORE_ASSET_VALUE_BYTES);
    ret_value[0] = asset->scale;
    memcpy(ret_value + 1, asset->symbol, symbol_bytes);
    store_entry_seal(ret_key, STORE_ASSET_KEY_BYTES, ret_value, STORE_ASSET_VALUE_BYTES);
}

const char *store_asset_decode(struct store_bytes key, struct store_bytes value, settle_asset *ret_asset)
{
    const char *fault = entry_fault(key, STORE_ASSET_KEY_BYTES, value, STORE_ASSET_VALUE_BYTES);
    if (fault)
        return fault;
    const uint8_t *v = value.at;
    size_t symbol_bytes = strnlen((const char *)v + 1, SETTLE_SYMBOL_BYTES_MAX);
    if (v[0] > SETTLE_SCALE_MAX || symbol_bytes == 0)
        return "an asset has an impossible scale or symbol";
    *ret_asset = (settle_asset){.id = get_be32(key.at), .scale = v[0]};
    memcpy(ret_asset->symbol, v + 1, symbol_bytes);
    return NULL;
}

/* ---- Sources ---------------------------------------------------------------------------------------------------------- */

size_t store_source_key(settle_text name, uint8_t ret_key[STORE_SOURCE_KEY_BYTES_MAX])
{
    assert(name.bytes >= 1 && name.bytes <= SETTLE_SOURCE_NAME_BYTES_MAX);
    if (name.bytes <= STORE_SOURCE_NAME_SHORT_BYTES_MAX) {
        ret_key[0] = NAME_SHORT;
        memcpy(ret_key + 1, name.data, name.bytes);
        return 1 + name.bytes;
    }
    ret_key[0] = NAME_LONG;
    memcpy(ret_key + 1, name.data, NAME_PREFIX_BYTES);
    put_be64(ret_key + 1 + NAME_PREFIX_BYTES, digest_bytes(mix(name.bytes), name.data, name.bytes));
    put_be32(ret_key + 1 + NAME_PREFIX_BYTES + 8, crc32c(0, name.data, name.bytes));
    return NAME_LONG_KEY_BYTES;
}

size_t store_source_encode(const struct source_entry *entry, uint8_t ret_key[STORE_SOURCE_KEY_BYTES_MAX],
                           uint8_t ret_value[STORE_SOURCE_VALUE_BYTES_MAX], size_t *ret_value_bytes)
{
    size_t key_bytes = store_source_key((settle_text){entry->name, entry->name_bytes}, ret_key);
    put_u64(ret_value, entry->offset_bytes);
    put_u64(ret_value + 8, entry->line);
    size_t value_bytes = 16;
    if (ret_key[0] == NAME_LONG) {
        memcpy(ret_value + value_bytes, entry->name, entry->name_bytes);
        value_bytes += entry->name_bytes;
    }
    value_bytes += STORE_CRC_BYTES;
    store_entry_seal(ret_key, key_bytes, ret_value, value_bytes);
    *ret_value_bytes = value_bytes;
    return key_bytes;
}

/* Where the name of an entry stands; {NULL, 0}: the entry has an impossible form. */
static settle_text source_name(struct store_bytes key, struct store_bytes value)
{
    const settle_text none = {NULL, 0};
    const char *k = key.at, *v = value.at;
    if (key.count < 2 || value.count < 16 + STORE_CRC_BYTES)
        return none;
    size_t stored_bytes = value.count - 16 - STORE_CRC_BYTES;
    if (k[0] == NAME_SHORT)
        return stored_bytes == 0 && key.count <= STORE_SOURCE_KEY_BYTES_MAX ? (settle_text){k + 1, key.count - 1}
                                                                            : none;
    bool is_long = k[0] == NAME_LONG && key.count == NAME_LONG_KEY_BYTES &&
                   stored_bytes > STORE_SOURCE_NAME_SHORT_BYTES_MAX && stored_bytes <= SETTLE_SOURCE_NAME_BYTES_MAX;
    return is_long ? (settle_text){v + 16, stored_bytes} : none;
}

const char *store_source_decode(struct store_bytes key, struct store_bytes value, struct source_entry *ret_entry)
{
    settle_text name = source_name(key, value);
    if (!name.data)
        return "a source has an impossible form";
    if (!crc_fits(key, value))
        return "a checksum does not fit";
    const uint8_t *v = value.at;
    *ret_entry = (struct source_entry){
        .name = (char *)name.data, /* borrowed; the field is not const because others own theirs */
        .name_bytes = name.bytes,
        .offset_bytes = get_u64(v),
        .line = get_u64(v + 8),
    };
    return NULL;
}

/* ---- Meta ------------------------------------------------------------------------------------------------------------- */

uint32_t store_meta_version(struct store_bytes value)
{
    return value.count < 4 ? 0 : get_u32(value.at);
}

void store_meta_encode(const struct store_meta *meta, uint8_t ret_value[STORE_META_VALUE_BYTES])
{
    put_u32(ret_value, STORE_FORMAT_VERSION);
    put_u32(ret_value + 4, 0);
    memcpy(ret_value + 8, meta->journal_id, 16);
    put_u64(ret_value + 24, meta->point.position);
    put_u64(ret_value + 32, meta->point.next_seq);
    put_u64(ret_value + 40, meta->point.persisted_seq);
    put_u64(ret_value + 48, meta->point.time_us);
    put_u64(ret_value + 56, meta->point.frame_position);
    put_u32(ret_value + 64, meta->point.chain);
    put_u32(ret_value + 68, 0);
    put_u64(ret_value + 72, meta->account_count);
    put_u64(ret_value + 80, meta->id_count);
    put_u64(ret_value + 88, meta->account_digest);
    put_u64(ret_value + 96, meta->id_digest);
    put_u64(ret_value + 104, meta->bounds.natural_ts_ms);
    memcpy(ret_value + 112, meta->bounds.text, sizeof(meta->bounds.text));
    store_entry_seal((const uint8_t *)STORE_META_KEY, strlen(STORE_META_KEY), ret_value, STORE_META_VALUE_BYTES);
}

const char *store_meta_decode(struct store_bytes value, struct store_meta *ret_meta)
{
    struct store_bytes key = {STORE_META_KEY, strlen(STORE_META_KEY)};
    const char *fault = entry_fault(key, key.count, value, STORE_META_VALUE_BYTES);
    if (fault)
        return fault;
    const uint8_t *v = value.at;
    if (get_u32(v) != STORE_FORMAT_VERSION || get_u32(v + 4) != 0 || get_u32(v + 68) != 0)
        return "meta is of another format";
    *ret_meta = (struct store_meta){
        .point = {.position = get_u64(v + 24),
                  .next_seq = get_u64(v + 32),
                  .persisted_seq = get_u64(v + 40),
                  .time_us = get_u64(v + 48),
                  .frame_position = get_u64(v + 56),
                  .chain = get_u32(v + 64)},
        .account_count = get_u64(v + 72),
        .id_count = get_u64(v + 80),
        .account_digest = get_u64(v + 88),
        .id_digest = get_u64(v + 96),
        .bounds.natural_ts_ms = get_u64(v + 104),
    };
    memcpy(ret_meta->journal_id, v + 8, 16);
    memcpy(ret_meta->bounds.text, v + 112, sizeof(ret_meta->bounds.text));
    return NULL;
}

/* ---- Which table an entry belongs to ---------------------------------------------------------------------------------- */

bool store_key_is_of(enum store_table table, struct store_bytes key)
{
    const uint8_t kind = *(const uint8_t *)key.at;
    switch (table) {
    case STORE_ACCOUNTS: return key.count == STORE_ACCOUNT_KEY_BYTES;
    case STORE_NATURAL_IDS: return key.count == STORE_NATURAL_KEY_BYTES && kind == KEY_NATURAL;
    case STORE_TEXT_IDS: return key.count >= 1 && key.count <= STORE_ID_KEY_BYTES_MAX && kind == KEY_TEXT;
    case STORE_ARRIVALS: return key.count == STORE_ARRIVAL_KEY_BYTES;
    case STORE_ASSETS: return key.count == STORE_ASSET_KEY_BYTES;
    case STORE_SOURCES: return key.count >= 2 && (kind == NAME_SHORT || kind == NAME_LONG);
    case STORE_META: return key.count == sizeof(STORE_META_KEY) - 1;
    default: return false;
    }
}

bool store_entry_is_of(enum store_table table, const struct store_entry *entry)
{
    static const size_t bytes[STORE_TABLE_COUNT] = {
        [STORE_ACCOUNTS] = STORE_ACCOUNT_VALUE_BYTES, [STORE_NATURAL_IDS] = STORE_BLOCK_BYTES,
        [STORE_TEXT_IDS] = STORE_BLOCK_BYTES,      [STORE_ARRIVALS] = STORE_ARRIVAL_VALUE_BYTES,
        [STORE_ASSETS] = STORE_ASSET_VALUE_BYTES,     [STORE_META] = STORE_META_VALUE_BYTES,
    };
    const size_t count = entry->value.count;
    if (!store_key_is_of(table, entry->key))
        return false;
    return table == STORE_SOURCES ? count >= 16 + STORE_CRC_BYTES && count <= STORE_SOURCE_VALUE_BYTES_MAX
                                  : count == bytes[table];
}
