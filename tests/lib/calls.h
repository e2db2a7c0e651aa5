/*
 * calls.h — calls of our own objects to the system, to libc's allocator and to LMDB, that fail by index. A program that
 * links settle_test_calls has them led through there.
 *
 *     calls_arm(CALLS_FAIL, 17, 0);     // the 17th call from now on fails, once
 *     ...
 *     calls_disarm();
 *     if (!calls_have_struck()) ...     // there are not so many
 *
 * Thread-safe; the index is that of the order in which threads happen to call.
 */
#ifndef TESTS_LIB_CALLS_H
#define TESTS_LIB_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum calls_mode {
    CALLS_FAIL,      /* the nth call fails: EIO, ENOMEM where it allocates, `lmdb_code` where it is LMDB's */
    CALLS_FAIL_LMDB, /* the same; calls of LMDB alone count */
    CALLS_INTERRUPT, /* every call that a signal may interrupt is, at its first try */
    CALLS_SHORT,     /* every read and write of more than one byte takes only half of them */
};
void calls_arm(enum calls_mode mode, uint64_t nth, int lmdb_code);
void calls_disarm(void);

/* Of the last run. */
bool calls_have_struck(void);
uint64_t calls_count(void);
const char *calls_struck_name(void); /* "pread"; "" where none was */

#endif
