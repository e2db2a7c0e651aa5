/*
 * What the log callback is told, and when: each message once, with no lock of the library held. The callbacks here call the
 * engine back; were a lock held, the test would hang until Criterion ends it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"

TestSuite(engine_log, .fini = leaks_check, .timeout = 60);

struct listener {
    settle *_Atomic engine; /* NULL while it is opened and closed */
    _Atomic unsigned messages, errors, answers;
    char first[512], error[512];
};

/* Asks and submits, whatever the message is. */
static void call_back(void *context, settle_log_level level, const char *message)
{
    struct listener *listener = context;
    if (listener->messages++ == 0)
        snprintf(listener->first, sizeof listener->first, "%d %s", (int)level, message);
    if (level == SETTLE_LOG_ERROR && listener->errors++ == 0)
        snprintf(listener->error, sizeof listener->error, "%s", message);
    settle *engine = listener->engine;
    if (engine == NULL)
        return;
    settle_balance balance;
    settle_event event = rig_deposit(1, RIG_USDT, 1, 1000000 + listener->messages);
    settle_result result;
    settle_lines_state state;
    const settle_status told[] = {settle_balance_get(engine, 1, RIG_USDT, &balance, NULL),
                                  settle_submit(engine, &event, 1, &result, NULL), settle_flush(engine, NULL),
                                  settle_lines_state_get(engine, &state, NULL)};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (told[i] != SETTLE_OK && told[i] != SETTLE_E_LATCHED && told[i] != SETTLE_E_NOT_FOUND)
            abort();
    listener->answers++;
}

static void listen(struct rig *rig, struct listener *listener)
{
    memset(listener, 0, sizeof *listener);
    rig_make(rig);
    rig->options.log = call_back;
    rig->options.context = listener;
}

static void wait_for_answer(struct listener *listener)
{
    for (int polls = 0; polls < 2000 && listener->answers == 0; polls++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    cr_assert(listener->answers > 0, "nothing was told");
}

Test(engine_log, starting_is_told_with_the_number_of_events)
{
    struct rig rig;
    struct listener listener;
    listen(&rig, &listener);
    rig_open(&rig);
    cr_assert_str_eq(listener.first, "0 the engine has started: 0 events in the journal, 0 assets");
    rig_deposits(&rig, 1, 3);
    rig_close(&rig);
    listener.messages = 0;
    cr_assert_eq(rig_try_open(&rig), SETTLE_OK);
    cr_assert_str_eq(listener.first, "0 the engine has started: 3 events in the journal, 2 assets");
    rig_remove(&rig);
}

/* The latch of a failed sync, in the commit thread. */
Test(engine_log, the_latch_is_told_once_without_a_lock)
{
    struct rig rig;
    struct listener listener;
    listen(&rig, &listener);
    rig_open(&rig);
    rig_deposits(&rig, 1, 2);
    listener.engine = rig.engine;
    trap_set(&(struct trap){.calls = TRAP_SYNCS, .index = 1, .error = EIO, .action = TRAP_FROM_NOW});
    settle_event event = rig_deposit(1, RIG_USDT, 1, 50);
    settle_result result;
    EXPECT_STATUS(settle_submit(rig.engine, &event, 1, &result, &test_error), SETTLE_E_LATCHED);
    wait_for_answer(&listener);
    cr_assert(strncmp(listener.error, "the engine has stopped: ", 24) == 0 && strlen(listener.error) > 30, "%s",
              listener.error);
    listener.engine = NULL;
    EXPECT_STATUS(settle_close(rig.engine, &test_error), SETTLE_E_LATCHED);
    rig.engine = NULL;
    (void)trap_clear();
    cr_assert_eq(listener.errors, 1);
    rig_remove(&rig);
}

/* The commit thread is gone by then: settle_close() itself tells of it. */
Test(engine_log, a_last_checkpoint_that_fails_is_told)
{
    struct rig rig;
    struct listener listener;
    listen(&rig, &listener);
    rig.options.checkpoint_interval_ms = 3600000; /* none but the last */
    rig_open(&rig);
    rig_deposits(&rig, 1, 2);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
    trap_set(&(struct trap){.calls = TRAP_SYNCS | TRAP_WRITES, .index = 1, .error = ENOSPC, .action = TRAP_FROM_NOW});
    EXPECT_STATUS(settle_close(rig.engine, &test_error), SETTLE_E_LATCHED);
    rig.engine = NULL;
    (void)trap_clear();
    cr_assert_eq(listener.errors, 1);
    cr_assert(strncmp(listener.error, "the engine has stopped: ", 24) == 0, "%s", listener.error);
    rig_remove(&rig);
}

/* From the thread of the JSON lines; what it submits is committed while it waits. */
Test(engine_log, lines_that_pause_are_told_without_a_lock)
{
    struct rig rig;
    struct listener listener;
    settle_lines_options lines;
    char logs[TEMPDIR_PATH_BYTES];
    listen(&rig, &listener);
    rig_open(&rig);
    tempdir_join(logs, rig.base, "logs");
    settle_lines_options_init(&lines);
    lines.directory = logs;
    lines.free_bytes_min = UINT64_MAX - 1;
    listener.engine = rig.engine;
    EXPECT_OK(settle_lines_start(rig.engine, &lines, &test_error));
    rig_deposits(&rig, 1, 1);
    wait_for_answer(&listener);
    listener.engine = NULL;
    cr_assert(rig_available(&rig, 1, RIG_USDT) > 1, "the callback's own deposit counts");
    EXPECT_STATUS(settle_lines_stop(rig.engine, &test_error), SETTLE_E_NO_SPACE);
    rig_remove(&rig);
}
