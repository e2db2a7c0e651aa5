/*
 * copy.c — frames are copied byte for byte while all their events count. The frame in which the last one lies is sealed
 * again without the rest; PERSISTED records that come later follow in frames of their own.
 */
#include "journal/copy.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"

/* It becomes a journal by its last step, so that a copy that was interrupted is none. */
#define COPY_NAME "journal.partial"

struct copy {
    struct journal_reader *reader;
    int to_journal_fd, to_fd;
    size_t segment_count; /* written so far; the last one is open in to_fd */
    struct journal_point end; /* of the copy */
    uint64_t until_seq;
    uint8_t *buffer;
};

static const struct segment_entry *segment_entry_of(const struct copy *c)
{
    return &journal_reader_segments(c->reader)->entries[c->segment_count - 1];
}

static settle_status segment_finish(struct copy *c, settle_error *error)
{
    settle_status status = c->to_fd < 0 ? SETTLE_OK : file_sync_data(c->to_fd, segment_entry_of(c)->name, error);
    file_close(c->to_fd);
    c->to_fd = -1;
    return status;
}

/* The next segment of the original, header and name alike. */
static settle_status segment_begin(struct copy *c, settle_error *error)
{
    settle_status status = segment_finish(c, error);
    if (status != SETTLE_OK)
        return status;
    c->segment_count++;
    const struct segment_entry *entry = segment_entry_of(c);
    uint8_t header[SEGMENT_HEADER_BYTES];
    segment_header_encode(&entry->header, header);
    status = file_open_at(c->to_journal_fd, entry->name, FILE_CREATE, &c->to_fd, error);
    return status == SETTLE_OK ? file_write(c->to_fd, entry->name, 0, header, sizeof header, error) : status;
}

static settle_status frame_write(struct copy *c, const struct frame *frame, settle_error *error)
{
    uint64_t size = journal_reader_segment_bytes(c->reader);
    while (frame->position / size > segment_entry_of(c)->header.ordinal) {
        settle_status status = segment_begin(c, error);
        if (status != SETTLE_OK)
            return status;
    }
    settle_status status = file_write(c->to_fd, segment_entry_of(c)->name, frame->position % size, frame->bytes,
                                      frame->length_bytes, error);
    if (status == SETTLE_OK)
        c->end = frame_end_point(frame, &c->end);
    return status;
}

/* Seals the records in c->buffer as the copy's next frame and writes it, at frame->position. */
static settle_status frame_make(struct copy *c, struct frame *frame, size_t used, settle_error *error)
{
    frame->length_bytes = frame_length(used);
    frame->previous_chain = c->end.chain;
    frame_seal(frame, c->buffer, used, journal_reader_id(c->reader));
    size_t offset = 0;
    uint64_t seq = 0;
    const char *fault = frame_body_fault(frame, &offset, &seq);
    assert(fault == NULL);
    return frame_write(c, frame, error);
}

/* The frame's beginning up to the event until_seq. */
static settle_status frame_cut(struct copy *c, const struct frame *frame, settle_error *error)
{
    struct frame cut = {.position = frame->position, .first_seq = frame->first_seq, .time_us = frame->time_us};
    struct record record;
    size_t offset = 0, used = FRAME_HEADER_BYTES;
    cut.event_count = (uint32_t)(c->until_seq - frame->first_seq + 1);
    bool is_last = false;
    while (!is_last) {
        bool has_record = frame_next_record(frame, &offset, &record);
        assert(has_record); /* the event's decision is in this frame */
        used = offset;
        cut.record_count++;
        is_last = record.kind >= RECORD_VALIDATED && record.kind <= RECORD_CONFLICT && record.seq == c->until_seq;
    }
    memcpy(c->buffer, frame->bytes, used);
    return frame_make(c, &cut, used, error);
}

/* What the frame says of the copy's events being PERSISTED, in a frame of its own. */
static settle_status persisted_keep(struct copy *c, const struct frame *frame, settle_error *error)
{
    uint64_t last = frame->persisted_last_seq < c->until_seq ? frame->persisted_last_seq : c->until_seq;
    if (frame->persisted_last_seq == 0 || last <= c->end.persisted_seq)
        return SETTLE_OK;
    struct record record;
    size_t offset = 0;
    do {
        bool has_record = frame_next_record(frame, &offset, &record);
        assert(has_record); /* persisted_last_seq is one's */
    } while (record.kind != RECORD_PERSISTED);
    struct record_persisted persisted = {c->end.persisted_seq + 1, last, record.u.persisted.time_us};
    struct frame own = {.position = c->end.position, .first_seq = c->end.next_seq, .time_us = persisted.time_us};
    own.record_count = 1;
    size_t used = FRAME_HEADER_BYTES + record_encode_persisted(c->buffer + FRAME_HEADER_BYTES, &persisted);
    uint64_t size = journal_reader_segment_bytes(c->reader);
    if (c->end.position % size + frame_length(used) > size - FRAME_ALIGN)
        return SETTLE_OK; /* no room behind the copy's last event: its next writer records it, with a later time */
    return frame_make(c, &own, used, error);
}

static settle_status copy_frames(struct copy *c, settle_error *error)
{
    struct journal_point at;
    struct frame frame;
    journal_reader_begin(c->reader, &at);
    c->end = at;
    settle_status status = segment_begin(c, error);
    while (status == SETTLE_OK && (at.next_seq <= c->until_seq || c->end.persisted_seq < c->until_seq)) {
        status = journal_reader_next(c->reader, &at, &frame, error);
        if (status != SETTLE_OK)
            break;
        if (c->end.next_seq <= c->until_seq && at.next_seq <= c->until_seq + 1)
            status = frame_write(c, &frame, error);
        else if (c->end.next_seq <= c->until_seq)
            status = frame_cut(c, &frame, error);
        if (status == SETTLE_OK)
            status = persisted_keep(c, &frame, error);
    }
    if (status == SETTLE_OK || status == SETTLE_E_END)
        status = segment_finish(c, error);
    return status == SETTLE_OK ? dir_sync(c->to_journal_fd, "journal", error) : status;
}

settle_status journal_copy(int from_fd, int to_fd, uint64_t until_seq, settle_error *error)
{
    struct copy c = {.to_journal_fd = -1, .to_fd = -1};
    c.until_seq = until_seq < UINT64_MAX ? until_seq : UINT64_MAX - 1;
    settle_status status = journal_reader_open(from_fd, &mem_libc, &c.reader, error);
    if (status == SETTLE_OK) {
        c.buffer = mem_alloc(&mem_libc, FRAME_BYTES_MAX, 1);
        if (c.buffer == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a frame");
    }
    if (status == SETTLE_OK)
        status = dir_open_at(to_fd, COPY_NAME, true, &c.to_journal_fd, error);
    if (status == SETTLE_OK)
        status = copy_frames(&c, error);
    if (status == SETTLE_OK)
        status = file_rename_at(to_fd, COPY_NAME, "journal", error);
    if (status == SETTLE_OK)
        status = dir_sync(to_fd, "the data directory", error);
    file_close(c.to_fd);
    file_close(c.to_journal_fd);
    mem_free(&mem_libc, c.buffer);
    journal_reader_close(c.reader);
    return status;
}
