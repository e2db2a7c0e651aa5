/* settings.c — see settings.h. Owns the table of settings and nothing else; the file's form is config.c's. */
#include "tools/settings.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config.h"
#include "tools/report.h"

extern char **environ;

#define INTEGER_MAX (UINT64_C(1) << 53) /* what every JSON reader holds exactly */
#define ENVIRONMENT_PREFIX "SETTLE_"
#define PREFIX_BYTES (sizeof ENVIRONMENT_PREFIX - 1)

#define ENGINE(member) offsetof(struct settings, engine.member)
#define LINES(member) offsetof(struct settings, lines.member)

const struct setting setting_table[SETTING_COUNT] = {
    {"commit_events_max", SETTING_U32, 1, 65536, ENGINE(commit_events_max)},
    {"commit_interval_us_max", SETTING_U32, 0, 60000000, ENGINE(commit_interval_us_max)},
    {"checkpoint_interval_ms", SETTING_U32, 1, 86400000, ENGINE(checkpoint_interval_ms)},
    {"checkpoint_events_max", SETTING_U32, 1, 4194304, ENGINE(checkpoint_events_max)},
    {"lines.rotate_bytes", SETTING_U64, 0, INTEGER_MAX, LINES(rotate_bytes)},
    {"lines.keep_days", SETTING_U32, 0, 36500, LINES(keep_days)},
    {"lines.keep_bytes", SETTING_U64, 0, INTEGER_MAX, LINES(keep_bytes)},
    {"lines.compress", SETTING_BOOL, 0, 1, LINES(compress)},
    {"lines.sample_per_million", SETTING_U32, 0, 1000000, LINES(sample_per_million)},
    {"lines.free_bytes_min", SETTING_U64, 0, INTEGER_MAX, LINES(free_bytes_min)},
};

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settle_options_init(&settings->engine);
    settle_lines_options_init(&settings->lines);
}

/* ---- One setting ---- */

uint64_t setting_get(const struct settings *settings, size_t index)
{
    uint32_t narrow;
    uint64_t value;
    assert(index < SETTING_COUNT);
    const char *place = (const char *)settings + setting_table[index].offset;
    if (setting_table[index].kind == SETTING_U64) {
        memcpy(&value, place, sizeof value);
        return value;
    }
    memcpy(&narrow, place, sizeof narrow);
    return narrow;
}

bool setting_put(struct settings *settings, size_t index, uint64_t value, struct setting_origin origin)
{
    assert(index < SETTING_COUNT);
    const struct setting *setting = &setting_table[index];
    char *place = (char *)settings + setting->offset;
    if (value < setting->min || value > setting->max)
        return false;
    if (setting->kind == SETTING_U64)
        memcpy(place, &value, sizeof value);
    else
        memcpy(place, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    settings->origins[index] = origin;
    return true;
}

size_t setting_find(const char *name, size_t name_bytes)
{
    size_t index = 0;
    while (index < SETTING_COUNT && (strlen(setting_table[index].name) != name_bytes ||
                                     memcmp(setting_table[index].name, name, name_bytes) != 0))
        index++;
    return index;
}

const char *setting_environment(const struct setting *setting, char ret_name[SETTING_ENVIRONMENT_BYTES])
{
    assert(PREFIX_BYTES + strlen(setting->name) < SETTING_ENVIRONMENT_BYTES);
    memcpy(ret_name, ENVIRONMENT_PREFIX, PREFIX_BYTES);
    size_t i = 0;
    for (; setting->name[i] != '\0'; i++)
        ret_name[PREFIX_BYTES + i] = setting->name[i] == '.' ? '_' : (char)toupper((unsigned char)setting->name[i]);
    ret_name[PREFIX_BYTES + i] = '\0';
    return ret_name;
}

const char *setting_range(const struct setting *setting, char *ret_text, size_t text_bytes)
{
    if (setting->kind == SETTING_BOOL)
        snprintf(ret_text, text_bytes, "true or false");
    else
        snprintf(ret_text, text_bytes, "an integer from %" PRIu64 " to %" PRIu64, setting->min, setting->max);
    return ret_text;
}

static bool parse_integer(const char *text, size_t text_bytes, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text_bytes == 0 || (text[0] == '0' && text_bytes > 1))
        return false;
    for (size_t i = 0; i < text_bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool setting_parse(const struct setting *setting, const char *text, size_t text_bytes, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (setting->kind == SETTING_BOOL) {
        value = text_bytes == 4 && memcmp(text, "true", 4) == 0;
        if (value == 0 && (text_bytes != 5 || memcmp(text, "false", 5) != 0))
            return false;
    } else if (!parse_integer(text, text_bytes, &value) || value < setting->min || value > setting->max) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* ---- The environment ---- */

/* An empty variable counts as none, as an empty SETTLE_DATA does. */
static int take_environment(const struct invocation *invocation, struct settings *settings)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[SETTING_ENVIRONMENT_BYTES], range[80];
        uint64_t value = 0;
        const char *text = getenv(setting_environment(&setting_table[i], name));
        if (text == NULL || text[0] == '\0')
            continue;
        if (!setting_parse(&setting_table[i], text, strlen(text), &value))
            return report_usage(invocation, "environment variable %s=%.80s: must be %s", name, text,
                                setting_range(&setting_table[i], range, sizeof range));
        (void)setting_put(settings, i, value, (struct setting_origin){.from = FROM_ENVIRONMENT});
    }
    return EXIT_DONE;
}

/* "LINES_", "COMMIT_": what the names of settings begin with. */
static bool has_first_word(const char *name, const char *setting_name)
{
    const char *end = strchr(setting_name, '_');
    return end != NULL && strncmp(name, setting_name, (size_t)(end - setting_name) + 1) == 0;
}

/* A misspelt setting would be without effect and nobody would know; other programs' variables are theirs. */
static void warn_of_unknown(const struct invocation *invocation)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        const char *likest = NULL;
        char known[SETTING_ENVIRONMENT_BYTES], likest_name[SETTING_ENVIRONMENT_BYTES] = "";
        bool is_known = false, is_like = false;
        if (strncmp(*entry, ENVIRONMENT_PREFIX, PREFIX_BYTES) != 0 || equals == NULL)
            continue;
        const char *word = *entry + PREFIX_BYTES;
        size_t word_bytes = (size_t)(equals - word), best = SIZE_MAX;
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            const char *name = setting_environment(&setting_table[i], known) + PREFIX_BYTES;
            is_known |= strlen(name) == word_bytes && memcmp(name, word, word_bytes) == 0;
            is_like |= has_first_word(word, name);
            if (word_is_nearer(word, word_bytes, name, &best))
                likest = strcpy(likest_name, known);
        }
        if (is_known || (likest == NULL && !is_like))
            continue;
        report_warning(invocation, "environment variable %.*s is no setting%s%s; see settlectl config",
                       (int)(equals - *entry), *entry, likest != NULL ? ", did you mean " : "", likest_name);
    }
}

/* ---- --set NAME=VALUE ---- */

static int take_option(const struct invocation *invocation, const char *text, struct settings *settings)
{
    const char *equals = strchr(text, '='), *likest = NULL;
    size_t name_bytes = equals != NULL ? (size_t)(equals - text) : strlen(text), best = SIZE_MAX;
    size_t index = setting_find(text, name_bytes);
    char range[80];
    uint64_t value = 0;
    if (index == SETTING_COUNT) {
        for (size_t i = 0; i < SETTING_COUNT; i++)
            if (word_is_nearer(text, name_bytes, setting_table[i].name, &best))
                likest = setting_table[i].name;
        if (likest != NULL)
            return report_usage(invocation, "--set %.80s: no such setting; did you mean %s?", text, likest);
        return report_usage(invocation, "--set %.80s: no such setting; see settlectl config", text);
    }
    if (equals == NULL || !setting_parse(&setting_table[index], equals + 1, strlen(equals + 1), &value))
        return report_usage(invocation, "--set %.80s: %s must be %s", text, setting_table[index].name,
                            setting_range(&setting_table[index], range, sizeof range));
    (void)setting_put(settings, index, value, (struct setting_origin){.from = FROM_OPTION});
    return EXIT_DONE;
}

int settings_read(const struct invocation *invocation, struct settings *ret_settings)
{
    struct settings settings;
    settle_error error = {0};
    settings_init(&settings);
    settle_status status = config_read(invocation->directory, &settings, &error);
    if (status != SETTLE_OK)
        return report_error(invocation, status, &error);
    int exit_status = take_environment(invocation, &settings);
    for (size_t i = 0; i < invocation->option_count && exit_status == EXIT_DONE; i++)
        if (invocation->options[i].id == OPTION_SET)
            exit_status = take_option(invocation, invocation->options[i].value, &settings);
    if (exit_status != EXIT_DONE)
        return exit_status;
    warn_of_unknown(invocation);
    *ret_settings = settings;
    return EXIT_DONE;
}

const char *settings_describe(const struct settings *settings, char *ret_text, size_t text_bytes)
{
    struct settings defaults;
    settings_init(&defaults);
    ret_text[0] = '\0';
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        size_t used = strlen(ret_text);
        if (setting_get(settings, i) != setting_get(&defaults, i))
            snprintf(ret_text + used, text_bytes - used, "%s%s=%" PRIu64, used > 0 ? " " : "", setting_table[i].name,
                     setting_get(settings, i));
    }
    return ret_text;
}
