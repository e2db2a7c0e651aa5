/*
 * past.c — balances as they were behind an event: a user's by walking each account's chain of changes back, all of them by
 * folding the journal from its beginning. The fold takes the legs as recorded and checks that they follow from each
 * other; that the rules give them is replay's business.
 */
#include <assert.h>

#include "journal/base/status.h"
#include "query/ahead.h"
#include "query/internal.h"

/* ---- All: the journal folded ---- */

struct fold_until {
    struct accounts *accounts;
    uint64_t seq;      /* the last event that counts */
    const char *fault; /* NULL, or why the legs of an event do not follow; and which */
    uint64_t fault_position, fault_seq;
};

static bool take_legs(struct fold_until *fold, const struct record *consumed, const struct record *decided)
{
    for (uint32_t i = 0; i < decided->u.validated.leg_count; i++) {
        const settle_leg *leg = &decided->u.validated.legs[i];
        struct account *account = accounts_upsert(fold->accounts, leg->user, leg->asset);
        fold->fault = account_leg_fault(account, leg, true);
        if (fold->fault != NULL) {
            fold->fault_position = decided->position;
            fold->fault_seq = decided->seq;
            return false;
        }
        account_take_leg(account, leg, consumed->seq, consumed->position);
    }
    return true;
}

static settle_status fold_frame_until(struct fold_until *fold, const struct frame *frame, settle_error *error)
{
    struct record consumed, decided;
    size_t offset = 0;
    struct accounts_ahead ahead;
    accounts_ahead_begin(fold->accounts, frame, &ahead);
    while (frame_next_record(frame, &offset, &consumed)) {
        if (consumed.kind != RECORD_CONSUMED)
            continue;
        (void)accounts_ahead_next(&ahead);
        bool has_decision = frame_next_record(frame, &offset, &decided);
        assert(has_decision); /* the reader has checked it */
        if (consumed.seq > fold->seq)
            break;
        if (decided.kind != RECORD_VALIDATED)
            continue;
        if (accounts_reserve(fold->accounts, SETTLE_LEGS_MAX) != SETTLE_OK)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for balances");
        if (!take_legs(fold, &consumed, &decided))
            return SETTLE_E_CORRUPT;
    }
    return SETTLE_OK;
}

static settle_status fold_journal(struct view *view, uint64_t seq, struct accounts *accounts, settle_error *error)
{
    struct fold_until fold = {.accounts = accounts, .seq = seq};
    struct journal_point point;
    struct frame frame;
    struct ahead *ahead = NULL;
    settle_status status = SETTLE_OK;
    journal_reader_begin(view->reader, &point);
    ahead_open(view->reader, &point, view->mem, &ahead); /* NULL: this thread reads for itself */
    while (status == SETTLE_OK && point.next_seq <= seq && point.position < view->end.position) {
        status = ahead != NULL ? ahead_next(ahead, &point, &frame, error)
                               : journal_reader_next(view->reader, &point, &frame, error);
        if (status == SETTLE_OK)
            status = fold_frame_until(&fold, &frame, error);
    }
    ahead_close(ahead);
    if (fold.fault != NULL)
        return fail_in_segment(view->reader, fold.fault_position, fold.fault_seq, error, fold.fault);
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* ---- A user's: walked ---- */

static settle_status walk_account(struct view *view, const struct account *now, uint64_t seq, struct accounts *accounts,
                                  settle_error *error)
{
    struct walk walk;
    settle_status status = walk_begin(view, now->user, now->asset, seq, &walk, error);
    if (status == SETTLE_E_END)
        return SETTLE_OK; /* it had no history then */
    if (status == SETTLE_OK && accounts_reserve(accounts, 1) != SETTLE_OK)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for balances");
    if (status != SETTLE_OK)
        return status;
    struct account *account = accounts_upsert(accounts, now->user, now->asset);
    account->available = walk.change.after;
    account->held = walk.change.after_held;
    account->version = walk.change.version;
    account->last_seq = walk.change.seq;
    account->last_position = walk.change.position;
    return SETTLE_OK;
}

static settle_status walk_user(struct view *view, uint64_t user, uint32_t asset, uint64_t seq,
                               struct accounts *accounts, settle_error *error)
{
    struct accounts now = {0};
    settle_status status = accounts_init(&now, view->mem, 16);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for balances");
    status = accounts_read(view, user, asset, &now, error);
    for (uint32_t i = 0; i < now.count && status == SETTLE_OK; i++)
        status = walk_account(view, accounts_at(&now, i), seq, accounts, error);
    accounts_deinit(&now);
    return status;
}

settle_status query_balances_at(struct query *query, uint64_t user, uint32_t asset, uint64_t seq,
                                struct ledger *ret_ledger, settle_error *error)
{
    struct view *view = &query->view;
    struct ledger ledger = {0};
    struct accounts accounts = {0};
    assert(asset == 0 || user != 0);
    if (seq >= view->end.next_seq - 1)
        return query_balances(query, user, asset, ret_ledger, error);
    settle_status status = accounts_init(&accounts, view->mem, user == 0 ? 1024 : 16);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for balances");
    status =
        user != 0 ? walk_user(view, user, asset, seq, &accounts, error) : fold_journal(view, seq, &accounts, error);
    if (status == SETTLE_OK)
        status = ledger_take_accounts(&ledger, &accounts, error);
    if (status == SETTLE_OK)
        status = ledger_copy_assets(&ledger, view->names.assets, view->names.asset_count, error);
    accounts_deinit(&accounts);
    if (status == SETTLE_OK)
        *ret_ledger = ledger;
    else
        ledger_free(&ledger);
    return status;
}
