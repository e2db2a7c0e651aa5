/* sim_raw.h — the system's own calls on files, past those of sim_files.c. */
#ifndef TESTS_LIB_SIM_RAW_H
#define TESTS_LIB_SIM_RAW_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static inline int raw_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

static inline int raw_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

static inline ssize_t raw_pread(int fd, void *bytes, size_t count, off_t offset)
{
    return syscall(SYS_pread64, fd, bytes, count, offset);
}

static inline ssize_t raw_pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return syscall(SYS_pwrite64, fd, bytes, count, offset);
}

static inline int raw_ftruncate(int fd, off_t bytes)
{
    return (int)syscall(SYS_ftruncate, fd, bytes);
}

static inline int raw_unlinkat(int dir_fd, const char *path, int flags)
{
    return (int)syscall(SYS_unlinkat, dir_fd, path, flags);
}

static inline int raw_mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return (int)syscall(SYS_mkdirat, dir_fd, path, mode);
}

static inline int raw_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

static inline int raw_munmap(void *at, size_t bytes)
{
    return (int)syscall(SYS_munmap, at, bytes);
}

#endif
