#!/usr/bin/env bash
# The store is a projection: lost, damaged or another journal's, the answers stay, and the next writer builds it again.
# A directory that cannot be written answers too.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

awk 'BEGIN {
    print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
    for (i = 1; i <= 3000; i++)
        printf "{\"type\":\"deposit\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"%d\"}\n", i, 1 + i % 300, i
}' >stream.ndjson
expect_status 0 settlectl -D bank --json ingest stream.ndjson
settlectl -D bank --json balance >expected
settlectl -D bank --json trace deposit_2_2_1 >expected.trace

expect_answers() { # WHAT
    expect_status 0 settlectl -D bank --json balance
    cmp out expected || fail "$1: other balances"
    expect_status 0 settlectl -D bank --json trace deposit_2_2_1
    cmp out expected.trace || fail "$1: another life"
    expect_status 1 settlectl -D bank --json trace deposit_2_2_2
    expect_status 0 settlectl -D bank --json replay
    cmp out expected || fail "$1: replay"
}
expect_rebuilt() { # WHAT
    expect_status 0 settlectl -D bank --json ingest stream.ndjson
    expect_equal "$1: the ids are known again" "$(jq -c '[.accepted, .duplicate]' out)" '[0,3000]'
    expect_status 0 settlectl -D bank --json verify
    expect_equal "$1: verify" "$(jq -c '[.ok, .store, .accounts, .ids]' out)" '[true,"equal",301,3000]'
    settlectl -D bank --json balance | cmp - expected || fail "$1: other balances after the rebuild"
}
settlectl -D bank --json ingest stream.ndjson >out # arrivals, which the trace lists from now on
settlectl -D bank --json trace deposit_2_2_1 >expected.trace
expect_answers 'as it is'

# ---- Deleted ----
rm -r bank/store
expect_answers deleted
[ ! -e bank/store ] || fail 'a query made a store'
expect_status 0 settlectl -D bank --json verify
expect_equal 'verify without a store' "$(jq -c '[.ok, .store]' out)" '[true,"absent"]'
expect_status 0 settlectl -D bank --json replay --check
expect_equal 'replay --check without a store' "$(jq -c '[.ok, .store]' out)" '[true,"absent"]'
cp -r bank before
expect_rebuilt deleted

# ---- Damaged: a query warns and answers, verify tells, the next writer sets it aside ----
rm -r bank && cp -r before bank && settlectl -D bank -q ingest /dev/null
dd if=/dev/urandom of=bank/store/data.mdb bs=4096 count=4 conv=notrunc status=none
settlectl -D bank --json balance >out 2>err
cmp out expected || fail 'damaged: other balances'
grep -q '"level":"warning"' err || fail 'damaged: no warning'
expect_status 3 settlectl -D bank --json verify
expect_equal 'verify of a damaged store' "$(jq -c '[.ok, .store]' out)" '[false,"damaged"]'
expect_status 1 settlectl -D bank --json replay --check
expect_equal 'replay --check of a damaged store' "$(jq -c '[.ok, .store]' out)" '[false,"damaged"]'
expect_answers damaged
expect_rebuilt damaged
find bank -maxdepth 1 -name 'store.damaged-*' | grep -q . || fail 'the damaged store was not kept'

# ---- Of another journal ----
rm -r bank && cp -r before bank
expect_status 0 settlectl -D other --json ingest stream.ndjson
cp -r other/store bank/store
expect_answers 'of another journal'
expect_status 3 settlectl -D bank --json verify
expect_rebuilt 'of another journal'

# ---- Ahead of the journal: acknowledged events are gone ----
rm -r bank && cp -r before bank && settlectl -D bank -q ingest /dev/null
segment=$(find bank/journal -name '*.seg' | sort | tail -n 1)
truncate -s 20000 "$segment"
expect_status 3 settlectl -D bank --json verify
expect_equal 'verify of a journal that was cut' "$(jq -c '[.ok, .fault.message != ""]' out)" '[false,true]'

# ---- A directory that cannot be written ----
rm -r bank && cp -r before bank && settlectl -D bank -q ingest /dev/null
reader=()
if [ "$(id -u)" -eq 0 ]; then # root could write anyway
    command -v setpriv >/dev/null || skip 'no setpriv to read as somebody else'
    chown -R 65534:65534 bank "$work"
    reader=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    "${reader[@]}" test -x "$SETTLECTL" || skip 'the program cannot be reached by others'
fi
chmod -R a-w bank
find bank -type f -exec md5sum {} + | sort >before.sums
for command in balance 'trace deposit_2_2_1' replay 'replay --check' verify stats inspect; do
    # shellcheck disable=SC2086 # two words
    expect_status 0 "${reader[@]}" "$SETTLECTL" -D bank --json $command
    expect_equal "messages of $command" "$(cat err)" ''
done
expect_status 0 "${reader[@]}" "$SETTLECTL" -D bank --json balance
cmp out expected || fail 'read-only: other balances'
expect_status 0 "${reader[@]}" "$SETTLECTL" -D bank --json verify
expect_equal 'read-only: verify' "$(jq -c '[.ok, .store]' out)" '[true,"equal"]'
expect_status 5 "${reader[@]}" "$SETTLECTL" -D bank --json ingest /dev/null
jq -e '.status == 5' err >jq.out || fail "$(cat err)"
find bank -type f -exec md5sum {} + | sort | cmp - before.sums || fail 'a query changed something'

# ---- A read-only mount beside a live writer: the store cannot be read there, and the journal answers alone ----
chmod -R u+w bank && rm -r bank && cp -r before bank && settlectl -D bank -q ingest --no-logs /dev/null
mkdir -p fifo.d ro
if mount --bind bank ro 2>/dev/null && mount -o remount,bind,ro ro 2>/dev/null; then
    mkfifo fifo.d/in
    settlectl -D bank -q ingest --no-logs - <fifo.d/in >/dev/null 2>writer.err &
    writer=$!
    exec 9>fifo.d/in
    for ((i = 0; i < 100; i++)); do
        settlectl -D bank inspect | grep -q 'writer.*pid' && break
        sleep 0.1
    done
    settlectl -D bank --json balance >expected.ro
    failed=''
    for command in balance 'balance 2 USDT --at-seq 3000' 'trace deposit_2_2_1' 'history 2 USDT' stuck verify 'replay --check' stats inspect; do
        # shellcheck disable=SC2086 # words
        settlectl -D ro --json $command >out 2>err || failed+=" '$command' ($(head -1 err))"
    done
    settlectl -D ro --json balance 2>/dev/null | cmp - expected.ro || failed+=' other balances'
    settlectl -D ro verify 2>/dev/null | grep -q 'in use, not compared' || failed+=' verify does not tell'
    exec 9>&-
    wait $writer || failed+=" the writer: $(cat writer.err)"
    umount ro
    [ -z "$failed" ] || fail "beside a writer on a read-only mount:$failed"
fi
