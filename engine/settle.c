/*
 * settle.c — opening, recovering and closing an engine.
 *
 * Opening, in order: take the lock; walk the journal from the beginning of the segment that holds the store's point to its
 * end, checking everything; only then change anything: cut a torn tail, bring the store up to the end, load the balances,
 * record what lacks its PERSISTED. Closing is the same way back.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/snapshot.h"
#include "journal/archive.h"
#include "journal/base/bytes.h"
#include "journal/base/status.h"
#include "journal/recover.h"
#include "journal/watermark.h"

/* ---- Options ---- */

static settle_status options_take(const settle_options *given, settle_options *ret_options, settle_error *error)
{
    settle_options options;
    settle_options_init(&options);
    if (given != NULL) {
        if (given->size_bytes == 0 || given->size_bytes > sizeof options)
            return fail(error, SETTLE_E_INVALID, "settle_options: size_bytes is not what this version's "
                                                 "settle_options_init() sets");
        memcpy(&options, given, given->size_bytes);
    }
    if (options.segment_bytes < SEGMENT_BYTES_MIN || options.segment_bytes > SEGMENT_BYTES_MAX)
        return fail(error, SETTLE_E_INVALID, "segment_bytes: 16384 to 2^30");
    if (options.commit_events_max == 0 || options.commit_events_max > 65536 || options.commit_interval_us_max > 60000000)
        return fail(error, SETTLE_E_INVALID, "commit_events_max: 1 to 65536; commit_interval_us_max: at most 60000000");
    if (options.checkpoint_interval_ms == 0 || options.checkpoint_events_max == 0 ||
        options.checkpoint_events_max > 4194304)
        return fail(error, SETTLE_E_INVALID, "checkpoint_interval_ms: at least 1; checkpoint_events_max: 1 to 4194304");
    *ret_options = options;
    return SETTLE_OK;
}

static struct mem options_mem(const settle_options *options)
{
    return options->reallocate == NULL ? mem_libc : (struct mem){options->reallocate, options->context};
}

static struct clock options_clock(const settle_options *options)
{
    return (struct clock){.now_us = options->clock_us != NULL ? options->clock_us : clock_system_us,
                          .context = options->context};
}

/* ---- Creating ---- */

static settle_status directory_prepare(const char *directory, const settle_options *options, bool must_be_new,
                                       int *ret_data_fd, int *ret_lock_fd, settle_error *error)
{
    int data_fd = -1, lock_fd = -1;
    struct mem mem = options_mem(options);
    settle_status status = dir_open(directory, true, &data_fd, error);
    if (status == SETTLE_OK)
        status = lock_take_at(data_fd, &lock_fd, error);
    bool exists = false, is_orphaned = false;
    if (status == SETTLE_OK)
        status = journal_exists(data_fd, &mem, &exists, error);
    if (status == SETTLE_OK && !exists)
        status = projection_exists(data_fd, &is_orphaned, error);
    if (exists) {
        if (must_be_new)
            status = fail(error, SETTLE_E_EXISTS, "%s already holds a journal", directory);
        else /* its maker may have been killed before the name was on the disk; no store is to be there without it */
            status = journal_sync_names(data_fd, error);
    } else if (is_orphaned) {
        /* A store is only ever made behind a journal. A new one in its place would be a quiet loss of everything. */
        status = fail_at(error, SETTLE_E_CORRUPT, "journal", 0, 0, "%s has lost its journal: it holds a store or an archive alone",
                         directory);
    } else if (status == SETTLE_OK) {
        struct clock clock = options_clock(options);
        status = journal_create(data_fd, &mem, options->segment_bytes, clock_now_us(&clock), error);
        if (status == SETTLE_OK) /* whoever made the directory, and whenever */
            status = dir_sync_parent(directory, error);
    }
    if (status != SETTLE_OK) {
        file_close(lock_fd);
        file_close(data_fd);
        return status;
    }
    *ret_data_fd = data_fd;
    *ret_lock_fd = lock_fd;
    return SETTLE_OK;
}

settle_status settle_create(const char *directory, const settle_options *options, settle_error *error)
{
    settle_options taken;
    int data_fd = -1, lock_fd = -1;
    if (directory == NULL)
        return fail(error, SETTLE_E_INVALID, "no directory given");
    settle_status status = options_take(options, &taken, error);
    if (status == SETTLE_OK)
        status = directory_prepare(directory, &taken, true, &data_fd, &lock_fd, error);
    file_close(lock_fd);
    file_close(data_fd);
    return status;
}

/* ---- Opening ---- */

/* Opens the store; one that is damaged or belongs elsewhere is set aside. */
static settle_status store_prepare(settle *e, settle_error *error)
{
    const uint8_t *id = journal_reader_id(e->follower);
    settle_error cause = {.status = SETTLE_OK};
    settle_status status = store_open(e->data_fd, e->directory, true, id, &e->mem, &e->store, &cause);
    if (status == SETTLE_E_CORRUPT) {
        char name[32];
        status = store_set_aside(e->data_fd, name, error);
        if (status != SETTLE_OK)
            return status;
        engine_log(e, SETTLE_LOG_WARNING, "the store cannot be used (%s); it is kept as %s and rebuilt from the journal",
                   cause.text, name);
        return store_open(e->data_fd, e->directory, true, id, &e->mem, &e->store, error);
    }
    if (status != SETTLE_OK && error != NULL)
        *error = cause;
    return status;
}

static bool point_is_same(const struct journal_point *a, const struct journal_point *b)
{
    return a->position == b->position && a->next_seq == b->next_seq && a->chain == b->chain;
}

/*
 * Walks from the beginning of the segment that holds the store's point to the journal's end. Changes nothing. The point
 * must lie on the way, and the writer before this one must not have told of more: a journal that ends sooner, or goes
 * another way, has lost what was acknowledged. SETTLE_E_CONFLICT: only the store is ahead, and by no event.
 */
static settle_status journal_walk(settle *e, struct journal_point *ret_end, settle_error *error)
{
    struct journal_point at;
    struct frame frame;
    settle_status status = journal_reader_begin_segment(e->follower, e->applied.position, &at, error);
    bool is_met = false;
    while (status == SETTLE_OK) {
        if (point_is_same(&at, &e->applied)) {
            is_met = true;
            at.persisted_seq = e->applied.persisted_seq; /* the walk may have met no PERSISTED record yet */
        }
        status = journal_reader_next(e->follower, &at, &frame, error);
    }
    if (status != SETTLE_E_END)
        return status;
    *ret_end = at;
    /* A torn frame is cut, also one that the writer before told of: the message says so. */
    bool is_torn = journal_reader_tail(e->follower)->torn_position != 0;
    if (is_met && (at.position >= e->acknowledged_position || is_torn))
        return SETTLE_OK;
    if (!is_met && is_torn && at.next_seq >= e->applied.next_seq)
        return SETTLE_E_CONFLICT; /* the torn frame had no event: the store is to be made anew */
    uint64_t offset = 0;
    char file[SEGMENT_PLACE_BYTES];
    journal_reader_file(e->follower, at.position, file, &offset);
    if (!is_met)
        return fail_at(error, SETTLE_E_CORRUPT, file, offset, at.next_seq,
                       "the journal ends here, but events up to %" PRIu64 " were acknowledged", e->applied.next_seq - 1);
    return fail_at(error, SETTLE_E_CORRUPT, file, offset, at.next_seq,
                   "the journal ends here, but journal/watermark tells of %" PRIu64 " bytes behind it that were acknowledged",
                   e->acknowledged_position - at.position);
}

static settle_status tail_cut(settle *e, settle_error *error)
{
    const struct journal_tail *tail = journal_reader_tail(e->follower);
    if (tail->torn_position == 0)
        return SETTLE_OK;
    uint64_t offset = 0;
    char copy[SEGMENT_NAME_BYTES + 32];
    const char *segment = journal_reader_place(e->follower, tail->torn_position, &offset);
    settle_status status = SETTLE_OK;
    bool is_lost = tail->torn_position < e->acknowledged_position;
    if (is_lost) {
        engine_log(e, SETTLE_LOG_WARNING,
                   "THE DISK HAS LOST WHAT WAS ACKNOWLEDGED: journal/watermark tells of the torn frame at %s:%" PRIu64, segment,
                   offset);
        /* It was told. Whoever walks the journal once more, for a new store, must not miss the frame again; nor whoever opens it
         * behind a crash, which may come once the frame is gone. */
        status = watermark_lower(e->data_fd, tail->torn_position, error);
        e->acknowledged_position = tail->torn_position;
    }
    if (status == SETTLE_OK)
        status = journal_cut_tail(e->data_fd, segment, offset, tail->torn_bytes, copy, error);
    if (status == SETTLE_OK)
        engine_log(e, SETTLE_LOG_WARNING, "a torn frame of %" PRIu64 " bytes at %s:%" PRIu64 " was cut%s; it is kept as journal/%s",
                   tail->torn_bytes, segment, offset, is_lost ? "" : "; nothing in it was acknowledged", copy);
    return status;
}

/* Visitors that load the store into memory. */
static settle_status load_account(void *context, const struct account *account, settle_error *error)
{
    settle *e = context;
    if (accounts_reserve(&e->accounts, 1) != SETTLE_OK)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for the balances");
    *accounts_upsert(&e->accounts, account->user, account->asset) = *account;
    return SETTLE_OK;
}

static settle_status load_asset(void *context, const settle_asset *asset, settle_error *error)
{
    return registry_asset_add(&((settle *)context)->names, asset, error);
}

static settle_status load_source(void *context, const struct source_entry *entry, settle_error *error)
{
    settle *e = context;
    uint32_t number = registry_source_number(&e->names, (settle_text){entry->name, entry->name_bytes});
    if (number == 0)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a source");
    e->names.sources[number - 1].offset_bytes = entry->offset_bytes;
    e->names.sources[number - 1].line = entry->line;
    return SETTLE_OK;
}

static settle_status store_load(settle *e, settle_error *error)
{
    settle_status status = store_snapshot_open(e->store, &e->snapshot, error);
    if (status == SETTLE_OK)
        status = store_accounts_walk(e->snapshot, 0, load_account, e, error);
    if (status == SETTLE_OK)
        status = store_assets_walk(e->snapshot, load_asset, e, error);
    if (status == SETTLE_OK)
        status = store_sources_walk(e->snapshot, load_source, e, error);
    if (status == SETTLE_OK)
        store_snapshot_rest(e->snapshot);
    return status;
}

/* What the store's meta says; a store that is new begins where the journal does. */
static settle_status applied_load(settle *e, settle_error *error)
{
    struct store_snapshot *snapshot = NULL;
    struct store_meta meta;
    settle_status status = store_snapshot_open(e->store, &snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(snapshot, &meta, error);
    store_snapshot_close(snapshot);
    if (status != SETTLE_OK)
        return status;
    e->applied = meta.point;
    e->applied_bounds = meta.bounds;
    if (e->applied.position == 0)
        journal_reader_begin(e->follower, &e->applied);
    return SETTLE_OK;
}

/* Before a store is made anew or set aside, the whole journal must have been found good: a refusal changes nothing. */
static settle_status journal_walk_all(settle *e, struct journal_point *ret_end, settle_error *error)
{
    journal_reader_begin(e->follower, &e->applied);
    e->applied_bounds = (struct id_bounds){.natural_ts_ms = 0};
    return journal_walk(e, ret_end, error);
}

/* The store a copy of the archive's snapshot, and the journal walked from there. The archive's lock is held. */
static settle_status snapshot_adopt(settle *e, struct journal_point *ret_end, settle_error *error)
{
    const uint8_t *id = journal_reader_id(e->follower);
    struct store_meta meta;
    char name[32];
    settle_status status = snapshot_meta_read(e->data_fd, e->directory, id, &e->mem, &meta, error);
    if (status == SETTLE_OK && meta.point.position == 0)
        status = fail(error, SETTLE_E_NOT_FOUND, "it holds nothing yet");
    if (status == SETTLE_OK)
        status = journal_reader_confirm(e->follower, &meta.point, error);
    if (status != SETTLE_OK)
        return status;
    e->applied = meta.point;
    e->applied_bounds = meta.bounds;
    status = journal_walk(e, ret_end, error);
    if (status == SETTLE_OK && file_exists_at(e->data_fd, "store")) {
        status = store_set_aside(e->data_fd, name, error);
        if (status == SETTLE_OK)
            engine_log(e, SETTLE_LOG_WARNING, "the store cannot be used; it is kept as %s", name);
    }
    if (status == SETTLE_OK)
        status = snapshot_copy(e->data_fd, e->directory, id, &e->mem, error);
    if (status == SETTLE_OK)
        status = store_prepare(e, error);
    return status == SETTLE_OK ? applied_load(e, error) : status;
}

/* Where there is no store: one from the archive's snapshot, if that is there and can be believed. Else nothing has changed but
 * that a store which cannot be used may be set aside, and the whole journal is to be read. */
static bool snapshot_try(settle *e, struct journal_point *ret_end)
{
    int lock_fd = -1;
    settle_error cause = {.status = SETTLE_OK};
    if (!snapshot_exists(e->data_fd))
        return false;
    settle_status status = archive_lock_take(e->data_fd, &lock_fd, &cause);
    if (status == SETTLE_OK)
        status = snapshot_adopt(e, ret_end, &cause);
    file_close(lock_fd);
    if (status == SETTLE_OK) {
        engine_log(e, SETTLE_LOG_INFO, "the store is made from the archive's snapshot, which ends with event %" PRIu64,
                   e->applied.next_seq - 1);
        return true;
    }
    store_close(e->store);
    e->store = NULL;
    engine_log(e, SETTLE_LOG_WARNING, "the archive's snapshot is passed over (%s); the store is rebuilt from the whole journal",
               cause.text);
    return false;
}

/* Opens journal and store and walks the journal; changes nothing where that finds damage. */
static settle_status examine(settle *e, struct journal_point *ret_end, settle_error *error)
{
    settle_status status = journal_reader_open_own(e->data_fd, &e->mem, &e->follower, error);
    if (status != SETTLE_OK)
        return status;
    settle_status usable =
        store_open(e->data_fd, e->directory, false, journal_reader_id(e->follower), &e->mem, &e->store, NULL);
    if (usable == SETTLE_OK)
        store_close(e->store);
    e->store = NULL;
    if (usable == SETTLE_E_NOT_FOUND || usable == SETTLE_E_CORRUPT) {
        if (snapshot_try(e, ret_end))
            return SETTLE_OK;
        status = journal_walk_all(e, ret_end, error);
        return status == SETTLE_OK ? store_prepare(e, error) : status;
    }
    status = store_prepare(e, error);
    if (status == SETTLE_OK)
        status = applied_load(e, error);
    if (status == SETTLE_OK)
        status = journal_walk(e, ret_end, error);
    if (status != SETTLE_E_CONFLICT)
        return status;
    char name[32];
    store_close(e->store);
    e->store = NULL;
    status = journal_walk_all(e, ret_end, error);
    if (status == SETTLE_OK)
        status = store_set_aside(e->data_fd, name, error);
    if (status == SETTLE_OK)
        engine_log(e, SETTLE_LOG_WARNING, "the store is ahead of a torn frame without events; it is kept as %s and rebuilt", name);
    return status == SETTLE_OK ? store_prepare(e, error) : status;
}

/* Where the journal was not closed, a failed sync may be why: what it left in the cache alone is written again. */
static settle_status tail_rewrite(settle *e, const struct journal_point *end, settle_error *error)
{
    if (point_is_same(end, &e->applied))
        return SETTLE_OK;
    uint64_t offset = 0;
    const char *segment = journal_reader_place(e->follower, end->position, &offset);
    return journal_rewrite_tail(e->data_fd, segment, journal_reader_segment_bytes(e->follower), end, error);
}

/* From a locked directory to a store that holds all of its journal. */
static settle_status recover(settle *e, struct journal_point *ret_end, settle_error *error)
{
    struct watermark before = {.is_known = false};
    settle_status status = watermark_pause(e->data_fd, &before, error);
    e->acknowledged_position = before.position;
    if (status == SETTLE_OK)
        status = examine(e, ret_end, error);
    if (status == SETTLE_OK)
        status = tail_cut(e, error);
    if (status == SETTLE_OK)
        status = tail_rewrite(e, ret_end, error);
    /* Opening the writer syncs what a dead one left in the cache: from here on all of it is durable. */
    if (status == SETTLE_OK)
        status = journal_writer_open(e->data_fd, &e->mem, ret_end, &e->writer, error);
    if (status == SETTLE_OK) {
        e->own_position = ret_end->position;
        journal_reader_trust(e->follower, e->own_position);
    }
    uint64_t behind = status == SETTLE_OK ? ret_end->next_seq - e->applied.next_seq : 0;
    if (behind > 0)
        engine_log(e, SETTLE_LOG_INFO, "recovering: %" PRIu64 " events of the journal are not in the store yet", behind);
    if (status == SETTLE_OK)
        status = journal_reader_limit(e->follower, ret_end->position, error);
    if (status == SETTLE_OK)
        status = checkpoint_recover(e, error);
    return status;
}

/* A new store in place of a damaged one, to be filled from the journal, which is found good first. */
static settle_status store_anew(settle *e, struct journal_point *ret_end, settle_error *error)
{
    char name[32];
    settle_status status = journal_walk_all(e, ret_end, error);
    if (status == SETTLE_OK)
        status = store_set_aside(e->data_fd, name, error);
    if (status == SETTLE_OK)
        engine_log(e, SETTLE_LOG_WARNING, "the damaged store is kept as %s and rebuilt from the journal", name);
    return status == SETTLE_OK ? store_prepare(e, error) : status;
}

/* A store that turns out damaged while it is read is set aside too, once. */
static settle_status recover_and_load(settle *e, struct journal_point *ret_end, settle_error *error)
{
    for (int attempt = 0;; attempt++) {
        settle_error cause = {.status = SETTLE_OK};
        settle_status status = attempt == 0 ? recover(e, ret_end, &cause) : checkpoint_recover(e, &cause);
        if (status == SETTLE_OK)
            status = store_load(e, &cause);
        bool is_store = strncmp(cause.file, "store", 5) == 0;
        if (status != SETTLE_E_CORRUPT || !is_store || attempt > 0 || e->writer == NULL) {
            if (status != SETTLE_OK && error != NULL)
                *error = cause;
            return status;
        }
        store_snapshot_close(e->snapshot);
        e->snapshot = NULL;
        store_close(e->store);
        e->store = NULL;
        accounts_clear(&e->accounts);
        registry_deinit(&e->names);
        e->names.mem = &e->mem;
        engine_log(e, SETTLE_LOG_WARNING, "the store is damaged: %s", cause.text);
        status = store_anew(e, ret_end, error); /* from the whole journal: it may have been the snapshot's copy */
        if (status != SETTLE_OK)
            return status;
    }
}

static settle_status engine_init(settle *e, const settle_options *options, settle_error *error)
{
    pthread_condattr_t monotonic;
    e->options = *options;
    e->mem = options_mem(options);
    e->clock = options_clock(options);
    e->data_fd = e->lock_fd = -1;
    e->names.mem = &e->mem;
    pthread_mutex_init(&e->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->commit_wanted, &monotonic);
    pthread_cond_init(&e->checkpoint_wanted, &monotonic);
    pthread_cond_init(&e->progress, &monotonic);
    pthread_cond_init(&e->emitter.wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    settle_status status = accounts_init(&e->accounts, &e->mem, 0);
    if (status == SETTLE_OK)
        status = ids_init(&e->ids, &e->mem, (uint64_t)options->checkpoint_events_max * 4);
    if (status == SETTLE_OK)
        status = projection_init(&e->projection, &e->mem, true);
    return status == SETTLE_OK ? status : fail(error, status, "no memory for an engine");
}

/* Everything in memory goes on from the journal's end. */
static settle_status engine_continue(settle *e, const struct journal_point *end, settle_error *error)
{
    e->clock.last_us = end->time_us;
    e->next_seq = end->next_seq;
    e->durable_seq = end->next_seq - 1;
    e->durable_position = end->position;
    e->persisted_seq = end->persisted_seq == POINT_PERSISTED_UNKNOWN ? e->durable_seq : end->persisted_seq;
    e->persisted_durable_seq = e->persisted_seq;
    e->open_number = 1;
    e->open = &e->buffers[0];
    e->id_seed = get_u64(journal_writer_id(e->writer));
    settle_status status = journal_reader_open_own(e->data_fd, &e->mem, &e->lookup, error);
    for (int i = 0; i < 2 && status == SETTLE_OK; i++)
        status = frame_buffer_init(e->writer, &e->buffers[i], error);
    if (status == SETTLE_OK)
        status = commit_start(e, error);
    if (status == SETTLE_OK)
        status = checkpoint_start(e, error);
    return status == SETTLE_OK ? settle_flush(e, error) : status;
}

/* Damage that only came to light while the engine ran: the next open would meet it again, so it finds no store. */
static void store_give_up(settle *e)
{
    char name[32];
    if (e->latch.status == SETTLE_E_CORRUPT && strncmp(e->latch.file, "store", 5) == 0 &&
        store_set_aside(e->data_fd, name, NULL) == SETTLE_OK)
        engine_log(e, SETTLE_LOG_WARNING, "the damaged store is kept as %s; the next open rebuilds it from the journal", name);
}

static void engine_free(settle *e)
{
    for (int i = 0; i < 2; i++)
        if (e->writer != NULL)
            frame_buffer_deinit(e->writer, &e->buffers[i]);
    store_snapshot_close(e->snapshot);
    store_close(e->store);
    store_give_up(e);
    journal_reader_close(e->lookup);
    journal_reader_close(e->follower);
    journal_writer_close(e->writer);
    projection_deinit(&e->projection);
    accounts_deinit(&e->accounts);
    ids_deinit(&e->ids);
    registry_deinit(&e->names);
    struct mem mem = e->mem;
    mem_free(&mem, e->pending);
    mem_free(&mem, e->repeats);
    mem_free(&mem, e->directory);
    file_close(e->lock_fd);
    file_close(e->data_fd);
    pthread_cond_destroy(&e->emitter.wanted);
    pthread_cond_destroy(&e->progress);
    pthread_cond_destroy(&e->checkpoint_wanted);
    pthread_cond_destroy(&e->commit_wanted);
    pthread_mutex_destroy(&e->mutex);
    mem_free(&mem, e);
}

settle_status settle_open(const char *directory, const settle_options *options, settle **ret_engine,
                          settle_error *error)
{
    settle_options taken;
    if (directory == NULL || ret_engine == NULL)
        return fail(error, SETTLE_E_INVALID, "no directory given");
    settle_status status = options_take(options, &taken, error);
    if (status != SETTLE_OK)
        return status;
    struct mem mem = options_mem(&taken);
    settle *e = mem_alloc(&mem, 1, sizeof *e);
    if (e == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for an engine");
    struct journal_point end;
    status = engine_init(e, &taken, error);
    if (status == SETTLE_OK) {
        e->directory = mem_alloc(&mem, strlen(directory) + 1, 1);
        if (e->directory == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for an engine");
        else
            memcpy(e->directory, directory, strlen(directory) + 1);
    }
    if (status == SETTLE_OK)
        status = directory_prepare(directory, &taken, false, &e->data_fd, &e->lock_fd, error);
    if (status == SETTLE_OK)
        status = recover_and_load(e, &end, error);
    if (status == SETTLE_OK)
        status = engine_continue(e, &end, error);
    if (status != SETTLE_OK) {
        (void)settle_close(e, NULL);
        return status;
    }
    *ret_engine = e;
    engine_log(e, SETTLE_LOG_DEBUG, "the engine has started: %" PRIu64 " events in the journal, %zu assets", end.next_seq - 1,
               e->names.asset_count);
    return SETTLE_OK;
}

settle_status settle_close(settle *engine, settle_error *error)
{
    if (engine == NULL)
        return SETTLE_OK;
    settle_error fault = {.status = SETTLE_OK};
    commit_stop(engine);
    checkpoint_stop(engine); /* while the last lines are rendered */
    if (settle_lines_stop(engine, &fault) != SETTLE_OK)
        engine_log(engine, SETTLE_LOG_WARNING, "JSON lines are left for the next start: %s", fault.text);
    pthread_mutex_lock(&engine->mutex);
    settle_status status = engine_check(engine, error);
    engine_tell_latch(engine); /* the last checkpoint failed: the commit thread was gone by then */
    pthread_mutex_unlock(&engine->mutex);
    engine_free(engine);
    return status;
}

settle_status engine_view(settle *engine, struct view *ret_view, settle_error *error)
{
    pthread_mutex_lock(&engine->mutex);
    settle_status status = engine_check(engine, error);
    pthread_mutex_unlock(&engine->mutex);
    return status != SETTLE_OK ? status : view_attach(engine->data_fd, engine->store, &engine->mem, ret_view, error);
}

size_t settle_event_id_format(const settle_event *event, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1])
{
    struct event_key key;
    event_key_of(event, &key);
    return event_key_format(&key, ret_id);
}
