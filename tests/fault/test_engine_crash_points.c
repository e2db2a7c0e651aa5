/*
 * A process dies at its Nth system call that changes a file, LMDB's among them, for every N from opening to closing:
 * before the call, or half-way through a write. Then it dies again somewhere in recovering from that. Whatever was
 * acknowledged is there, the journal is the stream's prefix, the store fits it, and it goes on.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

TestSuite(engine_crash_points, .timeout = 240);

#define BATCHES 10
#define BATCH_EVENTS 5

struct scene {
    struct rig rig;     /* what the runs begin with: rig.data */
    struct rig run;     /* a copy of it that dies */
    struct oracle base; /* at the end of rig.data */
    bool is_async;
    unsigned points, recoveries;
};

static void die_by_abort(const char *what, const settle_error *error)
{
    fprintf(stderr, "the child: %s: %s\n", what, error->text);
    abort();
}

static void acknowledge(void *context, settle_status status, const settle_result *results, size_t count)
{
    if (status != SETTLE_OK ||
        write(*(int *)context, &results[count - 1].seq, sizeof(uint64_t)) != (ssize_t)sizeof(uint64_t))
        abort();
}

/* All events are made beforehand: submitting is then faster than committing. */
static void make_events(struct oracle *oracle, settle_event ret_events[BATCHES][BATCH_EVENTS])
{
    static struct stream_event made[BATCHES][BATCH_EVENTS];
    for (int batch = 0; batch < BATCHES; batch++)
        for (size_t i = 0; i < BATCH_EVENTS; i++) {
            settle_result expected;
            oracle_next(oracle, &made[batch][i], &expected);
            ret_events[batch][i] = made[batch][i].event;
        }
}

/* Submits and tells what was acknowledged, each batch before the next one or as the engine tells it. */
static void submit_all(struct rig *rig, struct oracle *oracle, bool is_async, int pipe_fd)
{
    static settle_result results[BATCHES][BATCH_EVENTS];
    settle_event events[BATCHES][BATCH_EVENTS];
    make_events(oracle, events);
    if (rig_try_open(rig) != SETTLE_OK || oracle_declare(rig->engine, &rig->error) != SETTLE_OK)
        die_by_abort("opening", &rig->error);
    for (int batch = 0; batch < BATCHES; batch++) {
        settle_status status =
            is_async ? settle_submit_async(rig->engine, events[batch], BATCH_EVENTS, results[batch], acknowledge,
                                           &pipe_fd, &rig->error)
                     : settle_submit(rig->engine, events[batch], BATCH_EVENTS, results[batch], &rig->error);
        if (status != SETTLE_OK)
            die_by_abort("submitting", &rig->error);
        if (!is_async)
            acknowledge(&pipe_fd, status, results[batch], BATCH_EVENTS);
    }
    rig_close(rig);
}

/* Runs until the trap kills it. False: it came to its end. *ret_acknowledged only grows. */
static bool run_to_death(struct scene *scene, const struct trap *trap, uint64_t *ret_acknowledged)
{
    int told[2], status;
    cr_assert(pipe(told) == 0);
    pid_t child = child_fork();
    if (child == 0) {
        trap_set(trap);
        submit_all(&scene->run, &scene->base, scene->is_async, told[1]);
        _exit(0);
    }
    close(told[1]);
    cr_assert(waitpid(child, &status, 0) == child);
    uint64_t seq;
    while (read(told[0], &seq, sizeof seq) == (ssize_t)sizeof seq)
        *ret_acknowledged = seq;
    close(told[0]);
    cr_assert((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
              "call %d: the child failed by itself: status %x", (int)trap->index, (unsigned)status);
    return WIFSIGNALED(status);
}

static void recover_and_die(struct rig *rig, uint64_t index)
{
    int status;
    pid_t child = child_fork();
    if (child == 0) {
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .index = index, .action = TRAP_KILL_SHORT});
        if (rig_try_open(rig) != SETTLE_OK)
            die_by_abort("recovering", &rig->error);
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFEXITED(status) || WTERMSIG(status) == SIGKILL, "recovery failed: status %x", (unsigned)status);
}

/* What is there now: all that was acknowledged and a prefix of the rest, journal and store alike, open or not. */
static void expect_whole(struct scene *scene, struct oracle *oracle, uint64_t acknowledged, uint64_t index)
{
    struct rig *run = &scene->run;
    uint64_t recovered = oracle_follow(oracle, run->data);
    cr_assert(recovered >= acknowledged, "call %d: %d acknowledged, %d there", (int)index, (int)acknowledged,
              (int)recovered);
    cr_assert(recovered <= scene->base.model.seq + BATCHES * BATCH_EVENTS);
    oracle_check_directory(oracle, run->data);
    cr_assert(rig_try_open(run) == SETTLE_OK, "call %d: %s", (int)index, run->error.text);
    oracle_check(oracle, run->engine);
    for (int i = 0; i < 3; i++) {
        struct stream_event event;
        settle_result expected, result;
        char text[MODEL_TEXT_BYTES];
        oracle_next(oracle, &event, &expected);
        result = rig_submit(run, event.event);
        cr_assert(model_result_equal(&expected, &result, text), "%s", text);
    }
    rig_close(run);
    cr_assert(oracle_follow(oracle, run->data) == recovered + 3);
    oracle_check_directory(oracle, run->data);
}

/* One crash at call `index`. False: there are not so many calls. */
static bool crash_at(struct scene *scene, uint64_t index, enum trap_action action)
{
    struct trap trap = {.calls = TRAP_CHANGES, .index = index, .action = action};
    struct rig *run = &scene->run;
    struct oracle oracle;
    uint64_t acknowledged = 0;
    rig_make(run);
    run->options = scene->rig.options;
    run->options.context = run;
    if (scene->base.model.seq > 0)
        tree_copy(scene->rig.data, run->data);
    bool died = run_to_death(scene, &trap, &acknowledged);
    oracle_init(&oracle, scene->base.seed);
    oracle_rewind(&oracle, scene->base.model.seq);
    if (died) {
        scene->points++;
        struct stat status;
        char journal[TEMPDIR_PATH_BYTES];
        tempdir_join(journal, run->data, "journal");
        if (stat(journal, &status) == 0 && index % 2 == 0) {
            recover_and_die(run, 1 + index % 11);
            scene->recoveries++;
        }
        if (acknowledged > 0) /* else there may be no journal yet, and not all assets are declared */
            expect_whole(scene, &oracle, acknowledged, index);
        else
            cr_assert(rig_try_open(run) == SETTLE_OK, "call %d: %s", (int)index, run->error.text);
    }
    oracle_deinit(&oracle);
    rig_remove(run);
    return died;
}

static void crash_everywhere(struct scene *scene, enum trap_action action)
{
    uint64_t index = 1;
    while (crash_at(scene, index, action))
        index++;
    fprintf(stderr, "%u crashes, %u again in recovery\n", scene->points, scene->recoveries);
    cr_assert(scene->points > 50);
}

static void scene_make(struct scene *scene, uint32_t commit_events_max)
{
    builder_use_memory();
    memset(scene, 0, sizeof *scene);
    rig_make(&scene->rig);
    scene->rig.options.commit_events_max = commit_events_max;
    scene->rig.options.checkpoint_events_max = 8;
    oracle_init(&scene->base, stream_seed(31337));
}

/* A directory with some history, which a process that died has left: the store is behind, PERSISTED is missing. */
static void scene_with_history(struct scene *scene, uint32_t commit_events_max)
{
    scene_make(scene, commit_events_max);
    cr_assert(rig_try_open(&scene->rig) == SETTLE_OK && oracle_declare(scene->rig.engine, NULL) == SETTLE_OK);
    for (int i = 0; i < 60; i++) {
        struct stream_event event;
        settle_result expected;
        oracle_next(&scene->base, &event, &expected);
        rig_submit(&scene->rig, event.event);
    }
    char left[TEMPDIR_PATH_BYTES];
    tempdir_join(left, scene->rig.base, "left");
    tree_copy(scene->rig.data, left);
    rig_close(&scene->rig);
    memcpy(scene->rig.data, left, sizeof left);
}

static void scene_remove(struct scene *scene)
{
    oracle_deinit(&scene->base);
    rig_remove(&scene->rig);
}

Test(engine_crash_points, a_new_directory)
{
    struct scene scene;
    scene_make(&scene, 8192);
    crash_everywhere(&scene, TRAP_KILL);
    scene_remove(&scene);
}

Test(engine_crash_points, a_directory_with_history)
{
    struct scene scene;
    scene_with_history(&scene, 8192);
    crash_everywhere(&scene, TRAP_KILL);
    scene_remove(&scene);
}

Test(engine_crash_points, a_directory_with_history_told_by_completions)
{
    struct scene scene;
    scene_with_history(&scene, BATCH_EVENTS);
    scene.is_async = true;
    crash_everywhere(&scene, TRAP_KILL);
    scene_remove(&scene);
}

Test(engine_crash_points, a_directory_with_history_half_way_through_each_write)
{
    struct scene scene;
    scene_with_history(&scene, 2);
    crash_everywhere(&scene, TRAP_KILL_SHORT);
    scene_remove(&scene);
}
