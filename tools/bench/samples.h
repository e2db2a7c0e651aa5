/* samples.h — what was measured, summed up: medians of runs, percentiles of every single sample. */
#ifndef TOOLS_BENCH_SAMPLES_H
#define TOOLS_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* Sorts in place. */
void samples_sort(uint64_t *samples, size_t count);
/* The least sample that at least `per_100k` of 100 000 do not exceed (the nearest rank); sorted, count > 0,
 * 0 <= per_100k <= 100000. */
uint64_t samples_percentile(const uint64_t *sorted, size_t count, uint32_t per_100k);
/* Of an even count, the mean of the middle two. The values stay as they are; 0 < count <= SAMPLES_MEDIAN_MAX. */
#define SAMPLES_MEDIAN_MAX 99
double samples_median(const double *values, size_t count);

#endif
