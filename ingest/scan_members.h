/*
 * scan_members.h — what a line holds, between the scanner's two steps: scan.c notes the values of its members as they
 * come, scan_convert.c makes an event or an asset of them. For these two only.
 */
#ifndef INGEST_SCAN_MEMBERS_H
#define INGEST_SCAN_MEMBERS_H

#include "ingest/ingest.h"
#include "ingest/scan_json.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What kinds of value a member takes. */
#define AS_STRING 1
#define AS_INTEGER 2

/*                 name            kinds                    form */
#define MEMBER_MAP(X)                                                                                                  \
    X(TYPE, "type", AS_STRING, "a string")                                                                             \
    X(EVENT_ID, "event_id", AS_STRING, "a string")                                                                     \
    X(TS, "ts", AS_INTEGER, "an integer")                                                                              \
    X(USER, "user", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                        \
    X(ASSET, "asset", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                               \
    X(AMOUNT, "amount", AS_STRING, "a decimal string")                                                                 \
    X(TRADE_ID, "trade_id", AS_STRING, "a string")                                                                     \
    X(BUYER, "buyer", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                      \
    X(SELLER, "seller", AS_STRING | AS_INTEGER, "an integer or a string of digits")                                    \
    X(BASE, "base", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                                 \
    X(QUOTE, "quote", AS_STRING | AS_INTEGER, "a symbol or an asset id")                                               \
    X(QUANTITY, "quantity", AS_STRING, "a decimal string")                                                             \
    X(PRICE, "price", AS_STRING, "a decimal string")                                                                   \
    X(QUOTE_AMOUNT, "quote_amount", AS_STRING, "a decimal string")                                                     \
    X(BUYER_FEE, "buyer_fee", AS_STRING, "a decimal string")                                                           \
    X(SELLER_FEE, "seller_fee", AS_STRING, "a decimal string")                                                         \
    X(ID, "id", AS_INTEGER, "an integer")                                                                              \
    X(SCALE, "scale", AS_INTEGER, "an integer")

enum member {
#define X(symbol, name, kinds, form) symbol,
    MEMBER_MAP(X)
#undef X
        MEMBER_COUNT
};
#define BIT(member) (UINT32_C(1) << (member))
#define IN(member, set) (((set) >> (member)&1) != 0)

#define NAME_BYTES_MAX 12 /* quote_amount */
struct member_form {
    char name[NAME_BYTES_MAX + 1];
    const char *form; /* what its value must be */
};
extern const struct member_form scan_members[MEMBER_COUNT];

struct value {
    const char *name;  /* first byte of the member's name in the line */
    const char *token; /* first byte of the value */
    const char *text;  /* a string: decoded; NULL: an integer */
    union {
        size_t bytes;     /* of the text */
        uint64_t integer; /* UINT64_MAX when it has too many digits */
    } u;
    /* A decimal as take_decimal() read it: the digits before the point and behind it. whole_digits 0: it could not. */
    uint64_t whole, fraction;
    uint32_t whole_digits, decimals;
};

#define USUAL_DIGITS 18 /* what minor units and mantissas of 64 bits can always hold */

struct scan {
    struct json json;
    uint32_t seen;     /* BIT of each member whose value is there */
    const char *close; /* the closing brace */
    scan_find_asset find_asset;
    void *context;
    struct value values[MEMBER_COUNT];
};

/* The place and the sentence of a fault; false, so that a caller can return it. */
#define fault(scan, ...) (json_fault(&(scan)->json, __VA_ARGS__), false)

static inline bool text_is(settle_text text, const char *word, size_t bytes)
{
    return text.bytes == bytes && memcmp(text.data, word, bytes) == 0;
}

/* Step 2. False: malformed, and the fault says where and why. */
bool scan_convert(struct scan *scan, enum scan_kind *ret_kind, settle_event *ret_event, settle_asset *ret_asset);

#endif
