#!/usr/bin/env bash
# `replay --check --into` beside a writer: each copy is one that a writer takes up, has all that was durable when the command
# began, and has the balances that the original had then. SETTLE_BACKUP_RUNS=50 for more than a look.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
runs=${SETTLE_BACKUP_RUNS:-4}

# Small segments, so that copies end in many of them. The writer gets events until it is told to stop.
expect_status 0 settlectl -D bank init --asset USDT=2:6 --segment-size 65536
mkfifo events
"$SETTLECTL" -D bank -q ingest --no-logs - <events 2>writer.err &
writer=$!
awk 'BEGIN {
    for (t = 1; ; t++) {
        printf "{\"type\":\"deposit\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1.5\"}\n", t, t % 97 + 1
        if (t % 200 == 0) { fflush(); system("sleep 0.05") }
    }
}' >events 2>stream.err &
stream=$!
last_seq() {
    settlectl -D "$1" inspect --json | jq -s '.[0].last_seq'
}

seq=0
for ((run = 1; run <= runs; run++)); do
    for ((i = 0; i < 100; i++)); do # something new is there, and more comes
        before=$(last_seq bank)
        [ "$before" -gt $((seq + 100)) ] && break
        sleep 0.05
    done
    expect_status 0 settlectl --json -D bank replay --check --into copy
    expect_equal "run $run" "$(tail -1 out | jq -c '[.ok, .store]')" '[true,"equal"]'
    seq=$(last_seq copy)
    [ "$seq" -ge "$before" ] || fail "run $run: the copy ends at $seq, and $before was durable"
    [ ! -e copy/journal.partial ] || fail "run $run: something unfinished was left"
    expect_status 0 settlectl -D copy verify
    settlectl -D copy balance >ours
    settlectl -D bank balance --at-seq "$seq" >theirs
    cmp -s ours theirs || fail "run $run: other balances than the original had behind $seq"
    # A writer takes it up, and knows the ids.
    printf '{"type":"deposit","ts":%d,"user":%d,"asset":"USDT","amount":"1.5"}\n' "$seq" $((seq % 97 + 1)) >again
    echo '{"type":"deposit","ts":1,"user":500,"asset":"USDT","amount":"2"}' >>again
    expect_status 0 settlectl --json -D copy ingest --no-logs again
    expect_equal "run $run: taken up" "$(jq -c '[.accepted, .duplicate, .conflict]' out)" '[1,1,0]'
    expect_status 0 settlectl -D copy replay --check
    rm -rf copy
done
kill -0 $writer || fail "the writer ended: $(cat writer.err)"
segments=$(settlectl -D bank inspect --json | jq -s '.[0].segments')
[ "$segments" -ge 3 ] || fail "only $segments segments: the copies had little to do"

# A directory that a crash left: the same.
kill -KILL $writer
wait $writer 2>/dev/null || true
kill $stream 2>/dev/null || true
expect_status 0 settlectl -D bank replay --check --into after-crash
expect_equal 'after a crash' "$(last_seq after-crash)" "$(last_seq bank)"
expect_status 0 settlectl -D after-crash verify

# Nothing is written over, and a failure leaves no journal.
expect_status 2 settlectl -D bank replay --check --into after-crash
grep -q 'is not empty' err || fail "$(cat err)"
printf 'x' | dd of="$(ls bank/journal/*.seg | sed -n 2p)" bs=1 seek=9000 conv=notrunc 2>dd.err
expect_status 3 settlectl -D bank replay --into damaged
[ ! -e damaged/journal ] || fail 'a copy of a damaged journal looks like one that is whole'
