#!/usr/bin/env bash
# kill -9 at random moments: after each, verify and replay --check agree and nothing that was seen durable is gone; at the
# end all is there, once. SETTLE_TEST_SEED repeats a run.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

kills=${SETTLE_TEST_KILLS:-25}
seed=${SETTLE_TEST_SEED:-$(date +%N | sed 's/^0*//')}
echo "seed $seed"
RANDOM=$((seed % 32768))

events=120000
awk -v seed="$seed" -v events=$events 'BEGIN {
    srand(seed)
    print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
    print "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}"
    for (i = 1; i <= events; i++) {
        user = 1 + int(rand() * 500)
        if (i % 4 == 0)
            printf "{\"type\":\"trade\",\"ts\":%d,\"trade_id\":\"T%d\",\"buyer\":%d,\"seller\":%d,\"base\":\"BTC\",\"quote\":\"USDT\",\"quantity\":\"0.00%d\",\"price\":\"%d\",\"seller_fee\":\"0.01\"}\n",
                i, i, user, 1 + user % 500, 1 + int(rand() * 8), 100 + int(rand() * 1000)
        else
            printf "{\"type\":\"%s\",\"ts\":%d,\"user\":%d,\"asset\":\"%s\",\"amount\":\"%d\"}\n",
                i % 7 ? "deposit" : "withdrawal", i, user, i % 3 ? "USDT" : "BTC", 1 + int(rand() * 50)
    }
}' >stream.ndjson

expect_status 0 settlectl -D whole --json ingest stream.ndjson
settlectl -D whole --json balance >whole.balance

# Small segments and frequent checkpoints, so that the kills meet them.
expect_status 0 settlectl -D killed init --segment-size 1048576
echo '{"checkpoint_interval_ms":20,"checkpoint_events_max":3000,"commit_events_max":512}' >killed/settle.json

# The first half goes on where the one before was killed, the second half begins again each time.
seen=0
for kill in $(seq "$kills"); do
    resume=--resume
    [ "$kill" -le $((kills / 2)) ] || resume=--no-logs
    "$SETTLECTL" -D killed --json ingest $resume stream.ndjson >live.out 2>live.err &
    writer=$!
    sleep "0.0$((RANDOM % 90 + 10))"
    if [ $((kill % 5)) -eq 0 ]; then # what a reader sees beside the writer, it sees after the crash
        now=$(settlectl -D killed --json stats | jq .events)
        [ "$now" -le "$seen" ] || seen=$now
    fi
    kill -9 "$writer" 2>/dev/null || true
    wait "$writer" 2>/dev/null || true

    expect_status 0 settlectl -D killed --json verify
    jq -e '.ok and (.store == "equal" or .store == "absent")' out >jq.out || fail "kill $kill: $(cat out)"
    now=$(jq .events out)
    [ "$now" -ge "$seen" ] || fail "kill $kill: $now events, but $seen were seen"
    seen=$now
    expect_status 0 settlectl -D killed --json replay --check
    jq -e --argjson events "$now" '.ok and .events == $events' out >jq.out || fail "kill $kill: $(cat out)"
    settlectl -D killed --json balance >killed.balance
    settlectl -D killed --json replay >replayed.balance
    cmp killed.balance replayed.balance || fail "kill $kill: balance and replay differ"
    if [ "$resume" = --resume ]; then
        expect_equal "kill $kill: events that came twice" \
            "$(settlectl -D killed --json stats | jq '[.types[].duplicate, .types[].conflict] | add')" 0
    fi
done
echo "$seen arrivals of $events events after $kills kills"
[ "$seen" -gt 0 ] || fail 'no run got anywhere'

# Going on once more ends where one run ends; and the whole stream again moves nothing.
expect_status 0 settlectl -D killed --json ingest --resume stream.ndjson
settlectl -D killed --json balance | jq -c 'del(.seq)' >killed.balance
jq -c 'del(.seq)' whole.balance | cmp - killed.balance || fail 'another end than without kills'
expect_status 0 settlectl -D killed --json ingest stream.ndjson
expect_equal 'the stream again' "$(jq -c '[.events, .duplicate]' out)" "[$events,$events]"
settlectl -D killed --json balance | jq -c 'del(.seq)' | cmp - killed.balance || fail 'the stream again moved a balance'
expect_status 0 settlectl -D killed --json verify
expect_equal 'verify at the end' "$(jq -c '[.ok, .store, .ids]' out)" "[true,\"equal\",$events]"
