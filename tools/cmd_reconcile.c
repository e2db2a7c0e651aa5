/*
 * cmd_reconcile.c — `settlectl reconcile`: an outside statement, a table of CSV, against ours. Its header tells what its rows
 * are: balances (reconcile_balances.c), or events (reconcile_events.c).
 */
#include <string.h>

#include "tools/reconcile.h"
#include "tools/report.h"

int reconcile_answer(struct invocation *inv, const struct reconcile_count *counts, size_t count,
                     enum reconcile_verdict verdict)
{
    static const char *const words[] = {": ok\n", ": nothing to check: the statement has no row\n", ": not ok\n"};
    struct out *out = &inv->out;
    struct json json = json_on(out);
    if (inv->as_json)
        json_object(&json, NULL);
    for (size_t i = 0; i < count; i++) {
        if (inv->as_json)
            json_u64(&json, counts[i].name, counts[i].value);
        else
            out_format(out, "%s%s %llu", i == 0 ? "" : ", ", counts[i].name, (unsigned long long)counts[i].value);
    }
    if (inv->as_json) {
        json_bool(&json, "ok", verdict == RECONCILE_OK);
        json_bool(&json, "empty", verdict == RECONCILE_EMPTY);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_text(out, words[verdict]);
    }
    return verdict == RECONCILE_OK ? EXIT_DONE : EXIT_NEGATIVE;
}

/* ---- Scope ---- */

static int take_scope(const struct invocation *inv, struct reconcile_scope *scope, bool *ret_is_moment,
                      uint64_t *ret_time_us)
{
    const char *at_seq = invocation_option(inv, OPTION_AT_SEQ), *at = invocation_option(inv, OPTION_AT);
    const char *since = invocation_option(inv, OPTION_SINCE), *until = invocation_option(inv, OPTION_UNTIL);
    *scope = (struct reconcile_scope){.is_past = at_seq != NULL || at != NULL};
    *ret_is_moment = at != NULL;
    if (at_seq != NULL && at != NULL)
        return report_usage(inv, "--at-seq and --at are two answers to one question");
    if (at_seq != NULL && !query_u64_parse(at_seq, &scope->at_seq))
        return report_usage(inv, "--at-seq %s: not a sequence number", at_seq);
    if (at != NULL && !query_time_parse(at, query_now_us(), ret_time_us))
        return report_usage(inv, "--at %s: not a time: RFC 3339, milliseconds since 1970, or -1h", at);
    if (!bound_parse(since, &scope->since))
        return report_usage(inv, "--since %s: not a sequence number or a time", since);
    if (!bound_parse(until, &scope->until))
        return report_usage(inv, "--until %s: not a sequence number or a time", until);
    return EXIT_DONE;
}

/* What the rows are, and whether the options are for such rows. */
static int choose(struct invocation *inv, struct query *query, struct statement *statement,
                  const struct reconcile_scope *scope)
{
    static const char nothing[] = "it must name the columns user, asset and balance, or event_id";
    settle_error error = {0};
    bool has_balances = statement_has(statement, COLUMN_USER) && statement_has(statement, COLUMN_ASSET) &&
                        statement_has(statement, COLUMN_BALANCE);
    if (statement_has(statement, COLUMN_EVENT_ID)) {
        if (scope->is_past)
            return report_usage(inv, "--at and --at-seq are for a statement of balances, and this one has events");
        return reconcile_events(inv, query, statement, scope);
    }
    if (!has_balances)
        return report_error(inv, statement_refuse(statement, nothing, &error), &error);
    if (scope->since.is_given || scope->until.is_given)
        return report_usage(inv, "--since and --until are for a statement of events, and this one has balances");
    if (scope->is_past && scope->at_seq > query_last_seq(query))
        return report_negative(inv, "the journal ends at seq %llu", (unsigned long long)query_last_seq(query));
    return reconcile_balances(inv, query, statement, scope);
}

static int run(struct invocation *inv, struct query **ret_query, struct statement *statement)
{
    struct reconcile_scope scope;
    settle_error error = {0};
    bool is_moment = false;
    uint64_t time_us = 0;
    int exit_status = take_scope(inv, &scope, &is_moment, &time_us);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settle_status status = query_open(inv->directory, ret_query, &error);
    if (status == SETTLE_OK)
        report_store_fault(inv, *ret_query);
    if (status == SETTLE_OK && is_moment)
        status = query_seq_at(*ret_query, time_us, &scope.at_seq, &error);
    if (status == SETTLE_OK)
        status = statement_open(statement, inv, inv->arguments[0], &error);
    return status == SETTLE_OK ? choose(inv, *ret_query, statement, &scope) : report_error(inv, status, &error);
}

int cmd_reconcile(struct invocation *inv)
{
    struct statement statement = {.path = NULL};
    struct query *query = NULL;
    int exit_status = run(inv, &query, &statement);
    statement_close(&statement);
    query_close(query);
    return exit_status;
}
