/*
 * archive.c — segments moved to `archive/` and back, each step durable before the next.
 *
 * Invariant: at every moment each segment is whole in `journal/`, or it is whole in `archive/` and `journal/archived` tells of
 * it; names that end in ".partial" count for nothing.
 */
#include "journal/archive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTIAL ".partial"
#define LOCK_ATTEMPTS_MAX 100

settle_status archive_lock_take(int data_fd, int *ret_fd, settle_error *error)
{
    /* Whoever restores removes the file while it has the lock: what was locked must still have the name. */
    for (int i = 0; i < LOCK_ATTEMPTS_MAX; i++) {
        int fd = -1;
        struct file_identity ours, named;
        settle_status status = lock_take_name_at(data_fd, ARCHIVE_LOCK_NAME, "archive command", &fd, error);
        if (status == SETTLE_OK)
            status = lock_sign(fd, ARCHIVE_LOCK_NAME, error);
        if (status == SETTLE_OK)
            status = file_identify(fd, ARCHIVE_LOCK_NAME, &ours, error);
        if (status != SETTLE_OK) {
            file_close(fd);
            return status;
        }
        status = file_identify_at(data_fd, ARCHIVE_LOCK_NAME, &named, NULL);
        if (status == SETTLE_OK && file_is_same(&ours, &named)) {
            *ret_fd = fd;
            return SETTLE_OK;
        }
        file_close(fd);
    }
    return fail_at(error, SETTLE_E_BUSY, ARCHIVE_LOCK_NAME, 0, 0, "others take and remove the archive's lock");
}

/* What an interrupted move left. */
static settle_status partial_remove(int dir_fd, const char *folder, const struct mem *mem, settle_error *error)
{
    char **names = NULL;
    size_t count = 0;
    settle_status status = dir_list(dir_fd, folder, mem, &names, &count, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        bool is_partial = length > strlen(PARTIAL) && strcmp(names[i] + length - strlen(PARTIAL), PARTIAL) == 0 &&
                          strstr(names[i], ".seg") != NULL;
        if (status == SETTLE_OK && is_partial)
            status = file_remove_at(dir_fd, names[i], error);
    }
    dir_list_free(names, count, mem);
    return status;
}

/* An index of another journal is no index of this one, and is set aside as a damaged one is. */
static settle_status index_adopt(struct archive *a, settle_error *error)
{
    struct segment_list plain;
    settle_status status = segment_list_plain(a->journal_fd, a->mem, &plain, error);
    if (status != SETTLE_OK)
        return status;
    bool is_ours = a->index.count == 0 || plain.count == 0 ||
                   memcmp(a->index.entries[0].header.journal_id, plain.entries[0].header.journal_id, 16) == 0;
    segment_list_free(&plain);
    if (is_ours)
        return SETTLE_OK;
    archive_index_free(&a->index);
    return file_replace_at(a->journal_fd, ARCHIVE_INDEX_NAME, ARCHIVE_INDEX_NAME_DAMAGED, error);
}

settle_status archive_open(int data_fd, bool create, const struct mem *mem, struct archive *ret_archive,
                           settle_error *error)
{
    struct archive archive = {.mem = mem, .data_fd = data_fd, .journal_fd = -1, .archive_fd = -1};
    settle_status status = dir_open_at(data_fd, "journal", false, &archive.journal_fd, error);
    if (status == SETTLE_OK) {
        status = archive_index_read(archive.journal_fd, mem, &archive.index, error);
        if (status == SETTLE_E_CORRUPT && !create)
            status = file_replace_at(archive.journal_fd, ARCHIVE_INDEX_NAME, ARCHIVE_INDEX_NAME_DAMAGED, error);
    }
    if (status == SETTLE_OK && !create)
        status = index_adopt(&archive, error);
    /* Beside an archive that was moved away no new one is begun. */
    if (status == SETTLE_OK)
        status =
            dir_open_at(data_fd, ARCHIVE_DIRECTORY, create && archive.index.count == 0, &archive.archive_fd, error);
    if (status == SETTLE_E_NOT_FOUND && create)
        status = fail_at(error, SETTLE_E_IO, ARCHIVE_DIRECTORY, 0, 0,
                         "the archive is not there: was it moved away, or is it not mounted?");
    if (status == SETTLE_OK)
        status = partial_remove(archive.archive_fd, ARCHIVE_DIRECTORY, mem, error);
    if (status == SETTLE_OK)
        status = partial_remove(archive.journal_fd, "journal", mem, error);
    if (status != SETTLE_OK) {
        archive_close(&archive);
        return status;
    }
    *ret_archive = archive;
    return SETTLE_OK;
}

void archive_close(struct archive *archive)
{
    archive_index_free(&archive->index);
    file_close(archive->archive_fd);
    file_close(archive->journal_fd);
    archive->archive_fd = archive->journal_fd = -1;
}

/* ---- There ------------------------------------------------------------------------------------------------------- */

/* Whether `name` in the archive unpacks to exactly the segment; one that is damaged or missing does not. Another good one is
 * no copy of this segment, and not ours to judge which of the two is right. */
static settle_status is_packed(struct archive *a, const char *name, int segment_fd, const char *segment,
                               bool *ret_is_equal, struct archive_move *ret_move, settle_error *error)
{
    struct archived *archived = NULL;
    *ret_is_equal = false;
    settle_status status = archived_open(a->archive_fd, name, a->mem, &archived, error);
    if (status == SETTLE_OK)
        status = archived_compare(archived, segment_fd, segment, a->mem, ret_is_equal, error);
    if (status == SETTLE_OK)
        *ret_move = (struct archive_move){archived_segment_bytes(archived), archived_file_bytes(archived),
                                          archived_digest(archived)};
    if (status == SETTLE_OK && !*ret_is_equal)
        status = archived_check(archived, a->mem, error);
    if (status == SETTLE_OK && !*ret_is_equal)
        status =
            fail_at(error, SETTLE_E_CONFLICT, ARCHIVE_DIRECTORY, 0, 0,
                    "archive/%s and journal/%s are both whole and differ: one is not of this journal", name, segment);
    archived_close(archived);
    return status == SETTLE_E_CORRUPT || status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status;
}

/* Reads what was written, from the disk. */
static settle_status read_back(struct archive *a, const char *partial, int segment_fd, const char *segment,
                               struct archive_move *ret_move, settle_error *error)
{
    bool is_equal = false;
    settle_status status = is_packed(a, partial, segment_fd, segment, &is_equal, ret_move, error);
    if (status == SETTLE_E_CONFLICT || (status == SETTLE_OK && !is_equal))
        status = fail_at(error, SETTLE_E_IO, ARCHIVE_DIRECTORY, 0, 0,
                         "%s was written and reads back as something else: the disk does not keep what it is given",
                         partial);
    return status;
}

/* A new .zst under its final name: synced, read back and compared before it gets it. */
static settle_status pack_file(struct archive *a, const char *name, int segment_fd, const char *segment, int level,
                               struct archive_move *ret_move, settle_error *error)
{
    int fd = -1;
    char partial[ARCHIVED_NAME_BYTES + sizeof PARTIAL];
    snprintf(partial, sizeof partial, "%s" PARTIAL, name);
    settle_status status = file_open_at(a->archive_fd, partial, FILE_CREATE, &fd, error);
    if (status == SETTLE_OK)
        status = archived_write(segment_fd, segment, fd, partial, level, a->mem, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, partial, error);
    if (status == SETTLE_OK) {
        file_forget_cached(fd);
        status = read_back(a, partial, segment_fd, segment, ret_move, error);
    }
    if (status == SETTLE_OK)
        status = file_replace_at(a->archive_fd, partial, name, error);
    else if (fd >= 0)
        (void)file_remove_at(a->archive_fd, partial, NULL); /* a full disk wants its space back */
    if (status == SETTLE_OK)
        status = dir_sync(a->archive_fd, ARCHIVE_DIRECTORY, error);
    file_close(fd);
    return status;
}

/* The index tells of the segment, durably, before the plain file goes. */
static settle_status pack_finish(struct archive *a, const struct segment_entry *segment,
                                 const struct archive_move *move, settle_error *error)
{
    const struct archive_entry entry = {segment->header, move->segment_bytes, move->packed_bytes, move->digest};
    settle_status status = archive_index_put(&a->index, &entry, error);
    if (status == SETTLE_OK)
        status = archive_index_write(a->journal_fd, &a->index, error);
    if (status == SETTLE_OK)
        status = file_remove_at(a->journal_fd, segment->name, error);
    return status == SETTLE_OK ? dir_sync(a->journal_fd, "journal", error) : status;
}

settle_status archive_pack(struct archive *archive, const struct segment_entry *entry, int level,
                           struct archive_move *ret_move, settle_error *error)
{
    int fd = -1;
    bool is_packed_already = false;
    struct archive_move move = {0, 0, 0};
    char name[ARCHIVED_NAME_BYTES];
    assert(!entry->is_archived);
    archived_name(entry->name, name);
    settle_status status = file_open_at(archive->journal_fd, entry->name, FILE_READ, &fd, error);
    /* What its writer left in the cache alone is to be on the disk: it is the truth until the very end. */
    if (status == SETTLE_OK)
        status = file_sync_data(fd, entry->name, error);
    if (status == SETTLE_OK)
        status = is_packed(archive, name, fd, entry->name, &is_packed_already, &move, error);
    if (status == SETTLE_OK && is_packed_already) /* by a run that was interrupted: its name may not be on the disk */
        status = dir_sync(archive->archive_fd, ARCHIVE_DIRECTORY, error);
    else if (status == SETTLE_OK)
        status = pack_file(archive, name, fd, entry->name, level, &move, error);
    if (status == SETTLE_OK)
        status = pack_finish(archive, entry, &move, error);
    file_close(fd);
    if (status == SETTLE_OK)
        *ret_move = move;
    return status;
}

/* ---- And back ---------------------------------------------------------------------------------------------------- */

static settle_status unpack_bytes(struct archived *archived, int fd, const char *name, const struct mem *mem,
                                  settle_error *error)
{
    uint64_t bytes = archived_segment_bytes(archived);
    uint8_t *block = mem_alloc(mem, ARCHIVED_BLOCK_BYTES, 1);
    settle_status status = SETTLE_OK;
    if (block == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a block of an archived segment");
    for (uint64_t at = 0; at < bytes && status == SETTLE_OK; at += ARCHIVED_BLOCK_BYTES) {
        size_t count = bytes - at < ARCHIVED_BLOCK_BYTES ? (size_t)(bytes - at) : ARCHIVED_BLOCK_BYTES;
        status = archived_read(archived, at, block, count, error);
        if (status == SETTLE_OK)
            status = file_write(fd, name, at, block, count, error);
    }
    mem_free(mem, block);
    return status;
}

/* The segment's header must be that of its name: a file that was renamed is another segment. */
static settle_status unpack_check(struct archived *archived, const char *segment, struct segment_header *ret_header,
                                  settle_error *error)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    uint64_t first_seq = 0, ordinal = 0;
    struct segment_header header;
    bool is_name = segment_name_parse(segment, &first_seq, &ordinal);
    assert(is_name);
    settle_status status = archived_read(archived, 0, bytes, sizeof bytes, error);
    if (status == SETTLE_OK)
        status = segment_header_decode(bytes, segment, &header, error);
    if (status == SETTLE_OK && (header.first_seq != first_seq || header.ordinal != ordinal))
        status =
            fail_at(error, SETTLE_E_CORRUPT, segment, 0, first_seq, "the archived file's name and its header disagree");
    if (status == SETTLE_OK)
        *ret_header = header;
    return status;
}

/* One that is to come back: what the index says of it, and its place in the list, where no plain one has it. */
static settle_status candidate_add(struct archive *a, const char *segment, size_t plain, struct segment_list *list,
                                   settle_error *error)
{
    struct archived *archived = NULL;
    struct segment_entry entry = {.is_archived = true};
    char name[ARCHIVED_NAME_BYTES];
    archived_name(segment, name);
    settle_status status = archived_open(a->archive_fd, name, a->mem, &archived, error);
    if (status == SETTLE_OK)
        status = unpack_check(archived, segment, &entry.header, error);
    const struct archive_entry *known =
        status == SETTLE_OK ? archive_index_find(&a->index, entry.header.ordinal) : NULL;
    if (known != NULL &&
        (archived_file_bytes(archived) != known->file_bytes || archived_digest(archived) != known->digest))
        status = fail_at(error, SETTLE_E_CORRUPT, segment, 0, entry.header.first_seq,
                         "archive/%s is not the file that journal/archived tells of", name);
    archived_close(archived);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < plain; i++)
        if (list->entries[i].header.ordinal == entry.header.ordinal &&
            memcmp(list->entries[i].header.journal_id, entry.header.journal_id, 16) == 0)
            return SETTLE_OK; /* brought back before; its bytes are compared later */
    snprintf(entry.name, sizeof entry.name, "%s", segment);
    list->entries[list->count++] = entry;
    return SETTLE_OK;
}

settle_status archive_check(struct archive *archive, settle_error *error)
{
    struct segment_list list;
    char **names = NULL;
    size_t count = 0;
    settle_status status = segment_list_plain(archive->journal_fd, archive->mem, &list, error);
    if (status != SETTLE_OK)
        return status;
    const size_t plain = list.count;
    if (plain == 0)
        status = fail_at(error, SETTLE_E_CORRUPT, "journal", 0, 0,
                         "journal/ has no segment at all: the last one is never archived");
    if (status == SETTLE_OK)
        status = archive_list(archive, &names, &count, error);
    if (status == SETTLE_OK) {
        struct segment_entry *entries = mem_resize(list.mem, list.entries, plain + count, sizeof *entries);
        if (entries != NULL)
            list.entries = entries;
        else
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for the list of segments");
    }
    for (size_t i = 0; i < count && status == SETTLE_OK; i++)
        status = candidate_add(archive, names[i], plain, &list, error);
    segment_list_sort(&list);
    if (status == SETTLE_OK)
        status = segment_list_check(&list, error);
    if (status == SETTLE_OK && list.entries[list.count - 1].is_archived)
        status = fail_at(error, SETTLE_E_CORRUPT, list.entries[list.count - 1].name, 0, 0,
                         "the archive has a segment behind the journal's last one: it is another journal's");
    dir_list_free(names, count, archive->mem);
    segment_list_free(&list);
    return status;
}

/* A plain file that is there already has the archived one's bytes, or neither is touched. */
static settle_status unpack_is_done(struct archive *a, struct archived *archived, const char *segment,
                                    settle_error *error)
{
    int fd = -1;
    bool is_equal = false;
    settle_status status = file_open_at(a->journal_fd, segment, FILE_READ, &fd, error);
    if (status == SETTLE_OK)
        status = archived_compare(archived, fd, segment, a->mem, &is_equal, error);
    file_close(fd);
    if (status == SETTLE_OK && !is_equal)
        status = fail_at(error, SETTLE_E_CONFLICT, segment, 0, 0, "journal/ and archive/ both have %s, and they differ",
                         segment);
    return status;
}

/* Under its final name, synced, read back and compared. */
static settle_status unpack_file(struct archive *archive, struct archived *archived, const char *segment,
                                 settle_error *error)
{
    int fd = -1;
    bool is_equal = false;
    char partial[SEGMENT_NAME_BYTES + sizeof PARTIAL];
    snprintf(partial, sizeof partial, "%s" PARTIAL, segment);
    settle_status status = file_open_at(archive->journal_fd, partial, FILE_CREATE, &fd, error);
    if (status == SETTLE_OK)
        status = unpack_bytes(archived, fd, partial, archive->mem, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, partial, error);
    if (status == SETTLE_OK) {
        file_forget_cached(fd);
        status = archived_compare(archived, fd, partial, archive->mem, &is_equal, error);
    }
    if (status == SETTLE_OK && !is_equal)
        status =
            fail_at(error, SETTLE_E_IO, "journal", 0, 0, "%s was written and reads back as something else", segment);
    if (status == SETTLE_OK)
        status = file_rename_at(archive->journal_fd, partial, segment, error);
    else if (fd >= 0)
        (void)file_remove_at(archive->journal_fd, partial, NULL);
    if (status == SETTLE_OK)
        status = dir_sync(archive->journal_fd, "journal", error);
    file_close(fd);
    return status;
}

settle_status archive_unpack(struct archive *archive, const char *segment, struct archive_move *ret_move,
                             settle_error *error)
{
    struct archived *archived = NULL;
    struct segment_header header;
    char name[ARCHIVED_NAME_BYTES];
    archived_name(segment, name);
    settle_status status = archived_open(archive->archive_fd, name, archive->mem, &archived, error);
    if (status == SETTLE_OK)
        status = unpack_check(archived, segment, &header, error);
    if (status == SETTLE_OK)
        status = file_exists_at(archive->journal_fd, segment) ? unpack_is_done(archive, archived, segment, error)
                                                              : unpack_file(archive, archived, segment, error);
    if (status == SETTLE_OK)
        *ret_move = (struct archive_move){archived_segment_bytes(archived), archived_file_bytes(archived),
                                          archived_digest(archived)};
    archived_close(archived);
    return status;
}

settle_status archive_list(const struct archive *archive, char ***ret_segments, size_t *ret_count, settle_error *error)
{
    char **names = NULL;
    size_t count = 0, kept = 0;
    settle_status status = dir_list(archive->archive_fd, ARCHIVE_DIRECTORY, archive->mem, &names, &count, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        char segment[SEGMENT_NAME_BYTES];
        if (!archived_name_parse(names[i], segment)) {
            mem_free(archive->mem, names[i]);
            continue;
        }
        names[i][strlen(segment)] = '\0';
        names[kept++] = names[i];
    }
    *ret_segments = names;
    *ret_count = kept;
    return SETTLE_OK;
}

settle_status archive_empty(struct archive *archive, settle_error *error)
{
    char **segments = NULL;
    size_t count = 0;
    settle_status status = archive_list(archive, &segments, &count, error);
    if (status != SETTLE_OK)
        return status;
    for (size_t i = 0; i < count && status == SETTLE_OK; i++)
        if (!file_exists_at(archive->journal_fd, segments[i]))
            status = fail_at(error, SETTLE_E_CONFLICT, segments[i], 0, 0, "this segment is not back in journal/");
    if (status == SETTLE_OK)
        status = archive_index_remove(archive->journal_fd, error);
    if (status == SETTLE_OK)
        archive_index_free(&archive->index);
    for (size_t i = 0; i < count; i++) {
        char name[ARCHIVED_NAME_BYTES];
        archived_name(segments[i], name);
        if (status == SETTLE_OK)
            status = file_remove_at(archive->archive_fd, name, error);
    }
    dir_list_free(segments, count, archive->mem);
    return status == SETTLE_OK ? dir_sync(archive->archive_fd, ARCHIVE_DIRECTORY, error) : status;
}
