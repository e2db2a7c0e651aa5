#!/usr/bin/env bash
# docs/operations.md: every shell block works as printed, one after the other; the service file is one; the glossary's terms stand in
# their order; links between documents lead somewhere.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
docs=$SETTLE_SOURCE_DIR/docs

mkdir bin
ln -s "$SETTLECTL" bin/settlectl
PATH=$PWD/bin:$PATH
cp "$docs/examples/events.ndjson" .
expect_status 0 settlectl -D bank ingest events.ndjson
echo '{"lines":{"keep_days":30}}' >bank/settle.json
settlectl -D bank balance >balances

awk '/^```sh$/ { block++; inside = 1; next } /^```$/ { inside = 0 } inside { print > ("block." block) }' "$docs/operations.md"
blocks=$(find . -name 'block.*' | wc -l)
[ "$blocks" -ge 10 ] || fail "only $blocks shell blocks"
# ran WORDS: the block whose text has the words; its output is in ./out.
ran() {
    grep -qF -- "$1" "$block" || return 1
    seen="$seen|$1"
}
seen=''
for ((i = 1; i <= blocks; i++)); do
    block=block.$i
    expect_status 0 bash -euo pipefail "$block"
    if ran 'settlectl -D bank config'; then
        grep -qx 'lines.keep_days=30 (bank/settle.json:1:11)' out || fail "$(cat out)"
    elif ran 'replay --check --into backup-new'; then
        copy=$(echo backup-20*)
        expect_equal 'balances of the backup' "$(settlectl -D "$copy" balance)" "$(cat balances)"
        [ ! -e backup-new ] || fail 'the unfinished name is still there'
    elif ran 'the same balances'; then
        grep -qx 'the same balances' out || fail "$(cat out)"
    elif ran 'mv bank bank-broken'; then
        expect_equal 'balances restored' "$(settlectl -D bank balance)" "$(cat balances)"
    elif ran '--until-seq 20'; then
        expect_equal 'events until 20' "$(tail -1 out)" 20
    elif ran 'rm -r bank/store'; then
        [ -s bank/store/data.mdb ] || fail 'the store was not built again'
    elif ran 'settle.prom'; then
        grep -Eqx 'settle_events_total [1-9][0-9]*' settle.prom || fail "$(cat settle.prom)"
        grep -qx 'settle_stuck_events 0' settle.prom || fail "$(cat settle.prom)"
        grep -Eqx 'settle_outcomes_total\{type="trade",outcome="accepted"\} 9' settle.prom || fail "$(cat settle.prom)"
        if command -v promtool >path; then
            promtool check metrics <settle.prom || true # it also asks for help texts
        fi
    fi
done
expect_equal 'blocks looked at' "$(tr -cd '|' <<<"$seen" | wc -c)" 7
expect_status 0 settlectl -D bank verify

# ---- The service ----
awk '/^```ini$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$docs/operations.md" >settle-ingest.service
grep -q '^ExecStart=' settle-ingest.service || fail 'no service'
if command -v systemd-analyze >path; then
    sed -i "s|/usr/bin/settlectl|$SETTLECTL|; s|^User=.*|User=root|" settle-ingest.service
    systemd-analyze verify ./settle-ingest.service >complaints 2>&1 || true
    ! grep -E 'Unknown|Failed to parse|not executable' complaints || fail "systemd: $(cat complaints)"
fi
# What it does: a fifo's events, until SIGTERM.
mkfifo events
SETTLE_DATA=service "$SETTLECTL" ingest --log-dir service-logs - <events >service.out 2>service.err &
pid=$!
exec 3>events
cat events.ndjson >&3
for ((i = 0; i < 100; i++)); do
    [ "$(settlectl -D service --json stats 2>/dev/null | jq .events)" = 31 ] && break
    sleep 0.1
done
kill -TERM $pid
status=0
wait $pid || status=$?
exec 3>&-
expect_equal 'status of the service' "$status" 143
expect_equal 'balances of the service' "$(settlectl -D service balance)" "$(cat balances)"

# ---- The glossary: sorted, and one row a term ----
sed -n 's/^| \([^|]*\) |.*/\1/p' "$docs/glossary.md" | sed 1d >terms
LC_ALL=C sort -f terms | diff - terms || fail 'terms are not in order'
expect_equal 'terms that stand twice' "$(sort terms | uniq -d)" ''
[ "$(wc -l <terms)" -ge 30 ] || fail 'few terms'

# ---- Links ----
for page in operations glossary; do
    { grep -oE '\]\([^)#]+' "$docs/$page.md" || true; } | cut -c3- | while read -r link; do
        [ -e "$docs/$link" ] || fail "$page.md links to $link, which is nothing"
    done
done
