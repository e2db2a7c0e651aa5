/*
 * scan_plain.h — the tests of json_plain(), which there are two of: eight bytes at a time anywhere, sixteen with SSE2.
 * Included with SUITE defined, behind "ingest/scan_json.h".
 */
#ifndef TESTS_UNIT_SCAN_PLAIN_H
#define TESTS_UNIT_SCAN_PLAIN_H

/* Every length, and at every place every byte that is not plain: eight bytes at a time must not differ from one. */
Test(SUITE, what_is_not_plain_is_found_at_every_place)
{
    static const unsigned char special[] = {'"', '\\', 0x00, 0x01, 0x09, 0x0a, 0x1f, 0x80, 0xa2, 0xdc, 0xff};
    for (size_t bytes = 1; bytes < 48; bytes++) {
        char *exact = malloc(bytes);
        CHECK(exact != NULL);
        for (size_t from = 0; from < bytes; from++) {
            for (size_t place = from; place <= bytes; place++) {
                for (size_t s = 0; s < sizeof special; s++) {
                    memset(exact, s % 2 != 0 ? '!' : '#', bytes); /* next to the quote */
                    if (place < bytes)
                        exact[place] = (char)special[s];
                    const char *found = json_plain(exact, exact + from, exact + bytes);
                    cr_assert_eq(found - exact, (ptrdiff_t)place, "%zu bytes from %zu: 0x%02x", bytes, from,
                                 special[s]);
                }
            }
        }
        free(exact);
    }
}

Test(SUITE, plain_bytes_are_all_that_is_ascii_and_no_control)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        char line[32];
        memset(line, (int)byte, sizeof line);
        cr_assert_eq(json_plain(line, line, line + 32) - line, plain ? 32 : 0, "byte 0x%02x", byte);
    }
}

#endif
