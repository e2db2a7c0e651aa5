/* plot_svg.c — a plot as SVG: a file that needs nothing else, one step line, a grid, light and dark. */
#include <stdlib.h>
#include <string.h>

#include "tools/plot.h"
#include "tools/svg.h"

#define LINE_WIDTH 720u /* of the part with the line, one column a pixel */
#define LINE_HEIGHT 300u
#define TOP 96u
#define RIGHT 40u
#define FOOT 44u
#define DIGIT_WIDTH 8u /* of an amount's character, at most */
#define TENTHS 10u     /* pixels upwards are drawn to a tenth */
#define AMOUNT_TICKS 8u
#define X_TICKS 7u

struct drawing {
    struct out *out;
    const struct plot *plot;
    struct plot_amounts amounts;
    unsigned left; /* where the line's part begins */
};

/* "y" in tenths of a pixel from the top. */
static unsigned y_tenths(const struct drawing *d, settle_int128 balance)
{
    return (TOP + LINE_HEIGHT) * TENTHS - plot_amounts_pixel(&d->amounts, balance, LINE_HEIGHT * TENTHS);
}

static void line(const struct drawing *d, const char *class, unsigned x1, unsigned y1, unsigned x2, unsigned y2)
{
    out_format(d->out, "<line class=\"%s\" x1=\"%u\" y1=\"%u.%u\" x2=\"%u\" y2=\"%u.%u\"/>\n", class, x1, y1 / TENTHS,
               y1 % TENTHS, x2, y2 / TENTHS, y2 % TENTHS);
}

static void text_at(const struct drawing *d, const char *class, unsigned x, unsigned y, const char *words)
{
    out_format(d->out, "<text class=\"%s\" x=\"%u\" y=\"%u.%u\">", class, x, y / TENTHS, y % TENTHS);
    svg_words(d->out, words);
    out_text(d->out, "</text>\n");
}

static void print_amounts(const struct drawing *d)
{
    char label[SETTLE_AMOUNT_TEXT_BYTES];
    for (unsigned i = 0; i < d->amounts.tick_count; i++) {
        settle_int128 tick = plot_amounts_tick(&d->amounts, i);
        unsigned y = y_tenths(d, tick);
        line(d, tick == 0 ? "zero" : "grid", d->left, y, d->left + LINE_WIDTH, y);
        settle_amount_format(tick, d->plot->scale, label);
        text_at(d, "label", d->left - 8, y + 4 * TENTHS, label);
    }
}

static void print_x(const struct drawing *d)
{
    struct plot_tick ticks[PLOT_TICKS_MAX];
    size_t count = plot_x_ticks(d->plot, X_TICKS, ticks);
    unsigned bottom = (TOP + LINE_HEIGHT) * TENTHS;
    for (size_t i = 0; i < count; i++) {
        unsigned x = d->left + plot_x_pixel(d->plot, ticks[i].x, LINE_WIDTH);
        line(d, "grid", x, TOP * TENTHS, x, bottom + 5 * TENTHS);
        text_at(d, "tick", x, bottom + 20 * TENTHS, ticks[i].label);
    }
}

/* Along to a column with changes, up and down over all its balances, and on from the last of them. */
static void print_path(const struct drawing *d, const struct plot_column *columns, size_t count)
{
    unsigned y = y_tenths(d, d->plot->before);
    out_format(d->out, "<path class=\"line\" d=\"M%u %u.%u", d->left, y / TENTHS, y % TENTHS);
    for (size_t c = 0; c < count; c++) {
        if (!columns[c].has_change)
            continue;
        bool ends_low = columns[c].last == columns[c].low;
        settle_int128 turn = ends_low ? columns[c].high : columns[c].low;
        const unsigned stops[] = {y_tenths(d, turn), y_tenths(d, ends_low ? columns[c].low : columns[c].high),
                            y_tenths(d, columns[c].last)};
        out_format(d->out, "H%zu", d->left + c);
        for (size_t i = 0; i < 3; i++) {
            if (stops[i] != y)
                out_format(d->out, "V%u.%u", stops[i] / TENTHS, stops[i] % TENTHS);
            y = stops[i];
        }
    }
    out_format(d->out, "H%u\"/>\n", d->left + LINE_WIDTH);
}

static unsigned labels_width(const struct drawing *d)
{
    size_t widest = 0;
    char label[SETTLE_AMOUNT_TEXT_BYTES];
    for (unsigned i = 0; i < d->amounts.tick_count; i++) {
        settle_amount_format(plot_amounts_tick(&d->amounts, i), d->plot->scale, label);
        if (strlen(label) > widest)
            widest = strlen(label);
    }
    return (unsigned)widest * DIGIT_WIDTH;
}

settle_status plot_print_svg(struct out *out, const struct plot *plot)
{
    struct drawing d = {.out = out, .plot = plot};
    size_t count = LINE_WIDTH + 1;
    struct plot_column *columns = calloc(count, sizeof *columns);
    if (columns == NULL)
        return SETTLE_E_NO_MEMORY;
    plot_columns(plot, count, columns);
    plot_amounts(plot, AMOUNT_TICKS, &d.amounts);
    d.left = 24 + labels_width(&d);
    svg_begin(out, d.left + LINE_WIDTH + RIGHT, TOP + LINE_HEIGHT + FOOT, plot->title, plot->subtitle,
              ".zero{stroke:#5f6368}.line{fill:none;stroke:#2f6fb3;stroke-width:1.5;stroke-linejoin:round}"
              ".label{font-variant-numeric:tabular-nums}",
              ".zero{stroke:#9aa0a6}.line{stroke:#7fb2e6}");
    text_at(&d, "small", 16, 70 * TENTHS, plot->note);
    print_amounts(&d);
    print_x(&d);
    print_path(&d, columns, count);
    svg_end(out);
    free(columns);
    return SETTLE_OK;
}
