/*
 * plot.h — a balance as a step line: the axes, and what each column of a drawing shows. Integers only: amounts stay minor
 * units until they become pixels. plot_text.c draws it in a terminal, plot_svg.c as SVG.
 */
#ifndef TOOLS_PLOT_H
#define TOOLS_PLOT_H

#include "query/print.h"

struct plot_point {
    uint64_t x; /* never less than the point's before */
    settle_int128 balance;
};

enum plot_x {
    PLOT_TIME_MS, /* x is milliseconds since 1970, UTC */
    PLOT_NUMBER,  /* x is a plain number */
};

struct plot {
    const char *title, *subtitle, *note; /* three lines above the drawing */
    const struct plot_point *points;     /* borrowed; at least one */
    size_t count;
    settle_int128 before; /* the balance that the first point changed */
    uint8_t scale;        /* decimals of the amounts */
    enum plot_x x;
};

/* ---- Amounts, upwards ---- */

struct plot_amounts {
    settle_int128 low, high; /* the ends of the axis; high is greater */
    settle_int128 first;     /* the lowest tick */
    settle_int128 step;      /* > 0, 1, 2 or 5 times a power of ten */
    unsigned tick_count;
};
/* An axis that holds every balance of the plot, with at most ticks_max (3 or more) ticks where 128 bits allow it. */
void plot_amounts(const struct plot *plot, unsigned ticks_max, struct plot_amounts *ret_amounts);
settle_int128 plot_amounts_tick(const struct plot_amounts *amounts, unsigned index);
/* Steps of `pixels` above the low end, rounded: 0 … pixels. */
uint32_t plot_amounts_pixel(const struct plot_amounts *amounts, settle_int128 balance, uint32_t pixels);

/* ---- Along the bottom ---- */

#define PLOT_TICKS_MAX 64u
#define PLOT_LABEL_BYTES 24u

struct plot_tick {
    uint64_t x;
    char label[PLOT_LABEL_BYTES];
};
/* Where the axis ends: a little behind the last point, so that its balance is seen. Greater than the first point's x. */
uint64_t plot_x_end(const struct plot *plot);
/* Sensible places, at most ticks_max of them. Returns how many. */
size_t plot_x_ticks(const struct plot *plot, size_t ticks_max, struct plot_tick ret_ticks[PLOT_TICKS_MAX]);
/* Steps of `pixels` behind the first point, rounded: 0 … pixels. */
uint32_t plot_x_pixel(const struct plot *plot, uint64_t x, uint32_t pixels);

/* ---- Columns ---- */

/* What one column shows. Thousands of points in it lose nothing that can be seen: lowest and highest stay. */
struct plot_column {
    settle_int128 low, high; /* every balance in this column, the one it begins with included */
    settle_int128 last;      /* the one it ends with */
    bool has_change;
};
void plot_columns(const struct plot *plot, size_t column_count, struct plot_column *ret_columns);

/* ---- Drawings ---- */

struct plot_screen {
    uint32_t columns; /* of characters, of the whole drawing */
    uint32_t rows;    /* of the part with the line */
    bool is_utf8;     /* braille and box characters, else ASCII */
    bool has_colour;
};
/* SETTLE_E_NO_MEMORY: nothing was printed. */
SETTLE_CHECKED settle_status plot_print_text(struct out *out, const struct plot *plot,
                                             const struct plot_screen *screen);
SETTLE_CHECKED settle_status plot_print_svg(struct out *out, const struct plot *plot);

#endif
