/*
 * Threads submit ids again that have just gone from the ids' memory into the store, while others wait for room in a
 * frame: each repeat must be seen. A plain main(), for ThreadSanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"

#define THREADS 4
#define ROUNDS 250
#define REPEATS 12 /* as many ids back */

struct submitter {
    struct rig *rig;
    unsigned number;
};

static void *submit_main(void *argument)
{
    const struct submitter *submitter = argument;
    static _Thread_local char ids[ROUNDS][24];
    for (uint64_t round = 0; round < ROUNDS; round++) {
        settle_event events[1 + REPEATS];
        settle_result results[1 + REPEATS];
        size_t count = 0;
        snprintf(ids[round], sizeof ids[round], "%u:%d", submitter->number, (int)round);
        events[count++] = rig_with_id(rig_deposit(1, RIG_USDT, 1, round), ids[round]);
        for (uint64_t back = 1; back <= REPEATS && back <= round; back++)
            events[count++] = rig_with_id(rig_deposit(1, RIG_USDT, 1, round - back), ids[round - back]);
        CHECK(settle_submit(submitter->rig->engine, events, count, results, NULL) == SETTLE_OK);
        CHECK(results[0].outcome == SETTLE_ACCEPTED);
        for (size_t i = 1; i < count; i++) {
            if (results[i].outcome != SETTLE_DUPLICATE)
                fprintf(stderr, "%s has outcome %d\n", ids[round - i], (int)results[i].outcome);
            CHECK(results[i].outcome == SETTLE_DUPLICATE);
        }
    }
    return NULL;
}

static atomic_bool is_over;

/* A caller that waits has no view of the store: whoever comes next would use it, and it may lack what left the memory
 * since. */
static void *watch_main(void *argument)
{
    settle *engine = ((struct rig *)argument)->engine;
    while (!is_over) {
        pthread_mutex_lock(&engine->mutex);
        CHECK(!engine->snapshot_is_fresh);
        pthread_mutex_unlock(&engine->mutex);
        sched_yield();
    }
    return NULL;
}

int main(void)
{
    struct rig rig;
    pthread_t threads[THREADS], watcher;
    struct submitter submitters[THREADS];
    builder_use_memory();
    rig_make(&rig);
    rig.options.commit_events_max = 3;
    rig.options.checkpoint_events_max = 1; /* four ids a generation */
    rig.options.checkpoint_interval_ms = 1;
    rig_open(&rig);
    CHECK(pthread_create(&watcher, NULL, watch_main, &rig) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){&rig, i};
        CHECK(pthread_create(&threads[i], NULL, submit_main, &submitters[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    is_over = true;
    pthread_join(watcher, NULL);
    CHECK(rig_available(&rig, 1, RIG_USDT) == THREADS * ROUNDS);
    rig_remove(&rig);
    return 0;
}
