/*
 * test_scan.c — every rule of docs/events.md about a line: what is an event, and where and why another is malformed.
 * The notation of the lines is that of tests/lib/ingest_scan.h: ' for ", @ before the byte that is at fault.
 */
#include "ingest/ingest.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"

SETTLE_SUITE(scan);

#define DEPOSIT(members) "{'type':'deposit','ts':1,'user':7,'asset':'USDT','amount':'1.5'" members "}"
#define TRADE(members)                                                                                                 \
    "{'type':'trade','ts':1,'buyer':7,'seller':8,'base':'BTC','quote':'USDT','quantity':'2'" members "}"

static void expect_fault(const char *text, const char *reason)
{
    struct scanned scanned = ingest_scan(text);
    cr_assert(!scanned.is_good, "accepted: %s", text);
    cr_assert_str_eq(scanned.fault.reason, reason, "%s: %s", text, scanned.fault.reason);
    cr_assert_neq(scanned.marked, 0, "no mark in %s", text);
    cr_assert_eq(scanned.fault.byte, scanned.marked, "%s: byte %zu, not %zu", text, scanned.fault.byte, scanned.marked);
    ingest_scan_free(&scanned);
}

/* The event of a good line; its texts are gone. */
static settle_event event_of(const char *text)
{
    struct scanned scanned = ingest_scan(text);
    cr_assert(scanned.is_good, "%s: byte %zu: %s", text, scanned.fault.byte, scanned.fault.reason);
    cr_assert_eq(scanned.kind, SCAN_EVENT);
    settle_event event = scanned.event;
    ingest_scan_free(&scanned);
    return event;
}

static void expect_text(settle_text text, const char *expected)
{
    cr_assert_eq(text.bytes, strlen(expected), "%zu bytes, not those of %s", text.bytes, expected);
    cr_assert(memcmp(text.data, expected, text.bytes) == 0, "%.*s, not %s", (int)text.bytes, text.data, expected);
}

/* ---- Good lines -------------------------------------------------------------------------------------------------- */

Test(scan, a_deposit)
{
    settle_event event =
        event_of("{'type':'deposit','user':1001,'asset':'USDT','amount':'1000.50','ts':1733856600000}");
    cr_assert_eq(event.type, SETTLE_DEPOSIT);
    cr_assert_eq(event.ts_ms, 1733856600000);
    cr_assert_null(event.event_id.data);
    cr_assert_eq(event.event_id.bytes, 0);
    cr_assert_eq(event.u.transfer.user, 1001);
    cr_assert_eq(event.u.transfer.asset, 2);
    cr_assert(event.u.transfer.amount == 1000500000);
    cr_assert_eq(event.end.source, 0, "the loop's to fill");
    cr_assert_eq(event.end.offset_bytes, 0);
    cr_assert_eq(event.end.line, 0);
}

Test(scan, a_withdrawal_with_its_own_id)
{
    struct scanned scanned =
        ingest_scan("{'type':'withdrawal','event_id':'w-1:a.B_9','user':1,'asset':1,'amount':'0.00000001','ts':0}");
    cr_assert(scanned.is_good);
    cr_assert_eq(scanned.event.type, SETTLE_WITHDRAWAL);
    expect_text(scanned.event.event_id, "w-1:a.B_9");
    cr_assert_eq(scanned.event.ts_ms, 0);
    cr_assert_eq(scanned.event.u.transfer.asset, 1);
    cr_assert(scanned.event.u.transfer.amount == 1);
    ingest_scan_free(&scanned);
}

Test(scan, a_trade_with_everything)
{
    struct scanned scanned = ingest_scan(
        "{'type':'trade','event_id':'e','trade_id':'t-1','ts':5,'buyer':7,'seller':8,'base':'BTC','quote':'USDT',"
        "'quantity':'0.5','price':'50000.250','quote_amount':'25000.125','buyer_fee':'0.001','seller_fee':'0'}");
    cr_assert(scanned.is_good, "%s", scanned.fault.reason);
    const settle_trade *trade = &scanned.event.u.trade;
    cr_assert_eq(scanned.event.type, SETTLE_TRADE);
    cr_assert_eq(scanned.event.ts_ms, 5);
    expect_text(scanned.event.event_id, "e");
    expect_text(trade->trade_id, "t-1");
    cr_assert_eq(trade->buyer, 7);
    cr_assert_eq(trade->seller, 8);
    cr_assert_eq(trade->base, 1);
    cr_assert_eq(trade->quote, 2);
    cr_assert(trade->quantity == 50000000);
    cr_assert(trade->price.mantissa == 5000025);
    cr_assert_eq(trade->price.scale, 2);
    cr_assert(trade->quote_amount == 25000125000);
    cr_assert(trade->buyer_fee == 100000);
    cr_assert(trade->seller_fee == 0);
    ingest_scan_free(&scanned);
}

Test(scan, what_a_trade_does_not_give_is_nothing)
{
    struct scanned scanned = ingest_scan(TRADE(",'trade_id':'t','price':'1'"));
    cr_assert(scanned.is_good);
    cr_assert_null(scanned.event.event_id.data);
    cr_assert(scanned.event.u.trade.quote_amount == 0);
    cr_assert(scanned.event.u.trade.buyer_fee == 0);
    cr_assert(scanned.event.u.trade.seller_fee == 0);
    ingest_scan_free(&scanned);

    scanned = ingest_scan(TRADE(",'event_id':'e','quote_amount':'1'"));
    cr_assert(scanned.is_good);
    cr_assert_null(scanned.event.u.trade.trade_id.data);
    cr_assert_eq(scanned.event.u.trade.trade_id.bytes, 0);
    cr_assert(scanned.event.u.trade.price.mantissa == 0);
    cr_assert_eq(scanned.event.u.trade.price.scale, 0);
    cr_assert(scanned.event.u.trade.quote_amount == 1000000);
    ingest_scan_free(&scanned);
}

Test(scan, an_asset_declaration)
{
    struct scanned scanned = ingest_scan("{'type':'asset','asset':'ABCDEFGHIJKL.09','id':4294967295,'scale':18}");
    cr_assert(scanned.is_good);
    cr_assert_eq(scanned.kind, SCAN_ASSET);
    cr_assert_eq(scanned.asset.id, UINT32_MAX);
    cr_assert_eq(scanned.asset.scale, 18);
    cr_assert_str_eq(scanned.asset.symbol, "ABCDEFGHIJKL.09");
    ingest_scan_free(&scanned);
}

Test(scan, members_may_come_in_any_order)
{
    static const char *const members[] = {"'type':'deposit'", "'ts':3", "'user':'5'", "'asset':'USDT'", "'amount':'7'"};
    char line[200];
    unsigned orders = 0;
    for (unsigned order = 0; order < 3125; order++) {
        unsigned used = 0, rest = order, length = 0;
        for (unsigned i = 0; i < 5; i++, rest /= 5) {
            used |= 1u << rest % 5;
            length += (unsigned)snprintf(line + length, sizeof line - length, "%c%s", i ? ',' : '{', members[rest % 5]);
        }
        snprintf(line + length, sizeof line - length, "}");
        if (used != 31)
            continue;
        settle_event event = event_of(line);
        cr_assert(event.type == SETTLE_DEPOSIT && event.ts_ms == 3 && event.u.transfer.user == 5);
        cr_assert(event.u.transfer.asset == 2 && event.u.transfer.amount == 7000000);
        orders++;
    }
    cr_assert_eq(orders, 120);
}

Test(scan, white_space_may_stand_between_all_tokens)
{
    settle_event event = event_of(" \t\r{ \t'type'\t:\r'deposit' , 'ts' : 1 ,\t'user' :'7',  'asset':  'USDT'\t,"
                                  "'amount'\r\r:\t \t'1.5' \r} \t\r");
    cr_assert(event.u.transfer.amount == 1500000);
}

Test(scan, blank_lines_are_spaces_tabs_and_carriage_returns)
{
    static const char *const blank[] = {"", " ", "\t", "\r", "   \t \r", "\r\r"};
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        struct scanned scanned = ingest_scan(blank[i]);
        cr_assert(scanned.is_good);
        cr_assert_eq(scanned.kind, SCAN_BLANK);
        ingest_scan_free(&scanned);
    }
    expect_fault(" @\f", "expected an object");
    expect_fault("@\v", "expected an object");
    expect_fault(" @\n", "expected an object");
}

Test(scan, names_and_values_may_use_escapes)
{
    struct scanned scanned =
        ingest_scan("{'\\u0074ype':'deposi\\u0074','event_i\\u0064':'\\u0061\\u002D\\u002d','t\\u0073':1,"
                    "'user':'\\u00317','asset':'U\\u0053DT','\\u0061mount':'1\\u002e5'}");
    cr_assert(scanned.is_good, "%s", scanned.fault.reason);
    expect_text(scanned.event.event_id, "a--");
    cr_assert_eq(scanned.event.u.transfer.user, 17);
    cr_assert_eq(scanned.event.u.transfer.asset, 2);
    cr_assert(scanned.event.u.transfer.amount == 1500000);
    ingest_scan_free(&scanned);
}

Test(scan, both_ids_may_use_escapes)
{
    struct scanned scanned = ingest_scan(TRADE(",'trade_id':'\\u0074\\u0031','event_id':'\\u0065\\u0032','price':'1'"));
    cr_assert(scanned.is_good, "%s", scanned.fault.reason);
    expect_text(scanned.event.event_id, "e2");
    expect_text(scanned.event.u.trade.trade_id, "t1");
    ingest_scan_free(&scanned);
}

/* ---- The object -------------------------------------------------------------------------------------------------- */

Test(scan, a_line_is_one_object)
{
    expect_fault("@[]", "expected an object");
    expect_fault("@1", "expected an object");
    expect_fault("  @'x'", "expected an object");
    expect_fault("@}", "expected an object");
    expect_fault("@null", "expected an object");
    expect_fault(DEPOSIT("") "@x", "more than one value on the line");
    expect_fault(DEPOSIT("") " \t @{}", "more than one value on the line");
    expect_fault(DEPOSIT("") " @" DEPOSIT(""), "more than one value on the line");
    expect_fault(DEPOSIT("") "@}", "more than one value on the line");
    expect_fault(DEPOSIT("") "@,", "more than one value on the line");
    expect_fault(DEPOSIT("") " @\n", "more than one value on the line");
}

Test(scan, a_byte_order_mark_is_malformed)
{
    expect_fault("@\xef\xbb\xbf" DEPOSIT(""), "byte-order mark");
    expect_fault(" @\xef\xbb\xbf" DEPOSIT(""), "byte-order mark");
    expect_fault("@\xef\xbb\xbf", "byte-order mark");
    expect_fault("@\xff\xfe{", "expected an object");
}

Test(scan, the_object_is_closed)
{
    expect_fault("{@", "the line ends inside the object");
    expect_fault("{'@", "the line ends inside a string");
    expect_fault("{'type@", "the line ends inside a string");
    expect_fault("{'type'@", "the line ends inside the object");
    expect_fault("{'type' :@", "the line ends before the value of type");
    expect_fault("{'type':'deposit@", "the line ends inside a string");
    expect_fault("{'type':'deposit'@", "the line ends inside the object");
    expect_fault("{'type':'deposit',@", "the line ends inside the object");
    expect_fault("{'ts':1@", "the line ends inside the object");
    expect_fault("{'ts':@", "the line ends before the value of ts");
    expect_fault("{'amount':'1.@", "the line ends inside a string");
    expect_fault("{'amount':'1.5'@  ", "the line ends inside the object");
    expect_fault("{'type':'deposit','ts':1,'user':7,'asset':'USDT','amount':'1.5'@", "the line ends inside the object");
}

Test(scan, punctuation_is_where_it_belongs)
{
    expect_fault("{@,'ts':1}", "expected a member name");
    expect_fault("{@ts:1}", "expected a member name");
    expect_fault("{'ts':1,@}", "expected a member name");
    expect_fault("{'ts':1,@,'user':1}", "expected a member name");
    expect_fault("{'ts'@,1}", "expected ':'");
    expect_fault("{'ts'@1}", "expected ':'");
    expect_fault("{'type':'deposit'@:}", "expected ',' or '}'");
    expect_fault("{'type':'deposit' @'ts':1}", "expected ',' or '}'");
    expect_fault("{'type':'deposit'@]", "expected ',' or '}'");
    expect_fault("{'ts':1 @2}", "expected ',' or '}'");
    expect_fault("{'ts':@:1}", "ts must be an integer");
}

Test(scan, a_line_is_at_most_4096_bytes)
{
    char line[4200];
    const char *good = "{\"type\":\"deposit\",\"ts\":1,\"user\":7,\"asset\":2,\"amount\":\"1\"}";
    memset(line, ' ', sizeof line);
    memcpy(line, good, strlen(good));
    struct scanned scanned = ingest_scan_bytes(line, 4096);
    cr_assert(scanned.is_good, "%s", scanned.fault.reason);
    ingest_scan_free(&scanned);

    line[4096] = '\r';
    scanned = ingest_scan_bytes(line, 4097);
    cr_assert(!scanned.is_good);
    cr_assert_eq(scanned.fault.byte, 4097);
    cr_assert_str_eq(scanned.fault.reason, "the line is longer than 4096 bytes");
    ingest_scan_free(&scanned);

    memset(line, ' ', sizeof line);
    scanned = ingest_scan_bytes(line, 4097);
    cr_assert(!scanned.is_good, "a blank one too");
    ingest_scan_free(&scanned);
}

Test(scan, the_longest_line_may_be_one_string)
{
    char line[4096];
    memset(line, 'a', sizeof line);
    memcpy(line, "{\"event_id\":\"\\u0061", 19);
    line[4095] = '"';
    struct scanned scanned = ingest_scan_bytes(line, sizeof line);
    cr_assert(!scanned.is_good);
    cr_assert_eq(scanned.fault.byte, 4097);
    cr_assert_str_eq(scanned.fault.reason, "the line ends inside the object");
    ingest_scan_free(&scanned);
}

/* ---- Members ----------------------------------------------------------------------------------------------------- */

Test(scan, duplicate_members_are_malformed)
{
    expect_fault("{'ts':1,@'ts':1}", "duplicate member \"ts\"");
    expect_fault("{'type':'deposit','user':1, @'type':'deposit'}", "duplicate member \"type\"");
    expect_fault("{'ts':1,@'t\\u0073':1}", "duplicate member \"ts\"");
    expect_fault(TRADE(",'price':'1',@'price':'1'"), "duplicate member \"price\"");
}

Test(scan, unknown_members_are_malformed)
{
    expect_fault("{@'foo':1}", "unknown member \"foo\"");
    expect_fault("{@'':1}", "unknown member \"\"");
    expect_fault("{@'TS':1}", "unknown member \"TS\"");
    expect_fault("{@'ts ':1}", "unknown member \"ts \"");
    expect_fault("{@'typ':1,'typ':1}", "unknown member \"typ\"");
    expect_fault("{@'types':1}", "unknown member \"types\"");
    expect_fault("{@'quote_amounts':1}", "unknown member \"quote_amounts\"");
    expect_fault("{@'amount\\u0000':1}", "unknown member \"amount?\"");
    expect_fault("{@'\\u001b[31m\\u0080\xc3\xa9':1}", "unknown member \"?[31m????\"");
    expect_fault("{@'abcdefghijabcdefghijabcdefghijabcdefghij+':1}",
                 "unknown member \"abcdefghijabcdefghijabcdefghijabcdefghij...\"");
    expect_fault("{@'abcdefghijabcdefghijabcdefghijabcdefghij':1}",
                 "unknown member \"abcdefghijabcdefghijabcdefghijabcdefghij\"");
}

Test(scan, members_of_another_type_are_unknown)
{
    expect_fault(DEPOSIT(",@'price':'1'"), "unknown member \"price\" of type \"deposit\"");
    expect_fault("{'ts':1, @'seller':8,'buyer':7,'type':'withdrawal'}",
                 "unknown member \"seller\" of type \"withdrawal\"");
    expect_fault(DEPOSIT(",@'trade_id':'t'"), "unknown member \"trade_id\" of type \"deposit\"");
    expect_fault(DEPOSIT(",@'scale':1"), "unknown member \"scale\" of type \"deposit\"");
    expect_fault(TRADE(",'trade_id':'t','price':'1',@'amount':'1'"), "unknown member \"amount\" of type \"trade\"");
    expect_fault(TRADE(",'trade_id':'t','price':'1',@'user':1"), "unknown member \"user\" of type \"trade\"");
    expect_fault("{@'ts':1,'type':'asset','asset':'A','id':1,'scale':1}", "unknown member \"ts\" of type \"asset\"");
    expect_fault("{'type':'asset','asset':'A','id':1,'scale':1,@'event_id':'e'}",
                 "unknown member \"event_id\" of type \"asset\"");
}

Test(scan, required_members_are_there)
{
    expect_fault("{@}", "type is missing");
    expect_fault("{'ts':1 @}", "type is missing");
    expect_fault("{'type':'deposit','user':7,'asset':'USDT','amount':'1.5'@}  ", "ts is missing");
    expect_fault("{'type':'deposit','ts':1,'asset':'USDT','amount':'1.5'@}", "user is missing");
    expect_fault("{'type':'deposit','ts':1,'user':7,'amount':'1.5'@}", "asset is missing");
    expect_fault("{'type':'withdrawal','ts':1,'user':7,'asset':'USDT'@}", "amount is missing");
    expect_fault("{'type':'asset','id':1,'scale':1@}", "asset is missing");
    expect_fault("{'type':'asset','asset':'A','scale':1@}", "id is missing");
    expect_fault("{'type':'asset','asset':'A','id':1@}", "scale is missing");
#define AND ",'trade_id':'t','price':'1'"
    expect_fault("{'type':'trade','buyer':7,'seller':8,'base':1,'quote':2,'quantity':'2'" AND "@}", "ts is missing");
    expect_fault("{'type':'trade','ts':1,'seller':8,'base':1,'quote':2,'quantity':'2'" AND "@}", "buyer is missing");
    expect_fault("{'type':'trade','ts':1,'buyer':7,'base':1,'quote':2,'quantity':'2'" AND "@}", "seller is missing");
    expect_fault("{'type':'trade','ts':1,'buyer':7,'seller':8,'quote':2,'quantity':'2'" AND "@}", "base is missing");
    expect_fault("{'type':'trade','ts':1,'buyer':7,'seller':8,'base':1,'quantity':'2'" AND "@}", "quote is missing");
    expect_fault("{'type':'trade','ts':1,'buyer':7,'seller':8,'base':1,'quote':2" AND "@}", "quantity is missing");
    expect_fault(TRADE(",'price':'1'@"), "trade_id (or event_id) is missing");
    expect_fault(TRADE(",'trade_id':'t'@"), "price or quote_amount is missing");
}

Test(scan, the_type_is_one_of_four)
{
    const char *reason = "type must be \"deposit\", \"withdrawal\", \"trade\" or \"asset\"";
    expect_fault("{'type':@'Deposit'}", reason);
    expect_fault("{'type': @''}", reason);
    expect_fault("{'type':@'deposits'}", reason);
    expect_fault("{'type':@'asset\\u0000'}", reason);
    expect_fault("{'type':@'transfer','ts':1}", reason);
}

Test(scan, null_and_other_kinds_are_never_a_value)
{
    expect_fault("{'type':@null}", "type must be a string, not null");
    expect_fault("{'ts':@null}", "ts must be an integer, not null");
    expect_fault("{'event_id':@null}", "event_id must be a string, not null");
    expect_fault("{'user':@true}", "user must be an integer or a string of digits, not true");
    expect_fault("{'asset':@false}", "asset must be a symbol or an asset id, not false");
    expect_fault("{'amount':@{'a':1}}", "amount must be a decimal string, not an object");
    expect_fault("{'base':@[]}", "base must be a symbol or an asset id, not an array");
    expect_fault("{'ts':@'1'}", "ts must be an integer, not a string");
    expect_fault("{'scale':@'1'}", "scale must be an integer, not a string");
    expect_fault("{'id':@'1'}", "id must be an integer, not a string");
    expect_fault("{'type':@1}", "type must be a string, not a number");
    expect_fault("{'event_id':@12}", "event_id must be a string, not a number");
    expect_fault("{'trade_id':@12}", "trade_id must be a string, not a number");
    expect_fault("{'ts':@nul}", "ts must be an integer");
    expect_fault("{'ts':@,}", "ts must be an integer");
    expect_fault("{'ts':@}", "ts must be an integer");
}

/* ---- Integers ---------------------------------------------------------------------------------------------------- */

Test(scan, integers_are_digits_only)
{
    const char *digits_only = "ts must be an integer of digits only";
    expect_fault("{'ts':@1.0}", digits_only);
    expect_fault("{'ts':@1e3}", digits_only);
    expect_fault("{'ts':@1E3,'user':1}", digits_only);
    expect_fault("{'ts':@12345678901.}", digits_only);
    expect_fault("{'ts':@1x}", digits_only);
    expect_fault("{'ts':@1-}", digits_only);
    expect_fault("{'ts':@1'2'}", digits_only);
    expect_fault("{'ts': @0.0}", digits_only);
    expect_fault("{'ts':@-1}", "ts must be an integer without a sign");
    expect_fault("{'ts':@-0}", "ts must be an integer without a sign");
    expect_fault("{'ts':@+1}", "ts must be an integer without a sign");
    expect_fault("{'ts':@.5}", "ts must be an integer");
    expect_fault("{'ts':@007}", "ts has a leading zero");
    expect_fault("{'ts':@00}", "ts has a leading zero");
    expect_fault("{'user':@01}", "user has a leading zero");
    expect_fault("{'ts':@0x10}", digits_only);
}

Test(scan, ts_is_0_to_2_to_the_53)
{
    cr_assert_eq(event_of("{'type':'deposit','ts':9007199254740992,'user':7,'asset':2,'amount':'1'}").ts_ms,
                 UINT64_C(9007199254740992));
    cr_assert_eq(event_of("{'type':'deposit','ts':0,'user':7,'asset':2,'amount':'1'}").ts_ms, 0);
#define TS(value) "{'type':'deposit','ts':@" value ",'user':7,'asset':2,'amount':'1'}"
    expect_fault(TS("9007199254740993"), "ts must be 0 to 9007199254740992");
    expect_fault(TS("18446744073709551615"), "ts must be 0 to 9007199254740992");
    expect_fault(TS("18446744073709551616"), "ts must be 0 to 9007199254740992");
    expect_fault(TS("18446744073709551617"), "ts must be 0 to 9007199254740992");
    expect_fault(TS("100000000000000000000000000000000000000000"), "ts must be 0 to 9007199254740992");
}

Test(scan, a_user_is_1_to_2_to_the_63_less_1)
{
#define USER(value) "{'type':'deposit','ts':1,'user':" value ",'asset':2,'amount':'1'}"
    cr_assert_eq(event_of(USER("9223372036854775807")).u.transfer.user, INT64_MAX);
    cr_assert_eq(event_of(USER("'9223372036854775807'")).u.transfer.user, INT64_MAX);
    cr_assert_eq(event_of(USER("1")).u.transfer.user, 1);
    cr_assert_eq(event_of(USER("'1'")).u.transfer.user, 1);
    cr_assert_eq(event_of(USER("12345678")).u.transfer.user, 12345678);
    cr_assert_eq(event_of(USER("'123456789'")).u.transfer.user, 123456789);
    const char *range = "user must be 1 to 9223372036854775807";
    expect_fault(USER("@0"), range);
    expect_fault(USER("@'0'"), range);
    expect_fault(USER("@9223372036854775808"), range);
    expect_fault(USER("@'9223372036854775808'"), range);
    expect_fault(USER("@'18446744073709551617'"), range);
    const char *form = "user must be an integer or a string of digits";
    expect_fault(USER("@''"), form);
    expect_fault(USER("@' 1'"), form);
    expect_fault(USER("@'1 '"), form);
    expect_fault(USER("@'-1'"), form);
    expect_fault(USER("@'1.0'"), form);
    expect_fault(USER("@'1e3'"), form);
    expect_fault(USER("@'alice'"), form);
    expect_fault(USER("@'1\\u0000'"), form);
    expect_fault(USER("@'007'"), "user has a leading zero");
}

Test(scan, buyer_and_seller_are_users)
{
    settle_event event =
        event_of("{'type':'trade','trade_id':'t','ts':1,'buyer':'9223372036854775807','seller':1,'base':1,"
                 "'quote':2,'quantity':'2','price':'1'}");
    cr_assert_eq(event.u.trade.buyer, INT64_MAX);
    cr_assert_eq(event.u.trade.seller, 1);
    expect_fault(
        "{'type':'trade','trade_id':'t','ts':1,'buyer':@0,'seller':1,'base':1,'quote':2,'quantity':'2','price':'1'}",
        "buyer must be 1 to 9223372036854775807");
    expect_fault(
        "{'type':'trade','trade_id':'t','ts':1,'buyer':1,'seller':@'x','base':1,'quote':2,'quantity':'2','price':'1'}",
        "seller must be an integer or a string of digits");
}
