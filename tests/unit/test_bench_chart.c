/* test_bench_chart.c — the chart is well-formed XML with one bar a value, whatever the texts hold. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tools/bench/chart.h"

SETTLE_SUITE(bench_chart);

static struct {
    char bytes[65536];
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

static const char *print(const char *title, const char *subtitle, const struct chart_bar *bars, size_t count)
{
    static struct out out;
    kept.count = 0;
    out_init(&out, keep, NULL);
    chart_print(&out, title, subtitle, bars, count);
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

/* Every element that is opened is closed in its turn, and no "&" stands alone. The style sheet has no "<". */
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
    cr_assert_eq(times(xml, "<svg "), 1);
    cr_assert_eq(times(xml, "\"") % 2, 0);
}

static const struct chart_bar bars[] = {{"raw", "18 M/s", 18e6}, {"one", "8 K/s", 8e3}, {"most", "2.5 M/s", 2.5e6}};

Test(bench_chart, each_value_has_its_bar_label_and_note)
{
    const char *xml = print("title", "subtitle", bars, 3);
    expect_well_formed(xml);
    cr_expect_eq(times(xml, "class=\"bar\""), 3);
    cr_expect_eq(times(xml, "class=\"label\""), 3);
    cr_expect_not_null(strstr(xml, ">2.5 M/s</text>"));
    cr_expect_not_null(strstr(xml, "prefers-color-scheme: dark"));
    cr_expect_not_null(strstr(xml, ">1 K</text>"));
    cr_expect_not_null(strstr(xml, ">100 M</text>"));
}

/* The width of the bar of a value, of two decades: 1 K to 100 K. */
static double width_of(double value)
{
    const struct chart_bar three[] = {{"low", "", 1000}, {"high", "", 100000}, {"value", "", value}};
    const char *at = print("t", "s", three, 3);
    for (int i = 0; i < 3; i++)
        at = strstr(at + 1, "class=\"bar\"");
    return strtod(strstr(at, " width=\"") + 8, NULL);
}

Test(bench_chart, a_bar_is_as_long_as_the_logarithm_of_its_value)
{
    double whole = width_of(100000);
    cr_expect_gt(whole, 100);
    cr_expect_float_eq(width_of(10000), whole / 2, 0.2);
    cr_expect_float_eq(width_of(31622.7766), whole * 3 / 4, 0.2);
    cr_expect_float_eq(width_of(1000), 1, 0.01, "the least is still seen");
}

Test(bench_chart, texts_are_escaped)
{
    const struct chart_bar bar = {"<b> & \"c\"", "it's\n", 5};
    const char *xml = print("a<b", "x & y > z", &bar, 1);
    expect_well_formed(xml);
    cr_expect_not_null(strstr(xml, "&lt;b&gt; &amp; &quot;c&quot;"));
    cr_expect_not_null(strstr(xml, "it&apos;s?"));
    cr_expect_not_null(strstr(xml, "x &amp; y &gt; z"));
}

Test(bench_chart, no_values_and_equal_values_are_charts_too)
{
    const struct chart_bar equal[] = {{"a", "", 1000}, {"b", "", 1000}};
    expect_well_formed(print("t", "s", NULL, 0));
    expect_well_formed(print("t", "s", equal, 2));
    cr_expect_eq(times(kept.bytes, "nan"), 0);
    cr_expect_eq(times(kept.bytes, "inf"), 0);
}
