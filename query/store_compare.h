/*
 * store_compare.h — a store, or the archive's snapshot, compared with the fold of the journal up to its point.
 */
#ifndef QUERY_STORE_COMPARE_H
#define QUERY_STORE_COMPARE_H

#include "engine/store.h"
#include "query/fold.h"

struct store_compare {
    const struct fold *fold;       /* stands at the store's point */
    const char *file, *called;     /* what is compared, in errors: "store", "the store" */
    const struct store_meta *meta; /* of the store's snapshot */
    uint64_t ids, id_digest;       /* of the journal's ids before the point */
    bool differs;                  /* the answer, beside SETTLE_E_CORRUPT: it is sound, and says something else */
};
/* Balances, assets, sources and ids, and that none is missing. SETTLE_E_CORRUPT with what differs or is damaged. */
settle_status store_compare(struct store_compare *compare, struct store_snapshot *snapshot, settle_error *error);

#endif
