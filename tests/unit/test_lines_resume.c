/*
 * test_lines_resume.c — going on: from every place of a journal the rest comes out, whole and once; from the point that
 * lines_restart() tells, with the assets that lines_assets() tells. And sampling: lives whole or not at all.
 */
#include "tests/unit/lines_scene.h"

#include "tests/lib/journal_builder.h"

SETTLE_SUITE(lines_resume);

#define SEED stream_seed(777)

static struct scene scene;

static struct lines_options all_of(enum line_format format)
{
    return (struct lines_options){format, LINES_SAMPLE_ALL, 0};
}

static bool points_equal(const struct journal_point *a, const struct journal_point *b)
{
    return a->position == b->position && a->next_seq == b->next_seq && a->persisted_seq == b->persisted_seq &&
           a->time_us == b->time_us && a->frame_position == b->frame_position && a->chain == b->chain;
}

/* ---- A random journal, all its frames at hand -------------------------------------------------------------------- */

#define JOURNAL_FRAMES_MAX 256
struct journal {
    struct journal_builder builder;
    struct frame frames[JOURNAL_FRAMES_MAX];
    struct journal_point before[JOURNAL_FRAMES_MAX + 1];
    size_t frame_count;
};
static struct journal journal;

static void journal_begin(uint64_t seed, int frames)
{
    struct journal *j = &journal;
    struct journal_reader *reader;
    builder_use_memory();
    builder_init(&j->builder, (uint64_t)1 << 20, seed);
    for (int i = 0; i < frames; i++)
        builder_random(&j->builder);
    builder_close(&j->builder);
    EXPECT_OK(journal_reader_open(j->builder.data_fd, &mem_libc, &reader, &test_error));
    j->frame_count = 0;
    journal_reader_begin(reader, &j->before[0]);
    struct journal_point point = j->before[0];
    struct frame frame;
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK) {
        uint8_t *bytes = malloc(frame.length_bytes);
        cr_assert(bytes != NULL && j->frame_count < JOURNAL_FRAMES_MAX);
        memcpy(bytes, frame.bytes, frame.length_bytes);
        frame.bytes = bytes;
        j->frames[j->frame_count++] = frame;
        j->before[j->frame_count] = point;
    }
    journal_reader_close(reader);
}

static void journal_end(void)
{
    for (size_t i = 0; i < journal.frame_count; i++)
        free((void *)(uintptr_t)journal.frames[i].bytes);
    builder_deinit(&journal.builder);
}

static void enter(struct lines *lines, size_t index)
{
    /* A copy, so that what is kept of a frame beyond its end shows. */
    static uint8_t bytes[(size_t)1 << 20];
    struct frame frame = journal.frames[index];
    memcpy(bytes, frame.bytes, frame.length_bytes);
    memset(bytes + frame.length_bytes, 0xff, 64);
    frame.bytes = bytes;
    EXPECT_OK(lines_enter(lines, &journal.before[index], &frame, &test_error));
}

static void tell_all(struct lines *lines, struct told *told)
{
    for (size_t i = 0; i < journal.frame_count; i++) {
        enter(lines, i);
        told_rest(told, lines);
    }
}

static size_t frame_at(const struct journal_point *point)
{
    size_t index = 0;
    while (index < journal.frame_count && journal.before[index].position != point->position)
        index++;
    cr_assert(points_equal(&journal.before[index], point), "the point is one between two frames");
    return index;
}

static size_t offset_of(const struct told *told, size_t line)
{
    size_t at = 0;
    for (size_t i = 0; i < line; i++)
        at += told->lines[i].bytes;
    return at;
}

/* Whether `rest` are the lines of `all` from `line` on. */
static void expect_rest(const struct told *all, size_t line, const struct told *rest)
{
    size_t at = offset_of(all, line);
    cr_assert_eq(rest->count, all->count - line, "%zu lines, expected %zu", rest->count, all->count - line);
    cr_assert(rest->used == all->used - at && (rest->used == 0 || memcmp(rest->text, all->text + at, rest->used) == 0));
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

/* What a follower keeps: all of it taken between two frames. */
struct position {
    struct journal_point restart;
    settle_asset assets[STREAM_ASSET_COUNT];
    size_t asset_count;
};

static void position_take(const struct lines *lines, const struct journal_point *after, struct position *ret_position)
{
    const settle_asset *assets = lines_assets(lines, &ret_position->asset_count);
    cr_assert_leq(ret_position->asset_count, STREAM_ASSET_COUNT);
    if (ret_position->asset_count > 0)
        memcpy(ret_position->assets, assets, ret_position->asset_count * sizeof *assets);
    ret_position->restart = lines_restart(lines, after);
}

/* Another one goes on from the position behind `place`. */
static void go_on(enum line_format format, const struct position *position, struct line_place place, struct told *told)
{
    struct lines *lines = lines_new(all_of(format));
    for (size_t i = 0; i < position->asset_count; i++)
        EXPECT_OK(lines_asset_add(lines, &position->assets[i], &test_error));
    lines_pass(lines, place);
    cr_assert_eq(lines_is_passing(lines), place.seq != 0);
    for (size_t i = frame_at(&position->restart); i < journal.frame_count; i++) {
        enter(lines, i);
        told_rest(told, lines);
    }
    cr_assert_not(lines_is_passing(lines), "the place has come");
    lines_close(lines);
}

/* After every frame: the position goes on behind every line that comes after it, and behind the last one before it. */
static void go_on_everywhere(enum line_format format, uint64_t seed)
{
    struct told all = {0}, rest = {0};
    journal_begin(seed, 25);
    struct lines *lines = lines_new(all_of(format));
    tell_all(lines, &all);
    lines_close(lines);

    size_t lines_before = 0;
    lines = lines_new(all_of(format));
    for (size_t i = 0; i < journal.frame_count; i++) {
        struct position position;
        enter(lines, i);
        told_rest(&rest, lines);
        lines_before += rest.count;
        told_free(&rest);
        position_take(lines, &journal.before[i + 1], &position);
        const bool is_after = position.restart.position == journal.before[i + 1].position;
        go_on(format, &position, is_after ? (struct line_place){0} : lines_place(lines), &rest);
        expect_rest(&all, lines_before, &rest);
        told_free(&rest);
        for (size_t line = lines_before; line < all.count; line += 1 + line % 7) {
            go_on(format, &position, all.lines[line].place, &rest);
            expect_rest(&all, line + 1, &rest);
            told_free(&rest);
        }
    }
    cr_assert_eq(lines_before, all.count);
    lines_close(lines);
    told_free(&all);
    journal_end();
}

Test(lines_resume, the_rest_comes_from_every_place_settle)
{
    for (uint64_t i = 0; i < 3; i++)
        go_on_everywhere(LINE_SETTLE, SEED + i);
}

Test(lines_resume, the_rest_comes_from_every_place_ecs)
{
    go_on_everywhere(LINE_ECS, SEED);
}

Test(lines_resume, the_rest_comes_from_every_place_otlp)
{
    go_on_everywhere(LINE_OTLP, SEED);
}

/* A place is a step of the journal, whatever format made a line of it: OTLP has one for PERSISTED alone. */
Test(lines_resume, every_step_is_a_place_in_every_format)
{
    scene_golden(&scene);
    struct told steps;
    scene_tell(&scene, LINE_SETTLE, &steps);
    for (int format = LINE_SETTLE; format <= LINE_OTLP; format++) {
        struct told all, rest = {0};
        scene_tell(&scene, (enum line_format)format, &all);
        for (size_t i = 0; i < steps.count; i++) {
            struct lines *lines = lines_new(all_of((enum line_format)format));
            lines_pass(lines, steps.lines[i].place);
            scene_tell_from(&scene, lines, 0, &rest);
            size_t passed = 0;
            for (size_t k = 0; k <= i; k++)
                passed += format != LINE_OTLP || steps.lines[k].place.step == LINE_PERSISTED;
            expect_rest(&all, passed, &rest);
            lines_close(lines);
            told_free(&rest);
        }
        told_free(&all);
    }
    told_free(&steps);
}

/* The decision's line repeats what came in, even where the line of CONSUMED was passed over behind others. */
Test(lines_resume, passing_can_begin_again_later)
{
    struct told all, rest = {0};
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &all);
    size_t first = 0;
    while (all.lines[first].place.step != LINE_PERSISTED)
        first++; /* the lines of frame 0 */
    for (size_t i = first; i < all.count; i++) {
        struct lines *lines = lines_new(all_of(LINE_SETTLE));
        EXPECT_OK(lines_enter(lines, &scene.before[0], &scene.frames[0], &test_error));
        told_rest(&rest, lines);
        cr_assert_eq(rest.count, first);
        told_free(&rest);
        lines_pass(lines, all.lines[i].place);
        scene_tell_from(&scene, lines, 1, &rest);
        expect_rest(&all, i + 1, &rest);
        told_free(&rest);
        lines_close(lines);
    }
    told_free(&all);
}

Test(lines_resume, a_place_that_never_comes_lets_nothing_through)
{
    struct told told = {0};
    scene_golden(&scene);
    struct lines *lines = lines_new(all_of(LINE_SETTLE));
    lines_pass(lines, (struct line_place){9999, LINE_CONSUMED});
    scene_tell_from(&scene, lines, 0, &told);
    cr_assert_eq(told.count, 0);
    cr_assert(lines_is_passing(lines));
    cr_assert_eq(lines_place(lines).seq, scene.point.next_seq - 1);
    cr_assert_eq(lines_place(lines).step, LINE_PERSISTED);
    lines_pass(lines, (struct line_place){0});
    cr_assert_not(lines_is_passing(lines));
    lines_close(lines);
}

Test(lines_resume, the_restart_is_the_frame_of_the_oldest_event_that_waits)
{
    scene_golden(
        &scene); /* frames: 1 event; PERSISTED 1, 5 events; 9 and PERSISTED 2-3; PERSISTED all, 3; 3; PERSISTED */
    const size_t expected[] = {0, 1, 1, 3, 3, 6};
    struct told told = {0};
    struct lines *lines = lines_new(all_of(LINE_SETTLE));
    cr_assert_eq(scene.frame_count, 6);
    cr_assert_eq(lines_restart(lines, &scene.before[0]).position, scene.before[0].position);
    for (size_t i = 0; i < scene.frame_count; i++) {
        const struct journal_point *after = i + 1 < scene.frame_count ? &scene.before[i + 1] : &scene.point;
        const struct journal_point *point = expected[i] < 6 ? &scene.before[expected[i]] : &scene.point;
        EXPECT_OK(lines_enter(lines, &scene.before[i], &scene.frames[i], &test_error));
        told_rest(&told, lines);
        struct journal_point restart = lines_restart(lines, after);
        cr_assert(points_equal(&restart, point), "frame %zu", i);
    }
    lines_close(lines);
    told_free(&told);
}

/* Assets that are declared where an event still waits: who begins again there meets them again. */
Test(lines_resume, the_assets_are_those_before_the_restart)
{
    struct told told = {0};
    size_t count;
    scene_golden(&scene);
    struct lines *lines = lines_new(all_of(LINE_SETTLE));
    const size_t expected[] = {0, 2, 2, 3, 3, 4}; /* wei comes in frame 1, jpy in frame 3 */
    for (size_t i = 0; i < scene.frame_count; i++) {
        EXPECT_OK(lines_enter(lines, &scene.before[i], &scene.frames[i], &test_error));
        told_rest(&told, lines);
        (void)lines_assets(lines, &count);
        cr_assert_eq(count, expected[i], "frame %zu: %zu", i, count);
    }
    lines_close(lines);
    told_free(&told);
}

Test(lines_resume, events_from_before_the_first_frame_have_no_persisted_lines)
{
    struct told all, told = {0};
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &all);
    for (size_t first = 1; first < scene.frame_count; first++) {
        struct lines *lines = lines_new(all_of(LINE_SETTLE));
        scene_tell_from(&scene, lines, first, &told);
        const uint64_t first_seq = scene.before[first].next_seq;
        size_t expected = 0;
        for (size_t i = 0; i < all.count; i++)
            expected += all.lines[i].place.seq >= first_seq;
        cr_assert_eq(told.count, expected, "from frame %zu", first);
        for (size_t i = 0; i < told.count; i++)
            cr_assert_geq(told.lines[i].place.seq, first_seq);
        lines_close(lines);
        told_free(&told);
    }
    told_free(&all);
}

/* ---- Sampling ---------------------------------------------------------------------------------------------------- */

static bool is_warning(const struct built_event *event)
{
    return event->result.outcome == SETTLE_REJECTED || event->result.outcome == SETTLE_CONFLICT;
}

/* The first of the ids' hash decides, in whole numbers: by hand. */
static bool is_sampled(const struct built_event *event, uint32_t per_million)
{
    struct trace_id trace;
    trace_id_of((settle_text){event->id, strlen(event->id)}, &trace);
    return (settle_uint128)trace.sample * 1000000 < (settle_uint128)per_million << 64;
}

static void expect_sampled(uint32_t per_million, const struct told *all, size_t *ret_whole)
{
    struct told some = {0};
    struct lines *lines = lines_new((struct lines_options){LINE_SETTLE, per_million, 0});
    tell_all(lines, &some);
    size_t index = 0, at = 0, some_at = 0;
    for (size_t i = 0; i < all->count; at += all->lines[i++].bytes) {
        const struct line *line = &all->lines[i];
        const struct built_event *event = &journal.builder.events[line->place.seq - 1];
        if (!is_warning(event) && !is_sampled(event, per_million))
            continue;
        cr_assert_lt(index, some.count, "a line is missing");
        cr_assert_eq(some.lines[index].place.seq, line->place.seq);
        cr_assert_eq(some.lines[index].place.step, line->place.step);
        cr_assert_eq(some.lines[index].bytes, line->bytes);
        cr_assert_eq(memcmp(some.text + some_at, all->text + at, line->bytes), 0);
        some_at += some.lines[index++].bytes;
    }
    cr_assert_eq(index, some.count, "a line too many");
    cr_assert_eq(lines_place(lines).seq, all->lines[all->count - 1].place.seq,
                 "the last place is told, sampled or not");
    *ret_whole = some.count;
    lines_close(lines);
    told_free(&some);
}

Test(lines_resume, sampling_leaves_whole_lives_and_every_rejection_and_conflict)
{
    struct told all = {0};
    journal_begin(SEED, 120);
    struct lines *lines = lines_new(all_of(LINE_SETTLE));
    tell_all(lines, &all);
    lines_close(lines);
    const uint32_t samples[] = {0, 1, 10000, 250000, 500000, 999999, LINES_SAMPLE_ALL};
    size_t before = 0;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        size_t count;
        expect_sampled(samples[i], &all, &count);
        cr_assert_geq(count, before, "a greater sample has the lines of a smaller one");
        before = count;
    }
    cr_assert_eq(before, all.count);
    size_t none;
    expect_sampled(0, &all, &none);
    size_t warned = 0;
    for (size_t i = 0; i < all.count; i++)
        warned += is_warning(&journal.builder.events[all.lines[i].place.seq - 1]);
    cr_assert(none == warned && none > 0 && none < all.count);
    told_free(&all);
    journal_end();
}

/* At an event's own share it is out, one more and it is in. */
Test(lines_resume, the_share_is_compared_exactly)
{
    struct told all = {0};
    journal_begin(SEED, 40);
    struct lines *lines = lines_new(all_of(LINE_SETTLE));
    tell_all(lines, &all);
    lines_close(lines);
    for (size_t i = 0; i < journal.builder.event_count; i += 5) {
        const char *id = journal.builder.events[i].id;
        struct trace_id trace;
        size_t out, in;
        trace_id_of((settle_text){id, strlen(id)}, &trace);
        uint32_t share = (uint32_t)((settle_uint128)trace.sample * 1000000u >> 64);
        expect_sampled(share, &all, &out);
        expect_sampled(share + 1, &all, &in);
        cr_assert(in > out || is_warning(&journal.builder.events[i]));
    }
    told_free(&all);
    journal_end();
}

Test(lines_resume, a_sample_has_its_share)
{
    scene_init(&scene);
    size_t events = 0, told_events = 0;
    struct lines *lines = lines_new((struct lines_options){LINE_SETTLE, 300000, 0});
    struct told told = {0};
    for (uint64_t round = 0; round < 40; round++) {
        scene.frame_count = 0;
        scene_begin(&scene);
        for (uint64_t i = 0; i < 50; i++, events++) {
            settle_event event = scene_transfer(SETTLE_DEPOSIT, 1 + round, 2, 5, SCENE_TS + i);
            scene_transferred(&scene, &event, 5, 1);
        }
        scene_end(&scene);
        scene_tell_from(&scene, lines, 0, &told);
    }
    for (size_t i = 0; i < told.count; i++)
        told_events += told.lines[i].place.step == LINE_CONSUMED;
    cr_assert_eq(told.count, 2 * told_events);
    /* 2000 events: 600 expected, six standard deviations are 123 */
    cr_assert(told_events > 477 && told_events < 723, "%zu of %zu", told_events, events);
    lines_close(lines);
    told_free(&told);
}
