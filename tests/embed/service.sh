#!/usr/bin/env bash
# The service of docs/embedding.md: what it answers, line by line; that it is settled once whatever kills it; that the
# journal and the JSON lines it leaves are whole. SETTLE_TEST_SEED repeats a run, SETTLE_TEST_KILLS makes it longer.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

service=$SETTLE_BUILD_DIR/tests/example_service
client=$SETTLE_BUILD_DIR/tests/service_client
kills=${SETTLE_TEST_KILLS:-15}
seed=${SETTLE_TEST_SEED:-$(($(date +%s) % 100000))}
echo "seed $seed"

# ---- Answers, in order ----

"$service" data socket logs 2>service.err &
pid=$!
cat >in <<'END'
{"type":"deposit","event_id":"D-1","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","event_id":"D-2","ts":1733856600000,"user":"9223372036854775807","asset":"BTC","amount":"2"}
{"amount":"999999","asset":"USDT","user":1001,"ts":1733856600001,"event_id":"W-1","type":"withdrawal"}
{"type":"trade","event_id":"T-1","ts":1733856600002,"buyer":1001,"seller":"9223372036854775807","base":"BTC","quote":"USDT","quantity":"0.5","price":"100.5","buyer_fee":"0.1","trade_id":"77"}
{"type":"deposit","event_id":"D-1","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.5"}
{"type":"deposit","event_id":"D-1","ts":1733856600000,"user":1001,"asset":"USDT","amount":"7"}
{"type":"balance","user":1001,"asset":"USDT"}
{"type":"outcome","event_id":"D-1"}
{"type":"outcome","event_id":"W-1"}
{"type":"outcome","event_id":"none"}
{"type":"balance","user":"9223372036854775807","asset":"BTC"}
{"type":"balance","user":5,"asset":"BTC"}
{"type":"deposit","event_id":"no spaces","ts":1,"user":1,"asset":"USDT","amount":"1"}
{"type":"deposit","event_id":"D-3","ts":1,"user":1,"asset":"USDT","amount":"0"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":"1.1234567"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":1.5}
{"type":"deposit","event_id":"D-4","ts":1,"user":1.5,"asset":"USDT","amount":"1"}
{"type":"deposit","event_id":"D-4","ts":1,"user":"1x","asset":"USDT","amount":"1"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"EUR","amount":"1"}
{"type":"deposit","ts":1,"user":1,"asset":"USDT","amount":"1"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":"1","amount":"1"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":"1","memo":"x"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":"1","price":"1"}
{"type":"deposit","event_id":"D-4","ts":1,"user":1,"asset":"USDT","amount":"1"} x
{"type":"present"}
"deposit"

END
cat >expected <<'END'
{"event_id":"D-1","outcome":"accepted","seq":1}
{"event_id":"D-2","outcome":"accepted","seq":2}
{"event_id":"W-1","outcome":"rejected","reason":"insufficient_funds","seq":3}
{"event_id":"T-1","outcome":"accepted","seq":4}
{"event_id":"D-1","outcome":"duplicate","seq":5,"first_seq":1}
{"event_id":"D-1","outcome":"conflict","seq":6,"first_seq":1}
{"user":1001,"asset":"USDT","available":"950.250000","held":"0.000000","version":2}
{"event_id":"D-1","outcome":"accepted","seq":1}
{"event_id":"W-1","outcome":"rejected","reason":"insufficient_funds","seq":3}
{"error":"no event has the id none"}
{"user":"9223372036854775807","asset":"BTC","available":"1.50000000","held":"0.00000000","version":2}
{"user":5,"asset":"BTC","available":"0.00000000","held":"0.00000000","version":0}
{"error":"event_id is not 1–64 bytes of [A-Za-z0-9._:-] and _"}
{"error":"amount is not greater than zero"}
{"error":"amount: not a decimal string with at most 6 decimals"}
{"error":"amount: not a decimal string with at most 6 decimals"}
{"error":"user: not an integer"}
{"error":"user: not an integer"}
{"error":"asset: no such asset"}
{"error":"event_id is missing"}
{"error":"amount: given twice"}
{"error":"memo: unknown member"}
{"error":"price does not belong here"}
{"error":"not a JSON object"}
{"error":"type: not one of deposit, withdrawal, trade, balance, outcome"}
{"error":"not a JSON object"}
{"error":"not a JSON object"}
END
"$client" socket <in >out || fail "the client: $(cat service.err)"
diff expected out >&2 || fail 'the answers are not as they must be'

# A line without an end, however long, is refused and not kept.
# (From a file: a pipe's writer would be killed where the client has its answer before it has read all.)
head -c 20000 /dev/zero | tr '\0' 'x' >long
"$client" socket <long >out || fail 'the client'
expect_equal 'the answer to a long line' "$(cat out)" '{"error":"the line is longer than 4096 bytes"}'
# A second service on the directory: the engine's lock keeps it out, and the socket stays the first one's.
status=0
"$service" data socket logs 2>second.err || status=$?
expect_equal 'the status of a second service' $status 1
grep -q "SETTLE_E_BUSY: .*$pid" second.err || fail "$(cat second.err)"
"$client" socket <in >out || fail 'the first service is gone'
kill -TERM $pid
status=0
wait $pid || status=$?
expect_equal "the service's status" $status 0
[ ! -e socket ] || fail 'the socket is left'
[ ! -s service.err ] || fail "$(cat service.err)"
expect_status 0 settlectl -D data verify
expect_status 0 settlectl -D data logs verify --log-dir logs

# ---- A disk that fails: nobody gets an answer, the service ends, the next one recovers ----

mkdir full
status=0
(
    ulimit -f 200 # KiB a file: the journal cannot grow
    trap '' XFSZ
    exec "$service" full/data full/socket full/logs 2>full/err
) &
pid=$!
for ((i = 1; i <= 4000; i++)); do
    echo "{\"type\":\"deposit\",\"event_id\":\"F-$i\",\"ts\":1,\"user\":1,\"asset\":\"USDT\",\"amount\":\"1\"}"
done >full/in
"$client" full/socket <full/in >full/out || true
wait $pid || status=$?
expect_equal 'the status of a service whose disk is full' $status 1
grep -q SETTLE_E full/err || fail "$(cat full/err)"
answered=$(wc -l <full/out)
[ "$answered" -lt 4000 ] || fail 'the disk was never full'
"$service" full/data full/socket full/logs 2>full/err &
pid=$!
echo '{"type":"balance","user":1,"asset":"USDT"}' | "$client" full/socket >out || fail "$(cat full/err)"
settled=$(jq -r .available out | cut -d. -f1)
[ "$settled" -ge "$answered" ] || fail "$answered events were answered, $settled are settled"
"$client" full/socket <full/in >full/out || fail 'sending all again'
expect_equal 'the number of answers' "$(wc -l <full/out)" 4000
echo '{"type":"balance","user":1,"asset":"USDT"}' | "$client" full/socket >out
expect_equal 'the balance when all is settled' "$(jq -r .available out)" 4000.000000
kill -TERM $pid
wait $pid || fail 'the service does not end well'

# ---- Killed ----

mkdir killed
"$SETTLE_BUILD_DIR/tests/service_kill" "$service" killed "$kills" "$seed" || fail "seed $seed"
expect_status 0 settlectl -D killed/data verify
expect_status 0 settlectl -D killed/data replay --check
expect_status 0 settlectl -D killed/data logs verify --log-dir killed/logs
