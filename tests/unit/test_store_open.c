/*
 * test_store_open.c — opening a store: modes, read-only places, other processes, limits of the machine.
 *
 * Linked with --wrap=fcntl.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* unshare(2) */
#endif
#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"

SETTLE_SUITE(store_open);

enum { NOBODY = 65534, SKIPPED = 77, EVERYONE = 30 };

static settle_status count_account(void *context, const struct account *account, settle_error *error)
{
    (void)error;
    (void)account;
    ++*(uint64_t *)context;
    return SETTLE_OK;
}

static mode_t mode_of(const struct fixture *f, const char *name)
{
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    tempdir_join(path, f->path, name);
    cr_assert_eq(lstat(path, &st), 0, "%s", path);
    return st.st_mode & 07777;
}

static void expect_child_ends_well(pid_t child)
{
    int status = child_exit(child);
    if (status == SKIPPED)
        cr_skip_test("not possible on this machine");
    cr_assert_eq(status, 0);
}

/* ---- What is created --------------------------------------------------------------------------------------------------------- */

Test(store_open, modes_do_not_hang_on_the_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0277, 0777};
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        struct fixture f;
        mode_t before = umask(masks[i]);
        fixture_open(&f);
        EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
        umask(before);
        cr_assert_eq(mode_of(&f, "store"), 0700);
        cr_assert_eq(mode_of(&f, "store/data.mdb"), 0600);
        cr_assert_eq(mode_of(&f, "store/lock.mdb"), 0600);
        fixture_close(&f);
    }
}

/* LMDB writes into the lock file through a map: a hole in it would be SIGBUS on a full disk. */
Test(store_open, the_lock_file_has_no_holes)
{
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    fixture_open(&f);
    fixture_file(&f, STORE_LOCK_NAME, path);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 32768);
    cr_assert_geq(st.st_blocks * 512, st.st_size);
    fixture_close(&f);
}

Test(store_open, a_short_lock_file_is_added_to_and_not_written_over)
{
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES], front[100], after[100];
    struct stat st;
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    store_close(f.store);
    f.store = NULL;
    fixture_file(&f, STORE_LOCK_NAME, path);
    cr_assert_eq(truncate(path, 9000), 0);
    /* As a reader in another process: it holds LMDB's lock and has its table in the file. */
    struct turns turns;
    turns_make(&turns);
    pid_t child = child_fork();
    if (child == 0) {
        FIXTURE_CHECK(fixture_reopen(&f, false) == SETTLE_OK);
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        turn_give(turns.to_parent);
        turn_take(turns.to_child);
        FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) == SETTLE_OK);
        FIXTURE_CHECK(fixture_version_in(snapshot).version == 2);
        store_snapshot_close(snapshot);
        store_close(f.store);
        _exit(0);
    }
    turn_take(turns.to_parent);
    cr_assert_eq(truncate(path, 9000), 0); /* the reader made it longer; its part in use is the front */
    int fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, front, sizeof(front)), sizeof(front));
    EXPECT_OK(fixture_reopen(&f, true));
    cr_assert_eq(pread(fd, after, sizeof(after), 0), sizeof(after));
    close(fd);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 32768);
    cr_assert_eq(memcmp(front, after, 16), 0, "its magic and transaction");
    EXPECT_OK(fixture_apply_version(&f, 2, EVERYONE));
    turn_give(turns.to_child);
    expect_child_ends_well(child);
    fixture_close(&f);
}

Test(store_open, reading_creates_nothing)
{
    struct fixture f;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    char name[32];
    EXPECT_OK(store_set_aside(f.fd, name, &test_error));
    EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_NOT_FOUND);
    cr_assert_not(file_exists_at(f.fd, "store"));
    cr_assert_eq(mkdirat(f.fd, "store", 0700), 0);
    EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_NOT_FOUND);
    cr_assert_not(file_exists_at(f.fd, "store/data.mdb"));
    cr_assert_not(file_exists_at(f.fd, "store/lock.mdb"));
    fixture_close(&f);
}

/* What a crash between creating the files and the first commit leaves. */
Test(store_open, empty_files_are_a_new_store_for_a_writer_and_none_for_a_reader)
{
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES];
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    fixture_file(&f, STORE_DATA_NAME, path);
    cr_assert_eq(truncate(path, 0), 0);
    EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_NOT_FOUND);
    EXPECT_OK(fixture_reopen(&f, true));
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    EXPECT_OK(fixture_reopen(&f, false));
    fixture_close(&f);
}

Test(store_open, an_environment_without_tables_is_a_new_store_for_a_writer_and_none_for_a_reader)
{
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES], store[TEMPDIR_PATH_BYTES];
    MDB_env *env;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    fixture_file(&f, STORE_DATA_NAME, path);
    tempdir_join(store, f.path, STORE_DIRECTORY);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, store, 0, 0600), 0);
    mdb_env_close(env);
    EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_NOT_FOUND);
    EXPECT_OK(fixture_reopen(&f, true));
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    fixture_close(&f);
}

Test(store_open, the_data_file_is_not_left_open_to_programs_started)
{
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES], link[64], target[512];
    int found = 0;
    fixture_open(&f);
    fixture_file(&f, "", path);
    for (int fd = 0; fd < 200; fd++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t bytes = readlink(link, target, sizeof(target) - 1);
        if (bytes < 0 || strncmp(target, path, strlen(path)) != 0)
            continue;
        found++;
        cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%.*s", (int)bytes, target);
    }
    cr_assert_geq(found, 3);
    fixture_close(&f);
}

/* ---- What is refused ---------------------------------------------------------------------------------------------------------- */

Test(store_open, the_store_of_another_journal_is_refused_by_name)
{
    struct fixture f;
    fixture_open(&f);
    uint8_t other[16] = {0xab, 0xcd};
    store_close(f.store);
    f.store = NULL;
    for (int write = 0; write < 2; write++) {
        EXPECT_STATUS(store_open(f.fd, f.path, write != 0, other, &mem_libc, &f.store, &test_error), SETTLE_E_CORRUPT);
        cr_assert(strstr(test_error.text, "another journal"), "%s", test_error.text);
        cr_assert(strstr(test_error.text, "abcd0000"), "%s", test_error.text);
        cr_assert(strstr(test_error.text, "f1020304"), "%s", test_error.text);
        cr_assert_str_eq(test_error.file, "store/data.mdb");
        cr_assert_null(f.store, "the output is untouched");
    }
    fixture_close(&f);
}

Test(store_open, links_and_pipes_in_a_files_place_are_refused)
{
    static const char *const names[] = {"store", "store/data.mdb", "store/lock.mdb"};
    for (int pipe = 0; pipe < 2; pipe++) {
        for (size_t i = 0; i < 3; i++) {
            struct fixture f;
            fixture_open(&f);
            store_close(f.store);
            f.store = NULL;
            EXPECT_OK(file_rename_at(f.fd, names[i], "elsewhere", &test_error));
            cr_assert_eq(pipe != 0 ? mkfifoat(f.fd, names[i], 0600)
                                   : symlinkat(i == 0 ? "elsewhere" : "../elsewhere", f.fd, names[i]),
                         0);
            EXPECT_STATUS(fixture_reopen(&f, true), SETTLE_E_ACCESS);
            EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_ACCESS);
            fixture_close(&f);
        }
    }
}

Test(store_open, stores_are_set_aside_under_the_first_free_number)
{
    struct fixture f;
    char name[32] = "untouched";
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    EXPECT_OK(store_set_aside(f.fd, name, &test_error));
    cr_assert_str_eq(name, "store.damaged-1");
    EXPECT_STATUS(store_set_aside(f.fd, name, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(name, "store.damaged-1");
    EXPECT_OK(fixture_reopen(&f, true));
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    store_close(f.store);
    f.store = NULL;
    cr_assert_eq(mkdirat(f.fd, "store.damaged-3", 0700), 0);
    EXPECT_OK(store_set_aside(f.fd, name, &test_error));
    cr_assert_str_eq(name, "store.damaged-2");
    cr_assert(file_exists_at(f.fd, "store.damaged-2/data.mdb"));
    EXPECT_OK(fixture_reopen(&f, true));
    store_close(f.store);
    f.store = NULL;
    EXPECT_OK(store_set_aside(f.fd, name, &test_error));
    cr_assert_str_eq(name, "store.damaged-4");
    fixture_close(&f);
}

/* As another user, to whom all of it belongs; as we are, where we are nobody to give files away. */
static void become_nobody(struct fixture *f)
{
    static const char *const names[] = {"store/data.mdb", "store/lock.mdb", "store", "."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_assert(geteuid() != 0 || fchownat(f->fd, names[i], NOBODY, NOBODY, 0) == 0);
    cr_assert(geteuid() != 0 || seteuid(NOBODY) == 0);
}

static void expect_refused(struct fixture *f, bool write, const char *file, const char *words)
{
    EXPECT_STATUS(fixture_reopen(f, write), SETTLE_E_ACCESS);
    cr_assert_str_eq(fixture_error.file, file);
    cr_assert(strstr(fixture_error.text, words), "%s", fixture_error.text);
}

/* LMDB would write into it, for a reader too. */
Test(store_open, a_lock_file_that_is_not_ours_alone_is_refused)
{
    const bool is_root = geteuid() == 0;
    struct fixture f;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    for (int write = 0; write < 2; write++) {
        cr_assert_eq(fchmodat(f.fd, "store/lock.mdb", 0602, 0), 0);
        expect_refused(&f, write != 0, STORE_DIRECTORY "/" STORE_LOCK_NAME, "others may write to it (mode 0602)");
        cr_assert_eq(fchmodat(f.fd, "store/lock.mdb", 0600, 0), 0);
        cr_assert_eq(linkat(f.fd, "store/lock.mdb", f.fd, "second", 0), 0);
        expect_refused(&f, write != 0, write != 0 ? STORE_LOCK_NAME : STORE_DIRECTORY "/" STORE_LOCK_NAME,
                       "has 2 names");
        cr_assert_eq(unlinkat(f.fd, "second", 0), 0);
    }
    become_nobody(&f);
    cr_assert_eq(fchmodat(f.fd, "store/lock.mdb", 0400, 0), 0);
    expect_refused(&f, true, STORE_DIRECTORY "/" STORE_LOCK_NAME, "cannot open");
    EXPECT_OK(fixture_reopen(&f, false));
    store_close(f.store);
    f.store = NULL;
    cr_assert(!is_root || seteuid(0) == 0);
    if (is_root) {
        cr_assert_eq(fchmodat(f.fd, "store/lock.mdb", 0644, 0), 0);
        cr_assert_eq(fchownat(f.fd, "store/lock.mdb", NOBODY + 1, NOBODY, 0), 0);
        cr_assert_eq(seteuid(NOBODY), 0);
        expect_refused(&f, false, STORE_DIRECTORY "/" STORE_LOCK_NAME, "belongs to another user (uid 65535)");
        cr_assert_eq(seteuid(0), 0);
        EXPECT_OK(fixture_reopen(&f, false)); /* root reads everybody's */
    }
    fixture_close(&f);
}

static bool descriptors_are_out;
int __real_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument);

int __wrap_fcntl(int fd, int command, long argument)
{
    if (!descriptors_are_out || command != F_DUPFD_CLOEXEC)
        return __real_fcntl(fd, command, argument);
    errno = EMFILE;
    return -1;
}

Test(store_open, a_store_without_a_lock_needs_a_descriptor_more)
{
    struct fixture f;
    fixture_open(&f);
    store_close(f.store);
    f.store = NULL;
    cr_assert_eq(unlinkat(f.fd, "store/lock.mdb", 0), 0);
    descriptors_are_out = true;
    EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_IO);
    cr_assert(strstr(fixture_error.text, "cannot duplicate a descriptor"), "%s", fixture_error.text);
    descriptors_are_out = false;
    EXPECT_OK(fixture_reopen(&f, false));
    fixture_close(&f);
}

/* ---- Read-only places --------------------------------------------------------------------------------------------------------- */

/* Opens the store for reading and counts its accounts. */
static settle_status read_all(struct fixture *f, uint64_t *ret_count)
{
    struct store_snapshot *snapshot;
    f->store = NULL;
    settle_status status = fixture_reopen(f, false);
    if (status != SETTLE_OK)
        return status;
    status = store_snapshot_open(f->store, &snapshot, &fixture_error);
    if (status == SETTLE_OK) {
        *ret_count = 0;
        status = store_accounts_walk(snapshot, 0, count_account, ret_count, &fixture_error);
        store_snapshot_close(snapshot);
    }
    store_close(f->store);
    f->store = NULL;
    return status;
}

/* Everything in the data directory read-only and, where we are root, another user's; becomes that user. */
static void enter_read_only_directory(struct fixture *f)
{
    static const char *const names[] = {"store/data.mdb", "store/lock.mdb", "lock", "store", "."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        FIXTURE_CHECK(geteuid() != 0 || fchownat(f->fd, names[i], NOBODY, NOBODY, 0) == 0);
        FIXTURE_CHECK(fchmodat(f->fd, names[i], i < 3 ? 0400 : 0500, 0) == 0);
    }
    FIXTURE_CHECK(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void read_only_directory(bool with_writer)
{
    struct fixture f;
    int lock_fd;
    uint64_t count = 0;
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    store_close(f.store);
    f.store = NULL;
    EXPECT_OK(lock_take_at(f.fd, &lock_fd, &test_error));
    if (!with_writer)
        file_close(lock_fd);
    pid_t child = child_fork();
    if (child == 0) {
        enter_read_only_directory(&f);
        settle_status status = read_all(&f, &count);
        FIXTURE_CHECK(with_writer
                          ? status == SETTLE_E_ACCESS && strstr(fixture_error.text, "a writer is at work") != NULL
                          : status == SETTLE_OK && count == EVERYONE);
        _exit(0);
    }
    expect_child_ends_well(child);
    if (with_writer)
        file_close(lock_fd);
    fixture_close(&f);
}

Test(store_open, a_read_only_directory_can_be_read_while_there_is_no_writer)
{
    read_only_directory(false);
}

Test(store_open, a_read_only_directory_is_not_read_beside_a_writer)
{
    read_only_directory(true);
}

Test(store_open, a_read_only_mount_can_be_read)
{
    struct fixture f;
    uint64_t count = 0;
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    store_close(f.store);
    f.store = NULL;
    pid_t child = child_fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount(f.path, f.path, NULL, MS_BIND, NULL) != 0 ||
            mount("none", f.path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
            _exit(SKIPPED);
        FIXTURE_CHECK(dir_open(f.path, false, &f.fd, &fixture_error) == SETTLE_OK);
        FIXTURE_CHECK(mkdirat(f.fd, "x", 0700) != 0 && errno == EROFS);
        FIXTURE_CHECK(read_all(&f, &count) == SETTLE_OK && count == EVERYONE);
        _exit(0);
    }
    expect_child_ends_well(child);
    fixture_close(&f);
}

static settle_status no_arrival(void *context, const struct store_arrival *arrival, settle_error *error)
{
    (void)context, (void)arrival, (void)error;
    return SETTLE_OK;
}

static settle_status any_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context, (void)id, (void)error;
    return SETTLE_OK;
}

static settle_status any_asset(void *context, const settle_asset *asset, settle_error *error)
{
    (void)context, (void)asset, (void)error;
    return SETTLE_OK;
}

static void read_unlocked(struct fixture *f, struct turns *turns)
{
    struct account account;
    const struct store_id id = text_id("nobody's", 64);
    uint64_t position;
    f->store = NULL;
    FIXTURE_CHECK(fixture_reopen(f, false) == SETTLE_OK);
    FIXTURE_CHECK(!file_exists_at(f->fd, "store/lock.mdb"));
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    for (int commits = 0; commits < 3; commits++) {
        settle_status status = store_account_get(snapshot, 1, 1, &account, &fixture_error);
        FIXTURE_CHECK(commits < 2 ? status == SETTLE_OK && account.version == 1 : status == SETTLE_E_ACCESS);
        uint64_t count = 0;
        status = store_accounts_walk(snapshot, 0, count_account, &count, &fixture_error);
        FIXTURE_CHECK(status == (commits < 2 ? SETTLE_OK : SETTLE_E_ACCESS));
        status = store_id_get(snapshot, &id.key, &position, &fixture_error);
        FIXTURE_CHECK(status == (commits < 2 ? SETTLE_E_NOT_FOUND : SETTLE_E_ACCESS));
        status = store_ids_walk(snapshot, any_id, NULL, &fixture_error);
        FIXTURE_CHECK(status == (commits < 2 ? SETTLE_OK : SETTLE_E_ACCESS));
        status = store_assets_walk(snapshot, any_asset, NULL, &fixture_error);
        FIXTURE_CHECK(status == (commits < 2 ? SETTLE_OK : SETTLE_E_ACCESS));
        status = store_arrivals_walk_all(snapshot, no_arrival, NULL, &fixture_error); /* there is none to be met */
        FIXTURE_CHECK(status == (commits < 2 ? SETTLE_OK : SETTLE_E_ACCESS));
        turn_give(turns->to_parent);
        turn_take(turns->to_child);
    }
    FIXTURE_CHECK(store_snapshot_renew(snapshot, &fixture_error) ==
                  SETTLE_E_ACCESS); /* the writer's lock is held now */
    store_snapshot_close(snapshot);
    store_close(f->store);
    _exit(0);
}

Test(store_open, without_a_lock_file_a_reader_notices_when_a_writer_overtakes_it)
{
    struct fixture f;
    struct turns turns;
    int lock_fd = -1;
    const settle_asset asset = {2, 6, "USDT"};
    turns_make(&turns);
    fixture_open(&f);
    EXPECT_OK(fixture_apply_version(&f, 1, EVERYONE));
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.assets = &asset, .asset_count = 1}));
    store_close(f.store);
    f.store = NULL;
    cr_assert_eq(unlinkat(f.fd, "store/lock.mdb", 0), 0);
    pid_t child = child_fork();
    if (child == 0)
        read_unlocked(&f, &turns);
    turn_take(turns.to_parent);
    EXPECT_OK(lock_take_at(f.fd, &lock_fd, &test_error));
    EXPECT_OK(fixture_reopen(&f, true));
    for (uint64_t version = 2; version <= 4; version++) {
        EXPECT_OK(fixture_apply_version(&f, version, EVERYONE));
        turn_give(turns.to_child);
        if (version < 4)
            turn_take(turns.to_parent);
    }
    expect_child_ends_well(child);
    file_close(lock_fd);
    fixture_close(&f);
}
