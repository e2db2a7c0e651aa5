/* fault.c — the wrapped calls of fault.h. One lock over all state: a call is counted, made and told in one piece. */
#include "tests/lib/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* The names that the linker gives to a wrapped call and to what it stands for. */
int __real_openat(int dir_fd, const char *name, int flags, ...);
int __wrap_openat(int dir_fd, const char *name, int flags, ...);
ssize_t __real_pwrite(int fd, const void *bytes, size_t count, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t offset);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __real_unlinkat(int dir_fd, const char *name, int flags);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t counts[FAULT_CALLS + 1];
    enum fault_call call; /* that is to fail */
    uint64_t nth;         /* of it; 0 = none */
    int cause_errno;
    bool tears, has_struck;
    size_t tear_bytes, short_bytes;
    const char *path_end;
    void (*observer)(void *context, const struct fault_note *note);
    void *context;
} state;

void fault_reset(void)
{
    pthread_mutex_lock(&mutex);
    memset(&state, 0, sizeof state);
    pthread_mutex_unlock(&mutex);
}

void fault_fail_nth(enum fault_call call, uint64_t nth, int cause_errno)
{
    pthread_mutex_lock(&mutex);
    state.call = call;
    state.nth = state.counts[call] + nth;
    state.cause_errno = cause_errno;
    state.tears = state.has_struck = false;
    pthread_mutex_unlock(&mutex);
}

void fault_tear_nth(uint64_t nth, size_t bytes, int cause_errno)
{
    fault_fail_nth(FAULT_PWRITE, nth, cause_errno);
    state.tears = true;
    state.tear_bytes = bytes;
}

void fault_short_writes(size_t bytes)
{
    state.short_bytes = bytes;
}

void fault_only(const char *path_end)
{
    state.path_end = path_end;
}

bool fault_has_struck(void)
{
    return state.has_struck;
}

uint64_t fault_count(enum fault_call call)
{
    return state.counts[call];
}

void fault_observe(void (*observer)(void *context, const struct fault_note *note), void *context)
{
    state.observer = observer;
    state.context = context;
}

/* Whether a call on `fd` (and `name` below it) is one of those that count. */
static bool is_meant(int fd, const char *name)
{
    char link[64], path[1024];
    if (state.path_end == NULL)
        return true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = name != NULL ? 0 : readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    const char *whole = name != NULL ? name : path;
    size_t count = strlen(whole), end = strlen(state.path_end);
    return count >= end && strcmp(whole + count - end, state.path_end) == 0;
}

/* Counts a call; whether it is to fail. Holds the lock. */
static bool strikes(enum fault_call call, int fd, const char *name)
{
    if (!is_meant(fd, name))
        return false;
    state.counts[call]++;
    state.counts[FAULT_ANY]++;
    if (state.nth == 0 || (state.call != call && state.call != FAULT_ANY) || state.counts[state.call] != state.nth)
        return false;
    state.nth = 0;
    state.has_struck = true;
    return true;
}

/* The end of every wrapper: tells the observer, lets go of the lock, keeps errno. */
static void finish(bool is_done, const struct fault_note *note)
{
    int cause = errno;
    if (is_done && state.observer != NULL)
        state.observer(state.context, note);
    pthread_mutex_unlock(&mutex);
    errno = cause;
}

static int fail(void)
{
    errno = state.cause_errno;
    return -1;
}

int __wrap_openat(int dir_fd, const char *name, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    pthread_mutex_lock(&mutex);
    int fd = strikes(FAULT_OPENAT, dir_fd, name) ? fail() : __real_openat(dir_fd, name, flags, mode);
    finish(fd >= 0,
           &(struct fault_note){.call = FAULT_OPENAT, .fd = fd, .creates = (flags & O_CREAT) != 0, .name = name});
    return fd;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    pthread_mutex_lock(&mutex);
    ssize_t taken = -1;
    bool struck = strikes(FAULT_PWRITE, fd, NULL);
    size_t limit = struck && state.tears ? state.tear_bytes : state.short_bytes;
    if (limit > 0 && limit < count)
        count = limit;
    if (!struck || (state.tears && limit > 0))
        taken = __real_pwrite(fd, bytes, count, offset);
    else
        (void)fail();
    if (struck && state.tears && limit > 0) { /* the rest of this write comes next, and fails */
        state.nth = state.counts[FAULT_PWRITE] + 1;
        state.tears = state.has_struck = false;
    }
    finish(taken >= 0, &(struct fault_note){.call = FAULT_PWRITE,
                                            .fd = fd,
                                            .offset = (uint64_t)offset,
                                            .bytes = bytes,
                                            .count = taken >= 0 ? (size_t)taken : 0});
    return taken;
}

int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&mutex);
    bool struck = strikes(FAULT_FDATASYNC, fd, NULL);
    int failed = struck ? fail() : __real_fdatasync(fd);
    finish(struck || failed == 0, &(struct fault_note){.call = struck ? FAULT_SYNC_LOST : FAULT_FDATASYNC, .fd = fd});
    return failed;
}

int __wrap_fsync(int fd)
{
    pthread_mutex_lock(&mutex);
    int failed = strikes(FAULT_FSYNC, fd, NULL) ? fail() : __real_fsync(fd);
    finish(failed == 0, &(struct fault_note){.call = FAULT_FSYNC, .fd = fd});
    return failed;
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    pthread_mutex_lock(&mutex);
    int failed = strikes(FAULT_RENAMEAT, from_fd, from) ? fail() : __real_renameat(from_fd, from, to_fd, to);
    finish(failed == 0, &(struct fault_note){.call = FAULT_RENAMEAT, .fd = from_fd, .name = from, .to = to});
    return failed;
}

int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    pthread_mutex_lock(&mutex);
    int failed = strikes(FAULT_RENAMEAT, from_fd, from) ? fail() : __real_renameat2(from_fd, from, to_fd, to, flags);
    finish(failed == 0, &(struct fault_note){.call = FAULT_RENAMEAT, .fd = from_fd, .name = from, .to = to});
    return failed;
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
    pthread_mutex_lock(&mutex);
    int failed = strikes(FAULT_UNLINKAT, dir_fd, name) ? fail() : __real_unlinkat(dir_fd, name, flags);
    finish(failed == 0, &(struct fault_note){.call = FAULT_UNLINKAT, .fd = dir_fd, .name = name});
    return failed;
}
