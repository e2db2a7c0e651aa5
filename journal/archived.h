/*
 * archived.h — an archived segment: `archive/NAME.seg.zst`, a segment file in zstd's seekable format. docs/archive.md has the
 * bytes. Plain `zstd -d` gives the very segment back; a block of ARCHIVED_BLOCK_BYTES is read without the others.
 */
#ifndef JOURNAL_ARCHIVED_H
#define JOURNAL_ARCHIVED_H

#include "journal/base/file.h"
#include "journal/base/mem.h"
#include "journal/segment.h"

#define ARCHIVE_DIRECTORY "archive"
#define ARCHIVED_NAME_BYTES (SEGMENT_NAME_BYTES + 8)
#define ARCHIVED_BLOCK_BYTES ((size_t)128 << 10)

#define ARCHIVED_LEVEL_MIN 1
#define ARCHIVED_LEVEL_MAX 19
#define ARCHIVED_LEVEL_DEFAULT 9

/* "NAME.seg.zst" of "NAME.seg", in `archive/`; false: the name is not that of an archived segment. */
void archived_name(const char *segment, char ret_name[ARCHIVED_NAME_BYTES]);
bool archived_name_parse(const char *name, char ret_segment[SEGMENT_NAME_BYTES]);

/* One open archived segment with a cache of a few blocks; one thread's. */
struct archived;

/* `name` in the directory; SETTLE_E_NOT_FOUND, SETTLE_E_CORRUPT where its table of blocks is damaged. */
settle_status archived_open(int archive_fd, const char *name, const struct mem *mem, struct archived **ret_archived,
                            settle_error *error);
void archived_close(struct archived *archived);                   /* NULL is fine */
uint64_t archived_segment_bytes(const struct archived *archived); /* of the segment file it was made from */
uint64_t archived_file_bytes(const struct archived *archived);    /* of itself */
/* Over the table of its blocks, which has a checksum of each: what tells it from another one with the same header. */
uint32_t archived_digest(const struct archived *archived);
/* `count` bytes of the segment from `offset` on; behind its end are zeros. SETTLE_E_CORRUPT with the file and the offset of the
 * block in it, never a wrong byte. */
settle_status archived_read(struct archived *archived, uint64_t offset, void *ret_bytes, size_t count,
                            settle_error *error);

/* Compresses what `from_fd` holds into the open, empty file `to_fd`. Not synced. */
settle_status archived_write(int from_fd, const char *from_name, int to_fd, const char *to_name, int level,
                             const struct mem *mem, settle_error *error);
/* Reads all of it. */
settle_status archived_check(struct archived *archived, const struct mem *mem, settle_error *error);
/* Whether the file `fd` has exactly the segment's bytes. */
settle_status archived_compare(struct archived *archived, int fd, const char *name, const struct mem *mem,
                               bool *ret_is_equal, settle_error *error);

#endif
