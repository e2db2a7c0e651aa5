/*
 * opinion.h — a second opinion on a line of events: cJSON's, and the slowest reading of docs/events.md on top of it. Amounts and
 * prices are read digit by digit, never as doubles. To compare the scanner with; the assets are those of ingest_scan.h.
 */
#ifndef TESTS_LIB_OPINION_H
#define TESTS_LIB_OPINION_H

#include "ingest/ingest.h"

/*
 * Why a line is refused. Those before SYNTAX are where docs/events.md asks for more than cJSON does: cJSON lets them pass.
 *        name            what the contract asks for and cJSON does not */
#define OPINION_RULE_MAP(X)                                                                                            \
    X(NONE, "nothing: the line is good")                                                                               \
    X(LENGTH, "at most 4096 bytes")                                                                                    \
    X(UTF8, "UTF-8: no overlong form, no surrogate, nothing behind U+10FFFF")                                          \
    X(BYTE_ORDER_MARK, "no byte-order mark")                                                                           \
    X(CONTROL, "no control character in a string, and none but tab and CR between tokens (NUL and newline included)")  \
    X(ESCAPE, "\\u with four hexadecimal digits, and no \\u0000")                                                      \
    X(NUMBER, "numbers of digits only: no sign, point, exponent or leading zero")                                      \
    X(TRAILING, "one value on a line")                                                                                 \
    X(NO_OBJECT, "an object")                                                                                          \
    X(TYPE, "a member \"type\" that is deposit, withdrawal, trade or asset")                                           \
    X(UNKNOWN_MEMBER, "only the members of its type")                                                                  \
    X(DUPLICATE_MEMBER, "each member once")                                                                            \
    X(MEMBER_KIND, "strings and integers where they belong: no null, true, false, object, array")                      \
    X(MISSING_MEMBER, "every member that its type requires")                                                           \
    X(VALUE, "values in their range and form, assets declared, amounts with no more decimals than their asset has")    \
    X(SYNTAX, "JSON: cJSON refuses it too")

enum opinion_rule {
#define X(name, sentence) OPINION_##name,
    OPINION_RULE_MAP(X)
#undef X
};
const char *opinion_rule_name(enum opinion_rule rule);

struct opinion {
    enum opinion_rule rule; /* OPINION_NONE: a good line */
    enum scan_kind kind;
    settle_event event; /* its texts borrow from this struct */
    settle_asset asset;
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1], trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1];
};

/* The names of all members that an event or asset may have. */
#define OPINION_MEMBERS 18
extern const char *const opinion_members[OPINION_MEMBERS];
/* `names` has a space before and behind each: " ts id ". */
bool opinion_is_in(const char *name, const char *names);

/* `line` has a byte 0 behind it. */
void opinion(const char *line, size_t bytes, struct opinion *ret_opinion);
/* What cJSON alone says: whether it takes the whole line as one value. */
bool opinion_cjson_takes(const char *line, size_t bytes);

/* Every member, given or not. */
bool opinion_same_event(const settle_event *a, const settle_event *b);

#endif
