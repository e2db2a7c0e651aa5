/* registry.c — assets in an array sorted by id, sources in an array in order of appearance: both are few. */
#include "engine/registry.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "journal/base/status.h"

void registry_deinit(struct registry *registry)
{
    for (size_t i = 0; i < registry->source_count; i++)
        mem_free(registry->mem, registry->sources[i].name);
    if (registry->sources != NULL)
        mem_free(registry->mem, registry->sources);
    if (registry->assets != NULL)
        mem_free(registry->mem, registry->assets);
    *registry = (struct registry){.mem = NULL};
}

/* Where the id stands or would stand. */
static size_t asset_place(const struct registry *registry, uint32_t id)
{
    size_t low = 0, high = registry->asset_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (registry->assets[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const settle_asset *registry_asset_by_id(const struct registry *registry, uint32_t id)
{
    size_t at = asset_place(registry, id);
    return at < registry->asset_count && registry->assets[at].id == id ? &registry->assets[at] : NULL;
}

const settle_asset *registry_asset_by_symbol(const struct registry *registry, settle_text symbol)
{
    for (size_t i = 0; i < registry->asset_count; i++) {
        const settle_asset *asset = &registry->assets[i];
        if (strlen(asset->symbol) == symbol.bytes && memcmp(asset->symbol, symbol.data, symbol.bytes) == 0)
            return asset;
    }
    return NULL;
}

const char *asset_form_fault(const settle_asset *asset)
{
    size_t bytes = strnlen(asset->symbol, sizeof asset->symbol);
    if (bytes == 0 || bytes > SETTLE_SYMBOL_BYTES_MAX)
        return "a symbol has 1 to 15 characters";
    for (size_t i = 0; i < bytes; i++) {
        char c = asset->symbol[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'))
            return "a symbol is made of A-Z, 0-9 and the point";
    }
    if (asset->id == 0)
        return "an asset id is 1 to 4294967295";
    return asset->scale > SETTLE_SCALE_MAX ? "a scale is 0 to 18" : NULL;
}

settle_status registry_asset_add(struct registry *registry, const settle_asset *asset, settle_error *error)
{
    assert(asset_form_fault(asset) == NULL);
    settle_text symbol = {asset->symbol, strlen(asset->symbol)};
    const settle_asset *by_id = registry_asset_by_id(registry, asset->id);
    const settle_asset *by_symbol = registry_asset_by_symbol(registry, symbol);
    if (by_id != NULL && by_id == by_symbol && by_id->scale == asset->scale)
        return SETTLE_OK;
    const settle_asset *other = by_id != NULL ? by_id : by_symbol;
    if (other != NULL)
        return fail(error, SETTLE_E_CONFLICT, "asset %s=%" PRIu32 ":%u is declared already, as %s=%" PRIu32 ":%u",
                    asset->symbol, asset->id, asset->scale, other->symbol, other->id, other->scale);
    settle_asset *assets = mem_resize(registry->mem, registry->assets, registry->asset_count + 1, sizeof *assets);
    if (assets == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for another asset");
    registry->assets = assets;
    size_t at = asset_place(registry, asset->id);
    memmove(assets + at + 1, assets + at, (registry->asset_count - at) * sizeof *assets);
    assets[at] = *asset;
    registry->asset_count++;
    return SETTLE_OK;
}

uint32_t registry_source_number(struct registry *registry, settle_text name)
{
    for (size_t i = 0; i < registry->source_count; i++)
        if (registry->sources[i].name_bytes == name.bytes && memcmp(registry->sources[i].name, name.data, name.bytes) == 0)
            return (uint32_t)i + 1;
    struct source_entry *sources = mem_resize(registry->mem, registry->sources, registry->source_count + 1, sizeof *sources);
    if (sources == NULL)
        return 0;
    registry->sources = sources;
    char *copy = mem_alloc(registry->mem, name.bytes, 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, name.data, name.bytes);
    sources[registry->source_count] = (struct source_entry){.name = copy, .name_bytes = name.bytes};
    return (uint32_t)++registry->source_count;
}
