/* lines.h — the JSON lines of an engine, all of them, for the benchmarks. */
#ifndef TOOLS_BENCH_LINES_H
#define TOOLS_BENCH_LINES_H

#include <settle/settle.h>

/* Every step of every event goes to `directory` from here on. */
settle_status bench_lines_start(settle *engine, const char *directory, settle_error *error);
/* Returns when everything durable has its lines. */
settle_status bench_lines_finish(settle *engine, settle_error *error);

#endif
