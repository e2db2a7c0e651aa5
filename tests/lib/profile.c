/*
 * profile.c — in the coverage build alone: a process of a test's that ends by _exit(), by a signal of its own or by a
 * failed assertion writes its counters first. (Continuous mode would need no such thing, but it knows no MC/DC bitmaps.)
 *
 * Linked with --wrap for the calls below, see tests/CMakeLists.txt.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

int __llvm_profile_write_file(void);

_Noreturn void __real__exit(int status);
int __real_raise(int signal_number);
int __real_kill(pid_t process, int signal_number);
_Noreturn void __wrap__exit(int status);
int __wrap_raise(int signal_number);
int __wrap_kill(pid_t process, int signal_number);

_Noreturn void __wrap__exit(int status)
{
    __llvm_profile_write_file();
    __real__exit(status);
}

int __wrap_raise(int signal_number)
{
    if (signal_number == SIGKILL)
        __llvm_profile_write_file();
    return __real_raise(signal_number);
}

int __wrap_kill(pid_t process, int signal_number)
{
    if (signal_number == SIGKILL && process == getpid())
        __llvm_profile_write_file();
    return __real_kill(process, signal_number);
}

static void aborted(int signal_number)
{
    __llvm_profile_write_file();
    signal(signal_number, SIG_DFL); /* abort() goes on when this returns */
}

__attribute__((constructor)) static void profile_start(void)
{
    signal(SIGABRT, aborted);
}
