/* cmd_replay.c — `settlectl replay`: every balance again, from the journal alone. */
#include "query/query.h"

#include "tools/command.h"
#include "tools/report.h"

#define DIFFERENCES_SHOWN_MAX 20

struct job {
    struct invocation *invocation;
    size_t differences_shown;
};

static void on_difference(void *context, const char *text)
{
    struct job *job = context;
    if (job->differences_shown++ < DIFFERENCES_SHOWN_MAX)
        report_warning(job->invocation, "difference: %s", text);
}

static void summary_json(struct invocation *inv, const struct replay_result *result)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_bool(&json, "ok", result->ok);
    json_bool(&json, "empty", result->is_empty);
    json_u64(&json, "segments", result->counts.segments);
    json_u64(&json, "frames", result->counts.frames);
    json_u64(&json, "records", result->counts.records);
    json_u64(&json, "events", result->counts.events);
    json_u64(&json, "accounts", result->counts.accounts);
    json_string(&json, "store", store_state_name(result->store));
    json_u64(&json, "differences", result->difference_count);
    json_object_end(&json);
    json_line_end(&json);
}

static void summary_text(struct invocation *inv, const struct replay_result *result)
{
    char events[PRINT_U64_BYTES], accounts[PRINT_U64_BYTES], records[PRINT_U64_BYTES], segments[PRINT_U64_BYTES];
    const char *verdict = result->is_empty ? "nothing to check: the journal holds no event"
                          : result->ok     ? "ok"
                                           : "NOT ok";
    out_format(&inv->out, "%s: %s event%s, %s record%s, %s balance%s in %s segment%s; store: %s\n", verdict,
               print_u64(result->counts.events, events), print_plural(result->counts.events),
               print_u64(result->counts.records, records), print_plural(result->counts.records),
               print_u64(result->counts.accounts, accounts), print_plural(result->counts.accounts),
               print_u64(result->counts.segments, segments), print_plural(result->counts.segments),
               store_state_name(result->store));
}

static int show(struct job *job, const struct replay_result *result)
{
    struct invocation *inv = job->invocation;
    if (result->difference_count > DIFFERENCES_SHOWN_MAX) {
        uint64_t more = result->difference_count - DIFFERENCES_SHOWN_MAX;
        report_warning(inv, "and %llu more difference%s", (unsigned long long)more, print_plural(more));
    }
    if (invocation_option(inv, OPTION_CHECK) == NULL) {
        settle_status status = show_ledger(inv, &result->ledger);
        return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &(settle_error){.status = status});
    }
    if (inv->as_json)
        summary_json(inv, result);
    else
        summary_text(inv, result);
    return result->ok ? EXIT_DONE : EXIT_NEGATIVE;
}

int cmd_replay(struct invocation *inv)
{
    struct job job = {.invocation = inv};
    struct replay_options asked = {.until_seq = UINT64_MAX, .difference = on_difference, .context = &job};
    struct replay_result result = {0};
    settle_error error = {0};
    const char *until = invocation_option(inv, OPTION_UNTIL_SEQ), *into = invocation_option(inv, OPTION_INTO);
    asked.check = invocation_option(inv, OPTION_CHECK) != NULL;
    if (until != NULL && !query_u64_parse(until, &asked.until_seq))
        return report_usage(inv, "--until-seq %s: not a sequence number", until);
    settle_status status = query_replay(inv->directory, &asked, &result, &error);
    if (status == SETTLE_OK && into != NULL)
        status = query_copy(inv->directory, into, asked.until_seq, &error);
    int exit_status = status == SETTLE_OK ? show(&job, &result) : report_error(inv, status, &error);
    if (status == SETTLE_OK && into != NULL)
        report_note(inv, "wrote %s", into);
    ledger_free(&result.ledger);
    return exit_status;
}
