#!/usr/bin/env bash
# Real accounts of a bank: every account that is never overdrawn follows the bank's balance row by row and ends on it; the
# others meet a rejection. Then the same rows with the day as their time and derived ids: duplicates and conflicts come out
# as a simple model says. Needs the real data ($SETTLE_TEST_DATA), else it is skipped.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
data=${SETTLE_TEST_DATA:-$SETTLE_SOURCE_DIR/../shared/data}
rows=$SETTLE_SOURCE_DIR/tests/integration/bank_events.awk
command -v zstd >/dev/null || skip 'no zstd'

# Seq, user, haler behind it of every accepted event; seq, user, "rejected" of the others: from the journal.
legs_of() { # DIRECTORY
    find "$1/journal" -name '*.seg' | sort | while read -r segment; do
        settlectl --json inspect "$segment"
    done | awk -F'"' '
        /^\{"record":"CONSUMED"/ {
            match($0, /"event_id":"[^"]*"/); id = substr($0, RSTART + 12, RLENGTH - 13)
            match($0, /"user":[0-9]+/); user = substr($0, RSTART + 7, RLENGTH - 7)
        }
        /^\{"record":"VALIDATED"/ {
            match($0, /"after":"-?[0-9]+"/); print id "\t" user "\t" substr($0, RSTART + 9, RLENGTH - 10)
        }
        /^\{"record":"REJECTED"/ { print id "\t" user "\trejected" }'
}

# User and haler of every account at the end.
balances_of() { # DIRECTORY
    settlectl -D "$1" --json balance | jq -r 'select(.user | type == "number") | [.user, (.available | sub("\\."; "") | tonumber)] | @tsv'
}

conserves() { # DIRECTORY
    settlectl -D "$1" --json balance | jq -s 'map(.available | sub("\\."; "") | tonumber) | add == 0'
}

# ---- Row by row ----------------------------------------------------------------------------------------------------

expect_bank() { # NAME
    local name=$1 file=$data/$1.dev.csv.zst
    zstd -dcq "$file" | awk -v expected=expected -v overdrawn=overdrawn -f "$rows" >events.ndjson
    local events rejected
    events=$(wc -l <expected)
    expect_status 0 settlectl -D "$name" --json ingest --no-logs events.ndjson
    expect_equal "$name: malformed, duplicate, conflict" "$(jq -c '[.events, .malformed, .duplicate, .conflict]' out)" "[$events,0,0,0]"
    rejected=$(jq .rejected out)

    legs_of "$name" >legs
    awk -F'\t' -v rejections="$rejected" '
        FILENAME == "overdrawn" { overdrawn[$1] = 1; next }
        FILENAME == "expected" { account[$1] = $2; after[$1] = $3; last[$2] = $3; rows++; next }
        !($1 in account) || account[$1] != $2 { fail("an event the bank does not have: " $0) }
        $3 == "rejected" {
            if (!($2 in overdrawn)) fail("a rejection in an account that is never overdrawn: " $0)
            met[$2] = 1; rejected++; next
        }
        $2 in overdrawn { next }
        $3 != after[$1] { fail("the bank has " after[$1] ": " $0) }
        { compared++; ends[$2] = $3 }
        function fail(text) { print text; failed = 1; exit 1 }
        END {
            if (failed) exit 1
            for (a in overdrawn) { if (!(a in met)) { print "account " a " met no rejection"; exit 1 } overdrawn_count++ }
            for (a in ends) { if (ends[a] != last[a]) { print "account " a " ends elsewhere"; exit 1 } accounts++ }
            if (rejected + 0 != rejections) { print rejected " rejections in the journal"; exit 1 }
            print rows " events; " compared " of " accounts " accounts compared with the bank, " overdrawn_count + 0 \
                " accounts overdrawn, " rejected + 0 " rejections"
            if (accounts + 0 == 0 || compared + 0 == 0) { print "nothing was compared"; exit 1 }
        }' overdrawn expected legs >compared || fail "$name: $(cat compared)"
    echo "$name: $(cat compared)"

    balances_of "$name" >balances
    awk -F'\t' '
        FILENAME == "overdrawn" { overdrawn[$1] = 1; next }
        FILENAME == "expected" { last[$2] = $3; next }
        !($1 in overdrawn) { if (last[$1] != $2) { print $1 " has " $2 ", the bank " last[$1]; exit 1 } compared++ }
        END { if (compared + 0 == 0) { print "nothing was compared"; exit 1 } }
    ' overdrawn expected balances >compared || fail "$name: $(cat compared)"
    expect_equal "$name: money made or lost" "$(conserves "$name")" true

    settlectl -D "$name" --json balance >before
    expect_status 0 settlectl -D "$name" --json ingest --no-logs events.ndjson
    expect_equal "$name: a second run" "$(jq -c '[.accepted, .rejected, .duplicate, .conflict]' out)" "[0,0,$events,0]"
    settlectl -D "$name" --json balance | cmp - before || fail "$name: a second run changed a balance"
    expect_status 0 settlectl -D "$name" --json verify
    expect_status 0 settlectl -D "$name" --json replay --check
}

# ---- Collisions ----------------------------------------------------------------------------------------------------

# What must come of events without ids: the first arrival of an id takes it, also when it is rejected.
model_of() {
    awk -F'"' '
        $4 == "asset" { next }
        {
            type = $4; match($0, /"user":[0-9]+/); user = substr($0, RSTART + 7, RLENGTH - 7)
            match($0, /"ts":[0-9]+/); ts = substr($0, RSTART + 5, RLENGTH - 5)
            match($0, /"amount":"[0-9.]+"/); amount = substr($0, RSTART + 10, RLENGTH - 11); sub(/\./, "", amount); amount += 0
            id = type "_" user "_1_" ts
            if (id in first) { outcome[first[id] == amount ? "duplicate" : "conflict"]++; next }
            first[id] = amount
            if (type == "withdrawal" && balance[user] < amount) { outcome["rejected"]++; next }
            balance[user] += type == "deposit" ? amount : -amount; touched[user] = 1; outcome["accepted"]++
        }
        END {
            print outcome["accepted"] + 0, outcome["rejected"] + 0, outcome["duplicate"] + 0, outcome["conflict"] + 0
            for (user in touched) printf "%s\t%.0f\n", user, balance[user]
        }' events.ndjson
}

expect_collisions() { # NAME
    local name=$1
    zstd -dcq "$data/$1.dev.csv.zst" | awk -v natural=1 -f "$rows" >events.ndjson
    model_of >model
    expect_status 0 settlectl -D "$name.days" --json ingest --no-logs events.ndjson
    expect_equal "$name: outcomes" "$(jq -r '[.accepted, .rejected, .duplicate, .conflict] | join(" ")' out)" "$(head -n 1 model)"
    echo "$name by days: accepted, rejected, duplicate, conflict: $(head -n 1 model)"
    [ "$(jq .conflict out)" -gt 0 ] || fail "$name: no id collided"
    balances_of "$name.days" | sort >balances
    tail -n +2 model | sort | cmp - balances || fail "$name: other balances than the model's"
    expect_equal "$name: money made or lost" "$(conserves "$name.days")" true
    expect_status 0 settlectl -D "$name.days" --json verify
}

for name in berka_1993_1994q1 berka_1995_1998_loans; do
    [ -r "$data/$name.dev.csv.zst" ] || skip "no $name in $data"
    expect_bank "$name"
    expect_collisions "$name"
done
