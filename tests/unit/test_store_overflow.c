/*
 * test_store_overflow.c — what does not fit a page: lists of free pages, as a snapshot that is held for long leaves them, in a tree
 * of two levels, and values of a table. Whole they are read and written on; damaged they are noticed, whatever is wrong.
 */
#include "engine/store_view.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"

SETTLE_SUITE(store_overflow);

enum { PAGE_BYTES = 4096, LISTS_MAX = 64 };

static char long_name[4000];

struct scene {
    struct fixture f;
    uint8_t *image, *kept; /* private: what is changed in it is on no disk; as it was */
    size_t bytes;
    int fd;
    struct store_map map;
    struct store_view view;
    const uint8_t *meta;
    uint8_t *lists[LISTS_MAX]; /* of free pages */
    size_t list_count;
    uint8_t *node; /* a list's that has pages of its own */
    uint64_t leaf; /* where that stands */
};

static uint8_t *page_at(struct scene *s, uint64_t number)
{
    cr_assert_lt(number, s->bytes / PAGE_BYTES);
    return s->image + number * PAGE_BYTES;
}

static uint8_t *changeable(const uint8_t *at)
{
    return (uint8_t *)(uintptr_t)at;
}

/* Accounts that are written again and again beside a snapshot: the pages they leave are not used again, but listed. */
static void fill(struct fixture *f)
{
    memset(long_name, 'n', sizeof long_name);
    const struct source_entry source = {
        .name = long_name, .name_bytes = sizeof long_name, .offset_bytes = 7, .line = 3};
    fixture_open(f);
    EXPECT_OK(fixture_apply(f, (struct store_batch){.sources = &source, .source_count = 1}));
    EXPECT_OK(fixture_apply_version(f, 1, 30000));
    struct store_snapshot *held = fixture_snapshot(f->store);
    for (uint64_t version = 2; version < 8; version++)
        EXPECT_OK(fixture_apply_version(f, version, version == 4 ? 30000 : 5000));
    store_snapshot_close(held);
    store_close(f->store);
    f->store = NULL;
}

static void find_lists(struct scene *s)
{
    cr_assert_eq(native_u16(s->meta + META_FREE_TREE + TREE_DEPTH), 2, "a tree of two levels");
    const uint8_t *root = page_at(s, native_u64(s->meta + META_FREE_TREE + TREE_ROOT));
    for (unsigned i = 0; i < page_node_count(root); i++) {
        const uint64_t number = node_child(page_node(root, i));
        const uint8_t *leaf = page_at(s, number);
        for (unsigned k = 0; k < page_node_count(leaf); k++) {
            uint8_t *node = changeable(page_node(leaf, k));
            const bool is_long = native_u16(node + NODE_FLAGS) == NODE_IS_OVERFLOW;
            cr_assert_lt(s->list_count, LISTS_MAX);
            s->lists[s->list_count++] =
                is_long ? page_at(s, native_u64(node_value(node))) + PAGE_HEADER_BYTES : changeable(node_value(node));
            if (is_long && node_value_bytes(node) > PAGE_BYTES) {
                s->node = node;
                s->leaf = number;
            }
        }
    }
    cr_assert_not_null(s->node, "a list of more than one page");
}

static void scene_make(struct scene *s)
{
    struct stat status;
    char path[TEMPDIR_PATH_BYTES];
    *s = (struct scene){.fd = -1};
    fill(&s->f);
    fixture_file(&s->f, STORE_DATA_NAME, path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(s->fd >= 0 && fstat(s->fd, &status) == 0);
    s->bytes = (size_t)status.st_size;
    s->image = malloc(s->bytes);
    s->kept = malloc(s->bytes);
    cr_assert(s->image != NULL && s->kept != NULL && pread(s->fd, s->image, s->bytes, 0) == (ssize_t)s->bytes);
    memcpy(s->kept, s->image, s->bytes);
    s->map = (struct store_map){s->image, s->bytes, s->fd, PAGE_BYTES};
    s->view = (struct store_view){.mem = &mem_libc};
    const uint64_t first = native_u64(s->image + META_TRANSACTION),
                   second = native_u64(s->image + PAGE_BYTES + META_TRANSACTION);
    s->meta = s->image + (first > second ? 0 : PAGE_BYTES);
    find_lists(s);
}

static void scene_end(struct scene *s)
{
    store_view_deinit(&s->view);
    free(s->image);
    free(s->kept);
    close(s->fd);
    fixture_close(&s->f);
}

static settle_status update(struct scene *s)
{
    s->view.transaction = 0;
    return store_view_update(&s->view, &s->map, native_u64(s->meta + META_TRANSACTION), &test_error);
}

static void set_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void mend(struct scene *s)
{
    memcpy(s->image, s->kept, s->bytes);
}

static void expect_no_view(struct scene *s, const char *fault)
{
    EXPECT_STATUS(update(s), SETTLE_E_CORRUPT);
    cr_assert(strstr(test_error.text, fault), "'%s' is not '%s'", test_error.text, fault);
    mend(s);
    EXPECT_OK(update(s));
}

/* Names a live page as free, where the order of a list allows it. */
static void name_as_free(struct scene *s, uint64_t live)
{
    for (size_t l = 0; l < s->list_count; l++) {
        uint8_t *list = s->lists[l];
        const uint64_t count = native_u64(list);
        for (uint64_t i = 1; i <= count; i++) {
            const uint64_t before = i > 1 ? native_u64(list + 8 * (i - 1)) : UINT64_MAX;
            const uint64_t after = i < count ? native_u64(list + 8 * (i + 1)) : 0;
            if (live < before && live > after) {
                set_u64(list + 8 * i, live);
                return;
            }
        }
    }
    cr_assert(false, "no place for %llu", (unsigned long long)live);
}

/* ---- Whole ---------------------------------------------------------------------------------------------------------------- */

Test(store_overflow, a_long_list_of_free_pages_is_read_and_its_pages_are_used_again)
{
    struct scene s;
    struct source_entry found;
    scene_make(&s);
    EXPECT_OK(update(&s));
    EXPECT_OK(fixture_reopen(&s.f, true));
    for (uint64_t version = 8; version < 11; version++)
        EXPECT_OK(fixture_apply_version(&s.f, version, 30000));
    struct store_snapshot *snapshot = fixture_snapshot(s.f.store);
    const struct version_check check = fixture_version_in(snapshot);
    cr_assert(check.version == 10 && check.count == 30000);
    EXPECT_OK(store_source_get(snapshot, (settle_text){long_name, sizeof long_name}, &found, &test_error));
    cr_assert(found.offset_bytes == 7 && found.line == 3);
    store_snapshot_close(snapshot);
    struct stat status;
    cr_assert_eq(fstat(s.fd, &status), 0);
    cr_assert_leq((size_t)status.st_size, s.bytes + s.bytes / 10, "%zu, then %lld", s.bytes, (long long)status.st_size);
    scene_end(&s);
}

/* ---- Damaged -------------------------------------------------------------------------------------------------------------- */

/* What stands at the head of a long value's first page, and what it must not be. */
static const struct field {
    size_t at, bytes;
} fields[] = {{PAGE_NUMBER, 8}, {PAGE_PAD, 2}, {PAGE_FLAGS, 2}, {PAGE_OVERFLOW_COUNT, 4}};

Test(store_overflow, a_long_list_on_a_damaged_page_is_noticed)
{
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *value = changeable(node_value(s.node));
    uint8_t *page = page_at(&s, native_u64(value));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        for (size_t byte = 0; byte < fields[i].bytes; byte++) {
            page[fields[i].at + byte] ^= 1;
            expect_no_view(&s, "a long value has a damaged page");
        }
    static const uint64_t outside[] = {0, 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        set_u64(value, outside[i]);
        expect_no_view(&s, "a long value lies outside the file");
    }
    set_u64(value, s.view.present_count);
    expect_no_view(&s, "a long value lies outside the file");
    /* A length that both tell, and that leads beyond the end. */
    const uint32_t pages = (uint32_t)(s.view.present_count - native_u64(value) + 1), bytes = pages * PAGE_BYTES - 64;
    memcpy(page + PAGE_OVERFLOW_COUNT, &pages, sizeof pages);
    memcpy(s.node + NODE_LOW, &bytes, sizeof bytes);
    expect_no_view(&s, "a long value has a damaged page");
    scene_end(&s);
}

Test(store_overflow, a_tree_of_free_pages_that_leads_astray_is_noticed)
{
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *root = page_at(&s, native_u64(s.meta + META_FREE_TREE + TREE_ROOT));
    uint8_t *child = changeable(page_node(root, 0));
    static const uint16_t outside[] = {0, 1, UINT16_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        memcpy(child + NODE_LOW, &outside[i], sizeof outside[i]);
        expect_no_view(&s, "a page lies outside the file");
    }
    name_as_free(&s, s.leaf);
    expect_no_view(&s, "leads to a page that is free");
    for (uint64_t page = 0; page < 2; page++) { /* of the list's own */
        name_as_free(&s, native_u64(node_value(s.node)) + page);
        expect_no_view(&s, "leads to a page that is free");
    }
    scene_end(&s);
}

/* A list that is shorter than the number that it begins with. */
Test(store_overflow, a_list_of_free_pages_without_its_length_is_noticed)
{
    struct scene s;
    scene_make(&s);
    EXPECT_OK(update(&s));
    uint8_t *low = s.node + NODE_LOW, *high = s.node + NODE_HIGH;
    memcpy(page_at(&s, native_u64(node_value(s.node))) + PAGE_OVERFLOW_COUNT, &(uint32_t){1}, 4);
    memset(high, 0, 2);
    memcpy(low, &(uint16_t){4}, 2);
    expect_no_view(&s, "a list of free pages has the wrong length");
    scene_end(&s);
}

static void expect_source(struct scene *s, const char *fault)
{
    uint8_t bytes[STORE_SOURCE_KEY_BYTES_MAX];
    const struct store_bytes key = {bytes, store_source_key((settle_text){long_name, sizeof long_name}, bytes)};
    struct store_bytes value;
    EXPECT_OK(update(s));
    const settle_status status = store_view_find(&s->view, STORE_SOURCES, key, &value, &test_error);
    cr_assert_eq(status, fault == NULL ? SETTLE_OK : SETTLE_E_CORRUPT, "%d", status);
    cr_assert(fault == NULL ? value.count > sizeof long_name : strstr(test_error.text, fault) != NULL,
              "'%s' is not '%s'", test_error.text, fault);
    mend(s);
}

Test(store_overflow, a_long_value_on_a_damaged_page_or_a_free_one_is_noticed)
{
    struct scene s;
    scene_make(&s);
    expect_source(&s, NULL);
    const uint8_t *leaf = page_at(&s, s.view.tables[STORE_SOURCES].root);
    uint8_t *node = changeable(page_node(leaf, 0)), *value = changeable(node_value(node));
    cr_assert_eq(native_u16(node + NODE_FLAGS), NODE_IS_OVERFLOW);
    const uint64_t number = native_u64(value);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        page_at(&s, number)[fields[i].at] ^= 1;
        expect_source(&s, "a long value has a damaged page");
    }
    set_u64(value, s.view.present_count);
    expect_source(&s, "a long value lies outside the file");
    name_as_free(&s, number);
    expect_source(&s, "a long value's page is free");
    scene_end(&s);
}

/* ---- Nothing -------------------------------------------------------------------------------------------------------------- */

Test(store_overflow, a_view_of_nothing_is_let_go)
{
    struct store_view view = {.mem = NULL};
    store_view_deinit(&view);
    cr_assert_null(view.is_free);
}
