#!/usr/bin/env bash
# Questions about the past: statements, balances as they were, prefixes of ids, events without a final step.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

big=9007199254740993 # above 2^53
cat >events.ndjson <<END
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"BTC","id":1,"scale":8}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","ts":1733856600001,"user":$big,"asset":"BTC","amount":"0.5"}
{"type":"withdrawal","ts":1733856600002,"user":1001,"asset":"USDT","amount":"10"}
{"type":"withdrawal","ts":1733856600003,"user":1001,"asset":"USDT","amount":"9999"}
{"type":"trade","ts":1733856600004,"trade_id":"T-1","buyer":1001,"seller":$big,"base":"BTC","quote":"USDT","quantity":"0.01","price":"50000","buyer_fee":"0.00001","seller_fee":"0.5"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.5"}
{"type":"deposit","ts":9007199254740992,"user":1001,"asset":"USDT","amount":"0.000001","event_id":"late"}
END
expect_status 0 settlectl -q ingest events.ndjson

# ---- history: exactly these lines ----
expect_status 0 settlectl --json history 1001 USDT
cat >expected <<'END'
{"seq":7,"ts":9007199254740992,"event_id":"late","type":"deposit","delta":"0.000001","after":"490.500001","version":4}
{"seq":5,"ts":1733856600004,"event_id":"trade_T-1","type":"trade","delta":"-500.000000","after":"490.500000","version":3}
{"seq":3,"ts":1733856600002,"event_id":"withdrawal_1001_2_1733856600002","type":"withdrawal","delta":"-10.000000","after":"990.500000","version":2}
{"seq":1,"ts":1733856600000,"event_id":"deposit_1001_2_1733856600000","type":"deposit","delta":"1000.500000","after":"1000.500000","version":1}
END
diff out expected || fail 'the statement'
expect_equal 'no messages' "$(cat err)" ''
expect_status 0 settlectl history 1001 2 --json # the asset by its number
diff out expected || fail 'the statement by the number of the asset'

rows() { # ARGUMENT...: the seqs of a statement
    expect_status 0 settlectl --json history "$@"
    jq .seq out | xargs
}
expect_equal 'limit' "$(rows 1001 USDT --limit 2)" '7 5'
expect_equal 'limit 0' "$(rows 1001 USDT --limit 0)" ''
expect_equal 'the next page' "$(rows 1001 USDT --limit 2 --before 5)" '3 1'
expect_equal 'behind the last page' "$(rows 1001 USDT --limit 2 --before 1)" ''
expect_equal 'before 0' "$(rows 1001 USDT --before 0)" ''
expect_equal 'since' "$(rows 1001 USDT --since 3)" '7 5 3'
expect_equal 'until' "$(rows 1001 USDT --until 4)" '3 1'
expect_equal 'since and until' "$(rows 1001 USDT --since 2 --until 5)" '5 3'
expect_equal 'nothing in range' "$(rows 1001 USDT --since 8)" ''
expect_equal 'a user above 2^53' "$(rows $big BTC)" '5 2'
expect_equal 'external' "$(rows external USDT)" '7 3 1'
expect_equal 'fees' "$(rows fees BTC)" '5'
expect_equal 'an integer that is milliseconds' "$(rows 1001 USDT --until 1733856600000)" ''
expect_equal 'since an hour ago' "$(rows 1001 USDT --since -1h)" '7 5 3 1'
expect_equal 'until an hour ago' "$(rows 1001 USDT --until -1h)" ''
expect_equal 'since the day to come' "$(rows 1001 USDT --since 2100-01-01T00:00:00Z)" ''

# For people: amounts to the right, the event time, a sign before what comes in.
expect_status 0 settlectl history 1001 USDT
expect_equal 'titles' "$(head -n 1 out | xargs)" 'seq event time type event id delta after version'
expect_equal 'a row' "$(sed -n 5p out | xargs)" \
    '1 2024-12-10T18:50:00.000000Z deposit deposit_1001_2_1733856600000 +1000.500000 1000.500000 1'
expect_equal 'a time beyond the calendar' "$(sed -n 2p out | xargs | cut -d' ' -f2)" 9007199254740992
expect_equal 'one width' "$(awk '{ print length($0) }' out | sort -u | wc -l)" 1

# ---- balance as it was: what replay makes of the journal up to there ----
for seq in 0 1 2 3 4 5 6 7; do
    expect_status 0 settlectl --json replay --until-seq $seq
    cp out expected.replay
    expect_status 0 settlectl --json balance --at-seq $seq
    diff out expected.replay || fail "balance --at-seq $seq"
    for user in 1001 $big external fees; do
        jq -c --arg user $user 'select("\(.user)" == $user)' expected.replay >expected.user
        status=0
        settlectl --json balance $user --at-seq=$seq >out 2>err || status=$?
        expect_equal "status of balance $user --at-seq $seq" $status "$([ -s expected.user ] && echo 0 || echo 1)"
        diff out expected.user || fail "balance $user --at-seq $seq"
        jq -c 'select(.asset == "BTC")' expected.user >expected.asset
        status=0
        settlectl --json balance $user BTC --at-seq $seq >out 2>err || status=$?
        expect_equal "status of balance $user BTC --at-seq $seq" $status "$([ -s expected.asset ] && echo 0 || echo 1)"
        diff out expected.asset || fail "balance $user BTC --at-seq $seq"
    done
done
# Behind the journal's end there is no balance yet, of anybody; replay has no more to do there.
for asked in '' 1001 '1001 USDT' external; do
    # shellcheck disable=SC2086 # words
    expect_status 1 settlectl balance $asked --at-seq 8
    expect_equal "balance $asked behind the end" "$(cat out err)" 'settlectl: the journal ends at seq 7'
    # shellcheck disable=SC2086
    expect_status 1 settlectl --json balance $asked --at-seq 18446744073709551615
    grep -q 'the journal ends at seq 7' err || fail "balance $asked --json behind the end: $(cat err)"
    # shellcheck disable=SC2086
    expect_status 0 settlectl balance $asked --at-seq 7
done
expect_status 0 settlectl --json replay --until-seq 99
diff out expected.replay || fail 'replay until behind the end'
expect_status 0 settlectl --json balance $big BTC --at-seq 2
expect_equal 'a user above 2^53' "$(cat out)" \
    '{"user":"9007199254740993","asset":"BTC","available":"0.50000000","held":"0.00000000","version":1,"seq":2}'
expect_status 1 settlectl balance 1001 BTC --at-seq 4
expect_equal 'nothing yet' "$(cat err)" 'settlectl: user 1001 had no balance in BTC'
# A moment is one of recording, and says so where somebody may have meant the events' own times.
expect_status 1 settlectl balance 1001 BTC --at 2020-01-01T00:00:00Z
expect_equal 'nothing recorded' "$(cat err)" \
    'settlectl: user 1001 had no balance in BTC recorded by then; --at asks when events were recorded, not for their ts'
expect_status 0 settlectl help balance
grep -q 'a time is one of' out || fail "help balance does not say which time --at means"
expect_status 0 settlectl balance --at-seq 1
expect_equal 'for people' "$(sed -n 2p out | xargs)" '1001 USDT 1000.500000 0.000000 1 1'

# Batches of their own, a while apart: --at with a PERSISTED time, as printed, includes the event; a microsecond before, not.
before=$(cat expected.replay)
sleep 0.01
echo '{"type":"deposit","ts":5,"user":5,"asset":"USDT","amount":"5"}' | settlectl -q ingest
time=$(settlectl --json trace deposit_5_2_5 | jq -r '.steps[] | select(.step == "PERSISTED").timestamp')
expect_status 0 settlectl --json balance 5 --at "$time"
expect_equal 'at its time' "$(jq -r .available out)" 5.000000
micros=$((10#${time:20:6}))
earlier=$(printf '%s%06dZ' "${time:0:20}" $((micros - 1)))
if [ "$micros" -gt 0 ]; then
    expect_status 1 settlectl --json balance 5 --at "$earlier"
    expect_status 0 settlectl --json balance --at "$earlier"
    expect_equal 'all, before it' "$(cat out)" "$before"
    expect_equal 'since it' "$(rows external USDT --since "$time")" 8
    expect_equal 'until before it' "$(rows external USDT --until "$earlier")" '7 3 1'
fi
ms=$(date -d "$time" +%s%3N) # the millisecond it lies in, whose beginning is earlier
[ $((micros % 1000)) -eq 0 ] || expect_status 1 settlectl balance 5 --at "$ms"
expect_status 0 settlectl balance 5 --at $((ms + 1))
expect_status 0 settlectl balance 5 --at -0s
expect_status 1 settlectl balance 5 --at -1h
expect_status 1 settlectl balance 5 --at 0
expect_status 0 settlectl --json balance --at 1969-12-31T23:59:59Z
expect_equal 'before the beginning' "$(cat out)" ''
expect_status 0 settlectl balance 5 --at "$(date -u -d "$time + 1 hour" +%Y-%m-%dT%H:%M:%S)+00:00"

# ---- trace by the trade id; an event of that very id comes first ----
expect_status 0 settlectl --json trace T-1
cp out by_trade_id
expect_status 0 settlectl --json trace trade_T-1
diff out by_trade_id || fail 'trace by the trade id'
expect_status 1 settlectl trace T-2
expect_equal 'what was asked for' "$(cat err)" 'settlectl: no event has the id T-2'
expect_status 1 settlectl trace "$(printf 'x%.0s' $(seq 64))"

# ---- trace --prefix; the times between steps ----
expect_status 0 settlectl --json trace --prefix deposit_
cat >expected <<'END'
{"event_id":"deposit_1001_2_1733856600000","seq":1,"type":"deposit","outcome":"accepted","reason":null,"ts":1733856600000}
{"event_id":"deposit_5_2_5","seq":8,"type":"deposit","outcome":"accepted","reason":null,"ts":5}
{"event_id":"deposit_9007199254740993_1_1733856600001","seq":2,"type":"deposit","outcome":"accepted","reason":null,"ts":1733856600001}
END
diff out expected || fail 'ids that begin with deposit_'
expect_status 0 settlectl trace --prefix withdrawal_1001_
expect_equal 'for people' "$(sed -n 3p out | xargs)" \
    'withdrawal_1001_2_1733856600003 4 withdrawal rejected: insufficient_funds'
expect_status 1 settlectl trace --prefix withdrawal_1002
expect_status 1 settlectl --json trace --prefix 'no id'
expect_equal 'none' "$(jq -c '[.error, .status]' err)" '["not_found",1]'
expect_status 0 settlectl trace deposit_5_2_5
grep -Eq '^  PERSISTED  2.*Z  \+[0-9]+\.[0-9]{6} s$' out || fail "no time between the steps: $(cat out)"

# ---- stuck: nothing, while all is well ----
expect_status 0 settlectl stuck
expect_equal 'stuck' "$(cat out err)" ''
expect_status 0 settlectl --json stuck --older-than 0
expect_equal 'stuck as JSON' "$(cat out err)" ''

# ---- Errors ----
expect_status 1 settlectl history 1002 USDT
expect_equal 'no history' "$(cat err)" 'settlectl: user 1002 has no history in USDT'
expect_status 1 settlectl --json history 1002 USDT --limit 0
expect_equal 'no history' "$(cat out; jq -c '[.error, .status]' err)" '["not_found",1]'
expect_status 1 settlectl history 1001 ETH
expect_status 1 settlectl -D nowhere history 1001 USDT
expect_status 1 settlectl -D nowhere stuck
expect_status 1 settlectl -D nowhere trace --prefix a
expect_status 1 settlectl -D nowhere balance --at-seq 1
[ ! -e nowhere ] || fail 'a query created a directory'
for command in 'history 1001 USDT' 'balance --at-seq 1' 'trace --prefix dep'; do
    status=0
    # shellcheck disable=SC2086
    settlectl $command >/dev/full 2>err || status=$?
    expect_equal "status of $command on a full disk" $status 5
done
set +o pipefail
status=0
settlectl --json history external USDT | true || status=$?
expect_equal 'a reader that leaves' $status 0
set -o pipefail

# ---- A directory that nobody can write, without its store, and with a torn tail ----
answers() { # DIR: all kinds of answers
    local command
    for command in 'history 1001 USDT' 'history external USDT --until 5' 'balance --at-seq 5' 'balance 1001 --at-seq 3' \
        'balance --at -0s' 'trace --prefix deposit_'; do
        # shellcheck disable=SC2086
        "$SETTLECTL" -D "$1" --json $command || fail "$command in $1"
    done
}
listing() {
    find "$1" -type f ! -name 'lock*' -exec sha256sum {} + | sort -k 2
    find "$1" | sort
}
answers settle-data >expected
cp -r settle-data frozen
chmod -R a-w frozen
listing frozen >frozen.before
answers frozen >frozen.out
diff frozen.out expected || fail 'a directory that cannot be written answers otherwise'
listing frozen | diff - frozen.before || fail 'a query changed something'
chmod -R u+w frozen
rm -r frozen/store
answers frozen >frozen.out
diff frozen.out expected || fail 'a directory without a store answers otherwise'

# The last frame holds the last PERSISTED alone. Torn, its events are durable and have no final step.
cp -r settle-data crashed
segment=crashed/journal/00000000000000000001-000000.seg
read -r offset bytes < <(settlectl --json inspect "$segment" | jq -r 'select(.record == "FRAME") | "\(.offset) \(.bytes)"' | tail -n 1)
dd if=/dev/zero of="$segment" bs=1 seek=$((offset + bytes - 10)) count=10 conv=notrunc status=none
expect_status 0 settlectl -D crashed --json stuck # with a warning: the store has seen more
expect_equal 'stuck after a crash' "$(jq -c '[.event_id, .seq, .type, .last_step, (.age_ms >= 0)] + (keys_unsorted | .[-2:])' out)" \
    '["deposit_5_2_5",8,"deposit","VALIDATED",true,"timestamp","age_ms"]'
expect_equal 'its time' "$(jq -r .timestamp out)" \
    "$(settlectl -D crashed --json trace deposit_5_2_5 | jq -r '.steps[] | select(.step == "VALIDATED").timestamp')"
expect_status 0 settlectl -D crashed stuck
expect_equal 'stuck for people' "$(sed -n 2p out | xargs | cut -d' ' -f1-4)" 'deposit_5_2_5 8 deposit VALIDATED'
expect_status 0 settlectl -D crashed stuck --older-than 3600000
expect_equal 'nothing is that old' "$(cat out)" ''
expect_status 1 settlectl -D crashed balance 5 --at -0s # no moment is its own
expect_status 0 settlectl -D crashed balance 5 --at-seq 8
expect_status 0 settlectl -D crashed --json history 5 USDT
expect_equal 'its statement' "$(jq .seq out)" 8
expect_status 0 settlectl -D crashed -q ingest /dev/null
expect_status 0 settlectl -D crashed stuck
expect_equal 'the next writer records it' "$(cat out)" ''

# ---- Damage ----
cp -r settle-data broken
segment=broken/journal/00000000000000000001-000000.seg
read -r offset < <(settlectl --json inspect "$segment" | jq -r 'select(.record == "VALIDATED" and .seq == 3) | .offset')
printf '\377' | dd of="$segment" bs=1 seek=$((offset + 20)) conv=notrunc status=none
expect_status 3 settlectl -D broken --json history 1001 USDT
expect_equal 'what is good comes first' "$(jq .seq out | xargs)" '7 5'
expect_equal 'then the place' "$(jq -c '[.error, .file]' err)" '["corrupt","journal/00000000000000000001-000000.seg"]'
expect_status 3 settlectl -D broken history 1001 USDT
expect_equal 'for people too' "$(wc -l <out)" 3
expect_status 0 settlectl -D broken --json history 1001 USDT --limit 2
expect_status 3 settlectl -D broken balance --at-seq 5

# ---- Beside a writer ----
mkfifo pipe
"$SETTLECTL" -q ingest --no-logs <pipe &
writer=$!
exec 3>pipe
for count in 1 2 3 4 5; do
    printf '{"type":"deposit","ts":%s,"user":6,"asset":"USDT","amount":"1"}\n' $count >&3
    for _ in $(seq 200); do
        [ "$(settlectl --json history 6 USDT 2>/dev/null | wc -l)" = $count ] && break
        sleep 0.05
    done
    expect_status 0 settlectl --json history 6 USDT
    expect_equal 'versions beside a writer' "$(jq .version out | xargs)" "$(seq $count -1 1 | xargs)"
    expect_status 0 settlectl --json balance 6 --at-seq $((8 + count))
    expect_equal 'the balance beside a writer' "$(jq -r .available out)" $count.000000
done
expect_status 0 settlectl --json balance 6 --at-seq 10
expect_equal 'an earlier one' "$(jq -r .available out)" 2.000000
expect_status 0 settlectl stuck --older-than 60000
expect_equal 'nothing is stuck for long' "$(cat out)" ''
expect_status 0 settlectl trace --prefix deposit_6_
exec 3>&-
wait "$writer"
