#!/usr/bin/env bash
# reconcile: an outside statement of events, or of changes, against the journal.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"BTC","id":1,"scale":8}
{"type":"deposit","event_id":"d-1","ts":1000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","event_id":"d-2","ts":2000,"user":"9223372036854775807","asset":"BTC","amount":"2"}
{"type":"trade","trade_id":"7","ts":3000,"buyer":1001,"seller":"9223372036854775807","base":"BTC","quote":"USDT","quantity":"0.5","price":"100","buyer_fee":"0.001"}
{"type":"withdrawal","event_id":"w-1","ts":4000,"user":1001,"asset":"USDT","amount":"9999"}
{"type":"deposit","event_id":"d-1","ts":1000,"user":1001,"asset":"USDT","amount":"1000.5"}
{"type":"deposit","event_id":"d-2","ts":2000,"user":5,"asset":"BTC","amount":"3"}
{"type":"withdrawal","event_id":"w:2","ts":5000,"user":1001,"asset":"USDT","amount":"0.000001"}
END
expect_status 0 settlectl -D bank -q ingest --no-logs events.ndjson

# expect STATUS COUNTS [DIFFERENCE]... -- [OPTION]...: what --json says of the statement on standard input.
expect() {
    local status=$1 counts=$2 differences=()
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do differences+=("$1") && shift; done
    [ $# -eq 0 ] || shift
    cat >statement.csv
    expect_status "$status" settlectl -D bank --json reconcile statement.csv "$@"
    expect_equal differences "$(jq -r 'select(.difference) | [.difference, .line, .seq, .event_id, .member, .ours, .theirs]
        | map(. // "-") | map(tostring) | join("|")' out)" "$(printf '%s\n' "${differences[@]}")"
    expect_equal counts "$(jq -sc 'last | [.rows, .equal, .differing, .missing_here, .missing_there, .repeated,
        .out_of_scope, .malformed]' out)" "$counts"
    expect_equal ok "$(jq -s 'last.ok' out)" "$([ "$status" -eq 0 ] && echo true || echo false)"
}

# ---- Equal: any order, other columns, empty cells, amounts and assets in other forms, CRLF and a mark ----
expect 0 '[4,4,0,0,0,0,0,0]' <<'END'
comment,amount,event_id,asset,user,type
x,1000.50,d-1,USDT,1001,deposit
,2.00000000,d-2,1,9223372036854775807,deposit
,,trade_7,,,trade
,0.000001,w:2,2,1001,withdrawal
END
printf '\357\273\277event_id,quote_amount,price,buyer,seller,base,quote,quantity,buyer_fee,seller_fee,ts\r\n"trade_7",50,100.0,1001,9223372036854775807,BTC,USDT,0.5,0.001,0,3000\r\nd-1,,,,,,,,,,1000\r\nd-2,,,,,,,,,,\r\nw:2,,,,,,,,,,5000\r\n' |
    expect 0 '[4,4,0,0,0,0,0,0]'

# ---- The changes that export prints are those of the journal, read from standard input too ----
settlectl -D bank export --format csv >changes.csv
expect 0 '[11,11,0,0,0,0,0,0]' <changes.csv
settlectl -D bank reconcile - <changes.csv >out
expect_equal text "$(cat out)" 'rows 11, equal 11, differing 0, missing_here 0, missing_there 0, repeated 0, out_of_scope 0, malformed 0: ok'

# ---- What differs, what is missing on either side, what is there twice, what was rejected ----
expect 1 '[6,1,2,2,2,1,0,0]' \
    'repeated|5|-|d-1|event|-|line 2' \
    'differs|3|2|d-2|user|9223372036854775807|5' \
    'differs|3|2|d-2|amount|2.00000000|3.00000000' \
    'missing_there|-|3|trade_7|event|trade 1001 9223372036854775807 BTC 0.50000000|-' \
    'differs|4|4|w-1|outcome|rejected: insufficient_funds|-' \
    'missing_there|-|7|w:2|event|withdrawal 1001 USDT 0.000001|-' \
    'missing_here|6|-|d-9|event|-|deposit 8 USDT 1.000000' \
    'missing_here|7|-|trade_8|event|-|trade' <<'END'
event_id,type,user,asset,amount
d-1,deposit,1001,USDT,1000.5
d-2,deposit,5,BTC,3
w-1,withdrawal,1001,USDT,9999
d-1,deposit,1001,USDT,1000.5
d-9,deposit,8,USDT,1
trade_8,trade,,,
END
expect_status 1 settlectl -D bank reconcile statement.csv
expect_equal 'a row for people' "$(grep -E '^ +3 +d-2 +amount ' out | xargs)" '3 d-2 amount 2.00000000 3.00000000 differs'
# A statement with outcomes may have what was rejected.
expect 0 '[5,5,0,0,0,0,0,0]' <<'END'
event_id,outcome
w-1,rejected
d-1,accepted
d-2,
trade_7,accepted
w:2,accepted
END
expect 1 '[2,1,1,0,3,0,0,0]' 'missing_there|-|1|d-1|event|deposit 1001 USDT 1000.500000|-' \
    'missing_there|-|3|trade_7|event|trade 1001 9223372036854775807 BTC 0.50000000|-' \
    'differs|2|4|w-1|outcome|rejected|accepted' \
    'missing_there|-|7|w:2|event|withdrawal 1001 USDT 0.000001|-' <<'END'
event_id,outcome
w-1,accepted
d-2,accepted
END

# Changes: by id, user and asset. The system's count where the statement has one of them.
expect 1 '[4,1,1,1,5,1,0,0]' \
    'repeated|5|-|d-1|change|-|line 2' \
    'differs|3|2|d-2|delta|2.00000000|2.00000001' \
    'missing_there|-|3|trade_7|change|trade 1001 USDT -50.000000|-' \
    'missing_there|-|3|trade_7|change|trade 1001 BTC 0.49900000|-' \
    'missing_there|-|3|trade_7|change|trade 9223372036854775807 BTC -0.50000000|-' \
    'missing_there|-|3|trade_7|change|trade 9223372036854775807 USDT 50.000000|-' \
    'missing_there|-|7|w:2|change|withdrawal 1001 USDT -0.000001|-' \
    'missing_here|4|-|d-1|change|-|1.00000000' <<'END'
user,asset,event_id,delta
1001,USDT,d-1,+1000.5
9223372036854775807,BTC,d-2,2.00000001
1001,BTC,d-1,1
1001,USDT,d-1,1000.5
END
expect 1 '[3,2,1,0,8,0,0,0]' \
    'missing_there|-|1|d-1|change|deposit 1001 USDT 1000.500000|-' \
    'differs|2|1|d-1|after|-1000.500000|-1000.000000' \
    'missing_there|-|2|d-2|change|deposit 9223372036854775807 BTC 2.00000000|-' \
    'missing_there|-|2|d-2|change|deposit external BTC -2.00000000|-' \
    'missing_there|-|3|trade_7|change|trade 1001 USDT -50.000000|-' \
    'missing_there|-|3|trade_7|change|trade 1001 BTC 0.49900000|-' \
    'missing_there|-|3|trade_7|change|trade 9223372036854775807 BTC -0.50000000|-' \
    'missing_there|-|3|trade_7|change|trade 9223372036854775807 USDT 50.000000|-' \
    'missing_there|-|7|w:2|change|withdrawal 1001 USDT -0.000001|-' <<'END'
user,asset,event_id,delta,after,version
external,USDT,d-1,-1000.5,-1000,1
external,USDT,w:2,0.000001,-1000.499999,2
fees,BTC,trade_7,0.001,0.001,1
END

# ---- Scope: by seq, by event time; a row of an event outside of it is told and is no difference ----
statement='event_id,ts,amount
d-1,1000,1000.5
d-2,2000,2
w:2,5000,0.000001'
missing='missing_there|-|3|trade_7|event|trade 1001 9223372036854775807 BTC 0.50000000|-'
expect 1 '[3,3,0,0,1,0,0,0]' "$missing" <<<"$statement"
expect 0 '[3,2,0,0,0,0,1,0]' -- --until 2 <<<"$statement"
expect 1 '[3,1,0,0,1,0,2,0]' "$missing" -- --since 3 <<<"$statement"
expect 0 '[3,1,0,0,0,0,2,0]' -- --since 4 <<<"$statement"
expect 0 '[3,1,0,0,0,0,2,0]' -- --since 1970-01-01T00:00:02Z --until 1970-01-01T00:00:02.999Z <<<"$statement"
expect 0 '[3,1,0,0,0,0,2,0]' -- --since 1970-01-01T00:00:03.001Z <<<"$statement"
expect 0 '[4,2,0,0,0,0,2,0]' -- --until 1970-01-01T00:00:02Z <<<"$statement
gone,5500,7"
expect 1 '[3,0,0,0,0,0,3,0]' -- --since -1h <<<"$statement" # nothing was compared

# ---- Malformed rows are told with line and byte ----
expect 1 '[10,1,0,0,3,0,0,9]' 'missing_there|-|1|d-1|event|deposit 1001 USDT 1000.500000|-' \
    'missing_there|-|3|trade_7|event|trade 1001 9223372036854775807 BTC 0.50000000|-' \
    'missing_there|-|7|w:2|event|withdrawal 1001 USDT 0.000001|-' <<END
event_id,user,asset,amount,ts
,1001,USDT,1,1000
d-1,0,USDT,1,1000
d-1,1001,EUR,1,1000
d-1,1001,USDT,1e3,1000
d-1,1001,USDT,01,1000
d-1,1001,USDT,1.,1000
d-1,1001,USDT,1,-5
d-1,1001
$(printf 'x%.0s' $(seq 65)),1001,USDT,1,1
d-2,,,,
END
expect_equal 'faults' "$(jq -c 'select(.error == "malformed") | [.line, .byte]' err | xargs)" \
    '[2,1] [3,5] [4,10] [5,15] [6,15] [7,15] [8,17] [9,9] [10,1]'

# ---- What is refused ----
echo "$statement" >statement.csv
expect_status 2 settlectl -D bank reconcile statement.csv --at-seq 3
grep -q 'for a statement of balances' err || fail "no word of balances: $(cat err)"
expect_status 2 settlectl -D bank reconcile statement.csv --since x
echo 'user,asset,balance' >balances.csv
expect_status 2 settlectl -D bank reconcile balances.csv --since 3
grep -q 'for a statement of events' err || fail "no word of events: $(cat err)"
echo 'event_id,delta' | expect_status 1 settlectl -D bank reconcile -
grep -q 'with delta it must name the columns user and asset' err || fail "no word of delta: $(cat err)"
echo 'event_id,ts,ts' | expect_status 1 settlectl -D bank reconcile -
echo 'a,b' | expect_status 1 settlectl -D bank reconcile -
grep -q 'user, asset and balance, or event_id' err || fail "no word of the columns: $(cat err)"
echo event_id | expect_status 1 settlectl -D bank reconcile - # lacks all
settlectl -D empty -q init --asset USDT=2:6
echo event_id | expect_status 1 settlectl -D empty --json reconcile -
expect_equal 'no row and no event' "$(jq -c '[.rows, .ok, .empty]' out)" '[0,false,true]'

# ---- Balances as they were ----
settlectl -D bank --json balance --at-seq 2 |
    jq -r '["user", "asset", "available", "held"], [.user, .asset, .available, .held] | @csv' |
    awk '!seen[$0]++' >then.csv
expect_status 0 settlectl -D bank reconcile then.csv --at-seq 2
last=$(settlectl -D bank --json verify | jq .events)
expect_status 1 settlectl -D bank reconcile then.csv --at-seq $((last + 1))
expect_equal 'behind the end' "$(cat out err)" "settlectl: the journal ends at seq $last"
expect_status 1 settlectl -D bank reconcile then.csv --at-seq "$last"
expect_equal 'at the end' "$(grep -c 'journal ends' out err | xargs)" 'out:0 err:0'
expect_status 1 settlectl -D bank reconcile then.csv
expect_status 1 settlectl -D bank reconcile then.csv --at 0

# ---- Thousands of rows, in another order, beside a writer, on a directory that nobody can write ----
seq 20000 | sed 's/.*/{"type":"deposit","ts":&,"user":&,"asset":"USDT","amount":"&.25"}/' >many.ndjson
expect_status 0 settlectl -D bank -q ingest --no-logs many.ndjson
settlectl -D bank export --format csv | awk 'NR == 1 { print; next } { rows[NR] = $0 } END { for (i = NR; i > 1; i--) print rows[i] }' >many.csv
chmod -R a-w bank
expect_status 0 settlectl -D bank --json reconcile many.csv
expect_equal 'equal' "$(jq .equal out)" 40011
chmod -R u+w bank
mkfifo pipe
"$SETTLECTL" -D bank -q ingest --no-logs <pipe &
writer=$!
exec 3>pipe
expect_status 0 settlectl -D bank --json reconcile many.csv
exec 3>&-
wait "$writer"
