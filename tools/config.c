/*
 * config.c — see config.h. cJSON reads the form; what it lets pass that a setting must not be (numbers that are no
 * integers, members given twice) is checked here, on the text, which also gives the position. Owns nothing beyond the
 * call.
 */
#include "tools/config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX ((size_t)64 << 10)

struct config {
    const char *text, *file;
    size_t bytes;
    settle_error *error;
};

/* Line and byte of a position, both from 1. */
static void find_place(const struct config *config, size_t at, size_t *ret_line, size_t *ret_byte)
{
    size_t line = 1, byte = 1;
    for (size_t i = 0; i < at && i < config->bytes; i++) {
        byte = config->text[i] == '\n' ? 1 : byte + 1;
        line += config->text[i] == '\n';
    }
    *ret_line = line;
    *ret_byte = byte;
}

__attribute__((format(printf, 3, 4))) static settle_status fault_at(const struct config *config, size_t at,
                                                                    const char *format, ...)
{
    char sentence[200];
    va_list arguments;
    size_t line = 0, byte = 0;
    find_place(config, at, &line, &byte);
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

/* The members of one object: the file's own, or those of a member that is a group of settings ("lines"). */
struct group {
    const char *prefix;             /* of its settings' names: "" or "lines." */
    bool seen[SETTING_COUNT];       /* settings */
    bool seen_inner[SETTING_COUNT]; /* groups, each at its first setting */
};

static settle_status take_value(const struct config *config, size_t key_at, size_t at, size_t end, size_t index,
                                struct settings *settings)
{
    const struct setting *setting = &setting_table[index];
    const char *dot = strchr(setting->name, '.'), *name = dot != NULL ? dot + 1 : setting->name;
    struct setting_origin origin = {.from = FROM_FILE};
    uint64_t value = 0;
    char range[80];
    if (!setting_parse(setting, config->text + at, end - at, &value))
        return fault_at(config, at, "\"%s\" must be %s", name, setting_range(setting, range, sizeof range));
    find_place(config, key_at, &origin.line, &origin.byte);
    (void)setting_put(settings, index, value, origin);
    return SETTLE_OK;
}

/* The first setting of the group that a member of the file names; SETTING_COUNT: it names none. */
static size_t find_group(const char *name)
{
    size_t bytes = strlen(name), index = 0;
    while (index < SETTING_COUNT &&
           (strncmp(setting_table[index].name, name, bytes) != 0 || setting_table[index].name[bytes] != '.'))
        index++;
    return index;
}

static settle_status take_members(const struct config *config, const cJSON *object, size_t at, const char *prefix,
                                  struct settings *settings);

static settle_status take_group(const struct config *config, const cJSON *member, size_t value_at,
                                struct settings *settings)
{
    char prefix[SETTING_ENVIRONMENT_BYTES];
    if (!cJSON_IsObject(member))
        return fault_at(config, value_at, "\"%s\" must be an object", member->string);
    snprintf(prefix, sizeof prefix, "%s.", member->string);
    return take_members(config, member, value_at, prefix, settings);
}

static settle_status take_member(const struct config *config, const cJSON *member, size_t key_at, size_t value_at,
                                 size_t value_end, struct group *group, struct settings *settings)
{
    char name[2 * SETTING_ENVIRONMENT_BYTES];
    int bytes = snprintf(name, sizeof name, "%s%s", group->prefix, member->string);
    size_t index = strchr(member->string, '.') == NULL && (size_t)bytes < sizeof name
                       ? setting_find(name, (size_t)bytes)
                       : SETTING_COUNT;
    size_t inner = group->prefix[0] == '\0' && index == SETTING_COUNT ? find_group(member->string) : SETTING_COUNT;
    if (index == SETTING_COUNT && inner == SETTING_COUNT)
        return fault_at(config, key_at, "unknown member \"%.64s\"", member->string);
    bool *seen = index < SETTING_COUNT ? &group->seen[index] : &group->seen_inner[inner];
    if (*seen)
        return fault_at(config, key_at, "member \"%s\" is given twice", member->string);
    *seen = true;
    if (index == SETTING_COUNT)
        return take_group(config, member, value_at, settings);
    return take_value(config, key_at, value_at, value_end, index, settings);
}

/* Walks the members that cJSON found and, in step, their places in the text; the object's brace is at `at`. */
static settle_status take_members(const struct config *config, const cJSON *object, size_t at, const char *prefix,
                                  struct settings *settings)
{
    struct group group = {.prefix = prefix};
    settle_status status = SETTLE_OK;
    const cJSON *member;
    at++;
    cJSON_ArrayForEach(member, object)
    {
        size_t key_at = skip_space(config, at);
        size_t value_at = skip_space(config, skip_space(config, skip_value(config, key_at)) + 1);
        size_t value_end = skip_value(config, value_at);
        status = take_member(config, member, key_at, value_at, value_end, &group, settings);
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
    /* cJSON takes any of them for white space, and the walk through the text would lose its step. */
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] < 0x20 && (text[i] == '\0' || strchr("\t\r\n", text[i]) == NULL))
            return fault_at(&config, i, "a byte %d is no JSON", text[i]);
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return fault_at(&config, 0, "a byte-order mark is no JSON");
    cJSON *root = cJSON_ParseWithLengthOpts(text, bytes + 1, &end, true);
    settle_status status;
    if (root == NULL)
        status = fault_at(&config, (size_t)(end - text), "no JSON here");
    else if (!cJSON_IsObject(root))
        status = fault_at(&config, skip_space(&config, 0), "not a JSON object");
    else
        status = take_members(&config, root, skip_space(&config, 0), "", &changed);
    cJSON_Delete(root);
    if (status == SETTLE_OK)
        *settings = changed;
    return status;
}

static settle_status file_fault(settle_error *error, const char *path, const char *reason)
{
    settle_error fault = {.status = SETTLE_E_IO, .cause_errno = errno};
    snprintf(fault.file, sizeof fault.file, "%s", path);
    snprintf(fault.text, sizeof fault.text, "cannot read %.200s: %s", path, reason);
    if (error != NULL)
        *error = fault;
    return SETTLE_E_IO;
}

/* Why the settings are not to be believed; NULL: they may be. The administrator, who is root, may have written them. */
static const char *distrust(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "not a regular file";
    if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
        return "it belongs to another user";
    return (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "others may write to it; chmod go-w makes it ours" : NULL;
}

/* NULL without *ret_status: there is none. */
static FILE *file_open(const char *path, settle_status *ret_status, settle_error *error)
{
    /* O_NONBLOCK: a FIFO in its place is refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            *ret_status = file_fault(error, path, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
        return NULL;
    }
    const char *reason = distrust(fd);
    FILE *file = reason == NULL ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        *ret_status = file_fault(error, path, reason != NULL ? reason : strerror(errno));
        (void)close(fd);
    }
    return file;
}

settle_status config_read(const char *directory, struct settings *settings, settle_error *error)
{
    size_t path_bytes = strlen(directory) + sizeof CONFIG_NAME + 1;
    char *path = malloc(path_bytes), *text = malloc(CONFIG_BYTES_MAX + 2);
    FILE *file = NULL;
    settle_status status = SETTLE_OK;
    if (path == NULL || text == NULL) {
        errno = ENOMEM;
        status = file_fault(error, CONFIG_NAME, strerror(errno));
        goto release;
    }
    snprintf(path, path_bytes, "%s/%s", directory, CONFIG_NAME);
    file = file_open(path, &status, error);
    if (file == NULL)
        goto release;
    size_t bytes = fread(text, 1, CONFIG_BYTES_MAX + 1, file);
    text[bytes] = '\0';
    if (ferror(file))
        status = file_fault(error, path, strerror(errno));
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
