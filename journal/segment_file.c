/* segment_file.c — reads of a segment led to the plain file or to the archived one. */
#include "journal/segment_file.h"

#include <assert.h>
#include <string.h>

/*
 * The archived file must be the very one the index tells of. Its header alone does not show that: a copy of the journal that went
 * another way has segments with the same header, the same id, and all checksums right.
 */
static settle_status archived_confirm(const struct segment_entry *entry, struct archived *archived, settle_error *error)
{
    char place[SEGMENT_PLACE_BYTES];
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    uint8_t expected[SEGMENT_HEADER_BYTES];
    settle_status status = archived_read(archived, 0, bytes, sizeof bytes, error);
    if (status != SETTLE_OK)
        return status;
    struct segment_header header;
    status = segment_header_decode(bytes, segment_place(entry, place), &header, error);
    if (status != SETTLE_OK)
        return status;
    segment_header_encode(&header, bytes);
    segment_header_encode(&entry->header, expected);
    if (memcmp(bytes, expected, sizeof bytes) != 0 || archived_segment_bytes(archived) != entry->file_bytes ||
        archived_file_bytes(archived) != entry->packed_bytes || archived_digest(archived) != entry->digest)
        return fail_at(error, SETTLE_E_CORRUPT, place, 0, entry->header.first_seq,
                       "this is not the segment that journal/archived tells of");
    return SETTLE_OK;
}

static settle_status archived_begin(int data_fd, const struct segment_entry *entry, const struct mem *mem,
                                    struct archived **ret_archived, settle_error *error)
{
    int archive_fd = -1;
    char name[ARCHIVED_NAME_BYTES];
    struct archived *archived = NULL;
    archived_name(entry->name, name);
    settle_status status = dir_open_at(data_fd, ARCHIVE_DIRECTORY, false, &archive_fd, error);
    if (status == SETTLE_OK)
        status = archived_open(archive_fd, name, mem, &archived, error);
    file_close(archive_fd);
    if (status == SETTLE_OK)
        status = archived_confirm(entry, archived, error);
    if (status == SETTLE_OK)
        *ret_archived = archived;
    else
        archived_close(archived);
    return status;
}

settle_status segment_file_open(int data_fd, int journal_fd, const struct segment_entry *entry, const struct mem *mem,
                                struct segment_file *ret_file, settle_error *error)
{
    struct segment_file file = SEGMENT_FILE_CLOSED;
    settle_status status;
    if (entry->is_archived) {
        status = archived_begin(data_fd, entry, mem, &file.archived, error);
        if (status == SETTLE_OK)
            file.bytes_known = archived_segment_bytes(file.archived);
    } else {
        status = fail_in(error, file_open_at(journal_fd, entry->name, FILE_READ, &file.fd, error), "journal");
    }
    if (status == SETTLE_OK)
        *ret_file = file;
    return status;
}

void segment_file_close(struct segment_file *file)
{
    file_close(file->fd);
    archived_close(file->archived);
    *file = SEGMENT_FILE_CLOSED;
}

settle_status segment_file_read(struct segment_file *file, const char *name, uint64_t offset, void *ret_bytes,
                                size_t count, settle_error *error)
{
    assert(segment_file_is_open(file));
    if (file->archived != NULL)
        return archived_read(file->archived, offset, ret_bytes, count, error);
    return fail_in(error, file_read_zeros(file->fd, name, offset, ret_bytes, count, error), "journal");
}

settle_status segment_file_bytes(const struct segment_file *file, const char *name, uint64_t *ret_bytes,
                                 settle_error *error)
{
    assert(segment_file_is_open(file));
    if (file->archived == NULL)
        return fail_in(error, file_size(file->fd, name, ret_bytes, error), "journal");
    *ret_bytes = file->bytes_known;
    return SETTLE_OK;
}
