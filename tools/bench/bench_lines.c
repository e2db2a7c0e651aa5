/*
 * bench_lines.c — how fast journal/lines/lines.c renders: frames made in memory, told again and again by one thread, nothing
 * written.
 *
 *     bench_lines [EVENTS [settle|ecs|otlp [deposits|mix]]]
 *
 * Two mixes in the three formats: deposits of two users, and 50 % deposits, 10 % withdrawals, 40 % trades of 1000
 * users. Every event is accepted and has its three lines. Prints the median of five runs of ten passes, by the thread's
 * processor time. The frames of 32768 events stay in the processor's cache, as they do behind the reader that has just
 * checked them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "journal/frame.h"
#include "journal/lines/lines_render.h"

#define FRAME_EVENTS 4096
#define RUNS 5
#define PASSES 10
#define TIME_US UINT64_C(1733856600000000)
#define BUFFER_BYTES ((size_t)1 << 20)

static const settle_asset assets[] = {{1, 8, "BTC"}, {2, 6, "USDT"}};
static const char *const formats[] = {[LINE_SETTLE] = "settle", [LINE_ECS] = "ecs", [LINE_OTLP] = "otlp"};

struct journal {
    struct frame *frames;
    struct journal_point *before;
    size_t frame_count;
    uint64_t events, random;
    bool is_mix;
};

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench_lines: %s\n", what);
    exit(1);
}

/* ---- A journal --------------------------------------------------------------------------------------------------- */

static uint64_t next_random(struct journal *journal, uint64_t below)
{
    journal->random = journal->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (journal->random >> 33) % below;
}

static settle_leg leg_of(uint64_t user, uint32_t asset, settle_int128 delta, uint64_t version)
{
    settle_int128 after = user > SETTLE_USER_MAX ? -(settle_int128)version * 1000500000 : 123456789000 + delta;
    return (settle_leg){.user = user,
                        .asset = asset,
                        .version = version,
                        .previous_position = 4096,
                        .delta_available = delta,
                        .after_available = after};
}

static size_t put_transfer(struct journal *journal, uint8_t *at, uint32_t delta, size_t used, uint64_t seq,
                           bool is_deposit)
{
    settle_int128 amount = 1000500000 + (settle_int128)next_random(journal, 1000000000);
    uint64_t user = 1001 + (journal->is_mix ? next_random(journal, 1000) : seq % 2);
    settle_event event = {.type = is_deposit ? SETTLE_DEPOSIT : SETTLE_WITHDRAWAL,
                          .ts_ms = TIME_US / 1000 + seq,
                          .u.transfer = {user, 2, amount}};
    settle_int128 change = is_deposit ? amount : -amount;
    settle_leg legs[] = {leg_of(user, 2, change, seq), leg_of(SETTLE_USER_EXTERNAL, 2, -change, seq)};
    size_t bytes = record_encode_consumed(at, delta, delta / 4, (uint32_t)used, &event);
    return bytes + record_encode_validated(at + bytes, delta, delta / 4 + 1, legs, 2);
}

static size_t put_trade(struct journal *journal, uint8_t *at, uint32_t delta, size_t used, uint64_t seq)
{
    char id[24];
    int id_bytes = snprintf(id, sizeof id, "%" PRIu64, 1000000 + seq);
    settle_int128 quantity = 100000000 + (settle_int128)next_random(journal, 100000000), paid = 50000500000;
    uint64_t buyer = 1001 + next_random(journal, 500), seller = 1501 + next_random(journal, 500);
    settle_event event = {.type = SETTLE_TRADE,
                          .ts_ms = TIME_US / 1000 + seq,
                          .u.trade = {.trade_id = {id, (size_t)id_bytes},
                                      .buyer = buyer,
                                      .seller = seller,
                                      .base = 1,
                                      .quote = 2,
                                      .quantity = quantity,
                                      .price = {500005, 1},
                                      .buyer_fee = 1000,
                                      .seller_fee = 50000}};
    settle_leg legs[] = {leg_of(buyer, 1, quantity - 1000, seq), leg_of(buyer, 2, -paid, seq),
                         leg_of(seller, 1, -quantity, seq),      leg_of(seller, 2, paid - 50000, seq),
                         leg_of(SETTLE_USER_FEES, 1, 1000, seq), leg_of(SETTLE_USER_FEES, 2, 50000, seq)};
    size_t bytes = record_encode_consumed(at, delta, delta / 4, (uint32_t)used, &event);
    return bytes + record_encode_validated(at + bytes, delta, delta / 4 + 1, legs, 6);
}

static void frame_make(struct journal *journal, struct journal_point *point, uint32_t events)
{
    static const uint8_t id[16] = {1};
    uint8_t *bytes = calloc(1, FRAME_BYTES_MAX);
    must(bytes != NULL, "no memory");
    struct frame frame = {.position = point->position,
                          .first_seq = point->next_seq,
                          .time_us = TIME_US + point->next_seq,
                          .previous_chain = point->chain};
    size_t used = FRAME_HEADER_BYTES;
    if (point->persisted_seq + 1 < point->next_seq) {
        struct record_persisted persisted = {point->persisted_seq + 1, point->next_seq - 1, frame.time_us};
        used += record_encode_persisted(bytes + used, &persisted);
        frame.persisted_first_seq = persisted.first_seq;
        frame.persisted_last_seq = persisted.last_seq;
        frame.record_count++;
    }
    for (uint32_t i = 0; i < events; i++) {
        uint64_t kind = journal->is_mix ? next_random(journal, 10) : 0, seq = frame.first_seq + i;
        used += kind < 6 ? put_transfer(journal, bytes + used, i, used, seq, kind < 5)
                         : put_trade(journal, bytes + used, i, used, seq);
        frame.event_count++;
        frame.record_count += 2;
    }
    frame.length_bytes = frame_length(used);
    frame_seal(&frame, bytes, used, id);
    frame.bytes = bytes;
    frame.last_time_us = frame.time_us + events;
    journal->frames[journal->frame_count] = frame;
    journal->before[journal->frame_count++] = *point;
    *point = frame_end_point(&frame, point);
}

static void journal_make(struct journal *journal, uint64_t events, bool is_mix)
{
    size_t count = (size_t)((events + FRAME_EVENTS - 1) / FRAME_EVENTS);
    *journal = (struct journal){.events = count * FRAME_EVENTS, .random = 4711, .is_mix = is_mix};
    journal->frames = calloc(count + 1, sizeof *journal->frames);
    journal->before = calloc(count + 1, sizeof *journal->before);
    must(journal->frames != NULL && journal->before != NULL, "no memory");
    struct journal_point point = {.position = SEGMENT_HEADER_BYTES, .next_seq = 1};
    while (journal->frame_count < count)
        frame_make(journal, &point, FRAME_EVENTS);
    frame_make(journal, &point, 0); /* the last are durable, too */
}

static void journal_free(struct journal *journal)
{
    for (size_t i = 0; i < journal->frame_count; i++)
        free((uint8_t *)(uintptr_t)journal->frames[i].bytes);
    free(journal->frames);
    free(journal->before);
}

/* ---- The measurement --------------------------------------------------------------------------------------------- */

struct run {
    double seconds;
    uint64_t lines, bytes;
};

static double now_seconds(void)
{
    struct timespec now;
    must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0, "no clock");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void tell_once(const struct journal *journal, enum line_format format, char *buffer, struct run *run)
{
    struct lines *lines;
    const struct lines_options options = {format, LINES_SAMPLE_ALL, 0};
    must(lines_open(&options, &mem_libc, &lines, NULL) == SETTLE_OK, "lines_open failed");
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        must(lines_asset_add(lines, &assets[i], NULL) == SETTLE_OK, "lines_asset_add failed");
    double begin = now_seconds();
    size_t used = 0;
    for (size_t i = 0; i < journal->frame_count; i++) {
        struct line line;
        must(lines_enter(lines, &journal->before[i], &journal->frames[i], NULL) == SETTLE_OK, "lines_enter failed");
        while (lines_next(lines, buffer + used, &line)) {
            used += line.bytes;
            run->bytes += line.bytes;
            run->lines++;
            if (used > BUFFER_BYTES - LINE_BYTES_MAX)
                used = 0;
        }
    }
    run->seconds += now_seconds() - begin;
    lines_close(lines);
}

static int by_seconds(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void measure(const struct journal *journal, enum line_format format, char *buffer)
{
    struct run runs[RUNS];
    for (int i = 0; i < RUNS; i++) {
        runs[i] = (struct run){0};
        for (int pass = 0; pass < PASSES; pass++)
            tell_once(journal, format, buffer, &runs[i]);
    }
    qsort(runs, RUNS, sizeof *runs, by_seconds);
    const struct run *median = &runs[RUNS / 2];
    printf("%-8s %-6s %6.2f M lines/s  %6.1f ns a line  %6.1f bytes a line  %7.1f bytes an event  (%.2f to %.2f)\n",
           journal->is_mix ? "50/10/40" : "deposits", formats[format], (double)median->lines / median->seconds / 1e6,
           median->seconds * 1e9 / (double)median->lines, (double)median->bytes / (double)median->lines,
           (double)median->bytes / (double)journal->events / PASSES,
           (double)median->lines / runs[RUNS - 1].seconds / 1e6, (double)median->lines / runs[0].seconds / 1e6);
}

/* Whether an argument, where it is given, names this one. */
static bool is_chosen(int argc, char **argv, int index, const char *name)
{
    return argc <= index || strcmp(argv[index], name) == 0;
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 32768;
    char *buffer = malloc(BUFFER_BYTES);
    must(buffer != NULL && events > 0, "usage: bench_lines [EVENTS [settle|ecs|otlp [deposits|mix]]]");
    for (int is_mix = 0; is_mix <= 1; is_mix++) {
        if (!is_chosen(argc, argv, 3, is_mix ? "mix" : "deposits"))
            continue;
        struct journal journal;
        journal_make(&journal, events, is_mix == 1);
        for (int format = LINE_SETTLE; format <= LINE_OTLP; format++)
            if (is_chosen(argc, argv, 2, formats[format]))
                measure(&journal, (enum line_format)format, buffer);
        journal_free(&journal);
    }
    free(buffer);
    return 0;
}
