/* sim_plan.h — what the seed of tests/fault/test_simulation.c chooses: sizes, limits, callers, faults, the end. */
#ifndef TESTS_LIB_SIM_PLAN_H
#define TESTS_LIB_SIM_PLAN_H

#include <settle/settle.h>

#include "tests/lib/sim_disk.h"
#include "tests/lib/tempdir.h"

/* Of all lives; the paths are the test's. */
struct sim_run {
    char temporary[TEMPDIR_BYTES], base[TEMPDIR_PATH_BYTES], data[TEMPDIR_PATH_BYTES], logs[TEMPDIR_PATH_BYTES];
    settle_options options;
    settle_lines_options lines;
    bool has_lines;
    bool is_still; /* time moves only when all wait: what needs no timer takes none */
    bool is_large; /* segments that are prepared by a thread */
    uint64_t batch_max;
};

struct sim_life_plan {
    struct sim_faults faults; /* from the beginning, or behind the recovery */
    bool faults_at_open, is_last;
    unsigned memory_fails_per_mille;
    uint64_t crash_answers; /* everything stops behind so many answers; 0: not */
    int callers;
    bool has_asker, resubmits;
    uint64_t steps; /* of each caller */
};

void sim_plan_run(struct sim_run *run);     /* and sim_settings */
void sim_plan_options(struct sim_run *run); /* of the next life: commits and checkpoints */
void sim_plan_life(const struct sim_run *run, bool is_last, struct sim_life_plan *ret_life);

#endif
