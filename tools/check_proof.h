/* check_proof.h — an event's leaf (docs/seals.md, "The tree of events"): decoded, and told as a proof tells it. */
#ifndef TOOLS_CHECK_PROOF_H
#define TOOLS_CHECK_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* Little-endian integers one behind the other; beyond the end all are 0 and `good` falls. */
struct cursor {
    const uint8_t *at, *end;
    bool good;
};

struct asset {
    uint32_t id;
    unsigned scale;
    char symbol[16];
};

struct leaf {
    uint8_t journal_id[16];
    uint64_t seq, consumed_us, decided_us;
    struct cursor consumed, decided;
    unsigned decision; /* kind of the deciding record */
    struct asset assets[2];
    size_t asset_count;
};

/* The leaf borrows the bytes. False: they are no leaf. */
bool leaf_decode(const uint8_t *bytes, size_t count, struct leaf *ret_leaf);
/* What the leaf says: the member "event" of a proof, an object of texts. To be deleted; NULL: it is no event. */
cJSON *leaf_tell(const struct leaf *leaf);

#endif
