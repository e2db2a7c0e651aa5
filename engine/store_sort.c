/*
 * store_sort.c — sorting what a checkpoint writes by key: a radix sort over the bytes of the prefixes that differ, which are few
 * (users and times of one checkpoint are near each other), then a merge sort of those with equal prefixes. libc's qsort(3)
 * takes memory that is not the embedder's and needs three times as long.
 *
 * Invariant: a prefix never contradicts the key: prefix(a) < prefix(b) implies key(a) < key(b).
 */
#include "engine/store_sort.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "journal/base/bytes.h"

enum { RUN_ITEMS = 12 }; /* insertion sort up to here */

static bool is_behind(const struct store_sort_item *a, const struct store_sort_item *b, store_sort_compare compare)
{
    if (a->prefix != b->prefix)
        return a->prefix > b->prefix;
    return compare(a->element, b->element) > 0;
}

static void sort_run(struct store_sort_item *items, size_t count, store_sort_compare compare)
{
    for (size_t i = 1; i < count; i++) {
        struct store_sort_item item = items[i];
        size_t hole = i;
        for (; hole > 0 && is_behind(&items[hole - 1], &item, compare); hole--)
            items[hole] = items[hole - 1];
        items[hole] = item;
    }
}

/* Merges from[0 … middle) and from[middle … count), each in order. */
static void merge_runs(const struct store_sort_item *from, size_t middle, size_t count, struct store_sort_item *to,
                       store_sort_compare compare)
{
    size_t left = 0, right = middle, at = 0;
    while (left < middle && right < count)
        to[at++] = is_behind(&from[left], &from[right], compare) ? from[right++] : from[left++];
    memcpy(to + at, from + left, (middle - left) * sizeof(*to));
    at += middle - left;
    memcpy(to + at, from + right, (count - right) * sizeof(*to));
}

/* By all of the key: merge sort. */
static void sort_equals(struct store_sort_item *items, struct store_sort_item *spare, size_t count,
                        store_sort_compare compare)
{
    for (size_t start = 0; start < count; start += RUN_ITEMS)
        sort_run(items + start, count - start < RUN_ITEMS ? count - start : RUN_ITEMS, compare);
    for (size_t width = RUN_ITEMS; width < count; width *= 2) {
        for (size_t start = 0; start + width < count; start += 2 * width) {
            struct store_sort_item *pair = items + start;
            size_t both = count - start < 2 * width ? count - start : 2 * width;
            if (!is_behind(&pair[width - 1], &pair[width], compare))
                continue;
            merge_runs(pair, width, both, spare, compare);
            memcpy(pair, spare, both * sizeof(*pair));
        }
    }
}

/* By the byte of the prefix that begins at `bit`, keeping the order of equal ones. */
static void sort_by_byte(const struct store_sort_item *from, struct store_sort_item *to, size_t count, unsigned bit)
{
    size_t places[256] = {0};
    for (size_t i = 0; i < count; i++)
        places[(uint8_t)(from[i].prefix >> bit)]++;
    size_t place = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        size_t these = places[byte];
        places[byte] = place;
        place += these;
    }
    for (size_t i = 0; i < count; i++)
        to[places[(uint8_t)(from[i].prefix >> bit)]++] = from[i];
}

/* The bits in which any two prefixes differ. Zero: all are the same; *ret_is_sorted: nothing is to be done at all. */
static settle_uint128 differing_bits(const struct store_sort_item *items, size_t count, bool *ret_is_sorted)
{
    settle_uint128 bits = 0;
    *ret_is_sorted = true;
    for (size_t i = 1; i < count; i++) {
        bits |= items[i].prefix ^ items[0].prefix;
        if (items[i - 1].prefix >= items[i].prefix)
            *ret_is_sorted = false;
    }
    return bits;
}

void store_sort(struct store_sort_item *items, struct store_sort_item *spare, size_t count, store_sort_compare compare)
{
    assert(count == 0 || (items && spare));
    bool is_sorted;
    settle_uint128 bits = differing_bits(items, count, &is_sorted);
    if (is_sorted)
        return;
    struct store_sort_item *from = items, *to = spare;
    for (unsigned bit = 0; bit < 128; bit += 8) {
        if ((uint8_t)(bits >> bit) == 0)
            continue;
        sort_by_byte(from, to, count, bit);
        struct store_sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof(*items));
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && items[end].prefix == items[start].prefix;)
            end++;
        if (end - start > 1)
            sort_equals(items + start, spare, end - start, compare);
    }
}

/* ---- Keys --------------------------------------------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static settle_uint128 join(uint64_t high, uint64_t low)
{
    return (settle_uint128)high << 64 | low;
}

settle_uint128 store_account_sort_prefix(const struct account *account)
{
    return join(account->user, account->asset);
}

int store_account_sort_compare(const void *a, const void *b)
{
    const struct account *x = a, *y = b;
    return compare_u64(x->asset, y->asset);
}

size_t store_id_shared_bytes(const struct store_id *first, size_t shared, const struct store_id *id)
{
    assert(!first->key.is_natural && !id->key.is_natural && shared <= first->key.text_bytes);
    if (shared > id->key.text_bytes)
        shared = id->key.text_bytes;
    while (memcmp(first->key.text, id->key.text, shared) != 0)
        shared--;
    return shared;
}

settle_uint128 store_id_sort_prefix(const struct store_id *id, size_t shared)
{
    const struct event_key *key = &id->key;
    if (key->is_natural) {
        assert(key->ts_ms <= SETTLE_TS_MS_MAX); /* 54 bits */
        return join(key->ts_ms << 8 | key->type, key->user);
    }
    /* Behind all natural ids: the highest bit, then the first bits of the text. */
    assert(shared <= key->text_bytes);
    uint8_t first[16] = {0};
    size_t bytes = key->text_bytes - shared;
    memcpy(first, key->text + shared, bytes < sizeof(first) ? bytes : sizeof(first));
    return (settle_uint128)1 << 127 | join(get_be64(first), get_be64(first + 8)) >> 1;
}

int store_id_sort_compare(const void *a, const void *b)
{
    const struct event_key *x = &((const struct store_id *)a)->key, *y = &((const struct store_id *)b)->key;
    assert(x->is_natural == y->is_natural); /* their prefixes differ otherwise */
    if (x->is_natural)
        return compare_u64(x->asset, y->asset); /* time, type and user are the prefix */
    size_t shorter = x->text_bytes < y->text_bytes ? x->text_bytes : y->text_bytes;
    int order = memcmp(x->text, y->text, shorter);
    return order != 0 ? order : compare_u64(x->text_bytes, y->text_bytes);
}

settle_uint128 store_arrival_sort_prefix(const struct store_arrival *arrival)
{
    return join(arrival->first_position, arrival->position);
}

int store_arrival_sort_compare(const void *a, const void *b)
{
    const struct store_arrival *x = a, *y = b;
    return compare_u64(x->position, y->position);
}
