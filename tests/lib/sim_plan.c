/* sim_plan.c — the choices of sim_plan.h. Rare things are frequent here: small segments, commits of one event,
 * full disks. */
#include "tests/lib/sim_plan.h"

#include <string.h>

#include "tests/lib/sim.h"
#include "tests/lib/sim_world.h"

static uint64_t plan(uint64_t below)
{
    return sim_random(SIM_PLAN, below);
}

void sim_plan_options(struct sim_run *run)
{
    static const uint32_t commits[] = {1, 2, 7, 8192}, intervals[] = {0, 50, 1000, 20000},
                          checkpoints[] = {1, 3, 20, 400}, milliseconds[] = {1, 3, 1000};
    run->options.commit_events_max = commits[plan(4)];
    run->options.commit_interval_us_max = intervals[plan(4)];
    run->options.checkpoint_events_max = checkpoints[plan(4)];
    run->options.checkpoint_interval_ms = milliseconds[plan(3)];
}

void sim_plan_run(struct sim_run *run)
{
    static const unsigned switches[] = {20, 100, 300, 700}, slow[] = {0, 0, 30, 300};
    settle_options_init(&run->options);
    run->is_large = plan(150) == 0;
    run->options.segment_bytes = run->is_large ? (UINT64_C(1) << 20) + 4096 : UINT64_C(16384) << plan(3);
    run->options.reallocate = sim_reallocate;
    settle_lines_options_init(&run->lines);
    run->has_lines = plan(5) == 0;
    run->lines.directory = run->logs;
    run->lines.free_bytes_min = 0;
    run->lines.rotate_bytes = plan(2) == 0 ? 0 : run->is_large ? 200000 : 6000;
    run->batch_max = run->is_large ? WORLD_BATCH_MAX : 1 + plan(24);
    run->is_still = plan(3) == 0;
    sim_settings = (struct sim_settings){.by_priority = plan(3) == 0, .switch_per_mille = switches[plan(4)]};
    if (plan(10) == 0)
        sim_settings.spurious_per_mille = 5;
    if (run->is_still)
        return;
    sim_settings.slow_per_mille = slow[plan(4)];
    sim_settings.slow_us_max = plan(2) == 0 ? 300 : 30000;
    sim_settings.tick_us_max = (unsigned)plan(3);
    if (plan(3) == 0) {
        sim_settings.step_per_mille = 20;
        sim_settings.step_us_max = plan(2) == 0 ? 1000000 : UINT64_C(10000000000000);
    }
}

static void plan_faults(struct sim_life_plan *life)
{
    static const unsigned kinds[] = {SIM_WRITE, SIM_SYNC, SIM_NAME, SIM_OPEN, SIM_READ, SIM_MAP, SIM_TRUNCATE};
    struct sim_faults *faults = &life->faults;
    uint64_t kind = plan(10);
    faults->calls = plan(2) == 0 ? SIM_ALL_CALLS : plan(2) == 0 ? SIM_WRITE | SIM_SYNC : kinds[plan(7)];
    if (kind < 3)
        faults->index = 1 + plan(plan(2) == 0 ? 30 : 300);
    else if (kind < 4)
        faults->per_mille = 1 + (unsigned)plan(20);
    else if (kind < 5)
        faults->is_full = true;
    if (plan(5) == 0)
        faults->harmless_per_mille = 20;
    if (plan(12) == 0)
        life->memory_fails_per_mille = 5;
    life->faults_at_open = plan(3) == 0;
}

void sim_plan_life(const struct sim_run *run, bool is_last, struct sim_life_plan *ret_life)
{
    struct sim_life_plan *life = ret_life;
    memset(life, 0, sizeof *life);
    life->is_last = is_last;
    life->callers = 1 + (int)plan(WORLD_CALLERS_MAX);
    life->has_asker = plan(3) == 0;
    life->resubmits = plan(2) == 0;
    life->steps = run->is_large ? 10 : plan(7);
    if (is_last)
        return;
    plan_faults(life);
    uint64_t kind = plan(10);
    life->faults.crash_calls = plan(2) == 0 ? SIM_ALL_CALLS : SIM_WRITE | SIM_SYNC;
    if (kind < 4)
        life->faults.crash_index = 1 + plan(life->faults_at_open ? 120 : 60);
    else if (kind < 6)
        life->crash_answers = 1 + plan(8);
    if (run->is_large)
        life->faults.crash_index *= 4;
}
