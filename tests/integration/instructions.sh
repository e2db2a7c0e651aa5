#!/usr/bin/env bash
# A guard for the hot path that no busy machine can upset: instructions an event (user mode, all threads), counted by callgrind,
# against tests/golden/instructions.txt. Counted over two inputs, so that starting and ending cancel out. Needs valgrind, the
# release build (tools/quickstart) and the compiler that the figures are for; skips without them.
# shellcheck source=tests/lib/script.sh
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

figures=$SETTLE_SOURCE_DIR/tests/golden/instructions.txt
release=$SETTLE_SOURCE_DIR/build/release
case ${CFLAGS:-} in *-fsanitize*) skip 'counted with the optimised build alone' ;; esac
command -v valgrind >/dev/null || skip 'no valgrind'
[ -f "$release/CMakeCache.txt" ] || skip 'no release build: tools/quickstart makes it'
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$release/CMakeCache.txt")
wanted=$(sed -n 's/^# for //p' "$figures")
"$compiler" --version | grep -q 'Free Software Foundation' || skip "the figures are for $wanted, this is another compiler"
actual="gcc $("$compiler" -dumpversion | cut -d. -f1) $(uname -m)"
[ "$actual" = "$wanted" ] || skip "the figures are for $wanted, this is $actual"
cmake --build "$release" --target settlectl >build.log 2>&1 || fail "the release build fails: $(tail -3 build.log)"
SETTLECTL=$release/settlectl

# events N: deposits, withdrawals and trades, 50/10/40 after the first thousands; the same every time. (mawk's %d ends at 2^31.)
events() {
    awk -v n="$1" 'BEGIN {
        print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
        print "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}"
        x = 7
        for (i = 0; i < n; i++) {
            x = (x * 16807) % 2147483647; kind = i < 2000 ? 0 : x % 10
            x = (x * 16807) % 2147483647; user = 1 + x % 1000
            x = (x * 16807) % 2147483647
            if (kind < 5)
                printf "{\"type\":\"deposit\",\"ts\":%.0f,\"user\":%d,\"asset\":\"%s\",\"amount\":\"%d.%02d\"}\n", \
                    1700000000000 + i, user, x % 2 ? "USDT" : "BTC", 1 + x % 5000, x % 100
            else if (kind == 5)
                printf "{\"type\":\"withdrawal\",\"ts\":%.0f,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"%d.5\"}\n", \
                    1700000000000 + i, user, x % 9
            else
                printf "{\"type\":\"trade\",\"ts\":%.0f,\"trade_id\":\"T%08d\",\"buyer\":%d,\"seller\":%d,\"base\":\"BTC\",\"quote\":\"USDT\",\"quantity\":\"0.01\",\"price\":\"%d.5\"}\n", \
                    1700000000000 + i, i, user, user % 1000 + 1, 100 + x % 100
        }
    }'
}

# count COMMAND...: instructions of a run
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$SETTLECTL" -q "$@" >/dev/null 2>callgrind.err ||
        fail "$*: $(tail -3 callgrind.err)"
    sed -n 's/.*I *refs: *//p' callgrind.err | tr -d ,
}

few=20000 many=60000
events $few >few.ndjson
events $many >many.ndjson
declare -A small large
for size in few many; do
    declare -A counts
    for directory in $size $size-lines; do # commits and checkpoints by count alone: time must not matter
        "$SETTLECTL" -D $directory init
        echo '{"commit_interval_us_max":60000000,"checkpoint_interval_ms":86400000}' >$directory/settle.json
    done
    counts[ingest]=$(count -D "$size" ingest --no-logs $size.ndjson)
    counts[replay]=$(count -D "$size" replay --check)
    counts[verify]=$(count -D "$size" verify)
    counts[ingest-lines]=$(count -D "$size-lines" ingest --log-dir "logs-$size" $size.ndjson)
    for name in "${!counts[@]}"; do
        if [ $size = few ]; then small[$name]=${counts[$name]}; else large[$name]=${counts[$name]}; fi
    done
done

accepted=$("$SETTLECTL" -D many --json stats | jq '[.types[].accepted] | add')
[ "$accepted" -gt $((many * 9 / 10)) ] || fail "only $accepted of $many events were accepted: these are not the events meant"
worse=''
while read -r name figure; do
    case $name in '#'* | '') continue ;; esac
    event=$(((large[$name] - small[$name]) / (many - few)))
    echo "$name: $event instructions an event, the figure is $figure"
    if [ $((event * 100)) -gt $((figure * 108)) ]; then worse="$worse $name"; fi
    if [ $((event * 100)) -lt $((figure * 85)) ]; then echo "$name is so much better that the figure should follow"; fi
done <"$figures"
[ -z "$worse" ] || fail "more than 8 % over the figure:$worse"
