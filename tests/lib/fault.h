/*
 * fault.h — system calls that fail where they are told to. A program linked with settle_test_fault has its calls
 * (those of our own objects, not the C library's) led through here; see its --wrap options in tests/CMakeLists.txt.
 *
 *     fault_fail_nth(FAULT_FDATASYNC, 3, EIO);   // the third fdatasync from now on fails, once
 *     …
 *     cr_assert(fault_has_struck());
 *     fault_reset();
 *
 * Thread-safe. Nothing fails before it is asked for, and the process begins with nothing asked for.
 */
#ifndef TESTS_LIB_FAULT_H
#define TESTS_LIB_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_call {
    FAULT_OPENAT,
    FAULT_PWRITE,
    FAULT_FDATASYNC,
    FAULT_FSYNC,    /* of directories */
    FAULT_RENAMEAT, /* and renameat2 */
    FAULT_UNLINKAT,
    FAULT_CALLS,
    FAULT_ANY = FAULT_CALLS, /* any of them */
    FAULT_SYNC_LOST,         /* told to an observer only: an fdatasync that was made to fail */
};

/* Forgets what was asked for, and counts from 0 again. */
void fault_reset(void);
/* Call number `nth` from now on (1, 2, …) returns -1 with this errno and does nothing. Once. */
void fault_fail_nth(enum fault_call call, uint64_t nth, int cause_errno);
/* The nth pwrite takes only `bytes` bytes, and the call after it fails: a write that was torn. */
void fault_tear_nth(uint64_t nth, size_t bytes, int cause_errno);
/* The same with every pwrite, but nothing fails: at most `bytes` are taken at a time. 0: as many as are given. */
void fault_short_writes(size_t bytes);
/* Only calls on a file or directory whose path ends so count and fail; NULL: all. Kept, not copied. */
void fault_only(const char *path_end);

/* Whether what was asked for has happened; calls so far since the reset. */
bool fault_has_struck(void);
uint64_t fault_count(enum fault_call call);

/*
 * Told every call that succeeded (and of those that failed, every fdatasync), just behind it, under a lock: must make
 * no wrapped call itself. `fd` is the file's, the directory's, or the one that OPENAT has opened; `name` is what
 * OPENAT, RENAMEAT and UNLINKAT were given, `to` RENAMEAT's new name.
 */
struct fault_note {
    enum fault_call call;
    int fd;
    bool creates; /* OPENAT with O_CREAT */
    uint64_t offset;
    const void *bytes;
    size_t count;
    const char *name, *to;
};
void fault_observe(void (*observer)(void *context, const struct fault_note *note), void *context);

#endif
