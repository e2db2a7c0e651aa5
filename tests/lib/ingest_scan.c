/* ingest_scan.c — scanning one line from blocks of its exact size. */
#include "tests/lib/ingest_scan.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/plain.h"

static const settle_asset declared[] = {
    {1, 8, "BTC"}, {2, 6, "USDT"}, {3, 18, "WEI"}, {UINT32_MAX, 0, "INT"}, {5, 2, "A.1"},
};

const settle_asset *ingest_scan_asset(void *context, const struct scan_asset *name)
{
    (void)context;
    for (size_t i = 0; i < sizeof declared / sizeof declared[0]; i++) {
        const settle_asset *asset = &declared[i];
        bool same_symbol = name->symbol.bytes == strlen(asset->symbol) && name->symbol.bytes > 0 &&
                           memcmp(name->symbol.data, asset->symbol, name->symbol.bytes) == 0;
        if (name->id != 0 ? name->id == asset->id : same_symbol)
            return asset;
    }
    return NULL;
}

struct scanned ingest_scan_bytes(const void *line, size_t bytes)
{
    struct scanned scanned;
    memset(&scanned, 0xa5, sizeof scanned);
    scanned.line = malloc(bytes > 0 ? bytes : 1);
    scanned.scratch = malloc(INGEST_LINE_BYTES_MAX);
    CHECK(scanned.line != NULL && scanned.scratch != NULL);
    memcpy(scanned.line, line, bytes);
    memset(scanned.scratch, 0x5a, INGEST_LINE_BYTES_MAX);
    scanned.bytes = bytes;
    scanned.marked = 0;
    scanned.is_good = scan_line(scanned.line, bytes, scanned.scratch, ingest_scan_asset, NULL, &scanned.kind,
                                &scanned.event, &scanned.asset, &scanned.fault);
    return scanned;
}

struct scanned ingest_scan(const char *text)
{
    size_t bytes = 0, marked = 0;
    char *line = malloc(strlen(text) + 1);
    CHECK(line != NULL);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '@' && marked == 0)
            marked = bytes + 1;
        else
            line[bytes++] = *c == '\'' ? '"' : *c;
    }
    struct scanned scanned = ingest_scan_bytes(line, bytes);
    scanned.marked = marked;
    free(line);
    return scanned;
}

void ingest_scan_free(struct scanned *scanned)
{
    free(scanned->line);
    free(scanned->scratch);
    scanned->line = scanned->scratch = NULL;
}
