/*
 * ingest_scan.h — lines for the scanner's tests, written readably.
 *
 *     "{'type':'deposit','ts':@-1,…}"
 *
 * Each ' stands for a ", and the first @ marks the byte that a fault must point at; it is no byte of the line. Every
 * line is scanned from a block of its exact size, with a scratch of its exact size, so that AddressSanitizer sees each
 * step outside.
 */
#ifndef TESTS_LIB_INGEST_SCAN_H
#define TESTS_LIB_INGEST_SCAN_H

#include "ingest/ingest.h"

struct scanned {
    char *line, *scratch; /* what the event's texts borrow */
    size_t bytes;
    bool is_good;
    enum scan_kind kind;
    settle_event event;
    settle_asset asset;
    struct scan_fault fault;
    size_t marked; /* 1-based byte of the mark, 0 = none */
};

/* BTC is asset 1 with scale 8, USDT 2 with 6, WEI 3 with 18, INT 4294967295 with 0, A.1 5 with 2. Nothing else is
 * declared. */
const settle_asset *ingest_scan_asset(void *context, const struct scan_asset *name);

/* Scans the bytes as they are; free with ingest_scan_free(). */
struct scanned ingest_scan_bytes(const void *line, size_t bytes);
/* Scans a line in the notation above. */
struct scanned ingest_scan(const char *text);
void ingest_scan_free(struct scanned *scanned);

#endif
