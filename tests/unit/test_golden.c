/*
 * test_golden.c — the journal in tests/golden/journal_v1: it decodes for ever, and the same records make the same
 * bytes.
 *
 * Its segments are committed as text, 32 bytes a line behind their offset; "*" says that the line before it repeats
 * up to the next one; the last line is the size. SETTLE_GOLDEN_WRITE=FOLDER writes what the encoders make into that
 * folder: for a new version of the format. The files of this one never change.
 */
#include "journal/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/seal/seal.h"
#include "journal/seal/sealing.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/paths.h"
#include "tests/unit/golden_records.h"

SETTLE_SUITE(golden);

#define FOLDER TEST_GOLDEN_DIR "/journal_v1"
#define ROW_BYTES 32

static const char *const segment_names[] = {"00000000000000000001-000000.seg", "00000000000000000018-000001.seg"};

static char path[TEMPDIR_BYTES];
static int data_fd = -1;

static void begin(void)
{
    builder_use_memory();
    tempdir_make(path);
    EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
}

static void end(void)
{
    file_close(data_fd);
    tempdir_remove(path);
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

static void text_write(const char *folder, const struct journal_file *file)
{
    char name[1024];
    snprintf(name, sizeof name, "%s/%s.hex", folder, file->name);
    FILE *out = fopen(name, "w");
    cr_assert_not_null(out, "%s", name);
    bool repeats = false;
    for (size_t at = 0; at < file->count; at += ROW_BYTES) {
        if (at > 0 && memcmp(file->bytes + at, file->bytes + at - ROW_BYTES, ROW_BYTES) == 0) {
            if (!repeats)
                fputs("*\n", out);
            repeats = true;
            continue;
        }
        repeats = false;
        fprintf(out, "%06zx ", at);
        for (size_t i = 0; i < ROW_BYTES; i++)
            fprintf(out, "%s%02x", i % 8 == 0 ? " " : "", file->bytes[at + i]);
        fputs("\n", out);
    }
    fprintf(out, "%06zx\n", file->count);
    cr_assert_eq(fclose(out), 0);
}

static void row_parse(const char *text, uint8_t ret_row[ROW_BYTES])
{
    for (size_t i = 0; i < ROW_BYTES; i++) {
        unsigned byte;
        cr_assert_eq(sscanf(text, "%2x", &byte), 1);
        ret_row[i] = (uint8_t)byte;
        text += 2;
        text += *text == ' ';
    }
}

/* The file is the caller's; its bytes are malloc'd. */
static void text_read(const char *segment, struct journal_file *ret_file)
{
    char name[1024], line[256];
    uint8_t row[ROW_BYTES] = {0};
    snprintf(name, sizeof name, "%s/%s.hex", FOLDER, segment);
    snprintf(ret_file->name, sizeof ret_file->name, "%s", segment);
    FILE *in = fopen(name, "r");
    cr_assert_not_null(in, "%s", name);
    ret_file->bytes = calloc(1, SEGMENT_BYTES_MIN);
    ret_file->count = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        size_t offset;
        if (line[0] == '*')
            continue;
        cr_assert_eq(sscanf(line, "%zx", &offset), 1);
        cr_assert(offset % ROW_BYTES == 0 && offset >= ret_file->count && offset <= SEGMENT_BYTES_MIN);
        for (; ret_file->count < offset; ret_file->count += ROW_BYTES)
            memcpy(ret_file->bytes + ret_file->count, row, ROW_BYTES);
        if (line[6] != ' ')
            break; /* the size */
        row_parse(line + 8, row);
        memcpy(ret_file->bytes + offset, row, ROW_BYTES);
        ret_file->count = offset + ROW_BYTES;
    }
    cr_assert_eq(ret_file->count, SEGMENT_BYTES_MIN);
    fclose(in);
}

static void golden_read(struct journal_files *ret_files)
{
    ret_files->files = calloc(2, sizeof *ret_files->files);
    ret_files->count = 2;
    for (size_t i = 0; i < 2; i++)
        text_read(segment_names[i], &ret_files->files[i]);
}

/* ---- Encoding --------------------------------------------------------------------------------------------------- */

static size_t encode(const struct golden *record, struct frame_buffer *buffer, uint64_t seq)
{
    uint8_t *at = frame_at_end(buffer);
    uint32_t seq_delta = (uint32_t)(seq - buffer->frame.first_seq), delta_us = record->delta_us;
    switch ((int)record->kind) {
    case RECORD_CONSUMED:
        return record_encode_consumed(at, seq_delta, delta_us, (uint32_t)buffer->used, &record->event);
    case RECORD_VALIDATED: return record_encode_validated(at, seq_delta, delta_us, record->legs, record->leg_count);
    case RECORD_REJECTED: return record_encode_rejected(at, seq_delta, delta_us, record->reason);
    case RECORD_DUPLICATE: return record_encode_repeat(at, seq_delta, delta_us, SETTLE_DUPLICATE, &record->repeat);
    case RECORD_CONFLICT: return record_encode_repeat(at, seq_delta, delta_us, SETTLE_CONFLICT, &record->repeat);
    case RECORD_PERSISTED: return record_encode_persisted(at, &record->persisted);
    case RECORD_ASSET: return record_encode_asset(at, delta_us, &record->asset);
    case RECORD_SOURCE: {
        struct record_source source = {record->offset_bytes, record->line, {record->source, strlen(record->source)}};
        return record_encode_source(at, &source);
    }
    default: break;
    }
    memset(at, 0, RECORD_HEADER_BYTES);
    memset(at + RECORD_HEADER_BYTES, 0xa5, record->skippable);
    put_u16(at + RECORD_LENGTH, (uint16_t)(RECORD_HEADER_BYTES + record->skippable));
    at[RECORD_KIND] = (uint8_t)record->kind;
    return RECORD_HEADER_BYTES + record->skippable;
}

static bool is_decision(enum record_kind kind)
{
    return kind >= RECORD_VALIDATED && kind <= RECORD_CONFLICT;
}

/* The journal of the records, in a new one. */
static void golden_write(void)
{
    const struct journal_point beginning = {
        .position = SEGMENT_HEADER_BYTES, .next_seq = 1, .chain = segment_chain_genesis(golden_id)};
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    EXPECT_OK(journal_create_with_id(data_fd, &mem_libc, SEGMENT_BYTES_MIN, golden_id, GOLDEN_TIME_US, &test_error));
    EXPECT_OK(journal_writer_open(data_fd, &mem_libc, &beginning, &writer, &test_error));
    EXPECT_OK(frame_buffer_init(writer, &buffer, &test_error));
    uint64_t seq = 1, time_us = GOLDEN_TIME_US;
    frame_begin(writer, &buffer, seq, time_us);
    for (size_t i = 0; i <= GOLDEN_COUNT; i++) {
        if (i == GOLDEN_COUNT || (int)golden[i].kind == 0) {
            frame_close(writer, &buffer);
            EXPECT_OK(journal_writer_commit(writer, &buffer, &test_error));
            time_us += GOLDEN_FRAME_US;
            if (i < GOLDEN_COUNT)
                frame_begin(writer, &buffer, seq, time_us);
            continue;
        }
        frame_append(&buffer, encode(&golden[i], &buffer, seq));
        if (is_decision(golden[i].kind)) {
            buffer.frame.event_count++;
            seq++;
        }
    }
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
}

Test(golden, the_same_records_make_the_same_bytes)
{
    struct journal_files written, expected;
    begin();
    golden_write();
    journal_files_load(data_fd, &written);
    if (getenv("SETTLE_GOLDEN_WRITE") != NULL)
        for (size_t i = 0; i < written.count; i++)
            text_write(getenv("SETTLE_GOLDEN_WRITE"), &written.files[i]);
    golden_read(&expected);
    cr_assert_eq(written.count, 2);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_str_eq(written.files[i].name, segment_names[i]);
        cr_assert_eq(written.files[i].count, expected.files[i].count);
        for (size_t at = 0; at < expected.files[i].count; at++)
            cr_assert_eq(written.files[i].bytes[at], expected.files[i].bytes[at], "%s: byte %zu is %02x, not %02x",
                         segment_names[i], at, written.files[i].bytes[at], expected.files[i].bytes[at]);
    }
    journal_files_free(&written);
    journal_files_free(&expected);
    end();
}

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

static void expect_text(settle_text text, settle_text expected)
{
    cr_assert_eq(text.bytes, expected.bytes);
    cr_assert(text.bytes == 0 || memcmp(text.data, expected.data, text.bytes) == 0);
}

static void expect_event(const settle_event *event, const settle_event *expected)
{
    cr_assert_eq(event->type, expected->type);
    cr_assert_eq(event->ts_ms, expected->ts_ms);
    expect_text(event->event_id, expected->event_id);
    if (event->type != SETTLE_TRADE) {
        cr_assert_eq(event->u.transfer.user, expected->u.transfer.user);
        cr_assert_eq(event->u.transfer.asset, expected->u.transfer.asset);
        cr_assert(event->u.transfer.amount == expected->u.transfer.amount);
        return;
    }
    const settle_trade *trade = &event->u.trade, *other = &expected->u.trade;
    expect_text(trade->trade_id, other->trade_id);
    cr_assert_eq(trade->buyer, other->buyer);
    cr_assert_eq(trade->seller, other->seller);
    cr_assert_eq(trade->base, other->base);
    cr_assert_eq(trade->quote, other->quote);
    cr_assert(trade->quantity == other->quantity);
    cr_assert(trade->price.mantissa == other->price.mantissa);
    cr_assert_eq(trade->price.scale, other->price.scale);
    cr_assert(trade->quote_amount == other->quote_amount);
    cr_assert(trade->buyer_fee == other->buyer_fee);
    cr_assert(trade->seller_fee == other->seller_fee);
}

static void expect_legs(const struct record_validated *validated, const struct golden *expected)
{
    cr_assert_eq(validated->leg_count, expected->leg_count);
    for (size_t i = 0; i < expected->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i], *other = &expected->legs[i];
        cr_assert_eq(leg->user, other->user);
        cr_assert_eq(leg->asset, other->asset);
        cr_assert_eq(leg->version, other->version);
        cr_assert_eq(leg->previous_position, other->previous_position);
        cr_assert(leg->delta_available == other->delta_available);
        cr_assert(leg->after_available == other->after_available);
        cr_assert(leg->delta_held == other->delta_held);
        cr_assert(leg->after_held == other->after_held);
    }
}

static void expect_record(const struct record *record, const struct golden *expected)
{
    cr_assert_eq(record->kind, expected->kind);
    switch ((int)record->kind) {
    case RECORD_CONSUMED: expect_event(&record->u.consumed, &expected->event); break;
    case RECORD_VALIDATED: expect_legs(&record->u.validated, expected); break;
    case RECORD_REJECTED: cr_assert_eq(record->u.rejected, expected->reason); break;
    case RECORD_DUPLICATE:
    case RECORD_CONFLICT:
        cr_assert_eq(record->u.repeat.first_seq, expected->repeat.first_seq);
        cr_assert_eq(record->u.repeat.first_position, expected->repeat.first_position);
        break;
    case RECORD_PERSISTED:
        cr_assert_eq(record->u.persisted.first_seq, expected->persisted.first_seq);
        cr_assert_eq(record->u.persisted.last_seq, expected->persisted.last_seq);
        cr_assert_eq(record->u.persisted.time_us, expected->persisted.time_us);
        break;
    case RECORD_ASSET:
        cr_assert_eq(record->u.asset.id, expected->asset.id);
        cr_assert_eq(record->u.asset.scale, expected->asset.scale);
        cr_assert_str_eq(record->u.asset.symbol, expected->asset.symbol);
        break;
    case RECORD_SOURCE:
        expect_text(record->u.source.name, (settle_text){expected->source, strlen(expected->source)});
        cr_assert_eq(record->u.source.offset_bytes, expected->offset_bytes);
        cr_assert_eq(record->u.source.line, expected->line);
        break;
    default: cr_assert_eq(record->length_bytes, RECORD_HEADER_BYTES + expected->skippable);
    }
}

static void golden_place(void)
{
    struct journal_files files;
    golden_read(&files);
    journal_files_store(data_fd, &files);
    journal_files_free(&files);
}

Test(golden, every_record_decodes_for_ever)
{
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    begin();
    golden_place();
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    cr_assert_eq(memcmp(journal_reader_id(reader), golden_id, 16), 0);
    cr_assert_eq(journal_reader_segments(reader)->entries[0].header.created_us, GOLDEN_TIME_US);
    journal_reader_begin(reader, &point);
    size_t frames = 0, i = 0;
    uint64_t seq = 1;
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        size_t offset = 0;
        struct record record;
        cr_assert_eq(frame.time_us, GOLDEN_TIME_US + frames * GOLDEN_FRAME_US);
        cr_assert_eq(frame.first_seq, seq);
        for (; frame_next_record(&frame, &offset, &record); i++) {
            bool is_event = record.kind <= RECORD_CONFLICT;
            expect_record(&record, &golden[i]);
            cr_assert_eq(record.seq, is_event ? seq : 0);
            if (record.kind != RECORD_PERSISTED)
                cr_assert_eq(record.time_us, frame.time_us + golden[i].delta_us);
            seq += is_decision(record.kind);
        }
        cr_assert(i == GOLDEN_COUNT || (int)golden[i].kind == 0);
        i++;
        frames++;
    }
    cr_assert_eq(frames, GOLDEN_FRAMES);
    cr_assert_eq(seq, GOLDEN_EVENTS + 1);
    cr_assert_eq(point.persisted_seq, GOLDEN_EVENTS);
    cr_assert_eq(journal_reader_tail(reader)->torn_position, 0);
    struct event_records event;
    EXPECT_OK(journal_reader_event(reader, FIRST_POSITION, &event, &test_error));
    cr_assert_str_eq(event.id, "deposit_1001_2_1733856600000");
    journal_reader_close(reader);
    end();
}

Test(golden, a_writer_goes_on_behind_it)
{
    struct journal_scan scan;
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    begin();
    golden_place();
    journal_scan(data_fd, &scan);
    cr_assert_eq(scan.frame_count, GOLDEN_FRAMES);
    EXPECT_OK(journal_writer_open(data_fd, &mem_libc, &scan.end, &writer, &test_error));
    EXPECT_OK(frame_buffer_init(writer, &buffer, &test_error));
    frame_begin(writer, &buffer, scan.end.next_seq, scan.end.time_us);
    frame_append(&buffer, record_encode_asset(frame_at_end(&buffer), 0, &golden[0].asset));
    frame_close(writer, &buffer);
    EXPECT_OK(journal_writer_commit(writer, &buffer, &test_error));
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
    journal_scan(data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK);
    cr_assert_eq(scan.frame_count, GOLDEN_FRAMES + 1);
    end();
}

/* Computed from docs/seals.md by another program: a seal made today must hold for ever. */
Test(golden, its_seal_is_the_same_for_ever)
{
    begin();
    golden_place();
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    struct sealing sealing;
    char text[SEAL_DIGEST_TEXT_BYTES];
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    sealing_init(&sealing, journal_reader_id(reader), &point, &mem_libc);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK)
        EXPECT_OK(sealing_add(&sealing, &frame, &point, NULL, NULL, &test_error));
    cr_assert_eq(sealing.tree.size, 18);
    cr_assert_eq(sealing.point.position, 17408);
    cr_assert_eq(sealing.point.time_us, UINT64_C(1733886600000001));
    struct digest root = merkle_root(&sealing.tree), assets = sealing_assets(&sealing);
    seal_digest_text(&root, text);
    cr_assert_str_eq(text, "3eCwxzCKw3AwhQMB8DDS3bh5nt38hEFOxLf7ZIK7HMQ=");
    seal_digest_text(&sealing.frames, text);
    cr_assert_str_eq(text, "zhrwbv5eRhCC0Qj2LPLil69kEQvLQMoRHcFm3oHxQo8=");
    seal_digest_text(&assets, text);
    cr_assert_str_eq(text, "p8VzIgNPjsRPFV7/Yj3bxQnXgfWCH01v0Gl11Y0f/Sk=");
    sealing_deinit(&sealing);
    journal_reader_close(reader);
    end();
}
