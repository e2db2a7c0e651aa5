/*
 * settings.h — what an operator may set of the engine that ingest opens and of the JSON lines: a table of settings, and
 * where each value came from. An option of the command line outdoes the environment, that settle.json of the data
 * directory, and that the default.
 */
#ifndef TOOLS_SETTINGS_H
#define TOOLS_SETTINGS_H

#include <settle/settle.h>

#include "tools/command.h"

#define SETTING_COUNT 10
#define SETTING_ENVIRONMENT_BYTES 40

enum setting_kind { SETTING_U32, SETTING_U64, SETTING_BOOL };

struct setting {
    const char *name; /* "lines.keep_days": the member keep_days of the object "lines" */
    enum setting_kind kind;
    uint64_t min, max;
    size_t offset; /* in struct settings */
};
extern const struct setting setting_table[SETTING_COUNT];

enum setting_from { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_OPTION };

struct setting_origin {
    enum setting_from from;
    size_t line, byte; /* in the file; both from 1 */
};

struct settings {
    settle_options engine;
    settle_lines_options lines;
    struct setting_origin origins[SETTING_COUNT];
};
void settings_init(struct settings *settings); /* the defaults */

/* A value that the library works out for itself where nobody sets it. */
#define SETTING_AUTOMATIC UINT64_MAX
uint64_t setting_get(const struct settings *settings, size_t index);
/* False where the value is out of range. */
bool setting_put(struct settings *settings, size_t index, uint64_t value, struct setting_origin origin);
/* Index of a name; SETTING_COUNT when there is none. */
size_t setting_find(const char *name, size_t name_bytes);
/* "SETTLE_LINES_KEEP_DAYS" of "lines.keep_days". Returns ret_name. */
const char *setting_environment(const struct setting *setting, char ret_name[SETTING_ENVIRONMENT_BYTES]);
/* "an integer from 1 to 65536" or "true or false". Returns ret_text. */
const char *setting_range(const struct setting *setting, char *ret_text, size_t text_bytes);
/* Digits, no sign, no leading zero; or "true", "false". False: it is none, or out of range. */
bool setting_parse(const struct setting *setting, const char *text, size_t text_bytes, uint64_t *ret_value);

/*
 * All settings for the directory of an invocation. What is wrong is reported, with its place: settle.json's line and
 * byte, the variable's name, or the option. A variable that looks like a misspelt setting is warned of; others that
 * begin with SETTLE_ are passed over. Returns EXIT_DONE or the exit status; *ret_settings is untouched then.
 */
int settings_read(const struct invocation *invocation, struct settings *ret_settings);

/* "commit_events_max=64 lines.keep_days=30": what is not as by default. Returns ret_text. */
const char *settings_describe(const struct settings *settings, char *ret_text, size_t text_bytes);

#endif
