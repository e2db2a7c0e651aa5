/*
 * test_event_key.c — the form of events, ids as keys (natural exactly when canonical), their hash, and what makes
 * two events the same.
 */
#include "journal/record.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "tests/lib/expect.h"
#include "tests/unit/record_specimens.h"

SETTLE_SUITE(event_key);

static settle_text text_of(const char *string)
{
    return (settle_text){string, strlen(string)};
}

static struct event_key key_of_string(const char *string)
{
    struct event_key key;
    memset(&key, 0x5a, sizeof(key));
    event_key_of_text(text_of(string), &key);
    return key;
}

static struct event_key natural(settle_event_type type, uint64_t user, uint32_t asset, uint64_t ts_ms)
{
    return (struct event_key){.is_natural = true, .type = (uint8_t)type, .user = user, .asset = asset, .ts_ms = ts_ms};
}

/* ---- Characters ------------------------------------------------------------------------------------------------ */

Test(event_key, an_id_has_the_documented_characters)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool expected = c != 0 && strchr(allowed, c) != NULL;
        cr_assert_eq(event_id_text_is_valid((settle_text){&byte, 1}, 64), expected, "byte %d", c);
        char ten[10] = "aaaaaaaaa";
        ten[9] = byte;
        cr_assert_eq(event_id_text_is_valid((settle_text){ten, 10}, 64), expected, "byte %d at the end", c);
        ten[9] = 'a';
        ten[0] = byte;
        cr_assert_eq(event_id_text_is_valid((settle_text){ten, 10}, 64), expected, "byte %d at the beginning", c);
    }
}

Test(event_key, an_id_has_1_to_64_bytes)
{
    cr_assert(event_id_text_is_valid(TEXT(ID_64), 64));
    cr_assert(event_id_text_is_valid(TEXT(ID_56), 56));
    cr_assert_not(event_id_text_is_valid(TEXT(ID_64 "x"), 64));
    cr_assert_not(event_id_text_is_valid(TEXT(ID_56 "x"), 56));
    cr_assert_not(event_id_text_is_valid(TEXT(""), 64));
    cr_assert_not(event_id_text_is_valid((settle_text){NULL, 0}, 64));
    cr_assert_not(event_id_text_is_valid((settle_text){NULL, 5}, 64));
}

/* ---- Form ------------------------------------------------------------------------------------------------------ */

static void expect_fault(const settle_event *event, const char *expected)
{
    const char *fault = event_form_fault(event);
    if (expected == NULL)
        cr_assert_null(fault, "'%s'", fault);
    else
        cr_assert_str_eq(fault == NULL ? "(none)" : fault, expected);
}

/* One member of a copy of `from` set to `value`, and what is then said about it. */
#define EXPECT_FAULT(from, member, value, expected)                                                                    \
    do {                                                                                                               \
        settle_event changed = (from);                                                                                 \
        changed.member = value;                                                                                        \
        expect_fault(&changed, expected);                                                                              \
    } while (0)

#define EVENT_ID_FAULT "event_id is not 1–64 bytes of [A-Za-z0-9._:-] and _"
#define TRADE_ID_FAULT "trade_id is not 1–56 bytes of [A-Za-z0-9._:-] and _"

Test(event_key, every_specimen_has_the_form)
{
    expect_fault(&specimen_deposit, NULL);
    expect_fault(&specimen_deposit_given_id, NULL);
    expect_fault(&specimen_withdrawal_largest, NULL);
    expect_fault(&specimen_trade_price, NULL);
    expect_fault(&specimen_trade_quote_amount, NULL);
    expect_fault(&specimen_trade_one_fee, NULL); /* self trade, same asset: outcomes, not faults of form */
    expect_fault(&specimen_trade_only_event_id, NULL);
    expect_fault(&specimen_trade_largest, NULL);
}

Test(event_key, the_form_of_every_event)
{
    const settle_event events[] = {specimen_deposit, specimen_withdrawal_largest, specimen_trade_price};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_FAULT(events[i], type, (settle_event_type)0, "type is no event's");
        EXPECT_FAULT(events[i], type, (settle_event_type)4, "type is no event's");
        EXPECT_FAULT(events[i], ts_ms, 0, NULL);
        EXPECT_FAULT(events[i], ts_ms, UINT64_C(1) << 53, NULL);
        EXPECT_FAULT(events[i], ts_ms, (UINT64_C(1) << 53) + 1, "ts is greater than 2^53");
        EXPECT_FAULT(events[i], ts_ms, UINT64_MAX, "ts is greater than 2^53");
        EXPECT_FAULT(events[i], event_id, TEXT("a"), NULL);
        EXPECT_FAULT(events[i], event_id, TEXT(ID_64), NULL);
        EXPECT_FAULT(events[i], event_id, TEXT(ID_64 "x"), EVENT_ID_FAULT);
        EXPECT_FAULT(events[i], event_id, TEXT(""), EVENT_ID_FAULT);
        EXPECT_FAULT(events[i], event_id, ((settle_text){NULL, 3}), EVENT_ID_FAULT);
        EXPECT_FAULT(events[i], event_id, TEXT("a b"), EVENT_ID_FAULT);
        EXPECT_FAULT(events[i], event_id, TEXT("a\0b"), EVENT_ID_FAULT);
    }
}

Test(event_key, the_form_of_a_deposit)
{
    static const char user_fault[] = "user is not in 1 … 2^63-1";
    EXPECT_FAULT(specimen_deposit, u.transfer.user, 0, user_fault);
    EXPECT_FAULT(specimen_deposit, u.transfer.user, 1, NULL);
    EXPECT_FAULT(specimen_deposit, u.transfer.user, INT64_MAX, NULL);
    EXPECT_FAULT(specimen_deposit, u.transfer.user, (uint64_t)INT64_MAX + 1, user_fault);
    EXPECT_FAULT(specimen_deposit, u.transfer.user, SETTLE_USER_EXTERNAL, user_fault);
    EXPECT_FAULT(specimen_deposit, u.transfer.user, SETTLE_USER_FEES, user_fault);
    EXPECT_FAULT(specimen_deposit, u.transfer.asset, 0, "asset id 0");
    EXPECT_FAULT(specimen_deposit, u.transfer.asset, UINT32_MAX, NULL);
    EXPECT_FAULT(specimen_deposit, u.transfer.amount, 0, "amount is not greater than zero");
    EXPECT_FAULT(specimen_deposit, u.transfer.amount, -1, "amount is not greater than zero");
    EXPECT_FAULT(specimen_deposit, u.transfer.amount, -SETTLE_AMOUNT_MAX - 1, "amount is not greater than zero");
    EXPECT_FAULT(specimen_deposit, u.transfer.amount, 1, NULL);
    EXPECT_FAULT(specimen_deposit, u.transfer.amount, SETTLE_AMOUNT_MAX, NULL);
}

Test(event_key, the_form_of_a_trade)
{
    const settle_event trade = specimen_trade_price;
    EXPECT_FAULT(trade, u.trade.trade_id, ((settle_text){NULL, 0}), "neither trade_id nor event_id");
    EXPECT_FAULT(trade, u.trade.trade_id, TEXT(""), TRADE_ID_FAULT);
    EXPECT_FAULT(trade, u.trade.trade_id, TEXT("a/b"), TRADE_ID_FAULT);
    EXPECT_FAULT(trade, u.trade.trade_id, TEXT(ID_56), NULL);
    EXPECT_FAULT(trade, u.trade.trade_id, TEXT(ID_56 "x"), TRADE_ID_FAULT);
    EXPECT_FAULT(specimen_trade_only_event_id, u.trade.trade_id, TEXT(""), TRADE_ID_FAULT);
    EXPECT_FAULT(trade, u.trade.buyer, 0, "buyer is not in 1 … 2^63-1");
    EXPECT_FAULT(trade, u.trade.buyer, UINT64_MAX, "buyer is not in 1 … 2^63-1");
    EXPECT_FAULT(trade, u.trade.seller, 0, "seller is not in 1 … 2^63-1");
    EXPECT_FAULT(trade, u.trade.seller, (uint64_t)INT64_MAX + 1, "seller is not in 1 … 2^63-1");
    EXPECT_FAULT(trade, u.trade.base, 0, "asset id 0");
    EXPECT_FAULT(trade, u.trade.quote, 0, "asset id 0");
    EXPECT_FAULT(trade, u.trade.quantity, 0, "quantity is not greater than zero");
    EXPECT_FAULT(trade, u.trade.quantity, -5, "quantity is not greater than zero");
    EXPECT_FAULT(trade, u.trade.quote_amount, -1, "quote_amount is not greater than zero");
    EXPECT_FAULT(trade, u.trade.quote_amount, SETTLE_AMOUNT_MAX, NULL);
    EXPECT_FAULT(specimen_trade_quote_amount, u.trade.quote_amount, 0, "neither price nor quote_amount");
    EXPECT_FAULT(trade, u.trade.buyer_fee, -1, "a fee is less than zero");
    EXPECT_FAULT(trade, u.trade.seller_fee, -1, "a fee is less than zero");
    EXPECT_FAULT(trade, u.trade.seller_fee, SETTLE_AMOUNT_MAX, NULL);
}

Test(event_key, the_form_of_a_price)
{
    const settle_event trade = specimen_trade_largest;
    static const char digits[] = "price has more than 38 digits", zeros[] = "price has trailing zeros";
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){0, 0}), NULL); /* quote_amount is there */
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){0, 1}), "a scale without a price");
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){PRICE_MAX, 0}), NULL);
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){PRICE_MAX + 1, 0}), digits);
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){~(settle_uint128)0, 0}), digits);
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){1, 18}), NULL);
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){1, 19}), "price has more than 18 decimals");
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){1, UINT32_MAX}), "price has more than 18 decimals");
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){10, 0}), NULL);
    EXPECT_FAULT(trade, u.trade.price, ((settle_price){10, 1}), zeros);
    struct dice dice = {.state = 4};
    for (int i = 0; i < 20000; i++) { /* the last digit of any magnitude */
        settle_price price = {(settle_uint128)dice_amount(&dice, (settle_int128)PRICE_MAX), 18};
        EXPECT_FAULT(trade, u.trade.price, price, price.mantissa % 10 == 0 ? zeros : NULL);
    }
}

/* ---- Natural and other ids ------------------------------------------------------------------------------------- */

static void expect_key(const struct event_key *got, const struct event_key *expected, const char *what)
{
    cr_assert_eq(got->is_natural, expected->is_natural, "%s", what);
    cr_assert_eq(got->text_bytes, expected->text_bytes, "%s", what);
    cr_assert_eq(got->type, expected->type, "%s", what);
    cr_assert(got->user == expected->user && got->asset == expected->asset && got->ts_ms == expected->ts_ms, "%s",
              what);
    cr_assert(event_key_equal(got, expected) && event_key_equal(expected, got), "%s", what);
    cr_assert_eq(event_key_hash(got, 7), event_key_hash(expected, 7), "%s", what);
}

Test(event_key, texts_of_natural_ids)
{
    static const struct {
        char text[SETTLE_EVENT_ID_BYTES_MAX + 1];
        settle_event_type type;
        uint64_t user;
        uint32_t asset;
        uint64_t ts_ms;
    } cases[] = {
        {"deposit_1001_2_1733856600000", SETTLE_DEPOSIT, 1001, 2, 1733856600000},
        {"withdrawal_1001_2_1733856600000", SETTLE_WITHDRAWAL, 1001, 2, 1733856600000},
        {"deposit_1_1_0", SETTLE_DEPOSIT, 1, 1, 0},
        {"deposit_10_10_10", SETTLE_DEPOSIT, 10, 10, 10},
        {"withdrawal_9223372036854775807_4294967295_9007199254740992", SETTLE_WITHDRAWAL, INT64_MAX, UINT32_MAX,
         SETTLE_TS_MS_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_key key = key_of_string(cases[i].text);
        struct event_key expected = natural(cases[i].type, cases[i].user, cases[i].asset, cases[i].ts_ms);
        expect_key(&key, &expected, cases[i].text);
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        cr_assert_eq(event_key_format(&key, id), strlen(cases[i].text));
        cr_assert_str_eq(id, cases[i].text);
    }
}

Test(event_key, texts_that_are_nearly_natural_are_text)
{
    static const char cases[][SETTLE_EVENT_ID_BYTES_MAX + 1] = {
        "deposit",
        "deposit_",
        "deposit_1",
        "deposit_1_",
        "deposit_1_1",
        "deposit_1_1_",
        "deposit__1_1",
        "deposit_1__1",
        "deposit_1_1_1_",
        "deposit_1_1_1_1",
        "deposit_1_1_1x",
        "xdeposit_1_1_1",
        "Deposit_1_1_1",
        "deposit-1-1-1",
        "deposit_1_1-1",
        "deposit_1:1_1",
        "deposits_1_1_1",
        "withdrawal_",
        "withdraw_1_1_1",
        "trade_1_1_1",
        "deposit_0_1_1",
        "deposit_01_1_1",
        "deposit_1_0_1",
        "deposit_1_01_1",
        "deposit_1_1_00",
        "deposit_1_1_01",
        "deposit_1_1_-1",
        "deposit_a_1_1",
        "deposit_1_a_1",
        "deposit_1_1_a",
        "deposit_9223372036854775808_1_1",
        "deposit_18446744073709551617_1_1",
        "deposit_36893488147419103233_1_1",
        "deposit_99999999999999999999999999_1_1",
        "deposit_1_4294967296_1",
        "deposit_1_4294967297_1",
        "deposit_1_18446744073709551617_1",
        "deposit_1_1_9007199254740993",
        "deposit_1_1_18446744073709551616",
        "deposit_1_1_00000000000000000000000000000000000000000000000001",
        "_",
        "0",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event_key key = key_of_string(cases[i]);
        cr_assert_not(key.is_natural, "%s", cases[i]);
        cr_assert_eq(key.text_bytes, strlen(cases[i]));
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        cr_assert_eq(event_key_format(&key, id), strlen(cases[i]));
        cr_assert_str_eq(id, cases[i]);
        struct event_key again = key_of_string(id);
        cr_assert(event_key_equal(&again, &key));
    }
}

/* A text that ends where its block ends: nothing behind it may be read. */
Test(event_key, nothing_behind_an_id_is_read)
{
    static const char whole[] = "withdrawal_9223372036854775807_4294967295_9007199254740992";
    for (size_t bytes = 1; bytes < sizeof(whole); bytes++) {
        char *exact = malloc(bytes);
        cr_assert_not_null(exact);
        memcpy(exact, whole, bytes);
        struct event_key key;
        event_key_of_text((settle_text){exact, bytes}, &key);
        cr_assert_eq(key.is_natural, bytes > strlen("withdrawal_9223372036854775807_4294967295_"), "%zu bytes", bytes);
        free(exact);
    }
}

Test(event_key, the_key_of_an_event_is_the_key_of_its_ids_text)
{
    struct dice dice = {.state = 5150};
    for (int i = 0; i < 100000; i++) {
        settle_event event = dice_event(&dice);
        char expected[SETTLE_EVENT_ID_BYTES_MAX + 8], id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        if (event.event_id.bytes != 0)
            snprintf(expected, sizeof(expected), "%.*s", (int)event.event_id.bytes, event.event_id.data);
        else if (event.type == SETTLE_TRADE)
            snprintf(expected, sizeof(expected), "trade_%.*s", (int)event.u.trade.trade_id.bytes,
                     event.u.trade.trade_id.data);
        else
            snprintf(expected, sizeof(expected), "%s_%" PRIu64 "_%" PRIu32 "_%" PRIu64,
                     event.type == SETTLE_DEPOSIT ? "deposit" : "withdrawal", event.u.transfer.user,
                     event.u.transfer.asset, event.ts_ms);
        struct event_key key, of_text = key_of_string(expected);
        memset(&key, 0xa5, sizeof(key));
        event_key_of(&event, &key);
        expect_key(&key, &of_text, expected);
        cr_assert_eq(event_key_format(&key, id), strlen(expected));
        cr_assert_str_eq(id, expected);
    }
}

Test(event_key, the_longest_ids_are_whole)
{
    struct event_key key;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event trade = specimen_trade_largest;
    event_key_of(&trade, &key);
    cr_assert_eq(event_key_format(&key, id), 64);
    cr_assert_str_eq(id, ID_64);
    trade.event_id = (settle_text){NULL, 0};
    event_key_of(&trade, &key);
    cr_assert_eq(event_key_format(&key, id), 62);
    cr_assert_str_eq(id, "trade_" ID_56);
}

Test(event_key, a_given_id_may_be_the_natural_one_of_another_event)
{
    struct event_key key, other;
    event_key_of(&specimen_deposit_id_of_another, &key);
    settle_event withdrawal = {.type = SETTLE_WITHDRAWAL, .ts_ms = 0, .u.transfer = {1, 1, 77}};
    event_key_of(&withdrawal, &other);
    expect_key(&key, &other, "withdrawal_1_1_0");
    settle_event trade = specimen_trade_price;
    trade.event_id = TEXT("deposit_1001_2_1733856600000");
    event_key_of(&trade, &key);
    event_key_of(&specimen_deposit, &other);
    expect_key(&key, &other, "a trade that was given a deposit's id");
}

Test(event_key, keys_differ_when_any_part_does)
{
    const struct event_key base = natural(SETTLE_DEPOSIT, 1001, 2, 1733856600000);
    const struct event_key others[] = {
        natural(SETTLE_WITHDRAWAL, 1001, 2, 1733856600000),
        natural(SETTLE_DEPOSIT, 1002, 2, 1733856600000),
        natural(SETTLE_DEPOSIT, 1001, 3, 1733856600000),
        natural(SETTLE_DEPOSIT, 1001, 2, 1733856600001),
        key_of_string("deposit_1001_2"),
        key_of_string("a"),
        key_of_string("b"),
        key_of_string("aa"),
        key_of_string("aaaaaaaaaaaaaaaaa"),
        key_of_string("aaaaaaaaaaaaaaaab"),
    };
    size_t count = sizeof(others) / sizeof(others[0]);
    for (size_t i = 0; i < count; i++) {
        cr_assert_not(event_key_equal(&base, &others[i]), "%zu", i);
        cr_assert_not(event_key_equal(&others[i], &base), "%zu", i);
        cr_assert_neq(event_key_hash(&base, 1), event_key_hash(&others[i], 1), "%zu", i);
        for (size_t j = 0; j < count; j++) {
            cr_assert_eq(event_key_equal(&others[i], &others[j]), i == j, "%zu %zu", i, j);
            cr_assert_eq(event_key_hash(&others[i], 1) == event_key_hash(&others[j], 1), i == j, "%zu %zu", i, j);
        }
    }
}

/* ---- The hash -------------------------------------------------------------------------------------------------- */

#define BUCKETS 4096
#define KEYS (BUCKETS * 16)

/* Chi squared over the low and the high bits; its mean is BUCKETS - 1, its deviation 90. */
static void expect_even(const uint64_t *hashes, const char *what)
{
    static uint32_t low[BUCKETS], high[BUCKETS];
    memset(low, 0, sizeof(low));
    memset(high, 0, sizeof(high));
    for (size_t i = 0; i < KEYS; i++) {
        low[hashes[i] % BUCKETS]++;
        high[hashes[i] >> 52]++;
    }
    uint64_t low_sum = 0, high_sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        low_sum += (uint64_t)low[i] * low[i];
        high_sum += (uint64_t)high[i] * high[i];
    }
    uint64_t low_chi = low_sum / 16 - KEYS, high_chi = high_sum / 16 - KEYS;
    cr_assert(low_chi > 3600 && low_chi < 4600, "%s: chi squared of the low bits is %" PRIu64, what, low_chi);
    cr_assert(high_chi > 3600 && high_chi < 4600, "%s: chi squared of the high bits is %" PRIu64, what, high_chi);
}

Test(event_key, the_hash_spreads_the_ids_that_come)
{
    static uint64_t hashes[KEYS];
    static const uint64_t seeds[] = {0, 1, UINT64_C(0x9e3779b97f4a7c15), UINT64_MAX};
    for (size_t s = 0; s < 4; s++) {
        for (uint32_t i = 0; i < KEYS; i++) { /* one account, a millisecond apart */
            struct event_key key = natural(SETTLE_DEPOSIT, 1001, 2, 1733856600000 + i);
            hashes[i] = event_key_hash(&key, seeds[s]);
        }
        expect_even(hashes, "times");
        for (uint32_t i = 0; i < KEYS; i++) { /* users and assets in one millisecond */
            struct event_key key = natural((settle_event_type)(1 + i % 2), 1 + i / 8, 1 + i / 2 % 4, 1733856600000);
            hashes[i] = event_key_hash(&key, seeds[s]);
        }
        expect_even(hashes, "accounts");
        for (uint32_t i = 0; i < KEYS; i++) {
            char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
            snprintf(id, sizeof(id), i % 2 ? "trade_%" PRIu32 : "order-number-%015" PRIu32, i);
            struct event_key key = key_of_string(id);
            hashes[i] = event_key_hash(&key, seeds[s]);
        }
        expect_even(hashes, "texts");
    }
}

static unsigned bits_of(uint64_t value)
{
    return (unsigned)__builtin_popcountll(value);
}

Test(event_key, each_bit_of_a_key_and_the_seed_changes_half_of_the_hash)
{
    uint64_t changed = 0, tries = 0;
    struct dice dice = {.state = 77};
    for (int round = 0; round < 500; round++) {
        struct event_key key = natural((settle_event_type)(1 + dice_below(&dice, 2)), dice_user(&dice),
                                       dice_asset(&dice), dice_u64(&dice) >> 11);
        uint64_t seed = dice_u64(&dice), hash = event_key_hash(&key, seed);
        for (unsigned bit = 0; bit < 64; bit++, tries += 2) {
            struct event_key other = key;
            if (bit < 32)
                other.asset ^= UINT32_C(1) << bit;
            else
                other.ts_ms ^= UINT64_C(1) << (bit - 16);
            changed += bits_of(hash ^ event_key_hash(&other, seed));
            other = key;
            other.user ^= UINT64_C(1) << bit;
            changed += bits_of(hash ^ event_key_hash(&other, seed));
        }
        for (unsigned bit = 0; bit < 64; bit++, tries++)
            changed += bits_of(hash ^ event_key_hash(&key, seed ^ UINT64_C(1) << bit));
    }
    cr_assert(changed > tries * 31 && changed < tries * 33, "%" PRIu64 " bits of %" PRIu64 " words", changed, tries);
}

Test(event_key, each_bit_of_a_text_changes_half_of_the_hash)
{
    struct dice dice = {.state = 78};
    uint64_t changed = 0, tries = 0;
    for (size_t bytes = 1; bytes <= 64; bytes++) {
        struct event_key key = {.text_bytes = bytes};
        memset(key.text, 'a', sizeof(key.text));
        uint64_t seed = dice_u64(&dice), hash = event_key_hash(&key, seed);
        for (size_t bit = 0; bit < bytes * 8; bit++, tries++) {
            struct event_key other = key;
            other.text[bit / 8] ^= (char)(1u << bit % 8);
            uint64_t difference = hash ^ event_key_hash(&other, seed);
            cr_assert_gt(bits_of(difference), 8, "bit %zu of %zu bytes", bit, bytes);
            changed += bits_of(difference);
        }
        struct event_key longer = key;
        longer.text_bytes = bytes < 64 ? bytes + 1 : 1;
        cr_assert_neq(event_key_hash(&longer, seed), hash);
        memset(key.text + bytes, 'z', sizeof(key.text) - bytes); /* what stands behind a text does not matter */
        cr_assert_eq(event_key_hash(&key, seed), hash);
    }
    cr_assert(changed > tries * 31 && changed < tries * 33, "%" PRIu64 " bits of %" PRIu64 " words", changed, tries);
}

/* ---- The same content ------------------------------------------------------------------------------------------ */

/* A copy of `from` with one member set to `value` is another event. */
#define EXPECT_OTHER(from, member, value)                                                                              \
    do {                                                                                                               \
        settle_event changed = (from);                                                                                 \
        changed.member = value;                                                                                        \
        cr_assert_not(event_content_equal(&(from), &changed), "%s", #member);                                          \
        cr_assert_not(event_content_equal(&changed, &(from)), "%s", #member);                                          \
    } while (0)

Test(event_key, how_the_id_was_given_and_where_the_event_stood_do_not_matter)
{
    settle_event event = specimen_deposit;
    event.event_id = TEXT("deposit_1001_2_1733856600000");
    event.end = (settle_source_position){3, 4096, 40};
    cr_assert(event_content_equal(&event, &specimen_deposit));
    cr_assert(event_content_equal(&specimen_deposit_given_id, &specimen_deposit));
    char copy[] = "T-1";
    settle_event trade = specimen_trade_price;
    trade.u.trade.trade_id.data = copy;
    trade.event_id = TEXT("anything");
    cr_assert(event_content_equal(&trade, &specimen_trade_price));
    cr_assert(event_content_equal(&specimen_trade_only_event_id, &specimen_trade_only_event_id));
}

Test(event_key, every_member_of_a_deposit_matters)
{
    EXPECT_OTHER(specimen_deposit, type, SETTLE_WITHDRAWAL);
    EXPECT_OTHER(specimen_deposit, ts_ms, 1733856600001);
    EXPECT_OTHER(specimen_deposit, u.transfer.user, 1002);
    EXPECT_OTHER(specimen_deposit, u.transfer.asset, 3);
    EXPECT_OTHER(specimen_deposit, u.transfer.amount, 1000500001);
    EXPECT_OTHER(specimen_deposit, u.transfer.amount, 1000500000 + TWO_64);
    cr_assert_not(event_content_equal(&specimen_deposit, &specimen_trade_price));
}

Test(event_key, every_member_of_a_trade_matters)
{
    const settle_event trade = specimen_trade_one_fee;
    EXPECT_OTHER(trade, ts_ms, 1);
    EXPECT_OTHER(trade, u.trade.trade_id, TEXT("T-12345679"));
    EXPECT_OTHER(trade, u.trade.trade_id, TEXT("T-1234567"));
    EXPECT_OTHER(trade, u.trade.trade_id, ((settle_text){NULL, 0}));
    EXPECT_OTHER(trade, u.trade.buyer, 70);
    EXPECT_OTHER(trade, u.trade.seller, 70);
    EXPECT_OTHER(trade, u.trade.base, 70);
    EXPECT_OTHER(trade, u.trade.quote, 70);
    EXPECT_OTHER(trade, u.trade.quantity, 70);
    EXPECT_OTHER(trade, u.trade.quantity, 5 + TWO_64);
    EXPECT_OTHER(trade, u.trade.price.mantissa, 2);
    EXPECT_OTHER(trade, u.trade.price.scale, 17);
    EXPECT_OTHER(trade, u.trade.price, ((settle_price){0, 0}));
    EXPECT_OTHER(trade, u.trade.quote_amount, 0);
    EXPECT_OTHER(trade, u.trade.quote_amount, 10);
    EXPECT_OTHER(trade, u.trade.buyer_fee, 1);
    EXPECT_OTHER(trade, u.trade.seller_fee, 0);
}

/* ---- Programmers' errors --------------------------------------------------------------------------------------- */

Test(event_key, no_text_has_no_key, .signal = SIGABRT)
{
    struct event_key key;
    event_key_of_text((settle_text){"", 0}, &key);
}

Test(event_key, a_text_of_65_bytes_has_no_key, .signal = SIGABRT)
{
    struct event_key key;
    event_key_of_text(TEXT(ID_64 "x"), &key);
}
