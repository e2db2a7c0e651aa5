/*
 * Tests of ingest/scan_csv.c: headers, cells and their quotes, what an empty cell means, where faults point, and that a
 * row means what the line of JSON means. Rows are scanned from blocks of their exact size.
 *
 * In the rows below ' stands for a ", and the first @ marks the byte that a fault must point at; it is no byte.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/scan_csv.h"
#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(scan_csv);

static const settle_asset digits_asset = {8, 1, "77"};

static const settle_asset *find_asset(void *context, const struct scan_asset *name)
{
    bool is_digits =
        name->id == 8 || (name->id == 0 && name->symbol.bytes == 2 && memcmp(name->symbol.data, "77", 2) == 0);
    return is_digits ? &digits_asset : ingest_scan_asset(context, name);
}

/* The notation above → bytes; *ret_marked is 1-based, 0: no mark. malloc'd to the exact size. */
static char *plain(const char *text, size_t *ret_bytes, size_t *ret_marked)
{
    size_t bytes = 0, marked = 0;
    char *line = malloc(strlen(text) + 1), *exact;
    CHECK(line != NULL);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '@' && marked == 0)
            marked = bytes + 1;
        else
            line[bytes++] = *c == '\'' ? '"' : *c;
    }
    exact = malloc(bytes > 0 ? bytes : 1);
    CHECK(exact != NULL);
    memcpy(exact, line, bytes);
    free(line);
    *ret_bytes = bytes;
    *ret_marked = marked;
    return exact;
}

static bool scan_header(const char *text, struct csv_header *ret_header, struct scan_fault *ret_fault,
                        size_t *ret_marked)
{
    size_t bytes;
    char *line = plain(text, &bytes, ret_marked);
    bool good = csv_scan_header(line, bytes, ret_header, ret_fault);
    free(line);
    return good;
}

static struct scanned scan(const char *header_text, const char *row)
{
    struct scanned s;
    struct csv_header header = {.count = 0};
    size_t none;
    memset(&s, 0xa5, sizeof s);
    cr_assert(scan_header(header_text, &header, &s.fault, &none), "%s", s.fault.reason);
    s.line = plain(row, &s.bytes, &s.marked);
    s.scratch = malloc(INGEST_LINE_BYTES_MAX);
    CHECK(s.scratch != NULL);
    s.is_good =
        csv_scan_row(&header, s.line, s.bytes, s.scratch, find_asset, NULL, &s.kind, &s.event, &s.asset, &s.fault);
    return s;
}

static const char every[] = "type,event_id,ts,user,asset,amount,trade_id,buyer,seller,base,quote,quantity,price,"
                            "quote_amount,buyer_fee,seller_fee,id,scale";
static const char transfer[] = "type,ts,user,asset,amount";

static void expect_fault(const char *header, const char *row, const char *reason)
{
    struct scanned s = scan(header, row);
    cr_assert(!s.is_good, "%s", row);
    cr_assert_str_eq(s.fault.reason, reason, "%s: \"%s\"", row, s.fault.reason);
    cr_assert_eq(s.fault.byte, s.marked, "%s: byte %zu", row, s.fault.byte);
    ingest_scan_free(&s);
}

/* The row and the line are the same event: also their texts. */
static void expect_same(const char *header, const char *row, const char *json)
{
    struct scanned a = scan(header, row), b = ingest_scan(json);
    char id_a[SETTLE_EVENT_ID_BYTES_MAX + 1], id_b[SETTLE_EVENT_ID_BYTES_MAX + 1];
    cr_assert(a.is_good, "%s: %s", row, a.fault.reason);
    cr_assert(b.is_good, "%s: %s", json, b.fault.reason);
    cr_assert_eq(a.kind, SCAN_EVENT);
    cr_assert_eq(a.event.event_id.data == NULL, b.event.event_id.data == NULL);
    settle_event_id_format(&a.event, id_a);
    settle_event_id_format(&b.event, id_b);
    cr_assert_str_eq(id_a, id_b);
    cr_assert_eq(a.event.type, b.event.type);
    cr_assert_eq(a.event.ts_ms, b.event.ts_ms);
    if (a.event.type != SETTLE_TRADE) {
        const settle_transfer *x = &a.event.u.transfer, *y = &b.event.u.transfer;
        cr_assert(x->user == y->user && x->asset == y->asset && x->amount == y->amount, "%s", row);
    } else {
        const settle_trade *x = &a.event.u.trade, *y = &b.event.u.trade;
        cr_assert_eq(x->trade_id.bytes, y->trade_id.bytes);
        cr_assert(x->buyer == y->buyer && x->seller == y->seller && x->base == y->base && x->quote == y->quote, "%s",
                  row);
        cr_assert(x->quantity == y->quantity && x->price.mantissa == y->price.mantissa &&
                      x->price.scale == y->price.scale,
                  "%s", row);
        cr_assert(x->quote_amount == y->quote_amount && x->buyer_fee == y->buyer_fee && x->seller_fee == y->seller_fee,
                  "%s", row);
    }
    ingest_scan_free(&a);
    ingest_scan_free(&b);
}

/* ---- Headers ---- */

Test(scan_csv, a_header_may_have_any_members_in_any_order)
{
    struct csv_header header = {.count = 0};
    struct scan_fault fault;
    size_t none;
    cr_assert(scan_header(every, &header, &fault, &none));
    cr_assert_eq(header.count, 18);
    cr_assert(scan_header("amount,'type',ts\r", &header, &fault, &none), "%s", fault.reason);
    cr_assert_eq(header.count, 3);
}

Test(scan_csv, a_header_that_is_none_says_why)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"@", "column 1 names no member of an event"},
        {"type,@usr", "column 2 names no member of an event"},
        {"type,ts,@", "column 3 names no member of an event"},
        {"type,@Ts", "column 2 names no member of an event"},
        {"type,@ ts", "column 2 names no member of an event"},
        {"type,ts,@type", "duplicate column \"type\""},
        {"ts,user@", "the header has no column \"type\""},
        {"type,@'ts", "the row ends inside a cell in quotes"},
        {"type,'ts'@x", "expected ',' behind a cell in quotes"},
        {"type,t@'s", "a quote inside a cell without quotes"},
        {"@\xef\xbb\xbftype", "byte-order mark"},
        {"@{'type':'deposit'}", "column 1 names no member of an event"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct csv_header header = {.count = 0};
        struct scan_fault fault = {0};
        size_t marked = 0;
        bool is_json = cases[i].text[1] == '{';
        cr_assert(!scan_header(cases[i].text, &header, &fault, &marked), "%s", cases[i].text);
        cr_assert_eq(header.count, 0, "untouched");
        if (is_json) /* its quote comes first */
            continue;
        cr_assert_str_eq(fault.reason, cases[i].reason, "%s: \"%s\"", cases[i].text, fault.reason);
        cr_assert_eq(fault.byte, marked, "%s: byte %zu", cases[i].text, fault.byte);
    }
}

/* ---- Rows that are good ---- */

Test(scan_csv, a_row_means_what_the_line_of_json_means)
{
    expect_same(every, "deposit,,1,7,USDT,1000.50,,,,,,,,,,,,",
                "{'type':'deposit','ts':1,'user':7,'asset':'USDT','amount':'1000.50'}");
    expect_same(
        every, "withdrawal,w:1,9007199254740992,9223372036854775807,3,0.000000000000000001,,,,,,,,,,,,\r",
        "{'type':'withdrawal','event_id':'w:1','ts':9007199254740992,'user':'9223372036854775807','asset':'WEI',"
        "'amount':'0.000000000000000001'}");
    expect_same(every, "trade,,5,,,,T1,7,8,BTC,USDT,1.5,100.50,150.75,0.01,0,,",
                "{'type':'trade','ts':5,'trade_id':'T1','buyer':7,'seller':8,'base':'BTC','quote':2,'quantity':'1.5',"
                "'price':'100.5','quote_amount':'150.75','buyer_fee':'0.01'}");
    expect_same("amount,asset,user,ts,type", "'170141183460469231731.687303715884105727','WEI','7','1','deposit'",
                "{'type':'deposit','ts':1,'user':7,'asset':'WEI','amount':'170141183460469231731.687303715884105727'}");
    expect_same("type,event_id,ts,buyer,seller,base,quote,quantity,price",
                "trade,E,5,7,8,INT,BTC,3,12345678901234567890",
                "{'type':'trade','ts':5,'event_id':'E','buyer':7,'seller':8,'base':'INT','quote':1,'quantity':'3',"
                "'price':'12345678901234567890'}");
}

Test(scan_csv, an_empty_cell_is_a_member_that_is_absent)
{
    expect_fault(transfer, "deposit,1,7,USDT,@", "amount is missing");
    expect_fault(transfer, "deposit,1,,USDT,1@", "user is missing");
    expect_fault(transfer, "deposit,1,'',USDT,1@", "user is missing");
    expect_fault(transfer, ",,,,@", "type is missing");
}

Test(scan_csv, quotes_are_doubled_inside_quotes)
{
    /* No member may hold them: the faults show what was read. */
    expect_fault(transfer, "@'dep''osit,',1,7,USDT,1",
                 "type must be \"deposit\", \"withdrawal\", \"trade\" or \"asset\"");
    struct scanned s = scan("type,ts,event_id,user,asset,amount", "deposit,1,'a-b','7','A.1','1.5'");
    cr_assert(s.is_good, "%s", s.fault.reason);
    cr_assert_eq(s.event.event_id.bytes, 3);
    cr_assert(memcmp(s.event.event_id.data, "a-b", 3) == 0);
    cr_assert(s.event.event_id.data == s.scratch, "it is decoded into the scratch");
    ingest_scan_free(&s);
}

Test(scan_csv, digits_are_a_declared_symbol_else_a_number)
{
    struct scanned s = scan(transfer, "deposit,1,7,77,1.5");
    cr_assert(s.is_good, "%s", s.fault.reason);
    cr_assert_eq(s.event.u.transfer.asset, 8);
    cr_assert(s.event.u.transfer.amount == 15);
    ingest_scan_free(&s);
    s = scan(transfer, "deposit,1,7,4294967295,15");
    cr_assert(s.is_good, "%s", s.fault.reason);
    cr_assert_eq(s.event.u.transfer.asset, UINT32_MAX);
    ingest_scan_free(&s);
    expect_fault(transfer, "deposit,1,7,@78,1", "asset 78 is not declared");
    expect_fault(transfer, "deposit,1,7,@4294967296,1", "asset must be 1 to 4294967295");
    expect_fault(transfer, "deposit,1,7,@078,1", "asset has a leading zero");
    expect_fault(transfer, "deposit,1,7,@1234567890123456,1", "asset must be 1 to 4294967295");
    expect_fault(transfer, "deposit,1,7,@XYZ,1", "asset \"XYZ\" is not declared");
}

Test(scan_csv, an_asset_is_declared_by_a_row)
{
    struct scanned s = scan("type,asset,id,scale", "asset,123,4294967295,18");
    cr_assert(s.is_good, "%s", s.fault.reason);
    cr_assert_eq(s.kind, SCAN_ASSET);
    cr_assert_str_eq(s.asset.symbol, "123", "a declaration has a symbol, whatever it looks like");
    cr_assert_eq(s.asset.id, UINT32_MAX);
    cr_assert_eq(s.asset.scale, 18);
    ingest_scan_free(&s);
    expect_fault("type,asset,id,scale", "asset,123,1,@19", "scale must be 0 to 18");
    expect_fault("type,asset,id,scale", "asset,@usdt,1,6",
                 "asset must be a symbol of 1 to 15 characters of A-Z, 0-9 and .");
}

Test(scan_csv, blank_rows_are_passed_over)
{
    static const char *const rows[] = {"", "\r", " \t\r", "  "};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scanned s = scan(transfer, rows[i]);
        cr_assert(s.is_good && s.kind == SCAN_BLANK);
        ingest_scan_free(&s);
    }
}

/* ---- Rows that are not ---- */

Test(scan_csv, the_rules_of_json_lines_hold)
{
    expect_fault(transfer, "deposit,1,7,USDT,@-1",
                 "amount must be a decimal string: digits, or digits, a point and digits");
    expect_fault(transfer, "deposit,1,7,USDT,@1e3",
                 "amount must be a decimal string: digits, or digits, a point and digits");
    expect_fault(transfer, "deposit,1,7,USDT,@ 1",
                 "amount must be a decimal string: digits, or digits, a point and digits");
    expect_fault(transfer, "deposit,1,7,USDT,@01",
                 "amount must be a decimal string: digits, or digits, a point and digits");
    expect_fault(transfer, "deposit,1,7,USDT,@1.0000000", "amount has 7 decimals, at most 6 are allowed");
    expect_fault(transfer, "deposit,1,7,USDT,@0", "amount must be greater than 0");
    expect_fault(transfer, "deposit,@1.0,7,USDT,1", "ts must be an integer of digits only");
    expect_fault(transfer, "deposit,@007,7,USDT,1", "ts has a leading zero");
    expect_fault(transfer, "deposit,@9007199254740993,7,USDT,1", "ts must be 0 to 9007199254740992");
    expect_fault(transfer, "deposit,@99999999999999999999999,7,USDT,1", "ts must be 0 to 9007199254740992");
    expect_fault(transfer, "deposit,1,@0,USDT,1", "user must be 1 to 9223372036854775807");
    expect_fault(transfer, "deposit,1,@x,USDT,1", "user must be an integer or a string of digits");
    expect_fault(transfer, "@Deposit,1,7,USDT,1", "type must be \"deposit\", \"withdrawal\", \"trade\" or \"asset\"");
    expect_fault("type,ts,user,asset,amount,price", "deposit,1,7,USDT,1,@2",
                 "unknown member \"price\" of type \"deposit\"");
}

Test(scan_csv, a_row_has_as_many_cells_as_the_header)
{
    expect_fault(transfer, "deposit,1,7,USDT@", "the row has 4 cells, the header 5");
    expect_fault(transfer, "deposit,1,7,USDT,1@,", "the row has more cells than the header");
    expect_fault(transfer, "deposit@", "the row has 1 cells, the header 5");
}

Test(scan_csv, broken_quotes_are_told_with_their_place)
{
    expect_fault(transfer, "deposit,1,7,@'USDT,1", "the row ends inside a cell in quotes");
    expect_fault(transfer, "deposit,1,7,@'USDT'',1", "the row ends inside a cell in quotes");
    expect_fault(transfer, "deposit,1,7,'USDT'@ ,1", "expected ',' behind a cell in quotes");
    expect_fault(transfer, "deposit,1,7,US@'DT,1", "a quote inside a cell without quotes");
}

Test(scan_csv, every_beginning_and_every_changed_byte_of_a_row_is_survived)
{
    static const char row[] = "trade,'E-1',5,,,,T1,7,8,BTC,'USDT',1.5,100.50,150.75,0.01,0,,\r";
    struct scanned whole = scan(every, row);
    cr_assert(whole.is_good, "%s", whole.fault.reason);
    ingest_scan_free(&whole);
    for (size_t bytes = 0; bytes < sizeof row - 1; bytes++) {
        for (int byte = -1; byte < 256; byte += byte < 0 ? 1 : 5) {
            char text[sizeof row];
            memcpy(text, row, sizeof row);
            text[bytes] = (char)(byte < 0 ? 0 : byte);
            struct scanned s = scan(every, text);
            if (!s.is_good) {
                cr_assert(s.fault.byte >= 1 && s.fault.byte <= s.bytes + 1);
                cr_assert(s.fault.reason[0] != '\0');
            }
            ingest_scan_free(&s);
        }
    }
}

Test(scan_csv, a_row_that_is_too_long_is_refused)
{
    char row[INGEST_LINE_BYTES_MAX + 2];
    memset(row, ' ', sizeof row);
    row[sizeof row - 1] = '\0';
    struct scanned s = scan(transfer, row);
    cr_assert(!s.is_good);
    cr_assert_eq(s.fault.byte, INGEST_LINE_BYTES_MAX + 1);
    ingest_scan_free(&s);
    struct csv_header header = {.count = 0};
    struct scan_fault fault;
    size_t none;
    cr_assert(!scan_header(row, &header, &fault, &none));
}
