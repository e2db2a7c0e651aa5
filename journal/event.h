/*
 * event.h — the vocabulary of libsettle: events, outcomes, statuses and their limits.
 *
 * Installed as <settle/event.h> and included by <settle/settle.h>; an application includes only the latter.
 * It lives in journal/ because what is on disk defines the words, and every layer above shares them.
 */
#ifndef SETTLE_EVENT_H
#define SETTLE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SETTLE_API __attribute__((visibility("default")))
#define SETTLE_CHECKED __attribute__((warn_unused_result))
#else
#error "libsettle needs a compiler with __int128 (GCC or Clang)"
#endif

/* 128-bit integers: every amount and balance is one, in whole minor units of its asset. Never floating point. */
__extension__ typedef __int128 settle_int128;
__extension__ typedef unsigned __int128 settle_uint128;

/* Largest amount and balance magnitude: 2^127 - 1 minor units. */
#define SETTLE_AMOUNT_MAX ((settle_int128)(~(settle_uint128)0 >> 1))

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

#define SETTLE_EVENT_ID_BYTES_MAX 64
#define SETTLE_TRADE_ID_BYTES_MAX 56
#define SETTLE_SYMBOL_BYTES_MAX 15
#define SETTLE_SCALE_MAX 18
#define SETTLE_PRICE_DECIMALS_MAX 18
#define SETTLE_PRICE_DIGITS_MAX 38
#define SETTLE_TS_MS_MAX ((uint64_t)1 << 53)
#define SETTLE_USER_MAX (((uint64_t)1 << 63) - 1)
#define SETTLE_SOURCE_NAME_BYTES_MAX 4095
#define SETTLE_LEGS_MAX 6

/* The two system accounts every asset has. They sort behind every user. */
#define SETTLE_USER_EXTERNAL (UINT64_MAX - 1)
#define SETTLE_USER_FEES UINT64_MAX

/* ---- Status: what a call returns ----------------------------------------------------------------------------------
 * Zero is success, an operating error is negative. A business rejection is not an error: it is an outcome (below).
 *         name         value  sentence */
#define SETTLE_STATUS_MAP(X)                                                                                           \
    X(OK, 0, "done")                                                                                                   \
    X(E_INVALID, -1, "an argument is outside its documented range")                                                    \
    X(E_NOT_FOUND, -2, "no such event, account, asset or file")                                                        \
    X(E_CONFLICT, -3, "already declared with other values")                                                            \
    X(E_CORRUPT, -4, "the data on disk is damaged")                                                                    \
    X(E_BUSY, -5, "another writer has the directory")                                                                  \
    X(E_IO, -6, "reading or writing failed")                                                                           \
    X(E_NO_SPACE, -7, "the disk or a quota is full")                                                                   \
    X(E_NO_MEMORY, -8, "out of memory")                                                                                \
    X(E_LATCHED, -9, "the engine stopped after a failed write or sync; reopen it to recover")                          \
    X(E_UNSUPPORTED, -10, "written by a newer version, or by a machine this build does not know")                      \
    X(E_MALFORMED, -11, "the input breaks the documented form")                                                        \
    X(E_END, -12, "there is no more")                                                                                  \
    X(E_EXISTS, -13, "the directory already holds a journal")                                                          \
    X(E_ACCESS, -14, "permission denied, or a file is not what it must be")

typedef enum settle_status {
#define X(name, value, sentence) SETTLE_##name = value,
    SETTLE_STATUS_MAP(X)
#undef X
} settle_status;

/* Optional last argument of most calls: filled on failure, untouched on success. Plain data, owned by the caller. */
typedef struct settle_error {
    settle_status status;
    int cause_errno;       /* errno behind it, 0 when there is none */
    uint64_t seq;          /* sequence number concerned, 0 when unknown */
    uint64_t offset_bytes; /* byte offset in `file`, or the index in a batch */
    char file[256];        /* file concerned, relative to the data directory where it lies inside; "" when none */
    char text[320];        /* one sentence for people, without a newline */
} settle_error;

/* ---- Events: what comes in ---------------------------------------------------------------------------------------- */

typedef enum settle_event_type {
    SETTLE_DEPOSIT = 1,
    SETTLE_WITHDRAWAL = 2,
    SETTLE_TRADE = 3,
} settle_event_type;

/* Borrowed bytes, not terminated; {NULL, 0} means "not given". Must live until the call they are passed to returns. */
typedef struct settle_text {
    const char *data;
    size_t bytes;
} settle_text;

/* A price as an exact decimal: mantissa / 10^scale units of quote per unit of base, in its shortest form: no trailing zero
 * while scale > 0, so {15, 1} for 1.50. At most 38 digits and scale 18. mantissa 0 means "not given". */
typedef struct settle_price {
    settle_uint128 mantissa;
    uint32_t scale;
} settle_price;

typedef struct settle_transfer { /* SETTLE_DEPOSIT and SETTLE_WITHDRAWAL */
    uint64_t user;               /* 1 … SETTLE_USER_MAX */
    uint32_t asset;              /* asset id, 1 … 2^32-1 */
    settle_int128 amount;        /* > 0, minor units of the asset */
} settle_transfer;

typedef struct settle_trade {
    settle_text trade_id;       /* required unless event_id is given */
    uint64_t buyer, seller;     /* 1 … SETTLE_USER_MAX */
    uint32_t base, quote;       /* asset ids */
    settle_int128 quantity;     /* > 0, minor units of base */
    settle_price price;         /* one of price and quote_amount must be given */
    settle_int128 quote_amount; /* > 0, minor units of quote; 0 = not given */
    settle_int128 buyer_fee;    /* >= 0, minor units of base, taken from what the buyer receives */
    settle_int128 seller_fee;   /* >= 0, minor units of quote, taken from what the seller receives */
} settle_trade;

/* How far an input has been read. It is committed in the same frame as the effects of the events before it. */
typedef struct settle_source_position {
    uint32_t source;       /* number from settle_source_open(); 0 = no source */
    uint64_t offset_bytes; /* bytes of the source up to here */
    uint64_t line;         /* lines of it */
} settle_source_position;

typedef struct settle_event {
    settle_event_type type;
    uint64_t ts_ms;       /* event time, milliseconds since 1970-01-01T00:00:00Z, 0 … SETTLE_TS_MS_MAX */
    settle_text event_id; /* the idempotency key; not given: derived from the members, see settle_event_id_format() */
    union {
        settle_transfer transfer;
        settle_trade trade;
    } u;
    settle_source_position end; /* optional: where this event ends in its source */
} settle_event;

/* An asset: amounts of it are integers of 10^-scale units. */
typedef struct settle_asset {
    uint32_t id;                              /* 1 … 2^32-1 */
    uint8_t scale;                            /* 0 … SETTLE_SCALE_MAX */
    char symbol[SETTLE_SYMBOL_BYTES_MAX + 1]; /* 1–15 of [A-Z0-9.], terminated */
} settle_asset;

/* ---- Outcomes: what the engine decided ----------------------------------------------------------------------------- */

typedef enum settle_outcome {
    SETTLE_ACCEPTED = 1,
    SETTLE_REJECTED = 2,
    SETTLE_DUPLICATE = 3,
    SETTLE_CONFLICT = 4,
} settle_outcome;

/* Reasons of a rejection, in the order in which the rules are tried. The numbers are on disk and never change. */
#define SETTLE_REASON_MAP(X)                                                                                           \
    X(NONE, 0, "")                                                                                                     \
    X(UNKNOWN_ASSET, 1, "unknown_asset")                                                                               \
    X(SELF_TRADE, 2, "self_trade")                                                                                     \
    X(SAME_ASSET, 3, "same_asset")                                                                                     \
    X(AMOUNT_OVERFLOW, 4, "amount_overflow")                                                                           \
    X(INEXACT_AMOUNT, 5, "inexact_amount")                                                                             \
    X(PRICE_MISMATCH, 6, "price_mismatch")                                                                             \
    X(FEE_EXCEEDS_AMOUNT, 7, "fee_exceeds_amount")                                                                     \
    X(INSUFFICIENT_FUNDS, 8, "insufficient_funds")                                                                     \
    X(BALANCE_OVERFLOW, 9, "balance_overflow")

typedef enum settle_reason {
#define X(name, value, word) SETTLE_REASON_##name = value,
    SETTLE_REASON_MAP(X)
#undef X
} settle_reason;

/* What became of one submitted event. */
typedef struct settle_result {
    uint64_t seq; /* its sequence number: 1, 2, 3 … over all arrivals of the journal */
    settle_outcome outcome;
    settle_reason reason; /* SETTLE_REJECTED only */
    uint64_t first_seq;   /* SETTLE_DUPLICATE and SETTLE_CONFLICT: the arrival that took the id */
} settle_result;

/* The change of one balance by one event. before = after - delta, for available and for held. */
typedef struct settle_leg {
    uint64_t user; /* or SETTLE_USER_EXTERNAL, SETTLE_USER_FEES */
    uint32_t asset;
    uint64_t version;           /* 1 for the first change of this balance, +1 a change */
    uint64_t previous_position; /* journal position of the event that changed this balance before; 0 = none */
    settle_int128 delta_available, after_available;
    settle_int128 delta_held, after_held;
} settle_leg;

#ifdef __cplusplus
}
#endif
#endif
