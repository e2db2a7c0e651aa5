/* error.h — filling a settle_error with the path concerned: this layer sees only the public header of the engine. */
#ifndef INGEST_ERROR_H
#define INGEST_ERROR_H

#include <settle/settle.h>

/* Both return the status and accept error == NULL. `what`: "cannot open"; the text becomes "cannot open PATH:
 * REASON". */
settle_status ingest_fail(settle_error *error, settle_status status, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
settle_status ingest_fail_errno(settle_error *error, int cause_errno, const char *path, const char *what);

#endif
