#!/usr/bin/env bash
# The programs hold balances and keys: a crash leaves no copy of their memory, and another process of the same user does not look into
# it. Open files given by the shell (/dev/fd/N, /dev/stdin) work all the same.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
as_user=()
if [ "$(id -u)" -eq 0 ]; then
    command -v setpriv >/dev/null || skip 'no setpriv'
    as_user=(setpriv --reuid=54321 --regid=54321 --clear-groups)
    chown 54321:54321 .
fi
"${as_user[@]}" "$SETTLECTL" version >/dev/null 2>&1 || skip 'an ordinary user cannot run the program here'
ulimit -c unlimited 2>/dev/null || true

# started COMMAND...: runs it on a FIFO, waits until it reads; its pid in $pid.
mkfifo -m 666 events
started() {
    "${as_user[@]}" "$@" <events >out 2>err &
    pid=$!
    exec 3>events
    for ((i = 0; i < 200; i++)); do
        if [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$1")" ] &&
            grep -Eq '^Max core file size +0 +0 +bytes' "/proc/$pid/limits"; then
            break
        fi
        sleep 0.05
    done
}
ended() {
    exec 3>&-
    wait "$pid" || true
}

check=${SETTLECTL%settlectl}settle-check-proof
"${as_user[@]}" "$SETTLECTL" seal --new-key key.pem >/dev/null 2>&1
chmod 644 key.pem.pub
for command in "$SETTLECTL -D bank ingest --no-logs -" "$check --public-key key.pem.pub -" "$SETTLECTL -D bank reconcile -"; do
    # shellcheck disable=SC2086 # words
    started $command
    grep -Eq '^Max core file size +0 +0 +bytes' "/proc/$pid/limits" || fail "$command: $(grep core "/proc/$pid/limits")"
    # What is not dumpable belongs to root in /proc.
    expect_equal "owner of /proc/PID/environ of $command" "$(stat -c %u "/proc/$pid/environ")" 0
    if [ ${#as_user[@]} -gt 0 ]; then
        ! "${as_user[@]}" cat "/proc/$pid/maps" >/dev/null 2>&1 || fail "$command: its user reads its memory"
    fi
    ended
done

# A crash: no core file. The shell, which is dumpable, leaves one where the system writes them here.
"${as_user[@]}" "$SETTLECTL" -D bank init --asset USDT=2:6 >/dev/null
started "$SETTLECTL" -D bank ingest --no-logs -
kill -SEGV "$pid"
ended
! ls core* >/dev/null 2>&1 || fail 'a crash left a core file'
if [ "$(cat /proc/sys/kernel/core_pattern)" = core ]; then
    "${as_user[@]}" bash -c 'ulimit -c unlimited && kill -SEGV $$' 2>/dev/null || true
    ls core* >/dev/null 2>&1 || echo 'this system writes no core files at all: the comparison says nothing'
fi

# The shell's own files.
line='{"type":"deposit","user":1,"asset":"USDT","amount":"1","ts":1}'
expect_status 0 "${as_user[@]}" bash -c "\"\$0\" -D bank ingest --no-logs <(echo '$line')" "$SETTLECTL"
expect_equal 'the balance' "$("${as_user[@]}" "$SETTLECTL" -D bank --json balance 1 USDT | jq -r .available)" 1.000000
expect_status 0 "${as_user[@]}" bash -c "echo '$line' | \"\$0\" -D bank ingest --no-logs /dev/stdin" "$SETTLECTL"
