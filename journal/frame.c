/*
 * frame.c — checking and sealing frames. docs/journal-format.md is the normative text.
 *
 * The chain runs through every frame: CRC32C seeded with the chain value before it, over the header's first 48 bytes and
 * the checksum field of every record. A record's checksum covers its position and its bytes, the header's the journal id;
 * so every byte of a frame is covered once, a flipped bit is located to its record, and nothing can be moved.
 */
#include "journal/frame.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"

static uint32_t header_crc(const uint8_t *header, const uint8_t journal_id[16])
{
    return crc32c(crc32c(0, journal_id, 16), header, FRAME_HEADER_CRC);
}

const char *frame_header_fault(const uint8_t header[FRAME_HEADER_BYTES], const uint8_t journal_id[16],
                               uint64_t position, struct frame *ret_frame)
{
    if (get_u32(header + FRAME_MAGIC_AT) != FRAME_MAGIC || get_u32(header + FRAME_HEADER_END) != FRAME_END_MAGIC)
        return "no frame header here";
    if (get_u32(header + FRAME_HEADER_CRC) != header_crc(header, journal_id))
        return "the frame header's checksum does not fit";
    struct frame frame = {
        .position = get_u64(header + FRAME_POSITION),
        .first_seq = get_u64(header + FRAME_FIRST_SEQ),
        .time_us = get_u64(header + FRAME_TIME_US),
        .length_bytes = get_u32(header + FRAME_LENGTH),
        .event_count = get_u32(header + FRAME_EVENT_COUNT),
        .record_count = get_u32(header + FRAME_RECORD_COUNT),
        .previous_chain = get_u32(header + FRAME_PREVIOUS_CHAIN),
        .chain = get_u32(header + FRAME_CHAIN),
    };
    if (frame.position != position)
        return "the frame was written for another place";
    if (frame.length_bytes % FRAME_ALIGN != 0 || frame.length_bytes <= FRAME_HEADER_BYTES ||
        frame.length_bytes > FRAME_BYTES_MAX || frame.record_count == 0 || get_u64(header + FRAME_ZERO) != 0 ||
        frame.first_seq == 0 || frame.event_count > frame.record_count)
        return "a field of the frame header is out of range";
    *ret_frame = frame;
    return NULL;
}

const char *frame_order_fault(const struct frame *frame, const struct journal_point *point)
{
    if (frame->first_seq != point->next_seq)
        return frame->first_seq > point->next_seq ? "events are missing before this frame"
                                                  : "the frame repeats sequence numbers";
    if (frame->previous_chain != point->chain)
        return "the chain is broken: the frame follows another history";
    if (frame->time_us < point->time_us)
        return "the frame's time is before the time already recorded";
    if (frame->persisted_first_seq > 0 && point->persisted_seq != POINT_PERSISTED_UNKNOWN &&
        frame->persisted_first_seq != point->persisted_seq + 1)
        return "the PERSISTED records leave out events or repeat them";
    return NULL;
}

/* What the records of a frame must be besides well-formed: every event in order, with CONSUMED before its decision. */
struct body_order {
    uint64_t next_seq;
    bool consumed_open; /* a CONSUMED waits for its decision */
    uint64_t time_us;
    struct record_persisted persisted; /* zeros: none yet */
};

static const char *order_next(struct body_order *order, const struct record *record, uint64_t position, uint64_t base,
                              uint64_t first_seq)
{
    bool decides = record->kind >= RECORD_VALIDATED && record->kind <= RECORD_CONFLICT;
    if (order->consumed_open != decides)
        return order->consumed_open ? "an event has no decision" : "a decision has no event";
    if (record->kind == RECORD_CONSUMED) {
        if (record->seq != order->next_seq)
            return "the sequence number does not follow";
        if (position - record->frame_back_bytes != base)
            return "the record points to another frame";
        order->consumed_open = true;
    } else if (decides) {
        if (record->seq != order->next_seq)
            return "the decision belongs to another event";
        order->next_seq++;
        order->consumed_open = false;
    }
    if (record->kind == RECORD_SOURCE || record->kind >= RECORD_SKIPPABLE)
        return NULL;
    uint64_t time_us = record->time_us;
    if (record->kind == RECORD_PERSISTED) {
        time_us = record->u.persisted.time_us;
        if (order->persisted.last_seq > 0 || record->u.persisted.last_seq >= first_seq)
            return "a PERSISTED record is one too many, or ahead of its events";
        order->persisted = record->u.persisted;
    }
    if (time_us < order->time_us)
        return "time goes back between two records";
    order->time_us = time_us;
    return NULL;
}

const char *frame_body_fault(struct frame *frame, size_t *ret_offset, uint64_t *ret_seq)
{
    const uint8_t *bytes = frame->bytes;
    size_t end = frame->length_bytes - FRAME_TRAILER_BYTES, at = FRAME_HEADER_BYTES;
    struct record_base base = {frame->first_seq, frame->time_us};
    struct body_order order = {.next_seq = frame->first_seq, .time_us = frame->time_us};
    uint32_t chain = crc32c(frame->previous_chain, bytes, FRAME_PREVIOUS_CHAIN);
    const char *fault = NULL;
    for (uint32_t i = 0; i < frame->record_count; i++) {
        struct record record;
        *ret_offset = at;
        *ret_seq = order.next_seq;
        uint16_t length = end - at >= RECORD_HEADER_BYTES ? get_u16(bytes + at + RECORD_LENGTH) : 0;
        if (length < RECORD_HEADER_BYTES || length % 8 != 0 || length > end - at)
            return "a record's length is out of range";
        if (get_u32(bytes + at + RECORD_CRC) != record_crc(bytes + at, frame->position + at))
            return "a record's checksum does not fit";
        fault = record_decode(bytes + at, end - at, base, &record);
        if (fault == NULL)
            fault = order_next(&order, &record, frame->position + at, frame->position, frame->first_seq);
        if (fault != NULL)
            return fault;
        chain = crc32c(chain, bytes + at + RECORD_CRC, 4);
        at += record.length_bytes;
    }
    *ret_offset = at;
    *ret_seq = order.next_seq;
    if (order.consumed_open || order.next_seq != frame->first_seq + frame->event_count)
        return "the number of events is not the header's";
    if (end - at >= FRAME_ALIGN || !bytes_are_zero(bytes + at, end - at))
        return "bytes behind the last record are not zero";
    *ret_offset = end;
    if (get_u32(bytes + end) != frame->length_bytes || get_u32(bytes + end + 4) != FRAME_END_MAGIC)
        return "the frame's trailer is damaged";
    /* What makes a torn frame known (recover.c) must hold of every frame, whatever kinds of record there will be. */
    for (at = FRAME_ALIGN; at < frame->length_bytes; at += FRAME_ALIGN) {
        *ret_offset = at;
        if (bytes_are_zero(bytes + at, FRAME_ALIGN))
            return "64 bytes of the frame are zeros";
    }
    *ret_offset = FRAME_CHAIN;
    if (chain != frame->chain)
        return "the frame's chain value does not fit its records";
    frame->last_time_us = order.time_us;
    frame->persisted_first_seq = order.persisted.first_seq;
    frame->persisted_last_seq = order.persisted.last_seq;
    return NULL;
}

const char *frame_own_body_fault(struct frame *frame, size_t *ret_offset, uint64_t *ret_seq)
{
    const uint8_t *bytes = frame->bytes;
    const size_t end = frame->length_bytes - FRAME_TRAILER_BYTES;
    size_t at = FRAME_HEADER_BYTES;
    uint32_t chain = crc32c(frame->previous_chain, bytes, FRAME_PREVIOUS_CHAIN);
    uint64_t last_time_us = frame->time_us;
    struct record_persisted persisted = {0, 0, 0};
    *ret_seq = frame->first_seq;
    for (uint32_t i = 0; i < frame->record_count; i++) {
        *ret_offset = at;
        const uint16_t length = end - at >= RECORD_HEADER_BYTES ? get_u16(bytes + at + RECORD_LENGTH) : 0;
        if (length < RECORD_HEADER_BYTES || length > end - at)
            return "a record's length is out of range";
        if (get_u32(bytes + at + RECORD_CRC) != record_crc(bytes + at, frame->position + at))
            return "a record's checksum does not fit";
        const uint8_t kind = bytes[at + RECORD_KIND];
        if (kind == RECORD_PERSISTED) {
            struct record record;
            const char *fault = record_decode(bytes + at, length, (struct record_base){0, 0}, &record);
            if (fault != NULL)
                return fault;
            persisted = record.u.persisted;
            last_time_us = persisted.time_us;
        } else if (kind != RECORD_SOURCE && kind < RECORD_SKIPPABLE) {
            last_time_us = frame->time_us + get_u32(bytes + at + RECORD_TIME_DELTA);
        }
        chain = crc32c(chain, bytes + at + RECORD_CRC, 4);
        at += length;
    }
    *ret_offset = end; /* the last bytes to arrive: without them the frame is torn, however whole its records are */
    if (get_u32(bytes + end) != frame->length_bytes || get_u32(bytes + end + 4) != FRAME_END_MAGIC)
        return "the frame's trailer is damaged";
    *ret_offset = FRAME_CHAIN;
    if (chain != frame->chain)
        return "the frame's chain value does not fit its records";
    frame->last_time_us = last_time_us;
    frame->persisted_first_seq = persisted.first_seq;
    frame->persisted_last_seq = persisted.last_seq;
    return NULL;
}

struct journal_point frame_end_point(const struct frame *frame, const struct journal_point *before)
{
    return (struct journal_point){
        .position = frame->position + frame->length_bytes,
        .next_seq = frame->first_seq + frame->event_count,
        .persisted_seq = frame->persisted_last_seq > 0 ? frame->persisted_last_seq : before->persisted_seq,
        .frame_position = frame->position,
        .time_us = frame->last_time_us,
        .chain = frame->chain,
    };
}

bool frame_next_record(const struct frame *frame, size_t *offset, struct record *ret_record)
{
    size_t at = *offset == 0 ? FRAME_HEADER_BYTES : *offset, end = frame->length_bytes - FRAME_TRAILER_BYTES;
    if (end - at < RECORD_HEADER_BYTES || get_u16(frame->bytes + at) == 0)
        return false;
    record_read(frame->bytes + at, (struct record_base){frame->first_seq, frame->time_us}, ret_record);
    ret_record->position = frame->position + at;
    *offset = at + ret_record->length_bytes;
    return true;
}

void frame_seal(struct frame *frame, uint8_t *bytes, size_t used, const uint8_t journal_id[16])
{
    assert(frame->length_bytes == frame_length(used) && frame->length_bytes <= FRAME_BYTES_MAX);
    assert(frame->record_count > 0 && frame->first_seq > 0);
    size_t end = frame->length_bytes - FRAME_TRAILER_BYTES;
    memset(bytes + used, 0, end - used);
    put_u32(bytes + end, (uint32_t)frame->length_bytes);
    put_u32(bytes + end + 4, FRAME_END_MAGIC);

    put_u32(bytes + FRAME_MAGIC_AT, FRAME_MAGIC);
    put_u32(bytes + FRAME_LENGTH, (uint32_t)frame->length_bytes);
    put_u64(bytes + FRAME_FIRST_SEQ, frame->first_seq);
    put_u32(bytes + FRAME_EVENT_COUNT, frame->event_count);
    put_u32(bytes + FRAME_RECORD_COUNT, frame->record_count);
    put_u64(bytes + FRAME_TIME_US, frame->time_us);
    put_u64(bytes + FRAME_POSITION, frame->position);
    put_u64(bytes + FRAME_ZERO, 0);
    put_u32(bytes + FRAME_PREVIOUS_CHAIN, frame->previous_chain);
    uint32_t chain = crc32c(frame->previous_chain, bytes, FRAME_PREVIOUS_CHAIN), records = 0;
    for (size_t at = FRAME_HEADER_BYTES; at < used; at += get_u16(bytes + at + RECORD_LENGTH), records++) {
        record_seal(bytes + at, frame->position + at);
        chain = crc32c(chain, bytes + at + RECORD_CRC, 4);
    }
    assert(records == frame->record_count);
    for (size_t at = FRAME_ALIGN; at < frame->length_bytes; at += FRAME_ALIGN)
        assert(!bytes_are_zero(bytes + at, FRAME_ALIGN));
    frame->chain = chain;
    frame->bytes = bytes;
    put_u32(bytes + FRAME_CHAIN, chain);
    put_u32(bytes + FRAME_HEADER_CRC, header_crc(bytes, journal_id));
    put_u32(bytes + FRAME_HEADER_END, FRAME_END_MAGIC);
}
