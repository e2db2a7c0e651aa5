/* fuzz_record.c — any bytes as a record: the decoder never reads outside them, and what it accepts lies inside. */
#include <stdlib.h>
#include <string.h>

#include "journal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes != 0 ? bytes : 1); /* so that AddressSanitizer sees its end */
    if (!exact)
        abort();
    memcpy(exact, data, bytes);

    struct record record;
    const char *fault = record_decode(exact, bytes, (struct record_base){1, 1733856600000000}, &record);
    if (fault ? fault[0] == '\0' : record.length_bytes > bytes || record.length_bytes % 8 != 0)
        abort();
    free(exact);
    return 0;
}
