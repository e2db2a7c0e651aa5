/* test_bytes.c — integers in memory: the bytes one by one, at every alignment, and nothing beside them. */
#include "journal/base/bytes.h"

#include <stdlib.h>

#include "tests/lib/expect.h"

SETTLE_SUITE(bytes);

#define V16 UINT16_C(0xf102)
#define V32 UINT32_C(0xf1020384)
#define V64 UINT64_C(0xf10203848506a788)

/* 16 bytes that nobody else writes, with room for every alignment before and a fence behind. */
struct place {
    uint8_t bytes[40];
};

static uint8_t *place_at(struct place *place, size_t shift)
{
    memset(place->bytes, 0xee, sizeof(place->bytes));
    return place->bytes + 8 + shift;
}

/* Whether exactly `count` bytes from `at` on are not the fence's any more, and are those expected. */
static void expect_bytes(const struct place *place, const uint8_t *at, const uint8_t *expected, size_t count)
{
    for (const uint8_t *b = place->bytes; b < place->bytes + sizeof(place->bytes); b++) {
        uint8_t wanted = b >= at && b < at + count ? expected[b - at] : 0xee;
        cr_assert_eq(*b, wanted, "byte %td is %02x, expected %02x", b - at, *b, wanted);
    }
}

Test(bytes, little_endian_is_the_lowest_byte_first)
{
    const uint8_t expected[16] = {0x88, 0xa7, 0x06, 0x85, 0x84, 0x03, 0x02, 0xf1, 1, 2, 3, 4, 5, 6, 7, 0xf8};
    const settle_uint128 v128 = (settle_uint128)UINT64_C(0xf807060504030201) << 64 | V64;
    struct place place;
    for (size_t shift = 0; shift < 8; shift++) {
        uint8_t *at = place_at(&place, shift);
        put_u16(at, 0xa788);
        expect_bytes(&place, at, expected, 2);
        cr_assert_eq(get_u16(at), 0xa788);

        at = place_at(&place, shift);
        put_u32(at, UINT32_C(0x8506a788));
        expect_bytes(&place, at, expected, 4);
        cr_assert_eq(get_u32(at), UINT32_C(0x8506a788));

        at = place_at(&place, shift);
        put_u64(at, V64);
        expect_bytes(&place, at, expected, 8);
        cr_assert_eq(get_u64(at), V64);

        at = place_at(&place, shift);
        put_u128(at, v128);
        expect_bytes(&place, at, expected, 16);
        cr_assert(get_u128(at) == v128);
    }
}

Test(bytes, big_endian_is_the_highest_byte_first)
{
    const uint8_t expected[8] = {0xf1, 0x02, 0x03, 0x84, 0x85, 0x06, 0xa7, 0x88};
    struct place place;
    for (size_t shift = 0; shift < 8; shift++) {
        uint8_t *at = place_at(&place, shift);
        put_be32(at, V32);
        expect_bytes(&place, at, expected, 4);
        cr_assert_eq(get_be32(at), V32);

        at = place_at(&place, shift);
        put_be64(at, V64);
        expect_bytes(&place, at, expected, 8);
        cr_assert_eq(get_be64(at), V64);
    }
}

Test(bytes, big_endian_sorts_like_the_number)
{
    const uint64_t rising[] = {0, 1, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX - 1};
    for (size_t i = 1; i < sizeof(rising) / sizeof(rising[0]); i++) {
        uint8_t below[8], above[8];
        put_be64(below, rising[i - 1]);
        put_be64(above, rising[i]);
        cr_assert_lt(memcmp(below, above, 8), 0, "%zu", i);
    }
}

Test(bytes, every_single_bit_comes_back)
{
    uint8_t bytes[16];
    for (unsigned bit = 0; bit < 128; bit++) {
        settle_uint128 value = (settle_uint128)1 << bit;
        put_u128(bytes, value);
        cr_assert(get_u128(bytes) == value, "bit %u", bit);
        cr_assert_eq(bytes[bit / 8], 1u << bit % 8, "bit %u", bit);
        if (bit < 64) {
            put_u64(bytes, (uint64_t)value);
            cr_assert_eq(get_u64(bytes), (uint64_t)value);
            put_be64(bytes, (uint64_t)value);
            cr_assert_eq(get_be64(bytes), (uint64_t)value);
            cr_assert_eq(bytes[7 - bit / 8], 1u << bit % 8, "bit %u", bit);
        }
    }
}

/* In blocks of their exact size, so that AddressSanitizer sees a read too many. */
Test(bytes, are_zero_finds_a_single_bit_at_every_place)
{
    cr_assert(bytes_are_zero(NULL, 0));
    for (size_t count = 1; count <= 33; count++) {
        uint8_t *bytes = calloc(1, count);
        cr_assert_not_null(bytes);
        cr_assert(bytes_are_zero(bytes, count), "%zu zeros", count);
        for (size_t at = 0; at < count; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                bytes[at] = (uint8_t)(1u << bit);
                cr_assert_not(bytes_are_zero(bytes, count), "byte %zu of %zu", at, count);
                cr_assert(bytes_are_zero(bytes, at), "the %zu before it", at);
            }
            bytes[at] = 0;
        }
        free(bytes);
    }
}

Test(bytes, align_up_is_the_next_multiple)
{
    cr_assert_eq(align_up_u64(0, 64), 0);
    cr_assert_eq(align_up_u64(1, 64), 64);
    cr_assert_eq(align_up_u64(64, 64), 64);
    cr_assert_eq(align_up_u64(65, 64), 128);
    cr_assert_eq(align_up_u64(4095, 4096), 4096);
    cr_assert_eq(align_up_u64((UINT64_C(1) << 62) + 1, 8), (UINT64_C(1) << 62) + 8);
    for (uint64_t value = 0; value < 100; value++) {
        uint64_t up = align_up_u64(value, 8);
        cr_assert(up % 8 == 0 && up >= value && up - value < 8);
    }
}
