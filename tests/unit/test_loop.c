/*
 * test_loop.c — what the ingest loop makes of the bytes of its sources: events in batches, positions, counts, reports,
 * the reject file. On the fake engine; pauses, resuming, stopping and failures are in test_loop_sources.c.
 */
#include "tests/lib/ingest_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(loop);

#define USDT ",'asset':'USDT','amount':'1'}"

/* One source of that text, ' for ", run to its end. */
static void go(struct run *run, const char *text)
{
    char *bytes = strdup(text);
    for (char *c = bytes; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    run_init(run);
    run_write(run, "a", bytes, strlen(bytes));
    run_add(run, "a");
    settle_status status = run_go(run);
    cr_assert_eq(status, SETTLE_OK, "%s", run->error.text);
    free(bytes);
}

static void expect_rejects(const struct run *run, const char *expected, size_t expected_bytes)
{
    size_t bytes = 0;
    char *rejects = run_rejects(run, &bytes);
    cr_assert_not_null(rejects, "there is no reject file");
    cr_assert_eq(bytes, expected_bytes, "%zu bytes, not %zu", bytes, expected_bytes);
    cr_assert(memcmp(rejects, expected, bytes) == 0);
    free(rejects);
}

static void expect_counts(const struct run *run, uint64_t lines, uint64_t events, uint64_t malformed)
{
    const struct ingest_counts *counts = &run->result.counts;
    cr_assert_eq(counts->lines, lines, "%llu lines", (unsigned long long)counts->lines);
    cr_assert_eq(counts->events, events, "%llu events", (unsigned long long)counts->events);
    cr_assert_eq(counts->malformed, malformed, "%llu malformed", (unsigned long long)counts->malformed);
    cr_assert_eq(run->malformed_count, malformed);
    cr_assert_eq(run->engine->event_count, events);
    cr_assert_eq(counts->accepted + counts->rejected + counts->duplicate + counts->conflict, events);
}

static void expect_position(const struct run *run, size_t path, uint64_t offset, uint64_t line)
{
    const struct fake_source *source = fake_engine_source(run->engine, run->paths[path]);
    cr_assert_not_null(source);
    cr_assert_eq(source->position.offset_bytes, offset, "offset %llu",
                 (unsigned long long)source->position.offset_bytes);
    cr_assert_eq(source->position.line, line, "line %llu", (unsigned long long)source->position.line);
}

/* ---- Lines and counts -------------------------------------------------------------------------------------------- */

Test(loop, lines_become_events_in_order_with_their_ends)
{
    struct run run;
    go(&run,
       "{'type':'deposit','ts':1,'user':1" USDT "\n"
       "{'type':'withdrawal','event_id':'w','ts':2,'user':1" USDT "\n"
       "{'type':'trade','trade_id':'t-1','ts':3,'buyer':1,'seller':2,'base':1,'quote':2,'quantity':'1','price':'2'}\n");
    expect_counts(&run, 3, 3, 0);
    const struct fake_event *events = run.engine->events;
    cr_assert_eq(events[0].event.type, SETTLE_DEPOSIT);
    cr_assert_eq(events[1].event.type, SETTLE_WITHDRAWAL);
    cr_assert_eq(events[2].event.type, SETTLE_TRADE);
    cr_assert_str_eq(events[0].event_id, "");
    cr_assert_str_eq(events[1].event_id, "w");
    cr_assert_str_eq(events[2].trade_id, "t-1");
    cr_assert_eq(events[0].event.end.line, 1);
    cr_assert_eq(events[1].event.end.line, 2);
    cr_assert_eq(events[2].event.end.line, 3);
    cr_assert_eq(events[0].event.end.offset_bytes, 63);
    cr_assert_eq(events[1].event.end.offset_bytes, 63 + 81);
    cr_assert_eq(events[2].event.end.offset_bytes, run.result.counts.bytes_read);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(events[i].event.end.source, 1);
    cr_assert_str_eq(run.engine->log, "submit 3\nflush\n");
    cr_assert_str_eq(run.result.reject_path, "");
    cr_assert_neq(access(run.reject_directory, F_OK), 0, "no reject directory without a malformed line");
    run_deinit(&run);
}

Test(loop, outcomes_and_their_seqs_are_counted)
{
    struct run run;
    run_init(&run);
    char text[4096] = "";
    static const unsigned users[] = {4, 1, 2, 3, 1, 4, 1, 2, 4, 4};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        strcat(text, run_deposit(users[i]));
    run_write(&run, "a", text, strlen(text));
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    const struct ingest_counts *counts = &run.result.counts;
    cr_assert_eq(counts->accepted, 3);
    cr_assert_eq(counts->rejected, 2);
    cr_assert_eq(counts->duplicate, 1);
    cr_assert_eq(counts->conflict, 4);
    cr_assert_eq(counts->first_seq, 1);
    cr_assert_eq(counts->last_seq, 10);
    cr_assert_eq(counts->bytes_read, strlen(text));
    run_deinit(&run);
}

Test(loop, an_empty_file_is_nothing)
{
    struct run run;
    go(&run, "");
    expect_counts(&run, 0, 0, 0);
    cr_assert_eq(run.result.counts.first_seq, 0);
    cr_assert_eq(run.result.counts.last_seq, 0);
    cr_assert_str_eq(run.engine->log, "", "nothing to tell the engine");
    run_deinit(&run);
}

Test(loop, a_last_line_without_newline_is_a_line)
{
    struct run run;
    go(&run, "{'type':'deposit','ts':1,'user':1" USDT "\n{'type':'deposit','ts':2,'user':1" USDT);
    expect_counts(&run, 2, 2, 0);
    expect_position(&run, 0, 125, 2);
    run_deinit(&run);
}

Test(loop, a_malformed_last_line_without_newline_is_reported_but_not_passed)
{
    struct run run;
    go(&run, "{'type':'deposit','ts':1,'user':1" USDT "\n{'type':'deposit','ts':2,'us");
    expect_counts(&run, 2, 1, 1);
    expect_position(&run, 0, 63, 1);
    cr_assert_eq(run.malformed[0].line, 2);
    cr_assert_eq(run.malformed[0].byte, 29);
    cr_assert_str_eq(run.malformed[0].reason, "the line ends inside a string");
    expect_rejects(&run, "{\"type\":\"deposit\",\"ts\":2,\"us\n", 29);
    run_deinit(&run);
}

Test(loop, blank_lines_count_as_lines_only)
{
    struct run run;
    go(&run, "\n  \t\n\r\n{'type':'deposit','ts':1,'user':1" USDT "\r\n\n \n  ");
    expect_counts(&run, 7, 1, 0);
    cr_assert_eq(run.engine->events[0].event.end.line, 4);
    expect_position(&run, 0, 7 + 64 + 3, 6);
    cr_assert_str_eq(run.engine->log, "submit 1\nadvance 74 6\nflush\n", "%s", run.engine->log);
    run_deinit(&run);
}

/* ---- Malformed lines --------------------------------------------------------------------------------------------- */

Test(loop, malformed_lines_are_reported_and_the_others_count)
{
    struct run run;
    go(&run, "nonsense\n"
             "{'type':'deposit','ts':1,'user':1" USDT "\n"
             "\n"
             "{'type':'deposit','ts':1,'user':0" USDT "\n"
             "{'type':'deposit','ts':1,'user':1,'asset':'ETH','amount':'1'}\n"
             "{'type':'deposit','ts':2,'user':1" USDT "\n"
             "{}\r\n");
    expect_counts(&run, 7, 2, 4);
    static const struct {
        uint64_t line;
        size_t byte;
        const char *reason;
    } expected[] = {
        {1, 1, "expected an object"},
        {4, 33, "user must be 1 to 9223372036854775807"},
        {5, 43, "asset \"ETH\" is not declared"},
        {7, 2, "type is missing"},
    };
    for (size_t i = 0; i < 4; i++) {
        cr_assert_str_eq(run.malformed[i].source, run.paths[0]);
        cr_assert_eq(run.malformed[i].line, expected[i].line);
        cr_assert_eq(run.malformed[i].byte, expected[i].byte, "byte %zu", run.malformed[i].byte);
        cr_assert_str_eq(run.malformed[i].reason, expected[i].reason);
    }
    const char *rejects = "nonsense\n"
                          "{\"type\":\"deposit\",\"ts\":1,\"user\":0,\"asset\":\"USDT\",\"amount\":\"1\"}\n"
                          "{\"type\":\"deposit\",\"ts\":1,\"user\":1,\"asset\":\"ETH\",\"amount\":\"1\"}\n"
                          "{}\r\n";
    expect_rejects(&run, rejects, strlen(rejects));
    expect_position(&run, 0, run.result.counts.bytes_read, 7);
    run_deinit(&run);
}

Test(loop, malformed_lines_are_copied_byte_for_byte)
{
    static const char bytes[] = "\0\0\n\xff\xfe{}\n\xef\xbb\xbf{\"type\":\"deposit\"}\r\n\x1b[31m\n{\"a\\";
    struct run run;
    run_init(&run);
    run_write(&run, "a", bytes, sizeof bytes - 1);
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, 5, 0, 5);
    char expected[sizeof bytes];
    memcpy(expected, bytes, sizeof bytes - 1);
    expected[sizeof bytes - 1] = '\n';
    expect_rejects(&run, expected, sizeof bytes);
    cr_assert_str_eq(run.malformed[2].reason, "byte-order mark");
    run_deinit(&run);
}

Test(loop, a_run_without_events_still_passes_its_malformed_lines)
{
    struct run run;
    go(&run, "x\ny\n");
    expect_counts(&run, 2, 0, 2);
    cr_assert_str_eq(run.engine->log, "advance 4 2\nflush\n");
    run_deinit(&run);
}

Test(loop, there_is_one_reject_file_a_run)
{
    struct run run;
    run_init(&run);
    run_write(&run, "a", "x\n", 2);
    run_write(&run, "b", "y\nz\n", 4);
    run_add(&run, "a");
    run_add(&run, "b");
    EXPECT_OK(run_go(&run));
    expect_rejects(&run, "x\ny\nz\n", 6);
    cr_assert_eq(run_reject_files(&run), 1);
    cr_assert_str_eq(run.malformed[1].source, run.paths[1]);
    cr_assert_eq(run.malformed[1].line, 1, "lines are counted in their source");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run_reject_files(&run), 2);
    run_deinit(&run);
}

/* At each submission, what precedes its events must be in the reject file already. */
static void look_at_rejects(void *context)
{
    struct run *run = context;
    struct stat status;
    char command[TEMPDIR_PATH_BYTES + 64];
    snprintf(command, sizeof command, "cat '%s'/* | grep -c . | grep -qx %u", run->reject_directory,
             run->engine->calls[FAKE_SUBMIT] + 1);
    cr_assert_eq(stat(run->reject_directory, &status), 0);
    cr_assert_eq(system(command), 0, "submission %u came before its rejects", run->engine->calls[FAKE_SUBMIT] + 1);
}

Test(loop, rejects_are_written_before_the_events_behind_them_are_submitted)
{
    struct run run;
    run_init(&run);
    char text[4096] = "";
    for (int i = 0; i < 5; i++) {
        strcat(text, "bad\n");
        strcat(text, run_deposit(1));
        strcat(text, "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}\n"); /* ends a batch */
    }
    run_write(&run, "a", text, strlen(text));
    run_add(&run, "a");
    run.engine->on_submit = look_at_rejects;
    run.engine->context = &run;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.engine->calls[FAKE_SUBMIT], 5);
    run_deinit(&run);
}

/* ---- Long lines -------------------------------------------------------------------------------------------------- */

/* bad line of `bytes` bytes between two deposits; `tail` behind it. */
static void try_long_line(size_t bytes, const char *tail, bool is_passed)
{
    struct run run;
    run_init(&run);
    size_t deposit = strlen(run_deposit(1)), total = deposit + bytes + strlen(tail);
    char *text = malloc(total + 1);
    memcpy(text, run_deposit(1), deposit);
    for (size_t i = 0; i < bytes; i++)
        text[deposit + i] = (char)('a' + i % 26);
    memcpy(text + deposit + bytes, tail, strlen(tail) + 1);
    run_write(&run, "a", text, total);
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    bool has_more = strlen(tail) > 1;
    expect_counts(&run, has_more ? 3 : 2, has_more ? 2 : 1, 1);
    cr_assert_eq(run.malformed[0].line, 2);
    cr_assert_eq(run.malformed[0].byte, 4097);
    cr_assert_str_eq(run.malformed[0].reason, "the line is longer than 4096 bytes");
    if (has_more)
        cr_assert_eq(run.engine->events[1].event.end.line, 3);
    text[deposit + bytes] = '\n';
    expect_rejects(&run, text + deposit, bytes + 1);
    expect_position(&run, 0, is_passed ? total : deposit, is_passed ? (has_more ? 3 : 2) : 1);
    free(text);
    run_deinit(&run);
}

Test(loop, a_line_that_is_too_long_is_malformed_whatever_its_length)
{
    char tail[128];
    snprintf(tail, sizeof tail, "\n%s", run_deposit(1));
    static const size_t lengths[] = {4097, 5000, 65536, 1048576 - 62, 1048576, 1048577, 3000000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        try_long_line(lengths[i], tail, true);
        try_long_line(lengths[i], "\n", true);
        try_long_line(lengths[i], "", false);
    }
}

Test(loop, lines_of_4096_bytes_are_whole)
{
    struct run run;
    run_init(&run);
    size_t bytes = 600 * 4097;
    char *text = malloc(bytes);
    memset(text, ' ', bytes);
    for (size_t i = 0; i < 600; i++) {
        memcpy(text + i * 4097 + i, run_deposit(1), strlen(run_deposit(1)) - 1);
        text[i * 4097 + 4096] = '\n';
    }
    run_write(&run, "a", text, bytes);
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, 600, 600, 0);
    expect_position(&run, 0, bytes, 600);
    free(text);
    run_deinit(&run);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* Several buffers of lines of all lengths, some malformed, some blank, some with ids that must be decoded. */
Test(loop, every_event_of_a_long_input_arrives_once_in_order_and_whole)
{
    enum { LINES = 40000 };
    struct run run;
    run_init(&run);
    run.engine->landings_wait_for = 3;
    char *text = malloc((size_t)LINES * 250), *at = text;
    uint64_t *ends = malloc(LINES * sizeof *ends);
    size_t events = 0, malformed = 0;
    for (size_t i = 0; i < LINES; i++) {
        unsigned kind = (unsigned)(i * 2654435761u >> 7) % 16;
        if (kind == 0) {
            at += sprintf(at, "%*s\n", (int)(i % 100), "");
            continue;
        }
        if (kind == 1) {
            at += sprintf(at, "bad %zu\n", i);
            malformed++;
            continue;
        }
        at += sprintf(
            at, "{\"type\":\"deposit\",\"event_id\":\"%s-%zu\",\"ts\":1,\"user\":1,\"asset\":2,\"amount\":\"1\"%*s}\n",
            kind < 8 ? "\\u0069\\u0064" : "id", i, (int)(i % 97), "");
        ends[events++] = (uint64_t)(at - text);
    }
    run_write(&run, "a", text, (size_t)(at - text));
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, LINES, events, malformed);
    for (size_t i = 0; i < events; i++) {
        char expected[32];
        const settle_source_position *end = &run.engine->events[i].event.end;
        snprintf(expected, sizeof expected, "id-%llu", (unsigned long long)end->line - 1);
        cr_assert_str_eq(run.engine->events[i].event_id, expected);
        cr_assert_eq(end->offset_bytes, ends[i]);
    }
    cr_assert_gt(run.engine->calls[FAKE_SUBMIT], events / 8192);
    cr_assert_geq(run.engine->in_flight_max, 3, "reading goes on while a batch commits");
    free(ends);
    free(text);
    run_deinit(&run);
}

/* Both ids of one line are decoded, the second one first, and the next lines must not overwrite them. */
Test(loop, both_ids_of_a_line_may_have_escapes)
{
    struct run run;
    const char *line =
        "{'type':'trade','trade_id':'\\u0074%d','event_id':'\\u0065vent-%d','ts':3,'buyer':1,'seller':2,'base':1,"
        "'quote':2,'quantity':'1','price':'2'}\n";
    char text[1024] = "";
    for (int i = 0; i < 4; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), line, i, i);
    go(&run, text);
    expect_counts(&run, 4, 4, 0);
    for (int i = 0; i < 4; i++) {
        char trade_id[32], event_id[32];
        snprintf(trade_id, sizeof trade_id, "t%d", i);
        snprintf(event_id, sizeof event_id, "event-%d", i);
        cr_assert_str_eq(run.engine->events[i].trade_id, trade_id);
        cr_assert_str_eq(run.engine->events[i].event_id, event_id);
    }
    run_deinit(&run);
}

/* More decoded text than there is room for in one batch. */
Test(loop, a_batch_ends_where_the_room_for_decoded_ids_does)
{
    enum { LINES = 4000 };
    struct run run;
    run_init(&run);
    char *text = malloc((size_t)LINES * 160), *at = text;
    for (int i = 0; i < LINES; i++)
        at += sprintf(
            at,
            "{\"type\":\"deposit\",\"event_id\":\"\\u0069%061d\",\"ts\":1,\"user\":1,\"asset\":2,\"amount\":\"1\"}\n",
            i);
    run_write(&run, "a", text, (size_t)(at - text));
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, LINES, LINES, 0);
    for (int i = 0; i < LINES; i++) {
        char expected[65];
        snprintf(expected, sizeof expected, "i%061d", i);
        cr_assert_str_eq(run.engine->events[i].event_id, expected);
    }
    cr_assert_geq(run.engine->calls[FAKE_SUBMIT], LINES * 62 / 65536 + 1);
    free(text);
    run_deinit(&run);
}

Test(loop, a_batch_has_at_most_8192_events)
{
    struct run run;
    run_init(&run);
    size_t bytes = strlen(run_deposit(1));
    char *text = malloc(10000 * bytes);
    for (size_t i = 0; i < 10000; i++)
        memcpy(text + i * bytes, run_deposit(1), bytes);
    run_write(&run, "a", text, 10000 * bytes);
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, 10000, 10000, 0);
    cr_assert_str_eq(run.engine->log, "submit 8192\nsubmit 1808\nflush\n", "%s", run.engine->log);
    free(text);
    run_deinit(&run);
}

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

Test(loop, assets_are_declared_between_the_events)
{
    struct run run;
    go(&run, "{'type':'deposit','ts':1,'user':1" USDT "\n"
             "{'type':'asset','asset':'ETH','id':7,'scale':18}\n"
             "{'type':'deposit','ts':1,'user':1,'asset':'ETH','amount':'0.000000000000000001'}\n"
             "{'type':'deposit','ts':2,'user':1,'asset':7,'amount':'1'}\n"
             "{'type':'asset','asset':'ETH','id':7,'scale':18}\n");
    expect_counts(&run, 5, 3, 0);
    char expected[128];
    snprintf(expected, sizeof expected, "submit 1\ndeclare ETH\nsubmit 2\ndeclare ETH\nadvance %llu 5\nflush\n",
             (unsigned long long)run.result.counts.bytes_read);
    cr_assert_str_eq(run.engine->log, expected, "%s", run.engine->log);
    cr_assert_eq(run.engine->events[1].event.u.transfer.asset, 7);
    cr_assert(run.engine->events[1].event.u.transfer.amount == 1);
    run_deinit(&run);
}

Test(loop, a_declaration_that_contradicts_an_earlier_one_is_malformed)
{
    struct run run;
    go(&run, "{'type':'asset','asset':'BTC','id':1,'scale':7}\n"
             "{'type':'asset','asset':'BTC','id':9,'scale':8}\n"
             "{'type':'asset','asset':'XBT','id':1,'scale':8}\n"
             "{'type':'deposit','ts':1,'user':1" USDT "\n");
    expect_counts(&run, 4, 1, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(run.malformed[i].line, i + 1);
        cr_assert_eq(run.malformed[i].byte, 1);
        cr_assert_str_eq(run.malformed[i].reason, "the asset's symbol or id is already declared with other values");
    }
    run_deinit(&run);
}

Test(loop, the_engine_is_asked_once_for_an_asset)
{
    struct run run;
    run_init(&run);
    char text[8192] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, run_deposit(1));
    run_write(&run, "a", text, strlen(text));
    run_add(&run, "a");
    EXPECT_OK(run_go(&run));
    expect_counts(&run, 100, 100, 0);
    cr_assert_eq(run.engine->lookups, 1);
    run_deinit(&run);
}

/* Symbols and ids that share a slot of the cache: none may be taken for another. */
Test(loop, assets_that_meet_in_the_cache_are_told_apart)
{
    struct run run;
    go(&run, "{'type':'asset','asset':'A','id':1025,'scale':0}\n"
             "{'type':'asset','asset':'B','id':2049,'scale':3}\n"
             "{'type':'trade','trade_id':'t','ts':3,'buyer':1,'seller':2,'base':1025,'quote':2049,'quantity':'1','"
             "quote_amount':'2'}\n"
             "{'type':'trade','trade_id':'u','ts':3,'buyer':1,'seller':2,'base':1,'quote':1025,'quantity':'1','quote_"
             "amount':'2'}\n"
             "{'type':'deposit','ts':1,'user':1,'asset':3073,'amount':'1'}\n"
             "{'type':'deposit','ts':1,'user':1,'asset':'AA','amount':'1'}\n");
    expect_counts(&run, 6, 2, 2);
    cr_assert_eq(run.engine->events[0].event.u.trade.base, 1025);
    cr_assert_eq(run.engine->events[0].event.u.trade.quote, 2049);
    cr_assert(run.engine->events[0].event.u.trade.quantity == 1);
    cr_assert(run.engine->events[0].event.u.trade.quote_amount == 2000);
    cr_assert(run.engine->events[1].event.u.trade.quantity == 100000000);
    cr_assert(run.engine->events[1].event.u.trade.quote_amount == 2);
    run_deinit(&run);
}

/* "A" is the beginning of "AANE", and both have the same place in the cache. */
Test(loop, a_symbol_is_not_taken_for_a_longer_one)
{
    struct run run;
    go(&run, "{'type':'asset','asset':'A','id':11,'scale':0}\n"
             "{'type':'asset','asset':'AANE','id':12,'scale':3}\n"
             "{'type':'deposit','ts':1,'user':1,'asset':'AANE','amount':'1'}\n"
             "{'type':'deposit','ts':2,'user':1,'asset':'A','amount':'1'}\n"
             "{'type':'deposit','ts':3,'user':1,'asset':'AANE','amount':'1'}\n");
    expect_counts(&run, 5, 3, 0);
    cr_assert_eq(run.engine->events[0].event.u.transfer.asset, 12);
    cr_assert_eq(run.engine->events[1].event.u.transfer.asset, 11);
    cr_assert_eq(run.engine->events[2].event.u.transfer.asset, 12);
    cr_assert_eq(run.engine->lookups, 3, "they do share a place");
    run_deinit(&run);
}

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

Test(loop, progress_ends_with_the_whole_and_knows_the_share)
{
    struct run run;
    run_init(&run);
    char text[512] = "";
    for (int i = 0; i < 3; i++)
        strcat(text, run_deposit(1));
    run_write(&run, "a", text, strlen(text));
    run_write(&run, "b", text, strlen(text));
    run_add(&run, "a");
    run_add(&run, "b");
    EXPECT_OK(run_go(&run));
    cr_assert_geq(run.progress_calls, 1);
    cr_assert_eq(run.progress_bytes_total, 2 * strlen(text));
    cr_assert_eq(run.progress.bytes_read, 2 * strlen(text));
    cr_assert_eq(run.progress.lines, 6);
    cr_assert_eq(run.progress.accepted, 6);
    cr_assert_eq(memcmp(&run.progress, &run.result.counts, sizeof run.progress), 0);
    run_deinit(&run);
}

Test(loop, the_callbacks_may_be_absent)
{
    struct run run;
    run_init(&run);
    run_write(&run, "a", "bad\n", 4);
    run_add(&run, "a");
    run.options.malformed = NULL;
    run.options.progress = NULL;
    run.options.stop = NULL;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.malformed, 1);
    run_deinit(&run);
}
