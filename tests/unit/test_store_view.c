/*
 * test_store_view.c — a store read without LMDB: every entry is found, walks are LMDB's own, and damage that no page shows by
 * itself is seen from the others: stale pages, lists of free pages, numbers in the meta page, keys that lead astray.
 */
#include "engine/store_view.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"

SETTLE_SUITE(store_view);

enum { PAGE_BYTES = 4096, NATURAL = 3000, TEXT = 900, ROUNDS = 7 };

struct scene {
    struct fixture f;
    char path[TEMPDIR_PATH_BYTES];
    uint8_t *image; /* private: what is changed in it is on no disk */
    size_t bytes;
    int fd;
    struct store_map map;
    struct store_view view;
    const uint8_t *meta;
};

static struct store_id text_of(unsigned i)
{
    char text[SETTLE_EVENT_ID_BYTES_MAX + 1];
    snprintf(text, sizeof(text), "%0*u-x", (int)(4 + i % 50), i);
    return text_id(text, 64 * (uint64_t)(i + 1));
}

static struct store_id natural_of(unsigned i)
{
    return natural_id(UINT64_C(1700000000000) + 2 * i, SETTLE_DEPOSIT, 5, 2, 64 * (uint64_t)(i + 1));
}

static void scene_make(struct scene *s)
{
    static struct store_id ids[NATURAL + TEXT];
    struct stat status;
    *s = (struct scene){.fd = -1};
    fixture_open(&s->f);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = 0;
        for (unsigned i = round; i < NATURAL; i += ROUNDS)
            ids[count++] = natural_of(i);
        for (unsigned i = round; i < TEXT; i += ROUNDS)
            ids[count++] = text_of(i);
        EXPECT_OK(fixture_apply(&s->f, (struct store_batch){.ids = ids, .id_count = count}));
    }
    store_close(s->f.store);
    s->f.store = NULL;
    fixture_file(&s->f, STORE_DATA_NAME, s->path);
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    cr_assert(s->fd >= 0 && fstat(s->fd, &status) == 0);
    s->bytes = (size_t)status.st_size;
    s->image = malloc(s->bytes);
    cr_assert(s->image != NULL && pread(s->fd, s->image, s->bytes, 0) == (ssize_t)s->bytes);
    s->map = (struct store_map){s->image, s->bytes, s->fd, PAGE_BYTES};
    s->view = (struct store_view){.mem = &mem_libc};
    uint64_t first = native_u64(s->image + META_TRANSACTION),
             second = native_u64(s->image + PAGE_BYTES + META_TRANSACTION);
    s->meta = s->image + (first > second ? 0 : PAGE_BYTES);
}

static void scene_end(struct scene *s)
{
    store_view_deinit(&s->view);
    free(s->image);
    close(s->fd);
    fixture_close(&s->f);
}

static settle_status update(struct scene *s)
{
    s->view.transaction = 0;
    return store_view_update(&s->view, &s->map, native_u64(s->meta + META_TRANSACTION), &test_error);
}

static settle_status find(struct scene *s, const struct store_id *id, bool *ret_is_there)
{
    uint8_t bytes[STORE_ID_KEY_BYTES_MAX];
    const struct store_bytes key = {bytes, store_id_key(&id->key, bytes)};
    struct store_entry block;
    struct store_bytes next;
    uint64_t position = 0;
    settle_status status = store_view_floor(&s->view, store_id_table(&id->key), key, &block, &next, &test_error);
    if (status == SETTLE_OK) {
        cr_assert(block.key.at && store_key_order(block.key, key) <= 0);
        cr_assert(!next.at || store_key_order(key, next) < 0);
        struct store_block_cursor cursor;
        cr_assert_null(store_block_begin(block.key, block.value, &cursor));
        position = store_block_find(&cursor, (struct store_bytes){bytes + 1, key.count - 1});
    }
    *ret_is_there = position != 0;
    return status;
}

Test(store_view, every_entry_is_found_and_nothing_else)
{
    struct scene s;
    bool is_there;
    scene_make(&s);
    EXPECT_OK(update(&s));
    cr_assert_geq(s.view.tables[STORE_NATURAL_IDS].depth, 2);
    cr_assert_geq(s.view.tables[STORE_TEXT_IDS].depth, 2);
    for (unsigned i = 0; i < NATURAL; i++) {
        struct store_id id = natural_of(i);
        EXPECT_OK(find(&s, &id, &is_there));
        cr_assert(is_there, "%u", i);
        id.key.ts_ms++;
        EXPECT_OK(find(&s, &id, &is_there));
        cr_assert_not(is_there, "%u", i);
    }
    for (unsigned i = 0; i < TEXT; i++) {
        struct store_id id = text_of(i);
        EXPECT_OK(find(&s, &id, &is_there));
        cr_assert(is_there, "%u", i);
        id.key.text[id.key.text_bytes - 1]++;
        EXPECT_OK(find(&s, &id, &is_there));
        cr_assert_not(is_there, "%u", i);
    }
    scene_end(&s);
}

Test(store_view, a_walk_from_any_key_is_lmdbs_own)
{
    struct scene s;
    struct raw raw;
    MDB_cursor *cursor;
    scene_make(&s);
    EXPECT_OK(update(&s));
    raw_begin(&raw, &s.f);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        MDB_val key = {0, NULL}, value;
        struct store_path path;
        struct store_entry entry;
        cr_assert_eq(mdb_cursor_open(raw.txn, raw.tables[table], &cursor), 0);
        EXPECT_OK(store_view_seek(&s.view, table, (struct store_bytes){NULL, 0}, &path, &test_error));
        for (int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);;
             code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
            EXPECT_OK(store_view_entry(&s.view, &path, &entry, &test_error));
            cr_assert_eq(code == 0, entry.key.at != NULL, "table %d", table);
            if (code != 0)
                break;
            cr_assert(entry.key.count == key.mv_size && memcmp(entry.key.at, key.mv_data, key.mv_size) == 0);
            cr_assert(entry.value.count == value.mv_size && memcmp(entry.value.at, value.mv_data, value.mv_size) == 0);
            struct store_path sought;
            struct store_entry same;
            EXPECT_OK(store_view_seek(&s.view, table, entry.key, &sought, &test_error));
            EXPECT_OK(store_view_entry(&s.view, &sought, &same, &test_error));
            cr_assert_eq(same.key.at, entry.key.at);
            EXPECT_OK(store_view_next(&s.view, &path, &test_error));
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(raw.txn);
    mdb_env_close(raw.env);
    scene_end(&s);
}

/* ---- The whole -------------------------------------------------------------------------------------------------------------- */

static void expect_no_view(struct scene *s, const char *fault)
{
    EXPECT_STATUS(update(s), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, fault), "'%s' is not '%s'", test_error.text, fault);
}

static void set_u64(const uint8_t *at, uint64_t value)
{
    memcpy((uint8_t *)(uintptr_t)at, &value, sizeof(value));
}

Test(store_view, a_last_page_that_is_too_low_would_be_written_over_and_is_refused)
{
    struct scene s;
    scene_make(&s);
    set_u64(s.meta + META_LAST_PAGE, native_u64(s.meta + META_LAST_PAGE) - 1);
    EXPECT_STATUS(update(&s), SETTLE_E_CORRUPT);
    scene_end(&s);
}

Test(store_view, page_counts_of_trees_must_add_up)
{
    struct scene s;
    scene_make(&s);
    const uint8_t *at = s.meta + META_FREE_TREE + TREE_OVERFLOWS;
    set_u64(at, native_u64(at) + 1);
    expect_no_view(&s, "too few pages");
    scene_end(&s);
}

/* The first page number in a list of free pages. */
static uint8_t *free_list(struct scene *s)
{
    const uint64_t root = native_u64(s->meta + META_FREE_TREE + TREE_ROOT);
    cr_assert_eq(native_u16(s->meta + META_FREE_TREE + TREE_DEPTH), 1);
    const uint8_t *node = page_node(s->image + root * PAGE_BYTES, 0);
    cr_assert_eq(native_u16(node + NODE_FLAGS), 0, "a short list");
    cr_assert_geq(native_u64(node_value(node)), 1);
    return (uint8_t *)(uintptr_t)node_value(node);
}

Test(store_view, a_list_of_free_pages_that_names_a_live_one_is_noticed_on_the_way_to_it)
{
    struct scene s;
    bool is_there;
    scene_make(&s);
    EXPECT_OK(update(&s));
    const uint64_t live = s.view.tables[STORE_TEXT_IDS].root;
    uint8_t *list = free_list(&s);
    const uint64_t count = native_u64(list);
    bool is_placed = false; /* in descending order */
    for (uint64_t i = 1; i <= count && !is_placed; i++) {
        const uint64_t before = i > 1 ? native_u64(list + 8 * (i - 1)) : UINT64_MAX;
        const uint64_t after = i < count ? native_u64(list + 8 * (i + 1)) : 0;
        if (live < before && live > after) {
            set_u64(list + 8 * i, live);
            is_placed = true;
        }
    }
    cr_assert(is_placed);
    struct store_id id = text_of(1);
    EXPECT_OK(update(&s));
    EXPECT_STATUS(find(&s, &id, &is_there), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "page that is free"), "%s", test_error.text);
    scene_end(&s);
}

Test(store_view, lists_of_free_pages_are_in_order_and_in_the_file)
{
    struct scene s;
    scene_make(&s);
    uint8_t *list = free_list(&s);
    set_u64(list + 8, native_u64(s.meta + META_LAST_PAGE) + 1);
    expect_no_view(&s, "out of order");
    set_u64(list + 8, 1);
    expect_no_view(&s, "out of order");
    scene_end(&s);
}

/* What the current meta page says, with another number in it; and again with its own. */
static void expect_no_view_with(struct scene *s, size_t at, size_t bytes, uint64_t number, const char *sentence)
{
    uint8_t *place = (uint8_t *)(uintptr_t)s->meta + at, before[8];
    memcpy(before, place, bytes);
    memcpy(place, &number, bytes);
    expect_no_view(s, sentence);
    memcpy(place, before, bytes);
    EXPECT_OK(update(s));
}

Test(store_view, a_tree_with_impossible_numbers_is_noticed)
{
    static const size_t trees[] = {META_FREE_TREE, META_TABLE_TREE};
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    for (size_t i = 0; i < 2; i++) {
        expect_no_view_with(&s, trees[i] + TREE_FLAGS, 2, 4, "of an unknown kind");
        expect_no_view_with(&s, trees[i] + TREE_DEPTH, 2, 0, "impossible depth");
        expect_no_view_with(&s, trees[i] + TREE_DEPTH, 2, TREE_DEPTH_MAX + 1, "impossible depth");
        expect_no_view_with(&s, trees[i] + TREE_ROOT, 8, PAGE_NONE, "without a root has pages");
        expect_no_view_with(&s, trees[i] + TREE_ROOT, 8, 1, "outside the file");
        expect_no_view_with(&s, trees[i] + TREE_ROOT, 8, s.view.page_count, "outside the file");
        expect_no_view_with(&s, trees[i] + TREE_LEAVES, 8, UINT64_MAX, "impossible number of pages");
    }
    expect_no_view_with(&s, META_TABLE_TREE + TREE_DEPTH, 2, 2, "the tree of tables has an impossible depth");
    expect_no_view_with(&s, META_TABLE_TREE + TREE_LEAVES, 8, 2, "the tree of tables has an impossible depth");
    expect_no_view_with(&s, META_FREE_TREE + TREE_LEAVES, 8, 0, "too many pages");
    expect_no_view_with(&s, META_LAST_PAGE, 8, 0, "an impossible number of pages");
    expect_no_view_with(&s, META_LAST_PAGE, 8, s.view.page_count + 1000, "an impossible number of pages");
    const uint8_t *tables = s.image + native_u64(s.meta + META_TABLE_TREE + TREE_ROOT) * PAGE_BYTES;
    uint8_t *table = (uint8_t *)(uintptr_t)node_value(page_node(tables, 0));
    static const size_t zeros[] = {TREE_PAD, TREE_FLAGS};
    for (size_t i = 0; i < 2; i++) {
        table[zeros[i]] ^= 4;
        expect_no_view(&s, "is missing or damaged");
        table[zeros[i]] ^= 4;
    }
    EXPECT_OK(update(&s));
    uint8_t *depth = (uint8_t *)(uintptr_t)s.meta + META_TABLE_TREE + TREE_DEPTH;
    uint8_t *root = (uint8_t *)(uintptr_t)s.meta + META_TABLE_TREE + TREE_ROOT;
    memset(depth, 0, 2); /* no root and no depth, and still a page */
    set_u64(root, PAGE_NONE);
    expect_no_view(&s, "without a root has pages");
    scene_end(&s);
}

/* Puts a page's number into the first list of free pages, where the order allows it. */
static void name_as_free(struct scene *s, uint64_t live)
{
    uint8_t *list = free_list(s);
    const uint64_t count = native_u64(list);
    for (uint64_t i = 1; i <= count; i++) {
        const uint64_t before = i > 1 ? native_u64(list + 8 * (i - 1)) : UINT64_MAX;
        const uint64_t after = i < count ? native_u64(list + 8 * (i + 1)) : 0;
        if (live < before && live > after) {
            set_u64(list + 8 * i, live);
            return;
        }
    }
    cr_assert(false, "no place for %llu", (unsigned long long)live);
}

Test(store_view, a_list_that_frees_what_the_lists_or_the_tables_stand_on_is_noticed)
{
    for (int tables = 0; tables < 2; tables++) {
        struct scene s;
        scene_make(&s);
        EXPECT_OK(update(&s));
        name_as_free(&s, native_u64(s.meta + (tables ? META_TABLE_TREE : META_FREE_TREE) + TREE_ROOT));
        expect_no_view(&s, tables ? "the tree of tables is free" : "leads to a page that is free");
        scene_end(&s);
    }
}

Test(store_view, a_list_of_free_pages_has_the_length_that_it_says)
{
    struct scene s;
    scene_make(&s);
    uint8_t *list = free_list(&s);
    const uint64_t count = native_u64(list);
    set_u64(list, count + 1);
    expect_no_view(&s, "wrong length");
    set_u64(list, count - 1);
    expect_no_view(&s, "wrong length");
    set_u64(list, UINT64_MAX);
    expect_no_view(&s, "wrong length");
    scene_end(&s);
}

Test(store_view, a_page_is_free_once)
{
    struct scene s;
    scene_make(&s);
    const uint8_t *page = s.image + native_u64(s.meta + META_FREE_TREE + TREE_ROOT) * PAGE_BYTES;
    cr_assert_geq(page_node_count(page), 2);
    uint8_t *first = (uint8_t *)(uintptr_t)node_value(page_node(page, 0));
    uint8_t *second = (uint8_t *)(uintptr_t)node_value(page_node(page, 1));
    /* The greatest number leads a list. */
    uint8_t *to = native_u64(first + 8) > native_u64(second + 8) ? second : first;
    set_u64(to + 8, native_u64((to == first ? second : first) + 8));
    expect_no_view(&s, "a page is free twice");
    scene_end(&s);
}

Test(store_view, a_transaction_whose_meta_page_is_gone_is_not_found)
{
    struct scene s;
    scene_make(&s);
    EXPECT_STATUS(store_view_update(&s.view, &s.map, native_u64(s.meta + META_TRANSACTION) - 2, &test_error),
                  SETTLE_E_NOT_FOUND);
    EXPECT_OK(update(&s));
    scene_end(&s);
}

/* ---- Places ------------------------------------------------------------------------------------------------------------------ */

static const uint8_t *branch_of(struct scene *s, enum store_table table)
{
    const uint8_t *page = s->image + s->view.tables[table].root * PAGE_BYTES;
    cr_assert_eq(native_u16(page + PAGE_FLAGS), PAGE_IS_BRANCH);
    return page;
}

/* How many of the known ids a damaged tree still gives, how many it calls damaged; none may be called unknown. */
static unsigned expect_known_or_damaged(struct scene *s)
{
    unsigned damaged = 0;
    bool is_there;
    for (unsigned i = 0; i < NATURAL; i++) {
        struct store_id id = natural_of(i);
        settle_status status = find(s, &id, &is_there);
        cr_assert(status == SETTLE_OK ? is_there : status == SETTLE_E_CORRUPT, "%u", i);
        damaged += status != SETTLE_OK;
    }
    return damaged;
}

Test(store_view, a_key_in_a_branch_that_leads_astray_is_noticed)
{
    for (int up = 0; up < 2; up++) {
        struct scene s;
        scene_make(&s);
        EXPECT_OK(update(&s));
        const uint8_t *node = page_node(branch_of(&s, STORE_NATURAL_IDS), 3);
        uint8_t *last = (uint8_t *)(uintptr_t)node + NODE_HEADER_BYTES + 7; /* of the time */
        *last = (uint8_t)(up != 0 ? *last | 0x1f : *last & 0xe0);
        cr_assert_gt(expect_known_or_damaged(&s), 0);
        scene_end(&s);
    }
}

Test(store_view, two_children_in_each_others_place_are_noticed)
{
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *a = (uint8_t *)(uintptr_t)page_node(branch_of(&s, STORE_NATURAL_IDS), 2),
            *b = (uint8_t *)(uintptr_t)page_node(branch_of(&s, STORE_NATURAL_IDS), 4), low[2];
    memcpy(low, a, 2);
    memcpy(a, b, 2);
    memcpy(b, low, 2);
    cr_assert_gt(expect_known_or_damaged(&s), 50);
    scene_end(&s);
}

Test(store_view, another_tables_page_is_noticed_also_where_it_was_proved)
{
    struct scene s;
    unsigned damaged = 0;
    bool is_there;
    scene_make(&s);
    EXPECT_OK(update(&s));
    cr_assert_eq(expect_known_or_damaged(&s),
                 0); /* which proves the natural ids' pages; their keys come before all texts */
    uint8_t *text = (uint8_t *)(uintptr_t)page_node(branch_of(&s, STORE_TEXT_IDS), 0);
    memcpy(text, page_node(branch_of(&s, STORE_NATURAL_IDS), 0), 2);
    for (unsigned i = 0; i < TEXT; i++) {
        struct store_id id = text_of(i);
        settle_status status = find(&s, &id, &is_there);
        cr_assert(status == SETTLE_OK ? is_there : status == SETTLE_E_CORRUPT, "%u", i);
        damaged += status != SETTLE_OK;
    }
    cr_assert_gt(damaged, 0);
    scene_end(&s);
}

Test(store_view, an_older_copy_of_a_leaf_is_free_and_noticed)
{
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *node = (uint8_t *)(uintptr_t)page_node(branch_of(&s, STORE_NATURAL_IDS), 1);
    const uint8_t *key = node + NODE_HEADER_BYTES;
    const uint64_t live = node_child(node);
    unsigned tried = 0;
    for (uint64_t number = META_COUNT; number < s.view.page_count; number++) {
        const uint8_t *page = s.image + number * PAGE_BYTES;
        if (number == live || native_u64(page) != number || native_u16(page + PAGE_FLAGS) != PAGE_IS_LEAF)
            continue;
        const uint8_t *first = page_node(page, 0);
        if (native_u16(first + NODE_KEY_BYTES) != STORE_NATURAL_KEY_BYTES ||
            memcmp(first + NODE_HEADER_BYTES, key, STORE_NATURAL_KEY_BYTES) != 0)
            continue;
        const uint16_t low = (uint16_t)number;
        memcpy(node, &low, 2);
        cr_assert_gt(expect_known_or_damaged(&s), 0);
        tried++;
    }
    cr_assert_gt(tried, 0, "the file has older copies");
    scene_end(&s);
}

Test(store_view, proving_a_way_covers_the_keys_it_says)
{
    struct scene s;
    struct store_range range = {.is_known = false};
    unsigned proofs = 0;
    scene_make(&s);
    EXPECT_OK(update(&s));
    for (unsigned i = 0; i < NATURAL; i++) {
        uint8_t key[STORE_ID_KEY_BYTES_MAX];
        struct store_id id = natural_of(i);
        struct store_bytes k = {key, store_id_key(&id.key, key)};
        if (range.is_known && (!range.end.at || store_key_order(k, range.end) < 0))
            continue;
        EXPECT_OK(store_view_prove(&s.view, STORE_NATURAL_IDS, k, &range, &test_error));
        cr_assert(range.is_known && (!range.first.at || store_key_order(range.first, k) <= 0));
        proofs++;
    }
    cr_assert_lt(proofs, NATURAL / 20, "%u proofs", proofs);
    EXPECT_OK(store_view_prove_end(&s.view, STORE_NATURAL_IDS, &test_error));
    EXPECT_OK(store_view_prove_end(&s.view, STORE_ARRIVALS, &test_error));
    scene_end(&s);
}

Test(store_view, a_child_outside_the_file_and_a_tree_of_another_depth_are_noticed)
{
    struct scene s;
    struct store_id id = natural_of(0);
    bool is_there;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *node = (uint8_t *)(uintptr_t)page_node(branch_of(&s, STORE_NATURAL_IDS), 0);
    const uint64_t child = node_child(node);
    const uint16_t wrong[] = {0, 1, (uint16_t)s.view.page_count, UINT16_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(node, &wrong[i], 2);
        EXPECT_OK(update(&s));
        EXPECT_STATUS(find(&s, &id, &is_there), SETTLE_E_CORRUPT);
        cr_assert(strstr(test_error.text, "outside the file"), "%s", test_error.text);
    }
    memcpy(node, &child, 2);
    EXPECT_OK(update(&s));
    EXPECT_OK(find(&s, &id, &is_there));
    /* The branch was proved as one, and is to be a leaf. */
    s.view.tables[STORE_NATURAL_IDS].depth = 1;
    EXPECT_STATUS(find(&s, &id, &is_there), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, "another depth"), "%s", test_error.text);
    scene_end(&s);
}
