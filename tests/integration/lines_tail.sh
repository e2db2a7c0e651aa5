#!/usr/bin/env bash
# tail: from any point, in any format, beside a writer, without one, into files, and how it ends.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

make_events() { # FROM TO
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (i = from; i <= to; i++)
            printf "{\"type\":\"deposit\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1.5\"}\n", i, 1 + i % 50
    }'
}
# Small segments, so that --from begins behind the first one.
expect_status 0 settlectl -D bank init --segment-size 65536 --asset USDT=2:6
make_events 1 3000 >first
expect_status 0 settlectl -D bank -q ingest --no-logs first
[ ! -e logs ] || fail '--no-logs wrote a log directory'
segments=$(find bank/journal -name '*.seg' | wc -l)
[ "$segments" -gt 3 ] || fail "only $segments segments"

settlectl -D bank tail >all
expect_equal 'lines' "$(wc -l <all)" 9000

# ---- --from: the lines of that event and all behind it, wherever it stands ----
for seq in 1 2 1000 2999 3000; do
    settlectl -D bank tail --from $seq >from
    jq -c "select(.fields.seq >= $seq)" all >expected
    jq -c . from | cmp - expected || fail "tail --from $seq"
    grep -F -x -f <(head -n 3 from) all | cmp - <(head -n 3 from) || fail "tail --from $seq: other bytes"
done
expect_status 0 settlectl -D bank tail --from 3001
expect_equal 'behind the end' "$(cat out)" ''
expect_status 0 settlectl -D bank tail --from 0
cmp out all || fail '--from 0 is not all'

# An asset that was declared later is not yet known where the event was that named it: no command can submit such an event,
# but the assets before a point must be those before it.
echo '{"type":"asset","asset":"LATE","id":77,"scale":0}' >late
expect_status 0 settlectl -D bank -q ingest --no-logs late
settlectl -D bank tail --from 2999 | head -n 3 | cmp - <(jq -rc 'select(.fields.seq >= 2999)' all | head -n 3) >/dev/null ||
    settlectl -D bank tail --from 2999 | head -n 1 | grep -q '"asset":"USDT"' || fail 'an asset declared later'

# ---- --format ----
for format in settle ecs otlp; do
    expect_status 0 settlectl -D bank tail --format $format --from 2990
    jq -e . out >jq.out || fail "$format is no JSON"
    mv out "$format.out"
done
cmp settle.out <(settlectl -D bank tail --from 2990) || fail 'settle is not the default format'
expect_equal 'ecs: lines' "$(wc -l <ecs.out)" 33
expect_equal 'ecs: members' "$(head -1 ecs.out | jq -c '[has("@timestamp"), has("ecs.version")]')" '[true,true]'
expect_equal 'otlp: lines' "$(wc -l <otlp.out)" 11
expect_equal 'otlp: spans of a line' "$(head -1 otlp.out | jq '[.resourceSpans[].scopeSpans[].spans[]] | length')" 4

# ---- Usage ----
for arguments in '--from x' '--from -1' '--format json' '--from 1 --log-dir l' '--format ecs --log-dir l' 'x'; do
    # shellcheck disable=SC2086 # words
    expect_status 2 settlectl -D bank tail $arguments
done
expect_status 1 settlectl -D nowhere tail
expect_status 1 settlectl -D nowhere tail --follow

# ---- --follow: beside a writer, one that comes later included ----
"$SETTLECTL" -D bank tail --from 3001 --follow >followed 2>follow.err &
follower=$!
sleep 0.2
expect_equal 'nothing yet' "$(cat followed)" ''
make_events 3001 3500 >second
expect_status 0 settlectl -D bank -q ingest --no-logs second
for _ in $(seq 100); do
    [ "$(wc -l <followed)" -ne 1500 ] || break
    sleep 0.05
done
expect_equal 'lines of the second run' "$(wc -l <followed)" 1500
make_events 3501 3510 >third
expect_status 0 settlectl -D bank -q ingest --no-logs third
for _ in $(seq 100); do
    [ "$(wc -l <followed)" -ne 1530 ] || break
    sleep 0.05
done
kill -TERM $follower
status=0
wait $follower || status=$?
expect_equal 'status after SIGTERM' $status 143
settlectl -D bank tail --from 3001 | cmp - followed || fail 'followed and told at once differ'
expect_equal 'messages' "$(cat follow.err)" ''

"$SETTLECTL" -D bank tail --follow >/dev/null &
follower=$!
sleep 0.2
kill -INT $follower
status=0
wait $follower || status=$?
expect_equal 'status after SIGINT' $status 130

# A reader that leaves ends it, also while nothing comes.
timeout 10 bash -c '"$1" -D bank tail --follow | head -n 2 >heads' - "$SETTLECTL" || fail 'a closed pipe does not end tail --follow'
expect_equal 'two lines' "$(wc -l <heads)" 2

# ---- A journal that is only read ----
cp -r bank frozen
chmod -R a-w frozen
settlectl -D frozen tail >out
settlectl -D bank tail | cmp - out || fail 'of a read-only directory'
settlectl -D frozen tail --from 3000 | cmp - <(settlectl -D bank tail --from 3000) || fail 'of a read-only directory, from'

# ---- Into files, by another process than the writer ----
expect_status 0 settlectl -D bank tail --log-dir once
settlectl -D bank tail | cmp - once/settlement.log || fail 'tail --log-dir'
expect_status 0 settlectl -D bank tail --log-dir once
settlectl -D bank tail | cmp - once/settlement.log || fail 'tail --log-dir again'
"$SETTLECTL" -D bank tail --follow --log-dir kept 2>kept.err &
follower=$!
for run in 4 5 6; do
    make_events ${run}001 ${run}400 >more
    expect_status 0 settlectl -D bank -q ingest --no-logs more
done
expect_status 0 settlectl -D bank -q ingest --no-logs more
for _ in $(seq 100); do
    [ "$(wc -l <kept/settlement.log)" -ne "$(settlectl -D bank tail | wc -l)" ] || break
    sleep 0.05
done
expect_status 4 settlectl -D bank tail --log-dir kept # one follower a directory
expect_status 4 settlectl -D bank -q ingest --log-dir kept more
kill -TERM $follower
status=0
wait $follower || status=$?
expect_equal 'status after SIGTERM' $status 143
settlectl -D bank tail | cmp - kept/settlement.log || fail 'followed into files'
expect_equal 'messages' "$(cat kept.err)" ''
