/*
 * store_roots.c — taking up a transaction of LMDB: its meta page, the tree of tables, the tree of free pages, and the sum of
 * all of them, which is the file.
 */
#include "engine/store_view.h"

#include <assert.h>
#include <stddef.h>
#include <sys/stat.h>

#include "journal/base/file.h"
#include "journal/base/status.h"

enum { META_ATTEMPTS_MAX = 1000 };

static settle_status fail_roots(settle_error *error, const char *fault)
{
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0, "the store is damaged: %s", fault);
}

void store_view_deinit(struct store_view *view)
{
    if (view->mem == NULL)
        return;
    mem_free(view->mem, view->is_free);
    mem_free(view->mem, view->is_proved);
    *view = (struct store_view){.mem = view->mem, .keeps_proofs = view->keeps_proofs};
}

/* Bits for all pages, none of them free; those that are proved stay so. */
static settle_status bits_prepare(struct store_view *view, settle_error *error)
{
    const size_t words = (size_t)(view->page_count / 64 + 1);
    if (words > view->bit_words) {
        const size_t room = words + words / 2;
        uint64_t *is_free = mem_resize(view->mem, view->is_free, room, sizeof(*is_free));
        if (is_free != NULL)
            view->is_free = is_free;
        uint64_t *is_proved = mem_resize(view->mem, view->is_proved, room, sizeof(*is_proved));
        if (is_proved != NULL)
            view->is_proved = is_proved;
        if (is_free == NULL || is_proved == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory to look at the store");
        memset(view->is_proved + view->bit_words, 0, (room - view->bit_words) * sizeof(*is_proved));
        view->bit_words = room;
    }
    memset(view->is_free, 0, words * sizeof(*view->is_free));
    if (!view->keeps_proofs)
        memset(view->is_proved, 0, words * sizeof(*view->is_proved));
    return SETTLE_OK;
}

/* ---- The meta page ------------------------------------------------------------------------------------------------------- */

/* Copies it; a writer may be about to put another transaction there. */
static settle_status meta_copy(const struct store_map *map, uint64_t transaction, uint8_t ret_meta[META_BYTES],
                               settle_error *error)
{
    const volatile uint8_t *at = map->at + (transaction % META_COUNT) * map->page_bytes;
    uint8_t again[META_BYTES];
    for (int attempt = 0; attempt < META_ATTEMPTS_MAX; attempt++) {
        for (size_t i = 0; i < META_BYTES; i++)
            ret_meta[i] = at[i];
        for (size_t i = 0; i < META_BYTES; i++)
            again[i] = at[i];
        if (memcmp(ret_meta, again, META_BYTES) == 0)
            return native_u64(ret_meta + META_TRANSACTION) == transaction ? SETTLE_OK : SETTLE_E_NOT_FOUND;
    }
    return fail(error, SETTLE_E_IO, "the store's meta page does not come to rest");
}

static const char *tree_read(const struct store_view *view, const uint8_t *at, uint16_t flags, struct store_tree *tree)
{
    tree->root = native_u64(at + TREE_ROOT);
    tree->depth = native_u16(at + TREE_DEPTH);
    const uint64_t branches = native_u64(at + TREE_BRANCHES), leaves = native_u64(at + TREE_LEAVES),
                   overflows = native_u64(at + TREE_OVERFLOWS);
    if (native_u16(at + TREE_FLAGS) != flags)
        return "a tree is of an unknown kind";
    if (branches > view->page_count || leaves > view->page_count || overflows > view->page_count)
        return "a tree has an impossible number of pages";
    tree->page_count = branches + leaves + overflows;
    if (tree->root == PAGE_NONE)
        return tree->depth == 0 && tree->page_count == 0 ? NULL : "a tree without a root has pages";
    if (tree->root < META_COUNT || tree->root >= view->present_count)
        return "the root of a tree lies outside the file";
    return tree->depth >= 1 && tree->depth <= TREE_DEPTH_MAX ? NULL : "a tree has an impossible depth";
}

/* ---- Free pages ---------------------------------------------------------------------------------------------------------- */

struct free_walk {
    struct store_view *view;
    uint64_t tree_pages, tree_pages_max; /* seen; as the tree says of itself */
    uint64_t free_pages;
};

static const char *list_read(struct free_walk *walk, const uint8_t *list, uint64_t bytes)
{
    const uint64_t count = bytes >= sizeof(uint64_t) ? native_u64(list) : UINT64_MAX;
    if (bytes % sizeof(uint64_t) != 0 || count != bytes / sizeof(uint64_t) - 1)
        return "a list of free pages has the wrong length";
    uint64_t before = UINT64_MAX;
    for (uint64_t i = 1; i <= count; i++) {
        const uint64_t number = native_u64(list + i * sizeof(uint64_t));
        if (number >= before || number < META_COUNT || number >= walk->view->page_count)
            return "a list of free pages is out of order";
        uint64_t *word = &walk->view->is_free[number / 64];
        const uint64_t bit = (uint64_t)1 << (number % 64);
        if ((*word & bit) != 0)
            return "a page is free twice";
        *word |= bit;
        before = number;
    }
    walk->free_pages += count;
    return NULL;
}

/* A list that is longer than a page has room for. */
static const char *overflow_read(struct free_walk *walk, const uint8_t *node)
{
    const struct store_view *view = walk->view;
    const char *fault = store_view_overflow_fault(view, node);
    if (fault != NULL)
        return fault;
    const uint8_t *page = view->map + native_u64(node_value(node)) * view->page_bytes;
    walk->tree_pages += native_u32(page + PAGE_OVERFLOW_COUNT);
    return list_read(walk, page + PAGE_HEADER_BYTES, node_value_bytes(node));
}

/* Depth first; the depth, and the number of pages that the tree says it has, bound it. */
static const char *free_page_read(struct free_walk *walk, uint64_t number, unsigned depth)
{
    const struct store_view *view = walk->view;
    if (number < META_COUNT || number >= view->present_count)
        return "a page lies outside the file";
    if (++walk->tree_pages > walk->tree_pages_max)
        return "the tree of free pages has too many pages";
    const uint8_t *page = view->map + number * view->page_bytes;
    const char *fault = page_fault(page, number, view->page_bytes, PAGE_TREE_FREE, depth > 1);
    const unsigned count = fault == NULL ? page_node_count(page) : 0;
    for (unsigned i = 0; i < count && fault == NULL; i++) {
        const uint8_t *node = page_node(page, i);
        if (depth > 1)
            fault = free_page_read(walk, node_child(node), depth - 1);
        else if (native_u16(node + NODE_FLAGS) == NODE_IS_OVERFLOW)
            fault = overflow_read(walk, node);
        else
            fault = list_read(walk, node_value(node), node_value_bytes(node));
    }
    return fault;
}

/* The tree's own pages are none of those that it lists. */
static bool free_tree_is_live(const struct store_view *view, uint64_t number, unsigned depth)
{
    if ((view->is_free[number / 64] >> (number % 64) & 1) != 0)
        return false;
    const uint8_t *page = view->map + number * view->page_bytes;
    for (unsigned i = 0, count = page_node_count(page); i < count; i++) {
        const uint8_t *node = page_node(page, i);
        if (depth > 1 && !free_tree_is_live(view, node_child(node), depth - 1))
            return false;
        if (depth > 1 || native_u16(node + NODE_FLAGS) != NODE_IS_OVERFLOW)
            continue;
        const uint64_t first = native_u64(node_value(node)),
                       pages = native_u32(view->map + first * view->page_bytes + PAGE_OVERFLOW_COUNT);
        for (uint64_t at = first; at < first + pages; at++)
            if ((view->is_free[at / 64] >> (at % 64) & 1) != 0)
                return false;
    }
    return true;
}

static const char *free_read(struct store_view *view, const struct store_tree *tree, uint64_t *ret_free_pages)
{
    struct free_walk walk = {.view = view, .tree_pages_max = tree->page_count};
    const char *fault = tree->root != PAGE_NONE ? free_page_read(&walk, tree->root, tree->depth) : NULL;
    *ret_free_pages = walk.free_pages;
    if (fault == NULL && walk.tree_pages != tree->page_count)
        fault = "the tree of free pages has too few pages";
    if (fault == NULL && tree->root != PAGE_NONE && !free_tree_is_live(view, tree->root, tree->depth))
        fault = "the tree of free pages leads to a page that is free";
    return fault;
}

/* ---- Tables -------------------------------------------------------------------------------------------------------------- */

static const char *const missing_faults[STORE_TABLE_COUNT] = {
#define MISSING(name) "its table '" name "' is missing or damaged"
    [STORE_ACCOUNTS] = MISSING("accounts"), [STORE_NATURAL_IDS] = MISSING("natural_ids"),
    [STORE_TEXT_IDS] = MISSING("text_ids"), [STORE_ARRIVALS] = MISSING("arrivals"),
    [STORE_ASSETS] = MISSING("assets"),     [STORE_SOURCES] = MISSING("sources"),
    [STORE_META] = MISSING("meta"),
#undef MISSING
};

static const char *table_read(struct store_view *view, const uint8_t *node, unsigned *names)
{
    const size_t bytes = native_u16(node + NODE_KEY_BYTES);
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++) {
        if (strlen(store_table_names[i]) != bytes || memcmp(store_table_names[i], node + NODE_HEADER_BYTES, bytes) != 0)
            continue;
        *names |= 1u << i;
        const uint8_t *tree = node_value(node);
        if (native_u32(tree + TREE_PAD) != 0 || native_u16(tree + TREE_FLAGS) != 0)
            return missing_faults[i];
        return tree_read(view, tree, 0, &view->tables[i]);
    }
    return "it has an unknown table";
}

/* A file without any commit has none. */
static const char *tables_read(struct store_view *view, const struct store_tree *tree, uint64_t *ret_pages)
{
    *ret_pages = tree->page_count;
    view->has_tables = tree->root != PAGE_NONE;
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++)
        view->tables[i] = (struct store_tree){.root = PAGE_NONE};
    if (!view->has_tables)
        return NULL;
    if (tree->depth != 1 || tree->page_count != 1)
        return "the tree of tables has an impossible depth";
    if ((view->is_free[tree->root / 64] >> (tree->root % 64) & 1) != 0)
        return "the tree of tables is free";
    const uint8_t *page = view->map + tree->root * view->page_bytes;
    const char *fault = page_fault(page, tree->root, view->page_bytes, PAGE_TREE_TABLES, false);
    unsigned names = 0;
    for (unsigned i = 0; fault == NULL && i < page_node_count(page); i++)
        fault = table_read(view, page_node(page, i), &names);
    for (unsigned i = 0; i < STORE_TABLE_COUNT && fault == NULL; i++)
        if ((names >> i & 1) == 0)
            fault = missing_faults[i];
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++)
        *ret_pages += view->tables[i].page_count;
    return fault;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------------- */

static const char *roots_read(struct store_view *view, const uint8_t *meta)
{
    struct store_tree free_tree, table_tree;
    uint64_t free_pages = 0, table_pages = 0;
    const char *fault = tree_read(view, meta + META_FREE_TREE, TREE_INTEGER_KEY, &free_tree);
    if (fault == NULL)
        fault = tree_read(view, meta + META_TABLE_TREE, 0, &table_tree);
    if (fault == NULL)
        fault = free_read(view, &free_tree, &free_pages);
    if (fault == NULL)
        fault = tables_read(view, &table_tree, &table_pages);
    if (fault != NULL)
        return fault;
    return META_COUNT + free_tree.page_count + table_pages + free_pages == view->page_count ? NULL
                                                                                            : "its pages do not add up";
}

settle_status store_view_update(struct store_view *view, const struct store_map *map, uint64_t transaction,
                                settle_error *error)
{
    assert(view->mem != NULL && map->at != NULL);
    view->map = map->at;
    view->page_bytes = map->page_bytes;
    if (view->transaction == transaction && view->bit_words != 0)
        return SETTLE_OK;
    view->transaction = 0; /* until it is done, of none */
    uint8_t meta[META_BYTES];
    settle_status status = meta_copy(map, transaction, meta, error);
    if (status != SETTLE_OK)
        return status;
    uint64_t file_bytes;
    status = file_size(map->fd, STORE_DATA_FILE, &file_bytes, error);
    if (status != SETTLE_OK)
        return status;
    view->page_count = native_u64(meta + META_LAST_PAGE) + 1;
    if (view->page_count < META_COUNT || view->page_count > map->bytes / map->page_bytes)
        return fail_roots(error, "an impossible number of pages");
    view->present_count = file_bytes / map->page_bytes;
    if (view->present_count > view->page_count)
        view->present_count = view->page_count;
    status = bits_prepare(view, error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = roots_read(view, meta);
    if (fault != NULL)
        return fail_roots(error, fault);
    view->transaction = transaction;
    return SETTLE_OK;
}
