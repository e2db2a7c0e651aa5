#!/usr/bin/env bash
# logs/settlement.schema.json allows every line there is, and nothing that is missing, added or changed.
. "$SETTLE_SOURCE_DIR/tests/lib/script.sh"

python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null || skip 'no python3-jsonschema of 2020-12'

expect_status 0 settlectl ingest "$SETTLE_SOURCE_DIR/docs/examples/events.ndjson"
cat >check.py <<'PYTHON'
import json, sys
from jsonschema import Draft202012Validator

schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
optional = {"trade_id", "price", "quote_amount", "quote_amount_minor",
            "buyer_fee", "buyer_fee_minor", "seller_fee", "seller_fee_minor"}

def refuses(text, change):
    line = json.loads(text)
    change(line)
    assert not validator.is_valid(line), (change.__name__, line)

def other_level(line):
    line["level"] = {"INFO": "WARN", "WARN": "INFO"}[line["level"]]

count = 0
for name in sys.argv[2:]:
    for text in open(name):
        line = json.loads(text)
        errors = [e.message for e in validator.iter_errors(line)]
        assert not errors, (name, text, errors)
        refuses(text, other_level)
        for path in (lambda l: l), (lambda l: l["fields"]):
            refuses(text, lambda l: path(l).update(other=1))
            for member in path(line):
                refuses(text, lambda l: path(l).update({member: {}}))
                if member not in optional:
                    refuses(text, lambda l: path(l).pop(member))
        count += 1
print(count)
PYTHON
expect_status 0 python3 check.py "$SETTLE_SOURCE_DIR/logs/settlement.schema.json" \
    "$SETTLE_SOURCE_DIR/tests/golden/lines_settle.ndjson" logs/settlement.log
[ "$(cat out)" -ge 90 ] || fail "only $(cat out) lines were checked"
