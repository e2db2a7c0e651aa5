#!/usr/bin/env bash
# seal and verify --seal: keys, what a seal finds, what it does not, beside a writer, after a kill, on a directory that may not be written.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

segment=journal/00000000000000000001-000000.seg
deposit() { # USER TS
    printf '{"type":"deposit","user":%s,"asset":"USDT","amount":"1","ts":%s}\n' "$1" "$2"
}
settlectl -D bank -q ingest --no-logs "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
events=$(settlectl -D bank --json verify | jq .events)

# ---- Keys ----
expect_status 0 settlectl -D bank seal --new-key bank.pem
expect_equal 'output for people' "$(cat out)" ''
grep -q 'bank.pem.pub, for everybody' err || fail 'no word of the key'
expect_equal 'modes' "$(stat -c %a bank.pem bank.pem.pub | xargs)" '600 644'
kept=$(cat bank.pem bank.pem.pub)
expect_status 2 settlectl -D bank seal --new-key bank.pem
expect_equal 'the key' "$(cat bank.pem bank.pem.pub)" "$kept"
expect_status 0 settlectl -D nowhere --json seal --new-key other.pem
expect_equal 'key as JSON' "$(jq -c . out)" '{"key":"other.pem","public_key":"other.pem.pub"}'
[ ! -e nowhere ] || fail 'making a key created a data directory'
expect_status 2 settlectl -D bank seal --new-key bank/key.pem
ln -s bank/journal door
expect_status 2 settlectl -D bank seal --new-key door/key.pem
[ -z "$(find bank -name '*.pem*')" ] || fail 'a key inside the data directory'
cp bank.pem bank/inside.pem
ln -s bank/inside.pem link.pem
for key in bank/inside.pem link.pem ./bank/../bank/inside.pem; do
    expect_status 2 settlectl -D bank seal --key "$key"
    grep -q 'inside the data directory' err || fail "no word of the place of $key"
done
rm bank/inside.pem link.pem
for mode in 640 604 620 602 644 666; do
    chmod "$mode" bank.pem
    expect_status 5 settlectl -D bank seal --key bank.pem
    grep -q "others may read or write this private key (mode 0$mode)" err || fail "no word of mode $mode"
done
chmod 400 bank.pem
install -m 600 bank.pem.pub public.pem
expect_status 2 settlectl -D bank seal --key public.pem
expect_status 1 settlectl -D bank seal --key missing.pem
expect_status 2 settlectl -D bank seal
expect_status 2 settlectl -D bank seal --key bank.pem --new-key x.pem
[ ! -e bank/seals ] || fail 'a refusal wrote something'

# ---- A seal ----
expect_status 0 settlectl -D bank seal --key bank.pem
cp out first.seal
cmp out "bank/seals/$(printf %020d "$events").seal" || fail 'what is printed is not what is kept'
expect_equal 'modes in seals' "$(stat -c %a bank/seals bank/seals/* | sort -u | xargs)" '600 700'
expect_equal 'its second line' "$(sed -n 2p first.seal)" "$events"
expect_equal 'its first line' "$(sed -n 1p first.seal)" "settle/$(settlectl -D bank --json inspect | jq -r 'select(.journal_id) | .journal_id' | head -1)"
expect_status 0 settlectl -D bank --json seal --key bank.pem
expect_equal 'again' "$(jq -c '[.new, .seq, .new_events, .resumed, .previous]' out)" "[false,$events,0,true,null]"
jq -rj .text out | cmp - first.seal || fail 'its text in JSON'
expect_status 0 settlectl -D bank verify --seal first.seal --public-key bank.pem.pub
expect_equal 'the verdict' "$(sed -n 1p out)" ok
expect_equal 'of the seal' "$(sed -n 2p out | cut -d, -f1)" "sealed: the journal up to seq $events"
expect_status 1 settlectl -D bank verify --seal first.seal --public-key other.pem.pub
expect_equal 'the verdict with another key' "$(sed -n 1p out)" 'NOT as sealed: the seal is not signed by this key'
expect_equal 'of the journal' "$(sed -n 2p out)" '  by itself the journal, as it is now, has no fault'
expect_equal 'it is one verdict' "$(grep -c '^ok' out)" 0
expect_status 1 settlectl -D bank --json verify --seal first.seal --public-key other.pem.pub
expect_equal 'another key' "$(jq -c '[.ok, .seal.ok, .seal.signed, .store]' out)" '[false,false,false,"equal"]'
expect_status 2 settlectl -D bank verify --seal first.seal
expect_status 1 settlectl -D bank verify --seal bank.pem.pub --public-key bank.pem.pub
expect_status 1 settlectl -D bank verify --seal <(sed 's/^time 20/time 21/' first.seal) --public-key bank.pem.pub

# OpenSSL's own program agrees with the signature.
if openssl pkeyutl -help 2>&1 | grep -q rawin; then
    sed '/^$/,$d' first.seal >signed
    tail -1 first.seal | cut -d ' ' -f 3 | base64 -d | tail -c 64 >signature
    openssl pkeyutl -verify -pubin -inkey bank.pem.pub -rawin -in signed -sigfile signature >/dev/null || fail 'openssl disagrees'
    echo >>signed
    if openssl pkeyutl -verify -pubin -inkey bank.pem.pub -rawin -in signed -sigfile signature >/dev/null; then fail 'openssl agrees with all'; fi
    openssl genpkey -algorithm ed25519 -out theirs.pem 2>/dev/null
    chmod 600 theirs.pem
    expect_status 0 settlectl -D bank seal --key theirs.pem --output theirs.seal
    openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>/dev/null
    chmod 600 rsa.pem
    expect_status 2 settlectl -D bank seal --key rsa.pem
    openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret -out locked.pem 2>/dev/null
    chmod 600 locked.pem
    expect_status 2 settlectl -D bank seal --key locked.pem </dev/null
    grep -q 'not encrypted' err || fail 'no word of the encryption'
fi

# ---- Going on, beside a writer ----
mkfifo pipe
settlectl -D bank -q ingest --no-logs <pipe &
writer=$!
exec 3>pipe
for i in 1 2 3 4 5; do
    deposit 1 "$i" >&3
    for _ in $(seq 100); do
        settlectl -D bank --json trace "deposit_1_2_$i" >/dev/null 2>&1 && break
        sleep 0.05
    done
    expect_status 0 settlectl -D bank --json seal --key bank.pem
    expect_equal "seal $i beside a writer" "$(jq -c '[.new, .resumed, .seq]' out)" "[true,true,$((events + i))]"
    jq -rj .text out >"live$i.seal"
done
exec 3>&-
wait "$writer"
for i in 1 2 3 4 5; do
    expect_status 0 settlectl -D bank -q verify --seal "live$i.seal" --public-key bank.pem.pub
done
expect_equal 'each names the one before' "$(sed -n 's/^previous //p' live2.seal)" \
    "$(printf '%b' "$(sha256sum <live1.seal | cut -c 1-64 | sed 's/../\\x&/g')" | base64)"

# Killed at any moment: the seals there are whole, and the next one needs no help.
cp -r bank killed
for i in $(seq 12); do
    deposit 2 "$i" | settlectl -D killed -q ingest --no-logs
    "$SETTLECTL" -D killed seal --key bank.pem >/dev/null 2>&1 &
    sleep "0.00$((i % 10))"
    kill -KILL $! 2>/dev/null || true
    wait $! 2>/dev/null || true
done
expect_status 0 settlectl -D killed -q seal --key bank.pem
for seal in killed/seals/*.seal; do
    expect_status 0 settlectl -D killed -q verify --seal "$seal" --public-key bank.pem.pub
done

# ---- A directory that may not be written ----
cp -r bank readonly
chmod -R a-w readonly
# LMDB's table of readers is its own affair.
tree() { (cd readonly && find . -not -name lock.mdb -printf '%p %s %m %T@\n' | sort); }
before=$(tree)
expect_status 0 settlectl -D readonly seal --key bank.pem --output readonly.seal
cmp out readonly.seal || fail 'the output'
expect_status 0 settlectl -D readonly verify --seal readonly.seal --public-key bank.pem.pub
expect_status 0 settlectl -D readonly prove deposit_1_2_3 --seal readonly.seal
expect_equal 'the directory' "$(tree)" "$before"
chmod -R u+w readonly

# ---- Rolled back, and what cannot be seen ----
last=$(settlectl -D bank --json inspect "bank/$segment" | jq -r 'select(.record == "FRAME") | "\(.offset) \(.bytes)"' | tail -1)
cp -r bank short
expect_status 0 settlectl -D short -q seal --key bank.pem
newest=$(ls short/seals/*.seal | tail -1)
cp "$newest" newest.seal
dd if=/dev/zero of="short/$segment" bs=1 seek="${last% *}" count="${last#* }" conv=notrunc status=none
rm -rf short/store short/journal/watermark
expect_status 0 settlectl -D short --json verify
expect_status 1 settlectl -D short --json verify --seal newest.seal --public-key bank.pem.pub
jq -r .seal.difference out | grep -q 'rolled back' || fail 'no word of the rollback'
expect_status 1 settlectl -D short seal --key bank.pem
grep -q 'rolled back' err || fail 'no word of the rollback'
rm "$newest" # whoever can write the directory deletes that too: only the copy outside tells
expect_status 0 settlectl -D short -q seal --key bank.pem
expect_status 1 settlectl -D short verify --seal newest.seal --public-key bank.pem.pub
expect_equal 'the verdict on the rollback' "$(head -n 1 out | cut -d: -f1)" 'NOT as sealed'
expect_status 0 settlectl -D short verify --seal first.seal --public-key bank.pem.pub

# A flipped byte is damage, told with its place, with a seal and without.
cp -r bank damaged
printf 'X' | dd of="damaged/$segment" bs=1 seek=700 conv=notrunc status=none
expect_status 3 settlectl -D damaged --json verify --seal first.seal --public-key bank.pem.pub
expect_equal 'damage' "$(jq -c '[.ok, .seal.ok, (.seal.difference | length > 0)]' out)" '[false,false,true]'
expect_status 3 settlectl -D damaged verify --seal first.seal --public-key bank.pem.pub
expect_equal 'the verdict on damage' "$(grep -n '^NOT' out | cut -d: -f1,2 | xargs)" '1:NOT ok 3:NOT as sealed'
expect_status 3 settlectl -D damaged seal --key bank.pem --check

# The seal of another journal, and one event alone.
settlectl -D single init --asset USDT=2:6
deposit 1 5 | settlectl -D single -q ingest --no-logs
expect_status 0 settlectl -D single seal --key bank.pem --output single.seal
grep -q 'sealed 1 new event, 1 in all' err || fail "$(cat err)"
expect_status 0 settlectl -D single replay --check
grep -qE '^ok: 1 event, [0-9]+ records, 2 balances in 1 segment; ' out || fail "$(cat out)"
expect_status 1 settlectl -D bank --json verify --seal single.seal --public-key bank.pem.pub
expect_equal 'difference' "$(jq -r .seal.difference out)" 'the seal given is of another journal than this one'
expect_status 1 settlectl -D short --json verify --seal newest.seal --public-key bank.pem.pub
jq -r .seal.difference out | grep -q ', and the seal given covers it up to' || fail "$(cat out)"

# An empty journal, and none.
settlectl -D empty init
expect_status 0 settlectl -D empty seal --key bank.pem
expect_equal 'nothing' "$(sed -n 2,3p out | xargs)" '0 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
cp out nothing.seal
expect_status 0 settlectl -D empty verify --seal nothing.seal --public-key bank.pem.pub
expect_equal 'nothing of nothing' "$(head -n 1 out)" 'nothing to check: the journal holds no event'
expect_equal 'and of its seal' "$(sed -n 2p out)" 'nothing to compare: the seal holds no event'
expect_status 0 settlectl -D empty --json verify --seal nothing.seal --public-key bank.pem.pub
expect_equal 'nothing of nothing in JSON' "$(jq -c '[.ok, .empty, .seal.ok, .seal.empty]' out)" '[true,true,true,true]'
settlectl -D empty -q ingest --no-logs <<'END'
{"type":"asset","asset":"USDT","id":2,"scale":6}
{"type":"deposit","ts":1,"user":7,"asset":"USDT","amount":"1"}
END
expect_status 1 settlectl -D empty verify --seal nothing.seal --public-key bank.pem.pub
expect_equal 'nothing of an event' "$(head -n 1 out)" 'nothing to compare: the seal holds no event'
expect_status 1 settlectl -D empty --json verify --seal nothing.seal --public-key bank.pem.pub
expect_equal 'nothing of an event in JSON' "$(jq -c '[.ok, .empty, .seal.ok, .seal.empty]' out)" '[false,false,false,true]'
expect_status 1 settlectl -D nowhere seal --key bank.pem
[ ! -e nowhere ] || fail 'seal created a data directory'
