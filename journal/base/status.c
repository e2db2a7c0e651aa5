/*
 * status.c — filling a settle_error, and the one place where errno becomes a settle_status.
 *
 * Texts are made for a terminal: control characters that come in with a file name or a line are shown as '?'.
 */
#undef _GNU_SOURCE /* the strerror_r of POSIX, not GNU's */
#define _POSIX_C_SOURCE 200809L
#include "journal/base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void format_text(settle_error *error, const char *format, va_list arguments)
{
    int length = vsnprintf(error->text, sizeof(error->text), format, arguments);
    if (length < 0)
        error->text[0] = '\0';
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

static void begin(settle_error *error, settle_status status, const char *file)
{
    assert(status < SETTLE_OK);
    *error = (settle_error){.status = status};
    if (file == NULL)
        return;
    size_t bytes = strnlen(file, sizeof(error->file) - 1);
    memcpy(error->file, file, bytes);
    error->file[bytes] = '\0';
}

settle_status fail(settle_error *error, settle_status status, const char *format, ...)
{
    assert(status < SETTLE_OK && format != NULL);
    if (error == NULL)
        return status;
    begin(error, status, NULL);
    va_list arguments;
    va_start(arguments, format);
    format_text(error, format, arguments);
    va_end(arguments);
    return status;
}

settle_status fail_at(settle_error *error, settle_status status, const char *file, uint64_t offset_bytes, uint64_t seq,
                      const char *format, ...)
{
    assert(status < SETTLE_OK && format != NULL);
    if (error == NULL)
        return status;
    begin(error, status, file);
    error->offset_bytes = offset_bytes;
    error->seq = seq;
    va_list arguments;
    va_start(arguments, format);
    format_text(error, format, arguments);
    va_end(arguments);
    return status;
}

settle_status fail_errno(settle_error *error, int cause_errno, const char *file, const char *what)
{
    assert(what != NULL);
    char reason[128];
    if (cause_errno == 0 || strerror_r(cause_errno, reason, sizeof(reason)) != 0)
        (void)snprintf(reason, sizeof(reason), "error %d", cause_errno);
    settle_status status = fail_at(error, status_of_errno(cause_errno), file, 0, 0, "%s: %s", what, reason);
    if (error != NULL)
        error->cause_errno = cause_errno;
    return status;
}

settle_status fail_in(settle_error *error, settle_status status, const char *folder)
{
    assert(folder != NULL && folder[0] != '\0');
    if (status == SETTLE_OK || error == NULL || error->file[0] == '\0' || strchr(error->file, '/') != NULL ||
        strcmp(error->file, ".") == 0 || strcmp(error->file, folder) == 0)
        return status;
    size_t front = strlen(folder) + 1, bytes = strlen(error->file);
    assert(front < sizeof(error->file));
    if (front + bytes >= sizeof(error->file))
        bytes = sizeof(error->file) - 1 - front;
    memmove(error->file + front, error->file, bytes);
    memcpy(error->file, folder, front - 1);
    error->file[front - 1] = '/';
    error->file[front + bytes] = '\0';
    return status;
}

settle_status status_of_errno(int cause_errno)
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
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return SETTLE_E_ACCESS; /* a socket, or a FIFO nobody reads */
    default: return SETTLE_E_IO;
    }
}
