/*
 * key.h — Ed25519 keys in PEM files, by OpenSSL. A private key is refused where others could have read it, and inside a
 * data directory; its bytes are overwritten in memory after use.
 */
#ifndef SEAL_KEY_H
#define SEAL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/base/status.h"

#define KEY_PUBLIC_BYTES 32
#define KEY_SIGNATURE_BYTES 64

struct seal_key {
    void *pkey; /* EVP_PKEY; NULL: none */
    uint8_t public_bytes[KEY_PUBLIC_BYTES];
};

/*
 * Writes a new key to `path` (PKCS #8, mode 0600) and its public half to "{path}.pub", both durable. SETTLE_E_EXISTS:
 * one of them is there; SETTLE_E_INVALID: it would lie inside the directory `data_fd` (-1: there is none).
 */
settle_status key_create(const char *path, int data_fd, settle_error *error);
/* SETTLE_E_ACCESS: others may read or write it. SETTLE_E_INVALID: it lies inside the data directory, or is no such key.
 */
settle_status key_read_private(const char *path, int data_fd, struct seal_key *ret_key, settle_error *error);
settle_status key_read_public(const char *path, struct seal_key *ret_key, settle_error *error);
void key_deinit(struct seal_key *key); /* also of a zeroed struct */

/* False: OpenSSL has no memory. */
bool key_sign(const struct seal_key *key, const void *bytes, size_t count, uint8_t ret_signature[KEY_SIGNATURE_BYTES]);
bool key_verify(const struct seal_key *key, const void *bytes, size_t count,
                const uint8_t signature[KEY_SIGNATURE_BYTES]);

#endif
