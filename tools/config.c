/*
 * config.c — see config.h. cJSON reads the form; what it lets pass that a setting must not be (numbers that are no
 * integers, members given twice) is checked here, on the text, which also gives the position. Owns nothing beyond the
 * call.
 */
#include "tools/config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_NAME "settle.json"
#define CONFIG_BYTES_MAX ((size_t)64 << 10)

enum setting_kind { SETTING_U32, SETTING_U64, SETTING_BOOL };

struct setting {
    const char *name;
    enum setting_kind kind;
    uint64_t min, max;
    size_t offset; /* in struct settings */
};

#define INTEGER_MAX (UINT64_C(1) << 53) /* what every JSON reader holds exactly */

static const struct setting engine_settings[] = {
    {"commit_events_max", SETTING_U32, 1, 65536, offsetof(struct settings, engine.commit_events_max)},
    {"commit_interval_us_max", SETTING_U32, 0, 60000000, offsetof(struct settings, engine.commit_interval_us_max)},
    {"checkpoint_interval_ms", SETTING_U32, 1, 86400000, offsetof(struct settings, engine.checkpoint_interval_ms)},
    {"checkpoint_events_max", SETTING_U32, 1, 4194304, offsetof(struct settings, engine.checkpoint_events_max)},
};
static const struct setting lines_settings[] = {
    {"rotate_bytes", SETTING_U64, 0, INTEGER_MAX, offsetof(struct settings, lines.rotate_bytes)},
    {"keep_days", SETTING_U32, 0, 36500, offsetof(struct settings, lines.keep_days)},
    {"keep_bytes", SETTING_U64, 0, INTEGER_MAX, offsetof(struct settings, lines.keep_bytes)},
    {"compress", SETTING_BOOL, 0, 1, offsetof(struct settings, lines.compress)},
    {"sample_per_million", SETTING_U32, 0, 1000000, offsetof(struct settings, lines.sample_per_million)},
    {"free_bytes_min", SETTING_U64, 0, INTEGER_MAX, offsetof(struct settings, lines.free_bytes_min)},
};

/* An object of settings: the file's own, and the one that is its member. */
struct group {
    const struct setting *settings;
    size_t count;
    const char *inner_name; /* of the member that is a group; NULL: none */
    const struct group *inner;
};
#define SETTING_COUNT_MAX 8
static const struct group lines_group = {lines_settings, sizeof lines_settings / sizeof lines_settings[0], NULL, NULL};
static const struct group file_group = {engine_settings, sizeof engine_settings / sizeof engine_settings[0], "lines",
                                        &lines_group};

struct config {
    const char *text, *file;
    size_t bytes;
    settle_error *error;
};

__attribute__((format(printf, 3, 4))) static settle_status fault_at(const struct config *config, size_t at,
                                                                    const char *format, ...)
{
    char sentence[200];
    va_list arguments;
    size_t line = 1, byte = 1;
    for (size_t i = 0; i < at && i < config->bytes; i++) {
        byte = config->text[i] == '\n' ? 1 : byte + 1;
        line += config->text[i] == '\n';
    }
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (config->error != NULL) {
        *config->error = (settle_error){.status = SETTLE_E_INVALID, .offset_bytes = at};
        snprintf(config->error->file, sizeof config->error->file, "%s", config->file);
        snprintf(config->error->text, sizeof config->error->text, "%s:%zu:%zu: %s", config->file, line, byte, sentence);
    }
    return SETTLE_E_INVALID;
}

/* Behind white space. */
static size_t skip_space(const struct config *config, size_t at)
{
    while (at < config->bytes && strchr(" \t\r\n", config->text[at]) != NULL)
        at++;
    return at;
}

/* Behind a string or a value that cJSON has found well-formed: nested brackets are passed over, strings kept whole. */
static size_t skip_value(const struct config *config, size_t at)
{
    size_t depth = 0;
    for (bool in_string = false; at < config->bytes; at++) {
        char c = config->text[at];
        if (in_string && c == '\\') {
            at++;
        } else if (c == '"') {
            in_string = !in_string;
            if (!in_string && depth == 0)
                return at + 1;
        } else if (!in_string && (c == '[' || c == '{')) {
            depth++;
        } else if (!in_string && (c == ']' || c == '}' || c == ',')) {
            if (depth == 0)
                return at;
            depth -= c != ',';
            if (depth == 0 && c != ',')
                return at + 1;
        } else if (!in_string && depth == 0 && strchr(": \t\r\n", c) != NULL) {
            return at;
        }
    }
    return at;
}

/* "123" in the text at `at`, up to its end. */
static bool read_integer(const struct config *config, size_t at, size_t end, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (end == at || (config->text[at] == '0' && end - at > 1))
        return false;
    for (size_t i = at; i < end; i++) {
        if (config->text[i] < '0' || config->text[i] > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(config->text[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static settle_status take_value(const struct config *config, const cJSON *member, size_t at, size_t end,
                                const struct setting *setting, struct settings *settings)
{
    uint64_t value = 0;
    void *place = (char *)settings + setting->offset;
    if (setting->kind == SETTING_BOOL) {
        if (!cJSON_IsBool(member))
            return fault_at(config, at, "\"%s\" must be true or false", setting->name);
        value = cJSON_IsTrue(member) ? 1 : 0;
    } else if (!read_integer(config, at, end, &value) || value < setting->min || value > setting->max) {
        return fault_at(config, at, "\"%s\" must be an integer from %" PRIu64 " to %" PRIu64, setting->name,
                        setting->min, setting->max);
    }
    if (setting->kind == SETTING_U64)
        memcpy(place, &value, sizeof value);
    else
        memcpy(place, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    return SETTLE_OK;
}

static settle_status take_members(const struct config *config, const cJSON *object, size_t at,
                                  const struct group *group, struct settings *settings);

static settle_status take_member(const struct config *config, const cJSON *member, size_t key_at, size_t value_at,
                                 size_t value_end, const struct group *group, bool seen[SETTING_COUNT_MAX],
                                 struct settings *settings)
{
    bool is_inner = group->inner != NULL && strcmp(member->string, group->inner_name) == 0;
    size_t index = 0;
    while (index < group->count && strcmp(member->string, group->settings[index].name) != 0)
        index++;
    if (index == group->count && !is_inner)
        return fault_at(config, key_at, "unknown member \"%.64s\"", member->string);
    if (seen[index])
        return fault_at(config, key_at, "member \"%s\" is given twice", member->string);
    seen[index] = true;
    if (!is_inner)
        return take_value(config, member, value_at, value_end, &group->settings[index], settings);
    if (!cJSON_IsObject(member))
        return fault_at(config, value_at, "\"%s\" must be an object", group->inner_name);
    return take_members(config, member, value_at, group->inner, settings);
}

/* Walks the members that cJSON found and, in step, their places in the text; the object's brace is at `at`. */
static settle_status take_members(const struct config *config, const cJSON *object, size_t at,
                                  const struct group *group, struct settings *settings)
{
    bool seen[SETTING_COUNT_MAX] = {false};
    settle_status status = SETTLE_OK;
    const cJSON *member;
    at++;
    cJSON_ArrayForEach(member, object)
    {
        size_t key_at = skip_space(config, at);
        size_t value_at = skip_space(config, skip_space(config, skip_value(config, key_at)) + 1);
        size_t value_end = skip_value(config, value_at);
        status = take_member(config, member, key_at, value_at, value_end, group, seen, settings);
        if (status != SETTLE_OK)
            return status;
        at = skip_space(config, value_end) + 1; /* behind the comma */
    }
    return SETTLE_OK;
}

settle_status config_parse(const char *text, size_t bytes, const char *file, struct settings *settings,
                           settle_error *error)
{
    const struct config config = {text, file, bytes, error};
    struct settings changed = *settings;
    const char *end = text;
    if (memchr(text, '\0', bytes) != NULL)
        return fault_at(&config, strlen(text), "a byte 0 is no JSON");
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return fault_at(&config, 0, "a byte-order mark is no JSON");
    cJSON *root = cJSON_ParseWithLengthOpts(text, bytes + 1, &end, true);
    settle_status status;
    if (root == NULL)
        status = fault_at(&config, (size_t)(end - text), "no JSON here");
    else if (!cJSON_IsObject(root))
        status = fault_at(&config, skip_space(&config, 0), "not a JSON object");
    else
        status = take_members(&config, root, skip_space(&config, 0), &file_group, &changed);
    cJSON_Delete(root);
    if (status == SETTLE_OK)
        *settings = changed;
    return status;
}

static settle_status file_fault(settle_error *error, const char *path)
{
    settle_error fault = {.status = SETTLE_E_IO, .cause_errno = errno};
    snprintf(fault.file, sizeof fault.file, "%s", path);
    snprintf(fault.text, sizeof fault.text, "cannot read %.200s: %s", path, strerror(errno));
    if (error != NULL)
        *error = fault;
    return SETTLE_E_IO;
}

void settings_init(struct settings *settings)
{
    settle_options_init(&settings->engine);
    settle_lines_options_init(&settings->lines);
}

settle_status config_read(const char *directory, struct settings *settings, settle_error *error)
{
    size_t path_bytes = strlen(directory) + sizeof CONFIG_NAME + 1;
    char *path = malloc(path_bytes), *text = malloc(CONFIG_BYTES_MAX + 2);
    FILE *file = NULL;
    settle_status status = SETTLE_OK;
    if (path == NULL || text == NULL) {
        errno = ENOMEM;
        status = file_fault(error, CONFIG_NAME);
        goto release;
    }
    snprintf(path, path_bytes, "%s/%s", directory, CONFIG_NAME);
    file = fopen(path, "re");
    if (file == NULL) {
        status = errno == ENOENT || errno == ENOTDIR ? SETTLE_OK : file_fault(error, path);
        goto release;
    }
    size_t bytes = fread(text, 1, CONFIG_BYTES_MAX + 1, file);
    text[bytes] = '\0';
    if (ferror(file))
        status = file_fault(error, path);
    else if (bytes > CONFIG_BYTES_MAX)
        status = fault_at(&(struct config){text, path, bytes, error}, CONFIG_BYTES_MAX, "longer than 65536 bytes");
    else
        status = config_parse(text, bytes, path, settings, error);
release:
    if (file != NULL)
        (void)fclose(file);
    free(text);
    free(path);
    return status;
}

/* ---- What a file has set ---- */

static uint64_t value_of(const struct settings *settings, const struct setting *setting)
{
    uint32_t narrow;
    uint64_t value;
    const char *place = (const char *)settings + setting->offset;
    if (setting->kind == SETTING_U64) {
        memcpy(&value, place, sizeof value);
        return value;
    }
    memcpy(&narrow, place, sizeof narrow);
    return narrow;
}

static void describe_group(const struct group *group, const char *prefix, const struct settings *settings,
                           char *ret_text, size_t text_bytes)
{
    struct settings defaults;
    settings_init(&defaults);
    for (size_t i = 0; i < group->count; i++) {
        const struct setting *setting = &group->settings[i];
        uint64_t value = value_of(settings, setting);
        size_t used = strlen(ret_text);
        if (value != value_of(&defaults, setting))
            snprintf(ret_text + used, text_bytes - used, "%s%s%s=%" PRIu64, used > 0 ? " " : "", prefix, setting->name,
                     value);
    }
}

const char *settings_describe(const struct settings *settings, char *ret_text, size_t text_bytes)
{
    ret_text[0] = '\0';
    describe_group(&file_group, "", settings, ret_text, text_bytes);
    describe_group(&lines_group, "lines.", settings, ret_text, text_bytes);
    return ret_text;
}
