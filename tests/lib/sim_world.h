/*
 * sim_world.h — what the callers of a simulated engine did and were told, and whether its journal agrees: the checker
 * of tests/fault/test_simulation.c. The rules are the model's (model.h), the journal is read record by record.
 *
 *     world_begin();                                // no journal yet
 *     …a life: callers note what they submit, are told and see…
 *     world_check(engine, directory);               // in the next one, behind its recovery
 *     world_end();
 *
 * Held against each other: what was acknowledged is there, at its seq, with the outcome that was told; of what was
 * not, each caller's events are there up to some point, in its order; nothing else is; what a query told stays true;
 * the past does not change; sources stand behind their last event. A difference ends the process with the seed.
 */
#ifndef TESTS_LIB_SIM_WORLD_H
#define TESTS_LIB_SIM_WORLD_H

#include <settle/settle.h>

#include "tests/lib/stream.h"

enum {
    WORLD_EVENTS_MAX = 16384,
    WORLD_SUBMISSIONS_MAX = 8192,
    WORLD_BATCH_MAX = 64,
    WORLD_CALLERS_MAX = 4,
    WORLD_SEEN_MAX = 4096,
};

enum world_state {
    WORLD_WAITS,   /* not heard of: what a crash leaves so may have happened or not */
    WORLD_UNKNOWN, /* SETTLE_E_LATCHED: the same */
    WORLD_TAKEN,   /* acknowledged */
    WORLD_NONE,    /* refused: it never happened */
};

struct world_event {
    struct stream_event made;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_result told; /* where it is acknowledged */
    bool is_acknowledged;
    int caller;
};

struct world_submission {
    size_t first, count; /* events */
    int caller;
    uint64_t life;
    enum world_state state;
    bool is_async, is_done, was_latched; /* … when it began */
    uint64_t begun_us;
    settle_result results[WORLD_BATCH_MAX];
};

struct world_source {
    uint32_t number;                           /* in this life */
    uint64_t line_begin;                       /* when the life began */
    uint64_t line;                             /* behind the last event in the journal */
    uint64_t line_least, line_most, line_next; /* advanced to for sure; perhaps; of the next event */
};

struct world {
    struct world_event events[WORLD_EVENTS_MAX];
    size_t event_count;
    struct world_submission submissions[WORLD_SUBMISSIONS_MAX];
    size_t submission_count;
    size_t by_seq[WORLD_EVENTS_MAX];   /* index + 1 of the event; 0: not known (yet) */
    uint64_t life, told_seq, done_seq; /* told_seq: somebody was told of this one */
    bool is_latched;                   /* somebody was told so in this life */
    bool is_created;                   /* settle_open() has succeeded */
    bool asset_is_acknowledged[STREAM_ASSET_COUNT];
    struct world_source sources[WORLD_CALLERS_MAX];
    struct model model; /* in step with the journal */
};
extern struct world world;

void world_begin(void);
void world_end(void);
void world_life_begin(void);
/* Behind a life that was not cut off: every completion has come. */
void world_life_ended(void);

/* A new submission with room for `count` events, to be filled by the caller. */
struct world_submission *world_submission(int caller, size_t count, bool is_async);
struct world_event *world_events(const struct world_submission *submission);
/* Fills in event `i` of it: its content, and where it ends in its caller's source, if it has one. */
void world_event_set(struct world_submission *submission, size_t i, const struct stream_event *made, bool has_source);
/* What came of it. */
void world_answer(struct world_submission *submission, settle_status status);

/* What a query told. */
void world_saw_balance(const settle_balance *balance);
void world_saw_result(const settle_result *result);
void world_saw_seq(uint64_t seq);

/* No caller runs. The journal beside what is known, then the engine beside the model. */
void world_check(settle *engine, const char *directory);
/* The same of a directory that nobody has open: its journal and its store. */
void world_check_directory(const char *directory);
const char *world_source_name(int caller);

#endif
