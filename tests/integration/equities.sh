#!/usr/bin/env bash
# Real trades of American shares between made-up users: every balance is the one a simple model comes to, the volume of each
# symbol is that of the file's description, and nothing is made or lost. Two of the four symbols (205,417 trades), or all
# 1,684,116 with SETTLE_TEST_FULL=1. Needs the real data ($SETTLE_TEST_DATA), else it is skipped.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"
file=${SETTLE_TEST_DATA:-$SETTLE_SOURCE_DIR/../shared/data}/us_equity_trades_201310.dev.csv.zst
command -v zstd >/dev/null || skip 'no zstd'
[ -r "$file" ] || skip "no $file"

symbols='aig ibm'
volumes='AIG 24445683
IBM 13893392'
if [ -n "${SETTLE_TEST_FULL:-}" ]; then
    symbols='aig bac ibm spy'
    volumes='AIG 24445683
BAC 251400033
IBM 13893392
SPY 440934606'
fi

# 500 users begin with dollars and shares; who trades with whom hangs on the row's number. USD has 4 decimals, as the prices.
zstd -dcq "$file" | awk -F, -v symbols="$symbols" '
    function party(seq, salt) { return 1 + (seq * 48271 + salt * 69621) % 2147483647 % users }
    function deposit(user, asset, amount, units) {
        printf "{\"type\":\"deposit\",\"user\":%d,\"asset\":\"%s\",\"amount\":\"%s\",\"ts\":0}\n", user, asset, amount
        balance[user, asset] = units; balance["external", asset] -= units
    }
    function price_text(e4) {
        while (length(e4) < 5) e4 = "0" e4
        return substr(e4, 1, length(e4) - 4) "." substr(e4, length(e4) - 3)
    }
    BEGIN {
        users = 500; count = split(symbols, list, " ")
        print "{\"type\":\"asset\",\"asset\":\"USD\",\"id\":1,\"scale\":4}"
        for (i = 1; i <= count; i++)
            printf "{\"type\":\"asset\",\"asset\":\"%s\",\"id\":%d,\"scale\":0}\n", toupper(list[i]), i + 1
        for (user = 1; user <= users; user++) {
            deposit(user, "USD", "20000000", 200000000000)
            for (i = 1; i <= count; i++) { wanted[list[i]] = 1; deposit(user, toupper(list[i]), "30000", 30000) }
        }
    }
    !($2 in wanted) { next }
    {
        symbol = toupper($2); buyer = party($1, 1); seller = party($1 + 7919, 2)
        printf "{\"type\":\"trade\",\"trade_id\":\"%s\",\"buyer\":%d,\"seller\":%d,\"base\":\"%s\",\"quote\":\"USD\",\"quantity\":\"%s\",\"price\":\"%s\",\"ts\":%s}\n", \
            $1, buyer, seller, symbol, $5, price_text($4), $3
        amount = $4 * $5; offered[symbol] += $5
        if (buyer == seller || balance[buyer, "USD"] < amount || balance[seller, symbol] < $5) { rejected++; next }
        balance[buyer, "USD"] -= amount; balance[buyer, symbol] += $5
        balance[seller, symbol] -= $5; balance[seller, "USD"] += amount
        accepted++; moved[symbol] += $5
    }
    END {
        printf "%d %d\n", accepted + users * (count + 1), rejected >"counts"
        for (key in balance) { split(key, at, SUBSEP); printf "%s %s %.0f\n", at[1], at[2], balance[key] >"model" }
        for (symbol in offered) { printf "%s %.0f\n", symbol, offered[symbol] >"offered"; printf "%s %.0f\n", symbol, moved[symbol] >"moved" }
    }' >events.ndjson
expect_equal 'the volume of the file' "$(sort offered)" "$volumes"

expect_status 0 settlectl -D market --json ingest --no-logs events.ndjson
expect_equal 'accepted, rejected' "$(jq -r '[.accepted, .rejected] | join(" ")' out)" "$(cat counts)"
expect_equal 'malformed, duplicate, conflict' "$(jq -c '[.malformed, .duplicate, .conflict]' out)" '[0,0,0]'
jq -r '"\(.events) events in \(.seconds) s: \(.accepted) accepted, \(.rejected) rejected"' out

settlectl -D market --json balance | jq -r '"\(.user) \(.asset) \(.available | sub("\\."; ""))"' | sort >balances
sort model | cmp - balances || fail 'other balances than the model'
awk '{ sum[$2] += $3; n++ } END { for (a in sum) if (sum[a] != 0) exit 1; if (n < 1000) exit 1 }' balances ||
    fail 'money was made or lost'

# What the journal says was traded.
find market/journal -name '*.seg' | sort | while read -r segment; do
    settlectl --json inspect "$segment"
done | awk -v names="$symbols" '
    BEGIN { split(toupper(names), name, " ") }
    /^\{"record":"CONSUMED"/ && /"type":"trade"/ {
        match($0, /"base_id":[0-9]+/); base = substr($0, RSTART + 10, RLENGTH - 10)
        match($0, /"quantity":"[0-9]+"/); quantity = substr($0, RSTART + 12, RLENGTH - 13)
        all[base] += quantity
    }
    /^\{"record":"VALIDATED"/ && base != "" { done[base] += quantity }
    /^\{"record":"(VALIDATED|REJECTED)"/ { base = "" }
    END { for (b in all) { printf "%s %.0f\n", name[b - 1], all[b] >"journal.all"; printf "%s %.0f\n", name[b - 1], done[b] >"journal.done" } }'
expect_equal 'the volume in the journal' "$(sort journal.all)" "$volumes"
expect_equal 'the volume that was settled' "$(sort journal.done)" "$(sort moved)"
expect_status 0 settlectl -D market --json verify
