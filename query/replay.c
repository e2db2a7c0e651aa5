/*
 * replay.c — balances from the journal alone, compared with the live store where asked to. Owns its own reader and fold;
 * the view of the live store is a second, independent look at the same directory.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "journal/base/status.h"
#include "query/fold.h"
#include "query/internal.h"

const char *store_state_name(enum store_state state)
{
    switch (state) {
    case STORE_ABSENT: return "absent";
    case STORE_DAMAGED: return "damaged";
    case STORE_DIFFERS: return "differs";
    case STORE_EQUAL: return "equal";
    case STORE_NOT_COMPARED: break;
    }
    return "not compared";
}

struct replay {
    const struct replay_options *options;
    struct replay_result result;
    struct fold fold;
};

static void tell_difference(struct replay *replay, const char *text)
{
    replay->result.ok = false;
    replay->result.difference_count++;
    if (replay->options->difference != NULL)
        replay->options->difference(replay->options->context, text);
}

/* Digits of a 128-bit amount in minor units: for messages, where the asset may be the very thing that is wrong. */
static const char *minor_units(settle_int128 amount, char ret_text[SETTLE_AMOUNT_TEXT_BYTES])
{
    settle_amount_format(amount, 0, ret_text);
    return ret_text;
}

/* One of the two is NULL where only the other side has the account. */
static void compare_account(struct replay *replay, const struct account *journal, const struct account *store)
{
    const struct account *any = journal != NULL ? journal : store;
    char text[400], user[PRINT_USER_BYTES], amounts[4][SETTLE_AMOUNT_TEXT_BYTES];
    print_user(any->user, user);
    if (journal == NULL || store == NULL) {
        snprintf(text, sizeof text, "user %s asset %" PRIu32 ": only the %s has this balance", user, any->asset,
                 journal != NULL ? "journal" : "store");
        tell_difference(replay, text);
        return;
    }
    if (journal->available == store->available && journal->held == store->held && journal->version == store->version &&
        journal->last_seq == store->last_seq && journal->last_position == store->last_position)
        return;
    snprintf(text, sizeof text,
             "user %s asset %" PRIu32 ": journal has available %s held %s version %" PRIu64 " seq %" PRIu64
             ", store has available %s held %s version %" PRIu64 " seq %" PRIu64 " (minor units)",
             user, any->asset, minor_units(journal->available, amounts[0]), minor_units(journal->held, amounts[1]),
             journal->version, journal->last_seq, minor_units(store->available, amounts[2]),
             minor_units(store->held, amounts[3]), store->version, store->last_seq);
    tell_difference(replay, text);
}

static void compare_accounts(struct replay *replay, const struct accounts *store)
{
    const struct accounts *journal = &replay->fold.accounts;
    for (uint32_t i = 0; i < journal->count; i++) {
        const struct account *account = accounts_at(journal, i);
        compare_account(replay, account, accounts_find(store, account->user, account->asset));
    }
    for (uint32_t i = 0; i < store->count; i++) {
        const struct account *account = accounts_at(store, i);
        if (accounts_find(journal, account->user, account->asset) == NULL)
            compare_account(replay, NULL, account);
    }
}

/*
 * Brings a view of the live store and the fold to the same point of the journal: beside a writer both move, so the fold
 * goes on until the store's checkpoint is behind it, and the view's tail is then cut where the fold stands.
 */
static settle_status meet(struct replay *replay, const char *directory, struct view *ret_view, settle_error *error)
{
    struct fold *fold = &replay->fold;
    for (;;) {
        struct view view;
        settle_status status = view_open(directory, &view, error);
        if (status != SETTLE_OK)
            return status;
        if (view.store == NULL || view.tail.position <= fold->point.position) {
            status = journal_reader_limit(view.reader, fold->point.position, error);
            if (status == SETTLE_OK)
                *ret_view = view;
            else
                view_close(&view);
            return status;
        }
        uint64_t store_position = view.tail.position;
        view_close(&view);
        status = journal_reader_refresh(fold->reader, error);
        if (status == SETTLE_OK)
            status = fold_until(fold, UINT64_MAX, error);
        if (status == SETTLE_E_END && fold->point.position < store_position)
            return fail(error, SETTLE_E_CORRUPT, "the journal ends before the point the store was written at");
        if (status != SETTLE_E_END)
            return status;
    }
}

static settle_status check_store(struct replay *replay, const char *directory, settle_error *error)
{
    struct view view;
    struct accounts accounts = {0};
    settle_status status = meet(replay, directory, &view, error);
    if (status != SETTLE_OK)
        return status;
    if (view.store == NULL) {
        bool is_absent = view.store_fault.status == SETTLE_E_NOT_FOUND || view.store_fault.status == SETTLE_OK;
        replay->result.store = is_absent ? STORE_ABSENT : STORE_DAMAGED;
        if (!is_absent)
            tell_difference(replay, view.store_fault.text);
        goto close_view;
    }
    status = accounts_init(&accounts, view.mem, replay->fold.accounts.count + 16);
    if (status == SETTLE_OK)
        status = view_accounts(&view, 0, 0, &accounts, error);
    else
        fail(error, status, "no memory for balances");
    if (status == SETTLE_OK) {
        compare_accounts(replay, &accounts);
        replay->result.store = replay->result.difference_count == 0 ? STORE_EQUAL : STORE_DIFFERS;
    }
    accounts_deinit(&accounts);
close_view:
    view_close(&view);
    return status;
}

/* A disagreement of the journal with the rules: an answer when asked to check, an error else. */
static settle_status take_disagreement(struct replay *replay, const settle_error *fault, settle_error *error)
{
    char text[700];
    if (!replay->options->check) {
        if (error != NULL)
            *error = *fault;
        return SETTLE_E_CORRUPT;
    }
    snprintf(text, sizeof text, "seq %" PRIu64 " (%s at byte %" PRIu64 "): %s", fault->seq, fault->file,
             fault->offset_bytes, fault->text);
    tell_difference(replay, text);
    return SETTLE_OK;
}

static settle_status replay_run(struct replay *replay, const char *directory, settle_error *error)
{
    settle_error fault = {0};
    struct fold *fold = &replay->fold;
    settle_status status = fold_until(fold, UINT64_MAX, &fault);
    assert(status != SETTLE_OK);
    bool is_whole = status == SETTLE_E_END && !fold->at_end && fold->last_seq < fold->until_seq;
    if (status == SETTLE_E_END && is_whole && replay->options->check)
        status = check_store(replay, directory, &fault);
    if (status == SETTLE_OK || status == SETTLE_E_END)
        return SETTLE_OK;
    if (fold->disagrees)
        return take_disagreement(replay, &fault, error);
    if (error != NULL)
        *error = fault;
    return status;
}

settle_status query_replay(const char *directory, const struct replay_options *options,
                           struct replay_result *ret_result, settle_error *error)
{
    struct replay replay = {.options = options, .result = {.ok = true}};
    struct journal_reader *reader = NULL;
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = journal_reader_open(data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK)
        status = fold_init(&replay.fold, data_fd, reader, &mem_libc, error);
    if (status == SETTLE_OK) {
        replay.fold.until_seq = options->until_seq;
        status = replay_run(&replay, directory, error);
    }
    if (status == SETTLE_OK)
        status = ledger_take_accounts(&replay.result.ledger, &replay.fold.accounts, error);
    if (status == SETTLE_OK)
        status = ledger_copy_assets(&replay.result.ledger, replay.fold.names.assets,
                                    replay.fold.names.asset_count, error);
    if (status == SETTLE_OK) {
        fold_counts(&replay.fold, &replay.result.counts);
        *ret_result = replay.result;
    } else {
        ledger_free(&replay.result.ledger);
    }
    fold_deinit(&replay.fold);
    journal_reader_close(reader);
    file_close(data_fd);
    return status;
}
