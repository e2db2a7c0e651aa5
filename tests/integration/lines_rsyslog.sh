#!/usr/bin/env bash
# logs/shippers/rsyslog.conf with a real rsyslogd of our own: every line arrives once, across rotations and a restart of it.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

PATH=$PATH:/usr/sbin:/sbin
command -v rsyslogd >/dev/null || skip 'no rsyslogd here'
command -v ldd >/dev/null && ldd "$SETTLECTL" | grep -q libasan && export ASAN_OPTIONS="${ASAN_OPTIONS:-}"

make_events() { # FROM TO
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (i = from; i <= to; i++)
            printf "{\"type\":\"deposit\",\"ts\":%d,\"user\":%d,\"asset\":\"USDT\",\"amount\":\"1.5\"}\n", i, 1 + i % 50
    }'
}
mkdir spool logs
sed -e "s#/var/spool/rsyslog#$work/spool#; s#/var/lib/settle/logs#$work/logs#; s#/var/log/settlement-forwarded.log#$work/forwarded#" \
    "$SETTLE_SOURCE_DIR/logs/shippers/rsyslog.conf" >rsyslog.conf
[ "$(grep -c "$work" rsyslog.conf)" -eq 3 ] || fail 'the configuration has other paths'
start_rsyslogd() {
    rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslogd.pid" >rsyslogd.out 2>&1 &
    rsyslogd=$!
}
wait_for() { # N lines forwarded
    for _ in $(seq 300); do
        [ "$(wc -l 2>/dev/null <forwarded || echo 0)" -lt "$1" ] || return 0
        sleep 0.05
    done
    fail "$(wc -l <forwarded) lines of $1 arrived: $(cat rsyslogd.out)"
}
expect_status 0 settlectl -D bank init --asset USDT=2:6
echo '{"lines":{"rotate_bytes":500000}}' >bank/settle.json
start_rsyslogd

make_events 1 50 >first
expect_status 0 settlectl -D bank -q ingest first
wait_for 150

# Rotations while it runs: input that stays open, so that it can keep up with what is renamed.
mkfifo pipe
"$SETTLECTL" -D bank -q ingest pipe &
writer=$!
exec 9>pipe
for batch in 1 2 3 4 5 6; do
    make_events "${batch}0001" "${batch}0500" >&9
    wait_for $((150 + batch * 1500))
done
exec 9>&-
wait $writer
[ "$(find logs -name 'settlement.log.2*' | wc -l)" -ge 2 ] || fail "no rotation: $(ls logs)"
settlectl -D bank tail | cmp - forwarded || fail 'what arrived is not the journal'

# rsyslogd is stopped and started: it goes on where it was.
kill -TERM $rsyslogd
wait $rsyslogd || true
make_events 90001 90010 >more
expect_status 0 settlectl -D bank -q ingest more
start_rsyslogd
wait_for 9180
sleep 0.3
settlectl -D bank tail | cmp - forwarded || fail 'after a restart'
kill -TERM $rsyslogd
wait $rsyslogd || true
