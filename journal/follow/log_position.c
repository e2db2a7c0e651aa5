/*
 * log_position.c — the bytes of `.settlement.position`, and replacing the file.
 *
 * Invariant: under the name there is always a whole file: a new one is written beside it, synced, and takes its name.
 */
#include "journal/follow/log_position.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/base/file.h"

#define POSITION_MAGIC "SETTLEP1"
#define POSITION_VERSION 1u

/* All integers are little-endian. A number in a comment is the width. */
enum {
    POSITION_VERSION_AT = 8,    /* u32 */
    POSITION_LENGTH = 12,       /* u32 of the file */
    POSITION_JOURNAL_ID = 16,   /* 16 bytes */
    POSITION_SAMPLE = 32,       /* u32 of a million */
    POSITION_STEP = 36,         /* u32 1–3; 0 with a seq of 0 */
    POSITION_SEQ = 40,          /* u64 */
    POSITION_FILE_BYTES = 48,   /* u64 */
    POSITION_PART_DAY = 56,     /* u32 days since 1970 */
    POSITION_PART = 60,         /* u32 */
    POSITION_RESTART = 64,      /* a point */
    POSITION_BOUNDARY = 112,    /* a point */
    POSITION_ASSET_COUNT = 160, /* u32 */
    POSITION_ZERO = 164,        /* u32 zero */
    POSITION_ASSETS = 168,

    POINT_POSITION = 0,        /* u64 */
    POINT_NEXT_SEQ = 8,        /* u64 */
    POINT_PERSISTED_SEQ = 16,  /* u64 */
    POINT_TIME_US = 24,        /* u64 */
    POINT_FRAME_POSITION = 32, /* u64 */
    POINT_CHAIN = 40,          /* u32 */
    POINT_ZERO = 44,           /* u32 zero */
    POINT_BYTES = 48,

    POSITION_ASSET_ID = 0,     /* u32 */
    POSITION_ASSET_SCALE = 4,  /* u8, then 3 bytes zero */
    POSITION_ASSET_SYMBOL = 8, /* 16 bytes, zero padded */
    POSITION_ASSET_BYTES = 24,

    POSITION_CRC_BYTES = 4, /* u32 CRC32C of all before it: the last bytes of the file */
};
#define POSITION_BYTES_MAX ((uint64_t)64 << 20)

_Static_assert(POSITION_BOUNDARY == POSITION_RESTART + POINT_BYTES, "the points stand side by side");
_Static_assert(POSITION_ASSET_COUNT == POSITION_BOUNDARY + POINT_BYTES, "what follows them does not overlap");
_Static_assert(sizeof((settle_asset *)0)->symbol <= 16, "a symbol fits");

/* ---- In memory -------------------------------------------------------------------------------------------------- */

settle_status log_position_reserve(struct log_position *position, size_t asset_count, const struct mem *mem,
                                   settle_error *error)
{
    if (position->asset_count >= asset_count)
        return SETTLE_OK;
    settle_asset *grown = mem_resize(mem, position->assets, asset_count, sizeof *grown);
    if (grown == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", asset_count);
    position->assets = grown;
    return SETTLE_OK;
}

void log_position_set_assets(struct log_position *position, const settle_asset *assets, size_t count)
{
    if (position->asset_count == count)
        return;
    assert(position->asset_count < count && position->assets != NULL);
    memcpy(position->assets, assets, count * sizeof *assets);
    position->asset_count = count;
}

settle_status log_position_copy(struct log_position *to, const struct log_position *from, const struct mem *mem,
                                settle_error *error)
{
    assert(to != from);
    settle_asset *assets = to->assets;
    if (from->asset_count > 0) {
        assets = mem_resize(mem, to->assets, from->asset_count, sizeof *assets);
        if (assets == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", from->asset_count);
        memcpy(assets, from->assets, from->asset_count * sizeof *assets);
    }
    *to = *from;
    to->assets = assets;
    return SETTLE_OK;
}

void log_position_deinit(struct log_position *position, const struct mem *mem)
{
    mem_free(mem, position->assets);
    position->assets = NULL;
    position->asset_count = 0;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static void point_encode(const struct journal_point *point, uint8_t *at)
{
    put_u64(at + POINT_POSITION, point->position);
    put_u64(at + POINT_NEXT_SEQ, point->next_seq);
    put_u64(at + POINT_PERSISTED_SEQ, point->persisted_seq);
    put_u64(at + POINT_TIME_US, point->time_us);
    put_u64(at + POINT_FRAME_POSITION, point->frame_position);
    put_u32(at + POINT_CHAIN, point->chain);
    put_u32(at + POINT_ZERO, 0);
}

static void point_decode(const uint8_t *at, struct journal_point *ret_point)
{
    *ret_point = (struct journal_point){
        .position = get_u64(at + POINT_POSITION),
        .next_seq = get_u64(at + POINT_NEXT_SEQ),
        .persisted_seq = get_u64(at + POINT_PERSISTED_SEQ),
        .time_us = get_u64(at + POINT_TIME_US),
        .frame_position = get_u64(at + POINT_FRAME_POSITION),
        .chain = get_u32(at + POINT_CHAIN),
    };
}

static size_t position_length(size_t asset_count)
{
    return POSITION_ASSETS + asset_count * POSITION_ASSET_BYTES + POSITION_CRC_BYTES;
}

/* `bytes` are zeros, position_length() of them. */
static void position_encode(const struct log_position *position, uint8_t *bytes)
{
    size_t length = position_length(position->asset_count);
    memcpy(bytes, POSITION_MAGIC, POSITION_VERSION_AT);
    put_u32(bytes + POSITION_VERSION_AT, POSITION_VERSION);
    put_u32(bytes + POSITION_LENGTH, (uint32_t)length);
    memcpy(bytes + POSITION_JOURNAL_ID, position->journal_id, sizeof position->journal_id);
    put_u32(bytes + POSITION_SAMPLE, position->sample_per_million);
    put_u32(bytes + POSITION_STEP, (uint32_t)position->place.step);
    put_u64(bytes + POSITION_SEQ, position->place.seq);
    put_u64(bytes + POSITION_FILE_BYTES, position->file_bytes);
    put_u32(bytes + POSITION_PART_DAY, position->part_day);
    put_u32(bytes + POSITION_PART, position->part);
    point_encode(&position->restart, bytes + POSITION_RESTART);
    point_encode(&position->boundary, bytes + POSITION_BOUNDARY);
    put_u32(bytes + POSITION_ASSET_COUNT, (uint32_t)position->asset_count);
    for (size_t i = 0; i < position->asset_count; i++) {
        uint8_t *at = bytes + POSITION_ASSETS + i * POSITION_ASSET_BYTES;
        put_u32(at + POSITION_ASSET_ID, position->assets[i].id);
        at[POSITION_ASSET_SCALE] = position->assets[i].scale;
        memcpy(at + POSITION_ASSET_SYMBOL, position->assets[i].symbol,
               strnlen(position->assets[i].symbol, SETTLE_SYMBOL_BYTES_MAX));
    }
    put_u32(bytes + length - POSITION_CRC_BYTES, crc32c(0, bytes, length - POSITION_CRC_BYTES));
}

/* NULL or what is wrong. Fills all but the assets. */
static const char *position_decode(const uint8_t *bytes, size_t count, struct log_position *position)
{
    if (count < position_length(0) || memcmp(bytes, POSITION_MAGIC, POSITION_VERSION_AT) != 0)
        return "it does not begin like one";
    if (get_u32(bytes + POSITION_LENGTH) != count ||
        get_u32(bytes + count - POSITION_CRC_BYTES) != crc32c(0, bytes, count - POSITION_CRC_BYTES))
        return "its length or its checksum does not fit";
    uint32_t step = get_u32(bytes + POSITION_STEP);
    size_t asset_count = get_u32(bytes + POSITION_ASSET_COUNT);
    *position = (struct log_position){
        .sample_per_million = get_u32(bytes + POSITION_SAMPLE),
        .place = {get_u64(bytes + POSITION_SEQ), (enum line_step)step},
        .file_bytes = get_u64(bytes + POSITION_FILE_BYTES),
        .part_day = get_u32(bytes + POSITION_PART_DAY),
        .part = get_u32(bytes + POSITION_PART),
        .asset_count = asset_count,
    };
    memcpy(position->journal_id, bytes + POSITION_JOURNAL_ID, sizeof position->journal_id);
    point_decode(bytes + POSITION_RESTART, &position->restart);
    point_decode(bytes + POSITION_BOUNDARY, &position->boundary);
    if (position_length(asset_count) != count || step > LINE_PERSISTED || (step == 0) != (position->place.seq == 0))
        return "its members contradict each other";
    if (position->restart.position > position->boundary.position)
        return "it begins again behind what it has";
    return NULL;
}

static void assets_decode(const uint8_t *bytes, settle_asset *ret_assets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = bytes + POSITION_ASSETS + i * POSITION_ASSET_BYTES;
        ret_assets[i] = (settle_asset){.id = get_u32(at + POSITION_ASSET_ID), .scale = at[POSITION_ASSET_SCALE]};
        memcpy(ret_assets[i].symbol, at + POSITION_ASSET_SYMBOL, SETTLE_SYMBOL_BYTES_MAX);
    }
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static settle_status write_new(int dir_fd, const uint8_t *bytes, size_t count, settle_error *error)
{
    int fd = -1;
    settle_status status = file_open_shared_at(dir_fd, LOG_POSITION_NAME_NEW, FILE_CREATE_OR_WRITE, 0640, &fd, error);
    if (status == SETTLE_OK)
        status = file_truncate(fd, LOG_POSITION_NAME_NEW, 0, error);
    if (status == SETTLE_OK)
        status = file_write(fd, LOG_POSITION_NAME_NEW, 0, bytes, count, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, LOG_POSITION_NAME_NEW, error);
    file_close(fd);
    return status;
}

settle_status log_position_write(int dir_fd, const struct log_position *position, const struct mem *mem,
                                 settle_error *error)
{
    size_t length = position_length(position->asset_count);
    assert(length <= POSITION_BYTES_MAX);
    uint8_t *bytes = mem_alloc(mem, length, 1);
    if (bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a position of %zu bytes", length);
    position_encode(position, bytes);
    settle_status status = write_new(dir_fd, bytes, length, error);
    mem_free(mem, bytes);
    if (status == SETTLE_OK)
        status = file_replace_at(dir_fd, LOG_POSITION_NAME_NEW, LOG_POSITION_NAME, error);
    if (status == SETTLE_OK)
        status = dir_sync(dir_fd, "the log directory", error);
    return status;
}

static settle_status decode_all(const uint8_t *bytes, size_t count, const struct mem *mem,
                                struct log_position *ret_position, settle_error *error)
{
    struct log_position position;
    if (count >= position_length(0) && memcmp(bytes, POSITION_MAGIC, POSITION_VERSION_AT) == 0 &&
        get_u32(bytes + POSITION_VERSION_AT) > POSITION_VERSION)
        return fail_at(error, SETTLE_E_UNSUPPORTED, LOG_POSITION_NAME, POSITION_VERSION_AT, 0,
                       "written by a newer version");
    const char *fault = position_decode(bytes, count, &position);
    if (fault != NULL)
        return fail_at(error, SETTLE_E_CORRUPT, LOG_POSITION_NAME, 0, 0, "no valid position: %s", fault);
    if (position.asset_count > 0) {
        position.assets = mem_alloc(mem, position.asset_count, sizeof *position.assets);
        if (position.assets == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", position.asset_count);
        assets_decode(bytes, position.assets, position.asset_count);
    }
    log_position_deinit(ret_position, mem);
    *ret_position = position;
    return SETTLE_OK;
}

settle_status log_position_read(int dir_fd, const struct mem *mem, struct log_position *ret_position,
                                settle_error *error)
{
    int fd = -1;
    uint64_t count = 0;
    uint8_t *bytes = NULL;
    settle_status status = file_open_shared_at(dir_fd, LOG_POSITION_NAME, FILE_READ, 0640, &fd, error);
    if (status != SETTLE_OK)
        return status;
    status = file_size(fd, LOG_POSITION_NAME, &count, error);
    if (status == SETTLE_OK && (count > POSITION_BYTES_MAX || count == 0))
        status = fail_at(error, SETTLE_E_CORRUPT, LOG_POSITION_NAME, 0, 0, "no valid position: it has a wrong length");
    if (status == SETTLE_OK && (bytes = mem_alloc(mem, (size_t)count, 1)) == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a position");
    if (status == SETTLE_OK)
        status = file_read_zeros(fd, LOG_POSITION_NAME, 0, bytes, (size_t)count, error);
    if (status == SETTLE_OK)
        status = decode_all(bytes, (size_t)count, mem, ret_position, error);
    mem_free(mem, bytes);
    file_close(fd);
    return status;
}
