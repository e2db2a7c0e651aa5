/*
 * past_scene.h — a random stream in a data directory of its own, with what the model says of each event: for questions
 * about the past. Small segments, single commits, a clock in the test's hand; the store can be set back or taken away.
 */
#ifndef TESTS_UNIT_PAST_SCENE_H
#define TESTS_UNIT_PAST_SCENE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

struct told {
    settle_event_type type;
    uint64_t ts_ms;
    settle_result result;
    struct model_legs legs;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
};

struct scene {
    struct rig rig;
    struct oracle oracle;
    struct told *told; /* event seq is at seq - 1 */
    size_t count;
};

/* Where the store is when questions are asked. */
enum scene_store { SCENE_STORE_NEW, SCENE_STORE_OLD, SCENE_STORE_GONE };
#define SCENE_STORES 3

static inline void scene_store_path(struct scene *scene, char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, scene->rig.data, "store");
}

static inline void scene_submit(struct scene *scene, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct told *told = &scene->told[scene->count++];
        struct stream_event made;
        stream_next(&scene->oracle.stream, &scene->oracle.model, &made);
        model_submit(&scene->oracle.model, &made.event, &told->result, &told->legs);
        model_event_id(&made.event, told->id);
        told->type = made.event.type;
        told->ts_ms = made.event.ts_ms;
        scene->rig.clock_now_us += 1000;
        cr_assert_eq(rig_submit(&scene->rig, made.event).seq, told->result.seq);
    }
}

/* `count` events; the store is one of the middle, of the end, or gone. */
static inline void scene_make(struct scene *scene, uint64_t seed, size_t count, enum scene_store store)
{
    char path[TEMPDIR_PATH_BYTES], old[TEMPDIR_PATH_BYTES];
    builder_use_memory();
    *scene = (struct scene){.told = calloc(count, sizeof *scene->told)};
    rig_make(&scene->rig);
    rig_use_clock(&scene->rig, UINT64_C(1700000000000000));
    oracle_init(&scene->oracle, seed);
    fprintf(stderr, "seed %" PRIu64 "\n", seed);
    EXPECT_OK(rig_try_open(&scene->rig));
    EXPECT_OK(oracle_declare(scene->rig.engine, &test_error));
    scene_submit(scene, count / 2);
    rig_close(&scene->rig);
    scene_store_path(scene, path);
    tempdir_join(old, scene->rig.base, "store.old");
    if (store == SCENE_STORE_OLD)
        tree_copy(path, old);
    EXPECT_OK(rig_try_open(&scene->rig));
    scene_submit(scene, count - count / 2);
    rig_close(&scene->rig);
    if (store != SCENE_STORE_NEW)
        tempdir_remove(path);
    if (store == SCENE_STORE_OLD)
        tree_copy(old, path);
}

static inline void scene_remove(struct scene *scene)
{
    oracle_deinit(&scene->oracle);
    rig_remove(&scene->rig);
    free(scene->told);
}

static inline struct query *scene_query(struct scene *scene)
{
    struct query *query = NULL;
    EXPECT_OK(query_open(scene->rig.data, &query, &test_error));
    return query;
}

/* The leg of an account in an event; NULL: the event did not change it. */
static inline const settle_leg *told_leg(const struct told *told, uint64_t user, uint32_t asset)
{
    for (size_t i = 0; i < told->legs.count; i++)
        if (told->legs.legs[i].user == user && told->legs.legs[i].asset == asset)
            return &told->legs.legs[i];
    return NULL;
}

#endif
