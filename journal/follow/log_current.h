/*
 * log_current.h — settlement.log, the file that is written: opened behind a whole line, appended to, cut back, watched.
 */
#ifndef JOURNAL_LOG_CURRENT_H
#define JOURNAL_LOG_CURRENT_H

#include "journal/base/file.h"
#include "journal/follow/log_tail.h"

struct log_current {
    const struct mem *mem;
    int dir_fd;                    /* borrowed */
    int fd;                        /* -1: not open */
    struct file_identity identity; /* of the one that was open last */
    uint64_t bytes;                /* whole lines, from the file's beginning */
    uint32_t day;                  /* of its lines */
    bool has_day;
    bool needs_cut;       /* behind `bytes` there is part of a failed write, or what a failed sync has made doubtful */
    struct log_tail tail; /* what was found when it was opened */
};

void log_current_init(struct log_current *current, int dir_fd, const struct mem *mem);
/* Opens or creates it; cuts what is torn (lines before `from` are trusted) and ends somebody else's last line. */
settle_status log_current_open(struct log_current *current, uint64_t from, settle_error *error);
void log_current_close(struct log_current *current); /* fine when closed */

enum log_change {
    LOG_SAME,
    LOG_GONE,   /* the name is nobody's, or another file's */
    LOG_SHRUNK, /* somebody cut it */
    LOG_GROWN,  /* somebody wrote to it */
};
settle_status log_current_watch(const struct log_current *current, enum log_change *ret_change, settle_error *error);
/* Whole lines. After a failure the file is cut back to what it was; where that fails too, log_current_mend() does
 * it. */
settle_status log_current_write(struct log_current *current, const char *lines, size_t count, settle_error *error);
settle_status log_current_mend(struct log_current *current, settle_error *error);
settle_status log_current_sync(struct log_current *current, settle_error *error);
/* For one just opened: writes what lies behind the trusted bytes once more, the same bytes, and syncs. A sync that failed, in this
 * process or in one that is gone, has left pages that count as written and that no later sync would write. */
settle_status log_current_resync(struct log_current *current, settle_error *error);

#endif
