#!/usr/bin/env bash
# export and ingest --format csv, as programs that read and write tables meet them. What hledger makes of its format is
# in export_hledger.sh.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"asset","asset":"A1.B","id":1,"scale":8}
{"type":"asset","asset":"JPY","id":3,"scale":0}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}
{"type":"deposit","ts":1733856600001,"user":"9223372036854775807","asset":"A1.B","amount":"3"}
{"type":"deposit","ts":1733856600002,"user":1002,"asset":"JPY","amount":"7"}
{"type":"trade","ts":5,"trade_id":"T1","buyer":1001,"seller":"9223372036854775807","base":"A1.B","quote":"USDT","quantity":"1.5","price":"100.5","buyer_fee":"0.01","seller_fee":"0.5"}
{"type":"withdrawal","ts":6,"user":1001,"asset":"USDT","amount":"1000000"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.5"}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1"}
END
expect_status 0 settlectl -D bank ingest --no-logs events.ndjson

# ---- The formats ----
expect_status 0 settlectl -D bank export --format csv
expect_equal 'messages of export' "$(cat err)" ''
expect_equal 'header of csv' "$(head -1 out)" \
    'seq,event_id,type,ts,timestamp,persisted,user,asset,delta,before,after,version'
expect_equal 'rows of csv' "$(sed 1d out | wc -l)" 12 # 3 deposits of two legs, a trade of six
expect_equal 'cells a row' "$(awk -F, '{ print NF }' out | sort -u)" 12
expect_equal 'the last row of each balance' \
    "$(sed 1d out | awk -F, '{ last[$7 " " $8] = $11 " " $12 } END { for (b in last) print b, last[b] }' | sort)" \
    "$(settlectl -D bank --json balance | jq -r '"\(.user) \(.asset) \(.available) \(.version)"' | sort)"
expect_equal 'rows without times' "$(sed 1d out | awk -F, '$5 !~ /Z$/ || $6 !~ /Z$/ || $6 < $5' | wc -l)" 0
cp out legs.csv
expect_status 0 settlectl -D bank --json export --format csv
cmp out legs.csv || fail '--json changes what export writes'
expect_status 0 settlectl --format=csv export -q -D bank
cmp out legs.csv || fail 'export depends on where its options stand'

expect_status 0 settlectl -D bank export --format hledger
expect_equal 'transactions' "$(grep -c '^[0-9]' out)" 4
grep -q '^2024-12-10 \* (deposit_1001_2_1733856600000) deposit  ; seq:1, ts:1733856600000$' out ||
    fail 'no transaction of the first deposit'
grep -Eq '^    users:1001:available +1000\.500000 USDT$' out || fail 'no posting of the user'
grep -Eq '^    external +-3\.00000000 "A1\.B"$' out || fail 'no posting of external'
expect_equal 'events without effect' "$(grep -Ec '^; .* (rejected|duplicate|conflict), seq' out)" 3

# ---- There and back ----
expect_status 0 settlectl -D bank export --format events
cp out events.csv
expect_status 0 settlectl -D again --json ingest --no-logs --format csv events.csv
expect_equal 'outcomes' "$(jq -c '[.lines, .events, .accepted, .rejected, .duplicate, .conflict, .malformed]' out)" \
    '[11,7,4,1,1,1,0]'
cmp <(settlectl -D bank --json balance) <(settlectl -D again --json balance) || fail 'the balances differ'
settlectl -D again export --format events | cmp - events.csv || fail 'the events differ'
sed 's/$/\r/' events.csv | expect_status 0 settlectl -D crlf --json ingest --no-logs --format csv -
cmp <(settlectl -D bank --json balance) <(settlectl -D crlf --json balance) || fail 'CRLF is read otherwise'
expect_status 0 settlectl -D again --json ingest --no-logs --format csv events.csv
expect_equal 'a second time' "$(jq -c '[.accepted, .rejected, .duplicate, .conflict]' out)" '[0,0,6,1]'
settlectl -D again verify >/dev/null || fail 'it does not verify'

# ---- CSV of other programs: order, quotes, missing columns; malformed rows; resuming ----
cat >statement.csv <<'END'
"amount","asset",user,ts,type
"1.5",USDT,7,1,deposit
"1,5",USDT,7,2,deposit

2,USDT,7,3,deposit
2,USDT,7,4
2,2,7,5,deposit
END
expect_status 1 settlectl -D other -q ingest --no-logs events.ndjson statement.csv # NDJSON is what it is not
expect_status 1 settlectl -D other --json ingest --no-logs --format csv statement.csv
expect_equal 'rows' "$(jq -c '[.lines, .events, .accepted, .malformed]' out)" '[7,3,3,2]'
expect_equal 'faults' "$(jq -c 'select(.error == "malformed") | [.file, .line, .byte]' err | xargs)" \
    '[statement.csv,3,1] [statement.csv,6,11]'
reject_file=$(jq -r '.reject_file // empty' err)
expect_equal 'rejects' "$(cat "$reject_file")" "$(sed -n '3p;6p' statement.csv)"
expect_equal 'balance' "$(settlectl -D other --json balance 7 USDT | jq -r .available)" 5.500000
echo '1,USDT,7,6,deposit' >>statement.csv
expect_status 0 settlectl -D other --json ingest --no-logs --resume --format csv statement.csv
expect_equal 'resumed' "$(jq -c '[.lines, .accepted, .malformed]' out)" '[1,1,0]'

printf '\357\273\277type,ts\n' >mark.csv
expect_status 1 settlectl -D other ingest --no-logs --format csv mark.csv
grep -q 'mark.csv:1:1: no header of CSV: byte-order mark' err || fail "no word of the mark: $(cat err)"

# ---- What is refused ----
expect_status 2 settlectl -D bank export
grep -q 'export needs --format' err || fail 'no word of the missing format'
expect_status 2 settlectl -D bank export --format xml
grep -q 'not hledger, csv or events' err || fail 'no word of the formats'
expect_status 2 settlectl -D other ingest --format xml
grep -q 'not ndjson or csv' err || fail 'no word of the formats of ingest'
expect_status 1 settlectl -D nowhere export --format csv
expect_equal 'output without a directory' "$(cat out)" ''
[ ! -e nowhere ] || fail 'export created a directory'

# ---- It creates and repairs nothing, and works beside a writer ----
tree() { (cd bank && find . -type f -exec sha256sum {} + | sort); }
before=$(tree)
for format in hledger csv events; do settlectl -D bank export --format "$format" >/dev/null; done
expect_equal 'the directory' "$(tree)" "$before"
mkfifo pipe
settlectl -D live -q ingest --no-logs <pipe &
exec 3>pipe
cat events.ndjson >&3
for _ in $(seq 100); do
    [ "$(settlectl -D live export --format events 2>/dev/null | wc -l)" -eq 11 ] && break
    sleep 0.1
done
settlectl -D live export --format events | cmp - events.csv || fail 'export beside a writer'
exec 3>&-
wait $!

# ---- A full output, and one that nobody reads ----
expect_status 5 bash -c '"$1" -D bank export --format csv >/dev/full' - "$SETTLECTL"
seq 200000 | sed 's/.*/{"type":"deposit","ts":&,"user":1,"asset":"USDT","amount":"1"}/' >many.ndjson
expect_status 0 settlectl -D bank -q ingest --no-logs many.ndjson
set +o pipefail
settlectl -D bank export --format csv | head -1 >first
set -o pipefail
expect_equal 'the first line' "$(cat first)" "$(head -1 legs.csv)"

# Bounded memory: the address space is little more than two segments. (A sanitizer needs more only to begin.)
if (ulimit -v 200000 && settlectl version) >/dev/null 2>&1; then
    (ulimit -v 200000 && settlectl -D bank export --format csv | wc -c >size) || fail 'it needs more memory than it may'
    [ "$(cat size)" -gt 40000000 ] || fail "only $(cat size) bytes of CSV"
fi

# A line of progress on a terminal, when the data goes elsewhere, and nothing of it in the data.
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    script -qec "'$SETTLECTL' -D bank export --format csv >shown.csv" typescript >/dev/null </dev/null
    grep -q 'events' typescript || fail 'no progress on a terminal'
    settlectl -D bank export --format csv | cmp - shown.csv || fail 'progress among the data'
fi
