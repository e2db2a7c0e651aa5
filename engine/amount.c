/*
 * amount.c — exact decimals: text to minor units and back, and price × quantity in 256 bits.
 *
 * Pure: owns nothing, allocates nothing, looks at nothing but its arguments.
 * Invariants
 *   - Nothing is rounded and nothing wraps: what does not fit is refused, and the outputs are then untouched.
 *   - A product has at most 256 bits (128 × 128); a power of ten is only multiplied in where 128 bits hold the result.
 *   - Powers of ten up to 10^19 fit a limb of 64 bits; a greater divisor is applied in two steps, which gives the same
 *     quotient, and a remainder of zero exactly when both steps have none.
 */
#include "engine/amount.h"

#include <assert.h>
#include <string.h>

#include "journal/base/digits.h"

#define DIGITS_MAX_IN_64 19 /* 10^19 < 2^64 */
#define LIMBS 4

/* ---- Text to decimal --------------------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static const char *fault_of_byte(char byte)
{
    switch (byte) {
    case '+':
    case '-': return "a decimal has no sign";
    case 'e':
    case 'E': return "a decimal has no exponent";
    case ' ':
    case '\t': return "a decimal has no space in it";
    case '.': return "a decimal has at most one point";
    default: return "a decimal is digits, and optionally a point and digits";
    }
}

/* value × 10 + digit, false when that is 2^127 or more. */
static bool push_digit(settle_uint128 *value, unsigned digit)
{
    const settle_uint128 max = (settle_uint128)SETTLE_AMOUNT_MAX;
    if (*value >> 60 == 0) { /* the usual case: the product fits 64 bits */
        *value = (uint64_t)*value * 10 + digit;
        return true;
    }
    if (*value >= max / 10 && (*value > max / 10 || digit > max % 10))
        return false;
    *value = *value * 10 + digit;
    return true;
}

static const char *fault_at(size_t byte, const char *sentence, size_t *ret_fault_byte)
{
    *ret_fault_byte = byte;
    return sentence;
}

const char *decimal_parse(settle_text text, uint32_t decimals_max, uint32_t digits_max, struct decimal *ret_decimal,
                          size_t *ret_fault_byte)
{
    assert(text.data != NULL || text.bytes == 0);
    assert(ret_decimal != NULL && ret_fault_byte != NULL);
    if (text.bytes >= 2 && text.data[0] == '0' && is_digit(text.data[1]))
        return fault_at(0, "a zero leads another digit", ret_fault_byte);
    settle_uint128 value = 0;
    size_t point = 0; /* index of the point; 0 = none yet, since none stands there */
    for (size_t at = 0; at < text.bytes; at++) {
        const char byte = text.data[at];
        if (!is_digit(byte)) {
            if (byte != '.' || point != 0)
                return fault_at(at, fault_of_byte(byte), ret_fault_byte);
            if (at == 0)
                return fault_at(at, "a digit must stand before the point", ret_fault_byte);
            point = at;
            continue;
        }
        if (point != 0 && at - point > decimals_max)
            return fault_at(at, "more decimals than are allowed", ret_fault_byte);
        if (digits_max != 0 && at - (point != 0) >= digits_max)
            return fault_at(at, "more digits than are allowed", ret_fault_byte);
        if (!push_digit(&value, (unsigned)(byte - '0')))
            return fault_at(at, "too large", ret_fault_byte);
    }
    if (text.bytes == 0)
        return fault_at(0, "a decimal has at least one digit", ret_fault_byte);
    if (point == text.bytes - 1 && point != 0)
        return fault_at(text.bytes, "a digit must stand after the point", ret_fault_byte);
    assert(value <= (settle_uint128)SETTLE_AMOUNT_MAX);
    *ret_decimal = (struct decimal){value, point == 0 ? 0 : (uint32_t)(text.bytes - 1 - point)};
    assert(ret_decimal->decimals <= decimals_max);
    return NULL;
}

bool decimal_to_amount(struct decimal decimal, uint8_t scale, settle_int128 *ret_amount)
{
    assert(scale <= SETTLE_SCALE_MAX);
    assert(decimal.decimals <= scale);
    settle_uint128 amount;
    if (__builtin_mul_overflow(decimal.digits, digits_powers_of_ten[scale - decimal.decimals], &amount))
        return false;
    if (amount > (settle_uint128)SETTLE_AMOUNT_MAX)
        return false;
    *ret_amount = (settle_int128)amount;
    return true;
}

settle_price decimal_to_price(struct decimal decimal)
{
    settle_price price = {decimal.digits, decimal.decimals};
    if (price.mantissa == 0)
        return (settle_price){0, 0};
    if (price.mantissa <= UINT64_MAX) { /* the usual case: no division of 128 bits */
        uint64_t mantissa = (uint64_t)price.mantissa;
        for (; price.scale > 0 && mantissa % 10 == 0; price.scale--)
            mantissa /= 10;
        price.mantissa = mantissa;
    } else {
        for (; price.scale > 0 && price.mantissa % 10 == 0; price.scale--)
            price.mantissa /= 10;
    }
    assert(price.mantissa != 0);
    return price;
}

settle_status settle_amount_parse(settle_text text, uint8_t scale, settle_int128 *ret_amount)
{
    struct decimal decimal;
    size_t fault_byte;
    if (scale > SETTLE_SCALE_MAX || ret_amount == NULL || (text.data == NULL && text.bytes != 0))
        return SETTLE_E_INVALID;
    if (decimal_parse(text, scale, 0, &decimal, &fault_byte) != NULL)
        return SETTLE_E_MALFORMED;
    return decimal_to_amount(decimal, scale, ret_amount) ? SETTLE_OK : SETTLE_E_MALFORMED;
}

settle_status settle_price_parse(settle_text text, settle_price *ret_price)
{
    struct decimal decimal;
    size_t fault_byte;
    if (ret_price == NULL || (text.data == NULL && text.bytes != 0))
        return SETTLE_E_INVALID;
    if (decimal_parse(text, SETTLE_PRICE_DECIMALS_MAX, SETTLE_PRICE_DIGITS_MAX, &decimal, &fault_byte) != NULL)
        return SETTLE_E_MALFORMED;
    *ret_price = decimal_to_price(decimal);
    return SETTLE_OK;
}

/* ---- Amount to text ---------------------------------------------------------------------------------------------- */

size_t settle_amount_format(settle_int128 amount, uint8_t scale, char ret_text[SETTLE_AMOUNT_TEXT_BYTES])
{
    assert(scale <= SETTLE_SCALE_MAX);
    assert(ret_text != NULL);
    char text[DIGITS_AMOUNT_BYTES + DIGITS_SLACK];
    size_t bytes = (size_t)(digits_amount(text, amount, scale) - text);
    assert(bytes < SETTLE_AMOUNT_TEXT_BYTES);
    memcpy(ret_text, text, bytes);
    ret_text[bytes] = '\0';
    return bytes;
}

/* ---- Price × quantity ------------------------------------------------------------------------------------------- */

struct wide {
    uint64_t limbs[LIMBS]; /* least significant first */
};

static struct wide wide_multiply(settle_uint128 a, settle_uint128 b)
{
    const uint64_t a_limbs[2] = {(uint64_t)a, (uint64_t)(a >> 64)};
    const uint64_t b_limbs[2] = {(uint64_t)b, (uint64_t)(b >> 64)};
    struct wide product = {{0}};
    for (int i = 0; i < 2; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 2; j++) {
            /* (2^64-1)^2 + 2 (2^64-1) = 2^128 - 1: the sum cannot overflow. */
            settle_uint128 part = (settle_uint128)a_limbs[i] * b_limbs[j] + product.limbs[i + j] + carry;
            product.limbs[i + j] = (uint64_t)part;
            carry = (uint64_t)(part >> 64);
        }
        product.limbs[i + 2] = carry;
    }
    return product;
}

/* Divides in place and returns the remainder. */
static uint64_t wide_divide(struct wide *value, uint64_t divisor)
{
    assert(divisor != 0);
    uint64_t remainder = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        settle_uint128 part = (settle_uint128)remainder << 64 | value->limbs[i];
        uint64_t quotient = part < divisor ? 0 : (uint64_t)(part / divisor);
        value->limbs[i] = quotient;
        remainder = (uint64_t)part - quotient * divisor; /* below the divisor: exact modulo 2^64 */
    }
    assert(remainder < divisor);
    return remainder;
}

static bool wide_fits_128(const struct wide *value)
{
    return value->limbs[2] == 0 && value->limbs[3] == 0;
}

static settle_uint128 wide_low_128(const struct wide *value)
{
    return (settle_uint128)value->limbs[1] << 64 | value->limbs[0];
}

static enum price_product product_of(settle_uint128 floor, bool is_exact, settle_int128 *ret_floor)
{
    const settle_uint128 max = (settle_uint128)SETTLE_AMOUNT_MAX;
    if (floor > max || (floor == max && !is_exact))
        return PRODUCT_OVERFLOW;
    *ret_floor = (settle_int128)floor;
    return is_exact ? PRODUCT_EXACT : PRODUCT_INEXACT;
}

/* product × 10^exponent */
static enum price_product product_scaled_up(struct wide product, uint32_t exponent, settle_int128 *ret_floor)
{
    assert(exponent <= SETTLE_SCALE_MAX);
    settle_uint128 value;
    if (!wide_fits_128(&product) ||
        __builtin_mul_overflow(wide_low_128(&product), digits_powers_of_ten[exponent], &value))
        return PRODUCT_OVERFLOW;
    return product_of(value, true, ret_floor);
}

/* product / 10^exponent */
static enum price_product product_scaled_down(struct wide product, uint32_t exponent, settle_int128 *ret_floor)
{
    assert(exponent > 0 && exponent <= SETTLE_PRICE_DECIMALS_MAX + SETTLE_SCALE_MAX);
    uint64_t remainder = 0;
    if (exponent > DIGITS_MAX_IN_64) {
        remainder = wide_divide(&product, digits_powers_of_ten[DIGITS_MAX_IN_64]);
        exponent -= DIGITS_MAX_IN_64;
    }
    remainder |= wide_divide(&product, digits_powers_of_ten[exponent]);
    if (!wide_fits_128(&product))
        return PRODUCT_OVERFLOW;
    return product_of(wide_low_128(&product), remainder == 0, ret_floor);
}

enum price_product price_times_quantity(settle_price price, settle_int128 quantity, uint8_t base_scale,
                                        uint8_t quote_scale, settle_int128 *ret_floor)
{
    assert(price.mantissa > 0 && price.scale <= SETTLE_PRICE_DECIMALS_MAX);
    assert(quantity > 0 && base_scale <= SETTLE_SCALE_MAX && quote_scale <= SETTLE_SCALE_MAX);
    const uint32_t down = price.scale + base_scale; /* the product is in 10^-down units of quote */
    const struct wide product = wide_multiply(price.mantissa, (settle_uint128)quantity);
    if (quote_scale >= down)
        return product_scaled_up(product, quote_scale - down, ret_floor);

    const uint32_t exponent = down - quote_scale;
    if (exponent <= DIGITS_MAX_IN_64 && product.limbs[1] == 0 && wide_fits_128(&product)) {
        /* The usual case: one division of 64 bits. */
        uint64_t divisor = digits_powers_of_ten[exponent];
        uint64_t floor = product.limbs[0] / divisor;
        return product_of(floor, floor * divisor == product.limbs[0], ret_floor);
    }
    return product_scaled_down(product, exponent, ret_floor);
}
