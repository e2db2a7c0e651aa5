/*
 * lines_members.h — what a step says besides its head, as members of a JSON object: the same in the formats settle and
 * ECS, whose names have a prefix. Inlined with a constant `style`, so that nothing is left of the choice.
 *
 * Everything constant is a literal whose size the compiler knows; where a short field is copied, a fixed number of
 * bytes is moved and the end set behind those that count (LINES_SLACK).
 */
#ifndef JOURNAL_LINES_MEMBERS_H
#define JOURNAL_LINES_MEMBERS_H

#include <assert.h>

#include "journal/lines/lines_render.h"

#define LINES_INLINE static inline __attribute__((always_inline))

enum members_style {
    MEMBERS_PLAIN,  /* ,"user": */
    MEMBERS_DOTTED, /* ,"settle.user": */
};

#define MEMBERS_KEY(at, style, name)                                                                                   \
    ((style) == MEMBERS_DOTTED ? digits_literal(at, ",\"settle." name "\":") : digits_literal(at, ",\"" name "\":"))

/* An asset's value: its symbol, or where it is not declared its id. */
LINES_INLINE char *members_asset(char *at, const struct lines_asset *asset, uint32_t id)
{
    enum { USUAL_BYTES = SETTLE_SYMBOL_BYTES_MAX + 2 };
    if (asset == NULL)
        return digits_u64(at, id);
    memcpy(at, asset->json, USUAL_BYTES);
    if (asset->json_bytes > USUAL_BYTES)
        memcpy(at, asset->json, asset->json_bytes);
    return at + asset->json_bytes;
}

/* An amount's value, quoted; without a scale in minor units. */
LINES_INLINE char *members_amount_value(char *at, const struct lines_asset *asset, settle_int128 amount)
{
    uint8_t scale = asset != NULL ? asset->asset.scale : 0;
    *at++ = '"';
    if ((uint64_t)((settle_uint128)amount >> 64) == 0)
        at = digits_amount_short(at, (uint64_t)amount, scale);
    else
        at = digits_amount(at, amount, scale);
    *at++ = '"';
    return at;
}

/* A member; an asset that is not declared has no scale: name_minor. */
#define MEMBERS_AMOUNT(at, style, name, asset, amount)                                                                 \
    members_amount_value((asset) != NULL ? MEMBERS_KEY(at, style, name) : MEMBERS_KEY(at, style, name "_minor"),       \
                         asset, amount)

LINES_INLINE char *members_transfer(char *at, const struct lines *lines, enum members_style style)
{
    const settle_transfer *transfer = &lines->consumed.u.consumed.u.transfer;
    const struct lines_asset *asset = lines_asset_at(lines, transfer->asset, lines->consumed.position);
    at = digits_json_user(MEMBERS_KEY(at, style, "user"), transfer->user);
    at = members_asset(MEMBERS_KEY(at, style, "asset"), asset, transfer->asset);
    return MEMBERS_AMOUNT(at, style, "amount", asset, transfer->amount);
}

LINES_INLINE char *members_trade(char *at, const struct lines *lines, enum members_style style)
{
    const settle_trade *trade = &lines->consumed.u.consumed.u.trade;
    const struct lines_asset *base = lines_asset_at(lines, trade->base, lines->consumed.position);
    const struct lines_asset *quote = lines_asset_at(lines, trade->quote, lines->consumed.position);
    if (trade->trade_id.bytes != 0)
        at = digits_json_text(MEMBERS_KEY(at, style, "trade_id"), trade->trade_id.data, trade->trade_id.bytes);
    at = digits_json_user(MEMBERS_KEY(at, style, "buyer"), trade->buyer);
    at = digits_json_user(MEMBERS_KEY(at, style, "seller"), trade->seller);
    at = members_asset(MEMBERS_KEY(at, style, "base"), base, trade->base);
    at = members_asset(MEMBERS_KEY(at, style, "quote"), quote, trade->quote);
    at = MEMBERS_AMOUNT(at, style, "quantity", base, trade->quantity);
    if (trade->price.mantissa != 0) {
        at = digits_literal(MEMBERS_KEY(at, style, "price"), "\"");
        at = digits_literal(digits_price(at, trade->price), "\"");
    }
    if (trade->quote_amount != 0)
        at = MEMBERS_AMOUNT(at, style, "quote_amount", quote, trade->quote_amount);
    if (trade->buyer_fee != 0)
        at = MEMBERS_AMOUNT(at, style, "buyer_fee", base, trade->buyer_fee);
    if (trade->seller_fee != 0)
        at = MEMBERS_AMOUNT(at, style, "seller_fee", quote, trade->seller_fee);
    return at;
}

/* What came in. */
LINES_INLINE char *members_input(char *at, const struct lines *lines, enum members_style style)
{
    if (lines->consumed.u.consumed.type == SETTLE_TRADE)
        return members_trade(at, lines, style);
    return members_transfer(at, lines, style);
}

/* The same at CONSUMED, kept for the decision. */
LINES_INLINE char *members_input_first(char *at, struct lines *lines, uint64_t seq, enum members_style style)
{
    char *end = members_input(at, lines, style);
    lines->input_seq = 0;
    if (end - at <= LINES_INPUT_BYTES) {
        lines->input_seq = seq;
        lines->input_bytes = (size_t)(end - at);
        memcpy(lines->input, at, LINES_INPUT_BYTES);
    }
    return end;
}

LINES_INLINE char *members_input_again(char *at, const struct lines *lines, uint64_t seq, enum members_style style)
{
    if (lines->input_seq != seq)
        return members_input(at, lines, style);
    memcpy(at, lines->input, LINES_INPUT_BYTES);
    return at + lines->input_bytes;
}

/* Every leg, in the journal's order. */
LINES_INLINE char *members_effects(char *at, const struct lines *lines, enum members_style style)
{
    const struct record_validated *validated = &lines->decided.u.validated;
    assert(validated->leg_count >= 1);
    at = digits_literal(MEMBERS_KEY(at, style, "effects"), "[");
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i];
        const struct lines_asset *asset = lines_asset_at(lines, leg->asset, lines->consumed.position);
        at = digits_json_user(digits_literal(at, "{\"user\":"), leg->user);
        at = members_asset(MEMBERS_KEY(at, MEMBERS_PLAIN, "asset"), asset, leg->asset);
        at = MEMBERS_AMOUNT(at, MEMBERS_PLAIN, "before", asset, leg->after_available - leg->delta_available);
        at = MEMBERS_AMOUNT(at, MEMBERS_PLAIN, "delta", asset, leg->delta_available);
        at = MEMBERS_AMOUNT(at, MEMBERS_PLAIN, "after", asset, leg->after_available);
        at = digits_json_u64(MEMBERS_KEY(at, MEMBERS_PLAIN, "version"), leg->version);
        at = digits_literal(at, "},");
    }
    at[-1] = ']';
    return at;
}

/* The user's leg of a deposit or withdrawal. NULL: the journal has none, or it is a trade. */
LINES_INLINE const settle_leg *members_user_leg(const struct lines *lines)
{
    const settle_transfer *transfer = &lines->consumed.u.consumed.u.transfer;
    const struct record_validated *validated = &lines->decided.u.validated;
    if (lines->consumed.u.consumed.type == SETTLE_TRADE)
        return NULL;
    for (uint32_t i = 0; i < validated->leg_count; i++)
        if (validated->legs[i].user == transfer->user && validated->legs[i].asset == transfer->asset)
            return &validated->legs[i];
    return NULL;
}

LINES_INLINE char *members_validated(char *at, const struct lines *lines, uint64_t seq, enum members_style style)
{
    const settle_leg *leg = members_user_leg(lines);
    if (leg == NULL)
        return members_effects(at, lines, style);
    const struct lines_asset *asset = lines_asset_at(lines, leg->asset, lines->consumed.position);
    at = members_input_again(at, lines, seq, style);
    at = MEMBERS_AMOUNT(at, style, "balance_before", asset, leg->after_available - leg->delta_available);
    at = MEMBERS_AMOUNT(at, style, "balance_after", asset, leg->after_available);
    return digits_json_u64(MEMBERS_KEY(at, style, "version"), leg->version);
}

/* All members of a step behind its event, event id and seq. */
LINES_INLINE char *members_step(char *at, struct lines *lines, const struct lines_step *step, enum members_style style)
{
    const struct lines_event *event = step->event;
    if (step->place.step == LINE_PERSISTED)
        return at;
    if (step->place.step == LINE_CONSUMED)
        return members_input_first(at, lines, event->seq, style);
    if (event->decided == RECORD_VALIDATED)
        return members_validated(at, lines, event->seq, style);
    if (event->decided != RECORD_REJECTED)
        return digits_json_u64(MEMBERS_KEY(at, style, "first_seq"), lines->decided.u.repeat.first_seq);
    const settle_text reason = lines_reason_word(event->reason);
    at = members_input_again(at, lines, event->seq, style);
    return digits_json_text(MEMBERS_KEY(at, style, "reason"), reason.data, reason.bytes);
}

#endif
