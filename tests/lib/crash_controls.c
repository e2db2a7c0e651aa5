/* crash_controls.c — calls of a recording dropped, or made later than they were. */
#include "tests/lib/crash_controls.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/crash_run.h"
#include "tests/lib/plain.h"

static bool ends_with(const char *text, const char *end)
{
    size_t count = strlen(text), end_count = strlen(end);
    return count >= end_count && strcmp(text + count - end_count, end) == 0;
}

static const char *name_of(const struct disk_log *log, size_t i)
{
    return log->nodes[log->calls[i].node].name;
}

static bool is_segment_call(const struct disk_log *log, size_t i, enum disk_op op)
{
    return log->calls[i].op == op && ends_with(name_of(log, i), ".seg");
}

static void call_free(struct disk_call *call)
{
    free(call->bytes);
    free(call->name);
    free(call->to);
}

/* ---- Dropped ---- */

typedef bool (*is_dropped)(const struct disk_log *log, size_t i);

static void drop(struct disk_log *log, is_dropped is)
{
    size_t kept = log->first;
    bool *drops = calloc(log->count + 1, sizeof *drops);
    CHECK(drops != NULL);
    for (size_t i = log->first; i < log->count; i++)
        drops[i] = is(log, i);
    for (size_t i = log->first; i < log->count; i++) {
        if (drops[i])
            call_free(&log->calls[i]);
        else
            log->calls[kept++] = log->calls[i];
    }
    log->count = kept;
    free(drops);
}

static bool is_segment_sync(const struct disk_log *log, size_t i)
{
    return is_segment_call(log, i, DISK_SYNC);
}

static void drop_segment_syncs(struct disk_log *log)
{
    drop(log, is_segment_sync);
}

/* The sync of `journal/` behind the rename that gives a later segment its name. */
static bool is_segment_name_sync(const struct disk_log *log, size_t i)
{
    if (log->calls[i].op != DISK_SYNC_NAMES || strcmp(name_of(log, i), "journal") != 0)
        return false;
    while (i-- > log->first)
        if (log->calls[i].op == DISK_RENAME && ends_with(log->calls[i].to, ".seg"))
            return !ends_with(log->calls[i].to, "-000000.seg");
    return false;
}

static void drop_segment_name_syncs(struct disk_log *log)
{
    drop(log, is_segment_name_sync);
}

static bool is_archived_sync(const struct disk_log *log, size_t i)
{
    return log->calls[i].op == DISK_SYNC && ends_with(name_of(log, i), ".seg.zst");
}

static void drop_archived_syncs(struct disk_log *log)
{
    drop(log, is_archived_sync);
}

static bool is_lines_sync(const struct disk_log *log, size_t i)
{
    return log->calls[i].op == DISK_SYNC && strncmp(name_of(log, i), "settlement.log", strlen("settlement.log")) == 0;
}

static void drop_lines_syncs(struct disk_log *log)
{
    drop(log, is_lines_sync);
}

/* ---- Made in another order ---- */

static void move(struct disk_log *log, size_t from, size_t to)
{
    const struct disk_call call = log->calls[from];
    if (from > to)
        memmove(&log->calls[to + 1], &log->calls[to], (from - to) * sizeof call);
    else
        memmove(&log->calls[from], &log->calls[from + 1], (to - from) * sizeof call);
    log->calls[to] = call;
}

/* What was told to be durable behind the sync of a segment was told before it. */
static void acknowledge_early(struct disk_log *log)
{
    size_t sync = SIZE_MAX;
    for (size_t i = log->first; i < log->count; i++) {
        if (is_segment_call(log, i, DISK_SYNC)) {
            sync = i;
        } else if (sync != SIZE_MAX && log->calls[i].op == DISK_MARK && crash_mark_acknowledges(log->calls[i].offset)) {
            move(log, i, sync++);
        }
    }
}

static bool is_store_commit(const struct disk_log *log, size_t i)
{
    return log->calls[i].op == DISK_SYNC_RANGE && strcmp(name_of(log, i), "data.mdb") == 0;
}

/* What follows from a sync of the journal but the store: telling it, and the watermark. */
static bool tells(const struct disk_log *log, size_t i)
{
    if (log->calls[i].op == DISK_MARK)
        return crash_mark_acknowledges(log->calls[i].offset);
    return log->calls[i].op == DISK_WRITE && strcmp(name_of(log, i), "watermark") == 0;
}

/* The last sync of a segment before the store's commit comes behind it, and what it allows to tell too. */
static void commit_store_early(struct disk_log *log)
{
    for (size_t i = log->first; i < log->count; i++) {
        if (!is_segment_call(log, i, DISK_SYNC))
            continue;
        size_t end = i + 1;
        while (end < log->count && !is_store_commit(log, end) && !is_segment_call(log, end, DISK_SYNC) &&
               !is_segment_call(log, end, DISK_WRITE))
            end++;
        if (end == log->count || !is_store_commit(log, end))
            continue;
        size_t behind = end;
        for (size_t j = end; j-- > i;)
            if (j == i || tells(log, j))
                move(log, j, behind--);
        i = end;
    }
}

const struct crash_control crash_controls[CRASH_CONTROLS] = {
    {"acknowledges before the sync", acknowledge_early, false, "acknowledged"},
    {"does not sync the journal", drop_segment_syncs, false, ""},
    {"does not sync the directory behind a new segment", drop_segment_name_syncs, false, ""},
    {"commits the store before the journal is synced", commit_store_early, false, "SETTLE_E_CORRUPT"},
    {"removes a segment before the archived one is synced", drop_archived_syncs, false, ""},
    {"saves the position of lines that are not synced", drop_lines_syncs, false, "line"},
    {"acknowledges before the sync, once it has recovered", acknowledge_early, true, "acknowledged"},
    {"does not sync what it recovers", drop_segment_syncs, true, ""},
};
