/*
 * follower.h — keeps `settlement.log` in a log directory equal to what lines.h renders of the durable journal: nothing lost,
 * nothing twice, nothing ahead of stable storage, whatever process dies whenever. docs/json-lines.md has the reasons.
 *
 * Files, in the log directory (mode 0750 when created; files 0640):
 *   settlement.log                    the current file: one UTC day of the records' time
 *   settlement.log.YYYY-MM-DD[.zst]   a day that is over; with rotation by size, its last part
 *   settlement.log.YYYY-MM-DD.NNN[.zst]  its parts before, from 001
 *   .settlement.position              the journal's id, a frame to begin at again, the last line's place, the assets; written
 *                                     (replaced by rename, synced) only when the lines before it are on stable storage
 *   .settlement.lock                  locked by the one follower of the directory
 *
 * Where it goes on: behind the last whole line that lies there, or the position's, whichever is later in the journal. Torn or
 * zeroed bytes behind the last whole line are cut. So deleting files never renders history again, and a lost position
 * costs time, not lines.
 *
 * Trouble with the log files (disk full or below the free-space floor, a failed write) is no error here: the follower cuts
 * back to the last whole line, pauses and tries again when called later. It never touches the journal.
 */
#ifndef JOURNAL_FOLLOWER_H
#define JOURNAL_FOLLOWER_H

#include "journal/lines/lines.h"

#define FOLLOWER_FREE_DEFAULT UINT64_MAX

struct follower_options {
    const char *directory; /* created where it is absent (one level) */
    uint32_t sample_per_million; /* LINES_SAMPLE_ALL: every event */
    uint64_t rotate_bytes; /* also begin a new file before this one would be longer; 0: by day only */
    uint32_t keep_days;    /* rotated files of days more than this before the newest line's are deleted; 0: kept */
    uint64_t keep_bytes;   /* the oldest rotated files are deleted until the rest is at most this; 0: kept */
    bool compress;         /* rotated files with zstd */
    uint64_t free_bytes_min; /* rendering pauses while the file system has less; default: 1 GiB or 5 % of it, the less */
    void (*log)(void *context, int level, const char *message); /* levels of settle_log_level; may be NULL */
    void *context;
};

struct follower;

/* SETTLE_E_BUSY: another follower has the directory. A directory with another journal's lines: they are renamed away as
 * rotated files, told by `log`, and this journal's lines begin from its first. */
settle_status follower_open(const struct follower_options *options, const uint8_t journal_id[16], const struct mem *mem,
                            struct follower **ret_follower, settle_error *error);

struct follower_progress {
    bool is_at_end;  /* of what the reader shows: all of it is written */
    bool is_paused;  /* `cause` says why; call again in about a second */
    bool is_tidying; /* rotated files are still to be deleted or compressed: call again, at the end too */
    uint64_t lines, bytes; /* written since follower_open() */
    settle_error cause;
};
/*
 * Renders what the reader shows, about a MiB of lines a call, and writes it. Rotation, compression and retention happen here
 * too. SETTLE_OK but for a failure of the journal or of memory, after which the follower can only be closed.
 */
settle_status follower_step(struct follower *follower, struct journal_reader *reader,
                            struct follower_progress *ret_progress, settle_error *error);
/* Syncs, writes the position, lets go of the directory; always frees. NULL is fine. */
settle_status follower_close(struct follower *follower, settle_error *error);

#endif
