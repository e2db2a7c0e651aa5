#!/usr/bin/env bash
# Builds the same programs, docs/examples/embed.c and one in C++17, in each way a stranger can get libsettle: find_package()
# and pkg-config on a package installed into a temporary prefix, plain static, add_subdirectory(), FetchContent; runs each
# and checks what it prints. The headers compile without a warning in C and C++, by GCC and Clang.
# The environment gives CC and CFLAGS as the libraries were built with: sanitizers must match.
set -euo pipefail
# shellcheck disable=SC2153
read -ra flags <<<"$CFLAGS"
example=$SETTLE_SOURCE_DIR/docs/examples/embed.c
warnings=(-std=gnu11 -Wall -Wextra -Wpedantic -Wconversion -Werror)

case $CC in
*clang*) export CXX=${CC/clang/clang++} ;;
*gcc*) export CXX=${CC/gcc/g++} ;;
*) export CXX=c++ ;;
esac
export CXXFLAGS=$CFLAGS

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
    echo "embed: $*" >&2
    exit 1
}

step() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$1 failed"
    }
}

step_quietly() {
    "$@" >"$work/log" 2>&1
}

has_line() {
    grep -qE -- "^$2\$" "$work/out" || {
        cat "$work/out" >&2
        fail "$1 does not print: $2"
    }
}

# check NAME PROGRAM: runs it twice on one directory; the second time every event is a duplicate, and no balance moves.
check() {
    local name=$1 program=$2 outcome
    for outcome in accepted duplicate; do
        "$program" "$work/data-$name" >"$work/out" || fail "$name ends with status $?"
        has_line "$name" "seq [0-9]+ deposit_1001_2_1733856600000 $outcome"
        has_line "$name" "seq [0-9]+ trade_T-1 $outcome"
        has_line "$name" "seq [0-9]+ withdrawal_1001_2_1733856603000 $outcome"
        has_line "$name" 'alice BTC 0\.00999000 version 1'
        has_line "$name" 'alice USDT 50\.245000 version 3'
        has_line "$name" 'bob BTC 0\.49000000 version 2'
        has_line "$name" 'bob USDT 899\.105000 version 1'
        has_line "$name" 'external BTC -0\.50000000 version 1'
        has_line "$name" 'external USDT -950\.250000 version 2'
        has_line "$name" 'fees BTC 0\.00001000 version 1'
        has_line "$name" 'fees USDT 0\.900000 version 1'
        has_line "$name" "trade_T-1: accepted at seq 3, 6 legs, arrived again $([ $outcome = accepted ] && echo 0 || echo 1) times"
        has_line "$name" '  CONSUMED  20[0-9-]+T[0-9:.]+Z'
        has_line "$name" '  VALIDATED 20[0-9-]+T[0-9:.]+Z'
        has_line "$name" '  PERSISTED 20[0-9-]+T[0-9:.]+Z'
    done
}

# check_cxx NAME PROGRAM: the same of the program in C++.
check_cxx() {
    local name=$1 program=$2 outcome
    for outcome in accepted duplicate; do
        "$program" "$work/data-$name" >"$work/out" || fail "$name ends with status $?"
        has_line "$name" "deposit_1001_2_1733856600000 $outcome"
        has_line "$name" "later $outcome"
        has_line "$name" '1001 has 1000\.500001 USDT'
        has_line "$name" '7 has SETTLE_E_NOT_FOUND: .+'
    done
}

# consume NAME CMAKE_ARGUMENT...: builds tests/embed so, and runs what comes of it.
consume() {
    local name=$1
    shift
    step cmake -S "$SETTLE_SOURCE_DIR/tests/embed" -B "$work/$name" -DSETTLE_EXAMPLE="$example" "$@"
    step cmake --build "$work/$name"
    check "$name-shared" "$work/$name/embed_shared"
    check "$name-static" "$work/$name/embed_static"
    check_cxx "$name-cxx" "$work/$name/embed_cxx_settle"
    check_cxx "$name-cxx-static" "$work/$name/embed_cxx_settle_static"
}

# ---- Installed ----

step cmake --install "$SETTLE_BUILD_DIR" --prefix "$prefix"
library=$(dirname "$(find "$prefix" -name libsettle.so)")
export LD_LIBRARY_PATH=$library

consume package -DSETTLE_VIA=package -DCMAKE_PREFIX_PATH="$prefix"

export PKG_CONFIG_PATH=$library/pkgconfig
read -ra package <<<"$(pkg-config --cflags --libs libsettle)"
step "$CC" "${flags[@]}" "${warnings[@]}" "$example" "${package[@]}" -o "$work/embed_pkg_config"
check pkg-config "$work/embed_pkg_config"

step "$CC" "${flags[@]}" "${warnings[@]}" -I"$prefix/include" "$example" "$library/libsettle.a" -llmdb -lzstd -lcrypto -pthread \
    -o "$work/embed_plain"
check plain-static "$work/embed_plain"

# Everything static, where the machine has the libraries so; the C library warns of what it loads at run time.
if [ -z "${CFLAGS// /}" ] && step_quietly "$CC" -static "$example" $(pkg-config --static --cflags --libs libsettle) \
    -o "$work/embed_all_static"; then
    check all-static "$work/embed_all_static"
elif [ -z "${CFLAGS// /}" ] && [ -n "$(find /usr/lib -name liblmdb.a)" ]; then
    cat "$work/log" >&2
    fail 'cc -static with pkg-config --static'
fi
unset LD_LIBRARY_PATH

# ---- The headers, for every compiler there is ----

for header in settle event; do
    echo "#include <settle/$header.h>" >"$work/header.c"
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        for standard in c11 gnu11 c17 c2x; do
            step $compiler -std=$standard -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Werror \
                -I"$prefix/include" -fsyntax-only "$work/header.c"
        done
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        for standard in c++11 c++17 c++20; do
            step $compiler -std=$standard -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wundef -Werror \
                -I"$prefix/include" -fsyntax-only -x c++ "$work/header.c"
        done
    done
done

# ---- From source: nothing of ours but the libraries is built, nothing is installed or tested ----

# only_libraries NAME FOLDER
only_libraries() {
    local name=$1 folder=$2
    [ -z "$(find "$folder" -name settlectl -o -name 'test_*' -o -name CTestTestfile.cmake -path '*settle*/tests/*')" ] ||
        fail "$name builds tools or tests"
    ctest --test-dir "$work/$name" -N | grep -q 'Total Tests: 0$' || fail "$name has tests of ours"
    step cmake --install "$work/$name" --prefix "$work/$name-installed"
    [ -z "$(find "$work/$name-installed" -type f 2>/dev/null)" ] || fail "$name installs $(find "$work/$name-installed" -type f)"
}

consume subdirectory -DSETTLE_VIA=subdirectory -DSETTLE_FROM="$SETTLE_SOURCE_DIR"
only_libraries subdirectory "$work/subdirectory/settle"

tar -C "$SETTLE_SOURCE_DIR" --exclude=./build --exclude=./.git --exclude=./settle-data -cf "$work/settle.tar" .
consume fetch -DSETTLE_VIA=fetch -DSETTLE_FROM="file://$work/settle.tar"
only_libraries fetch "$work/fetch/_deps/settle-build"
