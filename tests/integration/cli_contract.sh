#!/usr/bin/env bash
# The examples of the contract, as printed: output, member order, sorting, exit statuses.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

expect_status 0 settlectl init --asset BTC=1:8
cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.50"}

{"type":"withdrawal","ts":1733856600001,"user":1001,"asset":2,"amount":"10"}
{"type":"deposit","ts":1733856600002,"user":9007199254740993,"asset":"BTC","amount":"0.5"}
{"type":"trade","ts":1733856600003,"trade_id":"T-1","buyer":1001,"seller":"9007199254740993","base":"BTC","quote":"USDT","quantity":"0.01","price":"50000","buyer_fee":"0.00001","seller_fee":"0.5"}
{"type":"withdrawal","ts":1733856600004,"user":1001,"asset":"USDT","amount":"10000"}
{"user":1001,"amount":"1000.5","asset":2,"type":"deposit","ts":1733856600000}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.51"}
END
lines=$(wc -l <events.ndjson)

# ---- ingest ----
expect_status 0 settlectl --json ingest events.ndjson
expect_equal 'the summary without its seconds' "$(sed -E 's/"seconds":[0-9]+(\.[0-9]+)?/"seconds":S/' out)" \
    "{\"lines\":$lines,\"events\":7,\"accepted\":4,\"rejected\":1,\"duplicate\":1,\"conflict\":1,\"malformed\":0,\"first_seq\":1,\"last_seq\":7,\"seconds\":S}"
expect_equal 'messages' "$(cat err)" ''
expect_equal 'the type of seconds' "$(jq -r '.seconds | type' out)" number
expect_status 0 settlectl --json ingest </dev/null
expect_equal 'nothing to do' "$(jq -c 'del(.seconds)' out)" \
    '{"lines":0,"events":0,"accepted":0,"rejected":0,"duplicate":0,"conflict":0,"malformed":0,"first_seq":null,"last_seq":null}'

# ---- balance ----
cat >expected <<'END'
{"user":1001,"asset":"BTC","available":"0.00999000","held":"0.00000000","version":1,"seq":4}
{"user":1001,"asset":"USDT","available":"490.500000","held":"0.000000","version":3,"seq":4}
{"user":"9007199254740993","asset":"BTC","available":"0.49000000","held":"0.00000000","version":2,"seq":4}
{"user":"9007199254740993","asset":"USDT","available":"499.500000","held":"0.000000","version":1,"seq":4}
{"user":"external","asset":"BTC","available":"-0.50000000","held":"0.00000000","version":1,"seq":3}
{"user":"external","asset":"USDT","available":"-990.500000","held":"0.000000","version":2,"seq":2}
{"user":"fees","asset":"BTC","available":"0.00001000","held":"0.00000000","version":1,"seq":4}
{"user":"fees","asset":"USDT","available":"0.500000","held":"0.000000","version":1,"seq":4}
END
expect_status 0 settlectl --json balance
cmp out expected || fail 'balance'
expect_status 0 settlectl --json balance 1001
cmp out <(sed -n 1,2p expected) || fail 'balance of a user'
expect_status 0 settlectl --json balance 1001 USDT
cmp out <(sed -n 2p expected) || fail 'balance of a user and a symbol'
expect_status 0 settlectl --json balance 1001 2
cmp out <(sed -n 2p expected) || fail 'balance of a user and an id'
expect_status 0 settlectl --json balance 9007199254740993 1
cmp out <(sed -n 3p expected) || fail 'balance of a large user'
expect_status 0 settlectl --json balance external
cmp out <(sed -n 5,6p expected) || fail 'balance of external'
expect_status 0 settlectl --json balance fees BTC
cmp out <(sed -n 7p expected) || fail 'balance of fees'
for asset in BTC USDT; do
    expect_equal "the sum of all $asset" "$(settlectl --json balance |
        jq -rs --arg a $asset '[.[] | select(.asset == $a).available | gsub("[.]"; "") | tonumber] | add')" 0
done

# For people: every amount with all its decimals, to the right.
cat >expected.text <<'END'
            user  asset    available        held  version  seq
            1001  BTC     0.00999000  0.00000000        1    4
            1001  USDT    490.500000    0.000000        3    4
9007199254740993  BTC     0.49000000  0.00000000        2    4
9007199254740993  USDT    499.500000    0.000000        1    4
        external  BTC    -0.50000000  0.00000000        1    3
        external  USDT   -990.500000    0.000000        2    2
            fees  BTC     0.00001000  0.00000000        1    4
            fees  USDT      0.500000    0.000000        1    4
END
expect_status 0 settlectl balance
diff out expected.text || fail 'balance as a table'

# ---- trace: member order and values ----
expect_status 0 settlectl --json trace deposit_1001_2_1733856600000
time='"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"'
step() { printf '\\{"step":"%s","timestamp":%s\\}' "$1" "$time"; }
steps() { printf '"steps":\\[%s,%s,%s\\]' "$(step CONSUMED)" "$(step "$1")" "$(step PERSISTED)"; }
effects='"effects":\[\{"user":1001,"asset":"USDT","before":"0\.000000","delta":"1000\.500000","after":"1000\.500000","version":1\},\{"user":"external","asset":"USDT","before":"0\.000000","delta":"-1000\.500000","after":"-1000\.500000","version":1\}\]'
arrivals="\"arrivals\":\\[\\{\"seq\":6,\"outcome\":\"duplicate\",\"type\":\"deposit\",\"ts\":1733856600000,$(steps DUPLICATE)\\},\\{\"seq\":7,\"outcome\":\"conflict\",\"type\":\"deposit\",\"ts\":1733856600000,$(steps CONFLICT)\\}\\]"
grep -Eq "^\\{\"event_id\":\"deposit_1001_2_1733856600000\",\"seq\":1,\"type\":\"deposit\",\"outcome\":\"accepted\",\"reason\":null,\"ts\":1733856600000,$(steps VALIDATED),$effects,$arrivals\\}\$" out ||
    fail "trace: $(cat out)"
expect_status 0 settlectl --json trace withdrawal_1001_2_1733856600004
grep -Eq "^\\{\"event_id\":\"withdrawal_1001_2_1733856600004\",\"seq\":5,\"type\":\"withdrawal\",\"outcome\":\"rejected\",\"reason\":\"insufficient_funds\",\"ts\":1733856600004,$(steps REJECTED),\"effects\":\\[\\]\\}\$" out ||
    fail "trace of a rejection: $(cat out)"
expect_status 0 settlectl --json trace trade_T-1
expect_equal 'the legs of a trade' "$(jq -c '[.effects[] | [.user, .asset, .before, .delta, .after, .version]]' out)" \
    '[[1001,"USDT","990.500000","-500.000000","490.500000",3],[1001,"BTC","0.00000000","0.00999000","0.00999000",1],["9007199254740993","BTC","0.50000000","-0.01000000","0.49000000",2],["9007199254740993","USDT","0.000000","499.500000","499.500000",1],["fees","BTC","0.00000000","0.00001000","0.00001000",1],["fees","USDT","0.000000","0.500000","0.500000",1]]'
expect_status 0 settlectl trace deposit_1001_2_1733856600000
for words in 'seq 1, deposit, accepted' '2024-12-10T18:50:00.000000Z' 'arrived again: seq 7, conflict' '  PERSISTED  2'; do
    grep -qF "$words" out || fail "no '$words' in the trace for people"
done

# ---- replay: the same lines as balance; until; check ----
expect_status 0 settlectl --json replay
cmp out expected || fail 'replay does not print what balance prints'
expect_status 0 settlectl replay
diff out expected.text || fail 'replay for people'
expect_status 0 settlectl --json replay --until-seq 1
expect_equal 'replay until 1' "$(jq -c '[.user, .available, .seq]' out | xargs)" '[1001,1000.500000,1] [external,-1000.500000,1]'
expect_status 0 settlectl --json replay --check
expect_equal 'replay --check' "$(jq -c '[.ok, .events, .accounts, .segments, .store, (.records > 16)]' out)" \
    '[true,7,8,1,"equal",true]'

# ---- verify ----
expect_status 0 settlectl --json verify
expect_equal 'verify' "$(jq -c '[.ok, .events, .accounts, .segments, .ids, .torn_bytes, .store, (.records > 16)]' out)" \
    '[true,7,8,1,5,0,"equal",true]'
expect_equal 'how far' "$(jq -c '[.empty, .store_seq]' out)" '[false,7]'
expect_status 0 settlectl verify
expect_equal 'verify for people' "$(head -n 1 out)" ok
expect_equal 'how far, for people' "$(grep ' store ' out)" '  store       equal up to seq 7'

# ---- A journal without any event: nothing is checked, and nothing is wrong ----
empty='nothing to check: the journal holds no event'
settlectl -D bare -q init --asset USDT=2:6
expect_status 0 settlectl -D bare verify
expect_equal 'verify of nothing' "$(head -n 1 out)" "$empty"
expect_equal 'its store' "$(grep ' store ' out)" '  store       equal up to seq 0: it holds nothing yet'
expect_status 0 settlectl -D bare --json verify
expect_equal 'verify of nothing in JSON' "$(jq -c '[.ok, .empty, .events, .store, .store_seq]' out)" '[true,true,0,"equal",0]'
expect_status 0 settlectl -D bare replay --check
expect_equal 'replay of nothing' "$(cut -d: -f1-2 out)" "$empty"
expect_status 0 settlectl -D bare --json replay --check
expect_equal 'replay of nothing in JSON' "$(jq -c '[.ok, .empty, .events]' out)" '[true,true,0]'
expect_status 1 settlectl --json replay --check --until-seq 0
expect_equal 'of all there is, nothing' "$(tail -n 1 out | jq -c '[.ok, .empty]')" '[false,false]'
expect_status 1 settlectl -D bare logs verify --log-dir bare.logs
expect_equal 'logs of nothing' "$(head -n 1 out)" "$empty, and there is no line"
expect_status 1 settlectl -D bare --json logs verify --log-dir bare.logs
expect_equal 'logs of nothing in JSON' "$(jq -c '[.ok, .empty, .difference]' out)" '[false,true,null]'
rm -r bare/store
expect_status 0 settlectl -D bare --json verify
expect_equal 'without a store' "$(jq -c '[.ok, .empty, .store, .store_seq]' out)" '[true,true,"absent",null]'
expect_status 0 settlectl -D bare verify
expect_equal 'its absence, for people' "$(grep ' store ' out)" '  store       absent'
# Damage is no emptiness: a byte of the first frame, which declares the asset.
printf X | dd of=bare/journal/00000000000000000001-000000.seg bs=1 seek=600 conv=notrunc status=none
expect_status 3 settlectl -D bare --json verify
expect_equal 'damage before any event' "$(jq -c '[.ok, .empty, .events]' out)" '[false,false,0]'
expect_status 3 settlectl -D bare verify
expect_equal 'damage for people' "$(head -n 1 out | cut -d: -f1)" 'NOT ok'

# ---- replay --into ----
expect_status 0 settlectl --json replay --until-seq 2 --into earlier
expect_equal 'the copy' "$(settlectl -D earlier --json balance 1001 USDT | jq -r .available)" 990.500000
expect_status 0 settlectl -D earlier --json verify
expect_equal 'the copy verifies' "$(jq -c '[.ok, .events, .store]' out)" '[true,2,"equal"]'
expect_status 0 settlectl -D earlier --json ingest events.ndjson # and goes on as a directory of its own
expect_equal 'what the copy makes of the rest' "$(jq -c '[.accepted, .duplicate]' out)" '[2,3]'
expect_status 2 settlectl replay --into earlier
expect_status 2 settlectl replay --into settle-data

# ---- stats, inspect ----
expect_status 0 settlectl --json stats
expect_equal 'stats' "$(jq -c '[.events, .types.deposit.accepted, .types.deposit.conflict, .types.trade.accepted, .rejections.insufficient_funds, .accounts, .first_ts, .last_ts]' out)" \
    '[7,2,1,1,1,8,1733856600000,1733856600004]'
expect_status 0 settlectl --json inspect
expect_equal 'inspect' "$(jq -sc '[(.[0] | .segments, .last_seq, .store, .store_seq, .writer), (.[1] | .segment, .first_seq, .last_seq, .events)]' out)" \
    '[1,7,"present",7,false,"00000000000000000001-000000.seg",1,7,7]'
expect_status 0 settlectl --json inspect settle-data/journal/00000000000000000001-000000.seg
expect_equal 'records of the segment' "$(jq -r .record out | sort | uniq -c | awk '{ print $2 $1 }' | grep -v FRAME | xargs)" \
    'ASSET2 CONFLICT1 CONSUMED7 DUPLICATE1 PERSISTED1 REJECTED1 SEGMENT1 SOURCE1 VALIDATED4'
expect_status 0 settlectl inspect
grep -q '^writer      none$' out || fail 'inspect for people'
expect_status 0 settlectl inspect settle-data/journal/00000000000000000001-000000.seg
expect_status 0 settlectl stats

# ---- A journal that ends before PERSISTED was recorded, as a crash leaves it ----
expect_status 0 settlectl -D crashed init --asset BTC=1:8
expect_status 0 settlectl -D crashed -q ingest events.ndjson
segment=crashed/journal/00000000000000000001-000000.seg
read -r offset bytes < <(settlectl --json inspect "$segment" | jq -r 'select(.record == "FRAME") | "\(.offset) \(.bytes)"' | tail -n 1)
dd if=/dev/zero of="$segment" bs=1 seek="$offset" count="$bytes" conv=notrunc status=none
rm -r crashed/store crashed/journal/watermark # which would say that there was more
expect_status 0 settlectl -D crashed --json trace deposit_1001_2_1733856600000
expect_equal 'what is missing' "$(jq -c '[.missing, [.steps[].step], [.arrivals[].missing]]' out)" \
    '[["PERSISTED"],["CONSUMED","VALIDATED"],[["PERSISTED"],["PERSISTED"]]]'
expect_status 0 settlectl -D crashed trace deposit_1001_2_1733856600000
expect_equal 'missing, for people' "$(grep -c '^  PERSISTED  missing' out)" 3
expect_status 0 settlectl -D crashed --json verify
expect_equal 'no fault' "$(jq .ok out)" true
expect_status 0 settlectl -D crashed -q ingest /dev/null # the next writer knows that it is durable, and records it
expect_status 0 settlectl -D crashed --json trace deposit_1001_2_1733856600000
expect_equal 'nothing is missing' "$(jq -c '[.missing, [.steps[].step], [.arrivals[].missing]]' out)" \
    '[null,["CONSUMED","VALIDATED","PERSISTED"],[null,null]]'
