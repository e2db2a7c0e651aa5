/*
 * follower_tidy.c — rotated files: what is too old or too much is deleted, the rest compressed where that is asked for.
 *
 * Invariants: nothing happens to a file before the position behind its lines is saved; only files with our exact
 * names are touched. Trouble here never pauses the lines: it is told, and tried again later.
 */
#include <assert.h>
#include <string.h>

#include "journal/base/clock.h"
#include "journal/follow/follower_state.h"

#define RETRY_US UINT64_C(60000000)

enum { TELL_INFO = 1, TELL_WARNING = 2 };

static void try_later(struct follower *f, const char *what)
{
    follower_tell(f, TELL_WARNING, "cannot %s, it is tried again in a minute: %s: %s", what, f->error.file,
                  f->error.text);
    f->tidy_after_us = clock_system_us(NULL) + RETRY_US;
}

static bool remove_file(struct follower *f, const struct log_name *name)
{
    char text[LOG_NAME_BYTES];
    log_name_format(name, text);
    settle_status status = file_remove_at(f->dir_fd, text, &f->error);
    if (status == SETTLE_OK || status == SETTLE_E_NOT_FOUND)
        return true;
    try_later(f, "remove a rotated file");
    return false;
}

/* The day that retention counts from: of the newest line there is. */
static uint32_t newest_day(const struct follower *f, const struct log_list *list)
{
    uint32_t day = f->current.has_day ? f->current.day : 0;
    if (list->count > 0 && list->files[list->count - 1].name.day > day)
        day = list->files[list->count - 1].name.day;
    return day;
}

/* What a crash left of a compression, and what is too old or too much. */
static bool remove_files(struct follower *f, struct log_list *list, size_t *ret_removed)
{
    for (size_t i = 0; i < list->count; i++) {
        struct log_file *file = &list->files[i];
        if (!file->name.is_partial)
            continue;
        if (!remove_file(f, &file->name))
            return false;
        list->bytes -= file->bytes; /* nothing whole has to make room for it */
        file->bytes = 0;
    }
    size_t excess = log_list_excess(list, newest_day(f, list), f->options.keep_days, f->options.keep_bytes);
    *ret_removed = excess;
    for (size_t i = 0; i < excess; i++) {
        if (list->files[i].name.is_partial)
            continue;
        if (!remove_file(f, &list->files[i].name))
            return false;
    }
    return true;
}

/* The oldest that is to be compressed; NULL: none. */
static const struct log_file *next_to_compress(const struct follower *f, const struct log_list *list, size_t first)
{
    for (size_t i = first; f->options.compress && i < list->count; i++) {
        if (!list->files[i].name.is_compressed)
            return &list->files[i];
    }
    return NULL;
}

static void look(struct follower *f)
{
    assert(f->compression == NULL); /* else a partial file would not be what a crash left */
    struct log_list list;
    size_t removed;
    if (log_list_read(f->dir_fd, f->mem, f->options.keep_bytes > 0, &list, &f->error) != SETTLE_OK) {
        try_later(f, "list the log directory");
        return;
    }
    if (remove_files(f, &list, &removed)) {
        const struct log_file *next = next_to_compress(f, &list, removed);
        f->tidy_is_due = next != NULL;
        if (next != NULL && log_compression_open(f->dir_fd, &next->name, f->mem, &f->compression, &f->error) != SETTLE_OK)
            try_later(f, "compress a rotated file");
    }
    log_list_free(&list, f->mem);
}

static void compress(struct follower *f)
{
    bool is_done = false;
    bool failed = log_compression_step(f->compression, &is_done, &f->error) != SETTLE_OK;
    if (failed)
        try_later(f, "compress a rotated file");
    if (!failed && !is_done)
        return;
    log_compression_close(f->compression);
    f->compression = NULL;
    f->tidy_is_due = true;
}

bool follower_tidy_is_due(const struct follower *f)
{
    if (f->dir_fd < 0 || !f->synced_is_saved || !f->tidy_is_due) /* it is while a file is being compressed */
        return false;
    uint64_t now = clock_system_us(NULL);
    return now >= f->tidy_after_us || f->tidy_after_us - now > RETRY_US;
}

void follower_tidy(struct follower *f)
{
    if (!follower_tidy_is_due(f))
        return;
    if (f->compression != NULL)
        compress(f);
    else
        look(f);
}
