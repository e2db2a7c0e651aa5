#!/usr/bin/env bash
# settlectl bench on a few events: what it prints, draws, leaves behind and refuses. No figure is judged.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

# ---- For programs, with a chart ----
expect_status 0 settlectl --json bench --quick --events 3000 --runs 2 -o chart.svg
expect_equal 'messages' "$(cat err)" ''
expect_equal 'what is left behind' "$(find . -mindepth 1 | sort | xargs)" './chart.svg ./err ./out'
jq -es 'length > 25' out >jq.out || fail "not lines of JSON: $(cat out)"

machine=$(head -n 1 out)
jq -e '.figure == "machine" and .events == 3000 and .runs == 2 and .seed == 1 and .cores >= 1
    and (.load | length) == 3 and (.optimised | type) == "boolean"' <<<"$machine" >jq.out || fail "machine: $machine"
for member in version cpu kernel filesystem compiler; do
    jq -e --arg member "$member" '.[$member] | type == "string" and . != ""' <<<"$machine" >jq.out ||
        fail "the machine has no $member: $machine"
done
expect_equal 'the version' "$(jq -r .version <<<"$machine")" "$(settlectl version --json | jq -r .version)"

# Every figure has all its runs, lies between them, and has a ratio to a figure that is there.
tail -n +2 out >figures
jq -es '(map(.figure) + ["raw record"]) as $names | all(
    (.runs | length) == 2 and .median >= (.runs | min) and .median <= (.runs | max)
    and (.ratio | type) == "number" and .ratio >= 0 and ([.ratio_to] | inside($names))
    and ([.unit] | inside(["per_second", "ns", "bytes"])))' figures >jq.out || fail "figures: $(cat figures)"
expected='api-1-uniform api-1-zipf api-100-uniform api-100-zipf api-32-threads api-8192-uniform api-8192-zipf
    api-async-8192-uniform api-async-8192-zipf balance-get balance-get-p99 ingest-lines-uniform ingest-uniform ingest-zipf
    journal-bytes lifecycle-get lifecycle-get-p99 open-after-kill paced-max paced-p50 paced-p99 paced-p99.9 raw rebuild
    recovery replay store-bytes sync-p50 sync-p99 sync-p99.9 verify'
expect_equal 'the figures' "$(jq -r .figure figures | LC_ALL=C sort | xargs)" "$(xargs <<<"$expected")"
expect_equal 'the ratio of the limit' "$(jq -c 'select(.figure == "raw") | [.ratio, .ratio_to]' figures)" '[1,"raw"]'
jq -es 'map(select(.figure | startswith("paced-p"))) | .[0].median <= .[1].median and .[1].median <= .[2].median' \
    figures >jq.out || fail 'percentiles are not in order'
jq -es 'map(select(.unit == "per_second" and .figure != "recovery")) | all(.median > 0)' figures >jq.out ||
    fail "a rate is nothing: $(cat figures)"

if command -v xmllint >/dev/null; then
    xmllint --noout chart.svg || fail 'the chart is no XML'
fi
grep -q '^<svg xmlns="http://www.w3.org/2000/svg"' chart.svg || fail "no chart: $(head -n 1 chart.svg)"
expect_equal 'bars' "$(grep -c 'class="bar"' chart.svg)" \
    "$(jq -s 'map(select(.unit == "per_second" and .median > 0)) | length' figures)"

# ---- For people, elsewhere ----
mkdir elsewhere
expect_status 0 settlectl bench --quick --events 2000 --runs 1 --directory elsewhere
expect_equal 'what is left there' "$(ls -A elsewhere)" ''
expect_equal 'messages' "$(cat err)" ''
grep -q '^the raw limit: .* raw$' out || fail "no raw limit: $(cat out)"
grep -q "^libsettle $(settlectl version --json | jq -r .version)," out || fail 'no version'
grep -q '^figure  *median  *least  *most  *ratio  *to$' out || fail "no head: $(cat out)"

# ---- Interrupted: nothing stays ----
"$SETTLECTL" bench --events 200000 --runs 50 --directory elsewhere >out 2>err &
bench=$!
until [ -n "$(ls -A elsewhere)" ]; do sleep 0.05; done
sleep 0.3
kill -INT "$bench"
status=0
wait "$bench" || status=$?
expect_equal 'the status of an interrupted bench' "$status" 130
expect_equal 'what it leaves' "$(ls -A elsewhere)" ''

# ---- Refused before anything is measured ----
for events in 0 x 50000001 -1; do
    expect_status 2 settlectl bench --events="$events"
    grep -q 'not a number from 1 to 50000000' err || fail "--events $events: $(cat err)"
done
expect_status 2 settlectl bench --runs 100
expect_status 2 settlectl bench now
expect_status 5 settlectl bench --quick -o nowhere/chart.svg
grep -q 'cannot write nowhere/chart.svg' err || fail "chart: $(cat err)"
expect_status 5 settlectl bench --quick --directory nowhere
expect_status 5 settlectl -D nowhere/data bench --quick
grep -q 'nowhere' err || fail "directory: $(cat err)"
