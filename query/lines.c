/*
 * lines.c — the journal as JSON lines for whoever asks: on an output, once or for as long as more comes, and into log
 * files from a process that is not the writer.
 *
 * Nothing is told that is not durable: the reader sees to it. Owns a rendering for the call.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/base/status.h"
#include "journal/follow/follower.h"
#include "query/internal.h"

#define BATCH_BYTES ((size_t)256 << 10)
#define POLL_MS 10u
#define POLLS_WITHOUT_WRITER 25u /* a look at a journal that nobody writes syncs it: not at every poll */
#define RETRY_MS 1000u

_Static_assert((int)TAIL_SETTLE == (int)LINE_SETTLE && (int)TAIL_ECS == (int)LINE_ECS &&
                   (int)TAIL_OTLP == (int)LINE_OTLP,
               "the formats are the same");

bool tail_format_parse(const char *name, enum tail_format *ret_format)
{
    static const char *const names[] = {[TAIL_SETTLE] = "settle", [TAIL_ECS] = "ecs", [TAIL_OTLP] = "otlp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *ret_format = (enum tail_format)i;
        return true;
    }
    return false;
}

/* ---- A rendering ---- */

settle_status segment_begin_seq(const struct journal_reader *reader, uint64_t seq, struct journal_point *ret_point,
                                settle_error *error)
{
    const struct segment_list *segments = journal_reader_segments(reader);
    size_t index = 0;
    while (index + 1 < segments->count && segments->entries[index + 1].header.first_seq <= seq)
        index++;
    const struct segment_header *header = &segments->entries[index].header;
    return journal_reader_begin_segment(reader, header->ordinal * header->segment_bytes, ret_point, error);
}

static void asset_forget(struct ledger *ledger, uint32_t id)
{
    size_t at = 0;
    while (at < ledger->asset_count && ledger->assets[at].id != id)
        at++;
    if (at == ledger->asset_count)
        return;
    ledger->asset_count--;
    memmove(&ledger->assets[at], &ledger->assets[at + 1], (ledger->asset_count - at) * sizeof ledger->assets[0]);
}

/*
 * The assets declared before the rendering's point: all but those declared behind it. The difference shows in the
 * lines of an event that came before its asset.
 */
static settle_status rendering_assets(struct rendering *r, const char *directory, settle_error *error)
{
    struct query *query = NULL;
    struct ledger ledger = {0};
    struct journal_point at = r->point;
    struct frame frame;
    settle_status status = query_open(directory, &query, error);
    if (status == SETTLE_OK)
        status = query_assets(query, &ledger, error);
    query_close(query);
    while (status == SETTLE_OK && (status = journal_reader_next(r->reader, &at, &frame, error)) == SETTLE_OK) {
        struct record record;
        size_t offset = 0;
        while (frame_next_record(&frame, &offset, &record))
            if (record.kind == RECORD_ASSET)
                asset_forget(&ledger, record.u.asset.id);
    }
    if (status == SETTLE_E_END)
        status = SETTLE_OK;
    for (size_t i = 0; i < ledger.asset_count && status == SETTLE_OK; i++)
        status = lines_asset_add(r->lines, &ledger.assets[i], error);
    ledger_free(&ledger);
    return status;
}

settle_status rendering_open(const char *directory, const struct lines_options *options,
                             struct rendering *ret_rendering, settle_error *error)
{
    struct rendering r = {.data_fd = -1};
    struct journal_point first;
    settle_status status = dir_open(directory, false, &r.data_fd, error);
    if (status == SETTLE_OK)
        status = view_reader_open(r.data_fd, &mem_libc, &r.reader, error);
    if (status == SETTLE_OK)
        status = lines_open(options, &mem_libc, &r.lines, error);
    if (status == SETTLE_OK)
        status = segment_begin_seq(r.reader, options->from_seq, &r.point, error);
    if (status == SETTLE_OK) {
        journal_reader_begin(r.reader, &first);
        if (r.point.position != first.position)
            status = rendering_assets(&r, directory, error);
    }
    if (status == SETTLE_OK)
        *ret_rendering = r;
    else
        rendering_close(&r);
    return status;
}

void rendering_close(struct rendering *rendering)
{
    if (rendering->reader == NULL && rendering->data_fd == 0)
        return;
    lines_close(rendering->lines);
    journal_reader_close(rendering->reader);
    file_close(rendering->data_fd);
}

settle_status rendering_next(struct rendering *rendering, char *at, struct line *ret_line, settle_error *error)
{
    struct rendering *r = rendering;
    struct frame frame;
    for (;;) {
        if (r->is_in_frame && lines_next(r->lines, at, ret_line))
            return SETTLE_OK;
        r->is_in_frame = false;
        struct journal_point before = r->point;
        settle_status status = journal_reader_next(r->reader, &r->point, &frame, error);
        if (status != SETTLE_OK)
            return status;
        before.position = frame.position; /* of the next segment's first frame, where one is full */
        status = lines_enter(r->lines, &before, &frame, error);
        if (status != SETTLE_OK)
            return status;
        r->is_in_frame = true;
    }
}

/* A writer that has just begun may not tell yet what is durable: that is no more for now. */
static settle_status refresh(struct journal_reader *reader, settle_error *error)
{
    settle_status status = journal_reader_refresh(reader, error);
    return status == SETTLE_E_BUSY ? SETTLE_OK : status;
}

settle_status rendering_refresh(struct rendering *rendering, settle_error *error)
{
    return refresh(rendering->reader, error);
}

/* ---- Waiting ---- */

static bool may_go_on(const struct tail_options *options, unsigned wait_ms)
{
    return options->go_on == NULL || options->go_on(options->context, wait_ms);
}

/* At the end: waits until it is worth another look. False: enough. */
static bool wait_for_more(const struct tail_options *options, int data_fd, const struct journal_reader *reader)
{
    bool was_live = journal_reader_tail(reader)->writer_is_live;
    for (unsigned polls = 0; polls < POLLS_WITHOUT_WRITER; polls++) {
        if (!may_go_on(options, POLL_MS))
            return false;
        if (was_live || lock_is_held_at(data_fd))
            break;
    }
    return true;
}

/* ---- On an output ---- */

/* Renders and hands over batch by batch until the journal's end (SETTLE_E_END), or until it is enough (SETTLE_OK). */
static settle_status tail_more(struct rendering *r, const struct tail_options *options, char *batch, struct out *out,
                               settle_error *error)
{
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK) {
        size_t used = 0;
        struct line line;
        while (used + LINE_BYTES_MAX <= BATCH_BYTES &&
               (status = rendering_next(r, batch + used, &line, error)) == SETTLE_OK)
            used += line.bytes;
        out_bytes(out, batch, used);
        if (!out_flush(out) || (status == SETTLE_OK && !may_go_on(options, 0)))
            return SETTLE_OK;
    }
    return status;
}

settle_status query_tail(const char *directory, const struct tail_options *options, struct out *out,
                         settle_error *error)
{
    const struct lines_options lines_options = {
        .format = (enum line_format)options->format,
        .sample_per_million = LINES_SAMPLE_ALL,
        .from_seq = options->from_seq,
    };
    struct rendering r = {.data_fd = -1};
    char *batch = malloc(BATCH_BYTES);
    settle_status status = batch == NULL ? fail(error, SETTLE_E_NO_MEMORY, "no memory for a batch of lines")
                                         : rendering_open(directory, &lines_options, &r, error);
    while (status == SETTLE_OK) {
        status = tail_more(&r, options, batch, out, error);
        if (status != SETTLE_E_END)
            break; /* a failure, or enough */
        status = SETTLE_OK;
        if (!options->follow || !wait_for_more(options, r.data_fd, r.reader))
            break;
        status = rendering_refresh(&r, error);
    }
    rendering_close(&r);
    free(batch);
    return status;
}

/* ---- Into files ---- */

static void follower_log(void *context, int level, const char *message)
{
    const struct tail_options *options = context;
    if (options->log != NULL)
        options->log(options->context, (settle_log_level)level, message);
}

static settle_status files_open(const settle_lines_options *lines, const struct tail_options *options,
                                const struct journal_reader *reader, struct follower **ret_follower,
                                settle_error *error)
{
    settle_lines_options taken;
    settle_lines_options_init(&taken);
    memcpy(&taken, lines, lines->size_bytes < sizeof taken ? lines->size_bytes : sizeof taken);
    const struct follower_options follower = {
        .directory = taken.directory,
        .sample_per_million = taken.sample_per_million,
        .rotate_bytes = taken.rotate_bytes,
        .keep_days = taken.keep_days,
        .keep_bytes = taken.keep_bytes,
        .compress = taken.compress != 0,
        .free_bytes_min = taken.free_bytes_min,
        .log = follower_log,
        .context = (void *)(uintptr_t)options,
    };
    return follower_open(&follower, journal_reader_id(reader), &mem_libc, ret_follower, error);
}

static settle_status files_follow(struct follower *follower, int data_fd, struct journal_reader *reader,
                                  const struct tail_options *options, settle_error *error)
{
    struct follower_progress now;
    for (;;) {
        settle_status status = follower_step(follower, reader, &now, error);
        if (status != SETTLE_OK)
            return status;
        if (!options->follow && now.is_paused) {
            if (error != NULL)
                *error = now.cause;
            return now.cause.status;
        }
        bool is_done = now.is_at_end && !now.is_tidying;
        if (!options->follow && is_done)
            return SETTLE_OK;
        bool is_wanted = now.is_paused ? may_go_on(options, RETRY_MS)
                         : is_done     ? wait_for_more(options, data_fd, reader)
                                       : may_go_on(options, 0);
        if (!is_wanted)
            return SETTLE_OK;
        status = now.is_at_end ? refresh(reader, error) : SETTLE_OK;
        if (status != SETTLE_OK)
            return status;
    }
}

settle_status query_tail_files(const char *directory, const settle_lines_options *lines,
                               const struct tail_options *options, settle_error *error)
{
    int data_fd = -1;
    struct journal_reader *reader = NULL;
    struct follower *follower = NULL;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = view_reader_open(data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK)
        status = files_open(lines, options, reader, &follower, error);
    if (status == SETTLE_OK)
        status = files_follow(follower, data_fd, reader, options, error);
    settle_status closed = follower_close(follower, status == SETTLE_OK ? error : NULL);
    journal_reader_close(reader);
    file_close(data_fd);
    return status == SETTLE_OK ? closed : status;
}
