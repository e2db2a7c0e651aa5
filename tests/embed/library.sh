#!/usr/bin/env bash
# The built libraries from outside: their exported names, SONAME and the public ABI are those of the golden files; there are no
# mutable globals; what the public calls are made of neither allocates past settle_options.reallocate nor prints or exits.
#
# An intended change: SETTLE_TEST_ACCEPT=1 bash this writes the golden files anew; look at the difference before you commit it.
set -euo pipefail
: "${SETTLE_SOURCE_DIR:?is the root of the checkout}" "${SETTLE_BUILD_DIR:?is a build of it}"
golden=$SETTLE_SOURCE_DIR/tests/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

fail() {
    echo "library: $*" >&2
    exit 1
}

# same WHAT FILE GOLDEN
same() {
    [ -s "$2" ] || fail "$1: there is nothing"
    [ -z "${SETTLE_TEST_ACCEPT:-}" ] || cp "$2" "$golden/$3"
    diff -u "$golden/$3" "$2" >&2 || fail "$1 changed: see above and tests/embed/library.sh"
}

# names NM_ARGUMENT...: name and type of what it defines; not what sanitizers and the linker keep for themselves.
names() {
    nm --defined-only --format=posix "$@" | awk 'NF >= 2 && $1 !~ /^_/ && $1 !~ /:$/ {print $1, $2}' | sort
}

# ---- Names ----

shared=$SETTLE_BUILD_DIR/libsettle.so static=$SETTLE_BUILD_DIR/libsettle.a
names -D "$shared" >"$work/symbols"
same 'what libsettle.so exports' "$work/symbols" symbols.txt
names -g "$static" >"$work/static"
diff -u "$golden/symbols.txt" "$work/static" >&2 || fail 'libsettle.a and libsettle.so show different names'
! grep -v '^settle_[a-z_]* T$' "$work/symbols" >&2 || fail 'only functions named settle_… are public'

# Each has a declaration in the header, and each declaration is there.
grep -ohE '\bsettle_[a-z_]+\(' "$SETTLE_SOURCE_DIR"/{engine/settle.h,journal/event.h} | tr -d '(' | sort -u >"$work/mentioned"
while read -r name _; do
    grep -qx "$name" "$work/mentioned" || fail "$name is exported and not declared"
done <"$work/symbols"
tr '\n' ' ' <"$SETTLE_SOURCE_DIR/engine/settle.h" | grep -oE 'SETTLE_API [^;(]*\(' | grep -oE 'settle_[a-z_]+\(' | tr -d '(' |
    sort >"$work/declared"
cut -d' ' -f1 "$work/symbols" | diff -u - "$work/declared" >&2 || fail 'declared and exported functions differ'

objdump -p "$shared" | grep -qE 'SONAME +libsettle\.so\.0$' || fail 'the SONAME is not libsettle.so.0'
[ "$(readlink "$shared")" = libsettle.so.0 ] || fail 'libsettle.so is not a link to libsettle.so.0'
! objdump -p "$shared" | grep -E 'R(UN)?PATH|TEXTREL' >&2 || fail 'see above'

# ---- No globals, no way past the allocator ----

case ${CFLAGS:-} in
*-fsanitize*|*--coverage*) ;; # they have globals of their own
*)
    size -A "$SETTLE_BUILD_DIR/settle.o" | awk '$1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0' >"$work/mutable"
    [ ! -s "$work/mutable" ] || { objdump -t "$SETTLE_BUILD_DIR/settle.o" | grep -E ' \.(t?data|t?bss)' >&2; fail 'mutable globals'; }
    ;;
esac

objects=$SETTLE_BUILD_DIR/CMakeFiles
# Sealing (journal/seal, base/place.c) is the command's and left out: no public call comes there, as is made sure of below.
mapfile -t ours < <(find "$objects/settle_journal.dir" "$objects/settle_engine.dir" \
    "$objects/settle_query.dir/query/lifecycle.c.o" -name '*.o' |
    grep -vE '/(base/(mem|place)|seal/[a-z_]+)\.c\.o$' | sort)
[ "${#ours[@]}" -gt 40 ] || fail 'the objects are not where they were'
nm -A --undefined-only --format=posix "${ours[@]}" | sed 's/.*settle_[a-z]*\.dir\///; s/ U.*//' >"$work/needed"
grep -q 'file\.c\.o: fdatasync' "$work/needed" || fail "nm's form changed"
! grep -E ': (place|seal|sealing|merkle|digest|key)_[a-z_]+$' "$work/needed" >&2 || fail 'a public call comes to sealing'
forbid() {
    ! grep -E ": ($2)\$" "$work/needed" >&2 || fail "$1"
}
# Functions of the C library that allocate, whether they say so or not; qsort(3) takes memory for long lists.
forbid 'memory comes from struct mem (journal/base/mem.h)' \
    'malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|memalign|str(n)?dup|v?asprintf|get(line|delim)|qsort(_r)?|(f|fd)?open(dir)?_?memstream|f(d|re)?open(64)?|(fd)?opendir|scandir(64|at)?|realpath|canonicalize_file_name|getcwd|ftw|nftw|fts_open|glob|wordexp|localtime(_r)?|mktime|setlocale|newlocale|iconv_open|dlopen|tempnam|tmpfile|popen|getaddrinfo|getpw.*|getgr.*|tsearch|hcreate'
forbid 'the library prints nothing' '(v|f|vf|d|vd)?printf|__(v|f)*printf_chk|f?put(s|c|char)|fwrite|perror|psignal|(v)?syslog|stdout|stderr'
forbid 'the library ends no process but by an assertion, and changes nothing of it' \
    '_?_?exit|_Exit|abort|atexit|signal|sigaction|setenv|putenv|unsetenv|setlocale|umask|chdir|fchdir|srand|setrlimit(64)?|fork|system|exec.*'
forbid 'the library reads no environment' '(secure_)?getenv|environ'

# ---- The ABI ----

[ "$(uname -m)" = x86_64 ] || exit 0
"$SETTLE_BUILD_DIR/tests/embed_abi" >"$work/abi.txt"
same 'the public ABI' "$work/abi.txt" abi.txt
