/*
 * trap.c — the calls of trap.h, which stand in front of the C library's because they are the program's own.
 *
 * Invariant: while no trap is set, each does exactly what the function behind it does, errno included.
 *
 * disk_log.c and sim_files.c stand there themselves and say why.
 */
/* What is built hidden, LMDB does not find: without this its calls would go past us, and no test would notice. */
#pragma GCC visibility push(default)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "tests/lib/trap.h"

#include <assert.h>
#include <dirent.h>
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
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR_BYTES 512u
#define TOLD (TRAP_CHANGES | TRAP_OPENS)

static struct trap armed;
static char place[4096];
static const char *_Atomic struck_name = "";
static atomic_bool is_armed, has_failed;
static _Atomic uint64_t call_count;
static _Atomic uint64_t kind_counts[17];
static _Atomic uint64_t trap_number;                      /* how many were set */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* a call and what is told of it are one */
static _Thread_local uint64_t
    was_short_in; /* number of the trap that cut a write of this thread and has yet to fail one */
static _Thread_local const char *interrupted; /* the call that was, and is on its way again */
static _Thread_local bool is_observing;

void trap_set(const struct trap *trap)
{
    assert(!is_armed && trap->calls != 0);
    trap_number++;
    armed = *trap;
    call_count = 0;
    for (size_t i = 0; i < sizeof kind_counts / sizeof *kind_counts; i++)
        kind_counts[i] = 0;
    place[0] = '\0';
    struck_name = "";
    has_failed = false;
    is_armed = true;
}

uint64_t trap_clear(void)
{
    pthread_mutex_lock(&mutex); /* nothing is told any more */
    is_armed = false;
    pthread_mutex_unlock(&mutex);
    return call_count;
}

bool trap_was_met(void)
{
    return armed.index != 0 && call_count >= armed.index;
}

bool trap_has_failed(void)
{
    return has_failed;
}

uint64_t trap_count(unsigned calls)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof kind_counts / sizeof *kind_counts; i++)
        sum += (calls >> i & 1) != 0 ? kind_counts[i] : 0;
    return sum;
}

const char *trap_place(void)
{
    return place;
}

const char *trap_name(void)
{
    return struck_name;
}

bool trap_is_set(void)
{
    return is_armed;
}

void trap_next(const char *name, void *ret_function)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    memcpy(ret_function, &function, sizeof function);
}

/* ---- What becomes of a call ---- */

struct call {
    struct trap_note note; /* `count`: how many bytes it may take, then how many it took */
    const char *function;
    const void *caller;
    int error; /* it fails with this; 0: it is made */
    bool dies; /* the process, behind it */
    bool is_told;
};

static bool is_regular(int fd)
{
    TRAP_REAL(int, fstat, (int, struct stat *))
    struct stat status;
    int before = errno;
    bool result = real(fd, &status) == 0 && S_ISREG(status.st_mode);
    errno = before;
    return result;
}

/* The path of the call's file; a name in its directory, or alone. */
static void path_of(const struct call *call, char *ret_path, size_t capacity)
{
    char link[64];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", call->note.fd);
    ssize_t length = call->note.fd < 0 ? 0 : readlink(link, ret_path, capacity - 1);
    ret_path[length > 0 ? length : 0] = '\0';
    size_t used = strlen(ret_path);
    if (call->note.name != NULL)
        snprintf(ret_path + used, capacity - used, "/%s", call->note.name);
    errno = before;
}

/* Between the first and the last byte of the program's own code. */
static bool is_ours(const void *caller)
{
    extern const char __executable_start, etext;
    return (uintptr_t)caller >= (uintptr_t)&__executable_start && (uintptr_t)caller < (uintptr_t)&etext;
}

/* Pipes and terminals are not for tests of files, anonymous maps are the allocator's. */
static bool is_of_file(const struct call *call)
{
    unsigned kind = call->note.call;
    return (kind & (TRAP_WRITES | TRAP_READS)) != 0 ? is_regular(call->note.fd)
                                                    : kind != TRAP_MAPS || call->note.fd >= 0;
}

static bool counts(const struct call *call)
{
    char path[sizeof place];
    if ((armed.is_ours || call->note.call == TRAP_LMDB) && !is_ours(call->caller))
        return false;
    if (armed.path_end == NULL)
        return true;
    path_of(call, path, sizeof path);
    size_t count = strlen(path), end = strlen(armed.path_end);
    return count >= end && strcmp(path + count - end, armed.path_end) == 0;
}

static void strike(struct call *call, int error)
{
    call->error = error;
    has_failed = has_failed || error != 0;
    struck_name = call->function;
    path_of(call, place, sizeof place);
}

static void fail(struct call *call)
{
    int usual = call->note.call == TRAP_THREADS ? EAGAIN : call->note.call == TRAP_MAPS ? ENOMEM : EIO;
    strike(call, armed.error != 0 ? armed.error : usual);
}

/* A part of a write's or read's bytes. */
static void shorten(struct call *call)
{
    size_t part = armed.bytes != 0 ? armed.bytes : (call->note.count + 1) / 2;
    if (part < call->note.count)
        call->note.count = part;
}

/* As a disk does, between two sectors, when the process is to die of it. */
static void shorten_to_sectors(struct call *call)
{
    uint64_t begin = call->note.offset, end = (begin + (call->note.count + 1) / 2) / SECTOR_BYTES * SECTOR_BYTES;
    call->note.count = end > begin ? (size_t)(end - begin) : 0;
}

static void interrupt(struct call *call)
{
    bool is_again = interrupted == call->function;
    interrupted = is_again ? NULL : call->function;
    if (!is_again)
        strike(call, EINTR);
}

/* The call of the index. */
static void meet(struct call *call)
{
    bool is_write = call->note.call == TRAP_WRITES,
         is_short = armed.action == TRAP_SHORT || armed.action == TRAP_SHORT_ONLY;
    if (is_write && is_short) {
        was_short_in = armed.action == TRAP_SHORT ? trap_number : 0;
        strike(call, 0);
        shorten(call);
    } else if (armed.action == TRAP_KILL || (armed.action == TRAP_KILL_SHORT && !is_write)) {
        raise(SIGKILL);
        abort();
    } else if (armed.action == TRAP_KILL_SHORT) {
        call->dies = true;
        shorten_to_sectors(call);
    } else if (armed.action != TRAP_SHORT_ONLY) {
        fail(call);
    }
}

static void judge(struct call *call)
{
    bool is_transfer = (call->note.call & (TRAP_WRITES | TRAP_READS)) != 0;
    kind_counts[__builtin_ctz(call->note.call)]++;
    if ((armed.calls & call->note.call) == 0)
        return;
    uint64_t number = ++call_count;
    if (armed.action == TRAP_INTERRUPT) {
        interrupt(call);
    } else if (armed.action == TRAP_SHORT_ALL) {
        if (is_transfer)
            shorten(call);
    } else if (call->note.call == TRAP_WRITES && was_short_in == trap_number) {
        was_short_in = 0;
        fail(call);
    } else if (armed.index != 0 && number >= armed.index) {
        if (number == armed.index)
            meet(call);
        else if (armed.action == TRAP_FROM_NOW)
            fail(call);
    }
}

/* Whether the call is to be made; else errno is set. Each is followed by end(). */
static bool begin(struct call *call)
{
    if (!is_armed || is_observing || !is_of_file(call))
        return true;
    call->is_told = armed.observe != NULL && (call->note.call & TOLD) != 0;
    if (call->is_told)
        pthread_mutex_lock(&mutex);
    if (is_armed && counts(call))
        judge(call);
    if (call->error != 0)
        errno = call->error;
    return call->error == 0;
}

/* Tells what came of it. */
static int end(struct call *call, int result)
{
    int cause = errno;
    if (call->dies)
        raise(SIGKILL);
    if (!call->is_told)
        return result;
    bool is_lost = call->note.call == TRAP_FDATASYNCS && call->error != 0;
    if (is_lost)
        call->note.call = TRAP_SYNC_LOST;
    is_observing = true;
    if (is_armed && (result >= 0 || is_lost))
        armed.observe(armed.context, &call->note);
    is_observing = false;
    pthread_mutex_unlock(&mutex);
    errno = cause;
    return result;
}

int trap_judge(unsigned kind, const char *name, const void *caller)
{
    struct call call = {.note = {.call = kind, .fd = -1}, .function = name, .caller = caller};
    (void)begin(&call);
    return call.error;
}

/* Defines `result name parameters`, which calls the function behind it as real(arguments) unless it has to fail. `...`: what
 * the note says of it. */
#define PASS_OR_FAIL(kind, result, failed, name, parameters, arguments, ...)                                           \
    result name parameters                                                                                             \
    {                                                                                                                  \
        TRAP_REAL(result, name, parameters)                                                                            \
        struct call call = {.note = {.call = kind, __VA_ARGS__}, .function = #name, .caller = TRAP_CALLER};            \
        result made = begin(&call) ? real arguments : failed;                                                          \
        (void)end(&call, made == failed ? -1 : 0);                                                                     \
        return made;                                                                                                   \
    }
#define INT_OR_FAIL(kind, name, parameters, arguments, ...)                                                            \
    PASS_OR_FAIL(kind, int, -1, name, parameters, arguments, __VA_ARGS__)

/* ---- Writes, reads ---- */

/* Defines a function that takes or gives bytes. */
#define TRANSFER(kind, name, parameters, arguments, at)                                                                \
    ssize_t name parameters                                                                                            \
    {                                                                                                                  \
        TRAP_REAL(ssize_t, name, parameters)                                                                           \
        struct call call = {.note = {.call = kind, .fd = fd, .bytes = bytes, .count = count},                          \
                            .function = #name,                                                                         \
                            .caller = TRAP_CALLER};                                                                    \
        if (is_armed)                                                                                                  \
            call.note.offset = (uint64_t)(at);                                                                         \
        ssize_t taken = begin(&call) ? real arguments : -1;                                                            \
        call.note.count = taken < 0 ? 0 : (size_t)taken;                                                               \
        (void)end(&call, taken < 0 ? -1 : 0);                                                                          \
        return taken;                                                                                                  \
    }

TRANSFER(TRAP_WRITES, pwrite, (int fd, const void *bytes, size_t count, off_t offset),
         (fd, bytes, call.note.count, offset), offset)
TRANSFER(TRAP_WRITES, write, (int fd, const void *bytes, size_t count), (fd, bytes, call.note.count),
         lseek(fd, 0, SEEK_CUR))
TRANSFER(TRAP_READS, pread, (int fd, void *bytes, size_t count, off_t offset), (fd, bytes, call.note.count, offset),
         offset)
TRANSFER(TRAP_READS, read, (int fd, void *bytes, size_t count), (fd, bytes, call.note.count), 0)

/* A part of them is one of the first piece. An observer is not told the bytes. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    TRAP_REAL(ssize_t, writev, (int, const struct iovec *, int))
    struct call call = {.note = {.call = TRAP_WRITES, .fd = fd}, .function = "writev", .caller = TRAP_CALLER};
    for (int i = 0; i < count; i++)
        call.note.count += pieces[i].iov_len;
    if (is_armed)
        call.note.offset = (uint64_t)lseek(fd, 0, SEEK_CUR);
    size_t whole = call.note.count;
    ssize_t taken = -1;
    if (begin(&call)) {
        size_t part = call.note.count, first = count > 0 && pieces[0].iov_len < part ? pieces[0].iov_len : part;
        taken = part == whole ? real(fd, pieces, count) : real(fd, &(struct iovec){pieces[0].iov_base, first}, 1);
    }
    call.note.count = taken < 0 ? 0 : (size_t)taken;
    (void)end(&call, taken < 0 ? -1 : 0);
    return taken;
}

/* ---- Syncs, lengths, names ---- */

INT_OR_FAIL(TRAP_FDATASYNCS, fdatasync, (int fd), (fd), .fd = fd)
INT_OR_FAIL(TRAP_FSYNCS, fsync, (int fd), (fd), .fd = fd)
INT_OR_FAIL(TRAP_MSYNCS, msync, (void *address, size_t length, int flags), (address, length, flags), .fd = -1,
            .name = "a map")
INT_OR_FAIL(TRAP_TRUNCATES, ftruncate, (int fd, off_t length), (fd, length), .fd = fd)
INT_OR_FAIL(TRAP_TRUNCATES, fallocate, (int fd, int mode, off_t from, off_t length), (fd, mode, from, length), .fd = fd)
INT_OR_FAIL(TRAP_RENAMES, rename, (const char *from, const char *to), (from, to), .fd = AT_FDCWD, .name = from,
            .to = to)
INT_OR_FAIL(TRAP_RENAMES, renameat, (int from_fd, const char *from, int to_fd, const char *to),
            (from_fd, from, to_fd, to), .fd = from_fd, .name = from, .to = to)
INT_OR_FAIL(TRAP_RENAMES, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
            (from_fd, from, to_fd, to, flags), .fd = from_fd, .name = from, .to = to)
INT_OR_FAIL(TRAP_REMOVES, unlink, (const char *path), (path), .fd = AT_FDCWD, .name = path)
INT_OR_FAIL(TRAP_REMOVES, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), .fd = fd, .name = path)
INT_OR_FAIL(TRAP_MKDIRS, mkdir, (const char *path, mode_t mode), (path, mode), .fd = AT_FDCWD, .name = path)
INT_OR_FAIL(TRAP_MKDIRS, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), .fd = fd, .name = path)

int posix_fallocate(int fd, off_t from, off_t length)
{
    TRAP_REAL(int, posix_fallocate, (int, off_t, off_t))
    struct call call = {
        .note = {.call = TRAP_TRUNCATES, .fd = fd}, .function = "posix_fallocate", .caller = TRAP_CALLER};
    int error = begin(&call) ? real(fd, from, length) : call.error;
    (void)end(&call, error == 0 ? 0 : -1);
    return error;
}

/* ---- Opens ---- */

#define OPEN(open_any, parameters, arguments, directory)                                                               \
    int open_any parameters                                                                                            \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;                                               \
        va_end(rest);                                                                                                  \
        TRAP_REAL(int, open_any, parameters)                                                                           \
        struct call call = {                                                                                           \
            .note = {.call = TRAP_OPENS, .fd = directory, .creates = (flags & O_CREAT) != 0, .name = path},            \
            .function = #open_any,                                                                                     \
            .caller = TRAP_CALLER};                                                                                    \
        call.note.fd = begin(&call) ? real arguments : -1;                                                             \
        return end(&call, call.note.fd);                                                                               \
    }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(openat, (int fd, const char *path, int flags, ...), (fd, path, flags, mode), fd)

/* ---- Maps, threads ---- */

PASS_OR_FAIL(TRAP_MAPS, void *, MAP_FAILED, mmap,
             (void *address, size_t length, int protection, int flags, int fd, off_t offset),
             (address, length, protection, flags, fd, offset), .fd = fd)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    TRAP_REAL(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
    int error = trap_judge(TRAP_THREADS, "pthread_create", TRAP_CALLER);
    return error != 0 ? error : real(thread, attributes, run, argument);
}

/* ---- What only looks, or waits ---- */

int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    TRAP_REAL(int, fcntl, (int, int, ...))
    bool is_quick = command == F_SETFD || command == F_GETFD || command == F_DUPFD_CLOEXEC;
    struct call call = {
        .note = {.call = is_quick ? TRAP_LOOKS : TRAP_WAITS, .fd = fd}, .function = "fcntl", .caller = TRAP_CALLER};
    return begin(&call) ? real(fd, command, argument) : -1;
}

PASS_OR_FAIL(TRAP_WAITS, ssize_t, -1, getdents64, (int fd, void *bytes, size_t count), (fd, bytes, count), .fd = fd)
INT_OR_FAIL(TRAP_WAITS, fstatvfs, (int fd, struct statvfs *stats), (fd, stats), .fd = fd)
INT_OR_FAIL(TRAP_LOOKS, fstat, (int fd, struct stat *stats), (fd, stats), .fd = fd)
INT_OR_FAIL(TRAP_LOOKS, fstatat, (int fd, const char *path, struct stat *stats, int flags), (fd, path, stats, flags),
            .fd = fd, .name = path)
INT_OR_FAIL(TRAP_LOOKS, fchmod, (int fd, mode_t mode), (fd, mode), .fd = fd)
INT_OR_FAIL(TRAP_LOOKS, fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags), .fd = fd,
            .name = path)
PASS_OR_FAIL(TRAP_LOOKS, ssize_t, -1, getrandom, (void *bytes, size_t count, unsigned flags), (bytes, count, flags),
             .fd = -1)
PASS_OR_FAIL(TRAP_LOOKS, char *, NULL, realpath, (const char *path, char *ret_path), (path, ret_path), .fd = -1,
             .name = path)
