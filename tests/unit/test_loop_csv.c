/*
 * test_loop_csv.c — the ingest loop on sources of CSV: a header each, lines and positions as in NDJSON, resuming in
 * files and pipes. On the fake engine.
 */
#include "tests/lib/ingest_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(loop_csv);

#define HEADER "type,ts,user,asset,amount\n"
#define ROW "deposit,1,7,USDT,1\n"

static void begin(struct run *run, const char *text)
{
    run_init(run);
    run->options.format = INGEST_CSV;
    run_write(run, "a.csv", text, strlen(text));
    run_add(run, "a.csv");
}

static void expect_position(const struct run *run, uint64_t offset, uint64_t line)
{
    const struct fake_source *source = fake_engine_source(run->engine, run->path_list[0]);
    cr_assert_not_null(source);
    cr_assert_eq(source->position.offset_bytes, offset, "offset %d", (int)source->position.offset_bytes);
    cr_assert_eq(source->position.line, line, "line %d", (int)source->position.line);
}

Test(loop_csv, rows_are_events_and_the_header_is_a_line)
{
    struct run run;
    begin(&run, HEADER ROW "\r\n" ROW);
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 4);
    cr_assert_eq(run.result.counts.events, 2);
    cr_assert_eq(run.result.counts.malformed, 0);
    cr_assert_eq(run.engine->events[0].event.u.transfer.user, 7);
    cr_assert_eq(run.engine->events[0].event.end.line, 2);
    cr_assert_eq(run.engine->events[1].event.end.line, 4);
    expect_position(&run, strlen(HEADER ROW "\r\n" ROW), 4);
    run_deinit(&run);
}

Test(loop_csv, a_malformed_row_is_told_and_kept_and_the_others_count)
{
    struct run run;
    begin(&run, HEADER ROW "deposit,1,7,USDT,1,2\n" ROW "deposit,1,7,\"USDT\n");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 2);
    cr_assert_eq(run.malformed_count, 2);
    cr_assert_eq(run.malformed[0].line, 3);
    cr_assert_eq(run.malformed[0].byte, 19);
    cr_assert_str_eq(run.malformed[0].reason, "the row has more cells than the header");
    cr_assert_eq(run.malformed[1].line, 5);
    cr_assert_eq(run.malformed[1].byte, 13);
    char *rejects = run_rejects(&run, &(size_t){0});
    cr_assert_str_eq(rejects, "deposit,1,7,USDT,1,2\ndeposit,1,7,\"USDT\n");
    free(rejects);
    run_deinit(&run);
}

Test(loop_csv, a_source_without_header_is_not_read)
{
    static const char *const texts[] = {ROW, "\n" HEADER ROW, "\xef\xbb\xbf" HEADER ROW, "nothing"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct run run;
        begin(&run, texts[i]);
        EXPECT_STATUS(run_go(&run), SETTLE_E_MALFORMED);
        cr_assert_eq(run.engine->event_count, 0);
        cr_assert_eq(run.result.counts.lines, 0);
        cr_assert_str_eq(run.error.file, run.paths[0]);
        cr_assert_not_null(strstr(run.error.text, "no header of CSV"), "%s", run.error.text);
        run_deinit(&run);
    }
}

Test(loop_csv, a_header_that_is_too_long_is_none)
{
    static char text[9000];
    memset(text, 'x', sizeof text - 1);
    for (int has_newline = 0; has_newline < 2; has_newline++) { /* without one it is taken piece by piece */
        struct run run;
        text[sizeof text - 2] = has_newline ? '\n' : 'x';
        begin(&run, text);
        EXPECT_STATUS(run_go(&run), SETTLE_E_MALFORMED);
        cr_assert_not_null(strstr(run.error.text, "longer than 4096 bytes"), "%s", run.error.text);
        run_deinit(&run);
    }
}

Test(loop_csv, an_empty_source_has_no_events)
{
    struct run run;
    begin(&run, "");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 0);
    run_deinit(&run);
    begin(&run, "type,ts");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 1);
    cr_assert_eq(run.result.counts.events, 0);
    run_deinit(&run);
}

Test(loop_csv, every_source_has_its_own_header)
{
    struct run run;
    begin(&run, HEADER ROW);
    static const char other[] = "amount,asset,user,ts,type\n2,USDT,8,5,withdrawal\n";
    run_write(&run, "b.csv", other, sizeof other - 1);
    run_add(&run, "b.csv");
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 2);
    cr_assert_eq(run.engine->events[1].event.type, SETTLE_WITHDRAWAL);
    cr_assert_eq(run.engine->events[1].event.u.transfer.user, 8);
    cr_assert_eq(run.engine->events[1].event.end.line, 2);
    run_deinit(&run);
}

Test(loop_csv, resume_reads_the_header_again_and_goes_on_behind_the_position)
{
    struct run run;
    begin(&run, HEADER ROW ROW ROW);
    uint64_t header = strlen(HEADER), row = strlen(ROW);
    fake_engine_set_source(run.engine, run.path_list[0], header + 2 * row, 3);
    run.options.resume = true;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 1);
    cr_assert_eq(run.result.counts.events, 1);
    cr_assert_eq(run.engine->events[0].event.end.line, 4);
    expect_position(&run, header + 3 * row, 4);
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.lines, 0, "nothing is left");
    run_deinit(&run);
}

Test(loop_csv, resume_works_at_every_position_of_a_file_and_of_a_pipe)
{
    static const char text[] = HEADER ROW ROW ROW;
    for (size_t lines = 1; lines <= 4; lines++) {
        for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
            struct run run;
            int ends[2];
            uint64_t offset = strlen(HEADER) + (lines - 1) * strlen(ROW);
            run_init(&run);
            run.options.format = INGEST_CSV;
            run.options.resume = true;
            if (is_pipe == 1) {
                CHECK(pipe(ends) == 0);
                CHECK(write(ends[1], text, sizeof text - 1) == (ssize_t)sizeof text - 1);
                close(ends[1]);
                run_take_stdin(ends[0]);
                run_add(&run, "-");
            } else {
                run_write(&run, "a.csv", text, sizeof text - 1);
                run_add(&run, "a.csv");
            }
            fake_engine_set_source(run.engine, run.path_list[0], offset, lines);
            EXPECT_OK(run_go(&run));
            cr_assert_eq(run.result.counts.events, 4 - lines, "%d events behind line %d", (int)run.result.counts.events,
                         (int)lines);
            cr_assert_eq(run.result.counts.malformed, 0);
            run_deinit(&run);
        }
    }
}

Test(loop_csv, a_last_row_without_newline_is_not_taken_twice)
{
    struct run run;
    begin(&run, HEADER "deposit,1,7,USDT,1");
    run.options.resume = true;
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 1);
    run_write(&run, "a.csv", HEADER ROW ROW, strlen(HEADER ROW ROW));
    EXPECT_OK(run_go(&run));
    cr_assert_eq(run.result.counts.events, 1);
    cr_assert_eq(run.result.counts.malformed, 0);
    expect_position(&run, strlen(HEADER ROW ROW), 3);
    run_deinit(&run);
}

Test(loop_csv, a_source_that_was_replaced_by_a_shorter_one_is_refused)
{
    struct run run;
    begin(&run, HEADER);
    fake_engine_set_source(run.engine, run.path_list[0], strlen(HEADER) + 10, 2);
    run.options.resume = true;
    EXPECT_STATUS(run_go(&run), SETTLE_E_INVALID);
    cr_assert_eq(run.engine->event_count, 0);
    run_deinit(&run);
    /* and one that has no header any more */
    begin(&run, ROW ROW);
    fake_engine_set_source(run.engine, run.path_list[0], strlen(ROW), 1);
    run.options.resume = true;
    EXPECT_STATUS(run_go(&run), SETTLE_E_MALFORMED);
    run_deinit(&run);
}
