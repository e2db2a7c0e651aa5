/*
 * reader.h — reading a journal: frames in order with every check, and single events by position. Any number of readers,
 * in any process, beside one writer; a reader creates and repairs nothing.
 *
 * What a reader may see: while a writer appends, frames below its durable watermark (`journal/watermark`); otherwise every
 * valid frame, synced first. Whatever it hands out is durable, with one exception that no reader can notice: where the
 * writer stopped because a sync failed, the frame it did not acknowledge may be in the system's cache alone until the next
 * writer recovers.
 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "journal/base/mem.h"
#include "journal/record.h"
#include "journal/segment.h"

/* A place between two frames, and what must hold there. The chain makes it impossible to go on in another history. */
struct journal_point {
    uint64_t position; /* of the next frame */
    uint64_t next_seq;
    uint64_t persisted_seq;  /* all events up to here are recorded as PERSISTED before this point */
    uint64_t time_us;        /* greatest time so far */
    uint64_t frame_position; /* of the frame that ends here; 0 = none, this is a beginning */
    uint32_t chain;
};
#define POINT_PERSISTED_UNKNOWN UINT64_MAX

struct frame {
    uint64_t position, first_seq, time_us, length_bytes;
    uint32_t event_count, record_count;
    uint32_t previous_chain, chain;
    uint64_t last_time_us; /* of the last record; like the next two known once the body is checked */
    uint64_t persisted_first_seq, persisted_last_seq; /* what its PERSISTED record says; 0 = it has none */
    const uint8_t *bytes;  /* borrowed: valid until the next call on the reader */
};

struct journal_reader;

/* `data_fd` is the data directory's descriptor, borrowed for the reader's life. */
settle_status journal_reader_open(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                                  settle_error *error);
/* By the process that holds the writer's lock: the watermark, which a dead writer may have left in any state, is not asked, and
 * nothing is synced: the writer does that when it opens. Without a limit until journal_reader_limit(). */
settle_status journal_reader_open_own(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                                      settle_error *error);
void journal_reader_close(struct journal_reader *reader); /* NULL is fine */

const uint8_t *journal_reader_id(const struct journal_reader *reader); /* 16 bytes */
uint64_t journal_reader_segment_bytes(const struct journal_reader *reader);
const struct segment_list *journal_reader_segments(const struct journal_reader *reader);
/* Which segment file holds a position, and the offset in it: for messages. "" when none. */
const char *journal_reader_place(const struct journal_reader *reader, uint64_t position, uint64_t *ret_offset_bytes);

/* The same with the folder, for settle_error.file: "journal/NAME.seg", "archive/NAME.seg.zst" (the offset is then the one in
 * the segment), "journal" when none. Returns ret_file. */
const char *journal_reader_file(const struct journal_reader *reader, uint64_t position, char ret_file[SEGMENT_PLACE_BYTES],
                                uint64_t *ret_offset_bytes);

/* Limits what journal_reader_next() hands out; set by the writer's own process, which knows what is durable.
 * UINT64_MAX: no limit. Sees segments that have come since. */
settle_status journal_reader_limit(struct journal_reader *reader, uint64_t position, settle_error *error);
/* By the writer's process: frames from `position` on were sealed by its own writer, and only their checksums,
 * chain and trailer are checked. What a frame's records are was checked when they were encoded. */
void journal_reader_trust(struct journal_reader *reader, uint64_t position);
/* Looks again: new segments, the writer's watermark. Call before reading on after SETTLE_E_END. */
settle_status journal_reader_refresh(struct journal_reader *reader, settle_error *error);

/* The beginning of the journal, and of the segment that holds a position (SETTLE_E_CORRUPT when it is missing). */
void journal_reader_begin(const struct journal_reader *reader, struct journal_point *ret_point);
settle_status journal_reader_begin_segment(const struct journal_reader *reader, uint64_t position,
                                           struct journal_point *ret_point, settle_error *error);
/*
 * The frame at *point, fully checked (header, chain, sequence, every record's CRC and bytes), and the point after it.
 * SETTLE_E_END: no further durable frame. SETTLE_E_CORRUPT: with the segment, the offset and the seq.
 */
settle_status journal_reader_next(struct journal_reader *reader, struct journal_point *point, struct frame *ret_frame,
                                  settle_error *error);

/* Whether the journal holds the frame that ends at *point, as it was then: SETTLE_E_CORRUPT when it does not (the journal
 * was cut behind somebody's back, or is another one). The limit does not count: a point that was stored was durable. */
settle_status journal_reader_confirm(struct journal_reader *reader, const struct journal_point *point,
                                     settle_error *error);

/* How a journal ends; filled by journal_reader_next() when it answers SETTLE_E_END. */
struct journal_tail {
    uint64_t torn_position; /* first byte of a torn frame; 0 = clean */
    uint64_t torn_bytes;    /* up to the last byte that is not zero */
    bool writer_is_live;
};
const struct journal_tail *journal_reader_tail(const struct journal_reader *reader);

/* Iterates the records of a frame: offset starts at 0; false at the end. The frame has been checked. */
bool frame_next_record(const struct frame *frame, size_t *offset, struct record *ret_record);

/*
 * One event by its position (of its CONSUMED record): that record and the one that decided it. Checks both CRCs and the
 * frame's header. The texts borrow from the reader and are valid until its next call.
 */
struct event_records {
    struct record consumed, decided;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    uint64_t frame_position; /* of the frame that holds it */
};
settle_status journal_reader_event(struct journal_reader *reader, uint64_t position, struct event_records *ret_event,
                                   settle_error *error);
/*
 * When `seq` was recorded as PERSISTED, looking from the frame at `frame_position` on; 0 = not yet.
 */
settle_status journal_reader_persisted(struct journal_reader *reader, uint64_t frame_position, uint64_t seq,
                                       uint64_t *ret_time_us, settle_error *error);

#endif
