/*
 * test_store_forged.c — entries that lie in a store with a checksum that is right and content that cannot be: whoever
 * reads or writes over them is told that the store is damaged.
 */
#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"

SETTLE_SUITE(store_forged);

static struct fixture f;
static char long_a[1000], long_b[1000];
static struct source_entry sources[2];
static const settle_asset asset = {2, 6, "USDT"};

static struct store_batch batch_of(struct store_id *id, size_t source_count)
{
    return (struct store_batch){.ids = id,
                                .id_count = id != NULL,
                                .assets = &asset,
                                .asset_count = 1,
                                .sources = sources,
                                .source_count = source_count};
}

static void begin(void)
{
    struct store_id id = text_id("trade_1", 64);
    memset(long_a, 'a', sizeof long_a);
    memset(long_b, 'a', sizeof long_b);
    long_b[sizeof long_b - 1] = 'b';
    sources[0] = (struct source_entry){.name = (char *)(uintptr_t) "in", .name_bytes = 2, .offset_bytes = 5, .line = 1};
    sources[1] = (struct source_entry){.name = long_a, .name_bytes = sizeof long_a, .offset_bytes = 6, .line = 2};
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, batch_of(&id, 2)));
    store_close(f.store);
    f.store = NULL;
}

static void end(void)
{
    fixture_close(&f);
}

#define FORGED .init = begin, .fini = end

/* Another value under a key, with its checksum. */
static void forge(enum store_table table, const void *key, size_t key_bytes, uint8_t *value, size_t value_bytes)
{
    put_u32(value + value_bytes - STORE_CRC_BYTES,
            crc32c(crc32c(0, key, key_bytes), value, value_bytes - STORE_CRC_BYTES));
    raw_put(&f, table, key, key_bytes, value, value_bytes);
    EXPECT_OK(fixture_reopen(&f, true));
}

static settle_status take_asset(void *context, const settle_asset *taken, settle_error *error)
{
    (void)context, (void)taken, (void)error;
    return SETTLE_OK;
}

static settle_status take_source(void *context, const struct source_entry *source, settle_error *error)
{
    (void)context, (void)source, (void)error;
    return SETTLE_OK;
}

static void expect_damage(settle_status status, const char *sentence)
{
    cr_assert_eq(status, SETTLE_E_CORRUPT, "%d", status);
    cr_assert(strstr(fixture_error.text, sentence), "%s", fixture_error.text);
}

Test(store_forged, an_asset_with_an_impossible_scale_is_damage, FORGED)
{
    const uint8_t key[STORE_ASSET_KEY_BYTES] = {0, 0, 0, 2};
    uint8_t value[STORE_ASSET_VALUE_BYTES] = {SETTLE_SCALE_MAX + 1, 'U'};
    forge(STORE_ASSETS, key, sizeof key, value, sizeof value);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    expect_damage(store_assets_walk(snapshot, take_asset, NULL, &fixture_error), "impossible scale");
    store_snapshot_close(snapshot);
    expect_damage(fixture_apply(&f, batch_of(NULL, 0)), "impossible scale");
}

Test(store_forged, a_short_source_with_a_name_behind_its_position_is_damage, FORGED)
{
    const uint8_t key[3] = {1, 'i', 'n'};
    uint8_t value[16 + 1 + STORE_CRC_BYTES] = {5};
    struct source_entry found;
    forge(STORE_SOURCES, key, sizeof key, value, sizeof value);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    expect_damage(store_source_get(snapshot, (settle_text){"in", 2}, &found, &fixture_error), "impossible form");
    expect_damage(store_sources_walk(snapshot, take_source, NULL, &fixture_error), "impossible form");
    store_snapshot_close(snapshot);
    expect_damage(fixture_apply(&f, batch_of(NULL, 2)), "impossible form");
}

/* Two long names with the same digest: the one that is asked for is not there, and is not written over the other. */
Test(store_forged, a_long_source_under_anothers_key_is_not_taken_for_it, FORGED)
{
    static const size_t lengths[] = {sizeof long_b, sizeof long_b - 1};
    for (size_t i = 0; i < 2; i++) {
        uint8_t key[STORE_SOURCE_KEY_BYTES_MAX], value[STORE_SOURCE_VALUE_BYTES_MAX];
        struct source_entry found;
        size_t value_bytes = 0;
        const struct source_entry b = {.name = long_b, .name_bytes = lengths[i]};
        (void)store_source_encode(&b, key, value, &value_bytes);
        const size_t key_bytes = store_source_key((settle_text){long_a, sizeof long_a}, key);
        store_close(f.store);
        f.store = NULL;
        forge(STORE_SOURCES, key, key_bytes, value, value_bytes);
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        EXPECT_STATUS(store_source_get(snapshot, (settle_text){long_a, sizeof long_a}, &found, &fixture_error),
                      SETTLE_E_NOT_FOUND);
        store_snapshot_close(snapshot);
        expect_damage(fixture_apply(&f, batch_of(NULL, 2)), "two sources share a key");
    }
}

/* A key as long as LMDB takes is not copied to where there is no room for it. */
Test(store_forged, a_source_under_an_endless_key_is_damage, FORGED)
{
    uint8_t key[511], value[16 + STORE_CRC_BYTES] = {5};
    memset(key, 'z', sizeof key);
    key[0] = 2; /* a long name: behind all others */
    forge(STORE_SOURCES, key, sizeof key, value, sizeof value);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    expect_damage(store_sources_walk(snapshot, take_source, NULL, &fixture_error), "impossible form");
    store_snapshot_close(snapshot);
    sources[0].name_bytes = 1; /* a new one */
    expect_damage(fixture_apply(&f, batch_of(NULL, 1)), "a key has the wrong length");
}

static settle_status take_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context, (void)id, (void)error;
    return SETTLE_OK;
}

/* A block that has more ids than there is room for, or says another number of them than it has. */
Test(store_forged, a_block_of_ids_that_is_fuller_than_full_is_damage, FORGED)
{
    uint8_t key[512], value[STORE_BLOCK_BYTES];
    size_t key_bytes = 0;
    uint64_t position;
    struct store_id id = text_id("trade_1", 64), other = text_id("trade_2", 128);
    const size_t value_bytes = raw_first(&f, STORE_TEXT_IDS, key, &key_bytes, value, sizeof value);
    cr_assert_eq(value_bytes, sizeof value);
    value[3] = 0xff;
    forge(STORE_TEXT_IDS, key, key_bytes, value, sizeof value);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    expect_damage(store_id_get(snapshot, &id.key, &position, &fixture_error), "impossible count");
    expect_damage(store_ids_walk(snapshot, take_id, NULL, &fixture_error), "impossible count");
    store_snapshot_close(snapshot);
    expect_damage(fixture_apply(&f, batch_of(&other, 0)), "impossible count");
}

/* An id of a kind that no event has: a walk sees it, and whoever asks for an id never names it. */
Test(store_forged, an_id_of_no_event_is_damage, FORGED)
{
    uint8_t key[512], value[STORE_BLOCK_BYTES];
    size_t key_bytes = 0;
    struct store_id id = natural_id(1000, SETTLE_DEPOSIT, 7, 2, 64);
    EXPECT_OK(fixture_reopen(&f, true));
    EXPECT_OK(fixture_apply(&f, batch_of(&id, 0)));
    store_close(f.store);
    f.store = NULL;
    cr_assert_eq(raw_first(&f, STORE_NATURAL_IDS, key, &key_bytes, value, sizeof value), sizeof value);
    value[8 + 8] = 9;
    forge(STORE_NATURAL_IDS, key, key_bytes, value, sizeof value);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    EXPECT_STATUS(store_ids_walk(snapshot, take_id, NULL, &fixture_error), SETTLE_E_CORRUPT);
    store_snapshot_close(snapshot);
}

Test(store_forged, meta_with_a_reserved_bit_is_damage, FORGED)
{
    uint8_t key[512], value[STORE_META_VALUE_BYTES];
    size_t key_bytes = 0;
    struct store_meta meta;
    size_t value_bytes = raw_first(&f, STORE_META, key, &key_bytes, value, sizeof value);
    value[4] = 1;
    put_u32(value + value_bytes - STORE_CRC_BYTES,
            crc32c(crc32c(0, key, key_bytes), value, value_bytes - STORE_CRC_BYTES));
    raw_put(&f, STORE_META, key, key_bytes, value, value_bytes);
    settle_status status = fixture_reopen(&f, true);
    if (status != SETTLE_OK) {
        expect_damage(status, "meta is of another format");
        return;
    }
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    expect_damage(store_meta_get(snapshot, &meta, &fixture_error), "meta is of another format");
    store_snapshot_close(snapshot);
    expect_damage(fixture_apply(&f, batch_of(NULL, 0)), "meta is of another format");
}
