#!/usr/bin/env bash
# Segments moved to the archive and back: every command gives the same answers in between, beside a live writer, without the store,
# with an archive that is damaged or gone, and after kill -9 at any moment; what comes back is what was there, byte for byte.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

stream() { # COUNT: deposits, withdrawals and trades of 40 users
    awk -v count="$1" 'BEGIN {
        srand(7)
        print "{\"type\":\"asset\",\"asset\":\"USDT\",\"id\":2,\"scale\":6}"
        print "{\"type\":\"asset\",\"asset\":\"BTC\",\"id\":1,\"scale\":8}"
        for (i = 1; i <= count; i++) {
            user = 1 + (i + int(i / 40)) % 40
            if (i % 5 == 0)
                line = sprintf("{\"type\":\"trade\",\"ts\":%d,\"trade_id\":\"T%d\",\"buyer\":%d,\"seller\":%d,\"base\":\"BTC\",\"quote\":\"USDT\",\"quantity\":\"0.0%d\",\"price\":\"%d\",\"seller_fee\":\"0.01\"}", i, i, user, 1 + user % 40, 1 + int(rand() * 8), 100 + int(rand() * 1000))
            else
                line = sprintf("{\"type\":\"%s\",\"ts\":%d,\"user\":%d,\"asset\":\"%s\",\"amount\":\"%d\"}", i % 7 ? "deposit" : "withdrawal", i, user, i % 3 ? "USDT" : "BTC", 1 + int(rand() * 50))
            print line
        }
    }'
}
listing() { # DIR: names, kinds, modes, sizes and bytes of all of the directory but the writer's lock
    (cd "$1" && find . ! -name lock ! -name lock.mdb -printf '%P %y %m\n' | sort && find . -type f ! -name lock ! -name lock.mdb -print0 | sort -z | xargs -0 sha256sum)
}
answers() { # DIR FILE: what every command has to say, but for what tells where the segments are
    local dir=$1 file=$2 command
    : >"$file"
    for command in 'balance' 'balance 7' 'balance --at-seq 100' 'balance 7 USDT --at-seq 700' 'balance external --at-seq 1500' \
        'history 7 USDT' 'history fees USDT --limit 50' 'history external BTC --until 300' 'trace deposit_2_2_1' 'trace trade_T5' \
        'trace trade_T1500' 'trace --prefix deposit_2_' 'stuck' 'replay' 'replay --until-seq 1000' 'stats' \
        'export --format hledger' 'export --format csv' 'export --format events' 'tail' 'tail --from 1500'; do
        # shellcheck disable=SC2086 # words
        expect_status 0 settlectl -D "$dir" --json $command
        cat out err >>"$file"
    done
    expect_status 0 settlectl -D "$dir" --json replay --check
    jq -c '[.ok, .events, .store]' out >>"$file"
    expect_status 0 settlectl -D "$dir" --json verify
    jq -c '[.ok, .segments, .frames, .records, .events, .accounts, .ids, .store]' out >>"$file"
    expect_status 0 settlectl -D "$dir" --json inspect
    jq -c 'del(.archived, .packed_bytes, .directory)' out >>"$file"
}

stream 3000 >stream.ndjson
expect_status 0 settlectl -D bank init --segment-size 32768
expect_status 0 settlectl -D bank -q ingest --log-dir lines stream.ndjson
cp -a bank original
cp -a bank moment
answers bank expected
listing bank >before
segments=$(find bank/journal -name '*.seg' | wc -l)
[ "$segments" -gt 20 ] || fail "only $segments segments"

# ---- What is asked for ----
expect_status 2 settlectl -D bank archive
expect_equal 'no --before' "$(cat err)" 'settlectl: archive takes --before SEQ|TIME, or --restore'
expect_status 2 settlectl -D bank archive --before yesterday
expect_status 2 settlectl -D bank archive --before 100 --level 20
expect_status 2 settlectl -D bank archive --before 100 --level 0
expect_status 2 settlectl -D bank archive --before 100 --restore
expect_status 1 settlectl -D nowhere archive --before 100
[ ! -e nowhere ] || fail 'a directory was made'
expect_status 0 settlectl -D bank archive --before 1
expect_equal 'nothing yet' "$(cat out)" 'nothing to archive'
expect_status 0 settlectl -D bank archive --before -1d --log-dir lines
expect_equal 'nothing so old' "$(cat out)" 'nothing to archive'
expect_status 0 settlectl -D bank archive --restore
expect_equal 'nothing to restore' "$(cat out)" 'nothing is archived'
listing bank | diff before - || fail 'nothing was to change'

# ---- The first thousand events ----
expect_status 0 settlectl -D bank --json archive --before 1001 --log-dir lines
moved=$(jq -s '.[-1].moved' out)
[ "$moved" -gt 5 ] || fail "moved only $moved"
expect_equal 'the summary' "$(tail -n 1 out | jq -c '[.archived, .kept, .kept_for]')" "[$moved,0,null]"
jq -se 'map(select(.segment)) | all(.last_seq < 1001 and .bytes_before == 32768 and .bytes_after < 32768)' out >/dev/null || fail 'the rows'
expect_equal 'the snapshot' "$(tail -n 1 out | jq .snapshot_seq)" "$(jq -s 'map(select(.segment))[-1].last_seq' out)"
last=$(jq -s 'map(select(.segment))[0].last_seq' out)
expect_equal 'in journal/' "$(find bank/journal -name '*.seg' | wc -l)" $((segments - moved))
expect_equal 'in archive/' "$(find bank/archive -name '*.seg.zst' | wc -l)" "$moved"
answers bank actual
diff expected actual || fail 'other answers across the archive'
expect_status 0 settlectl -D bank --json inspect
expect_equal 'archived segments are marked' "$(jq -s 'map(select(.archived)) | length' out)" "$moved"
expect_status 0 settlectl -D bank --json verify
expect_equal 'verify tells of the archive' "$(jq -c '[.ok, .archived_segments, .archived_bytes, .snapshot]' out)" \
    "[true,$moved,$(cat bank/archive/*.zst | wc -c),\"equal\"]"
expect_status 0 settlectl -D bank archive --before 1001 --log-dir lines
expect_equal 'again' "$(cat out)" 'nothing to archive'

# An event whose moment is the one that is given does not come before it: the segment that it ends stays, and goes a microsecond later.
expect_status 0 settlectl -D moment --json tail --from "$last"
expect_status 0 settlectl -D moment --json trace "$(head -n 1 out | jq -r .fields.event_id)"
moment=$(jq -r '.steps[-1].timestamp' out)
behind=$(($(date -u -d "$moment" +%s%6N) + 1))
expect_status 0 settlectl -D moment --json archive --before "$moment" --log-dir lines
expect_equal 'moved before its moment' "$(tail -n 1 out | jq .moved)" 0
expect_status 0 settlectl -D moment --json archive --before "$(date -u -d "@${behind%??????}.${behind: -6}" +%FT%T.%6NZ)" --log-dir lines
[ "$(tail -n 1 out | jq .moved)" -ge 1 ] || fail 'moved nothing behind its moment'
expect_equal 'the first that is moved' "$(head -n 1 out | jq .last_seq)" "$last"

# Plain zstd has the very segments, and says the files are good.
if command -v zstd >/dev/null; then
    for file in bank/archive/*.seg.zst; do
        name=$(basename "$file" .zst)
        zstd -tq "$file" || fail "zstd -t $file"
        zstd -dcq "$file" | cmp - "original/journal/$name" || fail "$name is another"
    done
fi

# ---- All that may be; the last segment and what the checkpoint stands in stay ----
expect_status 0 settlectl -D bank archive --before 999999 --log-dir lines --level 3
expect_equal 'in journal/' "$(find bank/journal -name '*.seg' | wc -l)" 1
answers bank actual
diff expected actual || fail 'other answers with all archived'
for job in 'logs verify' 'logs rebuild'; do
    # shellcheck disable=SC2086 # two words
    expect_status 0 settlectl -D bank $job --log-dir lines
done
expect_status 0 settlectl -D bank replay --until-seq 1200 --into copy
expect_status 0 settlectl -D original replay --until-seq 1200 --into copy.original
diff <(listing copy/journal) <(listing copy.original/journal) || fail 'another copy'

# ---- Repeats and conflicts are decided by the archived record; new events go on ----
head -n 60 stream.ndjson >again.ndjson
echo '{"type":"deposit","ts":1,"user":2,"asset":"USDT","amount":"999"}' >>again.ndjson
echo '{"type":"deposit","ts":900001,"user":2,"asset":"USDT","amount":"5"}' >>again.ndjson
for dir in bank original; do
    expect_status 0 settlectl -D $dir --json ingest --no-logs again.ndjson
    expect_equal "$dir: repeats" "$(jq -c '[.accepted, .duplicate, .conflict]' out)" '[1,58,1]'
done
diff <(settlectl -D bank --json balance) <(settlectl -D original --json balance) || fail 'other balances'
expect_status 0 settlectl -D bank --json trace deposit_2_2_1
expect_equal 'the life of an archived event' "$(jq -c '[.steps[].step]' out)" '["CONSUMED","VALIDATED","PERSISTED"]'
expect_equal 'its repeats' "$(jq -c '[.arrivals[].outcome]' out)" '["duplicate","conflict"]'

# ---- The store lost or damaged: it is made from the snapshot, without the archived segments ----
settlectl -D bank --json balance >balance.now
for damage in lost damaged; do
    rm -rf bank.store && cp -a bank bank.store
    if [ $damage = lost ]; then rm -r bank.store/store; else head -c 100000 /dev/zero | tr '\0' x >bank.store/store/data.mdb; fi
    settlectl -D bank.store --json balance | diff - balance.now || fail "$damage: other balances without the store"
    # A flipped bit in the oldest archived segment: who reads it would stop.
    printf 'x' | dd of="$(ls bank.store/archive/*-000000.seg.zst)" bs=1 seek=40 conv=notrunc 2>/dev/null
    echo '{"type":"deposit","ts":900002,"user":3,"asset":"USDT","amount":"1"}' >one.ndjson
    expect_status 0 settlectl -D bank.store --json ingest --no-logs one.ndjson
    grep -q "snapshot, which ends with event" err || fail "$damage: not made from the snapshot: $(cat err)"
    settlectl -D bank.store --json balance | jq -c 'select(.user != 3 and .user != "external")' >others
    jq -c 'select(.user != 3 and .user != "external")' balance.now | diff - others || fail "$damage: other balances after the rebuild"
    expect_status 3 settlectl -D bank.store --json verify
    jq -e '.fault.segment | startswith("archive/")' out >/dev/null || fail "verify names $(jq -c .fault out)"
    cp -a bank/archive/*-000000.seg.zst bank.store/archive/
    expect_status 0 settlectl -D bank.store --json verify
    expect_equal "$damage: verify" "$(jq -c '[.ok, .store, .snapshot]' out)" '[true,"equal","equal"]'
done

# A snapshot that is damaged or another journal's is passed over, and made anew by the next archive.
for damage in damaged foreign; do
    rm -rf bank.snap && cp -a bank bank.snap
    rm -r bank.snap/store
    if [ $damage = damaged ]; then
        bytes=$(stat -c %s bank.snap/archive/snapshot/store/data.mdb)
        for at in $(seq 8192 4096 $((bytes - 1))); do # a byte of each page but LMDB's own two
            printf '\377' | dd of=bank.snap/archive/snapshot/store/data.mdb bs=1 seek=$((at + 4000)) conv=notrunc 2>/dev/null
        done
    else
        expect_status 0 settlectl -D other.$damage init --asset USDT=2:6
        cp other.$damage/store/data.mdb bank.snap/archive/snapshot/store/data.mdb
    fi
    expect_status 0 settlectl -D bank.snap --json ingest --no-logs again.ndjson
    expect_equal "$damage: nothing new" "$(jq .accepted out)" 0
    grep -q 'snapshot is passed over' err || fail "$damage: no note: $(cat err)"
    settlectl -D bank.snap --json balance | diff - balance.now || fail "$damage: other balances"
    expect_status 3 settlectl -D bank.snap --json verify
    jq -e '.snapshot == "damaged" and (.fault.segment | startswith("archive/snapshot"))' out >/dev/null || fail "verify: $(cat out)"
done

# ---- The archive is gone ----
mv bank/archive elsewhere
first=$(basename "$(ls elsewhere/*-000000.seg.zst)")
settlectl -D bank --json balance | diff - balance.now || fail 'balances without the archive'
expect_status 0 settlectl -D bank --json ingest --no-logs <<<'{"type":"deposit","ts":900003,"user":5,"asset":"USDT","amount":"1"}'
expect_equal 'a new event' "$(jq .accepted out)" 1
# The event before may be in the store only by now; the one asked for is archived.
for command in 'replay' 'replay --check' 'verify' 'history 7 USDT' 'balance --at-seq 100' 'trace deposit_2_2_1' 'stats' 'inspect' \
    'export --format csv' 'tail' 'archive --restore'; do
    # shellcheck disable=SC2086 # words
    expect_status 5 settlectl -D bank $command
    grep -q 'archive' err || fail "$command does not say what is missing: $(cat err)"
    case $command in history* | trace*) ;; archive*) ;; *) grep -q "archive/$first" err || fail "$command does not name $first: $(cat err)" ;; esac
done
expect_status 5 settlectl -D bank --json ingest --no-logs again.ndjson
grep -q "archive/$first" err || fail "a repeat does not name what is missing: $(cat err)"
settlectl -D bank --json balance 5 USDT >five
expect_status 0 settlectl -D bank --json ingest --no-logs <<<'{"type":"deposit","ts":900004,"user":5,"asset":"USDT","amount":"1"}'
expect_equal 'still takes events' "$(jq .accepted out)" 1
mkdir bank/archive # a mount point without its disk
expect_status 5 settlectl -D bank verify
expect_status 5 settlectl -D bank archive --restore
grep -q "archive/$first" err || fail "restore does not name $first: $(cat err)"
expect_status 0 settlectl -D bank --json balance 5 USDT
rmdir bank/archive
mv elsewhere bank/archive
expect_status 0 settlectl -D bank verify

# One file alone is missing: what needs it fails, what does not works.
third=$(ls bank/archive/*-000003.seg.zst)
mv "$third" third
expect_status 5 settlectl -D bank verify
grep -q "$(basename "$third")" err || fail "verify names another file: $(cat err)"
expect_status 0 settlectl -D bank --json trace deposit_2_2_1
expect_status 5 settlectl -D bank archive --restore
mv third "$third"

# A plain segment that is lost is damage, as ever.
rm -rf bank.hole && cp -a bank bank.hole
rm bank.hole/journal/*.seg
expect_status 3 settlectl -D bank.hole balance
expect_status 3 settlectl -D bank.hole init --asset USDT=2:6
rm -rf bank.hole && cp -a original bank.hole && rm "$(ls bank.hole/journal/*-000004.seg)"
expect_status 3 settlectl -D bank.hole archive --before 100
# So is one whose index is lost; --restore needs none.
rm -rf bank.hole && cp -a bank bank.hole && rm bank.hole/journal/archived
expect_status 3 settlectl -D bank.hole balance
expect_status 0 settlectl -D bank.hole archive --restore
expect_status 0 settlectl -D bank.hole verify
rm -rf bank.hole && cp -a bank bank.hole && printf x | dd of=bank.hole/journal/archived bs=1 seek=100 conv=notrunc 2>/dev/null
expect_status 3 settlectl -D bank.hole balance
grep -q 'journal/archived' err || fail "a damaged index is not named: $(cat err)"
expect_status 0 settlectl -D bank.hole archive --restore
expect_status 0 settlectl -D bank.hole verify

# ---- Damaged segments are not archived ----
rm -rf bank.bad && cp -a original bank.bad
bad=$(ls bank.bad/journal/*-000002.seg)
printf '\377' | dd of="$bad" bs=1 seek=9000 conv=notrunc 2>/dev/null
expect_status 3 settlectl -D bank.bad archive --before 1001
expect_equal 'nothing moved' "$(find bank.bad/archive -name '*.zst' | wc -l)" 0
[ ! -e bank.bad/journal/archived ] || fail 'an index of nothing'

# ---- And back ----
rm -rf restored && cp -a bank restored
expect_status 0 settlectl -D restored --json archive --restore
expect_equal 'restored' "$(tail -n 1 out | jq .restored)" $((segments - 1))
[ ! -e restored/archive ] && [ ! -e restored/archive.lock ] || fail 'something is left'
expect_status 0 settlectl -D restored verify

rm -rf bank
expect_status 0 settlectl -D bank init --segment-size 32768
expect_status 0 settlectl -D bank -q ingest --no-logs stream.ndjson
listing bank >before
expect_status 0 settlectl -D bank archive --before 2000
expect_status 0 settlectl -D bank balance
expect_status 0 settlectl -D bank archive --restore
expect_equal 'columns of what was restored' "$(head -n 1 out | xargs)" 'segment first seq bytes before bytes after'
! grep -qw -- - out || fail "a cell without a value: $(cat out)"
listing bank | diff before - || fail 'what came back is not what was there'

# ---- The JSON lines need what they have not written yet ----
rm -rf slow lines.slow
expect_status 0 settlectl -D slow init --segment-size 32768
stream 400 >first.ndjson
expect_status 0 settlectl -D slow -q ingest --log-dir lines.slow first.ndjson
expect_status 0 settlectl -D slow -q ingest --no-logs stream.ndjson
expect_status 0 settlectl -D slow --json archive --before 999999 --log-dir lines.slow
expect_equal 'kept for the lines' "$(tail -n 1 out | jq -c '[.kept > 5, .kept_for]')" '[true,"the JSON lines"]'
expect_status 0 settlectl -D slow archive --before 999999 --log-dir lines.none
expect_status 0 settlectl -D slow tail --log-dir lines.slow
expect_status 0 settlectl -D slow logs verify --log-dir lines.slow

# ---- Beside a live writer and readers ----
expect_status 0 settlectl -D live init --segment-size 16384
mkfifo pipe
"$SETTLECTL" -D live --json ingest --no-logs <pipe >live.out 2>live.err &
writer=$!
exec 3>pipe
head -n 1500 stream.ndjson >&3
for _ in $(seq 200); do
    [ "$(settlectl -D live --json balance 2>/dev/null | wc -l)" -gt 50 ] && break
    sleep 0.05
done
sleep 1.5 # a checkpoint
(while settlectl -D live --json replay --check >reader.out 2>reader.err && [ ! -e stop ]; do :; done; [ -e stop ] || cp reader.err reader.failed) &
reader=$!
for round in 1 2 3; do
    expect_status 0 settlectl -D live --json archive --before 999999
    [ $round -gt 1 ] || [ "$(tail -n 1 out | jq .moved)" -gt 5 ] || fail "beside a writer: $(cat out)"
    head -n 300 stream.ndjson >&3 # repeats, which the writer looks up in the archive by now
    sleep 0.2
    expect_status 0 settlectl -D live --json verify
    expect_status 0 settlectl -D live archive --restore
done
expect_status 0 settlectl -D live --json archive --before 999999
tail -n +1501 stream.ndjson >&3
exec 3>&-
touch stop
wait $writer || fail "the writer failed: $(cat live.err)"
wait $reader || fail 'a reader failed'
[ ! -e reader.failed ] || fail "a reader failed: $(cat reader.failed)"
expect_equal 'repeats beside the archive' "$(jq -c '[.duplicate, .conflict]' live.out)" '[894,0]'
expect_status 0 settlectl -D live verify
diff <(settlectl -D live --json balance | jq -c '[.user, .asset, .available, .version]') \
    <(settlectl -D bank --json balance | jq -c '[.user, .asset, .available, .version]') || fail 'other balances after living beside the archive'

# ---- kill -9 in the midst of it ----
for delay in 0.002 0.005 0.01 0.02 0.03 0.05 0.08; do
    for way in '--before 999999 --level 19' '--restore'; do
        # shellcheck disable=SC2086 # words
        "$SETTLECTL" -D bank archive $way >/dev/null 2>&1 &
        job=$!
        sleep $delay
        kill -KILL $job 2>/dev/null || true
        wait $job 2>/dev/null || true
        expect_status 0 settlectl -D bank --json verify
        expect_equal "killed after $delay: verify" "$(jq -c '[.ok, .events, .store]' out)" '[true,3000,"equal"]'
    done
done
expect_status 0 settlectl -D bank archive --before 999999
expect_status 0 settlectl -D bank archive --restore
listing bank | diff before - || fail 'not what was there after kill -9'

# ---- One at a time ----
expect_status 0 settlectl -D bank archive --before 1000
if command -v flock >/dev/null && flock --help 2>&1 | grep -q -- --fcntl; then
    flock --fcntl -x bank/archive.lock sleep 3 &
    sleep 0.5
    expect_status 4 settlectl -D bank archive --restore
fi

# ---- An archive that is not this journal's ----
small() { # DIR AMOUNT FIRST LAST: deposits with ids of their own
    for ((i = $3; i <= $4; i++)); do
        echo "{\"type\":\"deposit\",\"event_id\":\"s$i\",\"ts\":$i,\"user\":1,\"asset\":\"USDT\",\"amount\":\"$2\"}"
    done | settlectl -D "$1" -q ingest --no-logs
}
twin() { # DIR SEGMENT_SIZE
    settlectl -D "$1" init --segment-size "$2" --asset USDT=2:6 >/dev/null
}

# Two lives of one journal part in the middle of a segment: its headers are the same in both, its events are not.
twin one 32768
small one 10.000001 1 100
expect_status 0 settlectl -D one replay --into two
small one 10.000001 101 600
small two 20.000001 101 600
for life in one two; do expect_status 0 settlectl -D $life archive --before 500; done
expect_equal 'first archived segment' "$(ls one/archive | head -1)" "$(ls two/archive | head -1)"
cp -a one mixed
rm -r mixed/archive
cp -a two/archive mixed/archive
expect_status 3 settlectl -D mixed trace s120
grep -q 'not the segment that journal/archived tells of' err || fail "the other life's archive is not told: $(cat err)"
expect_status 0 settlectl -D one trace s120
listing mixed >mixed.before
! settlectl -D mixed archive --restore >out 2>err || fail "the other life's archive was brought back"
listing mixed | grep -v archive.lock >mixed.after
expect_equal 'a refused restore changes nothing' "$(cat mixed.after)" "$(grep -v archive.lock mixed.before)"

# Another journal's archive, all of it or one file, is not unpacked into this one.
twin third 32768
small third 5 1 600
expect_status 0 settlectl -D third archive --before 500
cp -a one foreign
rm -r foreign/archive
cp -a third/archive foreign/archive
find foreign/journal -name '*.seg' | sort >foreign.before
! settlectl -D foreign archive --restore >out 2>err || fail "another journal's archive was brought back"
expect_equal 'segments of a journal with a foreign archive' "$(find foreign/journal -name '*.seg' | sort)" "$(cat foreign.before)"
small third 5 601 4000
expect_status 0 settlectl -D third archive --before 3900
stray=$(ls third/archive | grep zst | tail -1)
cp -a one stray
cp "third/archive/$stray" stray/archive/
expect_status 3 settlectl -D stray archive --restore
[ ! -e "stray/journal/${stray%.zst}" ] || fail 'a stray segment was unpacked'
rm "stray/archive/$stray"
expect_status 0 settlectl -D stray archive --restore
expect_status 0 settlectl -D stray verify

# An index of another journal is set aside like a damaged one.
cp -a one indexed
cp third/journal/archived indexed/journal/archived
expect_status 0 settlectl -D indexed archive --restore
expect_status 0 settlectl -D indexed verify

# Away, the archive is not begun again, and nothing that lacks it is called fine.
cp -a one away
mv away/archive away.archive
small away 10.000001 601 1500
expect_status 5 settlectl -D away archive --before 1400
[ ! -e away/archive ] || fail 'a new archive was begun beside one that is away'
rm away/journal/archived
expect_status 3 settlectl -D away archive --restore

# Lines that would need it wait for it, and the events go on.
cp -a one lined
mv lined/archive lined.archive
small_lines() { echo '{"type":"deposit","event_id":"later'"$1"'","ts":9,"user":1,"asset":"USDT","amount":"1"}' | settlectl -D lined ingest --log-dir lined.logs; }
expect_status 0 small_lines 1
grep -q 'JSON lines pause' err || fail "the pause is not told: $(cat err)"
mv lined.archive lined/archive
expect_status 0 small_lines 2
expect_status 0 settlectl -D lined logs verify --log-dir lined.logs
