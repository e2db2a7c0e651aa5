/*
 * test_calls.c — each call of a run fails once: to the system, to the allocator, to LMDB. The run tells an error or
 * does without; nothing leaks, no descriptor stays open; afterwards the same run succeeds, and what was acknowledged is
 * there.
 *
 * A plain program: with a scenario's name it runs that one alone, with a number behind it only that call; a third
 * argument is the code that LMDB answers.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "query/print.h"
#include "query/query.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/leaks.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

#define EVENTS 160 /* before a scenario begins; several segments */

static char base[TEMPDIR_BYTES], origin[TEMPDIR_PATH_BYTES], work[TEMPDIR_PATH_BYTES], other[TEMPDIR_PATH_BYTES];
static char logs[TEMPDIR_PATH_BYTES], key[TEMPDIR_PATH_BYTES], public_key[TEMPDIR_PATH_BYTES], seal[TEMPDIR_PATH_BYTES];
static uint64_t acknowledged; /* events of the run that were */

/* What goes wrong is told with what repeats it. */
static const char *scenario_name = "";
static uint64_t scenario_nth;
static int scenario_code;

static void tell_place(int signal_number)
{
    char text[200];
    int bytes = snprintf(text, sizeof text, "test_fault_calls %s %" PRIu64 " %d: %s failed\n", scenario_name,
                         scenario_nth, scenario_code, trap_name());
    bytes = (int)write(STDERR_FILENO, text, (size_t)bytes);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void expect_ok(settle_status status, const settle_error *error)
{
    if (status != SETTLE_OK)
        fprintf(stderr, "%s: %s\n", error->file, error->text);
    CHECK(status == SETTLE_OK);
}

/* ---- Parts of runs ---- */

static settle_options engine_options(void)
{
    settle_options options;
    settle_options_init(&options);
    options.segment_bytes = 16384;
    options.checkpoint_events_max = 7;
    return options;
}

static settle_status deposit(settle *engine, uint64_t ts_ms, settle_error *error)
{
    settle_event event = rig_deposit(1 + ts_ms % 7, RIG_USDT, 1000, ts_ms);
    settle_result result;
    settle_status status = settle_submit(engine, &event, 1, &result, error);
    acknowledged += status == SETTLE_OK && result.outcome == SETTLE_ACCEPTED;
    return status;
}

static settle_status run_engine_with(const settle_lines_options *lines, settle_error *error)
{
    settle_options options = engine_options();
    settle *engine = NULL;
    settle_balance balance;
    settle_lifecycle *life = NULL;
    settle_source_position position;
    settle_status status = settle_open(work, &options, &engine, error);
    if (status == SETTLE_OK && lines != NULL)
        status = settle_lines_start(engine, lines, error);
    for (unsigned i = 0; i < 2 && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &rig_assets[i], error);
    if (status == SETTLE_OK)
        status = settle_source_open(engine, (settle_text){"in", 2}, &position, error);
    for (uint64_t i = 0; i < 9 && status == SETTLE_OK; i++)
        status = deposit(engine, 5000 + i, error);
    if (status == SETTLE_OK)
        status = settle_balance_get(engine, 1, RIG_USDT, &balance, error);
    if (status == SETTLE_OK)
        status = settle_lifecycle_get(engine, (settle_text){"deposit_6_2_5003", 16}, &life, error);
    if (status == SETTLE_OK)
        settle_lifecycle_free(life);
    if (status == SETTLE_OK)
        status = settle_flush(engine, error);
    settle_status closed = settle_close(engine, status == SETTLE_OK ? error : NULL);
    return status == SETTLE_OK ? closed : status;
}

static settle_status run_engine(settle_error *error)
{
    return run_engine_with(NULL, error);
}

static settle_lines_options lines_options(void)
{
    settle_lines_options options;
    settle_lines_options_init(&options);
    options.directory = logs;
    options.rotate_bytes = 20000;
    options.keep_bytes = 100000;
    options.compress = 1;
    options.free_bytes_min = 0;
    return options;
}

static settle_status run_lines(settle_error *error)
{
    return run_engine_with(&(settle_lines_options[]){lines_options()}[0], error);
}

static bool devour(void *context, const char *bytes, size_t count)
{
    (void)bytes;
    *(uint64_t *)context += count;
    return true;
}

static settle_status run_tail(settle_error *error)
{
    const settle_lines_options lines = lines_options();
    const struct tail_options tail = {.from_seq = 0};
    struct logs_rebuilt rebuilt = {0};
    struct logs_result result;
    struct out out;
    uint64_t bytes = 0;
    out_init(&out, devour, &bytes);
    settle_status status = query_tail(work, &tail, &out, error);
    if (status == SETTLE_OK)
        status = query_tail_files(work, &lines, &tail, error);
    if (status == SETTLE_OK)
        status = query_logs_verify(work, &lines, &result, error);
    if (status == SETTLE_OK)
        status = query_logs_rebuild(work, &lines, NULL, &rebuilt, error);
    logs_rebuilt_free(&rebuilt);
    return status;
}

static bool take_change(void *context, const struct account_change *change)
{
    *(uint64_t *)context += change->seq;
    return true;
}

static bool take_event(void *context, const struct journal_event *event)
{
    *(uint64_t *)context += event->seq;
    return true;
}

static bool take_id(void *context, const char *event_id, const settle_arrival *first)
{
    (void)event_id;
    *(uint64_t *)context += first->result.seq;
    return true;
}

static bool take_stuck(void *context, const struct stuck_event *event)
{
    *(uint64_t *)context += event->seq;
    return true;
}

static settle_status ask(struct query *query, settle_error *error)
{
    struct ledger ledgers[4] = {{0}};
    settle_lifecycle *life = NULL;
    uint64_t sum = 0, seq = 0;
    const struct history_options history = {0, UINT64_MAX, UINT64_MAX};
    settle_status status = query_balances(query, 0, 0, &ledgers[0], error);
    if (status == SETTLE_OK)
        status = query_balances(query, 3, RIG_USDT, &ledgers[1], error);
    if (status == SETTLE_OK)
        status = query_balances_at(query, 0, 0, 100, &ledgers[2], error);
    if (status == SETTLE_OK)
        status = query_balances_at(query, 3, RIG_USDT, 100, &ledgers[3], error);
    if (status == SETTLE_OK)
        status = query_history(query, 3, RIG_USDT, &history, take_change, &sum, error);
    if (status == SETTLE_OK)
        status = query_lifecycle(query, (settle_text){"deposit_3_2_100", 15}, &life, error);
    if (status == SETTLE_OK)
        settle_lifecycle_free(life);
    if (status == SETTLE_OK)
        status = query_events(query, 50, 100, take_event, &sum, error);
    if (status == SETTLE_OK)
        status = query_ids(query, (settle_text){"deposit_3", 9}, take_id, &sum, error);
    if (status == SETTLE_OK)
        status = query_stuck(query, take_stuck, &sum, error);
    if (status == SETTLE_OK)
        status = query_seq_at(query, query_now_us(), &seq, error);
    for (unsigned i = 0; i < 4; i++)
        ledger_free(&ledgers[i]);
    return status;
}

static settle_status run_queries(settle_error *error)
{
    struct query *query = NULL;
    settle_status status = query_open(work, &query, error);
    if (status == SETTLE_OK)
        status = ask(query, error);
    query_close(query);
    return status;
}

/* Everything that reads the whole journal. */
static settle_status run_audit(settle_error *error)
{
    const struct replay_options replay = {.until_seq = UINT64_MAX, .check = true};
    const struct export_options export = {.format = EXPORT_CSV, .measures = true};
    struct replay_result replayed = {.ok = false};
    struct verify_result verified;
    struct inspect_directory inspected = {.segments = NULL};
    struct stats stats = {.assets = NULL};
    struct out out;
    uint64_t bytes = 0;
    out_init(&out, devour, &bytes);
    settle_status status = query_replay(work, &replay, &replayed, error);
    ledger_free(&replayed.ledger);
    if (status == SETTLE_OK)
        status = query_verify(work, NULL, &verified, error);
    if (status == SETTLE_OK)
        status = query_inspect(work, &inspected, error);
    if (status == SETTLE_OK)
        inspect_free(&inspected);
    if (status == SETTLE_OK)
        status = query_stats(work, &stats, error);
    stats_free(&stats);
    if (status == SETTLE_OK)
        status = query_export(work, &export, &out, error);
    return status;
}

static settle_status run_archive(settle_error *error)
{
    const struct archive_options options = {.before_seq = UINT64_MAX, .level = 1};
    struct archive_result moved = {.segments = NULL}, restored = {.segments = NULL};
    settle_status status = query_archive(work, &options, &moved, error);
    archive_result_free(&moved);
    if (status == SETTLE_OK)
        status = query_restore(work, &restored, error);
    archive_result_free(&restored);
    return status;
}

static settle_status run_seal(settle_error *error)
{
    static struct seal_result result;
    struct seal_verdict verdict;
    struct proof proof = {NULL, 0};
    const struct seal_options options = {.key_path = key};
    settle_status status = query_seal(work, &options, &result, error);
    if (status == SETTLE_OK)
        status = query_seal_verify(work, seal, public_key, &verdict, error);
    if (status == SETTLE_OK)
        status = query_prove(work, (settle_text){"deposit_3_2_100", 15}, seal, &proof, error);
    proof_free(&proof);
    if (status == SETTLE_OK)
        status = query_prove_consistency(work, seal, result.file, &proof, error);
    if (status == SETTLE_OK)
        proof_free(&proof);
    return status;
}

static settle_status run_key(settle_error *error)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, other, "key");
    return query_seal_key(work, path, error);
}

static settle_status run_copy(settle_error *error)
{
    return query_copy(work, other, EVENTS / 2, error);
}

/* ---- What the directory is before a run ---- */

static void join_all(void)
{
    tempdir_make(base);
    tempdir_join(origin, base, "origin");
    tempdir_join(work, base, "work");
    tempdir_join(other, base, "other");
    tempdir_join(logs, base, "logs");
    tempdir_join(key, base, "key");
    tempdir_join(public_key, base, "key.pub");
    tempdir_join(seal, base, "seal");
}

static void fill_work(void)
{
    settle_options options = engine_options();
    settle *engine = NULL;
    settle_error error = {.status = SETTLE_OK};
    settle_result result;
    expect_ok(settle_open(work, &options, &engine, &error), &error);
    for (unsigned i = 0; i < 2; i++)
        expect_ok(settle_asset_declare(engine, &rig_assets[i], &error), &error);
    for (uint64_t i = 0; i < EVENTS; i++) {
        settle_event event = rig_deposit(1 + i % 7, RIG_USDT, 1000, i / 7 * 7 + 2);
        event.ts_ms = i == 100 ? 100 : 1000 + i;
        event.u.transfer.user = 1 + event.ts_ms % 7;
        if (i == 100)
            event.u.transfer.user = 3;
        expect_ok(settle_submit(engine, &event, 1, &result, &error), &error);
    }
    expect_ok(settle_close(engine, &error), &error);
}

static void remove_store(void)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, work, "store");
    tempdir_remove(path);
}

static void archive_work(void)
{
    const struct archive_options options = {.before_seq = UINT64_MAX, .level = 1};
    struct archive_result result;
    settle_error error = {.status = SETTLE_OK};
    expect_ok(query_archive(work, &options, &result, &error), &error);
    CHECK(result.count > 1);
    archive_result_free(&result);
}

static void archive_and_remove_store(void)
{
    archive_work();
    remove_store();
}

/* Behind the last frame half a header, and no store. */
static void tear(void)
{
    struct inspect_directory inspected;
    settle_error error = {.status = SETTLE_OK};
    struct tree_segments segments = tree_segments(work);
    remove_store();
    expect_ok(query_inspect(work, &inspected, &error), &error);
    tree_write(segments.paths[segments.count - 1], inspected.segments[inspected.segment_count - 1].bytes_used, "SETF",
               4);
    inspect_free(&inspected);
    tree_segments_free(&segments);
}

static void make_seal(void)
{
    static struct seal_result result;
    const struct seal_options options = {.key_path = key, .output = seal};
    const struct seal_options inside = {.key_path = key};
    settle_error error = {.status = SETTLE_OK};
    expect_ok(query_seal_key(work, key, &error), &error);
    expect_ok(query_seal(work, &options, &result, &error), &error);
    expect_ok(query_seal(work, &inside, &result, &error), &error);
    acknowledged = 0;
    expect_ok(run_engine(&error), &error);
}

static void make_logs(void)
{
    const settle_lines_options lines = lines_options();
    const struct tail_options tail = {.from_seq = 0};
    settle_error error = {.status = SETTLE_OK};
    expect_ok(query_tail_files(work, &lines, &tail, &error), &error);
}

/* ---- What holds after a run ---- */

static void expect_sound(uint64_t events_min)
{
    struct verify_result result;
    settle_error error = {.status = SETTLE_OK};
    expect_ok(query_verify(work, NULL, &result, &error), &error);
    if (!result.ok)
        fprintf(stderr, "%s: %s\n", result.fault.file, result.fault.text);
    CHECK(result.ok);
    CHECK(result.counts.events >= events_min);
}

static void expect_lines(uint64_t events_min)
{
    const settle_lines_options lines = lines_options();
    struct logs_result result;
    settle_error error = {.status = SETTLE_OK};
    expect_sound(events_min);
    expect_ok(query_logs_verify(work, &lines, &result, &error), &error);
    if (!result.ok)
        fprintf(stderr, "%s:%" PRIu64 ": %s\n", result.file, result.line, result.difference);
    CHECK(result.ok);
}

static void expect_copy(uint64_t events_min)
{
    struct verify_result result;
    settle_error error = {.status = SETTLE_OK};
    expect_sound(events_min);
    expect_ok(query_verify(other, NULL, &result, &error), &error);
    CHECK(result.ok && result.counts.events == EVENTS / 2);
}

/* ---- Scenarios ---- */

struct scenario {
    const char *name;
    void (*prepare)(void); /* besides the events */
    settle_status (*run)(settle_error *error);
    void (*expect)(uint64_t events_min); /* after a run without faults */
    bool is_empty;                       /* the directory does not exist before the run */
    bool is_read_only;                   /* needs no fresh directory for each call */
};
static const struct scenario scenarios[] = {
    {"create", NULL, run_engine, NULL, true, false},
    {"engine", NULL, run_engine, expect_sound, false, false},
    {"torn", tear, run_engine, expect_sound, false, false},
    {"snapshot", archive_and_remove_store, run_engine, expect_sound, false, false},
    {"lines", NULL, run_lines, expect_lines, false, false},
    {"tail", make_logs, run_tail, expect_lines, false, false},
    {"queries", NULL, run_queries, expect_sound, false, true},
    {"queries-alone", remove_store, run_queries, expect_sound, false, true},
    {"queries-archived", archive_work, run_queries, expect_sound, false, true},
    {"audit", archive_work, run_audit, expect_sound, false, true},
    {"archive", NULL, run_archive, expect_sound, false, false},
    {"seal", make_seal, run_seal, expect_sound, false, false},
    {"key", NULL, run_key, expect_sound, false, false},
    {"copy", NULL, run_copy, expect_copy, false, false},
};

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void remove_all(const char *path)
{
    struct stat stats;
    if (lstat(path, &stats) == 0)
        tempdir_remove(path);
}

static void reset(const struct scenario *s)
{
    char kept[TEMPDIR_PATH_BYTES];
    tempdir_join(kept, base, "logs-origin");
    remove_all(work);
    remove_all(other);
    remove_all(logs);
    struct stat stats;
    if (!s->is_empty)
        tree_copy(origin, work);
    if (stat(kept, &stats) == 0)
        tree_copy(kept, logs);
    if (s->run == run_key)
        CHECK(mkdir(other, 0700) == 0);
}

static void prepare(const struct scenario *s)
{
    char kept[TEMPDIR_PATH_BYTES];
    struct stat stats;
    tempdir_join(kept, base, "logs-origin");
    remove_all(work);
    remove_all(origin);
    remove_all(kept);
    remove_all(logs);
    for (const char *const *path = (const char *const[]){key, public_key, seal, NULL}; *path != NULL; path++)
        (void)unlink(*path);
    if (s->is_empty)
        return;
    fill_work();
    if (s->prepare != NULL)
        s->prepare();
    tree_copy(work, origin);
    if (stat(logs, &stats) == 0)
        tree_copy(logs, kept);
}

/* One run with one fault, and one without behind it. False: there are not so many calls. */
static bool try_call(const struct scenario *s, unsigned calls, uint64_t nth, int code)
{
    settle_error error = {.status = SETTLE_OK};
    scenario_nth = nth;
    scenario_code = code;
    if (!s->is_read_only)
        reset(s);
    acknowledged = 0;
    int descriptors = open_descriptors();
    trap_set(&(struct trap){.calls = calls, .index = nth, .error = calls == TRAP_LMDB ? code : 0, .is_ours = true});
    settle_status status = s->run(&error);
    bool was_met = trap_was_met();
    trap_clear();
    if (status != SETTLE_OK && error.text[0] == '\0')
        fprintf(stderr, "status %d without a sentence\n", status);
    CHECK(open_descriptors() == descriptors);
    CHECK(status == SETTLE_OK || error.text[0] != '\0' || status == SETTLE_E_NO_MEMORY);
    CHECK(was_met || status == SETTLE_OK);
    if (s->is_read_only)
        return was_met;
    uint64_t events_min = acknowledged + EVENTS;
    remove_all(other);
    if (s->run == run_key)
        CHECK(mkdir(other, 0700) == 0);
    status = s->run(&error);
    expect_ok(status, &error);
    if (s->expect != NULL)
        s->expect(events_min);
    return was_met;
}

static uint64_t sweep(const struct scenario *s, unsigned calls, int code, uint64_t stride)
{
    uint64_t runs = 1;
    for (uint64_t nth = 1; try_call(s, calls, nth, code); nth += stride)
        runs++;
    return runs;
}

/* Interrupted and short calls are no faults: the run succeeds. */
static void try_harmless(const struct scenario *s, enum trap_action action)
{
    settle_error error = {.status = SETTLE_OK};
    reset(s);
    scenario_nth = action;
    trap_set(&(struct trap){.calls = TRAP_INTERRUPTIBLE, .action = action, .is_ours = true});
    settle_status status = s->run(&error);
    CHECK(trap_clear() > 0);
    /* All of trap.h stands in front. */
    CHECK(s->run != run_engine || (trap_count(TRAP_MEMORY) > 0 && trap_count(TRAP_LMDB) > 0));
    expect_ok(status, &error);
    if (s->expect != NULL)
        s->expect(EVENTS);
}

static uint64_t run_scenario(const struct scenario *s, uint64_t stride)
{
    static const int codes[] = {MDB_CORRUPTED, MDB_MAP_FULL, MDB_PANIC,    MDB_MAP_RESIZED, MDB_READERS_FULL,
                                MDB_BAD_TXN,   MDB_TXN_FULL, MDB_DBS_FULL, MDB_TLS_FULL,    EIO};
    const size_t code_count = s->run == run_queries || s->run == run_engine ? sizeof codes / sizeof *codes : 4;
    uint64_t runs = 0;
    if (s->prepare == tear && stride > 1)
        stride *= 5; /* most of its calls are those of making the store anew */
    scenario_name = s->name;
    prepare(s);
    reset(s);
    try_harmless(s, TRAP_INTERRUPT);
    try_harmless(s, TRAP_SHORT_ALL);
    reset(s);
    runs += sweep(s, TRAP_ALL, EIO, stride);
    for (size_t i = 0; i < code_count; i++)
        runs += sweep(s, TRAP_LMDB, codes[i], stride);
    printf("%-18s %" PRIu64 " runs\n", s->name, runs);
    fflush(stdout);
    return runs;
}

int main(int argc, char **argv)
{
    bool is_number = argc > 1 && argv[1][0] >= '0' && argv[1][0] <= '9';
    uint64_t runs = 0, stride = is_number ? strtoull(argv[1], NULL, 10) : 1;
    signal(SIGABRT, tell_place);
    signal(SIGSEGV, tell_place);
    builder_use_memory();
    join_all();
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        if (argc > 1 && !is_number && strcmp(argv[1], s->name) != 0)
            continue;
        if (argc <= 2) {
            runs += run_scenario(s, stride);
            continue;
        }
        scenario_name = s->name;
        prepare(s);
        reset(s);
        int code = argc > 3 ? atoi(argv[3]) : EIO;
        (void)try_call(s, code == EIO ? TRAP_ALL : TRAP_LMDB, strtoull(argv[2], NULL, 10), code);
        runs++;
    }
    tempdir_remove(base);
    printf("%" PRIu64 " runs, each with one call that failed\n", runs);
    leaks_check();
    return runs > 0 ? 0 : 1;
}
