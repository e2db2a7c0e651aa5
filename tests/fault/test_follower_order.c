/*
 * What must be on stable storage before what, seen at the system calls: a power cut at any moment leaves no position
 * that is ahead of the lines, no rotated file without its lines, and no original removed before its compressed copy
 * is safe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"
#include "tests/lib/trap.h"

SETTLE_SUITE(follower_order);

#define FILES_MAX 4096
#define POSITION_NEW ".settlement.position.new"
#define POSITION ".settlement.position"

static struct log_scene scene;

/* Files by inode: whether they have bytes that are not synced. */
static struct watch {
    ino_t inodes[FILES_MAX];
    bool is_dirty[FILES_MAX];
    size_t count;
    bool names_are_dirty; /* something was renamed since the directory was synced */
    bool compressed_is_new, moved_is_new;
    unsigned positions, rotations, removals;
    char broken[256];
} watch;

static void break_rule(const char *rule, const char *name)
{
    if (watch.broken[0] == '\0')
        (void)snprintf(watch.broken, sizeof watch.broken, "%s: %s", rule, name);
}

static bool *dirty_of(const struct stat *status)
{
    for (size_t i = 0; i < watch.count; i++) {
        if (watch.inodes[i] == status->st_ino)
            return &watch.is_dirty[i];
    }
    cr_assert(watch.count < FILES_MAX);
    watch.inodes[watch.count] = status->st_ino;
    watch.is_dirty[watch.count] = false;
    return &watch.is_dirty[watch.count++];
}

static bool is_dirty(int dir_fd, const char *name)
{
    struct stat status;
    return fstatat(dir_fd, name, &status, 0) == 0 && *dirty_of(&status);
}

/* Just behind the call: what had the name `from` has the name `to`. */
static void renamed(const struct trap_note *note)
{
    bool is_position = strcmp(note->to, POSITION) == 0;
    if (is_dirty(note->fd, note->to))
        break_rule("renamed before it was synced", note->name);
    if (is_position && is_dirty(note->fd, "settlement.log"))
        break_rule("a position ahead of the lines", note->name);
    if (is_position && watch.moved_is_new)
        break_rule("a position before the renaming was synced", note->name);
    watch.positions += is_position;
    if (strcmp(note->name, "settlement.log") == 0) {
        watch.rotations++;
        watch.moved_is_new = true;
    }
    if (strstr(note->name, ".zst.partial") != NULL)
        watch.compressed_is_new = true;
}

static void observe(void *context, const struct trap_note *note)
{
    struct stat status;
    (void)context;
    switch (note->call) {
    case TRAP_WRITES:
        if (fstat(note->fd, &status) == 0)
            *dirty_of(&status) = true;
        break;
    case TRAP_FDATASYNCS:
        if (fstat(note->fd, &status) == 0)
            *dirty_of(&status) = false;
        break;
    case TRAP_FSYNCS: watch.compressed_is_new = watch.moved_is_new = false; break;
    case TRAP_RENAMES: renamed(note); break;
    case TRAP_REMOVES:
        if (strstr(note->name, ".partial") == NULL) {
            watch.removals++;
            if (watch.compressed_is_new)
                break_rule("removed before the compressed one was safe", note->name);
        }
        break;
    default: break;
    }
}

static void begin(void)
{
    builder_use_memory();
    memset(&watch, 0, sizeof watch);
    scene_init(&scene, stream_seed(24));
}

static void end(void)
{
    trap_clear();
    scene_deinit(&scene);
}

/* The builder's writes are not meant. */
static void follow_observed(void)
{
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = observe});
    scene_follow(&scene);
    trap_clear();
    cr_assert(watch.broken[0] == '\0', "%s", watch.broken);
    scene_expect_files(&scene);
}

Test(follower_order, nothing_is_ahead_of_what_it_rests_on, .init = begin, .fini = end)
{
    scene.options.rotate_bytes = 10000;
    scene.options.compress = true;
    for (int i = 0; i < 6; i++) {
        scene_grow(&scene, 12, 1);
        follow_observed();
    }
    cr_assert(watch.positions > 20 && watch.rotations > 20 && watch.removals > 20, "%u, %u, %u", watch.positions,
              watch.rotations, watch.removals);
}

Test(follower_order, a_life_that_is_killed_leaves_no_position_ahead, .init = begin, .fini = end)
{
    for (int i = 0; i < 10; i++) {
        scene_grow(&scene, 6, i % 3 == 2);
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = observe});
        scene_open(&scene);
        scene_step(&scene);
        trap_clear();
        scene_kill(&scene);
        cr_assert(watch.broken[0] == '\0', "%s", watch.broken);
    }
    follow_observed();
}

/* A single event costs a write, not a sync: the position is for an idle moment. */
Test(follower_order, lines_are_not_synced_one_by_one, .init = begin, .fini = end)
{
    scene_grow(&scene, 2, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    trap_set(&(struct trap){.calls = TRAP_CHANGES});
    for (int i = 0; i < 50; i++) {
        scene_grow(&scene, 1, 0);
        uint64_t before = trap_count(TRAP_SYNCS);
        scene_step(&scene);
        cr_assert(trap_count(TRAP_SYNCS) == before);
    }
    scene_close(&scene);
    scene_expect_files(&scene);
}

Test(follower_order, an_idle_step_makes_no_write_and_opens_nothing, .init = begin, .fini = end)
{
    scene_grow(&scene, 10, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    trap_set(&(struct trap){.calls = TRAP_CHANGES});
    for (int i = 0; i < 100; i++)
        scene_step(&scene);
    cr_assert(trap_count(TRAP_CHANGES | TRAP_OPENS) == 0);
    scene_close(&scene);
}
