/* reader_core.h — inside the reader: what reader.c and reader_event.c share. */
#ifndef JOURNAL_READER_CORE_H
#define JOURNAL_READER_CORE_H

#include "journal/reader.h"
#include "journal/segment_file.h"

struct journal_reader {
    const struct mem *mem;
    int data_fd, journal_fd; /* data_fd is borrowed */
    struct segment_list segments;
    struct segment_file segment; /* of segments.entries[segment_index] */
    size_t segment_index;
    bool is_own;           /* of the writer's process: own_limit tells what is durable, not the lock */
    uint64_t own_limit;    /* UINT64_MAX = none */
    uint64_t own_position; /* frames from here on were sealed by this process; UINT64_MAX = none */
    uint64_t live_limit;   /* another process's watermark; UINT64_MAX = no writer lives */
    uint8_t *window;
    size_t window_capacity, window_count;
    uint64_t window_position; /* of its first byte */
    struct journal_tail tail;
    uint8_t event_bytes[EVENT_BYTES_MAX];
};

static inline uint64_t reader_segment_bytes(const struct journal_reader *r)
{
    return r->segments.entries[0].header.segment_bytes;
}

/* SETTLE_E_CORRUPT with the segment's file and the offset in it. */
settle_status reader_corrupt_at(const struct journal_reader *r, settle_error *error, uint64_t position, uint64_t seq,
                                const char *sentence);
/* Bytes of one segment, straight from it: the limit is not asked. */
settle_status reader_read_at(struct journal_reader *r, uint64_t position, void *ret_bytes, size_t count,
                             settle_error *error);

#endif
