/* internal.h — what the files of query/ share with each other and with nobody else. */
#ifndef QUERY_INTERNAL_H
#define QUERY_INTERNAL_H

#include "engine/view.h"
#include "journal/lines/lines.h"
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

/* ---- lines.c ---- */

/* The lines of a journal, one by one, from the segment that holds from_seq on. Opens and owns all it needs. */
struct rendering {
    int data_fd;
    struct journal_reader *reader;
    struct lines *lines;
    struct journal_point point; /* behind the frame entered last */
    bool is_in_frame;
};
settle_status rendering_open(const char *directory, const struct lines_options *options,
                             struct rendering *ret_rendering, settle_error *error);
void rendering_close(struct rendering *rendering); /* also of a zeroed struct */
/* The next line at `at`, which has room for LINE_BYTES_MAX. SETTLE_E_END: there is none now; rendering_refresh()
 * looks again. */
settle_status rendering_next(struct rendering *rendering, char *at, struct line *ret_line, settle_error *error);
settle_status rendering_refresh(struct rendering *rendering, settle_error *error);

#endif
