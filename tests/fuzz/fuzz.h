/*
 * fuzz.h — a fuzz target: one function that takes any bytes and aborts where a rule is broken. libFuzzer calls it (preset
 * fuzz), and replay.c with the committed corpus in every other build.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
/* Once, before the first input; not every target has one. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MUST(condition) CHECK(condition)

/* The input, taken piece by piece; behind its end everything is 0. */
struct input {
    const uint8_t *at, *end;
};

static inline uint8_t input_u8(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static inline uint32_t input_u16(struct input *input)
{
    uint32_t low = input_u8(input);
    return low | (uint32_t)input_u8(input) << 8;
}

static inline uint64_t input_u64(struct input *input)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)input_u8(input) << 8 * i;
    return value;
}

/* A copy of its exact size, so that AddressSanitizer sees each step outside; never NULL. Free it. */
static inline void *exact_copy(const void *bytes, size_t count)
{
    void *copy = calloc(1, count != 0 ? count : 1);
    MUST(copy != NULL);
    if (count != 0)
        memcpy(copy, bytes, count);
    return copy;
}

#endif
