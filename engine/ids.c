/*
 * ids.c — two open-addressing tables of (tag, position). Load at most one half, linear probing.
 * Invariants
 *   - An id is in the young or the old generation from its insertion until the store holds it.
 *   - The home slot grows with the tag, which the slot itself holds: growing reads nothing else and writes nearly in order.
 */
#include "engine/ids.h"

#include <assert.h>
#include <string.h>

#include "journal/base/status.h"

#define SLOTS_FIRST ((uint64_t)1 << 12)

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint64_t home_of(uint64_t slot_mask, uint32_t tag)
{
    return (tag * (slot_mask + 1)) >> 32;
}

static settle_status generation_grow(struct ids *ids, struct id_generation *generation, uint64_t slot_count)
{
    const struct mem *mem = ids->mem;
    struct id_slot *slots = mem_ahead_take(mem, &ids->ahead, slot_count, sizeof *slots);
    if (slots == NULL)
        return SETTLE_E_NO_MEMORY;
    uint64_t mask = slot_count - 1;
    for (uint64_t i = 0; generation->slots != NULL && i <= generation->slot_mask; i++) {
        struct id_slot slot = generation->slots[i];
        if (slot.past == 0)
            continue;
        uint64_t at = home_of(mask, slot.tag);
        while (slots[at].past != 0)
            at = (at + 1) & mask;
        slots[at] = slot;
    }
    if (generation->slots != NULL)
        mem_free(mem, generation->slots);
    generation->slots = slots;
    generation->slot_mask = mask;
    return SETTLE_OK;
}

settle_status ids_init(struct ids *ids, const struct mem *mem, uint64_t generation_max)
{
    *ids = (struct ids){.mem = mem, .generation_max = generation_max};
    settle_status status = generation_grow(ids, &ids->young, SLOTS_FIRST);
    if (status == SETTLE_OK)
        status = generation_grow(ids, &ids->old, SLOTS_FIRST);
    if (status != SETTLE_OK)
        ids_deinit(ids);
    return status;
}

void ids_deinit(struct ids *ids)
{
    if (ids->young.slots != NULL)
        mem_free(ids->mem, ids->young.slots);
    if (ids->old.slots != NULL)
        mem_free(ids->mem, ids->old.slots);
    if (ids->mem != NULL)
        mem_ahead_free(ids->mem, &ids->ahead);
    *ids = (struct ids){.mem = NULL};
}

settle_status ids_reserve(struct ids *ids, uint64_t more)
{
    const uint64_t wanted = ids->young.count + more, present = ids->young.slot_mask + 1;
    uint64_t slots = present;
    while (slots < wanted * 2)
        slots *= 2;
    if (slots > present)
        return generation_grow(ids, &ids->young, slots);
    if (wanted > present / 16 * 7 && present / 2 < ids->generation_max)
        mem_ahead_step(ids->mem, &ids->ahead, present * 2, sizeof *ids->young.slots);
    return SETTLE_OK;
}

/* Whether the young generation has room for one more, and its slots can say where that stands. */
static bool young_has_room(const struct ids *ids, uint64_t position)
{
    const struct id_generation *young = &ids->young;
    return young->count == 0 || (young->count < ids->generation_max && position - young->position_min < UINT32_MAX);
}

bool ids_make_room(struct ids *ids, uint64_t position, uint64_t applied_position)
{
    if (young_has_room(ids, position))
        return true;
    if (ids->old.count > 0 && ids->old.position_max >= applied_position)
        return false;
    struct id_generation spare = ids->old;
    if (spare.count > 0)
        memset(spare.slots, 0, (spare.slot_mask + 1) * sizeof *spare.slots);
    ids->old = ids->young;
    ids->young = (struct id_generation){.slots = spare.slots, .slot_mask = spare.slot_mask};
    return true;
}

void ids_insert(struct ids *ids, uint64_t hash, uint64_t position)
{
    struct id_generation *young = &ids->young;
    assert(position > young->position_max && (young->count + 1) * 2 <= young->slot_mask + 1);
    if (young->count == 0)
        young->position_min = position;
    assert(position - young->position_min < UINT32_MAX); /* ids_make_room() was told */
    uint64_t at = home_of(young->slot_mask, tag_of(hash));
    while (young->slots[at].past != 0)
        at = (at + 1) & young->slot_mask;
    young->slots[at] = (struct id_slot){tag_of(hash), (uint32_t)(position - young->position_min) + 1};
    young->count++;
    young->position_max = position;
}

void ids_prefetch(const struct ids *ids, uint64_t hash)
{
    __builtin_prefetch(&ids->young.slots[home_of(ids->young.slot_mask, tag_of(hash))]);
    __builtin_prefetch(&ids->old.slots[home_of(ids->old.slot_mask, tag_of(hash))]);
}

uint64_t ids_find(const struct ids *ids, uint64_t hash, struct ids_cursor *cursor)
{
    for (; cursor->generation < 2; cursor->generation++, cursor->probes = 0) {
        const struct id_generation *generation = cursor->generation == 0 ? &ids->young : &ids->old;
        if (generation->count == 0)
            continue;
        const uint64_t home = home_of(generation->slot_mask, tag_of(hash));
        for (;;) {
            const struct id_slot *slot = &generation->slots[(home + cursor->probes) & generation->slot_mask];
            if (slot->past == 0)
                break;
            cursor->probes++;
            if (slot->tag == tag_of(hash))
                return generation->position_min + slot->past - 1;
        }
    }
    return 0;
}
