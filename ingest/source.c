/*
 * source.c — opening, waiting for and reading one input.
 *
 * Owns the descriptor, except standard input's, which belongs to the process and keeps its flags. A path is opened with
 * O_NONBLOCK: on Linux a FIFO that no writer has opened yet then is "not readable" until one comes, and its end is told
 * only after one has gone, so poll(2) alone decides and a signal is never lost between a test of the stop flag and a
 * read.
 */
#include "ingest/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/error.h"

static settle_status look_at(struct source *source, settle_error *error)
{
    struct stat stats;
    if (fstat(source->fd, &stats) != 0)
        return ingest_fail_errno(error, errno, source->path, "cannot read");
    if (S_ISDIR(stats.st_mode))
        return ingest_fail_errno(error, EISDIR, source->path, "cannot read");
    if (!S_ISREG(stats.st_mode))
        return SETTLE_OK;
    off_t start = lseek(source->fd, 0, SEEK_CUR);
    if (start < 0)
        return ingest_fail_errno(error, errno, source->path, "cannot seek in");
    source->is_file = true;
    source->start = (uint64_t)start;
    source->bytes = stats.st_size > start ? (uint64_t)(stats.st_size - start) : 0;
    return SETTLE_OK;
}

settle_status source_open(const char *path, struct source *ret_source, settle_error *error)
{
    assert(path != NULL);
    assert(ret_source != NULL);
    struct source source = {path, STDIN_FILENO, false, 0, 0};
    if (strcmp(path, "-") != 0)
        source.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (source.fd < 0)
        return ingest_fail_errno(error, errno, path, "cannot open");
    settle_status status = look_at(&source, error);
    if (status != SETTLE_OK) {
        source_close(&source);
        return status;
    }
    *ret_source = source;
    return SETTLE_OK;
}

void source_close(struct source *source)
{
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    source->fd = -1;
}

settle_status source_measure(const char *path, uint64_t *ret_bytes, bool *ret_is_known, settle_error *error)
{
    bool is_input = strcmp(path, "-") == 0;
    struct stat stats;
    if (is_input ? fstat(STDIN_FILENO, &stats) != 0 : stat(path, &stats) != 0)
        return ingest_fail_errno(error, errno, path, "cannot open");
    if (S_ISDIR(stats.st_mode))
        return ingest_fail_errno(error, EISDIR, path, "cannot read");
    off_t start = is_input && S_ISREG(stats.st_mode) ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;
    *ret_is_known = S_ISREG(stats.st_mode) && start >= 0;
    *ret_bytes = *ret_is_known && stats.st_size > start ? (uint64_t)(stats.st_size - start) : 0;
    return SETTLE_OK;
}

settle_status source_too_short(const struct source *source, uint64_t offset, settle_error *error)
{
    return ingest_fail(error, SETTLE_E_INVALID, source->path,
                       "%.150s is shorter than the %llu bytes of it that are journalled: it was probably replaced; "
                       "ingest it without --resume",
                       source->path, (unsigned long long)offset);
}

settle_status source_seek(struct source *source, uint64_t offset, int *ret_last_byte, settle_error *error)
{
    assert(source->is_file);
    assert(source->fd >= 0);
    if (offset > source->bytes)
        return source_too_short(source, offset, error);
    unsigned char last;
    int last_byte = -1;
    off_t to = (off_t)(source->start + offset);
    if (offset > 0) {
        if (pread(source->fd, &last, 1, to - 1) != 1)
            return ingest_fail_errno(error, errno, source->path, "cannot read");
        last_byte = last;
    }
    if (lseek(source->fd, to, SEEK_SET) != to)
        return ingest_fail_errno(error, errno, source->path, "cannot seek in");
    *ret_last_byte = last_byte;
    return SETTLE_OK;
}

bool source_wait(const struct source *source, int timeout_ms)
{
    assert(source->fd >= 0);
    struct pollfd poll_fd = {.fd = source->fd, .events = POLLIN};
    return source->is_file || poll(&poll_fd, 1, timeout_ms) > 0;
}

settle_status source_read(const struct source *source, char *ret_buffer, size_t room, size_t *ret_bytes, bool *ret_end,
                          settle_error *error)
{
    assert(source->fd >= 0);
    assert(room > 0);
    ssize_t bytes = read(source->fd, ret_buffer, room);
    bool later = bytes < 0 && (errno == EINTR || errno == EAGAIN);
    if (bytes < 0 && !later)
        return ingest_fail_errno(error, errno, source->path, "cannot read");
    *ret_bytes = later ? 0 : (size_t)bytes;
    *ret_end = bytes == 0;
    return SETTLE_OK;
}
