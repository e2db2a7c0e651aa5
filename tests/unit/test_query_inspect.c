/* test_query_inspect.c — what is in a directory, in a segment file, and counted over the journal. */
#include <unistd.h>

#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_inspect);

/* ---- The directory ---- */

Test(query_inspect, a_directory_tells_its_segments_store_and_end, FIXTURE)
{
    struct inspect_directory inspect = {0};
    fixture_fill_engine(32768);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_eq(inspect.segment_bytes, 32768);
    cr_assert_eq(inspect.segment_count, 1);
    cr_assert_eq(strlen(inspect.journal_id), 32);
    cr_assert_eq(strspn(inspect.journal_id, "0123456789abcdef"), 32);
    cr_assert_eq(inspect.segments[0].first_seq, 1);
    cr_assert_eq(inspect.segments[0].last_seq, FIXTURE_EVENTS);
    cr_assert_eq(inspect.segments[0].events, FIXTURE_EVENTS);
    cr_assert_geq(inspect.segments[0].frames, FIXTURE_EVENTS);
    cr_assert_gt(inspect.segments[0].bytes_used, 512);
    cr_assert_eq(inspect.segments[0].bytes_used % 64, 0);
    cr_assert_eq(inspect.last_seq, FIXTURE_EVENTS);
    cr_assert_eq(inspect.store, STORE_NOT_COMPARED);
    cr_assert_eq(inspect.store_seq, FIXTURE_EVENTS);
    cr_assert_eq(inspect.store_accounts, FIXTURE_ACCOUNTS);
    cr_assert_eq(inspect.store_ids, FIXTURE_IDS);
    cr_assert_eq(inspect.torn_bytes, 0);
    cr_assert_not(inspect.writer_is_live);
    cr_assert_eq(inspect.fault.status, SETTLE_OK);
    inspect_free(&inspect);
}

Test(query_inspect, segments_follow_each_other, FIXTURE)
{
    settle_options options;
    settle *engine = NULL;
    struct inspect_directory inspect = {0};
    uint64_t next_seq = 1, events = 0;
    settle_options_init(&options);
    options.segment_bytes = 16384;
    EXPECT_OK(settle_open(fixture_dir, &options, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    for (unsigned i = 0; i < 150; i++) {
        settle_result result;
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5000 + i, 9, 2, 5);
        EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
    }
    EXPECT_OK(settle_close(engine, &test_error));
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_gt(inspect.segment_count, 2);
    for (size_t i = 0; i < inspect.segment_count; i++) {
        cr_assert_eq(inspect.segments[i].ordinal, i);
        cr_assert_eq(inspect.segments[i].first_seq, next_seq);
        cr_assert_leq(inspect.segments[i].bytes_used, 16384);
        next_seq += inspect.segments[i].events;
        events += inspect.segments[i].events;
    }
    cr_assert_eq(events, 150);
    inspect_free(&inspect);
}

Test(query_inspect, without_a_writer_nobody_is_named, FIXTURE)
{
    struct inspect_directory inspect = {0};
    fixture_fill_engine(0); /* leaves its pid in the lock file */
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_not(inspect.writer_is_live);
    cr_assert_eq(inspect.writer_pid, 0);
    inspect_free(&inspect);
}

Test(query_inspect, damage_stops_the_count_and_is_told_with_what_came_before, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct inspect_directory inspect = {0};
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, 1300, 1);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_eq(inspect.fault.status, SETTLE_E_CORRUPT);
    cr_assert_gt(inspect.segments[0].frames, 0);
    cr_assert_leq(inspect.segments[0].bytes_used, 1300);
    inspect_free(&inspect);
}

Test(query_inspect, no_journal_is_not_found, FIXTURE)
{
    struct inspect_directory inspect = {0};
    EXPECT_STATUS(query_inspect(fixture_dir, &inspect, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_null(inspect.segments);
}

/* ---- A segment file ---- */

struct kept {
    char bytes[200000];
    size_t count;
};
static struct kept kept;

static bool keep(void *context, const char *bytes, size_t count)
{
    (void)context;
    cr_assert_lt(kept.count + count, sizeof kept.bytes);
    memcpy(kept.bytes + kept.count, bytes, count);
    kept.count += count;
    kept.bytes[kept.count] = '\0';
    return true;
}

static settle_status dump(const char *path, bool as_json)
{
    struct out out;
    kept.count = 0;
    out_init(&out, keep, NULL);
    settle_status status = query_dump_segment(path, as_json, &out, &test_error);
    cr_assert(out_flush(&out));
    return status;
}

static size_t occurrences(const char *words)
{
    size_t count = 0;
    for (const char *at = kept.bytes; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

Test(query_inspect, a_segment_is_one_record_a_line, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    EXPECT_OK(dump(path, true));
    cr_assert_eq(occurrences("{\"record\":\"SEGMENT\",\"offset\":0,\"format\":1,"), 1);
    cr_assert_eq(occurrences("{\"record\":\"CONSUMED\","), FIXTURE_EVENTS);
    cr_assert_eq(occurrences("{\"record\":\"VALIDATED\","), 3);
    cr_assert_eq(occurrences("{\"record\":\"REJECTED\","), 1);
    cr_assert_eq(occurrences("{\"record\":\"DUPLICATE\","), 1);
    cr_assert_eq(occurrences("{\"record\":\"CONFLICT\","), 1);
    cr_assert_eq(occurrences("{\"record\":\"ASSET\","), 2);
    cr_assert_geq(occurrences("{\"record\":\"PERSISTED\","), 1);
    cr_assert_geq(occurrences("{\"record\":\"FRAME\",\"offset\":512,"), 1);
    cr_assert_eq(occurrences("\"reason\":\"insufficient_funds\""), 1);
    cr_assert_eq(occurrences("\"event_id\":\"trade_T1\",\"type\":\"trade\",\"ts\":1002,\"trade_id\":\"T1\",\"buyer\":7,"
                             "\"seller\":8,\"base_id\":1,\"quote_id\":2,\"quantity\":\"1000000\","
                             "\"quote_amount\":\"500000000\",\"buyer_fee\":\"1000\",\"seller_fee\":\"500000\"}"),
                 1);
    cr_assert_eq(occurrences("\"event_id\":\"deposit_7_2_1000\",\"type\":\"deposit\",\"ts\":1000,\"user\":7,"
                             "\"asset_id\":2,\"amount\":\"1000500000\"}"),
                 2);
    cr_assert_eq(occurrences("{\"user\":\"external\",\"asset_id\":2,\"delta\":\"-1000500000\","
                             "\"after\":\"-1000500000\",\"version\":1,\"previous_position\":0}"),
                 1);
    for (const char *line = kept.bytes; *line != '\0'; line = strchr(line, '\n') + 1)
        cr_assert_eq(*line, '{');
}

Test(query_inspect, a_segment_as_text_has_the_same_records, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    EXPECT_OK(dump(path, false));
    cr_assert_eq(occurrences("  CONSUMED  "), FIXTURE_EVENTS);
    cr_assert_eq(occurrences("  VALIDATED"), 3);
    cr_assert_eq(occurrences(" event_id=trade_T1 type=trade ts=1002 "), 1);
    cr_assert_eq(occurrences(" user=external asset_id=2 delta=-1000500000 "), 1);
    cr_assert_eq(occurrences("{"), 0);
}

Test(query_inspect, a_damaged_segment_is_printed_up_to_the_fault, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, 1300, 1);
    EXPECT_STATUS(dump(path, true), SETTLE_E_CORRUPT);
    cr_assert_gt(occurrences("CONSUMED"), 0);
    cr_assert_lt(occurrences("CONSUMED"), FIXTURE_EVENTS);
    cr_assert_gt(test_error.offset_bytes, 511);
    cr_assert_leq(test_error.offset_bytes, 1300);
}

Test(query_inspect, a_torn_frame_is_a_line_and_no_error, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct inspect_directory inspect = {0};
    static const char zeros[64];
    fixture_fill_engine(0);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    long end = (long)inspect.segments[0].bytes_used;
    inspect_free(&inspect);
    fixture_path("journal", ".seg", 0, path);
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, end - 64, SEEK_SET), 0);
    cr_assert_eq(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
    cr_assert_eq(fclose(file), 0);
    EXPECT_OK(dump(path, true));
    cr_assert_eq(occurrences("{\"record\":\"TORN\","), 1);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_eq(inspect.fault.status, SETTLE_OK);
    cr_assert_gt(inspect.torn_bytes, 0);
    cr_assert_eq(inspect.torn_position, (uint64_t)end - 128);
    inspect_free(&inspect);
}

Test(query_inspect, what_is_no_segment_is_refused, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, fixture_dir, "text");
    EXPECT_STATUS(dump(path, true), SETTLE_E_NOT_FOUND);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs("this is no segment\n", file);
    cr_assert_eq(fclose(file), 0);
    EXPECT_STATUS(dump(path, true), SETTLE_E_CORRUPT);
    cr_assert_eq(kept.count, 0);
}

/* ---- Counting ---- */

Test(query_inspect, events_are_counted_by_type_and_outcome, FIXTURE)
{
    struct stats stats = {0};
    fixture_fill_engine(0);
    EXPECT_OK(query_stats(fixture_dir, &stats, &test_error));
    cr_assert_eq(stats.counts.events, FIXTURE_EVENTS);
    cr_assert_eq(stats.counts.ids, FIXTURE_IDS);
    cr_assert_eq(stats.counts.accounts, FIXTURE_ACCOUNTS);
    cr_assert_eq(stats.events[SETTLE_DEPOSIT][SETTLE_ACCEPTED], 2);
    cr_assert_eq(stats.events[SETTLE_DEPOSIT][SETTLE_DUPLICATE], 1);
    cr_assert_eq(stats.events[SETTLE_DEPOSIT][SETTLE_CONFLICT], 1);
    cr_assert_eq(stats.events[SETTLE_DEPOSIT][SETTLE_REJECTED], 0);
    cr_assert_eq(stats.events[SETTLE_WITHDRAWAL][SETTLE_REJECTED], 1);
    cr_assert_eq(stats.events[SETTLE_TRADE][SETTLE_ACCEPTED], 1);
    for (int reason = 1; reason <= SETTLE_REASON_BALANCE_OVERFLOW; reason++)
        cr_assert_eq(stats.reasons[reason], reason == SETTLE_REASON_INSUFFICIENT_FUNDS ? 1 : 0);
    stats_free(&stats);
}

Test(query_inspect, assets_times_and_bytes_are_counted, FIXTURE)
{
    struct stats stats = {0};
    struct inspect_directory inspect = {0};
    fixture_fill_engine(0);
    EXPECT_OK(query_stats(fixture_dir, &stats, &test_error));
    cr_assert_eq(stats.asset_count, 2);
    cr_assert_str_eq(stats.assets[0].asset.symbol, "BTC");
    cr_assert_eq(stats.assets[0].deposits, 1);
    cr_assert_eq(stats.assets[0].trades, 1);
    cr_assert_eq(stats.assets[0].balances, 4);
    cr_assert_eq(stats.assets[0].changes, 5);
    cr_assert_eq(stats.assets[1].deposits, 1);
    cr_assert_eq(stats.assets[1].withdrawals, 0); /* it was rejected */
    cr_assert_eq(stats.assets[1].balances, 4);
    cr_assert_eq(stats.assets[1].changes, 5);
    cr_assert_eq(stats.ts_ms_min, 1000);
    cr_assert_eq(stats.ts_ms_max, 1003);
    cr_assert_geq(stats.last_us, stats.first_us);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    cr_assert_eq(stats.journal_bytes, inspect.segments[0].bytes_used);
    inspect_free(&inspect);
    stats_free(&stats);
}

Test(query_inspect, an_empty_journal_counts_nothing, FIXTURE)
{
    struct stats stats = {0};
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    EXPECT_OK(query_stats(fixture_dir, &stats, &test_error));
    cr_assert_eq(stats.counts.events, 0);
    cr_assert_eq(stats.asset_count, 0);
    cr_assert_eq(stats.journal_bytes, 512);
    stats_free(&stats);
    EXPECT_STATUS(query_stats("/nonexistent", &stats, &test_error), SETTLE_E_NOT_FOUND);
}
