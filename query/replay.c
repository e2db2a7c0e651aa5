/*
 * replay.c — balances from the journal alone, compared with the live store where asked to. Owns its own reader and
 * fold; the view of the live store is a second, independent look at the same directory.
 */
#include <inttypes.h>
#include <stdio.h>

#include "journal/base/status.h"
#include "query/fold.h"
#include "query/internal.h"

enum store_state store_state_of(const settle_error *fault)
{
    if (store_is_in_use(fault->status, fault))
        return STORE_IN_USE;
    return fault->status == SETTLE_E_NOT_FOUND ? STORE_ABSENT : STORE_DAMAGED;
}

const char *store_state_name(enum store_state state)
{
    switch (state) {
    case STORE_ABSENT: return "absent";
    case STORE_DAMAGED: return "damaged";
    case STORE_IN_USE: return "in use, not compared";
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
    struct accounts live; /* what the live store says; mem NULL: not compared */
    uint64_t live_end;    /* position its balances stand for; UINT64_MAX: none, fold to the end */
    uint64_t live_seq;    /* its last event */
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
 * The balances that the live store and the journal's tail behind it give, and the point they stand for. Taken before
 * the journal is folded: a writer beside us goes on, and the fold then stops at that very point.
 */
static settle_status read_live(struct replay *replay, const char *directory, settle_error *error)
{
    struct view view = {0};
    settle_status status = view_open(directory, &view, error);
    if (status != SETTLE_OK)
        return status;
    replay->live_end = view.end.position;
    replay->live_seq = view.end.next_seq - 1;
    if (view.store == NULL) {
        replay->result.store = store_state_of(&view.store_fault);
        if (replay->result.store == STORE_DAMAGED)
            tell_difference(replay, view.store_fault.text);
    } else {
        status = accounts_init(&replay->live, &mem_libc, 1024);
        if (status == SETTLE_OK)
            status = view_accounts(&view, 0, 0, &replay->live, error);
        else
            fail(error, status, "no memory for balances");
    }
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

static settle_status fold_and_compare(struct replay *replay, settle_error *error)
{
    settle_error fault = {0};
    struct fold *fold = &replay->fold;
    bool has_end = replay->live_end != UINT64_MAX;
    settle_status status = has_end ? fold_reach(fold, replay->live_end, &fault) : fold_until(fold, UINT64_MAX, &fault);
    if (status == SETTLE_E_CORRUPT && fold->disagrees)
        return take_disagreement(replay, &fault, error);
    if (status != SETTLE_OK && status != SETTLE_E_END) {
        if (error != NULL)
            *error = fault;
        return status;
    }
    bool has_stopped = fold->at_end || fold->last_seq >= fold->until_seq;
    if (has_end && status == SETTLE_E_END && !has_stopped)
        return fail(error, SETTLE_E_CORRUPT, "the journal ends before a point that was seen durable");
    if (replay->options->check && fold->last_seq == 0 && replay->live_seq > 0)
        tell_difference(replay, "nothing was checked: the journal has events, and none was replayed");
    bool has_all = (fold->point.position == replay->live_end && !fold->at_end) || fold->last_seq == replay->live_seq;
    if (replay->live.mem != NULL && has_all) {
        compare_accounts(replay, &replay->live);
        replay->result.store = replay->result.difference_count == 0 ? STORE_EQUAL : STORE_DIFFERS;
    }
    return SETTLE_OK;
}

static settle_status replay_run(struct replay *replay, const char *directory, int data_fd, settle_error *error)
{
    struct journal_reader *reader = NULL;
    settle_status status = replay->options->check ? read_live(replay, directory, error) : SETTLE_OK;
    if (status == SETTLE_OK)
        status = view_reader_open(data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK)
        status = fold_init(&replay->fold, data_fd, reader, &mem_libc, error);
    if (status == SETTLE_OK) {
        replay->fold.until_seq = replay->options->until_seq;
        status = fold_and_compare(replay, error);
    }
    if (status == SETTLE_OK) {
        struct ledger *ledger = &replay->result.ledger;
        const struct registry *names = &replay->fold.names;
        fold_counts(&replay->fold, &replay->result.counts);
        replay->result.is_empty = replay->result.ok && replay->fold.events == 0;
        status = ledger_take_accounts(ledger, &replay->fold.accounts, error);
        if (status == SETTLE_OK)
            status = ledger_copy_assets(ledger, names->assets, names->asset_count, error);
    }
    fold_deinit(&replay->fold);
    journal_reader_close(reader);
    return status;
}

settle_status query_replay(const char *directory, const struct replay_options *options,
                           struct replay_result *ret_result, settle_error *error)
{
    struct replay replay = {.options = options, .result = {.ok = true}, .live_end = UINT64_MAX};
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = replay_run(&replay, directory, data_fd, error);
    if (status == SETTLE_OK)
        *ret_result = replay.result;
    else
        ledger_free(&replay.result.ledger);
    if (replay.live.mem != NULL)
        accounts_deinit(&replay.live);
    file_close(data_fd);
    return status;
}
