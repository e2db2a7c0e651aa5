/*
 * event_key.c — the form of an event, its id as the index knows it, and when two events are the same.
 *
 * An id is known by its text, whether it was given or derived: `deposit_1001_2_1733856600000` given with any event
 * is the id that a deposit of user 1001 would derive. Texts of that form become numbers, so that the ids of most
 * events are compared and hashed without touching a string; the form is canonical, so each text has one key and
 * each key one text.
 */
#include "journal/record.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"

#define TRADE_PREFIX "trade_"
#define TRADE_PREFIX_BYTES (sizeof(TRADE_PREFIX) - 1)

static const char *const prefixes[] = {[SETTLE_DEPOSIT] = "deposit_", [SETTLE_WITHDRAWAL] = "withdrawal_"};

_Static_assert(sizeof("withdrawal_9223372036854775807_4294967295_9007199254740992") - 1 <= SETTLE_EVENT_ID_BYTES_MAX,
               "the longest natural id is an id");
_Static_assert(TRADE_PREFIX_BYTES + SETTLE_TRADE_ID_BYTES_MAX <= SETTLE_EVENT_ID_BYTES_MAX,
               "the id derived from the longest trade id is an id");

/* ---- Form ------------------------------------------------------------------------------------------------------ */

/* [A-Za-z0-9._:-] and '_' */
static const uint8_t id_characters[256] = {
    ['-'] = 1, ['.'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
    ['8'] = 1, ['9'] = 1, [':'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1,
    ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,
    ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['_'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

bool event_id_text_is_valid(settle_text id, size_t bytes_max)
{
    if (id.data == NULL || id.bytes == 0 || id.bytes > bytes_max)
        return false;
    for (size_t i = 0; i < id.bytes; i++) {
        if (!id_characters[(uint8_t)id.data[i]])
            return false;
    }
    return true;
}

static inline bool is_given(settle_text text)
{
    return text.data != NULL || text.bytes != 0;
}

static inline bool is_user(uint64_t user)
{
    return user >= 1 && user <= SETTLE_USER_MAX;
}

static const char *transfer_form_fault(const settle_transfer *transfer)
{
    if (!is_user(transfer->user))
        return "user is not in 1 … 2^63-1";
    if (transfer->asset == 0)
        return "asset id 0";
    if (transfer->amount <= 0)
        return "amount is not greater than zero";
    return NULL;
}

/* 10^38 - 1: the largest number of SETTLE_PRICE_DIGITS_MAX digits. */
#define PRICE_MANTISSA_MAX ((settle_uint128)UINT64_C(10000000000000000000) * UINT64_C(10000000000000000000) - 1)
_Static_assert(SETTLE_PRICE_DIGITS_MAX == 38, "PRICE_MANTISSA_MAX has as many digits");

/* value % 10 without a 128-bit division: 2^64 leaves 6. */
static inline uint64_t last_digit(settle_uint128 value)
{
    return ((uint64_t)(value >> 64) % 10 * 6 + (uint64_t)value % 10) % 10;
}

static const char *price_form_fault(const settle_price *price)
{
    if (price->mantissa == 0)
        return price->scale == 0 ? NULL : "a scale without a price";
    if (price->mantissa > PRICE_MANTISSA_MAX)
        return "price has more than 38 digits";
    if (price->scale > SETTLE_PRICE_DECIMALS_MAX)
        return "price has more than 18 decimals";
    if (price->scale != 0 && last_digit(price->mantissa) == 0)
        return "price has trailing zeros";
    return NULL;
}

static const char *trade_form_fault(const settle_trade *trade, bool has_event_id)
{
    if (is_given(trade->trade_id)) {
        if (!event_id_text_is_valid(trade->trade_id, SETTLE_TRADE_ID_BYTES_MAX))
            return "trade_id is not 1–56 bytes of [A-Za-z0-9._:-] and _";
    } else if (!has_event_id) {
        return "neither trade_id nor event_id";
    }
    if (!is_user(trade->buyer))
        return "buyer is not in 1 … 2^63-1";
    if (!is_user(trade->seller))
        return "seller is not in 1 … 2^63-1";
    if (trade->base == 0 || trade->quote == 0)
        return "asset id 0";
    if (trade->quantity <= 0)
        return "quantity is not greater than zero";
    if (trade->quote_amount < 0)
        return "quote_amount is not greater than zero";
    if (trade->price.mantissa == 0 && trade->quote_amount == 0)
        return "neither price nor quote_amount";
    if (trade->buyer_fee < 0 || trade->seller_fee < 0)
        return "a fee is less than zero";
    return price_form_fault(&trade->price);
}

const char *event_form_fault(const settle_event *event)
{
    assert(event != NULL);
    if (event->ts_ms > SETTLE_TS_MS_MAX)
        return "ts is greater than 2^53";
    bool has_event_id = is_given(event->event_id);
    if (has_event_id && !event_id_text_is_valid(event->event_id, SETTLE_EVENT_ID_BYTES_MAX))
        return "event_id is not 1–64 bytes of [A-Za-z0-9._:-] and _";
    switch (event->type) {
    case SETTLE_DEPOSIT:
    case SETTLE_WITHDRAWAL: return transfer_form_fault(&event->u.transfer);
    case SETTLE_TRADE: return trade_form_fault(&event->u.trade, has_event_id);
    default: return "type is no event's";
    }
}

/* ---- Keys ------------------------------------------------------------------------------------------------------ */

static inline void set_natural(struct event_key *key, uint8_t type, uint64_t user, uint32_t asset, uint64_t ts_ms)
{
    key->is_natural = true;
    key->type = type;
    key->asset = asset;
    key->user = user;
    key->ts_ms = ts_ms;
    key->text_bytes = 0;
}

static inline void set_text(struct event_key *key, size_t bytes)
{
    assert(bytes >= 1 && bytes <= SETTLE_EVENT_ID_BYTES_MAX);
    key->is_natural = false;
    key->type = 0;
    key->asset = 0;
    key->user = 0;
    key->ts_ms = 0;
    key->text_bytes = bytes;
}

/* Reads minimum … maximum in canonical digits and moves *at behind them. */
static bool parse_number(const char **at, const char *end, uint64_t minimum, uint64_t maximum, uint64_t *ret_value)
{
    assert(maximum <= INT64_MAX); /* at most 19 digits, and no 19 digits reach 2^64 */
    const char *p = *at;
    uint64_t value = 0;
    for (; p != end && (uint8_t)(*p - '0') <= 9; p++)
        value = value * 10 + (uint8_t)(*p - '0');
    size_t digits = (size_t)(p - *at);
    if (digits == 0 || digits > 19 || (**at == '0' && digits > 1) || value < minimum || value > maximum)
        return false;
    *at = p;
    *ret_value = value;
    return true;
}

static bool parse_natural(settle_text id, struct event_key *ret_key)
{
    const char *at = id.data, *end = id.data + id.bytes;
    for (unsigned type = SETTLE_DEPOSIT; type <= SETTLE_WITHDRAWAL; type++) {
        size_t bytes = strlen(prefixes[type]);
        if (id.bytes < bytes || memcmp(at, prefixes[type], bytes) != 0)
            continue;
        at += bytes;
        uint64_t user, asset, ts_ms;
        if (!parse_number(&at, end, 1, SETTLE_USER_MAX, &user) || at == end || *at++ != '_')
            return false;
        if (!parse_number(&at, end, 1, UINT32_MAX, &asset) || at == end || *at++ != '_')
            return false;
        if (!parse_number(&at, end, 0, SETTLE_TS_MS_MAX, &ts_ms) || at != end)
            return false;
        set_natural(ret_key, (uint8_t)type, user, (uint32_t)asset, ts_ms);
        return true;
    }
    return false;
}

void event_key_of_text(settle_text id, struct event_key *ret_key)
{
    assert(id.data != NULL && ret_key != NULL);
    if (parse_natural(id, ret_key))
        return;
    set_text(ret_key, id.bytes);
    memcpy(ret_key->text, id.data, id.bytes);
}

void event_key_of(const settle_event *event, struct event_key *ret_key)
{
    assert(event != NULL && ret_key != NULL);
    if (is_given(event->event_id)) {
        event_key_of_text(event->event_id, ret_key);
    } else if (event->type != SETTLE_TRADE) {
        const settle_transfer *transfer = &event->u.transfer;
        set_natural(ret_key, (uint8_t)event->type, transfer->user, transfer->asset, event->ts_ms);
    } else {
        settle_text trade_id = event->u.trade.trade_id;
        assert(trade_id.bytes >= 1 && trade_id.bytes <= SETTLE_TRADE_ID_BYTES_MAX);
        set_text(ret_key, TRADE_PREFIX_BYTES + trade_id.bytes);
        memcpy(ret_key->text, TRADE_PREFIX, TRADE_PREFIX_BYTES);
        memcpy(ret_key->text + TRADE_PREFIX_BYTES, trade_id.data, trade_id.bytes);
    }
}

bool event_key_equal(const struct event_key *a, const struct event_key *b)
{
    if (a->is_natural != b->is_natural)
        return false;
    if (a->is_natural)
        return a->user == b->user && a->ts_ms == b->ts_ms && a->asset == b->asset && a->type == b->type;
    return a->text_bytes == b->text_bytes && memcmp(a->text, b->text, a->text_bytes) == 0;
}

/* Writes the digits of `value` and returns the byte behind them. */
static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[sizeof(digits) - ++count] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    memcpy(at, digits + sizeof(digits) - count, count);
    return at + count;
}

size_t event_key_format(const struct event_key *key, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1])
{
    assert(key != NULL && ret_id != NULL);
    char *at = ret_id;
    if (key->is_natural) {
        assert(key->type == SETTLE_DEPOSIT || key->type == SETTLE_WITHDRAWAL);
        size_t bytes = strlen(prefixes[key->type]);
        memcpy(at, prefixes[key->type], bytes);
        at = put_number(at + bytes, key->user);
        *at++ = '_';
        at = put_number(at, key->asset);
        *at++ = '_';
        at = put_number(at, key->ts_ms);
    } else {
        assert(key->text_bytes >= 1 && key->text_bytes <= SETTLE_EVENT_ID_BYTES_MAX);
        memcpy(at, key->text, key->text_bytes);
        at += key->text_bytes;
    }
    *at = '\0';
    assert(at - ret_id <= SETTLE_EVENT_ID_BYTES_MAX);
    return (size_t)(at - ret_id);
}

/* The two halves of a 128-bit product, folded: the mixing step of Wang Yi's wyhash (public domain). */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    settle_uint128 product = (settle_uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#define MIX_A UINT64_C(0xa0761d6478bd642f)
#define MIX_B UINT64_C(0xe7037ed1a0b428db)
#define MIX_C UINT64_C(0x8ebc6af09c88c6e3)

uint64_t event_key_hash(const struct event_key *key, uint64_t seed)
{
    if (key->is_natural) {
        uint64_t first = mix(key->user ^ seed ^ MIX_A, key->ts_ms ^ MIX_B ^ seed << 1);
        return mix(first ^ MIX_C, ((uint64_t)key->asset << 8 | key->type) ^ seed ^ MIX_B);
    }
    uint64_t hash = seed ^ MIX_A ^ key->text_bytes;
    const uint8_t *at = (const uint8_t *)key->text;
    size_t left = key->text_bytes;
    for (; left > 16; left -= 16, at += 16)
        hash = mix(get_u64(at) ^ MIX_B, get_u64(at + 8) ^ hash);
    uint64_t last[2] = {0, 0};
    memcpy(last, at, left);
    return mix(MIX_C ^ hash, mix(last[0] ^ MIX_B, last[1] ^ hash));
}

/* ---- Content --------------------------------------------------------------------------------------------------- */

static bool text_equal(settle_text a, settle_text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

bool event_content_equal(const settle_event *a, const settle_event *b)
{
    assert(a != NULL && b != NULL);
    if (a->type != b->type || a->ts_ms != b->ts_ms)
        return false;
    if (a->type != SETTLE_TRADE) {
        const settle_transfer *x = &a->u.transfer, *y = &b->u.transfer;
        return x->user == y->user && x->asset == y->asset && x->amount == y->amount;
    }
    const settle_trade *x = &a->u.trade, *y = &b->u.trade;
    return text_equal(x->trade_id, y->trade_id) && x->buyer == y->buyer && x->seller == y->seller &&
           x->base == y->base && x->quote == y->quote && x->quantity == y->quantity &&
           x->price.mantissa == y->price.mantissa && x->price.scale == y->price.scale &&
           x->quote_amount == y->quote_amount && x->buyer_fee == y->buyer_fee && x->seller_fee == y->seller_fee;
}
