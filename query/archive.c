/*
 * archive.c — what may be archived, and the steps of archiving and restoring in their order. Owns, while it works, the archive's
 * lock.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/snapshot.h"
#include "journal/archive.h"
#include "journal/base/status.h"
#include "journal/follow/log_position.h"
#include "query/internal.h"

_Static_assert(ARCHIVE_LEVEL_MIN == ARCHIVED_LEVEL_MIN && ARCHIVE_LEVEL_MAX == ARCHIVED_LEVEL_MAX &&
                   ARCHIVE_LEVEL_DEFAULT == ARCHIVED_LEVEL_DEFAULT,
               "the levels of both layers");

struct move {
    const char *directory;
    const struct archive_options *options;
    int data_fd, lock_fd;
    struct journal_reader *reader;
    struct archive archive;
    bool archive_is_open;
    size_t selected; /* segments that are to be in the archive: the first ones */
    struct archive_result result;
};

void archive_result_free(struct archive_result *result)
{
    free(result->segments);
    *result = (struct archive_result){.segments = NULL};
}

/* A directory that is there, and ours to write. */
static settle_status begin(struct move *m, settle_error *error)
{
    settle_status status = dir_open(m->directory, false, &m->data_fd, error);
    file_close(m->data_fd);
    m->data_fd = -1;
    if (status == SETTLE_OK)
        status = dir_open(m->directory, true, &m->data_fd, error);
    if (status == SETTLE_OK && !file_exists_at(m->data_fd, "journal"))
        status = fail_at(error, SETTLE_E_NOT_FOUND, "journal", 0, 0, "no journal here");
    return status == SETTLE_OK ? archive_lock_take(m->data_fd, &m->lock_fd, error) : status;
}

static void end(struct move *m)
{
    if (m->archive_is_open)
        archive_close(&m->archive);
    journal_reader_close(m->reader);
    if (m->lock_fd >= 0 && !file_exists_at(m->data_fd, ARCHIVE_DIRECTORY))
        (void)file_remove_at(m->data_fd, ARCHIVE_LOCK_NAME, NULL); /* nothing is left to guard */
    file_close(m->lock_fd);
    file_close(m->data_fd);
}

static settle_status result_add(struct archive_result *result, const char *name, uint64_t first_seq, uint64_t last_seq,
                                const struct archive_move *move, settle_error *error)
{
    struct archive_segment *segments = realloc(result->segments, (result->count + 1) * sizeof *segments);
    if (segments == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the list of what was moved");
    result->segments = segments;
    struct archive_segment *segment = &segments[result->count++];
    *segment = (struct archive_segment){
        .first_seq = first_seq, .last_seq = last_seq, .bytes = move->segment_bytes, .packed_bytes = move->packed_bytes};
    snprintf(segment->name, sizeof segment->name, "%s", name);
    return SETTLE_OK;
}

/* ---- What may be archived ---------------------------------------------------------------------------------------- */

/* The store's point: a writer that begins reads the journal from its segment on. */
static settle_status checkpoint_position(const struct move *m, uint64_t *ret_position, settle_error *error)
{
    struct store *store = NULL;
    struct store_snapshot *snapshot = NULL;
    struct store_meta meta;
    settle_status status =
        store_open(m->data_fd, m->directory, false, journal_reader_id(m->reader), &mem_libc, &store, error);
    if (status == SETTLE_OK)
        status = store_snapshot_open(store, &snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(snapshot, &meta, error);
    store_snapshot_close(snapshot);
    store_close(store);
    if (status == SETTLE_E_NOT_FOUND)
        return fail_at(
            error, status, "store", 0, 0,
            "there is no store, which tells what a writer still needs: the next writer (init, ingest) makes it");
    if (status == SETTLE_OK)
        status = journal_reader_confirm(m->reader, &meta.point, error);
    if (status == SETTLE_OK)
        *ret_position = meta.point.position;
    return status;
}

/* From where on the JSON lines need the journal; UINT64_MAX: nobody writes any. One that cannot be read needs all of it. */
static settle_status lines_position(const struct move *m, uint64_t *ret_position, settle_error *error)
{
    int dir_fd = -1;
    struct log_position position = {.assets = NULL};
    *ret_position = UINT64_MAX;
    if (m->options->log_directory == NULL)
        return SETTLE_OK;
    settle_status status = dir_open_shared(m->options->log_directory, false, &dir_fd, error);
    if (status == SETTLE_OK)
        status = log_position_read(dir_fd, &mem_libc, &position, error);
    if (status == SETTLE_OK && memcmp(position.journal_id, journal_reader_id(m->reader), 16) == 0)
        *ret_position = position.restart.position;
    else if (status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED)
        *ret_position = 0;
    log_position_deinit(&position, &mem_libc);
    file_close(dir_fd);
    return status == SETTLE_E_NOT_FOUND || status == SETTLE_E_CORRUPT || status == SETTLE_E_UNSUPPORTED ? SETTLE_OK
                                                                                                        : status;
}

/* How many segments, from the first on, are to be in the archive. Those that are there count. */
static settle_status select_segments(struct move *m, settle_error *error)
{
    uint64_t checkpoint = 0, lines = 0, size = journal_reader_segment_bytes(m->reader);
    settle_status status = checkpoint_position(m, &checkpoint, error);
    if (status == SETTLE_OK)
        status = lines_position(m, &lines, error);
    if (status != SETTLE_OK)
        return status;
    const struct segment_list *list = journal_reader_segments(m->reader);
    uint64_t limit = checkpoint < lines ? checkpoint : lines;
    for (size_t i = 0; i + 1 < list->count && list->entries[i + 1].header.first_seq <= m->options->before_seq; i++) {
        if (m->selected == i && list->entries[i + 1].header.ordinal <= limit / size) {
            m->selected++;
        } else if (!list->entries[i].is_archived) {
            m->result.kept++;
            m->result.kept_for = lines < checkpoint ? "the JSON lines" : "the store's checkpoint";
        }
    }
    return SETTLE_OK;
}

/* ---- Archiving --------------------------------------------------------------------------------------------------- */

/* Every frame of a segment, with every check: what is damaged stays where it is. */
static settle_status segment_check(struct move *m, size_t index, settle_error *error)
{
    const struct segment_entry *entries = journal_reader_segments(m->reader)->entries;
    const struct segment_header header = entries[index].header, next = entries[index + 1].header;
    uint64_t begin_position = header.ordinal * header.segment_bytes;
    struct journal_point point, behind;
    struct frame frame = {.position = begin_position};
    settle_status status = journal_reader_begin_segment(m->reader, begin_position, &point, error);
    for (behind = point; status == SETTLE_OK;) {
        status = journal_reader_next(m->reader, &behind, &frame, error);
        if (status != SETTLE_OK || frame.position >= begin_position + header.segment_bytes)
            break;
        point = behind;
    }
    if (status == SETTLE_E_END)
        status = SETTLE_OK; /* the segment behind it has no frame yet; what matters is where this one ends */
    if (status == SETTLE_OK && (point.next_seq != next.first_seq || point.chain != next.previous_chain))
        status = fail_in_segment(m->reader, point.position, point.next_seq, error,
                                 "the segment does not end where the next one begins");
    return status;
}

static settle_status snapshot_bring(struct move *m, settle_error *error)
{
    const struct segment_header *last = &journal_reader_segments(m->reader)->entries[m->selected - 1].header;
    uint64_t next_seq = journal_reader_segments(m->reader)->entries[m->selected].header.first_seq;
    struct store_meta meta;
    settle_error fault;
    settle_status status = snapshot_advance(m->data_fd, m->directory, m->reader,
                                            (last->ordinal + 1) * last->segment_bytes, &mem_libc, &meta, &fault, error);
    if (status != SETTLE_OK)
        return status;
    if (fault.status != SETTLE_OK)
        memcpy(m->result.snapshot_fault, fault.text, sizeof m->result.snapshot_fault);
    if (meta.point.next_seq < next_seq)
        return fail_at(error, SETTLE_E_CORRUPT, SNAPSHOT_DIRECTORY, 0, meta.point.next_seq,
                       "the snapshot could not be brought up to event %llu", (unsigned long long)next_seq - 1);
    m->result.snapshot_seq = meta.point.next_seq - 1;
    return SETTLE_OK;
}

static settle_status pack_selected(struct move *m, size_t first, settle_error *error)
{
    settle_status status = archive_open(m->data_fd, true, &mem_libc, &m->archive, error);
    m->archive_is_open = status == SETTLE_OK;
    for (size_t i = first; i < m->selected && status == SETTLE_OK; i++)
        if (!journal_reader_segments(m->reader)->entries[i].is_archived)
            status = segment_check(m, i, error);
    if (status == SETTLE_OK)
        status = snapshot_bring(m, error);
    for (size_t i = first; i < m->selected && status == SETTLE_OK; i++) {
        const struct segment_entry entry = journal_reader_segments(m->reader)->entries[i];
        uint64_t next_seq = journal_reader_segments(m->reader)->entries[i + 1].header.first_seq;
        struct archive_move move;
        if (entry.is_archived)
            continue;
        status = archive_pack(&m->archive, &entry, m->options->level, &move, error);
        if (status == SETTLE_OK)
            status = result_add(&m->result, entry.name, entry.header.first_seq, next_seq - 1, &move, error);
    }
    m->result.archived = m->archive_is_open ? m->archive.index.count : 0;
    return status;
}

static settle_status archive_run(struct move *m, settle_error *error)
{
    settle_status status = begin(m, error);
    if (status == SETTLE_OK)
        status = view_reader_open(m->data_fd, &mem_libc, &m->reader, error);
    if (status == SETTLE_OK)
        status = select_segments(m, error);
    if (status != SETTLE_OK)
        return status;
    const struct segment_list *list = journal_reader_segments(m->reader);
    size_t first = 0;
    for (size_t i = 0; i < list->count; i++)
        m->result.archived += list->entries[i].is_archived;
    while (first < m->selected && list->entries[first].is_archived)
        first++;
    return first == m->selected ? SETTLE_OK : pack_selected(m, first, error);
}

settle_status query_archive(const char *directory, const struct archive_options *options,
                            struct archive_result *ret_result, settle_error *error)
{
    struct move m = {.directory = directory, .options = options, .data_fd = -1, .lock_fd = -1};
    if (options->level < ARCHIVE_LEVEL_MIN || options->level > ARCHIVE_LEVEL_MAX)
        return fail(error, SETTLE_E_INVALID, "a level is %d to %d", ARCHIVE_LEVEL_MIN, ARCHIVE_LEVEL_MAX);
    settle_status status = archive_run(&m, error);
    end(&m);
    *ret_result = m.result;
    return status;
}

/* ---- Restoring --------------------------------------------------------------------------------------------------- */

/* Nothing is begun where a segment is neither here nor there. */
static settle_status require_all(const struct archive *archive, settle_error *error)
{
    for (size_t i = 0; i < archive->index.count; i++) {
        const struct segment_header *header = &archive->index.entries[i].header;
        char segment[SEGMENT_NAME_BYTES], name[ARCHIVED_NAME_BYTES], file[ARCHIVED_NAME_BYTES + 16];
        segment_name(header->first_seq, header->ordinal, segment);
        archived_name(segment, name);
        snprintf(file, sizeof file, ARCHIVE_DIRECTORY "/%s", name);
        if (!file_exists_at(archive->archive_fd, name) && !file_exists_at(archive->journal_fd, segment))
            return fail_at(error, SETTLE_E_IO, file, 0, header->first_seq,
                           "the archived segment %s is not there: was the archive moved away, or is it not mounted?",
                           file);
    }
    return SETTLE_OK;
}

static settle_status unpack_all(struct move *m, settle_error *error)
{
    char **segments = NULL;
    size_t count = 0;
    settle_status status = archive_list(&m->archive, &segments, &count, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct archive_move move;
        uint64_t first_seq = 0, ordinal = 0;
        if (status == SETTLE_OK)
            status = archive_unpack(&m->archive, segments[i], &move, error);
        if (status == SETTLE_OK && segment_name_parse(segments[i], &first_seq, &ordinal))
            status = result_add(&m->result, segments[i], first_seq, 0, &move, error);
    }
    dir_list_free(segments, count, m->archive.mem);
    return status;
}

/* With all of it in `journal/`, which is listed once more before anything goes. */
static settle_status restore_finish(struct move *m, settle_error *error)
{
    struct segment_list list = {NULL, 0, NULL};
    settle_status status = segment_list_read(m->archive.journal_fd, m->archive.mem, &list, error);
    for (size_t i = 0; i < list.count && status == SETTLE_OK; i++)
        if (list.entries[i].is_archived)
            status =
                fail_at(error, SETTLE_E_CONFLICT, list.entries[i].name, 0, 0, "this segment is not back in journal/");
    if (list.entries != NULL)
        segment_list_free(&list);
    if (status == SETTLE_OK)
        status = archive_empty(&m->archive, error);
    if (status == SETTLE_OK)
        status = snapshot_remove(m->data_fd, error);
    if (status == SETTLE_OK)
        (void)dir_remove_at(m->data_fd, ARCHIVE_DIRECTORY, NULL); /* a mounted disk, or what others keep there, stays */
    return status == SETTLE_OK ? dir_sync(m->data_fd, "the data directory", error) : status;
}

static settle_status restore_run(struct move *m, settle_error *error)
{
    settle_status status = begin(m, error);
    if (status != SETTLE_OK)
        return status;
    int journal_fd = -1;
    struct archive_index index = {NULL, 0, NULL};
    status = dir_open_at(m->data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = archive_index_read(journal_fd, &mem_libc, &index, NULL);
    bool is_needed = status != SETTLE_OK || index.count > 0;
    archive_index_free(&index);
    if (!is_needed && !file_exists_at(m->data_fd, ARCHIVE_DIRECTORY)) {
        struct segment_list list;
        status = segment_list_read(journal_fd, &mem_libc, &list, error); /* or the index and the archive both went */
        if (status == SETTLE_OK)
            segment_list_free(&list);
        file_close(journal_fd);
        return status;
    }
    file_close(journal_fd);
    status = archive_open(m->data_fd, false, &mem_libc, &m->archive, error);
    if (status == SETTLE_E_NOT_FOUND)
        return fail_at(error, SETTLE_E_IO, ARCHIVE_DIRECTORY, 0, 0,
                       "the archive is not there: was it moved away, or is it not mounted?");
    m->archive_is_open = status == SETTLE_OK;
    if (status == SETTLE_OK)
        status = require_all(&m->archive, error);
    if (status == SETTLE_OK)
        status = archive_check(&m->archive, error);
    if (status == SETTLE_OK)
        status = unpack_all(m, error);
    return status == SETTLE_OK ? restore_finish(m, error) : status;
}

settle_status query_restore(const char *directory, struct archive_result *ret_result, settle_error *error)
{
    struct move m = {.directory = directory, .data_fd = -1, .lock_fd = -1};
    settle_status status = restore_run(&m, error);
    end(&m);
    *ret_result = m.result;
    return status;
}
