/*
 * test_store_damage.c — a damaged store is refused and never served: flipped bytes in every value, entries that are missing or
 * old, a file that was cut, meta pages that make no sense.
 */
#include "engine/store_page.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(store_damage);

enum { PAGE_BYTES = 4096, VALUE_BYTES_MAX = 5000 };

static const settle_asset asset = {.id = 2, .scale = 6, .symbol = "USDT"};
static char long_name[600];

/* One entry in each table, but `sources` with the name given, closed. */
static void make_store(struct fixture *f, size_t name_bytes)
{
    struct accounts accounts;
    struct account account = sample_account(1001, 2, 3);
    struct store_id id = natural_id(1733856600000, SETTLE_DEPOSIT, 1001, 2, 4096);
    struct store_arrival arrival = {.first_position = 4096, .position = 8192};
    memset(long_name, 'n', sizeof(long_name));
    struct source_entry source = {.name = long_name, .name_bytes = name_bytes, .offset_bytes = 10, .line = 2};
    fixture_open(f);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    put_sample(&accounts, &account);
    EXPECT_OK(fixture_apply(f, (struct store_batch){.accounts = &accounts,
                                                    .ids = &id,
                                                    .id_count = 1,
                                                    .arrivals = &arrival,
                                                    .arrival_count = 1,
                                                    .assets = &asset,
                                                    .asset_count = 1,
                                                    .sources = &source,
                                                    .source_count = 1}));
    accounts_deinit(&accounts);
    store_close(f->store);
    f->store = NULL;
}

/* ---- Reading everything ------------------------------------------------------------------------------------------------------- */

static settle_status take_account(void *context, const struct account *account, settle_error *error)
{
    (void)context, (void)account, (void)error;
    return SETTLE_OK;
}
static settle_status take_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context, (void)id, (void)error;
    return SETTLE_OK;
}
static settle_status take_position(void *context, uint64_t position, settle_error *error)
{
    (void)context, (void)position, (void)error;
    return SETTLE_OK;
}
static settle_status take_asset(void *context, const settle_asset *taken, settle_error *error)
{
    (void)context, (void)taken, (void)error;
    return SETTLE_OK;
}
static settle_status take_source(void *context, const struct source_entry *entry, settle_error *error)
{
    (void)context, (void)entry, (void)error;
    return SETTLE_OK;
}

static settle_status walk_table(struct store_snapshot *snapshot, enum store_table table, settle_error *error)
{
    struct store_meta meta;
    switch (table) {
    case STORE_ACCOUNTS: return store_accounts_walk(snapshot, 0, take_account, NULL, error);
    case STORE_NATURAL_IDS:
    case STORE_TEXT_IDS: return store_ids_walk(snapshot, take_id, NULL, error);
    case STORE_ARRIVALS: return store_arrivals_walk(snapshot, 4096, take_position, NULL, error);
    case STORE_ASSETS: return store_assets_walk(snapshot, take_asset, NULL, error);
    case STORE_SOURCES: return store_sources_walk(snapshot, take_source, NULL, error);
    default: return store_meta_get(snapshot, &meta, error);
    }
}

static settle_status get_entry(struct store_snapshot *snapshot, enum store_table table, size_t name_bytes,
                               settle_error *error)
{
    struct account account;
    struct source_entry entry;
    uint64_t position;
    struct store_id id = natural_id(1733856600000, SETTLE_DEPOSIT, 1001, 2, 1);
    switch (table) {
    case STORE_ACCOUNTS: return store_account_get(snapshot, 1001, 2, &account, error);
    case STORE_NATURAL_IDS: return store_id_get(snapshot, &id.key, &position, error);
    case STORE_SOURCES: return store_source_get(snapshot, (settle_text){long_name, name_bytes}, &entry, error);
    default: return walk_table(snapshot, table, error);
    }
}

/* A batch that must read the entry before it writes. */
static settle_status write_over(struct fixture *f, enum store_table table, size_t name_bytes)
{
    struct accounts accounts;
    struct account account = sample_account(1001, 2, 4);
    struct store_id id = natural_id(1733856600000, SETTLE_DEPOSIT, 1001, 2, 4096);
    struct source_entry source = {.name = long_name, .name_bytes = name_bytes, .offset_bytes = 11, .line = 3};
    struct store_batch batch = {.ids = &id, .assets = &asset, .sources = &source};
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    put_sample(&accounts, &account);
    batch.accounts = table == STORE_ACCOUNTS ? &accounts : NULL;
    batch.id_count = table == STORE_NATURAL_IDS;
    batch.asset_count = table == STORE_ASSETS;
    batch.source_count = table == STORE_SOURCES;
    f->position += 1000000;
    settle_status status = fixture_apply(f, batch);
    accounts_deinit(&accounts);
    return status;
}

/* The table's entry is damaged: reading, walking and writing over it all say so. */
static void expect_damage_is_seen(struct fixture *f, enum store_table table, size_t name_bytes)
{
    settle_status opened = fixture_reopen(f, table != STORE_ARRIVALS);
    cr_assert_eq(opened, table == STORE_META ? SETTLE_E_CORRUPT : SETTLE_OK, "%s", fixture_error.text);
    if (opened == SETTLE_OK) {
        struct store_snapshot *snapshot = fixture_snapshot(f->store);
        EXPECT_STATUS(walk_table(snapshot, table, &test_error), SETTLE_E_CORRUPT);
        cr_assert_str_eq(test_error.file, "store/data.mdb");
        EXPECT_STATUS(get_entry(snapshot, table, name_bytes, &test_error), SETTLE_E_CORRUPT);
        store_snapshot_close(snapshot);
        if (table != STORE_ARRIVALS)
            cr_assert_eq(write_over(f, table, name_bytes), SETTLE_E_CORRUPT, "table %d", (int)table);
    }
    store_close(f->store);
    f->store = NULL;
}

static void flip_every_byte(enum store_table table, size_t name_bytes)
{
    static uint8_t key[512], value[VALUE_BYTES_MAX];
    struct fixture f;
    size_t key_bytes;
    make_store(&f, name_bytes);
    size_t value_bytes = raw_first(&f, table, key, &key_bytes, value, sizeof(value));
    for (size_t byte = 0; byte < value_bytes; byte++) {
        value[byte] ^= (uint8_t)(1u << byte % 8);
        raw_put(&f, table, key, key_bytes, value, value_bytes);
        expect_damage_is_seen(&f, table, name_bytes);
        value[byte] ^= (uint8_t)(1u << byte % 8);
    }
    raw_put(&f, table, key, key_bytes, value, value_bytes - 1);
    expect_damage_is_seen(&f, table, name_bytes);
    raw_put(&f, table, key, key_bytes, value, value_bytes);
    EXPECT_OK(fixture_reopen(&f, true));
    fixture_close(&f);
}

Test(store_damage, every_byte_of_an_account)
{
    flip_every_byte(STORE_ACCOUNTS, 9);
}
Test(store_damage, every_byte_of_an_event_id)
{
    flip_every_byte(STORE_NATURAL_IDS, 9);
}
Test(store_damage, every_byte_of_an_arrival)
{
    flip_every_byte(STORE_ARRIVALS, 9);
}
Test(store_damage, every_byte_of_an_asset)
{
    flip_every_byte(STORE_ASSETS, 9);
}
Test(store_damage, every_byte_of_a_source)
{
    flip_every_byte(STORE_SOURCES, 9);
}
Test(store_damage, every_byte_of_a_source_with_a_long_name)
{
    flip_every_byte(STORE_SOURCES, sizeof(long_name));
}
Test(store_damage, every_byte_of_meta)
{
    flip_every_byte(STORE_META, 9);
}

/* ---- Whole entries ------------------------------------------------------------------------------------------------------------ */

static void expect_status_of_walk(struct fixture *f, enum store_table table, settle_status expected, const char *text)
{
    EXPECT_OK(fixture_reopen(f, false));
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    EXPECT_STATUS(walk_table(snapshot, table, &test_error), expected);
    cr_assert(strstr(test_error.text, text), "'%s' in '%s'", text, test_error.text);
    store_snapshot_close(snapshot);
    store_close(f->store);
    f->store = NULL;
}

Test(store_damage, a_missing_entry_is_seen_by_the_count)
{
    uint8_t key[512], value[VALUE_BYTES_MAX];
    size_t key_bytes;
    struct fixture f;
    make_store(&f, 9);
    for (enum store_table table = STORE_ACCOUNTS; table <= STORE_NATURAL_IDS; table++) {
        size_t value_bytes = raw_first(&f, table, key, &key_bytes, value, sizeof(value));
        raw_delete(&f, table, key, key_bytes);
        expect_status_of_walk(&f, table, SETTLE_E_CORRUPT, "it holds 0 ");
        raw_put(&f, table, key, key_bytes, value, value_bytes);
        expect_status_of_walk(&f, table, SETTLE_OK, "");
    }
    fixture_close(&f);
}

Test(store_damage, an_older_or_foreign_entry_is_seen_by_the_digest)
{
    uint8_t key[STORE_ACCOUNT_KEY_BYTES], value[STORE_ACCOUNT_VALUE_BYTES];
    struct fixture f;
    make_store(&f, 9);
    struct account older = sample_account(1001, 2, 2);
    store_account_encode(&older, key, value);
    raw_put(&f, STORE_ACCOUNTS, key, STORE_ACCOUNT_KEY_BYTES, value, STORE_ACCOUNT_VALUE_BYTES);
    expect_status_of_walk(&f, STORE_ACCOUNTS, SETTLE_E_CORRUPT, "digest of its accounts");
    struct store_id other = natural_id(1733856600000, SETTLE_DEPOSIT, 1001, 2, 4097);
    raw_put_block(&f, &other);
    expect_status_of_walk(&f, STORE_NATURAL_IDS, SETTLE_E_CORRUPT, "digest of its event ids");
    fixture_close(&f);
}

Test(store_damage, an_entry_under_anothers_key_is_not_served)
{
    uint8_t key[512], value[VALUE_BYTES_MAX], other[STORE_ACCOUNT_KEY_BYTES];
    size_t key_bytes;
    struct fixture f;
    make_store(&f, 9);
    size_t value_bytes = raw_first(&f, STORE_ACCOUNTS, key, &key_bytes, value, sizeof(value));
    store_account_key(1002, 2, other);
    raw_put(&f, STORE_ACCOUNTS, other, sizeof(other), value, value_bytes);
    EXPECT_OK(fixture_reopen(&f, false));
    struct store_snapshot *snapshot = fixture_snapshot(f.store);
    struct account account;
    EXPECT_STATUS(store_account_get(snapshot, 1002, 2, &account, &test_error), SETTLE_E_CORRUPT);
    /* A page with one damaged entry is not believed in anything: a damaged key might be another's. */
    EXPECT_STATUS(store_account_get(snapshot, 1001, 2, &account, &test_error), SETTLE_E_CORRUPT);
    EXPECT_STATUS(store_accounts_walk(snapshot, 1001, take_account, NULL, &test_error), SETTLE_E_CORRUPT);
    EXPECT_STATUS(store_accounts_walk(snapshot, 1002, take_account, NULL, &test_error), SETTLE_E_CORRUPT);
    store_snapshot_close(snapshot);
    fixture_close(&f);
}

Test(store_damage, another_format_version_is_refused_by_number)
{
    uint8_t key[512], value[VALUE_BYTES_MAX];
    size_t key_bytes;
    struct fixture f;
    make_store(&f, 9);
    size_t value_bytes = raw_first(&f, STORE_META, key, &key_bytes, value, sizeof(value));
    put_u32(value, 7);
    put_u32(value + value_bytes - 4, crc32c(crc32c(0, "meta", 4), value, value_bytes - 4));
    raw_put(&f, STORE_META, key, key_bytes, value, value_bytes);
    for (int write = 0; write < 2; write++) {
        EXPECT_STATUS(fixture_reopen(&f, write != 0), SETTLE_E_CORRUPT);
        cr_assert(strstr(fixture_error.text, "format version 7") && strstr(fixture_error.text, "knows 3"), "%s",
                  fixture_error.text);
    }
    raw_delete(&f, STORE_META, key, key_bytes);
    EXPECT_STATUS(fixture_reopen(&f, true), SETTLE_E_CORRUPT);
    fixture_close(&f);
}

Test(store_damage, a_missing_or_strange_table_is_refused)
{
    for (int strange = 0; strange < 2; strange++) {
        struct fixture f;
        struct raw raw;
        make_store(&f, 9);
        raw_begin(&raw, &f);
        cr_assert_eq(mdb_drop(raw.txn, raw.tables[STORE_ASSETS], 1), 0);
        if (strange != 0)
            cr_assert_eq(mdb_dbi_open(raw.txn, "assets", MDB_CREATE | MDB_DUPSORT, &raw.tables[STORE_ASSETS]), 0);
        raw_commit(&raw);
        EXPECT_STATUS(fixture_reopen(&f, true), SETTLE_E_CORRUPT);
        cr_assert(strstr(fixture_error.text, "'assets'"), "%s", fixture_error.text);
        EXPECT_STATUS(fixture_reopen(&f, false), SETTLE_E_CORRUPT);
        fixture_close(&f);
    }
}

/* ---- The file -------------------------------------------------------------------------------------------------------------------- */

/* Closes the store; the bytes of its file, to be freed with free(). */
static uint8_t *read_file(struct fixture *f, size_t *ret_bytes)
{
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    store_close(f->store);
    f->store = NULL;
    fixture_file(f, STORE_DATA_NAME, path);
    cr_assert_eq(stat(path, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    int fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_bytes = (size_t)st.st_size;
    return bytes;
}

/* A store of many pages. */
static uint8_t *make_large_store(struct fixture *f, size_t *ret_bytes)
{
    fixture_open(f);
    for (uint64_t version = 1; version <= 3; version++)
        EXPECT_OK(fixture_apply_version(f, version, 1000));
    return read_file(f, ret_bytes);
}

static void write_file(const struct fixture *f, const uint8_t *bytes, size_t count)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_file(f, STORE_DATA_NAME, path);
    int fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert_eq(write(fd, bytes, count), (ssize_t)count);
    close(fd);
}

static void expect_refused(struct fixture *f, const char *what, size_t where)
{
    for (int write = 0; write < 2; write++) {
        settle_status status = fixture_reopen(f, write != 0);
        cr_assert_eq(status, SETTLE_E_CORRUPT, "%s %zu: %d %s", what, where, (int)status, fixture_error.text);
        cr_assert_str_eq(fixture_error.file, "store/data.mdb");
    }
}

/*
 * A number of a tree in the older meta page is nobody's any more: LMDB leaves it wrong there where writing a meta page
 * fails. In the newer one it is damage.
 */
static void expect_tree_damage(struct fixture *f, const uint8_t *original, size_t page, const char *what, size_t where)
{
    size_t newest = native_u64(original + PAGE_BYTES + META_TRANSACTION) > native_u64(original + META_TRANSACTION);
    if (page == newest) {
        expect_refused(f, what, where);
        return;
    }
    for (int write = 0; write < 2; write++) {
        cr_assert_eq(fixture_reopen(f, write != 0), SETTLE_OK, "%s %zu: %s", what, where, fixture_error.text);
        struct store_snapshot *snapshot = fixture_snapshot(f->store);
        struct version_check check = fixture_version_in(snapshot);
        cr_assert(check.version == 3 && check.count == 1000, "%s %zu", what, where);
        store_snapshot_close(snapshot);
    }
    store_close(f->store);
    f->store = NULL;
}

Test(store_damage, a_file_cut_anywhere_is_refused)
{
    struct fixture f;
    size_t bytes;
    uint8_t *original = make_large_store(&f, &bytes);
    size_t pages = bytes / PAGE_BYTES;
    cr_assert_gt(pages, 40);
    for (size_t page = 0; page < pages; page++) {
        if (page > 0) {
            write_file(&f, original, page * PAGE_BYTES);
            expect_refused(&f, "cut at page", page);
        }
        write_file(&f, original, page * PAGE_BYTES + 1 + page * 101 % (PAGE_BYTES - 1));
        expect_refused(&f, "cut in page", page);
    }
    write_file(&f, original, bytes);
    EXPECT_OK(fixture_reopen(&f, true));
    free(original);
    fixture_close(&f);
}

Test(store_damage, meta_pages_that_make_no_sense_are_refused)
{
    /* Offsets in the page of what LMDB would believe: see store_check.c. */
    static const struct field {
        size_t offset, bytes;
    } fields[] = {{0, 8}, {10, 2}, {16, 4}, {20, 4}, {40, 4}, {44, 2}, {46, 2}, {92, 2}, {94, 2}, {144, 8}};
    struct fixture f;
    size_t bytes;
    uint8_t *original = make_large_store(&f, &bytes);
    for (size_t page = 0; page < 2; page++) {
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            bool is_depth = fields[i].bytes == 2 && fields[i].offset % 48 == 46;
            for (size_t bit = is_depth ? 6 : 0; bit < 8 * fields[i].bytes; bit++) {
                size_t at = page * PAGE_BYTES + fields[i].offset + bit / 8;
                original[at] ^= (uint8_t)(1u << bit % 8);
                write_file(&f, original, bytes);
                if (fields[i].offset > META_PAGE_BYTES && fields[i].offset < META_LAST_PAGE)
                    expect_tree_damage(&f, original, page, "bit of byte", at);
                else
                    expect_refused(&f, "bit of byte", at);
                original[at] ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
    free(original);
    fixture_close(&f);
}

/* Sets a number of 8 bytes in the meta pages. */
static void expect_number_refused(struct fixture *f, uint8_t *original, size_t bytes, size_t offset, uint64_t number)
{
    for (size_t page = 0; page < 2; page++) {
        uint8_t *at = original + page * PAGE_BYTES + offset, before[8];
        memcpy(before, at, 8);
        memcpy(at, &number, 8);
        write_file(f, original, bytes);
        if (offset < META_LAST_PAGE)
            expect_tree_damage(f, original, page, "number at", page * PAGE_BYTES + offset);
        else
            expect_refused(f, "number at", page * PAGE_BYTES + offset);
        memcpy(at, before, 8);
    }
}

Test(store_damage, roots_and_ends_outside_the_file_are_refused)
{
    struct fixture f;
    size_t bytes;
    uint8_t *original = make_large_store(&f, &bytes);
    const size_t roots[] = {80, 128}, last_page = 136;
    for (size_t i = 0; i < 2; i++) {
        expect_number_refused(&f, original, bytes, roots[i], 0);
        expect_number_refused(&f, original, bytes, roots[i], 1);
        expect_number_refused(&f, original, bytes, roots[i], bytes / PAGE_BYTES);
        expect_number_refused(&f, original, bytes, roots[i], UINT64_MAX);
        expect_number_refused(&f, original, bytes, roots[i] - TREE_ROOT + TREE_DEPTH, 0);
    }
    expect_number_refused(&f, original, bytes, last_page, 0);
    expect_number_refused(&f, original, bytes, last_page, bytes / PAGE_BYTES);
    expect_number_refused(&f, original, bytes, last_page, UINT64_MAX);
    expect_number_refused(&f, original, bytes, 144, 0);
    /* Both one ahead: they follow each other, but each stands in the other's place. */
    for (size_t page = 0; page < 2; page++) {
        uint64_t number;
        memcpy(&number, original + page * PAGE_BYTES + 144, 8);
        number++;
        memcpy(original + page * PAGE_BYTES + 144, &number, 8);
    }
    write_file(&f, original, bytes);
    expect_refused(&f, "both transactions", 144);
    free(original);
    fixture_close(&f);
}

/* ---- Keys inside the tree -------------------------------------------------------------------------------------------------- */

enum { USERS = 1000, IS_BRANCH = 1, IS_LEAF = 2 };

/* Every account and id must be found, or the damage reported: never "there is none". */
static void expect_no_false_absence(struct fixture *f)
{
    struct account account;
    uint64_t position;
    f->store = NULL;
    settle_status status = fixture_reopen(f, false);
    FIXTURE_CHECK(status == SETTLE_OK || status == SETTLE_E_CORRUPT);
    if (status != SETTLE_OK)
        return;
    struct store_snapshot *snapshot = fixture_snapshot(f->store);
    for (uint64_t user = 1; user <= USERS; user++) {
        struct store_id id = natural_id(user, SETTLE_DEPOSIT, user, 1, user);
        status = store_account_get(snapshot, user, 1, &account, &fixture_error);
        FIXTURE_CHECK(status == SETTLE_E_CORRUPT || (status == SETTLE_OK && account.version == 2));
        status = store_id_get(snapshot, &id.key, &position, &fixture_error);
        FIXTURE_CHECK(status == SETTLE_E_CORRUPT || (status == SETTLE_OK && position == user));
        struct version_check check = {0};
        status = store_accounts_walk(snapshot, user, fixture_check_account, &check, &fixture_error);
        FIXTURE_CHECK(status == SETTLE_E_CORRUPT || (status == SETTLE_OK && check.count == 1));
    }
    store_snapshot_close(snapshot);
    store_close(f->store);
}

static void flip_and_look(struct fixture *f, uint8_t *original, size_t bytes, size_t at, unsigned bit)
{
    original[at] ^= (uint8_t)(1u << bit);
    write_file(f, original, bytes);
    pid_t child = child_fork();
    if (child == 0) {
        expect_no_false_absence(f);
        _exit(0);
    }
    cr_assert_eq(child_exit(child), 0, "byte %zu of page %zu", at % PAGE_BYTES, at / PAGE_BYTES);
    original[at] ^= (uint8_t)(1u << bit);
}

/* Flips bytes of the keys in the pages of a kind, every `step`th. Offsets as in mdb.c: MDB_page, MDB_node. */
static size_t flip_keys(struct fixture *f, uint8_t *original, size_t bytes, unsigned kind, size_t step)
{
    size_t keys = 0, flips = 0;
    for (size_t page = 2; page < bytes / PAGE_BYTES; page++) {
        const uint8_t *p = original + page * PAGE_BYTES;
        size_t nodes = (get_u16(p + 12) - 16u) / 2;
        for (size_t i = kind == IS_BRANCH; get_u16(p + 10) == kind && i < nodes; i++) {
            size_t node = get_u16(p + 16 + 2 * i), key_bytes = get_u16(p + node + 6);
            for (size_t byte = 0; byte < key_bytes; byte++) {
                if (keys++ % step != 0)
                    continue;
                flip_and_look(f, original, bytes, page * PAGE_BYTES + node + 8 + byte, (unsigned)(keys / step % 8));
                flips++;
            }
        }
    }
    return flips;
}

Test(store_damage, a_key_that_leads_a_search_astray_is_not_taken_for_an_absence)
{
    static struct store_id ids[USERS];
    struct fixture f;
    size_t bytes;
    for (uint64_t user = 1; user <= USERS; user++)
        ids[user - 1] = natural_id(user, SETTLE_DEPOSIT, user, 1, user);
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.ids = ids, .id_count = USERS}));
    EXPECT_OK(fixture_apply_version(&f, 2, USERS));
    uint8_t *original = read_file(&f, &bytes);
    cr_assert_gt(flip_keys(&f, original, bytes, IS_BRANCH, 3), 100);
    cr_assert_gt(flip_keys(&f, original, bytes, IS_LEAF, 97), 100);
    free(original);
    fixture_close(&f);
}

/* All of one user's, over many pages: no count or digest tells that a walk over them sees some twice. */
Test(store_damage, a_page_that_is_passed_twice_is_seen)
{
    struct fixture f;
    struct accounts accounts;
    size_t bytes, tried = 0;
    fixture_open(&f);
    EXPECT_OK(accounts_init(&accounts, &mem_libc, USERS));
    for (uint32_t i = 1; i <= USERS; i++) {
        struct account account = sample_account(9, i, 2);
        put_sample(&accounts, &account);
    }
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.accounts = &accounts}));
    uint8_t *original = read_file(&f, &bytes);
    for (size_t page = 2; page < bytes / PAGE_BYTES; page++) {
        uint8_t *p = original + page * PAGE_BYTES, before[6];
        size_t nodes = (get_u16(p + 12) - 16u) / 2;
        if (get_u16(p + 10) != IS_BRANCH || nodes < 4)
            continue;
        uint8_t *third = p + get_u16(p + 20), *fourth = p + get_u16(p + 22); /* a node begins with its page's number */
        memcpy(before, fourth, 6);
        memcpy(fourth, third, 6);
        write_file(&f, original, bytes);
        memcpy(fourth, before, 6);
        EXPECT_OK(fixture_reopen(&f, false));
        struct store_snapshot *snapshot = fixture_snapshot(f.store);
        EXPECT_STATUS(store_accounts_walk(snapshot, 9, take_account, NULL, &test_error), SETTLE_E_CORRUPT);
        store_snapshot_close(snapshot);
        tried++;
    }
    cr_assert_eq(tried, 1);
    free(original);
    accounts_deinit(&accounts);
    fixture_close(&f);
}

Test(store_damage, a_file_of_something_else_is_refused)
{
    struct fixture f;
    size_t bytes;
    uint8_t *original = make_large_store(&f, &bytes);
    memset(original, 0, bytes);
    write_file(&f, original, bytes);
    expect_refused(&f, "zeros", 0);
    memset(original, 0xff, bytes);
    write_file(&f, original, bytes);
    expect_refused(&f, "ones", 0);
    write_file(&f, (const uint8_t *)"SQLite format 3", 16);
    expect_refused(&f, "sixteen bytes", 0);
    free(original);
    fixture_close(&f);
}

/* A writer adds between what is there: it does not do so beside an entry that is damaged, be it the next leaf's first. */
Test(store_damage, nothing_is_added_beside_a_damaged_entry)
{
    enum { ASSETS = 400, TRIED = 140 }; /* more than a leaf has */
    static settle_asset assets[ASSETS];
    struct fixture f;
    size_t bytes = 0;
    char path[TEMPDIR_PATH_BYTES];
    for (unsigned i = 0; i < ASSETS; i++) {
        assets[i] = (settle_asset){.id = 10 * (i + 1), .scale = 2};
        snprintf(assets[i].symbol, sizeof assets[i].symbol, "SYMBOL-%03u", i + 1);
    }
    fixture_open(&f);
    EXPECT_OK(fixture_apply(&f, (struct store_batch){.assets = assets, .asset_count = ASSETS}));
    fixture_file(&f, STORE_DATA_NAME, path);
    unsigned char *image = tree_read(path, &bytes);
    for (unsigned i = 1; i < TRIED; i++) {
        const settle_asset before = {10 * (i + 1) - 5, 2, "BEFORE"};
        unsigned found = 0;
        store_close(f.store);
        f.store = NULL;
        for (size_t at = 0; at + 10 <= bytes; at++)
            if (memcmp(image + at, assets[i].symbol, 10) == 0) {
                tree_write(path, at, "B", 1);
                found++;
            }
        cr_assert_geq(found, 1);
        EXPECT_OK(fixture_reopen(&f, true));
        EXPECT_STATUS(fixture_apply(&f, (struct store_batch){.assets = &before, .asset_count = 1}), SETTLE_E_CORRUPT);
        cr_assert(strstr(fixture_error.text, "checksum does not fit"), "%s", fixture_error.text);
        tree_write(path, 0, image, bytes);
    }
    free(image);
    fixture_close(&f);
}
