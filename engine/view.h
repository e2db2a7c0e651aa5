/*
 * view.h — a read-only look at a data directory for queries: the store's checkpoint plus the journal's tail after it.
 * Needs no writer, creates and repairs nothing, works beside a writer in another process and on a read-only mount. A store
 * that is absent or damaged is done without: the answers then come from the whole journal, and store_fault says why.
 */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include "engine/store.h"

struct view {
    const struct mem *mem;
    int data_fd;                    /* -1 when the view borrows an engine's parts */
    struct journal_reader *reader;
    struct store *store;            /* NULL: absent or damaged */
    struct store_snapshot *snapshot;
    bool owns_store;
    settle_error store_fault;       /* status SETTLE_OK: the store is good */
    struct journal_point tail;      /* where the journal's tail begins that the store does not have */
    settle_asset *assets;           /* all declared, sorted by id */
    size_t asset_count;
};

settle_status view_open(const char *directory, struct view *ret_view, settle_error *error);
void view_close(struct view *view); /* also of a zeroed struct */

/* NULL when not declared. */
const settle_asset *view_asset_by_id(const struct view *view, uint32_t id);
const settle_asset *view_asset_by_symbol(const struct view *view, settle_text symbol);

/* The newest state of accounts into an empty table (accounts_init done): user 0 = all; asset 0 = all of the user. */
settle_status view_accounts(struct view *view, uint64_t user, uint32_t asset, struct accounts *accounts,
                            settle_error *error);
/* Position of the first arrival of an id; SETTLE_E_NOT_FOUND. */
settle_status view_find_event(struct view *view, const struct event_key *key, uint64_t *ret_position,
                              settle_error *error);
/* Positions of its later arrivals, in order, malloc'd. */
settle_status view_arrivals(struct view *view, uint64_t first_position, uint64_t **ret_positions, size_t *ret_count,
                            settle_error *error);

#endif
