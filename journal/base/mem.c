/*
 * mem.c — memory through the embedder's allocator.
 *
 * NULL means "out of memory" and nothing else: a product that overflows is one, and a request for no bytes is answered
 * with a block of one byte, because `reallocate` understands 0 as "free".
 */
#include "journal/base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES ((size_t)4096)

static void *libc_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (bytes != 0)
        return realloc(memory, bytes);
    free(memory);
    return NULL;
}

const struct mem mem_libc = {libc_reallocate, NULL};

/* count × size, at least 1; false when that is no size of an object. */
static bool total_bytes(size_t count, size_t size, size_t *ret_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
        return false;
    *ret_bytes = bytes != 0 ? bytes : 1;
    return true;
}

void *mem_alloc(const struct mem *mem, size_t count, size_t size)
{
    assert(mem != NULL && mem->reallocate != NULL);
    size_t bytes;
    if (!total_bytes(count, size, &bytes))
        return NULL;
    /* Large tables come from the kernel zeroed: calloc knows, and does not touch pages that are never used. */
    if (mem->reallocate == libc_reallocate)
        return calloc(1, bytes);
    void *memory = mem->reallocate(mem->context, NULL, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void *mem_alloc_table(const struct mem *mem, size_t count, size_t size)
{
    assert(mem != NULL && mem->reallocate != NULL);
    size_t bytes;
    if (!total_bytes(count, size, &bytes))
        return NULL;
    void *memory = mem->reallocate(mem->context, NULL, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

static void ahead_write(struct mem_ahead *ahead, size_t count)
{
    memset((char *)ahead->memory + ahead->written, 0, count);
    ahead->written += count;
}

void mem_ahead_step(const struct mem *mem, struct mem_ahead *ahead, size_t count, size_t size)
{
    size_t bytes;
    if (!total_bytes(count, size, &bytes))
        return;
    if (ahead->bytes != bytes)
        mem_ahead_free(mem, ahead);
    if (ahead->memory == NULL)
        *ahead = (struct mem_ahead){.memory = mem->reallocate(mem->context, NULL, bytes), .bytes = bytes};
    size_t left = bytes - ahead->written;
    if (ahead->memory != NULL)
        ahead_write(ahead, left < PAGE_BYTES ? left : PAGE_BYTES);
}

void *mem_ahead_take(const struct mem *mem, struct mem_ahead *ahead, size_t count, size_t size)
{
    if (ahead->memory == NULL || ahead->bytes != count * size)
        return mem_alloc_table(mem, count, size);
    ahead_write(ahead, ahead->bytes - ahead->written);
    void *memory = ahead->memory;
    *ahead = (struct mem_ahead){.memory = NULL};
    return memory;
}

void mem_ahead_free(const struct mem *mem, struct mem_ahead *ahead)
{
    mem_free(mem, ahead->memory);
    *ahead = (struct mem_ahead){.memory = NULL};
}

void *mem_resize(const struct mem *mem, void *take_memory, size_t count, size_t size)
{
    assert(mem != NULL && mem->reallocate != NULL);
    size_t bytes;
    if (!total_bytes(count, size, &bytes))
        return NULL;
    return mem->reallocate(mem->context, take_memory, bytes);
}

void mem_free(const struct mem *mem, void *take_memory)
{
    assert(mem != NULL && mem->reallocate != NULL);
    if (take_memory != NULL)
        mem->reallocate(mem->context, take_memory, 0);
}
