/* cmd_verify.c — `settlectl verify`: a verdict, and the first fault. */
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

/* A file below journal/ is named as inspect names it. */
static const char *segment_of(const settle_error *fault)
{
    return strncmp(fault->file, "journal/", 8) == 0 ? fault->file + 8 : fault->file;
}

static void show_json(struct invocation *inv, const struct verify_result *result)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_bool(&json, "ok", result->ok);
    json_u64(&json, "segments", result->counts.segments);
    json_u64(&json, "frames", result->counts.frames);
    json_u64(&json, "records", result->counts.records);
    json_u64(&json, "events", result->counts.events);
    json_u64(&json, "accounts", result->counts.accounts);
    json_u64(&json, "ids", result->counts.ids);
    json_u64(&json, "torn_bytes", result->counts.torn_bytes);
    json_string(&json, "store", store_state_name(result->store));
    if (result->fault.status != SETTLE_OK) {
        json_object(&json, "fault");
        json_string(&json, "segment", segment_of(&result->fault));
        json_u64(&json, "offset", result->fault.offset_bytes);
        json_u64(&json, "seq", result->fault.seq);
        json_string(&json, "message", result->fault.text);
        json_object_end(&json);
    }
    json_object_end(&json);
    json_line_end(&json);
}

static settle_status show_text(struct invocation *inv, const struct verify_result *result)
{
    static const struct table_column columns[] = {{"", false}, {"", true}};
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"segments", result->counts.segments},    {"frames", result->counts.frames},
                {"records", result->counts.records},      {"events", result->counts.events},
                {"accounts", result->counts.accounts},    {"ids", result->counts.ids},
                {"torn bytes", result->counts.torn_bytes}};
    struct table table;
    char number[PRINT_U64_BYTES];
    const settle_error *fault = &result->fault;
    if (fault->status == SETTLE_OK)
        out_text(&inv->out, "ok\n");
    else
        out_format(&inv->out, "NOT ok: %s\n  segment %s, byte %llu, seq %llu\n", fault->text, segment_of(fault),
                   (unsigned long long)fault->offset_bytes, (unsigned long long)fault->seq);
    table_init(&table, columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table_cell(&table, rows[i].name);
        table_cell(&table, print_u64(rows[i].value, number));
    }
    table_cell(&table, "store");
    table_cell(&table, store_state_name(result->store));
    return table_print(&table, &inv->out, 2);
}

int cmd_verify(struct invocation *inv)
{
    struct verify_result result = {0};
    settle_error error = {0};
    settle_status status = query_verify(inv->directory, &result, &error);
    if (status == SETTLE_OK && inv->as_json)
        show_json(inv, &result);
    else if (status == SETTLE_OK)
        status = show_text(inv, &result);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    return result.ok ? EXIT_DONE : EXIT_CORRUPT;
}
