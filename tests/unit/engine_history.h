/*
 * engine_history.h — a history for tests of recovery: assets, a source, all kinds of outcomes, several segments; and
 * what an engine that has recovered it must know.
 */
#ifndef UNIT_ENGINE_HISTORY_H
#define UNIT_ENGINE_HISTORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

static inline bool file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static inline void path_in(struct rig *rig, const char *name, char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, rig->data, name);
}

static inline void make_history(struct rig *rig)
{
    settle_source_position source;
    rig_make(rig);
    rig_open(rig);
    EXPECT_OK(settle_source_open(rig->engine, (settle_text){"file", 4}, &source, &test_error));
    rig_submit(rig, rig_deposit(1, RIG_USDT, 1000, 1));
    rig_submit(rig, rig_deposit(2, RIG_BTC, 300, 1));
    rig_submit(rig, rig_trade("T-1", 1, 2, 100, 400, 2));
    rig_submit(rig, rig_withdrawal(1, RIG_USDT, 601, 3));
    rig_submit(rig, rig_deposit(1, RIG_USDT, 1000, 1));
    rig_submit(rig, rig_with_id(rig_deposit(3, RIG_USDT, 7, 9), "given"));
    rig_deposits(rig, 1000, 200); /* to user 1 */
    settle_event last = rig_deposit(1, RIG_USDT, 1, 9999);
    last.end = (settle_source_position){source.source, 4711, 42};
    rig_submit(rig, last);
}

#define HISTORY_EVENTS 207u

static inline void expect_history(struct rig *rig)
{
    settle_asset asset;
    settle_source_position source;
    EXPECT_OK(settle_asset_by_id(rig->engine, RIG_BTC, &asset));
    cr_assert(asset.scale == 8 && strcmp(asset.symbol, "BTC") == 0);
    cr_assert(rig_available(rig, 1, RIG_USDT) == 801 && rig_available(rig, 1, RIG_BTC) == 100);
    cr_assert(rig_available(rig, 2, RIG_USDT) == 400 && rig_available(rig, 2, RIG_BTC) == 200);
    cr_assert(rig_available(rig, SETTLE_USER_EXTERNAL, RIG_USDT) == -1208);
    EXPECT_OK(settle_source_open(rig->engine, (settle_text){"file", 4}, &source, &test_error));
    cr_assert(source.offset_bytes == 4711 && source.line == 42);
    settle_result result = rig_submit(rig, rig_deposit(1, RIG_USDT, 1000, 1));
    cr_assert(result.outcome == SETTLE_DUPLICATE && result.first_seq == 1 && result.seq > HISTORY_EVENTS);
    result = rig_submit(rig, rig_with_id(rig_deposit(3, RIG_USDT, 8, 9), "given"));
    cr_assert(result.outcome == SETTLE_CONFLICT && result.first_seq == 6);
    result = rig_submit(rig, rig_withdrawal(1, RIG_USDT, 601, 3));
    cr_assert(result.outcome == SETTLE_DUPLICATE && result.first_seq == 4, "the id of a rejected event");
    result = rig_submit(rig, rig_trade("T-1", 1, 2, 100, 400, 2));
    cr_assert(result.outcome == SETTLE_DUPLICATE && result.first_seq == 3);
    settle_lifecycle *life = NULL;
    EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){"trade_T-1", 9}, &life, &test_error));
    cr_assert(life->leg_count == 4 && life->first.result.seq == 3 && life->first.persisted_us > 0);
    settle_lifecycle_free(life);
}

static inline void open_again(struct rig *rig)
{
    cr_assert(rig_try_open(rig) == SETTLE_OK, "%s", rig->error.text);
}

/* Offset behind the last byte that is not zero. */
static inline uint64_t used_bytes(const char *path)
{
    size_t count;
    unsigned char *bytes = tree_read(path, &count);
    while (count > 0 && bytes[count - 1] == 0)
        count--;
    free(bytes);
    return count;
}

#endif
