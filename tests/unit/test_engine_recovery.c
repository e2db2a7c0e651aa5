/*
 * Tests of settle_open() on what a crash, a lost or a damaged store left: what is rebuilt, cut and recorded. What is
 * refused is in test_engine_refusals.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "tests/lib/child.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/trap.h"
#include "tests/unit/engine_history.h"

SETTLE_SUITE(engine_recovery);

/* ---- Nothing wrong ---- */

Test(engine_recovery, opening_and_closing_changes_nothing)
{
    struct rig rig;
    make_history(&rig);
    rig_close(&rig);
    char *before = tree_listing(rig.data);
    rig_log_clear(&rig);
    open_again(&rig);
    rig_close(&rig);
    char *after = tree_listing(rig.data);
    cr_assert_str_eq(after, before);
    cr_assert_str_eq(rig.log, "debug: the engine has started: 207 events in the journal, 2 assets\n", "%s", rig.log);
    free(before);
    free(after);
    open_again(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

/* ---- The store ---- */

Test(engine_recovery, a_lost_store_is_rebuilt)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    rig_close(&rig);
    path_in(&rig, "store", path);
    tempdir_remove(path);
    rig_log_clear(&rig);
    open_again(&rig);
    cr_assert(rig_logged(&rig, "207 events of the journal are not in the store"), "%s", rig.log);
    expect_history(&rig);
    rig_reopen(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

Test(engine_recovery, a_store_that_lost_its_data_file_is_rebuilt)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    rig_close(&rig);
    path_in(&rig, "store/data.mdb", path);
    cr_assert(remove(path) == 0);
    open_again(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

Test(engine_recovery, an_older_store_is_brought_up_to_the_journal)
{
    struct rig rig;
    char store[TEMPDIR_PATH_BYTES], old[TEMPDIR_PATH_BYTES];
    rig_make(&rig);
    rig_open(&rig);
    rig_deposits(&rig, 1, 10);
    rig_close(&rig);
    path_in(&rig, "store", store);
    tempdir_join(old, rig.base, "old-store");
    tree_copy(store, old);
    open_again(&rig);
    rig_deposits(&rig, 100, 200);
    rig_close(&rig);
    tempdir_remove(store);
    tree_copy(old, store);
    open_again(&rig);
    cr_assert(rig_logged(&rig, "200 events of the journal are not in the store"), "%s", rig.log);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == 210);
    cr_assert(rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 150)).outcome == SETTLE_DUPLICATE);
    rig_remove(&rig);
}

/* The damaged store is kept beside the new one, and the log says so. */
static void expect_set_aside(struct rig *rig)
{
    char aside[TEMPDIR_PATH_BYTES];
    path_in(rig, "store.damaged-1", aside);
    cr_assert(!file_exists(aside));
    rig_log_clear(rig);
    open_again(rig);
    cr_assert(file_exists(aside));
    cr_assert(rig_logged(rig, "warning: the store") && rig_logged(rig, "store.damaged-1"), "%s", rig->log);
    expect_history(rig);
    rig_reopen(rig);
    expect_history(rig);
}

Test(engine_recovery, a_store_cut_short_is_set_aside_and_rebuilt)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    rig_close(&rig);
    path_in(&rig, "store/data.mdb", path);
    tree_truncate(path, 4096 * 3);
    expect_set_aside(&rig);
    rig_remove(&rig);
}

Test(engine_recovery, a_store_of_garbage_is_set_aside_and_rebuilt)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES], garbage[8192];
    make_history(&rig);
    rig_close(&rig);
    memset(garbage, 0xa5, sizeof garbage);
    path_in(&rig, "store/data.mdb", path);
    tree_write(path, 0, garbage, sizeof garbage);
    expect_set_aside(&rig);
    rig_remove(&rig);
}

Test(engine_recovery, the_store_of_another_journal_is_set_aside)
{
    struct rig rig, other;
    char path[TEMPDIR_PATH_BYTES], others[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    rig_close(&rig);
    rig_make(&other);
    rig_open(&other);
    rig_deposits(&other, 1, 10);
    rig_close(&other);
    path_in(&rig, "store", path);
    tempdir_remove(path);
    path_in(&other, "store", others);
    tree_copy(others, path);
    expect_set_aside(&rig);
    rig_remove(&other);
    rig_remove(&rig);
}

/* Finds every place where the bytes stand. */
static size_t find_bytes(const unsigned char *bytes, size_t count, const void *wanted, size_t wanted_count, size_t from)
{
    for (size_t at = from; at + wanted_count <= count; at++)
        if (memcmp(bytes + at, wanted, wanted_count) == 0)
            return at;
    return count;
}

static unsigned flip_all(struct rig *rig, const void *wanted, size_t wanted_count)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t count;
    unsigned found = 0;
    path_in(rig, "store/data.mdb", path);
    unsigned char *bytes = tree_read(path, &count);
    for (size_t at = find_bytes(bytes, count, wanted, wanted_count, 0); at < count;
         at = find_bytes(bytes, count, wanted, wanted_count, at + 1), found++)
        tree_flip_bit(path, at + wanted_count + 3, 2); /* in the value or checksum behind it */
    free(bytes);
    return found;
}

Test(engine_recovery, a_balance_that_rotted_in_the_store_is_never_served)
{
    static const unsigned char user_3_usdt[] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2}; /* big-endian, as the keys are */
    struct rig rig;
    make_history(&rig);
    rig_close(&rig);
    cr_assert(flip_all(&rig, user_3_usdt, sizeof user_3_usdt) > 0);
    expect_set_aside(&rig);
    cr_assert(rig_available(&rig, 3, RIG_USDT) == 7);
    rig_remove(&rig);
}

/* Ids are not read at open: the rot is met when the id is asked for. That stops the engine, and opening it again mends
 * it. */
Test(engine_recovery, an_id_that_rotted_in_the_store_stops_the_engine_and_is_mended_by_the_next_open)
{
    struct rig rig;
    char aside[TEMPDIR_PATH_BYTES];
    settle_event event = rig_with_id(rig_deposit(3, RIG_USDT, 7, 9), "given");
    settle_result result;
    make_history(&rig);
    rig_close(&rig);
    cr_assert(flip_all(&rig, "given", 5) > 0);
    open_again(&rig);
    EXPECT_STATUS(settle_submit(rig.engine, &event, 1, &result, &test_error), SETTLE_E_LATCHED);
    cr_assert(strstr(test_error.text, "damaged") != NULL, "%s", test_error.text);
    cr_assert(settle_close(rig.engine, NULL) == SETTLE_E_LATCHED);
    rig.engine = NULL;
    open_again(&rig);
    expect_history(&rig);
    path_in(&rig, "store.damaged-1", aside);
    cr_assert(file_exists(aside));
    rig_remove(&rig);
}

/* Where the damaged store cannot be set aside, the next engine meets the damage again, and has another try. */
Test(engine_recovery, a_damaged_store_that_cannot_be_set_aside_is_never_believed)
{
    struct rig rig;
    settle_event event = rig_with_id(rig_deposit(3, RIG_USDT, 7, 9), "given");
    settle_result result;
    make_history(&rig);
    rig_close(&rig);
    cr_assert(flip_all(&rig, "given", 5) > 0);
    for (int attempt = 0; attempt < 2; attempt++) {
        open_again(&rig);
        rig_log_clear(&rig);
        EXPECT_STATUS(settle_submit(rig.engine, &event, 1, &result, &test_error), SETTLE_E_LATCHED);
        if (attempt == 0)
            trap_set(&(struct trap){.calls = TRAP_NAMES, .index = 1, .error = EIO, .action = TRAP_FROM_NOW});
        cr_assert(settle_close(rig.engine, NULL) == SETTLE_E_LATCHED);
        if (attempt == 0)
            cr_assert(trap_was_met() && trap_clear() > 0);
        rig.engine = NULL;
        cr_assert_eq(rig_logged(&rig, "the damaged store is kept as"), attempt == 1, "%s", rig.log);
    }
    open_again(&rig);
    expect_history(&rig);
    rig_remove(&rig);
}

static void cut_store(struct rig *rig)
{
    char path[TEMPDIR_PATH_BYTES];
    path_in(rig, "store/data.mdb", path);
    tree_truncate(path, 8192);
}

static void rot_balance(struct rig *rig)
{
    static const unsigned char user_3_usdt[] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2};
    cr_assert(flip_all(rig, user_3_usdt, sizeof user_3_usdt) > 0);
}

/* A damaged store is being replaced when a call to the system fails: that is told and is no damage, and the next open does it all. */
static void expect_replaced_in_spite_of_faults(void (*damage)(struct rig *rig))
{
    struct rig rig;
    char left[TEMPDIR_PATH_BYTES];
    bool is_met = true;
    builder_use_memory();
    make_history(&rig);
    rig_close(&rig);
    damage(&rig);
    tempdir_join(left, rig.base, "left");
    tree_copy(rig.data, left);
    for (uint64_t index = 1; is_met; index++) {
        settle_error error = {.status = SETTLE_OK};
        settle *engine = NULL;
        trap_set(&(struct trap){.calls = TRAP_READS | TRAP_NAMES, .index = index, .error = EIO});
        settle_status status = settle_open(rig.data, &rig.options, &engine, index % 2 == 0 ? NULL : &error);
        is_met = trap_was_met();
        (void)trap_clear();
        cr_assert(status == SETTLE_OK || status == SETTLE_E_IO || status == SETTLE_E_LATCHED, "call %d: %d, %s",
                  (int)index, (int)status, error.text);
        cr_assert(status == SETTLE_OK || index % 2 == 0 || error.status == status);
        if (status == SETTLE_OK)
            (void)settle_close(engine, NULL);
        cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "call %d: %s", (int)index, rig.error.text);
        cr_assert(rig_available(&rig, 3, RIG_USDT) == 7 && rig_available(&rig, 1, RIG_USDT) == 801);
        rig_close(&rig);
        tempdir_remove(rig.data);
        tree_copy(left, rig.data);
    }
    rig_remove(&rig);
}

Test(engine_recovery, a_cut_store_is_replaced_in_spite_of_faults)
{
    expect_replaced_in_spite_of_faults(cut_store);
}

Test(engine_recovery, a_store_that_rotted_is_replaced_in_spite_of_faults)
{
    expect_replaced_in_spite_of_faults(rot_balance);
}

/* ---- The watermark: of a writer that is dead, it means nothing ---- */

Test(engine_recovery, the_watermark_a_dead_writer_left_is_not_asked)
{
    struct rig rig;
    char path[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    path_in(&rig, "journal/watermark", path);
    for (int round = 0; round < 4; round++) {
        static const unsigned char garbage[16] = {1, 2, 3};
        rig_close(&rig);
        if (round == 0)
            cr_assert(remove(path) == 0);
        else if (round == 1)
            tree_truncate(path, 0); /* it is never synced: a power cut leaves it anyhow */
        else if (round == 2)
            tree_write(path, 0, garbage, sizeof garbage);
        else
            tree_truncate(path, 5);
        open_again(&rig);
        expect_history(&rig);
    }
    rig_remove(&rig);
}

/* ---- Torn tails ---- */

/* A frame on its way when the machine stopped: its first `bytes` bytes are there. */
static void tear(struct rig *rig, struct rig *ret_torn, size_t bytes)
{
    struct tree_segments before = tree_segments(rig->data);
    uint64_t end = used_bytes(before.paths[before.count - 1]);
    rig_make(ret_torn);
    tree_copy(rig->data, ret_torn->data); /* before the next frame */
    rig_submit(rig, rig_deposit(9, RIG_USDT, 9, end));
    struct tree_segments after = tree_segments(rig->data), torn = tree_segments(ret_torn->data);
    if (after.count == before.count) {
        size_t count;
        uint64_t begin = (end + 63) / 64 * 64;
        unsigned char *segment = tree_read(after.paths[after.count - 1], &count);
        tree_write(torn.paths[torn.count - 1], begin, segment + begin, bytes);
        free(segment);
    }
    tree_segments_free(&before);
    tree_segments_free(&after);
    tree_segments_free(&torn);
}

Test(engine_recovery, a_torn_frame_is_kept_aside_and_cut_and_the_rest_goes_on)
{
    struct rig rig, torn;
    rig_make(&rig);
    rig.options.segment_bytes = 1 << 20; /* so that no frame of this test begins a segment */
    rig_open(&rig);
    rig_deposits(&rig, 1, 5);
    for (size_t bytes = 1; bytes <= 225; bytes += 32) {
        settle_result result;
        settle_balance balance;
        EXPECT_OK(settle_flush(rig.engine, &test_error));
        EXPECT_OK(settle_balance_get(rig.engine, 1, RIG_USDT, &balance, &test_error));
        tear(&rig, &torn, bytes);
        open_again(&torn);
        cr_assert(rig_logged(&torn, "torn frame") && rig_logged(&torn, ".torn-"), "%zu: %s", bytes, torn.log);
        cr_assert(rig_available(&torn, 1, RIG_USDT) == balance.available);
        result = rig_submit(&torn, rig_deposit(1, RIG_USDT, 1, 777777));
        cr_assert(result.outcome == SETTLE_ACCEPTED);
        rig_log_clear(&torn);
        rig_reopen(&torn);
        cr_assert(!rig_logged(&torn, "torn"), "%s", torn.log);
        cr_assert(rig_available(&torn, 1, RIG_USDT) == balance.available + 1);
        rig_remove(&torn);
    }
    rig_remove(&rig);
}

/* The disk lost a frame that was acknowledged, and a balance of the store rotted, which is found once the frame is cut: the
 * journal is walked again, and must not be refused for want of the frame. */
/* The store has the event whose frame is torn: it was acknowledged, and cutting it would be a loss. */
Test(engine_recovery, a_torn_frame_with_an_event_that_the_store_has_is_not_cut)
{
    struct rig rig, torn;
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES];
    make_history(&rig);
    tear(&rig, &torn, 100);
    rig_close(&rig);
    path_in(&rig, "store", from);
    path_in(&torn, "store", to);
    tempdir_remove(to);
    tree_copy(from, to);
    cr_assert_eq(rig_try_open(&torn), SETTLE_E_CORRUPT, "%s", torn.log);
    cr_assert(strstr(torn.error.text, "were acknowledged"), "%s", torn.error.text);
    cr_assert_not(rig_logged(&torn, "was cut"), "%s", torn.log);
    rig_remove(&torn);
    rig_remove(&rig);
}

Test(engine_recovery, a_torn_frame_that_the_watermark_knew_is_cut_though_the_store_is_damaged_too)
{
    static const unsigned char user_1_usdt[] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    struct rig rig, torn;
    char path[TEMPDIR_PATH_BYTES];
    unsigned char watermark[WATERMARK_BYTES];
    rig_make(&rig);
    rig.options.segment_bytes = 1 << 20;
    rig_open(&rig);
    rig_deposits(&rig, 1, 5);
    rig_close(&rig); /* the store has them */
    open_again(&rig);
    tear(&rig, &torn, 100);
    put_u64(watermark, 100000);
    put_u64(watermark + 8, ~UINT64_C(100000));
    put_u64(watermark + 16, 1);
    path_in(&torn, "journal/watermark", path);
    tree_write(path, 0, watermark, sizeof watermark);
    cr_assert(flip_all(&torn, user_1_usdt, sizeof user_1_usdt) > 0);
    open_again(&torn);
    cr_assert(rig_logged(&torn, "THE DISK HAS LOST") && rig_logged(&torn, "the store is damaged"), "%s", torn.log);
    cr_assert(rig_available(&torn, 1, RIG_USDT) == 5);
    rig_remove(&torn);
    rig_remove(&rig);
}

/* ---- PERSISTED ---- */

static void expect_all_persisted(struct rig *rig, uint64_t ts_ms_from, size_t count)
{
    for (uint64_t ts_ms = ts_ms_from; ts_ms < ts_ms_from + count; ts_ms++) {
        settle_lifecycle *life = NULL;
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        settle_event event = rig_deposit(1, RIG_USDT, 1, ts_ms);
        size_t bytes = settle_event_id_format(&event, id);
        EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){id, bytes}, &life, &test_error));
        cr_assert(life->first.persisted_us > 0, "%s", id);
        settle_lifecycle_free(life);
    }
}

/* A process that submits events one by one and is killed before it records the last ones as PERSISTED. */
static void submit_and_die(struct rig *rig, size_t count, bool with_checkpoint)
{
    pid_t child = child_fork();
    if (child == 0) {
        rig->options.commit_interval_us_max = 60000000; /* PERSISTED only together with the next event */
        rig->options.checkpoint_events_max = with_checkpoint ? 1 : 4194304;
        rig->options.checkpoint_interval_ms = with_checkpoint ? 1 : 3600000;
        rig_open(rig);
        for (uint64_t i = 0; i < count; i++)
            rig_submit(rig, rig_deposit(1, RIG_USDT, 1, i));
        usleep(with_checkpoint ? 20000 : 0);
        kill(getpid(), SIGKILL);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

Test(engine_recovery, what_a_crash_left_unrecorded_is_recorded_as_persisted)
{
    for (size_t count = 1; count <= 40; count += 3) {
        struct rig rig;
        rig_make(&rig);
        submit_and_die(&rig, count, count % 2 == 0);
        open_again(&rig);
        expect_all_persisted(&rig, 0, count);
        rig_remove(&rig);
    }
}

/* The walk at open begins in a segment whose only frame has no PERSISTED record: how far that has come, the store
 * knows. */
Test(engine_recovery, the_first_event_of_a_segment_is_recorded_as_persisted_after_a_crash)
{
    bool was_met = false;
    for (size_t count = 10; count <= 60 && !was_met; count++) {
        struct rig rig;
        rig_make(&rig);
        rig.options.commit_interval_us_max = 60000000; /* the same frames on any machine */
        rig_open(&rig);
        for (uint64_t i = 0; i < count; i++)
            rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1000 + i));
        rig_close(&rig);
        struct tree_segments before = tree_segments(rig.data);
        submit_and_die(&rig, 1, true); /* everything before it is PERSISTED: its frame has no such record */
        struct tree_segments after = tree_segments(rig.data);
        was_met = after.count > before.count;
        open_again(&rig);
        expect_all_persisted(&rig, 0, 1);
        tree_segments_free(&before);
        tree_segments_free(&after);
        rig_remove(&rig);
    }
    cr_assert(was_met, "no event began a segment");
}
