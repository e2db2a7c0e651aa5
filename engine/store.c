/*
 * store.c — LMDB: the environment, its seven tables, snapshots and write transactions. The only file that includes lmdb.h, and
 * the only one that translates its codes.
 *
 * Invariants
 *   Sync   LMDB's default flags: a commit is on stable storage, whole or not at all. Never NOSYNC, NOMETASYNC (they lose
 *          acknowledged commits) or WRITEMAP (a stray pointer would write to the file).
 *   Latch  LMDB forgets a failed sync: the commit after it would claim success. This file does not forget: after
 *          the first failure every further store_transact() answers SETTLE_E_LATCHED.
 *   Map    The whole file is mapped, with room to grow. The map may only be moved while no transaction is active in this
 *          process: each is inside `gate` for its life, and map_resize() shuts it. A thread with an active snapshot must
 *          therefore not write, nor open or renew a second one, or it could wait for itself; map_resize() gives up after
 *          RESIZE_WAIT_MS, so that even this ends in an error. 64 GiB are reserved: it practically never comes to it.
 *   Locks  MDB_NOTLS: a snapshot belongs to whoever holds it, not to a thread. LMDB's own locks are in lock.mdb; they are
 *          POSIX record locks, so that no other descriptor of that file may be closed while an environment is open.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "engine/store_tables.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/store_gate.h"
#include "journal/base/file.h"

_Static_assert(sizeof(size_t) == 8, "the map needs a 64-bit address space");

enum {
    READERS_MAX = 510, /* snapshots at the same time, over all processes; 32 KiB of lock.mdb */
    MAP_BYTES_MIN = 1 << 20,
    RESIZE_WAIT_MS = 30000,
    MODE_PRIVATE = 0600,
};

struct store {
    const struct mem *mem;
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    bool is_writable;
    bool is_latched; /* a write failed; used by the writing thread only */
    int data_fd;     /* the data directory, where there is no lock.mdb to use; else -1 */

    struct store_gate gate;
    bool is_unmapped; /* a resize failed half-way: there is no map any more; written while the gate is shut */
    _Atomic uint32_t snapshot_count; /* active or at rest */
};

struct store_snapshot {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[STORE_TABLE_COUNT]; /* for single entries; opened when first used */
    bool is_active;
};

struct store_writer {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[STORE_TABLE_COUNT]; /* opened when first used */
    struct last_key {
        bool is_known;
        size_t count; /* 0: the table was empty */
        uint8_t bytes[STORE_SOURCE_KEY_BYTES_MAX];
    } last[STORE_TABLE_COUNT]; /* of each table that something is added to */
    bool map_is_full;
};

static const char *const table_names[STORE_TABLE_COUNT] = {
    [STORE_ACCOUNTS] = "accounts", [STORE_NATURAL_IDS] = "natural_ids", [STORE_TEXT_IDS] = "text_ids",
    [STORE_ARRIVALS] = "arrivals", [STORE_ASSETS] = "assets",           [STORE_SOURCES] = "sources",
    [STORE_META] = "meta",
};

/* ---- LMDB's codes: errno, or its own negative ones ---------------------------------------------------------------------- */

static settle_status status_of_lmdb(int code)
{
    switch (code) {
    case MDB_NOTFOUND: return SETTLE_E_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: return SETTLE_E_NO_SPACE;
    case MDB_READERS_FULL:
    case MDB_DBS_FULL:
    case MDB_TLS_FULL: return SETTLE_E_NO_MEMORY;
    case MDB_PANIC: return SETTLE_E_LATCHED;
    case MDB_MAP_RESIZED:
        return SETTLE_E_IO; /* handled where it can be; see snapshot_start() */
    /* CORRUPTED, PAGE_NOTFOUND, INVALID, VERSION_MISMATCH, CURSOR_FULL, PAGE_FULL, INCOMPATIBLE, BAD_TXN, BAD_DBI,
     * BAD_RSLOT, BAD_VALSIZE: none of them is our own mistake, since sizes and handles are fixed. */
    default: return code > 0 ? status_of_errno(code) : SETTLE_E_CORRUPT;
    }
}

static settle_status fail_lmdb(settle_error *error, int code, const char *what)
{
    assert(code != MDB_SUCCESS);
    if (code > 0)
        return fail_errno(error, code, STORE_DATA_FILE, what);
    return fail_at(error, status_of_lmdb(code), STORE_DATA_FILE, 0, 0, "%s: %s", what, mdb_strerror(code));
}

static MDB_val val_of(struct store_bytes bytes)
{
    return (MDB_val){.mv_size = bytes.count, .mv_data = (void *)bytes.at}; /* LMDB only reads it */
}

static struct store_bytes bytes_of(MDB_val val)
{
    return (struct store_bytes){val.mv_data, val.mv_size};
}

/* The cursor of a transaction for a table, opened when first asked for. */
static int cursor_of(MDB_txn *txn, const struct store *store, MDB_cursor *cursors[STORE_TABLE_COUNT],
                     enum store_table table, MDB_cursor **ret_cursor)
{
    assert((unsigned)table < STORE_TABLE_COUNT);
    int code = cursors[table] ? MDB_SUCCESS : mdb_cursor_open(txn, store->tables[table], &cursors[table]);
    *ret_cursor = cursors[table];
    return code;
}

static void cursors_close(MDB_cursor *cursors[STORE_TABLE_COUNT])
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        if (cursors[i])
            mdb_cursor_close(cursors[i]);
        cursors[i] = NULL;
    }
}

/* ---- The map: who uses it, and moving it ------------------------------------------------------------------------------- */

static settle_status transaction_enter(struct store *store, settle_error *error)
{
    store_gate_enter(&store->gate);
    if (!store->is_unmapped)
        return SETTLE_OK;
    store_gate_leave(&store->gate);
    return fail_at(error, SETTLE_E_LATCHED, STORE_DATA_FILE, 0, 0, "the store lost its map when it had to grow");
}

/* bytes 0: as large as another process has made it. */
static settle_status map_resize(struct store *store, size_t bytes, settle_error *error)
{
    if (!store_gate_shut(&store->gate, RESIZE_WAIT_MS))
        return fail_at(error, SETTLE_E_NO_SPACE, STORE_DATA_FILE, 0, 0,
                       "the store must grow its map, and a snapshot was not let go for %d ms", (int)RESIZE_WAIT_MS);
    int code = MDB_SUCCESS;
    if (!store->is_unmapped) {
        code = mdb_env_set_mapsize(store->env, bytes);
        store->is_unmapped = code != MDB_SUCCESS; /* LMDB unmaps first */
    }
    store_gate_reopen(&store->gate);
    return code == MDB_SUCCESS ? SETTLE_OK : fail_lmdb(error, code, "cannot grow the store's map");
}

static settle_status map_grow(struct store *store, settle_error *error)
{
    MDB_envinfo info;
    int code = mdb_env_info(store->env, &info);
    if (code != MDB_SUCCESS)
        return fail_lmdb(error, code, "cannot examine the store");
    assert(info.me_mapsize <= SIZE_MAX / 2); /* no address space is half of all numbers */
    return map_resize(store, info.me_mapsize * 2, error);
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------ */

static int env_open_sized(const struct store_tables_options *options, size_t map_bytes, MDB_env **ret_env)
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
    if (code != MDB_SUCCESS) {
        mdb_env_close(env);
        return code;
    }
    *ret_env = env;
    return MDB_SUCCESS;
}

/* With the largest map, up to the one asked for, that the address space has room for. */
static int env_open(const struct store_tables_options *options, MDB_env **ret_env)
{
    for (size_t map_bytes = options->map_bytes;; map_bytes /= 4) {
        if (map_bytes < MAP_BYTES_MIN)
            map_bytes = MAP_BYTES_MIN;
        map_bytes &= ~(size_t)0xffff; /* whole pages of any size */
        int code = env_open_sized(options, map_bytes, ret_env);
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

/* Opens the handle of every table; an existing one must have no special flags. */
static settle_status tables_bind(struct store *store, MDB_txn *txn, bool create, settle_error *error)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        unsigned flags = 0;
        int code = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0, &store->tables[i]);
        if (code == MDB_SUCCESS)
            code = mdb_dbi_flags(txn, store->tables[i], &flags);
        if (code == MDB_NOTFOUND || (code == MDB_SUCCESS && flags != 0))
            return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0,
                           "the store's table '%s' is missing or damaged", table_names[i]);
        if (code != MDB_SUCCESS)
            return fail_lmdb(error, code, "cannot open the store's tables");
    }
    return SETTLE_OK;
}

/* Tables and the first meta come in one transaction: a store has all of them or nothing. */
static settle_status tables_open(struct store *store, const struct store_tables_options *options, settle_error *error)
{
    MDB_stat stat = {.ms_entries = 0};
    MDB_txn *txn;
    MDB_dbi tables;
    /* Emptiness is asked inside the transaction: beside a writer that is creating the store, one asked for before may differ. */
    int code = mdb_txn_begin(store->env, NULL, options->write ? 0 : MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS)
        return fail_lmdb(error, code, "cannot begin a transaction");
    code = mdb_dbi_open(txn, NULL, 0, &tables);
    if (code == MDB_SUCCESS)
        code = mdb_stat(txn, tables, &stat);
    bool create = stat.ms_entries == 0;
    if (code != MDB_SUCCESS || (create && !options->write)) {
        mdb_txn_abort(txn);
        return code != MDB_SUCCESS ? fail_lmdb(error, code, "cannot examine the store")
                                   : fail_at(error, SETTLE_E_NOT_FOUND, STORE_DATA_FILE, 0, 0, "the store is empty");
    }
    settle_status status = tables_bind(store, txn, create, error);
    if (status != SETTLE_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    if (create) {
        MDB_val key = val_of((struct store_bytes){STORE_META_KEY, strlen(STORE_META_KEY)});
        MDB_val value = val_of(options->first_meta);
        code = mdb_put(txn, store->tables[STORE_META], &key, &value, 0);
    }
    if (code != MDB_SUCCESS)
        mdb_txn_abort(txn);
    else
        code = mdb_txn_commit(txn); /* the handles stay, also those of a read-only transaction */
    return code == MDB_SUCCESS ? SETTLE_OK : fail_lmdb(error, code, "cannot create the store");
}

static settle_status store_init(struct store *store, const struct store_tables_options *options, settle_error *error)
{
    store->data_fd = -1;
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
    int code = env_open(options, &store->env);
    if (code == MDB_SUCCESS)
        code = env_close_on_exec(store->env);
    if (code == MDB_SUCCESS)
        code = mdb_reader_check(store->env, NULL); /* slots of readers that died would pin pages for ever */
    status = code == MDB_SUCCESS ? tables_open(store, options, error) : fail_lmdb(error, code, "cannot open the store");
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
    file_close(store->data_fd);
    store_gate_deinit(&store->gate);
    mem_free(store->mem, store);
}

/* ---- Snapshots ---------------------------------------------------------------------------------------------------------- */

static settle_status fail_unlocked(settle_error *error)
{
    return fail_at(error, SETTLE_E_ACCESS, STORE_DIRECTORY "/" STORE_LOCK_NAME, 0, 0,
                   "a writer is at work and its lock file cannot be used: the store cannot be read safely");
}

static settle_status snapshot_start(struct store_snapshot *snapshot, settle_error *error)
{
    struct store *store = snapshot->store;
    assert(!snapshot->is_active);
    if (store->data_fd >= 0 && lock_is_held_at(store->data_fd))
        return fail_unlocked(error);
    for (int attempt = 0;; attempt++) {
        settle_status status = transaction_enter(store, error);
        if (status != SETTLE_OK)
            return status;
        int code =
            snapshot->txn ? mdb_txn_renew(snapshot->txn) : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &snapshot->txn);
        if (code == MDB_SUCCESS)
            break;
        store_gate_leave(&store->gate);
        /* Another process has made the file larger than our map. It may do so again meanwhile, but not for ever. */
        if (code != MDB_MAP_RESIZED || attempt >= 10)
            return fail_lmdb(error, code, "cannot take a snapshot of the store");
        status = map_resize(store, 0, error);
        if (status != SETTLE_OK)
            return status;
    }
    snapshot->is_active = true;
    return SETTLE_OK;
}

settle_status store_snapshot_open(struct store *store, struct store_snapshot **ret_snapshot, settle_error *error)
{
    struct store_snapshot *snapshot = mem_alloc(store->mem, 1, sizeof(*snapshot));
    if (!snapshot)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a snapshot of the store");
    snapshot->store = store;
    settle_status status = snapshot_start(snapshot, error);
    if (status != SETTLE_OK) {
        mem_free(store->mem, snapshot);
        return status;
    }
    store->snapshot_count++;
    *ret_snapshot = snapshot;
    return SETTLE_OK;
}

void store_snapshot_rest(struct store_snapshot *snapshot)
{
    if (!snapshot->is_active)
        return;
    cursors_close(snapshot->cursors);
    mdb_txn_reset(snapshot->txn);
    snapshot->is_active = false;
    store_gate_leave(&snapshot->store->gate);
}

settle_status store_snapshot_renew(struct store_snapshot *snapshot, settle_error *error)
{
    store_snapshot_rest(snapshot);
    return snapshot_start(snapshot, error);
}

void store_snapshot_close(struct store_snapshot *snapshot)
{
    if (!snapshot)
        return;
    struct store *store = snapshot->store;
    store_snapshot_rest(snapshot);
    if (snapshot->txn)
        mdb_txn_abort(snapshot->txn);
    assert(store->snapshot_count > 0);
    store->snapshot_count--;
    mem_free(store->mem, snapshot);
}

/* Whether a writer may have reused pages of a snapshot that could not register; see the head of this file. */
static bool snapshot_is_overtaken(const struct store_snapshot *snapshot)
{
    if (snapshot->store->data_fd < 0)
        return false;
    MDB_envinfo info;
    return mdb_env_info(snapshot->store->env, &info) != MDB_SUCCESS ||
           info.me_last_txnid > mdb_txn_id(snapshot->txn) + 1;
}

/* MDB_NOTFOUND: nothing stands before the place. */
static int find_place(MDB_cursor *cursor, struct store_bytes key, struct store_place *place)
{
    MDB_val k = val_of(key), v;
    int code = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && store_key_order(bytes_of(k), key) == 0) {
        place->value = bytes_of(v);
        return MDB_SUCCESS;
    }
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return code;
    if (code == MDB_SUCCESS)
        place->after = (struct store_entry){bytes_of(k), bytes_of(v)};
    code = mdb_cursor_get(cursor, &k, &v, code == MDB_SUCCESS ? MDB_PREV : MDB_LAST);
    if (code == MDB_SUCCESS)
        place->before = (struct store_entry){bytes_of(k), bytes_of(v)};
    return code;
}

settle_status store_table_find(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                               struct store_place *ret_place, settle_error *error)
{
    assert(snapshot->is_active);
    assert(key.count > 0);
    struct store_place place = {.value = {NULL, 0}};
    MDB_cursor *cursor;
    int code = cursor_of(snapshot->txn, snapshot->store, snapshot->cursors, table, &cursor);
    if (code == MDB_SUCCESS)
        code = find_place(cursor, key, &place);
    if (snapshot_is_overtaken(snapshot))
        return fail_unlocked(error);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return fail_lmdb(error, code, "cannot read the store");
    *ret_place = place;
    return SETTLE_OK;
}

settle_status store_table_scan(struct store_snapshot *snapshot, enum store_table table, struct store_bytes from,
                               store_visit_entry visit, void *context, settle_error *error)
{
    assert(snapshot->is_active);
    MDB_cursor *cursor;
    int code = mdb_cursor_open(snapshot->txn, snapshot->store->tables[table], &cursor);
    if (code != MDB_SUCCESS)
        return fail_lmdb(error, code, "cannot read the store");
    MDB_val key = val_of(from), value;
    bool stop = false;
    settle_status status = SETTLE_OK;
    code = mdb_cursor_get(cursor, &key, &value, from.count ? MDB_SET_RANGE : MDB_FIRST);
    while (code == MDB_SUCCESS && status == SETTLE_OK && !stop) {
        if (snapshot_is_overtaken(snapshot))
            status = fail_unlocked(error);
        else
            status = visit(context, (struct store_entry){bytes_of(key), bytes_of(value)}, &stop, error);
        if (status == SETTLE_OK && !stop)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == SETTLE_OK && snapshot_is_overtaken(snapshot))
        return fail_unlocked(error);
    if (status != SETTLE_OK || code == MDB_SUCCESS || code == MDB_NOTFOUND)
        return status;
    return fail_lmdb(error, code, "cannot read the store");
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------ */

static settle_status fail_write(struct store_writer *writer, int code, settle_error *error)
{
    writer->map_is_full = code == MDB_MAP_FULL;
    return fail_lmdb(error, code, "cannot write the store");
}

settle_status store_writer_get(struct store_writer *writer, enum store_table table, struct store_bytes key,
                               struct store_bytes *ret_value, settle_error *error)
{
    assert(key.count > 0);
    MDB_cursor *cursor;
    MDB_val k = val_of(key), v;
    int code = cursor_of(writer->txn, writer->store, writer->cursors, table, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return fail_write(writer, code, error);
    *ret_value = code == MDB_NOTFOUND ? (struct store_bytes){NULL, 0} : bytes_of(v);
    return SETTLE_OK;
}

static settle_status writer_put(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                struct store_bytes value, unsigned flag, struct store_bytes *ret_existing,
                                settle_error *error)
{
    assert(key.count > 0 && value.count > 0);
    MDB_cursor *cursor;
    MDB_val k = val_of(key), v = val_of(value);
    int code = cursor_of(writer->txn, writer->store, writer->cursors, table, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_put(cursor, &k, &v, flag);
    if (code != MDB_SUCCESS && code != MDB_KEYEXIST)
        return fail_write(writer, code, error);
    *ret_existing = code == MDB_KEYEXIST ? bytes_of(v) : (struct store_bytes){NULL, 0};
    return SETTLE_OK;
}

settle_status store_writer_replace(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                   struct store_bytes value, settle_error *error)
{
    assert(writer->cursors[table]);
    struct store_bytes none;
    return writer_put(writer, table, key, value, MDB_CURRENT, &none, error);
}

static settle_status last_key_read(struct store_writer *writer, enum store_table table, settle_error *error)
{
    struct last_key *last = &writer->last[table];
    MDB_cursor *cursor;
    MDB_val k = {0, NULL}, v;
    int code = cursor_of(writer->txn, writer->store, writer->cursors, table, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    if (code == MDB_SUCCESS && k.mv_size > sizeof(last->bytes))
        return store_fail_entry(error, "a key has the wrong length");
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return fail_write(writer, code, error);
    last->count = code == MDB_SUCCESS ? k.mv_size : 0;
    if (last->count > 0)
        memcpy(last->bytes, k.mv_data, last->count);
    last->is_known = true;
    return SETTLE_OK;
}

settle_status store_writer_add(struct store_writer *writer, enum store_table table, struct store_bytes key,
                               struct store_bytes value, struct store_bytes *ret_existing, settle_error *error)
{
    struct last_key *last = &writer->last[table];
    settle_status status = last->is_known ? SETTLE_OK : last_key_read(writer, table, error);
    if (status != SETTLE_OK)
        return status;
    /* At the table's end, where time-ordered keys belong, LMDB need not search, and fills its pages. */
    if (store_key_order((struct store_bytes){last->bytes, last->count}, key) >= 0)
        return writer_put(writer, table, key, value, MDB_NOOVERWRITE, ret_existing, error);
    assert(key.count <= sizeof(last->bytes));
    memcpy(last->bytes, key.at, key.count);
    last->count = key.count;
    return writer_put(writer, table, key, value, MDB_APPEND, ret_existing, error);
}

/*
 * LMDB does not write a page that it took at the file's end and gave back in the same transaction. The file may then be
 * shorter than its meta page says, which store_data_check() would take for a cut. A hole makes it as long. Where a crash
 * undoes that, or it fails, the store is rebuilt at the next opening, so that neither is worth an error.
 */
static void cover_last_page(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    int fd;
    struct stat file;
    if (mdb_env_info(env, &info) != MDB_SUCCESS || mdb_env_stat(env, &stat) != MDB_SUCCESS ||
        mdb_env_get_fd(env, &fd) != MDB_SUCCESS || fstat(fd, &file) != 0)
        return;
    off_t bytes = (off_t)(info.me_last_pgno + 1) * (off_t)stat.ms_psize;
    if (file.st_size < bytes)
        (void)!ftruncate(fd, bytes);
}

static settle_status transact_once(struct store_writer *writer, store_write write, const void *context,
                                   settle_error *error)
{
    int code = mdb_txn_begin(writer->store->env, NULL, 0, &writer->txn);
    if (code != MDB_SUCCESS)
        return fail_lmdb(error, code, "cannot begin a transaction");
    settle_status status = write(writer, context, error);
    cursors_close(writer->cursors);
    if (status != SETTLE_OK) {
        mdb_txn_abort(writer->txn);
        return status;
    }
    code = mdb_txn_commit(writer->txn);
    if (code != MDB_SUCCESS)
        return fail_write(writer, code, error);
    cover_last_page(writer->store->env);
    return SETTLE_OK;
}

settle_status store_transact(struct store *store, store_write write, const void *context, settle_error *error)
{
    assert(store->is_writable);
    settle_error fault = {.status = SETTLE_OK};
    if (store->is_latched)
        return fail_at(error, SETTLE_E_LATCHED, STORE_DATA_FILE, 0, 0, "an earlier write to the store failed");
    settle_status status = SETTLE_OK;
    int code = mdb_reader_check(store->env, NULL);
    if (code != MDB_SUCCESS)
        status = fail_lmdb(&fault, code, "cannot check the store's readers");
    for (bool done = status != SETTLE_OK; !done;) {
        struct store_writer writer = {.store = store};
        status = transaction_enter(store, &fault);
        if (status != SETTLE_OK)
            break;
        status = transact_once(&writer, write, context, &fault);
        store_gate_leave(&store->gate);
        done = !writer.map_is_full;
        if (!done)
            done = (status = map_grow(store, &fault)) != SETTLE_OK;
    }
    if (status == SETTLE_OK)
        return SETTLE_OK;
    store->is_latched = status != SETTLE_E_INVALID;
    if (error)
        *error = fault;
    return status;
}
