/*
 * validate.c — the rules of docs/events.md: balances and an event in, accepted with its legs or one reason out.
 *
 * Pure: no clock, no store, no allocation; reads its arguments and writes the verdict. The rules are tried in the order
 * of SETTLE_REASON_MAP, which is that of docs/events.md.
 * Invariants
 *   - The legs of each asset sum to zero: money only moves.
 *   - No leg takes a user below zero, and none leaves ±(2^127 - 1).
 *   - A leg of delta 0 is no change: it is left out and raises no version.
 *   - Events have the form of docs/events.md (event_form_fault); a breach is a programmer's error here.
 */
#include "engine/validate.h"

#include <assert.h>

#include "engine/amount.h"

/* NULL or an account of just this balance. */
static bool is_account_of(const struct account *account, uint64_t user, uint32_t asset)
{
    return account == NULL || (account->user == user && account->asset == asset);
}

static bool is_user(uint64_t user)
{
    return user > 0 && user <= SETTLE_USER_MAX;
}

static settle_int128 available_of(const struct account *account)
{
    return account == NULL ? 0 : account->available;
}

/* Adds the leg that changes `account` by `delta`; false when the balance would leave ±(2^127 - 1). */
static bool add_leg(struct verdict *verdict, struct account *account, uint64_t user, uint32_t asset,
                    settle_int128 delta)
{
    settle_int128 after;
    assert(is_account_of(account, user, asset));
    if (delta == 0)
        return true;
    if (!amount_add(available_of(account), delta, &after))
        return false;
    assert(after >= 0 || !is_user(user)); /* insufficient funds were found before */
    assert(verdict->leg_count < SETTLE_LEGS_MAX);
    verdict->accounts[verdict->leg_count] = account;
    settle_leg *leg = &verdict->legs[verdict->leg_count++]; /* member by member: twice as fast as a literal */
    leg->user = user;
    leg->asset = asset;
    leg->version = account == NULL ? 1 : account->version + 1;
    leg->previous_position = account == NULL ? 0 : account->last_position;
    leg->delta_available = delta;
    leg->after_available = after;
    leg->delta_held = 0;
    leg->after_held = account == NULL ? 0 : account->held;
    return true;
}

/* Conservation: what the legs of an asset come to. Partial sums stay within the payer's amount, see the legs' order. */
static settle_int128 sum_of_legs(const struct verdict *verdict, uint32_t asset)
{
    settle_int128 sum = 0;
    for (uint32_t i = 0; i < verdict->leg_count; i++) {
        if (verdict->legs[i].asset != asset)
            continue;
        bool fits = amount_add(sum, verdict->legs[i].delta_available, &sum);
        assert(fits);
    }
    return sum;
}

static settle_reason validate_transfer(const settle_transfer *transfer, bool is_deposit, const struct parties *parties,
                                       struct verdict *verdict)
{
    assert(is_user(transfer->user) && transfer->amount > 0);
    if (parties->asset == NULL)
        return SETTLE_REASON_UNKNOWN_ASSET;
    assert(parties->asset->id == transfer->asset);
    if (!is_deposit && available_of(parties->user) < transfer->amount)
        return SETTLE_REASON_INSUFFICIENT_FUNDS;
    settle_int128 delta = is_deposit ? transfer->amount : -transfer->amount;
    if (!add_leg(verdict, parties->user, transfer->user, transfer->asset, delta) ||
        !add_leg(verdict, parties->external, SETTLE_USER_EXTERNAL, transfer->asset, -delta))
        return SETTLE_REASON_BALANCE_OVERFLOW;
    assert(verdict->leg_count == 2 && sum_of_legs(verdict, transfer->asset) == 0);
    return SETTLE_REASON_NONE;
}

/* What the buyer pays: quote_amount where it is given, else price × quantity, which must be a whole number. */
static settle_reason quote_amount_of(const settle_trade *trade, uint8_t base_scale, uint8_t quote_scale,
                                     settle_int128 *ret_quote_amount)
{
    settle_int128 floor;
    if (trade->price.mantissa == 0) {
        *ret_quote_amount = trade->quote_amount;
        return SETTLE_REASON_NONE;
    }
    enum price_product product = price_times_quantity(trade->price, trade->quantity, base_scale, quote_scale, &floor);
    if (product == PRODUCT_OVERFLOW)
        return SETTLE_REASON_AMOUNT_OVERFLOW;
    if (trade->quote_amount == 0) {
        if (product == PRODUCT_INEXACT)
            return SETTLE_REASON_INEXACT_AMOUNT;
        *ret_quote_amount = floor;
        return SETTLE_REASON_NONE;
    }
    /* Within less than one minor unit: the product itself, or the whole number on either side of it. The number above
     * exists: an inexact product at 2^127 - 1 is an overflow. */
    if (trade->quote_amount != floor && (product == PRODUCT_EXACT || trade->quote_amount - 1 != floor))
        return SETTLE_REASON_PRICE_MISMATCH;
    *ret_quote_amount = trade->quote_amount;
    return SETTLE_REASON_NONE;
}

/* The six movements of a trade, in the order that validate.h promises. */
static bool add_trade_legs(const settle_trade *trade, settle_int128 quote_amount, const struct parties *parties,
                           struct verdict *verdict)
{
    return add_leg(verdict, parties->buyer_quote, trade->buyer, trade->quote, -quote_amount) &&
           add_leg(verdict, parties->buyer_base, trade->buyer, trade->base, trade->quantity - trade->buyer_fee) &&
           add_leg(verdict, parties->seller_base, trade->seller, trade->base, -trade->quantity) &&
           add_leg(verdict, parties->seller_quote, trade->seller, trade->quote, quote_amount - trade->seller_fee) &&
           add_leg(verdict, parties->fees_base, SETTLE_USER_FEES, trade->base, trade->buyer_fee) &&
           add_leg(verdict, parties->fees_quote, SETTLE_USER_FEES, trade->quote, trade->seller_fee);
}

static settle_reason validate_trade(const settle_trade *trade, const struct parties *parties, struct verdict *verdict)
{
    assert(is_user(trade->buyer) && is_user(trade->seller) && trade->quantity > 0);
    assert(trade->quote_amount >= 0 && (trade->quote_amount > 0 || trade->price.mantissa > 0));
    assert(trade->buyer_fee >= 0 && trade->seller_fee >= 0);
    settle_int128 quote_amount;
    if (parties->base == NULL || parties->quote == NULL)
        return SETTLE_REASON_UNKNOWN_ASSET;
    assert(parties->base->id == trade->base && parties->quote->id == trade->quote);
    if (trade->buyer == trade->seller)
        return SETTLE_REASON_SELF_TRADE;
    if (trade->base == trade->quote)
        return SETTLE_REASON_SAME_ASSET;
    settle_reason reason = quote_amount_of(trade, parties->base->scale, parties->quote->scale, &quote_amount);
    if (reason != SETTLE_REASON_NONE)
        return reason;
    if (trade->buyer_fee > trade->quantity || trade->seller_fee > quote_amount)
        return SETTLE_REASON_FEE_EXCEEDS_AMOUNT;
    if (available_of(parties->buyer_quote) < quote_amount || available_of(parties->seller_base) < trade->quantity)
        return SETTLE_REASON_INSUFFICIENT_FUNDS;
    if (!add_trade_legs(trade, quote_amount, parties, verdict))
        return SETTLE_REASON_BALANCE_OVERFLOW;
    assert(verdict->leg_count >= 4); /* a fee that takes all of a receipt stands in its place */
    assert(sum_of_legs(verdict, trade->base) == 0 && sum_of_legs(verdict, trade->quote) == 0);
    return SETTLE_REASON_NONE;
}

void validate(const settle_event *event, const struct parties *parties, struct verdict *ret_verdict)
{
    assert(event != NULL && parties != NULL && ret_verdict != NULL);
    assert(event->type == SETTLE_DEPOSIT || event->type == SETTLE_WITHDRAWAL || event->type == SETTLE_TRADE);
    ret_verdict->leg_count = 0;
    if (event->type == SETTLE_TRADE)
        ret_verdict->reason = validate_trade(&event->u.trade, parties, ret_verdict);
    else
        ret_verdict->reason =
            validate_transfer(&event->u.transfer, event->type == SETTLE_DEPOSIT, parties, ret_verdict);
    if (ret_verdict->reason != SETTLE_REASON_NONE)
        ret_verdict->leg_count = 0; /* all or nothing */
    assert((ret_verdict->leg_count >= 2) == (ret_verdict->reason == SETTLE_REASON_NONE));
}
