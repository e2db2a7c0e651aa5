/*
 * test_crash_states.c — what a crash may leave at any call of a run, of journal, store and log files together: recovered, and
 * compared with the model. A share of the states crashes again while it recovers.
 *
 *     test_fault_crash_states [--count N] [--seed S] [--jobs J]    N states at least (10000), of runs S, S + 1 …
 *     test_fault_crash_states --log FILE STATE                      one state of a run that was kept: the one that failed
 *     test_fault_crash_states --controls                            runs of engines that sync too little: each must fail
 *
 * A plain main(): each run has a process of its own, and the one that ends it is told by its state, SEED:CALL:CHOICE, behind it
 * :CALL:CHOICE of the recording of the recovery.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/crash_controls.h"
#include "tests/lib/crash_run.h"
#include "tests/lib/disk_image.h"
#include "tests/lib/plain.h"
#include "tests/lib/tempdir.h"
#include "tests/lib/tree.h"

enum {
    STATES = 10000,
    SEED = 1,
    CHOICES = 12, /* a call */
    SAMPLE_EVERY = 4,
    SECONDS_MAX = 60,
    AGAIN_EVERY = 12, /* of the states crash again */
    AGAIN_CALLS = 8,
    JOBS_MAX = 16,
    CONTROL_RUNS = 8,
};

/* Where a child is, for its parent. */
struct progress {
    uint64_t seed, call, choice, again_call, again_choice;
    uint64_t states, again, same, calls, runs, struck;
};

struct job {
    struct progress *progress; /* shared */
    char base[TEMPDIR_BYTES];
    pid_t child;
    const struct crash_control *control; /* NULL: as it was recorded */
    bool is_sample;                      /* one in SAMPLE_EVERY of a run's states, so that there are more runs */
};

/* ---- States that were seen ---- */

struct seen {
    uint64_t *hashes; /* 0: free */
    size_t count, capacity;
};

/* False: it was there. */
static bool seen_add(struct seen *seen, uint64_t hash)
{
    if (seen->count * 2 >= seen->capacity) {
        struct seen larger = {calloc(seen->capacity * 2 + 1024, sizeof(uint64_t)), 0, seen->capacity * 2 + 1024};
        CHECK(larger.hashes != NULL);
        for (size_t i = 0; i < seen->capacity; i++)
            if (seen->hashes[i] != 0)
                seen_add(&larger, seen->hashes[i]);
        free(seen->hashes);
        *seen = larger;
    }
    hash = hash == 0 ? 1 : hash;
    for (size_t at = (size_t)(hash % seen->capacity);; at = (at + 1) % seen->capacity) {
        if (seen->hashes[at] == hash)
            return false;
        if (seen->hashes[at] == 0) {
            seen->hashes[at] = hash;
            seen->count++;
            return true;
        }
    }
}

/* ---- One state ---- */

/* A number that belongs to the state, whatever was examined before it. */
static uint64_t number_of(const struct progress *at)
{
    uint64_t number = at->seed;
    const uint64_t more[] = {at->call, at->choice, at->again_call, at->again_choice};
    for (size_t i = 0; i < 4; i++) {
        number = (number + more[i] + 1) * UINT64_C(0x9fb21c651e98df25);
        number ^= number >> 31;
    }
    return number;
}

static unsigned examinations_of(uint64_t number)
{
    unsigned examinations = 0;
    examinations |= number % 8 == 0 ? EXAMINE_READERS : 0;
    examinations |= number / 8 % 4 == 0 ? EXAMINE_LINES : 0;
    examinations |= number / 32 % 8 == 0 ? EXAMINE_IDS : 0;
    examinations |= number / 256 % 16 == 0 ? EXAMINE_VERIFY : 0;
    return examinations;
}

static void examine(const struct job *job, const struct crash_run *run, const struct disk *disk, const char *name,
                    const struct crash_promise *promise)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, job->base, name);
    alarm(SECONDS_MAX);
    disk_write(disk, path);
    crash_examine(run, path, promise, examinations_of(number_of(job->progress)));
}

/* The recovery from a state, recorded. */
static struct disk_log *record_recovery(const struct job *job, const struct crash_run *run, const struct disk *disk,
                                        const struct crash_promise *promise)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, job->base, "again");
    alarm(SECONDS_MAX);
    disk_write(disk, path);
    disk_log_start(path);
    crash_recover(run, path, promise);
    struct disk_log *log = disk_log_stop();
    tempdir_join(path, job->base, "recovery.log");
    disk_log_save(log, path);
    if (job->control != NULL && job->control->in_recovery)
        job->control->apply(log);
    return log;
}

static void examine_again_at(const struct job *job, const struct crash_run *run, const struct disk_log *log,
                             const struct crash_promise *promise, struct disk *disk)
{
    struct progress *at = job->progress;
    struct crash_promise then = *promise;
    struct disk_choice choice = disk_choice(number_of(at), at->again_choice);
    disk_play(disk, (size_t)at->again_call);
    crash_promise(log, 0, (size_t)at->again_call, &then);
    (void)disk_choose(disk, &choice);
    examine(job, run, disk, "state", &then);
    at->states++;
    at->again++;
}

/* Crashes while it recovers from a state, at some calls. */
static void crash_again(const struct job *job, const struct crash_run *run, const struct disk *disk,
                        const struct crash_promise *promise)
{
    struct progress *at = job->progress;
    uint64_t number = number_of(at);
    struct disk_log *log = record_recovery(job, run, disk, promise);
    struct disk *again = disk_new(log);
    for (uint64_t i = 0; i < AGAIN_CALLS; i++) {
        at->again_call = log->first + number % (log->count - log->first) + 1;
        at->again_choice = (number >> 32) % (2 * DISK_CHOICES_FIXED);
        examine_again_at(job, run, log, promise, again);
        number = (number ^ number >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + i;
    }
    at->again_call = at->again_choice = 0;
    disk_free(again);
    disk_log_free(log);
}

/* ---- A run ---- */

static void choose(const struct job *job, struct disk *disk, struct crash_promise *promise, uint64_t *ret_hash)
{
    const struct progress *at = job->progress;
    struct disk_choice choice = disk_choice(at->seed ^ at->call << 20, at->choice);
    uint64_t hash = disk_choose(disk, &choice);
    hash = (hash ^ promise->acknowledged << 40 ^ promise->submitted << 20) * UINT64_C(0x9fb21c651e98df25);
    *ret_hash = hash ^ hash >> 32;
}

static void examine_run(const struct job *job, const struct crash_run *run, uint64_t states_max)
{
    struct progress *at = job->progress;
    struct disk *disk = disk_new(run->log);
    struct crash_promise promise = {.acknowledged = 0};
    struct seen seen = {.count = 0};
    crash_promise(run->log, 0, run->log->first, &promise);
    for (at->call = run->log->first; at->call <= run->log->count && at->states < states_max; at->call++) {
        disk_play(disk, (size_t)at->call);
        if (at->call > run->log->first)
            crash_promise(run->log, (size_t)at->call - 1, (size_t)at->call, &promise);
        for (at->choice = 0; at->choice < CHOICES && at->states < states_max; at->choice++) {
            uint64_t hash;
            if (job->is_sample && (number_of(at) >> 40) % SAMPLE_EVERY != 0)
                continue;
            choose(job, disk, &promise, &hash);
            if (!seen_add(&seen, hash)) {
                at->same++;
                continue;
            }
            examine(job, run, disk, "state", &promise);
            at->states++;
            if (number_of(at) / 4096 % AGAIN_EVERY == 0)
                crash_again(job, run, disk, &promise);
        }
    }
    at->calls += run->log->count;
    at->struck += run->has_struck;
    at->runs++;
    free(seen.hashes);
    disk_free(disk);
}

/* Without the locks of LMDB, which writes them through a mapping. */
static char *listing(const char *path)
{
    char *text = tree_listing(path);
    for (char *at; (at = strstr(text, "/lock.mdb ")) != NULL;) {
        char *begin = at, *end = strchr(at, '\n');
        while (begin > text && begin[-1] != '\n')
            begin--;
        CHECK(end != NULL);
        memmove(begin, end + 1, strlen(end + 1) + 1);
    }
    return text;
}

/* The last state of all, everything kept, is the directory that the run left. */
static void expect_same_directory(const struct job *job, const struct crash_run *run, const char *left)
{
    char path[TEMPDIR_PATH_BYTES];
    struct disk *disk = disk_new(run->log);
    struct disk_choice choice = {.data = DISK_DATA_ALL, .names = DISK_NAMES_ALL};
    tempdir_join(path, job->base, "state");
    disk_play(disk, run->log->count);
    (void)disk_choose(disk, &choice);
    disk_write(disk, path);
    char *found = listing(path), *expected = listing(left);
    if (strcmp(found, expected) != 0) {
        fprintf(stderr, "the recording is not whole. Recorded:\n%s\nLeft:\n%s\n", found, expected);
        abort();
    }
    free(found);
    free(expected);
    disk_free(disk);
}

static void record(const struct job *job, struct crash_run *run)
{
    char path[TEMPDIR_PATH_BYTES];
    crash_run_init(run, job->progress->seed);
    tempdir_join(path, job->base, "run");
    alarm(SECONDS_MAX);
    crash_run_record(run, path);
    expect_same_directory(job, run, path);
    tempdir_remove(path);
    tempdir_join(path, job->base, "run.log");
    disk_log_save(run->log, path);
    if (job->control != NULL && !job->control->in_recovery)
        job->control->apply(run->log);
}

/* ---- Jobs ---- */

static void job_make(struct job *job)
{
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(job->base, sizeof job->base, "%s/settle-crash-XXXXXX", memory);
    CHECK(mkdtemp(job->base) != NULL);
    job->progress = mmap(NULL, sizeof *job->progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(job->progress != MAP_FAILED);
}

static void job_start(struct job *job, uint64_t seed, uint64_t states_max)
{
    job->progress->seed = seed;
    job->progress->again_call = job->progress->again_choice = 0;
    job->child = child_fork();
    if (job->child != 0)
        return;
    struct crash_run run;
    record(job, &run);
    examine_run(job, &run, states_max);
    crash_run_deinit(&run);
    exit(0);
}

static void tell_state(const struct job *job)
{
    const struct progress *at = job->progress;
    char name[TEMPDIR_PATH_BYTES];
    tempdir_join(name, job->base, "run.log");
    fprintf(stderr, "%" PRIu64 ":%" PRIu64 ":%" PRIu64, at->seed, at->call, at->choice);
    if (at->again_call != 0)
        fprintf(stderr, ":%" PRIu64 ":%" PRIu64, at->again_call, at->again_choice);
    if (access(name, R_OK) == 0) {
        struct disk_log *log = disk_log_load(name);
        fprintf(stderr, " (behind: %s)", at->call == 0 ? "" : disk_call_text(log, (size_t)at->call - 1));
        disk_log_free(log);
    }
    fputc('\n', stderr);
}

static void job_failed(const struct job *job, int exit_status, const char *program)
{
    fprintf(stderr, "ended with %d at state ", exit_status);
    tell_state(job);
    fprintf(stderr, "again: %s --log %s/run.log STATE; what it left: %s/state\n", program, job->base, job->base);
    exit(1);
}

/* ---- Many runs ---- */

static void run_states(const char *program, uint64_t count, uint64_t seed, unsigned jobs)
{
    struct job job[JOBS_MAX] = {{.control = NULL}};
    struct progress sum = {.seed = 0};
    unsigned running = 0;
    for (unsigned i = 0; i < jobs; i++) {
        job[i].is_sample = true;
        job_make(&job[i]);
    }
    for (unsigned i = 0; i < jobs; i++, running++)
        job_start(&job[i], seed++, count / jobs);
    for (uint64_t told = 0; running > 0;) {
        int status;
        pid_t ended = wait(&status);
        CHECK(ended > 0);
        unsigned i = 0;
        while (job[i].child != ended)
            i++;
        if (status != 0)
            job_failed(&job[i], status, program);
        sum = (struct progress){.seed = 0};
        for (unsigned j = 0; j < jobs; j++) {
            sum.states += job[j].progress->states;
            sum.again += job[j].progress->again;
            sum.same += job[j].progress->same;
            sum.calls += job[j].progress->calls;
            sum.runs += job[j].progress->runs;
            sum.struck += job[j].progress->struck;
        }
        if (sum.states >= told + 20000) {
            printf("%" PRIu64 " states of %" PRIu64 " runs\n", sum.states, sum.runs);
            fflush(stdout);
            told = sum.states;
        }
        running--;
        if (job[i].progress->states < count / jobs) {
            job_start(&job[i], seed++, count / jobs);
            running++;
        }
    }
    for (unsigned i = 0; i < jobs; i++)
        tempdir_remove(job[i].base);
    printf("%" PRIu64 " states of %" PRIu64 " runs with %" PRIu64 " calls (%" PRIu64
           " runs were killed or a call of theirs "
           "failed); %" PRIu64 " states crashed again while they recovered; %" PRIu64
           " more were the same as another\n",
           sum.states, sum.runs, sum.calls, sum.struck, sum.again, sum.same);
}

/* ---- One state again ---- */

static int run_state(const char *log_path, const char *state)
{
    struct job job = {.control = NULL};
    struct crash_run run;
    struct crash_promise promise = {.acknowledged = 0};
    uint64_t hash;
    job_make(&job);
    struct progress *at = job.progress;
    int members = sscanf(state, "%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64, &at->seed, &at->call,
                         &at->choice, &at->again_call, &at->again_choice);
    CHECK(members == 3 || members == 5);
    crash_run_init(&run, at->seed);
    run.log = disk_log_load(log_path);
    CHECK(at->call <= run.log->count);
    struct disk *disk = disk_new(run.log);
    crash_promise(run.log, 0, (size_t)at->call, &promise);
    disk_play(disk, (size_t)at->call);
    const struct progress wanted = *at;
    at->again_call = at->again_choice = 0;
    choose(&job, disk, &promise, &hash);
    printf("in %s: behind '%s', %" PRIu64 " events acknowledged, %" PRIu64 " submitted\n", job.base,
           at->call == 0 ? "" : disk_call_text(run.log, (size_t)at->call - 1), promise.acknowledged, promise.submitted);
    fflush(stdout);
    if (members == 3) {
        examine(&job, &run, disk, "state", &promise);
    } else {
        struct disk_log *log = record_recovery(&job, &run, disk, &promise);
        struct disk *again = disk_new(log);
        at->again_call = wanted.again_call;
        at->again_choice = wanted.again_choice;
        CHECK(at->again_call <= log->count);
        examine_again_at(&job, &run, log, &promise, again);
        disk_free(again);
        disk_log_free(log);
    }
    disk_free(disk);
    crash_run_deinit(&run);
    tempdir_remove(job.base);
    printf("as it must be\n");
    return 0;
}

/* ---- Controls ---- */

/* The child's last words, in one line. */
static void first_line(const char *path, char ret_line[512])
{
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    if (fgets(ret_line, 512, file) == NULL)
        ret_line[0] = '\0';
    ret_line[strcspn(ret_line, "\n")] = '\0';
    fclose(file);
}

/* A run of an engine that syncs too little. Whether one of its states failed. */
static bool control_fails(struct job *job, uint64_t seed)
{
    char words[TEMPDIR_PATH_BYTES], line[512];
    tempdir_join(words, job->base, "words");
    fflush(stderr);
    int kept = dup(2), fd = open(words, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    CHECK(kept >= 0 && fd >= 0 && dup2(fd, 2) == 2);
    close(fd);
    job_start(job, seed, UINT64_MAX);
    CHECK(dup2(kept, 2) == 2);
    close(kept);
    if (child_exit(job->child) == 0)
        return false;
    first_line(words, line);
    printf("an engine that %s: after %" PRIu64 " states: %s\n", job->control->what, job->progress->states, line);
    fflush(stdout);
    /* By a check of a state: not of ours, not by the recording itself. */
    CHECK(job->progress->call > 0 && strstr(line, "not so") == NULL);
    CHECK(strstr(line, job->control->found) != NULL);
    return true;
}

/* Not every run comes to what the engine does wrongly. */
static void run_control(const struct crash_control *control, uint64_t seed)
{
    struct job job = {.control = control};
    uint64_t end = seed + CONTROL_RUNS;
    job_make(&job);
    while (seed < end && !control_fails(&job, seed))
        seed++;
    CHECK(seed < end);
    tempdir_remove(job.base);
}

static int run_controls(uint64_t seed)
{
    for (size_t i = 0; i < CRASH_CONTROLS; i++)
        run_control(&crash_controls[i], seed);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t count = STATES, seed = SEED;
    unsigned jobs = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--count") == 0)
            count = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--log") == 0 && i + 2 < argc)
            return run_state(argv[i + 1], argv[i + 2]);
    }
    if (argc > 1 && strcmp(argv[1], "--controls") == 0)
        return run_controls(argc > 2 ? strtoull(argv[2], NULL, 10) : SEED);
    CHECK(count > 0 && jobs > 0 && jobs <= JOBS_MAX);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    run_states(argv[0], count, seed, jobs);
    return 0;
}
