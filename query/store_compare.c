/*
 * store_compare.c — every entry of a store against the fold, and their number. Owns nothing.
 */
#include "query/store_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/status.h"

static settle_status differs(struct store_compare *c, settle_error *error, const char *how, const char *what)
{
    c->differs = true;
    return fail_at(error, SETTLE_E_CORRUPT, c->file, 0, c->meta->point.next_seq - 1, "%s %s%s", c->called, how, what);
}

static settle_status compare_account(void *context, const struct account *stored, settle_error *error)
{
    struct store_compare *c = context;
    const struct account *own = accounts_find(&c->fold->accounts, stored->user, stored->asset);
    if (own != NULL && own->available == stored->available && own->held == stored->held &&
        own->version == stored->version && own->last_seq == stored->last_seq &&
        own->last_position == stored->last_position)
        return SETTLE_OK;
    char who[64], user[PRINT_USER_BYTES];
    snprintf(who, sizeof who, "user %s asset %" PRIu32, print_user(stored->user, user), stored->asset);
    return differs(c, error, "has another balance than the journal: ", who);
}

struct count_walk {
    struct store_compare *compare;
    size_t count;
};

static settle_status compare_asset(void *context, const settle_asset *stored, settle_error *error)
{
    struct count_walk *walk = context;
    const struct fold *fold = walk->compare->fold;
    const settle_asset *own = registry_asset_by_id(&fold->names, stored->id);
    walk->count++;
    if (own != NULL && own->scale == stored->scale && strcmp(own->symbol, stored->symbol) == 0)
        return SETTLE_OK;
    return differs(walk->compare, error, "has an asset that the journal does not declare: ", stored->symbol);
}

static settle_status compare_source(void *context, const struct source_entry *stored, settle_error *error)
{
    struct count_walk *walk = context;
    const struct fold *fold = walk->compare->fold;
    char name[80];
    walk->count++;
    for (size_t i = 0; i < fold->names.source_count; i++) {
        const struct source_entry *own = &fold->names.sources[i];
        if (own->name_bytes == stored->name_bytes && memcmp(own->name, stored->name, own->name_bytes) == 0 &&
            own->offset_bytes == stored->offset_bytes && own->line == stored->line)
            return SETTLE_OK;
    }
    snprintf(name, sizeof name, "%.*s", (int)(stored->name_bytes < 64 ? stored->name_bytes : 64), stored->name);
    return differs(walk->compare, error, "has another position of a source than the journal: ", name);
}

static settle_status pass_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)context;
    (void)id;
    (void)error;
    return SETTLE_OK; /* the walk itself checks every entry, their count and their digest */
}

settle_status store_compare(struct store_compare *compare, struct store_snapshot *snapshot, settle_error *error)
{
    struct store_compare *c = compare;
    const struct fold *fold = c->fold;
    struct count_walk assets = {c, 0}, sources = {c, 0};
    settle_status status = store_accounts_walk(snapshot, 0, compare_account, c, error);
    if (status == SETTLE_OK && c->meta->account_count != fold->accounts.count)
        return differs(c, error, "lacks ", "a balance of the journal");
    if (status == SETTLE_OK)
        status = store_assets_walk(snapshot, compare_asset, &assets, error);
    if (status == SETTLE_OK && assets.count != fold->names.asset_count)
        return differs(c, error, "lacks ", "an asset of the journal");
    if (status == SETTLE_OK)
        status = store_sources_walk(snapshot, compare_source, &sources, error);
    if (status == SETTLE_OK && sources.count != fold->names.source_count)
        return differs(c, error, "lacks ", "a source's position of the journal");
    if (status == SETTLE_OK)
        status = store_ids_walk(snapshot, pass_id, c, error);
    if (status == SETTLE_OK && (c->meta->id_count != c->ids || c->meta->id_digest != c->id_digest))
        return differs(c, error, "has other event ids than ", "the journal");
    return status;
}
