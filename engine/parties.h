/* parties.h — who takes part in an event: their balances in the table, found by hashes that were computed ahead. */
#ifndef ENGINE_PARTIES_H
#define ENGINE_PARTIES_H

#include "engine/registry.h"
#include "engine/validate.h"

/* While an event is applied, the slots of the accounts of the one so far behind it are on the way into the cache, and halfway
 * the accounts themselves. */
#define AHEAD_EVENTS 16

/*
 * The hashes of the balances of users that an event may touch: the user's; or the buyer's of base and of quote, then the
 * seller's. Those of the system are always in the cache and have none.
 */
struct party_hashes {
    uint32_t count;
    uint64_t hashes[4];
};
void party_hashes_of(const settle_event *event, struct party_hashes *ret_hashes);
/* Of a CONSUMED record that was checked. */
void party_hashes_of_record(const uint8_t *at, struct party_hashes *ret_hashes);
/* Bring their slots into the cache; then, where those have arrived, the accounts. */
void party_hashes_prefetch(const struct party_hashes *hashes, const struct accounts *accounts);
void party_hashes_prefetch_accounts(const struct party_hashes *hashes, const struct accounts *accounts);

/* What validate() needs to know. `hashes` are those of the event. */
void parties_find(const struct registry *names, const struct accounts *accounts, const settle_event *event,
                  const struct party_hashes *hashes, struct parties *ret_parties);

#endif
