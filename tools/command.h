/*
 * command.h — what a command of settlectl is, and what it is given. settlectl.c has the table; cmd_*.c one command
 * each.
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include <settle/settle.h>

#include "query/print.h"

/* Exit statuses; scripts rely on them. */
enum {
    EXIT_DONE = 0,
    EXIT_NEGATIVE = 1, /* not found, a difference found, some lines malformed */
    EXIT_USAGE = 2,
    EXIT_CORRUPT = 3,
    EXIT_BUSY = 4,
    EXIT_IO = 5, /* or a resource ran out */
    EXIT_SIGNAL = 128,
};

/* Every option of every command: one name means one thing everywhere, so options may stand before the command too. */
enum option_id {
    OPTION_NONE,
    OPTION_DATA,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_ASSET,
    OPTION_SEGMENT_SIZE,
    OPTION_LOG_DIR,
    OPTION_NO_LOGS,
    OPTION_RESUME,
    OPTION_UNTIL_SEQ,
    OPTION_INTO,
    OPTION_CHECK,
    OPTION_AT_SEQ,
    OPTION_AT,
    OPTION_PREFIX,
    OPTION_LIMIT,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_BEFORE,
    OPTION_LEVEL,
    OPTION_RESTORE,
    OPTION_OLDER_THAN,
    OPTION_FROM,
    OPTION_FOLLOW,
    OPTION_FORMAT,
    OPTION_DAY,
    OPTION_DIRECTORY,
    OPTION_OUTPUT,
    OPTION_EVENTS,
    OPTION_RUNS,
    OPTION_QUICK,
    OPTION_SET,
    OPTION_PLOT,
    OPTION_FRAME,
    OPTION_SEQ,
    OPTION_HEX,
    OPTION_NEW_KEY,
    OPTION_KEY,
    OPTION_PUBLIC_KEY,
    OPTION_SEAL,
    OPTION_CONSISTENCY,
};

struct option {
    enum option_id id;
    char letter;       /* 0: none */
    const char *name;  /* without the dashes */
    const char *value; /* what its value is called; NULL: it takes none */
    const char *help;
};
/* What a command means by an option that others have too. */
struct option_meaning {
    enum option_id id;
    const char *value; /* NULL: as the table of options has it */
    const char *help;
};
extern const struct option option_table[];
extern const size_t option_count;

struct invocation;

#define COMMAND_OPTIONS_MAX 8
#define COMMAND_MEANINGS_MAX 2

struct command {
    const char *name;
    const char *arguments; /* as the help shows them; NULL: it takes none */
    size_t argument_min, argument_max;
    enum option_id options[COMMAND_OPTIONS_MAX]; /* beside the global ones; OPTION_NONE ends them */
    enum option_id required;                     /* the one of them that must be given; OPTION_NONE: none must */
    struct option_meaning meanings[COMMAND_MEANINGS_MAX]; /* where the table's words are not the command's */
    const char *formats;                                  /* what --format may be, between blanks; NULL without it */
    int (*run)(struct invocation *invocation);            /* returns the exit status */
    const char *summary;                                  /* one line */
    const char *details;                                  /* sentences for `help COMMAND` */
    const char *example;
};
extern const struct command command_table[];
extern const size_t command_count;

struct option_use {
    enum option_id id;
    const char *value;
};

struct invocation {
    const struct command *command; /* NULL: none was given */
    const char *directory;         /* the data directory */
    bool as_json, is_quiet;
    const char **arguments;
    size_t argument_count;
    struct option_use *options; /* in the order given */
    size_t option_count;
    struct out out; /* standard output */
};

/* ---- options.c ---- */

/*
 * Takes the command line apart. False: *ret_fault (of fault_bytes) says what is wrong with it. as_json is right in
 * either case. Arrays are malloc'd: invocation_deinit() frees them.
 */
bool invocation_init(struct invocation *invocation, int argc, char **argv, char *ret_fault, size_t fault_bytes);
void invocation_deinit(struct invocation *invocation);
/* The last value given; NULL when the option was not given. An option without a value has "". */
const char *invocation_option(const struct invocation *invocation, enum option_id id);
const struct command *command_find(const char *name);
/* The command whose name is likest; NULL when none is near. */
const char *command_suggest(const char *name);
/* Whether `word` is nearer to what was typed than *best says (SIZE_MAX at first); then *best is lowered. */
bool word_is_nearer(const char *typed, size_t typed_bytes, const char *word, size_t *best);

/* A place in the journal as people give it. */
struct bound {
    bool is_given, is_moment;
    uint64_t seq, time_us; /* the one or the other */
};
/* A sequence number, else a time (query_time_parse); an integer from 1000000000000 on is milliseconds. NULL: not given. */
bool bound_parse(const char *text, struct bound *ret_bound);

/* ---- show.c ---- */

struct ledger;
/* Balances: a table, or one NDJSON line each. */
settle_status show_ledger(struct invocation *invocation, const struct ledger *ledger);

/* What decided an event, as trace and stuck print it: "VALIDATED". */
const char *show_step(settle_outcome outcome);
/* Whether standard output takes colours: a terminal that knows them, and NO_COLOR is not set. */
bool show_colour(void);
/* A change as a table's cell, "+" before what comes in, so that the direction is seen at once. */
void show_delta_cell(struct table *table, settle_int128 delta, uint8_t scale);
/* An event time: as RFC 3339, where it has a year of four digits; else its milliseconds. */
void show_event_time(uint64_t ts_ms, char ret_text[PRINT_TIME_BYTES]);

/* ---- The commands ---- */

int cmd_archive(struct invocation *invocation);
int cmd_balance(struct invocation *invocation);
int cmd_bench(struct invocation *invocation);
int cmd_completion(struct invocation *invocation);
int cmd_config(struct invocation *invocation);
int cmd_export(struct invocation *invocation);
int cmd_help(struct invocation *invocation);
int cmd_history(struct invocation *invocation);
int cmd_ingest(struct invocation *invocation);
int cmd_init(struct invocation *invocation);
int cmd_inspect(struct invocation *invocation);
int cmd_logs(struct invocation *invocation);
int cmd_prove(struct invocation *invocation);
int cmd_reconcile(struct invocation *invocation);
int cmd_replay(struct invocation *invocation);
int cmd_seal(struct invocation *invocation);
int cmd_stats(struct invocation *invocation);
int cmd_stuck(struct invocation *invocation);
int cmd_tail(struct invocation *invocation);
int cmd_trace(struct invocation *invocation);
int cmd_verify(struct invocation *invocation);
int cmd_version(struct invocation *invocation);

#endif
