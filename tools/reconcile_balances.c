/*
 * reconcile_balances.c — the balances of an outside statement against ours, now or as they were. The statement is held in
 * memory, as our balances are.
 *
 * A balance of zero and none at all are the same. The accounts external and fees are compared where the statement has
 * one of them: an outside statement knows of users alone.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/reconcile.h"
#include "tools/report.h"

/* A balance as the statement has it. */
struct stated {
    uint64_t user;
    const settle_asset *asset;
    settle_int128 balance, held; /* without a column `held` the balance is the sum of both */
    uint64_t line;
};

struct counts {
    uint64_t equal, differing, missing_here, missing_there;
};

struct job {
    struct invocation *invocation;
    struct statement *statement;
    struct query *query;
    struct ledger ledger;
    bool has_system;
    struct stated *stated; /* sorted, once all are read */
    size_t count, capacity;
    struct table table;
    struct counts counts;
};

/* ---- Reading the statement ---- */

/* A decimal, with a sign where the balance is below zero. */
static bool amount_parse(const char *text, uint8_t scale, settle_int128 *ret_amount)
{
    settle_int128 amount = 0;
    bool is_negative = text[0] == '-';
    const char *digits = is_negative ? text + 1 : text;
    if (settle_amount_parse((settle_text){digits, strlen(digits)}, scale, &amount) != SETTLE_OK)
        return false;
    *ret_amount = is_negative ? -amount : amount;
    return true;
}

/* NULL, or what is wrong with the row read last, and the column it is in. */
static const char *convert(const struct job *job, struct stated *ret_stated, enum column *ret_column)
{
    const char *const *cells = job->statement->cells;
    struct stated row = {.line = job->statement->line_number};
    *ret_column = COLUMN_USER;
    if (!query_user_parse(cells[COLUMN_USER], &row.user))
        return "user must be 1 to 9223372036854775807, external or fees";
    *ret_column = COLUMN_ASSET;
    row.asset = query_asset_find(job->query, (settle_text){cells[COLUMN_ASSET], strlen(cells[COLUMN_ASSET])});
    if (row.asset == NULL)
        return "the asset is not declared";
    *ret_column = COLUMN_BALANCE;
    if (!amount_parse(cells[COLUMN_BALANCE], row.asset->scale, &row.balance))
        return "balance must be a decimal with at most the asset's decimals";
    *ret_column = COLUMN_HELD;
    if (statement_has(job->statement, COLUMN_HELD) && !amount_parse(cells[COLUMN_HELD], row.asset->scale, &row.held))
        return "held must be a decimal with at most the asset's decimals";
    *ret_stated = row;
    return NULL;
}

static settle_status take_row(struct job *job)
{
    struct stated row;
    enum column column;
    const char *fault = convert(job, &row, &column);
    if (fault != NULL) {
        statement_malformed(job->statement, column, fault);
        return SETTLE_OK;
    }
    if (job->count == job->capacity) {
        size_t capacity = job->capacity == 0 ? 1024 : 2 * job->capacity;
        struct stated *grown = reallocarray(job->stated, capacity, sizeof *grown);
        if (grown == NULL)
            return SETTLE_E_NO_MEMORY;
        job->stated = grown;
        job->capacity = capacity;
    }
    job->stated[job->count++] = row;
    job->has_system = job->has_system || row.user > SETTLE_USER_MAX;
    return SETTLE_OK;
}

static settle_status read_statement(struct job *job, settle_error *error)
{
    settle_status status;
    while ((status = statement_next(job->statement, error)) == SETTLE_OK)
        if (take_row(job) != SETTLE_OK) {
            report_text(error, "no memory for %zu balances", job->count);
            return SETTLE_E_NO_MEMORY;
        }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* ---- Comparing ---- */

static int compare_keys(uint64_t user, uint32_t asset, uint64_t other_user, uint32_t other_asset)
{
    if (user != other_user)
        return user < other_user ? -1 : 1;
    return asset == other_asset ? 0 : asset < other_asset ? -1 : 1;
}

static int compare_stated(const void *a, const void *b)
{
    const struct stated *x = a, *y = b;
    int order = compare_keys(x->user, x->asset->id, y->user, y->asset->id);
    return order != 0 ? order : x->line < y->line ? -1 : 1;
}

/* Of an account that is stated twice the first row counts, and the others are malformed. */
static void drop_repeats(struct job *job)
{
    size_t kept = 0;
    for (size_t i = 0; i < job->count; i++) {
        const struct stated *row = &job->stated[i];
        if (kept > 0 &&
            compare_keys(row->user, row->asset->id, job->stated[kept - 1].user, job->stated[kept - 1].asset->id) == 0) {
            job->statement->malformed++;
            report_malformed(job->invocation, job->statement->path, row->line, 1,
                             "the balance stands in a row before this one");
        } else {
            job->stated[kept++] = *row;
        }
    }
    job->count = kept;
}

static void tell(struct job *job, const char *difference, uint64_t user, const settle_asset *asset,
                 const settle_int128 *ours, const settle_int128 *theirs, const char *what)
{
    struct invocation *inv = job->invocation;
    char text[SETTLE_AMOUNT_TEXT_BYTES], name[PRINT_USER_BYTES];
    const settle_int128 *sides[] = {ours, theirs};
    static const char *const keys[] = {"ours", "theirs"};
    struct json json = json_on(&inv->out);
    if (inv->as_json) {
        json_object(&json, NULL);
        json_string(&json, "difference", difference);
        json_user(&json, "user", user);
        json_string(&json, "asset", asset->symbol);
        json_string(&json, "balance", what);
    } else {
        table_cell(&job->table, print_user(user, name));
        table_cell(&job->table, asset->symbol);
        table_cell(&job->table, what);
    }
    for (int i = 0; i < 2; i++) {
        if (inv->as_json && sides[i] == NULL) {
            json_null(&json, keys[i]);
        } else if (inv->as_json) {
            json_amount(&json, keys[i], *sides[i], asset->scale);
        } else {
            if (sides[i] != NULL)
                settle_amount_format(*sides[i], asset->scale, text);
            table_cell(&job->table, sides[i] != NULL ? text : "-");
        }
    }
    if (inv->as_json) {
        json_object_end(&json);
        json_line_end(&json);
    } else {
        table_cell(&job->table, difference);
    }
}

static void compare_one(struct job *job, const settle_balance *ours, const struct stated *theirs)
{
    uint64_t user = ours != NULL ? ours->user : theirs->user;
    const settle_asset *asset = ours != NULL ? ledger_asset(&job->ledger, ours->asset) : theirs->asset;
    settle_int128 available = ours != NULL ? ours->available : 0, held = ours != NULL ? ours->held : 0;
    settle_int128 sum = (settle_int128)((settle_uint128)available + (settle_uint128)held);
    bool has_held = statement_has(job->statement, COLUMN_HELD);
    settle_int128 balance = has_held ? available : sum;
    const char *what = has_held ? "available" : "all";
    if (theirs == NULL && user > SETTLE_USER_MAX && !job->has_system)
        return;
    if (theirs == NULL) {
        if (balance == 0 && held == 0)
            return;
        job->counts.missing_there++;
        tell(job, "missing_there", user, asset, &balance, NULL, what);
        return;
    }
    bool is_equal = balance == theirs->balance, is_held_equal = !has_held || held == theirs->held;
    if (is_equal && is_held_equal) {
        job->counts.equal++;
        return;
    }
    const char *difference = ours == NULL ? "missing_here" : "differs";
    job->counts.missing_here += ours == NULL;
    job->counts.differing += ours != NULL;
    if (!is_equal)
        tell(job, difference, user, asset, ours == NULL ? NULL : &balance, &theirs->balance, what);
    if (!is_held_equal)
        tell(job, difference, user, asset, ours == NULL ? NULL : &held, &theirs->held, "held");
}

/* Both are sorted by user, then asset id, system accounts last. */
static void compare(struct job *job)
{
    size_t i = 0, k = 0;
    while (i < job->ledger.balance_count || k < job->count) {
        const settle_balance *ours = i < job->ledger.balance_count ? &job->ledger.balances[i] : NULL;
        const struct stated *theirs = k < job->count ? &job->stated[k] : NULL;
        int order = ours == NULL     ? 1
                    : theirs == NULL ? -1
                                     : compare_keys(ours->user, ours->asset, theirs->user, theirs->asset->id);
        compare_one(job, order <= 0 ? ours : NULL, order >= 0 ? theirs : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- The answer ---- */

static int run(struct job *job, const struct reconcile_scope *scope)
{
    static const struct table_column columns[] = {{"user", true}, {"asset", false}, {"balance", false},
                                                  {"ours", true}, {"theirs", true}, {"difference", false}};
    struct invocation *inv = job->invocation;
    settle_error error = {0};
    table_init(&job->table, columns, sizeof columns / sizeof columns[0]);
    settle_status status = scope->is_past ? query_balances_at(job->query, 0, 0, scope->at_seq, &job->ledger, &error)
                                          : query_balances(job->query, 0, 0, &job->ledger, &error);
    if (status == SETTLE_OK)
        status = read_statement(job, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (job->count > 1)
        qsort(job->stated, job->count, sizeof *job->stated, compare_stated);
    drop_repeats(job);
    compare(job);
    const struct counts *c = &job->counts;
    const uint64_t malformed = job->statement->malformed;
    const struct reconcile_count counts[] = {{"rows", job->statement->rows},      {"equal", c->equal},
                                             {"differing", c->differing},         {"missing_here", c->missing_here},
                                             {"missing_there", c->missing_there}, {"malformed", malformed}};
    bool is_nothing = c->equal == 0 && job->ledger.balance_count > 0;
    bool differs = is_nothing || c->differing + c->missing_here + c->missing_there + malformed > 0;
    if (!inv->as_json && job->table.cell_count > 0)
        status = table_print(&job->table, &inv->out, 0);
    if (status != SETTLE_OK)
        return report_error(inv, status, report_text(&error, "out of memory"));
    return reconcile_answer(inv, counts, sizeof counts / sizeof counts[0],
                            differs                     ? RECONCILE_NOT_OK
                            : job->statement->rows == 0 ? RECONCILE_EMPTY
                                                        : RECONCILE_OK);
}

int reconcile_balances(struct invocation *inv, struct query *query, struct statement *statement,
                       const struct reconcile_scope *scope)
{
    struct job job = {.invocation = inv, .statement = statement, .query = query};
    int exit_status = run(&job, scope);
    free(job.table.cells);
    free(job.stated);
    ledger_free(&job.ledger);
    return exit_status;
}
