/*
 * fuzz_scan.c — any bytes as a line: the scanner against cJSON and the slow reading of docs/events.md (tests/lib/opinion.h).
 *
 * Both take the same lines and make the same events of them, each member compared. What the scanner takes, cJSON takes as
 * it stands. What cJSON takes and the scanner refuses is one of the rules of OPINION_RULE_MAP by which the contract asks for
 * more. A refusal has a place and a reason.
 */
#include "tests/fuzz/fuzz.h"

#include "journal/record.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/opinion.h"

static char scratch[INGEST_LINE_BYTES_MAX], line[INGEST_LINE_BYTES_MAX + 65];

static void compare(enum scan_kind kind, const settle_event *event, const settle_asset *asset,
                    const struct opinion *other)
{
    MUST(kind == other->kind);
    if (kind == SCAN_EVENT) {
        MUST(opinion_same_event(event, &other->event));
        MUST(event_form_fault(event) == NULL);
    }
    if (kind == SCAN_ASSET)
        MUST(asset->id == other->asset.id && asset->scale == other->asset.scale &&
             strcmp(asset->symbol, other->asset.symbol) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes >= sizeof line)
        return 0;
    memcpy(line, data, bytes);
    line[bytes] = '\0';
    char *exact = exact_copy(data, bytes);
    enum scan_kind kind = SCAN_BLANK;
    settle_event event;
    settle_asset asset;
    struct scan_fault fault = {0, ""};
    struct opinion other;
    bool is_good = scan_line(exact, bytes, scratch, ingest_scan_asset, NULL, &kind, &event, &asset, &fault);
    opinion(line, bytes, &other);
    MUST(is_good == (other.rule == OPINION_NONE));
    if (!is_good) {
        MUST(fault.byte >= 1 && fault.byte <= bytes + 1);
        MUST(memchr(fault.reason, 0, sizeof fault.reason) != NULL && strlen(fault.reason) > 3);
        MUST(other.rule != OPINION_SYNTAX || !opinion_cjson_takes(line, bytes));
    } else {
        compare(kind, &event, &asset, &other);
        MUST(kind == SCAN_BLANK || opinion_cjson_takes(line, bytes));
    }
    free(exact);
    return 0;
}
