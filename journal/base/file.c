/*
 * file.c — every system call on files that journal and engine make.
 *
 * Invariants
 *   EINTR is retried, except by close(2), which has let go of the descriptor by then. Short reads and writes go on.
 *   A write that takes nothing is an I/O error, or the loop would never end.
 *   Names are opened below a directory's descriptor, without following a symbolic link in the last place, and are
 *   trusted only after fstat(2): of the right kind, ours, and nobody else may write there. Root may read what is another's,
 *   never write it. What is written to has one name: through a second one (a hard link) it would be changed elsewhere too.
 *   What is created has its mode whatever the umask says (0700 and 0600; 0750 and 0640 where other programs read it).
 *   A failed fdatasync(2) is never tried again: Linux marks the pages clean all the same, so the second would lie.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getdents64 */
#endif
#include "journal/base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "journal/base/sort.h"

_Static_assert(sizeof(off_t) == 8, "segments and positions need 64-bit offsets");

/* O_NONBLOCK: opening a FIFO that somebody put in a file's place fails instead of waiting for ever. */
#define OPEN_FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)

static int open_retry(int dir_fd, const char *name, int flags, mode_t mode)
{
    int fd;
    do {
        fd = openat(dir_fd, name, flags, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- Directories ----------------------------------------------------------------------------------------------- */

enum trust {
    TRUST_READ = 1,   /* opened for reading: root may read another's, and a second name does no harm */
    TRUST_SHARED = 2, /* other programs work with it, and it may be theirs to write */
};

/* Whether the open `fd` is a `kind` (S_IFDIR, S_IFREG) that we may believe. */
static settle_status check_ours(int fd, const char *name, mode_t kind, unsigned trust, settle_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(error, errno, name, "cannot examine it");
    if ((st.st_mode & S_IFMT) != kind) /* a directory was opened as one: it is a file that is none */
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0, "not a regular file");
    uid_t user = geteuid();
    if (st.st_uid != user && !((trust & TRUST_READ) != 0 && user == 0))
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0, "belongs to another user (uid %lu)",
                       (unsigned long)st.st_uid);
    if ((trust & TRUST_SHARED) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0,
                       "others may write to it (mode %04o); chmod go-w makes it ours", (unsigned)(st.st_mode & 07777));
    if ((trust & TRUST_READ) == 0 && kind == S_IFREG && st.st_nlink > 1)
        return fail_at(error, SETTLE_E_ACCESS, name, 0, 0,
                       "has %lu names (hard links), and writing would change them all; give it a copy of its own",
                       (unsigned long)st.st_nlink);
    return SETTLE_OK;
}

static settle_status sync_directory(int fd, const char *name, settle_error *error)
{
    int failed;
    do {
        failed = fsync(fd);
    } while (failed != 0 && errno == EINTR);
    /* EINVAL: this file system has nothing to sync in a directory. */
    if (failed != 0 && errno != EINVAL)
        return fail_errno(error, errno, name, "cannot sync the directory");
    return SETTLE_OK;
}

/* The directory that holds `name` gets its new entry onto stable storage. */
static settle_status sync_parent(int dir_fd, const char *name, settle_error *error)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(name, '/');
    size_t bytes = slash == NULL ? 0 : slash == name ? 1 : (size_t)(slash - name);
    assert(bytes < sizeof(parent)); /* the system has just taken the whole name */
    memcpy(parent, bytes == 0 ? "." : name, bytes == 0 ? 1 : bytes);
    parent[bytes == 0 ? 1 : bytes] = '\0';
    int fd = open_retry(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno(error, errno, parent, "cannot open the directory");
    settle_status status = sync_directory(fd, parent, error);
    file_close(fd);
    return status;
}

/* Makes the directory `name`, unless another does so first. */
static settle_status make_directory(int dir_fd, const char *name, mode_t mode, bool *ret_created, settle_error *error)
{
    *ret_created = mkdirat(dir_fd, name, mode) == 0;
    if (!*ret_created)
        return errno == EEXIST ? SETTLE_OK : fail_errno(error, errno, name, "cannot create the directory");
    /* A umask may have taken the right to open it. Where this fails, opening it does and says so. */
    (void)!fchmodat(dir_fd, name, mode, AT_SYMLINK_NOFOLLOW);
    return sync_parent(dir_fd, name, error);
}

/*
 * Of a directory that was there: whoever made it may have been killed before its name was on the disk, and what comes to lie
 * in it would be lost with it. A parent that we may not read is none in which one of us could make it.
 */
static settle_status sync_found(int dir_fd, const char *name, settle_error *error)
{
    settle_error cause = {.status = SETTLE_OK};
    settle_status status = sync_parent(dir_fd, name, &cause);
    if (status == SETTLE_OK || status == SETTLE_E_ACCESS)
        return SETTLE_OK;
    if (error != NULL)
        *error = cause;
    return status;
}

settle_status dir_open_at(int dir_fd, const char *name, bool create, int *ret_fd, settle_error *error)
{
    assert(name != NULL && name[0] != '\0');
    assert(ret_fd != NULL);
    int flags = O_RDONLY | O_DIRECTORY | OPEN_FLAGS;
    bool created = false;
    int fd = open_retry(dir_fd, name, flags, 0);
    if (fd < 0 && errno == ENOENT && create) {
        settle_status status = make_directory(dir_fd, name, 0700, &created, error);
        if (status != SETTLE_OK)
            return status;
        fd = open_retry(dir_fd, name, flags, 0);
    }
    if (fd < 0) {
        bool other = errno == ENOTDIR || errno == ELOOP;
        return fail_errno(error, errno, name,
                          other ? "not a directory, or a symbolic link" : "cannot open the directory");
    }
    settle_status status = check_ours(fd, name, S_IFDIR, create ? 0 : TRUST_READ, error);
    if (status == SETTLE_OK && created && fchmod(fd, 0700) != 0)
        status = fail_errno(error, errno, name, "cannot set the directory's mode");
    if (status == SETTLE_OK && create && !created)
        status = sync_found(dir_fd, name, error);
    if (status != SETTLE_OK) {
        file_close(fd);
        return status;
    }
    *ret_fd = fd;
    return SETTLE_OK;
}

/* A path without the slashes at its end. */
static settle_status trim_path(const char *path, char ret_trimmed[PATH_MAX], settle_error *error)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    if (bytes == 0)
        return fail_errno(error, ENOENT, path, "the directory has no name");
    if (bytes >= PATH_MAX)
        return fail_errno(error, ENAMETOOLONG, path, "cannot open the directory");
    memcpy(ret_trimmed, path, bytes);
    ret_trimmed[bytes] = '\0';
    return SETTLE_OK;
}

settle_status dir_sync_parent(const char *path, settle_error *error)
{
    char trimmed[PATH_MAX];
    settle_status status = trim_path(path, trimmed, error);
    return status == SETTLE_OK ? sync_parent(AT_FDCWD, trimmed, error) : status;
}

settle_status dir_open(const char *path, bool create, int *ret_fd, settle_error *error)
{
    assert(path != NULL);
    /* Behind "link/" O_NOFOLLOW would follow: the slashes go. */
    char trimmed[PATH_MAX];
    settle_status status = trim_path(path, trimmed, error);
    return status == SETTLE_OK ? dir_open_at(AT_FDCWD, trimmed, create, ret_fd, error) : status;
}

settle_status dir_open_shared(const char *path, bool create, int *ret_fd, settle_error *error)
{
    assert(path != NULL && ret_fd != NULL);
    char trimmed[PATH_MAX];
    bool created = false;
    settle_status status = trim_path(path, trimmed, error);
    if (status != SETTLE_OK)
        return status;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open_retry(AT_FDCWD, trimmed, flags, 0);
    if (fd < 0 && errno == ENOENT && create) {
        status = make_directory(AT_FDCWD, trimmed, 0750, &created, error);
        if (status != SETTLE_OK)
            return status;
        fd = open_retry(AT_FDCWD, trimmed, flags, 0);
    }
    if (fd < 0)
        return fail_errno(error, errno, path, "cannot open the directory");
    *ret_fd = fd;
    return SETTLE_OK;
}

settle_status dir_space(int dir_fd, const char *name, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes,
                        settle_error *error)
{
    struct statvfs fs;
    int failed;
    do {
        failed = fstatvfs(dir_fd, &fs);
    } while (failed != 0 && errno == EINTR);
    if (failed != 0)
        return fail_errno(error, errno, name, "cannot tell how much space is left");
    *ret_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    return SETTLE_OK;
}

settle_status dir_sync(int dir_fd, const char *name, settle_error *error)
{
    assert(dir_fd >= 0);
    return sync_directory(dir_fd, name, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds a copy of `name`; false: no memory, and the array is as it was. */
static bool append_name(char ***names, size_t *count, size_t *capacity, const char *name, const struct mem *mem)
{
    if (*count == *capacity) {
        size_t larger = *capacity == 0 ? 16 : *capacity * 2;
        char **grown = mem_resize(mem, *names, larger, sizeof(*grown));
        if (grown == NULL)
            return false;
        *names = grown;
        *capacity = larger;
    }
    size_t bytes = strlen(name) + 1;
    char *copy = mem_resize(mem, NULL, bytes, 1);
    if (copy == NULL)
        return false;
    memcpy(copy, name, bytes);
    (*names)[(*count)++] = copy;
    return true;
}

/* What readdir(3) does, which keeps its buffer in memory of the C library's. 0 or errno. */
static int read_names(int fd, char ***names, size_t *count, const struct mem *mem)
{
    _Alignas(struct dirent64) char buffer[8192];
    size_t capacity = 0;
    for (;;) {
        ssize_t got = getdents64(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : 0;
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
            at += entry->d_reclen;
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                !append_name(names, count, &capacity, entry->d_name, mem))
                return ENOMEM;
        }
    }
}

void dir_list_free(char **take_names, size_t count, const struct mem *mem)
{
    for (size_t i = 0; i < count; i++)
        mem_free(mem, take_names[i]);
    mem_free(mem, take_names);
}

settle_status dir_list(int dir_fd, const char *name, const struct mem *mem, char ***ret_names, size_t *ret_count,
                       settle_error *error)
{
    assert(dir_fd >= 0);
    assert(ret_names != NULL && ret_count != NULL);
    /* A description of its own: reading moves the offset. */
    int fd = open_retry(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    char **names = NULL;
    size_t count = 0;
    int cause = fd < 0 ? errno : read_names(fd, &names, &count, mem);
    file_close(fd);
    if (cause != 0) {
        dir_list_free(names, count, mem);
        return fail_errno(error, cause, name, "cannot list the directory");
    }
    if (count > 1)
        sort_in_place(names, count, sizeof(*names), compare_names);
    *ret_names = names;
    *ret_count = count;
    return SETTLE_OK;
}

/* ---- Files ----------------------------------------------------------------------------------------------------- */

/* Creates `name`, which must not exist; -1 and errno. */
static int create_exclusive(int dir_fd, const char *name, mode_t permissions)
{
    int fd = open_retry(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | OPEN_FLAGS, permissions);
    if (fd >= 0 && fchmod(fd, permissions) != 0) {
        int cause = errno;
        file_close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

static int open_or_create(int dir_fd, const char *name, mode_t permissions)
{
    /* Another may create or remove it between our two attempts; nobody does so for ever. */
    for (int attempt = 0; attempt < 100; attempt++) {
        int fd = open_retry(dir_fd, name, O_RDWR | OPEN_FLAGS, 0);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = create_exclusive(dir_fd, name, permissions);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static settle_status open_checked(int dir_fd, const char *name, enum file_mode mode, unsigned permissions,
                                  unsigned trust, int *ret_fd, settle_error *error)
{
    assert(name != NULL && name[0] != '\0');
    assert(ret_fd != NULL);
    assert(mode <= FILE_CREATE_OR_WRITE);
    int fd = -1;
    switch (mode) {
    case FILE_READ: fd = open_retry(dir_fd, name, O_RDONLY | OPEN_FLAGS, 0); break;
    case FILE_WRITE: fd = open_retry(dir_fd, name, O_RDWR | OPEN_FLAGS, 0); break;
    case FILE_CREATE: fd = create_exclusive(dir_fd, name, (mode_t)permissions); break;
    default: fd = open_or_create(dir_fd, name, (mode_t)permissions); break; /* FILE_CREATE_OR_WRITE */
    }
    if (fd < 0)
        return fail_errno(error, errno, name, errno == ELOOP ? "is a symbolic link" : "cannot open the file");
    settle_status status = check_ours(fd, name, S_IFREG, trust | (mode == FILE_READ ? TRUST_READ : 0), error);
    if (status != SETTLE_OK) {
        file_close(fd);
        return status;
    }
    *ret_fd = fd;
    return SETTLE_OK;
}

settle_status file_open_at(int dir_fd, const char *name, enum file_mode mode, int *ret_fd, settle_error *error)
{
    return open_checked(dir_fd, name, mode, 0600, 0, ret_fd, error);
}

settle_status file_open_shared_at(int dir_fd, const char *name, enum file_mode mode, unsigned permissions, int *ret_fd,
                                  settle_error *error)
{
    return open_checked(dir_fd, name, mode, permissions, TRUST_SHARED, ret_fd, error);
}

static void fill_identity(const struct stat *st, struct file_identity *ret_identity)
{
    *ret_identity = (struct file_identity){.device = (uint64_t)st->st_dev,
                                           .inode = (uint64_t)st->st_ino,
                                           .bytes = (uint64_t)st->st_size,
                                           .is_regular = S_ISREG(st->st_mode)};
}

settle_status file_identify(int fd, const char *name, struct file_identity *ret_identity, settle_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(error, errno, name, "cannot examine the file");
    fill_identity(&st, ret_identity);
    return SETTLE_OK;
}

settle_status file_identify_at(int dir_fd, const char *name, struct file_identity *ret_identity, settle_error *error)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(error, errno, name, "cannot examine the file");
    fill_identity(&st, ret_identity);
    return SETTLE_OK;
}

bool file_is_same(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

settle_status file_size(int fd, const char *name, uint64_t *ret_bytes, settle_error *error)
{
    assert(ret_bytes != NULL);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(error, errno, name, "cannot examine the file");
    assert(st.st_size >= 0);
    *ret_bytes = (uint64_t)st.st_size;
    return SETTLE_OK;
}

/* fail_errno() that knows where. */
static settle_status fail_io(settle_error *error, int cause, const char *name, uint64_t offset, const char *what)
{
    settle_status status = fail_errno(error, cause, name, what);
    if (error != NULL)
        error->offset_bytes = offset;
    return status;
}

/* Whether offset … offset + count can be told to the kernel. */
static bool range_is_valid(uint64_t offset, uint64_t count)
{
    return offset <= INT64_MAX && count <= INT64_MAX - offset;
}

settle_status file_read_zeros(int fd, const char *name, uint64_t offset, void *ret_bytes, size_t count,
                              settle_error *error)
{
    assert(ret_bytes != NULL || count == 0);
    if (!range_is_valid(offset, count))
        return fail_at(error, SETTLE_E_INVALID, name, offset, 0, "no file reaches so far");
    uint8_t *at = ret_bytes;
    while (count > 0) {
        ssize_t taken = pread(fd, at, count, (off_t)offset);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0)
            return fail_io(error, errno, name, offset, "cannot read");
        if (taken == 0)
            break;
        assert((size_t)taken <= count);
        at += taken;
        offset += (uint64_t)taken;
        count -= (size_t)taken;
    }
    if (count > 0)
        memset(at, 0, count);
    return SETTLE_OK;
}

settle_status file_write(int fd, const char *name, uint64_t offset, const void *bytes, size_t count,
                         settle_error *error)
{
    assert(bytes != NULL || count == 0);
    if (!range_is_valid(offset, count))
        return fail_at(error, SETTLE_E_INVALID, name, offset, 0, "no file reaches so far");
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t taken = pwrite(fd, at, count, (off_t)offset);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            return fail_io(error, taken < 0 ? errno : EIO, name, offset, "cannot write");
        assert((size_t)taken <= count);
        at += taken;
        offset += (uint64_t)taken;
        count -= (size_t)taken;
    }
    return SETTLE_OK;
}

settle_status file_write_zeros(int fd, const char *name, uint64_t offset, uint64_t count, settle_error *error)
{
    static const uint8_t zeros[65536];
    while (count > 0) {
        size_t part = count < sizeof(zeros) ? (size_t)count : sizeof(zeros);
        settle_status status = file_write(fd, name, offset, zeros, part, error);
        if (status != SETTLE_OK)
            return status;
        offset += part;
        count -= part;
    }
    return SETTLE_OK;
}

settle_status file_truncate(int fd, const char *name, uint64_t bytes, settle_error *error)
{
    assert(bytes <= INT64_MAX);
    int failed;
    do {
        failed = ftruncate(fd, (off_t)bytes);
    } while (failed != 0 && errno == EINTR);
    return failed == 0 ? SETTLE_OK : fail_errno(error, errno, name, "cannot cut the file");
}

void file_write_out(int fd, uint64_t offset, uint64_t count)
{
    assert(fd >= 0 && offset <= INT64_MAX && count <= INT64_MAX);
    /* A failure shows at the next sync: this call neither waits for the pages nor asks how they fared. */
    (void)sync_file_range(fd, (off_t)offset, (off_t)count, SYNC_FILE_RANGE_WRITE);
}

void file_forget_cached(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

settle_status file_sync_data(int fd, const char *name, settle_error *error)
{
    int failed;
    do {
        failed = fdatasync(fd);
    } while (failed != 0 && errno == EINTR);
    return failed == 0 ? SETTLE_OK : fail_errno(error, errno, name, "cannot sync");
}

settle_status file_rename_at(int dir_fd, const char *from, const char *to, settle_error *error)
{
    assert(from != NULL && to != NULL);
    if (file_exists_at(dir_fd, to)) /* the lock keeps everybody out who could make it in between */
        return fail_errno(error, EEXIST, to, "cannot rename a file to this name");
    if (renameat(dir_fd, from, dir_fd, to) != 0)
        return fail_errno(error, errno, from, "cannot rename the file");
    return SETTLE_OK;
}

settle_status file_replace_at(int dir_fd, const char *from, const char *to, settle_error *error)
{
    assert(from != NULL && to != NULL);
    if (renameat(dir_fd, from, dir_fd, to) != 0)
        return fail_errno(error, errno, to, "cannot replace the file");
    return SETTLE_OK;
}

settle_status file_remove_at(int dir_fd, const char *name, settle_error *error)
{
    assert(name != NULL);
    if (unlinkat(dir_fd, name, 0) != 0)
        return fail_errno(error, errno, name, "cannot remove the file");
    return SETTLE_OK;
}

settle_status dir_remove_at(int dir_fd, const char *name, settle_error *error)
{
    assert(name != NULL);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0)
        return fail_errno(error, errno, name, "cannot remove the directory");
    return SETTLE_OK;
}

bool file_exists_at(int dir_fd, const char *name)
{
    assert(name != NULL);
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

settle_status file_look_at(int dir_fd, const char *name, bool *ret_exists, settle_error *error)
{
    assert(name != NULL);
    struct stat st;
    const bool exists = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists && errno != ENOENT && errno != ENOTDIR)
        return fail_errno(error, errno, name, "cannot look for the file");
    *ret_exists = exists;
    return SETTLE_OK;
}

void file_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}
