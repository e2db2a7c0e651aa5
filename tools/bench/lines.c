/* lines.c — see lines.h. */
#include "tools/bench/lines.h"

settle_status bench_lines_start(settle *engine, const char *directory, settle_error *error)
{
    settle_lines_options options;
    settle_lines_options_init(&options);
    options.directory = directory;
    return settle_lines_start(engine, &options, error);
}

settle_status bench_lines_finish(settle *engine, settle_error *error)
{
    return settle_lines_stop(engine, error);
}
