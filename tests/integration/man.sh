#!/usr/bin/env bash
# The manual pages: each command has one, its options and no other stand in it, it is what the tables say, and no formatter
# finds anything to complain of.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

make_pages=$SETTLE_SOURCE_DIR/tools/make-man-pages
"$make_pages" "$SETTLECTL" pages
settlectl help --json >commands
commands=$(jq -r .command commands)

# section FILE NAME: the lines of a section.
section() {
    awk -v name="$2" '/^\.SH / { on = $0 == ".SH " name; next } on' "$1"
}
# plain: roff's escapes undone, as far as our pages use them.
plain() {
    sed -e 's/\\f[BIRP]//g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(ga/`/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\&//g; s/\\e/\\/g'
}
# tagged: options that are the tags of a list: -D, --data, with or without a value.
tagged() {
    awk '/^\.TP/ { getline; print }' | plain | grep -oE -- '(^|[ ,"])--?[A-Za-z][a-z-]*' | tr -d ' ,"' | sort -u
}

# ---- One page a command, no page without one ----
expected=$(for command in $commands; do echo "settlectl-$command.1"; done | sort)
expect_equal 'pages of commands' "$(cd pages/man1 && ls settlectl-*.1 | grep -v check)" "$expected"
for command in $commands; do
    page=pages/man1/settlectl-$command.1
    summary=$(jq -r --arg c "$command" 'select(.command == $c) | .summary' commands)
    expect_equal "NAME of $command" "$(section "$page" NAME | plain)" "settlectl-$command - $summary"
    options=$(jq -r --arg c "$command" 'select(.command == $c) | .options[] | "--" + .option' commands | sort -u)
    expect_equal "OPTIONS of $command" "$(section "$page" OPTIONS | tagged | grep -- '^--' || true)" "$options"
    synopsis=$(section "$page" SYNOPSIS | plain | grep -oE -- '--[a-z-]+' | grep -v -x -e --json | sort -u || true)
    # A page of its own may show several forms, of neighbours too.
    if [ -e "$SETTLE_SOURCE_DIR/docs/man/settlectl-$command.1" ]; then
        synopsis=$(comm -12 <(echo "$synopsis") <(echo "$options"))
    fi
    expect_equal "SYNOPSIS of $command" "$synopsis" "$options"
    for name in SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
        [ -n "$(section "$page" "$name")" ] || fail "settlectl-$command(1) has no text in $name"
    done
    example=$(jq -r --arg c "$command" 'select(.command == $c) | .example' commands)
    section "$page" EXAMPLES | plain | grep -qxF -- "$example" || fail "settlectl-$command(1) lacks the example: $example"
    section pages/man1/settlectl.1 COMMANDS | plain | grep -qxF ".BR settlectl-$command (1)" ||
        fail "settlectl(1) does not name settlectl-$command(1)"
done
expect_equal 'options of every command' "$(section pages/man1/settlectl.1 OPTIONS | tagged | xargs)" \
    '--data --help --json --quiet --version -D -h -q'

section pages/man1/settlectl-logs.1 OPTIONS | plain | grep -A1 -xe '--log-dir DIR' | grep -q '^the directory of the JSON lines' ||
    fail 'the help of --log-dir was cut'
expect_equal 'help of --format of tail alone' "$(section pages/man1/settlectl-tail.1 OPTIONS | grep otlp)" \
    'settle (default), ecs, otlp'

# What is written by hand belongs to a command, and has come into its page whole.
for part in "$SETTLE_SOURCE_DIR"/docs/man/*.in; do
    name=$(basename "$part" .in)
    [ -e "pages/man1/$name" ] || fail "there is no page for $part"
    grep -v '^\.\\"' "$part" | grep -v '^\.SH' | while IFS= read -r line; do
        grep -qxF -- "$line" "pages/man1/$name" || fail "$name lacks the line: $line"
    done
done

# Options that running text names exist, of some command.
known=$( (jq -r '.options[].option' commands; printf '%s\n' data json quiet help version) | sort -u)
for page in pages/man?/*; do
    grep -v '^\.\\"' "$page" | plain | grep -v 'pkg-config' |
        { grep -oE -- '(^|[^a-z-])--[a-z][a-z-]+' || true; } | { grep -oE '[a-z].*' || true; } | sort -u |
        while read -r option; do
            grep -qxF -- "$option" <<<"$known" || fail "$(basename "$page") names --$option, which nothing takes"
        done
done

# Pages that are referred to exist, ours at least.
grep -hoE '(settlectl|settle|libsettle)[a-z.\\-]* \([0-9]\)' pages/man?/* | plain | sort -u | while read -r name number; do
    number=${number:1:1}
    [ -e "pages/man$number/$name.$number" ] || fail "a page refers to $name($number), which is none"
done

# ---- NAME lines, titles, and the formatters' complaints ----
for page in pages/man?/*; do
    file=$(basename "$page")
    name=${file%.*}
    section "$page" NAME | plain | head -1 | grep -qE "^${name//./\\.} - [^ ].*[^.]$" || fail "NAME of $file: $(section "$page" NAME)"
    title=$(grep -m1 -E '^\.(TH|Dt) ' "$page" | plain)
    expect_equal "title of $file" "$(cut -d' ' -f2,3 <<<"$title")" "$(tr a-z A-Z <<<"$name") ${file##*.}"
    [ "$(awk '{ if (length > longest) longest = length } END { print longest + 0 }' "$page")" -le 500 ] || fail "$file: long lines"
    if command -v groff >groff.path; then
        groff -man -ww -z -Tutf8 "$page" 2>complaints || fail "groff: $file"
        [ ! -s complaints ] || fail "groff: $(cat complaints)"
    fi
    if command -v mandoc >mandoc.path; then
        mandoc -Tlint -W warning "$page" >complaints 2>&1 || fail "mandoc: $(cat complaints)"
    fi
    if command -v man >man.path; then
        MANPAGER=cat man -l --warnings "$page" >shown 2>complaints || fail "man: $file"
        [ ! -s complaints ] || fail "man: $(cat complaints)"
    fi
done

# ---- The page of settle.json has every setting, with its bounds and its default ----
settlectl --json config | jq -c 'select(.min != null)' >settings
while read -r setting; do
    member=$(jq -r '.setting | sub("lines."; "")' <<<"$setting")
    bounds="($(jq -r '"\(.min) to \(.max)"' <<<"$setting")"
    plain <pages/man5/settle.json.5 | grep -F ".BR $member " | sed 's/2^53/9007199254740992/' | grep -qF -- "$bounds" ||
        fail "settle.json(5) does not say '$member $bounds'"
    value=$(jq -r .value <<<"$setting")
    [ "$value" = null ] || [ "$member" = rotate_bytes ] ||
        plain <pages/man5/settle.json.5 | grep -F ".BR $member " | grep -qF "default $value" || fail "settle.json(5): default of $member"
done <settings
expect_equal 'settings checked' "$(wc -l <settings)" 9

# Every call of the header that libsettle(3) names is one.
grep -oE 'settle_[a-z_]+ ?\(\)|settle_[a-z_]+" \(\)' pages/man3/libsettle.3 | grep -oE 'settle_[a-z_]+' | while read -r call; do
    grep -qE "[ *]$call\(" "$SETTLE_SOURCE_DIR/engine/settle.h" || fail "libsettle(3) names $call, which the header lacks"
done

# ---- The machinery: a page of its own is taken as it is; parts come where they belong ----
mkdir -p copy/tools copy/docs/man
cp "$make_pages" copy/tools/
printf '.TH SETTLECTL\\-TAIL 1\n.SH NAME\nsettlectl\\-tail \\- mine\n' >copy/docs/man/settlectl-tail.1
printf '.\\" a remark\n.SH DESCRIPTION\nAdded there.\n.SH ODD\nOdd.\n.SH EXAMPLES\nTwo.\n' >copy/docs/man/settlectl-stuck.1.in
copy/tools/make-man-pages "$SETTLECTL" made
cmp made/man1/settlectl-tail.1 copy/docs/man/settlectl-tail.1 || fail 'a page of its own was changed'
expect_equal 'sections' "$(grep '^\.SH' made/man1/settlectl-stuck.1 | cut -c5- | tr '\n' ,)" \
    'NAME,SYNOPSIS,DESCRIPTION,OPTIONS,ODD,EXIT STATUS,EXAMPLES,SEE ALSO,'
expect_equal 'added to a section' "$(section made/man1/settlectl-stuck.1 DESCRIPTION | tail -1)" 'Added there.'
expect_equal 'a section added' "$(section made/man1/settlectl-stuck.1 ODD)" 'Odd.'
expect_equal 'an example added' "$(section made/man1/settlectl-stuck.1 EXAMPLES | tail -1)" 'Two.'
cmp <(settlectl help --format man verify) made/man1/settlectl-verify.1 || fail 'a page without additions is not what help prints'
[ ! -e made/man1/settlectl-.1 ] || fail 'a page without a command'

expect_status 2 settlectl help --format html
grep -qF -- '--format html: not text or man' err || fail "$(cat err)"
expect_status 0 settlectl help --format text verify
cmp -s out <(settlectl help verify) || fail '--format text is not what help prints'
