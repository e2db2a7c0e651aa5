/*
 * sealing.h — what a seal binds, grown frame by frame: the hash of all frames, the tree of all events, the assets
 * declared so far. docs/seals.md is the normative text. Pure but for the memory of the assets; sees frames that a
 * reader has checked.
 */
#ifndef SEAL_SEALING_H
#define SEAL_SEALING_H

#include "journal/reader.h"
#include "journal/seal/merkle.h"

#define LEAF_DOMAIN "settle/event/v1" /* and its zero byte */
enum {
    LEAF_JOURNAL_ID = 16,
    LEAF_SEQ = 32,
    LEAF_PARTS = 40,
    PART_KIND = 0,
    PART_LENGTH = 4,
    PART_TIME_US = 8,
    PART_BYTES = 16,
    LEAF_ASSETS_MAX = 2,
    ASSET_BODY_BYTES = ASSET_BYTES - RECORD_HEADER_BYTES,
    LEAF_BYTES_MAX = LEAF_PARTS + 2 * PART_BYTES + EVENT_BYTES_MAX - 2 * RECORD_HEADER_BYTES +
                     LEAF_ASSETS_MAX * (PART_BYTES + ASSET_BODY_BYTES),
};
_Static_assert(sizeof LEAF_DOMAIN == LEAF_JOURNAL_ID, "the domain and its zero byte");

/* A declared asset, as the format has it: the time of its record as u64, then bytes 16–39 of the record. */
#define SEAL_ASSET_BYTES (8 + ASSET_BODY_BYTES)
struct seal_asset {
    uint8_t bytes[SEAL_ASSET_BYTES];
};

/* An event as it becomes a leaf; all borrowed, valid during the visit. */
struct leaf {
    uint64_t seq;
    const uint8_t *data;
    size_t count;
    struct digest hash;
    const struct record *consumed, *decided;
    const struct seal_asset *assets[LEAF_ASSETS_MAX];
    size_t asset_count; /* of those the event names, the ones that are declared */
};
typedef void (*leaf_visit)(void *context, const struct leaf *leaf);

struct sealing {
    const struct mem *mem;
    uint8_t journal_id[16];
    struct journal_point point;          /* behind the last frame */
    struct journal_point before;         /* where that frame begins; position 0: there is none yet */
    struct digest frames, frames_before; /* the frames' hash behind it and before it */
    struct merkle_frontier tree;
    struct seal_asset *assets; /* sorted by id */
    size_t asset_count, asset_capacity;
};

/* At the beginning of a journal. */
void sealing_init(struct sealing *sealing, const uint8_t journal_id[16], const struct journal_point *begin,
                  const struct mem *mem);
void sealing_deinit(struct sealing *sealing); /* also of a zeroed struct */
/* `end` is the point behind the frame. `visit` is told each event and may be NULL. SETTLE_E_NO_MEMORY. */
settle_status sealing_add(struct sealing *sealing, const struct frame *frame, const struct journal_point *end,
                          leaf_visit visit, void *context, settle_error *error);
struct digest sealing_assets(const struct sealing *sealing);
struct digest seal_frame_hash(const uint8_t journal_id[16], const struct frame *frame, const struct digest *before);

/* ---- The cache in seals/frontier --------------------------------------------------------------------------------- */

/* Allocates *ret_bytes from the sealing's memory. There has been a frame. */
settle_status frontier_encode(const struct sealing *sealing, uint8_t **ret_bytes, size_t *ret_count,
                              settle_error *error);
/*
 * Into a sealing that stands behind the frame at sealing->before: with `frames` and `point` still unknown but for the
 * position, until that frame is read and added again by sealing_resume(). False: no frontier of this journal.
 */
bool frontier_decode(const uint8_t *bytes, size_t count, const uint8_t journal_id[16], const struct mem *mem,
                     struct sealing *ret_sealing);
/* The last sealed frame, read from the journal again at sealing->before. False: it is another one than the frontier
 * says. */
bool sealing_resume(struct sealing *sealing, const struct frame *frame, const struct journal_point *end);

#endif
