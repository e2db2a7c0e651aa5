/*
 * test_power_cuts.c — an ext4 file system on a loop device that is shut down at random moments while an engine writes to it,
 * opens or recovers: by the GOINGDOWN ioctl, behind which nothing reaches the device any more, as after a power cut. Mounted
 * again, everything acknowledged is there, the rest wholly or not at all, all checks hold, and it goes on with the same directory.
 *
 *     test_power_cuts [COUNT [early]]
 *
 * The process that writes tells its acknowledgements itself, through shared memory, just behind the call that gave them. `early`
 * tells them before the sync: then they must be seen lost, which proves that the cuts cut. CONTROL_CUTS of those follow any run.
 *
 * Needs root, loop devices and mkfs.ext4; skips where one is missing. All is mounted in a mount namespace of its own, and the loop
 * devices clear themselves: nothing is left behind, whatever ends this process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/lib/child.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"

enum {
    CUTS = 20, /* where no argument tells */
    CONTROL_CUTS = 60,
    CUTS_A_DISK = 25, /* then the file system is made anew */
    DISK_BYTES = 96 << 20,
    BATCH_MAX = 24,
    LIFE_EVENTS_MAX = 400,
    SECONDS_MAX = 120, /* of one step */

    GOINGDOWN_LOGFLUSH = 1,
    GOINGDOWN_NOLOGFLUSH = 2,
};
#define EXT4_GOINGDOWN _IOR('X', 125, uint32_t)

/* ---- What the processes share ---- */

struct shared {
    _Atomic uint64_t acknowledged, submitted;
    _Atomic bool is_open;
    uint64_t recovered; /* by the check */
    bool is_lost;       /* something acknowledged */
    bool was_torn;
};
static struct shared *shared;

struct scene {
    char base[TEMPDIR_BYTES], image[TEMPDIR_PATH_BYTES], disk[TEMPDIR_PATH_BYTES];
    struct rig rig; /* its data and logs are on the disk */
    char logs[TEMPDIR_PATH_BYTES];
    struct stream dice;
    uint64_t seed, seq; /* of this disk: what it holds */
    bool is_early;
    uint64_t cuts, cuts_in_open, events, torn, lost, disks;
};

static struct scene scene_here;

/* ---- The disk ---- */

static void skip(const char *why)
{
    fprintf(stderr, "skipped: %s: %s\n", why, strerror(errno));
    if (scene_here.base[0] != '\0')
        tempdir_remove(scene_here.base);
    exit(PLAIN_SKIP);
}

/* A loop device for the image that clears itself with its last use. -1: there are none here. */
static int loop_attach(const char *image, char ret_path[64])
{
    int image_fd = open(image, O_RDWR | O_CLOEXEC), loop = -1, cause = 0;
    CHECK(image_fd >= 0);
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    cause = errno;
    for (int attempt = 0; control >= 0 && loop < 0 && attempt < 100; attempt++) { /* others may take the free one */
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        cause = errno;
        if (number < 0)
            break;
        snprintf(ret_path, 64, "/dev/loop%d", number);
        loop = open(ret_path, O_RDWR | O_CLOEXEC);
        struct loop_config config = {.fd = (uint32_t)image_fd, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0)
            break;
        cause = errno;
        if (loop >= 0)
            close(loop);
        loop = -1;
        if (cause != EBUSY)
            break;
    }
    if (control >= 0)
        close(control);
    close(image_fd);
    errno = cause;
    return loop;
}

static bool disk_mount(const struct scene *scene)
{
    char device[64];
    int loop = loop_attach(scene->image, device);
    if (loop < 0)
        return false;
    bool is_mounted = mount(device, scene->disk, "ext4", 0, "") == 0;
    int cause = errno;
    close(loop);
    errno = cause;
    return is_mounted;
}

/* Somebody who looks at all file systems may be inside for a moment. */
static void disk_unmount(const struct scene *scene)
{
    for (int attempt = 0; umount(scene->disk) != 0; attempt++) {
        CHECK(errno == EBUSY && attempt < 500);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void disk_make(struct scene *scene)
{
    int fd = open(scene->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, DISK_BYTES) == 0);
    close(fd);
    pid_t child = child_fork();
    if (child == 0) {
        execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", scene->image,
               (char *)NULL);
        _exit(127);
    }
    int status = child_exit(child);
    if (status == 127) {
        errno = ENOENT;
        skip("mkfs.ext4");
    }
    CHECK(status == 0);
    scene->seed = stream_random(&scene->dice, UINT64_MAX);
    scene->seq = 0;
    scene->disks++;
}

/* ---- The process that writes ---- */

static void acknowledge(void *context, settle_status status, const settle_result *results, size_t count)
{
    (void)context;
    if (status == SETTLE_OK)
        shared->acknowledged = results[count - 1].seq;
}

static void start_lines(const struct scene *scene, settle *engine, settle_error *error)
{
    settle_lines_options lines;
    settle_lines_options_init(&lines);
    lines.directory = scene->logs;
    lines.free_bytes_min = 0;
    lines.rotate_bytes = 1 << 16;
    lines.compress = 1;
    (void)!settle_lines_start(engine, &lines, error);
}

/* The way an outcome is told: waited for, or called back; early: as soon as it is known at all. */
static bool submit(const struct scene *scene, struct rig *rig, struct oracle *oracle, struct stream *dice)
{
    static struct stream_event made[BATCH_MAX];
    static settle_result results[LIFE_EVENTS_MAX + BATCH_MAX];
    static size_t used;
    settle_event events[BATCH_MAX];
    settle_result expected = {.seq = 0};
    size_t count = 1 + stream_random(dice, stream_random(dice, 2) == 0 ? 3 : BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        oracle_next(oracle, &made[i], &expected);
        events[i] = made[i].event;
    }
    shared->submitted = expected.seq;
    settle_result *own = &results[used];
    used += count;
    if (scene->is_early || stream_random(dice, 2) == 0) {
        settle_status status = settle_submit_async(rig->engine, events, count, own, acknowledge, NULL, &rig->error);
        if (scene->is_early && status == SETTLE_OK)
            shared->acknowledged = expected.seq;
        return status == SETTLE_OK;
    }
    if (settle_submit(rig->engine, events, count, own, &rig->error) != SETTLE_OK)
        return false;
    shared->acknowledged = expected.seq;
    return true;
}

/* Until it is ended from outside. What fails, fails because the disk is gone. */
static void live(struct scene *scene, uint64_t dice_seed)
{
    struct oracle oracle;
    struct stream dice;
    struct rig *rig = &scene->rig;
    stream_init(&dice, dice_seed);
    oracle_init(&oracle, scene->seed);
    oracle_rewind(&oracle, scene->seq);
    rig->options.checkpoint_events_max = 1 + (uint32_t)stream_random(&dice, 100);
    rig->options.commit_interval_us_max = (uint32_t)stream_random(&dice, 3000);
    if (rig_try_open(rig) == SETTLE_OK && oracle_declare(rig->engine, &rig->error) == SETTLE_OK) {
        shared->is_open = true;
        start_lines(scene, rig->engine, &rig->error);
        while (shared->submitted < scene->seq + LIFE_EVENTS_MAX && submit(scene, rig, &oracle, &dice))
            ;
    }
    for (;;)
        pause();
}

/* ---- The check, behind the cut ---- */

static void must(const struct scene *scene, settle_status status, const settle_error *error, const char *what)
{
    if (status == SETTLE_OK)
        return;
    fprintf(stderr, "seed %" PRIu64 ": %s: %s: %s (file '%s', offset %" PRIu64 ", seq %" PRIu64 ")\n%s", scene->seed,
            what, settle_status_name(status), error->text, error->file, error->offset_bytes, error->seq,
            scene->rig.log);
    abort();
}

static void check_lines(struct scene *scene)
{
    struct logs_result result;
    settle_lines_options lines;
    settle_error error = {.status = SETTLE_OK};
    settle_lines_options_init(&lines);
    lines.directory = scene->logs;
    start_lines(scene, scene->rig.engine, &error);
    must(scene, settle_flush(scene->rig.engine, &error), &error, "flushing");
    must(scene, settle_lines_stop(scene->rig.engine, &error), &error, "the lines");
    must(scene, query_logs_verify(scene->rig.data, &lines, &result, &error), &error, "verifying the lines");
    if (!result.ok && !result.is_empty) {
        fprintf(stderr, "the lines: %s:%" PRIu64 ": %s\n", result.file, result.line, result.difference);
        abort();
    }
}

static void check(struct scene *scene)
{
    struct oracle oracle;
    struct verify_result verified;
    struct rig *rig = &scene->rig;
    uint64_t least = shared->acknowledged > scene->seq ? shared->acknowledged : scene->seq;
    must(scene, rig_try_open(rig), &rig->error, "opening behind the cut");
    shared->was_torn = rig_logged(rig, "a torn frame");
    must(scene, oracle_declare(rig->engine, &rig->error), &rig->error, "declaring");
    check_lines(scene);
    rig_close(rig);
    oracle_init(&oracle, scene->seed);
    oracle_rewind(&oracle, scene->is_early ? scene->seq : least);
    shared->recovered = oracle_follow(&oracle, rig->data); /* ends the process where it ends before that */
    shared->is_lost = shared->recovered < least;
    CHECK(shared->recovered <= (shared->submitted > scene->seq ? shared->submitted : scene->seq));
    oracle_check_directory(&oracle, rig->data);
    must(scene, query_verify(rig->data, NULL, &verified, &rig->error), &rig->error, "verifying");
    must(scene, verified.fault.status, &verified.fault, "a fault");
    CHECK(verified.ok || verified.is_empty);
    CHECK(verified.counts.events == shared->recovered);
    _exit(0);
}

/* ---- Cuts ---- */

/* Some while opening or recovering, most while writing. */
static void wait_a_while(struct stream *dice)
{
    bool is_short = stream_random(dice, 4) == 0;
    for (int i = 0; !is_short && !shared->is_open && i < 10000; i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    uint64_t us = stream_random(dice, is_short ? 4000 : 30000);
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void cut(struct scene *scene)
{
    uint64_t dice_seed = stream_random(&scene->dice, UINT64_MAX);
    *shared = (struct shared){.submitted = scene->seq};
    pid_t child = child_fork();
    if (child == 0) {
        alarm(SECONDS_MAX);
        live(scene, dice_seed);
    }
    int disk_fd = open(scene->disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t flag = stream_random(&scene->dice, 4) == 0 ? GOINGDOWN_LOGFLUSH : GOINGDOWN_NOLOGFLUSH;
    wait_a_while(&scene->dice);
    bool was_open = shared->is_open;
    CHECK(disk_fd >= 0 && ioctl(disk_fd, EXT4_GOINGDOWN, &flag) == 0);
    close(disk_fd);
    CHECK(kill(child, SIGKILL) == 0 && child_exit(child) == 256);
    disk_unmount(scene);
    CHECK(disk_mount(scene));
    child = child_fork();
    if (child == 0) {
        alarm(SECONDS_MAX);
        check(scene);
    }
    int status = child_exit(child);
    if (status != 0) {
        fprintf(stderr,
                "cut %" PRIu64 " of a run with SETTLE_TEST_SEED=%" PRIu64 ", disk %" PRIu64
                ": the check ended with %d; events %" PRIu64 " were there, %" PRIu64 " acknowledged, %" PRIu64
                " submitted\n",
                scene->cuts, stream_seed(31), scene->disks, status, scene->seq, shared->acknowledged,
                shared->submitted);
        exit(1);
    }
    scene->events += shared->recovered - scene->seq;
    scene->seq = shared->recovered;
    scene->cuts++;
    scene->cuts_in_open += !was_open;
    scene->torn += shared->was_torn;
    scene->lost += shared->is_lost;
}

static void run(struct scene *scene, uint64_t count, bool is_early)
{
    scene->is_early = is_early;
    scene->cuts = scene->cuts_in_open = scene->events = scene->torn = scene->lost = scene->disks = 0;
    for (uint64_t i = 0; i < count && !(is_early && scene->lost > 0); i++) {
        if (i % CUTS_A_DISK == 0) {
            if (i > 0)
                disk_unmount(scene);
            disk_make(scene);
            if (!disk_mount(scene))
                skip("mounting ext4 on a loop device");
        }
        cut(scene);
    }
    disk_unmount(scene);
}

int main(int argc, char **argv)
{
    struct scene *scene = &scene_here;
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : CUTS;
    bool is_early = argc > 2 && strcmp(argv[2], "early") == 0;
    CHECK(count > 0);
    if (geteuid() != 0) {
        errno = EPERM;
        skip("only root can mount");
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip("a mount namespace");
    builder_use_memory();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    rig_make(&scene->rig);
    memcpy(scene->base, scene->rig.base, sizeof scene->base);
    tempdir_join(scene->image, scene->base, "image");
    tempdir_join(scene->disk, scene->base, "disk");
    tempdir_join(scene->rig.data, scene->disk, "data");
    tempdir_join(scene->logs, scene->disk, "logs");
    CHECK(mkdir(scene->disk, 0700) == 0);
    stream_init(&scene->dice, stream_seed(31));
    if (!is_early) {
        run(scene, count, false);
        printf("%" PRIu64 " power cuts, %" PRIu64 " of them while it opened, on %" PRIu64 " file systems: %" PRIu64
               " events, %" PRIu64 " torn frames, nothing acknowledged lost\n",
               scene->cuts, scene->cuts_in_open, scene->disks, scene->events, scene->torn);
        CHECK(scene->lost == 0 && scene->events > 0);
    }
    run(scene, is_early ? count : CONTROL_CUTS, true);
    printf("acknowledged before the sync: seen lost at cut %" PRIu64 "\n", scene->cuts);
    CHECK(scene->lost > 0);
    rig_remove(&scene->rig);
    return 0;
}
