/*
 * lines.h — the journal as JSON lines: a pure projection, record by record in journal order, byte for byte the same
 * whenever the same record is rendered. logs/README.md describes the lines, docs/json-lines.md how they are written.
 *
 * Frames go in, lines come out by lines_next(). What a line needs from elsewhere in the journal is kept here: the
 * declared assets, and the events whose PERSISTED record is still to come. Reads no file, allocates only for these two.
 */
#ifndef JOURNAL_LINES_H
#define JOURNAL_LINES_H

#include <stdbool.h>

#include "journal/reader.h"
#include "journal/lines/trace_id.h"

enum line_format {
    LINE_SETTLE, /* a line a step */
    LINE_ECS,    /* a line a step, Elastic Common Schema 8 with dotted keys */
    LINE_OTLP,   /* a line an event, at its PERSISTED: an OTLP/JSON trace request with a root span and one a step */
};

enum line_step {
    LINE_CONSUMED = 1,
    LINE_DECIDED = 2, /* VALIDATED, REJECTED, DUPLICATE or CONFLICT */
    LINE_PERSISTED = 3,
};

/* Which line: each is there once in a journal. Zeros: before the first. Ordered by the journal, not by its numbers. */
struct line_place {
    uint64_t seq;
    enum line_step step;
};

struct line {
    size_t bytes;     /* with its newline */
    uint64_t time_us; /* the record's: its UTC day is the day of the file */
    struct line_place place;
};

#define LINE_BYTES_MAX ((size_t)8192)
#define LINES_SAMPLE_ALL 1000000u

struct lines_options {
    enum line_format format;
    /* Of a million event ids this many get lines, all of them or none; rejections and conflicts always do. */
    uint32_t sample_per_million;
    uint64_t from_seq; /* no lines of events before it; 0: all */
};

struct lines;

settle_status lines_open(const struct lines_options *options, const struct mem *mem, struct lines **ret_lines,
                         settle_error *error);
void lines_close(struct lines *lines); /* NULL is fine */

/* An asset declared before the frames that will be entered. The same again changes nothing; another symbol or scale for
 * the same id is SETTLE_E_CORRUPT. */
settle_status lines_asset_add(struct lines *lines, const settle_asset *asset, settle_error *error);
/* The assets declared before the point lines_restart() tells: what another one must be given to go on from there.
 * Sorted by id; valid until the next call on `lines`. */
const settle_asset *lines_assets(const struct lines *lines, size_t *ret_count);

/* Lines up to and including `place` are passed over when they come. {0, 0}: none. lines_is_passing(): not yet. */
void lines_pass(struct lines *lines, struct line_place place);
bool lines_is_passing(const struct lines *lines);

/* The next frame, checked, in journal order, and the point before it; borrowed until lines_next() has answered false.
 * Nothing has changed after a failure: SETTLE_E_CORRUPT (an asset declared in two ways), SETTLE_E_NO_MEMORY. */
settle_status lines_enter(struct lines *lines, const struct journal_point *before, const struct frame *frame,
                          settle_error *error);
/*
 * Renders the next line at `at`, which has room for LINE_BYTES_MAX. False: the frame has no more. Events that began
 * before the first frame entered have no PERSISTED lines here: begin at a frame that lines_restart() told.
 */
bool lines_next(struct lines *lines, char *at, struct line *ret_line);
/* The last place considered, whether it got a line or not (sampling). Every step of every event is one, in every
 * format. */
struct line_place lines_place(const struct lines *lines);

/*
 * Where another one must begin to go on behind the last frame entered: the point before the frame with the oldest event
 * whose PERSISTED has not come, else `after`, the point behind the last frame. Call between frames. Begun at `after`
 * (whose position is the answer's) the other one must pass nothing; begun at an earlier frame it must pass
 * lines_place(), which comes there.
 */
struct journal_point lines_restart(const struct lines *lines, const struct journal_point *after);

#endif
