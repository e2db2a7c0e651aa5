/*
 * plot.c — see plot.h. Pure; owns nothing.
 *
 * Balances may lie anywhere in ±(2^127 − 1), so that their distance takes 128 bits without a sign: distances are
 * settle_uint128, and ticks are checked for overflow instead of being rounded beyond the range.
 */
#define _GNU_SOURCE /* timegm */
#include "tools/plot.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define AMOUNT_MAX ((settle_int128)(((settle_uint128)1 << 127) - 1))

/* part × pixels / whole, rounded; part <= whole. */
static uint32_t scale_to(settle_uint128 part, settle_uint128 whole, uint32_t pixels)
{
    assert(whole > 0 && part <= whole);
    for (; whole >> 95 != 0; whole >>= 1)
        part >>= 1;
    return (uint32_t)((part * pixels + whole / 2) / whole);
}

/* ---- Amounts ---- */

static settle_uint128 distance(settle_int128 low, settle_int128 high)
{
    assert(low <= high);
    return (settle_uint128)high - (settle_uint128)low;
}

/* The next of 1, 2, 5, 10, 20, 50 … and false where 127 bits end. */
static bool step_up(settle_int128 *step)
{
    settle_int128 lead = *step, next = 0;
    while (lead >= 10)
        lead /= 10;
    bool is_out = lead == 2 ? __builtin_mul_overflow(*step / 2, (settle_int128)5, &next)
                            : __builtin_mul_overflow(*step, (settle_int128)2, &next);
    if (!is_out)
        *step = next;
    return !is_out;
}

/* The nearest multiple of step not above (below) `amount`; where that is no amount, the nearest on the other side. */
static settle_int128 floor_to(settle_int128 amount, settle_int128 step)
{
    settle_int128 inwards = amount - amount % step; /* towards zero */
    if (inwards <= amount || inwards < -AMOUNT_MAX + step)
        return inwards;
    return inwards - step;
}

static settle_int128 ceil_to(settle_int128 amount, settle_int128 step)
{
    return -floor_to(-amount, step);
}

static void range(const struct plot *plot, settle_int128 *ret_low, settle_int128 *ret_high)
{
    settle_int128 low = plot->before, high = plot->before;
    for (size_t i = 0; i < plot->count; i++) {
        settle_int128 balance = plot->points[i].balance;
        low = balance < low ? balance : low;
        high = balance > high ? balance : high;
    }
    if (low == high) { /* a flat line lies in the middle of something */
        high += high < AMOUNT_MAX;
        low -= low > -AMOUNT_MAX;
    }
    *ret_low = low;
    *ret_high = high;
}

void plot_amounts(const struct plot *plot, unsigned ticks_max, struct plot_amounts *ret_amounts)
{
    struct plot_amounts a = {.step = 1};
    settle_int128 last = 0;
    settle_uint128 steps = 0;
    assert(plot->count > 0 && ticks_max >= 3);
    range(plot, &a.low, &a.high);
    do {
        a.first = floor_to(a.low, a.step);
        last = ceil_to(a.high, a.step);
        steps = distance(a.first, last) / (settle_uint128)a.step;
    } while (steps >= ticks_max && step_up(&a.step));
    a.low = a.first < a.low ? a.first : a.low;
    a.high = last > a.high ? last : a.high;
    a.tick_count = (unsigned)steps + 1;
    *ret_amounts = a;
}

settle_int128 plot_amounts_tick(const struct plot_amounts *amounts, unsigned index)
{
    assert(index < amounts->tick_count);
    /* In unsigned arithmetic, for index × step alone may be out of range while the sum is not. */
    return (settle_int128)((settle_uint128)amounts->first + (settle_uint128)amounts->step * index);
}

uint32_t plot_amounts_pixel(const struct plot_amounts *amounts, settle_int128 balance, uint32_t pixels)
{
    return scale_to(distance(amounts->low, balance), distance(amounts->low, amounts->high), pixels);
}

/* ---- x ---- */

static uint64_t first_x(const struct plot *plot)
{
    return plot->points[0].x;
}

uint64_t plot_x_end(const struct plot *plot)
{
    uint64_t last = plot->points[plot->count - 1].x, room = (last - first_x(plot)) / 40;
    assert(last >= first_x(plot) && last < UINT64_MAX - room);
    return last + (room > 0 ? room : 1);
}

uint32_t plot_x_pixel(const struct plot *plot, uint64_t x, uint32_t pixels)
{
    assert(x >= first_x(plot) && x <= plot_x_end(plot));
    return scale_to(x - first_x(plot), plot_x_end(plot) - first_x(plot), pixels);
}

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define MONDAY_MS (4 * DAY_MS) /* 1970 began on a Thursday */
#define LAST_YEAR 9999         /* no calendar is told behind it */

/* Ticks of equal distance. */
struct ruler {
    uint64_t step, origin;
};

static size_t ruler_ticks(const struct plot *plot, struct ruler ruler, struct plot_tick *ret_ticks, size_t ticks_max)
{
    size_t count = 0;
    uint64_t first = first_x(plot), end = plot_x_end(plot), at = ruler.origin;
    if (first > ruler.origin)
        at += (first - ruler.origin + ruler.step - 1) / ruler.step * ruler.step;
    for (; at <= end && count < ticks_max; at += ruler.step)
        ret_ticks[count++].x = at;
    return count;
}

/* Numbers that points have, not the room behind them. */
static size_t number_ticks(const struct plot *plot, size_t ticks_max, struct plot_tick *ret_ticks)
{
    settle_int128 step = 1;
    while ((plot_x_end(plot) - first_x(plot)) / (uint64_t)step + 1 > ticks_max && step_up(&step))
        continue;
    size_t count = ruler_ticks(plot, (struct ruler){(uint64_t)step, 0}, ret_ticks, ticks_max);
    while (count > 0 && ret_ticks[count - 1].x > plot->points[plot->count - 1].x)
        count--;
    for (size_t i = 0; i < count; i++)
        print_u64(ret_ticks[i].x, ret_ticks[i].label);
    return count;
}

static struct tm calendar(uint64_t ms)
{
    time_t seconds = (time_t)(ms / SECOND_MS);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    return tm;
}

/* As short as the distance of the ticks allows; where a day begins, the day. */
static void clock_label(uint64_t ms, uint64_t step_ms, char ret_label[PLOT_LABEL_BYTES])
{
    struct tm tm = calendar(ms);
    if (ms % DAY_MS == 0)
        strftime(ret_label, PLOT_LABEL_BYTES, "%Y-%m-%d", &tm);
    else if (step_ms >= MINUTE_MS)
        strftime(ret_label, PLOT_LABEL_BYTES, "%H:%M", &tm);
    else if (step_ms >= SECOND_MS)
        strftime(ret_label, PLOT_LABEL_BYTES, "%H:%M:%S", &tm);
    else
        snprintf(ret_label, PLOT_LABEL_BYTES, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (unsigned)(ms % SECOND_MS));
}

static uint64_t month_ms(int month)
{
    struct tm tm = {.tm_year = 70 + month / 12, .tm_mon = month % 12, .tm_mday = 1};
    return (uint64_t)timegm(&tm) * SECOND_MS;
}

static int month_of(uint64_t ms)
{
    struct tm tm = calendar(ms);
    return (tm.tm_year - 70) * 12 + tm.tm_mon;
}

/* Ticks at the beginnings of months or years. */
static size_t month_ticks(const struct plot *plot, size_t ticks_max, struct plot_tick *ret_ticks)
{
    static const int steps[] = {1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000, 24000, 60000};
    uint64_t first = first_x(plot), end = plot_x_end(plot);
    int first_month = month_of(first), last_month = month_of(end), step = steps[0];
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        step = steps[i];
        if ((size_t)((last_month - first_month) / step) + 1 <= ticks_max)
            break;
    }
    size_t count = 0;
    /* Years are counted from 0, so that they come out round: 2000, 2010 … */
    int month = (first_month + 1970 * 12) / step * step - 1970 * 12;
    for (; month <= last_month && count < ticks_max; month += step) {
        uint64_t ms = month < 0 ? 0 : month_ms(month);
        if (month < 0 || ms < first || ms > end)
            continue;
        struct tm tm = calendar(ms);
        strftime(ret_ticks[count].label, PLOT_LABEL_BYTES, step < 12 ? "%Y-%m" : "%Y", &tm);
        ret_ticks[count++].x = ms;
    }
    return count;
}

size_t plot_x_ticks(const struct plot *plot, size_t ticks_max, struct plot_tick ret_ticks[PLOT_TICKS_MAX])
{
    static const struct ruler rulers[] = {{1, 0},
                                          {2, 0},
                                          {5, 0},
                                          {10, 0},
                                          {20, 0},
                                          {50, 0},
                                          {100, 0},
                                          {200, 0},
                                          {500, 0},
                                          {SECOND_MS, 0},
                                          {2000, 0},
                                          {5000, 0},
                                          {10000, 0},
                                          {30000, 0},
                                          {MINUTE_MS, 0},
                                          {120000, 0},
                                          {300000, 0},
                                          {600000, 0},
                                          {1800000, 0},
                                          {HOUR_MS, 0},
                                          {3 * HOUR_MS, 0},
                                          {6 * HOUR_MS, 0},
                                          {12 * HOUR_MS, 0},
                                          {DAY_MS, 0},
                                          {2 * DAY_MS, 0},
                                          {7 * DAY_MS, MONDAY_MS},
                                          {14 * DAY_MS, MONDAY_MS}};
    uint64_t span = plot_x_end(plot) - first_x(plot);
    assert(ticks_max > 0 && ticks_max <= PLOT_TICKS_MAX);
    if (plot->x == PLOT_NUMBER || calendar(plot_x_end(plot)).tm_year + 1900 > LAST_YEAR)
        return number_ticks(plot, ticks_max, ret_ticks);
    for (size_t i = 0; i < sizeof rulers / sizeof rulers[0]; i++) {
        if (span / rulers[i].step + 1 > ticks_max)
            continue;
        size_t count = ruler_ticks(plot, rulers[i], ret_ticks, ticks_max);
        for (size_t k = 0; k < count; k++)
            clock_label(ret_ticks[k].x, rulers[i].step, ret_ticks[k].label);
        return count;
    }
    return month_ticks(plot, ticks_max, ret_ticks);
}

/* ---- Columns ---- */

void plot_columns(const struct plot *plot, size_t column_count, struct plot_column *ret_columns)
{
    settle_int128 balance = plot->before;
    size_t next = 0;
    assert(column_count > 1 && column_count <= UINT32_MAX && plot->count > 0);
    for (size_t c = 0; c < column_count; c++) {
        struct plot_column column = {balance, balance, balance, false};
        for (; next < plot->count; next++) {
            if (plot_x_pixel(plot, plot->points[next].x, (uint32_t)column_count - 1) > c)
                break;
            balance = plot->points[next].balance;
            column.low = balance < column.low ? balance : column.low;
            column.high = balance > column.high ? balance : column.high;
            column.has_change = true;
        }
        column.last = balance;
        ret_columns[c] = column;
    }
    assert(next == plot->count);
}
