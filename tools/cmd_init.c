/*
 * cmd_init.c — `settlectl init`. Invariant: where anything contradicts what the directory holds, nothing is changed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

#define SEGMENT_BYTES_MIN 16384u
#define SEGMENT_BYTES_MAX (UINT64_C(1) << 30)
#define SEGMENT_BYTES_UNIT 4096u

struct job {
    struct invocation *invocation;
    uint64_t segment_bytes; /* 0: as it is, else the default */
    settle_asset *assets;
    size_t asset_count;
    bool created;
};

/* Whether two declarations cannot both stand. */
static bool contradicts(const settle_asset *a, const settle_asset *b)
{
    bool same_id = a->id == b->id, same_symbol = strcmp(a->symbol, b->symbol) == 0;
    return (same_id || same_symbol) && !(same_id && same_symbol && a->scale == b->scale);
}

static int take_assets(struct job *job)
{
    struct invocation *inv = job->invocation;
    job->assets = calloc(inv->option_count + 1, sizeof *job->assets);
    if (job->assets == NULL)
        return report_error(inv, SETTLE_E_NO_MEMORY, &(settle_error){.status = SETTLE_E_NO_MEMORY});
    for (size_t i = 0; i < inv->option_count; i++) {
        const char *text = inv->options[i].value;
        settle_asset *asset = &job->assets[job->asset_count];
        if (inv->options[i].id != OPTION_ASSET)
            continue;
        if (!query_asset_parse(text, asset))
            return report_usage(inv,
                                "--asset %s: not SYMBOL=ID:SCALE (symbol 1 to 15 of A-Z 0-9 and \".\", id 1 to "
                                "4294967295, scale 0 to 18)",
                                text);
        for (size_t k = 0; k < job->asset_count; k++)
            if (contradicts(&job->assets[k], asset))
                return report_usage(inv, "--asset %s contradicts an --asset before it", text);
        job->asset_count++;
    }
    return EXIT_DONE;
}

static int take_segment_size(struct job *job)
{
    const char *text = invocation_option(job->invocation, OPTION_SEGMENT_SIZE);
    uint64_t bytes;
    if (text == NULL)
        return EXIT_DONE;
    if (!query_u64_parse(text, &bytes) || bytes < SEGMENT_BYTES_MIN || bytes > SEGMENT_BYTES_MAX)
        return report_usage(job->invocation, "--segment-size %s: not a number of bytes from %u to %" PRIu64, text,
                            SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    job->segment_bytes = (bytes + SEGMENT_BYTES_UNIT - 1) / SEGMENT_BYTES_UNIT * SEGMENT_BYTES_UNIT;
    return EXIT_DONE;
}

/* The directory holds a journal: its segments must be of the size asked for. */
static int compare_segment_size(struct job *job)
{
    struct query *query = NULL;
    settle_error error = {0};
    if (job->segment_bytes == 0)
        return EXIT_DONE;
    settle_status status = query_open(job->invocation->directory, &query, &error);
    if (status != SETTLE_OK)
        return report_error(job->invocation, status, &error);
    uint64_t bytes = query_segment_bytes(query);
    query_close(query);
    if (bytes == job->segment_bytes)
        return EXIT_DONE;
    error = (settle_error){.status = SETTLE_E_CONFLICT};
    return report_error(job->invocation, SETTLE_E_CONFLICT,
                        report_text(&error, "%s holds a journal whose segments have %" PRIu64 " bytes, not %" PRIu64,
                                    job->invocation->directory, bytes, job->segment_bytes));
}

static settle_status declare_assets(struct job *job, settle *engine, settle_error *error)
{
    settle_asset other;
    settle_status status = SETTLE_OK;
    for (size_t i = 0; i < job->asset_count; i++) { /* all are looked at before the first is declared */
        const settle_asset *asset = &job->assets[i];
        settle_text symbol = {asset->symbol, strlen(asset->symbol)};
        if ((settle_asset_by_id(engine, asset->id, &other) == SETTLE_OK && contradicts(asset, &other)) ||
            (settle_asset_by_symbol(engine, symbol, &other) == SETTLE_OK && contradicts(asset, &other))) {
            report_text(error, "asset %s=%" PRIu32 ":%d contradicts %s=%" PRIu32 ":%d, which is declared",
                        asset->symbol, asset->id, asset->scale, other.symbol, other.id, other.scale);
            return SETTLE_E_CONFLICT;
        }
    }
    for (size_t i = 0; i < job->asset_count && status == SETTLE_OK; i++)
        status = settle_asset_declare(engine, &job->assets[i], error);
    return status;
}

static void show(struct job *job)
{
    struct invocation *inv = job->invocation;
    if (inv->as_json) {
        struct json json = json_on(&inv->out);
        json_object(&json, NULL);
        json_string(&json, "directory", inv->directory);
        json_bool(&json, "created", job->created);
        json_array(&json, "assets");
        for (size_t i = 0; i < job->asset_count; i++) {
            json_object(&json, NULL);
            json_string(&json, "asset", job->assets[i].symbol);
            json_u64(&json, "id", job->assets[i].id);
            json_u64(&json, "scale", job->assets[i].scale);
            json_object_end(&json);
        }
        json_array_end(&json);
        json_object_end(&json);
        json_line_end(&json);
    } else if (!inv->is_quiet) {
        out_text(&inv->out, job->created ? "created " : "already there: ");
        out_visible(&inv->out, inv->directory);
        for (size_t i = 0; i < job->asset_count; i++)
            out_format(&inv->out, "%s%s", i == 0 ? ", declared " : " ", job->assets[i].symbol);
        out_text(&inv->out, "\n");
    }
}

static int run(struct job *job)
{
    struct invocation *inv = job->invocation;
    settle *engine = NULL;
    settle_options settings;
    settle_error error = {0}, close_error = {0};
    settle_options_init(&settings);
    settings.log = report_log;
    settings.context = inv;
    if (job->segment_bytes != 0)
        settings.segment_bytes = job->segment_bytes;
    settle_status status = settle_create(inv->directory, &settings, &error);
    job->created = status == SETTLE_OK;
    if (status == SETTLE_E_EXISTS) {
        int exit_status = compare_segment_size(job);
        if (exit_status != EXIT_DONE)
            return exit_status;
        status = SETTLE_OK;
    }
    if (status == SETTLE_OK && job->asset_count > 0) {
        status = settle_open(inv->directory, &settings, &engine, &error);
        if (status == SETTLE_OK)
            status = declare_assets(job, engine, &error);
        settle_status close_status = settle_close(engine, &close_error);
        if (status == SETTLE_OK && close_status != SETTLE_OK) {
            status = close_status;
            error = close_error;
        }
    }
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    show(job);
    return EXIT_DONE;
}

int cmd_init(struct invocation *inv)
{
    struct job job = {.invocation = inv};
    int exit_status = take_segment_size(&job);
    if (exit_status == EXIT_DONE)
        exit_status = take_assets(&job);
    if (exit_status == EXIT_DONE)
        exit_status = run(&job);
    free(job.assets);
    return exit_status;
}
