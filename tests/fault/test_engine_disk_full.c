/*
 * A real small file system (tmpfs) that runs full under the engine: it stops with SETTLE_E_NO_SPACE behind the latch,
 * closes cleanly, and goes on when there is room again. Nothing that was acknowledged is lost. Skipped where mounting
 * is not allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/expect.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"

TestSuite(engine_disk_full, .fini = leaks_check, .timeout = 120);

#define BATCH_EVENTS 20

static void mount_small(struct rig *rig, unsigned kib)
{
    char options[64];
    snprintf(options, sizeof options, "size=%uk,mode=0700", kib);
    rig_make(rig);
    tempdir_join(rig->data, rig->base, "small");
    cr_assert(mkdir(rig->data, 0700) == 0);
    if (mount("tmpfs", rig->data, "tmpfs", 0, options) != 0) {
        rig_remove(rig);
        cr_skip_test("no mounting here: %s", strerror(errno));
    }
}

static void unmount(struct rig *rig)
{
    cr_assert(umount(rig->data) == 0);
    rig_remove(rig);
}

static void resize(struct rig *rig, unsigned kib)
{
    char options[64];
    snprintf(options, sizeof options, "size=%uk,mode=0700", kib);
    cr_assert(mount("tmpfs", rig->data, "tmpfs", MS_REMOUNT, options) == 0, "%s", strerror(errno));
}

/* Submits until something fails; the seq that was acknowledged last. */
static settle_status submit_until_full(struct rig *rig, struct oracle *oracle, uint64_t *acknowledged)
{
    settle_status status = SETTLE_OK;
    for (int batch = 0; batch < 2000 && status == SETTLE_OK; batch++) {
        struct stream_event made[BATCH_EVENTS];
        settle_event events[BATCH_EVENTS];
        settle_result expected, results[BATCH_EVENTS];
        for (size_t i = 0; i < BATCH_EVENTS; i++) {
            oracle_next(oracle, &made[i], &expected);
            events[i] = made[i].event;
        }
        status = settle_submit(rig->engine, events, BATCH_EVENTS, results, &rig->error);
        if (status == SETTLE_OK)
            *acknowledged = expected.seq;
    }
    return status;
}

/* Also where LMDB's write was cut short, of which it says EIO. */
static void expect_full(struct rig *rig, unsigned kib, settle_status status)
{
    cr_assert(rig->error.cause_errno == ENOSPC, "%u KiB: errno %d: %s", kib, rig->error.cause_errno, rig->error.text);
    cr_assert(status == (rig->engine != NULL ? SETTLE_E_LATCHED : SETTLE_E_NO_SPACE), "%u KiB: status %d: %s", kib,
              (int)status, rig->error.text);
}

static void fill_and_free(unsigned kib)
{
    struct rig rig;
    struct oracle oracle;
    uint64_t acknowledged = 0;
    mount_small(&rig, kib);
    rig.options.checkpoint_events_max = 100;
    oracle_init(&oracle, stream_seed(kib));
    settle_status status = rig_try_open(&rig);
    if (status == SETTLE_OK)
        status = oracle_declare(rig.engine, &rig.error);
    if (status == SETTLE_OK)
        status = submit_until_full(&rig, &oracle, &acknowledged);
    expect_full(&rig, kib, status);
    settle *engine = rig.engine;
    rig.engine = NULL;
    cr_assert(settle_close(engine, NULL) == (engine == NULL ? SETTLE_OK : SETTLE_E_LATCHED));
    /* Still full: it may open or not, and loses nothing by it. */
    status = rig_try_open(&rig);
    cr_assert(status != SETTLE_E_CORRUPT, "%u KiB: still full: %s", kib, rig.error.text);
    (void)settle_close(rig.engine, NULL);
    rig.engine = NULL;
    /* Room again. */
    resize(&rig, kib + 4096);
    cr_assert(rig_try_open(&rig) == SETTLE_OK, "%u KiB: %s", kib, rig.error.text);
    cr_assert(oracle_declare(rig.engine, &rig.error) == SETTLE_OK, "%s", rig.error.text);
    rig_close(&rig);
    oracle_rewind(&oracle, acknowledged);
    oracle_follow(&oracle, rig.data);
    oracle_check_directory(&oracle, rig.data);
    cr_assert(rig_try_open(&rig) == SETTLE_OK, "%s", rig.error.text);
    oracle_check(&oracle, rig.engine);
    struct stream_event event;
    settle_result expected;
    oracle_next(&oracle, &event, &expected);
    cr_assert(rig_submit(&rig, event.event).seq == expected.seq);
    rig_close(&rig);
    fprintf(stderr, "%u KiB: full after event %d\n", kib, (int)acknowledged);
    oracle_deinit(&oracle);
    unmount(&rig);
}

Test(engine_disk_full, it_stops_cleanly_and_goes_on_when_there_is_room)
{
    for (unsigned kib = 4; kib <= 320; kib += kib < 140 ? 4 : 36)
        fill_and_free(kib);
}

/* Needs no rights: the store may not grow beyond 48 KiB, so checkpoints fail. */
Test(engine_disk_full, a_limit_on_the_size_of_files_stops_it_cleanly_too)
{
    struct rig rig;
    struct oracle oracle;
    struct rlimit before, small;
    uint64_t acknowledged = 0;
    rig_make(&rig);
    rig.options.checkpoint_events_max = 50;
    oracle_init(&oracle, stream_seed(48));
    cr_assert(rig_try_open(&rig) == SETTLE_OK && oracle_declare(rig.engine, &rig.error) == SETTLE_OK, "%s",
              rig.error.text);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = (struct rlimit){.rlim_cur = 48 << 10, .rlim_max = before.rlim_max};
    cr_assert(setrlimit(RLIMIT_FSIZE, &small) == 0);
    settle_status status = submit_until_full(&rig, &oracle, &acknowledged);
    cr_assert(status == SETTLE_E_LATCHED && strncmp(rig.error.file, "store/", 6) == 0, "status %d: %s", (int)status,
              rig.error.text);
    settle *engine = rig.engine;
    rig.engine = NULL;
    cr_assert(settle_close(engine, NULL) == SETTLE_E_LATCHED);
    cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
    cr_assert(rig_try_open(&rig) == SETTLE_OK, "%s", rig.error.text);
    rig_close(&rig);
    oracle_rewind(&oracle, acknowledged);
    oracle_follow(&oracle, rig.data);
    oracle_check_directory(&oracle, rig.data);
    cr_assert(acknowledged > 0);
    oracle_deinit(&oracle);
    rig_remove(&rig);
}
