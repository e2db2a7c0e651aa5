/* show.c — balances, steps and times: what several commands print alike. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "query/query.h"

#include "tools/command.h"

/* The last millisecond of the year 9999: a later event time, which is allowed, is printed as a number only. */
#define CALENDAR_MS_MAX UINT64_C(253402300799999)

/* An integer from here on is milliseconds (2001), below it is a sequence number. */
#define MS_MIN UINT64_C(1000000000000)

bool bound_parse(const char *text, struct bound *ret_bound)
{
    if (text == NULL)
        return true;
    ret_bound->is_given = true;
    if (query_u64_parse(text, &ret_bound->seq) && ret_bound->seq < MS_MIN)
        return true;
    ret_bound->is_moment = true;
    return query_time_parse(text, query_now_us(), &ret_bound->time_us);
}

const char *show_step(settle_outcome outcome)
{
    switch (outcome) {
    case SETTLE_ACCEPTED: return "VALIDATED";
    case SETTLE_REJECTED: return "REJECTED";
    case SETTLE_DUPLICATE: return "DUPLICATE";
    case SETTLE_CONFLICT: break;
    }
    return "CONFLICT";
}

bool show_colour(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no_colour == NULL || no_colour[0] == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

void show_event_time(uint64_t ts_ms, char ret_text[PRINT_TIME_BYTES])
{
    if (ts_ms <= CALENDAR_MS_MAX)
        print_time_us(ts_ms * 1000, ret_text);
    else
        print_u64(ts_ms, ret_text);
}

void show_delta_cell(struct table *table, settle_int128 delta, uint8_t scale)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES + 1];
    text[0] = '+';
    settle_amount_format(delta, scale, text + (delta > 0));
    table_cell(table, text);
}

static void show_json(struct invocation *invocation, const struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->balance_count; i++) {
        const settle_balance *balance = &ledger->balances[i];
        const settle_asset *asset = ledger_asset(ledger, balance->asset);
        struct json json = json_on(&invocation->out);
        json_object(&json, NULL);
        json_user(&json, "user", balance->user);
        json_string(&json, "asset", asset->symbol);
        json_amount(&json, "available", balance->available, asset->scale);
        json_amount(&json, "held", balance->held, asset->scale);
        json_u64(&json, "version", balance->version);
        json_u64(&json, "seq", balance->seq);
        json_object_end(&json);
        json_line_end(&json);
    }
}

settle_status show_ledger(struct invocation *invocation, const struct ledger *ledger)
{
    static const struct table_column columns[] = {{"user", true}, {"asset", false},  {"available", true},
                                                  {"held", true}, {"version", true}, {"seq", true}};
    struct table table;
    char number[PRINT_U64_BYTES], user[PRINT_USER_BYTES], amount[SETTLE_AMOUNT_TEXT_BYTES];
    if (invocation->as_json) {
        show_json(invocation, ledger);
        return SETTLE_OK;
    }
    if (ledger->balance_count == 0)
        return SETTLE_OK;
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < ledger->balance_count; i++) {
        const settle_balance *balance = &ledger->balances[i];
        const settle_asset *asset = ledger_asset(ledger, balance->asset);
        table_cell(&table, print_user(balance->user, user));
        table_cell(&table, asset->symbol);
        settle_amount_format(balance->available, asset->scale, amount);
        table_cell(&table, amount);
        settle_amount_format(balance->held, asset->scale, amount);
        table_cell(&table, amount);
        table_cell(&table, print_u64(balance->version, number));
        table_cell(&table, print_u64(balance->seq, number));
    }
    return table_print(&table, &invocation->out, 0);
}
