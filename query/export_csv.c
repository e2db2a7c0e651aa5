/*
 * export_csv.c — two tables of the journal: one row a leg, and one row an event with the members of docs/events.md as
 * columns, which `ingest --format csv` reads back.
 *
 * RFC 4180, but lines end with a newline alone, as text does here. What is absent is an empty cell. Every table begins
 * with its header, also where it has no row.
 */
#include <assert.h>
#include <string.h>

#include "query/export.h"

void csv_cell(struct out *out, settle_text text)
{
    bool is_plain = true;
    for (size_t i = 0; i < text.bytes; i++)
        is_plain =
            is_plain && text.data[i] != ',' && text.data[i] != '"' && text.data[i] != '\n' && text.data[i] != '\r';
    if (is_plain) {
        out_bytes(out, text.data, text.bytes);
        return;
    }
    out_text(out, "\"");
    for (size_t i = 0; i < text.bytes; i++)
        out_repeat(out, text.data[i], text.data[i] == '"' ? 2 : 1);
    out_text(out, "\"");
}

/* Each puts one cell and the comma behind it. */
static void put_text(struct out *out, const char *text)
{
    csv_cell(out, (settle_text){text, strlen(text)});
    out_text(out, ",");
}

static void put_u64(struct out *out, uint64_t value)
{
    out_u64(out, value);
    out_text(out, ",");
}

static void put_amount(struct out *out, settle_int128 amount, uint8_t scale)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(amount, scale, text);
    put_text(out, text);
}

static void put_time(struct out *out, uint64_t time_us)
{
    char text[PRINT_TIME_BYTES];
    put_text(out, time_us == 0 ? "" : print_time_us(time_us, text));
}

/* ---- Legs ---- */

static void legs_begin(struct out *out, const struct journal_reader *reader)
{
    (void)reader;
    out_text(out, "seq,event_id,type,ts,timestamp,persisted,user,asset,delta,before,after,version\n");
}

static void legs_asset(struct out *out, const settle_asset *asset)
{
    (void)out;
    (void)asset;
}

static bool legs_event(struct out *out, const struct registry *names, const struct export_event *e)
{
    if (e->decided->kind != RECORD_VALIDATED)
        return true;
    const struct record_validated *validated = &e->decided->u.validated;
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i];
        const settle_asset *asset = registry_asset_by_id(names, leg->asset);
        char user[PRINT_USER_BYTES];
        if (asset == NULL)
            return false;
        put_u64(out, e->seq);
        put_text(out, e->event_id);
        put_text(out, settle_type_name(e->event->type));
        put_u64(out, e->event->ts_ms);
        put_time(out, e->consumed_us);
        put_time(out, e->persisted_us);
        put_text(out, print_user(leg->user, user));
        put_text(out, asset->symbol);
        put_amount(out, leg->delta_available, asset->scale);
        put_amount(out, leg->after_available - leg->delta_available, asset->scale);
        put_amount(out, leg->after_available, asset->scale);
        out_u64(out, leg->version);
        out_text(out, "\n");
    }
    return true;
}

const struct export_writer export_csv = {true, legs_begin, legs_asset, legs_event};

/* ---- Events ---- */

static void events_begin(struct out *out, const struct journal_reader *reader)
{
    (void)reader;
    out_text(out, "type,event_id,ts,user,asset,amount,trade_id,buyer,seller,base,quote,quantity,price,quote_amount,"
                  "buyer_fee,seller_fee,id,scale\n");
}

static void events_asset(struct out *out, const settle_asset *asset)
{
    out_text(out, "asset,,,,");
    put_text(out, asset->symbol);
    out_repeat(out, ',', 11);
    put_u64(out, asset->id);
    out_u64(out, asset->scale);
    out_text(out, "\n");
}

/* By its symbol; an asset that was not declared by its number, and then its amounts are in minor units. */
static uint8_t put_asset(struct out *out, const struct registry *names, uint32_t id)
{
    const settle_asset *asset = registry_asset_by_id(names, id);
    if (asset == NULL) {
        put_u64(out, id);
        return 0;
    }
    put_text(out, asset->symbol);
    return asset->scale;
}

/* 0 is what an optional member has that is not given. */
static void put_optional(struct out *out, settle_int128 amount, uint8_t scale)
{
    if (amount == 0)
        out_text(out, ",");
    else
        put_amount(out, amount, scale);
}

static void put_trade(struct out *out, const struct registry *names, const settle_trade *t)
{
    csv_cell(out, t->trade_id);
    out_text(out, ",");
    put_u64(out, t->buyer);
    put_u64(out, t->seller);
    uint8_t base_scale = put_asset(out, names, t->base), quote_scale = put_asset(out, names, t->quote);
    put_amount(out, t->quantity, base_scale);
    assert(t->price.scale <= SETTLE_PRICE_DECIMALS_MAX);
    put_optional(out, (settle_int128)t->price.mantissa, (uint8_t)t->price.scale);
    put_optional(out, t->quote_amount, quote_scale);
    put_optional(out, t->buyer_fee, base_scale);
    put_optional(out, t->seller_fee, quote_scale);
}

/* Every arrival, duplicates and conflicts too: read again, they come to the same outcomes. */
static bool events_event(struct out *out, const struct registry *names, const struct export_event *e)
{
    put_text(out, settle_type_name(e->event->type));
    put_text(out, e->event_id);
    put_u64(out, e->event->ts_ms);
    if (e->event->type == SETTLE_TRADE) {
        out_repeat(out, ',', 3);
        put_trade(out, names, &e->event->u.trade);
    } else {
        put_u64(out, e->event->u.transfer.user);
        uint8_t scale = put_asset(out, names, e->event->u.transfer.asset);
        put_amount(out, e->event->u.transfer.amount, scale);
        out_repeat(out, ',', 10);
    }
    out_text(out, ",\n");
    return true;
}

const struct export_writer export_events = {false, events_begin, events_asset, events_event};
