/* cmd_help_man.c — see help_man.h. Pages in the man(7) macros. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/completion.h"
#include "tools/help_man.h"

#define PAGE_DATE "2026-11-23" /* when the words were changed last */

/* One character of running text: a hyphen that can be copied, and nothing that roff would take for an escape. */
static void letter(struct out *out, char c)
{
    switch (c) {
    case '-': out_text(out, "\\-"); break;
    case '\\': out_text(out, "\\e"); break;
    case '`': out_text(out, "\\(ga"); break;
    case '\'': out_text(out, "\\(aq"); break;
    case '^': out_text(out, "\\(ha"); break;
    case '~': out_text(out, "\\(ti"); break;
    default: out_bytes(out, &c, 1);
    }
}

static void letters(struct out *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        letter(out, text[i]);
}

static void words(struct out *out, const char *text)
{
    letters(out, text, strlen(text));
}

/* Bytes of an option's name at `text`, "--log-dir", or 0; only where a word begins. */
static size_t option_bytes(const char *text, bool begins_word)
{
    size_t bytes = 2;
    if (!begins_word || text[0] != '-' || text[1] != '-' || !islower((unsigned char)text[2]))
        return 0;
    while (islower((unsigned char)text[bytes]) || (text[bytes] == '-' && islower((unsigned char)text[bytes + 1])))
        bytes++;
    return bytes;
}

/* Sentences, an input line each, so that roff spaces them; options in bold. */
static void paragraph(struct out *out, const char *text)
{
    bool begins_line = true, begins_word = true;
    for (const char *at = text; *at != '\0';) {
        size_t bytes = option_bytes(at, begins_word);
        bool ends = at[0] == '.' && (at[1] == ' ' || at[1] == '\n') && isupper((unsigned char)at[2]);
        if (begins_line && (*at == '.' || *at == '\''))
            out_text(out, "\\&");
        if (bytes > 0) {
            out_text(out, "\\fB");
            letters(out, at, bytes);
            out_text(out, "\\fR");
        } else if (*at == '\n') {
            out_text(out, "\n");
        } else {
            letter(out, *at);
        }
        begins_word = bytes == 0 && strchr(" \n(\"`[", *at) != NULL;
        begins_line = bytes == 0 && *at == '\n';
        at += bytes > 0 ? bytes : 1;
        if (ends) {
            out_text(out, "\n");
            at++;
            begins_line = begins_word = true;
        }
    }
    out_text(out, "\n");
}

static void title(struct out *out, const char *command)
{
    char name[64];
    size_t bytes = (size_t)snprintf(name, sizeof name, "settlectl%s%s", command[0] != '\0' ? "-" : "", command);
    out_text(out, ".\\\" Made of the program's own tables and of docs/man; not to be edited.\n.TH ");
    for (size_t i = 0; i < bytes; i++)
        letter(out, (char)toupper((unsigned char)name[i]));
    out_text(out, " 1 \"" PAGE_DATE "\" \"libsettle " SETTLE_VERSION "\" \"User Commands\"\n.SH NAME\n");
    words(out, name);
}

/* "FILE|-" in italics, what stands for itself (brackets, bars, dots) upright, words in small letters in bold. */
static void placeholders(struct out *out, const char *text)
{
    while (*text != '\0') {
        size_t upright = strspn(text, "[]|. "), bytes;
        letters(out, text, upright);
        text += upright;
        bytes = strcspn(text, "[]| ");
        if (bytes >= 3 && strncmp(text + bytes - 3, "...", 3) == 0)
            bytes -= 3;
        if (bytes == 0)
            continue;
        out_text(out, islower((unsigned char)text[0]) || text[0] == '-' ? "\\fB" : "\\fI");
        letters(out, text, bytes);
        out_text(out, "\\fR");
        text += bytes;
    }
}

static void synopsis(struct out *out, const struct command *command)
{
    const struct option *option;
    out_text(out, ".SH SYNOPSIS\n\\fBsettlectl\\fR [\\fB\\-D\\fR \\fIDIR\\fR] [\\fB\\-\\-json\\fR] [\\fB\\-q\\fR]\n");
    if (command == NULL) {
        out_text(out, "\\fICOMMAND\\fR [\\fIOPTION\\fR|\\fIARGUMENT\\fR]...\n");
        return;
    }
    out_format(out, "\\fB%s\\fR\n", command->name);
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++) {
        bool is_required = command->required == option->id;
        out_format(out, "%s\\fB\\-\\-", is_required ? "" : "[");
        words(out, option->name);
        out_text(out, "\\fR");
        if (option->value != NULL) {
            out_text(out, " ");
            placeholders(out, option_value(option, command));
        }
        out_format(out, "%s%s\n", is_required ? "" : "]", option_repeats(option) ? "..." : "");
    }
    if (command->arguments != NULL) {
        placeholders(out, command->arguments);
        out_text(out, "\n");
    }
}

static void option_entry(struct out *out, const struct command *command, const struct option *option)
{
    out_text(out, ".TP\n");
    if (option->letter != 0)
        out_format(out, "\\fB\\-%c\\fR, ", option->letter);
    out_text(out, "\\fB\\-\\-");
    words(out, option->name);
    out_text(out, "\\fR");
    if (option->value != NULL) {
        out_text(out, " ");
        placeholders(out, option_value(option, command));
    }
    out_text(out, "\n");
    paragraph(out, option_help(option, command));
}

static void example(struct out *out, const char *text)
{
    out_text(out, ".nf\n");
    words(out, text);
    out_text(out, "\n.fi\n");
}

void help_man_one(struct out *out, const struct command *command)
{
    const struct option *option;
    title(out, command->name);
    out_text(out, " \\- ");
    words(out, command->summary);
    out_text(out, "\n");
    synopsis(out, command);
    out_text(out, ".SH DESCRIPTION\n");
    paragraph(out, command->details);
    if (command_option(command, 0) != NULL)
        out_text(out, ".SH OPTIONS\n");
    for (size_t i = 0; (option = command_option(command, i)) != NULL; i++)
        option_entry(out, command, option);
    if (command_option(command, 0) != NULL)
        out_text(out, ".PP\nThose of every command are in\n.BR settlectl (1).\n");
    out_text(
        out,
        ".SH EXIT STATUS\n0 done, 1 a negative answer, 2 usage, 3 corrupt data, 4 busy, 5 input, output or a resource "
        "failed;\n.BR settlectl (1)\nhas more.\n.SH EXAMPLES\n");
    example(out, command->example);
    out_text(out, ".SH SEE ALSO\n.BR settlectl (1)\n");
}

void help_man_all(struct out *out)
{
    title(out, "");
    out_text(out, " \\- event\\-sourced settlement: exact balances and a journal of every step\n");
    synopsis(out, NULL);
    out_text(out, ".SH DESCRIPTION\n.SH OPTIONS\nOptions may stand before or behind the command and its arguments;\n"
                  ".B \\-\\-\nends them.\nA value follows its option as the next word or behind\n.BR = .\n");
    for (size_t i = 0; i < option_count; i++)
        if (option_is_global(&option_table[i]))
            option_entry(out, NULL, &option_table[i]);
    out_text(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < command_count; i++) {
        out_format(out, ".TP\n.BR settlectl\\-%s (1)\n", command_table[i].name);
        words(out, command_table[i].summary);
        out_text(out, "\n");
    }
    out_text(out, ".SH EXIT STATUS\n.SH EXAMPLES\n");
    for (size_t i = 0; i < command_count; i++)
        example(out, command_table[i].example);
    out_text(out, ".SH SEE ALSO\n.BR libsettle (3),\n.BR settle.json (5),\n.BR settle\\-journal (5)\n");
}
