#!/usr/bin/env bash
# What ingest makes of its input: files and standard input, blank and malformed lines, the reject file, running again,
# going on.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

counts() {
    jq -c '[.lines, .events, .accepted, .rejected, .duplicate, .conflict, .malformed, .first_seq, .last_seq]' out
}
asset='{"type":"asset","asset":"USDT","id":2,"scale":6}'
deposit() { # TS...
    local ts
    for ts in "$@"; do
        printf '{"type":"deposit","ts":%s,"user":7,"asset":"USDT","amount":"1"}\n' "$ts"
    done
}
balance() {
    settlectl --json balance 7 | jq -r .available
}

# ---- Malformed lines: reported, copied unchanged, counted; the others still count ----
{
    echo "$asset"
    deposit 1
    echo
    printf ' \t \r\n'
    printf '{"type":"deposit","ts":2,"user":7,"asset":"USDT","amount":"1"}\r\n'
    echo '{"type":"deposit","ts":3,"user":7,"asset":"USDT","amount":1}'
    printf '\377\376 no UTF-8\n'
    echo '{"type":"deposit","ts":4,"user":7,"asset":"NONE","amount":"1"}'
    deposit 5
    printf '{"type":"deposit","ts":6,"user":7,"asset":"USDT","amount":"1"}' # no newline at the end
} >mixed.ndjson
expect_status 1 settlectl --json ingest mixed.ndjson
expect_equal 'counts' "$(counts)" '[10,4,4,0,0,0,3,1,4]'
expect_equal 'the balance' "$(balance)" 4.000000
reject=$(jq -r 'select(.reject_file).reject_file' err)
expect_equal 'the reject file' "$(md5sum <"$reject")" "$(sed -n 6,8p mixed.ndjson | md5sum)"
case $reject in settle-data/rejects/*) ;; *) fail "rejects go to $reject" ;; esac

expect_status 1 settlectl ingest mixed.ndjson
grep -Eq '^mixed\.ndjson:6:[0-9]+: .' err || fail "no line 6 in: $(cat err)"
grep -Eq '^mixed\.ndjson:7:1: .' err || fail "no line 7 in: $(cat err)"
grep -Eq '^mixed\.ndjson:8:[0-9]+: .' err || fail "no line 8 in: $(cat err)"
grep -Eq 'rejects/' err || fail "the reject file is not named: $(cat err)"
expect_equal 'reject files' "$(find settle-data/rejects -type f | wc -l)" 2
grep -Eq '^duplicate +4$' out || fail "the summary: $(cat out)"
grep -Eq '^malformed +3$' out || fail "the summary: $(cat out)"
grep -Eq '^seconds +[0-9]+\.[0-9]{6}$' out || fail "the summary: $(cat out)"
expect_equal 'the balance after a second run' "$(balance)" 4.000000
expect_status 1 settlectl -q ingest mixed.ndjson
expect_equal 'the summary with -q' "$(cat out)" ''
grep -q '^mixed.ndjson:6:' err || fail '-q hides malformed lines'

expect_status 1 settlectl ingest <<<'{}'
grep -q '^-:1:' err || fail "standard input has no name: $(cat err)"

# ---- Several sources, in order; - is standard input ----
deposit 11 >a
deposit 12 >b
expect_status 0 settlectl --json ingest a - b < <(deposit 13)
expect_equal 'three sources' "$(counts)" '[3,3,3,0,0,0,0,13,15]'
expect_equal 'their order' "$(for id in 11 13 12; do settlectl --json trace deposit_7_2_$id | jq .seq; done | xargs)" '13 14 15'

# ---- Again, and on ----
expect_status 0 settlectl --json ingest a
expect_equal 'again: duplicates' "$(counts)" '[1,1,0,0,1,0,0,16,16]'
deposit 21 22 23 >growing
expect_status 0 settlectl --json ingest --resume growing
expect_equal 'resume of a new source' "$(counts)" '[3,3,3,0,0,0,0,17,19]'
expect_status 0 settlectl --json ingest --resume growing
expect_equal 'resume at the end' "$(counts)" '[0,0,0,0,0,0,0,null,null]'
deposit 24 25 >>growing
expect_status 0 settlectl --json ingest growing --resume
expect_equal 'resume behind the end' "$(counts)" '[2,2,2,0,0,0,0,20,21]'
cp growing other
expect_status 0 settlectl --json ingest --resume ./growing
expect_equal 'another path is another source' "$(jq -c '[.events, .duplicate]' out)" '[5,5]'
expect_equal 'the balance at the end' "$(balance)" 12.000000

# ---- A large input through a pipe ends on the same balances as through a file ----
awk 'BEGIN {
    print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
    for (i = 1; i <= 60000; i++)
        printf "{\"type\":\"%s\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"%d.%06d\"}\n",
               i % 5 ? "deposit" : "withdrawal", 1000 + i, 1 + i % 997, i % 100 + 1, i * 7919 % 1000000
}' >large.ndjson
expect_status 0 settlectl -D piped --json ingest < <(cat large.ndjson)
cp out piped.out
expect_status 0 settlectl -D filed --json ingest large.ndjson
expect_equal 'counts of both' "$(jq -c 'del(.seconds)' out)" "$(jq -c 'del(.seconds)' piped.out)"
settlectl -D piped --json balance >piped.balance
settlectl -D filed --json balance >filed.balance
cmp piped.balance filed.balance || fail 'pipe and file differ'
expect_equal 'rows' "$(wc -l <filed.balance)" 998
expect_status 0 settlectl -D filed --json replay
cmp out filed.balance || fail 'replay differs'
for directory in piped filed; do
    expect_status 0 settlectl -D $directory --json verify
    expect_equal "verify of $directory" "$(jq -c '[.ok, .events, .store]' out)" '[true,60000,"equal"]'
    expect_status 0 settlectl -D $directory --json replay --check
    expect_equal "replay --check of $directory" "$(jq -c '[.ok, .events, .store]' out)" '[true,60000,"equal"]'
done

# ---- The options of the JSON lines ----
expect_status 0 settlectl --json ingest --no-logs a
[ ! -e here ] || fail 'a log directory that nobody asked for'
expect_status 0 settlectl --json ingest --log-dir=here --no-logs a
[ ! -e here ] || fail '--no-logs made a log directory'
expect_status 0 settlectl --json ingest --log-dir here a
settlectl tail | cmp - here/settlement.log || fail '--log-dir: the lines of all runs'
