/* store_ids.h — the new ids of a checkpoint, into the blocks of their table. */
#ifndef ENGINE_STORE_IDS_H
#define ENGINE_STORE_IDS_H

#include "engine/store_sort.h"
#include "engine/store_tables.h"

/* The items are struct store_id of the table, in the order of its keys. What is new is added to meta's count, digest and bounds;
 * SETTLE_E_CORRUPT where an id is there with another position. */
settle_status store_put_ids(struct store_writer *writer, enum store_table table, const struct store_sort_item *items,
                            size_t count, struct store_meta *meta, settle_error *error);

#endif
