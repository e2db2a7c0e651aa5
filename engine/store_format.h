/*
 * store_format.h — the bytes of the store's entries and back. Pure: no I/O, no allocation. store_format.c has the tables.
 *
 * Encoders write key and sealed value. Decoders check everything that the two can tell (sizes, ranges, zeros, the CRC over
 * both) and return NULL, or a static sentence that says what is wrong; texts borrow from the entry.
 */
#ifndef ENGINE_STORE_FORMAT_H
#define ENGINE_STORE_FORMAT_H

#include "engine/store.h"

#define STORE_FORMAT_VERSION 3u

enum store_table {
    STORE_ACCOUNTS,
    STORE_NATURAL_IDS,
    STORE_TEXT_IDS,
    STORE_ARRIVALS,
    STORE_ASSETS,
    STORE_SOURCES,
    STORE_META,
    STORE_TABLE_COUNT,
};

enum {
    STORE_CRC_BYTES = 4, /* at the end of every value */

    STORE_ACCOUNT_KEY_BYTES = 12,
    STORE_ACCOUNT_VALUE_BYTES = 60,

    STORE_NATURAL_KEY_BYTES = 22,
    STORE_ID_KEY_BYTES_MAX = 1 + SETTLE_EVENT_ID_BYTES_MAX,
    STORE_BLOCK_BYTES = 1960, /* of ids: store_block.h */

    STORE_ARRIVAL_KEY_BYTES = 16,
    STORE_ARRIVAL_VALUE_BYTES = 4,

    STORE_ASSET_KEY_BYTES = 4,
    STORE_ASSET_VALUE_BYTES = 20,

    STORE_SOURCE_NAME_SHORT_BYTES_MAX = 500, /* a longer name does not fit a key of LMDB (511) */
    STORE_SOURCE_KEY_BYTES_MAX = 1 + STORE_SOURCE_NAME_SHORT_BYTES_MAX,
    STORE_SOURCE_VALUE_BYTES_MAX = 16 + SETTLE_SOURCE_NAME_BYTES_MAX + STORE_CRC_BYTES,

    STORE_META_VALUE_BYTES = 180,
};
#define STORE_META_KEY "meta"

struct store_bytes {
    const void *at;
    size_t count;
};
struct store_entry {
    struct store_bytes key, value;
};

void store_account_key(uint64_t user, uint32_t asset, uint8_t ret_key[STORE_ACCOUNT_KEY_BYTES]);
void store_account_encode(const struct account *account, uint8_t ret_key[STORE_ACCOUNT_KEY_BYTES],
                          uint8_t ret_value[STORE_ACCOUNT_VALUE_BYTES]);
const char *store_account_decode(struct store_bytes key, struct store_bytes value, struct account *ret_account);

/* Keys return their length. */
/* Of an id, as the keys of its table's blocks. */
size_t store_id_key(const struct event_key *key, uint8_t ret_key[STORE_ID_KEY_BYTES_MAX]);

void store_arrival_key(uint64_t first_position, uint64_t position, uint8_t ret_key[STORE_ARRIVAL_KEY_BYTES]);
void store_arrival_encode(const struct store_arrival *arrival, uint8_t ret_key[STORE_ARRIVAL_KEY_BYTES],
                          uint8_t ret_value[STORE_ARRIVAL_VALUE_BYTES]);
const char *store_arrival_decode(struct store_bytes key, struct store_bytes value, struct store_arrival *ret_arrival);

void store_asset_encode(const settle_asset *asset, uint8_t ret_key[STORE_ASSET_KEY_BYTES],
                        uint8_t ret_value[STORE_ASSET_VALUE_BYTES]);
const char *store_asset_decode(struct store_bytes key, struct store_bytes value, settle_asset *ret_asset);

size_t store_source_key(settle_text name, uint8_t ret_key[STORE_SOURCE_KEY_BYTES_MAX]);
/* Returns the key's length and *ret_value_bytes. */
size_t store_source_encode(const struct source_entry *entry, uint8_t ret_key[STORE_SOURCE_KEY_BYTES_MAX],
                           uint8_t ret_value[STORE_SOURCE_VALUE_BYTES_MAX], size_t *ret_value_bytes);
const char *store_source_decode(struct store_bytes key, struct store_bytes value, struct source_entry *ret_entry);

/* The format version a meta value claims; 0 where it is too short to have one. */
uint32_t store_meta_version(struct store_bytes value);
void store_meta_encode(const struct store_meta *meta, uint8_t ret_value[STORE_META_VALUE_BYTES]);
const char *store_meta_decode(struct store_bytes value, struct store_meta *ret_meta);

/* Whether a key, and an entry by the lengths of both, can be one of a table's: no table's are like another's. */
bool store_key_is_of(enum store_table table, struct store_bytes key);
bool store_entry_is_of(enum store_table table, const struct store_entry *entry);

/* The order of keys: < 0, 0, > 0. */
int store_key_order(struct store_bytes a, struct store_bytes b);
/* The value's CRC, at its end, whatever the table; and whether it fits. */
void store_entry_seal(const uint8_t *key, size_t key_bytes, uint8_t *value, size_t value_bytes);
bool store_entry_is_sealed(const struct store_entry *entry);

/* What an account, an id add to their digest in store_meta; store_entry_digest(): an account's sealed value. */
uint64_t store_entry_digest(struct store_bytes value);
uint64_t store_account_digest(const struct account *account);
uint64_t store_id_digest(const struct store_id *id);
uint64_t store_id_key_digest(struct store_bytes key, uint64_t position); /* of an id with this key */

#endif
