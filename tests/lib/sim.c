/*
 * sim.c — the scheduler of sim.h, its time, its dice, and what it tells.
 *
 * Invariants: one thread runs at a time, and gives way only in here; whatever decides anything comes from the two
 * generators, never from an address, the system's clock or the order of a directory.
 */
#include "tests/lib/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum {
    THREADS_MAX = 24,
    STACK_BYTES = 256 << 10,
    JUMPS_MAX = 20000, /* of time, in which nothing comes of it: somebody waits for what never happens */
};
#define STEPS_MAX UINT64_C(5000000) /* calls of a life */
#define REAL_BEGINS_US UINT64_C(1733856600000000)
#define REAL_ENDS_US UINT64_C(4000000000000000)

enum state { FREE, RUNNABLE, ON_MUTEX, ON_CONDITION, ON_THREAD, ASLEEP, ENDED };

struct thread {
    enum state state;
    const void *awaits; /* the mutex's owner, the condition, the thread */
    uint64_t deadline_us;
    uint32_t priority;
    bool is_timed_out;
    void *(*start)(void *);
    void *argument, *result;
    ucontext_t context;
    void *stack;
};

struct sim_settings sim_settings;

static struct {
    uint64_t seed, dice[2], hash;
    bool is_traced, is_running, is_crashed;
    uint64_t now_us, real_offset_us, steps;
    unsigned jumps;
    struct thread threads[THREADS_MAX];
    int thread_count, current;
    ucontext_t root;
    const void *root_stack;
    size_t root_stack_bytes;
} sim;

/* ---- Dice and time ---- */

/* SplitMix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t sim_random(enum sim_dice dice, uint64_t below)
{
    return next_random(&sim.dice[dice]) % below;
}

bool sim_chance(enum sim_dice dice, unsigned per_mille)
{
    return per_mille > 0 && sim_random(dice, 1000) < per_mille;
}

void sim_begin(uint64_t seed, bool is_traced)
{
    sim.seed = seed;
    sim.is_traced = is_traced;
    sim.hash = UINT64_C(0xcbf29ce484222325);
    sim.now_us = UINT64_C(1000000000);
    sim.real_offset_us = REAL_BEGINS_US - sim.now_us;
    for (int i = 0; i < 2; i++) {
        sim.dice[i] = seed * 2 + (uint64_t)i;
        sim.dice[i] = next_random(&sim.dice[i]);
    }
}

uint64_t sim_now_us(void)
{
    return sim.now_us;
}

/* The system's clock is set now and then, forward and back. */
uint64_t sim_real_us(void)
{
    uint64_t now = sim.now_us + sim.real_offset_us;
    if (sim_chance(SIM_CHANCE, sim_settings.step_per_mille)) {
        uint64_t step = sim_random(SIM_CHANCE, sim_settings.step_us_max + 1);
        bool is_back = sim_random(SIM_CHANCE, 2) == 0;
        if (is_back ? now - step > REAL_BEGINS_US / 2 : now + step < REAL_ENDS_US)
            sim.real_offset_us += is_back ? (uint64_t)0 - step : step;
        now = sim.now_us + sim.real_offset_us;
        sim_note("the clock is set to %" PRIu64, now);
    }
    return now;
}

/* ---- Telling ---- */

void sim_mix(uint64_t number)
{
    sim.hash = (sim.hash ^ number) * UINT64_C(0x100000001b3);
    sim.hash ^= sim.hash >> 29;
}

uint64_t sim_hash(void)
{
    return sim.hash;
}

bool sim_is_traced(void)
{
    return sim.is_traced;
}

void sim_note(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int i = 0; i < bytes && i < (int)sizeof text - 1; i += 8) {
        uint64_t word = 0;
        memcpy(&word, text + i, (size_t)(bytes - i < 8 ? bytes - i : 8));
        sim_mix(word);
    }
    if (sim.is_traced)
        fprintf(stderr, "%12" PRIu64 " thread %d: %s\n", sim.now_us, sim.is_running ? sim.current : -1, text);
}

void sim_fail(const char *format, ...)
{
    static const char *const states[] = {
        "free", "runs", "waits for a mutex", "waits on a condition", "waits for a thread", "sleeps", "ended"};
    va_list arguments;
    fprintf(stderr, "seed %" PRIu64 ": ", sim.seed);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    for (int i = 0; sim.is_running && i < sim.thread_count; i++)
        fprintf(stderr, "  thread %d %s%s\n", i, states[sim.threads[i].state], i == sim.current ? " now" : "");
    _exit(1);
}

/* ---- Going from thread to thread ---- */

static void before_switch(const void *stack, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(NULL, stack, bytes);
#else
    (void)stack, (void)bytes;
#endif
}

static void after_switch(const void **ret_stack, size_t *ret_bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, ret_stack, ret_bytes);
#else
    (void)ret_stack, (void)ret_bytes;
#endif
}

static void to_root(void)
{
    struct thread *self = &sim.threads[sim.current];
    before_switch(sim.root_stack, sim.root_stack_bytes);
    swapcontext(&self->context, &sim.root);
    after_switch(NULL, NULL);
}

static void to_thread(int number)
{
    struct thread *self = &sim.threads[sim.current], *next = &sim.threads[number];
    int cause = errno;
    if (number == sim.current)
        return;
    sim.current = number;
    before_switch(next->stack, STACK_BYTES);
    swapcontext(&self->context, &next->context);
    after_switch(NULL, NULL);
    errno = cause;
}

static bool can_go_on(const struct thread *thread)
{
    switch (thread->state) {
    case RUNNABLE: return true;
    case ON_MUTEX: return *(const uint32_t *)thread->awaits == 0;
    case ON_THREAD: return ((const struct thread *)thread->awaits)->state == ENDED;
    case ON_CONDITION:
    case ASLEEP: return thread->deadline_us <= sim.now_us;
    default: return false;
    }
}

/* Who can go on; nobody: time moves to the next deadline. */
static int find_candidates(int ret_candidates[THREADS_MAX])
{
    for (;;) {
        int count = 0;
        uint64_t next_us = SIM_FOR_EVER;
        for (int i = 0; i < sim.thread_count; i++) {
            const struct thread *thread = &sim.threads[i];
            bool may_wake = thread->state == ON_CONDITION && sim_chance(SIM_CHANCE, sim_settings.spurious_per_mille);
            if (can_go_on(thread) || may_wake)
                ret_candidates[count++] = i;
            else if ((thread->state == ON_CONDITION || thread->state == ASLEEP) && thread->deadline_us < next_us)
                next_us = thread->deadline_us;
        }
        if (count > 0)
            return count;
        if (next_us == SIM_FOR_EVER)
            sim_fail("everybody waits, and for nothing that comes");
        if (++sim.jumps > JUMPS_MAX)
            sim_fail("time passes, and nothing comes of it: somebody waits for what never happens");
        sim.now_us = next_us;
    }
}

/* The current thread may be one that cannot go on. */
static void schedule(void)
{
    int candidates[THREADS_MAX], chosen = 0;
    if (sim_settings.tick_us_max > 0)
        sim.now_us += sim_random(SIM_CHANCE, sim_settings.tick_us_max + 1);
    int count = find_candidates(candidates);
    if (sim_settings.by_priority) {
        for (int i = 1; i < count; i++)
            if (sim.threads[candidates[i]].priority > sim.threads[candidates[chosen]].priority)
                chosen = i;
    } else {
        chosen = (int)sim_random(SIM_CHANCE, (uint64_t)count);
    }
    struct thread *next = &sim.threads[candidates[chosen]];
    next->is_timed_out = next->state == ON_CONDITION && next->deadline_us <= sim.now_us;
    next->state = RUNNABLE;
    sim_mix((uint64_t)candidates[chosen]);
    to_thread(candidates[chosen]);
}

void sim_yield(void)
{
    if (!sim.is_running)
        return;
    if (++sim.steps > STEPS_MAX)
        sim_fail("a life without an end: thread %d goes round and round", sim.current);
    if (!sim_chance(SIM_CHANCE, sim_settings.switch_per_mille))
        return;
    if (sim_settings.by_priority)
        sim.threads[sim.current].priority = (uint32_t)sim_random(SIM_CHANCE, 1000);
    schedule();
}

static void wait_as(enum state state, const void *awaits, uint64_t deadline_us)
{
    struct thread *self = &sim.threads[sim.current];
    self->awaits = awaits;
    self->deadline_us = deadline_us;
    self->state = state;
    schedule();
}

void sim_sleep_us(uint64_t us)
{
    wait_as(ASLEEP, NULL, sim.now_us + us);
}

void sim_progress(void)
{
    sim.jumps = 0;
}

void sim_crash(void)
{
    sim_note("everything stops");
    sim.is_crashed = true;
    to_root();
    abort(); /* nobody comes back here */
}

/* ---- Threads ---- */

static void thread_main(void)
{
    const void **stack = sim.root_stack == NULL ? &sim.root_stack : NULL;
    after_switch(stack, stack == NULL ? NULL : &sim.root_stack_bytes);
    struct thread *self = &sim.threads[sim.current];
    self->result = self->start(self->argument);
    self->state = ENDED;
    if (self == &sim.threads[0])
        to_root();
    schedule();
    abort();
}

int sim_thread_create(void *(*start)(void *), void *argument)
{
    if (sim.thread_count == THREADS_MAX)
        return -1;
    struct thread *thread = &sim.threads[sim.thread_count];
    if (thread->stack == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *at =
            mmap(NULL, STACK_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED || mprotect(at, page, PROT_NONE) != 0)
            abort();
        thread->stack = at + page;
    }
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(thread->stack,
                                  STACK_BYTES); /* whoever had it before may have been left in the middle */
#endif
    thread->start = start;
    thread->argument = argument;
    thread->state = RUNNABLE;
    thread->priority = (uint32_t)sim_random(SIM_CHANCE, 1000);
    if (getcontext(&thread->context) != 0)
        abort();
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK_BYTES;
    thread->context.uc_link = NULL;
    makecontext(&thread->context, thread_main, 0);
    return sim.thread_count++;
}

void *sim_thread_join(int number)
{
    struct thread *thread = &sim.threads[number];
    if (number <= 0 || number >= sim.thread_count)
        sim_fail("a thread that is not there is joined");
    while (thread->state != ENDED)
        wait_as(ON_THREAD, thread, SIM_FOR_EVER);
    return thread->result;
}

static void (*life_main)(void *context);

static void *life_start(void *context)
{
    life_main(context);
    return NULL;
}

enum sim_end sim_life(void (*life)(void *context), void *context)
{
    sim.thread_count = 0;
    sim.is_crashed = false;
    sim.steps = 0;
    sim.jumps = 0;
    life_main = life;
    sim.current = sim_thread_create(life_start, context);
    sim.is_running = true;
    sim.root_stack = NULL;
    before_switch(sim.threads[0].stack, STACK_BYTES);
    swapcontext(&sim.root, &sim.threads[0].context);
    after_switch(NULL, NULL);
    for (int i = 1; i < sim.thread_count && !sim.is_crashed; i++)
        if (sim.threads[i].state != ENDED)
            sim_fail("a thread is left behind");
    sim.is_running = false;
    sim.now_us += 1000;
    return sim.is_crashed ? SIM_CRASHED : SIM_RETURNED;
}

bool sim_is_running(void)
{
    return sim.is_running;
}

/* ---- Locks ---- */

void sim_mutex_take(uint32_t *owner)
{
    sim_yield();
    while (*owner != 0) {
        if (*owner == (uint32_t)sim.current + 1)
            sim_fail("thread %d takes a mutex that it has", sim.current);
        wait_as(ON_MUTEX, owner, SIM_FOR_EVER);
    }
    *owner = (uint32_t)sim.current + 1;
}

void sim_mutex_give(uint32_t *owner)
{
    if (*owner != (uint32_t)sim.current + 1)
        sim_fail("thread %d lets go of a mutex that it has not", sim.current);
    *owner = 0;
    sim_yield();
}

bool sim_condition_wait(const void *condition, uint32_t *owner, uint64_t deadline_us)
{
    if (*owner != (uint32_t)sim.current + 1)
        sim_fail("thread %d waits on a condition without its mutex", sim.current);
    *owner = 0;
    wait_as(ON_CONDITION, condition, deadline_us);
    bool is_timed_out = sim.threads[sim.current].is_timed_out;
    sim_mutex_take(owner);
    return !is_timed_out;
}

void sim_condition_wake(const void *condition, bool all)
{
    int waiting[THREADS_MAX], count = 0;
    for (int i = 0; i < sim.thread_count; i++)
        if (sim.threads[i].state == ON_CONDITION && sim.threads[i].awaits == condition)
            waiting[count++] = i;
    if (count > 0 && !all) {
        waiting[0] = waiting[sim_random(SIM_CHANCE, (uint64_t)count)];
        count = 1;
    }
    for (int i = 0; i < count; i++)
        sim.threads[waiting[i]].state = RUNNABLE;
    sim_yield();
}

bool sim_condition_is_waited_on(const void *condition)
{
    for (int i = 0; i < sim.thread_count; i++)
        if (sim.threads[i].state == ON_CONDITION && sim.threads[i].awaits == condition)
            return true;
    return false;
}

/* ---- Memory ---- */

struct block {
    struct block *next, *previous;
    uint64_t bytes, unused;
};

static struct block blocks = {&blocks, &blocks, 0, 0};
static size_t block_count;
unsigned sim_memory_fails_per_mille;

static void block_remove(struct block *block)
{
    block->previous->next = block->next;
    block->next->previous = block->previous;
    block_count--;
}

void *sim_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    struct block *old = memory == NULL ? NULL : (struct block *)memory - 1;
    if (bytes == 0) {
        if (old != NULL) {
            block_remove(old);
            free(old);
        }
        return NULL;
    }
    if (sim.is_running && sim_chance(SIM_CHANCE, sim_memory_fails_per_mille)) {
        sim_note("no memory for %zu bytes", bytes);
        return NULL;
    }
    if (old != NULL)
        block_remove(old);
    struct block *block = realloc(old, sizeof *block + bytes);
    if (block == NULL)
        abort();
    block->bytes = bytes;
    block->next = blocks.next;
    block->previous = &blocks;
    block->next->previous = blocks.next = block;
    block_count++;
    return block + 1;
}

size_t sim_memory_count(void)
{
    return block_count;
}

void sim_memory_drop(void)
{
    while (blocks.next != &blocks) {
        struct block *block = blocks.next;
        block_remove(block);
        free(block);
    }
}
