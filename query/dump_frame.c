/*
 * dump_frame.c — one frame, or one event of it: every field of its bytes, every checksum computed again and called good or
 * bad, the bytes themselves on demand. Damage is shown as far as there is anything to show, and then named.
 */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/base/status.h"
#include "journal/recover.h"
#include "journal/watermark.h"
#include "query/dump.h"

#define HEX_WIDTH 16u

struct look {
    struct dump dump;
    const struct dump_frame_options *options;
    uint64_t offset;   /* of the frame in its file */
    uint64_t limit;    /* of what is durable, as a position; UINT64_MAX: all */
    const char *fault; /* the first one; NULL: none */
    uint64_t fault_offset, fault_seq;
    uint64_t shown; /* records of the event asked for */
};

static void note_fault(struct look *look, uint64_t offset, uint64_t seq, const char *fault)
{
    if (look->fault != NULL || fault == NULL)
        return;
    look->fault = fault;
    look->fault_offset = offset;
    look->fault_seq = seq;
}

/* A checksum or a mark: its bytes, and whether they are what they must be. */
static void put_check(struct dump *d, const char *key, uint32_t value, bool is_good)
{
    char text[32];
    snprintf(text, sizeof text, "%08" PRIx32 "%s", value, d->as_json ? "" : is_good ? " good" : " BAD");
    dump_string(d, key, text);
    if (!d->as_json)
        return;
    snprintf(text, sizeof text, "%s_ok", key);
    json_bool(&d->json, text, is_good);
}

static void put_hex(struct look *look, uint64_t offset, const uint8_t *bytes, size_t count)
{
    struct dump *d = &look->dump;
    char hex[2 * HEX_WIDTH + 1];
    if (!look->options->hex)
        return;
    if (d->as_json) {
        char *text = malloc(2 * count + 1);
        if (text != NULL)
            dump_hex_text(bytes, count, text);
        json_string(&d->json, "hex", text);
        free(text);
        return;
    }
    for (size_t i = 0; i < count; i += HEX_WIDTH) {
        size_t part = count - i < HEX_WIDTH ? count - i : HEX_WIDTH;
        out_format(d->out, "\n%10" PRIu64 "  ", offset + i);
        for (size_t k = 0; k < part; k++) {
            dump_hex_text(bytes + i + k, 1, hex);
            out_format(d->out, " %s%s", k == HEX_WIDTH / 2 ? " " : "", hex);
        }
        out_repeat(d->out, ' ', 3 * (HEX_WIDTH - part) + (part <= HEX_WIDTH / 2) + 2);
        for (size_t k = 0; k < part; k++)
            out_repeat(d->out, bytes[i + k] >= 0x20 && bytes[i + k] < 0x7f ? (char)bytes[i + k] : '.', 1);
    }
}

/* ---- The frame ---- */

static uint32_t header_crc(const struct look *look, const uint8_t *header)
{
    return crc32c(crc32c(0, look->dump.header.journal_id, 16), header, FRAME_HEADER_CRC);
}

/* Behind the last record as far as their lengths can be believed; and the chain value over their checksums. */
static size_t chain_of(const uint8_t *bytes, size_t length, uint32_t records, uint32_t *ret_chain)
{
    size_t at = FRAME_HEADER_BYTES, end = length - FRAME_TRAILER_BYTES;
    uint32_t chain = crc32c(get_u32(bytes + FRAME_PREVIOUS_CHAIN), bytes, FRAME_PREVIOUS_CHAIN);
    for (uint32_t i = 0; i < records; i++) {
        uint16_t bytes_of_record = end - at >= RECORD_HEADER_BYTES ? get_u16(bytes + at + RECORD_LENGTH) : 0;
        if (bytes_of_record < RECORD_HEADER_BYTES || bytes_of_record > end - at)
            break;
        chain = crc32c(chain, bytes + at + RECORD_CRC, 4);
        at += bytes_of_record;
    }
    *ret_chain = chain;
    return at;
}

static void put_header(struct look *look, const uint8_t *bytes, size_t length)
{
    struct dump *d = &look->dump;
    char time[PRINT_TIME_BYTES], chain_text[9];
    uint32_t chain = 0;
    bool is_whole = length > 0;
    size_t end = is_whole ? chain_of(bytes, length, get_u32(bytes + FRAME_RECORD_COUNT), &chain) : 0;
    dump_line_begin(d, "FRAME", look->offset);
    put_check(d, "magic", get_u32(bytes + FRAME_MAGIC_AT), get_u32(bytes + FRAME_MAGIC_AT) == FRAME_MAGIC);
    dump_u64(d, "bytes", get_u32(bytes + FRAME_LENGTH));
    dump_u64(d, "first_seq", get_u64(bytes + FRAME_FIRST_SEQ));
    dump_u64(d, "events", get_u32(bytes + FRAME_EVENT_COUNT));
    dump_u64(d, "records", get_u32(bytes + FRAME_RECORD_COUNT));
    dump_string(d, "timestamp", print_time_us(get_u64(bytes + FRAME_TIME_US), time));
    dump_u64(d, "position", get_u64(bytes + FRAME_POSITION));
    snprintf(chain_text, sizeof chain_text, "%08" PRIx32, get_u32(bytes + FRAME_PREVIOUS_CHAIN));
    dump_string(d, "previous_chain", chain_text); /* good or bad by the frame before alone */
    put_check(d, "chain", get_u32(bytes + FRAME_CHAIN), is_whole && chain == get_u32(bytes + FRAME_CHAIN));
    put_check(d, "header_crc", get_u32(bytes + FRAME_HEADER_CRC),
              get_u32(bytes + FRAME_HEADER_CRC) == header_crc(look, bytes));
    put_check(d, "header_end", get_u32(bytes + FRAME_HEADER_END), get_u32(bytes + FRAME_HEADER_END) == FRAME_END_MAGIC);
    if (is_whole) {
        const uint8_t *trailer = bytes + length - FRAME_TRAILER_BYTES;
        dump_u64(d, "padding", length - FRAME_TRAILER_BYTES - end);
        dump_u64(d, "trailer_bytes", get_u32(trailer));
        put_check(d, "trailer_end", get_u32(trailer + 4),
                  get_u32(trailer + 4) == FRAME_END_MAGIC && get_u32(trailer) == length);
    }
    put_hex(look, look->offset, bytes, FRAME_HEADER_BYTES);
    dump_line_end(d);
}

/* ---- Records ---- */

static bool is_wanted(const struct look *look, const uint8_t *record, uint64_t first_seq)
{
    return !look->options->by_seq ||
           (record[RECORD_KIND] >= RECORD_CONSUMED && record[RECORD_KIND] <= RECORD_CONFLICT &&
            first_seq + get_u32(record + RECORD_SEQ_DELTA) == look->options->seq);
}

static void put_record(struct look *look, const uint8_t *at, size_t length, struct record_base base, uint64_t offset)
{
    struct dump *d = &look->dump;
    struct record record = {.kind = RECORD_SKIPPABLE};
    uint64_t position = d->header.ordinal * d->header.segment_bytes + offset;
    uint32_t crc = get_u32(at + RECORD_CRC);
    bool is_good = crc == record_crc(at, position);
    const char *fault = record_decode(at, length, base, &record);
    dump_line_begin(d, fault == NULL ? dump_kind_name(record.kind) : "DAMAGED", offset);
    dump_u64(d, "position", position);
    dump_u64(d, "bytes", length);
    dump_u64(d, "kind", at[RECORD_KIND]);
    put_check(d, "crc", crc, is_good);
    dump_u64(d, "seq_delta", get_u32(at + RECORD_SEQ_DELTA));
    dump_u64(d, "time_delta_us", get_u32(at + RECORD_TIME_DELTA));
    if (at[RECORD_KIND] == RECORD_CONSUMED) {
        dump_u64(d, "flags", get_u16(at + CONSUMED_FLAGS));
        dump_u64(d, "frame_back_bytes", get_u32(at + CONSUMED_FRAME_BACK));
    }
    if (fault == NULL)
        dump_record_members(d, &record);
    else
        dump_string(d, "fault", fault);
    put_hex(look, offset, at, length);
    dump_line_end(d);
    look->shown++;
    note_fault(look, offset, base.first_seq + get_u32(at + RECORD_SEQ_DELTA),
               is_good ? fault : "a record's checksum does not fit");
}

static void put_records(struct look *look, const uint8_t *bytes, size_t length)
{
    struct record_base base = {get_u64(bytes + FRAME_FIRST_SEQ), get_u64(bytes + FRAME_TIME_US)};
    size_t at = FRAME_HEADER_BYTES, end = length - FRAME_TRAILER_BYTES;
    for (uint32_t i = 0; i < get_u32(bytes + FRAME_RECORD_COUNT); i++) {
        uint16_t count = end - at >= RECORD_HEADER_BYTES ? get_u16(bytes + at + RECORD_LENGTH) : 0;
        if (count < RECORD_HEADER_BYTES || count % 8 != 0 || count > end - at) {
            note_fault(look, look->offset + at, base.first_seq, "a record's length is out of range");
            return;
        }
        if (is_wanted(look, bytes + at, base.first_seq))
            put_record(look, bytes + at, count, base, look->offset + at);
        at += count;
    }
}

static settle_status show_frame(struct look *look, settle_error *error)
{
    struct dump *d = &look->dump;
    struct frame frame;
    uint64_t position = d->header.ordinal * d->header.segment_bytes + look->offset, seq = 0;
    size_t fault_offset = 0;
    settle_status status = dump_load(d, look->offset, FRAME_HEADER_BYTES, error);
    if (status != SETTLE_OK)
        return status;
    note_fault(look, look->offset, 0, frame_header_fault(d->bytes, d->header.journal_id, position, &frame));
    uint64_t length = get_u32(d->bytes + FRAME_LENGTH), room = d->header.segment_bytes - look->offset;
    if (length % FRAME_ALIGN != 0 || length <= FRAME_HEADER_BYTES || length > FRAME_BYTES_MAX || length > room) {
        note_fault(look, look->offset, 0, "the frame's length is out of range");
        put_header(look, d->bytes, 0);
        return SETTLE_OK;
    }
    if (look->limit < position + length)
        return fail(error, SETTLE_E_NOT_FOUND, "the writer has not told yet that this frame is durable");
    status = dump_load(d, look->offset, length, error);
    if (status != SETTLE_OK)
        return status;
    put_header(look, d->bytes, length);
    put_records(look, d->bytes, length);
    if (look->fault == NULL) {
        frame.bytes = d->bytes;
        const char *fault = frame_body_fault(&frame, &fault_offset, &seq);
        note_fault(look, look->offset + fault_offset, seq, fault);
    }
    return SETTLE_OK;
}

/* ---- Finding it ---- */

/* The next place from *offset on where the header of a frame is good; the segment's end when there is none. */
static settle_status next_header(struct look *look, uint64_t *offset, struct frame *ret_frame, settle_error *error)
{
    struct dump *d = &look->dump;
    uint64_t base = d->header.ordinal * d->header.segment_bytes;
    uint64_t end = d->file_bytes < d->header.segment_bytes ? d->file_bytes : d->header.segment_bytes;
    settle_status status = SETTLE_OK;
    for (; status == SETTLE_OK && *offset + FRAME_HEADER_BYTES <= end; *offset += FRAME_ALIGN) {
        status = dump_load(d, *offset, FRAME_HEADER_BYTES, error);
        if (status == SETTLE_OK && get_u32(d->bytes) == FRAME_MAGIC &&
            frame_header_fault(d->bytes, d->header.journal_id, base + *offset, ret_frame) == NULL)
            return SETTLE_OK;
    }
    *offset = d->header.segment_bytes;
    return status;
}

/* The frame that holds the event, or the byte. Its header is good, unless a frame is said to begin just there. */
static settle_status find_frame(struct look *look, settle_error *error)
{
    const struct dump_frame_options *options = look->options;
    struct dump *d = &look->dump;
    uint64_t wanted = options->position % d->header.segment_bytes;
    for (uint64_t offset = SEGMENT_HEADER_BYTES;;) {
        struct frame frame;
        uint64_t from = offset;
        settle_status status = next_header(look, &offset, &frame, error);
        if (status != SETTLE_OK)
            return status;
        bool is_gap = !options->by_seq && wanted >= from && wanted < offset && wanted % FRAME_ALIGN == 0;
        if (is_gap && wanted + FRAME_HEADER_BYTES <= d->file_bytes) {
            look->offset = wanted;
            return SETTLE_OK;
        }
        if (offset >= d->header.segment_bytes)
            return options->by_seq
                       ? fail(error, SETTLE_E_NOT_FOUND, "no frame holds seq %" PRIu64, options->seq)
                       : fail(error, SETTLE_E_NOT_FOUND, "no frame holds byte %" PRIu64 " of %.200s", wanted, d->path);
        bool holds = options->by_seq
                         ? options->seq >= frame.first_seq && options->seq - frame.first_seq < frame.event_count
                         : wanted >= offset && wanted < offset + frame.length_bytes;
        if (holds) {
            look->offset = offset;
            return SETTLE_OK;
        }
        offset += frame.length_bytes;
    }
}

/* The segment that holds the event or the position. */
static settle_status choose_segment(int journal_fd, const struct dump_frame_options *options,
                                    char ret_name[SEGMENT_NAME_BYTES], settle_error *error)
{
    struct segment_list list;
    settle_status status = segment_list_read(journal_fd, &mem_libc, &list, error);
    if (status != SETTLE_OK)
        return status;
    bool is_archived = false;
    ret_name[0] = '\0';
    for (size_t i = 0; i < list.count; i++) {
        const struct segment_header *header = &list.entries[i].header;
        bool fits = options->by_seq ? header->first_seq <= options->seq
                                    : header->ordinal == options->position / header->segment_bytes;
        if (fits)
            memcpy(ret_name, list.entries[i].name, sizeof list.entries[i].name);
        if (fits)
            is_archived = list.entries[i].is_archived;
    }
    segment_list_free(&list);
    if (is_archived)
        return fail_at(error, SETTLE_E_UNSUPPORTED, "archive", 0, 0,
                       "the frame is archived: unpack archive/%s.zst with zstd -d and inspect that file", ret_name);
    if (ret_name[0] != '\0')
        return SETTLE_OK;
    return options->by_seq ? fail(error, SETTLE_E_NOT_FOUND, "no segment holds seq %" PRIu64, options->seq)
                           : fail(error, SETTLE_E_NOT_FOUND, "no segment holds position %" PRIu64, options->position);
}

/* By the directory; *ret_fd is the journal's. */
static settle_status open_journal(struct look *look, const char *directory, char name[SEGMENT_NAME_BYTES], int *ret_fd,
                                  settle_error *error)
{
    struct watermark watermark = {.is_known = false};
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = dir_open_at(data_fd, "journal", false, ret_fd, error);
    if (status == SETTLE_OK && lock_is_held_at(data_fd))
        status = watermark_read(*ret_fd, &watermark, error);
    if (status == SETTLE_OK && watermark.is_known && watermark.is_appending)
        look->limit = watermark.position;
    file_close(data_fd);
    return status == SETTLE_OK ? choose_segment(*ret_fd, look->options, name, error) : status;
}

static settle_status look_run(struct look *look, const char *directory, settle_error *error)
{
    char name[SEGMENT_NAME_BYTES];
    int journal_fd = -1;
    settle_status status = SETTLE_OK;
    if (look->dump.path == NULL) {
        status = open_journal(look, directory, name, &journal_fd, error);
        look->dump.path = name;
    }
    if (status == SETTLE_OK)
        status = dump_open(&look->dump, journal_fd >= 0 ? journal_fd : AT_FDCWD, error);
    file_close(journal_fd);
    if (status == SETTLE_OK)
        status = find_frame(look, error);
    if (status == SETTLE_OK)
        status = show_frame(look, error);
    if (status == SETTLE_OK && look->fault != NULL)
        status =
            fail_at(error, SETTLE_E_CORRUPT, look->dump.path, look->fault_offset, look->fault_seq, "%s", look->fault);
    return status;
}

settle_status query_dump_frame(const char *directory, const char *path, const struct dump_frame_options *options,
                               struct out *out, settle_error *error)
{
    struct look look = {.dump = {.path = path, .fd = -1, .as_json = options->as_json, .out = out, .json = json_on(out)},
                        .options = options,
                        .limit = UINT64_MAX};
    settle_status status = look_run(&look, directory, error);
    dump_close(&look.dump);
    return status;
}
