/*
 * plot_text.c — a plot in a terminal. Each character is a cell of 2 × 4 dots of braille where the terminal has it, else of
 * one, '-' along and '|' up and down. Owns nothing beyond a call.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/plot.h"

#define CELLS_MIN 16u /* of the line, however narrow the terminal is */
#define ROWS_A_TICK 2u
#define COLUMNS_A_TICK 14u

struct canvas {
    struct out *out;
    const struct plot *plot;
    const struct plot_screen *screen;
    struct plot_amounts amounts;
    uint32_t label_width, cells;    /* characters of the amounts, and behind them */
    uint32_t dots_across, dots_up;  /* of a cell */
    uint32_t dot_columns, dot_rows; /* of the whole */
    struct plot_column *columns;    /* one a column of dots */
};

static uint32_t dot_row(const struct canvas *c, settle_int128 balance)
{
    return plot_amounts_pixel(&c->amounts, balance, c->dot_rows - 1);
}

/* The tick that belongs in a row of cells, counted from the bottom. */
static bool row_tick(const struct canvas *c, uint32_t row, char ret_label[SETTLE_AMOUNT_TEXT_BYTES])
{
    for (unsigned i = 0; i < c->amounts.tick_count; i++) {
        settle_int128 tick = plot_amounts_tick(&c->amounts, i);
        if (dot_row(c, tick) / c->dots_up != row)
            continue;
        settle_amount_format(tick, c->plot->scale, ret_label);
        return true;
    }
    return false;
}

/* ---- Cells ---- */

/* U+2800 and a bit a dot, in UTF-8. An empty cell is 0. */
static unsigned braille_mask(const struct canvas *c, uint32_t cell, uint32_t row)
{
    static const unsigned bits[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}}; /* from the bottom */
    unsigned mask = 0;
    for (uint32_t x = 0; x < 2; x++) {
        const struct plot_column *column = &c->columns[cell * 2 + x];
        uint32_t low = dot_row(c, column->low), high = dot_row(c, column->high);
        for (uint32_t y = 0; y < 4; y++)
            if (row * 4 + y >= low && row * 4 + y <= high)
                mask |= bits[x][y];
    }
    return mask;
}

static void braille_cell(const struct canvas *c, uint32_t cell, uint32_t row)
{
    unsigned mask = braille_mask(c, cell, row);
    if (mask == 0) {
        out_text(c->out, " ");
        return;
    }
    const char bytes[] = {(char)0xe2, (char)(0xa0 | mask >> 6), (char)(0x80 | (mask & 0x3f))};
    out_bytes(c->out, bytes, sizeof bytes);
}

static char ascii_cell(const struct canvas *c, uint32_t cell, uint32_t row)
{
    const struct plot_column *column = &c->columns[cell];
    uint32_t low = dot_row(c, column->low), high = dot_row(c, column->high);
    char character = ' ';
    if (low == high && row == low)
        character = '-';
    else if (row == low || row == high)
        character = '+';
    else if (row > low && row < high)
        character = '|';
    return character;
}

/* Behind the last cell of a row that is not empty. */
static uint32_t row_end(const struct canvas *c, uint32_t row)
{
    uint32_t end = c->cells;
    while (end > 0 && (c->screen->is_utf8 ? braille_mask(c, end - 1, row) == 0 : ascii_cell(c, end - 1, row) == ' '))
        end--;
    return end;
}

static void print_row(const struct canvas *c, uint32_t row)
{
    char label[SETTLE_AMOUNT_TEXT_BYTES] = "";
    bool has_tick = row_tick(c, row, label);
    size_t bytes = strlen(label);
    assert(bytes <= c->label_width);
    out_repeat(c->out, ' ', c->label_width - bytes);
    out_text(c->out, label);
    if (c->screen->is_utf8)
        out_text(c->out, has_tick ? " \u2524" : " \u2502");
    else
        out_text(c->out, has_tick ? " +" : " |");
    uint32_t end = row_end(c, row);
    bool has_colour = c->screen->has_colour && end > 0;
    out_text(c->out, has_colour ? "\033[36m" : "");
    for (uint32_t cell = 0; cell < end; cell++) {
        if (c->screen->is_utf8)
            braille_cell(c, cell, row);
        else
            out_repeat(c->out, ascii_cell(c, cell, row), 1);
    }
    out_text(c->out, has_colour ? "\033[0m\n" : "\n");
}

/* ---- The bottom ---- */

static uint32_t tick_cell(const struct canvas *c, const struct plot_tick *tick)
{
    return plot_x_pixel(c->plot, tick->x, c->dot_columns - 1) / c->dots_across;
}

static void print_bottom(const struct canvas *c)
{
    struct plot_tick ticks[PLOT_TICKS_MAX];
    size_t wanted = c->cells / COLUMNS_A_TICK, next = 0, used = 0;
    wanted = wanted < 3 ? 3 : wanted > PLOT_TICKS_MAX ? PLOT_TICKS_MAX : wanted;
    size_t count = plot_x_ticks(c->plot, wanted, ticks);
    bool is_utf8 = c->screen->is_utf8;
    out_repeat(c->out, ' ', c->label_width);
    out_text(c->out, is_utf8 ? " \u2514" : " +");
    for (uint32_t cell = 0; cell < c->cells; cell++) {
        bool has_tick = next < count && tick_cell(c, &ticks[next]) == cell;
        while (next < count && tick_cell(c, &ticks[next]) == cell)
            next++;
        if (is_utf8)
            out_text(c->out, has_tick ? "\u252c" : "\u2500");
        else
            out_text(c->out, has_tick ? "+" : "-");
    }
    out_text(c->out, "\n");
    /* Each label in the middle below its tick, where there is room. */
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(ticks[i].label), middle = c->label_width + 2 + tick_cell(c, &ticks[i]);
        size_t begin = middle > bytes / 2 ? middle - bytes / 2 : 0;
        if ((used > 0 && begin < used + 1) || begin + bytes > c->label_width + 2 + c->cells)
            continue;
        out_repeat(c->out, ' ', begin - used);
        out_text(c->out, ticks[i].label);
        used = begin + bytes;
    }
    out_text(c->out, "\n");
}

static uint32_t widest_label(const struct canvas *c)
{
    size_t widest = 0;
    char label[SETTLE_AMOUNT_TEXT_BYTES];
    for (unsigned i = 0; i < c->amounts.tick_count; i++) {
        settle_amount_format(plot_amounts_tick(&c->amounts, i), c->plot->scale, label);
        if (strlen(label) > widest)
            widest = strlen(label);
    }
    return (uint32_t)widest;
}

settle_status plot_print_text(struct out *out, const struct plot *plot, const struct plot_screen *screen)
{
    struct canvas c = {.out = out, .plot = plot, .screen = screen};
    unsigned ticks = screen->rows / ROWS_A_TICK;
    assert(screen->rows >= 2);
    plot_amounts(plot, ticks < 3 ? 3 : ticks, &c.amounts);
    c.label_width = widest_label(&c);
    c.cells = screen->columns > c.label_width + 2 ? screen->columns - c.label_width - 2 : 0;
    if (c.cells < CELLS_MIN)
        c.cells = CELLS_MIN;
    c.dots_across = screen->is_utf8 ? 2 : 1;
    c.dots_up = screen->is_utf8 ? 4 : 1;
    c.dot_columns = c.cells * c.dots_across;
    c.dot_rows = screen->rows * c.dots_up;
    c.columns = calloc(c.dot_columns, sizeof *c.columns);
    if (c.columns == NULL)
        return SETTLE_E_NO_MEMORY;
    plot_columns(plot, c.dot_columns, c.columns);
    out_format(out, "%s\n%s\n%s\n\n", plot->title, plot->subtitle, plot->note);
    for (uint32_t row = screen->rows; row > 0; row--)
        print_row(&c, row - 1);
    print_bottom(&c);
    free(c.columns);
    return SETTLE_OK;
}
