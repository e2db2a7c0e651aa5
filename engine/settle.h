/*
 * settle.h — the public interface of libsettle, an event-sourced settlement engine.
 *
 * Deposits, withdrawals and trades go in; exact balances and an append-only journal of every step come out. The journal
 * is the only truth: balances, the event-id index and every report are projections of it that can be rebuilt.
 *
 *     settle *engine;
 *     settle_error error;
 *     if (settle_open("data", NULL, &engine, &error) != SETTLE_OK)
 *         …error.text says what and where…
 *     settle_asset usdt = {.id = 2, .scale = 6, .symbol = "USDT"};
 *     if (settle_asset_declare(engine, &usdt, &error) != SETTLE_OK)
 *         …
 *     settle_event deposit = {.type = SETTLE_DEPOSIT, .ts_ms = 1733856600000, .u.transfer = {1001, 2, 1000500000}};
 *     settle_result result;
 *     if (settle_submit(engine, &deposit, 1, &result, &error) != SETTLE_OK) // returns when it is on stable storage
 *         …
 *     settle_close(engine, &error);
 *
 * Conventions
 *   Units       amounts: minor units of the asset (10^-scale); times: milliseconds (ts_ms) or microseconds (_us) since
 *               1970-01-01T00:00:00Z; sizes: bytes. The unit stands at the end of a name.
 *   Ownership   what you pass in is yours and is only read during the call; `ret_` arguments are filled by the call
 *               and are untouched when it fails, but for ret_results, which every failure but SETTLE_E_INVALID sets
 *               to zeros.
 *   Threads     every call on a settle* may be made from any thread at any time, except settle_close(), which must be
 *               the last. Events are applied one at a time, batches of concurrent submitters may interleave; they share
 *               commits.
 *   Durability  after settle_submit() returns SETTLE_OK the events survive a crash and a power cut. Nobody, through any
 *               call, sees an effect that could still be lost.
 *   Errors      SETTLE_OK is 0, operating errors are negative; `error` may be NULL. A rejected event is no error: it is
 *               an outcome, and it is journalled. The library never prints, never exits and keeps no globals.
 *
 * Caveats
 *   - One engine a directory, in one process. A second open answers SETTLE_E_BUSY and names the holder's pid.
 *   - After the first failed write or sync every call answers SETTLE_E_LATCHED: close the engine, mend the disk, open
 *     it again. Nothing that was acknowledged is lost; what was not acknowledged happened wholly or not at all.
 *   - Do not delete the file `lock` of a directory in use: it is what keeps a second writer out.
 *   - Do not fork() and use an engine in the child.
 *   - A power cut may tear the sectors (512 bytes) that were being written, not those beside them: the engine relies on
 *     this property of disks, as SQLite does ("powersafe overwrite").
 */
#ifndef SETTLE_H
#define SETTLE_H

#include <settle/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SETTLE_VERSION "0.1.0"

typedef struct settle settle;

/* ---- Opening and closing ------------------------------------------------------------------------------------------- */

typedef enum settle_log_level {
    SETTLE_LOG_INFO = 1,
    SETTLE_LOG_WARNING = 2,
    SETTLE_LOG_ERROR = 3,
} settle_log_level;

/* Start from settle_options_init() and change what you need. */
typedef struct settle_options {
    size_t size_bytes; /* sizeof(settle_options), set by settle_options_init(): lets the struct grow */

    /* New directories only: bytes of a journal segment, 16384 … 2^30, rounded up to 4096. Default 64 MiB. */
    uint64_t segment_bytes;
    /* A group commit closes at this many events or this old, whichever comes first; sooner when a caller waits.
     * Defaults 8192 and 1000; 1 to 65536, and at most 60000000. */
    uint32_t commit_events_max;
    uint32_t commit_interval_us_max;
    /* The store is checkpointed this often, or when this many events are not in it. Defaults 1000 and 262144; at least 1,
     * and 1 to 4194304. */
    uint32_t checkpoint_interval_ms;
    uint32_t checkpoint_events_max;

    /* Microseconds since 1970. NULL: the system's real-time clock. The engine never lets time go back. */
    uint64_t (*clock_us)(void *context);
    /* Memory. NULL: the C library's. `bytes` 0 frees. Not covered: what LMDB and zstd allocate, and short-lived lists while a
     * directory is opened or asked. */
    void *(*reallocate)(void *context, void *memory, size_t bytes);
    /* Operational messages (recovery, a rebuilt store, the latch), one sentence each without a newline. May be called
     * from any thread of the engine; must not call the engine. NULL: none. */
    void (*log)(void *context, settle_log_level level, const char *message);
    void *context; /* handed to the three above, which any thread may call, with the engine's lock held */
} settle_options;

SETTLE_API void settle_options_init(settle_options *options);

/* Creates a data directory: a journal without events. SETTLE_E_EXISTS when there is one already. */
SETTLE_API SETTLE_CHECKED settle_status settle_create(const char *directory, const settle_options *options,
                                                      settle_error *error);

/*
 * Opens a data directory for writing, creating it when absent, and recovers what a crash left: a torn tail of the last
 * segment is copied to <segment>.torn-<offset> and cut; a lost or damaged store is set aside and rebuilt from the journal.
 * Errors: SETTLE_E_BUSY (text names the pid), SETTLE_E_CORRUPT (file, offset and seq of the first fault; the
 * journal and the store are as they were), SETTLE_E_UNSUPPORTED, SETTLE_E_ACCESS, SETTLE_E_IO, SETTLE_E_NO_SPACE, SETTLE_E_NO_MEMORY, SETTLE_E_INVALID.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_open(const char *directory, const settle_options *options,
                                                    settle **ret_engine, settle_error *error);

/*
 * Commits what is open, checkpoints, writes the last JSON lines where they were started, joins the engine's threads and
 * frees it. NULL is fine. Always frees, also when it
 * fails: the status then says what could not be written (SETTLE_E_LATCHED after an earlier failure).
 */
SETTLE_API settle_status settle_close(settle *engine, settle_error *error);

/* ---- Assets ----------------------------------------------------------------------------------------------------------- */

/* Declares an asset, durably. Again with the same values: SETTLE_OK, no effect. With others: SETTLE_E_CONFLICT. */
SETTLE_API SETTLE_CHECKED settle_status settle_asset_declare(settle *engine, const settle_asset *asset,
                                                             settle_error *error);
/* SETTLE_E_NOT_FOUND when there is none. What they answer is durable; SETTLE_E_LATCHED as everywhere. */
SETTLE_API SETTLE_CHECKED settle_status settle_asset_by_id(settle *engine, uint32_t id, settle_asset *ret_asset);
SETTLE_API SETTLE_CHECKED settle_status settle_asset_by_symbol(settle *engine, settle_text symbol,
                                                               settle_asset *ret_asset);

/* ---- Submitting ------------------------------------------------------------------------------------------------------- */

/*
 * Submits `count` events in order and returns when all of them are on stable storage; ret_results[i] tells what became of
 * events[i]. Each event is all or nothing by itself; a batch is not a transaction, though a crash keeps a prefix of it.
 * SETTLE_E_INVALID: events[error->offset_bytes] breaks the form (members, lengths, characters, ranges); then no event of
 * the batch was taken. SETTLE_E_NO_MEMORY: none was taken either, and the engine goes on. SETTLE_E_LATCHED: see Caveats; the
 * outcome of these events is known after reopening, by id.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_submit(settle *engine, const settle_event *events, size_t count,
                                                      settle_result *ret_results, settle_error *error);

/*
 * The same without waiting: returns once the events are in the open commit, or waits for room. `done` is called exactly
 * once, from the engine's commit thread, when all of them are on stable storage (SETTLE_OK) or can no longer be
 * (SETTLE_E_LATCHED); ret_results must stay valid until then, and means nothing before. `done` must not call the engine.
 * When settle_submit_async() itself fails, `done` is never called. Needs at least one event.
 */
typedef void (*settle_done)(void *context, settle_status status, const settle_result *results, size_t count);
SETTLE_API SETTLE_CHECKED settle_status settle_submit_async(settle *engine, const settle_event *events, size_t count,
                                                            settle_result *ret_results, settle_done done, void *context,
                                                            settle_error *error);

/* Returns when everything submitted so far is on stable storage and recorded as PERSISTED there. */
SETTLE_API SETTLE_CHECKED settle_status settle_flush(settle *engine, settle_error *error);

/*
 * Sources: an input that can be read again from a position (a file, a stream). settle_source_open() gives the name its
 * number in this engine, for settle_event.end, and answers how far it is journalled (0, 0 when it was never seen): the
 * position of the last event on stable storage, or of the last settle_source_advance(). The position of an event is
 * committed in the same frame as its effects. settle_source_advance() moves it past input without events; durable with the
 * next commit or settle_flush(). `name`: 1 … SETTLE_SOURCE_NAME_BYTES_MAX bytes without NUL.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_source_open(settle *engine, settle_text name,
                                                           settle_source_position *ret_position, settle_error *error);
SETTLE_API SETTLE_CHECKED settle_status settle_source_advance(settle *engine, settle_source_position position,
                                                              settle_error *error);

/* ---- Asking ------------------------------------------------------------------------------------------------------------ */

typedef struct settle_balance {
    uint64_t user;
    uint32_t asset;
    settle_int128 available, held; /* minor units */
    uint64_t version;              /* number of changes */
    uint64_t seq;                  /* the event of the last change */
} settle_balance;

/* The balance now, of a user or of SETTLE_USER_EXTERNAL / SETTLE_USER_FEES. Waits until what it answers is durable.
 * SETTLE_E_NOT_FOUND: no event ever changed it. */
SETTLE_API SETTLE_CHECKED settle_status settle_balance_get(settle *engine, uint64_t user, uint32_t asset,
                                                           settle_balance *ret_balance, settle_error *error);

/* One arrival of an event id: the first, or a later duplicate or conflict. */
typedef struct settle_arrival {
    settle_result result;
    settle_event_type type;
    uint64_t ts_ms;        /* as given by this arrival */
    uint64_t consumed_us;  /* wall time of CONSUMED */
    uint64_t decided_us;   /* wall time of VALIDATED, REJECTED, DUPLICATE or CONFLICT */
    uint64_t persisted_us; /* wall time of PERSISTED; 0 = not recorded (yet) */
} settle_arrival;

/* The whole life of an event id. Free with settle_lifecycle_free(). */
typedef struct settle_lifecycle {
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_arrival first;
    size_t leg_count;
    settle_leg legs[SETTLE_LEGS_MAX]; /* accepted events: users first, then external and fees */
    size_t repeat_count;
    settle_arrival *repeats; /* duplicates and conflicts in order of arrival */
} settle_lifecycle;

/* SETTLE_E_NOT_FOUND: the id was never taken. */
SETTLE_API SETTLE_CHECKED settle_status settle_lifecycle_get(settle *engine, settle_text event_id,
                                                             settle_lifecycle **ret_lifecycle, settle_error *error);
SETTLE_API void settle_lifecycle_free(settle_lifecycle *lifecycle);

/* ---- JSON lines --------------------------------------------------------------------------------------------------------
 * The journal as a log: one JSON object a line, one line a step, rendered from what is on stable storage by a thread of
 * the engine's own (docs/json-lines.md; logs/README.md describes the lines). The lines never hold up or endanger events:
 * trouble with the log files pauses the lines, is told by the log callback, and is caught up later.
 */
typedef struct settle_lines_options {
    size_t size_bytes;     /* set by settle_lines_options_init() */
    const char *directory; /* of settlement.log; created where it is absent. Required */
    /* A new file is begun at UTC midnight of the records' time; also before a file would exceed rotate_bytes (0: not). */
    uint64_t rotate_bytes;
    uint32_t keep_days;          /* rotated files older than this before the newest line are deleted; 0: kept */
    uint32_t compress;           /* 1: rotated files are compressed with zstd */
    uint64_t keep_bytes;         /* the oldest rotated files are deleted until the rest is at most this; 0: kept */
    uint64_t free_bytes_min;     /* the lines pause while the file system has less; default: the less of 1 GiB and 5 % */
    uint32_t sample_per_million; /* events with lines, whole lives or none; rejections and conflicts always. Default 1000000 */
} settle_lines_options;
SETTLE_API void settle_lines_options_init(settle_lines_options *ret_options);

/*
 * Starts the thread. Goes on behind the last line that lies there, so the lines of earlier runs, of a crash included, are
 * caught up first. SETTLE_E_BUSY: another process follows into this directory; SETTLE_E_CONFLICT: this engine does already.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_lines_start(settle *engine, const settle_lines_options *options,
                                                           settle_error *error);
typedef struct settle_lines_state {
    uint64_t lines, bytes; /* written since the start */
    int is_paused;         /* `cause` says why */
    int is_at_end;         /* everything durable has its lines */
    settle_error cause;
} settle_lines_state;
/* Of the thread, or of the last one that ended. SETTLE_E_NOT_FOUND: none was started. */
SETTLE_API SETTLE_CHECKED settle_status settle_lines_state_get(settle *engine, settle_lines_state *ret_state,
                                                               settle_error *error);
/* Renders what is durable by now, unless paused, and ends the thread; settle_close() does the same. Not an error when there
 * is none. Waits up to ten seconds for rotated files that are being compressed. SETTLE_E_IO, SETTLE_E_NO_SPACE and the like:
 * lines are left for the next start. */
SETTLE_API settle_status settle_lines_stop(settle *engine, settle_error *error);

/* ---- Text ------------------------------------------------------------------------------------------------------------- */

/* The event id of `event`: as given, else derived ("deposit_1001_2_1733856600000", "trade_…"). Writes a terminated string
 * of at most SETTLE_EVENT_ID_BYTES_MAX bytes and returns its length. The event must have valid members. */
SETTLE_API size_t settle_event_id_format(const settle_event *event, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1]);

/* "1000.50" with scale 6 → 1000500000. SETTLE_E_MALFORMED: sign, exponent, space, leading zero, bare point, more decimals
 * than the scale, 2^127 or more. Zero is accepted. */
SETTLE_API SETTLE_CHECKED settle_status settle_amount_parse(settle_text text, uint8_t scale,
                                                            settle_int128 *ret_amount);
/* 1000500000 with scale 6 → "1000.500000", with all the asset's decimals. Returns the length; terminated. */
#define SETTLE_AMOUNT_TEXT_BYTES 48
SETTLE_API size_t settle_amount_format(settle_int128 amount, uint8_t scale, char ret_text[SETTLE_AMOUNT_TEXT_BYTES]);

SETTLE_API const char *settle_status_name(settle_status status);     /* "SETTLE_E_BUSY" */
SETTLE_API const char *settle_status_sentence(settle_status status); /* "another writer has the directory" */
SETTLE_API const char *settle_outcome_name(settle_outcome outcome);  /* "accepted" */
SETTLE_API const char *settle_reason_name(settle_reason reason);     /* "insufficient_funds"; "" for none */
SETTLE_API const char *settle_type_name(settle_event_type type);     /* "deposit" */
SETTLE_API const char *settle_version(void);                         /* SETTLE_VERSION of the library in use */

#ifdef __cplusplus
}
#endif
#endif
