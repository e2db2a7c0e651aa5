/* guard.c — see guard.h. Owns nothing. The library does none of this: the process is its host's. */
#include "tools/guard.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void guard_memory(void)
{
    /* Each has a gap: a core handler (core_pattern with a pipe) is run whatever the limit, and what is not dumpable
     * becomes so again when a program is executed. Where one is refused the other still works; neither is a reason
     * not to run. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
