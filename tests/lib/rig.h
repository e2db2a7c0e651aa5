/*
 * rig.h — an engine in a directory of its own, for tests through the public interface: options that make rare things
 * frequent, a clock in the test's hand, the log kept as text, events in one line.
 *
 *     struct rig rig;
 *     rig_make(&rig);                                  // the data directory does not exist yet
 *     rig.options.checkpoint_events_max = 1;
 *     rig_open(&rig);                                  // and declares USDT and BTC
 *     settle_result result = rig_submit(&rig, rig_deposit(1001, RIG_USDT, 500, 1));
 *     rig_reopen(&rig);
 *     rig_remove(&rig);                                // closes what is open
 *
 * What must succeed and does not ends the process with a message. Plain C: also for tests without Criterion.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <settle/settle.h>

#include "tests/lib/tempdir.h"

#define RIG_BTC 1u  /* scale 8 */
#define RIG_USDT 2u /* scale 6 */
extern const settle_asset rig_assets[2];

struct rig {
    char base[TEMPDIR_BYTES];      /* a temporary directory, for more than one data directory */
    char data[TEMPDIR_PATH_BYTES]; /* base/data */
    settle_options options;        /* context is the rig; segment_bytes 16384 */
    settle *engine;                /* NULL: closed */
    settle_error error;            /* of the last call below */
    _Atomic uint64_t clock_now_us; /* not 0: the engine's time, see rig_use_clock() */
    pthread_mutex_t log_mutex;
    char log[16384]; /* one message a line: "warning: …" */
    size_t log_bytes;
};

void rig_make(struct rig *rig);
void rig_remove(struct rig *rig);

/* From now on the test sets clock_now_us; before rig_open(). */
void rig_use_clock(struct rig *rig, uint64_t now_us);

void rig_open(struct rig *rig);
settle_status rig_try_open(struct rig *rig); /* without the assets */
void rig_close(struct rig *rig);
void rig_reopen(struct rig *rig);

/* Whether a message with this in it was logged; forgets nothing. */
bool rig_logged(struct rig *rig, const char *text);
void rig_log_clear(struct rig *rig);

/* ---- Events ---- */

settle_event rig_deposit(uint64_t user, uint32_t asset, settle_int128 amount, uint64_t ts_ms);
settle_event rig_withdrawal(uint64_t user, uint32_t asset, settle_int128 amount, uint64_t ts_ms);
/* quote_amount given, no fees */
settle_event rig_trade(const char *trade_id, uint64_t buyer, uint64_t seller, settle_int128 btc, settle_int128 usdt,
                       uint64_t ts_ms);
/* The same event under a given id; the text must live on. */
settle_event rig_with_id(settle_event event, const char *id);

settle_result rig_submit(struct rig *rig, settle_event event);
/* available; 0 where there is no such balance */
settle_int128 rig_available(struct rig *rig, uint64_t user, uint32_t asset);
/* Deposits of 1 USDT unit to user 1, of these times: from, from + 1 … in one batch. */
void rig_deposits(struct rig *rig, uint64_t ts_ms_from, size_t count);

#endif
