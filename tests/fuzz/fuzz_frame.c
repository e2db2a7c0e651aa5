/*
 * fuzz_frame.c — any bytes as a frame. The first byte says how much of it is made right first, so that the fuzzer comes to
 * what lies behind the checksums: nothing, the header, or every record's checksum and the chain too.
 *
 * A frame that is taken must come out the same, byte for byte, when its records are encoded and sealed again; its point
 * must follow; frame_own_body_fault() must take it as well, and frame_next_record() must tell exactly its records. The bytes
 * are also judged as a torn tail, which must answer something.
 */
#include "tests/fuzz/fuzz.h"

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/recover.h"
#include "tests/fuzz/record_again.h"

#define BYTES_MAX 16384u

static const uint8_t journal_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

enum { AS_IT_IS, HEADER, ALL, WAYS };

/* Where the records end that hang together; sets their checksums. */
static uint32_t fix_records(uint8_t *bytes, size_t end, uint64_t position, uint32_t chain)
{
    uint32_t count = get_u32(bytes + FRAME_RECORD_COUNT);
    size_t at = FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < count && end - at >= RECORD_HEADER_BYTES; i++) {
        size_t length = get_u16(bytes + at + RECORD_LENGTH);
        if (length < RECORD_HEADER_BYTES || length % 8 != 0 || length > end - at)
            break;
        record_seal(bytes + at, position + at);
        chain = crc32c(chain, bytes + at + RECORD_CRC, 4);
        at += length;
    }
    return chain;
}

static void fix(uint8_t *bytes, size_t count, uint64_t position, unsigned way)
{
    if (way == AS_IT_IS)
        return;
    put_u32(bytes + FRAME_MAGIC_AT, FRAME_MAGIC);
    put_u32(bytes + FRAME_HEADER_END, FRAME_END_MAGIC);
    put_u64(bytes + FRAME_POSITION, position);
    if (way == ALL) {
        put_u32(bytes + FRAME_LENGTH, (uint32_t)count);
        put_u64(bytes + FRAME_ZERO, 0);
        put_u32(bytes + count - 8, (uint32_t)count);
        put_u32(bytes + count - 4, FRAME_END_MAGIC);
        uint32_t chain = crc32c(get_u32(bytes + FRAME_PREVIOUS_CHAIN), bytes, FRAME_PREVIOUS_CHAIN);
        put_u32(bytes + FRAME_CHAIN, fix_records(bytes, count - FRAME_TRAILER_BYTES, position, chain));
    }
    put_u32(bytes + FRAME_HEADER_CRC, crc32c(crc32c(0, journal_id, 16), bytes, FRAME_HEADER_CRC));
}

static void seal_again(const struct frame *frame)
{
    static uint8_t again[BYTES_MAX];
    struct frame sealed = *frame;
    struct record record;
    size_t offset = 0, at = FRAME_HEADER_BYTES;
    struct record_base base = {frame->first_seq, frame->time_us};
    uint32_t records = 0, events = 0;
    for (; frame_next_record(frame, &offset, &record); records++) {
        MUST(offset <= frame->length_bytes && record.position == frame->position + at);
        events += record.kind == RECORD_CONSUMED;
        record_again(frame->bytes + at, base, &record);
        memcpy(again + at, frame->bytes + at, record.length_bytes);
        memset(again + at + RECORD_CRC, 0, 4);
        at = offset;
    }
    MUST(records == frame->record_count && events == frame->event_count);
    frame_seal(&sealed, again, at, journal_id);
    MUST(memcmp(again, frame->bytes, frame->length_bytes) == 0 && sealed.chain == frame->chain);
}

static void take(const uint8_t *bytes, size_t count, uint64_t position)
{
    struct frame frame, own;
    size_t offset = 0;
    uint64_t seq = 0;
    const char *fault = frame_header_fault(bytes, journal_id, position, &frame);
    if (fault != NULL || frame.length_bytes > count)
        return;
    frame.bytes = bytes;
    own = frame;
    if (frame_body_fault(&frame, &offset, &seq) != NULL) {
        MUST(offset <= frame.length_bytes);
        (void)frame_own_body_fault(&own, &offset, &seq);
        return;
    }
    MUST(frame_own_body_fault(&own, &offset, &seq) == NULL);
    MUST(own.last_time_us == frame.last_time_us && own.persisted_first_seq == frame.persisted_first_seq &&
         own.persisted_last_seq == frame.persisted_last_seq);
    struct journal_point before = {.position = position,
                                   .next_seq = frame.first_seq,
                                   .persisted_seq = POINT_PERSISTED_UNKNOWN,
                                   .time_us = frame.time_us,
                                   .chain = frame.previous_chain};
    MUST(frame_order_fault(&frame, &before) == NULL);
    struct journal_point end = frame_end_point(&frame, &before);
    MUST(end.position == position + frame.length_bytes && end.next_seq == frame.first_seq + frame.event_count);
    seal_again(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1 + FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES || bytes - 1 > BYTES_MAX)
        return 0;
    unsigned way = data[0] % WAYS;
    uint64_t position = (uint64_t)(data[0] / WAYS) * 64;
    size_t count = way == ALL ? (bytes - 1) / FRAME_ALIGN * FRAME_ALIGN : bytes - 1;
    if (count < 2 * FRAME_ALIGN)
        return 0;
    uint8_t *exact = exact_copy(data + 1, count);
    fix(exact, count, position, way);
    take(exact, count, position);
    if (exact[count - 1] != 0) { /* as a tail ends with its last byte that is not zero */
        const char *reason = NULL;
        struct journal_point point = {.position = position,
                                      .next_seq = get_u64(exact + FRAME_FIRST_SEQ),
                                      .persisted_seq = POINT_PERSISTED_UNKNOWN,
                                      .time_us = get_u64(exact + FRAME_TIME_US),
                                      .chain = get_u32(exact + FRAME_PREVIOUS_CHAIN)};
        enum tail_shape shape =
            frame_tail_shape(exact, count, journal_id, &point, FORMAT_SECTOR_BYTES + position, &reason);
        MUST(shape == TAIL_TORN || shape == TAIL_DAMAGED);
    }
    free(exact);
    return 0;
}
