/* segment_file.h — a segment open for reading, wherever it lies: `journal/NAME.seg`, or archived `archive/NAME.seg.zst`. */
#ifndef JOURNAL_SEGMENT_FILE_H
#define JOURNAL_SEGMENT_FILE_H

#include "journal/archived.h"
#include "journal/segment.h"

struct segment_file {
    int fd;                    /* -1: archived, or not open */
    struct archived *archived; /* NULL: plain, or not open */
    uint64_t bytes_known;      /* of an archived segment; a plain one may grow */
};
#define SEGMENT_FILE_CLOSED ((struct segment_file){-1, NULL, 0})

/* SETTLE_E_NOT_FOUND: it is not where the entry says; it may have been moved since it was listed. */
settle_status segment_file_open(int data_fd, int journal_fd, const struct segment_entry *entry, const struct mem *mem,
                                struct segment_file *ret_file, settle_error *error);
void segment_file_close(struct segment_file *file);
static inline bool segment_file_is_open(const struct segment_file *file)
{
    return file->fd >= 0 || file->archived != NULL;
}
/* `count` bytes from `offset` on; zeros behind the file's end. */
settle_status segment_file_read(struct segment_file *file, const char *name, uint64_t offset, void *ret_bytes,
                                size_t count, settle_error *error);
settle_status segment_file_bytes(const struct segment_file *file, const char *name, uint64_t *ret_bytes,
                                 settle_error *error);

#endif
