/*
 * lines_ecs.c — the Elastic Common Schema, 8.11, with dotted keys: one object a step. Pure.
 *
 * ECS has no category for settlement; what happens here is that a data store's contents are read in, changed or made
 * durable: category `database`, whose types `change` (a VALIDATED) and `info` (every other step) are. The outcome is
 * the step's own: nothing is decided at CONSUMED, nor said by a DUPLICATE; a PERSISTED has reached stable storage
 * whatever was decided.
 */
#include "journal/lines/lines_members.h"

#define HEAD(level) "\",\"log.level\":\"" level "\",\"ecs.version\":\"8.11.0\",\"event.kind\":\"event\""

static const char *const types_and_outcomes[] = {
#define WHAT(type, outcome)                                                                                            \
    ",\"event.category\":[\"database\"],\"event.type\":[\"" type "\"],\"event.outcome\":\"" outcome "\""
    [RECORD_CONSUMED] = WHAT("info", "unknown"), [RECORD_VALIDATED] = WHAT("change", "success"),
    [RECORD_REJECTED] = WHAT("info", "failure"), [RECORD_DUPLICATE] = WHAT("info", "unknown"),
    [RECORD_CONFLICT] = WHAT("info", "failure"), [RECORD_PERSISTED] = WHAT("info", "success"),
#undef WHAT
};

/* DEPOSIT_CONSUMED as deposit_consumed */
static inline char *put_action(char *at, const struct lines_name *name)
{
    for (size_t i = 0; i < name->bytes; i++)
        at[i] = name->text[i] == '_' ? '_' : (char)(name->text[i] | 0x20);
    return at + name->bytes;
}

char *lines_ecs(struct lines *lines, char *at, const struct lines_step *step)
{
    const struct lines_event *event = step->event;
    const enum line_step number = step->place.step;
    const uint8_t kind = lines_step_kind(step);
    at = digits_time_us(digits_literal(at, "{\"@timestamp\":\""), step->time_us, &lines->clock);
    if (number == LINE_DECIDED && lines_is_warning(event))
        at = digits_literal(at, HEAD("warn"));
    else
        at = digits_literal(at, HEAD("info"));
    const size_t what_bytes = strlen(types_and_outcomes[kind]);
    at = (char *)memcpy(at, types_and_outcomes[kind], what_bytes) + what_bytes;
    at = put_action(digits_literal(at, ",\"event.action\":\""), lines_event_name(event->type, kind));
    at = digits_literal(at, "\",\"event.module\":\"settle\",\"event.dataset\":\"settle.journal\",\"event.id\":");
    at = lines_put_id(at, event);
    at = lines_put_seq(digits_literal(at, ",\"event.sequence\":"), event);
    at = lines_put_trace(digits_literal(at, ",\"trace.id\":\""), event);
    at = digits_literal(at, "\",\"span.id\":\"");
    at = lines_put_span(at, event, number);
    at = digits_literal(at, "\",\"service.name\":\"settle\"");
    at = members_step(at, lines, step, MEMBERS_DOTTED);
    return digits_literal(at, "}\n");
}
