/* cmd_help.c — `settlectl help [COMMAND]`, made of the table of commands and the table of options. */
#include <stdio.h>
#include <string.h>

#include "tools/command.h"
#include "tools/completion.h"
#include "tools/help_man.h"
#include "tools/report.h"

static void option_line(struct out *out, const struct option *option, const struct command *command)
{
    char names[64];
    const char *value = option_value(option, command);
    snprintf(names, sizeof names, "%c%c%c --%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ',' : ' ', option->name,
             value != NULL ? " " : "", value != NULL ? value : "");
    out_format(out, "  %-28s  %s\n", names, option_help(option, command));
}

static void usage_line(struct out *out, const struct command *command)
{
    const struct option *option;
    out_format(out, "settlectl [-D DIR] [--json] [-q] %s", command->name);
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++) {
        const char *value = option_value(option, command);
        bool is_required = command->required == option->id;
        out_format(out, " %s--%s%s%s%s%s", is_required ? "" : "[", option->name, value != NULL ? " " : "",
                   value != NULL ? value : "", is_required ? "" : "]", option_repeats(option) ? "..." : "");
    }
    if (command->arguments != NULL)
        out_format(out, " %s", command->arguments);
}

static void global_options(struct out *out)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_is_global(&option_table[i]))
            option_line(out, &option_table[i], NULL);
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
    const struct option *option;
    out_format(out, "settlectl %s: %s\n\nusage: ", command->name, command->summary);
    usage_line(out, command);
    out_text(out, "\n\n");
    out_text(out, command->details);
    out_text(out, "\n\noptions\n");
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++)
        option_line(out, option, command);
    global_options(out);
    out_format(out, "\nexample\n  %s\n", command->example);
}

static void command_json(struct out *out, const struct command *command)
{
    const struct option *option;
    struct json json = json_on(out);
    json_object(&json, NULL);
    json_string(&json, "command", command->name);
    json_string(&json, "summary", command->summary);
    json_string(&json, "arguments", command->arguments);
    json_array(&json, "options");
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++) {
        json_object(&json, NULL);
        json_string(&json, "option", option->name);
        json_string(&json, "value", option_value(option, command));
        json_string(&json, "help", option_help(option, command));
        json_bool(&json, "required", command->required == option->id);
        json_object_end(&json);
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
