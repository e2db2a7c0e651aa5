#!/usr/bin/env bash
# prove and settle-check-proof: a receipt for each event of the example stream, forged ones, two seals and the history between.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

check() {
    "$SETTLE_BUILD_DIR/settle-check-proof" "$@"
}
settlectl -D bank seal --new-key bank.pem 2>/dev/null
settlectl -D bank seal --new-key other.pem 2>/dev/null
settlectl -D bank init --asset USDT=2:6
settlectl -D bank -q seal --key bank.pem >none.seal
settlectl -D bank -q ingest --no-logs "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
settlectl -D bank -q seal --key bank.pem >a.seal
events=$(sed -n 2p a.seal)

# ---- Every event of the stream ----
mapfile -t ids < <(settlectl -D bank --json trace --prefix deposit | jq -r .event_id
    settlectl -D bank --json trace --prefix withdrawal | jq -r .event_id
    settlectl -D bank --json trace --prefix trade | jq -r .event_id)
[ "${#ids[@]}" -gt 15 ] || fail "only ${#ids[@]} events"
for id in "${ids[@]}"; do
    settlectl -D bank prove "$id" --seal a.seal >proof.json
    expect_status 0 check --public-key bank.pem.pub proof.json --seal a.seal
    grep -q "^proved: $id (.*) is event [0-9]* of the $events that are sealed" out || fail "$id: $(cat out)"
    # What the proof tells is what trace tells.
    settlectl -D bank --json trace "$id" >trace.json
    expect_equal "$id" "$(jq -c '.event | [.event_id, .seq, .type, .outcome, .reason, .ts, .consumed, (.effects // [] | map([.user, .asset, .before, .delta, .after, .version]))]' proof.json)" \
        "$(jq -c '[.event_id, (.seq | tostring), .type, .outcome, .reason, (.ts | tostring), .steps[0].timestamp, (.effects | map([(.user | tostring), .asset, .before, .delta, .after, (.version | tostring)]))]' trace.json)"
done

# ---- Forged ----
settlectl -D bank prove deposit_1001_2_1733856600000 --seal a.seal --output receipt.json
expect_status 2 settlectl -D bank prove deposit_1001_2_1733856600000 --seal a.seal --output receipt.json
forge() { # JQ-FILTER
    jq -c "$1" receipt.json >forged.json
    ! cmp -s forged.json receipt.json || fail "$1 changes nothing"
    expect_status 1 check --public-key bank.pem.pub forged.json
    grep -q 'NOT proved' err || fail 'no verdict'
    expect_equal 'output' "$(cat out)" ''
}
jq -c . receipt.json | check --public-key bank.pem.pub - >/dev/null || fail 'what jq has passed on'
jq . receipt.json | check --public-key bank.pem.pub - >/dev/null || fail 'what jq has printed for people'
forge '.event.amount = "9000.500000"'
forge '.event.amount = 1000.5'
forge '.event.user = "1002"'
forge '.event.outcome = "rejected"'
forge '.event.consumed |= sub("^20"; "19")'
forge '.event.effects[0].after = "1.000000"'
forge '.event.effects |= reverse'
forge 'del(.event.amount)'
forge '.event.note = "paid in full"'
forge '.note = "paid in full"'
forge 'del(.leaf)'
forge '.leaf |= ascii_upcase'
forge '.path |= reverse'
forge '.path |= .[1:]'
forge '.seal |= sub("\n[0-9]+\n"; "\n99\n")'
forge '.proof = "settle/inclusion/v9"'
expect_status 1 check --public-key other.pem.pub receipt.json
expect_status 1 check --public-key bank.pem.pub a.seal
expect_status 1 check --public-key bank.pem.pub /dev/null
expect_status 2 check --public-key bank.pem.pub missing.json
expect_status 2 check --public-key receipt.json receipt.json
expect_status 2 check receipt.json

# ---- What has no proof ----
expect_status 1 settlectl -D bank prove nobody --seal a.seal
echo '{"type":"deposit","user":1,"asset":"USDT","amount":"1","ts":5}' | settlectl -D bank -q ingest --no-logs
expect_status 1 settlectl -D bank --json prove deposit_1_2_5 --seal a.seal
expect_equal 'not yet' "$(jq -c '[.error, .seq]' err)" "[\"not_found\",$((events + 1))]"
grep -q 'not sealed yet' err || fail 'no word of it'
expect_status 2 settlectl -D bank prove deposit_1_2_5
expect_status 2 settlectl -D bank prove
expect_status 2 settlectl -D bank prove --consistency a.seal
expect_status 2 settlectl -D bank prove --consistency a.seal b.seal --seal a.seal
expect_status 1 settlectl -D bank prove deposit_1_2_5 --seal receipt.json
settlectl -D other init --asset USDT=2:6
echo '{"type":"deposit","user":1,"asset":"USDT","amount":"1","ts":5}' | settlectl -D other -q ingest --no-logs
expect_status 1 settlectl -D other prove deposit_1_2_5 --seal a.seal
grep -q 'another journal' err || fail 'no word of the other journal'

# ---- Consistency ----
settlectl -D bank -q seal --key bank.pem >b.seal
for pair in 'none a' 'none b' 'a b' 'a a' 'none none'; do
    settlectl -D bank prove --consistency "${pair% *}.seal" "${pair#* }.seal" >consistency.json
    expect_status 0 check --public-key bank.pem.pub consistency.json --seal "${pair% *}.seal" --seal "${pair#* }.seal"
done
settlectl -D bank prove --consistency a.seal b.seal >consistency.json
expect_status 0 check --public-key bank.pem.pub consistency.json
grep -q "^proved: the $events events sealed at .* are the first of the $((events + 1)) sealed at" out || fail "$(cat out)"
expect_status 1 check --public-key bank.pem.pub consistency.json --seal none.seal
expect_status 1 check --public-key bank.pem.pub <(jq -c '.path |= .[1:]' consistency.json)
expect_status 1 check --public-key bank.pem.pub <(jq -c '.old as $old | .old = .new | .new = $old' consistency.json)
expect_status 1 settlectl -D bank prove --consistency b.seal a.seal

# The store does not count: it may be lost, and a proof is the same.
settlectl -D bank prove trade_"$(printf '%s\n' "${ids[@]}" | sed -n 's/^trade_//p' | head -1)" --seal b.seal >before.json
rm -r bank/store
settlectl -D bank prove trade_"$(printf '%s\n' "${ids[@]}" | sed -n 's/^trade_//p' | head -1)" --seal b.seal 2>/dev/null | cmp - before.json || fail 'without the store'

# Asked for, its usage and version are answers.
expect_status 0 check --help
grep -q '^usage: settle-check-proof --public-key FILE PROOF.json' out && [ ! -s err ] || fail "--help: $(cat out err)"
expect_status 0 check --version
expect_equal 'version' "$(cat out err)" "settle-check-proof $(settlectl version --json | jq -r .version)"
expect_status 2 check
grep -q '^usage: ' err && [ ! -s out ] || fail "without arguments: $(cat out err)"
expect_status 2 check --version more
status=0
check --help >/dev/full || status=$?
expect_equal 'status on a full device' $status 2

# The checker includes nothing of ours.
! grep -nE '#include "|<settle/' "$SETTLE_SOURCE_DIR"/tools/check_proof*.[ch] | grep -v '"check_proof.h"' || fail 'it includes a header of ours'
