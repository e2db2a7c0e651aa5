#!/usr/bin/env bash
# Every exit status, and that with --json everything is NDJSON, errors included.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

segment=journal/00000000000000000001-000000.seg
deposit() { # USER TS
    printf '{"type":"deposit","ts":%s,"user":%s,"asset":"USDT","amount":"1"}\n' "$2" "$1"
}
expect_status 0 settlectl -D bank init --asset USDT=2:6
for i in 1 2 3 4 5; do deposit 7 "$i" | settlectl -q -D bank ingest; done

# expect_error STATUS WORD TEXT ARGUMENT...: an error for people and as one JSON object; nothing on standard output.
expect_error() {
    local status=$1 word=$2 text=$3
    shift 3
    expect_status "$status" settlectl "$@"
    expect_equal "output of $*" "$(cat out)" ''
    grep -qF -- "$text" err || fail "no '$text' in: $(cat err)"
    grep -q '^settlectl: ' err || fail "who speaks? $(cat err)"
    expect_status "$status" settlectl --json "$@"
    expect_equal "output of --json $*" "$(cat out)" ''
    expect_equal "error of --json $*" \
        "$(jq -sc '[length, .[0].error, .[0].status, (.[0] | keys_unsorted)]' err)" \
        "[1,\"$word\",$status,[\"error\",\"status\",\"message\",\"file\",\"offset\",\"seq\"]]"
    jq -e --arg text "$text" '.message | contains($text)' err >jq.out || fail "no '$text' in: $(cat err)"
}

# ---- 1: a negative answer ----
expect_error 1 not_found 'user 8 has no balance' -D bank balance 8
expect_error 1 not_found 'no asset "BTC" is declared' -D bank balance 7 BTC
expect_error 1 not_found 'user fees has no balance in USDT' -D bank balance fees USDT
expect_error 1 not_found 'no event has the id deposit_7_2_99' -D bank trace deposit_7_2_99
expect_error 1 not_found 'no event has this id' -D bank trace 'not an id!'
expect_error 1 conflict 'contradicts USDT=2:6' -D bank init --asset BTC=1:8 --asset USDT=2:7
expect_error 1 conflict 'segments have 67108864 bytes' -D bank init --segment-size 65536
expect_equal 'assets after a refused init' "$(settlectl -D bank --json stats | jq -c '[.assets[].asset]')" '["USDT"]'
for command in balance 'trace x' replay 'replay --check' verify inspect stats; do
    # shellcheck disable=SC2086 # two words
    expect_error 1 not_found 'No such file or directory' -D nowhere $command
    expect_equal 'the directory' "$(jq -r .file err)" nowhere
done
[ ! -e nowhere ] || fail 'a query created a directory'

# init again is fine, as are assets that are there.
expect_status 0 settlectl -D bank --json init --asset USDT=2:6 --segment-size 67108864
expect_equal 'init again' "$(cat out)" '{"directory":"bank","created":false,"assets":[{"asset":"USDT","id":2,"scale":6}]}'
expect_status 0 settlectl -D small init --segment-size 16385
expect_equal 'a size is rounded up' "$(settlectl -D small --json inspect | jq -s '.[0].segment_bytes')" 20480
expect_status 0 settlectl -D small init --segment-size 20480

# ---- 2: usage; cli_options.sh has the rest ----
expect_error 2 usage 'did you mean' blance

# ---- 3: corrupt data ----
cp -r bank broken
printf '\377' | dd of=broken/$segment bs=1 seek=700 conv=notrunc status=none
for command in balance replay 'replay --check' stats 'trace deposit_7_2_1'; do
    case $command in balance | trace*) continue ;; esac # these read no more than they need
    # shellcheck disable=SC2086
    expect_error 3 corrupt '' -D broken $command
    jq -e --arg file $segment '.file == $file and .offset >= 512 and .offset <= 700' err >jq.out || fail "place: $(cat err)"
done
expect_status 3 settlectl --json -D broken verify
expect_equal 'the verdict' "$(jq -c '[.ok, .fault.segment, (.fault.offset >= 512 and .fault.offset <= 700), .fault.seq >= 1, .fault.message != ""]' out)" \
    "[false,\"${segment#journal/}\",true,true,true]"
expect_status 3 settlectl -D broken verify
grep -q '^NOT ok: ' out || fail "verify for people: $(cat out)"
expect_status 3 settlectl --json -D broken inspect
expect_equal 'what is good is shown first' "$(jq -sc '[.[0].segments, .[1].ordinal]' out)" '[1,0]'
jq -e '.error == "corrupt" and .status == 3' err >jq.out || fail "$(cat err)"
expect_status 3 settlectl --json inspect broken/$segment
expect_error 3 corrupt '' inspect "$0"
expect_status 3 settlectl --json -D broken ingest </dev/null
jq -e '.error == "corrupt"' err >jq.out || fail "$(cat err)"

# ---- 4: busy ----
mkfifo pipe
"$SETTLECTL" -D bank -q ingest <pipe &
writer=$!
exec 3>pipe
deposit 7 6 >&3
for _ in $(seq 100); do
    [ "$(settlectl -D bank --json balance 7 | jq -r .available)" = 6.000000 ] && break
    sleep 0.05
done
expect_status 4 settlectl -D bank ingest </dev/null
grep -qw "$writer" err || fail "the holder's pid is not named: $(cat err)"
expect_status 4 settlectl -D bank --json ingest </dev/null
expect_equal 'busy as JSON' "$(jq -c '[.error, .status]' err)" '["busy",4]'
expect_status 4 settlectl -D bank init --asset BTC=1:8
expect_status 0 settlectl -D bank --json inspect
expect_equal 'the writer' "$(jq -sc '.[0] | [.writer, .writer_pid]' out)" "[true,$writer]"
exec 3>&-
wait "$writer"

# ---- 5: I/O ----
for command in balance replay verify stats inspect version help 'trace deposit_7_2_1' 'replay --check' \
    'init --asset USDT=2:6'; do
    status=0
    # shellcheck disable=SC2086
    settlectl -D bank $command >/dev/full 2>err || status=$?
    expect_equal "status of $command on a full disk" "$status" 5
    grep -q 'cannot write to standard output' err || fail "$command: $(cat err)"
    status=0
    # shellcheck disable=SC2086
    settlectl --json -D bank $command >/dev/full 2>err || status=$?
    expect_equal "status of --json $command on a full disk" "$status" 5
    expect_equal "error of --json $command" "$(jq -c '[.error, .status]' err)" '["io",5]'
    status=0
    # shellcheck disable=SC2086
    settlectl -D bank $command >&- 2>err || status=$?
    expect_equal "status of $command on a closed output" "$status" 5
done
status=0
deposit 7 7 | settlectl -D bank ingest >/dev/full 2>err || status=$?
expect_equal 'status of ingest on a full disk' "$status" 5
expect_equal 'the event was taken all the same' "$(settlectl -D bank --json balance 7 | jq -r .available)" 7.000000
status=0
deposit 7 8 | settlectl -D bank ingest >&- 2>&- || status=$?
expect_equal 'status of ingest with closed descriptors' "$status" 5
expect_status 0 settlectl -D bank --json verify # no message went into a file of ours
status=0
settlectl -D bank ingest <&- >out 2>err || status=$?
expect_equal 'status of ingest on a closed input' "$status" 5
expect_status 5 settlectl -D bank ingest /
expect_status 5 settlectl -D bank ingest absent.ndjson # an input that is not there is no answer
grep -q absent.ndjson err || fail "which file? $(cat err)"

# A reader that leaves early ends us without a word.
set +o pipefail
settlectl help 2>err | true
settlectl -D bank --json replay 2>>err | head -c 1 >out
expect_equal 'words to nobody' "$(cat err)" ''
