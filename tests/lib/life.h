/*
 * life.h — a life of an engine that goes through everything, and what must hold of its directory whatever came in between:
 * 1,000 events or as many as the script has, in batches and one by one with completions, with sources, checkpoints, changes
 * of segment, JSON lines that are rotated and compressed, questions, a flush now and then, a close and a second open.
 *
 *     struct script script;
 *     script_make(&script, seed, 1000);               // once: the events and what the model makes of them
 *     life_make(&life, &script);                      // a directory of its own, and options to be changed
 *     trap_set(…);
 *     life_live(&life);
 *     trap_clear();
 *     life_check(&life);                              // opens it again and compares everything with the model
 *     life_end(&life);
 *
 * A call that fails without stopping the engine has done nothing, so it is made again, and must then work: one fault is
 * meant, or two, not many. What should not be ends the process with a message. Plain C.
 */
#ifndef TESTS_LIB_LIFE_H
#define TESTS_LIB_LIFE_H

#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"

#define LIFE_BATCH 20
#define LIFE_SOURCES 2

/* The events of a life; what comes out of event i has the seq i + 1. */
struct script {
    uint64_t seed;
    size_t count; /* a multiple of LIFE_BATCH */
    struct stream_event *events;
    settle_result *expected;
};
void script_make(struct script *script, uint64_t seed, size_t count);
void script_free(struct script *script);

struct life {
    struct rig rig; /* first: the context of the log is the rig */
    char logs[TEMPDIR_PATH_BYTES];
    const struct script *script;
    bool has_lines, has_long_sources;    /* the latter: a record of 4 KiB with each event, so that segments fill */
    uint32_t sources[LIFE_SOURCES];      /* their numbers */
    _Atomic uint64_t acknowledged;       /* events that the engine has told to be durable */
    uint64_t submitted;                  /* no more can be there */
    unsigned faults_left;                /* so many calls may fail, at most 2; 1 */
    unsigned failed_opens, failed_calls; /* that worked when they were made again */
    bool is_latched;
    settle_error fault; /* of the first call that failed */
};

void life_make(struct life *life, const struct script *script);
void life_end(struct life *life);

void life_live(struct life *life);
/* Whole, with all that was acknowledged and nothing that was never submitted; the lines too; and it goes on. */
void life_check(struct life *life);
/* verify finds no fault in a directory, and its store says what the journal says: ids and later arrivals too. */
void life_verify(const char *directory);

#endif
