/*
 * stream.h — random events that hurt: few users, assets and ids, so that duplicates, conflicts and every rejection
 * are frequent; amounts at and around the balances they meet, and up to 2^127 - 1. The same seed gives the same events.
 *
 *     stream_init(&stream, seed);                        // print the seed: it is the way back to a failure
 *     for (…) {
 *         stream_next(&stream, &model, &next);           // reads the model's balances to come close to them
 *         model_submit(&model, &next.event, &result, &legs);
 *     }
 *
 * Every event has the form of docs/events.md.
 */
#ifndef TESTS_LIB_STREAM_H
#define TESTS_LIB_STREAM_H

#include "tests/lib/model.h"

#define STREAM_RECENT 64

/* An event with the bytes of its texts. Copy with stream_event_copy(): the event points into its own struct. */
struct stream_event {
    settle_event event;
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    char trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1];
};

struct stream {
    uint64_t random; /* state of the generator */
    uint64_t made;   /* events so far */
    struct stream_event recent[STREAM_RECENT];
};

/* The assets to declare; events name one that is not among them, too. */
#define STREAM_ASSET_COUNT 6
extern const settle_asset stream_assets[STREAM_ASSET_COUNT];
#define STREAM_ASSET_UNDECLARED 5

/* The seed of this run: $SETTLE_TEST_SEED where it is set, else `otherwise`. */
uint64_t stream_seed(uint64_t otherwise);

void stream_init(struct stream *stream, uint64_t seed);
void stream_next(struct stream *stream, const struct model *model, struct stream_event *ret_event);
void stream_event_copy(struct stream_event *ret_copy, const struct stream_event *event);

/* 0 … below - 1; below > 0. Also for a test's own choices. */
uint64_t stream_random(struct stream *stream, uint64_t below);
/* 0 … max, of any magnitude alike. */
settle_int128 stream_random_amount(struct stream *stream, settle_int128 max);

#endif
