/*
 * archive.h — moving sealed segments between `journal/` and `archive/`. docs/archive.md has the order of the steps and what a
 * crash between any two of them leaves.
 *
 * One mover a data directory at a time (archive_lock_take()); any writer and any readers beside it. Nothing is removed
 * before its copy was synced, read back from the disk and compared byte for byte.
 */
#ifndef JOURNAL_ARCHIVE_H
#define JOURNAL_ARCHIVE_H

#include "journal/archive_index.h"
#include "journal/archived.h"

#define ARCHIVE_LOCK_NAME "archive.lock"

/* SETTLE_E_BUSY: another process moves segments. Released by file_close(). */
settle_status archive_lock_take(int data_fd, int *ret_fd, settle_error *error);

struct archive {
    const struct mem *mem;
    int data_fd; /* borrowed */
    int journal_fd, archive_fd;
    struct archive_index index;
};
/* create: makes `archive/` where there is none; else SETTLE_E_NOT_FOUND then, and an index that is damaged is set aside: what is
 * brought back needs none. Removes what an interrupted move left half written. The lock is held. */
settle_status archive_open(int data_fd, bool create, const struct mem *mem, struct archive *ret_archive,
                           settle_error *error);
void archive_close(struct archive *archive); /* also of a zeroed struct with descriptors of -1 */

struct archive_move {
    uint64_t segment_bytes, packed_bytes;
    uint32_t digest; /* archived_digest() */
};
/* Compresses a segment that lies in `journal/` and is not the last one, then removes it there. Again after a crash: goes on.
 * SETTLE_E_CONFLICT: `archive/` has another one, which is not damaged. */
settle_status archive_pack(struct archive *archive, const struct segment_entry *entry, int level,
                           struct archive_move *ret_move, settle_error *error);
/* Before anything is brought back: what lies in `archive/` and in `journal/` together is this journal, whole, and ends in a
 * plain segment. SETTLE_E_CORRUPT: it is not, and nothing was changed but an index of another journal set aside. */
settle_status archive_check(struct archive *archive, settle_error *error);
/* Writes an archived segment back to `journal/`, and leaves the .zst where it is. SETTLE_E_CONFLICT: it is there already, with
 * other bytes. */
settle_status archive_unpack(struct archive *archive, const char *segment, struct archive_move *ret_move,
                             settle_error *error);
/* The names ("….seg") of what is in `archive/`, in order; free each and the array. */
settle_status archive_list(const struct archive *archive, char ***ret_segments, size_t *ret_count, settle_error *error);
/* Once every segment is back in `journal/`: the index goes, then the .zst files. */
settle_status archive_empty(struct archive *archive, settle_error *error);

#endif
