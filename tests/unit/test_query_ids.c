/* test_query_ids.c — event ids by what they begin with, in order, each with its first arrival. */
#include "tests/unit/past_scene.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_ids);

/* What the model says: the first arrivals whose id begins so, sorted. */
static int compare_told(const void *a, const void *b)
{
    return strcmp((*(const struct told *const *)a)->id, (*(const struct told *const *)b)->id);
}

struct expected {
    const struct told **sorted;
    size_t count, at;
};

static bool expect_id(void *context, const char *event_id, const settle_arrival *first)
{
    struct expected *e = context;
    char text[MODEL_TEXT_BYTES];
    cr_assert_lt(e->at, e->count, "one too many: %s", event_id);
    const struct told *told = e->sorted[e->at++];
    cr_assert_str_eq(event_id, told->id);
    cr_assert(model_result_equal(&told->result, &first->result, text), "%s: %s", event_id, text);
    cr_assert_eq(first->type, told->type);
    cr_assert_eq(first->ts_ms, told->ts_ms);
    return true;
}

static size_t expect_prefix(struct scene *scene, struct query *query, const char *prefix)
{
    struct expected e = {.sorted = calloc(scene->count, sizeof *e.sorted)};
    for (size_t i = 0; i < scene->count; i++) {
        settle_outcome outcome = scene->told[i].result.outcome;
        bool is_first = outcome == SETTLE_ACCEPTED || outcome == SETTLE_REJECTED;
        if (is_first && strncmp(scene->told[i].id, prefix, strlen(prefix)) == 0)
            e.sorted[e.count++] = &scene->told[i];
    }
    qsort(e.sorted, e.count, sizeof *e.sorted, compare_told);
    EXPECT_OK(query_ids(query, (settle_text){prefix, strlen(prefix)}, expect_id, &e, &test_error));
    cr_assert_eq(e.at, e.count, "prefix %s: %zu of %zu", prefix, e.at, e.count);
    free(e.sorted);
    return e.count;
}

Test(query_ids, are_the_models_whatever_they_begin_with)
{
    for (enum scene_store store = SCENE_STORE_NEW; store < SCENE_STORES; store++) {
        struct scene scene;
        scene_make(&scene, stream_seed(71 + store), 500, store);
        struct query *query = scene_query(&scene);
        cr_assert_gt(expect_prefix(&scene, query, ""), 100);
        cr_assert_gt(expect_prefix(&scene, query, "deposit_"), 10);
        cr_assert_gt(expect_prefix(&scene, query, "trade_"), 10);
        cr_assert_eq(expect_prefix(&scene, query, "deposit-"), 0);
        for (size_t i = 0; i < scene.count; i += 41) {
            char prefix[sizeof scene.told[i].id];
            strcpy(prefix, scene.told[i].id);
            for (size_t bytes = strlen(prefix); bytes > 0; bytes -= (bytes + 3) / 4) {
                prefix[bytes] = '\0';
                cr_assert_gt(expect_prefix(&scene, query, prefix), 0);
            }
        }
        query_close(query);
        scene_remove(&scene);
    }
}

static bool count_id(void *context, const char *event_id, const settle_arrival *first)
{
    size_t *left = context;
    (void)event_id;
    (void)first;
    return --*left > 0;
}

Test(query_ids, a_visitor_can_end_it_and_none_is_no_error, FIXTURE)
{
    struct query *query = NULL;
    size_t left = 2;
    fixture_fill_engine(0);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_ids(query, TEXT(""), count_id, &left, &test_error));
    cr_assert_eq(left, 0);
    left = 9;
    EXPECT_OK(query_ids(query, TEXT(""), count_id, &left, &test_error));
    cr_assert_eq(left, 9 - FIXTURE_IDS);
    left = 9;
    EXPECT_OK(query_ids(query, TEXT("no such id"), count_id, &left, &test_error));
    EXPECT_OK(query_ids(query, TEXT("deposit_7_2_10000"), count_id, &left, &test_error));
    cr_assert_eq(left, 9);
    query_close(query);
}

/* Whatever byte of the store is damaged, the ids are right. */
Test(query_ids, a_damaged_store_never_changes_the_answer, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    fixture_path("store", "data.mdb", 0, path);
    for (long offset = 0; offset < 40960; offset += 37) {
        struct query *query = NULL;
        size_t left = 100;
        fixture_flip(path, offset, 0x20);
        EXPECT_OK(query_open(fixture_dir, &query, &test_error));
        EXPECT_OK(query_ids(query, TEXT("deposit_"), count_id, &left, &test_error));
        cr_assert_eq(left, 98, "byte %ld", offset);
        query_close(query);
        fixture_flip(path, offset, 0x20);
    }
}
