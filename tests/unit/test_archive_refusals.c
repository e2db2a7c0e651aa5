/*
 * test_archive_refusals.c — an archive in which something is not what it must be: names, indexes, files, whole journals of
 * others, a disk that gives back something else. It is said, nothing is removed, and what is there stays readable.
 */
#include "journal/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/reader.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(archive_refusals);

#define LARGE ((uint64_t)512 << 10) /* a segment of four blocks */

static struct journal_builder b;
static struct archive archive;
static struct journal_files original;

static void begin(uint64_t segment_bytes)
{
    builder_use_memory();
    trap_clear();
    builder_init(&b, segment_bytes, stream_seed(43));
    while (b.end.position / segment_bytes < 3) {
        builder_random(&b);
        builder_note(&b, segment_bytes / 4);
    }
    builder_close(&b);
    journal_files_load(b.data_fd, &original);
    EXPECT_OK(archive_open(b.data_fd, true, &mem_libc, &archive, &test_error));
}

static void small(void)
{
    begin(SEGMENT_BYTES_MIN);
}

static void large(void)
{
    begin(LARGE);
}

static void end(void)
{
    trap_clear();
    archive_close(&archive);
    journal_files_free(&original);
    builder_deinit(&b);
}

#define SMALL .init = small, .fini = end
#define LARGE_ONES .init = large, .fini = end

static const char *segment(size_t ordinal)
{
    return journal_files_segment(&original, ordinal)->name;
}

static struct segment_entry entry_of(size_t ordinal)
{
    struct segment_list segments;
    EXPECT_OK(segment_list_read(archive.journal_fd, &mem_libc, &segments, &test_error));
    struct segment_entry entry = segments.entries[ordinal];
    segment_list_free(&segments);
    return entry;
}

static settle_status pack(size_t ordinal)
{
    struct archive_move move;
    const struct segment_entry entry = entry_of(ordinal);
    return archive_pack(&archive, &entry, 1, &move, &test_error);
}

static settle_status unpack(const char *name)
{
    struct archive_move move;
    return archive_unpack(&archive, name, &move, &test_error);
}

/* Its path in the archive or, without `folder`, in the journal; valid until the call after the next. */
static const char *path_of(const char *folder, const char *name)
{
    static char paths[2][TEMPDIR_PATH_BYTES];
    static unsigned turn;
    char *path = paths[turn++ % 2], inside[256];
    snprintf(inside, sizeof inside, folder != NULL ? "archive/%s.zst" : "journal/%s", name);
    tempdir_join(path, b.path, inside);
    return path;
}

static void expect_sound(const char *what)
{
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s: %s", what, expect_describe(&scan.error));
    cr_assert(scan.frame_count == b.frame_count && scan.end.chain == b.end.chain, "%s", what);
}

static void reopen(bool create, settle_status expected)
{
    archive_close(&archive);
    EXPECT_STATUS(archive_open(b.data_fd, create, &mem_libc, &archive, &test_error), expected);
}

/* ---- The lock ------------------------------------------------------------------------------------------------------ */

static unsigned thefts_left;
static bool leaves_another;

/* Whoever restores removes the lock's file, and another makes it again: between the open and the lock. */
static void steal_lock(void *context, const struct trap_note *note)
{
    char path[TEMPDIR_PATH_BYTES];
    (void)context;
    if (note->call != TRAP_OPENS || strcmp(note->name, ARCHIVE_LOCK_NAME) != 0 || thefts_left == 0)
        return;
    thefts_left--;
    tempdir_join(path, b.path, ARCHIVE_LOCK_NAME);
    if (unlink(path) != 0)
        abort();
    FILE *another = leaves_another ? fopen(path, "w") : NULL;
    if (another != NULL && (fclose(another) != 0 || chmod(path, 0600) != 0))
        abort();
}

Test(archive_refusals, a_lock_whose_file_was_removed_is_taken_again_but_not_for_ever, SMALL)
{
    for (int another = 0; another < 2; another++) {
        int fd = -1, second = -1;
        leaves_another = another == 1;
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = steal_lock});
        thefts_left = 3;
        EXPECT_OK(archive_lock_take(b.data_fd, &fd, &test_error));
        cr_assert_eq(thefts_left, 0);
        EXPECT_STATUS(archive_lock_take(b.data_fd, &second, &test_error), SETTLE_E_BUSY);
        file_close(fd);
        thefts_left = 1000;
        EXPECT_STATUS(archive_lock_take(b.data_fd, &fd, &test_error), SETTLE_E_BUSY);
        cr_assert_str_eq(test_error.text, "others take and remove the archive's lock");
        cr_assert_geq(thefts_left, 800);
        trap_clear();
    }
}

/* ---- What is left over ----------------------------------------------------------------------------------------------- */

Test(archive_refusals, a_partial_file_that_cannot_be_removed_is_told_and_the_next_stays, SMALL)
{
    static const char *const names[] = {"00.seg", "01.seg", "notes"};
    for (size_t i = 0; i < 3; i++) {
        char path[TEMPDIR_PATH_BYTES], inside[64];
        snprintf(inside, sizeof inside, "archive/%s.partial", names[i]);
        tempdir_join(path, b.path, inside);
        cr_assert_eq(i == 0 ? mkdir(path, 0700) : mknod(path, S_IFREG | 0600, 0), 0);
    }
    reopen(false, SETTLE_E_ACCESS);
    cr_assert_str_eq(test_error.file, "00.seg.partial");
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, b.path, "archive/01.seg.partial");
    cr_assert_eq(access(path, F_OK), 0);
    tempdir_join(path, b.path, "archive/00.seg.partial");
    cr_assert_eq(rmdir(path), 0);
    reopen(false, SETTLE_OK);
    tempdir_join(path, b.path, "archive/01.seg.partial");
    cr_assert_neq(access(path, F_OK), 0);
    tempdir_join(path, b.path, "archive/notes.partial");
    cr_assert_eq(access(path, F_OK), 0, "it is no segment's");
}

Test(archive_refusals, beside_a_damaged_index_nothing_is_archived, SMALL)
{
    EXPECT_OK(pack(0));
    tree_flip_bit(path_of(NULL, ARCHIVE_INDEX_NAME), 40, 1);
    reopen(true, SETTLE_E_CORRUPT);
    cr_assert_eq(access(path_of(NULL, ARCHIVE_INDEX_NAME), F_OK), 0, "it is not set aside");
    reopen(false, SETTLE_OK); /* for restoring it is */
    EXPECT_OK(unpack(segment(0)));
    EXPECT_OK(archive_empty(&archive, &test_error));
    expect_sound("restored");
}

/* All plain segments are lost: whose the index is nobody can say, and it stays. */
Test(archive_refusals, an_index_without_any_plain_segment_is_believed, SMALL)
{
    EXPECT_OK(pack(0));
    for (size_t i = 1; i < journal_files_segment_count(&original); i++)
        journal_file_remove(b.data_fd, segment(i));
    reopen(false, SETTLE_OK);
    cr_assert_eq(archive.index.count, 1);
    EXPECT_STATUS(archive_check(&archive, &test_error), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.text, "no segment at all"), "%s", test_error.text);
}

/* ---- Files that are not what the index or their name says -------------------------------------------------------------- */

Test(archive_refusals, an_archived_file_under_another_ordinal_is_refused, SMALL)
{
    static const char other[] = "00000000000000000001-000007.seg";
    EXPECT_OK(pack(0));
    cr_assert_eq(rename(path_of("archive", segment(0)), path_of("archive", other)), 0);
    EXPECT_STATUS(unpack(other), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.text, "name and its header disagree"), "%s", test_error.text);
    cr_assert_eq(rename(path_of("archive", other), path_of("archive", segment(0))), 0);
    EXPECT_OK(unpack(segment(0)));
}

Test(archive_refusals, an_archived_file_that_is_another_than_the_index_knows_is_not_brought_back, SMALL)
{
    EXPECT_OK(pack(0));
    EXPECT_OK(archive_check(&archive, &test_error));
    for (int member = 0; member < 2; member++) {
        struct archive_entry good = archive.index.entries[0];
        if (member == 0)
            archive.index.entries[0].file_bytes++;
        else
            archive.index.entries[0].digest ^= 1;
        EXPECT_STATUS(archive_check(&archive, &test_error), SETTLE_E_CORRUPT);
        cr_assert_not_null(strstr(test_error.text, "is not the file that journal/archived tells of"), "%s",
                           test_error.text);
        archive.index.entries[0] = good;
        EXPECT_OK(archive_check(&archive, &test_error));
    }
}

/* In journal/ lies a segment of the same ordinal that is another journal's. */
Test(archive_refusals, another_journals_segment_in_its_place_is_told, SMALL)
{
    EXPECT_OK(pack(0));
    struct journal_file *first = journal_files_segment(&original, 0);
    struct segment_header header;
    EXPECT_OK(segment_header_decode(first->bytes, first->name, &header, &test_error));
    header.journal_id[0] ^= 1;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&header, bytes);
    journal_file_write(b.data_fd, segment(0), 0, bytes, sizeof bytes);
    EXPECT_STATUS(archive_check(&archive, &test_error), SETTLE_E_CORRUPT);
    journal_file_remove(b.data_fd, segment(0));
    EXPECT_OK(archive_check(&archive, &test_error));
}

Test(archive_refusals, a_directory_in_a_segments_place_is_told, SMALL)
{
    EXPECT_OK(pack(0));
    cr_assert_eq(mkdir(path_of(NULL, segment(0)), 0700), 0);
    EXPECT_STATUS(unpack(segment(0)), SETTLE_E_ACCESS);
    cr_assert_eq(rmdir(path_of(NULL, segment(0))), 0);
    EXPECT_OK(unpack(segment(0)));
}

/* Whole for zstd, with a table that is right, and no segment. */
Test(archive_refusals, a_whole_archived_file_that_holds_no_segment_is_refused_by_readers, SMALL)
{
    uint8_t garbage[SEGMENT_BYTES_MIN];
    int from = -1, to = -1;
    struct journal_scan scan;
    EXPECT_OK(pack(0));
    memset(garbage, 0x5a, sizeof garbage);
    EXPECT_OK(file_open_at(b.data_fd, "garbage", FILE_CREATE, &from, &test_error));
    EXPECT_OK(file_write(from, "garbage", 0, garbage, sizeof garbage, &test_error));
    const char *path = path_of("archive", segment(0));
    cr_assert_eq(unlink(path), 0);
    EXPECT_OK(file_open_at(archive.archive_fd, strrchr(path, '/') + 1, FILE_CREATE, &to, &test_error));
    EXPECT_OK(archived_write(from, "garbage", to, "x", 1, &mem_libc, &test_error));
    file_close(from);
    file_close(to);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(scan.error.file, ".seg.zst"), "%s", scan.error.file);
    EXPECT_STATUS(unpack(segment(0)), SETTLE_E_CORRUPT);
}

/* ---- Many blocks, and disks that lie -------------------------------------------------------------------------------- */

Test(archive_refusals, a_segment_of_many_blocks_of_which_one_is_damaged_is_not_brought_back, LARGE_ONES)
{
    EXPECT_OK(pack(0));
    EXPECT_OK(unpack(segment(0)));
    expect_sound("brought back");
    journal_file_remove(b.data_fd, segment(0));
    size_t count = 0;
    free(tree_read(path_of("archive", segment(0)), &count));
    const uint64_t places[] = {100, count / 2}; /* in the block of the header, and in one in the middle */
    for (size_t i = 0; i < 2; i++) {
        tree_flip_bit(path_of("archive", segment(0)), places[i], 2);
        EXPECT_STATUS(unpack(segment(0)), SETTLE_E_CORRUPT);
        cr_assert_eq(journal_file_bytes(b.data_fd, segment(0)), UINT64_MAX);
        tree_flip_bit(path_of("archive", segment(0)), places[i], 2);
    }
    EXPECT_OK(unpack(segment(0)));
    expect_sound("brought back");
}

static char given_back[TEMPDIR_PATH_BYTES];

/* Behind the sync of a copy the disk has another one, which is whole. */
static void give_back_another(void *context, const struct trap_note *note)
{
    char link_name[64], target[512] = "";
    (void)context;
    if (note->call != TRAP_FDATASYNCS)
        return;
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", note->fd);
    if (readlink(link_name, target, sizeof target - 1) <= 0 || strstr(target, ".zst.partial") == NULL)
        return;
    size_t count = 0;
    unsigned char *bytes = tree_read(given_back, &count);
    FILE *file = fopen(target, "wb"); /* the C library's calls are not wrapped */
    if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        abort();
    free(bytes);
}

Test(archive_refusals, a_disk_that_gives_back_another_whole_file_is_noticed, SMALL)
{
    EXPECT_OK(pack(0));
    snprintf(given_back, sizeof given_back, "%s", path_of("archive", segment(0)));
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = give_back_another});
    EXPECT_STATUS(pack(1), SETTLE_E_IO);
    cr_assert_not_null(strstr(test_error.text, "the disk does not keep what it is given"), "%s", test_error.text);
    trap_clear();
    expect_sound("nothing moved");
    EXPECT_OK(pack(1));
    expect_sound("both moved");
}
