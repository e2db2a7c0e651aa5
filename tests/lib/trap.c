/*
 * trap.c — the calls of trap.h, which stand in front of the C library's because they are the program's own.
 *
 * Invariant: while no trap is set, each does exactly what the function behind it does, errno included.
 */
/* What is built hidden, LMDB does not find: without this its calls would go past us, and no test would notice. */
#pragma GCC visibility push(default)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "tests/lib/trap.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR_BYTES 512u

static struct trap armed;
static char place[4096];
static atomic_bool is_armed;
static _Atomic uint64_t call_count;
static _Atomic uint64_t trap_number; /* how many were set */
static _Thread_local uint64_t was_short_in; /* number of the trap that cut a write of this thread and has yet to fail one */

void trap_set(const struct trap *trap)
{
    assert(!is_armed && trap->calls != 0);
    trap_number++;
    armed = *trap;
    call_count = 0;
    place[0] = '\0';
    is_armed = true;
}

uint64_t trap_clear(void)
{
    is_armed = false;
    return call_count;
}

bool trap_was_met(void)
{
    return armed.index != 0 && call_count >= armed.index;
}

const char *trap_place(void)
{
    return place;
}

/* What a call has to do. */
enum verdict { PASS, FAIL, HALF, HALF_AND_DIE };

static enum verdict judge(unsigned call)
{
    if (!is_armed || (armed.calls & call) == 0)
        return PASS;
    uint64_t number = ++call_count;
    if (call == TRAP_WRITES && was_short_in == trap_number) {
        was_short_in = 0;
        return FAIL;
    }
    if (armed.index == 0 || number < armed.index)
        return PASS;
    bool is_it = number == armed.index;
    switch (armed.action) {
    case TRAP_ONCE: return is_it ? FAIL : PASS;
    case TRAP_FROM_NOW: return FAIL;
    case TRAP_SHORT:
        if (!is_it)
            return PASS;
        if (call != TRAP_WRITES)
            return FAIL;
        was_short_in = trap_number;
        return HALF;
    case TRAP_SHORT_ONLY: return is_it && call == TRAP_WRITES ? HALF : PASS;
    case TRAP_KILL:
    case TRAP_KILL_SHORT:
        if (!is_it)
            return PASS;
        if (armed.action == TRAP_KILL_SHORT && call == TRAP_WRITES)
            return HALF_AND_DIE;
        raise(SIGKILL);
        abort();
    default: abort();
    }
}

/* Where a call was met: its descriptor's path, and a name in there or alone. */
static void note_place(int fd, const char *name)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = fd < 0 ? 0 : readlink(link, place, sizeof place - 1);
    place[length > 0 ? length : 0] = '\0';
    size_t used = strlen(place);
    if (name != NULL)
        snprintf(place + used, sizeof place - used, "/%s", name);
}

static int failed(int fd, const char *name)
{
    note_place(fd, name);
    errno = armed.error;
    return -1;
}

static bool is_regular(int fd)
{
    struct stat status;
    int before = errno;
    bool result = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    errno = before;
    return result;
}

/* The function of this name behind ours. */
static void next(const char *name, void *ret_function)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
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

/* Defines `int name parameters`, which calls the function behind it as real(arguments) unless it has to fail. `fd` and
 * `path` say where. */
#define PASS_OR_FAIL(call, name, parameters, arguments, fd, path)                                                      \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(int, name, parameters)                                                                                    \
        return judge(call) == FAIL ? failed(fd, path) : real arguments;                                                \
    }

static enum verdict judge_write(int fd)
{
    return is_armed && is_regular(fd) ? judge(TRAP_WRITES) : PASS;
}

/* Where a write stops half-way: as a disk does, between two sectors, when the process is to die of it. */
static size_t half_of(size_t count, off_t offset, enum verdict verdict)
{
    size_t half = (count + 1) / 2;
    if (verdict != HALF_AND_DIE)
        return half;
    uint64_t end = ((uint64_t)offset + half) / SECTOR_BYTES * SECTOR_BYTES;
    return end > (uint64_t)offset ? (size_t)(end - (uint64_t)offset) : 0;
}

/* ---- Writes ---- */

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    REAL(ssize_t, pwrite, (int, const void *, size_t, off_t))
    enum verdict verdict = judge_write(fd);
    if (verdict == FAIL)
        return failed(fd, NULL);
    if (verdict == PASS)
        return real(fd, bytes, count, offset);
    note_place(fd, NULL);
    ssize_t taken = real(fd, bytes, half_of(count, offset, verdict), offset);
    if (verdict == HALF_AND_DIE)
        raise(SIGKILL);
    return taken;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(ssize_t, write, (int, const void *, size_t))
    enum verdict verdict = judge_write(fd);
    if (verdict == FAIL)
        return failed(fd, NULL);
    if (verdict == PASS)
        return real(fd, bytes, count);
    note_place(fd, NULL);
    ssize_t taken = real(fd, bytes, half_of(count, lseek(fd, 0, SEEK_CUR), verdict));
    if (verdict == HALF_AND_DIE)
        raise(SIGKILL);
    return taken;
}

/* Half of them is the first piece alone, or half of it. */
static ssize_t write_first(int fd, const struct iovec *pieces, int count, enum verdict verdict)
{
    REAL(ssize_t, write, (int, const void *, size_t))
    size_t first = count > 1 ? pieces[0].iov_len : half_of(pieces[0].iov_len, lseek(fd, 0, SEEK_CUR), verdict);
    ssize_t taken = real(fd, pieces[0].iov_base, first);
    if (verdict == HALF_AND_DIE)
        raise(SIGKILL);
    return taken;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    REAL(ssize_t, writev, (int, const struct iovec *, int))
    enum verdict verdict = judge_write(fd);
    if (verdict == FAIL)
        return failed(fd, NULL);
    if (verdict == PASS)
        return real(fd, pieces, count);
    note_place(fd, NULL);
    return write_first(fd, pieces, count, verdict);
}

/* ---- Syncs, lengths, names ---- */

PASS_OR_FAIL(TRAP_SYNCS, fdatasync, (int fd), (fd), fd, NULL)
PASS_OR_FAIL(TRAP_SYNCS, fsync, (int fd), (fd), fd, NULL)
PASS_OR_FAIL(TRAP_SYNCS, msync, (void *address, size_t length, int flags), (address, length, flags), -1, "a map")
PASS_OR_FAIL(TRAP_TRUNCATES, ftruncate, (int fd, off_t length), (fd, length), fd, NULL)
PASS_OR_FAIL(TRAP_TRUNCATES, fallocate, (int fd, int mode, off_t from, off_t length), (fd, mode, from, length), fd,
             NULL)
PASS_OR_FAIL(TRAP_NAMES, rename, (const char *from, const char *to), (from, to), -1, from)
PASS_OR_FAIL(TRAP_NAMES, renameat, (int from_fd, const char *from, int to_fd, const char *to),
             (from_fd, from, to_fd, to), from_fd, from)
PASS_OR_FAIL(TRAP_NAMES, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
             (from_fd, from, to_fd, to, flags), from_fd, from)
PASS_OR_FAIL(TRAP_NAMES, unlink, (const char *path), (path), -1, path)
PASS_OR_FAIL(TRAP_NAMES, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), fd, path)
PASS_OR_FAIL(TRAP_NAMES, mkdir, (const char *path, mode_t mode), (path, mode), -1, path)
PASS_OR_FAIL(TRAP_NAMES, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), fd, path)

int posix_fallocate(int fd, off_t from, off_t length)
{
    REAL(int, posix_fallocate, (int, off_t, off_t))
    if (judge(TRAP_TRUNCATES) != FAIL)
        return real(fd, from, length);
    note_place(fd, NULL);
    return armed.error;
}

/* ---- Maps, threads ---- */

/* Anonymous maps are the allocator's. */
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    REAL(void *, mmap, (void *, size_t, int, int, int, off_t))
    if (fd < 0 || judge(TRAP_MAPS) != FAIL)
        return real(address, length, protection, flags, fd, offset);
    failed(fd, NULL);
    return MAP_FAILED;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    REAL(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
    if (judge(TRAP_THREADS) != FAIL)
        return real(thread, attributes, run, argument);
    note_place(-1, "a thread");
    return armed.error;
}

/* ---- Reads, opens ---- */

ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    REAL(ssize_t, pread, (int, void *, size_t, off_t))
    if (is_armed && is_regular(fd) && judge(TRAP_READS) == FAIL)
        return failed(fd, NULL);
    return real(fd, bytes, count, offset);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(int, open, (const char *, int, ...))
    return judge(TRAP_OPENS) == FAIL ? failed(-1, path) : real(path, flags, mode);
}

int openat(int fd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    REAL(int, openat, (int, const char *, int, ...))
    return judge(TRAP_OPENS) == FAIL ? failed(fd, path) : real(fd, path, flags, mode);
}
