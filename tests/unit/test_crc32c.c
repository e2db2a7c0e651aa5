/* test_crc32c.c — the vectors of RFC 3720, and both implementations against one bit at a time. */
#include "journal/base/crc32c.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(crc32c);

/* The definition, bit by bit. */
static uint32_t crc32c_bits(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
    }
    return ~crc;
}

static void expect_crc(const void *bytes, size_t count, uint32_t expected)
{
    cr_assert_eq(crc32c(0, bytes, count), expected, "crc32c of %zu bytes", count);
    cr_assert_eq(crc32c_portable(0, bytes, count), expected, "crc32c_portable of %zu bytes", count);
    cr_assert_eq(crc32c_bits(0, bytes, count), expected, "the test's own of %zu bytes", count);
}

static void fill(uint8_t *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (uint8_t)(seed >> 56);
    }
}

Test(crc32c, vectors_of_rfc_3720_b4)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof(bytes));
    expect_crc(bytes, sizeof(bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    expect_crc(bytes, sizeof(bytes), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    expect_crc(bytes, sizeof(bytes), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    expect_crc(bytes, sizeof(bytes), 0x113fdb5c);
    /* An iSCSI SCSI Read (10) Command PDU. */
    static const uint8_t pdu[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    };
    expect_crc(pdu, sizeof(pdu), 0xd9963a56);
}

Test(crc32c, the_check_value_and_nothing)
{
    expect_crc("123456789", 9, 0xe3069283);
    expect_crc("", 0, 0);
    expect_crc("a", 1, 0xc1d04330);
    cr_assert_eq(crc32c(0, NULL, 0), 0);
    cr_assert_eq(crc32c_portable(0x12345678, NULL, 0), 0x12345678);
    cr_assert_eq(crc32c(0x12345678, NULL, 0), 0x12345678);
}

/* Blocks of exact size, so that AddressSanitizer sees a read too many. */
Test(crc32c, every_length_and_alignment_is_the_definitions)
{
    for (size_t count = 0; count <= 300; count++) {
        uint8_t *bytes = malloc(count + 8);
        cr_assert_not_null(bytes);
        fill(bytes, count + 8, count);
        for (size_t shift = 0; shift <= 8; shift++) {
            const uint8_t *at = bytes + shift;
            uint32_t seed = (uint32_t)(count * 2654435761u) + (uint32_t)shift;
            uint32_t expected = crc32c_bits(seed, at, count);
            cr_assert_eq(crc32c(seed, at, count), expected, "%zu bytes at %zu", count, shift);
            cr_assert_eq(crc32c_portable(seed, at, count), expected, "%zu bytes at %zu", count, shift);
        }
        free(bytes);
    }
}

Test(crc32c, large_blocks_are_the_definitions)
{
    static uint8_t bytes[70001];
    fill(bytes, sizeof(bytes), 9);
    static const size_t counts[] = {508, 512, 1023, 1024, 1025, 4096, 8191, 65536, 70000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        expect_crc(bytes + 1, counts[i], crc32c_bits(0, bytes + 1, counts[i]));
}

Test(crc32c, every_entry_of_every_table_is_right)
{
    uint8_t bytes[16] = {0};
    for (size_t at = 0; at < 16; at++) {
        for (unsigned value = 0; value < 256; value++) {
            bytes[at] = (uint8_t)value;
            uint32_t expected = crc32c_bits(0, bytes, 16);
            cr_assert_eq(crc32c_portable(0, bytes, 16), expected, "byte %zu is %u", at, value);
            cr_assert_eq(crc32c(0, bytes, 16), expected, "byte %zu is %u", at, value);
        }
        bytes[at] = 0;
    }
}

Test(crc32c, a_sum_chains_at_every_cut)
{
    uint8_t bytes[200];
    fill(bytes, sizeof(bytes), 3);
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        cr_assert_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole, "cut at %zu", cut);
        uint32_t head = crc32c_portable(0, bytes, cut);
        cr_assert_eq(crc32c_portable(head, bytes + cut, sizeof(bytes) - cut), whole, "cut at %zu", cut);
    }
}

Test(crc32c, every_flipped_bit_shows)
{
    uint8_t bytes[64];
    fill(bytes, sizeof(bytes), 5);
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(crc32c(0, bytes, sizeof(bytes)), whole, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
