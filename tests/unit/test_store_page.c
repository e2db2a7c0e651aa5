/* test_store_page.c — one page of LMDB: what is refused, bit by bit, on a leaf and a branch made by hand. */
#include "engine/store_page.h"

#include "tests/lib/expect.h"

SETTLE_SUITE(store_page);

enum { PAGE_BYTES = 4096, NUMBER = 7 };

struct page {
    uint8_t bytes[PAGE_BYTES];
    unsigned count, upper;
};

static void put_native_u16(uint8_t *at, unsigned value)
{
    const uint16_t v = (uint16_t)value;
    memcpy(at, &v, sizeof(v));
}

static void page_begin(struct page *page, unsigned kind)
{
    const uint64_t number = NUMBER;
    *page = (struct page){.upper = PAGE_BYTES};
    memcpy(page->bytes + PAGE_NUMBER, &number, sizeof(number));
    put_native_u16(page->bytes + PAGE_FLAGS, kind);
}

/* The next node, packed from the end as LMDB does. low, high and flags: the value's length, or the child. */
static uint8_t *page_add(struct page *page, const void *key, unsigned key_bytes, unsigned low, unsigned flags,
                         unsigned value_bytes)
{
    unsigned bytes = NODE_HEADER_BYTES + key_bytes + value_bytes;
    page->upper -= bytes + bytes % 2;
    uint8_t *node = page->bytes + page->upper;
    put_native_u16(node + NODE_LOW, low);
    put_native_u16(node + NODE_FLAGS, flags);
    put_native_u16(node + NODE_KEY_BYTES, key_bytes);
    memcpy(node + NODE_HEADER_BYTES, key, key_bytes);
    put_native_u16(page->bytes + PAGE_HEADER_BYTES + 2 * page->count++, page->upper);
    put_native_u16(page->bytes + PAGE_LOWER, PAGE_HEADER_BYTES + 2 * page->count);
    put_native_u16(page->bytes + PAGE_UPPER, page->upper);
    return node;
}

static const char *fault_of(const struct page *page, enum page_tree tree, bool is_branch)
{
    return page_fault(page->bytes, NUMBER, PAGE_BYTES, tree, is_branch);
}

static void make_leaf(struct page *page)
{
    page_begin(page, PAGE_IS_LEAF);
    page_add(page, "a", 1, 5, 0, 5);
    page_add(page, "ab", 2, 4, 0, 4);
    page_add(page, "b", 1, 0, 0, 0);
}

static void make_branch(struct page *page)
{
    page_begin(page, PAGE_IS_BRANCH);
    page_add(page, "", 0, 11, 0, 0);
    page_add(page, "k", 1, 12, 0, 0);
    page_add(page, "m", 1, 13, 0, 0);
}

Test(store_page, a_leaf_and_a_branch_are_good)
{
    struct page page;
    make_leaf(&page);
    cr_assert_null(fault_of(&page, PAGE_TREE_TABLE, false));
    cr_assert_eq(page_node_count(page.bytes), 3);
    cr_assert_eq(node_value_bytes(page_node(page.bytes, 1)), 4);
    cr_assert_eq(node_value(page_node(page.bytes, 1)) - page_node(page.bytes, 1), NODE_HEADER_BYTES + 2);
    make_branch(&page);
    cr_assert_null(fault_of(&page, PAGE_TREE_TABLE, true));
    cr_assert_eq(node_child(page_node(page.bytes, 2)), 13);
}

Test(store_page, a_childs_number_has_48_bits)
{
    struct page page;
    page_begin(&page, PAGE_IS_BRANCH);
    uint8_t *node = page_add(&page, "", 0, 0x1111, 0x3333, 0);
    put_native_u16(node + NODE_HIGH, 0x2222);
    cr_assert_eq(node_child(node), UINT64_C(0x333322221111));
}

/*
 * Bits whose flip a page does not show by itself: in keys that stay in order, values, a branch's children and its first key;
 * and a length that is one less or more within the byte that makes its node even. Entries have checksums for these.
 */
static bool may_be_good(const struct page *page, size_t bit, bool is_branch)
{
    const size_t byte = bit / 8;
    if (byte < PAGE_HEADER_BYTES + 2 * page->count)
        return false;
    if (byte < page->upper)
        return true; /* between the offsets and the nodes lies nothing */
    for (unsigned i = 0; i < page->count; i++) {
        const size_t at = native_u16(page->bytes + PAGE_HEADER_BYTES + 2 * i);
        const size_t key_bytes = native_u16(page->bytes + at + NODE_KEY_BYTES);
        if (byte >= at && byte < at + NODE_HEADER_BYTES)
            return (is_branch && byte < at + NODE_KEY_BYTES) ||
                   (bit % 8 == 0 && (byte == at + NODE_LOW || byte == at + NODE_KEY_BYTES));
        if (byte >= at + NODE_HEADER_BYTES && byte < at + NODE_HEADER_BYTES + key_bytes)
            return true;
    }
    return true; /* values, and the byte that makes a node even */
}

static void expect_flips(struct page *page, bool is_branch)
{
    unsigned refused = 0;
    for (size_t bit = 0; bit < PAGE_BYTES * 8; bit++) {
        page->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const char *fault = fault_of(page, PAGE_TREE_TABLE, is_branch);
        page->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += fault != NULL;
        if (fault == NULL)
            cr_assert(may_be_good(page, bit, is_branch), "bit %zu of byte %zu", bit % 8, bit / 8);
    }
    cr_assert_geq(refused, 8 * (PAGE_HEADER_BYTES + 2 * page->count));
}

Test(store_page, any_flipped_bit_of_a_header_an_offset_or_a_length_is_seen)
{
    struct page page;
    make_leaf(&page);
    expect_flips(&page, false);
    make_branch(&page);
    expect_flips(&page, true);
}

Test(store_page, keys_ascend_strictly)
{
    struct page page;
    page_begin(&page, PAGE_IS_LEAF);
    page_add(&page, "b", 1, 0, 0, 0);
    page_add(&page, "b", 1, 0, 0, 0);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "its keys are out of order");
    page_begin(&page, PAGE_IS_LEAF);
    page_add(&page, "ab", 2, 0, 0, 0);
    page_add(&page, "a", 1, 0, 0, 0);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "its keys are out of order");
}

Test(store_page, a_hidden_node_leaves_a_gap_that_is_seen)
{
    struct page page;
    make_leaf(&page);
    put_native_u16(page.bytes + PAGE_LOWER, PAGE_HEADER_BYTES + 2 * 2);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "a page's nodes do not fill it");
}

Test(store_page, a_branch_of_one_child_is_for_free_pages_alone)
{
    struct page page;
    page_begin(&page, PAGE_IS_BRANCH);
    page_add(&page, "", 0, 11, 0, 0);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, true), "a branch has one child");
    cr_assert_null(fault_of(&page, PAGE_TREE_FREE, true));
}

Test(store_page, each_tree_has_values_of_its_own_kind)
{
    const uint64_t first = 256, second = 1; /* as numbers, not as bytes */
    struct page page;
    page_begin(&page, PAGE_IS_LEAF);
    page_add(&page, &second, sizeof(second), 16, 0, 16);
    page_add(&page, &first, sizeof(first), 60000, NODE_IS_OVERFLOW, 8);
    cr_assert_null(fault_of(&page, PAGE_TREE_FREE, false));
    cr_assert_not_null(fault_of(&page, PAGE_TREE_TABLES, false));
    page_begin(&page, PAGE_IS_LEAF);
    page_add(&page, "accounts", 8, TREE_BYTES, NODE_IS_TREE, TREE_BYTES);
    cr_assert_null(fault_of(&page, PAGE_TREE_TABLES, false));
    cr_assert_not_null(fault_of(&page, PAGE_TREE_TABLE, false));
    page_begin(&page, PAGE_IS_LEAF);
    page_add(&page, "accounts", 8, TREE_BYTES - 1, NODE_IS_TREE, TREE_BYTES - 1);
    cr_assert_not_null(fault_of(&page, PAGE_TREE_TABLES, false));
}

Test(store_page, bounds_and_offsets_beyond_the_page_are_refused)
{
    struct page page;
    make_leaf(&page);
    put_native_u16(page.bytes + PAGE_UPPER, PAGE_BYTES + 2);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "a page has impossible bounds");
    for (unsigned at = PAGE_BYTES - NODE_HEADER_BYTES + 2; at < 65536; at += 2) {
        make_leaf(&page);
        put_native_u16(page.bytes + PAGE_HEADER_BYTES, at);
        cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "a page has an impossible node", "%u", at);
    }
    make_leaf(&page);
    put_native_u16(page.bytes + PAGE_LOWER, PAGE_HEADER_BYTES);
    cr_assert_str_eq(fault_of(&page, PAGE_TREE_TABLE, false), "a page has impossible bounds");
}
