/* Lines that are not this journal's, and text that is nobody's; sampling that changes. */
#include <stdlib.h>
#include <string.h>

#include "journal/base/file.h"
#include "journal/follow/log_position.h"
#include "journal/follow/log_tail.h"
#include "tests/unit/follower_life.h"

SETTLE_SUITE(follower_foreign);

/* ---- Another journal's lines ------------------------------------------------------------------------------------ */

/* The lines of another journal under the name of the current file, and its position where it is asked for. */
static void put_another_journal(const struct log_scene *other, bool with_position)
{
    struct scene_files files;
    size_t count = 0;
    scene_found(other, &files);
    scene_restore(&scene, &files);
    char *position = scene_read(other, POSITION, &count);
    if (with_position)
        scene_write(&scene, POSITION, position, count);
    free(position);
    scene_files_free(&files);
}

static void expect_afresh(const struct scene_files *before)
{
    struct scene_files found, expected;
    scene_found(&scene, &found);
    scene_expected(&scene, &expected);
    cr_assert(expected.count == 1 && found.count == before->count + 1);
    const struct scene_file *kept = &before->files[before->count - 1];
    const struct scene_file *current = &found.files[found.count - 1];
    bool is_kept = false;
    for (size_t i = 0; i < found.count; i++)
        is_kept |= found.files[i].count == kept->count && memcmp(found.files[i].bytes, kept->bytes, kept->count) == 0;
    cr_assert(is_kept);
    cr_assert_str_eq(current->name, CURRENT);
    cr_assert(current->count == expected.files[0].count);
    cr_assert(memcmp(current->bytes, expected.files[0].bytes, current->count) == 0);
    cr_assert(scene_told(&scene, "not this journal's"), "%s", scene.told);
    scene_files_free(&found);
    scene_files_free(&expected);
}

Test(follower_foreign, another_journals_lines_are_set_aside, .init = begin, .fini = end)
{
    static struct log_scene other;
    struct scene_files before;
    scene_init(&other, 77);
    scene_grow(&other, 20, 0);
    scene_follow(&other);
    scene_found(&other, &before);
    scene_grow(&scene, 30, 0);
    put_another_journal(&other, false);
    scene_follow(&scene);
    expect_afresh(&before);
    scene_follow(&scene); /* and that was it */
    expect_afresh(&before);
    scene_files_free(&before);
    scene_deinit(&other);
}

Test(follower_foreign, another_journals_id_in_the_position_is_enough, .init = begin, .fini = end)
{
    struct life life;
    scene_grow(&scene, 20, 0);
    live(&life, 8, 0);
    struct log_position position = {0};
    int fd = -1;
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_read(fd, &mem_libc, &position, &test_error));
    position.journal_id[3] ^= 1;
    EXPECT_OK(log_position_write(fd, &position, &mem_libc, &test_error));
    file_close(fd);
    scene_follow(&scene);
    expect_afresh(&life.files);
    cr_assert(scene_has(&scene, "settlement.log.2024-12-10.001"));
    log_position_deinit(&position, &mem_libc);
    life_free(&life);
}

/* Dying behind the first lines that follow: it happens once. */
Test(follower_foreign, another_journals_lines_are_set_aside_once, .init = begin, .fini = end)
{
    struct life life;
    scene_grow(&scene, 20, 0);
    live(&life, 8, 0);
    struct log_position position = {0};
    int fd = -1;
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_read(fd, &mem_libc, &position, &test_error));
    position.journal_id[3] ^= 1;
    EXPECT_OK(log_position_write(fd, &position, &mem_libc, &test_error));
    log_position_deinit(&position, &mem_libc);
    file_close(fd);
    for (int i = 0; i < 3; i++) {
        scene_open(&scene);
        scene_step(&scene);
        scene_kill(&scene);
    }
    scene_follow(&scene);
    expect_afresh(&life.files);
    life_free(&life);
}

/* The data directory was set back to an older copy, and grew in another way. */
Test(follower_foreign, lines_of_a_lost_future_are_set_aside, .init = begin, .fini = end)
{
    struct life life;
    scene_grow(&scene, 20, 0);
    live(&life, 8, 0);
    static struct log_scene shorter;
    scene_init(&shorter, stream_seed(20));
    scene_grow(&shorter, 12, 0);
    for (int keep = KEEP_NONE; keep <= KEEP_LAST; keep++) {
        scene_restore(&shorter, &life.files);
        if (keep == KEEP_MIDDLE)
            scene_write(&shorter, POSITION, life.middle, life.middle_bytes);
        if (keep == KEEP_LAST)
            scene_write(&shorter, POSITION, life.position, life.position_bytes);
        scene_follow(&shorter);
        struct scene_files found, expected;
        scene_found(&shorter, &found);
        scene_expected(&shorter, &expected);
        cr_assert(found.count == 2 && scene_told(&shorter, "not this journal's"), "%s", shorter.told);
        cr_assert(found.files[0].count == current_of(&life)->count);
        cr_assert(found.files[1].count == expected.files[0].count);
        cr_assert(memcmp(found.files[1].bytes, expected.files[0].bytes, expected.files[0].count) == 0);
        scene_files_free(&found);
        scene_files_free(&expected);
    }
    scene_deinit(&shorter);
    life_free(&life);
}

/* A single byte of the last line is not as it was. */
Test(follower_foreign, a_last_line_that_was_changed_is_not_this_journals, .init = begin, .fini = end)
{
    struct life life;
    live(&life, 20, 0);
    struct scene_file *current = &life.files.files[life.files.count - 1];
    char *digit = strstr(current->bytes + current->count - 250, "\"span_id\":\"");
    cr_assert_not_null(digit);
    digit += strlen("\"span_id\":\"");
    *digit = *digit == '0' ? '1' : '0';
    restore(&life, KEEP_NONE);
    scene_follow(&scene);
    expect_afresh(&life.files);
    life_free(&life);
}

/* The saved position, to be changed. */
static void position_read(struct log_position *ret_position)
{
    int fd = -1;
    *ret_position = (struct log_position){0};
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_read(fd, &mem_libc, ret_position, &test_error));
    file_close(fd);
}

static void position_write(struct log_position *position)
{
    int fd = -1;
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_write(fd, position, &mem_libc, &test_error));
    log_position_deinit(position, &mem_libc);
    file_close(fd);
}

/* Behind the saved position is a line that is not in the journal: it stays under another name; the position counts. */
Test(follower_foreign, a_foreign_line_behind_the_position_is_set_aside, .init = begin, .fini = end)
{
    struct life life;
    struct log_position middle;
    size_t count = 0;
    live(&life, 20, 0);
    struct scene_file *current = &life.files.files[life.files.count - 1];
    char *whole = malloc(current->count);
    memcpy(whole, current->bytes, current->count);
    char *digit = strstr(current->bytes + current->count - 250, "\"span_id\":\"") + strlen("\"span_id\":\"");
    *digit = *digit == '0' ? '1' : '0';
    restore(&life, KEEP_MIDDLE);
    position_read(&middle);
    scene_follow(&scene);
    cr_assert(scene_told(&scene, "its last line is not in the journal"), "%s", scene.told);
    char *bytes = scene_read(&scene, CURRENT, &count);
    cr_assert(count == current->count - middle.file_bytes && memcmp(bytes, whole + middle.file_bytes, count) == 0);
    free(bytes);
    bytes = scene_read(&scene, "settlement.log.2024-12-10.001", &count);
    cr_assert(bytes != NULL && count == current->count && memcmp(bytes, current->bytes, count) == 0);
    free(bytes);
    free(whole);
    log_position_deinit(&middle, &mem_libc);
    life_free(&life);
}

/* The newest rotated file ends with a foreign line, and there is no current one. */
Test(follower_foreign, a_foreign_rotated_file_stays_where_it_is, .init = begin, .fini = end)
{
    for (int keep = KEEP_NONE; keep <= KEEP_MIDDLE; keep++) {
        struct life life;
        struct log_position middle = {0};
        size_t count = 0;
        if (keep > KEEP_NONE) {
            end();
            begin();
        }
        live(&life, 20, 0);
        struct scene_file *current = &life.files.files[life.files.count - 1];
        char *whole = malloc(current->count);
        memcpy(whole, current->bytes, current->count);
        char *digit = strstr(current->bytes + current->count - 250, "\"span_id\":\"") + strlen("\"span_id\":\"");
        *digit = *digit == '0' ? '1' : '0';
        restore(&life, keep);
        scene_rename(&scene, CURRENT, "settlement.log.2024-12-10.001");
        if (keep == KEEP_MIDDLE)
            position_read(&middle);
        scene_follow(&scene);
        cr_assert(scene_told(&scene, "does not end with a line of this journal"), "%s", scene.told);
        char *bytes = scene_read(&scene, CURRENT, &count);
        cr_assert(count == current->count - middle.file_bytes && memcmp(bytes, whole + middle.file_bytes, count) == 0);
        free(bytes);
        free(whole);
        cr_assert(scene_has(&scene, "settlement.log.2024-12-10.001"));
        log_position_deinit(&middle, &mem_libc);
        life_free(&life);
    }
}

/* Its checksum is right, and no frame of the journal ends there. */
Test(follower_foreign, a_position_that_the_journal_does_not_have_counts_for_nothing, .init = begin, .fini = end)
{
    struct life life;
    struct log_position position;
    struct scene_files none = {NULL, 0};
    live(&life, 20, 0);
    scene_restore(&scene, &none); /* no line tells either */
    scene_write(&scene, POSITION, life.middle, life.middle_bytes);
    position_read(&position);
    position.boundary.chain ^= 1;
    position_write(&position);
    scene_follow(&scene);
    cr_assert(scene_told(&scene, "the journal does not have the saved position"), "%s", scene.told);
    scene_expect_files(&scene);
    life_free(&life);
}

/* It names no frame that ends there, and it lies in the middle of one. */
Test(follower_foreign, a_position_within_a_frame_counts_for_nothing, .init = begin, .fini = end)
{
    struct life life;
    struct log_position position;
    live(&life, 20, 0);
    restore(&life, KEEP_MIDDLE);
    position_read(&position);
    position.boundary.frame_position = 0;
    position.boundary.position += 64;
    position_write(&position);
    scene_follow(&scene);
    cr_assert(scene_told(&scene, "the saved position is not in this journal"), "%s", scene.told);
    scene_expect_files(&scene);
    life_free(&life);
}

Test(follower_foreign, somebody_elses_text_is_never_cut, .init = begin, .fini = end)
{
    static const char *texts[] = {"hello", "hello\n", "{\"@timestamp\":\"x\"}\n{\"a\":1}", "\n\n", "x\0y\n"};
    static const size_t counts[] = {5, 6, 27, 2, 4};
    scene_grow(&scene, 10, 0);
    struct scene_files expected, none = {NULL, 0};
    scene_expected(&scene, &expected);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t count = 0, before = counts[i] + (texts[i][counts[i] - 1] != '\n');
        scene_restore(&scene, &none);
        scene_write(&scene, CURRENT, texts[i], counts[i]);
        scene_follow(&scene);
        char *bytes = scene_read(&scene, CURRENT, &count);
        cr_assert(count == before + expected.files[0].count, "%zu: %zu", i, count);
        cr_assert(memcmp(bytes, texts[i], counts[i]) == 0 && bytes[before - 1] == '\n');
        cr_assert(memcmp(bytes + before, expected.files[0].bytes, expected.files[0].count) == 0);
        free(bytes);
    }
    scene_files_free(&expected);
}

/* ---- Sampling --------------------------------------------------------------------------------------------------- */

Test(follower_foreign, a_sample_of_more_than_all_is_refused, .init = begin, .fini = end)
{
    scene_grow(&scene, 1, 0);
    scene.options.sample_per_million = LINES_SAMPLE_ALL + 1;
    EXPECT_STATUS(scene_try_open(&scene, &test_error), SETTLE_E_INVALID);
    scene.options.sample_per_million = LINES_SAMPLE_ALL;
}

Test(follower_foreign, a_sample_has_whole_lives, .init = begin, .fini = end)
{
    scene.options.sample_per_million = 300000;
    scene_grow(&scene, 60, 1);
    scene_open(&scene);
    scene_catch_up(&scene);
    scene_expect_files(&scene);
    scene_close(&scene);
    scene_follow(&scene);
    scene_expect_files(&scene);
}

Test(follower_foreign, another_sampling_goes_on_behind_what_is_there, .init = begin, .fini = end)
{
    static const uint32_t rates[] = {LINES_SAMPLE_ALL, 0, 500000, LINES_SAMPLE_ALL};
    struct scene_files files;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        scene.options.sample_per_million = rates[i];
        scene_grow(&scene, 10, 0);
        scene_follow(&scene);
    }
    cr_assert(scene_told(&scene, "from here on 500000 of a million events have lines, before it was 0"), "%s",
              scene.told);
    scene_found(&scene, &files);
    cr_assert(files.count == 1);
    uint64_t last_seq = 0, last_step = 0;
    const char *at = files.files[0].bytes, *stop = at + files.files[0].count;
    while (at < stop) {
        const char *newline = memchr(at, '\n', (size_t)(stop - at));
        struct log_line line;
        cr_assert(log_line_parse(at, (size_t)(newline + 1 - at), &line));
        cr_assert(line.place.seq != last_seq || line.place.step > last_step);
        last_seq = line.place.seq;
        last_step = line.place.step;
        at = newline + 1;
    }
    scene_files_free(&files);
}
