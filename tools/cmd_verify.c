/*
 * cmd_verify.c — `settlectl verify`: a verdict, the first fault, and how many there are; with --seal also whether the journal
 * is what was sealed.
 */
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/stop.h"

#define PROGRESS_INTERVAL_US 200000
#define FAULTS_KEPT 100 /* of many; all are counted */

struct job {
    struct invocation *invocation;
    bool shows_progress;
    uint64_t started_us, shown_us;
    settle_error kept[FAULTS_KEPT];
    size_t kept_count;
};

static bool go_on(void *context, const struct verify_progress *progress)
{
    struct job *job = context;
    uint64_t now_us = job->shows_progress ? progress_now_us() : 0;
    if (job->shows_progress && now_us - job->shown_us >= PROGRESS_INTERVAL_US) {
        char line[PROGRESS_BYTES];
        progress_format(progress->events, now_us - job->started_us, progress->bytes_done, progress->bytes_total, line);
        progress_show(line);
        job->shown_us = now_us;
    }
    return *stop_flag() == 0;
}

/* A file below journal/ is named as inspect names it. */
static const char *segment_of(const settle_error *fault)
{
    return strncmp(fault->file, "journal/", 8) == 0 ? fault->file + 8 : fault->file;
}

static void fault_json(struct json *json, const settle_error *fault)
{
    json_string(json, "segment", segment_of(fault));
    json_u64(json, "offset", fault->offset_bytes);
    json_u64(json, "seq", fault->seq);
    json_string(json, "message", fault->text);
}

static void take_fault(void *context, const settle_error *fault)
{
    struct job *job = context;
    if (job->kept_count < FAULTS_KEPT)
        job->kept[job->kept_count++] = *fault;
}

/* A seal of no event is agreed with by every journal it was made of. */
static bool seal_is_empty(const struct seal_verdict *seal)
{
    return seal != NULL && seal->ok && seal->size == 0;
}

/* What was sealed agrees; a seal that covers nothing of a journal with events proves nothing. */
static bool seal_agrees(const struct verify_result *result, const struct seal_verdict *seal)
{
    return seal == NULL || (seal->ok && (!seal_is_empty(seal) || result->is_empty));
}

static void seal_json(struct json *json, const struct verify_result *result, const struct seal_verdict *seal)
{
    json_object(json, "seal");
    json_bool(json, "ok", seal_agrees(result, seal));
    json_bool(json, "empty", seal_is_empty(seal));
    json_bool(json, "signed", seal->is_signed);
    json_u64(json, "seq", seal->size);
    json_u64(json, "position", seal->position);
    json_time_us(json, "time", seal->time_us);
    if (!seal->ok) {
        json_string(json, "difference", seal->difference);
        json_u64(json, "agrees_until_seq", seal->agrees_until_seq);
        json_string(json, "agrees_with", seal->agrees_with[0] != '\0' ? seal->agrees_with : NULL);
        json_u64(json, "differs_until_seq", seal->differs_until_seq);
    }
    json_object_end(json);
}

static void seal_text(struct out *out, const struct seal_verdict *seal)
{
    char time[PRINT_TIME_BYTES];
    if (seal_is_empty(seal)) {
        out_text(out, "nothing to compare: the seal holds no event\n");
        return;
    }
    if (seal->ok) {
        out_format(out, "sealed: the journal up to seq %llu, %s, is what was sealed\n", (unsigned long long)seal->size,
                   print_time_us(seal->time_us, time));
        return;
    }
    out_format(out, "NOT as sealed: %s\n", seal->difference);
    if (seal->is_signed && seal->differs_until_seq > seal->agrees_until_seq && seal->agrees_until_seq > 0)
        out_format(out, "  the events up to seq %llu are those of %s: what differs lies behind them, up to seq %llu\n",
                   (unsigned long long)seal->agrees_until_seq, seal->agrees_with,
                   (unsigned long long)seal->differs_until_seq);
}

/* `seal` NULL: none was asked about. */
static void show_json(struct job *job, const struct verify_result *result, const struct seal_verdict *seal)
{
    struct json json = json_on(&job->invocation->out);
    json_object(&json, NULL);
    json_bool(&json, "ok", result->ok && seal_agrees(result, seal));
    json_bool(&json, "empty", result->is_empty);
    json_u64(&json, "segments", result->counts.segments);
    json_u64(&json, "frames", result->counts.frames);
    json_u64(&json, "records", result->counts.records);
    json_u64(&json, "events", result->counts.events);
    json_u64(&json, "accounts", result->counts.accounts);
    json_u64(&json, "ids", result->counts.ids);
    json_u64(&json, "torn_bytes", result->counts.torn_bytes);
    json_string(&json, "store", store_state_name(result->store));
    if (result->has_store)
        json_u64(&json, "store_seq", result->store_seq);
    else
        json_null(&json, "store_seq");
    json_u64(&json, "faults", result->fault_count);
    json_u64(&json, "archived_segments", result->archived_segments);
    json_u64(&json, "archived_bytes", result->archived_bytes);
    json_string(&json, "snapshot", store_state_name(result->snapshot));
    if (result->fault.status != SETTLE_OK) {
        json_object(&json, "fault");
        fault_json(&json, &result->fault);
        json_object_end(&json);
        json_array(&json, "places");
        for (size_t i = 0; i < job->kept_count; i++) {
            json_object(&json, NULL);
            fault_json(&json, &job->kept[i]);
            json_object_end(&json);
        }
        json_array_end(&json);
    }
    if (seal != NULL)
        seal_json(&json, result, seal);
    json_object_end(&json);
    json_line_end(&json);
}

/* The first fault, and where there are several all of them, as far as they were kept. */
static settle_status faults_text(struct job *job, const struct verify_result *result, const struct seal_verdict *seal)
{
    static const struct table_column columns[] = {{"segment", false}, {"byte", true}, {"seq", true}, {"fault", false}};
    struct out *out = &job->invocation->out;
    struct table table;
    char number[PRINT_U64_BYTES];
    const settle_error *fault = &result->fault;
    out_text(out, "NOT ok: ");
    out_visible(out, fault->text);
    out_text(out, "\n  segment ");
    out_visible(out, segment_of(fault));
    out_format(out, ", byte %llu, seq %llu\n", (unsigned long long)fault->offset_bytes, (unsigned long long)fault->seq);
    if (seal != NULL)
        seal_text(out, seal);
    if (result->fault_count == 1)
        return SETTLE_OK;
    out_format(out, "\n%llu faults\n", (unsigned long long)result->fault_count);
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < job->kept_count; i++) {
        fault = &job->kept[i];
        table_cell(&table, segment_of(fault));
        table_cell(&table, print_u64(fault->offset_bytes, number));
        table_cell(&table, fault->seq != 0 ? print_u64(fault->seq, number) : "-");
        table_cell(&table, fault->text);
    }
    settle_status status = table_print(&table, out, 2);
    if (result->fault_count > job->kept_count)
        out_format(out, "  and %llu more\n", (unsigned long long)(result->fault_count - job->kept_count));
    out_text(out, "\nchecked before the first fault\n");
    return status;
}

/*
 * One verdict, the gravest, in the first line; what else there is to say of the journal and of the seal comes below it.
 * `seal` NULL: none was asked about.
 */
static settle_status verdict_text(struct job *job, const struct verify_result *result, const struct seal_verdict *seal)
{
    struct out *out = &job->invocation->out;
    settle_status status = SETTLE_OK;
    if (result->fault_count > 0)
        status = faults_text(job, result, seal);
    else if (!seal_agrees(result, seal))
        seal_text(out, seal);
    else
        out_text(out, result->is_empty ? "nothing to check: the journal holds no event\n" : "ok\n");
    if (result->fault_count == 0 && !seal_agrees(result, seal))
        out_text(out, "  by itself the journal, as it is now, has no fault\n");
    else if (result->fault_count == 0 && seal != NULL)
        seal_text(out, seal);
    return status;
}

static void store_text(struct out *out, const struct verify_result *result)
{
    out_format(out, "  store       %s", store_state_name(result->store));
    if (result->store == STORE_EQUAL)
        out_format(out, " up to seq %llu%s", (unsigned long long)result->store_seq,
                   result->store_seq == 0 ? ": it holds nothing yet" : "");
    out_text(out, "\n");
}

static settle_status show_text(struct job *job, const struct verify_result *result, const struct seal_verdict *seal)
{
    struct invocation *inv = job->invocation;
    static const struct table_column columns[] = {{"", false}, {"", true}};
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"segments", result->counts.segments},    {"frames", result->counts.frames},
                {"records", result->counts.records},      {"events", result->counts.events},
                {"accounts", result->counts.accounts},    {"ids", result->counts.ids},
                {"torn bytes", result->counts.torn_bytes}};
    struct table table;
    char number[PRINT_U64_BYTES];
    settle_status status = verdict_text(job, result, seal);
    if (status != SETTLE_OK)
        return status;
    table_init(&table, columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table_cell(&table, rows[i].name);
        table_cell(&table, print_u64(rows[i].value, number));
    }
    status = table_print(&table, &inv->out, 2);
    store_text(&inv->out, result);
    if (status != SETTLE_OK || (result->archived_segments == 0 && result->snapshot == STORE_ABSENT))
        return status;
    table_cell(&table, "archived segments");
    table_cell(&table, print_u64(result->archived_segments, number));
    table_cell(&table, "archived bytes");
    table_cell(&table, print_u64(result->archived_bytes, number));
    table_cell(&table, "snapshot");
    table_cell(&table, store_state_name(result->snapshot));
    return table_print(&table, &inv->out, 2);
}

int cmd_verify(struct invocation *inv)
{
    const char *path = invocation_option(inv, OPTION_SEAL), *key = invocation_option(inv, OPTION_PUBLIC_KEY);
    struct verify_result result = {0};
    struct seal_verdict verdict = {.ok = false}, *seal = path != NULL ? &verdict : NULL;
    settle_error error = {0};
    if ((path == NULL) != (key == NULL))
        return report_usage(inv, "verify takes --seal FILE and --public-key FILE together");
    struct job job = {.invocation = inv, .shows_progress = progress_is_wanted(inv), .started_us = progress_now_us()};
    const struct verify_options options = {take_fault, go_on, &job};
    job.shown_us = job.started_us;
    stop_watch();
    settle_status status = seal != NULL ? query_seal_verify(inv->directory, path, key, seal, &error) : SETTLE_OK;
    if (status == SETTLE_OK)
        status = query_verify(inv->directory, &options, &result, &error);
    if (job.shows_progress)
        progress_wipe();
    if (status == SETTLE_OK && !result.was_stopped && inv->as_json)
        show_json(&job, &result, seal);
    else if (status == SETTLE_OK && !result.was_stopped)
        status = show_text(&job, &result, seal);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (result.was_stopped)
        return EXIT_SIGNAL + (int)*stop_flag();
    if (!result.ok)
        return EXIT_CORRUPT;
    return seal_agrees(&result, seal) ? EXIT_DONE : EXIT_NEGATIVE;
}
