/* Tests of engine/ids.h: hashes of event ids in two generations. */
#include "engine/ids.h"

#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tests/lib/stream.h"

SETTLE_SUITE(ids);

/* Position of the only entry under a hash; 0 when there is none. */
static uint64_t find_one(const struct ids *ids, uint64_t hash)
{
    struct ids_cursor cursor = {0, 0};
    uint64_t position = ids_find(ids, hash, &cursor);
    cr_assert(position == 0 || ids_find(ids, hash, &cursor) == 0, "more than one under this hash");
    return position;
}

static void insert(struct ids *ids, uint64_t hash, uint64_t position)
{
    EXPECT_OK(ids_reserve(ids, 1));
    ids_insert(ids, hash, position);
}

Test(ids, what_is_inserted_is_found_and_nothing_else)
{
    struct ids ids;
    struct stream dice;
    stream_init(&dice, 1);
    EXPECT_OK(ids_init(&ids, &mem_libc, 100000));
    cr_assert(find_one(&ids, 0) == 0);
    enum { COUNT = 20000 };
    uint64_t *hashes = calloc(COUNT, sizeof *hashes);
    for (uint64_t i = 0; i < COUNT; i++) { /* far beyond the first table */
        hashes[i] = stream_random(&dice, UINT64_MAX) | 1;
        insert(&ids, hashes[i], i + 1);
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        cr_assert(find_one(&ids, hashes[i]) == i + 1);
        cr_assert(find_one(&ids, hashes[i] ^ 1) == 0);
    }
    free(hashes);
    ids_deinit(&ids);
}

Test(ids, all_positions_under_one_hash_are_told_in_both_generations)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 3));
    for (uint64_t i = 1; i <= 6; i++) {
        cr_assert(ids_make_room(&ids, 0));
        insert(&ids, i % 2, i);
    }
    struct ids_cursor cursor = {0, 0};
    uint64_t seen = 0, position;
    while ((position = ids_find(&ids, 1, &cursor)) != 0)
        seen |= UINT64_C(1) << position;
    cr_assert(seen == (1u << 1 | 1u << 3 | 1u << 5));
    ids_deinit(&ids);
}

Test(ids, hashes_that_share_a_slot_do_not_hide_each_other)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 1000));
    const uint64_t step = UINT64_C(1) << 40; /* the same low bits */
    for (uint64_t i = 1; i <= 500; i++)
        insert(&ids, i * step + 4095, i); /* the last slot of the first table: it wraps */
    for (uint64_t i = 1; i <= 500; i++)
        cr_assert(find_one(&ids, i * step + 4095) == i);
    cr_assert(find_one(&ids, 501 * step + 4095) == 0 && find_one(&ids, 4095) == 0 && find_one(&ids, 0) == 0);
    ids_deinit(&ids);
}

Test(ids, a_generation_is_kept_until_the_store_has_all_of_it)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 4));
    for (uint64_t i = 1; i <= 4; i++) {
        cr_assert(ids_make_room(&ids, 0));
        insert(&ids, i, 100 * i);
    }
    for (uint64_t i = 5; i <= 8; i++) { /* nothing is in the old one yet: no store is needed */
        cr_assert(ids_make_room(&ids, 0));
        insert(&ids, i, 100 * i);
    }
    cr_assert(!ids_make_room(&ids, 0));
    cr_assert(!ids_make_room(&ids, 400), "everything before 400 is in the store: 400 itself is not");
    for (uint64_t i = 1; i <= 8; i++)
        cr_assert(find_one(&ids, i) == 100 * i, "a refusal forgets nothing");
    cr_assert(ids_make_room(&ids, 401));
    for (uint64_t i = 1; i <= 4; i++)
        cr_assert(find_one(&ids, i) == 0);
    for (uint64_t i = 5; i <= 8; i++)
        cr_assert(find_one(&ids, i) == 100 * i);
    insert(&ids, 9, 900);
    cr_assert(ids_make_room(&ids, 0), "there is room now");
    ids_deinit(&ids);
}

Test(ids, generations_come_and_go_and_memory_stays)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 10));
    for (uint64_t i = 1; i <= 10000; i++) {
        cr_assert(ids_make_room(&ids, i > 11 ? i - 5 : 1)); /* the store is five behind */
        insert(&ids, i * 7, i);
        for (uint64_t back = 0; back < 5 && back < i; back++)
            cr_assert(find_one(&ids, (i - back) * 7) == i - back);
    }
    cr_assert(ids.young.slot_mask + 1 <= 4096 && ids.old.slot_mask + 1 <= 4096);
    ids_deinit(&ids);
}

/* ---- Memory ---- */

struct budget {
    int allocations; /* that still succeed */
};

static void *reallocate(void *context, void *memory, size_t bytes)
{
    struct budget *budget = context;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    return budget->allocations-- > 0 ? realloc(memory, bytes) : NULL;
}

Test(ids, without_memory_nothing_changes)
{
    struct budget budget = {0};
    const struct mem mem = {reallocate, &budget};
    struct ids ids;
    for (int allocations = 0; allocations < 2; allocations++) {
        budget.allocations = allocations;
        EXPECT_STATUS(ids_init(&ids, &mem, 100000), SETTLE_E_NO_MEMORY);
    }
    budget.allocations = 2;
    EXPECT_OK(ids_init(&ids, &mem, 100000));
    uint64_t count = 0;
    while (ids_reserve(&ids, 1) == SETTLE_OK) {
        count++;
        ids_insert(&ids, count * 3, count);
    }
    cr_assert(count == 2048, "half of the first table: %d", (int)count);
    for (uint64_t i = 1; i <= count; i++)
        cr_assert(find_one(&ids, i * 3) == i);
    budget.allocations = 1;
    EXPECT_OK(ids_reserve(&ids, 1));
    ids_insert(&ids, 1, 5000);
    for (uint64_t i = 1; i <= count; i++)
        cr_assert(find_one(&ids, i * 3) == i);
    ids_deinit(&ids);
}

Test(ids, nothing_is_closed_too)
{
    struct ids zeroed = {.mem = NULL};
    ids_deinit(&zeroed);
}

Test(ids, prefetching_changes_nothing)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 100));
    insert(&ids, 5, 1);
    ids_prefetch(&ids, 5);
    ids_prefetch(&ids, UINT64_MAX);
    cr_assert(find_one(&ids, 5) == 1);
    ids_deinit(&ids);
}
