/* test_plot.c — what a drawing shows of a balance: axes that hold it, columns that lose no peak, characters and SVG. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tools/plot.h"

SETTLE_SUITE(plot);

#define MOST ((settle_int128)(((settle_uint128)1 << 127) - 1))

static struct {
    char bytes[262144];
    size_t count;
} kept;

static bool keep(void *context, const char *bytes, size_t count)
{
    (void)context;
    cr_assert_lt(kept.count + count, sizeof kept.bytes);
    memcpy(kept.bytes + kept.count, bytes, count);
    kept.count += count;
    kept.bytes[kept.count] = '\0';
    return true;
}

static struct plot plot_of(const struct plot_point *points, size_t count, settle_int128 before)
{
    return (struct plot){.title = "title",
                         .subtitle = "subtitle",
                         .note = "note",
                         .points = points,
                         .count = count,
                         .before = before,
                         .scale = 2};
}

static const char *text_of(const struct plot *plot, struct plot_screen screen)
{
    static struct out out;
    kept.count = 0;
    out_init(&out, keep, NULL);
    EXPECT_OK(plot_print_text(&out, plot, &screen));
    cr_assert(out_flush(&out));
    return kept.bytes;
}

static const char *svg_of(const struct plot *plot)
{
    static struct out out;
    kept.count = 0;
    out_init(&out, keep, NULL);
    EXPECT_OK(plot_print_svg(&out, plot));
    cr_assert(out_flush(&out));
    return kept.bytes;
}

static size_t times(const char *text, const char *words)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

/* ---- Amounts ---- */

static void expect_amounts(settle_int128 before, settle_int128 balance, unsigned ticks_max)
{
    const struct plot_point point = {5, balance};
    struct plot plot = plot_of(&point, 1, before);
    struct plot_amounts a;
    plot_amounts(&plot, ticks_max, &a);
    settle_int128 low = before < balance ? before : balance, high = before < balance ? balance : before;
    cr_assert(a.low <= low && a.high >= high && a.low < a.high, "the axis holds the balances");
    cr_assert(a.low >= -MOST && a.high <= MOST, "its ends are amounts");
    settle_int128 lead = a.step;
    while (lead % 10 == 0)
        lead /= 10;
    cr_assert(lead == 1 || lead == 2 || lead == 5, "a step is round");
    cr_assert_geq(a.tick_count, 1);
    cr_assert_leq(a.tick_count, ticks_max);
    for (unsigned i = 0; i < a.tick_count; i++) {
        settle_int128 tick = plot_amounts_tick(&a, i);
        cr_assert(tick % a.step == 0 && tick >= a.low && tick <= a.high);
        cr_assert(i == 0 || tick - a.step == plot_amounts_tick(&a, i - 1));
    }
    cr_assert_eq(plot_amounts_pixel(&a, a.low, 300), 0);
    cr_assert_eq(plot_amounts_pixel(&a, a.high, 300), 300);
}

Test(plot, the_axis_of_amounts_holds_every_balance_in_round_steps)
{
    static const int64_t values[] = {0, 1, -1, 2, 9, 10, 99, -100, 1000500000, 990500001, -7, 123456789012345678};
    size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            for (unsigned ticks_max = 3; ticks_max < 12; ticks_max++)
                expect_amounts(values[i], values[k], ticks_max);
}

Test(plot, the_axis_of_amounts_holds_the_ends_of_128_bits)
{
    const settle_int128 values[] = {MOST, -MOST, MOST - 1, -MOST + 1, 0, MOST / 2, -MOST / 3};
    size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            for (unsigned ticks_max = 5; ticks_max < 12; ticks_max++)
                expect_amounts(values[i], values[k], ticks_max);
}

Test(plot, amounts_become_pixels_by_their_exact_share)
{
    const struct plot_point points[] = {{1, 1000}, {2, 250}};
    struct plot plot = plot_of(points, 2, 0);
    struct plot_amounts a;
    plot_amounts(&plot, 5, &a);
    cr_assert(a.low == 0 && a.high == 1000 && a.step == 500, "0 to 1000 in steps of 500");
    cr_assert_eq(plot_amounts_pixel(&a, 250, 1000), 250);
    cr_assert_eq(plot_amounts_pixel(&a, 333, 100), 33);
    cr_assert_eq(plot_amounts_pixel(&a, 337, 100), 34);
}

/* ---- Along the bottom ---- */

static size_t ticks_of(uint64_t first, uint64_t last, size_t ticks_max, struct plot_tick ret_ticks[PLOT_TICKS_MAX])
{
    const struct plot_point points[] = {{first, 1}, {last, 2}};
    struct plot plot = plot_of(points, 2, 0);
    size_t count = plot_x_ticks(&plot, ticks_max, ret_ticks);
    cr_assert_leq(count, ticks_max);
    for (size_t i = 0; i < count; i++) {
        cr_assert(ret_ticks[i].x >= first && ret_ticks[i].x <= plot_x_end(&plot), "in the drawing");
        cr_assert(i == 0 || ret_ticks[i].x > ret_ticks[i - 1].x, "in order");
        cr_assert_lt(strlen(ret_ticks[i].label), PLOT_LABEL_BYTES);
    }
    return count;
}

static void expect_labels(uint64_t first, uint64_t last, const char *labels)
{
    struct plot_tick ticks[PLOT_TICKS_MAX];
    char joined[PLOT_TICKS_MAX * PLOT_LABEL_BYTES] = "";
    size_t count = ticks_of(first, last, 5, ticks);
    for (size_t i = 0; i < count; i++) {
        strcat(joined, i > 0 ? " " : "");
        strcat(joined, ticks[i].label);
    }
    cr_expect_str_eq(joined, labels);
}

#define TUESDAY_MS UINT64_C(1733788800000) /* 2024-12-10T00:00:00Z */

Test(plot, ticks_stand_at_places_of_the_clock_and_the_calendar)
{
    expect_labels(TUESDAY_MS + 1, TUESDAY_MS + 9, "00:00:00.002 00:00:00.004 00:00:00.006 00:00:00.008 00:00:00.010");
    expect_labels(TUESDAY_MS + 500, TUESDAY_MS + 8500, "00:00:02 00:00:04 00:00:06 00:00:08");
    expect_labels(TUESDAY_MS - 3600000, TUESDAY_MS + 3600000, "23:00 23:30 2024-12-10 00:30 01:00");
    expect_labels(TUESDAY_MS, TUESDAY_MS + 20 * UINT64_C(86400000), "2024-12-16 2024-12-23 2024-12-30");
    expect_labels(TUESDAY_MS, TUESDAY_MS + 120 * UINT64_C(86400000), "2025-01 2025-02 2025-03 2025-04");
    expect_labels(0, UINT64_C(1733788800000), "1980 2000 2020");
}

Test(plot, ticks_of_any_span_are_in_order_and_few)
{
    struct plot_tick ticks[PLOT_TICKS_MAX];
    for (uint64_t first = 0; first < UINT64_C(1) << 53; first = first * 7 + 13)
        for (uint64_t span = 0; span < UINT64_C(1) << 53; span = span * 3 + 1)
            for (size_t max = 1; max < 12; max += 5)
                ticks_of(first, first + span, max, ticks);
}

Test(plot, times_beyond_the_calendar_are_numbers)
{
    expect_labels(0, UINT64_C(1) << 53, "0 2000000000000000 4000000000000000 6000000000000000 8000000000000000");
}

Test(plot, the_last_point_is_not_at_the_very_end)
{
    const struct plot_point points[] = {{100, 1}, {500, 2}};
    struct plot plot = plot_of(points, 2, 0);
    cr_assert_eq(plot_x_end(&plot), 510);
    cr_assert_eq(plot_x_pixel(&plot, 100, 410), 0);
    cr_assert_eq(plot_x_pixel(&plot, 500, 410), 400);
    plot.count = 1;
    cr_assert_eq(plot_x_end(&plot), 101);
}

/* ---- Columns ---- */

/* The same by looking at every point for every column. */
static struct plot_column naive_column(const struct plot *plot, uint32_t count, uint32_t c)
{
    settle_int128 begin = plot->before;
    struct plot_column column = {.has_change = false};
    for (size_t i = 0; i < plot->count; i++)
        if (plot_x_pixel(plot, plot->points[i].x, count - 1) < c)
            begin = plot->points[i].balance;
    column.low = column.high = column.last = begin;
    for (size_t i = 0; i < plot->count; i++) {
        if (plot_x_pixel(plot, plot->points[i].x, count - 1) != c)
            continue;
        column.last = plot->points[i].balance;
        column.low = column.last < column.low ? column.last : column.low;
        column.high = column.last > column.high ? column.last : column.high;
        column.has_change = true;
    }
    return column;
}

Test(plot, columns_keep_lowest_highest_and_last_of_thousands_of_points)
{
    static struct plot_point points[5000];
    struct plot_column columns[160];
    uint64_t random = 42, x = 1000;
    for (size_t i = 0; i < 5000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        x += (random >> 60) * (random >> 60);
        points[i] = (struct plot_point){x, (settle_int128)(random >> 33) - (1 << 30)};
    }
    points[2500].balance = (settle_int128)1 << 100; /* the peak, of one point */
    struct plot plot = plot_of(points, 5000, 77);
    static const size_t counts[] = {2, 3, 17, 160};
    for (size_t n = 0; n < 4; n++) {
        bool has_peak = false;
        plot_columns(&plot, counts[n], columns);
        for (uint32_t c = 0; c < counts[n]; c++) {
            struct plot_column naive = naive_column(&plot, (uint32_t)counts[n], c);
            cr_assert(columns[c].low == naive.low && columns[c].high == naive.high && columns[c].last == naive.last &&
                          columns[c].has_change == naive.has_change,
                      "column %u of %zu", c, counts[n]);
            has_peak |= columns[c].high == (settle_int128)1 << 100;
        }
        cr_assert(has_peak);
        cr_assert(columns[counts[n] - 1].last == points[4999].balance);
    }
}

/* ---- In a terminal ---- */

static const struct plot_point steps[] = {{1000, 1000}, {1010, 3000}, {1020, 2000}};

Test(plot, ascii_is_exactly_this)
{
    struct plot plot = plot_of(steps, 3, 0);
    plot.x = PLOT_NUMBER;
    cr_assert_str_eq(text_of(&plot, (struct plot_screen){28, 7, false, false}), "title\nsubtitle\nnote\n"
                                                                                "\n"
                                                                                "40.00 +\n"
                                                                                "      |          +--------+\n"
                                                                                "      |          |        |\n"
                                                                                "20.00 +          |        +-\n"
                                                                                "      |+---------+\n"
                                                                                "      ||\n"
                                                                                " 0.00 ++\n"
                                                                                "      ++---------+--------+-\n"
                                                                                "     1000      1010     1020\n");
}

Test(plot, braille_has_the_dots_of_the_line_and_nothing_else)
{
    const struct plot_point one = {5, 400};
    struct plot plot = plot_of(&one, 1, 0);
    const char *text = text_of(&plot, (struct plot_screen){24, 4, true, false});
    /* Up in the first column of dots, then along the uppermost ones. */
    cr_expect_not_null(strstr(text, "4.00 \u2524\u284f\u2809\u2809\u2809"), "%s", text);
    cr_expect_not_null(strstr(text, "\u2502\u2847\n"), "%s", text);
    cr_expect_not_null(strstr(text, "0.00 \u2524\u2847\n"), "%s", text);
    cr_expect_not_null(strstr(text, "\u2514\u252c"), "%s", text);
}

Test(plot, colours_come_only_where_they_are_wanted_and_are_taken_back)
{
    struct plot plot = plot_of(steps, 3, 0);
    cr_expect_eq(times(text_of(&plot, (struct plot_screen){60, 7, true, false}), "\033"), 0);
    const char *text = text_of(&plot, (struct plot_screen){60, 7, true, true});
    cr_expect_gt(times(text, "\033[36m"), 0);
    cr_expect_eq(times(text, "\033[36m"), times(text, "\033[0m"));
}

/* Characters, not bytes: those that go on in UTF-8 do not count. */
static size_t widest_line(const char *text)
{
    size_t widest = 0, width = 0;
    for (; *text != '\0'; text++) {
        width = *text == '\n' ? 0 : width + (((unsigned char)*text & 0xc0) != 0x80);
        widest = width > widest ? width : widest;
    }
    return widest;
}

Test(plot, no_line_is_wider_than_the_screen_and_a_narrow_one_still_shows_the_line)
{
    struct plot plot = plot_of(steps, 3, 0);
    for (uint32_t columns = 30; columns < 300; columns++)
        for (int is_utf8 = 0; is_utf8 < 2; is_utf8++)
            for (uint32_t rows = 6; rows < 20; rows += 5)
                cr_assert_leq(widest_line(text_of(&plot, (struct plot_screen){columns, rows, is_utf8, false})), columns,
                              "%u columns", columns);
    const struct plot_point far = {5, MOST};
    struct plot wide = plot_of(&far, 1, -MOST);
    cr_assert_gt(widest_line(text_of(&wide, (struct plot_screen){20, 6, false, false})), 40 + 16);
}

/* ---- SVG ---- */

/* Every element that is opened is closed in its turn. The style sheet has no "<". */
static void expect_well_formed(const char *xml)
{
    char open[16][16];
    size_t depth = 0;
    for (const char *at = xml; *at != '\0'; at++) {
        if (*at == '&')
            cr_assert(strchr(at, ';') != NULL && strchr(at, ';') - at <= 5, "a lone &: %.20s", at);
        if (*at != '<')
            continue;
        const char *end = strchr(at, '>');
        cr_assert_not_null(end);
        size_t name_bytes = strcspn(at + 1 + (at[1] == '/'), " />");
        cr_assert(name_bytes > 0 && name_bytes < sizeof open[0], "%.20s", at);
        if (at[1] == '/') {
            cr_assert_gt(depth, 0);
            depth--;
            cr_assert(strlen(open[depth]) == name_bytes && strncmp(open[depth], at + 2, name_bytes) == 0, "%.20s", at);
        } else if (end[-1] != '/') {
            cr_assert_lt(depth, 16);
            memcpy(open[depth], at + 1, name_bytes);
            open[depth++][name_bytes] = '\0';
        }
        at = end;
    }
    cr_assert_eq(depth, 0);
}

Test(plot, svg_is_one_step_line_on_a_grid_for_light_and_dark)
{
    struct plot plot = plot_of(steps, 3, 0);
    plot.title = "user <1> & \"USDT\"";
    const char *xml = svg_of(&plot);
    expect_well_formed(xml);
    cr_expect_eq(times(xml, "<path class=\"line\""), 1);
    cr_expect_eq(times(xml, "class=\"zero\""), 1);
    cr_expect_geq(times(xml, "class=\"grid\""), 4);
    cr_expect_not_null(strstr(xml, ">30.00</text>"));
    cr_expect_not_null(strstr(xml, "user &lt;1&gt; &amp; &quot;USDT&quot;"));
    cr_expect_not_null(strstr(xml, "prefers-color-scheme: dark"));
    cr_expect_not_null(strstr(xml, ">note</text>"));
    cr_expect_eq(times(xml, "http"), 1, "nothing but the name of SVG itself");
}

/* The ordinates of the path, in tenths of a pixel. */
static size_t path_heights(const char *xml, unsigned ret_heights[64])
{
    size_t count = 0;
    const char *at = strstr(xml, " d=\"M");
    const char *end = strstr(at, "\"/>");
    for (at = strchr(at, 'V'); at != NULL && at < end; at = strchr(at + 1, 'V')) {
        cr_assert_lt(count, 64);
        char *tenth = NULL;
        ret_heights[count] = (unsigned)strtoul(at + 1, &tenth, 10) * 10;
        ret_heights[count++] += (unsigned)strtoul(tenth + 1, NULL, 10);
    }
    return count;
}

Test(plot, the_line_goes_through_every_balance_at_its_height)
{
    struct plot plot = plot_of(steps, 3, 0);
    unsigned heights[64];
    const char *xml = svg_of(&plot);
    cr_assert_eq(path_heights(xml, heights), 3);
    /* 10, 30 and 20 of 30: with the axis from 0 to 30 each is its share of the height. */
    cr_expect_eq(heights[0] - heights[1], 2 * (heights[2] - heights[1]));
    cr_expect_gt(heights[0], heights[2]);
}

Test(plot, many_points_in_a_column_are_one_stroke_over_all_of_them)
{
    static struct plot_point points[20001];
    unsigned heights[64];
    for (size_t i = 0; i < 20000; i++)
        points[i] = (struct plot_point){1000 + i / 19990, i == 10000 ? 9000 : i == 10001 ? 0 : 500};
    points[20000] = (struct plot_point){500000000, 500};
    struct plot plot = plot_of(points, 20001, 500);
    size_t count = path_heights(svg_of(&plot), heights);
    cr_assert_eq(count, 3, "down to the lowest, up to the highest, back to the last");
    cr_expect_gt(heights[0], heights[2]);
    cr_expect_lt(heights[1], heights[2]);
    cr_assert_lt(kept.count, 5000);
}
