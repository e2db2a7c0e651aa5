/*
 * kept_memory.h — an allocator that keeps large blocks (a reader's window) from one input to the next: to get and to give back
 * a megabyte costs more than a small journal's reading, most of all under AddressSanitizer. Any thread.
 */
#ifndef TESTS_FUZZ_KEPT_MEMORY_H
#define TESTS_FUZZ_KEPT_MEMORY_H

#include <stddef.h>

#include "journal/base/mem.h"

void *kept_reallocate(void *context, void *memory, size_t bytes);
extern const struct mem kept_mem;

#endif
