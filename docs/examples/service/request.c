/*
 * request.c — from a line to an event: the members by name, each of its kind, none unknown, missing or given twice.
 *
 * The library takes events as structs with amounts in whole minor units; how they come in is the program's own. Here it is JSON
 * by cJSON. Amounts are strings for settle_amount_parse(), so that nothing ever is floating point.
 */
#include "request.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cJSON.h>

const settle_asset assets[ASSET_COUNT] = {{.id = 1, .scale = 8, .symbol = "BTC"},
                                          {.id = 2, .scale = 6, .symbol = "USDT"}};

enum member {
    TYPE,
    EVENT_ID,
    TS,
    USER,
    ASSET,
    AMOUNT,
    TRADE_ID,
    BUYER,
    SELLER,
    BASE,
    QUOTE,
    QUANTITY,
    PRICE,
    QUOTE_AMOUNT,
    BUYER_FEE,
    SELLER_FEE,
    MEMBER_COUNT
};
static const char *const member_names[MEMBER_COUNT] = {
    "type",   "event_id", "ts",    "user",     "asset", "amount",       "trade_id",  "buyer",
    "seller", "base",     "quote", "quantity", "price", "quote_amount", "buyer_fee", "seller_fee"};
#define BIT(member) (1u << (member))
#define TRANSFER_MEMBERS (BIT(TYPE) | BIT(EVENT_ID) | BIT(TS) | BIT(USER) | BIT(ASSET) | BIT(AMOUNT))
#define BALANCE_MEMBERS (BIT(TYPE) | BIT(USER) | BIT(ASSET))
#define OUTCOME_MEMBERS (BIT(TYPE) | BIT(EVENT_ID))
#define TRADE_REQUIRED                                                                                                 \
    (BIT(TYPE) | BIT(EVENT_ID) | BIT(TS) | BIT(BUYER) | BIT(SELLER) | BIT(BASE) | BIT(QUOTE) | BIT(QUANTITY))
#define TRADE_MEMBERS                                                                                                  \
    (TRADE_REQUIRED | BIT(TRADE_ID) | BIT(PRICE) | BIT(QUOTE_AMOUNT) | BIT(BUYER_FEE) | BIT(SELLER_FEE))

/* The members of one line, and the first thing that is wrong with them. */
struct line {
    const cJSON *members[MEMBER_COUNT];
    unsigned found;
    char *fault; /* TEXT_BYTES; "" while all is well */
};

static void fault(struct line *line, const char *format, ...)
{
    va_list arguments;
    if (line->fault[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(line->fault, TEXT_BYTES, format, arguments);
    va_end(arguments);
}

static void collect(struct line *line, const cJSON *object)
{
    if (!cJSON_IsObject(object)) {
        fault(line, "not a JSON object");
        return;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        int member = 0;
        while (member < MEMBER_COUNT && strcmp(member_names[member], item->string) != 0)
            member++;
        if (member == MEMBER_COUNT || (line->found & BIT(member)) != 0) {
            fault(line, "%.40s: %s", item->string, member == MEMBER_COUNT ? "unknown member" : "given twice");
            return;
        }
        line->members[member] = item;
        line->found |= BIT(member);
    }
}

/* All of `required`, and nothing but `allowed`. */
static void expect_members(struct line *line, unsigned required, unsigned allowed)
{
    for (int member = 0; member < MEMBER_COUNT; member++) {
        if ((required & ~line->found & BIT(member)) != 0)
            fault(line, "%s is missing", member_names[member]);
        if ((line->found & ~allowed & BIT(member)) != 0)
            fault(line, "%s does not belong here", member_names[member]);
    }
}

/* cJSON's numbers are doubles: whole ones up to 2^53 are exact. A greater user number comes as a string of digits. */
static uint64_t integer_of(struct line *line, enum member member)
{
    const cJSON *item = line->members[member];
    uint64_t value = 0;
    if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 9007199254740992.0 &&
        (double)(uint64_t)item->valuedouble == item->valuedouble)
        return (uint64_t)item->valuedouble;
    const char *digit = cJSON_IsString(item) ? item->valuestring : "x";
    bool is_good = *digit != '\0' && strlen(digit) < 20;
    for (; is_good && *digit != '\0'; digit++) {
        is_good = *digit >= '0' && *digit <= '9';
        value = value * 10 + (uint64_t)(*digit - '0');
    }
    if (!is_good)
        fault(line, "%s: not an integer", member_names[member]);
    return value;
}

static const settle_asset *asset_of(struct line *line, enum member member)
{
    const cJSON *item = line->members[member];
    for (size_t i = 0; i < ASSET_COUNT; i++)
        if (cJSON_IsString(item) && strcmp(item->valuestring, assets[i].symbol) == 0)
            return &assets[i];
    fault(line, "%s: no such asset", member_names[member]);
    return &assets[0];
}

/* A decimal string, never a JSON number: that would be floating point. 0 when it is not given. */
static settle_int128 amount_of(struct line *line, enum member member, const settle_asset *asset)
{
    const cJSON *item = line->members[member];
    settle_int128 amount = 0;
    if ((line->found & BIT(member)) == 0)
        return 0;
    if (!cJSON_IsString(item) || settle_amount_parse((settle_text){item->valuestring, strlen(item->valuestring)},
                                                     asset->scale, &amount) != SETTLE_OK)
        fault(line, "%s: not a decimal string with at most %d decimals", member_names[member], asset->scale);
    return amount;
}

static settle_price price_of(struct line *line)
{
    const cJSON *item = line->members[PRICE];
    settle_price price = {0, 0};
    if ((line->found & BIT(PRICE)) == 0)
        return price;
    if (!cJSON_IsString(item) ||
        settle_price_parse((settle_text){item->valuestring, strlen(item->valuestring)}, &price) != SETTLE_OK)
        fault(line, "price: not a decimal string with at most %d decimals", SETTLE_PRICE_DECIMALS_MAX);
    return price;
}

/* Copies a text to where it outlives the parser's memory. Its characters are the engine's to check. */
static settle_text text_of(struct line *line, enum member member, char *to, size_t to_bytes)
{
    const cJSON *item = line->members[member];
    if ((line->found & BIT(member)) == 0)
        return (settle_text){NULL, 0};
    if (!cJSON_IsString(item) || item->valuestring[0] == '\0' || strlen(item->valuestring) >= to_bytes) {
        fault(line, "%s: not a string of 1 to %zu bytes", member_names[member], to_bytes - 1);
        return (settle_text){NULL, 0};
    }
    strcpy(to, item->valuestring);
    return (settle_text){to, strlen(to)};
}

static void read_transfer(struct line *line, settle_event_type type, settle_event *ret_event)
{
    const settle_asset *asset = asset_of(line, ASSET);
    ret_event->type = type;
    ret_event->u.transfer =
        (settle_transfer){.user = integer_of(line, USER), .asset = asset->id, .amount = amount_of(line, AMOUNT, asset)};
}

static void read_trade(struct line *line, struct request *request, settle_event *ret_event)
{
    const settle_asset *base = asset_of(line, BASE), *quote = asset_of(line, QUOTE);
    ret_event->type = SETTLE_TRADE;
    ret_event->u.trade = (settle_trade){
        .trade_id = text_of(line, TRADE_ID, request->trade_id, sizeof request->trade_id),
        .buyer = integer_of(line, BUYER),
        .seller = integer_of(line, SELLER),
        .base = base->id,
        .quote = quote->id,
        .quantity = amount_of(line, QUANTITY, base),
        .price = price_of(line),
        .quote_amount = amount_of(line, QUOTE_AMOUNT, quote),
        .buyer_fee = amount_of(line, BUYER_FEE, base),
        .seller_fee = amount_of(line, SELLER_FEE, quote),
    };
}

/* What the line asks for, once its members are known. */
static void read_members(struct line *line, struct request *request, settle_event *ret_event)
{
    const cJSON *item = line->members[TYPE];
    const char *type = cJSON_IsString(item) ? item->valuestring : "";
    bool is_deposit = strcmp(type, "deposit") == 0, is_trade = strcmp(type, "trade") == 0;
    request->kind = EVENT;
    if (is_deposit || strcmp(type, "withdrawal") == 0)
        expect_members(line, TRANSFER_MEMBERS, TRANSFER_MEMBERS);
    else if (is_trade)
        expect_members(line, TRADE_REQUIRED, TRADE_MEMBERS);
    else if (strcmp(type, "balance") == 0)
        request->kind = BALANCE, expect_members(line, BALANCE_MEMBERS, BALANCE_MEMBERS);
    else if (strcmp(type, "outcome") == 0)
        request->kind = OUTCOME, expect_members(line, OUTCOME_MEMBERS, OUTCOME_MEMBERS);
    else
        fault(line, "type: not one of deposit, withdrawal, trade, balance, outcome");
    if (line->fault[0] != '\0')
        return;

    if (request->kind == BALANCE) {
        request->user = integer_of(line, USER);
        request->asset = asset_of(line, ASSET);
        return;
    }
    settle_text id = text_of(line, EVENT_ID, request->id, sizeof request->id);
    if (request->kind == OUTCOME)
        return;
    *ret_event = (settle_event){.event_id = id, .ts_ms = integer_of(line, TS)};
    if (is_trade)
        read_trade(line, request, ret_event);
    else
        read_transfer(line, is_deposit ? SETTLE_DEPOSIT : SETTLE_WITHDRAWAL, ret_event);
}

void request_read(const char *text, struct request *ret_request, settle_event *ret_event)
{
    memset(ret_request, 0, sizeof *ret_request);
    struct line line = {.fault = ret_request->text};
    cJSON *object = cJSON_ParseWithOpts(text, NULL, true);
    collect(&line, object);
    if (ret_request->text[0] == '\0')
        read_members(&line, ret_request, ret_event);
    cJSON_Delete(object);
    if (ret_request->text[0] != '\0')
        ret_request->kind = FAULT;
}
