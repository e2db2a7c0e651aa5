#!/usr/bin/env bash
# docs/embedding.md: its first program is compiled and run twice, and prints what the text says; each piece of C names only what
# the header has; each file it links to is there.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

document=$SETTLE_SOURCE_DIR/docs/embedding.md
read -ra flags <<<"${CFLAGS:-}"

# block LANGUAGE NUMBER
block() {
    awk -v begin="\`\`\`$1" -v number="$2" '
        $0 == begin { if (++count == number) inside = 1; next }
        /^```$/ { inside = 0 }
        inside' "$document"
}

block c 1 >first.c
grep -q '^int main' first.c || fail 'the first block is no program'
"${CC:-cc}" -std=gnu11 -Wall -Wextra -Wpedantic -Werror "${flags[@]}" -I"$SETTLE_BUILD_DIR/view/public" first.c \
    "$SETTLE_BUILD_DIR/libsettle.so" -Wl,-rpath,"$SETTLE_BUILD_DIR" -o first || fail 'the first program does not compile'
block text 1 >said
expect_status 0 ./first
diff said out >&2 || fail 'the first program prints something else'
expect_status 0 ./first
sed 's/^accepted;/duplicate;/' said | diff - out >&2 || fail 'the second run prints something else'
expect_status 0 settlectl -D data trace deposit_1001_2_1733856600000

# Functions, types and constants of ours.
cat "$SETTLE_SOURCE_DIR"/{engine/settle.h,journal/event.h} "$SETTLE_SOURCE_DIR/CMakeLists.txt" >known
grep -oE '\b(settle_[a-z0-9_]+[a-z0-9]|SETTLE_[A-Z0-9_]+)\b' "$document" | sort -u >named
[ "$(wc -l <named)" -gt 40 ] || fail 'nothing is named'
while read -r name; do
    case $name in settle_static | settle_sock) continue ;; esac
    grep -qw "$name" known || case $name in
    SETTLE_E_*) grep -qw "X(${name#SETTLE_}" known || fail "there is no $name" ;;
    *) fail "there is no $name" ;;
    esac
done <named

# Members of the structs, where the text uses them.
for member in $(grep -oE '\b(options|lines)\.[a-z_]+' "$document" | cut -d. -f2 | sort -u); do
    grep -qE "\b$member\b" "$SETTLE_SOURCE_DIR/engine/settle.h" || fail "there is no member $member"
done

for link in $(grep -oE '\]\([^)#]+\)' "$document" | tr -d '])(' | grep -v '^https://'); do
    [ -e "$SETTLE_SOURCE_DIR/docs/$link" ] || fail "there is no docs/$link"
done
for heading in $(grep -oE '\]\(#[^)]+\)' "$document" | tr -d '])(#'); do
    grep '^## ' "$document" | tr '[:upper:]' '[:lower:]' | sed 's/^## //; s/[^a-z0-9 -]//g; s/ /-/g' | grep -qx "$heading" ||
        fail "there is no heading $heading"
done

# What the text says of a service's answers.
"$SETTLE_BUILD_DIR/tests/example_service" service-data socket service-logs &
pid=$!
block json 1 | "$SETTLE_BUILD_DIR/tests/service_client" socket >out
block json 2 | diff - out >&2 || fail 'the service answers something else'
kill -TERM $pid
wait $pid
