/* test_mem.c — the allocator's helpers: zeros, overflow, nothing, and a NULL that means only one thing. */
#include "journal/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(mem);

/* An allocator that dirties what it hands out, counts, and can have nothing left. */
struct tally {
    struct mem mem;
    size_t asked, freed, last_bytes;
    bool is_empty;
};

static void *tally_reallocate(void *context, void *memory, size_t bytes)
{
    struct tally *tally = context;
    tally->last_bytes = bytes;
    if (bytes == 0) {
        tally->freed++;
        free(memory);
        return NULL;
    }
    tally->asked++;
    if (tally->is_empty)
        return NULL;
    void *block = realloc(memory, bytes);
    if (memory == NULL && block != NULL)
        memset(block, 0xa5, bytes);
    return block;
}

static void tally_init(struct tally *tally)
{
    *tally = (struct tally){.mem = {tally_reallocate, tally}};
}

static void expect_zeros(const void *block, size_t count)
{
    const uint8_t *bytes = block;
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(bytes[i], 0, "byte %zu", i);
}

Test(mem, what_is_allocated_is_zeroed)
{
    struct tally tally;
    tally_init(&tally);
    uint8_t *block = mem_alloc(&tally.mem, 7, 13);
    cr_assert_not_null(block);
    cr_assert_eq(tally.last_bytes, 91);
    expect_zeros(block, 91);
    mem_free(&tally.mem, block);
    cr_assert(tally.asked == 1 && tally.freed == 1);
}

Test(mem, the_c_librarys_memory_is_zeroed_after_it_was_used)
{
    for (int i = 0; i < 8; i++) {
        uint8_t *block = mem_alloc(&mem_libc, 100, 10);
        cr_assert_not_null(block);
        expect_zeros(block, 1000);
        memset(block, 0xff, 1000);
        mem_free(&mem_libc, block);
    }
}

Test(mem, resizing_keeps_the_content)
{
    struct tally tally;
    tally_init(&tally);
    char *block = mem_resize(&tally.mem, NULL, 4, 1);
    cr_assert_not_null(block);
    memcpy(block, "abc", 4);
    block = mem_resize(&tally.mem, block, 1000, 4);
    cr_assert_not_null(block);
    cr_assert_str_eq(block, "abc");
    cr_assert_eq(tally.last_bytes, 4000);
    block = mem_resize(&tally.mem, block, 2, 2);
    cr_assert_not_null(block);
    cr_assert_str_eq(block, "abc");
    mem_free(&tally.mem, block);

    char *other = mem_resize(&mem_libc, NULL, 10, 1);
    cr_assert_not_null(other);
    other[9] = 'x';
    other = mem_resize(&mem_libc, other, 100000, 1);
    cr_assert_not_null(other);
    cr_assert_eq(other[9], 'x');
    mem_free(&mem_libc, other);
}

Test(mem, a_product_that_overflows_is_no_memory_and_the_allocator_is_not_asked)
{
    static const struct {
        size_t count, size;
    } cases[] = {
        {SIZE_MAX, 2},
        {2, SIZE_MAX},
        {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},
        {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX, 1},
        {1, (size_t)PTRDIFF_MAX + 1},
    };
    struct tally tally;
    tally_init(&tally);
    char *kept = mem_alloc(&tally.mem, 1, 8);
    cr_assert_not_null(kept);
    memcpy(kept, "kept", 5);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_null(mem_alloc(&tally.mem, cases[i].count, cases[i].size), "case %zu", i);
        cr_assert_null(mem_resize(&tally.mem, kept, cases[i].count, cases[i].size), "case %zu", i);
        cr_assert_null(mem_alloc(&mem_libc, cases[i].count, cases[i].size), "case %zu", i);
    }
    cr_assert(tally.asked == 1 && tally.freed == 0);
    cr_assert_str_eq(kept, "kept");
    mem_free(&tally.mem, kept);
}

Test(mem, no_bytes_are_a_block_and_not_a_free)
{
    struct tally tally;
    tally_init(&tally);
    void *none = mem_alloc(&tally.mem, 0, 100);
    cr_assert_not_null(none);
    none = mem_resize(&tally.mem, none, 100, 0);
    cr_assert_not_null(none);
    cr_assert_eq(tally.freed, 0);
    mem_free(&tally.mem, none);
    cr_assert_eq(tally.freed, 1);
    void *other = mem_alloc(&mem_libc, 0, 0);
    cr_assert_not_null(other);
    mem_free(&mem_libc, other);
}

Test(mem, an_empty_allocator_leaves_the_old_block)
{
    struct tally tally;
    tally_init(&tally);
    char *block = mem_alloc(&tally.mem, 1, 8);
    cr_assert_not_null(block);
    memcpy(block, "as it is", 8);
    tally.is_empty = true;
    cr_assert_null(mem_alloc(&tally.mem, 1, 8));
    cr_assert_null(mem_resize(&tally.mem, block, 2, 8));
    cr_assert_arr_eq(block, "as it is", 8);
    mem_free(&tally.mem, block);
    cr_assert_eq(tally.freed, 1);
}

Test(mem, freeing_nothing_does_not_ask_the_allocator)
{
    struct tally tally;
    tally_init(&tally);
    mem_free(&tally.mem, NULL);
    mem_free(&mem_libc, NULL);
    cr_assert(tally.asked == 0 && tally.freed == 0);
}

Test(mem, a_table_that_is_too_large_is_no_memory)
{
    cr_assert_null(mem_alloc_table(&mem_libc, SIZE_MAX, 2));
    cr_assert_null(mem_alloc_table(&mem_libc, SIZE_MAX / 8, 16));
    cr_assert_null(mem_alloc_table(&mem_libc, (size_t)PTRDIFF_MAX + 1, 1));
}

/* ---- A table made ahead ----------------------------------------------------------------------------------------- */

Test(mem, a_table_is_written_ahead_a_page_at_a_call_and_the_rest_when_it_is_taken)
{
    struct tally tally;
    tally_init(&tally);
    for (size_t steps = 0; steps < 5; steps++) {
        struct mem_ahead ahead = {.memory = NULL};
        for (size_t i = 0; i < steps; i++)
            mem_ahead_step(&tally.mem, &ahead, 1250, 8);
        cr_assert_eq(ahead.written, steps < 3 ? steps * 4096 : 10000);
        const void *made = ahead.memory;
        size_t asked = tally.asked;
        uint8_t *table = mem_ahead_take(&tally.mem, &ahead, 1250, 8);
        cr_assert_not_null(table);
        expect_zeros(table, 10000);
        cr_assert(steps == 0 ? tally.asked == asked + 1 : table == made && tally.asked == asked);
        cr_assert(ahead.memory == NULL && ahead.bytes == 0);
        mem_free(&tally.mem, table);
    }
    cr_assert_eq(tally.asked, tally.freed);
}

Test(mem, a_table_made_ahead_of_another_size_is_not_taken)
{
    struct tally tally;
    tally_init(&tally);
    struct mem_ahead ahead = {.memory = NULL};
    mem_ahead_step(&tally.mem, &ahead, 1000, 8);
    uint8_t *table = mem_ahead_take(&tally.mem, &ahead, 2000, 8);
    cr_assert(table != NULL && table != ahead.memory && ahead.bytes == 8000);
    expect_zeros(table, 16000);
    mem_ahead_step(&tally.mem, &ahead, 4000, 8); /* the next is another: this one goes */
    cr_assert(ahead.bytes == 32000 && ahead.written == 4096 && tally.freed == 1);
    mem_free(&tally.mem, table);
    mem_ahead_free(&tally.mem, &ahead);
    mem_ahead_free(&tally.mem, &ahead);
    cr_assert(tally.asked == 3 && tally.freed == 3);
}

Test(mem, without_memory_nothing_is_made_ahead)
{
    struct tally tally;
    tally_init(&tally);
    struct mem_ahead ahead = {.memory = NULL};
    tally.is_empty = true;
    mem_ahead_step(&tally.mem, &ahead, 1000, 8);
    mem_ahead_step(&tally.mem, &ahead, SIZE_MAX, 8);
    cr_assert(ahead.memory == NULL && ahead.written == 0);
    cr_assert_null(mem_ahead_take(&tally.mem, &ahead, 1000, 8));
    tally.is_empty = false;
    mem_ahead_step(&tally.mem, &ahead, 1000, 8);
    cr_assert_eq(ahead.written, 4096);
    mem_ahead_free(&tally.mem, &ahead);
}
