/* Tests of settle_source_open() and settle_source_advance(), and of the positions that events carry. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(engine_sources);

static settle_text name_of(const char *name)
{
    return (settle_text){name, strlen(name)};
}

static settle_source_position open_source(struct rig *rig, const char *name)
{
    settle_source_position position;
    EXPECT_OK(settle_source_open(rig->engine, name_of(name), &position, &test_error));
    return position;
}

static void expect_source(struct rig *rig, const char *name, uint64_t offset_bytes, uint64_t line)
{
    settle_source_position position = open_source(rig, name);
    cr_assert(position.offset_bytes == offset_bytes && position.line == line, "%s: offset %llu line %llu", name,
              (unsigned long long)position.offset_bytes, (unsigned long long)position.line);
}

/* What a crash now would leave, opened. */
static void crash(struct rig *rig, struct rig *ret_crashed)
{
    rig_make(ret_crashed);
    tree_copy(rig->data, ret_crashed->data);
    cr_assert(rig_try_open(ret_crashed) == SETTLE_OK, "%s", ret_crashed->error.text);
}

Test(engine_sources, a_new_source_begins_at_its_beginning_and_has_a_number_of_its_own)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    settle_source_position a = open_source(&rig, "a"), b = open_source(&rig, "b"), again = open_source(&rig, "a");
    cr_assert(a.source != 0 && b.source != 0 && a.source != b.source && again.source == a.source);
    cr_assert(a.offset_bytes == 0 && a.line == 0);
    rig_remove(&rig);
}

Test(engine_sources, a_name_has_1_to_4095_bytes_without_nul)
{
    static char longest[4096];
    struct rig rig;
    settle_source_position position = {77, 77, 77};
    rig_make(&rig);
    rig_open(&rig);
    memset(longest, 'x', sizeof longest);
    EXPECT_STATUS(settle_source_open(rig.engine, (settle_text){NULL, 0}, &position, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_source_open(rig.engine, (settle_text){longest, 4096}, &position, &test_error),
                  SETTLE_E_INVALID);
    EXPECT_STATUS(settle_source_open(rig.engine, (settle_text){"a\0b", 3}, &position, &test_error), SETTLE_E_INVALID);
    cr_assert(position.source == 77 && position.offset_bytes == 77 && position.line == 77);
    EXPECT_OK(settle_source_open(rig.engine, (settle_text){longest, 4095}, &position, &test_error));
    settle_event event = rig_deposit(1, RIG_USDT, 1, 1);
    event.end = (settle_source_position){position.source, 10, 1};
    rig_submit(&rig, event);
    rig_reopen(&rig);
    EXPECT_OK(settle_source_open(rig.engine, (settle_text){longest, 4095}, &position, &test_error));
    cr_assert(position.offset_bytes == 10 && position.line == 1);
    EXPECT_OK(settle_source_open(rig.engine, (settle_text){longest, 4094}, &position, &test_error));
    cr_assert(position.offset_bytes == 0);
    rig_remove(&rig);
}

Test(engine_sources, an_unknown_number_is_invalid)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_STATUS(settle_source_advance(rig.engine, (settle_source_position){1, 5, 5}, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_source_advance(rig.engine, (settle_source_position){0, 5, 5}, &test_error), SETTLE_E_INVALID);
    rig_remove(&rig);
}

Test(engine_sources, the_position_of_an_event_is_as_durable_as_its_effects)
{
    struct rig rig, crashed;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    uint32_t a = open_source(&rig, "a").source, b = open_source(&rig, "b").source;
    for (uint64_t i = 1; i <= 5; i++) {
        settle_event batch[] = {rig_deposit(1, RIG_USDT, 1, 10 * i), rig_deposit(1, RIG_USDT, 1, 10 * i + 1),
                                rig_deposit(1, RIG_USDT, 1, 10 * i + 2)};
        settle_result results[3];
        batch[0].end = (settle_source_position){a, 100 * i, 2 * i};
        batch[1].end = (settle_source_position){b, 200 * i, 3 * i};
        batch[2].end = (settle_source_position){a, 100 * i + 50, 2 * i + 1};
        EXPECT_OK(settle_submit(rig.engine, batch, 3, results, &test_error));
        crash(&rig, &crashed);
        expect_source(&crashed, "a", 100 * i + 50, 2 * i + 1);
        expect_source(&crashed, "b", 200 * i, 3 * i);
        cr_assert(rig_available(&crashed, 1, RIG_USDT) == (settle_int128)(3 * i));
        rig_remove(&crashed);
    }
    rig_reopen(&rig);
    expect_source(&rig, "b", 1000, 15);
    expect_source(&rig, "a", 550, 11);
    rig_remove(&rig);
}

Test(engine_sources, a_duplicate_a_conflict_and_a_rejection_move_the_position_too)
{
    struct rig rig, crashed;
    rig_make(&rig);
    rig_open(&rig);
    uint32_t a = open_source(&rig, "a").source;
    settle_event events[] = {rig_with_id(rig_deposit(1, RIG_USDT, 1, 1), "x"),
                             rig_with_id(rig_deposit(1, RIG_USDT, 1, 1), "x"),
                             rig_with_id(rig_deposit(1, RIG_USDT, 2, 1), "x"), rig_withdrawal(1, RIG_USDT, 9, 1)};
    for (uint64_t i = 0; i < 4; i++) {
        events[i].end = (settle_source_position){a, 10 * (i + 1), i + 1};
        rig_submit(&rig, events[i]);
        crash(&rig, &crashed);
        expect_source(&crashed, "a", 10 * (i + 1), i + 1);
        rig_remove(&crashed);
    }
    rig_remove(&rig);
}

/* Frames of one event each and segments that roll: a position must never be ahead of, or behind, the events. */
Test(engine_sources, positions_and_events_agree_whatever_the_frames_are)
{
    struct rig rig, crashed;
    rig_make(&rig);
    rig.options.commit_events_max = 1;
    rig.options.checkpoint_events_max = 3;
    rig_open(&rig);
    uint32_t source = open_source(&rig, "file").source;
    for (uint64_t round = 0; round < 20; round++) {
        settle_event batch[7];
        settle_result results[7];
        for (uint64_t i = 0; i < 7; i++) {
            batch[i] = rig_deposit(1, RIG_USDT, 1, 7 * round + i);
            batch[i].end = (settle_source_position){source, 9 * (7 * round + i + 1), 7 * round + i + 1};
        }
        EXPECT_OK(settle_submit(rig.engine, batch, 7, results, &test_error));
        if (round % 5 == 4) {
            crash(&rig, &crashed);
            expect_source(&crashed, "file", 9 * 7 * (round + 1), 7 * (round + 1));
            rig_remove(&crashed);
        }
    }
    rig_remove(&rig);
}

Test(engine_sources, advance_moves_past_input_without_events)
{
    struct rig rig, crashed;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    uint32_t a = open_source(&rig, "a").source, b = open_source(&rig, "b").source;
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){a, 1000, 10}, &test_error));
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){b, 2000, 20}, &test_error));
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){b, 2001, 21}, &test_error));
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    crash(&rig, &crashed);
    expect_source(&crashed, "a", 1000, 10);
    expect_source(&crashed, "b", 2001, 21);
    rig_remove(&crashed);
    /* The next commit takes it along, and so does closing. */
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){a, 1001, 11}, &test_error));
    rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1));
    crash(&rig, &crashed);
    expect_source(&crashed, "a", 1001, 11);
    rig_remove(&crashed);
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){a, 1002, 12}, &test_error));
    rig_reopen(&rig);
    expect_source(&rig, "a", 1002, 12);
    rig_remove(&rig);
}

Test(engine_sources, advance_works_at_every_place_of_a_segment)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    uint32_t a = open_source(&rig, "a").source;
    for (uint64_t i = 1; i <= 300; i++) { /* an engine that is idle each time */
        rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, i));
        EXPECT_OK(settle_flush(rig.engine, &test_error));
        EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){a, i, i}, &test_error));
        EXPECT_OK(settle_flush(rig.engine, &test_error));
    }
    rig_reopen(&rig);
    expect_source(&rig, "a", 300, 300);
    rig_remove(&rig);
}

/* Alternating sources with the longest names need the most room. */
static void submit_in_turns(struct rig *rig, const uint32_t *sources, size_t source_count, uint64_t from, size_t count)
{
    for (uint64_t i = from; i < from + count; i++) {
        settle_event event = rig_deposit(sources[0], RIG_USDT, 1, i);
        event.end = (settle_source_position){sources[i % source_count], i, i};
        settle_result result;
        cr_assert(settle_submit(rig->engine, &event, 1, &result, NULL) == SETTLE_OK);
    }
}

static void open_long_sources(struct rig *rig, uint32_t ret_sources[3])
{
    static char name[4095];
    for (int i = 0; i < 3; i++) {
        settle_source_position position;
        memset(name, 'a' + i, sizeof name);
        EXPECT_OK(settle_source_open(rig->engine, (settle_text){name, sizeof name}, &position, &test_error));
        ret_sources[i] = position.source;
    }
}

Test(engine_sources, sources_with_long_names_take_turns)
{
    struct rig rig;
    uint32_t sources[3];
    rig_make(&rig);
    rig_open(&rig);
    open_long_sources(&rig, sources);
    submit_in_turns(&rig, sources, 3, 1, 200);
    settle_event batch[60];
    settle_result results[60];
    for (uint64_t i = 0; i < 60; i++) {
        batch[i] = rig_deposit(9, RIG_USDT, 1, i);
        batch[i].end = (settle_source_position){sources[i % 3], 1000 + i, 1000 + i};
    }
    EXPECT_OK(settle_submit(rig.engine, batch, 60, results, &test_error));
    rig_reopen(&rig);
    open_long_sources(&rig, sources);
    cr_assert(rig_available(&rig, 9, RIG_USDT) == 60);
    rig_remove(&rig);
}

struct submitter {
    struct rig *rig;
    uint32_t source;
};

static void *submit_main(void *argument)
{
    struct submitter *submitter = argument;
    settle_event batch[25];
    settle_result results[25];
    for (uint64_t round = 0; round < 40; round++) {
        for (uint64_t i = 0; i < 25; i++) {
            batch[i] = rig_deposit(submitter->source, RIG_USDT, 1, 25 * round + i);
            batch[i].end = (settle_source_position){submitter->source, 25 * round + i + 1, 25 * round + i + 1};
        }
        cr_assert(settle_submit(submitter->rig->engine, batch, 25, results, NULL) == SETTLE_OK);
    }
    return NULL;
}

Test(engine_sources, callers_with_long_source_names_do_not_overfill_a_frame)
{
    struct rig rig;
    uint32_t sources[3];
    pthread_t threads[3];
    struct submitter submitters[3];
    rig_make(&rig);
    rig_open(&rig);
    open_long_sources(&rig, sources);
    for (int i = 0; i < 3; i++) {
        submitters[i] = (struct submitter){&rig, sources[i]};
        cr_assert(pthread_create(&threads[i], NULL, submit_main, &submitters[i]) == 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rig_reopen(&rig);
    for (int i = 0; i < 3; i++)
        cr_assert(rig_available(&rig, sources[i], RIG_USDT) == 1000);
    rig_remove(&rig);
}

/* Nobody sees what could still be lost. */
Test(engine_sources, the_position_that_is_answered_is_durable)
{
    struct rig rig, crashed;
    settle_source_position position;
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_open(&rig);
    uint32_t a = open_source(&rig, "a").source;
    EXPECT_OK(settle_source_advance(rig.engine, (settle_source_position){a, 1000, 10}, &test_error));
    EXPECT_OK(settle_source_open(rig.engine, name_of("a"), &position, &test_error));
    crash(&rig, &crashed);
    expect_source(&crashed, "a", position.offset_bytes, position.line);
    rig_remove(&crashed);
    rig_remove(&rig);
}
