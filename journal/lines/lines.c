/*
 * lines.c — which lines a journal has, and in which order. What stands in a line is its format's: lines_settle.c,
 * lines_ecs.c, lines_otlp.c.
 *
 * Owns the declared assets, the events between their CONSUMED and their PERSISTED, and the points of the frames these
 * stand in. Borrows the frame that is being told.
 * Invariants
 *   - A line depends on its event's records and on the assets declared before them, on nothing else: not on where
 *     reading began, which options there are, or what was passed over.
 *   - All memory that a frame needs is there once it was entered: lines_next() cannot fail.
 *   - Events wait in the order of their seqs, without a gap: PERSISTED records name ranges that follow each other.
 */
#include "journal/lines/lines.h"

#include <assert.h>
#include <string.h>

#include "journal/base/status.h"
#include "journal/lines/lines_render.h"

#define EVENTS_MIN 1024u
#define ARRAY_MIN 16u

_Static_assert(SETTLE_REASON_BALANCE_OVERFLOW <= UINT8_MAX && SETTLE_EVENT_ID_BYTES_MAX <= UINT8_MAX, "they fit bytes");
_Static_assert(LINES_SYMBOL_BYTES <= UINT8_MAX, "a quoted symbol's length fits a byte");

/* ---- Words ------------------------------------------------------------------------------------------------------- */

#define NAME(type, step)                                                                                               \
    {                                                                                                                  \
        type "_" step, sizeof(type "_" step) - 1                                                                       \
    }
#define NAMES(type)                                                                                                    \
    {                                                                                                                  \
        [RECORD_CONSUMED] = NAME(type, "CONSUMED"), [RECORD_VALIDATED] = NAME(type, "VALIDATED"),                      \
        [RECORD_REJECTED] = NAME(type, "REJECTED"), [RECORD_DUPLICATE] = NAME(type, "DUPLICATE"),                      \
        [RECORD_CONFLICT] = NAME(type, "CONFLICT"), [RECORD_PERSISTED] = NAME(type, "PERSISTED"),                      \
    }
const struct lines_name lines_names[SETTLE_TRADE + 1][RECORD_PERSISTED + 1] = {
    [SETTLE_DEPOSIT] = NAMES("DEPOSIT"),
    [SETTLE_WITHDRAWAL] = NAMES("WITHDRAWAL"),
    [SETTLE_TRADE] = NAMES("TRADE"),
};

settle_text lines_reason_word(uint8_t reason)
{
    static const settle_text words[] = {
#define X(name, value, word) [SETTLE_REASON_##name] = {word, sizeof(word) - 1},
        SETTLE_REASON_MAP(X)
#undef X
    };
    assert(reason > SETTLE_REASON_NONE && reason < sizeof words / sizeof *words);
    return words[reason];
}

/* ---- Opening and closing ----------------------------------------------------------------------------------------- */

settle_status lines_open(const struct lines_options *options, const struct mem *mem, struct lines **ret_lines,
                         settle_error *error)
{
    assert(options != NULL && mem != NULL && ret_lines != NULL);
    assert(options->format >= LINE_SETTLE && options->format <= LINE_OTLP);
    if (options->sample_per_million > LINES_SAMPLE_ALL)
        return fail(error, SETTLE_E_INVALID, "a sample of more than a million in a million");
    struct lines *lines = mem_alloc(mem, 1, sizeof *lines);
    if (lines == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the lines");
    lines->options = *options;
    lines->mem = mem;
    *ret_lines = lines;
    return SETTLE_OK;
}

void lines_close(struct lines *lines)
{
    if (lines == NULL)
        return;
    for (size_t i = lines->frame_first; i < lines->frame_end; i++)
        mem_free(lines->mem, lines->frames[i].copy);
    mem_free(lines->mem, lines->frames);
    mem_free(lines->mem, lines->events);
    mem_free(lines->mem, lines->assets);
    mem_free(lines->mem, lines->known);
    mem_free(lines->mem, lines);
}

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

/* The index of the first asset with this id or a greater one. */
static size_t asset_index(const struct lines *lines, uint32_t id)
{
    size_t first = 0, end = lines->asset_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (lines->assets[middle].asset.id < id)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

const struct lines_asset *lines_asset_find(const struct lines *lines, uint32_t id, uint64_t position)
{
    size_t index = asset_index(lines, id);
    if (index == lines->asset_count || lines->assets[index].asset.id != id || lines->assets[index].position >= position)
        return NULL;
    return &lines->assets[index];
}

/* Which one is looked at first for an id. Where nothing sets it, an old index stays: a look, and then a search. */
static void assets_near_set(struct lines *lines)
{
    for (size_t i = lines->asset_count; i-- > 0;)
        lines->assets_near[lines->assets[i].asset.id % LINES_ASSETS_NEAR] = (uint32_t)i;
}

static settle_status assets_reserve(struct lines *lines, settle_error *error)
{
    if (lines->asset_count < lines->asset_capacity)
        return SETTLE_OK;
    size_t capacity = lines->asset_capacity == 0 ? ARRAY_MIN : lines->asset_capacity * 2;
    struct lines_asset *assets = mem_resize(lines->mem, lines->assets, capacity, sizeof *assets);
    if (assets == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", capacity);
    lines->assets = assets;
    settle_asset *known = mem_resize(lines->mem, lines->known, capacity, sizeof *known);
    if (known == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", capacity);
    lines->known = known;
    lines->asset_capacity = capacity;
    return SETTLE_OK;
}

static settle_status asset_add(struct lines *lines, const settle_asset *asset, uint64_t position, settle_error *error)
{
    assert(asset->id != 0 && asset->scale <= SETTLE_SCALE_MAX);
    size_t symbol_bytes = strnlen(asset->symbol, sizeof asset->symbol);
    assert(symbol_bytes >= 1 && symbol_bytes <= SETTLE_SYMBOL_BYTES_MAX);
    size_t index = asset_index(lines, asset->id);
    if (index < lines->asset_count && lines->assets[index].asset.id == asset->id) {
        const settle_asset *known = &lines->assets[index].asset;
        if (known->scale == asset->scale && strcmp(known->symbol, asset->symbol) == 0)
            return SETTLE_OK;
        return fail(error, SETTLE_E_CORRUPT, "asset %u is %s with scale %u and again %s with scale %u",
                    (unsigned)asset->id, known->symbol, known->scale, asset->symbol, asset->scale);
    }
    settle_status status = assets_reserve(lines, error);
    if (status != SETTLE_OK)
        return status;

    struct lines_asset *at = &lines->assets[index];
    memmove(at + 1, at, (lines->asset_count - index) * sizeof *at);
    lines->asset_count++;
    *at = (struct lines_asset){.asset = *asset, .position = position};
    char json[LINES_SYMBOL_BYTES + DIGITS_SLACK];
    at->json_bytes = (uint8_t)(digits_json_text(json, asset->symbol, symbol_bytes) - json);
    memcpy(at->json, json, at->json_bytes);
    assets_near_set(lines);
    return SETTLE_OK;
}

settle_status lines_asset_add(struct lines *lines, const settle_asset *asset, settle_error *error)
{
    assert(lines != NULL && asset != NULL && !lines->in_frame);
    return asset_add(lines, asset, 0, error);
}

/* Forgets those declared at `position` or behind it. */
static void assets_forget(struct lines *lines, uint64_t position)
{
    size_t kept = 0;
    for (size_t i = 0; i < lines->asset_count; i++)
        if (lines->assets[i].position < position)
            lines->assets[kept++] = lines->assets[i];
    lines->asset_count = kept;
    assets_near_set(lines);
}

/* Declares the frame's assets. Where they stand decides for which events: lines_asset_at(). */
static settle_status assets_of_frame(struct lines *lines, const struct frame *frame, settle_error *error)
{
    if (frame->record_count == 2 * frame->event_count + (frame->persisted_last_seq != 0))
        return SETTLE_OK; /* nothing but events and what is durable */
    size_t end = frame->length_bytes - FRAME_TRAILER_BYTES, bytes;
    for (size_t at = FRAME_HEADER_BYTES; end - at >= RECORD_HEADER_BYTES; at += bytes) {
        bytes = get_u16(frame->bytes + at + RECORD_LENGTH);
        if (bytes == 0)
            break;
        if (frame->bytes[at + RECORD_KIND] != RECORD_ASSET)
            continue;
        struct record record;
        size_t offset = at;
        bool is_record = frame_next_record(frame, &offset, &record);
        assert(is_record && record.kind == RECORD_ASSET);
        settle_status status = asset_add(lines, &record.u.asset, record.position, error);
        if (status != SETTLE_OK)
            return status;
    }
    return SETTLE_OK;
}

/* ---- What waits -------------------------------------------------------------------------------------------------- */

static inline struct lines_event *event_at(const struct lines *lines, uint64_t seq)
{
    return &lines->events[seq & (lines->event_capacity - 1)];
}

/* Room for all events from waiting_seq up to `end_seq`. */
static settle_status events_reserve(struct lines *lines, uint64_t end_seq, settle_error *error)
{
    uint64_t count = end_seq - lines->waiting_seq, capacity = EVENTS_MIN;
    if (count <= lines->event_capacity)
        return SETTLE_OK;
    while (capacity < count)
        capacity *= 2;
    struct lines_event *events = mem_alloc(lines->mem, (size_t)capacity, sizeof *events);
    if (events == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu events", (size_t)capacity);
    for (uint64_t seq = lines->waiting_seq; seq < lines->next_seq; seq++)
        events[seq & (capacity - 1)] = *event_at(lines, seq);
    mem_free(lines->mem, lines->events);
    lines->events = events;
    lines->event_capacity = capacity;
    return SETTLE_OK;
}

static settle_status frames_reserve(struct lines *lines, settle_error *error)
{
    if (lines->frame_end < lines->frame_capacity)
        return SETTLE_OK;
    size_t waiting = lines->frame_end - lines->frame_first;
    if (waiting > lines->frame_capacity / 2 || lines->frame_capacity == 0) {
        size_t capacity = lines->frame_capacity == 0 ? ARRAY_MIN : lines->frame_capacity * 2;
        struct lines_frame *frames = mem_resize(lines->mem, lines->frames, capacity, sizeof *frames);
        if (frames == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu frames", capacity);
        lines->frames = frames;
        lines->frame_capacity = capacity;
    }
    memmove(lines->frames, lines->frames + lines->frame_first, waiting * sizeof *lines->frames);
    lines->frame_first = 0;
    lines->frame_end = waiting;
    return SETTLE_OK;
}

/* The frame behind those that wait, where it has events. */
static settle_status frame_push(struct lines *lines, const struct journal_point *before, const struct frame *frame,
                                settle_error *error)
{
    if (frame->event_count == 0)
        return SETTLE_OK;
    settle_status status = frames_reserve(lines, error);
    if (status != SETTLE_OK)
        return status;
    struct lines_frame *at = &lines->frames[lines->frame_end];
    *at = (struct lines_frame){*before, *frame, frame->first_seq + frame->event_count - 1, NULL};
    if (lines->options.format == LINE_OTLP) {
        at->copy = mem_resize(lines->mem, NULL, frame->length_bytes, 1);
        if (at->copy == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for a frame of %zu bytes", (size_t)frame->length_bytes);
        memcpy(at->copy, frame->bytes, frame->length_bytes);
    }
    at->frame.bytes = at->copy;
    lines->frame_end++;
    return SETTLE_OK;
}

/* Everything before `seq` is done. */
static void waiting_end(struct lines *lines, uint64_t seq)
{
    if (seq <= lines->waiting_seq)
        return;
    assert(seq <= lines->next_seq);
    lines->waiting_seq = seq;
    while (lines->frame_first < lines->frame_end && lines->frames[lines->frame_first].last_seq < seq)
        mem_free(lines->mem, lines->frames[lines->frame_first++].copy);
}

/* frame_next_record() without proving again what the reader has proved. */
static bool record_next(const struct frame *frame, size_t *offset, struct record *ret_record)
{
    const size_t at = *offset == 0 ? FRAME_HEADER_BYTES : *offset, end = frame->length_bytes - FRAME_TRAILER_BYTES;
    if (end - at < RECORD_HEADER_BYTES || get_u16(frame->bytes + at) == 0)
        return false;
    record_read(frame->bytes + at, (struct record_base){frame->first_seq, frame->time_us}, ret_record);
    ret_record->position = frame->position + at;
    *offset = at + ret_record->length_bytes;
    return true;
}

/* ---- Frames in --------------------------------------------------------------------------------------------------- */

settle_status lines_enter(struct lines *lines, const struct journal_point *before, const struct frame *frame,
                          settle_error *error)
{
    assert(lines != NULL && before != NULL && frame != NULL && frame->bytes != NULL);
    assert(!lines->in_frame); /* the frame before was told to its end */
    assert(before->position == frame->position && before->next_seq == frame->first_seq);
    assert(lines->next_seq == 0 || lines->next_seq == frame->first_seq);
    if (lines->next_seq == 0)
        lines->next_seq = lines->waiting_seq = frame->first_seq;
    settle_status status = events_reserve(lines, frame->first_seq + frame->event_count, error);
    if (status == SETTLE_OK)
        status = assets_of_frame(lines, frame, error);
    if (status == SETTLE_OK)
        status = frame_push(lines, before, frame, error);
    if (status != SETTLE_OK) {
        assets_forget(lines, frame->position);
        return status;
    }
    lines->frame = *frame;
    lines->in_frame = true;
    lines->offset = 0;
    lines->step_next = LINE_CONSUMED;
    return SETTLE_OK;
}

/* The id of an event whose record has none: its members'. The same as event_key_format(), in a quarter of the time. */
static char *put_derived_id(char *at, const settle_event *event)
{
    if (event->type == SETTLE_TRADE) {
        settle_text trade_id = event->u.trade.trade_id;
        at = digits_literal(at, "trade_");
        memcpy(at, trade_id.data, trade_id.bytes);
        return at + trade_id.bytes;
    }
    const settle_transfer *transfer = &event->u.transfer;
    at = event->type == SETTLE_DEPOSIT ? digits_literal(at, "deposit_") : digits_literal(at, "withdrawal_");
    at = digits_u64(at, transfer->user);
    *at++ = '_';
    at = digits_u64(at, transfer->asset);
    *at++ = '_';
    return digits_u64(at, event->ts_ms);
}

/* Its id, and behind it its seq. */
static void set_id(struct lines_event *event, const settle_event *consumed)
{
    size_t bytes = consumed->event_id.bytes;
    bool is_natural = bytes == 0 && consumed->type != SETTLE_TRADE; /* letters and digits of ours */
    if (bytes != 0)
        memcpy(event->id, consumed->event_id.data, bytes);
    else
        bytes = (size_t)(put_derived_id(event->id, consumed) - event->id);
    assert(bytes >= 1 && bytes <= SETTLE_EVENT_ID_BYTES_MAX);
    event->id_bytes = (uint8_t)bytes;
    event->id_is_plain = is_natural || digits_json_is_plain(event->id, bytes);
    char *seq_text = event->id + bytes;
    event->seq_bytes = (uint8_t)(digits_json_u64(seq_text, event->seq) - seq_text);
}

static bool is_in_sample(const struct lines *lines, uint64_t sample)
{
    return (uint64_t)((settle_uint128)sample * LINES_SAMPLE_ALL >> 64) < lines->options.sample_per_million;
}

/* The event of lines->consumed and its decision, which stands behind it. */
static struct lines_event *event_begin(struct lines *lines, size_t offset)
{
    const struct record *consumed = &lines->consumed, *decided = &lines->decided;
    bool is_decided = record_next(&lines->frame, &lines->offset, &lines->decided);
    assert(is_decided && decided->kind >= RECORD_VALIDATED && decided->kind <= RECORD_CONFLICT);
    assert(consumed->seq == lines->next_seq && decided->seq == lines->next_seq);
    lines->next_seq++;
    assert(lines->next_seq - lines->waiting_seq <= lines->event_capacity);

    struct lines_event *event = event_at(lines, consumed->seq);
    event->seq = consumed->seq;
    event->offset = (uint32_t)offset;
    event->type = (uint8_t)consumed->u.consumed.type;
    event->decided = (uint8_t)decided->kind;
    event->reason = decided->kind == RECORD_REJECTED ? (uint8_t)decided->u.rejected : SETTLE_REASON_NONE;
    event->has_lines = consumed->seq >= lines->options.from_seq;
    if (!event->has_lines)
        return event;
    struct trace_id trace;
    set_id(event, &consumed->u.consumed);
    trace_id_of((settle_text){event->id, event->id_bytes}, &trace);
    event->has_lines = is_in_sample(lines, trace.sample) || lines_is_warning(event);
    event->root_span = trace.root_span;
    (void)digits_hex_16(event->trace_hex, trace.bytes);
    (void)digits_hex_u64(event->span_hex, span_base_of(trace.root_span, lines_is_first(event), event->seq));
    return event;
}

/* ---- Lines out --------------------------------------------------------------------------------------------------- */

static void step_persisted(struct lines *lines, struct lines_step *ret_step)
{
    uint64_t seq = lines->persisted.first_seq++;
    assert(seq < lines->next_seq);
    if (seq >= lines->persisted.last_seq)
        lines->step_next = LINE_CONSUMED;
    bool is_known = seq >= lines->waiting_seq; /* it began in a frame that was entered */
    struct lines_event *event = is_known ? event_at(lines, seq) : NULL;
    assert(event == NULL || event->seq == seq);
    *ret_step = (struct lines_step){{seq, LINE_PERSISTED}, lines->persisted.time_us, event};
}

/* The next step of the frame; false at its end. */
static bool step_next(struct lines *lines, struct lines_step *ret_step)
{
    if (lines->step_next == LINE_DECIDED) {
        lines->step_next = LINE_CONSUMED;
        *ret_step = (struct lines_step){{lines->event->seq, LINE_DECIDED}, lines->decided.time_us, lines->event};
        return true;
    }
    while (lines->step_next == LINE_CONSUMED) {
        size_t offset = lines->offset == 0 ? FRAME_HEADER_BYTES : lines->offset;
        if (!record_next(&lines->frame, &lines->offset, &lines->consumed))
            return false;
        if (lines->consumed.kind == RECORD_CONSUMED) {
            lines->event = event_begin(lines, offset);
            lines->step_next = LINE_DECIDED;
            *ret_step = (struct lines_step){{lines->event->seq, LINE_CONSUMED}, lines->consumed.time_us, lines->event};
            return true;
        }
        if (lines->consumed.kind == RECORD_PERSISTED) {
            lines->persisted = lines->consumed.u.persisted;
            lines->step_next = LINE_PERSISTED;
        }
    }
    step_persisted(lines, ret_step);
    return true;
}

/* Whether the step, which has come, is to be told. */
static bool is_wanted(struct lines *lines, const struct lines_step *step)
{
    lines->place.seq =
        step->place.seq; /* member by member: the whole was just written in parts, and would be waited for */
    lines->place.step = step->place.step;
    if (lines_is_passing(lines)) {
        if (step->place.seq == lines->pass.seq && step->place.step == lines->pass.step)
            lines->pass = (struct line_place){0};
        return false;
    }
    if (step->event == NULL || !step->event->has_lines)
        return false;
    return lines->options.format != LINE_OTLP || step->place.step == LINE_PERSISTED;
}

/* Both records of an event again, from its frame's copy. */
static void records_recall(struct lines *lines, const struct lines_event *event)
{
    const struct lines_frame *at = &lines->frames[lines->frame_first];
    assert(lines->frame_first < lines->frame_end && at->copy != NULL);
    assert(event->seq >= at->frame.first_seq && event->seq <= at->last_seq);
    size_t offset = event->offset;
    bool has_consumed = record_next(&at->frame, &offset, &lines->consumed);
    bool has_decided = record_next(&at->frame, &offset, &lines->decided);
    assert(has_consumed && has_decided && lines->consumed.seq == event->seq && lines->decided.seq == event->seq);
}

static char *render(struct lines *lines, char *at, const struct lines_step *step)
{
    if (lines->options.format == LINE_SETTLE)
        return lines_settle(lines, at, step);
    if (lines->options.format == LINE_ECS)
        return lines_ecs(lines, at, step);
    records_recall(lines, step->event);
    return lines_otlp(lines, at, step);
}

bool lines_next(struct lines *lines, char *at, struct line *ret_line)
{
    assert(lines != NULL && at != NULL && ret_line != NULL);
    struct lines_step step;
    while (lines->in_frame) {
        if (!step_next(lines, &step)) {
            lines->in_frame = false;
            break;
        }
        bool wanted = is_wanted(lines, &step);
        if (wanted) {
            char *end = render(lines, at, &step);
            ret_line->bytes = (size_t)(end - at);
            ret_line->time_us = step.time_us;
            ret_line->place.seq = step.place.seq;
            ret_line->place.step = step.place.step;
            assert(ret_line->bytes <= LINE_BYTES_MAX - LINES_SLACK && end[-1] == '\n');
        }
        if (step.place.step == LINE_PERSISTED)
            waiting_end(lines, step.place.seq + 1);
        if (wanted)
            return true;
    }
    return false;
}

/* ---- Places ------------------------------------------------------------------------------------------------------ */

void lines_pass(struct lines *lines, struct line_place place)
{
    assert(lines != NULL && !lines->in_frame);
    assert((place.seq == 0) == (place.step == 0));
    lines->pass = place;
}

bool lines_is_passing(const struct lines *lines)
{
    return lines->pass.seq != 0;
}

struct line_place lines_place(const struct lines *lines)
{
    return lines->place;
}

/* The oldest frame that waits; NULL: none. */
static const struct lines_frame *frame_oldest(const struct lines *lines)
{
    return lines->frame_first < lines->frame_end ? &lines->frames[lines->frame_first] : NULL;
}

struct journal_point lines_restart(const struct lines *lines, const struct journal_point *after)
{
    assert(lines != NULL && after != NULL && !lines->in_frame);
    const struct lines_frame *oldest = frame_oldest(lines);
    return oldest != NULL ? oldest->before : *after;
}

const settle_asset *lines_assets(const struct lines *lines, size_t *ret_count)
{
    assert(lines != NULL && ret_count != NULL);
    const struct lines_frame *oldest = frame_oldest(lines);
    size_t count = 0;
    for (size_t i = 0; i < lines->asset_count; i++)
        if (oldest == NULL || lines->assets[i].position < oldest->before.position)
            lines->known[count++] = lines->assets[i].asset;
    *ret_count = count;
    return lines->known;
}
