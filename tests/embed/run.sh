#!/usr/bin/env bash
# Builds docs/examples/embed.c against the package installed into a temporary prefix (CMake, pkg-config, plain static), and
# the header in C++17; runs each and checks what it prints. The libraries show the names settle_* and no others.
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

# only_ours NM_ARGUMENT... : every name it lists is settle_*, or one that the compiler keeps for itself.
only_ours() {
    local names
    names=$(nm --defined-only --format=posix "$@" | cut -d' ' -f1 | grep -v '^/\|:$') || true
    [ -n "$names" ] || fail "no names in $*"
    ! grep -vE '^(settle_|_)' <<<"$names" || fail "the names above are visible in $*"
}

step cmake --install "$SETTLE_BUILD_DIR" --prefix "$prefix"
library=$(dirname "$(find "$prefix" -name libsettle.so)")
export LD_LIBRARY_PATH=$library

only_ours -g "$library/libsettle.a"
only_ours -D "$library/libsettle.so"
[ "$(readlink "$library/libsettle.so")" = libsettle.so.0 ] || fail 'libsettle.so is not a link to libsettle.so.0'

step cmake -S "$SETTLE_SOURCE_DIR/tests/embed" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DSETTLE_EXAMPLE="$example"
step cmake --build "$work/cmake"
check cmake-shared "$work/cmake/embed_shared"
check cmake-static "$work/cmake/embed_static"
[ "$("$work/cmake/embed_cxx")" = deposit_1001_2_1733856600000 ] || fail 'the C++ program does not work'

export PKG_CONFIG_PATH=$library/pkgconfig
read -ra package <<<"$(pkg-config --cflags --libs libsettle)"
step "$CC" "${flags[@]}" "${warnings[@]}" "$example" "${package[@]}" -o "$work/embed_pkg_config"
check pkg-config "$work/embed_pkg_config"

step "$CC" "${flags[@]}" "${warnings[@]}" -I"$prefix/include" "$example" "$library/libsettle.a" -llmdb -lzstd -lcrypto -pthread \
    -o "$work/embed_plain"
check plain-static "$work/embed_plain"
