#!/usr/bin/env bash
# Settings: --set outdoes the environment, that settle.json, that the default; `config` shows which, and says what is wrong.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
for name in $(compgen -e | grep '^SETTLE_'); do # of whoever runs this
    case $name in SETTLE_SOURCE_DIR | SETTLE_BUILD_DIR | SETTLE_TEST_DATA) ;; *) unset "$name" ;; esac
done

names='commit_events_max commit_interval_us_max checkpoint_interval_ms checkpoint_events_max lines.rotate_bytes
lines.keep_days lines.keep_bytes lines.compress lines.sample_per_million lines.free_bytes_min'
file=settle-data/settle.json

# value NAME ARGUMENT...: "VALUE FROM WHERE" of a setting, by the configuration as JSON.
value() {
    local name=$1
    shift
    expect_status 0 settlectl --json config "$@"
    expect_equal 'messages' "$(cat err)" ''
    jq -r --arg name "$name" 'select(.setting == $name) | "\(.value) \(.from) \(.where)"' out
}

# ---- The defaults, without a directory: config creates nothing ----
expect_status 0 settlectl --json config
expect_equal 'settings' "$(jq -r .setting out | xargs)" "$(echo data $names)"
expect_equal 'sources' "$(jq -r .from out | sort -u)" default
expect_equal 'default directory' "$(value data)" 'settle-data default null'
expect_equal 'data by environment' "$(SETTLE_DATA=bank value data)" 'bank environment SETTLE_DATA'
expect_equal 'data by option' "$(SETTLE_DATA=bank value data -D house)" 'house option --data'
expect_equal 'default' "$(value commit_events_max)" '8192 default null'
expect_equal 'computed by the library' "$(value lines.free_bytes_min)" 'null default null'
expect_equal 'a truth' "$(value lines.compress)" 'false default null'
[ ! -e settle-data ] || fail 'config created a directory'

# ---- One after the other outdoes those before it, for each setting ----
expect_status 0 settlectl init --asset USDT=2:6
for name in $names; do
    variable=SETTLE_$(tr 'a-z.' 'A-Z_' <<<"$name")
    settlectl --json config | jq -r --arg name "$name" 'select(.setting == $name) | .environment' >variable
    expect_equal 'its variable' "$(cat variable)" "$variable"
    case $name in *compress) values='true false true' ;; *) values='11 12 13' ;; esac
    read -r in_file in_environment in_option <<<"$values"
    case $name in
    lines.*) printf '{\n  "lines": {"%s": %s}}' "${name#lines.}" "$in_file" >$file && place=2:13 ;;
    *) printf '{\n\n "%s": %s}' "$name" "$in_file" >$file && place=3:2 ;;
    esac
    expect_equal "$name in the file" "$(value "$name")" "$in_file file $file:$place"
    export "$variable=$in_environment"
    expect_equal "$name in the environment" "$(value "$name")" "$in_environment environment $variable"
    expect_equal "$name as an option" "$(value "$name" --set "$name=$in_option")" "$in_option option --set"
    expect_equal 'the last option counts' "$(value "$name" --set "$name=$in_environment" --set="$name=$in_option")" \
        "$in_option option --set"
    export "$variable="
    expect_equal "an empty $variable" "$(value "$name")" "$in_file file $file:$place"
    unset "$variable"
    rm $file
    expect_equal "$name again" "$(value "$name" | cut -d' ' -f2)" default
done

# ---- The table for people ----
echo '{"commit_events_max":64}' >$file
SETTLE_LINES_KEEP_DAYS=7 expect_status 0 settlectl config --set lines.compress=true
head -1 out | grep -qx 'data directory settle-data (default)' || fail "$(cat out)"
grep -Eqx 'commit_events_max +64  settle-data/settle.json:1:2' out || fail "$(cat out)"
grep -Eqx 'lines.keep_days +7  SETTLE_LINES_KEEP_DAYS' out || fail "$(cat out)"
grep -Eqx 'lines.compress +true  --set' out || fail "$(cat out)"
grep -Eqx 'lines.free_bytes_min +automatic  default' out || fail "$(cat out)"

# ---- What the settings do: ingest, tail --log-dir and logs take all three ----
ts=0
ingest() {
    ts=$((ts + 1))
    printf '{"type":"deposit","ts":%s,"user":7,"asset":"USDT","amount":"1"}\n' $ts >event
    expect_status 0 settlectl -q ingest "$@" event
    jq -r .message logs/operations.log | grep 'settings that differ' | tail -1 >differ
}
SETTLE_LINES_KEEP_DAYS=7 ingest --set checkpoint_interval_ms=5
expect_equal 'what ingest took' "$(sed 's/.*: //' differ)" 'commit_events_max=64 checkpoint_interval_ms=5 lines.keep_days=7'
SETTLE_COMMIT_EVENTS_MAX=3 ingest --set commit_events_max=9
expect_equal 'what ingest took' "$(sed 's/.*: //' differ)" 'commit_events_max=9'
expect_status 0 settlectl tail --log-dir thin --set lines.sample_per_million=0
expect_equal 'lines without a sample' "$(cat thin/settlement.log | wc -l)" 0
SETTLE_LINES_SAMPLE_PER_MILLION=0 expect_status 0 settlectl logs verify --log-dir thin
expect_status 1 settlectl logs verify --log-dir thin
expect_status 0 settlectl --set lines.sample_per_million=0 logs rebuild --log-dir thin

# ---- Mistakes: status 2, the place, and nothing is done ----
refused() { # WORDS COMMAND...
    local words=$1
    shift
    expect_status 2 "$@"
    expect_equal "output of $*" "$(cat out)" ''
    grep -qF -- "$words" err || fail "no '$words' in $(cat err)"
}
for command in config 'ingest event' 'logs verify' 'logs rebuild' 'tail --log-dir thin'; do
    # shellcheck disable=SC2086 # several words
    for value in 0 65537 x 1.0 01 -1 ' 1' 99999999999999999999; do
        SETTLE_COMMIT_EVENTS_MAX=$value refused \
            "environment variable SETTLE_COMMIT_EVENTS_MAX=$value: must be an integer from 1 to 65536" settlectl $command
    done
    # shellcheck disable=SC2086
    SETTLE_LINES_COMPRESS=1 refused 'SETTLE_LINES_COMPRESS=1: must be true or false' settlectl $command
    # shellcheck disable=SC2086
    refused '--set commit_events_max=0: commit_events_max must be an integer from 1 to 65536' \
        settlectl $command --set commit_events_max=0
done
refused '--set lines.compress=yes: lines.compress must be true or false' settlectl config --set lines.compress=yes
refused '--set commit_events_max: commit_events_max must be' settlectl config --set commit_events_max
refused '--set commit_events_max=: commit_events_max must be' settlectl config --set commit_events_max=
refused '--set keep_days=1: no such setting' settlectl config --set keep_days=1
refused '--set lines.keep_day=1: no such setting; did you mean lines.keep_days?' settlectl config --set lines.keep_day=1
refused '--set =1: no such setting' settlectl config --set =1
refused '--set is for the files of --log-dir' settlectl tail --set lines.keep_days=1
refused 'balance takes no option --set' settlectl balance --set lines.keep_days=1
printf '{\n "commit_events_max" : 0}' >$file
refused "$file:2:24: \"commit_events_max\" must be an integer from 1 to 65536" settlectl config
# What a file has wrong is told also where something outdoes it.
refused "$file:2:24:" settlectl config --set commit_events_max=9
expect_status 2 settlectl --json config
expect_equal 'as JSON' "$(jq -c '[.error, .status, .file, .offset]' err)" "[\"invalid\",2,\"$file\",25]"
printf '{"lines.keep_days":1}' >$file
refused "$file:1:2: unknown member \"lines.keep_days\"" settlectl config
rm $file
expect_status 2 settlectl --json config --set x=1
expect_equal 'as JSON' "$(jq -c '[.error, .status]' err)" '["usage",2]'

# ---- Variables that are no settings: a misspelling is warned of, another program's is not ----
warned() { # NAME WORDS
    export "$1=1"
    expect_status 0 settlectl config
    grep -qF -- "warning: environment variable $1 is no setting$2; see settlectl config" err || fail "$1: $(cat err)"
    unset "$1"
}
warned SETTLE_COMMIT_EVENT_MAX ', did you mean SETTLE_COMMIT_EVENTS_MAX'
warned SETTLE_LINES_KEEPDAYS ', did you mean SETTLE_LINES_KEEP_DAYS'
warned SETTLE_CHECKPOINT_SIZE_OF_EVERYTHING_THERE_IS ''
export SETTLE_TEST_DATA=x SETTLE_HOME=x SETTLEMENT_SYSTEM=x SETTLE_=x SETTLEDATA=x
expect_status 0 settlectl config
expect_equal 'messages about what is of others' "$(cat err)" ''
