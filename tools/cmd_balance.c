/* cmd_balance.c — `settlectl balance [USER [ASSET]]`, now or as it was. */
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

/* What is asked for. */
struct question {
    uint64_t user;      /* 0: all */
    settle_asset asset; /* a copy: the query may read its own anew; id 0: all */
    bool is_past;       /* behind an event, or a moment */
    bool is_moment;
    uint64_t seq, time_us;
};

static settle_status read_balances(struct query *query, const struct question *question, struct ledger *ret_ledger,
                                   settle_error *error)
{
    uint32_t asset = question->asset.id;
    uint64_t seq = question->seq;
    if (!question->is_past)
        return query_balances(query, question->user, asset, ret_ledger, error);
    settle_status status = question->is_moment ? query_seq_at(query, question->time_us, &seq, error) : SETTLE_OK;
    return status == SETTLE_OK ? query_balances_at(query, question->user, asset, seq, ret_ledger, error) : status;
}

static int show_balances(struct invocation *inv, struct query *query, const struct question *question)
{
    struct ledger ledger = {0};
    settle_error error = {0};
    int exit_status = EXIT_DONE;
    const char *has = question->is_past ? "had" : "has";
    const char *when =
        question->is_moment ? " recorded by then; --at asks when events were recorded, not for their ts" : "";
    if (question->is_past && !question->is_moment && question->seq > query_last_seq(query))
        return report_negative(inv, "the journal ends at seq %llu", (unsigned long long)query_last_seq(query));
    settle_status status = read_balances(query, question, &ledger, &error);
    if (status == SETTLE_OK && ledger.balance_count == 0 && question->asset.id != 0)
        exit_status =
            report_negative(inv, "user %s %s no balance in %s%s", inv->arguments[0], has, question->asset.symbol, when);
    else if (status == SETTLE_OK && ledger.balance_count == 0 && question->user != 0)
        exit_status = report_negative(inv, "user %s %s no balance%s", inv->arguments[0], has, when);
    else if (status == SETTLE_OK)
        status = show_ledger(inv, &ledger);
    ledger_free(&ledger);
    return status == SETTLE_OK ? exit_status : report_error(inv, status, &error);
}

static int take_question(const struct invocation *inv, struct question *question)
{
    const char *at_seq = invocation_option(inv, OPTION_AT_SEQ), *at = invocation_option(inv, OPTION_AT);
    if (inv->argument_count > 0 && !query_user_parse(inv->arguments[0], &question->user))
        return report_usage(inv, "\"%s\" is no user: a number from 1, \"external\" or \"fees\"", inv->arguments[0]);
    if (at_seq != NULL && at != NULL)
        return report_usage(inv, "--at-seq and --at are two answers to one question");
    if (at_seq != NULL && !query_u64_parse(at_seq, &question->seq))
        return report_usage(inv, "--at-seq %s: not a sequence number", at_seq);
    if (at != NULL && !query_time_parse(at, query_now_us(), &question->time_us))
        return report_usage(inv, "--at %s: not a time: RFC 3339, milliseconds since 1970, or -1h", at);
    question->is_past = at_seq != NULL || at != NULL;
    question->is_moment = at != NULL;
    return EXIT_DONE;
}

int cmd_balance(struct invocation *inv)
{
    struct question question = {0};
    struct query *query = NULL;
    settle_error error = {0};
    int exit_status = take_question(inv, &question);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settle_status status = query_open(inv->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, query);
    const settle_asset *asset = NULL;
    if (inv->argument_count == 2)
        asset = query_asset_find(query, (settle_text){inv->arguments[1], strlen(inv->arguments[1])});
    if (asset != NULL)
        question.asset = *asset;
    if (inv->argument_count == 2 && asset == NULL)
        exit_status = report_negative(inv, "no asset \"%s\" is declared", inv->arguments[1]);
    else
        exit_status = show_balances(inv, query, &question);
    query_close(query);
    return exit_status;
}
