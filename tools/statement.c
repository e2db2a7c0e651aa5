/* statement.c — see statement.h. Reads line by line, in bounded memory but for a line's length. */
#include "tools/statement.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/report.h"

static const char *const names[COLUMNS] = {
    [COLUMN_USER] = "user",
    [COLUMN_ASSET] = "asset",
    [COLUMN_BALANCE] = "balance",
    [COLUMN_HELD] = "held",
    [COLUMN_EVENT_ID] = "event_id",
    [COLUMN_OUTCOME] = "outcome",
    [COLUMN_TYPE] = "type",
    [COLUMN_TS] = "ts",
    [COLUMN_AMOUNT] = "amount",
    [COLUMN_TRADE_ID] = "trade_id",
    [COLUMN_BUYER] = "buyer",
    [COLUMN_SELLER] = "seller",
    [COLUMN_BASE] = "base",
    [COLUMN_QUOTE] = "quote",
    [COLUMN_QUANTITY] = "quantity",
    [COLUMN_PRICE] = "price",
    [COLUMN_QUOTE_AMOUNT] = "quote_amount",
    [COLUMN_BUYER_FEE] = "buyer_fee",
    [COLUMN_SELLER_FEE] = "seller_fee",
    [COLUMN_DELTA] = "delta",
    [COLUMN_BEFORE] = "before",
    [COLUMN_AFTER] = "after",
    [COLUMN_VERSION] = "version",
};
_Static_assert(COLUMNS <= 32, "a bit a column");

const char *column_name(enum column column)
{
    assert(column < COLUMNS);
    return names[column];
}

static enum column column_named(const char *name)
{
    for (int i = 0; i < COLUMNS; i++)
        if (strcmp(names[i], name) == 0)
            return (enum column)i;
    return strcmp(name, "available") == 0 ? COLUMN_BALANCE : COLUMNS;
}

settle_status statement_refuse(const struct statement *statement, const char *reason, settle_error *error)
{
    report_text(error, "%.200s:1: no header of a statement: %s", statement->path, reason);
    return SETTLE_E_MALFORMED;
}

static void malformed_at(struct statement *s, size_t byte, const char *reason)
{
    s->malformed++;
    report_malformed(s->invocation, s->path, s->line_number, byte, reason);
}

void statement_malformed(struct statement *statement, enum column column, const char *reason)
{
    malformed_at(statement, statement->places[column] > 0 ? statement->places[column] : 1, reason);
}

/* Puts the next cell, terminated, at *scratch, which goes behind it. *at is NULL behind the last one. False: *fault. */
static bool next_cell(struct statement *s, const char **at, const char *end, char **scratch, struct scan_fault *fault)
{
    settle_text text = {NULL, 0};
    const char *next = csv_take_cell(s->line, *at, end, *scratch, &text, fault);
    if (next == NULL)
        return false;
    memmove(*scratch, text.data, text.bytes);
    (*scratch)[text.bytes] = '\0';
    if (strlen(*scratch) != text.bytes) {
        *fault = (struct scan_fault){(size_t)(*at - s->line) + 1, "a byte of zero"};
        return false;
    }
    *scratch += text.bytes + 1;
    *at = next == end ? NULL : next + 1;
    return true;
}

/* NULL, or what is wrong with the header. */
static const char *take_header(struct statement *s, const char *end)
{
    static const char mark[] = "\xef\xbb\xbf"; /* as spreadsheets write it */
    struct scan_fault fault = {0, ""};
    bool has_mark = end - s->line >= 3 && memcmp(s->line, mark, 3) == 0;
    for (const char *at = s->line + (has_mark ? 3 : 0); at != NULL;) {
        char *scratch = s->scratch;
        if (s->column_count == CSV_COLUMNS_MAX)
            return "it has too many columns";
        if (!next_cell(s, &at, end, &scratch, &fault))
            return "a quote is out of place";
        enum column column = column_named(s->scratch);
        if (column != COLUMNS && statement_has(s, column))
            return "it names a column twice";
        if (column != COLUMNS)
            s->seen |= UINT32_C(1) << column;
        s->columns[s->column_count++] = column;
    }
    return NULL;
}

/* Cuts the row into cells; false when it is malformed, which is reported. */
static bool take_row(struct statement *s, const char *end)
{
    const char *at = s->line;
    char *scratch = s->scratch;
    struct scan_fault fault = {0, ""};
    for (int i = 0; i < COLUMNS; i++) {
        s->cells[i] = "";
        s->places[i] = 0;
    }
    for (size_t i = 0; i < s->column_count; i++) {
        enum column column = s->columns[i];
        char *cell = scratch;
        size_t place = at != NULL ? (size_t)(at - s->line) + 1 : 0;
        if (at == NULL) {
            malformed_at(s, (size_t)(end - s->line) + 1, "the row has fewer cells than the header");
            return false;
        }
        if (!next_cell(s, &at, end, &scratch, &fault)) {
            malformed_at(s, fault.byte, fault.reason);
            return false;
        }
        if (column == COLUMNS)
            continue;
        s->cells[column] = cell;
        s->places[column] = place;
    }
    if (at != NULL)
        malformed_at(s, (size_t)(at - s->line) + 1, "the row has more cells than the header");
    return at == NULL;
}

/* Reads a line without its end. SETTLE_E_END: there is none. */
static settle_status next_line(struct statement *s, size_t *ret_bytes, settle_error *error)
{
    errno = 0;
    ssize_t length = getline(&s->line, &s->line_capacity, s->file);
    if (length < 0 && (ferror(s->file) || errno == ENOMEM)) {
        report_text(error, "cannot read %.200s: %s", s->path, strerror(errno));
        return SETTLE_E_IO;
    }
    if (length < 0)
        return SETTLE_E_END;
    size_t bytes = (size_t)length;
    s->line_number++;
    bytes -= bytes > 0 && s->line[bytes - 1] == '\n';
    bytes -= bytes > 0 && s->line[bytes - 1] == '\r';
    *ret_bytes = bytes;
    return SETTLE_OK;
}

settle_status statement_open(struct statement *statement, const struct invocation *invocation, const char *path,
                             settle_error *error)
{
    size_t bytes = 0;
    *statement = (struct statement){.invocation = invocation, .path = path};
    statement->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (statement->file == NULL) {
        report_text(error, "cannot open %.200s: %s", path, strerror(errno));
        return SETTLE_E_IO;
    }
    settle_status status = next_line(statement, &bytes, error);
    if (status == SETTLE_E_END)
        return statement_refuse(statement, "there is none", error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = bytes > INGEST_LINE_BYTES_MAX ? "it is too long" : NULL;
    if (fault == NULL)
        fault = take_header(statement, statement->line + bytes);
    return fault == NULL ? SETTLE_OK : statement_refuse(statement, fault, error);
}

settle_status statement_next(struct statement *statement, settle_error *error)
{
    for (;;) {
        size_t bytes = 0;
        settle_status status = next_line(statement, &bytes, error);
        if (status != SETTLE_OK)
            return status;
        if (bytes == 0)
            continue;
        statement->rows++;
        if (bytes > INGEST_LINE_BYTES_MAX)
            malformed_at(statement, INGEST_LINE_BYTES_MAX + 1, "the line is longer than 4096 bytes");
        else if (take_row(statement, statement->line + bytes))
            return SETTLE_OK;
    }
}

void statement_close(struct statement *statement)
{
    if (statement->file != NULL && statement->file != stdin)
        (void)fclose(statement->file);
    free(statement->line);
}
