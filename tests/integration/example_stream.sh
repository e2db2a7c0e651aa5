#!/usr/bin/env bash
# The stream that ships with the project ends as the README says it does, and a second run moves nothing.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
stream=$SETTLE_SOURCE_DIR/docs/examples/events.ndjson

counts() {
    jq -c '[.lines, .events, .accepted, .rejected, .duplicate, .conflict, .malformed]' <<<"$(tail -n 1 out)"
}

expect_balances() {
    expect_status 0 settlectl --json balance 1001
    expect_equal 'the balance of 1001' "$(jq -r '[.asset, .available] | join(" ")' out)" \
        $'BTC 0.00599400\nUSDT 774.032650\nETH 0.100000000000000000'
}

expect_status 0 settlectl --json ingest "$stream"
expect_equal 'the first run' "$(counts)" '[34,31,28,1,1,1,0]'
expect_balances

expect_status 0 settlectl --json trace deposit_1001_2_1733856600000
expect_equal 'the steps' "$(jq -c '[.steps[].step]' out)" '["CONSUMED","VALIDATED","PERSISTED"]'
expect_equal 'the effects' "$(jq -c '[.effects[] | [.user, .delta, .after]]' out)" \
    '[[1001,"1000.500000","1000.500000"],["external","-1000.500000","-1000.500000"]]'

expect_status 0 settlectl --json ingest "$stream"
expect_equal 'the second run' "$(counts)" '[34,31,0,0,30,1,0]'
expect_balances

expect_status 0 settlectl --json verify
expect_equal 'verify' "$(tail -n 1 out | jq .ok)" true
expect_status 0 settlectl --json replay --check
expect_equal 'replay --check' "$(tail -n 1 out | jq .ok)" true
