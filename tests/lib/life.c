/* life.c — a life of an engine, and what must hold behind it. */
#include "tests/lib/life.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "query/query.h"
#include "tests/lib/plain.h"

#define TEXT(text) ((settle_text){(text), strlen(text)})

/* ---- The script ---- */

void script_make(struct script *script, uint64_t seed, size_t count)
{
    struct oracle oracle;
    CHECK(count > 0 && count % LIFE_BATCH == 0);
    *script =
        (struct script){seed, count, calloc(count, sizeof *script->events), calloc(count, sizeof *script->expected)};
    CHECK(script->events != NULL && script->expected != NULL);
    oracle_init(&oracle, seed);
    for (size_t i = 0; i < count; i++) {
        struct stream_event made;
        oracle_next(&oracle, &made, &script->expected[i]);
        stream_event_copy(&script->events[i], &made);
        CHECK(script->expected[i].seq == i + 1);
    }
    oracle_deinit(&oracle);
}

void script_free(struct script *script)
{
    free(script->events);
    free(script->expected);
}

/* ---- A life ---- */

void life_make(struct life *life, const struct script *script)
{
    memset(life, 0, sizeof *life);
    rig_make(&life->rig);
    life->rig.options.checkpoint_events_max = 64;
    life->rig.options.checkpoint_interval_ms = 3600000; /* nothing hangs on how long something takes */
    life->rig.options.commit_interval_us_max = 60000000;
    tempdir_join(life->logs, life->rig.base, "logs");
    life->script = script;
    life->has_lines = true;
    life->faults_left = 1;
}

void life_end(struct life *life)
{
    rig_remove(&life->rig);
}

static void die(const struct life *life, const char *what, const settle_error *error)
{
    fprintf(stderr, "%s: %s: %s (file '%s', offset %" PRIu64 ", seq %" PRIu64 ")\n%s", what,
            settle_status_name(error->status), error->text, error->file, error->offset_bytes, error->seq,
            life->rig.log);
    abort();
}

/* A failed call says what and where. */
static void expect_told(struct life *life, settle_status status, const char *what)
{
    const settle_error *error = &life->rig.error;
    bool is_latch = status == SETTLE_E_LATCHED;
    if (life->fault.status == SETTLE_OK)
        life->fault = *error;
    if (error->status != status || error->text[0] == '\0')
        die(life, what, error);
    if (is_latch)
        life->is_latched = true;
    else if (status != SETTLE_E_IO && status != SETTLE_E_NO_SPACE && status != SETTLE_E_NO_MEMORY)
        die(life, what, error);
    if (status != SETTLE_E_NO_MEMORY && !is_latch && error->file[0] == '\0')
        die(life, "an error without its place", error);
}

/* Makes a call, and again where it failed and the engine goes on. True: it worked. False: the engine has stopped. */
#define WORKS(life, counter, call)                                                                                     \
    ((call) == SETTLE_OK ||                                                                                            \
     (goes_on((life), &(life)->counter, #call) &&                                                                      \
      ((call) == SETTLE_OK || (goes_on((life), &(life)->counter, #call) &&                                             \
                               ((call) == SETTLE_OK || goes_on((life), &(life)->counter, #call))))))

static bool goes_on(struct life *life, unsigned *counter, const char *what)
{
    expect_told(life, life->rig.error.status, what);
    if (life->is_latched)
        return false;
    if (life->faults_left == 0)
        die(life, what, &life->rig.error);
    life->faults_left--;
    (*counter)++;
    life->rig.error = (settle_error){.status = SETTLE_OK};
    return true;
}

static void take_completion(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct life *life = context;
    CHECK(count == 1 && (status == SETTLE_OK || status == SETTLE_E_LATCHED));
    if (status == SETTLE_OK) {
        CHECK(results->seq == life->acknowledged + 1);
        life->acknowledged = results->seq;
    } else {
        CHECK(results->seq == 0);
    }
}

static void make_batch(const struct life *life, size_t first, settle_event ret_events[LIFE_BATCH])
{
    for (size_t i = 0; i < LIFE_BATCH; i++) {
        size_t number = first + i;
        ret_events[i] = life->script->events[number].event;
        ret_events[i].end =
            (settle_source_position){life->sources[number % LIFE_SOURCES], 100 * (number + 1), number + 1};
    }
}

static void expect_results(const struct life *life, size_t first, const settle_result *results, size_t count)
{
    char text[MODEL_TEXT_BYTES];
    for (size_t i = 0; i < count; i++)
        if (!model_result_equal(&life->script->expected[first + i], &results[i], text)) {
            fprintf(stderr, "event %zu: %s\n", first + i + 1, text);
            abort();
        }
}

static bool submit_batch(struct life *life, size_t first)
{
    settle_event events[LIFE_BATCH];
    settle_result results[LIFE_BATCH];
    make_batch(life, first, events);
    life->submitted = first + LIFE_BATCH;
    if (!WORKS(life, failed_calls, settle_submit(life->rig.engine, events, LIFE_BATCH, results, &life->rig.error)))
        return false;
    expect_results(life, first, results, LIFE_BATCH);
    life->acknowledged = first + LIFE_BATCH;
    return true;
}

static bool submit_one_by_one(struct life *life, size_t first, settle_result results[LIFE_BATCH])
{
    settle_event events[LIFE_BATCH];
    make_batch(life, first, events);
    for (size_t i = 0; i < LIFE_BATCH; i++) {
        life->submitted = first + i + 1;
        if (!WORKS(life, failed_calls,
                   settle_submit_async(life->rig.engine, &events[i], 1, &results[i], take_completion, life,
                                       &life->rig.error)))
            return false;
    }
    return WORKS(life, failed_calls, settle_flush(life->rig.engine, &life->rig.error));
}

/* Of the event before `count`, and of its user. */
static bool ask(struct life *life, size_t count, bool has_lines)
{
    const settle_event *event = &life->script->events[count - 1].event;
    settle_lifecycle *story = NULL;
    settle_lines_state state;
    settle_balance balance;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle *engine = life->rig.engine;
    settle_error *error = &life->rig.error;
    settle_event_id_format(event, id);
    if (!WORKS(life, failed_calls, settle_lifecycle_get(engine, TEXT(id), &story, error)))
        return false;
    CHECK(strcmp(story->event_id, id) == 0 && story->first.result.seq <= count);
    settle_lifecycle_free(story);
    if (event->type != SETTLE_TRADE && life->script->expected[count - 1].outcome == SETTLE_ACCEPTED) {
        if (!WORKS(life, failed_calls,
                   settle_balance_get(engine, event->u.transfer.user, event->u.transfer.asset, &balance, error)))
            return false;
        CHECK(balance.seq >= count);
    }
    return !has_lines || WORKS(life, failed_calls, settle_lines_state_get(engine, &state, error));
}

static bool declare(struct life *life)
{
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        if (!WORKS(life, failed_calls, settle_asset_declare(life->rig.engine, &stream_assets[i], &life->rig.error)))
            return false;
    return true;
}

static bool start_lines(struct life *life)
{
    settle_lines_options lines;
    settle_lines_options_init(&lines);
    lines.directory = life->logs;
    lines.free_bytes_min = 0;
    lines.rotate_bytes = 1 << 19;
    lines.keep_bytes = 1 << 30;
    lines.compress = 1;
    return WORKS(life, failed_calls, settle_lines_start(life->rig.engine, &lines, &life->rig.error));
}

static settle_text source_name(const struct life *life, size_t index)
{
    static char filling[SETTLE_SOURCE_NAME_BYTES_MAX];
    memset(filling, 's', sizeof filling);
    return (settle_text){filling,
                         life->has_long_sources ? sizeof filling - index : 7 + index}; /* of different lengths */
}

static bool open_sources(struct life *life)
{
    for (size_t i = 0; i < LIFE_SOURCES; i++) {
        settle_source_position position = {0, 0, 0};
        if (!WORKS(life, failed_calls,
                   settle_source_open(life->rig.engine, source_name(life, i), &position, &life->rig.error)))
            return false;
        life->sources[i] = position.source;
    }
    return true;
}

/* The engine ends, and has always said so before. */
static void close_engine(struct life *life)
{
    settle *engine = life->rig.engine;
    life->rig.engine = NULL;
    settle_status status = settle_close(engine, &life->rig.error);
    if (status != SETTLE_OK)
        expect_told(life, status, "closing");
    CHECK(status == SETTLE_OK || status == SETTLE_E_LATCHED);
    CHECK(status == SETTLE_E_LATCHED || !life->is_latched);
    life->is_latched = status == SETTLE_E_LATCHED;
    CHECK(life->is_latched == rig_logged(&life->rig, "error: the engine has stopped"));
}

/* Every call now says so, and nothing else happens. */
static void expect_latched(struct life *life)
{
    settle_event event = rig_deposit(1, 2, 1, 1);
    settle_result result = {.seq = 77};
    settle_balance balance;
    for (int i = 0; i < 2; i++) {
        CHECK(settle_submit(life->rig.engine, &event, 1, &result, &life->rig.error) == SETTLE_E_LATCHED);
        CHECK(life->rig.error.text[0] != '\0' && result.seq == 0);
    }
    CHECK(settle_flush(life->rig.engine, NULL) == SETTLE_E_LATCHED);
    CHECK(settle_balance_get(life->rig.engine, 1, 2, &balance, NULL) == SETTLE_E_LATCHED);
}

static bool live_through(struct life *life)
{
    settle_result results[LIFE_BATCH]; /* of completions, which come before settle_close() returns */
    bool works = declare(life) && (!life->has_lines || start_lines(life)) && open_sources(life);
    for (size_t first = 0; works && first < life->script->count; first += LIFE_BATCH) {
        size_t batch = first / LIFE_BATCH;
        works = batch % 5 == 4 ? submit_one_by_one(life, first, results) : submit_batch(life, first);
        if (works && batch % 8 == 7)
            works = ask(life, first + LIFE_BATCH, life->has_lines);
    }
    if (!works)
        expect_latched(life);
    close_engine(life);
    return !life->is_latched;
}

void life_live(struct life *life)
{
    if (!WORKS(life, failed_opens, rig_try_open(&life->rig)))
        return;
    if (!live_through(life))
        return;
    CHECK(life->acknowledged == life->script->count);
    if (!WORKS(life, failed_opens, rig_try_open(&life->rig)))
        return;
    if (!ask(life, life->script->count / 2, false))
        expect_latched(life);
    close_engine(life);
}

/* ---- Behind it ---- */

static void must(const struct life *life, settle_status status, const char *what)
{
    if (status != SETTLE_OK)
        die(life, what, &life->rig.error);
}

/* The position of a source has come with the last event that names it. */
static void expect_sources(struct life *life, uint64_t count)
{
    for (size_t i = 0; i < LIFE_SOURCES; i++) {
        settle_source_position position;
        uint64_t last =
            count - (count + LIFE_SOURCES - i - 1) % LIFE_SOURCES; /* its number is i + 1 modulo the sources */
        if (count < i + 1)
            last = 0;
        must(life, settle_source_open(life->rig.engine, source_name(life, i), &position, &life->rig.error), "a source");
        CHECK(position.line == last && position.offset_bytes == 100 * last);
    }
}

/* What is left of the lines is caught up, and each of them is what the journal says. */
static void expect_lines(struct life *life)
{
    struct logs_result result;
    settle_lines_options lines;
    settle_lines_options_init(&lines);
    lines.directory = life->logs;
    CHECK(start_lines(life));
    must(life, settle_flush(life->rig.engine, &life->rig.error), "flushing");
    must(life, settle_lines_stop(life->rig.engine, &life->rig.error), "the lines");
    must(life, query_logs_verify(life->rig.data, &lines, &result, &life->rig.error), "verifying the lines");
    if (!result.ok || result.counts.lines_before > 0 || result.counts.lines_after > 0 || result.counts.torn_bytes > 0) {
        fprintf(stderr, "the lines: %s:%" PRIu64 ": %s (%" PRIu64 " before, %" PRIu64 " after)\n", result.file,
                result.line, result.difference, result.counts.lines_before, result.counts.lines_after);
        abort();
    }
}

void life_verify(const char *directory)
{
    struct verify_result result;
    settle_error error = {.status = SETTLE_OK};
    settle_status status = query_verify(directory, NULL, &result, &error);
    if (status == SETTLE_OK && result.fault.status == SETTLE_OK && result.store == STORE_EQUAL)
        return;
    fprintf(stderr, "verify: %d, %s; %s (file '%s'); the store is %s\n", (int)status, error.text, result.fault.text,
            result.fault.file, status == SETTLE_OK ? store_state_name(result.store) : "not seen");
    abort();
}

void life_check(struct life *life)
{
    struct oracle oracle;
    struct stream_event event;
    settle_result expected;
    struct rig *rig = &life->rig;
    rig->error = (settle_error){.status = SETTLE_OK};
    must(life, rig_try_open(rig), "opening it again");
    must(life, oracle_declare(rig->engine, &rig->error), "declaring");
    rig_close(rig);
    oracle_init(&oracle, life->script->seed);
    oracle_rewind(&oracle, life->acknowledged);
    uint64_t count = oracle_follow(&oracle, rig->data);
    CHECK(count >= life->acknowledged && count <= life->submitted);
    oracle_check_directory(&oracle, rig->data);
    life_verify(rig->data);
    must(life, rig_try_open(rig), "opening it once more");
    oracle_check(&oracle, rig->engine);
    expect_sources(life, count);
    oracle_next(&oracle, &event, &expected);
    CHECK(rig_submit(rig, event.event).seq == expected.seq);
    if (life->has_lines)
        expect_lines(life);
    oracle_check(&oracle, rig->engine);
    rig_close(rig);
    oracle_deinit(&oracle);
}
