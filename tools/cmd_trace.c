/* cmd_trace.c — `settlectl trace EVENT_ID`: the whole life of an event; `trace --prefix TEXT`: the ids that begin so. */
#include <stdio.h>
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

/* ---- For programs ---- */

static void json_step(struct json *json, const char *name, uint64_t time_us)
{
    json_object(json, NULL);
    json_string(json, "step", name);
    json_time_us(json, "timestamp", time_us);
    json_object_end(json);
}

static void json_steps(struct json *json, const settle_arrival *arrival)
{
    json_array(json, "steps");
    json_step(json, "CONSUMED", arrival->consumed_us);
    json_step(json, show_step(arrival->result.outcome), arrival->decided_us);
    if (arrival->persisted_us != 0)
        json_step(json, "PERSISTED", arrival->persisted_us);
    json_array_end(json);
}

static void json_missing(struct json *json, const settle_arrival *arrival)
{
    if (arrival->persisted_us != 0)
        return;
    json_array(json, "missing");
    json_string(json, NULL, "PERSISTED");
    json_array_end(json);
}

static void json_effects(struct json *json, const settle_lifecycle *lifecycle, const struct ledger *assets)
{
    json_array(json, "effects");
    for (size_t i = 0; i < lifecycle->leg_count; i++) {
        const settle_leg *leg = &lifecycle->legs[i];
        const settle_asset *asset = ledger_asset(assets, leg->asset);
        json_object(json, NULL);
        json_user(json, "user", leg->user);
        json_string(json, "asset", asset->symbol);
        json_amount(json, "before", leg->after_available - leg->delta_available, asset->scale);
        json_amount(json, "delta", leg->delta_available, asset->scale);
        json_amount(json, "after", leg->after_available, asset->scale);
        json_u64(json, "version", leg->version);
        json_object_end(json);
    }
    json_array_end(json);
}

static void json_arrivals(struct json *json, const settle_lifecycle *lifecycle)
{
    if (lifecycle->repeat_count == 0)
        return;
    json_array(json, "arrivals");
    for (size_t i = 0; i < lifecycle->repeat_count; i++) {
        const settle_arrival *arrival = &lifecycle->repeats[i];
        json_object(json, NULL);
        json_u64(json, "seq", arrival->result.seq);
        json_string(json, "outcome", settle_outcome_name(arrival->result.outcome));
        json_string(json, "type", settle_type_name(arrival->type));
        json_u64(json, "ts", arrival->ts_ms);
        json_steps(json, arrival);
        json_missing(json, arrival);
        json_object_end(json);
    }
    json_array_end(json);
}

static void trace_json(struct invocation *inv, const settle_lifecycle *lifecycle, const struct ledger *assets)
{
    const settle_arrival *first = &lifecycle->first;
    bool is_rejected = first->result.outcome == SETTLE_REJECTED;
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_string(&json, "event_id", lifecycle->event_id);
    json_u64(&json, "seq", first->result.seq);
    json_string(&json, "type", settle_type_name(first->type));
    json_string(&json, "outcome", settle_outcome_name(first->result.outcome));
    json_string(&json, "reason", is_rejected ? settle_reason_name(first->result.reason) : NULL);
    json_u64(&json, "ts", first->ts_ms);
    json_steps(&json, first);
    json_effects(&json, lifecycle, assets);
    json_arrivals(&json, lifecycle);
    json_missing(&json, first);
    json_object_end(&json);
    json_line_end(&json);
}

/* ---- For people ---- */

/* A step with its time, and how long after the step before it came. */
static void show_timed_step(struct out *out, const char *step, uint64_t time_us, uint64_t before_us)
{
    char time[PRINT_TIME_BYTES], seconds[PRINT_SECONDS_BYTES];
    out_format(out, "  %-9s  %s", step, print_time_us(time_us, time));
    if (before_us != 0 && time_us >= before_us)
        out_format(out, "  +%s s", print_seconds(time_us - before_us, seconds));
    out_text(out, "\n");
}

static void show_arrival(struct out *out, const settle_arrival *arrival)
{
    show_timed_step(out, "CONSUMED", arrival->consumed_us, 0);
    show_timed_step(out, show_step(arrival->result.outcome), arrival->decided_us, arrival->consumed_us);
    if (arrival->persisted_us != 0)
        show_timed_step(out, "PERSISTED", arrival->persisted_us, arrival->decided_us);
    else
        out_text(out, "  PERSISTED  missing: not recorded (yet)\n");
}

static settle_status show_effects(struct out *out, const settle_lifecycle *lifecycle, const struct ledger *assets)
{
    static const struct table_column columns[] = {{"user", true},  {"asset", false}, {"before", true},
                                                  {"delta", true}, {"after", true},  {"version", true}};
    struct table table;
    char amount[SETTLE_AMOUNT_TEXT_BYTES], user[PRINT_USER_BYTES], number[PRINT_U64_BYTES];
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < lifecycle->leg_count; i++) {
        const settle_leg *leg = &lifecycle->legs[i];
        const settle_asset *asset = ledger_asset(assets, leg->asset);
        table_cell(&table, print_user(leg->user, user));
        table_cell(&table, asset->symbol);
        settle_amount_format(leg->after_available - leg->delta_available, asset->scale, amount);
        table_cell(&table, amount);
        show_delta_cell(&table, leg->delta_available, asset->scale);
        settle_amount_format(leg->after_available, asset->scale, amount);
        table_cell(&table, amount);
        table_cell(&table, print_u64(leg->version, number));
    }
    return table_print(&table, out, 2);
}

static settle_status trace_text(struct invocation *inv, const settle_lifecycle *lifecycle, const struct ledger *assets)
{
    struct out *out = &inv->out;
    const settle_arrival *first = &lifecycle->first;
    char time[PRINT_TIME_BYTES], seq[PRINT_U64_BYTES], ts[PRINT_U64_BYTES];
    settle_status status = SETTLE_OK;
    out_format(out, "%s\n  seq %s, %s, %s", lifecycle->event_id, print_u64(first->result.seq, seq),
               settle_type_name(first->type), settle_outcome_name(first->result.outcome));
    if (first->result.outcome == SETTLE_REJECTED)
        out_format(out, ": %s", settle_reason_name(first->result.reason));
    show_event_time(first->ts_ms, time);
    out_format(out, "\n  event time %s", print_u64(first->ts_ms, ts));
    if (strcmp(time, ts) != 0)
        out_format(out, " (%s)", time);
    out_text(out, "\n\n");
    show_arrival(out, first);
    if (lifecycle->leg_count > 0) {
        out_text(out, "\n");
        status = show_effects(out, lifecycle, assets);
    }
    for (size_t i = 0; i < lifecycle->repeat_count; i++) {
        const settle_arrival *arrival = &lifecycle->repeats[i];
        out_format(out, "\narrived again: seq %s, %s\n", print_u64(arrival->result.seq, seq),
                   settle_outcome_name(arrival->result.outcome));
        show_arrival(out, arrival);
    }
    return status;
}

/* ---- Ids by what they begin with ---- */

struct listing {
    struct invocation *invocation;
    struct table table;
    size_t count;
};

static const char *reason_of(const settle_arrival *first)
{
    return first->result.outcome == SETTLE_REJECTED ? settle_reason_name(first->result.reason) : NULL;
}

static void id_json(struct out *out, const char *event_id, const settle_arrival *first)
{
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_string(&json, "event_id", event_id);
    json_u64(&json, "seq", first->result.seq);
    json_string(&json, "type", settle_type_name(first->type));
    json_string(&json, "outcome", settle_outcome_name(first->result.outcome));
    json_string(&json, "reason", reason_of(first));
    json_u64(&json, "ts", first->ts_ms);
    json_object_end(&json);
    json_line_end(&json);
}

static bool list_id(void *context, const char *event_id, const settle_arrival *first)
{
    struct listing *listing = context;
    struct out *out = &listing->invocation->out;
    char seq[PRINT_U64_BYTES];
    listing->count++;
    if (listing->invocation->as_json) {
        id_json(out, event_id, first);
        return out->failed_errno == 0;
    }
    table_cell(&listing->table, event_id);
    table_cell(&listing->table, print_u64(first->result.seq, seq));
    table_cell(&listing->table, settle_type_name(first->type));
    const char *outcome = settle_outcome_name(first->result.outcome), *reason = reason_of(first);
    char text[64];
    snprintf(text, sizeof text, "%s%s%s", outcome, reason != NULL ? ": " : "", reason != NULL ? reason : "");
    table_cell(&listing->table, text);
    return true;
}

static int list_ids(struct invocation *inv, struct query *query, const char *prefix)
{
    static const struct table_column columns[] = {
        {"event id", false}, {"seq", true}, {"type", false}, {"outcome", false}};
    struct listing listing = {.invocation = inv};
    settle_error error = {0};
    table_init(&listing.table, columns, sizeof columns / sizeof columns[0]);
    settle_status status = query_ids(query, (settle_text){prefix, strlen(prefix)}, list_id, &listing, &error);
    settle_status printed = listing.count > 0 && !inv->as_json ? table_print(&listing.table, &inv->out, 0) : SETTLE_OK;
    if (status == SETTLE_OK)
        status = printed;
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    return listing.count > 0 ? EXIT_DONE : report_negative(inv, "no event id begins with %s", prefix);
}

/* ---- Which of the two ---- */

/* By its id; else, for a trade whose id was made of its trade id, by that. What was asked for is what is not found. */
static settle_status find_event(struct query *query, const char *name, settle_lifecycle **ret_lifecycle,
                                settle_error *error)
{
    char trade[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_status status = query_lifecycle(query, (settle_text){name, strlen(name)}, ret_lifecycle, error);
    size_t bytes = strlen(name) + strlen("trade_");
    if (status != SETTLE_E_NOT_FOUND || bytes >= sizeof trade)
        return status;
    settle_error fault = {0};
    snprintf(trade, sizeof trade, "trade_%s", name);
    settle_status found = query_lifecycle(query, (settle_text){trade, bytes}, ret_lifecycle, &fault);
    if (found == SETTLE_E_NOT_FOUND)
        return status;
    *error = fault;
    return found;
}

static int trace_event(struct invocation *inv, struct query *query)
{
    settle_lifecycle *lifecycle = NULL;
    struct ledger assets = {0};
    settle_error error = {0};
    settle_status status = find_event(query, inv->arguments[0], &lifecycle, &error);
    if (status == SETTLE_OK)
        status = query_assets(query, &assets, &error);
    if (status == SETTLE_OK && inv->as_json)
        trace_json(inv, lifecycle, &assets);
    else if (status == SETTLE_OK)
        status = trace_text(inv, lifecycle, &assets);
    settle_lifecycle_free(lifecycle);
    ledger_free(&assets);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}

int cmd_trace(struct invocation *inv)
{
    struct query *query = NULL;
    settle_error error = {0};
    const char *prefix = invocation_option(inv, OPTION_PREFIX);
    if ((prefix != NULL) == (inv->argument_count == 1))
        return report_usage(inv, "usage: settlectl trace EVENT_ID, or settlectl trace --prefix TEXT");
    settle_status status = query_open(inv->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, query);
    int exit_status = prefix != NULL ? list_ids(inv, query, prefix) : trace_event(inv, query);
    query_close(query);
    return exit_status;
}
