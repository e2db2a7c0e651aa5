/*
 * writer.h — appending frames. One writer a journal; the engine's lock covers planning, its commit thread commits.
 *
 * A frame goes through: begin (its position is known from then on, so events know theirs), records appended, close (its
 * length is known, and so the next frame's position), commit (sealed, written, synced). Frames are committed in the order
 * in which they were begun.
 */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "journal/frame.h"

struct frame_buffer {
    uint8_t *bytes;
    size_t capacity; /* of bytes */
    size_t limit;    /* bytes this frame may take, trailer included */
    size_t used;     /* header and records so far */
    struct frame frame;
    bool is_open;
};

struct journal_writer;

/* Makes `journal/` with an empty first segment in a data directory. SETTLE_E_EXISTS when it holds one. */
settle_status journal_create(int data_fd, const struct mem *mem, uint64_t segment_bytes, uint64_t now_us,
                             settle_error *error);
/* The same with a given journal id. */
settle_status journal_create_with_id(int data_fd, const struct mem *mem, uint64_t segment_bytes,
                                     const uint8_t journal_id[16], uint64_t now_us, settle_error *error);
/* Whether the data directory has a journal: one that is damaged, or of a version to come, is one all the same. An error is one
 * that leaves it open. */
settle_status journal_exists(int data_fd, const struct mem *mem, bool *ret_exists, settle_error *error);
/* The names of its segments onto stable storage: a writer that was killed may have left the last one in the cache alone. */
settle_status journal_sync_names(int data_fd, settle_error *error);

/* Goes on at `end`, the point behind the last valid frame; syncs what stands there first. */
settle_status journal_writer_open(int data_fd, const struct mem *mem, const struct journal_point *end,
                                  struct journal_writer **ret_writer, settle_error *error);
void journal_writer_close(struct journal_writer *writer); /* NULL is fine; commits nothing */
const uint8_t *journal_writer_id(const struct journal_writer *writer);

settle_status frame_buffer_init(struct journal_writer *writer, struct frame_buffer *buffer, settle_error *error);
void frame_buffer_deinit(struct journal_writer *writer, struct frame_buffer *buffer);

/* Begins a frame behind the last closed one, in the next segment where this one is full. */
void frame_begin(struct journal_writer *writer, struct frame_buffer *buffer, uint64_t next_seq, uint64_t time_us);
/* Bytes that further records may take, beside what every frame keeps for one SOURCE and one PERSISTED record. */
size_t frame_room(const struct frame_buffer *buffer);
/* Where the next record goes. */
static inline uint8_t *frame_at_end(struct frame_buffer *buffer)
{
    return buffer->bytes + buffer->used;
}
static inline uint64_t frame_position_at_end(const struct frame_buffer *buffer)
{
    return buffer->frame.position + buffer->used;
}
/* The record just encoded there is part of the frame. */
void frame_append(struct frame_buffer *buffer, size_t record_bytes);
/* No more records. */
void frame_close(struct journal_writer *writer, struct frame_buffer *buffer);
/*
 * Writes and syncs a closed frame. After SETTLE_OK it survives a power cut. After an error the writer must not be used
 * again: what is on disk is unknown until recovery. Takes no lock of the engine.
 */
settle_status journal_writer_commit(struct journal_writer *writer, struct frame_buffer *buffer, settle_error *error);

#endif
