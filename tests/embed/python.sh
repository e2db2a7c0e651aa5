#!/usr/bin/env bash
# The Python example: runs twice on one directory and prints what it must; then the module's own tests.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

python=$(command -v python3) || skip 'no python3'
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || skip 'Python is older than 3.9'
case ${CFLAGS:-} in *-fsanitize*) skip 'the interpreter has no sanitizer' ;; esac
export SETTLE_LIBRARY=$SETTLE_BUILD_DIR/libsettle.so.0 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$SETTLE_SOURCE_DIR/docs/examples/python

cat >balances <<'END'
alice 0.00999000 BTC 100.495000 USDT
bob 0.49000000 BTC 899.105000 USDT
external -0.50000000 BTC -1000.500000 USDT
fees 0.00001000 BTC 0.900000 USDT
END
printf '%s\n' '1 accepted' '2 accepted' '3 accepted' '4 rejected insufficient_funds' >first
printf '%s\n' '5 duplicate' '6 duplicate' '7 duplicate' '8 duplicate' >second
for run in first second; do
    expect_status 0 "$python" "$PYTHONPATH/example.py" data
    cat "$run" balances | diff - out >&2 || fail "the $run run"
done
expect_status 0 settlectl -D data verify
for arguments in '' 'data more'; do
    # shellcheck disable=SC2086 # words
    expect_status 1 "$python" "$PYTHONPATH/example.py" $arguments
    expect_equal 'usage' "$(cat out err)" "usage: $PYTHONPATH/example.py DIRECTORY"
done

mkdir module
"$python" "$SETTLE_SOURCE_DIR/tests/embed/python_module.py" "$SETTLE_SOURCE_DIR/tests/golden/abi.txt" module >out 2>&1 ||
    fail "$(cat out)"
grep -q '^Ran 6 tests' out || fail "$(cat out)"
