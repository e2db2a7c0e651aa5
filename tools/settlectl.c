/*
 * settlectl.c — the command line of libsettle: the table of commands, and main. What a command does stands in its
 * cmd_*.c; exit statuses are made in report.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/guard.h"
#include "tools/report.h"

const struct command command_table[] = {
    {
        .name = "init",
        .options = {OPTION_ASSET, OPTION_SEGMENT_SIZE},
        .run = cmd_init,
        .summary = "create a data directory and declare assets",
        .details = "Creates the data directory with an empty journal and declares the assets given. Where the\n"
                   "directory exists, the assets are declared in it; the same ones again change nothing. Exit\n"
                   "status 1, and nothing is changed, when an asset is declared there with other values, or the\n"
                   "journal has another segment size than asked for.",
        .example = "settlectl -D bank init --asset USDT=2:6 --asset BTC=1:8",
    },
    {
        .name = "ingest",
        .arguments = "[FILE|-]...",
        .argument_max = SIZE_MAX,
        .options = {OPTION_LOG_DIR, OPTION_NO_LOGS, OPTION_RESUME, OPTION_FORMAT, OPTION_SET},
        .meanings = {{OPTION_FORMAT, NULL, "what the input is: ndjson (default), csv"}},
        .formats = "ndjson csv",
        .run = cmd_ingest,
        .summary = "read events, apply and journal them",
        .details = "Reads events, one JSON object a line, from the files, or from standard input without a file or\n"
                   "for \"-\". Each is validated, applied and journalled; the summary comes when all are on stable\n"
                   "storage. Creates the data directory when it is absent. Malformed lines are told on standard\n"
                   "error as FILE:LINE:BYTE: REASON, copied to a reject file below DIR/rejects, and make the exit\n"
                   "status 1; rejected, duplicate and conflicting events do not. The same input again changes no\n"
                   "balance: its events are duplicates. SIGINT and SIGTERM finish what was read; a second one ends\n"
                   "at once. The JSON lines of every step go to settlement.log in the log directory, those of\n"
                   "earlier runs first where they are missing, and what ingest itself has to say to\n"
                   "operations.log beside it; trouble with them is a warning and never stops the events;\n"
                   "only a --log-dir that cannot be used at all is refused before the first event.\n"
                   "Settings come from --set, the environment and DIR/settle.json; see settlectl config. With\n"
                   "--format csv each input is a table: a header that names members, then one event a row.",
        .example = "settlectl -D bank ingest events.ndjson",
    },
    {
        .name = "balance",
        .arguments = "[USER [ASSET]]",
        .argument_max = 2,
        .options = {OPTION_AT_SEQ, OPTION_AT},
        .run = cmd_balance,
        .summary = "print balances, now or as they were",
        .details = "Prints the balances: of all, of a user (a number, \"external\" or \"fees\"), or of a user in an\n"
                   "asset (its symbol, else its number). With --at-seq as they were behind that event, with --at\n"
                   "behind the last event whose PERSISTED time, as trace prints it, is not later: a time is one of\n"
                   "recording here, not of the event (its ts). Balances that no event had changed by then are left\n"
                   "out. Exit status 1 when the one asked for does not exist, or did not then, and when the journal\n"
                   "ends before that event.",
        .example = "settlectl -D bank balance 1001 USDT",
    },
    {
        .name = "trace",
        .arguments = "EVENT_ID",
        .argument_max = 1,
        .options = {OPTION_PREFIX},
        .run = cmd_trace,
        .summary = "print an event's whole life",
        .details = "Prints the steps of an event with their times, each balance before and after, later arrivals\n"
                   "of the same id, and what is missing. A trade is found by its trade id too, unless it was given\n"
                   "an event id of its own. With --prefix instead of an id, lists the ids that begin so, in their\n"
                   "order. Exit status 1 when there is none.",
        .example = "settlectl -D bank trace deposit_1001_2_1733856600000",
    },
    {
        .name = "history",
        .arguments = "USER ASSET",
        .argument_min = 2,
        .argument_max = 2,
        .options = {OPTION_LIMIT, OPTION_SINCE, OPTION_UNTIL, OPTION_BEFORE, OPTION_PLOT, OPTION_OUTPUT},
        .meanings = {{OPTION_BEFORE, "SEQ", "go on before the row with this sequence number"},
                     {OPTION_OUTPUT, NULL, "with --plot: write the drawing there, as SVG (- is standard output)"}},
        .run = cmd_history,
        .summary = "print an account's statement",
        .details = "Prints every change of a balance, newest first, with the balance after it. USER and ASSET are\n"
                   "those of balance. --since and --until take a sequence number or a time, both inclusive; a time\n"
                   "is one of balance --at and is compared with the PERSISTED time; an integer from 1000000000000\n"
                   "on is milliseconds. --limit with --before, the seq of the last row seen, reads page by page.\n"
                   "Each row is checked against the one before it. --plot draws the same rows as a step line over the\n"
                   "event time, in the terminal, in ASCII where the locale is not UTF-8; -o writes it as SVG instead.\n"
                   "However many rows there are, no peak is lost. Exit status 1 when the account has no history.",
        .example = "settlectl -D bank history 1001 USDT --limit 20 --since -7d",
    },
    {
        .name = "tail",
        .options = {OPTION_FROM, OPTION_FOLLOW, OPTION_FORMAT, OPTION_LOG_DIR, OPTION_SET},
        .meanings = {{OPTION_LOG_DIR, NULL, "write the lines to the files of this directory instead of printing them"},
                     {OPTION_FORMAT, NULL, "settle (default), ecs, otlp"}},
        .formats = "settle ecs otlp",
        .run = cmd_tail,
        .summary = "print the JSON lines of the journal",
        .details = "Prints what is on stable storage as JSON lines, one a step, from the beginning or from an event\n"
                   "on. --follow waits for more, also while no writer runs, until SIGINT or SIGTERM. With\n"
                   "--log-dir the lines go to the files of that directory instead, as ingest writes them, from\n"
                   "where they ended; so another process than the writer can keep them.",
        .example = "settlectl -D bank tail --from 1000 --follow | jq .fields",
    },
    {
        .name = "logs",
        .arguments = "verify|rebuild",
        .argument_min = 1,
        .argument_max = 1,
        .options = {OPTION_LOG_DIR, OPTION_DAY, OPTION_SET},
        .run = cmd_logs,
        .summary = "check or rewrite the files of the JSON lines",
        .details = "verify renders the journal again and compares every file of the log directory with it, rotated\n"
                   "and compressed ones included: ok, or the first difference with its file, line and byte, and\n"
                   "exit status 1. Lines before the oldest file and behind the newest are told and are no\n"
                   "difference; without any event and line nothing is checked, exit status 1. rebuild writes a day (--day), or every day, afresh from the journal.",
        .example = "settlectl -D bank logs verify --log-dir logs",
    },
    {
        .name = "stuck",
        .options = {OPTION_OLDER_THAN},
        .run = cmd_stuck,
        .summary = "print events without a final step",
        .details = "Prints the events that are on stable storage and not recorded as PERSISTED, with their last\n"
                   "step, its time and its age: those of the last moment while a writer works or after a crash,\n"
                   "until the next writer records them. None is the usual answer; the exit status is 0 either way.",
        .example = "settlectl -D bank stuck --older-than 1000",
    },
    {
        .name = "replay",
        .options = {OPTION_UNTIL_SEQ, OPTION_INTO, OPTION_CHECK},
        .run = cmd_replay,
        .summary = "rebuild every balance from the journal alone",
        .details = "Reads the journal from its beginning, validates every event again, compares the outcome with\n"
                   "what is recorded, and prints the balances as `balance` does. --check prints a summary instead,\n"
                   "and compares with the live store too; exit status 1 when something differs. --into writes a\n"
                   "new data directory from what was replayed; it must be absent or empty.",
        .example = "settlectl -D bank replay --until-seq 1000 --into bank-as-it-was",
    },
    {
        .name = "verify",
        .options = {OPTION_SEAL, OPTION_PUBLIC_KEY},
        .meanings = {{OPTION_SEAL, NULL, "the seal that the journal is compared with"}},
        .run = cmd_verify,
        .summary = "check everything that can be checked",
        .details = "Checks every checksum, the chain, the sequence, conservation, every outcome against the rules,\n"
                   "and the store against the journal. Names the first fault with its segment, offset and sequence\n"
                   "number, and says how many there are; exit status 3 then. Behind the first fault in the journal\n"
                   "every further damaged frame and segment is found; balances and the store are not known there.\n"
                   "A torn frame at the very end, as a crash leaves it, is counted and is no fault; a journal without\n"
                   "any event is told, \"empty\":true, and is none. The store is named with the last event it holds.\n"
                   "With --seal and --public-key the journal is compared with a seal as well: its signature, the\n"
                   "hash of every frame it covers, the tree of events; exit status 1 where they differ.",
        .example = "settlectl -D bank verify",
    },
    {
        .name = "seal",
        .options = {OPTION_NEW_KEY, OPTION_KEY, OPTION_OUTPUT, OPTION_CHECK},
        .meanings = {{OPTION_CHECK, NULL, "hash what was sealed before again"},
                     {OPTION_OUTPUT, NULL, "write the seal there, where nothing is yet"}},
        .run = cmd_seal,
        .summary = "sign what the journal says up to now",
        .details = "Prints a seal: the last event's number, the root of the Merkle tree of all events and the hash\n"
                   "of all frames, signed with --key. Keeps it in DIR/seals, or writes it to --output instead. Goes\n"
                   "on from the newest seal by the same key, with which the journal must still agree; exit status 1\n"
                   "and no seal where it does not. A seal counts once a copy of it lies where nobody who can write\n"
                   "the data directory can take it back: docs/seals.md says what it finds and what not. --new-key\n"
                   "makes a key and does nothing else.",
        .example = "settlectl seal --new-key bank.pem && settlectl -D bank seal --key bank.pem",
    },
    {
        .name = "prove",
        .arguments = "EVENT_ID | OLD.seal NEW.seal",
        .argument_min = 1,
        .argument_max = 2,
        .options = {OPTION_SEAL, OPTION_CONSISTENCY, OPTION_OUTPUT},
        .meanings = {{OPTION_SEAL, NULL, "the seal that the event is proved against"},
                     {OPTION_OUTPUT, NULL, "write the proof there, where nothing is yet"}},
        .run = cmd_prove,
        .summary = "prove an event, or one seal's history in another",
        .details = "Prints a proof as one line of JSON that settle-check-proof checks without the journal and without\n"
                   "this program: that an event, with its amounts, its outcome and what it did, is among those of\n"
                   "the --seal; or, with --consistency, that the events of the older seal are the first of the\n"
                   "newer one, unchanged. Reads the journal from its beginning. Exit status 1 when the event is\n"
                   "unknown or not sealed yet, or the journal is not what was sealed.",
        .example = "settlectl -D bank prove trade_T-1 --seal bank.seal --output proof.json",
    },
    {
        .name = "inspect",
        .arguments = "[FILE]",
        .argument_max = 1,
        .options = {OPTION_FRAME, OPTION_SEQ, OPTION_HEX},
        .run = cmd_inspect,
        .summary = "show what is in a data directory, a segment, a frame or an event",
        .details = "Without a file: segments, store, torn tail and writer of the data directory. With a segment\n"
                   "file: its header, frames and records, one a line; amounts are in minor units. --frame shows one\n"
                   "frame, --seq one event and the header of its frame: every field of the bytes, checksums computed\n"
                   "again and called good or BAD, with --hex the bytes. Exit status 3 when one of them is bad.",
        .example = "settlectl inspect bank/journal/00000000000000000001-000000.seg",
    },
    {
        .name = "export",
        .options = {OPTION_FORMAT},
        .required = OPTION_FORMAT,
        .meanings = {{OPTION_FORMAT, NULL, "hledger, csv, events"}},
        .formats = "hledger csv events",
        .run = cmd_export,
        .summary = "print the journal for hledger, or as CSV",
        .details = "Prints what is on stable storage. hledger: plain-text accounting, one transaction an accepted\n"
                   "event, with the accounts users:1001:available, users:1001:held, external and fees. csv: one row\n"
                   "a leg, with its balance before and after. events: CSV too, one row an asset or an event,\n"
                   "duplicates included, which `ingest --format csv` reads back. --json changes the errors only.",
        .example = "settlectl -D bank export --format hledger | hledger -f - balance",
    },
    {
        .name = "reconcile",
        .arguments = "FILE.csv|-",
        .argument_min = 1,
        .argument_max = 1,
        .options = {OPTION_SINCE, OPTION_UNTIL, OPTION_AT_SEQ, OPTION_AT},
        .run = cmd_reconcile,
        .summary = "compare an outside statement with ours",
        .details = "Reads a table of CSV and lists what differs and what is missing on either side; exit status 1\n"
                   "then, or when a row is malformed. Columns are found by their names, in any order; others do not\n"
                   "count. With user, asset and balance, perhaps held, it is a statement of balances, compared with\n"
                   "those now, or with --at or --at-seq as they were. Without held the balance is available and held\n"
                   "together; a balance of zero may be missing. With event_id it is a statement of events: type, ts,\n"
                   "user, asset, amount, buyer ..., the columns of `ingest --format csv`, are compared where a cell\n"
                   "is not empty; with delta it is one of changes, as `export --format csv` prints them. Every\n"
                   "accepted event must be there, once; --since and --until (a sequence number or an event time, both\n"
                   "inclusive) say which. The statement is held in memory, the journal is not.",
        .example = "settlectl -D bank reconcile december.csv --since 2024-12-01T00:00:00Z",
    },
    {
        .name = "archive",
        .options = {OPTION_BEFORE, OPTION_LEVEL, OPTION_LOG_DIR, OPTION_RESTORE},
        .meanings = {{OPTION_LOG_DIR, NULL, "keep what the JSON lines in this directory still need (default ./logs)"}},
        .run = cmd_archive,
        .summary = "move old segments, compressed, to the archive",
        .details = "Moves every sealed segment whose events all come before an event or a time to DIR/archive,\n"
                   "compressed with zstd, behind a snapshot of balances and ids; DIR/archive may be another disk.\n"
                   "Every command reads both. Segments that the store's checkpoint or the JSON lines of --log-dir\n"
                   "still need stay. Works beside a writer, may be interrupted at any moment and run again. Each\n"
                   "file is synced, read back and compared before the segment is removed. --restore brings all of\n"
                   "them back, byte for byte, and removes the archive. docs/archive.md has the details.",
        .example = "settlectl -D bank archive --before -90d",
    },
    {
        .name = "stats",
        .run = cmd_stats,
        .summary = "count events, outcomes, rejections and bytes",
        .details = "Counts events by type and outcome, rejections by reason, changes by asset, and the journal's\n"
                   "bytes an event.",
        .example = "settlectl -D bank stats --json",
    },
    {
        .name = "config",
        .options = {OPTION_SET},
        .run = cmd_config,
        .summary = "check the settings and show where each came from",
        .details = "Shows every setting of ingest, tail --log-dir and logs, its value, and where that came from: an\n"
                   "option --set outdoes the environment, that the file DIR/settle.json, and that the default. The\n"
                   "variable of lines.keep_days is SETTLE_LINES_KEEP_DAYS, and so on. A mistake is told with the\n"
                   "file's line and byte, the variable or the option, and makes the exit status 2. settle.json(5)\n"
                   "describes the settings.",
        .example = "settlectl -D bank config --set lines.keep_days=30",
    },
    {
        .name = "completion",
        .arguments = "bash|zsh|fish|assets|ids [TEXT]",
        .argument_min = 1,
        .argument_max = 2,
        .run = cmd_completion,
        .summary = "print a shell's completion script",
        .details = "Prints the script by which bash, zsh or fish completes the words of settlectl; packages\n"
                   "install it. assets and ids, perhaps with what they are to begin with, are what those scripts ask\n"
                   "for: the symbols declared in the data directory, and at most 200 event ids.",
        .example = "source <(settlectl completion bash)",
    },
    {
        .name = "bench",
        .options = {OPTION_DIRECTORY, OPTION_OUTPUT, OPTION_EVENTS, OPTION_RUNS, OPTION_QUICK},
        .meanings = {{OPTION_OUTPUT, NULL, "write the drawing there, as SVG (- is standard output)"}},
        .run = cmd_bench,
        .summary = "measure this machine and the engine on it",
        .details = "Measures what the device can do at best, then the engine: events through the library in groups,\n"
                   "from threads and at a fixed pace, ingest without and with lines, recovery, replay, verify,\n"
                   "questions while writing. All cases in turn, several times over; prints medians, each with its\n"
                   "ratio to the device's best in the same run. Works in a temporary directory beside the data\n"
                   "directory, or below --directory, and removes it. docs/performance.md explains the figures.",
        .example = "settlectl bench --quick -o bench.svg",
    },
    {
        .name = "version",
        .run = cmd_version,
        .summary = "print the version",
        .details = "Prints the version and the journal format.",
        .example = "settlectl version",
    },
    {
        .name = "help",
        .arguments = "[COMMAND]",
        .argument_max = 1,
        .options = {OPTION_FORMAT},
        .meanings = {{OPTION_FORMAT, NULL, "text (default), man"}},
        .formats = "text man",
        .run = cmd_help,
        .summary = "print this, or what a command does",
        .details = "Prints all commands, or one with its options and an example. --format man prints what the manual\n"
                   "pages are made of: settlectl help --format man tail | man -l -",
        .example = "settlectl help ingest",
    },
};
const size_t command_count = sizeof command_table / sizeof command_table[0];

/*
 * A descriptor 0, 1 or 2 that is closed would be given to the next file opened, and a message would then be written
 * into the journal. /dev/null takes the place, opened the wrong way round, so that using it fails as it does on a
 * closed one.
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
    guard_memory();
    fill_standard_descriptors();
    out_init(&invocation.out, report_stdout, NULL);
    int exit_status = report_finish(&invocation, run(&invocation, argc, argv));
    invocation_deinit(&invocation);
    return exit_status;
}
