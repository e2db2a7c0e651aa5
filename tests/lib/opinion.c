/*
 * opinion.c — see opinion.h. Nothing of ingest/ but its names is used here.
 *
 * cJSON takes what money must not. Where docs/events.md asks for more, a rule of OPINION_RULE_MAP says so before cJSON is
 * asked, or behind it; numbers are handed to cJSON as strings behind a mark, since it would make doubles of them.
 */
#include "tests/lib/opinion.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ingest_scan.h"

#define MARK '\x01' /* before the digits of a number */

const char *const opinion_members[OPINION_MEMBERS] = {
    "type", "event_id", "ts",       "user",  "asset",        "amount",    "trade_id",   "buyer", "seller",
    "base", "quote",    "quantity", "price", "quote_amount", "buyer_fee", "seller_fee", "id",    "scale"};

bool opinion_is_in(const char *name, const char *names)
{
    char spaced[64];
    snprintf(spaced, sizeof spaced, " %s ", name);
    return name[0] != '\0' && strchr(name, ' ') == NULL && strstr(names, spaced) != NULL;
}

/* The same JSON with each number as "\1<digits>"; else the rule that something breaks which cJSON would let pass. */
static enum opinion_rule prepare(const char *line, size_t bytes, char *to, size_t *ret_bytes)
{
    bool in_string = false;
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 && (in_string || (c != '\t' && c != '\r')))
            return OPINION_CONTROL;
        if (in_string && c == '\\' && i + 1 < bytes) {
            /* cJSON takes \\u003g for \\u0000, and ends the string there. */
            if (bytes - i >= 6 && (memcmp(line + i, "\\u0000", 6) == 0 || memcmp(line + i, "\\u0001", 6) == 0))
                return OPINION_ESCAPE;
            if (line[i + 1] == 'u' && strspn(line + i + 2, "0123456789abcdefABCDEF") < 4)
                return OPINION_ESCAPE;
            to[n++] = line[i++];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && c >= '0' && c <= '9') {
            size_t digits = strspn(line + i, "0123456789"); /* the caller has terminated the line */
            if (strchr("+-.eE", line[i + digits]) != NULL && line[i + digits] != '\0')
                return OPINION_NUMBER;
            if (i > 0 && strchr("+-.eE", line[i - 1]) != NULL)
                return OPINION_NUMBER;
            if (c == '0' && digits > 1)
                return OPINION_NUMBER;
            n += (size_t)sprintf(to + n, "\"%c%.*s\"", MARK, (int)digits, line + i);
            i += digits - 1;
            continue;
        }
        to[n++] = line[i];
    }
    to[n] = '\0';
    *ret_bytes = n;
    return OPINION_NONE;
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
static enum opinion_rule judge_members(const cJSON *json, const char *required, const char *optional)
{
    char all[200];
    snprintf(all, sizeof all, "%s%s", required, optional);
    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (!opinion_is_in(item->string, all))
            return OPINION_UNKNOWN_MEMBER;
        for (const cJSON *other = item->next; other != NULL; other = other->next)
            if (strcmp(other->string, item->string) == 0)
                return OPINION_DUPLICATE_MEMBER;
        bool is_number = cJSON_IsString(item) && item->valuestring[0] == MARK;
        if (!cJSON_IsString(item) ||
            (is_number ? !opinion_is_in(item->string, " ts id scale user buyer seller asset base quote ")
                       : opinion_is_in(item->string, " ts id scale ")))
            return OPINION_MEMBER_KIND;
    }
    for (size_t i = 0; i < OPINION_MEMBERS; i++)
        if (opinion_is_in(opinion_members[i], required) &&
            cJSON_GetObjectItemCaseSensitive(json, opinion_members[i]) == NULL)
            return OPINION_MISSING_MEMBER;
    return OPINION_NONE;
}

static bool read_event(const cJSON *json, struct opinion *opinion)
{
    settle_event *event = &opinion->event;
    return read_integer(text_in(json, "ts") + 1, 0, (uint64_t)1 << 53, &event->ts_ms) &&
           read_id(json, "event_id", 64, opinion->event_id, &event->event_id) &&
           (event->type == SETTLE_TRADE ? read_trade(json, opinion) : read_transfer(json, opinion));
}

static enum opinion_rule judge(const cJSON *json, struct opinion *opinion)
{
    static const char *const types[] = {"", "deposit", "withdrawal", "trade", "asset"};
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    if (!cJSON_IsObject(json))
        return OPINION_NO_OBJECT;
    size_t number = 4;
    while (number > 0 && (!cJSON_IsString(type) || strcmp(type->valuestring, types[number]) != 0))
        number--;
    if (number == 0)
        return OPINION_TYPE;
    opinion->kind = number == 4 ? SCAN_ASSET : SCAN_EVENT;
    opinion->event.type = number == 4 ? 0 : (settle_event_type)number;
    enum opinion_rule rule = number == 4 ? judge_members(json, " type asset id scale ", "")
                             : number == SETTLE_TRADE
                                 ? judge_members(json, " type ts buyer seller base quote quantity ",
                                                 " event_id trade_id price quote_amount buyer_fee seller_fee ")
                                 : judge_members(json, " type ts user asset amount ", " event_id ");
    if (rule != OPINION_NONE)
        return rule;
    bool is_good = number == 4 ? read_declaration(json, &opinion->asset) : read_event(json, opinion);
    return is_good ? OPINION_NONE : OPINION_VALUE;
}

static enum opinion_rule judge_line(const char *line, size_t bytes, struct opinion *opinion)
{
    static char prepared[8 * INGEST_LINE_BYTES_MAX];
    size_t prepared_bytes;
    if (bytes > INGEST_LINE_BYTES_MAX)
        return OPINION_LENGTH;
    opinion->kind = SCAN_BLANK;
    if (strspn(line, " \t\r") == bytes)
        return OPINION_NONE;
    if (!is_utf8(line, bytes))
        return OPINION_UTF8;
    if (bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        return OPINION_BYTE_ORDER_MARK;
    enum opinion_rule rule = prepare(line, bytes, prepared, &prepared_bytes);
    if (rule != OPINION_NONE)
        return rule;
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(prepared, prepared_bytes + 1, &end, 0);
    if (json == NULL)
        return OPINION_SYNTAX;
    bool is_whole = end + strspn(end, " \t\r") == prepared + prepared_bytes;
    rule = is_whole ? judge(json, opinion) : OPINION_TRAILING;
    cJSON_Delete(json);
    return rule;
}

void opinion(const char *line, size_t bytes, struct opinion *ret_opinion)
{
    memset(ret_opinion, 0, sizeof *ret_opinion);
    ret_opinion->rule = judge_line(line, bytes, ret_opinion);
}

bool opinion_cjson_takes(const char *line, size_t bytes)
{
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(line, bytes + 1, &end, 1);
    bool takes = json != NULL && end == line + bytes;
    cJSON_Delete(json);
    return takes;
}

const char *opinion_rule_name(enum opinion_rule rule)
{
    static const char *const names[] = {
#define X(name, sentence) #name,
        OPINION_RULE_MAP(X)
#undef X
    };
    return rule <= OPINION_SYNTAX ? names[rule] : "?";
}

static bool same_text(settle_text a, settle_text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 ? a.data == NULL : memcmp(a.data, b.data, a.bytes) == 0);
}

bool opinion_same_event(const settle_event *a, const settle_event *b)
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
