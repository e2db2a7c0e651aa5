/*
 * store_read.c — what a snapshot can be asked. Decodes and checks every entry before it hands it out; a walk over a whole table
 * is also held against the counts and digests in meta, which finds what no single entry can show: one that is missing, or
 * an older version of one.
 */
#include "engine/store_block.h"
#include "engine/store_tables.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"

settle_status store_fail_entry(settle_error *error, const char *fault)
{
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0, "the store is damaged: %s", fault);
}

static settle_status get(struct store_snapshot *snapshot, enum store_table table, struct store_bytes key,
                         struct store_bytes *ret_value, settle_error *error)
{
    struct store_bytes value;
    settle_status status = store_table_find(snapshot, table, key, &value, error);
    if (status == SETTLE_OK && !value.at)
        return SETTLE_E_NOT_FOUND; /* asked for every event with a text id: no sentence is made up */
    if (status == SETTLE_OK)
        *ret_value = value;
    return status;
}

/* ---- Single entries ---------------------------------------------------------------------------------------------------- */

settle_status store_meta_get(struct store_snapshot *snapshot, struct store_meta *ret_meta, settle_error *error)
{
    struct store_bytes key = {STORE_META_KEY, strlen(STORE_META_KEY)}, value;
    settle_status status = get(snapshot, STORE_META, key, &value, error);
    if (status == SETTLE_E_NOT_FOUND)
        return store_fail_entry(error, "it has no meta");
    if (status != SETTLE_OK)
        return status;
    uint32_t version = store_meta_version(value);
    if (version != STORE_FORMAT_VERSION)
        return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0,
                       "the store has format version %u; this build knows %u", (unsigned)version, STORE_FORMAT_VERSION);
    const char *fault = store_meta_decode(value, ret_meta);
    return fault ? store_fail_entry(error, fault) : SETTLE_OK;
}

settle_status store_id_get(struct store_snapshot *snapshot, const struct event_key *key, uint64_t *ret_position,
                           settle_error *error)
{
    uint8_t bytes[STORE_ID_KEY_BYTES_MAX];
    struct store_bytes k = {bytes, store_id_key(key, bytes)};
    struct store_entry block;
    settle_status status = store_table_floor(snapshot, store_id_table(key), k, &block, error);
    if (status != SETTLE_OK || !block.key.at)
        return status == SETTLE_OK ? SETTLE_E_NOT_FOUND : status; /* asked often: no sentence is made up */
    struct store_block_cursor cursor;
    const char *fault = store_block_begin(block.key, block.value, &cursor);
    if (fault)
        return store_fail_entry(error, fault);
    const uint64_t position = store_block_find(&cursor, (struct store_bytes){bytes + 1, k.count - 1});
    if (position == 0)
        return SETTLE_E_NOT_FOUND;
    *ret_position = position;
    return SETTLE_OK;
}

settle_status store_account_get(struct store_snapshot *snapshot, uint64_t user, uint32_t asset,
                                struct account *ret_account, settle_error *error)
{
    uint8_t bytes[STORE_ACCOUNT_KEY_BYTES];
    store_account_key(user, asset, bytes);
    struct store_bytes key = {bytes, sizeof(bytes)}, value;
    settle_status status = get(snapshot, STORE_ACCOUNTS, key, &value, error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = store_account_decode(key, value, ret_account);
    return fault ? store_fail_entry(error, fault) : SETTLE_OK;
}

settle_status store_source_get(struct store_snapshot *snapshot, settle_text name, struct source_entry *ret_entry,
                               settle_error *error)
{
    uint8_t bytes[STORE_SOURCE_KEY_BYTES_MAX];
    struct store_bytes key = {bytes, store_source_key(name, bytes)}, value;
    settle_status status = get(snapshot, STORE_SOURCES, key, &value, error);
    if (status != SETTLE_OK)
        return status;
    struct source_entry entry;
    const char *fault = store_source_decode(key, value, &entry);
    if (fault)
        return store_fail_entry(error, fault);
    /* Long names share a key when their hashes do. */
    if (entry.name_bytes != name.bytes || memcmp(entry.name, name.data, name.bytes) != 0)
        return fail(error, SETTLE_E_NOT_FOUND, "not in the store");
    entry.name = NULL;
    *ret_entry = entry;
    return SETTLE_OK;
}

/* ---- Walks -------------------------------------------------------------------------------------------------------------- */

struct walk {
    settle_status (*entry)(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error);
    union {
        store_visit_account account;
        store_visit_position position;
        store_visit_asset asset;
        store_visit_id id;
        store_visit_source source;
        store_visit_arrival arrival;
    } visit;
    void *context;
    struct store_bytes previous; /* key; the next must be greater */
    uint64_t only;               /* accounts: of this user, 0 = all; arrivals: of this first position */
    uint64_t count, digest;
    enum store_table table;     /* ids */
    struct store_bytes last_id; /* of the block before */
};

/* Keys that do not ascend come of a damaged tree; besides, a walk along them need not end. */
static settle_status visit_in_order(void *context, struct store_entry entry, bool *stop, settle_error *error)
{
    struct walk *walk = context;
    if (walk->previous.at && store_key_order(walk->previous, entry.key) >= 0)
        return store_fail_entry(error, "its keys are out of order");
    walk->previous = entry.key;
    return walk->entry(walk, entry, stop, error);
}

/* All entries of a table; or from the key `from` on. */
static settle_status scan(struct store_snapshot *snapshot, enum store_table table, struct store_bytes from,
                          struct walk *walk, settle_error *error)
{
    return store_table_scan(snapshot, table, from, visit_in_order, walk, error);
}

static const struct store_bytes everything = {NULL, 0};

/* Counts and digests of all entries, against what meta says of them. */
static settle_status check_totals(const struct walk *walk, uint64_t count, uint64_t digest, const char *what,
                                  settle_error *error)
{
    if (walk->count != count)
        return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0,
                       "the store is damaged: it holds %llu %s and should hold %llu", (unsigned long long)walk->count,
                       what, (unsigned long long)count);
    if (walk->digest != digest)
        return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0,
                       "the store is damaged: the digest of its %s does not fit", what);
    return SETTLE_OK;
}

static settle_status visit_account(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    struct account account;
    /* Before it is seen to be another user's: its key may be what is damaged. */
    const char *fault = store_account_decode(entry.key, entry.value, &account);
    if (fault)
        return store_fail_entry(error, fault);
    *stop = walk->only != 0 && account.user != walk->only;
    if (*stop)
        return SETTLE_OK;
    walk->count++;
    walk->digest += store_entry_digest(entry.value);
    return walk->visit.account(walk->context, &account, error);
}

settle_status store_accounts_walk(struct store_snapshot *snapshot, uint64_t user, store_visit_account visit,
                                  void *context, settle_error *error)
{
    struct walk walk = {.entry = visit_account, .visit.account = visit, .context = context, .only = user};
    uint8_t first[STORE_ACCOUNT_KEY_BYTES];
    store_account_key(user, 0, first);
    struct store_meta meta;
    settle_status status = store_meta_get(snapshot, &meta, error);
    struct store_bytes from = {user != 0 ? first : NULL, user != 0 ? sizeof(first) : 0};
    if (status == SETTLE_OK)
        status = scan(snapshot, STORE_ACCOUNTS, from, &walk, error);
    if (status != SETTLE_OK || user != 0)
        return status;
    return check_totals(&walk, meta.account_count, meta.account_digest, "accounts", error);
}

/* All ids of a block, which must come before the next block's key. */
static settle_status visit_block(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    (void)stop;
    struct store_block_cursor cursor;
    struct store_block_id in_block;
    const struct store_bytes first = {(const uint8_t *)entry.key.at + 1, entry.key.count - 1};
    const char *fault = store_block_open(entry.key, entry.value, &cursor);
    if (!fault && walk->last_id.at && store_key_order(walk->last_id, first) >= 0)
        fault = "a block holds event ids that belong to the next";
    if (fault)
        return store_fail_entry(error, fault);
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && store_block_next(&cursor, &in_block)) {
        struct store_id id;
        fault = store_block_id_decode(walk->table, &in_block, &id);
        if (fault)
            return store_fail_entry(error, fault);
        walk->count++;
        walk->digest += store_id_digest(&id);
        walk->last_id = in_block.tail;
        status = walk->visit.id(walk->context, &id, error);
    }
    return status;
}

settle_status store_ids_walk(struct store_snapshot *snapshot, store_visit_id visit, void *context, settle_error *error)
{
    struct walk walk = {.entry = visit_block, .visit.id = visit, .context = context, .table = STORE_NATURAL_IDS};
    struct store_meta meta;
    settle_status status = store_meta_get(snapshot, &meta, error);
    if (status == SETTLE_OK)
        status = scan(snapshot, STORE_NATURAL_IDS, everything, &walk, error);
    walk.table = STORE_TEXT_IDS;
    walk.last_id = everything;
    if (status == SETTLE_OK)
        status = scan(snapshot, STORE_TEXT_IDS, everything, &walk, error);
    if (status != SETTLE_OK)
        return status;
    return check_totals(&walk, meta.id_count, meta.id_digest, "event ids", error);
}

static settle_status visit_arrival(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    struct store_arrival arrival;
    const char *fault = store_arrival_decode(entry.key, entry.value, &arrival);
    if (fault)
        return store_fail_entry(error, fault);
    *stop = arrival.first_position != walk->only;
    return *stop ? SETTLE_OK : walk->visit.position(walk->context, arrival.position, error);
}

settle_status store_arrivals_walk(struct store_snapshot *snapshot, uint64_t first_position, store_visit_position visit,
                                  void *context, settle_error *error)
{
    assert(first_position != 0);
    struct walk walk = {.entry = visit_arrival, .visit.position = visit, .context = context, .only = first_position};
    uint8_t first[STORE_ARRIVAL_KEY_BYTES];
    store_arrival_key(first_position, 0, first);
    return scan(snapshot, STORE_ARRIVALS, (struct store_bytes){first, sizeof(first)}, &walk, error);
}

static settle_status visit_any_arrival(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    struct store_arrival arrival;
    (void)stop;
    const char *fault = store_arrival_decode(entry.key, entry.value, &arrival);
    return fault ? store_fail_entry(error, fault) : walk->visit.arrival(walk->context, &arrival, error);
}

settle_status store_arrivals_walk_all(struct store_snapshot *snapshot, store_visit_arrival visit, void *context,
                                      settle_error *error)
{
    struct walk walk = {.entry = visit_any_arrival, .visit.arrival = visit, .context = context};
    return scan(snapshot, STORE_ARRIVALS, everything, &walk, error);
}

static settle_status visit_asset(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    (void)stop;
    settle_asset asset;
    const char *fault = store_asset_decode(entry.key, entry.value, &asset);
    return fault ? store_fail_entry(error, fault) : walk->visit.asset(walk->context, &asset, error);
}

settle_status store_assets_walk(struct store_snapshot *snapshot, store_visit_asset visit, void *context,
                                settle_error *error)
{
    struct walk walk = {.entry = visit_asset, .visit.asset = visit, .context = context};
    return scan(snapshot, STORE_ASSETS, everything, &walk, error);
}

static settle_status visit_source(struct walk *walk, struct store_entry entry, bool *stop, settle_error *error)
{
    (void)stop;
    struct source_entry source;
    const char *fault = store_source_decode(entry.key, entry.value, &source);
    return fault ? store_fail_entry(error, fault) : walk->visit.source(walk->context, &source, error);
}

settle_status store_sources_walk(struct store_snapshot *snapshot, store_visit_source visit, void *context,
                                 settle_error *error)
{
    struct walk walk = {.entry = visit_source, .visit.source = visit, .context = context};
    return scan(snapshot, STORE_SOURCES, everything, &walk, error);
}
