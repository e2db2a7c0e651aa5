/*
 * archived.c — segment files in zstd's seekable format: independent frames of ARCHIVED_BLOCK_BYTES each (the last may be
 * shorter), every one with its size and a checksum, then a skippable frame with the table of them:
 *
 *   u32 0x184D2A5E · u32 bytes that follow · per block: u32 packed bytes, u32 plain bytes, u32 checksum ·
 *   u32 blocks · u8 0x80 (there are checksums) · u32 0x8F92EAB1
 *
 * A block's checksum in the table, the low half of XXH64 of its plain bytes, is also the last four bytes of its frame.
 *
 * Owns: the file's descriptor, the table, a decompressor, CACHE_BLOCKS plain blocks.
 * Invariants: the table accounts for every byte of the file; what a block unpacks to has its size and its checksum, or it
 * is handed out to nobody.
 */
#include "journal/archived.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zstd.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"

#define TABLE_MAGIC 0x184D2A5Eu
#define FOOTER_MAGIC 0x8F92EAB1u
#define TABLE_HEAD_BYTES 8u
#define TABLE_ENTRY_BYTES 12u
#define FOOTER_BYTES 9u
#define FOOTER_CHECKSUMS 0x80u
#define CHECKSUM_BYTES 4u
#define BLOCKS_MAX ((uint32_t)(SEGMENT_BYTES_MAX / ARCHIVED_BLOCK_BYTES))
#define CACHE_BLOCKS 4u

struct block {
    uint64_t offset; /* in the file */
    uint32_t packed_bytes, plain_bytes, checksum;
};

struct cached {
    uint32_t index; /* UINT32_MAX: empty */
    uint64_t used_at;
    uint8_t *bytes;
};

struct archived {
    const struct mem *mem;
    int fd;
    uint32_t digest;                                                /* of the table */
    char name[sizeof ARCHIVE_DIRECTORY + ARCHIVED_NAME_BYTES + 16]; /* for messages */
    uint64_t file_bytes, segment_bytes;
    struct block *blocks;
    uint32_t block_count;
    ZSTD_DCtx *unpacker;
    uint8_t *packed; /* room for one block */
    struct cached cache[CACHE_BLOCKS];
    uint64_t clock;
};

void archived_name(const char *segment, char ret_name[ARCHIVED_NAME_BYTES])
{
    int length = snprintf(ret_name, ARCHIVED_NAME_BYTES, "%s.zst", segment);
    assert(length > 0 && (size_t)length < ARCHIVED_NAME_BYTES);
}

bool archived_name_parse(const char *name, char ret_segment[SEGMENT_NAME_BYTES])
{
    char segment[SEGMENT_NAME_BYTES];
    uint64_t first_seq, ordinal;
    size_t length = strlen(name);
    if (length < 4 || length - 4 >= sizeof segment || strcmp(name + length - 4, ".zst") != 0)
        return false;
    memcpy(segment, name, length - 4);
    segment[length - 4] = '\0';
    if (!segment_name_parse(segment, &first_seq, &ordinal))
        return false;
    memcpy(ret_segment, segment, length - 3);
    return true;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static settle_status table_corrupt(const struct archived *a, uint64_t offset, const char *sentence, settle_error *error)
{
    return fail_at(error, SETTLE_E_CORRUPT, a->name, offset, 0, "the archived segment is damaged: %s", sentence);
}

static size_t packed_bytes_max(void)
{
    return ZSTD_compressBound(ARCHIVED_BLOCK_BYTES);
}

/* The entries, which begin at `offset` of the file. NULL, or what is wrong with one. */
static const char *table_take(struct archived *a, const uint8_t *entries)
{
    uint64_t offset = 0, segment_bytes = 0;
    for (uint32_t i = 0; i < a->block_count; i++) {
        const uint8_t *entry = entries + (size_t)i * TABLE_ENTRY_BYTES;
        struct block *block = &a->blocks[i];
        *block = (struct block){offset, get_u32(entry), get_u32(entry + 4), get_u32(entry + 8)};
        bool is_last = i + 1 == a->block_count;
        if (block->plain_bytes == 0 || block->plain_bytes > ARCHIVED_BLOCK_BYTES ||
            (!is_last && block->plain_bytes != ARCHIVED_BLOCK_BYTES))
            return "a block in its table has an impossible size";
        if (block->packed_bytes <= CHECKSUM_BYTES || block->packed_bytes > packed_bytes_max())
            return "a block in its table has an impossible packed size";
        offset += block->packed_bytes;
        segment_bytes += block->plain_bytes;
    }
    uint64_t table_bytes = TABLE_HEAD_BYTES + (uint64_t)a->block_count * TABLE_ENTRY_BYTES + FOOTER_BYTES;
    if (offset + table_bytes != a->file_bytes)
        return "its table does not account for all of its bytes";
    a->segment_bytes = segment_bytes;
    return NULL;
}

static settle_status table_read_entries(struct archived *a, uint8_t *table, uint64_t table_bytes, settle_error *error)
{
    uint64_t offset = a->file_bytes - table_bytes;
    settle_status status = file_read_zeros(a->fd, a->name, offset, table, (size_t)table_bytes, error);
    if (status != SETTLE_OK)
        return status;
    if (get_u32(table) != TABLE_MAGIC || get_u32(table + 4) != table_bytes - TABLE_HEAD_BYTES)
        return table_corrupt(a, offset, "no table of blocks begins where its end says", error);
    a->digest = crc32c(0, table, (size_t)table_bytes);
    const char *fault = table_take(a, table + TABLE_HEAD_BYTES);
    return fault == NULL ? SETTLE_OK : table_corrupt(a, offset, fault, error);
}

static settle_status table_read(struct archived *a, settle_error *error)
{
    uint8_t footer[FOOTER_BYTES];
    settle_status status = file_size(a->fd, a->name, &a->file_bytes, error);
    if (status != SETTLE_OK)
        return status;
    if (a->file_bytes < TABLE_HEAD_BYTES + FOOTER_BYTES)
        return table_corrupt(a, 0, "it is too short", error);
    uint64_t footer_offset = a->file_bytes - FOOTER_BYTES;
    status = file_read_zeros(a->fd, a->name, footer_offset, footer, sizeof footer, error);
    if (status != SETTLE_OK)
        return status;
    uint32_t count = get_u32(footer);
    uint64_t table_bytes = TABLE_HEAD_BYTES + (uint64_t)count * TABLE_ENTRY_BYTES + FOOTER_BYTES;
    if (get_u32(footer + 5) != FOOTER_MAGIC || footer[4] != FOOTER_CHECKSUMS || count == 0 || count > BLOCKS_MAX ||
        table_bytes > a->file_bytes)
        return table_corrupt(a, footer_offset, "it does not end in a table of blocks", error);
    uint8_t *table = mem_alloc(a->mem, (size_t)table_bytes, 1);
    a->blocks = mem_alloc(a->mem, count, sizeof *a->blocks);
    a->block_count = count;
    if (table == NULL || a->blocks == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for the blocks of an archived segment");
    else
        status = table_read_entries(a, table, table_bytes, error);
    mem_free(a->mem, table);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

settle_status archived_open(int archive_fd, const char *name, const struct mem *mem, struct archived **ret_archived,
                            settle_error *error)
{
    struct archived *a = mem_alloc(mem, 1, sizeof *a);
    if (a == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for an archived segment");
    *a = (struct archived){.mem = mem, .fd = -1};
    for (size_t i = 0; i < CACHE_BLOCKS; i++)
        a->cache[i].index = UINT32_MAX;
    snprintf(a->name, sizeof a->name, ARCHIVE_DIRECTORY "/%s", name);
    settle_status status = file_open_at(archive_fd, name, FILE_READ, &a->fd, error);
    if (status == SETTLE_OK)
        status = table_read(a, error);
    if (status == SETTLE_OK) {
        a->unpacker = ZSTD_createDCtx();
        a->packed = mem_alloc(mem, packed_bytes_max(), 1);
        if (a->unpacker == NULL || a->packed == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory to unpack an archived segment");
    }
    if (status != SETTLE_OK) {
        archived_close(a);
        return status;
    }
    *ret_archived = a;
    return SETTLE_OK;
}

void archived_close(struct archived *archived)
{
    struct archived *a = archived;
    if (a == NULL)
        return;
    for (size_t i = 0; i < CACHE_BLOCKS; i++)
        mem_free(a->mem, a->cache[i].bytes);
    ZSTD_freeDCtx(a->unpacker);
    mem_free(a->mem, a->packed);
    mem_free(a->mem, a->blocks);
    file_close(a->fd);
    mem_free(a->mem, a);
}

uint64_t archived_segment_bytes(const struct archived *archived)
{
    return archived->segment_bytes;
}

uint32_t archived_digest(const struct archived *archived)
{
    return archived->digest;
}

uint64_t archived_file_bytes(const struct archived *archived)
{
    return archived->file_bytes;
}

/* Unpacks a block to ret_bytes, which has room for it. */
static settle_status block_unpack(struct archived *a, uint32_t index, uint8_t *ret_bytes, settle_error *error)
{
    const struct block *block = &a->blocks[index];
    settle_status status = file_read_zeros(a->fd, a->name, block->offset, a->packed, block->packed_bytes, error);
    if (status != SETTLE_OK)
        return status;
    size_t count = ZSTD_decompressDCtx(a->unpacker, ret_bytes, block->plain_bytes, a->packed, block->packed_bytes);
    if (ZSTD_isError(count))
        return table_corrupt(a, block->offset, ZSTD_getErrorName(count), error);
    if (count != block->plain_bytes || get_u32(a->packed + block->packed_bytes - CHECKSUM_BYTES) != block->checksum)
        return table_corrupt(a, block->offset, "a block is not what the table says", error);
    return SETTLE_OK;
}

/* A block in the cache; the one that was used longest ago gives its place. */
static settle_status block_get(struct archived *a, uint32_t index, const uint8_t **ret_bytes, settle_error *error)
{
    struct cached *place = &a->cache[0];
    for (size_t i = 0; i < CACHE_BLOCKS; i++) {
        struct cached *cached = &a->cache[i];
        if (cached->index == index) {
            cached->used_at = ++a->clock;
            *ret_bytes = cached->bytes;
            return SETTLE_OK;
        }
        if (cached->used_at < place->used_at)
            place = cached;
    }
    if (place->bytes == NULL)
        place->bytes = mem_alloc(a->mem, ARCHIVED_BLOCK_BYTES, 1);
    if (place->bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a block of an archived segment");
    place->index = UINT32_MAX;
    settle_status status = block_unpack(a, index, place->bytes, error);
    if (status != SETTLE_OK)
        return status;
    place->index = index;
    place->used_at = ++a->clock;
    *ret_bytes = place->bytes;
    return SETTLE_OK;
}

settle_status archived_read(struct archived *archived, uint64_t offset, void *ret_bytes, size_t count,
                            settle_error *error)
{
    struct archived *a = archived;
    uint8_t *to = ret_bytes;
    while (count > 0 && offset < a->segment_bytes) {
        uint32_t index = (uint32_t)(offset / ARCHIVED_BLOCK_BYTES);
        size_t from = (size_t)(offset % ARCHIVED_BLOCK_BYTES), plain = a->blocks[index].plain_bytes;
        size_t part = plain - from < count ? plain - from : count;
        settle_status status;
        if (part == plain) { /* all of it: no need for the cache */
            status = block_unpack(a, index, to, error);
        } else {
            const uint8_t *bytes = NULL;
            status = block_get(a, index, &bytes, error);
            if (status == SETTLE_OK)
                memcpy(to, bytes + from, part);
        }
        if (status != SETTLE_OK)
            return status;
        to += part;
        offset += part;
        count -= part;
    }
    memset(to, 0, count);
    return SETTLE_OK;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

struct packing {
    int from_fd, to_fd;
    const char *from_name, *to_name;
    ZSTD_CCtx *packer;
    uint8_t *plain, *packed, *table;
    uint64_t from_bytes, to_bytes;
    uint32_t block_count;
};

static settle_status block_pack(struct packing *p, uint32_t index, settle_error *error)
{
    uint64_t offset = (uint64_t)index * ARCHIVED_BLOCK_BYTES;
    size_t plain =
        p->from_bytes - offset < ARCHIVED_BLOCK_BYTES ? (size_t)(p->from_bytes - offset) : ARCHIVED_BLOCK_BYTES;
    settle_status status = file_read_zeros(p->from_fd, p->from_name, offset, p->plain, plain, error);
    if (status != SETTLE_OK)
        return status;
    size_t packed = ZSTD_compress2(p->packer, p->packed, packed_bytes_max(), p->plain, plain);
    if (ZSTD_isError(packed))
        return fail_at(error, SETTLE_E_IO, p->to_name, p->to_bytes, 0, "zstd: %s", ZSTD_getErrorName(packed));
    status = file_write(p->to_fd, p->to_name, p->to_bytes, p->packed, packed, error);
    if (status != SETTLE_OK)
        return status;
    uint8_t *entry = p->table + TABLE_HEAD_BYTES + (size_t)index * TABLE_ENTRY_BYTES;
    put_u32(entry, (uint32_t)packed);
    put_u32(entry + 4, (uint32_t)plain);
    memcpy(entry + 8, p->packed + packed - CHECKSUM_BYTES, CHECKSUM_BYTES);
    p->to_bytes += packed;
    return SETTLE_OK;
}

static settle_status table_write(struct packing *p, settle_error *error)
{
    size_t entries = (size_t)p->block_count * TABLE_ENTRY_BYTES, count = TABLE_HEAD_BYTES + entries + FOOTER_BYTES;
    uint8_t *footer = p->table + TABLE_HEAD_BYTES + entries;
    put_u32(p->table, TABLE_MAGIC);
    put_u32(p->table + 4, (uint32_t)(entries + FOOTER_BYTES));
    put_u32(footer, p->block_count);
    footer[4] = FOOTER_CHECKSUMS;
    put_u32(footer + 5, FOOTER_MAGIC);
    return file_write(p->to_fd, p->to_name, p->to_bytes, p->table, count, error);
}

settle_status archived_write(int from_fd, const char *from_name, int to_fd, const char *to_name, int level,
                             const struct mem *mem, settle_error *error)
{
    struct packing p = {.from_fd = from_fd, .to_fd = to_fd, .from_name = from_name, .to_name = to_name};
    assert(level >= ARCHIVED_LEVEL_MIN && level <= ARCHIVED_LEVEL_MAX);
    settle_status status = file_size(from_fd, from_name, &p.from_bytes, error);
    if (status != SETTLE_OK)
        return status;
    if (p.from_bytes == 0 || p.from_bytes > SEGMENT_BYTES_MAX)
        return fail_at(error, SETTLE_E_CORRUPT, from_name, p.from_bytes, 0, "this is not the size of a segment");
    p.block_count = (uint32_t)((p.from_bytes + ARCHIVED_BLOCK_BYTES - 1) / ARCHIVED_BLOCK_BYTES);
    p.packer = ZSTD_createCCtx();
    p.plain = mem_alloc(mem, ARCHIVED_BLOCK_BYTES, 1);
    p.packed = mem_alloc(mem, packed_bytes_max(), 1);
    p.table = mem_alloc(mem, TABLE_HEAD_BYTES + (size_t)p.block_count * TABLE_ENTRY_BYTES + FOOTER_BYTES, 1);
    if (p.packer == NULL || p.plain == NULL || p.packed == NULL || p.table == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p.packer, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p.packer, ZSTD_c_checksumFlag, 1)))
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory to compress a segment");
    for (uint32_t i = 0; i < p.block_count && status == SETTLE_OK; i++)
        status = block_pack(&p, i, error);
    if (status == SETTLE_OK)
        status = table_write(&p, error);
    ZSTD_freeCCtx(p.packer);
    mem_free(mem, p.plain);
    mem_free(mem, p.packed);
    mem_free(mem, p.table);
    return status;
}

settle_status archived_compare(struct archived *archived, int fd, const char *name, const struct mem *mem,
                               bool *ret_is_equal, settle_error *error)
{
    uint64_t bytes = 0;
    settle_status status = file_size(fd, name, &bytes, error);
    if (status != SETTLE_OK)
        return status;
    bool is_equal = bytes == archived->segment_bytes;
    uint8_t *pair = mem_alloc(mem, 2, ARCHIVED_BLOCK_BYTES);
    if (pair == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory to compare a segment");
    uint8_t *ours = pair, *theirs = pair + ARCHIVED_BLOCK_BYTES;
    for (uint64_t at = 0; at < bytes && is_equal; at += ARCHIVED_BLOCK_BYTES) {
        size_t count = bytes - at < ARCHIVED_BLOCK_BYTES ? (size_t)(bytes - at) : ARCHIVED_BLOCK_BYTES;
        status = archived_read(archived, at, ours, count, error);
        if (status == SETTLE_OK)
            status = file_read_zeros(fd, name, at, theirs, count, error);
        is_equal = status == SETTLE_OK && memcmp(ours, theirs, count) == 0;
    }
    mem_free(mem, pair);
    if (status == SETTLE_OK)
        *ret_is_equal = is_equal;
    return status;
}

settle_status archived_check(struct archived *archived, const struct mem *mem, settle_error *error)
{
    uint8_t *block = mem_alloc(mem, ARCHIVED_BLOCK_BYTES, 1);
    settle_status status = SETTLE_OK;
    if (block == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a block of an archived segment");
    for (uint32_t i = 0; i < archived->block_count && status == SETTLE_OK; i++)
        status = block_unpack(archived, i, block, error);
    mem_free(mem, block);
    return status;
}
