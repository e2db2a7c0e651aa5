/*
 * test_loop_failures.c — the ingest loop when a call of the engine fails, for every such call, and when the reject file
 * does. On the fake engine.
 */
#include "tests/lib/ingest_run.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(loop_failures);

/* A source that makes the loop do everything it can ask of an engine. */
static void prepare_everything(struct run *run)
{
    char text[4096] = "bad\n";
    strcat(text, run_deposit(1));
    strcat(text, "{\"type\":\"asset\",\"asset\":\"ETH\",\"id\":7,\"scale\":18}\n");
    strcat(text, run_deposit(1));
    strcat(text, run_deposit(1));
    strcat(text, "{\"type\":\"asset\",\"asset\":\"XRP\",\"id\":8,\"scale\":6}\n");
    strcat(text, run_deposit(1));
    strcat(text, "\n\n");
    run_init(run);
    run_write(run, "a", text, strlen(text));
    run_write(run, "b", text, strlen(text));
    run_add(run, "a");
    run_add(run, "b");
}

/* Fails call number 1, 2, 3 … until a run meets none any more; returns how many there were. */
static unsigned fail_each(enum fake_call call, settle_status status)
{
    for (unsigned n = 1;; n++) {
        struct run run;
        prepare_everything(&run);
        run.engine->fail_at[call] = n;
        run.engine->fail_status = status;
        run.engine->landing_delay_us = 2000;
        settle_status got = run_go(&run);
        cr_assert(got == SETTLE_OK || got == status, "call %u: status %d", n, (int)got);
        const struct ingest_counts *counts = &run.result.counts;
        uint64_t told = counts->accepted + counts->rejected + counts->duplicate + counts->conflict;
        cr_assert_leq(told, counts->events);
        cr_assert_eq(counts->events, run.engine->event_count, "what was submitted is counted");
        pthread_mutex_lock(&run.engine->lock);
        cr_assert_eq(run.engine->told, run.engine->taken, "the engine must not write to what is freed");
        pthread_mutex_unlock(&run.engine->lock);
        if (got == status)
            cr_assert_str_eq(run.error.text, "the fake engine was told to fail");
        if (counts->malformed > 0)
            cr_assert_eq(run_reject_files(&run), 1);
        run_deinit(&run);
        if (got == SETTLE_OK)
            return n - 1;
    }
}

Test(loop_failures, any_failing_call_of_the_engine_ends_the_run)
{
    cr_assert_eq(fail_each(FAKE_OPEN, SETTLE_E_NO_MEMORY), 2);
    cr_assert_eq(fail_each(FAKE_SUBMIT, SETTLE_E_NO_SPACE), 6);
    cr_assert_eq(fail_each(FAKE_DECLARE, SETTLE_E_LATCHED), 4);
    cr_assert_eq(fail_each(FAKE_ADVANCE, SETTLE_E_IO), 2);
    cr_assert_eq(fail_each(FAKE_FLUSH, SETTLE_E_LATCHED), 2);
    cr_assert_eq(fail_each(FAKE_LANDING, SETTLE_E_LATCHED), 6);
}

Test(loop_failures, after_a_failed_commit_nothing_more_is_read)
{
    struct run run;
    run_init(&run);
    size_t bytes = strlen(run_deposit(1)), lines = 100000;
    char *text = malloc(bytes * lines);
    for (size_t i = 0; i < lines; i++)
        memcpy(text + i * bytes, run_deposit(1), bytes);
    run_write(&run, "a", text, bytes * lines);
    free(text);
    run_add(&run, "a");
    run.engine->fail_at[FAKE_LANDING] = 2;
    run.engine->fail_status = SETTLE_E_LATCHED;
    EXPECT_STATUS(run_go(&run), SETTLE_E_LATCHED);
    cr_assert_lt(run.result.counts.bytes_read, bytes * lines);
    cr_assert_eq(run.result.counts.accepted, 8192, "the first batch counts");
    cr_assert_str_eq(run.error.text, "the fake engine was told to fail");
    run_deinit(&run);
}

Test(loop_failures, a_failed_commit_is_told_even_if_only_its_completion_says_so)
{
    for (unsigned n = 1; n <= 6; n++) {
        struct run run;
        prepare_everything(&run);
        run.engine->fail_at[FAKE_LANDING] = n;
        run.engine->forgets = true;
        EXPECT_STATUS(run_go(&run), SETTLE_E_LATCHED);
        cr_assert_eq(strncmp(run.error.text, "a commit failed: ", 17), 0, "%s", run.error.text);
        run_deinit(&run);
    }
}

Test(loop_failures, a_reject_file_that_cannot_be_made_fails_the_run)
{
    struct run run;
    run_init(&run);
    run_write(&run, "a", "bad\n", 4);
    run_add(&run, "a");
    strcat(run.reject_directory, "/no/such");
    EXPECT_STATUS(run_go(&run), SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(run.error.file, run.reject_directory);
    cr_assert_eq(run.result.counts.malformed, 1);
    run_deinit(&run);
}

/* A limit on the size of files is a disk that is full. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

Test(loop_failures, a_full_disk_under_the_reject_file_fails_the_run)
{
    struct run run;
    run_init(&run);
    char text[20001];
    for (size_t i = 0; i < 20000; i += 100) {
        memset(text + i, 'x', 99);
        text[i + 99] = '\n';
    }
    memcpy(text + 19900, "\n", 1);
    run_write(&run, "a", text, 20000);
    run_add(&run, "a");
    limit_files(10000);
    settle_status status = run_go(&run);
    limit_files(RLIM_INFINITY);
    cr_assert_eq(status, SETTLE_E_NO_SPACE, "status %d: %s", (int)status, run.error.text);
    cr_assert_str_eq(run.error.file, run.result.reject_path);
    cr_assert_str_eq(run.engine->log, "", "no line was passed that is not in the reject file: %s", run.engine->log);
    run_deinit(&run);
}
