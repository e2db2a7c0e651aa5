/*
 * ahead.h — a journal's frames read and checked by a thread of their own, a few before the one that is being folded: half of
 * the time of a replay is reading, the other half is folding.
 *
 * From ahead_open() to ahead_close() the reader is the thread's alone.
 */
#ifndef QUERY_AHEAD_H
#define QUERY_AHEAD_H

#include "journal/reader.h"

struct ahead;

/* From *point on. NULL in *ret_ahead where there is no memory or no thread to be had: one goes on without. */
void ahead_open(struct journal_reader *reader, const struct journal_point *point, const struct mem *mem,
                struct ahead **ret_ahead);
void ahead_close(struct ahead *ahead); /* NULL is fine */
/* As journal_reader_next(): the next frame, good until the next call, and the point behind it. What ends it (SETTLE_E_END, a
 * fault) is answered again and again. */
settle_status ahead_next(struct ahead *ahead, struct journal_point *point, struct frame *ret_frame, settle_error *error);

#endif
