#!/usr/bin/env bash
# Each example of help and of the manual pages runs as printed, in the order of the commands, and comes to something.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

mkdir bin
ln -s "$SETTLECTL" bin/settlectl
PATH=$PWD/bin:$PATH

# What the examples find: a stream with the user and the event they name, and a statement of its latest events.
{
    echo '{"type":"deposit","ts":1733856600000,"user":1001,"asset":"USDT","amount":"1000.5"}'
    for ((ts = 1; ts <= 1200; ts++)); do
        echo '{"type":"deposit","ts":'$ts',"user":1001,"asset":"BTC","amount":"0.5"}'
    done
} >events.ndjson
printf 'type,ts,user,asset,amount\ndeposit,7,1002,USDT,3.25\n' | gzip >events.csv.gz
printf 'event_id,type,user,asset,amount\ndeposit_1001_2_1733856600000,deposit,1001,USDT,1000.5\n' >december.csv

ran=0
run() { # COMMAND LINE
    local line=$1 seconds='' some
    case $line in
    *hledger*) command -v hledger >path || return 0 ;;
    *zcat*) line="set -o pipefail; $line" ;;
    *' --follow'*) seconds='2 10 40' ;; # it ends by a signal only; longer where the machine is busy
    *' bench '*) line+=' --events 200 --runs 1' ;; # else it takes minutes
    esac
    for some in $seconds; do
        expect_status 124 timeout "$some" bash -c "$line"
        [ ! -s out ] || break
    done
    [ -n "$seconds" ] || expect_status 0 bash -c "$line"
    if [ ! -s out ] && [[ $line != source* ]] && [[ $line != *stuck* ]]; then
        fail "nothing comes of: $line"
    fi
    ran=$((ran + 1))
}

# examples FILE: the lines of a page's EXAMPLES, with roff's escapes undone.
examples() {
    awk '/^\.SH / { on = $0 == ".SH EXAMPLES"; next } on && !/^\./' "$1" | sed -e 's/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(ga/`/g'
}

"$SETTLE_SOURCE_DIR/tools/make-man-pages" "$SETTLECTL" pages
for command in $(settlectl help --json | jq -r .command); do
    example=$(settlectl help --json "$command" | jq -r .example)
    [[ $example == *"settlectl "*"$command"* ]] || fail "the example of $command is of something else: $example"
    # Pages that are written whole have examples that need more than what is here.
    [ ! -e "$SETTLE_SOURCE_DIR/docs/man/settlectl-$command.1" ] || continue
    examples "pages/man1/settlectl-$command.1" >lines
    head -1 lines | grep -qxF -- "$example" || fail "the first example of settlectl-$command(1) is not that of help"
    while IFS= read -r line; do
        run "$line"
    done <lines
done
[ $ran -ge 20 ] || fail "only $ran examples ran"
[ -d bank-as-it-was ] && [ -s bench.svg ] || fail 'examples left nothing behind'

# settlectl(1): the same once more, and its own.
rm -rf bank logs bank-as-it-was
examples pages/man1/settlectl.1 | grep -v -e bench >lines
for command in $(settlectl help --json | jq -r .command); do
    [ ! -e "$SETTLE_SOURCE_DIR/docs/man/settlectl-$command.1" ] || sed -i "/settlectl .*$command/d" lines
done
while IFS= read -r line; do
    run "$line"
done <lines
jq -e 'length > 0' out >jq.out || fail "the last example of settlectl(1) shows no effects: $(cat out)"

# settle.json(5): the file is good, and sets what it shows.
examples "$SETTLE_SOURCE_DIR/docs/man/settle.json.5" >bank/settle.json
expect_equal 'what the example sets' "$(settlectl -D bank --json config | jq -r 'select(.from == "file") | .setting' | xargs)" \
    "$(jq -r 'paths(scalars) | join(".")' bank/settle.json | xargs)"
