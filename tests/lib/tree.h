/* tree.h — a data directory as a whole: copying it, comparing what is in it, finding and damaging its files. */
#ifndef TESTS_LIB_TREE_H
#define TESTS_LIB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All end the process with a message when they cannot do it. */

/* Copies a directory with all that is in it to a path that does not exist; of a data directory in use, something that a
 * crash at about this time could have left. */
void tree_copy(const char *from, const char *to);

/*
 * One line for each file and directory, sorted: path, mode, size, checksum of the bytes. Free it. Without the files
 * that an open changes though it changes nothing: the locks (`lock`, `store/lock.mdb`).
 */
char *tree_listing(const char *path);

/* The whole file, malloc'd. */
unsigned char *tree_read(const char *path, size_t *ret_bytes);
/* Over what is there, from `offset` on. */
void tree_write(const char *path, uint64_t offset, const void *bytes, size_t count);
void tree_flip_bit(const char *path, uint64_t offset, unsigned bit);
void tree_truncate(const char *path, uint64_t bytes);

/* Paths of the journal's segments in order. */
struct tree_segments {
    char **paths;
    size_t count;
};
struct tree_segments tree_segments(const char *data_directory);
void tree_segments_free(struct tree_segments *segments);

#endif
