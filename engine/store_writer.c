/*
 * store_writer.c — write transactions: LMDB changes its pages, each way to them proved before (store_view.h).
 *
 * Invariants: store.c, Sync and Latch.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "engine/store_env.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "journal/base/status.h"

struct store_writer {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[STORE_TABLE_COUNT]; /* opened when first used */
    struct last_key {
        bool is_known;
        size_t count; /* 0: the table was empty */
        uint8_t bytes[STORE_SOURCE_KEY_BYTES_MAX];
    } last[STORE_TABLE_COUNT];                    /* of each table that something is added to */
    struct store_range proved[STORE_TABLE_COUNT]; /* keys whose way was proved last */
    bool map_is_full;
};

static struct store_bytes bytes_of(MDB_val val)
{
    return (struct store_bytes){val.mv_data, val.mv_size};
}

static settle_status map_grow(struct store *store, settle_error *error)
{
    assert(store->map.bytes <= SIZE_MAX / 2); /* no address space is half of all numbers */
    return store_map_resize(store, store->map.bytes * 2, error);
}

/* The transaction's cursor for a table, opened when first asked for. */
static int cursor_of(struct store_writer *writer, enum store_table table, MDB_cursor **ret_cursor)
{
    assert((unsigned)table < STORE_TABLE_COUNT);
    MDB_cursor **cursor = &writer->cursors[table];
    int code = *cursor ? MDB_SUCCESS : mdb_cursor_open(writer->txn, writer->store->tables[table], cursor);
    *ret_cursor = *cursor;
    return code;
}

static void cursors_close(struct store_writer *writer)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        if (writer->cursors[i])
            mdb_cursor_close(writer->cursors[i]);
        writer->cursors[i] = NULL;
    }
}

/*
 * Before LMDB goes there. What the transaction has changed so far is our own; the pages it has not are those of the commit
 * before, on the same ways. Keys come in order, so that most belong on the leaf that was proved last.
 */
static settle_status prove(struct store_writer *writer, enum store_table table, struct store_bytes key,
                           settle_error *error)
{
    struct store_range *range = &writer->proved[table];
    if (range->is_known && (!range->first.at || store_key_order(range->first, key) <= 0) &&
        (!range->end.at || store_key_order(key, range->end) < 0))
        return SETTLE_OK;
    range->is_known = false;
    return store_view_prove(&writer->store->written, table, key, range, error);
}

static settle_status fail_write(struct store_writer *writer, int code, settle_error *error)
{
    writer->map_is_full = code == MDB_MAP_FULL;
    return store_fail_write(error, code, "cannot write the store");
}

settle_status store_writer_get(struct store_writer *writer, enum store_table table, struct store_bytes key,
                               struct store_bytes *ret_value, settle_error *error)
{
    assert(key.count > 0);
    MDB_cursor *cursor;
    MDB_val k = store_val(key), v;
    settle_status status = prove(writer, table, key, error);
    if (status != SETTLE_OK)
        return status;
    int code = cursor_of(writer, table, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return fail_write(writer, code, error);
    *ret_value = code == MDB_NOTFOUND ? (struct store_bytes){NULL, 0} : bytes_of(v);
    return SETTLE_OK;
}

settle_status store_writer_floor(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                 struct store_entry *ret_entry, struct store_bytes *ret_next, settle_error *error)
{
    return store_view_floor(&writer->store->written, table, key, ret_entry, ret_next, error);
}

static settle_status writer_put(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                struct store_bytes value, unsigned flag, struct store_bytes *ret_existing,
                                settle_error *error)
{
    assert(key.count > 0 && value.count > 0);
    MDB_cursor *cursor = writer->cursors[table];
    MDB_val k = store_val(key), v = store_val(value);
    assert(cursor != NULL); /* of what was read before: the entry, or the last key */
    errno = 0;              /* for store_fail_write() */
    int code = mdb_cursor_put(cursor, &k, &v, flag);
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
    settle_status status = store_view_prove_end(&writer->store->written, table, error);
    if (status != SETTLE_OK)
        return status;
    int code = cursor_of(writer, table, &cursor);
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
    if (store_key_order((struct store_bytes){last->bytes, last->count}, key) >= 0) {
        status = prove(writer, table, key, error);
        if (status != SETTLE_OK)
            return status;
        return writer_put(writer, table, key, value, MDB_NOOVERWRITE, ret_existing, error);
    }
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
        return store_fail_lmdb(error, code, "cannot begin a transaction");
    struct store *store = writer->store;
    settle_status status = store_view_update(&store->written, &store->map, mdb_txn_id(writer->txn) - 1, error);
    if (status == SETTLE_OK)
        status = write(writer, context, error);
    cursors_close(writer);
    if (status != SETTLE_OK) {
        mdb_txn_abort(writer->txn);
        return status;
    }
    errno = 0;
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
        status = store_fail_lmdb(&fault, code, "cannot check the store's readers");
    for (bool done = status != SETTLE_OK; !done;) {
        struct store_writer writer = {.store = store};
        status = store_transaction_enter(store, &fault);
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
