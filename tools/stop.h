/* stop.h — the signals that ask a command to end: SIGINT and SIGTERM. */
#ifndef TOOLS_STOP_H
#define TOOLS_STOP_H

#include <signal.h>

/* From here on they set the flag. A second one ends the process. */
void stop_watch(void);
/* 0: go on; else the signal's number. */
const volatile sig_atomic_t *stop_flag(void);

#endif
