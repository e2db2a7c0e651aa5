/*
 * history.h — small data directories with a known past, and edits of them, for fuzz targets.
 *
 *   CLOSED   a journal of three segments whose writer closed; the store has all of it
 *   CRASHED  the same journal; its writer died: the store has half of it, the watermark all
 *   OLD      the first half, closed: an older copy of the same journal
 *   FOREIGN  another history under the same journal id and with the same segment size
 *
 * The same bytes at every start, but for what LMDB leaves undefined. An input is a list of edits, each an operation and its
 * operands (edit_next()): any bytes are edits.
 */
#ifndef TESTS_FUZZ_HISTORY_H
#define TESTS_FUZZ_HISTORY_H

#include "tests/fuzz/fuzz.h"

#include <settle/settle.h>

#include "engine/accounts.h"
#include "tests/lib/stream.h"

enum { CLOSED, CRASHED, OLD, FOREIGN, BASE_COUNT, BASES_TO_EDIT = FOREIGN };

/* ---- What the journal says ---------------------------------------------------------------------------------------- */

struct past_event {
    struct stream_event stream;
    settle_result result;
};
struct past {
    struct past_event *events; /* [0] is event 1 */
    uint64_t count;
    bool *ends_frame;          /* [seq]: a frame ends behind it; [0] is the beginning */
    settle_balance **balances; /* [seq]: all of them behind event seq, sorted */
    size_t *balance_counts;
};
extern struct past past_main, past_foreign;
extern uint64_t base_events[BASE_COUNT]; /* in each of the bases */
extern uint64_t base_ends[BASE_COUNT];   /* positions behind what the builder wrote */
/* The balances are exactly those behind event `seq`. */
bool past_is(const struct past *past, uint64_t seq, const struct accounts *accounts);

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

#define IMAGE_FILES_MAX 40
struct image_file {
    char name[64]; /* below the data directory */
    uint8_t *bytes;
    size_t count, capacity;
    bool exists, is_touched;
};
struct image {
    struct image_file files[IMAGE_FILES_MAX];
    size_t count;
};
extern struct image base_images[BASE_COUNT];

/* Makes the bases; once. Temporary directories lie in memory where there is such a place. */
void history_make(void);
void image_add(struct image *image, const char *name, const void *bytes, size_t count);
/* A copy to edit; it keeps its buffers from one call to the next. */
void image_reset(struct image *image, unsigned base);
bool image_touches(const struct image *image, const char *prefix); /* files whose names begin so */

/* history_disk.c, or memory_files.c in its place: where the bases are made. */
void history_files_begin(void);
void history_files_take(struct image *image, const char *path);
void history_engine(const char *path); /* opens and closes an engine there, so that the store is up to date */

/* history_disk.c alone. */
/* Makes the directory (path must exist) consist of the image's files. */
void image_store(const struct image *image, const char *path);
/* The files of the journal are as the image has them. */
bool image_journal_is(const struct image *image, const char *path);

/* ---- Edits ---------------------------------------------------------------------------------------------------------- */

struct edits {
    bool is_one_flip; /* one bit is other than it was, and nothing else */
    bool is_forged;   /* checksums were made right over other content: what is accepted may be any state */
};
/* Applies the rest of the input to the image. */
void edits_apply(struct image *image, struct input *input, struct edits *ret_edits);

#endif
