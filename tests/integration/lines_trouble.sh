#!/usr/bin/env bash
# Trouble with the log files is never the trouble of the events: it is told, and the lines are caught up.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

ts=0
event() { # prints a deposit that was never there
    ts=$((ts + 1))
    printf '{"type":"deposit","ts":%s,"user":7,"asset":"USDT","amount":"1"}\n' $ts
}
same() { # DIR: what lies there is the whole journal
    settlectl -D bank tail | cmp - "$1/settlement.log" || fail "$1 is not the journal"
}
expect_status 0 settlectl -D bank init --asset USDT=2:6

# ---- A directory that was asked for must be usable, before any event is read ----
event >one
touch file
expect_status 5 settlectl -D bank ingest --log-dir file one
expect_status 5 settlectl -D bank ingest --log-dir no/such/parent one
expect_status 5 settlectl -D bank --json ingest --log-dir file/below one
jq -e '.status == 5 and (.message | length > 0)' err >jq.out || fail "$(cat err)"
expect_equal 'events' "$(settlectl -D bank --json stats | jq .events)" 0
expect_status 0 settlectl -D other -q ingest --no-logs "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
"$SETTLECTL" -D other tail --follow --log-dir taken &
follower=$!
for _ in $(seq 100); do
    [ ! -s taken/settlement.log ] || break
    sleep 0.02
done
expect_status 4 settlectl -D bank ingest --log-dir taken one
grep -q "$follower" err || fail "the pid is not named: $(cat err)"
expect_equal 'events' "$(settlectl -D bank --json stats | jq .events)" 0

# The one by default is done without, with a warning.
ln -s taken logs
expect_status 0 settlectl -D bank --json ingest one
expect_equal 'accepted' "$(jq .accepted out)" 1
jq -e 'select(.level == "warning") | .message | contains("no JSON lines")' err >jq.out || fail "$(cat err)"
kill -TERM $follower
wait $follower || true
rm logs
touch logs
event >one
expect_status 0 settlectl -D bank -q ingest one
grep -q '^settlectl: warning: no JSON lines are written now' err || fail "$(cat err)"
rm logs
event >one
expect_status 0 settlectl -D bank -q ingest one # all three runs are caught up
expect_equal 'messages' "$(cat err)" ''
same logs
expect_equal 'lines' "$(wc -l <logs/settlement.log)" 9
expect_equal 'modes' "$(stat -c %a logs logs/settlement.log logs/operations.log | paste -sd' ')" '750 640 640'

# ---- What a crash leaves: torn, zeroed, a lost position ----
for damage in 'printf {"timest' 'head -c 5000 /dev/zero' 'true'; do
    $damage >>logs/settlement.log
    [ "$damage" != true ] || rm logs/.settlement.position
    event >one
    expect_status 0 settlectl -D bank -q ingest one
    same logs
done
head -c -100 logs/settlement.log >cut
cat cut >logs/settlement.log # torn within what the position knows
rm logs/.settlement.position
event >one
expect_status 0 settlectl -D bank -q ingest one
same logs

# ---- Deleted by somebody: history does not come again, what comes goes on; also while it is being written ----
mkfifo pipe
"$SETTLECTL" -D bank -q ingest --log-dir logs pipe &
writer=$!
exec 9>pipe
wait_for() { # N lines in the current file
    for _ in $(seq 200); do
        [ "$(wc -l 2>/dev/null <logs/settlement.log || echo 0)" -lt "$1" ] || return 0
        sleep 0.02
    done
    fail "not $1 lines: $(ls -la logs)"
}
before=$(wc -l <logs/settlement.log)
event >&9
wait_for $((before + 3))
rm logs/settlement.log
sleep 0.6 # so often it is looked after
event >&9
wait_for 3
mv logs/settlement.log aside # as logrotate does with create
sleep 0.6
event >&9
wait_for 3
exec 9>&-
wait $writer
expect_equal 'lines behind the deleted ones' "$(cat aside logs/settlement.log | wc -l)" 6
settlectl -D bank tail | tail -n 6 | cmp - <(cat aside logs/settlement.log) || fail 'other lines behind the deleted ones'
expect_status 0 settlectl -D bank -q logs rebuild
same logs

# ---- Little space: the lines pause, the events do not ----
echo '{"lines":{"free_bytes_min":9007199254740992}}' >bank/settle.json
before=$(wc -l <logs/settlement.log)
event >one
expect_status 0 settlectl -D bank --json ingest one
expect_equal 'accepted' "$(jq .accepted out)" 1
jq -e 'select(.level == "warning") | .message | contains("some JSON lines are not written")' err >jq.out || fail "$(cat err)"
expect_equal 'lines' "$(wc -l <logs/settlement.log)" "$before"
tail -n 3 logs/operations.log | jq -e -s 'any(.level == "WARN" and (.message | contains("not written")))' >jq.out ||
    fail "$(tail -n 3 logs/operations.log)"
expect_status 5 settlectl -D bank tail --log-dir logs
rm bank/settle.json
expect_status 0 settlectl -D bank -q ingest /dev/null
same logs

# ---- The operational log ----
jq -e -s 'all(has("timestamp") and has("level") and .target == "settlectl" and has("message"))' logs/operations.log >jq.out ||
    fail "$(cat logs/operations.log)"
for words in 'settlectl [0-9.]* ingest begins: directory bank, lines to logs' 'settings that differ .*lines.free_bytes_min=' \
    'ingest ends with status 0: lines 1, events 1, accepted 1' 'lines caught up: [0-9]* lines'; do
    jq -r .message logs/operations.log | grep -q "^$words" || fail "no '$words' in $(cat logs/operations.log)"
done
rm logs/operations.log
mkdir logs/operations.log
event >one
expect_status 0 settlectl -D bank -q ingest one
expect_equal 'messages' "$(cat err)" ''
rmdir logs/operations.log
ln -s ../elsewhere logs/operations.log
expect_status 0 settlectl -D bank -q ingest one
[ ! -e elsewhere ] || fail 'a symbolic link was followed'
rm logs/operations.log
same logs

# ---- Another journal into the same directory: its lines begin, those that were there are kept ----
settlectl -D bank tail >bank.lines
expect_status 0 settlectl -D other -q ingest /dev/null
settlectl -D other tail | cmp - logs/settlement.log || fail 'the other journal'
cat logs/settlement.log.2* | cmp - bank.lines || fail 'the first journal'"'"'s lines are gone'

# ---- A full disk, where one can be made ----
mkdir small
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=256k none small 2>/dev/null; then
    echo 'a full disk: not here'
    exit 0
fi
trap 'umount small 2>/dev/null || true; clean_up' EXIT
echo '{"lines":{"free_bytes_min":0}}' >bank/settle.json
for _ in $(seq 500); do event; done >many
expect_status 0 settlectl -D bank -q ingest --log-dir small /dev/null # the lines so far fit, however the others come
expect_status 0 settlectl -D bank --json ingest --log-dir small many
expect_equal 'accepted' "$(jq .accepted out)" 500
jq -e 'select(.level == "warning") | .message | contains("some JSON lines are not written")' err >jq.out || fail "$(cat err)"
expect_status 0 settlectl -D bank verify
expect_status 0 settlectl -D bank --json logs verify --log-dir small
expect_equal 'whole lines only' "$(jq -c '[.ok, .torn_bytes, .lines_after > 0, .lines > 0]' out)" '[true,0,true,true]'
mount -o remount,size=8m small
expect_status 0 settlectl -D bank -q ingest --log-dir small /dev/null
same small
umount small
