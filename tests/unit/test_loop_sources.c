/*
 * test_loop_sources.c — the ingest loop and the world: several sources, resuming, pipes that pause, the stop flag, On
 * the fake engine. Failures are in test_loop_failures.c.
 */
#include "tests/lib/ingest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(loop_sources);

static void write_deposits(struct run *run, const char *name, unsigned count, const char *tail)
{
    char text[65536] = "";
    for (unsigned i = 0; i < count; i++)
        strcat(text, run_deposit(1));
    strcat(text, tail);
    run_write(run, name, text, strlen(text));
}

static void expect_position(const struct run *run, size_t path, uint64_t offset, uint64_t line)
{
    const struct fake_source *source = fake_engine_source(run->engine, run->paths[path]);
    cr_assert_not_null(source);
    cr_assert_eq(source->position.offset_bytes, offset, "offset %llu",
                 (unsigned long long)source->position.offset_bytes);
    cr_assert_eq(source->position.line, line, "line %llu", (unsigned long long)source->position.line);
}

/* ---- Several sources --------------------------------------------------------------------------------------------- */

Test(loop_sources, sources_are_read_in_order)
{
    struct run run;
    run_init(&run);
    write_deposits(&run, "a", 2, "");
    write_deposits(&run, "b", 3, "");
    run_add(&run, "b");
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 5);
    cr_assert_str_eq(run.engine->sources[0].name, run.paths[0], "the name is the path as given");
    cr_assert_eq(run.engine->events[2].event.end.source, 1);
    cr_assert_eq(run.engine->events[3].event.end.source, 2);
    cr_assert_eq(run.engine->events[3].event.end.line, 1);
    cr_assert_str_eq(run.engine->log, "submit 3\nflush\nsubmit 2\nflush\n");
    run_deinit(&run);
}

Test(loop_sources, a_source_that_is_not_there_is_told_before_anything_is_read)
{
    struct run run;
    run_init(&run);
    write_deposits(&run, "a", 2, "");
    run_add(&run, "a");
    run_add(&run, "missing");
    EXPECT_STATUS(run_go(&run), SETTLE_E_NOT_FOUND);
    cr_assert_str_eq(run.error.file, run.paths[1]);
    cr_assert_eq(run.error.cause_errno, ENOENT);
    cr_assert_not_null(strstr(run.error.text, run.paths[1]), "%s", run.error.text);
    cr_assert_eq(run.engine->event_count, 0);
    cr_assert_eq(run.result.counts.lines, 0);
    run_deinit(&run);
}

Test(loop_sources, a_directory_is_no_source)
{
    struct run run;
    run_init(&run);
    run_add(&run, ".");
    EXPECT_STATUS(run_go(&run), SETTLE_E_ACCESS);
    cr_assert_eq(run.error.cause_errno, EISDIR);
    cr_assert_str_eq(run.error.file, run.paths[0]);
    run_deinit(&run);
}

Test(loop_sources, standard_input_is_the_source_without_a_path_and_of_the_dash)
{
    for (int with_dash = 0; with_dash < 2; with_dash++) {
        struct run run;
        run_init(&run);
        write_deposits(&run, "a", 3, "");
        char path[TEMPDIR_PATH_BYTES];
        tempdir_join(path, run.directory, "a");
        run_take_stdin(open(path, O_RDONLY));
        if (with_dash)
            run_add(&run, "-");
        EXPECT_OK(run_go(&run));
        cr_assert_eq(run.result.counts.events, 3);
        cr_assert_eq(fake_engine_source(run.engine, "-")->position.line, 3);
        cr_assert_eq(run.progress_bytes_total, run.result.counts.bytes_read, "a file has a size");
        run_deinit(&run);
    }
}

/* ---- Resuming ---------------------------------------------------------------------------------------------------- */

Test(loop_sources, resume_goes_on_behind_the_journalled_position)
{
    struct run run;
    run_init(&run);
    uint64_t bytes = strlen(run_deposit(1));
    write_deposits(&run, "a", 5, "bad\n");
    fake_engine_set_source(run.engine, run_add(&run, "a"), 2 * bytes, 2);
    run.options.resume = true;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 3);
    cr_assert_eq(run.result.counts.lines, 4);
    cr_assert_eq(run.result.counts.bytes_read, 3 * bytes + 4);
    cr_assert_eq(run.progress_bytes_total, 3 * bytes + 4, "the share is that of what is left");
    cr_assert_eq(run.engine->events[0].event.end.line, 3);
    cr_assert_eq(run.engine->events[0].event.end.offset_bytes, 3 * bytes);
    cr_assert_eq(run.malformed[0].line, 6);
    expect_position(&run, 0, 5 * bytes + 4, 6);
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 0, "nothing is left");
    cr_assert_eq(run.result.counts.first_seq, 0);
    run_deinit(&run);
}

Test(loop_sources, without_resume_a_source_is_read_from_its_beginning)
{
    struct run run;
    run_init(&run);
    write_deposits(&run, "a", 5, "");
    fake_engine_set_source(run.engine, run_add(&run, "a"), 2 * strlen(run_deposit(1)), 2);
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 5);
    cr_assert_eq(run.engine->events[0].event.end.line, 1);
    run_deinit(&run);
}

Test(loop_sources, a_source_shorter_than_its_position_was_replaced)
{
    struct run run;
    run_init(&run);
    write_deposits(&run, "a", 2, "");
    uint64_t bytes = 2 * strlen(run_deposit(1));
    run.options.resume = true;
    fake_engine_set_source(run.engine, run_add(&run, "a"), bytes, 2);
    EXPECT_OK(run_go(&run));
    fake_engine_set_source(run.engine, run.paths[0], bytes + 1, 3);
    EXPECT_STATUS(run_go(&run), SETTLE_E_INVALID);
    cr_assert_not_null(strstr(run.error.text, "probably replaced"), "%s", run.error.text);
    cr_assert_str_eq(run.error.file, run.paths[0]);
    cr_assert_eq(run.engine->event_count, 0);
    run_deinit(&run);
}

Test(loop_sources, a_last_line_without_newline_is_not_taken_twice)
{
    struct run run;
    run_init(&run);
    run.options.resume = true;
    uint64_t bytes = strlen(run_deposit(1));
    run_write(&run, "a", run_deposit(1), (size_t)bytes - 1);
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_position(&run, 0, bytes - 1, 1);
    /* Then comes the newline, alone, with white space or with more. */
    write_deposits(&run, "a", 1, "");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 0, "the end of a line is no line");
    expect_position(&run, 0, bytes, 1);
    write_deposits(&run, "a", 2, "bad\n");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 1);
    cr_assert_eq(run.engine->event_count, 2);
    cr_assert_eq(run.engine->events[1].event.end.line, 2);
    cr_assert_eq(run.malformed[0].line, 3);
    run_deinit(&run);
}

Test(loop_sources, a_carriage_return_that_came_late_is_no_line_either)
{
    struct run run;
    run_init(&run);
    run.options.resume = true;
    char text[512];
    int bytes = snprintf(text, sizeof text, "%s", run_deposit(1)) - 1;
    fake_engine_set_source(run.engine, run_add(&run, "a"), (uint64_t)bytes, 1);
    snprintf(text + bytes, sizeof text - (size_t)bytes, " \r\n%s", run_deposit(2));
    run_write(&run, "a", text, strlen(text));
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 1);
    cr_assert_eq(run.engine->events[0].event.end.line, 2);
    expect_position(&run, 0, strlen(text), 2);
    run_deinit(&run);
}

Test(loop_sources, a_malformed_last_line_is_read_again_when_it_is_whole)
{
    struct run run;
    run_init(&run);
    run.options.resume = true;
    uint64_t bytes = strlen(run_deposit(1));
    write_deposits(&run, "a", 1, "{\"type\":\"deposit\",\"ts\":1,\"user\":1,");
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.malformed, 1);
    expect_position(&run, 0, bytes, 1);
    write_deposits(&run, "a", 2, "");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.malformed, 0);
    cr_assert_eq(run.result.counts.events, 1);
    expect_position(&run, 0, 2 * bytes, 2);
    run_deinit(&run);
}

/* ---- Pipes ------------------------------------------------------------------------------------------------------- */

/* Writes to a descriptor from a thread: each text, waiting before the next until the engine has that many events
 * flushed. */
struct feeder {
    struct run *run;
    int fd;
    const char *path; /* a FIFO to open instead of fd */
    const char *texts[8];
    size_t wait_events[8]; /* after the text; 0: no wait */
    bool stop_before_end;  /* sets the stop flag instead of closing */
    unsigned flushes_seen;
    pthread_t thread;
};

static bool wait_for(struct run *run, size_t events)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&run->engine->lock);
        const char *log = run->engine->log;
        size_t length = run->engine->log_bytes;
        bool there = run->engine->event_count >= events && length > 6 && strcmp(log + length - 6, "flush\n") == 0;
        pthread_mutex_unlock(&run->engine->lock);
        if (there)
            return true;
        usleep(1000);
    }
    return false;
}

static void *feed(void *argument)
{
    struct feeder *feeder = argument;
    if (feeder->path != NULL) {
        usleep(50000); /* the reader waits for its writer */
        feeder->fd = open(feeder->path, O_WRONLY);
    }
    CHECK(feeder->fd >= 0);
    for (size_t i = 0; i < 8 && feeder->texts[i] != NULL; i++) {
        const char *text = feeder->texts[i];
        CHECK(write(feeder->fd, text, strlen(text)) == (ssize_t)strlen(text));
        if (feeder->wait_events[i] > 0 && wait_for(feeder->run, feeder->wait_events[i]))
            feeder->flushes_seen++;
    }
    if (feeder->stop_before_end) {
        feeder->run->stop = 1;
        usleep(500000);
    }
    close(feeder->fd);
    return NULL;
}

static void pipe_to_stdin(struct feeder *feeder)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    run_take_stdin(ends[0]);
    feeder->fd = ends[1];
}

Test(loop_sources, what_was_read_is_committed_when_input_pauses)
{
    struct run run;
    run_init(&run);
    char one[128], two[512];
    snprintf(one, sizeof one, "%s", run_deposit(1));
    snprintf(two, sizeof two, "%s%s{\"type\":", one, one);
    const char *rest = "\"deposit\",\"ts\":1,\"user\":2,\"asset\":2,\"amount\":\"1\"}\nbad\n";
    struct feeder feeder = {.run = &run, .texts = {one, two, rest, one}, .wait_events = {1, 3, 4, 0}};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    cr_assert_eq(feeder.flushes_seen, 3, "each pause was committed before more came");
    cr_assert_eq(run.result.counts.events, 5);
    cr_assert_eq(run.result.counts.malformed, 1);
    cr_assert_eq(run.malformed[0].line, 5);
    cr_assert_str_eq(run.malformed[0].source, "-");
    cr_assert_eq(run.progress_bytes_total, 0, "nobody knows how much comes");
    run_deinit(&run);
}

Test(loop_sources, a_line_of_4096_bytes_may_wait_for_its_newline)
{
    struct run run;
    run_init(&run);
    char text[8192];
    int bytes = snprintf(text, sizeof text, "%s", run_deposit(1));
    int length = snprintf(text + bytes, sizeof text - (size_t)bytes, "%s", run_deposit(2)) - 1;
    memset(text + bytes + length, ' ', 4096 - (size_t)length);
    text[bytes + 4096] = '\0';
    struct feeder feeder = {.run = &run, .texts = {text, "\n"}, .wait_events = {1, 2}};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    cr_assert_eq(run.result.counts.malformed, 0);
    cr_assert_eq(run.result.counts.events, 2);
    run_deinit(&run);
}

Test(loop_sources, a_long_pipe_arrives_whole)
{
    struct run run;
    run_init(&run);
    char *text = malloc(3000000), *at = text;
    size_t lines = 0;
    for (; at - text < 2900000; lines++)
        at += sprintf(at,
                      "{\"type\":\"deposit\",\"event_id\":\"e%zu\",\"ts\":1,\"user\":1,\"asset\":2,\"amount\":\"1\"}\n",
                      lines);
    struct feeder feeder = {.run = &run, .texts = {text}};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    cr_assert_eq(run.result.counts.events, lines);
    for (size_t i = 0; i < lines; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "e%zu", i);
        cr_assert_str_eq(run.engine->events[i].event_id, expected);
    }
    cr_assert_eq(run.result.counts.bytes_read, (uint64_t)(at - text));
    free(text);
    run_deinit(&run);
}

Test(loop_sources, a_fifo_waits_for_its_writer_and_ends_with_it)
{
    struct run run;
    run_init(&run);
    const char *path = run_add(&run, "fifo");
    cr_assert_eq(mkfifo(path, 0600), 0);
    char one[128];
    snprintf(one, sizeof one, "%s", run_deposit(1));
    struct feeder feeder = {.run = &run, .path = path, .texts = {one, one}, .wait_events = {1, 2}};
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    cr_assert_eq(feeder.flushes_seen, 2);
    cr_assert_eq(run.result.counts.events, 2);
    run_deinit(&run);
}

Test(loop_sources, resume_reads_over_what_a_pipe_repeats)
{
    struct run run;
    run_init(&run);
    run.options.resume = true;
    char text[512];
    snprintf(text, sizeof text, "%s%s", run_deposit(1), run_deposit(2));
    strcat(text, run_deposit(3));
    strcat(text, "bad\n");
    size_t bytes = strlen(run_deposit(1));
    fake_engine_set_source(run.engine, "-", 2 * bytes, 2);
    struct feeder feeder = {.run = &run, .texts = {"", text}};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    cr_assert_eq(run.result.counts.events, 1);
    cr_assert_eq(run.engine->events[0].event.u.transfer.user, 3);
    cr_assert_eq(run.engine->events[0].event.end.offset_bytes, 3 * bytes);
    cr_assert_eq(run.malformed[0].line, 4);
    run_deinit(&run);
}

Test(loop_sources, a_pipe_shorter_than_its_position_is_another_one)
{
    struct run run;
    run_init(&run);
    run.options.resume = true;
    fake_engine_set_source(run.engine, "-", 1000, 9);
    char one[128];
    snprintf(one, sizeof one, "%s", run_deposit(1));
    struct feeder feeder = {.run = &run, .texts = {one}};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_STATUS(run_go(&run), SETTLE_E_INVALID);
    pthread_join(feeder.thread, NULL);
    cr_assert_not_null(strstr(run.error.text, "probably replaced"));
    cr_assert_eq(run.engine->event_count, 0);
    run_deinit(&run);
}

/* ---- Stopping ---------------------------------------------------------------------------------------------------- */

Test(loop_sources, a_run_that_is_stopped_before_it_begins_reads_nothing)
{
    struct run run;
    run_init(&run);
    write_deposits(&run, "a", 3, "");
    run_add(&run, "a");
    run.stop = 1;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 0);
    cr_assert_eq(run.engine->event_count, 0);
    run_deinit(&run);
}

static void stop_in(void *context)
{
    ((struct run *)context)->stop = 1;
}

Test(loop_sources, stopping_finishes_the_lines_that_were_read)
{
    struct run run;
    run_init(&run);
    size_t bytes = strlen(run_deposit(1)), lines = 60000;
    char *text = malloc(bytes * lines);
    for (size_t i = 0; i < lines; i++)
        memcpy(text + i * bytes, run_deposit(1), bytes);
    run_write(&run, "a", text, bytes * lines);
    run_write(&run, "b", text, bytes);
    free(text);
    run_add(&run, "a");
    run_add(&run, "b");
    run.engine->on_submit = stop_in; /* with the first batch */
    run.engine->context = &run;
    EXPECT_OK(run_go(&run));
    uint64_t events = run.result.counts.events;
    cr_assert_gt(events, 8192, "the rest of what was read");
    cr_assert_lt(events, lines, "but no more");
    cr_assert_eq(run.result.counts.accepted, events);
    expect_position(&run, 0, events * bytes, events);
    cr_assert_eq(run.engine->source_count, 1, "the next source was not opened");
    cr_assert_str_eq(run.engine->log + run.engine->log_bytes - 6, "flush\n");

    run.stop = 0;
    run.engine->on_submit = NULL;
    run.options.resume = true;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, lines - events + 1, "and the next run does the others");
    run_deinit(&run);
}

Test(loop_sources, stopping_while_input_pauses_leaves_half_a_line_alone)
{
    struct run run;
    run_init(&run);
    char text[256];
    snprintf(text, sizeof text, "%s%s", run_deposit(1), "{\"type\":\"dep");
    struct feeder feeder = {.run = &run, .texts = {text}, .wait_events = {1}, .stop_before_end = true};
    pipe_to_stdin(&feeder);
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 1);
    cr_assert_eq(run.result.counts.lines, 1);
    cr_assert_eq(run.result.counts.malformed, 0);
    cr_assert_eq(fake_engine_source(run.engine, "-")->position.line, 1);
    pthread_join(feeder.thread, NULL);
    run_deinit(&run);
}

Test(loop_sources, stopping_inside_a_line_that_is_too_long_takes_it_back)
{
    for (int with_other = 0; with_other < 2; with_other++) {
        struct run run;
        run_init(&run);
        char *text = malloc(200100);
        int bytes = sprintf(text, "%s%s", with_other ? "bad\n" : "", run_deposit(1));
        memset(text + bytes, 'x', 200000);
        text[bytes + 200000] = '\0';
        struct feeder feeder = {.run = &run, .texts = {text}, .wait_events = {1}, .stop_before_end = true};
        pipe_to_stdin(&feeder);
        pthread_create(&feeder.thread, NULL, feed, &feeder);
        EXPECT_OK(run_go(&run));
        pthread_join(feeder.thread, NULL);
        cr_assert_eq(run.result.counts.malformed, (uint64_t)with_other);
        cr_assert_eq(run_reject_files(&run), (unsigned)with_other, "a reject file has no half lines");
        size_t reject_bytes = 0;
        char *rejects = run_rejects(&run, &reject_bytes);
        if (with_other)
            cr_assert_str_eq(rejects, "bad\n");
        else
            cr_assert_null(rejects);
        free(rejects);
        free(text);
        run_deinit(&run);
    }
}

Test(loop_sources, stopping_while_a_fifo_has_no_writer)
{
    struct run run;
    run_init(&run);
    cr_assert_eq(mkfifo(run_add(&run, "fifo"), 0600), 0);
    int ends[2];
    CHECK(pipe(ends) == 0); /* what the feeder "writes" to; only its stop flag is wanted */
    struct feeder feeder = {.run = &run, .fd = ends[1], .stop_before_end = true};
    pthread_create(&feeder.thread, NULL, feed, &feeder);
    EXPECT_OK(run_go(&run));
    pthread_join(feeder.thread, NULL);
    close(ends[0]);
    cr_assert_eq(run.result.counts.lines, 0);
    run_deinit(&run);
}
