/*
 * test_snapshot.c — the archive's snapshot: at the point it was asked for, the same whether made at once or step by step; what is
 * damaged or another's is made anew and never believed; and what the engine makes of it when it has no store.
 */
#include "engine/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "query/query.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(snapshot);

#define EVENTS 600

static struct rig rig;
static int data_fd = -1;
static struct journal_reader *reader;

static void setup(void)
{
    builder_use_memory();
    rig_make(&rig);
    rig_open(&rig);
    for (uint64_t i = 0; i < EVENTS; i += 10)
        rig_deposits(&rig, 1 + i, 10);
    rig_deposits(&rig, 1, 10); /* later arrivals */
    rig_close(&rig);
    EXPECT_OK(dir_open(rig.data, false, &data_fd, &test_error));
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    int fd = -1;
    EXPECT_OK(dir_open_at(data_fd, "archive", true, &fd, &test_error));
    file_close(fd);
}

static void teardown(void)
{
    journal_reader_close(reader);
    file_close(data_fd);
    rig_remove(&rig);
}

#define FIXTURE .init = setup, .fini = teardown

static uint64_t end_of(size_t segment)
{
    return (segment + 1) * journal_reader_segment_bytes(reader);
}

static struct store_meta advance(size_t segment, settle_error *ret_fault)
{
    struct store_meta meta;
    EXPECT_OK(snapshot_advance(data_fd, rig.data, reader, end_of(segment), &mem_libc, &meta, ret_fault, &test_error));
    return meta;
}

static void data_path(char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, rig.data, "archive/snapshot/store/data.mdb");
}

Test(snapshot, it_ends_where_the_segment_does, FIXTURE)
{
    const struct segment_list *list = journal_reader_segments(reader);
    settle_error fault;
    cr_assert_geq(list->count, 5);
    cr_assert_not(snapshot_exists(data_fd));
    for (size_t i = 0; i + 1 < list->count; i++) {
        struct store_meta meta = advance(i, &fault);
        cr_assert_eq(fault.status, SETTLE_OK);
        cr_assert_eq(meta.point.next_seq, list->entries[i + 1].header.first_seq);
        cr_assert_eq(meta.point.chain, list->entries[i + 1].header.previous_chain);
        cr_assert_lt(meta.point.position, end_of(i));
        cr_assert_eq(meta.id_count, meta.point.next_seq - 1 < EVENTS ? meta.point.next_seq - 1 : EVENTS);
        struct store_meta again = advance(i, &fault);
        cr_assert_eq(again.point.position, meta.point.position, "asked again it changes nothing");
    }
    struct store_meta meta = advance(0, &fault);
    cr_assert_eq(meta.point.next_seq, list->entries[list->count - 1].header.first_seq, "it never goes back");
}

Test(snapshot, step_by_step_is_the_same_as_at_once, FIXTURE)
{
    settle_error fault;
    size_t last = journal_reader_segments(reader)->count - 2;
    struct store_meta at_once = advance(last, &fault);
    EXPECT_OK(snapshot_remove(data_fd, &test_error));
    cr_assert_not(snapshot_exists(data_fd));
    struct store_meta steps = {.account_count = 0};
    for (size_t i = 0; i <= last; i++)
        steps = advance(i, &fault);
    cr_assert_eq(steps.account_digest, at_once.account_digest);
    cr_assert_eq(steps.id_digest, at_once.id_digest);
    cr_assert_eq(steps.account_count, at_once.account_count);
    cr_assert_eq(steps.id_count, at_once.id_count);
    cr_assert_eq(steps.point.position, at_once.point.position);
    cr_assert_eq(steps.point.persisted_seq, at_once.point.persisted_seq);
}

Test(snapshot, a_damaged_one_is_made_anew, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t bytes = 0;
    settle_error fault;
    struct store_meta good = advance(1, &fault);
    data_path(path);
    free(tree_read(path, &bytes));
    for (size_t at = 8192 + 4000; at < bytes; at += 4096)
        tree_write(path, at, "\377\377\377\377", 4);
    struct store_meta meta = advance(1, &fault);
    cr_assert_eq(fault.status, SETTLE_E_CORRUPT);
    cr_assert(strncmp(fault.file, "archive/snapshot", 16) == 0, "%s", fault.file);
    cr_assert_eq(meta.id_digest, good.id_digest);
    tree_truncate(path, 5000);
    meta = advance(2, &fault);
    cr_assert_eq(fault.status, SETTLE_E_CORRUPT, "cut");
    meta = advance(2, &fault);
    cr_assert_eq(fault.status, SETTLE_OK);
}

Test(snapshot, another_journals_is_made_anew, FIXTURE)
{
    struct rig other;
    char from[TEMPDIR_PATH_BYTES], to[TEMPDIR_PATH_BYTES];
    settle_error fault;
    rig_make(&other);
    rig_open(&other);
    rig_deposits(&other, 1, 50);
    rig_close(&other);
    struct store_meta good = advance(1, &fault), meta;
    tempdir_join(from, other.data, "store");
    tempdir_join(to, rig.data, "archive/snapshot/store");
    tempdir_remove(to);
    tree_copy(from, to);
    EXPECT_STATUS(snapshot_meta_read(data_fd, rig.data, journal_reader_id(reader), &mem_libc, &meta, &test_error),
                  SETTLE_E_CORRUPT);
    EXPECT_STATUS(snapshot_meta_read(data_fd, rig.data, journal_reader_id(reader), &mem_libc, &meta, NULL),
                  SETTLE_E_CORRUPT);
    meta = advance(1, &fault);
    cr_assert_eq(fault.status, SETTLE_E_CORRUPT);
    cr_assert_eq(meta.account_digest, good.account_digest);
    rig_remove(&other);
}

/* `store` below the folder, which is made; the path is good until the next call. */
static const char *left_store(const char *folder)
{
    static char path[TEMPDIR_PATH_BYTES];
    cr_assert_eq(mkdir(folder, 0700), 0);
    tempdir_join(path, folder, "store");
    return path;
}

/* A snapshot of this journal's id whose one transaction ends at `point`; position 0: it has none. */
static void make_snapshot(struct journal_point point)
{
    static const settle_asset asset = {2, 6, "USDT"};
    char path[TEMPDIR_PATH_BYTES];
    struct store *store = NULL;
    int fd = -1;
    tempdir_join(path, rig.data, SNAPSHOT_DIRECTORY);
    EXPECT_OK(dir_open_at(data_fd, SNAPSHOT_DIRECTORY, true, &fd, &test_error));
    EXPECT_OK(store_open(fd, path, true, journal_reader_id(reader), &mem_libc, &store, &test_error));
    if (point.position != 0)
        EXPECT_OK(
            store_apply(store, &(struct store_batch){.assets = &asset, .asset_count = 1, .point = point}, &test_error));
    store_close(store);
    file_close(fd);
}

Test(snapshot, one_of_another_history_is_made_anew, FIXTURE)
{
    settle_error fault;
    struct store_meta good = advance(1, &fault), meta;
    struct journal_point point = good.point;
    EXPECT_OK(snapshot_remove(data_fd, &test_error));
    point.chain ^= 1; /* the frame that it ends with was another one */
    make_snapshot(point);
    trap_set(&(struct trap){.calls = TRAP_NAMES, .index = 1, .error = EIO});
    EXPECT_STATUS(snapshot_advance(data_fd, rig.data, reader, end_of(1), &mem_libc, &meta, &fault, &test_error),
                  SETTLE_E_IO);
    cr_assert(trap_was_met());
    (void)trap_clear();
    meta = advance(1, &fault);
    cr_assert_eq(fault.status, SETTLE_E_CORRUPT);
    cr_assert_str_eq(fault.file, SNAPSHOT_DIRECTORY);
    cr_assert(strstr(fault.text, "the journal has lost what the store holds of it"), "%s", fault.text);
    cr_assert(meta.account_digest == good.account_digest && meta.id_count == good.id_count);
}

/* A journal that is damaged is no fault of the snapshot's, which stays. */
Test(snapshot, a_damaged_journal_stops_it_and_leaves_it, FIXTURE)
{
    settle_error fault;
    struct store_meta meta, good = advance(0, &fault);
    struct tree_segments segments = tree_segments(rig.data);
    tree_flip_bit(segments.paths[1], 4096 + 200, 3);
    EXPECT_STATUS(snapshot_advance(data_fd, rig.data, reader, end_of(3), &mem_libc, &meta, &fault, &test_error),
                  SETTLE_E_CORRUPT);
    cr_assert(strncmp(test_error.file, "journal/", 8) == 0 && fault.status == SETTLE_OK, "%s", test_error.file);
    EXPECT_STATUS(snapshot_advance(data_fd, rig.data, reader, end_of(3), &mem_libc, &meta, &fault, NULL),
                  SETTLE_E_CORRUPT);
    EXPECT_OK(snapshot_meta_read(data_fd, rig.data, journal_reader_id(reader), &mem_libc, &meta, &test_error));
    cr_assert_eq(meta.point.position, good.point.position);
    tree_segments_free(&segments);
}

/* ---- In the place of the store ------------------------------------------------------------------------------------ */

static void lose_store(void)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, rig.data, "store");
    tempdir_remove(path);
}

static void expect_engine_whole(enum store_state snapshot)
{
    struct verify_result verified;
    cr_assert(rig_available(&rig, 1, RIG_USDT) == EVENTS);
    settle_result repeat = rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1));
    cr_assert_eq(repeat.outcome, SETTLE_DUPLICATE);
    cr_assert_eq(repeat.seq, EVENTS + 11);
    rig_close(&rig);
    EXPECT_OK(query_verify(rig.data, NULL, &verified, &test_error));
    cr_assert_eq(verified.ok, snapshot == STORE_EQUAL, "%s", verified.fault.text);
    cr_assert_eq(verified.store, STORE_EQUAL);
    cr_assert_eq(verified.snapshot, snapshot);
}

Test(snapshot, an_engine_without_a_store_begins_with_it, FIXTURE)
{
    settle_error fault;
    char message[128];
    struct store_meta meta = advance(2, &fault);
    lose_store();
    cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "%s %s\n%s", rig.error.file, rig.error.text, rig.log);
    snprintf(message, sizeof message, "snapshot, which ends with event %d", (int)meta.point.next_seq - 1);
    cr_assert(rig_logged(&rig, message), "%s", rig.log);
    snprintf(message, sizeof message, "recovering: %d events", EVENTS + 10 - (int)meta.point.next_seq + 1);
    cr_assert(rig_logged(&rig, message), "it reads what is behind the snapshot and no more: %s", rig.log);
    expect_engine_whole(STORE_EQUAL);
}

Test(snapshot, an_engine_passes_over_a_damaged_one, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t bytes = 0;
    settle_error fault;
    advance(2, &fault);
    data_path(path);
    free(tree_read(path, &bytes));
    tree_write(path, bytes - 90, "\125\125\125", 3); /* in a value near the end of the last page */
    tree_write(path, 8192 + 4090, "\125\125\125", 3);
    tree_write(path, 12288 + 4090, "\125\125\125", 3);
    tree_write(path, 16384 + 4090, "\125\125\125", 3);
    lose_store();
    cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "%s %s\n%s", rig.error.file, rig.error.text, rig.log);
    cr_assert(rig_logged(&rig, "snapshot is passed over"), "%s", rig.log);
    expect_engine_whole(STORE_DAMAGED);
}

/* Its maker was killed before the first transaction; or it is of another history. */
Test(snapshot, an_engine_passes_over_one_that_holds_nothing_or_what_never_was, FIXTURE)
{
    settle_error fault;
    struct journal_point points[2] = {{.position = 0}, advance(1, &fault).point};
    static const char *const words[] = {"(it holds nothing yet)", "(the journal has lost what the store holds of it"};
    points[1].chain ^= 1;
    for (size_t i = 0; i < 2; i++) {
        EXPECT_OK(snapshot_remove(data_fd, &test_error));
        make_snapshot(points[i]);
        lose_store();
        rig_log_clear(&rig);
        cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "%s %s\n%s", rig.error.file, rig.error.text, rig.log);
        cr_assert(rig_logged(&rig, "snapshot is passed over") && rig_logged(&rig, words[i]), "%s", rig.log);
        cr_assert(rig_available(&rig, 1, RIG_USDT) == EVENTS);
        rig_close(&rig);
    }
}

/* Copied piece by piece: what lies behind its pages is a hole, which a crash leaves. */
Test(snapshot, one_that_is_longer_than_a_piece_is_copied_whole, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    settle_error fault;
    size_t bytes = 0;
    advance(2, &fault);
    data_path(path);
    tree_truncate(path, (5 << 20) / 2);
    unsigned char *from = tree_read(path, &bytes);
    lose_store();
    EXPECT_OK(snapshot_copy(data_fd, rig.data, journal_reader_id(reader), &mem_libc, &test_error));
    tempdir_join(path, rig.data, "store/data.mdb");
    unsigned char *to = tree_read(path, &bytes);
    cr_assert_eq(bytes, (5 << 20) / 2);
    cr_assert_eq(memcmp(from + 8192, to + 8192, bytes - 8192), 0, "all but the meta pages");
    free(from);
    free(to);
    cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "%s %s\n%s", rig.error.file, rig.error.text, rig.log);
    expect_engine_whole(STORE_EQUAL);
}

Test(snapshot, an_engine_does_not_wait_for_one_that_is_being_made, FIXTURE)
{
    int lock_fd = -1;
    settle_error fault;
    advance(2, &fault);
    lose_store();
    EXPECT_OK(lock_take_name_at(data_fd, "archive.lock", "archive command", &lock_fd, &test_error));
    cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "%s %s\n%s", rig.error.file, rig.error.text, rig.log);
    cr_assert(rig_logged(&rig, "snapshot is passed over"), "%s", rig.log);
    file_close(lock_fd);
    expect_engine_whole(STORE_EQUAL);
}

/* The copy that one before did not finish is there, and the store is damaged: each change of a name fails once. */
Test(snapshot, it_takes_a_stores_place_in_spite_of_faults, FIXTURE)
{
    char left[TEMPDIR_PATH_BYTES], store[TEMPDIR_PATH_BYTES], partial[TEMPDIR_PATH_BYTES];
    settle_error fault;
    bool is_met = true;
    advance(2, &fault);
    tempdir_join(store, rig.data, "store");
    tempdir_join(partial, rig.data, "store.partial");
    tree_copy(store, left_store(partial));
    tempdir_join(store, rig.data, "store/data.mdb");
    tree_truncate(store, 8192);
    tempdir_join(left, rig.base, "left");
    tree_copy(rig.data, left);
    for (uint64_t index = 1; is_met; index++) {
        settle *engine = NULL;
        trap_set(&(struct trap){.calls = TRAP_NAMES, .index = index, .error = EIO});
        settle_status status = settle_open(rig.data, &rig.options, &engine, NULL);
        is_met = trap_was_met();
        (void)trap_clear();
        cr_assert(status == SETTLE_OK || status == SETTLE_E_IO || status == SETTLE_E_LATCHED, "call %d: %d", (int)index,
                  (int)status);
        if (status == SETTLE_OK)
            (void)settle_close(engine, NULL);
        cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "call %d: %s", (int)index, rig.error.text);
        cr_assert(rig_available(&rig, 1, RIG_USDT) == EVENTS);
        rig_close(&rig);
        tempdir_remove(rig.data);
        tree_copy(left, rig.data);
    }
}

Test(snapshot, a_copy_takes_nobodys_place, FIXTURE)
{
    settle_error fault;
    advance(1, &fault);
    char *before = tree_listing(rig.data);
    EXPECT_STATUS(snapshot_copy(data_fd, rig.data, journal_reader_id(reader), &mem_libc, &test_error), SETTLE_E_EXISTS);
    char *after = tree_listing(rig.data);
    cr_assert_str_eq(before, after, "the store that is there stays, and nothing is left over");
    free(before);
    free(after);
}

Test(snapshot, a_journal_that_is_lost_beside_an_archive_is_not_begun_anew, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    settle_error fault;
    advance(1, &fault);
    lose_store();
    tempdir_join(path, rig.data, "journal");
    tempdir_remove(path);
    cr_assert_eq(rig_try_open(&rig), SETTLE_E_CORRUPT);
}

/* More events than one transaction takes, and no segment's end between them. */
Test(snapshot, a_long_way_is_gone_in_several_transactions)
{
    enum { MANY = 66000, BATCH = 6000 };
    settle_error fault;
    struct store_meta meta;
    rig_make(&rig);
    rig.options.segment_bytes = 64 << 20;
    rig_open(&rig);
    for (uint64_t i = 0; i < MANY; i += BATCH)
        rig_deposits(&rig, 1 + i, BATCH);
    rig_close(&rig);
    EXPECT_OK(dir_open(rig.data, false, &data_fd, &test_error));
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    int fd = -1;
    EXPECT_OK(dir_open_at(data_fd, "archive", true, &fd, &test_error));
    file_close(fd);
    EXPECT_OK(snapshot_advance(data_fd, rig.data, reader, UINT64_MAX, &mem_libc, &meta, &fault, &test_error));
    cr_assert_eq(fault.status, SETTLE_OK);
    cr_assert_eq(meta.id_count, MANY);
    cr_assert_eq(meta.point.next_seq, MANY + 1);
    teardown();
}
