/*
 * store_gate.c — who is inside, and keeping all out. A pthread_rwlock does not do: a snapshot may be let go by another thread
 * than the one that took it, and waiting must end.
 *
 * Invariant: while is_shut is seen with inside_count 0, only the thread that shut the gate is at work.
 */
#include "engine/store_gate.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

bool store_gate_init(struct store_gate *gate)
{
    *gate = (struct store_gate){.inside_count = 0};
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&gate->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!made)
        return false;
    if (pthread_mutex_init(&gate->mutex, NULL) == 0)
        return true;
    pthread_cond_destroy(&gate->changed);
    return false;
}

void store_gate_deinit(struct store_gate *gate)
{
    assert(gate->inside_count == 0 && !gate->is_shut);
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->mutex);
}

void store_gate_enter(struct store_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->is_shut)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    gate->inside_count++;
    pthread_mutex_unlock(&gate->mutex);
}

void store_gate_leave(struct store_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    assert(gate->inside_count > 0);
    gate->inside_count--;
    if (gate->inside_count == 0)
        pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

static struct timespec deadline_after(uint32_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait_ms / 1000);
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool store_gate_shut(struct store_gate *gate, uint32_t wait_ms)
{
    struct timespec deadline = deadline_after(wait_ms);
    bool in_time = true;
    pthread_mutex_lock(&gate->mutex);
    while (gate->is_shut && in_time)
        in_time = pthread_cond_timedwait(&gate->changed, &gate->mutex, &deadline) != ETIMEDOUT;
    bool was_open = !gate->is_shut;
    gate->is_shut = true;
    while (was_open && gate->inside_count > 0 && in_time)
        in_time = pthread_cond_timedwait(&gate->changed, &gate->mutex, &deadline) != ETIMEDOUT;
    bool is_alone = was_open && gate->inside_count == 0;
    if (was_open && !is_alone) {
        gate->is_shut = false;
        pthread_cond_broadcast(&gate->changed);
    }
    pthread_mutex_unlock(&gate->mutex);
    return is_alone;
}

void store_gate_reopen(struct store_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    assert(gate->is_shut && gate->inside_count == 0);
    gate->is_shut = false;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}
