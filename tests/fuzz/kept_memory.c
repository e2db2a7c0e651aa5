/* kept_memory.c — see kept_memory.h. Owns the blocks for the life of the process. */
#include "tests/fuzz/kept_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_BYTES 65536u
#define KEPT_MAX 16

static struct kept {
    void *memory;
    size_t bytes;
    bool is_taken;
} kept[KEPT_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

const struct mem kept_mem = {kept_reallocate, NULL};

/* One of that size that is free, or a new one where there is a place for it. */
static void *take_large(size_t bytes)
{
    void *taken = NULL;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < KEPT_MAX && taken == NULL; i++) {
        if (kept[i].is_taken || (kept[i].memory != NULL && kept[i].bytes != bytes))
            continue;
        if (kept[i].memory == NULL)
            kept[i] = (struct kept){malloc(bytes), bytes, false};
        kept[i].is_taken = kept[i].memory != NULL;
        taken = kept[i].memory;
    }
    pthread_mutex_unlock(&mutex);
    return taken != NULL ? taken : malloc(bytes);
}

/* Its size, where it is a kept one; else 0. */
static size_t size_of_large(const void *memory, bool give)
{
    size_t bytes = 0;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (kept[i].memory == memory) {
            kept[i].is_taken = !give;
            bytes = kept[i].bytes;
        }
    }
    pthread_mutex_unlock(&mutex);
    return bytes;
}

void *kept_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (memory == NULL)
        return bytes == 0 ? NULL : bytes >= LARGE_BYTES ? take_large(bytes) : malloc(bytes);
    size_t kept_bytes = size_of_large(memory, bytes == 0);
    if (bytes == 0) {
        if (kept_bytes == 0)
            free(memory);
        return NULL;
    }
    if (kept_bytes == 0)
        return realloc(memory, bytes);
    void *moved = malloc(bytes);
    if (moved != NULL) {
        memcpy(moved, memory, bytes < kept_bytes ? bytes : kept_bytes);
        (void)size_of_large(memory, true);
    }
    return moved;
}
