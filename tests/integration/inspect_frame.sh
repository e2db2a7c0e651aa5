#!/usr/bin/env bash
# inspect --frame and --seq: one frame, one event, every field and every checksum.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"deposit","event_id":"a","ts":1000,"user":1001,"asset":"USDT","amount":"7"}
{"type":"withdrawal","event_id":"b","ts":2000,"user":1001,"asset":"USDT","amount":"9"}
{"type":"deposit","event_id":"a","ts":1000,"user":1001,"asset":"USDT","amount":"7"}
END
expect_status 0 settlectl -D bank -q ingest --no-logs events.ndjson
echo '{"type":"deposit","event_id":"c","ts":3000,"user":1002,"asset":"USDT","amount":"1"}' | settlectl -D bank -q ingest --no-logs
segment=bank/journal/00000000000000000001-000000.seg

# ---- An event: its frame, what came in, what decided it ----
expect_status 0 settlectl -D bank --json inspect --seq 2
expect_equal 'records' "$(jq -r .record out | xargs)" 'FRAME CONSUMED REJECTED'
expect_equal 'the event' "$(jq -c 'select(.record == "CONSUMED") | [.seq, .event_id, .user, .amount, .crc_ok]' out)" '[2,"b",1001,"9000000",true]'
expect_equal 'all checks' "$(jq -r 'to_entries[] | select(.key | endswith("_ok")).value' out | sort -u)" true
expect_equal 'of the frame' "$(jq -c 'select(.record == "FRAME") | [keys[] | select(endswith("_ok"))]' out)" \
    '["chain_ok","header_crc_ok","header_end_ok","magic_ok","trailer_end_ok"]'
position=$(jq -r 'select(.record == "CONSUMED").position' out)
expect_status 0 settlectl -D bank --json inspect --seq 3
expect_equal 'a repeat' "$(jq -c 'select(.record == "DUPLICATE") | [.first_seq, .seq]' out)" '[1,3]'

# ---- A frame: by any byte of it, in the directory and in the file; the same records as inspect FILE has ----
settlectl -D bank --json inspect --frame "$position" >frame.out
settlectl --json inspect "$segment" --frame "$position" | diff - frame.out || fail 'the frame of the file'
expect_equal 'the frame' "$(jq -r 'select(.record == "FRAME") | .bytes + .offset > '"$position" frame.out)" true
settlectl --json inspect "$segment" | jq -c '[.record, .offset]' >all.out
settlectl --json inspect "$segment" | jq -r 'select(.record == "FRAME").offset' | while read -r offset; do
    settlectl -D bank --json inspect --frame "$offset"
done | jq -c '[.record, .offset]' >frames.out
sed 1d all.out | diff - frames.out || fail 'all frames are not the file'

# ---- Hex: exactly the bytes of the file ----
expect_status 0 settlectl -D bank --json inspect --seq 4 --hex
jq -r '"\(.offset) \(.hex)"' out | while read -r offset hex; do
    bytes=$(dd if="$segment" bs=1 skip="$offset" count=$((${#hex} / 2)) status=none | od -An -v -tx1 | tr -d ' \n')
    expect_equal "bytes at $offset" "$hex" "$bytes"
done
expect_status 0 settlectl -D bank inspect --seq 4 --hex
grep -qE '^ +[0-9]+   46 52 4d 31 .* FRM1' out || fail "no hex of the frame: $(cat out)"
grep -q 'crc=[0-9a-f]* good' out || fail 'no good checksum'

# ---- Damage: shown, named, and what else is there too ----
cp -r bank bad
file=bad/journal/00000000000000000001-000000.seg
printf '\377' | dd of="$file" bs=1 seek=$((position + 24)) conv=notrunc status=none
expect_status 3 settlectl -D bad --json inspect --frame "$position"
expect_equal 'the bad record' "$(jq -r 'select(.crc_ok == false).offset' out)" "$position"
expect_equal 'others are shown' "$(jq -r .record out | wc -l)" "$(jq -r .record frame.out | wc -l)"
expect_equal 'the place' "$(jq -c '[.error, .offset, .seq]' err)" "[\"corrupt\",$position,2]"
expect_status 3 settlectl -D bad inspect --seq 2
grep -q 'crc=[0-9a-f]* BAD' out || fail "no bad checksum: $(cat out)"
expect_status 3 settlectl -D bad inspect --seq 1 # the frame is bad as a whole
frame=$(jq -r 'select(.record == "FRAME").offset' frame.out)
cp "$segment" "$file"
printf '\377' | dd of="$file" bs=1 seek=$((frame + 8)) conv=notrunc status=none
expect_status 3 settlectl -D bad --json inspect --frame "$frame"
expect_equal 'a bad header' "$(jq -r 'select(.record == "FRAME").header_crc_ok' out)" false
expect_status 1 settlectl -D bad inspect --seq 2 # no header says that it holds it
expect_status 0 settlectl -D bad inspect --seq 4 # found behind the damage

# ---- What is not there, and what makes no sense ----
expect_status 1 settlectl -D bank inspect --seq 99
expect_equal 'the reason' "$(cat err)" 'settlectl: no frame holds seq 99'
expect_status 1 settlectl -D bank inspect --frame 99999999999
expect_status 1 settlectl -D bank inspect --frame 100
expect_status 1 settlectl -D nowhere inspect --seq 1
expect_status 2 settlectl -D bank inspect --seq 0
expect_status 2 settlectl -D bank inspect --seq 1 --frame 2
expect_status 2 settlectl -D bank inspect --frame x
expect_status 2 settlectl -D bank inspect --hex
