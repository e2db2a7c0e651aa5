/*
 * watermark.h — how far the journal is durable, told by a living writer to readers in other processes, and to the next
 * writer: `journal/watermark`, which is not synced but where it is lowered.
 *
 * It is written only behind a sync. So after a crash it may be too small, or old, but never too large: a journal that ends
 * before it has lost what was acknowledged.
 */
#ifndef JOURNAL_WATERMARK_H
#define JOURNAL_WATERMARK_H

#include "journal/base/file.h"

#define WATERMARK_NAME "watermark"
#define WATERMARK_BYTES 24

struct watermark {
    bool is_known;     /* false: missing or half-written, and the rest is zero */
    uint64_t position; /* everything before it is on stable storage */
    bool is_appending; /* its writer has recovered and appends; else it only examines, and the journal stands still */
};

settle_status watermark_write(int fd, uint64_t position, bool is_appending, settle_error *error);
settle_status watermark_read(int journal_fd, struct watermark *ret_watermark, settle_error *error);
/* A writer that begins: keeps the position, which is evidence, and says that nobody appends. */
settle_status watermark_pause(int data_fd, struct watermark *ret_before, settle_error *error);
/* Before a writer that recovers cuts what the watermark tells of: back to `position`, on stable storage. */
settle_status watermark_lower(int data_fd, uint64_t position, settle_error *error);

#endif
