/*
 * The Nth system call on files that a follower makes fails, once or with all that follow, for every N of a run with
 * rotation, compression and retention: the lines pause or the call is an open that fails, the journal is never
 * touched, and when the trouble is over the files are those of an undisturbed rendering.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

TestSuite(follower_io, .fini = leaks_check, .timeout = 240);

#define PARTS 4

static struct log_scene scene;
static uint64_t ends[PARTS]; /* of the journal, seen part by part */
static unsigned pauses, failed_opens, failed_steps, unharmed;

static void begin(void)
{
    builder_use_memory();
    scene_init(&scene, stream_seed(22));
    scene.options.rotate_bytes = 15000;
    scene.options.compress = true;
    for (size_t i = 0; i < PARTS; i++) {
        scene_grow(&scene, 8, i % 2);
        ends[i] = scene.builder.end.position;
    }
    pauses = failed_opens = failed_steps = unharmed = 0;
}

static void end(void)
{
    scene_deinit(&scene);
}

/* While it pauses the current file ends with a whole line. */
static void expect_whole_lines(void)
{
    size_t count = 0;
    char *bytes = scene_read(&scene, "settlement.log", &count);
    cr_assert(count == 0 || bytes[count - 1] == '\n');
    free(bytes);
}

/* A life with the trap set; the journal is shown part by part, with steps in between that have nothing new. */
static void live_in_trouble(const struct trap *trap)
{
    scene.progress = (struct follower_progress){0};
    trap_set(trap);
    settle_status status = follower_open(&scene.options, builder_journal_id, &mem_libc, &scene.follower, &test_error);
    if (status != SETTLE_OK) {
        cr_assert(status == SETTLE_E_IO || status == SETTLE_E_NO_SPACE, "%s", test_error.text);
        cr_assert(test_error.text[0] != '\0');
        failed_opens++;
        trap_clear();
        return;
    }
    trap_clear(); /* the reader's calls are not meant */
    EXPECT_OK(journal_reader_open_own(scene.builder.data_fd, &mem_libc, &scene.reader, &test_error));
    struct trap rest = *trap;
    bool was_paused = false;
    for (int i = 0; i < PARTS && status == SETTLE_OK; i++) {
        EXPECT_OK(journal_reader_limit(scene.reader, ends[i], &test_error));
        for (int j = 0; j < 12 && status == SETTLE_OK; j++) {
            uint64_t met = 0;
            if (rest.index > 0)
                trap_set(&rest);
            status = follower_step(scene.follower, scene.reader, &scene.progress, &test_error);
            if (rest.index > 0) {
                met = trap_clear();
                rest.index = met < rest.index ? rest.index - met : rest.action == TRAP_FROM_NOW && i < 2 ? 1 : 0;
            }
            if (scene.progress.is_paused)
                cr_assert(scene.progress.cause.status < 0 && scene.progress.cause.text[0] != '\0');
            if (scene.progress.is_paused && trap->action != TRAP_FROM_NOW)
                expect_whole_lines();
            was_paused |= scene.progress.is_paused;
        }
    }
    if (status != SETTLE_OK) { /* a segment could not be opened: that is the journal's trouble */
        cr_assert(status == SETTLE_E_IO && (trap->calls & TRAP_OPENS) != 0 && strstr(test_error.file, ".seg") != NULL);
        failed_steps++;
        scene_close(&scene);
        return;
    }
    pauses += was_paused;
    unharmed += !was_paused;
    cr_assert(scene.progress.is_at_end && !scene.progress.is_paused, "%s", scene.progress.cause.text);
}

/* Ends the life in one of two ways, and has another one finish what is left. */
static void expect_recovery(bool is_killed)
{
    if (scene.follower != NULL && !is_killed)
        scene_expect_lines(&scene);
    if (is_killed)
        scene_kill(&scene);
    else if (scene.follower != NULL)
        scene_close(&scene);
    scene_follow(&scene);
    scene_expect_files(&scene);
    tempdir_remove(scene.logs);
}

static void try_all(unsigned calls, int cause, enum trap_action action, uint64_t stride)
{
    char *journal = tree_listing(scene.builder.path);
    uint64_t index = 1;
    for (unsigned before = unharmed; unharmed < before + 3 && index < 3000; index += stride) {
        scene.told_bytes = 0;
        live_in_trouble(&(struct trap){.calls = calls, .index = index, .error = cause, .action = action});
        expect_recovery(index / stride % 2 == 0);
    }
    char *after = tree_listing(scene.builder.path);
    cr_assert_str_eq(journal, after); /* nothing in the data directory has changed */
    cr_assert(index > 3 && pauses > 0, "%" PRIu64 " calls, %u pauses", index, pauses);
    free(journal);
    free(after);
}

Test(follower_io, any_write_fails, .init = begin, .fini = end)
{
    try_all(TRAP_WRITES, ENOSPC, TRAP_ONCE, 1);
}

Test(follower_io, any_write_is_short_and_the_next_fails, .init = begin, .fini = end)
{
    try_all(TRAP_WRITES, EIO, TRAP_SHORT, 1);
}

Test(follower_io, the_disk_is_full_for_a_while, .init = begin, .fini = end)
{
    try_all(TRAP_WRITES | TRAP_TRUNCATES, EDQUOT, TRAP_FROM_NOW, 3);
}

Test(follower_io, any_sync_fails, .init = begin, .fini = end)
{
    try_all(TRAP_SYNCS, EIO, TRAP_ONCE, 1);
}

Test(follower_io, any_rename_or_removal_fails, .init = begin, .fini = end)
{
    try_all(TRAP_NAMES, EIO, TRAP_ONCE, 1);
}

Test(follower_io, no_file_can_be_opened_for_a_while, .init = begin, .fini = end)
{
    try_all(TRAP_OPENS, EMFILE, TRAP_FROM_NOW, 1);
}

Test(follower_io, any_call_fails, .init = begin, .fini = end)
{
    try_all(TRAP_CHANGES, EIO, TRAP_ONCE, 1);
}

Test(follower_io, everything_fails_for_a_while, .init = begin, .fini = end)
{
    try_all(TRAP_CHANGES, EIO, TRAP_FROM_NOW, 5);
}

/* A sync that fails has lost what was written since the last one: the test takes it away, as the system may. */
Test(follower_io, lines_behind_a_failed_sync_are_rendered_again, .init = begin, .fini = end)
{
    scene.options.rotate_bytes = 0;
    scene_open(&scene);
    EXPECT_OK(journal_reader_limit(scene.reader, ends[0], &test_error));
    EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
    cr_assert(scene.progress.is_at_end);
    EXPECT_OK(journal_reader_limit(scene.reader, ends[3], &test_error));
    trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = 1, .error = EIO}); /* at the first midnight */
    EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
    trap_clear();
    cr_assert(scene.progress.is_paused && !scene.progress.is_at_end);
    size_t left = 0;
    free(scene_read(&scene, "settlement.log", &left));
    cr_assert(left < scene.progress.bytes); /* cut back to what was synced */
    scene_catch_up(&scene);
    scene_expect_files(&scene);
    scene_close(&scene);
}

/* What the first fdatasync of settlement.log comes behind. */
struct rewriting {
    uint64_t from, to; /* of the file, written without a gap */
    bool is_synced;
};

static void observe_rewriting(void *context, const struct trap_note *note)
{
    struct rewriting *rewriting = context;
    if (rewriting->is_synced)
        return;
    rewriting->is_synced = note->call == TRAP_FDATASYNCS;
    if (note->call != TRAP_WRITES)
        return;
    if (rewriting->to == 0)
        rewriting->from = note->offset;
    cr_assert(rewriting->to == 0 || note->offset == rewriting->to);
    rewriting->to = note->offset + note->count;
}

/* A step in which the file's first write or sync fails, 0: neither; what was written before the sync. */
static struct rewriting step_observed(unsigned failing)
{
    struct rewriting rewriting = {0};
    trap_set(&(struct trap){.calls = failing != 0 ? failing : TRAP_WRITES | TRAP_FDATASYNCS,
                            .index = failing != 0,
                            .error = EIO,
                            .path_end = "settlement.log",
                            .observe = failing != 0 ? NULL : observe_rewriting,
                            .context = &rewriting});
    EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
    trap_clear();
    cr_assert_eq(scene.progress.is_paused, failing != 0);
    return rewriting;
}

/* An earlier life's lines are in the cache alone; a sync fails, here or in the life that is gone, and leaves clean pages; the next
 * one succeeds and writes nothing. So they are written again. (Seed 470688 of the simulation.) */
Test(follower_io, lines_that_a_dead_life_left_unsynced_are_written_again, .init = begin, .fini = end)
{
    scene.options.rotate_bytes = 0;
    size_t left = 0;
    static const unsigned failing[] = {0, TRAP_FDATASYNCS, TRAP_WRITES};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        scene_open(&scene);
        EXPECT_OK(journal_reader_limit(scene.reader, ends[0], &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
        scene_kill(&scene);
        free(scene_read(&scene, "settlement.log", &left));
        cr_assert_gt(left, 0);
        scene_open(&scene);
        EXPECT_OK(journal_reader_limit(scene.reader, ends[0], &test_error));
        if (failing[i] != 0)
            (void)step_observed(failing[i]);
        struct rewriting rewriting = step_observed(0);
        cr_assert(rewriting.is_synced && rewriting.from == 0 && rewriting.to >= left, "%zu to %zu of %zu",
                  (size_t)rewriting.from, (size_t)rewriting.to, left);
        scene_kill(&scene);
        scene_remove(&scene, "settlement.log");
        scene_remove(&scene, ".settlement.position");
    }
}
