/*
 * store.c — LMDB: the environment, its seven tables and its map; the codes of LMDB. Snapshots are in store_snapshot.c, write
 * transactions in store_writer.c; these three alone know LMDB (store_env.h).
 *
 * Invariants
 *   Sync   LMDB's default flags: a commit is on stable storage, whole or not at all. Never NOSYNC, NOMETASYNC (they lose
 *          acknowledged commits) or WRITEMAP (a stray pointer would write to the file).
 *   Latch  LMDB forgets a failed sync: the commit after it would claim success. The store does not forget: after
 *          the first failure every further store_transact() answers SETTLE_E_LATCHED.
 *   Map    The whole file is mapped, with room to grow. The map may only be moved while no transaction is active in this
 *          process: each is inside `gate` for its life, and store_map_resize() shuts it. A thread with an active snapshot must
 *          therefore not write, nor open or renew a second one, or it could wait for itself; store_map_resize() gives up after
 *          RESIZE_WAIT_MS, so that even this ends in an error. 64 GiB are reserved: it practically never comes to it.
 *   Proof  LMDB itself never reads a page of a table that store_view.c has not proved, and nothing is read through it but the
 *          numbers of transactions: see store_view.h.
 *   Locks  MDB_NOTLS: a snapshot belongs to whoever holds it, not to a thread. LMDB's own locks are in lock.mdb; they are
 *          POSIX record locks, so that no other descriptor of that file may be closed while an environment is open.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "engine/store_env.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"

_Static_assert(sizeof(size_t) == 8, "the map needs a 64-bit address space");

enum {
    READERS_MAX = 510, /* snapshots at the same time, over all processes; 32 KiB of lock.mdb */
    MAP_BYTES_MIN = 1 << 20,
    RESIZE_WAIT_MS = 30000,
    MODE_PRIVATE = 0600,
};

const char *const store_table_names[STORE_TABLE_COUNT] = {
    [STORE_ACCOUNTS] = "accounts", [STORE_NATURAL_IDS] = "natural_ids", [STORE_TEXT_IDS] = "text_ids",
    [STORE_ARRIVALS] = "arrivals", [STORE_ASSETS] = "assets",           [STORE_SOURCES] = "sources",
    [STORE_META] = "meta",
};

/* ---- LMDB's codes: errno, or its own negative ones ---------------------------------------------------------------------- */

/* Of its own. */
static settle_status status_of_lmdb(int code)
{
    switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: return SETTLE_E_NO_SPACE;
    case MDB_READERS_FULL:
    case MDB_DBS_FULL:
    case MDB_TLS_FULL: return SETTLE_E_NO_MEMORY;
    case MDB_PANIC: return SETTLE_E_LATCHED;
    case MDB_MAP_RESIZED:
        return SETTLE_E_IO; /* handled where it can be; see snapshot_start() */
    /* NOTFOUND, CORRUPTED, PAGE_NOTFOUND, INVALID, VERSION_MISMATCH, CURSOR_FULL, PAGE_FULL, INCOMPATIBLE, BAD_TXN, BAD_DBI,
     * BAD_RSLOT, BAD_VALSIZE: none of them is our own mistake, since sizes and handles are fixed. */
    default: return SETTLE_E_CORRUPT;
    }
}

settle_status store_fail_restless(settle_error *error)
{
    return fail_at(error, SETTLE_E_IO, STORE_DATA_FILE, 0, 0, "the store does not come to rest");
}

settle_status store_fail_lmdb(settle_error *error, int code, const char *what)
{
    assert(code != MDB_SUCCESS);
    if (code > 0)
        return fail_errno(error, code, STORE_DATA_FILE, what);
    return fail_at(error, status_of_lmdb(code), STORE_DATA_FILE, 0, 0, "%s: %s", what, mdb_strerror(code));
}

settle_status store_fail_write(settle_error *error, int code, const char *what)
{
    return store_fail_lmdb(error, code == EIO && errno == 0 ? ENOSPC : code, what);
}

/* ---- The map: who uses it, and moving it ------------------------------------------------------------------------------- */

settle_status store_transaction_enter(struct store *store, settle_error *error)
{
    store_gate_enter(&store->gate);
    if (!store->is_unmapped)
        return SETTLE_OK;
    store_gate_leave(&store->gate);
    return fail_at(error, SETTLE_E_LATCHED, STORE_DATA_FILE, 0, 0, "the store lost its map when it had to grow");
}

/* Ours after LMDB's: LMDB does not tell where its own is. */
static int map_renew(MDB_env *env, struct store_map *map)
{
    MDB_envinfo info;
    MDB_stat stat;
    int fd;
    store_map_close(map);
    int code = mdb_env_info(env, &info);
    if (code == MDB_SUCCESS)
        code = mdb_env_stat(env, &stat); /* of the tree of tables: no page is read */
    if (code == MDB_SUCCESS)
        code = mdb_env_get_fd(env, &fd);
    return code == MDB_SUCCESS ? store_map_open(fd, info.me_mapsize, stat.ms_psize, map) : code;
}

settle_status store_map_resize(struct store *store, size_t bytes, settle_error *error)
{
    if (!store_gate_shut(&store->gate, RESIZE_WAIT_MS))
        return fail_at(error, SETTLE_E_NO_SPACE, STORE_DATA_FILE, 0, 0,
                       "the store must grow its map, and a snapshot was not let go for %d ms", (int)RESIZE_WAIT_MS);
    int code = MDB_SUCCESS;
    if (!store->is_unmapped) {
        code = mdb_env_set_mapsize(store->env, bytes);
        if (code == MDB_SUCCESS)
            code = map_renew(store->env, &store->map);
        store->is_unmapped = code != MDB_SUCCESS; /* LMDB unmaps first */
    }
    store_gate_reopen(&store->gate);
    return code == MDB_SUCCESS ? SETTLE_OK : store_fail_lmdb(error, code, "cannot grow the store's map");
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------ */

static int env_open_sized(const struct store_tables_options *options, size_t map_bytes, MDB_env **ret_env,
                          struct store_map *ret_map)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    if (!options->write)
        flags |= MDB_RDONLY;
    if (options->without_lock)
        flags |= MDB_NOLOCK;
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_env_set_mapsize(env, map_bytes);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxdbs(env, STORE_TABLE_COUNT);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxreaders(env, READERS_MAX);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(env, options->path, flags, MODE_PRIVATE);
    if (code == MDB_SUCCESS)
        code = map_renew(env, ret_map);
    if (code != MDB_SUCCESS) {
        mdb_env_close(env);
        return code;
    }
    *ret_env = env;
    return MDB_SUCCESS;
}

/* With the largest map, up to the one asked for, that the address space has room for. */
static int env_open(const struct store_tables_options *options, MDB_env **ret_env, struct store_map *ret_map)
{
    for (size_t map_bytes = options->map_bytes;; map_bytes /= 4) {
        if (map_bytes < MAP_BYTES_MIN)
            map_bytes = MAP_BYTES_MIN;
        map_bytes &= ~(size_t)0xffff; /* whole pages of any size */
        int code = env_open_sized(options, map_bytes, ret_env, ret_map);
        /* EINVAL: so says valgrind where its address space is too small. */
        if ((code != ENOMEM && code != EINVAL) || map_bytes == MAP_BYTES_MIN)
            return code;
    }
}

/* LMDB does not set it on the data file, and a program started by the embedder shall not keep the store open. */
static int env_close_on_exec(MDB_env *env)
{
    int fd;
    int code = mdb_env_get_fd(env, &fd);
    if (code != MDB_SUCCESS)
        return code;
    int flags = fcntl(fd, F_GETFD);
    return flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0 ? errno : MDB_SUCCESS;
}

/* Opens the handle of every table; store_view_update() has seen that each is there and has no special flags. */
static settle_status tables_bind(struct store *store, MDB_txn *txn, bool create, settle_error *error)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        int code = mdb_dbi_open(txn, store_table_names[i], create ? MDB_CREATE : 0, &store->tables[i]);
        if (code != MDB_SUCCESS)
            return store_fail_lmdb(error, code, "cannot open the store's tables");
    }
    return SETTLE_OK;
}

/* Begins the transaction in which the store is opened, its trees proved. */
static settle_status begin_first(struct store *store, bool write, MDB_txn **ret_txn, settle_error *error)
{
    for (int attempt = 0; attempt < STORE_SNAPSHOT_ATTEMPTS_MAX; attempt++) {
        MDB_txn *txn = NULL;
        int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn);
        if (code != MDB_SUCCESS)
            return store_fail_lmdb(error, code, "cannot begin a transaction");
        settle_status status =
            store_view_update(&store->written, &store->map, mdb_txn_id(txn) - (write ? 1 : 0), error);
        if (status == SETTLE_OK) {
            *ret_txn = txn;
            return SETTLE_OK;
        }
        mdb_txn_abort(txn);
        if (status != SETTLE_E_NOT_FOUND)
            return status;
    }
    return store_fail_restless(error);
}

/* Tables and the first meta come in one transaction: a store has all of them or nothing. */
static settle_status tables_open(struct store *store, const struct store_tables_options *options, settle_error *error)
{
    MDB_txn *txn = NULL;
    /* Emptiness is asked inside the transaction: beside a writer that is creating the store, one asked for before may differ. */
    settle_status status = begin_first(store, options->write, &txn, error);
    if (status != SETTLE_OK)
        return status;
    const bool create = !store->written.has_tables;
    if (create && !options->write)
        status = fail_at(error, SETTLE_E_NOT_FOUND, STORE_DATA_FILE, 0, 0, "the store is empty");
    else
        status = tables_bind(store, txn, create, error);
    if (status != SETTLE_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    int code = MDB_SUCCESS;
    errno = 0; /* for store_fail_write() */
    if (create) {
        MDB_val key = store_val((struct store_bytes){STORE_META_KEY, strlen(STORE_META_KEY)});
        MDB_val value = store_val(options->first_meta);
        code = mdb_put(txn, store->tables[STORE_META], &key, &value, 0);
    }
    if (code != MDB_SUCCESS)
        mdb_txn_abort(txn);
    else
        code = mdb_txn_commit(txn); /* the handles stay, also those of a read-only transaction */
    return code == MDB_SUCCESS ? SETTLE_OK : store_fail_write(error, code, "cannot create the store");
}

static settle_status store_init(struct store *store, const struct store_tables_options *options, settle_error *error)
{
    store->data_fd = -1;
    store->written = (struct store_view){.mem = store->mem, .keeps_proofs = store->is_writable};
    if (options->without_lock) {
        store->data_fd = fcntl(options->data_fd, F_DUPFD_CLOEXEC, 0);
        if (store->data_fd < 0)
            return fail_errno(error, errno, STORE_DATA_FILE, "cannot duplicate a descriptor");
    }
    if (store_gate_init(&store->gate))
        return SETTLE_OK;
    file_close(store->data_fd);
    return fail(error, SETTLE_E_NO_MEMORY, "no resources for the store's locks");
}

settle_status store_tables_open(const struct store_tables_options *options, const struct mem *mem,
                                struct store **ret_store, settle_error *error)
{
    assert(!(options->write && options->without_lock));
    struct store *store = mem_alloc(mem, 1, sizeof(*store));
    if (!store)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the store");
    store->mem = mem;
    store->is_writable = options->write;
    settle_status status = store_init(store, options, error);
    if (status != SETTLE_OK) {
        mem_free(mem, store);
        return status;
    }
    int code = env_open(options, &store->env, &store->map);
    if (code == MDB_SUCCESS)
        code = env_close_on_exec(store->env);
    if (code == MDB_SUCCESS)
        code = mdb_reader_check(store->env, NULL); /* slots of readers that died would pin pages for ever */
    status = code == MDB_SUCCESS ? tables_open(store, options, error)
                                 : store_fail_lmdb(error, code, "cannot open the store");
    if (status != SETTLE_OK) {
        store_close(store);
        return status;
    }
    *ret_store = store;
    return SETTLE_OK;
}

const struct mem *store_mem(const struct store *store)
{
    return store->mem;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    assert(store->snapshot_count == 0);
    if (store->env)
        mdb_env_close(store->env);
    store_map_close(&store->map);
    store_view_deinit(&store->written);
    file_close(store->data_fd);
    store_gate_deinit(&store->gate);
    mem_free(store->mem, store);
}
