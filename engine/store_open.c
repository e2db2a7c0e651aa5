/*
 * store_open.c — opening a store and setting one aside: directory, modes, the checks before LMDB may map the file, and whether
 * the store is of this journal and format.
 *
 * Invariant: LMDB creates no file. The two are created here before it opens them, so that their modes do not hang on the umask.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* AT_EACCESS */
#endif
#include "engine/store_tables.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/base/file.h"

enum {
    SET_ASIDE_MAX = 1000000,
    LOCK_BYTES = 32768, /* what READERS_MAX in store.c makes LMDB take */
};

static settle_status fail_linked(settle_error *error, const char *name, const struct stat *st)
{
    return fail_at(error, SETTLE_E_ACCESS, name, 0, 0,
                   "has %lu names (hard links), and writing would change them all; give it a copy of its own",
                   (unsigned long)st->st_nlink);
}

/* At least `bytes` long, of zeros; one that a crash or a full disk left shorter is only added to: it may be in use. */
static settle_status create_absent(int store_fd, const char *name, off_t bytes, bool *created, settle_error *error)
{
    struct stat st;
    bool exists = fstatat(store_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && S_ISREG(st.st_mode) && st.st_nlink > 1)
        return fail_linked(error, name, &st);
    if (exists && (!S_ISREG(st.st_mode) || st.st_size >= bytes))
        return SETTLE_OK;
    int fd;
    settle_status status = file_open_at(store_fd, name, exists ? FILE_WRITE : FILE_CREATE, &fd, error);
    if (status != SETTLE_OK)
        return status;
    uint64_t present = exists ? (uint64_t)st.st_size : 0;
    status = file_write_zeros(fd, name, present, (uint64_t)bytes - present, error);
    file_close(fd);
    *created = true;
    return status;
}

/* The store's directory is a directory of ours; write: with both files in it, durable. */
static settle_status open_directory(int data_fd, bool write, settle_error *error)
{
    int store_fd;
    settle_status status = dir_open_at(data_fd, STORE_DIRECTORY, write, &store_fd, error);
    if (status != SETTLE_OK)
        return status;
    bool created = false;
    if (write)
        status = create_absent(store_fd, STORE_DATA_NAME, 0, &created, error);
    /* LMDB would make it of holes and write into them through its map: on a full disk that is SIGBUS, not an error. */
    if (status == SETTLE_OK && write)
        status = create_absent(store_fd, STORE_LOCK_NAME, LOCK_BYTES, &created, error);
    if (status == SETTLE_OK && created)
        status = dir_sync(store_fd, STORE_DIRECTORY, error);
    file_close(store_fd);
    return status;
}

/* Whether LMDB can open lock.mdb as it must. It is only looked at: closing a descriptor of it would drop LMDB's locks. */
static settle_status examine_lock(int data_fd, bool *ret_is_usable, settle_error *error)
{
    const char *name = STORE_DIRECTORY "/" STORE_LOCK_NAME;
    struct stat st;
    if (fstatat(data_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return fail_errno(error, errno, name, "cannot examine the file");
        *ret_is_usable = false;
        return SETTLE_OK;
    }
    if (!S_ISREG(st.st_mode))
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0, "not a regular file");
    if (st.st_uid != geteuid() && geteuid() != 0)
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0, "belongs to another user (uid %lu)",
                       (unsigned long)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0,
                       "others may write to it (mode %04o); chmod go-w makes it ours", (unsigned)(st.st_mode & 07777));
    if (st.st_nlink > 1) /* LMDB writes into it for a reader too */
        return fail_linked(error, name, &st);
    *ret_is_usable = faccessat(data_fd, name, R_OK | W_OK, AT_EACCESS) == 0;
    return SETTLE_OK;
}

/* Everything that must be so before LMDB opens the files. */
static settle_status prepare(int data_fd, bool write, bool *ret_without_lock, settle_error *error)
{
    bool is_empty = false, lock_is_usable = false;
    settle_status status = open_directory(data_fd, write, error);
    if (status == SETTLE_OK)
        status = store_data_check(data_fd, &is_empty, error);
    if (status == SETTLE_OK && write && !is_empty)
        status = store_metas_rewrite(data_fd, error);
    if (status == SETTLE_OK)
        status = examine_lock(data_fd, &lock_is_usable, error);
    if (status != SETTLE_OK)
        return status;
    if (!write && is_empty)
        return fail_at(error, SETTLE_E_NOT_FOUND, STORE_DATA_FILE, 0, 0, "the store is empty");
    if (write && !lock_is_usable)
        return fail_errno(error, EACCES, STORE_DIRECTORY "/" STORE_LOCK_NAME, "cannot open the file");
    *ret_without_lock = !lock_is_usable;
    return SETTLE_OK;
}

/* Address space is reserved for the whole map, twice (store_map.c); where it is limited, most of it is left to others. */
static size_t limit_map(size_t map_bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && map_bytes > limit.rlim_cur / 8)
        return limit.rlim_cur / 8;
    return map_bytes;
}

static void format_id(const uint8_t id[16], char ret_text[33])
{
    for (int i = 0; i < 16; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", id[i]);
}

/* The store must be of this journal; reading its meta checks the format. */
static settle_status check_meta(struct store *store, const uint8_t journal_id[16], settle_error *error)
{
    struct store_snapshot *snapshot;
    settle_status status = store_snapshot_open(store, &snapshot, error);
    if (status != SETTLE_OK)
        return status;
    struct store_meta meta;
    status = store_meta_get(snapshot, &meta, error);
    store_snapshot_close(snapshot);
    if (status != SETTLE_OK || memcmp(meta.journal_id, journal_id, sizeof(meta.journal_id)) == 0)
        return status;
    char its[33], ours[33];
    format_id(meta.journal_id, its);
    format_id(journal_id, ours);
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0,
                   "the store belongs to another journal (%s; this one is %s)", its, ours);
}

settle_status store_open_mapped(int data_fd, const char *data_path, bool write, const uint8_t journal_id[16],
                                const struct mem *mem, size_t map_bytes, struct store **ret_store, settle_error *error)
{
    assert(data_fd >= 0 && data_path && journal_id);
    assert(ret_store);
    bool without_lock = false;
    settle_status status = prepare(data_fd, write, &without_lock, error);
    if (status != SETTLE_OK)
        return status;
    size_t path_bytes = strlen(data_path) + sizeof("/" STORE_DIRECTORY);
    char *path = mem_alloc(mem, path_bytes, 1);
    if (!path)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the store's path");
    (void)snprintf(path, path_bytes, "%s/" STORE_DIRECTORY, data_path);
    struct store_meta first_meta = {.account_count = 0};
    memcpy(first_meta.journal_id, journal_id, sizeof(first_meta.journal_id));
    uint8_t first_value[STORE_META_VALUE_BYTES];
    store_meta_encode(&first_meta, first_value);
    struct store_tables_options options = {
        .data_fd = data_fd,
        .path = path,
        .write = write,
        .without_lock = without_lock,
        .map_bytes = limit_map(map_bytes),
        .first_meta = {first_value, sizeof(first_value)},
    };
    struct store *store;
    status = store_tables_open(&options, mem, &store, error);
    mem_free(mem, path);
    if (status != SETTLE_OK)
        return status;
    status = check_meta(store, journal_id, error);
    if (status != SETTLE_OK) {
        store_close(store);
        return status;
    }
    *ret_store = store;
    return SETTLE_OK;
}

settle_status store_open(int data_fd, const char *data_path, bool write, const uint8_t journal_id[16],
                         const struct mem *mem, struct store **ret_store, settle_error *error)
{
    return store_open_mapped(data_fd, data_path, write, journal_id, mem, STORE_MAP_BYTES, ret_store, error);
}

settle_status store_set_aside(int data_fd, char ret_name[32], settle_error *error)
{
    char name[32];
    int number = 1;
    do {
        if (number > SET_ASIDE_MAX)
            return fail_at(error, SETTLE_E_EXISTS, STORE_DIRECTORY, 0, 0, "too many damaged stores are kept");
        int bytes = snprintf(name, sizeof(name), STORE_DIRECTORY ".damaged-%d", number++);
        assert(bytes > 0 && (size_t)bytes < sizeof(name));
    } while (file_exists_at(data_fd, name));
    settle_status status = file_rename_at(data_fd, STORE_DIRECTORY, name, error);
    if (status == SETTLE_OK)
        status = dir_sync(data_fd, ".", error);
    if (status != SETTLE_OK)
        return status;
    memcpy(ret_name, name, sizeof(name));
    return SETTLE_OK;
}
