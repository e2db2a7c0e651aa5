/*
 * trace_id.c — an event id's digest, cut into ids. Pure: owns nothing, keeps nothing.
 *
 * SHA-256 is OpenSSL's, by its low-level calls: the EVP calls that replace them fetch and allocate and take 200 ns, as
 * long as an event's three lines; the low-level ones are deprecated since 3.0, not removed. An id of up to 55 bytes, as
 * nearly all are, is one block with its padding (FIPS 180-4, 5.1.1): put together here it takes one call of the
 * compression function, without what SHA256_Final() has to do for messages of any length.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "journal/lines/trace_id.h"

#include <assert.h>
#include <string.h>

#include <openssl/sha.h>

#include "journal/base/bytes.h"

enum {
    BLOCK_BYTES = SHA256_CBLOCK,
    ONE_BLOCK_MAX = BLOCK_BYTES - 1 - 8, /* the bit behind the message and its length in bits */
};
_Static_assert(SHA256_DIGEST_LENGTH == 32 && sizeof(((SHA256_CTX *)0)->h) == 32, "eight words of 32 bits");

static void digest_words(settle_text text, uint64_t ret_words[4])
{
    SHA256_CTX context;
    int ok = SHA256_Init(&context);
    if (text.bytes <= ONE_BLOCK_MAX) {
        uint8_t block[BLOCK_BYTES] = {0};
        memcpy(block, text.data, text.bytes);
        block[text.bytes] = 0x80;
        put_be64(block + BLOCK_BYTES - 8, text.bytes * 8);
        SHA256_Transform(&context, block);
    } else {
        uint8_t digest[SHA256_DIGEST_LENGTH]; /* the same as the words that the context is left with */
        ok &= SHA256_Update(&context, text.data, text.bytes) & SHA256_Final(digest, &context);
    }
    assert(ok == 1); /* a computation: nothing in it can fail */
    for (size_t i = 0; i < 4; i++)
        ret_words[i] = (uint64_t)context.h[2 * i] << 32 | context.h[2 * i + 1];
}

void trace_id_of(settle_text event_id, struct trace_id *ret_trace)
{
    assert(event_id.data != NULL && event_id.bytes >= 1);
    assert(ret_trace != NULL);
    uint64_t words[4];
    digest_words(event_id, words);
    if ((words[0] | words[1]) == 0)
        words[1] = 1;
    put_be64(ret_trace->bytes, words[0]);
    put_be64(ret_trace->bytes + 8, words[1]);
    ret_trace->root_span = words[2] != 0 ? words[2] : 1;
    ret_trace->sample = words[3];
}
