/* follower_life.h — a whole run of a follower, kept as files to begin again with. Included by the follower's suites. */
#ifndef TESTS_UNIT_FOLLOWER_LIFE_H
#define TESTS_UNIT_FOLLOWER_LIFE_H

#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"

#define CURRENT "settlement.log"
#define POSITION ".settlement.position"

static struct log_scene scene;

static inline void begin(void)
{
    builder_use_memory();
    scene_init(&scene, stream_seed(20));
}

static inline void end(void)
{
    scene_deinit(&scene);
}

/* The directory after a whole run; `middle`: the position as it was saved half-way. */
struct life {
    struct scene_files files;
    char *position, *middle;
    size_t position_bytes, middle_bytes;
};

static inline void live(struct life *life, size_t frames, size_t days)
{
    scene_grow(&scene, frames, days);
    scene_follow(&scene);
    life->middle = scene_read(&scene, POSITION, &life->middle_bytes);
    scene_grow(&scene, frames / 4, 0);
    scene_follow(&scene);
    life->position = scene_read(&scene, POSITION, &life->position_bytes);
    scene_found(&scene, &life->files);
    scene_expect_files(&scene);
}

static inline void life_free(struct life *life)
{
    scene_files_free(&life->files);
    free(life->position);
    free(life->middle);
}

enum keep { KEEP_NONE, KEEP_MIDDLE, KEEP_LAST };

static inline void restore(const struct life *life, int keep)
{
    scene_restore(&scene, &life->files);
    if (keep == KEEP_MIDDLE)
        scene_write(&scene, POSITION, life->middle, life->middle_bytes);
    if (keep == KEEP_LAST)
        scene_write(&scene, POSITION, life->position, life->position_bytes);
}

/* The current file as `bytes`, and another life. */
static inline void expect_mended(const struct life *life, int keep, const char *bytes, size_t count)
{
    restore(life, keep);
    scene_write(&scene, CURRENT, bytes, count);
    scene_follow(&scene);
    scene_expect_files(&scene);
}

static inline const struct scene_file *current_of(const struct life *life)
{
    return &life->files.files[life->files.count - 1];
}

#endif
