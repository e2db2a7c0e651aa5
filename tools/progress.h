/* progress.h — the line on a terminal that says how far ingest is: events, events a second, share of the input. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include "tools/command.h"

#define PROGRESS_BYTES 128

uint64_t progress_now_us(void); /* monotonic */
/* The line, without the codes that place it. bytes_total 0: unknown, no bar. */
void progress_format(uint64_t events, uint64_t elapsed_us, uint64_t bytes_read, uint64_t bytes_total,
                     char ret_line[PROGRESS_BYTES]);
/* Whether there is a terminal to show it on, and nobody asked for quiet or JSON. */
bool progress_is_wanted(const struct invocation *invocation);
void progress_show(const char *line);
void progress_wipe(void);

#endif
