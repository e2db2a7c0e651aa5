/* test_store_format.c — the bytes of the store: pinned, there and back, and no changed byte is taken. */
#include "engine/store_format.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(store_format);

static const struct account sample = {
    .user = 0x0102030405060708,
    .asset = 0x0a0b0c0d,
    .available = -2,
    .held = ((settle_int128)0x1122334455667788 << 64) | 0x99aabbccddeeff00,
    .version = 0x2122232425262728,
    .last_seq = 0x3132333435363738,
    .last_position = 0x4142434445464748,
};

static const struct store_meta sample_meta = {
    .journal_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .point = {.position = 0x1001,
              .next_seq = 0x2002,
              .persisted_seq = 0x3003,
              .time_us = 0x4004,
              .frame_position = 0x5005,
              .chain = 0x66778899},
    .account_count = 0x7007,
    .id_count = 0x8008,
    .account_digest = 0xf1f2f3f4f5f6f7f8,
    .id_digest = 0xe1e2e3e4e5e6e7e8,
    .bounds = {.natural_ts_ms = 0x9009, .text = "trade_T-1"},
};

static struct store_id natural(uint64_t ts_ms, uint64_t user, uint32_t asset, uint64_t position)
{
    return (struct store_id){
        .key = {.is_natural = true, .type = SETTLE_WITHDRAWAL, .asset = asset, .user = user, .ts_ms = ts_ms},
        .position = position};
}

static struct store_id text(const char *id, uint64_t position)
{
    struct store_id result = {.key = {.text_bytes = strlen(id)}, .position = position};
    memcpy(result.key.text, id, strlen(id));
    return result;
}

/* ---- The bytes, for ever -------------------------------------------------------------------------------------------------- */

static void expect_hex(const void *bytes, size_t count, const char *expected)
{
    char hex[1024];
    cr_assert(2 * count < sizeof(hex));
    hex[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
    cr_assert_str_eq(hex, expected);
}

Test(store_format, an_account_has_these_bytes)
{
    uint8_t key[STORE_ACCOUNT_KEY_BYTES], value[STORE_ACCOUNT_VALUE_BYTES];
    store_account_encode(&sample, key, value);
    expect_hex(key, sizeof(key), "01020304050607080a0b0c0d");
    expect_hex(value, sizeof(value),
               "feffffffffffffffffffffffffffffff"
               "00ffeeddccbbaa998877665544332211"
               "282726252423222138373635343332314847464544434241"
               "826db65d");
}

Test(store_format, keys_of_event_ids_have_these_bytes)
{
    uint8_t key[STORE_ID_KEY_BYTES_MAX];
    struct store_id id = natural(0x0001020304050607, 0x1112131415161718, 0x2a2b2c2d, 0x3132333435363738);
    expect_hex(key, store_id_key(&id.key, key),
               "010001020304050607"
               "02"
               "1112131415161718"
               "2a2b2c2d");
    id = text("trade_T-1", 5);
    expect_hex(key, store_id_key(&id.key, key),
               "02"
               "74726164655f542d31");
}

Test(store_format, arrivals_and_assets_have_these_bytes)
{
    uint8_t key[STORE_ARRIVAL_KEY_BYTES], value[STORE_ARRIVAL_VALUE_BYTES];
    struct store_arrival arrival = {.first_position = 0x0102030405060708, .position = 0x1112131415161718};
    store_arrival_encode(&arrival, key, value);
    expect_hex(key, sizeof(key), "01020304050607081112131415161718");
    expect_hex(value, sizeof(value), "8ed47121");

    uint8_t asset_key[STORE_ASSET_KEY_BYTES], asset_value[STORE_ASSET_VALUE_BYTES];
    settle_asset asset = {.id = 0x01020304, .scale = 6, .symbol = "USDT"};
    store_asset_encode(&asset, asset_key, asset_value);
    expect_hex(asset_key, sizeof(asset_key), "01020304");
    expect_hex(asset_value, sizeof(asset_value),
               "06"
               "55534454"
               "0000000000000000000000"
               "7c10332b");
}

Test(store_format, sources_have_these_bytes)
{
    uint8_t key[STORE_SOURCE_KEY_BYTES_MAX], value[STORE_SOURCE_VALUE_BYTES_MAX];
    size_t value_bytes;
    char name[501];
    struct source_entry entry = {.name = name, .name_bytes = 2, .offset_bytes = 0x0102, .line = 3};
    memset(name, 'n', sizeof(name));
    expect_hex(key, store_source_encode(&entry, key, value, &value_bytes), "016e6e");
    expect_hex(value, value_bytes,
               "0201000000000000"
               "0300000000000000"
               "6a24e167");

    entry.name_bytes = 501;
    cr_assert_eq(store_source_encode(&entry, key, value, &value_bytes), 413);
    cr_assert_eq(key[0], 2);
    expect_hex(key + 401, 12, "d7a8a8aa7c377bab60e582c9");
    cr_assert_eq(value_bytes, 8 + 8 + 501 + 4);
}

Test(store_format, meta_has_these_bytes)
{
    uint8_t value[STORE_META_VALUE_BYTES];
    store_meta_encode(&sample_meta, value);
    expect_hex(value, sizeof(value),
               "03000000"
               "00000000"
               "0102030405060708090a0b0c0d0e0f10"
               "0110000000000000"
               "0220000000000000"
               "0330000000000000"
               "0440000000000000"
               "0550000000000000"
               "99887766"
               "00000000"
               "0770000000000000"
               "0880000000000000"
               "f8f7f6f5f4f3f2f1"
               "e8e7e6e5e4e3e2e1"
               "0990000000000000"
               "74726164655f542d310000000000000000000000000000000000000000000000"
               "0000000000000000000000000000000000000000000000000000000000000000"
               "759af204");
    cr_assert_eq(store_meta_version((struct store_bytes){value, sizeof(value)}), STORE_FORMAT_VERSION);
    cr_assert_eq(store_meta_version((struct store_bytes){value, 3}), 0);
}

Test(store_format, digests_have_these_values)
{
    struct store_id id = text("trade_T-1", 5);
    cr_assert_eq(store_account_digest(&sample), UINT64_C(0x92dd36623ac127ba), "%016llx",
                 (unsigned long long)store_account_digest(&sample));
    cr_assert_eq(store_id_digest(&id), UINT64_C(0xd4d1034424ee2aed), "%016llx",
                 (unsigned long long)store_id_digest(&id));
}

/* ---- There and back --------------------------------------------------------------------------------------------------------- */

Test(store_format, an_account_comes_back)
{
    uint8_t key[STORE_ACCOUNT_KEY_BYTES], value[STORE_ACCOUNT_VALUE_BYTES];
    struct account account,
        cases[] = {sample, {.user = 1, .asset = 1}, {.user = SETTLE_USER_FEES, .asset = UINT32_MAX}};
    cases[1].available = SETTLE_AMOUNT_MAX;
    cases[2].available = -SETTLE_AMOUNT_MAX;
    cases[2].version = UINT64_MAX;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        store_account_encode(&cases[i], key, value);
        cr_assert_null(store_account_decode((struct store_bytes){key, sizeof(key)},
                                            (struct store_bytes){value, sizeof(value)}, &account));
        cr_assert_eq(account.user, cases[i].user);
        cr_assert_eq(account.asset, cases[i].asset);
        cr_assert_eq(account.flags, 0);
        cr_assert(account.available == cases[i].available && account.held == cases[i].held);
        cr_assert_eq(account.version, cases[i].version);
        cr_assert_eq(account.last_seq, cases[i].last_seq);
        cr_assert_eq(account.last_position, cases[i].last_position);
    }
}

Test(store_format, sources_of_every_length_come_back)
{
    uint8_t key[STORE_SOURCE_KEY_BYTES_MAX], value[STORE_SOURCE_VALUE_BYTES_MAX];
    static char name[SETTLE_SOURCE_NAME_BYTES_MAX];
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = (char)('a' + i % 26);
    for (size_t bytes = 1; bytes <= sizeof(name); bytes++) {
        size_t value_bytes;
        struct source_entry entry = {.name = name,
                                     .name_bytes = bytes,
                                     .offset_bytes = UINT64_MAX - bytes,
                                     .line = bytes},
                            back;
        size_t key_bytes = store_source_encode(&entry, key, value, &value_bytes);
        cr_assert(key_bytes <= 511);
        cr_assert_null(
            store_source_decode((struct store_bytes){key, key_bytes}, (struct store_bytes){value, value_bytes}, &back));
        cr_assert_eq(back.name_bytes, bytes);
        cr_assert_eq(memcmp(back.name, name, bytes), 0);
        cr_assert_eq(back.offset_bytes, entry.offset_bytes);
        cr_assert_eq(back.line, entry.line);
    }
}

Test(store_format, long_names_that_begin_alike_have_keys_of_their_own)
{
    uint8_t a[STORE_SOURCE_KEY_BYTES_MAX], b[STORE_SOURCE_KEY_BYTES_MAX];
    static char name[1000];
    memset(name, 'x', sizeof(name));
    size_t bytes = store_source_key((settle_text){name, sizeof(name)}, a);
    name[999] = 'y';
    cr_assert_eq(store_source_key((settle_text){name, sizeof(name)}, b), bytes);
    cr_assert_neq(memcmp(a + 401, b + 401, 8), 0);
    cr_assert_neq(memcmp(a + 409, b + 409, 4), 0);
}

Test(store_format, meta_and_assets_come_back)
{
    uint8_t value[STORE_META_VALUE_BYTES], key[STORE_ASSET_KEY_BYTES], asset_value[STORE_ASSET_VALUE_BYTES];
    struct store_meta meta;
    memset(&meta, 0xee, sizeof(meta));
    store_meta_encode(&sample_meta, value);
    cr_assert_null(store_meta_decode((struct store_bytes){value, sizeof(value)}, &meta));
    uint8_t again[STORE_META_VALUE_BYTES];
    store_meta_encode(&meta, again);
    cr_assert_eq(memcmp(value, again, sizeof(value)), 0);
    cr_assert_eq(meta.point.frame_position, sample_meta.point.frame_position);
    cr_assert_eq(memcmp(&meta.bounds, &sample_meta.bounds, sizeof meta.bounds), 0);

    const settle_asset cases[] = {{.id = 1, .scale = 0, .symbol = "A"},
                                  {.id = UINT32_MAX, .scale = SETTLE_SCALE_MAX, .symbol = "ABCDEFGHIJKLMNO"}};
    for (size_t i = 0; i < 2; i++) {
        settle_asset asset;
        store_asset_encode(&cases[i], key, asset_value);
        cr_assert_null(store_asset_decode((struct store_bytes){key, sizeof(key)},
                                          (struct store_bytes){asset_value, sizeof(asset_value)}, &asset));
        cr_assert_eq(asset.id, cases[i].id);
        cr_assert_eq(asset.scale, cases[i].scale);
        cr_assert_str_eq(asset.symbol, cases[i].symbol);
    }
}

/* ---- Order ------------------------------------------------------------------------------------------------------------------- */

Test(store_format, keys_sort_as_their_values_do)
{
    const struct store_id ids[] = {
        natural(1, 255, 7, 1), natural(1, 256, 1, 1), natural(1, 256, 2, 1),
        natural(255, 1, 1, 1), natural(256, 1, 1, 1), natural(UINT64_C(1) << 40, 1, 1, 1),
        text("A", 1),          text("AA", 1),         text("B", 1),
        text("b", 1),
    };
    uint8_t previous[STORE_ID_KEY_BYTES_MAX] = {0}, key[STORE_ID_KEY_BYTES_MAX];
    size_t previous_bytes = 0;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        size_t bytes = store_id_key(&ids[i].key, key), shorter = bytes < previous_bytes ? bytes : previous_bytes;
        int order = memcmp(previous, key, shorter);
        cr_assert(order < 0 || (order == 0 && previous_bytes < bytes), "id %zu", i);
        memcpy(previous, key, bytes);
        previous_bytes = bytes;
    }
    uint8_t low[STORE_ACCOUNT_KEY_BYTES], high[STORE_ACCOUNT_KEY_BYTES];
    store_account_key(SETTLE_USER_MAX, UINT32_MAX, low);
    store_account_key(SETTLE_USER_EXTERNAL, 1, high);
    cr_assert(memcmp(low, high, sizeof(low)) < 0);
}

/* ---- Damage -------------------------------------------------------------------------------------------------------------------- */

enum kind { ACCOUNT, ARRIVAL, ASSET, SOURCE, LONG_SOURCE, META, KINDS };

struct entry {
    uint8_t key[STORE_SOURCE_KEY_BYTES_MAX], value[STORE_SOURCE_VALUE_BYTES_MAX];
    size_t key_bytes, value_bytes;
};

static void encode(enum kind kind, struct entry *entry)
{
    static char name[600];
    struct store_arrival arrival = {.first_position = 4096, .position = 8192};
    settle_asset asset = {.id = 2, .scale = 6, .symbol = "USDT"};
    struct source_entry source = {
        .name = name, .name_bytes = kind == LONG_SOURCE ? 600 : 5, .offset_bytes = 7, .line = 8};
    memset(name, 'n', sizeof(name));
    switch (kind) {
    case ACCOUNT:
        store_account_encode(&sample, entry->key, entry->value);
        entry->key_bytes = STORE_ACCOUNT_KEY_BYTES, entry->value_bytes = STORE_ACCOUNT_VALUE_BYTES;
        break;
    case ARRIVAL:
        store_arrival_encode(&arrival, entry->key, entry->value);
        entry->key_bytes = STORE_ARRIVAL_KEY_BYTES, entry->value_bytes = STORE_ARRIVAL_VALUE_BYTES;
        break;
    case ASSET:
        store_asset_encode(&asset, entry->key, entry->value);
        entry->key_bytes = STORE_ASSET_KEY_BYTES, entry->value_bytes = STORE_ASSET_VALUE_BYTES;
        break;
    case SOURCE:
    case LONG_SOURCE:
        entry->key_bytes = store_source_encode(&source, entry->key, entry->value, &entry->value_bytes);
        break;
    default:
        store_meta_encode(&sample_meta, entry->value);
        entry->key_bytes = 0, entry->value_bytes = STORE_META_VALUE_BYTES;
    }
}

static const char *decode(enum kind kind, const struct entry *entry)
{
    union {
        struct account account;
        struct store_arrival arrival;
        settle_asset asset;
        struct source_entry source;
        struct store_meta meta;
    } to;
    struct store_bytes key = {entry->key, entry->key_bytes}, value = {entry->value, entry->value_bytes};
    switch (kind) {
    case ACCOUNT: return store_account_decode(key, value, &to.account);
    case ARRIVAL: return store_arrival_decode(key, value, &to.arrival);
    case ASSET: return store_asset_decode(key, value, &to.asset);
    case SOURCE:
    case LONG_SOURCE: return store_source_decode(key, value, &to.source);
    default: return store_meta_decode(value, &to.meta);
    }
}

Test(store_format, every_flipped_bit_of_key_or_value_is_seen)
{
    static struct entry entry;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        encode(kind, &entry);
        cr_assert_null(decode(kind, &entry), "kind %d: %s", (int)kind, decode(kind, &entry));
        for (size_t bit = 0; bit < 8 * (entry.key_bytes + entry.value_bytes); bit++) {
            size_t byte = bit / 8;
            uint8_t *at = byte < entry.key_bytes ? &entry.key[byte] : &entry.value[byte - entry.key_bytes];
            *at ^= (uint8_t)(1u << bit % 8);
            cr_assert_not_null(decode(kind, &entry), "kind %d bit %zu", (int)kind, bit);
            *at ^= (uint8_t)(1u << bit % 8);
        }
    }
}

Test(store_format, every_other_length_is_seen)
{
    static struct entry entry;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        encode(kind, &entry);
        size_t key_bytes = entry.key_bytes, value_bytes = entry.value_bytes;
        for (entry.value_bytes = 0; entry.value_bytes < value_bytes + 4; entry.value_bytes++) {
            if (entry.value_bytes != value_bytes)
                cr_assert_not_null(decode(kind, &entry), "kind %d value of %zu", (int)kind, entry.value_bytes);
        }
        entry.value_bytes = value_bytes;
        for (entry.key_bytes = 0; entry.key_bytes < key_bytes + 4 && kind != META; entry.key_bytes++) {
            if (entry.key_bytes != key_bytes)
                cr_assert_not_null(decode(kind, &entry), "kind %d key of %zu", (int)kind, entry.key_bytes);
        }
    }
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------------------- */

Test(store_format, an_id_beyond_the_bounds_is_greater_than_all_of_its_kind)
{
    const char *texts[] = {"-", "0", "trade_T-1", "trade_T-10", "trade_T-2", "z",
                           "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct store_id greatest = text(texts[i], 1);
        struct id_bounds bounds = {.natural_ts_ms = 0}, joined = {.natural_ts_ms = 0};
        cr_assert(id_bounds_are_passed(&bounds, &greatest.key), "none yet");
        for (size_t k = 0; k <= i; k++) {
            struct store_id id = text(texts[(k * 5) % (i + 1)], 1); /* in some order; not all of them */
            id_bounds_add(&bounds, &id.key);
        }
        id_bounds_add(&bounds, &greatest.key);
        id_bounds_join(&joined, &bounds);
        cr_assert_eq(memcmp(&joined, &bounds, sizeof bounds), 0);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            struct store_id id = text(texts[k], 1);
            cr_assert_eq(id_bounds_are_passed(&joined, &id.key), k > i, "%s after %s", texts[k], texts[i]);
        }
    }
    struct id_bounds bounds = {.natural_ts_ms = 7};
    struct store_id earlier = natural(7, 9, 9, 1), later = natural(8, 1, 1, 1);
    cr_assert_not(id_bounds_are_passed(&bounds, &earlier.key));
    cr_assert(id_bounds_are_passed(&bounds, &later.key));
    id_bounds_add(&bounds, &later.key);
    id_bounds_add(&bounds, &earlier.key);
    cr_assert_eq(bounds.natural_ts_ms, 8);
    id_bounds_join(&bounds, &(struct id_bounds){.natural_ts_ms = 9});
    cr_assert_eq(bounds.natural_ts_ms, 9);
}

/* ---- Digests ------------------------------------------------------------------------------------------------------------------- */

/* Without sealing again only the CRC and the first bytes count; sealed again, every bit of key and value does. */
Test(store_format, each_bit_of_a_sealed_entry_changes_its_digest)
{
    uint64_t digest = store_account_digest(&sample), digests[2] = {digest, digest};
    for (size_t bit = 0; bit < 8 * sizeof sample; bit++) {
        struct account other = sample;
        ((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        size_t at = bit / 8;
        bool is_stored = at < offsetof(struct account, flags) ||
                         (at >= offsetof(struct account, available) && at < offsetof(struct account, last_position) + 8);
        cr_assert_eq(store_account_digest(&other) != digest, is_stored, "bit %zu of an account", bit);
    }
    const struct store_id ids[] = {natural(1733856600000, 1001, 2, 4096), text("trade_T-1", 4096)};
    for (size_t i = 0; i < 2; i++) {
        digests[i] = store_id_digest(&ids[i]);
        struct store_id other = ids[i];
        other.position ^= UINT64_C(1) << 63;
        cr_assert_neq(store_id_digest(&other), digests[i]);
        other = ids[i];
        if (i == 0)
            other.key.ts_ms ^= 1;
        else
            other.key.text[0] ^= 1;
        cr_assert_neq(store_id_digest(&other), digests[i]);
    }
    cr_assert_neq(digests[0], digests[1]);
}
