/*
 * kill -9 of a process that submits a known stream, at random moments of its life: opening and recovery included.
 * Whatever was acknowledged is there afterwards, the journal is the stream's prefix with the model's outcomes, and it
 * goes on from there.
 *
 * SETTLE_TEST_KILLS sets another number of kills, SETTLE_TEST_SEED another seed.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"

TestSuite(engine_kill, .timeout = 240);

#define KILLS 100
#define BATCH_MAX 40

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void choose_options(struct rig *rig, struct stream *dice)
{
    static const uint32_t commits[] = {1, 7, 8192}, checkpoints[] = {1, 20, 262144}, intervals[] = {0, 300, 20000};
    rig->options.commit_events_max = commits[stream_random(dice, 3)];
    rig->options.commit_interval_us_max = intervals[stream_random(dice, 3)];
    rig->options.checkpoint_events_max = checkpoints[stream_random(dice, 3)];
    rig->options.checkpoint_interval_ms = stream_random(dice, 2) == 0 ? 3 : 1000;
}

/* ---- The process that is killed ---- */

static void child_die(const char *what, const settle_error *error)
{
    fprintf(stderr, "the child: %s: %s\n", what, error->text);
    abort(); /* SIGABRT instead of SIGKILL: the parent notices */
}

static void acknowledge(int fd, uint64_t seq)
{
    if (write(fd, &seq, sizeof seq) != (ssize_t)sizeof seq)
        abort();
}

/* A batch on its way; its outcomes must be the model's when they are told. */
struct batch {
    settle_result expected[BATCH_MAX], results[BATCH_MAX];
    size_t count;
    int pipe_fd;
};

static void batch_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct batch *batch = context;
    char text[MODEL_TEXT_BYTES];
    if (status != SETTLE_OK || count != batch->count)
        child_die("a completion", &(settle_error){.text = "failed"});
    for (size_t i = 0; i < count; i++)
        if (!model_result_equal(&batch->expected[i], &results[i], text))
            child_die(text, &(settle_error){.text = ""});
    acknowledge(batch->pipe_fd, batch->expected[count - 1].seq);
    free(batch);
}

static void child_submit(struct rig *rig, struct oracle *oracle, struct stream *dice, uint32_t source, int pipe_fd)
{
    static struct stream_event made[BATCH_MAX];
    settle_event events[BATCH_MAX];
    struct batch *batch = malloc(sizeof *batch);
    if (batch == NULL)
        abort();
    batch->count = 1 + stream_random(dice, BATCH_MAX);
    batch->pipe_fd = pipe_fd;
    for (size_t i = 0; i < batch->count; i++) {
        oracle_next(oracle, &made[i], &batch->expected[i]);
        uint64_t seq = batch->expected[i].seq;
        events[i] = made[i].event;
        events[i].end = (settle_source_position){source, 10 * seq, seq};
    }
    bool waits = stream_random(dice, 2) == 0;
    settle_status status =
        waits ? settle_submit(rig->engine, events, batch->count, batch->results, &rig->error)
              : settle_submit_async(rig->engine, events, batch->count, batch->results, batch_done, batch, &rig->error);
    if (status != SETTLE_OK)
        child_die("submitting", &rig->error);
    if (waits)
        batch_done(batch, status, batch->results, batch->count);
}

static void child_main(struct rig *rig, struct oracle *oracle, struct stream *dice, int pipe_fd)
{
    for (;;) {
        settle_source_position position;
        if (rig_try_open(rig) != SETTLE_OK)
            child_die("opening", &rig->error);
        if (oracle_declare(rig->engine, &rig->error) != SETTLE_OK)
            child_die("declaring", &rig->error);
        if (settle_source_open(rig->engine, (settle_text){"stream", 6}, &position, &rig->error) != SETTLE_OK)
            child_die("opening the source", &rig->error);
        if (position.line != oracle->model.seq || position.offset_bytes != 10 * position.line)
            child_die("events and source do not agree", &rig->error);
        for (uint64_t i = 0; i < 10; i++)
            child_submit(rig, oracle, dice, position.source, pipe_fd);
        rig_close(rig); /* closing may be killed, too */
    }
}

/* ---- The one that kills ---- */

static void sleep_us(uint64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

/* The greatest seq that the child told before it died. */
static uint64_t last_acknowledged(int fd, uint64_t before)
{
    uint64_t seq;
    while (read(fd, &seq, sizeof seq) == (ssize_t)sizeof seq)
        before = seq;
    return before;
}

static uint64_t run_and_kill(struct rig *rig, struct oracle *oracle, struct stream *dice)
{
    int told[2], status;
    cr_assert(pipe(told) == 0);
    pid_t child = child_fork();
    if (child == 0) {
        close(told[0]);
        child_main(rig, oracle, dice, told[1]);
    }
    close(told[1]);
    sleep_us(stream_random(dice, stream_random(dice, 2) == 0 ? 4000 : 40000));
    kill(child, SIGKILL);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child failed by itself: status %x",
              (unsigned)status);
    uint64_t acknowledged = last_acknowledged(told[0], oracle->model.seq);
    close(told[0]);
    return acknowledged;
}

Test(engine_kill, nothing_acknowledged_is_lost_and_nothing_is_doubled)
{
    struct rig rig;
    struct oracle oracle;
    struct stream dice;
    uint64_t seed = stream_seed(20241210), kills = number_from("SETTLE_TEST_KILLS", KILLS), unacknowledged = 0;
    builder_use_memory(); /* what is killed leaves the cache alone, so a disk would only cost time */
    rig_make(&rig);
    oracle_init(&oracle, seed);
    stream_init(&dice, seed + 1);
    cr_assert(settle_create(rig.data, &rig.options, NULL) == SETTLE_OK);
    for (uint64_t i = 0; i < kills; i++) {
        choose_options(&rig, &dice);
        uint64_t acknowledged = run_and_kill(&rig, &oracle, &dice);
        uint64_t recovered = oracle_follow(&oracle, rig.data);
        cr_assert(recovered >= acknowledged, "seed %d, kill %d: event %d was acknowledged, the journal ends with %d",
                  (int)seed, (int)i, (int)acknowledged, (int)recovered);
        unacknowledged += recovered > acknowledged;
        oracle_check_directory(&oracle, rig.data);
        if (i % 8 == 0) { /* most recoveries are left to the next child */
            cr_assert(rig_try_open(&rig) == SETTLE_OK, "%s", rig.error.text);
            oracle_check(&oracle, rig.engine);
            rig_close(&rig);
            cr_assert(oracle_follow(&oracle, rig.data) == recovered);
            oracle_check_directory(&oracle, rig.data);
        }
    }
    fprintf(stderr, "%d kills, %d events, %d times some of them unacknowledged\n", (int)kills, (int)oracle.model.seq,
            (int)unacknowledged);
    cr_assert(oracle.model.seq > kills, "hardly an event was submitted");
    oracle_deinit(&oracle);
    rig_remove(&rig);
}
