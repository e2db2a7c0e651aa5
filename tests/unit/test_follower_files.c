/* The files of a follower: rotation, compression, retention, and what others do to them behind its back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/log_scene.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(follower_files);

#define CURRENT "settlement.log"

static struct log_scene scene;

static void begin(void)
{
    builder_use_memory();
    scene_init(&scene, stream_seed(21));
}

static void end(void)
{
    scene_deinit(&scene);
}

static char *read_text(const char *name, size_t *ret_count)
{
    char *bytes = scene_read(&scene, name, ret_count);
    cr_assert_not_null(bytes, "%s", name);
    return bytes;
}

/* ---- Rotation --------------------------------------------------------------------------------------------------- */

Test(follower_files, a_file_has_the_lines_of_one_day, .init = begin, .fini = end)
{
    scene_grow(&scene, 60, 5);
    scene_follow(&scene);
    scene_expect_files(&scene);
    struct scene_files found;
    scene_found(&scene, &found);
    cr_assert(found.count == 6, "%zu", found.count);
    for (size_t i = 0; i + 1 < found.count; i++) {
        const char *day = found.files[i].name + strlen("settlement.log.");
        cr_assert(strlen(day) == 10 && memcmp(found.files[i].bytes + 14, day, 10) == 0, "%s", found.files[i].name);
        cr_assert(strstr(found.files[i].name, "2024-12-1") != NULL);
    }
    scene_files_free(&found);
}

Test(follower_files, days_are_cut_at_midnight_to_the_microsecond, .init = begin, .fini = end)
{
    uint64_t midnight = (BUILDER_TIME_US / SCENE_DAY_US + 1) * SCENE_DAY_US;
    scene.builder.time_us = midnight - 20000;
    for (int i = 0; i < 40; i++)
        builder_events(&scene.builder, 4); /* crosses it within a frame */
    scene_follow(&scene);
    scene_expect_files(&scene);
    size_t count;
    char *old = read_text("settlement.log.2024-12-10", &count);
    char *new = read_text(CURRENT, &count);
    cr_assert(memcmp(new + 14, "2024-12-11T00:00:00.", 20) == 0 && memcmp(old + 14, "2024-12-10T23:59:59.", 20) == 0);
    free(old);
    free(new);
}

/* Every limit around the length of the lines: a line alone, exactly two, one byte too few. */
Test(follower_files, sizes_cut_before_the_line_that_would_exceed, .init = begin, .fini = end)
{
    scene_grow(&scene, 12, 1);
    for (uint64_t bytes = 1; bytes < 1300; bytes += bytes < 200 ? 199 : 17) {
        scene.options.rotate_bytes = bytes;
        scene_follow(&scene);
        scene_expect_files(&scene);
        tempdir_remove(scene.logs);
    }
    for (uint64_t bytes = 5000; bytes < 5600; bytes += 7) {
        scene.options.rotate_bytes = bytes;
        scene_follow(&scene);
        scene_expect_files(&scene);
        tempdir_remove(scene.logs);
    }
}

Test(follower_files, cuts_are_the_same_in_however_many_lives, .init = begin, .fini = end)
{
    scene.options.rotate_bytes = 3000;
    for (int i = 0; i < 50; i++) {
        scene_grow(&scene, 2, i % 17 == 16);
        scene_follow(&scene);
        scene_expect_files(&scene);
    }
    struct scene_files found;
    scene_found(&scene, &found);
    cr_assert(found.count > 20);
    scene_files_free(&found);
}

Test(follower_files, a_name_that_is_taken_is_left_alone, .init = begin, .fini = end)
{
    size_t count;
    scene_grow(&scene, 10, 0);
    scene_write(&scene, "settlement.log.2024-12-10", "taken", 5);
    scene_write(&scene, "settlement.log.2024-12-10.001.zst", "taken too", 9);
    scene_open(&scene);
    scene_catch_up(&scene);
    scene_grow(&scene, 10, 1);
    scene_catch_up(&scene);
    scene_close(&scene);
    char *bytes = read_text("settlement.log.2024-12-10", &count);
    cr_assert(count == 5 && memcmp(bytes, "taken", 5) == 0);
    free(bytes);
    bytes = read_text("settlement.log.2024-12-10.001.zst", &count);
    cr_assert(count == 9);
    free(bytes);
    bytes = read_text("settlement.log.2024-12-10.002", &count);
    cr_assert(count > 1000 && bytes[0] == '{');
    free(bytes);
}

/* ---- Compression ------------------------------------------------------------------------------------------------ */

Test(follower_files, rotated_files_are_compressed, .init = begin, .fini = end)
{
    scene.options.compress = true;
    scene.options.rotate_bytes = 20000;
    scene_grow(&scene, 60, 2);
    scene_follow(&scene);
    scene_expect_files(&scene);
    cr_assert(scene_has(&scene, "settlement.log.2024-12-10.zst") && !scene_has(&scene, "settlement.log.2024-12-10"));
    cr_assert(scene_has(&scene, "settlement.log.2024-12-10.001.zst"));
    struct stat status;
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene.logs, "settlement.log.2024-12-10.zst");
    cr_assert(stat(path, &status) == 0 && (status.st_mode & 07777) == 0640);
    scene_grow(&scene, 30, 1);
    scene_follow(&scene);
    scene_expect_files(&scene);
}

Test(follower_files, what_was_not_compressed_is_by_the_next_life, .init = begin, .fini = end)
{
    scene_grow(&scene, 40, 3);
    scene_follow(&scene);
    scene.options.compress = true;
    scene_follow(&scene);
    cr_assert(scene_has(&scene, "settlement.log.2024-12-12.zst"));
    scene_expect_files(&scene);
}

Test(follower_files, a_compression_that_was_interrupted_is_done_again, .init = begin, .fini = end)
{
    size_t count;
    scene_grow(&scene, 40, 2);
    scene_follow(&scene);
    char *first = read_text("settlement.log.2024-12-10", &count);
    scene_write(&scene, "settlement.log.2024-12-10.zst.partial", "half", 4);
    scene_write(&scene, "settlement.log.2024-12-11.001.zst.partial", "of nothing", 10);
    scene_follow(&scene); /* also where compression is no longer asked for */
    cr_assert(!scene_has(&scene, "settlement.log.2024-12-10.zst.partial"));
    cr_assert(!scene_has(&scene, "settlement.log.2024-12-11.001.zst.partial"));
    scene.options.compress = true;
    scene_follow(&scene);
    scene_expect_files(&scene);
    scene_write(&scene, "settlement.log.2024-12-10", first, count); /* the crash came before it was removed */
    scene_follow(&scene);
    scene_expect_files(&scene);
    cr_assert(!scene_has(&scene, "settlement.log.2024-12-10"));
    free(first);
}

Test(follower_files, compression_takes_little_of_a_step, .init = begin, .fini = end)
{
    size_t room = (size_t)5 << 20;
    char *text = malloc(room);
    scene_grow(&scene, 5, 0);
    scene_follow(&scene);
    for (size_t i = 0; i < room; i++)
        text[i] = (char)('a' + i * i % 23);
    scene_write(&scene, "settlement.log.2024-12-09", text, room);
    scene.options.compress = true;
    scene_open(&scene);
    int steps = 0;
    for (; scene_has(&scene, "settlement.log.2024-12-09") && steps < 100; steps++) {
        scene_grow(&scene, 1, 0);
        scene_step(&scene);
        cr_assert(scene.progress.is_at_end); /* the lines do not wait */
    }
    cr_assert(steps >= 5 && steps < 20, "%d", steps);
    scene_close(&scene);
    cr_assert(scene_has(&scene, "settlement.log.2024-12-09.zst"));
    free(text);
}

Test(follower_files, an_unfinished_compression_leaves_nothing_at_close, .init = begin, .fini = end)
{
    size_t room = (size_t)4 << 20;
    char *text = calloc(room, 1);
    scene_grow(&scene, 5, 0);
    scene_write(&scene, "settlement.log.2024-12-09", text, room);
    scene.options.compress = true;
    scene_open(&scene);
    for (int i = 0; i < 50 && !scene_has(&scene, "settlement.log.2024-12-09.zst.partial"); i++)
        scene_step(&scene);
    cr_assert(scene_has(&scene, "settlement.log.2024-12-09.zst.partial"));
    scene_close(&scene);
    cr_assert(!scene_has(&scene, "settlement.log.2024-12-09.zst.partial"));
    cr_assert(scene_has(&scene, "settlement.log.2024-12-09"));
    free(text);
}

/* ---- Retention -------------------------------------------------------------------------------------------------- */

Test(follower_files, days_that_are_too_old_are_deleted, .init = begin, .fini = end)
{
    static const char *kept[] = {
        "settlement.log.bak",           "settlement.log.2020-01-01.old", "settlement.log.2020-13-01",
        "settlement.log.2020-01-01.01", "settlement.log-2020-01-01",     "settlement.log.1",
        "settlement.log.2020-01-01.gz", "xsettlement.log.2020-01-01",    "notes"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        scene_write(&scene, kept[i], "mine", 4);
    scene_write(&scene, "settlement.log.2020-01-01", "old", 3);
    scene_write(&scene, "settlement.log.2024-02-29.007.zst", "old", 3);
    scene.options.keep_days = 2;
    scene_grow(&scene, 60, 4); /* 10 … 14 */
    scene_follow(&scene);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        cr_assert(scene_has(&scene, kept[i]), "%s", kept[i]);
    cr_assert(!scene_has(&scene, "settlement.log.2020-01-01"));
    cr_assert(!scene_has(&scene, "settlement.log.2024-02-29.007.zst"));
    cr_assert(!scene_has(&scene, "settlement.log.2024-12-10") && !scene_has(&scene, "settlement.log.2024-12-11"));
    cr_assert(scene_has(&scene, "settlement.log.2024-12-12") && scene_has(&scene, "settlement.log.2024-12-13"));
}

Test(follower_files, the_oldest_files_go_until_the_rest_is_small, .init = begin, .fini = end)
{
    struct scene_files found, expected;
    scene.options.rotate_bytes = 4000;
    scene.options.keep_bytes = 30000;
    for (int i = 0; i < 8; i++) {
        scene_grow(&scene, 10, i % 4 == 3);
        scene_follow(&scene);
        scene_found(&scene, &found);
        scene_expected(&scene, &expected);
        uint64_t bytes = 0;
        for (size_t j = 0; j + 1 < found.count; j++)
            bytes += found.files[j].count;
        cr_assert(bytes <= 30000 && (expected.count < 9 || bytes > 26000), "%lu", (unsigned long)bytes);
        /* What is left is the end of what was written, under the same names. */
        cr_assert(found.count <= expected.count);
        expected.files += expected.count - found.count;
        size_t gone = expected.count - found.count;
        expected.count = found.count;
        cr_assert_null(scene_difference(&expected, &found), "%s", scene_difference(&expected, &found));
        expected.files -= gone;
        expected.count += gone;
        scene_files_free(&found);
        scene_files_free(&expected);
    }
}

/* Where nothing is kept the numbers still go on. */
Test(follower_files, no_number_is_used_twice, .init = begin, .fini = end)
{
    struct scene_files found, expected;
    scene.options.rotate_bytes = 4000;
    scene.options.keep_bytes = 1;
    for (int i = 0; i < 6; i++) {
        scene_grow(&scene, 10, 0);
        scene_follow(&scene);
    }
    scene.options.keep_bytes = 0;
    scene_grow(&scene, 10, 0);
    scene_follow(&scene);
    scene_found(&scene, &found);
    scene_expected(&scene, &expected);
    cr_assert(found.count > 2 && found.count < expected.count);
    for (size_t i = 1; i <= found.count; i++)
        cr_assert_str_eq(found.files[found.count - i].name, expected.files[expected.count - i].name);
    scene_files_free(&found);
    scene_files_free(&expected);
}

/* ---- Behind our back -------------------------------------------------------------------------------------------- */

Test(follower_files, a_file_that_was_moved_is_noticed, .init = begin, .fini = end)
{
    scene_open(&scene);
    for (int i = 0; i < 6; i++) {
        char name[32];
        scene_grow(&scene, 6, 0);
        scene_catch_up(&scene);
        (void)snprintf(name, sizeof name, "settlement.log.%d", 9 - i);
        scene_rename(&scene, CURRENT, name);
    }
    scene_grow(&scene, 6, 0);
    scene_catch_up(&scene);
    scene_close(&scene);
    cr_assert(scene_told(&scene, "renamed or removed"));
    struct scene_files found, expected;
    scene_found(&scene, &found);
    scene_expected(&scene, &expected);
    cr_assert(found.count == 7);
    size_t total = 0;
    for (size_t i = 0; i < found.count; i++)
        total += found.files[i].count;
    cr_assert(total == expected.files[0].count);
    const char *at = expected.files[0].bytes;
    for (int i = 0; i < 7; i++) {
        char name[32];
        size_t count;
        (void)snprintf(name, sizeof name, i < 6 ? "settlement.log.%d" : CURRENT, 9 - i);
        char *bytes = read_text(name, &count);
        cr_assert(count > 0 && memcmp(bytes, at, count) == 0, "%s", name);
        at += count;
        free(bytes);
    }
    scene_files_free(&found);
    scene_files_free(&expected);
}

Test(follower_files, a_file_that_was_deleted_is_noticed, .init = begin, .fini = end)
{
    scene_grow(&scene, 10, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    uint64_t before = scene.progress.bytes;
    scene_remove(&scene, CURRENT);
    scene_step(&scene);
    cr_assert(scene_has(&scene, CURRENT) && scene.progress.bytes == before); /* nothing is rendered again */
    scene_grow(&scene, 10, 0);
    scene_catch_up(&scene);
    struct stat status;
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, scene.logs, CURRENT);
    cr_assert(stat(path, &status) == 0 && (uint64_t)status.st_size == scene.progress.bytes - before);
    scene_kill(&scene); /* even now */
    uint64_t size = (uint64_t)status.st_size;
    scene_follow(&scene);
    cr_assert(stat(path, &status) == 0 && (uint64_t)status.st_size == size);
}

Test(follower_files, another_file_under_the_name_is_appended_to, .init = begin, .fini = end)
{
    size_t count;
    scene_grow(&scene, 10, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    uint64_t before = scene.progress.bytes;
    scene_rename(&scene, CURRENT, "moved");
    scene_write(&scene, CURRENT, "not a line", 10);
    scene_grow(&scene, 10, 0);
    scene_catch_up(&scene);
    char *bytes = read_text(CURRENT, &count);
    cr_assert(count == 11 + scene.progress.bytes - before);
    cr_assert(memcmp(bytes, "not a line\n{\"timestamp\":\"", 25) == 0);
    free(bytes);
    scene_close(&scene);
}

Test(follower_files, copytruncate_is_told_and_survived, .init = begin, .fini = end)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t count;
    scene_grow(&scene, 10, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    uint64_t before = scene.progress.bytes;
    tempdir_join(path, scene.logs, CURRENT);
    cr_assert(truncate(path, 0) == 0);
    scene_grow(&scene, 10, 0);
    scene_catch_up(&scene);
    cr_assert(scene_told(&scene, "copytruncate"), "%s", scene.told);
    char *bytes = read_text(CURRENT, &count);
    cr_assert(count == scene.progress.bytes - before && bytes[0] == '{');
    free(bytes);
    cr_assert(truncate(path, 100) == 0); /* within a line: what is left of it goes */
    scene_step(&scene);
    free(read_text(CURRENT, &count));
    cr_assert(count == 0);
    scene_close(&scene);
}

Test(follower_files, what_somebody_appends_stays, .init = begin, .fini = end)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t count;
    scene_grow(&scene, 10, 0);
    scene_open(&scene);
    scene_catch_up(&scene);
    size_t before = (size_t)scene.progress.bytes;
    tempdir_join(path, scene.logs, CURRENT);
    FILE *file = fopen(path, "a");
    cr_assert(file != NULL && fputs("a note", file) >= 0 && fclose(file) == 0);
    scene_grow(&scene, 10, 0);
    scene_catch_up(&scene);
    scene_kill(&scene);
    cr_assert(scene_told(&scene, "somebody else wrote to"));
    scene_follow(&scene); /* the last line is found behind it */
    char *bytes = read_text(CURRENT, &count);
    cr_assert(count > before + 7 && memcmp(bytes + before, "a note\n{", 8) == 0);
    memmove(bytes + before, bytes + before + 7, count - before - 7);
    struct scene_files expected;
    scene_expected(&scene, &expected);
    cr_assert(expected.files[0].count == count - 7 && memcmp(bytes, expected.files[0].bytes, count - 7) == 0);
    scene_files_free(&expected);
    free(bytes);
}

/* ---- Space ------------------------------------------------------------------------------------------------------ */

Test(follower_files, below_the_floor_of_free_space_the_lines_pause, .init = begin, .fini = end)
{
    scene_grow(&scene, 10, 0);
    scene.options.free_bytes_min = UINT64_MAX - 1;
    scene_open(&scene);
    for (int i = 0; i < 3; i++) {
        scene_step(&scene);
        cr_assert(scene.progress.is_paused && !scene.progress.is_at_end && scene.progress.lines == 0);
        cr_assert(scene.progress.cause.status == SETTLE_E_NO_SPACE && scene.progress.cause.text[0] != '\0');
    }
    scene_close(&scene);
    char *first = strstr(scene.told, "pause");
    cr_assert(first != NULL && strstr(first + 1, "pause") == NULL, "%s", scene.told); /* told once */
    scene.options.free_bytes_min = FOLLOWER_FREE_DEFAULT;
    scene_follow(&scene);
    scene_expect_files(&scene);
}

Test(follower_files, an_idle_follower_writes_nothing, .init = begin, .fini = end)
{
    scene_grow(&scene, 10, 1);
    scene_open(&scene);
    scene_catch_up(&scene);
    char *before = tree_listing(scene.logs);
    for (int i = 0; i < 1000; i++)
        scene_step(&scene);
    char *after = tree_listing(scene.logs);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
    scene_close(&scene);
    scene_follow(&scene);
    scene_expect_files(&scene);
}
