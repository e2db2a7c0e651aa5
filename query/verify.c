/*
 * verify.c — everything that can be checked in a data directory, in one pass over its journal.
 *
 * Owns: a reader with its fold, the store, opened for reading, and a list of the ids the store does not have yet (16
 * bytes each). The store is compared at the very point it was written at; its snapshot is held only for that moment, so
 * that a writer beside us is not kept from reusing pages. Invariant: the first fault in the journal ends the fold, for the
 * balances behind it are unknown; damage.c then looks at the bytes behind it. A fault in the store ends nothing.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/snapshot.h"
#include "engine/store_format.h"
#include "journal/base/status.h"
#include "journal/watermark.h"
#include "query/damage.h"
#include "query/fold.h"
#include "query/internal.h"
#include "query/store_compare.h"

/* How often the writer may move the store on before we hold it still. */
#define STORE_MOVES_MAX 8

struct late_id { /* an id that is not in the store */
    uint64_t hash, position, seq;
};

/* The archive's snapshot. */
struct verify_archive {
    bool is_open; /* it is to be compared: store, snapshot, meta count */
    struct store *store;
    struct store_snapshot *snapshot;
    struct store_meta meta;
    uint64_t ids, id_digest; /* over the ids before meta.point */
    settle_error fault;      /* it cannot be read; told where nothing graver is found */
};

struct verify {
    const char *directory;
    int data_fd;
    struct journal_reader *reader;
    struct fold fold;
    struct store *store; /* NULL: absent or damaged */
    struct store_snapshot *snapshot;
    struct store_meta meta; /* as of the point the store is to be compared at */
    bool store_is_compared;
    unsigned store_moves;
    uint64_t id_digest;                      /* over the ids before meta.point */
    uint64_t store_ids;                      /* and how many they are */
    uint64_t arrival_digest, store_arrivals; /* the same of later arrivals */
    const struct verify_options *options;
    bool skips_fault; /* the next one that damage.c finds is known */
    struct late_id *late;
    size_t late_count, late_capacity;
    struct verify_archive archive;
    struct verify_result result;
};

/* ---- Faults and progress ---- */

static void note_fault(struct verify *v, const settle_error *fault)
{
    if (v->result.fault_count++ == 0)
        v->result.fault = *fault;
    if (v->options->fault != NULL)
        v->options->fault(v->options->context, fault);
}

/* Corrupt is an answer; anything else is passed on. */
static settle_status noted(struct verify *v, settle_status status, const settle_error *fault, settle_error *error)
{
    if (status == SETTLE_E_CORRUPT)
        note_fault(v, fault);
    else if (status != SETTLE_OK && error != NULL)
        *error = *fault;
    return status == SETTLE_E_CORRUPT ? SETTLE_OK : status;
}

static bool go_on(void *context)
{
    struct verify *v = context;
    const struct fold *fold = &v->fold;
    if (v->options->go_on == NULL)
        return true;
    const struct verify_progress progress = {fold->events, fold->point.position, v->meta.point.position};
    v->result.was_stopped = !v->options->go_on(v->options->context, &progress);
    return !v->result.was_stopped;
}

/* ---- Ids ---- */

/* Of an unordered set, as store_id_digest(). */
static uint64_t arrival_digest(uint64_t first_position, uint64_t position)
{
    uint64_t mixed = first_position * UINT64_C(0x9e3779b97f4a7c15) ^ position;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static void note_repeat(void *context, uint64_t first_position, uint64_t position)
{
    struct verify *v = context;
    if (v->store == NULL || position >= v->meta.point.position)
        return;
    v->arrival_digest += arrival_digest(first_position, position);
    v->store_arrivals++;
}

static settle_status note_id(void *context, const struct event_key *key, uint64_t position, uint64_t seq,
                             settle_error *error)
{
    struct verify *v = context;
    if (v->archive.is_open && position < v->archive.meta.point.position) {
        v->archive.id_digest += store_id_digest(&(struct store_id){*key, position});
        v->archive.ids++;
    }
    if (v->store != NULL && position < v->meta.point.position) {
        v->id_digest += store_id_digest(&(struct store_id){*key, position});
        v->store_ids++;
        return SETTLE_OK;
    }
    if (v->late_count == v->late_capacity) {
        size_t capacity = v->late_capacity * 2 + 4096;
        struct late_id *late = mem_resize(&mem_libc, v->late, capacity, sizeof *late);
        if (late == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu event ids that are not in the store", capacity);
        v->late = late;
        v->late_capacity = capacity;
    }
    v->late[v->late_count++] = (struct late_id){event_key_hash(key, 0), position, seq};
    return SETTLE_OK;
}

static int by_hash(const void *left, const void *right)
{
    const struct late_id *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

static settle_status key_at(struct verify *v, uint64_t position, struct event_key *ret_key, settle_error *error)
{
    struct event_records event;
    settle_status status = journal_reader_event(v->reader, position, &event, error);
    if (status == SETTLE_OK)
        event_key_of(&event.consumed.u.consumed, ret_key);
    return status;
}

static void taken_twice(struct verify *v, const struct late_id *id)
{
    settle_error fault = {.status = SETTLE_OK};
    uint64_t offset = 0;
    char file[SEGMENT_PLACE_BYTES];
    journal_reader_file(v->reader, id->position, file, &offset);
    (void)fail_at(&fault, SETTLE_E_CORRUPT, file, offset, id->seq,
                  "this event's id was taken before, yet it had an effect");
    note_fault(v, &fault);
}

/* Ids the store does not cover: each is new among themselves, and not one of the store's. */
static settle_status check_late_ids(struct verify *v, settle_error *error)
{
    struct event_key key, other;
    settle_status status = SETTLE_OK;
    if (v->late_count > 0)
        qsort(v->late, v->late_count, sizeof *v->late, by_hash);
    for (size_t i = 0; i + 1 < v->late_count && status == SETTLE_OK; i++) {
        for (size_t k = i + 1; k < v->late_count && v->late[k].hash == v->late[i].hash; k++) {
            status = key_at(v, v->late[i].position, &key, error);
            if (status == SETTLE_OK)
                status = key_at(v, v->late[k].position, &other, error);
            if (status != SETTLE_OK)
                return status;
            if (event_key_equal(&key, &other)) {
                taken_twice(v, &v->late[k]);
                break; /* the third is the second's */
            }
        }
    }
    if (v->store == NULL)
        return status;
    status = store_snapshot_renew(v->snapshot, error);
    for (size_t i = 0; i < v->late_count && status == SETTLE_OK; i++) {
        uint64_t position = 0;
        status = key_at(v, v->late[i].position, &key, error);
        if (status == SETTLE_OK)
            status = store_id_get(v->snapshot, &key, &position, error);
        if (status == SETTLE_OK && position != v->late[i].position)
            taken_twice(v, &v->late[i]);
        if (status == SETTLE_E_NOT_FOUND)
            status = SETTLE_OK;
    }
    store_snapshot_rest(v->snapshot);
    return status;
}

/* ---- The store at its point ---- */

static void store_differs(struct verify *v, const char *format, const char *what)
{
    settle_error fault = {.status = SETTLE_OK};
    v->result.store = STORE_DIFFERS;
    (void)fail_at(&fault, SETTLE_E_CORRUPT, "store", 0, v->meta.point.next_seq - 1, format, what);
    note_fault(v, &fault);
}

static settle_status compare_account(void *context, const struct account *stored, settle_error *error)
{
    struct verify *v = context;
    const struct account *own = accounts_find(&v->fold.accounts, stored->user, stored->asset);
    if (own != NULL && own->available == stored->available && own->held == stored->held &&
        own->version == stored->version && own->last_seq == stored->last_seq &&
        own->last_position == stored->last_position)
        return SETTLE_OK;
    char who[64], user[PRINT_USER_BYTES];
    snprintf(who, sizeof who, "user %s asset %" PRIu32, print_user(stored->user, user), stored->asset);
    (void)error;
    store_differs(v, "the store has another balance than the journal: %s", who);
    return SETTLE_OK;
}

struct count_walk {
    struct verify *verify;
    size_t count;
};

static settle_status compare_asset(void *context, const settle_asset *stored, settle_error *error)
{
    struct count_walk *walk = context;
    const struct fold *fold = &walk->verify->fold;
    const settle_asset *own = registry_asset_by_id(&fold->names, stored->id);
    walk->count++;
    if (own != NULL && own->scale == stored->scale && strcmp(own->symbol, stored->symbol) == 0)
        return SETTLE_OK;
    (void)error;
    store_differs(walk->verify, "the store has an asset that the journal does not declare: %s", stored->symbol);
    return SETTLE_OK;
}

static settle_status compare_source(void *context, const struct source_entry *stored, settle_error *error)
{
    struct count_walk *walk = context;
    const struct fold *fold = &walk->verify->fold;
    char name[80];
    walk->count++;
    for (size_t i = 0; i < fold->names.source_count; i++) {
        const struct source_entry *own = &fold->names.sources[i];
        if (own->name_bytes == stored->name_bytes && memcmp(own->name, stored->name, own->name_bytes) == 0 &&
            own->offset_bytes == stored->offset_bytes && own->line == stored->line)
            return SETTLE_OK;
    }
    snprintf(name, sizeof name, "%.*s", (int)(stored->name_bytes < 64 ? stored->name_bytes : 64), stored->name);
    (void)error;
    store_differs(walk->verify, "the store has another position of a source than the journal: %s", name);
    return SETTLE_OK;
}

static settle_status pass_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context;
    (void)id;
    (void)error;
    return SETTLE_OK; /* the walk itself checks every entry, their count and their digest */
}

struct arrival_walk {
    uint64_t digest, count;
};

static settle_status add_arrival(void *context, const struct store_arrival *arrival, settle_error *error)
{
    struct arrival_walk *walk = context;
    (void)error;
    walk->digest += arrival_digest(arrival->first_position, arrival->position);
    walk->count++;
    return SETTLE_OK;
}

/* Counts and digests of what is not compared entry by entry. */
static settle_status compare_indexes(struct verify *v, settle_error *error)
{
    struct arrival_walk arrivals = {0, 0};
    settle_status status = store_ids_walk(v->snapshot, pass_id, v, error);
    if (status == SETTLE_OK && (v->meta.id_count != v->store_ids || v->meta.id_digest != v->id_digest))
        store_differs(v, "the store's event ids are not %s", "those of the journal");
    if (status == SETTLE_OK)
        status = store_arrivals_walk_all(v->snapshot, add_arrival, &arrivals, error);
    if (status == SETTLE_OK && (arrivals.count != v->store_arrivals || arrivals.digest != v->arrival_digest))
        store_differs(v, "the store's later arrivals of ids are not %s", "those of the journal");
    return status;
}

static settle_status compare_contents(struct verify *v, settle_error *error)
{
    struct fold *fold = &v->fold;
    struct count_walk assets = {v, 0}, sources = {v, 0};
    settle_status status = store_accounts_walk(v->snapshot, 0, compare_account, v, error);
    if (status == SETTLE_OK && v->meta.account_count < fold->accounts.count)
        store_differs(v, "the store lacks %s of the journal", "a balance");
    if (status == SETTLE_OK)
        status = store_assets_walk(v->snapshot, compare_asset, &assets, error);
    if (status == SETTLE_OK && assets.count < fold->names.asset_count)
        store_differs(v, "the store lacks %s of the journal", "an asset");
    if (status == SETTLE_OK)
        status = store_sources_walk(v->snapshot, compare_source, &sources, error);
    if (status == SETTLE_OK && sources.count < fold->names.source_count)
        store_differs(v, "the store lacks %s of the journal", "a source's position");
    return status == SETTLE_OK ? compare_indexes(v, error) : status;
}

/* The fold stands at the store's point. A writer may have moved the store on meanwhile: then on to the new point. */
static settle_status compare_store(struct verify *v, settle_error *error)
{
    struct store_meta meta;
    const struct journal_point *own = &v->fold.point;
    settle_status status = store_snapshot_renew(v->snapshot, error);
    if (status == SETTLE_OK)
        status = store_meta_get(v->snapshot, &meta, error);
    if (status != SETTLE_OK)
        return status;
    if (meta.point.position > v->meta.point.position && v->store_moves < STORE_MOVES_MAX) {
        v->meta = meta;
        if (++v->store_moves < STORE_MOVES_MAX)
            store_snapshot_rest(v->snapshot);
        return SETTLE_OK;
    }
    bool same_place = own->position == v->meta.point.position || v->meta.point.position == 0;
    if (!same_place || (v->meta.point.position != 0 &&
                        (own->next_seq != v->meta.point.next_seq || own->chain != v->meta.point.chain))) {
        store_differs(v, "the store was written at a point that is not %s", "in this journal");
    } else {
        settle_error fault = {.status = SETTLE_OK};
        status = compare_contents(v, &fault);
        if (status == SETTLE_E_CORRUPT)
            v->result.store = STORE_DAMAGED; /* a value of it failed its checksum */
        else if (status == SETTLE_OK && v->result.store == STORE_NOT_COMPARED)
            v->result.store = STORE_EQUAL;
        status = noted(v, status, &fault, error);
    }
    store_snapshot_rest(v->snapshot);
    v->store_is_compared = true;
    return status;
}

static settle_status open_store(struct verify *v, settle_error *error)
{
    settle_error fault = {.status = SETTLE_OK};
    settle_status status =
        store_open(v->data_fd, v->directory, false, journal_reader_id(v->reader), &mem_libc, &v->store, &fault);
    if (status == SETTLE_OK)
        status = store_snapshot_open(v->store, &v->snapshot, &fault);
    if (status == SETTLE_OK)
        status = store_meta_get(v->snapshot, &v->meta, &fault);
    if (status == SETTLE_OK)
        store_snapshot_rest(v->snapshot);
    if (status == SETTLE_E_NOT_FOUND && v->store == NULL) {
        v->result.store = STORE_ABSENT;
        return SETTLE_OK;
    }
    if (status == SETTLE_E_CORRUPT)
        v->result.store = STORE_DAMAGED;
    if (status != SETTLE_OK && store_is_in_use(status, &fault)) { /* the journal is verified all the same */
        v->result.store = STORE_IN_USE;
        store_snapshot_close(v->snapshot);
        store_close(v->store);
        v->snapshot = NULL;
        v->store = NULL;
        return SETTLE_OK;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}

/* ---- The archive ---- */

static void count_archived(struct verify *v)
{
    const struct segment_list *list = journal_reader_segments(v->reader);
    for (size_t i = 0; i < list->count; i++) {
        v->result.archived_segments += list->entries[i].is_archived;
        v->result.archived_bytes += list->entries[i].packed_bytes;
    }
}

/* The snapshot stays where it is while it is compared: it is moved on rarely. */
static settle_status archive_begin(struct verify *v, settle_error *error)
{
    struct verify_archive *a = &v->archive;
    count_archived(v);
    v->result.snapshot = STORE_ABSENT;
    if (!snapshot_exists(v->data_fd))
        return SETTLE_OK;
    settle_status status =
        snapshot_open(v->data_fd, v->directory, journal_reader_id(v->reader), &mem_libc, &a->store, &a->fault);
    if (status == SETTLE_OK)
        status = store_snapshot_open(a->store, &a->snapshot, &a->fault);
    if (status == SETTLE_OK)
        status = store_meta_get(a->snapshot, &a->meta, &a->fault);
    a->is_open = status == SETTLE_OK && a->meta.point.position != 0;
    v->result.snapshot = status == SETTLE_OK ? STORE_NOT_COMPARED : STORE_DAMAGED;
    /* A crash came before its first transaction: no segment leaves before the snapshot is whole. */
    if (status == SETTLE_E_NOT_FOUND || (status == SETTLE_E_CORRUPT && v->result.archived_segments == 0)) {
        v->result.snapshot = STORE_ABSENT;
        a->fault = (settle_error){.status = SETTLE_OK};
        return SETTLE_OK;
    }
    if (status == SETTLE_OK || status == SETTLE_E_CORRUPT)
        return SETTLE_OK;
    if (error != NULL)
        *error = a->fault;
    return status;
}

/* The fold goes on to the snapshot's point, and what it holds then is compared. What is wrong with the snapshot is kept for the
 * end: the journal is the graver matter. */
static settle_status archive_compare(struct verify *v, settle_error *error)
{
    struct verify_archive *a = &v->archive;
    const struct journal_point *own = &v->fold.point;
    if (!a->is_open)
        return SETTLE_OK;
    settle_status status = fold_reach(&v->fold, a->meta.point.position, error);
    if (v->result.was_stopped || (status != SETTLE_OK && status != SETTLE_E_END))
        return status;
    struct store_compare compare = {&v->fold, SNAPSHOT_DIRECTORY, "the snapshot", &a->meta,
                                    a->ids,   a->id_digest,       false};
    if (own->position != a->meta.point.position || own->next_seq != a->meta.point.next_seq ||
        own->chain != a->meta.point.chain) {
        compare.differs = true;
        fail_at(&a->fault, SETTLE_E_CORRUPT, SNAPSHOT_DIRECTORY, 0, a->meta.point.next_seq - 1,
                "the archive's snapshot was made at a point that is not in this journal");
    } else {
        status = store_compare(&compare, a->snapshot, &a->fault);
        if (status != SETTLE_OK && status != SETTLE_E_CORRUPT) {
            if (error != NULL)
                *error = a->fault;
            return status;
        }
        if (status == SETTLE_OK)
            v->result.snapshot = STORE_EQUAL;
    }
    if (v->result.snapshot != STORE_EQUAL)
        v->result.snapshot = compare.differs ? STORE_DIFFERS : STORE_DAMAGED;
    if (strncmp(a->fault.file, "store", 5) == 0) /* the store's code names the store's files */
        snprintf(a->fault.file, sizeof a->fault.file, SNAPSHOT_DIRECTORY);
    store_snapshot_rest(a->snapshot);
    return SETTLE_OK;
}

/* ---- The pass ---- */

/* All frames, with the store compared where its point is passed. */
static settle_status walk_journal(struct verify *v, settle_error *error)
{
    /* Mostly the snapshot's point comes first: that of the store is never in an archived segment. */
    bool snapshot_is_first = v->store == NULL || v->archive.meta.point.position <= v->meta.point.position;
    settle_status status = snapshot_is_first ? archive_compare(v, error) : SETTLE_OK;
    while (v->store != NULL && !v->store_is_compared && status == SETTLE_OK) {
        status = fold_reach(&v->fold, v->meta.point.position, error);
        if (status == SETTLE_E_END && v->result.was_stopped)
            return SETTLE_OK;
        if (status == SETTLE_E_END && v->fold.point.next_seq >= v->meta.point.next_seq)
            return SETTLE_OK; /* it is ahead of a torn frame without events: not compared, the next writer makes it anew */
        if (status == SETTLE_E_END) {
            store_differs(v, "the journal ends before the point the store was written at: %s",
                          "events that were acknowledged are lost");
            return SETTLE_OK;
        }
        if (status == SETTLE_OK)
            status = compare_store(v, error);
    }
    if (status == SETTLE_OK && !snapshot_is_first)
        status = archive_compare(v, error);
    if (status == SETTLE_OK)
        status = fold_until(&v->fold, UINT64_MAX, error);
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

static void found(void *context, const settle_error *fault)
{
    struct verify *v = context;
    if (!v->skips_fault)
        note_fault(v, fault);
    v->skips_fault = false;
}

/* What is damaged behind the first fault, which is known: one of the bytes is found again, one of what they say is not. */
static settle_status look_behind(struct verify *v, const settle_error *fault, const struct journal_point *point,
                                 settle_error *error)
{
    note_fault(v, fault);
    /* It looks at plain segments alone. */
    v->skips_fault = !v->fold.disagrees && strncmp(fault->file, "archive/", 8) != 0;
    settle_status status = damage_scan(v->data_fd, point, found, v, error);
    return status == SETTLE_E_NOT_FOUND ? SETTLE_OK : status; /* the journal itself is what is missing */
}

/* A journal that ends cleanly before what its writer told of has lost frames. */
static settle_status check_end(struct verify *v, settle_error *error)
{
    struct watermark watermark = {.is_known = false};
    const struct journal_tail *tail = journal_reader_tail(v->reader);
    int journal_fd = -1;
    if (tail->writer_is_live || tail->torn_position != 0 || lock_is_held_at(v->data_fd))
        return SETTLE_OK;
    settle_status status = dir_open_at(v->data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = watermark_read(journal_fd, &watermark, error);
    file_close(journal_fd);
    uint64_t offset = 0;
    const char *segment = journal_reader_place(v->reader, v->fold.point.position, &offset);
    if (status == SETTLE_OK && watermark.position > v->fold.point.position)
        status = fail_at(error, SETTLE_E_CORRUPT, segment, offset, v->fold.point.next_seq,
                         "the journal ends here, but journal/watermark tells of more that was acknowledged");
    return status;
}

/* The store, or the fault that it is done without. A damaged one does not keep the journal from being checked. */
static settle_status take_store(struct verify *v, settle_error *ret_fault, settle_error *error)
{
    settle_status status = open_store(v, ret_fault);
    if (status == SETTLE_E_CORRUPT) {
        store_snapshot_close(v->snapshot);
        store_close(v->store);
        v->snapshot = NULL;
        v->store = NULL;
        return SETTLE_OK;
    }
    if (status != SETTLE_OK)
        *error = *ret_fault;
    return status;
}

static settle_status check_rest(struct verify *v, settle_error *error)
{
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = noted(v, check_end(v, &fault), &fault, error);
    if (status == SETTLE_OK)
        status = noted(v, check_late_ids(v, &fault), &fault, error);
    return status;
}

static settle_status verify_run(struct verify *v, settle_error *error)
{
    settle_error fault = {.status = SETTLE_OK}, store_fault = {.status = SETTLE_OK};
    settle_status status = view_reader_open(v->data_fd, &mem_libc, &v->reader, &fault);
    if (status == SETTLE_E_CORRUPT)
        return look_behind(v, &fault, NULL, error);
    if (status != SETTLE_OK)
        *error = fault;
    else
        status = fold_init(&v->fold, v->data_fd, v->reader, &mem_libc, error);
    if (status != SETTLE_OK)
        return status;
    v->fold.first = note_id;
    v->fold.repeat = note_repeat;
    v->fold.go_on = go_on;
    v->fold.context = v;
    status = take_store(v, &store_fault, error);
    if (status == SETTLE_OK)
        status = archive_begin(v, error);
    if (status != SETTLE_OK)
        return status;
    status = walk_journal(v, &fault);
    if (status == SETTLE_E_CORRUPT)
        status = look_behind(v, &fault, &v->fold.point, error);
    else if (status != SETTLE_OK)
        *error = fault;
    else if (!v->result.was_stopped)
        status = check_rest(v, error);
    fold_counts(&v->fold, &v->result.counts);
    if (status == SETTLE_OK && store_fault.status == SETTLE_E_CORRUPT)
        note_fault(v, &store_fault); /* the journal's faults are the graver ones */
    if (status == SETTLE_OK && v->archive.fault.status == SETTLE_E_CORRUPT)
        note_fault(v, &v->archive.fault);
    return status;
}

settle_status query_verify(const char *directory, const struct verify_options *options,
                           struct verify_result *ret_result, settle_error *error)
{
    static const struct verify_options none = {NULL, NULL, NULL};
    struct verify v = {.directory = directory, .data_fd = -1, .options = options != NULL ? options : &none};
    settle_error fault = {0};
    settle_status status = dir_open(directory, false, &v.data_fd, &fault);
    if (status == SETTLE_OK)
        status = verify_run(&v, &fault);
    v.result.ok = status == SETTLE_OK && v.result.fault_count == 0 && !v.result.was_stopped;
    v.result.is_empty = v.result.ok && v.result.counts.events == 0;
    v.result.has_store = v.store != NULL;
    v.result.store_seq = v.meta.point.next_seq > 0 ? v.meta.point.next_seq - 1 : 0;
    if (status == SETTLE_OK)
        *ret_result = v.result;
    else if (error != NULL)
        *error = fault;
    store_snapshot_close(v.archive.snapshot);
    store_close(v.archive.store);
    store_snapshot_close(v.snapshot);
    store_close(v.store);
    fold_deinit(&v.fold);
    journal_reader_close(v.reader);
    mem_free(&mem_libc, v.late);
    file_close(v.data_fd);
    return status;
}
