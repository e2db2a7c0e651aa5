/* request.h — one line of a client's, as the service works with it. */
#ifndef REQUEST_H
#define REQUEST_H

#include <settle/settle.h>

enum { LINE_BYTES_MAX = 4096, TEXT_BYTES = 160, ASSET_COUNT = 2 };

extern const settle_asset assets[ASSET_COUNT];

struct request {
    enum { EVENT, BALANCE, OUTCOME, FAULT } kind;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];       /* EVENT, OUTCOME */
    char trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1]; /* EVENT: its texts live here until it is submitted */
    size_t result;                                /* EVENT: index of its result in the batch */
    uint64_t user;                                /* BALANCE */
    const settle_asset *asset;
    char text[TEXT_BYTES]; /* FAULT: why */
};

/* `text` is one line without its newline. Whatever it is, *ret_request says what to do; for kind EVENT, *ret_event is the
 * event, whose texts point into *ret_request. */
void request_read(const char *text, struct request *ret_request, settle_event *ret_event);

#endif
