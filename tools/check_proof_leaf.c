/*
 * check_proof_leaf.c — see check_proof.h. Trusts no length in the bytes: whoever has the key may have signed anything.
 * Owns nothing.
 */
#include "check_proof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

/* ---- A leaf's bytes (docs/seals.md, "The tree of events") -------------------------------------------------------- */

static const uint8_t *take(struct cursor *cursor, size_t count)
{
    static const uint8_t zeros[64];
    if ((size_t)(cursor->end - cursor->at) < count) {
        cursor->good = false;
        return zeros;
    }
    cursor->at += count;
    return cursor->at - count;
}

static uint64_t take_uint(struct cursor *cursor, size_t count)
{
    const uint8_t *at = take(cursor, count);
    uint64_t value = 0;
    for (size_t i = count; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static u128 take_amount(struct cursor *cursor, bool is_wide)
{
    uint64_t low = take_uint(cursor, 8), high = is_wide ? take_uint(cursor, 8) : 0;
    return (u128)high << 64 | low;
}

static i128 take_signed(struct cursor *cursor, bool is_wide)
{
    return is_wide ? (i128)take_amount(cursor, true) : (int64_t)take_uint(cursor, 8);
}

static bool leaf_part(struct cursor *cursor, unsigned *ret_kind, uint64_t *ret_time_us, struct cursor *ret_bytes)
{
    *ret_kind = (unsigned)take_uint(cursor, 4);
    size_t count = (size_t)take_uint(cursor, 4);
    *ret_time_us = take_uint(cursor, 8);
    if (!cursor->good || count > (size_t)(cursor->end - cursor->at))
        return false;
    *ret_bytes = (struct cursor){cursor->at, cursor->at + count, true};
    cursor->at += count;
    return true;
}

bool leaf_decode(const uint8_t *bytes, size_t count, struct leaf *ret_leaf)
{
    struct cursor cursor = {bytes, bytes + count, true}, body;
    struct leaf leaf = {.seq = 0};
    unsigned kind = 0;
    uint64_t time_us;
    if (memcmp(take(&cursor, 16), "settle/event/v1", 16) != 0)
        return false;
    memcpy(leaf.journal_id, take(&cursor, 16), 16);
    leaf.seq = take_uint(&cursor, 8);
    if (!leaf_part(&cursor, &kind, &leaf.consumed_us, &leaf.consumed) || kind != 1 ||
        !leaf_part(&cursor, &leaf.decision, &leaf.decided_us, &leaf.decided) || leaf.decision < 2 || leaf.decision > 5)
        return false;
    while (cursor.at < cursor.end) {
        if (leaf.asset_count == 2 || !leaf_part(&cursor, &kind, &time_us, &body) || kind != 7)
            return false;
        struct asset *asset = &leaf.assets[leaf.asset_count++];
        asset->id = (uint32_t)take_uint(&body, 4);
        asset->scale = (unsigned)take_uint(&body, 1);
        size_t symbol_bytes = (size_t)take_uint(&body, 1);
        (void)take(&body, 2);
        const uint8_t *symbol = take(&body, 16);
        if (!body.good || body.at != body.end || symbol_bytes > 15 || asset->scale > 18)
            return false;
        memcpy(asset->symbol, symbol, symbol_bytes);
    }
    *ret_leaf = leaf;
    return cursor.good;
}

/* ---- What the leaf says, as the proof must say it: an object of texts -------------------------------------------- */

static void add_text(cJSON *object, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add_text(cJSON *object, const char *name, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)cJSON_AddStringToObject(object, name, text);
}

static void add_user(cJSON *object, const char *name, uint64_t user)
{
    if (user >= UINT64_MAX - 1)
        add_text(object, name, "%s", user == UINT64_MAX ? "fees" : "external");
    else
        add_text(object, name, "%" PRIu64, user);
}

static void add_time(cJSON *object, const char *name, uint64_t time_us)
{
    const uint64_t last_us = UINT64_C(253402300799999999); /* of the year 9999 */
    char text[32];
    struct tm tm;
    time_us = time_us < last_us ? time_us : last_us;
    time_t seconds = (time_t)(time_us / 1000000);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    add_text(object, name, "%s.%06uZ", text, (unsigned)(time_us % 1000000));
}

/* value / 10^scale, with that many decimals. */
static void add_decimal(cJSON *object, const char *name, bool is_negative, u128 value, unsigned scale)
{
    char text[64], *at = text + sizeof text;
    unsigned digits = 0;
    *--at = '\0';
    for (; value != 0 || digits <= scale; value /= 10, digits++) {
        if (digits == scale && scale > 0)
            *--at = '.';
        *--at = (char)('0' + (unsigned)(value % 10));
    }
    add_text(object, name, "%s%s", is_negative ? "-" : "", at);
}

static const struct asset *find_asset(const struct leaf *leaf, uint64_t id)
{
    for (size_t i = 0; i < leaf->asset_count; i++)
        if (leaf->assets[i].id == id)
            return &leaf->assets[i];
    return NULL;
}

static void add_asset(cJSON *object, const char *name, const struct leaf *leaf, uint64_t id)
{
    const struct asset *asset = find_asset(leaf, id);
    if (asset != NULL)
        add_text(object, name, "%s", asset->symbol);
    else
        add_text(object, name, "#%" PRIu64, id);
}

static void add_amount(cJSON *object, const char *name, const struct leaf *leaf, uint64_t id, i128 amount)
{
    const struct asset *asset = find_asset(leaf, id);
    u128 magnitude = amount < 0 ? -(u128)amount : (u128)amount;
    add_decimal(object, name, amount < 0, magnitude, asset != NULL ? asset->scale : 0);
}

static const char *const types[] = {"", "deposit", "withdrawal", "trade"};
static const char *const outcomes[] = {"", "", "accepted", "rejected", "duplicate", "conflict"};
static const char *const reasons[] = {"",
                                      "unknown_asset",
                                      "self_trade",
                                      "same_asset",
                                      "amount_overflow",
                                      "inexact_amount",
                                      "price_mismatch",
                                      "fee_exceeds_amount",
                                      "insufficient_funds",
                                      "balance_overflow"};

/* The trade's members behind its event time; returns its id, which is *ret_bytes long. */
static const char *add_trade(cJSON *object, const struct leaf *leaf, struct cursor *c, unsigned flags,
                             size_t *ret_bytes)
{
    bool is_wide = (flags & 1) != 0;
    uint64_t buyer = take_uint(c, 8), seller = take_uint(c, 8), base = take_uint(c, 4), quote = take_uint(c, 4);
    *ret_bytes = (size_t)take_uint(c, 1);
    unsigned price_scale = (unsigned)take_uint(c, 1);
    (void)take(c, 6);
    u128 quantity = take_amount(c, is_wide);
    u128 price = (flags & 2) != 0 ? take_amount(c, is_wide) : 0;
    u128 quote_amount = (flags & 4) != 0 ? take_amount(c, is_wide) : 0;
    u128 buyer_fee = (flags & 8) != 0 ? take_amount(c, is_wide) : 0;
    u128 seller_fee = (flags & 8) != 0 ? take_amount(c, is_wide) : 0;
    c->good = c->good && *ret_bytes <= 56 && price_scale <= 18;
    const char *id = (const char *)take(c, c->good ? *ret_bytes : 0);
    if (!c->good)
        return id;
    if (*ret_bytes > 0)
        add_text(object, "trade_id", "%.*s", (int)*ret_bytes, id);
    add_user(object, "buyer", buyer);
    add_user(object, "seller", seller);
    add_asset(object, "base", leaf, base);
    add_asset(object, "quote", leaf, quote);
    add_amount(object, "quantity", leaf, base, (i128)quantity);
    if ((flags & 2) != 0)
        add_decimal(object, "price", false, price, price_scale);
    if ((flags & 4) != 0)
        add_amount(object, "quote_amount", leaf, quote, (i128)quote_amount);
    if ((flags & 8) != 0) {
        add_amount(object, "buyer_fee", leaf, base, (i128)buyer_fee);
        add_amount(object, "seller_fee", leaf, quote, (i128)seller_fee);
    }
    return id;
}

/* CONSUMED. */
static bool add_consumed(cJSON *object, const struct leaf *leaf)
{
    struct cursor c = leaf->consumed;
    unsigned type = (unsigned)take_uint(&c, 1), id_bytes = (unsigned)take_uint(&c, 1),
             flags = (unsigned)take_uint(&c, 2);
    (void)take(&c, 4); /* where in its frame it was */
    uint64_t ts_ms = take_uint(&c, 8), user = 0, asset = 0;
    u128 amount = 0;
    const char *trade_id = "";
    size_t trade_id_bytes = 0;
    if (!c.good || type < 1 || type > 3 || id_bytes > 64)
        return false;
    add_text(object, "seq", "%" PRIu64, leaf->seq);
    add_text(object, "type", "%s", types[type]);
    add_text(object, "ts", "%" PRIu64, ts_ms);
    if (type == 3) {
        trade_id = add_trade(object, leaf, &c, flags, &trade_id_bytes);
    } else {
        user = take_uint(&c, 8);
        asset = take_uint(&c, 4);
        (void)take(&c, 4);
        amount = take_amount(&c, (flags & 1) != 0);
        add_user(object, "user", user);
        add_asset(object, "asset", leaf, asset);
        add_amount(object, "amount", leaf, asset, (i128)amount);
    }
    const char *given_id = (const char *)take(&c, id_bytes);
    if (!c.good || c.end - c.at >= 8)
        return false;
    char id[160];
    if (id_bytes > 0)
        snprintf(id, sizeof id, "%.*s", (int)id_bytes, given_id);
    else if (type == 3)
        snprintf(id, sizeof id, "trade_%.*s", (int)trade_id_bytes, trade_id);
    else
        snprintf(id, sizeof id, "%s_%" PRIu64 "_%" PRIu64 "_%" PRIu64, types[type], user, asset, ts_ms);
    add_text(object, "event_id", "%s", id);
    return true;
}

/* What an amount was before a change. A leaf in which there was no such amount is refused. */
static i128 amount_before(struct cursor *c, i128 after, i128 delta)
{
    i128 before = 0;
    if (__builtin_sub_overflow(after, delta, &before))
        c->good = false;
    return before;
}

static bool add_effects(cJSON *object, const struct leaf *leaf, struct cursor *c)
{
    cJSON *effects = cJSON_AddArrayToObject(object, "effects");
    unsigned count = (unsigned)take_uint(c, 2);
    (void)take(c, 6);
    for (unsigned i = 0; i < count && c->good; i++) {
        cJSON *effect = cJSON_CreateObject();
        (void)cJSON_AddItemToArray(effects, effect);
        uint64_t user = take_uint(c, 8), asset = take_uint(c, 4);
        unsigned flags = (unsigned)take_uint(c, 2);
        (void)take(c, 2);
        uint64_t version = take_uint(c, 8);
        (void)take(c, 8); /* where the change before it is */
        i128 delta = take_signed(c, (flags & 1) != 0), after = take_signed(c, (flags & 1) != 0);
        add_user(effect, "user", user);
        add_asset(effect, "asset", leaf, asset);
        add_amount(effect, "before", leaf, asset, amount_before(c, after, delta));
        add_amount(effect, "delta", leaf, asset, delta);
        add_amount(effect, "after", leaf, asset, after);
        if ((flags & 2) != 0) {
            i128 held_delta = take_signed(c, (flags & 1) != 0), held_after = take_signed(c, (flags & 1) != 0);
            add_amount(effect, "held_before", leaf, asset, amount_before(c, held_after, held_delta));
            add_amount(effect, "held_delta", leaf, asset, held_delta);
            add_amount(effect, "held_after", leaf, asset, held_after);
        }
        add_text(effect, "version", "%" PRIu64, version);
    }
    return c->good && c->at == c->end;
}

cJSON *leaf_tell(const struct leaf *leaf)
{
    cJSON *object = cJSON_CreateObject();
    struct cursor c = leaf->decided;
    bool good = add_consumed(object, leaf);
    add_time(object, "consumed", leaf->consumed_us);
    add_text(object, "outcome", "%s", outcomes[leaf->decision]);
    if (leaf->decision == 3) {
        uint64_t reason = take_uint(&c, 2);
        good = good && reason >= 1 && reason < sizeof reasons / sizeof reasons[0];
        add_text(object, "reason", "%s", good ? reasons[reason] : "");
    } else if (leaf->decision > 3) {
        add_text(object, "first_seq", "%" PRIu64, take_uint(&c, 8));
    }
    add_time(object, "decided", leaf->decided_us);
    if (leaf->decision == 2)
        good = add_effects(object, leaf, &c) && good;
    if (good && c.good)
        return object;
    cJSON_Delete(object);
    return NULL;
}
