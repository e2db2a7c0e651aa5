/*
 * merkle.h — the Merkle tree of RFC 6962 and RFC 9162, section 2.1, with SHA-256. Pure, and in memory that grows with
 * the logarithm of the tree: leaves come in their order and are not kept.
 *
 * Leaves are counted from 0. A tree has fewer than 2^63 leaves.
 */
#ifndef SEAL_MERKLE_H
#define SEAL_MERKLE_H

#include "journal/seal/digest.h"

/* An inclusion path has a hash a level, a consistency proof one more. */
#define MERKLE_PATH_MAX 64

struct digest merkle_leaf(const void *data, size_t count);
struct digest merkle_node(const struct digest *left, const struct digest *right);

/* The roots of the complete subtrees that make up a tree: all that is needed to let it grow. Zeros are the empty tree.
 */
struct merkle_frontier {
    uint64_t size;
    struct digest peaks[64]; /* [k] has 2^k leaves; there where bit k of size is set */
};
void merkle_append(struct merkle_frontier *frontier, const struct digest *leaf);
struct digest merkle_root(const struct merkle_frontier *frontier);

/* ---- Making proofs ----------------------------------------------------------------------------------------------- */

/* The leaves first … end − 1. A proof is the roots of such ranges, which never overlap. */
struct merkle_range {
    uint64_t first, end;
};
struct merkle_ranges {
    size_t count;
    struct merkle_range at[MERKLE_PATH_MAX]; /* in the order of the proof */
};
/* PATH(index, D[size]); index < size. */
void merkle_inclusion_ranges(uint64_t index, uint64_t size, struct merkle_ranges *ret_ranges);
/* PROOF(old, D[size]); old <= size. None where old is 0 or size. */
void merkle_consistency_ranges(uint64_t old_size, uint64_t size, struct merkle_ranges *ret_ranges);

/* Computes the roots of ranges while all leaves of the tree pass by. */
struct merkle_collector {
    struct merkle_ranges ranges;
    struct digest path[MERKLE_PATH_MAX]; /* ranges.count, once the last leaf was added */
    size_t active;                       /* the range whose leaves are coming; ranges.count: none */
    struct merkle_frontier subtree;      /* of the active range */
};
void merkle_collector_begin(struct merkle_collector *collector, const struct merkle_ranges *ranges);
/* Leaf by leaf: `index` is 0, 1, 2 … */
void merkle_collector_add(struct merkle_collector *collector, uint64_t index, const struct digest *leaf);

/* ---- Checking proofs --------------------------------------------------------------------------------------------- */

/* RFC 9162, 2.1.3.2: the root that leaf and path lead to; false: the path is not one of this index and size. */
bool merkle_inclusion_root(uint64_t index, uint64_t size, const struct digest *leaf, const struct digest *path,
                           size_t count, struct digest *ret_root);
/* RFC 9162, 2.1.4.2; an empty old tree is consistent with every other, with an empty proof. */
bool merkle_consistency_holds(uint64_t old_size, uint64_t size, const struct digest *old_root,
                              const struct digest *root, const struct digest *path, size_t count);

#endif
