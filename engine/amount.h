/* amount.h — exact decimals and 128/256-bit arithmetic. No floating point, no rounding, no wrap-around. */
#ifndef ENGINE_AMOUNT_H
#define ENGINE_AMOUNT_H

#include <stdbool.h>

#include <settle/settle.h>

/* A decimal as written: digits / 10^decimals. */
struct decimal {
    settle_uint128 digits;
    uint32_t decimals;
};

/*
 * Strict decimal text (docs/events.md). NULL and *ret_decimal, or a static sentence that says what is wrong and
 * *ret_fault_byte (0-based). At most `decimals_max` decimals and, where digits_max is not 0, that many digits; the value of
 * the digits must be below 2^127 ("too large" otherwise).
 */
const char *decimal_parse(settle_text text, uint32_t decimals_max, uint32_t digits_max, struct decimal *ret_decimal,
                          size_t *ret_fault_byte);
/* digits × 10^(scale - decimals); false when it is 2^127 or more. Needs decimals <= scale. */
bool decimal_to_amount(struct decimal decimal, uint8_t scale, settle_int128 *ret_amount);
/* The price without trailing zeros: 1.50 and 1.5 become the same value. */
settle_price decimal_to_price(struct decimal decimal);

/* What price × quantity comes to in minor units of the quote asset. */
enum price_product {
    PRODUCT_EXACT,    /* a whole number: *ret_floor */
    PRODUCT_INEXACT,  /* strictly between *ret_floor and *ret_floor + 1 */
    PRODUCT_OVERFLOW, /* greater than 2^127 - 1 */
};
enum price_product price_times_quantity(settle_price price, settle_int128 quantity, uint8_t base_scale,
                                        uint8_t quote_scale, settle_int128 *ret_floor);

/* False when the result leaves ±(2^127 - 1); *ret is then untouched. */
static inline bool amount_add(settle_int128 a, settle_int128 b, settle_int128 *ret)
{
    settle_int128 sum;
    if (__builtin_add_overflow(a, b, &sum) || sum < -SETTLE_AMOUNT_MAX)
        return false;
    *ret = sum;
    return true;
}

#endif
