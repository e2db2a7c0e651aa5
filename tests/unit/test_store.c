/*
 * test_store.c — what is applied comes back: entries, walks, counts and digests, one transaction at a time. Opening and damage
 * are in test_store_open.c and test_store_damage.c.
 */
#include "engine/store.h"

#include <inttypes.h>

#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"

SETTLE_SUITE(store);

enum { SEEN_MAX = 4096 };

/* What a walk has seen, in order; stops with stop_status after stop_after entries. */
struct seen {
    size_t count, stop_after;
    settle_status stop_status;
    struct account accounts[SEEN_MAX];
    struct store_id ids[SEEN_MAX];
    uint64_t positions[SEEN_MAX];
    settle_asset assets[SEEN_MAX];
    struct source_entry sources[64];
};

static struct seen seen;

static settle_status seen_one(settle_error *error)
{
    seen.count++;
    cr_assert(seen.count < SEEN_MAX);
    if (seen.stop_after != 0 && seen.count == seen.stop_after) {
        if (error)
            error->seq = 4711;
        return seen.stop_status;
    }
    return SETTLE_OK;
}
static settle_status see_account(void *context, const struct account *account, settle_error *error)
{
    cr_assert_eq(context, &seen);
    seen.accounts[seen.count] = *account;
    return seen_one(error);
}
static settle_status see_id(void *context, const struct store_id *id, settle_error *error)
{
    cr_assert_eq(context, &seen);
    seen.ids[seen.count] = *id;
    return seen_one(error);
}
static settle_status see_position(void *context, uint64_t position, settle_error *error)
{
    cr_assert_eq(context, &seen);
    seen.positions[seen.count] = position;
    return seen_one(error);
}
static settle_status see_asset(void *context, const settle_asset *asset, settle_error *error)
{
    cr_assert_eq(context, &seen);
    seen.assets[seen.count] = *asset;
    return seen_one(error);
}
static settle_status see_source(void *context, const struct source_entry *entry, settle_error *error)
{
    cr_assert_eq(context, &seen);
    cr_assert_lt(seen.count, 64);
    seen.sources[seen.count] = *entry;
    return seen_one(error);
}

static void forget(void)
{
    seen.count = seen.stop_after = 0;
}

/* ---- A new store ------------------------------------------------------------------------------------------------------------ */

Test(store, a_new_store_is_empty_and_of_its_journal)
{
    struct fixture f;
    fixture_open(&f);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    struct store_meta meta;
    EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
    cr_assert_eq(memcmp(meta.journal_id, fixture_journal_id, 16), 0);
    cr_assert_eq(meta.point.position, 0);
    cr_assert_eq(meta.account_count + meta.id_count + meta.account_digest + meta.id_digest + meta.bounds.natural_ts_ms,
                 0);
    forget();
    EXPECT_OK(store_accounts_walk(snapshot, 0, see_account, &seen, &test_error));
    EXPECT_OK(store_accounts_walk(snapshot, 5, see_account, &seen, &test_error));
    EXPECT_OK(store_ids_walk(snapshot, see_id, &seen, &test_error));
    EXPECT_OK(store_arrivals_walk(snapshot, 1, see_position, &seen, &test_error));
    EXPECT_OK(store_assets_walk(snapshot, see_asset, &seen, &test_error));
    EXPECT_OK(store_sources_walk(snapshot, see_source, &seen, &test_error));
    cr_assert_eq(seen.count, 0);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store, absent_entries_are_not_found)
{
    struct fixture f;
    fixture_open(&f);
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    struct store_id id = natural_id(1, SETTLE_DEPOSIT, 1, 1, 1);
    struct account account = {.user = 77};
    struct source_entry entry = {.line = 77};
    uint64_t position = 77;
    EXPECT_STATUS(store_id_get(snapshot, &id.key, &position, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(store_account_get(snapshot, 1, 1, &account, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(store_source_get(snapshot, (settle_text){"s", 1}, &entry, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(position + account.user + entry.line, 3 * 77, "outputs are untouched");
    EXPECT_STATUS(store_id_get(snapshot, &id.key, &position, NULL), SETTLE_E_NOT_FOUND);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

/* ---- There and back --------------------------------------------------------------------------------------------------------- */

Test(store, ids_come_back_in_the_order_of_their_keys)
{
    struct fixture f;
    fixture_open(&f);
    struct store_id ids[] = {
        text_id("b", 800),
        natural_id(300, SETTLE_DEPOSIT, 2, 1, 500),
        text_id("a", 700),
        natural_id(300, SETTLE_DEPOSIT, 1, 9, 400),
        natural_id(2, SETTLE_WITHDRAWAL, 5, 5, 100),
        natural_id(300, SETTLE_WITHDRAWAL, 1, 1, 600),
        natural_id(300, SETTLE_DEPOSIT, 1, 8, 300),
    };
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 7}));
    EXPECT_OK(fixture_reopen(&f, true));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    forget();
    EXPECT_OK(store_ids_walk(snapshot, see_id, &seen, &test_error));
    cr_assert_eq(seen.count, 7);
    for (size_t i = 0; i < 7; i++) {
        uint64_t position = 0;
        cr_assert_eq(seen.ids[i].position, 100 * i + (i == 0 ? 100 : 200), "id %zu at %" PRIu64, i,
                     seen.ids[i].position);
        EXPECT_OK(store_id_get(snapshot, &ids[i].key, &position, &test_error));
        cr_assert_eq(position, ids[i].position);
    }
    struct store_meta meta;
    EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
    cr_assert_eq(meta.bounds.natural_ts_ms, 300);
    cr_assert_str_eq(meta.bounds.text, "b");
    cr_assert_eq(meta.id_count, 7);
    cr_assert_eq(meta.point.position, f.position);
    cr_assert_eq(meta.point.next_seq, f.position + 1);
    cr_assert_eq(meta.point.persisted_seq, f.position - 1);
    cr_assert_eq(meta.point.time_us, f.position + 2);
    cr_assert_eq(meta.point.frame_position, f.position - 64);
    cr_assert_eq(meta.point.chain, (uint32_t)f.position);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store, accounts_come_back_by_user_then_asset_system_accounts_last)
{
    struct fixture f;
    struct accounts accounts;
    fixture_open(&f);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    const struct account given[] = {
        sample_account(SETTLE_USER_FEES, 1, 3),     sample_account(256, 2, 3), sample_account(1, 300, 3),
        sample_account(SETTLE_USER_EXTERNAL, 7, 3), sample_account(1, 2, 3),   sample_account(255, 9, 3),
    };
    const size_t order[] = {4, 2, 5, 1, 3, 0};
    for (size_t i = 0; i < 6; i++)
        put_sample(&accounts, &given[i]);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.accounts = &accounts}));
    EXPECT_OK(fixture_reopen(&f, true));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    forget();
    EXPECT_OK(store_accounts_walk(snapshot, 0, see_account, &seen, &test_error));
    cr_assert_eq(seen.count, 6);
    for (size_t i = 0; i < 6; i++) {
        struct account account;
        cr_assert(account_equal(&seen.accounts[i], &given[order[i]]), "account %zu", i);
        EXPECT_OK(store_account_get(snapshot, given[i].user, given[i].asset, &account, &test_error));
        cr_assert(account_equal(&account, &given[i]));
    }
    forget();
    EXPECT_OK(store_accounts_walk(snapshot, 1, see_account, &seen, &test_error));
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.accounts[0].asset, 2);
    cr_assert_eq(seen.accounts[1].asset, 300);
    EXPECT_OK(store_accounts_walk(snapshot, SETTLE_USER_FEES, see_account, &seen, &test_error));
    cr_assert_eq(seen.count, 3);
    EXPECT_OK(store_accounts_walk(snapshot, 2, see_account, &seen, &test_error));
    cr_assert_eq(seen.count, 3, "a user between two others has none");
    store_snapshot_close(snapshot);
    accounts_deinit(&accounts);
    fixture_close(&f);
}

Test(store, arrivals_come_back_by_their_first)
{
    struct fixture f;
    fixture_open(&f);
    struct store_arrival arrivals[] = {{100, 900}, {300, 301}, {100, 200}, {99, 101}, {100, 256}, {101, 102}};
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.arrivals = arrivals, .arrival_count = 6}));
    struct store_arrival more[] = {{100, 1000}, {100, 200}};
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.arrivals = more, .arrival_count = 2}));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    forget();
    EXPECT_OK(store_arrivals_walk(snapshot, 100, see_position, &seen, &test_error));
    cr_assert_eq(seen.count, 4);
    const uint64_t expected[] = {200, 256, 900, 1000};
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(seen.positions[i], expected[i]);
    forget();
    EXPECT_OK(store_arrivals_walk(snapshot, 98, see_position, &seen, &test_error));
    EXPECT_OK(store_arrivals_walk(snapshot, 200, see_position, &seen, &test_error));
    EXPECT_OK(store_arrivals_walk(snapshot, 301, see_position, &seen, &test_error));
    cr_assert_eq(seen.count, 0);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store, assets_come_back_and_may_be_declared_again_alike)
{
    struct fixture f;
    fixture_open(&f);
    const settle_asset assets[] = {{.id = 300, .scale = 18, .symbol = "ETH"},
                                   {.id = 2, .scale = 6, .symbol = "ABCDEFGHIJKLMNO"}};
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.assets = assets, .asset_count = 2}));
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.assets = assets, .asset_count = 1}));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    forget();
    EXPECT_OK(store_assets_walk(snapshot, see_asset, &seen, &test_error));
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.assets[0].id, 2);
    cr_assert_eq(seen.assets[0].scale, 6);
    cr_assert_str_eq(seen.assets[0].symbol, "ABCDEFGHIJKLMNO");
    cr_assert_eq(seen.assets[1].id, 300);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store, sources_of_every_length_come_back_and_move_on)
{
    static const size_t lengths[] = {1, 499, 500, 501, 4095};
    static char name[4095];
    struct fixture f;
    struct source_entry sources[5], entry;
    fixture_open(&f);
    memset(name, 'n', sizeof(name));
    for (uint64_t round = 1; round <= 2; round++) {
        for (size_t i = 0; i < 5; i++)
            sources[i] = (struct source_entry){
                .name = name, .name_bytes = lengths[i], .offset_bytes = round * 1000 + i, .line = round * 10 + i};
        EXPECT_OK(fixture_apply(&f, (struct store_batch){.sources = sources, .source_count = 5}));
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        for (size_t i = 0; i < 5; i++) {
            EXPECT_OK(store_source_get(snapshot, (settle_text){name, lengths[i]}, &entry, &test_error));
            cr_assert_null(entry.name);
            cr_assert_eq(entry.name_bytes, lengths[i]);
            cr_assert_eq(entry.offset_bytes, round * 1000 + i);
            cr_assert_eq(entry.line, round * 10 + i);
        }
        EXPECT_STATUS(store_source_get(snapshot, (settle_text){name, 502}, &entry, &test_error), SETTLE_E_NOT_FOUND);
        forget();
        EXPECT_OK(store_sources_walk(snapshot, see_source, &seen, &test_error));
        cr_assert_eq(seen.count, 5);
        for (size_t i = 0; i < 3; i++) { /* short names by their bytes; long ones behind them */
            cr_assert_eq(seen.sources[i].name_bytes, lengths[i]);
            cr_assert_eq(memcmp(seen.sources[i].name, name, lengths[i]), 0);
        }
        cr_assert_eq(seen.sources[3].name_bytes + seen.sources[4].name_bytes, 501 + 4095);
        store_snapshot_close(snapshot);
    }
    fixture_close(&f);
}

/* As they happen to be opened, not as their keys are: from leaf to leaf and back. */
Test(store, sources_of_many_leaves_move_on_in_any_order)
{
    enum { SOURCES = 200, NAME = 300 };
    static char names[SOURCES][NAME];
    static struct source_entry sources[SOURCES];
    struct fixture f;
    struct source_entry entry;
    fixture_open(&f);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SOURCES; i++) {
            const unsigned number = round == 0 ? i : round == 1 ? SOURCES - 1 - i : i * 77 % SOURCES;
            memset(names[i], 'n', NAME);
            snprintf(names[i], NAME, "%03u", number);
            names[i][3] = 'n';
            sources[i] = (struct source_entry){
                .name = names[i], .name_bytes = NAME, .offset_bytes = 1000 * round + number, .line = round};
        }
        EXPECT_OK(fixture_apply(&f, (struct store_batch){.sources = sources, .source_count = SOURCES}));
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        for (unsigned i = 0; i < SOURCES; i++) {
            EXPECT_OK(store_source_get(snapshot, (settle_text){names[i], NAME}, &entry, &test_error));
            cr_assert(entry.offset_bytes == sources[i].offset_bytes && entry.line == round);
        }
        store_snapshot_close(snapshot);
    }
    fixture_close(&f);
}

Test(store, a_visitor_stops_its_walk_with_its_own_status)
{
    static const settle_status statuses[] = {SETTLE_E_END, SETTLE_E_NOT_FOUND, SETTLE_E_INVALID};
    struct fixture f;
    struct accounts accounts;
    struct store_id ids[] = {text_id("a", 1), text_id("b", 2), text_id("c", 3)};
    fixture_open(&f);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    for (uint32_t i = 1; i <= 3; i++) {
        struct account account = sample_account(9, i, 1);
        put_sample(&accounts, &account);
    }
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.accounts = &accounts, .ids = ids, .id_count = 3}));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    for (size_t i = 0; i < 3; i++) {
        seen = (struct seen){.stop_after = 2, .stop_status = statuses[i]};
        EXPECT_STATUS(store_accounts_walk(snapshot, i % 2 != 0 ? 9 : 0, see_account, &seen, &test_error), statuses[i]);
        cr_assert_eq(test_error.seq, 4711, "the visitor's error is handed on");
        seen = (struct seen){.stop_after = 2, .stop_status = statuses[i]};
        EXPECT_STATUS(store_ids_walk(snapshot, see_id, &seen, &test_error), statuses[i]);
        cr_assert_eq(seen.count, 2);
    }
    store_snapshot_close(snapshot);
    accounts_deinit(&accounts);
    fixture_close(&f);
}

/* ---- Histories that do not fit ---------------------------------------------------------------------------------------------- */

Test(store, the_point_only_moves_forward)
{
    struct fixture f;
    struct store_id ids[] = {text_id("first", 8), text_id("second", 9)};
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 1}));
    struct store_batch batch = {.ids = ids + 1, .id_count = 1, .point = {.position = f.position}};
    EXPECT_STATUS(store_apply(f.store, &batch, &test_error), SETTLE_E_INVALID);
    batch.point.position--;
    EXPECT_STATUS(store_apply(f.store, &batch, &test_error), SETTLE_E_INVALID);
    uint64_t position;
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    EXPECT_STATUS(store_id_get(snapshot, &ids[1].key, &position, &test_error), SETTLE_E_NOT_FOUND);
    store_snapshot_rest(snapshot);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids + 1, .id_count = 1}));
    EXPECT_OK(store_snapshot_renew(snapshot, &test_error));
    EXPECT_OK(store_id_get(snapshot, &ids[1].key, &position, &test_error));
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

/* After a first batch with one id, account and asset: a batch that contradicts it leaves nothing behind, and latches. */
static void expect_contradiction(const struct store_batch *bad)
{
    struct fixture f;
    struct accounts accounts;
    struct store_id ids[] = {natural_id(5, SETTLE_DEPOSIT, 5, 5, 64), text_id("new", 100)};
    const settle_asset asset = {.id = 5, .scale = 5, .symbol = "FIVE"};
    struct account account = sample_account(5, 5, 5);
    fixture_open(&f);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    put_sample(&accounts, &account);
    EXPECT_OK(fixture_apply(
        &f,
        (struct store_batch){.accounts = &accounts, .ids = ids, .id_count = 1, .assets = &asset, .asset_count = 1}));
    EXPECT_STATUS(fixture_apply(&f, *bad), SETTLE_E_CORRUPT);
    cr_assert(strstr(fixture_error.text, "do not fit together"), "%s", fixture_error.text);
    EXPECT_STATUS(fixture_apply(&f, (struct store_batch){.ids = ids + 1, .id_count = 1}), SETTLE_E_LATCHED);
    EXPECT_OK(fixture_reopen(&f, true));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    struct account after;
    struct store_meta meta;
    EXPECT_OK(store_account_get(snapshot, 5, 5, &after, &test_error));
    cr_assert(account_equal(&after, &account));
    EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
    cr_assert_eq(meta.point.position, 1000000);
    cr_assert_eq(meta.id_count, 1);
    forget();
    EXPECT_OK(store_ids_walk(snapshot, see_id, &seen, &test_error));
    EXPECT_OK(store_accounts_walk(snapshot, 0, see_account, &seen, &test_error));
    store_snapshot_close(snapshot);
    accounts_deinit(&accounts);
    fixture_close(&f);
}

Test(store, an_id_taken_by_another_event_is_never_overwritten)
{
    struct store_id ids[] = {text_id("a", 70), natural_id(5, SETTLE_DEPOSIT, 5, 5, 65),
                             natural_id(6, SETTLE_DEPOSIT, 5, 5, 66)};
    expect_contradiction(&(struct store_batch){.ids = ids, .id_count = 3});
}

Test(store, an_id_twice_in_a_batch_is_seen)
{
    struct store_id ids[] = {text_id("a", 70), text_id("a", 71)};
    expect_contradiction(&(struct store_batch){.ids = ids, .id_count = 2});
}

Test(store, an_asset_keeps_its_values)
{
    const settle_asset scale = {.id = 5, .scale = 6, .symbol = "FIVE"},
                       symbol = {.id = 5, .scale = 5, .symbol = "FIVER"};
    expect_contradiction(&(struct store_batch){.assets = &scale, .asset_count = 1});
    expect_contradiction(&(struct store_batch){.assets = &symbol, .asset_count = 1});
}

Test(store, an_account_never_becomes_older)
{
    struct accounts accounts;
    struct account older = sample_account(5, 5, 4), other = sample_account(1, 1, 1);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    put_sample(&accounts, &other);
    put_sample(&accounts, &older);
    expect_contradiction(&(struct store_batch){.accounts = &accounts});
    accounts_deinit(&accounts);
}

Test(store, an_id_again_with_the_same_position_changes_nothing)
{
    struct fixture f;
    struct store_id ids[] = {natural_id(5, SETTLE_DEPOSIT, 5, 5, 64), text_id("t", 100)};
    struct store_meta before, after;
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 2}));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    EXPECT_OK(store_meta_get(snapshot, &before, &test_error));
    store_snapshot_rest(snapshot);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 2}));
    EXPECT_OK(store_snapshot_renew(snapshot, &test_error));
    EXPECT_OK(store_meta_get(snapshot, &after, &test_error));
    cr_assert_eq(after.id_count, 2);
    cr_assert_eq(after.id_digest, before.id_digest);
    forget();
    EXPECT_OK(store_ids_walk(snapshot, see_id, &seen, &test_error));
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

/* ---- Snapshots ---------------------------------------------------------------------------------------------------------------- */

Test(store, a_snapshot_sees_one_moment_until_it_is_renewed)
{
    struct fixture f;
    struct store_id ids[] = {text_id("one", 1), text_id("two", 2)};
    uint64_t position;
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = 1}));
    struct store_snapshot *old = fixture_snapshot(f.store), *idle = fixture_snapshot(f.store);
    store_snapshot_rest(idle);
    store_snapshot_rest(idle);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids + 1, .id_count = 1}));
    EXPECT_STATUS(store_id_get(old, &ids[1].key, &position, &test_error), SETTLE_E_NOT_FOUND);
    struct store_snapshot *new = fixture_snapshot(f.store);
    EXPECT_OK(store_id_get(new, &ids[1].key, &position, &test_error));
    EXPECT_OK(store_snapshot_renew(old, &test_error));
    EXPECT_OK(store_id_get(old, &ids[1].key, &position, &test_error));
    EXPECT_OK(store_snapshot_renew(idle, &test_error));
    EXPECT_OK(store_id_get(idle, &ids[1].key, &position, &test_error));
    store_snapshot_rest(old);
    store_snapshot_close(old);
    store_snapshot_close(new);
    store_snapshot_close(idle);
    store_snapshot_close(NULL);
    fixture_close(&f);
}

/* ---- Against a model -------------------------------------------------------------------------------------------------------------- */

enum { MODEL_USERS = 40, MODEL_ASSETS = 3, MODEL_IDS = 2000 };

struct model {
    struct account accounts[MODEL_USERS][MODEL_ASSETS]; /* version 0: none */
    struct store_id ids[MODEL_IDS];
    size_t id_count;
    uint64_t random;
};

static uint64_t model_random(struct model *model, uint64_t limit)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % limit;
}

static void model_batch(struct model *model, struct fixture *f, struct accounts *accounts)
{
    size_t first = model->id_count, changes = model_random(model, 60), ids = model_random(model, 60);
    accounts_clear(accounts);
    for (size_t i = 0; i < changes; i++) {
        uint64_t user = model_random(model, MODEL_USERS), asset = model_random(model, MODEL_ASSETS);
        struct account *account = &model->accounts[user][asset];
        *account = sample_account(user + 1, (uint32_t)asset + 1, account->version + 1);
        account->available += (settle_int128)model_random(model, 1000);
        put_sample(accounts, account);
    }
    for (size_t i = 0; i < ids && model->id_count < MODEL_IDS; i++, model->id_count++) {
        char text[32];
        uint64_t n = model->id_count * 7919 % MODEL_IDS, position = 100 + model->id_count;
        snprintf(text, sizeof(text), "t-%" PRIu64, n);
        model->ids[model->id_count] = model_random(model, 2) != 0
                                          ? natural_id(n / 3, SETTLE_DEPOSIT, n + 1, 1, position)
                                          : text_id(text, position);
    }
    EXPECT_OK(fixture_apply(
        f, (struct store_batch){.accounts = accounts, .ids = model->ids + first, .id_count = model->id_count - first}));
}

static void expect_as_model(struct store_snapshot *snapshot, const struct model *model)
{
    struct store_meta meta;
    uint64_t accounts = 0, account_digest = 0, id_digest = 0, max_ts = 0;
    for (size_t i = 0; i < MODEL_USERS * MODEL_ASSETS; i++) {
        const struct account *account = &model->accounts[i / MODEL_ASSETS][i % MODEL_ASSETS];
        if (account->version == 0)
            continue;
        account_digest += store_account_digest(account);
        cr_assert(account_equal(account, &seen.accounts[accounts++]));
    }
    for (size_t i = 0; i < model->id_count; i++) {
        uint64_t position = 0;
        EXPECT_OK(store_id_get(snapshot, &model->ids[i].key, &position, &test_error));
        cr_assert_eq(position, model->ids[i].position);
        id_digest += store_id_digest(&model->ids[i]);
        if (model->ids[i].key.is_natural && model->ids[i].key.ts_ms > max_ts)
            max_ts = model->ids[i].key.ts_ms;
    }
    EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
    cr_assert_eq(meta.account_count, accounts);
    cr_assert_eq(meta.id_count, model->id_count);
    cr_assert_eq(meta.account_digest, account_digest);
    cr_assert_eq(meta.id_digest, id_digest);
    cr_assert_eq(meta.bounds.natural_ts_ms, max_ts);
}

Test(store, random_batches_leave_what_a_model_expects)
{
    static struct model model;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct fixture f;
        struct accounts accounts;
        fprintf(stderr, "seed %" PRIu64 "\n", seed);
        model = (struct model){.random = seed * 0x9e3779b97f4a7c15u};
        fixture_open(&f);
        EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
        for (int round = 0; round < 40; round++) {
            model_batch(&model, &f, &accounts);
            if (round % 10 == 9)
                EXPECT_OK(fixture_reopen(&f, true));
            struct store_snapshot *snapshot = fixture_snapshot(f.store);
            forget();
            EXPECT_OK(store_accounts_walk(snapshot, 0, see_account, &seen, &test_error));
            expect_as_model(snapshot, &model);
            forget();
            EXPECT_OK(store_ids_walk(snapshot, see_id, &seen, &test_error));
            store_snapshot_close(snapshot);
        }
        accounts_deinit(&accounts);
        fixture_close(&f);
    }
}
