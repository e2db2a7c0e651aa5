/* svg.c — see svg.h. Owns nothing. */
#include "tools/svg.h"

void svg_words(struct out *out, const char *words)
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

static void head_text(struct out *out, const char *class, unsigned y, const char *words)
{
    out_format(out, "<text class=\"%s\" x=\"16.0\" y=\"%u.0\">", class, y);
    svg_words(out, words);
    out_text(out, "</text>\n");
}

void svg_begin(struct out *out, unsigned width, unsigned height, const char *title, const char *subtitle,
               const char *style, const char *dark_style)
{
    out_format(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" width=\"%u\" height=\"%u\" "
               "font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n<title>",
               width, height, width, height);
    svg_words(out, title);
    out_text(out, "</title>\n<style>\n"
                  ".page{fill:#ffffff}.title{fill:#1a1a1a;font-size:18px;font-weight:600}\n"
                  ".label{fill:#1a1a1a;text-anchor:end}.note{fill:#1a1a1a}.small{fill:#5f6368}\n"
                  ".tick{fill:#5f6368;text-anchor:middle}.grid{stroke:#dadce0}");
    out_text(out, style);
    out_text(out, "\n@media (prefers-color-scheme: dark){\n"
                  ".page{fill:#16181c}.title,.label,.note{fill:#e8eaed}.small,.tick{fill:#9aa0a6}\n"
                  ".grid{stroke:#3c4043}");
    out_text(out, dark_style);
    out_text(out, "}\n</style>\n");
    out_format(out, "<rect class=\"page\" width=\"%u\" height=\"%u\"/>\n", width, height);
    head_text(out, "title", 28, title);
    head_text(out, "small", 50, subtitle);
}

void svg_end(struct out *out)
{
    out_text(out, "</svg>\n");
}
