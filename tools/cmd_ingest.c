/*
 * cmd_ingest.c — `settlectl ingest`: the main job; the loop itself is ingest_run(). With the JSON lines it only
 * begins and ends: their trouble never is the trouble of the events.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"
#include "tools/command.h"
#include "tools/oplog.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/settings.h"
#include "tools/stop.h"

#define DEFAULT_LOG_DIRECTORY "logs"

struct job {
    struct invocation *invocation;
    struct settings settings;
    bool writes_lines;
    enum ingest_format format;
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
        .format = job->format,
        .resume = invocation_option(inv, OPTION_RESUME) != NULL,
        .reject_directory = rejects,
        .stop = stop_flag(),
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
    if (*stop_flag() != 0)
        return EXIT_SIGNAL + (int)*stop_flag();
    return result->counts.malformed > 0 ? EXIT_NEGATIVE : EXIT_DONE;
}

/* ---- The JSON lines ---- */

/* A directory that was asked for must be usable; the one that is so by default is done without. */
static settle_status lines_start(struct job *job, settle *engine, settle_error *error)
{
    settle_error fault = {0};
    if (!job->writes_lines)
        return SETTLE_OK;
    settle_status status = settle_lines_start(engine, &job->settings.lines, &fault);
    job->writes_lines = status == SETTLE_OK;
    if (status == SETTLE_OK || status == SETTLE_E_LATCHED)
        return SETTLE_OK; /* of a latched engine the events tell */
    if (invocation_option(job->invocation, OPTION_LOG_DIR) != NULL) {
        *error = fault;
        return status == SETTLE_E_BUSY ? status : SETTLE_E_IO;
    }
    report_warning(job->invocation, "no JSON lines are written now, a later run catches up: %s", fault.text);
    return SETTLE_OK;
}

/* Everything durable has its lines, or it is said why not. */
static void lines_stop(struct job *job, settle *engine)
{
    settle_error fault = {0};
    settle_lines_state state;
    if (!job->writes_lines)
        return;
    if (settle_lines_stop(engine, &fault) != SETTLE_OK)
        report_warning(job->invocation, "some JSON lines are not written, a later run catches up: %s", fault.text);
    else if (settle_lines_state_get(engine, &state, NULL) == SETTLE_OK)
        oplog_write(SETTLE_LOG_INFO, "lines caught up: %" PRIu64 " lines, %" PRIu64 " bytes", state.lines, state.bytes);
}

static void oplog_begin(const struct job *job)
{
    char text[512];
    if (!job->writes_lines)
        return;
    oplog_open(job->settings.lines.directory);
    oplog_write(SETTLE_LOG_INFO, "settlectl " SETTLE_VERSION " ingest begins: directory %s, lines to %s",
                job->invocation->directory, job->settings.lines.directory);
    if (settings_describe(&job->settings, text, sizeof text)[0] != '\0')
        oplog_write(SETTLE_LOG_INFO, "settings that differ from the defaults: %s", text);
}

static void oplog_end(const struct ingest_counts *c, int exit_status)
{
    oplog_write(SETTLE_LOG_INFO,
                "ingest ends with status %d: lines %" PRIu64 ", events %" PRIu64 ", accepted %" PRIu64
                ", rejected %" PRIu64 ", duplicate %" PRIu64 ", conflict %" PRIu64 ", malformed %" PRIu64,
                exit_status, c->lines, c->events, c->accepted, c->rejected, c->duplicate, c->conflict, c->malformed);
}

/* ---- From beginning to end ---- */

static bool format_parse(const char *name, enum ingest_format *ret_format)
{
    *ret_format = strcmp(name, "csv") == 0 ? INGEST_CSV : INGEST_NDJSON;
    return *ret_format == INGEST_CSV || strcmp(name, "ndjson") == 0;
}

static int take_settings(struct job *job)
{
    struct invocation *inv = job->invocation;
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR);
    int exit_status = settings_read(inv, &job->settings);
    if (exit_status != EXIT_DONE)
        return exit_status;
    job->settings.engine.log = report_log;
    job->settings.engine.context = inv;
    job->settings.lines.directory = log_directory != NULL ? log_directory : DEFAULT_LOG_DIRECTORY;
    job->writes_lines = invocation_option(inv, OPTION_NO_LOGS) == NULL;
    return EXIT_DONE;
}

static int run(struct job *job, struct ingest_result *result)
{
    settle *engine = NULL;
    settle_error error = {0}, close_error = {0};
    settle_status status = settle_open(job->invocation->directory, &job->settings.engine, &engine, &error);
    if (status == SETTLE_OK)
        status = lines_start(job, engine, &error);
    bool is_begun = status == SETTLE_OK;
    if (is_begun) {
        status = run_loop(job, engine, result, &error);
        lines_stop(job, engine);
    }
    settle_status close_status = settle_close(engine, &close_error);
    if (status == SETTLE_OK) {
        status = close_status;
        error = close_error;
    }
    return is_begun ? finish(job, result, status, &error) : report_error(job->invocation, status, &error);
}

int cmd_ingest(struct invocation *inv)
{
    struct job job = {.invocation = inv, .started_us = progress_now_us()};
    const char *format = invocation_option(inv, OPTION_FORMAT);
    if (format != NULL && !format_parse(format, &job.format))
        return report_usage(inv, "--format %s: not ndjson or csv", format);
    struct ingest_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return report_error(inv, SETTLE_E_NO_MEMORY, &(settle_error){.status = SETTLE_E_NO_MEMORY});
    int exit_status = take_settings(&job);
    if (exit_status != EXIT_DONE) {
        free(result);
        return exit_status;
    }
    stop_watch();
    oplog_begin(&job);
    exit_status = run(&job, result);
    oplog_end(&result->counts, exit_status);
    free(result);
    return exit_status;
}
