/*
 * One to four threads submit random events, at once and asynchronously, while others ask. The engine decides the order;
 * in that order the model must come to the same outcomes, legs and balances. A plain main(), for ThreadSanitizer.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"

#define THREADS_MAX 4
#define EVENTS_PER_THREAD 600
#define BATCH_MAX 40

struct told {
    struct stream_event event;
    settle_result result;
};

struct submitter {
    struct rig *rig;
    uint64_t seed;
    struct told told[EVENTS_PER_THREAD];
    settle_result results[EVENTS_PER_THREAD];
    _Atomic unsigned completions;
    unsigned submissions;
};

static atomic_bool is_over;

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct submitter *submitter = context;
    CHECK(status == SETTLE_OK && count > 0 && results[0].seq > 0);
    submitter->completions++;
}

/* Each has a stream of its own from the same few users and ids; its model is only there to choose amounts. */
static void *submit_main(void *argument)
{
    struct submitter *submitter = argument;
    struct oracle *chooser = malloc(sizeof *chooser);
    struct stream dice;
    CHECK(chooser != NULL);
    oracle_init(chooser, submitter->seed);
    stream_init(&dice, ~submitter->seed);
    for (size_t at = 0; at < EVENTS_PER_THREAD;) {
        settle_event events[BATCH_MAX];
        size_t count = 1 + stream_random(&dice, BATCH_MAX);
        if (count > EVENTS_PER_THREAD - at)
            count = EVENTS_PER_THREAD - at;
        for (size_t i = 0; i < count; i++) {
            settle_result ignored;
            oracle_next(chooser, &submitter->told[at + i].event, &ignored);
            events[i] = submitter->told[at + i].event.event;
        }
        settle *engine = submitter->rig->engine;
        if (stream_random(&dice, 2) == 0) {
            CHECK(settle_submit(engine, events, count, &submitter->results[at], NULL) == SETTLE_OK);
        } else {
            submitter->submissions++;
            CHECK(settle_submit_async(engine, events, count, &submitter->results[at], on_done, submitter, NULL) ==
                  SETTLE_OK);
        }
        at += count;
    }
    CHECK(settle_flush(submitter->rig->engine, NULL) == SETTLE_OK);
    for (size_t i = 0; i < EVENTS_PER_THREAD; i++)
        submitter->told[i].result = submitter->results[i];
    oracle_deinit(chooser);
    free(chooser);
    return NULL;
}

/* Asks whatever can be asked; what it hears must be possible. */
static void *ask_main(void *argument)
{
    struct rig *rig = argument;
    uint64_t version = 0;
    for (unsigned round = 0; !is_over; round++) {
        settle_balance balance;
        settle_asset asset;
        settle_source_position position;
        settle_lifecycle *life = NULL;
        settle_status status = settle_balance_get(rig->engine, 1001, 2, &balance, NULL);
        CHECK(status == SETTLE_OK || status == SETTLE_E_NOT_FOUND);
        if (status == SETTLE_OK) {
            CHECK(balance.available >= 0 && balance.version >= version && balance.seq > 0);
            version = balance.version;
        }
        CHECK(settle_asset_by_id(rig->engine, 2, &asset) == SETTLE_OK);
        status = settle_lifecycle_get(rig->engine, (settle_text){"trade_T-1", 9}, &life, NULL);
        CHECK(status == SETTLE_OK || status == SETTLE_E_NOT_FOUND);
        settle_lifecycle_free(life);
        CHECK(settle_source_open(rig->engine, (settle_text){"s", 1}, &position, NULL) == SETTLE_OK);
        if (round % 8 == 0)
            CHECK(settle_source_advance(rig->engine, (settle_source_position){position.source, round, round}, NULL) ==
                  SETTLE_OK);
    }
    return NULL;
}

static void expect_legs(struct rig *rig, const struct stream_event *event, const settle_result *result,
                        const struct model_legs *legs)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1], text[MODEL_TEXT_BYTES];
    settle_lifecycle *life = NULL;
    model_event_id(&event->event, id);
    CHECK(settle_lifecycle_get(rig->engine, (settle_text){id, strlen(id)}, &life, NULL) == SETTLE_OK);
    CHECK(life->first.result.seq == result->seq && life->first.persisted_us > 0);
    if (!model_legs_equal(legs, life->legs, life->leg_count, text)) {
        fprintf(stderr, "event %d: %s\n", (int)result->seq, text);
        abort();
    }
    settle_lifecycle_free(life);
}

/* All events in the order of their seq through one model. */
static void compare(struct rig *rig, struct submitter *submitters, unsigned thread_count)
{
    size_t total = (size_t)thread_count * EVENTS_PER_THREAD;
    const struct told **by_seq = calloc(total + 1, sizeof(struct told *));
    struct oracle oracle;
    CHECK(by_seq != NULL);
    for (unsigned i = 0; i < thread_count; i++) {
        CHECK(submitters[i].completions == submitters[i].submissions);
        for (size_t j = 0; j < EVENTS_PER_THREAD; j++) {
            uint64_t seq = submitters[i].told[j].result.seq;
            CHECK(seq >= 1 && seq <= total && by_seq[seq] == NULL);
            CHECK(j == 0 || seq > submitters[i].told[j - 1].result.seq); /* each caller's order is kept */
            by_seq[seq] = &submitters[i].told[j];
        }
    }
    oracle_init(&oracle, 0);
    for (size_t seq = 1; seq <= total; seq++) {
        settle_result expected;
        struct model_legs legs;
        char text[MODEL_TEXT_BYTES];
        model_submit(&oracle.model, &by_seq[seq]->event.event, &expected, &legs);
        if (!model_result_equal(&expected, &by_seq[seq]->result, text)) {
            fprintf(stderr, "event %zu: %s\n", seq, text);
            abort();
        }
        if (seq % 7 == 0 && expected.first_seq == 0)
            expect_legs(rig, &by_seq[seq]->event, &expected, &legs);
    }
    oracle_check(&oracle, rig->engine);
    rig_reopen(rig);
    oracle_check(&oracle, rig->engine);
    rig_close(rig);
    oracle_check_directory(&oracle, rig->data);
    oracle_deinit(&oracle);
    free(by_seq);
}

static void run(uint64_t seed, unsigned thread_count, uint32_t commit_events_max, uint32_t checkpoint_events_max)
{
    struct rig rig;
    struct submitter *submitters = calloc(thread_count, sizeof *submitters);
    pthread_t threads[THREADS_MAX], asker;
    CHECK(submitters != NULL);
    rig_make(&rig);
    rig.options.commit_events_max = commit_events_max;
    rig.options.checkpoint_events_max = checkpoint_events_max;
    rig.options.checkpoint_interval_ms = 1;
    CHECK(rig_try_open(&rig) == SETTLE_OK && oracle_declare(rig.engine, NULL) == SETTLE_OK);
    is_over = false;
    CHECK(pthread_create(&asker, NULL, ask_main, &rig) == 0);
    for (unsigned i = 0; i < thread_count; i++) {
        submitters[i].rig = &rig;
        submitters[i].seed = seed + i;
        CHECK(pthread_create(&threads[i], NULL, submit_main, &submitters[i]) == 0);
    }
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    is_over = true;
    pthread_join(asker, NULL);
    compare(&rig, submitters, thread_count);
    free(submitters);
    rig_remove(&rig);
}

int main(void)
{
    uint64_t seed = stream_seed(5);
    builder_use_memory();
    for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
        fprintf(stderr, "seed %d, %u threads\n", (int)seed, threads);
        run(seed++, threads, 8192, 262144);
        run(seed++, threads, 5, 1);
        run(seed++, threads, 64, 20);
    }
    return 0;
}
