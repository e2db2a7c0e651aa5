#!/usr/bin/env bash
# The completion scripts: bash's is run for real, fish's too where it is installed, zsh's is parsed there.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

for shell in bash zsh fish; do
    expect_status 0 settlectl completion $shell
    mv out settlectl.$shell
    expect_status 0 settlectl --json completion $shell
    cmp -s out settlectl.$shell || fail "--json changes the script of $shell"
done
expect_status 2 settlectl completion csh
grep -q 'it is bash, zsh or fish' err || fail "$(cat err)"
expect_status 2 settlectl completion bash more

expect_status 0 settlectl -D bank init --asset USDT=2:6 --asset BTC=1:8 --asset BCH=7:8
for ts in 1 2 3; do
    echo '{"type":"deposit","ts":'$ts',"user":7,"asset":"BTC","amount":"1"}'
done | settlectl -D bank -q ingest
printf '{"type":"deposit","event_id":"odd:%s","ts":9,"user":7,"asset":"BTC","amount":"1"}\n' 1 2 | settlectl -D bank -q ingest

# ---- What the scripts ask for ----
expect_equal 'assets' "$(settlectl -D bank completion assets | sort | xargs)" 'BCH BTC USDT'
expect_equal 'assets that begin with B' "$(settlectl -D bank completion assets B | sort | xargs)" 'BCH BTC'
expect_equal 'ids' "$(settlectl -D bank completion ids deposit_7_1_ | xargs)" 'deposit_7_1_1 deposit_7_1_2 deposit_7_1_3'
expect_equal 'as JSON' "$(settlectl -D bank --json completion assets U)" '{"word":"USDT"}'
expect_status 1 settlectl -D nowhere completion assets
for ((i = 0; i < 300; i++)); do
    printf '{"type":"deposit","event_id":"many_%03d","ts":9,"user":8,"asset":"BTC","amount":"1"}\n' $i
done | settlectl -D bank -q ingest
expect_equal 'many ids' "$(settlectl -D bank completion ids many_ | wc -l)" 200

# ---- bash ----
mkdir -p bin sub/deep
ln -s "$SETTLECTL" bin/settlectl
PATH=$PWD/bin:$PATH
touch events.ndjson 'with space.csv' sub/inner
export -n SETTLE_DATA || true
cat >complete.bash <<'END'
# WORD...: what bash offers for the last word.
set -u
source ./settlectl.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; } # only while bash itself completes
_settlectl
printf '%s\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}" | sort | paste -sd' '
END
commands=$(settlectl help --json | jq -r .command | sort | xargs)
offers() { # EXPECTED WORD...
    local expected=$1
    shift
    expect_equal "completion of '$*'" "$(bash complete.bash settlectl "$@" 2>&1)" "$expected"
}
globals='--data --help --json --quiet --version'
offers "$commands" ''
offers 'balance bench' b
offers 'ingest init inspect' in
offers '--data' --da
offers "$globals" --
for command in $commands; do # every option of every command
    expected=$( (printf -- '%s\n' $globals; settlectl help --json "$command" | jq -r '.options[] | "--" + .option') | sort | xargs)
    offers "$expected" "$command" -
done
offers 'ecs otlp settle' tail --format ''
offers 'csv ndjson' ingest --format ''
offers 'csv' export --format c
offers 'ecs' tail --format = e   # as bash parts --format=e
offers 'ecs otlp settle' tail --format =
offers 'rebuild verify' logs ''
offers 'verify' -q --json logs v
offers '' logs verify ''
offers "$commands" help ''
offers 'external fees' balance ''
offers 'BCH BTC USDT' -D bank balance 7 ''
offers 'BCH BTC' -D bank balance 7 B
offers 'BCH BTC' --data bank history 7 B
offers 'BCH BTC' --data = bank history 7 B
offers 'BCH BTC' history 7 --limit 3 -D bank B
offers '' -D nowhere balance 7 ''
offers '' -D bank history 7 BTC ''
offers 'deposit_7_1_1 deposit_7_1_2 deposit_7_1_3' -D bank trace deposit_7
offers 'deposit_7_1_1 deposit_7_1_2 deposit_7_1_3' -D bank trace --prefix deposit_7_1
offers '' history 7 BTC --limit ''
offers 'events.ndjson' ingest ev
offers 'events.ndjson' ingest first second ev
offers 'with space.csv' reconcile with
offers 'sub' ingest --log-dir s
offers 'sub/deep' -D sub/
offers 'assets bash fish ids zsh' completion ''
offers 'lines.keep_bytes= lines.keep_days=' config --set lines.keep
offers 'lines.compress=' ingest --set lines.keep_days = 3 --set lines.c
offers '' -- balance -
offers '' config ''
SETTLE_DATA=bank offers 'BCH BTC USDT' balance 7 ''
# As bash itself calls it: the function is bound to the name.
expect_equal 'binding' "$(bash -c 'source ./settlectl.bash; complete -p settlectl')" 'complete -F _settlectl settlectl'

# ---- zsh and fish ----
if command -v zsh >path; then
    zsh -n settlectl.zsh || fail 'zsh does not parse its script'
    cat >specs.zsh <<'END'
# The script is run with _arguments and its kin replaced: what they are given is printed.
_arguments() { print -rl -- "${@[@]}"; [[ $1 == -C ]] && { state=argument; words=($asked); }; return 1; }
_describe() { print -rl -- "${(@P)2}"; }
compdef() { :; }
source ./settlectl.zsh
asked=$1
_settlectl || true
END
    for command in $commands; do
        zsh -f specs.zsh "$command" >specs
        settlectl help --json "$command" | jq -r '.options[].option' | while read -r option; do
            grep -qE -- "^(\(.*\))?\*?--$option(=|\[)" specs || fail "zsh: $command lacks --$option"
        done
        grep -qF -- '--data=[' specs || fail 'zsh: no --data'
    done
    zsh -f specs.zsh tail >specs
    grep -qE -- '^--format=\[settle \(default\), ecs, otlp\]:FORMAT:\(settle ecs otlp\)$' specs || fail "zsh: $(cat specs)"
    zsh -f specs.zsh history >specs
    grep -qx '2:ASSET:_settlectl_ask assets' specs || fail "zsh: $(cat specs)"
    zsh -f specs.zsh ingest >specs
    grep -qxF '*:FILE|-:_files' specs || fail "zsh: $(cat specs)"
fi
if command -v fish >path; then
    fish -n settlectl.fish || fail 'fish does not parse its script'
    export HOME=$PWD
    fish_offers() { # EXPECTED LINE
        expect_equal "fish completion of '$2'" \
            "$(fish --no-config -c 'source ./settlectl.fish; complete -C $argv[1]' "$2" | cut -f1 | sort | xargs)" "$1"
    }
    fish_offers "$commands" 'settlectl '
    fish_offers 'balance bench' 'settlectl -q b'
    fish_offers 'ecs otlp settle' 'settlectl tail --format '
    fish_offers 'rebuild verify' 'settlectl -D bank logs '
    fish_offers 'BCH BTC' 'settlectl -D bank history 7 B'
    fish_offers '' 'settlectl -D bank history 7 BTC '
    fish_offers 'deposit_7_1_1 deposit_7_1_2 deposit_7_1_3' 'settlectl -D bank trace deposit_7'
    fish_offers 'events.ndjson' 'settlectl ingest ev'
    fish_offers '--older-than' 'settlectl stuck --ol'
    fish_offers '' 'settlectl stuck --limit'
fi
