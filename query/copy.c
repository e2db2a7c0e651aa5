/*
 * copy.c — a second data directory made of the first one's journal up to an event. The only file of query/ that writes,
 * and it writes only below the new directory.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/base/file.h"
#include "journal/copy.h"
#include "query/internal.h"

static settle_status require_empty(int dir_fd, const char *path, settle_error *error)
{
    char **names = NULL;
    size_t count = 0;
    settle_status status = dir_list(dir_fd, path, &mem_libc, &names, &count, error);
    if (status != SETTLE_OK)
        return status;
    dir_list_free(names, count, &mem_libc);
    return count == 0 ? SETTLE_OK
                      : fail(error, SETTLE_E_EXISTS, "%s is not empty: replay writes a new directory", path);
}

/* Opening for writing builds the store; closing checkpoints it. */
static settle_status build_store(const char *directory, settle_error *error)
{
    settle *engine = NULL;
    settle_status status = settle_open(directory, NULL, &engine, error);
    return status == SETTLE_OK ? settle_close(engine, error) : status;
}

settle_status query_copy(const char *directory, const char *into, uint64_t until_seq, settle_error *error)
{
    int from_fd = -1, to_fd = -1;
    settle_status status = dir_open(directory, false, &from_fd, error);
    if (status == SETTLE_OK)
        status = dir_open(into, true, &to_fd, error);
    if (status == SETTLE_OK)
        status = require_empty(to_fd, into, error);
    if (status == SETTLE_OK)
        status = journal_copy(from_fd, to_fd, until_seq, error);
    file_close(to_fd);
    file_close(from_fd);
    return status == SETTLE_OK ? build_store(into, error) : status;
}
