/*
 * sim.h — deterministic simulation: threads, time and randomness out of one seed.
 *
 * A program that is built with sim.c and sim_calls.c has its own pthread_create(), pthread_mutex_lock(),
 * clock_gettime(), getrandom() … in front of the C library's. Within sim_life() threads are coroutines of one thread
 * of the system: at each of these calls, and at each call on files (sim_disk.h), the seed's generator decides who
 * goes on. Time moves when all wait, or a little where the settings say so. So a seed gives one interleaving, always
 * the same. Outside of sim_life() locks do nothing and time stands.
 *
 *     sim_begin(seed, false);
 *     sim_settings = …;
 *     enum sim_end end = sim_life(main_of_the_life, context);    // until it returns, or somebody calls sim_crash()
 *
 * A life that crashed leaves its memory, descriptors and maps: sim_memory_drop() and sim_disk_close() take them away.
 */
#ifndef TESTS_LIB_SIM_H
#define TESTS_LIB_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What the seed chooses from: two generators, so that what a life does and how it is scheduled can be told apart. */
enum sim_dice { SIM_PLAN, SIM_CHANCE };

struct sim_settings {
    bool by_priority;            /* the runnable thread of the highest priority goes on, else any */
    unsigned switch_per_mille;   /* calls at which another may go on; with priorities: at which the caller's changes */
    unsigned spurious_per_mille; /* … at which somebody wakes for no reason */
    unsigned slow_per_mille;     /* calls on files that take time, up to slow_us_max */
    unsigned slow_us_max;
    unsigned tick_us_max;    /* every step of the schedule takes so long, at most */
    unsigned step_per_mille; /* readings of the real-time clock before which it is set, by up to step_us_max */
    uint64_t step_us_max;
};
extern struct sim_settings sim_settings;

enum sim_end { SIM_RETURNED, SIM_CRASHED };

void sim_begin(uint64_t seed, bool is_traced);
enum sim_end sim_life(void (*life)(void *context), void *context);
bool sim_is_running(void); /* within sim_life() */

uint64_t sim_random(enum sim_dice dice, uint64_t below); /* 0 … below - 1 */
bool sim_chance(enum sim_dice dice, unsigned per_mille);
uint64_t sim_now_us(void); /* monotonic */
void sim_sleep_us(uint64_t us);
void sim_yield(void); /* another thread may go on here */
/* Everything stops here, as when the power goes. */
void sim_crash(void) __attribute__((noreturn));
/* Something came of it all: without this, time may not pass for ever. */
void sim_progress(void);

/* ---- What happened ---- */

/* Into the hash of the run, and onto standard error where it is traced. */
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_mix(uint64_t number); /* into the hash alone */
bool sim_is_traced(void);
uint64_t sim_hash(void);
/* Tells what is wrong, with the seed, and ends the process. */
void sim_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ---- Memory, as settle_options.reallocate ---- */

void *sim_reallocate(void *context, void *memory, size_t bytes);
extern unsigned sim_memory_fails_per_mille; /* allocations that find none */
size_t sim_memory_count(void);              /* blocks */
void sim_memory_drop(void);

/* ---- For sim_calls.c and sim_files.c ---- */

int sim_thread_create(void *(*start)(void *), void *argument); /* its number; -1: too many */
void *sim_thread_join(int number);
void sim_mutex_take(uint32_t *owner);
void sim_mutex_give(uint32_t *owner);
/* Waits on `condition` until somebody wakes it; false: not before deadline_us. The mutex is let go meanwhile. */
bool sim_condition_wait(const void *condition, uint32_t *owner, uint64_t deadline_us);
void sim_condition_wake(const void *condition, bool all);
bool sim_condition_is_waited_on(const void *condition);
uint64_t sim_real_us(void);

#define SIM_FOR_EVER UINT64_MAX

#endif
