/*
 * oplog.h — operations.log beside the settlement log: what ingest has to say, as JSON lines. It is not part of the
 * settlement log, which is a function of the journal; and it is never an error when it cannot be written.
 */
#ifndef TOOLS_OPLOG_H
#define TOOLS_OPLOG_H

#include <settle/settle.h>

#define OPLOG_NAME "operations.log"

/* From here on messages go there. The directory is made where it is absent. Once a process. */
void oplog_open(const char *directory);
/* {"timestamp":"…","level":"INFO","target":"settlectl","message":"…"}; from any thread, a line is one write(2). */
void oplog_write(settle_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
