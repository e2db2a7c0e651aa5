/*
 * test_record_read.c — record_read() gives what record_decode() gives, member by member, for the named records and for random
 * journals.
 */
#include "tests/lib/expect.h"
#include "tests/unit/record_specimens.h"

#include "tests/lib/journal_builder.h"

SETTLE_SUITE(record_read);

#define SEED stream_seed(99)

static const struct record_base base = {1000, UINT64_C(1733856600000000)};

static void expect_texts(settle_text a, settle_text b)
{
    cr_assert_eq(a.bytes, b.bytes);
    cr_assert_eq((const void *)a.data, (const void *)b.data);
}

static void expect_consumed(const settle_event *read, const settle_event *decoded)
{
    cr_assert_eq(read->type, decoded->type);
    cr_assert_eq(read->ts_ms, decoded->ts_ms);
    expect_texts(read->event_id, decoded->event_id);
    cr_assert(read->end.source == 0 && read->end.offset_bytes == 0 && read->end.line == 0);
    if (read->type == SETTLE_TRADE)
        expect_texts(read->u.trade.trade_id, decoded->u.trade.trade_id);
    cr_assert(event_content_equal(read, decoded));
}

static void expect_legs(const struct record_validated *read, const struct record_validated *decoded)
{
    cr_assert_eq(read->leg_count, decoded->leg_count);
    for (uint32_t i = 0; i < read->leg_count; i++) {
        const settle_leg *a = &read->legs[i], *b = &decoded->legs[i];
        cr_assert(a->user == b->user && a->asset == b->asset && a->version == b->version);
        cr_assert_eq(a->previous_position, b->previous_position);
        cr_assert(a->delta_available == b->delta_available && a->after_available == b->after_available);
        cr_assert(a->delta_held == b->delta_held && a->after_held == b->after_held);
    }
}

static void expect_same(const uint8_t *at, size_t length, struct record_base from)
{
    struct record read, decoded;
    memset(&read, 0xee, sizeof read);
    memset(&decoded, 0x11, sizeof decoded);
    cr_assert_null(record_decode(at, length, from, &decoded));
    record_read(at, from, &read);
    cr_assert_eq(read.kind, decoded.kind);
    cr_assert_eq(read.length_bytes, decoded.length_bytes);
    cr_assert_eq(read.length_bytes, length);
    cr_assert_eq(read.seq, decoded.seq);
    cr_assert_eq(read.time_us, decoded.time_us);
    cr_assert_eq(read.frame_back_bytes, decoded.frame_back_bytes);
    switch (read.kind) {
    case RECORD_CONSUMED: expect_consumed(&read.u.consumed, &decoded.u.consumed); break;
    case RECORD_VALIDATED: expect_legs(&read.u.validated, &decoded.u.validated); break;
    case RECORD_REJECTED: cr_assert_eq(read.u.rejected, decoded.u.rejected); break;
    case RECORD_DUPLICATE:
    case RECORD_CONFLICT: cr_assert_eq(read.u.repeat.first_seq, decoded.u.repeat.first_seq); break;
    case RECORD_PERSISTED: cr_assert_eq(read.u.persisted.last_seq, decoded.u.persisted.last_seq); break;
    case RECORD_ASSET: cr_assert_str_eq(read.u.asset.symbol, decoded.u.asset.symbol); break;
    case RECORD_SOURCE: expect_texts(read.u.source.name, decoded.u.source.name); break;
    default: break;
    }
}

Test(record_read, the_named_records_are_read_as_they_are_decoded)
{
    static uint8_t bytes[SOURCE_BYTES_MAX];
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        const char *name;
        size_t length = specimen_encode(i, bytes, &name);
        expect_same(bytes, length, base);
    }
}

Test(record_read, random_journals_are_read_as_they_are_decoded)
{
    struct journal_builder b;
    struct journal_reader *reader;
    struct journal_point point;
    struct frame frame;
    size_t records = 0;
    builder_use_memory();
    builder_init(&b, (uint64_t)1 << 20, SEED);
    for (int i = 0; i < 150; i++)
        builder_random(&b);
    builder_close(&b);
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        struct record record;
        size_t offset = 0, at = FRAME_HEADER_BYTES;
        for (; frame_next_record(&frame, &offset, &record); records++, at = offset)
            expect_same(frame.bytes + at, offset - at, (struct record_base){frame.first_seq, frame.time_us});
    }
    cr_assert_gt(records, 2 * b.event_count);
    journal_reader_close(reader);
    builder_deinit(&b);
}
