/*
 * sort.c — heapsort: in place, and no input makes it slow. What it sorts are lists of files, a few thousand at most.
 */
#include "journal/base/sort.h"

#include <assert.h>
#include <stdint.h>

static void swap(unsigned char *a, unsigned char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

/* Lets the element at `at` sink to where no child is greater. */
static void sift_down(unsigned char *heap, size_t at, size_t count, size_t size,
                      int (*compare)(const void *a, const void *b))
{
    while (at < count / 2) {
        size_t child = 2 * at + 1;
        if (child + 1 < count && compare(heap + child * size, heap + (child + 1) * size) < 0)
            child++;
        if (compare(heap + at * size, heap + child * size) >= 0)
            return;
        swap(heap + at * size, heap + child * size, size);
        at = child;
    }
}

void sort_in_place(void *elements, size_t count, size_t size, int (*compare)(const void *a, const void *b))
{
    unsigned char *heap = elements;
    assert(size > 0 && compare != NULL);
    assert(count == 0 || (elements != NULL && count <= SIZE_MAX / size));
    for (size_t at = count / 2; at > 0; at--)
        sift_down(heap, at - 1, count, size, compare);
    for (size_t left = count; left > 1; left--) {
        swap(heap, heap + (left - 1) * size, size);
        sift_down(heap, 0, left - 1, size, compare);
    }
}
