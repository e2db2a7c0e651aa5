# The rows of a Czech bank (PKDD'99, columns: seq, ts_ms, day_ms, trans_id, account_id, type, amount_h, balance_h, round_err_h,
# operation, k_symbol; amounts in haler) as events, one a line; a row that the bank rounded is followed by a correction.
#
#   -v expected=FILE   also: "event id, account, haler behind it" for every event, in order
#   -v overdrawn=FILE  also: the accounts that a row takes below zero
#   -v natural=1       without ids of their own, and the day as the time: many collide
BEGIN {
    FS = ","
    print "{\"type\":\"asset\",\"asset\":\"CZK\",\"id\":1,\"scale\":2}"
}

function koruna(haler) { # "90000" -> "900.00", without arithmetic
    while (length(haler) < 3)
        haler = "0" haler
    return substr(haler, 1, length(haler) - 2) "." substr(haler, length(haler) - 1)
}

function event(id, type, account, haler, ts) {
    balance[account] += type == "deposit" ? haler : -haler
    if (balance[account] < 0)
        below[account] = 1
    if (expected != "")
        printf "%s\t%s\t%.0f\n", id, account, balance[account] >expected
    printf "{\"type\":\"%s\",%s\"user\":%s,\"asset\":\"CZK\",\"amount\":\"%s\",\"ts\":%s}\n", type,
        natural ? "" : "\"event_id\":\"" id "\",", account, koruna(haler), ts
}

FNR > 1 && $1 ~ /^[0-9]+$/ {
    event("T" $4, $6, $5, $7, natural ? $3 : $2)
    if ($9 > 0 && !natural)
        event("T" $4 ".rounded", "deposit", $5, $9, $2)
    if ($9 < 0 && !natural)
        event("T" $4 ".rounded", "withdrawal", $5, -$9, $2)
    if (!natural && balance[$5] != $8) {
        print "row " $1 " does not end on the bank's balance" >"/dev/stderr"
        exit 1
    }
}

END {
    if (overdrawn != "") {
        printf "" >overdrawn
        for (account in below)
            print account >overdrawn
    }
}
