/*
 * The Nth system call on files fails, LMDB's among them, for every N from opening to closing. What is acknowledged
 * stays, the rest happened wholly or not at all; the first failed write or sync stops the engine; opening it again
 * mends everything.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/store_tables.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

TestSuite(engine_io, .fini = leaks_check, .timeout = 240);

#define BATCHES 8
#define BATCH_EVENTS 6

struct scene {
    struct rig rig; /* what the runs begin with */
    uint64_t seed, seq;
    unsigned failed_opens, latches, unharmed;
};

/* ---- One run ---- */

struct run {
    struct rig rig;
    struct oracle oracle;
    uint64_t index, acknowledged;
    bool is_open;
};

static bool is_operating_error(settle_status status)
{
    return status == SETTLE_E_IO || status == SETTLE_E_NO_SPACE || status == SETTLE_E_LATCHED ||
           status == SETTLE_E_NO_MEMORY ||
           /* a directory that cannot be looked into may hold a journal: then it is missing where it is opened */
           status == SETTLE_E_EXISTS || status == SETTLE_E_NOT_FOUND;
}

static void never_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    (void)context;
    (void)status;
    (void)results;
    (void)count;
    abort();
}

static void expect_latched(struct run *run)
{
    settle_result result = {.seq = 77};
    settle_balance balance;
    settle_source_position position;
    settle_asset asset = {.id = 77};
    settle_event event = rig_deposit(1, 2, 1, 1);
    settle *engine = run->rig.engine;
    for (int i = 0; i < 2; i++) {
        EXPECT_STATUS(settle_submit(engine, &event, 1, &result, &test_error), SETTLE_E_LATCHED);
        cr_assert(test_error.text[0] != '\0' && test_error.status == SETTLE_E_LATCHED);
        cr_assert(result.seq == 0); /* nobody sees an outcome that can still be lost */
    }
    EXPECT_STATUS(settle_submit(engine, &event, 1, &result, NULL), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_submit_async(engine, &event, 1, &result, never_done, NULL, &test_error), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_asset_by_id(engine, 2, &asset), SETTLE_E_LATCHED);
    cr_assert(asset.id == 77);
    EXPECT_STATUS(settle_flush(engine, &test_error), SETTLE_E_LATCHED);
    settle_lifecycle *life = NULL;
    EXPECT_STATUS(settle_lifecycle_get(engine, (settle_text){"nothing", 7}, &life, &test_error), SETTLE_E_LATCHED);
    cr_assert_null(life);
    EXPECT_STATUS(settle_balance_get(engine, 1, 2, &balance, &test_error), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_asset_declare(engine, &stream_assets[0], &test_error), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_source_open(engine, (settle_text){"x", 1}, &position, &test_error), SETTLE_E_LATCHED);
    /* Told without the engine's lock, so perhaps a moment after the first call has answered. */
    for (int polls = 0; polls < 2000 && !rig_logged(&run->rig, "error: the engine has stopped"); polls++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    cr_assert(rig_logged(&run->rig, "error: the engine has stopped"), "%s", run->rig.log);
}

/* The first call that fails ends it. */
static settle_status submit_all(struct run *run)
{
    for (int batch = 0; batch < BATCHES; batch++) {
        struct stream_event made[BATCH_EVENTS];
        settle_event events[BATCH_EVENTS];
        settle_result expected[BATCH_EVENTS], results[BATCH_EVENTS];
        char text[MODEL_TEXT_BYTES];
        for (size_t i = 0; i < BATCH_EVENTS; i++) {
            oracle_next(&run->oracle, &made[i], &expected[i]);
            events[i] = made[i].event;
        }
        settle_status status = settle_submit(run->rig.engine, events, BATCH_EVENTS, results, &run->rig.error);
        if (status != SETTLE_OK)
            return status;
        for (size_t i = 0; i < BATCH_EVENTS; i++)
            cr_assert(model_result_equal(&expected[i], &results[i], text), "%s", text);
        run->acknowledged = expected[BATCH_EVENTS - 1].seq;
    }
    return settle_flush(run->rig.engine, &run->rig.error);
}

static void work(struct scene *scene, struct run *run)
{
    struct rig *rig = &run->rig;
    settle_status status = rig_try_open(rig);
    run->is_open = status == SETTLE_OK;
    if (!run->is_open) {
        cr_assert(is_operating_error(status) && rig->error.status == status, "call %d: %d %s", (int)run->index,
                  (int)status, rig->error.text);
        scene->failed_opens++;
        return;
    }
    status = oracle_declare(rig->engine, &rig->error);
    if (status == SETTLE_OK)
        status = submit_all(run);
    if (status != SETTLE_OK) {
        cr_assert(status == SETTLE_E_LATCHED, "call %d: status %d, %s", (int)run->index, (int)status, rig->error.text);
        expect_latched(run);
    }
    settle *engine = rig->engine;
    rig->engine = NULL;
    settle_status closed = settle_close(engine, &rig->error);
    cr_assert(closed == (status == SETTLE_OK ? closed : SETTLE_E_LATCHED) &&
              (closed == SETTLE_OK || closed == SETTLE_E_LATCHED));
    scene->latches += closed == SETTLE_E_LATCHED;
    scene->unharmed += closed == SETTLE_OK;
}

/* Without the trap: everything acknowledged is there, and it goes on. */
static void mend(struct scene *scene, struct run *run)
{
    struct rig *rig = &run->rig;
    struct stream_event event;
    settle_result expected, result;
    cr_assert(rig_try_open(rig) == SETTLE_OK, "call %d: %s", (int)run->index, rig->error.text);
    cr_assert(oracle_declare(rig->engine, &rig->error) == SETTLE_OK, "%s", rig->error.text);
    rig_close(rig);
    oracle_rewind(&run->oracle, run->acknowledged > scene->seq ? run->acknowledged : scene->seq);
    uint64_t recovered = oracle_follow(&run->oracle, rig->data);
    cr_assert(recovered <= scene->seq + BATCHES * BATCH_EVENTS);
    oracle_check_directory(&run->oracle, rig->data);
    cr_assert(rig_try_open(rig) == SETTLE_OK, "%s", rig->error.text);
    oracle_check(&run->oracle, rig->engine);
    oracle_next(&run->oracle, &event, &expected);
    result = rig_submit(rig, event.event);
    cr_assert(result.seq == expected.seq && result.outcome == expected.outcome);
    rig_close(rig);
}

/* False: there are not so many calls. */
static bool fail_at_call(struct scene *scene, const struct trap *trap)
{
    struct run run = {.index = trap->index};
    rig_make(&run.rig);
    run.rig.options = scene->rig.options;
    run.rig.options.context = &run.rig;
    if (scene->seq > 0)
        tree_copy(scene->rig.data, run.rig.data);
    oracle_init(&run.oracle, scene->seed);
    oracle_rewind(&run.oracle, scene->seq);
    trap_set(trap);
    work(scene, &run);
    bool met = trap_was_met();
    trap_clear();
    if (met)
        mend(scene, &run);
    oracle_deinit(&run.oracle);
    rig_remove(&run.rig);
    return met;
}

static void fail_everywhere(struct scene *scene, unsigned calls, enum trap_action action, int error)
{
    struct trap trap = {.calls = calls, .index = 1, .error = error, .action = action};
    scene->failed_opens = scene->latches = scene->unharmed = 0;
    while (fail_at_call(scene, &trap))
        trap.index++;
    fprintf(stderr, "%s: %d calls: %u opens failed, %u engines stopped, %u were not harmed\n", strerror(error),
            (int)trap.index - 1, scene->failed_opens, scene->latches, scene->unharmed);
    cr_assert(trap.index > 20, "hardly a call was met");
}

/* ---- What the runs begin with ---- */

static void scene_make(struct scene *scene)
{
    builder_use_memory();
    memset(scene, 0, sizeof *scene);
    rig_make(&scene->rig);
    scene->rig.options.checkpoint_events_max = 8;
    scene->seed = stream_seed(4711);
}

/* Left by a process that died: the store is behind, PERSISTED is missing. */
static void scene_with_history(struct scene *scene)
{
    struct oracle oracle;
    scene_make(scene);
    oracle_init(&oracle, scene->seed);
    cr_assert(rig_try_open(&scene->rig) == SETTLE_OK && oracle_declare(scene->rig.engine, NULL) == SETTLE_OK);
    for (int i = 0; i < 60; i++) {
        struct stream_event event;
        settle_result expected;
        oracle_next(&oracle, &event, &expected);
        rig_submit(&scene->rig, event.event);
    }
    scene->seq = oracle.model.seq;
    oracle_deinit(&oracle);
    char left[TEMPDIR_PATH_BYTES];
    tempdir_join(left, scene->rig.base, "left");
    tree_copy(scene->rig.data, left);
    rig_close(&scene->rig);
    memcpy(scene->rig.data, left, sizeof left);
}

Test(engine_io, a_failed_call_in_a_new_directory)
{
    struct scene scene;
    scene_make(&scene);
    fail_everywhere(&scene, TRAP_CHANGES, TRAP_ONCE, EIO);
    fail_everywhere(&scene, TRAP_OPENS, TRAP_ONCE, EMFILE);
    rig_remove(&scene.rig);
}

Test(engine_io, a_failed_call_in_a_directory_with_history)
{
    struct scene scene;
    scene_with_history(&scene);
    fail_everywhere(&scene, TRAP_CHANGES, TRAP_ONCE, EIO);
    fail_everywhere(&scene, TRAP_OPENS, TRAP_ONCE, EMFILE);
    fail_everywhere(&scene, TRAP_READS, TRAP_ONCE, EIO);
    rig_remove(&scene.rig);
}

Test(engine_io, a_disk_or_quota_that_is_full)
{
    struct scene scene;
    scene_with_history(&scene);
    fail_everywhere(&scene, TRAP_WRITES | TRAP_TRUNCATES, TRAP_ONCE, ENOSPC);
    fail_everywhere(&scene, TRAP_CHANGES, TRAP_FROM_NOW, EDQUOT);
    rig_remove(&scene.rig);
}

Test(engine_io, a_short_write)
{
    struct scene scene;
    scene_with_history(&scene);
    fail_everywhere(&scene, TRAP_WRITES, TRAP_SHORT, ENOSPC);
    fail_everywhere(&scene, TRAP_WRITES, TRAP_SHORT_ONLY, 0);
    rig_remove(&scene.rig);
}

/* ---- Completions ---- */

struct completion {
    settle_result results[3];
    settle_status status;
    unsigned calls;
};

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct completion *completion = context;
    completion->calls++;
    completion->status = status;
    cr_assert(results == completion->results && count == 3);
}

/* Submissions until one fails; how many were taken. */
static size_t submit_async(struct rig *rig, struct completion completions[20])
{
    size_t taken = 0;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && taken < 20) {
        settle_event events[3];
        for (uint64_t i = 0; i < 3; i++)
            events[i] = rig_deposit(1, RIG_USDT, 1, 10 * taken + i);
        struct completion *completion = &completions[taken];
        status = settle_submit_async(rig->engine, events, 3, completion->results, on_done, completion, &rig->error);
        taken += status == SETTLE_OK;
    }
    return taken;
}

/* What waits when the engine stops is told so, once each, and sees no outcome. */
Test(engine_io, every_completion_that_waits_is_told_of_the_latch)
{
    for (uint64_t index = 1; index <= 6; index++) {
        struct rig rig;
        struct completion completions[20];
        int acknowledged = 0;
        builder_use_memory();
        rig_make(&rig);
        rig.options.commit_events_max = 12;
        rig_open(&rig);
        memset(completions, 0, sizeof completions);
        trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = index, .error = EIO, .action = TRAP_FROM_NOW});
        size_t taken = submit_async(&rig, completions);
        settle *engine = rig.engine;
        rig.engine = NULL;
        cr_assert(settle_close(engine, &rig.error) == SETTLE_E_LATCHED, "sync %d", (int)index);
        trap_clear();
        for (size_t i = 0; i < 20; i++) {
            const struct completion *one = &completions[i];
            cr_assert(one->calls == (i < taken ? 1u : 0u), "sync %d, submission %zu: %u calls", (int)index, i,
                      one->calls);
            cr_assert(i >= taken || one->status == SETTLE_OK || one->status == SETTLE_E_LATCHED);
            bool is_told = i < taken && one->status == SETTLE_OK;
            acknowledged += is_told ? 3 : 0;
            for (int j = 0; j < 3; j++)
                cr_assert((one->results[j].seq != 0) == is_told);
        }
        cr_assert(rig_try_open(&rig) == SETTLE_OK, "%s", rig.error.text);
        cr_assert(rig_available(&rig, 1, RIG_USDT) >= acknowledged);
        rig_remove(&rig);
    }
}

/* A checkpoint that ran after a journal which keeps growing would begin again as soon as it ended, and write most pages of the
 * store several times a second. */
Test(engine_io, a_checkpoint_ends_where_the_journal_did_when_it_began)
{
    struct rig rig;
    rig_make(&rig);
    rig.options.checkpoint_interval_ms = UINT32_MAX;
    rig.options.checkpoint_events_max = 4000;
    rig.options.segment_bytes = 1 << 20;
    rig_open(&rig);
    trap_set(&(struct trap){.calls = TRAP_SYNCS, .path_end = STORE_DATA_NAME});
    for (size_t i = 0; i < 20000; i += 20) {
        settle_event events[20];
        settle_result results[20];
        for (size_t j = 0; j < 20; j++)
            events[j] = rig_deposit(1001 + (i + j) % 500, RIG_USDT, 1, 1 + i + j);
        EXPECT_OK(settle_submit(rig.engine, events, 20, results, &test_error));
    }
    rig_close(&rig);
    uint64_t syncs = trap_clear();
    /* At most two of one checkpoint, which begins behind 4000 events, and one checkpoint at closing. */
    cr_assert(syncs >= 1 && syncs <= 2 * (20000 / 4000 + 1), "%zu syncs", (size_t)syncs);
    rig_remove(&rig);
}
