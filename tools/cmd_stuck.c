/* cmd_stuck.c — `settlectl stuck`: events that are durable and have no final step. */
#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

struct listing {
    struct invocation *invocation;
    struct table table;
    uint64_t now_us;
    bool has_age; /* only what is older than: */
    uint64_t age_ms;
};

static void event_json(struct out *out, const struct stuck_event *event, uint64_t age_us)
{
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_string(&json, "event_id", event->event_id);
    json_u64(&json, "seq", event->seq);
    json_string(&json, "type", settle_type_name(event->type));
    json_string(&json, "last_step", show_step(event->outcome));
    json_time_us(&json, "timestamp", event->time_us);
    json_u64(&json, "age_ms", age_us / 1000);
    json_object_end(&json);
    json_line_end(&json);
}

static void event_cells(struct table *table, const struct stuck_event *event, uint64_t age_us)
{
    char seq[PRINT_U64_BYTES], time[PRINT_TIME_BYTES], age[PRINT_SECONDS_BYTES];
    table_cell(table, event->event_id);
    table_cell(table, print_u64(event->seq, seq));
    table_cell(table, settle_type_name(event->type));
    table_cell(table, show_step(event->outcome));
    table_cell(table, print_time_us(event->time_us, time));
    table_cell(table, print_seconds(age_us, age));
}

static bool list_event(void *context, const struct stuck_event *event)
{
    struct listing *listing = context;
    struct out *out = &listing->invocation->out;
    uint64_t age_us = listing->now_us > event->time_us ? listing->now_us - event->time_us : 0;
    if (listing->has_age && age_us / 1000 <= listing->age_ms)
        return true;
    if (listing->invocation->as_json)
        event_json(out, event, age_us);
    else
        event_cells(&listing->table, event, age_us);
    return out->failed_errno == 0;
}

int cmd_stuck(struct invocation *inv)
{
    static const struct table_column columns[] = {{"event id", false},  {"seq", true}, {"type", false},
                                                  {"last step", false}, {"at", false}, {"age s", true}};
    struct listing listing = {.invocation = inv};
    struct query *query = NULL;
    settle_error error = {0};
    const char *older_than = invocation_option(inv, OPTION_OLDER_THAN);
    listing.has_age = older_than != NULL;
    if (older_than != NULL && !query_u64_parse(older_than, &listing.age_ms))
        return report_usage(inv, "--older-than %s: not a number of milliseconds", older_than);
    settle_status status = query_open(inv->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, query);
    table_init(&listing.table, columns, sizeof columns / sizeof columns[0]);
    listing.now_us = query_now_us(); /* after the look: no step is in the future */
    status = query_stuck(query, list_event, &listing, &error);
    settle_status printed =
        listing.table.used > 0 || listing.table.no_memory ? table_print(&listing.table, &inv->out, 0) : SETTLE_OK;
    if (status == SETTLE_OK)
        status = printed;
    query_close(query);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}
