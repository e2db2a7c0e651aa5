/*
 * bytes.h — little-endian integers at any address: the bytes are the same on every machine.
 *
 * Each is one load or store of a whole integer, through memcpy. Written byte by byte with shifts, gcc 12 finds the
 * single move only where nothing stands beside it: two fields side by side took 60 instructions, and a record's legs
 * were encoded in twice the time.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <settle/event.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_16(v) (v)
#define LITTLE_32(v) (v)
#define LITTLE_64(v) (v)
#define BIG_32(v) __builtin_bswap32(v)
#define BIG_64(v) __builtin_bswap64(v)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_16(v) __builtin_bswap16(v)
#define LITTLE_32(v) __builtin_bswap32(v)
#define LITTLE_64(v) __builtin_bswap64(v)
#define BIG_32(v) (v)
#define BIG_64(v) (v)
#else
#error "a byte order nobody has met"
#endif

static inline void put_u16(uint8_t *at, uint16_t v)
{
    v = LITTLE_16(v);
    memcpy(at, &v, sizeof(v));
}
static inline void put_u32(uint8_t *at, uint32_t v)
{
    v = LITTLE_32(v);
    memcpy(at, &v, sizeof(v));
}
static inline void put_u64(uint8_t *at, uint64_t v)
{
    v = LITTLE_64(v);
    memcpy(at, &v, sizeof(v));
}
static inline void put_u128(uint8_t *at, settle_uint128 v)
{
    put_u64(at, (uint64_t)v);
    put_u64(at + 8, (uint64_t)(v >> 64));
}
static inline uint16_t get_u16(const uint8_t *at)
{
    uint16_t v;
    memcpy(&v, at, sizeof(v));
    return LITTLE_16(v);
}
static inline uint32_t get_u32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof(v));
    return LITTLE_32(v);
}
static inline uint64_t get_u64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    return LITTLE_64(v);
}
static inline settle_uint128 get_u128(const uint8_t *at)
{
    return (settle_uint128)get_u64(at) | (settle_uint128)get_u64(at + 8) << 64;
}

/* Big-endian, for keys that must sort by value. */
static inline void put_be32(uint8_t *at, uint32_t v)
{
    v = BIG_32(v);
    memcpy(at, &v, sizeof(v));
}
static inline void put_be64(uint8_t *at, uint64_t v)
{
    v = BIG_64(v);
    memcpy(at, &v, sizeof(v));
}
static inline uint32_t get_be32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof(v));
    return BIG_32(v);
}
static inline uint64_t get_be64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    return BIG_64(v);
}

#undef LITTLE_16
#undef LITTLE_32
#undef LITTLE_64
#undef BIG_32
#undef BIG_64

/* Whether all of `bytes` are zero. */
bool bytes_are_zero(const uint8_t *bytes, size_t count);

static inline uint64_t align_up_u64(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

#endif
