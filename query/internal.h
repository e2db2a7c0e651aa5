/* internal.h — what the files of query/ share with each other and with nobody else. */
#ifndef QUERY_INTERNAL_H
#define QUERY_INTERNAL_H

#include "engine/view.h"
#include "query/query.h"

struct query {
    struct view view;
};

/* Fills the balances of *ledger from a table of accounts, sorted. */
settle_status ledger_take_accounts(struct ledger *ledger, const struct accounts *accounts, settle_error *error);
settle_status ledger_copy_assets(struct ledger *ledger, const settle_asset *assets, size_t count, settle_error *error);

/* Whether a call on the view failed because its store is damaged; view_forget_store() then lets the journal answer. */
bool store_is_to_blame(const struct view *view, settle_status status, const settle_error *fault);

/* The life of an event as a view sees it, in memory of view->mem. */
settle_status lifecycle_read(struct view *view, settle_text event_id, settle_lifecycle **ret_lifecycle,
                             settle_error *error);

#endif
