/* svg.h — what every drawing of settlectl shares: the frame of an SVG file, for light and dark pages, and its texts. */
#ifndef TOOLS_SVG_H
#define TOOLS_SVG_H

#include "query/print.h"

/* The opening of a file of width × height pixels, with a page, a title and a subtitle on it. `style` has the rules of the
 * drawing's own classes for light pages, `dark_style` for dark ones; title, small, tick, label, note and grid are there. */
void svg_begin(struct out *out, unsigned width, unsigned height, const char *title, const char *subtitle,
               const char *style, const char *dark_style);
void svg_end(struct out *out);
/* Words may hold any bytes: markup is escaped, and control characters, which XML does not allow, become '?'. */
void svg_words(struct out *out, const char *words);

#endif
