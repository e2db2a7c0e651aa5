/*
 * store_view.h — reading LMDB's trees without LMDB: each page is proved before it is used, by us or by LMDB.
 *
 * LMDB has no checksums and believes what it maps: a flipped bit in a page's header hides entries, makes it write over live
 * pages, or ends the process. So lookups and walks are done here, and before LMDB is given a key to write, the pages on the
 * way to it are proved here. What is proved, and what each proof finds:
 *
 *   free pages   every page of the file is a meta page, in one tree, or free, exactly once as far as numbers and counts tell:
 *                a tree never leads to a page that is free (an older copy of one, say), and LMDB never writes over a live one
 *   page         its number, its kind, its keys in strict order, its nodes within it and filling it exactly: none is hidden
 *   place        the first key of a leaf is the one its parents have for it, its last one comes before the next leaf's: a
 *                search that was led astray, by a damaged key or number, is noticed. (True since nothing is ever removed.)
 *
 * The entries' own bytes are covered by their checksums, and that nothing stands between two of them by store_read.c.
 *
 * A view belongs to one transaction and is used by one thread at a time. Pages of the transaction do not change while it
 * lives; what is handed out points into the map.
 */
#ifndef ENGINE_STORE_VIEW_H
#define ENGINE_STORE_VIEW_H

#include "engine/store_page.h"
#include "engine/store_tables.h"

/* The file, mapped for reading. store_map.c */
struct store_map {
    const uint8_t *at;
    size_t bytes;
    int fd; /* borrowed */
    uint32_t page_bytes;
};

/* errno; 0: it is mapped. Closing a zeroed one does nothing. */
int store_map_open(int fd, size_t bytes, uint32_t page_bytes, struct store_map *ret_map);
void store_map_close(struct store_map *map);

struct store_tree {
    uint64_t root, page_count;
    unsigned depth;
};

struct store_view {
    const struct mem *mem;
    bool
        keeps_proofs; /* over transactions: in the process that writes them, which need not prove its own pages again */

    const uint8_t *map; /* borrowed */
    uint32_t page_bytes;
    uint64_t transaction, page_count;
    uint64_t present_count; /* of pages that the file holds: one that was given back at its end may be missing */
    bool has_tables;
    struct store_tree tables[STORE_TABLE_COUNT];
    uint64_t *is_free, *is_proved; /* bits, one a page */
    size_t bit_words;
};

/* Zeroed is a view of nothing. */
void store_view_deinit(struct store_view *view);
/*
 * To a committed transaction. SETTLE_E_NOT_FOUND, without a sentence: two more were committed since, and its meta page is
 * gone; SETTLE_E_CORRUPT; SETTLE_E_NO_MEMORY. After an error the view can only be updated again.
 */
settle_status store_view_update(struct store_view *view, const struct store_map *map, uint64_t transaction,
                                settle_error *error);

/* What is wrong with the page that a node, which has its value there, leads to; NULL: nothing. */
const char *store_view_overflow_fault(const struct store_view *view, const uint8_t *node);

/* A place in a table: the entry it stands at, or behind the last of a leaf. */
struct store_path {
    enum store_table table;
    bool is_end; /* behind all entries, or before them */
    struct {
        const uint8_t *page;
        unsigned index, count;
    } at[TREE_DEPTH_MAX];
};
/* To the first entry with this key or a greater one ({NULL, 0}: the first of all), which may be behind its leaf's last. */
settle_status store_view_seek(struct store_view *view, enum store_table table, struct store_bytes key,
                              struct store_path *ret_path, settle_error *error);
/* The entry, going on to the next leaf where the path stands behind one's last; {{NULL, 0}} at the end. */
settle_status store_view_entry(struct store_view *view, struct store_path *path, struct store_entry *ret_entry,
                               settle_error *error);
settle_status store_view_next(struct store_view *view, struct store_path *path, settle_error *error);
/* *ret_value is {NULL, 0} where the key has no entry. */
settle_status store_view_find(struct store_view *view, enum store_table table, struct store_bytes key,
                              struct store_bytes *ret_value, settle_error *error);

/* The entry with the greatest key that is not greater, and the key of the next one ({NULL, 0}: none). {{NULL, 0}}: the table is
 * empty. For a table whose first entry is before all keys that are asked for; SETTLE_E_CORRUPT where it is not. */
settle_status store_view_floor(struct store_view *view, enum store_table table, struct store_bytes key,
                               struct store_entry *ret_entry, struct store_bytes *ret_next, settle_error *error);

/* Keys that belong on a leaf for certain: from `first` to before `end`; {NULL, 0}: no bound. */
struct store_range {
    bool is_known;
    struct store_bytes first, end;
};
/* Proves the way to the leaf where a key stands or would stand, and says which other keys belong there. */
settle_status store_view_prove(struct store_view *view, enum store_table table, struct store_bytes key,
                               struct store_range *ret_range, settle_error *error);
/* The way to the last leaf. */
settle_status store_view_prove_end(struct store_view *view, enum store_table table, settle_error *error);

#endif
