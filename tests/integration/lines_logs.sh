#!/usr/bin/env bash
# The files of the JSON lines: rotation by day and by size, compression, retention, sampling; logs verify finds every
# change; logs rebuild makes it good.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
. "$SETTLE_SOURCE_DIR/tests/lib/clock.sh"

make_events() { # FROM TO
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (i = from; i <= to; i++)
            printf "{\"type\":\"%s\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1.5\"}\n", i % 3 ? "deposit" : "withdrawal", i, 1 + i % 50
    }'
}
expect_verify() { # STATUS JQ EXPECTED [OPTION...]
    local status=$1 filter=$2 expected=$3
    shift 3
    expect_status "$status" settlectl -D bank --json logs verify "$@"
    expect_equal "logs verify: $filter" "$(jq -c "$filter" out)" "$expected"
}
# All lines that lie in a log directory, in their order.
all_lines() {
    local name
    # The last part of a day has no number; "~" is greater than every digit.
    for name in $(find "$1" -name 'settlement.log.2*' ! -name '*.replaced-*' -printf '%f\n' |
        sed -E 's/(\.zst)?$/ &/; s/(\.....-..-..) /\1.~ /' | LC_ALL=C sort | sed -E 's/(\.~)? //'); do
        case $name in
        *.zst) zstd -dcq "$1/$name" ;;
        *) cat "$1/$name" ;;
        esac
    done
    cat "$1/settlement.log"
}

expect_status 0 settlectl -D bank init --asset USDT=2:6

# ---- A check of nothing is never ok ----
expect_verify 1 '[.ok, .empty, .files, .lines]' '[false,true,0,0]'
make_events 1 300 >events
expect_status 0 settlectl -D bank -q ingest --no-logs events
expect_verify 1 '[.ok, .empty, .files, .lines_after]' '[false,false,0,900]'
mkdir logs
touch logs/settlement.log
expect_verify 1 '[.ok, .lines]' '[false,0]'
expect_status 1 settlectl -D bank logs verify
grep -q '^NOT ok: there is no line' out || fail "$(cat out)"
expect_status 1 settlectl -D nowhere logs verify
expect_status 2 settlectl -D bank logs verify --day 2024-12-10
expect_status 2 settlectl -D bank logs frobnicate
expect_status 2 settlectl -D bank logs
expect_status 2 settlectl -D bank logs rebuild --day 2024-02-30
expect_status 2 settlectl -D bank logs rebuild --day yesterday
expect_status 1 settlectl -D bank logs rebuild --day 1999-12-31
rm -r logs

# ---- Rotation by size ----
echo '{"lines":{"rotate_bytes":40000}}' >bank/settle.json
make_events 301 600 >events
expect_status 0 settlectl -D bank -q ingest events
day=$(date -u +%F)
[ -e "logs/settlement.log.$day.001" ] && [ -e "logs/settlement.log.$day.002" ] || fail "no parts: $(ls logs)"
[ -z "$(find logs -name 'settlement.log*' -size +40000c)" ] || fail 'a part is longer than rotate_bytes'
all_lines logs | cmp - <(settlectl -D bank tail) || fail 'the parts are not the journal'
expect_verify 0 '[.ok, .lines, .lines_before, .lines_after]' '[true,1800,0,0]'
expect_equal 'files' "$(jq .files out)" "$(find logs -name 'settlement.log*' | wc -l)"

# ---- What verify finds: in the first part, in a middle one, in the current file ----
cp -r logs good
middle=logs/settlement.log.$day.003
for file in "logs/settlement.log.$day.001" "$middle" logs/settlement.log; do
    line=$(($(wc -l <"$file") / 2))
    sed -i "${line}s/DEPOSIT/DEPOSIX/;${line}s/WITHDRAWAL/WITHDRAWAM/" "$file"
    expect_verify 1 '[.ok, .difference.file, .difference.line]' "[false,\"${file#logs/}\",$line]"
    byte=$({ cmp -l "$file" "good/${file#logs/}" || true; } 2>eof | awk 'NR == 1 { print $1 }') # cmp's words depend on the locale
    expect_equal 'the byte' "$(jq .difference.byte out)" "$byte"
    expect_status 1 settlectl -D bank logs verify
    grep -q "^  file ${file#logs/}, line $line, byte $byte\$" out || fail "$(cat out)"
    cp -p "good/${file#logs/}" "$file"
done
expect_verify 0 .ok true

sed -i 7d "$middle" # a line less
expect_verify 1 '[.ok, .difference.file, .difference.line]' "[false,\"${middle#logs/}\",7]"
cp -p "good/${middle#logs/}" "$middle"
sed -i '7{p}' "$middle" # a line twice
expect_verify 1 '[.ok, .difference.file, .difference.line]' "[false,\"${middle#logs/}\",8]"
cp -p "good/${middle#logs/}" "$middle"
mv "$middle" aside # a file less: the next one tells
expect_verify 1 '[.ok, .difference.file, .difference.line]' "[false,\"settlement.log.$day.004\",1]"
jq -r .difference.message out | grep -q "^$(wc -l <aside) lines are missing before" || fail "$(cat out)"
mv aside "$middle"
echo 'somebody was here' >>"$middle"
expect_verify 1 '[.ok, .difference.file]' "[false,\"${middle#logs/}\"]"
cp -p "good/${middle#logs/}" "$middle"
truncate -s -5 "$middle" # only the current file may be torn
expect_verify 1 '[.ok, .difference.file]' "[false,\"${middle#logs/}\"]"
cp -p "good/${middle#logs/}" "$middle"
tail -n 3 good/settlement.log >>logs/settlement.log # more than the journal has
expect_verify 1 '[.ok, .difference.line]' "[false,$(($(wc -l <good/settlement.log) + 1))]"
cp -p good/settlement.log logs/settlement.log

# What is no difference: the oldest deleted, the newest not caught up, a torn line at the very end.
mv "logs/settlement.log.$day.001" aside
expect_verify 0 '[.ok, .lines_before]' "[true,$(wc -l <aside)]"
mv aside "logs/settlement.log.$day.001"
printf '{"timestamp":"20' >>logs/settlement.log
expect_verify 0 '[.ok, .torn_bytes]' '[true,16]'
cp -p good/settlement.log logs/settlement.log
make_events 601 610 >events
expect_status 0 settlectl -D bank -q ingest --no-logs events
expect_verify 0 '[.ok, .lines_after]' '[true,30]'

# ---- Compression: what was plain is packed by the next run with it ----
echo '{"lines":{"rotate_bytes":40000,"compress":true}}' >bank/settle.json
expect_status 0 settlectl -D bank -q ingest /dev/null
[ "$(find logs -name '*.zst' | wc -l)" -gt 2 ] || fail "nothing is packed: $(ls logs)"
all_lines logs | cmp - <(settlectl -D bank tail) || fail 'packed, the lines differ'
expect_verify 0 '[.ok, .lines, .lines_after]' '[true,1830,0]'
packed=$(find logs -name '*.002.zst')
cp "$packed" aside
zstd -dcq aside | sed '5s/"1\.500000"/"9.500000"/;4s/"1\.500000"/"9.500000"/' | zstd -q >"$packed"
expect_verify 1 '[.ok, .difference.file]' "[false,\"${packed#logs/}\"]"
head -c 300 aside >"$packed"
expect_verify 1 '[.ok, .difference.file]' "[false,\"${packed#logs/}\"]"
echo garbage >"$packed"
expect_verify 1 '[.ok, .difference.file]' "[false,\"${packed#logs/}\"]"
cp aside "$packed"
expect_verify 0 .ok true

# ---- Rebuild: the day in one file, the damage gone ----
echo garbage >"$packed"
rm -f "logs/settlement.log.$day.001"*
expect_status 0 settlectl -D bank --json logs rebuild --day "$day"
expect_equal 'rebuilt' "$(jq -c '[.day, .file, .lines]' out)" "[\"$day\",\"settlement.log\",1830]"
settlectl -D bank tail | cmp - logs/settlement.log || fail 'rebuilt, the lines differ'
expect_equal 'what is nobody knows what is put aside' "$(find logs -name 'settlement.log.2*' -printf '%f\n')" "${packed#logs/}.replaced-1"
expect_verify 0 '[.ok, .files, .lines]' '[true,1,1830]'
expect_equal 'mode' "$(stat -c %a logs/settlement.log)" 640
make_events 611 620 >events
expect_status 0 settlectl -D bank -q ingest events # the follower goes on behind it
all_lines logs | cmp - <(settlectl -D bank tail) || fail 'after a rebuild the lines go on elsewhere'

# Everything deleted: history does not come again by itself, but by rebuild.
rm -f logs/settlement.log*
make_events 621 630 >events
expect_status 0 settlectl -D bank -q ingest events
expect_verify 0 '[.ok, .lines, .lines_before]' '[true,30,1860]'
expect_status 0 settlectl -D bank -q logs rebuild
expect_verify 0 '[.ok, .lines, .lines_before]' '[true,1890,0]'
rm -r logs
expect_status 0 settlectl -D bank -q logs rebuild --log-dir fresh
expect_verify 0 '[.ok, .lines]' '[true,1890]' --log-dir fresh

# Not while somebody follows, and not into another journal's directory.
"$SETTLECTL" -D bank tail --follow --log-dir fresh &
follower=$!
sleep 0.3
expect_status 4 settlectl -D bank logs rebuild --log-dir fresh
kill -TERM $follower
wait $follower || true
expect_status 0 settlectl -D other -q ingest --log-dir other.logs "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
expect_status 1 settlectl -D bank logs rebuild --log-dir other.logs
expect_status 0 settlectl -D other logs verify --log-dir other.logs
expect_status 1 settlectl -D bank logs verify --log-dir other.logs

# ---- Sampling: whole lives or none, rejections always; rebuilt in full when the setting goes ----
echo '{"lines":{"sample_per_million":100000}}' >bank/settle.json
expect_status 0 settlectl -D bank -q tail --log-dir sampled
few=$(wc -l <sampled/settlement.log)
[ "$few" -gt 100 ] && [ "$few" -lt 1200 ] || fail "$few of 1890 lines"
expect_equal 'lives in part' "$(jq -r .fields.event_id sampled/settlement.log | sort | uniq -c | grep -vc '^ *3 ' || true)" 0
expect_equal 'rejections' "$(grep -c _REJECTED sampled/settlement.log)" "$(settlectl -D bank tail | grep -c _REJECTED)"
expect_verify 0 '[.ok, .lines_before, .lines_after]' '[true,0,0]' --log-dir sampled
rm bank/settle.json
expect_status 0 settlectl -D bank -q logs rebuild --log-dir sampled
settlectl -D bank tail | cmp - sampled/settlement.log || fail 'rebuilt in full'

# ---- Days ----
clock_shift_is_possible || { echo 'days: not here'; exit 0; }
echo '{"lines":{"keep_days":2}}' >bank/settle.json
rm -rf logs
expect_status 0 settlectl -D bank -q logs rebuild
for shift in 1 2; do
    make_events ${shift}001 ${shift}100 >events
    expect_status 0 at_shift $((shift * 86400)) "$SETTLECTL" -D bank -q ingest events
done
days=("$day" "$(date -u -d "$day + 1 day" +%F)" "$(date -u -d "$day + 2 days" +%F)")
expect_equal 'files' "$(find logs -name 'settlement.log*' -printf '%f\n' | sort | paste -sd' ')" \
    "settlement.log settlement.log.${days[0]} settlement.log.${days[1]}"
for i in 0 1; do
    expect_equal "days in the file of ${days[i]}" "$(cut -c15-24 "logs/settlement.log.${days[i]}" | sort -u)" "${days[i]}"
done
expect_equal 'days in the current file' "$(cut -c15-24 logs/settlement.log | sort -u)" "${days[2]}"
all_lines logs | cmp - <(settlectl -D bank tail) || fail 'the days are not the journal'
expect_verify 0 '[.ok, .files]' '[true,3]'
# A line in the file of another day.
cp -r logs good.days
head -n 1 "logs/settlement.log.${days[1]}" >>"logs/settlement.log.${days[0]}"
sed -i 1d "logs/settlement.log.${days[1]}"
expect_verify 1 '[.ok, .difference.file]' "[false,\"settlement.log.${days[0]}\"]"
for i in 0 1; do
    expect_status 0 settlectl -D bank -q logs rebuild --day "${days[i]}"
done
for i in 0 1; do
    cmp "logs/settlement.log.${days[i]}" "good.days/settlement.log.${days[i]}" || fail "${days[i]} rebuilt"
done
rm -r logs
expect_status 0 settlectl -D bank --json logs rebuild
expect_equal 'all days' "$(jq -r .file out | paste -sd' ')" "settlement.log.${days[0]} settlement.log.${days[1]} settlement.log"
diff -r -x '.settlement*' -x operations.log logs good.days || fail 'all days rebuilt'
# A day that the lines have not come to.
rm logs/settlement.log
mv "logs/settlement.log.${days[1]}" logs/settlement.log
expect_status 1 settlectl -D bank logs rebuild --day "${days[2]}"
rm -r logs
cp -r good.days logs
# Retention counts from the newest line.
make_events 3001 3100 >events
expect_status 0 at_shift $((3 * 86400)) "$SETTLECTL" -D bank -q ingest events
expect_equal 'kept' "$(find logs -name 'settlement.log*' -printf '%f\n' | sort | paste -sd' ')" \
    "settlement.log settlement.log.${days[1]} settlement.log.${days[2]}"
expect_verify 0 '[.ok, .lines_before]' '[true,1890]'
