/*
 * seal_scene.h — a data directory with a journal, keys outside of it, and an attacker who can write every file and
 * computes every checksum again.
 */
#ifndef TESTS_UNIT_SEAL_SCENE_H
#define TESTS_UNIT_SEAL_SCENE_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/bytes.h"
#include "journal/frame.h"
#include "query/query.h"
#include "tests/unit/query_fixture.h"

#define SCENE_SEGMENT_BYTES 65536

static char scene_dir[TEMPDIR_BYTES]; /* keys and seals that were handed out */
static char scene_key[TEMPDIR_PATH_BYTES], scene_public[TEMPDIR_PATH_BYTES];
static char scene_other_key[TEMPDIR_PATH_BYTES], scene_other_public[TEMPDIR_PATH_BYTES];

static inline void scene_setup(void)
{
    fixture_setup();
    tempdir_make(scene_dir);
    tempdir_join(scene_key, scene_dir, "key.pem");
    tempdir_join(scene_public, scene_dir, "key.pem.pub");
    tempdir_join(scene_other_key, scene_dir, "other.pem");
    tempdir_join(scene_other_public, scene_dir, "other.pem.pub");
    EXPECT_OK(query_seal_key(fixture_dir, scene_key, &test_error));
    EXPECT_OK(query_seal_key(fixture_dir, scene_other_key, &test_error));
}

static inline void scene_teardown(void)
{
    fixture_teardown();
    tempdir_remove(scene_dir);
}

#define SCENE .init = scene_setup, .fini = scene_teardown

/* Below scene_dir. */
static inline const char *scene_path(const char *name)
{
    static char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene_dir, name);
    return path;
}

static inline void scene_write(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(text, 1, bytes, file), bytes);
    cr_assert_eq(fclose(file), 0);
}

/* One frame an event from here on: each is submitted alone. */
static inline void scene_submit(const settle_event *events, size_t count)
{
    settle *engine = NULL;
    settle_result result;
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    for (size_t i = 0; i < count; i++)
        EXPECT_OK(settle_submit(engine, &events[i], 1, &result, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
}

static inline void scene_deposit(uint64_t ts_ms)
{
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, ts_ms, 7, 2, 1000000);
    scene_submit(&event, 1);
}

/* Seals, and hands the seal out as scene_dir/name. */
static inline struct seal_result scene_seal(const char *name)
{
    static struct seal_result result;
    const struct seal_options options = {.key_path = scene_key};
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error));
    scene_write(scene_path(name), result.text, strlen(result.text));
    return result;
}

static inline struct seal_verdict scene_verify(const char *name)
{
    struct seal_verdict verdict = {0};
    EXPECT_OK(query_seal_verify(fixture_dir, scene_path(name), scene_public, &verdict, &test_error));
    cr_assert_eq(verdict.ok, verdict.difference[0] == '\0', "%s", verdict.difference);
    return verdict;
}

/* ---- The attacker ---- */

struct attack {
    char path[TEMPDIR_PATH_BYTES];
    uint8_t *bytes, *kept;
    size_t count, end; /* of the file; of its frames */
};

static inline void attack_begin(struct attack *attack)
{
    fixture_path("journal", ".seg", 0, attack->path);
    FILE *file = fopen(attack->path, "rb");
    cr_assert_not_null(file);
    attack->bytes = calloc(1, SCENE_SEGMENT_BYTES);
    attack->kept = malloc(SCENE_SEGMENT_BYTES);
    attack->count = fread(attack->bytes, 1, SCENE_SEGMENT_BYTES, file);
    fclose(file);
    memcpy(attack->kept, attack->bytes, SCENE_SEGMENT_BYTES);
    attack->end = SEGMENT_HEADER_BYTES;
    while (get_u32(attack->bytes + attack->end) == FRAME_MAGIC)
        attack->end += get_u32(attack->bytes + attack->end + FRAME_LENGTH);
}

static inline void attack_write(struct attack *attack)
{
    char watermark[TEMPDIR_PATH_BYTES];
    scene_write(attack->path, (const char *)attack->bytes, attack->count);
    tempdir_join(watermark, fixture_dir, "journal/watermark");
    unlink(watermark);
    tempdir_join(watermark, fixture_dir, "store"); /* it would tell too */
    if (access(watermark, F_OK) == 0)
        tempdir_remove(watermark);
}

/* Every checksum and the chain, as if the frames had always been so. */
static inline void attack_reseal(struct attack *attack)
{
    uint8_t *bytes = attack->bytes;
    const uint8_t *journal_id = bytes + SEGMENT_JOURNAL_ID;
    uint32_t chain = get_u32(bytes + SEGMENT_PREVIOUS_CHAIN);
    for (size_t at = SEGMENT_HEADER_BYTES; at < attack->end;) {
        const uint8_t *header = attack->kept + at; /* what was not attacked */
        struct frame frame = {.position = at,
                              .first_seq = get_u64(header + FRAME_FIRST_SEQ),
                              .time_us = get_u64(header + FRAME_TIME_US),
                              .length_bytes = get_u32(header + FRAME_LENGTH),
                              .event_count = get_u32(header + FRAME_EVENT_COUNT),
                              .record_count = get_u32(header + FRAME_RECORD_COUNT),
                              .previous_chain = chain};
        size_t used = FRAME_HEADER_BYTES;
        for (uint32_t i = 0; i < frame.record_count; i++) {
            memcpy(bytes + at + used, header + used, 2); /* a record's length: where the next one begins */
            used += get_u16(header + used + RECORD_LENGTH);
        }
        frame_seal(&frame, bytes + at, used, journal_id);
        chain = frame.chain;
        at += frame.length_bytes;
    }
}

/* The n-th record of a kind, from 1; its offset in the file. */
static inline size_t attack_find(const struct attack *attack, enum record_kind kind, unsigned number)
{
    for (size_t at = SEGMENT_HEADER_BYTES; at < attack->end; at += get_u32(attack->kept + at + FRAME_LENGTH)) {
        size_t record = at + FRAME_HEADER_BYTES;
        for (uint32_t i = get_u32(attack->kept + at + FRAME_RECORD_COUNT); i > 0; i--) {
            if (attack->kept[record + RECORD_KIND] == (uint8_t)kind && --number == 0)
                return record;
            record += get_u16(attack->kept + record + RECORD_LENGTH);
        }
    }
    cr_assert_fail("no such record");
    return 0;
}

static inline void attack_undo(struct attack *attack)
{
    memcpy(attack->bytes, attack->kept, SCENE_SEGMENT_BYTES);
}

static inline void attack_end(struct attack *attack)
{
    free(attack->bytes);
    free(attack->kept);
}

#endif
