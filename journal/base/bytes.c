/* bytes.c — what of bytes.h is no one-liner. Pure. */
#include "journal/base/bytes.h"

#include <assert.h>

bool bytes_are_zero(const uint8_t *bytes, size_t count)
{
    assert(bytes != NULL || count == 0);
    size_t i = 0;
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
