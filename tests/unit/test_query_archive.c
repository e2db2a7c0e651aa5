/*
 * test_query_archive.c — what may be archived and what stays, what verify makes of the archive, and that questions are answered
 * from it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/projection.h"
#include "engine/snapshot.h"
#include "engine/store.h"
#include "query/query.h"
#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(query_archive);

#define EVENTS 600

static struct rig rig;

static void setup(void)
{
    builder_use_memory();
    rig_make(&rig);
    rig_open(&rig);
    for (uint64_t i = 0; i < EVENTS; i += 10)
        rig_deposits(&rig, 1 + i, 10);
    rig_close(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

#define FIXTURE .init = setup, .fini = teardown

static struct archive_result archive(uint64_t before_seq, const char *log_directory)
{
    const struct archive_options options = {.before_seq = before_seq, .level = 1, .log_directory = log_directory};
    struct archive_result result;
    EXPECT_OK(query_archive(rig.data, &options, &result, &test_error));
    return result;
}

static size_t archive_count(uint64_t before_seq)
{
    struct archive_result result = archive(before_seq, NULL);
    size_t count = result.count;
    archive_result_free(&result);
    return count;
}

static struct inspect_directory inspect(void)
{
    struct inspect_directory inspected;
    EXPECT_OK(query_inspect(rig.data, &inspected, &test_error));
    return inspected;
}

/*
 * From another process: an LMDB environment may be opened once in a process, and the engine of the test has it open. The
 * child archives and restores in turn, as often as it is let.
 */
static pid_t elsewhere_begin(struct turns *turns, int rounds)
{
    turns_make(turns);
    pid_t child = child_fork();
    if (child != 0)
        return child;
    const struct archive_options options = {.before_seq = UINT64_MAX, .level = 1};
    struct archive_result result;
    settle_error error = {0};
    for (int turn = 0; turn < 2 * rounds; turn++) {
        turn_take(turns->to_child);
        settle_status done = turn % 2 == 1 ? query_restore(rig.data, &result, &error)
                                           : query_archive(rig.data, &options, &result, &error);
        if (done != SETTLE_OK || result.count <= 3) {
            fprintf(stderr, "%s: %s\n", error.file, error.text);
            _exit(1);
        }
        archive_result_free(&result);
        turn_give(turns->to_parent);
    }
    _exit(0);
}

static void elsewhere(const struct turns *turns)
{
    turn_give(turns->to_child);
    turn_take(turns->to_parent);
}

/* ---- What is chosen ----------------------------------------------------------------------------------------------- */

Test(query_archive, a_segment_goes_when_all_of_its_events_come_before, FIXTURE)
{
    struct inspect_directory before = inspect();
    cr_assert_geq(before.segment_count, 5);
    uint64_t last = before.segments[1].last_seq;
    cr_assert_eq(archive_count(0), 0);
    cr_assert_eq(archive_count(1), 0);
    cr_assert_eq(archive_count(before.segments[0].last_seq), 0, "its last event is not before itself");
    cr_assert_eq(archive_count(before.segments[0].last_seq + 1), 1);
    cr_assert_eq(archive_count(last), 0);
    struct archive_result result = archive(last + 1, NULL);
    cr_assert_eq(result.count, 1);
    cr_assert_str_eq(result.segments[0].name, before.segments[1].name);
    cr_assert_eq(result.segments[0].first_seq, before.segments[1].first_seq);
    cr_assert_eq(result.segments[0].last_seq, last);
    cr_assert_eq(result.segments[0].bytes, 16384);
    cr_assert_lt(result.segments[0].packed_bytes, 16384);
    cr_assert_eq(result.archived, 2);
    cr_assert_eq(result.snapshot_seq, last);
    cr_assert_eq(result.kept, 0);
    archive_result_free(&result);
    struct inspect_directory after = inspect();
    cr_assert_eq(after.segment_count, before.segment_count);
    for (size_t i = 0; i < after.segment_count; i++) {
        cr_assert_eq(after.segments[i].is_archived, i < 2);
        cr_assert_eq(after.segments[i].last_seq, before.segments[i].last_seq);
        cr_assert_eq(after.segments[i].bytes_used, before.segments[i].bytes_used);
    }
    inspect_free(&before);
    inspect_free(&after);
}

Test(query_archive, the_last_segment_always_stays, FIXTURE)
{
    struct inspect_directory before = inspect();
    cr_assert_eq(archive_count(UINT64_MAX), before.segment_count - 1);
    cr_assert_eq(archive_count(UINT64_MAX), 0);
    rig_open(&rig);
    rig_deposits(&rig, 5000, 10);
    rig_close(&rig);
    inspect_free(&before);
}

Test(query_archive, what_the_checkpoint_has_not_passed_stays, FIXTURE)
{
    /* The store as it was when 600 events were there, beside a journal of 1200: a process that died without a checkpoint. */
    char store[TEMPDIR_PATH_BYTES], old[TEMPDIR_PATH_BYTES];
    tempdir_join(store, rig.data, "store");
    tempdir_join(old, rig.base, "old");
    tree_copy(store, old);
    rig_open(&rig);
    for (uint64_t i = 0; i < EVENTS; i += 10)
        rig_deposits(&rig, 5001 + i, 10);
    rig_close(&rig);
    tempdir_remove(store);
    tree_copy(old, store);
    struct inspect_directory before = inspect();
    struct archive_result result = archive(UINT64_MAX, NULL);
    size_t expected = 0;
    while (before.segments[expected].last_seq < EVENTS)
        expected++;
    cr_assert_eq(result.count, expected, "%zu, expected %zu", result.count, expected);
    cr_assert_eq(result.kept, before.segment_count - 1 - expected);
    cr_assert_str_eq(result.kept_for, "the store's checkpoint");
    archive_result_free(&result);
    rig_open(&rig);
    rig_close(&rig);
    cr_assert_eq(archive_count(UINT64_MAX), before.segment_count - 1 - expected,
                 "the next writer's checkpoint lets them go");
    inspect_free(&before);
}

Test(query_archive, what_the_lines_have_not_passed_stays, FIXTURE)
{
    char lines[TEMPDIR_PATH_BYTES];
    settle_lines_options options;
    tempdir_join(lines, rig.base, "lines");
    struct inspect_directory before = inspect();
    rig_open(&rig);
    settle_lines_options_init(&options);
    options.directory = lines;
    EXPECT_OK(settle_lines_start(rig.engine, &options, &test_error));
    rig_close(&rig); /* catches up */
    rig_open(&rig);
    for (uint64_t i = 0; i < EVENTS; i += 10)
        rig_deposits(&rig, 9001 + i, 10);
    rig_close(&rig);
    struct archive_result result = archive(UINT64_MAX, lines);
    cr_assert_geq(result.count, before.segment_count - 2);
    cr_assert_leq(result.count, before.segment_count - 1, "the lines stand in the segment that was the last then");
    cr_assert_gt(result.kept, 3);
    cr_assert_str_eq(result.kept_for, "the JSON lines");
    archive_result_free(&result);
    cr_assert_gt(archive_count(UINT64_MAX), 3, "nobody asks for the lines");
    inspect_free(&before);
}

Test(query_archive, an_unreadable_position_of_the_lines_keeps_everything, FIXTURE)
{
    char lines[TEMPDIR_PATH_BYTES], position[TEMPDIR_PATH_BYTES];
    settle_lines_options options;
    tempdir_join(lines, rig.base, "lines");
    rig_open(&rig);
    settle_lines_options_init(&options);
    options.directory = lines;
    EXPECT_OK(settle_lines_start(rig.engine, &options, &test_error));
    rig_close(&rig);
    tempdir_join(position, lines, ".settlement.position");
    tree_flip_bit(position, 40, 2);
    struct archive_result result = archive(UINT64_MAX, lines);
    cr_assert_eq(result.count, 0);
    cr_assert_gt(result.kept, 3);
    archive_result_free(&result);
}

Test(query_archive, without_a_store_nothing_is_known_to_be_unneeded, FIXTURE)
{
    const struct archive_options options = {.before_seq = UINT64_MAX, .level = 1};
    struct archive_result result;
    char store[TEMPDIR_PATH_BYTES];
    tempdir_join(store, rig.data, "store");
    tempdir_remove(store);
    EXPECT_STATUS(query_archive(rig.data, &options, &result, &test_error), SETTLE_E_NOT_FOUND);
    archive_result_free(&result);
    cr_assert_not_null(strstr(test_error.text, "there is no store"), "%s", test_error.text);
}

Test(query_archive, a_level_out_of_range_is_refused, FIXTURE)
{
    for (int level = -1; level <= 20; level += level == 0 ? 20 : 1) {
        const struct archive_options options = {.before_seq = 1, .level = level};
        struct archive_result result;
        EXPECT_STATUS(query_archive(rig.data, &options, &result, &test_error), SETTLE_E_INVALID);
    }
}

Test(query_archive, nothing_is_made_where_nothing_moves, FIXTURE)
{
    char *before = tree_listing(rig.data);
    struct archive_result result;
    cr_assert_eq(archive_count(1), 0);
    EXPECT_OK(query_restore(rig.data, &result, &test_error));
    cr_assert_eq(result.count, 0);
    archive_result_free(&result);
    char *after = tree_listing(rig.data);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
}

/* ---- verify ------------------------------------------------------------------------------------------------------- */

enum lie { LIE_BALANCE, LIE_ID };

/* A snapshot that is sound, one frame further, and wrong in one thing alone: a unit too many, or an id too few. */
static void lie(enum lie what)
{
    struct journal_reader *reader = NULL;
    struct store *store = NULL;
    struct store_snapshot *snapshot = NULL;
    struct store_meta meta;
    struct projection projection;
    struct frame frame;
    int data_fd = -1, fd = -1;
    char path[TEMPDIR_PATH_BYTES];
    EXPECT_OK(dir_open(rig.data, false, &data_fd, &test_error));
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(dir_open_at(data_fd, SNAPSHOT_DIRECTORY, false, &fd, &test_error));
    tempdir_join(path, rig.data, SNAPSHOT_DIRECTORY);
    EXPECT_OK(store_open(fd, path, true, journal_reader_id(reader), &mem_libc, &store, &test_error));
    EXPECT_OK(store_snapshot_open(store, &snapshot, &test_error));
    EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
    store_snapshot_close(snapshot);
    struct journal_point point = meta.point;
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    EXPECT_OK(journal_reader_next(reader, &point, &frame, &test_error));
    EXPECT_OK(projection_add(&projection, &frame, &test_error));
    struct store_batch batch = projection_batch(&projection, &point);
    cr_assert_gt(batch.id_count, 0);
    if (what == LIE_BALANCE)
        accounts_upsert(&projection.accounts, 1, RIG_USDT)->available += 1;
    else
        batch.id_count--;
    EXPECT_OK(store_apply(store, &batch, &test_error));
    store_close(store);
    projection_deinit(&projection);
    journal_reader_close(reader);
    file_close(fd);
    file_close(data_fd);
}

Test(query_archive, verify_compares_the_snapshot_with_the_journal, FIXTURE)
{
    struct verify_result verified;
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert_eq(verified.snapshot, STORE_ABSENT);
    cr_assert_eq(verified.archived_segments, 0);
    struct archive_result result = archive(300, NULL);
    uint64_t packed = 0;
    for (size_t i = 0; i < result.count; i++)
        packed += result.segments[i].packed_bytes;
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert(verified.ok, "%s", verified.fault.text);
    cr_assert_eq(verified.snapshot, STORE_EQUAL);
    cr_assert_eq(verified.store, STORE_EQUAL);
    cr_assert_eq(verified.archived_segments, result.count);
    cr_assert_eq(verified.archived_bytes, packed);
    archive_result_free(&result);
    lie(LIE_BALANCE);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert_not(verified.ok);
    cr_assert_eq(verified.snapshot, STORE_DIFFERS);
    cr_assert_eq(verified.store, STORE_EQUAL, "the store is as good as before");
    cr_assert_str_eq(verified.fault.file, SNAPSHOT_DIRECTORY);
    cr_assert_not_null(strstr(verified.fault.text, "the snapshot has another balance than the journal: user 1 asset 2"),
                       "%s", verified.fault.text);
}

Test(query_archive, verify_finds_an_id_that_the_snapshot_lacks, FIXTURE)
{
    struct verify_result verified;
    cr_assert_gt(archive_count(300), 0);
    lie(LIE_ID);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert_not(verified.ok);
    cr_assert_eq(verified.snapshot, STORE_DIFFERS);
    cr_assert_not_null(strstr(verified.fault.text, "the snapshot has other event ids than the journal"), "%s",
                       verified.fault.text);
}

Test(query_archive, verify_without_a_store_compares_the_snapshot, FIXTURE)
{
    struct verify_result verified;
    char store[TEMPDIR_PATH_BYTES];
    archive_count(300);
    tempdir_join(store, rig.data, "store");
    tempdir_remove(store);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert(verified.ok, "%s", verified.fault.text);
    cr_assert_eq(verified.store, STORE_ABSENT);
    cr_assert_eq(verified.snapshot, STORE_EQUAL);
}

/* LMDB writes its first two pages without a sync. */
Test(query_archive, a_snapshot_that_a_crash_left_in_the_making_is_no_fault, FIXTURE)
{
    struct verify_result verified;
    struct archive_result result;
    char path[TEMPDIR_PATH_BYTES];
    size_t count;
    archive_count(300);
    tempdir_join(path, rig.data, SNAPSHOT_DIRECTORY "/store/data.mdb");
    unsigned char *first = tree_read(path, &count);
    EXPECT_OK(query_restore(rig.data, &result, &test_error));
    archive_result_free(&result);
    for (const char *const *name =
             (const char *const[]){"archive", SNAPSHOT_DIRECTORY, SNAPSHOT_DIRECTORY "/store", NULL};
         *name != NULL; name++) {
        tempdir_join(path, rig.data, *name);
        cr_assert(mkdir(path, 0700) == 0);
    }
    tempdir_join(path, rig.data, SNAPSHOT_DIRECTORY "/store/data.mdb");
    tree_write(path, 0, first, 4096 + 512);
    free(first);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert(verified.ok, "%s", verified.fault.text);
    cr_assert_eq(verified.snapshot, STORE_ABSENT);
    cr_assert_gt(archive_count(300), 0);
    tree_truncate(path, 4096 + 512);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert_not(verified.ok, "what was archived stands on the snapshot");
    cr_assert_eq(verified.snapshot, STORE_DAMAGED);
}

/* ---- Beside a writer ---------------------------------------------------------------------------------------------- */

Test(query_archive, an_engine_that_runs_reads_what_moves_behind_its_back, FIXTURE)
{
    struct turns turns;
    const int rounds = 3;
    pid_t child = elsewhere_begin(&turns, rounds);
    rig_open(&rig);
    for (int round = 0; round < rounds; round++) {
        elsewhere(&turns);
        for (uint64_t i = 1; i < EVENTS; i += 37) {
            settle_result repeat = rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, i));
            cr_assert_eq(repeat.outcome, SETTLE_DUPLICATE);
            settle_result conflict = rig_submit(&rig, rig_deposit(1, RIG_USDT, 2, i));
            cr_assert_eq(conflict.outcome, SETTLE_CONFLICT);
        }
        elsewhere(&turns);
        settle_result repeat = rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1));
        cr_assert_eq(repeat.outcome, SETTLE_DUPLICATE);
    }
    cr_assert_eq(child_exit(child), 0);
    rig_close(&rig);
}

Test(query_archive, an_engine_whose_archive_is_gone_takes_new_events_and_refuses_to_guess, FIXTURE)
{
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES];
    settle_result result;
    cr_assert_gt(archive_count(UINT64_MAX), 3);
    tempdir_join(from, rig.data, "archive");
    tempdir_join(to, rig.base, "elsewhere");
    cr_assert_eq(rename(from, to), 0);
    rig_open(&rig);
    cr_assert(rig_available(&rig, 1, RIG_USDT) == EVENTS);
    settle_event repeat = rig_deposit(1, RIG_USDT, 1, 5), fresh = rig_deposit(1, RIG_USDT, 1, 77777);
    EXPECT_STATUS(settle_submit(rig.engine, &repeat, 1, &result, &test_error), SETTLE_E_IO);
    cr_assert(strncmp(test_error.file, "archive/", 8) == 0, "%s", test_error.file);
    EXPECT_OK(settle_submit(rig.engine, &fresh, 1, &result, &test_error));
    cr_assert_eq(result.outcome, SETTLE_ACCEPTED, "the engine goes on");
    cr_assert_eq(result.seq, EVENTS + 1, "the refused one took no sequence number");
    cr_assert_eq(rename(to, from), 0);
    EXPECT_OK(settle_submit(rig.engine, &repeat, 1, &result, &test_error));
    cr_assert_eq(result.outcome, SETTLE_DUPLICATE);
    rig_close(&rig);
}
