/* completion_fish.c — the script for fish: one `complete` a command, option and argument. */
#include "tools/completion.h"

#include <string.h>

static const char head[] =
    "# fish completion of settlectl. Made by `settlectl completion fish`.\n"
    "\n"
    "# The words before the cursor without options and their values: the command and its arguments.\n"
    "function __settlectl_words\n"
    "    set -l words (commandline -opc)\n"
    "    set -l skip 0\n"
    "    for word in $words[2..-1]\n"
    "        if test $skip = 1\n"
    "            set skip 0\n"
    "        else if contains -- $word $__settlectl_valued\n"
    "            set skip 1\n"
    "        else if not string match -q -- '-?*' $word\n"
    "            echo $word\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "# Whether the cursor stands at an argument of a command: COMMAND INDEX [more]\n"
    "function __settlectl_at\n"
    "    set -l words (__settlectl_words)\n"
    "    test (count $words) -gt 0; and test $words[1] = $argv[1]; or return 1\n"
    "    set -l index (math (count $words) - 1)\n"
    "    test $index -eq $argv[2]; or begin\n"
    "        test (count $argv) -gt 2; and test $index -gt $argv[2]\n"
    "    end\n"
    "end\n"
    "\n"
    "function __settlectl_in\n"
    "    set -l words (__settlectl_words)\n"
    "    test (count $words) -gt 0; and test $words[1] = $argv[1]\n"
    "end\n"
    "\n"
    "function __settlectl_no_command\n"
    "    test (count (__settlectl_words)) -eq 0\n"
    "end\n"
    "\n"
    "# What only the data directory knows: KIND\n"
    "function __settlectl_ask\n"
    "    set -l words (commandline -opc)\n"
    "    set -l data\n"
    "    for i in (seq (count $words))\n"
    "        switch $words[$i]\n"
    "            case -D --data\n"
    "                set data -D $words[(math $i + 1)]\n"
    "            case '--data=*'\n"
    "                set data -D (string replace -- --data= '' $words[$i])\n"
    "        end\n"
    "    end\n"
    "    $words[1] $data -q completion $argv[1] (commandline -ct) 2>/dev/null\n"
    "end\n"
    "\n";

static void quoted(struct out *out, const char *text)
{
    out_text(out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            out_text(out, "\\");
        out_bytes(out, text, 1);
    }
    out_text(out, "'");
}

/* -x: an argument, and no files; -r -F: files. */
static void candidates(struct out *out, const struct completion *c, bool is_value)
{
    switch (c->kind) {
    case COMPLETE_WORDS: out_format(out, " %s-a '%s'", is_value ? "-x " : "", c->words); break;
    case COMPLETE_FILES: out_text(out, is_value ? " -r -F" : " -F"); break;
    case COMPLETE_DIRECTORIES:
        out_format(out, " %s-a '(__fish_complete_directories (commandline -ct))'", is_value ? "-x " : "");
        break;
    case COMPLETE_ASSETS: out_format(out, " %s-a '(__settlectl_ask assets)'", is_value ? "-x " : ""); break;
    case COMPLETE_EVENT_IDS: out_format(out, " %s-a '(__settlectl_ask ids)'", is_value ? "-x " : ""); break;
    case COMPLETE_NOTHING: out_text(out, is_value ? " -x" : ""); break;
    }
}

static void option_line(struct out *out, const struct command *command, const struct option *option)
{
    struct completion c;
    out_text(out, "complete -c settlectl");
    if (command != NULL)
        out_format(out, " -n '__settlectl_in %s'", command->name);
    if (option->letter != 0)
        out_format(out, " -s %c", option->letter);
    out_format(out, " -l %s", option->name);
    if (option->value != NULL) {
        completion_of_value(command, option, &c);
        candidates(out, &c, true);
    }
    out_text(out, " -d ");
    quoted(out, option_help(option, command));
    out_text(out, "\n");
}

static void command_lines(struct out *out, const struct command *command)
{
    struct completion c;
    const struct option *option;
    bool repeats = false;
    size_t count = completion_argument_count(command, &repeats);
    out_format(out, "complete -c settlectl -n __settlectl_no_command -a %s -d ", command->name);
    quoted(out, command->summary);
    out_text(out, "\n");
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++)
        option_line(out, command, option);
    for (size_t i = 0; i < count && completion_of_argument(command, i, &c); i++) {
        if (c.kind == COMPLETE_NOTHING)
            continue;
        out_format(out, "complete -c settlectl -n '__settlectl_at %s %zu%s'", command->name, i,
                   i + 1 == count && repeats ? " more" : "");
        candidates(out, &c, false);
        out_text(out, "\n");
    }
}

void completion_fish(struct out *out)
{
    out_text(out, head);
    out_text(out, "set -g __settlectl_valued");
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].value == NULL)
            continue;
        out_format(out, " --%s", option_table[i].name);
        if (option_table[i].letter != 0)
            out_format(out, " -%c", option_table[i].letter);
    }
    out_text(out, "\n\ncomplete -c settlectl -f\n");
    for (size_t i = 0; i < option_count; i++)
        if (option_is_global(&option_table[i]))
            option_line(out, NULL, &option_table[i]);
    for (size_t i = 0; i < command_count; i++)
        command_lines(out, &command_table[i]);
}
