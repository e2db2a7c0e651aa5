/*
 * cmd_ingest.c — `settlectl ingest`: the main job. Owns the stop flag that SIGINT and SIGTERM set; the loop itself is
 * ingest_run().
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/progress.h"
#include "tools/report.h"

static volatile sig_atomic_t stop_signal; /* 0: go on */

static void on_stop(int number)
{
    stop_signal = number;
}

/* Without SA_RESTART, so that a read that waits for input returns; once only, so that a second signal ends the process.
 * Also where the parent had it ignored: a shell does so for a job in the background, and the job is to end cleanly all
 * the same. */
static void watch_signal(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

struct job {
    struct invocation *invocation;
    const char *log_directory; /* of the JSON lines; NULL: none. For their renderer, which this version does not have */
    uint64_t started_us;
};

static void on_malformed(void *context, const struct ingest_malformed *malformed)
{
    const struct job *job = context;
    report_malformed(job->invocation, malformed->source, malformed->line, malformed->byte, malformed->reason);
}

static void on_progress(void *context, const struct ingest_counts *counts, uint64_t bytes_total)
{
    const struct job *job = context;
    char line[PROGRESS_BYTES];
    progress_format(counts->events, progress_now_us() - job->started_us, counts->bytes_read, bytes_total, line);
    progress_show(line);
}

/* ---- The summary ---- */

static void seq_member(struct json *json, const char *key, uint64_t seq)
{
    if (seq == 0)
        json_null(json, key);
    else
        json_u64(json, key, seq);
}

static void summary_json(struct invocation *inv, const struct ingest_counts *c, uint64_t elapsed_us)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_u64(&json, "lines", c->lines);
    json_u64(&json, "events", c->events);
    json_u64(&json, "accepted", c->accepted);
    json_u64(&json, "rejected", c->rejected);
    json_u64(&json, "duplicate", c->duplicate);
    json_u64(&json, "conflict", c->conflict);
    json_u64(&json, "malformed", c->malformed);
    seq_member(&json, "first_seq", c->first_seq);
    seq_member(&json, "last_seq", c->last_seq);
    json_seconds(&json, "seconds", elapsed_us);
    json_object_end(&json);
    json_line_end(&json);
}

static settle_status summary_text(struct invocation *inv, const struct ingest_counts *c, uint64_t elapsed_us)
{
    static const struct table_column columns[] = {{"", false}, {"", true}};
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"lines", c->lines},         {"events", c->events},       {"accepted", c->accepted},
                {"rejected", c->rejected},   {"duplicate", c->duplicate}, {"conflict", c->conflict},
                {"malformed", c->malformed}, {"first seq", c->first_seq}, {"last seq", c->last_seq}};
    struct table table;
    char text[PRINT_SECONDS_BYTES];
    table_init(&table, columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_seq = i >= sizeof rows / sizeof rows[0] - 2;
        table_cell(&table, rows[i].name);
        table_cell(&table, is_seq && rows[i].value == 0 ? "-" : print_u64(rows[i].value, text));
    }
    table_cell(&table, "seconds");
    table_cell(&table, print_seconds(elapsed_us, text));
    return table_print(&table, &inv->out, 0);
}

static settle_status summary(struct invocation *inv, const struct ingest_counts *counts, uint64_t elapsed_us)
{
    if (inv->as_json) {
        summary_json(inv, counts, elapsed_us);
        return SETTLE_OK;
    }
    return inv->is_quiet ? SETTLE_OK : summary_text(inv, counts, elapsed_us);
}

/* ---- The job ---- */

static settle_status run_loop(struct job *job, settle *engine, struct ingest_result *result, settle_error *error)
{
    struct invocation *inv = job->invocation;
    size_t bytes = strlen(inv->directory) + sizeof "/rejects";
    char *rejects = malloc(bytes);
    if (rejects == NULL)
        return SETTLE_E_NO_MEMORY;
    snprintf(rejects, bytes, "%s/rejects", inv->directory);
    const struct ingest_options loop_options = {
        .paths = inv->arguments,
        .path_count = inv->argument_count,
        .resume = invocation_option(inv, OPTION_RESUME) != NULL,
        .reject_directory = rejects,
        .stop = &stop_signal,
        .malformed = on_malformed,
        .progress = progress_is_wanted(inv) ? on_progress : NULL,
        .context = job,
    };
    settle_status status = ingest_run(engine, &loop_options, result, error);
    if (loop_options.progress != NULL)
        progress_wipe();
    free(rejects);
    return status;
}

static int finish(struct job *job, const struct ingest_result *result, settle_status status, const settle_error *error)
{
    struct invocation *inv = job->invocation;
    if (result->reject_path[0] != '\0')
        report_reject_file(inv, result->reject_path);
    settle_status summary_status = summary(inv, &result->counts, progress_now_us() - job->started_us);
    if (status == SETTLE_E_NOT_FOUND) /* of an input, not of an answer */
        status = SETTLE_E_IO;
    if (status != SETTLE_OK)
        return report_error(inv, status, error);
    if (summary_status != SETTLE_OK)
        return report_error(inv, summary_status, error);
    if (stop_signal != 0)
        return EXIT_SIGNAL + (int)stop_signal;
    return result->counts.malformed > 0 ? EXIT_NEGATIVE : EXIT_DONE;
}

int cmd_ingest(struct invocation *inv)
{
    struct job job = {.invocation = inv, .started_us = progress_now_us()};
    struct ingest_result *result = calloc(1, sizeof *result);
    settle *engine = NULL;
    settle_options options;
    settle_error error = {0}, close_error = {0};
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR);
    if (invocation_option(inv, OPTION_NO_LOGS) == NULL)
        job.log_directory = log_directory != NULL ? log_directory : "logs";
    settle_options_init(&options);
    options.log = report_log;
    options.context = inv;
    settle_status status = result == NULL ? SETTLE_E_NO_MEMORY : config_read(inv->directory, &options, &error);
    if (status == SETTLE_OK) {
        watch_signal(SIGINT);
        watch_signal(SIGTERM);
        status = settle_open(inv->directory, &options, &engine, &error);
    }
    if (status != SETTLE_OK) {
        free(result);
        return report_error(inv, status, &error);
    }
    status = run_loop(&job, engine, result, &error);
    settle_status close_status = settle_close(engine, &close_error);
    if (status == SETTLE_OK) {
        status = close_status;
        error = close_error;
    }
    int exit_status = finish(&job, result, status, &error);
    free(result);
    return exit_status;
}
