/*
 * cmd_reconcile.c — `settlectl reconcile`: the balances of an outside statement, a table of CSV, against ours. The
 * statement is held in memory, as our balances are.
 *
 * A balance of zero and none at all are the same. The accounts external and fees are compared where the statement has
 * one of them: an outside statement knows of users alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/scan_csv.h"
#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

enum column { USER, ASSET, BALANCE, HELD, COLUMNS, IGNORED = COLUMNS };

/* A balance as the statement has it. */
struct stated {
    uint64_t user;
    const settle_asset *asset;
    settle_int128 balance, held; /* without a column `held` the balance is the sum of both */
    uint64_t line;
};

struct counts {
    uint64_t rows, equal, differing, missing_here, missing_there, malformed;
};

struct job {
    struct invocation *invocation;
    const char *path;
    FILE *file;
    struct query *query;
    struct ledger ledger;
    enum column columns[CSV_COLUMNS_MAX];
    size_t column_count;
    bool has_held, has_system;
    struct stated *stated; /* sorted, once all are read */
    size_t count, capacity;
    char *line; /* getline()'s */
    size_t line_capacity;
    uint64_t line_number;
    struct scan_fault fault; /* of the cell read last */
    struct table table;
    struct counts counts;
};

/* ---- Reading the statement ---- */

/* Puts the next cell into `ret_cell`, terminated. *at is NULL behind the last one. False: job->fault says why. */
static bool next_cell(struct job *job, const char **at, const char *end, char ret_cell[INGEST_LINE_BYTES_MAX + 1])
{
    settle_text text = {NULL, 0};
    const char *next = csv_take_cell(job->line, *at, end, ret_cell, &text, &job->fault);
    if (next == NULL)
        return false;
    memmove(ret_cell, text.data, text.bytes);
    ret_cell[text.bytes] = '\0';
    if (strlen(ret_cell) != text.bytes) {
        job->fault = (struct scan_fault){(size_t)(*at - job->line) + 1, "a byte of zero"};
        return false;
    }
    *at = next == end ? NULL : next + 1;
    return true;
}

static enum column column_named(const char *name)
{
    static const struct {
        const char *name;
        enum column column;
    } names[] = {{"user", USER}, {"asset", ASSET}, {"balance", BALANCE}, {"available", BALANCE}, {"held", HELD}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].column;
    return IGNORED;
}

/* NULL, or what is wrong with the header. */
static const char *take_header(struct job *job, const char *end)
{
    char cell[INGEST_LINE_BYTES_MAX + 1];
    unsigned seen = 0;
    bool has_mark = end - job->line >= 3 && memcmp(job->line, "\xef\xbb\xbf", 3) == 0; /* as spreadsheets write it */
    for (const char *at = job->line + (has_mark ? 3 : 0); at != NULL;) {
        if (job->column_count == CSV_COLUMNS_MAX)
            return "it has too many columns";
        if (!next_cell(job, &at, end, cell))
            return job->fault.reason;
        enum column column = column_named(cell);
        if (column != IGNORED && (seen >> column & 1) != 0)
            return "it names a column twice";
        seen |= 1u << column;
        job->columns[job->column_count++] = column;
    }
    job->has_held = (seen >> HELD & 1) != 0;
    unsigned required = 1u << USER | 1u << ASSET | 1u << BALANCE;
    return (seen & required) == required ? NULL : "it must name the columns user, asset and balance";
}

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

/* One row whose cells are there; NULL, or what is wrong, with the column it is in. */
static const char *convert(struct job *job, char cells[COLUMNS][INGEST_LINE_BYTES_MAX + 1], struct stated *ret_stated,
                           enum column *ret_column)
{
    struct stated row = {.line = job->line_number};
    *ret_column = USER;
    if (!query_user_parse(cells[USER], &row.user))
        return "user must be 1 to 9223372036854775807, external or fees";
    *ret_column = ASSET;
    row.asset = query_asset_find(job->query, (settle_text){cells[ASSET], strlen(cells[ASSET])});
    if (row.asset == NULL)
        return "the asset is not declared";
    *ret_column = BALANCE;
    if (!amount_parse(cells[BALANCE], row.asset->scale, &row.balance))
        return "balance must be a decimal with at most the asset's decimals";
    *ret_column = HELD;
    if (job->has_held && !amount_parse(cells[HELD], row.asset->scale, &row.held))
        return "held must be a decimal with at most the asset's decimals";
    *ret_stated = row;
    return NULL;
}

static const char *split(struct job *job, const char *end, char cells[COLUMNS][INGEST_LINE_BYTES_MAX + 1],
                         const char *places[COLUMNS], const char **ret_place)
{
    char ignored[INGEST_LINE_BYTES_MAX + 1];
    const char *at = job->line;
    for (size_t i = 0; i < job->column_count; i++) {
        enum column column = job->columns[i];
        *ret_place = end;
        if (at == NULL)
            return "the row has fewer cells than the header";
        if (column != IGNORED)
            places[column] = at;
        if (!next_cell(job, &at, end, column == IGNORED ? ignored : cells[column])) {
            *ret_place = job->line + job->fault.byte - 1;
            return job->fault.reason;
        }
    }
    *ret_place = at;
    return at == NULL ? NULL : "the row has more cells than the header";
}

static settle_status take_row(struct job *job, const char *end)
{
    char cells[COLUMNS][INGEST_LINE_BYTES_MAX + 1];
    const char *places[COLUMNS] = {NULL}, *place = NULL;
    struct stated row;
    const char *fault = split(job, end, cells, places, &place);
    if (fault == NULL) {
        enum column column;
        fault = convert(job, cells, &row, &column);
        place = places[column];
    }
    job->counts.rows++;
    if (fault != NULL) {
        job->counts.malformed++;
        report_malformed(job->invocation, job->path, job->line_number, (size_t)(place - job->line) + 1, fault);
        return SETTLE_OK;
    }
    if (job->count == job->capacity) {
        size_t capacity = job->capacity == 0 ? 1024 : 2 * job->capacity;
        struct stated *grown = realloc(job->stated, capacity * sizeof *grown);
        if (grown == NULL)
            return SETTLE_E_NO_MEMORY;
        job->stated = grown;
        job->capacity = capacity;
    }
    job->stated[job->count++] = row;
    job->has_system = job->has_system || row.user > SETTLE_USER_MAX;
    return SETTLE_OK;
}

/* *ret_fault: why the header is none. */
static settle_status read_statement(struct job *job, const char **ret_fault)
{
    settle_status status = SETTLE_OK;
    ssize_t length;
    errno = 0;
    while (status == SETTLE_OK && (length = getline(&job->line, &job->line_capacity, job->file)) >= 0) {
        size_t bytes = (size_t)length;
        job->line_number++;
        bytes -= bytes > 0 && job->line[bytes - 1] == '\n';
        bytes -= bytes > 0 && job->line[bytes - 1] == '\r';
        bool is_too_long = bytes > INGEST_LINE_BYTES_MAX;
        if (job->column_count == 0) {
            *ret_fault = is_too_long ? "it is too long" : take_header(job, job->line + bytes);
            if (*ret_fault != NULL)
                return SETTLE_E_MALFORMED;
        } else if (is_too_long) {
            job->counts.rows++;
            job->counts.malformed++;
            report_malformed(job->invocation, job->path, job->line_number, INGEST_LINE_BYTES_MAX + 1,
                             "the line is longer than 4096 bytes");
        } else if (bytes > 0) {
            status = take_row(job, job->line + bytes);
        }
    }
    if (status == SETTLE_OK && ferror(job->file))
        return SETTLE_E_IO;
    *ret_fault = "there is none";
    return status == SETTLE_OK && job->column_count == 0 ? SETTLE_E_MALFORMED : status;
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
            job->counts.malformed++;
            report_malformed(job->invocation, job->path, row->line, 1, "the balance stands in a row before this one");
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
    settle_int128 balance = job->has_held ? available : sum;
    const char *what = job->has_held ? "available" : "all";
    if (theirs == NULL && user > SETTLE_USER_MAX && !job->has_system)
        return;
    if (theirs == NULL) {
        if (balance == 0 && held == 0)
            return;
        job->counts.missing_there++;
        tell(job, "missing_there", user, asset, &balance, NULL, what);
        return;
    }
    bool is_equal = balance == theirs->balance, is_held_equal = !job->has_held || held == theirs->held;
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

static settle_status answer(struct job *job, bool ok)
{
    const struct counts *c = &job->counts;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"rows", c->rows},
                  {"equal", c->equal},
                  {"differing", c->differing},
                  {"missing_here", c->missing_here},
                  {"missing_there", c->missing_there},
                  {"malformed", c->malformed}};
    struct out *out = &job->invocation->out;
    struct json json = json_on(out);
    settle_status status = SETTLE_OK;
    if (job->invocation->as_json)
        json_object(&json, NULL);
    else if (job->table.cell_count > 0)
        status = table_print(&job->table, out, 0);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (job->invocation->as_json)
            json_u64(&json, counts[i].name, counts[i].value);
        else
            out_format(out, "%s%s %llu", i == 0 ? "" : ", ", counts[i].name, (unsigned long long)counts[i].value);
    }
    if (job->invocation->as_json) {
        json_bool(&json, "ok", ok);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_text(out, ok ? ": ok\n" : ": not ok\n");
    }
    return status;
}

static int run(struct job *job)
{
    static const struct table_column columns[] = {{"user", true}, {"asset", false}, {"balance", false},
                                                  {"ours", true}, {"theirs", true}, {"difference", false}};
    struct invocation *inv = job->invocation;
    settle_error error = {0};
    const char *fault = NULL;
    table_init(&job->table, columns, sizeof columns / sizeof columns[0]);
    settle_status status = query_open(inv->directory, &job->query, &error);
    if (status == SETTLE_OK)
        status = query_balances(job->query, 0, 0, &job->ledger, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    report_store_fault(inv, job->query);
    job->file = strcmp(job->path, "-") == 0 ? stdin : fopen(job->path, "rbe");
    if (job->file == NULL)
        return report_error(inv, SETTLE_E_IO,
                            report_text(&error, "cannot open %.200s: %s", job->path, strerror(errno)));
    status = read_statement(job, &fault);
    if (status == SETTLE_E_IO)
        report_text(&error, "cannot read %.200s: %s", job->path, strerror(errno));
    if (status == SETTLE_E_MALFORMED)
        report_text(&error, "%.200s:1: no header of a statement: %s", job->path, fault);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (job->count > 1)
        qsort(job->stated, job->count, sizeof *job->stated, compare_stated);
    drop_repeats(job);
    compare(job);
    const struct counts *c = &job->counts;
    bool is_nothing = c->equal == 0 && job->ledger.balance_count > 0;
    bool ok = !is_nothing && c->differing + c->missing_here + c->missing_there + c->malformed == 0;
    status = answer(job, ok);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    return ok ? EXIT_DONE : EXIT_NEGATIVE;
}

int cmd_reconcile(struct invocation *inv)
{
    struct job job = {.invocation = inv, .path = inv->arguments[0]};
    int exit_status = run(&job);
    if (job.file != NULL && job.file != stdin)
        (void)fclose(job.file);
    free(job.table.cells);
    free(job.stated);
    free(job.line);
    ledger_free(&job.ledger);
    query_close(job.query);
    return exit_status;
}
