/*
 * balances.c — opening a query, assets, balances as sorted lists. Owns the view behind a struct query; a ledger is
 * plain memory that its receiver frees.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/registry.h"
#include "journal/base/status.h"
#include "query/internal.h"

settle_status query_open(const char *directory, struct query **ret_query, settle_error *error)
{
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a query");
    settle_status status = view_open(directory, &query->view, error);
    if (status != SETTLE_OK) {
        free(query);
        return status;
    }
    *ret_query = query;
    return SETTLE_OK;
}

void query_close(struct query *query)
{
    if (query == NULL)
        return;
    view_close(&query->view);
    free(query);
}

const settle_error *query_store_fault(const struct query *query)
{
    return query->view.store_fault.status == SETTLE_OK ? NULL : &query->view.store_fault;
}

uint64_t query_segment_bytes(const struct query *query)
{
    return journal_reader_segment_bytes(query->view.reader);
}

uint64_t query_last_seq(const struct query *query)
{
    return query->view.end.next_seq - 1;
}

uint32_t query_format_version(void)
{
    return FORMAT_VERSION;
}

/* ---- Names ---- */

bool query_u64_parse(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool query_user_parse(const char *text, uint64_t *ret_user)
{
    uint64_t user = 0;
    if (strcmp(text, "external") == 0)
        user = SETTLE_USER_EXTERNAL;
    else if (strcmp(text, "fees") == 0)
        user = SETTLE_USER_FEES;
    else if (!query_u64_parse(text, &user) || user == 0 || user > SETTLE_USER_MAX)
        return false;
    *ret_user = user;
    return true;
}

bool query_asset_parse(const char *text, settle_asset *ret_asset)
{
    settle_asset asset = {0};
    char id_text[PRINT_U64_BYTES] = "";
    uint64_t id = 0, scale = 0;
    const char *equals = strchr(text, '='), *colon = equals != NULL ? strchr(equals, ':') : NULL;
    if (colon == NULL || equals - text > SETTLE_SYMBOL_BYTES_MAX || colon - equals > (ptrdiff_t)sizeof id_text)
        return false;
    memcpy(asset.symbol, text, (size_t)(equals - text));
    memcpy(id_text, equals + 1, (size_t)(colon - equals - 1));
    if (!query_u64_parse(id_text, &id) || id > UINT32_MAX || !query_u64_parse(colon + 1, &scale) ||
        scale > SETTLE_SCALE_MAX)
        return false;
    asset.id = (uint32_t)id;
    asset.scale = (uint8_t)scale;
    if (asset_form_fault(&asset) != NULL)
        return false;
    *ret_asset = asset;
    return true;
}

const settle_asset *query_asset_find(const struct query *query, settle_text name)
{
    char digits[PRINT_U64_BYTES];
    uint64_t id = 0;
    const settle_asset *asset = view_asset_by_symbol(&query->view, name);
    if (asset != NULL || name.bytes >= sizeof digits)
        return asset;
    memcpy(digits, name.data, name.bytes);
    digits[name.bytes] = '\0';
    return query_u64_parse(digits, &id) && id <= UINT32_MAX ? view_asset_by_id(&query->view, (uint32_t)id) : NULL;
}

const settle_asset *query_asset_by_id(const struct query *query, uint32_t id)
{
    return view_asset_by_id(&query->view, id);
}

/* ---- Ledgers ---- */

void ledger_free(struct ledger *ledger)
{
    free(ledger->balances);
    free(ledger->assets);
    *ledger = (struct ledger){0};
}

const settle_asset *ledger_asset(const struct ledger *ledger, uint32_t id)
{
    const struct registry names = {.assets = ledger->assets, .asset_count = ledger->asset_count};
    const settle_asset *asset = registry_asset_by_id(&names, id);
    assert(asset != NULL); /* an account changes only through events of a declared asset */
    return asset;
}

settle_status ledger_copy_assets(struct ledger *ledger, const settle_asset *assets, size_t count, settle_error *error)
{
    assert(ledger->assets == NULL);
    ledger->assets = calloc(count + 1, sizeof *assets);
    if (ledger->assets == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", count);
    if (count > 0)
        memcpy(ledger->assets, assets, count * sizeof *assets);
    ledger->asset_count = count;
    return SETTLE_OK;
}

settle_status ledger_take_accounts(struct ledger *ledger, const struct accounts *accounts, settle_error *error)
{
    assert(ledger->balances == NULL);
    struct account **sorted = accounts_sorted(accounts);
    ledger->balances = calloc((size_t)accounts->count + 1, sizeof *ledger->balances);
    if (sorted == NULL || ledger->balances == NULL) {
        mem_free(accounts->mem, sorted);
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for %" PRIu32 " balances", accounts->count);
    }
    for (uint32_t i = 0; i < accounts->count; i++) {
        const struct account *a = sorted[i];
        ledger->balances[ledger->balance_count++] =
            (settle_balance){a->user, a->asset, a->available, a->held, a->version, a->last_seq};
    }
    mem_free(accounts->mem, sorted);
    return SETTLE_OK;
}

settle_status query_assets(struct query *query, struct ledger *ret_ledger, settle_error *error)
{
    struct ledger ledger = {0};
    settle_status status = ledger_copy_assets(&ledger, query->view.names.assets, query->view.names.asset_count, error);
    if (status == SETTLE_OK)
        *ret_ledger = ledger;
    return status;
}

bool store_is_to_blame(const struct view *view, settle_status status, const settle_error *fault)
{
    return view->store != NULL &&
           (store_is_in_use(status, fault) || (status == SETTLE_E_CORRUPT && strncmp(fault->file, "store", 5) == 0));
}

settle_status accounts_read(struct view *view, uint64_t user, uint32_t asset, struct accounts *accounts,
                            settle_error *error)
{
    settle_error fault = {0};
    settle_status status = view_accounts(view, user, asset, accounts, &fault);
    if (store_is_to_blame(view, status, &fault)) {
        accounts_clear(accounts);
        status = view_forget_store(view, &fault, error);
        return status == SETTLE_OK ? view_accounts(view, user, asset, accounts, error) : status;
    }
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    return status;
}

settle_status query_balances(struct query *query, uint64_t user, uint32_t asset, struct ledger *ret_ledger,
                             settle_error *error)
{
    struct ledger ledger = {0};
    struct accounts accounts = {0};
    settle_status status = accounts_init(&accounts, query->view.mem, user == 0 ? 1024 : 16);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for balances");
    status = accounts_read(&query->view, user, asset, &accounts, error);
    if (status == SETTLE_OK)
        status = ledger_take_accounts(&ledger, &accounts, error);
    if (status == SETTLE_OK)
        status = ledger_copy_assets(&ledger, query->view.names.assets, query->view.names.asset_count, error);
    accounts_deinit(&accounts);
    if (status == SETTLE_OK)
        *ret_ledger = ledger;
    else
        ledger_free(&ledger);
    return status;
}
