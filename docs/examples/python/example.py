"""Two deposits, a trade and a withdrawal. Run it again: duplicates, and no balance moves.

    SETTLE_LIBRARY=/usr/local/lib/libsettle.so.0 python3 example.py data
"""
import sys

import settle

ALICE, BOB = 1001, 1002
ASSETS = {"BTC": (1, 8), "USDT": (2, 6)}

if len(sys.argv) != 2:
    sys.exit(f"usage: {sys.argv[0]} DIRECTORY")

with settle.Engine(sys.argv[1], ASSETS) as engine:
    events = [
        engine.deposit(ALICE, "USDT", "1000.50", ts_ms=1733856600000),
        engine.deposit(BOB, "BTC", "0.5", ts_ms=1733856601000),
        engine.trade(ALICE, BOB, "BTC", "USDT", "0.01", ts_ms=1733856602000, trade_id="T-1", price="90000.5",
                     buyer_fee="0.00001", seller_fee="0.90"),
        engine.withdrawal(ALICE, "USDT", "1000000", ts_ms=1733856603000, event_id="too-much"),
    ]
    for result in engine.submit(events):
        print(result.seq, result.outcome, *([result.reason] if result.reason else []))
    for name, user in {"alice": ALICE, "bob": BOB, "external": settle.USER_EXTERNAL, "fees": settle.USER_FEES}.items():
        print(name, *(f"{engine.balance(user, symbol)} {symbol}" for symbol in ASSETS))
