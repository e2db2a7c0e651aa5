/*
 * fuzz_csv.c — any bytes as a CSV header and a row: the scanner against a naive reading of RFC 4180 that makes a line of JSON of
 * them, on which cJSON and the slow reading of docs/events.md judge (tests/lib/opinion.h). Both take the same rows and make
 * the same events of them.
 */
#include "tests/fuzz/fuzz.h"

#include "ingest/scan_csv.h"
#include "tests/lib/ingest_scan.h"
#include "tests/lib/opinion.h"

#define CELLS_MAX 64

struct cells {
    size_t count;
    char *text[CELLS_MAX]; /* terminated, in `bytes` */
    size_t length[CELLS_MAX];
    char bytes[2 * INGEST_LINE_BYTES_MAX + 2 * CELLS_MAX];
};

/* False: no row of RFC 4180, or one of more cells than fit. */
static bool split(const char *at, size_t bytes, struct cells *ret_cells)
{
    const char *end = at + bytes;
    char *to = ret_cells->bytes;
    for (ret_cells->count = 0; ret_cells->count < CELLS_MAX;) {
        char *first = to;
        if (at < end && *at == '"') {
            for (at++;; at++) {
                if (at == end)
                    return false;
                if (*at == '"' && (at + 1 == end || *++at != '"'))
                    break;
                *to++ = *at;
            }
            at += at + 1 == end && *at == '"';
            if (at < end && *at != ',')
                return false;
        } else {
            for (; at < end && *at != ','; at++) {
                if (*at == '"')
                    return false;
                *to++ = *at;
            }
        }
        ret_cells->text[ret_cells->count] = first;
        ret_cells->length[ret_cells->count++] = (size_t)(to - first);
        *to++ = '\0';
        if (at == end)
            return true;
        at++;
    }
    return false;
}

static bool is(const struct cells *cells, size_t cell, const char *text)
{
    return cells->length[cell] == strlen(text) && memcmp(cells->text[cell], text, strlen(text)) == 0;
}

/* Index of the column, or the count. */
static size_t column_of(const struct cells *header, const char *name)
{
    size_t column = 0;
    while (column < header->count && !is(header, column, name))
        column++;
    return column;
}

static bool header_is_good(const char *line, size_t bytes, struct cells *ret_header)
{
    static const char *const names[] = {"type",     "event_id",     "ts",        "user",       "asset", "amount",
                                        "trade_id", "buyer",        "seller",    "base",       "quote", "quantity",
                                        "price",    "quote_amount", "buyer_fee", "seller_fee", "id",    "scale"};
    if (bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        return false;
    bytes -= bytes > 0 && line[bytes - 1] == '\r';
    if (!split(line, bytes, ret_header))
        return false;
    for (size_t i = 0; i < ret_header->count; i++) {
        size_t known = 0;
        while (known < sizeof names / sizeof *names && !is(ret_header, i, names[known]))
            known++;
        if (known == sizeof names / sizeof *names || column_of(ret_header, names[known]) != i)
            return false;
    }
    return column_of(ret_header, "type") < ret_header->count;
}

/* A cell's value: a number where the member is one, or where an asset is digits. */
static char *put_value(char *to, const struct cells *header, const struct cells *row, size_t cell, bool declares)
{
    bool is_digits = strspn(row->text[cell], "0123456789") == row->length[cell];
    bool is_number = is(header, cell, "ts") || is(header, cell, "id") || is(header, cell, "scale");
    bool is_asset = is(header, cell, "asset") || is(header, cell, "base") || is(header, cell, "quote");
    if (is_digits && (is_number || (is_asset && !declares)))
        return to + sprintf(to, "%s", row->text[cell]);
    *to++ = '"'; /* a number that is none is refused as a string */
    for (size_t i = 0; i < row->length[cell]; i++) {
        unsigned char c = (unsigned char)row->text[cell][i];
        if (c < 0x20 || c == '"' || c == '\\')
            to += sprintf(to, "\\u%04x", c);
        else
            *to++ = (char)c;
    }
    *to++ = '"';
    return to;
}

static size_t make_json(const struct cells *header, const struct cells *row, char *json)
{
    bool declares = is(row, column_of(header, "type"), "asset"), is_first = true;
    char *to = json;
    *to++ = '{';
    for (size_t i = 0; i < header->count; i++) {
        if (row->length[i] == 0)
            continue;
        to += sprintf(to, "%s\"%s\":", is_first ? "" : ",", header->text[i]);
        to = put_value(to, header, row, i, declares);
        is_first = false;
    }
    *to++ = '}';
    *to = '\0';
    return (size_t)(to - json);
}

static void judge(const struct cells *header, const char *line, size_t bytes, struct opinion *ret_opinion)
{
    static struct cells row;
    static char json[8 * INGEST_LINE_BYTES_MAX];
    memset(ret_opinion, 0, sizeof *ret_opinion);
    ret_opinion->kind = SCAN_BLANK;
    if (strspn(line, " \t\r") == bytes)
        return;
    bytes -= line[bytes - 1] == '\r';
    ret_opinion->rule = OPINION_SYNTAX;
    if (split(line, bytes, &row) && row.count == header->count)
        opinion(json, make_json(header, &row, json), ret_opinion);
}

static void check_row(const struct csv_header *columns, const struct cells *header, const char *line, size_t bytes)
{
    static char scratch[INGEST_LINE_BYTES_MAX];
    enum scan_kind kind = SCAN_BLANK;
    settle_event event;
    settle_asset asset;
    struct scan_fault fault = {0, ""};
    struct opinion other;
    char *exact = exact_copy(line, bytes);
    bool is_good = csv_scan_row(columns, exact, bytes, scratch, ingest_scan_asset, NULL, &kind, &event, &asset, &fault);
    judge(header, line, bytes, &other);
    MUST(is_good == (other.rule == OPINION_NONE));
    if (is_good) {
        MUST(kind == other.kind);
        MUST(kind != SCAN_EVENT || opinion_same_event(&event, &other.event));
        MUST(kind != SCAN_ASSET || (asset.id == other.asset.id && asset.scale == other.asset.scale &&
                                    strcmp(asset.symbol, other.asset.symbol) == 0));
    } else {
        MUST(fault.byte >= 1 && fault.byte <= bytes + 1 && strlen(fault.reason) > 3);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char line[1025], rest[1025]; /* as JSON shorter than a line may be */
    static struct cells header;
    const uint8_t *newline = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    size_t line_bytes = newline != NULL ? (size_t)(newline - data) : bytes;
    size_t rest_bytes = newline != NULL ? bytes - line_bytes - 1 : 0;
    struct csv_header columns;
    struct scan_fault fault = {0, ""};
    if (line_bytes >= sizeof line || rest_bytes >= 500)
        return 0;
    memcpy(line, data, line_bytes);
    line[line_bytes] = '\0';
    char *exact = exact_copy(data, line_bytes);
    bool is_good = csv_scan_header(exact, line_bytes, &columns, &fault);
    free(exact);
    MUST(is_good == header_is_good(line, line_bytes, &header));
    if (!is_good) {
        MUST(fault.byte >= 1 && fault.byte <= line_bytes + 1 && strlen(fault.reason) > 3);
        return 0;
    }
    MUST(columns.count == header.count);
    if (rest_bytes > 0)
        memcpy(rest, newline + 1, rest_bytes);
    rest[rest_bytes] = '\0';
    check_row(&columns, &header, rest, rest_bytes);
    return 0;
}
