/* positions.h — a growing list of journal positions, from the allocator of whoever asked: what an answer is made of. */
#ifndef ENGINE_POSITIONS_H
#define ENGINE_POSITIONS_H

#include <stdint.h>

#include "journal/base/mem.h"
#include "journal/base/status.h"

struct positions {
    const struct mem *mem;
    uint64_t *at;
    size_t count, capacity;
};

/* One behind those that are there; one that is not behind the last is there already. A store_visit_position of a struct positions. */
static inline settle_status positions_add(void *context, uint64_t position, settle_error *error)
{
    struct positions *list = context;
    if (list->count > 0 && position <= list->at[list->count - 1])
        return SETTLE_OK;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        uint64_t *at = mem_resize(list->mem, list->at, capacity, sizeof *at);
        if (at == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for the arrivals of an event");
        list->at = at;
        list->capacity = capacity;
    }
    list->at[list->count++] = position;
    return SETTLE_OK;
}

#endif
