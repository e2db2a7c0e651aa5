/*
 * test_writer_files.c — how segment files grow, what their last bytes are, and the switch of segments with and
 * without a spare.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/writer_fixture.h"

SETTLE_SUITE(writer_files);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

Test(writer_files, the_first_segment_grows_by_doubling)
{
    begin(6 * MIB + 4096);
    uint64_t expected = MIB;
    cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), MIB);
    while (b.end.position + 65536 < 6 * MIB) {
        builder_note(&b, 65536);
        while (expected < b.end.position)
            expected = expected * 2 > 6 * MIB ? 6 * MIB + 4096 : expected * 2;
        cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), expected, "at %zu", (size_t)b.end.position);
    }
    builder_close(&b);
    expect_built();
    builder_deinit(&b);
}

Test(writer_files, a_frame_longer_than_twice_the_file_grows_it_enough)
{
    begin(16 * MIB);
    builder_note(&b, 5 * MIB + 64);
    cr_assert_eq(journal_file_bytes(b.data_fd, name_of(0)), 6 * MIB);
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

/* Waits for the helper thread: what is to be seen comes within ten seconds, or not at all. */
static void wait_for_spare(uint64_t bytes)
{
    for (int i = 0; i < 10000 && journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME) != bytes; i++)
        usleep(1000);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), bytes);
}

Test(writer_files, the_next_segment_is_made_ready_once_one_is_half_full)
{
    begin(3 * MIB);
    while (b.end.position + MIB / 4 < 3 * MIB / 2)
        builder_note(&b, MIB / 4);
    usleep(20000);
    cr_assert_eq(journal_file_bytes(b.data_fd, SEGMENT_SPARE_NAME), UINT64_MAX);
    builder_note(&b, MIB / 4);
    wait_for_spare(3 * MIB);
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
