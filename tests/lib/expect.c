/* expect.c — the error that the macros of expect.h print. */
#include "tests/lib/expect.h"

#include <inttypes.h>
#include <stdio.h>

settle_error test_error;

const char *expect_describe(const settle_error *error)
{
    static char text[1024];
    snprintf(text, sizeof text, "'%s' (file '%s', offset %" PRIu64 ", seq %" PRIu64 ", errno %d)", error->text,
             error->file, error->offset_bytes, error->seq, error->cause_errno);
    return text;
}
