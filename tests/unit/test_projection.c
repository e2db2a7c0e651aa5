/* Tests of engine/projection.h: folding journals into account states, ids, arrivals, assets and sources. */
#include "engine/projection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/frame.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"

SETTLE_SUITE(projection);

/* ---- Whole journals ---- */

static void build(struct journal_builder *builder, uint64_t seed, size_t frames)
{
    builder_use_memory();
    builder_init(builder, 16384, seed);
    builder_begin(builder);
    builder_add_asset(builder);
    EXPECT_OK(builder_commit(builder, &test_error));
    for (size_t i = 0; i < frames; i++)
        builder_events(builder, 1 + i % 13);
    builder_close(builder);
}

static struct journal_reader *open_reader(const struct journal_builder *builder)
{
    struct journal_reader *reader = NULL;
    EXPECT_OK(journal_reader_open(builder->data_fd, &mem_libc, &reader, &test_error));
    return reader;
}

Test(projection, a_journal_folds_to_the_models_balances)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct journal_builder builder;
        struct projection projection;
        struct journal_point point;
        char text[MODEL_TEXT_BYTES];
        build(&builder, seed, 40);
        struct journal_reader *reader = open_reader(&builder);
        EXPECT_OK(projection_init(&projection, &mem_libc, true));
        journal_reader_begin(reader, &point);
        EXPECT_STATUS(projection_read(&projection, reader, &point, UINT64_MAX, &test_error), SETTLE_E_END);
        cr_assert(point.position == builder.end.position && projection.event_count == builder.model.seq);
        cr_assert(model_equals_accounts(&builder.model, &projection.accounts, text), "seed %d: %s", (int)seed, text);
        cr_assert(projection.id_count == builder.model.entry_count);
        cr_assert(projection.id_count + projection.arrival_count == builder.model.seq);
        projection_deinit(&projection);
        journal_reader_close(reader);
        builder_deinit(&builder);
    }
}

static void expect_ids(const struct journal_builder *builder, const struct projection *projection)
{
    size_t ids = 0, arrivals = 0;
    uint64_t ts_max = 0;
    for (size_t i = 0; i < builder->event_count; i++) {
        const struct built_event *event = &builder->events[i];
        if (event->result.first_seq != 0) {
            const struct store_arrival *arrival = &projection->arrivals[arrivals++];
            cr_assert(arrival->position == event->position);
            cr_assert(arrival->first_position == builder->events[event->result.first_seq - 1].position);
            continue;
        }
        const struct store_id *id = &projection->ids[ids++];
        char text[SETTLE_EVENT_ID_BYTES_MAX + 1];
        event_key_format(&id->key, text);
        cr_assert_str_eq(text, event->id);
        cr_assert(id->position == event->position);
        if (id->key.is_natural && id->key.ts_ms > ts_max)
            ts_max = id->key.ts_ms;
    }
    cr_assert(ids == projection->id_count && arrivals == projection->arrival_count);
    cr_assert(projection->bounds.natural_ts_ms == ts_max);
}

Test(projection, ids_and_later_arrivals_have_their_positions)
{
    struct journal_builder builder;
    struct projection projection;
    struct journal_point point;
    build(&builder, 9, 60);
    struct journal_reader *reader = open_reader(&builder);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    journal_reader_begin(reader, &point);
    EXPECT_STATUS(projection_read(&projection, reader, &point, UINT64_MAX, &test_error), SETTLE_E_END);
    expect_ids(&builder, &projection);
    projection_deinit(&projection);
    journal_reader_close(reader);
    builder_deinit(&builder);
}

/* The hashes that are told at each CONSUMED are those of its own event, whatever records stand between. */
Test(projection, accounts_ahead_tells_the_hashes_of_each_event_in_turn)
{
    struct journal_builder builder;
    struct journal_point point;
    struct frame frame;
    struct accounts accounts;
    size_t events = 0, frames_longer_than_the_ring = 0;
    builder_use_memory();
    builder_init(&builder, (uint64_t)1 << 20, 12);
    for (int i = 0; i < 60; i++)
        builder_random(&builder);
    for (size_t count = 1; count <= 3 * AHEAD_RING; count++)
        builder_events(&builder, count);
    builder_close(&builder);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    struct journal_reader *reader = open_reader(&builder);
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        struct accounts_ahead ahead;
        struct record record;
        size_t offset = 0;
        accounts_ahead_begin(&accounts, &frame, &ahead);
        while (frame_next_record(&frame, &offset, &record)) {
            if (record.kind != RECORD_CONSUMED)
                continue;
            struct party_hashes expected;
            const struct party_hashes *told = accounts_ahead_next(&ahead);
            party_hashes_of(&record.u.consumed, &expected);
            cr_assert_eq(told->count, expected.count);
            cr_assert_arr_eq(told->hashes, expected.hashes, expected.count * sizeof expected.hashes[0]);
            events++;
        }
        cr_assert_eq(ahead.told, frame.event_count);
        frames_longer_than_the_ring += frame.event_count > AHEAD_RING;
    }
    cr_assert_eq(events, builder.event_count);
    cr_assert_gt(frames_longer_than_the_ring, AHEAD_RING);
    journal_reader_close(reader);
    accounts_deinit(&accounts);
    builder_deinit(&builder);
}

/* What a checkpoint does: stretch after stretch, each on its own; the newest state of an account wins. */
Test(projection, stretches_come_to_the_same_as_the_whole)
{
    struct journal_builder builder;
    struct projection projection;
    struct journal_point point;
    struct accounts all;
    char text[MODEL_TEXT_BYTES];
    uint64_t events = 0;
    size_t stretches = 0, ids = 0, arrivals = 0;
    settle_status status = SETTLE_OK;
    build(&builder, 3, 60);
    struct journal_reader *reader = open_reader(&builder);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    EXPECT_OK(accounts_init(&all, &mem_libc, 0));
    journal_reader_begin(reader, &point);
    for (; status == SETTLE_OK; stretches++) {
        projection_clear(&projection);
        status = projection_read(&projection, reader, &point, 20, &test_error);
        cr_assert(status == SETTLE_E_END || (projection.event_count >= 20 && projection.event_count < 20 + 13));
        events += projection.event_count;
        ids += projection.id_count;
        arrivals += projection.arrival_count;
        for (uint32_t i = 0; i < projection.accounts.count; i++) {
            const struct account *account = accounts_at(&projection.accounts, i);
            EXPECT_OK(accounts_reserve(&all, 1));
            *accounts_upsert(&all, account->user, account->asset) = *account;
        }
    }
    cr_assert(status == SETTLE_E_END && stretches > 10);
    cr_assert(events == builder.model.seq && ids == builder.model.entry_count && ids + arrivals == events);
    cr_assert(model_equals_accounts(&builder.model, &all, text), "%s", text);
    accounts_deinit(&all);
    projection_deinit(&projection);
    journal_reader_close(reader);
    builder_deinit(&builder);
}

Test(projection, ids_are_left_out_where_nobody_wants_them)
{
    struct journal_builder builder;
    struct projection projection;
    struct journal_point point;
    build(&builder, 3, 20);
    struct journal_reader *reader = open_reader(&builder);
    EXPECT_OK(projection_init(&projection, &mem_libc, false));
    journal_reader_begin(reader, &point);
    EXPECT_STATUS(projection_read(&projection, reader, &point, UINT64_MAX, &test_error), SETTLE_E_END);
    cr_assert(projection.id_count == 0 && projection.ids == NULL && projection.event_count == builder.model.seq);
    projection_deinit(&projection);
    projection_deinit(&projection); /* a zeroed one, too */
    journal_reader_close(reader);
    builder_deinit(&builder);
}

/* ---- Frames made by hand ---- */

struct hand {
    uint8_t bytes[16384];
    size_t used;
    struct frame frame;
};

static const uint8_t journal_id[16] = "0123456789abcdef";

static void hand_begin(struct hand *hand, uint64_t first_seq)
{
    memset(hand, 0, sizeof *hand);
    hand->used = FRAME_HEADER_BYTES;
    hand->frame = (struct frame){.position = 512, .first_seq = first_seq, .time_us = 1};
}

static uint8_t *hand_end(struct hand *hand)
{
    return hand->bytes + hand->used;
}

static void hand_take(struct hand *hand, size_t bytes)
{
    hand->used += bytes;
    hand->frame.record_count++;
}

/* A deposit of `delta` with these legs. */
static void hand_deposit(struct hand *hand, const settle_leg *legs, size_t leg_count)
{
    uint32_t seq_delta = hand->frame.event_count++;
    settle_event event = {.type = SETTLE_DEPOSIT, .ts_ms = seq_delta, .u.transfer = {1, 2, 5}};
    hand_take(hand, record_encode_consumed(hand_end(hand), seq_delta, 0, (uint32_t)hand->used, &event));
    hand_take(hand, record_encode_validated(hand_end(hand), seq_delta, 0, legs, leg_count));
}

static void hand_seal(struct hand *hand)
{
    size_t offset = 0;
    uint64_t seq = 0;
    hand->frame.length_bytes = frame_length(hand->used);
    frame_seal(&hand->frame, hand->bytes, hand->used, journal_id);
    const char *fault = frame_body_fault(&hand->frame, &offset, &seq);
    cr_assert(fault == NULL, "%s", fault);
}

static settle_leg leg_of(uint64_t user, settle_int128 delta, settle_int128 after, uint64_t version, uint64_t previous)
{
    return (settle_leg){.user = user,
                        .asset = 2,
                        .version = version,
                        .previous_position = previous,
                        .delta_available = delta,
                        .after_available = after};
}

static settle_status add_second_deposit(settle_leg users)
{
    struct hand hand;
    struct projection projection;
    uint64_t first = 512 + FRAME_HEADER_BYTES;
    settle_leg one[] = {leg_of(1, 5, 5, 1, 0), leg_of(SETTLE_USER_EXTERNAL, -5, -5, 1, 0)};
    settle_leg two[] = {users, leg_of(SETTLE_USER_EXTERNAL, -5, -10, 2, first)};
    hand_begin(&hand, 1);
    hand_deposit(&hand, one, 2);
    hand_deposit(&hand, two, 2);
    hand_seal(&hand);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    test_error = (settle_error){.status = SETTLE_OK};
    settle_status status = projection_add(&projection, &hand.frame, &test_error);
    if (status == SETTLE_OK) {
        const struct account *account = accounts_find(&projection.accounts, 1, 2);
        cr_assert(account->available == 10 && account->version == 2 && account->last_seq == 2);
        cr_assert(account->last_position > first);
    }
    projection_deinit(&projection);
    return status;
}

Test(projection, changes_of_an_account_must_follow_from_each_other)
{
    const uint64_t first = 512 + FRAME_HEADER_BYTES;
    cr_assert(add_second_deposit(leg_of(1, 5, 10, 2, first)) == SETTLE_OK, "%s", test_error.text);
    const settle_leg wrong[] = {
        leg_of(1, 5, 11, 2, first), leg_of(1, 6, 10, 2, first), leg_of(1, 5, 10, 3, first),
        leg_of(1, 5, 10, 1, first), leg_of(1, 5, 10, 2, 0),     leg_of(1, 5, 10, 2, first + 8),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert(add_second_deposit(wrong[i]) == SETTLE_E_CORRUPT, "leg %zu", i);
        cr_assert(test_error.seq == 2 && test_error.offset_bytes > first && strcmp(test_error.file, "journal") == 0);
    }
}

/* Of an account that the stretch has not met yet, anything may have been before. */
Test(projection, the_first_change_in_a_stretch_is_believed)
{
    struct hand hand;
    struct projection projection;
    settle_leg legs[] = {leg_of(1, 5, 500, 77, 4096), leg_of(SETTLE_USER_EXTERNAL, -5, -500, 99, 4096)};
    hand_begin(&hand, 1000);
    hand_deposit(&hand, legs, 2);
    hand_seal(&hand);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    EXPECT_OK(projection_add(&projection, &hand.frame, &test_error));
    const struct account *account = accounts_find(&projection.accounts, 1, 2);
    cr_assert(account->available == 500 && account->version == 77 && account->last_seq == 1000);
    projection_deinit(&projection);
}

Test(projection, a_leg_is_judged_by_the_whole_history_where_that_is_known)
{
    struct account fresh = {.user = 1, .asset = 2}, known = {.user = 1,
                                                             .asset = 2,
                                                             .available = 5,
                                                             .held = 3,
                                                             .version = 4,
                                                             .last_seq = 9,
                                                             .last_position = 600};
    settle_leg first = leg_of(1, 5, 5, 1, 0), later = leg_of(1, 5, 500, 77, 4096), next = leg_of(1, -2, 3, 5, 600);
    next.delta_held = 2;
    next.after_held = 5;
    cr_assert(account_leg_fault(&fresh, &first, true) == NULL && account_leg_fault(&fresh, &first, false) == NULL);
    cr_assert(account_leg_fault(&fresh, &later, true) != NULL && account_leg_fault(&fresh, &later, false) == NULL);
    cr_assert(account_leg_fault(&known, &next, true) == NULL && account_leg_fault(&known, &next, false) == NULL);
    settle_leg wrong = next;
    wrong.after_held = 4;
    cr_assert(account_leg_fault(&known, &wrong, true) != NULL);
    wrong = next;
    wrong.delta_held = SETTLE_AMOUNT_MAX; /* the sum leaves 128 bits */
    cr_assert(account_leg_fault(&known, &wrong, true) != NULL);
    account_take_leg(&known, &next, 12, 700);
    cr_assert(known.available == 3 && known.held == 5 && known.version == 5 && known.last_seq == 12 &&
              known.last_position == 700);
}

Test(projection, assets_and_sources_are_collected)
{
    struct hand hand;
    struct projection projection;
    hand_begin(&hand, 1);
    hand_take(&hand, record_encode_asset(hand_end(&hand), 0, &(settle_asset){2, 6, "USDT"}));
    hand_take(&hand, record_encode_source(hand_end(&hand), &(struct record_source){10, 1, {"a", 1}}));
    hand_take(&hand, record_encode_source(hand_end(&hand), &(struct record_source){20, 2, {"b", 1}}));
    hand_take(&hand, record_encode_source(hand_end(&hand), &(struct record_source){30, 3, {"a", 1}}));
    hand_seal(&hand);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    for (int round = 0; round < 2; round++) {
        EXPECT_OK(projection_add(&projection, &hand.frame, &test_error));
        cr_assert(projection.names.asset_count == 1 && strcmp(projection.names.assets[0].symbol, "USDT") == 0);
        cr_assert(projection.names.source_count == 2 && projection.event_count == 0);
        cr_assert(projection.names.sources[0].offset_bytes == 30 && projection.names.sources[0].line == 3);
        cr_assert(projection.names.sources[1].offset_bytes == 20 && projection.names.sources[1].line == 2);
        projection_clear(&projection);
        cr_assert(projection.names.asset_count == 0 && projection.names.source_count == 0);
    }
    projection_deinit(&projection);
}

Test(projection, an_asset_declared_twice_with_other_values_is_damage)
{
    struct hand hand;
    struct projection projection;
    hand_begin(&hand, 1);
    hand_take(&hand, record_encode_asset(hand_end(&hand), 0, &(settle_asset){2, 6, "USDT"}));
    hand_take(&hand, record_encode_asset(hand_end(&hand), 0, &(settle_asset){2, 7, "USDT"}));
    hand_seal(&hand);
    EXPECT_OK(projection_init(&projection, &mem_libc, true));
    EXPECT_STATUS(projection_add(&projection, &hand.frame, &test_error), SETTLE_E_CORRUPT);
    projection_deinit(&projection);
}

/* ---- Memory ---- */

static void *reallocate(void *context, void *memory, size_t bytes)
{
    int *allocations = context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return (*allocations)-- > 0 ? realloc(memory, bytes) : NULL;
}

Test(projection, a_leg_beyond_every_amount_does_not_fit_its_account)
{
    const settle_int128 most = (settle_int128)INT64_MAX << 64 | UINT64_MAX;
    const struct account account = {.available = most, .held = most, .version = 1};
    const settle_leg available = {.delta_available = 1, .after_available = -most - 1, .after_held = most, .version = 2};
    const settle_leg held = {.delta_held = 1, .after_available = most, .after_held = -most - 1, .version = 2};
    cr_assert_str_eq(account_leg_fault(&account, &available, true), "before + delta is not after");
    cr_assert_str_eq(account_leg_fault(&account, &held, true), "before + delta is not after");
}

Test(projection, without_memory_it_says_so)
{
    struct journal_builder builder;
    struct projection projection;
    int allocations = -1, tries = 0;
    const struct mem mem = {reallocate, &allocations};
    build(&builder, 3, 150); /* more ids than one array holds at first */
    settle_status status = SETTLE_E_NO_MEMORY;
    for (; allocations < 0; tries++) { /* until none was refused */
        allocations = tries;
        status = projection_init(&projection, &mem, true);
        if (status != SETTLE_OK)
            continue;
        struct journal_reader *reader = open_reader(&builder);
        struct journal_point point;
        journal_reader_begin(reader, &point);
        status = projection_read(&projection, reader, &point, UINT64_MAX, &test_error);
        journal_reader_close(reader);
        projection_deinit(&projection);
        cr_assert(status == SETTLE_E_END || (status == SETTLE_E_NO_MEMORY && allocations < 0));
    }
    cr_assert(status == SETTLE_E_END && tries > 5, "after %d tries: %d", tries, (int)status);
    builder_deinit(&builder);
}
