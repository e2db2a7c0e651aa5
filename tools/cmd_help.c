/* cmd_help.c — `settlectl help [COMMAND]`, made of the table of commands and the table of options. */
#include <stdio.h>
#include <string.h>

#include "tools/command.h"
#include "tools/help_man.h"
#include "tools/report.h"

static void option_line(struct out *out, const struct option *option)
{
    char names[64];
    snprintf(names, sizeof names, "%c%c%c --%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ',' : ' ', option->name,
             option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    out_format(out, "  %-28s  %s\n", names, option->help);
}

static void usage_line(struct out *out, const struct command *command)
{
    out_format(out, "settlectl [-D DIR] [--json] [-q] %s", command->name);
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] != OPTION_NONE; i++)
        for (size_t k = 0; k < option_count; k++)
            if (option_table[k].id == command->options[i])
                out_format(out, " [--%s%s%s]%s", option_table[k].name, option_table[k].value != NULL ? " " : "",
                           option_table[k].value != NULL ? option_table[k].value : "",
                           option_table[k].id == OPTION_ASSET ? "..." : "");
    if (command->arguments != NULL)
        out_format(out, " %s", command->arguments);
}

static void global_options(struct out *out)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].id <= OPTION_VERSION)
            option_line(out, &option_table[i]);
}

static void help_all(struct out *out)
{
    out_text(out, "settlectl: an event-sourced settlement engine: exact balances and a journal of every step\n\n"
                  "usage: settlectl [-D DIR] [--json] [-q] COMMAND [OPTION|ARGUMENT]...\n\ncommands\n");
    for (size_t i = 0; i < command_count; i++)
        out_format(out, "  %-10s  %s\n", command_table[i].name, command_table[i].summary);
    out_text(out, "\noptions of every command; they may stand before or behind it, and -- ends them\n");
    global_options(out);
    out_text(out, "\nexit status\n"
                  "  0 done   1 a negative answer: not found, a difference, malformed lines   2 usage\n"
                  "  3 corrupt data   4 another writer has the directory   5 I/O or resource failure\n"
                  "  130 SIGINT   143 SIGTERM\n\n"
                  "settlectl help COMMAND tells more, with an example; so does settlectl(1).\n");
}

static void help_one(struct out *out, const struct command *command)
{
    out_format(out, "settlectl %s: %s\n\nusage: ", command->name, command->summary);
    usage_line(out, command);
    out_text(out, "\n\n");
    out_text(out, command->details);
    out_text(out, "\n\noptions\n");
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] != OPTION_NONE; i++)
        for (size_t k = 0; k < option_count; k++)
            if (option_table[k].id == command->options[i])
                option_line(out, &option_table[k]);
    global_options(out);
    out_format(out, "\nexample\n  %s\n", command->example);
}

static void command_json(struct out *out, const struct command *command)
{
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_string(&json, "command", command->name);
    json_string(&json, "summary", command->summary);
    json_string(&json, "arguments", command->arguments);
    json_array(&json, "options");
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] != OPTION_NONE; i++) {
        for (size_t k = 0; k < option_count; k++) {
            if (option_table[k].id != command->options[i])
                continue;
            json_object(&json, NULL);
            json_string(&json, "option", option_table[k].name);
            json_string(&json, "value", option_table[k].value);
            json_string(&json, "help", option_table[k].help);
            json_object_end(&json);
        }
    }
    json_array_end(&json);
    json_string(&json, "details", command->details);
    json_string(&json, "example", command->example);
    json_object_end(&json);
    json_line_end(&json);
}

int cmd_help(struct invocation *inv)
{
    const struct command *command = NULL;
    const char *format = invocation_option(inv, OPTION_FORMAT);
    bool as_man = inv->command == command_find("help") && format != NULL && strcmp(format, "man") == 0;
    if (inv->command == command_find("help") && format != NULL && !as_man && strcmp(format, "text") != 0)
        return report_usage(inv, "--format %s: not text or man", format);
    if (inv->argument_count == 1) {
        command = command_find(inv->arguments[0]);
        const char *likest = command_suggest(inv->arguments[0]);
        if (command == NULL && likest != NULL)
            return report_usage(inv, "unknown command \"%s\"; did you mean \"%s\"?", inv->arguments[0], likest);
        if (command == NULL)
            return report_usage(inv, "unknown command \"%s\"; see settlectl help", inv->arguments[0]);
    }
    if (as_man && command == NULL)
        help_man_all(&inv->out);
    else if (as_man)
        help_man_one(&inv->out, command);
    else if (!inv->as_json && command == NULL)
        help_all(&inv->out);
    else if (!inv->as_json)
        help_one(&inv->out, command);
    for (size_t i = 0; inv->as_json && !as_man && i < command_count; i++)
        if (command == NULL || command == &command_table[i])
            command_json(&inv->out, &command_table[i]);
    return EXIT_DONE;
}
