/*
 * reconcile_events.c — the events of an outside statement against those the journal has accepted, found by their ids.
 *
 * Two kinds of rows: an event a row, with the members of docs/events.md as columns; or, where there is a column delta, a
 * change a row, found by event id, user and asset. Only what a row states is compared, as text in one canonical form, so
 * that no amount is ever rounded. Owns the statement's rows, in memory, about as many bytes as its file; the journal is
 * read once, in order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/reconcile_members.h"
#include "tools/report.h"

#define ROWS_ALIGNED 1000

/* A row of the statement. Its texts, one a column, stand terminated in the arena behind its id. */
struct row {
    uint64_t hash, line, texts;
    uint64_t user;  /* of a change */
    uint32_t asset; /* the same */
    bool is_seen;
};

struct job {
    struct invocation *invocation;
    struct query *query;
    struct statement *statement;
    const struct reconcile_scope *scope;
    bool has_changes, has_system;
    struct row *rows;
    size_t row_count, row_capacity;
    char *arena;
    size_t arena_bytes, arena_capacity;
    uint32_t *slots; /* hash table of row numbers + 1; 0: empty */
    size_t slot_count;
    struct table table;
    size_t table_rows;
    settle_status status; /* of what went wrong within a visit */
    uint64_t ours, equal, differing, missing_here, missing_there, repeated, out_of_scope;
};

/* ---- Reading the statement ---- */

/* Whether a row's column is compared: the id finds the event, a balance is of another kind of statement. */
static bool is_compared(const struct job *job, enum column column)
{
    if (column == COLUMN_USER || column == COLUMN_ASSET)
        return !job->has_changes; /* of a change they belong to what finds it */
    return column >= COLUMN_OUTCOME;
}

static uint64_t hash_of(const char *id, uint64_t user, uint32_t asset)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
    hash = (hash ^ user) * UINT64_C(1099511628211);
    hash = (hash ^ asset) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static bool keep_text(struct job *job, const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (job->arena_capacity - job->arena_bytes < bytes) {
        size_t capacity = job->arena_capacity * 2 + 65536;
        char *grown = realloc(job->arena, capacity);
        if (grown == NULL)
            return false;
        job->arena = grown;
        job->arena_capacity = capacity;
    }
    memcpy(job->arena + job->arena_bytes, text, bytes);
    job->arena_bytes += bytes;
    return true;
}

/* What finds a change. NULL, or what is wrong, with the column it is in. */
static const char *take_account(struct job *job, struct row *row, enum column *ret_column)
{
    const char *const *cells = job->statement->cells;
    *ret_column = COLUMN_USER;
    if (!query_user_parse(cells[COLUMN_USER], &row->user))
        return "user must be 1 to 9223372036854775807, external or fees";
    *ret_column = COLUMN_ASSET;
    const settle_text name = {cells[COLUMN_ASSET], strlen(cells[COLUMN_ASSET])};
    const settle_asset *asset = query_asset_find(job->query, name);
    if (asset == NULL)
        return "the asset is not declared";
    row->asset = asset->id;
    job->has_system = job->has_system || row->user > SETTLE_USER_MAX;
    return NULL;
}

static settle_status keep_row(struct job *job, const struct row *row)
{
    if (job->row_count == job->row_capacity) {
        size_t capacity = job->row_capacity * 2 + 1024;
        struct row *grown = reallocarray(job->rows, capacity, sizeof *grown);
        if (grown == NULL || capacity > UINT32_MAX / 2) {
            job->rows = grown != NULL ? grown : job->rows;
            return SETTLE_E_NO_MEMORY;
        }
        job->rows = grown;
        job->row_capacity = capacity;
    }
    job->rows[job->row_count++] = *row;
    return SETTLE_OK;
}

static settle_status take_row(struct job *job)
{
    const char *const *cells = job->statement->cells, *fault = NULL;
    const char *id = cells[COLUMN_EVENT_ID];
    struct row row = {.line = job->statement->line_number, .texts = job->arena_bytes};
    enum column column = COLUMN_EVENT_ID;
    char texts[COLUMNS][MEMBER_BYTES] = {""};
    if (strcmp(cells[COLUMN_TYPE], "asset") == 0) { /* a declaration, as `export --format events` writes them */
        job->statement->rows--;
        return SETTLE_OK;
    }
    if (id[0] == '\0')
        fault = "the event id is missing";
    else if (strlen(id) > SETTLE_EVENT_ID_BYTES_MAX)
        fault = "the event id is longer than 64 bytes";
    if (fault == NULL && job->has_changes)
        fault = take_account(job, &row, &column);
    for (int i = 0; i < COLUMNS && fault == NULL; i++) {
        if (!is_compared(job, (enum column)i) || cells[i][0] == '\0')
            continue;
        column = (enum column)i;
        fault = member_canonical(job->query, column, cells[i], texts[i]);
    }
    if (fault != NULL) {
        statement_malformed(job->statement, column, fault);
        return SETTLE_OK;
    }
    row.hash = hash_of(id, row.user, row.asset);
    bool is_kept = keep_text(job, id);
    for (int i = 0; i < COLUMNS; i++)
        is_kept = is_kept && keep_text(job, texts[i]);
    return is_kept ? keep_row(job, &row) : SETTLE_E_NO_MEMORY;
}

static const char *row_id(const struct job *job, const struct row *row)
{
    return job->arena + row->texts;
}

/* The canonical texts of a row, "" where it states nothing. */
static void row_texts(const struct job *job, const struct row *row, const char *ret_texts[COLUMNS])
{
    const char *at = row_id(job, row);
    for (int i = 0; i < COLUMNS; i++) {
        at += strlen(at) + 1;
        ret_texts[i] = at;
    }
}

/* The slot of a key: with its row, or empty. */
static uint32_t *slot_of(const struct job *job, uint64_t hash, const char *id, uint64_t user, uint32_t asset)
{
    for (size_t i = hash & (job->slot_count - 1);; i = (i + 1) & (job->slot_count - 1)) {
        if (job->slots[i] == 0)
            return &job->slots[i];
        const struct row *row = &job->rows[job->slots[i] - 1];
        if (row->hash == hash && row->user == user && row->asset == asset && strcmp(row_id(job, row), id) == 0)
            return &job->slots[i];
    }
}

/* ---- Telling ---- */

static bool flush_table(struct job *job)
{
    static const struct table_column untitled[] = {{"", true}, {"", false}, {"", false},
                                                   {"", true}, {"", true},  {"", false}};
    if (job->table_rows > 0 && job->status == SETTLE_OK)
        job->status = table_print(&job->table, &job->invocation->out, 0);
    table_init(&job->table, untitled, sizeof untitled / sizeof untitled[0]);
    job->table_rows = 0;
    return job->status == SETTLE_OK && job->invocation->out.failed_errno == 0;
}

struct difference {
    const char *kind;
    uint64_t line;        /* 0: the statement has no such row */
    uint64_t seq;         /* 0: the journal has no such event */
    const char *event_id; /* may hold any characters */
    const char *member;
    const char *ours, *theirs; /* "" or NULL: nothing */
};

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static void tell(struct job *job, const struct difference *d)
{
    char number[PRINT_U64_BYTES];
    struct json json = json_on(&job->invocation->out);
    if (!job->invocation->as_json) {
        table_cell(&job->table, d->line > 0 ? print_u64(d->line, number) : "-");
        table_cell(&job->table, d->event_id);
        table_cell(&job->table, d->member);
        table_cell(&job->table, or_dash(d->ours));
        table_cell(&job->table, or_dash(d->theirs));
        table_cell(&job->table, d->kind);
        if (++job->table_rows == ROWS_ALIGNED)
            (void)flush_table(job);
        return;
    }
    json_object(&json, NULL);
    json_string(&json, "difference", d->kind);
    if (d->line > 0)
        json_u64(&json, "line", d->line);
    else
        json_null(&json, "line");
    if (d->seq > 0)
        json_u64(&json, "seq", d->seq);
    else
        json_null(&json, "seq");
    json_string(&json, "event_id", d->event_id);
    json_string(&json, "member", d->member);
    json_string(&json, "ours", d->ours == NULL || d->ours[0] == '\0' ? NULL : d->ours);
    json_string(&json, "theirs", d->theirs == NULL || d->theirs[0] == '\0' ? NULL : d->theirs);
    json_object_end(&json);
    json_line_end(&json);
}

/* ---- Comparing ---- */

static bool is_in_scope(const struct job *job, uint64_t seq, uint64_t ts_ms)
{
    const struct bound *since = &job->scope->since, *until = &job->scope->until;
    settle_uint128 ts_us = (settle_uint128)ts_ms * 1000;
    if (since->is_given && (since->is_moment ? ts_us < since->time_us : seq < since->seq))
        return false;
    return !until->is_given || (until->is_moment ? ts_us <= until->time_us : seq <= until->seq);
}

/* A member the event was not given is no difference: its effect is told by the others. */
static bool is_optional(enum column column)
{
    return column == COLUMN_PRICE || column == COLUMN_TRADE_ID;
}

static void compare_row(struct job *job, struct row *row, const struct journal_event *e, const settle_leg *leg)
{
    const char *theirs[COLUMNS];
    char ours[MEMBER_BYTES], shown[MEMBER_BYTES];
    bool differs = false;
    row_texts(job, row, theirs);
    row->is_seen = true;
    if (!is_in_scope(job, e->seq, e->event->ts_ms)) {
        job->out_of_scope++;
        return;
    }
    struct difference d = {.kind = "differs", .line = row->line, .seq = e->seq, .event_id = e->event_id};
    /* A statement without outcomes has what took place. */
    if (e->outcome == SETTLE_REJECTED && theirs[COLUMN_OUTCOME][0] == '\0') {
        snprintf(ours, sizeof ours, "rejected: %s", settle_reason_name(e->reason));
        d.member = "outcome";
        d.ours = ours;
        tell(job, &d);
        differs = true;
    }
    for (int i = 0; i < COLUMNS; i++) {
        member_ours(job->query, e, leg, (enum column)i, ours);
        if (theirs[i][0] == '\0' || member_equal((enum column)i, ours, theirs[i]) ||
            (ours[0] == '\0' && is_optional((enum column)i)))
            continue;
        d.member = column_name((enum column)i);
        d.ours = ours;
        member_shown((enum column)i, theirs[i], member_decimals(ours), shown);
        d.theirs = shown;
        tell(job, &d);
        differs = true;
    }
    job->differing += differs;
    job->equal += !differs;
}

static void compare_ours(struct job *job, const struct journal_event *e, const settle_leg *leg)
{
    uint64_t user = leg != NULL ? leg->user : 0;
    uint32_t asset = leg != NULL ? leg->asset : 0;
    const uint32_t *slot = slot_of(job, hash_of(e->event_id, user, asset), e->event_id, user, asset);
    bool is_system = leg != NULL && leg->user > SETTLE_USER_MAX && !job->has_system;
    bool counts = e->outcome == SETTLE_ACCEPTED && is_in_scope(job, e->seq, e->event->ts_ms) && !is_system;
    char ours[MEMBER_SUMMARY_BYTES];
    job->ours += counts;
    if (*slot != 0) {
        compare_row(job, &job->rows[*slot - 1], e, leg);
    } else if (counts) {
        job->missing_there++;
        member_summary(job->query, e, leg, ours);
        tell(job, &(struct difference){.kind = "missing_there",
                                       .seq = e->seq,
                                       .event_id = e->event_id,
                                       .member = leg != NULL ? "change" : "event",
                                       .ours = ours});
    }
}

static bool take_event(void *context, const struct journal_event *e)
{
    struct job *job = context;
    bool is_first = e->outcome == SETTLE_ACCEPTED || e->outcome == SETTLE_REJECTED;
    if (is_first && !job->has_changes)
        compare_ours(job, e, NULL);
    for (size_t i = 0; i < e->leg_count && job->has_changes; i++)
        compare_ours(job, e, &e->legs[i]);
    return job->status == SETTLE_OK && job->invocation->out.failed_errno == 0;
}

/* The first row of a key is found by it; further ones are differences, for nothing takes place twice. */
static settle_status index_rows(struct job *job)
{
    job->slot_count = 16;
    while (job->slot_count < 2 * job->row_count)
        job->slot_count *= 2;
    job->slots = calloc(job->slot_count, sizeof *job->slots);
    if (job->slots == NULL)
        return SETTLE_E_NO_MEMORY;
    for (size_t i = 0; i < job->row_count; i++) {
        struct row *row = &job->rows[i];
        uint32_t *slot = slot_of(job, row->hash, row_id(job, row), row->user, row->asset);
        if (*slot == 0) {
            *slot = (uint32_t)i + 1;
            continue;
        }
        char first[PRINT_U64_BYTES + 8];
        snprintf(first, sizeof first, "line %" PRIu64, job->rows[*slot - 1].line);
        row->is_seen = true;
        job->repeated++;
        tell(job, &(struct difference){.kind = "repeated",
                                       .line = row->line,
                                       .event_id = row_id(job, row),
                                       .member = job->has_changes ? "change" : "event",
                                       .theirs = first});
    }
    return SETTLE_OK;
}

/* Decimals of a row's amount: its asset's, of a trade its base asset's; 0 where it names none. */
static size_t row_decimals(const struct job *job, const struct row *row, const char *const texts[COLUMNS])
{
    const char *name = texts[texts[COLUMN_ASSET][0] != '\0' ? COLUMN_ASSET : COLUMN_BASE];
    const settle_asset *asset = job->has_changes ? query_asset_by_id(job->query, row->asset)
                                                 : query_asset_find(job->query, (settle_text){name, strlen(name)});
    return asset != NULL ? asset->scale : 0;
}

/* Rows that nothing of ours was found for. One that says itself when it was may lie outside of the scope. */
static void tell_rest(struct job *job)
{
    static const enum column shown[] = {COLUMN_TYPE,   COLUMN_USER, COLUMN_BUYER,    COLUMN_SELLER, COLUMN_ASSET,
                                        COLUMN_AMOUNT, COLUMN_BASE, COLUMN_QUANTITY, COLUMN_DELTA};
    const struct bound *since = &job->scope->since, *until = &job->scope->until;
    for (size_t i = 0; i < job->row_count; i++) {
        const struct row *row = &job->rows[i];
        const char *texts[COLUMNS];
        char words[MEMBER_SUMMARY_BYTES] = "", text[MEMBER_BYTES];
        uint64_t ts_ms = 0;
        if (row->is_seen)
            continue;
        row_texts(job, row, texts);
        bool has_time = query_u64_parse(texts[COLUMN_TS], &ts_ms) && (since->is_moment || !since->is_given) &&
                        (until->is_moment || !until->is_given);
        if (has_time && !is_in_scope(job, 0, ts_ms)) {
            job->out_of_scope++;
            continue;
        }
        for (size_t k = 0; k < sizeof shown / sizeof shown[0]; k++) {
            member_shown(shown[k], texts[shown[k]], row_decimals(job, row, texts), text);
            if (text[0] != '\0' && strlen(words) + strlen(text) + 2 < sizeof words)
                strcat(strcat(words, words[0] != '\0' ? " " : ""), text);
        }
        job->missing_here++;
        tell(job, &(struct difference){.kind = "missing_here",
                                       .line = row->line,
                                       .event_id = row_id(job, row),
                                       .member = job->has_changes ? "change" : "event",
                                       .theirs = words});
    }
}

/* ---- The answer ---- */

static settle_status read_statement(struct job *job, settle_error *error)
{
    settle_status status, kept = SETTLE_OK;
    while (kept == SETTLE_OK && (status = statement_next(job->statement, error)) == SETTLE_OK)
        kept = take_row(job);
    if (kept == SETTLE_OK && status == SETTLE_E_END)
        kept = index_rows(job);
    if (kept == SETTLE_OK)
        return status == SETTLE_E_END ? SETTLE_OK : status;
    report_text(error, "no memory for a statement of %zu rows", job->row_count);
    return kept;
}

static int run(struct job *job)
{
    static const struct table_column columns[] = {{"line", true}, {"event id", false}, {"member", false},
                                                  {"ours", true}, {"theirs", true},    {"difference", false}};
    struct invocation *inv = job->invocation;
    settle_error error = {0};
    job->has_changes = statement_has(job->statement, COLUMN_DELTA);
    if (job->has_changes &&
        !(statement_has(job->statement, COLUMN_USER) && statement_has(job->statement, COLUMN_ASSET)))
        return report_error(
            inv, statement_refuse(job->statement, "with delta it must name the columns user and asset", &error),
            &error);
    table_init(&job->table, columns, sizeof columns / sizeof columns[0]);
    settle_status status = read_statement(job, &error);
    if (status == SETTLE_OK)
        status = query_events(job->query, 0, UINT64_MAX, take_event, job, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    tell_rest(job);
    if (!inv->as_json)
        (void)flush_table(job);
    if (job->status != SETTLE_OK)
        return report_error(inv, job->status, report_text(&error, "out of memory"));
    const uint64_t malformed = job->statement->malformed;
    const struct reconcile_count counts[] = {{"rows", job->statement->rows},        {"equal", job->equal},
                                             {"differing", job->differing},         {"missing_here", job->missing_here},
                                             {"missing_there", job->missing_there}, {"repeated", job->repeated},
                                             {"out_of_scope", job->out_of_scope},   {"malformed", malformed}};
    bool is_nothing = job->equal == 0 && (job->ours > 0 || job->statement->rows > 0);
    bool differs =
        is_nothing || job->differing + job->missing_here + job->missing_there + job->repeated + malformed > 0;
    return reconcile_answer(inv, counts, sizeof counts / sizeof counts[0],
                            differs                     ? RECONCILE_NOT_OK
                            : job->statement->rows == 0 ? RECONCILE_EMPTY
                                                        : RECONCILE_OK);
}

int reconcile_events(struct invocation *inv, struct query *query, struct statement *statement,
                     const struct reconcile_scope *scope)
{
    struct job job = {.invocation = inv, .query = query, .statement = statement, .scope = scope};
    int exit_status = run(&job);
    free(job.table.cells);
    free(job.slots);
    free(job.arena);
    free(job.rows);
    return exit_status;
}
