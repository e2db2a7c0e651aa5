/*
 * engine.h — the inside of a `settle`: shared by the files of the engine, and by query for its view.
 *
 * One mutex covers everything here but what is marked as a thread's own. Threads: callers apply events into the open
 * frame; the commit thread writes and syncs the frame before it; the checkpoint thread reads the durable journal into
 * the store; the emitter renders it as JSON lines.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>

#include <settle/settle.h>

#include "engine/ids.h"
#include "engine/projection.h"
#include "engine/view.h"
#include "journal/base/clock.h"
#include "journal/follow/follower.h"
#include "journal/writer.h"

/* A submission that waits for its completion. */
struct pending {
    uint64_t frame_number; /* the frame with its last event */
    settle_done done;
    void *context;
    settle_result *results;
    size_t count;
};

/* The thread of the JSON lines. */
struct emitter {
    pthread_t thread;
    pthread_cond_t wanted;         /* to it: something is durable, or it is to end */
    struct follower *follower;     /* the thread's own, as is the reader */
    struct journal_reader *reader;
    bool is_claimed;               /* being started, running, or being stopped */
    bool is_running, is_stopping;
    bool is_idle;                  /* waits for a commit */
    bool is_tidying;               /* rotated files are still to be seen to */
    bool was_started;              /* once: there is a state to tell */
    uint64_t position;             /* everything before it has its lines */
    uint64_t stop_position;        /* the thread ends there */
    settle_lines_state state;      /* written by the thread alone */
};

struct settle {
    settle_options options;
    struct mem mem;
    struct clock clock;
    int data_fd, lock_fd;
    char *directory;

    pthread_mutex_t mutex;
    pthread_cond_t commit_wanted;     /* to the commit thread */
    pthread_cond_t checkpoint_wanted; /* to the checkpoint thread */
    pthread_cond_t progress;          /* to waiting callers: something is durable, applied, or latched */
    pthread_t commit_thread, checkpoint_thread;
    bool commit_is_running, checkpoint_is_running;
    bool is_closing, checkpoint_is_closing;
    settle_error latch; /* status SETTLE_OK: none; else the first failure */
    bool latch_is_untold; /* the log has not been told of it */

    /* state */
    struct registry names;
    uint64_t names_number; /* the frame with the last asset declared */
    struct accounts accounts;
    struct ids ids;
    uint64_t id_seed;
    uint64_t next_seq; /* of the next event to arrive */

    /* commit */
    struct journal_writer *writer; /* planning under the mutex, committing by the commit thread */
    struct frame_buffer buffers[2];
    struct frame_buffer *open, *inflight; /* inflight: NULL = none */
    uint64_t open_number;                 /* of the frame that collects now: 1, 2, 3 … */
    uint64_t open_since_us;               /* monotonic time of its first record */
    bool open_is_full;
    uint64_t durable_number;  /* frames up to this one are on stable storage */
    uint64_t durable_seq;     /* events */
    uint64_t durable_position;
    uint64_t durable_since_us; /* monotonic time of the last commit */
    uint64_t persisted_seq;    /* recorded as PERSISTED in a frame that was closed */
    uint64_t persisted_durable_seq; /* … in a frame that is durable */
    uint32_t source_open;           /* its position is newer than the journal's; 0 = none */
    unsigned waiting, flushing;     /* callers that want a commit now; that want PERSISTED too */
    struct pending *pending;        /* in order of frame_number */
    size_t pending_count, pending_capacity;
    size_t pending_promised; /* places for submissions that are being applied */

    /* looking up ids that are not in memory any more */
    struct store *store;
    struct store_snapshot *snapshot;
    bool snapshot_is_fresh;
    struct journal_reader *lookup;
    struct store_arrival *repeats; /* duplicates and conflicts that the store does not have yet, in order */
    size_t repeat_count, repeat_capacity;

    /* checkpoint */
    struct projection projection;         /* the checkpoint thread's */
    struct journal_reader *follower;      /* the checkpoint thread's */
    struct journal_point applied;         /* what the store holds */
    uint64_t acknowledged_position;       /* what the writer before this one told of, by its watermark */
    uint64_t own_position;                /* frames from here on are sealed by this engine */
    struct id_bounds applied_bounds;      /* of the ids the store holds */

    struct emitter emitter;
};

/* ---- settle.c ---- */
/* Remembers the first failure, wakes everybody. Call with the mutex held. Returns the status to hand out. */
settle_status engine_latch(settle *engine, const settle_error *cause);
/* Tells the log of the latch, once. Mutex held; let go while the log is told, since its callback may call the engine. */
void engine_tell_latch(settle *engine);
/* SETTLE_OK, or SETTLE_E_LATCHED with the first failure's text. Mutex held. */
settle_status engine_check(const settle *engine, settle_error *error);
/* What pthread_create() says: its EAGAIN is a want of resources, which the caller may have again. Returns the status. */
settle_status thread_failed(settle_error *error, int result, const char *what);
/* Never with the mutex held. */
void engine_log(const settle *engine, settle_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A view on the engine's directory that shares its store: an environment may be opened once in a process. */
settle_status engine_view(settle *engine, struct view *ret_view, settle_error *error);

/* ---- apply.c ---- */
/* Room for a record of `bytes` in the open frame, beginning one where none is open; waits while it is full. */
settle_status engine_frame_room(settle *engine, size_t bytes, settle_error *error);
/* The position of the source that the open frame has not recorded yet goes into it. Needs room. */
void engine_source_record(settle *engine);

/* ---- lookup.c: mutex held, but for the last ---- */
/* Position of the first arrival of an id, 0 when it is new; the event as it came then. */
settle_status engine_id_find(settle *engine, const struct event_key *key, uint64_t hash, struct event_records *ret_event,
                             uint64_t *ret_position, settle_error *error);
/* Before the mutex is let go: what a view of the store does not see may have left the id table meanwhile. */
void engine_snapshot_let_go(settle *engine);
/* Room for one more duplicate or conflict that the store does not have; forgets those it has. */
settle_status engine_repeat_reserve(settle *engine);
void engine_forget_repeats(settle *engine);
/* Where an event id arrived: the first time and, from the engine's mem, the later times in order; all of it durable when it
 * returns.
 * SETTLE_E_NOT_FOUND; SETTLE_E_CORRUPT also where it is the store that cannot tell. */
settle_status engine_find_arrivals(settle *engine, const struct event_key *key, uint64_t *ret_first_position,
                                   uint64_t **ret_positions, size_t *ret_count, settle_error *error);

/* ---- commit.c ---- */
uint64_t monotonic_us(void);
settle_status commit_start(settle *engine, settle_error *error);
void commit_stop(settle *engine); /* commits what is open, PERSISTED included, and ends the thread */
/* Waits until the frame of that number is durable. Mutex held. */
settle_status commit_wait(settle *engine, uint64_t frame_number, settle_error *error);

/* ---- checkpoint.c ---- */
/* Brings the store up to the journal's end, before any thread runs. */
settle_status checkpoint_recover(settle *engine, settle_error *error);
settle_status checkpoint_start(settle *engine, settle_error *error);
void checkpoint_stop(settle *engine); /* a last checkpoint, and the thread ends */

#endif
