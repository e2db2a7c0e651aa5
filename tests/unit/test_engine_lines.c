/* Tests of settle_lines_*(): the lines of an engine lie in the files when they must, and their trouble stays their
 * own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(engine_lines);

#define DAY_US UINT64_C(86400000000)

struct scene {
    struct rig rig;
    char logs[TEMPDIR_PATH_BYTES];
    settle_lines_options lines;
};

static void scene_make(struct scene *scene)
{
    rig_make(&scene->rig);
    tempdir_join(scene->logs, scene->rig.base, "logs");
    settle_lines_options_init(&scene->lines);
    scene->lines.directory = scene->logs;
    scene->lines.free_bytes_min = 0;
}

static void scene_remove(struct scene *scene)
{
    rig_remove(&scene->rig);
}

static void lines_start(struct scene *scene)
{
    EXPECT_OK(settle_lines_start(scene->rig.engine, &scene->lines, &test_error));
}

static settle_lines_state lines_state(struct scene *scene)
{
    settle_lines_state state = {.lines = 0};
    EXPECT_OK(settle_lines_state_get(scene->rig.engine, &state, &test_error));
    return state;
}

/* Whole lines of a log file; 0 where there is none. */
static size_t count_lines(const struct scene *scene, const char *name)
{
    char path[TEMPDIR_PATH_BYTES + 64];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s", scene->logs, name);
    FILE *file = fopen(path, "r");
    for (int c; file != NULL && (c = fgetc(file)) != EOF;)
        count += c == '\n';
    if (file != NULL)
        fclose(file);
    return count;
}

static void wait_for_lines(const struct scene *scene, size_t count)
{
    for (int polls = 0; polls < 2000 && count_lines(scene, "settlement.log") < count; polls++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    cr_assert_eq(count_lines(scene, "settlement.log"), count);
}

/* Every file is what the journal renders, and nothing is missing at the end. */
static void expect_all(const struct scene *scene, uint64_t lines)
{
    struct logs_result result = {.ok = false};
    EXPECT_OK(query_logs_verify(scene->rig.data, &scene->lines, &result, &test_error));
    cr_assert(result.ok, "%s: %s", result.file, result.difference);
    cr_assert_eq(result.counts.lines, lines);
    cr_assert_eq(result.counts.lines_after, 0);
    cr_assert_eq(result.counts.torn_bytes, 0);
}

Test(engine_lines, closing_leaves_every_line_persisted_ones_included)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 500);
    rig_close(&scene.rig);
    cr_assert_eq(count_lines(&scene, "settlement.log"), 1500);
    expect_all(&scene, 1500);
    scene_remove(&scene);
}

Test(engine_lines, what_came_before_the_start_is_caught_up)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    rig_deposits(&scene.rig, 1, 100);
    rig_reopen(&scene.rig);
    rig_deposits(&scene.rig, 101, 100);
    lines_start(&scene);
    EXPECT_OK(settle_flush(scene.rig.engine, &test_error));
    EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error));
    expect_all(&scene, 600);
    settle_lines_state state = lines_state(&scene);
    cr_assert_eq(state.lines, 600);
    cr_assert(state.is_at_end && !state.is_paused);
    scene_remove(&scene);
}

Test(engine_lines, lines_come_while_the_engine_runs)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    lines_start(&scene);
    for (uint64_t i = 1; i <= 20; i++) {
        rig_deposits(&scene.rig, i, 1);
        wait_for_lines(&scene, 3 * i); /* PERSISTED follows by itself */
    }
    scene_remove(&scene);
}

Test(engine_lines, stopping_and_starting_goes_on_where_it_was)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    for (uint64_t round = 0; round < 10; round++) {
        lines_start(&scene);
        rig_deposits(&scene.rig, 1 + 10 * round, 10);
        EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error));
    }
    lines_start(&scene);
    rig_close(&scene.rig);
    expect_all(&scene, 300);
    scene_remove(&scene);
}

Test(engine_lines, one_thread_an_engine_and_one_follower_a_directory)
{
    struct scene scene, other;
    scene_make(&scene);
    scene_make(&other);
    rig_open(&scene.rig);
    rig_open(&other.rig);
    EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error)); /* none: no error */
    EXPECT_STATUS(settle_lines_state_get(scene.rig.engine, &(settle_lines_state){.lines = 0}, &test_error),
                  SETTLE_E_NOT_FOUND);
    lines_start(&scene);
    EXPECT_STATUS(settle_lines_start(scene.rig.engine, &scene.lines, &test_error), SETTLE_E_CONFLICT);
    EXPECT_STATUS(settle_lines_start(other.rig.engine, &scene.lines, &test_error), SETTLE_E_BUSY);
    EXPECT_OK(settle_lines_start(other.rig.engine, &other.lines, &test_error)); /* a failure leaves nothing behind */
    EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error));
    EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error));
    scene_remove(&other);
    scene_remove(&scene);
}

Test(engine_lines, options_that_make_no_sense_are_refused)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    settle *engine = scene.rig.engine;
    settle_lines_options bad = scene.lines;
    EXPECT_STATUS(settle_lines_start(engine, NULL, &test_error), SETTLE_E_INVALID);
    bad.size_bytes = 0;
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad.size_bytes = sizeof bad + 1;
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad = scene.lines;
    bad.directory = NULL;
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad.directory = "";
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad = scene.lines;
    bad.sample_per_million = 1000001;
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad = scene.lines;
    bad.compress = 2;
    EXPECT_STATUS(settle_lines_start(engine, &bad, &test_error), SETTLE_E_INVALID);
    bad = scene.lines;
    bad.size_bytes = offsetof(settle_lines_options, keep_bytes); /* of an older program: the rest is as by default */
    EXPECT_OK(settle_lines_start(engine, &bad, &test_error));
    scene_remove(&scene);
}

Test(engine_lines, a_directory_that_cannot_be_is_told_at_the_start)
{
    struct scene scene;
    char path[TEMPDIR_PATH_BYTES + 16];
    scene_make(&scene);
    rig_open(&scene.rig);
    snprintf(path, sizeof path, "%s/none/logs", scene.rig.base);
    scene.lines.directory = path;
    cr_assert_neq(settle_lines_start(scene.rig.engine, &scene.lines, &test_error), SETTLE_OK);
    cr_assert_neq(test_error.text[0], '\0');
    rig_deposits(&scene.rig, 1, 3); /* no harm done */
    scene_remove(&scene);
}

Test(engine_lines, little_space_pauses_the_lines_and_never_the_events)
{
    struct scene scene;
    settle_error error = {.status = SETTLE_OK};
    scene_make(&scene);
    rig_open(&scene.rig);
    scene.lines.free_bytes_min = UINT64_MAX - 1;
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 10);
    settle_lines_state state = lines_state(&scene);
    for (int polls = 0; polls < 1000 && !state.is_paused; polls++) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        state = lines_state(&scene);
    }
    cr_assert(state.is_paused && !state.is_at_end);
    cr_assert_eq(state.cause.status, SETTLE_E_NO_SPACE);
    cr_assert_neq(state.cause.text[0], '\0');
    rig_deposits(&scene.rig, 11, 10);
    cr_assert_eq(settle_lines_stop(scene.rig.engine, &error), SETTLE_E_NO_SPACE);
    cr_assert_eq(error.status, SETTLE_E_NO_SPACE);
    cr_assert_eq(count_lines(&scene, "settlement.log"), 0);
    cr_assert(rig_logged(&scene.rig, "warning: the JSON lines pause"));
    scene.lines.free_bytes_min = 0;
    lines_start(&scene);
    rig_close(&scene.rig); /* SETTLE_OK: the pause is over */
    expect_all(&scene, 60);
    scene_remove(&scene);
}

Test(engine_lines, a_pause_is_told_once_and_so_is_its_end)
{
    struct scene scene;
    char path[TEMPDIR_PATH_BYTES + 64];
    scene_make(&scene);
    rig_open(&scene.rig);
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 1);
    wait_for_lines(&scene, 3);
    /* A directory in the file's place. */
    snprintf(path, sizeof path, "%s/settlement.log", scene.logs);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    rig_deposits(&scene.rig, 2, 1);
    for (int polls = 0; polls < 1000 && !rig_logged(&scene.rig, "pause"); polls++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 500000000}, NULL); /* tried again meanwhile */
    const char *first = strstr(scene.rig.log, "pause");
    cr_assert(first != NULL && strstr(first + 1, "pause") == NULL, "%s", scene.rig.log);
    cr_assert_eq(rmdir(path), 0);
    wait_for_lines(&scene, 3); /* by itself */
    for (int polls = 0; polls < 1000 && lines_state(&scene).is_paused; polls++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    cr_assert(rig_logged(&scene.rig, "info: the JSON lines go on"));
    cr_assert(!lines_state(&scene).is_paused);
    scene_remove(&scene);
}

Test(engine_lines, an_engine_closes_well_while_its_lines_are_paused)
{
    struct scene scene;
    scene_make(&scene);
    rig_open(&scene.rig);
    scene.lines.free_bytes_min = UINT64_MAX - 1;
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 10);
    EXPECT_OK(settle_close(scene.rig.engine, &test_error));
    scene.rig.engine = NULL;
    cr_assert(rig_logged(&scene.rig, "JSON lines are left for the next start"));
    scene_remove(&scene);
}

Test(engine_lines, a_thread_that_there_is_none_for_is_told)
{
    static const struct {
        int cause;
        settle_status status;
    } cases[] = {{EAGAIN, SETTLE_E_NO_MEMORY}, {EPERM, SETTLE_E_ACCESS}};
    for (size_t i = 0; i < 4; i++) {
        struct scene scene;
        settle_error error = {.status = SETTLE_OK};
        scene_make(&scene);
        rig_open(&scene.rig);
        trap_set(&(struct trap){.calls = TRAP_THREADS, .index = 1, .error = cases[i / 2].cause});
        EXPECT_STATUS(settle_lines_start(scene.rig.engine, &scene.lines, i % 2 == 0 ? &error : NULL),
                      cases[i / 2].status);
        cr_assert(trap_was_met());
        (void)trap_clear();
        cr_assert(i % 2 != 0 || (error.status == cases[i / 2].status && strstr(error.text, "thread")), "%s",
                  error.text);
        lines_start(&scene); /* it may be tried again */
        scene_remove(&scene);
    }
}

Test(engine_lines, stopping_paused_lines_tells_why_to_whoever_wants_to_know)
{
    for (int wants = 0; wants < 2; wants++) {
        struct scene scene;
        settle_error error = {.status = SETTLE_OK};
        scene_make(&scene);
        rig_open(&scene.rig);
        scene.lines.free_bytes_min = UINT64_MAX - 1;
        lines_start(&scene);
        rig_deposits(&scene.rig, 1, 10);
        EXPECT_STATUS(settle_lines_stop(scene.rig.engine, wants != 0 ? &error : NULL), SETTLE_E_NO_SPACE);
        cr_assert(wants == 0 || error.status == SETTLE_E_NO_SPACE);
        scene_remove(&scene);
    }
}

Test(engine_lines, files_end_with_the_day_of_their_lines)
{
    struct scene scene;
    uint64_t day_us = 20000 * DAY_US; /* 2024-10-04 */
    scene_make(&scene);
    rig_use_clock(&scene.rig, day_us + DAY_US - 5000000);
    rig_open(&scene.rig);
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 10);
    EXPECT_OK(settle_flush(scene.rig.engine, &test_error));
    scene.rig.clock_now_us = day_us + DAY_US + 1;
    rig_deposits(&scene.rig, 11, 20);
    EXPECT_OK(settle_flush(scene.rig.engine, &test_error));
    scene.rig.clock_now_us = day_us + 3 * DAY_US;
    rig_deposits(&scene.rig, 31, 30);
    rig_close(&scene.rig);
    cr_assert_eq(count_lines(&scene, "settlement.log.2024-10-04"), 30);
    cr_assert_eq(count_lines(&scene, "settlement.log.2024-10-05"), 60);
    cr_assert_eq(count_lines(&scene, "settlement.log"), 90);
    expect_all(&scene, 180);
    scene_remove(&scene);
}

Test(engine_lines, stopping_packs_what_was_rotated)
{
    struct scene scene;
    scene_make(&scene);
    scene.lines.rotate_bytes = 20000;
    scene.lines.compress = 1;
    rig_use_clock(&scene.rig, 20000 * DAY_US);
    rig_open(&scene.rig);
    lines_start(&scene);
    rig_deposits(&scene.rig, 1, 300);
    rig_close(&scene.rig);
    char path[TEMPDIR_PATH_BYTES + 64];
    struct stat about;
    for (int part = 1; part <= 10; part++) {
        snprintf(path, sizeof path, "%s/settlement.log.2024-10-04.%03d.zst", scene.logs, part);
        cr_assert_eq(stat(path, &about), 0, "%s", path);
    }
    expect_all(&scene, 900);
    scene_remove(&scene);
}

Test(engine_lines, an_engine_that_latched_has_the_lines_of_what_is_durable)
{
    struct scene scene;
    settle_result result;
    settle_event event = rig_deposit(1, RIG_USDT, 1, 1000);
    scene_make(&scene);
    rig_open(&scene.rig);
    rig_deposits(&scene.rig, 1, 50);
    EXPECT_OK(settle_flush(scene.rig.engine, &test_error));
    lines_start(&scene);
    wait_for_lines(&scene, 150);
    trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = 1, .error = EIO, .action = TRAP_FROM_NOW});
    settle_status status = settle_submit(scene.rig.engine, &event, 1, &result, NULL);
    (void)trap_clear();
    cr_assert_eq(status, SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_lines_start(scene.rig.engine, &scene.lines, &test_error), SETTLE_E_LATCHED);
    EXPECT_OK(settle_lines_stop(scene.rig.engine, &test_error));
    cr_assert_eq(count_lines(&scene, "settlement.log"), 150); /* the event that may be lost has none */
    EXPECT_STATUS(settle_close(scene.rig.engine, &test_error), SETTLE_E_LATCHED);
    scene.rig.engine = NULL;
    rig_open(&scene.rig);
    lines_start(&scene);
    rig_close(&scene.rig);
    struct logs_result verified;
    EXPECT_OK(query_logs_verify(scene.rig.data, &scene.lines, &verified, &test_error));
    cr_assert(verified.ok && verified.counts.lines_after == 0, "%s", verified.difference);
    scene_remove(&scene);
}

Test(engine_lines, a_damaged_journal_latches_as_it_does_for_the_checkpoint)
{
    struct scene scene;
    char path[TEMPDIR_PATH_BYTES + 64];
    scene_make(&scene);
    rig_open(&scene.rig);
    rig_deposits(&scene.rig, 1, 50);
    EXPECT_OK(settle_flush(scene.rig.engine, &test_error));
    snprintf(path, sizeof path, "%s/journal/00000000000000000001-000000.seg", scene.rig.data);
    FILE *segment = fopen(path, "r+");
    cr_assert(segment != NULL);
    cr_assert_eq(fseek(segment, 4096 + 200, SEEK_SET), 0);
    cr_assert_eq(fputc(0xff, segment), 0xff);
    fclose(segment);
    lines_start(&scene);
    for (int polls = 0; polls < 1000 && !rig_logged(&scene.rig, "the engine has stopped"); polls++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    cr_assert(rig_logged(&scene.rig, "error: the engine has stopped"), "%s", scene.rig.log);
    settle_lines_state state = lines_state(&scene);
    cr_assert(state.is_paused);
    cr_assert_eq(state.cause.status, SETTLE_E_CORRUPT);
    EXPECT_STATUS(settle_lines_stop(scene.rig.engine, &test_error), SETTLE_E_CORRUPT);
    EXPECT_STATUS(settle_flush(scene.rig.engine, &test_error), SETTLE_E_LATCHED);
    EXPECT_STATUS(settle_close(scene.rig.engine, &test_error), SETTLE_E_LATCHED);
    scene.rig.engine = NULL;
    scene_remove(&scene);
}
