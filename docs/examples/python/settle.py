"""libsettle from Python, by ctypes: no compiler, no package, just the shared library.

    import settle
    with settle.Engine("data", assets={"USDT": (2, 6)}) as engine:
        engine.submit([engine.deposit(1001, "USDT", "1000.50", ts_ms=1733856600000)])
        print(engine.balance(1001, "USDT"))

The library is found as libsettle.so.0, or where the environment variable SETTLE_LIBRARY says. Amounts go in as decimal strings or
Decimal and come out as Decimal: they are exact, and a float is refused. Calls wait for the disk without holding Python's global lock,
so threads share commits. The structs below mirror <settle/settle.h>; ctypes knows no __int128, so it is two words, and the
padding that its alignment of 16 makes is written out.
"""
import ctypes
import os
from collections import namedtuple
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from decimal import Decimal

DEPOSIT, WITHDRAWAL, TRADE = 1, 2, 3
USER_EXTERNAL, USER_FEES = 2**64 - 2, 2**64 - 1
OK, E_NOT_FOUND = 0, -2

Result = namedtuple("Result", "seq outcome reason first_seq")


class Int128(ctypes.Structure):
    _fields_ = [("low", c_uint64), ("high", ctypes.c_int64)]

    def __int__(self):
        return (self.high << 64) + self.low


class Text(ctypes.Structure):
    _fields_ = [("data", c_char_p), ("bytes", c_size_t)]

    @classmethod
    def of(cls, string):
        encoded = string.encode()
        return cls(encoded, len(encoded))


class Price(ctypes.Structure):
    _fields_ = [("mantissa", Int128), ("scale", c_uint32), ("_pad", c_uint8 * 12)]


class Transfer(ctypes.Structure):
    _fields_ = [("user", c_uint64), ("asset", c_uint32), ("_pad", c_uint8 * 4), ("amount", Int128)]


class Trade(ctypes.Structure):
    _fields_ = [
        ("trade_id", Text), ("buyer", c_uint64), ("seller", c_uint64), ("base", c_uint32), ("quote", c_uint32),
        ("_pad", c_uint8 * 8), ("quantity", Int128), ("price", Price), ("quote_amount", Int128), ("buyer_fee", Int128),
        ("seller_fee", Int128),
    ]


class Members(ctypes.Union):
    _fields_ = [("transfer", Transfer), ("trade", Trade)]


class SourcePosition(ctypes.Structure):
    _fields_ = [("source", c_uint32), ("offset_bytes", c_uint64), ("line", c_uint64)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", c_int), ("ts_ms", c_uint64), ("event_id", Text), ("u", Members), ("end", SourcePosition), ("_pad", c_uint8 * 8),
    ]


class Asset(ctypes.Structure):
    _fields_ = [("id", c_uint32), ("scale", c_uint8), ("symbol", c_char * 16)]


class RawResult(ctypes.Structure):
    _fields_ = [("seq", c_uint64), ("outcome", c_int), ("reason", c_int), ("first_seq", c_uint64)]


class Balance(ctypes.Structure):
    _fields_ = [
        ("user", c_uint64), ("asset", c_uint32), ("_pad", c_uint8 * 4), ("available", Int128), ("held", Int128),
        ("version", c_uint64), ("seq", c_uint64),
    ]


class RawError(ctypes.Structure):
    _fields_ = [
        ("status", c_int), ("cause_errno", c_int), ("seq", c_uint64), ("offset_bytes", c_uint64), ("file", c_char * 256),
        ("text", c_char * 320),
    ]


LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class Options(ctypes.Structure):
    _fields_ = [
        ("size_bytes", c_size_t), ("segment_bytes", c_uint64), ("commit_events_max", c_uint32),
        ("commit_interval_us_max", c_uint32), ("checkpoint_interval_ms", c_uint32), ("checkpoint_events_max", c_uint32),
        ("clock_us", c_void_p), ("reallocate", c_void_p), ("log", LogFunction), ("context", c_void_p),
    ]


# name: (result, arguments). A settle* is a void*.
_ERROR = POINTER(RawError)
_FUNCTIONS = {
    "settle_options_init_sized": (None, [POINTER(Options), c_size_t]),
    "settle_open": (c_int, [c_char_p, POINTER(Options), POINTER(c_void_p), _ERROR]),
    "settle_close": (c_int, [c_void_p, _ERROR]),
    "settle_asset_declare": (c_int, [c_void_p, POINTER(Asset), _ERROR]),
    "settle_submit": (c_int, [c_void_p, POINTER(Event), c_size_t, POINTER(RawResult), _ERROR]),
    "settle_balance_get": (c_int, [c_void_p, c_uint64, c_uint32, POINTER(Balance), _ERROR]),
    "settle_amount_parse": (c_int, [Text, c_uint8, POINTER(Int128)]),
    "settle_price_parse": (c_int, [Text, POINTER(Price)]),
    "settle_status_name": (c_char_p, [c_int]),
    "settle_status_sentence": (c_char_p, [c_int]),
    "settle_outcome_name": (c_char_p, [c_int]),
    "settle_reason_name": (c_char_p, [c_int]),
    "settle_version": (c_char_p, []),
}


def _load():
    library = ctypes.CDLL(os.environ.get("SETTLE_LIBRARY", "libsettle.so.0"))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


class Error(Exception):
    """An operating error. .status is the number, .name "SETTLE_E_BUSY", .index the event of a batch that is in error."""

    def __init__(self, status, error=None):
        self.status = status
        self.name = _library.settle_status_name(status).decode()
        self.index = error.offset_bytes if error is not None else None
        text = error.text.decode(errors="replace") if error is not None else ""
        super().__init__(f"{self.name}: {text or _library.settle_status_sentence(status).decode()}")


def _member(event, *names):
    """A reference to a member inside the event, whose memory is aligned as the library needs it."""
    offset, kind = 0, type(event)
    for name in names:
        offset += getattr(kind, name).offset
        kind = dict(kind._fields_)[name]
    return ctypes.cast(byref(event, offset), POINTER(kind))


class Engine:
    """The one writer of a data directory. Close it, or use it in a `with`. Every method may be called from any thread."""

    def __init__(self, directory, assets=None, log=None):
        """assets: {symbol: (id, scale)}. log: called with (level, message) from threads of the library."""
        self._assets = {}
        self._handle = c_void_p()
        self._log = LogFunction(lambda _, level, message: log and log(level, message.decode(errors="replace")))
        options, error = Options(), RawError()
        _library.settle_options_init_sized(byref(options), ctypes.sizeof(options))
        options.log = self._log
        self._check(_library.settle_open(os.fsencode(directory), byref(options), byref(self._handle), byref(error)), error)
        for symbol, (number, scale) in (assets or {}).items():
            self.declare(symbol, number, scale)

    @staticmethod
    def _check(status, error):
        if status != OK:
            raise Error(status, error)

    def close(self):
        handle, self._handle = self._handle, c_void_p()
        error = RawError()
        self._check(_library.settle_close(handle, byref(error)), error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def declare(self, symbol, number, scale):
        asset, error = Asset(number, scale, symbol.encode()), RawError()
        self._check(_library.settle_asset_declare(self._handle, byref(asset), byref(error)), error)
        self._assets[symbol] = asset

    def _amount(self, event, path, amount, symbol):
        if not isinstance(amount, (str, Decimal)):
            raise TypeError(f"an amount is a string or a Decimal, not {type(amount).__name__}")
        text = amount if isinstance(amount, str) else format(amount, "f")
        status = _library.settle_amount_parse(Text.of(text), self._assets[symbol].scale, _member(event, *path))
        if status != OK:
            raise ValueError(f"{text!r} is no amount of {symbol}")

    def _event(self, kind, ts_ms, event_id):
        event = Event(type=kind, ts_ms=ts_ms)
        if event_id is not None:
            event.event_id = Text.of(event_id)
        return event

    def _transfer(self, kind, user, symbol, amount, ts_ms, event_id):
        event = self._event(kind, ts_ms, event_id)
        event.u.transfer.user = user
        event.u.transfer.asset = self._assets[symbol].id
        self._amount(event, ("u", "transfer", "amount"), amount, symbol)
        return event

    def deposit(self, user, symbol, amount, ts_ms, event_id=None):
        return self._transfer(DEPOSIT, user, symbol, amount, ts_ms, event_id)

    def withdrawal(self, user, symbol, amount, ts_ms, event_id=None):
        return self._transfer(WITHDRAWAL, user, symbol, amount, ts_ms, event_id)

    def trade(self, buyer, seller, base, quote, quantity, ts_ms, trade_id=None, event_id=None, price=None, quote_amount=None,
              buyer_fee="0", seller_fee="0"):
        event = self._event(TRADE, ts_ms, event_id)
        trade = event.u.trade
        if trade_id is not None:
            trade.trade_id = Text.of(trade_id)
        trade.buyer, trade.seller = buyer, seller
        trade.base, trade.quote = self._assets[base].id, self._assets[quote].id
        self._amount(event, ("u", "trade", "quantity"), quantity, base)
        self._amount(event, ("u", "trade", "buyer_fee"), buyer_fee, base)
        self._amount(event, ("u", "trade", "seller_fee"), seller_fee, quote)
        if quote_amount is not None:
            self._amount(event, ("u", "trade", "quote_amount"), quote_amount, quote)
        if price is not None and _library.settle_price_parse(Text.of(str(price)), _member(event, "u", "trade", "price")) != OK:
            raise ValueError(f"{price!r} is no price")
        return event

    def submit(self, events):
        """What became of each, once all are on stable storage. They are submitted in order."""
        batch, results, error = (Event * len(events))(*events), (RawResult * len(events))(), RawError()
        self._check(_library.settle_submit(self._handle, batch, len(events), results, byref(error)), error)
        return [
            Result(result.seq, _library.settle_outcome_name(result.outcome).decode(),
                   _library.settle_reason_name(result.reason).decode() or None, result.first_seq or None)
            for result in results
        ]

    def balance(self, user, symbol):
        """What is available, exactly, with all the asset's decimals; durable."""
        balance, error = Balance(), RawError()
        status = _library.settle_balance_get(self._handle, user, self._assets[symbol].id, byref(balance), byref(error))
        if status != E_NOT_FOUND:
            self._check(status, error)
        sign, digits, _ = Decimal(int(balance.available)).as_tuple()
        return Decimal((sign, digits, -self._assets[symbol].scale))


def version():
    return _library.settle_version().decode()
