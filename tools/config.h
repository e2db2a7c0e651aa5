/* config.h — settle.json in a data directory: settings of the engine that ingest opens. */
#ifndef TOOLS_CONFIG_H
#define TOOLS_CONFIG_H

#include <settle/settle.h>

/*
 * Changes what the file sets in *options and leaves the rest. A missing file is no error. SETTLE_E_INVALID: the file is
 * no JSON object, or a member is unknown, given twice, of the wrong type or out of range; error->offset_bytes and the
 * text name the place.
 */
SETTLE_CHECKED settle_status config_read(const char *directory, settle_options *options, settle_error *error);
/* The same from text; `file` is what messages call it. */
SETTLE_CHECKED settle_status config_parse(const char *text, size_t bytes, const char *file, settle_options *options,
                                          settle_error *error);

#endif
