/*
 * archive_index.h — `journal/archived`: which segments lie in `archive/` and what their headers say, so that a journal whose
 * beginning was archived is told from one that lost it, and is opened without the archive. docs/archive.md has the bytes.
 *
 * Replaced by rename and synced before the first of its segments is removed from `journal/`.
 */
#ifndef JOURNAL_ARCHIVE_INDEX_H
#define JOURNAL_ARCHIVE_INDEX_H

#include "journal/segment.h"

#define ARCHIVE_INDEX_NAME "archived"
#define ARCHIVE_INDEX_NAME_NEW "archived.new"
#define ARCHIVE_INDEX_NAME_DAMAGED "archived.damaged"

#define ARCHIVE_INDEX_MAGIC "SETTLEA1"
enum {
    ARCHIVE_INDEX_VERSION = 8,
    ARCHIVE_INDEX_COUNT = 12,
    ARCHIVE_INDEX_ZERO = 16,
    ARCHIVE_INDEX_CRC = 60,
    ARCHIVE_INDEX_HEAD_BYTES = 64,

    ARCHIVE_ENTRY_SEGMENT_BYTES = 512,
    ARCHIVE_ENTRY_FILE_BYTES = 520,
    ARCHIVE_ENTRY_DIGEST = 528,
    ARCHIVE_ENTRY_ZERO = 532,
    ARCHIVE_ENTRY_CRC = 540,
    ARCHIVE_ENTRY_BYTES = 544,
};

struct archive_entry {
    struct segment_header header;
    uint64_t segment_bytes; /* of the segment file, which may be shorter than a segment */
    uint64_t file_bytes;    /* of the .zst */
    uint32_t digest;        /* of its table: archived_digest() */
};
struct archive_index {
    struct archive_entry *entries; /* by ordinal from 0 on */
    size_t count;
    const struct mem *mem; /* that has them */
};

/* A missing file is an index of none. SETTLE_E_CORRUPT, SETTLE_E_UNSUPPORTED with the place. */
settle_status archive_index_read(int journal_fd, const struct mem *mem, struct archive_index *ret_index,
                                 settle_error *error);
void archive_index_free(struct archive_index *index); /* also of a zeroed struct */
/* The entry of an ordinal, NULL when there is none. */
const struct archive_entry *archive_index_find(const struct archive_index *index, uint64_t ordinal);
/* Takes the entry in, in place of one with its ordinal. */
settle_status archive_index_put(struct archive_index *index, const struct archive_entry *entry, settle_error *error);
/* Durable when they return SETTLE_OK. */
settle_status archive_index_write(int journal_fd, const struct archive_index *index, settle_error *error);
settle_status archive_index_remove(int journal_fd, settle_error *error); /* fine when it is missing */

#endif
