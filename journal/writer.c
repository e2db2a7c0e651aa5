/*
 * writer.c — appending frames to segments: write, sync, then tell.
 *
 * Owns: the current segment's descriptor, the spare segment that a helper thread zero-fills ahead, the watermark file.
 * Invariants: a frame is written only behind the last synced one, into bytes that are zero; a segment's header is on stable
 * storage before its first frame is written, and the segment before it is wholly synced by then; the last FRAME_ALIGN bytes
 * of a segment stay zero. One frame is in flight at a time, so a crash tears at most one.
 *
 * Segments are zero-filled before use because overwriting zeros needs no metadata commit of the file system at the sync
 * (6 times the throughput at 8192 events a commit). The first segment grows by doubling, so a small journal stays small;
 * later ones are prepared whole. A helper thread does either in the background once what there is has been half used; a
 * commit that needs more than the helper has made waits for it, and makes the rest itself. The helper also has the page
 * cache forget the segment that lies CACHED_BYTES behind: those who follow the journal are nearer, and pages that nobody
 * gives back cost the machine fresh memory for every new one (docs/decisions/012).
 */
#include "journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"

#define FILL_BYTES_FIRST ((uint64_t)1 << 20)
#define SPARE_SYNC_BYTES ((uint64_t)8 << 20)
#define GROWTH_SYNC_BYTES ((uint64_t)1 << 20)
#define CACHED_BYTES ((uint64_t)256 << 20) /* behind the current segment; the engine's store follows within 180 MB */
#define CACHED_SEGMENTS 32 /* as many are known by name: shorter ones than CACHED_BYTES / 32 stay in the cache */

struct journal_writer {
    const struct mem *mem;
    int data_fd; /* borrowed */
    int journal_fd, segment_fd, watermark_fd;
    uint64_t segment_bytes; /* never changes: the planner reads it while the committer goes over to a new header */
    struct segment_header header; /* of the current segment; the committer's */
    char name[SEGMENT_NAME_BYTES];
    uint64_t filled_bytes;  /* of the current segment: written with zeros or frames up to here */
    uint64_t next_position; /* where the next frame begins; the planner's */
    uint32_t chain;         /* after the last committed frame; the committer's */
    bool helper_is_running; /* helper_thread is to be joined; until then what it makes is its own: */
    pthread_t helper_thread;
    atomic_bool helper_is_done; /* joining it would not wait */
    bool spare_has_failed;      /* it is not tried again before the switch, which then says why */
    int spare_fd;               /* -1 = none */
    uint64_t grown_bytes;       /* what filled_bytes will be when it is joined */
    settle_error growth_error;  /* a write or a sync of the current segment failed: the next commit's answer */
    /* Of the segments that this writer has left, by ordinal modulo their number; 0 = none. */
    uint64_t left_first_seqs[CACHED_SEGMENTS];
};

settle_status journal_exists(int data_fd, const struct mem *mem, bool *ret_exists, settle_error *error)
{
    int journal_fd = -1;
    struct segment_list list = {NULL, 0, NULL};
    settle_error cause = {.status = SETTLE_OK};
    bool exists = false;
    settle_status status = dir_open_at(data_fd, "journal", false, &journal_fd, &cause);
    if (status == SETTLE_OK) {
        status = segment_list_read(journal_fd, mem, &list, &cause);
        exists = status != SETTLE_OK || list.count > 0;
        if (status == SETTLE_OK)
            segment_list_free(&list);
        file_close(journal_fd);
    }
    /* The caller's open says what is wrong with it. Without memory, or where the disk fails, nothing is known. */
    bool is_known = status == SETTLE_OK || status == SETTLE_E_NOT_FOUND || status == SETTLE_E_CORRUPT ||
                    status == SETTLE_E_UNSUPPORTED || status == SETTLE_E_ACCESS;
    if (!is_known) {
        if (error != NULL)
            *error = cause;
        return status;
    }
    *ret_exists = exists || (status != SETTLE_OK && status != SETTLE_E_NOT_FOUND);
    return SETTLE_OK;
}

settle_status journal_sync_names(int data_fd, settle_error *error)
{
    int journal_fd = -1;
    settle_status status = dir_open_at(data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = dir_sync(journal_fd, "journal", error);
    file_close(journal_fd);
    return status;
}

/* Gives a zeroed file its header and its name: on stable storage, both, when this returns SETTLE_OK. */
static settle_status segment_activate(int journal_fd, int fd, const struct segment_header *header,
                                      char ret_name[SEGMENT_NAME_BYTES], settle_error *error)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    char name[SEGMENT_NAME_BYTES];
    segment_name(header->first_seq, header->ordinal, name);
    segment_header_encode(header, bytes);
    settle_status status = file_write(fd, name, 0, bytes, sizeof bytes, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, name, error);
    if (status == SETTLE_OK)
        status = file_rename_at(journal_fd, SEGMENT_SPARE_NAME, name, error);
    if (status == SETTLE_OK)
        status = dir_sync(journal_fd, "journal", error);
    if (status == SETTLE_OK)
        memcpy(ret_name, name, sizeof name);
    return status;
}

/* A new spare of `count` zeros, not yet synced where count is small. */
static settle_status spare_create(int journal_fd, uint64_t count, int *ret_fd, settle_error *error)
{
    int fd = -1;
    settle_status status = SETTLE_OK;
    if (file_exists_at(journal_fd, SEGMENT_SPARE_NAME))
        status = file_remove_at(journal_fd, SEGMENT_SPARE_NAME, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, SEGMENT_SPARE_NAME, FILE_CREATE, &fd, error);
    for (uint64_t at = 0; at < count && status == SETTLE_OK; at += SPARE_SYNC_BYTES) {
        uint64_t chunk = count - at < SPARE_SYNC_BYTES ? count - at : SPARE_SYNC_BYTES;
        status = file_write_zeros(fd, SEGMENT_SPARE_NAME, at, chunk, error);
        if (status == SETTLE_OK && count > FILL_BYTES_FIRST) /* in steps: the journal's own syncs share the disk */
            status = file_sync_data(fd, SEGMENT_SPARE_NAME, error);
    }
    if (status != SETTLE_OK) {
        if (fd >= 0)
            (void)file_remove_at(journal_fd, SEGMENT_SPARE_NAME, NULL); /* a full disk wants its space back */
        file_close(fd);
        return status;
    }
    *ret_fd = fd;
    return SETTLE_OK;
}

static uint64_t first_fill(uint64_t segment_bytes)
{
    return segment_bytes < FILL_BYTES_FIRST ? segment_bytes : FILL_BYTES_FIRST;
}

settle_status journal_create(int data_fd, const struct mem *mem, uint64_t segment_bytes, uint64_t now_us,
                             settle_error *error)
{
    uint8_t id[16];
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return fail_errno(error, errno, "journal", "random bytes for the journal id");
    return journal_create_with_id(data_fd, mem, segment_bytes, id, now_us, error);
}

settle_status journal_create_with_id(int data_fd, const struct mem *mem, uint64_t segment_bytes,
                                     const uint8_t journal_id[16], uint64_t now_us, settle_error *error)
{
    if (segment_bytes < SEGMENT_BYTES_MIN || segment_bytes > SEGMENT_BYTES_MAX)
        return fail(error, SETTLE_E_INVALID, "a segment takes 16384 bytes to 1 GiB");
    bool exists = false;
    settle_status status = journal_exists(data_fd, mem, &exists, error);
    if (status != SETTLE_OK)
        return status;
    if (exists)
        return fail(error, SETTLE_E_EXISTS, "the directory already holds a journal");
    struct segment_header header = {
        .first_seq = 1,
        .segment_bytes = align_up_u64(segment_bytes, SEGMENT_BYTES_UNIT),
        .created_us = now_us,
        .previous_chain = segment_chain_genesis(journal_id),
    };
    memcpy(header.journal_id, journal_id, 16);
    int journal_fd = -1, fd = -1, watermark_fd = -1;
    char name[SEGMENT_NAME_BYTES];
    status = dir_open_at(data_fd, "journal", true, &journal_fd, error);
    if (status == SETTLE_OK)
        status = dir_sync(data_fd, ".", error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, WATERMARK_NAME, FILE_CREATE_OR_WRITE, &watermark_fd, error);
    if (status == SETTLE_OK)
        status = watermark_write(watermark_fd, SEGMENT_HEADER_BYTES, false, error);
    if (status == SETTLE_OK)
        status = spare_create(journal_fd, first_fill(header.segment_bytes), &fd, error);
    if (status == SETTLE_OK)
        status = segment_activate(journal_fd, fd, &header, name, error);
    file_close(watermark_fd);
    file_close(fd);
    file_close(journal_fd);
    return fail_in(error, status, "journal");
}

settle_status journal_writer_open(int data_fd, const struct mem *mem, const struct journal_point *end,
                                  struct journal_writer **ret_writer, settle_error *error)
{
    struct journal_writer *w = mem_alloc(mem, 1, sizeof *w);
    if (w == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a journal writer");
    *w = (struct journal_writer){.mem = mem, .data_fd = data_fd, .journal_fd = -1, .segment_fd = -1, .watermark_fd = -1,
                                 .spare_fd = -1, .next_position = end->position, .chain = end->chain};
    struct segment_list list = {NULL, 0, NULL};
    settle_status status = dir_open_at(data_fd, "journal", false, &w->journal_fd, error);
    if (status == SETTLE_OK)
        status = segment_list_read(w->journal_fd, w->mem, &list, error);
    if (status == SETTLE_OK) {
        assert(list.count > 0);
        w->header = list.entries[list.count - 1].header;
        w->segment_bytes = w->header.segment_bytes;
        memcpy(w->name, list.entries[list.count - 1].name, sizeof w->name);
        segment_list_free(&list);
        /* The last segment may have its header and nothing else: a crash just after it was made. The end is in the one before. */
        if (end->position / w->header.segment_bytes + 1 == w->header.ordinal) {
            assert(w->header.first_seq == end->next_seq && w->header.previous_chain == end->chain);
            w->next_position = w->header.ordinal * w->header.segment_bytes + SEGMENT_HEADER_BYTES;
        }
        assert(w->next_position / w->header.segment_bytes == w->header.ordinal);
        status = file_open_at(w->journal_fd, w->name, FILE_WRITE, &w->segment_fd, error);
    }
    /* A writer that died may have left bytes that are only in the cache. */
    if (status == SETTLE_OK)
        status = file_sync_data(w->segment_fd, w->name, error);
    if (status == SETTLE_OK)
        status = dir_sync(w->journal_fd, "journal", error);
    if (status == SETTLE_OK)
        status = file_size(w->segment_fd, w->name, &w->filled_bytes, error);
    if (status == SETTLE_OK)
        status = file_open_at(w->journal_fd, WATERMARK_NAME, FILE_CREATE_OR_WRITE, &w->watermark_fd, error);
    if (status == SETTLE_OK)
        status = watermark_write(w->watermark_fd, end->position, true, error);
    if (status != SETTLE_OK) {
        journal_writer_close(w);
        return fail_in(error, status, "journal");
    }
    *ret_writer = w;
    return SETTLE_OK;
}

/* SETTLE_OK, or what went wrong with the current segment. */
static settle_status helper_join(struct journal_writer *w, settle_error *error)
{
    if (w->helper_is_running)
        pthread_join(w->helper_thread, NULL);
    w->helper_is_running = false;
    if (w->filled_bytes < w->grown_bytes)
        w->filled_bytes = w->grown_bytes;
    if (w->growth_error.status != SETTLE_OK && error != NULL)
        *error = w->growth_error;
    return w->growth_error.status;
}

void journal_writer_close(struct journal_writer *writer)
{
    if (writer == NULL)
        return;
    (void)helper_join(writer, NULL);
    struct watermark watermark;
    if (writer->watermark_fd >= 0 && watermark_read(writer->journal_fd, &watermark, NULL) == SETTLE_OK)
        (void)watermark_write(writer->watermark_fd, watermark.position, false, NULL);
    if (writer->spare_fd >= 0)
        (void)file_remove_at(writer->journal_fd, SEGMENT_SPARE_NAME, NULL);
    file_close(writer->spare_fd);
    file_close(writer->watermark_fd);
    file_close(writer->segment_fd);
    file_close(writer->journal_fd);
    mem_free(writer->mem, writer);
}

const uint8_t *journal_writer_id(const struct journal_writer *writer)
{
    return writer->header.journal_id;
}

settle_status frame_buffer_init(struct journal_writer *writer, struct frame_buffer *buffer, settle_error *error)
{
    size_t capacity = writer->segment_bytes < FRAME_BYTES_MAX ? (size_t)writer->segment_bytes : FRAME_BYTES_MAX;
    uint8_t *bytes = mem_alloc(writer->mem, capacity, 1);
    if (bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a frame of %zu bytes", capacity);
    *buffer = (struct frame_buffer){.bytes = bytes, .capacity = capacity};
    return SETTLE_OK;
}

void frame_buffer_deinit(struct journal_writer *writer, struct frame_buffer *buffer)
{
    if (buffer->bytes != NULL)
        mem_free(writer->mem, buffer->bytes);
    *buffer = (struct frame_buffer){.bytes = NULL};
}

/* What a frame that begins at this offset of a segment may take. */
static uint64_t space_at(const struct journal_writer *w, uint64_t position)
{
    return w->segment_bytes - FRAME_ALIGN - position % w->segment_bytes;
}

void frame_begin(struct journal_writer *writer, struct frame_buffer *buffer, uint64_t next_seq, uint64_t time_us)
{
    assert(!buffer->is_open);
    uint64_t size = writer->segment_bytes;
    if (writer->next_position % size > size - FRAME_ALIGN - FRAME_BYTES_MIN)
        writer->next_position = (writer->next_position / size + 1) * size + SEGMENT_HEADER_BYTES;
    uint64_t space = space_at(writer, writer->next_position);
    buffer->limit = space < buffer->capacity ? (size_t)space : buffer->capacity;
    buffer->limit -= buffer->limit % FRAME_ALIGN;
    assert(buffer->limit >= FRAME_BYTES_MIN);
    buffer->used = FRAME_HEADER_BYTES;
    buffer->frame = (struct frame){.position = writer->next_position, .first_seq = next_seq, .time_us = time_us};
    buffer->is_open = true;
}

size_t frame_room(const struct frame_buffer *buffer)
{
    size_t kept = SOURCE_BYTES_MAX + PERSISTED_BYTES + FRAME_TRAILER_BYTES + FRAME_ALIGN;
    return buffer->limit > buffer->used + kept ? buffer->limit - buffer->used - kept : 0;
}

void frame_append(struct frame_buffer *buffer, size_t record_bytes)
{
    assert(buffer->is_open && record_bytes >= RECORD_HEADER_BYTES);
    buffer->used += record_bytes;
    buffer->frame.record_count++;
    assert(frame_length(buffer->used) <= buffer->limit);
}

void frame_close(struct journal_writer *writer, struct frame_buffer *buffer)
{
    assert(buffer->is_open && buffer->frame.record_count > 0);
    buffer->frame.length_bytes = frame_length(buffer->used);
    writer->next_position = buffer->frame.position + buffer->frame.length_bytes;
    buffer->is_open = false;
}

/* Has the cache forget the segment before the newest CACHED_BYTES, if this writer wrote it. It may be in the archive by now. */
static void cached_forget(struct journal_writer *w)
{
    uint64_t kept = CACHED_BYTES / w->segment_bytes + 1;
    if (kept > CACHED_SEGMENTS || kept > w->header.ordinal)
        return;
    uint64_t ordinal = w->header.ordinal - kept;
    uint64_t first_seq = w->left_first_seqs[ordinal % CACHED_SEGMENTS];
    if (first_seq == 0)
        return;
    char name[SEGMENT_NAME_BYTES];
    int fd = -1;
    segment_name(first_seq, ordinal, name);
    if (file_open_at(w->journal_fd, name, FILE_READ, &fd, NULL) == SETTLE_OK)
        file_forget_cached(fd);
    file_close(fd);
}

/* Through a descriptor of its own: one that is shared tells of a failed write at one sync only, and that might be this one. Where
 * there is none to be had nothing has failed yet: the commit has its own. */
static void segment_grow(struct journal_writer *w)
{
    int fd = -1;
    const uint64_t wanted = w->filled_bytes * 2 < w->segment_bytes ? w->filled_bytes * 2 : w->segment_bytes;
    settle_status status = file_open_at(w->journal_fd, w->name, FILE_WRITE, &fd, NULL);
    while (status == SETTLE_OK && w->grown_bytes < wanted) {
        uint64_t left = wanted - w->grown_bytes, chunk = left < GROWTH_SYNC_BYTES ? left : GROWTH_SYNC_BYTES;
        status = file_write_zeros(fd, w->name, w->grown_bytes, chunk, &w->growth_error);
        if (status == SETTLE_OK)
            status = file_sync_data(fd, w->name, &w->growth_error);
        if (status == SETTLE_OK)
            w->grown_bytes += chunk;
    }
    file_close(fd);
}

static void *helper_main(void *argument)
{
    struct journal_writer *w = argument;
    if (w->grown_bytes < w->segment_bytes) {
        segment_grow(w);
    } else {
        cached_forget(w);
        w->spare_has_failed = spare_create(w->journal_fd, w->segment_bytes, &w->spare_fd, NULL) != SETTLE_OK;
    }
    atomic_store(&w->helper_is_done, true);
    return NULL;
}

/* Has the current segment made longer, or the next one made ready, once what there is is half used. */
static void helper_ask(struct journal_writer *w, uint64_t used_bytes)
{
    if (w->helper_is_running || w->spare_has_failed || w->spare_fd >= 0 || w->segment_bytes <= FILL_BYTES_FIRST ||
        used_bytes < w->filled_bytes / 2)
        return;
    w->grown_bytes = w->filled_bytes;
    atomic_store(&w->helper_is_done, false);
    w->helper_is_running = pthread_create(&w->helper_thread, NULL, helper_main, w) == 0;
}

/* Goes over to the segment in which `frame` begins. Everything before is synced. */
static settle_status segment_switch(struct journal_writer *w, const struct frame *frame, settle_error *error)
{
    struct segment_header header = w->header;
    header.ordinal++;
    header.first_seq = frame->first_seq;
    header.created_us = frame->time_us;
    header.previous_chain = w->chain;
    assert(frame->position == header.ordinal * header.segment_bytes + SEGMENT_HEADER_BYTES);
    settle_status status = helper_join(w, error);
    uint64_t filled = header.segment_bytes;
    if (status == SETTLE_OK && w->spare_fd < 0) { /* not asked for yet, or it failed: then this says why */
        filled = first_fill(header.segment_bytes);
        status = spare_create(w->journal_fd, filled, &w->spare_fd, error);
    }
    if (status == SETTLE_OK)
        status = segment_activate(w->journal_fd, w->spare_fd, &header, w->name, error);
    if (status != SETTLE_OK)
        return status;
    file_close(w->segment_fd);
    w->left_first_seqs[w->header.ordinal % CACHED_SEGMENTS] = w->header.first_seq;
    w->segment_fd = w->spare_fd;
    w->spare_fd = -1;
    w->header = header;
    w->filled_bytes = w->grown_bytes = filled;
    w->spare_has_failed = false;
    return SETTLE_OK;
}

/* Zeros ahead of the frame where the file has not grown that far. */
static settle_status segment_fill(struct journal_writer *w, uint64_t end_bytes, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (end_bytes > w->filled_bytes)
        status = helper_join(w, error);
    if (status != SETTLE_OK || end_bytes <= w->filled_bytes)
        return status;
    uint64_t wanted = w->filled_bytes * 2 > end_bytes ? w->filled_bytes * 2 : align_up_u64(end_bytes, FILL_BYTES_FIRST);
    if (wanted > w->header.segment_bytes)
        wanted = w->header.segment_bytes;
    status = file_write_zeros(w->segment_fd, w->name, w->filled_bytes, wanted - w->filled_bytes, error);
    if (status == SETTLE_OK)
        w->filled_bytes = wanted;
    return status;
}

settle_status journal_writer_commit(struct journal_writer *writer, struct frame_buffer *buffer, settle_error *error)
{
    struct journal_writer *w = writer;
    struct frame *frame = &buffer->frame;
    settle_status status = SETTLE_OK;
    if (frame->position / w->header.segment_bytes != w->header.ordinal)
        status = segment_switch(w, frame, error);
    if (status != SETTLE_OK)
        return fail_in(error, status, "journal");
    frame->previous_chain = w->chain;
    frame_seal(frame, buffer->bytes, buffer->used, w->header.journal_id);
    uint64_t offset = frame->position % w->header.segment_bytes, end = offset + frame->length_bytes;
    assert(end <= w->header.segment_bytes - FRAME_ALIGN);
    if (w->helper_is_running && atomic_load(&w->helper_is_done))
        status = helper_join(w, error);
    if (status == SETTLE_OK)
        status = segment_fill(w, end, error);
    if (status == SETTLE_OK)
        status = file_write(w->segment_fd, w->name, offset, buffer->bytes, frame->length_bytes, error);
    if (status == SETTLE_OK)
        status = file_sync_data(w->segment_fd, w->name, error);
    if (status == SETTLE_OK)
        status = watermark_write(w->watermark_fd, frame->position + frame->length_bytes, true, error);
    if (status != SETTLE_OK)
        return fail_in(error, status, "journal");
    w->chain = frame->chain;
    helper_ask(w, end);
    return SETTLE_OK;
}
