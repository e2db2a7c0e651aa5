/*
 * store_tables.h — inside the store: an LMDB environment with seven tables of bytes. store.c, store_snapshot.c and
 * store_writer.c speak to LMDB; store_open.c, store_read.c, store_apply.c and store_ids.c speak to them through this header and know
 * what the bytes mean.
 */
#ifndef ENGINE_STORE_TABLES_H
#define ENGINE_STORE_TABLES_H

#include "engine/store_format.h"

#define STORE_DIRECTORY "store"
#define STORE_DATA_NAME "data.mdb" /* LMDB's names */
#define STORE_LOCK_NAME "lock.mdb"
#define STORE_DATA_FILE STORE_DIRECTORY "/" STORE_DATA_NAME

/* Address space, not disk space: a store that outgrows it costs a pause of all snapshots (see store.c). */
#define STORE_MAP_BYTES ((size_t)64 << 30)

extern const char *const store_table_names[STORE_TABLE_COUNT];

/* Ids that begin with their time have a table of their own, so that new ones come at its end. */
static inline enum store_table store_id_table(const struct event_key *key)
{
    return key->is_natural ? STORE_NATURAL_IDS : STORE_TEXT_IDS;
}

/* store_open() with a map of another size: for tests of its growth. */
settle_status store_open_mapped(int data_fd, const char *data_path, bool write, const uint8_t journal_id[16],
                                const struct mem *mem, size_t map_bytes, struct store **ret_store, settle_error *error);

/*
 * Whether what is in data.mdb can be mapped: both of LMDB's meta pages, and all the pages they speak of. A file of no bytes
 * is fine: *ret_is_empty. store_check.c
 */
settle_status store_data_check(int data_fd, bool *ret_is_empty, settle_error *error);
/* For a writer, of a file that was checked and is not empty. LMDB writes its first meta pages once and in no transaction. Where the
 * sync failed that was to make them durable, they are clean in the page cache and maybe nowhere else: until the first
 * transaction they are written again, so that its sync takes them along. */
settle_status store_metas_rewrite(int data_fd, settle_error *error);

/*
 * Without a lock (readers only). Where lock.mdb cannot be opened for writing (a read-only mount or directory, another user's
 * file, a copy that lacks it), a reader cannot register, and a writer would reuse the pages that it looks at. It therefore
 * reads only while nobody holds the writer's lock of the data directory, looks again at each start of a snapshot, and after
 * each read checks that at most one commit came after its snapshot: the third is the first that may reuse a page of it,
 * and begins when the second can be seen. SETTLE_E_ACCESS otherwise.
 */
struct store_tables_options {
    int data_fd;      /* borrowed for the call */
    const char *path; /* of the environment's directory */
    bool write;
    bool without_lock;
    size_t map_bytes;
    struct store_bytes first_meta; /* write: the value of meta in a store that has no tables yet */
};
/* SETTLE_E_NOT_FOUND: read-only, and nothing was ever committed. */
settle_status store_tables_open(const struct store_tables_options *options, const struct mem *mem,
                                struct store **ret_store, settle_error *error);

/* SETTLE_E_CORRUPT, with the sentence of a decoder. */
settle_status store_fail_entry(settle_error *error, const char *fault);
/* SETTLE_E_CORRUPT: store and journal are not of one history. store_apply.c */
settle_status store_fail_history(settle_error *error, uint64_t seq, const char *what);
const struct mem *store_mem(const struct store *store);

/* ---- Reading: what is found is borrowed from the snapshot until it rests --------------------------------------------- */

/* {NULL, 0}: the key has no entry, for certain: the leaf where it would stand is proved (store_view.h). */
settle_status store_table_find(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                               struct store_bytes *ret_value, settle_error *error);
/* The entry with the greatest key that is not greater; {{NULL, 0}}: the table is empty. For certain, as above. */
settle_status store_table_floor(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                                struct store_entry *ret_entry, settle_error *error);
/* Visits the entries from key `from` on ({NULL, 0}: all), in the order of the tree, until the visitor sets *stop or fails. */
typedef settle_status (*store_visit_entry)(void *context, struct store_entry entry, bool *stop, settle_error *error);
settle_status store_table_scan(struct store_snapshot *snapshot, enum store_table table, struct store_bytes from,
                               store_visit_entry visit, void *context, settle_error *error);

/* ---- Writing: one transaction, all or nothing --------------------------------------------------------------------------- */

struct store_writer;

/* Writes through the calls below, and only through them: it is called again from the start when the map had to grow. */
typedef settle_status (*store_write)(struct store_writer *writer, const void *context, settle_error *error);
/* SETTLE_E_INVALID from `write` leaves the store as it was. After any other error it can only be closed. */
settle_status store_transact(struct store *store, store_write write, const void *context, settle_error *error);

/* Fast for keys in ascending order. *ret_value is {NULL, 0} when there is no entry; else it is good until the next write. */
settle_status store_writer_get(struct store_writer *writer, enum store_table table, struct store_bytes key,
                               struct store_bytes *ret_value, settle_error *error);
/* The entry with the greatest key that is not greater, and the key of the next one ({NULL, 0}: none), both as the commit before
 * left them. {{NULL, 0}}: the table was empty. A table that is asked so has an entry before all keys. */
settle_status store_writer_floor(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                 struct store_entry *ret_entry, struct store_bytes *ret_next, settle_error *error);
/* Over the entry that store_writer_get() has just found in this table; with a value of the same length. */
settle_status store_writer_replace(struct store_writer *writer, enum store_table table, struct store_bytes key,
                                   struct store_bytes value, settle_error *error);
/* *ret_existing is {NULL, 0} when it was added; else nothing was written and it is what is there. */
settle_status store_writer_add(struct store_writer *writer, enum store_table table, struct store_bytes key,
                               struct store_bytes value, struct store_bytes *ret_existing, settle_error *error);

#endif
