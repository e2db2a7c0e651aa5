/*
 * reject.c — writing the reject file.
 *
 * Owns the descriptors of the file and its directory. What is not yet written is in `buffer`, always behind `bytes` of
 * the file; the file is only ever appended to, except that a line given up halfway is cut off again. Nothing is lost
 * silently: every failure is returned, and the directory is synced so that the file's name survives a power cut as
 * well.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECTORY, O_NOFOLLOW */
#endif
#include "ingest/reject.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ingest/error.h"

#define NAME_TRIES_MAX 100
#define NAME_BYTES 80

void reject_init(struct reject *reject, const char *directory)
{
    assert(directory != NULL);
    reject->directory = directory;
    reject->directory_fd = reject->fd = -1;
    reject->bytes = reject->line_start = 0;
    reject->buffered = 0;
    reject->unsynced = false;
    reject->path[0] = '\0';
}

static settle_status open_directory(struct reject *reject, settle_error *error)
{
    const char *path = reject->directory;
    bool created = mkdir(path, 0700) == 0;
    if (!created && errno != EEXIST)
        return ingest_fail_errno(error, errno, path, "cannot create the reject directory");
    if (created && chmod(path, 0700) != 0) /* a umask may have taken the right to open it */
        return ingest_fail_errno(error, errno, path, "cannot set the mode of the reject directory");
    reject->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (reject->directory_fd < 0)
        return ingest_fail_errno(error, errno, path, "cannot open the reject directory");
    /* Rejected lines are as private as accepted ones. */
    struct stat st;
    if (fstat(reject->directory_fd, &st) != 0)
        return ingest_fail_errno(error, errno, path, "cannot examine the reject directory");
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return ingest_fail(error, SETTLE_E_ACCESS, path,
                           "%.150s belongs to another user, or others may write to it (mode %04o)", path,
                           (unsigned)(st.st_mode & 07777));
    return SETTLE_OK;
}

static void make_name(char ret_name[NAME_BYTES])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y%m%dT%H%M%S", &utc);
    snprintf(ret_name, NAME_BYTES, "reject-%s.%06ldZ-%ld.ndjson", text, now.tv_nsec / 1000, (long)getpid());
}

/* Its name has the time in microseconds and the pid; a name that is taken means that another run of this process is as
 * fast. */
static settle_status open_file(struct reject *reject, settle_error *error)
{
    char name[NAME_BYTES];
    int fd = -1;
    for (int i = 0; i < NAME_TRIES_MAX && fd < 0; i++) {
        make_name(name);
        fd = openat(reject->directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return ingest_fail_errno(error, errno, reject->directory, "cannot create a reject file in");
    reject->fd = fd;
    int length = snprintf(reject->path, sizeof reject->path, "%s/%s", reject->directory, name);
    assert(length > 0);
    if ((size_t)length >= sizeof reject->path)
        return ingest_fail_errno(error, ENAMETOOLONG, reject->directory, "cannot create a reject file in");
    if (fchmod(fd, 0600) != 0 || fsync(reject->directory_fd) != 0)
        return ingest_fail_errno(error, errno, reject->path, "cannot create");
    return SETTLE_OK;
}

static settle_status write_buffer(struct reject *reject, settle_error *error)
{
    size_t written = 0;
    while (written < reject->buffered) {
        ssize_t bytes = write(reject->fd, reject->buffer + written, reject->buffered - written);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes <= 0)
            return ingest_fail_errno(error, bytes < 0 ? errno : ENOSPC, reject->path, "cannot write to");
        written += (size_t)bytes;
    }
    reject->bytes += written;
    reject->buffered = 0;
    return SETTLE_OK;
}

settle_status reject_begin_line(struct reject *reject, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (reject->directory_fd < 0)
        status = open_directory(reject, error);
    if (status == SETTLE_OK && reject->fd < 0)
        status = open_file(reject, error);
    reject->line_start = reject->bytes + reject->buffered;
    return status;
}

settle_status reject_append(struct reject *reject, const char *bytes, size_t count, settle_error *error)
{
    assert(reject->fd >= 0);
    reject->unsynced = true;
    while (count > 0) {
        size_t room = sizeof reject->buffer - reject->buffered, part = count < room ? count : room;
        memcpy(reject->buffer + reject->buffered, bytes, part);
        reject->buffered += part;
        bytes += part;
        count -= part;
        if (reject->buffered < sizeof reject->buffer)
            break;
        settle_status status = write_buffer(reject, error);
        if (status != SETTLE_OK)
            return status;
    }
    assert(count == 0);
    return SETTLE_OK;
}

settle_status reject_end_line(struct reject *reject, settle_error *error)
{
    settle_status status = reject_append(reject, "\n", 1, error);
    reject->line_start = reject->bytes + reject->buffered;
    return status;
}

settle_status reject_abandon_line(struct reject *reject, settle_error *error)
{
    assert(reject->fd >= 0);
    assert(reject->line_start <= reject->bytes + reject->buffered);
    if (reject->line_start >= reject->bytes) {
        reject->buffered = (size_t)(reject->line_start - reject->bytes);
    } else {
        reject->buffered = 0;
        off_t end = (off_t)reject->line_start;
        if (ftruncate(reject->fd, end) != 0 || lseek(reject->fd, end, SEEK_SET) != end)
            return ingest_fail_errno(error, errno, reject->path, "cannot cut");
        reject->bytes = reject->line_start;
    }
    if (reject->line_start > 0)
        return SETTLE_OK;
    if (unlinkat(reject->directory_fd, strrchr(reject->path, '/') + 1, 0) != 0)
        return ingest_fail_errno(error, errno, reject->path, "cannot remove");
    close(reject->fd);
    reject->fd = -1;
    reject->path[0] = '\0';
    return SETTLE_OK;
}

settle_status reject_sync(struct reject *reject, settle_error *error)
{
    if (!reject->unsynced || reject->fd < 0)
        return SETTLE_OK;
    settle_status status = write_buffer(reject, error);
    if (status != SETTLE_OK)
        return status;
    if (fdatasync(reject->fd) != 0)
        return ingest_fail_errno(error, errno, reject->path, "cannot sync");
    reject->unsynced = false;
    return SETTLE_OK;
}

settle_status reject_close(struct reject *reject, settle_error *error)
{
    settle_status status = reject_sync(reject, error);
    if (reject->fd >= 0 && close(reject->fd) != 0 && status == SETTLE_OK)
        status = ingest_fail_errno(error, errno, reject->path, "cannot close");
    if (reject->directory_fd >= 0)
        close(reject->directory_fd);
    reject->fd = reject->directory_fd = -1;
    return status;
}
