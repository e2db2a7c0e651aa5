/*
 * scan_convert.c — the scanner's second step: the members of one line → an event or an asset declaration.
 *
 * Pure. What every line goes through is `inline`: at -O2 gcc would call it, which costs a tenth of the time. The type
 * says which members belong; the assets, looked up by the caller's function, say how many decimals an amount may have.
 * The usual decimal was read in step 1 and takes only a multiplication here; all others go through
 * settle_amount_parse() and long_price(), which know every case.
 */
#include <assert.h>

#include "ingest/scan_members.h"

_Static_assert(USUAL_DIGITS < sizeof json_powers_of_ten / sizeof *json_powers_of_ten, "each usual scale has its power");

#define ID_BYTE 1u
#define SYMBOL_BYTE 2u
#define ID_BYTES(a, b, c, d) [a] = ID_BYTE, [b] = ID_BYTE, [c] = ID_BYTE, [d] = ID_BYTE
#define BOTH_BYTES(a, b, c, d) [a] = 3, [b] = 3, [c] = 3, [d] = 3
static const uint8_t byte_classes[256] = {
    BOTH_BYTES('0', '1', '2', '3'),
    BOTH_BYTES('4', '5', '6', '7'),
    BOTH_BYTES('8', '9', 'A', 'B'),
    BOTH_BYTES('C', 'D', 'E', 'F'),
    BOTH_BYTES('G', 'H', 'I', 'J'),
    BOTH_BYTES('K', 'L', 'M', 'N'),
    BOTH_BYTES('O', 'P', 'Q', 'R'),
    BOTH_BYTES('S', 'T', 'U', 'V'),
    BOTH_BYTES('W', 'X', 'Y', 'Z'),
    ID_BYTES('a', 'b', 'c', 'd'),
    ID_BYTES('e', 'f', 'g', 'h'),
    ID_BYTES('i', 'j', 'k', 'l'),
    ID_BYTES('m', 'n', 'o', 'p'),
    ID_BYTES('q', 'r', 's', 't'),
    ID_BYTES('u', 'v', 'w', 'x'),
    ID_BYTES('y', 'z', '_', ':'),
    ['-'] = ID_BYTE,
    ['.'] = ID_BYTE | SYMBOL_BYTE,
};

static inline bool all_of_class(settle_text text, unsigned class, size_t bytes_max)
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
    return IN(member, scan->seen);
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
static inline bool check_members(struct scan *scan, uint32_t required, uint32_t optional)
{
    uint32_t strangers = scan->seen & ~(required | optional), absent = required & ~scan->seen;
    if (likely(strangers == 0 && absent == 0))
        return true;
    const char *first = scan->json.end;
    enum member stranger = MEMBER_COUNT;
    for (enum member m = 0; m < MEMBER_COUNT; m++) {
        if (IN(m, strangers) && scan->values[m].name < first) {
            first = scan->values[m].name;
            stranger = m;
        }
    }
    if (stranger != MEMBER_COUNT)
        return fault(scan, first, "unknown member \"%s\" of type \"%.*s\"", scan_members[stranger].name,
                     (int)scan->values[TYPE].u.bytes, scan->values[TYPE].text);
    return missing(scan, scan_members[__builtin_ctz(absent)].name);
}

static inline bool convert_integer(struct scan *scan, enum member member, uint64_t min, uint64_t max,
                                   uint64_t *ret_integer)
{
    const struct value *value = &scan->values[member];
    assert(value->text == NULL);
    if (unlikely(value->u.integer < min || value->u.integer > max))
        return fault(scan, value->token, "%s must be %llu to %llu", scan_members[member].name, (unsigned long long)min,
                     (unsigned long long)max);
    *ret_integer = value->u.integer;
    return true;
}

static inline bool convert_user(struct scan *scan, enum member member, uint64_t *ret_user)
{
    struct value *value = &scan->values[member];
    if (value->text != NULL) {
        const char *digits = value->text, *end = digits + value->u.bytes;
        uint64_t user;
        if (digits == end || json_digits(digits, end, &user) != end)
            return fault(scan, value->token, "%s must be an integer or a string of digits", scan_members[member].name);
        if (*digits == '0' && end - digits > 1)
            return fault(scan, value->token, "%s has a leading zero", scan_members[member].name);
        value->text = NULL;
        value->u.integer = user;
    }
    return convert_integer(scan, member, 1, SETTLE_USER_MAX, ret_user);
}

static inline bool convert_id(struct scan *scan, enum member member, size_t bytes_max, settle_text *ret_id)
{
    const struct value *value = &scan->values[member];
    if (!all_of_class(text_of(scan, member), ID_BYTE, bytes_max))
        return fault(scan, value->token, "%s must be 1 to %zu characters of A-Z, a-z, 0-9 and . _ : -",
                     scan_members[member].name, bytes_max);
    *ret_id = text_of(scan, member);
    return true;
}

static inline bool check_symbol(struct scan *scan, enum member member)
{
    const struct value *value = &scan->values[member];
    if (unlikely(!all_of_class(text_of(scan, member), SYMBOL_BYTE, SETTLE_SYMBOL_BYTES_MAX)))
        return fault(scan, value->token, "%s must be a symbol of 1 to %d characters of A-Z, 0-9 and .",
                     scan_members[member].name, SETTLE_SYMBOL_BYTES_MAX);
    return true;
}

/* Id and scale are copied: what find_asset returns need not outlive its next call. */
static inline bool convert_asset(struct scan *scan, enum member member, uint32_t *ret_id, uint8_t *ret_scale)
{
    const struct value *value = &scan->values[member];
    struct scan_asset name = {0, {NULL, 0}};
    uint64_t id;
    if (value->text != NULL) {
        if (!check_symbol(scan, member))
            return false;
        name.symbol = text_of(scan, member);
    } else {
        if (!convert_integer(scan, member, 1, UINT32_MAX, &id))
            return false;
        name.id = (uint32_t)id;
    }
    const settle_asset *asset = scan->find_asset(scan->context, &name);
    if (unlikely(asset == NULL)) {
        if (value->text == NULL)
            return fault(scan, value->token, "%s %u is not declared", scan_members[member].name, (unsigned)name.id);
        return fault(scan, value->token, "%s \"%.*s\" is not declared", scan_members[member].name,
                     (int)name.symbol.bytes, name.symbol.data);
    }
    assert(asset->scale <= SETTLE_SCALE_MAX);
    *ret_id = asset->id;
    *ret_scale = asset->scale;
    return true;
}

/* The digits of a strict decimal (docs/events.md), before the point and behind it; false: it is none. */
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
    const char *token = scan->values[member].token, *name = scan_members[member].name;
    size_t whole, decimals;
    if (!decimal_shape(text_of(scan, member), &whole, &decimals))
        return fault(scan, token, "%s must be a decimal string: digits, or digits, a point and digits", name);
    if (decimals > decimals_max)
        return fault(scan, token, "%s has %zu decimals, at most %u are allowed", name, decimals,
                     (unsigned)decimals_max);
    return fault(scan, token, "%s %s", name, else_reason);
}

/* Any price, digit by digit. */
static bool long_price(struct scan *scan, settle_price *ret_price)
{
    const settle_text text = text_of(scan, PRICE);
    size_t whole, decimals;
    if (!decimal_shape(text, &whole, &decimals) || decimals > SETTLE_PRICE_DECIMALS_MAX ||
        whole + decimals > SETTLE_PRICE_DIGITS_MAX)
        return wrong_decimal(scan, PRICE, SETTLE_PRICE_DECIMALS_MAX, "has more than 38 digits");
    while (decimals > 0 && text.data[whole + decimals] == '0')
        decimals--;
    settle_uint128 mantissa = 0;
    for (size_t at = 0; at < (decimals > 0 ? whole + 1 + decimals : whole); at++)
        if (at != whole)
            mantissa = mantissa * 10 + (unsigned)(text.data[at] - '0');
    *ret_price = (settle_price){mantissa, (uint32_t)decimals};
    return true;
}

static inline bool convert_amount(struct scan *scan, enum member member, uint8_t scale, settle_int128 min,
                                  settle_int128 *ret_amount)
{
    const struct value *value = &scan->values[member];
    settle_int128 amount;
    if (likely(value->whole_digits != 0 && value->whole_digits + scale <= USUAL_DIGITS && value->decimals <= scale))
        amount = (settle_int128)(value->whole * json_powers_of_ten[scale] +
                                 value->fraction * json_powers_of_ten[scale - value->decimals]);
    else if (settle_amount_parse(text_of(scan, member), scale, &amount) != SETTLE_OK)
        return wrong_decimal(scan, member, scale, "is too large: 2^127 minor units or more");
    if (amount < min)
        return fault(scan, value->token, "%s must be greater than 0", scan_members[member].name);
    *ret_amount = amount;
    return true;
}

/* Without trailing zeros: 1.50 and 1.5 are the same price. */
static bool convert_price(struct scan *scan, settle_price *ret_price)
{
    const struct value *value = &scan->values[PRICE];
    settle_price price = {0, value->decimals};
    if (likely(value->whole_digits != 0 && value->whole_digits + value->decimals <= USUAL_DIGITS)) {
        uint64_t mantissa = value->whole * json_powers_of_ten[value->decimals] + value->fraction;
        for (; price.scale > 0 && mantissa % 10 == 0; mantissa /= 10)
            price.scale--;
        price.mantissa = mantissa;
    } else if (!long_price(scan, &price)) {
        return false;
    }
    if (price.mantissa == 0)
        return fault(scan, value->token, "price must be greater than 0");
    *ret_price = price;
    return true;
}

static inline bool convert_time_and_id(struct scan *scan, uint64_t *ret_ts_ms, settle_text *ret_event_id)
{
    return convert_integer(scan, TS, 0, SETTLE_TS_MS_MAX, ret_ts_ms) &&
           (!has(scan, EVENT_ID) || convert_id(scan, EVENT_ID, SETTLE_EVENT_ID_BYTES_MAX, ret_event_id));
}

/* Events are filled member by member: as a whole they are long enough for gcc to use `rep stos`, slower than the
 * scan. */
static inline void begin_event(settle_event *event, settle_event_type type, uint64_t ts_ms, settle_text event_id)
{
    event->type = type;
    event->ts_ms = ts_ms;
    event->event_id = event_id;
    event->end = (settle_source_position){0, 0, 0}; /* the caller's to know */
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
    uint32_t optional =
        BIT(EVENT_ID) | BIT(TRADE_ID) | BIT(PRICE) | BIT(QUOTE_AMOUNT) | BIT(BUYER_FEE) | BIT(SELLER_FEE);
    uint32_t required = BIT(TYPE) | BIT(TS) | BIT(BUYER) | BIT(SELLER) | BIT(BASE) | BIT(QUOTE) | BIT(QUANTITY);
    if (!check_members(scan, required, optional))
        return false;
    if (!has(scan, TRADE_ID) && !has(scan, EVENT_ID))
        return missing(scan, "trade_id (or event_id)");
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
    settle_int128 quantity = 0, quote_amount = 0, buyer_fee = 0, seller_fee = 0;
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

bool scan_convert(struct scan *scan, enum scan_kind *ret_kind, settle_event *ret_event, settle_asset *ret_asset)
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
        return fault(scan, scan->values[TYPE].token,
                     "type must be \"deposit\", \"withdrawal\", \"trade\" or \"asset\"");
    if (converted)
        *ret_kind = kind;
    return converted;
}
