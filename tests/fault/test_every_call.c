/*
 * test_every_call.c — a life of 1,000 events in which one system call on files fails, LMDB's among them: any call of any kind,
 * once, with any of the errors. Each failure is told with its place; the first write or sync that fails stops the engine
 * before it acknowledges; behind it everything acknowledged is there and the rest wholly or not at all.
 *
 *     test_every_call [EVERY [PART PARTS]]     every EVERYth case, of opens and reads every eighth of those, and of what a
 *                                              life does seldom six times as many; 1 for all. PARTS processes share them, numbered from 0
 *     test_every_call SCENE CALLS ERROR INDEX  one case, as a failure tells it
 *
 * A plain main(), so that the case that ended the process can be told.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/leaks.h"
#include "tests/lib/life.h"
#include "tests/lib/plain.h"
#include "tests/lib/trap.h"

enum {
    EVENTS = 1000,
    EVERY = 31, /* where no argument tells; prime, so that all errors and places have their turn */
    MANY = 8,   /* opens and reads are so many, and */
    FEW = 6,    /* names, maps and the like so few */
    CASE_SECONDS_MAX = 120,
};

/* ---- What can be asked for ---- */

static const struct scene {
    const char *name;
    uint64_t segment_bytes;
    bool has_long_sources;
} scenes[] = {
    {"many-segments", 16384, false},
    {"prepared-segments", (1 << 20) + 4096, true}, /* large enough that a thread makes the next one ready */
};

struct kind {
    const char *name;
    unsigned calls;
    uint64_t least; /* so many of them a life has */
    enum { USUAL, RARE, OFTEN } how_often;
};
static const struct kind kinds[] = {
    {"writes", TRAP_WRITES, 200, USUAL}, {"syncs", TRAP_SYNCS, 100, USUAL},  {"truncates", TRAP_TRUNCATES, 2, RARE},
    {"names", TRAP_NAMES, 8, RARE},      {"opens", TRAP_OPENS, 40, OFTEN},   {"reads", TRAP_READS, 40, OFTEN},
    {"maps", TRAP_MAPS, 4, RARE},        {"threads", TRAP_THREADS, 4, RARE},
};

#define CHANGES (TRAP_CHANGES | TRAP_OPENS | TRAP_MAPS)
static const struct fault {
    const char *name;
    int error;
    enum trap_action action;
    unsigned calls; /* of these kinds */
} faults[] = {
    {"EIO", EIO, TRAP_ONCE, CHANGES | TRAP_READS},
    {"ENOSPC", ENOSPC, TRAP_ONCE, CHANGES},
    {"EDQUOT", EDQUOT, TRAP_ONCE, CHANGES},
    {"EINTR", EINTR, TRAP_ONCE, CHANGES | TRAP_READS},
    {"EMFILE", EMFILE, TRAP_ONCE, TRAP_OPENS},
    {"ENOMEM", ENOMEM, TRAP_ONCE, TRAP_MAPS},
    {"EAGAIN", EAGAIN, TRAP_ONCE, TRAP_THREADS},
    {"short", 0, TRAP_SHORT_ONLY, TRAP_WRITES},
    {"short-then-ENOSPC", ENOSPC, TRAP_SHORT, TRAP_WRITES},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- One case ---- */

struct tally {
    uint64_t index; /* being tried */
    uint64_t cases, failed_opens, failed_calls, stopped, unharmed;
};
static struct tally *tally; /* shared with the children */
static struct script script;

/* A write or sync of what the engine acknowledges by: behind its failure nothing may be acknowledged any more. What is
 * prepared for later is tried again when it is needed. */
static bool must_stop(const struct trap *trap, const char *place)
{
    if ((trap->calls & (TRAP_WRITES | TRAP_SYNCS)) == 0 || trap->error == EINTR || trap->action == TRAP_SHORT_ONLY)
        return false;
    return (strstr(place, "/data/journal") != NULL && strstr(place, "/spare") == NULL &&
            strstr(place, "/watermark") == NULL) ||
           strstr(place, "/data/store/data.mdb") != NULL;
}

/* What was said names the file that failed, as it lies in the data directory. */
static bool names_place(const struct life *life, const char *place)
{
    const char *data = strstr(place, "/data/");
    return data != NULL && strcmp(life->fault.file, data + strlen("/data/")) == 0;
}

/* False: there are not so many calls. */
static bool try_case(const struct scene *scene, const struct trap *trap)
{
    struct life life;
    life_make(&life, &script);
    life.rig.options.segment_bytes = scene->segment_bytes;
    life.has_long_sources = scene->has_long_sources;
    life.faults_left =
        trap->action == TRAP_SHORT ? 2 : 1; /* LMDB gives up at the short one, and the other meets the next call */
    trap_set(trap);
    life_live(&life);
    bool was_met = trap_was_met();
    trap_clear();
    if (was_met && must_stop(trap, trap_place()) &&
        ((!life.is_latched && life.failed_opens == 0) || !names_place(&life, trap_place()))) {
        fprintf(stderr, "%s: the engine went on, or said only: '%s': %s\n", trap_place(), life.fault.file,
                life.fault.text);
        abort();
    }
    if (was_met)
        life_check(&life);
    CHECK(was_met || (!life.is_latched && life.failed_opens + life.failed_calls == 0));
    tally->cases += was_met;
    tally->stopped += was_met && life.is_latched;
    tally->failed_opens += life.failed_opens > 0;
    tally->failed_calls += life.failed_calls > 0;
    tally->unharmed += was_met && !life.is_latched && life.failed_opens + life.failed_calls == 0;
    life_end(&life);
    return was_met;
}

static struct trap trap_of(const struct kind *kind, const struct fault *fault, uint64_t index)
{
    return (struct trap){.calls = kind->calls, .index = index, .error = fault->error, .action = fault->action};
}

/* ---- All cases ---- */

static void run_child(const struct scene *scene, const struct kind *kind, const struct fault *fault, uint64_t first,
                      uint64_t every)
{
    pid_t child = child_fork();
    if (child == 0) {
        for (tally->index = first;; tally->index += every) {
            struct trap trap = trap_of(kind, fault, tally->index);
            alarm(CASE_SECONDS_MAX);
            if (!try_case(scene, &trap))
                break;
        }
        leaks_check();
        _exit(0);
    }
    int status = child_exit(child);
    if (status == 0)
        return;
    fprintf(stderr, "ended with %d; again: test_every_call %s %s %s %" PRIu64 "\n", status, scene->name, kind->name,
            fault->name, tally->index);
    exit(1);
}

/* How many calls of a kind a life without a fault makes. */
static uint64_t count_calls(const struct scene *scene, const struct kind *kind)
{
    pid_t child = child_fork();
    if (child == 0) {
        struct life life;
        alarm(CASE_SECONDS_MAX);
        life_make(&life, &script);
        life.rig.options.segment_bytes = scene->segment_bytes;
        life.has_long_sources = scene->has_long_sources;
        trap_set(&(struct trap){.calls = kind->calls, .index = 0});
        life_live(&life);
        tally->index = trap_clear();
        CHECK(!life.is_latched && life.failed_calls + life.failed_opens == 0);
        life_check(&life);
        life_end(&life);
        leaks_check();
        _exit(0);
    }
    CHECK(child_exit(child) == 0);
    if (tally->index < kind->least) {
        fprintf(stderr, "%s: %" PRIu64 " %s only\n", scene->name, tally->index, kind->name);
        exit(1);
    }
    return tally->index;
}

static uint64_t stride_of(const struct kind *kind, uint64_t every)
{
    if (every == 1 || kind->how_often == USUAL)
        return every;
    return kind->how_often == OFTEN ? every * MANY : 1 + every / FEW;
}

/* The cases are numbered through: by scene, kind, error and index. */
static void run_all(uint64_t every, uint64_t part, uint64_t parts)
{
    uint64_t begin = 0; /* number of the first case of this kind and error */
    for (size_t s = 0; s < COUNT(scenes); s++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            uint64_t calls = count_calls(&scenes[s], &kinds[k]), before = tally->cases;
            uint64_t stride = stride_of(&kinds[k], every) * parts;
            for (size_t f = 0; f < COUNT(faults); f++) {
                if ((faults[f].calls & kinds[k].calls) == 0)
                    continue;
                uint64_t skip = (part * (stride / parts) + stride - begin % stride) % stride;
                run_child(&scenes[s], &kinds[k], &faults[f], 1 + skip, stride);
                begin += calls;
            }
            printf("%-18s %-10s %6" PRIu64 " calls, %6" PRIu64 " cases\n", scenes[s].name, kinds[k].name, calls,
                   tally->cases - before);
            fflush(stdout);
        }
}

#define FIND(table, text, ret_row)                                                                                     \
    do {                                                                                                               \
        size_t row = 0;                                                                                                \
        while (row < COUNT(table) && strcmp((table)[row].name, (text)) != 0)                                           \
            row++;                                                                                                     \
        CHECK(row < COUNT(table));                                                                                     \
        *(ret_row) = &(table)[row];                                                                                    \
    } while (0)

static void run_one(char **words)
{
    const struct scene *scene;
    const struct kind *kind;
    const struct fault *fault;
    FIND(scenes, words[0], &scene);
    FIND(kinds, words[1], &kind);
    FIND(faults, words[2], &fault);
    struct trap trap = trap_of(kind, fault, strtoull(words[3], NULL, 10));
    bool was_met = try_case(scene, &trap);
    printf("%s\n", was_met ? trap_place() : "there are not so many calls");
}

int main(int argc, char **argv)
{
    builder_use_memory();
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    script_make(&script, stream_seed(5), EVENTS);
    if (argc == 5) {
        run_one(argv + 1);
    } else {
        uint64_t every = argc > 1 ? strtoull(argv[1], NULL, 10) : EVERY;
        uint64_t part = argc > 3 ? strtoull(argv[2], NULL, 10) : 0, parts = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
        CHECK(every > 0 && part < parts);
        run_all(every, part, parts);
        printf("%" PRIu64 " cases: an open failed in %" PRIu64 ", another call in %" PRIu64 ", %" PRIu64
               " engines stopped, %" PRIu64 " lives were not harmed\n",
               tally->cases, tally->failed_opens, tally->failed_calls, tally->stopped, tally->unharmed);
        CHECK(tally->failed_opens > 0 && tally->stopped > 0 && tally->unharmed > 0);
    }
    script_free(&script);
    return 0;
}
