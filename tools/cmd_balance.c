/* cmd_balance.c — `settlectl balance [USER [ASSET]]`. */
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

static int show_balances(struct invocation *inv, struct query *query, uint64_t user, const settle_asset *asset)
{
    struct ledger ledger = {0};
    settle_error error = {0};
    int exit_status = EXIT_DONE;
    settle_status status = query_balances(query, user, asset == NULL ? 0 : asset->id, &ledger, &error);
    if (status == SETTLE_OK && ledger.balance_count == 0 && asset != NULL)
        exit_status = report_negative(inv, "user %s has no balance in %s", inv->arguments[0], asset->symbol);
    else if (status == SETTLE_OK && ledger.balance_count == 0 && user != 0)
        exit_status = report_negative(inv, "user %s has no balance", inv->arguments[0]);
    else if (status == SETTLE_OK)
        status = show_ledger(inv, &ledger);
    ledger_free(&ledger);
    return status == SETTLE_OK ? exit_status : report_error(inv, status, &error);
}

int cmd_balance(struct invocation *inv)
{
    uint64_t user = 0;
    struct query *query = NULL;
    settle_error error = {0};
    if (inv->argument_count > 0 && !query_user_parse(inv->arguments[0], &user))
        return report_usage(inv, "\"%s\" is no user: a number from 1, \"external\" or \"fees\"", inv->arguments[0]);
    settle_status status = query_open(inv->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, query);
    int exit_status = EXIT_DONE;
    const settle_asset *asset = NULL;
    if (inv->argument_count == 2)
        asset = query_asset_find(query, (settle_text){inv->arguments[1], strlen(inv->arguments[1])});
    if (inv->argument_count == 2 && asset == NULL)
        exit_status = report_negative(inv, "no asset \"%s\" is declared", inv->arguments[1]);
    else
        exit_status = show_balances(inv, query, user, asset);
    query_close(query);
    return exit_status;
}
