#!/usr/bin/env bash
# The command line itself: where options may stand, what is refused, help and version.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

mkdir data.parent
data=$work/data.parent/bank
expect_status 0 settlectl -D "$data" init --asset USDT=2:6 --asset BTC=1:8
deposit='{"type":"deposit","ts":1,"user":7,"asset":"USDT","amount":"1"}'
settlectl -D "$data" -q ingest <<<"$deposit"
line='{"user":7,"asset":"USDT","available":"1.000000","held":"0.000000","version":1,"seq":1}'

# ---- Positions and spellings: all of them print the same balance ----
expect_balance() {
    expect_status 0 settlectl "$@"
    expect_equal "$*" "$(cat out)" "$line"
    expect_equal "messages of $*" "$(cat err)" ''
}
expect_balance -D "$data" --json balance 7
expect_balance balance 7 -D "$data" --json
expect_balance balance --json 7 -D "$data" USDT
expect_balance --data "$data" balance --json 7
expect_balance --data="$data" --json balance 7
expect_balance -D"$data" --json balance 7
expect_balance -qD "$data" --json balance 7
expect_balance balance -q --json -D "$data" -- 7
expect_balance -D /nonexistent -D "$data" --json balance 7 # the last one counts
expect_balance --json -D "$data" -- balance 7

export SETTLE_DATA=$data
expect_balance --json balance 7
SETTLE_DATA=/nonexistent
expect_balance --json balance 7 -D "$data"
unset SETTLE_DATA
ln -s "$data" settle-data-link
(cd data.parent && mv bank settle-data && "$SETTLECTL" --json balance 7 >../out 2>../err)
expect_equal 'the default directory' "$(cat out)" "$line"
mv data.parent/settle-data "$data"

# An option of a command may stand before it too.
expect_status 0 settlectl --until-seq=0 -D "$data" --json replay
expect_equal 'replay until 0' "$(cat out)" ''

# ---- Usage errors: status 2, a message, nothing on standard output ----
expect_usage() {
    local words=$1
    shift
    expect_status 2 settlectl "$@"
    expect_equal "output of $*" "$(cat out)" ''
    grep -qF -- "$words" err || fail "no '$words' in: $(cat err)"
    expect_status 2 settlectl --json "$@"
    expect_equal "output of --json $*" "$(cat out)" ''
    expect_equal "error of --json $*" "$(jq -c '[.error, .status]' err)" '["usage",2]'
    jq -e --arg words "$words" '.message | contains($words)' err >jq.out || fail "no '$words' in: $(cat err)"
}
expect_usage 'no command given'
expect_usage 'unknown command "blance"; did you mean "balance"?' blance
expect_usage 'did you mean "ingest"?' injest
expect_usage 'did you mean "verify"?' verfiy
expect_usage 'did you mean "inspect"?' insp
expect_usage 'unknown command "frobnicate"; see settlectl help' frobnicate
expect_usage 'unknown command ""' ''
expect_usage 'unknown option --chekc; did you mean --check?' replay --chekc
expect_usage 'unknown option --frob' --frob balance
expect_usage 'unknown option -x' balance -x
expect_usage 'balance takes no option --check' -D "$data" balance --check
expect_usage 'balance takes no option --check' --check balance
expect_usage 'option --until-seq needs a value' replay --until-seq
expect_usage 'option --before needs a value: --before SEQ|TIME' archive --before
[[ $(settlectl history 7 USDT --before 2>&1) == *'--before SEQ' ]] || fail 'the value of history --before'
expect_usage 'option --data has an empty value' -D '' balance
expect_usage 'option --check takes no value' replay --check=yes
expect_usage 'usage: settlectl trace EVENT_ID' trace
expect_usage 'usage: settlectl trace EVENT_ID' trace a b
expect_usage 'usage: settlectl balance [USER [ASSET]]' balance 1 USDT 3
expect_usage 'usage: settlectl verify' verify now
expect_usage '"0" is no user' -D "$data" balance 0
expect_usage '"-1" is no user' -D "$data" balance -- -1
expect_usage '"9223372036854775808" is no user' -D "$data" balance 9223372036854775808
expect_usage '"x" is no user' -D "$data" balance x
expect_usage 'usage: settlectl trace EVENT_ID' trace a --prefix b
expect_usage '--at-seq and --at are two answers' -D "$data" balance --at-seq 1 --at -1h
expect_usage '--at-seq 1x: not a sequence number' -D "$data" balance --at-seq 1x
expect_usage '--at-seq -1: not a sequence number' -D "$data" balance --at-seq -1
expect_usage '--at 2024-12-10: not a time' -D "$data" balance --at 2024-12-10
expect_usage '--at yesterday: not a time' -D "$data" balance 7 --at yesterday
expect_usage 'usage: settlectl history USER ASSET' history 7
expect_usage 'usage: settlectl history USER ASSET' history 7 USDT 1
expect_usage '"0" is no user' -D "$data" history 0 USDT
expect_usage '--limit -1: not a number of rows' -D "$data" history 7 USDT --limit -1
expect_usage '--limit 1k: not a number of rows' -D "$data" history 7 USDT --limit 1k
expect_usage '--before x: not a sequence number' -D "$data" history 7 USDT --before x
expect_usage '--since 1h: not a sequence number or a time' -D "$data" history 7 USDT --since 1h
expect_usage '--until -1y: not a sequence number or a time' -D "$data" history 7 USDT --until -1y
expect_usage '--older-than 1s: not a number of milliseconds' -D "$data" stuck --older-than 1s
expect_usage 'stuck takes no option --limit' stuck --limit 1
expect_usage 'usage: settlectl stuck' stuck now
expect_usage 'not a sequence number' -D "$data" replay --until-seq 1x
expect_usage 'not a sequence number' -D "$data" replay --until-seq=-1
expect_usage '--asset USDT: not SYMBOL=ID:SCALE' -D "$data" init --asset USDT
expect_usage '--asset USDT=2:19: not SYMBOL=ID:SCALE' -D "$data" init --asset USDT=2:19
expect_usage 'contradicts an --asset before it' -D new init --asset USDT=2:6 --asset USDT=2:7
expect_usage 'contradicts an --asset before it' -D new init --asset USDT=2:6 --asset BTC=2:6
expect_usage '--segment-size 16383: not a number of bytes' -D new init --segment-size 16383
expect_usage '--segment-size 1073741825: not' -D new init --segment-size 1073741825
expect_usage '--segment-size 1M: not' -D new init --segment-size 1M
[ ! -e new ] || fail 'a usage error created a directory'

# --json counts only as an option.
expect_status 2 settlectl blance -- --json
grep -q '^settlectl: unknown command' err || fail 'a word behind -- was taken for an option'

# ---- Help and version ----
commands='init ingest balance trace history tail logs stuck replay verify seal prove inspect export reconcile archive stats config completion bench version help'
expect_status 0 settlectl help
for command in $commands; do
    grep -q "^  $command " out || fail "help does not list $command"
    expect_status 0 settlectl help "$command"
    grep -q '^example$' out || fail "help $command has no example"
    grep -q "^usage: settlectl .* $command" out || fail "help $command has no usage"
    cp out help.out
    expect_status 0 settlectl "$command" --help
    cmp -s out help.out || fail "$command --help is not help $command"
    expect_status 0 settlectl -h "$command"
    cmp -s out help.out || fail "-h $command is not help $command"
    expect_status 0 settlectl help
done
expect_equal 'commands as JSON' "$(settlectl help --json | jq -r .command | xargs)" "$commands"
expect_equal 'one command as JSON' "$(settlectl help replay --json | jq -c '[.options[].option]')" \
    '["until-seq","into","check"]'
expect_usage 'unknown command "blance"; did you mean "balance"?' help blance
expect_status 0 settlectl --help
grep -q '^commands$' out || fail 'no commands in --help'

# What stands beside an option is this command's use of it: no other command is named there, and no other one's format.
settlectl help --json >tables
for shell in bash zsh fish; do settlectl completion $shell; done >scripts
expect_equal 'texts that tell of several commands' "$(jq -r --arg names "${commands// /|}" \
    '.command as $c | .options[] | select(.help | test("(^|[ ;(])(" + $names + ")(:|,| --)")) | "\($c) --\(.option)"' tables)" ''
! grep -nE "[['(; ](${commands// /|})"'(\\?:|,) ' scripts || fail 'a completion script tells of several commands'
for command in $commands; do
    own=$(sed -n "s/^    $command:--format) echo 'words \(.*\)' ;;$/\1/p" scripts | tr ' ' '\n' | sort)
    help=$(jq -r --arg c "$command" 'select(.command == $c) | .options[] | select(.option == "format").help' tables)
    told=$(grep -owE 'settle|ecs|otlp|hledger|ndjson|csv|events|text|man' <<<"$help" | sort || true)
    expect_equal "formats in the help of $command" "$told" "$own"
done
for option in before output check format log-dir seal; do # as text, as JSON, in the manual page: the same words
    for command in $(jq -r --arg o "$option" 'select(any(.options[]; .option == $o)) | .command' tables); do
        help=$(jq -r --arg c "$command" --arg o "$option" 'select(.command == $c) | .options[] | select(.option == $o).help' tables)
        grep -qF -- "  $help" <(settlectl help "$command") || fail "help $command has other words for --$option"
        grep -qxF -- "$help" <(settlectl help --format man "$command" | sed 's/\\f[BIR]//g; s/\\-/-/g') ||
            fail "settlectl-$command(1) has other words for --$option"
        grep -qF -- "__settlectl_in $command'" <(grep -F -- "$help" scripts) || fail "fish has other words for $command --$option"
    done
done
expect_equal '--before' "$(jq -r '.command as $c | .options[] | select(.option == "before") | "\($c) \(.value)"' tables | xargs)" \
    'history SEQ archive SEQ|TIME'
settlectl help export | grep -q '^usage: .* export --format FORMAT$' || fail 'export --format is shown as if it were optional'
settlectl help --format man export | grep -qx '\\fB\\-\\-format\\fR \\fIFORMAT\\fR' || fail 'settlectl-export(1): --format is in brackets'
expect_equal 'required' "$(jq -r '.command as $c | .options[] | select(.required) | "\($c) \(.option)"' tables)" 'export format'
settlectl help ingest | grep -q ' \[--set NAME=VALUE\]\.\.\. ' || fail 'ingest --set may be repeated'

expect_status 0 settlectl version
grep -Eq '^settlectl [0-9]+\.[0-9]+\.[0-9]+ ' out || fail "version: $(cat out)"
cp out version.out
expect_status 0 settlectl --version
cmp -s out version.out || fail '--version is not version'
expect_equal 'version as JSON' "$(settlectl version --json | jq -r '.version')" "$(cut -d' ' -f2 version.out)"
