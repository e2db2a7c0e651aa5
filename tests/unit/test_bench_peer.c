/* test_bench_peer.c — the rules that the peers are run with are the engine's: the same stream, every balance alike. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"
#include "tools/bench/bench.h"
#include "tools/bench/peers/peer.h"

SETTLE_SUITE(bench_peer);

#define COUNT 6000

/* A peer that is two arrays. */
struct peer {
    struct peer_account accounts[2 * STREAM_USERS + 8];
    size_t account_count;
    struct {
        char id[PEER_ID_BYTES];
        uint64_t seq, content;
    } events[COUNT];
    size_t event_count;
    uint64_t persisted;
};
static struct peer array_peer;

static struct peer_account *kept_account(struct peer *peer, const struct peer_account *like)
{
    for (size_t i = 0; i < peer->account_count; i++)
        if (peer->accounts[i].user == like->user && peer->accounts[i].asset == like->asset)
            return &peer->accounts[i];
    return NULL;
}

static bool array_load(struct peer *peer, struct peer_group *group)
{
    for (size_t i = 0; i < group->account_count; i++) {
        const struct peer_account *kept = kept_account(peer, &group->accounts[i]);
        if (kept != NULL)
            group->accounts[i] = *kept;
        group->accounts[i].is_changed = false;
    }
    for (size_t i = 0; i < group->row_count; i++)
        for (size_t k = 0; k < peer->event_count; k++)
            if (strcmp(peer->events[k].id, group->rows[i].id) == 0) {
                group->rows[i].is_known = true;
                group->rows[i].known_seq = peer->events[k].seq;
                group->rows[i].known_content = peer->events[k].content;
            }
    return peer_mark_repeats(group);
}

static bool array_append(struct peer *peer, struct peer_row *row)
{
    if (row->is_known)
        return true;
    memcpy(peer->events[peer->event_count].id, row->id, sizeof row->id);
    peer->events[peer->event_count].seq = row->seq;
    peer->events[peer->event_count++].content = row->content;
    return true;
}

static bool array_commit(struct peer *peer, struct peer_group *group)
{
    for (size_t i = 0; i < group->account_count; i++) {
        struct peer_account *kept = kept_account(peer, &group->accounts[i]);
        if (!group->accounts[i].is_changed)
            continue;
        *(kept != NULL ? kept : &peer->accounts[peer->account_count++]) = group->accounts[i];
    }
    if (group->persisted_from != 0) {
        cr_expect_eq(group->persisted_from, peer->persisted + 1);
        peer->persisted = group->persisted_to;
    }
    return true;
}

static bool array_balances(struct peer *peer, peer_tell tell, void *context)
{
    for (size_t i = 0; i < peer->account_count; i++)
        tell(context, &peer->accounts[i]);
    return true;
}

static const struct peer_system array_system = {"array",      NULL,           array_load, array_append,
                                                array_commit, array_balances, NULL};

static struct peer_counts run_array(enum stream_distribution distribution, size_t group)
{
    struct stream stream;
    struct peer_counts counts;
    memset(&array_peer, 0, sizeof array_peer);
    cr_assert(stream_init(&stream, STREAM_SEED, distribution));
    cr_assert(peer_run(&array_system, &array_peer, &stream, COUNT, group, &counts));
    stream_deinit(&stream);
    cr_expect_eq(counts.accepted + counts.rejected + counts.duplicate, COUNT);
    cr_expect_eq(counts.conflict, 0);
    cr_expect(counts.rejected > 0 && counts.duplicate > 0, "the stream has both");
    return counts;
}

static void submit_to_engine(enum stream_distribution distribution, const char *directory, settle **engine,
                             struct peer_counts *counts)
{
    static struct bench bench;
    bench = (struct bench){.directory = directory, .events_count = COUNT};
    EXPECT_OK(bench_events_init(&bench, &test_error));
    EXPECT_OK(bench_events_make(&bench, distribution, &test_error));
    EXPECT_OK(bench_engine_open(&bench, engine, &test_error));
    EXPECT_OK(bench_submit_all(&bench, *engine, COUNT, 999, &test_error));
    *counts = (struct peer_counts){0};
    for (size_t i = 0; i < COUNT; i++) {
        counts->accepted += bench.results[i].outcome == SETTLE_ACCEPTED;
        counts->rejected += bench.results[i].outcome == SETTLE_REJECTED;
        counts->duplicate += bench.results[i].outcome == SETTLE_DUPLICATE;
    }
    bench_events_deinit(&bench);
}

static void expect_engine_agrees(enum stream_distribution distribution, size_t group)
{
    char directory[TEMPDIR_BYTES];
    struct peer_counts counts = run_array(distribution, group), engine_counts;
    settle *engine;
    tempdir_make(directory);
    submit_to_engine(distribution, directory, &engine, &engine_counts);
    cr_expect_eq(counts.accepted, engine_counts.accepted);
    cr_expect_eq(counts.rejected, engine_counts.rejected);
    cr_expect_eq(counts.duplicate, engine_counts.duplicate);
    for (size_t i = 0; i < array_peer.account_count; i++) {
        const struct peer_account *account = &array_peer.accounts[i];
        settle_balance balance;
        EXPECT_OK(settle_balance_get(engine, account->user, account->asset, &balance, &test_error));
        cr_expect_eq((int64_t)balance.available, account->available);
        cr_expect_eq(balance.version, account->version);
    }
    settle_close(engine, NULL);
    tempdir_remove(directory);
}

Test(bench_peer, the_engine_has_the_same_balances)
{
    expect_engine_agrees(STREAM_UNIFORM, 100);
    expect_engine_agrees(STREAM_ZIPF, 100);
}

/* A stream cut into other groups comes to the same. */
Test(bench_peer, the_size_of_a_group_changes_nothing)
{
    expect_engine_agrees(STREAM_ZIPF, PEER_GROUP_MAX);
    expect_engine_agrees(STREAM_ZIPF, 1);
}

Test(bench_peer, an_id_twice_in_a_group_counts_once)
{
    static struct peer_row rows[3];
    struct peer_group group = {.rows = rows, .row_count = 3};
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < 3; i++) {
        rows[i].id_bytes = (size_t)snprintf(rows[i].id, sizeof rows[i].id, "%s", i == 1 ? "other" : "same");
        rows[i].seq = i + 1;
        rows[i].content = 7 + i;
    }
    cr_assert(peer_mark_repeats(&group));
    cr_expect_not(rows[0].is_known);
    cr_expect_not(rows[1].is_known);
    cr_expect(rows[2].is_known && rows[2].known_seq == 1 && rows[2].known_content == 7);
}

Test(bench_peer, the_file_of_balances_is_sorted_with_the_system_accounts_last)
{
    char directory[TEMPDIR_BYTES], path[TEMPDIR_PATH_BYTES], text[256] = "";
    memset(&array_peer, 0, sizeof array_peer);
    array_peer.accounts[0] = (struct peer_account){SETTLE_USER_FEES, 1, 3, 1, true};
    array_peer.accounts[1] = (struct peer_account){10, 2, 5, 2, true};
    array_peer.accounts[2] = (struct peer_account){SETTLE_USER_EXTERNAL, 2, -8, 3, true};
    array_peer.accounts[3] = (struct peer_account){10, 1, 0, 4, true};
    array_peer.account_count = 4;
    tempdir_make(directory);
    tempdir_join(path, directory, "balances");
    cr_assert(peer_balances_write(&array_system, &array_peer, path));
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_expect_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    cr_expect_str_eq(text, "10 1 0 4\n10 2 5 2\n18446744073709551614 2 -8 3\n18446744073709551615 1 3 1\n");
    tempdir_remove(directory);
}
