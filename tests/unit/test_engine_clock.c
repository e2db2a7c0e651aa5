/* Tests of settle_options.clock_us: the engine's time never goes back, whatever the clock does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"

SETTLE_SUITE(engine_clock);

#define YEAR_2024 UINT64_C(1733856600000000)

static settle_arrival first_arrival(struct rig *rig, const char *id)
{
    settle_lifecycle *life = NULL;
    EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){id, strlen(id)}, &life, &test_error));
    settle_arrival arrival = life->first;
    settle_lifecycle_free(life);
    return arrival;
}

static settle_arrival submit_at(struct rig *rig, uint64_t now_us, const char *id)
{
    rig->clock_now_us = now_us;
    rig_submit(rig, rig_with_id(rig_deposit(1, RIG_USDT, 1, 1), id));
    EXPECT_OK(settle_flush(rig->engine, &test_error));
    return first_arrival(rig, id);
}

/* Everything again from the journal alone, which checks the order of all times. */
static void rebuild(struct rig *rig, settle_int128 expected)
{
    char store[TEMPDIR_PATH_BYTES];
    rig_close(rig);
    tempdir_join(store, rig->data, "store");
    tempdir_remove(store);
    cr_assert(rig_try_open(rig) == SETTLE_OK, "%s", rig->error.text);
    cr_assert(rig_available(rig, 1, RIG_USDT) == expected);
}

Test(engine_clock, steps_have_the_clocks_time)
{
    struct rig rig;
    rig_make(&rig);
    rig_use_clock(&rig, YEAR_2024);
    rig_open(&rig);
    settle_arrival arrival = submit_at(&rig, YEAR_2024 + 5000000, "a");
    cr_assert(arrival.consumed_us == YEAR_2024 + 5000000 && arrival.decided_us == arrival.consumed_us);
    cr_assert(arrival.persisted_us == YEAR_2024 + 5000000);
    rig_remove(&rig);
}

Test(engine_clock, time_stands_while_the_clock_is_behind)
{
    struct rig rig;
    rig_make(&rig);
    rig_use_clock(&rig, YEAR_2024);
    rig_open(&rig);
    settle_arrival a = submit_at(&rig, YEAR_2024 + 5000000, "a"), b = submit_at(&rig, YEAR_2024 - 3600000000, "b");
    settle_arrival c = submit_at(&rig, 1, "c"), d = submit_at(&rig, YEAR_2024 + 5000001, "d");
    cr_assert(b.consumed_us == a.persisted_us && b.persisted_us == a.persisted_us);
    cr_assert(c.consumed_us == a.persisted_us && d.consumed_us == YEAR_2024 + 5000001);
    rebuild(&rig, 4);
    rig_remove(&rig);
}

Test(engine_clock, time_goes_on_from_the_journals_end_after_a_restart)
{
    struct rig rig;
    rig_make(&rig);
    rig_use_clock(&rig, YEAR_2024);
    rig_open(&rig);
    settle_arrival a = submit_at(&rig, YEAR_2024 + 5000000, "a");
    rig.clock_now_us = 1000;
    rig_reopen(&rig);
    settle_arrival b = submit_at(&rig, 2000, "b");
    cr_assert(b.consumed_us == a.persisted_us);
    rig_close(&rig);
    rig.options.clock_us = NULL; /* the system's: later than 2024 */
    cr_assert(rig_try_open(&rig) == SETTLE_OK);
    rig_submit(&rig, rig_with_id(rig_deposit(1, RIG_USDT, 1, 1), "c"));
    cr_assert(first_arrival(&rig, "c").consumed_us > YEAR_2024 + 5000000);
    rebuild(&rig, 3);
    rig_remove(&rig);
}

static void no_completion(void *context, settle_status status, const settle_result *results, size_t count)
{
    (void)results;
    cr_assert(status == SETTLE_OK && count == 1);
    ++*(int *)context;
}

/* A record's time is 32 bits of microseconds behind its frame's: 71 minutes. */
Test(engine_clock, the_clock_may_jump_any_way_while_a_frame_is_open)
{
    struct rig rig;
    int done = 0;
    settle_result results[4];
    const uint64_t jump = (UINT64_C(1) << 32) - 500; /* in 32 bits the last record would be before the one before it */
    rig_make(&rig);
    rig.options.commit_interval_us_max = 60000000;
    rig_use_clock(&rig, YEAR_2024);
    rig_open(&rig);
    for (int i = 0; i < 4; i++) { /* each frame is open when time jumps; the first record in it is 1000 us late */
        settle_event event = rig_deposit(1, RIG_USDT, 1, (uint64_t)i);
        EXPECT_OK(settle_submit_async(rig.engine, &event, 1, &results[i], no_completion, &done, &test_error));
        rig.clock_now_us += 1000;
        event.ts_ms += 100;
        settle_result result;
        EXPECT_OK(settle_submit_async(rig.engine, &event, 1, &result, no_completion, &done, &test_error));
        rig.clock_now_us += jump;
        settle_asset asset = {10 + (uint32_t)i, 2, {'A', (char)('A' + i)}};
        if (i % 2 == 0)
            EXPECT_OK(settle_asset_declare(rig.engine, &asset, &test_error));
        else
            rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1000 + (uint64_t)i));
        EXPECT_OK(settle_flush(rig.engine, &test_error));
    }
    cr_assert(done == 8);
    settle_arrival last = first_arrival(&rig, "deposit_1_2_1003");
    cr_assert(last.consumed_us == rig.clock_now_us, "%llu", (unsigned long long)last.consumed_us);
    rebuild(&rig, 10);
    rig_remove(&rig);
}

Test(engine_clock, times_at_the_ends_of_the_range_are_kept)
{
    struct rig rig;
    rig_make(&rig);
    rig_use_clock(&rig, 1);
    rig_open(&rig);
    cr_assert(submit_at(&rig, 2, "a").consumed_us == 2);
    cr_assert(submit_at(&rig, UINT64_C(253402300799999999), "b").consumed_us ==
              UINT64_C(253402300799999999)); /* year 9999 */
    rebuild(&rig, 2);
    rig_remove(&rig);
}
