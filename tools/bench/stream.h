/*
 * stream.h — the events that everything is measured with: of every hundred 50 deposits, 10 withdrawals and 40 trades
 * among 100 000 users in two assets. One in 200 is an exact re-send, some withdrawals are too large, a quarter of the
 * trades has fees. Event i is a function of the seed, the distribution and i alone, so every system is given the
 * same.
 *
 * Who trades or withdraws has had a deposit of what he gives before, so that nearly all events are accepted from the
 * start. One event a millisecond: no two have the same derived id unless one is a re-send.
 */
#ifndef TOOLS_BENCH_STREAM_H
#define TOOLS_BENCH_STREAM_H

#include <settle/settle.h>

#include "tools/bench/random.h"

#define STREAM_SEED 1
#define STREAM_USERS 100000
#define STREAM_ZIPF_EXPONENT 1.1
#define STREAM_TS_MS UINT64_C(1733856600000) /* of event 0 */

#define STREAM_ASSETS 2
#define STREAM_BASE 1  /* BTC, 8 decimals */
#define STREAM_QUOTE 2 /* USDT, 6 decimals */
extern const settle_asset stream_assets[STREAM_ASSETS];

enum stream_distribution { STREAM_UNIFORM, STREAM_ZIPF };
const char *stream_distribution_name(enum stream_distribution distribution); /* "uniform" */

struct stream {
    uint64_t seed;
    enum stream_distribution distribution;
    struct zipf zipf;
};

/* All amounts in minor units; they and every sum of them fit, up to 50 million events, into 63 bits. */
struct stream_event {
    settle_event_type type;
    uint32_t asset;  /* of a deposit or withdrawal */
    uint64_t origin; /* its number; a re-send has that of what it repeats */
    uint64_t ts_ms;
    uint64_t user, seller; /* the user or the buyer; the seller of a trade */
    int64_t amount;        /* the amount, or a trade's quantity */
    int64_t price_cents;   /* a trade's price has two decimals */
    int64_t quote_amount, buyer_fee, seller_fee;
};

bool stream_init(struct stream *stream, uint64_t seed, enum stream_distribution distribution); /* false: no memory */
void stream_deinit(struct stream *stream);
void stream_at(const struct stream *stream, uint64_t index, struct stream_event *ret_event);

/* The same as an event of the library; its texts are in ret_trade_id. Returns the bytes of the trade id. */
#define STREAM_TRADE_ID_BYTES 16
size_t stream_trade_id(const struct stream_event *event, char ret_trade_id[STREAM_TRADE_ID_BYTES]);
void stream_to_event(const struct stream_event *event, char ret_trade_id[STREAM_TRADE_ID_BYTES],
                     settle_event *ret_event);

/* The same as a line of docs/events.md, with its newline. Returns its bytes. */
#define STREAM_LINE_BYTES 320
size_t stream_to_line(const struct stream_event *event, char ret_line[STREAM_LINE_BYTES]);
/* The line that declares an asset. */
size_t stream_asset_line(const settle_asset *asset, char ret_line[STREAM_LINE_BYTES]);

#endif
