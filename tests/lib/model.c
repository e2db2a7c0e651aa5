/*
 * model.c — the naive model of model.h.
 *
 * Written from docs/events.md, not from the engine: amounts are compared and multiplied as arrays of decimal digits, so
 * that a power of ten is a shift; balances are one sorted array; ids are one array with a list a bucket.
 */
#include "tests/lib/model.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Digits ------------------------------------------------------------------------------------------------------ */

/* 39 digits times 39 digits, shifted by 18, and something to spare. */
#define DIGITS_MAX 100

/* A natural number: least significant digit first, zeros above the highest. */
struct digits {
    int digit[DIGITS_MAX];
};

static struct digits digits_of(settle_uint128 value)
{
    struct digits result = {{0}};
    for (int i = 0; value > 0; i++) {
        result.digit[i] = (int)(value % 10);
        value /= 10;
    }
    return result;
}

static struct digits digits_multiply(const struct digits *a, const struct digits *b)
{
    struct digits result = {{0}};
    for (int i = 0; i < DIGITS_MAX; i++)
        for (int j = 0; j < DIGITS_MAX && a->digit[i] != 0; j++) {
            assert(i + j < DIGITS_MAX || b->digit[j] == 0);
            if (b->digit[j] != 0)
                result.digit[i + j] += a->digit[i] * b->digit[j];
        }
    for (int i = 0; i + 1 < DIGITS_MAX; i++) {
        result.digit[i + 1] += result.digit[i] / 10;
        result.digit[i] %= 10;
    }
    assert(result.digit[DIGITS_MAX - 1] < 10);
    return result;
}

/* × 10^places */
static struct digits digits_shift(const struct digits *a, unsigned places)
{
    struct digits result = {{0}};
    for (unsigned i = 0; i < DIGITS_MAX; i++) {
        assert(i + places < DIGITS_MAX || a->digit[i] == 0);
        if (i + places < DIGITS_MAX)
            result.digit[i + places] = a->digit[i];
    }
    return result;
}

static int digits_compare(const struct digits *a, const struct digits *b)
{
    for (int i = DIGITS_MAX - 1; i >= 0; i--)
        if (a->digit[i] != b->digit[i])
            return a->digit[i] < b->digit[i] ? -1 : 1;
    return 0;
}

/* |a - b| */
static struct digits digits_distance(const struct digits *a, const struct digits *b)
{
    if (digits_compare(a, b) < 0)
        return digits_distance(b, a);
    struct digits result = *a;
    for (int i = 0; i < DIGITS_MAX; i++) {
        result.digit[i] -= b->digit[i];
        if (result.digit[i] < 0) {
            result.digit[i] += 10;
            result.digit[i + 1] -= 1;
        }
    }
    return result;
}

/* What stands above the lowest `places` digits; below 2^127. */
static settle_int128 digits_value_above(const struct digits *a, unsigned places)
{
    settle_int128 value = 0;
    for (int i = DIGITS_MAX - 1; i >= (int)places; i--)
        value = value * 10 + a->digit[i];
    return value;
}

static bool digits_are_zero_below(const struct digits *a, unsigned places)
{
    for (unsigned i = 0; i < places; i++)
        if (a->digit[i] != 0)
            return false;
    return true;
}

/* price × quantity as digits / 10^places minor units of quote. */
static struct digits product_of(settle_price price, settle_int128 quantity, uint8_t base_scale, uint8_t quote_scale,
                                unsigned *ret_places)
{
    struct digits mantissa = digits_of(price.mantissa), amount = digits_of((settle_uint128)quantity);
    struct digits product = digits_multiply(&mantissa, &amount);
    *ret_places = price.scale + base_scale;
    return digits_shift(&product, quote_scale);
}

static bool product_is_too_large(const struct digits *product, unsigned places)
{
    struct digits max = digits_of((settle_uint128)SETTLE_AMOUNT_MAX);
    max = digits_shift(&max, places);
    return digits_compare(product, &max) > 0;
}

enum price_product model_price_product(settle_price price, settle_int128 quantity, uint8_t base_scale,
                                       uint8_t quote_scale, settle_int128 *ret_floor)
{
    unsigned places;
    struct digits product = product_of(price, quantity, base_scale, quote_scale, &places);
    if (product_is_too_large(&product, places))
        return PRODUCT_OVERFLOW;
    *ret_floor = digits_value_above(&product, places);
    return digits_are_zero_below(&product, places) ? PRODUCT_EXACT : PRODUCT_INEXACT;
}

/* ---- Life and assets --------------------------------------------------------------------------------------------- */

void model_init(struct model *model)
{
    memset(model, 0, sizeof *model);
}

void model_deinit(struct model *model)
{
    free(model->entries);
    free(model->balances);
    memset(model, 0, sizeof *model);
}

/* The array with room for one more. */
static void *with_room(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    array = realloc(array, *capacity * size);
    if (array == NULL)
        abort();
    return array;
}

settle_status model_declare_asset(struct model *model, const settle_asset *asset)
{
    for (size_t i = 0; i < model->asset_count; i++) {
        const settle_asset *known = &model->assets[i];
        bool same_id = known->id == asset->id, same_symbol = strcmp(known->symbol, asset->symbol) == 0;
        if (same_id && same_symbol && known->scale == asset->scale)
            return SETTLE_OK;
        if (same_id || same_symbol)
            return SETTLE_E_CONFLICT;
    }
    assert(model->asset_count < MODEL_ASSETS_MAX);
    model->assets[model->asset_count++] = *asset;
    return SETTLE_OK;
}

const settle_asset *model_asset(const struct model *model, uint32_t id)
{
    for (size_t i = 0; i < model->asset_count; i++)
        if (model->assets[i].id == id)
            return &model->assets[i];
    return NULL;
}

/* ---- Ids --------------------------------------------------------------------------------------------------------- */

void model_event_id(const settle_event *event, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1])
{
    const settle_transfer *transfer = &event->u.transfer;
    const settle_text *trade_id = &event->u.trade.trade_id;
    int length = 0;
    if (event->event_id.data != NULL)
        length =
            snprintf(ret_id, SETTLE_EVENT_ID_BYTES_MAX + 1, "%.*s", (int)event->event_id.bytes, event->event_id.data);
    else if (event->type == SETTLE_TRADE)
        length = snprintf(ret_id, SETTLE_EVENT_ID_BYTES_MAX + 1, "trade_%.*s", (int)trade_id->bytes, trade_id->data);
    else
        length = snprintf(ret_id, SETTLE_EVENT_ID_BYTES_MAX + 1, "%s_%" PRIu64 "_%" PRIu32 "_%" PRIu64,
                          event->type == SETTLE_DEPOSIT ? "deposit" : "withdrawal", transfer->user, transfer->asset,
                          event->ts_ms);
    assert(length > 0 && length <= SETTLE_EVENT_ID_BYTES_MAX);
}

static size_t bucket_of(const char *id)
{
    size_t sum = 0;
    for (; *id != '\0'; id++)
        sum = sum * 31 + (unsigned char)*id;
    return sum % MODEL_BUCKETS;
}

static const struct model_entry *entry_of(const struct model *model, const char *id)
{
    for (size_t at = model->buckets[bucket_of(id)]; at != 0; at = model->entries[at - 1].next)
        if (strcmp(model->entries[at - 1].id, id) == 0)
            return &model->entries[at - 1];
    return NULL;
}

uint64_t model_find_id(const struct model *model, const char *id)
{
    const struct model_entry *entry = entry_of(model, id);
    return entry == NULL ? 0 : entry->seq;
}

static void remember(struct model *model, const char *id, const settle_event *event)
{
    model->entries = with_room(model->entries, model->entry_count, &model->entry_capacity, sizeof *model->entries);
    struct model_entry *entry = &model->entries[model->entry_count++];
    memset(entry, 0, sizeof *entry);
    snprintf(entry->id, sizeof entry->id, "%s", id);
    entry->event = *event;
    entry->seq = model->seq;
    if (event->type == SETTLE_TRADE && event->u.trade.trade_id.data != NULL)
        memcpy(entry->trade_id, event->u.trade.trade_id.data, event->u.trade.trade_id.bytes);
    entry->next = model->buckets[bucket_of(id)];
    model->buckets[bucket_of(id)] = model->entry_count;
}

static bool same_price(settle_price a, settle_price b)
{
    struct digits a_digits = digits_of(a.mantissa), b_digits = digits_of(b.mantissa);
    a_digits = digits_shift(&a_digits, a.mantissa == 0 ? 0 : b.scale);
    b_digits = digits_shift(&b_digits, b.mantissa == 0 ? 0 : a.scale);
    return digits_compare(&a_digits, &b_digits) == 0;
}

static bool same_content(const struct model_entry *entry, const settle_event *event)
{
    if (entry->event.type != event->type || entry->event.ts_ms != event->ts_ms)
        return false;
    if (event->type != SETTLE_TRADE) {
        const settle_transfer *a = &entry->event.u.transfer, *b = &event->u.transfer;
        return a->user == b->user && a->asset == b->asset && a->amount == b->amount;
    }
    const settle_trade *a = &entry->event.u.trade, *b = &event->u.trade;
    if (strlen(entry->trade_id) != b->trade_id.bytes)
        return false;
    if (b->trade_id.bytes > 0 && memcmp(entry->trade_id, b->trade_id.data, b->trade_id.bytes) != 0)
        return false;
    return a->buyer == b->buyer && a->seller == b->seller && a->base == b->base && a->quote == b->quote &&
           a->quantity == b->quantity && same_price(a->price, b->price) && a->quote_amount == b->quote_amount &&
           a->buyer_fee == b->buyer_fee && a->seller_fee == b->seller_fee;
}

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

struct movement {
    uint64_t user;
    uint32_t asset;
    settle_int128 delta;
};
struct movements {
    size_t count;
    struct movement all[SETTLE_LEGS_MAX];
};

static void move(struct movements *movements, uint64_t user, uint32_t asset, settle_int128 delta)
{
    if (delta != 0)
        movements->all[movements->count++] = (struct movement){user, asset, delta};
}

static settle_reason transfer_reason(const struct model *model, const settle_event *event, struct movements *movements)
{
    const settle_transfer *transfer = &event->u.transfer;
    settle_int128 delta = event->type == SETTLE_DEPOSIT ? transfer->amount : -transfer->amount;
    if (model_asset(model, transfer->asset) == NULL)
        return SETTLE_REASON_UNKNOWN_ASSET;
    move(movements, transfer->user, transfer->asset, delta);
    move(movements, SETTLE_USER_EXTERNAL, transfer->asset, -delta);
    return SETTLE_REASON_NONE;
}

/* The rules about price, quantity and quote_amount. */
static settle_reason price_reason(const settle_trade *trade, const settle_asset *base, const settle_asset *quote,
                                  settle_int128 *ret_paid)
{
    unsigned places;
    *ret_paid = trade->quote_amount;
    if (trade->price.mantissa == 0)
        return SETTLE_REASON_NONE;
    struct digits product = product_of(trade->price, trade->quantity, base->scale, quote->scale, &places);
    if (product_is_too_large(&product, places))
        return SETTLE_REASON_AMOUNT_OVERFLOW;
    if (trade->quote_amount == 0) {
        *ret_paid = digits_value_above(&product, places);
        return digits_are_zero_below(&product, places) ? SETTLE_REASON_NONE : SETTLE_REASON_INEXACT_AMOUNT;
    }
    struct digits one = digits_of(1), given = digits_of((settle_uint128)trade->quote_amount);
    one = digits_shift(&one, places);
    given = digits_shift(&given, places);
    struct digits distance = digits_distance(&given, &product);
    return digits_compare(&distance, &one) < 0 ? SETTLE_REASON_NONE : SETTLE_REASON_PRICE_MISMATCH;
}

static settle_reason trade_reason(const struct model *model, const settle_trade *trade, struct movements *movements)
{
    const settle_asset *base = model_asset(model, trade->base), *quote = model_asset(model, trade->quote);
    settle_int128 paid;
    if (base == NULL || quote == NULL)
        return SETTLE_REASON_UNKNOWN_ASSET;
    if (trade->buyer == trade->seller)
        return SETTLE_REASON_SELF_TRADE;
    if (trade->base == trade->quote)
        return SETTLE_REASON_SAME_ASSET;
    settle_reason reason = price_reason(trade, base, quote, &paid);
    if (reason != SETTLE_REASON_NONE)
        return reason;
    if (trade->buyer_fee > trade->quantity || trade->seller_fee > paid)
        return SETTLE_REASON_FEE_EXCEEDS_AMOUNT;
    move(movements, trade->buyer, trade->quote, -paid);
    move(movements, trade->buyer, trade->base, trade->quantity - trade->buyer_fee);
    move(movements, trade->seller, trade->base, -trade->quantity);
    move(movements, trade->seller, trade->quote, paid - trade->seller_fee);
    move(movements, SETTLE_USER_FEES, trade->base, trade->buyer_fee);
    move(movements, SETTLE_USER_FEES, trade->quote, trade->seller_fee);
    return SETTLE_REASON_NONE;
}

/* Whether all balances can take the movements: insufficient funds anywhere come before an overflow anywhere. */
static settle_reason balance_reason(const struct model *model, const struct movements *movements)
{
    settle_reason reason = SETTLE_REASON_NONE;
    for (size_t i = 0; i < movements->count; i++) {
        const struct movement *movement = &movements->all[i];
        settle_balance balance = {.available = 0};
        model_balance(model, movement->user, movement->asset, &balance);
        if (movement->user <= SETTLE_USER_MAX && movement->delta < 0 && balance.available < -movement->delta)
            return SETTLE_REASON_INSUFFICIENT_FUNDS;
        if (movement->delta > 0 && balance.available > SETTLE_AMOUNT_MAX - movement->delta)
            reason = SETTLE_REASON_BALANCE_OVERFLOW;
        if (movement->delta < 0 && balance.available < -SETTLE_AMOUNT_MAX - movement->delta)
            reason = SETTLE_REASON_BALANCE_OVERFLOW;
    }
    return reason;
}

/* ---- Balances ---------------------------------------------------------------------------------------------------- */

/* Index of the first balance that does not stand before (user, asset). */
static size_t place_of(const struct model *model, uint64_t user, uint32_t asset)
{
    size_t at = 0;
    while (at < model->balance_count &&
           (model->balances[at].user < user || (model->balances[at].user == user && model->balances[at].asset < asset)))
        at++;
    return at;
}

static bool is_at(const struct model *model, size_t at, uint64_t user, uint32_t asset)
{
    return at < model->balance_count && model->balances[at].user == user && model->balances[at].asset == asset;
}

bool model_balance(const struct model *model, uint64_t user, uint32_t asset, settle_balance *ret_balance)
{
    size_t at = place_of(model, user, asset);
    if (!is_at(model, at, user, asset))
        return false;
    *ret_balance = model->balances[at];
    return true;
}

static settle_balance *balance_for_change(struct model *model, uint64_t user, uint32_t asset)
{
    size_t at = place_of(model, user, asset);
    if (is_at(model, at, user, asset))
        return &model->balances[at];
    model->balances =
        with_room(model->balances, model->balance_count, &model->balance_capacity, sizeof *model->balances);
    memmove(&model->balances[at + 1], &model->balances[at], (model->balance_count - at) * sizeof *model->balances);
    model->balance_count++;
    model->balances[at] = (settle_balance){.user = user, .asset = asset};
    return &model->balances[at];
}

static settle_leg change(struct model *model, const struct movement *movement)
{
    settle_balance *balance = balance_for_change(model, movement->user, movement->asset);
    settle_leg leg = {.user = movement->user, .asset = movement->asset, .delta_available = movement->delta};
    leg.previous_position = balance->seq;
    balance->available += movement->delta;
    balance->version += 1;
    balance->seq = model->seq;
    leg.version = balance->version;
    leg.after_available = balance->available;
    leg.after_held = balance->held;
    return leg;
}

bool model_conserves(const struct model *model)
{
    for (size_t i = 0; i < model->asset_count; i++) {
        settle_uint128 sum = 0; /* modulo 2^128, so that the order does not matter */
        for (size_t j = 0; j < model->balance_count; j++)
            if (model->balances[j].asset == model->assets[i].id)
                sum += (settle_uint128)model->balances[j].available + (settle_uint128)model->balances[j].held;
        if (sum != 0)
            return false;
    }
    return true;
}

void model_submit(struct model *model, const settle_event *event, settle_result *ret_result,
                  struct model_legs *ret_legs)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    struct movements movements = {.count = 0};
    model_event_id(event, id);
    ret_legs->count = 0;
    *ret_result = (settle_result){.seq = ++model->seq, .reason = SETTLE_REASON_NONE};
    const struct model_entry *known = entry_of(model, id);
    if (known != NULL) {
        ret_result->outcome = same_content(known, event) ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
        ret_result->first_seq = known->seq;
        return;
    }
    remember(model, id, event);
    ret_result->reason = event->type == SETTLE_TRADE ? trade_reason(model, &event->u.trade, &movements)
                                                     : transfer_reason(model, event, &movements);
    if (ret_result->reason == SETTLE_REASON_NONE)
        ret_result->reason = balance_reason(model, &movements);
    ret_result->outcome = ret_result->reason == SETTLE_REASON_NONE ? SETTLE_ACCEPTED : SETTLE_REJECTED;
    for (size_t i = 0; ret_result->outcome == SETTLE_ACCEPTED && i < movements.count; i++)
        ret_legs->legs[ret_legs->count++] = change(model, &movements.all[i]);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

const char *model_amount_text(settle_int128 amount, char ret_text[SETTLE_AMOUNT_TEXT_BYTES])
{
    struct digits digits = digits_of(amount < 0 ? -(settle_uint128)amount : (settle_uint128)amount);
    int highest = DIGITS_MAX - 1, at = 0;
    while (highest > 0 && digits.digit[highest] == 0)
        highest--;
    if (amount < 0)
        ret_text[at++] = '-';
    for (int i = highest; i >= 0; i--)
        ret_text[at++] = (char)('0' + digits.digit[i]);
    ret_text[at] = '\0';
    return ret_text;
}

static void describe(char ret_text[MODEL_TEXT_BYTES], const char *what, uint64_t user, uint32_t asset,
                     settle_int128 expected, settle_int128 found)
{
    char a[SETTLE_AMOUNT_TEXT_BYTES], b[SETTLE_AMOUNT_TEXT_BYTES];
    snprintf(ret_text, MODEL_TEXT_BYTES, "%s of user %" PRIu64 ", asset %" PRIu32 ": the model has %s, found %s", what,
             user, asset, model_amount_text(expected, a), model_amount_text(found, b));
}

/* Compares a member of both with the name `what`; leaves the calling function at a difference. */
#define COMPARE(what, user, asset, expected, found)                                                                    \
    if ((settle_int128)(expected) != (settle_int128)(found)) {                                                         \
        describe(ret_text, what, user, asset, (settle_int128)(expected), (settle_int128)(found));                      \
        return false;                                                                                                  \
    }

bool model_legs_equal(const struct model_legs *expected, const settle_leg *legs, size_t leg_count,
                      char ret_text[MODEL_TEXT_BYTES])
{
    COMPARE("number of legs", 0, 0, expected->count, leg_count)
    for (size_t i = 0; i < leg_count; i++) {
        const settle_leg *a = &expected->legs[i], *b = &legs[i];
        COMPARE("user of the leg", a->user, a->asset, a->user, b->user)
        COMPARE("asset of the leg", a->user, a->asset, a->asset, b->asset)
        COMPARE("delta", a->user, a->asset, a->delta_available, b->delta_available)
        COMPARE("balance after", a->user, a->asset, a->after_available, b->after_available)
        COMPARE("delta of held", a->user, a->asset, a->delta_held, b->delta_held)
        COMPARE("held after", a->user, a->asset, a->after_held, b->after_held)
        COMPARE("version after", a->user, a->asset, a->version, b->version)
    }
    return true;
}

bool model_result_equal(const settle_result *expected, const settle_result *result, char ret_text[MODEL_TEXT_BYTES])
{
    COMPARE("seq", 0, 0, expected->seq, result->seq)
    COMPARE("outcome", 0, 0, expected->outcome, result->outcome)
    if (expected->outcome == SETTLE_REJECTED)
        COMPARE("reason", 0, 0, expected->reason, result->reason)
    if (expected->outcome == SETTLE_DUPLICATE || expected->outcome == SETTLE_CONFLICT)
        COMPARE("first seq", 0, 0, expected->first_seq, result->first_seq)
    return true;
}

bool model_equals_balances(const struct model *model, model_get_balance get, void *context,
                           char ret_text[MODEL_TEXT_BYTES])
{
    for (size_t i = 0; i < model->balance_count; i++) {
        const settle_balance *a = &model->balances[i];
        settle_balance b = {.user = 0};
        COMPARE("status", a->user, a->asset, SETTLE_OK, get(context, a->user, a->asset, &b))
        COMPARE("user", a->user, a->asset, a->user, b.user)
        COMPARE("asset", a->user, a->asset, a->asset, b.asset)
        COMPARE("available", a->user, a->asset, a->available, b.available)
        COMPARE("held", a->user, a->asset, a->held, b.held)
        COMPARE("version", a->user, a->asset, a->version, b.version)
        COMPARE("seq", a->user, a->asset, a->seq, b.seq)
    }
    return true;
}

static settle_status get_from_accounts(void *context, uint64_t user, uint32_t asset, settle_balance *ret_balance)
{
    const struct account *account = accounts_find(context, user, asset);
    if (account == NULL)
        return SETTLE_E_NOT_FOUND;
    *ret_balance = (settle_balance){
        .user = account->user,
        .asset = account->asset,
        .available = account->available,
        .held = account->held,
        .version = account->version,
        .seq = account->last_seq,
    };
    return SETTLE_OK;
}

bool model_equals_accounts(const struct model *model, const struct accounts *accounts, char ret_text[MODEL_TEXT_BYTES])
{
    struct accounts view = *accounts; /* a shallow copy, since the getter's context is not const */
    COMPARE("number of balances", 0, 0, model->balance_count, accounts->count)
    return model_equals_balances(model, get_from_accounts, &view, ret_text);
}
