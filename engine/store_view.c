/*
 * store_view.c — ways through a table: seeking, walking, and proving each page and its place on the way.
 *
 * Invariant: every page on a path is proved, is not free, and lies between the keys that its parents have around it.
 */
#include "engine/store_view.h"

#include <assert.h>
#include <stddef.h>

#include "journal/base/status.h"

static const struct store_bytes no_bytes = {NULL, 0};

static settle_status fail_page(settle_error *error, const char *fault, uint64_t number)
{
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0, "the store is damaged: %s (page %llu)", fault,
                   (unsigned long long)number);
}

static struct store_bytes key_at(const uint8_t *page, unsigned index)
{
    const uint8_t *node = page_node(page, index);
    return (struct store_bytes){node + NODE_HEADER_BYTES, native_u16(node + NODE_KEY_BYTES)};
}

/* Of a leaf that is proved. */
static struct store_entry entry_at(const struct store_view *view, const uint8_t *page, unsigned index)
{
    const uint8_t *node = page_node(page, index), *value = node_value(node);
    if (native_u16(node + NODE_FLAGS) == NODE_IS_OVERFLOW)
        value = view->map + native_u64(value) * view->page_bytes + PAGE_HEADER_BYTES;
    return (struct store_entry){key_at(page, index), {value, node_value_bytes(node)}};
}

const char *store_view_overflow_fault(const struct store_view *view, const uint8_t *node)
{
    const uint64_t number = native_u64(node_value(node)), bytes = node_value_bytes(node);
    if (number < META_COUNT || number >= view->present_count)
        return "a long value lies outside the file";
    const uint8_t *page = view->map + number * view->page_bytes;
    const uint64_t pages = (PAGE_HEADER_BYTES + bytes + view->page_bytes - 1) / view->page_bytes;
    if (native_u64(page + PAGE_NUMBER) != number || native_u16(page + PAGE_FLAGS) != PAGE_IS_OVERFLOW ||
        native_u16(page + PAGE_PAD) != 0 || native_u32(page + PAGE_OVERFLOW_COUNT) != pages ||
        pages > view->present_count - number)
        return "a long value has a damaged page";
    return NULL;
}

/* ---- Bounds: what the parents say of the page at a level ----------------------------------------------------------------- */

static struct store_bytes bound_first(const struct store_path *path, unsigned level)
{
    while (level-- > 0)
        if (path->at[level].index > 0)
            return key_at(path->at[level].page, path->at[level].index);
    return no_bytes;
}

static struct store_bytes bound_end(const struct store_path *path, unsigned level)
{
    while (level-- > 0)
        if (path->at[level].index + 1 < path->at[level].count)
            return key_at(path->at[level].page, path->at[level].index + 1);
    return no_bytes;
}

/* Of a leaf the first key is the parents' itself; of a branch that is its first child's, whose key is not written. */
static bool is_in_place(const struct store_path *path, unsigned level, const uint8_t *page, bool is_branch)
{
    const struct store_bytes first = bound_first(path, level), end = bound_end(path, level);
    const unsigned count = page_node_count(page);
    if (end.at != NULL && store_key_order(key_at(page, count - 1), end) >= 0)
        return false;
    if (first.at == NULL)
        return true;
    const int order = store_key_order(first, key_at(page, is_branch ? 1 : 0));
    return is_branch ? order < 0 : order == 0;
}

/* ---- Downwards ----------------------------------------------------------------------------------------------------------- */

static bool bit_is_set(const uint64_t *bits, uint64_t index)
{
    return (bits[index / 64] >> (index % 64) & 1) != 0;
}

/* Of a leaf whose nodes are in order: each entry is one of the table's, its value lies where it may, its checksum fits. */
static const char *leaf_fault(const struct store_view *view, enum store_table table, const uint8_t *leaf)
{
    for (unsigned i = 0, count = page_node_count(leaf); i < count; i++) {
        const uint8_t *node = page_node(leaf, i);
        if (native_u16(node + NODE_FLAGS) == NODE_IS_OVERFLOW) {
            const char *fault = store_view_overflow_fault(view, node);
            if (fault != NULL)
                return fault;
            if (bit_is_set(view->is_free, native_u64(node_value(node))))
                return "a long value's page is free";
        }
        const struct store_entry entry = entry_at(view, leaf, i);
        if (!store_entry_is_of(table, &entry))
            return "an entry is another table's";
        if (!store_entry_is_sealed(&entry))
            return "an entry's checksum does not fit";
    }
    return NULL;
}

/* Of a page that is proved, as one of some table's. */
static bool is_of_table(const struct store_view *view, enum store_table table, const uint8_t *page, bool is_branch)
{
    if (is_branch)
        return store_key_is_of(table, key_at(page, 1));
    const struct store_entry entry = entry_at(view, page, 0);
    return store_entry_is_of(table, &entry);
}

static const char *branch_fault(enum store_table table, const uint8_t *branch)
{
    for (unsigned i = 1, count = page_node_count(branch); i < count; i++)
        if (!store_key_is_of(table, key_at(branch, i)))
            return "a key is another table's";
    return NULL;
}

/* Proves a page by itself. */
static settle_status prove_page(struct store_view *view, enum store_table table, uint64_t number, bool is_branch,
                                settle_error *error)
{
    const uint8_t *page = view->map + number * view->page_bytes;
    if (bit_is_set(view->is_proved, number))
        return SETTLE_OK;
    const char *fault = page_fault(page, number, view->page_bytes, PAGE_TREE_TABLE, is_branch);
    if (fault == NULL)
        fault = is_branch ? branch_fault(table, page) : leaf_fault(view, table, page);
    if (fault != NULL)
        return fail_page(error, fault, number);
    view->is_proved[number / 64] |= (uint64_t)1 << (number % 64);
    return SETTLE_OK;
}

/* The page at a level of the path, whose parents stand in it already. */
static settle_status enter(struct store_view *view, struct store_path *path, unsigned level, uint64_t number,
                           settle_error *error)
{
    const struct store_tree *tree = &view->tables[path->table];
    const bool is_branch = level + 1 < tree->depth;
    if (number < META_COUNT || number >= view->present_count)
        return fail_page(error, "a page lies outside the file", number);
    if (bit_is_set(view->is_free, number))
        return fail_page(error, "a tree leads to a page that is free", number);
    const settle_status status = prove_page(view, path->table, number, is_branch, error);
    if (status != SETTLE_OK)
        return status;
    const uint8_t *page = view->map + number * view->page_bytes;
    /* It may have been proved on another way. */
    if (native_u16(page + PAGE_FLAGS) != (is_branch ? PAGE_IS_BRANCH : PAGE_IS_LEAF))
        return fail_page(error, "a tree has another depth than it should", number);
    if (!is_of_table(view, path->table, page, is_branch))
        return fail_page(error, "a page is another table's", number);
    if (!is_in_place(path, level, page, is_branch))
        return fail_page(error, "a page is not where it must be", number);
    path->at[level].page = page;
    path->at[level].count = page_node_count(page);
    path->at[level].index = 0;
    return SETTLE_OK;
}

/* The index of a branch's child in which the key belongs: the last one whose key is not greater. */
static unsigned child_of(const uint8_t *page, unsigned count, struct store_bytes key)
{
    unsigned first = 0, end = count; /* the first node's key counts for nothing: it is less than all */
    while (end - first > 1) {
        const unsigned middle = first + (end - first) / 2;
        if (store_key_order(key_at(page, middle), key) <= 0)
            first = middle;
        else
            end = middle;
    }
    return first;
}

/* The index of a leaf's first entry whose key is not less. */
static unsigned place_of(const uint8_t *page, unsigned count, struct store_bytes key)
{
    unsigned first = 0, end = count;
    while (first < end) {
        const unsigned middle = first + (end - first) / 2;
        if (store_key_order(key_at(page, middle), key) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static uint64_t child_at(const struct store_path *path, unsigned level)
{
    return node_child(page_node(path->at[level].page, path->at[level].index));
}

enum edge { EDGE_FIRST, EDGE_LAST };

/* From the page `number` at a level down to a leaf, along an edge. */
static settle_status descend_edge(struct store_view *view, struct store_path *path, unsigned level, uint64_t number,
                                  enum edge edge, settle_error *error)
{
    const unsigned depth = view->tables[path->table].depth;
    for (;; level++) {
        settle_status status = enter(view, path, level, number, error);
        if (status != SETTLE_OK)
            return status;
        path->at[level].index = edge == EDGE_LAST ? path->at[level].count - 1 : 0;
        if (level + 1 == depth)
            return SETTLE_OK;
        number = child_at(path, level);
    }
}

/* False: the table is empty. */
static bool path_begin(const struct store_view *view, enum store_table table, struct store_path *path)
{
    assert((unsigned)table < STORE_TABLE_COUNT);
    path->table = table;
    path->is_end = view->tables[table].root == PAGE_NONE;
    return !path->is_end;
}

settle_status store_view_seek(struct store_view *view, enum store_table table, struct store_bytes key,
                              struct store_path *ret_path, settle_error *error)
{
    struct store_path *path = ret_path;
    if (!path_begin(view, table, path))
        return SETTLE_OK;
    const struct store_tree *tree = &view->tables[table];
    if (key.at == NULL)
        return descend_edge(view, path, 0, tree->root, EDGE_FIRST, error);
    uint64_t number = tree->root;
    for (unsigned level = 0;; level++) {
        settle_status status = enter(view, path, level, number, error);
        if (status != SETTLE_OK)
            return status;
        const uint8_t *page = path->at[level].page;
        const unsigned count = path->at[level].count;
        if (level + 1 == tree->depth) {
            path->at[level].index = place_of(page, count, key);
            return SETTLE_OK;
        }
        path->at[level].index = child_of(page, count, key);
        number = child_at(path, level);
    }
}

/* ---- Sideways ------------------------------------------------------------------------------------------------------------ */

/* To the next leaf's first entry. */
static settle_status turn(struct store_view *view, struct store_path *path, settle_error *error)
{
    unsigned level = view->tables[path->table].depth - 1;
    for (;;) {
        if (level == 0) {
            path->is_end = true;
            return SETTLE_OK;
        }
        level--;
        if (path->at[level].index + 1 < path->at[level].count)
            break;
    }
    path->at[level].index++;
    return descend_edge(view, path, level + 1, child_at(path, level), EDGE_FIRST, error);
}

settle_status store_view_entry(struct store_view *view, struct store_path *path, struct store_entry *ret_entry,
                               settle_error *error)
{
    const unsigned leaf = view->tables[path->table].depth - 1;
    *ret_entry = (struct store_entry){no_bytes, no_bytes};
    if (!path->is_end && path->at[leaf].index >= path->at[leaf].count) {
        settle_status status = turn(view, path, error);
        if (status != SETTLE_OK)
            return status;
    }
    if (!path->is_end)
        *ret_entry = entry_at(view, path->at[leaf].page, path->at[leaf].index);
    return SETTLE_OK;
}

settle_status store_view_next(struct store_view *view, struct store_path *path, settle_error *error)
{
    assert(!path->is_end);
    const unsigned leaf = view->tables[path->table].depth - 1;
    if (++path->at[leaf].index < path->at[leaf].count)
        return SETTLE_OK;
    return turn(view, path, error);
}

/*
 * That the key belongs on the leaf where the path stands. Before one of the leaf's keys it does. Behind all of them it does where
 * the next leaf begins as the parents say, whose word, a damaged one perhaps, has led here.
 */
static settle_status confirm_leaf(struct store_view *view, const struct store_path *path, settle_error *error)
{
    const unsigned leaf = view->tables[path->table].depth - 1;
    if (path->at[leaf].index < path->at[leaf].count)
        return SETTLE_OK;
    struct store_path next = *path;
    return turn(view, &next, error);
}

settle_status store_view_find(struct store_view *view, enum store_table table, struct store_bytes key,
                              struct store_bytes *ret_value, settle_error *error)
{
    struct store_path path;
    *ret_value = no_bytes;
    settle_status status = store_view_seek(view, table, key, &path, error);
    if (status != SETTLE_OK || path.is_end)
        return status;
    const unsigned leaf = view->tables[table].depth - 1, index = path.at[leaf].index;
    if (index >= path.at[leaf].count || store_key_order(key_at(path.at[leaf].page, index), key) != 0)
        return confirm_leaf(view, &path, error);
    *ret_value = entry_at(view, path.at[leaf].page, index).value;
    return SETTLE_OK;
}

settle_status store_view_floor(struct store_view *view, enum store_table table, struct store_bytes key,
                               struct store_entry *ret_entry, struct store_bytes *ret_next, settle_error *error)
{
    struct store_path path;
    *ret_entry = (struct store_entry){no_bytes, no_bytes};
    *ret_next = no_bytes;
    settle_status status = store_view_seek(view, table, key, &path, error);
    if (status != SETTLE_OK || path.is_end)
        return status;
    const unsigned leaf = view->tables[table].depth - 1, count = path.at[leaf].count;
    const uint8_t *page = path.at[leaf].page;
    unsigned *index = &path.at[leaf].index;
    if (*index == count || store_key_order(key_at(page, *index), key) != 0) {
        if (*index == 0) /* only on the first leaf: others begin with their parents' key */
            return fail_page(error, "its first entry is not before all others", native_u64(page + PAGE_NUMBER));
        (*index)--;
    }
    const struct store_entry floor = entry_at(view, page, *index);
    struct store_entry next = {no_bytes, no_bytes};
    status = store_view_next(view, &path, error); /* where the leaf ends this is also its confirmation */
    if (status == SETTLE_OK)
        status = store_view_entry(view, &path, &next, error);
    if (status != SETTLE_OK)
        return status;
    *ret_entry = floor;
    *ret_next = next.key;
    return SETTLE_OK;
}

/* ---- For a writer -------------------------------------------------------------------------------------------------------- */

settle_status store_view_prove(struct store_view *view, enum store_table table, struct store_bytes key,
                               struct store_range *ret_range, settle_error *error)
{
    struct store_path path;
    settle_status status = store_view_seek(view, table, key, &path, error);
    if (status != SETTLE_OK)
        return status;
    *ret_range = (struct store_range){true, no_bytes, no_bytes};
    if (path.is_end)
        return SETTLE_OK; /* the table is empty */
    status = confirm_leaf(view, &path, error);
    if (status != SETTLE_OK)
        return status;
    const unsigned leaf = view->tables[table].depth - 1, count = path.at[leaf].count;
    ret_range->first = bound_first(&path, leaf);
    ret_range->end = path.at[leaf].index < count ? key_at(path.at[leaf].page, count - 1) : bound_end(&path, leaf);
    return SETTLE_OK;
}

settle_status store_view_prove_end(struct store_view *view, enum store_table table, settle_error *error)
{
    struct store_path path;
    if (!path_begin(view, table, &path))
        return SETTLE_OK;
    return descend_edge(view, &path, 0, view->tables[table].root, EDGE_LAST, error);
}
