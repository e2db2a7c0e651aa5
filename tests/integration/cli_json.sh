#!/usr/bin/env bash
# With --json every line of every command is one JSON object, on both outputs; integers above 2^53 are strings.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

# all_objects FILE
all_objects() {
    jq -c 'type' "$1" >types || fail "no JSON in $1: $(cat "$1")"
    if grep -qv '^"object"$' types; then fail "something else than objects: $(cat "$1")"; fi
    expect_equal "lines of $1" "$(wc -l <types)" "$(wc -l <"$1")"
}
run() {
    settlectl --json "$@" >out 2>err || true
    all_objects out
    all_objects err
    [ -s out ] || [ -s err ] || fail "no output at all: $*"
}

run init --asset USDT=2:6
cat >events.ndjson <<'END'
{"type":"deposit","ts":9007199254740992,"user":9223372036854775807,"asset":"USDT","amount":"170141183460469231731687303715882.105727"}
{"type":"deposit","ts":1,"user":9007199254740992,"asset":"USDT","amount":"1"}
{"type":"deposit","ts":1,"user":9007199254740993,"asset":"USDT","amount":"1"}
{"type":"deposit","ts":1,"user":7,"asset":"USDT","amount":"170141183460469231731687303715884.105727"}
this is no event
{"type":"deposit","ts":1,"user":7,"asset":"NONE","amount":"1"}
{"type":"deposit","ts":1,"user":7,"asset":"USDT","amount":"1","\u0022\n":"x"}
END
printf '{"type":"deposit","ts":1,"user":7,"asset":"\377\376","amount":"1"}\n' >>events.ndjson
run ingest events.ndjson
expect_equal 'outcomes' "$(jq -c '[.accepted, .rejected, .malformed]' out)" '[3,1,4]'
expect_equal 'malformed lines' "$(jq -c 'select(.error == "malformed") | .line' err | xargs)" '5 6 7 8'
expect_equal 'places' "$(jq -c 'select(.error == "malformed") | (.file == "events.ndjson" and .byte >= 1 and .message != "")' err | sort -u)" true
expect_equal 'reject files' "$(jq -r 'select(.reject_file).reject_file' err | wc -l)" 1
run ingest events.ndjson
run ingest absent
run balance
expect_equal 'users' "$(jq -c .user out | xargs)" '9007199254740992 9007199254740993 9223372036854775807 external'
expect_equal 'their types' "$(jq -r '.user | type' out | xargs)" 'number string string string'
expect_equal 'a large amount' "$(jq -r 'select(.user == "9223372036854775807").available' out)" \
    170141183460469231731687303715882.105727
run trace deposit_9223372036854775807_2_9007199254740992
expect_equal 'a large user and time' "$(jq -c '[.ts, .effects[0].user]' out)" '[9007199254740992,"9223372036854775807"]'
expect_status 0 settlectl trace deposit_9223372036854775807_2_9007199254740992 # a time behind the year 9999
run trace deposit_7_2_1
expect_equal 'why' "$(jq -r .reason out)" balance_overflow
run trace "$(printf 'x\377\n"')"
run balance 9223372036854775807 USDT
run balance 5
run replay
run replay --check
run verify
run inspect
run inspect settle-data/journal/00000000000000000001-000000.seg
run inspect absent
run stats
run version
run help
run help ingest
run --help
run --version
run
run --unknown
run blance
run replay --into settle-data
mkdir -p "$(printf 'odd\377"\n')"
run -D "$(printf 'odd\377"\n')/x" init
run -D "$(printf 'odd\377"\n')/absent" verify

# A log message of the engine is JSON too: a store that is damaged is rebuilt, and said so.
dd if=/dev/urandom of=settle-data/store/data.mdb bs=4096 count=4 conv=notrunc status=none
run balance 9007199254740992
expect_equal 'the answer' "$(jq -r .available out)" 1.000000
expect_equal 'the warning' "$(jq -r .level err)" warning
run ingest /dev/null
jq -se 'any(.level == "warning" and (.message | contains("store")))' err >jq.out || fail "no word about the store: $(cat err)"
run ingest /dev/null
expect_equal 'the second time' "$(cat err)" ''
