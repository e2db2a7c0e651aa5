/*
 * error.c — settle_error from what the input side finds: the same statuses for an errno as the layers below give.
 *
 * Texts are made for a terminal: control characters that come in with a path are shown as '?'.
 */
#undef _GNU_SOURCE /* the strerror_r of POSIX, not GNU's */
#define _POSIX_C_SOURCE 200809L
#include "ingest/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

settle_status ingest_fail(settle_error *error, settle_status status, const char *path, const char *format, ...)
{
    assert(status < SETTLE_OK);
    assert(path != NULL);
    if (error == NULL)
        return status;
    *error = (settle_error){.status = status};
    memcpy(error->file, path, strnlen(path, sizeof error->file - 1));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return status;
}

static settle_status status_of(int cause_errno)
{
    switch (cause_errno) {
    case ENOENT: return SETTLE_E_NOT_FOUND;
    case EEXIST: return SETTLE_E_EXISTS;
    case ENOMEM: return SETTLE_E_NO_MEMORY;
    case ENAMETOOLONG: return SETTLE_E_INVALID;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return SETTLE_E_NO_SPACE; /* a limit on the size of files is a quota too */
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return SETTLE_E_ACCESS;
    default: return SETTLE_E_IO;
    }
}

settle_status ingest_fail_errno(settle_error *error, int cause_errno, const char *path, const char *what)
{
    assert(what != NULL);
    char reason[128];
    if (cause_errno == 0 || strerror_r(cause_errno, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", cause_errno);
    settle_status status = ingest_fail(error, status_of(cause_errno), path, "%s %.200s: %s", what, path, reason);
    if (error != NULL)
        error->cause_errno = cause_errno;
    return status;
}
