/* cmd_stats.c — `settlectl stats`: what the journal holds, counted. */
#include <inttypes.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

static const settle_event_type types[] = {SETTLE_DEPOSIT, SETTLE_WITHDRAWAL, SETTLE_TRADE};
static const settle_outcome outcomes[] = {SETTLE_ACCEPTED, SETTLE_REJECTED, SETTLE_DUPLICATE, SETTLE_CONFLICT};
#define TYPE_COUNT (sizeof types / sizeof types[0])
#define OUTCOME_COUNT (sizeof outcomes / sizeof outcomes[0])

static uint64_t bytes_an_event(const struct stats *stats)
{
    return stats->counts.events == 0 ? 0 : stats->journal_bytes / stats->counts.events;
}

/* ---- For programs ---- */

static void times_json(struct json *json, const struct stats *stats)
{
    static const char *const keys[] = {"first_ts", "last_ts", "first_time", "last_time"};
    if (stats->counts.events == 0) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            json_null(json, keys[i]);
        return;
    }
    json_u64(json, keys[0], stats->ts_ms_min);
    json_u64(json, keys[1], stats->ts_ms_max);
    json_time_us(json, keys[2], stats->first_us);
    json_time_us(json, keys[3], stats->last_us);
}

static void outcomes_json(struct json *json, const struct stats *stats)
{
    json_object(json, "types");
    for (size_t t = 0; t < TYPE_COUNT; t++) {
        json_object(json, settle_type_name(types[t]));
        for (size_t o = 0; o < OUTCOME_COUNT; o++)
            json_u64(json, settle_outcome_name(outcomes[o]), stats->events[types[t]][outcomes[o]]);
        json_object_end(json);
    }
    json_object_end(json);
    json_object(json, "rejections");
    for (int reason = SETTLE_REASON_UNKNOWN_ASSET; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++)
        json_u64(json, settle_reason_name((settle_reason)reason), stats->reasons[reason]);
    json_object_end(json);
}

static void assets_json(struct json *json, const struct stats *stats)
{
    json_array(json, "assets");
    for (size_t i = 0; i < stats->asset_count; i++) {
        const struct stats_asset *row = &stats->assets[i];
        json_object(json, NULL);
        json_string(json, "asset", row->asset.symbol);
        json_u64(json, "id", row->asset.id);
        json_u64(json, "scale", row->asset.scale);
        json_u64(json, "deposits", row->deposits);
        json_u64(json, "withdrawals", row->withdrawals);
        json_u64(json, "trades", row->trades);
        json_u64(json, "balances", row->balances);
        json_u64(json, "changes", row->changes);
        json_object_end(json);
    }
    json_array_end(json);
}

static void show_json(struct invocation *inv, const struct stats *stats)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_u64(&json, "events", stats->counts.events);
    json_u64(&json, "ids", stats->counts.ids);
    json_u64(&json, "accounts", stats->counts.accounts);
    outcomes_json(&json, stats);
    assets_json(&json, stats);
    times_json(&json, stats);
    json_u64(&json, "segments", stats->counts.segments);
    json_u64(&json, "frames", stats->counts.frames);
    json_u64(&json, "records", stats->counts.records);
    json_u64(&json, "journal_bytes", stats->journal_bytes);
    json_u64(&json, "bytes_per_event", bytes_an_event(stats));
    json_object_end(&json);
    json_line_end(&json);
}

/* ---- For people ---- */

static void number_cell(struct table *table, uint64_t value)
{
    char number[PRINT_U64_BYTES];
    table_cell(table, print_u64(value, number));
}

static settle_status outcomes_text(struct out *out, const struct stats *stats)
{
    static const struct table_column columns[] = {{"type", false},     {"accepted", true}, {"rejected", true},
                                                  {"duplicate", true}, {"conflict", true}, {"all", true}};
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    uint64_t sums[OUTCOME_COUNT] = {0};
    for (size_t t = 0; t < TYPE_COUNT; t++) {
        uint64_t sum = 0;
        table_cell(&table, settle_type_name(types[t]));
        for (size_t o = 0; o < OUTCOME_COUNT; o++) {
            uint64_t count = stats->events[types[t]][outcomes[o]];
            number_cell(&table, count);
            sum += count;
            sums[o] += count;
        }
        number_cell(&table, sum);
    }
    table_cell(&table, "all");
    for (size_t o = 0; o < OUTCOME_COUNT; o++)
        number_cell(&table, sums[o]);
    number_cell(&table, stats->counts.events);
    return table_print(&table, out, 0);
}

static settle_status reasons_text(struct out *out, const struct stats *stats)
{
    static const struct table_column columns[] = {{"rejected for", false}, {"events", true}};
    struct table table;
    size_t rows = 0;
    table_init(&table, columns, 2);
    for (int reason = SETTLE_REASON_UNKNOWN_ASSET; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++) {
        if (stats->reasons[reason] == 0)
            continue;
        table_cell(&table, settle_reason_name((settle_reason)reason));
        number_cell(&table, stats->reasons[reason]);
        rows++;
    }
    if (rows > 0)
        out_text(out, "\n");
    return rows > 0 ? table_print(&table, out, 0) : SETTLE_OK;
}

static settle_status assets_text(struct out *out, const struct stats *stats)
{
    static const struct table_column columns[] = {{"asset", false},   {"id", true},          {"scale", true},
                                                  {"deposits", true}, {"withdrawals", true}, {"trades", true},
                                                  {"balances", true}, {"changes", true}};
    struct table table;
    if (stats->asset_count == 0)
        return SETTLE_OK;
    out_text(out, "\n");
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < stats->asset_count; i++) {
        const struct stats_asset *row = &stats->assets[i];
        table_cell(&table, row->asset.symbol);
        number_cell(&table, row->asset.id);
        number_cell(&table, row->asset.scale);
        number_cell(&table, row->deposits);
        number_cell(&table, row->withdrawals);
        number_cell(&table, row->trades);
        number_cell(&table, row->balances);
        number_cell(&table, row->changes);
    }
    return table_print(&table, out, 0);
}

static void totals_text(struct out *out, const struct stats *stats)
{
    char first[PRINT_TIME_BYTES], last[PRINT_TIME_BYTES];
    out_format(out, "\nevents %" PRIu64 ", ids %" PRIu64 ", balances %" PRIu64 "\n", stats->counts.events,
               stats->counts.ids, stats->counts.accounts);
    if (stats->counts.events > 0) {
        show_event_time(stats->ts_ms_min, first);
        show_event_time(stats->ts_ms_max, last);
        out_format(out, "event times %s to %s\n", first, last);
        out_format(out, "arrived %s to %s\n", print_time_us(stats->first_us, first),
                   print_time_us(stats->last_us, last));
    }
    out_format(out, "journal %" PRIu64 " bytes in %" PRIu64 " segment%s, %" PRIu64 " frame%s, %" PRIu64 " record%s",
               stats->journal_bytes, stats->counts.segments, print_plural(stats->counts.segments), stats->counts.frames,
               print_plural(stats->counts.frames), stats->counts.records, print_plural(stats->counts.records));
    if (stats->counts.events > 0)
        out_format(out, ", %" PRIu64 " bytes an event", bytes_an_event(stats));
    out_text(out, "\n");
}

int cmd_stats(struct invocation *inv)
{
    struct stats stats = {0};
    settle_error error = {0};
    settle_status status = query_stats(inv->directory, &stats, &error);
    if (status == SETTLE_OK && inv->as_json) {
        show_json(inv, &stats);
    } else if (status == SETTLE_OK) {
        status = outcomes_text(&inv->out, &stats);
        if (status == SETTLE_OK)
            status = reasons_text(&inv->out, &stats);
        if (status == SETTLE_OK)
            status = assets_text(&inv->out, &stats);
        if (status == SETTLE_OK)
            totals_text(&inv->out, &stats);
    }
    stats_free(&stats);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}
