/*
 * archive_index.c — `journal/archived` as bytes: a head, then an entry a segment, each with a checksum of its own.
 *
 * Invariants: ordinals rise; the file has exactly the bytes its head tells of.
 */
#include "journal/archive_index.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"

#define INDEX_VERSION 1u
#define FILE_NAME "journal/" ARCHIVE_INDEX_NAME
#define ENTRIES_MAX ((uint32_t)1 << 20) /* of 16 KiB at least each */

_Static_assert((int)ARCHIVE_ENTRY_SEGMENT_BYTES == (int)SEGMENT_HEADER_BYTES,
               "an entry begins with the segment's header");

void archive_index_free(struct archive_index *index)
{
    if (index->entries != NULL)
        mem_free(index->mem, index->entries);
    *index = (struct archive_index){NULL, 0, index->mem};
}

const struct archive_entry *archive_index_find(const struct archive_index *index, uint64_t ordinal)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->entries[i].header.ordinal == ordinal)
            return &index->entries[i];
    return NULL;
}

settle_status archive_index_put(struct archive_index *index, const struct archive_entry *entry, settle_error *error)
{
    size_t at = 0;
    while (at < index->count && index->entries[at].header.ordinal < entry->header.ordinal)
        at++;
    if (at < index->count && index->entries[at].header.ordinal == entry->header.ordinal) {
        index->entries[at] = *entry;
        return SETTLE_OK;
    }
    struct archive_entry *entries = mem_resize(index->mem, index->entries, index->count + 1, sizeof *entries);
    if (entries == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the index of the archive");
    memmove(entries + at + 1, entries + at, (index->count - at) * sizeof *entries);
    entries[at] = *entry;
    index->entries = entries;
    index->count++;
    return SETTLE_OK;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

static void head_encode(uint32_t count, uint8_t ret_bytes[ARCHIVE_INDEX_HEAD_BYTES])
{
    memset(ret_bytes, 0, ARCHIVE_INDEX_HEAD_BYTES);
    memcpy(ret_bytes, ARCHIVE_INDEX_MAGIC, 8);
    put_u32(ret_bytes + ARCHIVE_INDEX_VERSION, INDEX_VERSION);
    put_u32(ret_bytes + ARCHIVE_INDEX_COUNT, count);
    put_u32(ret_bytes + ARCHIVE_INDEX_CRC, crc32c(0, ret_bytes, ARCHIVE_INDEX_CRC));
}

static settle_status head_decode(const uint8_t *bytes, uint64_t file_bytes, uint32_t *ret_count, settle_error *error)
{
    if (file_bytes < ARCHIVE_INDEX_HEAD_BYTES || memcmp(bytes, ARCHIVE_INDEX_MAGIC, 8) != 0)
        return fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, 0, 0, "this is no index of an archive");
    if (get_u32(bytes + ARCHIVE_INDEX_CRC) != crc32c(0, bytes, ARCHIVE_INDEX_CRC))
        return fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, 0, 0, "the checksum of the index's head does not fit");
    if (get_u32(bytes + ARCHIVE_INDEX_VERSION) != INDEX_VERSION)
        return fail_at(error, SETTLE_E_UNSUPPORTED, FILE_NAME, ARCHIVE_INDEX_VERSION, 0,
                       "archive index version %" PRIu32, get_u32(bytes + ARCHIVE_INDEX_VERSION));
    uint32_t count = get_u32(bytes + ARCHIVE_INDEX_COUNT);
    if (count > ENTRIES_MAX || file_bytes != ARCHIVE_INDEX_HEAD_BYTES + (uint64_t)count * ARCHIVE_ENTRY_BYTES ||
        !bytes_are_zero(bytes + ARCHIVE_INDEX_ZERO, ARCHIVE_INDEX_CRC - ARCHIVE_INDEX_ZERO))
        return fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, ARCHIVE_INDEX_COUNT, 0,
                       "the index has not the bytes that its head tells of");
    *ret_count = count;
    return SETTLE_OK;
}

static void entry_encode(const struct archive_entry *entry, uint8_t ret_bytes[ARCHIVE_ENTRY_BYTES])
{
    memset(ret_bytes, 0, ARCHIVE_ENTRY_BYTES);
    segment_header_encode(&entry->header, ret_bytes);
    put_u64(ret_bytes + ARCHIVE_ENTRY_SEGMENT_BYTES, entry->segment_bytes);
    put_u64(ret_bytes + ARCHIVE_ENTRY_FILE_BYTES, entry->file_bytes);
    put_u32(ret_bytes + ARCHIVE_ENTRY_DIGEST, entry->digest);
    put_u32(ret_bytes + ARCHIVE_ENTRY_CRC, crc32c(0, ret_bytes, ARCHIVE_ENTRY_CRC));
}

static settle_status entry_decode(const uint8_t *bytes, uint64_t offset, struct archive_entry *ret_entry,
                                  settle_error *error)
{
    if (get_u32(bytes + ARCHIVE_ENTRY_CRC) != crc32c(0, bytes, ARCHIVE_ENTRY_CRC) ||
        !bytes_are_zero(bytes + ARCHIVE_ENTRY_ZERO, ARCHIVE_ENTRY_CRC - ARCHIVE_ENTRY_ZERO))
        return fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, offset, 0, "the checksum of an entry does not fit");
    struct archive_entry entry = {.segment_bytes = get_u64(bytes + ARCHIVE_ENTRY_SEGMENT_BYTES),
                                  .file_bytes = get_u64(bytes + ARCHIVE_ENTRY_FILE_BYTES),
                                  .digest = get_u32(bytes + ARCHIVE_ENTRY_DIGEST)};
    settle_status status = segment_header_decode(bytes, FILE_NAME, &entry.header, error);
    if (status != SETTLE_OK)
        return status;
    if (entry.segment_bytes < SEGMENT_HEADER_BYTES || entry.segment_bytes > entry.header.segment_bytes ||
        entry.file_bytes == 0)
        return fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, offset, 0, "a size in an entry is out of range");
    *ret_entry = entry;
    return SETTLE_OK;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static settle_status entries_decode(const uint8_t *bytes, uint32_t count, const struct mem *mem,
                                    struct archive_index *ret_index, settle_error *error)
{
    struct archive_index index = {mem_alloc(mem, (size_t)count + 1, sizeof *index.entries), 0, mem};
    settle_status status = SETTLE_OK;
    if (index.entries == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the index of the archive");
    for (uint32_t i = 0; i < count && status == SETTLE_OK; i++) {
        uint64_t offset = ARCHIVE_INDEX_HEAD_BYTES + (uint64_t)i * ARCHIVE_ENTRY_BYTES;
        status = entry_decode(bytes + offset, offset, &index.entries[i], error);
        if (status == SETTLE_OK && i > 0 && index.entries[i].header.ordinal <= index.entries[i - 1].header.ordinal)
            status = fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, offset, 0, "the entries are not in order");
        index.count = i + 1;
    }
    if (status == SETTLE_OK)
        *ret_index = index;
    else
        archive_index_free(&index);
    return status;
}

settle_status archive_index_read(int journal_fd, const struct mem *mem, struct archive_index *ret_index,
                                 settle_error *error)
{
    int fd = -1;
    uint64_t file_bytes = 0;
    uint32_t count = 0;
    uint8_t *bytes = NULL;
    settle_error fault;
    settle_status status = file_open_at(journal_fd, ARCHIVE_INDEX_NAME, FILE_READ, &fd, &fault);
    if (status == SETTLE_E_NOT_FOUND) {
        *ret_index = (struct archive_index){NULL, 0, mem};
        return SETTLE_OK;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    if (status == SETTLE_OK)
        status = file_size(fd, FILE_NAME, &file_bytes, error);
    uint64_t limit = ARCHIVE_INDEX_HEAD_BYTES + (uint64_t)ENTRIES_MAX * ARCHIVE_ENTRY_BYTES;
    if (status == SETTLE_OK && file_bytes > limit)
        status = fail_at(error, SETTLE_E_CORRUPT, FILE_NAME, limit, 0, "the index is too long");
    if (status == SETTLE_OK) {
        bytes = mem_alloc(mem, 1, (size_t)file_bytes + ARCHIVE_INDEX_HEAD_BYTES);
        status = bytes == NULL ? fail(error, SETTLE_E_NO_MEMORY, "no memory for the index of the archive")
                               : file_read_zeros(fd, FILE_NAME, 0, bytes, (size_t)file_bytes, error);
    }
    if (status == SETTLE_OK)
        status = head_decode(bytes, file_bytes, &count, error);
    if (status == SETTLE_OK)
        status = entries_decode(bytes, count, mem, ret_index, error);
    mem_free(mem, bytes);
    file_close(fd);
    return status;
}

settle_status archive_index_write(int journal_fd, const struct archive_index *index, settle_error *error)
{
    assert(index->count > 0 && index->count <= ENTRIES_MAX);
    size_t count = ARCHIVE_INDEX_HEAD_BYTES + index->count * ARCHIVE_ENTRY_BYTES;
    uint8_t *bytes = mem_resize(index->mem, NULL, count, 1);
    int fd = -1;
    if (bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the index of the archive");
    head_encode((uint32_t)index->count, bytes);
    for (size_t i = 0; i < index->count; i++)
        entry_encode(&index->entries[i], bytes + ARCHIVE_INDEX_HEAD_BYTES + i * ARCHIVE_ENTRY_BYTES);
    settle_status status = SETTLE_OK;
    if (file_exists_at(journal_fd, ARCHIVE_INDEX_NAME_NEW))
        status = file_remove_at(journal_fd, ARCHIVE_INDEX_NAME_NEW, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, ARCHIVE_INDEX_NAME_NEW, FILE_CREATE, &fd, error);
    if (status == SETTLE_OK)
        status = file_write(fd, FILE_NAME, 0, bytes, count, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, FILE_NAME, error);
    if (status == SETTLE_OK)
        status = file_replace_at(journal_fd, ARCHIVE_INDEX_NAME_NEW, ARCHIVE_INDEX_NAME, error);
    if (status == SETTLE_OK)
        status = dir_sync(journal_fd, "journal", error);
    file_close(fd);
    mem_free(index->mem, bytes);
    return status;
}

settle_status archive_index_remove(int journal_fd, settle_error *error)
{
    static const char *const names[] = {ARCHIVE_INDEX_NAME_NEW, ARCHIVE_INDEX_NAME};
    settle_status status = SETTLE_OK;
    settle_error fault = {.status = SETTLE_OK};
    /* Not asked before whether it is there: one that cannot be examined would stay behind an archive that is gone. */
    for (size_t i = 0; i < 2 && (status == SETTLE_OK || status == SETTLE_E_NOT_FOUND); i++)
        status = file_remove_at(journal_fd, names[i], &fault);
    if (status == SETTLE_E_NOT_FOUND)
        status = SETTLE_OK;
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status == SETTLE_OK ? dir_sync(journal_fd, "journal", error) : status;
}
