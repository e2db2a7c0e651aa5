/*
 * test_scan_property.c — the scanner against a second opinion: cJSON and the slowest reading of docs/events.md.
 *
 * Random lines, most of them good, some changed in a few bytes; both must accept the same ones and make the same events
 * of them. cJSON accepts what money must not; opinion() refuses these itself before it asks: control characters,
 * invalid UTF-8, a byte-order mark, numbers that are not plain integers, \u0000, \u without its digits, duplicate
 * members. Numbers are handed to cJSON as strings behind a mark, since it would make doubles of them.
 */
#include "ingest/ingest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(scan_property);

/* ---- A second opinion -------------------------------------------------------------------------------------------- */

#define MARK '\x01' /* before the digits of a number */

struct opinion {
    bool is_good;
    enum scan_kind kind;
    settle_event event;
    settle_asset asset;
    char event_id[65], trade_id[57];
};

static const char *const known[] = {"type",     "event_id",     "ts",        "user",       "asset", "amount",
                                    "trade_id", "buyer",        "seller",    "base",       "quote", "quantity",
                                    "price",    "quote_amount", "buyer_fee", "seller_fee", "id",    "scale"};

static bool is_in(const char *name, const char *names)
{
    char spaced[64];
    snprintf(spaced, sizeof spaced, " %s ", name);
    return strchr(name, ' ') == NULL && strstr(names, spaced) != NULL;
}

/* The same JSON with each number as "\1<digits>"; false: something that cJSON would let pass. */
static bool prepare(const char *line, size_t bytes, char *to, size_t *ret_bytes)
{
    bool in_string = false;
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 && (in_string || (c != '\t' && c != '\r')))
            return false;
        if (in_string && c == '\\' && i + 1 < bytes) {
            /* cJSON takes \\u003g for \\u0000, and ends the string there. */
            if (bytes - i >= 6 && (memcmp(line + i, "\\u0000", 6) == 0 || memcmp(line + i, "\\u0001", 6) == 0))
                return false;
            if (line[i + 1] == 'u' && strspn(line + i + 2, "0123456789abcdefABCDEF") < 4)
                return false;
            to[n++] = line[i++];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && c >= '0' && c <= '9') {
            size_t digits = strspn(line + i, "0123456789"); /* the caller has terminated the line */
            if (strchr("+-.eE", line[i + digits]) != NULL && line[i + digits] != '\0')
                return false;
            if (i > 0 && strchr("+-.eE", line[i - 1]) != NULL)
                return false;
            if (c == '0' && digits > 1)
                return false;
            n += (size_t)sprintf(to + n, "\"%c%.*s\"", MARK, (int)digits, line + i);
            i += digits - 1;
            continue;
        }
        to[n++] = line[i];
    }
    to[n] = '\0';
    *ret_bytes = n;
    return true;
}

static bool is_utf8(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)line[i];
        size_t length = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
        if (length == 0 || i + length > bytes)
            return false;
        uint32_t code = length == 1 ? c : c & (0x7fu >> length);
        for (size_t k = 1; k < length; k++) {
            if (((unsigned char)line[i + k] & 0xc0) != 0x80)
                return false;
            code = code << 6 | ((unsigned char)line[i + k] & 0x3fu);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        i += length;
    }
    return true;
}

static const char *text_in(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name)->valuestring;
}

static bool read_integer(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    char back[32];
    *ret_value = strtoull(text, NULL, 10);
    snprintf(back, sizeof back, "%llu", (unsigned long long)*ret_value);
    return strcmp(back, text) == 0 && *ret_value >= min && *ret_value <= max;
}

static bool read_user(const cJSON *json, const char *name, uint64_t *ret_user)
{
    const char *text = text_in(json, name);
    return read_integer(text[0] == MARK ? text + 1 : text, 1, SETTLE_USER_MAX, ret_user);
}

static bool read_asset(const cJSON *json, const char *name, uint32_t *ret_id, unsigned *ret_scale)
{
    const char *text = text_in(json, name);
    uint64_t id = 0;
    if (text[0] == MARK && !read_integer(text + 1, 1, UINT32_MAX, &id))
        return false;
    struct scan_asset wanted = {(uint32_t)id, {text, strlen(text)}};
    const settle_asset *asset = ingest_scan_asset(NULL, &wanted);
    if (asset == NULL)
        return false;
    *ret_id = asset->id;
    *ret_scale = asset->scale;
    return true;
}

/* digits × 10^(scale - decimals), digit by digit. */
static bool read_decimal(const char *text, unsigned decimals_max, unsigned scale, settle_uint128 *ret_value)
{
    size_t whole = strspn(text, "0123456789");
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    if (whole == 0 || (whole > 1 && text[0] == '0') || (text[whole] == '.' && decimals == 0))
        return false;
    if (text[whole + (decimals > 0) + decimals] != '\0' || decimals > decimals_max)
        return false;
    settle_uint128 value = 0;
    for (size_t i = 0; i < whole + scale + 1; i++) {
        unsigned digit = i < strlen(text) && text[i] != '.' ? (unsigned)(text[i] - '0') : 0;
        if (i == whole)
            continue;
        if (value > ((settle_uint128)SETTLE_AMOUNT_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

static bool read_amount(const cJSON *json, const char *name, unsigned scale, bool may_be_zero,
                        settle_int128 *ret_amount)
{
    settle_uint128 value;
    if (cJSON_GetObjectItemCaseSensitive(json, name) == NULL)
        return true;
    if (!read_decimal(text_in(json, name), scale, scale, &value) || (value == 0 && !may_be_zero))
        return false;
    *ret_amount = (settle_int128)value;
    return true;
}

static bool read_price(const cJSON *json, settle_price *ret_price)
{
    char text[4200];
    if (cJSON_GetObjectItemCaseSensitive(json, "price") == NULL)
        return true;
    snprintf(text, sizeof text, "%s", text_in(json, "price"));
    bool has_point = strchr(text, '.') != NULL;
    if (strlen(text) - has_point > 38)
        return false;
    settle_uint128 value;
    unsigned decimals = has_point ? (unsigned)strlen(strchr(text, '.') + 1) : 0;
    if (!read_decimal(text, 18, decimals, &value) || value == 0)
        return false;
    for (; decimals > 0 && value % 10 == 0; decimals--)
        value /= 10;
    *ret_price = (settle_price){value, decimals};
    return true;
}

static bool read_id(const cJSON *json, const char *name, size_t bytes_max, char *copy, settle_text *ret_text)
{
    if (cJSON_GetObjectItemCaseSensitive(json, name) == NULL)
        return true;
    const char *text = text_in(json, name);
    size_t bytes = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");
    if (bytes == 0 || bytes > bytes_max || text[bytes] != '\0')
        return false;
    memcpy(copy, text, bytes + 1);
    *ret_text = (settle_text){copy, bytes};
    return true;
}

static bool read_transfer(const cJSON *json, struct opinion *opinion)
{
    settle_transfer *transfer = &opinion->event.u.transfer;
    unsigned scale;
    return read_user(json, "user", &transfer->user) && read_asset(json, "asset", &transfer->asset, &scale) &&
           read_amount(json, "amount", scale, false, &transfer->amount);
}

static bool read_trade(const cJSON *json, struct opinion *opinion)
{
    settle_trade *trade = &opinion->event.u.trade;
    unsigned base, quote;
    return read_id(json, "trade_id", 56, opinion->trade_id, &trade->trade_id) &&
           (trade->trade_id.bytes > 0 || opinion->event.event_id.bytes > 0) &&
           read_user(json, "buyer", &trade->buyer) && read_user(json, "seller", &trade->seller) &&
           read_asset(json, "base", &trade->base, &base) && read_asset(json, "quote", &trade->quote, &quote) &&
           read_amount(json, "quantity", base, false, &trade->quantity) && read_price(json, &trade->price) &&
           read_amount(json, "quote_amount", quote, false, &trade->quote_amount) &&
           (trade->price.mantissa != 0 || trade->quote_amount != 0) &&
           read_amount(json, "buyer_fee", base, true, &trade->buyer_fee) &&
           read_amount(json, "seller_fee", quote, true, &trade->seller_fee);
}

static bool read_declaration(const cJSON *json, settle_asset *ret_asset)
{
    uint64_t id, scale;
    const char *symbol = text_in(json, "asset");
    size_t bytes = strspn(symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.");
    if (bytes == 0 || bytes > 15 || symbol[bytes] != '\0')
        return false;
    if (!read_integer(text_in(json, "id") + 1, 1, UINT32_MAX, &id) ||
        !read_integer(text_in(json, "scale") + 1, 0, 18, &scale))
        return false;
    ret_asset->id = (uint32_t)id;
    ret_asset->scale = (uint8_t)scale;
    memcpy(ret_asset->symbol, symbol, bytes + 1);
    return true;
}

/* Each member is known to the type, given once, and a string or a number as it must be. */
static bool members_are_right(const cJSON *json, const char *required, const char *optional)
{
    char all[200];
    snprintf(all, sizeof all, "%s%s", required, optional);
    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (!is_in(item->string, all) || !cJSON_IsString(item))
            return false;
        for (const cJSON *other = item->next; other != NULL; other = other->next)
            if (strcmp(other->string, item->string) == 0)
                return false;
        bool is_number = item->valuestring[0] == MARK;
        if (is_number ? !is_in(item->string, " ts id scale user buyer seller asset base quote ")
                      : is_in(item->string, " ts id scale "))
            return false;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_in(known[i], required) && cJSON_GetObjectItemCaseSensitive(json, known[i]) == NULL)
            return false;
    return true;
}

static bool read_object(const cJSON *json, struct opinion *opinion)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    if (!cJSON_IsObject(json) || !cJSON_IsString(type))
        return false;
    opinion->kind = SCAN_EVENT;
    bool is_trade = strcmp(type->valuestring, "trade") == 0;
    if (strcmp(type->valuestring, "asset") == 0) {
        opinion->kind = SCAN_ASSET;
        return members_are_right(json, " type asset id scale ", "") && read_declaration(json, &opinion->asset);
    }
    if (is_trade) {
        if (!members_are_right(json, " type ts buyer seller base quote quantity ",
                               " event_id trade_id price quote_amount buyer_fee seller_fee "))
            return false;
    } else if (!members_are_right(json, " type ts user asset amount ", " event_id ")) {
        return false;
    }
    settle_event *event = &opinion->event;
    event->type = is_trade                                    ? SETTLE_TRADE
                  : strcmp(type->valuestring, "deposit") == 0 ? SETTLE_DEPOSIT
                                                              : SETTLE_WITHDRAWAL;
    if (event->type == SETTLE_WITHDRAWAL && strcmp(type->valuestring, "withdrawal") != 0)
        return false;
    if (!read_integer(text_in(json, "ts") + 1, 0, (uint64_t)1 << 53, &event->ts_ms) ||
        !read_id(json, "event_id", 64, opinion->event_id, &event->event_id))
        return false;
    return is_trade ? read_trade(json, opinion) : read_transfer(json, opinion);
}

static void opinion(const char *line, size_t bytes, struct opinion *ret_opinion)
{
    static char prepared[8 * INGEST_LINE_BYTES_MAX];
    size_t prepared_bytes;
    memset(ret_opinion, 0, sizeof *ret_opinion);
    if (strspn(line, " \t\r") == bytes) {
        ret_opinion->is_good = true;
        ret_opinion->kind = SCAN_BLANK;
        return;
    }
    if (!is_utf8(line, bytes) || (bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) ||
        !prepare(line, bytes, prepared, &prepared_bytes))
        return;
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(prepared, prepared_bytes + 1, &end, 1);
    if (json == NULL)
        return;
    ret_opinion->is_good = read_object(json, ret_opinion);
    cJSON_Delete(json);
}

/* ---- Random lines ------------------------------------------------------------------------------------------------ */

static uint64_t state;

static unsigned random_below(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % below);
}

static char line[2 * INGEST_LINE_BYTES_MAX];
static size_t line_bytes;

static void put(const char *text)
{
    size_t bytes = strlen(text);
    memcpy(line + line_bytes, text, bytes + 1);
    line_bytes += bytes;
}

static void put_space(void)
{
    static const char *const spaces[] = {" ", "  ", "\t", "\r", " \t"};
    if (random_below(8) == 0)
        put(spaces[random_below(5)]);
}

static void put_string(const char *text)
{
    char escape[8];
    bool with_escapes = random_below(10) == 0;
    put("\"");
    for (; *text != '\0'; text++) {
        snprintf(escape, sizeof escape, with_escapes && random_below(4) == 0 ? "\\u%04x" : "%c", (unsigned char)*text);
        put(escape);
    }
    put("\"");
}

#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
static const char *one_of(const char *const *texts, size_t count)
{
    return texts[random_below((unsigned)count)];
}

static const char *random_decimal(void)
{
    static char text[64];
    static const char digits[] = "190283746509182736450000000000000000123456789";
    unsigned whole = 1 + random_below(random_below(8) == 0 ? 22 : 5),
             decimals = random_below(random_below(8) == 0 ? 20 : 3);
    snprintf(text, sizeof text, "%.*s%s%.*s", (int)whole, digits + random_below(2), decimals > 0 ? "." : "",
             (int)decimals, digits + 1 + random_below(20));
    return text;
}

/* Values at and behind the borders of their forms. */
static void put_odd_value(const char *name)
{
    if (random_below(4) == 0)
        put(ONE_OF("null", "true", "1.5", "-1", "{}", "[1]", "\"\"", "0", "\"x y\"", "99999999999999999999999"));
    else if (is_in(name, " ts id scale "))
        put(ONE_OF("9007199254740993", "19", "4294967296", "007", "18446744073709551617"));
    else if (is_in(name, " user buyer seller "))
        put(ONE_OF("0", "9223372036854775808", "\"18446744073709551616\"", "\"012\"", "\"7x\""));
    else if (is_in(name, " asset base quote "))
        put(ONE_OF("4", "0", "\"ETH\"", "\"btc\"", "\"2\"", "\"0123456789ABCDEF\"", "4294967296"));
    else if (is_in(name, " event_id trade_id "))
        put_string(ONE_OF("x y", "0123456789012345678901234567890123456789012345678901234567890123", "", "a/b"));
    else
        put_string(ONE_OF("0", "0.0", "00", "01.5", "1.", ".5", "-1", "1e3", "170141183460469231731687303715884105727",
                          "170141183460469231731.687303715884105728", "99999999999999999999999999999999999999",
                          "99999999999999999999.9999999999999999990"));
}

static void put_value(const char *name)
{
    if (random_below(60) == 0)
        put_odd_value(name);
    else if (is_in(name, " ts id "))
        put(ONE_OF("1", "18", "1733856600", "4294967295", "6"));
    else if (is_in(name, " scale "))
        put(ONE_OF("0", "1", "18", "6"));
    else if (is_in(name, " user buyer seller ") && random_below(2) == 0)
        put(ONE_OF("1", "1001", "9223372036854775807", "12345678"));
    else if (is_in(name, " user buyer seller "))
        put_string(ONE_OF("1", "1001", "9223372036854775807", "123456789"));
    else if (is_in(name, " asset base quote ") && random_below(3) == 0)
        put(ONE_OF("1", "2", "3", "3", "5"));
    else if (is_in(name, " asset base quote "))
        put_string(ONE_OF("BTC", "USDT", "WEI", "WEI", "BTC", "USDT", "INT", "A.1"));
    else if (is_in(name, " event_id trade_id "))
        put_string(ONE_OF("a", "t-1", "deposit_1001_2_1733856600000", "A.b:c_d-9"));
    else
        put_string(random_decimal());
}

static void make_line(void)
{
    static const char *const of_type[][12] = {
        {"ts", "user", "asset", "amount", "event_id"},
        {"asset", "id", "scale"},
        {"ts", "buyer", "seller", "base", "quote", "quantity", "trade_id", "price", "quote_amount", "buyer_fee",
         "seller_fee", "event_id"},
    };
    unsigned type = random_below(8) == 0 ? 1 : random_below(2) * 2, count = 0;
    const char *members[13] = {"type"};
    for (unsigned i = 0; i < 12 && of_type[type][i] != NULL; i++)
        if (random_below(100) != 0 && (i < 6 || random_below(3) != 0 || i == 7))
            members[++count] = of_type[type][i];
    if (random_below(100) == 0)
        members[random_below(count + 1)] = known[random_below(sizeof known / sizeof *known)];
    for (unsigned i = count; i > 0 && random_below(2) == 0; i--) {
        unsigned other = random_below(i + 1);
        const char *swapped = members[i];
        members[i] = members[other];
        members[other] = swapped;
    }
    line_bytes = 0;
    put_space();
    put("{");
    for (unsigned i = 0; i <= count; i++) {
        put_space();
        put_string(members[i]);
        put_space();
        put(":");
        put_space();
        if (strcmp(members[i], "type") == 0)
            put_string(type == 2 ? "trade" : type == 1 ? "asset" : random_below(2) ? "deposit" : "withdrawal");
        else
            put_value(members[i]);
        put_space();
        put(i < count ? "," : "}");
    }
    put_space();
}

/* Changes a few bytes. */
static void mutate(void)
{
    static const char *const pieces[] = {"\"",
                                         "\\",
                                         "{",
                                         "}",
                                         ",",
                                         ":",
                                         "0",
                                         "9",
                                         ".",
                                         "-",
                                         "e",
                                         " ",
                                         "\t",
                                         "\x01",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "\xed\xa0\x80",
                                         "\xff",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "\\ud800",
                                         "\\n",
                                         "null",
                                         "\"ts\":1,",
                                         "\"foo\":1,",
                                         "00",
                                         "\xef\xbb\xbf",
                                         "\\u0000"};
    for (unsigned times = 1 + random_below(3); times > 0 && line_bytes > 0; times--) {
        size_t at = random_below((unsigned)line_bytes), take = random_below(3);
        const char *piece = random_below(3) == 0 ? "" : pieces[random_below(sizeof pieces / sizeof *pieces)];
        if (take > line_bytes - at)
            take = line_bytes - at;
        if (random_below(6) == 0)
            line[at] ^= (char)(1 << random_below(8));
        memmove(line + at + strlen(piece), line + at + take, line_bytes - at - take + 1);
        memcpy(line + at, piece, strlen(piece));
        line_bytes += strlen(piece) - take;
    }
    if (random_below(10) == 0)
        line_bytes = random_below((unsigned)line_bytes + 1);
    line[line_bytes] = '\0';
}

/* ---- Agreement --------------------------------------------------------------------------------------------------- */

static bool same_text(settle_text a, settle_text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 ? a.data == NULL : memcmp(a.data, b.data, a.bytes) == 0);
}

static bool same_event(const settle_event *a, const settle_event *b)
{
    if (a->type != b->type || a->ts_ms != b->ts_ms || !same_text(a->event_id, b->event_id))
        return false;
    if (a->type != SETTLE_TRADE)
        return a->u.transfer.user == b->u.transfer.user && a->u.transfer.asset == b->u.transfer.asset &&
               a->u.transfer.amount == b->u.transfer.amount;
    const settle_trade *s = &a->u.trade, *t = &b->u.trade;
    return same_text(s->trade_id, t->trade_id) && s->buyer == t->buyer && s->seller == t->seller &&
           s->base == t->base && s->quote == t->quote && s->quantity == t->quantity &&
           s->price.mantissa == t->price.mantissa && s->price.scale == t->price.scale &&
           s->quote_amount == t->quote_amount && s->buyer_fee == t->buyer_fee && s->seller_fee == t->seller_fee;
}

static bool compare(void)
{
    struct opinion other;
    struct scanned scanned = ingest_scan_bytes(line, line_bytes);
    opinion(line, line_bytes, &other);
    cr_assert_eq(scanned.is_good, other.is_good, "the scanner says %s: %s",
                 scanned.is_good ? "good" : scanned.fault.reason, line);
    if (!scanned.is_good) {
        cr_assert(scanned.fault.byte >= 1 && scanned.fault.byte <= line_bytes + 1, "byte %zu: %s", scanned.fault.byte,
                  line);
        cr_assert_gt(strlen(scanned.fault.reason), 3);
    } else {
        cr_assert_eq(scanned.kind, other.kind, "%s", line);
        if (scanned.kind == SCAN_EVENT)
            cr_assert(same_event(&scanned.event, &other.event), "%s", line);
        if (scanned.kind == SCAN_ASSET)
            cr_assert(scanned.asset.id == other.asset.id && scanned.asset.scale == other.asset.scale &&
                          strcmp(scanned.asset.symbol, other.asset.symbol) == 0,
                      "%s", line);
    }
    ingest_scan_free(&scanned);
    return scanned.is_good;
}

static void run(uint64_t otherwise, unsigned lines, unsigned percent_mutated, unsigned percent_good_min)
{
    const char *given = getenv("SETTLE_TEST_SEED");
    state = given != NULL && *given != '\0' ? strtoull(given, NULL, 10) | 1 : otherwise;
    fprintf(stderr, "scan_property: seed %llu\n", (unsigned long long)state);
    unsigned good = 0;
    for (unsigned i = 0; i < lines; i++) {
        make_line();
        if (random_below(100) < percent_mutated)
            mutate();
        good += compare();
    }
    cr_assert_gt(good, lines / 100 * percent_good_min, "only %u of %u lines were good", good, lines);
    cr_assert_lt(good, lines, "none was malformed");
}

Test(scan_property, random_lines_mean_the_same_to_both)
{
    run(20240131, 60000, 0, 25);
}

Test(scan_property, changed_lines_mean_the_same_to_both)
{
    run(20240201, 120000, 90, 3);
}

/* Every line that is one byte away from a good one. */
Test(scan_property, lines_with_any_byte_changed_mean_the_same_to_both)
{
    static const char *const good[] = {
        "{\"type\":\"deposit\",\"user\":1001,\"asset\":\"USDT\",\"amount\":\"1000.50\",\"ts\":1733856600000}",
        ("{\"type\":\"trade\",\"trade_id\":\"t-1\",\"ts\":5,\"buyer\":\"7\",\"seller\":8,\"base\":\"BTC\",\"quote\":2,"
         "\"quantity\":\"0.50\",\"price\":\"50000.2\",\"seller_fee\":\"0\"}"),
        "{\"type\":\"asset\",\"asset\":\"A.9\",\"id\":12,\"scale\":6}",
    };
    for (size_t g = 0; g < sizeof good / sizeof *good; g++) {
        size_t bytes = strlen(good[g]);
        for (size_t at = 0; at < bytes; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                line_bytes = bytes;
                memcpy(line, good[g], bytes + 1);
                line[at] = (char)byte;
                compare();
            }
            line_bytes = at; /* cut off */
            memcpy(line, good[g], at);
            line[at] = '\0';
            compare();
        }
    }
}
