#!/usr/bin/env bash
# The compiler refuses an include that goes up: with each layer's own include path, the headers of the layers it may see
# compile, and those above it are not found.
set -euo pipefail
views=$SETTLE_BUILD_DIR/view

failed=0

# compiles LAYER HEADER: does a source of LAYER that includes HEADER compile?
compiles() {
    printf '#include <%s>\n' "$2" |
        "$CC" -std=gnu11 -fsyntax-only -I "$views/$1" -x c - 2>"$errors"
}

may() {
    local layer=$1 header
    shift
    for header in "$@"; do
        if ! compiles "$layer" "$header"; then
            echo "$layer must be able to include $header:"
            cat "$errors"
            failed=1
        fi
    done
}

may_not() {
    local layer=$1 header
    shift
    for header in "$@"; do
        if compiles "$layer" "$header"; then
            echo "$layer can include $header, which lies above it"
            failed=1
        elif ! grep -q 'file not found\|No such file' "$errors"; then
            echo "$layer with $header fails for another reason:"
            cat "$errors"
            failed=1
        fi
    done
}

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

may     journal journal/reader.h settle/event.h
may_not journal engine/store.h engine/settle.h settle/settle.h ingest/ingest.h query/query.h

may     engine journal/reader.h engine/store.h settle/settle.h
may_not engine ingest/ingest.h query/query.h

may     ingest ingest/ingest.h settle/settle.h
may_not ingest journal/reader.h engine/store.h query/query.h

may     query journal/reader.h engine/view.h query/query.h settle/settle.h
may_not query ingest/ingest.h

may     tools settle/settle.h ingest/ingest.h query/query.h
may_not tools journal/reader.h engine/view.h

exit $failed
