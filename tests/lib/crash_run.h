/*
 * crash_run.h — a run of the engine with everything that writes switched on, recorded (disk_log.h), and the examination of a
 * directory that a crash may have left of it (disk_image.h).
 *
 *     crash_run_init(&run, seed);                       // what is submitted, and what must come of it: by the model
 *     crash_run_record(&run, base);                     // run.log; the engine's directories are base/data, base/logs
 *     crash_promise(run.log, 0, call, &promise);        // what was acknowledged by then
 *     crash_examine(&run, state, &promise, EXAMINE_…);  // of the state in a directory; changes it
 *
 * A difference ends the process with a message. One run at a time a process.
 */
#ifndef TESTS_LIB_CRASH_RUN_H
#define TESTS_LIB_CRASH_RUN_H

#include <settle/settle.h>

#include "tests/lib/disk_log.h"
#include "tests/lib/stream.h"

struct crash_event {
    struct stream_event made;
    settle_result result; /* the model's */
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    uint64_t first_seq;       /* of its id */
    settle_balance *balances; /* all there are behind it */
    size_t balance_count;
};

/* What befalls the engine within a run. */
struct crash_fault {
    uint64_t at; /* the number of the call; 0: nothing */
    enum { FAULT_AT_ANY, FAULT_AT_SEGMENT_SYNC, FAULT_AT_NAMES_SYNC } of;
    int answer; /* of a disk_fault; DISK_FAULT_DEAD: the process ends there, what is in the cache stays */
};

struct crash_run {
    uint64_t seed;
    settle_options options;
    settle_lines_options lines; /* without the directory */
    struct crash_event *events; /* [seq - 1] */
    size_t count;               /* that are made; */
    size_t submitted;           /* so many are submitted in the run, the others behind a crash */
    struct crash_fault fault;
    bool has_struck;
    struct disk_log *log; /* NULL: not recorded */
};

void crash_run_init(struct crash_run *run, uint64_t seed);
void crash_run_deinit(struct crash_run *run);
void crash_run_record(struct crash_run *run, const char *base);

/* What a crash at a call has to leave, and may leave at most. */
struct crash_promise {
    uint64_t acknowledged, submitted; /* seq */
    bool assets;                      /* were declared */
};
/* To a promise that is there, what the calls from `from` to `end` add. */
void crash_promise(const struct disk_log *log, size_t from, size_t end, struct crash_promise *promise);

/* Whether a mark says that events are durable. */
bool crash_mark_acknowledges(uint64_t mark);

enum crash_examination {
    EXAMINE_READERS = 1, /* before the writer: queries on what the crash left */
    EXAMINE_LINES = 2,   /* the log files, caught up, are one rendering of the journal */
    EXAMINE_IDS = 4,     /* of every id; else of those around the crash */
    EXAMINE_VERIFY = 8,  /* behind the writer: everything that can be checked */
};
void crash_examine(const struct crash_run *run, const char *base, const struct crash_promise *promise,
                   unsigned examinations);

/* Opens what a crash left, takes an event and closes: to be recorded. */
void crash_recover(const struct crash_run *run, const char *base, const struct crash_promise *promise);

/* What the engines of this process have said lately; "" at first. */
const char *crash_told(void);

#endif
