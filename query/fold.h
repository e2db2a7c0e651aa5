/*
 * fold.h — a journal replayed record by record into balances of its own, everything that is recorded checked against
 * what the rules make of it again. What replay and verify have in common.
 */
#ifndef QUERY_FOLD_H
#define QUERY_FOLD_H

#include "engine/registry.h"
#include "query/query.h"

/* Told every first arrival of an id: with whom it is then known. May be NULL. */
typedef settle_status (*fold_first)(void *context, const struct event_key *key, uint64_t position, uint64_t seq,
                                    settle_error *error);

/* Told every later arrival of an id. May be NULL. */
typedef void (*fold_repeat)(void *context, uint64_t first_position, uint64_t position);

struct ahead;

struct fold {
    const struct mem *mem;
    int data_fd; /* borrowed, as the reader is */
    struct journal_reader *reader;
    struct journal_reader *lookup; /* a second cursor, for the first arrivals that repeats name; opened when needed */
    struct ahead *ahead;           /* has the reader while fold_until() runs; NULL: nobody does */
    struct journal_point point;    /* behind the last frame folded */
    uint64_t until_seq;            /* stop after this event */
    bool at_end;                   /* until_seq was reached */

    struct accounts accounts;
    struct registry names; /* assets, and the newest position of each source */

    uint64_t frames, records, events, ids;
    uint64_t last_seq;
    fold_first first;
    fold_repeat repeat;
    bool (*go_on)(void *context); /* asked after each frame; false: fold_next() answers SETTLE_E_END. May be NULL. */
    void *context;                /* of these three */
    bool disagrees; /* the error of fold_next() is a disagreement: the bytes are whole, but they say something else */
};

settle_status fold_init(struct fold *fold, int data_fd, struct journal_reader *reader, const struct mem *mem,
                        settle_error *error);
void fold_deinit(struct fold *fold); /* also of a zeroed struct */
/* Reads and folds the next frame. SETTLE_E_END: there is none, or until_seq was reached. */
settle_status fold_next(struct fold *fold, settle_error *error);
/* Frames until the point has reached `position` (UINT64_MAX: all). SETTLE_E_END before that. */
settle_status fold_until(struct fold *fold, uint64_t position, settle_error *error);
/* The same to a point that is known to have been durable: a writer that has just begun may not say so yet, and is waited
 * for. SETTLE_E_END: until_seq was reached, or the journal does not hold that point any more. */
settle_status fold_reach(struct fold *fold, uint64_t position, settle_error *error);
void fold_counts(const struct fold *fold, struct audit_counts *ret_counts);

#endif
