/*
 * crash_controls.h — recordings as engines would have made them that sync too little or too late. What examines crash states
 * must find each: else it does not see.
 */
#ifndef TESTS_LIB_CRASH_CONTROLS_H
#define TESTS_LIB_CRASH_CONTROLS_H

#include "tests/lib/disk_log.h"

struct crash_control {
    const char *what;                    /* such an engine does */
    void (*apply)(struct disk_log *log); /* to the recording of a run, or … */
    bool in_recovery;                    /* … to those of recoveries from crashes */
    const char *found;                   /* in the message by which it is caught */
};

#define CRASH_CONTROLS 8
extern const struct crash_control crash_controls[CRASH_CONTROLS];

#endif
