/* copy.h — a journal's beginning as a journal of its own. */
#ifndef JOURNAL_COPY_H
#define JOURNAL_COPY_H

#include "journal/reader.h"

/*
 * Writes `journal/` with all events up to until_seq into the data directory to_fd, which has none: the same journal id,
 * positions, bytes and times. Where until_seq lies inside a frame, that frame ends with it; what the journal says later
 * about its events being PERSISTED is kept, with the time it had. Durable when it returns SETTLE_OK.
 */
settle_status journal_copy(int from_fd, int to_fd, uint64_t until_seq, settle_error *error);

#endif
