/* machine.h — where and by what something was measured. */
#ifndef TOOLS_BENCH_MACHINE_H
#define TOOLS_BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct machine {
    char cpu[128];  /* "unknown" where the system does not tell */
    uint32_t cores; /* online */
    uint64_t memory_bytes;
    char kernel[128];    /* "Linux 6.1.0" */
    char filesystem[32]; /* of the directory: "ext4" */
    char device[64];
    char compiler[96];
    bool is_optimised; /* by the compiler */
    double load[3];    /* averages of 1, 5 and 15 minutes, when it was asked */
};

void machine_describe(const char *directory, struct machine *ret_machine);

#endif
