/* record_faults.h — one way after another to damage a specimen of record_specimens.h, and the sentence that must
 * answer. */
#ifndef TESTS_UNIT_RECORD_FAULTS_H
#define TESTS_UNIT_RECORD_FAULTS_H

#include <stddef.h>
#include <stdint.h>

#define FAULT_PATCHES_MAX 4

/* Little-endian `value` of `bytes` bytes at `offset`. */
struct fault_patch {
    size_t offset, bytes;
    uint64_t value;
};

struct record_fault {
    int line;
    size_t specimen;
    struct fault_patch patches[FAULT_PATCHES_MAX];
    const char *sentence;
};

#define FAULT(specimen, sentence, ...)                                                                                 \
    {                                                                                                                  \
        __LINE__, specimen, {__VA_ARGS__}, sentence                                                                    \
    }
#define AT(offset, bytes, value)                                                                                       \
    {                                                                                                                  \
        offset, bytes, value                                                                                           \
    }
#define U64_MAX UINT64_MAX

#define PADDING "padding is not zero"
#define SHORT "record is too short for its kind"
#define LENGTH "record's length does not fit its kind"
#define TEXTS "record's length or padding does not fit its texts"
#define FLAGS "flags do not fit the amounts"
#define LEG_FLAGS_FAULT "flags do not fit the leg's amounts"
#define LEG_RANGE "a leg's balance is out of range"
#define USER "user is not in 1 … 2^63-1"
#define EVENT_ID "event_id is not 1–64 bytes of [A-Za-z0-9._:-] and _"
#define TRADE_ID "trade_id is not 1–56 bytes of [A-Za-z0-9._:-] and _"

static const struct record_fault record_faults[] = {
    /* header */
    FAULT(0, "record's length is not a multiple of 8 from 16 on", AT(0, 2, 8)),
    FAULT(0, "record's length is not a multiple of 8 from 16 on", AT(0, 2, 52)),
    FAULT(0, PADDING, AT(3, 1, 1)),
    FAULT(0, "unknown record kind", AT(2, 1, 0)),
    FAULT(20, "unknown record kind", AT(2, 1, 9)),
    FAULT(20, "unknown record kind", AT(2, 1, 127)),
    FAULT(20, "a note with a sequence number", AT(8, 4, 1)),
    FAULT(21, "a note with a sequence number", AT(11, 1, 1)),
    FAULT(23, "a note with a sequence number", AT(8, 4, 1)),
    FAULT(20, "a note with a time of its own", AT(12, 4, 1)),
    FAULT(23, "a note with a time of its own", AT(15, 1, 1)),

    /* consumed: both forms */
    FAULT(0, "unknown event type", AT(16, 1, 0)),
    FAULT(0, "unknown event type", AT(16, 1, 4)),
    FAULT(0, "unknown flags", AT(18, 2, 16)),
    FAULT(6, "unknown flags", AT(18, 2, 0x8002)),
    FAULT(0, SHORT, AT(0, 2, 40)),
    FAULT(0, "ts is greater than 2^53", AT(24, 8, (UINT64_C(1) << 53) + 1)),
    FAULT(6, "ts is greater than 2^53", AT(24, 8, U64_MAX)),

    /* deposit, withdrawal */
    FAULT(0, "a deposit or withdrawal with a trade's flags", AT(18, 2, 2)),
    FAULT(0, "a deposit or withdrawal with a trade's flags", AT(18, 2, 4)),
    FAULT(0, "a deposit or withdrawal with a trade's flags", AT(18, 2, 8)),
    FAULT(0, SHORT, AT(0, 2, 48)),
    FAULT(4, SHORT, AT(0, 2, 56)),
    FAULT(0, PADDING, AT(44, 1, 1)),
    FAULT(0, PADDING, AT(47, 1, 128)),
    FAULT(4, "a narrow amount in the wide form", AT(56, 8, 0)),
    FAULT(0, USER, AT(32, 8, 0)),
    FAULT(0, USER, AT(32, 8, UINT64_C(1) << 63)),
    FAULT(0, USER, AT(32, 8, U64_MAX)),
    FAULT(0, USER, AT(32, 8, U64_MAX - 1)),
    FAULT(0, "asset id 0", AT(40, 4, 0)),
    FAULT(0, "amount is not greater than zero", AT(48, 8, 0)),
    FAULT(4, "amount is not greater than zero", AT(56, 8, UINT64_C(1) << 63)), /* 2^127 */
    FAULT(0, TEXTS, AT(0, 2, 64)),
    FAULT(1, TEXTS, AT(0, 2, 72)),
    FAULT(1, TEXTS, AT(17, 1, 0)),
    FAULT(1, TEXTS, AT(17, 1, 9)),
    FAULT(1, TEXTS, AT(63, 1, 1)),
    FAULT(1, TEXTS, AT(17, 1, 6)), /* the seventh byte is then padding */
    FAULT(1, EVENT_ID, AT(56, 1, ' ')),
    FAULT(1, EVENT_ID, AT(57, 1, 0)),
    FAULT(1, EVENT_ID, AT(57, 1, 0xc3)),
    FAULT(1, EVENT_ID, AT(17, 1, 8)), /* a NUL in the id */
    FAULT(5, EVENT_ID, AT(0, 2, 136), AT(17, 1, 65), AT(128, 1, 'a')),
    FAULT(2, "an event id that need not be stored", AT(16, 1, 2)), /* a withdrawal of 1, 1 at 0: withdrawal_1_1_0 */

    /* trade */
    FAULT(6, SHORT, AT(0, 2, 64)),
    FAULT(6, SHORT, AT(0, 2, 72)),
    FAULT(6, SHORT, AT(18, 2, 15)),
    FAULT(6, PADDING, AT(58, 1, 1)),
    FAULT(6, PADDING, AT(63, 1, 1)),
    FAULT(6, TEXTS, AT(0, 2, 96)),
    FAULT(6, TEXTS, AT(56, 1, 2)),
    FAULT(6, TEXTS, AT(56, 1, 9)),
    FAULT(6, TEXTS, AT(83, 1, 1)),
    FAULT(6, TEXTS, AT(56, 1, 255), AT(17, 1, 255)),
    FAULT(6, FLAGS, AT(72, 8, 0)),               /* a price of 0 */
    FAULT(7, FLAGS, AT(72, 8, 0)),               /* a quote amount of 0 */
    FAULT(8, FLAGS, AT(96, 8, 0)),               /* fees of 0 and 0 */
    FAULT(9, FLAGS, AT(88, 8, 0), AT(80, 8, 1)), /* wide without need */
    FAULT(6, TRADE_ID, AT(80, 1, '/')),
    FAULT(6, TRADE_ID, AT(56, 1, 4)), /* a NUL in the id */
    FAULT(10, TRADE_ID, AT(56, 1, 57), AT(17, 1, 63)),
    FAULT(10, EVENT_ID, AT(56, 1, 55), AT(17, 1, 65)),
    FAULT(6, "neither trade_id nor event_id", AT(0, 2, 80), AT(56, 1, 0)),
    FAULT(6, "buyer is not in 1 … 2^63-1", AT(32, 8, 0)),
    FAULT(6, "buyer is not in 1 … 2^63-1", AT(39, 1, 128)),
    FAULT(6, "seller is not in 1 … 2^63-1", AT(40, 8, 0)),
    FAULT(6, "seller is not in 1 … 2^63-1", AT(40, 8, U64_MAX)),
    FAULT(6, "asset id 0", AT(48, 4, 0)),
    FAULT(6, "asset id 0", AT(52, 4, 0)),
    FAULT(6, "quantity is not greater than zero", AT(64, 8, 0)),
    FAULT(10, "quantity is not greater than zero", AT(79, 1, 0x80)),
    FAULT(10, "quote_amount is not greater than zero", AT(111, 1, 0x80)),
    FAULT(10, "a fee is less than zero", AT(127, 1, 0x80)),
    FAULT(10, "a fee is less than zero", AT(143, 1, 0xff)),
    FAULT(7, "a scale without a price", AT(57, 1, 1)),
    FAULT(7, "neither price nor quote_amount", AT(0, 2, 80), AT(18, 2, 0), AT(72, 8, 0x312d54)),
    FAULT(10, "price has more than 38 digits", AT(80, 8, UINT64_C(0x098a224000000000))), /* 10^38 */
    FAULT(6, "price has more than 18 decimals", AT(57, 1, 19)),
    FAULT(6, "price has trailing zeros", AT(72, 2, 310)),
    /* "trade_T-1" beside the trade id "T-1" */
    FAULT(6, "an event id that need not be stored", AT(0, 2, 96), AT(17, 1, 9), AT(83, 8, 0x2d545f6564617274),
          AT(91, 1, '1')),

    /* validated */
    FAULT(11, SHORT, AT(0, 2, 16)),
    FAULT(11, PADDING, AT(18, 1, 1)),
    FAULT(11, PADDING, AT(23, 1, 1)),
    FAULT(11, "number of legs is not in 1 … 6", AT(16, 2, 0)),
    FAULT(15, "number of legs is not in 1 … 6", AT(16, 2, 7)),
    FAULT(15, "number of legs is not in 1 … 6", AT(16, 2, 256)),
    FAULT(11, "legs are longer than the record", AT(16, 2, 2)),
    FAULT(11, "legs are longer than the record", AT(0, 2, 64)),
    FAULT(11, "legs are longer than the record", AT(36, 2, 1)),
    FAULT(11, "legs are longer than the record", AT(36, 2, 2)),
    FAULT(11, "record is longer than its legs", AT(0, 2, 80)),
    FAULT(15, "record is longer than its legs", AT(16, 2, 5)),
    FAULT(11, "unknown flags of a leg", AT(36, 2, 4)),
    FAULT(11, "unknown flags of a leg", AT(36, 2, 0x8000)),
    FAULT(11, PADDING, AT(38, 2, 1)),
    FAULT(13, LEG_FLAGS_FAULT, AT(72, 8, 5), AT(80, 8, 0)), /* wide without need */
    FAULT(14, LEG_FLAGS_FAULT, AT(72, 8, 0), AT(80, 8, 0)), /* held of nothing */
    FAULT(11, "a leg of no user", AT(24, 8, 0)),
    FAULT(11, "a leg of no user", AT(24, 8, UINT64_C(1) << 63)),
    FAULT(11, "a leg of no user", AT(24, 8, U64_MAX - 2)),
    FAULT(11, "asset id 0", AT(32, 4, 0)),
    FAULT(11, "a leg of version 0", AT(40, 8, 0)),
    FAULT(11, "a leg that changes nothing", AT(56, 8, 0)),
    FAULT(14, "a leg that changes nothing", AT(56, 8, 0), AT(72, 8, 0)),
    FAULT(13, LEG_RANGE, AT(72, 8, 0), AT(80, 8, UINT64_C(1) << 63)), /* after is -2^127 */
    FAULT(13, LEG_RANGE, AT(72, 8, U64_MAX), AT(80, 8, INT64_MAX)),   /* before is 2^127 */
    FAULT(13, LEG_RANGE, AT(56, 8, 1), AT(64, 8, 0), AT(72, 8, 1), AT(80, 8, UINT64_C(1) << 63)),
    FAULT(25, LEG_RANGE, AT(104, 8, 0)),                     /* held: after is -2^127 */
    FAULT(25, LEG_RANGE, AT(88, 8, 0), AT(104, 8, U64_MAX)), /* delta is -2^127 */

    /* the short kinds */
    FAULT(16, LENGTH, AT(0, 2, 32)),
    FAULT(16, LENGTH, AT(0, 2, 16)),
    FAULT(16, PADDING, AT(18, 1, 1)),
    FAULT(16, PADDING, AT(23, 1, 1)),
    FAULT(16, "unknown reason", AT(16, 2, 0)),
    FAULT(16, "unknown reason", AT(16, 2, 10)),
    FAULT(16, "unknown reason", AT(17, 1, 1)),
    FAULT(18, LENGTH, AT(0, 2, 24)),
    FAULT(19, LENGTH, AT(0, 2, 40)),
    FAULT(18, "the first arrival is not before this one", AT(16, 8, 0)),
    FAULT(18, "the first arrival is not before this one", AT(16, 8, 1005)),
    FAULT(19, "the first arrival is not before this one", AT(16, 8, U64_MAX)),
    FAULT(18, "the first arrival has no position", AT(24, 8, 0)),
    FAULT(20, LENGTH, AT(0, 2, 32)),
    FAULT(20, LENGTH, AT(0, 2, 48)),
    FAULT(20, "a range of no events", AT(16, 8, 0)),
    FAULT(20, "a range of no events", AT(16, 8, 1001)),
    FAULT(21, LENGTH, AT(0, 2, 32)),
    FAULT(21, LENGTH, AT(0, 2, 48)),
    FAULT(21, "asset id 0", AT(16, 4, 0)),
    FAULT(21, "scale is greater than 18", AT(20, 1, 19)),
    FAULT(21, "symbol is not 1–15 bytes", AT(21, 1, 0)),
    FAULT(22, "symbol is not 1–15 bytes", AT(21, 1, 16)),
    FAULT(21, "symbol is not of [A-Z0-9.]", AT(24, 1, 'u')),
    FAULT(21, "symbol is not of [A-Z0-9.]", AT(27, 1, 0)),
    FAULT(21, "symbol is not of [A-Z0-9.]", AT(21, 1, 5)),
    FAULT(21, PADDING, AT(21, 1, 3)),
    FAULT(21, PADDING, AT(22, 1, 1)),
    FAULT(21, PADDING, AT(23, 1, 1)),
    FAULT(21, PADDING, AT(39, 1, 'X')),
    FAULT(23, SHORT, AT(0, 2, 32)),
    FAULT(23, "source's name is not 1–4095 bytes", AT(32, 2, 0)),
    FAULT(23, "source's name is not 1–4095 bytes", AT(32, 2, 4096)),
    FAULT(23, "record's length does not fit its texts", AT(32, 2, 8)),
    FAULT(23, "record's length does not fit its texts", AT(32, 2, 17)),
    FAULT(23, "record's length does not fit its texts", AT(0, 2, 64)),
    FAULT(23, "source's name has a NUL", AT(42, 1, 0)),
    FAULT(23, "source's name has a NUL", AT(32, 2, 12)),
    FAULT(23, PADDING, AT(34, 1, 1)),
    FAULT(23, PADDING, AT(39, 1, 1)),
    FAULT(23, PADDING, AT(51, 1, 1)),
    FAULT(23, PADDING, AT(32, 2, 10)),
};

#undef FAULT
#undef AT
#undef U64_MAX

#endif
