#!/usr/bin/env bash
# reconcile: an outside statement against the balances.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"WEI","id":3,"scale":18}
{"type":"deposit","ts":1,"user":1001,"asset":"USDT","amount":"990.5"}
{"type":"deposit","ts":2,"user":1002,"asset":"USDT","amount":"7"}
{"type":"deposit","ts":3,"user":"9223372036854775807","asset":"WEI","amount":"170141183460469231731.687303715884105727"}
{"type":"deposit","ts":4,"user":1003,"asset":"USDT","amount":"1"}
{"type":"withdrawal","ts":5,"user":1003,"asset":"USDT","amount":"1"}
END
expect_status 0 settlectl -D bank -q ingest --no-logs events.ndjson

# expect STATUS COUNTS [DIFFERENCE]...: what --json says of the statement on standard input.
expect() {
    local status=$1 counts=$2
    shift 2
    cat >statement.csv
    expect_status "$status" settlectl -D bank --json reconcile statement.csv
    expect_equal counts "$(jq -sc 'last | [.rows, .equal, .differing, .missing_here, .missing_there, .malformed]' out)" "$counts"
    expect_equal ok "$(jq -s 'last.ok' out)" "$([ "$status" -eq 0 ] && echo true || echo false)"
    expect_equal differences "$(jq -r 'select(.difference) | [.difference, .user, .asset, .balance, .ours, .theirs]
        | map(. // "-") | join(" ")' out)" "$(printf '%s\n' "$@")"
}

# ---- Equal: any order, fewer decimals, other columns, zeros left out or not, a mark and CRLF as spreadsheets write ----
printf '\357\273\277asset,comment,balance,user\r\nUSDT,"a, b",7,1002\r\n3,,"170141183460469231731.687303715884105727",9223372036854775807\r\nUSDT,,990.5,1001\r\n\r\nUSDT,,0,1003\r\nUSDT,,0,77\r\n' |
    expect 0 '[5,5,0,0,0,0]'
settlectl -D bank --json balance | jq -r '["user", "asset", "available", "held"], [.user, .asset, .available, .held] | @csv' |
    awk '!seen[$0]++' | expect 0 '[6,6,0,0,0,0]'
expect_status 0 settlectl -D bank reconcile - <statement.csv
expect_equal 'text' "$(cat out)" 'rows 6, equal 6, differing 0, missing_here 0, missing_there 0, malformed 0: ok'

# ---- Differences ----
expect 1 '[4,2,1,1,1,0]' 'differs 1001 USDT all 990.500000 990.000000' 'missing_there 1002 USDT all 7.000000 -' \
    'missing_here 1004 USDT all - 5.000000' <<'END'
user,asset,balance
1004,USDT,5
1001,USDT,990
9223372036854775807,WEI,170141183460469231731.687303715884105727
1003,USDT,0.000000
END
expect_status 1 settlectl -D bank reconcile statement.csv
grep -Eq '^1001 +USDT +all +990\.500000 +990\.000000 +differs$' out || fail "no table: $(cat out)"
grep -q 'missing_there 1, malformed 0: not ok$' out || fail "no counts: $(cat out)"
expect 1 '[3,2,1,0,0,0]' 'differs 1002 USDT held 0.000000 1.000000' <<'END'
user,asset,available,held
1001,USDT,990.5,0
1002,USDT,7,1
9223372036854775807,WEI,170141183460469231731.687303715884105727,0
END

# The system accounts count where the statement has one.
expect 1 '[4,3,1,0,1,0]' 'differs external USDT all -997.500000 -997.000000' \
    'missing_there external WEI all -170141183460469231731.687303715884105727 -' <<'END'
user,asset,balance
external,USDT,-997
1001,USDT,990.5
1002,USDT,7
9223372036854775807,WEI,170141183460469231731.687303715884105727
END

# ---- Malformed rows are told with line and byte, and the others count ----
expect 1 '[9,3,0,0,0,6]' <<'END'
user,asset,balance
1001,USDT,990.5
1002,USDT,7
1002,USDT,7
9223372036854775807,WEI,170141183460469231731.687303715884105727
0,USDT,1
1001,EUR,1
1001,USDT,1.0000000
1001,USDT
1001,USDT,"1
END
expect_equal 'faults' "$(jq -c 'select(.error == "malformed") | [.line, .byte]' err | sort | xargs)" \
    '[10,11] [4,1] [6,1] [7,6] [8,11] [9,10]'

# ---- No statement, none that is one, none of anything ----
expect_status 5 settlectl -D bank reconcile missing.csv
expect_status 1 settlectl -D bank reconcile events.ndjson
grep -q 'no header of a statement' err || fail 'no word of the header'
expect_status 1 settlectl -D bank reconcile /dev/null
expect_status 1 settlectl -D nowhere reconcile statement.csv
expect 1 '[0,0,0,0,3,0]' 'missing_there 1001 USDT all 990.500000 -' 'missing_there 1002 USDT all 7.000000 -' \
    'missing_there 9223372036854775807 WEI all 170141183460469231731.687303715884105727 -' <<<'user,asset,balance'
expect_status 0 settlectl -D empty -q init --asset USDT=2:6
expect_status 1 settlectl -D empty reconcile statement.csv
expect_equal 'no row and no balance' "$(cat out)" \
    'rows 0, equal 0, differing 0, missing_here 0, missing_there 0, malformed 0: nothing to check: the statement has no row'
expect_status 1 settlectl -D empty --json reconcile statement.csv
expect_equal 'the same in JSON' "$(jq -c '[.rows, .ok, .empty]' out)" '[0,false,true]'
expect_status 1 settlectl -D bank --json reconcile statement.csv
expect_equal 'no row of what we have' "$(tail -n 1 out | jq -c '[.ok, .empty]')" '[false,false]'
echo '7,USDT,0' >>statement.csv
expect_status 0 settlectl -D empty --json reconcile statement.csv
expect_equal 'a balance of nothing' "$(jq -c '[.rows, .equal, .ok, .empty]' out)" '[1,1,true,false]'
