/* reconcile_members.c — see reconcile_members.h. Pure but for what the query knows of assets; owns nothing. */
#include "tools/reconcile_members.h"

#include <stdio.h>
#include <string.h>

/* ---- Canonical texts ---- */

enum form { FORM_TEXT, FORM_NUMBER, FORM_USER, FORM_ASSET, FORM_DECIMAL };

static enum form form_of(enum column column)
{
    switch (column) {
    case COLUMN_TS:
    case COLUMN_VERSION: return FORM_NUMBER;
    case COLUMN_USER:
    case COLUMN_BUYER:
    case COLUMN_SELLER: return FORM_USER;
    case COLUMN_ASSET:
    case COLUMN_BASE:
    case COLUMN_QUOTE: return FORM_ASSET;
    case COLUMN_AMOUNT:
    case COLUMN_QUANTITY:
    case COLUMN_PRICE:
    case COLUMN_QUOTE_AMOUNT:
    case COLUMN_BUYER_FEE:
    case COLUMN_SELLER_FEE:
    case COLUMN_DELTA:
    case COLUMN_BEFORE:
    case COLUMN_AFTER: return FORM_DECIMAL;
    default: return FORM_TEXT;
    }
}

static size_t digits_of(const char *text)
{
    return strspn(text, "0123456789");
}

/* "-1.50" → "-1.5", "+2.000" → "2". False: it is no decimal. */
static bool decimal(const char *text, char ret_text[MEMBER_BYTES])
{
    bool is_negative = text[0] == '-';
    text += is_negative || text[0] == '+';
    size_t whole = digits_of(text), bytes = whole;
    if (whole == 0 || (text[0] == '0' && whole > 1))
        return false;
    if (text[whole] == '.') {
        size_t fraction = digits_of(text + whole + 1);
        if (fraction == 0)
            return false;
        bytes += 1 + fraction;
    }
    if (text[bytes] != '\0')
        return false;
    if (bytes > whole)
        while (text[bytes - 1] == '0' || text[bytes - 1] == '.')
            if (text[--bytes] == '.')
                break;
    if (bytes + 2 > MEMBER_BYTES)
        return false;
    bool is_zero = bytes == 1 && text[0] == '0';
    snprintf(ret_text, MEMBER_BYTES, "%s%.*s", is_negative && !is_zero ? "-" : "", (int)bytes, text);
    return true;
}

static const settle_asset *asset_named(const struct query *query, const char *name)
{
    return query_asset_find(query, (settle_text){name, strlen(name)});
}

const char *member_canonical(const struct query *query, enum column column, const char *cell,
                             char ret_text[MEMBER_BYTES])
{
    uint64_t number = 0;
    const settle_asset *asset = NULL;
    switch (form_of(column)) {
    case FORM_NUMBER:
        if (!query_u64_parse(cell, &number))
            return "it must be a number";
        print_u64(number, ret_text);
        return NULL;
    case FORM_USER:
        if (!query_user_parse(cell, &number))
            return "user must be 1 to 9223372036854775807, external or fees";
        print_user(number, ret_text);
        return NULL;
    case FORM_ASSET:
        asset = asset_named(query, cell);
        if (asset == NULL)
            return "the asset is not declared";
        strcpy(ret_text, asset->symbol);
        return NULL;
    case FORM_DECIMAL: return decimal(cell, ret_text) ? NULL : "it must be a decimal";
    case FORM_TEXT: break;
    }
    if (strlen(cell) >= MEMBER_BYTES)
        return "it is too long";
    strcpy(ret_text, cell);
    return NULL;
}

/* ---- Ours ---- */

static void put_amount(const struct query *query, settle_int128 amount, uint32_t asset_id, char ret_text[MEMBER_BYTES])
{
    const settle_asset *asset = query_asset_by_id(query, asset_id);
    settle_amount_format(amount, asset != NULL ? asset->scale : 0, ret_text);
}

static void put_asset(const struct query *query, uint32_t asset_id, char ret_text[MEMBER_BYTES])
{
    const settle_asset *asset = query_asset_by_id(query, asset_id);
    if (asset != NULL)
        strcpy(ret_text, asset->symbol);
    else
        print_u64(asset_id, ret_text);
}

static void put_text(settle_text text, char ret_text[MEMBER_BYTES])
{
    snprintf(ret_text, MEMBER_BYTES, "%.*s", (int)text.bytes, text.bytes > 0 ? text.data : "");
}

/* What the buyer paid, which an event that was given a price alone does not say itself. */
static void put_quote_amount(const struct query *query, const struct journal_event *e, char ret_text[MEMBER_BYTES])
{
    const settle_trade *t = &e->event->u.trade;
    if (t->quote_amount != 0)
        put_amount(query, t->quote_amount, t->quote, ret_text);
    for (size_t i = 0; i < e->leg_count && t->quote_amount == 0; i++)
        if (e->legs[i].user == t->buyer && e->legs[i].asset == t->quote)
            put_amount(query, -e->legs[i].delta_available, t->quote, ret_text);
}

static void trade_member(const struct query *query, const struct journal_event *e, enum column column,
                         char ret_text[MEMBER_BYTES])
{
    const settle_trade *t = &e->event->u.trade;
    switch (column) {
    case COLUMN_TRADE_ID: put_text(t->trade_id, ret_text); break;
    case COLUMN_BUYER: print_user(t->buyer, ret_text); break;
    case COLUMN_SELLER: print_user(t->seller, ret_text); break;
    case COLUMN_BASE: put_asset(query, t->base, ret_text); break;
    case COLUMN_QUOTE: put_asset(query, t->quote, ret_text); break;
    case COLUMN_QUANTITY: put_amount(query, t->quantity, t->base, ret_text); break;
    case COLUMN_QUOTE_AMOUNT: put_quote_amount(query, e, ret_text); break;
    case COLUMN_BUYER_FEE: put_amount(query, t->buyer_fee, t->base, ret_text); break;
    case COLUMN_SELLER_FEE: put_amount(query, t->seller_fee, t->quote, ret_text); break;
    case COLUMN_PRICE:
        if (t->price.mantissa != 0)
            settle_amount_format((settle_int128)t->price.mantissa, (uint8_t)t->price.scale, ret_text);
        break;
    default: break;
    }
}

static void transfer_member(const struct query *query, const settle_transfer *t, enum column column,
                            char ret_text[MEMBER_BYTES])
{
    if (column == COLUMN_USER)
        print_user(t->user, ret_text);
    else if (column == COLUMN_ASSET)
        put_asset(query, t->asset, ret_text);
    else if (column == COLUMN_AMOUNT)
        put_amount(query, t->amount, t->asset, ret_text);
}

static void leg_member(const struct query *query, const settle_leg *leg, enum column column,
                       char ret_text[MEMBER_BYTES])
{
    if (column == COLUMN_DELTA)
        put_amount(query, leg->delta_available, leg->asset, ret_text);
    else if (column == COLUMN_BEFORE)
        put_amount(query, leg->after_available - leg->delta_available, leg->asset, ret_text);
    else if (column == COLUMN_AFTER)
        put_amount(query, leg->after_available, leg->asset, ret_text);
    else if (column == COLUMN_VERSION)
        print_u64(leg->version, ret_text);
}

void member_ours(const struct query *query, const struct journal_event *e, const settle_leg *leg, enum column column,
                 char ret_text[MEMBER_BYTES])
{
    ret_text[0] = '\0';
    if (column == COLUMN_OUTCOME)
        strcpy(ret_text, settle_outcome_name(e->outcome));
    else if (column == COLUMN_TYPE)
        strcpy(ret_text, settle_type_name(e->event->type));
    else if (column == COLUMN_TS)
        print_u64(e->event->ts_ms, ret_text);
    else if (leg != NULL && column >= COLUMN_DELTA)
        leg_member(query, leg, column, ret_text);
    else if (e->event->type == SETTLE_TRADE)
        trade_member(query, e, column, ret_text);
    else
        transfer_member(query, &e->event->u.transfer, column, ret_text);
}

void member_summary(const struct query *query, const struct journal_event *e, const settle_leg *leg,
                    char ret_text[MEMBER_SUMMARY_BYTES])
{
    static const enum column transfer[] = {COLUMN_USER, COLUMN_ASSET, COLUMN_AMOUNT},
                             trade[] = {COLUMN_BUYER, COLUMN_SELLER, COLUMN_BASE, COLUMN_QUANTITY};
    bool is_trade = e->event->type == SETTLE_TRADE;
    char text[MEMBER_BYTES], user[PRINT_USER_BYTES];
    int used = snprintf(ret_text, MEMBER_SUMMARY_BYTES, "%s", settle_type_name(e->event->type));
    if (leg != NULL) {
        used += snprintf(ret_text + used, MEMBER_SUMMARY_BYTES - (size_t)used, " %s", print_user(leg->user, user));
        put_asset(query, leg->asset, text);
        used += snprintf(ret_text + used, MEMBER_SUMMARY_BYTES - (size_t)used, " %s", text);
        put_amount(query, leg->delta_available, leg->asset, text);
        snprintf(ret_text + used, MEMBER_SUMMARY_BYTES - (size_t)used, " %s", text);
        return;
    }
    for (size_t i = 0; i < (is_trade ? 4U : 3U); i++) {
        member_ours(query, e, NULL, is_trade ? trade[i] : transfer[i], text);
        used += snprintf(ret_text + used, MEMBER_SUMMARY_BYTES - (size_t)used, " %s", text);
    }
}

/* ---- Both ---- */

size_t member_decimals(const char *text)
{
    const char *point = strchr(text, '.');
    return point != NULL ? strlen(point + 1) : 0;
}

void member_shown(enum column column, const char *theirs, size_t decimals, char ret_text[MEMBER_BYTES])
{
    size_t bytes = strlen(theirs), has = member_decimals(theirs);
    memcpy(ret_text, theirs, bytes + 1);
    if (form_of(column) != FORM_DECIMAL || bytes == 0 || has >= decimals || bytes + 1 + decimals >= MEMBER_BYTES)
        return;
    if (has == 0)
        ret_text[bytes++] = '.';
    memset(ret_text + bytes, '0', decimals - has);
    ret_text[bytes + decimals - has] = '\0';
}

bool member_equal(enum column column, const char *ours, const char *theirs)
{
    char text[MEMBER_BYTES];
    if (form_of(column) == FORM_DECIMAL && decimal(ours, text))
        ours = text;
    return strcmp(ours, theirs) == 0;
}
