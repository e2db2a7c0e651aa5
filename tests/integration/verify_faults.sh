#!/usr/bin/env bash
# verify: how many faults, where each is, and how far it is.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

# Many small frames in several segments: a run each.
settlectl -D bank -q init --asset USDT=2:6 --segment-size 16384
for i in $(seq 60); do
    for k in 1 2 3 4; do
        printf '{"type":"deposit","ts":%d,"user":%d,"asset":"USDT","amount":"1"}\n' $((i * 10 + k)) $((i * 10 + k))
    done | settlectl -D bank -q ingest --no-logs
done
expect_status 0 settlectl -D bank --json verify
expect_equal 'a good one' "$(jq -c '[.ok, .events, .faults, .store]' out)" '[true,240,0,"equal"]'
expect_equal 'one line' "$(wc -l <out)" 1
mapfile -t segments < <(cd bank/journal && ls -- *.seg)
[ ${#segments[@]} -ge 4 ] || fail "only ${#segments[@]} segments"

# hurt SEGMENT FRAME: flips bits of a record of the n-th frame of a segment that holds events.
hurt() {
    local file=bank/journal/$1 offset
    offset=$(settlectl --json inspect "good/journal/$1" | jq -r 'select(.record == "CONSUMED").offset' | sed -n "${2}p")
    printf '\252\125' | dd of="$file" bs=1 seek=$((offset + 24)) conv=notrunc status=none
    echo "$offset"
}
cp -r bank good
first=$(hurt "${segments[0]}" 5)
hurt "${segments[0]}" 13 >/dev/null
second=$(hurt "${segments[2]}" 9)
expect_status 3 settlectl -D bank --json verify
expect_equal 'one object' "$(wc -l <out)" 1
expect_equal 'the verdict' "$(jq -c '[.ok, .faults, .store]' out)" '[false,3,"not compared"]'
expect_equal 'the first' "$(jq -c '[.fault.segment, .fault.offset]' out)" "[\"${segments[0]}\",$first]"
expect_equal 'the places' "$(jq -c '[.places[].segment]' out)" "[\"${segments[0]}\",\"${segments[0]}\",\"${segments[2]}\"]"
expect_equal 'the last' "$(jq -c '.places[2].offset' out)" "$second"
expect_status 3 settlectl -D bank verify
grep -q '^NOT ok: ' out || fail 'no verdict'
grep -q '^3 faults$' out || fail "no number: $(cat out)"
expect_equal 'a row each' "$(grep -c '\.seg  *[0-9]* *[0-9]* ' out)" 3

# A segment that is missing, on top of it.
rm "bank/journal/${segments[3]}"
expect_status 3 settlectl -D bank --json verify
expect_equal 'a missing one too' "$(jq .faults out)" 4

# It repairs nothing.
before=$(find bank -type f ! -name 'lock*' -exec sha256sum {} + | sort)
settlectl -D bank verify >/dev/null || true
expect_equal 'the directory' "$(find bank -type f ! -name 'lock*' -exec sha256sum {} + | sort)" "$before"

# ---- Progress on a terminal, nothing of it elsewhere ----
settlectl -D large -q init --asset USDT=2:6
seq 300000 | sed 's/.*/{"type":"deposit","ts":&,"user":&,"asset":"USDT","amount":"1"}/' | settlectl -D large -q ingest --no-logs
expect_status 0 settlectl -D large verify
expect_equal 'nothing on standard error' "$(cat err)" ''
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    script -qec "'$SETTLECTL' -D large verify >shown" typescript >/dev/null </dev/null
    expect_equal 'the verdict' "$(head -n 1 shown)" ok
    script -qec "'$SETTLECTL' -q -D large verify >shown" quiet >/dev/null </dev/null
    ! grep -q events/s quiet || fail 'progress in spite of -q'
fi
