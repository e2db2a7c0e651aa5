/*
 * scan_csv.c — the scanner's first step for CSV: the cells of a row become the values that scan_convert() takes.
 *
 * Pure. A cell has no kind of its own, so the member says what it is: integers and users are digits, amounts are
 * strings, and an asset is a declared symbol, else a number. A fault points at the first byte of the cell, an absent
 * member's at the end of the row.
 */
#include "ingest/scan_csv.h"

#include <assert.h>

#include "ingest/scan_members.h"

#define MEMBERS_INTEGER (BIT(TS) | BIT(ID) | BIT(SCALE))
#define MEMBERS_ASSET (BIT(ASSET) | BIT(BASE) | BIT(QUOTE))

#define refuse(...) (json_fault(__VA_ARGS__), false)

_Static_assert(MEMBER_COUNT <= CSV_COLUMNS_MAX, "every member has a column");

/* The rest of a cell in quotes, of which `at` is the first: "" in it is a quote. Returns the place behind it. */
static const char *take_quoted(struct json *json, const char *at, settle_text *ret_text)
{
    char *to = json->scratch, *first = to;
    for (const char *from = at + 1;; from++) {
        if (from == json->end)
            return json_fault(json, at, "the row ends inside a cell in quotes");
        if (*from == '"') {
            if (from + 1 == json->end || from[1] != '"') {
                json->scratch = to;
                *ret_text = (settle_text){first, (size_t)(to - first)};
                return from + 1;
            }
            from++;
        }
        *to++ = *from;
    }
}

/* The cell at `at`; returns the comma behind it, or the end. */
static const char *take_cell(struct json *json, const char *at, settle_text *ret_text)
{
    if (at < json->end && *at == '"') {
        const char *next = take_quoted(json, at, ret_text);
        if (next != NULL && next != json->end && *next != ',')
            return json_fault(json, next, "expected ',' behind a cell in quotes");
        return next;
    }
    const char *next = at;
    for (; next < json->end && *next != ','; next++)
        if (*next == '"')
            return json_fault(json, next, "a quote inside a cell without quotes");
    *ret_text = (settle_text){at, (size_t)(next - at)};
    return next;
}

const char *csv_take_cell(const char *line, const char *at, const char *end, char *scratch, settle_text *ret_text,
                          struct scan_fault *ret_fault)
{
    struct json json = {line, end, scratch, ret_fault};
    return take_cell(&json, at, ret_text);
}

/* A carriage return before the newline is no part of the row. */
static size_t row_bytes(const char *line, size_t bytes)
{
    return bytes > 0 && line[bytes - 1] == '\r' ? bytes - 1 : bytes;
}

static bool is_blank(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* ---- The header ---- */

static enum member member_named(settle_text name)
{
    for (enum member m = 0; m < MEMBER_COUNT; m++)
        if (text_is(name, scan_members[m].name, strlen(scan_members[m].name)))
            return m;
    return MEMBER_COUNT;
}

bool csv_scan_header(const char *line, size_t bytes, struct csv_header *ret_header, struct scan_fault *ret_fault)
{
    char scratch[INGEST_LINE_BYTES_MAX];
    struct json json = {line, line + row_bytes(line, bytes), scratch, ret_fault};
    struct csv_header header = {.count = 0};
    uint32_t seen = 0;
    if (bytes > INGEST_LINE_BYTES_MAX)
        return refuse(&json, line, "the header is longer than %d bytes", INGEST_LINE_BYTES_MAX);
    if (bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        return refuse(&json, line, "byte-order mark");
    for (const char *at = line;; at++) {
        settle_text name = {NULL, 0};
        const char *first = at;
        at = take_cell(&json, at, &name);
        if (at == NULL)
            return false;
        enum member member = member_named(name);
        if (member == MEMBER_COUNT)
            return refuse(&json, first, "column %zu names no member of an event", header.count + 1);
        if (IN(member, seen))
            return refuse(&json, first, "duplicate column \"%s\"", scan_members[member].name);
        seen |= BIT(member);
        assert(header.count < CSV_COLUMNS_MAX);
        header.members[header.count++] = (unsigned char)member;
        if (at == json.end)
            break;
    }
    if (!IN(TYPE, seen))
        return refuse(&json, json.end, "the header has no column \"type\"");
    *ret_header = header;
    return true;
}

/* ---- A row ---- */

static bool take_digits(struct scan *scan, enum member member, settle_text text)
{
    struct value *value = &scan->values[member];
    const char *end = text.data + text.bytes;
    if (json_digits(text.data, end, &value->u.integer) != end)
        return fault(scan, value->token, "%s must be an integer of digits only", scan_members[member].name);
    if (*text.data == '0' && text.bytes > 1)
        return fault(scan, value->token, "%s has a leading zero", scan_members[member].name);
    value->text = NULL;
    return true;
}

/* Digits that are not a declared symbol are an asset's number. */
static bool is_asset_number(const struct scan *scan, settle_text text)
{
    const struct scan_asset name = {0, text};
    for (size_t i = 0; i < text.bytes; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.bytes > SETTLE_SYMBOL_BYTES_MAX || scan->find_asset(scan->context, &name) == NULL;
}

static bool take_value(struct scan *scan, enum member member, const char *token, settle_text text)
{
    struct value *value = &scan->values[member];
    *value = (struct value){.name = token, .token = token, .text = text.data, .u.bytes = text.bytes};
    if (text.bytes == 0)
        return true;
    scan->seen |= BIT(member);
    return !IN(member, MEMBERS_INTEGER) || take_digits(scan, member, text);
}

static bool take_cells(struct scan *scan, const struct csv_header *header, const char *line)
{
    struct json *json = &scan->json;
    const char *at = line;
    for (size_t column = 0; column < header->count; column++) {
        settle_text text = {NULL, 0};
        const char *first = at;
        at = take_cell(json, at, &text);
        if (at == NULL || !take_value(scan, header->members[column], first, text))
            return false;
        bool is_last = column + 1 == header->count;
        if (is_last && at != json->end)
            return fault(scan, at, "the row has more cells than the header");
        if (!is_last && at == json->end)
            return fault(scan, at, "the row has %zu cells, the header %zu", column + 1, header->count);
        at += !is_last;
    }
    return true;
}

/* Once the type is known: where an asset is declared, its name is a symbol whatever it looks like. */
static bool take_assets(struct scan *scan)
{
    const struct value *type = &scan->values[TYPE];
    if (IN(TYPE, scan->seen) && text_is((settle_text){type->text, type->u.bytes}, "asset", 5))
        return true;
    for (enum member m = 0; m < MEMBER_COUNT; m++) {
        if (!IN(m, MEMBERS_ASSET & scan->seen))
            continue;
        settle_text text = {scan->values[m].text, scan->values[m].u.bytes};
        if (is_asset_number(scan, text) && !take_digits(scan, m, text))
            return false;
    }
    return true;
}

bool csv_scan_row(const struct csv_header *header, const char *line, size_t bytes, char *scratch,
                  scan_find_asset find_asset, void *context, enum scan_kind *ret_kind, settle_event *ret_event,
                  settle_asset *ret_asset, struct scan_fault *ret_fault)
{
    assert(header->count > 0);
    assert(scratch != NULL && find_asset != NULL);
    struct scan scan;
    scan.json = (struct json){line, line + bytes, scratch, ret_fault};
    scan.seen = 0;
    scan.find_asset = find_asset;
    scan.context = context;
    if (bytes > INGEST_LINE_BYTES_MAX)
        return fault(&scan, line + INGEST_LINE_BYTES_MAX, "the line is longer than %d bytes", INGEST_LINE_BYTES_MAX);
    if (is_blank(line, bytes)) {
        *ret_kind = SCAN_BLANK;
        return true;
    }
    scan.json.end = scan.close = line + row_bytes(line, bytes);
    return take_cells(&scan, header, line) && take_assets(&scan) && scan_convert(&scan, ret_kind, ret_event, ret_asset);
}
