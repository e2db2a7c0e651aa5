/*
 * abi.c — prints what a compiled program relies on: sizes and offsets of the public structs, values of the enumerators, limits.
 * library.sh compares it with tests/golden/abi.txt. A line that changes there breaks programs that were compiled before: that
 * takes a new SOVERSION. Members at the end of the two structs that carry their size are what may be added.
 */
#include <settle/settle.h>

#include <stdio.h>

#define STRUCT(type) printf("%s %zu bytes, aligned to %zu\n", #type, sizeof(type), _Alignof(type))
#define MEMBER(type, member)                                                                                           \
    printf("    %s at %zu, %zu bytes\n", #member, offsetof(type, member), sizeof(((type *)0)->member))
#define VALUE(name) printf("%s = %lld\n", #name, (long long)(name))

static void print_options(void)
{
    STRUCT(settle_options);
    MEMBER(settle_options, size_bytes);
    MEMBER(settle_options, segment_bytes);
    MEMBER(settle_options, commit_events_max);
    MEMBER(settle_options, commit_interval_us_max);
    MEMBER(settle_options, checkpoint_interval_ms);
    MEMBER(settle_options, checkpoint_events_max);
    MEMBER(settle_options, clock_us);
    MEMBER(settle_options, reallocate);
    MEMBER(settle_options, log);
    MEMBER(settle_options, context);
    STRUCT(settle_lines_options);
    MEMBER(settle_lines_options, size_bytes);
    MEMBER(settle_lines_options, directory);
    MEMBER(settle_lines_options, rotate_bytes);
    MEMBER(settle_lines_options, keep_days);
    MEMBER(settle_lines_options, compress);
    MEMBER(settle_lines_options, keep_bytes);
    MEMBER(settle_lines_options, free_bytes_min);
    MEMBER(settle_lines_options, sample_per_million);
}

static void print_event(void)
{
    STRUCT(settle_text);
    MEMBER(settle_text, data);
    MEMBER(settle_text, bytes);
    STRUCT(settle_price);
    MEMBER(settle_price, mantissa);
    MEMBER(settle_price, scale);
    STRUCT(settle_transfer);
    MEMBER(settle_transfer, user);
    MEMBER(settle_transfer, asset);
    MEMBER(settle_transfer, amount);
    STRUCT(settle_trade);
    MEMBER(settle_trade, trade_id);
    MEMBER(settle_trade, buyer);
    MEMBER(settle_trade, seller);
    MEMBER(settle_trade, base);
    MEMBER(settle_trade, quote);
    MEMBER(settle_trade, quantity);
    MEMBER(settle_trade, price);
    MEMBER(settle_trade, quote_amount);
    MEMBER(settle_trade, buyer_fee);
    MEMBER(settle_trade, seller_fee);
    STRUCT(settle_source_position);
    MEMBER(settle_source_position, source);
    MEMBER(settle_source_position, offset_bytes);
    MEMBER(settle_source_position, line);
    STRUCT(settle_event);
    MEMBER(settle_event, type);
    MEMBER(settle_event, ts_ms);
    MEMBER(settle_event, event_id);
    MEMBER(settle_event, u);
    MEMBER(settle_event, u.transfer);
    MEMBER(settle_event, u.trade);
    MEMBER(settle_event, end);
    STRUCT(settle_asset);
    MEMBER(settle_asset, id);
    MEMBER(settle_asset, scale);
    MEMBER(settle_asset, symbol);
}

static void print_answers(void)
{
    STRUCT(settle_error);
    MEMBER(settle_error, status);
    MEMBER(settle_error, cause_errno);
    MEMBER(settle_error, seq);
    MEMBER(settle_error, offset_bytes);
    MEMBER(settle_error, file);
    MEMBER(settle_error, text);
    STRUCT(settle_result);
    MEMBER(settle_result, seq);
    MEMBER(settle_result, outcome);
    MEMBER(settle_result, reason);
    MEMBER(settle_result, first_seq);
    STRUCT(settle_leg);
    MEMBER(settle_leg, user);
    MEMBER(settle_leg, asset);
    MEMBER(settle_leg, version);
    MEMBER(settle_leg, previous_position);
    MEMBER(settle_leg, delta_available);
    MEMBER(settle_leg, after_available);
    MEMBER(settle_leg, delta_held);
    MEMBER(settle_leg, after_held);
    STRUCT(settle_balance);
    MEMBER(settle_balance, user);
    MEMBER(settle_balance, asset);
    MEMBER(settle_balance, available);
    MEMBER(settle_balance, held);
    MEMBER(settle_balance, version);
    MEMBER(settle_balance, seq);
    STRUCT(settle_arrival);
    MEMBER(settle_arrival, result);
    MEMBER(settle_arrival, type);
    MEMBER(settle_arrival, ts_ms);
    MEMBER(settle_arrival, consumed_us);
    MEMBER(settle_arrival, decided_us);
    MEMBER(settle_arrival, persisted_us);
    STRUCT(settle_lifecycle);
    MEMBER(settle_lifecycle, event_id);
    MEMBER(settle_lifecycle, first);
    MEMBER(settle_lifecycle, leg_count);
    MEMBER(settle_lifecycle, legs);
    MEMBER(settle_lifecycle, repeat_count);
    MEMBER(settle_lifecycle, repeats);
    STRUCT(settle_lines_state);
    MEMBER(settle_lines_state, lines);
    MEMBER(settle_lines_state, bytes);
    MEMBER(settle_lines_state, is_paused);
    MEMBER(settle_lines_state, is_at_end);
    MEMBER(settle_lines_state, cause);
}

static void print_values(void)
{
#define X(name, value, sentence) VALUE(SETTLE_##name);
    SETTLE_STATUS_MAP(X)
#undef X
#define X(name, value, word) VALUE(SETTLE_REASON_##name);
    SETTLE_REASON_MAP(X)
#undef X
    VALUE(SETTLE_DEPOSIT);
    VALUE(SETTLE_WITHDRAWAL);
    VALUE(SETTLE_TRADE);
    VALUE(SETTLE_ACCEPTED);
    VALUE(SETTLE_REJECTED);
    VALUE(SETTLE_DUPLICATE);
    VALUE(SETTLE_CONFLICT);
    VALUE(SETTLE_LOG_DEBUG);
    VALUE(SETTLE_LOG_INFO);
    VALUE(SETTLE_LOG_WARNING);
    VALUE(SETTLE_LOG_ERROR);
    VALUE(SETTLE_EVENT_ID_BYTES_MAX);
    VALUE(SETTLE_TRADE_ID_BYTES_MAX);
    VALUE(SETTLE_SYMBOL_BYTES_MAX);
    VALUE(SETTLE_SCALE_MAX);
    VALUE(SETTLE_PRICE_DECIMALS_MAX);
    VALUE(SETTLE_PRICE_DIGITS_MAX);
    VALUE(SETTLE_SOURCE_NAME_BYTES_MAX);
    VALUE(SETTLE_LEGS_MAX);
    VALUE(SETTLE_AMOUNT_TEXT_BYTES);
    VALUE(SETTLE_TS_MS_MAX);
    VALUE(SETTLE_USER_MAX);
    VALUE(SETTLE_USER_EXTERNAL);
    VALUE(SETTLE_USER_FEES);
}

int main(void)
{
    print_options();
    print_event();
    print_answers();
    print_values();
    return 0;
}
