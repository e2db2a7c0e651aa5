/*
 * The Nth allocation fails, through settle_options.reallocate, for every N of a day in an engine's life: each call says
 * so, nothing is half done, nothing leaks, and the call made again works.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

TestSuite(engine_memory, .fini = leaks_check, .timeout = 240);

#define BATCHES 4
#define BATCH_EVENTS 30

struct day {
    struct rig rig; /* first: the context of log and clock is the rig */
    struct oracle oracle;
    _Atomic uint64_t calls, fail_at; /* fail_at 0: never */
    bool fails_for_ever, has_history;
    _Atomic int64_t blocks;
    _Atomic unsigned completions;
    uint64_t acknowledged;
    size_t repeats; /* met by look_up() */
    unsigned refused; /* SETTLE_E_NO_MEMORY, and then it worked */
    char ids[BATCH_EVENTS][SETTLE_EVENT_ID_BYTES_MAX + 1]; /* of the last batch: some arrived more than once */
};

static void *reallocate(void *context, void *memory, size_t bytes)
{
    struct day *day = context;
    if (bytes == 0) {
        if (memory != NULL)
            day->blocks--;
        free(memory);
        return NULL;
    }
    uint64_t number = ++day->calls, fail_at = day->fail_at;
    if (fail_at != 0 && (number == fail_at || (day->fails_for_ever && number > fail_at)))
        return NULL;
    void *result = realloc(memory, bytes);
    if (memory == NULL && result != NULL)
        day->blocks++;
    return result;
}

/* Calls again after SETTLE_E_NO_MEMORY while that helps. */
#define AGAIN(day, status, call)                                                                                       \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != SETTLE_E_NO_MEMORY || (day)->fails_for_ever)                                                   \
            break;                                                                                                     \
        cr_assert((day)->rig.error.status == SETTLE_E_NO_MEMORY && (day)->rig.error.text[0] != '\0', #call);           \
        (day)->refused++;                                                                                              \
    } while (true)

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct day *day = context;
    (void)results;
    cr_assert(count == 1 && (status == SETTLE_OK || status == SETTLE_E_LATCHED));
    day->completions++;
}

static settle_status submit_batch(struct day *day)
{
    struct stream_event made[BATCH_EVENTS];
    settle_event events[BATCH_EVENTS];
    settle_result expected[BATCH_EVENTS], results[BATCH_EVENTS];
    char text[MODEL_TEXT_BYTES];
    settle_status status;
    for (size_t i = 0; i < BATCH_EVENTS; i++) {
        oracle_next(&day->oracle, &made[i], &expected[i]);
        events[i] = made[i].event;
        settle_event_id_format(&events[i], day->ids[i]);
    }
    AGAIN(day, status, settle_submit(day->rig.engine, events, BATCH_EVENTS, results, &day->rig.error));
    for (size_t i = 0; i < BATCH_EVENTS && status == SETTLE_OK; i++)
        cr_assert(model_result_equal(&expected[i], &results[i], text), "%s", text);
    if (status == SETTLE_OK)
        day->acknowledged = expected[BATCH_EVENTS - 1].seq;
    return status;
}

static settle_status submit_async(struct day *day, settle_result *ret_result)
{
    struct stream_event made;
    settle_result expected;
    settle_status status;
    unsigned before = day->completions;
    oracle_next(&day->oracle, &made, &expected);
    AGAIN(day, status, settle_submit_async(day->rig.engine, &made.event, 1, ret_result, on_done, day, &day->rig.error));
    if (status != SETTLE_OK) {
        cr_assert(day->completions == before);
        return status;
    }
    AGAIN(day, status, settle_flush(day->rig.engine, &day->rig.error));
    if (status == SETTLE_OK)
        day->acknowledged = expected.seq;
    return status;
}

static settle_status ask(struct day *day)
{
    settle_source_position position;
    settle_lifecycle *life = NULL;
    settle *engine = day->rig.engine;
    settle_error *error = &day->rig.error;
    settle_status status;
    AGAIN(day, status, settle_source_open(engine, (settle_text){"source", 6}, &position, error));
    if (status == SETTLE_OK)
        AGAIN(day, status, settle_source_advance(engine, (settle_source_position){position.source, 9, 9}, error));
    if (status == SETTLE_OK)
        AGAIN(day, status, settle_lifecycle_get(engine, (settle_text){"nothing", 7}, &life, error));
    return status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status;
}

/* The lives of events, up to one that came again: each opens the journal, which is many allocations. */
static settle_status look_up(struct day *day)
{
    settle_status status = SETTLE_OK;
    for (size_t i = BATCH_EVENTS; i-- > 0 && status == SETTLE_OK && day->repeats == 0;) {
        settle_lifecycle *life = NULL;
        settle_text id = {day->ids[i], strlen(day->ids[i])};
        AGAIN(day, status, settle_lifecycle_get(day->rig.engine, id, &life, &day->rig.error));
        day->repeats += life != NULL ? life->repeat_count : 0;
        settle_lifecycle_free(life);
    }
    return status;
}

/* Their thread may end for want of memory: that is told, and the lines are for the next start. */
static settle_status start_lines(struct day *day)
{
    char logs[TEMPDIR_PATH_BYTES];
    settle_lines_options lines;
    settle_status status;
    tempdir_join(logs, day->rig.base, "logs");
    settle_lines_options_init(&lines);
    lines.directory = logs;
    lines.free_bytes_min = 0;
    lines.rotate_bytes = 4096;
    lines.keep_bytes = 1 << 20;
    AGAIN(day, status, settle_lines_start(day->rig.engine, &lines, &day->rig.error));
    return status;
}

static settle_status declare(struct day *day)
{
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < STREAM_ASSET_COUNT && status == SETTLE_OK; i++)
        AGAIN(day, status, settle_asset_declare(day->rig.engine, &stream_assets[i], &day->rig.error));
    return status;
}

static void live_through(struct day *day)
{
    settle_result async_result;
    settle_status status;
    AGAIN(day, status, rig_try_open(&day->rig));
    if (status != SETTLE_OK) {
        cr_assert(status == SETTLE_E_NO_MEMORY, "%d: %s", (int)status, day->rig.error.text);
        return;
    }
    status = declare(day);
    if (status == SETTLE_OK && !day->has_history) /* once is enough: it makes many allocations */
        status = start_lines(day);
    for (int i = 0; i < BATCHES && status == SETTLE_OK; i++)
        status = submit_batch(day);
    if (status == SETTLE_OK)
        status = submit_async(day, &async_result);
    if (status == SETTLE_OK)
        status = look_up(day);
    if (status == SETTLE_OK)
        status = ask(day);
    cr_assert(status == SETTLE_OK || status == SETTLE_E_LATCHED ||
                  (day->fails_for_ever && status == SETTLE_E_NO_MEMORY),
              "status %d: %s", (int)status, day->rig.error.text);
    settle *engine = day->rig.engine;
    day->rig.engine = NULL;
    status = settle_close(engine, &day->rig.error);
    cr_assert(status == SETTLE_OK || status == SETTLE_E_LATCHED);
}

/* What is on disk is whole, and what was acknowledged is there. */
static void expect_whole(struct day *day, uint64_t acknowledged_before)
{
    day->fail_at = 0;
    cr_assert(day->blocks == 0, "%d blocks leak", (int)day->blocks);
    cr_assert(rig_try_open(&day->rig) == SETTLE_OK, "%s", day->rig.error.text);
    rig_close(&day->rig);
    uint64_t least = day->acknowledged > acknowledged_before ? day->acknowledged : acknowledged_before;
    oracle_rewind(&day->oracle, least);
    oracle_follow(&day->oracle, day->rig.data);
    oracle_check_directory(&day->oracle, day->rig.data);
    cr_assert(day->blocks == 0);
}

/* False: there are not so many allocations. *history: the directory that it begins with, or NULL. */
static bool day_that_fails(const char *history, uint64_t seed, uint64_t history_seq, uint64_t index, bool for_ever,
                           unsigned *refused)
{
    struct day day;
    memset(&day, 0, sizeof day);
    rig_make(&day.rig);
    day.rig.options.reallocate = reallocate;
    day.rig.options.checkpoint_events_max = 16;
    oracle_init(&day.oracle, seed);
    oracle_rewind(&day.oracle, history_seq);
    if (history != NULL)
        tree_copy(history, day.rig.data);
    day.fails_for_ever = for_ever;
    day.has_history = history != NULL;
    day.fail_at = index;
    live_through(&day);
    bool met = day.calls >= index;
    *refused += day.refused;
    cr_assert(met || day.repeats > 0); /* the last day, on which nothing failed */
    expect_whole(&day, history_seq);
    oracle_deinit(&day.oracle);
    rig_remove(&day.rig);
    return met;
}

static void fail_everywhere(const char *history, uint64_t seed, uint64_t history_seq, bool for_ever)
{
    uint64_t index = 1;
    unsigned refused = 0;
    while (day_that_fails(history, seed, history_seq, index, for_ever, &refused))
        index++;
    fprintf(stderr, "%d allocations; %u calls were made again\n", (int)index - 1, refused);
    cr_assert(index > 30 && (for_ever || refused > 10));
}

Test(engine_memory, an_allocation_that_fails_once)
{
    builder_use_memory();
    fail_everywhere(NULL, stream_seed(99), 0, false);
}

Test(engine_memory, no_more_memory)
{
    builder_use_memory();
    fail_everywhere(NULL, stream_seed(99), 0, true);
}

Test(engine_memory, an_allocation_that_fails_once_in_recovery)
{
    struct rig rig;
    struct oracle oracle;
    char left[TEMPDIR_PATH_BYTES];
    builder_use_memory();
    rig_make(&rig);
    rig.options.checkpoint_interval_ms = 3600000;
    oracle_init(&oracle, stream_seed(99));
    cr_assert(rig_try_open(&rig) == SETTLE_OK && oracle_declare(rig.engine, NULL) == SETTLE_OK);
    for (int i = 0; i < 60; i++) {
        struct stream_event event;
        settle_result expected;
        oracle_next(&oracle, &event, &expected);
        rig_submit(&rig, event.event);
    }
    tempdir_join(left, rig.base, "left");
    tree_copy(rig.data, left); /* as a crash leaves it: the store knows nothing of it */
    fail_everywhere(left, oracle.seed, oracle.model.seq, false);
    oracle_deinit(&oracle);
    rig_remove(&rig);
}
