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
 * docs/embedding.md is the tutorial, docs/events.md has the rules, docs/examples/ whole programs.
 *
 * Conventions
 *   Units       amounts: minor units of the asset (10^-scale); times: milliseconds (ts_ms) or microseconds (_us) since
 *               1970-01-01T00:00:00Z; sizes: bytes. The unit stands at the end of a name.
 *   Ownership   what you pass in is yours and is only read during the call; `ret_` arguments are filled by the call
 *               and are untouched when it fails, but for ret_results, which every failure but SETTLE_E_INVALID sets
 *               to zeros. What the library hands out has its own free: settle_close(), settle_lifecycle_free(). Texts
 *               that calls return (`const char *`) are constants.
 *   Threads     every call on a settle* may be made from any thread at any time, except settle_close(), which must be
 *               the last. Events are applied one at a time, batches of concurrent submitters may interleave; they share
 *               commits. Calls without a settle* (texts, options, settle_lifecycle_free()) are pure and need no care.
 *   Durability  after settle_submit() returns SETTLE_OK the events survive a crash and a power cut. Nobody, through any
 *               call, sees an effect that could still be lost.
 *   Errors      SETTLE_OK is 0, operating errors are negative; `error` may be NULL. A rejected event is no error: it is
 *               an outcome, and it is journalled. A wrong pointer, or a member that the text says must be valid and is
 *               not, is a bug of the caller and may end the process by an assertion. The library never prints, never
 *               exits otherwise, and keeps no globals: two engines of two directories know nothing of each other.
 *               Any call on a settle* may answer SETTLE_E_LATCHED (see Caveats), and those that need memory
 *               SETTLE_E_NO_MEMORY; below, a call names the others.
 *   Growing     structs that you fill begin with their size, which settle_options_init() and
 *               settle_lines_options_init() set to what your program was compiled with: members are added at the end,
 *               and a program that is older than the library keeps working. A library that is older than the program
 *               refuses what it does not know. Other structs, enumerators and functions keep their meaning and layout
 *               while the library's SONAME stays.
 *
 * Caveats
 *   - One engine a directory, in one process. A second open answers SETTLE_E_BUSY and names the holder's pid.
 *   - After the first failed write or sync every call answers SETTLE_E_LATCHED: close the engine, mend the disk, open
 *     it again. Nothing that was acknowledged is lost; what was not acknowledged happened wholly or not at all: submit
 *     it again under the same ids, and what had happened comes back as a duplicate.
 *   - Do not delete the file `lock` of a directory in use: it is what keeps a second writer out.
 *   - Do not fork() and use an engine in the child.
 *   - Callbacks run in threads of the library. Which may call the library stands with each.
 *   - Without an event_id, two honest deposits of one user, asset and millisecond have the same id: the second is a
 *     duplicate. Give ids where that can happen.
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

/* ---- Opening and closing ----------------------------------------------------------------------------------------- */

typedef enum settle_log_level {
    SETTLE_LOG_DEBUG = 0, /* routine */
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
    /* The store is checkpointed this often, or when this many events are not in it. Defaults 1000 and 262144; at least
     * 1, and 1 to 4194304. */
    uint32_t checkpoint_interval_ms;
    uint32_t checkpoint_events_max;

    /* Microseconds since 1970. NULL: the system's real-time clock. The engine never lets time go back. Called with the
     * engine's lock held: must be quick and must not call the library. */
    uint64_t (*clock_us)(void *context);
    /* Memory, as realloc(3): aligned for any type, NULL when there is none, `bytes` 0 frees and returns NULL. NULL: the
     * C library's. Called from any thread, often with the engine's lock held, by several at once: must be as
     * thread-safe as malloc(3) and must not call the library. Everything that the engine allocates, for however short a
     * time, comes from here, also in a call that fails; not what the C library (threads and their stacks), LMDB and
     * zstd (rotated log files) allocate for themselves. settle_lifecycle_free() calls it too, even after the engine is
     * closed. */
    void *(*reallocate)(void *context, void *memory, size_t bytes);
    /* What the engine has to say, one sentence each without a newline. NULL: nothing is told.
     *   SETTLE_LOG_DEBUG    the engine has started (with the number of events)
     *   SETTLE_LOG_INFO     recovering, JSON lines go on
     *   SETTLE_LOG_WARNING  a torn tail was cut, a store was set aside and is rebuilt, JSON lines pause or are left
     *   SETTLE_LOG_ERROR    the latch: a write, a sync or a checkpoint failed, and why; once an engine
     * Called from any thread, by several at once, never with a lock of the library held: it may ask and submit, but
     * must not call settle_close(), settle_lines_start() or settle_lines_stop(), and nothing at all on an engine that
     * is being closed. The message is yours during the call. The latch is told soon after the first call has answered
     * SETTLE_E_LATCHED, and before settle_close() returns. */
    void (*log)(void *context, settle_log_level level, const char *message);
    /* Handed to the three above; must live until settle_close() returns and the last lifecycle is freed. */
    void *context;
} settle_options;

/* The defaults into the first size_bytes bytes; call settle_options_init(), which knows your program's size. From a
 * language without the header: the size of its own struct, at least 8. */
SETTLE_API void settle_options_init_sized(settle_options *ret_options, size_t size_bytes);
static inline void settle_options_init(settle_options *ret_options)
{
    settle_options_init_sized(ret_options, sizeof *ret_options);
}

/*
 * Creates a data directory (mode 0700, its parent must exist): a journal without events, durable when the call returns.
 * For those who want to know that it was not there; settle_open() creates one too. `options` may be NULL: the defaults.
 * Errors: SETTLE_E_EXISTS when there is a journal already; else as settle_open().
 */
SETTLE_API SETTLE_CHECKED settle_status settle_create(const char *directory, const settle_options *options,
                                                      settle_error *error);

/*
 * Opens a data directory for writing, creating it when absent, and recovers what a crash left: a torn tail of the last
 * segment is copied to <segment>.torn-<offset> and cut; a lost or damaged store is set aside and rebuilt from the
 * journal. Takes as long as reading the journal behind the last checkpoint takes (a second's worth of events, as a
 * rule). `options` may be NULL: the defaults; it is copied. Starts two threads. Free with settle_close().
 * Errors: SETTLE_E_BUSY (text names the pid), SETTLE_E_CORRUPT (file, offset and seq of the first fault; the
 * journal and the store are as they were), SETTLE_E_UNSUPPORTED, SETTLE_E_ACCESS, SETTLE_E_IO, SETTLE_E_NO_SPACE,
 * SETTLE_E_NOT_FOUND (no parent directory), SETTLE_E_INVALID (an option; text says which).
 */
SETTLE_API SETTLE_CHECKED settle_status settle_open(const char *directory, const settle_options *options,
                                                    settle **ret_engine, settle_error *error);

/*
 * Commits what is open, checkpoints, writes the last JSON lines where they were started, joins the engine's threads and
 * frees it. Completions that are due are called before it returns. NULL is fine. Always frees, also when it fails: the
 * status then says what could not be written (SETTLE_E_LATCHED after an earlier failure). No other call on the engine
 * may be running or follow.
 */
SETTLE_API settle_status settle_close(settle *engine, settle_error *error);

/* ---- Assets ------------------------------------------------------------------------------------------------------ */

/*
 * Declares an asset. Again with the same values: SETTLE_OK, no effect, so a program declares its assets at every start.
 * Durable when the call returns. Errors: SETTLE_E_CONFLICT (id or symbol is declared with other values; what is there
 * stays), SETTLE_E_INVALID (id 0, scale above 18, a symbol that is not 1–15 of [A-Z0-9.]).
 */
SETTLE_API SETTLE_CHECKED settle_status settle_asset_declare(settle *engine, const settle_asset *asset,
                                                             settle_error *error);
/* The asset of an id or a symbol; a copy. What they answer is durable. Errors: SETTLE_E_NOT_FOUND. */
SETTLE_API SETTLE_CHECKED settle_status settle_asset_by_id(settle *engine, uint32_t id, settle_asset *ret_asset);
SETTLE_API SETTLE_CHECKED settle_status settle_asset_by_symbol(settle *engine, settle_text symbol,
                                                               settle_asset *ret_asset);

/* ---- Submitting -------------------------------------------------------------------------------------------------- */

/*
 * Submits `count` events in order and returns when all of them are on stable storage; ret_results[i] tells what became
 * of events[i]. Each event is all or nothing by itself; a batch is not a transaction, though a crash keeps a prefix of
 * it. Many threads that submit at once share a sync, and so do the events of a batch: both are much faster than one by
 * one. Texts of the events must live until the call returns. No events: SETTLE_OK, nothing happens.
 * Errors: SETTLE_E_INVALID: events[error->offset_bytes] breaks the form (members, lengths, characters, ranges); then no
 * event of the batch was taken. SETTLE_E_NO_MEMORY: none was taken either, and the engine goes on. SETTLE_E_LATCHED:
 * see Caveats; the outcome of these events is known after reopening, by id.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_submit(settle *engine, const settle_event *events, size_t count,
                                                      settle_result *ret_results, settle_error *error);

/*
 * The same without waiting: returns once the events are in the open commit, or waits for room. `done` is called exactly
 * once when all of them are on stable storage (SETTLE_OK) or can no longer be (SETTLE_E_LATCHED, results of zeros), in
 * the order of the submissions, from the engine's commit thread and without its lock: it must be quick, since the next
 * commit waits for it, and must not call the engine. It may come before settle_submit_async() returns. ret_results must
 * stay valid until then, and means nothing before; the events need not. When settle_submit_async() itself fails, `done`
 * is never called. Nothing is committed later than commit_interval_us_max (1 ms) for want of a caller that waits.
 * Errors: as settle_submit(); SETTLE_E_INVALID also for no events or no `done`.
 */
typedef void (*settle_done)(void *context, settle_status status, const settle_result *results, size_t count);
SETTLE_API SETTLE_CHECKED settle_status settle_submit_async(settle *engine, const settle_event *events, size_t count,
                                                            settle_result *ret_results, settle_done done, void *context,
                                                            settle_error *error);

/* Returns when everything submitted so far is on stable storage and recorded as PERSISTED there. Not needed for
 * durability: for a program that wants to see PERSISTED times, or a quiet journal. */
SETTLE_API SETTLE_CHECKED settle_status settle_flush(settle *engine, settle_error *error);

/*
 * Sources: an input that can be read again from a position (a file, a stream). settle_source_open() gives the name its
 * number in this engine, for settle_event.end, and answers how far it is journalled (0, 0 when it was never seen): the
 * position of the last event on stable storage, or of the last settle_source_advance(). The position of an event is
 * committed in the same frame as its effects. settle_source_advance() moves it past input without events; durable with
 * the next commit or settle_flush(). `name`: 1 … SETTLE_SOURCE_NAME_BYTES_MAX bytes without NUL; the number holds until
 * the engine is closed. Errors: SETTLE_E_INVALID (the name; a number that settle_source_open() did not give).
 */
SETTLE_API SETTLE_CHECKED settle_status settle_source_open(settle *engine, settle_text name,
                                                           settle_source_position *ret_position, settle_error *error);
SETTLE_API SETTLE_CHECKED settle_status settle_source_advance(settle *engine, settle_source_position position,
                                                              settle_error *error);

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

typedef struct settle_balance {
    uint64_t user;
    uint32_t asset;
    settle_int128 available, held; /* minor units */
    uint64_t version;              /* number of changes */
    uint64_t seq;                  /* the event of the last change */
} settle_balance;

/* The balance now, of a user or of SETTLE_USER_EXTERNAL / SETTLE_USER_FEES, with every event in it that was submitted
 * before. From memory; waits until what it answers is durable. Errors: SETTLE_E_NOT_FOUND: no event ever changed it. */
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

/* The whole life of an event id. One block of memory, a copy. Free with settle_lifecycle_free(). */
typedef struct settle_lifecycle {
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_arrival first;
    size_t leg_count;
    settle_leg legs[SETTLE_LEGS_MAX]; /* accepted events: users first, then external and fees */
    size_t repeat_count;
    settle_arrival *repeats; /* duplicates and conflicts in order of arrival */
} settle_lifecycle;

/*
 * What became of an event id, ever: reads the journal, so a disk read or two where it is old. What it tells is durable.
 * Errors: SETTLE_E_NOT_FOUND: the id was never taken. SETTLE_E_CORRUPT, SETTLE_E_IO: the journal cannot be read there.
 */
SETTLE_API SETTLE_CHECKED settle_status settle_lifecycle_get(settle *engine, settle_text event_id,
                                                             settle_lifecycle **ret_lifecycle, settle_error *error);
/* NULL is fine. Also after settle_close(). */
SETTLE_API void settle_lifecycle_free(settle_lifecycle *lifecycle);

/* ---- JSON lines -----------------------------------------------------------------------------------------------------
 * The journal as a log: one JSON object a line, one line a step, rendered from what is on stable storage by a thread of
 * the engine's own (docs/json-lines.md; logs/README.md describes the lines). The lines never hold up or endanger
 * events: trouble with the log files pauses the lines, is told by the log callback, and is caught up later.
 */
typedef struct settle_lines_options {
    size_t size_bytes;     /* set by settle_lines_options_init() */
    const char *directory; /* of settlement.log; created where it is absent; copied by the call. Required */
    /* A new file is begun at UTC midnight of the records' time; also before one would exceed rotate_bytes (0: not). */
    uint64_t rotate_bytes;
    uint32_t keep_days;          /* rotated files older than this before the newest line are deleted; 0: kept */
    uint32_t compress;           /* 1: rotated files are compressed with zstd */
    uint64_t keep_bytes;         /* the oldest rotated files are deleted until the rest is at most this; 0: kept */
    uint64_t free_bytes_min;     /* the lines pause while the file system has less; default: 1 GiB or 5 %, if less */
    uint32_t sample_per_million; /* events with lines; rejections and conflicts always have. Default 1000000 */
} settle_lines_options;
SETTLE_API void settle_lines_options_init_sized(settle_lines_options *ret_options, size_t size_bytes);
static inline void settle_lines_options_init(settle_lines_options *ret_options)
{
    settle_lines_options_init_sized(ret_options, sizeof *ret_options);
}

/*
 * Starts the thread. Goes on behind the last line that lies there, so the lines of earlier runs, of a crash included,
 * are caught up first. SETTLE_E_BUSY: another process follows into this directory; SETTLE_E_CONFLICT: this engine does
 * already. SETTLE_E_INVALID: an option. SETTLE_E_ACCESS, SETTLE_E_IO, SETTLE_E_NO_SPACE: the directory cannot be used.
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
/* Renders what is durable by now, unless paused, and ends the thread; settle_close() does the same. Not an error when
 * there is none. Waits up to ten seconds for rotated files that are being compressed. SETTLE_E_IO, SETTLE_E_NO_SPACE
 * and the like: lines are left for the next start. */
SETTLE_API settle_status settle_lines_stop(settle *engine, settle_error *error);

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* The event id of `event`: as given, else derived ("deposit_1001_2_1733856600000", "trade_…"). Writes a terminated
 * string of at most SETTLE_EVENT_ID_BYTES_MAX bytes and returns its length. The event must have valid members. */
SETTLE_API size_t settle_event_id_format(const settle_event *event, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1]);

/* "1000.50" with scale 6 → 1000500000. Errors: SETTLE_E_MALFORMED: sign, exponent, space, leading zero, bare point,
 * more decimals than the scale, 2^127 or more; SETTLE_E_INVALID: a scale above 18. Zero is accepted. Never rounds. */
SETTLE_API SETTLE_CHECKED settle_status settle_amount_parse(settle_text text, uint8_t scale, settle_int128 *ret_amount);
/* "1.50" → {15, 1}, for settle_trade.price. Errors: SETTLE_E_MALFORMED: as above, more than 38 digits or 18 decimals.
 * "0" gives a price that is not given. */
SETTLE_API SETTLE_CHECKED settle_status settle_price_parse(settle_text text, settle_price *ret_price);
/* 1000500000 with scale 6 → "1000.500000", with all the asset's decimals. Returns the length; terminated. The
 * scale must be at most 18. */
#define SETTLE_AMOUNT_TEXT_BYTES 48
SETTLE_API size_t settle_amount_format(settle_int128 amount, uint8_t scale, char ret_text[SETTLE_AMOUNT_TEXT_BYTES]);

/* Constants, never NULL: "unknown" and the like for a number that this version does not know. */
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
