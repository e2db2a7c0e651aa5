/* samples.c — see samples.h. */
#include "tools/bench/samples.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int compare_double(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void samples_sort(uint64_t *samples, size_t count)
{
    if (count > 1)
        qsort(samples, count, sizeof *samples, compare_u64);
}

uint64_t samples_percentile(const uint64_t *sorted, size_t count, uint32_t per_100k)
{
    assert(count > 0 && per_100k <= 100000);
    size_t rank = (size_t)(((uint64_t)count * per_100k + 99999) / 100000); /* from 1 */
    return sorted[rank > 0 ? rank - 1 : 0];
}

double samples_median(const double *values, size_t count)
{
    double sorted[SAMPLES_MEDIAN_MAX];
    assert(count > 0 && count <= SAMPLES_MEDIAN_MAX);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_double);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}
