/* status.h — filling a settle_error, in one line, at the place that knows. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <settle/event.h>

/* All of them return `status` and accept error == NULL. */
settle_status fail(settle_error *error, settle_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With the place: file may be NULL. */
settle_status fail_at(settle_error *error, settle_status status, const char *file, uint64_t offset_bytes, uint64_t seq,
                      const char *format, ...) __attribute__((format(printf, 6, 7)));
/* errno → status, the one place where that is decided. The text is "{what}: {errno's sentence}". */
settle_status fail_errno(settle_error *error, int cause_errno, const char *file, const char *what);
settle_status status_of_errno(int cause_errno);
/* For what works in a folder of the data directory by bare names: the file that a failure names, if it is one, gets its folder.
 * Nothing happens to a name that has one, to the folder itself, to ".", and where status is SETTLE_OK. */
settle_status fail_in(settle_error *error, settle_status status, const char *folder);

#endif
