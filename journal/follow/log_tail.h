/*
 * log_tail.h — what stands in a log file: its last whole line, and from where on it is torn.
 */
#ifndef JOURNAL_LOG_TAIL_H
#define JOURNAL_LOG_TAIL_H

#include "journal/base/mem.h"
#include "journal/lines/lines.h"

struct log_line {
    struct line_place place;
    uint32_t day;
};
/* The place of a line of the format LINE_SETTLE, `bytes` with its newline; false: it is none. */
bool log_line_parse(const char *line, size_t bytes, struct log_line *ret_line);

struct log_tail {
    uint64_t trusted_bytes; /* `from`, where that is a place between two lines of this file; else 0 */
    uint64_t file_bytes;
    uint64_t kept_bytes;  /* what comes behind is torn, or zeros where lines were to be */
    bool needs_newline;   /* what is kept is somebody else's and does not end with one */
    bool has_line;        /* the next three are known */
    struct log_line last; /* whole line among what is kept */
    size_t last_bytes;
    char last_text[LINE_BYTES_MAX];
};
/*
 * Lines before `from` are trusted (they were synced), those behind it looked at one by one: after a power cut zeros can
 * stand between whole lines. A line of somebody else's is passed over; it is never cut.
 */
settle_status log_tail_read(int fd, const char *name, uint64_t from, const struct mem *mem, struct log_tail *ret_tail,
                            settle_error *error);

#endif
