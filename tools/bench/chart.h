/* chart.h — a bar chart as SVG, by hand: horizontal bars of rates on a logarithmic scale, for light and dark pages. */
#ifndef TOOLS_BENCH_CHART_H
#define TOOLS_BENCH_CHART_H

#include <stddef.h>

#include "query/print.h"

struct chart_bar {
    const char *label;
    const char *note; /* at the bar's end: the value and what it is of the limit */
    double value;     /* > 0 */
};

/* Texts may hold any characters. */
void chart_print(struct out *out, const char *title, const char *subtitle, const struct chart_bar *bars, size_t count);

#endif
