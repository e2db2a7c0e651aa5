/*
 * reader.c — a cursor over frames with every check. Single events by position are in reader_event.c.
 *
 * Owns: the journal directory's descriptor, the list of segments, one open segment, a window of bytes read ahead.
 * Invariants: the window never holds bytes at or behind the limit (they may still change); nothing at or behind the limit
 * is handed out; a reader writes nothing.
 */
#include "journal/reader_core.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "journal/base/bytes.h"
#include "journal/recover.h"
#include "journal/watermark.h"

#define WINDOW_BYTES_MIN ((size_t)256 << 10)
#define LOCATIONS_MAX 3          /* where a segment is looked for while others move it */
#define WATERMARK_WAITS_MAX 2000 /* of a millisecond, for a writer to tell what is durable */

static uint64_t reader_limit(const struct journal_reader *r)
{
    return r->own_limit < r->live_limit ? r->own_limit : r->live_limit;
}

/* Whether some of `count` bytes from `position` on are at or behind the limit. */
static bool is_beyond_limit(const struct journal_reader *r, uint64_t position, uint64_t count)
{
    uint64_t limit = reader_limit(r);
    return limit < count || position > limit - count;
}

const uint8_t *journal_reader_id(const struct journal_reader *reader)
{
    return reader->segments.entries[0].header.journal_id;
}

uint64_t journal_reader_segment_bytes(const struct journal_reader *reader)
{
    return reader_segment_bytes(reader);
}

const struct segment_list *journal_reader_segments(const struct journal_reader *reader)
{
    return &reader->segments;
}

/* The entry that holds a position; count when there is none. The list begins with ordinal 0 and has no hole. */
static size_t segment_of(const struct journal_reader *r, uint64_t position)
{
    uint64_t ordinal = position / reader_segment_bytes(r);
    return ordinal < r->segments.count ? (size_t)ordinal : r->segments.count;
}

const char *journal_reader_place(const struct journal_reader *reader, uint64_t position, uint64_t *ret_offset_bytes)
{
    size_t index = segment_of(reader, position);
    *ret_offset_bytes = position % reader_segment_bytes(reader);
    return index == reader->segments.count ? "" : reader->segments.entries[index].name;
}

const char *journal_reader_file(const struct journal_reader *reader, uint64_t position,
                                char ret_file[SEGMENT_PLACE_BYTES], uint64_t *ret_offset_bytes)
{
    size_t index = segment_of(reader, position);
    *ret_offset_bytes = position % reader_segment_bytes(reader);
    if (index == reader->segments.count)
        snprintf(ret_file, SEGMENT_PLACE_BYTES, "journal");
    else
        segment_place(&reader->segments.entries[index], ret_file);
    return ret_file;
}

settle_status reader_corrupt_at(const struct journal_reader *r, settle_error *error, uint64_t position, uint64_t seq,
                                const char *sentence)
{
    uint64_t offset = 0;
    char file[SEGMENT_PLACE_BYTES];
    journal_reader_file(r, position, file, &offset);
    return fail_at(error, SETTLE_E_CORRUPT, file, offset, seq, "%s", sentence);
}

/*
 * How far the journal is durable where another process appends to it; *ret_is_live false: nobody does. A writer that holds
 * the lock but still recovers appends nothing, so the journal is then read as if nobody held it.
 */
static settle_status writer_examine(const struct journal_reader *r, bool *ret_is_live, uint64_t *ret_limit,
                                    settle_error *error)
{
    struct watermark watermark = {.is_known = true};
    settle_status status = SETTLE_OK;
    for (int attempt = 0; !r->is_own && lock_is_held_at(r->data_fd); attempt++) {
        status = watermark_read(r->journal_fd, &watermark, error);
        if (status != SETTLE_OK || watermark.is_known)
            break;
        if (attempt == WATERMARK_WAITS_MAX)
            return fail_at(error, SETTLE_E_BUSY, "journal/" WATERMARK_NAME, 0, 0,
                           "a writer lives but does not tell what is durable");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        watermark = (struct watermark){.is_known = true};
    }
    *ret_is_live = status == SETTLE_OK && watermark.is_appending;
    *ret_limit = *ret_is_live ? watermark.position : UINT64_MAX;
    return status;
}

static settle_status segment_sync(int journal_fd, const char *name, settle_error *error)
{
    int fd = -1;
    settle_status status = file_open_at(journal_fd, name, FILE_READ, &fd, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, name, error);
    file_close(fd);
    return fail_in(error, status, "journal");
}

settle_status journal_reader_refresh(struct journal_reader *reader, settle_error *error)
{
    bool is_live = false;
    uint64_t limit = UINT64_MAX;
    settle_status status = writer_examine(reader, &is_live, &limit, error);
    struct segment_list list = {NULL, 0, NULL};
    if (status == SETTLE_OK)
        status = segment_list_read(reader->journal_fd, reader->mem, &list, error);
    if (status != SETTLE_OK)
        return status;
    if (list.count == 0) {
        segment_list_free(&list);
        return fail(error, SETTLE_E_NOT_FOUND, "no journal here: the directory holds no segment");
    }
    /* A dead writer may have left frames in the cache alone; what is handed out must be on stable storage. The process of a
     * writer that lives leaves the sync to that writer, which stops where it fails. */
    if (!is_live && !reader->is_own)
        status = segment_sync(reader->journal_fd, list.entries[list.count - 1].name, error);
    if (status != SETTLE_OK) {
        segment_list_free(&list);
        return status;
    }
    segment_list_free(&reader->segments);
    reader->segments = list;
    reader->live_limit = limit;
    reader->tail.writer_is_live = is_live;
    reader->window_count = 0;
    return SETTLE_OK;
}

static settle_status reader_open(int data_fd, const struct mem *mem, bool is_own, struct journal_reader **ret_reader,
                                 settle_error *error)
{
    struct journal_reader *reader = mem_alloc(mem, 1, sizeof *reader);
    if (reader == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a journal reader");
    *reader = (struct journal_reader){.mem = mem,
                                      .data_fd = data_fd,
                                      .journal_fd = -1,
                                      .segment = SEGMENT_FILE_CLOSED,
                                      .is_own = is_own,
                                      .own_limit = UINT64_MAX,
                                      .own_position = UINT64_MAX,
                                      .live_limit = UINT64_MAX};
    settle_status status = dir_open_at(data_fd, "journal", false, &reader->journal_fd, error);
    if (status == SETTLE_OK)
        status = journal_reader_refresh(reader, error);
    if (status != SETTLE_OK) {
        journal_reader_close(reader);
        return status;
    }
    *ret_reader = reader;
    return SETTLE_OK;
}

settle_status journal_reader_open(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                                  settle_error *error)
{
    return reader_open(data_fd, mem, false, ret_reader, error);
}

settle_status journal_reader_open_own(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                                      settle_error *error)
{
    return reader_open(data_fd, mem, true, ret_reader, error);
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    segment_file_close(&reader->segment);
    file_close(reader->journal_fd);
    if (reader->segments.entries != NULL)
        segment_list_free(&reader->segments);
    mem_free(reader->mem, reader->window);
    mem_free(reader->mem, reader);
}

settle_status journal_reader_limit(struct journal_reader *reader, uint64_t position, settle_error *error)
{
    const struct segment_list *known = &reader->segments;
    if (position != UINT64_MAX &&
        position / reader_segment_bytes(reader) > known->entries[known->count - 1].header.ordinal) {
        struct segment_list list;
        settle_status status = segment_list_read(reader->journal_fd, reader->mem, &list, error);
        if (status != SETTLE_OK)
            return status;
        segment_list_free(&reader->segments);
        reader->segments = list;
    }
    reader->is_own = true;
    reader->own_limit = position;
    reader->live_limit = UINT64_MAX;
    if (reader->window_position + reader->window_count > position)
        reader->window_count = 0;
    return SETTLE_OK;
}

void journal_reader_trust(struct journal_reader *reader, uint64_t position)
{
    assert(reader->is_own);
    reader->own_position = position;
}

const struct journal_tail *journal_reader_tail(const struct journal_reader *reader)
{
    return &reader->tail;
}

void journal_reader_begin(const struct journal_reader *reader, struct journal_point *ret_point)
{
    const struct segment_header *first = &reader->segments.entries[0].header;
    *ret_point = (struct journal_point){
        .position = first->ordinal * first->segment_bytes + SEGMENT_HEADER_BYTES,
        .next_seq = first->first_seq,
        .chain = first->previous_chain,
    };
}

settle_status journal_reader_begin_segment(const struct journal_reader *reader, uint64_t position,
                                           struct journal_point *ret_point, settle_error *error)
{
    size_t index = segment_of(reader, position);
    if (index == reader->segments.count)
        return fail_at(error, SETTLE_E_CORRUPT, "journal", position, 0,
                       "the segment that holds this position is missing");
    if (index == 0) {
        journal_reader_begin(reader, ret_point);
        return SETTLE_OK;
    }
    const struct segment_header *header = &reader->segments.entries[index].header;
    *ret_point = (struct journal_point){
        .position = header->ordinal * header->segment_bytes + SEGMENT_HEADER_BYTES,
        .next_seq = header->first_seq,
        .persisted_seq = POINT_PERSISTED_UNKNOWN,
        .chain = header->previous_chain,
    };
    return SETTLE_OK;
}

/*
 * Where the segments known so far lie now: one may have been archived, or brought back, since they were listed. Only that is
 * taken over, so that what borrows from the list stays good.
 */
static settle_status segments_locate(struct journal_reader *r, settle_error *error)
{
    struct segment_list now;
    settle_status status = segment_list_read(r->journal_fd, r->mem, &now, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < r->segments.count && i < now.count; i++) {
        r->segments.entries[i].is_archived = now.entries[i].is_archived;
        r->segments.entries[i].file_bytes = now.entries[i].file_bytes;
        r->segments.entries[i].packed_bytes = now.entries[i].packed_bytes;
        r->segments.entries[i].digest = now.entries[i].digest;
    }
    segment_list_free(&now);
    return SETTLE_OK;
}

static settle_status segment_use(struct journal_reader *r, size_t index, settle_error *error)
{
    if (segment_file_is_open(&r->segment) && r->segment_index == index)
        return SETTLE_OK;
    const struct segment_entry *entry = &r->segments.entries[index];
    struct segment_file file = SEGMENT_FILE_CLOSED;
    settle_status status = SETTLE_E_NOT_FOUND;
    for (int attempt = 0; status == SETTLE_E_NOT_FOUND && attempt < LOCATIONS_MAX; attempt++) {
        status = attempt > 0 ? segments_locate(r, error) : SETTLE_OK;
        if (status == SETTLE_OK)
            status = segment_file_open(r->data_fd, r->journal_fd, entry, r->mem, &file, error);
    }
    if (status == SETTLE_E_NOT_FOUND) { /* not "no such event": that is what callers make of that status */
        char place[SEGMENT_PLACE_BYTES];
        bool is_archived = entry->is_archived;
        return fail_at(error, is_archived ? SETTLE_E_IO : SETTLE_E_CORRUPT, segment_place(entry, place), 0,
                       entry->header.first_seq, "%s %s is not there%s",
                       is_archived ? "the archived segment" : "the segment", place,
                       is_archived ? ": was the archive moved away, or is it not mounted?" : "");
    }
    if (status != SETTLE_OK)
        return status;
    segment_file_close(&r->segment);
    r->segment = file;
    r->segment_index = index;
    return SETTLE_OK;
}

settle_status reader_read_at(struct journal_reader *r, uint64_t position, void *ret_bytes, size_t count,
                             settle_error *error)
{
    size_t index = segment_of(r, position);
    if (index == r->segments.count)
        return fail(error, SETTLE_E_CORRUPT, "position %" PRIu64 " is in no segment of the journal", position);
    settle_status status = segment_use(r, index, error);
    if (status != SETTLE_OK)
        return status;
    return segment_file_read(&r->segment, r->segments.entries[index].name, position % reader_segment_bytes(r),
                             ret_bytes, count, error);
}

/* Points *ret_bytes at `count` bytes from `position`, which lie in one segment and before the limit. */
static settle_status window_get(struct journal_reader *r, uint64_t position, size_t count, const uint8_t **ret_bytes,
                                settle_error *error)
{
    uint64_t segment_end = (position / reader_segment_bytes(r) + 1) * reader_segment_bytes(r);
    uint64_t end = reader_limit(r) < segment_end ? reader_limit(r) : segment_end;
    assert(count <= segment_end - position);
    if (position < r->window_position || position + count > r->window_position + r->window_count) {
        size_t wanted = count > WINDOW_BYTES_MIN ? count : WINDOW_BYTES_MIN;
        if (end > position && wanted > end - position)
            wanted = (size_t)(end - position);
        if (wanted < count)
            wanted = count;
        if (r->window_capacity < wanted) {
            size_t capacity = wanted > 4 * WINDOW_BYTES_MIN ? wanted : 4 * WINDOW_BYTES_MIN;
            uint8_t *window = mem_resize(r->mem, r->window, capacity, 1);
            if (window == NULL)
                return fail(error, SETTLE_E_NO_MEMORY, "no memory for a window of %zu bytes", capacity);
            r->window = window;
            r->window_capacity = capacity;
        }
        r->window_count = 0;
        settle_status status = reader_read_at(r, position, r->window, wanted, error);
        if (status != SETTLE_OK)
            return status;
        r->window_position = position;
        r->window_count = wanted;
    }
    *ret_bytes = r->window + (position - r->window_position);
    return SETTLE_OK;
}

/*
 * What stands in the segment in use from `point` to the end of its file: *ret_last is the offset behind the last byte that
 * is not zero, 0 when all are. SETTLE_E_CORRUPT when the file is too long.
 */
static settle_status rest_examine(struct journal_reader *r, const struct journal_point *point, uint64_t *ret_last,
                                  settle_error *error)
{
    uint64_t offset = point->position % reader_segment_bytes(r), bytes_on_disk = 0, last = 0;
    const char *name = r->segments.entries[r->segment_index].name;
    settle_status status = segment_file_bytes(&r->segment, name, &bytes_on_disk, error);
    if (status != SETTLE_OK)
        return status;
    if (bytes_on_disk > reader_segment_bytes(r))
        return reader_corrupt_at(r, error, point->position, point->next_seq,
                                 "the segment file is longer than a segment");
    for (uint64_t at = offset; at < bytes_on_disk; at += WINDOW_BYTES_MIN) {
        size_t count = bytes_on_disk - at < WINDOW_BYTES_MIN ? (size_t)(bytes_on_disk - at) : WINDOW_BYTES_MIN;
        const uint8_t *bytes = NULL;
        r->window_count = 0;
        status = window_get(r, point->position - offset + at, count, &bytes, error);
        if (status != SETTLE_OK)
            return status;
        if (bytes_are_zero(bytes, count))
            continue;
        while (bytes[count - 1] == 0)
            count--;
        last = at + count;
    }
    r->window_count = 0;
    *ret_last = last;
    return SETTLE_OK;
}

/*
 * Where no valid frame is at `point`, in the last segment and with no writer alive: clean, torn or damaged. Leaves
 * r->tail filled. SETTLE_E_END or SETTLE_E_CORRUPT. What is wrong with the frame, and where, is said by the last three.
 */
static settle_status classify_tail(struct journal_reader *r, const struct journal_point *point, const char *fault,
                                   uint64_t fault_position, uint64_t fault_seq, settle_error *error)
{
    uint64_t offset = point->position % reader_segment_bytes(r), last = 0;
    settle_status status = rest_examine(r, point, &last, error);
    if (status != SETTLE_OK)
        return status;
    r->tail.torn_position = 0;
    r->tail.torn_bytes = 0;
    if (last == 0)
        return SETTLE_E_END;
    const char *reason = NULL;
    if (last - offset <= FRAME_BYTES_MAX) {
        const uint8_t *bytes = NULL;
        status = window_get(r, point->position, (size_t)(last - offset), &bytes, error);
        if (status != SETTLE_OK)
            return status;
        if (frame_tail_shape(bytes, (size_t)(last - offset), journal_reader_id(r), point, offset, &reason) ==
            TAIL_TORN) {
            r->tail.torn_position = point->position;
            r->tail.torn_bytes = last - offset;
            return SETTLE_E_END;
        }
    }
    if (reason == NULL) /* it is in the frame */
        return reader_corrupt_at(r, error, fault_position, fault_seq, fault);
    return reader_corrupt_at(r, error, point->position, point->next_seq, reason);
}

/* Moves *point to the first frame of the next segment; its header must follow, and only zeros may be left of this one. */
static settle_status next_segment(struct journal_reader *r, struct journal_point *point, settle_error *error)
{
    const struct segment_entry *next = &r->segments.entries[segment_of(r, point->position) + 1];
    if (next->header.first_seq != point->next_seq || next->header.previous_chain != point->chain) {
        char sentence[SEGMENT_NAME_BYTES + 80];
        snprintf(sentence, sizeof sentence, "no valid frame here, and segment %s does not follow", next->name);
        return reader_corrupt_at(r, error, point->position, point->next_seq, sentence);
    }
    uint64_t last = 0;
    settle_status status = rest_examine(r, point, &last, error);
    if (status != SETTLE_OK)
        return status;
    if (last != 0)
        return reader_corrupt_at(r, error, point->position - point->position % reader_segment_bytes(r) + last - 1,
                                 point->next_seq, "a byte behind the segment's last frame is not zero");
    point->position = next->header.ordinal * reader_segment_bytes(r) + SEGMENT_HEADER_BYTES;
    return SETTLE_OK;
}

/* The frame at `position`, checked but for its order; NULL in *ret_fault when it is good. SETTLE_E_END when it goes beyond
 * `limit`; its header does not. */
static settle_status frame_at(struct journal_reader *r, uint64_t position, uint64_t limit, struct frame *ret_frame,
                              const char **ret_fault, uint64_t *ret_fault_position, uint64_t *ret_seq,
                              settle_error *error)
{
    const uint8_t *bytes = NULL;
    *ret_fault_position = position;
    settle_status status = window_get(r, position, FRAME_HEADER_BYTES, &bytes, error);
    if (status != SETTLE_OK)
        return status;
    struct frame frame = {.bytes = NULL};
    *ret_fault = frame_header_fault(bytes, journal_reader_id(r), position, &frame);
    if (*ret_fault != NULL)
        return SETTLE_OK;
    if (position % reader_segment_bytes(r) + frame.length_bytes > reader_segment_bytes(r) - FRAME_ALIGN) {
        *ret_fault = "the frame is longer than what its segment has left";
        return SETTLE_OK;
    }
    if (limit < position + frame.length_bytes)
        return SETTLE_E_END;
    status = window_get(r, position, frame.length_bytes, &bytes, error);
    if (status != SETTLE_OK)
        return status;
    frame.bytes = bytes;
    size_t offset = 0;
    *ret_fault = position >= r->own_position ? frame_own_body_fault(&frame, &offset, ret_seq)
                                             : frame_body_fault(&frame, &offset, ret_seq);
    if (*ret_fault != NULL)
        *ret_fault_position = position + offset;
    else
        *ret_frame = frame;
    return SETTLE_OK;
}

settle_status journal_reader_confirm(struct journal_reader *reader, const struct journal_point *point,
                                     settle_error *error)
{
    if (point->frame_position == 0)
        return SETTLE_OK;
    struct frame frame;
    const char *fault = "the segment is missing";
    uint64_t fault_position = point->frame_position, seq = 0;
    settle_status status = SETTLE_OK;
    size_t index = segment_of(reader, point->frame_position);
    if (point->frame_position % FRAME_ALIGN != 0)
        fault = "no frame begins there";
    else if (index < reader->segments.count) {
        reader->window_count = 0;
        status = segment_use(reader, index, error);
        if (status == SETTLE_OK)
            status = frame_at(reader, point->frame_position, UINT64_MAX, &frame, &fault, &fault_position, &seq, error);
        reader->window_count = 0; /* it may reach beyond the limit, where bytes still change */
    }
    if (status != SETTLE_OK)
        return status;
    if (fault == NULL && (frame.position + frame.length_bytes != point->position || frame.chain != point->chain))
        fault = "the frame is another one than was acknowledged";
    if (fault == NULL)
        return SETTLE_OK;
    char sentence[200];
    snprintf(sentence, sizeof sentence, "the journal has lost what the store holds of it: %s", fault);
    return reader_corrupt_at(reader, error, fault_position, point->next_seq - 1, sentence);
}

/*
 * Before something of the last segment is judged or handed out as nobody's work in progress: has a writer begun since the
 * last look? Then its watermark counts.
 */
static settle_status writer_notice(struct journal_reader *r, size_t index, bool *ret_is_new, settle_error *error)
{
    uint64_t limit = UINT64_MAX;
    *ret_is_new = false;
    if (r->is_own || r->tail.writer_is_live || index + 1 < r->segments.count)
        return SETTLE_OK;
    settle_status status = writer_examine(r, ret_is_new, &limit, error);
    return *ret_is_new ? journal_reader_refresh(r, error) : status;
}

/* What lies behind the limit is nobody's business: the journal ends cleanly there. */
static settle_status end_at_limit(struct journal_reader *r)
{
    r->tail.torn_position = 0;
    r->tail.torn_bytes = 0;
    return SETTLE_E_END;
}

settle_status journal_reader_next(struct journal_reader *reader, struct journal_point *point, struct frame *ret_frame,
                                  settle_error *error)
{
    struct journal_reader *r = reader;
    struct journal_point at = *point;
    for (;;) {
        if (is_beyond_limit(r, at.position, FRAME_HEADER_BYTES))
            return end_at_limit(r);
        size_t index = segment_of(r, at.position);
        if (index == r->segments.count)
            return fail_at(error, SETTLE_E_CORRUPT, "journal", at.position, at.next_seq,
                           "the segment that goes on here is missing");
        struct frame frame;
        const char *fault = NULL;
        uint64_t fault_position = at.position, seq = at.next_seq;
        bool writer_is_new = false;
        settle_status status = segment_use(r, index, error);
        if (status == SETTLE_OK)
            status = frame_at(r, at.position, reader_limit(r), &frame, &fault, &fault_position, &seq, error);
        if (status == SETTLE_E_END)
            return end_at_limit(r);
        if (status == SETTLE_OK)
            status = writer_notice(r, index, &writer_is_new, error);
        if (status != SETTLE_OK)
            return status;
        if (writer_is_new)
            continue;
        if (fault == NULL) {
            fault = frame_order_fault(&frame, &at);
            if (fault != NULL)
                return reader_corrupt_at(r, error, at.position, at.next_seq, fault);
            *point = frame_end_point(&frame, &at);
            *ret_frame = frame;
            return SETTLE_OK;
        }
        bool is_last = index + 1 == r->segments.count;
        if (is_last && reader_limit(r) == UINT64_MAX)
            return classify_tail(r, &at, fault, fault_position, seq, error);
        const uint8_t *header;
        status = window_get(r, at.position, FRAME_HEADER_BYTES, &header, error);
        if (status == SETTLE_OK && (is_last || !bytes_are_zero(header, FRAME_HEADER_BYTES)))
            status = reader_corrupt_at(r, error, fault_position, seq, fault);
        if (status == SETTLE_OK)
            status = next_segment(r, &at, error);
        if (status != SETTLE_OK)
            return status;
    }
}
