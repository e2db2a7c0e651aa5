/*
 * test_bench_stream.c — the benchmarks' events: the same every time, in the shares that are promised, in every form
 * alike.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"
#include "tests/lib/expect.h"
#include "tools/bench/stream.h"

#define COUNT 20000

static struct stream uniform, zipf;

static void make(void)
{
    cr_assert(stream_init(&uniform, STREAM_SEED, STREAM_UNIFORM));
    cr_assert(stream_init(&zipf, STREAM_SEED, STREAM_ZIPF));
}

static void unmake(void)
{
    stream_deinit(&uniform);
    stream_deinit(&zipf);
    leaks_check();
}

TestSuite(bench_stream, .init = make, .fini = unmake, .timeout = 60);

/* A digest of many lines: a change of the stream is a change of what was measured with it, and must be meant. */
static uint64_t digest_of(const struct stream *stream)
{
    char line[STREAM_LINE_BYTES];
    struct stream_event event;
    uint64_t digest = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(stream, i, &event);
        size_t bytes = stream_to_line(&event, line);
        cr_assert_eq(bytes, strlen(line));
        for (size_t at = 0; at < bytes; at++)
            digest = random_mix(digest ^ (uint8_t)line[at]);
    }
    return digest;
}

Test(bench_stream, the_events_of_a_seed_are_known)
{
    cr_expect_eq(digest_of(&uniform), UINT64_C(0x9424e142921380cb), "uniform: 0x%llx",
                 (unsigned long long)digest_of(&uniform));
    cr_expect_eq(digest_of(&zipf), UINT64_C(0xfb89b59e53dfada), "zipf: 0x%llx", (unsigned long long)digest_of(&zipf));
}

Test(bench_stream, another_seed_gives_other_events)
{
    struct stream other;
    cr_assert(stream_init(&other, STREAM_SEED + 1, STREAM_UNIFORM));
    cr_expect_neq(digest_of(&other), digest_of(&uniform));
    stream_deinit(&other);
}

Test(bench_stream, an_event_does_not_depend_on_what_was_asked_before)
{
    struct stream_event forth, back;
    for (uint64_t i = 0; i < 500; i++) {
        stream_at(&zipf, 499 - i, &back);
        stream_at(&zipf, 499 - i, &forth);
        cr_assert_arr_eq(&back, &forth, sizeof back);
    }
}

static void expect_near(const char *what, uint64_t count, double share)
{
    double expected = COUNT * share;
    cr_expect((double)count > expected * 0.9 && (double)count < expected * 1.1, "%s: %llu, expected %.0f", what,
              (unsigned long long)count, expected);
}

static void expect_shares(const struct stream *stream)
{
    uint64_t types[SETTLE_TRADE + 1] = {0}, resends = 0, fees = 0, quotes = 0;
    struct stream_event event;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(stream, i, &event);
        types[event.type]++;
        resends += event.origin != i;
        fees += event.buyer_fee > 0 && event.seller_fee > 0;
        quotes += event.type == SETTLE_DEPOSIT && event.asset == STREAM_QUOTE;
    }
    expect_near("deposits", types[SETTLE_DEPOSIT], 0.5);
    expect_near("withdrawals", types[SETTLE_WITHDRAWAL], 0.1);
    expect_near("trades", types[SETTLE_TRADE], 0.4);
    expect_near("trades with fees", fees, 0.1);
    expect_near("deposits of the quote asset", quotes, 0.25);
    cr_expect(resends > COUNT / 300 && resends < COUNT / 130, "%llu re-sends", (unsigned long long)resends);
}

Test(bench_stream, the_shares_are_those_that_are_promised)
{
    expect_shares(&uniform);
    expect_shares(&zipf);
}

/* With Zipf's distribution one user has more than a tenth of the deposits; otherwise nobody stands out. */
Test(bench_stream, users_are_distributed_as_asked)
{
    unsigned most[2] = {0};
    const struct stream *streams[] = {&uniform, &zipf};
    for (int s = 0; s < 2; s++) {
        unsigned *counts = calloc(STREAM_USERS + 1, sizeof *counts);
        struct stream_event event;
        for (uint64_t i = 0; i < COUNT; i++) {
            stream_at(streams[s], i, &event);
            cr_assert(event.user >= 1 && event.user <= STREAM_USERS);
            counts[event.user] += event.type == SETTLE_DEPOSIT;
        }
        for (size_t user = 1; user <= STREAM_USERS; user++)
            most[s] = counts[user] > most[s] ? counts[user] : most[s];
        free(counts);
    }
    cr_expect_lt(most[0], 10);
    cr_expect_gt(most[1], COUNT / 2 / 10);
}

Test(bench_stream, who_gives_has_had_a_deposit_before)
{
    bool *has = calloc(2 * (STREAM_USERS + 1), sizeof *has);
    struct stream_event e;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(&uniform, i, &e);
        if (e.type == SETTLE_DEPOSIT)
            has[2 * e.user + e.asset - 1] = true;
        else if (e.type == SETTLE_WITHDRAWAL)
            cr_expect(has[2 * e.user + e.asset - 1], "withdrawal %llu", (unsigned long long)i);
        else
            cr_expect(has[2 * e.user + STREAM_QUOTE - 1] && has[2 * e.seller + STREAM_BASE - 1] && e.user != e.seller,
                      "trade %llu", (unsigned long long)i);
    }
    free(has);
}

Test(bench_stream, a_resend_is_an_exact_copy_of_an_earlier_event)
{
    struct stream_event event, origin;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(&uniform, i, &event);
        if (event.origin == i)
            continue;
        cr_assert_lt(event.origin, i);
        stream_at(&uniform, event.origin, &origin);
        cr_expect_arr_eq(&event, &origin, sizeof event);
    }
}

static const settle_asset *find_asset(void *context, const struct scan_asset *name)
{
    (void)context;
    for (size_t i = 0; i < STREAM_ASSETS; i++)
        if (strlen(stream_assets[i].symbol) == name->symbol.bytes &&
            memcmp(stream_assets[i].symbol, name->symbol.data, name->symbol.bytes) == 0)
            return &stream_assets[i];
    return NULL;
}

static bool same_trade(const settle_trade *a, const settle_trade *b)
{
    return a->trade_id.bytes == b->trade_id.bytes &&
           memcmp(a->trade_id.data, b->trade_id.data, a->trade_id.bytes) == 0 && a->buyer == b->buyer &&
           a->seller == b->seller && a->base == b->base && a->quote == b->quote && a->quantity == b->quantity &&
           a->price.mantissa == b->price.mantissa && a->price.scale == b->price.scale &&
           a->quote_amount == b->quote_amount && a->buyer_fee == b->buyer_fee && a->seller_fee == b->seller_fee;
}

/* The line, scanned, is the event that is submitted through the library. */
Test(bench_stream, the_line_and_the_event_say_the_same)
{
    char line[STREAM_LINE_BYTES], trade_id[STREAM_TRADE_ID_BYTES], scratch[INGEST_LINE_BYTES_MAX];
    struct stream_event event;
    struct scan_fault fault;
    enum scan_kind kind;
    settle_event scanned, made;
    settle_asset asset;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(&uniform, i, &event);
        stream_to_event(&event, trade_id, &made);
        size_t bytes = stream_to_line(&event, line);
        cr_assert(scan_line(line, bytes - 1, scratch, find_asset, NULL, &kind, &scanned, &asset, &fault), "%s: %s",
                  line, fault.reason);
        cr_assert_eq(kind, SCAN_EVENT);
        cr_assert(scanned.type == made.type && scanned.ts_ms == made.ts_ms && scanned.event_id.bytes == 0);
        if (made.type == SETTLE_TRADE)
            cr_assert(same_trade(&scanned.u.trade, &made.u.trade), "%s", line);
        else
            cr_assert(scanned.u.transfer.user == made.u.transfer.user &&
                          scanned.u.transfer.asset == made.u.transfer.asset &&
                          scanned.u.transfer.amount == made.u.transfer.amount,
                      "%s", line);
    }
}

/* The peers are given the quote amount; the engine multiplies. */
Test(bench_stream, the_quote_amount_is_price_times_quantity)
{
    struct stream_event event;
    for (uint64_t i = 0; i < COUNT; i++) {
        stream_at(&uniform, i, &event);
        if (event.type == SETTLE_TRADE) /* 10^-8 BTC × 10^-2 USDT in units of 10^-6 USDT */
            cr_assert_eq((settle_int128)event.quote_amount * 10000, (settle_int128)event.amount * event.price_cents);
    }
}

Test(bench_stream, the_lines_of_the_assets_declare_them)
{
    char line[STREAM_LINE_BYTES];
    cr_expect_eq(stream_asset_line(&stream_assets[1], line), strlen(line));
    cr_expect_str_eq(line, "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}\n");
}
