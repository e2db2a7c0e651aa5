#!/usr/bin/env bash
# kill -9 at random moments, of ingest and of a process that only follows: after a last run the files are what a fresh
# rendering is, byte for byte, and no line was ever there that the journal does not have. SETTLE_TEST_SEED repeats a run.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

kills=${SETTLE_TEST_KILLS:-100}
seed=${SETTLE_TEST_SEED:-$(date +%N | sed 's/^0*//')}
echo "seed $seed"
RANDOM=$((seed % 32768))

awk 'BEGIN {
    print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
    for (i = 1; i <= 400000; i++)
        printf "{\"type\":\"%s\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"%d\"}\n",
            i % 5 ? "deposit" : "withdrawal", i, 1 + i % 500, 1 + i % 97
}' >stream.ndjson
expect_status 0 settlectl -D bank init --segment-size 4194304
echo '{"commit_events_max":256,"checkpoint_interval_ms":50,"lines":{"rotate_bytes":3000000,"compress":true}}' >bank/settle.json

# The lines in their order: parts by number, then the day's last, then the current file.
all_lines() {
    local name
    for name in $(find logs -name 'settlement.log.2*' ! -name '*.partial' -printf '%f\n' |
        sed -E 's/(\.zst)?$/ &/; s/(\.....-..-..) /\1.~ /' | LC_ALL=C sort | sed -E 's/(\.~)? //'); do
        case $name in
        *.zst) zstd -dcq "logs/$name" ;;
        *) [ -e "logs/$name.zst" ] || cat "logs/$name" ;;
        esac
    done
    [ ! -e logs/settlement.log ] || cat logs/settlement.log
}

# How long this machine takes just now to open and close, in ms: kills fall within and behind that.
start=$(date +%s%N)
settlectl -D bank -q ingest --resume <(head -2 stream.ndjson)
opening=$((($(date +%s%N) - start) / 1000000 + 5))
[ $opening -lt 250 ] || opening=250
for kill in $(seq "$kills"); do
    if [ $((kill % 10)) -eq 0 ]; then
        "$SETTLECTL" -D bank -q tail --follow --log-dir logs >/dev/null 2>kill.err &
    else
        "$SETTLECTL" -D bank -q ingest --resume stream.ndjson >/dev/null 2>kill.err &
    fi
    process=$!
    delay=$((RANDOM % (4 * opening) + 5))
    sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
    kill -9 "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    # Every tenth time: what is there now is the journal's, but for its end.
    if [ $((kill % 10)) -eq 5 ]; then
        settlectl -D bank --json logs verify >out || jq -e .empty out >verdict || fail "$(cat out)" # no run got anywhere yet
    fi
done
settlectl -D bank --json stats >stats
echo "$(jq .events stats) events after $kills kills, $(find logs -name 'settlement.log.2*' | wc -l) rotated files"
[ "$(jq .events stats)" -gt 0 ] || fail 'no run got anywhere'

expect_status 0 settlectl -D bank -q ingest --resume /dev/null
expect_status 0 settlectl -D bank --json logs verify
expect_equal 'logs verify' "$(jq -c '[.ok, .lines_before, .lines_after, .torn_bytes]' out)" '[true,0,0,0]'
expect_equal 'lines' "$(jq .lines out)" "$(($(jq .events stats) * 3))"
settlectl -D bank tail | cmp - <(all_lines) || fail 'the files are not a fresh rendering'
