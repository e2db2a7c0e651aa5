/*
 * report.h — what goes to standard error, and how a settle_status becomes an exit status: the one place for both.
 * With --json each report is one JSON object on a line of its own. Any thread may report: a report is one write(2).
 * All but the malformed lines also go to the operational log where there is one (oplog.h).
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "tools/command.h"

int exit_of_status(settle_status status);

/* All return the exit status. */
int report_error(const struct invocation *invocation, settle_status status, const settle_error *error);
int report_usage(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes the sentence of an error and returns the error. */
const settle_error *report_text(settle_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The command is known and what it was asked is not there, or not so. */
int report_negative(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A warning is always told, a note not with -q. */
void report_warning(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_note(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For settle_options.log, with the invocation as context: what the library has to say. */
void report_log(void *context, settle_log_level level, const char *message);
void report_malformed(const struct invocation *invocation, const char *file, uint64_t line, size_t byte,
                      const char *reason);
void report_reject_file(const struct invocation *invocation, const char *path);

/* Warns where a query goes without its store. */
struct query;
void report_store_fault(const struct invocation *invocation, const struct query *query);

/* Flushes standard output. Where that fails the status becomes EXIT_IO, with a message unless the reader just left. */
int report_finish(struct invocation *invocation, int exit_status);

/* Sinks for struct out: standard output and standard error. */
bool report_stdout(void *context, const char *bytes, size_t count);
bool report_stderr(void *context, const char *bytes, size_t count);

/* While a progress line stands on the terminal, reports wipe it first. */
void report_progress_stands(bool stands);

#endif
