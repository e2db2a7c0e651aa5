/*
 * log_position.h — `.settlement.position`: where a follower begins again. docs/json-lines.md has the byte table.
 *
 * Written (replaced by rename, synced) only when the lines before it are on stable storage: it may be old, never ahead.
 */
#ifndef JOURNAL_LOG_POSITION_H
#define JOURNAL_LOG_POSITION_H

#include "journal/lines/lines.h"

#define LOG_POSITION_NAME ".settlement.position"
#define LOG_POSITION_NAME_NEW ".settlement.position.new"

struct log_position {
    uint8_t journal_id[16];
    uint32_t sample_per_million;
    /* All lines of the frames before `boundary` are written; of the frame that begins there those up to `place`,
     * none of them where it is {0, 0}. To go on one enters the frames from `restart` on. */
    struct journal_point restart, boundary;
    struct line_place place;
    uint64_t file_bytes;     /* of settlement.log then */
    uint32_t part_day, part; /* the last part that got a number, so that none is used twice; 0: none */
    settle_asset *assets;    /* declared before `place` */
    size_t asset_count;
};

/* Fields and assets; SETTLE_E_NO_MEMORY leaves *to as it was. */
settle_status log_position_copy(struct log_position *to, const struct log_position *from, const struct mem *mem,
                                settle_error *error);
/* Room for so many assets; then they can be set. Assets only ever become more: the same count means the same ones. */
settle_status log_position_reserve(struct log_position *position, size_t asset_count, const struct mem *mem,
                                   settle_error *error);
void log_position_set_assets(struct log_position *position, const settle_asset *assets, size_t count);
void log_position_deinit(struct log_position *position, const struct mem *mem);

settle_status log_position_write(int dir_fd, const struct log_position *position, const struct mem *mem,
                                 settle_error *error);
/* SETTLE_E_NOT_FOUND; SETTLE_E_CORRUPT or SETTLE_E_UNSUPPORTED: of no use; others: it could not be read.
 * *ret_position is zeros before the first use; its assets are replaced. */
settle_status log_position_read(int dir_fd, const struct mem *mem, struct log_position *ret_position,
                                settle_error *error);

#endif
