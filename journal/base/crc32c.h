/* crc32c.h — CRC-32C (Castagnoli, RFC 3720 B.4), with the SSE4.2 instruction where the processor has it. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c(0, "123456789", 9) == 0xe3069283; chains: crc32c(crc32c(0, a), b) == crc32c(0, ab). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t count);
/* The portable one, for comparison in tests. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count);

#endif
