/*
 * test_store_block.c — blocks of event ids: their bytes, what may be in them, and that ids of any number and order come back from
 * a table of them.
 *
 * Linked with --wrap=mdb_cursor_put.
 */
#include "engine/store_block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/stream.h"

SETTLE_SUITE(store_block);

struct made {
    struct store_block_builder builder;
    struct store_bytes key, value;
};

static void make(struct made *made, const struct store_id *ids, size_t count)
{
    uint8_t least[STORE_ID_KEY_BYTES_MAX];
    const enum store_table table = store_id_table(&ids[0].key);
    store_block_build(&made->builder, (struct store_bytes){least, store_block_least_key(table, least)});
    for (size_t i = 0; i < count; i++) {
        uint8_t key[STORE_ID_KEY_BYTES_MAX];
        const size_t bytes = store_id_key(&ids[i].key, key);
        store_block_add(&made->builder, &(struct store_block_id){{key + 1, bytes - 1}, ids[i].position});
    }
    const struct store_entry entry = store_block_seal(&made->builder);
    made->key = entry.key;
    made->value = entry.value;
}

static const char *open_it(const struct made *made)
{
    struct store_block_cursor cursor;
    return store_block_open(made->key, made->value, &cursor);
}

/* ---- The bytes, for ever --------------------------------------------------------------------------------------------------- */

static void expect_hex(const uint8_t *bytes, size_t count, const char *expected)
{
    char hex[512] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    cr_assert_str_eq(hex, expected);
}

Test(store_block, natural_ids_have_these_bytes)
{
    struct made made;
    const struct store_id ids[] = {natural_id(0x0001020304050607, SETTLE_DEPOSIT, 0x11, 2, 0x3132333435363738),
                                   natural_id(0x0001020304050607, SETTLE_WITHDRAWAL, 0x12, 3, 9)};
    make(&made, ids, 2);
    expect_hex(made.key.at, made.key.count, "01000000000000000000000000000000000000000000");
    cr_assert_eq(made.value.count, 1960);
    expect_hex(made.value.at, 8 + 2 * 29 + 4,
               "02003a0000000000"
               "000102030405060701000000000000001100000002"
               "3837363534333231"
               "000102030405060702000000000000001200000003"
               "0900000000000000"
               "00000000");
    cr_assert(bytes_are_zero((const uint8_t *)made.value.at + 66, 1956 - 66));
    expect_hex((const uint8_t *)made.value.at + 1956, 4, "8f170592");
}

Test(store_block, other_ids_have_these_bytes)
{
    struct made made;
    const struct store_id ids[] = {text_id("T-1", 5), text_id("T-10", 0x80)};
    make(&made, ids, 2);
    expect_hex(made.key.at, made.key.count, "02");
    expect_hex(made.value.at, 8 + 12 + 13,
               "0200190000000000"
               "03542d31"
               "0500000000000000"
               "04542d3130"
               "8000000000000000");
    expect_hex((const uint8_t *)made.value.at + 1956, 4, "535ea7da");
}

/* ---- Damage ------------------------------------------------------------------------------------------------------------------ */

Test(store_block, every_flipped_bit_is_seen)
{
    const struct store_id ids[] = {natural_id(7, SETTLE_DEPOSIT, 1, 2, 64), text_id("T-1", 5)};
    for (size_t i = 0; i < 2; i++) {
        struct made made;
        uint8_t id_key[STORE_ID_KEY_BYTES_MAX];
        struct store_block_cursor cursor;
        make(&made, &ids[i], 1);
        const size_t key_bytes = store_id_key(&ids[i].key, id_key);
        cr_assert_null(store_block_open(made.key, made.value, &cursor));
        cr_assert_eq(store_block_find(&cursor, (struct store_bytes){id_key + 1, key_bytes - 1}), ids[i].position);
        for (size_t bit = 0; bit < 8 * (made.key.count + made.value.count); bit++) {
            uint8_t *at =
                bit / 8 < made.key.count ? &made.builder.key[bit / 8] : &made.builder.value[bit / 8 - made.key.count];
            *at ^= (uint8_t)(1u << bit % 8);
            cr_assert_not_null(open_it(&made), "bit %zu", bit);
            *at ^= (uint8_t)(1u << bit % 8);
        }
        for (made.value.count = 0; made.value.count < STORE_BLOCK_BYTES; made.value.count++)
            cr_assert_not_null(open_it(&made), "%zu bytes", made.value.count);
        made.key.count = 0;
        cr_assert_not_null(open_it(&made), "no key");
    }
}

/* Sealed again, so that only the form can tell. */
static const char *changed(struct made *made, size_t at, uint8_t byte)
{
    const uint8_t before = made->builder.value[at];
    made->builder.value[at] = byte;
    store_entry_seal(made->builder.key, made->builder.key_bytes, made->builder.value, STORE_BLOCK_BYTES);
    const char *fault = open_it(made);
    made->builder.value[at] = before;
    store_entry_seal(made->builder.key, made->builder.key_bytes, made->builder.value, STORE_BLOCK_BYTES);
    cr_assert_null(open_it(made));
    return fault;
}

Test(store_block, a_form_that_cannot_be_is_refused_whatever_its_checksum)
{
    const struct store_id naturals[] = {natural_id(7, SETTLE_DEPOSIT, 1, 2, 64),
                                        natural_id(8, SETTLE_DEPOSIT, 1, 2, 65)},
                          texts[] = {text_id("T-1", 5), text_id("T-2", 6)};
    struct made made;
    make(&made, naturals, 2);
    cr_assert_str_eq(changed(&made, 0, 1), "a block of event ids has an impossible count");
    cr_assert_str_eq(changed(&made, 3, 0xff), "a block of event ids has an impossible count");
    cr_assert_str_eq(changed(&made, 4, 1), "a block of event ids is not filled as it says");
    cr_assert_str_eq(changed(&made, 8 + 58, 1), "a block of event ids is not filled as it says");
    cr_assert_str_eq(changed(&made, 8 + 7, 9), "the event ids of a block are out of order");
    cr_assert_str_eq(changed(&made, 8 + 21, 0), "a block holds an impossible event id");
    make(&made, texts, 2);
    cr_assert_str_eq(changed(&made, 0, 1), "a block of event ids is not filled as it says");
    cr_assert_str_eq(changed(&made, 8, 65), "a block of event ids is not filled as it says");
    cr_assert_str_eq(changed(&made, 8 + 12, 0), "the event ids of a block are out of order"); /* a shorter one */
    cr_assert_str_eq(changed(&made, 8 + 3, '3'), "the event ids of a block are out of order");
    cr_assert_str_eq(changed(&made, 8 + 3, '2'), "the event ids of a block are out of order"); /* twice the same */
    cr_assert_str_eq(changed(&made, 0, 3), "a block of event ids is not filled as it says");
    cr_assert_str_eq(changed(&made, 8, 0), "a block holds an impossible event id");
    cr_assert_str_eq(changed(&made, 2, 25),
                     "a block of event ids is not filled as it says"); /* a byte more than its ids */
    char endless[SETTLE_EVENT_ID_BYTES_MAX + 1];
    memset(endless, 'e', sizeof endless);
    store_block_add(&made.builder, &(struct store_block_id){{endless, sizeof endless}, 7});
    (void)store_block_seal(&made.builder);
    cr_assert_str_eq(open_it(&made), "a block holds an impossible event id");

    uint8_t key[STORE_ID_KEY_BYTES_MAX];
    struct store_id later = text_id("T-11", 1);
    store_block_build(&made.builder, (struct store_bytes){key, store_id_key(&later.key, key)});
    store_block_add(&made.builder, &(struct store_block_id){{"T-1", 3}, 5});
    struct store_entry entry = store_block_seal(&made.builder);
    struct store_block_cursor cursor;
    cr_assert_str_eq(store_block_open(entry.key, entry.value, &cursor), "the event ids of a block are out of order");
}

Test(store_block, an_id_of_no_event_is_refused)
{
    struct made made;
    struct store_id id = natural_id(7, SETTLE_DEPOSIT, 1, 2, 64), decoded;
    struct store_block_cursor cursor;
    struct store_block_id in_block;
    for (unsigned type = 0; type < 5; type++) {
        make(&made, &id, 1);
        made.builder.value[8 + 8] = (uint8_t)type;
        store_entry_seal(made.builder.key, made.builder.key_bytes, made.builder.value, STORE_BLOCK_BYTES);
        cr_assert_null(store_block_open(made.key, made.value, &cursor));
        cr_assert(store_block_next(&cursor, &in_block));
        const char *fault = store_block_id_decode(STORE_NATURAL_IDS, &in_block, &decoded);
        cr_assert_eq(fault == NULL, type == SETTLE_DEPOSIT || type == SETTLE_WITHDRAWAL, "type %u", type);
        cr_assert_not(store_block_next(&cursor, &in_block));
    }
}

/* ---- Tables of blocks -------------------------------------------------------------------------------------------------------- */

static uint64_t position_of(const struct store_id *ids, size_t count, const struct event_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (event_key_equal(&ids[i].key, key))
            return ids[i].position;
    return 0;
}

struct expected {
    const struct store_id *ids;
    size_t count, met;
};

static settle_status expect_id(void *context, const struct store_id *id, settle_error *error)
{
    struct expected *expected = context;
    (void)error;
    expected->met++;
    cr_assert_eq(position_of(expected->ids, expected->count, &id->key), id->position);
    return SETTLE_OK;
}

/* All of them and no others, by look-up and by walk. */
static void expect_ids(struct fixture *f, const struct store_id *ids, size_t count, const struct store_id *absent,
                       size_t absent_count)
{
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    uint64_t position;
    for (size_t i = 0; i < count; i++) {
        EXPECT_OK(store_id_get(snapshot, &ids[i].key, &position, &test_error));
        cr_assert_eq(position, ids[i].position, "id %zu", i);
    }
    for (size_t i = 0; i < absent_count; i++)
        cr_assert_eq(store_id_get(snapshot, &absent[i].key, &position, &test_error), SETTLE_E_NOT_FOUND, "id %zu", i);
    struct expected expected = {ids, count, 0};
    EXPECT_OK(store_ids_walk(snapshot, expect_id, &expected, &test_error));
    cr_assert_eq(expected.met, count);
    store_snapshot_close(snapshot);
}

static struct store_id random_id(struct stream *dice, uint64_t position)
{
    static const char letters[] = "ab-_";
    if (stream_random(dice, 2) == 0)
        return natural_id(stream_random(dice, 40), stream_random(dice, 2) == 0 ? SETTLE_DEPOSIT : SETTLE_WITHDRAWAL,
                          1 + stream_random(dice, 40), (uint32_t)(1 + stream_random(dice, 3)), position);
    char text[SETTLE_EVENT_ID_BYTES_MAX + 1] = "";
    const size_t bytes = 1 + stream_random(dice, stream_random(dice, 4) == 0 ? SETTLE_EVENT_ID_BYTES_MAX : 6);
    for (size_t i = 0; i < bytes; i++)
        text[i] = letters[stream_random(dice, 4)];
    return text_id(text, position);
}

/* In batches of every size, so that blocks are begun, filled, split and left alone, at the ends and in the middle. */
Test(store_block, ids_in_any_order_and_number_are_found_again)
{
    enum { IDS = 3000, ABSENT = 300 };
    static struct store_id ids[IDS + ABSENT], batch[IDS];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct stream dice;
        struct fixture f;
        size_t count = 0;
        stream_init(&dice, seed);
        fixture_open(&f);
        while (count < IDS + ABSENT) {
            struct store_id id = random_id(&dice, 64 * (count + 1));
            if (position_of(ids, count, &id.key) == 0)
                ids[count++] = id;
        }
        for (size_t done = 0, more; done < IDS; done += more) {
            more = 1 + stream_random(&dice, stream_random(&dice, 3) == 0 ? 600 : 20);
            if (more > IDS - done)
                more = IDS - done;
            memcpy(batch, ids + done, more * sizeof *batch);
            EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = batch, .id_count = more}));
            if (stream_random(&dice, 8) == 0)
                expect_ids(&f, ids, done + more, ids + done + more, IDS + ABSENT - done - more);
        }
        expect_ids(&f, ids, IDS, ids + IDS, ABSENT);
        fixture_close(&f);
    }
}

Test(store_block, an_id_that_is_there_keeps_its_position)
{
    struct fixture f;
    struct store_id ids[] = {text_id("b", 64), text_id("c", 128)}, again = text_id("b", 64), other = text_id("c", 192);
    struct store_id twice[] = {text_id("a", 256), text_id("a", 256)}, unlike[] = {text_id("0", 1), text_id("0", 2)};
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 2}));
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = &again, .id_count = 1}));
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = twice, .id_count = 2}));
    struct store_id all[] = {ids[0], ids[1], twice[0]};
    expect_ids(&f, all, 3, &unlike[0], 1);
    cr_assert_eq(fixture_apply(&f, (struct store_batch){.ids = unlike, .id_count = 2}), SETTLE_E_CORRUPT);
    EXPECT_OK(fixture_reopen(&f, true));
    cr_assert_eq(fixture_apply(&f, (struct store_batch){.ids = &other, .id_count = 1}), SETTLE_E_CORRUPT);
    cr_assert(strstr(fixture_error.text, "an event id is taken by another event"), "%s", fixture_error.text);
    EXPECT_OK(fixture_reopen(&f, true));
    expect_ids(&f, all, 3, &unlike[0], 1);
    fixture_close(&f);
}

/* Ids that count upwards fill their blocks; ids that come before all others do not leave a block each. */
Test(store_block, blocks_are_full_where_ids_grow_and_shared_where_they_fall)
{
    enum { IDS = 6000 };
    static struct store_id ids[IDS];
    for (int falling = 0; falling < 2; falling++) {
        struct fixture f;
        struct stat status;
        char path[TEMPDIR_PATH_BYTES];
        fixture_open(&f);
        for (unsigned i = 0; i < IDS; i += 50) {
            for (unsigned k = 0; k < 50; k++)
                ids[k] = natural_id(falling != 0 ? IDS - i - k : i + k + 1, SETTLE_DEPOSIT, 7, 2, 64 * (i + k + 1));
            EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 50}));
        }
        fixture_file(&f, STORE_DATA_NAME, path);
        cr_assert_eq(stat(path, &status), 0);
        fprintf(stderr, "%lld bytes\n", (long long)status.st_size);
        cr_assert_lt(status.st_size, (falling != 0 ? 3 : 2) * IDS * 29 + 200000);
        fixture_close(&f);
    }
}

/* ---- A write that fails ---- */

static uint64_t puts_until_failure; /* 0: none fails */

int __real_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);

int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags)
{
    if (puts_until_failure == 0 || --puts_until_failure > 0)
        return __real_mdb_cursor_put(cursor, key, data, flags);
    errno = EIO; /* LMDB's own EIO comes without one */
    return EIO;
}

/* Each block that a batch changes or begins: what was there before stays, and nothing of the batch is. The new ids come between the
 * old ones, or all before them, so that what was there must go to another block. */
static void expect_all_or_nothing(bool is_before)
{
    enum { OLD = 600, NEW = 300 };
    static struct store_id ids[OLD + NEW];
    struct fixture f;
    for (unsigned i = 0; i < OLD + NEW; i++) {
        char text[32];
        const unsigned place = is_before ? 0 : 100 * (7 * (i % 83) + i % 3);
        if (i < OLD)
            snprintf(text, sizeof text, "%05u", 100 * (i + 1));
        else
            snprintf(text, sizeof text, "%05u-%04u", place, i);
        ids[i] = text_id(text, 64 * (i + 1));
    }
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = OLD}));
    uint64_t failures = 0;
    for (settle_status status = SETTLE_E_IO; status != SETTLE_OK; failures++) {
        puts_until_failure = failures + 1;
        status = fixture_apply(&f, (struct store_batch){.ids = ids + OLD, .id_count = NEW});
        puts_until_failure = 0;
        cr_assert(status == SETTLE_OK || status == SETTLE_E_IO, "write %u: %d", (unsigned)failures, (int)status);
        EXPECT_OK(fixture_reopen(&f, true));
        if (status != SETTLE_OK)
            expect_ids(&f, ids, OLD, ids + OLD, NEW);
    }
    cr_assert_gt(failures, 3);
    expect_ids(&f, ids, OLD + NEW, NULL, 0);
    fixture_close(&f);
}

Test(store_block, a_write_that_fails_leaves_all_blocks_as_they_were)
{
    expect_all_or_nothing(false);
    expect_all_or_nothing(true);
}

/* ---- What a table of blocks must not be ------------------------------------------------------------------------------------- */

static settle_status ignore_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context, (void)id, (void)error;
    return SETTLE_OK;
}

Test(store_block, an_id_in_the_wrong_block_is_seen_by_a_walk)
{
    struct fixture f;
    struct store_id ids[] = {text_id("b", 64), text_id("d", 128)}, early = text_id("c", 128);
    uint8_t key[STORE_ID_KEY_BYTES_MAX];
    struct store_block_builder block;
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 2}));
    store_close(f.store);
    f.store = NULL;
    store_block_build(&block, (struct store_bytes){key, store_id_key(&early.key, key)});
    store_block_add(&block, &(struct store_block_id){{"e", 1}, 192});
    struct store_entry entry = store_block_seal(&block);
    raw_put(&f, STORE_TEXT_IDS, entry.key.at, entry.key.count, entry.value.at, entry.value.count);
    EXPECT_OK(fixture_reopen(&f, false));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    EXPECT_STATUS(store_ids_walk(snapshot, ignore_id, NULL, &test_error), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "belong to the next"), "%s", test_error.text);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store_block, a_table_without_its_first_block_is_damaged)
{
    struct fixture f;
    struct store_id id = text_id("m", 64), before = text_id("a", 128), found = text_id("m", 64);
    uint8_t least[STORE_ID_KEY_BYTES_MAX], key[STORE_ID_KEY_BYTES_MAX];
    struct store_block_builder block;
    uint64_t position;
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = &id, .id_count = 1}));
    store_close(f.store);
    f.store = NULL;
    raw_delete(&f, STORE_TEXT_IDS, least, store_block_least_key(STORE_TEXT_IDS, least));
    store_block_build(&block, (struct store_bytes){key, store_id_key(&id.key, key)});
    store_block_add(&block, &(struct store_block_id){{"m", 1}, 64});
    struct store_entry entry = store_block_seal(&block);
    raw_put(&f, STORE_TEXT_IDS, entry.key.at, entry.key.count, entry.value.at, entry.value.count);
    EXPECT_OK(fixture_reopen(&f, true));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    EXPECT_OK(store_id_get(snapshot, &found.key, &position, &test_error));
    EXPECT_STATUS(store_id_get(snapshot, &before.key, &position, &test_error), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "first entry"), "%s", test_error.text);
    store_snapshot_close(snapshot);
    cr_assert_eq(fixture_apply(&f, (struct store_batch){.ids = &before, .id_count = 1}), SETTLE_E_CORRUPT);
    fixture_close(&f);
}
