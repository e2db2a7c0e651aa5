/*
 * peer.h — the same settlement on somebody else's database: the rules in C, the state in the peer. One client is the
 * only writer, so it reads what a group of events needs, decides, and writes everything that came of it in one
 * transaction.
 *
 * The rules are those of docs/events.md as far as the stream meets them: every event id counts once, for ever; no
 * balance below zero; deposits and withdrawals against `external`, fees to `fees`; every arrival is a row with its
 * CONSUMED and decision times and its outcome; PERSISTED is a row of the next transaction for all events of the one
 * before.
 */
#ifndef TOOLS_BENCH_PEERS_PEER_H
#define TOOLS_BENCH_PEERS_PEER_H

#include <stdio.h>

#include "tools/bench/stream.h"

#define PEER_GROUP_MAX 8192
#define PEER_LEGS_MAX 6
#define PEER_ID_BYTES 48

/*
 * A balance that a group may change. The system accounts' users are -2 and -1 in a peer, which has no unsigned
 * numbers.
 */
struct peer_account {
    uint64_t user;
    uint32_t asset;
    int64_t available;
    uint64_t version; /* 0: the peer has none yet */
    bool is_changed;
};

/* An arrival. */
struct peer_row {
    struct stream_event event;
    char id[PEER_ID_BYTES]; /* time first, so that a tree of ids grows at one end */
    size_t id_bytes;
    uint64_t content; /* a digest of all members */
    uint64_t seq, consumed_us, decided_us;
    settle_outcome outcome;
    settle_reason reason;
    /* Set by the peer's load() or append(), where the id was there already: */
    bool is_known;
    uint64_t known_seq, known_content;
};

struct peer_group {
    struct peer_row *rows;
    size_t row_count;
    struct peer_account *accounts; /* every one that a row names, once */
    size_t account_count;
    uint32_t *slots;                       /* a hash table of them: index + 1 */
    uint64_t persisted_from, persisted_to; /* seqs to be recorded as PERSISTED; from 0: none */
};

/*
 * A database. All return false after printing what went wrong.
 *   open     an empty one, with its tables
 *   load     fills accounts' available and version; may fill rows' is_known
 *   append   takes a row with its outcome; sets is_known instead where its id is there
 *   commit   writes changed accounts, what append() kept, and PERSISTED; returns when it is on stable storage
 *   balances all of them, in any order: calls `tell` for each
 */
struct peer;
typedef void (*peer_tell)(void *context, const struct peer_account *account);
struct peer_system {
    const char *name;
    struct peer *(*open)(const char *directory, const char *connection);
    bool (*load)(struct peer *peer, struct peer_group *group);
    bool (*append)(struct peer *peer, struct peer_row *row);
    bool (*commit)(struct peer *peer, struct peer_group *group);
    bool (*balances)(struct peer *peer, peer_tell tell, void *context);
    void (*close)(struct peer *peer);
};
extern const struct peer_system peer_sqlite, peer_postgres, peer_redis;

struct peer_counts {
    uint64_t accepted, rejected, duplicate, conflict;
    uint64_t elapsed_ns; /* from the first group to the last one's commit */
};

/* Prints "NAME: WHAT: DETAIL" to standard error; returns false. */
bool peer_fail(const char *name, const char *what, const char *detail);

/* The account, which must be one of the group's. */
struct peer_account *peer_account_find(const struct peer_group *group, uint64_t user, uint32_t asset);

/* Where a group has an id twice, the later rows are told so; for peers whose load() looks ids up. */
bool peer_mark_repeats(struct peer_group *group);

/* Feeds the stream to a peer in groups. */
bool peer_run(const struct peer_system *system, struct peer *peer, const struct stream *stream, uint64_t count,
              size_t group, struct peer_counts *ret_counts);

/* The peer's balances into a file: "USER ASSET AVAILABLE VERSION" a line, sorted by user, then asset. */
bool peer_balances_write(const struct peer_system *system, struct peer *peer, const char *path);

#endif
