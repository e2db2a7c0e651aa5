/*
 * scarce.h — the C library's memory, of which there is none the Nth time: for the whole process, our own allocations, LMDB's,
 * zstd's and the C library's alike (settle_options.reallocate reaches our own alone).
 *
 * A program that is built with scarce.c has its own malloc(), calloc() … in front of the C library's. While nothing is set they
 * only pass on. One at a time, for all threads; a test sees to it that it allocates nothing itself meanwhile.
 */
#ifndef TESTS_LIB_SCARCE_H
#define TESTS_LIB_SCARCE_H

#include <stdbool.h>
#include <stdint.h>

/* The index-th allocation from now on fails, once or with all that follow; 0: they are only counted. */
void scarce_set(uint64_t index, bool for_ever);
uint64_t scarce_clear(void); /* so many were made */
bool scarce_was_met(void);

#endif
