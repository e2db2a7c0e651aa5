#!/usr/bin/env bash
# What the contract says of the JSON lines, word by word: the recipes, the line's shape, its values, one line a step, in
# journal order, the same bytes whenever rendered.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"BTC","id":1,"scale":8}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.5"}
{"type":"deposit","ts":1733856600001,"user":1002,"asset":"BTC","amount":"2"}
{"type":"withdrawal","ts":1733856600002,"user":1001,"asset":"USDT","amount":"100000"}
{"type":"trade","ts":1733856600003,"trade_id":"T1","buyer":1001,"seller":1002,"base":"BTC","quote":"USDT","quantity":"0.01","price":"50000.5","buyer_fee":"0.00001","seller_fee":"0.25"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"7"}
{"type":"deposit","ts":1733856600004,"user":9007199254740993,"asset":"USDT","amount":"0.000001"}
END
expect_status 0 settlectl -D bank --json ingest events.ndjson

# ---- The recipes, as they stand ----
expect_status 0 bash -euo pipefail -c 'head -1 logs/settlement.log | jq .'
expect_equal 'the first line' "$(jq -c '[.level, .target, .fields]' out)" \
    '["INFO","settlement",{"event":"DEPOSIT_CONSUMED","event_id":"deposit_1001_2_1733856600000","seq":1,"user":1001,"asset":"USDT","amount":"1000.500000"}]'
expect_status 0 jq 'select(.fields.event == "DEPOSIT_CONSUMED")' logs/settlement.log
expect_equal 'deposits consumed' "$(jq -c .fields.seq out | tr '\n' ' ')" '1 2 5 6 7 '
expect_status 0 grep deposit_1001 logs/settlement.log
expect_equal 'lines of the first deposit and those that came with its id' "$(wc -l <out)" 9

# ---- The shape: the order of members too ----
shape='^\{"timestamp":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z","level":"(INFO|WARN)","target":"settlement","trace_id":"[0-9a-f]{32}","span_id":"[0-9a-f]{16}","fields":\{"event":"[A-Z]+_[A-Z]+","event_id":"[A-Za-z0-9._:-]+","seq":[0-9]+[,}].*\}$'
expect_equal 'lines of another shape' "$(grep -cvE "$shape" logs/settlement.log || true)" 0
expect_equal 'lines' "$(wc -l <logs/settlement.log)" 21
grep -qF '"fields":{"event":"DEPOSIT_CONSUMED","event_id":"deposit_1001_2_1733856600000","seq":1,"user":1001,"asset":"USDT","amount":"1000.500000"}}' \
    <(head -1 logs/settlement.log) || fail 'the example of the contract looks otherwise'

# ---- One line a step, in journal order ----
expect_equal 'steps of the events' "$(jq -r '"\(.fields.seq) \(.fields.event)"' logs/settlement.log | sort -n -s -k1,1)" \
    '1 DEPOSIT_CONSUMED
1 DEPOSIT_VALIDATED
1 DEPOSIT_PERSISTED
2 DEPOSIT_CONSUMED
2 DEPOSIT_VALIDATED
2 DEPOSIT_PERSISTED
3 WITHDRAWAL_CONSUMED
3 WITHDRAWAL_REJECTED
3 WITHDRAWAL_PERSISTED
4 TRADE_CONSUMED
4 TRADE_VALIDATED
4 TRADE_PERSISTED
5 DEPOSIT_CONSUMED
5 DEPOSIT_DUPLICATE
5 DEPOSIT_PERSISTED
6 DEPOSIT_CONSUMED
6 DEPOSIT_CONFLICT
6 DEPOSIT_PERSISTED
7 DEPOSIT_CONSUMED
7 DEPOSIT_VALIDATED
7 DEPOSIT_PERSISTED'
jq -s -e '. == sort_by(.timestamp)' logs/settlement.log >jq.out || fail 'times go back'
jq -s -e '([.[] | [.fields.event_id, .trace_id]] | unique | length) as $pairs
    | ([.[].trace_id] | unique | length) == $pairs and ([.[].fields.event_id] | unique | length) == $pairs' \
    logs/settlement.log >jq.out || fail 'an event id has two trace ids, or a trace id two events'
expect_equal 'trace ids' "$(jq -r .trace_id logs/settlement.log | sort -u | wc -l)" 5
expect_equal 'span ids are one a line' "$(jq -r .span_id logs/settlement.log | sort | uniq -d)" ''
expect_equal 'the trace id follows from the event id' "$(head -1 logs/settlement.log | jq -r .trace_id)" \
    "$(printf %s deposit_1001_2_1733856600000 | sha256sum | cut -c1-32)"

# ---- What the steps carry ----
fields() { # EVENT SEQ: the level and what else there is
    jq -c "select(.fields.event == \"$1\" and .fields.seq == $2) | [.level, (.fields | del(.event, .event_id, .seq))]" \
        logs/settlement.log
}
expect_equal 'a transfer validated' "$(jq -c 'select(.fields.event == "DEPOSIT_VALIDATED" and .fields.seq == 1) | .fields | [.balance_before, .balance_after, .version]' logs/settlement.log)" \
    '["0.000000","1000.500000",1]'
expect_equal 'a rejection' "$(jq -c 'select(.fields.event == "WITHDRAWAL_REJECTED") | [.level, .fields.reason, .fields.amount]' logs/settlement.log)" \
    '["WARN","insufficient_funds","100000.000000"]'
expect_equal 'a duplicate' "$(fields DEPOSIT_DUPLICATE 5)" '["INFO",{"first_seq":1}]'
expect_equal 'a conflict' "$(fields DEPOSIT_CONFLICT 6)" '["WARN",{"first_seq":1}]'
expect_equal 'levels of all others' "$(jq -r 'select(.level != "INFO") | .fields.event' logs/settlement.log | sort | paste -sd' ')" \
    'DEPOSIT_CONFLICT WITHDRAWAL_REJECTED'
settlectl -D bank --json trace trade_T1 >trace
expect_equal 'the effects of a trade are those of trace' \
    "$(jq -c 'select(.fields.event == "TRADE_VALIDATED") | .fields.effects' logs/settlement.log)" "$(jq -c .effects trace)"
expect_equal 'the times of the steps are those of trace' \
    "$(jq -r 'select(.fields.event_id == "trade_T1") | .timestamp' logs/settlement.log)" "$(jq -r '.steps[].timestamp' trace)"
expect_equal 'a trade' "$(jq -c 'select(.fields.event == "TRADE_CONSUMED") | .fields | [.trade_id, .buyer, .seller, .base, .quote, .quantity, .price, .buyer_fee, .seller_fee]' logs/settlement.log)" \
    '["T1",1001,1002,"BTC","USDT","0.01000000","50000.5","0.00001000","0.250000"]'

# An integer above 2^53 is a string: jq would change the number.
grep -q '"event":"DEPOSIT_CONSUMED","event_id":"deposit_9007199254740993_2_1733856600004","seq":7,"user":"9007199254740993"' \
    logs/settlement.log || fail 'a great user is no string'
expect_equal 'a great user' "$(jq -r 'select(.fields.seq == 7 and .fields.user) | .fields.user' logs/settlement.log | sort -u)" 9007199254740993

# ---- The same, byte for byte, when rendered again ----
settlectl -D bank tail | cmp - logs/settlement.log || fail 'rendered again, the lines differ'
expect_status 0 settlectl -D bank --json logs verify
expect_equal 'logs verify' "$(jq -c '[.ok, .files, .lines, .lines_before, .lines_after]' out)" '[true,1,21,0,0]'

# ---- Input that stays open: lines appear, and never before they are durable ----
mkfifo pipe
"$SETTLECTL" -D live -q ingest --log-dir live.logs pipe 2>live.err &
writer=$!
exec 9>pipe
echo '{"type":"asset","asset":"USDT","id":2,"scale":6}' >&9
echo '{"type":"deposit","ts":1,"user":7,"asset":"USDT","amount":"1"}' >&9
for _ in $(seq 100); do
    [ "$(grep -c PERSISTED live.logs/settlement.log 2>/dev/null || true)" != 1 ] || break
    sleep 0.05
done
expect_equal 'lines while input stays open' "$(wc -l <live.logs/settlement.log)" 3
expect_status 0 settlectl -D live --json logs verify --log-dir live.logs
exec 9>&-
wait $writer
cat live.err
expect_status 0 settlectl -D live logs verify --log-dir live.logs
