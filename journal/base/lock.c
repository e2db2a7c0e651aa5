/*
 * lock.c — locks on files in a data directory: the writer's, and others of the same kind. Open file description locks (fcntl(2)):
 * they end with the descriptor, whatever ends the process. The file holds the holder's pid, for messages.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif
#include "journal/base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOCK_NAME "lock"

static int lock_command(int fd, int command, struct flock *lock)
{
    *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* the whole file; l_pid is 0, as it must be */
    int failed;
    do {
        failed = fcntl(fd, command, lock);
    } while (failed != 0 && errno == EINTR);
    return failed;
}

/* SETTLE_E_BUSY, with the pid that the holder wrote, where it got that far. */
static settle_status fail_busy(int fd, const char *name, const char *holder, settle_error *error)
{
    char text[24] = "";
    size_t digits = 0;
    if (file_read_zeros(fd, name, 0, text, sizeof(text) - 1, NULL) == SETTLE_OK)
        digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\n')
        return fail_at(error, SETTLE_E_BUSY, name, 0, 0, "another %s has the directory", holder);
    return fail_at(error, SETTLE_E_BUSY, name, 0, 0, "another %s (pid %.*s) has the directory", holder, (int)digits,
                   text);
}

/* The new text goes over the old before the file is cut, so that a full disk is no obstacle. */
settle_status lock_sign(int fd, const char *name, settle_error *error)
{
    char text[24];
    int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    assert(bytes > 0 && (size_t)bytes < sizeof(text));
    settle_status status = file_write(fd, name, 0, text, (size_t)bytes, error);
    return status == SETTLE_OK ? file_truncate(fd, name, (uint64_t)bytes, error) : status;
}

settle_status lock_take_name_at(int dir_fd, const char *name, const char *holder, int *ret_fd, settle_error *error)
{
    assert(ret_fd != NULL);
    int fd;
    settle_status status = file_open_at(dir_fd, name, FILE_CREATE_OR_WRITE, &fd, error);
    if (status != SETTLE_OK)
        return status;
    struct flock lock;
    if (lock_command(fd, F_OFD_SETLK, &lock) != 0) {
        bool busy = errno == EAGAIN || errno == EACCES;
        status = busy ? fail_busy(fd, name, holder, error) : fail_errno(error, errno, name, "cannot lock the file");
        file_close(fd);
        return status;
    }
    *ret_fd = fd;
    return SETTLE_OK;
}

settle_status lock_take_at(int dir_fd, int *ret_fd, settle_error *error)
{
    int fd;
    settle_status status = lock_take_name_at(dir_fd, LOCK_NAME, "writer", &fd, error);
    if (status == SETTLE_OK && (status = lock_sign(fd, LOCK_NAME, error)) != SETTLE_OK)
        file_close(fd);
    if (status == SETTLE_OK)
        *ret_fd = fd;
    return status;
}

bool lock_is_held_at(int dir_fd)
{
    int fd;
    settle_status status = file_open_at(dir_fd, LOCK_NAME, FILE_READ, &fd, NULL);
    if (status != SETTLE_OK)
        return status != SETTLE_E_NOT_FOUND; /* in doubt there is a writer: the careful answer for a reader */
    struct flock lock;
    bool held = lock_command(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    file_close(fd);
    return held;
}
