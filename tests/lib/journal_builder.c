/*
 * journal_builder.c — the journals of journal_builder.h.
 *
 * Invariants: the time never goes back and depends on the seed alone; legs point to the position of the change
 * before; all choices come from the builder's stream.
 */
#include "tests/lib/journal_builder.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const uint8_t builder_journal_id[16] = {0x5e, 0x77, 0x1e, 0x00, 0x01, 0x02, 0x03, 0x04,
                                        0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c};

/* ---- Help ------------------------------------------------------------------------------------------------------- */

static void must(settle_status status, const settle_error *error, const char *what)
{
    if (status == SETTLE_OK)
        return;
    fprintf(stderr, "journal_builder: %s: status %d: %s (%s)\n", what, (int)status, error->text, error->file);
    abort();
}

/* Room for one more behind `count`. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    array = realloc(array, *capacity * size);
    assert(array != NULL);
    return array;
}

/* Time goes on; sometimes it stands still. */
static void tick(struct journal_builder *b)
{
    if (stream_random(&b->stream, 4) > 0)
        b->time_us += stream_random(&b->stream, 2000);
}

static uint32_t time_delta(const struct journal_builder *b)
{
    return (uint32_t)(b->time_us - b->buffer.frame.time_us);
}

void builder_use_memory(void)
{
    if (access("/dev/shm", W_OK | X_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

void builder_open(struct journal_builder *builder)
{
    settle_error error = {.status = SETTLE_OK};
    assert(builder->writer == NULL);
    must(journal_writer_open(builder->data_fd, &mem_libc, &builder->end, &builder->writer, &error), &error, "open");
    must(frame_buffer_init(builder->writer, &builder->buffer, &error), &error, "buffer");
}

void builder_close(struct journal_builder *builder)
{
    if (builder->writer == NULL)
        return;
    frame_buffer_deinit(builder->writer, &builder->buffer);
    journal_writer_close(builder->writer);
    builder->writer = NULL;
}

void builder_init(struct journal_builder *builder, uint64_t segment_bytes, uint64_t seed)
{
    settle_error error = {.status = SETTLE_OK};
    memset(builder, 0, sizeof *builder);
    builder->segment_bytes = segment_bytes;
    builder->time_us = BUILDER_TIME_US;
    builder->next_seq = 1;
    stream_init(&builder->stream, seed);
    model_init(&builder->model);
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        must(model_declare_asset(&builder->model, &stream_assets[i]), &error, "asset");
    tempdir_make(builder->path);
    must(dir_open(builder->path, false, &builder->data_fd, &error), &error, "directory");
    must(journal_create_with_id(builder->data_fd, &mem_libc, segment_bytes, builder_journal_id, BUILDER_TIME_US, &error), &error,
         "create");
    builder->end = (struct journal_point){
        .position = SEGMENT_HEADER_BYTES,
        .next_seq = 1,
        .chain = segment_chain_genesis(builder_journal_id),
    };
    builder_open(builder);
}

void builder_deinit(struct journal_builder *builder)
{
    builder_close(builder);
    file_close(builder->data_fd);
    tempdir_remove(builder->path);
    model_deinit(&builder->model);
    free(builder->frames);
    free(builder->events);
    memset(builder, 0, sizeof *builder);
}

/* ---- Records ---------------------------------------------------------------------------------------------------- */

void builder_begin(struct journal_builder *builder)
{
    struct journal_builder *b = builder;
    tick(b);
    frame_begin(b->writer, &b->buffer, b->next_seq, b->time_us);
    b->frames = grow(b->frames, b->frame_count, &b->frame_capacity, sizeof *b->frames);
    b->frames[b->frame_count] = (struct built_frame){.frame = {.position = 0}};
}

/* As the engine hands it over: a price without trailing zeros. */
static void event_random(struct journal_builder *b, struct stream_event *ret_event)
{
    struct stream_event event;
    stream_next(&b->stream, &b->model, &event);
    settle_price *price = &event.event.u.trade.price;
    while (event.event.type == SETTLE_TRADE && price->scale > 0 && price->mantissa % 10 == 0) {
        price->mantissa /= 10;
        price->scale--;
    }
    stream_event_copy(ret_event, &event);
}

static size_t decision_encode(struct journal_builder *b, struct built_event *built, uint32_t seq_delta)
{
    uint8_t *at = frame_at_end(&b->buffer);
    const settle_result *result = &built->result;
    if (result->outcome == SETTLE_REJECTED)
        return record_encode_rejected(at, seq_delta, time_delta(b), result->reason);
    if (result->outcome != SETTLE_ACCEPTED) {
        struct record_repeat repeat = {result->first_seq, b->events[result->first_seq - 1].position};
        return record_encode_repeat(at, seq_delta, time_delta(b), result->outcome, &repeat);
    }
    for (size_t i = 0; i < built->legs.count; i++) {
        settle_leg *leg = &built->legs.legs[i];
        if (leg->previous_position != 0)
            leg->previous_position = b->events[leg->previous_position - 1].position;
    }
    return record_encode_validated(at, seq_delta, time_delta(b), built->legs.legs, built->legs.count);
}

/* A new event at the end of the array. Where the array moves, so do the texts in it. */
static struct built_event *event_add(struct journal_builder *b)
{
    size_t capacity = b->event_capacity;
    b->events = grow(b->events, b->event_count, &b->event_capacity, sizeof *b->events);
    for (size_t i = 0; capacity != b->event_capacity && i < b->event_count; i++) {
        struct stream_event moved = b->events[i].stream;
        stream_event_copy(&b->events[i].stream, &moved);
    }
    struct built_event *built = &b->events[b->event_count];
    memset(built, 0, sizeof *built);
    return built;
}

bool builder_add_event(struct journal_builder *builder)
{
    struct journal_builder *b = builder;
    if (frame_room(&b->buffer) < EVENT_BYTES_MAX)
        return false;
    struct built_event *built = event_add(b);
    event_random(b, &built->stream);
    model_submit(&b->model, &built->stream.event, &built->result, &built->legs);
    model_event_id(&built->stream.event, built->id);
    assert(built->result.seq == b->next_seq);
    tick(b);
    built->position = frame_position_at_end(&b->buffer);
    built->frame_position = b->buffer.frame.position;
    built->consumed_us = b->time_us;
    uint32_t seq_delta = (uint32_t)(b->next_seq - b->buffer.frame.first_seq);
    frame_append(&b->buffer, record_encode_consumed(frame_at_end(&b->buffer), seq_delta, time_delta(b),
                                                    (uint32_t)b->buffer.used, &built->stream.event));
    tick(b);
    built->decided_us = b->time_us;
    frame_append(&b->buffer, decision_encode(b, built, seq_delta));
    b->buffer.frame.event_count++;
    b->event_count++;
    b->next_seq++;
    return true;
}

void builder_add_asset(struct journal_builder *builder)
{
    struct journal_builder *b = builder;
    const settle_asset *asset = &stream_assets[stream_random(&b->stream, STREAM_ASSET_COUNT)];
    tick(b);
    frame_append(&b->buffer, record_encode_asset(frame_at_end(&b->buffer), time_delta(b), asset));
}

void builder_add_source(struct journal_builder *builder, size_t name_bytes)
{
    static const char text[] = "/var/spool/settlement/incoming/";
    char name[SETTLE_SOURCE_NAME_BYTES_MAX];
    struct journal_builder *b = builder;
    assert(name_bytes >= 1 && name_bytes <= sizeof name);
    for (size_t i = 0; i < name_bytes; i++)
        name[i] = text[i % (sizeof text - 1)];
    struct record_source source = {b->end.position, b->next_seq, {name, name_bytes}};
    frame_append(&b->buffer, record_encode_source(frame_at_end(&b->buffer), &source));
}

void builder_add_persisted(struct journal_builder *builder)
{
    struct journal_builder *b = builder;
    if (b->end.next_seq - 1 <= b->end.persisted_seq)
        return;
    tick(b);
    struct record_persisted persisted = {b->end.persisted_seq + 1, b->end.next_seq - 1, b->time_us};
    frame_append(&b->buffer, record_encode_persisted(frame_at_end(&b->buffer), &persisted));
    b->frames[b->frame_count].persisted = persisted;
}

settle_status builder_commit(struct journal_builder *builder, settle_error *error)
{
    struct journal_builder *b = builder;
    struct built_frame *built = &b->frames[b->frame_count];
    frame_close(b->writer, &b->buffer);
    built->frame = b->buffer.frame;
    settle_status status = journal_writer_commit(b->writer, &b->buffer, error);
    built->frame = b->buffer.frame;
    built->frame.last_time_us = b->time_us;
    built->frame.persisted_first_seq = built->persisted.first_seq;
    built->frame.persisted_last_seq = built->persisted.last_seq;
    built->end = frame_end_point(&built->frame, &b->end);
    built->frame.bytes = NULL;
    if (status != SETTLE_OK)
        return status;
    b->end = built->end;
    b->frame_count++;
    return SETTLE_OK;
}

/* ---- Whole frames ----------------------------------------------------------------------------------------------- */

static void commit(struct journal_builder *b)
{
    settle_error error = {.status = SETTLE_OK};
    must(builder_commit(b, &error), &error, "commit");
}

void builder_events(struct journal_builder *builder, size_t count)
{
    builder_begin(builder);
    builder_add_persisted(builder);
    for (size_t i = 0; i < count && builder_add_event(builder); i++)
        ;
    commit(builder);
}

void builder_note(struct journal_builder *builder, size_t bytes)
{
    assert(bytes % FRAME_ALIGN == 0 && bytes >= 2 * FRAME_ALIGN);
    builder_begin(builder);
    if (bytes > builder->buffer.limit)
        bytes = builder->buffer.limit;
    size_t left = bytes - FRAME_HEADER_BYTES - FRAME_TRAILER_BYTES;
    while (left > 0) {
        size_t record = left;
        if (record > SOURCE_BYTES_MAX)
            record = left - SOURCE_BYTES_MAX < SOURCE_NAME + 8 ? SOURCE_BYTES_MAX - SOURCE_NAME : SOURCE_BYTES_MAX;
        size_t name_bytes = record - SOURCE_NAME;
        builder_add_source(builder,
                           name_bytes < SETTLE_SOURCE_NAME_BYTES_MAX ? name_bytes : SETTLE_SOURCE_NAME_BYTES_MAX);
        left -= record;
    }
    commit(builder);
    assert(builder->frames[builder->frame_count - 1].frame.length_bytes == bytes);
}

void builder_align(struct journal_builder *builder, size_t offset)
{
    assert(offset % FRAME_ALIGN == 0 && offset < FORMAT_SECTOR_BYTES);
    size_t gap = (offset + FORMAT_SECTOR_BYTES - builder->end.position % FORMAT_SECTOR_BYTES) % FORMAT_SECTOR_BYTES;
    if (gap == 0)
        return;
    builder_note(builder, gap >= 2 * FRAME_ALIGN ? gap : gap + FORMAT_SECTOR_BYTES);
    assert(builder->end.position % FORMAT_SECTOR_BYTES == offset);
}

void builder_persisted(struct journal_builder *builder)
{
    assert(builder->end.next_seq - 1 > builder->end.persisted_seq);
    builder_begin(builder);
    builder_add_persisted(builder);
    commit(builder);
}

void builder_random(struct journal_builder *builder)
{
    struct journal_builder *b = builder;
    uint64_t kind = stream_random(&b->stream, 100);
    bool is_persisted_due = b->end.next_seq - 1 > b->end.persisted_seq;
    builder_begin(b);
    if (kind < 8) {
        builder_add_asset(b);
    } else if (kind < 16) {
        builder_add_source(b, 1 + stream_random(&b->stream, 60));
    } else if (kind < 24 && is_persisted_due) {
        builder_add_persisted(b);
    } else {
        if (stream_random(&b->stream, 4) == 0)
            builder_add_asset(b);
        for (uint64_t count = 1 + stream_random(&b->stream, 24); count > 0 && builder_add_event(b); count--)
            ;
        if (stream_random(&b->stream, 2) == 0)
            builder_add_source(b, 1 + stream_random(&b->stream, 200));
        if (stream_random(&b->stream, 4) > 0)
            builder_add_persisted(b);
    }
    commit(b);
}
