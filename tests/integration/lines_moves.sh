#!/usr/bin/env bash
# The log directory in other people's hands: a pause that only retention can end, a directory that is moved or removed while
# ingest runs, a file that is shorter than it was, what a compression that was killed leaves for `logs rebuild`.
# shellcheck source=tests/lib/script.sh
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

deposits() {
    local k
    for ((k = $1; k <= $2; k++)); do
        echo "{\"type\":\"deposit\",\"ts\":$k,\"user\":1,\"asset\":\"USDT\",\"amount\":\"1\"}"
    done
}
create() {
    settlectl -D "$1" init --asset USDT=2:6
    echo "{\"lines\":{${2:-}}}" >"$1/settle.json"
}
# within SECONDS COMMAND...: until it is true
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "never: $*"
        sleep 0.1
    done
}
lines_of() {
    cat "$1" 2>/dev/null | wc -l
}

# ---- Retention goes on while the lines pause for want of space: it may be what makes room ----
create full '"rotate_bytes":5000'
deposits 1 100 | settlectl -D full -q ingest --log-dir full-logs
[ "$(ls full-logs | wc -l)" -gt 10 ] || fail 'too few rotated files to begin with'
echo '{"lines":{"rotate_bytes":5000,"keep_bytes":5000,"free_bytes_min":9000000000000000}}' >full/settle.json
mkfifo feed
settlectl -D full -q ingest --log-dir full-logs <feed 2>err &
exec 7>feed
deposits 101 101 >&7
few_are_left() { [ "$(ls full-logs/settlement.log.* | wc -l)" -le 1 ]; }
within 20 few_are_left
exec 7>&-
wait $! || fail "ingest while paused: status $?"
grep -q 'pause' err || fail 'nobody said that the lines pause'

# ---- The directory is moved, another one takes its name; then it is removed ----
create moved
settlectl -D moved ingest -q --log-dir logs <feed 2>err &
exec 7>feed
deposits 1 3 >&7
has_nine() { [ "$(lines_of logs/settlement.log)" -eq 9 ]; }
within 20 has_nine
mv logs logs.moved
mkdir -p logs # unless ingest was faster
sleep 0.5
deposits 4 6 >&7
within 20 has_nine
expect_equal 'lines where the directory went' "$(lines_of logs.moved/settlement.log)" 9
rm -rf logs
sleep 0.5
deposits 7 9 >&7
within 20 has_nine
until [ -f logs ]; do # something else has its name: a pause, told once, until that is gone
    rm -rf logs || true   # ingest may make it again meanwhile
    touch logs
done
sleep 1.5
deposits 10 12 >&7
is_paused() { grep -q 'lines pause' err; }
within 20 is_paused
sleep 2.5
rm logs
within 20 has_nine
exec 7>&-
wait $! || fail "ingest: status $?"
expect_equal 'how often it was said' "$(grep -c 'was moved or removed' err)" 3
expect_equal 'the events behind the moves' "$(jq -s 'map(.fields.seq) | unique | [first, last]' -c logs/settlement.log)" '[10,12]'
deposits 13 13 | settlectl -D moved ingest -q --log-dir logs
expect_equal 'no history again' "$(lines_of logs/settlement.log)" 12

# ---- Lines that were synced are gone: it is said ----
truncate -s 600 logs/settlement.log
deposits 14 14 | settlectl -D moved ingest --log-dir logs >out 2>err
grep -q 'lost lines that were synced' err || fail "not told: $(cat err)"

# ---- NAME beside NAME.zst, as a killed compression leaves them: rebuilt, no line is there twice ----
create twins '"rotate_bytes":5000,"compress":true'
deposits 1 50 | settlectl -D twins -q ingest --log-dir twin-logs
packed=$(ls twin-logs/settlement.log.*.zst | tail -1)
zstd -qd "$packed" -o "${packed%.zst}"
echo half >"${packed%.zst}.zst.partial"
expect_status 0 settlectl -D twins logs verify --log-dir twin-logs
expect_status 0 settlectl -D twins logs rebuild --log-dir twin-logs
expect_status 0 settlectl -D twins logs verify --log-dir twin-logs
expect_equal 'files after the rebuild' "$(ls twin-logs | grep -c 'settlement.log.*zst')" 0

# ---- A backlog of compression does not hold up the end of ingest ----
create backlog '"rotate_bytes":500'
deposits 1 300 | settlectl -D backlog -q ingest --log-dir backlog-logs
echo '{"lines":{"rotate_bytes":500,"compress":true}}' >backlog/settle.json
start=$SECONDS
settlectl -D backlog -q ingest --log-dir backlog-logs </dev/null
[ $((SECONDS - start)) -lt 30 ] || fail "ending took $((SECONDS - start)) s"
expect_status 0 settlectl -D backlog logs verify --log-dir backlog-logs
