/*
 * settlectl.c — the command line of libsettle: the table of commands, and main. What a command does stands in its cmd_*.c;
 * exit statuses are made in report.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/report.h"

const struct command command_table[] = {
    {"init", "", 0, 0, {OPTION_ASSET, OPTION_SEGMENT_SIZE}, cmd_init, "create a data directory and declare assets",
     "Creates the data directory with an empty journal and declares the assets given. Where the directory exists, the\n"
     "assets are declared in it; the same ones again change nothing. Exit status 1, and nothing is changed, when an\n"
     "asset is declared there with other values, or the journal has another segment size than asked for.",
     "settlectl -D bank init --asset USDT=2:6 --asset BTC=1:8"},
    {"ingest", "[FILE|-]...", 0, SIZE_MAX, {OPTION_LOG_DIR, OPTION_NO_LOGS, OPTION_RESUME}, cmd_ingest,
     "read events, apply and journal them",
     "Reads events, one JSON object a line, from the files, or from standard input without a file or for \"-\". Each is\n"
     "validated, applied and journalled; the summary comes when all are on stable storage. Creates the data directory\n"
     "when it is absent. Malformed lines are told on standard error as FILE:LINE:BYTE: REASON, copied to a reject file\n"
     "below DIR/rejects, and make the exit status 1; rejected, duplicate and conflicting events do not. The same input\n"
     "again changes no balance: its events are duplicates. SIGINT and SIGTERM finish what was read; a second one ends\n"
     "at once. This version accepts --log-dir and --no-logs but writes no JSON lines yet. Settings of the engine are\n"
     "read from DIR/settle.json where there is one; settlectl(1) describes it.",
     "settlectl -D bank ingest events.ndjson"},
    {"balance", "[USER [ASSET]]", 0, 2, {OPTION_NONE}, cmd_balance, "print balances",
     "Prints the balances now: of all, of a user (a number, \"external\" or \"fees\"), or of a user in an asset (its symbol,\n"
     "else its number). Exit status 1 when the one asked for does not exist.",
     "settlectl -D bank balance 1001 USDT"},
    {"trace", "EVENT_ID", 1, 1, {OPTION_NONE}, cmd_trace, "print an event's whole life",
     "Prints the steps of an event with their times, each balance before and after, later arrivals of the same id, and\n"
     "what is missing. Exit status 1 when no event has the id.",
     "settlectl -D bank trace deposit_1001_2_1733856600000"},
    {"replay", "", 0, 0, {OPTION_UNTIL_SEQ, OPTION_INTO, OPTION_CHECK}, cmd_replay,
     "rebuild every balance from the journal alone",
     "Reads the journal from its beginning, validates every event again, compares the outcome with what is recorded, and\n"
     "prints the balances as `balance` does. --check prints a summary instead, and compares with the live store too;\n"
     "exit status 1 when something differs. --into writes a new data directory from what was replayed; it must be absent\n"
     "or empty.",
     "settlectl -D bank replay --until-seq 1000 --into bank-as-it-was"},
    {"verify", "", 0, 0, {OPTION_NONE}, cmd_verify, "check everything that can be checked",
     "Checks every checksum, the chain, the sequence, conservation, every outcome against the rules, and the store against\n"
     "the journal. Names the first fault with its segment, offset and sequence number; exit status 3 then. A torn frame at\n"
     "the very end, as a crash leaves it, is counted and is no fault.",
     "settlectl -D bank verify"},
    {"inspect", "[FILE]", 0, 1, {OPTION_NONE}, cmd_inspect, "show what is in a data directory or a segment",
     "Without a file: segments, store, torn tail and writer of the data directory. With a segment file: its header, frames\n"
     "and records, one a line; amounts are in minor units.",
     "settlectl inspect bank/journal/00000000000000000001-000000.seg"},
    {"stats", "", 0, 0, {OPTION_NONE}, cmd_stats, "count events, outcomes, rejections and bytes",
     "Counts events by type and outcome, rejections by reason, changes by asset, and the journal's bytes an event.",
     "settlectl -D bank stats --json"},
    {"version", "", 0, 0, {OPTION_NONE}, cmd_version, "print the version", "Prints the version and the journal format.",
     "settlectl version"},
    {"help", "[COMMAND]", 0, 1, {OPTION_NONE}, cmd_help, "print this, or what a command does",
     "Prints all commands, or one with its options and an example.", "settlectl help ingest"},
};
const size_t command_count = sizeof command_table / sizeof command_table[0];

/*
 * A descriptor 0, 1 or 2 that is closed would be given to the next file opened, and a message would then be written into the
 * journal. /dev/null takes the place, opened the wrong way round, so that using it fails as it does on a closed one.
 */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static int run(struct invocation *invocation, int argc, char **argv)
{
    char fault[512];
    if (!invocation_init(invocation, argc, argv, fault, sizeof fault))
        return report_usage(invocation, "%s", fault);
    if (invocation_option(invocation, OPTION_HELP) != NULL) {
        if (invocation->command != NULL)
            invocation->arguments[0] = invocation->command->name;
        invocation->argument_count = invocation->command != NULL;
        return cmd_help(invocation);
    }
    if (invocation_option(invocation, OPTION_VERSION) != NULL)
        return cmd_version(invocation);
    if (invocation->command == NULL)
        return report_usage(invocation, "no command given; see settlectl help");
    return invocation->command->run(invocation);
}

int main(int argc, char **argv)
{
    struct invocation invocation = {.command = NULL};
    fill_standard_descriptors();
    out_init(&invocation.out, report_stdout, NULL);
    int exit_status = report_finish(&invocation, run(&invocation, argc, argv));
    invocation_deinit(&invocation);
    return exit_status;
}
