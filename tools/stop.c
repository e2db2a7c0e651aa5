/* stop.c — see stop.h. Owns the flag. */
#include "tools/stop.h"

#include <string.h>

static volatile sig_atomic_t stop_signal;

static void on_stop(int number)
{
    stop_signal = number;
}

/* Without SA_RESTART, so that a read that waits for input returns; once only, so that a second signal ends the process.
 * Also where the parent had it ignored: a shell does so for a job in the background, and the job is to end cleanly all
 * the same. */
static void watch_signal(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void stop_watch(void)
{
    watch_signal(SIGINT);
    watch_signal(SIGTERM);
}

const volatile sig_atomic_t *stop_flag(void)
{
    return &stop_signal;
}
