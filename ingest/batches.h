/*
 * batches.h — events on their way to stable storage: a few batches at a time, so that the next is read while the last
 * ones commit, and the count of their outcomes.
 */
#ifndef INGEST_BATCHES_H
#define INGEST_BATCHES_H

#include <pthread.h>
#include <stdbool.h>

#include "ingest/ingest.h"

#define BATCH_EVENTS_MAX 8192
#define BATCH_COUNT 4

struct batches;

struct batch {
    struct batches *owner;
    bool is_in_flight;
    settle_result results[BATCH_EVENTS_MAX]; /* the engine's while in flight */
};

/* The lock guards everything but `engine`, and is not held while the engine is called. */
struct batches {
    settle *engine; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t landed;
    settle_status status;        /* the first failure that a completion brought */
    struct ingest_counts counts; /* accepted … conflict, first_seq, last_seq */
    struct batch batches[BATCH_COUNT];
};

void batches_init(struct batches *batches, settle *engine);
/* Waits for all that are in flight: the engine writes to them until then. */
void batches_deinit(struct batches *batches);

/* Hands over 1 … BATCH_EVENTS_MAX events, waiting for a free batch. Their texts need not outlive the call. When an
 * earlier batch has failed, its error. */
settle_status batches_submit(struct batches *batches, const settle_event *events, size_t count, settle_error *error);
/* Until nothing is in flight; the error of a batch that has failed. */
settle_status batches_wait(struct batches *batches, settle_error *error);
/* Adds the outcomes known so far. */
void batches_count(struct batches *batches, struct ingest_counts *counts);

#endif
