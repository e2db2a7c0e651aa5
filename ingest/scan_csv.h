/*
 * scan_csv.h — events as CSV (RFC 4180): a header that names members of docs/events.md, then one event or asset
 * declaration a row. An empty cell is a member that is absent. The second step of the scanner judges the members, so
 * that a row and a line of JSON mean the same.
 */
#ifndef INGEST_SCAN_CSV_H
#define INGEST_SCAN_CSV_H

#include "ingest/ingest.h"

#define CSV_COLUMNS_MAX 32

/* What the columns of a source are. */
struct csv_header {
    size_t count; /* 0: not read yet */
    unsigned char members[CSV_COLUMNS_MAX];
};

/*
 * One cell at `at`, of any table: *ret_text borrows the line, or the scratch (as long as the line) where it stands in
 * quotes. Returns the comma behind it, or `end`; NULL: malformed, and the fault says where and why.
 */
const char *csv_take_cell(const char *line, const char *at, const char *end, char *scratch, settle_text *ret_text,
                          struct scan_fault *ret_fault);

/* The first line, without its newline. False: it is none, and the fault says where and why. */
bool csv_scan_header(const char *line, size_t bytes, struct csv_header *ret_header, struct scan_fault *ret_fault);

/* As scan_line(). No cell spans lines: no member has a newline in it. */
bool csv_scan_row(const struct csv_header *header, const char *line, size_t bytes, char *scratch,
                  scan_find_asset find_asset, void *context, enum scan_kind *ret_kind, settle_event *ret_event,
                  settle_asset *ret_asset, struct scan_fault *ret_fault);

#endif
