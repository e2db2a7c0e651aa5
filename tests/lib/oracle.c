/* oracle.c — the model in step with a random stream, and comparing journals with it. */
#include "tests/lib/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/view.h"
#include "journal/base/file.h"

static void die(const struct oracle *oracle, uint64_t seq, const char *what, const char *text)
{
    fprintf(stderr, "seed %" PRIu64 ", event %" PRIu64 ": %s: %s\n", oracle->seed, seq, what, text);
    abort();
}

static void must(const struct oracle *oracle, settle_status status, const settle_error *error, const char *what)
{
    if (status != SETTLE_OK)
        die(oracle, error->seq, what, error->text);
}

/* ---- The model in step with the stream ---- */

void oracle_init(struct oracle *oracle, uint64_t seed)
{
    oracle->seed = seed;
    stream_init(&oracle->stream, seed);
    model_init(&oracle->model);
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        if (model_declare_asset(&oracle->model, &stream_assets[i]) != SETTLE_OK)
            abort();
}

void oracle_deinit(struct oracle *oracle)
{
    model_deinit(&oracle->model);
}

settle_status oracle_declare(settle *engine, settle_error *error)
{
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < STREAM_ASSET_COUNT && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &stream_assets[i], error);
    return status;
}

void oracle_next(struct oracle *oracle, struct stream_event *ret_event, settle_result *ret_result)
{
    struct model_legs legs;
    stream_next(&oracle->stream, &oracle->model, ret_event);
    model_submit(&oracle->model, &ret_event->event, ret_result, &legs);
}

void oracle_rewind(struct oracle *oracle, uint64_t seq)
{
    uint64_t seed = oracle->seed;
    oracle_deinit(oracle);
    oracle_init(oracle, seed);
    while (oracle->model.seq < seq) {
        struct stream_event event;
        settle_result result;
        oracle_next(oracle, &event, &result);
    }
}

/* ---- A journal beside it ---- */

struct walk {
    struct oracle again; /* from the first event on, in step with the journal */
    uint64_t *positions; /* of event seq */
    size_t capacity;
    struct record consumed;
    uint64_t persisted_seq, last_time_us;
};

static void remember_position(struct walk *walk, uint64_t seq, uint64_t position)
{
    if (seq >= walk->capacity) {
        walk->capacity = walk->capacity == 0 ? 1024 : walk->capacity * 2;
        walk->positions = realloc(walk->positions, walk->capacity * sizeof *walk->positions);
        if (walk->positions == NULL)
            abort();
    }
    walk->positions[seq] = position;
}

static settle_result result_of(const struct record *decided)
{
    settle_result result = {.seq = decided->seq, .outcome = SETTLE_ACCEPTED};
    if (decided->kind == RECORD_REJECTED) {
        result.outcome = SETTLE_REJECTED;
        result.reason = decided->u.rejected;
    } else if (decided->kind != RECORD_VALIDATED) {
        result.outcome = decided->kind == RECORD_DUPLICATE ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
        result.first_seq = decided->u.repeat.first_seq;
    }
    return result;
}

static void compare_legs(struct walk *walk, const struct record *decided, const struct model_legs *expected)
{
    char text[MODEL_TEXT_BYTES];
    const struct record_validated *validated = &decided->u.validated;
    uint64_t seq = decided->seq;
    size_t count = decided->kind == RECORD_VALIDATED ? validated->leg_count : 0;
    if (!model_legs_equal(expected, validated->legs, count, text))
        die(&walk->again, seq, "the legs differ", text);
    for (size_t i = 0; i < count; i++) {
        uint64_t before = expected->legs[i].previous_position; /* a seq */
        if (validated->legs[i].previous_position != (before == 0 ? 0 : walk->positions[before]))
            die(&walk->again, seq, "the legs differ", "an account's chain of positions is broken");
    }
    if (decided->kind == RECORD_DUPLICATE || decided->kind == RECORD_CONFLICT)
        if (decided->u.repeat.first_position != walk->positions[decided->u.repeat.first_seq])
            die(&walk->again, seq, "the outcome differs", "the first arrival is elsewhere");
}

/* An event of the journal beside the next one of the stream. */
static void compare_event(struct walk *walk, const struct record *decided)
{
    char text[MODEL_TEXT_BYTES], id[SETTLE_EVENT_ID_BYTES_MAX + 1], expected_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    struct stream_event event;
    settle_result expected, result = result_of(decided);
    struct model_legs legs;
    struct event_key key;
    stream_next(&walk->again.stream, &walk->again.model, &event);
    model_submit(&walk->again.model, &event.event, &expected, &legs);
    if (decided->seq != walk->consumed.seq || decided->seq != expected.seq)
        die(&walk->again, expected.seq, "another sequence number", "");
    event_key_of(&walk->consumed.u.consumed, &key);
    event_key_format(&key, id);
    model_event_id(&event.event, expected_id);
    if (strcmp(id, expected_id) != 0 || !event_content_equal(&walk->consumed.u.consumed, &event.event))
        die(&walk->again, expected.seq, "another event", id);
    if (!model_result_equal(&expected, &result, text))
        die(&walk->again, expected.seq, "the outcome differs", text);
    remember_position(walk, expected.seq, walk->consumed.position);
    compare_legs(walk, decided, &legs);
}

static void compare_record(struct walk *walk, const struct record *record, uint64_t frame_first_seq)
{
    if (record->kind == RECORD_SOURCE)
        return;
    uint64_t time_us = record->kind == RECORD_PERSISTED ? record->u.persisted.time_us : record->time_us;
    if (time_us < walk->last_time_us)
        die(&walk->again, walk->again.model.seq, "time goes back", "");
    walk->last_time_us = time_us;
    if (record->kind == RECORD_CONSUMED) {
        walk->consumed = *record;
    } else if (record->kind == RECORD_PERSISTED) {
        if (record->u.persisted.first_seq != walk->persisted_seq + 1 || record->u.persisted.last_seq >= frame_first_seq)
            die(&walk->again, record->u.persisted.first_seq, "PERSISTED of other events", "");
        walk->persisted_seq = record->u.persisted.last_seq;
    } else if (record->kind >= RECORD_VALIDATED && record->kind <= RECORD_CONFLICT) {
        compare_event(walk, record);
    }
}

static settle_status walk_journal(struct walk *walk, struct journal_reader *reader, settle_error *error)
{
    struct journal_point point;
    struct frame frame;
    settle_status status;
    journal_reader_begin(reader, &point);
    while ((status = journal_reader_next(reader, &point, &frame, error)) == SETTLE_OK) {
        struct record record;
        size_t offset = 0;
        while (frame_next_record(&frame, &offset, &record))
            compare_record(walk, &record, frame.first_seq);
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

uint64_t oracle_follow(struct oracle *oracle, const char *data_directory)
{
    struct walk walk = {.positions = NULL};
    settle_error error = {.status = SETTLE_OK};
    int data_fd = -1;
    struct journal_reader *reader = NULL;
    oracle_init(&walk.again, oracle->seed);
    must(oracle, dir_open(data_directory, false, &data_fd, &error), &error, "opening the directory");
    must(oracle, journal_reader_open(data_fd, &mem_libc, &reader, &error), &error, "opening the journal");
    must(oracle, walk_journal(&walk, reader, &error), &error, "reading the journal");
    journal_reader_close(reader);
    file_close(data_fd);
    free(walk.positions);
    if (walk.again.model.seq < oracle->model.seq)
        die(oracle, walk.again.model.seq, "the journal ends here", "and what came behind it was acknowledged");
    oracle_deinit(oracle);
    *oracle = walk.again;
    return oracle->model.seq;
}

/* ---- Balances ---- */

static settle_status get_balance(void *context, uint64_t user, uint32_t asset, settle_balance *ret_balance)
{
    return settle_balance_get(context, user, asset, ret_balance, NULL);
}

void oracle_check(const struct oracle *oracle, settle *engine)
{
    char text[MODEL_TEXT_BYTES];
    if (!model_equals_balances(&oracle->model, get_balance, engine, text))
        die(oracle, oracle->model.seq, "a balance differs", text);
}

void oracle_check_directory(const struct oracle *oracle, const char *data_directory)
{
    char text[MODEL_TEXT_BYTES];
    struct view view = {0};
    struct accounts accounts;
    settle_error error = {.status = SETTLE_OK};
    must(oracle, view_open(data_directory, &view, &error), &error, "opening a view");
    if (view.store_fault.status != SETTLE_OK && view.store_fault.status != SETTLE_E_NOT_FOUND)
        die(oracle, oracle->model.seq, "the store is damaged", view.store_fault.text);
    if (accounts_init(&accounts, &mem_libc, 0) != SETTLE_OK)
        abort();
    must(oracle, view_accounts(&view, 0, 0, &accounts, &error), &error, "reading the balances");
    if (!model_equals_accounts(&oracle->model, &accounts, text))
        die(oracle, oracle->model.seq, "a balance differs", text);
    if (!model_conserves(&oracle->model))
        die(oracle, oracle->model.seq, "the model", "money was made or lost");
    accounts_deinit(&accounts);
    view_close(&view);
}
