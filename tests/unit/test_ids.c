/* Tests of engine/ids.h: hashes of event ids in two generations. */
#include "engine/ids.h"

#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tests/lib/stream.h"

SETTLE_SUITE(ids);

/* A hash as good as that of ids, from a small number. */
static uint64_t spread(uint64_t number)
{
    uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

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
        cr_assert(find_one(&ids, ~hashes[i]) == 0);
    }
    free(hashes);
    ids_deinit(&ids);
}

Test(ids, all_positions_under_one_hash_are_told_in_both_generations)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 3));
    for (uint64_t i = 1; i <= 6; i++) {
        cr_assert(ids_make_room(&ids, i, 0));
        insert(&ids, spread(i % 2), i);
    }
    struct ids_cursor cursor = {0, 0};
    uint64_t seen = 0, position;
    while ((position = ids_find(&ids, spread(1), &cursor)) != 0)
        seen |= UINT64_C(1) << position;
    cr_assert(seen == (1u << 1 | 1u << 3 | 1u << 5));
    ids_deinit(&ids);
}

Test(ids, hashes_that_share_a_slot_do_not_hide_each_other)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 1000));
    const uint64_t last = UINT64_C(0xfff) << 52, step = UINT64_C(1) << 32; /* the last slot of the first table: it wraps */
    for (uint64_t i = 1; i <= 500; i++)
        insert(&ids, last + i * step, i);
    for (uint64_t i = 1; i <= 500; i++)
        cr_assert(find_one(&ids, last + i * step) == i);
    cr_assert(find_one(&ids, last + 501 * step) == 0 && find_one(&ids, last) == 0 && find_one(&ids, 0) == 0);
    ids_deinit(&ids);
}

Test(ids, a_generation_is_kept_until_the_store_has_all_of_it)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 4));
    for (uint64_t i = 1; i <= 4; i++) {
        cr_assert(ids_make_room(&ids, 1000, 0));
        insert(&ids, spread(i), 100 * i);
    }
    for (uint64_t i = 5; i <= 8; i++) { /* nothing is in the old one yet: no store is needed */
        cr_assert(ids_make_room(&ids, 1000, 0));
        insert(&ids, spread(i), 100 * i);
    }
    cr_assert(!ids_make_room(&ids, 1000, 0));
    cr_assert(!ids_make_room(&ids, 1000, 400), "everything before 400 is in the store: 400 itself is not");
    for (uint64_t i = 1; i <= 8; i++)
        cr_assert(find_one(&ids, spread(i)) == 100 * i, "a refusal forgets nothing");
    cr_assert(ids_make_room(&ids, 1000, 401));
    for (uint64_t i = 1; i <= 4; i++)
        cr_assert(find_one(&ids, spread(i)) == 0);
    for (uint64_t i = 5; i <= 8; i++)
        cr_assert(find_one(&ids, spread(i)) == 100 * i);
    insert(&ids, spread(9), 900);
    cr_assert(ids_make_room(&ids, 1000, 0), "there is room now");
    ids_deinit(&ids);
}

/* A slot says a position by its distance from the generation's first: what is too far begins another generation. */
Test(ids, positions_four_gigabytes_apart_stand_in_two_generations)
{
    struct ids ids;
    const uint64_t first = UINT64_C(5) << 40, far = first + UINT32_MAX;
    EXPECT_OK(ids_init(&ids, &mem_libc, 1000));
    cr_assert(ids_make_room(&ids, first, 0), "an empty generation begins anywhere");
    insert(&ids, spread(1), first);
    cr_assert(ids_make_room(&ids, far - 1, 0));
    insert(&ids, spread(2), far - 1);
    cr_assert_eq(ids.young.count, 2);
    cr_assert(ids_make_room(&ids, far, 0), "the old one is empty: it is changed with");
    cr_assert_eq(ids.old.count, 2);
    insert(&ids, spread(3), far);
    cr_assert(!ids_make_room(&ids, far + UINT32_MAX, first), "the store does not have what the old one holds");
    cr_assert(find_one(&ids, spread(1)) == first && find_one(&ids, spread(2)) == far - 1);
    cr_assert(find_one(&ids, spread(3)) == far && find_one(&ids, spread(4)) == 0);
    cr_assert(ids_make_room(&ids, far + UINT32_MAX, far));
    insert(&ids, spread(4), far + UINT32_MAX);
    cr_assert(find_one(&ids, spread(1)) == 0 && find_one(&ids, spread(2)) == 0);
    cr_assert(find_one(&ids, spread(3)) == far && find_one(&ids, spread(4)) == far + UINT32_MAX);
    ids_deinit(&ids);
}

Test(ids, generations_come_and_go_and_memory_stays)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 10));
    for (uint64_t i = 1; i <= 10000; i++) {
        cr_assert(ids_make_room(&ids, i, i > 11 ? i - 5 : 1)); /* the store is five behind */
        insert(&ids, spread(i), i);
        for (uint64_t back = 0; back < 5 && back < i; back++)
            cr_assert(find_one(&ids, spread(i - back)) == i - back);
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

/* 2048 ids half fill the first 4096 slots: the next are begun at 7/8 of that, and are there when they are needed. */
Test(ids, slots_are_made_ahead_a_page_at_a_call)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 1 << 20));
    for (uint64_t i = 1; i <= 2048; i++) {
        cr_assert_eq(ids.ahead.memory != NULL, i > 2048 / 8 * 7 + 1, "%zu", (size_t)i);
        EXPECT_OK(ids_reserve(&ids, 1));
        ids_insert(&ids, i * UINT64_C(0x9e3779b97f4a7c15), i);
    }
    cr_assert_eq(ids.ahead.bytes, 8192 * 8);
    cr_assert_eq(ids.ahead.written, ids.ahead.bytes);
    const void *made = ids.ahead.memory;
    EXPECT_OK(ids_reserve(&ids, 1));
    cr_assert_eq((const void *)ids.young.slots, made);
    cr_assert_null(ids.ahead.memory);
    for (uint64_t i = 1; i <= 2048; i++) {
        struct ids_cursor cursor = {0};
        cr_assert_eq(ids_find(&ids, i * UINT64_C(0x9e3779b97f4a7c15), &cursor), i);
    }
    ids_deinit(&ids);
}

Test(ids, slots_that_will_not_be_needed_are_not_made)
{
    struct ids ids;
    EXPECT_OK(ids_init(&ids, &mem_libc, 2048)); /* then the generation changes */
    for (uint64_t i = 1; i <= 2048; i++) {
        EXPECT_OK(ids_reserve(&ids, 1));
        ids_insert(&ids, i * UINT64_C(0x9e3779b97f4a7c15), i);
    }
    cr_assert_null(ids.ahead.memory);
    ids_deinit(&ids);
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
        ids_insert(&ids, spread(count), count);
    }
    cr_assert(count == 2048, "half of the first table: %d", (int)count);
    for (uint64_t i = 1; i <= count; i++)
        cr_assert(find_one(&ids, spread(i)) == i);
    budget.allocations = 1;
    EXPECT_OK(ids_reserve(&ids, 1));
    ids_insert(&ids, spread(5000), 5000);
    for (uint64_t i = 1; i <= count; i++)
        cr_assert(find_one(&ids, spread(i)) == i);
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
