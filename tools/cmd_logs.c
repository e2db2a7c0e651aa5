/* cmd_logs.c — `settlectl logs verify` and `settlectl logs rebuild`. */
#include <inttypes.h>
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"
#include "tools/settings.h"

static void verify_json(struct invocation *inv, const struct logs_result *result)
{
    const struct logs_counts *counts = &result->counts;
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_bool(&json, "ok", result->ok);
    json_bool(&json, "empty", result->is_empty);
    json_u64(&json, "files", counts->files);
    json_u64(&json, "lines", counts->lines);
    json_u64(&json, "bytes", counts->bytes);
    json_u64(&json, "lines_before", counts->lines_before);
    json_u64(&json, "lines_after", counts->lines_after);
    json_u64(&json, "torn_bytes", counts->torn_bytes);
    if (!result->ok && !result->is_empty) {
        json_object(&json, "difference");
        json_string(&json, "file", result->file[0] != '\0' ? result->file : NULL);
        json_u64(&json, "line", result->line);
        json_u64(&json, "byte", result->byte);
        json_string(&json, "message", result->difference);
        json_object_end(&json);
    }
    json_object_end(&json);
    json_line_end(&json);
}

static void show_difference(struct out *out, const struct logs_result *result)
{
    out_text(out, "NOT ok: ");
    out_visible(out, result->difference);
    if (result->file[0] != '\0') {
        out_text(out, "\n  file ");
        out_visible(out, result->file);
        out_format(out, ", line %" PRIu64 ", byte %" PRIu64, result->line, result->byte);
    }
    out_text(out, "\n");
}

static settle_status verify_text(struct invocation *inv, const struct logs_result *result)
{
    static const struct table_column columns[] = {{"", false}, {"", true}};
    const struct logs_counts *counts = &result->counts;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"files", counts->files},
                {"lines", counts->lines},
                {"bytes", counts->bytes},
                {"lines before the oldest file", counts->lines_before},
                {"lines not written yet", counts->lines_after},
                {"torn bytes", counts->torn_bytes}};
    struct table table;
    char number[PRINT_U64_BYTES];
    if (result->ok)
        out_text(&inv->out, "ok\n");
    else if (result->is_empty)
        out_text(&inv->out, "nothing to check: the journal holds no event, and there is no line\n");
    else
        show_difference(&inv->out, result);
    table_init(&table, columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table_cell(&table, rows[i].name);
        table_cell(&table, print_u64(rows[i].value, number));
    }
    return table_print(&table, &inv->out, 2);
}

static int logs_verify(struct invocation *inv, const settle_lines_options *lines)
{
    struct logs_result result = {0};
    settle_error error = {0};
    settle_status status = query_logs_verify(inv->directory, lines, &result, &error);
    if (status == SETTLE_OK && inv->as_json)
        verify_json(inv, &result);
    else if (status == SETTLE_OK)
        status = verify_text(inv, &result);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    return result.ok ? EXIT_DONE : EXIT_NEGATIVE;
}

static int logs_rebuild(struct invocation *inv, const settle_lines_options *lines)
{
    struct logs_rebuilt rebuilt = {0};
    settle_error error = {0};
    settle_status status =
        query_logs_rebuild(inv->directory, lines, invocation_option(inv, OPTION_DAY), &rebuilt, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    for (size_t i = 0; i < rebuilt.count; i++) {
        const struct logs_day *day = &rebuilt.days[i];
        if (inv->as_json) {
            struct json json = json_on(&inv->out);
            json_object(&json, NULL);
            json_string(&json, "day", day->day);
            json_string(&json, "file", day->file);
            json_u64(&json, "lines", day->lines);
            json_u64(&json, "bytes", day->bytes);
            json_object_end(&json);
            json_line_end(&json);
        } else if (!inv->is_quiet) {
            out_format(&inv->out, "%s: %" PRIu64 " line%s, %" PRIu64 " bytes in %s\n", day->day, day->lines,
                       print_plural(day->lines), day->bytes, day->file);
        }
    }
    logs_rebuilt_free(&rebuilt);
    return EXIT_DONE;
}

int cmd_logs(struct invocation *inv)
{
    struct settings settings;
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR), *job = inv->arguments[0];
    bool is_verify = strcmp(job, "verify") == 0;
    if (!is_verify && strcmp(job, "rebuild") != 0)
        return report_usage(inv, "logs %s: it is logs verify or logs rebuild", job);
    if (is_verify && invocation_option(inv, OPTION_DAY) != NULL)
        return report_usage(inv, "logs verify takes no --day: it checks every file that is there");
    int exit_status = settings_read(inv, &settings);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settings.lines.directory = log_directory != NULL ? log_directory : "logs";
    return is_verify ? logs_verify(inv, &settings.lines) : logs_rebuild(inv, &settings.lines);
}
