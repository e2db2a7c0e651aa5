/*
 * store_ids.c — a checkpoint's new ids, merged into the blocks of their table.
 *
 * The ids come in order, and so do the blocks: each block that new ids belong to is read once, from the commit before, and
 * written once, with as many new ones behind it as the ids need. So what this transaction has written is never read again.
 * At the table's end, where ids that count upwards belong, blocks are filled; elsewhere they are left about evenly full,
 * with room for more.
 */
#include "engine/store_ids.h"

#include <assert.h>
#include <string.h>

#include "engine/store_block.h"

enum { PREFETCH = 8 };

struct merge {
    struct store_writer *writer;
    enum store_table table;
    struct store_meta *meta;
    struct store_block_builder block;
    bool is_new; /* the block is not in the table yet */
    size_t fill; /* a block with so many bytes is complete */
};

/* An id of the batch, as it stands in a block. */
struct encoded {
    uint8_t key[STORE_ID_KEY_BYTES_MAX];
    struct store_block_id id;
};

static struct store_bytes encode(const struct store_id *id, struct encoded *ret)
{
    const size_t bytes = store_id_key(&id->key, ret->key);
    ret->id = (struct store_block_id){{ret->key + 1, bytes - 1}, id->position};
    return (struct store_bytes){ret->key, bytes};
}

static settle_status flush(struct merge *m, settle_error *error)
{
    const struct store_entry entry = store_block_seal(&m->block);
    struct store_bytes old;
    settle_status status;
    if (m->is_new) {
        status = store_writer_add(m->writer, m->table, entry.key, entry.value, &old, error);
        return status == SETTLE_OK && old.at ? store_fail_entry(error, "a block of event ids is there twice") : status;
    }
    status = store_writer_get(m->writer, m->table, entry.key, &old, error);
    if (status == SETTLE_OK && old.count != entry.value.count)
        return store_fail_entry(error, "a block of event ids is not where it was");
    return status == SETTLE_OK ? store_writer_replace(m->writer, m->table, entry.key, entry.value, error) : status;
}

/* Behind all that was put before. */
static settle_status put(struct merge *m, const struct store_block_id *id, settle_error *error)
{
    const size_t bytes = store_block_id_bytes(m->table, id->tail.count);
    if (m->block.count > 0 && (m->block.used >= m->fill || bytes > store_block_capacity() - m->block.used)) {
        settle_status status = flush(m, error);
        if (status != SETTLE_OK)
            return status;
        /* The byte before the tail is not always the key's. */
        uint8_t key[STORE_ID_KEY_BYTES_MAX];
        (void)store_block_least_key(m->table, key);
        memcpy(key + 1, id->tail.at, id->tail.count);
        store_block_build(&m->block, (struct store_bytes){key, 1 + id->tail.count});
        m->is_new = true;
    }
    store_block_add(&m->block, id);
    return SETTLE_OK;
}

/* How many ids of the batch belong to a block: those before the next block's key, all where there is none. *ret_bytes: what
 * they take, where there is a next block. */
static size_t ids_before(const struct merge *m, const struct store_sort_item *items, size_t count,
                         struct store_bytes next, size_t *ret_bytes)
{
    size_t i = 0, bytes = 0;
    for (; next.at && i < count; i++) {
        struct encoded one;
        if (store_key_order(encode(items[i].element, &one), next) >= 0)
            break;
        bytes += store_block_id_bytes(m->table, one.id.tail.count);
    }
    *ret_bytes = bytes;
    return next.at ? i : count;
}

/* The block's next ids, `bytes` long. */
static settle_status put_span(struct merge *m, struct store_block_cursor *cursor, size_t bytes, unsigned count,
                              settle_error *error)
{
    struct store_block_id id;
    settle_status status = SETTLE_OK;
    if (bytes <= m->fill && m->block.used <= m->fill - bytes)
        store_block_copy(&m->block, cursor, bytes, count);
    else
        for (; count > 0 && status == SETTLE_OK && store_block_next(cursor, &id); count--)
            status = put(m, &id, error);
    return status;
}

/* The block's own ids and `count` of the batch. */
static settle_status merge_ids(struct merge *m, struct store_block_cursor *cursor, const struct store_sort_item *items,
                               size_t count, settle_error *error)
{
    struct store_block_id last = {{NULL, 0}, 0};
    struct encoded encoded[2]; /* this one and the last that was new */
    unsigned turn = 0, before;
    for (size_t i = 0; i < count; i++) {
        if (count - i > PREFETCH)
            __builtin_prefetch(items[i + PREFETCH].element);
        const struct store_id *id = items[i].element;
        struct encoded *one = &encoded[turn];
        const struct store_bytes key = encode(id, one);
        const size_t bytes = store_block_before(cursor, one->id.tail, &before);
        settle_status status = put_span(m, cursor, bytes, before, error);
        if (status != SETTLE_OK)
            return status;
        uint64_t there = store_block_find(cursor, one->id.tail);
        if (there == 0 && last.tail.at && store_key_order(last.tail, one->id.tail) == 0)
            there = last.position;
        if (there != 0 && there != id->position)
            return store_fail_history(error, 0, "an event id is taken by another event");
        if (there != 0)
            continue;
        status = put(m, &one->id, error);
        if (status != SETTLE_OK)
            return status;
        m->meta->id_count++;
        m->meta->id_digest += store_id_key_digest(key, id->position);
        id_bounds_add(&m->meta->bounds, &id->key);
        last = one->id;
        turn ^= 1;
    }
    settle_status status = put_span(m, cursor, store_block_used(cursor), cursor->left, error);
    return status == SETTLE_OK && m->block.count > 0 ? flush(m, error) : status;
}

/* The ids that belong to one block; *ret_count of them are done. */
static settle_status merge_block(struct merge *m, const struct store_sort_item *items, size_t count, size_t *ret_count,
                                 settle_error *error)
{
    struct encoded first;
    uint8_t least[STORE_ID_KEY_BYTES_MAX];
    struct store_entry block;
    struct store_bytes next;
    struct store_block_cursor cursor = {NULL, NULL, 0, m->table == STORE_NATURAL_IDS};
    settle_status status =
        store_writer_floor(m->writer, m->table, encode(items[0].element, &first), &block, &next, error);
    if (status != SETTLE_OK)
        return status;
    m->is_new = block.key.at == NULL; /* the table is empty */
    if (m->is_new) {
        block.key = (struct store_bytes){least, store_block_least_key(m->table, least)};
    } else {
        const char *fault = store_block_begin(block.key, block.value, &cursor);
        if (fault)
            return store_fail_entry(error, fault);
    }
    const size_t capacity = store_block_capacity();
    size_t more;
    *ret_count = ids_before(m, items, count, next, &more);
    assert(*ret_count > 0);
    const size_t all = store_block_used(&cursor) + more, blocks = (all + capacity - 1) / capacity;
    m->fill = next.at ? (all + blocks - 1) / blocks : capacity;
    store_block_build(&m->block, block.key);
    return merge_ids(m, &cursor, items, *ret_count, error);
}

settle_status store_put_ids(struct store_writer *writer, enum store_table table, const struct store_sort_item *items,
                            size_t count, struct store_meta *meta, settle_error *error)
{
    struct merge merge;
    merge.writer = writer;
    merge.table = table;
    merge.meta = meta;
    settle_status status = SETTLE_OK;
    for (size_t done = 0, some = 0; done < count && status == SETTLE_OK; done += some)
        status = merge_block(&merge, items + done, count - done, &some, error);
    return status;
}
