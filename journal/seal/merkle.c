/* merkle.c — see merkle.h. The names in the checks (fn, sn, fr, sr) are those of RFC 9162. */
#include "journal/seal/merkle.h"

#include <assert.h>

struct digest merkle_leaf(const void *data, size_t count)
{
    const struct digest_part parts[] = {{"\0", 1}, {data, count}};
    return digest_of(parts, 2);
}

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
    const struct digest_part parts[] = {{"\1", 1}, {left->bytes, DIGEST_BYTES}, {right->bytes, DIGEST_BYTES}};
    return digest_of(parts, 3);
}

void merkle_append(struct merkle_frontier *frontier, const struct digest *leaf)
{
    assert(frontier->size < (uint64_t)1 << 63);
    struct digest subtree = *leaf;
    unsigned level = 0;
    for (; (frontier->size >> level & 1) != 0; level++) /* two of a size become one of the next */
        subtree = merkle_node(&frontier->peaks[level], &subtree);
    frontier->peaks[level] = subtree;
    frontier->size++;
}

struct digest merkle_root(const struct merkle_frontier *frontier)
{
    struct digest root = {{0}};
    bool has_root = false;
    for (unsigned level = 0; level < 64; level++) {
        if ((frontier->size >> level & 1) == 0)
            continue;
        root = has_root ? merkle_node(&frontier->peaks[level], &root) : frontier->peaks[level];
        has_root = true;
    }
    return has_root ? root : digest_of(NULL, 0);
}

/* ---- Making proofs ----------------------------------------------------------------------------------------------- */

/* The largest power of two less than `count`, which is at least 2. */
static uint64_t split_of(uint64_t count)
{
    assert(count >= 2);
    return (uint64_t)1 << (63 - __builtin_clzll(count - 1));
}

static void push_range(struct merkle_ranges *ranges, uint64_t first, uint64_t end)
{
    assert(ranges->count < MERKLE_PATH_MAX && first < end);
    ranges->at[ranges->count++] = (struct merkle_range){first, end};
}

/* They are found from the root down and told from the leaf up. */
static void reverse(struct merkle_ranges *ranges)
{
    for (size_t i = 0, k = ranges->count; i + 1 < k; i++, k--) {
        struct merkle_range kept = ranges->at[i];
        ranges->at[i] = ranges->at[k - 1];
        ranges->at[k - 1] = kept;
    }
}

void merkle_inclusion_ranges(uint64_t index, uint64_t size, struct merkle_ranges *ret_ranges)
{
    assert(index < size && size < (uint64_t)1 << 63);
    uint64_t first = 0, end = size;
    ret_ranges->count = 0;
    while (end - first > 1) {
        uint64_t middle = first + split_of(end - first);
        if (index < middle) {
            push_range(ret_ranges, middle, end);
            end = middle;
        } else {
            push_range(ret_ranges, first, middle);
            first = middle;
        }
    }
    reverse(ret_ranges);
}

void merkle_consistency_ranges(uint64_t old_size, uint64_t size, struct merkle_ranges *ret_ranges)
{
    assert(old_size <= size && size < (uint64_t)1 << 63);
    uint64_t first = 0, end = size;
    ret_ranges->count = 0;
    if (old_size == 0)
        return;
    while (old_size < end) {
        uint64_t middle = first + split_of(end - first);
        if (old_size <= middle) {
            push_range(ret_ranges, middle, end);
            end = middle;
        } else {
            push_range(ret_ranges, first, middle);
            first = middle;
        }
    }
    if (first != 0) /* else it is the old tree itself, whose root the verifier has */
        push_range(ret_ranges, first, end);
    reverse(ret_ranges);
}

void merkle_collector_begin(struct merkle_collector *collector, const struct merkle_ranges *ranges)
{
    *collector = (struct merkle_collector){.ranges = *ranges, .active = ranges->count};
}

void merkle_collector_add(struct merkle_collector *collector, uint64_t index, const struct digest *leaf)
{
    const struct merkle_ranges *ranges = &collector->ranges;
    for (size_t i = 0; collector->active == ranges->count && i < ranges->count; i++) {
        if (ranges->at[i].first != index)
            continue;
        collector->active = i;
        collector->subtree.size = 0;
    }
    if (collector->active == ranges->count)
        return;
    merkle_append(&collector->subtree, leaf);
    if (index + 1 < ranges->at[collector->active].end)
        return;
    collector->path[collector->active] = merkle_root(&collector->subtree);
    collector->active = ranges->count;
}

/* ---- Checking proofs --------------------------------------------------------------------------------------------- */

bool merkle_inclusion_root(uint64_t index, uint64_t size, const struct digest *leaf, const struct digest *path,
                           size_t count, struct digest *ret_root)
{
    if (index >= size)
        return false;
    uint64_t fn = index, sn = size - 1;
    struct digest r = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            r = merkle_node(&path[i], &r);
            while ((fn & 1) == 0) { /* it equals sn then, which is not 0: it has a bit */
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = merkle_node(&r, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return false;
    *ret_root = r;
    return true;
}

/* 0 < old_size < size, and the path has at least one hash, the first of which stands for the old tree's own beginning.
 */
static bool consistency_walk(uint64_t old_size, uint64_t size, const struct digest *old_root, const struct digest *root,
                             const struct digest *start, const struct digest *path, size_t count)
{
    uint64_t fn = old_size - 1, sn = size - 1;
    for (; (fn & 1) != 0; fn >>= 1)
        sn >>= 1;
    struct digest fr = *start, sr = *start;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            fr = merkle_node(&path[i], &fr);
            sr = merkle_node(&path[i], &sr);
            while ((fn & 1) == 0) { /* it equals sn then, which is not 0: it has a bit */
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = merkle_node(&sr, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && digest_equal(&fr, old_root) && digest_equal(&sr, root);
}

bool merkle_consistency_holds(uint64_t old_size, uint64_t size, const struct digest *old_root,
                              const struct digest *root, const struct digest *path, size_t count)
{
    const struct digest empty = digest_of(NULL, 0);
    if (old_size > size)
        return false;
    if (old_size == 0 || old_size == size)
        return count == 0 && digest_equal(old_root, old_size == 0 ? &empty : root) &&
               (size != 0 || digest_equal(root, &empty));
    bool is_complete = (old_size & (old_size - 1)) == 0;
    if (count == 0)
        return false;
    return is_complete ? consistency_walk(old_size, size, old_root, root, old_root, path, count)
                       : consistency_walk(old_size, size, old_root, root, &path[0], path + 1, count - 1);
}
