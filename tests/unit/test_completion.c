/*
 * test_completion.c — what a shell may offer, read from tables of commands and options: these here, which have every shape
 * that the program's own have, and some more.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tools/completion.h"
#include "tools/settings.h"

SETTLE_SUITE(completion);

const struct option option_table[] = {
    {OPTION_DATA, 'D', "data", "DIR", "the directory"}, {OPTION_JSON, 0, "json", NULL, "as JSON"},
    {OPTION_LIMIT, 0, "limit", "N", "so many"},         {OPTION_FORMAT, 0, "format", "FORMAT", "it's [a] form: any"},
    {OPTION_OUTPUT, 'o', "output", "FILE.svg", "draw"}, {OPTION_SET, 0, "set", "NAME=VALUE", "a setting"},
    {OPTION_PREFIX, 0, "prefix", "TEXT", "ids"},
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

enum { READ, SHOW, LOGS, PLAIN, TWO };
const struct command command_table[] = {
    {.name = "read",
     .arguments = "[FILE|-]...",
     .argument_max = SIZE_MAX,
     .options = {OPTION_FORMAT, OPTION_SET},
     .formats = "ndjson csv",
     .summary = "read it"},
    {.name = "show",
     .arguments = "[USER [ASSET]]",
     .argument_max = 2,
     .options = {OPTION_LIMIT, OPTION_OUTPUT},
     .summary = "show somebody's"},
    {.name = "logs", .arguments = "verify|rebuild", .argument_min = 1, .argument_max = 1, .summary = "logs"},
    {.name = "plain", .options = {OPTION_FORMAT}, .summary = "no argument: none"},
    {.name = "two",
     .arguments = "OLD.seal NEW.seal DIR SEQ|TIME EVENT_ID COMMAND",
     .argument_min = 6,
     .argument_max = 6,
     .summary = "many"},
};
const size_t command_count = sizeof command_table / sizeof command_table[0];

const struct setting setting_table[SETTING_COUNT] = {{.name = "a"},   {.name = "b.c"}, {.name = "d"}, {.name = "e"},
                                                     {.name = "f"},   {.name = "g"},   {.name = "h"}, {.name = "i"},
                                                     {.name = "j.k"}, {.name = "l"}};

static void expect_completion(const struct completion *c, enum completion_kind kind, const char *placeholder,
                              const char *words)
{
    cr_assert_eq(c->kind, kind, "%s: kind %d", placeholder, (int)c->kind);
    cr_assert_str_eq(c->placeholder, placeholder);
    cr_assert_str_eq(c->words, words);
}

static void expect_argument(int command, size_t index, enum completion_kind kind, const char *placeholder,
                            const char *words)
{
    struct completion c;
    cr_assert(completion_of_argument(&command_table[command], index, &c), "%s: no argument %zu",
              command_table[command].name, index);
    expect_completion(&c, kind, placeholder, words);
}

static void expect_value(const struct command *command, size_t option, enum completion_kind kind, const char *words)
{
    struct completion c;
    completion_of_value(command, &option_table[option], &c);
    expect_completion(&c, kind, option_table[option].value != NULL ? option_table[option].value : "", words);
}

Test(completion, an_option_tells_by_its_value_what_it_takes)
{
    expect_value(NULL, 0, COMPLETE_DIRECTORIES, "");
    expect_value(NULL, 1, COMPLETE_NOTHING, "");
    expect_value(&command_table[SHOW], 2, COMPLETE_NOTHING, "");
    expect_value(&command_table[SHOW], 4, COMPLETE_FILES, "");
    expect_value(&command_table[READ], 5, COMPLETE_WORDS, "a= b.c= d= e= f= g= h= i= j.k= l=");
    expect_value(NULL, 6, COMPLETE_EVENT_IDS, "");
}

Test(completion, a_format_is_one_of_the_commands_own)
{
    expect_value(&command_table[READ], 3, COMPLETE_WORDS, "ndjson csv");
    expect_value(&command_table[PLAIN], 3, COMPLETE_NOTHING, "");
    expect_value(NULL, 3, COMPLETE_NOTHING, "");
}

Test(completion, a_command_tells_its_own_meaning_of_an_option)
{
    struct completion c;
    const struct option *limit = &option_table[2], *output = &option_table[4];
    const struct command own = {
        .name = "own",
        .options = {OPTION_LIMIT, OPTION_OUTPUT},
        .meanings = {{OPTION_LIMIT, "DIR", "where"}, {OPTION_OUTPUT, NULL, "write"}},
    };
    cr_assert_str_eq(option_help(limit, &own), "where");
    cr_assert_str_eq(option_value(limit, &own), "DIR");
    completion_of_value(&own, limit, &c);
    expect_completion(&c, COMPLETE_DIRECTORIES, "DIR", "");
    cr_assert_str_eq(option_help(output, &own), "write");
    cr_assert_str_eq(option_value(output, &own), "FILE.svg");
    cr_assert_str_eq(option_help(limit, &command_table[SHOW]), "so many");
    cr_assert_str_eq(option_value(limit, &command_table[SHOW]), "N");
    cr_assert_str_eq(option_help(limit, NULL), "so many");
    cr_assert_null(option_value(&option_table[1], &own));
}

Test(completion, arguments_are_counted_and_the_last_may_be_repeated)
{
    const size_t counts[] = {1, 2, 1, 0, 6};
    for (size_t i = 0; i < command_count; i++) {
        bool repeats = false;
        cr_assert_eq(completion_argument_count(&command_table[i], &repeats), counts[i], "%s", command_table[i].name);
        cr_assert_eq(repeats, i == READ, "%s", command_table[i].name);
    }
    expect_argument(READ, 0, COMPLETE_FILES, "FILE|-", "");
    expect_argument(READ, 1, COMPLETE_FILES, "FILE|-", "");
    expect_argument(READ, 1000, COMPLETE_FILES, "FILE|-", "");
}

Test(completion, each_argument_tells_what_it_is)
{
    struct completion c;
    expect_argument(SHOW, 0, COMPLETE_WORDS, "USER", "external fees");
    expect_argument(SHOW, 1, COMPLETE_ASSETS, "ASSET", "");
    expect_argument(LOGS, 0, COMPLETE_WORDS, "verify|rebuild", "verify rebuild");
    expect_argument(TWO, 0, COMPLETE_FILES, "OLD.seal", "");
    expect_argument(TWO, 1, COMPLETE_FILES, "NEW.seal", "");
    expect_argument(TWO, 2, COMPLETE_DIRECTORIES, "DIR", "");
    expect_argument(TWO, 3, COMPLETE_NOTHING, "SEQ|TIME", "");
    expect_argument(TWO, 4, COMPLETE_EVENT_IDS, "EVENT_ID", "");
    expect_argument(TWO, 5, COMPLETE_WORDS, "COMMAND", "read show logs plain two");
    cr_assert_not(completion_of_argument(&command_table[SHOW], 2, &c));
    cr_assert_not(completion_of_argument(&command_table[LOGS], 1, &c));
    cr_assert_not(completion_of_argument(&command_table[PLAIN], 0, &c));
}

Test(completion, options_of_a_command_end)
{
    cr_assert_eq(command_option(&command_table[READ], 0)->id, OPTION_FORMAT);
    cr_assert_eq(command_option(&command_table[READ], 1)->id, OPTION_SET);
    cr_assert_null(command_option(&command_table[READ], 2));
    cr_assert_null(command_option(&command_table[LOGS], 0));
    cr_assert_null(command_option(&command_table[READ], COMMAND_OPTIONS_MAX));
    cr_assert(option_is_global(&option_table[0]));
    cr_assert_not(option_is_global(&option_table[2]));
}

/* ---- The scripts ---- */

static struct {
    char bytes[65536];
    size_t count;
} kept;

static bool keep(void *context, const char *bytes, size_t count)
{
    (void)context;
    cr_assert_lt(kept.count + count, sizeof kept.bytes);
    memcpy(kept.bytes + kept.count, bytes, count);
    kept.count += count;
    kept.bytes[kept.count] = '\0';
    return true;
}

static void print(void (*script)(struct out *out))
{
    static struct out out;
    kept.count = 0;
    out_init(&out, keep, NULL);
    script(&out);
    cr_assert(out_flush(&out));
}

static void expect_line(const char *line)
{
    const char *at = strstr(kept.bytes, line);
    cr_assert_not_null(at, "no line: %s\nin:\n%s", line, kept.bytes);
    cr_assert(at == kept.bytes || at[-1] == '\n' || at[-1] == ' ', "inside another: %s", line);
    cr_assert_eq(at[strlen(line)], '\n', "more behind: %s", line);
}

Test(completion, the_script_for_bash_has_the_tables)
{
    print(completion_bash);
    expect_line("echo 'read show logs plain two'");
    expect_line("echo ' --data --json'");
    expect_line("read) echo ' --format --set' ;;");
    expect_line("read:--format) echo 'words ndjson csv' ;;");
    expect_line("plain:--format) echo 'nothing' ;;");
    expect_line("show:--output | show:-o) echo 'files' ;;");
    expect_line("*:--data | *:-D) echo 'directories' ;;");
    expect_line("    :--limit) echo 'nothing' ;;"); /* before the command */
    expect_line("read:*) echo 'files' ;;");
    expect_line("show:1) echo 'assets' ;;");
    expect_line("two:4) echo 'ids' ;;");
    cr_assert_null(strstr(kept.bytes, "logs) echo"), "a command without options");
    cr_assert_null(strstr(kept.bytes, "--json) "), "an option without a value");
}

Test(completion, the_script_for_zsh_quotes_what_would_end_a_part)
{
    print(completion_zsh);
    expect_line("'--format=[it'\\''s \\[a\\] form\\: any]:FORMAT:(ndjson csv)'");
    expect_line("'(-o --output)'{-o+,--output=}'[draw]:FILE.svg:_files'");
    expect_line("'*--set=[a setting]:NAME=VALUE:(a= b.c= d= e= f= g= h= i= j.k= l=)'");
    expect_line("'plain:no argument\\: none'");
    expect_line("'show:show somebody'\\''s'");
    expect_line("'*:FILE|-:_files'");
    expect_line("'2:ASSET:_settlectl_ask assets'");
    expect_line("'4:SEQ|TIME: '");
}

Test(completion, the_script_for_fish_has_a_line_each)
{
    print(completion_fish);
    expect_line("set -g __settlectl_valued --data -D --limit --format --output -o --set --prefix");
    expect_line("complete -c settlectl -s D -l data -x -a '(__fish_complete_directories (commandline -ct))' -d 'the "
                "directory'");
    expect_line("complete -c settlectl -l json -d 'as JSON'");
    expect_line(
        "complete -c settlectl -n '__settlectl_in read' -l format -x -a 'ndjson csv' -d 'it\\'s [a] form: any'");
    expect_line("complete -c settlectl -n '__settlectl_at read 0 more' -F");
    expect_line("complete -c settlectl -n '__settlectl_at show 1' -a '(__settlectl_ask assets)'");
    cr_assert_null(strstr(kept.bytes, "__settlectl_at two 3"), "nothing is known of a time");
}
