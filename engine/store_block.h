/*
 * store_block.h — event ids in blocks: what the tables natural_ids and text_ids hold. Pure: no I/O, no allocation.
 *
 * A block is one entry of its table: many ids in order, each with its position, under one key and one checksum. An entry of
 * LMDB costs a search, a header and a checksum of its own; a block shares them among its ids.
 *
 * Invariant: an id is in the block with the greatest key that is not greater than the id, or nowhere. A table's first block has
 * the least key there is, so that there always is one; another's key is that of the id it began with.
 */
#ifndef ENGINE_STORE_BLOCK_H
#define ENGINE_STORE_BLOCK_H

#include "engine/store_format.h"

/* One id: its key in the table without the first byte, which is the same for all of a table, and the position. */
struct store_block_id {
    struct store_bytes tail;
    uint64_t position;
};

/* The key of a table's first block; returns its length. */
size_t store_block_least_key(enum store_table table, uint8_t ret_key[STORE_ID_KEY_BYTES_MAX]);

/* ---- Reading: a sentence where the block is damaged ---------------------------------------------------------------------- */

struct store_block_cursor {
    const uint8_t *at, *end;
    unsigned left; /* ids */
    bool is_natural;
};
/* Checks all of the block. What the cursor hands out points into it. */
const char *store_block_open(struct store_bytes key, struct store_bytes value, struct store_block_cursor *ret_cursor);
/* Of a block on a page that is proved (store_view.h), its checksum with it: checks that nothing outside of it is read. */
const char *store_block_begin(struct store_bytes key, struct store_bytes value, struct store_block_cursor *ret_cursor);
bool store_block_next(struct store_block_cursor *cursor, struct store_block_id *ret_id);
/* The ids before the one with this tail: how many bytes they take, and their number. */
size_t store_block_before(const struct store_block_cursor *cursor, struct store_bytes tail, unsigned *ret_count);
/* The position of the id with this tail; 0: it is not in the block. */
uint64_t store_block_find(const struct store_block_cursor *cursor, struct store_bytes tail);
/* The id itself. */
const char *store_block_id_decode(enum store_table table, const struct store_block_id *block_id,
                                  struct store_id *ret_id);
/* How many bytes of a block its ids take. Of one that is open. */
size_t store_block_used(const struct store_block_cursor *cursor);

/* ---- Writing ------------------------------------------------------------------------------------------------------------- */

struct store_block_builder {
    uint8_t key[STORE_ID_KEY_BYTES_MAX], value[STORE_BLOCK_BYTES];
    size_t key_bytes, used; /* of the value's room for ids */
    unsigned count;
    bool is_natural;
};
/* The bytes that an id takes, and those that a block has for them. */
size_t store_block_id_bytes(enum store_table table, size_t tail_bytes);
size_t store_block_capacity(void);
void store_block_build(struct store_block_builder *builder, struct store_bytes key);
/* What is added must be behind all that was added before, and there must be room. */
void store_block_add(struct store_block_builder *builder, const struct store_block_id *id);
/* The next ids of a block, `bytes` long; the cursor is then behind them. */
void store_block_copy(struct store_block_builder *builder, struct store_block_cursor *cursor, size_t bytes,
                      unsigned count);
/* Key and value, borrowed from the builder. */
struct store_entry store_block_seal(struct store_block_builder *builder);

#endif
