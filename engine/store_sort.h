/* store_sort.h — the order of LMDB's keys for what a checkpoint writes: sorted puts are several times faster. */
#ifndef ENGINE_STORE_SORT_H
#define ENGINE_STORE_SORT_H

#include "engine/store.h"

/* One thing to sort: the beginning of its key as a number, so that most comparisons need not touch the thing itself. */
struct store_sort_item {
    settle_uint128 prefix;
    const void *element;
};

/* The order of the keys of two elements whose prefixes are equal: < 0, 0, > 0. */
typedef int (*store_sort_compare)(const void *a, const void *b);

/* Stable. What is already in order costs one pass. `spare` has room for all. */
void store_sort(struct store_sort_item *items, struct store_sort_item *spare, size_t count, store_sort_compare compare);

/* For struct account. */
settle_uint128 store_account_sort_prefix(const struct account *account);
int store_account_sort_compare(const void *a, const void *b);
/* For struct store_id: natural ids before the others, each kind in the order of its table's keys. `shared`: with how many bytes
 * the texts of all begin alike; those are left out of the prefix. */
settle_uint128 store_id_sort_prefix(const struct store_id *id, size_t shared);
/* How many bytes of `shared`, with which the text of `first` begins, that of `id` begins with too. */
size_t store_id_shared_bytes(const struct store_id *first, size_t shared, const struct store_id *id);
int store_id_sort_compare(const void *a, const void *b);
/* For struct store_arrival. */
settle_uint128 store_arrival_sort_prefix(const struct store_arrival *arrival);
int store_arrival_sort_compare(const void *a, const void *b);

#endif
