/*
 * postgres.c — PostgreSQL with whole sets: a group is two round trips, one that reads the ids and balances it needs,
 * one that writes events, balances and PERSISTED from arrays (unnest) as one transaction. Prepared statements, binary
 * parameters, pipeline mode; synchronous_commit is on.
 */
#include <endian.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/peers/peer.h"

#define OID_BIGINT 20
#define OID_TEXT 25
#define EVENT_NUMBERS 15 /* columns of an event beside its id */
#define BALANCE_NUMBERS 4
#define REPEAT_NUMBERS 5

/* A one-dimensional array in PostgreSQL's binary form, as it grows. */
struct array {
    char *bytes;
    size_t used;
    uint32_t count;
};
#define ARRAY_HEAD 20
#define ARRAY_BYTES (ARRAY_HEAD + (4 * (size_t)PEER_GROUP_MAX + 4) * (4 + PEER_ID_BYTES))

enum { EVENT_IDS = EVENT_NUMBERS, REPEAT_IDS = REPEAT_NUMBERS };

struct peer {
    PGconn *connection;
    struct array events[EVENT_NUMBERS + 1], repeats[REPEAT_NUMBERS + 1], balances[BALANCE_NUMBERS];
};

/* Without the settings a plan made while a table is empty reads all of it when it is not. */
static const char *const schema[] = {
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "DROP TABLE IF EXISTS events, repeats, balances, persisted",
    "CREATE TABLE events (id text COLLATE \"C\" PRIMARY KEY, seq bigint, type bigint, ts bigint, user_id bigint,"
    " seller bigint, asset bigint, amount bigint, price bigint, buyer_fee bigint, seller_fee bigint, outcome bigint,"
    " reason bigint, consumed_us bigint, decided_us bigint, content bigint)",
    "CREATE TABLE repeats (seq bigint, id text COLLATE \"C\", first_seq bigint, outcome bigint, consumed_us bigint,"
    " decided_us bigint)",
    "CREATE TABLE balances (user_id bigint, asset bigint, available bigint, version bigint,"
    " PRIMARY KEY (user_id, asset)) WITH (fillfactor = 50)",
    "CREATE TABLE persisted (first_seq bigint, last_seq bigint, at_us bigint)",
};

static const struct {
    const char *name, *text;
    int parameter_count;
} prepared[] = {
    {"known", "SELECT id, seq, content FROM events WHERE id = ANY ($1::text[])", 1},
    {"load",
     "SELECT b.user_id, b.asset, b.available, b.version FROM unnest($1::bigint[], $2::bigint[]) AS k (u, a)"
     " JOIN balances b ON b.user_id = k.u AND b.asset = k.a",
     2},
    {"events",
     "INSERT INTO events SELECT i, a,b,c,d,e,f,g,h,j,k,l,m,n,o,p FROM unnest($1::bigint[],$2::bigint[],$3::bigint[],"
     "$4::bigint[],$5::bigint[],$6::bigint[],$7::bigint[],$8::bigint[],$9::bigint[],$10::bigint[],$11::bigint[],"
     "$12::bigint[],$13::bigint[],$14::bigint[],$15::bigint[],$16::text[]) AS t (a,b,c,d,e,f,g,h,j,k,l,m,n,o,p,i)",
     EVENT_NUMBERS + 1},
    {"repeats",
     "INSERT INTO repeats SELECT a,i,b,c,d,e FROM unnest($1::bigint[],$2::bigint[],$3::bigint[],$4::bigint[],"
     "$5::bigint[],$6::text[]) AS t (a,b,c,d,e,i)",
     REPEAT_NUMBERS + 1},
    {"balances",
     "INSERT INTO balances SELECT * FROM unnest($1::bigint[],$2::bigint[],$3::bigint[],$4::bigint[])"
     " ON CONFLICT (user_id, asset) DO UPDATE SET available = excluded.available, version = excluded.version",
     BALANCE_NUMBERS},
    {"persisted", "INSERT INTO persisted SELECT * FROM unnest($1::bigint[],$2::bigint[],$3::bigint[])", 3},
};

static bool fail(const struct peer *peer, const char *what)
{
    return peer_fail("postgres", what, PQerrorMessage(peer->connection));
}

/* ---- Arrays ---- */

static void put_u32(char *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, 4);
}

static void array_begin(struct array *array, uint32_t oid)
{
    put_u32(array->bytes, 1);     /* dimensions */
    put_u32(array->bytes + 4, 0); /* no nulls */
    put_u32(array->bytes + 8, oid);
    put_u32(array->bytes + 16, 1); /* the first index */
    array->used = ARRAY_HEAD;
    array->count = 0;
}

static void array_text(struct array *array, const char *text, size_t bytes)
{
    put_u32(array->bytes + array->used, (uint32_t)bytes);
    memcpy(array->bytes + array->used + 4, text, bytes);
    array->used += 4 + bytes;
    array->count++;
}

static void array_number(struct array *array, int64_t number)
{
    uint64_t value = htobe64((uint64_t)number);
    array_text(array, (const char *)&value, sizeof value);
}

static void arrays_begin(struct array *arrays, int number_count)
{
    for (int i = 0; i < number_count; i++)
        array_begin(&arrays[i], OID_BIGINT);
}

static bool arrays_init(struct array *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arrays[i].bytes = malloc(ARRAY_BYTES);
        if (arrays[i].bytes == NULL)
            return false;
    }
    return true;
}

static void arrays_deinit(struct array *arrays, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(arrays[i].bytes);
}

/* Sends a prepared statement with the arrays as its parameters; an empty first array sends nothing. */
static bool send_arrays(struct peer *peer, const char *name, struct array *arrays, int count, int *sent)
{
    const char *values[EVENT_NUMBERS + 1];
    int lengths[EVENT_NUMBERS + 1], formats[EVENT_NUMBERS + 1];
    if (arrays[0].count == 0)
        return true;
    for (int i = 0; i < count; i++) {
        put_u32(arrays[i].bytes + 12, arrays[i].count);
        values[i] = arrays[i].bytes;
        lengths[i] = (int)arrays[i].used;
        formats[i] = 1;
    }
    ++*sent;
    return PQsendQueryPrepared(peer->connection, name, count, values, lengths, formats, 1) == 1 || fail(peer, name);
}

/* ---- Answers ---- */

static uint64_t number_at(const PGresult *result, int row, int column)
{
    uint64_t value;
    memcpy(&value, PQgetvalue(result, row, column), sizeof value);
    return be64toh(value);
}

/* The answer to the next statement of a pipeline; NULL after a failure, which is printed. */
static PGresult *receive(struct peer *peer)
{
    PGresult *result = PQgetResult(peer->connection), *end;
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) {
        peer_fail("postgres", PQresStatus(status), PQresultErrorMessage(result));
        PQclear(result);
        return NULL;
    }
    if (status != PGRES_PIPELINE_SYNC && (end = PQgetResult(peer->connection)) != NULL)
        PQclear(end);
    return result;
}

static bool receive_and_forget(struct peer *peer, int count)
{
    for (int i = 0; i < count; i++) {
        PGresult *result = receive(peer);
        if (result == NULL)
            return false;
        PQclear(result);
    }
    return true;
}

/* ---- Opening and closing ---- */

static void postgres_close(struct peer *peer)
{
    PQfinish(peer->connection);
    arrays_deinit(peer->events, EVENT_NUMBERS + 1);
    arrays_deinit(peer->repeats, REPEAT_NUMBERS + 1);
    arrays_deinit(peer->balances, BALANCE_NUMBERS);
    free(peer);
}

static bool prepare_all(struct peer *peer)
{
    bool good = PQstatus(peer->connection) == CONNECTION_OK;
    for (size_t i = 0; good && i < sizeof schema / sizeof schema[0]; i++) {
        PGresult *result = PQexec(peer->connection, schema[i]);
        good = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    for (size_t i = 0; good && i < sizeof prepared / sizeof prepared[0]; i++) {
        PGresult *result =
            PQprepare(peer->connection, prepared[i].name, prepared[i].text, prepared[i].parameter_count, NULL);
        good = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return (good && PQenterPipelineMode(peer->connection) == 1) || fail(peer, "open");
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

static struct peer *postgres_open(const char *directory, const char *connection)
{
    struct peer *peer = calloc(1, sizeof *peer);
    (void)directory;
    if (peer == NULL || !arrays_init(peer->events, EVENT_NUMBERS + 1) ||
        !arrays_init(peer->repeats, REPEAT_NUMBERS + 1) || !arrays_init(peer->balances, BALANCE_NUMBERS)) {
        free(peer); /* the rest of what there is goes with the process, which ends */
        return NULL;
    }
    peer->connection = PQconnectdb(connection);
    PQsetNoticeReceiver(peer->connection, ignore_notice, NULL);
    if (prepare_all(peer))
        return peer;
    postgres_close(peer);
    return NULL;
}

/* ---- A group ---- */

/* Which rows have ids that are there: rarely any, so the few are looked for one by one. */
static void mark_known(struct peer_group *group, const PGresult *known)
{
    for (int i = 0; i < PQntuples(known); i++) {
        char id[PEER_ID_BYTES] = "";
        memcpy(id, PQgetvalue(known, i, 0), (size_t)PQgetlength(known, i, 0));
        for (size_t at = 0; at < group->row_count; at++) {
            struct peer_row *row = &group->rows[at];
            if (strcmp(id, row->id) != 0)
                continue;
            row->is_known = true;
            row->known_seq = number_at(known, i, 1);
            row->known_content = number_at(known, i, 2);
        }
    }
}

static void fill_accounts(struct peer_group *group, const PGresult *loaded)
{
    for (int i = 0; i < PQntuples(loaded); i++) {
        struct peer_account *account =
            peer_account_find(group, number_at(loaded, i, 0), (uint32_t)number_at(loaded, i, 1));
        account->available = (int64_t)number_at(loaded, i, 2);
        account->version = number_at(loaded, i, 3);
    }
}

static bool postgres_load(struct peer *peer, struct peer_group *group)
{
    struct array *ids = &peer->events[EVENT_IDS];
    int sent = 0;
    array_begin(ids, OID_TEXT);
    for (size_t i = 0; i < group->row_count; i++)
        array_text(ids, group->rows[i].id, group->rows[i].id_bytes);
    arrays_begin(peer->balances, 2);
    for (size_t i = 0; i < group->account_count; i++) {
        array_number(&peer->balances[0], (int64_t)group->accounts[i].user);
        array_number(&peer->balances[1], group->accounts[i].asset);
    }
    if (!send_arrays(peer, "known", ids, 1, &sent) || !send_arrays(peer, "load", peer->balances, 2, &sent) ||
        PQpipelineSync(peer->connection) != 1)
        return fail(peer, "load");
    PGresult *known = receive(peer), *loaded = known != NULL ? receive(peer) : NULL;
    if (loaded == NULL)
        return false;
    mark_known(group, known);
    fill_accounts(group, loaded);
    PQclear(known);
    PQclear(loaded);
    arrays_begin(peer->events, EVENT_NUMBERS);
    array_begin(ids, OID_TEXT);
    arrays_begin(peer->repeats, REPEAT_NUMBERS);
    array_begin(&peer->repeats[REPEAT_IDS], OID_TEXT);
    return receive_and_forget(peer, 1) && peer_mark_repeats(group);
}

static bool postgres_append(struct peer *peer, struct peer_row *row)
{
    const struct stream_event *e = &row->event;
    const int64_t event[EVENT_NUMBERS] = {(int64_t)row->seq,
                                          e->type,
                                          (int64_t)e->ts_ms,
                                          (int64_t)e->user,
                                          (int64_t)e->seller,
                                          e->asset,
                                          e->amount,
                                          e->price_cents,
                                          e->buyer_fee,
                                          e->seller_fee,
                                          row->outcome,
                                          row->reason,
                                          (int64_t)row->consumed_us,
                                          (int64_t)row->decided_us,
                                          (int64_t)row->content};
    const int64_t repeat[REPEAT_NUMBERS] = {(int64_t)row->seq, (int64_t)row->known_seq, row->outcome,
                                            (int64_t)row->consumed_us, (int64_t)row->decided_us};
    struct array *arrays = row->is_known ? peer->repeats : peer->events;
    int count = row->is_known ? REPEAT_NUMBERS : EVENT_NUMBERS;
    for (int i = 0; i < count; i++)
        array_number(&arrays[i], row->is_known ? repeat[i] : event[i]);
    array_text(&arrays[count], row->id, row->id_bytes);
    return true;
}

static bool send_persisted(struct peer *peer, const struct peer_group *group, int *sent)
{
    if (group->persisted_from == 0)
        return true;
    arrays_begin(peer->balances, 3);
    array_number(&peer->balances[0], (int64_t)group->persisted_from);
    array_number(&peer->balances[1], (int64_t)group->persisted_to);
    array_number(&peer->balances[2], (int64_t)group->rows[0].consumed_us);
    return send_arrays(peer, "persisted", peer->balances, 3, sent);
}

/* What stands between two synchronisation points of a pipeline is one transaction. */
static bool postgres_commit(struct peer *peer, struct peer_group *group)
{
    int sent = 0;
    arrays_begin(peer->balances, BALANCE_NUMBERS);
    for (size_t i = 0; i < group->account_count; i++) {
        const struct peer_account *account = &group->accounts[i];
        if (!account->is_changed)
            continue;
        array_number(&peer->balances[0], (int64_t)account->user);
        array_number(&peer->balances[1], account->asset);
        array_number(&peer->balances[2], account->available);
        array_number(&peer->balances[3], (int64_t)account->version);
    }
    bool good = send_arrays(peer, "events", peer->events, EVENT_NUMBERS + 1, &sent) &&
                send_arrays(peer, "repeats", peer->repeats, REPEAT_NUMBERS + 1, &sent) &&
                send_arrays(peer, "balances", peer->balances, BALANCE_NUMBERS, &sent) &&
                send_persisted(peer, group, &sent);
    if (!good || PQpipelineSync(peer->connection) != 1)
        return fail(peer, "commit");
    return receive_and_forget(peer, sent + 1);
}

static bool postgres_balances(struct peer *peer, peer_tell tell, void *context)
{
    if (PQsendQueryParams(peer->connection, "SELECT user_id, asset, available, version FROM balances", 0, NULL, NULL,
                          NULL, NULL, 1) != 1 ||
        PQpipelineSync(peer->connection) != 1)
        return fail(peer, "balances");
    PGresult *all = receive(peer);
    for (int i = 0; all != NULL && i < PQntuples(all); i++) {
        const struct peer_account account = {.user = number_at(all, i, 0),
                                             .asset = (uint32_t)number_at(all, i, 1),
                                             .available = (int64_t)number_at(all, i, 2),
                                             .version = number_at(all, i, 3)};
        tell(context, &account);
    }
    PQclear(all);
    return all != NULL && receive_and_forget(peer, 1);
}

const struct peer_system peer_postgres = {"postgres",      postgres_open,     postgres_load, postgres_append,
                                          postgres_commit, postgres_balances, postgres_close};
