/*
 * journal_builder.h — journals of random valid events without the engine: the real encoders and the real writer, with
 * the model (model.h) in the engine's place. The same seed gives the same journal byte for byte, whatever the clock
 * says.
 *
 *     builder_init(&builder, 16384, seed);                  // a directory of its own with an empty journal
 *     builder_events(&builder, 20);                         // one frame
 *     builder_random(&builder);                             // another, of any kind
 *     builder_close(&builder);                              // the writer is gone; path and data_fd stay
 *     builder_deinit(&builder);                             // and so is the directory
 *
 * What was written is in builder.frames and builder.events. What goes wrong and is not asked for ends the process.
 */
#ifndef TESTS_LIB_JOURNAL_BUILDER_H
#define TESTS_LIB_JOURNAL_BUILDER_H

#include "journal/writer.h"
#include "tests/lib/stream.h"
#include "tests/lib/tempdir.h"

/* The time at which a builder's journal begins, and its id. */
#define BUILDER_TIME_US UINT64_C(1733856600000000)
extern const uint8_t builder_journal_id[16];

struct built_event {
    struct stream_event stream;
    settle_result result;
    struct model_legs legs; /* previous_position is a position here */
    uint64_t position, frame_position, consumed_us, decided_us;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
};

struct built_frame {
    struct frame frame;                /* bytes: NULL */
    struct record_persisted persisted; /* zeros: none */
    struct journal_point end;          /* behind it */
};

struct journal_builder {
    char path[TEMPDIR_BYTES]; /* the data directory */
    int data_fd;
    uint64_t segment_bytes, time_us, next_seq;
    struct journal_point end; /* behind the last committed frame */
    struct stream stream;
    struct model model;
    struct journal_writer *writer; /* NULL: closed */
    struct frame_buffer buffer;
    /* [frame_count] is the frame that is open, or whose commit failed; its events are among `events`. */
    struct built_frame *frames;
    size_t frame_count, frame_capacity;
    struct built_event *events;
    size_t event_count, event_capacity;
};

/*
 * Temporary directories go to memory (/dev/shm) where there is such a place and $TMPDIR names no other: a sync costs
 * nothing.
 */
void builder_use_memory(void);

void builder_init(struct journal_builder *builder, uint64_t segment_bytes, uint64_t seed);
void builder_deinit(struct journal_builder *builder);

/* Opens the writer at builder->end; init has done so. */
void builder_open(struct journal_builder *builder);
void builder_close(struct journal_builder *builder); /* fine when closed */

/* ---- Whole frames ----------------------------------------------------------------------------------------------- */

/* So many events, as many as fit; before them, what is durable is recorded as PERSISTED. */
void builder_events(struct journal_builder *builder, size_t count);
/*
 * A frame of `bytes`, or what the segment has left, that holds nothing but SOURCE records; a multiple of 64, at least
 * 128.
 */
void builder_note(struct journal_builder *builder, size_t bytes);
/*
 * As many notes as it takes for the next frame to begin at `offset` of a sector, a multiple of 64. Stays in the
 * segment.
 */
void builder_align(struct journal_builder *builder, size_t offset);
/* PERSISTED for all events so far, alone. */
void builder_persisted(struct journal_builder *builder);
/* Any of these, and ASSET-only ones. */
void builder_random(struct journal_builder *builder);

/* ---- Piece by piece --------------------------------------------------------------------------------------------- */

void builder_begin(struct journal_builder *builder);
bool builder_add_event(struct journal_builder *builder); /* false: no room */
void builder_add_asset(struct journal_builder *builder);
void builder_add_source(struct journal_builder *builder, size_t name_bytes);
void builder_add_persisted(struct journal_builder *builder); /* nothing where nothing is to be recorded */
/* Closes and commits. Where that fails the writer is done for: close it. */
settle_status builder_commit(struct journal_builder *builder, settle_error *error);

#endif
