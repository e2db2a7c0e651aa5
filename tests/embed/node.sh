#!/usr/bin/env bash
# The Node.js example: runs twice on one directory and prints what it must; then the module's own tests. Skips without node, or
# where it does not find koffi (npm install koffi, and NODE_PATH).
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

node=$(command -v node) || skip 'no node'
"$node" -e "require('koffi')" 2>/dev/null || skip 'no koffi'
case ${CFLAGS:-} in *-fsanitize*) skip 'the interpreter has no sanitizer' ;; esac
export SETTLE_LIBRARY=$SETTLE_BUILD_DIR/libsettle.so.0
examples=$SETTLE_SOURCE_DIR/docs/examples/node

cat >balances <<'END'
alice 0.00999000 BTC 100.495000 USDT
bob 0.49000000 BTC 899.105000 USDT
external -0.50000000 BTC -1000.500000 USDT
fees 0.00001000 BTC 0.900000 USDT
END
printf '%s\n' '1 accepted' '2 accepted' '3 accepted' '4 rejected insufficient_funds' >first
printf '%s\n' '5 duplicate' '6 duplicate' '7 duplicate' '8 duplicate' >second
for run in first second; do
    expect_status 0 "$node" "$examples/example.js" data
    cat "$run" balances | diff - out >&2 || fail "the $run run"
done
expect_status 0 settlectl -D data verify
for arguments in '' 'data more'; do
    # shellcheck disable=SC2086 # words
    expect_status 1 "$node" "$examples/example.js" $arguments
    expect_equal 'usage' "$(cat out err)" "usage: $examples/example.js DIRECTORY"
done
"$node" -e "new (require('$examples/settle.js').Engine)('data/settle.json/none')" 2>err && fail 'no error' || true
! grep -E '(SETTLE_E_[A-Z_]+: ){2}' err || fail 'the name of the status twice'
grep -qE 'SETTLE_E_[A-Z_]+: [^ ]' err || fail "no error: $(cat err)"

NODE_PATH=${NODE_PATH:-}:$examples expect_status 0 "$node" --expose-gc "$SETTLE_SOURCE_DIR/tests/embed/node_module.js" module
grep -qx 'done' out || fail 'the module did not come to its end'
expect_status 0 settlectl -D module verify

# The offsets it writes by are those of the ABI.
while read -r what value; do
    grep -qE "$what $value\b" "$SETTLE_SOURCE_DIR/tests/golden/abi.txt" || fail "settle.js and the ABI differ: $what $value"
done <<END
settle_event $(grep -oE 'EVENT_BYTES = [0-9]+' "$examples/settle.js" | cut -d' ' -f3)
settle_result $(grep -oE 'RESULT_BYTES = [0-9]+' "$examples/settle.js" | cut -d' ' -f3)
settle_balance $(grep -oE 'BALANCE_BYTES = [0-9]+' "$examples/settle.js" | cut -d' ' -f3)
settle_error $(grep -oE 'ERROR_BYTES = [0-9]+' "$examples/settle.js" | cut -d' ' -f3)
END
