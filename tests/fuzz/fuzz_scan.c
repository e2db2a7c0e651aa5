/*
 * fuzz_scan.c — any bytes as a line: the scanner neither crashes nor reads outside them; what it accepts is JSON to
 * cJSON too and has the form the engine asks for; what it refuses has a place and a reason.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"
#include "journal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Half of the names are declared. */
static const settle_asset *find_asset(void *context, const struct scan_asset *name)
{
    static const settle_asset usdt = {2, 6, "USDT"};
    static const settle_asset btc = {1, 18, "BTC"};
    (void)context;
    if (name->id != 0)
        return name->id % 2 != 0 ? NULL : &usdt;
    return name->symbol.bytes % 2 != 0 ? &btc : &usdt;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes > INGEST_LINE_BYTES_MAX)
        return 0;
    char *line = malloc(bytes + 1); /* of its exact size for AddressSanitizer, but never 0 */
    char *scratch = malloc(INGEST_LINE_BYTES_MAX);
    must(line != NULL && scratch != NULL);
    memcpy(line, data, bytes);

    enum scan_kind kind;
    settle_event event;
    settle_asset asset;
    struct scan_fault fault = {0, ""};
    bool accepted = scan_line(line, bytes, scratch, find_asset, NULL, &kind, &event, &asset, &fault);
    if (!accepted) {
        must(fault.byte >= 1 && fault.byte <= bytes + 1);
        must(fault.reason[0] != '\0' && memchr(fault.reason, 0, sizeof fault.reason) != NULL);
    } else if (kind != SCAN_BLANK) {
        cJSON *json = cJSON_ParseWithLength(line, bytes);
        must(json != NULL);
        cJSON_Delete(json);
        must(kind != SCAN_EVENT || event_form_fault(&event) == NULL);
    }
    free(scratch);
    free(line);
    return 0;
}
