/*
 * store_apply.c — one checkpoint: a batch and the journal's point after it, in one transaction.
 *
 * Invariants
 *   meta moves with the entries it counts: each digest and count is that of the table's entries after every transaction.
 *   The point only moves forward. An id keeps its first position for ever, an asset its values; an account's version never
 *   falls. What contradicts this shows that store and journal are not of one history: SETTLE_E_CORRUPT, nothing written.
 *   The order of writing is that of the keys: a cursor that moves on to the next key mostly stays on its page.
 *
 * The whole batch may run a second time from the beginning (the map had to grow), so nothing here changes it.
 */
#include "engine/store_ids.h"
#include "engine/store_sort.h"
#include "engine/store_tables.h"

#include <assert.h>
#include <string.h>

enum { PREFETCH = 8 }; /* sorted by key they are anywhere in memory */

/* A batch, sorted. */
struct plan {
    const struct store_batch *batch;
    const struct mem *mem;
    size_t account_count, natural_count;
    struct store_sort_item *accounts, *ids, *arrivals, *spare;
};

settle_status store_fail_history(settle_error *error, uint64_t seq, const char *what)
{
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, seq, "store and journal do not fit together: %s", what);
}

/* ---- Accounts and ids: counted and digested ---------------------------------------------------------------------------- */

static settle_status put_account(struct store_writer *writer, const struct account *account, struct store_meta *meta,
                                 settle_error *error)
{
    uint8_t key_bytes[STORE_ACCOUNT_KEY_BYTES], value_bytes[STORE_ACCOUNT_VALUE_BYTES];
    store_account_encode(account, key_bytes, value_bytes);
    struct store_bytes key = {key_bytes, sizeof(key_bytes)}, value = {value_bytes, sizeof(value_bytes)}, old;
    settle_status status = store_writer_get(writer, STORE_ACCOUNTS, key, &old, error);
    if (status != SETTLE_OK)
        return status;
    if (!old.at) {
        meta->account_count++;
        meta->account_digest += store_entry_digest(value);
        return store_writer_add(writer, STORE_ACCOUNTS, key, value, &old, error);
    }
    struct account before;
    const char *fault = store_account_decode(key, old, &before);
    if (fault)
        return store_fail_entry(error, fault);
    if (before.version > account->version)
        return store_fail_history(error, account->last_seq, "an account in the store is newer");
    meta->account_digest += store_entry_digest(value) - store_entry_digest(old);
    return store_writer_replace(writer, STORE_ACCOUNTS, key, value, error);
}

/* ---- The rest ----------------------------------------------------------------------------------------------------------- */

static settle_status put_arrival(struct store_writer *writer, const struct store_arrival *arrival, settle_error *error)
{
    uint8_t key_bytes[STORE_ARRIVAL_KEY_BYTES], value_bytes[STORE_ARRIVAL_VALUE_BYTES];
    store_arrival_encode(arrival, key_bytes, value_bytes);
    struct store_bytes key = {key_bytes, sizeof(key_bytes)}, value = {value_bytes, sizeof(value_bytes)}, old;
    return store_writer_add(writer, STORE_ARRIVALS, key, value, &old, error);
}

static settle_status put_asset(struct store_writer *writer, const settle_asset *asset, settle_error *error)
{
    uint8_t key_bytes[STORE_ASSET_KEY_BYTES], value_bytes[STORE_ASSET_VALUE_BYTES];
    store_asset_encode(asset, key_bytes, value_bytes);
    struct store_bytes key = {key_bytes, sizeof(key_bytes)}, value = {value_bytes, sizeof(value_bytes)}, old;
    settle_status status = store_writer_add(writer, STORE_ASSETS, key, value, &old, error);
    if (status != SETTLE_OK || !old.at)
        return status;
    settle_asset before;
    const char *fault = store_asset_decode(key, old, &before);
    if (fault)
        return store_fail_entry(error, fault);
    bool same = before.scale == asset->scale && strcmp(before.symbol, asset->symbol) == 0;
    return same ? SETTLE_OK : store_fail_history(error, 0, "an asset was declared with other values");
}

static settle_status put_source(struct store_writer *writer, const struct source_entry *source, settle_error *error)
{
    uint8_t key_bytes[STORE_SOURCE_KEY_BYTES_MAX], value_bytes[STORE_SOURCE_VALUE_BYTES_MAX];
    struct store_bytes key = {.at = key_bytes}, value = {.at = value_bytes}, old;
    key.count = store_source_encode(source, key_bytes, value_bytes, &value.count);
    settle_status status = store_writer_get(writer, STORE_SOURCES, key, &old, error);
    if (status != SETTLE_OK)
        return status;
    if (!old.at)
        return store_writer_add(writer, STORE_SOURCES, key, value, &old, error);
    struct source_entry before;
    const char *fault = store_source_decode(key, old, &before);
    if (fault)
        return store_fail_entry(error, fault);
    if (before.name_bytes != source->name_bytes || memcmp(before.name, source->name, before.name_bytes) != 0)
        return store_fail_entry(error, "two sources share a key");
    return store_writer_replace(writer, STORE_SOURCES, key, value, error);
}

/* ---- One transaction ---------------------------------------------------------------------------------------------------- */

static settle_status read_meta(struct store_writer *writer, struct store_meta *ret_meta, settle_error *error)
{
    struct store_bytes key = {STORE_META_KEY, strlen(STORE_META_KEY)}, value;
    settle_status status = store_writer_get(writer, STORE_META, key, &value, error);
    if (status != SETTLE_OK)
        return status;
    const char *fault = value.at ? store_meta_decode(value, ret_meta) : "it has no meta";
    return fault ? store_fail_entry(error, fault) : SETTLE_OK;
}

static settle_status write_meta(struct store_writer *writer, const struct store_meta *meta, settle_error *error)
{
    uint8_t bytes[STORE_META_VALUE_BYTES];
    store_meta_encode(meta, bytes);
    struct store_bytes key = {STORE_META_KEY, strlen(STORE_META_KEY)}, value = {bytes, sizeof(bytes)};
    return store_writer_replace(writer, STORE_META, key, value, error);
}

static settle_status write_batch(struct store_writer *writer, const void *context, settle_error *error)
{
    const struct plan *plan = context;
    const struct store_batch *batch = plan->batch;
    struct store_meta meta;
    settle_status status = read_meta(writer, &meta, error);
    if (status != SETTLE_OK)
        return status;
    if (batch->point.position <= meta.point.position)
        return fail_at(error, SETTLE_E_INVALID, STORE_DATA_FILE, 0, 0, "the store is already at or behind this point");
    for (size_t i = 0; i < plan->account_count && status == SETTLE_OK; i++) {
        if (plan->account_count - i > PREFETCH)
            __builtin_prefetch(plan->accounts[i + PREFETCH].element);
        status = put_account(writer, plan->accounts[i].element, &meta, error);
    }
    if (status == SETTLE_OK)
        status = store_put_ids(writer, STORE_NATURAL_IDS, plan->ids, plan->natural_count, &meta, error);
    if (status == SETTLE_OK)
        status = store_put_ids(writer, STORE_TEXT_IDS, plan->ids + plan->natural_count,
                               batch->id_count - plan->natural_count, &meta, error);
    for (size_t i = 0; i < batch->arrival_count && status == SETTLE_OK; i++)
        status = put_arrival(writer, plan->arrivals[i].element, error);
    for (size_t i = 0; i < batch->asset_count && status == SETTLE_OK; i++)
        status = put_asset(writer, &batch->assets[i], error);
    for (size_t i = 0; i < batch->source_count && status == SETTLE_OK; i++)
        status = put_source(writer, &batch->sources[i], error);
    if (status != SETTLE_OK)
        return status;
    meta.point = batch->point;
    return write_meta(writer, &meta, error);
}

/* ---- Sorting ------------------------------------------------------------------------------------------------------------- */

static void plan_deinit(struct plan *plan)
{
    mem_free(plan->mem, plan->accounts);
    mem_free(plan->mem, plan->ids);
    mem_free(plan->mem, plan->arrivals);
    mem_free(plan->mem, plan->spare);
}

static bool plan_allocate(struct plan *plan)
{
    const struct store_batch *batch = plan->batch;
    size_t most = batch->id_count > batch->arrival_count ? batch->id_count : batch->arrival_count;
    if (most < plan->account_count)
        most = plan->account_count;
    plan->accounts = mem_alloc(plan->mem, plan->account_count, sizeof(*plan->accounts));
    plan->ids = mem_alloc(plan->mem, batch->id_count, sizeof(*plan->ids));
    plan->arrivals = mem_alloc(plan->mem, batch->arrival_count, sizeof(*plan->arrivals));
    plan->spare = mem_alloc(plan->mem, most, sizeof(*plan->spare));
    return plan->accounts && plan->ids && plan->arrivals && plan->spare;
}

static void plan_sort(struct plan *plan)
{
    const struct store_batch *batch = plan->batch;
    for (size_t i = 0; i < plan->account_count; i++) {
        const struct account *account = accounts_at(batch->accounts, (uint32_t)i);
        plan->accounts[i] = (struct store_sort_item){store_account_sort_prefix(account), account};
    }
    store_sort(plan->accounts, plan->spare, plan->account_count, store_account_sort_compare);
    /* Natural ids in front, the others behind: two tables, and each kind's prefixes differ in few bytes. */
    size_t natural = 0, text = batch->id_count, shared = SETTLE_EVENT_ID_BYTES_MAX;
    const struct store_id *first = NULL;
    for (size_t i = 0; i < batch->id_count; i++) {
        const struct store_id *id = &batch->ids[i];
        plan->ids[id->key.is_natural ? natural++ : --text].element = id;
        if (id->key.is_natural)
            continue;
        if (first == NULL) {
            first = id;
            shared = id->key.text_bytes;
        }
        shared = store_id_shared_bytes(first, shared, id);
    }
    for (size_t i = 0; i < batch->id_count; i++)
        plan->ids[i].prefix = store_id_sort_prefix(plan->ids[i].element, i < natural ? 0 : shared);
    plan->natural_count = natural;
    store_sort(plan->ids, plan->spare, natural, store_id_sort_compare);
    store_sort(plan->ids + text, plan->spare, batch->id_count - text, store_id_sort_compare);
    for (size_t i = 0; i < batch->arrival_count; i++)
        plan->arrivals[i] =
            (struct store_sort_item){store_arrival_sort_prefix(&batch->arrivals[i]), &batch->arrivals[i]};
    store_sort(plan->arrivals, plan->spare, batch->arrival_count, store_arrival_sort_compare);
}

settle_status store_apply(struct store *store, const struct store_batch *batch, settle_error *error)
{
    assert(batch->point.position != 0);
    struct plan plan = {
        .batch = batch,
        .mem = store_mem(store),
        .account_count = batch->accounts ? batch->accounts->count : 0,
    };
    settle_status status;
    if (plan_allocate(&plan)) {
        plan_sort(&plan);
        status = store_transact(store, write_batch, &plan, error);
    } else {
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory to sort a checkpoint");
    }
    plan_deinit(&plan);
    return status;
}
