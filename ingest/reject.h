/*
 * reject.h — the file that malformed lines are copied to, byte for byte, each followed by one newline. One a run,
 * created with the first line. A line may come in pieces, since it can be longer than memory.
 *
 *     reject-20260131T235959.123456Z-<pid>.ndjson, mode 0600, in a directory that is created with mode 0700
 */
#ifndef INGEST_REJECT_H
#define INGEST_REJECT_H

#include <stdbool.h>

#include <settle/settle.h>

#define REJECT_PATH_BYTES 4096
#define REJECT_BUFFER_BYTES 65536

struct reject {
    const char *directory;        /* borrowed */
    int directory_fd, fd;         /* -1: not opened yet */
    uint64_t bytes;               /* handed to the file */
    uint64_t line_start;          /* where the line begun last starts: what reject_abandon_line() goes back to */
    size_t buffered;              /* bytes of `buffer` */
    bool unsynced;                /* whether something is not on stable storage */
    char path[REJECT_PATH_BYTES]; /* "" until there is a file */
    char buffer[REJECT_BUFFER_BYTES];
};

void reject_init(struct reject *reject, const char *directory);

settle_status reject_begin_line(struct reject *reject, settle_error *error);
settle_status reject_append(struct reject *reject, const char *bytes, size_t count, settle_error *error);
settle_status reject_end_line(struct reject *reject, settle_error *error);
/* Takes back the line begun last; a file that has no other is removed. */
settle_status reject_abandon_line(struct reject *reject, settle_error *error);

/* Everything so far is on stable storage: to be called before its lines count as passed. */
settle_status reject_sync(struct reject *reject, settle_error *error);
/* Syncs and closes; closes also when that fails, and what was never opened. `path` stays. */
settle_status reject_close(struct reject *reject, settle_error *error);

#endif
