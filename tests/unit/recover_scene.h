/*
 * recover_scene.h — a journal whose last frame can be put there in any state, and what a reader makes of it. For the
 * suites of recover.c; each includes it once.
 */
#ifndef TESTS_UNIT_RECOVER_SCENE_H
#define TESTS_UNIT_RECOVER_SCENE_H

#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/recover.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"

enum verdict {
    WHOLE,   /* the frame counts */
    CLEAN,   /* the journal ends before it */
    TORN,    /* so too, and its remains are to be cut */
    DAMAGED, /* refused */
};
static const char *const verdict_names[] = {"whole", "clean", "torn", "damaged"};

struct scene {
    struct journal_builder builder;
    char segment[SEGMENT_NAME_BYTES]; /* the last one's name */
    uint64_t offset;                  /* of the last frame in it */
    size_t length;                    /* of that frame */
    uint8_t *whole;                   /* its bytes */
    uint8_t *state;                   /* as many, to be changed and put there */
    struct journal_scan scan;         /* of the last judgement */
};

/* Closes the builder's journal; its last frame is the one that is put there in other states. */
static inline void scene_close(struct scene *scene)
{
    struct journal_builder *b = &scene->builder;
    const struct frame *last = &b->frames[b->frame_count - 1].frame;
    uint64_t ordinal = last->position / b->segment_bytes;
    struct journal_files files;
    builder_close(b);
    journal_files_load(b->data_fd, &files);
    const struct journal_file *file = journal_files_segment(&files, ordinal);
    cr_assert_not_null(file);
    strcpy(scene->segment, file->name);
    scene->offset = last->position % b->segment_bytes;
    scene->length = (size_t)last->length_bytes;
    scene->whole = malloc(scene->length);
    scene->state = malloc(scene->length);
    cr_assert(scene->whole != NULL && scene->state != NULL);
    memcpy(scene->whole, file->bytes + scene->offset, scene->length);
    memcpy(scene->state, scene->whole, scene->length);
    journal_files_free(&files);
}

/*
 * A frame or two, and then one of events that begins at `align` of a sector and takes part in so many sectors at
 * least.
 */
static inline void scene_build(struct scene *scene, size_t align, size_t sectors, uint64_t seed)
{
    struct journal_builder *b = &scene->builder;
    memset(scene, 0, sizeof *scene);
    builder_use_memory();
    builder_init(b, (uint64_t)(sectors < 10 ? 32 : 128) << 10, seed);
    builder_events(b, 3);
    builder_align(b, align);
    builder_begin(b);
    builder_add_persisted(b);
    do
        cr_assert(builder_add_event(b));
    while (align + frame_length(b->buffer.used) <= (sectors - 1) * FORMAT_SECTOR_BYTES);
    EXPECT_OK(builder_commit(b, &test_error));
    scene_close(scene);
}

static inline void scene_free(struct scene *scene)
{
    free(scene->whole);
    free(scene->state);
    builder_deinit(&scene->builder);
}

/* What the reader says with the last frame's bytes as they are on disk. */
static inline enum verdict scene_judge_disk(struct scene *scene)
{
    struct journal_builder *b = &scene->builder;
    uint64_t position = b->frames[b->frame_count - 1].frame.position;
    struct journal_scan *scan = &scene->scan;
    journal_scan(b->data_fd, scan);
    if (scan->status == SETTLE_E_CORRUPT)
        return DAMAGED;
    cr_assert_eq(scan->status, SETTLE_OK, "%s", expect_describe(&scan->error));
    if (scan->frame_count == b->frame_count) {
        cr_assert_eq(scan->end.position, b->end.position);
        cr_assert_eq(scan->end.chain, b->end.chain);
        cr_assert_eq(scan->tail.torn_position, 0);
        return WHOLE;
    }
    cr_assert_eq(scan->frame_count, b->frame_count - 1);
    cr_assert(scan->tail.torn_position == 0 || scan->tail.torn_position == position);
    cr_assert_eq(scan->tail.torn_position == 0, scan->tail.torn_bytes == 0);
    return scan->tail.torn_position == 0 ? CLEAN : TORN;
}

/* The same once scene->state stands in the frame's place. */
static inline enum verdict scene_judge(struct scene *scene)
{
    journal_file_write(scene->builder.data_fd, scene->segment, scene->offset, scene->state, scene->length);
    enum verdict verdict = scene_judge_disk(scene);
    if (verdict == TORN) { /* up to the last byte that is not zero */
        size_t count = scene->length;
        while (scene->state[count - 1] == 0)
            count--;
        cr_assert_eq(scene->scan.tail.torn_bytes, count);
    }
    return verdict;
}

/* scene->state is what a crash leaves: torn, or the journal's clean end, or all of the frame. */
static inline void scene_expect_crash(struct scene *scene, const char *what, size_t number)
{
    enum verdict verdict = scene_judge(scene), expected = TORN;
    if (bytes_are_zero(scene->state, scene->length))
        expected = CLEAN;
    else if (memcmp(scene->state, scene->whole, scene->length) == 0)
        expected = WHOLE;
    cr_assert_eq(verdict, expected, "%s %zu of a frame of %zu bytes at %zu is %s, not %s: %s", what, number,
                 scene->length, (size_t)scene->offset, verdict_names[verdict], verdict_names[expected],
                 expect_describe(&scene->scan.error));
}

/* ---- Sectors of the last frame: 0 is the one in which it begins ------------------------------------------------- */

static inline size_t sector_begin(const struct scene *scene, size_t sector)
{
    size_t before = (size_t)(scene->offset % FORMAT_SECTOR_BYTES);
    return sector == 0 ? 0 : sector * FORMAT_SECTOR_BYTES - before;
}

static inline size_t sector_end(const struct scene *scene, size_t sector)
{
    size_t end = sector_begin(scene, sector + 1);
    return end < scene->length ? end : scene->length;
}

static inline size_t sector_count(const struct scene *scene)
{
    return (size_t)((scene->offset % FORMAT_SECTOR_BYTES + scene->length + FORMAT_SECTOR_BYTES - 1) /
                    FORMAT_SECTOR_BYTES);
}

/* The state in which the sectors of `kept` are written and the others are not. */
static inline void scene_keep_sectors(struct scene *scene, uint64_t kept)
{
    memset(scene->state, 0, scene->length);
    for (size_t i = 0; i < sector_count(scene); i++)
        if ((kept >> i & 1) != 0)
            memcpy(scene->state + sector_begin(scene, i), scene->whole + sector_begin(scene, i),
                   sector_end(scene, i) - sector_begin(scene, i));
}

#endif
