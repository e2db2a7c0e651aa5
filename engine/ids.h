/*
 * ids.h — the event ids that the store does not have yet: hash → journal position, in two generations. A hash, of which
 * 32 bits are kept, is only a hint; the caller compares the id with the record at the position. A generation is dropped
 * once the store holds all of it, so memory follows the checkpoint interval, not the history.
 */
#ifndef ENGINE_IDS_H
#define ENGINE_IDS_H

#include <stdbool.h>

#include <settle/event.h>

#include "journal/base/mem.h"

/* Eight bytes, so that twice as many are in the cache. */
struct id_slot {
    uint32_t tag;  /* high 32 bits of the hash */
    uint32_t past; /* bytes from the generation's first position, and 1; 0 = empty */
};
struct id_generation {
    struct id_slot *slots;
    uint64_t slot_mask;
    uint64_t count;
    uint64_t position_min, position_max; /* of those that are in */
};
struct ids {
    const struct mem *mem;
    struct id_generation young, old;
    struct mem_ahead ahead; /* the young generation's next slots */
    uint64_t generation_max; /* ids a generation holds before it must change */
};

settle_status ids_init(struct ids *ids, const struct mem *mem, uint64_t generation_max);
void ids_deinit(struct ids *ids); /* also of a zeroed struct */

/* Room for `more` ids in the young generation; SETTLE_E_NO_MEMORY leaves everything as it is. */
settle_status ids_reserve(struct ids *ids, uint64_t more);
/* False: the young generation is full and the old one is still needed; wait for the store. Everything before
 * applied_position is in the store. Call before ids_insert(), with the greatest position that it may come with. */
bool ids_make_room(struct ids *ids, uint64_t position, uint64_t applied_position);
void ids_insert(struct ids *ids, uint64_t hash, uint64_t position);

void ids_prefetch(const struct ids *ids, uint64_t hash);
/* The positions recorded under a hash, one after another; 0 = no more. Start with a zeroed cursor. */
struct ids_cursor {
    unsigned generation;
    uint64_t probes;
};
uint64_t ids_find(const struct ids *ids, uint64_t hash, struct ids_cursor *cursor);

#endif
