/*
 * logs_rebuild.c — log files written again from the journal, a day a file.
 *
 * Owns the follower's lock of the directory meanwhile, and one file beside the others until its day is whole; then it
 * takes their place. Of the old files of the day those that began with a line of this journal are removed, others
 * (somebody else's, or not to be recognised) are put aside.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/status.h"
#include "journal/follow/follower.h"
#include "journal/follow/log_position.h"
#include "query/logs.h"

#define NEW_NAME ".settlement.rebuild"
#define BUFFER_BYTES ((size_t)1 << 20)

/* A file that is there already. */
struct old {
    struct logs_file file;
    struct line_place place; /* of its first line */
    char *line;              /* that line, malloc'd; NULL: it has none */
    size_t bytes;
    bool is_empty, is_of_this_journal;
};

struct rebuild {
    int dir_fd, lock_fd, new_fd;
    bool is_one_day, compress;
    uint32_t wanted_day; /* is_one_day */
    struct rendering rendering;
    struct old *olds;
    size_t old_count;
    bool has_current;     /* settlement.log has a line … */
    uint32_t current_day; /* … of this day */

    bool is_open; /* a day is being written: */
    uint32_t day;
    uint64_t lines, bytes;
    size_t used;
    char *buffer;
    struct logs_rebuilt result;
};

/* ---- What is there ---- */

static settle_status old_read(struct rebuild *r, struct old *old, settle_error *error)
{
    struct logs_stream *stream = NULL;
    const char *line;
    size_t bytes;
    settle_status status = logs_stream_open(r->dir_fd, &old->file, &stream, error);
    if (status != SETTLE_OK)
        return status;
    settle_status read = logs_stream_next(stream, &line, &bytes, NULL);
    old->is_empty = read == SETTLE_E_END;
    if (read == SETTLE_OK && line[bytes - 1] == '\n') {
        old->line = malloc(bytes);
        if (old->line == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a line");
        else
            memcpy(old->line, line, bytes);
        old->bytes = bytes;
        struct log_line parsed;
        bool is_line = log_line_parse(line, bytes, &parsed);
        if (is_line)
            old->place = parsed.place; /* else 0, which no line has */
        if (is_line && old->file.is_current) {
            r->has_current = true;
            r->current_day = old->file.day = parsed.day;
        }
    }
    logs_stream_close(stream);
    return status;
}

static settle_status olds_read(struct rebuild *r, settle_error *error)
{
    struct logs_list list;
    settle_status status = logs_list_read(r->dir_fd, &list, error);
    if (status != SETTLE_OK)
        return status;
    r->olds = calloc(list.count + 1, sizeof *r->olds);
    if (r->olds == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a list of log files");
    for (size_t i = 0; i < list.count && status == SETTLE_OK; i++) {
        r->olds[i].file = list.files[i];
        r->old_count = i + 1;
        status = old_read(r, &r->olds[i], error);
    }
    logs_list_free(&list);
    return status;
}

/* The directory must be this journal's, and nobody else's at the moment. */
static settle_status directory_take(struct rebuild *r, const char *path, settle_error *error)
{
    struct log_position position = {.part = 0};
    settle_status status = dir_open_shared(path, true, &r->dir_fd, error);
    if (status == SETTLE_OK)
        status = lock_take_name_at(r->dir_fd, ".settlement.lock", "follower", &r->lock_fd, error);
    if (status != SETTLE_OK)
        return status;
    if (log_position_read(r->dir_fd, &mem_libc, &position, NULL) == SETTLE_OK &&
        memcmp(position.journal_id, journal_reader_id(r->rendering.reader), sizeof position.journal_id) != 0)
        status = fail(error, SETTLE_E_CONFLICT, "%s holds the lines of another journal", path);
    log_position_deinit(&position, &mem_libc);
    return status;
}

/* ---- A day ---- */

static settle_status buffer_write(struct rebuild *r, settle_error *error)
{
    settle_status status = file_write(r->new_fd, NEW_NAME, r->bytes, r->buffer, r->used, error);
    if (status == SETTLE_OK) {
        r->bytes += r->used;
        r->used = 0;
    }
    return status;
}

static settle_status day_begin(struct rebuild *r, uint32_t day, settle_error *error)
{
    if (r->is_one_day && r->has_current && day > r->current_day)
        return fail(error, SETTLE_E_CONFLICT,
                    "the lines have not come that far yet: let ingest or tail catch up first");
    r->is_open = true;
    r->day = day;
    r->lines = r->bytes = 0;
    r->used = 0;
    settle_status status = file_open_shared_at(r->dir_fd, NEW_NAME, FILE_CREATE_OR_WRITE, 0640, &r->new_fd, error);
    return status == SETTLE_OK ? file_truncate(r->new_fd, NEW_NAME, 0, error) : status;
}

/* Another follower's lines, or what nobody can recognise, are not ours to delete. */
static settle_status put_aside(const struct rebuild *r, const char *name, settle_error *error)
{
    char aside[LOG_NAME_BYTES + 32];
    unsigned number = 1;
    do
        snprintf(aside, sizeof aside, "%s.replaced-%u", name, number++);
    while (file_exists_at(r->dir_fd, aside));
    return file_rename_at(r->dir_fd, name, aside, error);
}

/* What a compression that a crash ended has left beside a file. */
static settle_status twins_remove(const struct rebuild *r, const char *name, settle_error *error)
{
    static const char *const suffixes[] = {".zst", ".zst.partial"};
    char twin[LOG_NAME_BYTES + 16];
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && status == SETTLE_OK; i++) {
        snprintf(twin, sizeof twin, "%s%s", name, suffixes[i]);
        if (file_exists_at(r->dir_fd, twin))
            status = file_remove_at(r->dir_fd, twin, error);
    }
    return status;
}

/* Makes way for `target`; what has that name already and is of this journal is replaced by the rename. */
static settle_status olds_remove(struct rebuild *r, const char *target, bool is_before, settle_error *error)
{
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < r->old_count && status == SETTLE_OK; i++) {
        const struct old *old = &r->olds[i];
        bool is_target = strcmp(old->file.name, target) == 0;
        bool is_of_the_day = old->file.day == r->day && (old->line != NULL || !old->file.is_current);
        bool is_ours = old->is_of_this_journal || old->is_empty;
        if (is_before && (is_of_the_day || is_target) && !is_ours)
            status = put_aside(r, old->file.name, error);
        else if (!is_before && is_of_the_day && !is_target && is_ours)
            status = file_remove_at(r->dir_fd, old->file.name, error);
        if (status == SETTLE_OK && !is_before && is_of_the_day && is_ours && !old->file.is_compressed)
            status = twins_remove(r, old->file.name, error);
    }
    return status;
}

static settle_status pack(const struct rebuild *r, const struct log_name *name, settle_error *error)
{
    struct log_compression *compression = NULL;
    bool is_done = false;
    settle_status status = log_compression_open(r->dir_fd, name, &mem_libc, &compression, error);
    while (status == SETTLE_OK && !is_done)
        status = log_compression_step(compression, &is_done, error);
    log_compression_close(compression);
    return status;
}

static settle_status day_tell(struct rebuild *r, struct log_name name, bool is_current, settle_error *error)
{
    struct logs_day *days = realloc(r->result.days, (r->result.count + 1) * sizeof *days);
    if (days == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a list of days");
    char text[LOG_NAME_BYTES];
    struct logs_day *day = &days[r->result.count++];
    *day = (struct logs_day){.lines = r->lines, .bytes = r->bytes};
    log_name_format(&(struct log_name){.day = name.day}, text);
    memcpy(day->day, text + sizeof LOG_NAME, sizeof day->day - 1);
    log_name_format(&name, text);
    snprintf(day->file, sizeof day->file, "%s", is_current ? LOG_NAME : text);
    r->result.days = days;
    return SETTLE_OK;
}

/* The day is whole: it takes its place. */
static settle_status day_end(struct rebuild *r, bool is_last, settle_error *error)
{
    char target[LOG_NAME_BYTES] = LOG_NAME;
    struct log_name name = {.day = r->day};
    /* The follower goes on with the current file, so that must be the newest day's that has lines. */
    bool is_current = r->is_one_day && r->has_current ? r->day == r->current_day : is_last;
    r->is_open = false;
    if (!is_current)
        log_name_format(&name, target);
    settle_status status = buffer_write(r, error);
    if (status == SETTLE_OK)
        status = file_sync_data(r->new_fd, NEW_NAME, error);
    file_close(r->new_fd);
    r->new_fd = -1;
    if (status == SETTLE_OK)
        status = olds_remove(r, target, true, error);
    if (status == SETTLE_OK)
        status = file_replace_at(r->dir_fd, NEW_NAME, target, error);
    if (status == SETTLE_OK)
        status = olds_remove(r, target, false, error);
    if (status == SETTLE_OK && !is_current && r->compress) {
        status = pack(r, &name, error);
        name.is_compressed = true;
    }
    return status == SETTLE_OK ? day_tell(r, name, is_current, error) : status;
}

/* ---- All of it ---- */

static void olds_recognise(struct rebuild *r, const char *text, const struct line *line)
{
    for (size_t i = 0; i < r->old_count; i++) {
        struct old *old = &r->olds[i];
        if (old->place.seq == line->place.seq && old->place.step == line->place.step && old->bytes == line->bytes &&
            memcmp(old->line, text, line->bytes) == 0)
            old->is_of_this_journal = true;
    }
}

static settle_status write_days(struct rebuild *r, settle_error *error)
{
    struct line line;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK) {
        if (r->is_open && r->used + LINE_BYTES_MAX > BUFFER_BYTES)
            status = buffer_write(r, error);
        /* A line of another day is moved to the buffer's beginning when its file begins. */
        if (status == SETTLE_OK)
            status = rendering_next(&r->rendering, r->buffer + r->used, &line, error);
        if (status != SETTLE_OK)
            break;
        uint32_t day = log_day_of(line.time_us);
        char first[LINE_BYTES_MAX];
        olds_recognise(r, r->buffer + r->used, &line);
        if (r->is_open && day != r->day) {
            memcpy(first, r->buffer + r->used, line.bytes);
            status = day_end(r, false, error);
            r->used = 0;
            memcpy(r->buffer, first, line.bytes);
        }
        if (r->is_one_day && day > r->wanted_day)
            return status;
        bool is_wanted = !r->is_one_day || day == r->wanted_day;
        if (status == SETTLE_OK && is_wanted && !r->is_open)
            status = day_begin(r, day, error);
        if (!is_wanted)
            continue;
        r->used += line.bytes;
        r->lines++;
    }
    if (status == SETTLE_E_END)
        status = r->is_open ? day_end(r, true, error) : SETTLE_OK;
    return status;
}

static void rebuild_deinit(struct rebuild *r)
{
    file_close(r->new_fd);
    if (r->lock_fd >= 0)
        (void)file_remove_at(r->dir_fd, NEW_NAME, NULL); /* of a day that did not come to its end */
    for (size_t i = 0; i < r->old_count; i++)
        free(r->olds[i].line);
    free(r->olds);
    free(r->buffer);
    logs_rebuilt_free(&r->result);
    file_close(r->lock_fd);
    file_close(r->dir_fd);
    rendering_close(&r->rendering);
}

settle_status query_logs_rebuild(const char *directory, const settle_lines_options *lines, const char *day,
                                 struct logs_rebuilt *ret_rebuilt, settle_error *error)
{
    const struct lines_options options = {.format = LINE_SETTLE, .sample_per_million = lines->sample_per_million};
    struct rebuild r = {.dir_fd = -1,
                        .lock_fd = -1,
                        .new_fd = -1,
                        .compress = lines->compress != 0,
                        .is_one_day = day != NULL,
                        .rendering = {.data_fd = -1}};
    if (day != NULL && (strlen(day) != 10 || !log_day_parse(day, &r.wanted_day)))
        return fail(error, SETTLE_E_INVALID, "%.40s is no day like 2024-12-10", day);
    settle_status status = SETTLE_OK;
    r.buffer = malloc(BUFFER_BYTES + LINE_BYTES_MAX);
    if (r.buffer == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for lines");
    if (status == SETTLE_OK)
        status = rendering_open(directory, &options, &r.rendering, error);
    if (status == SETTLE_OK)
        status = directory_take(&r, lines->directory, error);
    if (status == SETTLE_OK)
        status = olds_read(&r, error);
    if (status == SETTLE_OK)
        status = write_days(&r, error);
    if (status == SETTLE_OK)
        status = dir_sync(r.dir_fd, lines->directory, error);
    if (status == SETTLE_OK && day != NULL && r.result.count == 0)
        status = fail(error, SETTLE_E_NOT_FOUND, "the journal has no line of %s", day);
    if (status == SETTLE_OK) {
        *ret_rebuilt = r.result;
        r.result = (struct logs_rebuilt){NULL, 0};
    }
    rebuild_deinit(&r);
    return status;
}

void logs_rebuilt_free(struct logs_rebuilt *rebuilt)
{
    free(rebuilt->days);
    *rebuilt = (struct logs_rebuilt){NULL, 0};
}
