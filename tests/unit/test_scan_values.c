/*
 * test_scan_values.c — the forms of docs/events.md that have an alphabet, a length or a scale: ids, symbols, amounts,
 * prices. Notation: tests/lib/ingest_scan.h.
 */
#include "ingest/ingest.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"

SETTLE_SUITE(scan_values);

#define TRADE "{'type':'trade','trade_id':'t','ts':1,'buyer':7,'seller':8,"

static void expect_fault(const char *text, const char *reason)
{
    struct scanned scanned = ingest_scan(text);
    cr_assert(!scanned.is_good, "accepted: %s", text);
    cr_assert_str_eq(scanned.fault.reason, reason, "%s: %s", text, scanned.fault.reason);
    cr_assert_eq(scanned.fault.byte, scanned.marked, "%s: byte %zu, not %zu", text, scanned.fault.byte, scanned.marked);
    ingest_scan_free(&scanned);
}

static bool accepts(const char *text)
{
    struct scanned scanned = ingest_scan(text);
    ingest_scan_free(&scanned);
    return scanned.is_good;
}

static settle_int128 power_of_ten(unsigned exponent)
{
    settle_int128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* ---- Ids --------------------------------------------------------------------------------------------------------- */

static char line[1024];
#define EACH_FORMAT(...) (snprintf(line, sizeof line, __VA_ARGS__), line)

Test(scan_values, an_event_id_has_1_to_64_characters)
{
    const char *format = "{'type':'deposit','ts':1,'user':7,'asset':2,'amount':'1','event_id':'%.*s'}";
    char text[80];
    memset(text, 'x', sizeof text);
    for (int bytes = 1; bytes <= 64; bytes++)
        cr_assert(accepts(EACH_FORMAT(format, bytes, text)), "%d bytes", bytes);
    const char *refused = "{'type':'deposit','ts':1,'user':7,'asset':2,'amount':'1','event_id':@'%.*s'}";
    const char *reason = "event_id must be 1 to 64 characters of A-Z, a-z, 0-9 and . _ : -";
    expect_fault(EACH_FORMAT(refused, 0, text), reason);
    expect_fault(EACH_FORMAT(refused, 65, text), reason);
    expect_fault(EACH_FORMAT(refused, 80, text), reason);
}

Test(scan_values, a_trade_id_has_1_to_56_characters)
{
    const char *format = "{'type':'trade','ts':1,'buyer':7,'seller':8,'base':1,'quote':2,'quantity':'1','price':'1',"
                         "'trade_id':%s'%.*s'}";
    char text[80];
    memset(text, '7', sizeof text);
    cr_assert(accepts(EACH_FORMAT(format, "", 1, text)));
    cr_assert(accepts(EACH_FORMAT(format, "", 56, text)));
    const char *reason = "trade_id must be 1 to 56 characters of A-Z, a-z, 0-9 and . _ : -";
    expect_fault(EACH_FORMAT(format, "@", 0, text), reason);
    expect_fault(EACH_FORMAT(format, "@", 57, text), reason);
}

/* Every byte, at the first, a middle and the last place; as it is or, where JSON wants it, as an escape. */
static void try_alphabet(const char *format, const char *alphabet, int length)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        bool belongs = byte != 0 && strchr(alphabet, (int)byte) != NULL;
        for (int place = 0; place < length; place++) {
            char text[64], escape[8];
            snprintf(escape, sizeof escape, belongs ? "%c" : "\\u%04x", byte);
            snprintf(text, sizeof text, "%.*s%s%.*s", place, "AAAAAAAAAAAAAAAA", escape, length - place - 1,
                     "AAAAAAAAAAAAAAAA");
            cr_assert_eq(accepts(EACH_FORMAT(format, text)), belongs, "byte 0x%02x at %d", byte, place);
        }
    }
}

Test(scan_values, ids_are_of_letters_digits_and_four_marks)
{
    const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    try_alphabet("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':'1','event_id':'%s'}", alphabet, 3);
    try_alphabet(
        "{'type':'trade','ts':1,'buyer':7,'seller':8,'base':1,'quote':2,'quantity':'1','price':'1','trade_id':'%s'}",
        alphabet, 3);
}

Test(scan_values, ids_that_are_not_ascii_are_malformed)
{
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':'1','event_id':@'caf\xc3\xa9'}",
                 "event_id must be 1 to 64 characters of A-Z, a-z, 0-9 and . _ : -");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':'1','event_id':@'a\\u0000'}",
                 "event_id must be 1 to 64 characters of A-Z, a-z, 0-9 and . _ : -");
}

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

Test(scan_values, symbols_are_of_capitals_digits_and_the_point)
{
    try_alphabet("{'type':'asset','asset':'%s','id':1,'scale':1}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.", 3);
}

Test(scan_values, a_symbol_has_1_to_15_characters)
{
    cr_assert(accepts("{'type':'asset','asset':'.','id':1,'scale':0}"));
    cr_assert(accepts("{'type':'asset','asset':'0123456789ABCDE','id':1,'scale':0}"));
    const char *reason = "asset must be a symbol of 1 to 15 characters of A-Z, 0-9 and .";
    expect_fault("{'type':'asset','asset':@'','id':1,'scale':0}", reason);
    expect_fault("{'type':'asset','asset':@'0123456789ABCDEF','id':1,'scale':0}", reason);
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@'usdt','amount':'1'}", reason);
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@'','amount':'1'}", reason);
}

Test(scan_values, a_declaration_names_its_asset_by_symbol)
{
    expect_fault("{'type':'asset','asset':@5,'id':1,'scale':0}", "asset must be a symbol where it is declared");
}

Test(scan_values, a_declared_id_is_1_to_2_to_the_32_less_1)
{
    cr_assert(accepts("{'type':'asset','asset':'A','id':1,'scale':0}"));
    cr_assert(accepts("{'type':'asset','asset':'A','id':4294967295,'scale':0}"));
    expect_fault("{'type':'asset','asset':'A','id':@0,'scale':0}", "id must be 1 to 4294967295");
    expect_fault("{'type':'asset','asset':'A','id':@4294967296,'scale':0}", "id must be 1 to 4294967295");
    expect_fault("{'type':'asset','asset':'A','id':@99999999999999999999,'scale':0}", "id must be 1 to 4294967295");
}

Test(scan_values, a_declared_scale_is_0_to_18)
{
    for (int scale = 0; scale <= 18; scale++)
        cr_assert(accepts(EACH_FORMAT("{'type':'asset','asset':'A','id':1,'scale':%d}", scale)));
    expect_fault("{'type':'asset','asset':'A','id':1,'scale':@19}", "scale must be 0 to 18");
    expect_fault("{'type':'asset','asset':'A','id':1,'scale':@256}", "scale must be 0 to 18");
}

Test(scan_values, a_string_is_a_symbol_and_an_integer_an_asset_id)
{
    cr_assert(accepts("{'type':'deposit','ts':1,'user':7,'asset':'A.1','amount':'1'}"));
    cr_assert(accepts("{'type':'deposit','ts':1,'user':7,'asset':5,'amount':'1'}"));
    cr_assert(accepts("{'type':'deposit','ts':1,'user':7,'asset':4294967295,'amount':'1'}"));
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@'5','amount':'1'}", "asset \"5\" is not declared");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@0,'amount':'1'}", "asset must be 1 to 4294967295");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@4294967296,'amount':'1'}",
                 "asset must be 1 to 4294967295");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@4294967297,'amount':'1'}",
                 "asset must be 1 to 4294967295");
}

Test(scan_values, an_undeclared_asset_is_malformed)
{
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':@'ETH','amount':'1'}", "asset \"ETH\" is not declared");
    expect_fault("{'type':'withdrawal','ts':1,'user':7,'asset':@4,'amount':'1'}", "asset 4 is not declared");
    expect_fault(TRADE "'base':@'USD','quote':2,'quantity':'1','price':'1'}", "base \"USD\" is not declared");
    expect_fault(TRADE "'base':1,'quote':@77,'quantity':'1','price':'1'}", "quote 77 is not declared");
}

/* ---- Amounts ----------------------------------------------------------------------------------------------------- */

/* The amount of a deposit in an asset, or -1. */
static settle_int128 amount_in(const char *asset, const char *amount)
{
    struct scanned scanned =
        ingest_scan(EACH_FORMAT("{'type':'deposit','ts':1,'user':7,'asset':'%s','amount':'%s'}", asset, amount));
    ingest_scan_free(&scanned);
    return scanned.is_good ? scanned.event.u.transfer.amount : -1;
}

Test(scan_values, amounts_are_minor_units_of_their_asset)
{
    cr_assert(amount_in("INT", "7") == 7);
    cr_assert(amount_in("A.1", "7") == 700);
    cr_assert(amount_in("A.1", "7.1") == 710);
    cr_assert(amount_in("A.1", "7.12") == 712);
    cr_assert(amount_in("USDT", "1000.50") == 1000500000);
    cr_assert(amount_in("BTC", "0.1") == 10000000);
    cr_assert(amount_in("BTC", "0.00000001") == 1);
    cr_assert(amount_in("BTC", "9999999999.99999999") == power_of_ten(18) - 1, "18 digits");
    cr_assert(amount_in("BTC", "10000000000.00000000") == power_of_ten(18), "19 digits");
    cr_assert(amount_in("WEI", "1") == power_of_ten(18));
    cr_assert(amount_in("WEI", "0.000000000000000001") == 1);
    cr_assert(amount_in("WEI", "123.000000000000000456") == 123 * power_of_ten(18) + 456);
    cr_assert(amount_in("INT", "18446744073709551616") == (settle_int128)1 << 64);
    cr_assert(amount_in("INT", "123456789012345678901234567890") ==
              (settle_int128)12345678901234567890u * power_of_ten(10) + 1234567890 - (settle_int128)0);
}

Test(scan_values, an_amount_is_below_2_to_the_127_minor_units)
{
    cr_assert(amount_in("INT", "170141183460469231731687303715884105727") == SETTLE_AMOUNT_MAX);
    cr_assert(amount_in("WEI", "170141183460469231731.687303715884105727") == SETTLE_AMOUNT_MAX);
    const char *reason = "amount is too large: 2^127 minor units or more";
#define AMOUNT(asset, amount) "{'type':'deposit','ts':1,'user':7,'asset':'" asset "','amount':@'" amount "'}"
    expect_fault(AMOUNT("INT", "170141183460469231731687303715884105728"), reason);
    expect_fault(AMOUNT("WEI", "170141183460469231731.687303715884105728"), reason);
    expect_fault(AMOUNT("WEI", "170141183460469231732"), reason);
    expect_fault(AMOUNT("INT", "340282366920938463463374607431768211457"), reason);
    expect_fault(AMOUNT("BTC", "99999999999999999999999999999999999999999999999999999999999999999999"), reason);
}

Test(scan_values, an_amount_has_at_most_its_assets_decimals)
{
    expect_fault(AMOUNT("INT", "1.0"), "amount has 1 decimals, at most 0 are allowed");
    expect_fault(AMOUNT("A.1", "1.000"), "amount has 3 decimals, at most 2 are allowed");
    expect_fault(AMOUNT("USDT", "1.0000000"), "amount has 7 decimals, at most 6 are allowed");
    expect_fault(AMOUNT("WEI", "0.0000000000000000001"), "amount has 19 decimals, at most 18 are allowed");
}

Test(scan_values, an_amount_is_a_decimal_string)
{
    static const char *const bad[] = {"",     "-1",    "+1",    "1e3",      "1E3",   " 1",       "1 ",       "01",
                                      "00",   "00.5",  ".5",    "1.",       ".",     "1..5",     "1.5.",     "1.5.5",
                                      "1,5",  "0x10",  "NaN",   "Infinity", "1_000", "1'000",    "-0.5",     "1.-5",
                                      "1.+5", "1.5e1", "1.5 ",  "१",        "１",    "\\u00001", "1\\u0000", "1\\n",
                                      "--1",  "$1",    "1\\t5", "1/2",      "01.50", "1.5USDT"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"type\":\"deposit\",\"ts\":1,\"user\":7,\"asset\":2,\"amount\":\"%s\"}", bad[i]);
        struct scanned scanned = ingest_scan_bytes(text, strlen(text));
        cr_assert(!scanned.is_good, "accepted %s", bad[i]);
        cr_assert_eq(scanned.fault.byte, (size_t)(strstr(text, "amount") - text) + 9, "%s", bad[i]);
        cr_assert_str_eq(scanned.fault.reason,
                         "amount must be a decimal string: digits, or digits, a point and digits");
        ingest_scan_free(&scanned);
    }
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':@1}",
                 "amount must be a decimal string, not a number");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':@-1.5}",
                 "amount must be a decimal string, not a number");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':2,'amount':@1.5e3}",
                 "amount must be a decimal string, not a number");
}

Test(scan_values, an_amount_is_more_than_0)
{
    expect_fault(AMOUNT("USDT", "0"), "amount must be greater than 0");
    expect_fault(AMOUNT("USDT", "0.000000"), "amount must be greater than 0");
    expect_fault(AMOUNT("WEI", "0.000000000000000000"), "amount must be greater than 0");
}

/* All decimals of up to three digits before and behind the point, and some long ones, against the engine's own
 * parser. */
Test(scan_values, amounts_are_those_of_the_engine)
{
    static const char digits[] = "0123456789012345678901234567890123456789";
    static const struct {
        const char *symbol;
        uint8_t scale;
    } assets[] = {{"INT", 0}, {"A.1", 2}, {"USDT", 6}, {"BTC", 8}, {"WEI", 18}};
    for (size_t a = 0; a < 5; a++) {
        for (int whole = 0; whole <= 40; whole++) {
            for (int decimals = -1; decimals <= 20; decimals++) {
                char text[80];
                for (int from = 0; from < 2; from++) {
                    snprintf(text, sizeof text, "%.*s%s%.*s", whole, digits + from, decimals < 0 ? "" : ".",
                             decimals < 0 ? 0 : decimals, digits + 7);
                    settle_int128 expected;
                    settle_text amount = {text, strlen(text)};
                    if (settle_amount_parse(amount, assets[a].scale, &expected) != SETTLE_OK || expected == 0)
                        expected = -1;
                    cr_assert(amount_in(assets[a].symbol, text) == expected, "%s %s", text, assets[a].symbol);
                }
            }
        }
    }
}

/* ---- Trades ------------------------------------------------------------------------------------------------------ */

Test(scan_values, quantity_and_buyer_fee_are_in_base_and_the_rest_in_quote)
{
    struct scanned scanned =
        ingest_scan(TRADE "'base':'BTC','quote':'A.1','quantity':'1.00000001','quote_amount':'2.34',"
                          "'buyer_fee':'0.00000002','seller_fee':'0.05'}");
    cr_assert(scanned.is_good, "%s", scanned.fault.reason);
    cr_assert(scanned.event.u.trade.quantity == 100000001);
    cr_assert(scanned.event.u.trade.quote_amount == 234);
    cr_assert(scanned.event.u.trade.buyer_fee == 2);
    cr_assert(scanned.event.u.trade.seller_fee == 5);
    ingest_scan_free(&scanned);
    expect_fault(TRADE "'base':'A.1','quote':'BTC','quantity':@'1.001','price':'1'}",
                 "quantity has 3 decimals, at most 2 are allowed");
    expect_fault(TRADE "'base':'BTC','quote':'A.1','quantity':'1','quote_amount':@'1.001'}",
                 "quote_amount has 3 decimals, at most 2 are allowed");
    expect_fault(TRADE "'base':'A.1','quote':'BTC','quantity':'1','price':'1','buyer_fee':@'0.001'}",
                 "buyer_fee has 3 decimals, at most 2 are allowed");
    expect_fault(TRADE "'base':'BTC','quote':'A.1','quantity':'1','price':'1','seller_fee':@'0.001'}",
                 "seller_fee has 3 decimals, at most 2 are allowed");
}

Test(scan_values, quantity_and_quote_amount_are_more_than_0_and_fees_may_be_0)
{
    expect_fault(TRADE "'base':1,'quote':2,'quantity':@'0','price':'1'}", "quantity must be greater than 0");
    expect_fault(TRADE "'base':1,'quote':2,'quantity':'1','quote_amount':@'0.0'}",
                 "quote_amount must be greater than 0");
    cr_assert(accepts(TRADE "'base':1,'quote':2,'quantity':'1','price':'1','buyer_fee':'0','seller_fee':'0.000000'}"));
    expect_fault(TRADE "'base':1,'quote':2,'quantity':'1','price':'1','seller_fee':@'-0'}",
                 "seller_fee must be a decimal string: digits, or digits, a point and digits");
}

/* What the engine decides, not the form. */
Test(scan_values, a_trade_with_oneself_or_of_one_asset_has_the_form)
{
    cr_assert(accepts(
        "{'type':'trade','trade_id':'t','ts':1,'buyer':7,'seller':7,'base':1,'quote':1,'quantity':'1','price':'1'}"));
}

static struct scanned with_price(const char *price)
{
    return ingest_scan(EACH_FORMAT(TRADE "'base':1,'quote':2,'quantity':'1','price':%s'%s'}", "@", price));
}

static void expect_price(const char *price, settle_uint128 mantissa, uint32_t scale)
{
    struct scanned scanned = with_price(price);
    cr_assert(scanned.is_good, "%s: %s", price, scanned.fault.reason);
    cr_assert(scanned.event.u.trade.price.mantissa == mantissa, "%s", price);
    cr_assert_eq(scanned.event.u.trade.price.scale, scale, "%s: scale %u", price, scanned.event.u.trade.price.scale);
    ingest_scan_free(&scanned);
}

static void expect_no_price(const char *price, const char *reason)
{
    struct scanned scanned = with_price(price);
    cr_assert(!scanned.is_good, "accepted %s", price);
    cr_assert_str_eq(scanned.fault.reason, reason, "%s: %s", price, scanned.fault.reason);
    cr_assert_eq(scanned.fault.byte, scanned.marked);
    ingest_scan_free(&scanned);
}

Test(scan_values, a_price_has_no_trailing_zeros)
{
    expect_price("1", 1, 0);
    expect_price("1.0", 1, 0);
    expect_price("1.000000000000000000", 1, 0);
    expect_price("1.5", 15, 1);
    expect_price("1.50", 15, 1);
    expect_price("1.500000000000000000", 15, 1);
    expect_price("100", 100, 0);
    expect_price("100.00", 100, 0);
    expect_price("0.05", 5, 2);
    expect_price("0.050", 5, 2);
    expect_price("10.010", 1001, 2);
    expect_price("0.000000000000000001", 1, 18);
    expect_price("1000000000000000000000.100", (settle_uint128)power_of_ten(22) + 1, 1);
    expect_price("1000000000000000000000.000", (settle_uint128)power_of_ten(21), 0);
}

Test(scan_values, a_price_has_at_most_38_digits_and_18_decimals)
{
    settle_uint128 nines = (settle_uint128)power_of_ten(38) - 1;
    expect_price("99999999999999999999999999999999999999", nines, 0);
    expect_price("99999999999999999999.999999999999999999", nines, 18);
    expect_price("10000000000000000000.000000000000000000", (settle_uint128)power_of_ten(19), 0);
    expect_no_price("100000000000000000000000000000000000000", "price has more than 38 digits");
    expect_no_price("100000000000000000000.000000000000000000", "price has more than 38 digits");
    expect_no_price("999999999999999999999.999999999999999999", "price has more than 38 digits");
    expect_no_price("1.0000000000000000000", "price has 19 decimals, at most 18 are allowed");
    expect_no_price("0.0000000000000000001", "price has 19 decimals, at most 18 are allowed");
    expect_no_price("100000000000000000000000000000000000000.0000000000000000000",
                    "price has 19 decimals, at most 18 are allowed");
}

Test(scan_values, a_price_is_a_decimal_string_above_0)
{
    static const char *const bad[] = {"",   ".",   "1.", ".1", "01",   "00.1", "-1",
                                      "+1", "1e1", " 1", "1 ", "1..1", "1.1.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_no_price(bad[i], "price must be a decimal string: digits, or digits, a point and digits");
    expect_no_price("0", "price must be greater than 0");
    expect_no_price("0.000000000000000000", "price must be greater than 0");
    expect_no_price("0.00", "price must be greater than 0");
}
