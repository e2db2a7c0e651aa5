/*
 * test_lines.c — the lines of the format settle: a committed file of every step, type and outcome; random journals
 * against a renderer that shares nothing with the one under test (lines_naive.h); assets; failures.
 */
#include "tests/unit/lines_scene.h"

#include "tests/unit/lines_naive.h"

SETTLE_SUITE(lines);

#define SEED stream_seed(3003)

static struct scene scene;
static const struct lines_options settle_all = {LINE_SETTLE, LINES_SAMPLE_ALL, 0};

static bool has(const struct told *told, size_t index, const char *part)
{
    char line[LINE_BYTES_MAX + 1];
    size_t at = 0;
    for (size_t i = 0; i < index; i++)
        at += told->lines[i].bytes;
    memcpy(line, told->text + at, told->lines[index].bytes);
    line[told->lines[index].bytes] = '\0';
    return strstr(line, part) != NULL;
}

static size_t count_of(const struct told *told, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < told->count; i++)
        count += has(told, i, part);
    return count;
}

/* ---- The committed file ------------------------------------------------------------------------------------------ */

Test(lines, the_golden_file_is_what_comes_out)
{
    struct told told;
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    expect_golden(&told, "lines_settle.ndjson");
    told_free(&told);
}

Test(lines, the_golden_file_has_every_step_of_every_type_and_every_reason)
{
    static const char *const parts[] = {"DEPOSIT_CONSUMED\"",
                                        "DEPOSIT_VALIDATED\"",
                                        "DEPOSIT_REJECTED\"",
                                        "DEPOSIT_DUPLICATE\"",
                                        "DEPOSIT_CONFLICT\"",
                                        "DEPOSIT_PERSISTED\"",
                                        "WITHDRAWAL_CONSUMED\"",
                                        "WITHDRAWAL_VALIDATED\"",
                                        "WITHDRAWAL_REJECTED\"",
                                        "WITHDRAWAL_PERSISTED\"",
                                        "TRADE_CONSUMED\"",
                                        "TRADE_VALIDATED\"",
                                        "TRADE_REJECTED\"",
                                        "TRADE_DUPLICATE\"",
                                        "TRADE_CONFLICT\"",
                                        "TRADE_PERSISTED\"",
                                        "\"external\"",
                                        "\"fees\"",
                                        "\"user\":\"9007199254740993\"",
                                        "\"asset\":77,\"amount_minor\":\"1267650600228229401496703205376\"",
                                        "\"base\":88,\"quote\":99",
                                        "\"quantity_minor\"",
                                        "\"quote_amount_minor\"",
                                        "\"buyer_fee_minor\"",
                                        "\"seller_fee_minor\"",
                                        "\"price\":\"50000.5\"",
                                        "\"amount\":\"170141183460469231731.687303715884105727\"",
                                        "\"version\":\"9007199254740993\"",
#define X(name, value, word) "\"reason\":\"" word "\"",
                                        SETTLE_REASON_MAP(X)
#undef X
    };
    struct told told;
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i], "\"reason\":\"\"") != 0) /* no rejection has none */
            cr_assert_gt(count_of(&told, parts[i]), 0, "%s", parts[i]);
    cr_assert_eq(count_of(&told, "\"level\":\"WARN\""),
                 count_of(&told, "_REJECTED\"") + count_of(&told, "_CONFLICT\""));
    told_free(&told);
}

/* The line that docs and logs/README.md print. The ids: printf %s deposit_1001_2_1733856600000 | sha256sum */
Test(lines, the_documented_example)
{
    static const char expected[] =
        "{\"timestamp\":\"2024-12-10T18:50:00.000000Z\",\"level\":\"INFO\",\"target\":\"settlement\","
        "\"trace_id\":\"9897f6716c325a6e1c6a3779c88240bd\",\"span_id\":\"7a15e5c586ab3a59\",\"fields\":{"
        "\"event\":\"DEPOSIT_CONSUMED\",\"event_id\":\"deposit_1001_2_1733856600000\",\"seq\":1,\"user\":1001,"
        "\"asset\":\"USDT\",\"amount\":\"1000.500000\"}}\n";
    struct told told;
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    told.text[told.lines[0].bytes] = '\0';
    cr_assert_str_eq(told.text, expected);
    told_free(&told);
}

Test(lines, every_line_tells_its_place_and_its_records_time)
{
    struct told told;
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    uint64_t seen[3] = {0, 0, 0}, last_us = 0;
    for (size_t i = 0; i < told.count; i++) {
        const struct line *line = &told.lines[i];
        cr_assert(line->place.step >= LINE_CONSUMED && line->place.step <= LINE_PERSISTED);
        cr_assert_eq(line->place.seq, ++seen[line->place.step - 1], "each step once, by seq");
        cr_assert_geq(line->time_us, last_us);
        last_us = line->time_us;
        cr_assert_eq(has(&told, i, "_CONSUMED\""), line->place.step == LINE_CONSUMED);
        cr_assert_eq(has(&told, i, "_PERSISTED\""), line->place.step == LINE_PERSISTED);
        char time[64];
        snprintf(time, sizeof time, "00.%06uZ\"", (unsigned)(line->time_us - SCENE_TIME_US));
        cr_assert(has(&told, i, time), "%s", time);
    }
    cr_assert(seen[0] == seen[1] && seen[1] == seen[2] && seen[0] == scene.point.next_seq - 1);
    told_free(&told);
}

Test(lines, the_longest_lines_have_room)
{
    struct told told;
    scene_golden(&scene);
    for (int format = LINE_SETTLE; format <= LINE_OTLP; format++) {
        size_t longest = 0;
        scene_tell(&scene, (enum line_format)format, &told);
        for (size_t i = 0; i < told.count; i++)
            longest = told.lines[i].bytes > longest ? told.lines[i].bytes : longest;
        cr_assert(longest > 1500 && longest < LINE_BYTES_MAX - 512, "format %d: %zu", format, longest);
        told_free(&told);
    }
}

/* ---- Against the naive one --------------------------------------------------------------------------------------- */

static void expect_naive(const struct naive *n, const struct told *told, size_t index, size_t at)
{
    const struct line *line = &told->lines[index];
    cr_assert(line->bytes == n->used && memcmp(told->text + at, n->text, n->used) == 0, "line %zu is\n%.*sexpected\n%s",
              index, (int)line->bytes, told->text + at, n->text);
}

/* Every line of the frames in the order of their records. */
static void expect_journal(const struct journal_builder *b, struct naive *n, const struct told *told)
{
    size_t index = 0, at = 0;
    uint64_t seq = 0;
    for (size_t i = 0; i < b->frame_count; i++) {
        const struct built_frame *frame = &b->frames[i];
        const uint64_t end_seq = frame->frame.first_seq + frame->frame.event_count;
        /* PERSISTED stands before the events in the frames of builder_events(), behind them in the others. */
        const bool is_before =
            frame->persisted.last_seq > 0 && index < told->count && told->lines[index].place.step == LINE_PERSISTED;
        for (int part = 0; part < 2; part++) {
            for (uint64_t s = frame->persisted.first_seq; s <= frame->persisted.last_seq && s > 0; s++) {
                if (is_before != (part == 0))
                    break;
                naive_line(n, &b->events[s - 1], 3, frame->persisted.time_us);
                cr_assert_lt(index, told->count);
                expect_naive(n, told, index, at);
                at += told->lines[index++].bytes;
            }
            for (; part == 0 && seq + 1 < end_seq; seq++) {
                for (unsigned step = 1; step <= 2; step++) {
                    const struct built_event *event = &b->events[seq];
                    naive_line(n, event, step, step == 1 ? event->consumed_us : event->decided_us);
                    cr_assert_lt(index, told->count);
                    expect_naive(n, told, index, at);
                    at += told->lines[index++].bytes;
                }
            }
        }
    }
    cr_assert_eq(index, told->count);
}

static void tell_journal(struct journal_builder *b, struct lines *lines, struct told *told)
{
    struct journal_reader *reader;
    struct journal_point point, before;
    struct frame frame;
    EXPECT_OK(journal_reader_open(b->data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    for (before = point; journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK; before = point) {
        EXPECT_OK(lines_enter(lines, &before, &frame, &test_error));
        told_rest(told, lines);
    }
    journal_reader_close(reader);
}

static void compare_random(uint64_t seed, void (*fill)(struct journal_builder *))
{
    struct journal_builder b;
    struct told told = {0};
    struct lines *lines = lines_new(settle_all);
    builder_use_memory();
    builder_init(&b, (uint64_t)1 << 20, seed);
    fill(&b);
    builder_close(&b);
    /* All are declared before: when the journal declares them is the builder's whim, and another test's subject. */
    static struct naive n;
    n.assets = stream_assets;
    n.asset_count = STREAM_ASSET_COUNT;
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++)
        EXPECT_OK(lines_asset_add(lines, &stream_assets[i], &test_error));
    tell_journal(&b, lines, &told);
    cr_assert_gt(told.count, 2 * b.event_count, "seed %zu", (size_t)seed);
    expect_journal(&b, &n, &told);
    told_free(&told);
    lines_close(lines);
    builder_deinit(&b);
}

static void fill_random(struct journal_builder *b)
{
    for (int i = 0; i < 60; i++)
        builder_random(b);
}

static void fill_large(struct journal_builder *b)
{
    for (int i = 0; i < 6; i++)
        builder_events(b, 700);
    builder_persisted(b);
}

Test(lines, random_journals_are_rendered_as_the_naive_one_does)
{
    for (uint64_t i = 0; i < 10; i++)
        compare_random(SEED + i, fill_random);
}

Test(lines, frames_of_many_events_are_rendered_as_the_naive_one_does)
{
    compare_random(SEED, fill_large);
}

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

static void expect_assets(const struct lines *lines, size_t count, const settle_asset *const *expected)
{
    size_t told;
    const settle_asset *assets = lines_assets(lines, &told);
    cr_assert_eq(told, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(assets[i].id, expected[i]->id);
        cr_assert_eq(assets[i].scale, expected[i]->scale);
        cr_assert_str_eq(assets[i].symbol, expected[i]->symbol);
    }
}

Test(lines, an_asset_counts_from_its_declaration_on)
{
    struct told told;
    settle_event event = scene_transfer(SETTLE_DEPOSIT, 5, 2, 1500000, SCENE_TS);
    scene_init(&scene);
    scene_begin(&scene);
    scene_transferred(&scene, &event, 1500000, 1);
    scene_asset(&scene, &scene_usdt);
    event.ts_ms++;
    scene_transferred(&scene, &event, 3000000, 2);
    scene_asset(&scene, &scene_usdt); /* again: nothing changes */
    scene_end(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    cr_assert_eq(told.count, 4);
    cr_assert(has(&told, 0, "\"asset\":2,\"amount_minor\":\"1500000\"}"));
    cr_assert(has(&told, 1, "\"asset\":2,\"amount_minor\":\"1500000\",\"balance_before_minor\":\"0\""));
    cr_assert(has(&told, 2, "\"asset\":\"USDT\",\"amount\":\"1.500000\"}"));
    cr_assert(has(&told, 3, "\"balance_before\":\"1.500000\",\"balance_after\":\"3.000000\",\"version\":2}"));
    told_free(&told);
}

Test(lines, assets_are_kept_by_id_and_the_same_again_changes_nothing)
{
    struct lines *lines = lines_new(settle_all);
    const settle_asset *const sorted[] = {&scene_btc, &scene_usdt, &scene_jpy, &scene_wei};
    expect_assets(lines, 0, NULL);
    EXPECT_OK(lines_asset_add(lines, &scene_wei, &test_error));
    EXPECT_OK(lines_asset_add(lines, &scene_usdt, &test_error));
    EXPECT_OK(lines_asset_add(lines, &scene_btc, &test_error));
    EXPECT_OK(lines_asset_add(lines, &scene_usdt, &test_error));
    EXPECT_OK(lines_asset_add(lines, &scene_jpy, &test_error));
    expect_assets(lines, 4, sorted);
    lines_close(lines);
}

Test(lines, many_assets)
{
    struct lines *lines = lines_new(settle_all);
    for (uint32_t i = 0; i < 500; i++) {
        settle_asset asset = {.id = i * 7919 % 500 + 1, .scale = (uint8_t)(i * 7919 % 500 % 19)};
        snprintf(asset.symbol, sizeof asset.symbol, "A%u", (unsigned)asset.id);
        EXPECT_OK(lines_asset_add(lines, &asset, &test_error));
    }
    size_t count;
    const settle_asset *assets = lines_assets(lines, &count);
    cr_assert_eq(count, 500);
    for (uint32_t i = 0; i < 500; i++)
        cr_assert(assets[i].id == i + 1 && assets[i].scale == i % 19 && (uint32_t)atoi(assets[i].symbol + 1) == i + 1);
    lines_close(lines);
}

Test(lines, an_asset_in_two_ways_is_corrupt)
{
    struct lines *lines = lines_new(settle_all);
    const settle_asset other_scale = {2, 7, "USDT"}, other_symbol = {2, 6, "USDC"};
    const settle_asset *const only[] = {&scene_usdt};
    EXPECT_OK(lines_asset_add(lines, &scene_usdt, &test_error));
    EXPECT_STATUS(lines_asset_add(lines, &other_scale, &test_error), SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.text, "USDT with scale 7"), "%s", test_error.text);
    EXPECT_STATUS(lines_asset_add(lines, &other_symbol, &test_error), SETTLE_E_CORRUPT);
    EXPECT_STATUS(lines_asset_add(lines, &other_symbol, NULL), SETTLE_E_CORRUPT);
    expect_assets(lines, 1, only);
    lines_close(lines);
}

Test(lines, a_frame_with_an_asset_in_two_ways_is_refused_whole)
{
    const settle_asset other = {2, 0, "USDT"};
    const settle_asset *const only[] = {&scene_btc};
    struct told told = {0};
    scene_init(&scene);
    scene_begin(&scene);
    scene_asset(&scene, &scene_jpy);
    scene_asset(&scene, &scene_usdt);
    settle_event event = scene_transfer(SETTLE_DEPOSIT, 5, 2, 1500000, SCENE_TS);
    scene_transferred(&scene, &event, 1500000, 1);
    scene_asset(&scene, &other);
    scene_end(&scene);
    struct lines *lines = lines_new(settle_all);
    EXPECT_OK(lines_asset_add(lines, &scene_btc, &test_error));
    EXPECT_STATUS(lines_enter(lines, &scene.before[0], &scene.frames[0], &test_error), SETTLE_E_CORRUPT);
    expect_assets(lines, 1, only);
    cr_assert_eq(lines_place(lines).seq, 0);
    cr_assert_eq(lines_restart(lines, &scene.point).position, scene.point.position);
    told_rest(&told, lines); /* no frame is entered */
    cr_assert_eq(told.count, 0);
    lines_close(lines);
}

/* ---- Escapes ----------------------------------------------------------------------------------------------------- */

/* No id has such bytes today: the renderer does not rely on it. The frame is changed behind its check. */
Test(lines, a_text_is_escaped_whatever_it_holds)
{
    static const char id[] = "plain_id", odd[] = "\"\\\n\x01\xff\xc3\xa4x";
    const settle_event event = {.type = SETTLE_TRADE,
                                .ts_ms = SCENE_TS,
                                .event_id = {id, 8},
                                .u.trade = {{"trade_no", 8}, 1, 2, 1, 2, 5, {0, 0}, 500000, 0, 0}};
    for (int which = 0; which < 2; which++) {
        static const char *const formats[] = {
            "\"settle.trade_id\":", "\"event_id\":", "\"trade_id\":", "\"event.id\":"};
        scene_init(&scene);
        scene_begin(&scene);
        scene_consumed(&scene, &event);
        scene_rejected(&scene, SETTLE_REASON_UNKNOWN_ASSET);
        scene_end(&scene);
        for (size_t at = 0; at + 8 <= scene.frames[0].length_bytes; at++)
            if (memcmp(scene.bytes[0] + at, which == 0 ? id : "trade_no", 8) == 0)
                memcpy(scene.bytes[0] + at, odd, 8);
        for (int format = LINE_SETTLE; format <= LINE_ECS; format++) {
            struct told told;
            char expected[128];
            snprintf(expected, sizeof expected, "%s\"\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa4x\",",
                     formats[format == LINE_SETTLE ? (which == 0 ? 1 : 2) : (which == 0 ? 3 : 0)]);
            scene_tell(&scene, (enum line_format)format, &told);
            cr_assert_eq(told.count, 2);
            cr_assert(has(&told, 0, expected) && has(&told, 1, expected), "%s", told.text);
            told_free(&told);
        }
    }
}

Test(lines, the_users_leg_is_found_wherever_it_stands)
{
    struct told told;
    const settle_event event = scene_transfer(SETTLE_DEPOSIT, 5, 2, 30, SCENE_TS);
    const settle_leg legs[] = {
        {.user = 5, .asset = 3, .version = 7, .delta_available = 1, .after_available = 1},
        {.user = SETTLE_USER_EXTERNAL, .asset = 2, .version = 8, .delta_available = -30, .after_available = -30},
        {.user = 5, .asset = 2, .version = 9, .delta_available = 30, .after_available = 50},
    };
    scene_init(&scene);
    scene_begin(&scene);
    scene_asset(&scene, &scene_usdt);
    scene_asset(&scene, &scene_jpy);
    scene_consumed(&scene, &event);
    scene_validated(&scene, legs, 3);
    scene_consumed(&scene, &event);
    scene_validated(&scene, legs, 2); /* not there: all that are */
    scene_end(&scene);
    scene_tell(&scene, LINE_SETTLE, &told);
    cr_assert(has(&told, 1, "\"balance_before\":\"0.000020\",\"balance_after\":\"0.000050\",\"version\":9}"));
    cr_assert(has(&told, 3, "\"seq\":2,\"effects\":[{\"user\":5,\"asset\":\"JPY\",\"before\":\"0\",\"delta\":\"1\""));
    told_free(&told);
}

/* ---- Options and failures ---------------------------------------------------------------------------------------- */

Test(lines, a_sample_of_more_than_all_is_refused)
{
    struct lines *lines = NULL;
    const struct lines_options options = {LINE_SETTLE, LINES_SAMPLE_ALL + 1, 0};
    EXPECT_STATUS(lines_open(&options, &mem_libc, &lines, &test_error), SETTLE_E_INVALID);
    cr_assert_null(lines);
    lines_close(NULL);
}

Test(lines, from_a_seq_on_there_are_the_lines_of_its_events_alone)
{
    scene_golden(&scene);
    struct told all, some = {0};
    scene_tell(&scene, LINE_SETTLE, &all);
    for (uint64_t from_seq = 0; from_seq <= scene.point.next_seq; from_seq++) {
        struct lines *lines = lines_new((struct lines_options){LINE_SETTLE, LINES_SAMPLE_ALL, from_seq});
        scene_tell_from(&scene, lines, 0, &some);
        size_t index = 0, at = 0, some_at = 0;
        for (size_t i = 0; i < all.count; at += all.lines[i++].bytes) {
            if (all.lines[i].place.seq < from_seq)
                continue;
            cr_assert_lt(index, some.count);
            cr_assert_eq(some.lines[index].bytes, all.lines[i].bytes);
            cr_assert_eq(memcmp(some.text + some_at, all.text + at, all.lines[i].bytes), 0);
            some_at += some.lines[index++].bytes;
        }
        cr_assert_eq(index, some.count);
        lines_close(lines);
        told_free(&some);
    }
    told_free(&all);
}

/* An allocator that fails at the n-th call. */
struct failing {
    size_t left, live;
};

static void *failing_reallocate(void *context, void *memory, size_t bytes)
{
    struct failing *failing = context;
    if (bytes == 0) {
        failing->live--;
        free(memory);
        return NULL;
    }
    if (failing->left == 0)
        return NULL;
    failing->left--;
    failing->live += memory == NULL;
    return realloc(memory, bytes);
}

/* Everything up to the n-th allocation; true when none failed. After a failure the same call works again. */
static bool tell_with_failure(enum line_format format, size_t allocations, struct told *told)
{
    struct failing failing = {allocations, 0};
    const struct mem mem = {failing_reallocate, &failing};
    const struct lines_options options = {format, LINES_SAMPLE_ALL, 0};
    struct lines *lines = NULL;
    settle_status status = lines_open(&options, &mem, &lines, &test_error);
    bool failed = status != SETTLE_OK;
    cr_assert_eq(lines == NULL, failed);
    if (failed) {
        failing.left = SIZE_MAX;
        EXPECT_OK(lines_open(&options, &mem, &lines, &test_error));
    }
    for (size_t i = 0; i < scene.frame_count; i++) {
        status = lines_enter(lines, &scene.before[i], &scene.frames[i], &test_error);
        if (status != SETTLE_OK) {
            cr_assert_eq(status, SETTLE_E_NO_MEMORY);
            cr_assert_not(failed);
            failed = true;
            failing.left = SIZE_MAX;
            EXPECT_OK(lines_enter(lines, &scene.before[i], &scene.frames[i], &test_error));
        }
        told_rest(told, lines);
    }
    lines_close(lines);
    cr_assert_eq(failing.live, 0, "something is not freed");
    return !failed;
}

Test(lines, without_memory_a_frame_is_refused_and_can_come_again)
{
    scene_golden(&scene);
    for (int format = LINE_SETTLE; format <= LINE_OTLP; format++) {
        struct told expected, told = {0};
        scene_tell(&scene, (enum line_format)format, &expected);
        bool all = false;
        size_t allocations = 0;
        for (; !all; allocations++) {
            all = tell_with_failure((enum line_format)format, allocations, &told);
            cr_assert(told.used == expected.used && memcmp(told.text, expected.text, told.used) == 0, "%zu",
                      allocations);
            told_free(&told);
        }
        cr_assert_gt(allocations, 4);
        told_free(&expected);
    }
}

/* ---- Assets that share a place ------------------------------------------------------------------------------------ */

/* Ids with the same remainder share the place that is looked at first; and a symbol may be anything, in the journal's bytes. */
Test(lines, assets_are_told_apart_wherever_their_ids_lie)
{
    static const settle_asset assets[] = {{1, 2, "AAA"}, {33, 3, "BBB"}, {65, 0, "CC\"C\\C\x01\x02\x03"}};
    static const char *const symbols[] = {"\"AAA\"", "\"BBB\"", "\"CC\\\"C\\\\C\\u0001\\u0002\\u0003\""};
    static const char *const amounts[] = {"15000.00", "1500.000", "1500000"};
    for (size_t i = 0; i < 3; i++) {
        const settle_event event = scene_transfer(SETTLE_DEPOSIT, 5, assets[i].id, 1500000, SCENE_TS);
        struct told told = {0};
        char expected[128];
        scene_init(&scene);
        scene_begin(&scene);
        scene_transferred(&scene, &event, 1500000, 1);
        scene_end(&scene);
        struct lines *lines = lines_new(settle_all);
        for (size_t j = 0; j < 3; j++)
            EXPECT_OK(lines_asset_add(lines, &assets[j], &test_error));
        EXPECT_OK(lines_enter(lines, &scene.before[0], &scene.frames[0], &test_error));
        told_rest(&told, lines);
        cr_assert_eq(told.count, 2);
        snprintf(expected, sizeof expected, "\"asset\":%s,\"amount\":\"%s\"", symbols[i], amounts[i]);
        cr_assert(has(&told, 0, expected) && has(&told, 1, expected), "%s\n%s", expected, told.text);
        told_free(&told);
        lines_close(lines);
    }
}
