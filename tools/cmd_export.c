/* cmd_export.c — `settlectl export`: the journal in the formats of other programs. */
#include <unistd.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/stop.h"

#define PROGRESS_INTERVAL_US 200000

struct job {
    bool shows_progress;
    uint64_t started_us, shown_us;
};

static bool go_on(void *context, const struct export_progress *progress)
{
    struct job *job = context;
    uint64_t now_us = job->shows_progress ? progress_now_us() : 0;
    if (job->shows_progress && now_us - job->shown_us >= PROGRESS_INTERVAL_US) {
        char line[PROGRESS_BYTES];
        progress_format(progress->events, now_us - job->started_us, progress->bytes_done, progress->bytes_total, line);
        progress_show(line);
        job->shown_us = now_us;
    }
    return *stop_flag() == 0;
}

int cmd_export(struct invocation *inv)
{
    const char *format = invocation_option(inv, OPTION_FORMAT);
    struct job job = {.started_us = progress_now_us()};
    struct export_options options = {.go_on = go_on, .context = &job};
    settle_error error = {0};
    if (format == NULL)
        return report_usage(inv, "export needs --format hledger, --format csv or --format events");
    if (!export_format_parse(format, &options.format))
        return report_usage(inv, "--format %s: not hledger, csv or events", format);
    /* Not among the data, where both go to one terminal. */
    job.shows_progress = progress_is_wanted(inv) && isatty(STDOUT_FILENO) != 1;
    job.shown_us = job.started_us;
    options.measures = job.shows_progress;
    stop_watch();
    settle_status status = query_export(inv->directory, &options, &inv->out, &error);
    if (job.shows_progress)
        progress_wipe();
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    return *stop_flag() != 0 ? EXIT_SIGNAL + (int)*stop_flag() : EXIT_DONE;
}
