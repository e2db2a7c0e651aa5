/* bytes.c — what of bytes.h is no one-liner. Pure. */
#include "journal/base/bytes.h"

#include <assert.h>

bool bytes_are_zero(const uint8_t *bytes, size_t count)
{
    assert(bytes != NULL || count == 0);
    size_t i = 0;
    /* Eight words and one question: most of what is asked about is all zeros, or is not in its first 64 bytes. */
    for (; i + 64 <= count; i += 64) {
        uint64_t all = 0;
        for (size_t word = 0; word < 64; word += 8)
            all |= get_u64(bytes + i + word);
        if (all != 0)
            return false;
    }
    for (; i + 8 <= count; i += 8) {
        if (get_u64(bytes + i) != 0)
            return false;
    }
    for (; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}
