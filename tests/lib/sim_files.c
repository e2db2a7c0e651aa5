/*
 * sim_files.c — the calls on files, which stand in front of the C library's because they are the program's own:
 * LMDB's come here too. Each lets others go on, is counted, may fail, may be the last one; what it changes sim_disk.c
 * hears of.
 *
 * Invariant: outside of a simulated life each does what the system's call does.
 *
 * Not part of trap.c: each call is a place where the scheduler goes on with another thread, what becomes of it is the seed's, and
 * nothing may be asked of the C library's own functions, whose locks and threads are simulated too.
 */
#pragma GCC visibility push(default) /* what is built hidden, LMDB does not find */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "journal/base/crc32c.h"
#include "tests/lib/sim.h"
#include "tests/lib/sim_disk.h"
#include "tests/lib/sim_raw.h"

struct sim_faults sim_faults;
uint64_t sim_fault_count;

/* ---- What is to become of a call ---- */

static int error_of(enum sim_call call, bool takes_space)
{
    static const int any[] = {EIO, EIO, ENOSPC, EDQUOT}, opening[] = {EMFILE, ENFILE, EACCES, EIO};
    switch (call) {
    case SIM_MAP: return ENOMEM;
    case SIM_OPEN: return opening[sim_random(SIM_CHANCE, 4)];
    case SIM_READ: return EIO;
    default: return takes_space || call == SIM_SYNC ? any[sim_random(SIM_CHANCE, 4)] : EIO;
    }
}

static bool can_be_interrupted(enum sim_call call)
{
    return call == SIM_OPEN || call == SIM_READ || call == SIM_WRITE || call == SIM_TRUNCATE || call == SIM_SYNC;
}

struct sim_verdict sim_disk_judge(enum sim_call call, bool takes_space)
{
    struct sim_verdict verdict = {0};
    sim_yield();
    if (sim_chance(SIM_CHANCE, sim_settings.slow_per_mille))
        sim_sleep_us(1 + sim_random(SIM_CHANCE, sim_settings.slow_us_max));
    bool may_be_last = sim_faults.crash_index > 0 && (sim_faults.crash_calls & call) != 0;
    if (may_be_last && --sim_faults.crash_index == 0) {
        verdict.is_last = true;
        return verdict;
    }
    if (sim_chance(SIM_CHANCE, sim_faults.harmless_per_mille) && can_be_interrupted(call)) {
        verdict.is_half = (call == SIM_WRITE || call == SIM_READ) && sim_random(SIM_CHANCE, 2) == 0;
        verdict.error = verdict.is_half ? 0 : EINTR;
        return verdict;
    }
    if (sim_faults.is_full && takes_space) {
        verdict.error = ENOSPC;
        sim_fault_count++;
        return verdict;
    }
    if ((sim_faults.calls & call) == 0)
        return verdict;
    bool is_it = sim_faults.index > 0 && --sim_faults.index == 0;
    if (is_it || sim_chance(SIM_CHANCE, sim_faults.per_mille)) {
        verdict.error = error_of(call, takes_space);
        verdict.is_after = sim_random(SIM_CHANCE, 4) == 0;
        sim_fault_count++;
    }
    return verdict;
}

/* Whether the call fails without having been done. */
static bool is_refused(const struct sim_verdict *verdict, const char *name)
{
    if (verdict->error == 0 || (verdict->is_after && verdict->error != EINTR))
        return false;
    sim_note("%s fails: %d", name, verdict->error);
    errno = verdict->error;
    return true;
}

/* Behind a call that was made, whose result it hands on: the end of everything, or a failure that is told all the
 * same. */
static int finish(int result, const struct sim_verdict *verdict, const char *name)
{
    int cause = errno;
    if (verdict->is_last)
        sim_crash();
    if (result >= 0 && verdict->error != 0) {
        sim_note("%s fails behind what it did: %d", name, verdict->error);
        errno = verdict->error;
        return -1;
    }
    errno = cause;
    return result;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Everything may stop before a call as well as behind it. */
static void stop_before(const struct sim_verdict *verdict)
{
    if (verdict->is_last && sim_random(SIM_CHANCE, 2) == 0)
        sim_crash();
}

/* ---- Writing ---- */

static size_t part_of(const struct sim_verdict *verdict, size_t count)
{
    if (verdict->is_last)
        return (size_t)sim_random(SIM_CHANCE, count + 1);
    return verdict->is_half ? (count + 1) / 2 : count;
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t offset)
{
    struct sim_file *file = sim_file_of(fd);
    struct sim_verdict verdict = sim_disk_judge(SIM_WRITE, true);
    if (is_refused(&verdict, "pwrite"))
        return -1;
    size_t part = part_of(&verdict, count);
    sim_file_before_write(file, (uint64_t)offset, part);
    ssize_t taken = raw_pwrite(fd, bytes, part, offset);
    sim_note("pwrite %d: %zu of %zu at %" PRId64 ", crc %08x", fd, part, count, (int64_t)offset,
             crc32c(0, bytes, part));
    if (taken > 0 && sim_fd_is_synchronous(fd) && !verdict.is_last) {
        if (verdict.error == 0)
            sim_file_wrote_through(file, (uint64_t)offset, (uint64_t)taken);
        else
            sim_file_synced(file, true);
    }
    if (finish(0, &verdict, "pwrite") != 0)
        return -1;
    sim_progress();
    return taken;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    if (!sim_is_running() || sim_file_of(fd) == NULL)
        return raw_pwrite(fd, bytes, count, offset);
    return write_at(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (!sim_is_running() || sim_file_of(fd) == NULL)
        return syscall(SYS_write, fd, bytes, count);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t taken = write_at(fd, bytes, count, offset);
    if (taken > 0)
        (void)lseek(fd, offset + taken, SEEK_SET);
    return taken;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (!sim_is_running() || sim_file_of(fd) == NULL)
        return syscall(SYS_writev, fd, pieces, count);
    off_t begin = lseek(fd, 0, SEEK_CUR), offset = begin;
    ssize_t taken = 0;
    for (int i = 0; i < count; i++) {
        taken = write_at(fd, pieces[i].iov_base, pieces[i].iov_len, offset);
        if (taken < 0)
            break;
        offset += taken;
        if ((size_t)taken < pieces[i].iov_len)
            break;
    }
    if (offset == begin && taken < 0)
        return -1;
    (void)lseek(fd, offset, SEEK_SET);
    return offset - begin;
}

int ftruncate(int fd, off_t bytes)
{
    if (!sim_is_running() || sim_file_of(fd) == NULL)
        return raw_ftruncate(fd, bytes);
    struct sim_verdict verdict = sim_disk_judge(SIM_TRUNCATE, false);
    if (is_refused(&verdict, "ftruncate"))
        return -1;
    stop_before(&verdict);
    sim_file_before_truncate(sim_file_of(fd), (uint64_t)bytes);
    sim_note("ftruncate %d: %" PRId64, fd, (int64_t)bytes);
    return finish(raw_ftruncate(fd, bytes), &verdict, "ftruncate");
}

/* ---- Syncing ---- */

static int sync_any(int fd, const char *name)
{
    struct stat st;
    struct sim_file *file = sim_file_of(fd);
    struct sim_verdict verdict = sim_disk_judge(SIM_SYNC, false);
    stop_before(&verdict);
    sim_note("%s %d", name, fd);
    if (file != NULL && verdict.error != EINTR)
        sim_file_synced(file, verdict.error != 0);
    else if (file == NULL && verdict.error == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        sim_dir_synced(fd);
    sim_progress();
    return finish(0, &verdict, name);
}

int fdatasync(int fd)
{
    return sim_is_running() ? sync_any(fd, "fdatasync") : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return sim_is_running() ? sync_any(fd, "fsync") : (int)syscall(SYS_fsync, fd);
}

int sync_file_range(int fd, off_t offset, off_t count, unsigned flags)
{
    return sim_is_running() ? 0 : (int)syscall(SYS_sync_file_range, fd, offset, count, flags);
}

/* ---- Names ---- */

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (!sim_is_running())
        return raw_renameat(from_fd, from, to_fd, to);
    struct sim_verdict verdict = sim_disk_judge(SIM_NAME, true);
    if (is_refused(&verdict, "renameat"))
        return -1;
    stop_before(&verdict);
    unsigned kept = sim_name_keep(to_fd, to);
    int result = raw_renameat(from_fd, from, to_fd, to), cause = errno;
    sim_note("renameat %s to %s: %d", from, to, result);
    if (result == 0)
        sim_name_moved(from_fd, from, to, kept);
    else
        sim_name_forget(kept);
    errno = cause;
    return finish(result, &verdict, "renameat");
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    if (!sim_is_running())
        return raw_unlinkat(dir_fd, path, flags);
    struct sim_verdict verdict = sim_disk_judge(SIM_NAME, false);
    if (is_refused(&verdict, "unlinkat"))
        return -1;
    stop_before(&verdict);
    unsigned kept = sim_name_keep(dir_fd, path);
    int result = raw_unlinkat(dir_fd, path, flags), cause = errno;
    sim_note("unlinkat %s: %d", path, result);
    if (result == 0)
        sim_name_removed(dir_fd, path, kept);
    else
        sim_name_forget(kept);
    errno = cause;
    return finish(result, &verdict, "unlinkat");
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    if (!sim_is_running())
        return raw_mkdirat(dir_fd, path, mode);
    struct sim_verdict verdict = sim_disk_judge(SIM_NAME, true);
    if (is_refused(&verdict, "mkdirat"))
        return -1;
    stop_before(&verdict);
    int result = raw_mkdirat(dir_fd, path, mode), cause = errno;
    sim_note("mkdirat %s: %d", last_part(path), result);
    if (result == 0)
        sim_name_made(dir_fd, path, true);
    errno = cause;
    return finish(result, &verdict, "mkdirat");
}

/* ---- Opening, closing ---- */

static int open_any(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct stat st;
    if (!sim_is_running() || strncmp(path, "/proc/", 6) == 0)
        return raw_openat(dir_fd, path, flags, mode);
    bool is_new = (flags & O_CREAT) != 0 && fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
    struct sim_verdict verdict = sim_disk_judge(is_new ? SIM_NAME : SIM_OPEN, is_new);
    if (verdict.error != 0) { /* opening is not done half */
        sim_note("open %s fails: %d", last_part(path), verdict.error);
        errno = verdict.error;
        return -1;
    }
    stop_before(&verdict);
    int fd = raw_openat(dir_fd, path, flags, mode);
    sim_note("open %s: %d", last_part(path), fd);
    if (fd >= 0) {
        int cause = errno;
        sim_fd_opened(fd, flags, dir_fd, path, is_new);
        errno = cause;
    }
    return finish(fd, &verdict, "open");
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_any(dir_fd, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_any(AT_FDCWD, path, flags, mode);
}

int close(int fd)
{
    if (sim_is_running()) {
        sim_yield();
        sim_fd_closed(fd);
    }
    return raw_close(fd);
}

/* ---- Reading ---- */

ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    if (!sim_is_running() || sim_file_of(fd) == NULL)
        return raw_pread(fd, bytes, count, offset);
    struct sim_verdict verdict = sim_disk_judge(SIM_READ, false);
    if (verdict.error != 0) {
        sim_note("pread %d fails: %d", fd, verdict.error);
        errno = verdict.error;
        return -1;
    }
    if (verdict.is_last)
        sim_crash();
    ssize_t taken = raw_pread(fd, bytes, verdict.is_half ? (count + 1) / 2 : count, offset);
    sim_mix((uint64_t)taken ^ (uint64_t)offset << 20);
    return taken;
}

/* ---- Maps ---- */

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    bool is_file = sim_is_running() && (flags & MAP_ANONYMOUS) == 0;
    if (is_file) {
        struct sim_verdict verdict = sim_disk_judge(SIM_MAP, false);
        if (verdict.is_last)
            sim_crash();
        if (verdict.error != 0) {
            sim_note("mmap fails");
            errno = verdict.error;
            return MAP_FAILED;
        }
    }
    void *result = (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
    if (is_file && result != MAP_FAILED)
        sim_map_made(result, bytes);
    return result;
}

int munmap(void *at, size_t bytes)
{
    if (sim_is_running())
        sim_map_gone(at);
    return raw_munmap(at, bytes);
}
