#!/usr/bin/env bash
# The README's shell examples work as printed, in the order they are printed.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

# example HEADING: the first shell block behind the paragraph that begins with HEADING.
example() {
    awk -v heading="**$1" '
        index($0, heading) == 1 { found = 1 }
        found && /^```sh$/ { inside = 1; next }
        inside && /^```$/ { exit }
        inside' "$SETTLE_SOURCE_DIR/README.md"
}

# The first line of the examples sets the path and the directory that the others use.
mkdir -p build
ln -s "$(dirname "$SETTLECTL")" build/release

example 'From a file or a pipe.' >pipe.sh
head -1 pipe.sh | grep -q 'SETTLE_DATA=' || fail 'the first example does not choose a directory'
eval "$(head -1 pipe.sh)"
sed -i 1d pipe.sh
grep -q ingest pipe.sh || fail 'no example of a pipe in the README'
expect_status 0 bash -euo pipefail pipe.sh
grep -q 1000.500000 out || fail 'the pipe shows no balance'

example 'A script.' >script.sh
grep -q jq script.sh || fail 'no example of a script in the README'
expect_status 0 bash -euo pipefail script.sh
expect_equal 'the script prints' "$(cat out)" $'1001\t1000.500000\nexternal\t-1000.500000\ntrue'

example 'A log.' >log.sh
expect_status 0 bash -euo pipefail log.sh
grep -q '"event": "DEPOSIT_CONSUMED"' out || fail 'no line of a deposit'
grep -q '^ok$' out || fail 'logs verify is not ok'

example 'From the journal: rebuild, explain, prove.' >journal.sh
grep -q verify journal.sh || fail 'no example of the journal in the README'
expect_status 0 bash -euo pipefail journal.sh

example 'An auditor.' >auditor.sh
grep -q settle-check-proof auditor.sh || fail 'no example of a proof in the README'
mkdir home
expect_status 0 env HOME="$PWD/home" bash -euo pipefail auditor.sh
grep -q deposit_1001_2_1733856600000 out || fail 'the proof is not told'
