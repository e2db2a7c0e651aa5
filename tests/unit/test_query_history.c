/* test_query_history.c — statements: what the model says of every account, ranges, and chains that are broken. */
#include "tests/unit/past_scene.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_history);

static const struct history_options all = {0, UINT64_MAX, UINT64_MAX};

/* ---- Every account of a random stream ---- */

/* Goes down the model's list beside the walk. */
struct expected {
    const struct scene *scene;
    uint64_t user;
    uint32_t asset;
    size_t below; /* rows come from events before this index */
    size_t rows, rows_max;
};

static bool expect_row(void *context, const struct account_change *change)
{
    struct expected *e = context;
    const settle_leg *leg = NULL;
    while (leg == NULL && e->below > 0)
        leg = told_leg(&e->scene->told[--e->below], e->user, e->asset);
    cr_assert_not_null(leg, "a row too many: seq %" PRIu64, change->seq);
    const struct told *told = &e->scene->told[e->below];
    cr_assert_eq(change->seq, told->result.seq);
    cr_assert_eq(change->ts_ms, told->ts_ms);
    cr_assert_str_eq(change->event_id, told->id);
    cr_assert_eq(change->type, told->type);
    cr_assert(change->delta == leg->delta_available && change->after == leg->after_available);
    cr_assert(change->after_held == leg->after_held);
    cr_assert_eq(change->version, leg->version);
    cr_assert_gt(change->position, 0);
    return ++e->rows < e->rows_max;
}

static struct expected expect(const struct scene *scene, const settle_balance *account)
{
    return (struct expected){
        .scene = scene, .user = account->user, .asset = account->asset, .below = scene->count, .rows_max = SIZE_MAX};
}

static void expect_all_statements(struct scene *scene, struct query *query)
{
    const struct model *model = &scene->oracle.model;
    cr_assert_gt(model->balance_count, 8);
    for (size_t i = 0; i < model->balance_count; i++) {
        struct expected e = expect(scene, &model->balances[i]);
        EXPECT_OK(query_history(query, e.user, e.asset, &all, expect_row, &e, &test_error));
        cr_assert_eq(e.rows, model->balances[i].version, "user %" PRIu64 " asset %u", e.user, e.asset);
    }
}

Test(query_history, of_every_account_of_a_random_stream_is_the_models)
{
    for (enum scene_store store = SCENE_STORE_NEW; store < SCENE_STORES; store++) {
        struct scene scene;
        scene_make(&scene, stream_seed(31 + store), 600, store);
        struct query *query = scene_query(&scene);
        cr_assert_eq(query_store_fault(query) != NULL, store == SCENE_STORE_GONE);
        expect_all_statements(&scene, query);
        query_close(query);
        scene_remove(&scene);
    }
}

/* Segments of 16 KiB: a start more than four rows back is searched for in its segment, a nearer one is walked to. */
Test(query_history, begins_behind_any_event)
{
    struct scene scene;
    scene_make(&scene, stream_seed(41), 400, SCENE_STORE_OLD);
    struct query *query = scene_query(&scene);
    const struct model *model = &scene.oracle.model;
    for (size_t i = 0; i < model->balance_count; i++) {
        for (uint64_t until = 0; until <= scene.count + 1; until += 7) {
            struct expected e = expect(&scene, &model->balances[i]);
            struct history_options options = all;
            options.until_seq = until;
            e.below = until < scene.count ? until : scene.count;
            e.rows_max = 3;
            EXPECT_OK(query_history(query, e.user, e.asset, &options, expect_row, &e, &test_error));
            const size_t below = e.below;
            for (size_t k = 0; k < below && e.rows < e.rows_max; k++)
                cr_assert_null(told_leg(&scene.told[k], e.user, e.asset), "a row is missing: until %" PRIu64, until);
        }
    }
    query_close(query);
    scene_remove(&scene);
}

/* ---- Ranges, on the small stream: user 7's USDT changes with seq 1 and 3 ---- */

struct rows {
    uint64_t seqs[8];
    size_t count;
};

static bool take_seq(void *context, const struct account_change *change)
{
    struct rows *rows = context;
    rows->seqs[rows->count++] = change->seq;
    return true;
}

static void expect_rows(struct query *query, uint64_t since, uint64_t until, uint64_t limit, size_t count,
                        uint64_t first)
{
    struct rows rows = {.count = 0};
    const struct history_options options = {since, until, limit};
    EXPECT_OK(query_history(query, 7, 2, &options, take_seq, &rows, &test_error));
    cr_assert_eq(rows.count, count, "%" PRIu64 " to %" PRIu64 ": %zu rows", since, until, rows.count);
    cr_assert(count == 0 || rows.seqs[0] == first);
}

static struct query *open_fixture(void)
{
    struct query *query = NULL;
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    return query;
}

Test(query_history, since_until_and_limit_are_inclusive, FIXTURE)
{
    fixture_fill_engine(0);
    struct query *query = open_fixture();
    expect_rows(query, 0, UINT64_MAX, UINT64_MAX, 2, 3);
    expect_rows(query, 1, 3, UINT64_MAX, 2, 3);
    expect_rows(query, 2, 3, UINT64_MAX, 1, 3);
    expect_rows(query, 3, 3, UINT64_MAX, 1, 3);
    expect_rows(query, 1, 2, UINT64_MAX, 1, 1);
    expect_rows(query, 0, 1, UINT64_MAX, 1, 1);
    expect_rows(query, 0, 0, UINT64_MAX, 0, 0);
    expect_rows(query, 4, UINT64_MAX, UINT64_MAX, 0, 0);
    expect_rows(query, 3, 1, UINT64_MAX, 0, 0);
    expect_rows(query, 0, UINT64_MAX, 0, 0, 0);
    expect_rows(query, 0, UINT64_MAX, 1, 1, 3);
    expect_rows(query, 0, UINT64_MAX, 2, 2, 3);
    query_close(query);
}

Test(query_history, an_account_that_nothing_changed_is_not_found, FIXTURE)
{
    struct rows rows = {.count = 0};
    const struct history_options none = {5, 4, 0};
    fixture_fill_engine(0);
    struct query *query = open_fixture();
    EXPECT_STATUS(query_history(query, 9, 2, &all, take_seq, &rows, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_history(query, 9, 2, &none, take_seq, &rows, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(query_history(query, 7, 3, &all, take_seq, &rows, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(rows.count, 0);
    query_close(query);
}

/* ---- Chains that are broken ---- */

/* Where the forged events of user 7 stand. */
static uint64_t forged[3];

/*
 * Three deposits of 100 to user 7, each with `damage` (number, legs) done to its legs; with no store, so that folding the
 * tail would refuse what does not follow. The last event alone is behind the store's point: see below.
 */
static void forge_three(void (*damage)(int number, settle_leg legs[2]))
{
    struct forge forge;
    forge_begin(&forge, 65536);
    for (int number = 0; number < 3; number++) {
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, (uint64_t)number + 1, 7, 2, 100);
        settle_leg legs[2];
        forge_deposit_legs(legs);
        for (int i = 0; i < 2; i++) {
            legs[i].version = (uint64_t)number + 1;
            legs[i].after_available = legs[i].delta_available * (number + 1);
            legs[i].previous_position = number == 0 ? 0 : forged[number - 1];
        }
        damage(number, legs);
        forge_frame_begin(&forge);
        if (number == 0)
            forge_asset(&forge, &fixture_usdt);
        forged[number] = forge_consumed(&forge, &event);
        forge_validated(&forge, legs, 2);
        forge_frame_end(&forge);
    }
    forge_end(&forge);
}

/* A store that says the journal is in it up to its end, and user 7 as the third deposit left him. */
static void store_says(settle_int128 available, uint64_t version, uint64_t position)
{
    int fd = -1;
    struct journal_reader *reader = NULL;
    struct store *store = NULL;
    struct journal_point point;
    struct frame frame;
    struct accounts accounts;
    EXPECT_OK(dir_open(fixture_dir, false, &fd, &test_error));
    EXPECT_OK(journal_reader_open(fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK)
        continue;
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 8));
    EXPECT_OK(accounts_reserve(&accounts, 1));
    struct account *account = accounts_upsert(&accounts, 7, 2);
    account->available = available;
    account->version = version;
    account->last_seq = 3;
    account->last_position = position;
    EXPECT_OK(store_open(fd, fixture_dir, true, journal_reader_id(reader), &mem_libc, &store, &test_error));
    const struct store_batch batch = {.accounts = &accounts, .assets = &fixture_usdt, .asset_count = 1, .point = point};
    EXPECT_OK(store_apply(store, &batch, &test_error));
    store_close(store);
    accounts_deinit(&accounts);
    journal_reader_close(reader);
    file_close(fd);
}

static void no_damage(int number, settle_leg legs[2])
{
    (void)number;
    (void)legs;
}

static settle_status history_of_7(struct rows *rows)
{
    struct query *query = open_fixture();
    settle_status status = query_history(query, 7, 2, &all, take_seq, rows, &test_error);
    query_close(query);
    return status;
}

Test(query_history, a_good_chain_is_walked_to_its_first_change, FIXTURE)
{
    struct rows rows = {.count = 0};
    forge_three(no_damage);
    store_says(300, 3, forged[2]);
    EXPECT_OK(history_of_7(&rows));
    cr_assert_eq(rows.count, 3);
    cr_assert(rows.seqs[0] == 3 && rows.seqs[1] == 2 && rows.seqs[2] == 1);
}

/* What a store with good checksums says wrongly, the journal says rightly. */
Test(query_history, a_store_that_lies_about_the_last_change_is_done_without, FIXTURE)
{
    const struct {
        settle_int128 available;
        uint64_t version;
        int position;
    } lies[] = {{299, 3, 2}, {300, 4, 2}, {300, 2, 2}, {300, 3, 1}, {200, 2, 1}};
    forge_three(no_damage);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        char path[TEMPDIR_PATH_BYTES];
        struct rows rows = {.count = 0};
        store_says(lies[i].available, lies[i].version, forged[lies[i].position]);
        settle_status status = history_of_7(&rows);
        cr_assert_eq(status, SETTLE_OK, "lie %zu: %s", i, test_error.text);
        cr_assert_eq(rows.count, 3, "lie %zu", i);
        tempdir_join(path, fixture_dir, "store");
        tempdir_remove(path);
    }
}

/* Each is done to the second deposit, behind a store that knows the third. */
static void damage_version(int number, settle_leg legs[2])
{
    legs[0].version += number == 1;
}

static void damage_after(int number, settle_leg legs[2])
{
    legs[0].after_available += number == 1;
}

static void damage_user(int number, settle_leg legs[2])
{
    legs[0].user += number == 1;
}

static void damage_previous(int number, settle_leg legs[2])
{
    if (number == 1)
        legs[0].previous_position += 8;
}

static void damage_end(int number, settle_leg legs[2])
{
    if (number == 1)
        legs[0].previous_position = 0;
}

static void damage_forwards(int number, settle_leg legs[2])
{
    if (number == 1)
        legs[0].previous_position += 100000;
}

static void damage_first_balance(int number, settle_leg legs[2])
{
    if (number == 0)
        legs[0].delta_available = 99;
}

static void damage_first_link(int number, settle_leg legs[2])
{
    if (number == 0)
        legs[0].previous_position = 512;
}

Test(query_history, a_broken_chain_is_corrupt_with_its_place, FIXTURE)
{
    static void (*const damages[])(int number, settle_leg legs[2]) = {
        damage_version, damage_after,    damage_user,          damage_previous,
        damage_end,     damage_forwards, damage_first_balance, damage_first_link};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct rows rows = {.count = 0};
        forge_three(damages[i]);
        store_says(300, 3, forged[2]);
        cr_assert_eq(history_of_7(&rows), SETTLE_E_CORRUPT, "damage %zu", i);
        cr_assert_eq(rows.count, i < 6 && damages[i] != damage_previous ? 1 : 2, "damage %zu: %zu rows", i, rows.count);
        cr_assert_eq(strncmp(test_error.file, "journal/0000", 12), 0, "damage %zu: %s", i, test_error.file);
        cr_assert_gt(test_error.offset_bytes, 0);
        fixture_teardown();
        fixture_setup();
    }
}

/* Whatever byte of the journal is damaged: the right rows or an error, never wrong rows. */
Test(query_history, a_damaged_journal_never_shows_a_wrong_row, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t refused = 0;
    forge_three(no_damage);
    store_says(300, 3, forged[2]);
    fixture_path("journal", ".seg", 0, path);
    for (long offset = 512; offset < 512 + 1400; offset += 3) {
        struct rows rows = {.count = 0};
        struct query *query = NULL;
        fixture_flip(path, offset, 0x04);
        settle_status status = query_open(fixture_dir, &query, &test_error);
        if (status == SETTLE_OK)
            status = query_history(query, 7, 2, &all, take_seq, &rows, &test_error);
        cr_assert(status == SETTLE_OK ? rows.count == 3 : status == SETTLE_E_CORRUPT, "byte %ld: %d", offset, status);
        refused += status != SETTLE_OK;
        query_close(query);
        fixture_flip(path, offset, 0x04);
    }
    cr_assert_gt(refused, 50);
}
