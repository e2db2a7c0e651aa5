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
void *mem_resize(const struct mem *mem, void *take_memory, size_t count, size_t size); /* NULL: the old block stays */
void mem_free(const struct mem *mem, void *take_memory);

#endif
