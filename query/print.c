/*
 * print.c — bytes out, JSON and tables. Owns no file: the sink is the caller's.
 *
 * Invariants: what json_* writes is valid JSON whatever bytes the texts hold; an integer above 2^53 is a string; an
 * amount is a string with all its asset's decimals. Neither JSON nor tables nor out_visible() give a terminal anything
 * to obey: control characters, and those that turn the direction of writing, are spelt.
 */
#include "query/print.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/clock.h"
#include "journal/base/digits.h"

_Static_assert(PRINT_TIME_BYTES == CLOCK_TEXT_BYTES, "a timestamp fits");

/* ---- Bytes out ---- */

void out_init(struct out *out, out_sink sink, void *context)
{
    assert(sink != NULL);
    out->sink = sink;
    out->context = context;
    out->failed_errno = 0;
    out->used = 0;
}

static void out_hand_over(struct out *out, const char *bytes, size_t count)
{
    if (out->failed_errno != 0 || count == 0)
        return;
    if (!out->sink(out->context, bytes, count))
        out->failed_errno = errno != 0 ? errno : EIO;
}

bool out_flush(struct out *out)
{
    out_hand_over(out, out->buffer, out->used);
    out->used = 0;
    return out->failed_errno == 0;
}

void out_bytes(struct out *out, const char *bytes, size_t count)
{
    assert(out->used <= sizeof out->buffer);
    if (count > sizeof out->buffer - out->used)
        (void)out_flush(out);
    if (count > sizeof out->buffer) {
        out_hand_over(out, bytes, count);
        return;
    }
    if (count > 0)
        memcpy(out->buffer + out->used, bytes, count);
    out->used += count;
}

void out_text(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

/* ---- Texts of others ---- */

/* Whether a terminal would obey it instead of showing it, or show it elsewhere than it stands: C0 and C1 controls,
 * line and paragraph separators, marks and overrides of direction, what has no width. `length` bytes of valid UTF-8. */
static bool is_hidden(const unsigned char *at, size_t length, unsigned *ret_code)
{
    unsigned code = at[0];
    if (length == 2)
        code = (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    else if (length == 3)
        code = (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    *ret_code = code;
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

size_t print_visible(settle_text text, size_t *count, char ret_text[PRINT_VISIBLE_BYTES])
{
    assert(text.bytes > 0);
    const unsigned char *at = (const unsigned char *)text.data;
    size_t length = digits_utf8_bytes(at, text.bytes);
    *count = length == 0 ? 1 : length;
    unsigned code = 0;
    if (length == 0 || is_hidden(at, length, &code))
        return (size_t)snprintf(ret_text, PRINT_VISIBLE_BYTES, length > 1 ? "\\u%04x" : "\\x%02x",
                                length == 0 ? at[0] : code);
    memcpy(ret_text, text.data, length);
    ret_text[length] = '\0';
    return length;
}

void out_visible_text(struct out *out, settle_text text)
{
    char visible[PRINT_VISIBLE_BYTES];
    size_t count;
    for (; text.bytes > 0; text.data += count, text.bytes -= count)
        out_bytes(out, visible, print_visible(text, &count, visible));
}

void out_visible(struct out *out, const char *text)
{
    out_visible_text(out, (settle_text){text, strlen(text)});
}

void out_repeat(struct out *out, char character, size_t count)
{
    while (count-- > 0)
        out_bytes(out, &character, 1);
}

void out_u64(struct out *out, uint64_t value)
{
    char text[PRINT_U64_BYTES];
    out_text(out, print_u64(value, text));
}

void out_format(struct out *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    out_bytes(out, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* ---- Small texts ---- */

const char *print_u64(uint64_t value, char ret_text[PRINT_U64_BYTES])
{
    char digits[PRINT_U64_BYTES];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++)
        ret_text[i] = digits[count - 1 - i];
    ret_text[count] = '\0';
    return ret_text;
}

const char *print_user(uint64_t user, char ret_text[PRINT_USER_BYTES])
{
    if (user == SETTLE_USER_EXTERNAL)
        return strcpy(ret_text, "external");
    if (user == SETTLE_USER_FEES)
        return strcpy(ret_text, "fees");
    return print_u64(user, ret_text);
}

const char *print_time_us(uint64_t time_us, char ret_text[PRINT_TIME_BYTES])
{
    clock_format_us(time_us, ret_text);
    return ret_text;
}

const char *print_seconds(uint64_t elapsed_us, char ret_text[PRINT_SECONDS_BYTES])
{
    char whole[PRINT_U64_BYTES];
    print_u64(elapsed_us / 1000000, whole);
    (void)snprintf(ret_text, PRINT_SECONDS_BYTES, "%.14s.%06u", whole, (unsigned)(elapsed_us % 1000000));
    return ret_text;
}

/* ---- JSON ---- */

static void quote_character(struct out *out, unsigned character)
{
    switch (character) {
    case '"': out_text(out, "\\\""); break;
    case '\\': out_text(out, "\\\\"); break;
    case '\n': out_text(out, "\\n"); break;
    case '\r': out_text(out, "\\r"); break;
    case '\t': out_text(out, "\\t"); break;
    default: out_format(out, "\\u%04x", character); break;
    }
}

static void quote(struct out *out, const char *text, size_t count)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned code;
    out_bytes(out, "\"", 1);
    for (size_t i = 0; i < count;) {
        size_t length = digits_utf8_bytes(at + i, count - i);
        if (length == 0)
            out_text(out, "\xef\xbf\xbd");
        else if (length == 1 && (at[i] == '"' || at[i] == '\\'))
            quote_character(out, at[i]);
        else if (is_hidden(at + i, length, &code))
            quote_character(out, code);
        else
            out_bytes(out, text + i, length);
        i += length == 0 ? 1 : length;
    }
    out_bytes(out, "\"", 1);
}

/* What stands before every value: the comma and the key. */
static void json_before(struct json *json, const char *key)
{
    if (json->needs_comma)
        out_bytes(json->out, ",", 1);
    if (key != NULL) {
        quote(json->out, key, strlen(key));
        out_bytes(json->out, ":", 1);
    }
    json->needs_comma = true;
}

void json_object(struct json *json, const char *key)
{
    json_before(json, key);
    out_bytes(json->out, "{", 1);
    json->needs_comma = false;
}

void json_object_end(struct json *json)
{
    out_bytes(json->out, "}", 1);
    json->needs_comma = true;
}

void json_array(struct json *json, const char *key)
{
    json_before(json, key);
    out_bytes(json->out, "[", 1);
    json->needs_comma = false;
}

void json_array_end(struct json *json)
{
    out_bytes(json->out, "]", 1);
    json->needs_comma = true;
}

void json_line_end(struct json *json)
{
    out_bytes(json->out, "\n", 1);
    json->needs_comma = false;
}

void json_string(struct json *json, const char *key, const char *text)
{
    json_text(json, key, (settle_text){text, text == NULL ? 0 : strlen(text)});
}

void json_text(struct json *json, const char *key, settle_text text)
{
    if (text.data == NULL) {
        json_null(json, key);
        return;
    }
    json_before(json, key);
    quote(json->out, text.data, text.bytes);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    const char *mark = value > JSON_INTEGER_MAX ? "\"" : "";
    json_before(json, key);
    out_text(json->out, mark);
    out_u64(json->out, value);
    out_text(json->out, mark);
}

void json_bool(struct json *json, const char *key, bool value)
{
    json_before(json, key);
    out_text(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    json_before(json, key);
    out_text(json->out, "null");
}

void json_user(struct json *json, const char *key, uint64_t user)
{
    char text[PRINT_USER_BYTES];
    if (user == SETTLE_USER_EXTERNAL || user == SETTLE_USER_FEES)
        json_string(json, key, print_user(user, text));
    else
        json_u64(json, key, user);
}

void json_amount(struct json *json, const char *key, settle_int128 amount, uint8_t scale)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(amount, scale, text);
    json_string(json, key, text);
}

void json_time_us(struct json *json, const char *key, uint64_t time_us)
{
    char text[PRINT_TIME_BYTES];
    json_string(json, key, print_time_us(time_us, text));
}

void json_seconds(struct json *json, const char *key, uint64_t elapsed_us)
{
    char text[PRINT_SECONDS_BYTES];
    json_before(json, key);
    out_text(json->out, print_seconds(elapsed_us, text));
}

/* ---- Tables ---- */

void table_init(struct table *table, const struct table_column *columns, size_t column_count)
{
    assert(column_count > 0);
    *table = (struct table){.columns = columns, .column_count = column_count};
}

/* Room for `more` bytes behind the cells. */
static bool table_reserve(struct table *table, size_t more)
{
    if (more <= table->capacity - table->used)
        return true;
    size_t capacity = (table->capacity + more) * 2;
    char *cells = realloc(table->cells, capacity);
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_cell(struct table *table, const char *text)
{
    char visible[PRINT_VISIBLE_BYTES];
    if (table->no_memory)
        return;
    settle_text rest = {text, strlen(text)};
    for (size_t count; rest.bytes > 0; rest.data += count, rest.bytes -= count) {
        size_t bytes = print_visible(rest, &count, visible);
        table->no_memory = !table_reserve(table, bytes + 1);
        if (table->no_memory)
            return;
        memcpy(table->cells + table->used, visible, bytes);
        table->used += bytes;
    }
    table->no_memory = !table_reserve(table, 1);
    if (table->no_memory)
        return;
    table->cells[table->used++] = '\0';
    table->cell_count++;
}

/* Characters as a terminal shows them: UTF-8 continuation bytes take no place. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const struct table *table, struct out *out, size_t column, const char *text, size_t width)
{
    size_t padding = width - text_width(text);
    bool is_last = column + 1 == table->column_count;
    if (table->columns[column].right)
        out_repeat(out, ' ', padding);
    out_text(out, text);
    if (is_last)
        out_bytes(out, "\n", 1);
    else
        out_repeat(out, ' ', 2 + (table->columns[column].right ? 0 : padding));
}

/* The width each column needs; malloc'd. NULL: no memory. */
static size_t *column_widths(const struct table *table)
{
    size_t *widths = calloc(table->column_count, sizeof *widths);
    if (widths == NULL)
        return NULL;
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = text_width(table->columns[i].title);
    const char *cell = table->cells;
    for (size_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
        size_t width = text_width(cell), column = i % table->column_count;
        if (width > widths[column])
            widths[column] = width;
    }
    return widths;
}

settle_status table_print(struct table *table, struct out *out, size_t indent)
{
    assert(table->no_memory || table->cell_count % table->column_count == 0);
    size_t *widths = table->no_memory ? NULL : column_widths(table);
    const char *cell = table->cells;
    size_t first = table->columns[0].title[0] == '\0' ? table->column_count : 0; /* no titles: rows only */
    for (size_t i = first; widths != NULL && i < table->column_count + table->cell_count; i++) {
        size_t column = i % table->column_count;
        if (column == 0)
            out_repeat(out, ' ', indent);
        if (i < table->column_count) {
            print_cell(table, out, column, table->columns[column].title, widths[column]);
            continue;
        }
        print_cell(table, out, column, cell, widths[column]);
        cell += strlen(cell) + 1;
    }
    settle_status status = widths == NULL ? SETTLE_E_NO_MEMORY : SETTLE_OK;
    free(widths);
    free(table->cells);
    table_init(table, table->columns, table->column_count);
    return status;
}
