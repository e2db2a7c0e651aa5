/*
 * history_plot.c — see history_plot.h. Collects the rows that `history` would print, 32 bytes each, and draws them.
 *
 * A step stands at its event time. Event times come from outside and may go back: a change is then drawn where the one
 * before it was, and the note says how often. Where all have one time they are drawn by their number instead.
 */
#include "tools/history_plot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/plot.h"
#include "tools/report.h"

#define SCREEN_COLUMNS 80u
#define SCREEN_COLUMNS_MIN 20u
#define SCREEN_COLUMNS_MAX 1000u
#define PLOT_ROWS 16u
#define PLOT_ROWS_MIN 6u
#define ROWS_BESIDE 8u /* title, axis and prompt */

struct rows {
    struct plot_point *points; /* newest first while they come */
    size_t count, capacity;
    settle_int128 before;
    uint64_t first_version;
    bool no_memory;
};

static bool take_row(void *context, const struct account_change *change)
{
    struct rows *rows = context;
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 1024 : 2 * rows->capacity;
        struct plot_point *grown = reallocarray(rows->points, capacity, sizeof *grown);
        rows->no_memory = grown == NULL;
        if (rows->no_memory)
            return false;
        rows->points = grown;
        rows->capacity = capacity;
    }
    rows->points[rows->count++] = (struct plot_point){change->ts_ms, change->after};
    rows->before = change->after - change->delta;
    rows->first_version = change->version;
    return true;
}

/* Oldest first, x never falling. Returns how many event times went back. */
static uint64_t put_in_order(struct rows *rows)
{
    uint64_t back = 0;
    for (size_t i = 0, k = rows->count - 1; i < k; i++, k--) {
        struct plot_point point = rows->points[i];
        rows->points[i] = rows->points[k];
        rows->points[k] = point;
    }
    for (size_t i = 1; i < rows->count; i++) {
        if (rows->points[i].x >= rows->points[i - 1].x)
            continue;
        rows->points[i].x = rows->points[i - 1].x;
        back++;
    }
    return back;
}

/* ---- Words ---- */

struct words {
    char subtitle[160], note[4 * SETTLE_AMOUNT_TEXT_BYTES + 128];
};

static const char *short_time(uint64_t ts_ms, char ret_text[PRINT_TIME_BYTES])
{
    show_event_time(ts_ms, ret_text);
    char *point = strchr(ret_text, '.');
    if (point != NULL) /* no microseconds, for event times have none, and no milliseconds that are zero */
        strcpy(ts_ms % 1000 == 0 ? point : point + 4, "Z");
    return ret_text;
}

static void find_words(const struct plot *plot, uint64_t back, struct words *ret_words)
{
    settle_int128 low = plot->points[0].balance, high = low;
    char first[PRINT_TIME_BYTES], last[PRINT_TIME_BYTES];
    char amounts[3][SETTLE_AMOUNT_TEXT_BYTES];
    for (size_t i = 0; i < plot->count; i++) {
        settle_int128 balance = plot->points[i].balance;
        low = balance < low ? balance : low;
        high = balance > high ? balance : high;
    }
    settle_amount_format(low, plot->scale, amounts[0]);
    settle_amount_format(high, plot->scale, amounts[1]);
    settle_amount_format(plot->points[plot->count - 1].balance, plot->scale, amounts[2]);
    if (plot->x == PLOT_NUMBER)
        snprintf(ret_words->subtitle, sizeof ret_words->subtitle, "%zu changes of one event time, by version",
                 plot->count);
    else if (plot->count == 1)
        snprintf(ret_words->subtitle, sizeof ret_words->subtitle, "1 change at event time %s",
                 short_time(plot->points[0].x, first));
    else
        snprintf(ret_words->subtitle, sizeof ret_words->subtitle, "%zu changes by event time, %s to %s", plot->count,
                 short_time(plot->points[0].x, first), short_time(plot->points[plot->count - 1].x, last));
    int used = snprintf(ret_words->note, sizeof ret_words->note, "lowest %s, highest %s, last %s", amounts[0],
                        amounts[1], amounts[2]);
    if (back > 0)
        snprintf(ret_words->note + used, sizeof ret_words->note - (size_t)used,
                 "; event times that go back: %" PRIu64 ", drawn without", back);
}

/* ---- The terminal ---- */

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        const char *codeset = strchr(value, '.');
        return codeset != NULL && (strncasecmp(codeset, ".UTF-8", 6) == 0 || strncasecmp(codeset, ".utf8", 5) == 0);
    }
    return false;
}

static struct plot_screen look_at_screen(void)
{
    struct plot_screen screen = {SCREEN_COLUMNS, PLOT_ROWS, locale_is_utf8(), show_colour()};
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    uint64_t number = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        screen.columns = size.ws_col;
    else if (columns != NULL && query_u64_parse(columns, &number) && number > 0)
        screen.columns = number < SCREEN_COLUMNS_MAX ? (uint32_t)number : SCREEN_COLUMNS_MAX;
    if (size.ws_row > 0 && size.ws_row < PLOT_ROWS + ROWS_BESIDE)
        screen.rows = size.ws_row > PLOT_ROWS_MIN + ROWS_BESIDE ? size.ws_row - ROWS_BESIDE : PLOT_ROWS_MIN;
    if (screen.columns < SCREEN_COLUMNS_MIN)
        screen.columns = SCREEN_COLUMNS_MIN;
    if (screen.columns > SCREEN_COLUMNS_MAX)
        screen.columns = SCREEN_COLUMNS_MAX;
    return screen;
}

/* ---- The file ---- */

static bool write_file(void *context, const char *bytes, size_t count)
{
    return fwrite(bytes, 1, count, context) == count;
}

static int write_svg(struct invocation *inv, const struct plot *plot, const char *path)
{
    static struct out out;
    settle_error error = {0};
    bool is_stdout = strcmp(path, "-") == 0;
    if (is_stdout) {
        settle_status printed = plot_print_svg(&inv->out, plot);
        return printed == SETTLE_OK ? EXIT_DONE : report_error(inv, printed, report_text(&error, "out of memory"));
    }
    FILE *file = fopen(path, "wbe");
    if (file == NULL)
        return report_error(inv, SETTLE_E_IO, report_text(&error, "cannot write %.200s: %s", path, strerror(errno)));
    out_init(&out, write_file, file);
    settle_status status = plot_print_svg(&out, plot);
    bool is_written = out_flush(&out);
    int fault = out.failed_errno;
    if (fclose(file) != 0 && is_written) {
        is_written = false;
        fault = errno;
    }
    if (status != SETTLE_OK)
        return report_error(inv, status, report_text(&error, "out of memory"));
    if (!is_written)
        return report_error(inv, SETTLE_E_IO, report_text(&error, "cannot write %.200s: %s", path, strerror(fault)));
    if (inv->as_json) {
        struct json json = json_on(&inv->out);
        json_object(&json, NULL);
        json_string(&json, "file", path);
        json_u64(&json, "changes", plot->count);
        json_object_end(&json);
        json_line_end(&json);
    }
    report_note(inv, "drew %zu changes into %s", plot->count, path);
    return EXIT_DONE;
}

static int draw(struct invocation *inv, struct plot *plot, struct rows *rows, const char *path)
{
    struct words words = {.note = ""};
    settle_error error = {0};
    uint64_t back = put_in_order(rows);
    plot->points = rows->points;
    plot->count = rows->count;
    plot->before = rows->before;
    if (rows->count > 1 && rows->points[0].x == rows->points[rows->count - 1].x) {
        plot->x = PLOT_NUMBER;
        for (size_t i = 0; i < rows->count; i++)
            rows->points[i].x = rows->first_version + i;
    }
    find_words(plot, back, &words);
    plot->subtitle = words.subtitle;
    plot->note = words.note;
    if (path != NULL)
        return write_svg(inv, plot, path);
    const struct plot_screen screen = look_at_screen();
    settle_status status = plot_print_text(&inv->out, plot, &screen);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, report_text(&error, "out of memory"));
}

int history_plot(struct invocation *inv, struct query *query, uint64_t user, const settle_asset *asset,
                 const struct history_options *options, const char *path)
{
    struct rows rows = {.points = NULL};
    settle_error error = {0};
    char title[128], name[PRINT_USER_BYTES];
    print_user(user, name);
    snprintf(title, sizeof title, "%s%s, %s: available", user <= SETTLE_USER_MAX ? "user " : "", name, asset->symbol);
    struct plot plot = {.title = title, .scale = asset->scale};
    settle_status status = query_history(query, user, asset->id, options, take_row, &rows, &error);
    int exit_status = EXIT_DONE;
    if (rows.no_memory)
        status = SETTLE_E_NO_MEMORY;
    if (status == SETTLE_E_NOT_FOUND)
        exit_status = report_negative(inv, "user %s has no history in %s", name, asset->symbol);
    else if (status != SETTLE_OK)
        exit_status = report_error(inv, status, rows.no_memory ? report_text(&error, "out of memory") : &error);
    else if (rows.count == 0)
        exit_status = report_negative(inv, "no change of user %s in %s is in this range", name, asset->symbol);
    else
        exit_status = draw(inv, &plot, &rows, path);
    free(rows.points);
    return exit_status;
}
