/* cmd_seal.c — `settlectl seal --key FILE`: a signed text over the journal; `seal --new-key FILE`: a key for it. */
#include <stdio.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

static int new_key(struct invocation *inv, const char *path)
{
    settle_error error = {0};
    settle_status status = query_seal_key(inv->directory, path, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (inv->as_json) {
        char public_path[4096];
        struct json json = json_on(&inv->out);
        snprintf(public_path, sizeof public_path, "%s.pub", path);
        json_object(&json, NULL);
        json_string(&json, "key", path);
        json_string(&json, "public_key", public_path);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        report_note(inv, "wrote the private key %s, which nobody else may have, and %s.pub, for everybody", path, path);
    }
    return EXIT_DONE;
}

static void show_json(struct invocation *inv, const struct seal_result *result)
{
    struct json json = json_on(&inv->out);
    json_object(&json, NULL);
    json_string(&json, "seal", result->file);
    json_bool(&json, "new", result->is_new);
    json_u64(&json, "seq", result->size);
    json_u64(&json, "new_events", result->new_events);
    json_u64(&json, "position", result->position);
    json_time_us(&json, "time", result->time_us);
    json_string(&json, "root", result->root);
    json_string(&json, "frames", result->frames);
    json_string(&json, "previous", result->previous[0] != '\0' ? result->previous : NULL);
    json_bool(&json, "resumed", result->is_resumed);
    json_string(&json, "verifier", result->verifier);
    json_string(&json, "text", result->text);
    json_object_end(&json);
    json_line_end(&json);
}

static void show_text(struct invocation *inv, const struct seal_result *result)
{
    out_text(&inv->out, result->text);
    if (!result->is_new)
        report_note(inv, "nothing is new since the seal before: %s", result->file);
    else
        report_note(inv, "sealed %llu new event%s, %llu in all: %s", (unsigned long long)result->new_events,
                    print_plural(result->new_events), (unsigned long long)result->size, result->file);
}

int cmd_seal(struct invocation *inv)
{
    const char *new_path = invocation_option(inv, OPTION_NEW_KEY);
    const struct seal_options options = {.key_path = invocation_option(inv, OPTION_KEY),
                                         .output = invocation_option(inv, OPTION_OUTPUT),
                                         .check = invocation_option(inv, OPTION_CHECK) != NULL};
    struct seal_result result;
    settle_error error = {0};
    if ((new_path != NULL) == (options.key_path != NULL) || (new_path != NULL && options.output != NULL))
        return report_usage(inv, "usage: settlectl seal --key FILE [--output FILE] [--check], or seal --new-key FILE");
    if (new_path != NULL)
        return new_key(inv, new_path);
    settle_status status = query_seal(inv->directory, &options, &result, &error);
    if (status != SETTLE_OK)
        return report_error(inv, status, &error);
    if (inv->as_json)
        show_json(inv, &result);
    else
        show_text(inv, &result);
    return EXIT_DONE;
}
