/*
 * test_archive.c — a process that archives or restores dies at its Nth system call that changes a file, LMDB's among them, for
 * every N: before the call, or half-way through a write. Or the call fails. After each the directory is sound and whole, and the
 * same command brings it to the same end, byte for byte.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

TestSuite(archive, .timeout = 240);

#define EVENTS 450
#define HALF 200 /* archived first, so that the second run finds an archive and a snapshot */

struct scene {
    struct rig rig;
    char run[TEMPDIR_PATH_BYTES]; /* the copy that suffers */
    char *plain;                  /* the listing of journal/ before anything was archived */
    struct ledger ledger;         /* the balances */
    unsigned points;
};

static char *journal_listing(const char *directory)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, directory, "journal");
    return tree_listing(path);
}

static settle_status archive_all(const char *directory, uint64_t before_seq, settle_error *error)
{
    const struct archive_options options = {.before_seq = before_seq, .level = 1};
    struct archive_result result;
    settle_status status = query_archive(directory, &options, &result, error);
    archive_result_free(&result);
    return status;
}

static settle_status restore_all(const char *directory, uint64_t before_seq, settle_error *error)
{
    struct archive_result result;
    (void)before_seq;
    settle_status status = query_restore(directory, &result, error);
    archive_result_free(&result);
    return status;
}

typedef settle_status (*command)(const char *directory, uint64_t before_seq, settle_error *error);

/* ---- The scene --------------------------------------------------------------------------------------------------- */

static void scene_make(struct scene *scene, bool has_archive)
{
    builder_use_memory();
    memset(scene, 0, sizeof *scene);
    rig_make(&scene->rig);
    rig_open(&scene->rig);
    for (uint64_t i = 0; i < EVENTS; i += 10)
        rig_deposits(&scene->rig, 1 + i, 10);
    rig_close(&scene->rig);
    scene->plain = journal_listing(scene->rig.data);
    if (has_archive)
        EXPECT_OK(archive_all(scene->rig.data, HALF, &test_error));
    tempdir_join(scene->run, scene->rig.base, "run");
    struct tree_segments segments = tree_segments(scene->rig.data);
    cr_assert_geq(segments.count, has_archive ? 2 : 4);
    tree_segments_free(&segments);
}

static void scene_remove(struct scene *scene)
{
    free(scene->plain);
    rig_remove(&scene->rig);
}

/* Sound, with every event, and answers. */
static void expect_whole(const struct scene *scene, uint64_t index)
{
    struct verify_result verified;
    struct query *query = NULL;
    struct ledger ledger;
    EXPECT_OK(query_verify(scene->run, NULL, &verified, &test_error));
    cr_assert(verified.ok, "call %d: %s %s", (int)index, verified.fault.file, verified.fault.text);
    cr_assert_eq(verified.counts.events, EVENTS, "call %d: %d events", (int)index, (int)verified.counts.events);
    cr_assert_eq(verified.store, STORE_EQUAL);
    EXPECT_OK(query_open(scene->run, &query, &test_error));
    EXPECT_OK(query_balances(query, 1, RIG_USDT, &ledger, &test_error));
    cr_assert_eq(ledger.balance_count, 1);
    cr_assert(ledger.balances[0].available == EVENTS);
    ledger_free(&ledger);
    query_close(query);
}

/* The command again comes to its end; what is restored then is what there was in the beginning. */
static void expect_finished(const struct scene *scene, command again, uint64_t index)
{
    settle_error error = {0};
    cr_assert_eq(again(scene->run, UINT64_MAX, &error), SETTLE_OK, "call %d, again: %s: %s", (int)index, error.file,
                 error.text);
    expect_whole(scene, index);
    if (again == archive_all) {
        struct tree_segments segments = tree_segments(scene->run);
        cr_assert_eq(segments.count, 1, "call %d: %d segments stay in journal/", (int)index, (int)segments.count);
        tree_segments_free(&segments);
    }
    cr_assert_eq(restore_all(scene->run, 0, &error), SETTLE_OK, "call %d, restoring: %s", (int)index, error.text);
    char *listing = journal_listing(scene->run), archive[TEMPDIR_PATH_BYTES];
    cr_assert_str_eq(listing, scene->plain, "call %d: another journal came back:\n%s\nwas\n%s", (int)index, listing,
                     scene->plain);
    free(listing);
    tempdir_join(archive, scene->run, "archive");
    cr_assert_neq(access(archive, F_OK), 0, "call %d: the archive is still there", (int)index);
    expect_whole(scene, index);
}

/* ---- Crashes ----------------------------------------------------------------------------------------------------- */

static bool crash_at(struct scene *scene, command run, uint64_t index, enum trap_action action)
{
    int status;
    tree_copy(scene->rig.data, scene->run);
    pid_t child = child_fork();
    if (child == 0) {
        settle_error error = {0};
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .index = index, .action = action});
        if (run(scene->run, UINT64_MAX, &error) != SETTLE_OK) {
            fprintf(stderr, "the child: %s: %s\n", error.file, error.text);
            abort();
        }
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
              "call %d: the child failed by itself: status %x", (int)index, (unsigned)status);
    bool died = WIFSIGNALED(status);
    scene->points += died;
    expect_whole(scene, index);
    expect_finished(scene, run, index);
    tempdir_remove(scene->run);
    return died;
}

static void crash_everywhere(command run, bool has_archive, enum trap_action action, unsigned points_min)
{
    struct scene scene;
    scene_make(&scene, has_archive);
    uint64_t index = 1;
    while (crash_at(&scene, run, index, action))
        index++;
    fprintf(stderr, "%u crashes\n", scene.points);
    cr_assert_geq(scene.points, points_min);
    scene_remove(&scene);
}

Test(archive, dies_at_every_call_of_the_first_archiving)
{
    crash_everywhere(archive_all, false, TRAP_KILL, 60);
}

Test(archive, dies_half_way_through_every_write_of_archiving_more)
{
    crash_everywhere(archive_all, true, TRAP_KILL_SHORT, 40);
}

Test(archive, dies_at_every_call_of_restoring)
{
    crash_everywhere(restore_all, true, TRAP_KILL, 20);
}

Test(archive, dies_half_way_through_every_write_of_restoring)
{
    crash_everywhere(restore_all, true, TRAP_KILL_SHORT, 20);
}

/* ---- Calls that fail --------------------------------------------------------------------------------------------- */

/* False: there are not so many calls. A call may fail unheeded where nothing depends on it. */
static bool fail_at_call(struct scene *scene, command run, uint64_t index, int cause, enum trap_action action)
{
    settle_error error = {0};
    tree_copy(scene->rig.data, scene->run);
    trap_set(&(struct trap){.calls = TRAP_FILES, .index = index, .error = cause, .action = action});
    settle_status status = run(scene->run, UINT64_MAX, &error);
    bool was_met = trap_was_met();
    trap_clear();
    cr_assert(status == SETTLE_OK || error.text[0] != '\0', "call %d: no sentence", (int)index);
    scene->points += was_met && status != SETTLE_OK;
    expect_whole(scene, index);
    expect_finished(scene, run, index);
    tempdir_remove(scene->run);
    return was_met;
}

static void fail_everywhere(command run, bool has_archive, int cause, enum trap_action action)
{
    struct scene scene;
    scene_make(&scene, has_archive);
    uint64_t index = 1;
    while (fail_at_call(&scene, run, index, cause, action))
        index++;
    fprintf(stderr, "%u failures\n", scene.points);
    cr_assert_geq(scene.points, 40);
    scene_remove(&scene);
}

Test(archive, every_call_of_archiving_fails_once)
{
    fail_everywhere(archive_all, false, EIO, TRAP_ONCE);
}

Test(archive, the_disk_is_full_at_every_write_of_archiving_more)
{
    fail_everywhere(archive_all, true, ENOSPC, TRAP_SHORT);
}

Test(archive, every_call_of_restoring_fails_once)
{
    fail_everywhere(restore_all, true, EIO, TRAP_ONCE);
}
