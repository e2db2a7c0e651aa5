/* completion.c — see completion.h. Owns nothing. */
#include "tools/completion.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/settings.h"

bool option_is_global(const struct option *option)
{
    return option->id <= OPTION_VERSION;
}

const struct option *command_option(const struct command *command, size_t index)
{
    if (index >= COMMAND_OPTIONS_MAX || command->options[index] == OPTION_NONE)
        return NULL;
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].id == command->options[index])
            return &option_table[i];
    assert(false); /* an option of a command that the table of options lacks */
    return NULL;
}

bool option_repeats(const struct option *option)
{
    return option->id == OPTION_ASSET || option->id == OPTION_SET;
}

static const struct option_meaning *meaning(const struct option *option, const struct command *command)
{
    for (size_t i = 0; command != NULL && i < COMMAND_MEANINGS_MAX; i++)
        if (command->meanings[i].id == option->id)
            return &command->meanings[i];
    return NULL;
}

const char *option_help(const struct option *option, const struct command *command)
{
    const struct option_meaning *own = meaning(option, command);
    return own != NULL ? own->help : option->help;
}

const char *option_value(const struct option *option, const struct command *command)
{
    const struct option_meaning *own = meaning(option, command);
    return own != NULL && own->value != NULL ? own->value : option->value;
}

static void add_word(struct completion *c, const char *word, size_t bytes)
{
    size_t used = strlen(c->words);
    assert(used + bytes + 2 < sizeof c->words);
    snprintf(c->words + used, sizeof c->words - used, "%s%.*s", used > 0 ? " " : "", (int)bytes, word);
    c->kind = COMPLETE_WORDS;
}

static void add_commands(struct completion *c)
{
    for (size_t i = 0; i < command_count; i++)
        add_word(c, command_table[i].name, strlen(command_table[i].name));
}

static void add_settings(struct completion *c)
{
    char text[64];
    for (size_t i = 0; i < SETTING_COUNT; i++)
        add_word(c, text, (size_t)snprintf(text, sizeof text, "%s=", setting_table[i].name));
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "verify|rebuild": the words themselves, which are in small letters, unlike the name of something. */
static void add_alternatives(struct completion *c)
{
    for (const char *at = c->placeholder; *at != '\0';) {
        size_t bytes = strcspn(at, "|");
        if (islower((unsigned char)at[0]))
            add_word(c, at, bytes);
        at += bytes + (at[bytes] == '|');
    }
}

static void by_placeholder(struct completion *c, const struct command *command)
{
    const char *name = c->placeholder;
    if (begins(name, "FILE") || strchr(name, '.') != NULL)
        c->kind = COMPLETE_FILES;
    else if (begins(name, "DIR"))
        c->kind = COMPLETE_DIRECTORIES;
    else if (strcmp(name, "ASSET") == 0)
        c->kind = COMPLETE_ASSETS;
    else if (strcmp(name, "EVENT_ID") == 0 || strcmp(name, "TEXT") == 0)
        c->kind = COMPLETE_EVENT_IDS;
    else if (strcmp(name, "USER") == 0)
        add_word(c, "external fees", strlen("external fees"));
    else if (strcmp(name, "COMMAND") == 0)
        add_commands(c);
    else if (strcmp(name, "NAME=VALUE") == 0)
        add_settings(c);
    else if (strcmp(name, "FORMAT") == 0 && command != NULL && command->formats != NULL)
        add_word(c, command->formats, strlen(command->formats));
    else
        add_alternatives(c);
}

void completion_of_value(const struct command *command, const struct option *option, struct completion *ret_completion)
{
    *ret_completion = (struct completion){.kind = COMPLETE_NOTHING};
    if (option->value == NULL)
        return;
    snprintf(ret_completion->placeholder, sizeof ret_completion->placeholder, "%s", option_value(option, command));
    by_placeholder(ret_completion, command);
}

/* The next word of "[USER [ASSET]]" or "[FILE|-]...", without brackets and dots; behind the last one `bytes` is 0. */
static const char *next_word(const char *at, size_t *ret_bytes)
{
    at += strspn(at, " [].");
    *ret_bytes = strcspn(at, " []");
    while (*ret_bytes > 3 && strncmp(at + *ret_bytes - 3, "...", 3) == 0)
        *ret_bytes -= 3;
    return at;
}

size_t completion_argument_count(const struct command *command, bool *ret_repeats)
{
    size_t count = 0, bytes = 0;
    const char *at = command->arguments != NULL ? command->arguments : "";
    for (at = next_word(at, &bytes); bytes > 0; at = next_word(at + bytes, &bytes))
        count++;
    *ret_repeats = command->argument_max > count;
    return count;
}

bool completion_of_argument(const struct command *command, size_t index, struct completion *ret_completion)
{
    bool repeats = false;
    size_t count = completion_argument_count(command, &repeats), bytes = 0;
    if (count == 0 || (index >= count && !repeats))
        return false;
    const char *at = next_word(command->arguments, &bytes);
    for (size_t i = 0; i < index && i + 1 < count; i++)
        at = next_word(at + bytes, &bytes);
    *ret_completion = (struct completion){.kind = COMPLETE_NOTHING};
    snprintf(ret_completion->placeholder, sizeof ret_completion->placeholder, "%.*s", (int)bytes, at);
    by_placeholder(ret_completion, command);
    return true;
}
