/* Where a follower goes on: whatever lies in the directory, the files end as one undisturbed rendering. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "journal/follow/log_position.h"
#include "journal/follow/log_tail.h"
#include "tests/unit/follower_life.h"

SETTLE_SUITE(follower);

/* ---- A life without trouble -------------------------------------------------------------------------------------- */

Test(follower, writes_all_lines_of_a_journal, .init = begin, .fini = end)
{
    scene_grow(&scene, 40, 2);
    scene_follow(&scene);
    scene_expect_files(&scene);
    struct scene_files found;
    scene_found(&scene, &found);
    cr_assert(found.count == 3 && found.files[0].count > 1000, "%zu files", found.count);
    cr_assert_str_eq(found.files[0].name, "settlement.log.2024-12-10");
    scene_files_free(&found);
}

Test(follower, an_empty_journal_gives_an_empty_file, .init = begin, .fini = end)
{
    scene_follow(&scene);
    size_t count = 1;
    free(scene_read(&scene, CURRENT, &count));
    cr_assert(scene_has(&scene, CURRENT) && count == 0);
    scene_grow(&scene, 5, 0);
    scene_follow(&scene);
    scene_expect_files(&scene);
}

Test(follower, goes_on_frame_by_frame_while_the_journal_grows, .init = begin, .fini = end)
{
    scene_open(&scene);
    for (int i = 0; i < 60; i++) {
        scene_grow(&scene, 1, i % 20 == 19);
        scene_step(&scene);
        cr_assert(scene.progress.is_at_end && !scene.progress.is_paused);
        scene_expect_files(&scene);
    }
    scene_close(&scene);
    scene_expect_files(&scene);
}

Test(follower, never_writes_what_the_reader_does_not_show, .init = begin, .fini = end)
{
    scene_grow(&scene, 30, 0);
    scene_open(&scene);
    uint64_t written = 0;
    for (size_t i = 0; i < scene.builder.frame_count; i++) {
        struct follower_progress progress;
        uint64_t limit = scene.builder.frames[i].end.position;
        EXPECT_OK(journal_reader_limit(scene.reader, limit - 64, &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &progress, &test_error));
        cr_assert(progress.is_at_end && progress.bytes == written);
        EXPECT_OK(journal_reader_limit(scene.reader, limit, &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &progress, &test_error));
        written = progress.bytes;
    }
    scene_close(&scene);
    scene_expect_files(&scene);
}

Test(follower, counts_lines_and_bytes, .init = begin, .fini = end)
{
    scene_grow(&scene, 30, 1);
    scene_open(&scene);
    scene_catch_up(&scene);
    struct scene_files found;
    scene_found(&scene, &found);
    uint64_t lines = 0, bytes = 0;
    for (size_t i = 0; i < found.count; i++) {
        bytes += found.files[i].count;
        for (size_t j = 0; j < found.files[i].count; j++)
            lines += found.files[i].bytes[j] == '\n';
    }
    cr_assert(lines == scene.progress.lines && bytes == scene.progress.bytes);
    scene_files_free(&found);
    scene_close(&scene);
}

Test(follower, has_a_directory_for_itself, .init = begin, .fini = end)
{
    scene_open(&scene);
    struct follower *other = NULL;
    EXPECT_STATUS(follower_open(&scene.options, builder_journal_id, &mem_libc, &other, &test_error), SETTLE_E_BUSY);
    cr_assert(other == NULL && strstr(test_error.text, "another follower (pid ") != NULL, "%s", test_error.text);
    scene_close(&scene);
    scene_open(&scene);
    scene_close(&scene);
}

Test(follower, modes_let_a_group_read, .init = begin, .fini = end)
{
    scene_grow(&scene, 3, 0);
    scene_follow(&scene);
    struct stat status;
    char path[TEMPDIR_PATH_BYTES];
    cr_assert(stat(scene.logs, &status) == 0 && (status.st_mode & 07777) == 0750);
    tempdir_join(path, scene.logs, CURRENT);
    cr_assert(stat(path, &status) == 0 && (status.st_mode & 07777) == 0640);
    tempdir_join(path, scene.logs, POSITION);
    cr_assert(stat(path, &status) == 0 && (status.st_mode & 07777) == 0640);
}

Test(follower, its_directory_may_be_a_symbolic_link, .init = begin, .fini = end)
{
    char target[TEMPDIR_PATH_BYTES];
    tempdir_join(target, scene.builder.path, "elsewhere");
    cr_assert(mkdir(target, 0700) == 0 && symlink(target, scene.logs) == 0);
    scene_grow(&scene, 5, 0);
    scene_follow(&scene);
    scene_expect_files(&scene);
    cr_assert(unlink(scene.logs) == 0);
}

/* ---- The end of the current file -------------------------------------------------------------------------------- */

Test(follower, resumes_behind_every_byte_of_the_last_lines, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 24, 1);
    const struct scene_file *current = current_of(&life);
    size_t lines = 0, from = current->count;
    while (from > 0 && lines < 4)
        lines += current->bytes[--from] == '\n';
    cr_assert(lines == 4);
    for (size_t count = from; count <= current->count; count++) {
        expect_mended(&life, KEEP_NONE, current->bytes, count);
        expect_mended(&life, KEEP_MIDDLE, current->bytes, count);
    }
    cr_assert(scene_told(&scene, "torn bytes"));
    life_free(&life);
}

Test(follower, resumes_behind_any_byte_of_the_file, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 1);
    const struct scene_file *current = current_of(&life);
    for (int i = 0; i < 100; i++) {
        size_t count = stream_random(&scene.builder.stream, current->count + 1);
        expect_mended(&life, KEEP_NONE, current->bytes, count);
    }
    life_free(&life);
}

/* As a power cut leaves them: the position is of a sync, so what is before it is whole. */
Test(follower, zeros_behind_and_between_the_lines_are_rendered_again, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 1);
    struct log_position middle = {0};
    restore(&life, KEEP_MIDDLE);
    int fd = -1;
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_read(fd, &mem_libc, &middle, &test_error));
    file_close(fd);
    const struct scene_file *current = current_of(&life);
    size_t synced = (size_t)middle.file_bytes;
    cr_assert(synced > 0 && synced < current->count);
    char *bytes = malloc(current->count + 10000);
    for (int i = 0; i < 60; i++) {
        size_t room = current->count - synced, at = synced + stream_random(&scene.builder.stream, room);
        size_t count = 1 + stream_random(&scene.builder.stream, current->count - at);
        memcpy(bytes, current->bytes, current->count);
        memset(bytes + at, 0, i % 2 == 0 ? count : current->count - at); /* a hole, or the rest */
        expect_mended(&life, KEEP_MIDDLE, bytes, current->count);
        expect_mended(&life, KEEP_NONE, bytes, current->count);
    }
    memcpy(bytes, current->bytes, current->count);
    memset(bytes + current->count, 0, 10000);
    expect_mended(&life, KEEP_LAST, bytes, current->count + 10000);
    expect_mended(&life, KEEP_NONE, bytes, current->count + 10000);
    memset(bytes, 0, current->count);
    expect_mended(&life, KEEP_NONE, bytes, current->count); /* behind the last line of the rotated file */
    log_position_deinit(&middle, &mem_libc);
    free(bytes);
    life_free(&life);
}

/* ---- Files that are gone ---------------------------------------------------------------------------------------- */

/* Only new lines are written then. */
static void expect_only_new_lines(uint64_t lines_before)
{
    (void)lines_before;
    scene_open(&scene);
    scene_catch_up(&scene);
    cr_assert(scene.progress.lines == 0, "%lu lines", (unsigned long)scene.progress.lines);
    scene_grow(&scene, 4, 0);
    scene_catch_up(&scene);
    cr_assert(scene.progress.lines > 0);
    scene_close(&scene);
}

Test(follower, deleted_logs_are_not_rendered_again, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 2);
    restore(&life, KEEP_LAST);
    for (size_t i = 0; i < life.files.count; i++)
        scene_remove(&scene, life.files.files[i].name);
    expect_only_new_lines(0);
    struct scene_files expected, found;
    scene_expected(&scene, &expected);
    scene_found(&scene, &found);
    const struct scene_file *all = &expected.files[expected.count - 1], *tail = &found.files[0];
    cr_assert(found.count == 1 && tail->count < all->count);
    cr_assert(memcmp(all->bytes + all->count - tail->count, tail->bytes, tail->count) == 0);
    cr_assert(all->bytes[all->count - tail->count - 1] == '\n');
    scene_files_free(&expected);
    scene_files_free(&found);
    life_free(&life);
}

Test(follower, a_rotated_file_of_old_does_not_count_against_the_position, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 2);
    restore(&life, KEEP_LAST);
    scene_remove(&scene, CURRENT);
    expect_only_new_lines(0);
    life_free(&life);
}

Test(follower, without_position_the_newest_rotated_file_tells_where_to_go_on, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 2);
    restore(&life, KEEP_NONE);
    scene_remove(&scene, CURRENT);
    scene_follow(&scene);
    scene_expect_files(&scene);
    /* An empty file is as good as none. */
    expect_mended(&life, KEEP_NONE, "", 0);
    life_free(&life);
}

/* What a crash between the renaming and the position leaves. */
Test(follower, a_rotated_file_ahead_of_the_position_counts, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 0);
    scene_grow(&scene, 1, 0);
    scene.builder.time_us += SCENE_DAY_US;
    scene_grow(&scene, 5, 0);
    struct scene_files expected;
    scene_expected(&scene, &expected);
    cr_assert(expected.count == 2);
    free(expected.files[1].bytes);
    expected.count = 1; /* rotated, and nothing else */
    for (int keep = KEEP_NONE; keep <= KEEP_LAST; keep++) {
        restore(&life, keep);
        scene_remove(&scene, CURRENT);
        scene_write(&scene, expected.files[0].name, expected.files[0].bytes, expected.files[0].count);
        scene_follow(&scene);
        scene_expect_files(&scene);
    }
    scene_files_free(&expected);
    life_free(&life);
}

/* ---- The position ----------------------------------------------------------------------------------------------- */

Test(follower, a_damaged_position_is_told_and_ignored, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 30, 1);
    for (size_t i = 0; i < life.position_bytes; i += 7) {
        restore(&life, KEEP_NONE);
        life.position[i] = (char)(life.position[i] ^ 4);
        scene_write(&scene, POSITION, life.position, life.position_bytes);
        life.position[i] = (char)(life.position[i] ^ 4);
        scene.told_bytes = 0;
        scene_follow(&scene);
        scene_expect_files(&scene);
        cr_assert(scene_told(&scene, "is of no use"), "%s", scene.told);
    }
    for (size_t count = 0; count < life.position_bytes; count += 11) {
        restore(&life, KEEP_NONE);
        scene_write(&scene, POSITION, life.position, count);
        scene_follow(&scene);
        scene_expect_files(&scene);
    }
    life_free(&life);
}

Test(follower, an_old_position_is_as_good_as_a_new_one, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 40, 1);
    for (int keep = KEEP_NONE; keep <= KEEP_LAST; keep++) {
        restore(&life, keep);
        expect_only_new_lines(0);
        scene_expect_files(&scene);
        scene_files_free(&life.files);
        scene_found(&scene, &life.files);
    }
    life_free(&life);
}

/* Between any two steps a follower may die. */
Test(follower, dying_between_any_two_steps_changes_nothing, .init = begin, .fini = end)
{
    scene.options.rotate_bytes = 6000;
    for (int i = 0; i < 80; i++) {
        scene_grow(&scene, 1, i % 30 == 29);
        scene_open(&scene);
        for (uint64_t j = stream_random(&scene.builder.stream, 3) + 1; j > 0; j--)
            scene_step(&scene);
        if (stream_random(&scene.builder.stream, 4) == 0)
            scene_close(&scene);
        else
            scene_kill(&scene);
    }
    scene_follow(&scene);
    scene_expect_files(&scene);
}

/* ---- What fails in the journal ---------------------------------------------------------------------------------- */

Test(follower, a_fault_of_the_journal_is_a_status_with_its_place, .init = begin, .fini = end)
{
    scene_grow(&scene, 30, 0);
    struct built_frame *frame = &scene.builder.frames[20];
    scene_open(&scene);
    char path[TEMPDIR_PATH_BYTES];
    uint64_t offset = 0;
    const char *name = journal_reader_place(scene.reader, frame->frame.position, &offset);
    (void)snprintf(path, sizeof path, "%s/journal/%s", scene.builder.path, name);
    FILE *file = fopen(path, "r+b");
    cr_assert(file != NULL && fseek(file, (long)offset + 80, SEEK_SET) == 0);
    int byte = fgetc(file);
    cr_assert(fseek(file, (long)offset + 80, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF && fclose(file) == 0);
    settle_error error = {.status = SETTLE_OK};
    struct follower_progress progress;
    EXPECT_OK(journal_reader_limit(scene.reader, scene.builder.end.position, &test_error));
    cr_assert(follower_step(scene.follower, scene.reader, &progress, &error) == SETTLE_E_CORRUPT);
    cr_assert(error.file[0] != '\0' && error.offset_bytes >= offset && error.text[0] != '\0');
    scene_close(&scene);
    /* The lines before it are there. */
    struct scene_files found;
    scene_found(&scene, &found);
    cr_assert(found.count == 1 && found.files[0].count > 1000);
    scene_files_free(&found);
}

/* ---- What fails in memory --------------------------------------------------------------------------------------- */

static void *reallocate_until(void *context, void *memory, size_t bytes)
{
    int *left = context; /* allocations that succeed before one that does not; below 0: it was that one */
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return (*left)-- == 0 ? NULL : realloc(memory, bytes);
}

/* The frame that found no memory was counted as written: its lines were missing for ever. */
Test(follower, a_frame_that_found_no_memory_has_its_lines_later)
{
    size_t failures = 0;
    bool has_failed = true;
    for (int index = 0; has_failed; index++) {
        int left = index;
        const struct mem mem = {reallocate_until, &left};
        begin();
        scene_grow(&scene, 40, 0);
        settle_status status = follower_open(&scene.options, builder_journal_id, &mem, &scene.follower, &test_error);
        EXPECT_OK(journal_reader_open_own(scene.builder.data_fd, &mem_libc, &scene.reader, &test_error));
        EXPECT_OK(journal_reader_limit(scene.reader, scene.builder.end.position, &test_error));
        bool is_open = status == SETTLE_OK;
        while (status == SETTLE_OK && !scene.progress.is_at_end && !scene.progress.is_paused)
            status = follower_step(scene.follower, scene.reader, &scene.progress, &test_error);
        has_failed = left < 0;
        failures += is_open && status == SETTLE_E_NO_MEMORY;
        (void)follower_close(is_open ? scene.follower : NULL, NULL);
        scene.follower = NULL;
        journal_reader_close(scene.reader);
        scene.reader = NULL;
        scene_follow(&scene);
        scene_expect_files(&scene);
        end();
    }
    cr_assert_geq(failures, 3, "%zu", failures);
}
