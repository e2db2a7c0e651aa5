/*
 * export.c — the journal in the formats of other programs: one walk from its first frame to the end that was durable
 * when the walk began, in bounded memory. The store is not asked.
 *
 * When an event was persisted stands in a later frame: a second cursor runs ahead and finds it, so that nothing has to
 * be held back. Owns the two readers and the names of the assets met so far.
 */
#include "query/export.h"

#include <assert.h>
#include <string.h>

#include "journal/base/status.h"

struct export_walk {
    const struct export_options *options;
    const struct export_writer *writer;
    struct out *out;
    int data_fd;
    struct journal_reader *reader, *ahead;
    struct journal_point point, ahead_point;
    bool ahead_is_at_end;
    struct record_persisted persisted; /* the last one that `ahead` met */
    struct registry names;
    struct export_progress progress;
};

bool export_format_parse(const char *name, enum export_format *ret_format)
{
    static const char *const names[] = {[EXPORT_HLEDGER] = "hledger", [EXPORT_CSV] = "csv", [EXPORT_EVENTS] = "events"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *ret_format = (enum export_format)i;
        return true;
    }
    return false;
}

/* ---- When it was persisted ---- */

static void note_persisted(struct export_walk *w, const struct frame *frame)
{
    struct record record;
    size_t offset = 0;
    while (frame_next_record(frame, &offset, &record)) {
        if (record.kind != RECORD_PERSISTED)
            continue;
        w->persisted = record.u.persisted;
        return;
    }
    assert(false); /* the reader has read its numbers out of the frame */
}

static settle_status find_persisted(struct export_walk *w, uint64_t seq, uint64_t *ret_time_us, settle_error *error)
{
    struct frame frame;
    while (w->persisted.last_seq < seq && !w->ahead_is_at_end) {
        settle_status status = journal_reader_next(w->ahead, &w->ahead_point, &frame, error);
        if (status == SETTLE_E_END)
            w->ahead_is_at_end = true;
        else if (status != SETTLE_OK)
            return status;
        else if (frame.persisted_last_seq != 0)
            note_persisted(w, &frame);
    }
    bool is_known = w->persisted.first_seq <= seq && seq <= w->persisted.last_seq;
    *ret_time_us = is_known ? w->persisted.time_us : 0;
    return SETTLE_OK;
}

/* ---- The walk ---- */

static settle_status export_walk_asset(struct export_walk *w, const struct record *record, settle_error *error)
{
    size_t known = w->names.asset_count;
    settle_status status = registry_asset_add(&w->names, &record->u.asset, error);
    if (status == SETTLE_E_CONFLICT)
        return fail(error, SETTLE_E_CORRUPT, "asset %s is declared again with other values", record->u.asset.symbol);
    if (status == SETTLE_OK && w->names.asset_count != known)
        w->writer->asset(w->out, &record->u.asset);
    return status;
}

static settle_status export_walk_event(struct export_walk *w, const struct record *consumed,
                                       const struct record *decided, settle_error *error)
{
    struct export_event event = {
        .seq = consumed->seq, .consumed_us = consumed->time_us, .event = &consumed->u.consumed, .decided = decided};
    settle_event_id_format(event.event, event.event_id);
    settle_status status = SETTLE_OK;
    if (w->writer->asks_persisted)
        status = find_persisted(w, event.seq, &event.persisted_us, error);
    if (status != SETTLE_OK)
        return status;
    w->progress.events++;
    if (w->writer->event(w->out, &w->names, &event))
        return SETTLE_OK;
    uint64_t offset = 0;
    const char *segment = journal_reader_place(w->reader, consumed->position, &offset);
    return fail_at(error, SETTLE_E_CORRUPT, segment, offset, event.seq, "a balance of an asset that is not declared");
}

static settle_status export_walk_frame(struct export_walk *w, const struct frame *frame, settle_error *error)
{
    struct record record, decided;
    size_t offset = 0;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, &record)) {
        if (record.kind == RECORD_ASSET) {
            status = export_walk_asset(w, &record, error);
        } else if (record.kind == RECORD_CONSUMED) {
            bool has_decision = frame_next_record(frame, &offset, &decided);
            assert(has_decision);
            status = export_walk_event(w, &record, &decided, error);
        }
    }
    return status;
}

static settle_status export_walk_run(struct export_walk *w, settle_error *error)
{
    struct frame frame;
    settle_status status = SETTLE_OK;
    w->writer->begin(w->out, w->reader);
    while (w->out->failed_errno == 0) {
        status = journal_reader_next(w->reader, &w->point, &frame, error);
        if (status == SETTLE_OK)
            status = export_walk_frame(w, &frame, error);
        if (status != SETTLE_OK)
            break;
        w->progress.bytes_done = w->point.position;
        if (w->options->go_on != NULL && !w->options->go_on(w->options->context, &w->progress))
            break;
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

static settle_status export_walk_open(struct export_walk *w, const char *directory, settle_error *error)
{
    settle_status status = dir_open(directory, false, &w->data_fd, error);
    if (status == SETTLE_OK)
        status = view_reader_open(w->data_fd, &mem_libc, &w->reader, error);
    if (status != SETTLE_OK)
        return status;
    journal_reader_begin(w->reader, &w->point);
    if (w->writer->asks_persisted) { /* opened second: it sees at least as much */
        status = view_reader_open(w->data_fd, &mem_libc, &w->ahead, error);
        if (status == SETTLE_OK)
            journal_reader_begin(w->ahead, &w->ahead_point);
    }
    return status;
}

/* How far the journal goes. The view knows it without reading more than the tail, where there is a store. */
static settle_status measure(struct export_walk *w, const char *directory, settle_error *error)
{
    struct query *query = NULL;
    settle_status status = query_open(directory, &query, error);
    if (status == SETTLE_OK)
        w->progress.bytes_total = query->view.end.position;
    query_close(query);
    return status;
}

settle_status query_export(const char *directory, const struct export_options *options, struct out *out,
                           settle_error *error)
{
    static const struct export_writer *const writers[] = {
        [EXPORT_HLEDGER] = &export_hledger, [EXPORT_CSV] = &export_csv, [EXPORT_EVENTS] = &export_events};
    assert((size_t)options->format < sizeof writers / sizeof writers[0]);
    struct export_walk w = {
        .options = options, .writer = writers[options->format], .out = out, .data_fd = -1, .names = {.mem = &mem_libc}};
    settle_status status = options->measures ? measure(&w, directory, error) : SETTLE_OK;
    if (status == SETTLE_OK)
        status = export_walk_open(&w, directory, error);
    if (status == SETTLE_OK)
        status = export_walk_run(&w, error);
    registry_deinit(&w.names);
    journal_reader_close(w.ahead);
    journal_reader_close(w.reader);
    file_close(w.data_fd);
    return status;
}
