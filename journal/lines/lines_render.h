/*
 * lines_render.h — between lines.c, which knows where a line belongs, and the formats, which know what stands in it.
 *
 * A renderer writes at `at` and returns the end behind the newline. It looks at the struct lines for the assets and the
 * clock, at the event, and at the step's records; it keeps nothing.
 */
#ifndef JOURNAL_LINES_RENDER_H
#define JOURNAL_LINES_RENDER_H

#include <assert.h>

#include "journal/base/digits.h"
#include "journal/lines/lines.h"

/* What a renderer may write behind a line's end: fields are copied with more bytes than they have. */
#define LINES_SLACK 128
/* The members of what came in are kept between CONSUMED and the decision, where they are this short. */
#define LINES_INPUT_BYTES 128
#define LINES_ASSETS_NEAR 32
#define LINES_SEQ_BYTES 24 /* a quoted 64-bit integer, and two more: a copy of known size */
#define LINES_SYMBOL_BYTES DIGITS_TEXT_BYTES(SETTLE_SYMBOL_BYTES_MAX)

struct lines_asset {
    settle_asset asset;
    uint64_t position; /* of its declaration; 0: before the frames that were entered */
    uint8_t json_bytes;
    char json[LINES_SYMBOL_BYTES]; /* its symbol, quoted */
};

/* An event from its CONSUMED to its PERSISTED: what the lines in between have in common. */
struct lines_event {
    uint64_t seq;
    uint64_t root_span; /* of the id, whichever arrival this is */
    uint32_t offset;    /* of its CONSUMED record in the frame */
    uint8_t type;       /* settle_event_type */
    uint8_t decided;    /* enum record_kind */
    uint8_t reason;     /* settle_reason */
    bool has_lines;     /* not sampled out, and asked for */
    uint8_t id_bytes;
    uint8_t seq_bytes;
    bool id_is_plain; /* needs no escapes */
    char trace_hex[32];
    char span_hex[16];                                                   /* span_base_of() this arrival */
    char id[SETTLE_EVENT_ID_BYTES_MAX + LINES_SEQ_BYTES + DIGITS_SLACK]; /* and behind it `seq` as a JSON value */
};

/* A step of an event, as the journal has it. event NULL: it began before the first frame that was entered. */
struct lines_step {
    struct line_place place;
    uint64_t time_us;
    struct lines_event *event;
};

/* A frame with events whose PERSISTED has not come. */
struct lines_frame {
    struct journal_point before;
    struct frame frame;
    uint64_t last_seq;
    uint8_t *copy; /* of its bytes, where the format tells all steps at the last; else NULL */
};

struct lines {
    struct lines_options options;
    const struct mem *mem;

    struct lines_asset *assets; /* sorted by id */
    settle_asset *known;        /* what lines_assets() answers: room for as many */
    size_t asset_count, asset_capacity;
    uint32_t assets_near[LINES_ASSETS_NEAR]; /* for ids with this remainder: an index to look at first */

    /* Events whose PERSISTED has not come: the one with `seq` is at events[seq % capacity]. */
    struct lines_event *events;
    uint64_t event_capacity;    /* a power of two */
    uint64_t waiting_seq;       /* the oldest; next_seq: none */
    uint64_t next_seq;          /* of the next CONSUMED; 0: no frame yet */
    struct lines_frame *frames; /* which hold them, oldest first */
    size_t frame_first, frame_end, frame_capacity;

    struct frame frame; /* being told */
    bool in_frame;
    size_t offset; /* of its next record; 0: the first */
    enum line_step
        step_next; /* LINE_DECIDED: of `event`; LINE_PERSISTED: of persisted.first_seq … last_seq; else a record */
    struct lines_event *event;
    struct record consumed, decided;
    uint64_t input_seq; /* whose members `input` has; 0: nobody's */
    size_t input_bytes;
    char input[LINES_INPUT_BYTES];
    struct record_persisted persisted;

    struct line_place place, pass;
    struct digits_clock clock;
};

/* NULL: not declared before `position`. */
const struct lines_asset *lines_asset_find(const struct lines *lines, uint32_t id, uint64_t position);
static inline const struct lines_asset *lines_asset_at(const struct lines *lines, uint32_t id, uint64_t position)
{
    const size_t index = lines->assets_near[id % LINES_ASSETS_NEAR];
    if (index < lines->asset_count && lines->assets[index].asset.id == id && lines->assets[index].position < position)
        return &lines->assets[index];
    return lines_asset_find(lines, id, position);
}

/* "DEPOSIT_CONSUMED" and the like. */
struct lines_name {
    char text[32]; /* padded */
    size_t bytes;
};
/* Of a step: kind is its record's. */
extern const struct lines_name lines_names[SETTLE_TRADE + 1][RECORD_PERSISTED + 1];
static inline const struct lines_name *lines_event_name(uint8_t type, uint8_t kind)
{
    assert(type >= SETTLE_DEPOSIT && type <= SETTLE_TRADE);
    assert(kind >= RECORD_CONSUMED && kind <= RECORD_PERSISTED);
    return &lines_names[type][kind];
}
/* Words: "insufficient_funds". */
settle_text lines_reason_word(uint8_t reason);

static inline bool lines_is_first(const struct lines_event *event)
{
    return event->decided != RECORD_DUPLICATE && event->decided != RECORD_CONFLICT;
}
static inline bool lines_is_warning(const struct lines_event *event)
{
    return event->decided == RECORD_REJECTED || event->decided == RECORD_CONFLICT;
}
/* The record a step comes from. */
static inline uint8_t lines_step_kind(const struct lines_step *step)
{
    if (step->place.step == LINE_DECIDED)
        return step->event->decided;
    return step->place.step == LINE_CONSUMED ? RECORD_CONSUMED : RECORD_PERSISTED;
}
static inline char *lines_put_trace(char *at, const struct lines_event *event)
{
    memcpy(at, event->trace_hex, sizeof event->trace_hex);
    return at + sizeof event->trace_hex;
}
/* The span of step 1, 2 or 3: mostly the base's text with a greater last digit. */
static inline char *lines_put_span(char *at, const struct lines_event *event, enum line_step step)
{
    enum { LAST = sizeof event->span_hex - 1 };
    const char last = event->span_hex[LAST];
    if (last > '6' && (last < 'a' || last > 'c'))
        return digits_hex_u64(at, span_id_of(event->root_span, lines_is_first(event), event->seq, step));
    memcpy(at, event->span_hex, sizeof event->span_hex);
    at[LAST] = (char)(last + (int)step);
    return at + sizeof event->span_hex;
}
/* Its id as a JSON value. */
static inline char *lines_put_id(char *at, const struct lines_event *event)
{
    if (!event->id_is_plain)
        return digits_json_text(at, event->id, event->id_bytes);
    *at++ = '"';
    memcpy(at, event->id, SETTLE_EVENT_ID_BYTES_MAX); /* more than needed: a move of known size */
    at += event->id_bytes;
    *at++ = '"';
    return at;
}

/* Its seq as a JSON value. */
static inline char *lines_put_seq(char *at, const struct lines_event *event)
{
    memcpy(at, event->id + event->id_bytes, LINES_SEQ_BYTES);
    return at + event->seq_bytes;
}

/* The line of a step. Steps 1 and 2 find both records in lines->consumed and decided. */
char *lines_settle(struct lines *lines, char *at, const struct lines_step *step);
char *lines_ecs(struct lines *lines, char *at, const struct lines_step *step);
/* The line of an event, at its PERSISTED. Both records are in lines->consumed and decided, too. */
char *lines_otlp(struct lines *lines, char *at, const struct lines_step *step);

#endif
