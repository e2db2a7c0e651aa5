/*
 * log_current.c — see log_current.h.
 *
 * Invariants: `bytes` is a place between two lines, and what is behind it is never read as lines by us; writes go
 * there and nowhere else, so that a write which is done again gives the same bytes.
 */
#include "journal/follow/log_current.h"

#include <assert.h>

#include "journal/base/status.h"
#include "journal/follow/log_files.h"

#define PERMISSIONS 0640

#define WRITE_OUT_BYTES ((uint64_t)8 << 20)
#define REWRITE_BYTES ((size_t)256 << 10)

void log_current_init(struct log_current *current, int dir_fd, const struct mem *mem)
{
    *current = (struct log_current){.mem = mem, .dir_fd = dir_fd, .fd = -1};
}

static settle_status adopt(struct log_current *c, uint64_t from, settle_error *error)
{
    struct file_identity identity = {0};
    settle_status status = file_identify(c->fd, LOG_NAME, &identity, error);
    if (status == SETTLE_OK && c->needs_cut && file_is_same(&identity, &c->identity) && identity.bytes > c->bytes)
        status = file_truncate(c->fd, LOG_NAME, c->bytes, error);
    if (status == SETTLE_OK)
        status = log_tail_read(c->fd, LOG_NAME, from, c->mem, &c->tail, error);
    if (status == SETTLE_OK && c->tail.kept_bytes < c->tail.file_bytes)
        status = file_truncate(c->fd, LOG_NAME, c->tail.kept_bytes, error);
    if (status == SETTLE_OK && c->tail.needs_newline)
        status = file_write(c->fd, LOG_NAME, c->tail.kept_bytes, "\n", 1, error);
    if (status != SETTLE_OK)
        return status;
    c->identity = identity;
    c->needs_cut = false;
    c->bytes = c->tail.kept_bytes + (c->tail.needs_newline ? 1 : 0);
    c->has_day = c->tail.has_line;
    c->day = c->tail.last.day;
    return SETTLE_OK;
}

settle_status log_current_open(struct log_current *current, uint64_t from, settle_error *error)
{
    assert(current->fd < 0);
    settle_status status =
        file_open_shared_at(current->dir_fd, LOG_NAME, FILE_CREATE_OR_WRITE, PERMISSIONS, &current->fd, error);
    if (status == SETTLE_OK)
        status = adopt(current, from, error);
    if (status != SETTLE_OK)
        log_current_close(current);
    return status;
}

void log_current_close(struct log_current *current)
{
    file_close(current->fd);
    current->fd = -1;
}

settle_status log_current_watch(const struct log_current *current, enum log_change *ret_change, settle_error *error)
{
    struct file_identity now;
    assert(current->fd >= 0);
    settle_status status = file_identify_at(current->dir_fd, LOG_NAME, &now, error);
    if (status != SETTLE_OK && status != SETTLE_E_NOT_FOUND)
        return status;
    if (status == SETTLE_E_NOT_FOUND || !file_is_same(&now, &current->identity))
        *ret_change = LOG_GONE;
    else if (now.bytes < current->bytes)
        *ret_change = LOG_SHRUNK;
    else
        *ret_change = now.bytes > current->bytes && !current->needs_cut ? LOG_GROWN : LOG_SAME;
    return SETTLE_OK;
}

settle_status log_current_write(struct log_current *current, const char *lines, size_t count, settle_error *error)
{
    assert(current->fd >= 0 && !current->needs_cut);
    assert(count > 0 && lines[count - 1] == '\n');
    settle_status status = file_write(current->fd, LOG_NAME, current->bytes, lines, count, error);
    if (status != SETTLE_OK) {
        current->needs_cut = true;
        (void)log_current_mend(current, NULL);
        return status;
    }
    current->bytes += count;
    if (current->bytes / WRITE_OUT_BYTES != (current->bytes - count) / WRITE_OUT_BYTES)
        file_write_out(current->fd, current->bytes - current->bytes % WRITE_OUT_BYTES - WRITE_OUT_BYTES, WRITE_OUT_BYTES);
    return SETTLE_OK;
}

settle_status log_current_mend(struct log_current *current, settle_error *error)
{
    if (!current->needs_cut)
        return SETTLE_OK;
    settle_status status = file_truncate(current->fd, LOG_NAME, current->bytes, error);
    if (status == SETTLE_OK)
        current->needs_cut = false;
    return status;
}

settle_status log_current_sync(struct log_current *current, settle_error *error)
{
    return file_sync_data(current->fd, LOG_NAME, error);
}

settle_status log_current_resync(struct log_current *current, settle_error *error)
{
    uint8_t *bytes = mem_alloc(current->mem, REWRITE_BYTES, 1);
    if (bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory to write a log file again");
    settle_status status = SETTLE_OK;
    for (uint64_t at = current->tail.trusted_bytes; at < current->bytes && status == SETTLE_OK; at += REWRITE_BYTES) {
        size_t count = current->bytes - at < REWRITE_BYTES ? (size_t)(current->bytes - at) : REWRITE_BYTES;
        status = file_read_zeros(current->fd, LOG_NAME, at, bytes, count, error);
        if (status == SETTLE_OK)
            status = file_write(current->fd, LOG_NAME, at, bytes, count, error);
    }
    mem_free(current->mem, bytes);
    return status == SETTLE_OK ? log_current_sync(current, error) : status;
}
