/* digest.h — SHA-256 of bytes that lie in several places. OpenSSL's; nothing is allocated and nothing can fail. */
#ifndef SEAL_DIGEST_H
#define SEAL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGEST_BYTES 32

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct digest_part {
    const void *bytes;
    size_t count;
};

/* Of the parts, one behind the other. */
struct digest digest_of(const struct digest_part *parts, size_t part_count);

static inline bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

#endif
