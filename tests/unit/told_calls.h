/*
 * told_calls.h — system calls of a test program's own, that can be interrupted, shortened and failed; otherwise
 * they go to the kernel. Definitions, not declarations: for one file of a program, which defines _GNU_SOURCE.
 */
#ifndef TESTS_UNIT_TOLD_CALLS_H
#define TESTS_UNIT_TOLD_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    int interrupts;     /* this many calls answer EINTR first */
    size_t bytes_max;   /* a transfer moves at most so many bytes; 0 = no limit */
    bool takes_nothing; /* pwrite answers 0 */
    int cause;          /* and every call after the interrupts fails with this; 0 = none */
    bool no_proc;       /* fchmodat cannot do without following links, as glibc's without /proc */
    int calls, failures;
    ino_t synced; /* what fsync or fdatasync was called on last */
} told;

/* Whether the call is to fail now; errno is then set. */
static bool fails(void)
{
    told.calls++;
    if (told.interrupts > 0) {
        told.interrupts--;
        errno = EINTR;
        return true;
    }
    if (told.cause != 0) {
        told.failures++;
        errno = told.cause;
        return true;
    }
    return false;
}

static size_t shortened(size_t count)
{
    return told.bytes_max != 0 && count > told.bytes_max ? told.bytes_max : count;
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    return fails() ? -1 : syscall(SYS_pread64, fd, bytes, shortened(count), offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    if (told.takes_nothing)
        return 0;
    return fails() ? -1 : syscall(SYS_pwrite64, fd, bytes, shortened(count), offset);
}

static int sync_told(long number, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0)
        told.synced = st.st_ino;
    return fails() ? -1 : (int)syscall(number, fd);
}

int fsync(int fd)
{
    return sync_told(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_told(SYS_fdatasync, fd);
}

int fchmodat(int dir_fd, const char *name, mode_t mode, int flags)
{
    if (told.no_proc || flags != AT_SYMLINK_NOFOLLOW) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fchmodat, dir_fd, name, mode);
}

int openat(int dir_fd, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails() ? -1 : (int)syscall(SYS_openat, dir_fd, name, flags, mode);
}

#endif
