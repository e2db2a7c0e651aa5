/*
 * test_every_allocation.c — memory that runs out at any allocation, of ours, LMDB's, zstd's or the C library's: in each public
 * call of the library, in each question of the query layer, and anywhere in a life of 1,000 events.
 *
 * A call says so and has done nothing: made again it works, and what comes out is what would have come out. Where the engine
 * had taken a part of a batch, or a thread of it was hit, it has stopped, and the directory is whole.
 *
 *     test_every_allocation [EVERY [PART PARTS]]   every EVERYth allocation of the life, all of the calls; 1 for all
 *     test_every_allocation NAME INDEX             one case, as a failure tells it
 *
 * A plain main(), so that the case that ended the process can be told.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/lib/child.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/leaks.h"
#include "tests/lib/life.h"
#include "tests/lib/plain.h"
#include "tests/lib/trap.h"
#include "tests/lib/tree.h"

enum {
    EVENTS = 1000,
    HISTORY = 200, /* events in the directory that calls begin with */
    EVERY = 31,
    CASE_SECONDS_MAX = 120,
};

struct tally {
    char name[64];
    uint64_t index; /* being tried */
    uint64_t cases, refused, stopped, unharmed;
};
static struct tally *tally; /* shared with the children */
static struct script script, history;
static struct rig past; /* past.data: a directory with HISTORY events, the last of them not in the store */

/* ---- What a call begins with ---- */

struct stage {
    struct rig rig;
    char logs[TEMPDIR_PATH_BYTES];
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event events[LIFE_BATCH]; /* the next of the script */
    settle_result results[LIFE_BATCH];
    settle_source_position source;
    settle_lifecycle *story;
    struct query *query;
    _Atomic unsigned completions;
    uint64_t submitted;
    bool was_stopped;
};

enum needs {
    NOTHING,   /* no directory */
    DIRECTORY, /* one with a history */
    ENGINE,    /* opened */
    LINES,     /* and its lines started */
    QUERY,     /* opened */
};

static struct stage *stage_begin(enum needs needs)
{
    struct stage *stage = calloc(1, sizeof *stage);
    CHECK(stage != NULL);
    rig_make(&stage->rig);
    stage->rig.options = past.options;
    stage->rig.options.context = &stage->rig;
    tempdir_join(stage->logs, stage->rig.base, "logs");
    settle_event_id_format(&history.events[HISTORY / 2].event, stage->id);
    for (size_t i = 0; i < LIFE_BATCH; i++)
        stage->events[i] = script.events[HISTORY + i].event;
    if (needs != NOTHING)
        tree_copy(past.data, stage->rig.data);
    if (needs == ENGINE || needs == LINES) {
        CHECK(rig_try_open(&stage->rig) == SETTLE_OK);
        settle_text name = {"source", 6};
        CHECK(settle_source_open(stage->rig.engine, name, &stage->source, NULL) == SETTLE_OK);
    }
    stage->submitted = needs == NOTHING ? 0 : HISTORY;
    return stage;
}

static void stage_free(struct stage *stage)
{
    rig_remove(&stage->rig);
    free(stage);
}

/* ---- The calls: what each does, again where it was refused ---- */

static settle_status call_create(struct stage *s)
{
    return settle_create(s->rig.data, &s->rig.options, &s->rig.error);
}

static settle_status call_open(struct stage *s)
{
    return rig_try_open(&s->rig);
}

static settle_status call_close(struct stage *s)
{
    settle *engine = s->rig.engine;
    s->rig.engine = NULL;
    return settle_close(engine, &s->rig.error);
}

static settle_status call_asset_declare(struct stage *s)
{
    const settle_asset asset = {.id = 77, .scale = 3, .symbol = "NEW"};
    return settle_asset_declare(s->rig.engine, &asset, &s->rig.error);
}

static settle_status call_asset_by_id(struct stage *s)
{
    settle_asset asset;
    return settle_asset_by_id(s->rig.engine, stream_assets[0].id, &asset);
}

static settle_status call_asset_by_symbol(struct stage *s)
{
    settle_asset asset;
    settle_text symbol = {stream_assets[0].symbol, strlen(stream_assets[0].symbol)};
    return settle_asset_by_symbol(s->rig.engine, symbol, &asset);
}

static settle_status call_submit(struct stage *s)
{
    s->submitted = HISTORY + LIFE_BATCH;
    return settle_submit(s->rig.engine, s->events, LIFE_BATCH, s->results, &s->rig.error);
}

static void on_done(void *context, settle_status status, const settle_result *results, size_t count)
{
    struct stage *stage = context;
    CHECK(results == stage->results && count == LIFE_BATCH && (status == SETTLE_OK || status == SETTLE_E_LATCHED));
    stage->completions++;
}

static settle_status call_submit_async(struct stage *s)
{
    s->submitted = HISTORY + LIFE_BATCH;
    CHECK(s->completions == 0);
    return settle_submit_async(s->rig.engine, s->events, LIFE_BATCH, s->results, on_done, s, &s->rig.error);
}

static settle_status call_flush(struct stage *s)
{
    return settle_flush(s->rig.engine, &s->rig.error);
}

static settle_status call_source_open(struct stage *s)
{
    settle_source_position position;
    return settle_source_open(s->rig.engine, (settle_text){"another", 7}, &position, &s->rig.error);
}

static settle_status call_source_advance(struct stage *s)
{
    s->source.line++;
    return settle_source_advance(s->rig.engine, s->source, &s->rig.error);
}

static settle_status call_balance_get(struct stage *s)
{
    const settle_balance *one = &(settle_balance){.user = SETTLE_USER_EXTERNAL, .asset = stream_assets[0].id};
    settle_balance balance;
    return settle_balance_get(s->rig.engine, one->user, one->asset, &balance, &s->rig.error);
}

static settle_status call_lifecycle_get(struct stage *s)
{
    settle_status status =
        settle_lifecycle_get(s->rig.engine, (settle_text){s->id, strlen(s->id)}, &s->story, &s->rig.error);
    CHECK((status == SETTLE_OK) == (s->story != NULL));
    CHECK(s->story == NULL || (strcmp(s->story->event_id, s->id) == 0 && s->story->first.persisted_us != 0));
    return status;
}

static settle_status call_lifecycle_free(struct stage *s)
{
    settle_lifecycle_free(s->story);
    s->story = NULL;
    return SETTLE_OK;
}

static settle_status call_lines_start(struct stage *s)
{
    settle_lines_options lines;
    settle_lines_options_init(&lines);
    lines.directory = s->logs;
    lines.free_bytes_min = 0;
    lines.rotate_bytes = 1 << 16;
    lines.compress = 1;
    return settle_lines_start(s->rig.engine, &lines, &s->rig.error);
}

/* What the thread could not do for want of memory is told here, and left for the next start. */
static settle_status call_lines_stop(struct stage *s)
{
    settle_status status = settle_lines_stop(s->rig.engine, &s->rig.error);
    if (status == SETTLE_OK)
        return status;
    CHECK(status == SETTLE_E_NO_MEMORY || status == SETTLE_E_IO);
    return SETTLE_E_NO_MEMORY;
}

static settle_status call_lines_state_get(struct stage *s)
{
    settle_lines_state state;
    return settle_lines_state_get(s->rig.engine, &state, &s->rig.error);
}

static settle_status call_lines_options(struct stage *s)
{
    settle_lines_options lines;
    (void)s;
    settle_lines_options_init_sized(&lines, sizeof lines);
    return lines.size_bytes == sizeof lines ? SETTLE_OK : SETTLE_E_INVALID;
}

static settle_status call_options(struct stage *s)
{
    settle_options options;
    (void)s;
    settle_options_init_sized(&options, sizeof options);
    return options.size_bytes == sizeof options ? SETTLE_OK : SETTLE_E_INVALID;
}

static settle_status call_amount_parse(struct stage *s)
{
    settle_int128 amount = 0;
    (void)s;
    return settle_amount_parse((settle_text){"170141183460469231731687303715884.105727", 40}, 6, &amount);
}

static settle_status call_price_parse(struct stage *s)
{
    settle_price price;
    (void)s;
    return settle_price_parse((settle_text){"27250.123456789", 15}, &price);
}

static settle_status call_amount_format(struct stage *s)
{
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    (void)s;
    return settle_amount_format(1000500000, 6, text) == 11 ? SETTLE_OK : SETTLE_E_INVALID;
}

static settle_status call_event_id_format(struct stage *s)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    return settle_event_id_format(&s->events[0], id) > 0 ? SETTLE_OK : SETTLE_E_INVALID;
}

/* Constants. */
#define NAMES(function, value)                                                                                         \
    static settle_status call_##function(struct stage *s)                                                              \
    {                                                                                                                  \
        (void)s;                                                                                                       \
        return settle_##function(value) != NULL ? SETTLE_OK : SETTLE_E_INVALID;                                        \
    }
NAMES(status_name, SETTLE_E_BUSY)
NAMES(status_sentence, SETTLE_E_BUSY)
NAMES(outcome_name, SETTLE_ACCEPTED)
NAMES(reason_name, SETTLE_REASON_NONE)
NAMES(type_name, SETTLE_DEPOSIT)
NAMES(version, )

/* ---- The questions. Whether something is right is the answer: a lack of memory is not one ---- */

static settle_status ask_open(struct stage *s)
{
    return query_open(s->rig.data, &s->query, &s->rig.error);
}

static settle_status ask_balances(struct stage *s)
{
    struct ledger ledger;
    settle_status status = query_balances(s->query, 0, 0, &ledger, &s->rig.error);
    if (status == SETTLE_OK) {
        CHECK(ledger.balance_count > 3);
        ledger_free(&ledger);
    }
    return status;
}

static settle_status ask_balances_at(struct stage *s)
{
    struct ledger ledger;
    settle_status status = query_balances_at(s->query, 0, 0, HISTORY / 2, &ledger, &s->rig.error);
    if (status == SETTLE_OK) {
        CHECK(ledger.balance_count > 3);
        ledger_free(&ledger);
    }
    return status;
}

static settle_status ask_lifecycle(struct stage *s)
{
    settle_status status = query_lifecycle(s->query, (settle_text){s->id, strlen(s->id)}, &s->story, &s->rig.error);
    CHECK((status == SETTLE_OK) == (s->story != NULL));
    settle_lifecycle_free(s->story);
    s->story = NULL;
    return status;
}

static bool count_id(void *context, const char *id, const settle_arrival *first)
{
    (void)id, (void)first;
    ++*(unsigned *)context;
    return true;
}

static settle_status ask_ids(struct stage *s)
{
    unsigned count = 0;
    settle_status status = query_ids(s->query, (settle_text){"", 0}, count_id, &count, &s->rig.error);
    CHECK(status != SETTLE_OK || count > 20);
    return status;
}

static bool count_change(void *context, const struct account_change *change)
{
    (void)change;
    ++*(unsigned *)context;
    return true;
}

static settle_status ask_history(struct stage *s)
{
    const struct history_options all = {0, UINT64_MAX, UINT64_MAX};
    unsigned count = 0;
    settle_status status =
        query_history(s->query, SETTLE_USER_EXTERNAL, stream_assets[0].id, &all, count_change, &count, &s->rig.error);
    CHECK(status != SETTLE_OK || count > 3);
    return status;
}

static bool count_event(void *context, const struct journal_event *event)
{
    (void)event;
    ++*(unsigned *)context;
    return true;
}

static settle_status ask_events(struct stage *s)
{
    unsigned count = 0;
    settle_status status = query_events(s->query, 1, UINT64_MAX, count_event, &count, &s->rig.error);
    CHECK(status != SETTLE_OK || count == HISTORY);
    return status;
}

static settle_status ask_seq_at(struct stage *s)
{
    uint64_t seq = 0;
    settle_status status = query_seq_at(s->query, UINT64_MAX / 2, &seq, &s->rig.error);
    CHECK(status != SETTLE_OK || seq > 0);
    return status;
}

static settle_status ask_replay(struct stage *s)
{
    const struct replay_options options = {.until_seq = UINT64_MAX, .check = true};
    struct replay_result result;
    settle_status status = query_replay(s->rig.data, &options, &result, &s->rig.error);
    if (status == SETTLE_OK) {
        CHECK(result.ok && result.counts.events == HISTORY && result.store == STORE_EQUAL);
        ledger_free(&result.ledger);
    }
    return status;
}

static settle_status ask_verify(struct stage *s)
{
    struct verify_result result;
    settle_status status = query_verify(s->rig.data, NULL, &result, &s->rig.error);
    CHECK(status != SETTLE_OK || (result.ok && result.counts.events == HISTORY && result.store == STORE_EQUAL));
    return status;
}

static settle_status ask_stats(struct stage *s)
{
    struct stats stats;
    settle_status status = query_stats(s->rig.data, &stats, &s->rig.error);
    if (status == SETTLE_OK) {
        CHECK(stats.counts.events == HISTORY);
        stats_free(&stats);
    }
    return status;
}

static settle_status ask_inspect(struct stage *s)
{
    struct inspect_directory inspect;
    settle_status status = query_inspect(s->rig.data, &inspect, &s->rig.error);
    if (status == SETTLE_OK) {
        CHECK(inspect.fault.status == SETTLE_OK && inspect.last_seq == HISTORY);
        inspect_free(&inspect);
    }
    return status;
}

static bool swallow(void *context, const char *bytes, size_t count)
{
    (void)bytes;
    *(size_t *)context += count;
    return true;
}

static settle_status ask_export(struct stage *s)
{
    const struct export_options options = {.format = EXPORT_EVENTS, .measures = true};
    static struct out out;
    size_t bytes = 0;
    out_init(&out, swallow, &bytes);
    settle_status status = query_export(s->rig.data, &options, &out, &s->rig.error);
    CHECK(status != SETTLE_OK || (out_flush(&out) && bytes > 1000));
    return status;
}

/* ---- The table ---- */

static const struct call {
    const char *name; /* of tests/golden/symbols.txt, or of the query layer */
    enum needs needs;
    settle_status (*make)(struct stage *stage);
} calls[] = {
    {"settle_amount_format", NOTHING, call_amount_format},
    {"settle_amount_parse", NOTHING, call_amount_parse},
    {"settle_asset_by_id", ENGINE, call_asset_by_id},
    {"settle_asset_by_symbol", ENGINE, call_asset_by_symbol},
    {"settle_asset_declare", ENGINE, call_asset_declare},
    {"settle_balance_get", ENGINE, call_balance_get},
    {"settle_close", ENGINE, call_close},
    {"settle_create", NOTHING, call_create},
    {"settle_event_id_format", NOTHING, call_event_id_format},
    {"settle_flush", ENGINE, call_flush},
    {"settle_lifecycle_free", ENGINE, call_lifecycle_free},
    {"settle_lifecycle_get", ENGINE, call_lifecycle_get},
    {"settle_lines_options_init_sized", NOTHING, call_lines_options},
    {"settle_lines_start", ENGINE, call_lines_start},
    {"settle_lines_state_get", LINES, call_lines_state_get},
    {"settle_lines_stop", LINES, call_lines_stop},
    {"settle_open", DIRECTORY, call_open},
    {"settle_options_init_sized", NOTHING, call_options},
    {"settle_outcome_name", NOTHING, call_outcome_name},
    {"settle_price_parse", NOTHING, call_price_parse},
    {"settle_reason_name", NOTHING, call_reason_name},
    {"settle_source_advance", ENGINE, call_source_advance},
    {"settle_source_open", ENGINE, call_source_open},
    {"settle_status_name", NOTHING, call_status_name},
    {"settle_status_sentence", NOTHING, call_status_sentence},
    {"settle_submit", ENGINE, call_submit},
    {"settle_submit_async", ENGINE, call_submit_async},
    {"settle_type_name", NOTHING, call_type_name},
    {"settle_version", NOTHING, call_version},
    {"query_open", DIRECTORY, ask_open},
    {"query_balances", QUERY, ask_balances},
    {"query_balances_at", QUERY, ask_balances_at},
    {"query_lifecycle", QUERY, ask_lifecycle},
    {"query_ids", QUERY, ask_ids},
    {"query_history", QUERY, ask_history},
    {"query_events", QUERY, ask_events},
    {"query_seq_at", QUERY, ask_seq_at},
    {"query_replay", DIRECTORY, ask_replay},
    {"query_verify", DIRECTORY, ask_verify},
    {"query_stats", DIRECTORY, ask_stats},
    {"query_inspect", DIRECTORY, ask_inspect},
    {"query_export", DIRECTORY, ask_export},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A public call that the table does not have is a failure. */
static void expect_all_public_calls(void)
{
    FILE *list = fopen(TEST_GOLDEN_DIR "/symbols.txt", "r");
    char line[256], name[128];
    size_t count = 0, missing = 0;
    CHECK(list != NULL);
    while (fgets(line, sizeof line, list) != NULL) {
        size_t row = 0;
        CHECK(sscanf(line, "%127s", name) == 1);
        while (row < COUNT(calls) && strcmp(calls[row].name, name) != 0)
            row++;
        if (row == COUNT(calls)) {
            fprintf(stderr, "%s() is public, and no allocation of it fails here\n", name);
            missing++;
        }
        count++;
    }
    fclose(list);
    CHECK(count > 20 && missing == 0);
}

/* ---- One case ---- */

static void prepare(struct stage *stage, const struct call *call)
{
    if (call->needs == LINES)
        CHECK(call_lines_start(stage) == SETTLE_OK);
    if (call->needs == QUERY)
        CHECK(query_open(stage->rig.data, &stage->query, &stage->rig.error) == SETTLE_OK);
    if (call->make == call_lifecycle_free)
        CHECK(call_lifecycle_get(stage) == SETTLE_OK);
    if (call->make == call_close) /* there is something to commit and to checkpoint, and a completion to be called */
        CHECK(call_submit_async(stage) == SETTLE_OK);
}

/* The events went in, once, and what came out is the model's. */
static void expect_results(const struct stage *stage)
{
    char text[MODEL_TEXT_BYTES];
    for (size_t i = 0; i < LIFE_BATCH; i++)
        CHECK(model_result_equal(&script.expected[HISTORY + i], &stage->results[i], text));
}

/* Closes what is open and compares the directory with the model. */
static void expect_whole(struct stage *stage, const struct call *call)
{
    struct oracle oracle;
    bool is_async = call->make == call_submit_async;
    settle_lifecycle_free(stage->story);
    query_close(stage->query);
    settle *engine = stage->rig.engine;
    stage->rig.engine = NULL;
    settle_status status = settle_close(engine, &stage->rig.error);
    CHECK(status == (stage->was_stopped && engine != NULL ? SETTLE_E_LATCHED : SETTLE_OK));
    CHECK(!is_async || stage->completions <= 1);
    if (call->needs == NOTHING && call->make != call_create)
        return;
    CHECK(rig_try_open(&stage->rig) == SETTLE_OK);
    rig_close(&stage->rig);
    oracle_init(&oracle, script.seed);
    oracle_rewind(&oracle, call->needs == NOTHING ? 0 : HISTORY);
    uint64_t seq = oracle_follow(&oracle, stage->rig.data);
    CHECK(seq <= stage->submitted && (stage->was_stopped || seq == stage->submitted));
    oracle_check_directory(&oracle, stage->rig.data);
    life_verify(stage->rig.data);
    oracle_deinit(&oracle);
}

/* False: there are not so many allocations. */
static bool try_call(const struct call *call, uint64_t index)
{
    struct stage *stage = stage_begin(call->needs);
    prepare(stage, call);
    stage->rig.error = (settle_error){.status = SETTLE_OK};
    trap_set(&(struct trap){.calls = TRAP_MEMORY, .index = index});
    settle_status status = call->make(stage);
    bool was_met = trap_was_met();
    trap_clear();
    CHECK(was_met || status == SETTLE_OK);
    stage->was_stopped = status == SETTLE_E_LATCHED;
    if (status != SETTLE_OK) {
        const settle_error *error = &stage->rig.error;
        if ((status != SETTLE_E_NO_MEMORY && status != SETTLE_E_LATCHED) || error->status != status ||
            error->text[0] == '\0') {
            fprintf(stderr, "%s: %d, '%s'\n", call->name, (int)status, error->text);
            abort();
        }
        if (status == SETTLE_E_NO_MEMORY)
            CHECK(call->make(stage) == SETTLE_OK); /* nothing was half done */
    }
    if (!stage->was_stopped && (call->make == call_submit || call->make == call_submit_async)) {
        if (call->make == call_submit_async)
            CHECK(call_flush(stage) == SETTLE_OK && stage->completions == 1);
        expect_results(stage);
    }
    expect_whole(stage, call);
    tally->cases += was_met;
    tally->refused += was_met && status == SETTLE_E_NO_MEMORY;
    tally->stopped += was_met && stage->was_stopped;
    tally->unharmed += was_met && status == SETTLE_OK;
    stage_free(stage);
    return was_met;
}

static bool try_life(uint64_t index)
{
    struct life life;
    life_make(&life, &script);
    trap_set(&(struct trap){.calls = TRAP_MEMORY, .index = index});
    life_live(&life);
    bool was_met = trap_was_met();
    trap_clear();
    if (was_met)
        life_check(&life);
    CHECK(was_met || (!life.is_latched && life.failed_opens + life.failed_calls == 0));
    tally->cases += was_met;
    tally->refused += life.failed_opens + life.failed_calls > 0;
    tally->stopped += was_met && life.is_latched;
    tally->unharmed += was_met && !life.is_latched && life.failed_opens + life.failed_calls == 0;
    life_end(&life);
    return was_met;
}

/* ---- All cases ---- */

/* NULL: the life. */
static void run(const struct call *call, uint64_t first, uint64_t every)
{
    uint64_t before = tally->cases;
    snprintf(tally->name, sizeof tally->name, "%s", call == NULL ? "life" : call->name);
    pid_t child = child_fork();
    if (child == 0) {
        bool was_met = true;
        for (tally->index = first; was_met; tally->index += every) {
            alarm(CASE_SECONDS_MAX);
            was_met = call == NULL ? try_life(tally->index) : try_call(call, tally->index);
        }
        leaks_check();
        _exit(0);
    }
    int status = child_exit(child);
    if (status != 0) {
        fprintf(stderr, "ended with %d; again: test_every_allocation %s %" PRIu64 "\n", status, tally->name,
                tally->index);
        exit(1);
    }
    if (tally->cases > before)
        printf("%-24s %6" PRIu64 " allocations failed\n", tally->name, tally->cases - before);
    fflush(stdout);
}

/* In a child, since no thread may run where the next one is made. */
static void make_past(void)
{
    rig_make(&past);
    past.options.checkpoint_interval_ms = 3600000;
    past.options.commit_interval_us_max = 60000000;
    script_make(&script, stream_seed(6), EVENTS);
    history = script;
    pid_t child = child_fork();
    if (child == 0) {
        char working[TEMPDIR_PATH_BYTES], data[TEMPDIR_PATH_BYTES];
        settle_result result;
        memcpy(data, past.data, sizeof data);
        tempdir_join(working, past.base, "working");
        memcpy(past.data, working, sizeof working);
        past.options.checkpoint_events_max = 64;
        CHECK(rig_try_open(&past) == SETTLE_OK && oracle_declare(past.engine, &past.error) == SETTLE_OK);
        for (size_t i = 0; i < HISTORY; i++)
            CHECK(settle_submit(past.engine, &script.events[i].event, 1, &result, &past.error) == SETTLE_OK);
        CHECK(settle_flush(past.engine, &past.error) == SETTLE_OK);
        tree_copy(past.data, data); /* as a crash leaves it */
        rig_close(&past);
        _exit(0);
    }
    CHECK(child_exit(child) == 0);
}

static void run_one(const char *name, uint64_t index)
{
    bool was_met = false;
    if (strcmp(name, "life") == 0)
        was_met = try_life(index);
    for (size_t i = 0; i < COUNT(calls); i++)
        if (strcmp(name, calls[i].name) == 0)
            was_met = try_call(&calls[i], index);
    printf("%s\n", was_met ? "met" : "there are not so many allocations");
}

int main(int argc, char **argv)
{
    builder_use_memory();
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    expect_all_public_calls();
    make_past();
    if (argc == 3) {
        run_one(argv[1], strtoull(argv[2], NULL, 10));
    } else {
        uint64_t every = argc > 1 ? strtoull(argv[1], NULL, 10) : EVERY;
        uint64_t part = argc > 3 ? strtoull(argv[2], NULL, 10) : 0, parts = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
        CHECK(every > 0 && part < parts);
        for (size_t i = 0; i < COUNT(calls); i++)
            run(&calls[i], 1 + part, parts);
        run(NULL, 1 + part * every, every * parts);
        printf("%" PRIu64 " allocations failed: %" PRIu64 " calls refused, %" PRIu64 " engines stopped, %" PRIu64
               " went on unharmed\n",
               tally->cases, tally->refused, tally->stopped, tally->unharmed);
        CHECK(tally->refused > 100 && tally->stopped > 0);
    }
    script_free(&script);
    rig_remove(&past);
    return 0;
}
