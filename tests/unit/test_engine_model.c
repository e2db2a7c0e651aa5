/*
 * Random streams through the engine beside the naive model: outcome by outcome, leg by leg, balance by balance, with
 * random batches, restarts, lost stores, tiny segments and tiny checkpoints. The seed is printed; SETTLE_TEST_SEED
 * repeats one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

TestSuite(engine_model, .fini = leaks_check, .timeout = 120);

#define BATCH_MAX 300

static void choose_options(struct rig *rig, struct stream *dice)
{
    static const uint32_t commits[] = {1, 3, 50, 8192}, checkpoints[] = {1, 5, 100, 262144};
    rig->options.commit_events_max = commits[stream_random(dice, 4)];
    rig->options.commit_interval_us_max = stream_random(dice, 2) == 0 ? 0 : 1000;
    rig->options.checkpoint_events_max = checkpoints[stream_random(dice, 4)];
    rig->options.checkpoint_interval_ms = stream_random(dice, 2) == 0 ? 1 : 1000;
}

static void open_engine(struct rig *rig, struct oracle *oracle)
{
    cr_assert(rig_try_open(rig) == SETTLE_OK, "seed %" PRIu64 ": %s", oracle->seed, rig->error.text);
    cr_assert(oracle_declare(rig->engine, &rig->error) == SETTLE_OK, "%s", rig->error.text);
}

static void lose_store(struct rig *rig)
{
    char store[TEMPDIR_PATH_BYTES];
    tempdir_join(store, rig->data, "store");
    tempdir_remove(store);
}

static void restart(struct rig *rig, struct oracle *oracle, struct stream *dice)
{
    rig_close(rig);
    if (stream_random(dice, 4) == 0)
        lose_store(rig);
    choose_options(rig, dice);
    open_engine(rig, oracle);
}

static void submit_batch(struct rig *rig, struct oracle *oracle, size_t count)
{
    static struct stream_event made[BATCH_MAX];
    settle_event events[BATCH_MAX];
    settle_result expected[BATCH_MAX], results[BATCH_MAX];
    char text[MODEL_TEXT_BYTES];
    for (size_t i = 0; i < count; i++) {
        oracle_next(oracle, &made[i], &expected[i]);
        events[i] = made[i].event;
    }
    EXPECT_OK(settle_submit(rig->engine, events, count, results, &test_error));
    for (size_t i = 0; i < count; i++)
        cr_assert(model_result_equal(&expected[i], &results[i], text), "seed %" PRIu64 ", event %d: %s", oracle->seed,
                  (int)expected[i].seq, text);
}

static void run_stream(uint64_t seed, uint64_t events)
{
    struct rig rig;
    struct oracle oracle;
    struct stream dice;
    builder_use_memory();
    rig_make(&rig);
    oracle_init(&oracle, seed);
    stream_init(&dice, ~seed);
    choose_options(&rig, &dice);
    open_engine(&rig, &oracle);
    while (oracle.model.seq < events) {
        submit_batch(&rig, &oracle, 1 + stream_random(&dice, stream_random(&dice, 2) == 0 ? 4 : BATCH_MAX));
        if (stream_random(&dice, 8) == 0)
            oracle_check(&oracle, rig.engine);
        if (stream_random(&dice, 10) == 0)
            restart(&rig, &oracle, &dice);
    }
    oracle_check(&oracle, rig.engine);
    rig_close(&rig);
    cr_assert(oracle_follow(&oracle, rig.data) == oracle.model.seq);
    oracle_check_directory(&oracle, rig.data);
    lose_store(&rig);
    oracle_check_directory(&oracle, rig.data);
    oracle_deinit(&oracle);
    rig_remove(&rig);
}

Test(engine_model, random_streams_come_out_as_the_model_says)
{
    uint64_t seed = stream_seed(1);
    fprintf(stderr, "seeds %" PRIu64 " to %" PRIu64 "\n", seed, seed + 7);
    for (uint64_t i = 0; i < 8; i++)
        run_stream(seed + i, 1500);
}

/* ---- Lifecycles ---- */

struct told {
    settle_result result;
    struct model_legs legs;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
};

static void expect_lifecycle(struct rig *rig, const struct told *told, size_t count, size_t first)
{
    char text[MODEL_TEXT_BYTES];
    settle_lifecycle *life = NULL;
    const struct told *one = &told[first];
    EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){one->id, strlen(one->id)}, &life, &test_error));
    cr_assert_str_eq(life->event_id, one->id);
    cr_assert(model_result_equal(&one->result, &life->first.result, text), "%s: %s", one->id, text);
    cr_assert(model_legs_equal(&one->legs, life->legs, life->leg_count, text), "%s: %s", one->id, text);
    cr_assert(life->first.persisted_us >= life->first.decided_us && life->first.decided_us >= life->first.consumed_us);
    size_t repeats = 0;
    for (size_t i = first + 1; i < count; i++) {
        if (told[i].result.first_seq != one->result.seq)
            continue;
        cr_assert(repeats < life->repeat_count, "%s has only %zu repeats", one->id, life->repeat_count);
        cr_assert(model_result_equal(&told[i].result, &life->repeats[repeats].result, text), "%s: %s", one->id, text);
        repeats++;
    }
    cr_assert(repeats == life->repeat_count, "%s has %zu repeats, not %zu", one->id, life->repeat_count, repeats);
    settle_lifecycle_free(life);
}

Test(engine_model, the_life_of_every_event_is_told_leg_by_leg)
{
    struct rig rig;
    struct oracle oracle;
    const size_t count = 600;
    struct told *told = calloc(count, sizeof *told);
    builder_use_memory();
    rig_make(&rig);
    rig.options.checkpoint_events_max = 100;
    oracle_init(&oracle, stream_seed(77));
    open_engine(&rig, &oracle);
    for (size_t i = 0; i < count; i++) {
        struct stream_event event;
        stream_next(&oracle.stream, &oracle.model, &event);
        model_submit(&oracle.model, &event.event, &told[i].result, &told[i].legs);
        model_event_id(&event.event, told[i].id);
        settle_result result = rig_submit(&rig, event.event);
        char text[MODEL_TEXT_BYTES];
        cr_assert(model_result_equal(&told[i].result, &result, text), "%s", text);
        if (i == count / 2) { /* some lives end before a restart, some go on behind it, some begin there */
            rig_close(&rig);
            open_engine(&rig, &oracle);
        }
    }
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    for (size_t i = 0; i < count; i++)
        if (told[i].result.first_seq == 0)
            expect_lifecycle(&rig, told, count, i);
    settle_lifecycle *life = NULL;
    EXPECT_STATUS(settle_lifecycle_get(rig.engine, (settle_text){"never", 5}, &life, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(settle_lifecycle_get(rig.engine, (settle_text){"", 0}, &life, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert(life == NULL);
    settle_lifecycle_free(NULL);
    free(told);
    oracle_deinit(&oracle);
    rig_remove(&rig);
}

Test(engine_model, a_lifecycle_outlives_its_engine)
{
    struct rig rig;
    settle_lifecycle *life = NULL;
    rig_make(&rig);
    rig_open(&rig);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 5, 1), "x"));
    EXPECT_OK(settle_lifecycle_get(rig.engine, (settle_text){"x", 1}, &life, &test_error));
    rig_remove(&rig);
    cr_assert(life->leg_count == 2 && life->legs[0].user == 1 && life->legs[1].user == SETTLE_USER_EXTERNAL);
    settle_lifecycle_free(life);
}
