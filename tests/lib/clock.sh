# shellcheck shell=bash
# Another day without waiting for it: `at_shift SECONDS COMMAND...` runs it with its real-time clock so far ahead.
# clock_shift_is_possible says whether (not under AddressSanitizer, whose runtime must be the first library).
clock_shift_is_possible() {
    if [ ! -e "$work/shift.so" ]; then
        case $(ldd "$SETTLECTL") in *libasan* | *libtsan*) return 1 ;; esac # in a pipe grep -q would end ldd early
        cat >"$work/shift.c" <<'END'
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);
    const char *shift = getenv("SETTLE_TEST_SHIFT_S");
    if (result == 0 && id == CLOCK_REALTIME && shift != NULL)
        now->tv_sec += atol(shift);
    return result;
}
END
        "${CC:-cc}" -shared -fPIC -O1 -o "$work/shift.so" "$work/shift.c" 2>/dev/null || return 1
    fi
}

at_shift() {
    local seconds=$1
    shift
    SETTLE_TEST_SHIFT_S=$seconds LD_PRELOAD="$work/shift.so" "$@"
}
