/*
 * test_store.c — one thread writes, others read through snapshots of the same store, and the map grows under them. A plain
 * main(), for ThreadSanitizer.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/store_gate.h"
#include "tests/lib/plain.h"
#include "tests/lib/store_fixture.h"

enum { READERS = 3, VERSIONS = 60, USERS = 500, USERS_AT_LAST = 20000 };

static struct fixture fixture;
static _Atomic bool done;
static _Atomic unsigned looks;

/* ---- The gate ----------------------------------------------------------------------------------------------------------------- */

static struct store_gate gate;
static _Atomic int inside, alone;

static void *pass_the_gate(void *argument)
{
    (void)argument;
    while (!done) {
        store_gate_enter(&gate);
        inside++;
        CHECK(alone == 0);
        inside--;
        store_gate_leave(&gate);
    }
    return NULL;
}

static void *shut_the_gate(void *argument)
{
    (void)argument;
    for (int i = 0; i < 500; i++) {
        CHECK(store_gate_shut(&gate, 10000));
        CHECK(alone++ == 0);
        CHECK(inside == 0);
        alone--;
        store_gate_reopen(&gate);
    }
    return NULL;
}

static void the_gate_keeps_all_out(void)
{
    pthread_t passing[READERS], shutting[2];
    CHECK(store_gate_init(&gate));
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&passing[i], NULL, pass_the_gate, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&shutting[i], NULL, shut_the_gate, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(shutting[i], NULL) == 0);
    done = true;
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_join(passing[i], NULL) == 0);
    done = false;
}

static void waiting_at_the_gate_ends(void)
{
    store_gate_enter(&gate);
    CHECK(!store_gate_shut(&gate, 20));
    store_gate_enter(&gate); /* it is open again */
    store_gate_leave(&gate);
    store_gate_leave(&gate);
    CHECK(store_gate_shut(&gate, 20));
    CHECK(!store_gate_shut(&gate, 20)); /* shut by another */
    store_gate_reopen(&gate);
    CHECK(store_gate_shut(&gate, 0));
    store_gate_reopen(&gate);
    store_gate_deinit(&gate);
}

/* ---- Snapshots ------------------------------------------------------------------------------------------------------------------ */

static void *read_versions(void *argument)
{
    (void)argument;
    settle_error error;
    struct store_snapshot *snapshot = fixture_snapshot(fixture.store);
    uint64_t last = 0;
    for (bool last_look = false; !last_look;) {
        last_look = done;
        CHECK(store_snapshot_renew(snapshot, &error) == SETTLE_OK);
        struct version_check check = fixture_version_in(snapshot);
        CHECK(check.version >= last);
        CHECK(check.count == USERS || check.count == USERS_AT_LAST);
        last = check.version;
        store_snapshot_rest(snapshot);
        looks++;
    }
    CHECK(last == VERSIONS);
    store_snapshot_close(snapshot);
    return NULL;
}

/* From a map of 1 MiB: it grows several times while the others read. */
static void readers_see_whole_batches_while_the_map_grows(void)
{
    pthread_t readers[READERS];
    fixture_open_mapped(&fixture, 1 << 20);
    CHECK(fixture_apply_version(&fixture, 1, USERS) == SETTLE_OK);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, read_versions, NULL) == 0);
    while (looks < READERS)
        usleep(1000);
    for (uint64_t version = 2; version < VERSIONS; version++)
        CHECK(fixture_apply_version(&fixture, version, USERS) == SETTLE_OK);
    CHECK(fixture_apply_version(&fixture, VERSIONS, USERS_AT_LAST) == SETTLE_OK);
    done = true;
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_join(readers[i], NULL) == 0);
    fixture_close(&fixture);
    done = false;
}

/* ---- A snapshot that takes its time ------------------------------------------------------------------------------------------- */

static void *let_go_late(void *argument)
{
    struct store_snapshot *snapshot = argument;
    usleep(100000);
    looks = 1;
    store_snapshot_rest(snapshot);
    return NULL;
}

static void growing_waits_for_a_snapshot_that_another_thread_lets_go(void)
{
    pthread_t thread;
    settle_error error;
    fixture_open_mapped(&fixture, 1 << 20);
    CHECK(fixture_apply_version(&fixture, 1, USERS) == SETTLE_OK);
    struct store_snapshot *snapshot = fixture_snapshot(fixture.store);
    looks = 0;
    CHECK(pthread_create(&thread, NULL, let_go_late, snapshot) == 0);
    CHECK(fixture_apply_version(&fixture, 2, USERS_AT_LAST) == SETTLE_OK);
    CHECK(looks == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(store_snapshot_renew(snapshot, &error) == SETTLE_OK);
    CHECK(fixture_version_in(snapshot).version == 2);
    store_snapshot_close(snapshot);
    fixture_close(&fixture);
}

int main(void)
{
    the_gate_keeps_all_out();
    waiting_at_the_gate_ends();
    readers_see_whole_batches_while_the_map_grows();
    growing_waits_for_a_snapshot_that_another_thread_lets_go();
    return 0;
}
