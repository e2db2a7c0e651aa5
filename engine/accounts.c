/*
 * accounts.c — the balances in memory: an index of slots over accounts that stand in chunks.
 *
 * Owns the slots, the chunks and the list of chunks, through the owner's allocator.
 * Invariants
 *   - A slot is 0 or (high 32 bits of the hash) << 32 | number + 1. Slots are probed in a line from the slot that the
 *     hash names; nothing is ever removed, so an empty slot ends every search.
 *   - The home slot grows with the high bits of the hash, which the slot itself holds: growing reads no account and
 *     writes the new slots nearly in order.
 *   - At most 5/8 of the slots are taken. Even while the index doubles, and since it was 15/16 as full, old and new slots
 *     are 3 × 8/5 × 8 × 16/15 = 41 bytes an account; with the account's 80 and one chunk begun that stays below 128.
 *   - Chunks are allocated in order, never move and are never freed before the table: chunks[i] is NULL from the first
 *     one that is not there. An account is zeroed when it is added, not when its chunk is.
 *   - Only accounts_reserve() allocates. When it fails the table is as good as before.
 *   - system[] names accounts that the slots name as well; one that another has pushed out is found by its slot.
 */
#include "engine/accounts.h"

#include <assert.h>
#include <string.h>

#define CHUNK_SHIFT 10
#define CHUNK_ACCOUNTS ((uint32_t)1 << CHUNK_SHIFT)
#define SLOTS_MIN ((uint64_t)64)
/* Slots are named by 32 bits of hash, so that there is no use for more than 2^32 of them. */
#define ACCOUNTS_MAX ((uint64_t)1 << 31)

_Static_assert(sizeof(struct account) == 80, "the budget of 128 bytes an account counts on it");

static bool slots_suffice(uint64_t slots, uint64_t accounts)
{
    return accounts <= slots / 8 * 5;
}

/* The slot where the search for a hash begins; takes a slot's content as well. */
static uint64_t home_of(uint64_t slot_mask, uint64_t hash)
{
    return ((hash >> 32) * (slot_mask + 1)) >> 32;
}

uint64_t accounts_hash(uint64_t user, uint32_t asset)
{
    /* The finaliser of MurmurHash3: every bit of the input reaches every bit of the result. */
    uint64_t hash = user + asset * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

settle_status accounts_init(struct accounts *accounts, const struct mem *mem, uint32_t expected)
{
    assert(accounts != NULL && mem != NULL);
    struct accounts fresh = {.mem = mem};
    settle_status status = accounts_reserve(&fresh, expected);
    if (status != SETTLE_OK) {
        accounts_deinit(&fresh);
        return status;
    }
    assert(fresh.slots != NULL && fresh.count == 0);
    *accounts = fresh;
    return SETTLE_OK;
}

void accounts_deinit(struct accounts *accounts)
{
    assert(accounts != NULL);
    if (accounts->mem == NULL)
        return;
    for (size_t i = 0; i < accounts->chunk_capacity && accounts->chunks[i] != NULL; i++)
        mem_free(accounts->mem, accounts->chunks[i]);
    mem_free(accounts->mem, accounts->chunks);
    mem_free(accounts->mem, accounts->slots);
    mem_ahead_free(accounts->mem, &accounts->ahead);
    *accounts = (struct accounts){0};
}

void accounts_clear(struct accounts *accounts)
{
    assert(accounts->slots != NULL);
    memset(accounts->slots, 0, (size_t)(accounts->slot_mask + 1) * sizeof *accounts->slots);
    memset(accounts->system, 0, sizeof accounts->system);
    accounts->count = 0;
}

/* ---- Room -------------------------------------------------------------------------------------------------------- */

static settle_status slots_grow(struct accounts *accounts, uint64_t needed)
{
    uint64_t count = SLOTS_MIN;
    while (!slots_suffice(count, needed))
        count *= 2;
    uint64_t *slots = mem_ahead_take(accounts->mem, &accounts->ahead, (size_t)count, sizeof *slots);
    if (slots == NULL)
        return SETTLE_E_NO_MEMORY;

    uint32_t moved = 0;
    for (uint64_t i = 0; accounts->slots != NULL && i <= accounts->slot_mask; i++) {
        if (accounts->slots[i] == 0)
            continue;
        uint64_t at = home_of(count - 1, accounts->slots[i]);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = accounts->slots[i];
        moved++;
    }
    assert(moved == accounts->count);
    mem_free(accounts->mem, accounts->slots);
    accounts->slots = slots;
    accounts->slot_mask = count - 1;
    return SETTLE_OK;
}

static settle_status chunks_grow(struct accounts *accounts, size_t needed)
{
    assert(needed > 0);
    if (needed > accounts->chunk_capacity) {
        size_t capacity = accounts->chunk_capacity == 0 ? 8 : accounts->chunk_capacity * 2;
        if (capacity < needed)
            capacity = needed;
        struct account **chunks = mem_resize(accounts->mem, accounts->chunks, capacity, sizeof(struct account *));
        if (chunks == NULL)
            return SETTLE_E_NO_MEMORY;
        for (size_t i = accounts->chunk_capacity; i < capacity; i++)
            chunks[i] = NULL;
        accounts->chunks = chunks;
        accounts->chunk_capacity = capacity;
    }
    for (size_t i = accounts->count >> CHUNK_SHIFT; i < needed; i++) {
        if (accounts->chunks[i] != NULL)
            continue;
        struct account *chunk = mem_alloc(accounts->mem, CHUNK_ACCOUNTS, sizeof *chunk);
        if (chunk == NULL)
            return SETTLE_E_NO_MEMORY;
        assert((uintptr_t)chunk % _Alignof(struct account) == 0);
        accounts->chunks[i] = chunk;
    }
    return SETTLE_OK;
}

/* Whether `total` accounts have a place in the chunks. */
static bool chunks_suffice(const struct accounts *accounts, uint64_t total)
{
    if (total == 0)
        return true;
    uint64_t last = (total - 1) >> CHUNK_SHIFT;
    return last < accounts->chunk_capacity && accounts->chunks[last] != NULL;
}

settle_status accounts_reserve(struct accounts *accounts, uint32_t more)
{
    assert(accounts->mem != NULL);
    const uint64_t total = (uint64_t)accounts->count + more;
    settle_status status = SETTLE_OK;
    if (total > ACCOUNTS_MAX)
        return SETTLE_E_NO_MEMORY;
    if (!chunks_suffice(accounts, total))
        status = chunks_grow(accounts, (size_t)((total + CHUNK_ACCOUNTS - 1) >> CHUNK_SHIFT));
    if (status != SETTLE_OK)
        return status;
    if (accounts->slots == NULL || !slots_suffice(accounts->slot_mask + 1, total))
        return slots_grow(accounts, total);
    if (!slots_suffice(accounts->slot_mask + 1, (uint64_t)accounts->count + accounts->count / 15))
        mem_ahead_step(accounts->mem, &accounts->ahead, (size_t)(accounts->slot_mask + 1) * 2, sizeof *accounts->slots);
    return SETTLE_OK;
}

/* ---- Finding and adding ------------------------------------------------------------------------------------------ */

struct account *accounts_at(const struct accounts *accounts, uint32_t number)
{
    assert(number < accounts->count);
    return &accounts->chunks[number >> CHUNK_SHIFT][number & (CHUNK_ACCOUNTS - 1)];
}

void accounts_prefetch(const struct accounts *accounts, uint64_t hash)
{
    __builtin_prefetch(&accounts->slots[home_of(accounts->slot_mask, hash)]);
}

void accounts_prefetch_account(const struct accounts *accounts, uint64_t hash)
{
    uint64_t at = home_of(accounts->slot_mask, hash);
    while (accounts->slots[at] != 0 && accounts->slots[at] >> 32 != hash >> 32)
        at = (at + 1) & accounts->slot_mask;
    if (accounts->slots[at] == 0)
        return;
    const struct account *account = accounts_at(accounts, (uint32_t)accounts->slots[at] - 1);
    __builtin_prefetch(account);
    __builtin_prefetch((const char *)account + sizeof *account - 1);
}

/* The account, or NULL and the slot where it belongs. */
static struct account *search(const struct accounts *accounts, uint64_t hash, uint64_t user, uint32_t asset,
                              uint64_t *ret_slot)
{
    uint64_t at = home_of(accounts->slot_mask, hash);
    for (;; at = (at + 1) & accounts->slot_mask) {
        const uint64_t slot = accounts->slots[at];
        if (slot == 0)
            break;
        if (slot >> 32 != hash >> 32)
            continue;
        struct account *account = accounts_at(accounts, (uint32_t)slot - 1);
        if (account->user == user && account->asset == asset)
            return account;
    }
    *ret_slot = at;
    return NULL;
}

/* Where system[] holds the account, if at all. */
static uint32_t system_place(uint64_t user, uint32_t asset)
{
    return (uint32_t)(user + 2 * (uint64_t)asset) % ACCOUNTS_SYSTEM;
}

/* NULL also where it is there, but not in system[]. */
static struct account *system_find(const struct accounts *accounts, uint64_t user, uint32_t asset)
{
    if (user <= SETTLE_USER_MAX)
        return NULL;
    struct account *account = accounts->system[system_place(user, asset)];
    return account != NULL && account->user == user && account->asset == asset ? account : NULL;
}

struct account *accounts_find_hashed(const struct accounts *accounts, uint64_t hash, uint64_t user, uint32_t asset)
{
    uint64_t unused;
    return search(accounts, hash, user, asset, &unused);
}

struct account *accounts_find(const struct accounts *accounts, uint64_t user, uint32_t asset)
{
    struct account *account = system_find(accounts, user, asset);
    return account != NULL ? account : accounts_find_hashed(accounts, accounts_hash(user, asset), user, asset);
}

struct account *accounts_upsert(struct accounts *accounts, uint64_t user, uint32_t asset)
{
    struct account *account = system_find(accounts, user, asset);
    if (account != NULL)
        return account;
    const uint64_t hash = accounts_hash(user, asset);
    uint64_t slot;
    account = search(accounts, hash, user, asset, &slot);
    if (account != NULL)
        return account;
    const uint64_t total = (uint64_t)accounts->count + 1;
    assert(slots_suffice(accounts->slot_mask + 1, total)); /* accounts_reserve() was called */
    assert(chunks_suffice(accounts, total));
    accounts->slots[slot] = hash >> 32 << 32 | total;
    accounts->count++;
    account = accounts_at(accounts, accounts->count - 1);
    *account = (struct account){.user = user, .asset = asset};
    if (user > SETTLE_USER_MAX)
        accounts->system[system_place(user, asset)] = account;
    return account;
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */

/* What accounts are ordered by, apart from them: a merge that looked at the accounts would miss the cache each time. */
struct order_key {
    uint64_t user;
    uint32_t asset;
    uint32_t number;
};

static bool stands_before(const struct order_key *a, const struct order_key *b)
{
    return a->user != b->user ? a->user < b->user : a->asset < b->asset;
}

/* Merges from[low, middle) and from[middle, high) into the same places of `to`. */
static void merge(const struct order_key *from, struct order_key *to, size_t low, size_t middle, size_t high)
{
    size_t left = low, right = middle;
    for (size_t at = low; at < high; at++) {
        bool take_left = right == high || (left < middle && !stands_before(&from[right], &from[left]));
        to[at] = take_left ? from[left++] : from[right++];
    }
}

/* Sorts keys[0, count) with keys[count, 2 * count) as work space; returns where the sorted ones stand. */
static const struct order_key *sort_keys(struct order_key *keys, size_t count)
{
    /* A merge sort of our own: qsort() may allocate behind the embedder's back. */
    struct order_key *from = keys, *to = keys + count;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = middle + width < count ? middle + width : count;
            merge(from, to, low, middle, high);
        }
        struct order_key *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

struct account **accounts_sorted(const struct accounts *accounts)
{
    const size_t count = accounts->count, room = count == 0 ? 1 : count;
    struct account **sorted = mem_alloc(accounts->mem, room, sizeof(struct account *));
    struct order_key *keys = mem_alloc(accounts->mem, 2 * room, sizeof *keys);
    if (sorted == NULL || keys == NULL) {
        mem_free(accounts->mem, sorted);
        mem_free(accounts->mem, keys);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct account *account = accounts_at(accounts, (uint32_t)i);
        keys[i] = (struct order_key){account->user, account->asset, (uint32_t)i};
    }
    const struct order_key *ordered = sort_keys(keys, count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = accounts_at(accounts, ordered[i].number);
    mem_free(accounts->mem, keys);
    return sorted;
}
