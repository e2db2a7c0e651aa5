/*
 * segment.c — segment files: their names, headers and order.
 *
 * A segment is a file of at most segment_bytes: a header sector, frames, zeros. It may be shorter than segment_bytes; what
 * is missing counts as zeros. Ordinals rise by one from file to file, so a logical position names its file by division.
 */
#include "journal/segment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal/archive_index.h"
#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/base/sort.h"

#define LISTINGS_MAX 3

void segment_name(uint64_t first_seq, uint64_t ordinal, char ret_name[SEGMENT_NAME_BYTES])
{
    int length = snprintf(ret_name, SEGMENT_NAME_BYTES, "%020" PRIu64 "-%06" PRIu64 ".seg", first_seq, ordinal);
    assert(length > 0 && length < SEGMENT_NAME_BYTES);
}

/* Decimal digits from *at on; moves *at behind them. */
static bool parse_digits(const char **at, size_t digits_min, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, digits++) {
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
            return false;
    }
    *ret_value = value;
    return digits >= digits_min;
}

bool segment_name_parse(const char *name, uint64_t *ret_first_seq, uint64_t *ret_ordinal)
{
    uint64_t first_seq, ordinal;
    const char *at = name;
    if (!parse_digits(&at, 20, &first_seq) || *at++ != '-' || !parse_digits(&at, 6, &ordinal) ||
        strcmp(at, ".seg") != 0)
        return false;
    char canonical[SEGMENT_NAME_BYTES];
    segment_name(first_seq, ordinal, canonical);
    if (strcmp(canonical, name) != 0)
        return false;
    *ret_first_seq = first_seq;
    *ret_ordinal = ordinal;
    return true;
}

void segment_header_encode(const struct segment_header *header, uint8_t ret_bytes[SEGMENT_HEADER_BYTES])
{
    memset(ret_bytes, 0, SEGMENT_HEADER_BYTES);
    memcpy(ret_bytes, SEGMENT_MAGIC, 8);
    put_u32(ret_bytes + SEGMENT_VERSION, FORMAT_VERSION);
    put_u32(ret_bytes + SEGMENT_HEADER_LENGTH, SEGMENT_HEADER_BYTES);
    put_u32(ret_bytes + SEGMENT_COMPATIBLE, header->compatible);
    put_u32(ret_bytes + SEGMENT_INCOMPATIBLE, header->incompatible);
    memcpy(ret_bytes + SEGMENT_JOURNAL_ID, header->journal_id, 16);
    put_u64(ret_bytes + SEGMENT_ORDINAL, header->ordinal);
    put_u64(ret_bytes + SEGMENT_FIRST_SEQ, header->first_seq);
    put_u64(ret_bytes + SEGMENT_SIZE, header->segment_bytes);
    put_u64(ret_bytes + SEGMENT_CREATED_US, header->created_us);
    put_u32(ret_bytes + SEGMENT_PREVIOUS_CHAIN, header->previous_chain);
    put_u32(ret_bytes + SEGMENT_CRC, crc32c(0, ret_bytes, SEGMENT_CRC));
}

settle_status segment_header_decode(const uint8_t bytes[SEGMENT_HEADER_BYTES], const char *name,
                                    struct segment_header *ret_header, settle_error *error)
{
    if (memcmp(bytes, SEGMENT_MAGIC, 8) != 0)
        return fail_at(error, SETTLE_E_CORRUPT, name, 0, 0, "no segment header: the magic is missing");
    if (get_u32(bytes + SEGMENT_CRC) != crc32c(0, bytes, SEGMENT_CRC))
        return fail_at(error, SETTLE_E_CORRUPT, name, 0, 0, "the segment header's checksum does not fit");
    if (get_u32(bytes + SEGMENT_VERSION) != FORMAT_VERSION)
        return fail_at(error, SETTLE_E_UNSUPPORTED, name, SEGMENT_VERSION, 0, "journal format version %" PRIu32,
                       get_u32(bytes + SEGMENT_VERSION));
    if (get_u32(bytes + SEGMENT_INCOMPATIBLE) != 0)
        return fail_at(error, SETTLE_E_UNSUPPORTED, name, SEGMENT_INCOMPATIBLE, 0,
                       "unknown incompatible features 0x%08" PRIx32, get_u32(bytes + SEGMENT_INCOMPATIBLE));
    struct segment_header header = {
        .compatible = get_u32(bytes + SEGMENT_COMPATIBLE),
        .ordinal = get_u64(bytes + SEGMENT_ORDINAL),
        .first_seq = get_u64(bytes + SEGMENT_FIRST_SEQ),
        .segment_bytes = get_u64(bytes + SEGMENT_SIZE),
        .created_us = get_u64(bytes + SEGMENT_CREATED_US),
        .previous_chain = get_u32(bytes + SEGMENT_PREVIOUS_CHAIN),
    };
    memcpy(header.journal_id, bytes + SEGMENT_JOURNAL_ID, 16);
    if (get_u32(bytes + SEGMENT_HEADER_LENGTH) != SEGMENT_HEADER_BYTES || header.first_seq == 0 ||
        header.segment_bytes < SEGMENT_BYTES_MIN || header.segment_bytes > SEGMENT_BYTES_MAX ||
        header.segment_bytes % SEGMENT_BYTES_UNIT != 0 || header.ordinal > UINT32_MAX ||
        !bytes_are_zero(bytes + SEGMENT_ZERO, SEGMENT_IGNORED - SEGMENT_ZERO))
        return fail_at(error, SETTLE_E_CORRUPT, name, 0, 0, "a field of the segment header is out of range");
    *ret_header = header;
    return SETTLE_OK;
}

uint32_t segment_chain_genesis(const uint8_t journal_id[16])
{
    return crc32c(0, journal_id, 16);
}

/* One directory entry: not a segment, or gone since the directory was read → *ret_is_segment false. */
static settle_status entry_read(int journal_fd, const char *name, struct segment_entry *ret_entry, bool *ret_is_segment,
                                settle_error *error)
{
    uint64_t first_seq, ordinal;
    *ret_is_segment = segment_name_parse(name, &first_seq, &ordinal);
    if (!*ret_is_segment)
        return SETTLE_OK;
    int fd = -1;
    settle_status status = file_open_at(journal_fd, name, FILE_READ, &fd, error);
    if (status == SETTLE_E_NOT_FOUND) {
        *ret_is_segment = false;
        return SETTLE_OK;
    }
    if (status != SETTLE_OK)
        return status;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    status = file_read_zeros(fd, name, 0, bytes, sizeof bytes, error);
    file_close(fd);
    if (status == SETTLE_OK)
        status = segment_header_decode(bytes, name, &ret_entry->header, error);
    if (status != SETTLE_OK)
        return status;
    if (ret_entry->header.first_seq != first_seq || ret_entry->header.ordinal != ordinal)
        return fail_at(error, SETTLE_E_CORRUPT, name, 0, first_seq,
                       "the file's name and its header disagree: renamed?");
    snprintf(ret_entry->name, sizeof ret_entry->name, "%s", name);
    return SETTLE_OK;
}

static int entry_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct segment_entry *)a)->header.ordinal,
             y = ((const struct segment_entry *)b)->header.ordinal;
    return x < y ? -1 : x > y;
}

/* The segments fit together; the chain values between them are the reader's to check. */
settle_status segment_list_check(const struct segment_list *list, settle_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct segment_entry *entry = &list->entries[i], *before = i > 0 ? entry - 1 : NULL;
        if (before == NULL) {
            if (entry->header.ordinal != 0)
                return fail_at(error, SETTLE_E_CORRUPT, entry->name, 0, entry->header.first_seq,
                               "the segments before ordinal %" PRIu64 " are missing", entry->header.ordinal);
            if (entry->header.first_seq != 1 ||
                entry->header.previous_chain != segment_chain_genesis(entry->header.journal_id))
                return fail_at(error, SETTLE_E_CORRUPT, entry->name, 0, 1,
                               "the first segment does not begin a journal");
            continue;
        }
        if (memcmp(entry->header.journal_id, before->header.journal_id, 16) != 0 ||
            entry->header.segment_bytes != before->header.segment_bytes)
            return fail_at(error, SETTLE_E_CORRUPT, entry->name, 0, entry->header.first_seq,
                           "the segment belongs to another journal than %s", before->name);
        if (entry->header.ordinal == before->header.ordinal)
            return fail_at(error, SETTLE_E_CORRUPT, entry->name, 0, entry->header.first_seq,
                           "the segment and %s have the same ordinal: one is a copy", before->name);
        if (entry->header.ordinal != before->header.ordinal + 1 || entry->header.first_seq < before->header.first_seq)
            return fail_at(error, SETTLE_E_CORRUPT, entry->name, 0, entry->header.first_seq,
                           "a segment is missing between %s and this one", before->name);
    }
    return SETTLE_OK;
}

const char *segment_place(const struct segment_entry *entry, char ret_place[SEGMENT_PLACE_BYTES])
{
    int length =
        snprintf(ret_place, SEGMENT_PLACE_BYTES, entry->is_archived ? "archive/%s.zst" : "journal/%s", entry->name);
    assert(length > 0 && length < SEGMENT_PLACE_BYTES);
    return ret_place;
}

static bool list_has(const struct segment_list *list, uint64_t ordinal)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].header.ordinal == ordinal)
            return true;
    return false;
}

/* What the index tells of and the directory does not have. `list` is sorted, and is again afterwards. */
static settle_status list_add_archived(int journal_fd, struct segment_list *list, settle_error *error)
{
    struct archive_index index;
    settle_status status = archive_index_read(journal_fd, list->mem, &index, error);
    if (status != SETTLE_OK || index.count == 0)
        return status;
    struct segment_entry *entries = mem_resize(list->mem, list->entries, list->count + index.count, sizeof *entries);
    size_t plain = list->count;
    if (entries == NULL) {
        archive_index_free(&index);
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the list of segments");
    }
    list->entries = entries;
    for (size_t i = 0; i < index.count; i++) {
        const struct archive_entry *archived = &index.entries[i];
        const struct segment_list listed = {entries, plain, list->mem};
        if (list_has(&listed, archived->header.ordinal))
            continue;
        struct segment_entry *entry = &entries[list->count++];
        *entry = (struct segment_entry){.header = archived->header, .is_archived = true};
        entry->file_bytes = archived->segment_bytes;
        entry->packed_bytes = archived->file_bytes;
        entry->digest = archived->digest;
        segment_name(archived->header.first_seq, archived->header.ordinal, entry->name);
    }
    archive_index_free(&index);
    sort_in_place(list->entries, list->count, sizeof *list->entries, entry_compare);
    if (list->entries[list->count - 1].is_archived)
        return fail_at(error, SETTLE_E_CORRUPT, "journal", 0, list->entries[list->count - 1].header.first_seq,
                       "the segments behind the archived ones are missing");
    return SETTLE_OK;
}

void segment_list_sort(struct segment_list *list)
{
    sort_in_place(list->entries, list->count, sizeof *list->entries, entry_compare);
}

settle_status segment_list_plain(int journal_fd, const struct mem *mem, struct segment_list *ret_list,
                                 settle_error *error)
{
    char **names = NULL;
    size_t name_count = 0;
    settle_status status = dir_list(journal_fd, "journal", mem, &names, &name_count, error);
    if (status != SETTLE_OK)
        return status;
    struct segment_list list = {mem_alloc(mem, name_count + 1, sizeof *list.entries), 0, mem};
    if (list.entries == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for the list of segments");
    for (size_t i = 0; i < name_count && status == SETTLE_OK; i++) {
        bool is_segment = false;
        status = entry_read(journal_fd, names[i], &list.entries[list.count], &is_segment, error);
        if (status == SETTLE_OK && is_segment)
            list.count++;
    }
    dir_list_free(names, name_count, mem);
    if (status != SETTLE_OK) {
        segment_list_free(&list);
        return fail_in(error, status, "journal");
    }
    segment_list_sort(&list);
    *ret_list = list;
    return SETTLE_OK;
}

/* The index is read behind the directory: a segment that was archived in between is in it, since it is written first. */
static settle_status list_read_once(int journal_fd, const struct mem *mem, struct segment_list *ret_list,
                                    settle_error *error)
{
    struct segment_list list;
    settle_status status = segment_list_plain(journal_fd, mem, &list, error);
    if (status != SETTLE_OK)
        return status;
    status = list_add_archived(journal_fd, &list, error);
    if (status == SETTLE_OK)
        status = segment_list_check(&list, error);
    if (status != SETTLE_OK) {
        segment_list_free(&list);
        return fail_in(error, status, "journal");
    }
    *ret_list = list;
    return SETTLE_OK;
}

/* Where segments are brought back while the directory is read, they may be seen neither there nor in the index: what looks
 * like a hole is looked at again. */
settle_status segment_list_read(int journal_fd, const struct mem *mem, struct segment_list *ret_list,
                                settle_error *error)
{
    settle_status status = SETTLE_E_CORRUPT;
    for (int i = 0; i < LISTINGS_MAX && status == SETTLE_E_CORRUPT; i++)
        status = list_read_once(journal_fd, mem, ret_list, error);
    return status;
}

void segment_list_free(struct segment_list *list)
{
    if (list->entries != NULL)
        mem_free(list->mem, list->entries);
    *list = (struct segment_list){NULL, 0, NULL};
}
