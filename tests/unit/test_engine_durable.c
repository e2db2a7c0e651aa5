/*
 * test_engine_durable.c — nothing is told of what is not synced yet: the sync of a commit is held back, and meanwhile no
 * call answers; where it fails then, none tells what it saw.
 *
 * Linked with --wrap=fdatasync.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

SETTLE_SUITE(engine_durable);

/* ---- The held-back sync ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_shut, fails;
static unsigned waiting;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&mutex);
    waiting++;
    pthread_cond_broadcast(&changed);
    while (is_shut)
        pthread_cond_wait(&changed, &mutex);
    waiting--;
    bool is_lost = fails;
    pthread_mutex_unlock(&mutex);
    if (is_lost) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

static void gate_set(bool shut)
{
    pthread_mutex_lock(&mutex);
    is_shut = shut;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* A commit stands before its sync. */
static void await_sync(void)
{
    pthread_mutex_lock(&mutex);
    while (waiting == 0)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* ---- A call in a thread of its own ---- */

static struct rig rig;

struct call {
    settle_status (*make)(struct call *call);
    pthread_t thread;
    _Atomic bool is_done;
    settle_status status;
    settle_asset asset;
    settle_balance balance;
    settle_lifecycle *life;
    settle_result result;
};

static void *call_main(void *argument)
{
    struct call *call = argument;
    call->status = call->make(call);
    call->is_done = true;
    return NULL;
}

static void call_begin(struct call *call, settle_status (*make)(struct call *call))
{
    *call = (struct call){.make = make, .status = SETTLE_E_IO};
    cr_assert_eq(pthread_create(&call->thread, NULL, call_main, call), 0);
}

static void call_end(struct call *call)
{
    pthread_join(call->thread, NULL);
    EXPECT_OK(call->status);
}

/* Long enough for a call that does not wait to come back; one that waits never fails this, however busy the machine. */
static void expect_waiting(const struct call *call)
{
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    cr_assert_not(call->is_done);
}

static settle_status declare(struct call *call)
{
    const settle_asset asset = {7, 2, "EUR"};
    (void)call;
    return settle_asset_declare(rig.engine, &asset, NULL);
}

static settle_status asset_by_id(struct call *call)
{
    return settle_asset_by_id(rig.engine, 7, &call->asset);
}

static settle_status asset_by_symbol(struct call *call)
{
    return settle_asset_by_symbol(rig.engine, (settle_text){"EUR", 3}, &call->asset);
}

static settle_status submit(struct call *call)
{
    settle_event event = rig_deposit(9, RIG_USDT, 500, 1);
    return settle_submit(rig.engine, &event, 1, &call->result, NULL);
}

static settle_status submit_again(struct call *call)
{
    return submit(call);
}

static settle_status balance(struct call *call)
{
    return settle_balance_get(rig.engine, 9, RIG_USDT, &call->balance, NULL);
}

static settle_status lifecycle(struct call *call)
{
    return settle_lifecycle_get(rig.engine, (settle_text){"deposit_9_2_1", 13}, &call->life, NULL);
}

static settle_status flush(struct call *call)
{
    (void)call;
    return settle_flush(rig.engine, NULL);
}

static void begin(void)
{
    rig_make(&rig);
    rig_open(&rig);
    EXPECT_OK(settle_flush(rig.engine, &test_error));
}

static void end(void)
{
    gate_set(false);
    rig_remove(&rig);
}

#define ENGINE .init = begin, .fini = end

/* `first` stands in its sync; `second` asks for what it did. */
static void expect_both_wait(settle_status (*first)(struct call *call), settle_status (*second)(struct call *call),
                             struct call *ret_second)
{
    struct call call;
    gate_set(true);
    call_begin(&call, first);
    await_sync();
    call_begin(ret_second, second);
    expect_waiting(ret_second);
    cr_assert_not(call.is_done);
    gate_set(false);
    call_end(&call);
    call_end(ret_second);
}

/* ---- What waits ---- */

Test(engine_durable, an_asset_is_told_by_its_id_when_its_declaration_is_durable, ENGINE)
{
    struct call call;
    expect_both_wait(declare, asset_by_id, &call);
    cr_assert_str_eq(call.asset.symbol, "EUR");
}

Test(engine_durable, an_asset_is_told_by_its_symbol_when_its_declaration_is_durable, ENGINE)
{
    struct call call;
    expect_both_wait(declare, asset_by_symbol, &call);
    cr_assert_eq(call.asset.id, 7);
}

Test(engine_durable, a_second_declaration_waits_for_the_first, ENGINE)
{
    struct call call;
    expect_both_wait(declare, declare, &call);
}

Test(engine_durable, a_balance_is_told_when_its_last_change_is_durable, ENGINE)
{
    struct call call;
    expect_both_wait(submit, balance, &call);
    cr_assert(call.balance.available == 500 && call.balance.version == 1);
}

Test(engine_durable, an_events_life_is_told_when_it_is_durable, ENGINE)
{
    struct call call;
    expect_both_wait(submit, lifecycle, &call);
    cr_assert_eq(call.life->first.result.outcome, SETTLE_ACCEPTED);
    settle_lifecycle_free(call.life);
}

Test(engine_durable, a_duplicate_of_what_is_not_durable_waits_too, ENGINE)
{
    struct call call;
    expect_both_wait(submit, submit_again, &call);
    cr_assert_eq(call.result.outcome, SETTLE_DUPLICATE);
}

Test(engine_durable, a_flush_waits, ENGINE)
{
    struct call call;
    expect_both_wait(submit, flush, &call);
}

/* What a balance was before is known and durable; it is told as it is now. */
Test(engine_durable, a_balance_that_was_durable_waits_for_its_new_change, ENGINE)
{
    struct call call;
    (void)rig_submit(&rig, rig_deposit(9, RIG_USDT, 1, 1000));
    EXPECT_OK(settle_flush(rig.engine, &test_error)); /* else the sync that is met may be that of its PERSISTED alone */
    expect_both_wait(submit, balance, &call);
    cr_assert(call.balance.available == 501 && call.balance.version == 2);
}

/* Somebody else's balance need not wait. */
Test(engine_durable, what_is_durable_is_told_beside_a_sync, ENGINE)
{
    struct call call;
    settle_balance other;
    (void)rig_submit(&rig, rig_deposit(3, RIG_USDT, 7, 1000));
    gate_set(true);
    call_begin(&call, submit);
    await_sync();
    EXPECT_OK(settle_balance_get(rig.engine, 3, RIG_USDT, &other, &test_error));
    cr_assert_eq(other.available, 7);
    gate_set(false);
    call_end(&call);
}

/* ---- What waited for a sync that fails ---- */

static settle_status source(struct call *call)
{
    settle_source_position position = {.source = 0};
    settle_status status = settle_source_open(rig.engine, (settle_text){"in", 2}, &position, NULL);
    call->result.seq = position.source;
    return status;
}

/* As many callers wait in the engine for a commit. */
static void await_callers(unsigned count)
{
    for (bool are_there = false; !are_there;) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        pthread_mutex_lock(&rig.engine->mutex);
        are_there = rig.engine->waiting >= count;
        pthread_mutex_unlock(&rig.engine->mutex);
    }
}

Test(engine_durable, nobody_is_told_what_a_sync_that_failed_was_to_make_durable, ENGINE)
{
    static const struct {
        settle_status (*first)(struct call *call), (*second)(struct call *call);
    } pairs[] = {{declare, asset_by_id}, {declare, asset_by_symbol}, {declare, source}, {submit, balance},
                 {submit, lifecycle},    {submit, submit_again},     {submit, flush}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct call first, second;
        if (i > 0)
            begin();
        gate_set(true);
        call_begin(&first, pairs[i].first);
        await_sync();
        call_begin(&second, pairs[i].second);
        await_callers(2);
        pthread_mutex_lock(&mutex);
        fails = true;
        pthread_mutex_unlock(&mutex);
        gate_set(false);
        pthread_join(first.thread, NULL);
        pthread_join(second.thread, NULL);
        cr_assert(first.status == SETTLE_E_LATCHED && second.status == SETTLE_E_LATCHED, "pair %zu: %d, %d", i,
                  (int)first.status, (int)second.status);
        cr_assert(second.asset.id == 0 && second.balance.version == 0 && second.life == NULL && second.result.seq == 0);
        struct view view;
        EXPECT_STATUS(engine_view(rig.engine, &view, &test_error), SETTLE_E_LATCHED);
        cr_assert_eq(settle_close(rig.engine, NULL), SETTLE_E_LATCHED);
        rig.engine = NULL;
        fails = false;
        if (i + 1 < sizeof pairs / sizeof pairs[0])
            rig_remove(&rig);
    }
}

/* ---- Completions ---- */

static _Atomic unsigned told;

static void done(void *context, settle_status status, const settle_result *results, size_t count)
{
    (void)context;
    (void)results;
    told += status == SETTLE_OK && count == 1;
}

Test(engine_durable, a_completion_comes_behind_the_sync, ENGINE)
{
    settle_event event = rig_deposit(9, RIG_USDT, 500, 1);
    settle_result result;
    struct call call;
    gate_set(true);
    EXPECT_OK(settle_submit_async(rig.engine, &event, 1, &result, done, NULL, &test_error));
    call_begin(&call, flush);
    await_sync();
    expect_waiting(&call);
    cr_assert_eq(told, 0);
    gate_set(false);
    call_end(&call);
    cr_assert_eq(told, 1);
}
