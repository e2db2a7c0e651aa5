/*
 * lines_naive.h — the lines of the format settle once more, from what was put into a journal instead of what is in it:
 * printf, the C library's calendar, digits one by one. Nothing is shared with journal/lines*.c and
 * journal/base/digits.c but the digest, whose test is test_trace_id.c.
 */
#ifndef TESTS_UNIT_LINES_NAIVE_H
#define TESTS_UNIT_LINES_NAIVE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "journal/lines/trace_id.h"
#include "tests/lib/journal_builder.h"

struct naive {
    char text[LINE_BYTES_MAX];
    size_t used;
    const settle_asset *assets; /* those that are declared */
    size_t asset_count;
};

static inline __attribute__((format(printf, 2, 3))) void naive_put(struct naive *n, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    n->used += (size_t)vsnprintf(n->text + n->used, sizeof n->text - n->used, format, arguments);
    va_end(arguments);
    cr_assert_lt(n->used, sizeof n->text);
}

static inline const settle_asset *naive_asset(const struct naive *n, uint32_t id)
{
    for (size_t i = 0; i < n->asset_count; i++)
        if (n->assets[i].id == id)
            return &n->assets[i];
    return NULL;
}

static inline void naive_integer(struct naive *n, uint64_t value)
{
    const char *quote = value > (uint64_t)1 << 53 ? "\"" : "";
    naive_put(n, "%s%" PRIu64 "%s", quote, value, quote);
}

static inline void naive_user(struct naive *n, const char *key, uint64_t user)
{
    naive_put(n, "\"%s\":", key);
    if (user == SETTLE_USER_EXTERNAL)
        naive_put(n, "\"external\"");
    else if (user == SETTLE_USER_FEES)
        naive_put(n, "\"fees\"");
    else
        naive_integer(n, user);
}

static inline void naive_asset_member(struct naive *n, const char *key, uint32_t id)
{
    const settle_asset *asset = naive_asset(n, id);
    if (asset != NULL)
        naive_put(n, ",\"%s\":\"%s\"", key, asset->symbol);
    else
        naive_put(n, ",\"%s\":%u", key, (unsigned)id);
}

static inline void naive_decimal(struct naive *n, settle_int128 value, unsigned scale)
{
    char digits[96];
    size_t at = sizeof digits - 1, decimals = 0;
    settle_uint128 left = value < 0 ? -(settle_uint128)value : (settle_uint128)value;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (int)(left % 10));
        left /= 10;
        if (++decimals == scale)
            digits[--at] = '.';
    } while (left != 0 || decimals < scale + 1);
    naive_put(n, "%s%s", value < 0 ? "-" : "", digits + at);
}

static inline void naive_amount(struct naive *n, const char *key, uint32_t asset_id, settle_int128 amount)
{
    const settle_asset *asset = naive_asset(n, asset_id);
    naive_put(n, ",\"%s%s\":\"", key, asset == NULL ? "_minor" : "");
    naive_decimal(n, amount, asset == NULL ? 0 : asset->scale);
    naive_put(n, "\"");
}

static inline void naive_input(struct naive *n, const settle_event *event)
{
    naive_put(n, ",");
    if (event->type != SETTLE_TRADE) {
        const settle_transfer *transfer = &event->u.transfer;
        naive_user(n, "user", transfer->user);
        naive_asset_member(n, "asset", transfer->asset);
        naive_amount(n, "amount", transfer->asset, transfer->amount);
        return;
    }
    const settle_trade *trade = &event->u.trade;
    if (trade->trade_id.bytes > 0)
        naive_put(n, "\"trade_id\":\"%.*s\",", (int)trade->trade_id.bytes, trade->trade_id.data);
    naive_user(n, "buyer", trade->buyer);
    naive_put(n, ",");
    naive_user(n, "seller", trade->seller);
    naive_asset_member(n, "base", trade->base);
    naive_asset_member(n, "quote", trade->quote);
    naive_amount(n, "quantity", trade->base, trade->quantity);
    if (trade->price.mantissa != 0) {
        naive_put(n, ",\"price\":\"");
        naive_decimal(n, (settle_int128)trade->price.mantissa, trade->price.scale);
        naive_put(n, "\"");
    }
    if (trade->quote_amount > 0)
        naive_amount(n, "quote_amount", trade->quote, trade->quote_amount);
    if (trade->buyer_fee > 0)
        naive_amount(n, "buyer_fee", trade->base, trade->buyer_fee);
    if (trade->seller_fee > 0)
        naive_amount(n, "seller_fee", trade->quote, trade->seller_fee);
}

static inline void naive_effects(struct naive *n, const struct built_event *built)
{
    naive_put(n, ",\"effects\":[");
    for (size_t i = 0; i < built->legs.count; i++) {
        const settle_leg *leg = &built->legs.legs[i];
        naive_put(n, "%s{", i == 0 ? "" : ",");
        naive_user(n, "user", leg->user);
        naive_asset_member(n, "asset", leg->asset);
        naive_amount(n, "before", leg->asset, leg->after_available - leg->delta_available);
        naive_amount(n, "delta", leg->asset, leg->delta_available);
        naive_amount(n, "after", leg->asset, leg->after_available);
        naive_put(n, ",\"version\":");
        naive_integer(n, leg->version);
        naive_put(n, "}");
    }
    naive_put(n, "]");
}

static inline void naive_validated(struct naive *n, const struct built_event *built)
{
    const settle_event *event = &built->stream.event;
    if (event->type == SETTLE_TRADE) {
        naive_effects(n, built);
        return;
    }
    size_t i = 0;
    while (built->legs.legs[i].user != event->u.transfer.user)
        i++;
    const settle_leg *leg = &built->legs.legs[i];
    naive_input(n, event);
    naive_amount(n, "balance_before", leg->asset, leg->after_available - leg->delta_available);
    naive_amount(n, "balance_after", leg->asset, leg->after_available);
    naive_put(n, ",\"version\":");
    naive_integer(n, leg->version);
}

static inline void naive_head(struct naive *n, const struct built_event *built, unsigned step, const char *step_name,
                              uint64_t time_us)
{
    static const char *const types[] = {"", "DEPOSIT", "WITHDRAWAL", "TRADE"};
    const bool is_first = built->result.outcome == SETTLE_ACCEPTED || built->result.outcome == SETTLE_REJECTED;
    const bool warns =
        step == 2 && (built->result.outcome == SETTLE_REJECTED || built->result.outcome == SETTLE_CONFLICT);
    char second[32];
    struct tm tm;
    time_t seconds = (time_t)(time_us / 1000000);
    struct trace_id trace;
    strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    trace_id_of((settle_text){built->id, strlen(built->id)}, &trace);
    uint64_t root = trace.root_span;
    if (!is_first)
        root ^= built->result.seq * UINT64_C(0x9e3779b97f4a7c15);
    naive_put(n, "{\"timestamp\":\"%s.%06uZ\",\"level\":\"%s\",\"target\":\"settlement\",\"trace_id\":\"", second,
              (unsigned)(time_us % 1000000), warns ? "WARN" : "INFO");
    for (size_t i = 0; i < sizeof trace.bytes; i++)
        naive_put(n, "%02x", trace.bytes[i]);
    naive_put(n, "\",\"span_id\":\"%016" PRIx64 "\",\"fields\":{\"event\":\"%s_%s\",\"event_id\":\"%s\",\"seq\":",
              root + step == 0 ? 1 : root + step, types[built->stream.event.type], step_name, built->id);
    naive_integer(n, built->result.seq);
}

/* The line of step 1, 2 or 3. */
static inline void naive_line(struct naive *n, const struct built_event *built, unsigned step, uint64_t time_us)
{
    static const char *const decisions[] = {"", "VALIDATED", "REJECTED", "DUPLICATE", "CONFLICT"};
    static const char *const reasons[] = {
#define X(name, value, word) word,
        SETTLE_REASON_MAP(X)
#undef X
    };
    const settle_result *result = &built->result;
    n->used = 0;
    naive_head(n, built, step, step == 1 ? "CONSUMED" : step == 2 ? decisions[result->outcome] : "PERSISTED", time_us);
    if (step == 1 || (step == 2 && result->outcome == SETTLE_REJECTED))
        naive_input(n, &built->stream.event);
    if (step == 2 && result->outcome == SETTLE_ACCEPTED)
        naive_validated(n, built);
    if (step == 2 && result->outcome == SETTLE_REJECTED)
        naive_put(n, ",\"reason\":\"%s\"", reasons[result->reason]);
    if (step == 2 && (result->outcome == SETTLE_DUPLICATE || result->outcome == SETTLE_CONFLICT)) {
        naive_put(n, ",\"first_seq\":");
        naive_integer(n, result->first_seq);
    }
    naive_put(n, "}}\n");
}

#endif
