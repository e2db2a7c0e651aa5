/* random.c — see random.h. The weights are floating point, the draws are not. */
#include "tools/bench/random.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include <settle/settle.h>

uint64_t random_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t random_next(uint64_t *state)
{
    uint64_t bits = random_mix(*state);
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

uint64_t random_below(uint64_t bits, uint64_t below)
{
    assert(below > 0);
    return (uint64_t)(((settle_uint128)bits * below) >> 64);
}

/*
 * Each cell is shared by two ranks: its own, up to the threshold, and the one that has too much for a cell of its
 * own.
 */
static void share_cells(struct zipf *zipf, double *weights, uint32_t *small, uint32_t *large)
{
    uint32_t small_count = 0, large_count = 0;
    for (uint32_t rank = 0; rank < zipf->count; rank++) {
        zipf->cells[rank] = (struct zipf_cell){UINT32_MAX, rank};
        if (weights[rank] < 1.0)
            small[small_count++] = rank;
        else
            large[large_count++] = rank;
    }
    while (small_count > 0 && large_count > 0) {
        uint32_t poor = small[--small_count], rich = large[large_count - 1];
        zipf->cells[poor] = (struct zipf_cell){(uint32_t)(weights[poor] * 4294967296.0), rich};
        weights[rich] -= 1.0 - weights[poor];
        if (weights[rich] < 1.0) {
            large_count--;
            small[small_count++] = rich;
        }
    }
}

bool zipf_init(struct zipf *zipf, uint32_t count, double exponent)
{
    assert(count > 0);
    double *weights = malloc(count * sizeof *weights), sum = 0;
    uint32_t *lists = malloc(2 * (size_t)count * sizeof *lists);
    *zipf = (struct zipf){count, malloc(count * sizeof *zipf->cells)};
    bool good = weights != NULL && lists != NULL && zipf->cells != NULL;
    if (good) {
        for (uint32_t rank = 0; rank < count; rank++)
            sum += weights[rank] = pow((double)rank + 1, -exponent);
        for (uint32_t rank = 0; rank < count; rank++)
            weights[rank] *= (double)count / sum;
        share_cells(zipf, weights, lists, lists + count);
    } else {
        zipf_deinit(zipf);
    }
    free(weights);
    free(lists);
    return good;
}

void zipf_deinit(struct zipf *zipf)
{
    free(zipf->cells);
    *zipf = (struct zipf){0, NULL};
}

uint32_t zipf_pick(const struct zipf *zipf, uint64_t bits)
{
    assert(zipf->count > 0);
    uint32_t rank = (uint32_t)random_below(bits & ~UINT64_C(0xffffffff), zipf->count);
    const struct zipf_cell *cell = &zipf->cells[rank];
    return (uint32_t)random_mix(bits) < cell->threshold ? rank : cell->alias;
}
