/* place.c — see place.h. Owns nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif
#include "journal/base/place.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"

settle_status place_open_parent(const char *path, int *ret_dir_fd, char ret_name[PLACE_NAME_BYTES], settle_error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    char folder[PATH_MAX];
    size_t bytes = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail_at(error, SETTLE_E_INVALID, path, 0, 0, "%.200s is no name of a file", path);
    if (bytes >= sizeof folder || strlen(name) >= PLACE_NAME_BYTES)
        return fail_errno(error, ENAMETOOLONG, path, "cannot open the directory");
    memcpy(folder, path, bytes);
    folder[bytes] = '\0';
    settle_status status = dir_open_shared(bytes == 0 ? "." : folder, false, ret_dir_fd, error);
    if (status == SETTLE_OK)
        memcpy(ret_name, name, strlen(name) + 1);
    return status;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_directory(int dir_fd, const char *name)
{
    int fd;
    do {
        fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

settle_status place_is_inside(int dir_fd, int outer_fd, bool *ret_is_inside, settle_error *error)
{
    struct stat outer, here, above;
    bool is_inside = false;
    int fd = open_directory(dir_fd, ".");
    if (fd < 0 || fstat(outer_fd, &outer) != 0 || fstat(fd, &here) != 0)
        goto failed;
    while (!(is_inside = same_file(&here, &outer))) {
        int up = open_directory(fd, "..");
        if (up < 0)
            goto failed;
        file_close(fd);
        fd = up;
        if (fstat(fd, &above) != 0)
            goto failed;
        if (same_file(&above, &here)) /* the root is its own parent */
            break;
        here = above;
    }
    file_close(fd);
    *ret_is_inside = is_inside;
    return SETTLE_OK;
failed:;
    settle_status status = fail_errno(error, errno, NULL, "cannot find out where the directory lies");
    file_close(fd);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static settle_status read_all(int fd, const char *path, uint8_t *ret_bytes, size_t capacity, size_t *ret_count,
                              settle_error *error)
{
    size_t count = 0;
    uint8_t more;
    for (;;) {
        bool is_full = count == capacity;
        ssize_t taken = read(fd, is_full ? &more : ret_bytes + count, is_full ? 1 : capacity - count);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0)
            return fail_errno(error, errno, path, "cannot read");
        if (taken == 0)
            break;
        if (is_full)
            return fail_at(error, SETTLE_E_INVALID, path, capacity, 0, "the file has more than %zu bytes", capacity);
        count += (size_t)taken;
    }
    *ret_count = count;
    return SETTLE_OK;
}

static int open_path(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

settle_status place_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_count, settle_error *error)
{
    int fd = open_path(path, 0);
    if (fd < 0)
        return fail_errno(error, errno, path, "cannot open the file");
    settle_status status = read_all(fd, path, ret_bytes, capacity, ret_count, error);
    file_close(fd);
    return status;
}

/* Where the file itself lies: links on the way and in its own place are followed to it. */
static settle_status require_outside(const char *path, int outer_fd, settle_error *error)
{
    char *resolved = realpath(path, NULL), name[PLACE_NAME_BYTES];
    if (resolved == NULL)
        return fail_errno(error, errno, path, "cannot find out where the file lies");
    int dir_fd = -1;
    bool is_inside = false;
    settle_status status = place_open_parent(resolved, &dir_fd, name, error);
    if (status == SETTLE_OK)
        status = place_is_inside(dir_fd, outer_fd, &is_inside, error);
    if (status == SETTLE_OK && is_inside)
        status = fail_at(error, SETTLE_E_INVALID, path, 0, 0,
                         "the private key lies inside the data directory: whoever copies the data has it too");
    file_close(dir_fd);
    free(resolved);
    return status;
}

settle_status place_read_secret(const char *path, int outer_fd, void *ret_bytes, size_t capacity, size_t *ret_count,
                                settle_error *error)
{
    struct stat st;
    int fd = open_path(path, O_NONBLOCK); /* a FIFO there is refused, not waited for */
    if (fd < 0)
        return fail_errno(error, errno, path, "cannot open the file");
    settle_status status = SETTLE_OK;
    if (fstat(fd, &st) != 0)
        status = fail_errno(error, errno, path, "cannot examine the file");
    else if (!S_ISREG(st.st_mode))
        status = fail_at(error, SETTLE_E_ACCESS, path, 0, 0, "not a regular file");
    else if ((st.st_mode & 077) != 0)
        status = fail_at(error, SETTLE_E_ACCESS, path, 0, 0,
                         "others may read or write this private key (mode %04o); it must be 0600 or 0400",
                         (unsigned)(st.st_mode & 07777));
    else if (st.st_uid != geteuid() && geteuid() != 0)
        status =
            fail_at(error, SETTLE_E_ACCESS, path, 0, 0, "belongs to another user (uid %lu)", (unsigned long)st.st_uid);
    else if (outer_fd >= 0)
        status = require_outside(path, outer_fd, error);
    if (status == SETTLE_OK)
        status = read_all(fd, path, ret_bytes, capacity, ret_count, error);
    file_close(fd);
    return status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

settle_status place_write_at(int dir_fd, const char *partial, const char *name, bool replace, const void *bytes,
                             size_t count, settle_error *error)
{
    int fd = -1;
    if (!replace && file_exists_at(dir_fd, name))
        return fail_at(error, SETTLE_E_EXISTS, name, 0, 0, "%.200s exists already and is not overwritten", name);
    settle_status status = file_open_at(dir_fd, partial, FILE_CREATE_OR_WRITE, &fd, error);
    if (status == SETTLE_OK)
        status = file_truncate(fd, partial, 0, error);
    if (status == SETTLE_OK)
        status = file_write(fd, partial, 0, bytes, count, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, partial, error);
    file_close(fd);
    if (status == SETTLE_OK)
        status = replace ? file_replace_at(dir_fd, partial, name, error) : file_rename_at(dir_fd, partial, name, error);
    return status == SETTLE_OK ? dir_sync(dir_fd, name, error) : status;
}

settle_status place_write(const char *path, const void *bytes, size_t count, settle_error *error)
{
    char name[PLACE_NAME_BYTES], partial[PLACE_NAME_BYTES + sizeof ".partial"];
    int dir_fd = -1;
    settle_status status = place_open_parent(path, &dir_fd, name, error);
    if (status != SETTLE_OK)
        return status;
    snprintf(partial, sizeof partial, "%s.partial", name);
    status = place_write_at(dir_fd, partial, name, false, bytes, count, error);
    file_close(dir_fd);
    return status;
}
