"""docs/examples/python/settle.py: its structs are those of the golden ABI, its errors are raised, amounts are exact.

    python3 python_module.py ABI.TXT DIRECTORY
"""
import re
import sys
import threading
import unittest
from decimal import Context, Decimal

import settle

STRUCTS = {
    "settle_options": settle.Options, "settle_text": settle.Text, "settle_price": settle.Price,
    "settle_transfer": settle.Transfer, "settle_trade": settle.Trade, "settle_source_position": settle.SourcePosition,
    "settle_event": settle.Event, "settle_asset": settle.Asset, "settle_error": settle.RawError,
    "settle_result": settle.RawResult, "settle_balance": settle.Balance,
}
CONSTANTS = {
    "SETTLE_DEPOSIT": settle.DEPOSIT, "SETTLE_WITHDRAWAL": settle.WITHDRAWAL, "SETTLE_TRADE": settle.TRADE,
    "SETTLE_USER_EXTERNAL": settle.USER_EXTERNAL - 2**64, "SETTLE_USER_FEES": settle.USER_FEES - 2**64,
    "SETTLE_OK": settle.OK, "SETTLE_E_NOT_FOUND": settle.E_NOT_FOUND,
}
ABI, DIRECTORY = sys.argv[1:3]


class Layout(unittest.TestCase):
    def test_structs_and_constants_are_those_of_the_header(self):
        checked, seen, kind = 0, set(), None
        with open(ABI) as golden:
            lines = golden.readlines()
        for line in lines:
            if match := re.match(r"(settle_\w+) (\d+) bytes", line):
                kind = STRUCTS.get(match[1])
                seen.add(match[1])
                if kind is not None:
                    self.assertEqual(settle.ctypes.sizeof(kind), int(match[2]), line)
            elif (match := re.match(r"    (\w+) at (\d+), (\d+) bytes$", line)) and kind is not None:
                member = getattr(kind, match[1])
                self.assertEqual((member.offset, member.size), (int(match[2]), int(match[3])), line)
                checked += 1
            elif (match := re.match(r"(SETTLE_\w+) = (-?\d+)$", line)) and match[1] in CONSTANTS:
                self.assertEqual(CONSTANTS[match[1]], int(match[2]), line)
                seen.add(match[1])
        self.assertLessEqual(STRUCTS.keys() | CONSTANTS.keys(), seen)
        self.assertGreater(checked, 50)


class Use(unittest.TestCase):
    def setUp(self):
        self.messages = []
        self.engine = settle.Engine(f"{DIRECTORY}/{self._testMethodName}", {"USDT": (2, 6), "ETH": (3, 18)},
                                    lambda level, message: self.messages.append((level, message)))

    def tearDown(self):
        self.engine.close()

    def test_the_largest_amount_is_exact(self):
        most = Decimal(2**127 - 1).scaleb(-18, Context(prec=60))
        self.engine.submit([self.engine.deposit(1, "ETH", most, ts_ms=1)])
        self.assertEqual(str(self.engine.balance(1, "ETH")), "170141183460469231731.687303715884105727")
        self.assertEqual(str(self.engine.balance(settle.USER_EXTERNAL, "ETH")), "-170141183460469231731.687303715884105727")
        self.assertEqual(str(self.engine.balance(2, "ETH")), "0E-18")

    def test_floats_and_bad_amounts_are_refused(self):
        with self.assertRaises(TypeError):
            self.engine.deposit(1, "USDT", 1.5, ts_ms=1)
        for bad in ("-1", "1.1234567", "1e3", "", "01", "NaN"):
            with self.assertRaises(ValueError):
                self.engine.deposit(1, "USDT", bad, ts_ms=1)

    def test_errors_are_raised_with_name_and_index(self):
        good, bad = self.engine.deposit(1, "USDT", "1", ts_ms=1), self.engine.deposit(0, "USDT", "1", ts_ms=1)
        with self.assertRaises(settle.Error) as caught:
            self.engine.submit([good, bad])
        self.assertEqual((caught.exception.name, caught.exception.index), ("SETTLE_E_INVALID", 1))
        with self.assertRaises(settle.Error) as caught:
            settle.Engine(f"{DIRECTORY}/{self._testMethodName}")
        self.assertEqual(caught.exception.name, "SETTLE_E_BUSY")
        with self.assertRaises(settle.Error) as caught:
            self.engine.declare("USDT", 9, 6)
        self.assertEqual(caught.exception.name, "SETTLE_E_CONFLICT")

    def test_the_log_is_told(self):
        self.assertIn((0, "the engine has started: 0 events in the journal, 0 assets"), self.messages)

    def test_threads_submit_at_once(self):
        def work(user):
            for i in range(50):
                self.engine.submit([self.engine.deposit(user, "USDT", "0.000001", ts_ms=i)])

        threads = [threading.Thread(target=work, args=(user,)) for user in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for user in range(1, 9):
            self.assertEqual(self.engine.balance(user, "USDT"), Decimal("0.000050"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
