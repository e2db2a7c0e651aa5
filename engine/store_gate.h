/* store_gate.h — who is inside, and keeping all out: any number enter and leave; one may shut the gate and be alone. */
#ifndef ENGINE_STORE_GATE_H
#define ENGINE_STORE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct store_gate {
    pthread_mutex_t mutex; /* of the rest */
    pthread_cond_t changed;
    uint32_t inside_count;
    bool is_shut;
};

/* False: the system has no resources for it. */
bool store_gate_init(struct store_gate *gate);
void store_gate_deinit(struct store_gate *gate);

/* Waits while it is shut. */
void store_gate_enter(struct store_gate *gate);
void store_gate_leave(struct store_gate *gate);

/* Lets nobody in any more and waits until nobody is inside. False after `wait_ms`: it is open as before. */
bool store_gate_shut(struct store_gate *gate, uint32_t wait_ms);
void store_gate_reopen(struct store_gate *gate);

#endif
