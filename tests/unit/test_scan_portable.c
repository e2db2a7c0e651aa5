/* test_scan_portable.c — what scan_json.h does where there is no SSE2. */
#define SCAN_PORTABLE
#include "ingest/scan_json.h"

#include <stdlib.h>

#include "tests/lib/expect.h"
#include "tests/lib/plain.h"

SETTLE_SUITE(scan_portable);

#define SUITE scan_portable
#include "tests/unit/scan_plain.h"

Test(scan_portable, it_is_compiled)
{
    cr_assert_eq(JSON_STEP, 8);
    cr_assert_eq(JSON_BITS_A_BYTE, 8);
}
