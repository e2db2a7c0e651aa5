/*
 * log_seek.c — see log_seek.h.
 *
 * Every event is rendered, sampled or not: so the line is found whatever sampling is now, and can be compared. The
 * position that comes out begins at the frame of the oldest event without PERSISTED before the line, as a saved one
 * does.
 */
#include "journal/follow/log_seek.h"

#include <assert.h>
#include <string.h>

#include "journal/base/status.h"

#define STEP_BYTES ((uint64_t)4 << 20)

struct log_seek {
    const struct mem *mem;
    struct lines *lines;
    struct journal_point at;
    struct log_position from, found;
    struct line_place wanted;
    size_t text_bytes;
    bool is_behind_from; /* all that `from` has was passed */
    char text[LINE_BYTES_MAX], rendered[LINE_BYTES_MAX];
};

bool log_seek_is_before(const struct log_position *from, struct line_place place)
{
    /* All events before the frame to begin at again have their PERSISTED line before `from`. */
    return place.seq < from->restart.next_seq;
}

settle_status log_seek_open(const struct log_position *from, const struct log_tail *tail, const struct mem *mem,
                            struct log_seek **ret_seek, settle_error *error)
{
    assert(tail->has_line && tail->last_bytes <= LINE_BYTES_MAX);
    struct log_seek *seek = mem_alloc(mem, 1, sizeof *seek);
    if (seek == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory to look for a line");
    seek->mem = mem;
    seek->at = from->restart;
    seek->wanted = tail->last.place;
    seek->text_bytes = tail->last_bytes;
    memcpy(seek->text, tail->last_text, tail->last_bytes);
    struct lines_options options = {.format = LINE_SETTLE, .sample_per_million = LINES_SAMPLE_ALL};
    settle_status status = lines_open(&options, mem, &seek->lines, error);
    for (size_t i = 0; status == SETTLE_OK && i < from->asset_count; i++)
        status = lines_asset_add(seek->lines, &from->assets[i], error);
    if (status == SETTLE_OK)
        status = log_position_copy(&seek->from, from, mem, error);
    if (status == SETTLE_OK)
        status = log_position_copy(&seek->found, from, mem, error);
    if (status != SETTLE_OK) {
        log_seek_close(seek);
        return status;
    }
    *ret_seek = seek;
    return SETTLE_OK;
}

void log_seek_close(struct log_seek *seek)
{
    if (seek == NULL)
        return;
    lines_close(seek->lines);
    log_position_deinit(&seek->from, seek->mem);
    log_position_deinit(&seek->found, seek->mem);
    mem_free(seek->mem, seek);
}

const struct log_position *log_seek_position(const struct log_seek *seek)
{
    return &seek->found;
}

/* Before a frame: where one would go on. SEEK_LOST: `from` says that a frame ends here, and none does. */
static settle_status note_boundary(struct log_seek *s, enum log_seek_answer *ret_answer, settle_error *error)
{
    size_t count;
    if (s->at.position < s->from.boundary.position)
        return SETTLE_OK;
    if (!s->is_behind_from && (s->at.position != s->from.boundary.position || s->at.chain != s->from.boundary.chain)) {
        *ret_answer = SEEK_LOST;
        return SETTLE_OK;
    }
    s->is_behind_from = s->is_behind_from || s->from.place.seq == 0;
    s->found.restart = lines_restart(s->lines, &s->at);
    s->found.boundary = s->at;
    const settle_asset *assets = lines_assets(s->lines, &count);
    settle_status status = log_position_reserve(&s->found, count, s->mem, error);
    if (status == SETTLE_OK)
        log_position_set_assets(&s->found, assets, count);
    return status;
}

static bool is_place(struct line_place a, struct line_place b)
{
    return a.seq == b.seq && a.step == b.step;
}

/* A frame's lines. The wanted one before what `from` has: `from` is later, and counts. */
static void look(struct log_seek *s, bool is_at_from, bool is_before_from, enum log_seek_answer *ret_answer)
{
    struct line line;
    while (lines_next(s->lines, s->rendered, &line)) {
        bool is_wanted = *ret_answer == SEEK_GOES_ON && is_place(line.place, s->wanted);
        if (is_wanted && is_before_from) {
            s->found.place = s->from.place;
            *ret_answer = SEEK_FOUND;
        } else if (is_wanted && (line.bytes != s->text_bytes || memcmp(s->rendered, s->text, line.bytes) != 0)) {
            *ret_answer = SEEK_FOREIGN;
        } else if (is_wanted) {
            s->found.place = s->is_behind_from ? line.place : s->from.place;
            *ret_answer = SEEK_FOUND;
        }
        if (is_at_from && is_place(line.place, s->from.place))
            s->is_behind_from = true;
    }
    if (is_at_from)
        s->is_behind_from = true;
}

settle_status log_seek_step(struct log_seek *seek, struct journal_reader *reader, enum log_seek_answer *ret_answer,
                            settle_error *error)
{
    struct log_seek *s = seek;
    uint64_t end = s->at.position + STEP_BYTES;
    *ret_answer = SEEK_GOES_ON;
    while (*ret_answer == SEEK_GOES_ON && s->at.position < end) {
        struct journal_point before = s->at;
        struct frame frame;
        settle_status status = note_boundary(s, ret_answer, error);
        if (status != SETTLE_OK || *ret_answer != SEEK_GOES_ON)
            return status;
        /* Its PERSISTED has come, and so have its other lines. */
        bool is_past =
            s->is_behind_from && s->at.persisted_seq != POINT_PERSISTED_UNKNOWN && s->at.persisted_seq >= s->wanted.seq;
        status = is_past ? SETTLE_E_END : journal_reader_next(reader, &s->at, &frame, error);
        if (status == SETTLE_E_END) {
            *ret_answer = s->is_behind_from ? SEEK_FOREIGN : SEEK_WAITS;
            return SETTLE_OK;
        }
        bool is_at_from = before.position == s->from.boundary.position;
        bool is_before_from = before.position < s->from.boundary.position;
        before.position =
            status == SETTLE_OK ? frame.position : before.position; /* of the next segment's first frame */
        if (status == SETTLE_OK)
            status = lines_enter(s->lines, &before, &frame, error);
        if (status != SETTLE_OK)
            return status;
        look(s, is_at_from, is_before_from, ret_answer);
    }
    return SETTLE_OK;
}
