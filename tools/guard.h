/* guard.h — what the programs do for themselves before they hold balances or keys. */
#ifndef TOOLS_GUARD_H
#define TOOLS_GUARD_H

/*
 * From now on a crash leaves no copy of the process's memory (core files, core handlers), and only root looks into it
 * (ptrace(2), /proc/PID/mem). Before anything is read; it cannot be undone. A debugger that started the program goes on.
 */
void guard_memory(void);

#endif
