/*
 * store_fixture.h — a data directory with a store for a test, values that are easy to recognise, and the same store seen with
 * LMDB's own eyes, to damage it.
 *
 * LMDB allows one environment of a directory in a process: close the store before raw_begin().
 */
#ifndef TESTS_LIB_STORE_FIXTURE_H
#define TESTS_LIB_STORE_FIXTURE_H

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/store_block.h"
#include "engine/store_tables.h"
#include "journal/base/file.h"
#include "tests/lib/child.h"
#include "tests/lib/tempdir.h"

#define FIXTURE_CHECK(condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, fixture_error.text);           \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct fixture {
    char path[TEMPDIR_BYTES];
    int fd;
    struct store *store;
    uint64_t position; /* of the last batch's point */
};

static settle_error fixture_error __attribute__((unused));
static const uint8_t fixture_journal_id[16]
    __attribute__((unused)) = {0xf1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xfe};

static inline settle_status fixture_reopen(struct fixture *fixture, bool write)
{
    store_close(fixture->store);
    fixture->store = NULL;
    return store_open(fixture->fd, fixture->path, write, fixture_journal_id, &mem_libc, &fixture->store,
                      &fixture_error);
}

/* map_bytes 0: as usual. */
static inline void fixture_open_mapped(struct fixture *fixture, size_t map_bytes)
{
    *fixture = (struct fixture){.fd = -1};
    tempdir_make(fixture->path);
    FIXTURE_CHECK(dir_open(fixture->path, false, &fixture->fd, &fixture_error) == SETTLE_OK);
    FIXTURE_CHECK(store_open_mapped(fixture->fd, fixture->path, true, fixture_journal_id, &mem_libc,
                                    map_bytes != 0 ? map_bytes : STORE_MAP_BYTES, &fixture->store,
                                    &fixture_error) == SETTLE_OK);
}

static inline void fixture_open(struct fixture *fixture)
{
    fixture_open_mapped(fixture, 0);
}

static inline void fixture_close(struct fixture *fixture)
{
    store_close(fixture->store);
    file_close(fixture->fd);
    tempdir_remove(fixture->path);
}

static inline void fixture_file(const struct fixture *fixture, const char *name, char ret_path[TEMPDIR_PATH_BYTES])
{
    char below[64];
    snprintf(below, sizeof(below), STORE_DIRECTORY "/%s", name);
    tempdir_join(ret_path, fixture->path, below);
}

/* Applies `batch` with a point of its own, behind the last one. */
static inline settle_status fixture_apply(struct fixture *fixture, struct store_batch batch)
{
    fixture->position += 1000000;
    batch.point = (struct journal_point){.position = fixture->position,
                                         .next_seq = fixture->position + 1,
                                         .persisted_seq = fixture->position - 1,
                                         .time_us = fixture->position + 2,
                                         .frame_position = fixture->position - 64,
                                         .chain = (uint32_t)fixture->position};
    return store_apply(fixture->store, &batch, &fixture_error);
}

static inline struct store_snapshot *fixture_snapshot(struct store *store)
{
    struct store_snapshot *snapshot = NULL;
    FIXTURE_CHECK(store_snapshot_open(store, &snapshot, &fixture_error) == SETTLE_OK);
    return snapshot;
}

/* ---- Values -------------------------------------------------------------------------------------------------------------- */

static inline struct account sample_account(uint64_t user, uint32_t asset, uint64_t version)
{
    return (struct account){
        .user = user,
        .asset = asset,
        .available = (settle_int128)version * SETTLE_USER_MAX * (user % 2 != 0 ? 1 : -1),
        .held = (settle_int128)(user + asset) << 64,
        .version = version,
        .last_seq = 7 * version + user % 1000,
        .last_position = 64 * version + 8 * (user % 1000),
    };
}

static inline void put_sample(struct accounts *accounts, const struct account *account)
{
    FIXTURE_CHECK(accounts_reserve(accounts, 1) == SETTLE_OK);
    *accounts_upsert(accounts, account->user, account->asset) = *account;
}

static inline struct store_id natural_id(uint64_t ts_ms, uint8_t type, uint64_t user, uint32_t asset, uint64_t position)
{
    return (struct store_id){.key = {.is_natural = true, .type = type, .asset = asset, .user = user, .ts_ms = ts_ms},
                             .position = position};
}

static inline struct store_id text_id(const char *text, uint64_t position)
{
    struct store_id id = {.key = {.text_bytes = strlen(text)}, .position = position};
    FIXTURE_CHECK(id.key.text_bytes <= sizeof(id.key.text));
    memcpy(id.key.text, text, id.key.text_bytes);
    return id;
}

static inline bool account_equal(const struct account *a, const struct account *b)
{
    return a->user == b->user && a->asset == b->asset && a->available == b->available && a->held == b->held &&
           a->version == b->version && a->last_seq == b->last_seq && a->last_position == b->last_position;
}

/* Accounts 1 … users, all in this version. */
static inline settle_status fixture_apply_version(struct fixture *fixture, uint64_t version, uint64_t users)
{
    struct accounts accounts;
    FIXTURE_CHECK(accounts_init(&accounts, &mem_libc, (uint32_t)users) == SETTLE_OK);
    for (uint64_t user = 1; user <= users; user++) {
        struct account account = sample_account(user, 1, version);
        put_sample(&accounts, &account);
    }
    settle_status status = fixture_apply(fixture, (struct store_batch){.accounts = &accounts});
    accounts_deinit(&accounts);
    return status;
}

/* The version that all accounts of a snapshot have, and how many there are; ends the process where they differ or a count or
 * digest does not fit. */
struct version_check {
    uint64_t version, count;
};

static inline settle_status fixture_check_account(void *context, const struct account *account, settle_error *error)
{
    struct version_check *check = context;
    if (check->count++ == 0)
        check->version = account->version;
    return account->version == check->version ? SETTLE_OK : fail(error, SETTLE_E_CONFLICT, "half a batch");
}

static inline struct version_check fixture_version_in(struct store_snapshot *snapshot)
{
    struct version_check check = {0};
    FIXTURE_CHECK(store_accounts_walk(snapshot, 0, fixture_check_account, &check, &fixture_error) == SETTLE_OK);
    return check;
}

/* ---- The same store, raw --------------------------------------------------------------------------------------------------- */

struct raw {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi tables[STORE_TABLE_COUNT];
};

static inline void raw_begin(struct raw *raw, const struct fixture *fixture)
{
    static const char *const names[STORE_TABLE_COUNT] = {"accounts", "natural_ids", "text_ids", "arrivals",
                                                         "assets",   "sources",     "meta"};
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, fixture->path, STORE_DIRECTORY);
    FIXTURE_CHECK(mdb_env_create(&raw->env) == 0);
    FIXTURE_CHECK(mdb_env_set_maxdbs(raw->env, STORE_TABLE_COUNT) == 0);
    FIXTURE_CHECK(mdb_env_set_mapsize(raw->env, (size_t)1 << 30) == 0);
    FIXTURE_CHECK(mdb_env_open(raw->env, path, MDB_NOTLS | MDB_NOSYNC, 0600) == 0);
    FIXTURE_CHECK(mdb_txn_begin(raw->env, NULL, 0, &raw->txn) == 0);
    for (int i = 0; i < STORE_TABLE_COUNT; i++)
        FIXTURE_CHECK(mdb_dbi_open(raw->txn, names[i], 0, &raw->tables[i]) == 0);
}

static inline void raw_commit(struct raw *raw)
{
    FIXTURE_CHECK(mdb_txn_commit(raw->txn) == 0);
    mdb_env_close(raw->env);
}

/* The first entry of a table, copied; returns the value's length. */
static inline size_t raw_first(const struct fixture *fixture, enum store_table table, uint8_t ret_key[512],
                               size_t *ret_key_bytes, uint8_t *ret_value, size_t capacity)
{
    struct raw raw;
    MDB_cursor *cursor;
    MDB_val key, value;
    raw_begin(&raw, fixture);
    FIXTURE_CHECK(mdb_cursor_open(raw.txn, raw.tables[table], &cursor) == 0);
    FIXTURE_CHECK(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
    FIXTURE_CHECK(key.mv_size <= 512 && value.mv_size <= capacity);
    memcpy(ret_key, key.mv_data, key.mv_size);
    memcpy(ret_value, value.mv_data, value.mv_size);
    *ret_key_bytes = key.mv_size;
    size_t value_bytes = value.mv_size;
    mdb_cursor_close(cursor);
    raw_commit(&raw);
    return value_bytes;
}

static inline void raw_put(const struct fixture *fixture, enum store_table table, const void *key, size_t key_bytes,
                           const void *value, size_t value_bytes)
{
    struct raw raw;
    MDB_val k = {key_bytes, (void *)key}, v = {value_bytes, (void *)value};
    raw_begin(&raw, fixture);
    FIXTURE_CHECK(mdb_put(raw.txn, raw.tables[table], &k, &v, 0) == 0);
    raw_commit(&raw);
}

/* A table's first block, with this id alone. */
static inline void raw_put_block(const struct fixture *fixture, const struct store_id *id)
{
    uint8_t least[STORE_ID_KEY_BYTES_MAX], key[STORE_ID_KEY_BYTES_MAX];
    struct store_block_builder block;
    const enum store_table table = store_id_table(&id->key);
    const size_t bytes = store_id_key(&id->key, key);
    store_block_build(&block, (struct store_bytes){least, store_block_least_key(table, least)});
    store_block_add(&block, &(struct store_block_id){{key + 1, bytes - 1}, id->position});
    struct store_entry entry = store_block_seal(&block);
    raw_put(fixture, table, entry.key.at, entry.key.count, entry.value.at, entry.value.count);
}

static inline void raw_delete(const struct fixture *fixture, enum store_table table, const void *key, size_t key_bytes)
{
    struct raw raw;
    MDB_val k = {key_bytes, (void *)key};
    raw_begin(&raw, fixture);
    FIXTURE_CHECK(mdb_del(raw.txn, raw.tables[table], &k, NULL) == 0);
    raw_commit(&raw);
}

#endif
