/* test_store_sort.c — a checkpoint is written in the order of its keys' bytes. */
#include "engine/store_sort.h"

#include <stdlib.h>
#include <string.h>

#include "engine/store_format.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(store_sort);

enum { COUNT_MAX = 3000 };

static uint64_t state;
static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static struct store_id random_id(uint64_t spread)
{
    struct store_id id = {.position = 1 + random_below(1000000)};
    id.key.is_natural = random_below(2) == 0;
    if (id.key.is_natural) {
        id.key.type = (uint8_t)(SETTLE_DEPOSIT + random_below(2));
        id.key.ts_ms = random_below(8) == 0 ? SETTLE_TS_MS_MAX - random_below(spread) : random_below(spread);
        id.key.user = 1 + random_below(spread);
        id.key.asset = (uint32_t)(1 + random_below(3));
    } else {
        id.key.text_bytes = 1 + random_below(12);
        for (size_t i = 0; i < id.key.text_bytes; i++)
            id.key.text[i] = "-0z\xc3"[random_below(4)];
    }
    return id;
}

static int compare_keys(const struct store_id *a, const struct store_id *b)
{
    uint8_t x[STORE_ID_KEY_BYTES_MAX], y[STORE_ID_KEY_BYTES_MAX];
    size_t x_bytes = store_id_key(&a->key, x), y_bytes = store_id_key(&b->key, y);
    int order = memcmp(x, y, x_bytes < y_bytes ? x_bytes : y_bytes);
    return order != 0 ? order : (x_bytes > y_bytes) - (x_bytes < y_bytes);
}

/* Sorts `count` ids and checks that nothing is lost and the keys' bytes ascend, equal ones in their old order. */
static void expect_sorted(const struct store_id *ids, size_t count)
{
    static struct store_sort_item items[COUNT_MAX], spare[COUNT_MAX];
    static bool seen[COUNT_MAX];
    memset(seen, 0, sizeof(seen));
    const struct store_id *first = NULL;
    size_t shared = 0;
    for (size_t i = 0; i < count; i++) {
        if (!ids[i].key.is_natural && first == NULL) {
            first = &ids[i];
            shared = first->key.text_bytes;
        }
        if (!ids[i].key.is_natural)
            shared = store_id_shared_bytes(first, shared, &ids[i]);
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct store_sort_item){store_id_sort_prefix(&ids[i], shared), &ids[i]};
    store_sort(items, spare, count, store_id_sort_compare);
    for (size_t i = 0; i < count; i++) {
        const struct store_id *id = items[i].element;
        cr_assert(id >= ids && id < ids + count && !seen[id - ids]);
        seen[id - ids] = true;
        if (i == 0)
            continue;
        int order = compare_keys(items[i - 1].element, id);
        cr_assert(order < 0 || (order == 0 && (const struct store_id *)items[i - 1].element < id), "item %zu", i);
    }
}

Test(store_sort, ids_in_any_order_and_number)
{
    static struct store_id ids[COUNT_MAX];
    state = 88172645463325252u;
    for (size_t count = 0; count <= COUNT_MAX; count = count < 60 ? count + 1 : count * 2 - 7) {
        for (uint64_t spread = 2; spread < 2000000; spread *= 100) {
            for (size_t i = 0; i < count; i++)
                ids[i] = random_id(spread);
            expect_sorted(ids, count);
        }
    }
}

Test(store_sort, ids_in_order_and_in_reverse)
{
    static struct store_id ids[1000];
    for (size_t i = 0; i < 1000; i++)
        ids[i] = (struct store_id){
            .key = {.is_natural = true, .type = SETTLE_DEPOSIT, .asset = 1, .user = 1, .ts_ms = i / 2}};
    expect_sorted(ids, 1000);
    for (size_t i = 0; i < 1000; i++)
        ids[i].key.ts_ms = 1000 - i;
    expect_sorted(ids, 1000);
}

static size_t comparisons;
static int counting_compare(const void *a, const void *b)
{
    comparisons++;
    return store_arrival_sort_compare(a, b);
}

Test(store_sort, what_is_in_order_costs_no_merge)
{
    static struct store_arrival arrivals[COUNT_MAX];
    static struct store_sort_item items[COUNT_MAX];
    for (size_t i = 0; i < COUNT_MAX; i++) {
        arrivals[i] = (struct store_arrival){.first_position = 1, .position = i + 2};
        items[i] = (struct store_sort_item){store_arrival_sort_prefix(&arrivals[i]), &arrivals[i]};
    }
    comparisons = 0;
    static struct store_sort_item spare[COUNT_MAX];
    store_sort(items, spare, COUNT_MAX, counting_compare);
    cr_assert(comparisons < 2 * COUNT_MAX, "%zu", comparisons);
    for (size_t i = 0; i < COUNT_MAX; i++)
        cr_assert_eq(items[i].element, &arrivals[i]);
}

Test(store_sort, arrivals_and_accounts_sort_as_their_keys)
{
    static struct store_arrival arrivals[COUNT_MAX];
    static struct account accounts[COUNT_MAX];
    static struct store_sort_item items[COUNT_MAX], spare[COUNT_MAX];
    uint8_t a[STORE_ARRIVAL_KEY_BYTES], b[STORE_ARRIVAL_KEY_BYTES];
    state = 1234567;
    for (size_t i = 0; i < COUNT_MAX; i++) {
        arrivals[i] =
            (struct store_arrival){.first_position = 1 + random_below(50), .position = 100 + random_below(100000)};
        items[i] = (struct store_sort_item){store_arrival_sort_prefix(&arrivals[i]), &arrivals[i]};
    }
    store_sort(items, spare, COUNT_MAX, store_arrival_sort_compare);
    for (size_t i = 1; i < COUNT_MAX; i++) {
        const struct store_arrival *x = items[i - 1].element, *y = items[i].element;
        store_arrival_key(x->first_position, x->position, a);
        store_arrival_key(y->first_position, y->position, b);
        cr_assert(memcmp(a, b, sizeof(a)) <= 0);
    }
    for (size_t i = 0; i < COUNT_MAX; i++) {
        uint64_t user = random_below(4) == 0 ? SETTLE_USER_FEES - random_below(2) : 1 + random_below(300);
        accounts[i] = (struct account){.user = user, .asset = (uint32_t)(1 + random_below(UINT32_MAX))};
        items[i] = (struct store_sort_item){store_account_sort_prefix(&accounts[i]), &accounts[i]};
    }
    store_sort(items, spare, COUNT_MAX, store_account_sort_compare);
    for (size_t i = 1; i < COUNT_MAX; i++) {
        const struct account *x = items[i - 1].element, *y = items[i].element;
        store_account_key(x->user, x->asset, a);
        store_account_key(y->user, y->asset, b);
        cr_assert(memcmp(a, b, STORE_ACCOUNT_KEY_BYTES) <= 0);
    }
}

/* Prefixes are the first 16 bytes of a text: these differ behind them only. */
Test(store_sort, ids_that_differ_late_are_in_order_too)
{
    static struct store_id ids[COUNT_MAX];
    state = 88172645463325252u;
    for (size_t count = 2; count <= 1000; count *= 2) {
        for (size_t i = 0; i < count; i++) {
            ids[i] = (struct store_id){.position = i + 1};
            ids[i].key.text_bytes = 18 + random_below(40);
            memset(ids[i].key.text, 'a', sizeof ids[i].key.text);
            ids[i].key.text[15] = (char)('a' + random_below(2));
            ids[i].key.text[16 + random_below(2)] = (char)('a' + random_below(26));
        }
        expect_sorted(ids, count);
    }
}

Test(store_sort, what_is_in_order_stays_and_what_is_backwards_is_turned)
{
    static struct store_id ids[COUNT_MAX];
    for (int backwards = 0; backwards < 2; backwards++) {
        for (size_t i = 0; i < COUNT_MAX; i++) {
            uint64_t ts_ms = backwards ? COUNT_MAX - i : i;
            ids[i] = (struct store_id){.key = {.is_natural = true, .type = SETTLE_DEPOSIT, .user = 1, .asset = 1, .ts_ms = ts_ms},
                                       .position = i + 1};
        }
        expect_sorted(ids, COUNT_MAX);
    }
}
