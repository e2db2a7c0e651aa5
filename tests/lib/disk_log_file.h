/* disk_log_file.h — between disk_log.c and disk_log_file.c: making a recording. */
#ifndef TESTS_LIB_DISK_LOG_FILE_H
#define TESTS_LIB_DISK_LOG_FILE_H

#include "tests/lib/disk_log.h"

struct disk_log *disk_log_new(void);
uint32_t disk_log_node(struct disk_log *log, bool is_directory, const char *name);
/* Copies what the call points to. */
void disk_log_add(struct disk_log *log, const struct disk_call *call);

/* The array with room for one more behind `count`. */
void *disk_grow(void *array, size_t count, size_t *capacity, size_t member_bytes);
void *disk_copy(const void *bytes, size_t count);

#endif
