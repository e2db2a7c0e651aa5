/*
 * crash_run.c — the run of crash_run.h, and what must be true of what is left of it.
 *
 * Invariant: events, results and balances are functions of the seed; only the order of the calls hangs on the threads.
 */
#include "tests/lib/crash_run.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "query/query.h"
#include "tests/lib/oracle.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

enum {
    EVENTS_MIN = 50,
    EVENTS_RANGE = 50,
    EVENTS_MORE = 3, /* that a recovered engine takes */
    BATCH_MAX = 6,
    IDS_AROUND = 4,
};
#define MARK_SUBMITTED (UINT64_C(1) << 62)
#define MARK_ASSETS (UINT64_C(1) << 61)
#define FIRST_US UINT64_C(1733961500000000) /* shortly before a UTC midnight */
#define SOURCE ((settle_text){"events.ndjson", 13})

static _Atomic uint64_t now_us;
static struct crash_fault fault; /* that is to come; under the recording's lock, as the next */
static bool is_dead;             /* until the next engine opens */
static atomic_bool has_struck;
static char told[8192];
static pthread_mutex_t told_mutex = PTHREAD_MUTEX_INITIALIZER;

const char *crash_told(void)
{
    return told;
}

static void tell(void *context, settle_log_level level, const char *message)
{
    static const char names[] = "diwe";
    (void)context;
    pthread_mutex_lock(&told_mutex);
    size_t used = strlen(told);
    if (used + strlen(message) + 8 > sizeof told)
        used = 0;
    snprintf(told + used, sizeof told - used, "  %c: %s\n", names[level], message);
    pthread_mutex_unlock(&told_mutex);
}

static uint64_t clock_us(void *context)
{
    (void)context;
    return atomic_fetch_add(&now_us, 41) + 41;
}

static void must(settle_status status, const settle_error *error, const char *what)
{
    if (status == SETTLE_OK)
        return;
    fprintf(stderr, "%s: %s: %s (file '%s', offset %" PRIu64 ", seq %" PRIu64 ")\n%s", what, settle_status_name(status),
            error->text, error->file, error->offset_bytes, error->seq, told);
    abort();
}

static void differ(const char *what, uint64_t a, uint64_t b)
{
    fprintf(stderr, "%s: %" PRIu64 ", %" PRIu64 "\n%s", what, a, b, told);
    abort();
}

/* ---- What is submitted, and what comes of it ---- */

static void keep_event(struct crash_event *event, struct oracle *oracle)
{
    struct stream_event made;
    oracle_next(oracle, &made, &event->result);
    stream_event_copy(&event->made, &made);
    event->made.event.end = (settle_source_position){1, 100 * event->result.seq,
                                                     event->result.seq}; /* the number is set when it is known */
    model_event_id(&event->made.event, event->id);
    event->first_seq = model_find_id(&oracle->model, event->id);
    event->balance_count = oracle->model.balance_count;
    event->balances = malloc((event->balance_count + 1) * sizeof *event->balances);
    CHECK(event->balances != NULL && event->first_seq > 0);
    if (event->balance_count > 0)
        memcpy(event->balances, oracle->model.balances, event->balance_count * sizeof *event->balances);
}

static uint64_t one_of(struct stream *random, const uint64_t *choices, size_t count)
{
    return choices[stream_random(random, count)];
}
#define ONE_OF(random, ...)                                                                                            \
    one_of(random, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

void crash_run_init(struct crash_run *run, uint64_t seed)
{
    struct stream random;
    struct oracle oracle;
    *run = (struct crash_run){.seed = seed};
    stream_init(&random, seed ^ 0x5eed);
    settle_options_init(&run->options);
    run->options.segment_bytes = 16384;
    run->options.commit_events_max = (uint32_t)ONE_OF(&random, 1, 4, 16, 64);
    run->options.commit_interval_us_max = (uint32_t)ONE_OF(&random, 50, 200, 1000);
    run->options.checkpoint_events_max = (uint32_t)ONE_OF(&random, 1, 5, 20, 100);
    run->options.checkpoint_interval_ms = (uint32_t)ONE_OF(&random, 1, 5, 1000);
    run->options.clock_us = clock_us;
    run->options.log = tell;
    settle_lines_options_init(&run->lines);
    run->lines.rotate_bytes = ONE_OF(&random, 6000, 12000, 40000);
    run->lines.compress = (uint32_t)ONE_OF(&random, 0, 0, 1);
    run->lines.free_bytes_min = 0;
    run->submitted = EVENTS_MIN + (size_t)stream_random(&random, EVENTS_RANGE);
    if (seed % 4 != 0) { /* killed; a sync of the journal fails; any call fails */
        run->fault.of = seed % 4 == 2 ? FAULT_AT_SEGMENT_SYNC : FAULT_AT_ANY;
        run->fault.answer = seed % 4 == 2 ? EIO : (int)ONE_OF(&random, EIO, ENOSPC, (uint64_t)DISK_FAULT_SHORT);
        if (seed % 4 == 1) {
            run->fault.of = ONE_OF(&random, FAULT_AT_ANY, FAULT_AT_SEGMENT_SYNC, FAULT_AT_NAMES_SYNC);
            run->fault.answer = DISK_FAULT_DEAD;
        }
        run->fault.at = 1 + stream_random(&random, (const uint64_t[]){300, 20, 8}[run->fault.of]);
    }
    run->count = run->submitted + 2 * EVENTS_MORE + 2;
    run->events = calloc(run->count, sizeof *run->events);
    CHECK(run->events != NULL);
    oracle_init(&oracle, seed);
    for (size_t i = 0; i < run->count; i++)
        keep_event(&run->events[i], &oracle);
    oracle_deinit(&oracle);
}

void crash_run_deinit(struct crash_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        free(run->events[i].balances);
    free(run->events);
    disk_log_free(run->log);
    *run = (struct crash_run){.seed = 0};
}

/* ---- The run ---- */

struct scene {
    const struct crash_run *run;
    char data[TEMPDIR_PATH_BYTES], logs[TEMPDIR_PATH_BYTES];
    settle *engine;
    settle_error error;
    uint64_t seq; /* submitted, or found */
    uint32_t source;
};

static void scene_init(struct scene *scene, const struct crash_run *run, const char *base)
{
    *scene = (struct scene){.run = run};
    tempdir_join(scene->data, base, "data");
    tempdir_join(scene->logs, base, "logs");
}

static void scene_open(struct scene *scene)
{
    must(settle_open(scene->data, &scene->run->options, &scene->engine, &scene->error), &scene->error, "opening");
}

/* How far the journal goes, as its source's position tells. */
static settle_status scene_find(struct scene *scene)
{
    settle_source_position position;
    settle_status status = settle_source_open(scene->engine, SOURCE, &position, &scene->error);
    if (status != SETTLE_OK)
        return status;
    if (position.offset_bytes != 100 * position.line)
        differ("the source's position and line", position.offset_bytes, position.line);
    scene->seq = position.line;
    scene->source = position.source;
    return SETTLE_OK;
}

static settle_status scene_lines(struct scene *scene)
{
    settle_lines_options lines = scene->run->lines;
    lines.directory = scene->logs;
    return settle_lines_start(scene->engine, &lines, &scene->error);
}

static settle_status scene_declare(struct scene *scene)
{
    settle_status status = oracle_declare(scene->engine, &scene->error);
    if (status == SETTLE_OK)
        disk_log_mark(MARK_ASSETS);
    return status;
}

static void scene_close(struct scene *scene)
{
    must(settle_close(scene->engine, &scene->error), &scene->error, "closing");
    scene->engine = NULL;
}

static void expect_result(const struct crash_run *run, const settle_result *result, uint64_t seq)
{
    char text[MODEL_TEXT_BYTES];
    if (model_result_equal(&run->events[seq - 1].result, result, text))
        return;
    fprintf(stderr, "event %" PRIu64 ": %s\n%s", seq, text, told);
    abort();
}

/* One call of the run fails, or it and all behind it until the next engine opens. */
static int strike(void *context, enum disk_op op, const char *name)
{
    size_t count = strlen(name);
    (void)context;
    if (is_dead)
        return DISK_FAULT_DEAD;
    if (fault.of == FAULT_AT_NAMES_SYNC && op != DISK_SYNC_NAMES)
        return 0;
    if (fault.of == FAULT_AT_SEGMENT_SYNC && (op != DISK_SYNC || count < 4 || strcmp(name + count - 4, ".seg") != 0))
        return 0;
    if (fault.at == 0 || --fault.at > 0)
        return 0;
    has_struck = true;
    is_dead = fault.answer == DISK_FAULT_DEAD;
    return fault.answer;
}

/* False: the call met the one that failed. */
static bool is_done(settle_status status, const settle_error *error, const char *what)
{
    if (status == SETTLE_OK)
        return true;
    if (!has_struck)
        must(status, error, what);
    return false;
}

struct batch {
    const struct crash_run *run;
    uint64_t first_seq;
    settle_result results[BATCH_MAX];
    settle_event events[BATCH_MAX];
};

static void batch_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct batch *batch = context;
    CHECK(status == SETTLE_OK || has_struck);
    count = status == SETTLE_OK ? count : 0;
    for (size_t i = 0; i < count; i++)
        expect_result(batch->run, &results[i], batch->first_seq + i);
    if (count > 0)
        disk_log_mark(batch->first_seq + count - 1);
    free(batch);
}

static struct batch *batch_make(struct scene *scene, size_t count)
{
    struct batch *batch = calloc(1, sizeof *batch);
    CHECK(batch != NULL && count <= BATCH_MAX && scene->seq + count <= scene->run->count);
    batch->run = scene->run;
    batch->first_seq = scene->seq + 1;
    for (size_t i = 0; i < count; i++) {
        batch->events[i] = scene->run->events[scene->seq + i].made.event;
        batch->events[i].end.source = scene->source;
    }
    scene->seq += count;
    disk_log_mark(MARK_SUBMITTED | scene->seq);
    return batch;
}

/* False: it met the call that failed. */
static bool submit(struct scene *scene, size_t count, bool is_async)
{
    struct batch *batch = batch_make(scene, count);
    settle_status status = is_async ? settle_submit_async(scene->engine, batch->events, count, batch->results,
                                                          batch_done, batch, &scene->error)
                                    : settle_submit(scene->engine, batch->events, count, batch->results, &scene->error);
    if (!is_async || status != SETTLE_OK)
        batch_done(batch, status, batch->results, count);
    return is_done(status, &scene->error, "submitting");
}

static bool submit_until(struct scene *scene, struct stream *random, uint64_t seq)
{
    while (scene->seq < seq) {
        size_t count = 1 + (size_t)stream_random(random, BATCH_MAX);
        count = scene->seq + count > seq ? (size_t)(seq - scene->seq) : count;
        if (!submit(scene, count, stream_random(random, 3) != 0))
            return false;
        if (stream_random(random, 8) == 0 &&
            !is_done(settle_flush(scene->engine, &scene->error), &scene->error, "flushing"))
            return false;
    }
    return true;
}

/* Moves segments away, or all of them back. */
static void archive(struct scene *scene, bool moves_back)
{
    struct archive_result result = {.count = 0};
    if (moves_back) {
        (void)is_done(query_restore(scene->data, &result, &scene->error), &scene->error, "restoring");
        archive_result_free(&result);
        return;
    }
    settle_status status = query_archive(
        scene->data, &(struct archive_options){.before_seq = scene->seq, .level = 1, .log_directory = scene->logs},
        &result, &scene->error);
    (void)is_done(status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status, &scene->error, "archiving");
    archive_result_free(&result);
}

/* An engine from opening to closing. False: the call that failed ended it before it came to event `until`. */
static bool live(struct scene *scene, struct stream *random, uint64_t until)
{
    is_dead = false; /* nobody else is there */
    if (!is_done(settle_open(scene->data, &scene->run->options, &scene->engine, &scene->error), &scene->error,
                 "opening"))
        return false;
    uint64_t seq = scene->seq;
    bool goes_on = is_done(scene_declare(scene), &scene->error, "declaring") &&
                   is_done(scene_find(scene), &scene->error, "the source");
    if (goes_on) {
        CHECK(scene->seq == seq || has_struck);
        disk_log_mark(scene->seq);
        goes_on = is_done(scene_lines(scene), &scene->error, "starting the lines");
    }
    goes_on = goes_on && submit_until(scene, random, until);
    if (!is_done(settle_close(scene->engine, &scene->error), &scene->error, "closing"))
        goes_on = false;
    return goes_on;
}

void crash_run_record(struct crash_run *run, const char *base)
{
    struct stream random;
    struct scene scene;
    stream_init(&random, run->seed ^ 0xca11);
    scene_init(&scene, run, base);
    now_us = FIRST_US;
    CHECK(run->log == NULL && mkdir(base, 0700) == 0);
    has_struck = false;
    is_dead = false;
    fault = run->fault;
    disk_log_faults(strike, NULL);
    disk_log_start(base);
    for (uint64_t life = 1, lives = 3; life <= lives; life++) {
        if (!live(&scene, &random, run->submitted * life / lives)) {
            CHECK(has_struck && lives < 6); /* it has failed once; nothing stops what comes after it */
            lives++;
            life--;
        } else if (stream_random(&random, 2) == 0) {
            archive(&scene, life > 1 && stream_random(&random, 3) == 0);
        }
        now_us += UINT64_C(200000000); /* the second life or the third begins another day */
    }
    run->log = disk_log_stop();
    run->has_struck = has_struck;
    disk_log_faults(NULL, NULL);
    has_struck = false;
}

/* ---- What was promised ---- */

bool crash_mark_acknowledges(uint64_t mark)
{
    return (mark & (MARK_SUBMITTED | MARK_ASSETS)) == 0;
}

void crash_promise(const struct disk_log *log, size_t from, size_t end, struct crash_promise *promise)
{
    for (size_t i = from; i < end; i++) {
        uint64_t value = log->calls[i].offset;
        if (log->calls[i].op != DISK_MARK)
            continue;
        if ((value & MARK_ASSETS) != 0)
            promise->assets = true;
        else if ((value & MARK_SUBMITTED) != 0)
            promise->submitted = value & ~MARK_SUBMITTED;
        else
            promise->acknowledged = value > promise->acknowledged ? value : promise->acknowledged;
    }
}

/* ---- Examinations ---- */

static void expect_assets(struct scene *scene)
{
    settle_asset asset;
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        must(settle_asset_by_id(scene->engine, stream_assets[i].id, &asset), &scene->error,
             "an asset that was declared");
}

/* Every balance is the one behind event seq, and those that no event up to there has changed do not exist. */
static void expect_balances(struct scene *scene)
{
    const struct crash_event *last = &scene->run->events[scene->run->count - 1];
    const struct crash_event *now = scene->seq == 0 ? NULL : &scene->run->events[scene->seq - 1];
    for (size_t i = 0, found = 0; i < last->balance_count; i++) {
        const settle_balance *any = &last->balances[i], *expected = NULL;
        if (now != NULL && found < now->balance_count && now->balances[found].user == any->user &&
            now->balances[found].asset == any->asset)
            expected = &now->balances[found++];
        settle_balance balance;
        settle_status status = settle_balance_get(scene->engine, any->user, any->asset, &balance, &scene->error);
        if (expected == NULL
                ? status == SETTLE_E_NOT_FOUND
                : status == SETTLE_OK && balance.available == expected->available && balance.held == expected->held &&
                      balance.version == expected->version && balance.seq == expected->seq)
            continue;
        fprintf(stderr, "balance of user %" PRIu64 ", asset %" PRIu32 " behind event %" PRIu64 ": status %d\n%s",
                any->user, any->asset, scene->seq, status, told);
        abort();
    }
}

/* An id that event `index + 1` takes or meets again: known from its first arrival on, with all arrivals up to now. */
static void expect_id(struct scene *scene, size_t index)
{
    const struct crash_event *event = &scene->run->events[index], *first = &scene->run->events[event->first_seq - 1];
    settle_lifecycle *life = NULL;
    settle_status status =
        settle_lifecycle_get(scene->engine, (settle_text){event->id, strlen(event->id)}, &life, &scene->error);
    if (event->first_seq > scene->seq) {
        if (status != SETTLE_E_NOT_FOUND)
            differ("an id is known that was never taken: event, events there", index + 1, scene->seq);
        return;
    }
    must(status, &scene->error, "an id");
    size_t repeats = 0;
    for (uint64_t seq = event->first_seq + 1; seq <= scene->seq; seq++)
        repeats += scene->run->events[seq - 1].first_seq == event->first_seq;
    expect_result(scene->run, &life->first.result, first->result.seq);
    if (life->repeat_count != repeats)
        differ("arrivals of an id", life->repeat_count, repeats);
    settle_lifecycle_free(life);
}

static void expect_ids(struct scene *scene, bool is_all)
{
    size_t from = 0, to = scene->run->count;
    if (!is_all) {
        from = scene->seq > IDS_AROUND ? (size_t)scene->seq - IDS_AROUND : 0;
        to = scene->seq + IDS_AROUND < to ? (size_t)scene->seq + IDS_AROUND : to;
    }
    for (size_t i = from; i < to; i++)
        expect_id(scene, i);
}

/* The log files one behind the other are what the journal renders in one go. */
static void expect_lines(struct scene *scene)
{
    struct logs_result result = {.ok = false};
    settle_lines_options lines = scene->run->lines;
    lines.directory = scene->logs;
    must(query_logs_verify(scene->data, &lines, &result, &scene->error), &scene->error, "comparing the lines");
    if (!result.ok || result.counts.lines_before != 0 || result.counts.lines_after != 0) {
        fprintf(stderr, "%s, line %" PRIu64 ": %s; missing before %" PRIu64 ", behind %" PRIu64 "\n%s", result.file,
                result.line, result.difference, result.counts.lines_before, result.counts.lines_after, told);
        abort();
    }
}

static void expect_verified(struct scene *scene)
{
    struct verify_result result;
    struct oracle oracle;
    must(query_verify(scene->data, NULL, &result, &scene->error), &scene->error, "verifying");
    if (!result.ok)
        must(SETTLE_E_CORRUPT, &result.fault, "verify finds a fault");
    oracle_init(&oracle, scene->run->seed);
    if (oracle_follow(&oracle, scene->data) != scene->seq)
        differ("events in the journal", oracle.model.seq, scene->seq);
    oracle_check_directory(&oracle, scene->data);
    oracle_deinit(&oracle);
}

/* Queries on what the crash left: nothing that was acknowledged is missing, what they tell is the model's, no false alarm. */
static void expect_readable(struct scene *scene, const struct crash_promise *promise)
{
    struct oracle oracle;
    struct verify_result result;
    if (promise->acknowledged == 0)
        return;
    oracle_init(&oracle, scene->run->seed);
    uint64_t seq = oracle_follow(&oracle, scene->data);
    if (seq < promise->acknowledged)
        differ("readers see fewer events than were acknowledged", seq, promise->acknowledged);
    oracle_check_directory(&oracle, scene->data);
    oracle_deinit(&oracle);
    must(query_verify(scene->data, NULL, &result, &scene->error), &scene->error, "verifying what the crash left");
    if (!result.ok && !result.is_empty)
        must(SETTLE_E_CORRUPT, &result.fault, "verify finds a fault in what the crash left");
}

static void expect_promise(struct scene *scene, const struct crash_promise *promise)
{
    scene_open(scene);
    must(scene_find(scene), &scene->error, "the source");
    if (scene->seq < promise->acknowledged)
        differ("events are lost: there, acknowledged", scene->seq, promise->acknowledged);
    if (scene->seq > promise->submitted)
        differ("events that were never submitted: there, submitted", scene->seq, promise->submitted);
    disk_log_mark(scene->seq);
    if (promise->assets)
        expect_assets(scene);
    must(scene_declare(scene), &scene->error, "declaring");
}

void crash_examine(const struct crash_run *run, const char *base, const struct crash_promise *promise,
                   unsigned examinations)
{
    struct scene scene;
    told[0] = '\0';
    now_us = FIRST_US + UINT64_C(700000000);
    scene_init(&scene, run, base);
    if ((examinations & EXAMINE_READERS) != 0)
        expect_readable(&scene, promise);
    expect_promise(&scene, promise);
    expect_balances(&scene);
    expect_ids(&scene, (examinations & EXAMINE_IDS) != 0);
    if ((examinations & EXAMINE_LINES) != 0)
        must(scene_lines(&scene), &scene.error, "starting the lines");
    submit(&scene, EVENTS_MORE, false);
    expect_balances(&scene);
    scene_close(&scene);
    if ((examinations & EXAMINE_LINES) != 0)
        expect_lines(&scene);
    if ((examinations & EXAMINE_VERIFY) != 0)
        expect_verified(&scene);
}

void crash_recover(const struct crash_run *run, const char *base, const struct crash_promise *promise)
{
    struct scene scene;
    told[0] = '\0';
    now_us = FIRST_US + UINT64_C(600000000);
    scene_init(&scene, run, base);
    disk_log_mark(MARK_SUBMITTED | promise->submitted);
    expect_promise(&scene, promise);
    must(scene_lines(&scene), &scene.error, "starting the lines");
    submit(&scene, 1, false);
    scene_close(&scene);
}
