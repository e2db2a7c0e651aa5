/*
 * test_killed_maker.c — a process that makes directories and gives names is killed before it has synced them; what it made stays
 * in the system's cache, and the next process builds on it. Then the power goes. What was promised upon those names is there.
 */
#include <settle/settle.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "journal/watermark.h"
#include "query/query.h"
#include "tests/lib/disk_image.h"
#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(killed_maker);

#define EVENTS 200 /* of several segments */

static struct rig rig, left; /* the second in what the power cut leaves */
static uint64_t calls_to_death, syncs_to_failure;
static bool is_dead;

static int kill_at(void *context, enum disk_op op, const char *name)
{
    (void)context, (void)op, (void)name;
    if (calls_to_death > 0 && --calls_to_death == 0)
        is_dead = true;
    return is_dead ? DISK_FAULT_DEAD : 0;
}

static int fail_sync(void *context, enum disk_op op, const char *name)
{
    (void)context, (void)name;
    return op == DISK_SYNC && syncs_to_failure > 0 && --syncs_to_failure == 0 ? EIO : 0;
}

static void setup(void)
{
    rig_make(&rig);
    rig_make(&left);
    is_dead = false;
}

static void teardown(void)
{
    disk_log_faults(NULL, NULL);
    rig_remove(&left);
    rig_remove(&rig);
}

#define FIXTURE .init = setup, .fini = teardown

/* Records from here on; the process is killed at its call `number`. */
static void kill_later(uint64_t number)
{
    calls_to_death = number;
    disk_log_faults(kill_at, NULL);
    disk_log_start(rig.base);
}

/* A process of its own, as it were. */
static bool was_killed(void)
{
    bool before = is_dead;
    is_dead = false;
    calls_to_death = 0;
    return before;
}

/* The power goes behind each call from `first` on, and nothing that was not synced is left. The engine must open there, with all
 * that was acknowledged. */
static void cut_from(const struct disk_log *log, size_t first)
{
    struct disk *disk = disk_new(log);
    const struct disk_choice nothing = {.data = DISK_DATA_NONE, .names = DISK_NAMES_NONE};
    uint64_t acknowledged = 0, before = 0;
    for (size_t i = 0; i <= log->count; i++) {
        if (i > 0 && log->calls[i - 1].op == DISK_MARK)
            acknowledged = log->calls[i - 1].offset;
        if (i < first)
            continue;
        disk_play(disk, i);
        uint64_t hash = disk_choose(disk, &nothing) + acknowledged;
        if (hash == before)
            continue;
        before = hash;
        disk_write(disk, left.base);
        struct verify_result verified;
        if (acknowledged > 0) { /* readers need no writer that mends */
            EXPECT_OK(query_verify(left.data, NULL, &verified, &test_error));
            cr_assert(verified.ok, "behind %s, before a writer: %s", disk_call_text(log, i - 1), verified.fault.text);
        }
        cr_assert_eq(rig_try_open(&left), SETTLE_OK, "behind %s: %s", disk_call_text(log, i - 1), left.error.text);
        cr_assert_geq(rig_available(&left, 1, RIG_USDT), acknowledged, "behind %s", disk_call_text(log, i - 1));
        rig_close(&left);
        EXPECT_OK(query_verify(left.data, NULL, &verified, &test_error));
        cr_assert(verified.ok || verified.is_empty, "behind %s: %s", disk_call_text(log, i - 1), verified.fault.text);
    }
    disk_free(disk);
}

/* A second process opens what the first one left, and writes; then the power is cut. */
static void go_on_and_cut(void)
{
    disk_log_mark(0);
    rig_open(&rig);
    rig_deposits(&rig, 1, 3);
    disk_log_mark(3);
    rig_close(&rig);
    disk_log_faults(NULL, NULL);
    struct disk_log *log = disk_log_stop();
    size_t second = log->first;
    while (log->calls[second].op != DISK_MARK)
        second++;
    cut_from(log, second);
    disk_log_free(log);
    tempdir_remove(rig.data);
}

Test(killed_maker, of_a_new_directory_leaves_one_that_opens_after_a_power_cut, FIXTURE)
{
    bool killed = true;
    for (uint64_t number = 1; killed; number++) {
        kill_later(number);
        if (rig_try_open(&rig) == SETTLE_OK)
            (void)settle_close(rig.engine, NULL);
        killed = was_killed();
        go_on_and_cut();
        cr_assert_lt(number, 1000);
    }
}

/* What a failed sync was to write is clean in the cache and never written by itself: the next process writes it again. */
Test(killed_maker, or_one_whose_sync_failed_leaves_nothing_that_the_next_believes_to_be_durable, FIXTURE)
{
    bool failed = true;
    for (uint64_t number = 1; failed; number++) {
        syncs_to_failure = number;
        disk_log_faults(fail_sync, NULL);
        disk_log_start(rig.base);
        if (rig_try_open(&rig) == SETTLE_OK)
            (void)settle_close(rig.engine, NULL);
        failed = syncs_to_failure == 0;
        syncs_to_failure = 0;
        go_on_and_cut();
        cr_assert(!failed || number < 100);
        cr_assert(failed || number > 2, "no sync failed");
    }
}

/* The disk has lost a frame that was acknowledged, but for its beginning: the watermark tells of it. */
static void lose_last_frame(void)
{
    uint8_t watermark[WATERMARK_BYTES];
    char path[TEMPDIR_PATH_BYTES];
    struct inspect_directory inspected;
    EXPECT_OK(query_inspect(rig.data, &inspected, &test_error));
    const struct inspect_segment *last = &inspected.segments[inspected.segment_count - 1];
    struct tree_segments segments = tree_segments(rig.data);
    tree_write(segments.paths[segments.count - 1], last->bytes_used, "SETF", 4);
    tree_segments_free(&segments);
    inspect_free(&inspected);
    put_u64(watermark, 1000000);
    put_u64(watermark + 8, ~UINT64_C(1000000));
    put_u64(watermark + 16, 1);
    tempdir_join(path, rig.data, "journal/watermark");
    tree_write(path, 0, watermark, sizeof watermark);
}

Test(killed_maker, of_a_cut_leaves_a_journal_that_opens_though_the_watermark_told_of_the_torn_frame, FIXTURE)
{
    bool killed = true;
    unsigned kills = 0;
    for (uint64_t number = 1; killed; number++) {
        rig_open(&rig);
        rig_deposits(&rig, 1, 3);
        rig_close(&rig);
        lose_last_frame();
        kill_later(number);
        disk_log_mark(3);
        if (rig_try_open(&rig) == SETTLE_OK)
            (void)settle_close(rig.engine, NULL);
        rig.engine = NULL;
        killed = was_killed();
        kills += killed;
        cr_assert(rig_logged(&rig, "THE DISK HAS LOST") || killed);
        disk_log_faults(NULL, NULL);
        struct disk_log *log = disk_log_stop();
        cut_from(log, log->count); /* the power goes with the process */
        disk_log_free(log);
        cr_assert_eq(rig_try_open(&rig), SETTLE_OK, "killed at call %d: %s", (int)number, rig.error.text);
        cr_assert(rig_available(&rig, 1, RIG_USDT) == 3);
        rig_close(&rig);
        rig_log_clear(&rig);
        tempdir_remove(rig.data);
    }
    cr_assert_geq(kills, 10);
}

static settle_status archive(void)
{
    struct archive_result result;
    settle_status status =
        query_archive(rig.data, &(struct archive_options){.before_seq = EVENTS, .level = 1}, &result, &rig.error);
    cr_assert(status != SETTLE_OK || result.archived > 1);
    archive_result_free(&result);
    return status;
}

Test(killed_maker, of_an_archive_leaves_one_whose_segments_outlive_a_power_cut, FIXTURE)
{
    rig_open(&rig);
    rig_deposits(&rig, 1, EVENTS);
    rig_close(&rig);
    bool killed = true;
    for (uint64_t number = 1; killed; number++) {
        kill_later(number);
        disk_log_mark(EVENTS);
        (void)archive();
        killed = was_killed();
        EXPECT_OK(archive());
        disk_log_faults(NULL, NULL);
        struct disk_log *log = disk_log_stop();
        cut_from(log, log->count);
        disk_log_free(log);
        struct archive_result result;
        EXPECT_OK(query_restore(rig.data, &result, &test_error));
        archive_result_free(&result);
        cr_assert_lt(number, 1000);
    }
}
