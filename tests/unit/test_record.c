/*
 * test_record.c — the bytes of records: pinned one by one and by a golden file, there and back for any value, and
 * nothing accepted that is not the one encoding of something.
 */
#include "journal/record.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/expect.h"
#include "tests/unit/record_faults.h"
#include "tests/unit/record_specimens.h"

SETTLE_SUITE(record);

static void expect_decodes(const uint8_t *at, size_t available, struct record_base base, struct record *ret_record)
{
    const char *fault = record_decode(at, available, base, ret_record);
    cr_assert_null(fault, "%s", fault);
}

static void expect_same_bytes(const uint8_t *a, const uint8_t *b, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(a[i], b[i], "%s: byte %zu is %02x, expected %02x", what, i, a[i], b[i]);
}

/* ---- The bytes ------------------------------------------------------------------------------------------------- */

/* Against numbers and offsets written out here: a change of format.h must fail. */
Test(record, the_bytes_of_a_deposit)
{
    /* clang-format off */
    static const uint8_t expected[56] = {
        56, 0, 1, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5,                     /* header, its CRC not set yet */
        1, 0, 0, 0, 0x40, 1, 0, 0, 0xc0, 0x1f, 0xe8, 0xb1, 0x93, 1, 0, 0,    /* type, id, flags, way back, ts */
        0xe9, 3, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,                   /* user, asset, zero */
        0x20, 0x6b, 0xa2, 0x3b, 0, 0, 0, 0,                                  /* amount */
    };
    /* clang-format on */
    uint8_t bytes[CONSUMED_BYTES_MAX];
    memset(bytes, 0xee, sizeof(bytes));
    cr_assert_eq(record_encode_consumed(bytes, 0x01020304, 0x05060708, 0x140, &specimen_deposit), 56);
    expect_same_bytes(bytes, expected, 56, "deposit");
}

Test(record, the_bytes_of_a_trade)
{
    uint8_t bytes[CONSUMED_BYTES_MAX], expected[112] = {112, 0, 1};
    settle_event event = specimen_trade_one_fee;
    event.event_id = TEXT("fill.12");
    memset(bytes, 0xee, sizeof(bytes));
    cr_assert_eq(record_encode_consumed(bytes, 0, 0, 64, &event), 128);
    expected[0] = 128;
    expected[16] = 3;         /* trade */
    expected[17] = 7;         /* event id */
    expected[18] = 2 + 4 + 8; /* price, quote amount, fees */
    expected[20] = 64;
    put_u64(expected + 24, 1733856600001);
    expected[32] = 7;
    expected[40] = 7;
    expected[48] = 1;
    expected[52] = 1;
    expected[56] = 10; /* trade id */
    expected[57] = 18; /* scale */
    expected[64] = 5;  /* quantity */
    expected[72] = 1;  /* price */
    expected[80] = 9;  /* quote amount */
    expected[96] = 3;  /* seller's fee behind the buyer's, which is 0 */
    memcpy(expected + 104, "T-123456", 8);
    expect_same_bytes(bytes, expected, 112, "trade");
    cr_assert_arr_eq(bytes + 112, "78fill.12\0\0\0\0\0\0", 16);
}

Test(record, the_bytes_of_legs)
{
    uint8_t bytes[VALIDATED_BYTES_MAX], expected[200] = {200, 0, 2};
    cr_assert_eq(record_encode_validated(bytes, 1, 2, specimen_legs + 1, 3), 24 + 48 + 64 + 64);
    expected[8] = 1;
    expected[12] = 2;
    expected[16] = 3; /* legs */
    uint8_t *leg = expected + 24;
    put_u64(leg, UINT64_MAX - 1); /* external */
    put_u32(leg + 8, 2);
    put_u64(leg + 16, 9);
    put_u64(leg + 24, 1234567);
    put_u64(leg + 32, (uint64_t)-1000500000);
    put_u64(leg + 40, UINT64_C(0x8000000000000000));
    leg += 48;
    put_u64(leg, 1);
    put_u32(leg + 8, 1);
    put_u16(leg + 12, 1); /* wide */
    put_u64(leg + 16, 2);
    put_u64(leg + 24, 64);
    put_u64(leg + 32, UINT64_MAX);
    put_u64(leg + 40, UINT64_MAX);
    put_u64(leg + 48, UINT64_C(1) << 63);
    leg += 64;
    put_u64(leg, INT64_MAX);
    put_u32(leg + 8, UINT32_MAX);
    put_u16(leg + 12, 2); /* held */
    put_u64(leg + 16, UINT64_MAX);
    put_u64(leg + 24, UINT64_MAX);
    put_u64(leg + 32, (uint64_t)-5);
    put_u64(leg + 40, 10);
    put_u64(leg + 48, 5);
    put_u64(leg + 56, 5);
    expect_same_bytes(bytes, expected, sizeof(expected), "validated");
}

Test(record, the_numbers_of_kinds_and_reasons_are_for_ever)
{
    static const uint8_t kinds[SPECIMEN_COUNT] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
                                                  2, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8, 8, 2};
    struct specimen specimen;
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        cr_assert_eq(specimen.bytes[2], kinds[i], "%s", specimen.name);
    }
    for (uint16_t reason = 1; reason <= 9; reason++) {
        record_encode_rejected(specimen.bytes, 0, 0, (settle_reason)reason);
        cr_assert_eq(get_u16(specimen.bytes + 16), reason);
    }
    cr_assert_eq(RECORD_SKIPPABLE, 128);
    cr_assert(CONSUMED_BYTES_MAX == 264 && VALIDATED_BYTES_MAX == 600);
}

Test(record, the_longest_records_are_as_long_as_buffers_are_made)
{
    struct specimen specimen;
    specimen_make(10, &specimen);
    cr_assert_eq(specimen.length, CONSUMED_BYTES_MAX);
    static char name[SETTLE_SOURCE_NAME_BYTES_MAX];
    memset(name, 'n', sizeof(name));
    for (size_t bytes = 1; bytes <= sizeof(name); bytes++) {
        struct record_source source = {UINT64_MAX, UINT64_MAX, {name, bytes}};
        size_t length = record_encode_source(specimen.bytes, &source);
        cr_assert(length == (40 + bytes + 7) / 8 * 8 && length <= SOURCE_BYTES_MAX);
        struct record record;
        expect_decodes(specimen.bytes, length, specimen_base, &record);
        cr_assert_eq(record.u.source.name.bytes, bytes);
    }
    settle_leg legs[SETTLE_LEGS_MAX];
    for (size_t i = 0; i < SETTLE_LEGS_MAX; i++)
        legs[i] = specimen_legs[5];
    cr_assert_eq(record_encode_validated(specimen.bytes, 0, 0, legs, SETTLE_LEGS_MAX), VALIDATED_BYTES_MAX);
}

Test(record, an_encoder_writes_nothing_behind_its_record)
{
    struct specimen specimen;
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        cr_assert_eq(specimen.length, get_u16(specimen.bytes));
        for (size_t at = specimen.length; at < sizeof(specimen.bytes); at++)
            cr_assert_eq(specimen.bytes[at], 0xee, "%s: byte %zu", specimen.name, at);
    }
}

/*
 * The golden file has a line a specimen: its hexadecimal bytes, sealed at specimen_position(), and its name.
 * Journals of these bytes exist: the file gets lines, none of it ever changes. SETTLE_GOLDEN_WRITE=1 writes it.
 */
Test(record, the_golden_file_is_what_is_written_and_read)
{
    static char path[] = TEST_GOLDEN_DIR "/records.hex";
    struct specimen specimen;
    if (getenv("SETTLE_GOLDEN_WRITE") != NULL) {
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
            specimen_make(i, &specimen);
            for (size_t at = 0; at < specimen.length; at++)
                fprintf(file, "%02x", specimen.bytes[at]);
            fprintf(file, " %s\n", specimen.name);
        }
        cr_assert_eq(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s is missing", path);
    static char line[2 * SOURCE_BYTES_MAX + 100], expected[sizeof(line)];
    size_t count = 0;
    for (; fgets(line, sizeof(line), file) != NULL; count++) {
        cr_assert_lt(count, SPECIMEN_COUNT);
        specimen_make(count, &specimen);
        size_t length = 0;
        for (size_t at = 0; at < specimen.length; at++)
            length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%02x", specimen.bytes[at]);
        snprintf(expected + length, sizeof(expected) - length, " %s\n", specimen.name);
        cr_assert_str_eq(line, expected);

        uint8_t read[VALIDATED_BYTES_MAX], again[VALIDATED_BYTES_MAX];
        size_t bytes = 0;
        for (unsigned byte; sscanf(line + 2 * bytes, "%2x", &byte) == 1 && line[2 * bytes] != ' '; bytes++)
            read[bytes] = (uint8_t)byte;
        struct record record;
        expect_decodes(read, bytes, specimen_base, &record);
        cr_assert_eq(record_crc(read, specimen_position(count)), get_u32(read + 4));
        cr_assert_eq(specimen_encode_again(&record, specimen_base, again), bytes);
        record_seal(again, specimen_position(count));
        expect_same_bytes(again, read, bytes, specimen.name);
    }
    cr_assert_eq(count, SPECIMEN_COUNT);
    cr_assert_eq(fclose(file), 0);
}

/* ---- There and back -------------------------------------------------------------------------------------------- */

static void expect_text(settle_text got, settle_text expected)
{
    cr_assert_eq(got.bytes, expected.bytes);
    if (expected.bytes == 0)
        cr_assert_null(got.data);
    else
        cr_assert_arr_eq(got.data, expected.data, expected.bytes);
}

/* `id`: the event id that must have been stored. */
static void expect_event(const settle_event *got, const settle_event *expected, settle_text id)
{
    cr_assert_eq(got->type, expected->type);
    cr_assert_eq(got->ts_ms, expected->ts_ms);
    expect_text(got->event_id, id);
    cr_assert(got->end.source == 0 && got->end.offset_bytes == 0 && got->end.line == 0);
    if (expected->type != SETTLE_TRADE) {
        cr_assert_eq(got->u.transfer.user, expected->u.transfer.user);
        cr_assert_eq(got->u.transfer.asset, expected->u.transfer.asset);
        cr_assert(got->u.transfer.amount == expected->u.transfer.amount);
        return;
    }
    const settle_trade *a = &got->u.trade, *b = &expected->u.trade;
    expect_text(a->trade_id, b->trade_id);
    cr_assert(a->buyer == b->buyer && a->seller == b->seller && a->base == b->base && a->quote == b->quote);
    cr_assert(a->quantity == b->quantity && a->quote_amount == b->quote_amount);
    cr_assert(a->price.mantissa == b->price.mantissa && a->price.scale == b->price.scale);
    cr_assert(a->buyer_fee == b->buyer_fee && a->seller_fee == b->seller_fee);
}

Test(record, any_event_comes_back)
{
    struct dice dice = {.state = 20241210};
    uint8_t *bytes = malloc(CONSUMED_BYTES_MAX);
    cr_assert_not_null(bytes);
    for (int i = 0; i < 100000; i++) {
        uint64_t state = dice.state;
        settle_event event = dice_event(&dice);
        cr_assert_null(event_form_fault(&event), "state %" PRIu64 ": %s", state, event_form_fault(&event));
        struct record_base base = {1 + dice_u64(&dice) / 2, dice_u64(&dice) / 2};
        uint32_t seq = (uint32_t)dice_u64(&dice), time = (uint32_t)dice_u64(&dice), back = (uint32_t)dice_u64(&dice);
        size_t length = record_encode_consumed(bytes, seq, time, back, &event);
        struct record record = {.position = 4711};
        expect_decodes(bytes, length, base, &record);
        cr_assert(record.kind == RECORD_CONSUMED && record.length_bytes == length && record.position == 4711);
        cr_assert(record.seq == base.first_seq + seq && record.time_us == base.time_us + time);
        cr_assert_eq(record.frame_back_bytes, back);
        expect_event(&record.u.consumed, &event, event.event_id);
    }
    free(bytes);
}

Test(record, a_natural_id_that_was_given_is_not_stored)
{
    struct dice dice = {.state = 99};
    for (int i = 0; i < 20000; i++) {
        settle_event event = dice_event(&dice);
        event.event_id = (settle_text){NULL, 0};
        if (event.type == SETTLE_TRADE && event.u.trade.trade_id.bytes == 0)
            continue;
        uint8_t bytes[CONSUMED_BYTES_MAX], given[CONSUMED_BYTES_MAX];
        size_t length = record_encode_consumed(bytes, 1, 2, 64, &event);

        struct event_key key;
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        event_key_of(&event, &key);
        event.event_id = (settle_text){id, event_key_format(&key, id)};
        cr_assert_eq(record_encode_consumed(given, 1, 2, 64, &event), length);
        expect_same_bytes(given, bytes, length, id);

        /* The id of another event is stored, wherever it differs. */
        char *changed = &id[i % 2 == 0 ? event.event_id.bytes - 1 : (size_t)i % 6];
        *changed = *changed == '7' ? '8' : '7';
        size_t longer = record_encode_consumed(given, 1, 2, 64, &event);
        cr_assert(longer >= length && given[17] == event.event_id.bytes);
        struct record record;
        expect_decodes(given, longer, specimen_base, &record);
        expect_event(&record.u.consumed, &event, event.event_id);
    }
}

Test(record, any_legs_come_back)
{
    struct dice dice = {.state = 31337};
    for (int i = 0; i < 50000; i++) {
        settle_leg legs[SETTLE_LEGS_MAX];
        size_t count = 1 + (size_t)dice_below(&dice, SETTLE_LEGS_MAX);
        for (size_t l = 0; l < count; l++)
            legs[l] = dice_leg(&dice);
        uint8_t bytes[VALIDATED_BYTES_MAX];
        size_t length = record_encode_validated(bytes, 7, 8, legs, count);
        struct record record;
        memset(&record, 0x5a, sizeof(record));
        expect_decodes(bytes, length, specimen_base, &record);
        cr_assert(record.kind == RECORD_VALIDATED && record.seq == 1007 && record.u.validated.leg_count == count);
        for (size_t l = 0; l < count; l++) {
            const settle_leg *a = &record.u.validated.legs[l], *b = &legs[l];
            cr_assert(a->user == b->user && a->asset == b->asset && a->version == b->version);
            cr_assert_eq(a->previous_position, b->previous_position);
            cr_assert(a->delta_available == b->delta_available && a->after_available == b->after_available);
            cr_assert(a->delta_held == b->delta_held && a->after_held == b->after_held);
        }
    }
}

Test(record, the_short_kinds_come_back)
{
    struct specimen specimen;
    struct record record;
    for (unsigned reason = 1; reason <= 9; reason++) {
        size_t length = record_encode_rejected(specimen.bytes, 5, 6, (settle_reason)reason);
        expect_decodes(specimen.bytes, length, specimen_base, &record);
        cr_assert(record.kind == RECORD_REJECTED && record.u.rejected == (settle_reason)reason && record.seq == 1005);
    }
    for (size_t i = 18; i <= 19; i++) {
        specimen_make(i, &specimen);
        expect_decodes(specimen.bytes, specimen.length, specimen_base, &record);
        cr_assert(record.kind == (i == 18 ? RECORD_DUPLICATE : RECORD_CONFLICT) && record.seq == 1005);
        cr_assert(record.u.repeat.first_seq == 999 && record.u.repeat.first_position == 8192);
    }
    specimen_make(20, &specimen);
    expect_decodes(specimen.bytes, specimen.length, specimen_base, &record);
    cr_assert(record.kind == RECORD_PERSISTED && record.seq == 0 && record.time_us == specimen_base.time_us);
    cr_assert(record.u.persisted.first_seq == 7 && record.u.persisted.last_seq == 1000);
    cr_assert_eq(record.u.persisted.time_us, 1733856599999999);
    specimen_make(21, &specimen);
    memset(&record, 0x5a, sizeof(record));
    expect_decodes(specimen.bytes, specimen.length, specimen_base, &record);
    cr_assert(record.kind == RECORD_ASSET && record.seq == 0 && record.time_us == specimen_base.time_us + 77);
    cr_assert(record.u.asset.id == 2 && record.u.asset.scale == 6);
    cr_assert_arr_eq(record.u.asset.symbol, "USDT\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    specimen_make(23, &specimen);
    expect_decodes(specimen.bytes, specimen.length, specimen_base, &record);
    cr_assert(record.kind == RECORD_SOURCE && record.u.source.offset_bytes == 4096 && record.u.source.line == 40);
    expect_text(record.u.source.name, TEXT("in/a.ndjson"));
}

Test(record, a_skippable_kind_is_passed_over_and_an_unknown_one_is_not)
{
    uint8_t bytes[24] = {24, 0};
    memset(bytes + 8, 0xa5, 16);
    for (unsigned kind = 0; kind < 256; kind++) {
        bytes[2] = (uint8_t)kind;
        struct record record = {.position = 5};
        const char *fault = record_decode(bytes, sizeof(bytes), specimen_base, &record);
        if (kind >= 128) {
            cr_assert_null(fault, "kind %u", kind);
            cr_assert(record.kind == (enum record_kind)kind && record.length_bytes == 24 && record.position == 5);
        } else {
            cr_assert_not_null(fault, "kind %u", kind);
            if (kind == 0 || kind > 8)
                cr_assert(strcmp(fault, "unknown record kind") == 0 ||
                          strcmp(fault, "a note with a sequence number") == 0);
        }
    }
}

/* ---- Damage ---------------------------------------------------------------------------------------------------- */

Test(record, the_checksum_is_over_position_and_all_but_itself)
{
    struct specimen specimen;
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        uint8_t covered[8 + SOURCE_BYTES_MAX];
        put_u64(covered, specimen_position(i));
        memcpy(covered + 8, specimen.bytes, 4);
        memcpy(covered + 12, specimen.bytes + 8, specimen.length - 8);
        uint32_t expected = crc32c_portable(0, covered, specimen.length + 4);
        cr_assert_eq(record_crc(specimen.bytes, specimen_position(i)), expected, "%s", specimen.name);
        cr_assert_eq(get_u32(specimen.bytes + 4), expected, "%s", specimen.name);
        for (unsigned bit = 0; bit < 64; bit++)
            cr_assert_neq(record_crc(specimen.bytes, specimen_position(i) ^ UINT64_C(1) << bit), expected, "bit %u",
                          bit);
    }
    uint8_t zeros[8] = {0}; /* no record, and nothing behind it to read */
    (void)record_crc(zeros, 0);
}

/* What the decoder accepts must be the one encoding of what it says. */
static void expect_canonical(const uint8_t *bytes, const struct record *record, const char *what)
{
    uint8_t again[SOURCE_BYTES_MAX];
    if (record->kind >= RECORD_SKIPPABLE)
        return;
    cr_assert_eq(specimen_encode_again(record, specimen_base, again), record->length_bytes, "%s", what);
    memcpy(again + 4, bytes + 4, 4); /* the CRC */
    expect_same_bytes(bytes, again, record->length_bytes, what);
}

/* Decodes `length` bytes in a block of that size, so that AddressSanitizer sees a read too many. */
static const char *decode_exact(const uint8_t *bytes, size_t length, struct record *ret_record)
{
    uint8_t *exact = malloc(length != 0 ? length : 1);
    cr_assert_not_null(exact);
    memcpy(exact, bytes, length);
    struct record record;
    const char *fault = record_decode(exact, length, specimen_base, &record);
    if (fault == NULL) {
        cr_assert_leq(record.length_bytes, length);
        expect_canonical(exact, &record, "decoded");
        *ret_record = record;
    }
    free(exact);
    return fault;
}

Test(record, every_flipped_bit_is_found)
{
    struct specimen specimen;
    struct record record;
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        for (size_t bit = 0; bit < specimen.length * 8; bit++) {
            specimen.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (decode_exact(specimen.bytes, specimen.length, &record) == NULL)
                cr_assert_neq(record_crc(specimen.bytes, specimen_position(i)), get_u32(specimen.bytes + 4),
                              "%s: bit %zu passes", specimen.name, bit);
            specimen.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        cr_assert_null(decode_exact(specimen.bytes, specimen.length, &record));
    }
}

Test(record, every_truncation_is_found)
{
    struct specimen specimen;
    struct record record;
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        for (size_t length = 0; length < specimen.length; length++) {
            put_u16(specimen.bytes, (uint16_t)specimen.length);
            cr_assert_str_eq(decode_exact(specimen.bytes, length, &record), "record is cut off");
            put_u16(specimen.bytes, (uint16_t)length);
            cr_assert_not_null(decode_exact(specimen.bytes, length, &record), "%s says %zu", specimen.name, length);
        }
        for (size_t longer = specimen.length + 1; longer <= specimen.length + 64; longer++) {
            memset(specimen.bytes + specimen.length, 0, 64);
            put_u16(specimen.bytes, (uint16_t)longer);
            cr_assert_not_null(decode_exact(specimen.bytes, longer, &record), "%s says %zu", specimen.name, longer);
        }
    }
}

Test(record, whatever_is_accepted_is_canonical)
{
    struct specimen specimen;
    struct record record;
    struct dice dice = {.state = 8};
    size_t accepted = 0;
    for (int round = 0; round < 150000; round++) {
        specimen_make((size_t)dice_below(&dice, SPECIMEN_COUNT), &specimen);
        for (uint64_t hits = 1 + dice_below(&dice, 3); hits > 0; hits--) {
            size_t at = (size_t)dice_below(&dice, specimen.length);
            uint64_t value = dice_below(&dice, 2) == 0 ? 0 : dice_u64(&dice) >> dice_below(&dice, 64);
            size_t bytes = (size_t)1 << dice_below(&dice, 4);
            for (size_t b = 0; b < bytes && at + b < specimen.length; b++)
                specimen.bytes[at + b] = (uint8_t)(value >> 8 * b);
        }
        accepted += decode_exact(specimen.bytes, specimen.length, &record) == NULL;
    }
    cr_assert_gt(accepted, 10000, "the test must try what is accepted, too");
    for (int round = 0; round < 100000; round++) { /* and noise behind a right header */
        size_t length = 16 + 8 * (size_t)dice_below(&dice, 40);
        for (size_t at = 0; at < length; at++)
            specimen.bytes[at] = (uint8_t)(dice_u64(&dice) & dice_u64(&dice) & dice_u64(&dice));
        put_u16(specimen.bytes, (uint16_t)length);
        specimen.bytes[2] = (uint8_t)(1 + dice_below(&dice, 8));
        specimen.bytes[3] = 0;
        (void)decode_exact(specimen.bytes, length, &record);
    }
}

Test(record, what_a_failed_decode_leaves_alone)
{
    struct specimen specimen;
    struct record record, before;
    memset(&before, 0x5a, sizeof(before));
    for (size_t i = 0; i < SPECIMEN_COUNT; i++) {
        specimen_make(i, &specimen);
        memcpy(&record, &before, sizeof(record));
        for (size_t cut = 8; cut < specimen.length; cut += 8) {
            put_u16(specimen.bytes, (uint16_t)cut);
            cr_assert_not_null(record_decode(specimen.bytes, cut, specimen_base, &record));
            cr_assert_arr_eq((char *)&record, (char *)&before, sizeof(record));
        }
    }
}

Test(record, sequence_numbers_and_times_do_not_wrap)
{
    struct specimen specimen;
    struct record record;
    specimen_make(12, &specimen); /* both deltas are the largest */
    struct record_base base = {UINT64_MAX - UINT32_MAX, UINT64_MAX - UINT32_MAX};
    expect_decodes(specimen.bytes, specimen.length, base, &record);
    cr_assert(record.seq == UINT64_MAX && record.time_us == UINT64_MAX);
    base.first_seq++;
    cr_assert_not_null(record_decode(specimen.bytes, specimen.length, base, &record));
    base.first_seq--;
    base.time_us++;
    cr_assert_not_null(record_decode(specimen.bytes, specimen.length, base, &record));
}

/* ---- Every rejection ------------------------------------------------------------------------------------------- */

Test(record, every_fault_has_its_sentence)
{
    struct specimen specimen;
    for (size_t i = 0; i < sizeof(record_faults) / sizeof(record_faults[0]); i++) {
        const struct record_fault *fault = &record_faults[i];
        specimen_make(fault->specimen, &specimen);
        memset(specimen.bytes + specimen.length, 0, 64);
        for (size_t p = 0; p < FAULT_PATCHES_MAX; p++) {
            for (size_t b = 0; b < fault->patches[p].bytes; b++)
                specimen.bytes[fault->patches[p].offset + b] = (uint8_t)(fault->patches[p].value >> 8 * b);
        }
        struct record record;
        size_t says = get_u16(specimen.bytes);
        const char *got = decode_exact(specimen.bytes, says < specimen.length ? specimen.length : says, &record);
        cr_assert_not_null(got, "line %d, %s: accepted, expected '%s'", fault->line, specimen.name, fault->sentence);
        cr_assert_str_eq(got, fault->sentence, "line %d, %s: '%s', expected '%s'", fault->line, specimen.name, got,
                         fault->sentence);
    }
}

Test(record, an_amount_below_zero_is_a_programmers_error, .signal = SIGABRT)
{
    uint8_t bytes[CONSUMED_BYTES_MAX];
    settle_event event = specimen_deposit;
    event.u.transfer.amount = -1;
    (void)record_encode_consumed(bytes, 0, 0, 64, &event);
}

Test(record, no_legs_are_a_programmers_error, .signal = SIGABRT)
{
    uint8_t bytes[VALIDATED_BYTES_MAX];
    (void)record_encode_validated(bytes, 0, 0, specimen_legs, 0);
}

Test(record, seven_legs_are_a_programmers_error, .signal = SIGABRT)
{
    uint8_t bytes[VALIDATED_BYTES_MAX + LEG_BYTES_MAX];
    settle_leg legs[7] = {specimen_legs[0], specimen_legs[0], specimen_legs[0], specimen_legs[0],
                          specimen_legs[0], specimen_legs[0], specimen_legs[0]};
    (void)record_encode_validated(bytes, 0, 0, legs, 7);
}

Test(record, a_rejection_without_a_reason_is_a_programmers_error, .signal = SIGABRT)
{
    uint8_t bytes[REJECTED_BYTES];
    (void)record_encode_rejected(bytes, 0, 0, SETTLE_REASON_NONE);
}

/* An id of the natural form whose members are another event's is a name like any other, and is stored. */
Test(record, a_natural_id_of_other_members_is_stored)
{
    static const struct {
        const char *id;
        bool is_stored;
    } rows[] = {{"deposit_1_2_5", false},    {"deposit_1_3_5", true}, {"deposit_1_2_6", true},
                {"deposit_2_2_5", true},     {"withdrawal_1_2_5", true}, {"deposit_1_2_05", true},
                {"deposit_1_2_5x", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const settle_event event = {.type = SETTLE_DEPOSIT,
                                    .ts_ms = 5,
                                    .event_id = {rows[i].id, strlen(rows[i].id)},
                                    .u.transfer = {1, 2, 1000}};
        uint8_t bytes[CONSUMED_BYTES_MAX];
        size_t length = record_encode_consumed(bytes, 1, 2, 64, &event);
        struct record record;
        cr_assert_eq(bytes[CONSUMED_ID_LENGTH], rows[i].is_stored ? event.event_id.bytes : 0, "%s", rows[i].id);
        expect_decodes(bytes, length, specimen_base, &record);
        expect_event(&record.u.consumed, &event, rows[i].is_stored ? event.event_id : (settle_text){NULL, 0});
    }
}
