/* cmd_config.c — `settlectl config`: every setting, its value, and where that came from. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/config.h"
#include "tools/report.h"
#include "tools/settings.h"

#define WHERE_BYTES 4200

static const char *const from_names[] = {
    [FROM_DEFAULT] = "default", [FROM_FILE] = "file", [FROM_ENVIRONMENT] = "environment", [FROM_OPTION] = "option"};

/* "bank/settle.json:3:5", "SETTLE_LINES_KEEP_DAYS", "--set"; NULL of a default. */
static const char *where(const struct invocation *inv, const struct setting_origin *origin,
                         const struct setting *setting, char ret_text[WHERE_BYTES])
{
    switch (origin->from) {
    case FROM_OPTION: return "--set";
    case FROM_ENVIRONMENT: return setting_environment(setting, ret_text);
    case FROM_FILE:
        snprintf(ret_text, WHERE_BYTES, "%s/" CONFIG_NAME ":%zu:%zu", inv->directory, origin->line, origin->byte);
        return ret_text;
    case FROM_DEFAULT: break;
    }
    return NULL;
}

static const char *data_where(const struct invocation *inv, const char **ret_from)
{
    const char *environment = getenv("SETTLE_DATA");
    bool is_set = environment != NULL && environment[0] != '\0';
    *ret_from = from_names[is_set ? FROM_ENVIRONMENT : FROM_DEFAULT];
    if (invocation_option(inv, OPTION_DATA) == NULL)
        return is_set ? "SETTLE_DATA" : NULL;
    *ret_from = from_names[FROM_OPTION];
    return "--data";
}

static void value_json(struct json *json, const struct setting *setting, uint64_t value)
{
    if (value == SETTING_AUTOMATIC)
        json_null(json, "value");
    else if (setting->kind == SETTING_BOOL)
        json_bool(json, "value", value != 0);
    else
        json_u64(json, "value", value);
}

static void config_json(struct invocation *inv, const struct settings *settings)
{
    char text[WHERE_BYTES], name[SETTING_ENVIRONMENT_BYTES];
    const char *from, *data_place = data_where(inv, &from);
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_string(&json, "setting", "data");
    json_string(&json, "value", inv->directory);
    json_string(&json, "from", from);
    json_string(&json, "where", data_place);
    json_string(&json, "environment", "SETTLE_DATA");
    json_object_end(&json);
    json_line_end(&json);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &setting_table[i];
        json_object(&json, NULL);
        json_string(&json, "setting", setting->name);
        value_json(&json, setting, setting_get(settings, i));
        json_string(&json, "from", from_names[settings->origins[i].from]);
        json_string(&json, "where", where(inv, &settings->origins[i], setting, text));
        json_string(&json, "environment", setting_environment(setting, name));
        if (setting->kind != SETTING_BOOL) {
            json_u64(&json, "min", setting->min);
            json_u64(&json, "max", setting->max);
        }
        json_object_end(&json);
        json_line_end(&json);
    }
}

static const char *value_text(const struct setting *setting, uint64_t value, char ret_text[PRINT_U64_BYTES])
{
    if (value == SETTING_AUTOMATIC)
        return "automatic";
    if (setting->kind == SETTING_BOOL)
        return value != 0 ? "true" : "false";
    return print_u64(value, ret_text);
}

static settle_status config_table(struct invocation *inv, const struct settings *settings)
{
    static const struct table_column columns[] = {{"setting", false}, {"value", true}, {"from", false}};
    char text[WHERE_BYTES], number[PRINT_U64_BYTES];
    struct table table;
    const char *from, *place = data_where(inv, &from);
    table_init(&table, columns, 3);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &setting_table[i];
        const char *origin = where(inv, &settings->origins[i], setting, text);
        table_cell(&table, setting->name);
        table_cell(&table, value_text(setting, setting_get(settings, i), number));
        table_cell(&table, origin != NULL ? origin : "default");
    }
    out_text(&inv->out, "data directory ");
    out_visible(&inv->out, inv->directory);
    out_format(&inv->out, " (%s)\n\n", place != NULL ? place : "default");
    return table_print(&table, &inv->out, 0);
}

int cmd_config(struct invocation *inv)
{
    struct settings settings;
    int exit_status = settings_read(inv, &settings);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settle_status status = SETTLE_OK;
    if (inv->as_json)
        config_json(inv, &settings);
    else
        status = config_table(inv, &settings);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &(settle_error){.status = status});
}
