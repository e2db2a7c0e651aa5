/*
 * ingest_fake_engine.h — an engine that only remembers what it was asked, and fails when told to. It defines the
 * settle_* functions that the ingest loop calls, so a program that links it must not need the real ones.
 *
 * As in the real one, completions come from a thread of its own, in order, and a flush may return before the last has
 * been called. An event's outcome is that of its user: 1 accepted, 2 rejected, 3 duplicate, 4 conflict, any other
 * accepted.
 */
#ifndef TESTS_LIB_INGEST_FAKE_ENGINE_H
#define TESTS_LIB_INGEST_FAKE_ENGINE_H

#include <pthread.h>
#include <stdbool.h>

#include <settle/settle.h>

#define FAKE_LOG_BYTES 65536
#define FAKE_PENDING_MAX 16
#define FAKE_NAMED_MAX 64

struct fake_event {
    settle_event event; /* its texts are gone: see the copies */
    char event_id[SETTLE_EVENT_ID_BYTES_MAX + 1], trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1];
};

struct fake_source {
    char name[SETTLE_SOURCE_NAME_BYTES_MAX + 1];
    settle_source_position position;
};

struct fake_pending {
    settle_done done;
    void *context;
    settle_result *results;
    size_t count;
};

enum fake_call { FAKE_OPEN, FAKE_SUBMIT, FAKE_LANDING, FAKE_FLUSH, FAKE_ADVANCE, FAKE_DECLARE, FAKE_CALLS };

/* This is what `settle` is here. Set up before use; look at the rest after ingest_run() has returned. */
struct settle {
    /* What goes wrong: the call of that number (1, 2 …) answers that status; 0 = none does. */
    unsigned fail_at[FAKE_CALLS];
    settle_status fail_status;
    bool forgets;               /* a failed landing is told, but later calls do not fail, as they do after a real one */
    unsigned landing_delay_us;  /* between durable and told */
    unsigned landings_wait_for; /* a batch lands once so many are in flight, or somebody flushes */
    /* Called at the beginning of each submission. NULL: not. */
    void (*on_submit)(void *context);
    void *context;

    struct fake_event *events;
    size_t event_count;
    unsigned calls[FAKE_CALLS], lookups;
    unsigned taken, told;              /* submissions that did not fail; completions begun */
    unsigned in_flight, in_flight_max; /* submissions that are not told yet */
    /* The calls in order, a line each: "submit 3", "advance a.ndjson 120 4", "flush", "declare USDT". */
    char log[FAKE_LOG_BYTES];
    size_t log_bytes;

    settle_asset assets[FAKE_NAMED_MAX];
    size_t asset_count;
    struct fake_source sources[FAKE_NAMED_MAX];
    size_t source_count;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool is_closing, is_latched, is_flushing;
    struct fake_pending pending[FAKE_PENDING_MAX];
    size_t pending_count, undurable;
};

/* With BTC (1, scale 8) and USDT (2, scale 6) declared. */
settle *fake_engine_new(void);
void fake_engine_free(settle *engine);

/* As if the source had been read so far by an earlier run. */
void fake_engine_set_source(settle *engine, const char *name, uint64_t offset_bytes, uint64_t line);
const struct fake_source *fake_engine_source(const settle *engine, const char *name); /* NULL: never seen */

#endif
