/* sort.h — sorting in place. qsort(3) of some C libraries allocates, behind the embedder's allocator. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

/* qsort(3)'s arguments and result; takes no memory. Equal elements end in any order. O(n log n) whatever comes in. */
void sort_in_place(void *elements, size_t count, size_t size, int (*compare)(const void *a, const void *b));

#endif
