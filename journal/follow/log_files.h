/*
 * log_files.h — the files of a log directory: names of rotated parts, their list and order, which name is free, what is
 * too old or too much; and compressing one, piece by piece.
 *
 *   settlement.log.2024-12-10.001, .002 …   parts of a day in order
 *   settlement.log.2024-12-10               its last
 *   ….zst                                   the same, compressed; ….zst.partial: not yet wholly
 */
#ifndef JOURNAL_LOG_FILES_H
#define JOURNAL_LOG_FILES_H

#include "journal/base/file.h"
#include "journal/base/mem.h"

#define LOG_NAME "settlement.log"
#define LOG_NAME_BYTES 64    /* holds every name of ours */
#define LOG_DAY_MAX 2932896u /* 9999-12-31 */

/* The UTC day of a time, in days since 1970; later days than the last that has a name are that one. */
uint32_t log_day_of(uint64_t time_us);
/* "2024-12-10" at `text`; false: no such day. */
bool log_day_parse(const char *text, uint32_t *ret_day);

struct log_name {
    uint32_t day;
    uint32_t part; /* 1 …; 0: the day's last part, which has no number */
    bool is_compressed, is_partial;
};
void log_name_format(const struct log_name *name, char ret_text[LOG_NAME_BYTES]);
/* True for the exact names that log_name_format() makes. */
bool log_name_parse(const char *text, struct log_name *ret_name);
/* By day, then by part, the one without a number last; <0, 0, >0. A compressed one is equal. */
int log_name_compare(const struct log_name *a, const struct log_name *b);

struct log_file {
    struct log_name name;
    uint64_t bytes;
};
struct log_list {
    struct log_file *files; /* in order; regular files only */
    size_t count;
    uint64_t bytes; /* of all */
};
/* Without bytes the files are not looked at: a name of ours is believed to be a file of ours. */
settle_status log_list_read(int dir_fd, const struct mem *mem, bool with_bytes, struct log_list *ret_list,
                            settle_error *error);
void log_list_free(struct log_list *list, const struct mem *mem);
/* A name for the current file that nobody has, compressed or not; its part is above `part_used` where it has a
 * number. */
void log_list_next_name(const struct log_list *list, uint32_t day, bool is_last, uint32_t part_used,
                        struct log_name *ret_name);
/* The newest that is not compressed; NULL: none. */
const struct log_file *log_list_newest(const struct log_list *list);
/*
 * How many files from the oldest on are to be deleted: those of a day more than keep_days before `newest_day`, and
 * so many that the rest has at most keep_bytes. 0: no limit.
 */
size_t log_list_excess(const struct log_list *list, uint32_t newest_day, uint32_t keep_days, uint64_t keep_bytes);

/* ---- Compression ------------------------------------------------------------------------------------------------ */

struct log_compression;

/* Begins with NAME.zst.partial. */
settle_status log_compression_open(int dir_fd, const struct log_name *name, const struct mem *mem,
                                   struct log_compression **ret_compression, settle_error *error);
/* About a MiB of the file. At its end NAME.zst is on stable storage and NAME is removed: *ret_is_done. */
settle_status log_compression_step(struct log_compression *compression, bool *ret_is_done, settle_error *error);
/* What is not done is removed. NULL is fine. */
void log_compression_close(struct log_compression *compression);

#endif
