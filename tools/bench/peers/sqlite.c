/*
 * sqlite.c — SQLite as its tuners run it: WAL, synchronous=FULL, exclusive locking, a large cache, prepared
 * statements, one transaction a group. The insert of an id is also its look-up; events lie in the tree of their ids
 * (WITHOUT ROWID), balances in one of integers.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "tools/bench/peers/peer.h"

enum statement { BEGIN, COMMIT, LOAD, EVENT, KNOWN, REPEAT, BALANCE, PERSISTED, STATEMENT_COUNT };

static const char *const statements[] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [LOAD] = "SELECT available, version FROM balances WHERE account = ?",
    [EVENT] = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [KNOWN] = "SELECT seq, content FROM events WHERE id = ?",
    [REPEAT] = "INSERT INTO repeats VALUES (?,?,?,?,?,?)",
    [BALANCE] = "INSERT OR REPLACE INTO balances VALUES (?,?,?)",
    [PERSISTED] = "INSERT INTO persisted VALUES (?,?,?)",
};

static const char schema[] =
    "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA cache_size = -524288; PRAGMA wal_autocheckpoint = 16384; PRAGMA temp_store = MEMORY;"
    "CREATE TABLE events (id TEXT PRIMARY KEY, seq INT, type INT, ts INT, user INT, seller INT, asset INT, amount INT,"
    " price INT, buyer_fee INT, seller_fee INT, outcome INT, reason INT, consumed_us INT, decided_us INT, content INT)"
    " WITHOUT ROWID;"
    "CREATE TABLE repeats (seq INTEGER PRIMARY KEY, id TEXT, first_seq INT, outcome INT, consumed_us INT,"
    " decided_us INT);"
    /* user and asset in one number */
    "CREATE TABLE balances (account INTEGER PRIMARY KEY, available INT, version INT);"
    "CREATE TABLE persisted (first_seq INTEGER PRIMARY KEY, last_seq INT, at_us INT);";

struct peer {
    sqlite3 *database;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
};

static bool fail(const struct peer *peer, const char *what)
{
    return peer_fail("sqlite", what, sqlite3_errmsg(peer->database));
}

static void sqlite_close(struct peer *peer)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(peer->prepared[i]);
    sqlite3_close(peer->database);
    free(peer);
}

static struct peer *sqlite_open(const char *directory, const char *connection)
{
    char path[4096];
    struct peer *peer = calloc(1, sizeof *peer);
    (void)connection;
    if (peer == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s/peer.sqlite", directory);
    bool good = sqlite3_open_v2(path, &peer->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                NULL) == SQLITE_OK &&
                sqlite3_exec(peer->database, schema, NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; good && i < STATEMENT_COUNT; i++)
        good = sqlite3_prepare_v3(peer->database, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &peer->prepared[i],
                                  NULL) == SQLITE_OK;
    if (good)
        return peer;
    fail(peer, "open");
    sqlite_close(peer);
    return NULL;
}

static void bind(sqlite3_stmt *statement, int first, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, first + i, values[i]);
}

static bool run(const struct peer *peer, enum statement which)
{
    int code = sqlite3_step(peer->prepared[which]);
    sqlite3_reset(peer->prepared[which]);
    return code == SQLITE_DONE || fail(peer, statements[which]);
}

/* The stream's users have less than 31 bits; those of the system accounts become -2 and -1. */
static int64_t account_number(const struct peer_account *account)
{
    return (int64_t)(account->user << 32 | account->asset);
}

static bool sqlite_load(struct peer *peer, struct peer_group *group)
{
    sqlite3_stmt *load = peer->prepared[LOAD];
    if (!run(peer, BEGIN))
        return false;
    for (size_t i = 0; i < group->account_count; i++) {
        struct peer_account *account = &group->accounts[i];
        sqlite3_bind_int64(load, 1, account_number(account));
        int code = sqlite3_step(load);
        if (code == SQLITE_ROW) {
            account->available = sqlite3_column_int64(load, 0);
            account->version = (uint64_t)sqlite3_column_int64(load, 1);
        }
        sqlite3_reset(load);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return fail(peer, "load");
    }
    return true;
}

static bool append_repeat(struct peer *peer, struct peer_row *row)
{
    sqlite3_stmt *known = peer->prepared[KNOWN], *repeat = peer->prepared[REPEAT];
    sqlite3_bind_text(known, 1, row->id, (int)row->id_bytes, SQLITE_STATIC);
    if (sqlite3_step(known) != SQLITE_ROW)
        return fail(peer, "known");
    row->is_known = true;
    row->known_seq = (uint64_t)sqlite3_column_int64(known, 0);
    row->known_content = (uint64_t)sqlite3_column_int64(known, 1);
    sqlite3_reset(known);
    row->outcome = row->content == row->known_content ? SETTLE_DUPLICATE : SETTLE_CONFLICT;
    sqlite3_bind_int64(repeat, 1, (int64_t)row->seq);
    sqlite3_bind_text(repeat, 2, row->id, (int)row->id_bytes, SQLITE_STATIC);
    bind(repeat, 3,
         (const int64_t[]){(int64_t)row->known_seq, row->outcome, (int64_t)row->consumed_us, (int64_t)row->decided_us},
         4);
    return run(peer, REPEAT);
}

static bool sqlite_append(struct peer *peer, struct peer_row *row)
{
    const struct stream_event *e = &row->event;
    sqlite3_stmt *insert = peer->prepared[EVENT];
    sqlite3_bind_text(insert, 1, row->id, (int)row->id_bytes, SQLITE_STATIC);
    const int64_t members[] = {(int64_t)row->seq,
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
    bind(insert, 2, members, sizeof members / sizeof members[0]);
    if (!run(peer, EVENT))
        return false;
    return sqlite3_changes(peer->database) == 1 || append_repeat(peer, row);
}

static bool sqlite_commit(struct peer *peer, struct peer_group *group)
{
    for (size_t i = 0; i < group->account_count; i++) {
        const struct peer_account *account = &group->accounts[i];
        if (!account->is_changed)
            continue;
        bind(peer->prepared[BALANCE], 1,
             (const int64_t[]){account_number(account), account->available, (int64_t)account->version}, 3);
        if (!run(peer, BALANCE))
            return false;
    }
    if (group->persisted_from != 0) {
        bind(peer->prepared[PERSISTED], 1,
             (const int64_t[]){(int64_t)group->persisted_from, (int64_t)group->persisted_to,
                               (int64_t)group->rows[0].consumed_us},
             3);
        if (!run(peer, PERSISTED))
            return false;
    }
    return run(peer, COMMIT);
}

static bool sqlite_balances(struct peer *peer, peer_tell tell, void *context)
{
    sqlite3_stmt *all;
    int code;
    if (sqlite3_prepare_v2(peer->database,
                           "SELECT account >> 32, account & 4294967295, available, version FROM balances", -1, &all,
                           NULL) != SQLITE_OK)
        return fail(peer, "balances");
    while ((code = sqlite3_step(all)) == SQLITE_ROW) {
        const struct peer_account account = {.user = (uint64_t)sqlite3_column_int64(all, 0),
                                             .asset = (uint32_t)sqlite3_column_int64(all, 1),
                                             .available = sqlite3_column_int64(all, 2),
                                             .version = (uint64_t)sqlite3_column_int64(all, 3)};
        tell(context, &account);
    }
    sqlite3_finalize(all);
    return code == SQLITE_DONE || fail(peer, "balances");
}

const struct peer_system peer_sqlite = {"sqlite",      sqlite_open,     sqlite_load, sqlite_append,
                                        sqlite_commit, sqlite_balances, sqlite_close};
