/* history_plot.h — a statement drawn: `settlectl history --plot`, on the terminal or into an SVG file. */
#ifndef TOOLS_HISTORY_PLOT_H
#define TOOLS_HISTORY_PLOT_H

#include "query/query.h"
#include "tools/command.h"

/* What a statement's rows are of. Reports what goes wrong; returns the exit status. `path` NULL: draws on standard output;
 * "-": the SVG goes there. */
int history_plot(struct invocation *invocation, struct query *query, uint64_t user, const settle_asset *asset,
                 const struct history_options *options, const char *path);

#endif
