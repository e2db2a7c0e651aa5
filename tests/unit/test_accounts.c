/*
 * test_accounts.c — the table of balances: finding and adding at every size, the budget of memory, order, clearing,
 * and every allocation failing in turn.
 */
#include "engine/accounts.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(accounts);

#define BYTES_AN_ACCOUNT_MAX 128

/* ---- An allocator that counts, and fails where it is told -------------------------------------------------------- */

struct counter {
    struct mem mem;
    size_t live_bytes, peak_bytes, live_blocks;
    size_t calls;   /* that asked for memory */
    size_t fail_at; /* this call of them fails, counted from 1, and every later one; 0 = none */
};

/* A block begins with its size; 16 bytes, so that what follows is aligned. */
#define HEAD_BYTES 16

static void *count_reallocate(void *context, void *memory, size_t bytes)
{
    struct counter *counter = context;
    unsigned char *block = memory == NULL ? NULL : (unsigned char *)memory - HEAD_BYTES;
    size_t old_bytes = 0;
    if (block != NULL)
        memcpy(&old_bytes, block, sizeof old_bytes);
    if (bytes > 0 && ++counter->calls >= counter->fail_at && counter->fail_at != 0)
        return NULL;
    counter->live_bytes += bytes - old_bytes;
    counter->live_blocks += (bytes > 0) - (size_t)(block != NULL);
    if (counter->live_bytes > counter->peak_bytes)
        counter->peak_bytes = counter->live_bytes;
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    /* Always another place, so that a pointer into the old one is found out. */
    unsigned char *fresh = malloc(HEAD_BYTES + bytes);
    cr_assert_not_null(fresh);
    memset(fresh + HEAD_BYTES, 0xa5, bytes);
    memcpy(fresh, &bytes, sizeof bytes);
    if (block != NULL)
        memcpy(fresh + HEAD_BYTES, block + HEAD_BYTES, old_bytes < bytes ? old_bytes : bytes);
    free(block);
    return fresh + HEAD_BYTES;
}

static void counter_init(struct counter *counter)
{
    *counter = (struct counter){.mem = {count_reallocate, counter}};
}

/* ---- Helpers ----------------------------------------------------------------------------------------------------- */

/* The user and asset of the account added as number i: neighbours, far ones, and several assets a user. */
static uint64_t user_of(uint32_t i)
{
    return i % 7 == 0 ? SETTLE_USER_MAX - i : i / 3 + 1;
}

static uint32_t asset_of(uint32_t i)
{
    return i % 7 == 0 ? UINT32_MAX - i : i % 3 + 1;
}

static struct account *add(struct accounts *accounts, uint32_t i)
{
    EXPECT_OK(accounts_reserve(accounts, 1));
    struct account *account = accounts_upsert(accounts, user_of(i), asset_of(i));
    account->available = i;
    account->version = i + 1;
    return account;
}

static void expect_content(const struct accounts *accounts, uint32_t count)
{
    cr_assert_eq(accounts->count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct account *account = accounts_find(accounts, user_of(i), asset_of(i));
        cr_assert_not_null(account, "account %u of %u", i, count);
        cr_assert_eq(account, accounts_at(accounts, i), "account %u of %u", i, count);
        cr_assert_eq(account->user, user_of(i));
        cr_assert_eq(account->asset, asset_of(i));
        cr_assert(account->available == i && account->version == i + 1);
        cr_assert_null(accounts_find(accounts, user_of(i), 1000000 + i));
    }
}

/* ---- Finding and adding ------------------------------------------------------------------------------------------ */

Test(accounts, an_empty_table_finds_nothing)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    cr_assert_eq(accounts.count, 0);
    cr_assert_null(accounts_find(&accounts, 1, 1));
    cr_assert_null(accounts_find(&accounts, 0, 0));
    cr_assert_null(accounts_find(&accounts, SETTLE_USER_FEES, UINT32_MAX));
    accounts_prefetch(&accounts, accounts_hash(1, 1));
    accounts_prefetch(&accounts, UINT64_MAX);
    accounts_prefetch_account(&accounts, accounts_hash(1, 1));
    accounts_prefetch_account(&accounts, UINT64_MAX);
    accounts_deinit(&accounts);
}

Test(accounts, a_new_account_is_zero_and_is_added_once)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 10));
    struct account *account = accounts_upsert(&accounts, 1001, 2);
    cr_assert_eq(account->user, 1001);
    cr_assert_eq(account->asset, 2);
    cr_assert_eq(account->flags, 0);
    cr_assert(account->available == 0 && account->held == 0);
    cr_assert(account->version == 0 && account->last_seq == 0 && account->last_position == 0);
    account->available = -SETTLE_AMOUNT_MAX;
    cr_assert_eq(accounts_upsert(&accounts, 1001, 2), account);
    cr_assert_eq(accounts_find(&accounts, 1001, 2), account);
    cr_assert_neq(accounts_upsert(&accounts, 1001, 3), account);
    cr_assert_neq(accounts_upsert(&accounts, 1002, 2), account);
    cr_assert_eq(accounts.count, 3);
    cr_assert(account->available == -SETTLE_AMOUNT_MAX);
    accounts_deinit(&accounts);
}

Test(accounts, fetching_ahead_changes_nothing)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    for (uint32_t i = 0; i < 3000; i++) {
        accounts_prefetch(&accounts, accounts_hash(user_of(i), asset_of(i)));
        accounts_prefetch_account(&accounts, accounts_hash(user_of(i), asset_of(i)));
        add(&accounts, i);
        accounts_prefetch_account(&accounts, accounts_hash(user_of(i), asset_of(i)));
    }
    expect_content(&accounts, 3000);
    accounts_deinit(&accounts);
}

Test(accounts, system_accounts_are_accounts_like_others)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 4));
    struct account *external = accounts_upsert(&accounts, SETTLE_USER_EXTERNAL, 2);
    struct account *fees = accounts_upsert(&accounts, SETTLE_USER_FEES, 2);
    cr_assert_neq(external, fees);
    cr_assert_eq(accounts_find(&accounts, SETTLE_USER_EXTERNAL, 2), external);
    cr_assert_eq(accounts_find(&accounts, SETTLE_USER_FEES, 2), fees);
    accounts_deinit(&accounts);
}

/* Assets enough that every place of system[] is wanted by several: the pushed out are found all the same. */
Test(accounts, system_accounts_that_share_a_place_are_told_apart)
{
    enum { ASSETS = 2 * ACCOUNTS_SYSTEM };
    static const uint64_t users[2] = {SETTLE_USER_EXTERNAL, SETTLE_USER_FEES};
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    for (int turn = 0; turn < 2; turn++) { /* the second after accounts_clear(): nothing of the first is found */
        for (uint32_t asset = 1; asset <= ASSETS; asset++)
            for (int i = 0; i < 2; i++) {
                cr_assert_null(accounts_find(&accounts, users[i], asset));
                EXPECT_OK(accounts_reserve(&accounts, 1));
                struct account *added = accounts_upsert(&accounts, users[i], asset);
                added->available = (settle_int128)(2 * asset + (uint32_t)i);
                cr_assert_eq(accounts_upsert(&accounts, users[i], asset), added);
            }
        for (uint32_t asset = 1; asset <= ASSETS; asset++)
            for (int i = 0; i < 2; i++) {
                const struct account *found = accounts_find(&accounts, users[i], asset);
                cr_assert(found != NULL && found->user == users[i] && found->asset == asset);
                cr_assert(found->available == (settle_int128)(2 * asset + (uint32_t)i));
                cr_assert_eq(accounts_find_hashed(&accounts, accounts_hash(users[i], asset), users[i], asset), found);
            }
        cr_assert_eq(accounts.count, 2 * ASSETS);
        accounts_clear(&accounts);
    }
    accounts_deinit(&accounts);
}

Test(accounts, all_are_found_at_every_size_around_a_growth)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    uint64_t slot_mask = accounts.slot_mask;
    unsigned growths = 0;
    for (uint32_t i = 0; i < 6000; i++) {
        if (i < 200)
            expect_content(&accounts, i);
        add(&accounts, i);
        if (accounts.slot_mask != slot_mask || i % 1024 == 1023) {
            growths += accounts.slot_mask != slot_mask;
            slot_mask = accounts.slot_mask;
            expect_content(&accounts, i + 1);
        }
    }
    expect_content(&accounts, 6000);
    cr_assert_geq(growths, 7);
    accounts_deinit(&accounts);
}

Test(accounts, pointers_stay_good_while_the_table_grows)
{
    enum { COUNT = 20000 };
    struct counter counter;
    struct accounts accounts;
    struct account **pointers = malloc(COUNT * sizeof *pointers);
    counter_init(&counter);
    EXPECT_OK(accounts_init(&accounts, &counter.mem, 0));
    for (uint32_t i = 0; i < COUNT; i++)
        pointers[i] = add(&accounts, i);
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert(pointers[i] == accounts_at(&accounts, i) && pointers[i]->available == i);
    accounts_deinit(&accounts);
    cr_assert_eq(counter.live_blocks, 0);
    cr_assert_eq(counter.live_bytes, 0);
    free(pointers);
}

static void expect_equal_tags_told_apart(bool by_user)
{
    /* 200,000 of 2^32 tags: by the birthday rule about five pairs share one, and stand side by side. */
    enum { COUNT = 200000 };
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, COUNT));
    for (uint32_t i = 1; i <= COUNT; i++)
        accounts_upsert(&accounts, by_user ? i : 1, by_user ? 1 : i)->available = i;
    cr_assert_eq(accounts.count, COUNT);
    unsigned shared = 0;
    for (uint64_t i = 0; i < accounts.slot_mask; i++) {
        uint64_t slot = accounts.slots[i], next = accounts.slots[i + 1];
        if (slot == 0 || next == 0 || slot >> 32 != next >> 32)
            continue;
        shared++;
        for (int j = 0; j < 2; j++) {
            uint32_t number = (uint32_t)(j == 0 ? slot : next);
            cr_assert(accounts_find(&accounts, by_user ? number : 1, by_user ? 1 : number)->available == number);
        }
    }
    cr_assert_gt(shared, 0);
    accounts_deinit(&accounts);
}

Test(accounts, accounts_whose_tags_are_equal_are_told_apart)
{
    expect_equal_tags_told_apart(true);
    expect_equal_tags_told_apart(false);
}

Test(accounts, searches_go_round_the_end_of_the_slots)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    const uint64_t slots = accounts.slot_mask + 1;
    cr_assert_eq(slots, 64);
    uint64_t users[5];
    size_t found = 0;
    for (uint64_t user = 1; found < 5; user++) /* five that all belong into the last slot */
        if (accounts_hash(user, 1) >> 58 == slots - 1)
            users[found++] = user;
    EXPECT_OK(accounts_reserve(&accounts, 5));
    for (size_t i = 0; i < 5; i++)
        accounts_upsert(&accounts, users[i], 1)->available = (settle_int128)i;
    cr_assert_neq(accounts.slots[slots - 1], 0);
    cr_assert_neq(accounts.slots[3], 0);
    for (size_t i = 0; i < 5; i++)
        cr_assert(accounts_find(&accounts, users[i], 1)->available == (settle_int128)i);
    cr_assert_null(accounts_find(&accounts, users[4], 2));
    EXPECT_OK(accounts_reserve(&accounts, 100)); /* and stay in reach when the slots double */
    for (size_t i = 0; i < 5; i++)
        cr_assert(accounts_find(&accounts, users[i], 1)->available == (settle_int128)i);
    accounts_deinit(&accounts);
}

Test(accounts, hashes_spread_neighbours)
{
    /* 2^16 keys into 2^12 buckets of high bits, 16 each: a good hash keeps every bucket well below 50. */
    static uint32_t buckets[3][4096];
    for (uint32_t i = 0; i < 65536; i++) {
        buckets[0][accounts_hash(i, 1) >> 52]++;
        buckets[1][accounts_hash(1001, i) >> 52]++;
        buckets[2][accounts_hash((uint64_t)i << 40, i & 3) >> 52]++;
    }
    for (int pattern = 0; pattern < 3; pattern++)
        for (int i = 0; i < 4096; i++)
            cr_assert(buckets[pattern][i] < 50, "pattern %d, bucket %d: %u", pattern, i, buckets[pattern][i]);
    cr_assert_neq(accounts_hash(1, 2), accounts_hash(2, 1));
    cr_assert_neq(accounts_hash(0, 0), accounts_hash(0, 1));
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

Test(accounts, an_account_takes_128_bytes_at_most_with_its_index)
{
    struct counter counter;
    struct accounts accounts;
    counter_init(&counter);
    EXPECT_OK(accounts_init(&accounts, &counter.mem, 0));
    double worst = 0, worst_peak = 0;
    for (uint32_t i = 0; i < 300000; i++) {
        counter.peak_bytes = counter.live_bytes; /* of this step: a growing index stands beside the old one */
        add(&accounts, i);
        if (accounts.count <= 10000)
            continue;
        cr_assert_leq(counter.live_bytes, (size_t)accounts.count * BYTES_AN_ACCOUNT_MAX, "at %u", accounts.count);
        cr_assert_leq(counter.peak_bytes, (size_t)accounts.count * BYTES_AN_ACCOUNT_MAX, "at %u", accounts.count);
        double live = (double)counter.live_bytes / accounts.count, peak = (double)counter.peak_bytes / accounts.count;
        worst = live > worst ? live : worst;
        worst_peak = peak > worst_peak ? peak : worst_peak;
    }
    cr_log_info("at most %.1f bytes an account, %.1f while the index grows\n", worst, worst_peak);
    accounts_deinit(&accounts);
    cr_assert_eq(counter.live_blocks, 0);
}

Test(accounts, what_is_expected_or_reserved_is_added_without_allocating)
{
    struct counter counter;
    struct accounts accounts;
    counter_init(&counter);
    EXPECT_OK(accounts_init(&accounts, &counter.mem, 5000));
    size_t calls = counter.calls;
    for (uint32_t i = 0; i < 5000; i++)
        accounts_upsert(&accounts, user_of(i), asset_of(i));
    cr_assert_eq(counter.calls, calls);
    EXPECT_OK(accounts_reserve(&accounts, 100000));
    cr_assert_gt(counter.calls, calls);
    calls = counter.calls;
    EXPECT_OK(accounts_reserve(&accounts, 100000));
    EXPECT_OK(accounts_reserve(&accounts, 0));
    for (uint32_t i = 5000; i < 105000; i++)
        accounts_upsert(&accounts, user_of(i), asset_of(i));
    cr_assert_eq(counter.calls, calls);
    accounts_deinit(&accounts);
    cr_assert_eq(counter.live_bytes, 0);
}

/* 10240 accounts fill 16384 slots: the next 32768 are begun at 15/16 of that, and are there when they are needed. */
Test(accounts, slots_are_made_ahead_a_page_at_a_call)
{
    struct counter counter;
    struct accounts accounts;
    counter_init(&counter);
    EXPECT_OK(accounts_init(&accounts, &counter.mem, 10240));
    for (uint32_t i = 0; i < 9601; i++)
        add(&accounts, i);
    cr_assert_null(accounts.ahead.memory);
    for (uint32_t i = 9601; i < 9603; i++)
        add(&accounts, i);
    cr_assert_not_null(accounts.ahead.memory);
    cr_assert_eq(accounts.ahead.bytes, 32768 * 8);
    cr_assert_eq(accounts.ahead.written, 2 * 4096);
    for (uint32_t i = 9603; i < 10240; i++)
        add(&accounts, i);
    cr_assert_eq(accounts.ahead.written, accounts.ahead.bytes);
    size_t calls = counter.calls;
    const void *made = accounts.ahead.memory;
    EXPECT_OK(accounts_reserve(&accounts, 1));
    cr_assert_eq(accounts.slots, made);
    cr_assert_null(accounts.ahead.memory);
    cr_assert_eq(counter.calls, calls + 2, "the old slots freed, and a chunk");
    expect_content(&accounts, 10240);
    accounts_deinit(&accounts);
    cr_assert_eq(counter.live_bytes, 0);
}

Test(accounts, too_many_to_count_are_no_memory)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 10));
    add(&accounts, 0);
    EXPECT_STATUS(accounts_reserve(&accounts, UINT32_MAX), SETTLE_E_NO_MEMORY);
    EXPECT_STATUS(accounts_reserve(&accounts, (uint32_t)1 << 31), SETTLE_E_NO_MEMORY);
    expect_content(&accounts, 1);
    accounts_deinit(&accounts);
}

Test(accounts, deinit_of_nothing_works_and_init_works_again)
{
    struct accounts accounts;
    memset(&accounts, 0, sizeof accounts);
    accounts_deinit(&accounts);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 3));
    accounts_deinit(&accounts);
    accounts_deinit(&accounts);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 3));
    add(&accounts, 0);
    expect_content(&accounts, 1);
    accounts_deinit(&accounts);
}

Test(accounts, adding_without_room_is_a_programmers_error, .signal = SIGABRT)
{
    struct accounts accounts;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    for (uint32_t i = 0; i < 2000; i++)
        accounts_upsert(&accounts, i + 1, 1);
}

/* ---- Clearing ---------------------------------------------------------------------------------------------------- */

Test(accounts, clearing_forgets_all_and_keeps_the_memory)
{
    struct counter counter;
    struct accounts accounts;
    counter_init(&counter);
    EXPECT_OK(accounts_init(&accounts, &counter.mem, 0));
    for (uint32_t i = 0; i < 5000; i++)
        add(&accounts, i)->flags = 77;
    size_t calls = counter.calls, live_bytes = counter.live_bytes;
    accounts_clear(&accounts);
    cr_assert_eq(accounts.count, 0);
    for (uint32_t i = 0; i < 5000; i++)
        cr_assert_null(accounts_find(&accounts, user_of(i), asset_of(i)));
    EXPECT_OK(accounts_reserve(&accounts, 1));
    struct account *account = accounts_upsert(&accounts, 42, 42);
    cr_assert(account->available == 0 && account->flags == 0 && account->version == 0,
              "zero, though the memory is old");
    accounts_clear(&accounts);
    for (uint32_t i = 0; i < 5000; i++)
        add(&accounts, i);
    expect_content(&accounts, 5000);
    cr_assert_eq(counter.calls, calls);
    cr_assert_eq(counter.live_bytes, live_bytes);
    accounts_deinit(&accounts);
    cr_assert_eq(counter.live_blocks, 0);
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */

Test(accounts, sorted_is_by_user_then_asset_with_system_accounts_last)
{
    struct accounts accounts;
    static const struct {
        uint64_t user;
        uint32_t asset;
    } keys[] =
        {
            {SETTLE_USER_FEES, 1}, {3, 2}, {SETTLE_USER_EXTERNAL, 2}, {1, UINT32_MAX},       {3, 1},
            {SETTLE_USER_MAX, 1},  {1, 2}, {SETTLE_USER_EXTERNAL, 1}, {SETTLE_USER_FEES, 2},
        },
      expected[] = {
          {1, 2},
          {1, UINT32_MAX},
          {3, 1},
          {3, 2},
          {SETTLE_USER_MAX, 1},
          {SETTLE_USER_EXTERNAL, 1},
          {SETTLE_USER_EXTERNAL, 2},
          {SETTLE_USER_FEES, 1},
          {SETTLE_USER_FEES, 2},
      };
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 9));
    for (size_t i = 0; i < 9; i++)
        accounts_upsert(&accounts, keys[i].user, keys[i].asset);
    struct account **sorted = accounts_sorted(&accounts);
    cr_assert_not_null(sorted);
    for (size_t i = 0; i < 9; i++) {
        cr_assert_eq(sorted[i]->user, expected[i].user, "place %zu", i);
        cr_assert_eq(sorted[i]->asset, expected[i].asset, "place %zu", i);
    }
    mem_free(&mem_libc, sorted);
    accounts_deinit(&accounts);
}

Test(accounts, every_count_is_sorted)
{
    for (uint32_t count = 0; count <= 130; count++) {
        struct counter counter;
        struct accounts accounts;
        counter_init(&counter);
        EXPECT_OK(accounts_init(&accounts, &counter.mem, count));
        for (uint32_t i = 0; i < count; i++)
            add(&accounts, i);
        struct account **sorted = accounts_sorted(&accounts);
        cr_assert_not_null(sorted, "also of none");
        for (uint32_t i = 1; i < count; i++)
            cr_assert(sorted[i - 1]->user < sorted[i]->user ||
                      (sorted[i - 1]->user == sorted[i]->user && sorted[i - 1]->asset < sorted[i]->asset));
        mem_free(&counter.mem, sorted);
        for (size_t call = 1; call <= 2; call++) {
            counter.fail_at = counter.calls + call;
            cr_assert_null(accounts_sorted(&accounts));
        }
        counter.fail_at = 0;
        expect_content(&accounts, count);
        accounts_deinit(&accounts);
        cr_assert_eq(counter.live_blocks, 0);
    }
}

/* ---- Every allocation fails in turn ------------------------------------------------------------------------------ */

/* Adds until it is done or memory is out; how many were added. */
static uint32_t add_until_failure(struct accounts *accounts, uint32_t count, uint32_t step)
{
    while (accounts->count < count) {
        if (accounts_reserve(accounts, step) != SETTLE_OK)
            break;
        for (uint32_t i = 0; i < step && accounts->count < count; i++) {
            uint32_t number = accounts->count;
            struct account *account = accounts_upsert(accounts, user_of(number), asset_of(number));
            account->available = number;
            account->version = number + 1;
        }
    }
    return accounts->count;
}

static void fail_every_allocation(uint32_t count, uint32_t step)
{
    bool failed = true;
    for (size_t fail_at = 1; failed; fail_at++) {
        struct counter counter;
        struct accounts accounts;
        counter_init(&counter);
        EXPECT_OK(accounts_init(&accounts, &counter.mem, 0));
        counter.fail_at = counter.calls + fail_at;
        uint32_t added = add_until_failure(&accounts, count, step);
        failed = added < count;
        expect_content(&accounts, added);
        if (failed) { /* still out of memory: still the same */
            EXPECT_STATUS(accounts_reserve(&accounts, step), SETTLE_E_NO_MEMORY);
            expect_content(&accounts, added);
        }
        counter.fail_at = 0; /* there is memory again: the table goes on */
        cr_assert_eq(add_until_failure(&accounts, count, step), count);
        expect_content(&accounts, count);
        accounts_deinit(&accounts);
        cr_assert_eq(counter.live_blocks, 0, "allocation %zu", fail_at);
        cr_assert_eq(counter.live_bytes, 0, "allocation %zu", fail_at);
        cr_assert(fail_at > 5 || failed, "too few allocations to test anything");
    }
}

Test(accounts, any_allocation_may_fail_while_adding_one_by_one)
{
    fail_every_allocation(9000, 1);
}

Test(accounts, any_allocation_may_fail_while_reserving_many)
{
    fail_every_allocation(20000, 5000);
}

Test(accounts, any_allocation_of_init_may_fail)
{
    for (size_t fail_at = 1;; fail_at++) {
        struct counter counter;
        struct accounts accounts, untouched;
        counter_init(&counter);
        counter.fail_at = fail_at;
        memset(&accounts, 0x5a, sizeof accounts);
        memcpy(&untouched, &accounts, sizeof untouched);
        settle_status status = accounts_init(&accounts, &counter.mem, 3000);
        if (status == SETTLE_OK) {
            cr_assert_gt(fail_at, 4); /* the list, three chunks and the slots can fail */
            accounts_deinit(&accounts);
            break;
        }
        cr_assert_eq(status, SETTLE_E_NO_MEMORY);
        cr_assert_eq(memcmp(&accounts, &untouched, sizeof accounts), 0);
        cr_assert_eq(counter.live_blocks, 0);
        cr_assert_lt(fail_at, 100);
    }
}
