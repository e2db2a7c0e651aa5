/*
 * query.h — questions to a data directory: balances, the life of an event, replay, verification, what is in its files.
 *
 * Everything here reads and nothing writes, except query_copy(), query_archive() and query_restore(). A query creates and repairs nothing; it works beside a
 * writer, on a read-only mount and on a directory that a crash left behind, and tells only what is durable.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <settle/settle.h>

#include "query/print.h"

/* ---- A look at a data directory ---------------------------------------------------------------------------------- */

struct query;

/* SETTLE_E_NOT_FOUND: no data directory, or no journal in it. */
SETTLE_CHECKED settle_status query_open(const char *directory, struct query **ret_query, settle_error *error);
void query_close(struct query *query); /* NULL is fine */

/* Why the store is not used, or NULL when it is good. Answers are right in either case, only slower. */
const settle_error *query_store_fault(const struct query *query);
uint64_t query_segment_bytes(const struct query *query);
/* A declared symbol, else the digits of a declared id. NULL: not declared. */
const settle_asset *query_asset_find(const struct query *query, settle_text name);
/* NULL: not declared. */
const settle_asset *query_asset_by_id(const struct query *query, uint32_t id);
/* "USDT=2:6": symbol, id, scale; false when it is no such declaration. */
bool query_asset_parse(const char *text, settle_asset *ret_asset);
/* "1001", "external" or "fees"; false when it is none of them. */
bool query_user_parse(const char *text, uint64_t *ret_user);
/* Digits only, no sign, no leading zero; false also above 2^64-1. */
bool query_u64_parse(const char *text, uint64_t *ret_value);

/* ---- Balances ---------------------------------------------------------------------------------------------------- */

/* Balances sorted by user, then asset id, system accounts last, with the assets that give them their scale. */
struct ledger {
    settle_balance *balances;
    size_t balance_count;
    settle_asset *assets; /* sorted by id */
    size_t asset_count;
};
void ledger_free(struct ledger *ledger); /* also of a zeroed struct */
/* The asset must be one of the ledger's. */
const settle_asset *ledger_asset(const struct ledger *ledger, uint32_t id);

/* user 0: of all; asset 0: all assets of the user. None is no error: the count is 0. */
SETTLE_CHECKED settle_status query_balances(struct query *query, uint64_t user, uint32_t asset,
                                            struct ledger *ret_ledger, settle_error *error);
/* The assets alone. */
SETTLE_CHECKED settle_status query_assets(struct query *query, struct ledger *ret_ledger, settle_error *error);

/* ---- The life of an event ---------------------------------------------------------------------------------------- */

/* As settle_lifecycle_get(), without an engine. Free with settle_lifecycle_free(). */
SETTLE_CHECKED settle_status query_lifecycle(struct query *query, settle_text event_id,
                                             settle_lifecycle **ret_lifecycle, settle_error *error);

/*
 * The ids that begin with a text, in the order of their bytes: each with its first arrival (persisted_us is 0: it was not
 * looked for). Until the visitor answers false. None is no error.
 */
typedef bool (*id_visit)(void *context, const char *event_id, const settle_arrival *first);
SETTLE_CHECKED settle_status query_ids(struct query *query, settle_text prefix, id_visit visit, void *context,
                                       settle_error *error);

/* An event that is not recorded as PERSISTED: durable, and the writer died or is about to record it. */
struct stuck_event {
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    uint64_t seq;
    settle_event_type type;
    settle_outcome outcome; /* its last step */
    uint64_t time_us;       /* of that step */
};
typedef bool (*stuck_visit)(void *context, const struct stuck_event *event);
/* In the order of seq, until the visitor answers false. */
SETTLE_CHECKED settle_status query_stuck(struct query *query, stuck_visit visit, void *context, settle_error *error);

/* ---- The past ---------------------------------------------------------------------------------------------------- */

uint64_t query_now_us(void);
/* RFC 3339 ("2024-12-10T18:50:00Z"), milliseconds since 1970, or a time ago: "-90s", "-30m", "-1h", "-2d", "-1w". What is
 * before 1970 becomes 0. */
bool query_time_parse(const char *text, uint64_t now_us, uint64_t *ret_time_us);
/* The last event whose PERSISTED time is not later than `time_us`; 0 when there is none. */
SETTLE_CHECKED settle_status query_seq_at(struct query *query, uint64_t time_us, uint64_t *ret_seq,
                                          settle_error *error);

/* The last event the query knows of; 0 when the journal has none. */
uint64_t query_last_seq(const struct query *query);

/* As query_balances(), behind event `seq`: accounts that no event had changed by then are left out. A seq behind the
 * journal's last is that one. */
SETTLE_CHECKED settle_status query_balances_at(struct query *query, uint64_t user, uint32_t asset, uint64_t seq,
                                               struct ledger *ret_ledger, settle_error *error);

/* One change of an account. */
struct account_change {
    uint64_t seq, ts_ms;
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event_type type;
    settle_int128 delta, after; /* of what is available */
    settle_int128 after_held;
    uint64_t version;
    uint64_t position; /* in the journal */
};
struct history_options {
    uint64_t since_seq, until_seq; /* 0 and UINT64_MAX: all */
    uint64_t limit;                /* rows; UINT64_MAX: all */
};
typedef bool (*history_visit)(void *context, const struct account_change *change);
/*
 * The changes of an account, newest first, until the visitor answers false. SETTLE_E_NOT_FOUND: it has none at all, in
 * range or not. SETTLE_E_CORRUPT: its chain of changes is broken, with the place; the rows before were good.
 */
SETTLE_CHECKED settle_status query_history(struct query *query, uint64_t user, uint32_t asset,
                                           const struct history_options *options, history_visit visit, void *context,
                                           settle_error *error);

/* An event as the journal has it; what it points at is valid during the visit. */
struct journal_event {
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    uint64_t seq;
    const settle_event *event;
    settle_outcome outcome;
    settle_reason reason;   /* of a rejection */
    const settle_leg *legs; /* of an accepted one */
    size_t leg_count;
};
typedef bool (*event_visit)(void *context, const struct journal_event *event);
/* Every arrival from since_seq to until_seq, in their order, until the visitor answers false. Reads the segments they are
 * in, and needs no store. */
SETTLE_CHECKED settle_status query_events(struct query *query, uint64_t since_seq, uint64_t until_seq,
                                          event_visit visit, void *context, settle_error *error);

/* ---- Audit: everything again from the journal -------------------------------------------------------------------- */

struct audit_counts {
    uint64_t segments, frames, records, events;
    uint64_t accounts;   /* balances that any event changed */
    uint64_t ids;        /* event ids: first arrivals */
    uint64_t torn_bytes; /* of a torn frame at the very end, which the next writer cuts */
};

enum store_state {
    STORE_NOT_COMPARED,
    STORE_ABSENT,
    STORE_DAMAGED,
    STORE_IN_USE, /* by a writer beside whom it cannot be read: see store_is_in_use(); the journal answers alone */
    STORE_DIFFERS,
    STORE_EQUAL,
};
const char *store_state_name(enum store_state state); /* "equal" */

struct replay_options {
    uint64_t until_seq; /* stop after this event; UINT64_MAX: go to the end */
    bool check;         /* compare with the live store; needs the journal to its end, else the store is not compared */
    void (*difference)(void *context, const char *text); /* told each difference; may be NULL */
    void *context;
};

struct replay_result {
    bool ok;
    bool is_empty; /* no difference, and no event either: it is ok and says nothing */
    struct audit_counts counts;
    uint64_t difference_count;
    enum store_state store;
    struct ledger ledger; /* the balances at the end; free it */
};

/*
 * Folds the journal alone from its first frame: every event is validated again and what comes out is compared with what
 * is recorded, before, after, version and previous change included. A record that is whole but says something else is a
 * difference (check) or SETTLE_E_CORRUPT (not check); damage is always SETTLE_E_CORRUPT.
 */
SETTLE_CHECKED settle_status query_replay(const char *directory, const struct replay_options *options,
                                          struct replay_result *ret_result, settle_error *error);

struct verify_progress {
    uint64_t events, bytes_done;
    uint64_t bytes_total; /* 0: unknown */
};
struct verify_options {
    void (*fault)(void *context, const settle_error *fault); /* told each fault; may be NULL */
    /* Called after each frame; says whether to go on. NULL: go on. */
    bool (*go_on)(void *context, const struct verify_progress *progress);
    void *context;
};

struct verify_result {
    bool ok;
    bool is_empty;              /* no fault, and no event either: it is ok and says nothing */
    bool was_stopped;           /* go_on() said no: nothing is proved */
    struct audit_counts counts; /* up to the first fault in the journal; all of it where there is none */
    enum store_state store;
    bool has_store;     /* there is one, and it can be read */
    uint64_t store_seq; /* the last event it holds, as of the point it was compared at; 0: it holds nothing yet */
    uint64_t fault_count;
    uint64_t archived_segments, archived_bytes; /* bytes of the .zst files */
    enum store_state snapshot;                  /* the archive's */
    settle_error fault;                         /* the first one; status SETTLE_OK when there is none */
};

/*
 * Everything that can be checked, in one pass. A fault found is an answer, not an error of the call. Behind the first fault in
 * the journal no balance is known any more, and the store cannot be compared; what is checked there are bytes alone:
 * checksums, chain and sequence of every further frame and segment. `options` may be NULL.
 */
SETTLE_CHECKED settle_status query_verify(const char *directory, const struct verify_options *options,
                                          struct verify_result *ret_result, settle_error *error);

/*
 * Writes a new data directory `into` (absent or empty, else SETTLE_E_EXISTS) with the journal up to until_seq, and a
 * store built from it.
 */
SETTLE_CHECKED settle_status query_copy(const char *directory, const char *into, uint64_t until_seq,
                                        settle_error *error);

/* ---- Seals and proofs: docs/seals.md ----------------------------------------------------------------------------- */

#define SEAL_TEXT_MAX 4096
#define SEAL_HASH_TEXT_BYTES 45 /* base64 of 32 bytes, terminated */

/* A new Ed25519 key at `path`, mode 0600, and "{path}.pub". SETTLE_E_EXISTS: one of them is there. SETTLE_E_INVALID:
 * `path` lies inside the data directory. */
SETTLE_CHECKED settle_status query_seal_key(const char *directory, const char *path, settle_error *error);

struct seal_options {
    const char *key_path; /* the private key */
    const char *output;   /* write the seal there and nothing into the data directory; NULL: into DIR/seals */
    bool check;           /* hash the journal from its first frame, not from the seal before */
};
struct seal_result {
    bool is_new;       /* false: the newest seal is of this very state, and it is the answer */
    bool is_resumed;   /* what was sealed before was not read again */
    char file[4096];   /* where it lies */
    uint64_t size;     /* the last sealed seq */
    uint64_t position; /* behind the last sealed frame */
    uint64_t time_us;  /* of the journal */
    uint64_t new_events;
    char root[SEAL_HASH_TEXT_BYTES], frames[SEAL_HASH_TEXT_BYTES];
    char previous[SEAL_HASH_TEXT_BYTES]; /* "" for the first */
    char verifier[128];                  /* the key as tools for signed notes want it */
    char text[SEAL_TEXT_MAX + 1];
};
/*
 * Seals what is durable when the call begins, beside a writer too. SETTLE_E_CONFLICT: the journal is not what the
 * seal before says, or was rolled back. SETTLE_E_BUSY: another process is sealing. SETTLE_E_ACCESS: others may read the
 * key.
 */
SETTLE_CHECKED settle_status query_seal(const char *directory, const struct seal_options *options,
                                        struct seal_result *ret_result, settle_error *error);

struct seal_verdict {
    bool ok, is_signed;
    uint64_t size, position, time_us; /* the seal's */
    char difference[320];             /* "" when ok */
    /* Where it differs, as far as the seals in the directory tell: behind the one and not behind the other. */
    uint64_t agrees_until_seq, differs_until_seq;
    char agrees_with[64]; /* that seal's name; "": none */
};
/* The journal as it is against a seal. A difference is an answer, not an error. */
SETTLE_CHECKED settle_status query_seal_verify(const char *directory, const char *seal_path, const char *key_path,
                                               struct seal_verdict *ret_verdict, settle_error *error);

struct proof {
    char *text; /* one line of JSON, malloc'd */
    size_t bytes;
};
void proof_free(struct proof *proof); /* also of a zeroed struct */
/* That an event is among those of a seal. SETTLE_E_NOT_FOUND: no such event, or it came behind the seal.
 * SETTLE_E_CONFLICT: the journal is not what was sealed. */
SETTLE_CHECKED settle_status query_prove(const char *directory, settle_text event_id, const char *seal_path,
                                         struct proof *ret_proof, settle_error *error);
/* That the events of one seal are the first of another one. */
SETTLE_CHECKED settle_status query_prove_consistency(const char *directory, const char *old_path, const char *new_path,
                                                     struct proof *ret_proof, settle_error *error);
/* Writes a new file, durable when it returns. SETTLE_E_EXISTS. */
SETTLE_CHECKED settle_status query_write_new(const char *path, const char *text, size_t bytes, settle_error *error);

/* ---- The archive -------------------------------------------------------------------------------------------------- */

#define ARCHIVE_LEVEL_MIN 1 /* of zstd */
#define ARCHIVE_LEVEL_MAX 19
#define ARCHIVE_LEVEL_DEFAULT 9

struct archive_options {
    uint64_t before_seq; /* segments whose events all come before this one */
    int level;
    const char *log_directory; /* of JSON lines whose saved position keeps what it needs; NULL: none */
};
struct archive_segment {
    char name[48];
    uint64_t first_seq, last_seq; /* last_seq 0: not known */
    uint64_t bytes, packed_bytes; /* in journal/ and in archive/ */
};
struct archive_result {
    struct archive_segment *segments; /* moved by this call; malloc'd */
    size_t count;
    uint64_t archived;        /* segments in archive/ now */
    uint64_t snapshot_seq;    /* the snapshot ends with this event; 0: there is none */
    uint64_t kept;            /* segments that end before the event and stay: the one being written, or */
    const char *kept_for;     /* who still needs them; NULL: nobody */
    char snapshot_fault[320]; /* why the snapshot was made anew; "" it was not */
};
/*
 * Moves sealed segments to `archive/`, compressed, behind a snapshot (docs/archive.md). Beside a live writer and readers.
 * After an error the segments moved before it have moved; *ret_result tells of them in either case. SETTLE_E_BUSY: another one
 * is at it. SETTLE_E_NOT_FOUND: no journal, or no store that tells what may be moved.
 */
SETTLE_CHECKED settle_status query_archive(const char *directory, const struct archive_options *options,
                                           struct archive_result *ret_result, settle_error *error);
/* Brings every archived segment back and removes the archive. SETTLE_E_IO: one is not there; nothing has changed then. */
SETTLE_CHECKED settle_status query_restore(const char *directory, struct archive_result *ret_result,
                                           settle_error *error);
void archive_result_free(struct archive_result *result);

/* ---- What is in the files ---------------------------------------------------------------------------------------- */

struct inspect_segment {
    char name[48];
    uint64_t ordinal, first_seq, created_us;
    uint64_t last_seq; /* 0: no event in it */
    uint64_t frames, events, bytes_used;
    bool is_archived;
    uint64_t packed_bytes; /* of an archived one, in archive/ */
};

struct inspect_directory {
    char journal_id[33]; /* hex */
    uint64_t segment_bytes;
    struct inspect_segment *segments;
    size_t segment_count;
    uint64_t last_seq, time_us; /* at the journal's end */
    enum store_state store;     /* STORE_NOT_COMPARED: there is one, and it opens */
    char store_fault[320];
    uint64_t store_position, store_seq, store_accounts, store_ids;
    uint64_t torn_bytes, torn_position;
    bool writer_is_live;
    long writer_pid;    /* 0: unknown */
    settle_error fault; /* where reading the journal stopped; SETTLE_OK: at its end */
};

SETTLE_CHECKED settle_status query_inspect(const char *directory, struct inspect_directory *ret_inspect,
                                           settle_error *error);
void inspect_free(struct inspect_directory *inspect);

/* Prints a segment file: its header, then frames and records, one a line, as text or NDJSON. Goes as far as the bytes
 * are good; then SETTLE_E_CORRUPT with the place. */
SETTLE_CHECKED settle_status query_dump_segment(const char *path, bool as_json, struct out *out, settle_error *error);

struct dump_frame_options {
    bool by_seq; /* the event `seq` and the frame that holds it; else the whole frame at `position` */
    uint64_t seq;
    uint64_t position; /* any byte of the frame: in the journal, or with a path in that file */
    bool hex;          /* the bytes too */
    bool as_json;
};
/*
 * Prints one frame of the journal, or of a segment file at `path` (NULL: of the directory): every field of its bytes, every
 * checksum as good or bad. SETTLE_E_NOT_FOUND: there is none, or a writer that lives has not told of it yet.
 * SETTLE_E_CORRUPT, with the place, behind what was printed: something of it is bad.
 */
SETTLE_CHECKED settle_status query_dump_frame(const char *directory, const char *path,
                                              const struct dump_frame_options *options, struct out *out,
                                              settle_error *error);

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

struct stats_asset {
    settle_asset asset;
    uint64_t deposits, withdrawals, trades; /* accepted events that moved it */
    uint64_t balances, changes;             /* users' and system accounts' */
};

struct stats {
    struct audit_counts counts;
    uint64_t events[SETTLE_TRADE + 1][SETTLE_CONFLICT + 1]; /* by type and outcome */
    uint64_t reasons[SETTLE_REASON_BALANCE_OVERFLOW + 1];
    uint64_t ts_ms_min, ts_ms_max; /* event time */
    uint64_t first_us, last_us;    /* wall time of the first and last event */
    uint64_t journal_bytes;        /* headers and frames, without the space filled ahead */
    struct stats_asset *assets;    /* sorted by id */
    size_t asset_count;
};

SETTLE_CHECKED settle_status query_stats(const char *directory, struct stats *ret_stats, settle_error *error);
void stats_free(struct stats *stats);

/* ---- Export ------------------------------------------------------------------------------------------------------ */

enum export_format {
    EXPORT_HLEDGER, /* a transaction an accepted event, in hledger's journal format */
    EXPORT_CSV,     /* a row a leg */
    EXPORT_EVENTS,  /* CSV: a row an asset or an arrival, as ingest reads it */
};
/* "hledger", "csv" or "events"; false when it is none of them. */
bool export_format_parse(const char *name, enum export_format *ret_format);

struct export_progress {
    uint64_t events, bytes_done;
    uint64_t bytes_total; /* 0: not measured */
};
struct export_options {
    enum export_format format;
    bool measures; /* find out bytes_total first: reads the journal's tail, all of it where there is no store */
    /* Called after each frame; says whether to go on. NULL: go on. */
    bool (*go_on)(void *context, const struct export_progress *progress);
    void *context;
};
/* The journal up to what is durable when the call begins, into `out`, not flushed; ends when `out` has failed. */
SETTLE_CHECKED settle_status query_export(const char *directory, const struct export_options *options, struct out *out,
                                          settle_error *error);

/* ---- JSON lines -------------------------------------------------------------------------------------------------- */

enum tail_format { TAIL_SETTLE, TAIL_ECS, TAIL_OTLP };
/* "settle", "ecs" or "otlp"; false when it is none of them. */
bool tail_format_parse(const char *name, enum tail_format *ret_format);

struct tail_options {
    uint64_t from_seq; /* no lines of events before it; 0: all */
    enum tail_format format;
    bool follow; /* at the end wait for more, also for a writer to come */
    /* Called between batches and while waiting: to wait at most so long, and to say whether to go on. NULL: go on. */
    bool (*go_on)(void *context, unsigned wait_ms);
    void (*log)(void *context, settle_log_level level, const char *message); /* may be NULL */
    void *context;
};
/* The JSON lines of what is durable, into `out`, flushed batch by batch; ends when `out` has failed. */
SETTLE_CHECKED settle_status query_tail(const char *directory, const struct tail_options *options, struct out *out,
                                        settle_error *error);
/*
 * The same lines into the log files of lines->directory, as settle_lines_start() does it, by a process that is not the
 * writer; from_seq and format do not count. Without follow: SETTLE_E_IO or SETTLE_E_NO_SPACE where the lines pause.
 */
SETTLE_CHECKED settle_status query_tail_files(const char *directory, const settle_lines_options *lines,
                                              const struct tail_options *options, settle_error *error);

struct logs_counts {
    uint64_t files, lines, bytes; /* compared and equal */
    uint64_t lines_before;        /* the journal's before the oldest file's: deleted, or never written */
    uint64_t lines_after;         /* the journal's behind the newest: not caught up */
    uint64_t torn_bytes;          /* behind the last whole line of the current file */
};
struct logs_result {
    bool ok;       /* all that is there is equal, and something is there unless the journal's events have no lines */
    bool is_empty; /* no event and no line: nothing was compared, and that is not ok */
    struct logs_counts counts;
    char file[64];       /* of the first difference; "" when there is none */
    uint64_t line, byte; /* both from 1; the byte in the (unpacked) file */
    char difference[320];
};
/* Renders the journal again and compares every file of lines->directory with it. A difference is an answer, not an
 * error. */
SETTLE_CHECKED settle_status query_logs_verify(const char *directory, const settle_lines_options *lines,
                                               struct logs_result *ret_result, settle_error *error);

struct logs_day {
    char day[11]; /* "2024-12-10" */
    char file[64];
    uint64_t lines, bytes;
};
struct logs_rebuilt {
    struct logs_day *days; /* malloc'd */
    size_t count;
};
/*
 * Writes the files of a day, or of every day of the journal (`day` NULL), afresh. SETTLE_E_BUSY: somebody follows
 * into the directory. SETTLE_E_NOT_FOUND: the journal has no line of that day. SETTLE_E_CONFLICT: the lines have not
 * come that far.
 */
SETTLE_CHECKED settle_status query_logs_rebuild(const char *directory, const settle_lines_options *lines,
                                                const char *day, struct logs_rebuilt *ret_rebuilt, settle_error *error);
void logs_rebuilt_free(struct logs_rebuilt *rebuilt);

/* The journal format this build writes, for `version`. */
uint32_t query_format_version(void);

#endif
