/*
 * follower_resume.c — where the lines go on: behind the last whole line that lies in the directory, or behind the saved
 * position, whichever is later in the journal. docs/json-lines.md has the table of what may be found.
 *
 * Runs once, before the first line, and changes nothing but the current file: torn bytes are cut, and a file with
 * another history's lines is renamed away. Begins afresh where it is interrupted by trouble with the files.
 */
#include <assert.h>
#include <string.h>

#include "journal/base/status.h"
#include "journal/follow/follower_state.h"

enum { TELL_INFO = 1, TELL_WARNING = 2 };

/* ---- What is there ---------------------------------------------------------------------------------------------- */

/* The saved position, where it is there and of use. */
static bool read_position(struct follower *f)
{
    settle_status status = log_position_read(f->dir_fd, f->mem, &f->from, &f->error);
    f->has_position = status == SETTLE_OK;
    if (status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED)
        follower_tell(f, TELL_WARNING, "%s is of no use, the lines go on behind the last one that is there: %s",
                      LOG_POSITION_NAME, f->error.text);
    else if (status != SETTLE_OK && status != SETTLE_E_NOT_FOUND)
        return follower_pause(f);
    return true;
}

/* The last line of the newest rotated file that is not compressed. */
static bool read_rotated(struct follower *f)
{
    struct log_list list;
    char name[LOG_NAME_BYTES];
    if (log_list_read(f->dir_fd, f->mem, true, &list, &f->error) != SETTLE_OK)
        return follower_pause(f);
    const struct log_file *newest = log_list_newest(&list);
    bool is_there = newest != NULL;
    if (is_there)
        log_name_format(&newest->name, name);
    log_list_free(&list, f->mem);
    if (!is_there)
        return true;
    int fd = -1;
    settle_status status = file_open_shared_at(f->dir_fd, name, FILE_READ, 0640, &fd, &f->error);
    /* It was synced before it was renamed: no page of it can be missing. */
    uint64_t bytes = 0;
    if (status == SETTLE_OK)
        status = file_size(fd, name, &bytes, &f->error);
    if (status == SETTLE_OK)
        status = log_tail_read(fd, name, bytes, f->mem, &f->tail, &f->error);
    file_close(fd);
    f->line_is_rotated = f->tail.has_line;
    if (status != SETTLE_OK && status != SETTLE_E_NOT_FOUND)
        return follower_pause(f);
    return true;
}

/* The current file, cut behind its last whole line; and the last line of all. */
static bool read_lines(struct follower *f)
{
    log_current_close(&f->current);
    f->line_is_rotated = false;
    if (log_current_open(&f->current, f->has_position ? f->from.file_bytes : 0, &f->error) != SETTLE_OK)
        return follower_pause(f);
    f->tail = f->current.tail;
    if (f->has_position && f->tail.file_bytes > 0 && f->tail.file_bytes < f->from.file_bytes)
        follower_tell(f, TELL_WARNING, "%s has lost lines that were synced: it had %llu bytes and has %llu (`logs rebuild`)",
                      LOG_NAME, (unsigned long long)f->from.file_bytes, (unsigned long long)f->tail.file_bytes);
    if (f->tail.kept_bytes < f->tail.file_bytes)
        follower_tell(f, TELL_INFO, "%s: cut %llu torn bytes behind the last whole line", LOG_NAME,
                      (unsigned long long)(f->tail.file_bytes - f->tail.kept_bytes));
    return f->current.bytes > 0 || read_rotated(f);
}

/* ---- What it means ---------------------------------------------------------------------------------------------- */

static void begin_at_first(struct follower *f, const struct journal_reader *reader)
{
    f->has_position = false;
    log_position_deinit(&f->from, f->mem);
    f->from = (struct log_position){0};
    memcpy(f->from.journal_id, f->journal_id, sizeof f->journal_id);
    journal_reader_begin(reader, &f->from.restart);
    f->from.boundary = f->from.restart;
}

/* Whether the saved position says what `done` does. */
static bool is_saved(const struct follower *f)
{
    const struct log_position *a = &f->from, *b = &f->done;
    return f->has_position && a->boundary.position == b->boundary.position && /* then its chain is: it was looked for */
           a->place.seq == b->place.seq && a->place.step == b->place.step && a->file_bytes == b->file_bytes &&
           a->sample_per_million == b->sample_per_million;
}

/* The lines go on behind `from`. */
static bool go_on(struct follower *f, const struct log_position *from)
{
    bool was_sampled = f->has_position && from->sample_per_million != f->options.sample_per_million;
    if (log_position_copy(&f->done, from, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (was_sampled)
        follower_tell(f, TELL_INFO, "from here on %u of a million events have lines, before it was %u",
                      (unsigned)f->options.sample_per_million, (unsigned)from->sample_per_million);
    f->done.sample_per_million = f->options.sample_per_million;
    f->done.file_bytes = f->current.bytes;
    /* Other lives may have written since the last sync, or a sync has failed: from here on it counts. Saved at
     * once: a position of another journal must not stay beside lines of this one. */
    if (log_current_resync(&f->current, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (!is_saved(f) && !follower_save_synced(f))
        return false;
    if (log_position_copy(&f->synced, &f->done, f->mem, &f->error) != SETTLE_OK)
        return follower_pause(f);
    f->synced_is_saved = true;
    f->done_is_known = true;
    f->state = FOLLOW_CATCH;
    return true;
}

/* The lines in the current file are another history's: they are kept under a rotated name. */
static bool set_aside(struct follower *f, const char *why)
{
    follower_tell(f, TELL_WARNING, "the lines of %s are not this journal's (%s): they are kept under a rotated name",
                  LOG_NAME, why);
    if (f->current.bytes == 0 || !f->current.has_day)
        return true;
    if (log_current_resync(&f->current, &f->error) != SETTLE_OK)
        return follower_pause(f);
    if (!follower_rename_current(f, f->current.day, false))
        return false;
    if (log_current_open(&f->current, 0, &f->error) != SETTLE_OK)
        return follower_pause(f);
    return true;
}

static bool start_over(struct follower *f, const struct journal_reader *reader, const char *why)
{
    if (!set_aside(f, why))
        return false;
    begin_at_first(f, reader);
    return go_on(f, &f->from);
}

/* Answers whether the saved position is this journal's; if not, it counts no more. */
static settle_status check_position(struct follower *f, struct journal_reader *reader, bool *ret_is_other,
                                    settle_error *error)
{
    settle_error cause;
    *ret_is_other = false;
    if (!f->has_position)
        return SETTLE_OK;
    if (memcmp(f->from.journal_id, f->journal_id, sizeof f->journal_id) != 0) {
        *ret_is_other = true;
        return SETTLE_OK;
    }
    settle_status status = journal_reader_confirm(reader, &f->from.boundary, &cause);
    if (status == SETTLE_E_CORRUPT) {
        follower_tell(f, TELL_WARNING, "the saved position is not in this journal: %s", cause.text);
        begin_at_first(f, reader);
        return SETTLE_OK;
    }
    if (status != SETTLE_OK)
        *error = cause;
    return status;
}

static settle_status look_for_line(struct follower *f, settle_error *error)
{
    log_seek_close(f->seek);
    f->seek = NULL;
    settle_status status = log_seek_open(&f->from, &f->tail, f->mem, &f->seek, error);
    if (status == SETTLE_OK)
        f->state = FOLLOW_SEEK;
    return status;
}

/* Looks at the files. Then `done` is known, or the last line is to be looked for. */
static settle_status resume(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    bool is_other = false;
    if (!read_position(f))
        return SETTLE_OK;
    bool had_position = f->has_position;
    settle_status status = check_position(f, reader, &is_other, error);
    if (status != SETTLE_OK || !read_lines(f))
        return status;
    if (is_other) {
        (void)start_over(f, reader, "another journal's id stands in " LOG_POSITION_NAME);
        return SETTLE_OK;
    }
    if (!f->has_position)
        begin_at_first(f, reader);
    if (f->tail.has_line && (!f->has_position || !log_seek_is_before(&f->from, f->tail.last.place)))
        return look_for_line(f, error);
    if (had_position && !f->has_position)
        (void)start_over(f, reader, "the journal does not have the saved position");
    else
        (void)go_on(f, &f->from);
    return SETTLE_OK;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

static void seek_found(struct follower *f)
{
    struct log_position found = *log_seek_position(f->seek);
    (void)go_on(f, &found);
}

/* With a position of this journal the lines go on there; else they begin with the first. */
static void seek_foreign(struct follower *f, const struct journal_reader *reader)
{
    bool keeps_position = f->has_position;
    if (f->line_is_rotated) {
        f->current.has_day = false; /* nothing to set aside */
        follower_tell(f, TELL_WARNING, "the newest rotated file does not end with a line of this journal");
        if (!keeps_position)
            begin_at_first(f, reader);
        (void)go_on(f, &f->from);
    } else if (keeps_position) {
        if (set_aside(f, "its last line is not in the journal"))
            (void)go_on(f, &f->from);
    } else {
        (void)start_over(f, reader, "its last line is not in the journal");
    }
}

static settle_status seek(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    enum log_seek_answer answer;
    settle_status status = log_seek_step(f->seek, reader, &answer, error);
    if (status != SETTLE_OK)
        return status;
    f->progress.is_at_end = answer == SEEK_WAITS;
    if (answer == SEEK_GOES_ON || answer == SEEK_WAITS)
        return SETTLE_OK;
    if (answer == SEEK_LOST) {
        follower_tell(f, TELL_WARNING, "the saved position is not in this journal");
        begin_at_first(f, reader);
        return look_for_line(f, error);
    }
    f->state = FOLLOW_RESUME; /* where trouble comes in between, all of it is done again */
    if (answer == SEEK_FOUND)
        seek_found(f);
    else
        seek_foreign(f, reader);
    log_seek_close(f->seek);
    f->seek = NULL;
    return SETTLE_OK;
}

settle_status follower_resume_step(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (f->state == FOLLOW_RESUME)
        status = resume(f, reader, error);
    if (status == SETTLE_OK && f->state == FOLLOW_SEEK)
        status = seek(f, reader, error);
    return status;
}

/* ---- Catching up ------------------------------------------------------------------------------------------------ */

static settle_status lines_begin(struct follower *f, settle_error *error)
{
    struct lines_options options = {.format = LINE_SETTLE, .sample_per_million = f->options.sample_per_million};
    lines_close(f->lines);
    f->lines = NULL;
    settle_status status = lines_open(&options, f->mem, &f->lines, error);
    for (size_t i = 0; status == SETTLE_OK && i < f->done.asset_count; i++)
        status = lines_asset_add(f->lines, &f->done.assets[i], error);
    f->at = f->done.restart;
    return status;
}

/* Enters the frames that are needed for what comes, and lets their lines, which are written, go. */
settle_status follower_catch_up(struct follower *f, struct journal_reader *reader, settle_error *error)
{
    struct frame frame;
    struct line line;
    settle_status status = lines_begin(f, error);
    while (status == SETTLE_OK && f->at.position < f->done.boundary.position) {
        struct journal_point before = f->at;
        status = journal_reader_next(reader, &f->at, &frame, error);
        if (status == SETTLE_E_END) { /* the reader does not show so much yet */
            f->progress.is_at_end = true;
            return SETTLE_OK;
        }
        before.position = status == SETTLE_OK ? frame.position : before.position;
        if (status == SETTLE_OK)
            status = lines_enter(f->lines, &before, &frame, error);
        while (status == SETTLE_OK && lines_next(f->lines, f->buffer, &line))
            ;
    }
    if (status != SETTLE_OK)
        return status;
    if (f->at.position != f->done.boundary.position || f->at.chain != f->done.boundary.chain)
        return fail_at(error, SETTLE_E_CORRUPT, LOG_POSITION_NAME, f->done.boundary.position, f->done.boundary.next_seq,
                       "no frame of the journal ends where the lines go on");
    lines_pass(f->lines, f->done.place);
    f->state = FOLLOW_RUN;
    return SETTLE_OK;
}
