/*
 * fuzz_record.c — any bytes as one record. The decoder never reads outside them; what it accepts lies inside, is encoded to the
 * same bytes again, and is read by record_read() as it was decoded.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/record_again.h"

static const struct record_base base = {1000, UINT64_C(1733856600000000)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = exact_copy(data, bytes);
    struct record record;
    memset(&record, 0, sizeof record);
    const char *fault = record_decode(exact, bytes, base, &record);
    if (fault != NULL) {
        MUST(strlen(fault) > 3);
    } else {
        MUST(record.length_bytes <= bytes && record.length_bytes % 8 == 0);
        record_again(exact, base, &record);
    }
    free(exact);
    return 0;
}
