/*
 * snapshot.h — the archive's snapshot: balances, ids, assets and sources at a point behind the archived segments, as a store of
 * its own in `archive/snapshot/store`. It is a projection like the store and never the truth: what cannot be believed is
 * passed over, and it can be built again from the journal.
 *
 * Written by the holder of the archive's lock alone; a crash leaves an earlier point, which is as good.
 */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include "engine/store.h"

#define SNAPSHOT_DIRECTORY "archive/snapshot"

bool snapshot_exists(int data_fd);
/* Whether there is a store or a snapshot: what only a journal leaves. */
settle_status projection_exists(int data_fd, bool *ret_exists, settle_error *error);
/* Errors name files below `archive/`. SETTLE_E_NOT_FOUND, SETTLE_E_CORRUPT as store_open(). `directory` is the data directory's
 * path. */
settle_status snapshot_open(int data_fd, const char *directory, const uint8_t journal_id[16], const struct mem *mem,
                            struct store **ret_store, settle_error *error);
settle_status snapshot_meta_read(int data_fd, const char *directory, const uint8_t journal_id[16],
                                 const struct mem *mem, struct store_meta *ret_meta, settle_error *error);
/* Brings it up to the last frame that begins before `until_position`, or makes it; then reads all of it. One that is damaged, or
 * not of this journal, is made anew: *ret_fault says why then (status SETTLE_OK: it was good). */
settle_status snapshot_advance(int data_fd, const char *directory, struct journal_reader *reader,
                               uint64_t until_position, const struct mem *mem, struct store_meta *ret_meta,
                               settle_error *ret_fault, settle_error *error);
/* Puts a copy of it in the place of the store, which is absent, once all of the copy was read and found good. The archive's lock
 * is held. */
settle_status snapshot_copy(int data_fd, const char *directory, const uint8_t journal_id[16], const struct mem *mem,
                            settle_error *error);
settle_status snapshot_remove(int data_fd, settle_error *error); /* fine when it is missing */

#endif
