/*
 * trap.h — calls to the system, the allocator and LMDB that fail, stop half-way, kill the process or are told, by their number:
 * of the whole process, LMDB's own among them, or of our objects alone. This is what a fault test takes.
 *
 * A program that is built with trap.c has its own pwrite(), fdatasync() … in front of the C library's; nothing else is
 * needed, no LD_PRELOAD and no linker option. With trap_memory.c it has the allocator's too, with trap_lmdb.c LMDB's. While
 * no trap is set they only pass on.
 *
 *     trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = 3, .error = EIO});   // the third from now fails, once
 *     …
 *     bool met = trap_was_met();
 *     uint64_t calls = trap_clear();                                            // so many were made
 *
 * One trap at a time, for all threads. Writes and reads count on regular files only, so pipes and terminals are safe.
 */
#ifndef TESTS_LIB_TRAP_H
#define TESTS_LIB_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trap_calls {
    TRAP_WRITES = 1 << 0,     /* pwrite, write, writev */
    TRAP_FDATASYNCS = 1 << 1, /* of files */
    TRAP_FSYNCS = 1 << 2,     /* of directories */
    TRAP_MSYNCS = 1 << 3,     /* of maps */
    TRAP_SYNCS = TRAP_FDATASYNCS | TRAP_FSYNCS | TRAP_MSYNCS,
    TRAP_TRUNCATES = 1 << 4, /* ftruncate, fallocate, posix_fallocate */
    TRAP_RENAMES = 1 << 5,   /* renameat2, renameat, rename */
    TRAP_REMOVES = 1 << 6,   /* unlinkat, unlink */
    TRAP_MKDIRS = 1 << 7,    /* mkdirat, mkdir */
    TRAP_NAMES = TRAP_RENAMES | TRAP_REMOVES | TRAP_MKDIRS,
    TRAP_CHANGES = TRAP_WRITES | TRAP_SYNCS | TRAP_TRUNCATES | TRAP_NAMES, /* what a crash can come between */
    TRAP_OPENS = 1 << 8,                                                   /* openat, open */
    TRAP_READS = 1 << 9,                                                   /* pread, read */
    TRAP_MAPS = 1 << 10,                                                   /* mmap of a file */
    TRAP_THREADS = 1 << 11,                                                /* pthread_create */
    TRAP_FILES = TRAP_CHANGES | TRAP_OPENS | TRAP_READS | TRAP_MAPS | TRAP_THREADS,
    TRAP_WAITS = 1 << 12,  /* fcntl for locks and flags, getdents64, fstatvfs */
    TRAP_LOOKS = 1 << 13,  /* fstat, fstatat, fchmod, fchmodat, getrandom, realpath, fcntl of a descriptor */
    TRAP_MEMORY = 1 << 14, /* malloc, calloc, realloc, posix_memalign, aligned_alloc: trap_memory.c */
    TRAP_LMDB = 1 << 15,   /* mdb_put …, as our objects call them: trap_lmdb.c */
    TRAP_ALL = (1 << 16) - 1,
    TRAP_SYNC_LOST = 1 << 16, /* told to an observer only: an fdatasync that was made to fail */
};
#define TRAP_INTERRUPTIBLE                                                                                             \
    (TRAP_WRITES | TRAP_FDATASYNCS | TRAP_FSYNCS | TRAP_TRUNCATES | TRAP_OPENS | TRAP_READS | TRAP_WAITS)

enum trap_action {
    TRAP_ONCE,     /* that call fails */
    TRAP_FROM_NOW, /* that call and all later ones of the kind fail */
    TRAP_SHORT,    /* a write takes a part and says so; the same thread's next write fails. Other calls: as TRAP_ONCE */
    TRAP_SHORT_ONLY, /* a write takes a part and says so; nothing fails. Other calls: nothing happens */
    TRAP_KILL,       /* SIGKILL to this process instead of the call */
    TRAP_KILL_SHORT, /* … after half of a write, cut between two sectors */
    /* Whatever the index: */
    TRAP_SHORT_ALL, /* every write and read takes a part and says so; nothing fails */
    TRAP_INTERRUPT, /* every call fails with EINTR, and is made when the thread tries it again */
};

/* A call that succeeded; names as they were given. */
struct trap_note {
    unsigned call; /* of enum trap_calls */
    int fd;        /* the file's, the directory's, or the one that was opened */
    bool creates;  /* an open with O_CREAT */
    uint64_t offset;
    const void *bytes;
    size_t count;
    const char *name, *to; /* of opens, NAMES; the new one of RENAMES */
};

struct trap {
    unsigned calls; /* of enum trap_calls: what counts */
    uint64_t index; /* 1 = the next one; 0 = none: only count */
    int error; /* 0: what is usual: EIO, ENOMEM of maps, EAGAIN of threads. Memory has ENOMEM, LMDB also its own codes */
    enum trap_action action;
    size_t bytes;         /* a write's or read's part; 0: half */
    bool is_ours;         /* calls of our own objects count, not those of libraries */
    const char *path_end; /* files and names that end so count; NULL: all. Kept, not copied */
    /*
     * Told every call of CHANGES and OPENS that succeeded, whatever is set above, and every fdatasync that was made to fail, just
     * behind it, under a lock; no call of its own counts or is told.
     */
    void (*observe)(void *context, const struct trap_note *note);
    void *context;
};

void trap_set(const struct trap *trap); /* one must not be set */
uint64_t trap_clear(void);              /* the number of calls since trap_set(); without one it does nothing */
/* Since trap_set(): */
bool trap_was_met(void);             /* whether it came to the index */
bool trap_has_failed(void);          /* whether a call was made to fail */
uint64_t trap_count(unsigned calls); /* so many of these kinds, also of those that are not set */
const char *trap_place(void);        /* the file whose call failed last, or was short; "" where there was none */
const char *trap_name(void);         /* that call: "pread" */

/* For trap_memory.c and trap_lmdb.c: a call of this kind and name, from the code at `caller`; the error that it fails with, or 0. */
bool trap_is_set(void);
int trap_judge(unsigned call, const char *name, const void *caller);
/* The function of this name behind ours. */
void trap_next(const char *name, void *ret_function);

/* Declares `real`: the function behind name, found once. */
#define TRAP_REAL(result, name, parameters)                                                                            \
    static result(*_Atomic real) parameters;                                                                           \
    if (real == NULL) {                                                                                                \
        result(*found) parameters;                                                                                     \
        trap_next(#name, &found);                                                                                      \
        real = found;                                                                                                  \
    }
#define TRAP_CALLER __builtin_return_address(0)

#endif
