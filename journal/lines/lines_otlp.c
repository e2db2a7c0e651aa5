/*
 * lines_otlp.c — an event as an OTLP/JSON trace request: a root span from its first step to its last and one a step,
 * from the step before to its own time. What the OpenTelemetry collector's otlpjsonfile receiver takes, one request a
 * line. Pure.
 *
 * Ids are hex, 64-bit integers and times strings, enumerations numbers, as the protocol's JSON mapping asks. The legs
 * are span events of VALIDATED. A later arrival of an id has a root span of its own below the first one's, in the same
 * trace.
 */
#include <assert.h>

#include "journal/lines/lines_members.h"

#define SPAN_KIND_INTERNAL "1"
#define STATUS_ERROR "2"
#define NANOSECONDS_PER_US 1000u

static inline char *put_time(char *at, uint64_t time_us)
{
    if (time_us > UINT64_MAX / NANOSECONDS_PER_US) /* year 2554: the protocol has 64 bits */
        time_us = UINT64_MAX / NANOSECONDS_PER_US;
    return digits_u64(at, time_us * NANOSECONDS_PER_US);
}

/* ---- Attributes: each ends with a comma -------------------------------------------------------------------------- */

#define KEY(at, name) digits_literal(at, "{\"key\":\"settle." name "\",\"value\":{")

static char *put_integer(char *at, uint64_t value)
{
    at = value <= INT64_MAX ? digits_literal(at, "\"intValue\":\"") : digits_literal(at, "\"stringValue\":\"");
    return digits_literal(digits_u64(at, value), "\"}},");
}

static char *put_user(char *at, uint64_t user)
{
    if (user <= SETTLE_USER_MAX)
        return put_integer(at, user);
    return digits_literal(digits_json_user(digits_literal(at, "\"stringValue\":"), user), "}},");
}

static char *put_asset(char *at, const struct lines_asset *asset, uint32_t id)
{
    if (asset == NULL)
        return put_integer(at, id);
    return digits_literal(members_asset(digits_literal(at, "\"stringValue\":"), asset, id), "}},");
}

static char *put_text(char *at, const char *text, size_t bytes)
{
    return digits_literal(digits_json_text(digits_literal(at, "\"stringValue\":"), text, bytes), "}},");
}

static char *put_amount_value(char *at, const struct lines_asset *asset, settle_int128 amount)
{
    at = members_amount_value(digits_literal(at, "\"stringValue\":"), asset, amount);
    return digits_literal(at, "}},");
}
#define AMOUNT(at, name, asset, amount)                                                                                \
    put_amount_value((asset) != NULL ? KEY(at, name) : KEY(at, name "_minor"), asset, amount)

static char *put_transfer(char *at, const struct lines *lines)
{
    const settle_transfer *transfer = &lines->consumed.u.consumed.u.transfer;
    const struct lines_asset *asset = lines_asset_at(lines, transfer->asset, lines->consumed.position);
    at = put_user(KEY(at, "user"), transfer->user);
    at = put_asset(KEY(at, "asset"), asset, transfer->asset);
    return AMOUNT(at, "amount", asset, transfer->amount);
}

static char *put_trade(char *at, const struct lines *lines)
{
    const settle_trade *trade = &lines->consumed.u.consumed.u.trade;
    const struct lines_asset *base = lines_asset_at(lines, trade->base, lines->consumed.position);
    const struct lines_asset *quote = lines_asset_at(lines, trade->quote, lines->consumed.position);
    if (trade->trade_id.bytes != 0)
        at = put_text(KEY(at, "trade_id"), trade->trade_id.data, trade->trade_id.bytes);
    at = put_user(KEY(at, "buyer"), trade->buyer);
    at = put_user(KEY(at, "seller"), trade->seller);
    at = put_asset(KEY(at, "base"), base, trade->base);
    at = put_asset(KEY(at, "quote"), quote, trade->quote);
    at = AMOUNT(at, "quantity", base, trade->quantity);
    if (trade->price.mantissa != 0) {
        at = digits_price(digits_literal(KEY(at, "price"), "\"stringValue\":\""), trade->price);
        at = digits_literal(at, "\"}},");
    }
    if (trade->quote_amount != 0)
        at = AMOUNT(at, "quote_amount", quote, trade->quote_amount);
    if (trade->buyer_fee != 0)
        at = AMOUNT(at, "buyer_fee", base, trade->buyer_fee);
    if (trade->seller_fee != 0)
        at = AMOUNT(at, "seller_fee", quote, trade->seller_fee);
    return at;
}

/* Of the root span: the event and what became of it. */
static char *put_attributes(char *at, const struct lines *lines, const struct lines_event *event)
{
    static const settle_text outcomes[] = {
        [RECORD_VALIDATED] = {"accepted", 8},
        [RECORD_REJECTED] = {"rejected", 8},
        [RECORD_DUPLICATE] = {"duplicate", 9},
        [RECORD_CONFLICT] = {"conflict", 8},
    };
    const settle_text outcome = outcomes[event->decided];
    at = digits_literal(at, ",\"attributes\":[");
    at = digits_literal(lines_put_id(digits_literal(KEY(at, "event_id"), "\"stringValue\":"), event), "}},");
    at = put_integer(KEY(at, "seq"), event->seq);
    at = lines->consumed.u.consumed.type == SETTLE_TRADE ? put_trade(at, lines) : put_transfer(at, lines);
    at = put_text(KEY(at, "outcome"), outcome.data, outcome.bytes);
    if (event->decided == RECORD_REJECTED) {
        const settle_text reason = lines_reason_word(event->reason);
        at = put_text(KEY(at, "reason"), reason.data, reason.bytes);
    }
    if (!lines_is_first(event))
        at = put_integer(KEY(at, "first_seq"), lines->decided.u.repeat.first_seq);
    at[-1] = ']';
    return at;
}

/* The legs, as events of the span of VALIDATED. */
static char *put_legs(char *at, const struct lines *lines)
{
    const struct record_validated *validated = &lines->decided.u.validated;
    at = digits_literal(at, ",\"events\":[");
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i];
        const struct lines_asset *asset = lines_asset_at(lines, leg->asset, lines->consumed.position);
        at = put_time(digits_literal(at, "{\"timeUnixNano\":\""), lines->decided.time_us);
        at = digits_literal(at, "\",\"name\":\"balance_changed\",\"attributes\":[");
        at = put_user(KEY(at, "user"), leg->user);
        at = put_asset(KEY(at, "asset"), asset, leg->asset);
        at = AMOUNT(at, "before", asset, leg->after_available - leg->delta_available);
        at = AMOUNT(at, "delta", asset, leg->delta_available);
        at = AMOUNT(at, "after", asset, leg->after_available);
        at = put_integer(KEY(at, "version"), leg->version);
        at[-1] = ']';
        at = digits_literal(at, "},");
    }
    at[-1] = ']';
    return at;
}

/* ---- Spans ------------------------------------------------------------------------------------------------------- */

static char *put_status(char *at, const struct lines_event *event)
{
    if (!lines_is_warning(event))
        return at;
    settle_text message = {"conflict", 8};
    if (event->decided == RECORD_REJECTED)
        message = lines_reason_word(event->reason);
    at = digits_literal(at, ",\"status\":{\"code\":" STATUS_ERROR ",\"message\":");
    return digits_literal(digits_json_text(at, message.data, message.bytes), "}");
}

/* Trace, span and parent; 0: it has none. */
static char *put_ids(char *at, const struct lines_event *event, uint64_t span, uint64_t parent)
{
    at = lines_put_trace(digits_literal(at, "{\"traceId\":\""), event);
    at = digits_hex_u64(digits_literal(at, "\",\"spanId\":\""), span);
    if (parent != 0)
        at = digits_hex_u64(digits_literal(at, "\",\"parentSpanId\":\""), parent);
    return digits_literal(at, "\"");
}

static char *put_range(char *at, uint64_t from_us, uint64_t to_us)
{
    at = digits_literal(at, ",\"kind\":" SPAN_KIND_INTERNAL ",\"startTimeUnixNano\":\"");
    at = put_time(at, from_us);
    at = put_time(digits_literal(at, "\",\"endTimeUnixNano\":\""), to_us);
    return digits_literal(at, "\"");
}

static char *put_root(char *at, const struct lines *lines, const struct lines_event *event, uint64_t persisted_us)
{
    static const settle_text types[] = {
        [SETTLE_DEPOSIT] = {"deposit", 7}, [SETTLE_WITHDRAWAL] = {"withdrawal", 10}, [SETTLE_TRADE] = {"trade", 5}};
    const bool is_first = lines_is_first(event);
    const settle_text type = types[event->type];
    at = put_ids(at, event, span_id_of(event->root_span, is_first, event->seq, 0), is_first ? 0 : event->root_span);
    at = digits_json_text(digits_literal(at, ",\"name\":"), type.data, type.bytes);
    at = put_range(at, lines->consumed.time_us, persisted_us);
    at = put_attributes(at, lines, event);
    return digits_literal(put_status(at, event), "}");
}

static char *put_step(char *at, const struct lines *lines, const struct lines_step *step, uint64_t from_us)
{
    const struct lines_event *event = step->event;
    const bool is_first = lines_is_first(event), decides = step->place.step == LINE_DECIDED;
    const struct lines_name *name = lines_event_name(event->type, lines_step_kind(step));
    at = digits_literal(at, ",");
    at = put_ids(at, event, span_id_of(event->root_span, is_first, event->seq, step->place.step),
                 span_id_of(event->root_span, is_first, event->seq, 0));
    at = digits_literal(at, ",\"name\":\"");
    at = (char *)memcpy(at, name->text, sizeof name->text) + name->bytes;
    at = put_range(digits_literal(at, "\""), from_us, step->time_us);
    if (decides && event->decided == RECORD_VALIDATED)
        at = put_legs(at, lines);
    if (decides)
        at = put_status(at, event);
    return digits_literal(at, "}");
}

char *lines_otlp(struct lines *lines, char *at, const struct lines_step *step)
{
    const uint64_t consumed_us = lines->consumed.time_us, decided_us = lines->decided.time_us;
    const struct lines_step first = {{step->place.seq, LINE_CONSUMED}, consumed_us, step->event};
    const struct lines_step second = {{step->place.seq, LINE_DECIDED}, decided_us, step->event};
    at = digits_literal(at, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
                            "\"stringValue\":\"settle\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"settle.journal\"},"
                            "\"spans\":[");
    at = put_root(at, lines, step->event, step->time_us);
    at = put_step(at, lines, &first, consumed_us);
    at = put_step(at, lines, &second, consumed_us);
    at = put_step(at, lines, step, decided_us);
    return digits_literal(at, "]}]}]}\n");
}
