/*
 * test_simulation.c — whole runs of the engine out of one number: threads, clock, disk and randomness are simulated
 * (sim.h), calls fail, everything stops, the power is cut, and the engine is opened again, several times. What
 * callers were told, what the journal holds and what the model says (sim_world.h) must agree.
 *
 *     test_simulation 10000          seeds 1 … 10000
 *     test_simulation 10000 5        … from 5 on
 *     test_simulation seed 17        one seed, with everything that happens
 */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/base/file.h"
#include "journal/reader.h"
#include "query/query.h"
#include "tests/lib/child.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/plain.h"
#include "tests/lib/sim.h"
#include "tests/lib/sim_disk.h"
#include "tests/lib/sim_plan.h"
#include "tests/lib/sim_world.h"
#include "tests/lib/tempdir.h"

enum { CHILD_SEEDS = 250, TWICE_EVERY = 50, LIVES_MAX = 3, SECONDS_MAX = 60 /* for a seed */ };

/* ---- What happened, over all seeds ---- */

static struct totals {
    uint64_t seed, seeds, lives, crashes, power_cuts, faults, latches, refused_opens, events, acknowledged, asked,
        twice;
} * totals;

static struct sim_run run;
static struct sim_life_plan life;
static settle *engine;
static uint64_t faults_before; /* this life */

static uint64_t plan(uint64_t below)
{
    return sim_random(SIM_PLAN, below);
}

static void log_message(void *context, settle_log_level level, const char *message)
{
    (void)context;
    sim_note("log %d: %s", (int)level, message);
    if (strstr(message, "THE DISK HAS LOST") != NULL)
        sim_fail("told of a loss: %s", message);
}

/* ---- Callers ---- */

static void answered(void)
{
    sim_progress();
    if (life.crash_answers > 0 && --life.crash_answers == 0)
        sim_crash();
}

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct world_submission *submission = context;
    if (submission->is_done || results != submission->results || count != submission->count)
        sim_fail("a completion of something else, or for the second time");
    submission->is_done = true;
    world_answer(submission, status);
    if (run.is_still && status == SETTLE_OK && sim_now_us() > submission->begun_us + run.options.commit_interval_us_max)
        sim_fail("a completion came %" PRIu64 " us late", sim_now_us() - submission->begun_us);
    answered();
}

/* Events that hurt each other: from the caller's own stream, or what anybody submitted before, lost or not. */
static void make_event(struct stream *stream, size_t end, struct stream_event *ret_event)
{
    if (end > 0 && stream_random(stream, 20) == 0)
        stream_event_copy(ret_event, &world.events[stream_random(stream, end)].made);
    else
        stream_next(stream, &world.model, ret_event);
}

static void submit(struct world_submission *submission)
{
    settle_event events[WORLD_BATCH_MAX];
    settle_error error = {.status = SETTLE_OK};
    for (size_t i = 0; i < submission->count; i++)
        events[i] = world_events(submission)[i].made.event;
    sim_note("caller %d submits %zu events from index %zu on%s", submission->caller, submission->count,
             submission->first, submission->is_async ? ", and goes on" : "");
    if (submission->is_async) {
        settle_status status =
            settle_submit_async(engine, events, submission->count, submission->results, on_done, submission, &error);
        if (status != SETTLE_OK)
            world_answer(submission, status);
        return;
    }
    settle_status status = settle_submit(engine, events, submission->count, submission->results, &error);
    world_answer(submission, status);
    if (run.is_still && status == SETTLE_OK && sim_now_us() != submission->begun_us)
        sim_fail("a caller that waits took %" PRIu64 " us where nothing takes time",
                 sim_now_us() - submission->begun_us);
    answered();
}

static void ask_balance(void)
{
    static const uint64_t users[] = {1, 2, 3, 1001, SETTLE_USER_EXTERNAL, SETTLE_USER_FEES};
    settle_balance balance;
    uint64_t user = users[sim_random(SIM_CHANCE, 6)];
    uint32_t asset = stream_assets[sim_random(SIM_CHANCE, STREAM_ASSET_COUNT)].id;
    if (settle_balance_get(engine, user, asset, &balance, NULL) == SETTLE_OK)
        world_saw_balance(&balance);
    answered();
}

static void submit_new(int caller, struct stream *stream)
{
    size_t count = 1 + (size_t)stream_random(stream, run.batch_max);
    struct world_submission *submission = world_submission(caller, count, stream_random(stream, 3) == 0);
    bool has_source = stream_random(stream, 2) == 0;
    for (size_t i = 0; i < count; i++) {
        struct stream_event made;
        make_event(stream, submission->first, &made);
        world_event_set(submission, i, &made, has_source);
    }
    submit(submission);
    if (submission->is_async && stream_random(stream, 3) == 0)
        ask_balance(); /* of something that is on its way */
}

static void advance(int caller)
{
    struct world_source *source = &world.sources[caller];
    settle_source_position position = {source->number, 10 * source->line_next, source->line_next};
    source->line_most = source->line_next++;
    if (settle_source_advance(engine, position, NULL) == SETTLE_OK && settle_flush(engine, NULL) == SETTLE_OK)
        source->line_least = position.line;
    answered();
}

static void flush(void)
{
    uint64_t begun_us = sim_now_us();
    settle_status status = settle_flush(engine, NULL);
    world.is_latched |= status == SETTLE_E_LATCHED;
    if (run.is_still && status == SETTLE_OK && sim_now_us() != begun_us)
        sim_fail("a flush took %" PRIu64 " us where nothing takes time", sim_now_us() - begun_us);
}

struct caller {
    int number;
    uint64_t seed;
};

static void *caller_main(void *argument)
{
    const struct caller *caller = argument;
    struct stream *stream = sim_reallocate(NULL, NULL, sizeof *stream);
    while (stream == NULL)
        stream = sim_reallocate(NULL, NULL, sizeof *stream);
    stream_init(stream, caller->seed);
    for (uint64_t i = 0; i < life.steps && !world.is_latched; i++) {
        uint64_t kind = stream_random(stream, 20);
        if (kind == 0)
            advance(caller->number);
        else if (kind == 1)
            flush();
        else if (kind == 2)
            sim_sleep_us(1 + stream_random(stream, 3000));
        else
            submit_new(caller->number, stream);
    }
    sim_reallocate(NULL, stream, 0);
    return NULL;
}

/* ---- Askers ---- */

static void ask_life(void)
{
    settle_lifecycle *found = NULL;
    if (world.event_count == 0)
        return;
    const char *id = world.events[sim_random(SIM_CHANCE, world.event_count)].id;
    if (id[0] == '\0' || settle_lifecycle_get(engine, (settle_text){id, strlen(id)}, &found, NULL) != SETTLE_OK)
        return;
    world_saw_result(&found->first.result);
    for (size_t i = 0; i < found->repeat_count; i++)
        world_saw_result(&found->repeats[i].result);
    settle_lifecycle_free(found);
    answered();
}

/* As another process does: behind the watermark. */
static void ask_journal(void)
{
    static const struct mem mem = {sim_reallocate, NULL};
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    int data_fd = -1;
    if (dir_open(run.data, false, &data_fd, NULL) != SETTLE_OK)
        return;
    settle_error error = {.status = SETTLE_OK};
    settle_status status = journal_reader_open(data_fd, &mem, &reader, &error);
    if (status == SETTLE_OK) {
        journal_reader_begin(reader, &point);
        while ((status = journal_reader_next(reader, &point, &frame, &error)) == SETTLE_OK)
            world_saw_seq(frame.first_seq + frame.event_count - 1);
        journal_reader_close(reader);
    }
    if (status == SETTLE_E_CORRUPT)
        sim_fail("a reader beside the writer finds damage: %s", error.text);
    file_close(data_fd);
}

static bool callers_are_done;

static void *asker_main(void *argument)
{
    (void)argument;
    for (int i = 0; i < 30 && !callers_are_done && !world.is_latched; i++) {
        uint64_t kind = sim_random(SIM_CHANCE, 8);
        if (kind < 4)
            ask_balance();
        else if (kind < 7)
            ask_life();
        else
            ask_journal();
        totals->asked++;
        sim_sleep_us(1 + sim_random(SIM_CHANCE, 500));
    }
    return NULL;
}

/* ---- A life ---- */

static void go_on_without_faults(struct sim_faults *ret_faults)
{
    *ret_faults = sim_faults;
    sim_faults = (struct sim_faults){.calls = 0};
    sim_memory_fails_per_mille = 0;
}

/* Whether something failed in this life that may make a call fail. */
static bool has_reason(void)
{
    return sim_fault_count > faults_before || life.memory_fails_per_mille > 0 || life.faults.harmless_per_mille > 0;
}

static bool open_engine(void)
{
    settle_error error = {.status = SETTLE_OK};
    settle_status status = settle_open(run.data, &run.options, &engine, &error);
    sim_note("settle_open: %s %s", settle_status_name(status), error.text);
    sim_progress();
    if (status == SETTLE_OK) {
        world.is_created = true;
        return true;
    }
    if (status == SETTLE_E_CORRUPT || !has_reason() || !life.faults_at_open)
        sim_fail("the engine does not open: %s: %s", settle_status_name(status), error.text);
    totals->refused_opens++;
    return false;
}

static void declare_assets(void)
{
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        if (settle_asset_declare(engine, &stream_assets[i], NULL) == SETTLE_OK)
            world.asset_is_acknowledged[i] = true;
}

/* What the life before this one did not hear of is submitted again, by whoever did so then. */
static void resubmit(size_t end)
{
    for (size_t i = 0; i < end && !world.is_latched; i++) {
        const struct world_submission *old = &world.submissions[i];
        if (old->life + 1 != world.life || old->state == WORLD_TAKEN)
            continue;
        struct world_submission *again = world_submission(old->caller, old->count, false);
        for (size_t j = 0; j < old->count; j++)
            world_event_set(again, j, &world_events(old)[j].made, false);
        submit(again);
    }
}

static void run_callers(void)
{
    static struct caller callers[WORLD_CALLERS_MAX];
    pthread_t threads[WORLD_CALLERS_MAX], asker;
    bool is_there[WORLD_CALLERS_MAX], asker_is_there = false;
    callers_are_done = false;
    for (int i = 0; i < life.callers; i++) {
        callers[i] = (struct caller){i, plan(UINT64_MAX)};
        is_there[i] = pthread_create(&threads[i], NULL, caller_main, &callers[i]) == 0;
    }
    if (life.has_asker)
        asker_is_there = pthread_create(&asker, NULL, asker_main, NULL) == 0;
    for (int i = 0; i < life.callers; i++)
        if (is_there[i])
            pthread_join(threads[i], NULL);
    callers_are_done = true;
    if (asker_is_there)
        pthread_join(asker, NULL);
}

/* The thread of the JSON lines; without faults of its own it must start. */
static void start_lines(void)
{
    settle_error error = {.status = SETTLE_OK};
    settle_status status = settle_lines_start(engine, &run.lines, &error);
    sim_note("settle_lines_start: %s %s", settle_status_name(status), error.text);
    if (status != SETTLE_OK && status != SETTLE_E_LATCHED && !has_reason())
        sim_fail("the JSON lines do not start: %s: %s", settle_status_name(status), error.text);
}

/* Every line of the journal, once, in order: behind a life in which nothing failed. */
static void check_lines(void)
{
    settle_error error = {.status = SETTLE_OK};
    struct logs_result result = {.ok = false};
    settle_status status = query_logs_verify(run.data, &run.lines, &result, &error);
    if (status != SETTLE_OK)
        sim_fail("the JSON lines cannot be compared: %s: %s", settle_status_name(status), error.text);
    if ((!result.ok && !result.is_empty) || result.counts.lines_before > 0 || result.counts.lines_after > 0)
        sim_fail("the JSON lines: %s:%" PRIu64 ": %s (%" PRIu64 " missing before, %" PRIu64 " after)", result.file,
                 result.line, result.difference, result.counts.lines_before, result.counts.lines_after);
}

static void life_main(void *context)
{
    struct sim_faults faults = life.faults;
    size_t submissions = world.submission_count;
    (void)context;
    world_life_begin();
    if (life.faults_at_open) {
        sim_faults = life.faults;
        sim_memory_fails_per_mille = life.memory_fails_per_mille;
    }
    if (!open_engine())
        return;
    if (life.faults_at_open)
        go_on_without_faults(&faults);
    world_check(engine, run.data);
    sim_faults = faults;
    sim_memory_fails_per_mille = life.memory_fails_per_mille;
    if (run.has_lines)
        start_lines();
    declare_assets();
    if (life.resubmits)
        resubmit(submissions);
    run_callers();
    settle_error error = {.status = SETTLE_OK};
    settle_status status = settle_close(engine, &error);
    sim_note("settle_close: %s %s", settle_status_name(status), error.text);
    if (world.is_latched ? status != SETTLE_E_LATCHED : status != SETTLE_OK && status != SETTLE_E_LATCHED)
        sim_fail("closing answers %s: %s", settle_status_name(status), error.text);
    if (status == SETTLE_E_LATCHED && !has_reason())
        sim_fail("the engine latches: %s", error.text);
    totals->latches += status == SETTLE_E_LATCHED;
    world_life_ended();
    if (sim_memory_count() != 0)
        sim_fail("closing leaves %zu blocks of memory", sim_memory_count());
    if (sim_disk_open_count() != 0)
        sim_fail("closing leaves %d descriptors or maps", sim_disk_open_count());
    if (life.is_last)
        world_check_directory(run.data);
    if (life.is_last && run.has_lines)
        check_lines();
}

static void live(bool is_last)
{
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    sim_plan_options(&run);
    sim_plan_life(&run, is_last, &life);
    faults_before = sim_fault_count;
    totals->lives++;
    sim_note("life: commit %" PRIu32 " events or %" PRIu32 " us, checkpoint %" PRIu32 " events or %" PRIu32
             " ms, %d callers",
             run.options.commit_events_max, run.options.commit_interval_us_max, run.options.checkpoint_events_max,
             run.options.checkpoint_interval_ms, life.callers);
    enum sim_end end = sim_life(life_main, NULL);
    sim_faults = (struct sim_faults){.calls = 0};
    sim_memory_fails_per_mille = 0;
    if (end == SIM_CRASHED) {
        totals->crashes++;
        sim_disk_close();
        sim_memory_drop();
    }
    totals->faults += sim_fault_count - faults_before;
    if (!is_last && plan(10) < (end == SIM_CRASHED ? 8 : 5)) {
        totals->power_cuts++;
        sim_disk_cut_power(&(struct sim_loss){percents[plan(5)], plan(2) == 0 ? 512 : 4096});
    }
}

/* One seed from the beginning to the end: the hash of all that happened, and of what lies there. */
static uint64_t run_seed(uint64_t seed, bool is_traced)
{
    sim_begin(seed, is_traced);
    sim_plan_run(&run);
    run.options.log = log_message;
    sim_disk_begin(run.base);
    world_begin();
    uint64_t lives = 1 + plan(LIVES_MAX); /* and the last one, in which nothing fails */
    for (uint64_t i = 0; i <= lives; i++)
        live(i == lives);
    for (size_t i = 0; i < world.submission_count; i++)
        totals->acknowledged += world.submissions[i].state == WORLD_TAKEN;
    totals->events += world.model.seq;
    totals->seeds++;
    uint64_t hash = sim_hash() ^ sim_disk_hash();
    world_end();
    sim_disk_end();
    return hash;
}

/* ---- Many seeds ---- */

#ifdef __SANITIZE_ADDRESS__
extern int __asan_option_detect_stack_use_after_return;

/* Frames shall be on the stacks that they seem to be on, which are left in their midst when everything stops.
 * Before main(): its * own is one of them. */
__attribute__((constructor)) static void keep_frames_on_stacks(void)
{
    __asan_option_detect_stack_use_after_return = 0;
}
#endif

static void run_begin(void)
{
    mallopt(M_MMAP_THRESHOLD, 3 << 19); /* LMDB has 2 MiB of zeros that it hardly touches */
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    /* Below it no name is another one every time. */
    tempdir_join(run.base, run.temporary, "disk");
    CHECK(mkdir(run.base, 0700) == 0);
    tempdir_join(run.data, run.base, "data");
    tempdir_join(run.logs, run.base, "logs");
}

static void child_main(uint64_t first, uint64_t count)
{
    const struct itimerval most = {.it_value = {.tv_sec = SECONDS_MAX}}; /* of the processor's time */
    run_begin();
    for (uint64_t seed = first; seed < first + count; seed++) {
        totals->seed = seed;
        CHECK(setitimer(ITIMER_PROF, &most, NULL) == 0);
        uint64_t hash = run_seed(seed, false);
        if (seed % TWICE_EVERY != 0)
            continue;
        totals->twice++;
        if (run_seed(seed, false) != hash)
            sim_fail("the same seed again is another run");
    }
    _exit(0); /* what a crash left behind is no leak */
}

static bool run_seeds(uint64_t first, uint64_t count)
{
    int status = 0;
    tempdir_make(run.temporary);
    pid_t child = child_fork();
    if (child == 0)
        child_main(first, count);
    CHECK(waitpid(child, &status, 0) == child);
    tempdir_remove(run.temporary);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        fprintf(stderr, "seed %" PRIu64 ": ended by signal %d (%s)\n", totals->seed, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    fprintf(stderr, "again, with all that happens: test_fault_simulation seed %" PRIu64 "\n", totals->seed);
    return false;
}

static int run_one(uint64_t seed)
{
    tempdir_make(run.temporary);
    run_begin();
    uint64_t hash = run_seed(seed, true);
    printf("seed %" PRIu64 ": hash %016" PRIx64 "\n", seed, hash);
    tempdir_remove(run.temporary);
    return 0;
}

int main(int argc, char **argv)
{
    builder_use_memory();
    totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(totals != MAP_FAILED);
    if (argc == 3 && strcmp(argv[1], "seed") == 0)
        return run_one(strtoull(argv[2], NULL, 10));
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    unsigned failures = 0;
    CHECK(count > 0);
    for (uint64_t at = 0; at < count && failures < 5; at += CHILD_SEEDS)
        failures += !run_seeds(first + at, count - at < CHILD_SEEDS ? count - at : CHILD_SEEDS);
    printf("%" PRIu64 " seeds, %" PRIu64 " of them twice; %" PRIu64 " lives, %" PRIu64 " crashes, %" PRIu64
           " power cuts, %" PRIu64 " faults, %" PRIu64 " latches, %" PRIu64 " opens that failed; %" PRIu64
           " events, %" PRIu64 " submissions acknowledged, %" PRIu64 " questions; %u failures\n",
           totals->seeds - totals->twice, totals->twice, totals->lives, totals->crashes, totals->power_cuts,
           totals->faults, totals->latches, totals->refused_opens, totals->events, totals->acknowledged, totals->asked,
           failures);
    return failures == 0 ? 0 : 1;
}
