/*
 * view.h — a read-only look at a data directory for queries: the store's checkpoint plus the journal's tail after it.
 *
 * Needs no writer, creates and repairs nothing, works beside a writer in another process and on a read-only mount. A view is
 * one moment: what comes after it was opened is not seen. A store that is absent or damaged is done without: the answers then
 * come from the whole journal, and store_fault says why. A view is used by one thread.
 */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include "engine/projection.h"

struct view {
    const struct mem *mem;
    int data_fd; /* -1 when the view borrows an engine's */
    struct journal_reader *reader;
    struct store *store; /* NULL: absent or damaged */
    bool owns_store;
    struct store_snapshot *snapshot; /* NULL exactly when store is */
    struct store_meta meta;          /* of the snapshot */
    settle_error store_fault;        /* status SETTLE_OK: the store is good; SETTLE_E_NOT_FOUND: absent */
    struct journal_point tail;       /* where the journal's tail begins that the store does not have */
    struct journal_point end;        /* where it ends, for this view */
    struct projection overlay;       /* what the tail adds (without ids) */
    struct registry names;           /* all assets declared */
};

settle_status view_open(const char *directory, struct view *ret_view, settle_error *error);
/* A view inside the process of a writer, which shares its store. */
settle_status view_attach(int borrow_data_fd, struct store *borrow_store, const struct mem *mem, struct view *ret_view,
                          settle_error *error);
/* journal_reader_open() for a data directory: one that holds a store and no journal has lost it (SETTLE_E_CORRUPT). */
settle_status view_reader_open(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                               settle_error *error);
void view_close(struct view *view); /* also of a zeroed struct */
/* Goes on without the store, which a call on the view has just found damaged (`fault`): the answers then come from the
 * whole journal, as of now. */
settle_status view_forget_store(struct view *view, const settle_error *fault, settle_error *error);

/* NULL when not declared. */
const settle_asset *view_asset_by_id(const struct view *view, uint32_t id);
const settle_asset *view_asset_by_symbol(const struct view *view, settle_text symbol);

/* The newest state of accounts into an empty table (accounts_init done): user 0 = all; asset 0 = all of the user. */
settle_status view_accounts(struct view *view, uint64_t user, uint32_t asset, struct accounts *accounts,
                            settle_error *error);
/* Position of the first arrival of an id; SETTLE_E_NOT_FOUND. */
settle_status view_find_event(struct view *view, const struct event_key *key, uint64_t *ret_position,
                              settle_error *error);
/* Positions of its later arrivals, in order; free them with mem_free() and view->mem. */
settle_status view_arrivals(struct view *view, uint64_t first_position, uint64_t **ret_positions, size_t *ret_count,
                            settle_error *error);

#endif
