/*
 * mem.h — memory through the embedder's allocator. Each owner keeps a pointer to the `struct mem` of its engine; the
 * helpers check the multiplication and hand back NULL when there is no memory.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

struct mem {
    void *(*reallocate)(void *context, void *memory, size_t bytes); /* bytes 0 frees and returns NULL */
    void *context;
};

/* The C library's. */
extern const struct mem mem_libc;

void *mem_alloc(const struct mem *mem, size_t count, size_t size); /* zeroed */
/* The same with every page written: for tables that are probed before they are filled. A page that was only read is the
 * kernel's shared page of zeros; writing to it then copies it and interrupts every core that runs a thread of ours. */
void *mem_alloc_table(const struct mem *mem, size_t count, size_t size);
/*
 * A table that will be needed soon, written a page at a call, so that its owner need not stand still when it grows: tens of
 * milliseconds for a large one on a machine that has to find the pages first. Zeroed: none yet.
 */
struct mem_ahead {
    void *memory; /* NULL: none */
    size_t bytes, written;
};
/* One page further with a table of that size. Without memory nothing happens: mem_ahead_take() is who needs it. */
void mem_ahead_step(const struct mem *mem, struct mem_ahead *ahead, size_t count, size_t size);
/* As mem_alloc_table(), with what has been made so far where it is of that size. NULL leaves that as it is. */
void *mem_ahead_take(const struct mem *mem, struct mem_ahead *ahead, size_t count, size_t size);
void mem_ahead_free(const struct mem *mem, struct mem_ahead *ahead);
void *mem_resize(const struct mem *mem, void *take_memory, size_t count, size_t size); /* NULL: the old block stays */
void mem_free(const struct mem *mem, void *take_memory);

#endif
