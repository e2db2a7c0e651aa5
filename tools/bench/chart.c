/* chart.c — see chart.h. */
#include "tools/bench/chart.h"

#include <math.h>

#include "tools/svg.h"

#define WIDTH 960
#define LABELS_WIDTH 350
#define NOTES_WIDTH 150
#define BARS_WIDTH (WIDTH - LABELS_WIDTH - NOTES_WIDTH)
#define HEAD 76
#define ROW 24
#define FOOT 34

static void text_at(struct out *out, const char *class, double x, double y, const char *words)
{
    out_format(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    svg_words(out, words);
    out_text(out, "</text>\n");
}

/* Powers of ten around all values. */
static void decades(const struct chart_bar *bars, size_t count, int *ret_low, int *ret_high)
{
    double low = bars[0].value, high = bars[0].value;
    for (size_t i = 1; i < count; i++) {
        low = fmin(low, bars[i].value);
        high = fmax(high, bars[i].value);
    }
    *ret_low = (int)floor(log10(low));
    *ret_high = (int)ceil(log10(high));
    if (*ret_high == *ret_low)
        ++*ret_high;
}

static void scale(struct out *out, int low, int high, double bottom)
{
    static const char *const names[] = {"1",   "10",   "100",   "1 K", "10 K", "100 K",
                                        "1 M", "10 M", "100 M", "1 G", "10 G"};
    for (int power = low; power <= high; power++) {
        double x = LABELS_WIDTH + (double)BARS_WIDTH * (power - low) / (high - low);
        out_format(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x, HEAD - 6, x,
                   bottom);
        if (power >= 0 && (size_t)power < sizeof names / sizeof names[0])
            text_at(out, "tick", x, bottom + 16, names[power]);
    }
    text_at(out, "small", WIDTH - NOTES_WIDTH + 12, bottom + 16, "a second, logarithmic");
}

void chart_print(struct out *out, const char *title, const char *subtitle, const struct chart_bar *bars, size_t count)
{
    int low = 0, high = 1;
    double bottom = HEAD + (double)ROW * (double)count;
    if (count > 0)
        decades(bars, count, &low, &high);
    svg_begin(out, WIDTH, (unsigned)bottom + FOOT, title, subtitle, ".bar{fill:#2f6fb3}", ".bar{fill:#7fb2e6}");
    scale(out, low, high, bottom);
    for (size_t i = 0; i < count; i++) {
        double y = HEAD + (double)ROW * (double)i;
        double length = BARS_WIDTH * (log10(bars[i].value) - low) / (high - low);
        text_at(out, "label", LABELS_WIDTH - 8, y + 15, bars[i].label);
        out_format(out, "<rect class=\"bar\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
                   LABELS_WIDTH, y + 2, fmax(length, 1), ROW - 6);
        text_at(out, "note", LABELS_WIDTH + fmax(length, 1) + 6, y + 15, bars[i].note);
    }
    svg_end(out);
}
