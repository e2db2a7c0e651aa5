/*
 * seal.h — the seal's text: a signed note over a checkpoint (docs/seals.md). Encoding, signing and checking; no files.
 */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include "journal/base/status.h"
#include "journal/seal/digest.h"
#include "journal/seal/key.h"

#define SEAL_TEXT_BYTES_MAX 4096
#define SEAL_ORIGIN_BYTES (sizeof "settle/" - 1 + 32)

struct seal {
    uint8_t journal_id[16];
    uint64_t size; /* of the tree: the last sealed seq */
    struct digest root;
    uint64_t position; /* behind the last sealed frame */
    struct digest frames;
    uint64_t time_us;
    struct digest assets;
    bool has_previous;
    struct digest previous; /* of the text of the seal before */
};

/* A seal and its text, which is what is kept, compared and hashed. Terminated. */
struct sealed {
    struct seal seal;
    size_t bytes;
    char text[SEAL_TEXT_BYTES_MAX + 1];
};

/* SETTLE_E_NO_MEMORY: OpenSSL could not sign. */
settle_status seal_sign(const struct seal *seal, const struct seal_key *key, struct sealed *ret_sealed,
                        settle_error *error);
/* Takes the text apart without looking at signatures; `file` is named in errors. SETTLE_E_MALFORMED: with the byte. */
settle_status seal_decode(const char *text, size_t bytes, const char *file, struct sealed *ret_sealed,
                          settle_error *error);
/* Whether the key has signed it: a line with its name and id, and a good signature in it. */
bool seal_is_signed_by(const struct sealed *sealed, const struct seal_key *key);
/* The same content; who signed it besides does not count. */
bool seal_equal(const struct seal *a, const struct seal *b);
struct digest seal_text_hash(const struct sealed *sealed);

/* "settle/{id}", terminated: first line and key name. */
void seal_origin(const uint8_t journal_id[16], char ret_origin[SEAL_ORIGIN_BYTES + 1]);
/* Base64 of a digest, terminated. */
#define SEAL_DIGEST_TEXT_BYTES 45
void seal_digest_text(const struct digest *digest, char ret_text[SEAL_DIGEST_TEXT_BYTES]);
/* "settle/{id}+{key id}+{base64 of 0x01 and the public key}", as the tools for signed notes want a key. */
#define SEAL_VERIFIER_BYTES (SEAL_ORIGIN_BYTES + 1 + 8 + 1 + 44 + 1)
void seal_verifier(const uint8_t journal_id[16], const struct seal_key *key, char ret_text[SEAL_VERIFIER_BYTES]);

#endif
