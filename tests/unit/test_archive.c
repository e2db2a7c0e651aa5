/*
 * test_archive.c — segments moved to the archive and back: what readers find in between, those that listed before included; the
 * order in which things become durable; what is missing, damaged or another's.
 */
#include "journal/archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/reader.h"
#include "journal/segment_file.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(archive);

static struct journal_builder b;
static struct archive archive;
static struct journal_files original;

static void setup(void)
{
    builder_use_memory();
    trap_clear();
    builder_init(&b, SEGMENT_BYTES_MIN, stream_seed(41));
    while (b.end.position / SEGMENT_BYTES_MIN < 4)
        builder_random(&b);
    builder_close(&b);
    journal_files_load(b.data_fd, &original);
    EXPECT_OK(archive_open(b.data_fd, true, &mem_libc, &archive, &test_error));
}

static void teardown(void)
{
    trap_clear();
    archive_close(&archive);
    journal_files_free(&original);
    builder_deinit(&b);
}

#define FIXTURE .init = setup, .fini = teardown

static void list(struct segment_list *ret_list)
{
    EXPECT_OK(segment_list_read(archive.journal_fd, &mem_libc, ret_list, &test_error));
}

static struct segment_entry entry_of(size_t ordinal)
{
    struct segment_list segments;
    list(&segments);
    cr_assert_lt(ordinal, segments.count);
    struct segment_entry entry = segments.entries[ordinal];
    segment_list_free(&segments);
    return entry;
}

static settle_status pack(size_t ordinal, settle_error *error)
{
    struct archive_move move;
    const struct segment_entry entry = entry_of(ordinal);
    return archive_pack(&archive, &entry, 1, &move, error);
}

static void unpack(size_t ordinal)
{
    struct archive_move move;
    EXPECT_OK(archive_unpack(&archive, entry_of(ordinal).name, &move, &test_error));
}

static void in_archive(size_t ordinal, char ret_name[ARCHIVED_NAME_BYTES + 16])
{
    char name[ARCHIVED_NAME_BYTES];
    archived_name(journal_files_segment(&original, ordinal)->name, name);
    snprintf(ret_name, ARCHIVED_NAME_BYTES + 16, "archive/%s", name);
}

static void path_of(const char *name, char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, b.path, name);
}

static void expect_sound(const char *what)
{
    struct journal_scan scan;
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s: %s", what, expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, b.frame_count, "%s", what);
    cr_assert_eq(scan.end.position, b.end.position, "%s", what);
    cr_assert_eq(scan.end.chain, b.end.chain, "%s", what);
}

/* Every event by its position, in an order that goes back and forth. */
static void expect_events(struct journal_reader *reader, const char *what)
{
    for (size_t i = 0; i < b.event_count; i++) {
        const struct built_event *built = &b.events[i % 2 == 0 ? i / 2 : b.event_count - 1 - i / 2];
        struct event_records event;
        settle_status status = journal_reader_event(reader, built->position, &event, &test_error);
        cr_assert_eq(status, SETTLE_OK, "%s: %s", what, expect_describe(&test_error));
        cr_assert_str_eq(event.id, built->id, "%s", what);
        cr_assert_eq(event.frame_position, built->frame_position, "%s", what);
    }
}

static struct journal_reader *open_reader(void)
{
    struct journal_reader *reader = NULL;
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    return reader;
}

/* ---- There and back ---------------------------------------------------------------------------------------------- */

Test(archive, a_reader_reads_both, FIXTURE)
{
    size_t last = journal_files_segment_count(&original) - 1;
    for (size_t i = 0; i < last; i++) {
        EXPECT_OK(pack(i, &test_error));
        cr_assert(entry_of(i).is_archived);
        cr_assert_not(entry_of(i + 1).is_archived);
        expect_sound("with some archived");
        struct journal_reader *reader = open_reader();
        expect_events(reader, "with some archived");
        journal_reader_close(reader);
    }
    for (size_t i = last; i-- > 0;) {
        unpack(i);
        cr_assert_not(entry_of(i).is_archived, "plain wins");
        expect_sound("with some back");
    }
    EXPECT_OK(archive_empty(&archive, &test_error));
    expect_sound("with all back");
    struct journal_files now;
    journal_files_load(b.data_fd, &now);
    cr_assert_null(journal_files_difference(&original, &now));
    cr_assert_eq(now.count, original.count, "files are left in journal/");
    for (size_t i = 0; i < now.count; i++)
        cr_assert_eq(now.files[i].count, original.files[i].count, "%s has another size", now.files[i].name);
    journal_files_free(&now);
}

Test(archive, a_writer_goes_on_behind_archived_segments, FIXTURE)
{
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(pack(1, &test_error));
    builder_open(&b);
    size_t frames = b.frame_count + 30;
    while (b.frame_count < frames)
        builder_random(&b);
    builder_close(&b);
    expect_sound("more was written");
}

/* ---- Readers that listed before ----------------------------------------------------------------------------------- */

Test(archive, a_reader_with_an_old_list_finds_what_moved, FIXTURE)
{
    struct journal_reader *there = open_reader();
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(pack(i, &test_error));
    expect_events(there, "archived behind its back");
    struct journal_reader *back = open_reader();
    for (size_t i = 0; i < 3; i++)
        unpack(i);
    EXPECT_OK(archive_empty(&archive, &test_error));
    expect_events(back, "brought back behind its back");
    expect_events(there, "and again");
    journal_reader_close(there);
    journal_reader_close(back);
}

Test(archive, a_reader_in_the_midst_of_a_segment_goes_on, FIXTURE)
{
    struct journal_reader *reader = open_reader();
    struct journal_point point;
    struct frame frame;
    size_t frames = 0;
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error));
    frames++;
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(pack(i, &test_error));
    settle_status status;
    while ((status = journal_reader_next(reader, &point, &frame, &test_error)) == SETTLE_OK)
        if (++frames == b.frame_count / 2) {
            for (size_t i = 0; i < 3; i++)
                unpack(i);
            EXPECT_OK(archive_empty(&archive, &test_error));
        }
    cr_assert_eq(status, SETTLE_E_END, "%s", expect_describe(&test_error));
    cr_assert_eq(frames, b.frame_count);
    cr_assert_eq(point.chain, b.end.chain);
    journal_reader_close(reader);
}

/* A segment vanishes while the directory is listed: what the index tells by then counts. */
static size_t moved_at;

static void move_while_listing(void *context, const struct trap_note *note)
{
    (void)context;
    /* The files are prepared, and only names change. */
    if (note->call != TRAP_OPENS || note->name == NULL || strstr(note->name, ".seg") == NULL || moved_at == 0 ||
        --moved_at > 0)
        return;
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES];
    path_of("journal/prepared", from);
    path_of("journal/archived", to);
    if (rename(from, to) != 0)
        abort();
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "journal/%s", journal_files_segment(&original, i)->name);
        path_of(name, to);
        if (unlink(to) != 0)
            abort();
    }
}

Test(archive, a_listing_that_segments_vanish_from_finds_them_in_the_index, FIXTURE)
{
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(pack(i, &test_error));
    char archived[TEMPDIR_PATH_BYTES], prepared[TEMPDIR_PATH_BYTES];
    path_of("journal/archived", archived);
    path_of("journal/prepared", prepared);
    for (size_t when = 1; when <= 3; when++) {
        for (size_t i = 0; i < 3; i++)
            unpack(i);
        cr_assert_eq(rename(archived, prepared), 0);
        moved_at = when;
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = move_while_listing});
        struct segment_list segments;
        EXPECT_OK(segment_list_read(archive.journal_fd, &mem_libc, &segments, &test_error));
        trap_clear();
        cr_assert_eq(segments.count, journal_files_segment_count(&original));
        for (size_t i = 0; i < 3; i++) /* those that were opened before they vanished are listed as they were */
            cr_assert_eq(segments.entries[i].is_archived, i >= when, "segment %zu, vanished at %zu", i, when);
        segment_list_free(&segments);
        expect_sound("moved while it was listed");
    }
}

/* ---- What is missing ---------------------------------------------------------------------------------------------- */

Test(archive, a_missing_archive_is_told_when_it_is_needed_and_never_before, FIXTURE)
{
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES], name[ARCHIVED_NAME_BYTES + 16];
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(pack(i, &test_error));
    path_of("archive", from);
    path_of("elsewhere", to);
    cr_assert_eq(rename(from, to), 0);
    struct journal_reader *reader = open_reader();
    size_t told = 0;
    for (size_t i = 0; i < b.event_count; i++) {
        struct event_records event;
        uint64_t ordinal = b.events[i].position / SEGMENT_BYTES_MIN;
        settle_status status = journal_reader_event(reader, b.events[i].position, &event, &test_error);
        cr_assert_eq(status, ordinal < 3 ? SETTLE_E_IO : SETTLE_OK, "%s", expect_describe(&test_error));
        if (ordinal >= 3)
            continue;
        told++;
        in_archive((size_t)ordinal, name);
        cr_assert_str_eq(test_error.file, name);
        cr_assert_not_null(strstr(test_error.text, name), "%s", test_error.text);
    }
    cr_assert_gt(told, 0);
    cr_assert_lt(told, b.event_count);
    EXPECT_OK(journal_reader_refresh(reader, &test_error));
    cr_assert_eq(rename(to, from), 0);
    expect_events(reader, "the archive is back");
    journal_reader_close(reader);
}

Test(archive, a_plain_segment_that_is_lost_is_damage, FIXTURE)
{
    EXPECT_OK(pack(0, &test_error));
    struct journal_scan scan;
    journal_file_remove(b.data_fd, journal_files_segment(&original, 2)->name);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "in the middle");
    journal_file_remove(b.data_fd, journal_files_segment(&original, 1)->name);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "behind the archived ones");
    for (size_t i = 3; i < journal_files_segment_count(&original); i++)
        journal_file_remove(b.data_fd, journal_files_segment(&original, i)->name);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT, "all of them");
    cr_assert_not_null(strstr(scan.error.text, "behind the archived ones"), "%s", scan.error.text);
    bool exists = false;
    EXPECT_OK(journal_exists(b.data_fd, &mem_libc, &exists, &test_error));
    cr_assert(exists, "no new journal may be begun there");
}

Test(archive, a_reader_tells_a_plain_segment_that_goes_missing, FIXTURE)
{
    struct journal_reader *reader = open_reader();
    struct event_records event;
    journal_file_remove(b.data_fd, journal_files_segment(&original, 1)->name);
    size_t i = 0;
    while (b.events[i].position / SEGMENT_BYTES_MIN != 1)
        i++;
    EXPECT_STATUS(journal_reader_event(reader, b.events[i].position, &event, &test_error), SETTLE_E_CORRUPT);
    journal_reader_close(reader);
}

/* ---- What is damaged, or another's ------------------------------------------------------------------------------- */

Test(archive, damage_in_the_archive_is_told_with_its_file, FIXTURE)
{
    char name[ARCHIVED_NAME_BYTES + 16], path[TEMPDIR_PATH_BYTES];
    struct journal_scan scan;
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(pack(1, &test_error));
    in_archive(1, name);
    path_of(name, path);
    tree_flip_bit(path, 200, 3);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT);
    cr_assert_str_eq(scan.error.file, name);
}

Test(archive, the_archived_file_of_another_segment_is_refused, FIXTURE)
{
    char first[ARCHIVED_NAME_BYTES + 16], second[ARCHIVED_NAME_BYTES + 16], from[TEMPDIR_PATH_BYTES],
        to[TEMPDIR_PATH_BYTES];
    struct journal_scan scan;
    struct archive_move move;
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(pack(1, &test_error));
    in_archive(0, first);
    in_archive(1, second);
    path_of(first, from);
    path_of(second, to);
    cr_assert_eq(rename(from, to), 0);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_IO, "the first is not there");
    cr_assert_eq(rename(to, from), 0);
    path_of(second, to);
    cr_assert_eq(link(from, to), 0);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_E_CORRUPT);
    cr_assert_str_eq(scan.error.file, second);
    EXPECT_STATUS(archive_unpack(&archive, journal_files_segment(&original, 1)->name, &move, &test_error),
                  SETTLE_E_CORRUPT);
    cr_assert_eq(journal_file_bytes(b.data_fd, journal_files_segment(&original, 1)->name), UINT64_MAX,
                 "nothing is made of it");
}

/* A copy of the journal that went another way has such files: the same header, and another table or size. */
Test(archive, an_archived_file_that_the_index_does_not_tell_of_is_refused, FIXTURE)
{
    struct segment_list list;
    struct segment_file file;
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(segment_list_read(archive.journal_fd, &mem_libc, &list, &test_error));
    cr_assert(list.entries[0].is_archived);
    for (int i = 0; i < 5; i++) {
        struct segment_entry entry = list.entries[0];
        entry.digest ^= i == 1;
        entry.packed_bytes += i == 2;
        entry.file_bytes -= i == 3;
        entry.header.created_us += i == 4;
        settle_status status = segment_file_open(b.data_fd, archive.journal_fd, &entry, &mem_libc, &file, &test_error);
        cr_assert_eq(status, i == 0 ? SETTLE_OK : SETTLE_E_CORRUPT, "%d: %d", i, status);
        if (i == 0)
            segment_file_close(&file);
        else
            cr_assert_str_eq(test_error.text, "this is not the segment that journal/archived tells of");
    }
    segment_list_free(&list);
}

Test(archive, a_damaged_copy_in_the_archive_is_made_anew, FIXTURE)
{
    char name[ARCHIVED_NAME_BYTES + 16], path[TEMPDIR_PATH_BYTES];
    in_archive(0, name);
    path_of(name, path);
    EXPECT_OK(pack(0, &test_error));
    unpack(0);
    tree_flip_bit(path, 300, 1);
    EXPECT_OK(pack(0, &test_error));
    expect_sound("made anew");
    unpack(0);
    tree_truncate(path, 10);
    EXPECT_OK(pack(0, &test_error));
    expect_sound("made anew where it was cut");
}

Test(archive, two_whole_segments_that_differ_are_left_alone, FIXTURE)
{
    const char *segment = journal_files_segment(&original, 0)->name;
    struct archive_move move;
    uint8_t byte = 0x77;
    EXPECT_OK(pack(0, &test_error));
    unpack(0);
    journal_file_write(b.data_fd, segment, 3000, &byte, 1);
    EXPECT_STATUS(archive_unpack(&archive, segment, &move, &test_error), SETTLE_E_CONFLICT);
    EXPECT_STATUS(pack(0, &test_error), SETTLE_E_CONFLICT);
    /* The good one is still there to be had. */
    journal_file_remove(b.data_fd, segment);
    unpack(0);
    expect_sound("from the archive");
}

Test(archive, nothing_goes_before_everything_is_back, FIXTURE)
{
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(pack(1, &test_error));
    unpack(0);
    EXPECT_STATUS(archive_empty(&archive, &test_error), SETTLE_E_CONFLICT);
    expect_sound("nothing was removed");
}

Test(archive, a_journal_without_its_last_segment_takes_nothing_back, FIXTURE)
{
    EXPECT_OK(pack(0, &test_error));
    EXPECT_OK(pack(1, &test_error));
    EXPECT_OK(archive_check(&archive, &test_error));
    unpack(0);
    for (size_t i = 1; i < journal_files_segment_count(&original); i++)
        if (journal_file_bytes(b.data_fd, journal_files_segment(&original, i)->name) != UINT64_MAX)
            journal_file_remove(b.data_fd, journal_files_segment(&original, i)->name);
    EXPECT_STATUS(archive_check(&archive, &test_error), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "behind the journal's last one"), "%s", test_error.text);
    journal_file_remove(b.data_fd, journal_files_segment(&original, 0)->name);
    EXPECT_STATUS(archive_check(&archive, &test_error), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "no segment at all"), "%s", test_error.text);
}

/* ---- The order ---------------------------------------------------------------------------------------------------- */

static char steps[65536];

static void note_step(void *context, const struct trap_note *note)
{
    char line[512], link_name[64], target[256] = "";
    (void)context;
    const char *call = note->call == TRAP_FDATASYNCS ? "sync"
                       : note->call == TRAP_FSYNCS   ? "dirsync"
                       : note->call == TRAP_RENAMES  ? "rename"
                       : note->call == TRAP_REMOVES  ? "unlink"
                                                     : NULL;
    if (call == NULL)
        return;
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", note->fd);
    ssize_t length = readlink(link_name, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *last = strrchr(target, '/');
    snprintf(line, sizeof line, "%s %s %s %s\n", call, last == NULL ? "" : last + 1,
             note->name == NULL ? "" : note->name, note->to == NULL ? "" : note->to);
    strncat(steps, line, sizeof steps - strlen(steps) - 1);
}

/* The steps come in this order; others may stand between them. */
static void expect_order(const char *const *expected, size_t count)
{
    const char *at = steps;
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, expected[i]);
        cr_assert_not_null(at, "step %zu, '%s', is not behind the one before:\n%s", i, expected[i], steps);
        at += strlen(expected[i]);
    }
}

Test(archive, the_segment_goes_when_its_copy_and_the_index_are_durable, FIXTURE)
{
    const char *segment = journal_files_segment(&original, 0)->name;
    char expected[8][256];
    const char *pointers[8];
    steps[0] = '\0';
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_step});
    EXPECT_OK(pack(0, &test_error));
    trap_clear();
    snprintf(expected[0], 256, "sync %s.zst.partial", segment);
    snprintf(expected[1], 256, "rename archive %s.zst.partial %s.zst\n", segment, segment);
    snprintf(expected[2], 256, "dirsync archive");
    snprintf(expected[3], 256, "sync archived.new");
    snprintf(expected[4], 256, "rename journal archived.new archived\n");
    snprintf(expected[5], 256, "dirsync journal");
    snprintf(expected[6], 256, "unlink journal %s", segment);
    snprintf(expected[7], 256, "dirsync journal");
    for (size_t i = 0; i < 8; i++)
        pointers[i] = expected[i];
    expect_order(pointers, 8);
    char *unlinked = strstr(steps, "unlink");
    cr_assert_null(strstr(unlinked + 1, "unlink"), "one thing is removed:\n%s", steps);
}

Test(archive, the_copy_goes_when_the_segment_is_durable, FIXTURE)
{
    const char *segment = journal_files_segment(&original, 0)->name;
    char expected[7][256];
    const char *pointers[7];
    EXPECT_OK(pack(0, &test_error));
    steps[0] = '\0';
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = note_step});
    unpack(0);
    EXPECT_OK(archive_empty(&archive, &test_error));
    trap_clear();
    snprintf(expected[0], 256, "sync %s.partial", segment);
    snprintf(expected[1], 256, "rename journal %s.partial %s\n", segment, segment);
    snprintf(expected[2], 256, "dirsync journal");
    snprintf(expected[3], 256, "unlink journal archived");
    snprintf(expected[4], 256, "dirsync journal");
    snprintf(expected[5], 256, "unlink archive %s.zst", segment);
    snprintf(expected[6], 256, "dirsync archive");
    for (size_t i = 0; i < 7; i++)
        pointers[i] = expected[i];
    expect_order(pointers, 7);
}

Test(archive, a_disk_that_keeps_something_else_is_noticed, FIXTURE)
{
    /* The last sync of the copy is where a test can change what was written: the observer is told behind it. */
    const char *segment = journal_files_segment(&original, 0)->name;
    char path[TEMPDIR_PATH_BYTES], name[160];
    snprintf(name, sizeof name, "archive/%s.zst.partial", segment);
    path_of(name, path);
    trap_set(&(struct trap){.calls = TRAP_FDATASYNCS, .index = 1, .error = EIO, .path_end = ".zst.partial"});
    EXPECT_STATUS(pack(0, &test_error), SETTLE_E_IO);
    trap_clear();
    cr_assert_neq(access(path, F_OK), 0, "the half copy is gone");
    expect_sound("nothing moved");
    cr_assert_not(entry_of(0).is_archived);
    EXPECT_OK(pack(0, &test_error));
}

static void spoil_copy(void *context, const struct trap_note *note)
{
    char link_name[64], target[512] = "";
    (void)context;
    if (note->call != TRAP_FDATASYNCS)
        return;
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", note->fd);
    ssize_t length = readlink(link_name, target, sizeof target - 1);
    if (length <= 0 || strstr(target, ".partial") == NULL)
        return;
    FILE *file = fopen(target, "r+b"); /* what is done in here is not told */
    if (file == NULL || fseek(file, 700, SEEK_SET) != 0 || fputc(0x5e, file) == EOF || fclose(file) != 0)
        abort();
}

Test(archive, what_reads_back_as_something_else_removes_nothing, FIXTURE)
{
    struct archive_move move;
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = spoil_copy});
    EXPECT_STATUS(pack(0, &test_error), SETTLE_E_IO);
    trap_clear();
    expect_sound("nothing moved");
    cr_assert_not(entry_of(0).is_archived);
    EXPECT_OK(pack(0, &test_error));
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = spoil_copy});
    EXPECT_STATUS(archive_unpack(&archive, journal_files_segment(&original, 0)->name, &move, &test_error), SETTLE_E_IO);
    trap_clear();
    expect_sound("it is still in the archive");
    cr_assert(entry_of(0).is_archived);
}

/* ---- Left over, and at the same time ----------------------------------------------------------------------------- */

Test(archive, half_written_files_are_removed_and_others_are_not, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES], name[160];
    const char *segment = journal_files_segment(&original, 0)->name;
    struct stat status;
    const char *const formats[] = {"archive/%s.zst.partial", "journal/%s.partial", "journal/%s.torn-512",
                                   "archive/%s.mine"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, formats[i], segment);
        path_of(name, path);
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        fclose(file);
    }
    archive_close(&archive);
    EXPECT_OK(archive_open(b.data_fd, false, &mem_libc, &archive, &test_error));
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, formats[i], segment);
        path_of(name, path);
        cr_assert_eq(stat(path, &status) == 0, i >= 2, "%s", name);
    }
}

Test(archive, one_mover_at_a_time, FIXTURE)
{
    int first = -1, second = -1;
    EXPECT_OK(archive_lock_take(b.data_fd, &first, &test_error));
    EXPECT_STATUS(archive_lock_take(b.data_fd, &second, &test_error), SETTLE_E_BUSY);
    EXPECT_OK(file_remove_at(b.data_fd, ARCHIVE_LOCK_NAME, &test_error)); /* as --restore does at its end */
    EXPECT_OK(archive_lock_take(b.data_fd, &second, &test_error));
    file_close(first);
    file_close(second);
    EXPECT_OK(archive_lock_take(b.data_fd, &first, &test_error));
    file_close(first);
}
