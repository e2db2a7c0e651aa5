/*
 * recover.h — what to make of the bytes behind the last valid frame, and how to clear them away.
 */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include "journal/frame.h"

/*
 * What stands at the end of the last segment, where no valid frame is: docs/journal-format.md, "Recovery", has the table.
 * `bytes` begin at the place `point` names and reach to the last byte of the segment that is not zero. *ret_reason says what is
 * damaged; it is left alone where the header is good and follows: what is wrong with the body is the caller's to say.
 */
enum tail_shape {
    TAIL_TORN,    /* what a crash while writing one frame leaves: some of its sectors, or its beginning */
    TAIL_DAMAGED, /* anything else: refuse */
};
enum tail_shape frame_tail_shape(const uint8_t *bytes, size_t count, const uint8_t journal_id[16],
                                 const struct journal_point *point, uint64_t offset_in_segment, const char **ret_reason);

/*
 * Cuts the torn frame that a reader found behind the last valid one: copies it to `<segment>.torn-<offset>`, then clears it
 * in an order that leaves a torn frame at every moment. Idempotent. The name of the copy goes to ret_copy.
 */
settle_status journal_cut_tail(int data_fd, const char *segment, uint64_t offset_bytes, uint64_t torn_bytes,
                               char ret_copy[SEGMENT_NAME_BYTES + 32], settle_error *error);

/*
 * Writes the frame that ends at `end` and the zeros behind it again, with the bytes they have. For a journal whose writer did
 * not close it: after a sync that failed, the system may call pages clean that are on no disk, and a later sync then
 * reports success without writing them. Sync follows when the writer opens.
 */
settle_status journal_rewrite_tail(int data_fd, const char *segment, uint64_t segment_bytes, const struct journal_point *end,
                                   settle_error *error);

#endif
