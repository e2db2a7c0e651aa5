/*
 * oracle.h — what a data directory must hold: the model (model.h) fed with a random stream (stream.h), and the
 * comparison of a journal with it, record by record.
 *
 *     oracle_init(&oracle, seed);
 *     oracle_declare(engine);
 *     for (…) oracle_next(&oracle, &event, &result);        // submit the event: this must come out
 *     oracle_check(&oracle, engine);                         // all balances
 *     …a crash: how many events the journal holds is not known…
 *     oracle_rewind(&oracle, seq);                           // to what is known of it
 *     uint64_t seq = oracle_follow(&oracle, directory);      // up to the journal's end, comparing
 *
 * A difference ends the process with a message that names the seed. One thread at a time.
 */
#ifndef TESTS_LIB_ORACLE_H
#define TESTS_LIB_ORACLE_H

#include <settle/settle.h>

#include "tests/lib/stream.h"

struct oracle {
    uint64_t seed;
    struct stream stream;
    struct model model; /* model.seq: events so far */
};

void oracle_init(struct oracle *oracle, uint64_t seed);
void oracle_deinit(struct oracle *oracle);

/* Declares the stream's assets. */
settle_status oracle_declare(settle *engine, settle_error *error);

void oracle_next(struct oracle *oracle, struct stream_event *ret_event, settle_result *ret_result);
/* To the state behind event `seq`: from the beginning again. */
void oracle_rewind(struct oracle *oracle, uint64_t seq);

/*
 * Goes on to the end of the journal in a data directory that nobody writes to: each event in it, from the first one on,
 * must be the one that the seed gives, with the model's outcome, reason and legs, and with the positions that make an
 * account's chain. Returns its last seq, which is not before the oracle's own.
 */
uint64_t oracle_follow(struct oracle *oracle, const char *data_directory);

/* Every balance of the model is the engine's. */
void oracle_check(const struct oracle *oracle, settle *engine);
/* The balances of a data directory are the model's and no others; every asset comes to zero; the store is whole. */
void oracle_check_directory(const struct oracle *oracle, const char *data_directory);

#endif
