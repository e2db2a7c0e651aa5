/*
 * history.c — the statement of an account: its changes newest first, by walking from each to the one before it, whose
 * position its leg names. No index; the cost grows with the rows shown.
 *
 * Every step is checked: the event changed this account, to the version and the balances that the change behind it (or
 * the account as it is now) began with, and lies before it in the journal. Borrows the query's view.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

/* One step reads some 4 KiB at random; so many rows at most are walked over before the segment is searched instead. */
#define STEP_BYTES 4096u

/* ---- One step ---- */

settle_status fail_in_segment(const struct journal_reader *reader, uint64_t position, uint64_t seq, settle_error *error,
                              const char *sentence)
{
    char file[SEGMENT_PLACE_BYTES];
    uint64_t offset = 0;
    journal_reader_file(reader, position, file, &offset);
    return fail_at(error, SETTLE_E_CORRUPT, file, offset, seq, "%s", sentence);
}

static settle_status broken(const struct walk *walk, uint64_t position, uint64_t seq, settle_error *error,
                            const char *fault)
{
    char sentence[200], user[PRINT_USER_BYTES];
    snprintf(sentence, sizeof sentence, "the chain of changes of user %s asset %" PRIu32 " is broken: %s",
             print_user(walk->user, user), walk->asset, fault);
    return fail_in_segment(walk->view->reader, position, seq, error, sentence);
}

static const settle_leg *leg_of(const struct walk *walk, const struct record *decided)
{
    for (uint32_t i = 0; i < decided->u.validated.leg_count; i++)
        if (decided->u.validated.legs[i].user == walk->user && decided->u.validated.legs[i].asset == walk->asset)
            return &decided->u.validated.legs[i];
    return NULL;
}

/* NULL, or why the change at `position` is not the one that must stand there. */
static const char *leg_fault(const struct walk *walk, const settle_leg *leg, uint64_t position, uint64_t seq)
{
    if (leg->version != walk->version)
        return "its version is not the one before";
    if (leg->after_available != walk->available || leg->after_held != walk->held)
        return "its balance is not the one that the next change began with";
    if (seq < walk->seq_min || seq > walk->seq_max)
        return "its event is not before the one behind it";
    if ((leg->version == 1) != (leg->previous_position == 0))
        return "its versions do not end with the first change";
    if (leg->previous_position >= position)
        return "it names a change before it that is behind it";
    settle_int128 available = 0, held = 0;
    if (__builtin_sub_overflow(leg->after_available, leg->delta_available, &available) ||
        __builtin_sub_overflow(leg->after_held, leg->delta_held, &held))
        return "its balance before is out of range";
    return leg->version == 1 && (available != 0 || held != 0) ? "it does not begin with zero" : NULL;
}

/* Reads the change at walk->position, which must be there, and makes ready for the one before it. */
static settle_status walk_step(struct walk *walk, settle_error *error)
{
    struct event_records event;
    uint64_t position = walk->position;
    settle_status status = journal_reader_event(walk->view->reader, position, &event, error);
    if (status != SETTLE_OK)
        return status;
    const settle_event *consumed = &event.consumed.u.consumed;
    const settle_leg *leg = event.decided.kind == RECORD_VALIDATED ? leg_of(walk, &event.decided) : NULL;
    const char *fault = "an event that does not change it is named";
    if (leg != NULL)
        fault = leg_fault(walk, leg, position, event.consumed.seq);
    if (fault != NULL)
        return broken(walk, position, event.consumed.seq, error, fault);
    struct account_change *change = &walk->change;
    *change = (struct account_change){
        .seq = event.consumed.seq,
        .ts_ms = consumed->ts_ms,
        .type = consumed->type,
        .delta = leg->delta_available,
        .after = leg->after_available,
        .after_held = leg->after_held,
        .version = leg->version,
        .position = position,
    };
    memcpy(change->event_id, event.id, sizeof event.id);
    walk->position = leg->previous_position;
    walk->version = leg->version - 1;
    walk->available = leg->after_available - leg->delta_available;
    walk->held = leg->after_held - leg->delta_held;
    walk->seq_min = 1;
    walk->seq_max = event.consumed.seq - 1;
    return SETTLE_OK;
}

settle_status walk_next(struct walk *walk, settle_error *error)
{
    return walk->position == 0 ? SETTLE_E_END : walk_step(walk, error);
}

/* ---- Where it begins ---- */

static void walk_from(struct walk *walk, const struct account *account)
{
    walk->position = account->last_position;
    walk->version = account->version;
    walk->available = account->available;
    walk->held = account->held;
    walk->seq_min = walk->seq_max = account->last_seq;
}

static void take_leg(struct account *account, const struct walk *walk, const struct record *consumed,
                     const struct record *decided)
{
    const settle_leg *leg = decided->kind == RECORD_VALIDATED ? leg_of(walk, decided) : NULL;
    if (leg != NULL)
        account_take_leg(account, leg, consumed->seq, consumed->position);
}

/* The account's last change in the segment that holds `until_seq`, not after it. Version 0: there is none. */
static settle_status segment_search(struct walk *walk, uint64_t until_seq, struct account *ret_account,
                                    settle_error *error)
{
    struct journal_reader *reader = walk->view->reader;
    struct journal_point point;
    struct frame frame;
    struct account account = {.user = walk->user, .asset = walk->asset};
    settle_status status = segment_begin_seq(reader, until_seq, &point, error);
    while (status == SETTLE_OK && point.next_seq <= until_seq && point.position < walk->view->end.position) {
        struct record consumed, decided;
        size_t offset = 0;
        status = journal_reader_next(reader, &point, &frame, error);
        while (status == SETTLE_OK && frame_next_record(&frame, &offset, &consumed)) {
            if (consumed.kind != RECORD_CONSUMED)
                continue;
            bool has_decision = frame_next_record(&frame, &offset, &decided);
            assert(has_decision);
            if (consumed.seq > until_seq)
                break;
            take_leg(&account, walk, &consumed, &decided);
        }
    }
    if (status == SETTLE_OK || status == SETTLE_E_END)
        *ret_account = account;
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* Whether walking back to `until_seq` may read more than the segment that holds it. */
static bool is_far(const struct view *view, const struct account *account, uint64_t until_seq)
{
    uint64_t rows = account->last_seq > until_seq ? account->last_seq - until_seq : 0;
    if (rows > account->version)
        rows = account->version;
    return rows > journal_reader_segment_bytes(view->reader) / STEP_BYTES;
}

/* Onto the newest change not after until_seq. */
static settle_status walk_to(struct walk *walk, const struct account *account, uint64_t until_seq, settle_error *error)
{
    struct account found = {.version = 0};
    settle_status status = SETTLE_OK;
    walk_from(walk, account);
    if (is_far(walk->view, account, until_seq))
        status = segment_search(walk, until_seq, &found, error);
    if (status == SETTLE_OK && found.version > 0)
        walk_from(walk, &found);
    if (status == SETTLE_OK)
        status = walk_step(walk, error);
    while (status == SETTLE_OK && walk->change.seq > until_seq)
        status = walk_next(walk, error);
    return status;
}

/* SETTLE_E_NOT_FOUND: it has no history at all. */
static settle_status walk_try(struct walk *walk, uint64_t until_seq, settle_error *error)
{
    struct accounts accounts = {0};
    settle_status status = accounts_init(&accounts, walk->view->mem, 16);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for a balance");
    status = accounts_read(walk->view, walk->user, walk->asset, &accounts, error);
    const struct account *account = accounts_find(&accounts, walk->user, walk->asset);
    if (status == SETTLE_OK && account == NULL)
        status = SETTLE_E_NOT_FOUND;
    if (status == SETTLE_OK)
        status = walk_to(walk, account, until_seq, error);
    accounts_deinit(&accounts);
    return status;
}

settle_status walk_begin(struct view *view, uint64_t user, uint32_t asset, uint64_t until_seq, struct walk *ret_walk,
                         settle_error *error)
{
    struct walk walk = {.view = view, .user = user, .asset = asset};
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = walk_try(&walk, until_seq, &fault);
    /* It is the store that has told where to begin. The whole journal knows better, or names the place. */
    if ((status == SETTLE_E_CORRUPT || store_is_in_use(status, &fault)) && view->store != NULL) {
        status = view_forget_store(view, &fault, &fault);
        if (status == SETTLE_OK)
            status = walk_try(&walk, until_seq, &fault);
    }
    if (status == SETTLE_OK)
        *ret_walk = walk;
    else if (status != SETTLE_E_END && status != SETTLE_E_NOT_FOUND && error != NULL)
        *error = fault;
    return status;
}

/* ---- The statement ---- */

settle_status query_history(struct query *query, uint64_t user, uint32_t asset, const struct history_options *options,
                            history_visit visit, void *context, settle_error *error)
{
    struct walk walk;
    uint64_t shown = 0;
    assert(user != 0 && asset != 0);
    settle_status status = walk_begin(&query->view, user, asset, options->until_seq, &walk, error);
    if (status == SETTLE_E_NOT_FOUND)
        return fail(error, status, "this account has no history");
    while (status == SETTLE_OK && shown < options->limit && walk.change.seq >= options->since_seq) {
        if (!visit(context, &walk.change))
            return SETTLE_OK;
        shown++;
        if (shown < options->limit)
            status = walk_next(&walk, error);
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}
