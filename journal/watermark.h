/*
 * watermark.h — how far the journal is durable, told by a living writer to readers in other processes: two copies of one
 * number in `journal/watermark`. Means nothing once the writer is gone (nobody holds the lock).
 */
#ifndef JOURNAL_WATERMARK_H
#define JOURNAL_WATERMARK_H

#include "journal/base/file.h"

#define WATERMARK_NAME "watermark"
#define WATERMARK_BYTES 16

/* Everything before `position` is on stable storage. */
settle_status watermark_write(int fd, uint64_t position, settle_error *error);
/* A missing or half-written one reads as 0: nothing is known to be durable. */
settle_status watermark_read(int journal_fd, uint64_t *ret_position, settle_error *error);

#endif
