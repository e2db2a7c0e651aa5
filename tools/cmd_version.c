/* cmd_version.c — `settlectl version`. */
#include "query/query.h"
#include "tools/command.h"

int cmd_version(struct invocation *inv)
{
    if (inv->as_json) {
        struct json json = json_on(&inv->out);
        json_object(&json, NULL);
        json_string(&json, "version", settle_version());
        json_u64(&json, "journal_format", query_format_version());
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_format(&inv->out, "settlectl %s (journal format %u)\n", settle_version(), (unsigned)query_format_version());
    }
    return 0;
}
