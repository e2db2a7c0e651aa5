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

struct setting {
    const char *name;
    uint32_t min, max;
    size_t offset; /* of the uint32_t in settle_options */
};

static const struct setting settings[] = {
    {"commit_events_max", 1, 65536, offsetof(settle_options, commit_events_max)},
    {"commit_interval_us_max", 0, 60000000, offsetof(settle_options, commit_interval_us_max)},
    {"checkpoint_interval_ms", 1, 86400000, offsetof(settle_options, checkpoint_interval_ms)},
    {"checkpoint_events_max", 1, 4194304, offsetof(settle_options, checkpoint_events_max)},
};
#define SETTING_COUNT (sizeof settings / sizeof settings[0])

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

/* "123" in the text at `at`, up to its end, within the setting's range. */
static bool read_integer(const struct config *config, size_t at, size_t end, const struct setting *setting,
                         uint32_t *ret_value)
{
    uint64_t value = 0;
    if (end == at || end - at > 10 || (config->text[at] == '0' && end - at > 1))
        return false;
    for (size_t i = at; i < end; i++) {
        if (config->text[i] < '0' || config->text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(config->text[i] - '0');
    }
    *ret_value = (uint32_t)value;
    return value >= setting->min && value <= setting->max;
}

static settle_status take_member(const struct config *config, const cJSON *member, size_t key_at, size_t value_at,
                                 size_t value_end, settle_options *options, bool seen[SETTING_COUNT])
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        uint32_t value;
        if (strcmp(member->string, setting->name) != 0)
            continue;
        if (seen[i])
            return fault_at(config, key_at, "member \"%s\" is given twice", setting->name);
        if (!read_integer(config, value_at, value_end, setting, &value))
            return fault_at(config, value_at, "\"%s\" must be an integer from %" PRIu32 " to %" PRIu32, setting->name,
                            setting->min, setting->max);
        memcpy((char *)options + setting->offset, &value, sizeof value);
        seen[i] = true;
        return SETTLE_OK;
    }
    return fault_at(config, key_at, "unknown member \"%.64s\"", member->string);
}

/* Walks the members that cJSON found and, in step, their places in the text. */
static settle_status take_members(const struct config *config, const cJSON *root, settle_options *options)
{
    bool seen[SETTING_COUNT] = {false};
    size_t at = skip_space(config, 0) + 1; /* behind the brace */
    settle_status status = SETTLE_OK;
    const cJSON *member;
    cJSON_ArrayForEach(member, root)
    {
        size_t key_at = skip_space(config, at);
        size_t value_at = skip_space(config, skip_space(config, skip_value(config, key_at)) + 1);
        size_t value_end = skip_value(config, value_at);
        status = take_member(config, member, key_at, value_at, value_end, options, seen);
        if (status != SETTLE_OK)
            return status;
        at = skip_space(config, value_end) + 1; /* behind the comma */
    }
    return SETTLE_OK;
}

settle_status config_parse(const char *text, size_t bytes, const char *file, settle_options *options,
                           settle_error *error)
{
    const struct config config = {text, file, bytes, error};
    settle_options changed = *options;
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
        status = take_members(&config, root, &changed);
    cJSON_Delete(root);
    if (status == SETTLE_OK)
        *options = changed;
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

settle_status config_read(const char *directory, settle_options *options, settle_error *error)
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
        status = config_parse(text, bytes, path, options, error);
release:
    if (file != NULL)
        (void)fclose(file);
    free(text);
    free(path);
    return status;
}
