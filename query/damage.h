/* damage.h — what is damaged in a journal, all of it: the bytes alone, behind the first fault too. */
#ifndef QUERY_DAMAGE_H
#define QUERY_DAMAGE_H

#include "query/internal.h"

typedef void (*damage_found)(void *context, const settle_error *fault);

/*
 * Looks at every segment and frame from *from on (NULL: from the beginning), goes on behind what is damaged at the next valid
 * frame or segment, and tells each fault with its place. A torn frame at the very end is none, and neither is what a writer
 * that lives has not told of. Errors are those of reading; a fault is none.
 */
settle_status damage_scan(int data_fd, const struct journal_point *from, damage_found found, void *context,
                          settle_error *error);

#endif
