/* registry.h — what an engine knows by name: the declared assets and the sources with their positions. */
#ifndef ENGINE_REGISTRY_H
#define ENGINE_REGISTRY_H

#include "engine/store.h"

struct registry {
    const struct mem *mem;
    settle_asset *assets; /* sorted by id */
    size_t asset_count;
    struct source_entry *sources; /* source number n stands at n - 1 */
    size_t source_count;
};

void registry_deinit(struct registry *registry); /* also of a zeroed struct */

/* NULL when not declared; the pointer is good until the next registry_asset_add(). */
const settle_asset *registry_asset_by_id(const struct registry *registry, uint32_t id);
const settle_asset *registry_asset_by_symbol(const struct registry *registry, settle_text symbol);
/* SETTLE_E_CONFLICT when the id or the symbol is taken with other values; adding the same again changes nothing. */
settle_status registry_asset_add(struct registry *registry, const settle_asset *asset, settle_error *error);
/* NULL, or what breaks the form. */
const char *asset_form_fault(const settle_asset *asset);

/* The number of a source, added where new; 0 = no memory. */
uint32_t registry_source_number(struct registry *registry, settle_text name);

#endif
