#!/usr/bin/env bash
# Every shell recipe of logs/README.md works as printed, in a directory that holds logs.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

mkdir bin
ln -s "$SETTLECTL" bin/settlectl
export PATH="$work/bin:$PATH"
expect_status 0 settlectl ingest "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"

awk '/^```sh$/ { block++; inside = 1; next } /^```$/ { inside = 0 } inside { print > ("recipe." block) }' \
    "$SETTLE_SOURCE_DIR/logs/README.md"
recipes=$(find . -name 'recipe.*' | wc -l)
[ "$recipes" -ge 3 ] || fail "only $recipes recipes in logs/README.md"
for recipe in $(seq "$recipes"); do
    # One command a line: each must work, and print something. tail --follow is given half a second.
    while IFS= read -r line; do
        case $line in
        '' | '#'*) continue ;;
        *--follow* | *'tail -f'* | *'tail -F'*)
            status=0
            timeout 0.5 bash -uo pipefail -c "$line" >out 2>err || status=$?
            [ $status -eq 0 ] || [ $status -eq 124 ] || [ $status -eq 143 ] || fail "$line: $(cat err)"
            ;;
        *)
            expect_status 0 bash -euo pipefail -c "$line"
            [ -s out ] || fail "prints nothing: $line"
            ;;
        esac
    done <"recipe.$recipe"
done
