/*
 * record_shape.h — how wide and how long a record's values are: what its encoder and its decoders must agree on.
 * record.c and record_read.c alone include it.
 */
#ifndef JOURNAL_RECORD_SHAPE_H
#define JOURNAL_RECORD_SHAPE_H

#include "journal/base/bytes.h"
#include "journal/record.h"

static inline size_t align8(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* ---- Amounts: 8 bytes, or 16 with WIDE ------------------------------------------------------------------------- */

static inline bool needs_wide(settle_uint128 bits)
{
    return (uint64_t)(bits >> 64) != 0;
}

static inline uint8_t *put_amount(uint8_t *at, settle_uint128 value, bool wide)
{
    if (!wide) {
        put_u64(at, (uint64_t)value);
        return at + 8;
    }
    put_u128(at, value);
    return at + 16;
}

static inline const uint8_t *get_amount(const uint8_t *at, bool wide, settle_uint128 *ret_value)
{
    *ret_value = wide ? get_u128(at) : get_u64(at);
    return at + (wide ? 16 : 8);
}

/* Zero when an i64 holds `value`. */
static inline uint64_t beyond_i64(settle_int128 value)
{
    return (uint64_t)(value >> 64) ^ (uint64_t)((int64_t)value >> 63);
}

static inline uint8_t *put_signed(uint8_t *at, settle_int128 value, bool wide)
{
    return put_amount(at, (settle_uint128)value, wide);
}

static inline const uint8_t *get_signed(const uint8_t *at, bool wide, settle_int128 *ret_value)
{
    *ret_value = wide ? (settle_int128)get_u128(at) : (settle_int128)(int64_t)get_u64(at);
    return at + (wide ? 16 : 8);
}

/* ---- Trades ---------------------------------------------------------------------------------------------------- */

/* The flags its amounts ask for: no others are canonical. */
static inline uint16_t trade_flags(const settle_trade *trade)
{
    settle_uint128 bits = (settle_uint128)trade->quantity | trade->price.mantissa |
                          (settle_uint128)trade->quote_amount | (settle_uint128)trade->buyer_fee |
                          (settle_uint128)trade->seller_fee;
    return (uint16_t)((needs_wide(bits) ? CONSUMED_WIDE : 0) | (trade->price.mantissa != 0 ? CONSUMED_HAS_PRICE : 0) |
                      (trade->quote_amount != 0 ? CONSUMED_HAS_QUOTE_AMOUNT : 0) |
                      ((trade->buyer_fee | trade->seller_fee) != 0 ? CONSUMED_HAS_FEES : 0));
}

/* Bytes of a trade's record before its texts. */
static inline size_t trade_fixed_bytes(uint16_t flags)
{
    size_t amounts = 1u + ((flags & CONSUMED_HAS_PRICE) != 0) + ((flags & CONSUMED_HAS_QUOTE_AMOUNT) != 0) +
                     ((flags & CONSUMED_HAS_FEES) != 0 ? 2u : 0u);
    return CONSUMED_QUANTITY + amounts * ((flags & CONSUMED_WIDE) != 0 ? 16 : 8);
}

/* ---- Legs ------------------------------------------------------------------------------------------------------ */

static inline uint16_t leg_flags(const settle_leg *leg)
{
    bool held = (leg->delta_held | leg->after_held) != 0;
    uint64_t beyond = beyond_i64(leg->delta_available) | beyond_i64(leg->after_available);
    if (held)
        beyond |= beyond_i64(leg->delta_held) | beyond_i64(leg->after_held);
    return (uint16_t)((beyond != 0 ? LEG_WIDE : 0) | (held ? LEG_HELD : 0));
}

static inline size_t leg_bytes(uint16_t flags)
{
    return LEG_AMOUNTS + ((flags & LEG_HELD) != 0 ? 4u : 2u) * ((flags & LEG_WIDE) != 0 ? 16u : 8u);
}

/* Whether delta, after and before = after - delta are within ±(2^127 - 1), so that any of them can be negated. */
static inline bool change_is_sound(settle_int128 delta, settle_int128 after)
{
    settle_int128 before;
    return delta >= -SETTLE_AMOUNT_MAX && after >= -SETTLE_AMOUNT_MAX &&
           !__builtin_sub_overflow(after, delta, &before) && before >= -SETTLE_AMOUNT_MAX;
}

#endif
