/* cmd_prove.c — `settlectl prove EVENT_ID --seal FILE`, `settlectl prove --consistency OLD NEW`: a proof as a line of
 * JSON. */
#include <string.h>

#include "query/query.h"
#include "tools/command.h"
#include "tools/report.h"

static int usage(struct invocation *inv)
{
    return report_usage(inv, "usage: settlectl prove EVENT_ID --seal FILE [--output FILE], or settlectl prove "
                             "--consistency OLD.seal NEW.seal [--output FILE]");
}

int cmd_prove(struct invocation *inv)
{
    const char *seal = invocation_option(inv, OPTION_SEAL), *output = invocation_option(inv, OPTION_OUTPUT);
    bool is_consistency = invocation_option(inv, OPTION_CONSISTENCY) != NULL;
    struct proof proof = {NULL, 0};
    settle_error error = {0};
    settle_status status = SETTLE_OK;
    if (is_consistency ? seal != NULL || inv->argument_count != 2 : seal == NULL || inv->argument_count != 1)
        return usage(inv);
    if (is_consistency) {
        status = query_prove_consistency(inv->directory, inv->arguments[0], inv->arguments[1], &proof, &error);
    } else {
        settle_text event_id = {inv->arguments[0], strlen(inv->arguments[0])};
        status = query_prove(inv->directory, event_id, seal, &proof, &error);
    }
    if (status == SETTLE_OK && output != NULL)
        status = query_write_new(output, proof.text, proof.bytes, &error);
    else if (status == SETTLE_OK)
        out_bytes(&inv->out, proof.text, proof.bytes);
    proof_free(&proof);
    return status == SETTLE_OK ? EXIT_DONE : report_error(inv, status, &error);
}
