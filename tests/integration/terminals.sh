#!/usr/bin/env bash
# What others chose (names of files, arguments, cells of a table, ids) reaches a terminal spelt, never obeyed: no escape sequence, no
# control character, no change of direction. And what is secret reaches no message: key bytes nowhere, amounts and other members of a
# rejected line only where they belong.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

# A cell that clears the screen (C0, C1, C1 as a byte), turns the direction, ends the line and has a bell.
evil=$'\e[2J\e]0;pwned\a\xc2\x9b31m\x9b\xe2\x80\xaegpj\xe2\x81\xa6\xe2\x80\x8b\x7f'
expect_status 0 settlectl -D bank ingest --no-logs "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"

# No byte that a terminal would obey in a file: C0 but newline, DEL, C1, bidirectional marks, what has no width, no UTF-8.
plain() {
    LC_ALL=C grep -nP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf|\xd8\x9c|(?<![\xc2-\xf4\x80-\xbf])[\x80-\xbf]' "$1" |
        cat -v >found || true
    [ ! -s found ] || fail "$2: $(head -3 found)"
}
tries=0
# shown COMMAND...: whatever its status, what it prints is plain, with --json too.
shown() {
    local status=0 way
    for way in '' --json; do
        status=0
        # shellcheck disable=SC2086 # perhaps no word
        "$SETTLECTL" $way "$@" >out 2>err </dev/null || status=$?
        [ "$status" -le 5 ] || fail "$* ended with $status"
        plain out "$* $way, output"
        plain err "$* $way, messages"
        tries=$((tries + 1))
    done
}

# ---- Arguments and paths ----
for command in balance trace history tail logs stuck replay verify seal prove inspect export reconcile stats config completion help \
    archive ingest init; do
    shown -D "nothing$evil" "$command"
    shown -D bank "$command" "$evil"
    shown -D bank "$command" "$evil" "$evil"
    shown -D bank "$command" "--$evil"
    shown -D bank "$command" "--format=$evil" --from "$evil" --at "$evil"
done
shown "$evil"
for option in at at-seq since until before limit until-seq older-than day set segment-size asset level key public-key seal; do
    for command in balance history replay stuck logs config init archive seal verify prove; do
        shown -D bank "$command" "--$option" "$evil"
    done
done

# ---- Names of files ----
mkdir "dir$evil"
expect_status 0 settlectl -D "dir$evil/bank" init --asset USDT=2:6
shown -D "dir$evil/bank" init
shown -D "dir$evil/bank" inspect
shown -D "dir$evil/bank" ingest --no-logs "input$evil"
printf 'x\n{"type":"deposit","user":1,"asset":"%s","amount":"1","ts":1}\n' "$evil" >"input$evil"
shown -D "dir$evil/bank" ingest --log-dir "logs$evil" "input$evil"
head -c 100 /dev/zero >"dir$evil/bank/journal/00000000000000000002-000001.seg"
shown -D "dir$evil/bank" verify
shown inspect "dir$evil/bank/journal/00000000000000000002-000001.seg"
printf '{"x%s":1}' "$evil" >bank/settle.json
shown -D bank config
shown -D bank ingest --no-logs /dev/null
rm bank/settle.json

# ---- Cells of outside tables ----
printf 'user,asset,balance\n1001,USDT,1\n%s,USDT,2\n1001,%s,3\n5,USDT,%s\n' "$evil" "$evil" "$evil" >balances.csv
printf 'event_id,type,amount\n%s,deposit,1\ndeposit_1001_2_1733856600000,%s,%s\n' "$evil" "$evil" "$evil" >events.csv
printf 'user,%s\n' "$evil" >header.csv
for table in balances events header; do
    shown -D bank reconcile "$table.csv"
    shown -D bank2 ingest --no-logs --format csv "$table.csv"
done

# ---- Formulas: an export has no text that a spreadsheet would compute or a shell run ----
for id in '=1+1' '+1' '@SUM(A1)' $'\t=1' '1|calc' "1'!A1" '1,2' '1"2' '=cmd|/C' "1;2"; do
    jq -nc --arg id "$id" '{type: "deposit", event_id: $id, user: 1, asset: "USDT", amount: "1", ts: 1}' >formula.ndjson
    expect_status 1 settlectl -D bank ingest --no-logs formula.ndjson
done
for format in csv events hledger; do
    expect_status 0 settlectl -D bank export --format "$format"
    ! grep -nE '(^|,)"?[=+@|]' out || fail "a formula in $format"
done

# ---- A proof by somebody else ----
expect_status 0 settlectl seal --new-key key.pem
expect_status 0 settlectl -D bank seal --key key.pem -o bank.seal
expect_status 0 settlectl -D bank prove deposit_1001_2_1733856600000 --seal bank.seal
jq -c --arg evil $'\e[2J\xe2\x80\xae' '.event[$evil] = $evil | .event.event_id = $evil' out >proof.json
check=${SETTLECTL%settlectl}settle-check-proof
for proof in proof.json "none$evil"; do
    status=0
    "$check" --public-key key.pem.pub "$proof" >out 2>err || status=$?
    [ "$status" -ne 0 ] || fail 'an invented proof holds'
    [ "$proof" != proof.json ] || plain err 'settle-check-proof'
done
[ "$tries" -ge 400 ] || fail "only $tries"

# ---- Secrets ----
# The private key's bytes: in no output of any command that has to do with it, and not in the data directory.
grep -v -- '-----' key.pem >key.bytes
expect_status 0 settlectl -D bank seal --key key.pem
cp key.pem broken.pem && sed -i '2s/^..../!!!!/' broken.pem
cp key.pem open.pem && chmod 644 open.pem
cp key.pem bank/inside.pem
for key in key.pem broken.pem open.pem bank/inside.pem key.pem.pub; do
    for way in '' --json; do
        # shellcheck disable=SC2086
        "$SETTLECTL" $way -D bank seal --key "$key" >>said 2>&1 || true
        # shellcheck disable=SC2086
        "$SETTLECTL" $way -D bank verify --seal "$key" --public-key "$key" >>said 2>&1 || true
        # shellcheck disable=SC2086
        "$SETTLECTL" $way -D bank config --set "x=$key" >>said 2>&1 || true
    done
done
rm bank/inside.pem
for part in "$(cut -c1-20 key.bytes)" "$(cut -c21-40 key.bytes)" "$(cut -c41-60 key.bytes)"; do
    ! grep -rqF -- "$part" said bank || fail 'bytes of the private key were told'
done

# Members of a rejected line: the message has its place and its reason; the line itself stands in the reject file, 0600, alone.
canary=987650123.456789
printf '{"type":"deposit","user":77001177,"asset":"USDT","amount":"%s","ts":1,"note":"canary-id-5577"}\n' "$canary" >bad.ndjson
expect_status 1 settlectl -D bank ingest --log-dir logs bad.ndjson
cat out err logs/* >told
for secret in "$canary" 77001177 canary-id-5577; do
    ! grep -qF -- "$secret" told || fail "$secret was told: $(grep -F -- "$secret" told)"
done
rejects=$(printf "%s\n" bank/rejects/* | tail -1)
grep -qF -- "$canary" "$rejects" || fail 'the reject file lacks the line'
expect_equal 'mode of the reject file' "$(stat -c %a "$rejects")" 600

# What is accepted: amounts and ids in the lines and in answers, not in the operational log.
printf '{"type":"deposit","event_id":"canary-id-8833","user":77001177,"asset":"USDT","amount":"%s","ts":1}\n' "$canary" >good.ndjson
expect_status 0 settlectl -D bank ingest --log-dir logs good.ndjson
for secret in "$canary" 77001177 canary-id-8833; do
    grep -qF -- "$secret" logs/settlement.log || fail "the lines lack $secret"
    ! grep -qF -- "$secret" logs/operations.log out err || fail "$secret was told in passing"
done
