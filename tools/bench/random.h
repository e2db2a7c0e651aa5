/*
 * random.h — numbers that look random and are the same on every run: a mixer of 64 bits, and Zipf's distribution.
 * Nothing here is secret.
 */
#ifndef TOOLS_BENCH_RANDOM_H
#define TOOLS_BENCH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* A bijection of 64-bit numbers whose every bit depends on all bits of `x` (the finaliser of splitmix64). */
uint64_t random_mix(uint64_t x);

/* A sequence: start it with any state. */
uint64_t random_next(uint64_t *state);
/* 0 … below - 1, from the high bits of `bits`; below > 0. */
uint64_t random_below(uint64_t bits, uint64_t below);

/* Ranks 0 … count - 1 where rank r has the weight 1 / (r + 1)^exponent. One look-up a draw (Walker's alias method). */
struct zipf_cell {
    uint32_t threshold, alias;
};
struct zipf {
    uint32_t count;
    struct zipf_cell *cells;
};
bool zipf_init(struct zipf *zipf, uint32_t count, double exponent); /* false: out of memory */
void zipf_deinit(struct zipf *zipf);
uint32_t zipf_pick(const struct zipf *zipf, uint64_t bits);

#endif
