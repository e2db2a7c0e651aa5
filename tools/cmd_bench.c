/*
 * cmd_bench.c — `settlectl bench`: how fast the engine is on this machine, beside what the machine can do at best.
 * Runs all cases in turn, several times over, in a temporary directory of its own, and shows the medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "query/query.h"
#include "tools/bench/bench.h"
#include "tools/bench/results.h"
#include "tools/command.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/stop.h"

#define EVENTS_DEFAULT 1000000
#define EVENTS_QUICK 100000
#define EVENTS_MAX 50000000
#define RUNS_DEFAULT 3
#define PACED_SECONDS 4
#define PACED_SECONDS_QUICK 1
#define TEMPORARY_NAME "settle-bench-XXXXXX"
/* The names that cases add to it. */
#define NAMES_BYTES 256

struct job {
    struct invocation *invocation;
    struct bench bench;
    struct results results;
    char directory[BENCH_PATH_BYTES - NAMES_BYTES];
    const char *chart_path; /* NULL: none */
    int chart_fd;
};

/* In this order: the raw limit stands before all that is put in proportion to it, in each run. */
static const struct {
    const char *name;
    bench_case *run;
} cases[] = {
    {"raw limit", bench_raw},
    {"sync", bench_sync},
    {"groups, uniform", bench_api_uniform},
    {"latency", bench_latency},
    {"recovery, replay, verify", bench_recovery},
    {"queries", bench_queries},
    {"ingest", bench_ingest_uniform},
    {"ingest with lines", bench_ingest_lines},
    {"ingest, Zipf", bench_ingest_zipf},
    {"groups, Zipf", bench_api_zipf},
};
#define CASE_COUNT (sizeof cases / sizeof cases[0])

/* ---- What was asked for ---- */

static bool number_option(const struct invocation *inv, enum option_id id, uint64_t most, uint64_t *value)
{
    const char *given = invocation_option(inv, id);
    return given == NULL || (query_u64_parse(given, value) && *value >= 1 && *value <= most);
}

static int parse(struct job *job)
{
    struct invocation *inv = job->invocation;
    bool is_quick = invocation_option(inv, OPTION_QUICK) != NULL;
    uint64_t runs = RUNS_DEFAULT;
    job->bench.events_count = is_quick ? EVENTS_QUICK : EVENTS_DEFAULT;
    job->bench.paced_seconds = is_quick ? PACED_SECONDS_QUICK : PACED_SECONDS;
    job->chart_path = invocation_option(inv, OPTION_OUTPUT);
    if (!number_option(inv, OPTION_EVENTS, EVENTS_MAX, &job->bench.events_count))
        return report_usage(inv, "--events %s: not a number from 1 to %d", invocation_option(inv, OPTION_EVENTS),
                            EVENTS_MAX);
    if (!number_option(inv, OPTION_RUNS, BENCH_RUNS_MAX, &runs))
        return report_usage(inv, "--runs %s: not a number from 1 to %d", invocation_option(inv, OPTION_RUNS),
                            BENCH_RUNS_MAX);
    job->results.run_count = (unsigned)runs;
    return EXIT_DONE;
}

/* ---- Places ---- */

/* "a/b" → "a", "b" → ".", "/b" → "/" */
static size_t parent_bytes(const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    while (bytes > 0 && path[bytes - 1] != '/')
        bytes--;
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    return bytes;
}

static int fail(struct job *job, const char *what, const char *path)
{
    settle_error error = {.status = SETTLE_E_IO, .cause_errno = errno};
    report_text(&error, "%s %s: %s", what, path, strerror(errno));
    return report_error(job->invocation, SETTLE_E_IO, &error);
}

static int make_directory(struct job *job)
{
    const struct invocation *inv = job->invocation;
    const char *parent = invocation_option(inv, OPTION_DIRECTORY);
    size_t bytes = parent != NULL ? strlen(parent) : parent_bytes(inv->directory);
    parent = parent != NULL ? parent : inv->directory;
    if (bytes == 0) {
        parent = ".";
        bytes = 1;
    }
    if (bytes + sizeof TEMPORARY_NAME + 1 > sizeof job->directory) {
        errno = ENAMETOOLONG;
        return fail(job, "cannot make a directory below", parent);
    }
    snprintf(job->directory, sizeof job->directory, "%.*s/" TEMPORARY_NAME, (int)bytes, parent);
    if (mkdtemp(job->directory) == NULL)
        return fail(job, "cannot make the directory", job->directory);
    job->bench.directory = job->directory;
    return EXIT_DONE;
}

/* Before anything is measured: a name that cannot be written is told at once. */
static int open_chart(struct job *job)
{
    if (job->chart_path == NULL)
        return EXIT_DONE;
    job->chart_fd = open(job->chart_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return job->chart_fd >= 0 ? EXIT_DONE : fail(job, "cannot write", job->chart_path);
}

static bool chart_sink(void *context, const char *bytes, size_t count)
{
    const struct job *job = context;
    while (count > 0) {
        ssize_t written = write(job->chart_fd, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

static int write_chart(struct job *job)
{
    static struct out out; /* large */
    if (job->chart_path == NULL)
        return EXIT_DONE;
    out_init(&out, chart_sink, job);
    results_chart(&out, &job->results);
    bool good = out_flush(&out);
    errno = out.failed_errno;
    return good ? EXIT_DONE : fail(job, "cannot write", job->chart_path);
}

/* ---- Running ---- */

static void show_progress(const struct job *job, unsigned run, size_t at)
{
    char line[PROGRESS_BYTES];
    if (!progress_is_wanted(job->invocation))
        return;
    snprintf(line, sizeof line, "run %u of %u: %s", run + 1, job->results.run_count, cases[at].name);
    progress_show(line);
}

static settle_status run_cases(struct job *job, settle_error *error)
{
    settle_status status = bench_events_init(&job->bench, error);
    for (unsigned run = 0; run < job->results.run_count; run++) {
        for (size_t at = 0; at < CASE_COUNT && status == SETTLE_OK && *job->bench.stop == 0; at++) {
            show_progress(job, run, at);
            status = cases[at].run(&job->bench, error);
        }
    }
    if (progress_is_wanted(job->invocation))
        progress_wipe();
    bench_events_deinit(&job->bench);
    return status;
}

static int run(struct job *job)
{
    settle_error error = {0};
    machine_describe(job->bench.directory, &job->results.machine);
    settle_status status = run_cases(job, &error);
    bench_remove_tree(job->bench.directory);
    if (*job->bench.stop != 0)
        return EXIT_SIGNAL + (int)*job->bench.stop;
    if (status == SETTLE_OK) {
        if (job->invocation->as_json)
            results_json(&job->invocation->out, &job->results);
        else
            status = results_table(&job->invocation->out, &job->results);
    }
    return status == SETTLE_OK ? write_chart(job) : report_error(job->invocation, status, &error);
}

int cmd_bench(struct invocation *inv)
{
    static struct job job; /* large */
    job = (struct job){.invocation = inv, .bench.stop = stop_flag(), .chart_fd = -1, .results.bench = &job.bench};
    bench_figures_init(&job.bench);
    int exit_status = parse(&job);
    if (exit_status != EXIT_DONE)
        return exit_status;
    stop_watch();
    exit_status = open_chart(&job);
    if (exit_status == EXIT_DONE)
        exit_status = make_directory(&job);
    if (exit_status == EXIT_DONE)
        exit_status = run(&job);
    if (job.chart_fd >= 0)
        close(job.chart_fd);
    return exit_status;
}
