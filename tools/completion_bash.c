/* completion_bash.c — the script for bash: tables as functions, and one function that knows where the cursor stands. */
#include "tools/completion.h"

#include <string.h>

/* What stands behind the tables; no quotes of C in it that bash would not have. */
static const char engine[] =
    "# Sets COMPREPLY to what begins like the word: KIND, its words, the word.\n"
    "_settlectl_reply() {\n"
    "    local kind=$1 words=$2 word=$3 IFS=$'\\n'\n"
    "    case $kind in\n"
    "    words) words=${words// /$'\\n'} ;;\n"
    "    assets | ids)\n"
    "        # Not of an id with a colon, at which bash parts words.\n"
    "        words=$(\"${COMP_WORDS[0]}\" ${data:+\"-D$data\"} -q completion \"$kind\" \"$word\" 2>/dev/null | grep "
    "-v :)\n"
    "        ;;\n"
    "    files) compopt -o filenames && COMPREPLY=($(compgen -f -- \"$word\")) && return ;;\n"
    "    directories) compopt -o filenames && COMPREPLY=($(compgen -d -- \"$word\")) && return ;;\n"
    "    *) return ;;\n"
    "    esac\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
    "    [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace\n"
    "}\n"
    "\n"
    "_settlectl() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} command= data= option= ended= at arguments=0 given=\n"
    "    COMPREPLY=()\n"
    "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "        given=${COMP_WORDS[at]}\n"
    "        if [[ -n $option ]]; then # its value, behind a = of its own word\n"
    "            [[ $given != '=' ]] || continue\n"
    "            [[ $option != -D && $option != --data ]] || data=$given\n"
    "            # NAME=VALUE is three words to bash\n"
    "            [[ ${COMP_WORDS[at + 1]} == '=' ]] && ((at + 1 < COMP_CWORD)) && ((at += 2))\n"
    "            option=\n"
    "        elif [[ -z $ended && $given == -- ]]; then\n"
    "            ended=1\n"
    "        elif [[ -z $ended && $given == -?* ]]; then\n"
    "            [[ $(_settlectl_value \"$command\" \"$given\") == none ]] || option=$given\n"
    "        elif [[ -z $command ]]; then\n"
    "            command=$given\n"
    "        else\n"
    "            ((arguments++))\n"
    "        fi\n"
    "    done\n"
    "    [[ $word != '=' || -z $option ]] || word=\n"
    "    data=${data/#\\~/$HOME}\n"
    "    if [[ -n $option ]]; then\n"
    "        given=$(_settlectl_value \"$command\" \"$option\")\n"
    "    elif [[ -z $ended && $word == -* ]]; then\n"
    "        given=\"words $(_settlectl_options \"$command\")\"\n"
    "    elif [[ -z $command ]]; then\n"
    "        given=\"words $(_settlectl_commands)\"\n"
    "    else\n"
    "        given=$(_settlectl_argument \"$command\" \"$arguments\")\n"
    "    fi\n"
    "    _settlectl_reply \"${given%% *}\" \"${given#* }\" \"$word\"\n"
    "}\n"
    "complete -F _settlectl settlectl\n";

static void answer(struct out *out, const struct completion *c)
{
    static const char *const names[] = {
        [COMPLETE_NOTHING] = "nothing",         [COMPLETE_WORDS] = "words",   [COMPLETE_FILES] = "files",
        [COMPLETE_DIRECTORIES] = "directories", [COMPLETE_ASSETS] = "assets", [COMPLETE_EVENT_IDS] = "ids"};
    out_format(out, "echo '%s%s%s' ;;\n", names[c->kind], c->kind == COMPLETE_WORDS ? " " : "", c->words);
}

/* Only spellings that begin with -- are offered, but -D too is known. */
static void value_case(struct out *out, const char *command, const struct option *option, const struct completion *c)
{
    if (option->value == NULL)
        return;
    out_format(out, "    %s:--%s", command, option->name);
    if (option->letter != 0)
        out_format(out, " | %s:-%c", command, option->letter);
    out_text(out, ") ");
    answer(out, c);
}

static void values(struct out *out)
{
    struct completion c;
    out_text(out, "# What an option takes: KIND and words; none: no value.\n"
                  "_settlectl_value() { # COMMAND OPTION\n    case $1:$2 in\n");
    for (size_t i = 0; i < command_count; i++) {
        const struct option *option;
        for (size_t k = 0; (option = command_option(&command_table[i], k)) != NULL; k++) {
            completion_of_value(&command_table[i], option, &c);
            value_case(out, command_table[i].name, option, &c);
        }
    }
    for (size_t i = 0; i < option_count; i++) { /* global ones, and those that stand before the command */
        completion_of_value(NULL, &option_table[i], &c);
        value_case(out, option_is_global(&option_table[i]) ? "*" : "", &option_table[i], &c);
    }
    out_text(out, "    *) echo none ;;\n    esac\n}\n\n");
}

static void arguments(struct out *out)
{
    struct completion c;
    out_text(out, "# What an argument may be: KIND and words.\n"
                  "_settlectl_argument() { # COMMAND INDEX\n    case $1:$2 in\n");
    for (size_t i = 0; i < command_count; i++) {
        bool repeats = false;
        size_t count = completion_argument_count(&command_table[i], &repeats);
        for (size_t k = 0; k < count && completion_of_argument(&command_table[i], k, &c); k++) {
            out_format(out, "    %s:", command_table[i].name);
            if (k + 1 == count && repeats)
                out_text(out, "*) ");
            else
                out_format(out, "%zu) ", k);
            answer(out, &c);
        }
    }
    out_text(out, "    esac\n}\n\n");
}

static void option_words(struct out *out, bool is_global, const struct command *command)
{
    const struct option *option;
    for (size_t i = 0; is_global && i < option_count; i++)
        if (option_is_global(&option_table[i]))
            out_format(out, " --%s", option_table[i].name);
    for (size_t k = 0; command != NULL && (option = command_option(command, k)) != NULL; k++)
        out_format(out, " --%s", option->name);
}

void completion_bash(struct out *out)
{
    out_text(
        out,
        "# bash completion of settlectl. Made by `settlectl completion bash`.\n\n_settlectl_commands() {\n    echo '");
    for (size_t i = 0; i < command_count; i++)
        out_format(out, "%s%s", i > 0 ? " " : "", command_table[i].name);
    out_text(out, "'\n}\n\n_settlectl_options() { # COMMAND\n    echo '");
    option_words(out, true, NULL);
    out_text(out, "'\n    case $1 in\n");
    for (size_t i = 0; i < command_count; i++) {
        if (command_option(&command_table[i], 0) == NULL)
            continue;
        out_format(out, "    %s) echo '", command_table[i].name);
        option_words(out, false, &command_table[i]);
        out_text(out, "' ;;\n");
    }
    out_text(out, "    esac\n}\n\n");
    values(out);
    arguments(out);
    out_text(out, engine);
}
