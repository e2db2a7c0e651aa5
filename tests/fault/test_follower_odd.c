/*
 * test_follower_odd.c — a follower in rare states: little space, a clock that is set back, positions that are old, new or wrong, a
 * reader that shows little, text of others, what crashes leave, an archive in trouble. The lines wait, or go on, and are complete.
 */
#include <errno.h>
#include <sys/stat.h>

#include "journal/archive.h"
#include "journal/base/bytes.h"
#include "journal/base/clock.h"
#include "journal/follow/log_current.h"
#include "journal/follow/log_position.h"
#include "journal/follow/log_seek.h"
#include "journal/follow/log_tail.h"
#include "tests/fault/follower_trouble.h"

SETTLE_SUITE(follower_odd);

/* ---- Space and time ------------------------------------------------------------------------------------------------- */

Test(follower_odd, a_small_file_system_keeps_a_twentieth_and_a_large_one_a_gibibyte, .init = begin, .fini = end)
{
    static const struct {
        uint64_t blocks, free_blocks;
        bool has_room;
    } rows[] = {
        {20000, 999, false},
        {20000, 1000, true}, /* 1/20 */
        {262144 * 20, 262143, false},
        {262144 * 20, 262144, true}, /* 1 GiB is a twentieth */
        {262144 * 2000, 262143, false},
        {262144 * 2000, 262144, true}, /* 1 GiB is enough */
    };
    grow();
    scene.options.free_bytes_min = FOLLOWER_FREE_DEFAULT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blocks_total = rows[i].blocks;
        blocks_free = rows[i].free_blocks;
        life_begin();
        cr_assert_eq(life_step(), SETTLE_OK);
        cr_assert_eq(life_step(), SETTLE_OK);
        cr_assert_eq(scene.progress.is_paused, !rows[i].has_room, "row %zu: %s", i, scene.progress.cause.text);
        life_end();
        if (rows[i].has_room)
            tempdir_remove(scene.logs);
    }
}

/* More lines than a step writes, and the disk is full in the midst of a frame. */
Test(follower_odd, a_full_disk_in_the_midst_of_a_frame_loses_no_line, .init = begin, .fini = end)
{
    scene.options.free_bytes_min = FOLLOWER_FREE_DEFAULT;
    blocks_total = 20000;
    blocks_free = 0;
    scene_grow(&scene, 200, 0);
    life_begin();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene.progress.is_paused && scene.progress.cause.status == SETTLE_E_NO_SPACE);
    cr_assert_eq(scene.progress.bytes, 0);
    blocks_free = 20000;
    life_finish();
    cr_assert_gt(scene.progress.bytes, 1 << 20);
    expect_joined();
    life_end();
}

static void position_get(struct log_position *ret_position)
{
    int fd = -1;
    *ret_position = (struct log_position){0};
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_read(fd, &mem_libc, ret_position, &test_error));
    file_close(fd);
}

static void position_put(const struct log_position *position)
{
    int fd = -1;
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    EXPECT_OK(log_position_write(fd, position, &mem_libc, &test_error));
    file_close(fd);
}

/* The position is saved when no line has come for five seconds; a clock that is set back is no reason to wait for years. */
Test(follower_odd, a_clock_that_is_set_back_delays_nothing_for_long, .init = begin, .fini = end)
{
    half_way();
    life_step();
    size_t count = 0, same = 0;
    char *early = scene_read(&scene, POSITION, &same);
    clock_offset_s -= 1000000;
    cr_assert_eq(life_step(), SETTLE_OK); /* which is behind the lines then */
    char *late = scene_read(&scene, POSITION, &count);
    cr_assert(count != same || memcmp(early, late, count) != 0, "the position waits for the clock");
    free(early);
    free(late);
    life_step();
    early = scene_read(&scene, POSITION, &same);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(life_step(), SETTLE_OK); /* idle, with nothing that is not saved */
    late = scene_read(&scene, POSITION, &count);
    cr_assert(count == same && memcmp(early, late, count) == 0);
    free(early);
    free(late);
    char away[TEMPDIR_PATH_BYTES];
    tempdir_join(away, scene.builder.path, "away");
    cr_assert_eq(rename(scene.logs, away), 0);
    grow();
    clock_offset_s -= 1000000;
    cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene_has(&scene, CURRENT), "the move is not seen before the clock is what it was");
    life_end();

    /* A rotated file cannot be listed: that is tried again in a minute, or when the clock is another. */
    scene.options.compress = true;
    life_begin();
    scene_write(&scene, "settlement.log.2000-01-01", TEXT, sizeof TEXT - 1);
    char partial[TEMPDIR_PATH_BYTES];
    tempdir_join(partial, scene.logs, "settlement.log.2000-01-01.zst.partial");
    cr_assert_eq(mkdir(partial, 0700), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene_told(&scene, "it is tried again in a minute"), "%s", scene.told);
    cr_assert_eq(rmdir(partial), 0);
    cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene_has(&scene, "settlement.log.2000-01-01"));
    clock_offset_s -= 1000000;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene_has(&scene, "settlement.log.2000-01-01.zst") && !scene_has(&scene, "settlement.log.2000-01-01"));
    life_end();
}

Test(follower_odd, a_clock_that_shows_a_time_before_1970_shows_1970, .init = begin, .fini = end)
{
    cr_assert_gt(clock_system_us(NULL), 0);
    clock_offset_s = -INT64_C(100000000000);
    cr_assert_eq(clock_system_us(NULL), 0);
}

/* ---- Positions ------------------------------------------------------------------------------------------------------ */

Test(follower_odd, a_position_of_a_newer_version_is_told_and_ignored, .init = begin, .fini = end)
{
    size_t count = 0;
    grow();
    scene_follow(&scene);
    char *bytes = scene_read(&scene, POSITION, &count);
    put_u32((uint8_t *)bytes + 8, 2);
    scene_write(&scene, POSITION, bytes, count);
    free(bytes);
    grow();
    scene_follow(&scene);
    expect_joined();
    cr_assert(scene_told(&scene, "written by a newer version"), "%s", scene.told);
}

/* Its checksum is right, and no frame ends where it says; nor would one look for that, since it names no frame. */
Test(follower_odd, a_position_at_which_no_frame_ends_is_refused_with_its_place, .init = begin, .fini = end)
{
    struct log_position position;
    settle_error error = {.status = SETTLE_OK};
    grow();
    scene_follow(&scene);
    position_get(&position);
    position.boundary.frame_position = 0;
    for (int with_error = 0; with_error < 2; with_error++) {
        if (with_error == 0)
            position.boundary.chain ^= 1;
        else
            position.boundary.position -= 64; /* within the last frame */
        position_put(&position);
        life_begin();
        EXPECT_OK(journal_reader_limit(scene.reader, scene.builder.end.position, &test_error));
        cr_assert_eq(follower_step(scene.follower, scene.reader, &scene.progress, with_error ? &error : NULL),
                     SETTLE_E_CORRUPT);
        life_end();
    }
    cr_assert_str_eq(error.file, POSITION);
    cr_assert_eq(error.offset_bytes, position.boundary.position);
    log_position_deinit(&position, &mem_libc);
}

/* Whatever of a saved position is not what it should be now, it is saved again at once. */
Test(follower_odd, a_position_that_says_anything_else_is_saved_again, .init = begin, .fini = end)
{
    grow();
    scene_follow(&scene);
    struct log_position good, bad;
    position_get(&good);
    for (int member = 0; member < 3; member++) {
        bad = good;
        if (member == 0)
            bad.file_bytes -= 10;
        else if (member == 1)
            bad.sample_per_million = 5;
        else
            bad.file_bytes += 10;
        position_put(&bad);
        life_begin();
        cr_assert_eq(life_step(), SETTLE_OK);
        struct log_position now;
        position_get(&now);
        cr_assert(now.file_bytes == good.file_bytes && now.sample_per_million == good.sample_per_million, "member %d",
                  member);
        log_position_deinit(&now, &mem_libc);
        life_finish();
        life_end();
        expect_joined();
    }
    log_position_deinit(&good, &mem_libc);
}

/* Beside a writer that has just begun again, which does not show yet what it showed before. */
Test(follower_odd, a_reader_that_shows_less_than_what_has_lines_is_waited_for, .init = begin, .fini = end)
{
    grow();
    scene_follow(&scene);
    struct log_position position;
    position_get(&position);
    cr_assert(position.restart.position < position.boundary.position);
    life_begin();
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(journal_reader_limit(scene.reader, position.boundary.position - 64, &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
        cr_assert(scene.progress.is_at_end && !scene.progress.is_paused, "%s", scene.progress.cause.text);
    }
    grow();
    life_finish();
    life_end();
    expect_joined();
    log_position_deinit(&position, &mem_libc);
}

/* ---- Who is told, and what of ------------------------------------------------------------------------------------- */

Test(follower_odd, nobody_need_listen, .init = begin, .fini = end)
{
    scene.options.log = NULL;
    file_is_cut();
    struct follower *second = NULL;
    cr_assert_eq(follower_open(&scene.options, builder_journal_id, &mem_libc, &second, NULL), SETTLE_E_BUSY);
    life_finish();
    life_end();
    expect_end();
    cr_assert_eq(scene.told_bytes, 0);
}

Test(follower_odd, another_cause_of_a_pause_is_told_too, .init = begin, .fini = end)
{
    grow();
    life_begin();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(life_step(), SETTLE_OK);
    static const int causes[] = {EIO, EIO, ENOSPC, ENOSPC, EIO};
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        grow();
        trap_set(&(struct trap){.calls = TRAP_WRITES, .index = 1, .error = causes[i], .action = TRAP_ONCE});
        for (int j = 0; j < 3 && !trap_was_met(); j++)
            cr_assert_eq(life_step(), SETTLE_OK);
        (void)trap_clear();
        cr_assert(scene.progress.is_paused);
    }
    size_t told = 0;
    for (const char *at = scene.told; (at = strstr(at, "the JSON lines pause")) != NULL; at++)
        told++;
    cr_assert_eq(told, 3, "%zu: %s", told, scene.told);
    life_finish();
    life_end();
    expect_joined();
}

/* ---- Files of others, and of crashes ---------------------------------------------------------------------------------- */

/* A file without a line of ours is rotated like any other: its day is that of the line that follows. */
Test(follower_odd, somebody_elses_long_text_is_rotated_before_our_first_line, .init = begin, .fini = end)
{
    grow();
    scene.options.rotate_bytes = 1 << 20;
    const size_t count = 50 * 21000; /* more than a MiB */
    char *text = malloc(count);
    for (size_t i = 0; i < count; i++)
        text[i] = i % 50 == 49 ? '\n' : 'x';
    scene_write(&scene, CURRENT, text, count);
    life_begin();
    life_finish();
    life_end();
    struct scene_files expected, found;
    scene_expected(&scene, &expected);
    scene_found(&scene, &found);
    cr_assert_eq(found.count, 2, "%zu", found.count);
    cr_assert_str_eq(found.files[0].name, "settlement.log.2024-12-10.001");
    cr_assert(found.files[0].count == count && memcmp(found.files[0].bytes, text, count) == 0);
    cr_assert(found.files[1].count == expected.files[0].count);
    scene_files_free(&expected);
    scene_files_free(&found);
    free(text);
}

/* What a crash left of a compression made room by taking whole files with it. */
Test(follower_odd, an_unfinished_compression_counts_for_nothing_against_keep_bytes, .init = begin, .fini = end)
{
    char *large = calloc(1, 100000);
    memset(large, 'x', 100000);
    grow();
    scene.options.keep_bytes = 1000;
    scene_write(&scene, "settlement.log.2000-01-01.zst", "old", 3);
    scene_write(&scene, "settlement.log.2000-01-02", TEXT, sizeof TEXT - 1);
    scene_write(&scene, "settlement.log.2000-01-02.zst.partial", large, 100000);
    life_begin();
    life_finish();
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-02.zst.partial"));
    cr_assert(scene_has(&scene, "settlement.log.2000-01-01.zst") && scene_has(&scene, "settlement.log.2000-01-02"));
    life_end();
    /* It is passed over also where the files around it are too much. */
    scene_write(&scene, "settlement.log.2000-01-01", large, 2000);
    scene_write(&scene, "settlement.log.2000-01-01.001.zst.partial", large, 100000);
    life_begin();
    life_finish();
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-01.001.zst.partial"));
    cr_assert(!scene_has(&scene, "settlement.log.2000-01-01"));
    cr_assert(scene_has(&scene, "settlement.log.2000-01-02"));
    life_end();
    free(large);
}

/* Of an archived segment that is not there, or damaged, or not to be trusted: the lines wait, and go on when it is mended. */
Test(follower_odd, an_archived_segment_that_cannot_be_read_is_waited_for, .init = begin, .fini = end)
{
    struct archive archive;
    struct archive_move move;
    struct segment_list segments;
    char data[TEMPDIR_PATH_BYTES], moved[TEMPDIR_PATH_BYTES], name[ARCHIVED_NAME_BYTES + 16];
    while (scene.builder.end.position < 2 * 16384 + 4096)
        grow();
    EXPECT_OK(archive_open(scene.builder.data_fd, true, &mem_libc, &archive, &test_error));
    EXPECT_OK(segment_list_plain(archive.journal_fd, &mem_libc, &segments, &test_error));
    EXPECT_OK(archive_pack(&archive, &segments.entries[0], 1, &move, &test_error));
    strcpy(name, "archive/");
    archived_name(segments.entries[0].name, name + strlen(name));
    segment_list_free(&segments);
    archive_close(&archive);
    tempdir_join(data, scene.builder.path, name);
    tempdir_join(moved, scene.builder.path, "moved");
    for (int trouble = 0; trouble < 3; trouble++) {
        static const settle_status causes[] = {SETTLE_E_IO, SETTLE_E_CORRUPT, SETTLE_E_ACCESS};
        settle_error error = {.status = SETTLE_OK};
        if (trouble == 0)
            cr_assert_eq(rename(data, moved), 0);
        else if (trouble == 1)
            tree_flip_bit(data, 100, 3);
        else
            cr_assert_eq(chmod(data, 0666), 0);
        life_begin();
        settle_status status = follower_step(scene.follower, scene.reader, &scene.progress, &error);
        if (causes[trouble] == SETTLE_E_ACCESS) { /* somebody may write to it: that is for a human to mend */
            cr_assert_eq(status, SETTLE_E_ACCESS, "%s", error.text);
            life_end();
            cr_assert_eq(chmod(data, 0600), 0);
            life_begin();
        } else {
            cr_assert_eq(status, SETTLE_OK, "%s: %s", error.file, error.text);
            cr_assert(scene.progress.is_paused && scene.progress.cause.status == causes[trouble]);
            cr_assert(strstr(scene.progress.cause.file, ".seg.zst") != NULL, "%s", scene.progress.cause.file);
            if (trouble == 0)
                cr_assert_eq(rename(moved, data), 0);
            else
                tree_flip_bit(data, 100, 3);
        }
        life_finish();
        life_end();
        expect_joined();
        tempdir_remove(scene.logs);
    }
}

/* ---- Far and near ----------------------------------------------------------------------------------------------------- */

/* More of the journal than a step looks through, before the last line. */
Test(follower_odd, a_line_far_in_the_journal_is_found_in_several_steps, .init = begin, .fini = end)
{
    grow();
    while (scene.builder.end.position < (9 << 19)) /* 4.5 MiB */
        builder_note(&scene.builder, 16000);
    grow();
    scene_follow(&scene);
    scene_remove(&scene, POSITION);
    grow();
    life_begin();
    cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(!scene.progress.is_at_end, "one step has looked through all of it");
    life_finish();
    life_end();
    expect_joined();
}

/* The same where the files are gone, and the position alone tells where to go on. */
Test(follower_odd, a_reader_that_shows_less_is_waited_for_without_files_too, .init = begin, .fini = end)
{
    struct log_position position;
    grow();
    scene_follow(&scene);
    position_get(&position);
    cr_assert(position.restart.position < position.boundary.position);
    scene_remove(&scene, CURRENT);
    grow();
    life_begin();
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(journal_reader_limit(scene.reader, position.restart.position + 64, &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
        cr_assert(scene.progress.is_at_end && scene.progress.lines == 0);
    }
    life_finish();
    life_end();
    cr_assert_gt(scene_has(&scene, CURRENT), 0);
    log_position_deinit(&position, &mem_libc);
    struct scene_files expected;
    size_t count = 0;
    scene_expected(&scene, &expected);
    char *bytes = scene_read(&scene, CURRENT, &count);
    cr_assert(count > 0 && count < expected.files[0].count);
    cr_assert(memcmp(expected.files[0].bytes + expected.files[0].count - count, bytes, count) == 0);
    free(bytes);
    scene_files_free(&expected);
}

/* ---- Two things at once ----------------------------------------------------------------------------------------------- */

/* A sync fails, and there is no memory to go back to what was synced before. */
Test(follower_odd, a_failed_sync_without_memory_loses_no_line)
{
    unsigned no_memory = 0;
    for (int left = 0; left < 6; left++) {
        begin();
        scene_grow(&scene, 30, 0);
        scene_follow(&scene); /* so that the position has assets */
        half_way();
        life_step();
        grow();
        life_step();
        clock_offset_s += 100;
        trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = 1, .error = EIO, .action = TRAP_ONCE});
        allocations_left = left;
        cr_assert_eq(life_step(), SETTLE_OK);
        cr_assert(trap_was_met() && scene.progress.is_paused);
        no_memory += scene.progress.cause.status == SETTLE_E_NO_MEMORY;
        (void)trap_clear();
        allocations_left = -1;
        life_finish();
        life_end();
        expect_joined();
        end();
    }
    cr_assert_gt(no_memory, 0);
}

/* What was a directory on the way to ours is a file now. */
Test(follower_odd, a_file_in_the_place_of_a_directory_above_is_a_move, .init = begin, .fini = end)
{
    char above[TEMPDIR_PATH_BYTES], moved[TEMPDIR_PATH_BYTES], deep[TEMPDIR_PATH_BYTES];
    tempdir_join(above, scene.builder.path, "above");
    tempdir_join(moved, scene.builder.path, "moved");
    tempdir_join(deep, scene.builder.path, "above/logs");
    cr_assert_eq(mkdir(above, 0700), 0);
    strcpy(scene.logs, deep);
    half_way();
    cr_assert_eq(rename(above, moved), 0);
    cr_assert_eq(mknod(above, S_IFREG | 0600, 0), 0);
    cr_assert_eq(life_step(), SETTLE_OK);
    cr_assert(scene.progress.is_paused && scene.progress.cause.status == SETTLE_E_ACCESS, "%s",
              scene.progress.cause.text);
    cr_assert_eq(unlink(above), 0);
    cr_assert_eq(mkdir(above, 0700), 0);
    life_finish();
    life_end();
    cr_assert(scene_told(&scene, "was moved or removed"), "%s", scene.told);
    cr_assert(scene_has(&scene, CURRENT));
}

/* A write that failed and could not be cut: what is behind the lines is ours to cut, not somebody's to keep. */
Test(follower_odd, what_is_to_be_cut_is_no_text_of_somebody_elses, .init = begin, .fini = end)
{
    struct log_current current;
    enum log_change change = LOG_GONE;
    char path[TEMPDIR_PATH_BYTES];
    int fd = -1;
    grow();
    scene_follow(&scene);
    tempdir_join(path, scene.logs, CURRENT);
    EXPECT_OK(dir_open_shared(scene.logs, false, &fd, &test_error));
    log_current_init(&current, fd, &mem_libc);
    EXPECT_OK(log_current_open(&current, 0, &test_error));
    const uint64_t bytes = current.bytes;
    current.needs_cut = true;
    for (int is_longer = 0; is_longer < 2; is_longer++) {
        if (is_longer)
            tree_write(path, bytes, TEXT, sizeof TEXT - 1);
        EXPECT_OK(log_current_watch(&current, &change, &test_error));
        cr_assert_eq(change, LOG_SAME);
        log_current_close(&current);
        EXPECT_OK(log_current_open(&current, 0, &test_error));
        cr_assert(current.bytes == bytes && !current.needs_cut);
        current.needs_cut = true;
    }
    current.needs_cut = false;
    tree_write(path, bytes, TEXT, sizeof TEXT - 1);
    EXPECT_OK(log_current_watch(&current, &change, &test_error));
    cr_assert_eq(change, LOG_GROWN);
    log_current_close(&current);
    file_close(fd);
}

/* Its last line is one that the reader does not show yet: that is no reason to take it for another journal's. */
Test(follower_odd, a_last_line_that_the_reader_does_not_show_yet_is_waited_for, .init = begin, .fini = end)
{
    struct log_position position = {0};
    struct log_line line;
    bool is_before = true;
    for (int i = 0; i < 40 && is_before; i++) {
        size_t count = 0;
        log_position_deinit(&position, &mem_libc);
        scene_grow(&scene, 1, 0);
        scene_follow(&scene);
        position_get(&position);
        char *bytes = scene_read(&scene, CURRENT, &count);
        size_t first = count > 0 ? count - 1 : 0;
        while (first > 0 && bytes[first - 1] != '\n')
            first--;
        is_before = count == 0 || !log_line_parse(bytes + first, count - first, &line) ||
                    log_seek_is_before(&position, line.place);
        free(bytes);
    }
    cr_assert(!is_before);
    life_begin();
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(journal_reader_limit(scene.reader, position.boundary.position - 64, &test_error));
        EXPECT_OK(follower_step(scene.follower, scene.reader, &scene.progress, &test_error));
        cr_assert(scene.progress.is_at_end && !scene.progress.is_paused);
    }
    grow();
    life_finish();
    life_end();
    expect_joined();
    log_position_deinit(&position, &mem_libc);
}
