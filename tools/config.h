/* config.h — settle.json in a data directory: the file's form; what may be set stands in settings.h. */
#ifndef TOOLS_CONFIG_H
#define TOOLS_CONFIG_H

#include "tools/settings.h"

#define CONFIG_NAME "settle.json"

/*
 * Changes what the file sets in *settings, with its place, and leaves the rest. A missing file is no error.
 * SETTLE_E_INVALID: the file is no JSON object, or a member is unknown, given twice, of the wrong type or out of range;
 * error->offset_bytes and the text name the place.
 */
SETTLE_CHECKED settle_status config_read(const char *directory, struct settings *settings, settle_error *error);
/* The same from text, behind which there is a byte 0; `file` is what messages call it. */
SETTLE_CHECKED settle_status config_parse(const char *text, size_t bytes, const char *file, struct settings *settings,
                                          settle_error *error);

#endif
