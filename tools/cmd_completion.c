/* cmd_completion.c — `settlectl completion`: the scripts for shells, and what those scripts ask for. */
#include <string.h>

#include "query/query.h"
#include "tools/completion.h"
#include "tools/report.h"

#define IDS_MAX 200 /* more help nobody */

struct listing {
    struct out *out;
    bool as_json;
    size_t count;
};

static void candidate(struct listing *listing, const char *text)
{
    if (listing->as_json) {
        struct json json = json_on(listing->out);
        json_object(&json, NULL);
        json_string(&json, "word", text);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_format(listing->out, "%s\n", text);
    }
    listing->count++;
}

static bool on_id(void *context, const char *event_id, const settle_arrival *first)
{
    struct listing *listing = context;
    (void)first;
    candidate(listing, event_id);
    return listing->count < IDS_MAX;
}

static settle_status list(struct invocation *inv, bool of_ids, const char *prefix, settle_error *error)
{
    struct listing listing = {&inv->out, inv->as_json, 0};
    struct ledger ledger = {0};
    struct query *query = NULL;
    settle_status status = query_open(inv->directory, &query, error);
    if (status != SETTLE_OK)
        return status;
    if (of_ids)
        status = query_ids(query, (settle_text){prefix, strlen(prefix)}, on_id, &listing, error);
    else
        status = query_assets(query, &ledger, error);
    for (size_t i = 0; i < ledger.asset_count; i++)
        if (strncmp(ledger.assets[i].symbol, prefix, strlen(prefix)) == 0)
            candidate(&listing, ledger.assets[i].symbol);
    ledger_free(&ledger);
    query_close(query);
    return status;
}

int cmd_completion(struct invocation *inv)
{
    const char *what = inv->arguments[0], *prefix = inv->argument_count > 1 ? inv->arguments[1] : "";
    bool of_ids = strcmp(what, "ids") == 0, of_assets = strcmp(what, "assets") == 0;
    settle_error error = {0};
    if (!of_ids && !of_assets && inv->argument_count > 1)
        return report_usage(inv, "completion %s takes no further argument", what);
    if (of_ids || of_assets) {
        settle_status status = list(inv, of_ids, prefix, &error);
        return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
    }
    /* A script is a script whatever --json says, as with export. */
    if (strcmp(what, "bash") == 0)
        completion_bash(&inv->out);
    else if (strcmp(what, "zsh") == 0)
        completion_zsh(&inv->out);
    else if (strcmp(what, "fish") == 0)
        completion_fish(&inv->out);
    else
        return report_usage(inv, "completion %s: it is bash, zsh or fish; assets or ids", what);
    return EXIT_DONE;
}
