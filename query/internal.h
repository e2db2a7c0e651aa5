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
/* Why there is no store to use, as a state. */
enum store_state store_state_of(const settle_error *fault);
bool store_is_to_blame(const struct view *view, settle_status status, const settle_error *fault);

/* view_accounts(), from the journal alone where the store is damaged. */
settle_status accounts_read(struct view *view, uint64_t user, uint32_t asset, struct accounts *accounts,
                            settle_error *error);

/* ---- lifecycle.c ---- */

/* Of a record that decides an event. */
settle_outcome outcome_of_kind(enum record_kind kind);
/* One arrival by its position, without persisted_us; *event stays valid until the next call on the reader. */
settle_status arrival_read(struct journal_reader *reader, uint64_t position, struct event_records *event,
                           settle_arrival *arrival, settle_error *error);
/* The life of an event as a view sees it, in memory of view->mem. */
settle_status lifecycle_read(struct view *view, settle_text event_id, settle_lifecycle **ret_lifecycle,
                             settle_error *error);

/* ---- history.c ---- */

/* SETTLE_E_CORRUPT at a position of the journal: names the segment and the offset in it. */
settle_status fail_in_segment(const struct journal_reader *reader, uint64_t position, uint64_t seq, settle_error *error,
                              const char *sentence);

/* The chain of an account's changes, walked from the newer to the older. */
struct walk {
    struct view *view; /* borrowed */
    uint64_t user;
    uint32_t asset;
    struct account_change change; /* the one it stands on */
    /* Of the change before that one: where it is (0: there is none) and what it must leave. */
    uint64_t position, version, seq_min, seq_max;
    settle_int128 available, held;
};
/* Onto the newest change not after until_seq. SETTLE_E_NOT_FOUND: the account has no history, SETTLE_E_END: none until
 * then; *error is untouched by both. */
settle_status walk_begin(struct view *view, uint64_t user, uint32_t asset, uint64_t until_seq, struct walk *ret_walk,
                         settle_error *error);
/* Onto the change before. SETTLE_E_END: it was the first; *error is untouched. */
settle_status walk_next(struct walk *walk, settle_error *error);

/* ---- lines.c ---- */

/* The beginning of the segment that holds the event, of the last one where there is none yet. */
settle_status segment_begin_seq(const struct journal_reader *reader, uint64_t seq, struct journal_point *ret_point,
                                settle_error *error);

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
