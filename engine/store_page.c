/*
 * store_page.c — whether a page of LMDB is what it must be. Pure: reads the page's bytes and nothing else.
 *
 * LMDB packs nodes without gaps, and fills the gap when one changes its size. So the sizes of all nodes add up to what lies
 * behind `upper`; a node that is hidden by a damaged count, or one that is read at a wrong place, breaks that sum.
 */
#include "engine/store_page.h"

#include <assert.h>
#include <stddef.h>

static const char *header_fault(const uint8_t *page, uint64_t number, uint32_t page_bytes, enum page_tree tree,
                                bool is_branch)
{
    if (native_u64(page + PAGE_NUMBER) != number)
        return "a page has another one's number";
    if (native_u16(page + PAGE_PAD) != 0 ||
        native_u16(page + PAGE_FLAGS) != (is_branch ? PAGE_IS_BRANCH : PAGE_IS_LEAF))
        return "a page is of the wrong kind";
    const unsigned lower = native_u16(page + PAGE_LOWER), upper = native_u16(page + PAGE_UPPER);
    if (lower % 2 != 0 || lower < PAGE_HEADER_BYTES + 2 || lower > upper || upper > page_bytes)
        return "a page has impossible bounds";
    /* LMDB itself leaves branches of one node in the tree of free pages, and nowhere else. */
    return is_branch && tree != PAGE_TREE_FREE && page_node_count(page) < 2 ? "a branch has one child" : NULL;
}

/* The node's bytes as they count for the sum; 0: they cannot be. */
static uint32_t node_bytes(const uint8_t *page, uint32_t at, uint32_t page_bytes, enum page_tree tree, bool is_branch)
{
    if (at < native_u16(page + PAGE_UPPER) || at % 2 != 0 || at > page_bytes - NODE_HEADER_BYTES)
        return 0;
    const uint8_t *node = page + at;
    const uint32_t key_bytes = native_u16(node + NODE_KEY_BYTES);
    uint64_t bytes = NODE_HEADER_BYTES + (uint64_t)key_bytes;
    if (!is_branch) {
        const unsigned flags = native_u16(node + NODE_FLAGS);
        const bool is_big = tree != PAGE_TREE_TABLES && flags == NODE_IS_OVERFLOW;
        if (flags != (tree == PAGE_TREE_TABLES ? NODE_IS_TREE : 0) && !is_big)
            return 0;
        if (tree == PAGE_TREE_TABLES && node_value_bytes(node) != TREE_BYTES)
            return 0;
        bytes += is_big ? sizeof(uint64_t) : node_value_bytes(node);
    }
    bytes += bytes % 2;
    return key_bytes <= NODE_KEY_BYTES_MAX && bytes <= page_bytes - at ? (uint32_t)bytes : 0;
}

/* Whether a comes before b, both of nodes that lie in the page. */
static bool keys_ascend(const uint8_t *a, const uint8_t *b, enum page_tree tree)
{
    const size_t a_bytes = native_u16(a + NODE_KEY_BYTES), b_bytes = native_u16(b + NODE_KEY_BYTES);
    if (tree == PAGE_TREE_FREE)
        return native_u64(a + NODE_HEADER_BYTES) < native_u64(b + NODE_HEADER_BYTES);
    const int order = memcmp(a + NODE_HEADER_BYTES, b + NODE_HEADER_BYTES, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order != 0 ? order < 0 : a_bytes < b_bytes;
}

const char *page_fault(const uint8_t *page, uint64_t number, uint32_t page_bytes, enum page_tree tree, bool is_branch)
{
    assert(page != NULL && page_bytes >= PAGE_BYTES_MIN && page_bytes <= PAGE_BYTES_MAX);
    const char *fault = header_fault(page, number, page_bytes, tree, is_branch);
    if (fault != NULL)
        return fault;
    const unsigned count = page_node_count(page);
    uint32_t sum = 0;
    const uint8_t *before = NULL;
    for (unsigned i = 0; i < count; i++) {
        const uint32_t at = native_u16(page + PAGE_HEADER_BYTES + 2 * i);
        const uint32_t bytes = node_bytes(page, at, page_bytes, tree, is_branch);
        if (bytes == 0)
            return "a page has an impossible node";
        sum += bytes;
        if (is_branch && i == 0)
            continue; /* its key counts for nothing */
        const uint8_t *node = page + at;
        const unsigned key_bytes = native_u16(node + NODE_KEY_BYTES);
        if (tree == PAGE_TREE_FREE ? key_bytes != sizeof(uint64_t) : key_bytes == 0)
            return "a key has an impossible length";
        if (before != NULL && !keys_ascend(before, node, tree))
            return "its keys are out of order";
        before = node;
    }
    return sum == page_bytes - native_u16(page + PAGE_UPPER) ? NULL : "a page's nodes do not fill it";
}
