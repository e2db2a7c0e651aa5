/*
 * test_writer_files.c — how segment files grow, what their last bytes are, and the switch of segments with and
 * without a spare.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/writer_fixture.h"

SETTLE_SUITE(writer_files);

/* In front of the C library's: by which names the cache was told to forget a file. */
static char forgotten[8][SEGMENT_NAME_BYTES];
static _Atomic size_t forgotten_count;

int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    char link[32], target[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, target, sizeof target - 1);
    cr_assert(bytes > 0 && offset == 0 && length == 0 && advice == POSIX_FADV_DONTNEED);
    target[bytes] = '\0';
    size_t index = forgotten_count++;
    if (index < COUNT(forgotten))
        snprintf(forgotten[index], sizeof forgotten[index], "%s", strrchr(target, '/') + 1);
    return 0;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Waits for the helper thread: what is to be seen comes within ten seconds, or not at all. A commit that finds it busy with the
 * last thing leaves the next one to a later commit, so there are some. */
static void wait_for(const char *name, uint64_t bytes)
{
    for (int i = 1; i <= 10000 && journal_file_bytes(b.data_fd, name) != bytes; i++) {
        usleep(1000);
        if (i % 100 == 0)
            builder_note(&b, 128);
    }
    cr_assert_eq(journal_file_bytes(b.data_fd, name), bytes, "%s at %zu", name, (size_t)b.end.position);
}

Test(writer_files, the_first_segment_grows_by_doubling_once_it_is_half_full)
{
    begin(6 * MIB + 4096);
    uint64_t expected = MIB;
    cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), MIB);
    while (b.end.position + 65536 < 6 * MIB) {
        builder_note(&b, 65536);
        if (b.end.position >= expected / 2)
            expected = expected * 2 > 6 * MIB ? 6 * MIB + 4096 : expected * 2;
        wait_for(name_of(0), expected);
    }
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, a_commit_that_the_helper_is_too_late_for_waits_or_does_it_itself)
{
    for (uint64_t step = MIB / 8; step <= 4 * MIB; step *= 2) {
        begin(24 * MIB);
        while (b.end.position + step + 4096 < 24 * MIB)
            builder_note(&b, step);
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

Test(writer_files, a_frame_longer_than_twice_the_file_grows_it_enough)
{
    begin(16 * MIB);
    builder_note(&b, 5 * MIB + 64);
    wait_for(name_of(0), 12 * MIB); /* 6 MiB by the commit, the rest behind it */
    builder_close(&b);
    expect_built();
    /* A file without its trailing zeros grows again, as much or as little as it must. */
    journal_file_resize(b.data_fd, name_of(0), b.end.position);
    builder_open(&b);
    builder_note(&b, 1024);
    cr_assert_geq(journal_file_bytes(b.data_fd, name_of(0)), b.end.position);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, the_last_64_bytes_of_a_segment_are_zero)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position < 10 * SEGMENT_BYTES_MIN) {
        if (stream_random(&b.stream, 3) == 0 && b.writer != NULL)
            builder_note(&b, 128 + 64 * stream_random(&b.stream, 100));
        else
            builder_random(&b);
    }
    builder_close(&b);
    struct journal_files files;
    journal_files_load(b.data_fd, &files);
    cr_assert_geq(journal_files_segment_count(&files), 10);
    for (size_t i = 0; i < journal_files_segment_count(&files); i++) {
        const struct journal_file *file = journal_files_segment(&files, i);
        cr_assert_eq(file->count, SEGMENT_BYTES_MIN);
        cr_assert(bytes_are_zero(file->bytes + SEGMENT_BYTES_MIN - 64, 64));
    }
    expect_built();
    journal_files_free(&files);
    builder_deinit(&b);
}

Test(writer_files, a_hundred_small_segments)
{
    begin(SEGMENT_BYTES_MIN);
    while (b.end.position < 100 * SEGMENT_BYTES_MIN)
        builder_events(&b, 40);
    builder_close(&b);
    expect_built();
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_deinit(&b);
}

Test(writer_files, the_next_segment_is_made_ready_once_one_is_half_full)
{
    begin(3 * MIB);
    while (b.end.position + MIB / 4 < 3 * MIB / 2)
        builder_note(&b, MIB / 4);
    usleep(20000);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_note(&b, MIB / 4);
    wait_for(SEGMENT_SPARE_NAME, 3 * MIB);
    struct stat before, after;
    char path[TEMPDIR_PATH_BYTES], journal[TEMPDIR_PATH_BYTES];
    tempdir_join(journal, b.path, "journal");
    tempdir_join(path, journal, SEGMENT_SPARE_NAME);
    cr_assert_eq(stat(path, &before), 0);
    while (b.end.position < 3 * MIB)
        builder_note(&b, MIB / 4);
    tempdir_join(path, journal, name_of(1));
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino, "the spare became the segment");
    cr_assert_eq(after.st_size, 3 * MIB);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, a_spare_that_was_not_used_goes_with_the_writer)
{
    begin(3 * MIB);
    builder_note(&b, 2 * MIB);
    builder_close(&b); /* waits for the thread */
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, a_spare_that_a_crash_left_over_is_never_read)
{
    for (int size = 0; size < 2; size++) {
        uint64_t segment_bytes = size == 0 ? SEGMENT_BYTES_MIN : 3 * MIB;
        begin(segment_bytes);
        char *garbage = malloc(segment_bytes);
        cr_assert_not_null(garbage);
        memset(garbage, 'g', segment_bytes);
        journal_file_write(b.data_fd, SEGMENT_SPARE_NAME, 0, garbage, segment_bytes);
        free(garbage);
        while (b.end.position < segment_bytes)
            builder_note(&b, size == 0 ? 2048 : MIB / 4);
        builder_events(&b, 2);
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

Test(writer_files, a_spare_that_cannot_be_made_is_met_at_the_switch)
{
    char journal[TEMPDIR_PATH_BYTES], spare[TEMPDIR_PATH_BYTES];
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        begin(3 * MIB);
        tempdir_join(journal, b.path, "journal");
        tempdir_join(spare, journal, SEGMENT_SPARE_NAME);
        cr_assert_eq(mkdir(spare, 0700), 0); /* in the way */
        while (b.end.position + MIB / 4 + FRAME_BYTES_MIN + FRAME_ALIGN < 3 * MIB)
            builder_note(&b, MIB / 4);
        builder_align(&b, 0);
        if (is_gone)
            cr_assert_eq(rmdir(spare), 0);
        builder_begin(&b);
        while (b.buffer.frame.position < 3 * MIB) { /* what is left of this segment */
            builder_add_event(&b);
            EXPECT_OK(builder_commit(&b, &test_error));
            builder_begin(&b);
        }
        builder_add_event(&b);
        settle_status status = builder_commit(&b, &test_error);
        if (is_gone) {
            EXPECT_OK(status);
            cr_assert_eq(b.end.position / b.segment_bytes, 1);
        } else {
            cr_assert_neq(status, SETTLE_OK);
            cr_assert_not_null(strstr(test_error.file, SEGMENT_SPARE_NAME));
            cr_assert_eq(rmdir(spare), 0);
        }
        builder_close(&b);
        expect_built();
        builder_deinit(&b);
    }
}

/* ---- The cache -------------------------------------------------------------------------------------------------- */

/* Until the segment that many behind the present one is more than half full. */
static void write_segments(uint64_t count)
{
    uint64_t end = (b.end.position / (16 * MIB) + count) * 16 * MIB + 9 * MIB;
    while (b.end.position < end)
        builder_note(&b, 5 * MIB);
}

Test(writer_files, the_cache_forgets_a_segment_256_MiB_behind)
{
    begin(16 * MIB);
    write_segments(18); /* the newest sixteen and the present one stay */
    builder_close(&b);
    cr_assert_eq(forgotten_count, 2);
    cr_assert_str_eq(forgotten[0], name_of(0));
    cr_assert_str_eq(forgotten[1], name_of(1));
    /* A writer knows the segments that it wrote itself; others stay. */
    builder_open(&b);
    write_segments(1);
    builder_close(&b);
    cr_assert_eq(forgotten_count, 2);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, a_segment_that_has_gone_need_not_be_forgotten)
{
    begin(16 * MIB);
    write_segments(1);
    int journal_fd = -1;
    EXPECT_OK(dir_open_at(b.data_fd, "journal", false, &journal_fd, &test_error));
    EXPECT_OK(file_remove_at(journal_fd, name_of(0), &test_error));
    file_close(journal_fd);
    write_segments(16);
    cr_assert_eq(forgotten_count, 0);
    builder_close(&b);
    builder_deinit(&b);
}

Test(writer_files, short_segments_stay_in_the_cache)
{
    begin(2 * MIB);
    while (b.end.position < 80 * MIB)
        builder_note(&b, MIB);
    cr_assert_eq(forgotten_count, 0);
    builder_close(&b);
    builder_deinit(&b);
}
