/*
 * lines_settle.c — the format of logs/README.md: one object a step, `fields` in a fixed order. Pure.
 */
#include "journal/lines/lines_members.h"

#define HEAD(level) "\",\"level\":\"" level "\",\"target\":\"settlement\",\"trace_id\":\""

char *lines_settle(struct lines *lines, char *at, const struct lines_step *step)
{
    const struct lines_event *event = step->event;
    const enum line_step number = step->place.step;
    const struct lines_name *name = lines_event_name(event->type, lines_step_kind(step));
    at = digits_time_us(digits_literal(at, "{\"timestamp\":\""), step->time_us, &lines->clock);
    if (number == LINE_DECIDED && lines_is_warning(event))
        at = digits_literal(at, HEAD("WARN"));
    else
        at = digits_literal(at, HEAD("INFO"));
    at = lines_put_trace(at, event);
    at = digits_literal(at, "\",\"span_id\":\"");
    at = lines_put_span(at, event, number);
    at = digits_literal(at, "\",\"fields\":{\"event\":\"");
    at = (char *)memcpy(at, name->text, sizeof name->text) + name->bytes;
    at = lines_put_id(digits_literal(at, "\",\"event_id\":"), event);
    at = lines_put_seq(digits_literal(at, ",\"seq\":"), event);
    at = members_step(at, lines, step, MEMBERS_PLAIN);
    return digits_literal(at, "}}\n");
}
