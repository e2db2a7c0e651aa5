/* completion_zsh.c — the script for zsh: one specification of _arguments an option or argument. */
#include "tools/completion.h"

#include <string.h>

static const char head[] = "#compdef settlectl\n"
                           "# zsh completion of settlectl. Made by `settlectl completion zsh`.\n"
                           "\n"
                           "# What only the data directory knows: what _arguments hands on to compadd, then KIND\n"
                           "_settlectl_ask() {\n"
                           "    local data=${opt_args[-D]:-${opt_args[--data]:-$settlectl_data}}\n"
                           "    local -a found\n"
                           "    found=(${(f)\"$(settlectl ${data:+-D} ${data:+${(Q)data}} -q completion $argv[-1] "
                           "\"$PREFIX\" 2>/dev/null)\"})\n"
                           "    compadd \"${(@)argv[1,-2]}\" -a found\n"
                           "}\n"
                           "\n";

/* Text inside '…' of a specification, where [ ] : end a part. */
static void quoted(struct out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            out_text(out, "'\\'");
        else if (strchr("[]:\\", *text) != NULL)
            out_text(out, "\\");
        out_bytes(out, text, 1);
    }
}

static void action(struct out *out, const struct completion *c)
{
    out_text(out, ":");
    quoted(out, c->placeholder);
    out_text(out, ":");
    switch (c->kind) {
    case COMPLETE_WORDS: out_format(out, "(%s)", c->words); break;
    case COMPLETE_FILES: out_text(out, "_files"); break;
    case COMPLETE_DIRECTORIES: out_text(out, "_files -/"); break;
    case COMPLETE_ASSETS: out_text(out, "_settlectl_ask assets"); break;
    case COMPLETE_EVENT_IDS: out_text(out, "_settlectl_ask ids"); break;
    case COMPLETE_NOTHING: out_text(out, " "); break;
    }
}

/* '--log-dir=[help]:DIR:_files -/' */
static void option_spec(struct out *out, const struct command *command, const struct option *option)
{
    struct completion c;
    if (option->letter != 0)
        out_format(out, "        '(-%c --%s)'{-%c%s,--%s%s}'", option->letter, option->name, option->letter,
                   option->value != NULL ? "+" : "", option->name, option->value != NULL ? "=" : "");
    else
        out_format(out, "        '%s--%s%s", option_repeats(option) ? "*" : "", option->name,
                   option->value != NULL ? "=" : "");
    out_text(out, "[");
    quoted(out, option_help(option, command));
    out_text(out, "]");
    if (option->value != NULL) {
        completion_of_value(command, option, &c);
        action(out, &c);
    }
    out_text(out, "'\n");
}

static void command_specs(struct out *out, const struct command *command)
{
    struct completion c;
    const struct option *option;
    bool repeats = false;
    size_t count = completion_argument_count(command, &repeats);
    out_format(out, "    %s)\n        specs=(\n", command->name);
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++)
        option_spec(out, command, option);
    for (size_t i = 0; i < count && completion_of_argument(command, i, &c); i++) {
        if (i + 1 == count && repeats)
            out_text(out, "        '*");
        else
            out_format(out, "        '%zu", i + 1);
        action(out, &c);
        out_text(out, "'\n");
    }
    out_text(out, "        ) ;;\n");
}

void completion_zsh(struct out *out)
{
    out_text(out, head);
    out_text(out, "_settlectl() {\n"
                  "    local curcontext=$curcontext state line settlectl_data\n"
                  "    typeset -A opt_args\n"
                  "    local -a globals commands specs\n"
                  "    globals=(\n");
    for (size_t i = 0; i < option_count; i++)
        if (option_is_global(&option_table[i]))
            option_spec(out, NULL, &option_table[i]);
    out_text(out, "    )\n    commands=(\n");
    for (size_t i = 0; i < command_count; i++) {
        out_format(out, "        '%s:", command_table[i].name);
        quoted(out, command_table[i].summary);
        out_text(out, "'\n");
    }
    out_text(out, "    )\n"
                  "    _arguments -C $globals '1:command:->command' '*::argument:->argument' && return\n"
                  "    if [[ $state == command ]]; then\n"
                  "        _describe command commands\n"
                  "        return\n"
                  "    fi\n"
                  "    settlectl_data=${opt_args[-D]:-$opt_args[--data]}\n"
                  "    case $words[1] in\n");
    for (size_t i = 0; i < command_count; i++)
        command_specs(out, &command_table[i]);
    out_text(out, "    esac\n"
                  "    _arguments $globals $specs\n"
                  "}\n"
                  "\n"
                  "if [[ $funcstack[1] == _settlectl ]]; then\n"
                  "    _settlectl \"$@\"\n"
                  "else # sourced, not found by its name\n"
                  "    compdef _settlectl settlectl\n"
                  "fi\n");
}
