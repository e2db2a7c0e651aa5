/*
 * sim_world.c — the checker of sim_world.h.
 *
 * Invariant: world.model, world.by_seq and `walked` stand at one place of the journal, up to which it has been
 * compared and can no longer change. Behind it lies what one life wrote.
 */
#include "tests/lib/sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/view.h"
#include "journal/base/file.h"
#include "journal/reader.h"
#include "tests/lib/sim.h"

enum { IDS_CHECKED = 2 }; /* at every opening */

struct world world;

static const struct mem sim_mem = {sim_reallocate, NULL};

/* What a query told of an event. */
struct seen {
    uint64_t seq;
    bool is_balance;
    settle_balance balance;
    settle_result result;
};

static struct {
    struct seen seen[WORLD_SEEN_MAX];
    size_t seen_count;
    struct journal_point end; /* of what has been compared; position 0: nothing */
    uint64_t positions[WORLD_EVENTS_MAX];
    settle_result results[WORLD_EVENTS_MAX];
    uint64_t persisted_seq, last_time_us;
    /* what the last life submitted and did not hear of, by caller */
    size_t unheard[WORLD_CALLERS_MAX][WORLD_EVENTS_MAX], unheard_count[WORLD_CALLERS_MAX],
        unheard_at[WORLD_CALLERS_MAX];
    bool is_ambiguous; /* an event may be one caller's or another's, and so is the position of its source */
} walked;

void world_begin(void)
{
    model_deinit(&world.model);
    model_init(&world.model);
    memset(world.by_seq, 0, (world.event_count + 1) * sizeof *world.by_seq);
    world.event_count = world.submission_count = 0;
    world.life = world.told_seq = world.done_seq = 0;
    world.is_latched = world.is_created = false;
    memset(world.asset_is_acknowledged, 0, sizeof world.asset_is_acknowledged);
    memset(world.sources, 0, sizeof world.sources);
    walked.seen_count = 0;
    walked.end = (struct journal_point){.position = 0};
    walked.persisted_seq = walked.last_time_us = 0;
}

void world_end(void)
{
    model_deinit(&world.model);
}

const char *world_source_name(int caller)
{
    static const char *const names[WORLD_CALLERS_MAX] = {"a", "sources/b", "c with a space", "d"};
    return names[caller];
}

void world_life_begin(void)
{
    world.life++;
    world.is_latched = false;
    world.done_seq = 0;
}

void world_life_ended(void)
{
    for (size_t i = world.submission_count; i > 0 && world.submissions[i - 1].life == world.life; i--)
        if (world.submissions[i - 1].state == WORLD_WAITS)
            sim_fail("submission %zu: its completion never came", i - 1);
}

/* ---- What callers do and hear ---- */

void world_event_set(struct world_submission *submission, size_t i, const struct stream_event *made, bool has_source)
{
    struct world_event *event = &world.events[submission->first + i];
    struct world_source *source = &world.sources[submission->caller];
    stream_event_copy(&event->made, made);
    event->made.event.end = (settle_source_position){.source = 0};
    if (has_source) {
        uint64_t line = source->line_next++;
        event->made.event.end = (settle_source_position){source->number, 10 * line, line};
    }
    model_event_id(&event->made.event, event->id);
    event->is_acknowledged = false;
    event->caller = submission->caller;
}

struct world_submission *world_submission(int caller, size_t count, bool is_async)
{
    if (world.submission_count == WORLD_SUBMISSIONS_MAX || world.event_count + count > WORLD_EVENTS_MAX - 1)
        sim_fail("the simulation itself: too many events");
    struct world_submission *submission = &world.submissions[world.submission_count++];
    *submission = (struct world_submission){.first = world.event_count,
                                            .count = count,
                                            .caller = caller,
                                            .life = world.life,
                                            .is_async = is_async,
                                            .was_latched = world.is_latched,
                                            .begun_us = sim_now_us()};
    world.event_count += count;
    return submission;
}

struct world_event *world_events(const struct world_submission *submission)
{
    return &world.events[submission->first];
}

static void take(struct world_submission *submission)
{
    uint64_t before = 0;
    if (submission->was_latched)
        sim_fail("events are acknowledged that were submitted behind the latch");
    for (size_t i = 0; i < submission->count; i++) {
        const settle_result *result = &submission->results[i];
        struct world_event *event = &world.events[submission->first + i];
        if (result->seq <= before || result->seq >= WORLD_EVENTS_MAX || world.by_seq[result->seq] != 0)
            sim_fail("event %zu of a batch is told seq %" PRIu64 ", the one before it %" PRIu64, i, result->seq,
                     before);
        before = result->seq;
        world.by_seq[result->seq] = submission->first + i + 1;
        event->told = *result;
        event->is_acknowledged = true;
    }
    world_saw_seq(before);
    if (submission->is_async) {
        if (before <= world.done_seq) /* by their last events: batches of several callers may interleave */
            sim_fail("completions are not in the order of the submissions");
        world.done_seq = before;
    }
}

void world_answer(struct world_submission *submission, settle_status status)
{
    sim_note("caller %d is told of %zu events from index %zu on: %s, seq %" PRIu64, submission->caller,
             submission->count, submission->first, settle_status_name(status), submission->results[0].seq);
    if (submission->state != WORLD_WAITS)
        sim_fail("a submission is answered twice");
    switch (status) {
    case SETTLE_OK:
        submission->state = WORLD_TAKEN;
        take(submission);
        break;
    case SETTLE_E_LATCHED:
        submission->state = WORLD_UNKNOWN;
        world.is_latched = true;
        for (size_t i = 0; i < submission->count; i++)
            if (submission->results[i].seq != 0)
                sim_fail("a submission that failed has results");
        break;
    case SETTLE_E_NO_MEMORY: submission->state = WORLD_NONE; break;
    default: sim_fail("submitting answers %s", settle_status_name(status));
    }
}

static struct seen *seen_add(uint64_t seq)
{
    static struct seen nowhere;
    world_saw_seq(seq);
    if (walked.seen_count == WORLD_SEEN_MAX)
        return &nowhere;
    struct seen *seen = &walked.seen[walked.seen_count++];
    *seen = (struct seen){.seq = seq};
    return seen;
}

void world_saw_seq(uint64_t seq)
{
    if (seq > world.told_seq)
        world.told_seq = seq;
}

void world_saw_balance(const settle_balance *balance)
{
    struct seen *seen = seen_add(balance->seq);
    seen->is_balance = true;
    seen->balance = *balance;
}

void world_saw_result(const settle_result *result)
{
    seen_add(result->seq)->result = *result;
}

/* ---- Which event is which ---- */

static bool is_same_event(const settle_event *a, const settle_event *b)
{
    struct event_key a_key, b_key;
    event_key_of(a, &a_key);
    event_key_of(b, &b_key);
    return event_key_equal(&a_key, &b_key) && event_content_equal(a, b);
}

static void unheard_collect(void)
{
    memset(walked.unheard_count, 0, sizeof walked.unheard_count);
    memset(walked.unheard_at, 0, sizeof walked.unheard_at);
    for (size_t i = 0; i < world.submission_count; i++) {
        const struct world_submission *submission = &world.submissions[i];
        if (submission->state != WORLD_WAITS && submission->state != WORLD_UNKNOWN)
            continue;
        for (size_t j = 0; j < submission->count; j++)
            walked.unheard[submission->caller][walked.unheard_count[submission->caller]++] = submission->first + j;
    }
}

/* ---- The journal's events ---- */

/* As they come from the reader, until it is known whose they are. */
struct arrival {
    struct stream_event event;
    struct record_validated validated;
    settle_result result;
    uint64_t position, first_position;
    size_t frame; /* counts assets and events: an asset may be declared in between */
};
static struct arrival arrivals[WORLD_EVENTS_MAX];
static size_t arrival_count;

static void keep_texts(struct stream_event *event, const settle_event *from)
{
    event->event = *from;
    if (from->event_id.data != NULL) {
        memcpy(event->event_id, from->event_id.data, from->event_id.bytes);
        event->event.event_id.data = event->event_id;
    }
    if (from->type == SETTLE_TRADE && from->u.trade.trade_id.data != NULL) {
        memcpy(event->trade_id, from->u.trade.trade_id.data, from->u.trade.trade_id.bytes);
        event->event.u.trade.trade_id.data = event->trade_id;
    }
}

/* The callers whose next event this one is; *ret_caller is one of them. */
static int count_callers(const struct arrival *arrival, int from, int *ret_caller)
{
    int count = 0;
    for (int caller = WORLD_CALLERS_MAX - 1; caller >= from; caller--) {
        size_t next = walked.unheard_at[caller];
        if (next == walked.unheard_count[caller] ||
            !is_same_event(&world.events[walked.unheard[caller][next]].made.event, &arrival->event.event))
            continue;
        *ret_caller = caller;
        count++;
    }
    return count;
}

static void give_back(size_t at, const size_t unheard_at[WORLD_CALLERS_MAX])
{
    memcpy(walked.unheard_at, unheard_at, sizeof walked.unheard_at);
    for (; at < arrival_count; at++) {
        size_t *index = &world.by_seq[arrivals[at].result.seq];
        if (*index != 0 && !world.events[*index - 1].is_acknowledged)
            *index = 0;
    }
}

/*
 * From arrival `at` on: the callers' events that were not heard of, each caller's in its order. Two callers may have
 * submitted the same event: then either may be meant.
 */
static bool find_callers(size_t at)
{
    for (; at < arrival_count; at++) {
        size_t *index = &world.by_seq[arrivals[at].result.seq], before[WORLD_CALLERS_MAX];
        int caller = 0;
        if (*index != 0)
            continue;
        int count = count_callers(&arrivals[at], 0, &caller);
        memcpy(before, walked.unheard_at, sizeof before);
        walked.is_ambiguous |= count > 1;
        while (count > 1) {
            *index = walked.unheard[caller][walked.unheard_at[caller]++] + 1;
            if (find_callers(at + 1))
                return true;
            give_back(at, before);
            count = count_callers(&arrivals[at], caller + 1, &caller);
        }
        if (count == 0)
            return false;
        *index = walked.unheard[caller][walked.unheard_at[caller]++] + 1;
    }
    return true;
}

static void check_legs(const struct arrival *arrival, const struct model_legs *expected)
{
    char text[MODEL_TEXT_BYTES];
    uint64_t seq = arrival->result.seq;
    size_t count = arrival->result.outcome == SETTLE_ACCEPTED ? arrival->validated.leg_count : 0;
    if (!model_legs_equal(expected, arrival->validated.legs, count, text))
        sim_fail("event %" PRIu64 ": the legs differ: %s", seq, text);
    for (size_t i = 0; i < count; i++) {
        uint64_t before = expected->legs[i].previous_position; /* a seq */
        if (arrival->validated.legs[i].previous_position != (before == 0 ? 0 : walked.positions[before]))
            sim_fail("event %" PRIu64 ": an account's chain of positions is broken", seq);
    }
    if (arrival->first_position != 0 && arrival->first_position != walked.positions[arrival->result.first_seq])
        sim_fail("event %" PRIu64 ": the first arrival is elsewhere", seq);
}

/* The event in the journal beside the caller's, what the caller was told, and what the model says. */
static void check_arrival(const struct arrival *arrival)
{
    char text[MODEL_TEXT_BYTES];
    settle_result expected;
    struct model_legs legs;
    uint64_t seq = arrival->result.seq;
    if (world.by_seq[seq] == 0)
        sim_fail("event %" PRIu64 " is nobody's, or a caller's events are not in its order", seq);
    const struct world_event *event = &world.events[world.by_seq[seq] - 1];
    if (!is_same_event(&event->made.event, &arrival->event.event))
        sim_fail("event %" PRIu64 " is another one than was acknowledged", seq);
    model_submit(&world.model, &arrival->event.event, &expected, &legs);
    if (!model_result_equal(&expected, &arrival->result, text))
        sim_fail("event %" PRIu64 ": the outcome differs: %s", seq, text);
    if (event->is_acknowledged && !model_result_equal(&expected, &event->told, text))
        sim_fail("event %" PRIu64 ": another outcome was told: %s", seq, text);
    walked.positions[seq] = arrival->position;
    walked.results[seq] = arrival->result;
    check_legs(arrival, &legs);
    if (event->made.event.end.source != 0)
        world.sources[event->caller].line = event->made.event.end.line;
}

static void check_seen(uint64_t seq)
{
    for (size_t i = 0; i < walked.seen_count; i++) {
        const struct seen *seen = &walked.seen[i];
        char text[MODEL_TEXT_BYTES];
        settle_balance now;
        if (seen->seq != seq)
            continue;
        if (!seen->is_balance) {
            if (!model_result_equal(&walked.results[seq], &seen->result, text))
                sim_fail("event %" PRIu64 ": a query told something else: %s", seq, text);
        } else if (!model_balance(&world.model, seen->balance.user, seen->balance.asset, &now) || now.seq != seq ||
                   now.available != seen->balance.available || now.held != seen->balance.held ||
                   now.version != seen->balance.version) {
            sim_fail("event %" PRIu64 ": a query told another balance of user %" PRIu64 ", asset %" PRIu32, seq,
                     seen->balance.user, seen->balance.asset);
        }
    }
}

/* ---- Walking ---- */

/* One pass collects, one compares: whose an event is may only show further on. */
static void take_record(const struct record *record, const struct frame *frame)
{
    if (record->kind == RECORD_SOURCE)
        return;
    uint64_t time_us = record->kind == RECORD_PERSISTED ? record->u.persisted.time_us : record->time_us;
    if (time_us < walked.last_time_us)
        sim_fail("time goes back at event %zu", (size_t)world.model.seq + arrival_count);
    walked.last_time_us = time_us;
    struct arrival *arrival = &arrivals[arrival_count];
    if (record->kind == RECORD_CONSUMED) {
        *arrival = (struct arrival){.position = record->position, .result = {.seq = record->seq}};
        keep_texts(&arrival->event, &record->u.consumed);
    } else if (record->kind == RECORD_PERSISTED) {
        if (record->u.persisted.first_seq != walked.persisted_seq + 1 ||
            record->u.persisted.last_seq >= frame->first_seq)
            sim_fail("PERSISTED of other events: %" PRIu64, record->u.persisted.first_seq);
        walked.persisted_seq = record->u.persisted.last_seq;
    } else if (record->kind >= RECORD_VALIDATED && record->kind <= RECORD_CONFLICT) {
        if (record->seq != arrival->result.seq || record->seq != world.model.seq + arrival_count + 1)
            sim_fail("event %" PRIu64 " stands where %" PRIu64 " should", record->seq,
                     world.model.seq + arrival_count + 1);
        arrival->result.outcome = SETTLE_ACCEPTED;
        if (record->kind == RECORD_VALIDATED) {
            arrival->validated = record->u.validated;
        } else if (record->kind == RECORD_REJECTED) {
            arrival->result.outcome = SETTLE_REJECTED;
            arrival->result.reason = record->u.rejected;
        } else {
            arrival->result.outcome = record->kind == RECORD_DUPLICATE ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
            arrival->result.first_seq = record->u.repeat.first_seq;
            arrival->first_position = record->u.repeat.first_position;
        }
        arrival_count++;
    }
}

/* Assets stand between events: the model is told of each before the event that comes behind it. */
static struct {
    settle_asset asset;
    size_t arrival;
} declared[64];
static size_t declared_count;

static void take_frame(const struct frame *frame)
{
    struct record record;
    size_t offset = 0;
    while (frame_next_record(frame, &offset, &record)) {
        if (record.kind != RECORD_ASSET) {
            take_record(&record, frame);
        } else if (declared_count < sizeof declared / sizeof *declared) {
            declared[declared_count].asset = record.u.asset;
            declared[declared_count++].arrival = arrival_count;
        }
    }
}

static void walk(int data_fd)
{
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    settle_error error = {.status = SETTLE_OK};
    settle_status status = journal_reader_open(data_fd, &sim_mem, &reader, &error);
    if (status != SETTLE_OK)
        sim_fail("the journal cannot be opened: %s", error.text);
    bool is_met = walked.end.position == 0;
    journal_reader_begin(reader, &point);
    arrival_count = declared_count = 0;
    for (;;) {
        if (!is_met && point.position == walked.end.position) {
            is_met = true;
            if (point.chain != walked.end.chain || point.next_seq != walked.end.next_seq)
                sim_fail("the journal up to event %" PRIu64 " is not what it was", walked.end.next_seq - 1);
        }
        status = journal_reader_next(reader, &point, &frame, &error);
        if (status != SETTLE_OK)
            break;
        if (is_met)
            take_frame(&frame);
    }
    if (status != SETTLE_E_END)
        sim_fail("the journal cannot be read: %s: %s", settle_status_name(status), error.text);
    if (!is_met)
        sim_fail("the journal ends before event %" PRIu64 ", which was there", walked.end.next_seq - 1);
    journal_reader_close(reader);
    walked.end = point;
}

static void declare_up_to(size_t *next, size_t arrival)
{
    for (; *next < declared_count && declared[*next].arrival <= arrival; ++*next)
        if (model_declare_asset(&world.model, &declared[*next].asset) != SETTLE_OK)
            sim_fail("asset %" PRIu32 " is declared with other values", declared[*next].asset.id);
}

static void compare_all(void)
{
    size_t next = 0;
    unheard_collect();
    walked.is_ambiguous = false;
    (void)find_callers(0); /* where nobody fits, the next line says so */
    for (size_t i = 0; i < arrival_count; i++) {
        declare_up_to(&next, i);
        check_arrival(&arrivals[i]);
        check_seen(arrivals[i].result.seq);
    }
    declare_up_to(&next, arrival_count);
    if (world.told_seq > world.model.seq)
        sim_fail("the journal ends with event %" PRIu64 ", but %" PRIu64 " was told of", world.model.seq,
                 world.told_seq);
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        if (world.asset_is_acknowledged[i] && model_asset(&world.model, stream_assets[i].id) == NULL)
            sim_fail("asset %s was declared, and is not there", stream_assets[i].symbol);
    if (!model_conserves(&world.model))
        sim_fail("the model makes or loses money");
    /* What is not there now never comes: it may be submitted again, as something new. */
    for (size_t i = 0; i < world.submission_count; i++)
        if (world.submissions[i].state == WORLD_WAITS || world.submissions[i].state == WORLD_UNKNOWN)
            world.submissions[i].state = WORLD_NONE;
    walked.seen_count = 0;
    sim_note("the journal agrees up to event %" PRIu64, world.model.seq);
}

static void check_journal(const char *directory)
{
    settle_error error = {.status = SETTLE_OK};
    int data_fd = -1;
    if (dir_open(directory, false, &data_fd, &error) != SETTLE_OK)
        sim_fail("the directory cannot be opened: %s", error.text);
    walk(data_fd);
    file_close(data_fd);
    compare_all();
}

/* ---- The engine beside the model ---- */

static settle_status get_balance(void *context, uint64_t user, uint32_t asset, settle_balance *ret_balance)
{
    return settle_balance_get(context, user, asset, ret_balance, NULL);
}

static size_t arrivals_of(const char *id)
{
    size_t count = 0;
    for (uint64_t seq = 1; seq <= world.model.seq; seq++)
        count += strcmp(id, world.events[world.by_seq[seq] - 1].id) == 0;
    return count;
}

static void check_id(settle *engine, uint64_t seq)
{
    char text[MODEL_TEXT_BYTES];
    const char *id = world.events[world.by_seq[seq] - 1].id;
    settle_lifecycle *life = NULL;
    settle_error error = {.status = SETTLE_OK};
    settle_status status = settle_lifecycle_get(engine, (settle_text){id, strlen(id)}, &life, &error);
    if (status != SETTLE_OK)
        sim_fail("event %s, which is in the journal: %s: %s", id, settle_status_name(status), error.text);
    uint64_t first = model_find_id(&world.model, id);
    if (!model_result_equal(&walked.results[first], &life->first.result, text))
        sim_fail("event %s: its life differs: %s", id, text);
    if (life->repeat_count + 1 != arrivals_of(id))
        sim_fail("event %s: its life tells of %zu arrivals", id, life->repeat_count + 1);
    if (life->first.persisted_us == 0)
        sim_fail("event %s is not recorded as PERSISTED", id);
    settle_lifecycle_free(life);
}

static void check_sources(settle *engine)
{
    for (int i = 0; i < WORLD_CALLERS_MAX; i++) {
        const char *name = world_source_name(i);
        struct world_source *source = &world.sources[i];
        settle_source_position position;
        settle_error error = {.status = SETTLE_OK};
        if (settle_source_open(engine, (settle_text){name, strlen(name)}, &position, &error) != SETTLE_OK)
            sim_fail("a source cannot be opened: %s", error.text);
        uint64_t least = source->line > source->line_least ? source->line : source->line_least;
        uint64_t most = source->line > source->line_most ? source->line : source->line_most;
        if (walked.is_ambiguous) {
            least = source->line_begin;
            most = source->line_next;
        }
        if (position.line < least || position.line > most || position.offset_bytes != 10 * position.line)
            sim_fail("source %s stands at line %" PRIu64 ", its last event at %" PRIu64 " (%" PRIu64 " … %" PRIu64 ")",
                     name, position.line, source->line, least, most);
        source->number = position.source;
        source->line = source->line_least = source->line_most = source->line_begin = position.line;
        source->line_next = position.line + 1;
    }
}

void world_check(settle *engine, const char *directory)
{
    char text[MODEL_TEXT_BYTES];
    check_journal(directory);
    if (!model_equals_balances(&world.model, get_balance, engine, text))
        sim_fail("a balance differs: %s", text);
    for (int i = 0; i < IDS_CHECKED && world.model.seq > 0; i++)
        check_id(engine, 1 + sim_random(SIM_PLAN, world.model.seq));
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++) {
        settle_asset asset;
        bool is_there = settle_asset_by_id(engine, stream_assets[i].id, &asset) == SETTLE_OK;
        if (is_there != (model_asset(&world.model, stream_assets[i].id) != NULL))
            sim_fail("asset %s differs between journal and engine", stream_assets[i].symbol);
    }
    check_sources(engine);
}

void world_check_directory(const char *directory)
{
    char text[MODEL_TEXT_BYTES];
    struct view view = {0};
    struct accounts accounts;
    settle_error error = {.status = SETTLE_OK};
    check_journal(directory);
    if (view_open(directory, &view, &error) != SETTLE_OK)
        sim_fail("a view cannot be opened: %s", error.text);
    if (view.store_fault.status != SETTLE_OK)
        sim_fail("the store is damaged: %s", view.store_fault.text);
    if (view.tail.position != view.end.position)
        sim_fail("the store is behind the journal of an engine that was closed");
    if (accounts_init(&accounts, &sim_mem, 0) != SETTLE_OK ||
        view_accounts(&view, 0, 0, &accounts, &error) != SETTLE_OK)
        sim_fail("the balances cannot be read: %s", error.text);
    if (!model_equals_accounts(&world.model, &accounts, text))
        sim_fail("a balance of the store differs: %s", text);
    accounts_deinit(&accounts);
    view_close(&view);
}
