/*
 * print.h — how answers become text: one JSON writer and one table writer for every command. Numbers are formatted by
 * hand from integers; money never passes through floating point.
 */
#ifndef QUERY_PRINT_H
#define QUERY_PRINT_H

#include <stdbool.h>

#include <settle/settle.h>

/* ---- Bytes out --------------------------------------------------------------------------------------------------- */

/* Takes all bytes, or returns false with errno set. */
typedef bool (*out_sink)(void *context, const char *bytes, size_t count);

/* A buffered writer. The first failure sticks: nothing is written after it, and out_flush() tells it. */
struct out {
    out_sink sink;
    void *context;
    int failed_errno; /* 0 while all went well */
    size_t used;
    char buffer[16384];
};

void out_init(struct out *out, out_sink sink, void *context);
void out_bytes(struct out *out, const char *bytes, size_t count);
void out_text(struct out *out, const char *text);
void out_repeat(struct out *out, char character, size_t count);
void out_u64(struct out *out, uint64_t value);
void out_format(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A text that others chose (a file's name, what a message quotes), for people: what a terminal would obey is spelt,
 * \x1b or \u202e, and so are bytes that are not UTF-8. */
void out_visible(struct out *out, const char *text);
void out_visible_text(struct out *out, settle_text text);
/* Hands the buffer to the sink. False after any failure so far; out->failed_errno says why. */
bool out_flush(struct out *out);

/* ---- Small texts ------------------------------------------------------------------------------------------------- */

#define PRINT_U64_BYTES 21
#define PRINT_USER_BYTES 24
#define PRINT_TIME_BYTES 28
#define PRINT_SECONDS_BYTES 24
/* Each returns ret_text. */
const char *print_u64(uint64_t value, char ret_text[PRINT_U64_BYTES]);
const char *print_user(uint64_t user, char ret_text[PRINT_USER_BYTES]);             /* digits, "external" or "fees" */
const char *print_time_us(uint64_t time_us, char ret_text[PRINT_TIME_BYTES]);       /* "2024-12-10T18:50:00.000000Z" */
const char *print_seconds(uint64_t elapsed_us, char ret_text[PRINT_SECONDS_BYTES]); /* "12.345678" */
/* The text's first character as out_visible() has it; *count: how many bytes of the text it was. Returns its bytes. */
#define PRINT_VISIBLE_BYTES 8
size_t print_visible(settle_text text, size_t *count, char ret_text[PRINT_VISIBLE_BYTES]);
/* What stands behind a noun that is counted: "s", and nothing behind one of them. */
static inline const char *print_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- JSON: one value a line -------------------------------------------------------------------------------------- */

/* Integers above this are JSON strings: a reader that holds numbers as doubles would change them. */
#define JSON_INTEGER_MAX ((uint64_t)1 << 53)

struct json {
    struct out *out;
    bool needs_comma;
};

static inline struct json json_on(struct out *out)
{
    return (struct json){out, false};
}

/* `key` NULL: an array's element, or the line's own value. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_line_end(struct json *json); /* the newline behind a top-level value */

/* Text is escaped; bytes that are not UTF-8 become U+FFFD. NULL is null. */
void json_string(struct json *json, const char *key, const char *text);
void json_text(struct json *json, const char *key, settle_text text);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_user(struct json *json, const char *key, uint64_t user);
void json_amount(struct json *json, const char *key, settle_int128 amount, uint8_t scale);
void json_time_us(struct json *json, const char *key, uint64_t time_us);
void json_seconds(struct json *json, const char *key, uint64_t elapsed_us); /* a number with six decimals */

/* ---- Tables for people ------------------------------------------------------------------------------------------- */

struct table_column {
    const char *title;
    bool right; /* aligned to the right: numbers */
};

/* Collects all cells, then prints them with the widths they need. Without titles there is no line of them. */
struct table {
    const struct table_column *columns;
    size_t column_count, cell_count;
    char *cells; /* terminated texts, one behind the other, row by row */
    size_t used, capacity;
    bool no_memory;
};

void table_init(struct table *table, const struct table_column *columns, size_t column_count);
void table_cell(struct table *table, const char *text); /* as out_visible() has it */
/* Prints title and rows, each indented, and frees the table. SETTLE_E_NO_MEMORY: nothing was printed. */
SETTLE_CHECKED settle_status table_print(struct table *table, struct out *out, size_t indent);

#endif
