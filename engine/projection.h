/*
 * projection.h — what a stretch of the journal adds to the state: the newest state of every account it touches, the ids it
 * takes, later arrivals, assets, sources. Checkpoints, recovery and views are all this one fold.
 */
#ifndef ENGINE_PROJECTION_H
#define ENGINE_PROJECTION_H

#include "engine/parties.h"

struct projection {
    const struct mem *mem;
    bool wants_ids;
    struct accounts accounts;
    struct store_id *ids;
    size_t id_count, id_capacity;
    struct store_arrival *arrivals;
    size_t arrival_count, arrival_capacity;
    struct registry names; /* assets and sources seen in the stretch */
    uint64_t event_count;
    struct id_bounds bounds; /* of the ids */
};

settle_status projection_init(struct projection *projection, const struct mem *mem, bool wants_ids);
void projection_deinit(struct projection *projection); /* also of a zeroed struct */
/* What it holds as a batch for the store, with `point` behind it. Borrows from the projection. */
struct store_batch projection_batch(const struct projection *projection, const struct journal_point *point);
/* Empties it; accounts and arrays keep their memory. */
void projection_clear(struct projection *projection);

/* Adds a checked frame. SETTLE_E_CORRUPT where the changes of an account do not follow from each other. */
settle_status projection_add(struct projection *projection, const struct frame *frame, settle_error *error);
/* Adds frames from *point on until at least events_max events are in or the journal ends (SETTLE_E_END then). */
settle_status projection_read(struct projection *projection, struct journal_reader *reader, struct journal_point *point,
                              uint64_t events_max, settle_error *error);

/* Brings the accounts of the events to come into the cache while a checked frame's records are gone through. */
#define AHEAD_RING (2 * AHEAD_EVENTS)
struct accounts_ahead {
    const struct accounts *accounts;
    const struct frame *frame;
    size_t offset;       /* of the record to look at next */
    uint32_t seen, told; /* events */
    struct party_hashes ring[AHEAD_RING]; /* event n at n % AHEAD_RING */
};
void accounts_ahead_begin(const struct accounts *accounts, const struct frame *frame, struct accounts_ahead *ret_ahead);
/* To be called at each CONSUMED in turn. The hashes are those of its event, good until the next call. */
const struct party_hashes *accounts_ahead_next(struct accounts_ahead *ahead);

/* NULL, or why the leg does not follow from the account's state. `is_complete`: the account's state
 * is its whole history, so that version 1 is expected of a new one. */
const char *account_leg_fault(const struct account *account, const settle_leg *leg, bool is_complete);
void account_take_leg(struct account *account, const settle_leg *leg, uint64_t seq, uint64_t position);

#endif
