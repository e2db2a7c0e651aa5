/*
 * journal_files.h — a journal as files full of bytes: to be copied, compared and damaged; and the question what a
 * reader makes of it.
 */
#ifndef TESTS_LIB_JOURNAL_FILES_H
#define TESTS_LIB_JOURNAL_FILES_H

#include "journal/reader.h"

struct journal_file {
    char name[96];
    uint8_t *bytes;
    size_t count;
};
struct journal_files {
    struct journal_file *files; /* sorted by name */
    size_t count;
};

/* All files of `journal/` but the watermark. The process ends where they cannot be read. */
void journal_files_load(int data_fd, struct journal_files *ret_files);
/* The journal consists of these files then, and of nothing else. Makes `journal/` where there is none. */
void journal_files_store(int data_fd, const struct journal_files *files);
void journal_files_free(struct journal_files *files);
/* The segment of an ordinal, NULL when it is not there; and how many segments there are. */
struct journal_file *journal_files_segment(const struct journal_files *files, uint64_t ordinal);
size_t journal_files_segment_count(const struct journal_files *files);
/* The same segments with the same bytes; trailing zeros do not count. Else the name of the first that differs. */
const char *journal_files_difference(const struct journal_files *a, const struct journal_files *b);

/* One file of `journal/`, whole or in part, in place. */
void journal_file_write(int data_fd, const char *name, uint64_t offset, const void *bytes, size_t count);
void journal_file_resize(int data_fd, const char *name, uint64_t count);
void journal_file_rename(int data_fd, const char *from, const char *to);
void journal_file_remove(int data_fd, const char *name);
uint64_t journal_file_bytes(int data_fd, const char *name); /* UINT64_MAX: no such file */

/* What a reader finds from the beginning to the end. */
struct journal_scan {
    settle_status status; /* SETTLE_OK: all of it is sound, but for a torn tail */
    settle_error error;
    size_t frame_count;
    struct journal_point end; /* behind the last frame that was handed out */
    struct journal_tail tail;
};
void journal_scan(int data_fd, struct journal_scan *ret_scan);

#endif
