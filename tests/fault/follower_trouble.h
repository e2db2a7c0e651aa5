/*
 * follower_trouble.h — a follower's life step by step, with the clock, the size of the file system and memory in the test's hand.
 * Included by the suites that link with trap.c, --wrap=clock_gettime and --wrap=fstatvfs.
 */
#ifndef TESTS_FAULT_FOLLOWER_TROUBLE_H
#define TESTS_FAULT_FOLLOWER_TROUBLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

#define CURRENT "settlement.log"
#define POSITION ".settlement.position"
#define TEXT "somebody else's text\n"

/* ---- The clock, the file system's size, memory: the test's own ------------------------------------------------------ */

static int64_t clock_offset_s;
static uint64_t blocks_total, blocks_free; /* 0: the real ones */
static int allocations_left;               /* -1: enough; 0: the next one fails, and then it is -2 */

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = __real_clock_gettime(clock, ret_time);
    ret_time->tv_sec += clock == CLOCK_REALTIME ? (time_t)clock_offset_s : 0;
    return result;
}

int __real_fstatvfs(int fd, struct statvfs *ret_fs);
int __wrap_fstatvfs(int fd, struct statvfs *ret_fs);
int __wrap_fstatvfs(int fd, struct statvfs *ret_fs)
{
    int result = __real_fstatvfs(fd, ret_fs);
    if (blocks_total != 0) {
        ret_fs->f_frsize = 4096;
        ret_fs->f_blocks = blocks_total;
        ret_fs->f_bavail = blocks_free;
    }
    return result;
}

static inline void *frail_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    if (allocations_left >= 0 && allocations_left-- == 0) {
        allocations_left = -2;
        return NULL;
    }
    return realloc(memory, bytes);
}

static const struct mem frail = {frail_reallocate, NULL};

/* ---- A life with trouble in it -------------------------------------------------------------------------------------- */

static struct log_scene scene;

static inline void begin(void)
{
    builder_use_memory();
    clock_offset_s = 0;
    blocks_total = 0;
    allocations_left = -1;
    scene_init(&scene, stream_seed(23));
}

static inline void end(void)
{
    scene_deinit(&scene);
}

static inline void life_begin(void)
{
    EXPECT_OK(follower_open(&scene.options, builder_journal_id, &frail, &scene.follower, &test_error));
    EXPECT_OK(journal_reader_open_own(scene.builder.data_fd, &mem_libc, &scene.reader, &test_error));
}

static inline settle_status life_step(void)
{
    settle_error error;
    EXPECT_OK(journal_reader_limit(scene.reader, scene.builder.end.position, &test_error));
    clock_offset_s++; /* it looks at names now and then */
    return follower_step(scene.follower, scene.reader, &scene.progress, &error);
}

static inline void life_end(void)
{
    (void)follower_close(scene.follower, NULL);
    journal_reader_close(scene.reader);
    scene.follower = NULL;
    scene.reader = NULL;
    scene.progress = (struct follower_progress){0};
}

/* Without trouble it comes to the end. */
static inline void life_finish(void)
{
    for (int i = 0; i < 4; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    clock_offset_s += 100; /* what is tried again in a minute */
    for (int i = 0; i < 4; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene.progress.is_at_end && !scene.progress.is_paused, "%s", scene.progress.cause.text);
}

/* The lines of all files in a row, without what others wrote, are those of the journal from the beginning. */
static inline void expect_joined(void)
{
    struct scene_files expected, found;
    scene_expected(&scene, &expected);
    scene_found(&scene, &found);
    const char *difference = scene_difference_joined(&expected, &found);
    cr_assert(difference == NULL, "%s\ntold: %s", difference, scene.told);
    scene_files_free(&expected);
    scene_files_free(&found);
}

static inline void grow(void)
{
    scene_grow(&scene, 4, 0);
}

/* Lines that are written and not synced, and more to come. */
static inline void half_way(void)
{
    grow();
    life_begin();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    grow();
    cr_assert_eq(life_step(), SETTLE_OK);
    grow();
}


static inline void file_is_cut(void)
{
    char path[TEMPDIR_PATH_BYTES];
    half_way();
    tempdir_join(path, scene.logs, CURRENT);
    cr_assert_eq(truncate(path, 0), 0);
}

/* What was cut is gone; everything behind the cut is there. */
static inline void expect_end(void)
{
    struct scene_files expected;
    size_t count = 0;
    scene_expected(&scene, &expected);
    char *bytes = scene_read(&scene, CURRENT, &count);
    const struct scene_file *all = &expected.files[expected.count - 1];
    cr_assert(count > 0 && count <= all->count);
    cr_assert(memcmp(all->bytes + all->count - count, bytes, count) == 0, "told: %s", scene.told);
    free(bytes);
    scene_files_free(&expected);
}

#endif
