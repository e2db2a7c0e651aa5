/*
 * source.h — one input: a regular file, a FIFO, a device or standard input, read forwards.
 *
 * Reading never blocks: source_wait() says when there is something, so that a caller can look at its stop flag and
 * commit what it has while input pauses.
 */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include <stdbool.h>

#include <settle/settle.h>

struct source {
    const char *path; /* borrowed; "-" is standard input */
    int fd;           /* -1: closed */
    bool is_file;     /* a regular file: has a size, can seek and never pauses */
    uint64_t start;   /* a regular file: where the descriptor stood; standard input may have been read before */
    uint64_t bytes;   /* a regular file: from there to its end as it was when opened; else 0 */
};

/* A FIFO is opened without waiting for its writer. A directory is SETTLE_E_ACCESS. */
settle_status source_open(const char *path, struct source *ret_source, settle_error *error);
void source_close(struct source *source); /* also one that is closed */

/*
 * A regular file only: to `offset` bytes behind its start. *ret_last_byte is the byte before it, -1 at the start.
 * SETTLE_E_INVALID when it has fewer bytes.
 */
settle_status source_seek(struct source *source, uint64_t offset, int *ret_last_byte, settle_error *error);

/* Whether source_read() has something to tell within `timeout_ms`: bytes, the end or an error. False also on a
 * signal. */
bool source_wait(const struct source *source, int timeout_ms);

/* At most `room` bytes. *ret_bytes is 0 at the end (*ret_end) and when there is nothing after all. */
settle_status source_read(const struct source *source, char *ret_buffer, size_t room, size_t *ret_bytes, bool *ret_end,
                          settle_error *error);

/* What there is to read at `path` by now: *ret_is_known is false for what is no regular file. Opens nothing. */
settle_status source_measure(const char *path, uint64_t *ret_bytes, bool *ret_is_known, settle_error *error);

/* Shorter than the position that is journalled for it. */
settle_status source_too_short(const struct source *source, uint64_t offset, settle_error *error);

#endif
