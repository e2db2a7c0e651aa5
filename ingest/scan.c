/*
 * scan.c — the strict scanner: one line of NDJSON → one event or asset declaration, or the place and reason of its
 * fault.
 *
 * Pure: no memory but the caller's, no clock, nothing kept. Two steps:
 *   1. take_members(), here, walks the bytes once and notes every member's value, in whatever order they come. Faults
 *      of JSON, names no member has, duplicates and values of the wrong kind end here, so the first one in the line is
 *      told.
 *   2. scan_convert() knows the type, hence which members belong and, through the assets, the scale of each amount.
 * A fault points at the first byte of the offending token; at the closing brace where a member is missing.
 *
 * Invariant of step 1: at or before json.end there is a closing brace that no token but a string can pass, so only
 * strings and digits, which are read eight or more bytes at a time, look for the end.
 */
#include "ingest/ingest.h"

#include <assert.h>

#include "ingest/scan_members.h"

#define X(symbol, name, kinds, form) | (((kinds)&AS_STRING) != 0 ? BIT(symbol) : 0)
static const uint32_t string_members = 0 MEMBER_MAP(X);
#undef X
#define X(symbol, name, kinds, form) | (((kinds)&AS_INTEGER) != 0 ? BIT(symbol) : 0)
static const uint32_t integer_members = 0 MEMBER_MAP(X);
#undef X
static const uint32_t decimal_members =
    BIT(AMOUNT) | BIT(QUANTITY) | BIT(PRICE) | BIT(QUOTE_AMOUNT) | BIT(BUYER_FEE) | BIT(SELLER_FEE);

const struct member_form scan_members[MEMBER_COUNT] = {
#define X(symbol, name, kinds, form) {name, form},
    MEMBER_MAP(X)
#undef X
};

/*
 * The member whose name stands at `at`, written plainly, and *ret_next behind its closing quote; or MEMBER_COUNT. Each
 * compare has a length known to the compiler, so that a predicted branch, not the bytes, tells where the name ends: the
 * next token is then under way before this one is read. That saves a fifth of a line's time.
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
    case 'e': TRY(EVENT_ID, "event_id"); break;
    case 'i': TRY(ID, "id"); break;
    case 'p': TRY(PRICE, "price"); break;
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
    case 'u': TRY(USER, "user"); break;
    default: break;
    }
#undef TRY
    return MEMBER_COUNT;
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
    const char *next = json_string(&scan->json, at, scan->json.end, &name);
    if (next == NULL)
        return NULL;
    for (enum member m = 0; m < MEMBER_COUNT; m++) {
        if (text_is(name, scan_members[m].name, strlen(scan_members[m].name))) {
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
    } kinds[] = {{"null", ", not null"},  {"true", ", not true"},   {"false", ", not false"}, {"{", ", not an object"},
                 {"[", ", not an array"}, {"\"", ", not a string"}, {"-", " without a sign"}, {"+", " without a sign"}};
    if (at == scan->json.end)
        return json_fault(&scan->json, at, "the line ends before the value of %s", scan_members[member].name);
    const char *what = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t bytes = strlen(kinds[i].first);
        if ((size_t)(scan->json.end - at) >= bytes && memcmp(at, kinds[i].first, bytes) == 0)
            what = kinds[i].what;
    }
    if (!IN(member, integer_members) && (*at == '-' || *at == '+' || (*at >= '0' && *at <= '9')))
        what = ", not a number";
    return json_fault(&scan->json, at, "%s must be %s%s", scan_members[member].name, scan_members[member].form, what);
}

/* Digits only: a JSON number that goes on behind them is told by after_value(). */
static inline const char *take_integer(struct scan *scan, enum member member, const char *at, const char *end)
{
    struct value *value = &scan->values[member];
    const char *next = json_digits(at, end, &value->u.integer);
    value->text = NULL;
    if (unlikely(next == at || !IN(member, integer_members)))
        return wrong_value(scan, member, at);
    if (unlikely(*at == '0' && next - at > 1))
        return json_fault(&scan->json, at, "%s has a leading zero", scan_members[member].name);
    return next;
}

#define always_inline inline __attribute__((always_inline))

static always_inline const char *take_string(struct scan *scan, enum member member, const char *at, const char *end)
{
    struct value *value = &scan->values[member];
    settle_text text;
    if (unlikely(!IN(member, string_members)))
        return wrong_value(scan, member, at);
    const char *next = json_string(&scan->json, at, end, &text);
    value->text = text.data;
    value->u.bytes = text.bytes;
    return next;
}

/* A decimal that take_decimal() leaves to the conversion; apart from it, since the fast path is faster when it is
 * small. */
static __attribute__((noinline)) const char *take_unusual_decimal(struct scan *scan, enum member member, const char *at)
{
    scan->values[member].whole_digits = 0;
    return take_string(scan, member, at, scan->json.end);
}

/*
 * A decimal string: nearly all are plain digits and a point, read here in the same go that finds the end of the string.
 * Whatever is not, wrong or only unusual, is taken as a string for convert_amount() and convert_price() to judge.
 */
static inline const char *take_decimal(struct scan *scan, enum member member, const char *at, const char *end)
{
    struct value *value = &scan->values[member];
    uint64_t whole, fraction = 0;
    const char *first = at + 1, *next = json_digits(first, end, &whole), *point = next;
    if (*next == '.')
        next = json_digits(next + 1, end, &fraction);
    size_t whole_digits = (size_t)(point - first), decimals = next == point ? 0 : (size_t)(next - point) - 1;
    bool usual = *next == '"' && next[-1] != '.' && (*first != '0' || whole_digits == 1);
    if (unlikely(!usual))
        return take_unusual_decimal(scan, member, at);
    value->text = first;
    value->u.bytes = (size_t)(next - first);
    value->whole = whole;
    value->fraction = fraction;
    value->whole_digits = (uint32_t)whole_digits;
    value->decimals = (uint32_t)decimals;
    return next + 1;
}

/* One member: name, colon, value. Returns the place behind the value. What is in `scan` already is handed in as well,
 * since the compiler cannot know that nothing called here changes it. */
static inline const char *take_member(struct scan *scan, const char *at, const char *end, uint32_t *seen,
                                      enum member *ret_member)
{
    const char *name_at = json_token(at, '"');
    if (unlikely(*name_at != '"'))
        return unexpected(scan, name_at, "expected a member name");
    enum member member = plain_name(name_at + 1, end, &at);
    if (unlikely(member == MEMBER_COUNT)) {
        enum member other = MEMBER_COUNT; /* a copy: what a call is given the address of cannot stay in a register */
        at = other_name(scan, name_at, &other);
        if (at == NULL)
            return NULL;
        member = other;
    }
    if (unlikely(IN(member, *seen)))
        return json_fault(&scan->json, name_at, "duplicate member \"%s\"", scan_members[member].name);
    *seen |= BIT(member);
    at = json_token(at, ':');
    if (unlikely(*at != ':'))
        return unexpected(scan, at, "expected ':'");
    at = json_token(at + 1, '"');
    scan->values[member].name = name_at;
    scan->values[member].token = at;
    *ret_member = member;
    if (*at != '"')
        return take_integer(scan, member, at, end);
    return IN(member, decimal_members) ? take_decimal(scan, member, at, end) : take_string(scan, member, at, end);
}

/* Neither comma nor closing brace behind a value. */
static const char *after_value(struct scan *scan, const char *at, enum member member)
{
    assert(member < MEMBER_COUNT);
    const struct value *value = &scan->values[member];
    if (at < scan->json.end && at[-1] >= '0' && at[-1] <= '9')
        return json_fault(&scan->json, value->token, "%s must be an integer of digits only", scan_members[member].name);
    return unexpected(scan, at, "expected ',' or '}'");
}

/* The members; returns the closing brace. `at` is behind the opening one. */
static const char *take_members(struct scan *scan, const char *at)
{
    const char *end = scan->json.end, *close = json_token(at, '"');
    uint32_t seen = 0;
    if (*close == '}')
        return close;
    for (;;) {
        enum member member = MEMBER_COUNT;
        at = take_member(scan, at, end, &seen, &member);
        if (unlikely(at == NULL))
            return NULL;
        const char *next = json_token(at, ',');
        if (unlikely(*next != ',')) {
            scan->seen = seen;
            return *next == '}' ? next : after_value(scan, next, member);
        }
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
        return fault(scan, json_token(scan->close + 1, '{'), "more than one value on the line");
    return true;
}

/*
 * A line whose last byte is no brace is malformed; this finds out where. Without that brace a token could run into the
 * end, which the fast path does not look for at each step: it is given one, behind the end of a copy.
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
    return take_object(&scan, at) && scan_convert(&scan, ret_kind, ret_event, ret_asset);
}
