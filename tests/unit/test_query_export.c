/*
 * Tests of query/export*.c: the exact text of each format, the corners of hledger's grammar, and that the events of any
 * journal, read again as CSV, make the same journal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"
#include "query/export.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/stream.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_export);

/* ---- An output in memory ---- */

struct sheet {
    char *text;
    size_t bytes;
    bool fails;
};

static bool sheet_sink(void *context, const char *bytes, size_t count)
{
    struct sheet *sheet = context;
    if (sheet->fails) {
        errno = EPIPE;
        return false;
    }
    sheet->text = realloc(sheet->text, sheet->bytes + count + 1);
    memcpy(sheet->text + sheet->bytes, bytes, count);
    sheet->bytes += count;
    sheet->text[sheet->bytes] = '\0';
    return true;
}

/* Free the text. */
static char *export_of(const char *directory, enum export_format format)
{
    static struct out out;
    struct sheet sheet = {NULL, 0, false};
    const struct export_options options = {.format = format};
    out_init(&out, sheet_sink, &sheet);
    EXPECT_OK(query_export(directory, &options, &out, &test_error));
    cr_assert(out_flush(&out));
    cr_assert_not_null(sheet.text, "even an empty journal has a first line");
    return sheet.text;
}

static const char *after_first_line(const char *text)
{
    return strchr(text, '\n') + 1;
}

static void expect_text(const char *directory, enum export_format format, const char *expected)
{
    char *text = export_of(directory, format);
    cr_assert_str_eq(format == EXPORT_HLEDGER ? after_first_line(text) : text, expected, "%s", text);
    free(text);
}

static void expect_line(const char *directory, enum export_format format, const char *line)
{
    char *text = export_of(directory, format);
    cr_assert_not_null(strstr(text, line), "no \"%s\" in\n%s", line, text);
    free(text);
}

#define CSV_HEADER "seq,event_id,type,ts,timestamp,persisted,user,asset,delta,before,after,version\n"
#define EVENTS_HEADER                                                                                                  \
    "type,event_id,ts,user,asset,amount,trade_id,buyer,seller,base,quote,quantity,price,quote_amount,buyer_fee,"       \
    "seller_fee,id,scale\n"

/* ---- Formats ---- */

Test(query_export, formats_have_names)
{
    enum export_format format = EXPORT_CSV;
    cr_assert(export_format_parse("hledger", &format) && format == EXPORT_HLEDGER);
    cr_assert(export_format_parse("csv", &format) && format == EXPORT_CSV);
    cr_assert(export_format_parse("events", &format) && format == EXPORT_EVENTS);
    cr_assert(!export_format_parse("", &format) && !export_format_parse("CSV", &format) &&
              !export_format_parse("ledger", &format));
    cr_assert_eq(format, EXPORT_EVENTS, "untouched");
}

Test(query_export, a_journal_without_events_has_the_first_line_alone, FIXTURE)
{
    settle *engine = NULL;
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    expect_text(fixture_dir, EXPORT_HLEDGER, "");
    expect_text(fixture_dir, EXPORT_CSV, CSV_HEADER);
    expect_text(fixture_dir, EXPORT_EVENTS, EVENTS_HEADER);
    char *text = export_of(fixture_dir, EXPORT_HLEDGER);
    cr_assert_eq(strncmp(text, "; The journal ", 14), 0, "a comment");
    free(text);
}

Test(query_export, what_is_no_data_directory_is_told)
{
    static struct out out;
    struct sheet sheet = {NULL, 0, false};
    const struct export_options options = {.format = EXPORT_CSV, .measures = true};
    out_init(&out, sheet_sink, &sheet);
    EXPECT_STATUS(query_export("/nonexistent", &options, &out, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_eq(out.used, 0);
}

Test(query_export, hledger_has_a_transaction_an_accepted_event, FIXTURE)
{
    fixture_fill_engine(0);
    expect_text(fixture_dir, EXPORT_HLEDGER,
                "\ncommodity 1000.00000000 BTC\n"
                "\ncommodity 1000.000000 USDT\n"
                "\n1970-01-01 * (deposit_7_2_1000) deposit  ; seq:1, ts:1000\n"
                "    users:7:available                                  1000.500000 USDT\n"
                "    external                                          -1000.500000 USDT\n"
                "\n1970-01-01 * (deposit_8_1_1001) deposit  ; seq:2, ts:1001\n"
                "    users:8:available                                   0.50000000 BTC\n"
                "    external                                           -0.50000000 BTC\n"
                "\n1970-01-01 * (trade_T1) trade  ; seq:3, ts:1002\n"
                "    users:7:available                                  -500.000000 USDT\n"
                "    users:7:available                                   0.00999000 BTC\n"
                "    users:8:available                                  -0.01000000 BTC\n"
                "    users:8:available                                   499.500000 USDT\n"
                "    fees                                                0.00001000 BTC\n"
                "    fees                                                  0.500000 USDT\n"
                "\n; 1970-01-01 (withdrawal_7_2_1003) withdrawal rejected, seq 4: insufficient_funds\n"
                "\n; 1970-01-01 (deposit_7_2_1000) deposit duplicate, seq 5\n"
                "\n; 1970-01-01 (deposit_7_2_1000) deposit conflict, seq 6\n");
}

/* Times of an engine whose clock the test holds. */
Test(query_export, csv_has_a_row_a_leg)
{
    struct rig rig;
    rig_make(&rig);
    rig_use_clock(&rig, UINT64_C(1733856600000000));
    rig_open(&rig);
    rig_submit(&rig, rig_deposit(SETTLE_USER_MAX, RIG_USDT, 1000500000, 5));
    EXPECT_OK(settle_flush(rig.engine, &test_error)); /* it is recorded as persisted, by the clock as it is */
    atomic_store(&rig.clock_now_us, UINT64_C(1733856600000007));
    rig_submit(&rig, rig_withdrawal(SETTLE_USER_MAX, RIG_USDT, 1, 6));
    rig_submit(&rig, rig_withdrawal(1, RIG_USDT, 1, 7)); /* rejected: no row */
    rig_close(&rig);
    expect_text(rig.data, EXPORT_CSV,
                CSV_HEADER "1,deposit_9223372036854775807_2_5,deposit,5,2024-12-10T18:50:00.000000Z,"
                           "2024-12-10T18:50:00.000000Z,9223372036854775807,USDT,1000.500000,0.000000,1000.500000,1\n"
                           "1,deposit_9223372036854775807_2_5,deposit,5,2024-12-10T18:50:00.000000Z,"
                           "2024-12-10T18:50:00.000000Z,external,USDT,-1000.500000,0.000000,-1000.500000,1\n"
                           "2,withdrawal_9223372036854775807_2_6,withdrawal,6,2024-12-10T18:50:00.000007Z,"
                           "2024-12-10T18:50:00.000007Z,9223372036854775807,USDT,-0.000001,1000.500000,1000.499999,2\n"
                           "2,withdrawal_9223372036854775807_2_6,withdrawal,6,2024-12-10T18:50:00.000007Z,"
                           "2024-12-10T18:50:00.000007Z,external,USDT,0.000001,-1000.500000,-1000.499999,2\n");
    rig_remove(&rig);
}

Test(query_export, events_are_the_members_they_came_with, FIXTURE)
{
    fixture_fill_engine(0);
    expect_text(fixture_dir, EXPORT_EVENTS,
                EVENTS_HEADER "asset,,,,BTC,,,,,,,,,,,,1,8\n"
                              "asset,,,,USDT,,,,,,,,,,,,2,6\n"
                              "deposit,deposit_7_2_1000,1000,7,USDT,1000.500000,,,,,,,,,,,,\n"
                              "deposit,deposit_8_1_1001,1001,8,BTC,0.50000000,,,,,,,,,,,,\n"
                              "trade,trade_T1,1002,,,,T1,7,8,BTC,USDT,0.01000000,,500.000000,0.00001000,0.500000,,\n"
                              "withdrawal,withdrawal_7_2_1003,1003,7,USDT,9999.000000,,,,,,,,,,,,\n"
                              "deposit,deposit_7_2_1000,1000,7,USDT,1000.500000,,,,,,,,,,,,\n"
                              "deposit,deposit_7_2_1000,1000,7,USDT,0.000001,,,,,,,,,,,,\n");
}

Test(query_export, cells_are_quoted_as_rfc_4180_says)
{
    static const struct {
        const char *text, *cell;
    } cases[] = {{"", ""},           {"plain", "plain"},     {"a b", "a b"},       {"a,b", "\"a,b\""},
                 {"\"", "\"\"\"\""}, {"a\"b", "\"a\"\"b\""}, {"a\nb", "\"a\nb\""}, {"\r", "\"\r\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct out out;
        struct sheet sheet = {NULL, 0, false};
        out_init(&out, sheet_sink, &sheet);
        csv_cell(&out, (settle_text){cases[i].text, strlen(cases[i].text)});
        cr_assert(out_flush(&out));
        cr_assert_str_eq(sheet.text == NULL ? "" : sheet.text, cases[i].cell);
        free(sheet.text);
    }
}

/* ---- Corners ---- */

static void declare(settle *engine, settle_asset asset)
{
    EXPECT_OK(settle_asset_declare(engine, &asset, &test_error));
}

static void submit(settle *engine, settle_event event)
{
    settle_result result;
    EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
}

Test(query_export, commodities_with_digits_or_points_are_quoted, FIXTURE)
{
    settle *engine = NULL;
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    declare(engine, (settle_asset){1, 2, "A1.B"});
    declare(engine, (settle_asset){2, 0, "JPY"});
    declare(engine, (settle_asset){3, 18, "7"});
    declare(engine, (settle_asset){4, 1, "."});
    submit(engine, fixture_transfer(SETTLE_DEPOSIT, 0, 1, 1, 5));
    submit(engine, fixture_transfer(SETTLE_DEPOSIT, 0, 1, 2, 5));
    submit(engine, fixture_transfer(SETTLE_DEPOSIT, SETTLE_TS_MS_MAX, 1, 3, SETTLE_AMOUNT_MAX));
    EXPECT_OK(settle_close(engine, &test_error));
    expect_text(fixture_dir, EXPORT_HLEDGER,
                "\ncommodity 1000.00 \"A1.B\"\n"
                "\ncommodity 1000. JPY\n"
                "\ncommodity 1000.000000000000000000 \"7\"\n"
                "\ncommodity 1000.0 \".\"\n"
                "\n1970-01-01 * (deposit_1_1_0) deposit  ; seq:1, ts:0\n"
                "    users:1:available                                         0.05 \"A1.B\"\n"
                "    external                                                 -0.05 \"A1.B\"\n"
                "\n1970-01-01 * (deposit_1_2_0) deposit  ; seq:2, ts:0\n"
                "    users:1:available                                            5 JPY\n"
                "    external                                                    -5 JPY\n"
                "\n287396-10-12 * (deposit_1_3_9007199254740992) deposit  ; seq:3, ts:9007199254740992\n"
                "    users:1:available                 170141183460469231731.687303715884105727 \"7\"\n"
                "    external                          -170141183460469231731.687303715884105727 \"7\"\n");
    expect_line(fixture_dir, EXPORT_EVENTS, "\nasset,,,,7,,,,,,,,,,,,3,18\n");
    expect_line(fixture_dir, EXPORT_CSV, ",1,JPY,5,0,5,1\n");
    expect_line(fixture_dir, EXPORT_CSV,
                ",external,7,-170141183460469231731.687303715884105727,0.000000000000000000,"
                "-170141183460469231731.687303715884105727,1\n");
}

Test(query_export, dates_are_those_of_the_event_times, FIXTURE)
{
    static const struct {
        uint64_t ts_ms;
        const char *date;
    } cases[] = {{86399999, "1970-01-01"},        {86400000, "1970-01-02"},        {951782400000, "2000-02-29"},
                 {951868799999, "2000-02-29"},    {951868800000, "2000-03-01"},    {1709164800000, "2024-02-29"},
                 {1735689599999, "2024-12-31"},   {1735689600000, "2025-01-01"},   {4107542400000, "2100-03-01"},
                 {253402300799999, "9999-12-31"}, {253402300800000, "10000-01-01"}};
    settle *engine = NULL;
    char line[64];
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    declare(engine, fixture_usdt);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        submit(engine, fixture_transfer(SETTLE_DEPOSIT, cases[i].ts_ms, 1, 2, 1));
    EXPECT_OK(settle_close(engine, &test_error));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(line, sizeof line, "\n%s * (deposit_1_2_%" PRIu64 ")", cases[i].date, cases[i].ts_ms);
        expect_line(fixture_dir, EXPORT_HLEDGER, line);
    }
}

Test(query_export, prices_fees_and_ids_stand_as_they_were_given, FIXTURE)
{
    settle *engine = NULL;
    settle_event trade = fixture_trade();
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    declare(engine, fixture_btc);
    declare(engine, fixture_usdt);
    trade.u.trade.quote_amount = 0;
    trade.u.trade.price = (settle_price){15, 1};
    trade.u.trade.buyer_fee = trade.u.trade.seller_fee = 0;
    trade.u.trade.trade_id = (settle_text){NULL, 0};
    trade.event_id = TEXT("an-id:1");
    submit(engine, trade);
    trade.event_id = TEXT("an-id:2");
    trade.u.trade.trade_id = TEXT("T");
    trade.u.trade.price.mantissa = (settle_uint128)SETTLE_AMOUNT_MAX / 10;
    trade.u.trade.price.scale = 18;
    submit(engine, trade);
    EXPECT_OK(settle_close(engine, &test_error));
    expect_line(fixture_dir, EXPORT_EVENTS, "\ntrade,an-id:1,1002,,,,,7,8,BTC,USDT,0.01000000,1.5,,,,,\n");
    expect_line(fixture_dir, EXPORT_EVENTS,
                "\ntrade,an-id:2,1002,,,,T,7,8,BTC,USDT,0.01000000,17014118346046923173.168730371588410572,,,,,\n");
}

Test(query_export, an_event_of_an_asset_that_was_never_declared_has_minor_units, FIXTURE)
{
    settle *engine = NULL;
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    submit(engine, fixture_transfer(SETTLE_DEPOSIT, 1, 7, 99, 123));
    declare(engine, (settle_asset){99, 2, "EUR"});
    submit(engine, fixture_transfer(SETTLE_DEPOSIT, 2, 7, 99, 123));
    EXPECT_OK(settle_close(engine, &test_error));
    expect_text(fixture_dir, EXPORT_EVENTS,
                EVENTS_HEADER "deposit,deposit_7_99_1,1,7,99,123,,,,,,,,,,,,\n"
                              "asset,,,,EUR,,,,,,,,,,,,99,2\n"
                              "deposit,deposit_7_99_2,2,7,EUR,1.23,,,,,,,,,,,,\n");
    expect_line(fixture_dir, EXPORT_HLEDGER,
                "\n; 1970-01-01 (deposit_7_99_1) deposit rejected, seq 1: unknown_asset\n");
}

/* ---- What no engine of today writes ---- */

Test(query_export, held_money_has_an_account_of_its_own, FIXTURE)
{
    struct forge forge;
    settle_leg legs[2];
    const settle_event event = fixture_transfer(SETTLE_DEPOSIT, 1000, 7, 2, 100);
    forge_deposit_legs(legs);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    forge_consumed(&forge, &event);
    legs[0] = (settle_leg){.user = 7,
                           .asset = 2,
                           .version = 2,
                           .delta_available = -30,
                           .after_available = 70,
                           .delta_held = 30,
                           .after_held = 30};
    forge_validated(&forge, legs, 1);
    forge_consumed(&forge, &event);
    legs[0] = (settle_leg){.user = 7, .asset = 2, .version = 3, .after_available = 70, .delta_held = -30};
    forge_validated(&forge, legs, 1);
    forge_frame_end(&forge);
    forge_end(&forge);
    expect_line(fixture_dir, EXPORT_HLEDGER,
                "    users:7:available                                    -0.000030 USDT\n"
                "    users:7:held                                          0.000030 USDT\n");
    expect_line(fixture_dir, EXPORT_HLEDGER,
                "seq:3, ts:1000\n    users:7:held                                         -0.000030 USDT\n");
    /* Nothing says that it was persisted. */
    expect_line(fixture_dir, EXPORT_CSV, "\n1,deposit_7_2_1000,deposit,1000,1970-01-01T00:00:01.000000Z,,7,USDT,");
}

Test(query_export, a_balance_of_an_asset_that_is_not_declared_is_corrupt, FIXTURE)
{
    struct forge forge;
    settle_leg legs[2];
    static struct out out;
    const settle_event event = fixture_transfer(SETTLE_DEPOSIT, 1000, 7, 2, 100);
    forge_deposit_legs(legs);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    forge_end(&forge);
    for (enum export_format format = EXPORT_HLEDGER; format <= EXPORT_CSV; format++) {
        struct sheet sheet = {NULL, 0, false};
        const struct export_options options = {.format = format};
        out_init(&out, sheet_sink, &sheet);
        EXPECT_STATUS(query_export(fixture_dir, &options, &out, &test_error), SETTLE_E_CORRUPT);
        cr_assert_eq(test_error.seq, 1);
        free(sheet.text);
    }
}

/* ---- The walk ---- */

Test(query_export, damage_is_told_and_what_stands_before_it_is_out, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    static struct out out;
    struct sheet sheet = {NULL, 0, false};
    const struct export_options options = {.format = EXPORT_CSV};
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, SEGMENT_HEADER_BYTES + 100, 1);
    out_init(&out, sheet_sink, &sheet);
    EXPECT_STATUS(query_export(fixture_dir, &options, &out, &test_error), SETTLE_E_CORRUPT);
    cr_assert(out_flush(&out));
    cr_assert_str_eq(sheet.text, CSV_HEADER);
    free(sheet.text);
}

Test(query_export, the_store_is_not_asked, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    char *before = export_of(fixture_dir, EXPORT_CSV);
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
    char *after = export_of(fixture_dir, EXPORT_CSV);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
}

static bool count_calls(void *context, const struct export_progress *progress)
{
    uint64_t *calls = context;
    calls[0]++;
    cr_assert(progress->bytes_done > calls[1]);
    cr_assert(progress->bytes_done <= progress->bytes_total, "%d of %d", (int)progress->bytes_done,
              (int)progress->bytes_total);
    calls[1] = progress->bytes_done;
    calls[2] = progress->bytes_total;
    calls[3] = progress->events;
    return calls[0] != calls[4];
}

Test(query_export, progress_is_told_and_it_can_be_stopped, FIXTURE)
{
    static struct out out;
    struct sheet sheet = {NULL, 0, false};
    uint64_t calls[5] = {0};
    const struct export_options options = {
        .format = EXPORT_EVENTS, .measures = true, .go_on = count_calls, .context = calls};
    fixture_fill_engine(0);
    out_init(&out, sheet_sink, &sheet);
    EXPECT_OK(query_export(fixture_dir, &options, &out, &test_error));
    cr_assert_geq(calls[0], FIXTURE_EVENTS, "a frame an event");
    cr_assert_eq(calls[1], calls[2], "it is done");
    cr_assert_eq(calls[3], FIXTURE_EVENTS);
    uint64_t all = calls[0];
    memset(calls, 0, sizeof calls);
    calls[4] = all - 1;
    EXPECT_OK(query_export(fixture_dir, &options, &out, &test_error));
    cr_assert_eq(calls[0], all - 1);
    sheet.fails = true; /* nobody reads on: it ends by itself */
    calls[4] = 0;
    out.failed_errno = EPIPE;
    calls[0] = calls[1] = 0;
    EXPECT_OK(query_export(fixture_dir, &options, &out, &test_error));
    cr_assert_eq(calls[0], 0);
    free(sheet.text);
}

/* Small segments and frames: PERSISTED stands in a later frame, and at times in another segment. */
Test(query_export, every_event_of_a_closed_journal_has_the_time_it_was_persisted)
{
    struct rig rig;
    size_t rows = 0;
    rig_make(&rig);
    rig.options.commit_events_max = 3;
    rig_open(&rig);
    for (uint64_t i = 0; i < 300; i++)
        rig_deposits(&rig, 1 + i * 7, 7);
    rig_close(&rig);
    char *text = export_of(rig.data, EXPORT_CSV);
    for (char *row = strchr(text, '\n') + 1; *row != '\0'; row = strchr(row, '\n') + 1, rows++) {
        char consumed[32], persisted[32];
        cr_assert_eq(sscanf(row, "%*[^,],%*[^,],%*[^,],%*[^,],%31[^,],%31[^,],", consumed, persisted), 2, "%.200s",
                     row);
        cr_assert(strlen(persisted) == 27 && strcmp(persisted, consumed) >= 0, "%.200s", row);
    }
    cr_assert_eq(rows, 2 * 300 * 7);
    free(text);
    rig_remove(&rig);
}

/* ---- There and back ---- */

static bool names_undeclared(const settle_event *event)
{
    if (event->type != SETTLE_TRADE)
        return event->u.transfer.asset == STREAM_ASSET_UNDECLARED;
    return event->u.trade.base == STREAM_ASSET_UNDECLARED || event->u.trade.quote == STREAM_ASSET_UNDECLARED;
}

static void fill_at_random(const char *directory, uint64_t seed, size_t count)
{
    static struct stream stream;
    static struct stream_event next;
    struct model model;
    struct model_legs legs;
    settle *engine = NULL;
    settle_result expected, result;
    settle_event batch[1];
    stream_init(&stream, seed);
    model_init(&model);
    EXPECT_OK(settle_open(directory, NULL, &engine, &test_error));
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++) {
        EXPECT_OK(settle_asset_declare(engine, &stream_assets[i], &test_error));
        EXPECT_OK(model_declare_asset(&model, &stream_assets[i]));
    }
    for (size_t i = 0; i < count; i++) {
        stream_next(&stream, &model, &next);
        if (names_undeclared(&next.event))
            continue;
        model_submit(&model, &next.event, &expected, &legs);
        batch[0] = next.event;
        EXPECT_OK(settle_submit(engine, batch, 1, &result, &test_error));
    }
    EXPECT_OK(settle_close(engine, &test_error));
    model_deinit(&model);
}

static void ingest_csv(const char *directory, const char *path, const char *rejects)
{
    static struct ingest_result result;
    settle *engine = NULL;
    const char *paths[] = {path};
    const struct ingest_options options = {
        .paths = paths, .path_count = 1, .format = INGEST_CSV, .reject_directory = rejects};
    EXPECT_OK(settle_open(directory, NULL, &engine, &test_error));
    EXPECT_OK(ingest_run(engine, &options, &result, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    cr_assert_eq(result.counts.malformed, 0);
}

/* Outcomes and reasons are in the text for hledger, balances in both. */
static void expect_same_journal(const char *directory, const char *other, enum export_format format)
{
    char *text = export_of(directory, format), *other_text = export_of(other, format);
    bool same = strcmp(after_first_line(text), after_first_line(other_text)) == 0;
    cr_assert(same, "the exports in format %d differ", (int)format);
    free(text);
    free(other_text);
}

static void expect_same_balances(const char *directory, const char *other)
{
    struct query *a = NULL, *b = NULL;
    struct ledger x = {0}, y = {0};
    EXPECT_OK(query_open(directory, &a, &test_error));
    EXPECT_OK(query_open(other, &b, &test_error));
    EXPECT_OK(query_balances(a, 0, 0, &x, &test_error));
    EXPECT_OK(query_balances(b, 0, 0, &y, &test_error));
    cr_assert_eq(x.balance_count, y.balance_count);
    cr_assert_gt(x.balance_count, 10);
    for (size_t i = 0; i < x.balance_count; i++) {
        const settle_balance *one = &x.balances[i], *two = &y.balances[i];
        cr_assert(one->user == two->user && one->asset == two->asset && one->available == two->available &&
                  one->held == two->held && one->version == two->version && one->seq == two->seq);
    }
    ledger_free(&x);
    ledger_free(&y);
    query_close(a);
    query_close(b);
}

Test(query_export, events_read_again_make_the_same_journal, FIXTURE)
{
    uint64_t seed = stream_seed(1);
    fprintf(stderr, "seeds %" PRIu64 " to %" PRIu64 "\n", seed, seed + 2);
    for (uint64_t i = 0; i < 3; i++) {
        char first[TEMPDIR_PATH_BYTES], second[TEMPDIR_PATH_BYTES], csv[TEMPDIR_PATH_BYTES],
            rejects[TEMPDIR_PATH_BYTES];
        tempdir_join(first, fixture_dir, "first");
        tempdir_join(second, fixture_dir, "second");
        tempdir_join(csv, fixture_dir, "events.csv");
        tempdir_join(rejects, fixture_dir, "rejects");
        fill_at_random(first, seed + i, 600);
        char *text = export_of(first, EXPORT_EVENTS);
        FILE *file = fopen(csv, "wb");
        cr_assert_not_null(file);
        cr_assert_eq(fwrite(text, 1, strlen(text), file), strlen(text));
        cr_assert_eq(fclose(file), 0);
        free(text);
        ingest_csv(second, csv, rejects);
        expect_same_journal(first, second, EXPORT_EVENTS);
        expect_same_journal(first, second, EXPORT_HLEDGER);
        expect_same_balances(first, second);
        tempdir_remove(first);
        tempdir_remove(second);
    }
}
