#!/usr/bin/env bash
# A writer that lives: what has come is seen while its input pauses, signals end it cleanly, queries work beside it.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

deposit() { # TS...
    local ts
    for ts in "$@"; do
        printf '{"type":"deposit","ts":%s,"user":7,"asset":"USDT","amount":"1"}\n' "$ts"
    done
}
# eventually WHAT COMMAND...: within ten seconds it succeeds.
eventually() {
    local what=$1
    shift
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    fail "never: $what"
}
balance_is() {
    [ "$("$SETTLECTL" --json balance 7 | jq -r .available)" = "$1" ]
}
start() { # ARGUMENT...: ingest from the pipe, its input open as descriptor 3
    rm -f pipe
    mkfifo pipe
    "$SETTLECTL" "$@" <pipe >live.out 2>live.err &
    writer=$!
    exec 3>pipe
}
finish() { # STATUS
    local status=0
    wait "$writer" || status=$?
    exec 3>&-
    expect_equal 'the status of the writer' "$status" "$1"
}
expect_status 0 settlectl init --asset USDT=2:6

# ---- Lines are committed while the input stays open ----
start --json ingest
deposit 1 >&3
eventually 'the first line' balance_is 1.000000
expect_status 0 settlectl --json trace deposit_7_2_1
expect_equal 'its steps' "$(jq -c '[.steps[].step]' out)" '["CONSUMED","VALIDATED","PERSISTED"]'
deposit 2 3 >&3
eventually 'the next lines' balance_is 3.000000
printf '{"type":"deposit","ts":4,' >&3 # half a line is no line
echo 'not json' >&3
eventually 'the report of a malformed line' grep -q '"malformed"' live.err
expect_equal 'the balance after half a line' "$(settlectl --json balance 7 | jq -r .available)" 3.000000

# Every query works beside the writer.
for command in balance 'balance 7 USDT' 'trace deposit_7_2_2' replay 'replay --check' verify inspect stats \
    'replay --until-seq 2'; do
    # shellcheck disable=SC2086 # two words
    expect_status 0 settlectl --json $command
done
expect_status 0 settlectl --json verify
expect_equal 'verify beside a writer' "$(jq -c '[.ok, .events]' out)" '[true,3]'
expect_status 0 settlectl --json replay --check
expect_equal 'replay --check beside a writer' "$(jq -c '[.ok, .events]' out)" '[true,3]'
exec 3>&-
finish 1
expect_equal 'the summary' "$(jq -c '[.events, .accepted, .malformed]' live.out)" '[3,3,1]'

# ---- SIGINT and SIGTERM finish what was read ----
for signal in INT:130 TERM:143; do
    start --json ingest
    deposit "${signal#*:}" >&3
    eventually "the line before SIG${signal%:*}" settlectl trace "deposit_7_2_${signal#*:}"
    kill -s "${signal%:*}" "$writer"
    finish "${signal#*:}"
    expect_equal "the summary after SIG${signal%:*}" "$(jq -c '[.events, .accepted]' live.out)" '[1,1]'
    expect_status 0 settlectl --json verify
    expect_equal "the store after SIG${signal%:*}" "$(jq -r .store out)" equal
    expect_status 0 settlectl --json trace "deposit_7_2_${signal#*:}"
    expect_equal 'nothing is missing' "$(jq -c '[(.steps | length), .missing]' out)" '[3,null]'
done

# In the middle of a large file: what was taken is whole, the rest can be taken later.
awk 'BEGIN { for (i = 1; i <= 400000; i++)
    printf "{\"type\":\"deposit\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1\"}\n", i, 1000 + i % 100 }' >large.ndjson
"$SETTLECTL" -D large -q init --asset USDT=2:6
"$SETTLECTL" -D large --json ingest large.ndjson >live.out 2>live.err &
writer=$!
for _ in $(seq 200); do
    [ "$("$SETTLECTL" -D large --json stats 2>/dev/null | jq '.events > 0')" = true ] && break
    sleep 0.01
done
kill -s INT "$writer" 2>/dev/null || true
status=0
wait "$writer" || status=$?
taken=$(jq .events live.out)
if [ "$status" -ne 130 ]; then
    expect_equal 'status, where the signal came too late' "$status" 0
else
    [ "$taken" -gt 0 ] || fail 'nothing was taken'
fi
expect_status 0 settlectl -D large --json verify
expect_equal 'what was taken is there' "$(jq -c '[.ok, .events]' out)" "[true,$taken]"
expect_status 0 settlectl -D large --json ingest --resume large.ndjson
expect_equal 'the rest' "$(jq -c '[.events, .accepted, .duplicate]' out)" "[$((400000 - taken)),$((400000 - taken)),0]"
expect_status 0 settlectl -D large --json replay --check
expect_equal 'all of it' "$(jq -c '[.ok, .events, .store]' out)" '[true,400000,"equal"]'

# ---- A terminal has a progress line, anything else has none ----
expect_status 0 settlectl -D quiet ingest --log-dir quiet.logs <(echo '{"type":"asset","asset":"USDT","id":2,"scale":6}') large.ndjson
expect_equal 'messages without a terminal' "$(cat err)" ''
# Where there is no script(1), or no pseudo-terminal for it, this part is left out.
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    expect_status 0 settlectl -D shown init --asset USDT=2:6
    echo 'malformed' >>large.ndjson
    script -qec "'$SETTLECTL' -D shown ingest --no-logs large.ndjson" typescript >/dev/null </dev/null || true
    tr '\r' '\n' <typescript >shown.lines
    grep -Eq '\[[#-]{30}\] +[0-9]+%  [0-9,]+ events  [0-9,]+/s' shown.lines || fail "no progress: $(head shown.lines)"
    grep -q 'large.ndjson:400001:1: ' shown.lines || fail 'no word about the malformed line'
    script -qec "'$SETTLECTL' -q -D shown ingest --no-logs --resume large.ndjson" typescript >/dev/null </dev/null || true
    if grep -q '%' typescript; then fail 'progress in spite of -q'; fi
fi
