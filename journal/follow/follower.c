/*
 * follower.c — the lines of a journal into settlement.log; journal/follow/follower.h has the contract, docs/json-lines.md the
 * reasons.
 *
 * Owns: the log directory (its lock), the current file, the lines between two writes.
 * Invariants
 *   - The files hold the lines up to `done`, and nothing behind it but what the next cut removes.
 *   - `done` is known for each write: the point before the frame whose lines are being written, a point to begin at
 *     to have everything that frame needs, and the last line of it that is written. Whatever fails, one goes on from
 *     there, in the same way as another process would.
 *   - `synced` was on stable storage when it was taken; the saved position is never ahead of it.
 *   - A step leaves the buffer empty, and no frame half told.
 */
#include "journal/follow/follower.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/clock.h"
#include "journal/base/status.h"
#include "journal/follow/follower_state.h"

#define LOCK_FILE ".settlement.lock"
#define FREE_DEFAULT_BYTES ((uint64_t)1 << 30)
#define FREE_DEFAULT_PART 20 /* of the file system */

enum { TELL_INFO = 1, TELL_WARNING = 2 }; /* settle_log_level, which is above this layer */

void follower_tell(const struct follower *f, int level, const char *format, ...)
{
    char message[512];
    if (f->options.log == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    f->options.log(f->options.context, level, message);
}

/* ---- Trouble ---------------------------------------------------------------------------------------------------- */

bool follower_pause(struct follower *f)
{
    assert(f->error.status != SETTLE_OK);
    if (!f->was_paused || f->progress.cause.status != f->error.status)
        follower_tell(f, TELL_WARNING, "the JSON lines pause: %s: %s", f->error.file, f->error.text);
    f->progress.is_paused = true;
    f->progress.cause = f->error;
    lines_close(f->lines);
    f->lines = NULL;
    f->buffered = f->buffered_lines = 0;
    if (f->state == FOLLOW_RUN)
        f->state = FOLLOW_CATCH;
    return false;
}

/* The system's cache cannot be trusted any more: what was written since the last sync is cut and rendered again. */
static bool sync_failed(struct follower *f)
{
    settle_error cause = f->error;
    if (log_position_copy(&f->done, &f->synced, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (f->synced.file_bytes < f->current.bytes) {
        f->current.bytes = f->synced.file_bytes;
        f->current.needs_cut = true;
        (void)log_current_mend(&f->current, NULL);
    }
    log_current_close(&f->current);
    f->error = cause;
    return follower_pause(f);
}

static bool has_space(struct follower *f)
{
    uint64_t free_bytes, total_bytes, floor = f->options.free_bytes_min;
    if (dir_space(f->dir_fd, "the log directory", &free_bytes, &total_bytes, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (floor == FOLLOWER_FREE_DEFAULT) {
        floor = total_bytes / FREE_DEFAULT_PART;
        floor = floor < FREE_DEFAULT_BYTES ? floor : FREE_DEFAULT_BYTES;
    }
    if (free_bytes >= floor)
        return true;
    (void)fail_at(&f->error, SETTLE_E_NO_SPACE, LOG_NAME, 0, 0,
                  "the file system has %llu bytes left, of which %llu are not for the lines",
                  (unsigned long long)free_bytes, (unsigned long long)floor);
    return follower_pause(f);
}

/* ---- The position ----------------------------------------------------------------------------------------------- */

bool follower_save_synced(struct follower *f)
{
    f->synced_is_saved = false;
    if (log_position_copy(&f->synced, &f->done, f->mem, &f->error) != SETTLE_OK ||
        log_position_write(f->dir_fd, &f->synced, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    f->synced_is_saved = true;
    f->saved_bytes = f->progress.bytes;
    return true;
}

bool follower_save(struct follower *f)
{
    assert(f->buffered == 0 || f->state != FOLLOW_RUN || f->current.bytes == f->done.file_bytes);
    if (log_current_sync(&f->current, &f->error) != SETTLE_OK)
        return sync_failed(f);
    f->done.file_bytes = f->current.bytes;
    return follower_save_synced(f);
}

static bool save_is_due(const struct follower *f)
{
    if (!f->synced_is_saved || f->progress.bytes - f->saved_bytes >= FOLLOWER_SAVE_BYTES)
        return true;
    uint64_t now = clock_system_us(NULL);
    bool is_idle = now < f->written_us || now - f->written_us >= FOLLOWER_SAVE_US;
    return f->progress.is_at_end && is_idle && f->progress.bytes > f->saved_bytes;
}

/* ---- The current file ------------------------------------------------------------------------------------------- */

/* Opens the current file, anew where it has another name now. All lines that were written are on stable storage. */
static bool reopen(struct follower *f, uint64_t from)
{
    f->synced_is_saved = false;
    if (log_current_open(&f->current, from, &f->error) != SETTLE_OK)
        return follower_pause(f);
    f->done.file_bytes = f->current.bytes;
    if (log_position_copy(&f->synced, &f->done, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    return true;
}

/* Somebody has renamed or removed the file: what it has is made durable where it is now. */
static bool follow_elsewhere(struct follower *f)
{
    follower_tell(f, TELL_INFO, "%s was renamed or removed: a new one is begun", LOG_NAME);
    if (log_current_sync(&f->current, &f->error) != SETTLE_OK)
        follower_tell(f, TELL_WARNING, "the lines of the %s that was renamed may be lost at a power cut: %s", LOG_NAME,
                      f->error.text);
    log_current_close(&f->current);
    return reopen(f, 0);
}

static bool follow_changed(struct follower *f, enum log_change change)
{
    uint64_t bytes = f->current.bytes;
    bool is_shrunk = change == LOG_SHRUNK;
    follower_tell(f, TELL_WARNING,
                  is_shrunk ? "%s was cut behind our back (copytruncate?): lines may be missing or doubled elsewhere"
                            : "somebody else wrote to %s: the lines go on behind that",
                  LOG_NAME);
    if (log_current_sync(&f->current, &f->error) != SETTLE_OK)
        return sync_failed(f);
    log_current_close(&f->current);
    return reopen(f, is_shrunk ? 0 : bytes);
}

static settle_status open_directory(struct follower *f, settle_error *error)
{
    settle_status status = dir_open_shared(f->directory, true, &f->dir_fd, error);
    if (status == SETTLE_OK)
        status = lock_take_name_at(f->dir_fd, LOCK_FILE, "follower", &f->lock_fd, error);
    if (status == SETTLE_OK)
        (void)lock_sign(f->lock_fd, LOCK_FILE, NULL); /* the disk may be full: that is for later */
    if (status != SETTLE_OK && error != NULL)         /* which name it has there is of little use */
        snprintf(error->file, sizeof error->file, "%s", f->directory);
    return status;
}

/* Somebody has moved or removed the whole directory. The lines go on in the one that has its name now, and history is not
 * rendered again. */
static bool move_house(struct follower *f)
{
    if (f->dir_fd >= 0) /* else it was said when the first try failed */
        follower_tell(f, TELL_WARNING, "the log directory %s was moved or removed: the lines go on in a new one",
                      f->directory);
    if (f->current.fd >= 0 && log_current_sync(&f->current, &f->error) != SETTLE_OK)
        follower_tell(f, TELL_WARNING, "the last lines of the one that was moved may be lost at a power cut: %s",
                      f->error.text);
    log_current_close(&f->current);
    log_compression_close(f->compression);
    f->compression = NULL;
    file_close(f->lock_fd);
    file_close(f->dir_fd);
    f->dir_fd = f->lock_fd = -1;
    if (open_directory(f, &f->error) != SETTLE_OK) {
        file_close(f->dir_fd);
        f->dir_fd = -1;
        return follower_pause(f);
    }
    log_current_init(&f->current, f->dir_fd, f->mem);
    f->tidy_is_due = true;
    return reopen(f, 0);
}

/* Whether the directory's name is still its. Asked now and then, since it means a look at the path. */
static bool has_moved(struct follower *f)
{
    struct file_identity held, named;
    uint64_t now = clock_system_us(NULL);
    if (f->dir_fd < 0)
        return true;
    if (now >= f->looked_us && now - f->looked_us < FOLLOWER_LOOK_US)
        return false;
    f->looked_us = now;
    int fd = -1;
    settle_error unused;
    if (dir_open_shared(f->directory, false, &fd, &unused) != SETTLE_OK)
        return unused.cause_errno == ENOENT || unused.cause_errno == ENOTDIR;
    bool is_other = file_identify(f->dir_fd, "", &held, NULL) == SETTLE_OK &&
                    file_identify(fd, "", &named, NULL) == SETTLE_OK && !file_is_same(&held, &named);
    file_close(fd);
    return is_other;
}

bool follower_watch(struct follower *f)
{
    if (has_moved(f))
        return move_house(f);
    enum log_change change = LOG_SAME;
    if (f->current.fd < 0)
        return reopen(f, f->current.needs_cut ? f->current.bytes : 0);
    if (log_current_watch(&f->current, &change, &f->error) != SETTLE_OK ||
        (change == LOG_SAME && log_current_mend(&f->current, &f->error) != SETTLE_OK))
        return follower_pause(f);
    if (change == LOG_SAME)
        return true;
    return change == LOG_GONE ? follow_elsewhere(f) : follow_changed(f, change);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* The buffer's first `count` bytes, which end with the line at f->place. Then `done` is there. */
static bool flush(struct follower *f, size_t count)
{
    size_t asset_count;
    const settle_asset *assets = lines_assets(f->lines, &asset_count);
    if (log_position_reserve(&f->done, asset_count, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (count > 0) {
        if (!has_space(f))
            return false;
        if (log_current_write(&f->current, f->buffer, count, &f->error) != SETTLE_OK)
            return follower_pause(f);
        f->written_us = clock_system_us(NULL);
        f->progress.bytes += count;
        f->progress.lines += f->buffered_lines;
        f->buffered = f->buffered_lines = 0;
    }
    log_position_set_assets(&f->done, assets, asset_count);
    f->done.restart = f->restart;
    f->done.boundary = f->boundary;
    f->done.place = f->place;
    f->done.file_bytes = f->current.bytes;
    return true;
}

bool follower_rename_current(struct follower *f, uint32_t day, bool is_last)
{
    struct log_list list;
    struct log_name name;
    char text[LOG_NAME_BYTES];
    if (log_list_read(f->dir_fd, f->mem, false, &list, &f->error) != SETTLE_OK)
        return follower_pause(f);
    log_list_next_name(&list, day, is_last, f->done.part_day == day ? f->done.part : 0, &name);
    log_list_free(&list, f->mem);
    log_name_format(&name, text);
    if (file_rename_at(f->dir_fd, LOG_NAME, text, &f->error) != SETTLE_OK)
        return follower_pause(f);
    log_current_close(&f->current);
    f->current.bytes = f->done.file_bytes = f->synced.file_bytes = 0;
    f->current.has_day = f->current.needs_cut = false;
    if (name.part > 0) {
        f->done.part_day = name.day;
        f->done.part = name.part;
    }
    f->synced_is_saved = false;
    f->tidy_is_due = true;
    if (dir_sync(f->dir_fd, "the log directory", &f->error) != SETTLE_OK)
        return follower_pause(f);
    return true;
}

/* All lines so far are written. The position is saved before anything happens to the file that is renamed. */
static bool rotate(struct follower *f, uint32_t next_day)
{
    uint32_t day = f->current.has_day ? f->current.day : next_day;
    if (log_current_sync(&f->current, &f->error) != SETTLE_OK)
        return sync_failed(f);
    if (log_position_copy(&f->synced, &f->done, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    return follower_rename_current(f, day, next_day > day) && reopen(f, 0) && follower_save_synced(f);
}

static bool must_rotate(const struct follower *f, const struct line *line, uint32_t day)
{
    uint64_t bytes = f->current.bytes + f->buffered;
    if (bytes == 0)
        return false;
    bool is_long = f->options.rotate_bytes > 0 && bytes + line->bytes > f->options.rotate_bytes;
    return is_long || (f->current.has_day && day > f->current.day);
}

/* The line that was rendered behind what is buffered. */
static bool take_line(struct follower *f, const struct line *line)
{
    uint32_t day = log_day_of(line->time_us);
    if (must_rotate(f, line, day)) {
        size_t before = f->buffered;
        if (!flush(f, before) || !rotate(f, day))
            return false;
        memmove(f->buffer, f->buffer + before, line->bytes);
    }
    f->current.has_day = true;
    f->current.day = day;
    f->buffered += line->bytes;
    f->buffered_lines++;
    f->step_bytes += line->bytes;
    f->place = line->place;
    return f->buffered < FOLLOWER_STEP_BYTES || flush(f, f->buffered);
}

static bool take_frame(struct follower *f)
{
    struct line line;
    while (lines_next(f->lines, f->buffer + f->buffered, &line)) {
        if (!take_line(f, &line))
            return false;
    }
    lines_pass(f->lines, (struct line_place){0}); /* it was in this frame */
    return true;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

/* Between two frames. Where lines of the next one are to be passed over, these are written. */
static void mark_boundary(struct follower *f)
{
    f->boundary = f->at;
    f->restart = lines_restart(f->lines, &f->at);
    f->place = lines_is_passing(f->lines) ? f->done.place : (struct line_place){0};
}

/* One frame. SETTLE_E_END: there is none. */
static settle_status run_frame(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    struct frame frame;
    mark_boundary(f);
    settle_status status = journal_reader_next(reader, &f->at, &frame, error);
    if (status != SETTLE_OK)
        return status;
    struct journal_point before = f->boundary;
    before.position = frame.position; /* of the next segment's first frame, where this one is full */
    status = lines_enter(f->lines, &before, &frame, error);
    if (status == SETTLE_OK)
        (void)take_frame(f);
    return status;
}

static settle_status run(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    settle_status status = SETTLE_OK;
    f->step_bytes = 0;
    if (!follower_watch(f))
        return SETTLE_OK;
    while (status == SETTLE_OK && f->state == FOLLOW_RUN && f->step_bytes < FOLLOWER_STEP_BYTES)
        status = run_frame(f, reader, error);
    if (f->state == FOLLOW_RUN && (status == SETTLE_OK || status == SETTLE_E_END))
        mark_boundary(f); /* else the last frame was read, and has no lines yet: the boundary before it stays */
    if (f->state == FOLLOW_RUN && !flush(f, f->buffered))
        return SETTLE_OK;
    f->progress.is_at_end = status == SETTLE_E_END;
    if (status != SETTLE_OK && status != SETTLE_E_END)
        return status;
    if (f->state == FOLLOW_RUN && save_is_due(f))
        (void)follower_save(f);
    return SETTLE_OK;
}

static settle_status step(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (f->state < FOLLOW_CATCH)
        status = follower_resume_step(f, reader, error);
    if (status == SETTLE_OK && f->state == FOLLOW_CATCH)
        status = follower_catch_up(f, reader, error);
    if (status == SETTLE_OK && f->state == FOLLOW_RUN)
        status = run(f, reader, error);
    if (status == SETTLE_OK && f->done_is_known)
        follower_tidy(f); /* also while the lines pause: it may be what makes room */
    return status;
}

/* An archived segment that is not there, or cannot be read, is no fault of the journal that is written: the lines wait for it. */
static bool is_of_archive(const settle_error *fault)
{
    return strncmp(fault->file, "archive/", sizeof "archive/" - 1) == 0 &&
           (fault->status == SETTLE_E_IO || fault->status == SETTLE_E_CORRUPT);
}

settle_status follower_step(struct follower *follower, struct journal_reader *reader,
                            struct follower_progress *ret_progress, settle_error *error)
{
    struct follower *f = follower;
    assert(f != NULL && reader != NULL && ret_progress != NULL);
    assert(f->state != FOLLOW_FAILED);
    f->was_paused = f->progress.is_paused;
    f->progress.is_paused = f->progress.is_at_end = false;
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = step(f, reader, &fault);
    if (status != SETTLE_OK && is_of_archive(&fault)) {
        f->error = fault;
        (void)follower_pause(f);
    } else if (status != SETTLE_OK) {
        f->state = FOLLOW_FAILED;
        if (error != NULL)
            *error = fault;
        return status;
    }
    if (f->was_paused && !f->progress.is_paused) {
        follower_tell(f, TELL_INFO, "the JSON lines go on");
        f->progress.cause = (settle_error){.status = SETTLE_OK};
    }
    f->progress.is_at_end = f->progress.is_at_end && !f->progress.is_paused;
    f->progress.is_tidying = f->state == FOLLOW_RUN && follower_tidy_is_due(f);
    *ret_progress = f->progress;
    return SETTLE_OK;
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

settle_status follower_open(const struct follower_options *options, const uint8_t journal_id[16], const struct mem *mem,
                            struct follower **ret_follower, settle_error *error)
{
    assert(options != NULL && options->directory != NULL && ret_follower != NULL);
    if (options->sample_per_million > LINES_SAMPLE_ALL)
        return fail(error, SETTLE_E_INVALID, "a sample of more than a million in a million");
    struct follower *f = mem_alloc(mem, 1, sizeof *f);
    if (f == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a follower");
    f->mem = mem;
    f->options = *options;
    f->dir_fd = f->lock_fd = f->current.fd = -1;
    f->tidy_is_due = true;
    memcpy(f->journal_id, journal_id, sizeof f->journal_id);
    settle_status status = SETTLE_OK;
    f->buffer = mem_alloc(mem, FOLLOWER_STEP_BYTES + LINE_BYTES_MAX, 1);
    f->directory = mem_alloc(mem, strlen(options->directory) + 1, 1);
    if (f->buffer == NULL || f->directory == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a follower");
    if (status == SETTLE_OK) {
        strcpy(f->directory, options->directory);
        status = open_directory(f, error);
    }
    if (status != SETTLE_OK) {
        (void)follower_close(f, NULL);
        return status;
    }
    log_current_init(&f->current, f->dir_fd, mem);
    *ret_follower = f;
    return SETTLE_OK;
}

settle_status follower_close(struct follower *follower, settle_error *error)
{
    struct follower *f = follower;
    settle_status status = SETTLE_OK;
    if (f == NULL)
        return SETTLE_OK;
    bool is_unsaved = !f->synced_is_saved || f->progress.bytes > f->saved_bytes ||
                      f->done.boundary.position != f->synced.boundary.position;
    /* A file that is not open has nothing that is not synced. */
    if (f->done_is_known && f->current.fd >= 0 && is_unsaved && !follower_save(f)) {
        status = f->error.status;
        if (error != NULL)
            *error = f->error;
    }
    log_compression_close(f->compression);
    log_seek_close(f->seek);
    lines_close(f->lines);
    log_current_close(&f->current);
    file_close(f->lock_fd);
    file_close(f->dir_fd);
    log_position_deinit(&f->done, f->mem);
    log_position_deinit(&f->synced, f->mem);
    log_position_deinit(&f->from, f->mem);
    mem_free(f->mem, f->directory);
    mem_free(f->mem, f->buffer);
    mem_free(f->mem, f);
    return status;
}
