/*
 * assets.c — the cache between the scanner and the engine's register of assets.
 *
 * Used by one thread. Its contents are copies; nothing is ever stale, since an asset never changes.
 */
#include "ingest/assets.h"

#include <assert.h>
#include <string.h>

void assets_init(struct assets *assets, settle *engine)
{
    memset(assets, 0, sizeof *assets);
    assets->engine = engine;
}

static const settle_asset *find_id(struct assets *assets, uint32_t id)
{
    settle_asset *slot = &assets->by_id[id % ASSETS_CACHED];
    if (slot->id == id || settle_asset_by_id(assets->engine, id, slot) == SETTLE_OK)
        return slot;
    return NULL;
}

const settle_asset *assets_find(void *context, const struct scan_asset *name)
{
    struct assets *assets = context;
    if (name->id != 0)
        return find_id(assets, name->id);
    const settle_text symbol = name->symbol;
    assert(symbol.bytes >= 1);
    assert(symbol.bytes <= SETTLE_SYMBOL_BYTES_MAX);
    uint32_t hash = 0;
    for (size_t i = 0; i < symbol.bytes; i++)
        hash = hash * 37 + (unsigned char)symbol.data[i];
    settle_asset *slot = &assets->by_symbol[hash % ASSETS_CACHED];
    if (slot->id != 0 && memcmp(slot->symbol, symbol.data, symbol.bytes) == 0 && slot->symbol[symbol.bytes] == '\0')
        return slot;
    return settle_asset_by_symbol(assets->engine, symbol, slot) == SETTLE_OK ? slot : NULL;
}
