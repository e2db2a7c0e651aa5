/* cmd_inspect.c — `settlectl inspect [FILE]`: what is in a data directory or in a segment file. */
#include <inttypes.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

static void segment_json(struct json *json, const struct inspect_segment *segment)
{
    json_object(json, NULL);
    json_string(json, "segment", segment->name);
    json_u64(json, "ordinal", segment->ordinal);
    json_u64(json, "first_seq", segment->first_seq);
    if (segment->last_seq != 0)
        json_u64(json, "last_seq", segment->last_seq);
    else
        json_null(json, "last_seq");
    json_u64(json, "frames", segment->frames);
    json_u64(json, "events", segment->events);
    json_u64(json, "bytes_used", segment->bytes_used);
    json_time_us(json, "created", segment->created_us);
    json_bool(json, "archived", segment->is_archived);
    if (segment->is_archived)
        json_u64(json, "packed_bytes", segment->packed_bytes);
    json_object_end(json);
    json_line_end(json);
}

static bool has_store(const struct inspect_directory *inspect)
{
    return inspect->store == STORE_NOT_COMPARED;
}

static void store_json(struct json *json, const struct inspect_directory *inspect)
{
    json_string(json, "store", has_store(inspect) ? "present" : store_state_name(inspect->store));
    if (has_store(inspect)) {
        json_u64(json, "store_seq", inspect->store_seq);
        json_u64(json, "store_position", inspect->store_position);
        json_u64(json, "store_accounts", inspect->store_accounts);
        json_u64(json, "store_ids", inspect->store_ids);
    } else if (inspect->store == STORE_DAMAGED) {
        json_string(json, "store_fault", inspect->store_fault);
    }
}

static void show_json(struct invocation *inv, const struct inspect_directory *inspect)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_string(&json, "directory", inv->directory);
    json_string(&json, "journal_id", inspect->journal_id);
    json_u64(&json, "segment_bytes", inspect->segment_bytes);
    json_u64(&json, "segments", inspect->segment_count);
    json_u64(&json, "last_seq", inspect->last_seq);
    json_u64(&json, "torn_bytes", inspect->torn_bytes);
    store_json(&json, inspect);
    json_bool(&json, "writer", inspect->writer_is_live);
    if (inspect->writer_pid > 0)
        json_u64(&json, "writer_pid", (uint64_t)inspect->writer_pid);
    else
        json_null(&json, "writer_pid");
    json_object_end(&json);
    json_line_end(&json);
    for (size_t i = 0; i < inspect->segment_count; i++)
        segment_json(&json, &inspect->segments[i]);
}

static settle_status segments_text(struct invocation *inv, const struct inspect_directory *inspect)
{
    static const struct table_column columns[] = {{"segment", false}, {"first seq", true}, {"last seq", true},
                                                  {"frames", true},   {"events", true},    {"bytes used", true},
                                                  {"archived", true}};
    struct table table;
    char number[PRINT_U64_BYTES];
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < inspect->segment_count; i++) {
        const struct inspect_segment *segment = &inspect->segments[i];
        table_cell(&table, segment->name);
        table_cell(&table, print_u64(segment->first_seq, number));
        table_cell(&table, segment->last_seq == 0 ? "-" : print_u64(segment->last_seq, number));
        table_cell(&table, print_u64(segment->frames, number));
        table_cell(&table, print_u64(segment->events, number));
        table_cell(&table, print_u64(segment->bytes_used, number));
        table_cell(&table, segment->is_archived ? print_u64(segment->packed_bytes, number) : "-");
    }
    return table_print(&table, &inv->out, 0);
}

static settle_status show_text(struct invocation *inv, const struct inspect_directory *inspect)
{
    struct out *out = &inv->out;
    char time[PRINT_TIME_BYTES];
    out_text(out, "directory   ");
    out_visible(out, inv->directory);
    out_format(out, "\njournal id  %s\nsegments    %zu of %" PRIu64 " bytes\nlast seq    %" PRIu64, inspect->journal_id,
               inspect->segment_count, inspect->segment_bytes, inspect->last_seq);
    if (inspect->time_us != 0)
        out_format(out, " at %s", print_time_us(inspect->time_us, time));
    if (inspect->torn_bytes != 0)
        out_format(out, "\ntorn tail   %" PRIu64 " byte%s, which the next writer cuts", inspect->torn_bytes,
                   print_plural(inspect->torn_bytes));
    if (has_store(inspect))
        out_format(out, "\nstore       up to seq %" PRIu64 ": %" PRIu64 " balance%s, %" PRIu64 " event id%s",
                   inspect->store_seq, inspect->store_accounts, print_plural(inspect->store_accounts),
                   inspect->store_ids, print_plural(inspect->store_ids));
    else
        out_format(out, "\nstore       %s%s%s", store_state_name(inspect->store),
                   inspect->store == STORE_DAMAGED ? ": " : "",
                   inspect->store == STORE_DAMAGED ? inspect->store_fault : "");
    if (!inspect->writer_is_live)
        out_text(out, "\nwriter      none\n\n");
    else if (inspect->writer_pid > 0)
        out_format(out, "\nwriter      pid %ld\n\n", inspect->writer_pid);
    else
        out_text(out, "\nwriter      somebody holds the lock\n\n");
    return segments_text(inv, inspect);
}

/* One frame, or one event of it. */
static int show_frame(struct invocation *inv)
{
    const char *frame = invocation_option(inv, OPTION_FRAME), *seq = invocation_option(inv, OPTION_SEQ);
    struct dump_frame_options options = {.by_seq = seq != NULL, .as_json = inv->as_json};
    settle_error error = {0};
    options.hex = invocation_option(inv, OPTION_HEX) != NULL;
    if (frame != NULL && seq != NULL)
        return report_usage(inv, "--frame and --seq are two answers to one question");
    if (frame != NULL && !query_u64_parse(frame, &options.position))
        return report_usage(inv, "--frame %s: not a position", frame);
    if (seq != NULL && (!query_u64_parse(seq, &options.seq) || options.seq == 0))
        return report_usage(inv, "--seq %s: not a sequence number", seq);
    const char *path = inv->argument_count == 1 ? inv->arguments[0] : NULL;
    settle_status status = query_dump_frame(inv->directory, path, &options, &inv->out, &error);
    (void)out_flush(&inv->out); /* what was good comes before what is wrong */
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}

int cmd_inspect(struct invocation *inv)
{
    struct inspect_directory inspect = {0};
    settle_error error = {0};
    settle_status status;
    if (invocation_option(inv, OPTION_FRAME) != NULL || invocation_option(inv, OPTION_SEQ) != NULL)
        return show_frame(inv);
    if (invocation_option(inv, OPTION_HEX) != NULL)
        return report_usage(inv, "--hex goes with --frame or --seq");
    if (inv->argument_count == 1) {
        status = query_dump_segment(inv->arguments[0], inv->as_json, &inv->out, &error);
        (void)out_flush(&inv->out); /* what was good comes before what is wrong */
        return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
    }
    status = query_inspect(inv->directory, &inspect, &error);
    if (status == SETTLE_OK && inv->as_json)
        show_json(inv, &inspect);
    else if (status == SETTLE_OK)
        status = show_text(inv, &inspect);
    if (status == SETTLE_OK && inspect.fault.status != SETTLE_OK) {
        (void)out_flush(&inv->out);
        error = inspect.fault;
        status = error.status;
    }
    inspect_free(&inspect);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}
