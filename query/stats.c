/* stats.c — one pass over the journal that counts. Owns nothing beyond the call. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/status.h"
#include "query/internal.h"

void stats_free(struct stats *stats)
{
    free(stats->assets);
    *stats = (struct stats){0};
}

/* The row of an asset, by its id: rows are few and sorted. NULL: not declared. */
static struct stats_asset *asset_row(struct stats *stats, uint32_t id)
{
    size_t low = 0, high = stats->asset_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stats->assets[middle].asset.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < stats->asset_count && stats->assets[low].asset.id == id ? &stats->assets[low] : NULL;
}

static settle_status count_asset(struct stats *stats, const settle_asset *asset, settle_error *error)
{
    if (asset_row(stats, asset->id) != NULL)
        return SETTLE_OK;
    struct stats_asset *rows = realloc(stats->assets, (stats->asset_count + 1) * sizeof *rows);
    if (rows == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for assets");
    size_t at = stats->asset_count;
    for (; at > 0 && rows[at - 1].asset.id > asset->id; at--)
        rows[at] = rows[at - 1];
    rows[at] = (struct stats_asset){.asset = *asset};
    stats->assets = rows;
    stats->asset_count++;
    return SETTLE_OK;
}

static void count_consumed(struct stats *stats, const struct record *record)
{
    uint64_t ts_ms = record->u.consumed.ts_ms;
    if (stats->counts.events == 0) {
        stats->first_us = record->time_us;
        stats->ts_ms_min = stats->ts_ms_max = ts_ms;
    }
    stats->last_us = record->time_us;
    if (ts_ms < stats->ts_ms_min)
        stats->ts_ms_min = ts_ms;
    if (ts_ms > stats->ts_ms_max)
        stats->ts_ms_max = ts_ms;
    stats->counts.events++;
}

static void count_accepted(struct stats *stats, const settle_event *event, const struct record_validated *validated)
{
    uint32_t assets[2] = {event->u.transfer.asset, 0};
    if (event->type == SETTLE_TRADE) {
        assets[0] = event->u.trade.base;
        assets[1] = event->u.trade.quote;
    }
    for (int i = 0; i < 2; i++) {
        struct stats_asset *row = asset_row(stats, assets[i]);
        if (row == NULL)
            continue;
        row->deposits += event->type == SETTLE_DEPOSIT;
        row->withdrawals += event->type == SETTLE_WITHDRAWAL;
        row->trades += event->type == SETTLE_TRADE;
    }
    for (uint32_t i = 0; i < validated->leg_count; i++) {
        struct stats_asset *row = asset_row(stats, validated->legs[i].asset);
        if (row == NULL)
            continue;
        row->changes++;
        if (validated->legs[i].version == 1) {
            row->balances++;
            stats->counts.accounts++;
        }
    }
}

static void count_decision(struct stats *stats, const struct record *consumed, const struct record *decided)
{
    const settle_event *event = &consumed->u.consumed;
    uint64_t *outcomes = stats->events[event->type];
    switch (decided->kind) {
    case RECORD_VALIDATED:
        outcomes[SETTLE_ACCEPTED]++;
        count_accepted(stats, event, &decided->u.validated);
        break;
    case RECORD_REJECTED:
        outcomes[SETTLE_REJECTED]++;
        stats->reasons[decided->u.rejected]++;
        break;
    case RECORD_DUPLICATE: outcomes[SETTLE_DUPLICATE]++; break;
    case RECORD_CONFLICT: outcomes[SETTLE_CONFLICT]++; break;
    default: assert(false); break; /* the reader has checked that a decision stands here */
    }
    if (decided->kind == RECORD_VALIDATED || decided->kind == RECORD_REJECTED)
        stats->counts.ids++;
}

static settle_status count_frame(struct stats *stats, const struct frame *frame, settle_error *error)
{
    struct record record, decided;
    size_t offset = 0;
    settle_status status = SETTLE_OK;
    stats->counts.frames++;
    stats->counts.records += frame->record_count;
    stats->journal_bytes += frame->length_bytes;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, &record)) {
        if (record.kind == RECORD_ASSET) {
            status = count_asset(stats, &record.u.asset, error);
        } else if (record.kind == RECORD_CONSUMED) {
            bool has_decision = frame_next_record(frame, &offset, &decided);
            assert(has_decision);
            count_consumed(stats, &record);
            count_decision(stats, &record, &decided);
        }
    }
    return status;
}

settle_status query_stats(const char *directory, struct stats *ret_stats, settle_error *error)
{
    struct stats stats = {0};
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_OK)
        status = journal_reader_open(data_fd, &mem_libc, &reader, error);
    if (status == SETTLE_OK) {
        journal_reader_begin(reader, &point);
        while (status == SETTLE_OK && (status = journal_reader_next(reader, &point, &frame, error)) == SETTLE_OK)
            status = count_frame(&stats, &frame, error);
    }
    if (status == SETTLE_E_END) {
        stats.counts.segments = journal_reader_segments(reader)->count;
        stats.counts.torn_bytes = journal_reader_tail(reader)->torn_bytes;
        stats.journal_bytes += stats.counts.segments * SEGMENT_HEADER_BYTES;
        *ret_stats = stats;
        status = SETTLE_OK;
    } else {
        stats_free(&stats);
    }
    journal_reader_close(reader);
    file_close(data_fd);
    return status;
}
