/*
 * damage.c — a journal's bytes, frame by frame, past what is damaged.
 *
 * Where a frame is damaged and its header is not, the next frame begins where the header says; else the next valid header
 * of this journal is searched, at multiples of 64. Damage between two valid frames is one fault, however many bytes it has.
 * Owns the list of files and one frame's bytes.
 */
#include "query/damage.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/status.h"
#include "journal/recover.h"
#include "journal/watermark.h"

#define SEARCH_BYTES ((size_t)256 << 10) /* a multiple of FRAME_ALIGN */

struct segment_file {
    char name[SEGMENT_NAME_BYTES];
    uint64_t first_seq, ordinal;
};

struct scan {
    int journal_fd, fd; /* fd: of the segment at hand */
    struct segment_file *files;
    size_t file_count, index;
    bool has_header; /* one of the headers could be read: the next two are known */
    uint8_t journal_id[16];
    uint64_t segment_bytes, limit;
    uint64_t file_bytes;
    /* What the frame or segment to come must follow; without it only its own bytes are judged. */
    bool has_before;
    struct journal_point before;
    uint8_t *bytes;
    size_t capacity;
    damage_found found;
    void *context;
};

static void tell(const struct scan *s, uint64_t offset, uint64_t seq, const char *sentence)
{
    settle_error fault = {.status = SETTLE_OK};
    char file[SEGMENT_NAME_BYTES + 16];
    snprintf(file, sizeof file, "journal/%s", s->files[s->index].name);
    (void)fail_at(&fault, SETTLE_E_CORRUPT, file, offset, seq, "%s", sentence);
    s->found(s->context, &fault);
}

/* `count` bytes of the segment at hand, zeros where its file is shorter. */
static settle_status load(struct scan *s, uint64_t offset, size_t count, settle_error *error)
{
    if (count > s->capacity) {
        uint8_t *bytes = mem_resize(&mem_libc, s->bytes, count, 1);
        if (bytes == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu bytes of a segment", count);
        s->bytes = bytes;
        s->capacity = count;
    }
    return file_read_zeros(s->fd, s->files[s->index].name, offset, s->bytes, count, error);
}

/* ---- Between frames ---- */

static bool is_header(const struct scan *s, const uint8_t *bytes, uint64_t position)
{
    struct frame frame;
    return get_u32(bytes + FRAME_MAGIC_AT) == FRAME_MAGIC &&
           frame_header_fault(bytes, s->journal_id, position, &frame) == NULL;
}

/* The next valid header from `offset` on; the segment's end when there is none. *ret_last: behind the last byte before it
 * that is not zero, 0 when all are. */
static settle_status search(struct scan *s, uint64_t offset, uint64_t *ret_next, uint64_t *ret_last,
                            settle_error *error)
{
    uint64_t base = s->files[s->index].ordinal * s->segment_bytes;
    uint64_t end = s->file_bytes < s->segment_bytes ? s->file_bytes : s->segment_bytes;
    *ret_last = 0;
    *ret_next = s->segment_bytes;
    if (s->limit < base + end)
        end = s->limit < base ? 0 : s->limit - base;
    for (uint64_t at = offset; at < end; at += SEARCH_BYTES) {
        size_t count = end - at < SEARCH_BYTES ? (size_t)(end - at) : SEARCH_BYTES;
        size_t padded = (count + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
        settle_status status = load(s, at, padded, error);
        if (status != SETTLE_OK)
            return status;
        for (size_t i = 0; i < padded; i += FRAME_ALIGN) {
            if (is_header(s, s->bytes + i, base + at + i)) {
                *ret_next = at + i;
                return SETTLE_OK;
            }
            for (size_t k = i + FRAME_ALIGN; k > i && !bytes_are_zero(s->bytes + i, FRAME_ALIGN); k--)
                if (s->bytes[k - 1] != 0) {
                    *ret_last = at + k;
                    break;
                }
        }
    }
    return SETTLE_OK;
}

/* Whether what stands at the end of the last segment is what a crash leaves. */
static settle_status is_torn(struct scan *s, uint64_t offset, uint64_t last, bool *ret_is_torn, settle_error *error)
{
    const char *reason = NULL;
    *ret_is_torn = false;
    if (s->index + 1 < s->file_count || s->limit != UINT64_MAX || !s->has_before || last - offset > FRAME_BYTES_MAX)
        return SETTLE_OK;
    settle_status status = load(s, offset, (size_t)(last - offset), error);
    if (status != SETTLE_OK)
        return status;
    *ret_is_torn =
        frame_tail_shape(s->bytes, (size_t)(last - offset), s->journal_id, &s->before, offset, &reason) == TAIL_TORN;
    return SETTLE_OK;
}

/* No valid frame at *offset: on to the next one, with a fault for what is between, unless it is the journal's end. */
static settle_status pass_gap(struct scan *s, uint64_t *offset, const char *fault, uint64_t fault_offset,
                              settle_error *error)
{
    uint64_t next = 0, last = 0;
    bool torn = false;
    settle_status status = search(s, *offset + FRAME_ALIGN, &next, &last, error);
    if (status == SETTLE_OK)
        status = load(s, *offset, FRAME_ALIGN, error);
    if (status != SETTLE_OK)
        return status;
    if (last == 0 && !bytes_are_zero(s->bytes, FRAME_ALIGN))
        last = *offset + FRAME_ALIGN;
    if (next == s->segment_bytes && last != 0)
        status = is_torn(s, *offset, last, &torn, error);
    if (status == SETTLE_OK && !torn && (last != 0 || next != s->segment_bytes)) {
        tell(s, fault_offset, s->has_before ? s->before.next_seq : 0, fault);
        s->has_before = false;
    }
    *offset = next;
    return status;
}

/* ---- Frames ---- */

/* The frame whose header stands at *offset and is good. */
static settle_status check_body(struct scan *s, struct frame *frame, uint64_t *offset, settle_error *error)
{
    size_t fault_offset = 0;
    uint64_t fault_seq = frame->first_seq;
    if (*offset + frame->length_bytes > s->segment_bytes - FRAME_ALIGN)
        return pass_gap(s, offset, "the frame is longer than what its segment has left", *offset, error);
    settle_status status = load(s, *offset, frame->length_bytes, error);
    if (status != SETTLE_OK)
        return status;
    frame->bytes = s->bytes;
    const char *fault = frame_body_fault(frame, &fault_offset, &fault_seq);
    if (fault != NULL) {
        uint64_t next = 0, last = 0;
        bool torn = false;
        /* What a crash tore has nothing behind it. */
        status = search(s, *offset + FRAME_ALIGN, &next, &last, error);
        if (status == SETTLE_OK && next == s->segment_bytes)
            status = is_torn(s, *offset, last != 0 ? last : *offset + FRAME_ALIGN, &torn, error);
        if (status != SETTLE_OK || torn) {
            *offset = s->segment_bytes;
            return status;
        }
        tell(s, *offset + fault_offset, fault_seq, fault);
    }
    /* Its place in the order does not depend on its body. */
    struct journal_point before = s->before;
    before.persisted_seq = fault != NULL ? POINT_PERSISTED_UNKNOWN : before.persisted_seq;
    const char *disorder = s->has_before && fault == NULL ? frame_order_fault(frame, &before) : NULL;
    if (disorder != NULL)
        tell(s, *offset, frame->first_seq, disorder);
    if (fault != NULL || disorder != NULL || !s->has_before)
        before.persisted_seq = POINT_PERSISTED_UNKNOWN;
    if (fault == NULL) {
        s->before = frame_end_point(frame, &before);
    } else {
        s->before.position = frame->position + frame->length_bytes;
        s->before.next_seq = frame->first_seq + frame->event_count;
        s->before.time_us = frame->time_us;
        s->before.chain = frame->chain;
        s->before.persisted_seq = POINT_PERSISTED_UNKNOWN;
    }
    s->has_before = true;
    *offset += frame->length_bytes;
    return SETTLE_OK;
}

static settle_status scan_frames(struct scan *s, uint64_t offset, settle_error *error)
{
    uint64_t base = s->files[s->index].ordinal * s->segment_bytes;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && offset + FRAME_HEADER_BYTES <= s->segment_bytes &&
           (s->limit == UINT64_MAX || base + offset + FRAME_HEADER_BYTES <= s->limit)) {
        struct frame frame;
        s->before.position = base + offset;
        status = load(s, offset, FRAME_HEADER_BYTES, error);
        if (status != SETTLE_OK)
            break;
        const char *fault = frame_header_fault(s->bytes, s->journal_id, base + offset, &frame);
        if (fault == NULL && s->limit != UINT64_MAX && base + offset + frame.length_bytes > s->limit)
            break; /* not told of yet */
        status = fault == NULL ? check_body(s, &frame, &offset, error) : pass_gap(s, &offset, fault, offset, error);
    }
    return status;
}

/* ---- Segments ---- */

static int by_ordinal(const void *left, const void *right)
{
    const struct segment_file *a = left, *b = right;
    return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

static settle_status list_files(struct scan *s, settle_error *error)
{
    char **names = NULL;
    size_t count = 0;
    settle_status status = dir_list(s->journal_fd, "journal", &mem_libc, &names, &count, error);
    if (status != SETTLE_OK)
        return status;
    s->files = calloc(count + 1, sizeof *s->files);
    for (size_t i = 0; i < count; i++) {
        struct segment_file *file = s->files != NULL ? &s->files[s->file_count] : NULL;
        if (file != NULL && segment_name_parse(names[i], &file->first_seq, &file->ordinal)) {
            snprintf(file->name, sizeof file->name, "%s", names[i]);
            s->file_count++;
        }
    }
    dir_list_free(names, count, &mem_libc);
    if (s->files == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the list of segments");
    qsort(s->files, s->file_count, sizeof *s->files, by_ordinal);
    return SETTLE_OK;
}

static settle_status open_file(struct scan *s, size_t index, settle_error *error)
{
    file_close(s->fd);
    s->fd = -1;
    s->index = index;
    settle_status status = file_open_at(s->journal_fd, s->files[index].name, FILE_READ, &s->fd, error);
    return status == SETTLE_OK ? file_size(s->fd, s->files[index].name, &s->file_bytes, error) : status;
}

/* Which journal this is, by the first header that can be read. */
static settle_status learn(struct scan *s, settle_error *error)
{
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < s->file_count && status == SETTLE_OK && !s->has_header; i++) {
        struct segment_header header;
        status = open_file(s, i, error);
        if (status == SETTLE_OK)
            status = load(s, 0, SEGMENT_HEADER_BYTES, error);
        if (status != SETTLE_OK || segment_header_decode(s->bytes, s->files[i].name, &header, NULL) != SETTLE_OK)
            continue;
        memcpy(s->journal_id, header.journal_id, sizeof s->journal_id);
        s->segment_bytes = header.segment_bytes;
        s->has_header = true;
    }
    return status;
}

/* NULL, or what is wrong with the header of the segment at hand; then what comes is not compared with what was before. */
static settle_status check_header(struct scan *s, settle_error *error)
{
    const struct segment_file *file = &s->files[s->index];
    struct segment_header header;
    settle_error fault = {.status = SETTLE_OK};
    const char *sentence = NULL;
    settle_status status = load(s, 0, SEGMENT_HEADER_BYTES, error);
    if (status != SETTLE_OK)
        return status;
    if (segment_header_decode(s->bytes, file->name, &header, &fault) != SETTLE_OK)
        sentence = fault.text;
    else if (memcmp(header.journal_id, s->journal_id, sizeof s->journal_id) != 0 ||
             header.segment_bytes != s->segment_bytes)
        sentence = "the segment is of another journal";
    else if (header.ordinal != file->ordinal || header.first_seq != file->first_seq)
        sentence = "the segment's header does not have the numbers of its name";
    else if (s->has_before && (header.previous_chain != s->before.chain || header.first_seq != s->before.next_seq))
        sentence = "the segment does not follow the one before";
    if (sentence != NULL) {
        tell(s, 0, file->first_seq, sentence);
        s->has_before = false;
        return SETTLE_OK;
    }
    if (!s->has_before)
        s->before = (struct journal_point){.persisted_seq = POINT_PERSISTED_UNKNOWN};
    s->before.next_seq = header.first_seq;
    s->before.chain = header.previous_chain;
    s->has_before = true;
    return SETTLE_OK;
}

static settle_status scan_segment(struct scan *s, size_t index, const struct journal_point *from, settle_error *error)
{
    uint64_t begin = s->files[index].ordinal * s->segment_bytes;
    bool is_within = from != NULL && from->position >= begin + SEGMENT_HEADER_BYTES;
    if (from != NULL && from->position >= begin + s->segment_bytes)
        return SETTLE_OK; /* was found to be good */
    settle_status status = open_file(s, index, error);
    if (status != SETTLE_OK)
        return status;
    if (s->file_bytes > s->segment_bytes)
        tell(s, s->segment_bytes, 0, "the segment file is longer than a segment");
    if (is_within) {
        s->before = *from;
        s->has_before = true;
        return scan_frames(s, from->position - begin, error);
    }
    if (index > 0 && s->files[index].ordinal != s->files[index - 1].ordinal + 1) {
        char sentence[120];
        snprintf(sentence, sizeof sentence, "%s before this one: ordinal %" PRIu64,
                 s->files[index].ordinal == s->files[index - 1].ordinal ? "the same segment is there"
                                                                        : "segments are missing",
                 s->files[index - 1].ordinal);
        tell(s, 0, s->files[index].first_seq, sentence);
        s->has_before = false;
    }
    if (s->limit != UINT64_MAX && begin >= s->limit)
        return SETTLE_OK;
    status = check_header(s, error);
    return status == SETTLE_OK ? scan_frames(s, SEGMENT_HEADER_BYTES, error) : status;
}

static settle_status scan_run(struct scan *s, int data_fd, const struct journal_point *from, settle_error *error)
{
    struct watermark watermark = {.is_known = false};
    settle_status status = dir_open_at(data_fd, "journal", false, &s->journal_fd, error);
    if (status == SETTLE_OK)
        status = list_files(s, error);
    if (status == SETTLE_OK && lock_is_held_at(data_fd))
        status = watermark_read(s->journal_fd, &watermark, error);
    if (status == SETTLE_OK && watermark.is_known && watermark.is_appending)
        s->limit = watermark.position;
    if (status == SETTLE_OK)
        status = learn(s, error);
    for (size_t i = 0; i < s->file_count && status == SETTLE_OK; i++) {
        s->index = i;
        if (s->has_header)
            status = scan_segment(s, i, from, error);
        else
            tell(s, 0, s->files[i].first_seq, "the segment's header is damaged, as those of all others");
    }
    return status;
}

settle_status damage_scan(int data_fd, const struct journal_point *from, damage_found found, void *context,
                          settle_error *error)
{
    struct scan scan = {.journal_fd = -1, .fd = -1, .limit = UINT64_MAX, .found = found, .context = context};
    settle_status status = scan_run(&scan, data_fd, from, error);
    mem_free(&mem_libc, scan.bytes);
    free(scan.files);
    file_close(scan.fd);
    file_close(scan.journal_fd);
    return status;
}
