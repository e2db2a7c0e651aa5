/*
 * trap.h — a system call on files that fails, or kills the process, when it is made the Nth time: of the whole process,
 * LMDB's among them (fault.h reaches our own objects alone).
 *
 * A program that is built with trap.c has its own pwrite(), fdatasync() … in front of the C library's; nothing else is
 * needed, no LD_PRELOAD and no linker option. While no trap is set they only pass on.
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
#include <stdint.h>

enum trap_calls {
    TRAP_WRITES = 1,    /* pwrite, write, writev */
    TRAP_SYNCS = 2,     /* fdatasync, fsync, msync */
    TRAP_TRUNCATES = 4, /* ftruncate, fallocate, posix_fallocate */
    TRAP_NAMES = 8,     /* renameat2, renameat, rename, unlinkat, unlink, mkdirat, mkdir */
    TRAP_OPENS = 16,    /* openat, open */
    TRAP_READS = 32,    /* pread */
    TRAP_MAPS = 64,     /* mmap of a file */
    TRAP_THREADS = 128, /* pthread_create: returns the error */
    TRAP_CHANGES = TRAP_WRITES | TRAP_SYNCS | TRAP_TRUNCATES | TRAP_NAMES, /* what a crash can come between */
    TRAP_ALL = 255,
};

enum trap_action {
    TRAP_ONCE,       /* that call fails */
    TRAP_FROM_NOW,   /* that call and all later ones of the kind fail */
    TRAP_SHORT,      /* a write takes half and says so; the same thread's next write fails. Other calls: as TRAP_ONCE */
    TRAP_SHORT_ONLY, /* a write takes half and says so; nothing fails. Other calls: nothing happens */
    TRAP_KILL,       /* SIGKILL to this process instead of the call */
    TRAP_KILL_SHORT, /* … after half of a write, cut between two sectors */
};

struct trap {
    unsigned calls; /* of enum trap_calls */
    uint64_t index; /* 1 = the next one; 0 = none: only count */
    int error;
    enum trap_action action;
};

void trap_set(const struct trap *trap);
uint64_t trap_clear(void); /* the number of calls since trap_set() */
bool trap_was_met(void);   /* whether it came to the index */
/* The path of the file whose call was made to fail last, or to be short; "" where there was none. Set by trap_set(). */
const char *trap_place(void);

#endif
