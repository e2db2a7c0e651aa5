/*
 * store.h — the checkpoint of balances, the event-id index, arrivals, assets and source positions, in LMDB. LMDB is
 * known to store.c, store_snapshot.c and store_writer.c alone.
 *
 * A store is a projection of the journal up to `point`, written in one transaction with it, with LMDB's default sync
 * flags. Every value carries a CRC32C over its key and itself; `meta` has counts and digests of accounts and ids. It can be
 * deleted at any time: the engine then builds it again.
 */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include "engine/accounts.h"
#include "journal/reader.h"
#include "journal/record.h"

struct store;

/* The greatest ids of a set: one beyond them is not in it, and need not be looked up. Ids that count upwards always are. */
struct id_bounds {
    uint64_t natural_ts_ms;               /* of the natural ids */
    char text[SETTLE_EVENT_ID_BYTES_MAX]; /* of the others, in the order of their bytes; zeros behind it */
};
bool id_bounds_are_passed(const struct id_bounds *bounds, const struct event_key *key);
void id_bounds_add(struct id_bounds *bounds, const struct event_key *key);
void id_bounds_join(struct id_bounds *bounds, const struct id_bounds *more);

struct store_meta {
    uint8_t journal_id[16];
    struct journal_point point; /* everything before it is in the store; position 0 = an empty store */
    uint64_t account_count, id_count;
    uint64_t account_digest, id_digest; /* sums mod 2^64 over all entries: independent of their order */
    struct id_bounds bounds;            /* of the ids in the store */
};

/* One new id, or one later arrival of a known one. */
struct store_id {
    struct event_key key;
    uint64_t position;
};
struct store_arrival {
    uint64_t first_position, position;
};

/* What a checkpoint adds: the accounts changed (their newest state), and everything new, in any order. */
struct store_batch {
    const struct accounts *accounts;
    struct store_id *ids;
    size_t id_count;
    struct store_arrival *arrivals;
    size_t arrival_count;
    const settle_asset *assets;
    size_t asset_count;
    const struct source_entry *sources;
    size_t source_count;
    struct journal_point point; /* after the batch */
};

struct source_entry {
    char *name; /* bytes, not terminated */
    size_t name_bytes;
    uint64_t offset_bytes, line;
};

/*
 * Opens `store/` in the data directory. write: creates it when absent, for `journal_id`. Read-only: SETTLE_E_NOT_FOUND when
 * absent; works on a read-only mount and beside a writer in another process.
 * SETTLE_E_CORRUPT: damaged, of another journal, or of another format: the caller sets it aside (store_set_aside) or, when
 * reading, goes without. SETTLE_E_ACCESS, when reading: lock.mdb cannot be written and a writer is at work, so that the store
 * cannot be read safely (the same from snapshots later); also a file that is not what it must be.
 * LMDB allows one open of an environment a process.
 */
settle_status store_open(int data_fd, const char *data_path, bool write, const uint8_t journal_id[16],
                         const struct mem *mem, struct store **ret_store, settle_error *error);
void store_close(struct store *store); /* NULL is fine */
/* Whether an error of reading is that a writer is at work and its lock file cannot be used (a read-only mount, another user):
 * the store is fine, and the journal alone must answer. */
bool store_is_in_use(settle_status status, const settle_error *fault);
/* Renames `store` to `store.damaged-N`, N the first free number; the name is written to ret_name. */
settle_status store_set_aside(int data_fd, char ret_name[32], settle_error *error);

/*
 * A snapshot. Every reading call needs one; keep it short: pages it can see are not reused. One thread at a time. A thread
 * has at most one that is not at rest, and none while it calls store_apply(): where the map must grow, that waits until
 * all snapshots of the process rest (30 seconds at most, then SETTLE_E_NO_SPACE).
 */
struct store_snapshot;
settle_status store_snapshot_open(struct store *store, struct store_snapshot **ret_snapshot, settle_error *error);
settle_status store_snapshot_renew(struct store_snapshot *snapshot, settle_error *error); /* see what came since */
void store_snapshot_rest(struct store_snapshot *snapshot); /* let go of the pages until renewed; cheap */
void store_snapshot_close(struct store_snapshot *snapshot);

settle_status store_meta_get(struct store_snapshot *snapshot, struct store_meta *ret_meta, settle_error *error);
/* SETTLE_E_NOT_FOUND when absent, and *error is untouched; SETTLE_E_CORRUPT when a checksum does not fit. */
settle_status store_id_get(struct store_snapshot *snapshot, const struct event_key *key, uint64_t *ret_position,
                           settle_error *error);
settle_status store_account_get(struct store_snapshot *snapshot, uint64_t user, uint32_t asset,
                                struct account *ret_account, settle_error *error);
settle_status store_source_get(struct store_snapshot *snapshot, settle_text name, struct source_entry *ret_entry,
                               settle_error *error); /* ret_entry->name is NULL */

/* Visitors are called in key order; a status other than SETTLE_OK stops the walk and is returned. */
typedef settle_status (*store_visit_account)(void *context, const struct account *account, settle_error *error);
typedef settle_status (*store_visit_position)(void *context, uint64_t position, settle_error *error);
typedef settle_status (*store_visit_asset)(void *context, const settle_asset *asset, settle_error *error);
typedef settle_status (*store_visit_id)(void *context, const struct store_id *id, settle_error *error);
typedef settle_status (*store_visit_source)(void *context, const struct source_entry *entry, settle_error *error);
/* user 0: all users, and the counts and digest of the walk are checked against meta (SETTLE_E_CORRUPT). */
settle_status store_accounts_walk(struct store_snapshot *snapshot, uint64_t user, store_visit_account visit,
                                  void *context, settle_error *error);
/* Positions of the later arrivals of the event whose first arrival is at first_position, in order. */
settle_status store_arrivals_walk(struct store_snapshot *snapshot, uint64_t first_position, store_visit_position visit,
                                  void *context, settle_error *error);
/* All later arrivals, in the order of their first ones. */
typedef settle_status (*store_visit_arrival)(void *context, const struct store_arrival *arrival, settle_error *error);
settle_status store_arrivals_walk_all(struct store_snapshot *snapshot, store_visit_arrival visit, void *context,
                                      settle_error *error);
settle_status store_assets_walk(struct store_snapshot *snapshot, store_visit_asset visit, void *context,
                                settle_error *error);
/* All ids, checked against meta's count and digest at the end. */
settle_status store_ids_walk(struct store_snapshot *snapshot, store_visit_id visit, void *context, settle_error *error);
settle_status store_sources_walk(struct store_snapshot *snapshot, store_visit_source visit, void *context,
                                 settle_error *error);

/*
 * Writes a batch in one synchronous transaction; growing the map where it is full. After an error the store must not be
 * written again (LMDB forgets a failed sync): the caller latches.
 */
settle_status store_apply(struct store *store, const struct store_batch *batch, settle_error *error);

#endif
