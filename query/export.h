/*
 * export.h — what the files of export share: one walk over the journal, and a writer for each format that is told what
 * it meets.
 */
#ifndef QUERY_EXPORT_H
#define QUERY_EXPORT_H

#include "query/internal.h"

/* One arrival, with what its records leave out. */
struct export_event {
    uint64_t seq, consumed_us;
    const settle_event *event;
    const struct record *decided;
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    uint64_t persisted_us; /* 0: not recorded, or the writer does not ask for it */
};

struct export_writer {
    bool asks_persisted;
    void (*begin)(struct out *out, const struct journal_reader *reader);
    void (*asset)(struct out *out, const settle_asset *asset);
    /* False: it names an asset that the journal has not declared, where only one can be. */
    bool (*event)(struct out *out, const struct registry *names, const struct export_event *event);
};

extern const struct export_writer export_hledger, export_csv, export_events;

/* One cell, quoted where RFC 4180 asks for it. */
void csv_cell(struct out *out, settle_text text);

#endif
