/*
 * log_seek.h — where in the journal a line stands that was found in a file, and whether it is this journal's: the
 * line is rendered again and must be the same, byte for byte.
 */
#ifndef JOURNAL_LOG_SEEK_H
#define JOURNAL_LOG_SEEK_H

#include "journal/follow/log_position.h"
#include "journal/follow/log_tail.h"

struct log_seek;

enum log_seek_answer {
    SEEK_GOES_ON, /* call again */
    SEEK_WAITS,   /* the reader does not show all of `from` yet: call again when it shows more */
    SEEK_FOUND,   /* log_seek_position() is behind the line, or behind `from` where that is later */
    SEEK_FOREIGN, /* the line is not this journal's */
    SEEK_LOST,    /* `from` is not this journal's */
};

/* `from`: where to begin, and what is done already; the journal's beginning where nothing is known. */
settle_status log_seek_open(const struct log_position *from, const struct log_tail *tail, const struct mem *mem,
                            struct log_seek **ret_seek, settle_error *error);
void log_seek_close(struct log_seek *seek); /* NULL is fine */
/* Whether the line is before `from` without looking. */
bool log_seek_is_before(const struct log_position *from, struct line_place place);
/* Some MiB of the journal a call. Fails where the journal does. */
settle_status log_seek_step(struct log_seek *seek, struct journal_reader *reader, enum log_seek_answer *ret_answer,
                            settle_error *error);
const struct log_position *log_seek_position(const struct log_seek *seek);

#endif
