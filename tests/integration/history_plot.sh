#!/usr/bin/env bash
# history --plot: the balance drawn in a terminal and as SVG.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
unset LC_ALL LC_CTYPE NO_COLOR COLUMNS
export LANG=C TERM=xterm

cat >events.ndjson <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000"}
{"type":"withdrawal","ts":1733856660000,"user":1001,"asset":"USDT","amount":"250"}
{"type":"deposit","ts":1733856720000,"user":1001,"asset":"USDT","amount":"1250"}
{"type":"deposit","ts":1733856700000,"user":1001,"asset":"USDT","amount":"0.000001"}
{"type":"deposit","ts":1733856780000,"user":7,"asset":"USDT","amount":"1","event_id":"a"}
{"type":"deposit","ts":1733856780000,"user":7,"asset":"USDT","amount":"1","event_id":"b"}
END
expect_status 0 settlectl -q ingest --no-logs events.ndjson

# ---- In ASCII, exactly, on something that is no terminal ----
expect_status 0 settlectl history 1001 USDT --plot --limit 3
cp out three
COLUMNS=40 expect_status 0 settlectl history 1001 USDT --plot --until 3
cat >expected <<'END'
user 1001, USDT: available
3 changes by event time, 2024-12-10T18:50:00Z to 2024-12-10T18:52:00Z
lowest 750.000000, highest 2000.000000, last 2000.000000

2000.000000 +                         +-
            |                         |
            |                         |
            |                         |
1500.000000 +                         |
            |                         |
            |                         |
1000.000000 ++------------+           |
            ||            |           |
            ||            +-----------+
            ||
 500.000000 +|
            ||
            ||
            ||
   0.000000 ++
            ++------------+-----------+-
           18:50        18:51
END
diff out expected || fail 'the drawing'
expect_equal 'no messages' "$(cat err)" ''
grep -q '^3 changes by event time, 2024-12-10T18:51:00Z to 2024-12-10T18:52:00Z$' three || fail "--limit: $(sed 1d three)"
grep -q '^lowest 750.000000, highest 2000.000001, last 2000.000001; event times that go back: 1' three ||
    fail "a change whose time goes back: $(head -n 3 three)"
expect_equal 'the width without a terminal' "$(sed 1,4d three | wc -L)" 80
COLUMNS=133 expect_status 0 settlectl history 1001 USDT --plot
expect_equal 'the width of COLUMNS' "$(sed 1,4d out | wc -L)" 133
LANG=C.UTF-8 expect_status 0 settlectl history 1001 USDT --plot
grep -q '┤' out || fail 'no box characters in UTF-8'
LANG=C.UTF-8 LC_ALL=C expect_status 0 settlectl history 1001 USDT --plot
! grep -qP '[^\x00-\x7f]' out || fail 'LC_ALL counts more than LANG'
expect_status 0 settlectl history 7 USDT --plot
grep -q '^2 changes of one event time, by version$' out || fail 'one time'

# ---- Colour on a terminal alone, and never with NO_COLOR ----
on_terminal() {
    script -qec "stty cols 60 rows 40; '$SETTLECTL' history 1001 USDT --plot" /dev/null </dev/null | tr -d '\r'
}
if command -v script >/dev/null; then
    on_terminal >out
    grep -q $'\033\[36m' out || fail 'no colour on a terminal'
    expect_equal 'the width of the terminal' "$(sed -e 1,4d -e $'s/\033\\[[0-9]*m//g' out | wc -L)" 60
    NO_COLOR=1 on_terminal | grep -q $'\033' && fail 'colour in spite of NO_COLOR'
    TERM=dumb on_terminal | grep -q $'\033' && fail 'colour on a dumb terminal'
fi
grep -q $'\033' three && fail 'colour in a file'

# ---- SVG ----
expect_status 0 settlectl history 1001 USDT -o chart.svg
expect_equal 'nothing else' "$(cat out)" ''
expect_equal 'a note' "$(cat err)" 'settlectl: drew 4 changes into chart.svg'
expect_status 0 settlectl -q history 1001 USDT --plot -o -
diff out chart.svg || fail '-o - is the file'
grep -q 'prefers-color-scheme: dark' chart.svg || fail 'not for dark pages'
if command -v xmllint >/dev/null; then
    xmllint --noout chart.svg || fail 'not well formed'
elif command -v python3 >/dev/null; then
    python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("chart.svg")' || fail 'not well formed'
fi
expect_status 0 settlectl --json history 1001 USDT --limit 2 -o chart.svg
expect_equal 'as JSON' "$(cat out)" '{"file":"chart.svg","changes":2}'

# ---- A peak of one row among thousands is in the drawing ----
{
    for i in $(seq 3000); do
        printf '{"type":"deposit","ts":%d,"user":9,"asset":"USDT","amount":"0.000001"}\n' $((1800000000000 + i))
    done
    echo '{"type":"deposit","ts":1800000001500,"user":9,"asset":"USDT","amount":"4000","event_id":"up"}'
    echo '{"type":"withdrawal","ts":1800000001500,"user":9,"asset":"USDT","amount":"4000","event_id":"down"}'
} | expect_status 0 settlectl -q ingest --no-logs -
expect_status 0 settlectl history 9 USDT --plot
grep -q '^4000.000000 + *+$' out || fail "no peak: $(cat out)"

# ---- What it refuses ----
expect_status 2 settlectl --json history 1001 USDT --plot
expect_equal 'the reason' "$(jq -r .error err)" usage
expect_status 1 settlectl history 1001 USDT --plot --since 99999
expect_equal 'nothing to draw' "$(cat err)" 'settlectl: no change of user 1001 in USDT is in this range'
expect_status 1 settlectl history 1002 USDT --plot
expect_status 5 settlectl history 1001 USDT -o missing/chart.svg
expect_status 5 settlectl history 1001 USDT -o /dev/full
expect_status 2 settlectl balance --plot
