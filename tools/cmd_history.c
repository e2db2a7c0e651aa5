/* cmd_history.c — `settlectl history USER ASSET`: the statement of an account, newest first. */
#include <string.h>

#include "query/query.h"
#include "tools/history_plot.h"
#include "tools/command.h"
#include "tools/report.h"

/* For people: rows that are aligned with each other. More are printed as they come, in bounded memory. */
#define ROWS_ALIGNED 1000

/* ---- What is asked for ---- */

struct question {
    uint64_t user;
    settle_asset asset;
    struct bound since, until;
    uint64_t before_seq; /* UINT64_MAX: not given */
    struct history_options options;
};

static int take_question(const struct invocation *inv, struct question *question)
{
    const char *limit = invocation_option(inv, OPTION_LIMIT), *before = invocation_option(inv, OPTION_BEFORE);
    const char *since = invocation_option(inv, OPTION_SINCE), *until = invocation_option(inv, OPTION_UNTIL);
    *question = (struct question){.before_seq = UINT64_MAX, .options = {0, UINT64_MAX, UINT64_MAX}};
    if (!query_user_parse(inv->arguments[0], &question->user))
        return report_usage(inv, "\"%s\" is no user: a number from 1, \"external\" or \"fees\"", inv->arguments[0]);
    if (limit != NULL && !query_u64_parse(limit, &question->options.limit))
        return report_usage(inv, "--limit %s: not a number of rows", limit);
    if (before != NULL && !query_u64_parse(before, &question->before_seq))
        return report_usage(inv, "--before %s: not a sequence number", before);
    if (!bound_parse(since, &question->since))
        return report_usage(inv, "--since %s: not a sequence number or a time", since);
    if (!bound_parse(until, &question->until))
        return report_usage(inv, "--until %s: not a sequence number or a time", until);
    bool draws_on_stdout = invocation_option(inv, OPTION_PLOT) != NULL && invocation_option(inv, OPTION_OUTPUT) == NULL;
    if (draws_on_stdout && inv->as_json)
        return report_usage(inv, "--plot draws for people; history --json has the points, -o FILE.svg a drawing");
    return EXIT_DONE;
}

/* Moments become sequence numbers, and the cursor one more bound. */
static settle_status take_bounds(struct query *query, struct question *question, settle_error *error)
{
    struct history_options *options = &question->options;
    const struct bound *since = &question->since, *until = &question->until;
    settle_status status = SETTLE_OK;
    if (since->is_given)
        options->since_seq = since->seq;
    if (since->is_moment && since->time_us == 0) {
        options->since_seq = 0;
    } else if (since->is_moment) { /* behind the last event before it */
        status = query_seq_at(query, since->time_us - 1, &options->since_seq, error);
        options->since_seq++;
    }
    if (until->is_given)
        options->until_seq = until->seq;
    if (status == SETTLE_OK && until->is_moment)
        status = query_seq_at(query, until->time_us, &options->until_seq, error);
    if (question->before_seq <= options->until_seq)
        options->until_seq = question->before_seq == 0 ? 0 : question->before_seq - 1;
    return status;
}

/* ---- Rows ---- */

struct statement {
    struct invocation *invocation;
    const settle_asset *asset;
    struct table table;
    size_t rows; /* in the table */
    settle_status status;
};

static void row_json(struct out *out, const struct account_change *change, uint8_t scale)
{
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_u64(&json, "seq", change->seq);
    json_u64(&json, "ts", change->ts_ms);
    json_string(&json, "event_id", change->event_id);
    json_string(&json, "type", settle_type_name(change->type));
    json_amount(&json, "delta", change->delta, scale);
    json_amount(&json, "after", change->after, scale);
    json_u64(&json, "version", change->version);
    json_object_end(&json);
    json_line_end(&json);
}

static void row_cells(struct table *table, const struct account_change *change, uint8_t scale)
{
    char number[PRINT_U64_BYTES], time[PRINT_TIME_BYTES], amount[SETTLE_AMOUNT_TEXT_BYTES];
    table_cell(table, print_u64(change->seq, number));
    show_event_time(change->ts_ms, time);
    table_cell(table, time);
    table_cell(table, settle_type_name(change->type));
    table_cell(table, change->event_id);
    show_delta_cell(table, change->delta, scale);
    settle_amount_format(change->after, scale, amount);
    table_cell(table, amount);
    table_cell(table, print_u64(change->version, number));
}

/* Prints the rows collected so far; those that follow have no line of titles. */
static bool print_rows(struct statement *statement)
{
    static const struct table_column untitled[] = {{"", true}, {"", false}, {"", false}, {"", false},
                                                   {"", true}, {"", true},  {"", true}};
    statement->status = table_print(&statement->table, &statement->invocation->out, 0);
    table_init(&statement->table, untitled, sizeof untitled / sizeof untitled[0]);
    statement->rows = 0;
    return statement->status == SETTLE_OK && statement->invocation->out.failed_errno == 0;
}

static bool take_row(void *context, const struct account_change *change)
{
    struct statement *statement = context;
    struct out *out = &statement->invocation->out;
    if (statement->invocation->as_json) {
        row_json(out, change, statement->asset->scale);
        return out->failed_errno == 0;
    }
    row_cells(&statement->table, change, statement->asset->scale);
    return ++statement->rows < ROWS_ALIGNED || print_rows(statement);
}

static int show_rows(struct invocation *inv, struct query *query, const struct question *question)
{
    static const struct table_column titled[] = {{"seq", true},       {"event time", false}, {"type", false},
                                                 {"event id", false}, {"delta", true},       {"after", true},
                                                 {"version", true}};
    struct statement statement = {.invocation = inv, .asset = &question->asset};
    settle_error error = {0};
    table_init(&statement.table, titled, sizeof titled / sizeof titled[0]);
    settle_status status =
        query_history(query, question->user, question->asset.id, &question->options, take_row, &statement, &error);
    if (statement.rows > 0)
        (void)print_rows(&statement); /* where the walk broke, what was good before it */
    if (status == SETTLE_E_NOT_FOUND)
        return report_negative(inv, "user %s has no history in %s", inv->arguments[0], question->asset.symbol);
    if (status == SETTLE_OK)
        status = statement.status;
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}

static int show_history(struct invocation *inv, struct query *query, struct question *question)
{
    settle_error error = {0};
    const char *path = invocation_option(inv, OPTION_OUTPUT);
    settle_status status = take_bounds(query, question, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (path != NULL || invocation_option(inv, OPTION_PLOT) != NULL)
        return history_plot(inv, query, question->user, &question->asset, &question->options, path);
    return show_rows(inv, query, question);
}

int cmd_history(struct invocation *inv)
{
    struct question question;
    struct query *query = NULL;
    settle_error error = {0};
    int exit_status = take_question(inv, &question);
    if (exit_status != EXIT_DONE)
        return exit_status;
    settle_status status = query_open(inv->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, query);
    const settle_asset *asset = query_asset_find(query, (settle_text){inv->arguments[1], strlen(inv->arguments[1])});
    if (asset != NULL)
        question.asset = *asset; /* a copy: the query may read its own anew */
    if (asset == NULL)
        exit_status = report_negative(inv, "no asset \"%s\" is declared", inv->arguments[1]);
    else
        exit_status = show_history(inv, query, &question);
    query_close(query);
    return exit_status;
}
