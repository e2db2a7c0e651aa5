/* test_query_events.c — the journal's events one by one: all of them, in order, within bounds, with what decided them. */
#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_events);

struct seen {
    uint64_t seqs[64];
    settle_outcome outcomes[64];
    size_t legs[64], count, stop_at;
    char ids[64][SETTLE_EVENT_ID_BYTES_MAX + 1];
};

static bool keep(void *context, const struct journal_event *event)
{
    struct seen *seen = context;
    cr_assert_lt(seen->count, 64);
    cr_assert_eq(event->outcome == SETTLE_REJECTED, event->reason != SETTLE_REASON_NONE);
    cr_assert_eq(event->outcome == SETTLE_ACCEPTED, event->leg_count > 0);
    for (size_t i = 0; i < event->leg_count; i++)
        cr_assert_gt(event->legs[i].version, 0);
    seen->seqs[seen->count] = event->seq;
    seen->outcomes[seen->count] = event->outcome;
    seen->legs[seen->count] = event->leg_count;
    memcpy(seen->ids[seen->count], event->event_id, sizeof event->event_id);
    return ++seen->count != seen->stop_at;
}

static struct seen events_of(uint64_t since, uint64_t until, size_t stop_at)
{
    struct query *query = NULL;
    struct seen seen = {.stop_at = stop_at};
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    EXPECT_OK(query_events(query, since, until, keep, &seen, &test_error));
    query_close(query);
    return seen;
}

Test(query_events, every_arrival_comes_once_with_its_outcome, FIXTURE)
{
    fixture_fill_engine(0);
    struct query *query = NULL;
    settle_event events[FIXTURE_EVENTS];
    struct seen seen = events_of(0, UINT64_MAX, 0);
    cr_assert_eq(seen.count, FIXTURE_EVENTS);
    fixture_stream(events);
    EXPECT_OK(query_open(fixture_dir, &query, &test_error));
    for (size_t i = 0; i < FIXTURE_EVENTS; i++) {
        char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
        settle_lifecycle *life = NULL;
        cr_expect_eq(seen.seqs[i], i + 1);
        settle_event_id_format(&events[i], id);
        cr_expect_str_eq(seen.ids[i], id);
        /* The first arrivals are those the id leads to. */
        EXPECT_OK(query_lifecycle(query, (settle_text){id, strlen(id)}, &life, &test_error));
        if (seen.outcomes[i] == SETTLE_ACCEPTED)
            cr_expect_eq(seen.legs[i], life->leg_count);
        settle_lifecycle_free(life);
    }
    query_close(query);
}

Test(query_events, bounds_are_inclusive_and_a_visitor_may_stop, FIXTURE)
{
    fixture_fill_engine(0);
    for (uint64_t since = 0; since <= FIXTURE_EVENTS + 1; since++)
        for (uint64_t until = 0; until <= FIXTURE_EVENTS + 1; until++) {
            struct seen seen = events_of(since, until, 0);
            uint64_t first = since == 0 ? 1 : since, last = until > FIXTURE_EVENTS ? FIXTURE_EVENTS : until;
            size_t expected = last >= first ? (size_t)(last - first + 1) : 0;
            cr_assert_eq(seen.count, expected, "%lu to %lu", (unsigned long)since, (unsigned long)until);
            cr_assert(expected == 0 || seen.seqs[0] == first);
        }
    cr_assert_eq(events_of(0, UINT64_MAX, 2).count, 2);
}

Test(query_events, they_go_on_from_segment_to_segment, FIXTURE)
{
    settle_options options;
    settle *engine = NULL;
    settle_result result;
    settle_options_init(&options);
    options.segment_bytes = 16384;
    EXPECT_OK(settle_open(fixture_dir, &options, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    for (uint64_t i = 0; i < 150; i++) {
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5000 + i, 9, 2, 5);
        EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
    }
    EXPECT_OK(settle_close(engine, &test_error));
    struct seen seen = events_of(100, 149, 0);
    cr_assert_eq(seen.count, 50);
    for (size_t i = 0; i < seen.count; i++)
        cr_assert_eq(seen.seqs[i], 100 + i);
}

Test(query_events, an_empty_journal_has_none, FIXTURE)
{
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    cr_assert_eq(events_of(0, UINT64_MAX, 0).count, 0);
}
