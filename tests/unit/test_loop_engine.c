/*
 * test_loop_engine.c — the ingest loop on the real engine: what it reads is on stable storage when it returns, twice
 * the same input changes nothing, and a resumed run goes on exactly where the journal ends.
 */
#include "ingest/ingest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"

SETTLE_SUITE(loop_engine);

static char base[TEMPDIR_BYTES], data[TEMPDIR_PATH_BYTES], rejects[TEMPDIR_PATH_BYTES], input[TEMPDIR_PATH_BYTES];
static settle *engine;

static void begin(void)
{
    tempdir_make(base);
    tempdir_join(data, base, "data");
    tempdir_join(rejects, base, "rejects");
    tempdir_join(input, base, "input.ndjson");
    EXPECT_OK(settle_open(data, NULL, &engine, &test_error));
}

static void reopen(void)
{
    EXPECT_OK(settle_close(engine, &test_error));
    EXPECT_OK(settle_open(data, NULL, &engine, &test_error));
}

static void end(void)
{
    EXPECT_OK(settle_close(engine, &test_error));
    tempdir_remove(base);
}

static void append(const char *text)
{
    FILE *file = fopen(input, "a");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static struct ingest_counts go(const char *path, bool resume)
{
    const char *paths[] = {path};
    struct ingest_options options = {.paths = paths, .path_count = 1, .resume = resume, .reject_directory = rejects};
    struct ingest_result result;
    EXPECT_OK(ingest_run(engine, &options, &result, &test_error));
    return result.counts;
}

static settle_int128 available(uint64_t user, uint32_t asset)
{
    settle_balance balance;
    EXPECT_OK(settle_balance_get(engine, user, asset, &balance, &test_error));
    return balance.available;
}

#define ASSETS                                                                                                         \
    "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}\n"                                                    \
    "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}\n"

static const char *const story = ASSETS
    "{\"type\":\"deposit\",\"user\":1001,\"asset\":\"USDT\",\"amount\":\"1000.50\",\"ts\":1}\n"
    "{\"type\":\"deposit\",\"user\":\"1002\",\"asset\":1,\"amount\":\"1\",\"ts\":2}\n"
    "{\"type\":\"deposit\",\"user\":1001,\"asset\":\"USDT\",\"amount\":1000.50,\"ts\":3}\n"
    "\n"
    "{\"type\":\"trade\",\"trade_id\":\"t\",\"ts\":4,\"buyer\":1001,\"seller\":1002,\"base\":\"BTC\",\"quote\":"
    "\"USDT\","
    "\"quantity\":\"0.01\",\"price\":\"50000\",\"buyer_fee\":\"0.0001\",\"seller_fee\":\"0.5\"}\r\n"
    "{\"type\":\"withdrawal\",\"user\":1001,\"asset\":\"USDT\",\"amount\":\"500.500001\",\"ts\":5}\n"
    "{\"asset\":2,\"amount\":\"1000.500000\",\"ts\":1,\"type\":\"deposi\\u0074\",\"user\":\"1001\"}\n"
    "{\"type\":\"deposit\",\"event_id\":\"deposit_1002_1_2\",\"user\":1002,\"asset\":1,\"amount\":\"2\",\"ts\":2}";

Test(loop_engine, lines_become_balances)
{
    begin();
    append(story);
    struct ingest_counts counts = go(input, false);
    cr_assert_eq(counts.lines, 10);
    cr_assert_eq(counts.events, 6);
    cr_assert_eq(counts.accepted, 3);
    cr_assert_eq(counts.rejected, 1, "more than there is");
    cr_assert_eq(counts.duplicate, 1, "the same in other words");
    cr_assert_eq(counts.conflict, 1);
    cr_assert_eq(counts.malformed, 1);
    cr_assert_eq(counts.first_seq, 1);
    cr_assert_eq(counts.last_seq, 6);
    cr_assert(available(1001, 2) == 500500000);
    cr_assert(available(1001, 1) == 990000);
    cr_assert(available(1002, 2) == 499500000);
    cr_assert(available(1002, 1) == 99000000);
    end();
}

Test(loop_engine, every_event_is_persisted_when_the_run_returns)
{
    begin();
    append(story);
    go(input, false);
    settle_lifecycle *life;
    EXPECT_OK(settle_lifecycle_get(engine, (settle_text){"trade_t", 7}, &life, &test_error));
    cr_assert_gt(life->first.persisted_us, 0);
    settle_lifecycle_free(life);
    EXPECT_OK(settle_lifecycle_get(engine, (settle_text){"deposit_1002_1_2", 16}, &life, &test_error));
    cr_assert_eq(life->repeat_count, 1);
    cr_assert_gt(life->repeats[0].persisted_us, 0);
    settle_lifecycle_free(life);
    end();
}

Test(loop_engine, the_same_input_again_changes_no_balance)
{
    begin();
    append(story);
    go(input, false);
    for (int i = 0; i < 2; i++) {
        reopen();
        struct ingest_counts counts = go(input, false);
        cr_assert_eq(counts.events, 6);
        cr_assert_eq(counts.duplicate, 5);
        cr_assert_eq(counts.conflict, 1);
        cr_assert(available(1001, 2) == 500500000);
        cr_assert(available(1002, 1) == 99000000);
    }
    end();
}

Test(loop_engine, resume_reads_what_was_added)
{
    begin();
    append(story);
    go(input, true);
    reopen();
    cr_assert_eq(go(input, true).lines, 0);
    append("\n{\"type\":\"deposit\",\"user\":7,\"asset\":\"USDT\",\"amount\":\"1\",\"ts\":9}\n{\"type\":\"dep");
    reopen();
    struct ingest_counts counts = go(input, true);
    cr_assert_eq(counts.lines, 2);
    cr_assert_eq(counts.accepted, 1);
    cr_assert_eq(counts.first_seq, 7);
    cr_assert_eq(counts.malformed, 1, "half a line");
    append("osit\",\"user\":7,\"asset\":\"USDT\",\"amount\":\"1\",\"ts\":10}\n");
    reopen();
    counts = go(input, true);
    cr_assert_eq(counts.accepted, 1);
    cr_assert_eq(counts.malformed, 0);
    cr_assert(available(7, 2) == 2000000);
    settle_source_position position;
    EXPECT_OK(settle_source_open(engine, (settle_text){input, strlen(input)}, &position, &test_error));
    cr_assert_eq(position.line, 12);
    FILE *file = fopen(input, "r");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    cr_assert_eq(position.offset_bytes, (uint64_t)ftell(file));
    fclose(file);
    end();
}

Test(loop_engine, malformed_lines_at_the_end_are_passed_for_good)
{
    begin();
    append("bad\n\n\nworse\n");
    cr_assert_eq(go(input, true).malformed, 2);
    reopen();
    cr_assert_eq(go(input, true).lines, 0);
    end();
}

Test(loop_engine, an_asset_declared_otherwise_is_a_malformed_line)
{
    begin();
    append(ASSETS "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":7}\n" ASSETS);
    struct ingest_counts counts = go(input, false);
    cr_assert_eq(counts.malformed, 1);
    cr_assert_eq(counts.lines, 5);
    cr_assert_eq(counts.events, 0);
    settle_asset asset;
    EXPECT_OK(settle_asset_by_id(engine, 1, &asset));
    cr_assert_eq(asset.scale, 8);
    end();
}

/* Frames, batches and buffers end at different places; none may lose, repeat or reorder a line. */
Test(loop_engine, a_long_input_in_many_batches)
{
    enum { EVENTS = 60000 };
    begin();
    append(ASSETS);
    FILE *file = fopen(input, "a");
    CHECK(file != NULL);
    for (int i = 0; i < EVENTS; i++)
        fprintf(
            file,
            "{\"type\":\"deposit\",\"event_id\":\"%s%d\",\"ts\":%d,\"user\":%d,\"asset\":2,\"amount\":\"0.%06d\"}%s\n",
            i % 3 == 0 ? "\\u0065" : "e", i, i, 1 + i % 10, i, i % 1000 == 0 ? "x" : "");
    CHECK(fclose(file) == 0);
    struct ingest_counts counts = go(input, false);
    cr_assert_eq(counts.lines, EVENTS + 2);
    cr_assert_eq(counts.malformed, EVENTS / 1000);
    cr_assert_eq(counts.accepted + counts.rejected, EVENTS - EVENTS / 1000);
    cr_assert_eq(counts.rejected, 0);
    cr_assert_eq(counts.last_seq, counts.events);
    settle_int128 expected = 0;
    for (int i = 3; i < EVENTS; i += 10)
        expected += i % 1000 == 0 ? 0 : i;
    cr_assert(available(4, 2) == expected);
    cr_assert_eq(go(input, true).lines, 0);
    end();
}

static void *ask_while_input_pauses(void *argument)
{
    int fd = *(int *)argument;
    dprintf(fd, ASSETS "{\"type\":\"deposit\",\"user\":5,\"asset\":\"USDT\",\"amount\":\"3\",\"ts\":1}\n");
    settle_balance balance;
    settle_status status = SETTLE_E_NOT_FOUND;
    for (int i = 0; i < 5000 && status != SETTLE_OK; i++) {
        usleep(1000);
        status = settle_balance_get(engine, 5, 2, &balance, NULL);
    }
    CHECK(status == SETTLE_OK && balance.available == 3000000);
    settle_lifecycle *life = NULL; /* PERSISTED is recorded although input stays open */
    uint64_t persisted_us = 0;
    for (int i = 0; i < 5000 && persisted_us == 0; i++) {
        usleep(1000);
        CHECK(settle_lifecycle_get(engine, (settle_text){"deposit_5_2_1", 13}, &life, NULL) == SETTLE_OK);
        persisted_us = life->first.persisted_us;
        settle_lifecycle_free(life);
    }
    CHECK(persisted_us > 0);
    close(fd);
    return NULL;
}

Test(loop_engine, others_see_an_event_while_input_stays_open)
{
    begin();
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == 0 && close(ends[0]) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, ask_while_input_pauses, &ends[1]) == 0);
    cr_assert_eq(go("-", false).accepted, 1);
    pthread_join(thread, NULL);
    end();
}
