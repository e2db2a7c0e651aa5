/*
 * kill -9 of a process that follows, at random moments, while another writes the journal; with rotation by size and
 * by day and with compression. The files end as one undisturbed rendering.
 *
 * SETTLE_TEST_KILLS sets another number of kills, SETTLE_TEST_SEED another seed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"
#include "tests/lib/trap.h"

TestSuite(follower_kill, .timeout = 240);

static struct log_scene scene;

static void begin(void)
{
    builder_use_memory();
    uint64_t seed = stream_seed(23);
    fprintf(stderr, "SETTLE_TEST_SEED=%llu\n", (unsigned long long)seed);
    scene_init(&scene, seed);
    scene.options.rotate_bytes = 40000;
    scene.options.compress = true;
}

static void end(void)
{
    scene_deinit(&scene);
}

static unsigned kills_wanted(unsigned otherwise)
{
    const char *text = getenv("SETTLE_TEST_KILLS");
    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

/* ---- The process that is killed --------------------------------------------------------------------------------- */

static void child_die(const char *what, const settle_error *error)
{
    fprintf(stderr, "the child: %s: %s\n", what, error->text);
    abort(); /* SIGABRT instead of SIGKILL: the parent notices */
}

static void child_follow(void)
{
    settle_error error = {.status = SETTLE_OK};
    struct journal_reader *reader = NULL;
    struct follower *follower = NULL;
    struct follower_progress progress;
    scene.options.log = NULL;
    if (journal_reader_open(scene.builder.data_fd, &mem_libc, &reader, &error) != SETTLE_OK)
        child_die("reader", &error);
    if (follower_open(&scene.options, journal_reader_id(reader), &mem_libc, &follower, &error) != SETTLE_OK)
        child_die("open", &error);
    for (;;) {
        if (follower_step(follower, reader, &progress, &error) != SETTLE_OK)
            child_die("step", &error);
        if (progress.is_paused)
            child_die("pause", &progress.cause);
        if (progress.is_at_end && journal_reader_refresh(reader, &error) != SETTLE_OK)
            child_die("refresh", &error);
    }
}

/* ---- The one that kills ----------------------------------------------------------------------------------------- */

static void expect_killed(pid_t child)
{
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
}

static uint64_t now_us(void)
{
    struct timespec now;
    cr_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

Test(follower_kill, a_hundred_kills_change_nothing, .init = begin, .fini = end)
{
    unsigned kills = kills_wanted(100), frames = 0;
    int lock_fd = -1;
    EXPECT_OK(lock_take_at(scene.builder.data_fd, &lock_fd, &test_error)); /* so that the watermark counts */
    for (unsigned i = 0; i < kills; i++) {
        uint64_t stop = now_us() + 200 + stream_random(&scene.builder.stream, i % 4 == 0 ? 40000 : 8000);
        pid_t child = child_fork();
        if (child == 0)
            child_follow();
        while (now_us() < stop) {
            scene_grow(&scene, 1, 0);
            if (++frames % 150 == 0)
                scene.builder.time_us += SCENE_DAY_US;
            if (stream_random(&scene.builder.stream, 3) == 0)
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        cr_assert(kill(child, SIGKILL) == 0);
        expect_killed(child);
    }
    file_close(lock_fd);
    scene_follow(&scene);
    scene_expect_files(&scene);
    struct scene_files found;
    scene_found(&scene, &found);
    fprintf(stderr, "%u kills, %u frames, %zu files\n", kills, frames, found.count);
    cr_assert(found.count > 20);
    scene_files_free(&found);
}

/* Instead of each system call in its turn, and half-way through each write. */
static void die_at_every_call(enum trap_action action)
{
    scene.options.rotate_bytes = 15000;
    scene_grow(&scene, 30, 2);
    for (uint64_t index = 1;; index++) {
        pid_t child = child_fork();
        if (child == 0) {
            scene.options.log = NULL;
            trap_set(&(struct trap){.calls = TRAP_CHANGES, .index = index, .error = EIO, .action = action});
            scene_follow(&scene);
            _exit(0);
        }
        int status = 0;
        cr_assert(waitpid(child, &status, 0) == child);
        scene_follow(&scene);
        scene_expect_files(&scene);
        if (WIFEXITED(status)) {
            cr_assert(WEXITSTATUS(status) == 0 && index > 50, "%u calls", (unsigned)index);
            return;
        }
        cr_assert(WTERMSIG(status) == SIGKILL);
        tempdir_remove(scene.logs);
    }
}

Test(follower_kill, dying_at_any_system_call_changes_nothing, .init = begin, .fini = end)
{
    die_at_every_call(TRAP_KILL);
}

Test(follower_kill, dying_within_any_write_changes_nothing, .init = begin, .fini = end)
{
    die_at_every_call(TRAP_KILL_SHORT);
}

/* Two followers: the second waits its turn, and takes over what the first had. */
Test(follower_kill, the_lock_goes_with_the_process, .init = begin, .fini = end)
{
    scene_grow(&scene, 10, 0);
    int pipe_fds[2];
    cr_assert(pipe(pipe_fds) == 0);
    pid_t child = child_fork();
    if (child == 0) {
        scene_open(&scene);
        if (write(pipe_fds[1], "x", 1) != 1)
            abort();
        for (;;)
            pause();
    }
    char byte;
    cr_assert(read(pipe_fds[0], &byte, 1) == 1);
    cr_assert(scene_try_open(&scene, &test_error) == SETTLE_E_BUSY);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "(pid %d)", (int)child);
    cr_assert(strstr(test_error.text, pid) != NULL, "%s", test_error.text);
    cr_assert(kill(child, SIGKILL) == 0);
    expect_killed(child);
    scene_follow(&scene);
    scene_expect_files(&scene);
}
