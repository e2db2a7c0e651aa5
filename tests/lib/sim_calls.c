/*
 * sim_calls.c — the calls for threads, time and randomness, which stand in front of the C library's because they are
 * the program's own. A mutex and a condition are what the system calls so, and hold what the scheduler needs to know.
 *
 * Outside of a simulated life the program has one thread: locks do nothing, and there is nobody to wait for.
 */
#pragma GCC visibility push(default) /* what is built hidden, LMDB does not find */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall(2) */
#endif
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/sim.h"

#define PID 4242

struct condition {
    clockid_t clock;
};
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t) && sizeof(uint32_t) <= sizeof(pthread_mutex_t), "");

static uint32_t *owner_of(pthread_mutex_t *mutex)
{
    return (uint32_t *)(void *)mutex;
}

/* ---- Mutexes ---- */

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (sim_is_running() && *owner_of(mutex) != 0)
        sim_fail("a mutex is destroyed that somebody has");
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (sim_is_running())
        sim_mutex_take(owner_of(mutex));
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (sim_is_running())
        sim_mutex_give(owner_of(mutex));
    return 0;
}

/* ---- Conditions ---- */

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    struct condition condition = {.clock = CLOCK_REALTIME};
    if (attributes != NULL)
        (void)pthread_condattr_getclock(attributes, &condition.clock);
    memset(cond, 0, sizeof *cond);
    memcpy(cond, &condition, sizeof condition);
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
    if (sim_is_running() && sim_condition_is_waited_on(cond))
        sim_fail("a condition is destroyed on which somebody waits");
    return 0;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!sim_is_running())
        abort();
    (void)sim_condition_wait(cond, owner_of(mutex), SIM_FOR_EVER);
    return 0;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct condition condition;
    if (!sim_is_running())
        abort();
    memcpy(&condition, cond, sizeof condition);
    uint64_t deadline_us = (uint64_t)until->tv_sec * 1000000 + (uint64_t)(until->tv_nsec + 999) / 1000;
    if (condition.clock != CLOCK_MONOTONIC) {
        uint64_t real_us = sim_real_us();
        deadline_us = deadline_us > real_us ? sim_now_us() + (deadline_us - real_us) : sim_now_us();
    }
    return sim_condition_wait(cond, owner_of(mutex), deadline_us) ? 0 : ETIMEDOUT;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    if (sim_is_running())
        sim_condition_wake(cond, false);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (sim_is_running())
        sim_condition_wake(cond, true);
    return 0;
}

/* ---- Threads ---- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    (void)attributes;
    if (!sim_is_running())
        abort();
    int number = sim_memory_fails_per_mille > 0 && sim_chance(SIM_CHANCE, 50) ? -1 : sim_thread_create(start, argument);
    sim_note("pthread_create: %d", number);
    if (number < 0)
        return EAGAIN;
    *thread = (pthread_t)number;
    sim_yield();
    return 0;
}

int pthread_join(pthread_t thread, void **ret_result)
{
    void *result = sim_thread_join((int)thread);
    if (ret_result != NULL)
        *ret_result = result;
    return 0;
}

/* ---- Time, randomness, who we are ---- */

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    sim_yield(); /* also for whoever does nothing but look at the clock */
    uint64_t us = clock == CLOCK_REALTIME && sim_is_running() ? sim_real_us() : sim_now_us();
    ret_time->tv_sec = (time_t)(us / 1000000);
    ret_time->tv_nsec = (long)(us % 1000000) * 1000;
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *ret_rest)
{
    (void)ret_rest;
    if (sim_is_running())
        sim_sleep_us((uint64_t)time->tv_sec * 1000000 + (uint64_t)(time->tv_nsec + 999) / 1000);
    return 0;
}

ssize_t getrandom(void *bytes, size_t count, unsigned flags)
{
    (void)flags;
    if (!sim_is_running())
        return syscall(SYS_getrandom, bytes, count, flags);
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)sim_random(SIM_CHANCE, 256);
    return (ssize_t)count;
}

/* It stands in files. */
pid_t getpid(void)
{
    return sim_is_running() ? PID : (pid_t)syscall(SYS_getpid);
}
