/*
 * place.h — small files at paths that a user gives: read whole, written whole and durable, and, where they are secret,
 * asked where they lie and who may read them.
 */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/base/status.h"

/* The directory of a path and the name in it; SETTLE_E_INVALID where the path ends in no name. */
#define PLACE_NAME_BYTES 256
settle_status place_open_parent(const char *path, int *ret_dir_fd, char ret_name[PLACE_NAME_BYTES],
                                settle_error *error);
/* Whether a directory is `outer_fd` or lies below it, found by walking up: symbolic links do not count. */
settle_status place_is_inside(int dir_fd, int outer_fd, bool *ret_is_inside, settle_error *error);

/* All of a file, a pipe or what else can be read there. SETTLE_E_INVALID: it has more than `capacity` bytes. */
settle_status place_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_count, settle_error *error);
/*
 * The same of a regular file that nobody but its owner may read or write (SETTLE_E_ACCESS) and that lies outside
 * `outer_fd` (-1: anywhere), by way of symbolic links too (SETTLE_E_INVALID).
 */
settle_status place_read_secret(const char *path, int outer_fd, void *ret_bytes, size_t capacity, size_t *ret_count,
                                settle_error *error);

/*
 * A file in one step, on stable storage when it returns: a crash leaves it whole or not at all, and perhaps `partial`,
 * which the next call writes over. Without `replace` SETTLE_E_EXISTS where the name is taken.
 */
settle_status place_write_at(int dir_fd, const char *partial, const char *name, bool replace, const void *bytes,
                             size_t count, settle_error *error);
/* The same at a path; the partial file is "{path}.partial". Never replaces. */
settle_status place_write(const char *path, const void *bytes, size_t count, settle_error *error);

#endif
