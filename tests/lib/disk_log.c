/*
 * disk_log.c — the calls of disk_log.h, which stand in front of the C library's because they are the program's own.
 *
 * Owns: the recording under way. Invariants: while there is none, each call does exactly what the function behind it does,
 * errno included. While there is one, a call and its note are one step under `mutex`.
 *
 * Not part of trap.c: it must look at names and ends of files before a call as well as behind it, and each call below the root,
 * whatever becomes of it, is made under one lock. In trap.c every other test would pay for that, and a name would be looked up
 * where a test counts such calls.
 */
/* What is built hidden, LMDB does not find: without this its calls would go past us, and no test would notice. */
#pragma GCC visibility push(default)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "tests/lib/disk_log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/disk_log_file.h"
#include "tests/lib/plain.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct disk_log *_Atomic recording;
static disk_fault fault_decide;
static void *fault_context;

/* The function of this name behind ours. */
static void next(const char *name, void *ret_function)
{
    void *function = dlsym(RTLD_NEXT, name);
    CHECK(function != NULL);
    memcpy(ret_function, &function, sizeof function);
}

/* Declares `real`: the function behind name, found once. */
#define REAL(result, name, parameters)                                                                                 \
    static result(*_Atomic real) parameters;                                                                           \
    if (real == NULL) {                                                                                                \
        result(*found) parameters;                                                                                     \
        next(#name, &found);                                                                                           \
        real = found;                                                                                                  \
    }

/* Whether something is recorded; then the lock is held until leave(). */
static bool enter(void)
{
    if (recording == NULL)
        return false;
    pthread_mutex_lock(&mutex);
    if (recording != NULL)
        return true;
    pthread_mutex_unlock(&mutex);
    return false;
}

/* errno as the call left it. */
static void leave(int cause)
{
    pthread_mutex_unlock(&mutex);
    errno = cause;
}

/* ---- Which file ---- */

static uint32_t node_of(const struct stat *status)
{
    for (uint32_t i = recording->node_count; i-- > 0;)
        if (recording->nodes[i].inode == status->st_ino && recording->nodes[i].device == status->st_dev)
            return i;
    return DISK_NO_NODE;
}

static uint32_t node_of_fd(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? node_of(&status) : DISK_NO_NODE;
}

/* A name below a directory: that directory's node, and what follows the last '/'. */
struct place {
    uint32_t dir, node; /* DISK_NO_NODE: not below the root; there is none of this name */
    const char *name;
};

static struct place place_of(int fd, const char *path)
{
    struct place place = {DISK_NO_NODE, DISK_NO_NODE, path};
    struct stat status;
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t count = slash == path ? 1 : (size_t)(slash - path);
        CHECK(count < sizeof parent);
        memcpy(parent, path, count);
        parent[count] = '\0';
        place.name = slash + 1;
    } else {
        strcpy(parent, ".");
    }
    if (fstatat(fd, parent, &status, 0) == 0)
        place.dir = node_of(&status);
    if (place.dir != DISK_NO_NODE && fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
        place.node = node_of(&status);
    return place;
}

static uint32_t node_add(const struct stat *status, const char *name)
{
    uint32_t old = node_of(status), node = disk_log_node(recording, S_ISDIR(status->st_mode), name);
    if (old != DISK_NO_NODE)
        recording->nodes[old].inode = 0; /* the number of one that was removed */
    recording->nodes[node].device = status->st_dev;
    recording->nodes[node].inode = status->st_ino;
    return node;
}

static void note(const struct disk_call *call)
{
    disk_log_add(recording, call);
}

static void note_create(uint32_t dir, const char *name, const struct stat *status)
{
    note(&(struct disk_call){.op = DISK_CREATE,
                             .dir = dir,
                             .name = (char *)name,
                             .node = node_add(status, name),
                             .offset = status->st_mode & 07777});
}

static int decide(enum disk_op op, const char *name)
{
    return fault_decide == NULL ? 0 : fault_decide(fault_context, op, name);
}

/* errno of a call that is to fail; 0: it does not. */
static int failing(int fault_found)
{
    return fault_found == DISK_FAULT_DEAD ? EIO : fault_found > 0 ? fault_found : 0;
}

static int decide_node(enum disk_op op, uint32_t node)
{
    return node == DISK_NO_NODE ? 0 : decide(op, recording->nodes[node].name);
}

/* ---- Beginning and end ---- */

static void note_content(uint32_t node, int fd, size_t count)
{
    uint8_t *bytes = malloc(count + 1);
    CHECK(bytes != NULL && pread(fd, bytes, count, 0) == (ssize_t)count);
    if (count > 0)
        note(&(struct disk_call){.op = DISK_WRITE, .node = node, .count = count, .bytes = bytes});
    note(&(struct disk_call){.op = DISK_SYNC, .node = node});
    free(bytes);
}

/* What a directory holds, as if it had just been made and synced. */
static void note_tree(uint32_t dir, int fd)
{
    DIR *stream = fdopendir(fd);
    CHECK(stream != NULL);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int child = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        CHECK(child >= 0 && fstat(child, &status) == 0);
        note_create(dir, entry->d_name, &status);
        uint32_t node = recording->node_count - 1;
        if (S_ISDIR(status.st_mode)) {
            note_tree(node, child);
        } else {
            note_content(node, child, (size_t)status.st_size);
            close(child);
        }
    }
    note(&(struct disk_call){.op = DISK_SYNC_NAMES, .node = dir});
    closedir(stream);
}

void disk_log_start(const char *root)
{
    struct stat status;
    struct disk_log *log = disk_log_new();
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    disk_log_node(log, true, "");
    log->nodes[DISK_ROOT].device = status.st_dev;
    log->nodes[DISK_ROOT].inode = status.st_ino;
    pthread_mutex_lock(&mutex);
    CHECK(recording == NULL);
    recording = log; /* the tree is read with calls that are not noted */
    note_tree(DISK_ROOT, fd);
    log->first = log->count;
    pthread_mutex_unlock(&mutex);
}

struct disk_log *disk_log_stop(void)
{
    CHECK(enter());
    struct disk_log *log = recording;
    recording = NULL;
    leave(errno);
    return log;
}

void disk_log_mark(uint64_t value)
{
    if (!enter())
        return;
    note(&(struct disk_call){.op = DISK_MARK, .offset = value});
    leave(errno);
}

void disk_log_faults(disk_fault decide_one, void *context)
{
    pthread_mutex_lock(&mutex);
    fault_decide = decide_one;
    fault_context = context;
    pthread_mutex_unlock(&mutex);
}

/* ---- Writes ---- */

static void note_write(int fd, uint32_t node, const void *bytes, ssize_t taken, off_t offset)
{
    if (taken <= 0 || node == DISK_NO_NODE)
        return;
    struct disk_call call = {
        .op = DISK_WRITE, .node = node, .offset = (uint64_t)offset, .count = (size_t)taken, .bytes = (uint8_t *)bytes};
    note(&call);
    int flags = fcntl(fd, F_GETFL);
    if ((flags & O_DSYNC) == 0)
        return;
    call.op = DISK_SYNC_RANGE;
    call.bytes = NULL;
    note(&call);
}

/* How much of it is to be written; -1 and errno. */
static ssize_t allowed(uint32_t node, size_t count)
{
    int fault = decide_node(DISK_WRITE, node);
    if (failing(fault) != 0) {
        errno = failing(fault);
        return -1;
    }
    return (ssize_t)(fault == 0 ? count : (count + 1) / 2);
}

static bool appends(int fd, off_t *ret_end)
{
    struct stat status;
    if ((fcntl(fd, F_GETFL) & O_APPEND) == 0 || fstat(fd, &status) != 0)
        return false;
    *ret_end = status.st_size;
    return true;
}

/* Where a write without an offset goes. */
static off_t offset_of(int fd)
{
    off_t end;
    return appends(fd, &end) ? end : lseek(fd, 0, SEEK_CUR);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    REAL(ssize_t, pwrite, (int, const void *, size_t, off_t))
    if (!enter())
        return real(fd, bytes, count, offset);
    uint32_t node = node_of_fd(fd);
    off_t where = offset;
    if (node != DISK_NO_NODE)
        (void)appends(fd, &where); /* Linux: whatever the offset says */
    ssize_t taken = allowed(node, count);
    if (taken >= 0)
        taken = real(fd, bytes, (size_t)taken, offset);
    int cause = errno;
    note_write(fd, node, bytes, taken, where);
    leave(cause);
    return taken;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(ssize_t, write, (int, const void *, size_t))
    if (!enter())
        return real(fd, bytes, count);
    uint32_t node = node_of_fd(fd);
    off_t offset = node == DISK_NO_NODE ? 0 : offset_of(fd);
    ssize_t taken = allowed(node, count);
    if (taken >= 0)
        taken = real(fd, bytes, (size_t)taken);
    int cause = errno;
    note_write(fd, node, bytes, taken, offset);
    leave(cause);
    return taken;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    REAL(ssize_t, writev, (int, const struct iovec *, int))
    if (!enter())
        return real(fd, pieces, count);
    uint32_t node = node_of_fd(fd);
    off_t offset = node == DISK_NO_NODE ? 0 : offset_of(fd);
    size_t whole = 0, at = 0;
    for (int i = 0; i < count; i++)
        whole += pieces[i].iov_len;
    ssize_t taken = allowed(node, whole);
    if (taken == (ssize_t)whole)
        taken = real(fd, pieces, count);
    else if (taken >= 0)
        taken = real(fd, pieces, 1); /* short enough */
    int cause = errno;
    for (int i = 0; i < count && taken > (ssize_t)at; i++) {
        size_t part = (size_t)taken - at < pieces[i].iov_len ? (size_t)taken - at : pieces[i].iov_len;
        note_write(fd, node, pieces[i].iov_base, (ssize_t)part, offset + (off_t)at);
        at += part;
    }
    leave(cause);
    return taken;
}

/* ---- Syncs and lengths ---- */

static int sync_with(int (*real)(int), int fd)
{
    uint32_t node = node_of_fd(fd);
    bool is_directory = node != DISK_NO_NODE && recording->nodes[node].is_directory;
    enum disk_op op = is_directory ? DISK_SYNC_NAMES : DISK_SYNC;
    int fault = decide_node(op, node), error = failing(fault);
    int failed = error != 0 ? -1 : real(fd), cause = error != 0 ? error : errno;
    if (node != DISK_NO_NODE && fault != DISK_FAULT_DEAD && (failed == 0 || !is_directory))
        note(&(struct disk_call){.op = failed == 0 ? op : DISK_SYNC_LOST, .node = node});
    leave(cause);
    return failed;
}

int fdatasync(int fd)
{
    REAL(int, fdatasync, (int))
    return enter() ? sync_with(real, fd) : real(fd);
}

int fsync(int fd)
{
    REAL(int, fsync, (int))
    return enter() ? sync_with(real, fd) : real(fd);
}

int msync(void *address, size_t length, int flags)
{
    REAL(int, msync, (void *, size_t, int))
    CHECK(recording == NULL); /* whoever syncs a mapping has written through it, and we have not seen that */
    return real(address, length, flags);
}

int ftruncate(int fd, off_t length)
{
    REAL(int, ftruncate, (int, off_t))
    if (!enter())
        return real(fd, length);
    uint32_t node = node_of_fd(fd);
    int fault = failing(decide_node(DISK_RESIZE, node));
    int failed = fault > 0 ? -1 : real(fd, length), cause = fault > 0 ? fault : errno;
    if (failed == 0 && node != DISK_NO_NODE)
        note(&(struct disk_call){.op = DISK_RESIZE, .node = node, .offset = (uint64_t)length});
    leave(cause);
    return failed;
}

/* Only what adds length; holes and the like are for nobody here. */
static void note_allocated(int fd, uint32_t node, off_t end)
{
    struct stat status;
    if (node != DISK_NO_NODE && fstat(fd, &status) == 0 && status.st_size == end)
        note(&(struct disk_call){.op = DISK_RESIZE, .node = node, .offset = (uint64_t)end});
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    REAL(int, fallocate, (int, int, off_t, off_t))
    if (!enter())
        return real(fd, mode, offset, length);
    uint32_t node = node_of_fd(fd);
    CHECK(node == DISK_NO_NODE || mode == 0);
    int fault = failing(decide_node(DISK_RESIZE, node));
    int failed = fault > 0 ? -1 : real(fd, mode, offset, length), cause = fault > 0 ? fault : errno;
    if (failed == 0)
        note_allocated(fd, node, offset + length);
    leave(cause);
    return failed;
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}

/* ---- Names ---- */

/* The real call's result; 0 and a note, or -1 and errno. */
static int named(int failed, const struct disk_call *call)
{
    int cause = errno;
    if (failed == 0 && call->dir != DISK_NO_NODE)
        note(call);
    leave(cause);
    return failed;
}

static bool is_refused(enum disk_op op, const struct place *place)
{
    int fault = place->dir == DISK_NO_NODE ? 0 : failing(decide(op, place->name));
    if (fault == 0)
        return false;
    errno = fault;
    return true;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    REAL(int, renameat, (int, const char *, int, const char *))
    if (!enter())
        return real(from_fd, from, to_fd, to);
    struct place source = place_of(from_fd, from), target = place_of(to_fd, to);
    CHECK((source.dir == DISK_NO_NODE) == (target.dir == DISK_NO_NODE)); /* in and out of the root: not recorded */
    int failed = is_refused(DISK_RENAME, &target) ? -1 : real(from_fd, from, to_fd, to);
    if (failed == 0 && source.node != DISK_NO_NODE) {
        free(recording->nodes[source.node].name);
        recording->nodes[source.node].name = disk_copy(target.name, strlen(target.name) + 1);
    }
    return named(failed, &(struct disk_call){.op = DISK_RENAME,
                                             .dir = source.dir,
                                             .name = (char *)source.name,
                                             .to_dir = target.dir,
                                             .to = (char *)target.name,
                                             .node = source.node});
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int fd, const char *path, int flags)
{
    REAL(int, unlinkat, (int, const char *, int))
    if (!enter())
        return real(fd, path, flags);
    struct place place = place_of(fd, path);
    int failed = is_refused(DISK_REMOVE, &place) ? -1 : real(fd, path, flags);
    return named(failed, &(struct disk_call){
                             .op = DISK_REMOVE, .dir = place.dir, .name = (char *)place.name, .node = place.node});
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    REAL(int, mkdirat, (int, const char *, mode_t))
    if (!enter())
        return real(fd, path, mode);
    struct place place = place_of(fd, path);
    struct stat status;
    int failed = is_refused(DISK_CREATE, &place) ? -1 : real(fd, path, mode), cause = errno;
    if (failed == 0 && place.dir != DISK_NO_NODE && fstatat(fd, path, &status, 0) == 0)
        note_create(place.dir, place.name, &status);
    leave(cause);
    return failed;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* What an open has made or emptied. */
static void note_open(const struct place *place, int fd, int flags)
{
    struct stat status;
    if (fd < 0 || place->dir == DISK_NO_NODE || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return;
    if (place->node == DISK_NO_NODE)
        note_create(place->dir, place->name, &status);
    else if ((flags & O_TRUNC) != 0)
        note(&(struct disk_call){.op = DISK_RESIZE, .node = place->node});
}

int openat(int fd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(int, openat, (int, const char *, int, ...))
    if ((flags & (O_CREAT | O_TRUNC)) == 0 || !enter())
        return real(fd, path, flags, mode);
    struct place place = place_of(fd, path);
    bool creates = place.node == DISK_NO_NODE && (flags & O_CREAT) != 0;
    int opened = creates && is_refused(DISK_CREATE, &place) ? -1 : real(fd, path, flags, mode), cause = errno;
    note_open(&place, opened, flags);
    leave(cause);
    return opened;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, path, flags, mode);
}
