/*
 * record_again.h — a decoded record encoded again must be the bytes it came from, but for the checksum: a value has one
 * encoding (journal/record.c). And record_read() must tell what record_decode() did.
 */
#ifndef TESTS_FUZZ_RECORD_AGAIN_H
#define TESTS_FUZZ_RECORD_AGAIN_H

#include "tests/fuzz/fuzz.h"

#include "journal/record.h"

static inline size_t record_encode_any(uint8_t *at, const struct record *record, uint32_t seq_delta,
                                       uint32_t time_delta_us)
{
    switch (record->kind) {
    case RECORD_CONSUMED:
        return record_encode_consumed(at, seq_delta, time_delta_us, record->frame_back_bytes, &record->u.consumed);
    case RECORD_VALIDATED:
        return record_encode_validated(at, seq_delta, time_delta_us, record->u.validated.legs,
                                       record->u.validated.leg_count);
    case RECORD_REJECTED: return record_encode_rejected(at, seq_delta, time_delta_us, record->u.rejected);
    case RECORD_DUPLICATE:
        return record_encode_repeat(at, seq_delta, time_delta_us, SETTLE_DUPLICATE, &record->u.repeat);
    case RECORD_CONFLICT: return record_encode_repeat(at, seq_delta, time_delta_us, SETTLE_CONFLICT, &record->u.repeat);
    case RECORD_PERSISTED: return record_encode_persisted(at, &record->u.persisted);
    case RECORD_ASSET: return record_encode_asset(at, time_delta_us, &record->u.asset);
    case RECORD_SOURCE: return record_encode_source(at, &record->u.source);
    case RECORD_SKIPPABLE:
    default: return 0;
    }
}

static inline void record_again(const uint8_t *bytes, struct record_base base, const struct record *record)
{
    static uint8_t again[65536 + 64], read_again[65536 + 64];
    struct record read;
    if (record->kind >= RECORD_SKIPPABLE)
        return;
    uint64_t seq = record->seq != 0 ? record->seq - base.first_seq : 0, time_us = record->time_us - base.time_us;
    MUST(seq <= UINT32_MAX && time_us <= UINT32_MAX);
    size_t length = record_encode_any(again, record, (uint32_t)seq, (uint32_t)time_us);
    MUST(length == record->length_bytes);
    memcpy(again + RECORD_CRC, bytes + RECORD_CRC, 4);
    MUST(memcmp(again, bytes, length) == 0);
    memset(&read, 0, sizeof read);
    record_read(bytes, base, &read);
    MUST(read.kind == record->kind && read.seq == record->seq && read.time_us == record->time_us &&
         read.length_bytes == length && read.frame_back_bytes == record->frame_back_bytes);
    MUST(record_encode_any(read_again, &read, (uint32_t)seq, (uint32_t)time_us) == length);
    memcpy(read_again + RECORD_CRC, bytes + RECORD_CRC, 4);
    MUST(memcmp(read_again, bytes, length) == 0);
}

#endif
