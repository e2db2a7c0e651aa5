/* chart.c — see chart.h. */
#include "tools/bench/chart.h"

#include <math.h>

#define WIDTH 960
#define LABELS_WIDTH 350
#define NOTES_WIDTH 150
#define BARS_WIDTH (WIDTH - LABELS_WIDTH - NOTES_WIDTH)
#define HEAD 76
#define ROW 24
#define FOOT 34

/* XML's five, and no control characters, which it does not allow. */
static void text(struct out *out, const char *words)
{
    for (; *words != '\0'; words++) {
        switch (*words) {
        case '&': out_text(out, "&amp;"); break;
        case '<': out_text(out, "&lt;"); break;
        case '>': out_text(out, "&gt;"); break;
        case '"': out_text(out, "&quot;"); break;
        case '\'': out_text(out, "&apos;"); break;
        default: out_bytes(out, (unsigned char)*words < ' ' ? "?" : words, 1);
        }
    }
}

static void text_at(struct out *out, const char *class, double x, double y, const char *words)
{
    out_format(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    text(out, words);
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

static void head(struct out *out, unsigned height, const char *title, const char *subtitle)
{
    out_format(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" "
               "font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n<title>",
               WIDTH, height, WIDTH, height);
    text(out, title);
    out_text(out, "</title>\n<style>\n"
                  ".page{fill:#ffffff}.title{fill:#1a1a1a;font-size:18px;font-weight:600}\n"
                  ".label{fill:#1a1a1a;text-anchor:end}.note{fill:#1a1a1a}.small{fill:#5f6368}\n"
                  ".tick{fill:#5f6368;text-anchor:middle}.grid{stroke:#dadce0}.bar{fill:#2f6fb3}\n"
                  "@media (prefers-color-scheme: dark){\n"
                  ".page{fill:#16181c}.title,.label,.note{fill:#e8eaed}.small,.tick{fill:#9aa0a6}\n"
                  ".grid{stroke:#3c4043}.bar{fill:#7fb2e6}}\n</style>\n");
    out_format(out, "<rect class=\"page\" width=\"%d\" height=\"%u\"/>\n", WIDTH, height);
    text_at(out, "title", 16, 28, title);
    text_at(out, "small", 16, 50, subtitle);
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
    head(out, (unsigned)bottom + FOOT, title, subtitle);
    scale(out, low, high, bottom);
    for (size_t i = 0; i < count; i++) {
        double y = HEAD + (double)ROW * (double)i;
        double length = BARS_WIDTH * (log10(bars[i].value) - low) / (high - low);
        text_at(out, "label", LABELS_WIDTH - 8, y + 15, bars[i].label);
        out_format(out, "<rect class=\"bar\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
                   LABELS_WIDTH, y + 2, fmax(length, 1), ROW - 6);
        text_at(out, "note", LABELS_WIDTH + fmax(length, 1) + 6, y + 15, bars[i].note);
    }
    out_text(out, "</svg>\n");
}
