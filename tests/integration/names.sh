#!/usr/bin/env bash
# Every name of a data directory, taken by something else: a symbolic link (to the very file, moved outside; to nowhere), a FIFO, a
# directory or a file, a device, another user's file, one that others may write to, one with a second name. A writer and readers
# either refuse and name it, or go on without harm; nothing blocks, nothing outside is touched, no balance is wrong.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
umask 022

# As an ordinary user: root may read what is another's.
as_user=()
if [ "$(id -u)" -eq 0 ]; then
    command -v setpriv >/dev/null || skip 'no setpriv'
    as_user=(setpriv --reuid=54321 --regid=54321 --clear-groups)
    chown 54321:54321 .
    case $SETTLECTL in
    /root/*) skip 'the program lies where an ordinary user cannot run it' ;;
    esac
fi
run() {
    timeout --kill-after=1 20 "${as_user[@]}" "$SETTLECTL" "$@"
}
"${as_user[@]}" "$SETTLECTL" version >/dev/null 2>&1 || skip 'an ordinary user cannot run the program here'

# ---- A bank with every kind of file ----
for ((i = 1; i <= 2000; i++)); do
    echo "{\"type\":\"deposit\",\"user\":$i,\"asset\":\"USDT\",\"amount\":\"1\",\"ts\":$i}"
done >events.ndjson
echo '{"type":"deposit","user":1,"asset":"USDT","amount":"1","ts":1}' >again.ndjson
printf '{"type":"deposit","user":5,"asset":"USDT","amount":"9","ts":7777}\nmalformed\n' >new.ndjson
expect_status 0 run -D bank init --asset USDT=2:6 --segment-size 65536
expect_status 0 run -D bank ingest --no-logs events.ndjson
expect_status 0 run seal --new-key key.pem
expect_status 0 run -D bank seal --key key.pem
expect_status 0 run -D bank archive --before 300
expect_status 1 run -D bank ingest --no-logs new.ndjson
echo '{}' | "${as_user[@]}" tee bank/settle.json >/dev/null
run -D bank balance >expected
mkdir outside
[ "$(id -u)" -ne 0 ] || chown 54321:54321 outside
mapfile -t names < <(cd bank && find . -mindepth 1 -printf '%P\n' | sort)
[ "${#names[@]}" -ge 20 ] || fail "only ${#names[@]} names"

kinds=(symlink dangling fifo other shared second)
[ "$(id -u)" -ne 0 ] || kinds+=(device foreign)

# take KIND PATH: puts something of the kind in the place of t/PATH. The file that was there is kept outside.
take() {
    local kind=$1 path=t/$2 away=outside/file
    case $kind in
    symlink) mv "$path" "$away" && ln -s "$PWD/$away" "$path" ;;
    dangling) rm -r "$path" && ln -s "$PWD/outside/nothing" "$path" ;;
    fifo) rm -r "$path" && mkfifo -m 600 "$path" ;;
    other) if [ -d "$path" ]; then rm -r "$path" && echo x >"$path" && chmod 600 "$path"; else rm "$path" && mkdir -m 700 "$path"; fi ;;
    shared) chmod a+rw "$path" ;;
    second) [ ! -d "$path" ] && ln "$path" "$away" ;;
    device) rm -r "$path" && mknod -m 600 "$path" c 1 5 ;; # /dev/zero has no end
    foreign) chown 12345:12345 "$path" ;;
    esac || return 1
    [ "$(id -u)" -ne 0 ] || [ "$kind" = foreign ] || chown -hR 54321:54321 "$path"
}
outside_is() {
    (cd outside && find . -type f -exec sha256sum {} + | sort && find . -printf '%p %y %m %s\n' | sort)
}

# try KIND NAME COMMAND...: on a fresh copy; adds a line to ./outcomes.
try() {
    local kind=$1 name=$2 status=0 before
    shift 2
    rm -rf t outside/* out err
    cp -a bank t
    take "$kind" "$name" || return 0 # a directory has no second name
    before=$(outside_is)
    run -D t "$@" >out 2>err </dev/null || status=$?
    [ "$(outside_is)" = "$before" ] || fail "$1 with $name as $kind changed what lies outside: $(outside_is)"
    case $status in
    0)
        if [ "$1" = balance ]; then
            cmp -s out expected || fail "balance with $name as $kind is another: $(diff out expected | head -3)"
        elif [ "$1" = verify ] && [ "$(head -1 out)" != ok ]; then
            fail "verify with $name as $kind: $(cat out)"
        fi
        echo "harmless $1 $kind $name" >>outcomes
        ;;
    1 | 3 | 5) # refused, and the name is told, or the directory or the part it stands for
        grep -qF -e "$(basename "$name")" -e "${name%%/*}" out err ||
            fail "$1 with $name as $kind does not name it (status $status): $(cat out err)"
        echo "refused $1 $kind $name" >>outcomes
        ;;
    124 | 137) fail "$1 with $name as $kind blocked" ;;
    *) fail "$1 with $name as $kind ended with $status: $(cat out err)" ;;
    esac
}

# Of files that are of one sort (segments, archived ones), the first and the last; with a sanitizer every third try.
sort_of() {
    sed -E 's/[0-9]{6,}[-0-9TZ.]*/N/g' <<<"$1"
}
step=1
[[ ${CFLAGS:-} != *-fsanitize* ]] || step=3
number=0
for ((i = 0; i < ${#names[@]}; i++)); do
    name=${names[i]}
    if [ "$i" -gt 0 ] && [ "$((i + 1))" -lt "${#names[@]}" ] && [ "$(sort_of "$name")" = "$(sort_of "${names[i - 1]}")" ] &&
        [ "$(sort_of "$name")" = "$(sort_of "${names[i + 1]}")" ]; then
        continue
    fi
    for kind in "${kinds[@]}"; do
        for command in 'ingest --no-logs again.ndjson' balance verify; do
            [[ $command != verify || $kind = symlink || $kind = fifo ]] || continue
            number=$((number + 1))
            # shellcheck disable=SC2086 # words
            [ $((number % step)) -ne 0 ] || try "$kind" "$name" $command
        done
    done
done
sort outcomes | cut -d' ' -f1-3 | uniq -c

# What must never be taken for the real thing, whatever else changes.
must_refuse() {
    grep -qx "refused $*" outcomes || fail "not refused: $*"
}
if [ "$step" -eq 1 ]; then
    for kind in "${kinds[@]}"; do
        [ "$kind" != second ] || continue
        for name in journal journal/watermark lock settle.json rejects; do
            [ "$name" = rejects ] || must_refuse "ingest $kind $name"
        done
        must_refuse "balance $kind journal"
    done
    must_refuse 'ingest second lock'
    must_refuse 'ingest second journal/watermark'
fi
echo "$(wc -l <outcomes) tries"

# ---- A read-only mount; another user who may read all of it ----
[ "$(id -u)" -eq 0 ] || exit 0
rm -rf t
cp -a bank t
chmod a+rx .
chmod -R a+rX t
mkdir ro
trap 'umount ro 2>/dev/null || true; clean_up' EXIT
if ! mount --bind t ro 2>/dev/null || ! mount -o remount,bind,ro ro 2>/dev/null; then
    echo 'no mounts here'
    exit 0
fi
cp bank/seals/*.seal bank.seal
chmod 644 bank.seal
before=$(cd ro && find . -type f -exec sha256sum {} + | sort)
for command in balance 'balance --at-seq 5' 'trace deposit_1_2_1' 'history 1 USDT' 'tail --from 1900' stuck 'replay --check' verify inspect \
    'export --format csv' stats config 'verify --seal bank.seal --public-key key.pem.pub'; do
    # shellcheck disable=SC2086 # words
    expect_status 0 run -D ro $command
    [ "$command" != balance ] || cmp -s out expected || fail 'balances of a read-only mount'
    [ "$command" != config ] || continue
    # shellcheck disable=SC2086
    expect_status 5 setpriv --reuid=12345 --regid=12345 --clear-groups "$SETTLECTL" -D ro $command
    grep -q 'belongs to another user (uid 54321)' err || fail "$command by another user: $(cat err)"
done
expect_status 5 run -D ro ingest --no-logs again.ndjson
expect_status 5 run -D ro seal --key key.pem
expect_equal 'a read-only mount' "$(cd ro && find . -type f -exec sha256sum {} + | sort)" "$before"
umount ro
