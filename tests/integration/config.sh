#!/usr/bin/env bash
# settle.json in the data directory: what it may say, and that anything else is refused with its place.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

expect_status 0 settlectl init --asset USDT=2:6
config=settle-data/settle.json
ts=0
run() {
    ts=$((ts + 1))
    printf '{"type":"deposit","ts":%s,"user":7,"asset":"USDT","amount":"1"}\n' $ts >event
    expect_status "$1" settlectl --json ingest event
}
good() {
    printf '%s' "$1" >$config
    run 0
}
bad() { # TEXT LINE:BYTE WORDS
    printf '%b' "$1" >$config
    run 2
    expect_equal "output for $1" "$(cat out)" ''
    expect_equal "error for $1" "$(jq -c '[.error, .status, .file]' err)" "[\"invalid\",2,\"$config\"]"
    jq -r .message err | grep -qF -- "$config:$2: $3" || fail "no '$2: $3' in $(cat err)"
}

good '{}'
good ' { } '
good '{"commit_events_max":1}'
good '{"commit_events_max":65536,"commit_interval_us_max":0,"checkpoint_interval_ms":1,"checkpoint_events_max":1}'
good '{
  "checkpoint_events_max" : 4194304 ,
	"commit_interval_us_max":60000000
}
'
good '{"\u0063ommit_events_max":64}'
good '{"lines":{}}'
good '{"commit_events_max":64,"lines":{"rotate_bytes":9007199254740992,"keep_days":36500,"keep_bytes":0,"compress":true,
    "sample_per_million":1000000,"free_bytes_min":0},"checkpoint_interval_ms":100}'

bad '' 1:1 'no JSON here'
bad '{"commit_events_max":}' 1:22 'no JSON here'
bad '{} {}' 1:4 'no JSON here'
bad '[1]' 1:1 'not a JSON object'
bad '\n  7' 2:3 'not a JSON object'
bad '{"commit_event_max":1}' 1:2 'unknown member "commit_event_max"'
bad '{"commit_events_max":1,\n "x":[{"commit_events_max":","}],"y":2}' 2:2 'unknown member "x"'
bad '{"commit_events_max":1,\n "commit_events_max":1}' 2:2 'member "commit_events_max" is given twice'
for value in 0 65537 -1 1.0 1e3 01 '"1"' null true '[1]' '{"a":1}' 99999999999999999999 18446744073709551617; do
    bad "{\"commit_events_max\": $value}" 1:23 '"commit_events_max" must be an integer from 1 to 65536'
done
bad '{"checkpoint_interval_ms":1,"commit_interval_us_max":60000001}' 1:54 '"commit_interval_us_max" must be'
bad '{"lines":1}' 1:10 '"lines" must be an object'
bad '{"lines":[]}' 1:10 '"lines" must be an object'
bad '{"lines":{},"lines":{}}' 1:13 'member "lines" is given twice'
bad '{"lines":{\n"keep_day":1}}' 2:1 'unknown member "keep_day"'
bad '{"lines":{"commit_events_max":1}}' 1:11 'unknown member "commit_events_max"'
bad '{"keep_days":1}' 1:2 'unknown member "keep_days"'
bad '{"lines":{"keep_days":1,"keep_days":1}}' 1:25 'member "keep_days" is given twice'
for value in 1 0 '"true"' null '[]'; do
    bad "{\"lines\":{\"compress\":$value}}" 1:22 '"compress" must be true or false'
done
for value in -1 1.5 true 9007199254740993 36893488147419103232; do
    bad "{\"lines\":{ \"rotate_bytes\": $value}}" 1:28 '"rotate_bytes" must be an integer from 0 to 9007199254740992'
done
bad '{"lines":{"sample_per_million":1000001}}' 1:32 '"sample_per_million" must be an integer from 0 to 1000000'
bad '\0357\0273\0277{}' 1:1 'a byte-order mark is no JSON'
printf '{}\0' >$config
run 2
jq -r .message err | grep -qF "$config:1:3: a byte 0 is no JSON" || fail "$(cat err)"
head -c 70000 /dev/zero | tr '\0' ' ' >$config
run 2
jq -r .message err | grep -qF 'longer than 65536 bytes' || fail "$(cat err)"
rm $config && mkdir $config
run 5
rmdir $config

# Queries and init do not read it.
printf 'x' >$config
for command in balance verify stats 'init --asset BTC=1:8'; do
    # shellcheck disable=SC2086 # two words
    expect_status 0 settlectl $command
done
expect_status 2 settlectl ingest event
grep -q "^settlectl: $config:1:1: no JSON here" err || fail "$(cat err)"
rm $config
run 0
expect_equal 'what came in' "$(settlectl --json stats | jq .events)" 9

# The settings that differ are in the operational log; the other commands of the lines read them too.
echo '{"commit_events_max":64,"lines":{"keep_days":7,"compress":true}}' >$config
run 0
jq -r .message logs/operations.log | grep -qx 'settings that differ from the defaults: commit_events_max=64 lines.keep_days=7 lines.compress=1' ||
    fail "$(cat logs/operations.log)"
printf 'x' >$config
for command in 'logs verify' 'logs rebuild' 'tail --log-dir l'; do
    # shellcheck disable=SC2086 # two words
    expect_status 2 settlectl $command
done
expect_status 0 settlectl tail
