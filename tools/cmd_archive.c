/* cmd_archive.c — `settlectl archive`: sealed segments moved to the archive, or all of them back. */
#include <inttypes.h>
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/report.h"

/* An integer from here on is milliseconds (2001), below it is a sequence number: as history --since. */
#define MS_MIN UINT64_C(1000000000000)

/* ---- What is asked for ---- */

/* The first event at or behind a moment. */
static settle_status seq_from(struct invocation *inv, uint64_t time_us, uint64_t *ret_seq, settle_error *error)
{
    struct query *query = NULL;
    uint64_t before = 0;
    if (time_us == 0) {
        *ret_seq = 1;
        return SETTLE_OK;
    }
    settle_status status = query_open(inv->directory, &query, error);
    if (status == SETTLE_OK)
        status = query_seq_at(query, time_us - 1, &before, error);
    query_close(query);
    if (status == SETTLE_OK)
        *ret_seq = before + 1;
    return status;
}

static int take_options(struct invocation *inv, struct archive_options *options)
{
    const char *before = invocation_option(inv, OPTION_BEFORE), *level = invocation_option(inv, OPTION_LEVEL);
    const char *log_directory = invocation_option(inv, OPTION_LOG_DIR);
    uint64_t number = ARCHIVE_LEVEL_DEFAULT, time_us = 0;
    settle_error error = {0};
    if (before == NULL)
        return report_usage(inv, "archive takes --before SEQ|TIME, or --restore");
    if (level != NULL && (!query_u64_parse(level, &number) || number < ARCHIVE_LEVEL_MIN || number > ARCHIVE_LEVEL_MAX))
        return report_usage(inv, "--level %s: not a level, which is %d to %d", level, ARCHIVE_LEVEL_MIN,
                            ARCHIVE_LEVEL_MAX);
    *options = (struct archive_options){.level = (int)number};
    options->log_directory = log_directory != NULL ? log_directory : "logs";
    if (query_u64_parse(before, &options->before_seq) && options->before_seq < MS_MIN)
        return EXIT_DONE;
    if (!query_time_parse(before, query_now_us(), &time_us))
        return report_usage(inv, "--before %s: not a sequence number or a time", before);
    settle_status status = seq_from(inv, time_us, &options->before_seq, &error);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}

/* ---- What was done ---- */

static void show_json(struct invocation *inv, const struct archive_result *result, bool is_restore)
{
    struct json json = json_on(&inv->out);
    for (size_t i = 0; i < result->count; i++) {
        const struct archive_segment *segment = &result->segments[i];
        json_object(&json, NULL);
        json_string(&json, "segment", segment->name);
        json_u64(&json, "first_seq", segment->first_seq);
        if (segment->last_seq != 0)
            json_u64(&json, "last_seq", segment->last_seq);
        else
            json_null(&json, "last_seq");
        json_u64(&json, "bytes_before", is_restore ? segment->packed_bytes : segment->bytes);
        json_u64(&json, "bytes_after", is_restore ? segment->bytes : segment->packed_bytes);
        json_object_end(&json);
        json_line_end(&json);
        json = json_on(&inv->out);
    }
    json_object(&json, NULL);
    json_u64(&json, is_restore ? "restored" : "moved", result->count);
    json_u64(&json, "archived", result->archived);
    if (!is_restore) {
        json_u64(&json, "snapshot_seq", result->snapshot_seq);
        json_u64(&json, "kept", result->kept);
        json_string(&json, "kept_for", result->kept_for);
    }
    json_object_end(&json);
    json_line_end(&json);
}

static settle_status show_table(struct invocation *inv, const struct archive_result *result, bool is_restore)
{
    /* What is restored was not read: where its events end is not known. */
    static const struct table_column moved[] = {
        {"segment", false}, {"first seq", true}, {"last seq", true}, {"bytes before", true}, {"bytes after", true}};
    static const struct table_column restored[] = {
        {"segment", false}, {"first seq", true}, {"bytes before", true}, {"bytes after", true}};
    struct table table;
    char number[PRINT_U64_BYTES];
    if (is_restore)
        table_init(&table, restored, sizeof restored / sizeof restored[0]);
    else
        table_init(&table, moved, sizeof moved / sizeof moved[0]);
    for (size_t i = 0; i < result->count; i++) {
        const struct archive_segment *segment = &result->segments[i];
        table_cell(&table, segment->name);
        table_cell(&table, print_u64(segment->first_seq, number));
        if (!is_restore)
            table_cell(&table, segment->last_seq == 0 ? "-" : print_u64(segment->last_seq, number));
        table_cell(&table, print_u64(is_restore ? segment->packed_bytes : segment->bytes, number));
        table_cell(&table, print_u64(is_restore ? segment->bytes : segment->packed_bytes, number));
    }
    return table_print(&table, &inv->out, 0);
}

static settle_status show_text(struct invocation *inv, const struct archive_result *result, bool is_restore)
{
    settle_status status = SETTLE_OK;
    if (result->count > 0)
        status = show_table(inv, result, is_restore);
    else
        out_text(&inv->out, is_restore ? "nothing is archived\n" : "nothing to archive\n");
    if (result->kept > 0)
        out_format(&inv->out, "%" PRIu64 " more would be old enough, and %s still needs %s\n", result->kept,
                   result->kept_for, result->kept == 1 ? "it" : "them");
    return status;
}

int cmd_archive(struct invocation *inv)
{
    struct archive_options options = {.level = ARCHIVE_LEVEL_DEFAULT};
    struct archive_result result = {.segments = NULL};
    settle_error error = {0};
    bool is_restore = invocation_option(inv, OPTION_RESTORE) != NULL;
    if (is_restore && (invocation_option(inv, OPTION_BEFORE) != NULL || invocation_option(inv, OPTION_LEVEL) != NULL))
        return report_usage(inv, "archive --restore brings everything back: it takes no --before and no --level");
    int exit_status = is_restore ? EXIT_DONE : take_options(inv, &options);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settle_status status = is_restore ? query_restore(inv->directory, &result, &error)
                                      : query_archive(inv->directory, &options, &result, &error);
    if (result.snapshot_fault[0] != '\0')
        report_warning(inv, "the archive's snapshot was made anew: %s", result.snapshot_fault);
    settle_status shown = SETTLE_OK;
    if (inv->as_json && (status == SETTLE_OK || result.count > 0))
        show_json(inv, &result, is_restore);
    else if (!inv->as_json && (status == SETTLE_OK || result.count > 0))
        shown = show_text(inv, &result, is_restore);
    archive_result_free(&result);
    (void)out_flush(&inv->out); /* what was moved comes before what went wrong */
    if (status == SETTLE_OK)
        status = shown;
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}
