/*
 * ingest.h — bytes to events: the strict scanner, sources, and the loop that feeds an engine.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include <signal.h>
#include <stdbool.h>

#include <settle/settle.h>

#define INGEST_LINE_BYTES_MAX 4096

/* ---- The scanner: one line → one event or asset declaration. Pure; ingest/scan.c ---------------------------------------- */

/* An asset as a line names it. */
struct scan_asset {
    uint32_t id;        /* 0: by symbol */
    settle_text symbol; /* borrows the scan's buffers */
};

enum scan_kind { SCAN_BLANK, SCAN_EVENT, SCAN_ASSET };

struct scan_fault {
    size_t byte;        /* 1-based position in the line */
    char reason[128];   /* a short sentence without the position: "unknown member \"foo\"" */
};

/* How the scanner turns asset names into assets: amounts need the scale. NULL: not declared. */
typedef const settle_asset *(*scan_find_asset)(void *context, const struct scan_asset *name);

/*
 * Scans one line without its newline. SCAN_EVENT: *ret_event, whose texts borrow `line` or `scratch` (INGEST_LINE_BYTES_MAX
 * bytes, for strings with escapes). SCAN_ASSET: *ret_asset. Returns false and fills *ret_fault where the line is malformed:
 * anything docs/events.md does not allow, an undeclared asset included.
 */
bool scan_line(const char *line, size_t bytes, char *scratch, scan_find_asset find_asset, void *context,
               enum scan_kind *ret_kind, settle_event *ret_event, settle_asset *ret_asset, struct scan_fault *ret_fault);

/* ---- The loop; ingest/loop.c ----------------------------------------------------------------------------------------------- */

struct ingest_counts {
    uint64_t lines, events, accepted, rejected, duplicate, conflict, malformed;
    uint64_t first_seq, last_seq; /* 0: no event */
    uint64_t bytes_read;
};

/* A malformed line, told as it is found. */
struct ingest_malformed {
    const char *source; /* path as given, "-" for standard input */
    uint64_t line;      /* 1-based */
    size_t byte;        /* 1-based */
    const char *reason;
};

enum ingest_format {
    INGEST_NDJSON,
    INGEST_CSV, /* every source begins with a header of its own; ingest/scan_csv.h */
};

struct ingest_options {
    const char *const *paths; /* "-" = standard input */
    size_t path_count;        /* 0 = standard input */
    enum ingest_format format;
    bool resume;
    const char *reject_directory;      /* where the reject file goes; created when first needed */
    const volatile sig_atomic_t *stop; /* not 0: finish what was read and return */
    /* Called from the loop's thread. progress about five times a second; bytes_total 0 = unknown. Each may be NULL. */
    void (*malformed)(void *context, const struct ingest_malformed *malformed);
    void (*progress)(void *context, const struct ingest_counts *counts, uint64_t bytes_total);
    void *context;
};

struct ingest_result {
    struct ingest_counts counts;
    char reject_path[4096]; /* "" when no line was malformed */
};

/*
 * Reads every source to its end (or to the stop flag), submits its events, waits until all are durable and recorded as
 * PERSISTED. When input pauses, what was read is committed at once. Events that were submitted are counted in
 * *ret_result also on failure. Errors: those of the engine; SETTLE_E_NOT_FOUND, SETTLE_E_IO … for a source or the reject
 * file, whose path is in the error; SETTLE_E_MALFORMED for a source of CSV without a header, of which nothing is read.
 */
settle_status ingest_run(settle *engine, const struct ingest_options *options, struct ingest_result *ret_result,
                         settle_error *error);

#endif
