/* leaf_told.h — a leaf decoded and told by settle-check-proof's own code, whose names are not the library's. */
#ifndef TESTS_FUZZ_LEAF_TOLD_H
#define TESTS_FUZZ_LEAF_TOLD_H

#include <stddef.h>
#include <stdint.h>

/* Aborts where what is told is no JSON. */
void leaf_told(const uint8_t *bytes, size_t count);

#endif
