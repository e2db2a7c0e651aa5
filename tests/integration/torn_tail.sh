#!/usr/bin/env bash
# A torn frame at the journal's end: queries and verify answer, the next writer cuts it; what cannot be a torn write is refused.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

segment=journal/00000000000000000001-000000.seg

# frame DIR N: offset and bytes of the Nth last frame.
frame() {
    settlectl --json inspect "$1/$segment" | jq -r 'select(.record == "FRAME") | "\(.offset) \(.bytes)"' | tail -n "$2" | head -n 1
}

# zero DIR OFFSET BYTES
zero() {
    dd if=/dev/zero of="$1/$segment" bs=1 seek="$2" count="$3" conv=notrunc status=none
}

settlectl -D whole -q ingest "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
settlectl -D whole --json balance >balances

# The last frame of a closed journal holds no event: torn, nothing is lost, though the store is ahead of it.
cp -r whole closed
read -r offset bytes < <(frame closed 1)
zero closed $((offset + bytes - 10)) 10
expect_status 0 settlectl -D closed --json balance
expect_equal 'balances without the last frame' "$(cat out)" "$(cat balances)"
expect_status 0 settlectl -D closed --json verify
expect_equal 'a torn tail is ok and counted' "$(jq -c '[.ok, .torn_bytes > 0]' out)" '[true,true]'
expect_status 0 settlectl -D closed -q ingest /dev/null
ls closed/journal/*.torn-* >/dev/null || fail 'the torn bytes were not kept'
expect_status 0 settlectl -D closed --json verify
expect_equal 'cut' "$(jq -c '[.ok, .torn_bytes, .store]' out)" '[true,0,"equal"]'
expect_equal 'balances afterwards' "$(settlectl -D closed --json balance)" "$(cat balances)"
settlectl -D closed --json trace deposit_1001_2_1733856600000 | jq -e '.steps | length == 3' >/dev/null || fail 'a step is missing'

# A crash with the store behind: the torn frame is cut, and the message tells that the watermark knew of it.
cp -r whole crashed
rm -r crashed/store
read -r offset bytes < <(frame crashed 1)
zero crashed "$offset" "$bytes"
read -r offset bytes < <(frame crashed 1)
zero crashed $((offset + bytes - 10)) 10
expect_status 0 settlectl -D crashed --json verify
expect_equal 'torn' "$(jq -c '[.ok, .torn_bytes > 0]' out)" '[true,true]'
expect_status 0 settlectl -D crashed ingest "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
grep -q 'journal/watermark tells of the torn frame' err || fail "no word of what the disk has lost: $(cat err)"
expect_status 0 settlectl -D crashed --json verify
expect_equal 'ingested again' "$(settlectl -D crashed --json balance | jq -c '[.user, .asset, .available]')" \
    "$(jq -c '[.user, .asset, .available]' balances)"

# Frames that are gone without a trace are no torn write.
cp -r whole short
rm -r short/store
for _ in 1 2; do
    read -r offset bytes < <(frame short 1)
    zero short "$offset" "$bytes"
done
expect_status 3 settlectl -D short --json verify
expect_equal 'short' "$(jq -c '[.ok, .fault.offset]' out)" "[false,$offset]"
expect_status 3 settlectl -D short ingest /dev/null
rm short/journal/watermark
expect_status 0 settlectl -D short -q ingest /dev/null # somebody restored an older journal and says so

# The store tells too.
cp -r whole behind
for _ in 1 2; do
    read -r offset bytes < <(frame behind 1)
    zero behind "$offset" "$bytes"
done
rm behind/journal/watermark
expect_status 3 settlectl -D behind --json verify
expect_status 3 settlectl -D behind balance
expect_status 3 settlectl -D behind ingest /dev/null

# A journal that is gone is no empty one.
cp -r whole gone
rm -r gone/journal
expect_status 3 settlectl -D gone --json verify
expect_equal 'gone' "$(jq -c .ok out)" false
expect_status 3 settlectl -D gone balance
expect_status 3 settlectl -D gone ingest /dev/null

# A check of nothing is not ok, and a check of everything compares the store.
expect_status 1 settlectl -D whole --json replay --until-seq 0 --check
expect_equal 'nothing' "$(jq .ok out)" false
last=$(settlectl -D whole --json replay --check | jq .events)
expect_status 0 settlectl -D whole --json replay --until-seq "$last" --check
expect_equal 'everything' "$(jq -c '[.ok, .store]' out)" '[true,"equal"]'
