/*
 * test_store_limits.c — a store beside other processes, and where map, disk, memory or life end.
 *
 * Linked with --wrap=pthread_cond_timedwait, and with trap.c.
 */
#include "engine/store_env.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/trap.h"

SETTLE_SUITE(store_limits);

enum { FEW = 50, MANY = 30000 };

static void expect_version(struct fixture *f, uint64_t version, uint64_t count)
{
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    struct version_check check = fixture_version_in(snapshot);
    cr_assert_eq(check.version, version);
    cr_assert_eq(check.count, count);
    store_snapshot_close(snapshot);
}

static uint64_t data_bytes(const struct fixture *f)
{
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    fixture_file(f, STORE_DATA_NAME, path);
    cr_assert_eq(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

/* ---- Readers in other processes ------------------------------------------------------------------------------------------- */

enum { BATCHES = 150 };

static void read_until_the_last(struct fixture *f, struct turns *turns)
{
    uint64_t last = 0, seen = 0;
    f->store = NULL;
    FIXTURE_CHECK(fixture_reopen(f, false) == SETTLE_OK);
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    turn_give(turns->to_parent);
    while (last < BATCHES) {
        FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) == SETTLE_OK);
        struct version_check check = fixture_version_in(snapshot);
        FIXTURE_CHECK(check.count == FEW && check.version >= last);
        seen += check.version != last;
        last = check.version;
        store_snapshot_rest(snapshot);
    }
    FIXTURE_CHECK(seen > 1);
    store_snapshot_close(snapshot);
    store_close(f->store);
    _exit(0);
}

Test(store_limits, another_process_sees_whole_batches_while_they_are_written)
{
    struct fixture f;
    struct turns turns;
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    pid_t child = child_fork();
    if (child == 0)
        read_until_the_last(&f, &turns);
    turn_take(turns.to_parent);
    for (uint64_t version = 2; version <= BATCHES; version++)
        EXPECT_OK(fixture_apply_version(&f, version, FEW));
    cr_assert_eq(child_exit(child), 0);
    fixture_close(&f);
}

/* File size after many batches beside a reader that was killed with a snapshot. */
Test(store_limits, a_killed_readers_snapshot_does_not_pin_pages)
{
    struct fixture f;
    struct turns turns;
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, 1000));
    for (uint64_t version = 2; version < 6; version++)
        EXPECT_OK(fixture_apply_version(&f, version, 1000));
    uint64_t before = data_bytes(&f);
    pid_t child = child_fork();
    if (child == 0) {
        f.store = NULL;
        FIXTURE_CHECK(fixture_reopen(&f, false) == SETTLE_OK);
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        FIXTURE_CHECK(fixture_version_in(snapshot).version == 5);
        turn_give(turns.to_parent);
        pause();
        _exit(1);
    }
    turn_take(turns.to_parent);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    for (uint64_t version = 6; version < 46; version++)
        EXPECT_OK(fixture_apply_version(&f, version, 1000));
    cr_assert_lt(data_bytes(&f), 2 * before, "%llu, %llu", (unsigned long long)before,
                 (unsigned long long)data_bytes(&f));
    fixture_close(&f);
}

/* ---- The map ---------------------------------------------------------------------------------------------------------------- */

Test(store_limits, a_full_map_grows_and_the_batch_is_whole)
{
    struct fixture f;
    fixture_open_mapped(&f, 1 << 20);
    struct store_snapshot *resting = fixture_snapshot(f.store);
    store_snapshot_rest(resting);
    fixture_error = (settle_error){.status = SETTLE_OK};
    EXPECT_OK(fixture_apply_version(&f, 1, MANY));
    EXPECT_OK(fixture_apply_version(&f, 2, MANY));
    cr_assert_eq(fixture_error.status, SETTLE_OK, "growing is no error");
    cr_assert_gt(data_bytes(&f), 4 << 20, "the map was too small for this");
    EXPECT_OK(store_snapshot_renew(resting, &test_error));
    cr_assert_eq(fixture_version_in(resting).version, 2);
    store_snapshot_close(resting);
    EXPECT_OK(fixture_reopen(&f, true));
    expect_version(&f, 2, MANY);
    fixture_close(&f);
}

static void read_with_small_map(struct fixture *f, struct turns *turns)
{
    f->store = NULL;
    FIXTURE_CHECK(store_open_mapped(f->fd, f->path, false, fixture_journal_id, &mem_libc, 1 << 20, &f->store,
                                    &fixture_error) == SETTLE_OK);
    struct store_snapshot *snapshot = fixture_snapshot(f->store), *resting = fixture_snapshot(f->store);
    FIXTURE_CHECK(fixture_version_in(snapshot).version == 1);
    store_snapshot_rest(snapshot);
    store_snapshot_rest(resting);
    turn_give(turns->to_parent);
    turn_take(turns->to_child);
    FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) == SETTLE_OK);
    FIXTURE_CHECK(fixture_version_in(snapshot).version == 2 && fixture_version_in(snapshot).count == MANY);
    store_snapshot_rest(snapshot);
    FIXTURE_CHECK(store_snapshot_renew(resting, &fixture_error) == SETTLE_OK);
    FIXTURE_CHECK(fixture_version_in(resting).version == 2);
    store_snapshot_close(snapshot);
    store_snapshot_close(resting);
    store_close(f->store);
    _exit(0);
}

Test(store_limits, a_reader_follows_when_the_writer_outgrows_its_map)
{
    struct fixture f;
    struct turns turns;
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    pid_t child = child_fork();
    if (child == 0)
        read_with_small_map(&f, &turns);
    turn_take(turns.to_parent);
    EXPECT_OK(fixture_apply_version(&f, 2, MANY));
    cr_assert_gt(data_bytes(&f), 2 << 20);
    turn_give(turns.to_child);
    cr_assert_eq(child_exit(child), 0);
    fixture_close(&f);
}

/* LMDB maps its lock file, then the store; we map that again. */
static void fail_maps(uint64_t index, enum trap_action action)
{
    trap_set(&(struct trap){.calls = TRAP_MAPS, .index = index, .error = ENOMEM, .action = action});
}

Test(store_limits, a_map_that_there_is_no_room_for_is_tried_smaller_down_to_a_mebibyte)
{
    struct fixture f;
    fail_maps(2, TRAP_ONCE);
    fixture_open(&f);
    cr_assert_eq(trap_clear(), 5, "two, and three of another try");
    cr_assert_eq(f.store->map.bytes, STORE_MAP_BYTES / 4);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    trap_set(&(struct trap){.calls = TRAP_MAPS, .index = 2, .error = EINVAL}); /* what valgrind answers */
    EXPECT_OK(fixture_reopen(&f, true));
    (void)trap_clear();
    cr_assert_eq(f.store->map.bytes, STORE_MAP_BYTES / 4);
    fail_maps(1, TRAP_FROM_NOW);
    EXPECT_STATUS(fixture_reopen(&f, true), SETTLE_E_NO_MEMORY);
    cr_assert_eq(trap_clear(), 9, "64 GiB to 1 MiB, a quarter each time");
    cr_assert(strstr(fixture_error.text, "cannot open the store"), "%s", fixture_error.text);
    fail_maps(1, TRAP_FROM_NOW);
    EXPECT_STATUS(store_open_mapped(f.fd, f.path, true, fixture_journal_id, &mem_libc, 3 << 20, &f.store, &test_error),
                  SETTLE_E_NO_MEMORY);
    cr_assert_eq(trap_clear(), 2, "3 MiB and 1");
    EXPECT_OK(fixture_reopen(&f, true));
    expect_version(&f, 1, FEW);
    fixture_close(&f);
}

/* In a process that reads: the writer has outgrown its map, and there is no room for a larger one. */
static void read_with_no_larger_map(struct fixture *f, struct turns *turns)
{
    f->store = NULL;
    FIXTURE_CHECK(store_open_mapped(f->fd, f->path, false, fixture_journal_id, &mem_libc, 1 << 20, &f->store,
                                    &fixture_error) == SETTLE_OK);
    struct store_snapshot *snapshot = fixture_snapshot(f->store), *none = NULL;
    store_snapshot_rest(snapshot);
    turn_give(turns->to_parent);
    turn_take(turns->to_child);
    fail_maps(1, TRAP_ONCE);
    FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) == SETTLE_E_NO_MEMORY);
    FIXTURE_CHECK(trap_was_met() && strstr(fixture_error.text, "cannot grow the store's map") != NULL);
    (void)trap_clear();
    /* Whoever met the same in another thread finds no map to move, and every snapshot is refused. */
    FIXTURE_CHECK(store_map_resize(f->store, 0, &fixture_error) == SETTLE_OK);
    FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) == SETTLE_E_LATCHED);
    FIXTURE_CHECK(strstr(fixture_error.text, "lost its map") != NULL);
    FIXTURE_CHECK(store_snapshot_open(f->store, &none, &fixture_error) == SETTLE_E_LATCHED && none == NULL);
    store_snapshot_close(snapshot);
    FIXTURE_CHECK(fixture_reopen(f, false) == SETTLE_OK);
    snapshot = fixture_snapshot(f->store);
    FIXTURE_CHECK(fixture_version_in(snapshot).version == 2);
    store_snapshot_close(snapshot);
    store_close(f->store);
    _exit(0);
}

Test(store_limits, a_reader_that_cannot_follow_says_so_until_it_is_opened_again)
{
    struct fixture f;
    struct turns turns;
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    pid_t child = child_fork();
    if (child == 0)
        read_with_no_larger_map(&f, &turns);
    turn_take(turns.to_parent);
    EXPECT_OK(fixture_apply_version(&f, 2, MANY));
    turn_give(turns.to_child);
    cr_assert_eq(child_exit(child), 0);
    fixture_close(&f);
}

/* ---- A map that must grow beside a snapshot ---- */

static bool time_is_up; /* so that nobody waits half a minute */

int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at);

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at)
{
    return time_is_up ? ETIMEDOUT : __real_pthread_cond_timedwait(cond, mutex, at);
}

Test(store_limits, a_map_that_must_grow_beside_a_snapshot_that_is_not_let_go_ends_in_an_error)
{
    struct fixture f;
    fixture_open_mapped(&f, 1 << 20);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    struct store_snapshot *held = fixture_snapshot(f.store);
    time_is_up = true;
    EXPECT_STATUS(fixture_apply_version(&f, 2, MANY), SETTLE_E_NO_SPACE);
    cr_assert(strstr(fixture_error.text, "a snapshot was not let go for 30000 ms"), "%s", fixture_error.text);
    EXPECT_STATUS(fixture_apply_version(&f, 2, FEW), SETTLE_E_LATCHED);
    const struct version_check check = fixture_version_in(held);
    cr_assert(check.version == 1 && check.count == FEW, "the snapshot is whole");
    store_snapshot_close(held);
    EXPECT_OK(fixture_reopen(&f, true));
    expect_version(&f, 1, FEW);
    EXPECT_OK(fixture_apply_version(&f, 2, FEW));
    fixture_close(&f);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ADDRESSES_ARE_TAKEN 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESSES_ARE_TAKEN 1
#endif

#ifndef ADDRESSES_ARE_TAKEN /* sanitizers need terabytes of them */
static void *take_addresses(size_t bytes)
{
    void *taken = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return taken == MAP_FAILED ? NULL : taken;
}

static void limit_addresses(size_t bytes)
{
    struct rlimit limit = {bytes, bytes};
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

Test(store_limits, an_address_space_with_a_wide_limit_has_room_for_the_whole_map)
{
    struct fixture f;
    limit_addresses((size_t)1 << 45);
    fixture_open(&f);
    cr_assert_eq(f.store->map.bytes, STORE_MAP_BYTES);
    fixture_close(&f);
}

Test(store_limits, a_limited_address_space_is_not_taken_whole)
{
    struct fixture f;
    limit_addresses((size_t)5 << 30);
    fixture_open(&f);
    cr_assert_not_null(take_addresses((size_t)3 << 30));
    EXPECT_OK(fixture_apply_version(&f, 1, MANY));
    expect_version(&f, 1, MANY);
    fixture_close(&f);
}

Test(store_limits, an_address_space_almost_full_gets_a_smaller_map)
{
    struct fixture f;
    limit_addresses((size_t)1 << 30);
    cr_assert_not_null(take_addresses((size_t)800 << 20));
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, MANY));
    expect_version(&f, 1, MANY);
    fixture_close(&f);
}

/* Room on the heap for `heap_bytes`, and beyond it for `more_bytes` of anything. */
static void limit_addresses_to(size_t heap_bytes, size_t more_bytes)
{
    long pages = 0;
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_THRESHOLD, INT_MAX);
    void *heap = malloc(heap_bytes);
    cr_assert_not_null(heap);
    memset(heap, 1, heap_bytes);
    free(heap);
    FILE *statm = fopen("/proc/self/statm", "r");
    cr_assert_eq(fscanf(statm, "%ld", &pages), 1);
    fclose(statm);
    limit_addresses((size_t)pages * (size_t)sysconf(_SC_PAGESIZE) + more_bytes);
}

Test(store_limits, a_map_that_cannot_grow_ends_in_an_error)
{
    enum { MAP = 4 << 20, TOO_MANY = 100000 };
    struct fixture f;
    fixture_open_mapped(&f, MAP);
    struct store_snapshot *snapshot = fixture_snapshot(f.store), *none = NULL;
    store_snapshot_rest(snapshot);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    limit_addresses_to((size_t)150 << 20, MAP / 2);
    EXPECT_STATUS(fixture_apply_version(&f, 2, TOO_MANY), SETTLE_E_NO_MEMORY);
    cr_assert(strstr(fixture_error.text, "cannot grow"), "%s", fixture_error.text);
    EXPECT_STATUS(fixture_apply_version(&f, 2, FEW), SETTLE_E_LATCHED);
    EXPECT_STATUS(store_snapshot_renew(snapshot, &test_error), SETTLE_E_LATCHED);
    EXPECT_STATUS(store_snapshot_open(f.store, &none, &test_error), SETTLE_E_LATCHED);
    cr_assert_null(none);
    store_snapshot_close(snapshot);
    EXPECT_OK(fixture_reopen(&f, false));
    expect_version(&f, 1, FEW);
    fixture_close(&f);
}
#endif

/* ---- The disk ----------------------------------------------------------------------------------------------------------------- */

Test(store_limits, a_full_disk_fails_once_and_then_latches)
{
    struct fixture f;
    struct rlimit before, limit;
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, 1000));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){data_bytes(&f), before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    settle_status status = fixture_apply_version(&f, 2, MANY);
    /* The last write goes up to the limit: cut short, which LMDB calls EIO. */
    cr_assert_eq(status, SETTLE_E_NO_SPACE, "status %d: %s", (int)status, fixture_error.text);
    cr_assert_eq(fixture_error.status, status);
    cr_assert_str_eq(fixture_error.file, "store/data.mdb");
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_STATUS(fixture_apply_version(&f, 2, 1000), SETTLE_E_LATCHED);
    expect_version(&f, 1, 1000);
    EXPECT_OK(fixture_reopen(&f, true));
    expect_version(&f, 1, 1000);
    f.position += 1000000;
    EXPECT_OK(fixture_apply_version(&f, 2, 1000));
    expect_version(&f, 2, 1000);
    fixture_close(&f);
}

/*
 * LMDB does not write pages that it took at the end of the file and gave back in the same transaction: the file is then
 * shorter than its meta page says, without any damage. Done here by another process with LMDB's own calls; values of many
 * pages, so that they come from the file's end and leave single free pages to the checkpoint after it.
 */
static void shorten_the_file(const struct fixture *f)
{
    static char large[100000];
    MDB_val value = {sizeof(large), large};
    struct raw raw;
    memset(large, 1, sizeof(large));
    raw_begin(&raw, f);
    for (uint64_t i = 0; i < 20; i++) {
        MDB_val key = {sizeof(i), &i};
        FIXTURE_CHECK(mdb_put(raw.txn, raw.tables[STORE_ARRIVALS], &key, &value, 0) == 0);
    }
    for (uint64_t i = 0; i < 20; i++) {
        MDB_val key = {sizeof(i), &i};
        FIXTURE_CHECK(mdb_del(raw.txn, raw.tables[STORE_ARRIVALS], &key, NULL) == 0);
    }
    raw_commit(&raw);
}

static uint64_t data_bytes_in_meta(const struct fixture *f)
{
    struct raw raw;
    MDB_envinfo info;
    raw_begin(&raw, f);
    cr_assert_eq(mdb_env_info(raw.env, &info), 0);
    mdb_txn_abort(raw.txn);
    mdb_env_close(raw.env);
    return (info.me_last_pgno + 1) * 4096;
}

Test(store_limits, a_checkpoint_leaves_a_file_as_long_as_its_meta_says)
{
    struct fixture f;
    fixture_open(&f);
    for (uint64_t version = 1; version <= 10; version++)
        EXPECT_OK(fixture_apply_version(&f, version, 1000));
    pid_t child = child_fork();
    if (child == 0) {
        shorten_the_file(&f);
        _exit(0);
    }
    cr_assert_eq(child_exit(child), 0);
    uint64_t short_bytes = data_bytes(&f);
    EXPECT_OK(fixture_apply_version(&f, 11, 1000));
    uint64_t bytes = data_bytes(&f);
    store_close(f.store);
    f.store = NULL;
    cr_assert_geq(bytes, data_bytes_in_meta(&f));
    cr_assert_lt(short_bytes, data_bytes_in_meta(&f), "the case is one");
    EXPECT_OK(fixture_reopen(&f, true));
    expect_version(&f, 11, 1000);
    fixture_close(&f);
}

/* ---- Memory --------------------------------------------------------------------------------------------------------------------- */

struct counted_mem {
    long until_failure, outstanding;
};

static void *counted_reallocate(void *context, void *memory, size_t bytes)
{
    struct counted_mem *counted = context;
    if (bytes == 0) {
        counted->outstanding--;
        free(memory);
        return NULL;
    }
    if (counted->until_failure-- == 0)
        return NULL;
    counted->outstanding += memory == NULL;
    return realloc(memory, bytes);
}

/* Open, look, apply: the first failure ends it. */
static settle_status work_with(struct fixture *f, const struct mem *mem, struct store_id *id)
{
    struct store_snapshot *snapshot = NULL;
    f->store = NULL;
    settle_status status = store_open(f->fd, f->path, true, fixture_journal_id, mem, &f->store, &fixture_error);
    if (status != SETTLE_OK)
        return status;
    status = store_snapshot_open(f->store, &snapshot, &fixture_error);
    store_snapshot_close(snapshot);
    if (status == SETTLE_OK)
        status = fixture_apply(f, (struct store_batch){.ids = id, .id_count = 1});
    store_close(f->store);
    f->store = NULL;
    return status;
}

Test(store_limits, every_allocation_may_fail)
{
    struct fixture f;
    struct store_id id = text_id("t", 1);
    struct counted_mem counted;
    const struct mem mem = {counted_reallocate, &counted};
    long allocations = 0;
    fixture_open(&f);
    store_close(f.store);
    for (;; allocations++) {
        counted = (struct counted_mem){.until_failure = allocations};
        settle_status status = work_with(&f, &mem, &id);
        cr_assert_eq(counted.outstanding, 0);
        if (status == SETTLE_OK)
            break;
        cr_assert_eq(status, SETTLE_E_NO_MEMORY, "allocation %ld: %d", allocations, (int)status);
        cr_assert_eq(fixture_error.status, SETTLE_E_NO_MEMORY);
    }
    cr_assert_gt(allocations, 5);
    fixture_close(&f);
}

/* ---- Life ----------------------------------------------------------------------------------------------------------------------- */

Test(store_limits, killed_at_any_moment_a_store_holds_a_whole_batch)
{
    struct fixture f;
    struct turns turns;
    uint64_t last = 1;
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, FEW));
    store_close(f.store);
    f.store = NULL;
    for (unsigned round = 0; round < 25; round++) {
        pid_t child = child_fork();
        if (child == 0) {
            FIXTURE_CHECK(fixture_reopen(&f, true) == SETTLE_OK);
            turn_give(turns.to_parent);
            for (uint64_t version = last + 1;; version++)
                FIXTURE_CHECK(fixture_apply_version(&f, version, FEW) == SETTLE_OK);
        }
        turn_take(turns.to_parent);
        usleep(200 + round * 9973 % 30000);
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        EXPECT_OK(fixture_reopen(&f, true));
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        struct version_check check = fixture_version_in(snapshot);
        struct store_meta meta;
        EXPECT_OK(store_meta_get(snapshot, &meta, &test_error));
        cr_assert_eq(meta.point.position, check.version * 1000000, "the point is the batch's");
        cr_assert(check.version >= last && check.count == FEW);
        store_snapshot_close(snapshot);
        store_close(f.store);
        f.store = NULL;
        last = check.version;
        f.position = meta.point.position;
    }
    cr_assert_gt(last, 1, "the writers wrote");
    fixture_close(&f);
}
