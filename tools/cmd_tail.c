/* cmd_tail.c — `settlectl tail`: the JSON lines on standard output, or kept in files by a process that is not the
 * writer. */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"
#include "tools/settings.h"
#include "tools/stop.h"

struct job {
    struct invocation *invocation;
    bool watches_output; /* it matters whether anybody still reads */
    bool reader_left;
};

/* Waits on standard output, which tells when a pipe's reader leaves; a signal ends the wait. */
static bool go_on(void *context, unsigned wait_ms)
{
    struct job *job = context;
    struct pollfd output = {.fd = job->watches_output ? STDOUT_FILENO : -1};
    if (*stop_flag() == 0 && wait_ms > 0 && poll(&output, 1, (int)wait_ms) > 0 && (output.revents & POLLERR) != 0)
        job->reader_left = true;
    return *stop_flag() == 0 && !job->reader_left;
}

static void on_log(void *context, settle_log_level level, const char *message)
{
    report_log(((const struct job *)context)->invocation, level, message);
}

static int take_options(const struct invocation *inv, struct tail_options *options)
{
    const char *from = invocation_option(inv, OPTION_FROM), *format = invocation_option(inv, OPTION_FORMAT);
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR);
    if (from != NULL && !query_u64_parse(from, &options->from_seq))
        return report_usage(inv, "--from %s: not a sequence number", from);
    if (format != NULL && !tail_format_parse(format, &options->format))
        return report_usage(inv, "--format %s: not settle, ecs or otlp", format);
    if (log_directory != NULL && (from != NULL || format != NULL))
        return report_usage(
            inv, "the files of --log-dir go on where they ended, in the format settle: no --from, no --format");
    if (log_directory == NULL && invocation_option(inv, OPTION_SET) != NULL)
        return report_usage(inv, "--set is for the files of --log-dir");
    options->follow = invocation_option(inv, OPTION_FOLLOW) != NULL;
    return EXIT_DONE;
}

int cmd_tail(struct invocation *inv)
{
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR);
    struct job job = {.invocation = inv, .watches_output = log_directory == NULL};
    struct tail_options options = {.go_on = go_on, .log = on_log, .context = &job};
    struct settings settings;
    settle_error error = {0};
    int exit_status = take_options(inv, &options);
    if (exit_status != EXIT_DONE)
        return exit_status;
    stop_watch();
    if (log_directory != NULL && (exit_status = settings_read(inv, &settings)) != EXIT_DONE)
        return exit_status;
    settle_status status = SETTLE_OK;
    if (log_directory == NULL) {
        status = query_tail(inv->directory, &options, &inv->out, &error);
    } else {
        settings.lines.directory = log_directory;
        status = query_tail_files(inv->directory, &settings.lines, &options, &error);
    }
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (job.reader_left)
        return EXIT_SIGNAL + SIGPIPE; /* as if it had been told by a write */
    return *stop_flag() != 0 ? EXIT_SIGNAL + (int)*stop_flag() : EXIT_DONE;
}
