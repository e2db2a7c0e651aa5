/*
 * follower_state.h — what follower.c (writing lines), follower_resume.c (where to go on) and follower_tidy.c (rotated
 * files) share. Nobody else includes it.
 *
 * A function that answers bool has met trouble with the log files when it answers false: the follower is paused
 * then, its cause is set, and the step ends with SETTLE_OK. What answers a status fails for good.
 */
#ifndef JOURNAL_FOLLOWER_STATE_H
#define JOURNAL_FOLLOWER_STATE_H

#include "journal/follow/follower.h"
#include "journal/follow/log_current.h"
#include "journal/follow/log_files.h"
#include "journal/follow/log_position.h"
#include "journal/follow/log_seek.h"

#define FOLLOWER_STEP_BYTES ((size_t)1 << 20)  /* of lines: the buffer, and about what a step writes */
#define FOLLOWER_SAVE_BYTES ((uint64_t)64 << 20) /* of lines between two positions */
#define FOLLOWER_LOOK_US UINT64_C(200000)        /* between two looks at the directory's name */
#define FOLLOWER_SAVE_US UINT64_C(5000000)       /* without a line until the position is saved */

enum follower_state {
    FOLLOW_RESUME, /* the files have not been looked at */
    FOLLOW_SEEK,   /* looking for the last line in the journal */
    FOLLOW_CATCH,  /* `done` tells where to go on; the lines' state is to be built */
    FOLLOW_RUN,
    FOLLOW_FAILED, /* for a reason in the journal, or for want of memory */
};

struct follower {
    const struct mem *mem;
    struct follower_options options;
    char *directory;    /* its path, for a look whether the name is still its */
    uint64_t looked_us; /* when that was looked at last */
    uint8_t journal_id[16];
    int dir_fd, lock_fd;
    enum follower_state state;
    struct log_current current;

    /* What is in the files; and what of it is on stable storage, for the day when a sync fails; whether the saved
     * position is that one. */
    struct log_position done, synced;
    bool done_is_known; /* from FOLLOW_CATCH on */
    bool synced_is_saved;
    uint64_t saved_bytes; /* `progress.bytes` then */
    uint64_t written_us;  /* when a line was written last */

    /* Running: the point before the frame that is told, and where one would begin again for it. */
    struct lines *lines;
    struct journal_point at, boundary, restart;
    struct line_place place; /* last line of that frame in the buffer or written */
    char *buffer;            /* FOLLOWER_STEP_BYTES + LINE_BYTES_MAX */
    size_t buffered, buffered_lines;
    size_t step_bytes; /* of lines in this step */

    /* Resuming */
    struct log_position from; /* as it was read; see has_position */
    bool has_position, line_is_rotated;
    struct log_tail tail; /* has_line: the last one of the files */
    struct log_seek *seek;

    /* Rotated files */
    bool tidy_is_due;
    uint64_t tidy_after_us; /* not before, for something failed */
    struct log_compression *compression;

    struct follower_progress progress;
    bool was_paused; /* in the step before */
    settle_error error; /* of the call that is just being made on a log file */
};

void follower_tell(const struct follower *f, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Takes f->error for its cause. Always false. What was not written will be rendered again from `done`. */
bool follower_pause(struct follower *f);
/* Makes the lines durable, and then the position. */
bool follower_save(struct follower *f);
/* The second half: the lines are durable. */
bool follower_save_synced(struct follower *f);
/* The current file is open, and is the one that has the name. */
bool follower_watch(struct follower *f);

/* From FOLLOW_RESUME, FOLLOW_SEEK and FOLLOW_CATCH towards FOLLOW_RUN. */
settle_status follower_resume_step(struct follower *f, struct journal_reader *reader, settle_error *error);
settle_status follower_catch_up(struct follower *f, struct journal_reader *reader, settle_error *error);
/* The current file becomes a rotated part; a new one is to be opened. */
bool follower_rename_current(struct follower *f, uint32_t day, bool is_last);

/* A bounded piece of work on rotated files; and whether there is some. */
void follower_tidy(struct follower *f);
bool follower_tidy_is_due(const struct follower *f);

#endif
