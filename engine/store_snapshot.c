/*
 * store_snapshot.c — snapshots: LMDB's read transactions keep the pages of a commit from being reused, and everything is read
 * through a view of it (store_view.h).
 *
 * One that could not register in lock.mdb is noticed when it is overtaken: store_tables.h, `without_lock`.
 */
#include "engine/store_env.h"

#include <assert.h>
#include <string.h>

#include "journal/base/file.h"
#include "journal/base/status.h"

struct store_snapshot {
    struct store *store;
    MDB_txn *txn; /* holds the transaction's pages; they are read through the view */
    struct store_view view;
    bool is_active;
};

static settle_status fail_unlocked(settle_error *error)
{
    return fail_at(error, SETTLE_E_ACCESS, STORE_DIRECTORY "/" STORE_LOCK_NAME, 0, 0,
                   "a writer is at work and its lock file cannot be used: the store cannot be read safely");
}

bool store_is_in_use(settle_status status, const settle_error *fault)
{
    return status == SETTLE_E_ACCESS && strcmp(fault->file, STORE_DIRECTORY "/" STORE_LOCK_NAME) == 0;
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

/* Inside the gate. MDB_SUCCESS with *ret_status SETTLE_OK: it has begun. */
static int snapshot_begin(struct store_snapshot *snapshot, settle_status *ret_status, settle_error *error)
{
    struct store *store = snapshot->store;
    int code =
        snapshot->txn ? mdb_txn_renew(snapshot->txn) : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &snapshot->txn);
    if (code != MDB_SUCCESS)
        return code;
    settle_status status = store_view_update(&snapshot->view, &store->map, mdb_txn_id(snapshot->txn), error);
    if (status == SETTLE_E_CORRUPT && snapshot_is_overtaken(snapshot))
        status = fail_unlocked(error);
    if (status != SETTLE_OK)
        mdb_txn_reset(snapshot->txn);
    *ret_status = status;
    return MDB_SUCCESS;
}

static settle_status snapshot_start(struct store_snapshot *snapshot, settle_error *error)
{
    struct store *store = snapshot->store;
    assert(!snapshot->is_active);
    if (store->data_fd >= 0 && lock_is_held_at(store->data_fd))
        return fail_unlocked(error);
    for (int attempt = 0; attempt < STORE_SNAPSHOT_ATTEMPTS_MAX; attempt++) {
        settle_status status = store_transaction_enter(store, error);
        if (status != SETTLE_OK)
            return status;
        int code = snapshot_begin(snapshot, &status, error);
        if (code == MDB_SUCCESS && status == SETTLE_OK) {
            snapshot->is_active = true;
            return SETTLE_OK;
        }
        store_gate_leave(&store->gate);
        if (code == MDB_SUCCESS && status == SETTLE_E_NOT_FOUND)
            continue; /* two commits came in between */
        if (code == MDB_SUCCESS)
            return status;
        /* Another process has made the file larger than our map. It may do so again meanwhile, but not for ever. */
        if (code != MDB_MAP_RESIZED)
            return store_fail_lmdb(error, code, "cannot take a snapshot of the store");
        status = store_map_resize(store, 0, error);
        if (status != SETTLE_OK)
            return status;
    }
    return store_fail_restless(error);
}

/* Also of one that could not start. */
static void snapshot_free(struct store_snapshot *snapshot)
{
    if (snapshot->txn)
        mdb_txn_abort(snapshot->txn);
    store_view_deinit(&snapshot->view);
    mem_free(snapshot->store->mem, snapshot);
}

settle_status store_snapshot_open(struct store *store, struct store_snapshot **ret_snapshot, settle_error *error)
{
    struct store_snapshot *snapshot = mem_alloc(store->mem, 1, sizeof(*snapshot));
    if (!snapshot)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a snapshot of the store");
    snapshot->store = store;
    snapshot->view = (struct store_view){.mem = store->mem, .keeps_proofs = store->is_writable};
    settle_status status = snapshot_start(snapshot, error);
    if (status != SETTLE_OK) {
        snapshot_free(snapshot);
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
    store_snapshot_rest(snapshot);
    assert(snapshot->store->snapshot_count > 0);
    snapshot->store->snapshot_count--;
    snapshot_free(snapshot);
}

settle_status store_table_find(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                               struct store_bytes *ret_value, settle_error *error)
{
    assert(snapshot->is_active);
    assert(key.count > 0);
    struct store_bytes value;
    settle_status status = store_view_find(&snapshot->view, table, key, &value, error);
    if (snapshot_is_overtaken(snapshot))
        return fail_unlocked(error);
    if (status == SETTLE_OK)
        *ret_value = value;
    return status;
}

settle_status store_table_floor(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                                struct store_entry *ret_entry, settle_error *error)
{
    assert(snapshot->is_active);
    struct store_entry entry;
    struct store_bytes next;
    settle_status status = store_view_floor(&snapshot->view, table, key, &entry, &next, error);
    if (snapshot_is_overtaken(snapshot))
        return fail_unlocked(error);
    if (status == SETTLE_OK)
        *ret_entry = entry;
    return status;
}

settle_status store_table_scan(struct store_snapshot *snapshot, enum store_table table, struct store_bytes from,
                               store_visit_entry visit, void *context, settle_error *error)
{
    assert(snapshot->is_active);
    struct store_path path;
    bool stop = false;
    settle_status status = store_view_seek(&snapshot->view, table, from, &path, error);
    while (status == SETTLE_OK && !stop) {
        struct store_entry entry;
        status = store_view_entry(&snapshot->view, &path, &entry, error);
        if (status != SETTLE_OK || entry.key.at == NULL)
            break;
        if (snapshot_is_overtaken(snapshot))
            return fail_unlocked(error);
        status = visit(context, entry, &stop, error);
        if (status == SETTLE_OK && !stop)
            status = store_view_next(&snapshot->view, &path, error);
    }
    return snapshot_is_overtaken(snapshot) ? fail_unlocked(error) : status;
}
