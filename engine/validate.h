/*
 * validate.h — the rules of docs/events.md, pure: the balances concerned and the event in, a verdict with its legs out.
 * No clock, no store, no allocation. Replay, the engine and the tests' model comparison all call the same function.
 */
#ifndef ENGINE_VALIDATE_H
#define ENGINE_VALIDATE_H

#include "engine/accounts.h"

/* Who takes part; NULL = an account that was never changed (all zero). Which fields are used depends on the type. */
struct parties {
    const settle_asset *asset, *base, *quote; /* NULL = not declared */
    struct account *user;                     /* transfer */
    struct account *external;                 /* transfer: of the asset */
    struct account *buyer_quote, *buyer_base, *seller_base, *seller_quote;
    struct account *fees_base, *fees_quote;
};

struct verdict {
    settle_reason reason; /* SETTLE_REASON_NONE: accepted */
    uint32_t leg_count;
    /* In order: the user; or buyer pays quote, buyer receives base, seller pays base, seller receives quote; then external,
     * fees of base, fees of quote. Legs of delta 0 are left out. previous_position is filled from the accounts. */
    settle_leg legs[SETTLE_LEGS_MAX];
    struct account *accounts[SETTLE_LEGS_MAX]; /* of the legs, as they were given, untouched; NULL: to be added */
};

void validate(const settle_event *event, const struct parties *parties, struct verdict *ret_verdict);

#endif
