/*
 * frame.h — one frame's bytes: checking and sealing them. Pure, no I/O; reader, writer, recovery and copying share it.
 */
#ifndef JOURNAL_FRAME_H
#define JOURNAL_FRAME_H

#include "journal/reader.h"

/* The header's own integrity: magics, checksum bound to the journal id, position, ranges. NULL or a static sentence. */
const char *frame_header_fault(const uint8_t header[FRAME_HEADER_BYTES], const uint8_t journal_id[16],
                               uint64_t position, struct frame *ret_frame);
/* Whether the frame follows *point: sequence, chain, time. NULL or a sentence. */
const char *frame_order_fault(const struct frame *frame, const struct journal_point *point);
/* The body of a frame whose header is good, all of it at frame->bytes: trailer, padding, every record's checksum and
 * bytes, sequence numbers, counts, chain. *ret_offset and *ret_seq tell where. NULL (and what the header
 * does not tell is set in *frame) or a sentence. */
const char *frame_body_fault(struct frame *frame, size_t *ret_offset, uint64_t *ret_seq);
/* The same of a frame that this process sealed itself: what may have happened to it since is seen by its checksums and its
 * chain; the form of its records is not looked at again. */
const char *frame_own_body_fault(struct frame *frame, size_t *ret_offset, uint64_t *ret_seq);
/* The point behind a checked frame. */
struct journal_point frame_end_point(const struct frame *frame, const struct journal_point *before);

/* Fills in header, record checksums, chain and trailer of a frame whose records stand at bytes + FRAME_HEADER_BYTES up to
 * `used`, padded by the call; frame->length_bytes is set already (frame_length()). Sets frame->chain. */
void frame_seal(struct frame *frame, uint8_t *bytes, size_t used, const uint8_t journal_id[16]);
/* Bytes a frame takes whose header and records take `used`. */
static inline size_t frame_length(size_t used)
{
    return (used + FRAME_TRAILER_BYTES + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

#endif
