/* calls.c — see calls.h. What a wrapper does not make fail goes on to the real call. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/lib/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static _Atomic bool is_armed, has_struck;
static _Atomic enum calls_mode armed_mode;
static _Atomic uint64_t counted, wanted;
static _Atomic int code_of_lmdb;
static const char *_Atomic struck_name = "";
static _Thread_local const char *interrupted; /* the call that was, and is on its way again */

void calls_arm(enum calls_mode mode, uint64_t nth, int lmdb_code)
{
    armed_mode = mode;
    counted = 0;
    wanted = nth;
    code_of_lmdb = lmdb_code;
    has_struck = false;
    struck_name = "";
    is_armed = true;
}

void calls_disarm(void)
{
    is_armed = false;
}

bool calls_have_struck(void)
{
    return has_struck;
}

uint64_t calls_count(void)
{
    return counted;
}

const char *calls_struck_name(void)
{
    return struck_name;
}

static bool strikes(const char *name, bool is_lmdb)
{
    if (!is_armed || !(armed_mode == CALLS_FAIL || (armed_mode == CALLS_FAIL_LMDB && is_lmdb)))
        return false;
    if (atomic_fetch_add(&counted, 1) + 1 != wanted)
        return false;
    struck_name = name;
    has_struck = true;
    return true;
}

static bool interrupts(const char *name)
{
    if (!is_armed || armed_mode != CALLS_INTERRUPT)
        return false;
    bool is_again = interrupted == name;
    interrupted = is_again ? NULL : name;
    counted += !is_again;
    return !is_again;
}

static size_t part_of(size_t count)
{
    return is_armed && armed_mode == CALLS_SHORT && count > 1 ? count / 2 : count;
}

/* A call that fails with EIO, and one that may be interrupted besides. */
#define FAIL_IO(name)                                                                                                  \
    if (strikes(name, false)) {                                                                                        \
        errno = EIO;                                                                                                   \
        return -1;                                                                                                     \
    }
#define INTERRUPT(name)                                                                                                \
    if (interrupts(name)) {                                                                                            \
        errno = EINTR;                                                                                                 \
        return -1;                                                                                                     \
    }                                                                                                                  \
    FAIL_IO(name)

#define WRAP(type, name, parameters, arguments, body)                                                                  \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        body return __real_##name arguments;                                                                           \
    }

/* ---- The system ---- */

#define OPEN_BODY(name, last)                                                                                          \
    va_list list;                                                                                                      \
    va_start(list, last);                                                                                              \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;                                                   \
    va_end(list);                                                                                                      \
    INTERRUPT(name)

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    OPEN_BODY("openat", flags)
    return __real_openat(dir_fd, path, flags, mode);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    OPEN_BODY("open", flags)
    return __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (command != F_SETFD && command != F_GETFD && command != F_DUPFD_CLOEXEC) {
        INTERRUPT("fcntl")
    } else {
        FAIL_IO("fcntl")
    }
    return __real_fcntl(fd, command, argument);
}

WRAP(ssize_t, read, (int fd, void *bytes, size_t count), (fd, bytes, part_of(count)), INTERRUPT("read"))
WRAP(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, part_of(count)), INTERRUPT("write"))
WRAP(ssize_t, pread, (int fd, void *bytes, size_t count, off_t offset), (fd, bytes, part_of(count), offset),
     INTERRUPT("pread"))
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t offset), (fd, bytes, part_of(count), offset),
     INTERRUPT("pwrite"))
WRAP(ssize_t, getdents64, (int fd, void *bytes, size_t count), (fd, bytes, count), INTERRUPT("getdents64"))
WRAP(int, fsync, (int fd), (fd), INTERRUPT("fsync"))
WRAP(int, fdatasync, (int fd), (fd), INTERRUPT("fdatasync"))
WRAP(int, ftruncate, (int fd, off_t bytes), (fd, bytes), INTERRUPT("ftruncate"))
WRAP(int, fstatvfs, (int fd, struct statvfs *stats), (fd, stats), INTERRUPT("fstatvfs"))
WRAP(int, fstat, (int fd, struct stat *stats), (fd, stats), FAIL_IO("fstat"))
WRAP(int, fstatat, (int fd, const char *path, struct stat *stats, int flags), (fd, path, stats, flags),
     FAIL_IO("fstatat"))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), FAIL_IO("fchmod"))
WRAP(int, fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags), FAIL_IO("fchmodat"))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), FAIL_IO("mkdirat"))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), FAIL_IO("unlinkat"))
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to), (from_fd, from, to_fd, to),
     FAIL_IO("renameat"))
WRAP(ssize_t, getrandom, (void *bytes, size_t count, unsigned flags), (bytes, count, flags), FAIL_IO("getrandom"))

WRAP(
    void *, mmap, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
    (at, bytes, protection, flags, fd, offset), if (strikes("mmap", false)) {
        errno = ENOMEM;
        return MAP_FAILED;
    })
WRAP(
    char *, realpath, (const char *path, char *ret_path), (path, ret_path), if (strikes("realpath", false)) {
        errno = EIO;
        return NULL;
    })

/* ---- Memory and threads ---- */

#define FAIL_NULL(name)                                                                                                \
    if (strikes(name, false)) {                                                                                        \
        errno = ENOMEM;                                                                                                \
        return NULL;                                                                                                   \
    }
#define FAIL_CODE(name, code)                                                                                          \
    if (strikes(name, false))                                                                                          \
        return code;

WRAP(void *, malloc, (size_t bytes), (bytes), FAIL_NULL("malloc"))
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), FAIL_NULL("calloc"))
WRAP(void *, realloc, (void *memory, size_t bytes), (memory, bytes), FAIL_NULL("realloc"))
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
     (thread, attributes, start, argument), FAIL_CODE("pthread_create", EAGAIN))

/* ---- LMDB ---- */

#define FAIL_LMDB(name)                                                                                                \
    if (strikes(name, true))                                                                                           \
        return code_of_lmdb;

WRAP(int, mdb_env_create, (MDB_env * *env), (env), FAIL_LMDB("mdb_env_create"))
WRAP(int, mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode), (env, path, flags, mode),
     FAIL_LMDB("mdb_env_open"))
WRAP(int, mdb_env_set_mapsize, (MDB_env * env, size_t bytes), (env, bytes), FAIL_LMDB("mdb_env_set_mapsize"))
WRAP(int, mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi count), (env, count), FAIL_LMDB("mdb_env_set_maxdbs"))
WRAP(int, mdb_env_set_maxreaders, (MDB_env * env, unsigned count), (env, count), FAIL_LMDB("mdb_env_set_maxreaders"))
WRAP(int, mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *fd), (env, fd), FAIL_LMDB("mdb_env_get_fd"))
WRAP(int, mdb_env_info, (MDB_env * env, MDB_envinfo *info), (env, info), FAIL_LMDB("mdb_env_info"))
WRAP(int, mdb_env_stat, (MDB_env * env, MDB_stat *stat), (env, stat), FAIL_LMDB("mdb_env_stat"))
WRAP(int, mdb_reader_check, (MDB_env * env, int *dead), (env, dead), FAIL_LMDB("mdb_reader_check"))
WRAP(int, mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn), (env, parent, flags, txn),
     FAIL_LMDB("mdb_txn_begin"))
WRAP(int, mdb_txn_renew, (MDB_txn * txn), (txn), FAIL_LMDB("mdb_txn_renew"))
/* One that fails has ended the transaction all the same. */
WRAP(
    int, mdb_txn_commit, (MDB_txn * txn), (txn), if (strikes("mdb_txn_commit", true)) {
        mdb_txn_abort(txn);
        return code_of_lmdb;
    })
WRAP(int, mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi), (txn, name, flags, dbi),
     FAIL_LMDB("mdb_dbi_open"))
WRAP(int, mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, dbi, key, value, flags), FAIL_LMDB("mdb_put"))
WRAP(int, mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor), (txn, dbi, cursor),
     FAIL_LMDB("mdb_cursor_open"))
WRAP(int, mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op operation),
     (cursor, key, value, operation), FAIL_LMDB("mdb_cursor_get"))
WRAP(int, mdb_cursor_put, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, unsigned flags),
     (cursor, key, value, flags), FAIL_LMDB("mdb_cursor_put"))
