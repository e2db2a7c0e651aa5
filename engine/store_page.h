/*
 * store_page.h — LMDB 0.9's pages, in the machine's byte order (mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node). Only what is
 * needed to prove them; nothing here writes.
 *
 *   page    00 its number u64 · 08 pad u16 · 10 flags u16 · 12 lower, 14 upper u16 (overflow: 12 pages u32) · 16 from here
 *           to lower an offset u16 for each node, in the order of their keys; between upper and the end the nodes
 *   node    00 low, 02 high u16 · 04 flags u16 · 06 bytes of its key u16 · 08 key, then in a leaf the value; as long as
 *           that, made even. Branch: the three first words are the child's number, and the first node's key counts for
 *           nothing. Leaf: low and high are the value's length; a value too long for a page is the number of an overflow page
 *   meta    in a page: 16 magic u32 0xBEEFC0DE · 20 version u32 1 · 24 address u64 · 32 map size u64 ·
 *           40 tree of free pages · 88 tree of tables · 136 last page u64 · 144 transaction u64
 *   tree    00 pad u32 (of the first tree: the page size) · 04 flags u16 · 06 depth u16 · 08 branch, 16 leaf, 24 overflow
 *           pages u64 each · 32 entries u64 · 40 root page u64, ~0 = no pages
 *
 * Transaction n writes meta page n % 2, so that the two hold n and n - 1; in a file without any commit both hold 0.
 */
#ifndef ENGINE_STORE_PAGE_H
#define ENGINE_STORE_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    PAGE_NUMBER = 0,
    PAGE_PAD = 8,
    PAGE_FLAGS = 10,
    PAGE_LOWER = 12,
    PAGE_UPPER = 14,
    PAGE_OVERFLOW_COUNT = 12,
    PAGE_HEADER_BYTES = 16,

    PAGE_IS_BRANCH = 0x01,
    PAGE_IS_LEAF = 0x02,
    PAGE_IS_OVERFLOW = 0x04,
    PAGE_IS_META = 0x08,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,

    NODE_LOW = 0,
    NODE_HIGH = 2,
    NODE_FLAGS = 4,
    NODE_KEY_BYTES = 6,
    NODE_HEADER_BYTES = 8,
    NODE_KEY_BYTES_MAX = 511,
    NODE_IS_OVERFLOW = 0x01, /* its value is the number of an overflow page */
    NODE_IS_TREE = 0x02,     /* its value is a tree */

    META_MAGIC = 16,
    META_VERSION = 20,
    META_PAGE_BYTES = 40,
    META_FREE_TREE = 40,
    META_TABLE_TREE = 88,
    META_LAST_PAGE = 136,
    META_TRANSACTION = 144,
    META_BYTES = 152,
    META_COUNT = 2,

    TREE_PAD = 0,
    TREE_FLAGS = 4,
    TREE_DEPTH = 6,
    TREE_BRANCHES = 8,
    TREE_LEAVES = 16,
    TREE_OVERFLOWS = 24,
    TREE_ROOT = 40,
    TREE_BYTES = 48,
    TREE_DEPTH_MAX = 32,     /* LMDB's CURSOR_STACK */
    TREE_INTEGER_KEY = 0x08, /* the tree of free pages has this flag only; the others have none */
};
#define PAGE_NONE UINT64_MAX

static inline uint16_t native_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint32_t native_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t native_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* What a tree's leaves hold. */
enum page_tree {
    PAGE_TREE_FREE,   /* lists of free pages by transaction */
    PAGE_TREE_TABLES, /* trees by name */
    PAGE_TREE_TABLE,  /* entries */
};
/*
 * What is wrong with a page of a tree, as a static sentence; NULL: it is the page of this number, its keys ascend, and its
 * nodes lie in it and fill it from `upper` to the end.
 */
const char *page_fault(const uint8_t *page, uint64_t number, uint32_t page_bytes, enum page_tree tree, bool is_branch);

static inline unsigned page_node_count(const uint8_t *page)
{
    return (native_u16(page + PAGE_LOWER) - (unsigned)PAGE_HEADER_BYTES) / 2;
}

/* Of a page that is proved, as is what follows. */
static inline const uint8_t *page_node(const uint8_t *page, unsigned index)
{
    return page + native_u16(page + PAGE_HEADER_BYTES + 2 * index);
}

static inline uint64_t node_child(const uint8_t *node)
{
    return native_u16(node + NODE_LOW) | (uint64_t)native_u16(node + NODE_HIGH) << 16 |
           (uint64_t)native_u16(node + NODE_FLAGS) << 32;
}

static inline uint32_t node_value_bytes(const uint8_t *node)
{
    return native_u16(node + NODE_LOW) | (uint32_t)native_u16(node + NODE_HIGH) << 16;
}

static inline const uint8_t *node_value(const uint8_t *node)
{
    return node + NODE_HEADER_BYTES + native_u16(node + NODE_KEY_BYTES);
}

#endif
