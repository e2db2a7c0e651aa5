/*
 * store_env.h — inside the store: what store.c, store_snapshot.c and store_writer.c share, the only files that know LMDB.
 */
#ifndef ENGINE_STORE_ENV_H
#define ENGINE_STORE_ENV_H

#include <lmdb.h>
#include <stdatomic.h>

#include "engine/store_gate.h"
#include "engine/store_tables.h"
#include "engine/store_view.h"

/* How often a snapshot is begun again because two commits came in between. */
#define STORE_SNAPSHOT_ATTEMPTS_MAX 10

struct store {
    const struct mem *mem;
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    bool is_writable;
    bool is_latched; /* a write failed; used by the writing thread only */
    int data_fd;     /* the data directory, where there is no lock.mdb to use; else -1 */

    struct store_map map;      /* ours, beside LMDB's, and of the same size */
    struct store_view written; /* what a write transaction begins from; used by the writing thread only */

    struct store_gate gate;
    bool is_unmapped; /* a resize failed half-way: there is no map any more; written while the gate is shut */
    _Atomic uint32_t snapshot_count; /* active or at rest */
};

/* The code as a status with a sentence; errno's where it is one. */
settle_status store_fail_lmdb(settle_error *error, int code, const char *what);
/* The same of a call that writes, before which errno was 0. Where the disk takes a part of a write LMDB says EIO and sets no
 * errno, as the system does where it fails: of a file only a full disk, a quota or a limit takes a part. */
settle_status store_fail_write(settle_error *error, int code, const char *what);
settle_status store_fail_restless(settle_error *error);

/* Into the gate, where there is a map; store_gate_leave() when the transaction is over. */
settle_status store_transaction_enter(struct store *store, settle_error *error);
/* bytes 0: as large as another process has made it. */
settle_status store_map_resize(struct store *store, size_t bytes, settle_error *error);

static inline MDB_val store_val(struct store_bytes bytes)
{
    return (MDB_val){.mv_size = bytes.count, .mv_data = (void *)bytes.at}; /* LMDB only reads it */
}

#endif
