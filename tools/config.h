/* config.h — settle.json in a data directory: settings of the engine that ingest opens, and of the JSON lines. */
#ifndef TOOLS_CONFIG_H
#define TOOLS_CONFIG_H

#include <settle/settle.h>

struct settings {
    settle_options engine;
    settle_lines_options lines; /* the object "lines" */
};
void settings_init(struct settings *settings); /* the defaults */

/*
 * Changes what the file sets in *settings and leaves the rest. A missing file is no error. SETTLE_E_INVALID: the file
 * is no JSON object, or a member is unknown, given twice, of the wrong type or out of range; error->offset_bytes and
 * the text name the place.
 */
SETTLE_CHECKED settle_status config_read(const char *directory, struct settings *settings, settle_error *error);
/* The same from text; `file` is what messages call it. */
SETTLE_CHECKED settle_status config_parse(const char *text, size_t bytes, const char *file, struct settings *settings,
                                          settle_error *error);

/* "commit_events_max=64 lines.keep_days=30": what is not as by default. Returns ret_text. */
const char *settings_describe(const struct settings *settings, char *ret_text, size_t text_bytes);

#endif
