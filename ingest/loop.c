/*
 * loop.c — the ingest loop: sources in, lines out of a buffer, events in batches to the engine, the rest to the reject
 * file.
 *
 * One thread. Owns the buffers, the open source and the reject file of a run; the engine is the caller's.
 * Invariants
 *   - The texts of the events that are pending borrow `buffer` and `scratch`: neither moves before they are submitted.
 *   - `position` is just behind the last line that counts as passed. A last line without newline counts only when it
 *     was good, so that a writer who was interrupted in it can finish it and the next run reads it whole.
 *   - A position goes to the engine only when the malformed lines before it are in the reject file on stable storage.
 *   - No line is held that is longer than INGEST_LINE_BYTES_MAX: it goes to the reject file piece by piece.
 */
#include "ingest/ingest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ingest/assets.h"
#include "ingest/batches.h"
#include "ingest/error.h"
#include "ingest/reject.h"
#include "ingest/scan_csv.h"
#include "ingest/source.h"

#define BUFFER_BYTES ((size_t)1 << 20)
#define READ_BYTES_MIN ((size_t)1 << 16) /* with less room than this the buffer is emptied first */
#define SCRATCH_BYTES ((size_t)1 << 16)  /* of the strings with escapes of one batch */
#define POLL_INTERVAL_MS 100             /* how soon a stop flag is seen while input pauses */
#define PROGRESS_INTERVAL_MS 200

struct loop {
    settle *engine;
    const struct ingest_options *options;
    struct ingest_counts counts; /* but for the outcomes, which `batches` counts */
    uint64_t bytes_total;        /* 0: unknown */
    uint64_t progress_at_ms;

    struct source source;
    settle_source_position position;
    uint64_t told_offset;     /* how far the engine knows of the source */
    bool is_unflushed;        /* whether the engine has something that was not flushed */
    bool goes_on;             /* the source was resumed behind a line that had no newline: what ends it is no line */
    bool is_long;             /* inside a line that is too long */
    uint64_t long_bytes;      /* of it so far */
    struct csv_header header; /* of the source, where it is CSV */

    size_t at, fill; /* the bytes of `buffer` that are not taken yet: [at, fill) */
    size_t event_count, scratch_used;
    struct assets assets;
    struct reject reject;
    struct batches batches;
    settle_event events[BATCH_EVENTS_MAX];
    char scratch[SCRATCH_BYTES];
    char buffer[BUFFER_BYTES];
};

static bool is_stopped(const struct loop *loop)
{
    return loop->options->stop != NULL && *loop->options->stop != 0;
}

static void tell_progress(struct loop *loop, bool now)
{
    struct timespec time;
    if (loop->options->progress == NULL)
        return;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t time_ms = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
    if (!now && time_ms - loop->progress_at_ms < PROGRESS_INTERVAL_MS)
        return;
    loop->progress_at_ms = time_ms;
    struct ingest_counts counts = loop->counts;
    batches_count(&loop->batches, &counts);
    loop->options->progress(loop->options->context, &counts, loop->bytes_total);
}

/* ---- Towards the engine ---- */

/* The pending events; afterwards nothing borrows the buffers. */
static settle_status submit(struct loop *loop, settle_error *error)
{
    size_t count = loop->event_count;
    if (count == 0)
        return SETTLE_OK;
    settle_status status = reject_sync(&loop->reject, error);
    if (status == SETTLE_OK)
        status = batches_submit(&loop->batches, loop->events, count, error);
    if (status != SETTLE_OK)
        return status;
    loop->counts.events += count;
    loop->told_offset = loop->events[count - 1].end.offset_bytes;
    loop->is_unflushed = true;
    loop->event_count = 0;
    loop->scratch_used = 0;
    return SETTLE_OK;
}

/* Submits and waits until everything is durable and recorded as PERSISTED, and the rejects are there to be read. */
static settle_status flush(struct loop *loop, settle_error *error)
{
    settle_status status = submit(loop, error);
    if (status == SETTLE_OK)
        status = reject_sync(&loop->reject, error);
    if (status != SETTLE_OK || !loop->is_unflushed)
        return status;
    status = settle_flush(loop->engine, error);
    if (status == SETTLE_OK)
        loop->is_unflushed = false;
    return status;
}

/* The end of a source, or the stop flag: also what came behind the last event is journalled as passed. */
static settle_status finish_source(struct loop *loop, settle_error *error)
{
    settle_status status = submit(loop, error);
    if (status == SETTLE_OK && loop->position.offset_bytes != loop->told_offset) {
        status = reject_sync(&loop->reject, error);
        if (status == SETTLE_OK)
            status = settle_source_advance(loop->engine, loop->position, error);
        loop->is_unflushed = true;
    }
    return status == SETTLE_OK ? flush(loop, error) : status;
}

/* ---- Lines ---- */

static void tell_malformed(struct loop *loop, const struct scan_fault *fault)
{
    loop->counts.malformed++;
    struct ingest_malformed malformed = {loop->source.path, loop->position.line + 1, fault->byte, fault->reason};
    if (loop->options->malformed != NULL)
        loop->options->malformed(loop->options->context, &malformed);
}

static settle_status take_malformed(struct loop *loop, const char *line, size_t bytes, const struct scan_fault *fault,
                                    settle_error *error)
{
    tell_malformed(loop, fault);
    settle_status status = reject_begin_line(&loop->reject, error);
    if (status == SETTLE_OK)
        status = reject_append(&loop->reject, line, bytes, error);
    return status == SETTLE_OK ? reject_end_line(&loop->reject, error) : status;
}

/* Declared before the next event is scanned, and behind the events before it. One that contradicts an earlier
 * declaration makes its line malformed: *ret_good is false then and the fault says so. */
static settle_status take_asset(struct loop *loop, const settle_asset *asset, bool *ret_good,
                                struct scan_fault *ret_fault, settle_error *error)
{
    settle_status status = submit(loop, error);
    if (status != SETTLE_OK)
        return status;
    settle_error refusal;
    status = settle_asset_declare(loop->engine, asset, &refusal);
    if (status == SETTLE_E_CONFLICT) {
        *ret_good = false;
        *ret_fault = (struct scan_fault){1, "the asset's symbol or id is already declared with other values"};
        return SETTLE_OK;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = refusal;
    return status;
}

static void take_event(struct loop *loop, settle_event *event, settle_source_position end)
{
    event->end = end;
    settle_text texts[2] = {event->event_id, {NULL, 0}};
    if (event->type == SETTLE_TRADE)
        texts[1] = event->u.trade.trade_id;
    const char *scratch = loop->scratch + loop->scratch_used, *limit = loop->scratch + SCRATCH_BYTES;
    for (size_t i = 0; i < 2; i++) {
        if (texts[i].data == NULL) /* not given; and C has no NULL + 0 */
            continue;
        const char *behind = texts[i].data + texts[i].bytes;
        if (texts[i].data >= scratch && texts[i].data < limit && behind > loop->scratch + loop->scratch_used)
            loop->scratch_used = (size_t)(behind - loop->scratch);
    }
    loop->event_count++;
}

/* ---- CSV ---- */

static bool awaits_header(const struct loop *loop)
{
    return loop->options->format == INGEST_CSV && loop->header.count == 0;
}

/* Without its header no row of a source can be read. */
static settle_status no_header(const struct loop *loop, const struct scan_fault *fault, settle_error *error)
{
    settle_status status =
        ingest_fail(error, SETTLE_E_MALFORMED, loop->source.path, "%.150s:1:%zu: no header of CSV: %s",
                    loop->source.path, fault->byte, fault->reason);
    if (error != NULL)
        error->offset_bytes = fault->byte - 1;
    return status;
}

static settle_status take_header(struct loop *loop, const char *line, size_t bytes, settle_error *error)
{
    struct scan_fault fault;
    return csv_scan_header(line, bytes, &loop->header, &fault) ? SETTLE_OK : no_header(loop, &fault, error);
}

static bool scan(struct loop *loop, const char *line, size_t bytes, enum scan_kind *ret_kind, settle_event *ret_event,
                 settle_asset *ret_asset, struct scan_fault *ret_fault)
{
    char *scratch = loop->scratch + loop->scratch_used;
    if (loop->options->format == INGEST_CSV)
        return csv_scan_row(&loop->header, line, bytes, scratch, assets_find, &loop->assets, ret_kind, ret_event,
                            ret_asset, ret_fault);
    return scan_line(line, bytes, scratch, assets_find, &loop->assets, ret_kind, ret_event, ret_asset, ret_fault);
}

/* ---- A line ---- */

/* One whole line, or what is left at the end of the source. */
static settle_status take_line(struct loop *loop, const char *line, size_t bytes, bool has_newline, settle_error *error)
{
    settle_event *event = &loop->events[loop->event_count];
    settle_asset asset;
    struct scan_fault fault;
    enum scan_kind kind = SCAN_BLANK;
    bool is_header = awaits_header(loop), good = true;
    settle_status status = is_header ? take_header(loop, line, bytes, error) : SETTLE_OK;
    if (status != SETTLE_OK)
        return status;
    if (!is_header)
        good = scan(loop, line, bytes, &kind, event, &asset, &fault);
    settle_source_position end = {loop->position.source, loop->position.offset_bytes + bytes + has_newline,
                                  loop->position.line + 1};
    bool is_rest = loop->goes_on && good && kind == SCAN_BLANK;
    loop->goes_on = false;
    if (is_rest)
        end.line--;
    else
        loop->counts.lines++;
    if (good && kind == SCAN_ASSET)
        status = take_asset(loop, &asset, &good, &fault, error);
    if (status == SETTLE_OK && !good)
        status = take_malformed(loop, line, bytes, &fault, error);
    if (good && kind == SCAN_EVENT)
        take_event(loop, event, end);
    if (has_newline || (good && kind != SCAN_BLANK))
        loop->position = end;
    bool is_full = loop->event_count == BATCH_EVENTS_MAX || SCRATCH_BYTES - loop->scratch_used < INGEST_LINE_BYTES_MAX;
    return status == SETTLE_OK && is_full ? submit(loop, error) : status;
}

/* A piece of a line that is too long. */
static settle_status take_long_piece(struct loop *loop, const char *piece, size_t bytes, settle_error *error)
{
    if (!loop->is_long) {
        settle_status status = reject_begin_line(&loop->reject, error);
        if (status != SETTLE_OK)
            return status;
        loop->is_long = true;
        loop->long_bytes = 0;
    }
    loop->long_bytes += bytes;
    return reject_append(&loop->reject, piece, bytes, error);
}

static settle_status end_long_line(struct loop *loop, bool has_newline, settle_error *error)
{
    assert(loop->is_long);
    assert(loop->long_bytes > INGEST_LINE_BYTES_MAX);
    struct scan_fault fault = {INGEST_LINE_BYTES_MAX + 1, "the line is longer than 4096 bytes"};
    _Static_assert(INGEST_LINE_BYTES_MAX == 4096, "the sentence above says so");
    if (awaits_header(loop))
        return no_header(loop, &fault, error);
    loop->counts.lines++;
    tell_malformed(loop, &fault);
    loop->is_long = false;
    loop->goes_on = false;
    if (has_newline) {
        loop->position.offset_bytes += loop->long_bytes + 1;
        loop->position.line++;
    }
    return reject_end_line(&loop->reject, error);
}

/* Every line of the buffer that has its newline. */
static settle_status take_lines(struct loop *loop, settle_error *error)
{
    settle_status status = SETTLE_OK;
    const char *newline = NULL;
    while (status == SETTLE_OK && loop->at < loop->fill) {
        const char *line = loop->buffer + loop->at;
        newline = memchr(line, '\n', loop->fill - loop->at);
        if (newline == NULL)
            break;
        size_t bytes = (size_t)(newline - line);
        if (!loop->is_long) {
            status = take_line(loop, line, bytes, true, error);
        } else {
            status = take_long_piece(loop, line, bytes, error);
            if (status == SETTLE_OK)
                status = end_long_line(loop, true, error);
        }
        loop->at += bytes + 1;
    }
    size_t rest = loop->fill - loop->at;
    if (status == SETTLE_OK && rest > 0 && (loop->is_long || rest > INGEST_LINE_BYTES_MAX)) {
        status = take_long_piece(loop, loop->buffer + loop->at, rest, error);
        loop->at = loop->fill;
    }
    return status;
}

/* The source has ended: what is left is a line too. */
static settle_status take_last_line(struct loop *loop, settle_error *error)
{
    if (loop->is_long)
        return end_long_line(loop, false, error);
    if (loop->at == loop->fill)
        return SETTLE_OK;
    const char *line = loop->buffer + loop->at;
    size_t bytes = loop->fill - loop->at;
    loop->at = loop->fill;
    return take_line(loop, line, bytes, false, error);
}

/* ---- Sources ---- */

/* Until there is something to read or the stop flag is set. When input pauses, what was read is committed at once. */
static settle_status await_input(struct loop *loop, settle_error *error)
{
    if (source_wait(&loop->source, 0))
        return SETTLE_OK;
    settle_status status = flush(loop, error);
    while (status == SETTLE_OK && !is_stopped(loop) && !source_wait(&loop->source, POLL_INTERVAL_MS))
        tell_progress(loop, false);
    return status;
}

static settle_status read_more(struct loop *loop, bool *ret_end, settle_error *error)
{
    if (BUFFER_BYTES - loop->fill < READ_BYTES_MIN) {
        settle_status status = submit(loop, error);
        if (status != SETTLE_OK)
            return status;
        memmove(loop->buffer, loop->buffer + loop->at, loop->fill - loop->at);
        loop->fill -= loop->at;
        loop->at = 0;
    }
    size_t bytes = 0;
    settle_status status =
        source_read(&loop->source, loop->buffer + loop->fill, BUFFER_BYTES - loop->fill, &bytes, ret_end, error);
    loop->fill += bytes;
    loop->counts.bytes_read += bytes;
    return status;
}

/* The header of a source that is resumed: its first line again. *ret_bytes of it are read, at most `offset`. */
static settle_status read_header(struct loop *loop, uint64_t offset, uint64_t *ret_bytes, settle_error *error)
{
    size_t room = offset <= INGEST_LINE_BYTES_MAX ? (size_t)offset : INGEST_LINE_BYTES_MAX + 1, fill = 0;
    const char *newline = NULL;
    settle_status status = SETTLE_OK;
    bool end = false;
    while (status == SETTLE_OK && newline == NULL && fill < room && !end) {
        size_t bytes = 0;
        status = await_input(loop, error);
        if (status == SETTLE_OK && is_stopped(loop))
            return SETTLE_OK;
        if (status == SETTLE_OK)
            status = source_read(&loop->source, loop->buffer + fill, room - fill, &bytes, &end, error);
        newline = memchr(loop->buffer + fill, '\n', bytes);
        fill += bytes;
    }
    if (status != SETTLE_OK)
        return status;
    *ret_bytes = fill;
    size_t line_bytes = newline != NULL ? (size_t)(newline - loop->buffer) : fill;
    return end ? source_too_short(&loop->source, offset, error) : take_header(loop, loop->buffer, line_bytes, error);
}

/* Reads and forgets what is journalled of an input that cannot seek; `offset` bytes are left of it. */
static settle_status skip_by_reading(struct loop *loop, uint64_t offset, int *ret_last_byte, settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (offset > 0 && status == SETTLE_OK && !is_stopped(loop)) {
        status = await_input(loop, error);
        size_t bytes = 0;
        bool end = false;
        if (status == SETTLE_OK && !is_stopped(loop))
            status = source_read(&loop->source, loop->buffer, offset < BUFFER_BYTES ? (size_t)offset : BUFFER_BYTES,
                                 &bytes, &end, error);
        if (status == SETTLE_OK && end)
            status = source_too_short(&loop->source, loop->position.offset_bytes, error);
        if (bytes > 0)
            *ret_last_byte = (unsigned char)loop->buffer[bytes - 1];
        offset -= bytes;
    }
    return status;
}

/* To where the journal says that the source was read. */
static settle_status resume_source(struct loop *loop, settle_error *error)
{
    uint64_t offset = loop->position.offset_bytes, taken = 0;
    int last_byte = -1;
    settle_status status = SETTLE_OK;
    if (loop->options->format == INGEST_CSV)
        status = read_header(loop, offset, &taken, error);
    if (status != SETTLE_OK)
        return status;
    if (taken > 0)
        last_byte = (unsigned char)loop->buffer[taken - 1];
    status = loop->source.is_file ? source_seek(&loop->source, offset, &last_byte, error)
                                  : skip_by_reading(loop, offset - taken, &last_byte, error);
    if (status != SETTLE_OK)
        return status;
    loop->goes_on = last_byte >= 0 && last_byte != '\n';
    if (loop->source.is_file && loop->bytes_total > offset)
        loop->bytes_total -= offset;
    return SETTLE_OK;
}

static settle_status begin_source(struct loop *loop, const char *path, settle_error *error)
{
    settle_source_position position;
    settle_status status = settle_source_open(loop->engine, (settle_text){path, strlen(path)}, &position, error);
    if (status != SETTLE_OK)
        return status;
    if (!loop->options->resume)
        position.offset_bytes = position.line = 0;
    loop->position = position;
    loop->told_offset = position.offset_bytes;
    loop->at = loop->fill = 0;
    loop->goes_on = loop->is_long = false;
    loop->header.count = 0;
    return position.offset_bytes > 0 ? resume_source(loop, error) : SETTLE_OK;
}

static settle_status take_source(struct loop *loop, const char *path, settle_error *error)
{
    settle_status status = source_open(path, &loop->source, error);
    if (status != SETTLE_OK)
        return status;
    status = begin_source(loop, path, error);
    bool end = false;
    while (status == SETTLE_OK && !end && !is_stopped(loop)) {
        status = await_input(loop, error);
        if (status == SETTLE_OK && !is_stopped(loop))
            status = read_more(loop, &end, error);
        if (status == SETTLE_OK)
            status = take_lines(loop, error);
        tell_progress(loop, false);
    }
    if (status == SETTLE_OK && end)
        status = take_last_line(loop, error);
    if (loop->is_long) { /* half a line is no line: it is not reported, nor passed, nor copied */
        settle_status abandoned = reject_abandon_line(&loop->reject, status == SETTLE_OK ? error : NULL);
        status = status == SETTLE_OK ? abandoned : status;
    }
    if (status == SETTLE_OK)
        status = finish_source(loop, error);
    source_close(&loop->source);
    return status;
}

/* ---- The run ---- */

static const char *const standard_input[] = {"-"};

/* A path that is wrong is told before anything is read; the sizes make the share of input that progress shows. */
static settle_status measure(struct loop *loop, const char *const *paths, size_t count, settle_error *error)
{
    bool all_known = true;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes;
        bool is_known;
        settle_status status = source_measure(paths[i], &bytes, &is_known, error);
        if (status != SETTLE_OK)
            return status;
        loop->bytes_total += bytes;
        all_known = all_known && is_known;
    }
    if (!all_known)
        loop->bytes_total = 0;
    return SETTLE_OK;
}

settle_status ingest_run(settle *engine, const struct ingest_options *options, struct ingest_result *ret_result,
                         settle_error *error)
{
    assert(options->reject_directory != NULL);
    assert(options->paths != NULL || options->path_count == 0);
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return ingest_fail(error, SETTLE_E_NO_MEMORY, "", "no memory for the buffers of ingest");
    loop->engine = engine;
    loop->options = options;
    assets_init(&loop->assets, engine);
    reject_init(&loop->reject, options->reject_directory);
    batches_init(&loop->batches, engine);

    const char *const *paths = options->path_count > 0 ? options->paths : standard_input;
    size_t path_count = options->path_count > 0 ? options->path_count : 1;
    settle_status status = measure(loop, paths, path_count, error);
    for (size_t i = 0; i < path_count && status == SETTLE_OK && !is_stopped(loop); i++)
        status = take_source(loop, paths[i], error);
    settle_status landed = batches_wait(&loop->batches, status == SETTLE_OK ? error : NULL);
    status = status == SETTLE_OK ? landed : status;
    settle_status closed = reject_close(&loop->reject, status == SETTLE_OK ? error : NULL);
    tell_progress(loop, true);

    *ret_result = (struct ingest_result){.counts = loop->counts};
    batches_count(&loop->batches, &ret_result->counts);
    memcpy(ret_result->reject_path, loop->reject.path, sizeof ret_result->reject_path);
    batches_deinit(&loop->batches);
    free(loop);
    return status == SETTLE_OK ? closed : status;
}
