/*
 * logs.c — log files against the journal: renders it again and compares every byte that is there. Owns a rendering
 * and one file at a time; changes nothing.
 */
#include "query/logs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal/base/status.h"

#define LISTINGS_MAX 5
/* A live follower knows sooner than the journal's watermark what is durable. */
#define PATIENCE_POLLS 200
#define PATIENCE_NS 10000000L

struct check {
    int dir_fd; /* of the files; -1: there is no such directory */
    struct rendering rendering;
    char expected[LINE_BYTES_MAX];
    struct line next; /* it stands in `expected` */
    bool has_next;
    struct logs_result result;
};

static const char *step_name(enum line_step step)
{
    return step == LINE_CONSUMED ? "CONSUMED" : step == LINE_PERSISTED ? "PERSISTED" : "decision";
}

static bool is_same_place(const struct line_place *a, const struct line_place *b)
{
    return a->seq == b->seq && a->step == b->step;
}

static void differ(struct check *c, const struct logs_file *file, uint64_t line, uint64_t byte, const char *text)
{
    snprintf(c->result.file, sizeof c->result.file, "%s", file->name);
    snprintf(c->result.difference, sizeof c->result.difference, "%s", text);
    c->result.line = line;
    c->result.byte = byte;
}

static bool differs(const struct check *c)
{
    return c->result.difference[0] != '\0';
}

/* The journal's next line; has_next false: there is none. */
static settle_status advance(struct check *c, settle_error *error)
{
    settle_status status = rendering_next(&c->rendering, c->expected, &c->next, error);
    c->has_next = status == SETTLE_OK;
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* The same where a file has a line: beside a live writer the journal has it soon. */
static settle_status require_next(struct check *c, settle_error *error)
{
    settle_status status = SETTLE_OK;
    for (int polls = 0; status == SETTLE_OK && !c->has_next && polls < PATIENCE_POLLS; polls++) {
        if (!journal_reader_tail(c->rendering.reader)->writer_is_live)
            break;
        nanosleep(&(struct timespec){.tv_nsec = PATIENCE_NS}, NULL);
        status = rendering_refresh(&c->rendering, error);
        if (status == SETTLE_OK)
            status = advance(c, error);
    }
    return status;
}

/* Goes on to the line a file begins with. Lines passed over are missing, unless it is the first file. */
static settle_status seek(struct check *c, const struct logs_file *file, const char *line, size_t bytes,
                          settle_error *error)
{
    char text[256];
    struct log_line found;
    const struct line_place *place = &found.place;
    uint64_t passed = 0;
    settle_status status = SETTLE_OK;
    if (!log_line_parse(line, bytes, &found)) {
        differ(c, file, 1, 1, "this is no line of a journal");
        return SETTLE_OK;
    }
    for (;;) {
        if (!c->has_next)
            status = require_next(c, error);
        if (status != SETTLE_OK || !c->has_next || is_same_place(&c->next.place, place))
            break;
        passed++;
        status = advance(c, error);
        if (status != SETTLE_OK)
            break;
    }
    if (status != SETTLE_OK)
        return status;
    snprintf(text, sizeof text, "the %s of event %" PRIu64 ", with which it begins, is not in the journal%s",
             step_name(place->step), place->seq, c->result.counts.lines > 0 ? " behind the lines before" : "");
    if (!c->has_next)
        differ(c, file, 1, 1, text);
    else if (c->result.counts.lines == 0)
        c->result.counts.lines_before = passed;
    snprintf(text, sizeof text, "%" PRIu64 " line%s missing before this one, the %s of event %" PRIu64, passed,
             passed == 1 ? " is" : "s are", step_name(place->step), place->seq);
    if (c->has_next && c->result.counts.lines > 0 && passed > 0)
        differ(c, file, 1, 1, text);
    return SETTLE_OK;
}

/* One line of a file, which begins at `offset`, against the journal's next. */
static void compare(struct check *c, const struct logs_file *file, uint64_t number, uint64_t offset, const char *line,
                    size_t bytes)
{
    char text[256];
    struct log_line found;
    if (!c->has_next) {
        differ(c, file, number, offset + 1, "the journal has no further line");
        return;
    }
    size_t same = 0;
    while (same < bytes && same < c->next.bytes && line[same] == c->expected[same])
        same++;
    const struct line_place *place = &c->next.place;
    bool is_other = log_line_parse(line, bytes, &found) && !is_same_place(&found.place, place);
    if (same < bytes || same < c->next.bytes) {
        snprintf(text, sizeof text, "the journal says something else: this would be the %s of event %" PRIu64,
                 step_name(place->step), place->seq);
        if (is_other)
            snprintf(text + strlen(text), sizeof text - strlen(text),
                     ", but it is the %s of event %" PRIu64 " (another sample_per_million when it was written?)",
                     step_name(found.place.step), found.place.seq);
        differ(c, file, number, offset + same + 1, text);
        return;
    }
    if (!file->is_current && file->day != log_day_of(c->next.time_us))
        differ(c, file, number, offset + 1, "this line is of another day");
}

static settle_status check_stream(struct check *c, const struct logs_file *file, struct logs_stream *stream,
                                  settle_error *error)
{
    const char *line;
    size_t bytes;
    uint64_t number = 0, offset = 0;
    settle_status status;
    while ((status = logs_stream_next(stream, &line, &bytes, error)) == SETTLE_OK) {
        number++;
        if (line[bytes - 1] != '\n' && file->is_current) {
            c->result.counts.torn_bytes += bytes;
            continue;
        }
        if (number == 1)
            status = seek(c, file, line, bytes, error);
        else if (!c->has_next)
            status = require_next(c, error);
        if (status == SETTLE_OK && !differs(c))
            compare(c, file, number, offset, line, bytes);
        if (status != SETTLE_OK || differs(c))
            return status;
        offset += bytes;
        c->result.counts.lines++;
        c->result.counts.bytes += bytes;
        status = advance(c, error);
        if (status != SETTLE_OK)
            return status;
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

static settle_status check_file(struct check *c, const struct logs_file *file, settle_error *error)
{
    struct logs_stream *stream = NULL;
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = logs_stream_open(c->dir_fd, file, &stream, &fault);
    if (status == SETTLE_OK)
        status = check_stream(c, file, stream, &fault);
    logs_stream_close(stream);
    if (status == SETTLE_E_CORRUPT && strcmp(fault.file, file->name) == 0) {
        differ(c, file, 0, 0, fault.text); /* of the file, not of the journal */
        return SETTLE_OK;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    c->result.counts.files += status == SETTLE_OK && !differs(c);
    return status;
}

static settle_status check_all(struct check *c, const struct logs_list *list, settle_error *error)
{
    settle_status status = advance(c, error);
    for (size_t i = 0; i < list->count && status == SETTLE_OK && !differs(c); i++)
        status = check_file(c, &list->files[i], error);
    while (status == SETTLE_OK && !differs(c) && c->has_next) {
        c->result.counts.lines_after++;
        status = advance(c, error);
    }
    const struct logs_counts *counts = &c->result.counts;
    if (status == SETTLE_OK && !differs(c) && counts->lines == 0 && counts->lines_after > 0)
        snprintf(c->result.difference, sizeof c->result.difference, "there is no line to check");
    c->result.is_empty = status == SETTLE_OK && !differs(c) && counts->lines == 0 && c->rendering.point.next_seq <= 1;
    c->result.ok = !differs(c) && !c->result.is_empty;
    return status;
}

static bool is_same_list(const struct logs_list *a, const struct logs_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->files[i].name, b->files[i].name) == 0;
    return same;
}

/* One go with the files that are there now. */
static settle_status check_once(struct check *c, const char *directory, const struct lines_options *options,
                                const struct logs_list *list, settle_error *error)
{
    int dir_fd = c->dir_fd;
    *c = (struct check){.dir_fd = dir_fd, .rendering = {.data_fd = -1}};
    settle_status status = rendering_open(directory, options, &c->rendering, error);
    if (status == SETTLE_OK)
        status = check_all(c, list, error);
    rendering_close(&c->rendering);
    return status;
}

static settle_status list_read(const struct check *c, struct logs_list *ret_list, settle_error *error)
{
    *ret_list = (struct logs_list){NULL, 0};
    return c->dir_fd < 0 ? SETTLE_OK : logs_list_read(c->dir_fd, ret_list, error);
}

settle_status query_logs_verify(const char *directory, const settle_lines_options *lines,
                                struct logs_result *ret_result, settle_error *error)
{
    const struct lines_options options = {.format = LINE_SETTLE, .sample_per_million = lines->sample_per_million};
    struct logs_list list = {NULL, 0}, again = {NULL, 0};
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a check");
    check->dir_fd = -1;
    settle_status status = dir_open_shared(lines->directory, false, &check->dir_fd, error);
    if (status == SETTLE_E_NOT_FOUND)
        status = SETTLE_OK;
    if (status == SETTLE_OK)
        status = list_read(check, &again, error);
    /* Beside a live follower a file may be rotated meanwhile, which then looks like a gap: with other files, once
     * more. */
    for (int attempt = 0; status == SETTLE_OK && attempt < LISTINGS_MAX; attempt++) {
        settle_error fault = {.status = SETTLE_OK};
        logs_list_free(&list);
        list = again;
        again = (struct logs_list){NULL, 0};
        settle_status checked = check_once(check, directory, &options, &list, &fault);
        status = list_read(check, &again, error);
        if (status != SETTLE_OK || (checked == SETTLE_OK && check->result.ok) || is_same_list(&list, &again)) {
            if (checked != SETTLE_OK && error != NULL)
                *error = fault;
            status = checked != SETTLE_OK ? checked : status;
            break;
        }
    }
    if (status == SETTLE_OK)
        *ret_result = check->result;
    logs_list_free(&again);
    logs_list_free(&list);
    file_close(check->dir_fd);
    free(check);
    return status;
}
