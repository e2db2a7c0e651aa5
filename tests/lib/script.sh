# shellcheck shell=bash
# What every integration script begins with: `. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"`.
# Gives it strict mode, an empty working directory that is removed at the end, and a few words.
set -euo pipefail

: "${SETTLECTL:?is the program under test}" "${SETTLE_SOURCE_DIR:?is the root of the checkout}"
unset SETTLE_DATA
work=$(mktemp -d "${TMPDIR:-/tmp}/settle-test-XXXXXX")
clean_up() {
    local jobs
    jobs=$(jobs -p)
    # shellcheck disable=SC2086 # one word a process
    [ -z "$jobs" ] || kill -KILL $jobs 2>/dev/null || true
    chmod -R u+rwX "$work"
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work"

settlectl() {
    "$SETTLECTL" "$@"
}

fail() {
    echo "FAILED (line ${BASH_LINENO[-2]}): $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# expect_status N COMMAND...: runs it, with its output in ./out and ./err.
expect_status() {
    local expected=$1 status=0
    shift
    "$@" >out 2>err || status=$?
    if [ "$status" -ne "$expected" ]; then
        cat out err >&2
        fail "status $status, expected $expected: $*"
    fi
}

# expect_equal WHAT ACTUAL EXPECTED
expect_equal() {
    [ "$2" = "$3" ] || fail "$1 is '$2', expected '$3'"
}
