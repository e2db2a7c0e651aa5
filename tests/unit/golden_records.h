/*
 * golden_records.h — what the golden journal of format version 1 says, record by record. Never changes: a new version
 * of the format gets a golden journal of its own.
 */
#ifndef TESTS_UNIT_GOLDEN_RECORDS_H
#define TESTS_UNIT_GOLDEN_RECORDS_H

#include "journal/record.h"

#define GOLDEN_TIME_US UINT64_C(1733856600000000) /* 2024-12-10T18:50:00Z: the journal's creation and first frame */
#define GOLDEN_FRAME_US UINT64_C(5000000000)      /* from one frame to the next */

static const uint8_t golden_id[16] = {0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a, 0x7c, 0x15,
                                      0xf3, 0x9c, 0xc0, 0x60, 0x5c, 0xed, 0xc8, 0x34};

/*
 * One record; kind 0: the next frame begins. `skippable` is a kind from 128 on with that many bytes 0xa5 behind its
 * header.
 */
struct golden {
    enum record_kind kind;
    uint32_t delta_us;
    size_t leg_count, skippable;
    settle_event event;
    settle_leg legs[SETTLE_LEGS_MAX];
    settle_reason reason;
    struct record_repeat repeat;
    struct record_persisted persisted;
    settle_asset asset;
    const char *source;
    uint64_t offset_bytes, line;
};

#define NEXT_FRAME                                                                                                     \
    {                                                                                                                  \
        .kind = (enum record_kind)0                                                                                    \
    }
#define TEXT(text)                                                                                                     \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }
#define WIDE ((settle_int128)1 << 64)
#define TS UINT64_C(1733856600000)
#define REPEAT_16(text) text text text text text text text text text text text text text text text text
#define REPEAT_127(text)                                                                                               \
    REPEAT_16(text)                                                                                                    \
    REPEAT_16(text)                                                                                                    \
    REPEAT_16(text)                                                                                                    \
    REPEAT_16(text) REPEAT_16(text) REPEAT_16(text) REPEAT_16(text)                                                    \
        text text text text text text text text text text text text text text text
#define LONG_NAME REPEAT_127("/spool/of/events/in/2024-12-10__") "/spool/of/events/in/2024-12-10_" /* 4095 bytes */

#define REJECTED(number, word)                                                                                         \
    {.kind = RECORD_CONSUMED,                                                                                          \
     .delta_us = 40 + number,                                                                                          \
     .event = {.type = SETTLE_WITHDRAWAL, .ts_ms = number, .u.transfer = {number, 2, 7}}},                             \
    {                                                                                                                  \
        .kind = RECORD_REJECTED, .delta_us = 40 + number, .reason = SETTLE_REASON_##word                               \
    }

/* Where event 1 stands: its repetitions name it. */
#define FIRST_POSITION 768

static const struct golden golden[] = {
    /* Frame 1: assets. */
    {.kind = RECORD_ASSET, .delta_us = 0, .asset = {1, 8, "BTC"}},
    {.kind = RECORD_ASSET, .delta_us = 0, .asset = {2, 6, "USDT"}},
    {.kind = RECORD_ASSET, .delta_us = 3, .asset = {UINT32_MAX, 18, "AAAAAAAAAA.9999"}},
    NEXT_FRAME,
    /* Frame 2: deposits and withdrawals, ids derived and given, amounts narrow and wide. */
    {.kind = RECORD_CONSUMED, .event = {.type = SETTLE_DEPOSIT, .ts_ms = TS, .u.transfer = {1001, 2, 1000500000}}},
    {.kind = RECORD_VALIDATED,
     .delta_us = 1,
     .leg_count = 2,
     .legs = {{1001, 2, 1, 0, 1000500000, 1000500000, 0, 0},
              {SETTLE_USER_EXTERNAL, 2, 1, 0, -1000500000, -1000500000, 0, 0}}},
    {.kind = RECORD_CONSUMED,
     .delta_us = 2,
     .event = {.type = SETTLE_DEPOSIT,
               .ts_ms = SETTLE_TS_MS_MAX,
               .event_id = TEXT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"),
               .u.transfer = {SETTLE_USER_MAX, UINT32_MAX, SETTLE_AMOUNT_MAX}}},
    {.kind = RECORD_VALIDATED,
     .delta_us = 2,
     .leg_count = 2,
     .legs = {{SETTLE_USER_MAX, UINT32_MAX, 1, 0, SETTLE_AMOUNT_MAX, SETTLE_AMOUNT_MAX, 0, 0},
              {SETTLE_USER_EXTERNAL, UINT32_MAX, 1, 0, -SETTLE_AMOUNT_MAX, -SETTLE_AMOUNT_MAX, 0, 0}}},
    {.kind = RECORD_CONSUMED,
     .delta_us = 9,
     .event = {.type = SETTLE_WITHDRAWAL, .ts_ms = 0, .u.transfer = {1, 2, WIDE}}},
    {.kind = RECORD_REJECTED, .delta_us = 10, .reason = SETTLE_REASON_INSUFFICIENT_FUNDS},
    {.kind = RECORD_SOURCE, .source = "s", .offset_bytes = 321, .line = 3},
    NEXT_FRAME,
    /* Frame 3: what is durable, and trades of every form. */
    {.kind = RECORD_PERSISTED, .persisted = {1, 3, GOLDEN_TIME_US + 2 * GOLDEN_FRAME_US}},
    {.kind = RECORD_CONSUMED,
     .delta_us = 11,
     .event = {.type = SETTLE_TRADE,
               .ts_ms = TS + 1,
               .u.trade = {.trade_id = TEXT("T-1"),
                           .buyer = 1001,
                           .seller = 1002,
                           .base = 1,
                           .quote = 2,
                           .quantity = 5,
                           .quote_amount = 500000}}},
    {.kind = RECORD_VALIDATED,
     .delta_us = 12,
     .leg_count = 6,
     .legs = {{1001, 1, 1, 0, 4, 4, 0, 0},
              {1001, 2, 2, FIRST_POSITION, -500000, 1000000000, 0, 0},
              {1002, 1, 3, 4096, -5, INT64_MAX, 0, 0},
              {1002, 2, 1, 0, 499999, 499999, 0, 0},
              {SETTLE_USER_FEES, 1, 1, 0, 1, 1, 0, 0},
              {SETTLE_USER_FEES, 2, 1, 0, 1, INT64_MIN, 0, 0}}},
    {.kind = RECORD_CONSUMED,
     .delta_us = 13,
     .event = {.type = SETTLE_TRADE,
               .ts_ms = TS + 2,
               .event_id = TEXT("x"),
               .u.trade = {.buyer = 1, .seller = 1, .base = 1, .quote = 1, .quantity = 1, .price = {7, 0}}}},
    {.kind = RECORD_REJECTED, .delta_us = 13, .reason = SETTLE_REASON_SELF_TRADE},
    {.kind = RECORD_CONSUMED,
     .delta_us = 14,
     .event = {.type = SETTLE_TRADE,
               .ts_ms = TS + 3,
               .event_id = TEXT("given:id-of_a.trade"),
               .u.trade = {.trade_id = TEXT("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"),
                           .buyer = 1001,
                           .seller = 1002,
                           .base = UINT32_MAX,
                           .quote = 2,
                           .quantity = WIDE,
                           .price = {(settle_uint128)UINT64_C(12345678901234567891) * 1000000007, 18},
                           .quote_amount = SETTLE_AMOUNT_MAX,
                           .buyer_fee = 1,
                           .seller_fee = WIDE + 1}}},
    {.kind = RECORD_VALIDATED,
     .delta_us = 15,
     .leg_count = 3,
     .legs = {{1001, 2, 3, 700, -1, 999999999, 1, 1},
              {1002, 2, 2, 700, 0, 499999, -2, 3},
              {1003, 2, UINT64_MAX, UINT64_MAX, WIDE, -WIDE, 1, WIDE * 2}}},
    {.kind = (enum record_kind)200, .skippable = 40},
    {.kind = RECORD_CONSUMED,
     .delta_us = 20,
     .event = {.type = SETTLE_DEPOSIT, .ts_ms = TS, .u.transfer = {1001, 2, 1000500000}}},
    {.kind = RECORD_DUPLICATE, .delta_us = 20, .repeat = {1, FIRST_POSITION}},
    {.kind = RECORD_CONSUMED,
     .delta_us = 20,
     .event = {.type = SETTLE_DEPOSIT, .ts_ms = TS, .u.transfer = {1001, 2, 1}}},
    {.kind = RECORD_CONFLICT, .delta_us = 21, .repeat = {1, FIRST_POSITION}},
    REJECTED(1, UNKNOWN_ASSET),
    REJECTED(2, SELF_TRADE),
    REJECTED(3, SAME_ASSET),
    REJECTED(4, AMOUNT_OVERFLOW),
    REJECTED(5, INEXACT_AMOUNT),
    REJECTED(6, PRICE_MISMATCH),
    REJECTED(7, FEE_EXCEEDS_AMOUNT),
    REJECTED(8, INSUFFICIENT_FUNDS),
    REJECTED(9, BALANCE_OVERFLOW),
    NEXT_FRAME,
    /* Frame 4: PERSISTED alone. */
    {.kind = RECORD_PERSISTED, .persisted = {4, 17, GOLDEN_TIME_US + 3 * GOLDEN_FRAME_US + 77}},
    NEXT_FRAME,
    /* Frame 5: long names, which fill the segment. */
    {.kind = RECORD_SOURCE, .source = LONG_NAME, .offset_bytes = UINT64_MAX, .line = UINT64_MAX},
    {.kind = RECORD_SOURCE, .source = LONG_NAME, .offset_bytes = 0, .line = 0},
    NEXT_FRAME,
    /* Frame 6, in the second segment: the largest difference of time. */
    {.kind = RECORD_CONSUMED,
     .delta_us = 0,
     .event = {.type = SETTLE_WITHDRAWAL, .ts_ms = TS + 9, .event_id = TEXT("trade_T-1"), .u.transfer = {1001, 2, 1}}},
    {.kind = RECORD_VALIDATED,
     .delta_us = UINT32_MAX,
     .leg_count = 2,
     .legs = {{1001, 2, 4, 1536, -1, 999999998, 0, 0},
              {SETTLE_USER_EXTERNAL, 2, 2, FIRST_POSITION, 1, -1000499999, 0, 0}}},
    NEXT_FRAME,
    /* Frame 7: and that is durable too. */
    {.kind = RECORD_PERSISTED, .persisted = {18, 18, GOLDEN_TIME_US + 6 * GOLDEN_FRAME_US}},
    {.kind = RECORD_ASSET, .delta_us = 1, .asset = {3, 0, "Z"}},
};

#define GOLDEN_COUNT (sizeof golden / sizeof *golden)
#define GOLDEN_FRAMES 7
#define GOLDEN_EVENTS 18

#endif
