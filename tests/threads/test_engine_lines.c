/*
 * Threads submit while others start, stop and ask after the JSON lines; at the end every line is there, once. A plain
 * main(), for ThreadSanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "query/query.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"

#define SUBMITTERS 3
#define ROUNDS 400
#define STARTERS 2

static atomic_bool is_over;

struct task {
    struct rig *rig;
    const settle_lines_options *lines;
    uint64_t number;
    uint64_t starts;
};

static void *submit_main(void *argument)
{
    const struct task *task = argument;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        settle_event event = rig_deposit(task->number, RIG_USDT, 1, round);
        settle_result result;
        CHECK(settle_submit(task->rig->engine, &event, 1, &result, NULL) == SETTLE_OK);
        CHECK(result.outcome == SETTLE_ACCEPTED);
    }
    return NULL;
}

static void *start_main(void *argument)
{
    struct task *task = argument;
    settle_lines_state state;
    while (!is_over) {
        settle_status status = settle_lines_start(task->rig->engine, task->lines, NULL);
        CHECK(status == SETTLE_OK || status == SETTLE_E_CONFLICT);
        task->starts += status == SETTLE_OK;
        status = settle_lines_state_get(task->rig->engine, &state, NULL);
        CHECK(status == SETTLE_OK || status == SETTLE_E_NOT_FOUND);
        CHECK(settle_lines_stop(task->rig->engine, NULL) == SETTLE_OK);
        sched_yield();
    }
    return NULL;
}

int main(void)
{
    struct rig rig;
    char logs[TEMPDIR_PATH_BYTES];
    pthread_t submitters[SUBMITTERS], starters[STARTERS];
    struct task tasks[SUBMITTERS + STARTERS];
    settle_lines_options lines;
    struct logs_result result;
    rig_make(&rig);
    rig.options.segment_bytes = 65536;
    tempdir_join(logs, rig.base, "logs");
    settle_lines_options_init(&lines);
    lines.directory = logs;
    lines.free_bytes_min = 0;
    lines.rotate_bytes = 50000;
    rig_open(&rig);
    for (unsigned i = 0; i < SUBMITTERS + STARTERS; i++)
        tasks[i] = (struct task){&rig, &lines, i + 1, 0};
    for (unsigned i = 0; i < SUBMITTERS; i++)
        CHECK(pthread_create(&submitters[i], NULL, submit_main, &tasks[i]) == 0);
    for (unsigned i = 0; i < STARTERS; i++)
        CHECK(pthread_create(&starters[i], NULL, start_main, &tasks[SUBMITTERS + i]) == 0);
    for (unsigned i = 0; i < SUBMITTERS; i++)
        CHECK(pthread_join(submitters[i], NULL) == 0);
    is_over = true;
    for (unsigned i = 0; i < STARTERS; i++) {
        CHECK(pthread_join(starters[i], NULL) == 0);
        printf("starts %d\n", (int)tasks[SUBMITTERS + i].starts);
    }
    CHECK(settle_lines_start(rig.engine, &lines, NULL) == SETTLE_OK);
    rig_close(&rig);
    CHECK(query_logs_verify(rig.data, &lines, &result, NULL) == SETTLE_OK);
    if (!result.ok)
        fprintf(stderr, "%s: %s\n", result.file, result.difference);
    CHECK(result.ok);
    CHECK(result.counts.lines == SUBMITTERS * ROUNDS * 3);
    CHECK(result.counts.lines_before == 0 && result.counts.lines_after == 0);
    rig_remove(&rig);
    return 0;
}
