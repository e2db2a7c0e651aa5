/*
 * dump.c — a segment file in clear text or NDJSON: its header, its frames, its records, as far as the bytes are good.
 *
 * Needs nothing but the file, so that a copy, a golden file or a damaged one can be looked at; amounts are therefore in
 * minor units, for the assets' scales may be declared in another segment. Owns the file and one frame's bytes.
 */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/status.h"
#include "journal/recover.h"
#include "query/dump.h"

const char *dump_kind_name(enum record_kind kind)
{
    switch (kind) {
    case RECORD_CONSUMED: return "CONSUMED";
    case RECORD_VALIDATED: return "VALIDATED";
    case RECORD_REJECTED: return "REJECTED";
    case RECORD_DUPLICATE: return "DUPLICATE";
    case RECORD_CONFLICT: return "CONFLICT";
    case RECORD_PERSISTED: return "PERSISTED";
    case RECORD_ASSET: return "ASSET";
    case RECORD_SOURCE: return "SOURCE";
    case RECORD_SKIPPABLE: break;
    }
    return "UNKNOWN";
}

void dump_hex_text(const uint8_t *bytes, size_t count, char *ret_text)
{
    for (size_t i = 0; i < count; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- The parts of a record, as members ---- */

/*
 * One way to print for both forms: a member is `"key":value` in JSON and ` key=value` as text, so that a record is
 * described once.
 */
void dump_text(struct dump *d, const char *key, settle_text text)
{
    if (d->as_json) {
        json_text(&d->json, key, text);
        return;
    }
    out_format(d->out, " %s=", key);
    out_visible_text(d->out, text);
}

void dump_string(struct dump *d, const char *key, const char *text)
{
    dump_text(d, key, (settle_text){text, strlen(text)});
}

void dump_u64(struct dump *d, const char *key, uint64_t value)
{
    char text[PRINT_U64_BYTES];
    if (d->as_json)
        json_u64(&d->json, key, value);
    else
        dump_string(d, key, print_u64(value, text));
}

static void member_user(struct dump *d, const char *key, uint64_t user)
{
    char text[PRINT_USER_BYTES];
    if (d->as_json)
        json_user(&d->json, key, user);
    else
        dump_string(d, key, print_user(user, text));
}

static void member_amount(struct dump *d, const char *key, settle_int128 amount)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(amount, 0, text);
    dump_string(d, key, text);
}

void dump_line_begin(struct dump *d, const char *kind, uint64_t offset)
{
    if (d->as_json) {
        d->json = json_on(d->out);
        json_object(&d->json, NULL);
        json_string(&d->json, "record", kind);
        json_u64(&d->json, "offset", offset);
    } else {
        out_format(d->out, "%10" PRIu64 "  %-9s", offset, kind);
    }
}

void dump_line_end(struct dump *d)
{
    if (d->as_json) {
        json_object_end(&d->json);
        json_line_end(&d->json);
    } else {
        out_text(d->out, "\n");
    }
}

/* ---- Records ---- */

static void dump_trade(struct dump *d, const settle_trade *t)
{
    if (t->trade_id.bytes > 0)
        dump_text(d, "trade_id", t->trade_id);
    member_user(d, "buyer", t->buyer);
    member_user(d, "seller", t->seller);
    dump_u64(d, "base_id", t->base);
    dump_u64(d, "quote_id", t->quote);
    member_amount(d, "quantity", t->quantity);
    if (t->price.mantissa != 0) {
        member_amount(d, "price_mantissa", (settle_int128)t->price.mantissa);
        dump_u64(d, "price_scale", t->price.scale);
    }
    if (t->quote_amount != 0)
        member_amount(d, "quote_amount", t->quote_amount);
    member_amount(d, "buyer_fee", t->buyer_fee);
    member_amount(d, "seller_fee", t->seller_fee);
}

static void dump_consumed(struct dump *d, const settle_event *event)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event_id_format(event, id);
    dump_string(d, "event_id", id);
    dump_string(d, "type", settle_type_name(event->type));
    dump_u64(d, "ts", event->ts_ms);
    if (event->type == SETTLE_TRADE) {
        dump_trade(d, &event->u.trade);
        return;
    }
    member_user(d, "user", event->u.transfer.user);
    dump_u64(d, "asset_id", event->u.transfer.asset);
    member_amount(d, "amount", event->u.transfer.amount);
}

static void dump_leg(struct dump *d, const settle_leg *leg)
{
    if (d->as_json)
        json_object(&d->json, NULL);
    else
        out_text(d->out, "\n                       ");
    member_user(d, "user", leg->user);
    dump_u64(d, "asset_id", leg->asset);
    member_amount(d, "delta", leg->delta_available);
    member_amount(d, "after", leg->after_available);
    if (leg->delta_held != 0 || leg->after_held != 0) {
        member_amount(d, "delta_held", leg->delta_held);
        member_amount(d, "after_held", leg->after_held);
    }
    dump_u64(d, "version", leg->version);
    dump_u64(d, "previous_position", leg->previous_position);
    if (d->as_json)
        json_object_end(&d->json);
}

static void dump_validated(struct dump *d, const struct record_validated *validated)
{
    if (d->as_json)
        json_array(&d->json, "effects");
    for (uint32_t i = 0; i < validated->leg_count; i++)
        dump_leg(d, &validated->legs[i]);
    if (d->as_json)
        json_array_end(&d->json);
}

static void dump_note(struct dump *d, const struct record *record)
{
    switch (record->kind) {
    case RECORD_PERSISTED:
        dump_u64(d, "first_seq", record->u.persisted.first_seq);
        dump_u64(d, "last_seq", record->u.persisted.last_seq);
        break;
    case RECORD_ASSET:
        dump_string(d, "asset", record->u.asset.symbol);
        dump_u64(d, "id", record->u.asset.id);
        dump_u64(d, "scale", record->u.asset.scale);
        break;
    case RECORD_SOURCE:
        dump_text(d, "source", record->u.source.name);
        dump_u64(d, "source_offset", record->u.source.offset_bytes);
        dump_u64(d, "source_line", record->u.source.line);
        break;
    default: break;
    }
}

void dump_record_members(struct dump *d, const struct record *record)
{
    char time[PRINT_TIME_BYTES];
    if (record->kind <= RECORD_CONFLICT)
        dump_u64(d, "seq", record->seq);
    if (record->kind != RECORD_SOURCE && record->kind < RECORD_SKIPPABLE)
        dump_string(
            d, "timestamp",
            print_time_us(record->kind == RECORD_PERSISTED ? record->u.persisted.time_us : record->time_us, time));
    switch (record->kind) {
    case RECORD_CONSUMED: dump_consumed(d, &record->u.consumed); break;
    case RECORD_VALIDATED: dump_validated(d, &record->u.validated); break;
    case RECORD_REJECTED: dump_string(d, "reason", settle_reason_name(record->u.rejected)); break;
    case RECORD_DUPLICATE:
    case RECORD_CONFLICT:
        dump_u64(d, "first_seq", record->u.repeat.first_seq);
        dump_u64(d, "first_position", record->u.repeat.first_position);
        break;
    default: dump_note(d, record); break;
    }
}

static void dump_record(struct dump *d, const struct record *record)
{
    dump_line_begin(d, dump_kind_name(record->kind), record->position % d->header.segment_bytes);
    dump_record_members(d, record);
    dump_line_end(d);
}

/* ---- Frames ---- */

static void dump_frame(struct dump *d, const struct frame *frame)
{
    struct record record;
    size_t offset = 0;
    char chain[9], time[PRINT_TIME_BYTES];
    snprintf(chain, sizeof chain, "%08" PRIx32, frame->chain);
    dump_line_begin(d, "FRAME", frame->position % d->header.segment_bytes);
    dump_u64(d, "bytes", frame->length_bytes);
    dump_u64(d, "first_seq", frame->first_seq);
    dump_u64(d, "events", frame->event_count);
    dump_u64(d, "records", frame->record_count);
    dump_string(d, "timestamp", print_time_us(frame->time_us, time));
    dump_string(d, "chain", chain);
    dump_line_end(d);
    while (frame_next_record(frame, &offset, &record))
        dump_record(d, &record);
}

static void dump_header(struct dump *d)
{
    const struct segment_header *h = &d->header;
    char id[33], chain[9], time[PRINT_TIME_BYTES];
    dump_hex_text(h->journal_id, sizeof h->journal_id, id);
    snprintf(chain, sizeof chain, "%08" PRIx32, h->previous_chain);
    dump_line_begin(d, "SEGMENT", 0);
    dump_u64(d, "format", FORMAT_VERSION);
    dump_u64(d, "compatible", h->compatible);
    dump_u64(d, "incompatible", h->incompatible);
    dump_string(d, "journal_id", id);
    dump_u64(d, "ordinal", h->ordinal);
    dump_u64(d, "first_seq", h->first_seq);
    dump_u64(d, "segment_bytes", h->segment_bytes);
    dump_string(d, "timestamp", print_time_us(h->created_us, time));
    dump_string(d, "previous_chain", chain);
    dump_line_end(d);
}

settle_status dump_load(struct dump *d, uint64_t offset, size_t count, settle_error *error)
{
    if (count > d->capacity) {
        uint8_t *bytes = mem_resize(&mem_libc, d->bytes, count, 1);
        if (bytes == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu bytes of a segment", count);
        d->bytes = bytes;
        d->capacity = count;
    }
    return file_read_zeros(d->fd, d->path, offset, d->bytes, count, error);
}

/* The frame at `point`, checked; *ret_fault NULL when it is good. */
static settle_status frame_load(struct dump *d, const struct journal_point *point, struct frame *ret_frame,
                                const char **ret_fault, settle_error *error)
{
    uint64_t offset = point->position % d->header.segment_bytes, fault_seq = 0;
    size_t fault_offset = 0;
    settle_status status = dump_load(d, offset, FRAME_HEADER_BYTES, error);
    if (status != SETTLE_OK)
        return status;
    *ret_fault = frame_header_fault(d->bytes, d->header.journal_id, point->position, ret_frame);
    if (*ret_fault == NULL && ret_frame->length_bytes > d->header.segment_bytes - offset)
        *ret_fault = "the frame does not end in this segment";
    if (*ret_fault != NULL)
        return SETTLE_OK;
    status = dump_load(d, offset, ret_frame->length_bytes, error);
    if (status != SETTLE_OK)
        return status;
    ret_frame->bytes = d->bytes;
    *ret_fault = frame_body_fault(ret_frame, &fault_offset, &fault_seq);
    if (*ret_fault == NULL)
        *ret_fault = frame_order_fault(ret_frame, point);
    return SETTLE_OK;
}

/* Offset behind the last byte from `offset` on that is not zero; `offset` when all are. */
static settle_status find_end(struct dump *d, uint64_t offset, uint64_t *ret_end, settle_error *error)
{
    uint64_t end = offset;
    for (uint64_t at = offset; at < d->file_bytes;) {
        size_t count = d->file_bytes - at < 65536 ? (size_t)(d->file_bytes - at) : 65536;
        settle_status status = dump_load(d, at, count, error);
        if (status != SETTLE_OK)
            return status;
        for (size_t i = count; i > 0; i--) {
            if (d->bytes[i - 1] != 0) {
                end = at + i;
                break;
            }
        }
        at += count;
    }
    *ret_end = end;
    return SETTLE_OK;
}

/* What stands where no frame is: nothing, a torn frame, or damage. */
static settle_status dump_rest(struct dump *d, const struct journal_point *point, const char *fault,
                               settle_error *error)
{
    uint64_t offset = point->position % d->header.segment_bytes, end = 0;
    settle_status status = find_end(d, offset, &end, error);
    if (status != SETTLE_OK || end == offset)
        return status;
    size_t count = (size_t)(end - offset);
    bool is_torn = false;
    if (count <= FRAME_BYTES_MAX) {
        status = dump_load(d, offset, count, error);
        if (status != SETTLE_OK)
            return status;
        is_torn = frame_tail_shape(d->bytes, count, d->header.journal_id, point, offset, &fault) == TAIL_TORN;
    }
    if (!is_torn)
        return fail_at(error, SETTLE_E_CORRUPT, d->path, offset, point->next_seq, "%s", fault);
    dump_line_begin(d, "TORN", offset);
    dump_u64(d, "bytes", count);
    dump_line_end(d);
    return SETTLE_OK;
}

static settle_status dump_run(struct dump *d, settle_error *error)
{
    dump_header(d);
    struct journal_point point = {
        .position = d->header.ordinal * d->header.segment_bytes + SEGMENT_HEADER_BYTES,
        .next_seq = d->header.first_seq,
        .persisted_seq = POINT_PERSISTED_UNKNOWN,
        .chain = d->header.previous_chain,
    };
    uint64_t segment_end = (d->header.ordinal + 1) * d->header.segment_bytes;
    while (segment_end - point.position >= FRAME_HEADER_BYTES) {
        struct frame frame;
        const char *fault = NULL;
        settle_status status = frame_load(d, &point, &frame, &fault, error);
        if (status != SETTLE_OK)
            return status;
        if (fault != NULL)
            return dump_rest(d, &point, fault, error);
        dump_frame(d, &frame);
        point = frame_end_point(&frame, &point);
    }
    return SETTLE_OK;
}

settle_status dump_open(struct dump *dump, int borrow_directory_fd, settle_error *error)
{
    settle_status status = file_open_shared_at(borrow_directory_fd, dump->path, FILE_READ, 0600, &dump->fd, error);
    if (status == SETTLE_OK)
        status = file_size(dump->fd, dump->path, &dump->file_bytes, error);
    if (status == SETTLE_OK)
        status = dump_load(dump, 0, SEGMENT_HEADER_BYTES, error);
    return status == SETTLE_OK ? segment_header_decode(dump->bytes, dump->path, &dump->header, error) : status;
}

void dump_close(struct dump *dump)
{
    mem_free(&mem_libc, dump->bytes);
    file_close(dump->fd);
}

settle_status query_dump_segment(const char *path, bool as_json, struct out *out, settle_error *error)
{
    struct dump dump = {.path = path, .fd = -1, .as_json = as_json, .out = out, .json = json_on(out)};
    settle_status status = dump_open(&dump, AT_FDCWD, error);
    if (status == SETTLE_OK)
        status = dump_run(&dump, error);
    dump_close(&dump);
    return status;
}
