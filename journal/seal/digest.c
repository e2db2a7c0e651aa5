/*
 * digest.c — see digest.h. Pure: owns nothing, keeps nothing.
 *
 * By OpenSSL's low-level calls, as in lines/trace_id.c: the EVP calls that replace them fetch and allocate, which costs
 * as much as the hash of an event. Deprecated since 3.0, not removed.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "journal/seal/digest.h"

#include <assert.h>

#include <openssl/sha.h>

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_LENGTH, "SHA-256");

struct digest digest_of(const struct digest_part *parts, size_t part_count)
{
    SHA256_CTX context;
    struct digest digest;
    int ok = SHA256_Init(&context);
    for (size_t i = 0; i < part_count; i++)
        if (parts[i].count > 0)
            ok &= SHA256_Update(&context, parts[i].bytes, parts[i].count);
    ok &= SHA256_Final(digest.bytes, &context);
    assert(ok == 1); /* a computation: nothing in it can fail */
    return digest;
}
