/*
 * test_lines_formats.c — ECS and OTLP: committed files, and every line parsed with cJSON and held to what its consumer
 * asks: allowed values, types, ids that fit together, times in order. Amounts and users are compared with the lines of
 * the format settle, which other suites check.
 */
#include "tests/unit/lines_scene.h"

#include <ctype.h>
#include <inttypes.h>

#include <cjson/cJSON.h>

SETTLE_SUITE(lines_formats);

static struct scene scene;
static struct told settle, told;
static cJSON **settle_json, **json;

static cJSON **parse(const struct told *lines)
{
    cJSON **parsed = calloc(lines->count, sizeof *parsed);
    size_t at = 0;
    cr_assert_not_null(parsed);
    for (size_t i = 0; i < lines->count; at += lines->lines[i++].bytes) {
        const char *end = NULL;
        parsed[i] = cJSON_ParseWithLengthOpts(lines->text + at, lines->lines[i].bytes, &end, false);
        cr_assert_not_null(parsed[i], "no JSON: %.*s", (int)lines->lines[i].bytes, lines->text + at);
        cr_assert_eq(end, lines->text + at + lines->lines[i].bytes - 1, "a newline behind the object");
        cr_assert(cJSON_IsObject(parsed[i]));
    }
    return parsed;
}

static void begin(enum line_format format)
{
    scene_golden(&scene);
    scene_tell(&scene, LINE_SETTLE, &settle);
    scene_tell(&scene, format, &told);
    settle_json = parse(&settle);
    json = parse(&told);
}

static void end(void)
{
    for (size_t i = 0; i < settle.count; i++)
        cJSON_Delete(settle_json[i]);
    for (size_t i = 0; i < told.count; i++)
        cJSON_Delete(json[i]);
    free(settle_json);
    free(json);
    told_free(&settle);
    told_free(&told);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    cr_assert_not_null(value, "no %s", name);
    return value;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = member(object, name);
    cr_assert(cJSON_IsString(value), "%s is no string", name);
    return value->valuestring;
}

static bool is_one_of(const char *text, const char *const *allowed)
{
    for (; *allowed != NULL; allowed++)
        if (strcmp(text, *allowed) == 0)
            return true;
    return false;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *fields_event(size_t index)
{
    return text_of(member(settle_json[index], "fields"), "event");
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits && strspn(text, "0") < digits;
}

/* The index of the settle line of a step. */
static size_t settle_index(uint64_t seq, enum line_step step)
{
    size_t i = 0;
    while (i < settle.count && (settle.lines[i].place.seq != seq || settle.lines[i].place.step != step))
        i++;
    cr_assert_lt(i, settle.count, "no line of step %d of %zu", (int)step, (size_t)seq);
    return i;
}

/* ---- ECS --------------------------------------------------------------------------------------------------------- */

Test(lines_formats, ecs_is_what_was_committed)
{
    begin(LINE_ECS);
    expect_golden(&told, "lines_ecs.ndjson");
    end();
}

Test(lines_formats, ecs_has_a_line_for_each_of_settles)
{
    begin(LINE_ECS);
    cr_assert_eq(told.count, settle.count);
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *fields = member(settle_json[i], "fields");
        char action[64];
        snprintf(action, sizeof action, "%s", fields_event(i));
        for (char *at = action; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        cr_assert_str_eq(text_of(json[i], "event.action"), action);
        cr_assert_str_eq(text_of(json[i], "@timestamp"), text_of(settle_json[i], "timestamp"));
        cr_assert_str_eq(text_of(json[i], "trace.id"), text_of(settle_json[i], "trace_id"));
        cr_assert_str_eq(text_of(json[i], "span.id"), text_of(settle_json[i], "span_id"));
        cr_assert_str_eq(text_of(json[i], "event.id"), text_of(fields, "event_id"));
        cr_assert(cJSON_Compare(member(json[i], "event.sequence"), member(fields, "seq"), true));
        bool warns = strcmp(text_of(settle_json[i], "level"), "WARN") == 0;
        cr_assert_str_eq(text_of(json[i], "log.level"), warns ? "warn" : "info");
    }
    end();
}

/* Allowed values and types: ECS 8.11, "Categorization fields". */
Test(lines_formats, ecs_has_the_values_that_the_schema_allows)
{
    static const char *const types[] = {"access", "change", "info", "error", NULL}; /* of category database */
    static const char *const outcomes[] = {"success", "failure", "unknown", NULL};
    begin(LINE_ECS);
    for (size_t i = 0; i < told.count; i++) {
        cr_assert_str_eq(text_of(json[i], "ecs.version"), "8.11.0");
        cr_assert_str_eq(text_of(json[i], "event.kind"), "event");
        cr_assert_str_eq(text_of(json[i], "event.module"), "settle");
        cr_assert_str_eq(text_of(json[i], "event.dataset"), "settle.journal");
        cr_assert_str_eq(text_of(json[i], "service.name"), "settle");
        const cJSON *categories = member(json[i], "event.category"), *type = member(json[i], "event.type");
        cr_assert(cJSON_IsArray(categories) && cJSON_GetArraySize(categories) == 1);
        cr_assert_str_eq(cJSON_GetArrayItem(categories, 0)->valuestring, "database");
        cr_assert(cJSON_IsArray(type) && cJSON_GetArraySize(type) == 1);
        cr_assert(is_one_of(cJSON_GetArrayItem(type, 0)->valuestring, types));
        cr_assert(is_one_of(text_of(json[i], "event.outcome"), outcomes));
        cr_assert(is_hex(text_of(json[i], "trace.id"), 32) && is_hex(text_of(json[i], "span.id"), 16));
    }
    end();
}

Test(lines_formats, ecs_tells_the_outcome_of_the_step)
{
    static const struct {
        const char *step, *type, *outcome;
    } expected[] = {
        {"CONSUMED", "info", "unknown"},  {"VALIDATED", "change", "success"}, {"REJECTED", "info", "failure"},
        {"DUPLICATE", "info", "unknown"}, {"CONFLICT", "info", "failure"},    {"PERSISTED", "info", "success"},
    };
    begin(LINE_ECS);
    size_t found = 0;
    for (size_t i = 0; i < told.count; i++)
        for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
            if (strcmp(strchr(fields_event(i), '_') + 1, expected[k].step) != 0)
                continue;
            cr_assert_str_eq(cJSON_GetArrayItem(member(json[i], "event.type"), 0)->valuestring, expected[k].type);
            cr_assert_str_eq(text_of(json[i], "event.outcome"), expected[k].outcome);
            found++;
        }
    cr_assert_eq(found, told.count);
    end();
}

Test(lines_formats, ecs_has_the_other_members_of_settle_below_settle)
{
    begin(LINE_ECS);
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *fields = member(settle_json[i], "fields");
        int own = 0, others = 0;
        for (const cJSON *field = fields->child; field != NULL; field = field->next) {
            if (strcmp(field->string, "event") == 0 || strcmp(field->string, "event_id") == 0 ||
                strcmp(field->string, "seq") == 0)
                continue;
            char name[128];
            snprintf(name, sizeof name, "settle.%s", field->string);
            cr_assert(cJSON_Compare(member(json[i], name), field, true), "%s", name);
            others++;
        }
        for (const cJSON *field = json[i]->child; field != NULL; field = field->next)
            own += starts_with(field->string, "settle.");
        cr_assert_eq(own, others);
    }
    end();
}

/* ---- OTLP -------------------------------------------------------------------------------------------------------- */

Test(lines_formats, otlp_is_what_was_committed)
{
    begin(LINE_OTLP);
    expect_golden(&told, "lines_otlp.ndjson");
    end();
}

static const cJSON *only(const cJSON *array)
{
    cr_assert(cJSON_IsArray(array) && cJSON_GetArraySize(array) == 1);
    return cJSON_GetArrayItem(array, 0);
}

static const cJSON *spans_of(size_t index)
{
    const cJSON *resource = only(member(json[index], "resourceSpans"));
    const cJSON *service = only(member(member(resource, "resource"), "attributes"));
    cr_assert_str_eq(text_of(service, "key"), "service.name");
    cr_assert_str_eq(text_of(member(service, "value"), "stringValue"), "settle");
    const cJSON *scope = only(member(resource, "scopeSpans"));
    cr_assert_str_eq(text_of(member(scope, "scope"), "name"), "settle.journal");
    const cJSON *spans = member(scope, "spans");
    cr_assert(cJSON_IsArray(spans) && cJSON_GetArraySize(spans) == 4);
    return spans;
}

/* An attribute's value: its string or its integer's digits; NULL: not there. */
static const char *attribute(const cJSON *holder, const char *name)
{
    const cJSON *found = NULL;
    char key[64];
    snprintf(key, sizeof key, "settle.%s", name);
    for (const cJSON *a = member(holder, "attributes")->child; a != NULL; a = a->next) {
        const cJSON *value = member(a, "value");
        cr_assert_eq(cJSON_GetArraySize(value), 1, "one kind of value");
        cr_assert(is_one_of(value->child->string, (const char *const[]){"stringValue", "intValue", NULL}));
        cr_assert(cJSON_IsString(value->child), "64-bit integers are strings");
        if (strcmp(value->child->string, "intValue") == 0) {
            const char *digits = value->child->valuestring;
            cr_assert(strlen(digits) <= 19 && strspn(digits, "0123456789") == strlen(digits), "%s", digits);
        }
        if (strcmp(text_of(a, "key"), key) == 0) {
            cr_assert_null(found, "%s twice", key);
            found = value->child;
        }
    }
    return found == NULL ? NULL : found->valuestring;
}

static uint64_t nanoseconds(const cJSON *span, const char *name)
{
    const char *text = text_of(span, name);
    cr_assert(strspn(text, "0123456789") == strlen(text), "%s", text);
    return strtoull(text, NULL, 10);
}

Test(lines_formats, otlp_has_a_line_for_each_event)
{
    begin(LINE_OTLP);
    cr_assert_eq(told.count, scene.point.next_seq - 1);
    for (size_t i = 0; i < told.count; i++) {
        char seq[32];
        snprintf(seq, sizeof seq, "%zu", i + 1);
        cr_assert_str_eq(attribute(cJSON_GetArrayItem(spans_of(i), 0), "seq"), seq);
        cr_assert_eq(told.lines[i].place.seq, i + 1);
        cr_assert_eq(told.lines[i].place.step, LINE_PERSISTED);
    }
    end();
}

Test(lines_formats, otlp_spans_are_a_root_and_its_steps)
{
    begin(LINE_OTLP);
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *spans = spans_of(i), *root = cJSON_GetArrayItem(spans, 0);
        uint64_t last = nanoseconds(root, "startTimeUnixNano");
        for (int step = LINE_CONSUMED; step <= LINE_PERSISTED; step++) {
            const cJSON *span = cJSON_GetArrayItem(spans, step);
            const size_t index = settle_index(i + 1, (enum line_step)step);
            cr_assert_str_eq(text_of(span, "name"), fields_event(index));
            cr_assert_str_eq(text_of(span, "traceId"), text_of(settle_json[index], "trace_id"));
            cr_assert_str_eq(text_of(span, "spanId"), text_of(settle_json[index], "span_id"));
            cr_assert_str_eq(text_of(span, "parentSpanId"), text_of(root, "spanId"));
            cr_assert_eq(member(span, "kind")->valueint, 1);
            cr_assert_eq(nanoseconds(span, "startTimeUnixNano"), last);
            last = nanoseconds(span, "endTimeUnixNano");
            cr_assert_eq(last, settle.lines[index].time_us * 1000);
        }
        cr_assert_eq(nanoseconds(root, "endTimeUnixNano"), last);
        cr_assert_eq(member(root, "kind")->valueint, 1);
        cr_assert(is_hex(text_of(root, "traceId"), 32) && is_hex(text_of(root, "spanId"), 16));
    }
    end();
}

/* The root span of the line whose event came first with the same id. */
static const cJSON *first_root(size_t index)
{
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *root = cJSON_GetArrayItem(spans_of(i), 0);
        if (strcmp(text_of(root, "traceId"), text_of(cJSON_GetArrayItem(spans_of(index), 0), "traceId")) == 0)
            return root;
    }
    return NULL;
}

Test(lines_formats, otlp_puts_later_arrivals_below_the_first)
{
    begin(LINE_OTLP);
    size_t later = 0;
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *root = cJSON_GetArrayItem(spans_of(i), 0), *first = first_root(i);
        const char *outcome = attribute(root, "outcome");
        if (strcmp(outcome, "duplicate") != 0 && strcmp(outcome, "conflict") != 0) {
            cr_assert_eq(first, root);
            cr_assert_null(cJSON_GetObjectItemCaseSensitive(root, "parentSpanId"), "the first root has no parent");
            continue;
        }
        cr_assert_neq(first, root);
        cr_assert_str_eq(text_of(root, "parentSpanId"), text_of(first, "spanId"));
        cr_assert_str_neq(text_of(root, "spanId"), text_of(first, "spanId"));
        cr_assert_str_eq(attribute(root, "first_seq"), attribute(first, "seq"));
        later++;
    }
    cr_assert_eq(later, 4);
    end();
}

Test(lines_formats, otlp_says_what_failed)
{
    begin(LINE_OTLP);
    size_t rejected = 0, conflicts = 0;
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *spans = spans_of(i), *root = cJSON_GetArrayItem(spans, 0);
        const char *outcome = attribute(root, "outcome"), *reason = attribute(root, "reason");
        bool is_rejected = strcmp(outcome, "rejected") == 0, is_conflict = strcmp(outcome, "conflict") == 0;
        cr_assert_eq(reason != NULL, is_rejected);
        for (int span = 0; span < 4; span++) {
            const cJSON *status = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(spans, span), "status");
            bool fails = (is_rejected || is_conflict) && (span == 0 || span == LINE_DECIDED);
            cr_assert_eq(status != NULL, fails);
            if (!fails)
                continue;
            cr_assert_eq(member(status, "code")->valueint, 2);
            cr_assert_str_eq(text_of(status, "message"), is_rejected ? reason : "conflict");
        }
        rejected += is_rejected;
        conflicts += is_conflict;
    }
    cr_assert(rejected == 10 && conflicts == 2);
    end();
}

/* A member of the format settle as text: numbers are integers. */
static void expect_same(const cJSON *field, const char *value)
{
    char number[32];
    cr_assert_not_null(value, "no attribute %s", field->string);
    if (cJSON_IsNumber(field))
        snprintf(number, sizeof number, "%.0f", field->valuedouble);
    cr_assert_str_eq(value, cJSON_IsNumber(field) ? number : field->valuestring, "%s", field->string);
}

Test(lines_formats, otlp_attributes_are_the_members_of_consumed)
{
    begin(LINE_OTLP);
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *root = cJSON_GetArrayItem(spans_of(i), 0);
        const cJSON *fields = member(settle_json[settle_index(i + 1, LINE_CONSUMED)], "fields");
        int count = 1; /* the outcome; settle has the event instead */
        for (const cJSON *field = fields->child; field != NULL; field = field->next) {
            if (strcmp(field->string, "event") == 0)
                continue;
            expect_same(field, attribute(root, field->string));
            count++;
        }
        count += attribute(root, "reason") != NULL;
        count += attribute(root, "first_seq") != NULL;
        cr_assert_eq(cJSON_GetArraySize(member(root, "attributes")), count);
        cr_assert_str_eq(text_of(root, "name"),
                         starts_with(fields_event(settle_index(i + 1, LINE_CONSUMED)), "DEP") ? "deposit"
                         : starts_with(fields_event(settle_index(i + 1, LINE_CONSUMED)), "W") ? "withdrawal"
                                                                                              : "trade");
    }
    end();
}

Test(lines_formats, otlp_has_the_legs_as_events_of_validated)
{
    begin(LINE_OTLP);
    size_t legs = 0;
    for (size_t i = 0; i < told.count; i++) {
        const cJSON *spans = spans_of(i);
        const cJSON *fields = member(settle_json[settle_index(i + 1, LINE_DECIDED)], "fields");
        const cJSON *effects = cJSON_GetObjectItemCaseSensitive(fields, "effects");
        const bool is_validated = strstr(text_of(fields, "event"), "_VALIDATED") != NULL;
        for (int span = 0; span < 4; span++) {
            const cJSON *events = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(spans, span), "events");
            cr_assert_eq(events != NULL, is_validated && span == LINE_DECIDED);
            if (events == NULL)
                continue;
            cr_assert_eq(cJSON_GetArraySize(events), effects != NULL ? cJSON_GetArraySize(effects) : 2);
            for (int leg = 0; leg < cJSON_GetArraySize(events); leg++, legs++) {
                const cJSON *event = cJSON_GetArrayItem(events, leg);
                cr_assert_str_eq(text_of(event, "name"), "balance_changed");
                cr_assert_eq(nanoseconds(event, "timeUnixNano"),
                             nanoseconds(cJSON_GetArrayItem(spans, span), "endTimeUnixNano"));
                cr_assert_eq(cJSON_GetArraySize(member(event, "attributes")), 6);
                const cJSON *effect = effects != NULL ? cJSON_GetArrayItem(effects, leg) : NULL;
                for (const cJSON *field = effect != NULL ? effect->child : NULL; field != NULL; field = field->next)
                    expect_same(field, attribute(event, field->string));
                if (effect == NULL && leg == 0) {
                    expect_same(member(fields, "balance_before"), attribute(event, "before"));
                    expect_same(member(fields, "balance_after"), attribute(event, "after"));
                    expect_same(member(fields, "version"), attribute(event, "version"));
                }
            }
        }
    }
    cr_assert_eq(legs, 4 * 2 + 6 + 3 + 6);
    end();
}

Test(lines_formats, otlp_times_stay_within_64_bits)
{
    const uint64_t last_us = UINT64_MAX / 1000;
    scene_init(&scene);
    scene.time_us = last_us - 5;
    settle_event event = scene_transfer(SETTLE_DEPOSIT, 5, 2, 1, SCENE_TS);
    scene_begin(&scene);
    scene_transferred(&scene, &event, 1, 1);
    scene_end(&scene);
    scene_begin(&scene);
    scene_persisted(&scene, 1);
    scene_end(&scene);
    scene_tell(&scene, LINE_OTLP, &told);
    json = parse(&told);
    const cJSON *root = cJSON_GetArrayItem(spans_of(0), 0);
    cr_assert_eq(nanoseconds(root, "startTimeUnixNano"), (last_us - 5) * 1000);
    cr_assert_eq(nanoseconds(root, "endTimeUnixNano"), last_us * 1000);
    cJSON_Delete(json[0]);
    free(json);
    told_free(&told);
}
