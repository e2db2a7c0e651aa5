/*
 * scan.c — the strict scanner: one line of NDJSON → one event or asset declaration, or the place and reason of its fault.
 *
 * Pure: no memory but the caller's, no clock, nothing kept. Two steps:
 *   1. take_members() walks the bytes once and notes every member's value, in whatever order they come. Faults of JSON,
 *      member names that exist nowhere, duplicates and values of the wrong kind end here, so the first one in the line is told.
 *   2. convert() knows the type, hence which members belong and, through the assets, the scale of each amount.
 * A fault points at the first byte of the offending token; at the closing brace where a member is missing.
 */
#include "ingest/ingest.h"

#include <assert.h>

#include "ingest/scan_json.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What kinds of value a member takes. */
#define AS_STRING 1
#define AS_INTEGER 2

/*                 name            kinds                    form */
#define MEMBER_MAP(X)                                                                                                  \
    X(TYPE, "type", AS_STRING, "a string")                                                                             \
    X(EVENT_ID, "event_id", AS_STRING, "a string")                                                                     \
    X(TS, "ts", AS_INTEGER, "an integer")                                                                              \
    X(USER, "user", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                        \
    X(ASSET, "asset", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                               \
    X(AMOUNT, "amount", AS_STRING, "a decimal string")                                                                 \
    X(TRADE_ID, "trade_id", AS_STRING, "a string")                                                                     \
    X(BUYER, "buyer", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                      \
    X(SELLER, "seller", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                    \
    X(BASE, "base", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                                 \
    X(QUOTE, "quote", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                               \
    X(QUANTITY, "quantity", AS_STRING, "a decimal string")                                                             \
    X(PRICE, "price", AS_STRING, "a decimal string")                                                                   \
    X(QUOTE_AMOUNT, "quote_amount", AS_STRING, "a decimal string")                                                     \
    X(BUYER_FEE, "buyer_fee", AS_STRING, "a decimal string")                                                           \
    X(SELLER_FEE, "seller_fee", AS_STRING, "a decimal string")                                                         \
    X(ID, "id", AS_INTEGER, "an integer")                                                                              \
    X(SCALE, "scale", AS_INTEGER, "an integer")

enum member {
#define X(symbol, name, kinds, form) symbol,
    MEMBER_MAP(X)
#undef X
        MEMBER_COUNT
};
#define BIT(member) (1 << (member))

enum {
#define X(symbol, name, kinds, form) | (((kinds)&AS_STRING) != 0 ? BIT(symbol) : 0)
    STRING_MEMBERS = 0 MEMBER_MAP(X),
#undef X
#define X(symbol, name, kinds, form) | (((kinds)&AS_INTEGER) != 0 ? BIT(symbol) : 0)
    INTEGER_MEMBERS = 0 MEMBER_MAP(X),
#undef X
};

#define NAME_BYTES_MAX 12 /* quote_amount */
static const struct {
    char name[NAME_BYTES_MAX + 1];
    const char *form; /* what its value must be */
} members[MEMBER_COUNT] = {
#define X(symbol, name, kinds, form) {name, form},
    MEMBER_MAP(X)
#undef X
};

struct value {
    const char *name;  /* first byte of the member's name in the line */
    const char *token; /* first byte of the value */
    const char *text;  /* a string: decoded; NULL: an integer */
    union {
        size_t bytes;     /* of the text */
        uint64_t integer; /* UINT64_MAX when it has too many digits */
    } u;
};

struct scan {
    struct json json;
    int seen;          /* BIT of each member whose value is there */
    const char *close; /* the closing brace */
    scan_find_asset find_asset;
    void *context;
    struct value values[MEMBER_COUNT];
};

#define fault(scan, ...) (json_fault(&(scan)->json, __VA_ARGS__), false)

/* ---- Step 1: the bytes ---------------------------------------------------------------------------------------------------- */

/*
 * The member whose name stands at `at`, written plainly, and *ret_next behind its closing quote; or MEMBER_COUNT. Each
 * compare has a length known to the compiler, so that a predicted branch, not the bytes, tells where the name ends: the
 * next token is then under way before this one is read. That halves the time of a line.
 */
static inline enum member plain_name(const char *at, const char *end, const char **ret_next)
{
#define TRY(member, name)                                                                                              \
    if (memcmp(at, name "\"", sizeof name) == 0)                                                                       \
    return *ret_next = at + sizeof name, member
    if (end - at <= NAME_BYTES_MAX)
        return MEMBER_COUNT;
    switch (*at) {
    case 'a':
        TRY(ASSET, "asset");
        TRY(AMOUNT, "amount");
        break;
    case 'b':
        TRY(BUYER, "buyer");
        TRY(BASE, "base");
        TRY(BUYER_FEE, "buyer_fee");
        break;
    case 'e':
        TRY(EVENT_ID, "event_id");
        break;
    case 'i':
        TRY(ID, "id");
        break;
    case 'p':
        TRY(PRICE, "price");
        break;
    case 'q':
        TRY(QUOTE, "quote");
        TRY(QUANTITY, "quantity");
        TRY(QUOTE_AMOUNT, "quote_amount");
        break;
    case 's':
        TRY(SELLER, "seller");
        TRY(SELLER_FEE, "seller_fee");
        TRY(SCALE, "scale");
        break;
    case 't':
        TRY(TYPE, "type");
        TRY(TS, "ts");
        TRY(TRADE_ID, "trade_id");
        break;
    case 'u':
        TRY(USER, "user");
        break;
    default:
        break;
    }
#undef TRY
    return MEMBER_COUNT;
}

static inline bool text_is(settle_text text, const char *word, size_t bytes)
{
    return text.bytes == bytes && memcmp(text.data, word, bytes) == 0;
}

/* `text` for a message: what is not printable ASCII as '?', long ones cut. */
#define QUOTED_BYTES 44
static const char *quoted(settle_text text, char ret_quoted[QUOTED_BYTES])
{
    size_t bytes = text.bytes < QUOTED_BYTES - 4 ? text.bytes : QUOTED_BYTES - 4;
    for (size_t i = 0; i < bytes; i++)
        ret_quoted[i] = (char)(text.data[i] < 0x20 || text.data[i] > 0x7e ? '?' : text.data[i]);
    memcpy(ret_quoted + bytes, bytes < text.bytes ? "..." : "", bytes < text.bytes ? 4 : 1);
    return ret_quoted;
}

/* Any other way to write a name: with escapes, or near the end of the line. */
static const char *other_name(struct scan *scan, const char *at, enum member *ret_member)
{
    settle_text name;
    const char *next = json_string(&scan->json, at, &name);
    if (next == NULL)
        return NULL;
    for (enum member m = 0; m < MEMBER_COUNT; m++) {
        if (text_is(name, members[m].name, strlen(members[m].name))) {
            *ret_member = m;
            return next;
        }
    }
    char text[QUOTED_BYTES];
    return json_fault(&scan->json, at, "unknown member \"%s\"", quoted(name, text));
}

/* Another byte than the one that must follow, or none. */
static const char *unexpected(struct scan *scan, const char *at, const char *expected)
{
    return json_fault(&scan->json, at, "%s", at == scan->json.end ? "the line ends inside the object" : expected);
}

/* A value that is neither a string nor an integer where one is allowed: says what is there instead. */
static const char *wrong_value(struct scan *scan, enum member member, const char *at)
{
    static const struct {
        char first[6];
        const char *what;
    } kinds[] = {{"null", ", not null"}, {"true", ", not true"},    {"false", ", not false"}, {"{", ", not an object"},
                 {"[", ", not an array"}, {"\"", ", not a string"}, {"-", " without a sign"}, {"+", " without a sign"}};
    if (at == scan->json.end)
        return json_fault(&scan->json, at, "the line ends before the value of %s", members[member].name);
    const char *what = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t bytes = strlen(kinds[i].first);
        if ((size_t)(scan->json.end - at) >= bytes && memcmp(at, kinds[i].first, bytes) == 0)
            what = kinds[i].what;
    }
    if ((BIT(member) & INTEGER_MEMBERS) == 0 && (*at == '-' || *at == '+' || (*at >= '0' && *at <= '9')))
        what = ", not a number";
    return json_fault(&scan->json, at, "%s must be %s%s", members[member].name, members[member].form, what);
}

/* Digits only: a JSON number that goes on behind them is told by after_value(). */
static inline const char *take_integer(struct scan *scan, enum member member, const char *at)
{
    struct value *value = &scan->values[member];
    const char *next = json_digits(at, scan->json.end, &value->u.integer);
    value->text = NULL;
    if (unlikely(next == at || (BIT(member) & INTEGER_MEMBERS) == 0))
        return wrong_value(scan, member, at);
    if (unlikely(*at == '0' && next - at > 1))
        return json_fault(&scan->json, at, "%s has a leading zero", members[member].name);
    return next;
}

static inline const char *take_string(struct scan *scan, enum member member, const char *at)
{
    settle_text text;
    if (unlikely((BIT(member) & STRING_MEMBERS) == 0))
        return wrong_value(scan, member, at);
    const char *next = json_string(&scan->json, at, &text);
    scan->values[member].text = text.data;
    scan->values[member].u.bytes = text.bytes;
    return next;
}

/* One member: name, colon, value. Returns the place behind the value. */
static inline const char *take_member(struct scan *scan, const char *at, enum member *ret_member)
{
    const struct json *json = &scan->json;
    const char *name_at = json_token(at, '"');
    if (unlikely(*name_at != '"'))
        return unexpected(scan, name_at, "expected a member name");
    enum member member = plain_name(name_at + 1, json->end, &at);
    if (unlikely(member == MEMBER_COUNT)) {
        at = other_name(scan, name_at, &member);
        if (at == NULL)
            return NULL;
    }
    if (unlikely((scan->seen & BIT(member)) != 0))
        return json_fault(json, name_at, "duplicate member \"%s\"", members[member].name);
    scan->seen |= BIT(member);
    at = json_token(at, ':');
    if (unlikely(*at != ':'))
        return unexpected(scan, at, "expected ':'");
    at = json_token(at + 1, '"');
    scan->values[member].name = name_at;
    scan->values[member].token = at;
    *ret_member = member;
    return *at == '"' ? take_string(scan, member, at) : take_integer(scan, member, at);
}

/* Neither comma nor closing brace behind a value. */
static const char *after_value(struct scan *scan, const char *at, enum member member)
{
    assert(member < MEMBER_COUNT);
    const struct value *value = &scan->values[member];
    if (value->text == NULL && at < scan->json.end && at[-1] >= '0' && at[-1] <= '9')
        return json_fault(&scan->json, value->token, "%s must be an integer of digits only", members[member].name);
    return unexpected(scan, at, "expected ',' or '}'");
}

/* The members; returns the closing brace. `at` is behind the opening one. */
static const char *take_members(struct scan *scan, const char *at)
{
    const char *close = json_token(at, '"');
    if (*close == '}')
        return close;
    for (;;) {
        enum member member = MEMBER_COUNT;
        at = take_member(scan, at, &member);
        if (unlikely(at == NULL))
            return NULL;
        const char *next = json_token(at, ',');
        if (unlikely(*next != ','))
            return *next == '}' ? next : after_value(scan, next, member);
        at = next + 1;
    }
}

/* The whole object, and nothing behind it: the caller has cut the white space there. */
static bool take_object(struct scan *scan, const char *at)
{
    const struct json *json = &scan->json;
    assert(at < json->end);
    if (unlikely(*at != '{')) {
        bool mark = json->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0;
        return fault(scan, at, mark ? "byte-order mark" : "expected an object");
    }
    scan->close = take_members(scan, at + 1);
    if (unlikely(scan->close == NULL))
        return false;
    if (unlikely(scan->close == json->end)) /* the brace of refuse_open_line() */
        return unexpected(scan, scan->close, "");
    if (unlikely(scan->close + 1 != json->end))
        return fault(scan, json_token(scan->close + 1, '{'), "more than one object on the line");
    return true;
}

/* ---- Step 2: the meaning --------------------------------------------------------------------------------------------------- */

#define ID_BYTE 1u
#define SYMBOL_BYTE 2u
#define ID_BYTES(a, b, c, d) [a] = ID_BYTE, [b] = ID_BYTE, [c] = ID_BYTE, [d] = ID_BYTE
#define BOTH_BYTES(a, b, c, d) [a] = 3, [b] = 3, [c] = 3, [d] = 3
static const uint8_t byte_classes[256] = {
    BOTH_BYTES('0', '1', '2', '3'), BOTH_BYTES('4', '5', '6', '7'), BOTH_BYTES('8', '9', 'A', 'B'),
    BOTH_BYTES('C', 'D', 'E', 'F'), BOTH_BYTES('G', 'H', 'I', 'J'), BOTH_BYTES('K', 'L', 'M', 'N'),
    BOTH_BYTES('O', 'P', 'Q', 'R'), BOTH_BYTES('S', 'T', 'U', 'V'), BOTH_BYTES('W', 'X', 'Y', 'Z'),
    ID_BYTES('a', 'b', 'c', 'd'),   ID_BYTES('e', 'f', 'g', 'h'),   ID_BYTES('i', 'j', 'k', 'l'),
    ID_BYTES('m', 'n', 'o', 'p'),   ID_BYTES('q', 'r', 's', 't'),   ID_BYTES('u', 'v', 'w', 'x'),
    ID_BYTES('y', 'z', '_', ':'),   ['-'] = ID_BYTE,                ['.'] = ID_BYTE | SYMBOL_BYTE,
};

static bool all_of_class(settle_text text, unsigned class, size_t bytes_max)
{
    if (text.bytes == 0 || text.bytes > bytes_max)
        return false;
    unsigned common = class;
    for (size_t i = 0; i < text.bytes; i++)
        common &= byte_classes[(unsigned char)text.data[i]];
    return common != 0;
}

static inline bool has(const struct scan *scan, enum member member)
{
    return (scan->seen & BIT(member)) != 0;
}

static inline settle_text text_of(const struct scan *scan, enum member member)
{
    assert(scan->values[member].text != NULL);
    return (settle_text){scan->values[member].text, scan->values[member].u.bytes};
}

static bool missing(struct scan *scan, const char *what)
{
    return fault(scan, scan->close, "%s is missing", what);
}

/* Every member given belongs to the type, and every required one is given. */
static bool check_members(struct scan *scan, int required, int optional)
{
    int strangers = scan->seen & ~(required | optional), absent = required & ~scan->seen;
    if (likely(strangers == 0 && absent == 0))
        return true;
    const char *first = scan->json.end;
    enum member stranger = MEMBER_COUNT;
    for (enum member m = 0; m < MEMBER_COUNT; m++) {
        if ((strangers & BIT(m)) != 0 && scan->values[m].name < first) {
            first = scan->values[m].name;
            stranger = m;
        }
    }
    if (stranger != MEMBER_COUNT)
        return fault(scan, first, "unknown member \"%s\" of type \"%.*s\"", members[stranger].name,
                     (int)scan->values[TYPE].u.bytes, scan->values[TYPE].text);
    return missing(scan, members[__builtin_ctz((unsigned)absent)].name);
}

static bool convert_integer(struct scan *scan, enum member member, uint64_t min, uint64_t max, uint64_t *ret_integer)
{
    const struct value *value = &scan->values[member];
    assert(value->text == NULL);
    if (unlikely(value->u.integer < min || value->u.integer > max))
        return fault(scan, value->token, "%s must be %llu to %llu", members[member].name, (unsigned long long)min,
                     (unsigned long long)max);
    *ret_integer = value->u.integer;
    return true;
}

/* How far the digits of a string may be looked for: in the line a quote ends them, in the scratch nothing does. */
static inline const char *digits_limit(const struct scan *scan, const struct value *value)
{
    return likely(value->text == value->token + 1) ? scan->json.end : value->text + value->u.bytes;
}

static bool convert_user(struct scan *scan, enum member member, uint64_t *ret_user)
{
    struct value *value = &scan->values[member];
    if (value->text != NULL) {
        const char *digits = value->text, *end = digits + value->u.bytes;
        uint64_t user;
        if (digits == end || json_digits(digits, digits_limit(scan, value), &user) != end)
            return fault(scan, value->token, "%s must be an integer or a string of digits", members[member].name);
        if (*digits == '0' && end - digits > 1)
            return fault(scan, value->token, "%s has a leading zero", members[member].name);
        value->text = NULL;
        value->u.integer = user;
    }
    return convert_integer(scan, member, 1, SETTLE_USER_MAX, ret_user);
}

static bool convert_id(struct scan *scan, enum member member, size_t bytes_max, settle_text *ret_id)
{
    const struct value *value = &scan->values[member];
    if (!all_of_class(text_of(scan, member), ID_BYTE, bytes_max))
        return fault(scan, value->token, "%s must be 1 to %zu characters of A-Z, a-z, 0-9 and . _ : -",
                     members[member].name, bytes_max);
    *ret_id = text_of(scan, member);
    return true;
}

static bool check_symbol(struct scan *scan, enum member member)
{
    const struct value *value = &scan->values[member];
    if (unlikely(!all_of_class(text_of(scan, member), SYMBOL_BYTE, SETTLE_SYMBOL_BYTES_MAX)))
        return fault(scan, value->token, "%s must be a symbol of 1 to %d characters of A-Z, 0-9 and .",
                     members[member].name, SETTLE_SYMBOL_BYTES_MAX);
    return true;
}

/* No such asset: because there cannot be one of that name, or because it is not declared. */
static bool no_asset(struct scan *scan, enum member member)
{
    const struct value *value = &scan->values[member];
    if (value->text == NULL)
        return fault(scan, value->token, "%s %llu is not declared", members[member].name,
                     (unsigned long long)value->u.integer);
    return check_symbol(scan, member) && fault(scan, value->token, "%s \"%.*s\" is not declared", members[member].name,
                                               (int)value->u.bytes, value->text);
}

/* Id and scale are copied: what find_asset returns need not outlive its next call. */
static bool convert_asset(struct scan *scan, enum member member, uint32_t *ret_id, uint8_t *ret_scale)
{
    const struct value *value = &scan->values[member];
    struct scan_asset name = {0, {NULL, 0}};
    uint64_t id;
    if (value->text != NULL) {
        name.symbol = text_of(scan, member);
        if (unlikely(name.symbol.bytes == 0 || name.symbol.bytes > SETTLE_SYMBOL_BYTES_MAX))
            return check_symbol(scan, member);
    } else {
        if (!convert_integer(scan, member, 1, UINT32_MAX, &id))
            return false;
        name.id = (uint32_t)id;
    }
    const settle_asset *asset = scan->find_asset(scan->context, &name);
    if (unlikely(asset == NULL))
        return no_asset(scan, member);
    assert(asset->scale <= SETTLE_SCALE_MAX);
    *ret_id = asset->id;
    *ret_scale = asset->scale;
    return true;
}

/* The digits of a strict decimal (contract section 1), before the point and behind it; false: it is none. */
static bool decimal_shape(settle_text text, size_t *ret_whole, size_t *ret_decimals)
{
    size_t at = 0;
    while (at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    size_t whole = at;
    if (whole == 0 || (text.data[0] == '0' && whole > 1))
        return false;
    if (at < text.bytes && text.data[at] == '.') {
        for (at++; at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9';)
            at++;
        if (at == whole + 1)
            return false;
    }
    if (at != text.bytes)
        return false;
    *ret_whole = whole;
    *ret_decimals = at > whole ? at - whole - 1 : 0;
    return true;
}

/* Why a decimal string was refused. */
static bool wrong_decimal(struct scan *scan, enum member member, uint32_t decimals_max, const char *else_reason)
{
    const char *token = scan->values[member].token, *name = members[member].name;
    size_t whole, decimals;
    if (!decimal_shape(text_of(scan, member), &whole, &decimals))
        return fault(scan, token, "%s must be a decimal string: digits, or digits, a point and digits", name);
    if (decimals > decimals_max)
        return fault(scan, token, "%s has %zu decimals, at most %u are allowed", name, decimals, (unsigned)decimals_max);
    return fault(scan, token, "%s %s", name, else_reason);
}

/*
 * The usual decimal, whose minor units have at most 18 digits and fit 64 bits. False: look at it with
 * settle_amount_parse(), which knows all of them and takes three times as long.
 */
static inline bool short_amount(const struct scan *scan, const struct value *value, uint8_t scale, uint64_t *ret_amount)
{
    static const uint64_t power_of_ten[SETTLE_SCALE_MAX + 1] = {
        1u,
        10u,
        100u,
        1000u,
        10000u,
        100000u,
        1000000u,
        10000000u,
        100000000u,
        1000000000u,
        10000000000u,
        100000000000u,
        1000000000000u,
        10000000000000u,
        100000000000000u,
        1000000000000000u,
        10000000000000000u,
        100000000000000000u,
        1000000000000000000u,
    };
    const char *end = value->text + value->u.bytes, *limit = digits_limit(scan, value);
    uint64_t whole, fraction = 0;
    const char *at = json_digits(value->text, limit, &whole);
    size_t whole_digits = (size_t)(at - value->text), decimals = 0;
    if (whole_digits == 0 || whole_digits + scale > 18 || (*value->text == '0' && whole_digits > 1))
        return false;
    if (at < end && *at == '.') {
        const char *first = at + 1;
        at = json_digits(first, limit, &fraction);
        decimals = (size_t)(at - first);
        if (decimals == 0 || decimals > scale)
            return false;
    }
    *ret_amount = whole * power_of_ten[scale] + fraction * power_of_ten[scale - decimals];
    return at == end;
}

static bool convert_amount(struct scan *scan, enum member member, uint8_t scale, settle_int128 min,
                           settle_int128 *ret_amount)
{
    const struct value *value = &scan->values[member];
    settle_int128 amount;
    uint64_t usual;
    if (likely(short_amount(scan, value, scale, &usual)))
        amount = usual;
    else if (settle_amount_parse(text_of(scan, member), scale, &amount) != SETTLE_OK)
        return wrong_decimal(scan, member, scale, "is too large: 2^127 minor units or more");
    if (amount < min)
        return fault(scan, value->token, "%s must be greater than 0", members[member].name);
    *ret_amount = amount;
    return true;
}

/* Without trailing zeros: 1.50 and 1.5 are the same price. */
static bool convert_price(struct scan *scan, settle_price *ret_price)
{
    const settle_text text = text_of(scan, PRICE);
    size_t whole, decimals;
    if (!decimal_shape(text, &whole, &decimals) || decimals > SETTLE_PRICE_DECIMALS_MAX ||
        whole + decimals > SETTLE_PRICE_DIGITS_MAX)
        return wrong_decimal(scan, PRICE, SETTLE_PRICE_DECIMALS_MAX, "has more than 38 digits");
    size_t kept = decimals;
    while (kept > 0 && text.data[whole + kept] == '0')
        kept--;
    settle_uint128 mantissa = 0;
    for (size_t at = 0; at < whole + 1 + kept && at < text.bytes; at++)
        if (at != whole)
            mantissa = mantissa * 10 + (unsigned)(text.data[at] - '0');
    if (mantissa == 0)
        return fault(scan, scan->values[PRICE].token, "price must be greater than 0");
    *ret_price = (settle_price){mantissa, (uint32_t)kept};
    return true;
}

static bool convert_time_and_id(struct scan *scan, uint64_t *ret_ts_ms, settle_text *ret_event_id)
{
    return convert_integer(scan, TS, 0, SETTLE_TS_MS_MAX, ret_ts_ms) &&
           (!has(scan, EVENT_ID) || convert_id(scan, EVENT_ID, SETTLE_EVENT_ID_BYTES_MAX, ret_event_id));
}

/* Events are filled member by member: as a whole they are long enough for gcc to use `rep stos`, slower than the scan. */
static void begin_event(settle_event *event, settle_event_type type, uint64_t ts_ms, settle_text event_id)
{
    event->type = type;
    event->ts_ms = ts_ms;
    event->event_id = event_id;
}

static bool convert_transfer(struct scan *scan, settle_event_type type, settle_event *ret_event)
{
    if (!check_members(scan, BIT(TYPE) | BIT(TS) | BIT(USER) | BIT(ASSET) | BIT(AMOUNT), BIT(EVENT_ID)))
        return false;
    uint64_t ts_ms;
    settle_text event_id = {NULL, 0};
    settle_transfer transfer;
    uint8_t scale;
    if (!convert_time_and_id(scan, &ts_ms, &event_id) || !convert_user(scan, USER, &transfer.user) ||
        !convert_asset(scan, ASSET, &transfer.asset, &scale) ||
        !convert_amount(scan, AMOUNT, scale, 1, &transfer.amount))
        return false;
    begin_event(ret_event, type, ts_ms, event_id);
    ret_event->u.transfer = transfer;
    return true;
}

static bool check_trade_members(struct scan *scan)
{
    int optional =
        BIT(EVENT_ID) | BIT(TRADE_ID) | BIT(PRICE) | BIT(QUOTE_AMOUNT) | BIT(BUYER_FEE) | BIT(SELLER_FEE);
    int required = BIT(TYPE) | BIT(TS) | BIT(BUYER) | BIT(SELLER) | BIT(BASE) | BIT(QUOTE) | BIT(QUANTITY);
    if (!check_members(scan, required, optional))
        return false;
    if (!has(scan, TRADE_ID) && !has(scan, EVENT_ID))
        return missing(scan, "trade_id");
    if (!has(scan, PRICE) && !has(scan, QUOTE_AMOUNT))
        return missing(scan, "price or quote_amount");
    return true;
}

static bool convert_trade(struct scan *scan, settle_event *ret_event)
{
    if (!check_trade_members(scan))
        return false;
    uint64_t ts_ms, buyer, seller;
    settle_text event_id = {NULL, 0}, trade_id = {NULL, 0};
    uint32_t base, quote;
    uint8_t base_scale, quote_scale;
    if (!convert_time_and_id(scan, &ts_ms, &event_id) ||
        (has(scan, TRADE_ID) && !convert_id(scan, TRADE_ID, SETTLE_TRADE_ID_BYTES_MAX, &trade_id)) ||
        !convert_user(scan, BUYER, &buyer) || !convert_user(scan, SELLER, &seller) ||
        !convert_asset(scan, BASE, &base, &base_scale) || !convert_asset(scan, QUOTE, &quote, &quote_scale))
        return false;
    settle_int128 quantity, quote_amount = 0, buyer_fee = 0, seller_fee = 0;
    settle_price price = {0, 0};
    if (!convert_amount(scan, QUANTITY, base_scale, 1, &quantity) ||
        (has(scan, PRICE) && !convert_price(scan, &price)) ||
        (has(scan, QUOTE_AMOUNT) && !convert_amount(scan, QUOTE_AMOUNT, quote_scale, 1, &quote_amount)) ||
        (has(scan, BUYER_FEE) && !convert_amount(scan, BUYER_FEE, base_scale, 0, &buyer_fee)) ||
        (has(scan, SELLER_FEE) && !convert_amount(scan, SELLER_FEE, quote_scale, 0, &seller_fee)))
        return false;
    begin_event(ret_event, SETTLE_TRADE, ts_ms, event_id);
    settle_trade *trade = &ret_event->u.trade;
    trade->trade_id = trade_id;
    trade->buyer = buyer;
    trade->seller = seller;
    trade->base = base;
    trade->quote = quote;
    trade->quantity = quantity;
    trade->price = price;
    trade->quote_amount = quote_amount;
    trade->buyer_fee = buyer_fee;
    trade->seller_fee = seller_fee;
    return true;
}

static bool convert_declaration(struct scan *scan, settle_asset *ret_asset)
{
    uint64_t id, scale;
    if (!check_members(scan, BIT(TYPE) | BIT(ASSET) | BIT(ID) | BIT(SCALE), 0))
        return false;
    if (scan->values[ASSET].text == NULL)
        return fault(scan, scan->values[ASSET].token, "asset must be a symbol where it is declared");
    if (!check_symbol(scan, ASSET) || !convert_integer(scan, ID, 1, UINT32_MAX, &id) ||
        !convert_integer(scan, SCALE, 0, SETTLE_SCALE_MAX, &scale))
        return false;
    settle_asset asset = {.id = (uint32_t)id, .scale = (uint8_t)scale};
    settle_text symbol = text_of(scan, ASSET);
    memcpy(asset.symbol, symbol.data, symbol.bytes);
    *ret_asset = asset;
    return true;
}

static bool convert(struct scan *scan, enum scan_kind *ret_kind, settle_event *ret_event, settle_asset *ret_asset)
{
    if (!has(scan, TYPE))
        return missing(scan, "type");
    settle_text type = text_of(scan, TYPE);
    enum scan_kind kind = SCAN_EVENT;
    bool converted;
    if (text_is(type, "deposit", 7))
        converted = convert_transfer(scan, SETTLE_DEPOSIT, ret_event);
    else if (text_is(type, "withdrawal", 10))
        converted = convert_transfer(scan, SETTLE_WITHDRAWAL, ret_event);
    else if (text_is(type, "trade", 5))
        converted = convert_trade(scan, ret_event);
    else if (text_is(type, "asset", 5)) {
        converted = convert_declaration(scan, ret_asset);
        kind = SCAN_ASSET;
    } else
        return fault(scan, scan->values[TYPE].token, "type must be \"deposit\", \"withdrawal\", \"trade\" or \"asset\"");
    if (converted)
        *ret_kind = kind;
    return converted;
}

/*
 * A line whose last byte is no brace is malformed; this finds out where. Without that brace a token could run into the end,
 * which the fast path does not look for at each step: it is given one, behind the end of a copy.
 */
static bool refuse_open_line(struct scan *scan, const char *line, size_t at, size_t bytes)
{
    char copy[INGEST_LINE_BYTES_MAX + 1];
    memcpy(copy, line, bytes);
    copy[bytes] = '}';
    scan->json.line = copy;
    scan->json.end = copy + bytes;
    bool whole = take_object(scan, copy + at);
    assert(!whole);
    return whole;
}

static inline bool is_white(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

bool scan_line(const char *line, size_t bytes, char *scratch, scan_find_asset find_asset, void *context,
               enum scan_kind *ret_kind, settle_event *ret_event, settle_asset *ret_asset, struct scan_fault *ret_fault)
{
    assert(scratch != NULL);
    assert(find_asset != NULL);
    struct scan scan; /* the values are filled as they come: clearing them would cost more than scanning */
    scan.json = (struct json){line, line + bytes, scratch, ret_fault};
    scan.seen = 0;
    scan.find_asset = find_asset;
    scan.context = context;
    if (unlikely(bytes > INGEST_LINE_BYTES_MAX))
        return fault(&scan, line + INGEST_LINE_BYTES_MAX, "the line is longer than %d bytes", INGEST_LINE_BYTES_MAX);
    while (bytes > 0 && is_white(line[bytes - 1]))
        bytes--;
    if (bytes == 0) {
        *ret_kind = SCAN_BLANK;
        return true;
    }
    const char *at = json_token(line, '{');
    if (unlikely(line[bytes - 1] != '}'))
        return refuse_open_line(&scan, line, (size_t)(at - line), bytes);
    scan.json.end = line + bytes;
    return take_object(&scan, at) && convert(&scan, ret_kind, ret_event, ret_asset);
}
