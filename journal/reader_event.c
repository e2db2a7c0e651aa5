/* reader_event.c — a single event by its position, and when it was recorded as PERSISTED. */
#include "journal/reader_core.h"

#include "journal/base/bytes.h"
#include "journal/frame.h"

/* CONSUMED and the record that decides it, from `bytes` that stand at `position`. NULL or a sentence. */
static const char *event_decode(const uint8_t *bytes, size_t count, struct record_base base, uint64_t position,
                                struct event_records *ret_event)
{
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        struct record *record = i == 0 ? &ret_event->consumed : &ret_event->decided;
        const char *fault = record_decode(bytes + at, count - at, base, record);
        if (fault != NULL)
            return fault;
        if (get_u32(bytes + at + RECORD_CRC) != record_crc(bytes + at, position + at))
            return "a record's checksum does not fit";
        record->position = position + at;
        at += record->length_bytes;
    }
    const struct record *decided = &ret_event->decided;
    bool decides = decided->kind >= RECORD_VALIDATED && decided->kind <= RECORD_CONFLICT;
    return decides && decided->seq == ret_event->consumed.seq ? NULL : "an event has no decision";
}

settle_status journal_reader_event(struct journal_reader *reader, uint64_t position, struct event_records *ret_event,
                                   settle_error *error)
{
    uint64_t rest = reader_segment_bytes(reader) - position % reader_segment_bytes(reader);
    size_t count = rest < EVENT_BYTES_MAX ? (size_t)rest : EVENT_BYTES_MAX;
    if (count < FRAME_ALIGN)
        return reader_corrupt_at(reader, error, position, 0, "no event at this position");
    uint8_t *bytes = reader->event_bytes, header[FRAME_HEADER_BYTES];
    settle_status status = reader_read_at(reader, position, bytes, count, error);
    if (status != SETTLE_OK)
        return status;
    struct frame frame;
    struct event_records event;
    uint32_t back = get_u32(bytes + CONSUMED_FRAME_BACK);
    if (bytes[RECORD_KIND] != RECORD_CONSUMED || back > position % reader_segment_bytes(reader))
        return reader_corrupt_at(reader, error, position, 0, "no event at this position");
    status = reader_read_at(reader, position - back, header, sizeof header, error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = frame_header_fault(header, journal_reader_id(reader), position - back, &frame);
    if (fault != NULL)
        return reader_corrupt_at(reader, error, position - back, 0, fault);
    fault = event_decode(bytes, count, (struct record_base){frame.first_seq, frame.time_us}, position, &event);
    if (fault != NULL)
        return reader_corrupt_at(reader, error, position, frame.first_seq, fault);
    struct event_key key;
    event_key_of(&event.consumed.u.consumed, &key);
    event_key_format(&key, event.id);
    event.frame_position = position - back;
    *ret_event = event;
    return SETTLE_OK;
}

static settle_status persisted_find(struct journal_reader *reader, uint64_t frame_position, uint64_t seq,
                                    uint64_t *ret_time_us, settle_error *error)
{
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame frame;
    settle_status status = reader_read_at(reader, frame_position, header, sizeof header, error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = frame_header_fault(header, journal_reader_id(reader), frame_position, &frame);
    if (fault != NULL)
        return reader_corrupt_at(reader, error, frame_position, seq, fault);
    /* The frames from here on chain from this one's own previous value: they were checked against it when it was written. */
    struct journal_point point = {
        .position = frame_position,
        .next_seq = frame.first_seq,
        .persisted_seq = POINT_PERSISTED_UNKNOWN,
        .chain = frame.previous_chain,
    };
    while ((status = journal_reader_next(reader, &point, &frame, error)) == SETTLE_OK) {
        size_t offset = 0;
        struct record record;
        while (frame_next_record(&frame, &offset, &record)) {
            if (record.kind != RECORD_PERSISTED || record.u.persisted.first_seq > seq ||
                record.u.persisted.last_seq < seq)
                continue;
            *ret_time_us = record.u.persisted.time_us;
            return SETTLE_OK;
        }
    }
    if (status != SETTLE_E_END)
        return status;
    *ret_time_us = 0;
    return SETTLE_OK;
}

settle_status journal_reader_persisted(struct journal_reader *reader, uint64_t frame_position, uint64_t seq,
                                       uint64_t *ret_time_us, settle_error *error)
{
    /* One record of one or two frames is asked for: their checksums tell that they are what was written. */
    uint64_t own_position = reader->own_position;
    reader->own_position = 0;
    settle_status status = persisted_find(reader, frame_position, seq, ret_time_us, error);
    reader->own_position = own_position;
    return status;
}
