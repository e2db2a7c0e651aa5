/*
 * crc32c.c — CRC-32C, polynomial 0x1edc6f41, reflected 0x82f63b78.
 *
 * Two ways to the same number: the SSE4.2 instruction, and slicing by eight (Kounavis and Berry, "A Systematic
 * Approach to Building High Performance Software-Based CRC Generators", 2005). No tables are built at run time: a
 * CRC is linear, so each entry of a table is the XOR of the entries of its index's bits, and the compiler does
 * that.
 *
 * What is summed here is small: records of 50–150 bytes, sectors of 508. Several interleaved lanes, which pay from a
 * kilobyte on, would never be used.
 */
#include "journal/base/crc32c.h"

#include <assert.h>

#include "journal/base/bytes.h"

/* The 256 XORs of eight words, in the order of the index's bits. */
#define T1(x, a) (x), (x) ^ (a)
#define T2(x, b, a) T1(x, a), T1((x) ^ (b), a)
#define T3(x, c, b, a) T2(x, b, a), T2((x) ^ (c), b, a)
#define T4(x, d, c, b, a) T3(x, c, b, a), T3((x) ^ (d), c, b, a)
#define T5(x, e, d, c, b, a) T4(x, d, c, b, a), T4((x) ^ (e), d, c, b, a)
#define T6(x, f, e, d, c, b, a) T5(x, e, d, c, b, a), T5((x) ^ (f), e, d, c, b, a)
#define T7(x, g, f, e, d, c, b, a) T6(x, f, e, d, c, b, a), T6((x) ^ (g), f, e, d, c, b, a)
#define TABLE(h, g, f, e, d, c, b, a)                                                                                  \
    {                                                                                                                  \
        T7(0u, g, f, e, d, c, b, a), T7(h, g, f, e, d, c, b, a)                                                        \
    }

/* slices[k][i]: what byte i becomes when k zero bytes follow it. Written as the entries of 0x80, 0x40 … 0x01. */
static const uint32_t slices[8][256] = {
    TABLE(0x82f63b78, 0x417b1dbc, 0x20bd8ede, 0x105ec76f, 0x8ad958cf, 0xc79a971f, 0xe13b70f7, 0xf26b8303),
    TABLE(0xfbc3faf9, 0xff17c604, 0x7f8be302, 0x3fc5f181, 0x9d14c3b8, 0x4e8a61dc, 0x274530ee, 0x13a29877),
    TABLE(0x8b277743, 0xc76580d9, 0xe144fb14, 0x70a27d8a, 0x38513ec5, 0x9edea41a, 0x4f6f520d, 0xa541927e),
    TABLE(0x52a0c93f, 0xaba65fe7, 0xd725148b, 0xe964b13d, 0xf64463e6, 0x7b2231f3, 0xbf672381, 0xdd45aab8),
    TABLE(0x6ea2d55c, 0x37516aae, 0x1ba8b557, 0x8f2261d3, 0xc5670b91, 0xe045beb0, 0x7022df58, 0x38116fac),
    TABLE(0x1c08b7d6, 0x0e045beb, 0x85f4168d, 0xc00c303e, 0x6006181f, 0xb2f53777, 0xdb8ca0c3, 0xef306b19),
    TABLE(0xf56e0ef4, 0x7ab7077a, 0x3d5b83bd, 0x9c5bfaa6, 0x4e2dfd53, 0xa5e0c5d1, 0xd0065990, 0x68032cc8),
    TABLE(0x34019664, 0x1a00cb32, 0x0d006599, 0x847609b4, 0x423b04da, 0x211d826d, 0x9278fa4e, 0x493c7d27),
};

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count)
{
    assert(bytes != NULL || count == 0);
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; count >= 8; count -= 8, at += 8) {
        uint32_t low = crc ^ get_u32(at), high = get_u32(at + 4);
        crc = slices[7][low & 0xff] ^ slices[6][low >> 8 & 0xff] ^ slices[5][low >> 16 & 0xff] ^ slices[4][low >> 24] ^
              slices[3][high & 0xff] ^ slices[2][high >> 8 & 0xff] ^ slices[1][high >> 16 & 0xff] ^
              slices[0][high >> 24];
    }
    for (; count > 0; count--, at++)
        crc = crc >> 8 ^ slices[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *at, size_t count)
{
    uint64_t wide = (uint32_t)~crc;
    for (; count >= 8; count -= 8, at += 8)
        wide = __builtin_ia32_crc32di(wide, get_u64(at));
    uint32_t narrow = (uint32_t)wide;
    if (count & 4) {
        narrow = __builtin_ia32_crc32si(narrow, get_u32(at));
        at += 4;
    }
    if (count & 2) {
        narrow = __builtin_ia32_crc32hi(narrow, get_u16(at));
        at += 2;
    }
    if (count & 1)
        narrow = __builtin_ia32_crc32qi(narrow, *at);
    return ~narrow;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t count)
{
    assert(bytes != NULL || count == 0);
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, bytes, count);
    return crc32c_portable(crc, bytes, count);
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t count)
{
    return crc32c_portable(crc, bytes, count);
}

#endif
