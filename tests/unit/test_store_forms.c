/* test_store_forms.c — entries whose checksum is right and whose content cannot be: each is refused, with its reason. */
#include <stdlib.h>
#include <string.h>

#include "engine/store_format.h"
#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(store_forms);

static void seal(const void *key, size_t key_bytes, uint8_t *value, size_t value_bytes)
{
    put_u32(value + value_bytes - STORE_CRC_BYTES,
            crc32c(crc32c(0, key, key_bytes), value, value_bytes - STORE_CRC_BYTES));
}

/* ---- Assets ---- */

static const char *asset_fault(uint8_t scale, const char *symbol)
{
    settle_asset asset;
    const uint8_t key[STORE_ASSET_KEY_BYTES] = {0, 0, 0, 2};
    uint8_t value[STORE_ASSET_VALUE_BYTES] = {scale};
    memcpy(value + 1, symbol, strlen(symbol));
    seal(key, sizeof key, value, sizeof value);
    return store_asset_decode((struct store_bytes){key, sizeof key}, (struct store_bytes){value, sizeof value}, &asset);
}

Test(store_forms, an_asset_has_a_scale_and_a_symbol)
{
    cr_assert_null(asset_fault(SETTLE_SCALE_MAX, "USDT"));
    cr_assert_null(asset_fault(0, "ABCDEFGHIJKLMNO"), "the longest");
    cr_assert_str_eq(asset_fault(SETTLE_SCALE_MAX + 1, "USDT"), "an asset has an impossible scale or symbol");
    cr_assert_str_eq(asset_fault(6, ""), "an asset has an impossible scale or symbol");
}

/* ---- Sources ---- */

static const char *source_fault(const uint8_t *key, size_t key_bytes, size_t value_bytes)
{
    struct source_entry entry;
    uint8_t *value = calloc(1, value_bytes + STORE_CRC_BYTES);
    cr_assert_not_null(value);
    if (value_bytes >= STORE_CRC_BYTES)
        seal(key, key_bytes, value, value_bytes);
    const char *fault =
        store_source_decode((struct store_bytes){key, key_bytes}, (struct store_bytes){value, value_bytes}, &entry);
    free(value);
    return fault;
}

Test(store_forms, a_source_has_its_name_in_the_key_or_behind_the_position)
{
    static const char refused[] = "a source has an impossible form";
    static uint8_t key[STORE_SOURCE_KEY_BYTES_MAX + 2] = {1, 'i', 'n'};
    const size_t plain = 16 + STORE_CRC_BYTES;
    cr_assert_null(source_fault(key, 3, plain));
    cr_assert_null(source_fault(key, STORE_SOURCE_KEY_BYTES_MAX, plain));
    cr_assert_str_eq(source_fault(key, 1, plain), refused, "no name");
    cr_assert_str_eq(source_fault(key, 3, plain - 1), refused, "no room for a position");
    cr_assert_str_eq(source_fault(key, 3, plain + 1), refused, "a short name and one behind it");
    cr_assert_str_eq(source_fault(key, STORE_SOURCE_KEY_BYTES_MAX + 1, plain), refused);
    /* Long: a prefix of 400 bytes, a digest of 8, a checksum of 4 behind the kind. */
    const size_t long_key = 1 + 400 + 8 + 4;
    key[0] = 2;
    cr_assert_null(source_fault(key, long_key, plain + STORE_SOURCE_NAME_SHORT_BYTES_MAX + 1));
    cr_assert_null(source_fault(key, long_key, plain + SETTLE_SOURCE_NAME_BYTES_MAX));
    cr_assert_str_eq(source_fault(key, long_key, plain + STORE_SOURCE_NAME_SHORT_BYTES_MAX), refused, "a short one");
    cr_assert_str_eq(source_fault(key, long_key, plain + SETTLE_SOURCE_NAME_BYTES_MAX + 1), refused, "too long");
    cr_assert_str_eq(source_fault(key, long_key - 1, plain + STORE_SOURCE_NAME_SHORT_BYTES_MAX + 1), refused);
    key[0] = 3;
    cr_assert_str_eq(source_fault(key, long_key, plain + STORE_SOURCE_NAME_SHORT_BYTES_MAX + 1), refused);
}

/* ---- Meta ---- */

static const char *meta_fault(size_t at, uint32_t number)
{
    struct store_meta meta = {.account_count = 1};
    uint8_t value[STORE_META_VALUE_BYTES];
    store_meta_encode(&meta, value);
    if (at < sizeof value)
        put_u32(value + at, number);
    seal(STORE_META_KEY, strlen(STORE_META_KEY), value, sizeof value);
    return store_meta_decode((struct store_bytes){value, sizeof value}, &meta);
}

Test(store_forms, meta_of_another_version_or_with_a_reserved_bit_is_refused)
{
    static const char refused[] = "meta is of another format";
    cr_assert_null(meta_fault(STORE_META_VALUE_BYTES, 0));
    cr_assert_str_eq(meta_fault(0, STORE_FORMAT_VERSION + 1), refused);
    cr_assert_str_eq(meta_fault(4, 1), refused);
    cr_assert_str_eq(meta_fault(68, 0x80000000u), refused);
    const uint8_t short_value[3] = {1, 0, 0};
    cr_assert_eq(store_meta_version((struct store_bytes){short_value, 3}), 0);
}

/* ---- Which table ---- */

static bool key_is_of(enum store_table table, uint8_t kind, size_t bytes)
{
    static uint8_t key[STORE_SOURCE_KEY_BYTES_MAX + 1];
    key[0] = kind;
    return store_key_is_of(table, (struct store_bytes){key, bytes});
}

static bool entry_is_of(enum store_table table, uint8_t kind, size_t key_bytes, size_t value_bytes)
{
    static uint8_t key[STORE_SOURCE_KEY_BYTES_MAX + 1], value[1];
    key[0] = kind;
    const struct store_entry entry = {{key, key_bytes}, {value, value_bytes}};
    return store_entry_is_of(table, &entry);
}

Test(store_forms, a_key_tells_its_table)
{
    cr_assert(key_is_of(STORE_ACCOUNTS, 0, STORE_ACCOUNT_KEY_BYTES));
    cr_assert_not(key_is_of(STORE_ACCOUNTS, 0, STORE_ACCOUNT_KEY_BYTES + 1));
    cr_assert(key_is_of(STORE_NATURAL_IDS, 1, STORE_NATURAL_KEY_BYTES));
    cr_assert_not(key_is_of(STORE_NATURAL_IDS, 2, STORE_NATURAL_KEY_BYTES));
    cr_assert_not(key_is_of(STORE_NATURAL_IDS, 1, STORE_NATURAL_KEY_BYTES - 1));
    cr_assert(key_is_of(STORE_TEXT_IDS, 2, 1));
    cr_assert_not(key_is_of(STORE_TEXT_IDS, 2, 0));
    cr_assert_not(key_is_of(STORE_TEXT_IDS, 1, 2));
    cr_assert(key_is_of(STORE_TEXT_IDS, 2, STORE_ID_KEY_BYTES_MAX));
    cr_assert_not(key_is_of(STORE_TEXT_IDS, 2, STORE_ID_KEY_BYTES_MAX + 1));
    cr_assert(key_is_of(STORE_SOURCES, 1, 2));
    cr_assert(key_is_of(STORE_SOURCES, 2, 2));
    cr_assert_not(key_is_of(STORE_SOURCES, 3, 2));
    cr_assert_not(key_is_of(STORE_SOURCES, 1, 1));
    cr_assert_not(key_is_of(STORE_TABLE_COUNT, 1, 4), "no such table");
}

Test(store_forms, an_entry_has_its_tables_value)
{
    const uint8_t short_value[STORE_CRC_BYTES] = {0};
    for (size_t bytes = 0; bytes < STORE_CRC_BYTES; bytes++)
        cr_assert_not(store_entry_is_sealed(&(struct store_entry){{"k", 1}, {short_value, bytes}}),
                      "no room for a checksum");
    cr_assert(entry_is_of(STORE_ASSETS, 0, STORE_ASSET_KEY_BYTES, STORE_ASSET_VALUE_BYTES));
    cr_assert_not(entry_is_of(STORE_ASSETS, 0, STORE_ASSET_KEY_BYTES, STORE_ASSET_VALUE_BYTES + 1));
    cr_assert_not(entry_is_of(STORE_ASSETS, 0, STORE_ASSET_KEY_BYTES + 1, STORE_ASSET_VALUE_BYTES));
    cr_assert(entry_is_of(STORE_SOURCES, 1, 2, 16 + STORE_CRC_BYTES));
    cr_assert_not(entry_is_of(STORE_SOURCES, 1, 2, 16 + STORE_CRC_BYTES - 1));
    cr_assert(entry_is_of(STORE_SOURCES, 1, 2, STORE_SOURCE_VALUE_BYTES_MAX));
    cr_assert_not(entry_is_of(STORE_SOURCES, 1, 2, STORE_SOURCE_VALUE_BYTES_MAX + 1));
}
