/* statement.h — an outside statement, a table of CSV: a header that names columns in any order, then rows. */
#ifndef TOOLS_STATEMENT_H
#define TOOLS_STATEMENT_H

#include <stdio.h>

#include "ingest/scan_csv.h"
#include "tools/command.h"

/* The columns that mean something; any other is passed over. */
enum column {
    COLUMN_USER,
    COLUMN_ASSET,
    COLUMN_BALANCE, /* also called available */
    COLUMN_HELD,
    COLUMN_EVENT_ID,
    COLUMN_OUTCOME,
    COLUMN_TYPE,
    COLUMN_TS,
    COLUMN_AMOUNT,
    COLUMN_TRADE_ID,
    COLUMN_BUYER,
    COLUMN_SELLER,
    COLUMN_BASE,
    COLUMN_QUOTE,
    COLUMN_QUANTITY,
    COLUMN_PRICE,
    COLUMN_QUOTE_AMOUNT,
    COLUMN_BUYER_FEE,
    COLUMN_SELLER_FEE,
    COLUMN_DELTA,
    COLUMN_BEFORE,
    COLUMN_AFTER,
    COLUMN_VERSION,
    COLUMNS,
};
const char *column_name(enum column column);

struct statement {
    const struct invocation *invocation;
    const char *path;
    FILE *file;
    size_t column_count;
    enum column columns[CSV_COLUMNS_MAX]; /* COLUMNS: one that means nothing */
    uint32_t seen;                        /* a bit a column */
    char *line;                           /* getline()'s */
    size_t line_capacity;
    uint64_t line_number;
    uint64_t rows, malformed;
    /* Of the row read last; cells of columns that are not there are "". */
    const char *cells[COLUMNS];
    size_t places[COLUMNS]; /* where each begins, from 1 */
    char scratch[2 * INGEST_LINE_BYTES_MAX + CSV_COLUMNS_MAX + 1];
};

static inline bool statement_has(const struct statement *statement, enum column column)
{
    return (statement->seen >> column & 1) != 0;
}

/* Opens it and reads the header; `path` "-" is standard input. Errors have their words. Close it in either case. */
SETTLE_CHECKED settle_status statement_open(struct statement *statement, const struct invocation *invocation,
                                            const char *path, settle_error *error);
void statement_close(struct statement *statement);
/* The next row that is well formed; others are reported, and counted. SETTLE_E_END: there is none. */
SETTLE_CHECKED settle_status statement_next(struct statement *statement, settle_error *error);
/* The row read last is malformed, in this column. */
void statement_malformed(struct statement *statement, enum column column, const char *reason);
/* SETTLE_E_MALFORMED: its header is none, for this reason. */
settle_status statement_refuse(const struct statement *statement, const char *reason, settle_error *error);

#endif
