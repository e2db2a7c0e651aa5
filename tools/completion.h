/*
 * completion.h — what a shell can offer for a word of a settlectl command line, read from the tables of commands and
 * options, and the scripts made of it. Pure but for the output: the scripts ask settlectl for what only a data
 * directory knows.
 */
#ifndef TOOLS_COMPLETION_H
#define TOOLS_COMPLETION_H

#include "tools/command.h"

enum completion_kind {
    COMPLETE_NOTHING, /* a number, a time: nothing is known */
    COMPLETE_WORDS,   /* one of `words` */
    COMPLETE_FILES,
    COMPLETE_DIRECTORIES,
    COMPLETE_ASSETS, /* symbols declared in the data directory */
    COMPLETE_EVENT_IDS,
};

#define COMPLETION_WORDS_BYTES 1024

struct completion {
    enum completion_kind kind;
    char placeholder[48];               /* as the help shows it: "FILE.csv" */
    char words[COMPLETION_WORDS_BYTES]; /* between blanks */
};

/* Of an option's value; `command` may be NULL. */
void completion_of_value(const struct command *command, const struct option *option, struct completion *ret_completion);
/*
 * Of a command's argument, counted from 0. False: it takes no such argument. The last one counts for all behind it
 * where it may be repeated.
 */
bool completion_of_argument(const struct command *command, size_t index, struct completion *ret_completion);
/* Arguments that the command's words tell apart, and whether the last may be repeated. */
size_t completion_argument_count(const struct command *command, bool *ret_repeats);

bool option_is_global(const struct option *option);
bool option_repeats(const struct option *option);
/* The i-th option of a command; NULL behind the last one. */
const struct option *command_option(const struct command *command, size_t index);
/* What an option does, and what its value is called (NULL: it takes none), for this command alone; it may be NULL. */
const char *option_help(const struct option *option, const struct command *command);
const char *option_value(const struct option *option, const struct command *command);

void completion_bash(struct out *out);
void completion_zsh(struct out *out);
void completion_fish(struct out *out);

#endif
