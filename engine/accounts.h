/*
 * accounts.h — the balances in memory: one account per (user, asset). Open addressing over an index of 8-byte slots; the
 * accounts themselves stand in chunks that never move, so a pointer to one stays good for the table's life.
 * At most 128 bytes an account, index included.
 */
#ifndef ENGINE_ACCOUNTS_H
#define ENGINE_ACCOUNTS_H

#include <stdbool.h>

#include <settle/event.h>

#include "journal/base/mem.h"

struct account {
    uint64_t user;
    uint32_t asset;
    uint32_t flags; /* free for the table's owner; 0 when new */
    settle_int128 available, held;
    uint64_t version;
    uint64_t last_seq;
    uint64_t last_position; /* journal position of the event that changed it last; 0 = never */
};

/* Places for accounts of the system's own users, which nearly every event touches: found without a search. */
#define ACCOUNTS_SYSTEM 64

struct accounts {
    const struct mem *mem;
    uint64_t *slots; /* 0 = empty; else tag (high 32 bits of the hash) and account number + 1 */
    uint64_t slot_mask;
    struct mem_ahead ahead; /* the next slots */
    struct account **chunks;
    size_t chunk_capacity;
    uint32_t count;
    struct account *system[ACCOUNTS_SYSTEM]; /* the newest of each place; NULL: none yet */
};

/* Sized for `expected` accounts; grows on demand. */
settle_status accounts_init(struct accounts *accounts, const struct mem *mem, uint32_t expected);
void accounts_deinit(struct accounts *accounts); /* also of a zeroed struct */
/* Forgets every account and keeps the memory. */
void accounts_clear(struct accounts *accounts);

uint64_t accounts_hash(uint64_t user, uint32_t asset);
/* Brings the slot of a hash into the cache; then, where that has arrived, the account it names. */
void accounts_prefetch(const struct accounts *accounts, uint64_t hash);
void accounts_prefetch_account(const struct accounts *accounts, uint64_t hash);
/* NULL when there is none. */
struct account *accounts_find(const struct accounts *accounts, uint64_t user, uint32_t asset);
/* The same for one whose accounts_hash() is known. */
struct account *accounts_find_hashed(const struct accounts *accounts, uint64_t hash, uint64_t user, uint32_t asset);
/* Makes room for `more` accounts, so that as many accounts_upsert() cannot fail. */
settle_status accounts_reserve(struct accounts *accounts, uint32_t more);
/* Finds or adds (all zero). Needs room: see accounts_reserve(). */
struct account *accounts_upsert(struct accounts *accounts, uint64_t user, uint32_t asset);
/* 0 <= number < count, in order of addition. */
struct account *accounts_at(const struct accounts *accounts, uint32_t number);
/* Pointers to all, sorted by user, then asset (system accounts last). Free with mem_free(). NULL: no memory. */
struct account **accounts_sorted(const struct accounts *accounts);

#endif
