/*
 * view.c — checkpoint plus tail. The tail is folded once, when the view opens; ids in it are looked for by scanning, since
 * most are asked for once.
 */
#include "engine/view.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "engine/positions.h"
#include "journal/base/status.h"

static settle_status take_asset(void *context, const settle_asset *asset, settle_error *error)
{
    return registry_asset_add(context, asset, error);
}

/* Opens the snapshot and reads its meta; a store that fails here is done without. */
static settle_status snapshot_prepare(struct view *v, settle_error *error)
{
    settle_status status = store_snapshot_open(v->store, &v->snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(v->snapshot, &v->meta, error);
    if (status == SETTLE_OK && v->meta.point.position != 0)
        v->tail = v->meta.point;
    if (status == SETTLE_OK)
        status = store_assets_walk(v->snapshot, take_asset, &v->names, error);
    return status;
}

static void store_do_without(struct view *v)
{
    store_snapshot_close(v->snapshot);
    if (v->owns_store)
        store_close(v->store);
    v->snapshot = NULL;
    v->store = NULL;
    registry_deinit(&v->names);
    v->names.mem = v->mem;
    journal_reader_begin(v->reader, &v->tail);
}

static settle_status tail_fold(struct view *v, settle_error *error)
{
    v->end = v->tail;
    settle_status status = projection_read(&v->overlay, v->reader, &v->end, UINT64_MAX, error);
    if (status != SETTLE_E_END)
        return status;
    status = SETTLE_OK;
    for (size_t i = 0; i < v->overlay.names.asset_count && status == SETTLE_OK; i++)
        status = registry_asset_add(&v->names, &v->overlay.names.assets[i], error);
    return status;
}

/* With reader and (perhaps) store open. */
static settle_status view_prepare(struct view *v, settle_error *error)
{
    v->names.mem = v->mem;
    journal_reader_begin(v->reader, &v->tail);
    settle_status status = projection_init(&v->overlay, v->mem, false);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for a view");
    if (v->store != NULL) {
        settle_error cause = {.status = SETTLE_OK};
        status = snapshot_prepare(v, &cause);
        if (status == SETTLE_E_CORRUPT || store_is_in_use(status, &cause)) {
            v->store_fault = cause;
            store_do_without(v);
        } else if (status != SETTLE_OK) {
            if (error != NULL)
                *error = cause;
            return status;
        }
    }
    /* A writer may have gone on since the reader looked: what it tells now covers the snapshot. */
    status = journal_reader_refresh(v->reader, error);
    if (status != SETTLE_OK)
        return status;
    /* The journal must hold what the store was made from, or all of its events at least: a torn frame without any is no loss. */
    struct journal_point stored = v->tail;
    settle_error lost = {.status = SETTLE_OK};
    status = journal_reader_confirm(v->reader, &stored, &lost);
    if (status == SETTLE_OK)
        return tail_fold(v, error);
    if (status == SETTLE_E_CORRUPT) {
        v->store_fault = lost;
        store_do_without(v);
        status = tail_fold(v, error);
        if (status != SETTLE_OK || v->end.next_seq >= stored.next_seq)
            return status;
    }
    if (error != NULL)
        *error = lost;
    return lost.status;
}

settle_status view_reader_open(int data_fd, const struct mem *mem, struct journal_reader **ret_reader,
                               settle_error *error)
{
    settle_status status = journal_reader_open(data_fd, mem, ret_reader, error);
    if (status == SETTLE_E_NOT_FOUND && file_exists_at(data_fd, "store"))
        return fail_at(error, SETTLE_E_CORRUPT, "journal", 0, 0,
                       "the journal is gone: the directory holds a store alone");
    return status;
}

settle_status view_open(const char *directory, struct view *ret_view, settle_error *error)
{
    struct view v = {.mem = &mem_libc, .data_fd = -1, .owns_store = true};
    settle_status status = dir_open(directory, false, &v.data_fd, error);
    if (status == SETTLE_OK)
        status = view_reader_open(v.data_fd, v.mem, &v.reader, error);
    if (status == SETTLE_OK) {
        settle_error cause = {.status = SETTLE_OK};
        status = store_open(v.data_fd, directory, false, journal_reader_id(v.reader), v.mem, &v.store, &cause);
        if (status == SETTLE_E_CORRUPT || status == SETTLE_E_NOT_FOUND || store_is_in_use(status, &cause)) {
            v.store_fault = cause;
            v.store_fault.status = status;
            v.store = NULL;
            status = SETTLE_OK;
        } else if (status != SETTLE_OK && error != NULL) {
            *error = cause;
        }
    }
    if (status == SETTLE_OK)
        status = view_prepare(&v, error);
    if (status != SETTLE_OK) {
        view_close(&v);
        return status;
    }
    *ret_view = v;
    return SETTLE_OK;
}

settle_status view_attach(int borrow_data_fd, struct store *borrow_store, const struct mem *mem, struct view *ret_view,
                          settle_error *error)
{
    struct view v = {.mem = mem, .data_fd = -1, .store = borrow_store};
    settle_status status = journal_reader_open(borrow_data_fd, mem, &v.reader, error);
    if (status == SETTLE_OK)
        status = view_prepare(&v, error);
    if (status != SETTLE_OK) {
        view_close(&v);
        return status;
    }
    *ret_view = v;
    return SETTLE_OK;
}

void view_close(struct view *view)
{
    if (view->mem == NULL)
        return;
    store_snapshot_close(view->snapshot);
    if (view->owns_store)
        store_close(view->store);
    projection_deinit(&view->overlay);
    if (view->names.mem != NULL)
        registry_deinit(&view->names);
    journal_reader_close(view->reader);
    file_close(view->data_fd);
    *view = (struct view){.data_fd = -1};
}

settle_status view_forget_store(struct view *view, const settle_error *fault, settle_error *error)
{
    assert(view->store != NULL);
    view->store_fault = *fault;
    store_do_without(view);
    projection_clear(&view->overlay);
    settle_status status = journal_reader_refresh(view->reader, error);
    return status == SETTLE_OK ? tail_fold(view, error) : status;
}

const settle_asset *view_asset_by_id(const struct view *view, uint32_t id)
{
    return registry_asset_by_id(&view->names, id);
}

const settle_asset *view_asset_by_symbol(const struct view *view, settle_text symbol)
{
    return registry_asset_by_symbol(&view->names, symbol);
}

struct account_filter {
    struct accounts *accounts;
    uint64_t user;
    uint32_t asset;
};

static settle_status take_account(void *context, const struct account *account, settle_error *error)
{
    struct account_filter *filter = context;
    if ((filter->user != 0 && account->user != filter->user) || (filter->asset != 0 && account->asset != filter->asset))
        return SETTLE_OK;
    if (accounts_reserve(filter->accounts, 1) != SETTLE_OK)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the balances");
    *accounts_upsert(filter->accounts, account->user, account->asset) = *account;
    return SETTLE_OK;
}

settle_status view_accounts(struct view *view, uint64_t user, uint32_t asset, struct accounts *accounts,
                            settle_error *error)
{
    struct account_filter filter = {accounts, user, asset};
    settle_status status = SETTLE_OK;
    if (view->store != NULL)
        status = store_accounts_walk(view->snapshot, user, take_account, &filter, error);
    for (uint32_t i = 0; i < view->overlay.accounts.count && status == SETTLE_OK; i++)
        status = take_account(&filter, accounts_at(&view->overlay.accounts, i), error);
    return status;
}

/* In the tail, by scanning. */
static settle_status tail_find(struct view *v, const struct event_key *key, uint64_t *ret_position, settle_error *error)
{
    struct journal_point at = v->tail;
    while (at.position < v->end.position) {
        struct frame frame;
        settle_status status = journal_reader_next(v->reader, &at, &frame, error);
        if (status != SETTLE_OK)
            return status;
        size_t offset = 0;
        struct record record;
        while (frame_next_record(&frame, &offset, &record)) {
            if (record.kind != RECORD_CONSUMED)
                continue;
            struct event_key other;
            event_key_of(&record.u.consumed, &other);
            if (!event_key_equal(key, &other))
                continue;
            *ret_position = record.position;
            return SETTLE_OK;
        }
    }
    return SETTLE_E_NOT_FOUND;
}

settle_status view_find_event(struct view *view, const struct event_key *key, uint64_t *ret_position,
                              settle_error *error)
{
    settle_status status = SETTLE_E_NOT_FOUND;
    if (view->store != NULL)
        status = store_id_get(view->snapshot, key, ret_position, error);
    if (status == SETTLE_E_NOT_FOUND)
        status = tail_find(view, key, ret_position, error);
    return status == SETTLE_E_NOT_FOUND ? fail(error, status, "no event has this id") : status;
}

settle_status view_arrivals(struct view *view, uint64_t first_position, uint64_t **ret_positions, size_t *ret_count,
                            settle_error *error)
{
    struct positions list = {view->mem, NULL, 0, 0};
    settle_status status = SETTLE_OK;
    if (view->store != NULL)
        status = store_arrivals_walk(view->snapshot, first_position, positions_add, &list, error);
    for (size_t i = 0; i < view->overlay.arrival_count && status == SETTLE_OK; i++)
        if (view->overlay.arrivals[i].first_position == first_position)
            status = positions_add(&list, view->overlay.arrivals[i].position, error);
    if (status != SETTLE_OK) {
        mem_free(view->mem, list.at);
        return status;
    }
    *ret_positions = list.at;
    *ret_count = list.count;
    return SETTLE_OK;
}
