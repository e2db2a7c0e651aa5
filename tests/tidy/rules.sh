#!/usr/bin/env bash
# Rules of CONTRIBUTING.md that a search can check. Prints each place that breaks one.
set -euo pipefail
cd "$SETTLE_SOURCE_DIR"

failed=0
mapfile -t sources < <(find journal engine ingest query tools tests docs -name '*.[ch]' -o -name '*.cpp' | sort)
test "${#sources[@]}" -gt 20 # the search itself works

# rule SENTENCE PATTERN FILE...: no line of the files matches the extended regular expression.
rule() {
    local sentence=$1 pattern=$2 found
    shift 2
    if found=$(grep -EnH "$pattern" "$@"); then
        printf '%s:\n%s\n' "$sentence" "$found"
        failed=1
    fi
}

rule 'includes name the layer, never ".."' '#include "([^"]*/)?\.\./' "${sources[@]}"
rule 'no tabs' $'\t' "${sources[@]}"
rule 'unfinished work belongs in an issue' '\b(TO''DO|FIX''ME|X''XX)\b' "${sources[@]}"
mapfile -t product < <(printf '%s\n' "${sources[@]}" | grep -E '^(journal|engine|ingest|query|tools)/')
mapfile -t library < <(printf '%s\n' "${product[@]}" | grep -v '^tools/')
mapfile -t not_store < <(printf '%s\n' "${product[@]}" | grep -vxE 'engine/store_env\.h')
rule 'only the store includes lmdb.h' '#include.*lmdb\.h' "${not_store[@]}"
mapfile -t forking < <(printf '%s\n' "${sources[@]}" | grep -E '^tests/' | grep -vxE 'tests/lib/child\.c|tests/embed/.*')
rule 'tests fork by child_fork()' '(^|[^_a-z])v?fork\(\);' "${forking[@]}"
rule 'the library has no cJSON' '#include.*cJSON' "${library[@]}"

# A source or a test that no list names is not built, and nobody would notice.
lists=$(cat CMakeLists.txt tools/CMakeLists.txt tests/CMakeLists.txt)
while read -r file; do
    name=$(basename "$file")
    case $file in
    tests/unit/test_*.c) named="^        ${name:5:-2}\\)?\$|[ (]${name:5:-2}[ )]" ;;
    tests/fault/test_*.c) named="settle_fault_test\\(${name:5:-2}[ )]|\\(fault ${name:5:-2} " ;;
    tests/threads/test_*.c) named="settle_thread_test\\(${name:5:-2}\\)" ;;
    tests/fuzz/fuzz_*.c) named="settle_fuzz_test\\(${name:5:-2}[ )]|foreach\\(name IN ITEMS .*\\b${name:5:-2}\\b" ;;
    tests/integration/*.sh) named="settle_integration_test\\(${name%.sh}\\)" ;;
    *) named="[ /]$name([ )]|\$)" ;;
    esac
    grep -qE "$named" <<<"$lists" || {
        echo "no CMakeLists.txt names $file"
        failed=1
    }
done < <(find journal engine ingest query tools tests -name '*.c' -o -path 'tests/integration/*.sh')

exit $failed
