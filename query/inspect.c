/*
 * inspect.c — what is in a data directory: its segments, its store, its writer. Reads, and takes no lock.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

void inspect_free(struct inspect_directory *inspect)
{
    free(inspect->segments);
    *inspect = (struct inspect_directory){0};
}

static void hex_of(const uint8_t bytes[16], char ret_text[33])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[32] = '\0';
}

static settle_status list_segments(const struct journal_reader *reader, struct inspect_directory *inspect,
                                   settle_error *error)
{
    const struct segment_list *list = journal_reader_segments(reader);
    inspect->segments = calloc(list->count + 1, sizeof *inspect->segments);
    if (inspect->segments == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu segments", list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct segment_header *header = &list->entries[i].header;
        struct inspect_segment *segment = &inspect->segments[inspect->segment_count++];
        memcpy(segment->name, list->entries[i].name, sizeof list->entries[i].name);
        segment->ordinal = header->ordinal;
        segment->first_seq = header->first_seq;
        segment->created_us = header->created_us;
        segment->bytes_used = SEGMENT_HEADER_BYTES;
        segment->is_archived = list->entries[i].is_archived;
        segment->packed_bytes = list->entries[i].packed_bytes;
    }
    return SETTLE_OK;
}

/* Counts frames and events into the segments that hold them, up to the end or the first fault. */
static settle_status walk_frames(struct journal_reader *reader, struct inspect_directory *inspect, settle_error *error)
{
    struct journal_point point;
    struct frame frame;
    settle_error fault = {0};
    settle_status status;
    journal_reader_begin(reader, &point);
    uint64_t first_ordinal = inspect->segments[0].ordinal;
    while ((status = journal_reader_next(reader, &point, &frame, &fault)) == SETTLE_OK) {
        uint64_t index = frame.position / inspect->segment_bytes - first_ordinal;
        assert(index < inspect->segment_count);
        struct inspect_segment *segment = &inspect->segments[index];
        segment->frames++;
        segment->events += frame.event_count;
        segment->bytes_used = frame.position % inspect->segment_bytes + frame.length_bytes;
        if (frame.event_count > 0)
            segment->last_seq = frame.first_seq + frame.event_count - 1;
    }
    inspect->last_seq = point.next_seq - 1;
    inspect->time_us = point.time_us;
    inspect->torn_position = journal_reader_tail(reader)->torn_position;
    inspect->torn_bytes = journal_reader_tail(reader)->torn_bytes;
    bool is_told = status == SETTLE_E_CORRUPT || status == SETTLE_E_IO; /* with what was good before it */
    if (is_told)
        inspect->fault = fault;
    else if (status != SETTLE_E_END && error != NULL)
        *error = fault;
    return status == SETTLE_E_END || is_told ? SETTLE_OK : status;
}

static void look_at_store(int data_fd, const char *directory, const uint8_t *journal_id,
                          struct inspect_directory *inspect)
{
    struct store *store = NULL;
    struct store_snapshot *snapshot = NULL;
    struct store_meta meta;
    settle_error fault = {0};
    settle_status status = store_open(data_fd, directory, false, journal_id, &mem_libc, &store, &fault);
    if (status == SETTLE_OK)
        status = store_snapshot_open(store, &snapshot, &fault);
    if (status == SETTLE_OK)
        status = store_meta_get(snapshot, &meta, &fault);
    if (status == SETTLE_OK) {
        inspect->store_position = meta.point.position;
        inspect->store_seq = meta.point.position == 0 ? 0 : meta.point.next_seq - 1;
        inspect->store_accounts = meta.account_count;
        inspect->store_ids = meta.id_count;
    } else {
        fault.status = status;
        inspect->store = store_state_of(&fault);
        memcpy(inspect->store_fault, fault.text, sizeof fault.text);
    }
    store_snapshot_close(snapshot);
    store_close(store);
}

/* The lock file tells whose it is; it means something only while it is held. */
static void look_at_writer(int data_fd, struct inspect_directory *inspect)
{
    char text[32] = {0};
    int fd = -1;
    inspect->writer_is_live = lock_is_held_at(data_fd);
    if (!inspect->writer_is_live || file_open_at(data_fd, "lock", FILE_READ, &fd, NULL) != SETTLE_OK)
        return;
    if (file_read_zeros(fd, "lock", 0, text, sizeof text - 1, NULL) == SETTLE_OK)
        inspect->writer_pid = strtol(text, NULL, 10);
    file_close(fd);
}

settle_status query_inspect(const char *directory, struct inspect_directory *ret_inspect, settle_error *error)
{
    struct inspect_directory inspect = {0};
    struct journal_reader *reader = NULL;
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = journal_reader_open(data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK)
        status = list_segments(reader, &inspect, error);
    if (status == SETTLE_OK) {
        hex_of(journal_reader_id(reader), inspect.journal_id);
        inspect.segment_bytes = journal_reader_segment_bytes(reader);
        status = walk_frames(reader, &inspect, error);
    }
    if (status == SETTLE_OK) {
        look_at_store(data_fd, directory, journal_reader_id(reader), &inspect);
        look_at_writer(data_fd, &inspect);
        *ret_inspect = inspect;
    } else {
        inspect_free(&inspect);
    }
    journal_reader_close(reader);
    file_close(data_fd);
    return status;
}
