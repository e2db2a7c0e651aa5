/*
 * fold.c — replays a journal frame by frame.
 *
 * Owns its balances, its assets and a second reader. Invariant: after a frame without fault the balances are those that
 * every event up to there leaves behind, and they agree with every leg recorded. Nothing is taken from a record that
 * the rules did not produce again: validate() runs on each CONSUMED, and its verdict must be the recorded one.
 */
#include "query/fold.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "engine/projection.h"
#include "engine/validate.h"
#include "journal/base/status.h"
#include "query/ahead.h"

/* Longest wait for a writer to tell how far the journal it found is durable. */
#define WRITER_WAIT_MS_MAX 10000u

settle_status fold_init(struct fold *fold, int data_fd, struct journal_reader *reader, const struct mem *mem,
                        settle_error *error)
{
    *fold = (struct fold){.mem = mem, .data_fd = data_fd, .reader = reader, .until_seq = UINT64_MAX, .names.mem = mem};
    journal_reader_begin(reader, &fold->point);
    fold->last_seq = fold->point.next_seq - 1;
    settle_status status = accounts_init(&fold->accounts, mem, 1024);
    return status == SETTLE_OK ? SETTLE_OK : fail(error, status, "no memory for balances");
}

void fold_deinit(struct fold *fold)
{
    if (fold->mem == NULL)
        return;
    journal_reader_close(fold->lookup);
    accounts_deinit(&fold->accounts);
    registry_deinit(&fold->names);
    *fold = (struct fold){0};
}

void fold_counts(const struct fold *fold, struct audit_counts *ret_counts)
{
    *ret_counts = (struct audit_counts){
        .segments = journal_reader_segments(fold->reader)->count,
        .frames = fold->frames,
        .records = fold->records,
        .events = fold->events,
        .accounts = fold->accounts.count,
        .ids = fold->ids,
        .torn_bytes = journal_reader_tail(fold->reader)->torn_bytes,
    };
}

static void reader_take_back(struct fold *fold)
{
    ahead_close(fold->ahead);
    fold->ahead = NULL;
}

/* A record that is whole and says something that cannot be. */
static settle_status disagree(struct fold *fold, const struct record *record, settle_error *error, const char *sentence)
{
    uint64_t offset = 0;
    char file[SEGMENT_PLACE_BYTES];
    reader_take_back(fold);
    journal_reader_file(fold->reader, record->position, file, &offset);
    fold->disagrees = true;
    return fail_at(error, SETTLE_E_CORRUPT, file, offset, record->seq, "%s", sentence);
}

/* ---- Names ---- */

static settle_status fold_asset(struct fold *fold, const struct record *record, settle_error *error)
{
    settle_status status = registry_asset_add(&fold->names, &record->u.asset, error);
    if (status == SETTLE_E_CONFLICT)
        return disagree(fold, record, error, "an asset is declared a second time, with other values");
    return status;
}

static settle_status fold_source(struct fold *fold, const struct record *record, settle_error *error)
{
    const struct record_source *source = &record->u.source;
    uint32_t number = registry_source_number(&fold->names, source->name);
    if (number == 0)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for sources");
    fold->names.sources[number - 1].offset_bytes = source->offset_bytes;
    fold->names.sources[number - 1].line = source->line;
    return SETTLE_OK;
}

/* ---- First arrivals: validate again ---- */

/* What differs between a leg as computed and as recorded; NULL: nothing. */
static const char *leg_difference(const settle_leg *computed, const settle_leg *recorded)
{
    if (computed->user != recorded->user || computed->asset != recorded->asset)
        return "another account";
    if (computed->delta_available != recorded->delta_available || computed->delta_held != recorded->delta_held)
        return "another delta";
    if (computed->after_available != recorded->after_available || computed->after_held != recorded->after_held)
        return "another balance after";
    if (computed->version != recorded->version)
        return "another version";
    return computed->previous_position != recorded->previous_position ? "another previous change" : NULL;
}

/* Whether the legs of each asset sum to zero: no money appears or vanishes. */
static bool is_conserved(const struct record_validated *validated)
{
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        settle_int128 sum = 0;
        for (uint32_t k = 0; k < validated->leg_count; k++) {
            const settle_leg *leg = &validated->legs[k];
            if (leg->asset == validated->legs[i].asset && (__builtin_add_overflow(sum, leg->delta_available, &sum) ||
                                                           __builtin_add_overflow(sum, leg->delta_held, &sum)))
                return false;
        }
        if (sum != 0)
            return false;
    }
    return true;
}

static settle_status compare_legs(struct fold *fold, const struct verdict *verdict, const struct record *decided,
                                  settle_error *error)
{
    char sentence[160], user[PRINT_USER_BYTES];
    const struct record_validated *recorded = &decided->u.validated;
    if (!is_conserved(recorded))
        return disagree(fold, decided, error, "the changes of an event do not sum to zero");
    if (verdict->leg_count != recorded->leg_count)
        return disagree(fold, decided, error, "the event changes another number of balances than recorded");
    for (uint32_t i = 0; i < recorded->leg_count; i++) {
        const char *what = leg_difference(&verdict->legs[i], &recorded->legs[i]);
        if (what == NULL)
            continue;
        snprintf(sentence, sizeof sentence, "user %s asset %" PRIu32 ": %s is recorded than the rules give",
                 print_user(recorded->legs[i].user, user), recorded->legs[i].asset, what);
        return disagree(fold, decided, error, sentence);
    }
    return SETTLE_OK;
}

/* The legs as recorded, which are those of the verdict. */
static settle_status apply_legs(struct fold *fold, const struct record *consumed, const struct verdict *verdict,
                                settle_error *error)
{
    if (accounts_reserve(&fold->accounts, SETTLE_LEGS_MAX) != SETTLE_OK)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for balances");
    for (uint32_t i = 0; i < verdict->leg_count; i++) {
        const settle_leg *leg = &verdict->legs[i];
        struct account *account = verdict->accounts[i];
        if (account == NULL)
            account = accounts_upsert(&fold->accounts, leg->user, leg->asset);
        account_take_leg(account, leg, consumed->seq, consumed->position);
    }
    return SETTLE_OK;
}

static settle_status fold_first_arrival(struct fold *fold, const struct record *consumed, const struct record *decided,
                                        const struct party_hashes *hashes, settle_error *error)
{
    const settle_event *event = &consumed->u.consumed;
    struct parties parties;
    struct verdict verdict;
    parties_find(&fold->names, &fold->accounts, event, hashes, &parties);
    validate(event, &parties, &verdict);
    settle_reason recorded = decided->kind == RECORD_REJECTED ? decided->u.rejected : SETTLE_REASON_NONE;
    if (verdict.reason != recorded) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "recorded as %s, but the rules say %s",
                 recorded == SETTLE_REASON_NONE ? "accepted" : settle_reason_name(recorded),
                 verdict.reason == SETTLE_REASON_NONE ? "accepted" : settle_reason_name(verdict.reason));
        return disagree(fold, decided, error, sentence);
    }
    settle_status status = SETTLE_OK;
    if (decided->kind == RECORD_VALIDATED) {
        status = compare_legs(fold, &verdict, decided, error);
        if (status == SETTLE_OK)
            status = apply_legs(fold, consumed, &verdict, error);
    }
    fold->ids++;
    if (status == SETTLE_OK && fold->first != NULL) {
        struct event_key key;
        event_key_of(event, &key);
        status = fold->first(fold->context, &key, consumed->position, consumed->seq, error);
    }
    return status;
}

/* ---- Repeats: the first arrival must be what they say ---- */

/* Beside a writer the fold may have come to segments that the look-ups' reader, opened at the first repeat, has not seen. */
static settle_status lookup_reach(struct journal_reader *lookup, uint64_t position, settle_error *error)
{
    const struct segment_list *list = journal_reader_segments(lookup);
    if (position / journal_reader_segment_bytes(lookup) <= list->entries[list->count - 1].header.ordinal)
        return SETTLE_OK;
    return journal_reader_refresh(lookup, error);
}

static settle_status fold_later_arrival(struct fold *fold, const struct record *consumed, const struct record *decided,
                                        settle_error *error)
{
    const struct record_repeat *repeat = &decided->u.repeat;
    struct event_records first;
    struct event_key key, first_key;
    settle_status status = SETTLE_OK;
    if (repeat->first_seq >= consumed->seq || repeat->first_position >= consumed->position)
        return disagree(fold, decided, error, "a repeat names a first arrival that is not before it");
    if (fold->lookup == NULL)
        status = journal_reader_open(fold->data_fd, fold->mem, &fold->lookup, error);
    if (status == SETTLE_OK)
        status = lookup_reach(fold->lookup, repeat->first_position, error);
    if (status == SETTLE_OK)
        status = journal_reader_event(fold->lookup, repeat->first_position, &first, error);
    if (status != SETTLE_OK)
        return status;
    event_key_of(&consumed->u.consumed, &key);
    event_key_of(&first.consumed.u.consumed, &first_key);
    bool is_first = first.decided.kind == RECORD_VALIDATED || first.decided.kind == RECORD_REJECTED;
    if (!is_first || first.consumed.seq != repeat->first_seq || !event_key_equal(&key, &first_key))
        return disagree(fold, decided, error, "a repeat names a first arrival that has another id or seq");
    bool same = event_content_equal(&consumed->u.consumed, &first.consumed.u.consumed);
    if (same != (decided->kind == RECORD_DUPLICATE))
        return disagree(fold, decided, error,
                        same ? "recorded as conflict, but the content is the same"
                             : "recorded as duplicate, but the content differs");
    if (fold->repeat != NULL)
        fold->repeat(fold->context, repeat->first_position, consumed->position);
    return SETTLE_OK;
}

/* ---- Frames ---- */

/* The reader has checked that each CONSUMED is followed by its decision, and that sequence and PERSISTED have no gap.
 * */
static settle_status fold_event(struct fold *fold, const struct record *consumed, const struct record *decided,
                                const struct party_hashes *hashes, settle_error *error)
{
    assert(decided->kind >= RECORD_VALIDATED && decided->kind <= RECORD_CONFLICT);
    assert(decided->seq == consumed->seq && consumed->seq == fold->last_seq + 1);
    fold->last_seq = consumed->seq;
    fold->events++;
    bool is_repeat = decided->kind == RECORD_DUPLICATE || decided->kind == RECORD_CONFLICT;
    return is_repeat ? fold_later_arrival(fold, consumed, decided, error)
                     : fold_first_arrival(fold, consumed, decided, hashes, error);
}

static settle_status fold_frame(struct fold *fold, const struct frame *frame, settle_error *error)
{
    struct record record, decided;
    size_t offset = 0;
    struct accounts_ahead ahead;
    accounts_ahead_begin(&fold->accounts, frame, &ahead);
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, &record)) {
        if (record.kind == RECORD_CONSUMED && record.seq > fold->until_seq) {
            fold->at_end = true;
            return SETTLE_OK;
        }
        fold->records++;
        if (record.kind == RECORD_ASSET) {
            status = fold_asset(fold, &record, error);
        } else if (record.kind == RECORD_SOURCE) {
            status = fold_source(fold, &record, error);
        } else if (record.kind == RECORD_CONSUMED) {
            bool has_decision = frame_next_record(frame, &offset, &decided);
            assert(has_decision);
            fold->records++;
            status = fold_event(fold, &record, &decided, accounts_ahead_next(&ahead), error);
        }
    }
    return status;
}

settle_status fold_next(struct fold *fold, settle_error *error)
{
    struct frame frame;
    if (fold->at_end || fold->last_seq >= fold->until_seq)
        return SETTLE_E_END;
    struct journal_point point = fold->point;
    settle_status status = fold->ahead != NULL ? ahead_next(fold->ahead, &point, &frame, error)
                                               : journal_reader_next(fold->reader, &point, &frame, error);
    if (status != SETTLE_OK)
        return status;
    status = fold_frame(fold, &frame, error);
    if (status != SETTLE_OK)
        return status;
    fold->point = point;
    fold->frames++;
    if (fold->go_on != NULL && !fold->go_on(fold->context))
        fold->at_end = true;
    return SETTLE_OK;
}

settle_status fold_until(struct fold *fold, uint64_t position, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (fold->point.position < position)
        ahead_open(fold->reader, &fold->point, fold->mem, &fold->ahead);
    while (status == SETTLE_OK && fold->point.position < position)
        status = fold_next(fold, error);
    reader_take_back(fold);
    return status;
}

settle_status fold_reach(struct fold *fold, uint64_t position, settle_error *error)
{
    settle_status status = fold_until(fold, position, error);
    for (unsigned wait_ms = 0; status == SETTLE_E_END && wait_ms < WRITER_WAIT_MS_MAX; wait_ms++) {
        bool may_grow = wait_ms == 0 || journal_reader_tail(fold->reader)->writer_is_live;
        if (fold->at_end || fold->last_seq >= fold->until_seq || !may_grow)
            return status;
        if (wait_ms > 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        status = journal_reader_refresh(fold->reader, error);
        if (status == SETTLE_OK)
            status = fold_until(fold, position, error);
    }
    return status;
}
