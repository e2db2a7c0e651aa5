/*
 * snapshot.c — making, checking and copying the archive's snapshot.
 *
 * Owns nothing between calls. Invariant: the snapshot's point only moves forward, a transaction at a time, so that it is the
 * fold of the journal up to its point at every moment.
 */
#include "engine/snapshot.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engine/projection.h"
#include "engine/store_tables.h"
#include "journal/base/file.h"

#define REBUILD_DIRECTORY "store.partial"
#define EVENTS_A_BATCH 65536u
#define COPY_BYTES ((size_t)1 << 20)

bool snapshot_exists(int data_fd)
{
    return file_exists_at(data_fd, SNAPSHOT_DIRECTORY "/" STORE_DATA_FILE);
}

settle_status projection_exists(int data_fd, bool *ret_exists, settle_error *error)
{
    settle_status status = file_look_at(data_fd, STORE_DIRECTORY, ret_exists, error);
    if (status == SETTLE_OK && !*ret_exists)
        status = file_look_at(data_fd, SNAPSHOT_DIRECTORY "/" STORE_DATA_FILE, ret_exists, error);
    return status;
}

/* The store's code calls its files "store/…". */
static settle_status name_fault(const char *folder, settle_status status, settle_error *error)
{
    char file[sizeof error->file];
    if (status == SETTLE_OK || error == NULL || strncmp(error->file, STORE_DIRECTORY, strlen(STORE_DIRECTORY)) != 0)
        return status;
    snprintf(file, sizeof file, "%s/%.200s", folder, error->file);
    memcpy(error->file, file, sizeof file);
    return status;
}

/* The store that lies in `folder` of the data directory. */
static settle_status open_in(int data_fd, const char *directory, const char *folder, bool write,
                             const uint8_t journal_id[16], const struct mem *mem, struct store **ret_store,
                             settle_error *error)
{
    int fd = -1;
    size_t path_bytes = strlen(directory) + strlen(folder) + 2;
    char *path = mem_alloc(mem, path_bytes, 1);
    if (path == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a path");
    snprintf(path, path_bytes, "%s/%s", directory, folder);
    settle_status status = dir_open_at(data_fd, folder, write, &fd, error);
    if (status == SETTLE_OK)
        status = store_open(fd, path, write, journal_id, mem, ret_store, error);
    file_close(fd);
    mem_free(mem, path);
    return name_fault(folder, status, error);
}

settle_status snapshot_open(int data_fd, const char *directory, const uint8_t journal_id[16], const struct mem *mem,
                            struct store **ret_store, settle_error *error)
{
    return open_in(data_fd, directory, SNAPSHOT_DIRECTORY, false, journal_id, mem, ret_store, error);
}

static settle_status meta_of(struct store *store, struct store_meta *ret_meta, settle_error *error)
{
    struct store_snapshot *snapshot = NULL;
    settle_status status = store_snapshot_open(store, &snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(snapshot, ret_meta, error);
    store_snapshot_close(snapshot);
    return status;
}

settle_status snapshot_meta_read(int data_fd, const char *directory, const uint8_t journal_id[16],
                                 const struct mem *mem, struct store_meta *ret_meta, settle_error *error)
{
    struct store *store = NULL;
    settle_status status = snapshot_open(data_fd, directory, journal_id, mem, &store, error);
    if (status == SETTLE_OK)
        status = name_fault(SNAPSHOT_DIRECTORY, meta_of(store, ret_meta, error), error);
    store_close(store);
    return status;
}

/* ---- Reading all of it ------------------------------------------------------------------------------------------- */

static settle_status pass_account(void *context, const struct account *account, settle_error *error)
{
    (void)context, (void)account, (void)error;
    return SETTLE_OK; /* the walk checks every entry, their count and their digest */
}

static settle_status pass_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context, (void)id, (void)error;
    return SETTLE_OK;
}

static settle_status pass_arrival(void *context, const struct store_arrival *arrival, settle_error *error)
{
    (void)context, (void)arrival, (void)error;
    return SETTLE_OK;
}

static settle_status pass_asset(void *context, const settle_asset *asset, settle_error *error)
{
    (void)context, (void)asset, (void)error;
    return SETTLE_OK;
}

static settle_status pass_source(void *context, const struct source_entry *source, settle_error *error)
{
    (void)context, (void)source, (void)error;
    return SETTLE_OK;
}

static settle_status check_all(struct store *store, struct store_meta *ret_meta, settle_error *error)
{
    struct store_snapshot *snapshot = NULL;
    settle_status status = store_snapshot_open(store, &snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(snapshot, ret_meta, error);
    if (status == SETTLE_OK)
        status = store_accounts_walk(snapshot, 0, pass_account, NULL, error);
    if (status == SETTLE_OK)
        status = store_ids_walk(snapshot, pass_id, NULL, error);
    if (status == SETTLE_OK)
        status = store_arrivals_walk_all(snapshot, pass_arrival, NULL, error);
    if (status == SETTLE_OK)
        status = store_assets_walk(snapshot, pass_asset, NULL, error);
    if (status == SETTLE_OK)
        status = store_sources_walk(snapshot, pass_source, NULL, error);
    store_snapshot_close(snapshot);
    return status;
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static settle_status batch_apply(struct store *store, struct projection *p, const struct journal_point *point,
                                 settle_error *error)
{
    const struct store_batch batch = projection_batch(p, point);
    settle_status status = store_apply(store, &batch, error);
    projection_clear(p);
    return status;
}

/* The frames from *point on that begin before `until_position`. */
static settle_status fold_until(struct store *store, struct journal_reader *reader, struct journal_point *point,
                                uint64_t until_position, const struct mem *mem, settle_error *error)
{
    struct projection projection;
    uint64_t stored = point->position;
    settle_status status = projection_init(&projection, mem, true);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for a snapshot");
    for (bool is_done = false; status == SETTLE_OK && !is_done;) {
        struct frame frame;
        struct journal_point next = *point;
        status = journal_reader_next(reader, &next, &frame, error);
        is_done = status == SETTLE_E_END || (status == SETTLE_OK && frame.position >= until_position);
        if (status == SETTLE_OK && !is_done) {
            status = projection_add(&projection, &frame, error);
            *point = next;
        }
        if (status == SETTLE_E_END)
            status = SETTLE_OK;
        if (status == SETTLE_OK && point->position > stored && (is_done || projection.event_count >= EVENTS_A_BATCH)) {
            status = name_fault(SNAPSHOT_DIRECTORY, batch_apply(store, &projection, point, error), error);
            stored = point->position;
        }
    }
    projection_deinit(&projection);
    return status;
}

/* SETTLE_E_CORRUPT with a file below `archive/snapshot`: it is the snapshot that is no good. *error is set. */
static settle_status advance(int data_fd, const char *directory, struct journal_reader *reader, uint64_t until_position,
                             const struct mem *mem, struct store_meta *ret_meta, settle_error *error)
{
    struct store *store = NULL;
    struct store_meta meta;
    struct journal_point point;
    settle_status status =
        open_in(data_fd, directory, SNAPSHOT_DIRECTORY, true, journal_reader_id(reader), mem, &store, error);
    if (status == SETTLE_OK)
        status = name_fault(SNAPSHOT_DIRECTORY, meta_of(store, &meta, error), error);
    if (status == SETTLE_OK) {
        journal_reader_begin(reader, &point);
        if (meta.point.position != 0)
            point = meta.point;
        status = journal_reader_confirm(reader, &point, error);
        if (status == SETTLE_E_CORRUPT)
            snprintf(error->file, sizeof error->file, SNAPSHOT_DIRECTORY);
    }
    if (status == SETTLE_OK && point.position < until_position)
        status = fold_until(store, reader, &point, until_position, mem, error);
    if (status == SETTLE_OK)
        status = name_fault(SNAPSHOT_DIRECTORY, check_all(store, ret_meta, error), error);
    store_close(store);
    return status;
}

settle_status snapshot_advance(int data_fd, const char *directory, struct journal_reader *reader,
                               uint64_t until_position, const struct mem *mem, struct store_meta *ret_meta,
                               settle_error *ret_fault, settle_error *error)
{
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = advance(data_fd, directory, reader, until_position, mem, ret_meta, &fault);
    *ret_fault = (settle_error){.status = SETTLE_OK};
    if (status == SETTLE_E_CORRUPT && strncmp(fault.file, SNAPSHOT_DIRECTORY, strlen(SNAPSHOT_DIRECTORY)) == 0) {
        *ret_fault = fault;
        status = snapshot_remove(data_fd, &fault);
        if (status == SETTLE_OK)
            status = advance(data_fd, directory, reader, until_position, mem, ret_meta, &fault);
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}

/* ---- Its copy as the store ---------------------------------------------------------------------------------------- */

static settle_status remove_store_in(int data_fd, const char *folder, settle_error *error)
{
    static const char *const files[] = {STORE_DATA_FILE, STORE_DIRECTORY "/" STORE_LOCK_NAME};
    char name[64];
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == SETTLE_OK; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        if (file_exists_at(data_fd, name))
            status = file_remove_at(data_fd, name, error);
    }
    snprintf(name, sizeof name, "%s/" STORE_DIRECTORY, folder);
    if (status == SETTLE_OK && file_exists_at(data_fd, name))
        status = dir_remove_at(data_fd, name, error);
    if (status == SETTLE_OK && file_exists_at(data_fd, folder))
        status = dir_remove_at(data_fd, folder, error);
    return status;
}

settle_status snapshot_remove(int data_fd, settle_error *error)
{
    return remove_store_in(data_fd, SNAPSHOT_DIRECTORY, error);
}

static settle_status data_copy(int from_fd, int to_fd, const struct mem *mem, settle_error *error)
{
    const char *name = REBUILD_DIRECTORY "/" STORE_DATA_FILE;
    uint64_t bytes = 0;
    uint8_t *piece = mem_alloc(mem, COPY_BYTES, 1);
    settle_status status = file_size(from_fd, SNAPSHOT_DIRECTORY, &bytes, error);
    if (piece == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory to copy the snapshot");
    for (uint64_t at = 0; at < bytes && status == SETTLE_OK; at += COPY_BYTES) {
        size_t count = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;
        status = file_read_zeros(from_fd, SNAPSHOT_DIRECTORY, at, piece, count, error);
        if (status == SETTLE_OK)
            status = file_write(to_fd, name, at, piece, count, error);
    }
    mem_free(mem, piece);
    return status == SETTLE_OK ? file_sync_data(to_fd, name, error) : status;
}

/* `store.partial/store/data.mdb`, on stable storage. */
static settle_status copy_make(int data_fd, const struct mem *mem, settle_error *error)
{
    int folder_fd = -1, store_fd = -1, from_fd = -1, to_fd = -1;
    settle_status status = remove_store_in(data_fd, REBUILD_DIRECTORY, error);
    if (status == SETTLE_OK)
        status = file_open_at(data_fd, SNAPSHOT_DIRECTORY "/" STORE_DATA_FILE, FILE_READ, &from_fd, error);
    if (status == SETTLE_OK)
        status = dir_open_at(data_fd, REBUILD_DIRECTORY, true, &folder_fd, error);
    if (status == SETTLE_OK)
        status = dir_open_at(folder_fd, STORE_DIRECTORY, true, &store_fd, error);
    if (status == SETTLE_OK)
        status = file_open_at(store_fd, STORE_DATA_NAME, FILE_CREATE, &to_fd, error);
    if (status == SETTLE_OK)
        status = data_copy(from_fd, to_fd, mem, error);
    if (status == SETTLE_OK)
        status = dir_sync(store_fd, REBUILD_DIRECTORY "/" STORE_DIRECTORY, error);
    file_close(to_fd);
    file_close(from_fd);
    file_close(store_fd);
    file_close(folder_fd);
    return status;
}

settle_status snapshot_copy(int data_fd, const char *directory, const uint8_t journal_id[16], const struct mem *mem,
                            settle_error *error)
{
    struct store *store = NULL;
    struct store_meta meta;
    settle_status status = copy_make(data_fd, mem, error);
    if (status == SETTLE_OK)
        status = open_in(data_fd, directory, REBUILD_DIRECTORY, true, journal_id, mem, &store, error);
    if (status == SETTLE_OK)
        status = name_fault(REBUILD_DIRECTORY, check_all(store, &meta, error), error);
    store_close(store);
    if (status == SETTLE_OK)
        status = file_rename_at(data_fd, REBUILD_DIRECTORY "/" STORE_DIRECTORY, STORE_DIRECTORY, error);
    if (status == SETTLE_OK)
        status = dir_sync(data_fd, "the data directory", error);
    settle_status removed = remove_store_in(data_fd, REBUILD_DIRECTORY, status == SETTLE_OK ? error : NULL);
    return status == SETTLE_OK ? removed : status;
}
