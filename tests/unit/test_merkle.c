/*
 * test_merkle.c — the tree against one built by the recursive definitions of RFC 9162, for every size up to some
 * hundreds, and against the roots that Certificate Transparency's own tests have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/seal/merkle.h"
#include "tests/lib/expect.h"

SETTLE_SUITE(merkle);

#define LEAVES_MAX 260

static struct digest leaves[LEAVES_MAX];

static void make_leaves(void)
{
    for (uint32_t i = 0; i < LEAVES_MAX; i++)
        leaves[i] = merkle_leaf(&i, sizeof i);
}

/* ---- The definitions, word for word ---- */

static uint64_t naive_split(uint64_t n)
{
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

/* MTH(D[first:end]) */
static struct digest naive_root(uint64_t first, uint64_t end)
{
    if (end == first)
        return digest_of(NULL, 0);
    if (end - first == 1)
        return leaves[first];
    uint64_t k = naive_split(end - first);
    struct digest left = naive_root(first, first + k), right = naive_root(first + k, end);
    return merkle_node(&left, &right);
}

/* PATH(m, D[first:end]) */
static size_t naive_path(uint64_t m, uint64_t first, uint64_t end, struct digest *path)
{
    if (end - first == 1)
        return 0;
    uint64_t k = naive_split(end - first);
    size_t count = m < k ? naive_path(m, first, first + k, path) : naive_path(m - k, first + k, end, path);
    path[count] = m < k ? naive_root(first + k, end) : naive_root(first, first + k);
    return count + 1;
}

/* SUBPROOF(m, D[first:end], b) */
static size_t naive_subproof(uint64_t m, uint64_t first, uint64_t end, bool b, struct digest *path)
{
    if (m == end - first) {
        if (b)
            return 0;
        path[0] = naive_root(first, end);
        return 1;
    }
    uint64_t k = naive_split(end - first);
    size_t count =
        m <= k ? naive_subproof(m, first, first + k, b, path) : naive_subproof(m - k, first + k, end, false, path);
    path[count] = m <= k ? naive_root(first + k, end) : naive_root(first, first + k);
    return count + 1;
}

static void collect(struct merkle_collector *collector, const struct merkle_ranges *ranges, uint64_t size)
{
    merkle_collector_begin(collector, ranges);
    for (uint64_t i = 0; i < size; i++)
        merkle_collector_add(collector, i, &leaves[i]);
}

static void expect_path(const struct merkle_collector *collector, const struct digest *path, size_t count)
{
    cr_assert_eq(collector->ranges.count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert(digest_equal(&collector->path[i], &path[i]), "hash %zu of %zu", i, count);
}

/* ---- Roots ---- */

static struct digest digest_from_hex(const char *hex)
{
    struct digest digest;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        unsigned byte = 0;
        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        digest.bytes[i] = (uint8_t)byte;
    }
    return digest;
}

/* The leaves and roots of the reference implementation's merkletree test. */
Test(merkle, the_roots_are_those_of_certificate_transparency)
{
    static const struct {
        const char *leaf;
        size_t bytes;
        const char *root;
    } cases[] = {
        {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"\x50\x51\x52\x53\x54\x55\x56\x57", 8, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct merkle_frontier tree = {.size = 0};
    struct digest root = merkle_root(&tree);
    struct digest expected = digest_from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cr_assert(digest_equal(&root, &expected), "the empty tree");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct digest leaf = merkle_leaf(cases[i].leaf, cases[i].bytes);
        merkle_append(&tree, &leaf);
        root = merkle_root(&tree);
        expected = digest_from_hex(cases[i].root);
        cr_assert(digest_equal(&root, &expected), "%zu leaves", i + 1);
    }
}

Test(merkle, the_root_is_the_naive_trees_for_every_size)
{
    struct merkle_frontier tree = {.size = 0};
    make_leaves();
    for (uint64_t size = 0; size < LEAVES_MAX; size++) {
        struct digest root = merkle_root(&tree), expected = naive_root(0, size);
        cr_assert(digest_equal(&root, &expected), "size %d", (int)size);
        merkle_append(&tree, &leaves[size]);
    }
}

Test(merkle, a_leaf_is_no_node)
{
    uint8_t both[64];
    make_leaves();
    memcpy(both, leaves[0].bytes, 32);
    memcpy(both + 32, leaves[1].bytes, 32);
    struct digest as_leaf = merkle_leaf(both, sizeof both), as_node = merkle_node(&leaves[0], &leaves[1]);
    cr_assert_not(digest_equal(&as_leaf, &as_node));
}

/* ---- Inclusion ---- */

Test(merkle, every_leaf_of_every_size_has_the_naive_path_and_it_leads_to_the_root)
{
    struct merkle_collector collector;
    struct merkle_ranges ranges;
    struct digest path[MERKLE_PATH_MAX], root;
    make_leaves();
    for (uint64_t size = 1; size <= 130; size++) {
        struct digest expected = naive_root(0, size);
        for (uint64_t index = 0; index < size; index++) {
            merkle_inclusion_ranges(index, size, &ranges);
            collect(&collector, &ranges, size);
            size_t count = naive_path(index, 0, size, path);
            expect_path(&collector, path, count);
            cr_assert(merkle_inclusion_root(index, size, &leaves[index], path, count, &root));
            cr_assert(digest_equal(&root, &expected));
        }
    }
}

Test(merkle, a_path_is_good_for_one_index_and_size_only)
{
    struct digest path[MERKLE_PATH_MAX], root;
    make_leaves();
    for (uint64_t size = 1; size <= 40; size++) {
        struct digest expected = naive_root(0, size);
        for (uint64_t index = 0; index < size; index++) {
            size_t count = naive_path(index, 0, size, path);
            for (uint64_t other = 0; other < 2 * size; other++)
                if (other != index && merkle_inclusion_root(other, size, &leaves[index], path, count, &root))
                    cr_assert_not(digest_equal(&root, &expected), "%d of %d as %d", (int)index, (int)size, (int)other);
            path[count] = path[0];
            cr_assert_not(merkle_inclusion_root(index, size, &leaves[index], path, count + 1, &root));
            if (count > 0)
                cr_assert_not(merkle_inclusion_root(index, size, &leaves[index], path, count - 1, &root));
        }
    }
}

Test(merkle, a_flipped_bit_of_a_path_or_a_leaf_leads_elsewhere)
{
    struct digest path[MERKLE_PATH_MAX], root, expected, leaf;
    make_leaves();
    expected = naive_root(0, 13);
    size_t count = naive_path(11, 0, 13, path);
    for (size_t bit = 0; bit < (count + 1) * 256; bit++) {
        leaf = leaves[11];
        uint8_t *byte = bit < 256 ? &leaf.bytes[bit / 8] : &path[bit / 256 - 1].bytes[bit % 256 / 8];
        *byte ^= (uint8_t)(1 << bit % 8);
        cr_assert(merkle_inclusion_root(11, 13, &leaf, path, count, &root));
        cr_assert_not(digest_equal(&root, &expected));
        *byte ^= (uint8_t)(1 << bit % 8);
    }
}

Test(merkle, there_is_no_leaf_behind_the_last)
{
    struct digest root;
    make_leaves();
    cr_assert_not(merkle_inclusion_root(0, 0, &leaves[0], NULL, 0, &root));
    cr_assert_not(merkle_inclusion_root(1, 1, &leaves[0], NULL, 0, &root));
    cr_assert(merkle_inclusion_root(0, 1, &leaves[0], NULL, 0, &root));
    cr_assert(digest_equal(&root, &leaves[0]));
}

/* ---- Consistency ---- */

Test(merkle, every_pair_of_sizes_has_the_naive_proof_and_it_holds)
{
    struct merkle_collector collector;
    struct merkle_ranges ranges;
    struct digest path[MERKLE_PATH_MAX];
    make_leaves();
    for (uint64_t size = 1; size <= 100; size++) {
        struct digest root = naive_root(0, size);
        for (uint64_t old = 1; old <= size; old++) {
            struct digest old_root = naive_root(0, old);
            merkle_consistency_ranges(old, size, &ranges);
            collect(&collector, &ranges, size);
            size_t count = naive_subproof(old, 0, size, true, path);
            expect_path(&collector, path, count);
            cr_assert(merkle_consistency_holds(old, size, &old_root, &root, path, count), "%d %d", (int)old, (int)size);
        }
    }
}

Test(merkle, a_proof_holds_for_its_own_two_trees_only)
{
    struct digest path[MERKLE_PATH_MAX];
    make_leaves();
    for (uint64_t size = 2; size <= 24; size++) {
        struct digest root = naive_root(0, size), other = leaves[200];
        for (uint64_t old = 1; old < size; old++) {
            struct digest old_root = naive_root(0, old);
            size_t count = naive_subproof(old, 0, size, true, path);
            cr_assert_not(merkle_consistency_holds(old, size, &other, &root, path, count));
            cr_assert_not(merkle_consistency_holds(old, size, &old_root, &other, path, count));
            cr_assert_not(merkle_consistency_holds(old, size, &old_root, &root, path, count - 1));
            for (uint64_t wrong = 1; wrong < size; wrong++)
                cr_assert(wrong == old || !merkle_consistency_holds(wrong, size, &old_root, &root, path, count));
            for (size_t i = 0; i < count; i++) {
                path[i].bytes[i] ^= 1;
                cr_assert_not(merkle_consistency_holds(old, size, &old_root, &root, path, count));
                path[i].bytes[i] ^= 1;
            }
            path[count] = path[0];
            cr_assert_not(merkle_consistency_holds(old, size, &old_root, &root, path, count + 1));
        }
    }
}

Test(merkle, the_empty_tree_is_consistent_with_all_and_no_tree_with_a_smaller_one)
{
    struct merkle_ranges ranges;
    struct digest empty = digest_of(NULL, 0);
    make_leaves();
    struct digest root = naive_root(0, 5), four = naive_root(0, 4);
    merkle_consistency_ranges(0, 5, &ranges);
    cr_assert_eq(ranges.count, 0);
    cr_assert(merkle_consistency_holds(0, 5, &empty, &root, NULL, 0));
    cr_assert(merkle_consistency_holds(0, 0, &empty, &empty, NULL, 0));
    cr_assert(merkle_consistency_holds(5, 5, &root, &root, NULL, 0));
    cr_assert_not(merkle_consistency_holds(0, 5, &root, &root, NULL, 0));
    cr_assert_not(merkle_consistency_holds(0, 0, &empty, &root, NULL, 0));
    cr_assert_not(merkle_consistency_holds(0, 0, &root, &root, NULL, 0));
    cr_assert_not(merkle_consistency_holds(5, 5, &root, &four, NULL, 0));
    cr_assert_not(merkle_consistency_holds(5, 5, &root, &root, &four, 1));
    cr_assert_not(merkle_consistency_holds(5, 4, &root, &four, NULL, 0));
    cr_assert_not(merkle_consistency_holds(4, 5, &four, &root, NULL, 0));
}

/* Sizes that no test can build: the ranges cover what they must and nothing twice. */
Test(merkle, the_ranges_of_huge_trees_lie_side_by_side)
{
    static const uint64_t sizes[] = {1, 2, 3, 1000000007, ((uint64_t)1 << 62) + 12345, ((uint64_t)1 << 63) - 1};
    struct merkle_ranges ranges;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t indexes[] = {0, sizes[i] / 3, sizes[i] - 1};
        for (size_t k = 0; k < 3; k++) {
            uint64_t covered = 0;
            merkle_inclusion_ranges(indexes[k], sizes[i], &ranges);
            for (size_t r = 0; r < ranges.count; r++) {
                covered += ranges.at[r].end - ranges.at[r].first;
                cr_assert(indexes[k] < ranges.at[r].first || indexes[k] >= ranges.at[r].end);
            }
            cr_assert_eq(covered, sizes[i] - 1);
        }
    }
}
