/* logs.h — the files of a log directory, for verify and rebuild: which there are, in the journal's order, and their
 * lines. */
#ifndef QUERY_LOGS_H
#define QUERY_LOGS_H

#include "journal/follow/log_files.h"
#include "journal/follow/log_tail.h"
#include "query/internal.h"

struct logs_file {
    char name[LOG_NAME_BYTES];
    bool is_current, is_compressed;
    uint32_t day; /* as its name says; not of the current file */
};

/* In the order of their lines, malloc'd. A file that is being compressed is listed once. */
struct logs_list {
    struct logs_file *files;
    size_t count;
};
settle_status logs_list_read(int dir_fd, struct logs_list *ret_list, settle_error *error);
void logs_list_free(struct logs_list *list);

/* Reads a file line by line, unpacked. */
struct logs_stream;
settle_status logs_stream_open(int dir_fd, const struct logs_file *file, struct logs_stream **ret_stream,
                               settle_error *error);
void logs_stream_close(struct logs_stream *stream); /* NULL is fine */
/* Borrowed until the next call. Without a newline at its end: the file's last, or longer than any line. SETTLE_E_END;
 * SETTLE_E_CORRUPT: no zstd file. */
settle_status logs_stream_next(struct logs_stream *stream, const char **ret_line, size_t *ret_bytes,
                               settle_error *error);

#endif
