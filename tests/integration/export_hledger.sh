#!/usr/bin/env bash
# export --format hledger as hledger itself reads it: it balances, and comes to the same balance of every account.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
command -v hledger >/dev/null || skip 'there is no hledger'
export LC_ALL=C.UTF-8

# "account asset amount" of every balance that is not zero, as hledger has them and as settlectl has them.
theirs() { hledger -f - balance --flat --no-total --layout=bare -O csv | sed 1d | tr -d '"' | tr , ' ' | sort; }
ours() {
    settlectl -D "$1" --json balance | jq -r '
        (if .user == "external" or .user == "fees" then [.user, .available]
         else ["users:\(.user):available", .available], ["users:\(.user):held", .held] end) as [$account, $amount]
        | select($amount | test("[1-9]"))
        | "\($account) \(.asset) \($amount)"' | sort
}
expect_agreement() {
    settlectl -D "$1" export --format hledger >journal.txt
    hledger -f journal.txt check >check.out 2>&1 || fail "$1: hledger check: $(cat check.out)"
    theirs <journal.txt >theirs
    ours "$1" >ours
    [ -s ours ] || fail "$1: no balances"
    diff theirs ours >differences || fail "$1: hledger has other balances: $(head -5 differences)"
}

# ---- Every corner: symbols, scales, 128 bits, users and times at their ends, rejections ----
cat >corners.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"A1.B","id":1,"scale":8}
{"type":"asset","asset":"7","id":9,"scale":0}
{"type":"asset","asset":"A.","id":10,"scale":1}
{"type":"asset","asset":"WEI","id":4294967295,"scale":18}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","ts":9007199254740992,"user":"9223372036854775807","asset":"WEI","amount":"170141183460469231731.687303715884105727"}
{"type":"deposit","ts":0,"user":1002,"asset":"A1.B","amount":"3"}
{"type":"deposit","ts":253402300800000,"user":1002,"asset":"7","amount":"3"}
{"type":"deposit","ts":0,"user":1002,"asset":"7","amount":"4","event_id":"a:b.c-d_e"}
{"type":"deposit","ts":1,"user":1003,"asset":"A.","amount":"0.1"}
{"type":"withdrawal","ts":2,"user":1003,"asset":"A.","amount":"0.1"}
{"type":"trade","ts":5,"trade_id":"T:1","buyer":1001,"seller":1002,"base":"A1.B","quote":"USDT","quantity":"1.5","price":"100.5","buyer_fee":"0.01","seller_fee":"0.5"}
{"type":"withdrawal","ts":6,"user":1001,"asset":"USDT","amount":"1000000"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.51"}
END
expect_status 0 settlectl -D corners -q ingest --no-logs corners.ndjson
expect_agreement corners
expect_equal 'a transaction by its code' "$(hledger -f journal.txt print code:T:1 | sed 1q)" \
    '1970-01-01 * (trade_T:1) trade  ; seq:8, ts:5'
expect_equal 'transactions by their tag' "$(hledger -f journal.txt print tag:seq=9 | wc -l)" 0
hledger -f journal.txt check commodities || fail 'a commodity is not declared'

# ---- A journal without events ----
settlectl -D empty -q init --asset USDT=2:6
settlectl -D empty export --format hledger >journal.txt
hledger -f journal.txt check || fail 'an empty journal is refused'

# ---- Some thousands of random events ----
awk '
function deal(what, id, members) {
    printf "{\"type\":\"%s\",\"event_id\":\"%s\",\"ts\":%.0f,%s}\n", what, id, rand() * 1700000000000, members
}
function user() { return 1 + int(rand() * 40) }
function amount() { return 1 + int(rand() * 100) "." int(rand() * 100000) }
BEGIN {
    srand(1)
    print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
    print "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}"
    for (i = 1; i <= 3000; i++)
        if (i % 3 == 0)
            deal("trade", "t" i, sprintf("\"buyer\":%d,\"seller\":%d,\"base\":\"BTC\",\"quote\":\"USDT\"," \
                "\"quantity\":\"%s\",\"quote_amount\":\"%s\",\"seller_fee\":\"0.001\"", user(), user(), amount(), amount()))
        else
            deal(i % 3 == 1 || i < 500 ? "deposit" : "withdrawal", "e" i, sprintf("\"user\":%d,\"asset\":\"%s\"," \
                "\"amount\":\"%s\"", user(), rand() < 0.5 ? "USDT" : "BTC", amount()))
}' >random.ndjson
expect_status 0 settlectl -D random --json ingest --no-logs random.ndjson
jq -e '.malformed == 0 and .accepted > 1500 and .rejected > 100' out >/dev/null || fail "unsuitable events: $(cat out)"
expect_agreement random
