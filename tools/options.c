/*
 * options.c — the command line taken apart. Options may stand anywhere; the first word that is none is the command.
 * Owns the table of options.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/completion.h"

/* What an option means unless a command tells its own meaning of it (option_help). */
const struct option option_table[] = {
    {OPTION_DATA, 'D', "data", "DIR", "the data directory (else $SETTLE_DATA, else ./settle-data)"},
    {OPTION_JSON, 0, "json", NULL, "print JSON, one value a line, errors included"},
    {OPTION_QUIET, 'q', "quiet", NULL, "no progress, no notes, no summary for people"},
    {OPTION_HELP, 'h', "help", NULL, "what the command does, its options and an example"},
    {OPTION_VERSION, 0, "version", NULL, "the version"},
    {OPTION_ASSET, 0, "asset", "SYM=ID:SCALE", "declare an asset: symbol, number, decimals; may be repeated"},
    {OPTION_SEGMENT_SIZE, 0, "segment-size", "BYTES",
     "bytes of a journal segment, 16384 to 1073741824 (default 67108864)"},
    {OPTION_LOG_DIR, 0, "log-dir", "DIR", "the directory of the JSON lines (default ./logs)"},
    {OPTION_NO_LOGS, 0, "no-logs", NULL, "write no JSON lines"},
    {OPTION_RESUME, 0, "resume", NULL, "go on behind the last journalled position of each source"},
    {OPTION_UNTIL_SEQ, 0, "until-seq", "N", "stop after the event with this sequence number"},
    {OPTION_INTO, 0, "into", "DIR", "write what was replayed as a new data directory"},
    {OPTION_CHECK, 0, "check", NULL, "compare with the live store and every recorded balance"},
    {OPTION_AT_SEQ, 0, "at-seq", "N", "as it was behind the event with this sequence number"},
    {OPTION_AT, 0, "at", "TIME", "as recorded by then: RFC 3339, milliseconds since 1970, or -30s, -15m, -1h, -2d, -1w"},
    {OPTION_PREFIX, 0, "prefix", "TEXT", "list the event ids that begin so"},
    {OPTION_LIMIT, 0, "limit", "N", "so many rows at most"},
    {OPTION_SINCE, 0, "since", "SEQ|TIME", "nothing before this event or time"},
    {OPTION_UNTIL, 0, "until", "SEQ|TIME", "nothing behind this event or time"},
    {OPTION_BEFORE, 0, "before", "SEQ|TIME", "what ends before this event or time"},
    {OPTION_LEVEL, 0, "level", "N", "zstd level, 1 to 19 (default 9)"},
    {OPTION_RESTORE, 0, "restore", NULL, "bring everything back from the archive"},
    {OPTION_OLDER_THAN, 0, "older-than", "MS", "only where the last step is more than so many milliseconds ago"},
    {OPTION_FROM, 0, "from", "SEQ", "begin with the event of this sequence number"},
    {OPTION_FOLLOW, 0, "follow", NULL, "at the end wait for more"},
    {OPTION_FORMAT, 0, "format", "FORMAT", "which format"},
    {OPTION_DAY, 0, "day", "YYYY-MM-DD", "this day alone (UTC)"},
    {OPTION_DIRECTORY, 0, "directory", "DIR", "measure below this directory (default: where the data directory is)"},
    {OPTION_OUTPUT, 'o', "output", "FILE", "write it there, where nothing is yet"},
    {OPTION_EVENTS, 0, "events", "N", "events of the largest cases (default 1000000, with --quick 100000)"},
    {OPTION_RUNS, 0, "runs", "N", "how often each case is run (default 3)"},
    {OPTION_SET, 0, "set", "NAME=VALUE", "a setting for this run; may be repeated; settlectl config lists them"},
    {OPTION_QUICK, 0, "quick", NULL, "fewer events, for a first look"},
    {OPTION_FRAME, 0, "frame", "POSITION", "the frame that holds this byte of the journal (with FILE: of that file)"},
    {OPTION_SEQ, 0, "seq", "N", "the event with this sequence number, and its frame"},
    {OPTION_HEX, 0, "hex", NULL, "the bytes too"},
    {OPTION_PLOT, 0, "plot", NULL, "draw the balance over time instead of printing rows"},
    {OPTION_NEW_KEY, 0, "new-key", "FILE", "make a key: the private half in FILE, the public half in FILE.pub"},
    {OPTION_KEY, 0, "key", "FILE", "the private key to sign with, outside the data directory and for its owner alone"},
    {OPTION_PUBLIC_KEY, 0, "public-key", "FILE", "the public key that the seal must be signed by"},
    {OPTION_SEAL, 0, "seal", "FILE", "the seal"},
    {OPTION_CONSISTENCY, 0, "consistency", NULL, "prove that one seal's events are the first of another one's"},
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

static const struct option *option_by_letter(char letter)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].letter == letter)
            return &option_table[i];
    return NULL;
}

static const struct option *option_by_name(const char *name, size_t bytes)
{
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(option_table[i].name, name, bytes) == 0 && option_table[i].name[bytes] == '\0')
            return &option_table[i];
    return NULL;
}

/* ---- Did you mean … ---- */

#define WORD_BYTES_MAX 32

/* Edits that make one word of the other: a letter put in, left out, changed, or two neighbours swapped. */
static size_t distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t rows[3][WORD_BYTES_MAX + 1]; /* the last two rows of the table, and the one being made */
    assert(a_bytes <= WORD_BYTES_MAX && b_bytes <= WORD_BYTES_MAX);
    for (size_t k = 0; k <= b_bytes; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b_bytes; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);
            best = above[k] + 1 < best ? above[k] + 1 : best;
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && two_above[k - 2] + 1 < best)
                best = two_above[k - 2] + 1;
            row[k] = best;
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

bool word_is_nearer(const char *typed, size_t typed_bytes, const char *word, size_t *best)
{
    size_t word_bytes = strlen(word);
    if (typed_bytes == 0 || typed_bytes > WORD_BYTES_MAX || word_bytes > WORD_BYTES_MAX)
        return false;
    size_t edits = distance(typed, typed_bytes, word, word_bytes);
    if (typed_bytes >= 2 && strncmp(typed, word, typed_bytes) == 0) /* the beginning of a word */
        edits = 1;
    if (edits >= *best || edits * 3 > word_bytes + 2)
        return false;
    *best = edits;
    return true;
}

const char *command_suggest(const char *name)
{
    const char *likest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < command_count; i++)
        if (word_is_nearer(name, strlen(name), command_table[i].name, &best))
            likest = command_table[i].name;
    return likest;
}

static const char *option_suggest(const char *name, size_t bytes)
{
    const char *likest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < option_count; i++)
        if (word_is_nearer(name, bytes, option_table[i].name, &best))
            likest = option_table[i].name;
    return likest;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    return NULL;
}

/* ---- Taking it apart ---- */

struct parse {
    struct invocation *invocation;
    int argc;
    char **argv;
    int at; /* of the word being read */
    const char *command_name;
    char *fault;
    size_t fault_bytes;
};

#define FAULT(parse, ...) (snprintf((parse)->fault, (parse)->fault_bytes, __VA_ARGS__), false)

static bool use_option(struct parse *p, const struct option *option, const char *attached)
{
    const char *value = "";
    if (option->value != NULL) {
        if (attached == NULL && p->at + 1 >= p->argc)
            return FAULT(p, "option --%s needs a value: --%s %s", option->name, option->name,
                         option_value(option, p->command_name != NULL ? command_find(p->command_name) : NULL));
        value = attached != NULL ? attached : p->argv[++p->at];
        if (value[0] == '\0')
            return FAULT(p, "option --%s has an empty value", option->name);
    } else if (attached != NULL) {
        return FAULT(p, "option --%s takes no value", option->name);
    }
    p->invocation->options[p->invocation->option_count++] = (struct option_use){option->id, value};
    return true;
}

static bool parse_long(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t bytes = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = option_by_name(word, bytes);
    if (option != NULL)
        return use_option(p, option, equals != NULL ? equals + 1 : NULL);
    const char *likest = option_suggest(word, bytes);
    if (likest != NULL)
        return FAULT(p, "unknown option --%.*s; did you mean --%s?", (int)bytes, word, likest);
    return FAULT(p, "unknown option --%.*s", (int)bytes, word);
}

/* -q, -qD DIR, -DDIR */
static bool parse_letters(struct parse *p, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct option *option = option_by_letter(*letters);
        if (option == NULL)
            return FAULT(p, "unknown option -%c", *letters);
        if (option->value != NULL)
            return use_option(p, option, letters[1] != '\0' ? letters + 1 : NULL);
        if (!use_option(p, option, NULL))
            return false;
    }
    return true;
}

static bool parse_words(struct parse *p)
{
    bool options_ended = false;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *word = p->argv[p->at];
        bool good = true;
        if (!options_ended && strcmp(word, "--") == 0)
            options_ended = true;
        else if (!options_ended && strncmp(word, "--", 2) == 0)
            good = parse_long(p, word + 2);
        else if (!options_ended && word[0] == '-' && word[1] != '\0')
            good = parse_letters(p, word + 1);
        else if (p->command_name == NULL)
            p->command_name = word;
        else
            p->invocation->arguments[p->invocation->argument_count++] = word;
        if (!good)
            return false;
    }
    return true;
}

static bool takes_option(const struct command *command, enum option_id id)
{
    if (id <= OPTION_VERSION)
        return true;
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] != OPTION_NONE; i++)
        if (command->options[i] == id)
            return true;
    return false;
}

static bool check_command(struct parse *p)
{
    struct invocation *inv = p->invocation;
    if (p->command_name == NULL)
        return true;
    inv->command = command_find(p->command_name);
    if (inv->command == NULL) {
        const char *likest = command_suggest(p->command_name);
        if (likest != NULL)
            return FAULT(p, "unknown command \"%s\"; did you mean \"%s\"?", p->command_name, likest);
        return FAULT(p, "unknown command \"%s\"; see settlectl help", p->command_name);
    }
    if (invocation_option(inv, OPTION_HELP) != NULL)
        return true;
    for (size_t i = 0; i < inv->option_count; i++)
        for (size_t k = 0; k < option_count; k++)
            if (option_table[k].id == inv->options[i].id && !takes_option(inv->command, option_table[k].id))
                return FAULT(p, "%s takes no option --%s; see settlectl help %s", inv->command->name,
                             option_table[k].name, inv->command->name);
    if (inv->argument_count < inv->command->argument_min || inv->argument_count > inv->command->argument_max)
        return FAULT(p, "usage: settlectl %s%s%s", inv->command->name, inv->command->arguments != NULL ? " " : "",
                     inv->command->arguments != NULL ? inv->command->arguments : "");
    return true;
}

static void choose_directory(struct invocation *inv)
{
    const char *given = invocation_option(inv, OPTION_DATA);
    const char *environment = getenv("SETTLE_DATA");
    inv->directory = "settle-data";
    if (environment != NULL && environment[0] != '\0')
        inv->directory = environment;
    if (given != NULL)
        inv->directory = given;
}

bool invocation_init(struct invocation *invocation, int argc, char **argv, char *ret_fault, size_t fault_bytes)
{
    struct parse parse = {invocation, argc, argv, 0, NULL, ret_fault, fault_bytes};
    size_t words = 0;
    /* Also what is wrong with the command line is told as JSON where that was asked for. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        invocation->as_json |= strcmp(argv[i], "--json") == 0;
    for (int i = 0; i < argc; i++)
        words += strlen(argv[i]); /* letters may be clustered: no more options than letters */
    invocation->arguments = calloc((size_t)argc + 1, sizeof *invocation->arguments);
    invocation->options = calloc(words + 1, sizeof *invocation->options);
    if (invocation->arguments == NULL || invocation->options == NULL)
        return FAULT(&parse, "out of memory");
    if (!parse_words(&parse) || !check_command(&parse))
        return false;
    invocation->as_json = invocation_option(invocation, OPTION_JSON) != NULL;
    invocation->is_quiet = invocation_option(invocation, OPTION_QUIET) != NULL;
    choose_directory(invocation);
    return true;
}

void invocation_deinit(struct invocation *invocation)
{
    free(invocation->arguments);
    free(invocation->options);
}

const char *invocation_option(const struct invocation *invocation, enum option_id id)
{
    for (size_t i = invocation->option_count; i > 0; i--)
        if (invocation->options[i - 1].id == id)
            return invocation->options[i - 1].value;
    return NULL;
}
