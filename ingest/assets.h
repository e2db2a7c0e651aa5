/* assets.h — the assets an input names, near at hand: the engine is asked once for each, not once a line. */
#ifndef INGEST_ASSETS_H
#define INGEST_ASSETS_H

#include "ingest/ingest.h"

#define ASSETS_CACHED 1024 /* a power of two */

/* Direct-mapped: two assets that meet in a slot push each other out, which costs time and nothing else. */
struct assets {
    settle *engine;                        /* borrowed */
    settle_asset by_symbol[ASSETS_CACHED]; /* id 0: empty */
    settle_asset by_id[ASSETS_CACHED];
};

void assets_init(struct assets *assets, settle *engine);

/* A scan_find_asset; context: the struct assets. What it returns is good until the next call. Only declared assets are
 * remembered: a declaration is for ever, that something is not declared may change with the next line. */
const settle_asset *assets_find(void *context, const struct scan_asset *name);

#endif
