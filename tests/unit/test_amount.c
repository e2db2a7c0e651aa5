/*
 * test_amount.c — decimals and products: the forms of docs/events.md one by one, Python's results (amount_table.h), and
 * random numbers against digits multiplied as on paper (model_price_product). SETTLE_TEST_SEED=N runs another series.
 */
#include "engine/amount.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/stream.h"
#include "tests/unit/amount_table.h"

SETTLE_SUITE(amount);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char max_text[] = "170141183460469231731687303715884105727"; /* 2^127 - 1 */

static settle_text text_of(const char *text)
{
    return (settle_text){text, strlen(text)};
}

/* Digits to a number, without any check: for the tables of this file. */
static settle_uint128 number_of(const char *digits)
{
    settle_uint128 value = 0;
    for (; *digits != '\0'; digits++)
        value = value * 10 + (unsigned)(*digits - '0');
    return value;
}

static settle_int128 amount_of(const char *text)
{
    return *text == '-' ? (settle_int128)-number_of(text + 1) : (settle_int128)number_of(text);
}

/* ---- Text to decimal --------------------------------------------------------------------------------------------- */

static void expect_decimal(const char *text, uint32_t decimals_max, const char *digits, uint32_t decimals)
{
    struct decimal decimal = {1234, 77};
    size_t fault_byte = 4711;
    const char *fault = decimal_parse(text_of(text), decimals_max, 0, &decimal, &fault_byte);
    cr_assert_null(fault, "%s: %s", text, fault);
    cr_assert(decimal.digits == number_of(digits), "%s", text);
    cr_assert_eq(decimal.decimals, decimals, "%s", text);
    cr_assert_eq(fault_byte, 4711, "untouched");
}

static void expect_fault(settle_text text, uint32_t decimals_max, uint32_t digits_max, size_t byte, const char *word)
{
    struct decimal decimal = {1234, 77};
    size_t fault_byte = 4711;
    const char *fault = decimal_parse(text, decimals_max, digits_max, &decimal, &fault_byte);
    cr_assert_not_null(fault, "%.*s is accepted", (int)text.bytes, text.data);
    cr_assert_not_null(strstr(fault, word), "%.*s: %s", (int)text.bytes, text.data, fault);
    cr_assert_eq(fault_byte, byte, "%.*s: byte %zu", (int)text.bytes, text.data, fault_byte);
    cr_assert(decimal.digits == 1234 && decimal.decimals == 77, "untouched");
}

Test(amount, documented_decimals_are_read)
{
    expect_decimal("1000.50", 6, "100050", 2);
    expect_decimal("0.1", 6, "1", 1);
    expect_decimal("7", 6, "7", 0);
    expect_decimal("0", 0, "0", 0);
    expect_decimal("0.0", 1, "0", 1);
    expect_decimal("0.000000000000000000", 18, "0", 18);
    expect_decimal("10", 0, "10", 0);
    expect_decimal("0.05", 2, "5", 2);
    expect_decimal("100", 18, "100", 0);
    expect_decimal("1.500", 3, "1500", 3);
    expect_decimal("18446744073709551615", 0, "18446744073709551615", 0);
    expect_decimal("18446744073709551616", 0, "18446744073709551616", 0);
    expect_decimal("9999999999999999999.999999999999999999", 18, "9999999999999999999999999999999999999", 18);
    expect_decimal(max_text, 0, max_text, 0);
    expect_decimal("170141183460469231731.687303715884105727", 18, max_text, 18);
}

Test(amount, what_is_no_decimal_is_refused_at_its_byte)
{
    static const struct {
        char text[32];
        size_t byte;
        char word[24];
    } cases[] = {
        {"", 0, "at least one digit"}, {".5", 0, "before the point"}, {".", 0, "before the point"},
        {"5.", 2, "after the point"},  {"0.", 2, "after the point"},  {"00", 0, "zero leads"},
        {"01", 0, "zero leads"},       {"00.5", 0, "zero leads"},     {"007", 0, "zero leads"},
        {"-1", 0, "no sign"},          {"+1", 0, "no sign"},          {"-0", 0, "no sign"},
        {"1-", 1, "no sign"},          {"1e3", 1, "no exponent"},     {"1.5E3", 3, "no exponent"},
        {"e3", 0, "no exponent"},      {" 1", 0, "no space"},         {"1 ", 1, "no space"},
        {"1 000", 1, "no space"},      {"1\t", 1, "no space"},        {"1..5", 2, "at most one point"},
        {"1.2.3", 3, "at most one"},   {"1,5", 1, "is digits"},       {"1_000", 1, "is digits"},
        {"0x10", 1, "is digits"},      {"NaN", 0, "is digits"},       {"inf", 0, "is digits"},
        {"1/2", 1, "is digits"},       {"1:2", 1, "is digits"},       {"\xc2\xb2", 0, "is digits"},
        {"1\n", 1, "is digits"},       {"\xd9\xa1", 0, "is digits"},  {"1.\xff", 2, "is digits"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_fault(text_of(cases[i].text), 6, 0, cases[i].byte, cases[i].word);
    expect_fault((settle_text){NULL, 0}, 6, 0, 0, "at least one digit");
    expect_fault((settle_text){"1\0", 2}, 6, 0, 1, "is digits");
    expect_fault((settle_text){"\0", 1}, 6, 0, 0, "is digits");
}

Test(amount, every_byte_but_digits_and_one_point_is_refused)
{
    for (int byte = 0; byte < 256; byte++) {
        char bytes[3] = {'1', (char)byte, '2'};
        struct decimal decimal;
        size_t fault_byte;
        bool good = (byte >= '0' && byte <= '9') || byte == '.';
        const char *fault = decimal_parse((settle_text){bytes, 3}, 6, 0, &decimal, &fault_byte);
        cr_assert_eq(fault == NULL, good, "byte %d", byte);
    }
}

Test(amount, decimals_beyond_the_scale_are_refused_even_when_zero)
{
    expect_decimal("1.000000", 6, "1000000", 6);
    expect_fault(text_of("1.0000000"), 6, 0, 8, "more decimals");
    expect_fault(text_of("1.0"), 0, 0, 2, "more decimals");
    expect_fault(text_of("0.0000000000000000001"), 18, 0, 20, "more decimals");
}

Test(amount, digits_beyond_the_limit_are_refused)
{
    const char *digits_38 = "99999999999999999999999999999999999999",
               *digits_39 = "100000000000000000000000000000000000000";
    struct decimal decimal;
    size_t fault_byte;
    cr_assert_null(decimal_parse(text_of(digits_38), 18, SETTLE_PRICE_DIGITS_MAX, &decimal, &fault_byte));
    cr_assert(decimal.digits == number_of(digits_38));
    expect_fault(text_of(digits_39), 18, SETTLE_PRICE_DIGITS_MAX, 38, "more digits");
    cr_assert_null(decimal_parse(text_of("1.23"), 18, 3, &decimal, &fault_byte));
    expect_fault(text_of("1.230"), 18, 3, 4, "more digits");
    expect_fault(text_of("12.30"), 18, 3, 4, "more digits");
}

Test(amount, two_to_the_127_is_too_large)
{
    expect_fault(text_of("170141183460469231731687303715884105728"), 0, 0, 38, "too large");
    expect_fault(text_of("170141183460469231731.687303715884105728"), 18, 0, 39, "too large");
    expect_fault(text_of("170141183460469231731687303715884105730"), 0, 0, 38, "too large");
    expect_fault(text_of("1701411834604692317316873037158841057270"), 0, 0, 39, "too large");
    expect_fault(text_of("340282366920938463463374607431768211456"), 0, 0, 38, "too large"); /* 2^128 */
    expect_fault(text_of("340282366920938463463374607431768211457"), 0, 0, 38, "too large");
    char nines[4096];
    memset(nines, '9', sizeof nines);
    expect_fault((settle_text){nines, sizeof nines}, 18, 0, 38, "too large");
}

Test(amount, a_decimal_becomes_minor_units)
{
    settle_int128 amount = -5;
    cr_assert(decimal_to_amount((struct decimal){100050, 2}, 6, &amount));
    cr_assert(amount == 1000500000);
    cr_assert(decimal_to_amount((struct decimal){7, 0}, 18, &amount));
    cr_assert(amount == (settle_int128)UINT64_C(7000000000000000000));
    cr_assert(decimal_to_amount((struct decimal){0, 0}, 18, &amount));
    cr_assert(amount == 0);
    cr_assert(decimal_to_amount((struct decimal){number_of(max_text), 18}, 18, &amount));
    cr_assert(amount == SETTLE_AMOUNT_MAX);
    cr_assert(decimal_to_amount((struct decimal){number_of("170141183460469231731"), 0}, 18, &amount));
    cr_assert(amount == amount_of("170141183460469231731000000000000000000"));
}

Test(amount, minor_units_of_2_to_the_127_or_more_are_refused)
{
    settle_int128 amount = -5;
    cr_assert_not(decimal_to_amount((struct decimal){number_of("170141183460469231732"), 0}, 18, &amount));
    cr_assert_not(
        decimal_to_amount((struct decimal){number_of("17014118346046923173168730371588410573"), 0}, 1, &amount));
    cr_assert_not(decimal_to_amount((struct decimal){number_of(max_text), 0}, 1, &amount));
    cr_assert_not(decimal_to_amount((struct decimal){number_of(max_text), 0}, 18, &amount));
    cr_assert_not(decimal_to_amount((struct decimal){(settle_uint128)1 << 127, 18}, 18, &amount));
    cr_assert(amount == -5, "untouched");
}

Test(amount, a_price_loses_its_trailing_zeros)
{
    static const struct {
        char digits[40];
        uint32_t decimals;
        char mantissa[40];
        uint32_t scale;
    } cases[] = {
        {"150", 2, "15", 1},
        {"15", 1, "15", 1},
        {"1500", 3, "15", 1},
        {"100", 2, "1", 0},
        {"100", 0, "100", 0}, /* zeros before the point stay */
        {"100", 1, "10", 0},
        {"0", 18, "0", 0},
        {"99999999999999999999999999999999999990", 18, "9999999999999999999999999999999999999", 17},
        {"10000000000000000000000000000000000000", 18, "10000000000000000000", 0},
        {"18446744073709551620", 1, "1844674407370955162", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        settle_price price = decimal_to_price((struct decimal){number_of(cases[i].digits), cases[i].decimals});
        cr_assert(price.mantissa == number_of(cases[i].mantissa), "case %zu", i);
        cr_assert_eq(price.scale, cases[i].scale, "case %zu", i);
    }
}

/* ---- Public parse and format ------------------------------------------------------------------------------------- */

Test(amount, parsing_an_amount_answers_with_a_status)
{
    settle_int128 amount = -5;
    EXPECT_OK(settle_amount_parse(text_of("1000.50"), 6, &amount));
    cr_assert(amount == 1000500000);
    EXPECT_OK(settle_amount_parse(text_of("0"), 6, &amount));
    cr_assert(amount == 0);
    EXPECT_OK(settle_amount_parse(text_of(max_text), 0, &amount));
    cr_assert(amount == SETTLE_AMOUNT_MAX);
    amount = -5;
    EXPECT_STATUS(settle_amount_parse(text_of("1000.5000000"), 6, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse(text_of("-1"), 6, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse(text_of("1e3"), 6, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse(text_of("01"), 6, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse(text_of(max_text), 1, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse((settle_text){NULL, 0}, 6, &amount), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_amount_parse((settle_text){NULL, 1}, 6, &amount), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_amount_parse(text_of("1"), 19, &amount), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_amount_parse(text_of("1"), 6, NULL), SETTLE_E_INVALID);
    cr_assert(amount == -5, "untouched");
}

Test(amount, an_amount_is_printed_with_all_its_decimals)
{
    static const struct {
        char amount[44];
        uint8_t scale;
        char text[SETTLE_AMOUNT_TEXT_BYTES];
    } cases[] = {
        {"1000500000", 6, "1000.500000"},
        {"0", 0, "0"},
        {"0", 6, "0.000000"},
        {"0", 18, "0.000000000000000000"},
        {"1", 0, "1"},
        {"1", 1, "0.1"},
        {"1", 18, "0.000000000000000001"},
        {"-1", 18, "-0.000000000000000001"},
        {"-1000500000", 6, "-1000.500000"},
        {"999999", 6, "0.999999"},
        {"1000000", 6, "1.000000"},
        {"-10", 0, "-10"},
        {"18446744073709551615", 0, "18446744073709551615"},
        {"18446744073709551616", 0, "18446744073709551616"},
        {"100000000000000000000", 0, "100000000000000000000"},
        {"100000000000000000000", 18, "100.000000000000000000"},
        {"10000000000000000000000000000000000000", 18, "10000000000000000000.000000000000000000"},
        {"170141183460469231731687303715884105727", 0, "170141183460469231731687303715884105727"},
        {"170141183460469231731687303715884105727", 18, "170141183460469231731.687303715884105727"},
        {"-170141183460469231731687303715884105727", 18, "-170141183460469231731.687303715884105727"},
        {"-170141183460469231731687303715884105728", 0, "-170141183460469231731687303715884105728"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[SETTLE_AMOUNT_TEXT_BYTES];
        memset(text, 'x', sizeof text);
        size_t bytes = settle_amount_format(amount_of(cases[i].amount), cases[i].scale, text);
        cr_assert_str_eq(text, cases[i].text);
        cr_assert_eq(bytes, strlen(cases[i].text));
    }
}

Test(amount, what_is_printed_reads_back_the_same)
{
    struct stream stream;
    char text[SETTLE_AMOUNT_TEXT_BYTES], whole[SETTLE_AMOUNT_TEXT_BYTES];
    uint64_t seed = stream_seed(42);
    stream_init(&stream, seed);
    for (int i = 0; i < 100000; i++) {
        settle_int128 amount = stream_random_amount(&stream, SETTLE_AMOUNT_MAX), again = -5;
        uint8_t scale = (uint8_t)stream_random(&stream, SETTLE_SCALE_MAX + 1);
        size_t bytes = settle_amount_format(amount, scale, text);
        EXPECT_OK(settle_amount_parse((settle_text){text, bytes}, scale, &again));
        cr_assert(again == amount, "seed %" PRIu64 ": %s", seed, text);
        settle_amount_format(amount, 0, whole);
        cr_assert_str_eq(whole, model_amount_text(amount, text));
    }
}

/* ---- Price × quantity ------------------------------------------------------------------------------------------- */

Test(amount, products_are_those_of_exact_fractions)
{
    size_t seen[3] = {0};
    for (size_t i = 0; i < COUNT(product_cases); i++) {
        const struct product_case *c = &product_cases[i];
        settle_int128 floor = -5;
        settle_price price = {number_of(c->mantissa), c->price_scale};
        enum price_product product =
            price_times_quantity(price, amount_of(c->quantity), c->base_scale, c->quote_scale, &floor);
        cr_assert_eq(product, c->product, "case %zu: %s × %s: %d", i, c->mantissa, c->quantity, (int)product);
        cr_assert(floor == (product == PRODUCT_OVERFLOW ? -5 : amount_of(c->floor)), "case %zu", i);
        seen[product]++;
    }
    cr_assert(seen[PRODUCT_EXACT] >= 60 && seen[PRODUCT_INEXACT] >= 60 && seen[PRODUCT_OVERFLOW] >= 60);
}

static void expect_as_on_paper(uint64_t seed, settle_price price, settle_int128 quantity, uint8_t base, uint8_t quote)
{
    settle_int128 floor = -5, expected_floor = -5;
    enum price_product product = price_times_quantity(price, quantity, base, quote, &floor);
    enum price_product expected = model_price_product(price, quantity, base, quote, &expected_floor);
    char mantissa[SETTLE_AMOUNT_TEXT_BYTES], amount[SETTLE_AMOUNT_TEXT_BYTES];
    cr_assert(product == expected && floor == expected_floor, "seed %" PRIu64 ": %s scale %u × %s, scales %u, %u: %d",
              seed, model_amount_text((settle_int128)price.mantissa, mantissa), price.scale,
              model_amount_text(quantity, amount), base, quote, (int)product);
}

static settle_uint128 power_of_ten(uint32_t exponent)
{
    settle_uint128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

Test(amount, random_products_are_those_on_paper)
{
    struct stream stream;
    uint64_t seed = stream_seed(4242);
    stream_init(&stream, seed);
    for (int i = 0; i < 60000; i++) {
        settle_price price = {(settle_uint128)stream_random_amount(&stream, SETTLE_AMOUNT_MAX - 1) + 1,
                              (uint32_t)stream_random(&stream, SETTLE_PRICE_DECIMALS_MAX + 1)};
        settle_int128 quantity = stream_random_amount(&stream, SETTLE_AMOUNT_MAX - 1) + 1;
        uint8_t base = (uint8_t)stream_random(&stream, 19), quote = (uint8_t)stream_random(&stream, 19);
        expect_as_on_paper(seed, price, quantity, base, quote);
    }
}

Test(amount, whole_products_and_their_neighbours_are_those_on_paper)
{
    struct stream stream;
    uint64_t seed = stream_seed(42424);
    stream_init(&stream, seed);
    for (int i = 0; i < 20000; i++) {
        uint32_t scale = (uint32_t)stream_random(&stream, SETTLE_PRICE_DECIMALS_MAX + 1);
        uint8_t base = (uint8_t)stream_random(&stream, 19), quote = (uint8_t)stream_random(&stream, 19);
        uint32_t down = scale + base > quote ? scale + base - quote : 0;
        uint32_t in_price = (uint32_t)stream_random(&stream, down + 1);
        settle_uint128 most = (settle_uint128)SETTLE_AMOUNT_MAX;
        /* mantissa × quantity is a multiple of 10^down */
        settle_uint128 left = most / power_of_ten(in_price), right = most / power_of_ten(down - in_price);
        left = (settle_uint128)stream_random_amount(&stream, (settle_int128)left - 1) + 1;
        right = (settle_uint128)stream_random_amount(&stream, (settle_int128)right - 1) + 1;
        settle_price price = {left * power_of_ten(in_price), scale};
        settle_int128 quantity = (settle_int128)(right * power_of_ten(down - in_price)), floor;
        cr_assert_neq(price_times_quantity(price, quantity, base, quote, &floor), PRODUCT_INEXACT);
        expect_as_on_paper(seed, price, quantity, base, quote);
        expect_as_on_paper(seed, price, quantity - (quantity > 1), base, quote);
        expect_as_on_paper(seed, price, quantity + (quantity < SETTLE_AMOUNT_MAX), base, quote);
    }
}

Test(amount, random_products_at_the_limit_are_those_on_paper)
{
    struct stream stream;
    uint64_t seed = stream_seed(424242);
    stream_init(&stream, seed);
    for (int i = 0; i < 20000; i++) {
        /* The greatest quantity whose product stays within the limit: floor(limit × 10^down / mantissa). */
        uint32_t scale = (uint32_t)stream_random(&stream, 9);
        uint8_t base = (uint8_t)stream_random(&stream, 10);
        const settle_uint128 limit = (settle_uint128)SETTLE_AMOUNT_MAX, power = power_of_ten(scale + base);
        settle_uint128 mantissa = power + (settle_uint128)stream_random_amount(&stream, (settle_int128)power * 999);
        settle_uint128 most = limit / mantissa * power + limit % mantissa * power / mantissa;
        settle_price price = {mantissa, scale};
        settle_int128 quantity = (settle_int128)most, floor;
        cr_assert_neq(price_times_quantity(price, quantity, base, 0, &floor), PRODUCT_OVERFLOW, "seed %" PRIu64, seed);
        expect_as_on_paper(seed, price, quantity, base, 0);
        if (quantity == SETTLE_AMOUNT_MAX)
            continue;
        cr_assert_eq(price_times_quantity(price, quantity + 1, base, 0, &floor), PRODUCT_OVERFLOW, "seed %" PRIu64,
                     seed);
        expect_as_on_paper(seed, price, quantity + 1, base, 0);
    }
}

/* ---- Prices, as an embedder reads them --------------------------------------------------------------------------- */

static void expect_price(const char *text, settle_uint128 mantissa, uint32_t scale)
{
    settle_price price = {7, 7};
    EXPECT_OK(settle_price_parse(text_of(text), &price));
    cr_assert(price.mantissa == mantissa && price.scale == scale, "%s", text);
}

Test(amount, prices_are_parsed_to_their_shortest_form)
{
    expect_price("1.50", 15, 1);
    expect_price("1.5", 15, 1);
    expect_price("100", 100, 0);
    expect_price("0.0125", 125, 4);
    expect_price("0.000000000000000001", 1, 18);
    expect_price("1.000000000000000000", 1, 0);
    expect_price("0", 0, 0); /* not given */
    settle_uint128 most = 1;
    for (int i = 0; i < 38; i++)
        most *= 10;
    expect_price("99999999999999999999.999999999999999999", most - 1, 18);
    expect_price("99999999999999999999999999999999999999", most - 1, 0);
}

Test(amount, what_is_no_price_is_malformed_and_changes_nothing)
{
    static const char *const bad[] = {
        "", "-1", "+1", "1e3", "01", ".5", "5.", " 1", "1 ", "1.0000000000000000001", "1,5", "0x1", "1.5.0",
        "999999999999999999999999999999999999999", "100000000000000000000.000000000000000000",
    };
    settle_price price = {7, 3};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STATUS(settle_price_parse(text_of(bad[i]), &price), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_price_parse((settle_text){NULL, 0}, &price), SETTLE_E_MALFORMED);
    EXPECT_STATUS(settle_price_parse((settle_text){NULL, 1}, &price), SETTLE_E_INVALID);
    EXPECT_STATUS(settle_price_parse(text_of("1"), NULL), SETTLE_E_INVALID);
    cr_assert(price.mantissa == 7 && price.scale == 3);
}

/* ---- Adding ------------------------------------------------------------------------------------------------------ */

Test(amount, sums_stay_within_the_limits)
{
    settle_int128 sum = 7;
    cr_assert(amount_add(2, 3, &sum) && sum == 5);
    cr_assert(amount_add(SETTLE_AMOUNT_MAX, 0, &sum) && sum == SETTLE_AMOUNT_MAX);
    cr_assert(amount_add(SETTLE_AMOUNT_MAX, -SETTLE_AMOUNT_MAX, &sum) && sum == 0);
    cr_assert(amount_add(-SETTLE_AMOUNT_MAX + 1, -1, &sum) && sum == -SETTLE_AMOUNT_MAX);
    sum = 7;
    cr_assert_not(amount_add(SETTLE_AMOUNT_MAX, 1, &sum));
    cr_assert_not(amount_add(-SETTLE_AMOUNT_MAX, -1, &sum), "-2^127 is no balance");
    cr_assert_not(amount_add(SETTLE_AMOUNT_MAX, SETTLE_AMOUNT_MAX, &sum));
    cr_assert_not(amount_add(-SETTLE_AMOUNT_MAX, -SETTLE_AMOUNT_MAX, &sum));
    cr_assert(sum == 7, "untouched");
    cr_assert(SETTLE_AMOUNT_MAX == amount_of(max_text));
}
